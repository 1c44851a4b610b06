package storetest

import (
	"context"
	"encoding/hex"
	"time"

	"usher/store"
)

// logoutRow is a logout token that was noted. Until it is done the sessions may not have ended: who repeats it ends them.
type logoutRow struct {
	expires time.Time
	done    bool
}

// BeginSignIn implements [store.SignIns].
func (m *Map) BeginSignIn(ctx context.Context, s store.SignIn) error {
	end, err := m.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	if _, err := m.company(s.Company); err != nil {
		return err
	}
	if !m.signIns.insert(hex.EncodeToString(s.State[:]), s) {
		return &store.ConflictError{Field: "SignIn.State"}
	}
	return nil
}

// TakeSignIn implements [store.SignIns].
func (m *Map) TakeSignIn(ctx context.Context, one store.SignIn, at time.Time) (store.SignIn, error) {
	end, err := m.begin(ctx)
	if err != nil {
		return store.SignIn{}, err
	}
	defer end()
	var taken store.SignIn
	err = m.signIns.update(hex.EncodeToString(one.State[:]), func(old store.SignIn) (store.SignIn, error) {
		taken = old
		if old.Used.IsZero() && old.Fits(one) {
			old.Used = at
		}
		return old, nil
	})
	if err != nil {
		return store.SignIn{}, err
	}
	return taken, nil
}

// DropSignIns implements [store.SignIns].
func (m *Map) DropSignIns(ctx context.Context, before time.Time) (int, error) {
	end, err := m.begin(ctx)
	if err != nil {
		return 0, err
	}
	defer end()
	dropped := 0
	for _, k := range m.signIns.keys() {
		if s, revision, ok := m.signIns.get(k); ok && s.Created.Before(before) && m.signIns.remove(k, revision) {
			dropped++
		}
	}
	for _, k := range m.logouts.keys() {
		if l, revision, ok := m.logouts.get(k); ok && l.expires.Before(before) && m.logouts.remove(k, revision) {
			dropped++
		}
	}
	return dropped, nil
}
