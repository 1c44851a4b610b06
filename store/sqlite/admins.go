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
		n, err := t.exec("UPDATE local_admins SET login = ?, password = ?, role = ?, totp = ?, totp_step = ? WHERE co = ? AND id = ?",
			a.Login, a.Password, optional(a.Role), optional(a.TOTP), a.TOTPStep, co, a.ID)
		if err != nil || n > 0 {
			return err
		}
		return t.insertAdmin(co, a)
	})
}

func (t *tx) insertAdmin(co int64, a store.LocalAdmin) error {
	_, err := t.exec("INSERT INTO local_admins (id, co, login, password, role, created, totp, totp_step) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
		a.ID, co, a.Login, a.Password, optional(a.Role), a.Created, optional(a.TOTP), a.TOTPStep)
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

// CreateAdminKey implements [store.Companies].
func (s *Store) CreateAdminKey(ctx context.Context, k store.AdminKey, events []store.Event) error {
	events, err := prepareEvents(events)
	if err != nil {
		return err
	}
	return s.writeCompany(ctx, k.Company, func(t *tx, co int64) error {
		if _, err := t.exec("INSERT INTO admin_keys (hash, id, co, admin, created, expires) VALUES (?, ?, ?, ?, ?, ?)",
			k.Hash[:], k.ID, co, k.Admin, k.Created, k.Expires); err != nil {
			return conflict(err, "AdminKey.ID", k.ID)
		}
		return t.log(co, events)
	})
}

// AdminKey implements [store.Companies].
func (s *Store) AdminKey(ctx context.Context, hash [32]byte) (found store.AdminKey, err error) {
	err = s.read(ctx, func(c *conn) error {
		found, err = first(s.selectAdminKeys(c, "hash = ?", hash[:]))
		return err
	})
	return found, err
}

// ListAdminKeys implements [store.Companies].
func (s *Store) ListAdminKeys(ctx context.Context, company string) (all []store.AdminKey, err error) {
	err = s.readCompany(ctx, company, func(c *conn, co int64) error {
		all, err = s.selectAdminKeys(c, "co = ?", co)
		return err
	})
	return all, err
}

func (s *Store) selectAdminKeys(c *conn, where string, args ...any) ([]store.AdminKey, error) {
	var all []store.AdminKey
	r := c.query("SELECT hash, id, co, admin, created, expires FROM admin_keys WHERE "+where+" ORDER BY pk", args...)
	defer r.close()
	for r.next() {
		k := store.AdminKey{ID: r.text(1), Company: s.companies.idOf(r.int(2)), Admin: r.text(3), Created: r.time(4), Expires: r.time(5)}
		copy(k.Hash[:], r.blob(0))
		all = append(all, k)
	}
	return all, r.err
}

// DeleteAdminKey implements [store.Companies].
func (s *Store) DeleteAdminKey(ctx context.Context, company, id string, events []store.Event) error {
	events, err := prepareEvents(events)
	if err != nil {
		return err
	}
	return s.writeCompany(ctx, company, func(t *tx, co int64) error {
		n, err := t.exec("DELETE FROM admin_keys WHERE co = ? AND id = ?", co, id)
		if err := orNotFound(n > 0, err); err != nil {
			return err
		}
		return t.log(co, events)
	})
}
