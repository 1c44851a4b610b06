package mongo

import (
	"context"
	"errors"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"

	"usher/store"
)

// The groups in a group are a list in its document, so that they change in one step with it. A list may name groups that are gone: they do not
// count. Whether a group would be in itself is looked up before the step, so two changes at once can close a circle.

// existingGroups gives those of some groups that exist, sorted.
func (s *Store) existingGroups(ctx context.Context, company string, ids []string) ([]string, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	names, err := s.displays(ctx, s.groups.Collection, company, ids)
	return slices.DeleteFunc(slices.Clone(ids), func(id string) bool {
		_, ok := names[id]
		return !ok
	}), err
}

// checkSubgroups says whether a group that has some groups can have others.
func (s *Store) checkSubgroups(ctx context.Context, company, group string, had, groups []string) error {
	fresh := without(groups, had)
	there, err := s.existingGroups(ctx, company, fresh)
	if err != nil {
		return err
	}
	if unknown := without(fresh, there); len(unknown) > 0 {
		return &store.UnknownMemberError{ID: unknown[0]}
	}
	for _, id := range fresh {
		below, err := s.isBelow(ctx, company, id, group)
		if err != nil {
			return err
		}
		if below {
			return &store.CycleError{Group: group, Member: id}
		}
	}
	if len(groups) > store.MaxSubgroups {
		return store.ErrTooMany
	}
	return nil
}

// isBelow says whether a group is another or somewhere in it. It looks at one level of groups after the other.
func (s *Store) isBelow(ctx context.Context, company, top, id string) (bool, error) {
	seen := map[string]bool{}
	level := []string{top}
	for len(level) > 0 {
		if slices.Contains(level, id) {
			return true, nil
		}
		var found []fact[struct{}]
		filter := bson.D{field("_id", bson.D{field("$in", level)}), field("co", company), present}
		if err := findAll(ctx, s, s.groups.Collection, filter, &found); err != nil {
			return false, err
		}
		for _, g := range level {
			seen[g] = true
		}
		level = nil
		for _, f := range found {
			for _, child := range f.Group.Subgroups {
				if !seen[child] {
					level = append(level, child)
				}
			}
		}
		level = distinct(level)
	}
	return false, nil
}

// leaveSupergroups takes a deleted group out of the groups that it was in, whose versions grow by it.
func (s *Store) leaveSupergroups(ctx context.Context, company, id string) error {
	return s.try(ctx, func(ctx context.Context) error {
		_, err := s.groups.UpdateMany(ctx, bson.D{field("co", company), field("k", term(subgroupTerm, id))}, bson.D{
			{Key: "$pull", Value: bson.D{field("sub", id), field("k", term(subgroupTerm, id))}},
			{Key: "$inc", Value: bson.D{field("v.version", int64(1))}},
		})
		return err
	})
}

// Subgroups implements [store.Groups].
func (s *Store) Subgroups(ctx context.Context, company, group string) ([]store.Member, error) {
	end, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	f, err := s.groups.get(ctx, in(company, group))
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	names, err := s.displays(ctx, s.groups.Collection, company, f.Group.Subgroups)
	if err != nil {
		return nil, err
	}
	var all []store.Member
	for _, id := range f.Group.Subgroups {
		if name, ok := names[id]; ok {
			all = append(all, store.Member{ID: id, Display: name})
		}
	}
	return all, nil
}

// Supergroups implements [store.Groups].
func (s *Store) Supergroups(ctx context.Context, company string, groups []string) (map[string][]store.Membership, error) {
	end, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	groups, err = s.existingGroups(ctx, company, distinct(groups))
	if err != nil {
		return nil, err
	}
	all := map[string][]store.Membership{}
	for some := range slices.Chunk(groups, inBatches) {
		terms := make([]string, len(some))
		for i, id := range some {
			terms[i] = term(subgroupTerm, id)
		}
		var found []fact[store.Group]
		filter := bson.D{field("co", company), field("k", bson.D{field("$in", terms)})}
		if err := findAll(ctx, s, s.groups.Collection, filter, &found, byCreation); err != nil {
			return nil, err
		}
		for _, f := range found {
			for _, child := range f.Group.Subgroups {
				if _, asked := slices.BinarySearch(some, child); asked {
					all[child] = append(all[child], store.Membership{Group: f.ID, Display: f.Value.Display})
				}
			}
		}
	}
	return all, nil
}
