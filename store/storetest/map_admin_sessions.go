package storetest

import (
	"cmp"
	"context"
	"encoding/hex"
	"slices"
	"time"

	"usher/store"
)

// CreateAdminSession implements [store.AdminSessions].
func (m *Map) CreateAdminSession(ctx context.Context, s store.AdminSession, events []store.Event) error {
	end, err := m.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	if !m.sessions.create(hex.EncodeToString(s.Hash[:]), s, notices(nil, events)) {
		return &store.ConflictError{Field: "AdminSession.Hash", Value: s.ID}
	}
	return nil
}

// AdminSession implements [store.AdminSessions].
func (m *Map) AdminSession(ctx context.Context, hash [32]byte) (store.AdminSession, error) {
	end, err := m.begin(ctx)
	if err != nil {
		return store.AdminSession{}, err
	}
	defer end()
	return m.sessions.read(hex.EncodeToString(hash[:]))
}

// TouchAdminSession implements [store.AdminSessions].
func (m *Map) TouchAdminSession(ctx context.Context, hash [32]byte, seen time.Time) error {
	end, err := m.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	return m.sessions.update(hex.EncodeToString(hash[:]), func(old fact[store.AdminSession]) (fact[store.AdminSession], error) {
		if old.gone {
			return old, store.ErrNotFound
		}
		old.value.Seen = seen
		return old, nil
	})
}

// ListAdminSessions implements [store.AdminSessions].
func (m *Map) ListAdminSessions(ctx context.Context, company string) ([]store.AdminSession, error) {
	end, err := m.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	all := m.sessions.readAll(listed(company))
	slices.SortFunc(all, func(a, b store.AdminSession) int {
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID))
	})
	return all, nil
}

// DeleteAdminSession implements [store.AdminSessions].
func (m *Map) DeleteAdminSession(ctx context.Context, company, id string, events []store.Event) error {
	end, err := m.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	for _, s := range m.sessions.readAll(listed(company)) {
		if s.ID == id {
			return m.sessions.bury(hex.EncodeToString(s.Hash[:]), notices(nil, events))
		}
	}
	return store.ErrNotFound
}

// DropAdminSessions implements [store.AdminSessions].
func (m *Map) DropAdminSessions(ctx context.Context, seen, expires time.Time) (int, error) {
	end, err := m.begin(ctx)
	if err != nil {
		return 0, err
	}
	defer end()
	dropped := 0
	for _, k := range m.sessions.keys() {
		s, err := m.sessions.read(k)
		if err == nil && (s.Seen.Before(seen) || s.Expires.Before(expires)) && m.sessions.bury(k, nil) == nil {
			dropped++
		}
	}
	return dropped, nil
}
