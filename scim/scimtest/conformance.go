package scimtest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// Config says which server is checked.
type Config struct {
	Base  string // "https://host/scim/v2"
	Token string // bearer token of a client that may read and write Users and Groups
	// Other is the token of a client of another tenant; empty: what needs one is checked as far as it can be.
	Other string
	// Only names the requirements to check; empty: all.
	Only []string
	// Parallel is how many are checked at once; 0: four.
	Parallel int
	Client   *http.Client // nil: one with a timeout
	// Progress is called after each check, one at a time; nil: not.
	Progress func(done, all int, r Result)
}

// Outcome is how a check ended.
type Outcome string

// The outcomes.
const (
	Passed        Outcome = "passed"
	Failed        Outcome = "failed"
	NotApplicable Outcome = "not applicable"
)

// Result is the outcome of one requirement.
type Result struct {
	Requirement
	Outcome   Outcome    `json:"outcome"`
	Detail    string     `json:"detail,omitempty"`    // what is wrong, or why it does not apply
	Exchanges []Exchange `json:"exchanges,omitempty"` // of a check that failed
}

// Report is the outcome of a run, in the order of the requirements.
type Report struct {
	Results []Result `json:"results"`
}

// Count gives the number of results with the outcome.
func (r Report) Count(o Outcome) int {
	n := 0
	for _, result := range r.Results {
		if result.Outcome == o {
			n++
		}
	}
	return n
}

// Run checks a server. It makes Users and Groups and deletes them again. The error says that the server could not be checked at all.
func Run(ctx context.Context, c Config) (Report, error) {
	c.Base = strings.TrimRight(c.Base, "/")
	if u, err := url.Parse(c.Base); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.RawQuery != "" {
		return Report{}, fmt.Errorf("%q is not the address of a SCIM endpoint, such as https://host/scim/v2", c.Base)
	}
	if c.Client == nil {
		c.Client = &http.Client{Timeout: 30 * time.Second}
	}
	var chosen []Requirement
	for _, r := range Requirements() {
		if len(c.Only) == 0 || slices.ContainsFunc(c.Only, func(id string) bool { return strings.EqualFold(id, r.ID) }) {
			chosen = append(chosen, r)
		}
	}
	for _, id := range c.Only {
		if !slices.ContainsFunc(chosen, func(r Requirement) bool { return strings.EqualFold(id, r.ID) }) {
			return Report{}, fmt.Errorf("there is no requirement %q; they are R001 to R%03d", id, requirements)
		}
	}
	if err := reachable(ctx, c); err != nil {
		return Report{}, err
	}
	report := Report{Results: make([]Result, len(chosen))}
	number, run := &atomic.Int64{}, newRun()
	finished := make(chan Result)
	var g errgroup.Group
	g.SetLimit(cmp.Or(c.Parallel, 4))
	go func() {
		for i, r := range chosen {
			g.Go(func() error {
				report.Results[i] = carryOut(&probe{ctx: ctx, config: c, run: run, number: number}, r)
				finished <- report.Results[i]
				return nil
			})
		}
	}()
	for done := range chosen {
		if r := <-finished; c.Progress != nil {
			c.Progress(done+1, len(chosen), r)
		}
	}
	return report, errors.Join(g.Wait(), ctx.Err())
}

// reachable says why a run would be of no use.
func reachable(ctx context.Context, c Config) error {
	r, err := http.NewRequestWithContext(ctx, "GET", c.Base+"/Users?count=0", nil)
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+c.Token)
	resp, err := c.Client.Do(r)
	if err != nil {
		return fmt.Errorf("the server cannot be reached: %w", err)
	}
	resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusUnauthorized, http.StatusForbidden:
		return fmt.Errorf("the server refuses the token (status %d)", resp.StatusCode)
	case http.StatusNotFound:
		return fmt.Errorf("there is no SCIM endpoint at %s", c.Base)
	}
	return nil
}

// carryOut makes one check.
func carryOut(p *probe, r Requirement) (result Result) {
	result = Result{Requirement: r, Outcome: NotApplicable, Detail: r.Excuse}
	if r.check == nil {
		return result
	}
	defer p.clean()
	defer func() {
		switch stop := recover().(type) {
		case nil:
			result.Outcome = Passed
		case stopped:
			if result.Detail = stop.detail; !stop.skipped {
				result.Outcome, result.Exchanges = Failed, p.log
			}
		default:
			result.Outcome, result.Detail, result.Exchanges = Failed, fmt.Sprintf("the check itself failed: %v", stop), p.log
		}
	}()
	r.check(p)
	return result
}

// Transcript shows the last exchanges for people, long bodies shortened.
func Transcript(exchanges []Exchange) string {
	const last, most = 4, 600
	var b strings.Builder
	for _, e := range exchanges[max(len(exchanges)-last, 0):] {
		fmt.Fprintf(&b, "    > %s\n", e.Request)
		if e.Body != "" {
			fmt.Fprintf(&b, "    > %s\n", cut(e.Body, most))
		}
		fmt.Fprintf(&b, "    < %d %s\n", e.Status, e.Headers)
		if e.Answer != "" {
			fmt.Fprintf(&b, "    < %s\n", cut(e.Answer, most))
		}
	}
	return b.String()
}

func cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + fmt.Sprintf("… (%d bytes)", len(s))
}
