package mongo

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"usher/store"
)

// companyRecord is a company with its local admins, who change in one step with its version.
type companyRecord struct {
	store.Company `bson:",inline"`
	Admins        []store.LocalAdmin
}

func companyNameKey(name string) string { return key("name", name) }
func domainKey(domain string) string    { return key("domain", domain) }

func companyKeys(id, name string, domains []string) []string {
	keys := []string{key("id", id), companyNameKey(name)}
	for _, d := range domains {
		keys = append(keys, domainKey(d))
	}
	return keys
}

// CreateCompany implements [store.Companies]. Until the company's own document is there, nobody finds what was written before it.
func (s *Store) CreateCompany(ctx context.Context, c store.Company, pools []store.Pool, admin *store.LocalAdmin, events []store.Event) (store.Company, error) {
	ctx, end, err := s.beginWrite(ctx)
	if err != nil {
		return store.Company{}, err
	}
	defer end()
	c.Version = 1
	record := companyRecord{Company: c}
	if admin != nil {
		record.Admins = []store.LocalAdmin{*admin}
	}
	if err := s.companyConflict(ctx, c); err != nil {
		return store.Company{}, err
	}
	for _, p := range pools {
		if err := s.insert(ctx, s.pools.Collection, newPool(c.ID, p.License, p.Total)); err != nil {
			return store.Company{}, err
		}
	}
	f := fact[companyRecord]{ID: c.ID, Company: c.ID, Value: record, Keys: companyKeys(c.ID, c.Name, c.Domains)}
	err = s.companies.create(ctx, f, notices(nil, events))
	if mongo.IsDuplicateKeyError(err) {
		// What was written before is nobody's, unless it is the id that is taken.
		taken := s.companyConflict(ctx, c)
		if conflict := (*store.ConflictError)(nil); errors.As(taken, &conflict) && conflict.Field != "ID" {
			for _, p := range pools {
				_, err := s.pools.DeleteOne(ctx, byID(poolID(c.ID, p.License)))
				s.later(ctx, "remove the pool of a company that was not made", err)
			}
		}
		if taken == nil {
			taken = unavailable(ctx, err)
		}
		return store.Company{}, taken
	}
	if err != nil {
		return store.Company{}, err
	}
	return copyCompany(c), nil
}

// companyConflict gives the error of what a new company cannot have because another has it; nil when there is nothing.
func (s *Store) companyConflict(ctx context.Context, c store.Company) error {
	if _, err := s.companies.get(ctx, byID(c.ID)); !errors.Is(err, store.ErrNotFound) {
		if err == nil {
			err = &store.ConflictError{Field: "ID", Value: c.ID}
		}
		return err
	}
	if _, err := s.companyBy(ctx, companyNameKey(c.Name)); !errors.Is(err, store.ErrNotFound) {
		if err == nil {
			err = &store.ConflictError{Field: "Company.Name", Value: c.Name}
		}
		return err
	}
	return s.domainConflict(ctx, c.ID, c.Domains)
}

// domainConflict gives the error of the first domain that another company has.
func (s *Store) domainConflict(ctx context.Context, company string, domains []string) error {
	for _, d := range domains {
		owner, err := s.companyBy(ctx, domainKey(d))
		switch {
		case errors.Is(err, store.ErrNotFound):
		case err != nil:
			return err
		case owner.ID != company:
			return &store.ConflictError{Field: "Domain", Value: d}
		}
	}
	return nil
}

func copyCompany(c store.Company) store.Company {
	c.Domains = slices.Clone(c.Domains)
	return c
}

// UpdateCompany implements [store.Companies].
func (s *Store) UpdateCompany(ctx context.Context, c store.Company, sweep *store.Sweep, events []store.Event) (store.Company, error) {
	return s.changeCompany(ctx, c, sweep, events, func(old store.Company) (bson.D, error) {
		next := c
		next.Version, next.Name, next.Domains, next.Created = old.Version+1, old.Name, old.Domains, old.Created
		fields, err := bson.Marshal(next)
		if err != nil {
			return nil, err
		}
		elements, err := bson.Raw(fields).Elements()
		if err != nil {
			return nil, err
		}
		var update bson.D // not "v" as a whole, which has the admins too
		for _, e := range elements {
			update = with(update, "$set", field("v."+e.Key(), e.Value()))
		}
		return update, nil
	})
}

// SetDomains implements [store.Companies].
func (s *Store) SetDomains(ctx context.Context, c store.Company, domains []string, events []store.Event) (store.Company, error) {
	stored, err := s.changeCompany(ctx, c, nil, events, func(old store.Company) (bson.D, error) {
		if err := s.domainConflict(ctx, c.ID, domains); err != nil {
			return nil, err
		}
		return set(field("v.version", old.Version+1), field("v.domains", domains), field("u", companyKeys(c.ID, old.Name, domains))), nil
	})
	if mongo.IsDuplicateKeyError(err) {
		if taken := s.domainConflict(context.WithoutCancel(ctx), c.ID, domains); taken != nil {
			return store.Company{}, taken
		}
		err = store.ErrVersion // given up again by now
	}
	return stored, err
}

// changeCompany makes a change of a company that is at the version. update is given the company as it is.
func (s *Store) changeCompany(ctx context.Context, c store.Company, sweep *store.Sweep, events []store.Event,
	update func(old store.Company) (bson.D, error),
) (store.Company, error) {
	ctx, end, err := s.beginWrite(ctx)
	if err != nil {
		return store.Company{}, err
	}
	defer end()
	old, err := s.company(ctx, c.ID)
	if err != nil {
		return store.Company{}, err
	}
	if old.Version != c.Version {
		return store.Company{}, store.ErrVersion
	}
	changes, err := update(old.Company)
	if err != nil {
		return store.Company{}, err
	}
	news := notices(sweep, events)
	filter := bson.D{field("_id", c.ID), field("v.version", c.Version), present}
	after, fits, err := s.companies.change(ctx, c.ID, filter, changes, news)
	if err == nil && !fits {
		err = store.ErrVersion
	}
	if err == nil {
		err = s.carryAll(ctx, c.ID, news)
	}
	if err != nil {
		return store.Company{}, err
	}
	return after.Value.Company, nil
}

// PutLocalAdmin implements [store.Companies].
func (s *Store) PutLocalAdmin(ctx context.Context, c store.Company, a store.LocalAdmin, events []store.Event) error {
	return s.changeAdmins(ctx, c, events, func(admins []store.LocalAdmin) ([]store.LocalAdmin, error) {
		at := -1
		for i, other := range admins {
			if other.ID == a.ID {
				at = i
			} else if other.Login == a.Login {
				return nil, &store.ConflictError{Field: "LocalAdmin.Login", Value: a.Login}
			}
		}
		if at < 0 {
			return append(admins, a), nil
		}
		admins[at] = a
		return admins, nil
	})
}

// DeleteLocalAdmin implements [store.Companies].
func (s *Store) DeleteLocalAdmin(ctx context.Context, c store.Company, id string, events []store.Event) error {
	return s.changeAdmins(ctx, c, events, func(admins []store.LocalAdmin) ([]store.LocalAdmin, error) {
		left := slices.DeleteFunc(slices.Clone(admins), func(a store.LocalAdmin) bool { return a.ID == id })
		if len(left) == len(admins) {
			return nil, store.ErrNotFound
		}
		return left, nil
	})
}

// changeAdmins changes the admins of a company that is at the version, which grows by it.
func (s *Store) changeAdmins(ctx context.Context, c store.Company, events []store.Event,
	change func([]store.LocalAdmin) ([]store.LocalAdmin, error),
) error {
	ctx, end, err := s.beginWrite(ctx)
	if err != nil {
		return err
	}
	defer end()
	old, err := s.company(ctx, c.ID)
	if err != nil {
		return err
	}
	admins, err := change(old.Admins)
	if err != nil {
		return err
	}
	filter := bson.D{field("_id", c.ID), field("v.version", c.Version), present}
	_, fits, err := s.companies.change(ctx, c.ID, filter, set(field("v.version", c.Version+1), field("v.admins", admins)), notices(nil, events))
	if err == nil && !fits {
		return store.ErrVersion
	}
	return err
}

// company reads a company: [store.ErrNotFound].
func (s *Store) company(ctx context.Context, id string) (companyRecord, error) {
	return s.companies.value(ctx, byID(id))
}

// companyBy reads the company that has a key: [store.ErrNotFound].
func (s *Store) companyBy(ctx context.Context, key string) (store.Company, error) {
	r, err := s.companies.value(ctx, bson.D{field("u", key)})
	return r.Company, err
}

// Company implements [store.Companies].
func (s *Store) Company(ctx context.Context, id string) (store.Company, error) {
	end, err := s.begin(ctx)
	if err != nil {
		return store.Company{}, err
	}
	defer end()
	r, err := s.company(ctx, id)
	return r.Company, err
}

// CompanyByName implements [store.Companies].
func (s *Store) CompanyByName(ctx context.Context, name string) (store.Company, error) {
	end, err := s.begin(ctx)
	if err != nil {
		return store.Company{}, err
	}
	defer end()
	return s.companyBy(ctx, companyNameKey(name))
}

// ListCompanies implements [store.Companies].
func (s *Store) ListCompanies(ctx context.Context) ([]store.Company, error) {
	end, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	records, err := s.companies.values(ctx, bson.D{}, bson.D{field("_id", 1)})
	var all []store.Company
	for _, r := range records {
		all = append(all, r.Company)
	}
	return all, err
}

// DomainOwner implements [store.Companies].
func (s *Store) DomainOwner(ctx context.Context, domain string) (string, error) {
	end, err := s.begin(ctx)
	if err != nil {
		return "", err
	}
	defer end()
	c, err := s.companyBy(ctx, domainKey(domain))
	return c.ID, err
}

// ListLocalAdmins implements [store.Companies].
func (s *Store) ListLocalAdmins(ctx context.Context, company string) ([]store.LocalAdmin, error) {
	end, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	r, err := s.company(ctx, company)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	slices.SortFunc(r.Admins, func(a, b store.LocalAdmin) int { return cmp.Compare(a.ID, b.ID) })
	return r.Admins, err
}
