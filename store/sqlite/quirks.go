package sqlite

import (
	"context"

	"usher/store"
)

// CountQuirks implements [store.Quirks].
func (s *Store) CountQuirks(ctx context.Context, company string, uses []store.QuirkUse) error {
	return s.writeCompany(ctx, company, func(t *tx, co int64) error {
		for _, u := range uses {
			if _, err := t.exec(`INSERT INTO quirks (co, conn, quirk, n, first, last) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
				ON CONFLICT (co, conn, quirk) DO UPDATE SET n = n + ?4, last = max(last, ?6)`,
				co, u.Connection, u.Quirk, u.Count, u.First, u.Last); err != nil {
				return err
			}
		}
		return nil
	})
}

// ListQuirks implements [store.Quirks].
func (s *Store) ListQuirks(ctx context.Context, company string) ([]store.QuirkUse, error) {
	var all []store.QuirkUse
	err := s.readCompany(ctx, company, func(c *conn, co int64) error {
		r := c.query("SELECT conn, quirk, n, first, last FROM quirks WHERE co = ? ORDER BY conn, quirk", co)
		for r.next() {
			all = append(all, store.QuirkUse{Connection: r.text(0), Quirk: r.text(1), Count: r.int(2), First: r.time(3), Last: r.time(4)})
		}
		return r.err
	})
	return all, err
}
