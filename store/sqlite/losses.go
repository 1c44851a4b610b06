package sqlite

import (
	"context"
	"time"

	"usher/store"
)

const (
	// keepLosses is how long losses are kept to be counted.
	keepLosses = 24 * time.Hour
	// cleanEvery is for how many accounts' losses old ones are looked for once.
	cleanEvery = 64
)

// lose notes that a connection takes something away from the account with the pk.
func (t *tx) lose(co, pk int64, connection string, at time.Time) error {
	if connection == "" {
		return nil
	}
	if pk%cleanEvery == 0 {
		if _, err := t.exec("DELETE FROM losses WHERE co = ? AND conn = ? AND at < ?", co, connection, at.Add(-keepLosses)); err != nil {
			return err
		}
	}
	_, err := t.exec("INSERT OR IGNORE INTO losses (co, conn, at, u) VALUES (?, ?, ?, ?)", co, connection, at, pk)
	return err
}

// CountLosses implements [store.Connections].
func (s *Store) CountLosses(ctx context.Context, company, connection string, since time.Time, limit int) (n int, err error) {
	err = s.readCompany(ctx, company, func(c *conn, co int64) error {
		counted, err := c.integer("SELECT count(*) FROM (SELECT 1 FROM losses WHERE co = ? AND conn = ? AND at >= ? LIMIT ?)",
			co, connection, since, max(limit, 0))
		n = int(counted)
		return err
	})
	return n, err
}

// SetBreaker implements [store.Connections].
func (s *Store) SetBreaker(ctx context.Context, c store.Connection, was string, events []store.Event) error {
	events, err := prepareEvents(events)
	if err != nil {
		return err
	}
	defer s.connections.forget(c.ID)
	return s.writeCompany(ctx, c.Company, func(t *tx, co int64) error {
		n, err := t.exec("UPDATE connections SET breaker = ?, breaker_since = ? WHERE co = ? AND id = ? AND ifnull(breaker, '') = ?",
			optional(c.Breaker), c.BreakerSince, co, c.ID, was)
		if err != nil {
			return err
		}
		if n == 0 {
			found, err := t.exists("SELECT 1 FROM connections WHERE co = ? AND id = ?", co, c.ID)
			if err == nil && found {
				return store.ErrVersion
			}
			return orNotFound(found, err)
		}
		return t.log(co, events)
	})
}
