package licensing

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"usher/store"
)

// Actions of the events of pools.
const (
	ActionSetSeats   = "pool.set-seats"
	ActionSetCeiling = "pool.set-ceiling"
)

func (d *Directory) setSeats(ctx context.Context, c Change, do SetSeats) (Result, error) {
	if err := checkSeats(do.License, do.Total); err != nil {
		return Result{}, err
	}
	if _, err := d.store.Company(ctx, c.Company); err != nil {
		return Result{}, fmt.Errorf("company %s: %w", c.Company, err)
	}
	was, err := d.store.Pool(ctx, c.Company, string(do.License))
	if err != nil {
		return Result{}, fmt.Errorf("pool of %s: %w", do.License, err)
	}
	if do.Total < was.Used && do.Total < was.Total && !do.OverAssign {
		return Result{}, refuse(OverAssigned, "%d seats of %s are in use, so there cannot be %d unless it is said that this is meant.", was.Used, do.License.Name(), do.Total)
	}
	event := newEvent(c, d.now(), store.EventPool, ActionSetSeats, string(do.License), struct {
		Total int `json:"total"`
		Was   int `json:"was"`
	}{do.Total, was.Total})
	if err := d.store.SetSeats(ctx, c.Company, string(do.License), do.Total, []store.Event{event}); err != nil {
		return Result{}, err
	}
	d.attend(ctx, c, do.License)
	return Result{Changed: true}, nil
}

func (d *Directory) setCeiling(ctx context.Context, c Change, do SetCeiling) (Result, error) {
	if err := checkSeats(do.License, do.Ceiling); err != nil {
		return Result{}, err
	}
	was, err := d.store.Pool(ctx, c.Company, string(do.License))
	if err != nil {
		return Result{}, fmt.Errorf("pool of %s: %w", do.License, err)
	}
	event := newEvent(c, d.now(), store.EventPool, ActionSetCeiling, string(do.License), struct {
		Ceiling int `json:"ceiling"`
		Was     int `json:"was"`
	}{do.Ceiling, was.Ceiling})
	if err := d.store.SetCeiling(ctx, c.Company, string(do.License), do.Ceiling, []store.Event{event}); err != nil {
		return Result{}, err
	}
	d.attend(ctx, c, do.License)
	return Result{Changed: true}, nil
}

// limit is how many seats a pool can come to have by itself.
func limit(p store.Pool) int { return max(p.Total, p.Ceiling) }

// raise adds seats to a pool for n more people, as far as its ceiling lets it. It says whether there is a free seat now; who else
// changes the total at the same time has the first word.
func (d *Directory) raise(ctx context.Context, c Change, p store.Pool, n int) (bool, error) {
	to := min(p.Ceiling, max(p.Used, p.Total)+n)
	if to <= p.Total || to <= p.Used {
		return false, nil
	}
	event := newEvent(bySystem(c, "overage"), d.now(), store.EventPool, ActionSetSeats, p.License, struct {
		Total   int  `json:"total"`
		Overage bool `json:"overage"`
	}{to, true})
	err := d.store.RaiseSeats(ctx, c.Company, p.License, p.Total, to, []store.Event{event})
	if errors.Is(err, store.ErrVersion) {
		return false, nil
	}
	return err == nil, err
}

func checkSeats(l License, total int) error {
	switch {
	case !l.Paid():
		return refuse(NotAPaidLicense, "%s has no seats; paid licenses are ringex and video-pro-plus.", l.Name())
	case total < 0:
		return refuse(NegativeSeats, "A pool cannot have %d seats.", total)
	}
	return nil
}

// Resume finishes what a process that ended had begun: open sweeps, and queues beside free seats. Run it at start.
func (d *Directory) Resume(ctx context.Context) error {
	return errors.Join(d.ResumeSweeps(ctx), d.eachPool(ctx, func(c Change, p store.Pool) error {
		return d.serve(ctx, c, License(p.License))
	}))
}

// ResumeSweeps carries out the open sweeps that no process is at. It is cheap where there are none.
func (d *Directory) ResumeSweeps(ctx context.Context) error {
	sweeps, err := d.store.ListSweeps(ctx)
	if err != nil {
		return fmt.Errorf("open sweeps: %w", err)
	}
	var failed []error
	for _, sweep := range sweeps {
		failed = append(failed, d.resumeSweep(ctx, sweep))
	}
	return errors.Join(failed...)
}

// Maintain does what falls due by time: seats held for too long are freed, times of grace and assignments end, old tombstones are dropped, sweeps that
// another process left open are taken over. Run it every minute or so.
func (d *Directory) Maintain(ctx context.Context) error {
	_, err := d.store.DropTombstones(ctx, d.now().Add(-tombstoneFor))
	return errors.Join(err, d.eachCompany(ctx, d.endGrace), d.eachCompany(ctx, d.endAssignments), d.Resume(ctx), d.eachPool(ctx, func(c Change, p store.Pool) error {
		if p.Held == 0 {
			return nil
		}
		return d.endHolds(ctx, c, License(p.License))
	}))
}

// endHolds gives up the seats of a pool that were held for as long as the company holds them.
func (d *Directory) endHolds(ctx context.Context, c Change, l License) error {
	s, err := d.situation(ctx, bySystem(c, "holds"))
	if err != nil {
		return err
	}
	s.yields = true
	due := s.now.Add(-s.company.HoldFor)
	for {
		held, err := d.store.HeldSeats(ctx, c.Company, string(l), chunk)
		if err != nil {
			return err
		}
		held = slices.DeleteFunc(held, func(a store.Account) bool { return a.SeatSince.After(due) })
		written, _, err := d.rewrite(ctx, s, held)
		if err != nil || written == 0 {
			return err
		}
	}
}

// eachPool calls f for every pool of every company, also after a failure.
func (d *Directory) eachPool(ctx context.Context, f func(Change, store.Pool) error) error {
	return d.eachCompany(ctx, func(ctx context.Context, company string) error {
		pools, err := d.store.ListPools(ctx, company)
		if err != nil {
			return fmt.Errorf("pools of %s: %w", company, err)
		}
		var failed []error
		for _, p := range pools {
			failed = append(failed, f(bySystem(Change{Company: company}, "maintenance"), p))
		}
		return errors.Join(failed...)
	})
}

// eachCompany calls f for every company, also after a failure.
func (d *Directory) eachCompany(ctx context.Context, f func(ctx context.Context, company string) error) error {
	companies, err := d.store.ListCompanies(ctx)
	if err != nil {
		return fmt.Errorf("companies: %w", err)
	}
	var failed []error
	for _, company := range companies {
		failed = append(failed, f(ctx, company.ID))
	}
	return errors.Join(failed...)
}
