package storetest

import (
	"context"
	"slices"
	"strings"

	"usher/store"
)

// schemasRow is all schemas of one company, in one record, so that they have one revision.
type schemasRow struct {
	company  string
	revision int64
	all      []store.Schema
}

// changeSchemas replaces the schemas of a company by what change makes of them.
func (m *Map) changeSchemas(company string, events []store.Event, change func([]store.Schema) ([]store.Schema, error)) error {
	news := notices(nil, events)
	for {
		old, revision, ok := m.schemas.get(company)
		next, err := change(slices.Clone(old.value.all))
		if err != nil {
			return err
		}
		row := schemasRow{company, old.value.revision + 1, next}
		if !ok && m.schemas.create(company, row, news) || ok && m.schemas.replace(company, revision, old.with(row, news)) {
			return nil
		}
	}
}

func indexOfSchema(all []store.Schema, urn string) int {
	return slices.IndexFunc(all, func(s store.Schema) bool { return strings.EqualFold(s.URN, urn) })
}

// PutSchema implements [store.Schemas].
func (m *Map) PutSchema(ctx context.Context, s store.Schema, events []store.Event) error {
	end, err := m.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	if _, err := m.companies.read(s.Company); err != nil {
		return err
	}
	return m.changeSchemas(s.Company, events, func(all []store.Schema) ([]store.Schema, error) {
		if i := indexOfSchema(all, s.URN); i >= 0 {
			s.Created = all[i].Created
			all[i] = s
			return all, nil
		}
		return append(all, s), nil
	})
}

// DeleteSchema implements [store.Schemas].
func (m *Map) DeleteSchema(ctx context.Context, company, urn string, events []store.Event) error {
	end, err := m.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	return m.changeSchemas(company, events, func(all []store.Schema) ([]store.Schema, error) {
		i := indexOfSchema(all, urn)
		if i < 0 {
			return nil, store.ErrNotFound
		}
		return slices.Delete(all, i, i+1), nil
	})
}

// ListSchemas implements [store.Schemas].
func (m *Map) ListSchemas(ctx context.Context, company string) ([]store.Schema, int64, error) {
	end, err := m.begin(ctx)
	if err != nil {
		return nil, 0, err
	}
	defer end()
	row, _, _ := m.schemas.get(company)
	return row.value.all, row.value.revision, nil
}
