package sqlite

import (
	"context"
	"slices"
	"strings"
	"time"

	"usher/store"
)

// loadSchemas reads the declared schemas of a company. They are kept with it, because every request asks for them.
func (c *company) loadSchemas(from *conn) (err error) {
	r := from.query("SELECT urn, type, doc, created FROM schemas WHERE co = ? ORDER BY pk", c.co)
	for r.next() {
		c.schemas = append(c.schemas, store.Schema{Company: c.ID, URN: r.text(0), Type: r.text(1), Doc: r.blob(2), Created: r.time(3)})
	}
	if r.err != nil {
		return r.err
	}
	c.schemasRevision, err = from.integer("SELECT n_schemas FROM companies WHERE co = ?", c.co)
	return err
}

// changeSchemas replaces the schemas of a company by what change makes of them, after the commit. The slice given is not to be changed.
func (n *companies) changeSchemas(company string, revision int64, change func([]store.Schema) []store.Schema) {
	n.mu.Lock()
	defer n.mu.Unlock()
	c := n.id[company]
	c.schemas, c.schemasRevision = change(c.schemas), revision
}

// nextSchemas counts a change of the schemas and gives the revision after it.
func (t *tx) nextSchemas(co int64) (int64, error) {
	if _, err := t.exec("UPDATE companies SET n_schemas = n_schemas + 1 WHERE co = ?", co); err != nil {
		return 0, err
	}
	return t.integer("SELECT n_schemas FROM companies WHERE co = ?", co)
}

// PutSchema implements [store.Schemas].
func (s *Store) PutSchema(ctx context.Context, schema store.Schema, events []store.Event) error {
	events, err := prepareEvents(events)
	if err != nil {
		return err
	}
	s.schemasTurn.Lock() // what is remembered must change in the order of the commits
	defer s.schemasTurn.Unlock()
	var revision int64
	err = s.writeCompany(ctx, schema.Company, func(t *tx, co int64) error {
		if _, err := t.exec(`INSERT INTO schemas (co, urn, type, doc, created) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT (co, urn) DO UPDATE SET urn = excluded.urn, type = excluded.type, doc = excluded.doc`,
			co, schema.URN, schema.Type, schema.Doc, schema.Created); err != nil {
			return err
		}
		if revision, err = t.nextSchemas(co); err != nil {
			return err
		}
		return t.log(co, events)
	})
	if err != nil {
		return err
	}
	schema.Created = time.UnixMilli(schema.Created.UnixMilli()).UTC() // as it is stored
	s.companies.changeSchemas(schema.Company, revision, func(all []store.Schema) []store.Schema {
		all = slices.Clone(all)
		i := slices.IndexFunc(all, func(other store.Schema) bool { return strings.EqualFold(other.URN, schema.URN) })
		if i < 0 {
			return append(all, schema)
		}
		schema.Created = all[i].Created
		all[i] = schema
		return all
	})
	return nil
}

// DeleteSchema implements [store.Schemas].
func (s *Store) DeleteSchema(ctx context.Context, company, urn string, events []store.Event) error {
	events, err := prepareEvents(events)
	if err != nil {
		return err
	}
	s.schemasTurn.Lock()
	defer s.schemasTurn.Unlock()
	var revision int64
	err = s.writeCompany(ctx, company, func(t *tx, co int64) error {
		n, err := t.exec("DELETE FROM schemas WHERE co = ? AND urn = ?", co, urn)
		if err := orNotFound(n > 0, err); err != nil {
			return err
		}
		if revision, err = t.nextSchemas(co); err != nil {
			return err
		}
		return t.log(co, events)
	})
	if err == nil {
		s.companies.changeSchemas(company, revision, func(all []store.Schema) []store.Schema {
			return slices.DeleteFunc(slices.Clone(all), func(other store.Schema) bool { return strings.EqualFold(other.URN, urn) })
		})
	}
	return err
}

// ListSchemas implements [store.Schemas].
func (s *Store) ListSchemas(ctx context.Context, company string) ([]store.Schema, int64, error) {
	if err := s.readers.check(ctx); err != nil {
		return nil, 0, err
	}
	s.companies.mu.RLock()
	defer s.companies.mu.RUnlock()
	if c := s.companies.id[company]; c != nil {
		return c.schemas, c.schemasRevision, nil
	}
	return nil, 0, nil
}
