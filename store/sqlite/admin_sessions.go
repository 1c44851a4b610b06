package sqlite

import (
	"context"
	"time"

	"usher/store"
)

// CreateAdminSession implements [store.AdminSessions].
func (s *Store) CreateAdminSession(ctx context.Context, a store.AdminSession, events []store.Event) error {
	events, err := prepareEvents(events)
	if err != nil {
		return err
	}
	return s.writeCompany(ctx, a.Company, func(t *tx, co int64) error {
		if _, err := t.exec("INSERT INTO admin_sessions (hash, id, co, kind, admin, credential, created, seen, expires) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
			a.Hash[:], a.ID, co, a.Kind, a.Admin, a.Credential[:], a.Created, a.Seen, a.Expires); err != nil {
			return conflict(err, "AdminSession.ID", a.ID)
		}
		return t.log(co, events)
	})
}

// AdminSession implements [store.AdminSessions].
func (s *Store) AdminSession(ctx context.Context, hash [32]byte) (found store.AdminSession, err error) {
	err = s.read(ctx, func(c *conn) error {
		found, err = first(s.selectAdminSessions(c, "hash = ?", hash[:]))
		return err
	})
	return found, err
}

// TouchAdminSession implements [store.AdminSessions].
func (s *Store) TouchAdminSession(ctx context.Context, hash [32]byte, seen time.Time) error {
	return s.write(ctx, func(t *tx) error {
		n, err := t.exec("UPDATE admin_sessions SET seen = ? WHERE hash = ?", seen, hash[:])
		return orNotFound(n > 0, err)
	})
}

// ListAdminSessions implements [store.AdminSessions].
func (s *Store) ListAdminSessions(ctx context.Context, company string) (all []store.AdminSession, err error) {
	err = s.readCompany(ctx, company, func(c *conn, co int64) error {
		all, err = s.selectAdminSessions(c, "co = ?", co)
		return err
	})
	return all, err
}

func (s *Store) selectAdminSessions(c *conn, where string, args ...any) ([]store.AdminSession, error) {
	var all []store.AdminSession
	r := c.query("SELECT hash, id, co, kind, admin, credential, created, seen, expires FROM admin_sessions WHERE "+where+" ORDER BY pk", args...)
	defer r.close()
	for r.next() {
		a := store.AdminSession{
			ID: r.text(1), Company: s.companies.idOf(r.int(2)), Kind: r.text(3), Admin: r.text(4), Created: r.time(6), Seen: r.time(7), Expires: r.time(8),
		}
		copy(a.Hash[:], r.blob(0))
		copy(a.Credential[:], r.blob(5))
		all = append(all, a)
	}
	return all, r.err
}

// DeleteAdminSession implements [store.AdminSessions].
func (s *Store) DeleteAdminSession(ctx context.Context, company, id string, events []store.Event) error {
	events, err := prepareEvents(events)
	if err != nil {
		return err
	}
	return s.writeCompany(ctx, company, func(t *tx, co int64) error {
		n, err := t.exec("DELETE FROM admin_sessions WHERE co = ? AND id = ?", co, id)
		if err := orNotFound(n > 0, err); err != nil {
			return err
		}
		return t.log(co, events)
	})
}

// DropAdminSessions implements [store.AdminSessions].
func (s *Store) DropAdminSessions(ctx context.Context, seen, expires time.Time) (n int, err error) {
	err = s.write(ctx, func(t *tx) error {
		dropped, err := t.exec("DELETE FROM admin_sessions WHERE seen < ? OR expires < ?", seen, expires)
		n = int(dropped)
		return err
	})
	return n, err
}
