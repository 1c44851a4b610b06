package storetest

import (
	"context"
	"slices"

	"usher/store"
)

// The groups in a group are a list in its record, so that they change in one step with it. A list may name groups that are gone: they
// do not count. Whether a group would be in itself is looked up before the step, so two changes at once can close a circle.

// subgroups gives the ids of the groups in a group that exist, in creation order.
func (m *Map) subgroups(g groupRow) []string {
	return slices.DeleteFunc(slices.Clone(g.groups), func(id string) bool {
		_, err := m.groups.read(join(g.Company, id))
		return err != nil
	})
}

// checkSubgroups says whether a group that has some groups can have others.
func (m *Map) checkSubgroups(g store.Group, had, groups []string) error {
	for _, id := range groups {
		if slices.Contains(had, id) {
			continue
		}
		if _, err := m.groups.read(join(g.Company, id)); err != nil {
			return &store.UnknownMemberError{ID: id}
		}
		if m.isBelow(g.Company, id, g.ID, map[string]bool{}) {
			return &store.CycleError{Group: g.ID, Member: id}
		}
	}
	if len(groups) > store.MaxSubgroups {
		return store.ErrTooMany
	}
	return nil
}

// isBelow says whether a group is another or somewhere in it.
func (m *Map) isBelow(company, top, id string, seen map[string]bool) bool {
	if top == id {
		return true
	}
	if seen[top] {
		return false
	}
	seen[top] = true
	g, err := m.groups.read(join(company, top))
	return err == nil && slices.ContainsFunc(g.groups, func(child string) bool { return m.isBelow(company, child, id, seen) })
}

// leaveSupergroups lets the versions of the groups grow that had a deleted group in them.
func (m *Map) leaveSupergroups(company, id string) {
	for _, k := range m.groups.find(inGroup(company, id)) {
		// errNothing and not found say that somebody else was here before.
		_ = m.groups.update(k, func(old fact[groupRow]) (fact[groupRow], error) {
			if !slices.Contains(old.value.groups, id) {
				return old, errNothing
			}
			old.value.Version++
			old.value.groups = slices.DeleteFunc(slices.Clone(old.value.groups), func(other string) bool { return other == id })
			return old, nil
		})
	}
}

func inGroup(company, id string) string { return join("subgroup", company, id) }

// Subgroups implements [store.Groups].
func (m *Map) Subgroups(ctx context.Context, company, group string) ([]store.Member, error) {
	end, err := m.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	g, err := m.groups.read(join(company, group))
	if err != nil {
		return nil, nil
	}
	var all []store.Member
	for _, id := range m.subgroups(g) {
		if child, err := m.groups.read(join(company, id)); err == nil {
			all = append(all, store.Member{ID: id, Display: child.Display})
		}
	}
	return all, nil
}

// Supergroups implements [store.Groups].
func (m *Map) Supergroups(ctx context.Context, company string, groups []string) (map[string][]store.Membership, error) {
	end, err := m.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	all := make(map[string][]store.Membership)
	for _, id := range distinct(groups) {
		if _, err := m.groups.read(join(company, id)); err != nil {
			continue
		}
		for _, k := range m.groups.find(inGroup(company, id)) {
			if g, err := m.groups.read(k); err == nil {
				all[id] = append(all[id], store.Membership{Group: g.ID, Display: g.Display})
			}
		}
	}
	return all, nil
}
