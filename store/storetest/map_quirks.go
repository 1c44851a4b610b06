package storetest

import (
	"context"

	"usher/store"
)

// CountQuirks implements [store.Quirks]; each use is a step of its own.
func (m *Map) CountQuirks(ctx context.Context, company string, uses []store.QuirkUse) error {
	end, err := m.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	if _, err := m.companies.read(company); err != nil {
		return err
	}
	for _, u := range uses {
		k := join(company, u.Connection, u.Quirk)
		if m.quirks.insert(k, quirkRow{company, u}) {
			continue
		}
		if err := m.quirks.update(k, func(old quirkRow) (quirkRow, error) {
			old.Count += u.Count
			if u.Last.After(old.Last) {
				old.Last = u.Last
			}
			return old, nil
		}); err != nil {
			return err
		}
	}
	return nil
}

// quirkRow is how often a quirk was needed by a connection of a company.
type quirkRow struct {
	company string
	store.QuirkUse
}

// ListQuirks implements [store.Quirks].
func (m *Map) ListQuirks(ctx context.Context, company string) ([]store.QuirkUse, error) {
	end, err := m.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	var all []store.QuirkUse
	for _, k := range m.quirks.find(listed(company)) {
		if row, _, ok := m.quirks.get(k); ok {
			all = append(all, row.QuirkUse)
		}
	}
	return all, nil
}
