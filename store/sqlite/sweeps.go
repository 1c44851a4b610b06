package sqlite

import (
	"context"
	"time"

	"usher/store"
)

// because stores what hangs on a fact in the fact's own transaction: the sweep that carries it out, if any, and its events.
func (t *tx) because(co int64, sweep *store.Sweep, events []store.Event) error {
	if w := sweep; w != nil {
		if _, err := t.exec(`INSERT INTO sweeps (id, co, cause, cursor, actor_kind, actor_id, door, request, created, holder, until)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			w.ID, co, optional(w.Cause), optional(w.Cursor), optional(w.Actor.Kind), optional(w.Actor.ID), optional(w.Door), optional(w.Request),
			w.Created, optional(w.Holder), w.Until); err != nil {
			return conflict(err, "Sweep.ID", w.ID)
		}
	}
	return t.log(co, events)
}

// endLeases ends the leases of all sweeps: the folder is locked for this process, so whoever held them is gone.
func endLeases(c *conn) error {
	_, err := c.exec("UPDATE sweeps SET holder = NULL, until = NULL WHERE holder IS NOT NULL")
	return err
}

// ListSweeps implements [store.Sweeps].
func (s *Store) ListSweeps(ctx context.Context) ([]store.Sweep, error) {
	var sweeps []store.Sweep
	err := s.read(ctx, func(c *conn) error {
		r := c.query("SELECT id, co, cause, cursor, actor_kind, actor_id, door, request, created, holder, until FROM sweeps ORDER BY created, pk")
		defer r.close()
		for r.next() {
			sweeps = append(sweeps, store.Sweep{
				ID: r.text(0), Company: s.companies.idOf(r.int(1)), Cause: r.text(2), Cursor: r.text(3), Actor: store.Actor{Kind: r.text(4), ID: r.text(5)},
				Door: r.text(6), Request: r.text(7), Created: r.time(8), Holder: r.text(9), Until: r.time(10),
			})
		}
		return r.err
	})
	return sweeps, err
}

// LeaseSweep implements [store.Sweeps].
func (s *Store) LeaseSweep(ctx context.Context, id, holder string, now, until time.Time) (leased bool, err error) {
	err = s.write(ctx, func(t *tx) error {
		n, err := t.exec("UPDATE sweeps SET holder = ?, until = ? WHERE id = ? AND (holder IS NULL OR holder = ? OR until IS NULL OR until <= ?)",
			optional(holder), until, id, holder, now.UnixMilli())
		if err != nil || n > 0 {
			leased = n > 0
			return err
		}
		found, err := t.exists("SELECT 1 FROM sweeps WHERE id = ?", id)
		return orNotFound(found, err)
	})
	return leased && err == nil, err
}

// MoveSweep implements [store.Sweeps].
func (s *Store) MoveSweep(ctx context.Context, id, cursor string) error {
	return s.write(ctx, func(t *tx) error {
		n, err := t.exec("UPDATE sweeps SET cursor = ? WHERE id = ?", optional(cursor), id)
		return orNotFound(n > 0, err)
	})
}

// EndSweep implements [store.Sweeps].
func (s *Store) EndSweep(ctx context.Context, id string) error {
	return s.write(ctx, func(t *tx) error {
		_, err := t.exec("DELETE FROM sweeps WHERE id = ?", id)
		return err
	})
}
