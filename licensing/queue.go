package licensing

import (
	"context"
	"errors"
	"fmt"

	"usher/store"
)

// chunk is how many accounts are written together where many change; between chunks others get their turn.
const chunk = 200

// bySystem makes what follows from a change by itself a change of usher's own, under the same request.
func bySystem(c Change, who string) Change {
	return Change{Company: c.Company, Actor: store.Actor{Kind: "system", ID: who}, Door: DoorSystem, Request: c.Request, MayAssign: true}
}

// serve gives the free seats of the pools to those who wait for them, in turn, until there is no seat or nobody waits.
func (d *Directory) serve(ctx context.Context, c Change, pools ...License) error {
	// What was written stays written; what follows from it does not depend on whether the client still listens.
	ctx = context.WithoutCancel(ctx)
	for len(pools) > 0 {
		l := pools[0]
		pools = pools[1:]
		if l == NoLicense {
			continue
		}
		freed, err := d.serveQueue(ctx, bySystem(c, "queue"), l)
		if err != nil {
			return fmt.Errorf("queue for %s: %w", l, err)
		}
		pools = append(pools, freed...) // seats that those who swapped have given back
	}
	return nil
}

// serveQueue serves one queue and gives the licenses whose seats came free by it. One does so at a time, so that no more held seats
// are given up than are needed.
func (d *Directory) serveQueue(ctx context.Context, c Change, l License) (freed []License, err error) {
	defer d.turn("queue " + c.Company + " " + string(l))()
	// Rounds in which nothing moved mean that others are changing the same accounts; their own Apply serves the queue then.
	for stuck := 0; stuck < attempts; {
		company, err := d.store.Company(ctx, c.Company)
		if err != nil {
			return freed, err
		}
		pool, err := d.store.Pool(ctx, c.Company, string(l))
		if err != nil {
			return freed, err
		}
		if pool.Waiting == 0 || unpaid(company) {
			return freed, nil
		}
		moved := 0
		switch free := pool.Total - pool.Used; {
		case free > 0:
			var given []License
			moved, given, err = d.grant(ctx, c, l, min(free, chunk))
			freed = append(freed, given...)
		case pool.Held > 0 && inUse(pool) < pool.Total:
			moved, err = d.reclaim(ctx, c, l)
		case limit(pool) > max(pool.Total, pool.Used):
			var raised bool
			if raised, err = d.raise(ctx, c, pool, pool.Waiting); raised {
				moved = 1
			}
		default:
			return freed, nil
		}
		if err != nil {
			return freed, err
		}
		if moved == 0 {
			stuck++
		} else {
			stuck = 0
		}
	}
	return freed, nil
}

// grant gives seats to the first n in the queue and says how many got one.
func (d *Directory) grant(ctx context.Context, c Change, l License, n int) (int, []License, error) {
	s, err := d.situation(ctx, c)
	if err != nil {
		return 0, nil, err
	}
	s.inTurn = true
	waiting, err := d.store.Queue(ctx, c.Company, string(l), n)
	if err != nil {
		return 0, nil, err
	}
	return d.rewrite(ctx, s, waiting)
}

// reclaim gives up the longest held seat of a pool and says how many it was.
func (d *Directory) reclaim(ctx context.Context, c Change, l License) (int, error) {
	s, err := d.situation(ctx, c)
	if err != nil {
		return 0, err
	}
	s.yields = true
	held, err := d.store.HeldSeats(ctx, c.Company, string(l), 1)
	if err != nil {
		return 0, err
	}
	moved, _, err := d.rewrite(ctx, s, held)
	return moved, err
}

// makeRoom gives up a held seat, or adds one, for a write that found the pool full; where that cannot be, the next plan refuses the write.
func (d *Directory) makeRoom(ctx context.Context, c Change, l License) error {
	defer d.turn("queue " + c.Company + " " + string(l))()
	pool, err := d.store.Pool(ctx, c.Company, string(l))
	if err != nil || pool.Used < pool.Total {
		return err
	}
	moved, err := d.reclaim(ctx, bySystem(c, "queue"), l)
	if err != nil || moved > 0 {
		return err
	}
	_, err = d.raise(ctx, c, pool, 1)
	return err
}

// rewrite plans the accounts anew as they stand and writes what comes out, each by itself. It says how many were written, and the
// licenses whose seats came free. Accounts that changed meanwhile are passed over.
func (d *Directory) rewrite(ctx context.Context, s situation, accounts []store.Account) (written int, freed []License, err error) {
	var plans []plan
	for i := range accounts {
		p, err := makePlan(s, &accounts[i], accounts[i])
		if err != nil {
			return 0, nil, err
		}
		if p.changed {
			plans = append(plans, p)
		}
	}
	done, freed, err := d.writeAll(ctx, plans)
	return len(done), freed, err
}

// writeAll writes plans, each by itself, and gives the indexes of those written and the licenses whose seats came free.
func (d *Directory) writeAll(ctx context.Context, plans []plan) (written []int, freed []License, err error) {
	if len(plans) == 0 {
		return nil, nil, nil
	}
	writes := make([]store.AccountWrite, len(plans))
	for i, p := range plans {
		writes[i] = p.write
	}
	for i, r := range d.store.WriteAccounts(ctx, writes) {
		switch {
		case r.Err == nil:
			d.uninvite(ctx, plans[i].write.Before, r.Account)
			written = append(written, i)
			freed = append(freed, plans[i].frees...)
		case errors.Is(r.Err, store.ErrVersion), errors.Is(r.Err, store.ErrNoSeat), errors.Is(r.Err, store.ErrNotFound):
		default:
			return written, freed, r.Err
		}
	}
	return written, freed, nil
}
