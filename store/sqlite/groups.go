package sqlite

import (
	"context"
	"encoding/json"
	"fmt"

	"usher/store"
)

// groupColumns are what scanGroup reads, of groups under the name t.
const groupColumns = "t.pk, t.id, t.ver, t.dn, t.display, t.ext, t.n_members, t.created, t.modified, t.doc, t.n_groups"

func scanGroup(r *rows, company string) store.Group {
	return store.Group{
		ID: r.text(1), Company: company, Version: r.int(2), Name: r.text(3), Display: r.text(4), ExternalID: r.text(5),
		Members: int(r.int(6)), Created: r.time(7), Modified: r.time(8), Doc: r.blob(9), Groups: int(r.int(10)),
	}
}

// group reads one group and its pk.
func (c *conn) group(co int64, company, id string) (g store.Group, pk int64, err error) {
	found, err := c.one(func(r *rows) { g, pk = scanGroup(r, company), r.int(0) },
		"SELECT "+groupColumns+" FROM groups t WHERE t.co = ? AND t.id = ?", co, id)
	return g, pk, orNotFound(found, err)
}

// Group implements [store.Groups].
func (s *Store) Group(ctx context.Context, company, id string) (g store.Group, err error) {
	err = s.readCompany(ctx, company, func(c *conn, co int64) error {
		s.rowsRead.Add(1)
		g, _, err = c.group(co, company, id)
		return err
	})
	return g, err
}

// ListGroups implements [store.Groups].
func (s *Store) ListGroups(ctx context.Context, company string, q store.Query) (store.GroupPage, error) {
	var page store.GroupPage
	l, err := s.list(ctx, groupKind{}, company, q, func(r *rows) (int, error) {
		g := scanGroup(r, company)
		page.Groups = append(page.Groups, g)
		return len(g.Doc), nil
	})
	page.Total, page.RowsRead, page.Keys = l.total, l.read, l.keys
	if err != nil {
		page.Groups = nil
	}
	return page, err
}

// Members implements [store.Groups].
func (s *Store) Members(ctx context.Context, company, group, after string, limit int) ([]store.Member, error) {
	var members []store.Member
	err := s.readCompany(ctx, company, func(c *conn, co int64) error {
		from, err := placeAfter(c, accountKind{}, co, after)
		if err != nil {
			return err
		}
		r := c.query(`SELECT t.id, t.display FROM members m CROSS JOIN users t ON t.pk = m.u
			WHERE m.g = (SELECT pk FROM groups WHERE co = ? AND id = ?) AND m.u > ? ORDER BY m.u LIMIT ?`, co, group, from, max(limit, 0))
		defer r.close()
		for r.next() {
			members = append(members, store.Member{ID: r.text(0), Display: r.text(1)})
		}
		s.rowsRead.Add(int64(len(members)))
		return r.err
	})
	return members, err
}

// Subgroups implements [store.Groups].
func (s *Store) Subgroups(ctx context.Context, company, group string) (found []store.Member, err error) {
	err = s.readCompany(ctx, company, func(c *conn, co int64) error {
		r := c.query(`SELECT t.id, t.display FROM subgroups m CROSS JOIN groups t ON t.pk = m.child
			WHERE m.g = (SELECT pk FROM groups WHERE co = ? AND id = ?) ORDER BY m.child`, co, group)
		for r.next() {
			found = append(found, store.Member{ID: r.text(0), Display: r.text(1)})
		}
		return r.err
	})
	return found, err
}

// Supergroups implements [store.Groups].
func (s *Store) Supergroups(ctx context.Context, company string, groups []string) (map[string][]store.Membership, error) {
	list, err := idList(groups)
	if err != nil {
		return nil, err
	}
	of := make(map[string][]store.Membership)
	if !s.nested.Load() {
		return of, nil
	}
	err = s.readCompany(ctx, company, func(c *conn, co int64) error {
		r := c.query(`SELECT t.id, g.id, g.display FROM (SELECT DISTINCT value FROM json_each(?)) j
			CROSS JOIN groups t ON t.co = ? AND t.id = j.value CROSS JOIN subgroups m ON m.child = t.pk CROSS JOIN groups g ON g.pk = m.g
			ORDER BY m.g`, list, co)
		for r.next() {
			of[r.text(0)] = append(of[r.text(0)], store.Membership{Group: r.text(1), Display: r.text(2)})
		}
		return r.err
	})
	return of, err
}

// MembershipsOf implements [store.Groups].
func (s *Store) MembershipsOf(ctx context.Context, company string, accounts []string) (map[string][]store.Membership, error) {
	list, err := json.Marshal(accounts)
	if err != nil {
		return nil, fmt.Errorf("sqlite: %w", err)
	}
	of := make(map[string][]store.Membership)
	err = s.readCompany(ctx, company, func(c *conn, co int64) error {
		r := c.query(`SELECT t.id, g.id, g.display FROM (SELECT DISTINCT value FROM json_each(?)) j
			CROSS JOIN users t ON t.co = ? AND t.id = j.value CROSS JOIN members m ON m.u = t.pk CROSS JOIN groups g ON g.pk = m.g
			ORDER BY m.g`, string(list), co)
		for r.next() {
			of[r.text(0)] = append(of[r.text(0)], store.Membership{Group: r.text(1), Display: r.text(2)})
		}
		return r.err
	})
	return of, err
}
