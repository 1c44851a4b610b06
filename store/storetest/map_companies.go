package storetest

import (
	"cmp"
	"context"
	"encoding/hex"
	"slices"

	"usher/store"
)

const (
	companyName    = "Company.Name"
	domainName     = "Domain"
	connectionName = "Connection.Name"
)

func copyCompany(c store.Company) store.Company {
	c.Domains = slices.Clone(c.Domains)
	return c
}

// CreateCompany implements [store.Companies]. Until the company's own record is there, nobody finds what was written before it.
func (m *Map) CreateCompany(ctx context.Context, c store.Company, pools []store.Pool, admin *store.LocalAdmin, events []store.Event) (store.Company, error) {
	end, err := m.begin(ctx)
	if err != nil {
		return store.Company{}, err
	}
	defer end()
	c = copyCompany(c)
	c.Version = 1
	if _, err := m.companies.read(c.ID); err == nil {
		return store.Company{}, &store.ConflictError{Field: "ID", Value: c.ID}
	}
	claim := store.NewID()
	if err := m.claimCompany(c, claim); err != nil {
		m.giveCompanyBack(c, claim)
		return store.Company{}, err
	}
	for _, p := range pools {
		m.pools.create(join(c.ID, p.License), poolRow{company: c.ID, license: p.License, total: p.Total}, nil)
	}
	if admin != nil {
		m.admins.insert(join(c.ID, admin.ID), *admin)
	}
	m.companies.create(c.ID, c, notices(nil, events))
	return copyCompany(c), nil
}

// UpdateCompany implements [store.Companies].
func (m *Map) UpdateCompany(ctx context.Context, c store.Company, sweep *store.Sweep, events []store.Event) (store.Company, error) {
	end, err := m.begin(ctx)
	if err != nil {
		return store.Company{}, err
	}
	defer end()
	news := notices(sweep, events)
	var stored store.Company
	err = m.companies.update(c.ID, func(old fact[store.Company]) (fact[store.Company], error) {
		switch {
		case old.gone:
			return old, store.ErrNotFound
		case old.value.Version != c.Version:
			return old, store.ErrVersion
		}
		stored = copyCompany(c)
		stored.Version++
		stored.Name, stored.Domains, stored.Created = old.value.Name, slices.Clone(old.value.Domains), old.value.Created
		return old.with(stored, news), nil
	})
	return copyCompany(stored), err
}

// SetDomains implements [store.Companies]. A domain is claimed before the company has it, and given back after it has it no more.
func (m *Map) SetDomains(ctx context.Context, c store.Company, domains []string, events []store.Event) (store.Company, error) {
	end, err := m.begin(ctx)
	if err != nil {
		return store.Company{}, err
	}
	defer end()
	was, err := m.company(c.ID)
	if err != nil {
		return store.Company{}, err
	}
	if was.Version != c.Version {
		return store.Company{}, store.ErrVersion
	}
	claim := store.NewID()
	for _, d := range domains {
		if slices.Contains(was.Domains, d) {
			continue
		}
		if err := m.claimName(domainName, "", d, c.ID, claim); err != nil {
			m.freeDomains(domains, claim)
			return store.Company{}, err
		}
	}
	var stored store.Company
	news := notices(nil, events)
	err = m.companies.update(c.ID, func(old fact[store.Company]) (fact[store.Company], error) {
		if old.value.Version != c.Version {
			return old, store.ErrVersion
		}
		stored = copyCompany(old.value)
		stored.Version, stored.Domains = c.Version+1, slices.Clone(domains)
		return old.with(stored, news), nil
	})
	if err != nil {
		m.freeDomains(domains, claim)
		return store.Company{}, err
	}
	for _, d := range was.Domains {
		if row, _, ok := m.names.get(join(domainName, "", d)); ok && row.holder == c.ID && !slices.Contains(domains, d) {
			m.freeName(domainName, "", d, row.claim)
		}
	}
	return copyCompany(stored), nil
}

func (m *Map) freeDomains(domains []string, claim string) {
	for _, d := range domains {
		m.freeName(domainName, "", d, claim)
	}
}

// PutLocalAdmin implements [store.Companies]. The company's version decides between those who change its admins.
func (m *Map) PutLocalAdmin(ctx context.Context, c store.Company, a store.LocalAdmin, events []store.Event) error {
	end, err := m.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	for _, k := range m.admins.find(c.ID) {
		if other, _, ok := m.admins.get(k); ok && other.Login == a.Login && other.ID != a.ID {
			return &store.ConflictError{Field: "LocalAdmin.Login", Value: a.Login}
		}
	}
	if err := m.moveCompany(c, events); err != nil {
		return err
	}
	k := join(c.ID, a.ID)
	if _, revision, ok := m.admins.get(k); ok {
		m.admins.replace(k, revision, a)
	} else {
		m.admins.insert(k, a)
	}
	return nil
}

// DeleteLocalAdmin implements [store.Companies].
func (m *Map) DeleteLocalAdmin(ctx context.Context, c store.Company, id string, events []store.Event) error {
	end, err := m.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	k := join(c.ID, id)
	_, revision, ok := m.admins.get(k)
	if !ok {
		return store.ErrNotFound
	}
	if err := m.moveCompany(c, events); err != nil {
		return err
	}
	m.admins.remove(k, revision)
	return nil
}

// moveCompany gives a company that is at the version the next one.
func (m *Map) moveCompany(c store.Company, events []store.Event) error {
	news := notices(nil, events)
	return m.companies.update(c.ID, func(old fact[store.Company]) (fact[store.Company], error) {
		switch {
		case old.gone:
			return old, store.ErrNotFound
		case old.value.Version != c.Version:
			return old, store.ErrVersion
		}
		next := copyCompany(old.value)
		next.Version++
		return old.with(next, news), nil
	})
}

func (m *Map) claimCompany(c store.Company, claim string) error {
	if err := m.claimName(companyName, "", c.Name, c.ID, claim); err != nil {
		return err
	}
	for _, domain := range c.Domains {
		if err := m.claimName(domainName, "", domain, c.ID, claim); err != nil {
			return err
		}
	}
	return nil
}

func (m *Map) giveCompanyBack(c store.Company, claim string) {
	m.freeName(companyName, "", c.Name, claim)
	for _, domain := range c.Domains {
		m.freeName(domainName, "", domain, claim)
	}
}

func (m *Map) company(id string) (store.Company, error) {
	c, err := m.companies.read(id)
	return copyCompany(c), err
}

// Company implements [store.Companies].
func (m *Map) Company(ctx context.Context, id string) (store.Company, error) {
	end, err := m.begin(ctx)
	if err != nil {
		return store.Company{}, err
	}
	defer end()
	return m.company(id)
}

// CompanyByName implements [store.Companies].
func (m *Map) CompanyByName(ctx context.Context, name string) (store.Company, error) {
	end, err := m.begin(ctx)
	if err != nil {
		return store.Company{}, err
	}
	defer end()
	return m.company(m.holderOf(companyName, "", name))
}

// ListCompanies implements [store.Companies].
func (m *Map) ListCompanies(ctx context.Context) ([]store.Company, error) {
	end, err := m.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	var all []store.Company
	for _, id := range m.companies.keys() {
		if c, err := m.company(id); err == nil {
			all = append(all, c)
		}
	}
	return all, nil
}

// DomainOwner implements [store.Companies].
func (m *Map) DomainOwner(ctx context.Context, domain string) (string, error) {
	end, err := m.begin(ctx)
	if err != nil {
		return "", err
	}
	defer end()
	c, err := m.company(m.holderOf(domainName, "", domain))
	return c.ID, err
}

// ListLocalAdmins implements [store.Companies].
func (m *Map) ListLocalAdmins(ctx context.Context, company string) ([]store.LocalAdmin, error) {
	end, err := m.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	if _, err := m.company(company); err != nil {
		return nil, nil // written for a company that never came to be
	}
	var all []store.LocalAdmin
	for _, k := range m.admins.find(company) {
		if a, _, ok := m.admins.get(k); ok {
			all = append(all, a)
		}
	}
	return all, nil
}

func copyConnection(c store.Connection) store.Connection {
	c.QuirksOff = slices.Clone(c.QuirksOff)
	c.SignOn.Algorithms, c.SignOn.Scopes = slices.Clone(c.SignOn.Algorithms), slices.Clone(c.SignOn.Scopes)
	return c
}

// CreateConnection implements [store.Connections].
func (m *Map) CreateConnection(ctx context.Context, c store.Connection, events []store.Event) error {
	end, err := m.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	claim := store.NewID()
	if err := m.claimName(connectionName, c.Company, c.Name, c.ID, claim); err != nil {
		return err
	}
	if !m.connections.create(c.ID, copyConnection(c), notices(nil, events)) {
		m.freeName(connectionName, c.Company, c.Name, claim)
		return &store.ConflictError{Field: "ID", Value: c.ID}
	}
	return nil
}

func (m *Map) connection(id string) (store.Connection, error) {
	c, err := m.connections.read(id)
	return copyConnection(c), err
}

// Connection implements [store.Connections].
func (m *Map) Connection(ctx context.Context, id string) (store.Connection, error) {
	end, err := m.begin(ctx)
	if err != nil {
		return store.Connection{}, err
	}
	defer end()
	return m.connection(id)
}

// ConnectionByName implements [store.Connections].
func (m *Map) ConnectionByName(ctx context.Context, company, name string) (store.Connection, error) {
	end, err := m.begin(ctx)
	if err != nil {
		return store.Connection{}, err
	}
	defer end()
	return m.connection(m.holderOf(connectionName, company, name))
}

// ListConnections implements [store.Connections].
func (m *Map) ListConnections(ctx context.Context, company string) ([]store.Connection, error) {
	end, err := m.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	all := m.connections.readAll(listed(company))
	for i := range all {
		all[i] = copyConnection(all[i])
	}
	slices.SortFunc(all, func(a, b store.Connection) int {
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID))
	})
	return all, nil
}

// UpdateConnection implements [store.Connections].
func (m *Map) UpdateConnection(ctx context.Context, c, was store.Connection, events []store.Event) error {
	end, err := m.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	news := notices(nil, events)
	return m.connections.update(c.ID, func(old fact[store.Connection]) (fact[store.Connection], error) {
		if old.gone || old.value.Company != c.Company {
			return old, store.ErrNotFound
		}
		if !old.value.Serves(&was) {
			return old, store.ErrVersion
		}
		next := old.value
		next.Mode, next.QuirksOff, next.Strict = c.Mode, slices.Clone(c.QuirksOff), c.Strict
		return old.with(next, news), nil
	})
}

// SetSignOn implements [store.Connections].
func (m *Map) SetSignOn(ctx context.Context, c store.Connection, events []store.Event) (store.Connection, error) {
	end, err := m.begin(ctx)
	if err != nil {
		return store.Connection{}, err
	}
	defer end()
	news := notices(nil, events)
	var stored store.Connection
	err = m.connections.update(c.ID, func(old fact[store.Connection]) (fact[store.Connection], error) {
		switch {
		case old.gone || old.value.Company != c.Company:
			return old, store.ErrNotFound
		case old.value.SignOn.Version != c.SignOn.Version:
			return old, store.ErrVersion
		}
		stored = old.value
		stored.SignOn, stored.Epoch = copyConnection(c).SignOn, c.Epoch
		stored.SignOn.Version++
		return old.with(stored, news), nil
	})
	if err != nil {
		return store.Connection{}, err
	}
	return copyConnection(stored), nil
}

func copyToken(t store.Token) store.Token {
	t.Scopes = slices.Clone(t.Scopes)
	return t
}

// CreateToken implements [store.Connections].
func (m *Map) CreateToken(ctx context.Context, t store.Token, events []store.Event) error {
	end, err := m.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	if !m.tokens.create(hex.EncodeToString(t.Hash[:]), copyToken(t), notices(nil, events)) {
		return &store.ConflictError{Field: "Token.Hash", Value: t.ID}
	}
	return nil
}

// Token implements [store.Connections].
func (m *Map) Token(ctx context.Context, hash [32]byte) (store.Token, error) {
	end, err := m.begin(ctx)
	if err != nil {
		return store.Token{}, err
	}
	defer end()
	t, err := m.tokens.read(hex.EncodeToString(hash[:]))
	return copyToken(t), err
}

// ListTokens implements [store.Connections].
func (m *Map) ListTokens(ctx context.Context, company string) ([]store.Token, error) {
	end, err := m.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	all := m.tokens.readAll(listed(company))
	for i := range all {
		all[i] = copyToken(all[i])
	}
	slices.SortFunc(all, func(a, b store.Token) int {
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID))
	})
	return all, nil
}

// DeleteToken implements [store.Connections].
func (m *Map) DeleteToken(ctx context.Context, company, id string, events []store.Event) error {
	end, err := m.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	for _, t := range m.tokens.readAll(listed(company)) {
		if t.ID == id {
			return m.tokens.bury(hex.EncodeToString(t.Hash[:]), notices(nil, events))
		}
	}
	return store.ErrNotFound
}
