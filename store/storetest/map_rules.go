package storetest

import (
	"cmp"
	"context"
	"slices"

	"usher/store"
)

// CreateRule implements [store.Rules].
func (m *Map) CreateRule(ctx context.Context, r store.Rule, sweep *store.Sweep, events []store.Event) error {
	end, err := m.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	if r.Match == nil {
		if _, err := m.groups.read(join(r.Company, r.Group)); err != nil {
			return err
		}
	}
	if !m.rules.create(join(r.Company, r.ID), r, notices(sweep, events)) {
		return &store.ConflictError{Field: "ID", Value: r.ID}
	}
	return nil
}

// DeleteRule implements [store.Rules].
func (m *Map) DeleteRule(ctx context.Context, company, id string, sweep *store.Sweep, events []store.Event) error {
	end, err := m.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	return m.rules.bury(join(company, id), notices(sweep, events))
}

// ListRules implements [store.Rules].
func (m *Map) ListRules(ctx context.Context, company string) ([]store.Rule, error) {
	end, err := m.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	all := m.rules.readAll(listed(company))
	slices.SortFunc(all, func(a, b store.Rule) int {
		return cmp.Or(cmp.Compare(b.Priority, a.Priority), a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID))
	})
	return all, nil
}
