package storetest

import (
	"bytes"
	"context"
	"slices"

	"usher/store"
)

// groupRow is a group with the claim under which it holds its name, and the change of its members that is being carried out.
type groupRow struct {
	store.Group
	name   string
	change *rowChange
	groups []string // ids of the groups in it, sorted; some may be gone
}

// rowChange is what is to be written to the membership records. It carries the group's version, so that carrying it out late,
// or twice, does not undo what came after.
type rowChange struct {
	version  int64
	in, out  []string // account ids
	freeName string   // the group's name before a rename or its deletion, given up with claim
	claim    string
}

const groupName = "Group.Name"

// presentGroup gives the group as callers see it.
func (m *Map) presentGroup(row groupRow) store.Group {
	g := row.Group
	g.Doc = slices.Clone(g.Doc)
	g.Members = len(m.membersOf(g.Company, g.ID))
	g.Groups = len(m.subgroups(row))
	return g
}

// Group implements [store.Groups].
func (m *Map) Group(ctx context.Context, company, id string) (store.Group, error) {
	end, err := m.begin(ctx)
	if err != nil {
		return store.Group{}, err
	}
	defer end()
	row, err := m.groups.read(join(company, id))
	if err != nil {
		return store.Group{}, err
	}
	return m.presentGroup(row), nil
}

// CreateGroup implements [store.Groups].
func (m *Map) CreateGroup(ctx context.Context, g store.Group, members, groups []string, sweep *store.Sweep, events []store.Event) (store.Group, error) {
	end, err := m.begin(ctx)
	if err != nil {
		return store.Group{}, err
	}
	defer end()
	members, groups = distinct(members), distinct(groups)
	if err := m.known(g.Company, members); err != nil {
		return store.Group{}, err
	}
	if err := m.checkSubgroups(g, nil, groups); err != nil {
		return store.Group{}, err
	}
	k, claim := join(g.Company, g.ID), store.NewID()
	if err := m.claimName(groupName, g.Company, g.Name, k, claim); err != nil {
		return store.Group{}, err
	}
	g.Version = 1
	g.Doc = slices.Clone(g.Doc)
	row := groupRow{Group: g, name: claim, groups: groups, change: &rowChange{version: 1, in: members}}
	if !m.groups.insert(k, fact[groupRow]{value: row, open: true, outbox: notices(sweep, events)}) {
		m.freeName(groupName, g.Company, g.Name, claim)
		return store.Group{}, &store.ConflictError{Field: "ID", Value: g.ID}
	}
	m.carryOut(k)
	return m.presentGroup(row), nil
}

// ChangeGroup implements [store.Groups].
func (m *Map) ChangeGroup(ctx context.Context, c store.GroupChange) (store.GroupChanged, error) {
	end, err := m.begin(ctx)
	if err != nil {
		return store.GroupChanged{}, err
	}
	defer end()
	return m.changeGroup(c)
}

// changeGroup makes the change on the group's record, again for as long as somebody else comes in between.
func (m *Map) changeGroup(c store.GroupChange) (store.GroupChanged, error) {
	k, claim := join(c.Company, c.ID), store.NewID()
	news := notices(c.Sweep, c.Events)
	for {
		m.carryOut(k) // what is decided below holds for the rows as they will be
		old, revision, ok := m.groups.get(k)
		switch {
		case !ok || old.gone:
			return store.GroupChanged{}, store.ErrNotFound
		case c.IfVersion != 0 && old.value.Version != c.IfVersion:
			return store.GroupChanged{}, store.ErrVersion
		case old.open:
			continue
		}
		next, changed, err := m.plan(old.value, c)
		if err != nil {
			return store.GroupChanged{}, err
		}
		if !changed {
			return store.GroupChanged{Group: m.presentGroup(old.value)}, nil
		}
		renamed := next.Name != old.value.Name
		if renamed {
			if err := m.claimName(groupName, c.Company, next.Name, k, claim); err != nil {
				return store.GroupChanged{}, err
			}
			next.name = claim
			next.change.freeName, next.change.claim = old.value.Name, old.value.name
		}
		fact := old.with(next, news)
		fact.open = true
		if m.groups.replace(k, revision, fact) {
			m.carryOut(k)
			return store.GroupChanged{
				Group:   m.presentGroup(next),
				Changed: true,
				Added:   len(next.change.in),
				Removed: len(next.change.out),
			}, nil
		}
		if renamed {
			m.freeName(groupName, c.Company, next.Name, claim)
		}
	}
}

// plan gives the group after the change, with what is to be done to the membership records.
func (m *Map) plan(g groupRow, c store.GroupChange) (next groupRow, changed bool, err error) {
	add := distinct(c.Members.Add)
	if err := m.known(c.Company, add); err != nil {
		return g, false, err
	}
	change := &rowChange{version: g.Version + 1}
	for _, id := range add {
		if !m.isMember(c.Company, c.ID, id) {
			change.in = append(change.in, id)
		}
	}
	if c.Members.Exactly {
		for _, id := range m.membersOf(c.Company, c.ID) {
			if !slices.Contains(add, id) {
				change.out = append(change.out, id)
			}
		}
	} else {
		for _, id := range distinct(c.Members.Remove) {
			if m.isMember(c.Company, c.ID, id) {
				change.out = append(change.out, id)
			}
		}
	}
	had := m.subgroups(g)
	groups := had
	if c.Members.Exactly {
		groups = nil
	} else {
		groups = slices.DeleteFunc(slices.Clone(groups), func(id string) bool { return slices.Contains(c.Members.RemoveGroups, id) })
	}
	groups = distinct(append(slices.Clone(groups), c.Members.AddGroups...))
	if err := m.checkSubgroups(g.Group, had, groups); err != nil {
		return g, false, err
	}
	g.groups = groups
	changed = len(change.in)+len(change.out) > 0 || !slices.Equal(had, groups)
	if w := c.Group; w != nil {
		changed = changed || w.Name != g.Name || w.Display != g.Display || w.ExternalID != g.ExternalID || !bytes.Equal(w.Doc, g.Doc)
		g.Name, g.Display, g.ExternalID, g.Doc = w.Name, w.Display, w.ExternalID, slices.Clone(w.Doc)
	}
	g.Version = change.version
	g.Modified = c.Modified
	g.change = change
	return g, changed, nil
}

// DeleteGroup implements [store.Groups].
func (m *Map) DeleteGroup(ctx context.Context, company, id string, ifVersion int64, sweep *store.Sweep, events []store.Event) error {
	end, err := m.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	k := join(company, id)
	news := notices(sweep, events)
	for {
		m.carryOut(k)
		old, revision, ok := m.groups.get(k)
		switch {
		case !ok || old.gone:
			return store.ErrNotFound
		case ifVersion != 0 && old.value.Version != ifVersion:
			return store.ErrVersion
		case old.open:
			continue
		}
		next := old.value
		next.Version++
		next.change = &rowChange{version: next.Version, freeName: next.Name, claim: next.name}
		for _, row := range m.rowsIn(company, id) {
			next.change.out = append(next.change.out, row.account)
		}
		fact := old.with(next, news)
		fact.gone, fact.open = true, true
		if m.groups.replace(k, revision, fact) {
			m.carryOut(k)
			m.leaveSupergroups(company, id)
			return nil
		}
	}
}

// carryOut does what the group's record says is to be done to the membership records, if anything is. Several may do it at once.
func (m *Map) carryOut(k string) {
	got, _, ok := m.groups.get(k)
	if !ok || !got.open {
		return
	}
	g, change := got.value, got.value.change
	for _, id := range change.in {
		m.setMember(g.Company, g.ID, id, true, change.version)
	}
	for _, id := range change.out {
		m.setMember(g.Company, g.ID, id, false, change.version)
	}
	if change.freeName != "" {
		m.freeName(groupName, g.Company, change.freeName, change.claim)
	}
	// errNothing says that somebody else was through first; a deleted group may even be removed.
	_ = m.groups.update(k, func(old fact[groupRow]) (fact[groupRow], error) {
		if !old.open || old.value.Version != change.version {
			return old, errNothing
		}
		old.open, old.value.change = false, nil
		return old, nil
	})
	m.groups.clear(k)
	// An account that was deleted while it was added left before it came.
	for _, id := range change.in {
		if _, err := m.accounts.read(join(g.Company, id)); err != nil {
			m.leave(g.Company, g.ID, id)
		}
	}
}

// known fails with *store.UnknownMemberError unless all accounts exist.
func (m *Map) known(company string, accounts []string) error {
	for _, id := range accounts {
		if _, err := m.accounts.read(join(company, id)); err != nil {
			return &store.UnknownMemberError{ID: id}
		}
	}
	return nil
}

func distinct(ids []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(ids)))
}
