package sqlite

import (
	"context"
	"time"

	"usher/store"
)

// BeginSignIn implements [store.SignIns].
func (s *Store) BeginSignIn(ctx context.Context, i store.SignIn) error {
	return s.writeCompany(ctx, i.Company, func(t *tx, co int64) error {
		_, err := t.exec("INSERT INTO sign_ins (state, browser, co, conn, ver, nonce, verifier, ret, test, created, session) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
			i.State[:], i.Browser[:], co, i.Connection, i.SignOn, i.Nonce, i.Verifier, optional(i.Return), i.Test, i.Created, i.Session[:])
		return conflict(err, "SignIn.State", "")
	})
}

// TakeSignIn implements [store.SignIns].
func (s *Store) TakeSignIn(ctx context.Context, one store.SignIn, at time.Time) (found store.SignIn, err error) {
	err = s.write(ctx, func(t *tx) error {
		ok, err := t.one(func(r *rows) {
			found = store.SignIn{
				State: one.State, Company: s.companies.idOf(r.int(1)), Connection: r.text(2), SignOn: r.int(3), Nonce: r.text(4), Verifier: r.text(5),
				Return: r.text(6), Test: r.bool(7), Created: r.time(8), Used: r.time(9),
			}
			copy(found.Browser[:], r.blob(0))
			copy(found.Session[:], r.blob(10))
		}, "SELECT browser, co, conn, ver, nonce, verifier, ret, test, created, used, session FROM sign_ins WHERE state = ?", one.State[:])
		if err := orNotFound(ok, err); err != nil || !found.Used.IsZero() || !found.Fits(one) {
			return err
		}
		_, err = t.exec("UPDATE sign_ins SET used = ? WHERE state = ?", at, one.State[:])
		return err
	})
	if err != nil {
		return store.SignIn{}, err
	}
	return found, nil
}

// DropSignIns implements [store.SignIns].
func (s *Store) DropSignIns(ctx context.Context, before time.Time) (n int, err error) {
	err = s.write(ctx, func(t *tx) error {
		begun, err := t.exec("DELETE FROM sign_ins WHERE created < ?", before)
		if err != nil {
			return err
		}
		used, err := t.exec("DELETE FROM logout_tokens WHERE expires < ?", before)
		n = int(begun + used)
		return err
	})
	return n, err
}
