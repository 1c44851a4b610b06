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
		ok, err := t.one(func(r *rows) { found = s.scanSignIn(r) }, "SELECT "+signInColumns+" FROM sign_ins WHERE state = ?", one.State[:])
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

// signInColumns are what scanSignIn reads.
const signInColumns = "state, browser, co, conn, ver, nonce, verifier, ret, test, created, used, session"

func (s *Store) scanSignIn(r *rows) store.SignIn {
	i := store.SignIn{
		Company: s.companies.idOf(r.int(2)), Connection: r.text(3), SignOn: r.int(4), Nonce: r.text(5), Verifier: r.text(6),
		Return: r.text(7), Test: r.bool(8), Created: r.time(9), Used: r.time(10),
	}
	copy(i.State[:], r.blob(0))
	copy(i.Browser[:], r.blob(1))
	copy(i.Session[:], r.blob(11))
	return i
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
