package sqlite

import (
	"context"
	"strings"
	"time"

	"usher/store"
)

// OpenSession implements [store.Sessions].
func (s *Store) OpenSession(ctx context.Context, o store.SessionOpening) (store.Account, error) {
	events, err := prepareEvents(o.Events)
	if err != nil {
		return store.Account{}, err
	}
	co, err := s.mustNumberOf(o.Session.Company)
	if err != nil {
		return store.Account{}, err
	}
	var w *accountWrite
	if o.Write != nil {
		if w, err = s.prepareWrite(*o.Write); err != nil {
			return store.Account{}, err
		}
	}
	err = s.write(ctx, func(t *tx) error {
		pk, err := t.mayOpen(co, o)
		if err != nil {
			return err
		}
		if w != nil {
			if err := w.run(t); err != nil {
				return err
			}
		}
		if err := t.insertSession(co, pk, o.Session); err != nil {
			return err
		}
		return t.log(co, events)
	})
	if err != nil {
		return store.Account{}, err
	}
	if w != nil {
		return w.stored, nil
	}
	return o.Account, nil
}

// mayOpen holds what a person was let in by against what is stored, and gives the pk of the account.
func (t *tx) mayOpen(co int64, o store.SessionOpening) (pk int64, err error) {
	st, err := t.standing(co, o.Session.Account, o.Account.Version)
	if err != nil {
		return 0, err
	}
	if !o.Fits() {
		return 0, store.ErrVersion
	}
	same, err := t.exists("SELECT 1 FROM companies WHERE co = ? AND epoch = ?", co, o.Session.CompanyEpoch)
	if err == nil && same && o.Session.Connection != "" {
		same, err = t.exists("SELECT 1 FROM connections WHERE co = ? AND id = ? AND epoch = ? AND sign_on_ver = ?",
			co, o.Session.Connection, o.Session.ConnectionEpoch, o.SignOn)
	}
	if err == nil && !same {
		err = store.ErrVersion
	}
	return st.pk, err
}

func (t *tx) insertSession(co, pk int64, a store.Session) error {
	_, err := t.exec(`INSERT INTO sessions (hash, id, co, account, u, conn, sub, sid, aepoch, cepoch, nepoch, addr, agent, created, seen, expires)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		a.Hash[:], a.ID, co, a.Account, pk, optional(a.Connection), optional(a.Subject), optional(a.Provider),
		a.AccountEpoch, a.CompanyEpoch, a.ConnectionEpoch, optional(a.Address), optional(a.Agent), a.Created, a.Seen, a.Expires)
	if err == nil && a.IDToken != "" {
		_, err = t.exec("INSERT INTO session_tokens (hash, id_token, expires) VALUES (?, ?, ?)", a.Hash[:], a.IDToken, a.Expires)
	}
	return conflict(err, "Session.ID", a.ID)
}

// sessionColumns are what scanSession reads.
const sessionColumns = "hash, id, co, account, conn, sub, sid, aepoch, cepoch, nepoch, addr, agent, created, seen, expires"

func (s *Store) scanSession(r *rows) store.Session {
	a := store.Session{
		ID: r.text(1), Company: s.companies.idOf(r.int(2)), Account: r.text(3), Connection: r.text(4), Subject: r.text(5), Provider: r.text(6),
		AccountEpoch: r.int(7), CompanyEpoch: r.int(8), ConnectionEpoch: r.int(9), Address: r.text(10), Agent: r.text(11),
		Created: r.time(12), Seen: r.time(13), Expires: r.time(14),
	}
	copy(a.Hash[:], r.blob(0))
	return a
}

// Session implements [store.Sessions].
func (s *Store) Session(ctx context.Context, hash [32]byte) (found store.Session, err error) {
	err = s.read(ctx, func(c *conn) error {
		ok, err := c.one(func(r *rows) { found = s.scanSession(r) }, "SELECT "+sessionColumns+" FROM sessions WHERE hash = ?", hash[:])
		return orNotFound(ok, err)
	})
	return found, err
}

// Presence implements [store.Sessions].
func (s *Store) Presence(ctx context.Context, hash [32]byte) (found store.Presence, err error) {
	err = s.read(ctx, func(c *conn) error {
		var broken error
		ok, err := c.one(func(r *rows) { found, broken = s.scanPresence(r) },
			`SELECT s.id, s.co, s.account, s.conn, s.aepoch, s.cepoch, s.nepoch, s.created, s.seen, s.expires,
				u.id, u.un, u.display, u.active, u.seat, u.sstate, u.sources, u.member, u.role, u.roles, u.epoch
			FROM sessions s LEFT JOIN users u ON u.pk = s.u AND u.co = s.co AND u.id = s.account WHERE s.hash = ?`, hash[:])
		if err == nil {
			err = broken
		}
		return orNotFound(ok, err)
	})
	found.Session.Hash = hash
	return found, err
}

func (s *Store) scanPresence(r *rows) (store.Presence, error) {
	company := s.companies.idOf(r.int(1))
	p := store.Presence{Session: store.Session{
		ID: r.text(0), Company: company, Account: r.text(2), Connection: r.text(3), AccountEpoch: r.int(4), CompanyEpoch: r.int(5),
		ConnectionEpoch: r.int(6), Created: r.time(7), Seen: r.time(8), Expires: r.time(9),
	}}
	if r.text(10) == "" {
		return p, nil
	}
	sources, err := decodeList[store.Source](r.text(16))
	if err != nil {
		return p, err
	}
	roles, err := decodeList[store.RoleSource](r.text(19))
	p.Account = store.Account{
		ID: r.text(10), Company: company, UserName: r.text(11), Display: r.text(12), Active: r.bool(13),
		Decision: store.Decision{
			Seat: r.text(14), SeatState: r.text(15), Sources: sources, MemberType: r.text(17), Role: r.text(18), RoleSources: roles, Epoch: r.int(20),
		},
	}
	return p, err
}

// TouchSession implements [store.Sessions].
func (s *Store) TouchSession(ctx context.Context, hash [32]byte, seen time.Time) error {
	return s.write(ctx, func(t *tx) error {
		n, err := t.exec("UPDATE sessions SET seen = ? WHERE hash = ?", seen, hash[:])
		return orNotFound(n > 0, err)
	})
}

// ListSessions implements [store.Sessions].
func (s *Store) ListSessions(ctx context.Context, company, account, before string, limit int) (all []store.Session, err error) {
	err = s.readCompany(ctx, company, func(c *conn, co int64) error {
		where, args := "co = ?", []any{co}
		if account != "" {
			where, args = where+" AND account = ?", append(args, account)
		}
		if before != "" {
			where, args = where+" AND id < ?", append(args, before)
		}
		r := c.query("SELECT "+sessionColumns+" FROM sessions WHERE "+where+" ORDER BY id DESC LIMIT ?", append(args, max(limit, 0))...)
		defer r.close()
		for r.next() {
			all = append(all, s.scanSession(r))
		}
		return r.err
	})
	return all, err
}

// EndSession implements [store.Sessions].
func (s *Store) EndSession(ctx context.Context, hash [32]byte, events []store.Event) (ended store.Session, err error) {
	events, err = prepareEvents(events)
	if err != nil {
		return ended, err
	}
	err = s.write(ctx, func(t *tx) error {
		var co int64
		ok, err := t.one(func(r *rows) {
			ended, co = s.scanSession(r), r.int(2)
		}, "SELECT "+sessionColumns+" FROM sessions WHERE hash = ?", hash[:])
		if err := orNotFound(ok, err); err != nil {
			return err
		}
		if _, err := t.one(func(r *rows) { ended.IDToken = r.text(0) }, "SELECT id_token FROM session_tokens WHERE hash = ?", hash[:]); err != nil {
			return err
		}
		if err := t.removeSession(hash); err != nil {
			return err
		}
		return t.log(co, events)
	})
	if err != nil {
		return store.Session{}, err
	}
	return ended, nil
}

// removeSession removes a session, if it is there, with its token.
func (t *tx) removeSession(hash [32]byte) error {
	if _, err := t.exec("DELETE FROM session_tokens WHERE hash = ?", hash[:]); err != nil {
		return err
	}
	_, err := t.exec("DELETE FROM sessions WHERE hash = ?", hash[:])
	return err
}

// EndSessions implements [store.Sessions].
func (s *Store) EndSessions(ctx context.Context, company string, which store.SessionFilter, events []store.Event) (n int, err error) {
	events, err = prepareEvents(events)
	if err != nil || which == (store.SessionFilter{}) {
		return 0, err
	}
	err = s.writeCompany(ctx, company, func(t *tx, co int64) (err error) {
		n, err = t.endSessions(co, which, events)
		return err
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}

// EndSessionsOnce implements [store.Sessions].
func (s *Store) EndSessionsOnce(ctx context.Context, company string, token store.LogoutToken, which store.SessionFilter, events []store.Event) (n int, first bool, err error) {
	events, err = prepareEvents(events)
	if err != nil {
		return 0, false, err
	}
	err = s.writeCompany(ctx, company, func(t *tx, co int64) error {
		noted, err := t.exec("INSERT OR IGNORE INTO logout_tokens (conn, id, expires) VALUES (?, ?, ?)", token.Connection, token.ID, token.Expires)
		if first = noted > 0; err != nil || !first || which == (store.SessionFilter{}) {
			return err
		}
		n, err = t.endSessions(co, which, events)
		return err
	})
	if err != nil {
		return 0, false, err
	}
	return n, first, nil
}

func (t *tx) endSessions(co int64, which store.SessionFilter, events []store.Event) (int, error) {
	where, args := []string{"co = ?"}, []any{co}
	if which.ID == "" && which.Account == "" {
		where[0] = "+co = ?" // the connection finds them; the company would find all of it
	}
	for _, f := range []struct{ column, value string }{
		{"id", which.ID}, {"account", which.Account}, {"conn", which.Connection}, {"sub", which.Subject},
	} {
		if f.value != "" {
			where, args = append(where, f.column+" = ?"), append(args, f.value)
		}
	}
	switch {
	case which.Provider != "" && which.Subject != "":
		where, args = append(where, "(sid = ? OR sid IS NULL)"), append(args, which.Provider)
	case which.Provider != "":
		where, args = append(where, "sid = ?"), append(args, which.Provider)
	}
	these := strings.Join(where, " AND ")
	if _, err := t.exec("DELETE FROM session_tokens WHERE hash IN (SELECT hash FROM sessions WHERE "+these+")", args...); err != nil {
		return 0, err
	}
	n, err := t.exec("DELETE FROM sessions WHERE "+these, args...)
	if err != nil || n == 0 {
		return 0, err
	}
	return int(n), t.log(co, events)
}

// DropSessions implements [store.Sessions].
func (s *Store) DropSessions(ctx context.Context, before time.Time) (n int, err error) {
	err = s.write(ctx, func(t *tx) error {
		if _, err := t.exec("DELETE FROM session_tokens WHERE expires < ?", before); err != nil {
			return err
		}
		dropped, err := t.exec("DELETE FROM sessions WHERE expires < ?", before)
		n = int(dropped)
		return err
	})
	return n, err
}
