package sqlite

import (
	"context"

	"usher/store"
)

// seatFree says whether the pool has a seat left.
func (t *tx) seatFree(co int64, sku string) (bool, error) {
	return t.exists("SELECT 1 FROM pools WHERE co = ? AND sku = ? AND reserved + active + held < total", co, sku)
}

// reseat moves an account from the seat that it stands in to the one of after.
func (t *tx) reseat(co int64, st standing, after store.Account) error {
	if after.Seat == st.seat {
		if after.Seat == "" || after.SeatState == st.seatState && after.SeatSince.UnixMilli() == st.seatSince {
			return nil
		}
		_, err := t.exec("UPDATE seats SET state = ?, since = ? WHERE co = ? AND sku = ? AND u = ?",
			after.SeatState, after.SeatSince, co, after.Seat, st.pk)
		return err
	}
	if after.Seat != "" {
		if _, err := t.exec("INSERT INTO seats (co, sku, u, state, since) VALUES (?, ?, ?, ?, ?)",
			co, after.Seat, st.pk, after.SeatState, after.SeatSince); err != nil {
			return err
		}
	}
	if st.seat == "" {
		return nil
	}
	_, err := t.exec("DELETE FROM seats WHERE co = ? AND sku = ? AND u = ?", co, st.seat, st.pk)
	return err
}

// requeue moves an account from one place in the queue to another; nil stands for none.
func (t *tx) requeue(co, pk int64, id string, from, to *place) error {
	if from == to || from != nil && to != nil && *from == *to {
		return nil
	}
	if from != nil {
		if _, err := t.exec("DELETE FROM waiting WHERE co = ? AND sku = ? AND prio = ? AND since = ? AND id = ?",
			co, from.sku, from.prio, from.at, id); err != nil {
			return err
		}
	}
	if to == nil {
		return nil
	}
	_, err := t.exec("INSERT INTO waiting (co, sku, prio, since, id, u) VALUES (?, ?, ?, ?, ?, ?)", co, to.sku, to.prio, to.at, id, pk)
	return err
}

func (t *tx) setSeats(co int64, sku string, total int) error {
	_, err := t.exec("INSERT INTO pools (co, sku, total) VALUES (?, ?, ?) ON CONFLICT (co, sku) DO UPDATE SET total = excluded.total", co, sku, total)
	return err
}

// SetSeats implements [store.Pools].
func (s *Store) SetSeats(ctx context.Context, company, license string, total int, events []store.Event) error {
	events, err := prepareEvents(events)
	if err != nil {
		return err
	}
	return s.writeCompany(ctx, company, func(t *tx, co int64) error {
		if err := t.setSeats(co, license, total); err != nil {
			return err
		}
		return t.log(co, events)
	})
}

// SetCeiling implements [store.Pools].
func (s *Store) SetCeiling(ctx context.Context, company, license string, ceiling int, events []store.Event) error {
	events, err := prepareEvents(events)
	if err != nil {
		return err
	}
	return s.writeCompany(ctx, company, func(t *tx, co int64) error {
		if _, err := t.exec("INSERT INTO pools (co, sku, ceiling) VALUES (?, ?, ?) ON CONFLICT (co, sku) DO UPDATE SET ceiling = excluded.ceiling",
			co, license, ceiling); err != nil {
			return err
		}
		return t.log(co, events)
	})
}

// RaiseSeats implements [store.Pools].
func (s *Store) RaiseSeats(ctx context.Context, company, license string, from, to int, events []store.Event) error {
	events, err := prepareEvents(events)
	if err != nil {
		return err
	}
	return s.writeCompany(ctx, company, func(t *tx, co int64) error {
		n, err := t.exec("UPDATE pools SET total = ? WHERE co = ? AND sku = ? AND total = ?", to, co, license, from)
		if err != nil {
			return err
		}
		if n == 0 {
			return store.ErrVersion
		}
		return t.log(co, events)
	})
}

// Pool implements [store.Pools].
func (s *Store) Pool(ctx context.Context, company, license string) (store.Pool, error) {
	pools, err := s.selectPools(ctx, company, "sku = ?", license)
	if err != nil {
		return store.Pool{}, err
	}
	if len(pools) == 0 {
		return store.Pool{Company: company, License: license}, nil
	}
	return pools[0], nil
}

// ListPools implements [store.Pools].
func (s *Store) ListPools(ctx context.Context, company string) ([]store.Pool, error) {
	return s.selectPools(ctx, company, "total + reserved + active + held + waiting > 0")
}

func (s *Store) selectPools(ctx context.Context, company, where string, args ...any) ([]store.Pool, error) {
	var pools []store.Pool
	err := s.readCompany(ctx, company, func(c *conn, co int64) error {
		r := c.query("SELECT "+poolColumns+" FROM pools WHERE co = ? AND "+where+" ORDER BY sku", append([]any{co}, args...)...)
		for r.next() {
			pools = append(pools, scanPool(r, company))
		}
		return r.err
	})
	return pools, err
}

// poolColumns are what scanPool reads.
const poolColumns = "sku, total, reserved, active, held, waiting, ceiling"

func scanPool(r *rows, company string) store.Pool {
	p := store.Pool{
		Company: company, License: r.text(0), Total: int(r.int(1)),
		Reserved: int(r.int(2)), Active: int(r.int(3)), Held: int(r.int(4)), Waiting: int(r.int(5)),
		Ceiling: int(r.int(6)),
	}
	p.Used = p.Reserved + p.Active + p.Held
	return p
}

// CountSeats implements [store.Pools].
func (s *Store) CountSeats(ctx context.Context, company, license string) (store.Pool, error) {
	p := store.Pool{Company: company, License: license}
	err := s.readCompany(ctx, company, func(c *conn, co int64) error {
		_, err := c.one(func(r *rows) {
			p.Total, p.Reserved, p.Active, p.Held, p.Waiting = int(r.int(0)), int(r.int(1)), int(r.int(2)), int(r.int(3)), int(r.int(4))
			p.Ceiling = int(r.int(5))
		}, `SELECT (SELECT total FROM pools WHERE co = ?1 AND sku = ?2),
				sum(seat = ?2 AND sstate = 'reserved'), sum(seat = ?2 AND sstate = 'active'), sum(seat = ?2 AND sstate = 'held'),
				sum(license = ?2 AND lstate = 'waiting'), (SELECT ceiling FROM pools WHERE co = ?1 AND sku = ?2)
			FROM users WHERE co = ?1`, co, license)
		p.Used = p.Reserved + p.Active + p.Held
		return err
	})
	return p, err
}

// Queue implements [store.Pools].
func (s *Store) Queue(ctx context.Context, company, license string, limit int) ([]store.Account, error) {
	return s.accountsOfPool(ctx, company, "SELECT "+accountColumns+` FROM waiting w CROSS JOIN users t ON t.pk = w.u
		WHERE w.co = ? AND w.sku = ? ORDER BY w.prio DESC, w.since, w.id LIMIT ?`, license, limit)
}

// Ahead implements [store.Pools].
func (s *Store) Ahead(ctx context.Context, a store.Account) (n int, err error) {
	err = s.readCompany(ctx, a.Company, func(c *conn, co int64) error {
		at := placeOf(a.Decision)
		if at == nil {
			return nil
		}
		ahead, err := c.integer(`SELECT count(*) FROM waiting WHERE co = ?1 AND sku = ?2
			AND (prio > ?3 OR prio = ?3 AND (since < ?4 OR since = ?4 AND id < ?5))`, co, at.sku, at.prio, at.at, a.ID)
		n = int(ahead)
		return err
	})
	return n, err
}

// HeldSeats implements [store.Pools].
func (s *Store) HeldSeats(ctx context.Context, company, license string, limit int) ([]store.Account, error) {
	return s.accountsOfPool(ctx, company, "SELECT "+accountColumns+` FROM seats s CROSS JOIN users t ON t.pk = s.u
		WHERE s.co = ? AND s.sku = ? AND s.state = 'held' ORDER BY s.since, s.u LIMIT ?`, license, limit)
}

func (s *Store) accountsOfPool(ctx context.Context, company, text, license string, limit int) (found []store.Account, err error) {
	err = s.readCompany(ctx, company, func(c *conn, co int64) error {
		found, err = s.selectAccounts(c, company, text, co, license, max(limit, 0))
		return err
	})
	return found, err
}
