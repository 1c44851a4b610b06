package sqlite

import (
	"context"
	"sync"
	"time"

	"usher/store"
)

// companies knows the small numbers of the companies. A company is never removed, so what was learnt once stays true.
type companies struct {
	mu     sync.RWMutex
	number map[string]int64
	id     map[int64]string
}

func (n *companies) learn(id string, co int64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.number == nil {
		n.number, n.id = make(map[string]int64), make(map[int64]string)
	}
	n.number[id], n.id[co] = co, id
}

// numberOf gives the number of a company; 0, under which nothing is stored, for one that does not exist.
func (s *Store) numberOf(c *conn, id string) (int64, error) {
	s.companies.mu.RLock()
	co, ok := s.companies.number[id]
	s.companies.mu.RUnlock()
	if ok {
		return co, nil
	}
	co, err := c.integer("SELECT co FROM companies WHERE id = ?", id)
	if err == nil && co != 0 {
		s.companies.learn(id, co)
	}
	return co, err
}

// idOf gives the id of the company with the number.
func (s *Store) idOf(c *conn, co int64) (string, error) {
	s.companies.mu.RLock()
	id, ok := s.companies.id[co]
	s.companies.mu.RUnlock()
	if ok {
		return id, nil
	}
	found, err := c.one(func(r *rows) { id = r.text(0) }, "SELECT id FROM companies WHERE co = ?", co)
	if found {
		s.companies.learn(id, co)
	}
	return id, err
}

// readCompany is read for what belongs to one company.
func (s *Store) readCompany(ctx context.Context, company string, f func(c *conn, co int64) error) error {
	return s.read(ctx, func(c *conn) error {
		co, err := s.numberOf(c, company)
		if err != nil {
			return err
		}
		return f(c, co)
	})
}

// writeCompany is write for what belongs to one company: ErrNotFound when it does not exist.
func (s *Store) writeCompany(ctx context.Context, company string, f func(t *tx, co int64) error) error {
	co, err := s.mustNumberOf(ctx, company)
	if err != nil {
		return err
	}
	return s.write(ctx, func(t *tx) error { return f(t, co) })
}

// mustNumberOf gives the number of a company: ErrNotFound when it does not exist.
func (s *Store) mustNumberOf(ctx context.Context, company string) (co int64, err error) {
	s.companies.mu.RLock()
	co, ok := s.companies.number[company]
	s.companies.mu.RUnlock()
	if ok {
		return co, nil
	}
	err = s.readCompany(ctx, company, func(_ *conn, n int64) error {
		co = n
		return nil
	})
	if err == nil && co == 0 {
		err = store.ErrNotFound
	}
	return co, err
}

// CreateCompany implements [store.Companies].
func (s *Store) CreateCompany(ctx context.Context, c store.Company, pools []store.Pool, admin *store.LocalAdmin, events []store.Event) (store.Company, error) {
	c.Version = 1
	events, err := prepareEvents(events)
	if err != nil {
		return store.Company{}, err
	}
	err = s.write(ctx, func(t *tx) error {
		co, err := t.insertCompany(c)
		if err != nil {
			return err
		}
		for _, p := range pools {
			if err := t.setSeats(co, p.License, p.Total); err != nil {
				return err
			}
		}
		if admin != nil {
			if _, err := t.exec("INSERT INTO local_admins (id, co, login, password, role, created) VALUES (?, ?, ?, ?, ?, ?)",
				admin.ID, co, admin.Login, admin.Password, optional(admin.Role), admin.Created); err != nil {
				return conflict(err, "LocalAdmin.ID", admin.ID)
			}
		}
		return t.log(co, events)
	})
	if err != nil {
		return store.Company{}, err
	}
	return c, nil
}

func (t *tx) insertCompany(c store.Company) (co int64, err error) {
	if taken, err := t.exists("SELECT 1 FROM companies WHERE name = ?", c.Name); err != nil {
		return 0, err
	} else if taken {
		return 0, &store.ConflictError{Field: "Company.Name", Value: c.Name}
	}
	_, err = t.exec(`INSERT INTO companies (id, ver, name, display, tier, epoch, seat_policy, hold_for, guest_policy, created)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		c.ID, c.Version, c.Name, optional(c.Display), optional(c.Tier), c.Epoch, optional(c.SeatPolicy), int64(c.HoldFor), optional(c.GuestPolicy), c.Created)
	if err != nil {
		return 0, conflict(err, "Company.ID", c.ID)
	}
	if co, err = t.integer("SELECT co FROM companies WHERE id = ?", c.ID); err != nil {
		return 0, err
	}
	for i, d := range c.Domains {
		if _, err := t.exec("INSERT INTO domains (domain, co, place) VALUES (?, ?, ?)", d, co, i); err != nil {
			return 0, conflict(err, "Domain", d)
		}
	}
	return co, nil
}

// conflict makes a ConflictError of an error that says that a value is taken.
func conflict(err error, field, value string) error {
	if taken(err) {
		return &store.ConflictError{Field: field, Value: value}
	}
	return err
}

const companyColumns = "co, id, ver, name, display, tier, epoch, seat_policy, hold_for, guest_policy, created"

// Company implements [store.Companies].
func (s *Store) Company(ctx context.Context, id string) (store.Company, error) {
	return s.oneCompany(ctx, "SELECT "+companyColumns+" FROM companies WHERE id = ?", id)
}

// CompanyByName implements [store.Companies].
func (s *Store) CompanyByName(ctx context.Context, name string) (store.Company, error) {
	return s.oneCompany(ctx, "SELECT "+companyColumns+" FROM companies WHERE name = ?", name)
}

func (s *Store) oneCompany(ctx context.Context, text string, key string) (store.Company, error) {
	all, err := s.selectCompanies(ctx, text, key)
	if err != nil {
		return store.Company{}, err
	}
	if len(all) == 0 {
		return store.Company{}, store.ErrNotFound
	}
	return all[0], nil
}

// ListCompanies implements [store.Companies].
func (s *Store) ListCompanies(ctx context.Context) ([]store.Company, error) {
	return s.selectCompanies(ctx, "SELECT "+companyColumns+" FROM companies ORDER BY co")
}

func (s *Store) selectCompanies(ctx context.Context, text string, args ...any) ([]store.Company, error) {
	var all []store.Company
	err := s.snapshot(ctx, func(c *conn) error {
		r := c.query(text, args...)
		defer r.close()
		for r.next() {
			company := store.Company{
				ID: r.text(1), Version: r.int(2), Name: r.text(3), Display: r.text(4), Tier: r.text(5), Epoch: r.int(6),
				SeatPolicy: r.text(7), HoldFor: time.Duration(r.int(8)), GuestPolicy: r.text(9), Created: r.time(10),
			}
			d := c.query("SELECT domain FROM domains WHERE co = ? ORDER BY place", r.int(0))
			for d.next() {
				company.Domains = append(company.Domains, d.text(0))
			}
			if d.err != nil {
				return d.err
			}
			all = append(all, company)
		}
		return r.err
	})
	return all, err
}

// DomainOwner implements [store.Companies].
func (s *Store) DomainOwner(ctx context.Context, domain string) (id string, err error) {
	err = s.read(ctx, func(c *conn) error {
		found, err := c.one(func(r *rows) { id = r.text(0) }, "SELECT id FROM companies WHERE co = (SELECT co FROM domains WHERE domain = ?)", domain)
		return orNotFound(found, err)
	})
	return id, err
}

// orNotFound is the error of a look-up.
func orNotFound(found bool, err error) error {
	if err == nil && !found {
		return store.ErrNotFound
	}
	return err
}

// ListLocalAdmins implements [store.Companies].
func (s *Store) ListLocalAdmins(ctx context.Context, company string) ([]store.LocalAdmin, error) {
	var admins []store.LocalAdmin
	err := s.readCompany(ctx, company, func(c *conn, co int64) error {
		r := c.query("SELECT id, login, password, role, created FROM local_admins WHERE co = ? ORDER BY pk", co)
		for r.next() {
			admins = append(admins, store.LocalAdmin{
				ID: r.text(0), Company: company, Login: r.text(1), Password: r.text(2), Role: r.text(3), Created: r.time(4),
			})
		}
		return r.err
	})
	return admins, err
}
