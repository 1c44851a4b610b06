package storetest

import (
	"context"

	"usher/store"
)

// memberRow is one account in, or formerly in, one group. A row that is out stays, so that a change carried out late sees by the
// version that a later one was there before.
type memberRow struct {
	company, group, account string
	in                      bool
	version                 int64 // of the group
}

func (r memberRow) terms() []string {
	if !r.in {
		return nil
	}
	return []string{join("group", r.company, r.group), join("account", r.company, r.account)}
}

// setMember writes a membership as of a version of the group, and lets the account's groups version grow.
func (m *Map) setMember(company, group, account string, in bool, version int64) {
	k := join(company, group, account)
	row := memberRow{company, group, account, in, version}
	if !m.members.insert(k, row) {
		// errNothing says that a later change was there before; rows are never removed.
		_ = m.members.update(k, func(old memberRow) (memberRow, error) {
			if old.version >= version {
				return old, errNothing
			}
			return row, nil
		})
	}
	// Whether or not this call moved the row: who moved it may have died before this step. An account that is gone needs none.
	_ = m.accounts.update(join(company, account), func(old fact[accountRow]) (fact[accountRow], error) {
		if old.gone {
			return old, errNothing
		}
		old.value.GroupsVersion++
		return old, nil
	})
}

// leave takes an account that is deleted out of a group.
func (m *Map) leave(company, group, account string) {
	for {
		k := join(company, group)
		m.carryOut(k)
		old, revision, ok := m.groups.get(k)
		if !ok || old.gone {
			return // and its rows go with it
		}
		row, _, _ := m.members.get(join(company, group, account))
		if !row.in {
			return
		}
		if old.open {
			continue
		}
		next := old.value
		next.Version++
		next.change = &rowChange{version: next.Version, out: []string{account}}
		fact := old.with(next, nil)
		fact.open = true
		if m.groups.replace(k, revision, fact) {
			m.carryOut(k)
			return
		}
	}
}

func (m *Map) rows(term string) []memberRow {
	var all []memberRow
	for _, k := range m.members.find(term) {
		if row, _, ok := m.members.get(k); ok && row.in {
			all = append(all, row)
		}
	}
	return all
}

// rowsIn gives the membership records of a group, rowsOf those of an account, be the other end deleted or not.
func (m *Map) rowsIn(company, group string) []memberRow {
	return m.rows(join("group", company, group))
}

func (m *Map) rowsOf(company, account string) []memberRow {
	return m.rows(join("account", company, account))
}

// membersOf gives the ids of the members of a group, in creation order.
func (m *Map) membersOf(company, group string) []string {
	var ids []string
	for _, row := range m.rowsIn(company, group) {
		if _, err := m.accounts.read(join(company, row.account)); err == nil {
			ids = append(ids, row.account)
		}
	}
	return ids
}

// groupsOf gives the groups of an account, in creation order.
func (m *Map) groupsOf(company, account string) []groupRow {
	var all []groupRow
	for _, row := range m.rowsOf(company, account) {
		if g, err := m.groups.read(join(company, row.group)); err == nil {
			all = append(all, g)
		}
	}
	return all
}

func (m *Map) isMember(company, group, account string) bool {
	row, _, _ := m.members.get(join(company, group, account))
	if !row.in {
		return false
	}
	_, groupErr := m.groups.read(join(company, group))
	_, accountErr := m.accounts.read(join(company, account))
	return groupErr == nil && accountErr == nil
}

// Members implements [store.Groups].
func (m *Map) Members(ctx context.Context, company, group, after string, limit int) ([]store.Member, error) {
	end, err := m.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	var all []store.Member
	for _, row := range m.rowsIn(company, group) {
		if len(all) == limit {
			break
		}
		if row.account <= after {
			continue
		}
		if a, err := m.accounts.read(join(company, row.account)); err == nil {
			all = append(all, store.Member{ID: a.ID, Display: a.Display})
		}
	}
	return all, nil
}

// MembershipsOf implements [store.Groups].
func (m *Map) MembershipsOf(ctx context.Context, company string, accounts []string) (map[string][]store.Membership, error) {
	end, err := m.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	all := make(map[string][]store.Membership)
	for _, id := range distinct(accounts) {
		if _, err := m.accounts.read(join(company, id)); err != nil {
			continue
		}
		for _, g := range m.groupsOf(company, id) {
			all[id] = append(all[id], store.Membership{Group: g.ID, Display: g.Display})
		}
	}
	return all, nil
}
