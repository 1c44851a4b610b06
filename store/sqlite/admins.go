package sqlite

import (
	"context"

	"usher/store"
)

// PutLocalAdmin implements [store.Companies].
func (s *Store) PutLocalAdmin(ctx context.Context, c store.Company, a store.LocalAdmin, events []store.Event) error {
	return s.changeAdmins(ctx, c, events, func(t *tx, co int64) error {
		taken, err := t.exists("SELECT 1 FROM local_admins WHERE co = ? AND login = ? AND id <> ?", co, a.Login, a.ID)
		if err != nil {
			return err
		}
		if taken {
			return &store.ConflictError{Field: "LocalAdmin.Login", Value: a.Login}
		}
		n, err := t.exec("UPDATE local_admins SET login = ?, password = ?, role = ? WHERE co = ? AND id = ?", a.Login, a.Password, optional(a.Role), co, a.ID)
		if err != nil || n > 0 {
			return err
		}
		return t.insertAdmin(co, a)
	})
}

func (t *tx) insertAdmin(co int64, a store.LocalAdmin) error {
	_, err := t.exec("INSERT INTO local_admins (id, co, login, password, role, created) VALUES (?, ?, ?, ?, ?, ?)",
		a.ID, co, a.Login, a.Password, optional(a.Role), a.Created)
	return conflict(err, "LocalAdmin.ID", a.ID)
}

// DeleteLocalAdmin implements [store.Companies].
func (s *Store) DeleteLocalAdmin(ctx context.Context, c store.Company, id string, events []store.Event) error {
	return s.changeAdmins(ctx, c, events, func(t *tx, co int64) error {
		n, err := t.exec("DELETE FROM local_admins WHERE co = ? AND id = ?", co, id)
		return orNotFound(n > 0, err)
	})
}

// changeAdmins makes a change of a company's admins if the company is at the version.
func (s *Store) changeAdmins(ctx context.Context, c store.Company, events []store.Event, change func(t *tx, co int64) error) error {
	events, err := prepareEvents(events)
	if err != nil {
		return err
	}
	err = s.writeCompany(ctx, c.ID, func(t *tx, co int64) error {
		n, err := t.exec("UPDATE companies SET ver = ver + 1 WHERE co = ? AND ver = ?", co, c.Version)
		if err != nil {
			return err
		}
		if n == 0 {
			return store.ErrVersion
		}
		if err := change(t, co); err != nil {
			return err
		}
		return t.log(co, events)
	})
	if err == nil {
		s.companies.moved(c.ID, c.Version+1)
	}
	return err
}
