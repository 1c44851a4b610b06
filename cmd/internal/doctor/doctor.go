// Package doctor looks in a store for what is not as it should be: counts that do not agree with what they count, a chain of events that is
// broken, records that belong to nothing, work that nobody does. It changes nothing, and works on every engine; what only an engine can see
// of itself it asks the engine for ([usher/store.Doctor]).
package doctor

import (
	"context"
	"fmt"
	"slices"
	"time"

	"usher/store"
)

// Store is what is read.
type Store interface {
	ListCompanies(ctx context.Context) ([]store.Company, error)
	ListLocalAdmins(ctx context.Context, company string) ([]store.LocalAdmin, error)
	ListAdminKeys(ctx context.Context, company string) ([]store.AdminKey, error)
	ListConnections(ctx context.Context, company string) ([]store.Connection, error)
	ListTokens(ctx context.Context, company string) ([]store.Token, error)
	AccountsByID(ctx context.Context, company string, ids []string) ([]store.Account, error)
	ListAccounts(ctx context.Context, company string, q store.Query) (store.AccountPage, error)
	ListGroups(ctx context.Context, company string, q store.Query) (store.GroupPage, error)
	Members(ctx context.Context, company, group, after string, limit int) ([]store.Member, error)
	Subgroups(ctx context.Context, company, group string) ([]store.Member, error)
	ListPools(ctx context.Context, company string) ([]store.Pool, error)
	CountSeats(ctx context.Context, company, license string) (store.Pool, error)
	ListRules(ctx context.Context, company string) ([]store.Rule, error)
	ListSweeps(ctx context.Context) ([]store.Sweep, error)
	DueMails(ctx context.Context, now time.Time, limit int) ([]store.Mail, error)
	ListSessions(ctx context.Context, company, account, before string, limit int) ([]store.Session, error)
	ListEvents(ctx context.Context, company string, after int64, limit int) ([]store.Event, error)
}

// Config says where to look.
type Config struct {
	Store Store
	// SendsMail says whether a server runs that sends what is in the outbox: then what stays there is stuck.
	SendsMail bool
	Now       time.Time
}

// Report is what was looked at, and what was found.
type Report struct {
	Companies []Company       `json:"companies"`
	Findings  []store.Finding `json:"findings"` // those that are wrong before notes
}

// Company is how much there was to look at.
type Company struct {
	ID       string       `json:"-"`
	Name     string       `json:"name"`
	Accounts int          `json:"accounts"`
	Groups   int          `json:"groups"`
	Events   int64        `json:"events"`
	Pools    []store.Pool `json:"-"`
}

// Wrong says how many findings are more than a note.
func (r Report) Wrong() int {
	n := 0
	for _, f := range r.Findings {
		if !f.Note {
			n++
		}
	}
	return n
}

// Name gives the short name of the company with the id, and the id itself for one that is not known.
func (r Report) Name(id string) string {
	for _, c := range r.Companies {
		if c.ID == id {
			return c.Name
		}
	}
	return id
}

// page is how many records are read at a time.
const page = 1000

// Run looks at everything. An error says that it could not.
func Run(ctx context.Context, c Config) (Report, error) {
	r := Report{Companies: []Company{}, Findings: []store.Finding{}}
	companies, err := c.Store.ListCompanies(ctx)
	if err != nil {
		return r, fmt.Errorf("companies: %w", err)
	}
	for _, company := range companies {
		seen, found, err := twice(ctx, c, company)
		if err != nil {
			return r, fmt.Errorf("company %s: %w", company.Name, err)
		}
		r.Companies = append(r.Companies, seen)
		r.Findings = append(r.Findings, found...)
	}
	work, err := unfinished(ctx, c)
	if err != nil {
		return r, err
	}
	r.Findings = append(r.Findings, work...)
	if engine, ok := c.Store.(store.Doctor); ok {
		own, err := engine.Examine(ctx)
		if err != nil {
			return r, fmt.Errorf("the engine: %w", err)
		}
		r.Findings = append(r.Findings, own...)
	}
	slices.SortStableFunc(r.Findings, func(a, b store.Finding) int {
		switch {
		case a.Note == b.Note:
			return 0
		case b.Note:
			return -1
		}
		return 1
	})
	return r, nil
}

// twice examines a company, and if something seems wrong once more: records are read one after the other, and what others change meanwhile
// only seems to be wrong.
func twice(ctx context.Context, c Config, company store.Company) (Company, []store.Finding, error) {
	seen, found, err := examine(ctx, c, company)
	if err != nil || (Report{Findings: found}).Wrong() == 0 {
		return seen, found, err
	}
	_, again, err := examine(ctx, c, company)
	found = slices.DeleteFunc(found, func(f store.Finding) bool {
		return !f.Note && !slices.ContainsFunc(again, func(g store.Finding) bool { return f.Check == g.Check && f.About == g.About })
	})
	return seen, found, err
}

// examination is one look at one company.
type examination struct {
	Config
	ctx     context.Context
	company store.Company
	seen    Company
	found   []store.Finding
	more    map[store.Finding]int // findings of a check that are not given one by one
}

// maxOfCheck is how many findings of one check are given: they are mostly one mistake.
const maxOfCheck = 10

func (x *examination) wrong(check, about, format string, args ...any) {
	x.add(store.Finding{Check: check, About: about, Text: fmt.Sprintf(format, args...)})
}

func (x *examination) note(check, about, format string, args ...any) {
	x.add(store.Finding{Check: check, About: about, Text: fmt.Sprintf(format, args...), Note: true})
}

func (x *examination) add(f store.Finding) {
	f.Company = x.company.ID
	n := 0
	for _, g := range x.found {
		if f.Check == g.Check && f.Note == g.Note {
			n++
		}
	}
	if n >= maxOfCheck {
		x.more[store.Finding{Check: f.Check, Company: f.Company, About: "others", Note: f.Note}]++
		return
	}
	x.found = append(x.found, f)
}

func examine(ctx context.Context, c Config, company store.Company) (Company, []store.Finding, error) {
	x := &examination{Config: c, ctx: ctx, company: company, seen: Company{ID: company.ID, Name: company.Name}, more: map[store.Finding]int{}}
	ledger, err := x.events()
	if err != nil {
		return x.seen, nil, fmt.Errorf("events: %w", err)
	}
	for _, part := range []struct {
		name string
		look func() error
	}{
		{"people", func() error { return x.people(ledger) }},
		{"seats", x.pools},
		{"connections", x.connections},
		{"admins", x.admins},
		{"sessions", x.sessions},
	} {
		if err := part.look(); err != nil {
			return x.seen, nil, fmt.Errorf("%s: %w", part.name, err)
		}
	}
	for f, n := range x.more {
		f.Text = fmt.Sprintf("there are %d more findings about %s", n, f.Check)
		x.found = append(x.found, f)
	}
	return x.seen, x.found, nil
}
