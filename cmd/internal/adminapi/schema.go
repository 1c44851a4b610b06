package adminapi

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"usher/scim/schema"
	"usher/store"
	"usher/store/query"
)

// Actions of the events of schemas.
const (
	ActionPutSchema    = "schema.put"
	ActionDeleteSchema = "schema.delete"
)

func (h *Handler) listSchemas(ctx context.Context, _ call, company store.Company) (any, error) {
	all, _, err := h.store.ListSchemas(ctx, company.ID)
	if err != nil {
		return nil, fmt.Errorf("list schemas: %w", err)
	}
	shown := list[Schema]{Items: []Schema{}}
	for _, s := range all {
		one, err := showSchema(s)
		if err != nil {
			return nil, err
		}
		shown.Items = append(shown.Items, one)
	}
	return shown, nil
}

// putSchema declares a schema, or puts it in the place of an earlier declaration that it extends.
func (h *Handler) putSchema(ctx context.Context, c call, company store.Company) (any, error) {
	var doc json.RawMessage
	if err := c.read(&doc); err != nil {
		return nil, err
	}
	kind := c.PathValue("schema")
	parsed, err := schema.Parse(doc)
	if err != nil {
		return nil, problem(http.StatusBadRequest, "The schema cannot be used: %v.", err)
	}
	h.schemas.Lock()
	defer h.schemas.Unlock()
	declared, _, err := h.store.ListSchemas(ctx, company.ID)
	if err != nil {
		return nil, fmt.Errorf("list schemas: %w", err)
	}
	var others []schema.Declared
	for _, s := range declared {
		earlier, err := schema.Parse(s.Doc)
		if err != nil {
			return nil, fmt.Errorf("schema %s: %w", s.URN, err)
		}
		if !strings.EqualFold(s.URN, parsed.URN) {
			others = append(others, schema.Declared{Type: s.Type, Schema: earlier})
			continue
		}
		if s.Type != kind {
			return nil, problem(http.StatusConflict, "The schema %s extends %s; remove it before it can extend %s.", s.URN, s.Type, kind)
		}
		if err := parsed.Extends(earlier); err != nil {
			return nil, problem(http.StatusConflict, "The schema cannot take the place of the one there is: %v.", err)
		}
	}
	if len(others) >= schema.MaxDeclared {
		return nil, problem(http.StatusConflict, "A company may have %d schemas of its own at most.", schema.MaxDeclared)
	}
	if _, err := h.registry.With(append(others, schema.Declared{Type: kind, Schema: parsed})); err != nil {
		return nil, problem(http.StatusConflict, "The schema cannot be used: %v.", err)
	}
	events, err := c.event(ActionPutSchema, parsed.URN, map[string]string{"type": kind})
	if err != nil {
		return nil, err
	}
	s := store.Schema{Company: company.ID, URN: parsed.URN, Type: kind, Doc: doc, Created: c.now}
	if err := h.store.PutSchema(ctx, s, events); err != nil {
		return nil, fmt.Errorf("put schema %s: %w", s.URN, err)
	}
	return showSchema(s)
}

// removeSchema takes a schema away that nobody has values of: else they would be there and nowhere to be seen.
func (h *Handler) removeSchema(ctx context.Context, c call, company store.Company) (any, error) {
	urn := c.PathValue("schema")
	h.schemas.Lock()
	defer h.schemas.Unlock()
	all, _, err := h.store.ListSchemas(ctx, company.ID)
	if err != nil {
		return nil, fmt.Errorf("list schemas: %w", err)
	}
	for _, s := range all {
		if !strings.EqualFold(s.URN, urn) {
			continue
		}
		n, err := h.carriers(ctx, company, s)
		if err != nil {
			return nil, err
		}
		if n > 0 {
			return nil, problem(http.StatusConflict,
				"%d of the company's %ss have values of the schema %s: let the identity provider take them away first.", n, s.Type, s.URN)
		}
		events, err := c.event(ActionDeleteSchema, s.URN, map[string]string{"type": s.Type})
		if err != nil {
			return nil, err
		}
		if err := h.store.DeleteSchema(ctx, company.ID, s.URN, events); err != nil {
			return nil, fmt.Errorf("delete schema %s: %w", s.URN, err)
		}
		return nil, nil
	}
	return nil, problem(http.StatusNotFound, "The company has no schema %q; \"usher schema list\" shows those it has.", urn)
}

// carriers counts the resources that have values of a schema.
func (h *Handler) carriers(ctx context.Context, company store.Company, s store.Schema) (int, error) {
	q := store.Query{Filter: query.Leaf{Path: s.URN, Op: query.Present, Type: query.String}, Total: true}
	if s.Type == "Group" {
		page, err := h.store.ListGroups(ctx, company.ID, q)
		return page.Total, err
	}
	page, err := h.store.ListAccounts(ctx, company.ID, q)
	return page.Total, err
}

func showSchema(s store.Schema) (Schema, error) {
	parsed, err := schema.Parse(s.Doc)
	if err != nil {
		return Schema{}, fmt.Errorf("schema %s: %w", s.URN, err)
	}
	return Schema{URN: s.URN, Type: s.Type, Name: parsed.Name, Attributes: len(parsed.Attributes), Created: s.Created, Document: s.Doc}, nil
}
