package scim

import (
	"context"
	"fmt"

	"usher/scim/schema"
)

// companyTypes are the resource types of a company that has declared schemas, with the documents that describe them.
type companyTypes struct {
	revision  int64
	registry  *schema.Registry
	discovery discovery
}

// typesOf gives the resource types of a company. They are made anew when its schemas have changed.
func (h *Handler) typesOf(ctx context.Context, company string) (*companyTypes, error) {
	declared, revision, err := h.Store.ListSchemas(ctx, company)
	if err != nil {
		return nil, err
	}
	if len(declared) == 0 {
		return &h.common, nil
	}
	if known, ok := h.declared.Load(company); ok && known.(*companyTypes).revision == revision {
		return known.(*companyTypes), nil
	}
	c := h.Config
	if c.Registry, err = withDeclared(h.Registry, declared); err != nil {
		return nil, fmt.Errorf("the schemas of company %s: %w", company, err)
	}
	types := &companyTypes{revision: revision, registry: c.Registry}
	if types.discovery, err = newDiscovery(c); err != nil {
		return nil, err
	}
	h.declared.Store(company, types)
	return types, nil
}
