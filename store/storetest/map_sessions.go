package storetest

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"slices"
	"time"

	"usher/store"
)

// OpenSession implements [store.Sessions]. The account is compared and set first. What is looked at before and changes after that is told by
// the epochs in the session, which is then good for nothing.
func (m *Map) OpenSession(ctx context.Context, o store.SessionOpening) (store.Account, error) {
	if err := m.mayOpen(ctx, o); err != nil {
		return store.Account{}, err
	}
	account := o.Account
	if o.Write != nil {
		var err error
		if account, err = m.WriteAccount(ctx, *o.Write); err != nil {
			return store.Account{}, err
		}
	}
	end, err := m.begin(ctx)
	if err != nil {
		return store.Account{}, err
	}
	defer end()
	if !m.signedIn.create(sessionKey(o.Session.Hash), o.Session, notices(nil, o.Events)) {
		return store.Account{}, &store.ConflictError{Field: "Session.ID", Value: o.Session.ID}
	}
	return account, nil
}

func sessionKey(hash [32]byte) string { return hex.EncodeToString(hash[:]) }

func (m *Map) mayOpen(ctx context.Context, o store.SessionOpening) error {
	s := o.Session
	c, err := m.Company(ctx, s.Company)
	if err != nil {
		return err
	}
	a, err := m.Account(ctx, s.Company, s.Account)
	if err != nil {
		return err
	}
	same := c.Epoch == s.CompanyEpoch && a.Version == o.Account.Version && o.Fits()
	if same && s.Connection != "" {
		n, err := m.Connection(ctx, s.Connection)
		same = err == nil && n.Company == s.Company && n.Epoch == s.ConnectionEpoch && n.SignOn.Version == o.SignOn
	}
	if !same {
		return store.ErrVersion
	}
	return nil
}

// Session implements [store.Sessions].
func (m *Map) Session(ctx context.Context, hash [32]byte) (store.Session, error) {
	end, err := m.begin(ctx)
	if err != nil {
		return store.Session{}, err
	}
	defer end()
	s, err := m.signedIn.read(sessionKey(hash))
	s.IDToken = ""
	return s, err
}

// Presence implements [store.Sessions].
func (m *Map) Presence(ctx context.Context, hash [32]byte) (store.Presence, error) {
	s, err := m.Session(ctx, hash)
	if err != nil {
		return store.Presence{}, err
	}
	a, err := m.Account(ctx, s.Company, s.Account)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return store.Presence{}, err
	}
	return store.PresenceOf(s, a), nil
}

// TouchSession implements [store.Sessions].
func (m *Map) TouchSession(ctx context.Context, hash [32]byte, seen time.Time) error {
	end, err := m.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	return m.signedIn.update(sessionKey(hash), func(old fact[store.Session]) (fact[store.Session], error) {
		if old.gone {
			return old, store.ErrNotFound
		}
		old.value.Seen = seen
		return old, nil
	})
}

// ListSessions implements [store.Sessions].
func (m *Map) ListSessions(ctx context.Context, company, account, before string, limit int) ([]store.Session, error) {
	end, err := m.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	term := listed(company)
	if account != "" {
		term = join("person", company, account)
	}
	all := m.signedIn.readAll(term)
	slices.SortFunc(all, func(a, b store.Session) int {
		return cmp.Or(b.Created.Compare(a.Created), cmp.Compare(b.ID, a.ID))
	})
	if at := slices.IndexFunc(all, func(s store.Session) bool { return s.ID == before }); before != "" {
		all = all[at+1:]
	}
	all = all[:min(max(limit, 0), len(all))]
	for i := range all {
		all[i].IDToken = ""
	}
	return all, nil
}

// EndSession implements [store.Sessions].
func (m *Map) EndSession(ctx context.Context, hash [32]byte, events []store.Event) (store.Session, error) {
	end, err := m.begin(ctx)
	if err != nil {
		return store.Session{}, err
	}
	defer end()
	s, err := m.signedIn.read(sessionKey(hash))
	if err == nil {
		err = m.signedIn.bury(sessionKey(hash), notices(nil, events))
	}
	if err != nil {
		return store.Session{}, err
	}
	return s, nil
}

// EndSessions implements [store.Sessions].
func (m *Map) EndSessions(ctx context.Context, company string, which store.SessionFilter, events []store.Event) (int, error) {
	end, err := m.begin(ctx)
	if err != nil {
		return 0, err
	}
	defer end()
	return m.endSessions(company, which, events), nil
}

// EndSessionsOnce implements [store.Sessions]. The token is noted first and done last, so that a repetition goes on where it broke off.
func (m *Map) EndSessionsOnce(ctx context.Context, company string, token store.LogoutToken, which store.SessionFilter, events []store.Event) (int, bool, error) {
	end, err := m.begin(ctx)
	if err != nil {
		return 0, false, err
	}
	defer end()
	k := join(token.Connection, token.ID)
	if !m.logouts.insert(k, logoutRow{expires: token.Expires}) {
		if row, _, ok := m.logouts.get(k); ok && row.done {
			return 0, false, nil
		}
	}
	n := m.endSessions(company, which, events)
	first := false
	err = m.logouts.update(k, func(old logoutRow) (logoutRow, error) {
		first = !old.done
		old.done = true
		return old, nil
	})
	return n, first, err
}

func (m *Map) endSessions(company string, which store.SessionFilter, events []store.Event) (n int) {
	fits := func(want, is string) bool { return want == "" || want == is }
	for _, s := range m.signedIn.readAll(listed(company)) {
		named := fits(which.ID, s.ID) && fits(which.Account, s.Account) && fits(which.Connection, s.Connection) && fits(which.Subject, s.Subject) &&
			(fits(which.Provider, s.Provider) || which.Subject != "" && s.Provider == "")
		if which == (store.SessionFilter{}) || !named {
			continue
		}
		if m.signedIn.bury(sessionKey(s.Hash), notices(nil, events)) == nil {
			n++
			events = nil
		}
	}
	return n
}

// DropSessions implements [store.Sessions].
func (m *Map) DropSessions(ctx context.Context, before time.Time) (int, error) {
	end, err := m.begin(ctx)
	if err != nil {
		return 0, err
	}
	defer end()
	dropped := 0
	for _, k := range m.signedIn.keys() {
		s, err := m.signedIn.read(k)
		if err == nil && s.Expires.Before(before) && m.signedIn.bury(k, nil) == nil {
			dropped++
		}
	}
	return dropped, nil
}
