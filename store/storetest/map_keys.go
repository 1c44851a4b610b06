package storetest

import (
	"cmp"
	"context"
	"encoding/hex"
	"slices"

	"usher/store"
)

// CreateAdminKey implements [store.Companies].
func (m *Map) CreateAdminKey(ctx context.Context, k store.AdminKey, events []store.Event) error {
	end, err := m.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	if !m.keys.create(hex.EncodeToString(k.Hash[:]), k, notices(nil, events)) {
		return &store.ConflictError{Field: "AdminKey.Hash", Value: k.ID}
	}
	return nil
}

// AdminKey implements [store.Companies].
func (m *Map) AdminKey(ctx context.Context, hash [32]byte) (store.AdminKey, error) {
	end, err := m.begin(ctx)
	if err != nil {
		return store.AdminKey{}, err
	}
	defer end()
	return m.keys.read(hex.EncodeToString(hash[:]))
}

// ListAdminKeys implements [store.Companies].
func (m *Map) ListAdminKeys(ctx context.Context, company string) ([]store.AdminKey, error) {
	end, err := m.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	all := m.keys.readAll(listed(company))
	slices.SortFunc(all, func(a, b store.AdminKey) int { return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID)) })
	return all, nil
}

// DeleteAdminKey implements [store.Companies].
func (m *Map) DeleteAdminKey(ctx context.Context, company, id string, events []store.Event) error {
	end, err := m.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	for _, k := range m.keys.readAll(listed(company)) {
		if k.ID == id {
			return m.keys.bury(hex.EncodeToString(k.Hash[:]), notices(nil, events))
		}
	}
	return store.ErrNotFound
}
