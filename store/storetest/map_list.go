package storetest

import (
	"cmp"
	"context"
	"slices"

	"usher/store"
	"usher/store/query"
)

// ListAccounts implements [store.Accounts].
func (m *Map) ListAccounts(ctx context.Context, company string, q store.Query) (store.AccountPage, error) {
	end, err := m.begin(ctx)
	if err != nil {
		return store.AccountPage{}, err
	}
	defer end()
	found, total, rows, err := page(q, m.candidates(company, q.Filter), func(k string) (query.Record, bool) {
		row, err := m.accounts.read(k)
		return accountRecord{m, row}, err == nil
	})
	if err != nil {
		return store.AccountPage{}, err
	}
	result := store.AccountPage{Total: total, RowsRead: rows}
	for _, r := range found {
		if q.Sort != nil {
			result.Keys = append(result.Keys, q.Sort.Key(r))
		}
		result.Accounts = append(result.Accounts, m.present(r.(accountRecord).row))
	}
	return result, nil
}

// ListGroups implements [store.Groups].
func (m *Map) ListGroups(ctx context.Context, company string, q store.Query) (store.GroupPage, error) {
	end, err := m.begin(ctx)
	if err != nil {
		return store.GroupPage{}, err
	}
	defer end()
	found, total, rows, err := page(q, m.groups.find(listed(company)), func(k string) (query.Record, bool) {
		row, err := m.groups.read(k)
		return groupRecord{m, row}, err == nil
	})
	if err != nil {
		return store.GroupPage{}, err
	}
	result := store.GroupPage{Total: total, RowsRead: rows}
	for _, r := range found {
		if q.Sort != nil {
			result.Keys = append(result.Keys, q.Sort.Key(r))
		}
		result.Groups = append(result.Groups, m.presentGroup(r.(groupRecord).row))
	}
	return result, nil
}

// page judges the candidates in order and cuts the page out of the matches.
func page(q store.Query, keys []string, read func(key string) (query.Record, bool)) (found []query.Record, total, rows int, err error) {
	if q.Sort != nil {
		return sortedPage(q, keys, read)
	}
	judge := query.Compile(q.Filter)
	skip := q.Offset
	for _, k := range keys {
		if !q.Total && len(found) >= q.Limit {
			break
		}
		if !q.Total && last(k) <= q.After {
			continue
		}
		if rows++; q.Budget > 0 && rows > q.Budget {
			return nil, 0, rows, store.ErrTooMany
		}
		r, ok := read(k)
		if !ok || !judge.Match(r) {
			continue
		}
		total++
		switch {
		case last(k) <= q.After, len(found) >= q.Limit:
		case skip > 0:
			skip--
		default:
			found = append(found, r)
		}
	}
	if !q.Total {
		total = -1
	}
	return found, total, rows, nil
}

// sortedPage judges all candidates, sorts the matches and cuts the page out of them.
func sortedPage(q store.Query, keys []string, read func(key string) (query.Record, bool)) (found []query.Record, total, rows int, err error) {
	type placed struct {
		record query.Record
		id     string
		key    query.SortKey
	}
	judge := query.Compile(q.Filter)
	var all []placed
	for _, k := range keys { // in creation order
		if rows++; q.Budget > 0 && rows > q.Budget {
			return nil, 0, rows, store.ErrTooMany
		}
		if r, ok := read(k); ok && judge.Match(r) {
			all = append(all, placed{r, last(k), q.Sort.Key(r)})
		}
	}
	total = len(all)
	slices.SortStableFunc(all, func(a, b placed) int { return q.Sort.Compare(a.key, b.key) })
	if q.After != "" {
		after := placed{id: q.After, key: q.AfterKey}
		all = slices.DeleteFunc(all, func(p placed) bool {
			return cmp.Or(q.Sort.Compare(p.key, after.key), cmp.Compare(p.id, after.id)) <= 0
		})
	}
	first := min(max(q.Offset, 0), len(all))
	for _, p := range all[first:min(first+max(q.Limit, 0), len(all))] {
		found = append(found, p.record)
	}
	if !q.Total {
		total = -1
	}
	return found, total, rows, nil
}

// candidates gives the keys of the accounts that the filter's plan leads to. Ranges and searches are not worth an index here.
func (m *Map) candidates(company string, filter query.Node) []string {
	if filter == nil {
		return m.accounts.find(listed(company))
	}
	plan := query.MakePlan(filter, m.indexes, func(leaf query.Leaf, limit int) int {
		return min(limit, len(m.accounts.find(indexed(company, leaf.Path, leaf.Value))))
	})
	keys, ok := m.reach(company, plan.Access)
	if !ok {
		return m.accounts.find(listed(company))
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// reach gives the keys of an access that is made of lookups only.
func (m *Map) reach(company string, a query.Access) (keys []string, ok bool) {
	switch a.Way {
	case query.None:
		return nil, true
	case query.Lookup:
		return m.accounts.find(indexed(company, a.Leaf.Path, a.Leaf.Value)), true
	case query.Union:
		for _, of := range a.Of {
			more, ok := m.reach(company, of)
			if !ok {
				return nil, false
			}
			keys = append(keys, more...)
		}
		return keys, true
	}
	return nil, false
}

// accountRecord is an account as the judge sees it, with its groups.
type accountRecord struct {
	m   *Map
	row accountRow
}

func (r accountRecord) Document() []byte { return r.row.Doc }

func (r accountRecord) Column(path string) []string {
	var all []string
	switch path {
	case store.ColumnGroups:
		for _, g := range r.m.groupsOf(r.row.Company, r.row.ID) {
			all = append(all, g.ID)
		}
		return all
	case store.ColumnGroupElements:
		for _, g := range r.m.groupsOf(r.row.Company, r.row.ID) {
			all = append(all, store.ReferenceElement(g.ID, g.Display, store.ElementDirect))
		}
		return all
	}
	return r.row.Column(path)
}

// groupRecord is a group as the judge sees it, with its members.
type groupRecord struct {
	m   *Map
	row groupRow
}

func (r groupRecord) Document() []byte { return r.row.Doc }

func (r groupRecord) Column(path string) []string {
	var all []string
	switch path {
	case store.ColumnMembers:
		return append(r.m.membersOf(r.row.Company, r.row.ID), r.m.subgroups(r.row)...)
	case store.ColumnMemberElements:
		for _, id := range r.m.membersOf(r.row.Company, r.row.ID) {
			if a, err := r.m.accounts.read(join(r.row.Company, id)); err == nil {
				all = append(all, store.ReferenceElement(id, a.Display, store.ElementUser))
			}
		}
		for _, id := range r.m.subgroups(r.row) {
			if g, err := r.m.groups.read(join(r.row.Company, id)); err == nil {
				all = append(all, store.ReferenceElement(id, g.Display, store.ElementGroup))
			}
		}
		return all
	}
	return r.row.Column(path)
}
