package adminapi

import (
	"context"
	"fmt"
	"net/http"

	"usher/cmd/internal/doctor"
)

// Examination is what the doctor has looked at in all companies, and what was found.
type Examination struct {
	Companies []Examined  `json:"companies"`
	Findings  []Complaint `json:"findings"` // those that are wrong before those that are only worth knowing
}

// Examined is how much of a company was looked at.
type Examined struct {
	Name     string `json:"name"`
	Accounts int    `json:"accounts"`
	Groups   int    `json:"groups"`
	Events   int64  `json:"events"`
}

// Complaint is something that is not as it should be, or that somebody should know.
type Complaint struct {
	Check   string `json:"check"`             // what was looked at
	Company string `json:"company,omitempty"` // short name; none for what is of no company
	About   string `json:"about,omitempty"`   // id of the account, group, ... concerned
	Text    string `json:"text"`              // what it is, and what to do about it
	Note    bool   `json:"note"`              // whether nothing is wrong
}

// Wrong says how many findings are more than a note.
func (e Examination) Wrong() int {
	n := 0
	for _, f := range e.Findings {
		if !f.Note {
			n++
		}
	}
	return n
}

func (h *Handler) examine(ctx context.Context, c call) (any, error) {
	report, err := doctor.Run(ctx, doctor.Config{Store: h.store, SendsMail: h.sendsMail, Now: c.now})
	if err != nil {
		return nil, fmt.Errorf("examine: %w", err)
	}
	out := Examination{Companies: []Examined{}, Findings: []Complaint{}}
	for _, company := range report.Companies {
		out.Companies = append(out.Companies, Examined{Name: company.Name, Accounts: company.Accounts, Groups: company.Groups, Events: company.Events})
	}
	for _, f := range report.Findings {
		out.Findings = append(out.Findings, Complaint{Check: f.Check, Company: report.Name(f.Company), About: f.About, Text: f.Text, Note: f.Note})
	}
	return out, nil
}

// Examine looks in all companies for what is not as it should be.
func (c *Client) Examine(ctx context.Context) (Examination, error) {
	var out Examination
	err := c.do(ctx, http.MethodGet, &out, nil, "doctor")
	return out, err
}
