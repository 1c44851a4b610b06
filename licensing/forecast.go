package licensing

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"usher/store"
)

// Forecast says what a change of rules would do, without doing it: how many people it would concern and what would become of them.
// It holds for the moment in which it was made.
type Forecast struct {
	People    int `json:"people"`     // who would have a source more or less
	Gain      int `json:"gain"`       // who would get a seat, those who swap one included
	Wait      int `json:"wait"`       // who would begin to wait for one
	Lose      int `json:"lose"`       // who would lose the seat that they have
	Blocked   int `json:"blocked"`    // who would ask in vain: guests, deactivated people
	Conflicts int `json:"conflicts"`  // who would be asked for another license by something of a higher rank
	FromQueue int `json:"from_queue"` // others who wait already and would get a seat that comes free

	Shifts []Shift `json:"shifts"` // the first of those whose license would change in any way
}

// Shift is the change of one person's license.
type Shift struct {
	Account  string  `json:"account"` // id
	UserName string  `json:"user_name"`
	Display  string  `json:"display"`
	From     License `json:"from"` // the license in effect
	To       License `json:"to"`
	State    string  `json:"state"` // of the license that would be wanted then
	Reason   Reason  `json:"reason,omitempty"`
}

// shown is how many shifts a forecast has at most.
const shown = 100

// Forecast says what AddRule or RemoveRule would do. Its errors are those of the change.
func (d *Directory) Forecast(ctx context.Context, c Change) (Forecast, error) {
	if err := mayDo(c); err != nil {
		return Forecast{}, err
	}
	s, err := d.situation(ctx, c)
	if err != nil {
		return Forecast{}, err
	}
	s.queues = true
	f := &forecast{d: d, pools: map[License]*store.Pool{}, seen: map[string]bool{}}
	rules := s.rules.rules
	var why cause
	switch do := c.Do.(type) {
	case AddRule:
		rule, err := newRule(c, do, s.now)
		if err != nil {
			return Forecast{}, err
		}
		if rule.Group != "" {
			_, err := d.store.Group(ctx, c.Company, rule.Group)
			if errors.Is(err, store.ErrNotFound) {
				return Forecast{}, refuse(UnknownGroup, "The company has no group %q.", rule.Group)
			}
			if err != nil {
				return Forecast{}, fmt.Errorf("group %s: %w", rule.Group, err)
			}
		}
		rules, why = append(slices.Clone(rules), rule), ruleCause(rule)
	case RemoveRule:
		is := func(r store.Rule) bool { return r.ID == do.ID }
		if !slices.ContainsFunc(rules, is) {
			return Forecast{}, store.ErrNotFound
		}
		rules, why = slices.DeleteFunc(slices.Clone(rules), is), cause{Rules: []string{do.ID}}
	default:
		return Forecast{}, fmt.Errorf("licensing: there is no forecast for %T", c.Do)
	}
	s.rules = newRuleSet(rules)
	s.pools = func(l License) (store.Pool, error) {
		p, err := f.pool(ctx, s.company.ID, l)
		if err != nil {
			return store.Pool{}, err
		}
		return *p, nil
	}
	for _, gains := range []bool{false, true} {
		for _, next := range d.stages(s.company.ID, why) {
			if err := f.run(ctx, s, next, gains); err != nil {
				return Forecast{}, err
			}
		}
		if !unpaid(s.company) {
			f.serve()
		}
	}
	return f.Forecast, nil
}

// forecast is a forecast being made, on pools that it changes only for itself.
type forecast struct {
	Forecast
	d     *Directory
	pools map[License]*store.Pool
	seen  map[string]bool
}

func (f *forecast) pool(ctx context.Context, company string, l License) (*store.Pool, error) {
	if p := f.pools[l]; p != nil {
		return p, nil
	}
	p, err := f.d.store.Pool(ctx, company, string(l))
	if err != nil {
		return nil, fmt.Errorf("pool of %s: %w", l, err)
	}
	f.pools[l] = &p
	return &p, nil
}

// run plans the accounts of a stage as a sweep would, losses and gains apart.
func (f *forecast) run(ctx context.Context, s situation, next stage, gains bool) error {
	after := ""
	for {
		ids, err := next(ctx, after)
		if err != nil || len(ids) == 0 {
			return err
		}
		after = ids[len(ids)-1]
		ids = slices.DeleteFunc(ids, func(id string) bool { return f.seen[id] })
		err = f.d.planEach(ctx, s, s.now, ids, func(p plan) error {
			if p.loses() == gains {
				return nil
			}
			f.seen[p.write.After.ID] = true
			return f.note(ctx, s, p)
		})
		if err != nil {
			return err
		}
	}
}

// note counts what a plan would do and does it to the pools.
func (f *forecast) note(ctx context.Context, s situation, p plan) error {
	before, after := *p.write.Before, p.write.After
	f.People++
	switch {
	case after.Seat != before.Seat && after.Seat != "":
		f.Gain++
	case after.Seat != before.Seat:
		f.Lose++
	}
	waited := before.LicenseState == store.StateWaiting && before.License == after.License
	switch {
	case after.LicenseState == store.StateWaiting && !waited:
		f.Wait++
	case after.LicenseState == store.StateBlocked:
		f.Blocked++
	}
	if len(Evaluate(s.company, after).Others) > len(Evaluate(s.company, before).Others) {
		f.Conflicts++
	}
	if holdingOf(before.Decision) != holdingOf(after.Decision) && len(f.Shifts) < shown {
		f.Shifts = append(f.Shifts, Shift{
			Account: after.ID, UserName: after.UserName, Display: after.Display, From: License(before.Effective), To: License(after.Effective),
			State: after.LicenseState, Reason: Reason(after.LicenseReason),
		})
	}
	for _, at := range []struct {
		account store.Account
		by      int
	}{{before, -1}, {after, 1}} {
		if a := at.account; a.Seat != "" {
			pool, err := f.pool(ctx, s.company.ID, License(a.Seat))
			if err != nil {
				return err
			}
			pool.Used += at.by
			if a.SeatState == store.StateHeld {
				pool.Held += at.by
			}
			giveUp(pool)
		}
		if a := at.account; a.LicenseState == store.StateWaiting {
			pool, err := f.pool(ctx, s.company.ID, License(a.License))
			if err != nil {
				return err
			}
			pool.Waiting += at.by
		}
	}
	return nil
}

// giveUp takes held seats away that somebody else has got, and lets the pool grow where it may.
func giveUp(p *store.Pool) {
	if over := min(p.Used-p.Total, p.Held); over > 0 {
		p.Used, p.Held = p.Used-over, p.Held-over
	}
	p.Total = max(p.Total, min(p.Used, p.Ceiling))
}

// serve gives the seats that came free to those who wait already.
func (f *forecast) serve() {
	for _, p := range f.pools {
		n := max(0, min(p.Waiting, limit(*p)-inUse(*p)))
		p.Waiting, p.Used = p.Waiting-n, p.Used+n
		giveUp(p)
		f.FromQueue += n
	}
}
