package mongo

import (
	"bytes"
	"context"
	"errors"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"usher/store"
)

// groupSide is what the document of a group has beside it.
type groupSide struct {
	Members   int         `bson:"nm,omitempty"`
	Subgroups []string    `bson:"sub,omitempty"`    // ids of the groups in it, sorted; some may be gone
	Change    *rowsChange `bson:"change,omitempty"` // of the members, that is being carried out
	Late      []string    `bson:"late,omitempty"`   // accounts that were deleted while they were added, and are to be taken out
}

// rowsChange is what is to be written to the membership documents. It carries the group's version, so that carrying it out late, or twice, does
// not undo what came after. Of a group that is deleted all rows go.
type rowsChange struct {
	Version int64 `bson:"ver"`
	In      idSet `bson:"in,omitempty"` // ids of accounts
	Out     idSet `bson:"out,omitempty"`
}

const groupNameKey = "displayName"

func groupKeys(g *store.Group) []string { return []string{key("id", g.ID), key(groupNameKey, g.Name)} }

func groupTerms(g *store.Group, subgroups []string) []string {
	all := []string{everyTerm, term(groupNameKey, g.Name)}
	if g.ExternalID != "" {
		all = append(all, term("externalId", g.ExternalID))
	}
	for _, id := range subgroups {
		all = append(all, term(subgroupTerm, id))
	}
	return all
}

// presentGroup gives the group as callers see it.
func (s *Store) presentGroup(ctx context.Context, f fact[store.Group]) (store.Group, error) {
	g := f.Value
	g.Members = f.Group.Members
	there, err := s.existingGroups(ctx, f.Company, f.Group.Subgroups)
	g.Groups = len(there)
	return g, err
}

// Group implements [store.Groups].
func (s *Store) Group(ctx context.Context, company, id string) (store.Group, error) {
	end, err := s.begin(ctx)
	if err != nil {
		return store.Group{}, err
	}
	defer end()
	// Its version says what members it has, so they are written first where that is outstanding.
	f, err := s.settledGroup(ctx, company, id)
	if err != nil {
		return store.Group{}, err
	}
	return s.presentGroup(ctx, f)
}

// CreateGroup implements [store.Groups].
func (s *Store) CreateGroup(ctx context.Context, g store.Group, members, groups []string, sweep *store.Sweep, events []store.Event) (store.Group, error) {
	ctx, end, err := s.beginWrite(ctx)
	if err != nil {
		return store.Group{}, err
	}
	defer end()
	members, groups = distinct(members), distinct(groups)
	if err := s.knownAccounts(ctx, g.Company, members); err != nil {
		return store.Group{}, err
	}
	if err := s.checkSubgroups(ctx, g.Company, g.ID, nil, groups); err != nil {
		return store.Group{}, err
	}
	g.Version, g.Members, g.Groups = 1, 0, 0
	f := fact[store.Group]{ID: g.ID, Company: g.Company, Value: g, Keys: groupKeys(&g), Terms: groupTerms(&g, groups)}
	f.Open = len(members) > 0
	f.Group.Subgroups, f.Group.Members = groups, len(members)
	if f.Open {
		f.Group.Change = &rowsChange{Version: 1, In: members}
	}
	news := notices(sweep, events)
	err = s.groups.create(ctx, f, news)
	for try := 1; mongo.IsDuplicateKeyError(err); try++ {
		if taken := s.groupConflict(ctx, &g, true); taken != nil {
			return store.Group{}, taken
		}
		if try == commitTries {
			return store.Group{}, unavailable(ctx, err)
		}
		err = s.groups.create(ctx, f, news)
	}
	if err == nil {
		err = s.carryAll(ctx, g.Company, news)
	}
	if err == nil {
		err = s.carryOut(ctx, g.Company, g.ID)
	}
	if err != nil {
		return store.Group{}, err
	}
	return s.presentGroup(ctx, f)
}

// groupConflict gives the error of a group's name that another has, or of its id; nil when there is neither any more.
func (s *Store) groupConflict(ctx context.Context, g *store.Group, create bool) error {
	other, err := s.groups.get(ctx, bson.D{field("co", g.Company), field("u", key(groupNameKey, g.Name))})
	switch {
	case err == nil && other.ID != g.ID:
		return &store.ConflictError{Field: "Group.Name", Value: g.Name}
	case err != nil && !errors.Is(err, store.ErrNotFound):
		return err
	case !create:
		return nil
	}
	if _, err = s.groups.get(ctx, byID(g.ID)); errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err == nil {
		err = &store.ConflictError{Field: "ID", Value: g.ID}
	}
	return err
}

// ChangeGroup implements [store.Groups].
func (s *Store) ChangeGroup(ctx context.Context, c store.GroupChange) (store.GroupChanged, error) {
	ctx, end, err := s.beginWrite(ctx)
	if err != nil {
		return store.GroupChanged{}, err
	}
	defer end()
	return s.changeGroup(ctx, c)
}

// changeGroup makes the change on the group's document, again for as long as somebody else comes in between.
func (s *Store) changeGroup(ctx context.Context, c store.GroupChange) (store.GroupChanged, error) {
	news := notices(c.Sweep, c.Events)
	for {
		old, err := s.settledGroup(ctx, c.Company, c.ID)
		if err != nil {
			return store.GroupChanged{}, err
		}
		if c.IfVersion != 0 && old.Value.Version != c.IfVersion {
			return store.GroupChanged{}, store.ErrVersion
		}
		next, changed, err := s.planGroup(ctx, old, c)
		if err != nil {
			return store.GroupChanged{}, err
		}
		if !changed {
			g, err := s.presentGroup(ctx, old)
			return store.GroupChanged{Group: g}, err
		}
		fits, err := s.setGroup(ctx, old, next, news)
		if mongo.IsDuplicateKeyError(err) {
			if err = s.groupConflict(ctx, &next.Value, false); err != nil {
				return store.GroupChanged{}, err
			}
			continue // it is free by now
		}
		if err != nil {
			return store.GroupChanged{}, err
		}
		if !fits {
			continue
		}
		if err := s.carryAll(ctx, c.Company, news); err != nil {
			return store.GroupChanged{}, err
		}
		if err := s.carryOut(ctx, c.Company, c.ID); err != nil {
			return store.GroupChanged{}, err
		}
		result := store.GroupChanged{Changed: true}
		if next.Group.Change != nil {
			result.Added, result.Removed = len(next.Group.Change.In), len(next.Group.Change.Out)
		}
		result.Group, err = s.presentGroup(ctx, next)
		return result, err
	}
}

// settledGroup gives a group whose changes are carried out: what is decided on it holds for the rows. [store.ErrNotFound].
func (s *Store) settledGroup(ctx context.Context, company, id string) (fact[store.Group], error) {
	for {
		f, err := s.groups.get(ctx, in(company, id))
		if err != nil || !f.Open {
			return f, err
		}
		if err := s.carryOut(ctx, company, id); err != nil {
			return f, err
		}
	}
}

// setGroup writes a group if it is as it was.
func (s *Store) setGroup(ctx context.Context, old, next fact[store.Group], news []notice) (fits bool, err error) {
	update := set(field("v", next.Value), field("u", next.Keys), field("k", next.Terms), field("nm", next.Group.Members), field("sub", next.Group.Subgroups))
	if next.Group.Change != nil {
		update = with(update, "$set", field("open", true))
		update = with(update, "$set", field("change", next.Group.Change))
	}
	filter := append(in(old.Company, old.ID), field("v.version", old.Value.Version), field("open", nil))
	_, fits, err = s.groups.change(ctx, old.Company, filter, update, news)
	return fits, err
}

// planGroup gives the group after the change, with what is to be done to the membership documents.
func (s *Store) planGroup(ctx context.Context, old fact[store.Group], c store.GroupChange) (next fact[store.Group], changed bool, err error) {
	add := distinct(c.Members.Add)
	if err := s.knownAccounts(ctx, c.Company, add); err != nil {
		return old, false, err
	}
	change := rowsChange{Version: old.Value.Version + 1}
	if change.In, change.Out, err = s.planRows(ctx, old, c.Members, add); err != nil {
		return old, false, err
	}
	had, err := s.existingGroups(ctx, c.Company, old.Group.Subgroups)
	if err != nil {
		return old, false, err
	}
	var groups []string
	if !c.Members.Exactly {
		groups = slices.DeleteFunc(slices.Clone(had), func(id string) bool { return slices.Contains(c.Members.RemoveGroups, id) })
	}
	groups = distinct(append(groups, c.Members.AddGroups...))
	if err := s.checkSubgroups(ctx, c.Company, c.ID, had, groups); err != nil {
		return old, false, err
	}
	next = old
	changed = len(change.In)+len(change.Out) > 0 || !slices.Equal(had, groups)
	if w := c.Group; w != nil {
		g := &next.Value
		changed = changed || w.Name != g.Name || w.Display != g.Display || w.ExternalID != g.ExternalID || !bytes.Equal(w.Doc, g.Doc)
		g.Name, g.Display, g.ExternalID, g.Doc = w.Name, w.Display, w.ExternalID, w.Doc
	}
	next.Value.Version, next.Value.Modified = change.Version, c.Modified
	next.Group.Subgroups, next.Group.Members = groups, old.Group.Members+len(change.In)-len(change.Out)
	next.Keys, next.Terms = groupKeys(&next.Value), groupTerms(&next.Value, groups)
	if len(change.In)+len(change.Out) > 0 {
		next.Group.Change = &change
	}
	return next, changed, nil
}

// planRows says which accounts come into the group and which leave it.
func (s *Store) planRows(ctx context.Context, old fact[store.Group], c store.MemberChange, add []string) (in, out []string, err error) {
	if c.Exactly {
		members, err := s.membersOf(ctx, old.Company, old.ID)
		if err != nil {
			return nil, nil, err
		}
		return without(add, members), without(members, add), nil
	}
	remove := distinct(c.Remove)
	there, err := s.membersAmong(ctx, old.Company, old.ID, distinct(slices.Concat(add, remove)))
	if err != nil {
		return nil, nil, err
	}
	for _, id := range add {
		if !there[id] {
			in = append(in, id)
		}
	}
	for _, id := range remove {
		if there[id] {
			out = append(out, id)
		}
	}
	return in, out, nil
}

// without gives those of a sorted list that are not in another.
func without(ids, other []string) []string {
	return slices.DeleteFunc(slices.Clone(ids), func(id string) bool {
		_, found := slices.BinarySearch(other, id)
		return found
	})
}

// DeleteGroup implements [store.Groups].
func (s *Store) DeleteGroup(ctx context.Context, company, id string, ifVersion int64, sweep *store.Sweep, events []store.Event) error {
	ctx, end, err := s.beginWrite(ctx)
	if err != nil {
		return err
	}
	defer end()
	news := notices(sweep, events)
	for {
		old, err := s.settledGroup(ctx, company, id)
		if err != nil {
			return err
		}
		if ifVersion != 0 && old.Value.Version != ifVersion {
			return store.ErrVersion
		}
		version := old.Value.Version + 1
		filter := append(in(company, id), field("v.version", old.Value.Version), field("open", nil))
		_, fits, err := s.groups.change(ctx, company, filter, bson.D{
			{Key: "$set", Value: bson.D{field("gone", true), field("open", true), field("u", []string{key("id", id)}),
				field("v.version", version), field("change", rowsChange{Version: version})}},
			{Key: "$unset", Value: bson.D{field("k", 1)}},
		}, news)
		if err != nil {
			return err
		}
		if !fits {
			continue
		}
		if err := s.carryAll(ctx, company, news); err != nil {
			return err
		}
		return s.carryOut(ctx, company, id)
	}
}
