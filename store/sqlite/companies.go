package sqlite

import (
	"context"
	"slices"
	"sync"
	"time"

	"usher/store"
)

// companies is what every request asks for, kept in memory: the companies, their numbers, domains, rules and schemas. This process alone
// writes the database, so that what is here is what is stored.
type companies struct {
	mu     sync.RWMutex
	order  []*company
	id     map[string]*company
	name   map[string]*company
	number map[int64]*company
	domain map[string]*company
}

type company struct {
	store.Company
	co    int64
	rules []store.Rule // in the order in which they are listed

	schemas         []store.Schema
	schemasRevision int64
}

// add takes in a company that is stored.
func (n *companies) add(c *company) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.id == nil {
		n.id, n.name, n.number, n.domain = map[string]*company{}, map[string]*company{}, map[int64]*company{}, map[string]*company{}
	}
	n.order = append(n.order, c)
	n.id[c.ID], n.name[c.Name], n.number[c.co] = c, c, c
	for _, d := range c.Domains {
		n.domain[d] = c
	}
}

// numberOf gives the number of a company; 0, under which nothing is stored, for one that does not exist.
func (n *companies) numberOf(id string) int64 {
	n.mu.RLock()
	defer n.mu.RUnlock()
	if c := n.id[id]; c != nil {
		return c.co
	}
	return 0
}

// idOf gives the id of the company with the number.
func (n *companies) idOf(co int64) string {
	n.mu.RLock()
	defer n.mu.RUnlock()
	if c := n.number[co]; c != nil {
		return c.ID
	}
	return ""
}

// copied gives a company to a caller, who may do with it as they please.
func (c *company) copied() store.Company {
	out := c.Company
	out.Domains = slices.Clone(out.Domains)
	return out
}

// load reads all companies.
func (n *companies) load(c *conn) error {
	r := c.query("SELECT " + companyColumns + " FROM companies ORDER BY co")
	defer r.close()
	for r.next() {
		found := &company{co: r.int(0), Company: store.Company{
			ID: r.text(1), Version: r.int(2), Name: r.text(3), Display: r.text(4), Tier: r.text(5), Epoch: r.int(6),
			SeatPolicy: r.text(7), HoldFor: time.Duration(r.int(8)), GuestPolicy: r.text(9), Created: r.time(10),
			Payment: r.text(11), PaymentAt: r.time(12), LossMin: int(r.int(13)), LossPercent: int(r.int(14)), RoleCeiling: r.text(15), Approval: r.text(16), Invites: r.text(17),
			LocalSignIn: r.text(18), SessionIdle: time.Duration(r.int(19)), SessionMax: time.Duration(r.int(20)),
		}}
		d := c.query("SELECT domain FROM domains WHERE co = ? ORDER BY place", found.co)
		for d.next() {
			found.Domains = append(found.Domains, d.text(0))
		}
		if d.err != nil {
			return d.err
		}
		if err := found.loadRules(c); err != nil {
			return err
		}
		if err := found.loadSchemas(c); err != nil {
			return err
		}
		n.add(found)
	}
	return r.err
}

// readCompany is read for what belongs to one company.
func (s *Store) readCompany(ctx context.Context, company string, f func(c *conn, co int64) error) error {
	return s.read(ctx, func(c *conn) error { return f(c, s.companies.numberOf(company)) })
}

// writeCompany is write for what belongs to one company: ErrNotFound when it does not exist.
func (s *Store) writeCompany(ctx context.Context, company string, f func(t *tx, co int64) error) error {
	co, err := s.mustNumberOf(company)
	if err != nil {
		return err
	}
	return s.write(ctx, func(t *tx) error { return f(t, co) })
}

// mustNumberOf gives the number of a company: ErrNotFound when it does not exist.
func (s *Store) mustNumberOf(company string) (int64, error) {
	co := s.companies.numberOf(company)
	if co == 0 {
		return 0, store.ErrNotFound
	}
	return co, nil
}

// CreateCompany implements [store.Companies].
func (s *Store) CreateCompany(ctx context.Context, c store.Company, pools []store.Pool, admin *store.LocalAdmin, events []store.Event) (store.Company, error) {
	c.Version = 1
	events, err := prepareEvents(events)
	if err != nil {
		return store.Company{}, err
	}
	created := &company{Company: c}
	created.Company = created.copied()
	err = s.write(ctx, func(t *tx) error {
		co, err := t.insertCompany(c)
		created.co = co
		if err != nil {
			return err
		}
		for _, p := range pools {
			if err := t.setSeats(co, p.License, p.Total); err != nil {
				return err
			}
		}
		if admin != nil {
			if err := t.insertAdmin(co, *admin); err != nil {
				return err
			}
		}
		return t.log(co, events)
	})
	if err != nil {
		return store.Company{}, err
	}
	s.companies.add(created)
	return c, nil
}

// UpdateCompany implements [store.Companies].
func (s *Store) UpdateCompany(ctx context.Context, c store.Company, sweep *store.Sweep, events []store.Event) (stored store.Company, err error) {
	events, err = prepareEvents(events)
	if err != nil {
		return store.Company{}, err
	}
	err = s.writeCompany(ctx, c.ID, func(t *tx, co int64) error {
		n, err := t.exec(`UPDATE companies SET ver = ver + 1, display = ?, tier = ?, epoch = ?, seat_policy = ?, hold_for = ?, guest_policy = ?,
			payment = ?, payment_at = ?, loss_min = ?, loss_percent = ?, role_ceiling = ?, approval = ?, invites = ?,
			local_sign_in = ?, session_idle = ?, session_max = ? WHERE co = ? AND ver = ?`,
			optional(c.Display), optional(c.Tier), c.Epoch, optional(c.SeatPolicy), int64(c.HoldFor), optional(c.GuestPolicy),
			optional(c.Payment), c.PaymentAt, c.LossMin, c.LossPercent, optional(c.RoleCeiling), optional(c.Approval), optional(c.Invites),
			optional(c.LocalSignIn), int64(c.SessionIdle), int64(c.SessionMax), co, c.Version)
		if err != nil {
			return err
		}
		if n == 0 {
			return store.ErrVersion
		}
		return t.because(co, sweep, events)
	})
	if err != nil {
		return store.Company{}, err
	}
	return s.companies.update(c), nil
}

// update takes in the settings of a company as they were stored, and gives it. Of two updates that end at the same time the later counts.
func (n *companies) update(c store.Company) store.Company {
	n.mu.Lock()
	defer n.mu.Unlock()
	known := n.id[c.ID]
	is := known.copied()
	is.Version, is.Display, is.Tier, is.Epoch = c.Version+1, c.Display, c.Tier, c.Epoch
	is.SeatPolicy, is.HoldFor, is.GuestPolicy, is.Payment, is.PaymentAt = c.SeatPolicy, c.HoldFor, c.GuestPolicy, c.Payment, c.PaymentAt
	is.LossMin, is.LossPercent, is.RoleCeiling, is.Approval, is.Invites = c.LossMin, c.LossPercent, c.RoleCeiling, c.Approval, c.Invites
	is.LocalSignIn, is.SessionIdle, is.SessionMax = c.LocalSignIn, c.SessionIdle, c.SessionMax
	if is.Version > known.Version {
		known.Company = is
	}
	return is
}

// SetDomains implements [store.Companies].
func (s *Store) SetDomains(ctx context.Context, c store.Company, domains []string, events []store.Event) (store.Company, error) {
	events, err := prepareEvents(events)
	if err != nil {
		return store.Company{}, err
	}
	domains = slices.Clone(domains)
	err = s.writeCompany(ctx, c.ID, func(t *tx, co int64) error {
		n, err := t.exec("UPDATE companies SET ver = ver + 1 WHERE co = ? AND ver = ?", co, c.Version)
		if err != nil {
			return err
		}
		if n == 0 {
			return store.ErrVersion
		}
		if _, err := t.exec("DELETE FROM domains WHERE co = ?", co); err != nil {
			return err
		}
		if err := t.insertDomains(co, domains); err != nil {
			return err
		}
		return t.log(co, events)
	})
	if err != nil {
		return store.Company{}, err
	}
	return s.companies.setDomains(c.ID, c.Version+1, domains), nil
}

// setDomains takes in the domains of a company as they were stored, and gives it.
func (n *companies) setDomains(id string, version int64, domains []string) store.Company {
	n.mu.Lock()
	defer n.mu.Unlock()
	known := n.id[id]
	is := known.copied()
	is.Version, is.Domains = version, domains
	if version > known.Version {
		for _, d := range known.Domains {
			delete(n.domain, d)
		}
		for _, d := range domains {
			n.domain[d] = known
		}
		known.Company = is
	}
	return known.copied()
}

func (t *tx) insertDomains(co int64, domains []string) error {
	for i, d := range domains {
		if _, err := t.exec("INSERT INTO domains (domain, co, place) VALUES (?, ?, ?)", d, co, i); err != nil {
			return conflict(err, "Domain", d)
		}
	}
	return nil
}

// moved takes in that a company has come to a version by what is not among its settings.
func (n *companies) moved(id string, version int64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if known := n.id[id]; version > known.Version {
		known.Version = version
	}
}

func (t *tx) insertCompany(c store.Company) (co int64, err error) {
	if taken, err := t.exists("SELECT 1 FROM companies WHERE name = ?", c.Name); err != nil {
		return 0, err
	} else if taken {
		return 0, &store.ConflictError{Field: "Company.Name", Value: c.Name}
	}
	_, err = t.exec(`INSERT INTO companies (id, ver, name, display, tier, epoch, seat_policy, hold_for, guest_policy, created, payment, payment_at,
			loss_min, loss_percent, role_ceiling, approval, invites, local_sign_in, session_idle, session_max)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		c.ID, c.Version, c.Name, optional(c.Display), optional(c.Tier), c.Epoch, optional(c.SeatPolicy), int64(c.HoldFor), optional(c.GuestPolicy), c.Created,
		optional(c.Payment), c.PaymentAt, c.LossMin, c.LossPercent, optional(c.RoleCeiling), optional(c.Approval), optional(c.Invites),
		optional(c.LocalSignIn), int64(c.SessionIdle), int64(c.SessionMax))
	if err != nil {
		return 0, conflict(err, "Company.ID", c.ID)
	}
	if co, err = t.integer("SELECT co FROM companies WHERE id = ?", c.ID); err != nil {
		return 0, err
	}
	return co, t.insertDomains(co, c.Domains)
}

// conflict makes a ConflictError of an error that says that a value is taken.
func conflict(err error, field, value string) error {
	if taken(err) {
		return &store.ConflictError{Field: field, Value: value}
	}
	return err
}

const companyColumns = "co, id, ver, name, display, tier, epoch, seat_policy, hold_for, guest_policy, created, payment, payment_at, loss_min, loss_percent, role_ceiling, approval, invites, local_sign_in, session_idle, session_max"

// Company implements [store.Companies].
func (s *Store) Company(ctx context.Context, id string) (store.Company, error) {
	return s.knownCompany(ctx, func(n *companies) *company { return n.id[id] })
}

// CompanyByName implements [store.Companies].
func (s *Store) CompanyByName(ctx context.Context, name string) (store.Company, error) {
	return s.knownCompany(ctx, func(n *companies) *company { return n.name[name] })
}

// DomainOwner implements [store.Companies].
func (s *Store) DomainOwner(ctx context.Context, domain string) (string, error) {
	owner, err := s.knownCompany(ctx, func(n *companies) *company { return n.domain[domain] })
	return owner.ID, err
}

// knownCompany gives the company that find finds: ErrNotFound.
func (s *Store) knownCompany(ctx context.Context, find func(*companies) *company) (store.Company, error) {
	if err := s.readers.check(ctx); err != nil {
		return store.Company{}, err
	}
	s.companies.mu.RLock()
	defer s.companies.mu.RUnlock()
	c := find(&s.companies)
	if c == nil {
		return store.Company{}, store.ErrNotFound
	}
	return c.copied(), nil
}

// ListCompanies implements [store.Companies].
func (s *Store) ListCompanies(ctx context.Context) ([]store.Company, error) {
	if err := s.readers.check(ctx); err != nil {
		return nil, err
	}
	s.companies.mu.RLock()
	defer s.companies.mu.RUnlock()
	var all []store.Company
	for _, c := range s.companies.order {
		all = append(all, c.copied())
	}
	return all, nil
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
		r := c.query("SELECT id, login, password, role, created, totp, totp_step FROM local_admins WHERE co = ? ORDER BY pk", co)
		for r.next() {
			admins = append(admins, store.LocalAdmin{
				ID: r.text(0), Company: company, Login: r.text(1), Password: r.text(2), Role: r.text(3), Created: r.time(4), TOTP: r.text(5), TOTPStep: r.int(6),
			})
		}
		return r.err
	})
	return admins, err
}
