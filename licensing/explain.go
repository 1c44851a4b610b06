package licensing

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"usher/store"
)

// Explanation says of one person which license they have and why, whether they may sign in, who can change that and how.
// Its text, for people, is that of [Explanation.String].
type Explanation struct {
	Account    string `json:"account"` // id
	UserName   string `json:"user_name"`
	Display    string `json:"display"`
	Active     bool   `json:"active"`
	MemberType string `json:"member_type"`
	Role       string `json:"role"`
	// RoleReason says why the role is not as high as something asks for.
	RoleReason Reason `json:"role_reason,omitempty"`

	Effective    License      `json:"effective_license"`
	Entitlements Entitlements `json:"entitlements"`
	License      Finding      `json:"license"`         // the license that is wanted
	SignOn       Finding      `json:"sign_on"`         // its State is "allowed" or "refused"
	Sources      []Asking     `json:"sources"`         // all that ask for a license, highest rank first
	Roles        []Asking     `json:"roles,omitempty"` // all that ask for a role
}

// Finding is one decision with the checks that led to it, in the order in which they were made.
type Finding struct {
	License  License `json:"license,omitempty"`
	State    string  `json:"state"`
	Reason   Reason  `json:"reason,omitempty"`
	Sentence string  `json:"sentence"`      // for people, with the numbers of the case
	Fix      string  `json:"fix,omitempty"` // what would change it
	Who      string  `json:"who,omitempty"` // can do that
	Place    int     `json:"place,omitempty"`
	Waiting  int     `json:"waiting,omitempty"` // of so many in the queue
	Checks   []Step  `json:"checks,omitempty"`
}

// Step is one check as it was made.
type Step struct {
	Asks   string `json:"asks"`
	Found  string `json:"found"`
	Passed bool   `json:"passed"`
}

// Asking is one source with what becomes of it.
type Asking struct {
	Carrier  Carrier   `json:"carrier"`
	Group    string    `json:"group,omitempty"` // of a rule on a group: its name
	About    string    `json:"about,omitempty"` // of a rule on a value: the condition
	Rule     string    `json:"rule,omitempty"`  // and the rule's id
	License  License   `json:"license,omitempty"`
	Role     string    `json:"role,omitempty"`
	Priority int       `json:"priority,omitempty"`
	By       string    `json:"by"` // the name of the connection or person
	Since    time.Time `json:"since"`
	Until    time.Time `json:"until,omitzero"`
	Counts   bool      `json:"counts"`           // whether it names the license that is wanted
	Reason   Reason    `json:"reason,omitempty"` // why it has no effect
}

// Explain explains an account: store.ErrNotFound.
func (d *Directory) Explain(ctx context.Context, company, id string) (Explanation, error) {
	c, err := d.store.Company(ctx, company)
	if err != nil {
		return Explanation{}, fmt.Errorf("company %s: %w", company, err)
	}
	a, err := d.store.Account(ctx, company, id)
	if err != nil {
		return Explanation{}, err
	}
	a.Sources = slices.SortedStableFunc(slices.Values(a.Sources), higher)
	v := Evaluate(c, a)
	e := Explanation{
		Account: a.ID, UserName: a.UserName, Display: a.Display, Active: a.Active, MemberType: a.MemberType, Role: v.Role,
		RoleReason: v.RoleReason,
		Effective:  v.Effective, Entitlements: v.Entitlements,
	}
	if e.License, err = d.findLicense(ctx, c, a, v); err != nil {
		return Explanation{}, err
	}
	e.SignOn = findSignOn(c, a, v, e.License)
	e.Sources, e.Roles, err = d.askings(ctx, a, v)
	return e, err
}

// steps makes the checks anew and notes each, as far as they were made.
func steps(checks []check, f *facts) []Step {
	var all []Step
	for _, c := range checks {
		failed := c.fails(f)
		all = append(all, Step{Asks: c.asks, Found: c.found(f), Passed: !failed})
		if failed {
			break
		}
	}
	return all
}

// because is a finding for a reason.
func because(r Reason) Finding {
	return Finding{Reason: r, Sentence: r.Sentence(), Fix: r.Fix(), Who: r.Who()}
}

func (d *Directory) findLicense(ctx context.Context, c store.Company, a store.Account, v Verdict) (Finding, error) {
	if len(a.Sources) == 0 {
		return Finding{State: store.StateNone, Sentence: "Nothing asks for a paid license, so the person has Video Pro like everyone."}, nil
	}
	l := v.License
	f := because(l.Reason)
	f.License, f.State = l.License, l.State
	f.Checks = steps(licenseChecks, &facts{company: c, account: a, top: a.Sources[0]})
	switch l.State {
	case store.StateReserved:
		f.Sentence = fmt.Sprintf("The person has a seat of %s, reserved until they take the account into use.", l.License.Name())
	case store.StateActive:
		f.Sentence = fmt.Sprintf("The person has a seat of %s.", l.License.Name())
	case store.StateHeld:
		f.Sentence = fmt.Sprintf("The account is deactivated. Its seat of %s is held until %s, or until somebody needs it.",
			License(a.Seat).Name(), day(a.SeatSince.Add(c.HoldFor)))
	case store.StateWaiting:
		return f, d.findPlace(ctx, c, a, &f)
	}
	return f, nil
}

// findPlace says where a person stands in the queue, and what the queue waits for.
func (d *Directory) findPlace(ctx context.Context, c store.Company, a store.Account, f *Finding) error {
	pool, err := d.store.Pool(ctx, c.ID, a.License)
	if err != nil {
		return fmt.Errorf("pool of %s: %w", a.License, err)
	}
	ahead, err := d.store.Ahead(ctx, a)
	if err != nil {
		return fmt.Errorf("queue for %s: %w", a.License, err)
	}
	f.Place, f.Waiting = ahead+1, max(pool.Waiting, ahead+1)
	name := License(a.License).Name()
	switch {
	case unpaid(c):
		f.Fix, f.Who = BillingSuspended.Fix(), BillingSuspended.Who()
		f.Sentence = fmt.Sprintf("No seats of %s are given while a payment of the company is overdue", name)
	case pool.Total == 0:
		f.Sentence = fmt.Sprintf("The company has no seats of %s", name)
	case pool.Used > pool.Total:
		f.Sentence = fmt.Sprintf("More seats of %s are in use than the company has bought (%d of %d)", name, pool.Used, pool.Total)
	case pool.Total == 1:
		f.Sentence = fmt.Sprintf("The one seat of %s is in use", name)
	default:
		f.Sentence = fmt.Sprintf("All %d seats of %s are in use", pool.Total, name)
	}
	f.Sentence += fmt.Sprintf("; the person is number %d of %d who wait, since %s.", f.Place, f.Waiting, day(a.Requested))
	if a.Seat != "" {
		f.Sentence += fmt.Sprintf(" Until then they keep %s.", License(a.Seat).Name())
	}
	return nil
}

func findSignOn(c store.Company, a store.Account, v Verdict, license Finding) Finding {
	f := because(v.SSOReason)
	f.State = "refused"
	switch v.SSOReason {
	case "":
		f.State, f.Sentence = "allowed", "The person may sign in through the company's identity provider."
	case WaitingForSeat:
		f.Fix, f.Who, f.Place, f.Waiting = license.Fix, license.Who, license.Place, license.Waiting
		f.Sentence = fmt.Sprintf("Single sign-on comes with %s, which the person waits for as number %d of %d.", license.License.Name(), f.Place, f.Waiting)
	case LicenseHasNoSSO:
		f.Sentence = fmt.Sprintf("The license in effect, %s, does not include single sign-on.", v.Effective.Name())
		if license.Reason == Vetoed || license.Reason != "" && product(license.License).Entitlements.SSO { // it is asked for already
			f.Fix, f.Who = license.Fix, license.Who
		}
	}
	f.Checks = steps(signOnChecks, &facts{company: c, account: a, verdict: v})
	return f
}

// askings shows the sources of licenses and of roles with the names of who and what is behind them.
func (d *Directory) askings(ctx context.Context, a store.Account, v Verdict) (licenses, roles []Asking, err error) {
	rules, err := d.store.ListRules(ctx, a.Company)
	if err != nil {
		return nil, nil, fmt.Errorf("rules: %w", err)
	}
	licenses = []Asking{}
	for i, s := range a.Sources {
		x := Asking{
			Carrier: Carrier(s.Kind), Rule: s.Ref, License: License(s.License), Priority: s.Priority, By: s.By, Since: s.At, Until: s.Until,
			Counts: s.License == string(v.License.License) && v.License.License != NoLicense || i == 0,
		}
		for _, other := range v.Others {
			if string(other.License) == s.License {
				x.Reason = other.Reason
			}
		}
		if x.Counts && v.License.Reason != Vetoed {
			x.Reason = v.License.Reason
		}
		licenses = append(licenses, x)
	}
	for _, s := range a.RoleSources {
		roles = append(roles, Asking{Carrier: Carrier(s.Kind), Rule: s.Ref, Role: s.Role, By: s.By, Since: s.At, Counts: s.Role == v.Role})
	}
	for _, list := range [][]Asking{licenses, roles} {
		for i := range list {
			if err := d.name(ctx, a.Company, rules, &list[i]); err != nil {
				return nil, nil, err
			}
		}
	}
	return licenses, roles, nil
}

// name gives an asking the names of its connection and of what its rule is about.
func (d *Directory) name(ctx context.Context, company string, rules []store.Rule, x *Asking) error {
	if at := slices.IndexFunc(rules, func(r store.Rule) bool { return r.ID == x.Rule }); at >= 0 {
		r := rules[at]
		x.Priority = r.Priority
		if r.Match != nil {
			x.About = r.Match.About
		} else {
			g, err := d.store.Group(ctx, company, r.Group)
			if err != nil && !errors.Is(err, store.ErrNotFound) {
				return fmt.Errorf("group %s: %w", r.Group, err)
			}
			x.Group = g.Display
		}
	}
	connection, err := d.store.Connection(ctx, x.By)
	switch {
	case err == nil && connection.Company == company:
		x.By = connection.Name
	case err != nil && !errors.Is(err, store.ErrNotFound):
		return fmt.Errorf("connection %s: %w", x.By, err)
	}
	return nil
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// String says it in some lines of text.
func (e Explanation) String() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	state := "active"
	if !e.Active {
		state = "deactivated"
	}
	line("%s (%s)", e.Display, e.UserName)
	line("  %s, %s, %s; account %s", state, e.MemberType, e.Role, e.Account)
	if r := e.RoleReason; r != "" {
		line("  %s (%s)", r.Sentence(), r)
		line("  What helps: %s", r.Help())
	}
	line("License: %s. It allows %s.", e.Effective.Name(), e.Entitlements)
	found := func(f Finding) {
		why := f.Sentence
		if f.Reason != "" {
			why += " (" + string(f.Reason) + ")"
		}
		line("  %s", why)
		if f.Fix != "" {
			line("  What helps: %s", help(f.Fix, f.Who))
		}
	}
	if e.License.License != NoLicense {
		line("  %s is wanted: %s.", e.License.License.Name(), e.License.State)
	}
	found(e.License)
	line("Single sign-on: %s.", e.SignOn.State)
	found(e.SignOn)
	if len(e.Sources)+len(e.Roles) > 0 {
		line("Asked for by:")
	}
	for _, s := range e.Sources {
		line("  %s", s)
		if r := s.Reason; r != "" && r != e.License.Reason {
			line("    %s What helps: %s", r.Sentence(), r.Help())
		}
	}
	for _, s := range e.Roles {
		line("  %s", s)
	}
	for _, part := range []struct {
		of     string
		checks []Step
	}{{"the license", e.License.Checks}, {"single sign-on", e.SignOn.Checks}} {
		if len(part.checks) > 0 {
			line("Checked for %s:", part.of)
		}
		for _, s := range part.checks {
			mark := "yes"
			if !s.Passed {
				mark = "NO "
			}
			line("  %s  %s (%s)", mark, s.Asks, s.Found)
		}
	}
	return b.String()
}

// String says it in a phrase.
func (s Asking) String() string {
	var what string
	switch s.Carrier {
	case CarrierPin:
		what = "a pin"
	case CarrierGroup:
		what = fmt.Sprintf("the rule on the group %q (priority %d)", s.Group, s.Priority)
	case CarrierValue:
		what = fmt.Sprintf("the rule on those with %s (priority %d)", s.About, s.Priority)
	default:
		what = "the attribute " + string(s.Carrier)
	}
	asked := "the role " + s.Role
	if s.Role == "" {
		asked = s.License.Name()
	}
	text := fmt.Sprintf("%s, by %s since %s: %s", what, s.By, day(s.Since), asked)
	if !s.Until.IsZero() {
		text += " until " + s.Until.UTC().Format("2006-01-02 15:04 MST")
	}
	if s.Reason != "" {
		text += " - " + string(s.Reason)
	}
	return text
}
