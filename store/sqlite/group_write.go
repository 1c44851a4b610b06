package sqlite

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"usher/store"
)

// memberChange is a MemberChange made ready for the writer: the ids as JSON, so that a statement takes a list of any length.
type memberChange struct {
	add, remove string // JSON arrays; empty: none
	exactly     bool

	addGroups, removeGroups []string
}

func prepareMembers(c store.MemberChange) (p memberChange, err error) {
	p.exactly, p.addGroups, p.removeGroups = c.Exactly, c.AddGroups, c.RemoveGroups
	remove := c.Remove
	if len(c.Add) > 0 && len(remove) > 0 { // who is to be removed and added stays, or comes
		adding := make(map[string]bool, len(c.Add))
		for _, id := range c.Add {
			adding[id] = true
		}
		remove = slices.DeleteFunc(slices.Clone(remove), func(id string) bool { return adding[id] })
	}
	if len(c.Add) > 0 || c.Exactly {
		if p.add, err = idList(c.Add); err != nil {
			return p, err
		}
	}
	if len(remove) > 0 && !c.Exactly {
		p.remove, err = idList(remove)
	}
	return p, err
}

func idList(ids []string) (string, error) {
	if ids == nil {
		ids = []string{}
	}
	b, err := json.Marshal(ids)
	if err != nil {
		return "", fmt.Errorf("sqlite: %w", err)
	}
	return string(b), nil
}

// Those of the list ?1 that are accounts of company ?2; a statement goes on with what they are to the group ?3.
const (
	listed     = "SELECT u.pk FROM json_each(?1) j CROSS JOIN users u ON u.co = ?2 AND u.id = j.value"
	isMember   = "EXISTS (SELECT 1 FROM members m WHERE m.g = ?3 AND m.u = u.pk)"
	joinsGroup = "UPDATE users SET gver = gver + 1, n_groups = n_groups + 1 "
	leaveGroup = "UPDATE users SET gver = gver + 1, n_groups = n_groups - 1 "
)

// changeMembers carries out a change of a group's members and says how many came and went. Its cost is that of the lists unless
// exactly is set.
func (t *tx) changeMembers(co, g int64, c memberChange) (added, removed int64, err error) {
	if c.add != "" {
		unknown := ""
		found, err := t.one(func(r *rows) { unknown = r.text(0) },
			"SELECT j.value FROM json_each(?1) j WHERE NOT EXISTS (SELECT 1 FROM users u WHERE u.co = ?2 AND u.id = j.value) LIMIT 1", c.add, co)
		if err != nil {
			return 0, 0, err
		}
		if found {
			return 0, 0, &store.UnknownMemberError{ID: unknown}
		}
	}
	switch {
	case c.exactly:
		if removed, err = t.exec(leaveGroup+"WHERE pk IN (SELECT u FROM members WHERE g = ?3 AND u NOT IN ("+listed+"))", c.add, co, g); err != nil {
			return 0, 0, err
		}
		if removed > 0 {
			if _, err = t.exec("DELETE FROM members WHERE g = ?3 AND u NOT IN ("+listed+")", c.add, co, g); err != nil {
				return 0, 0, err
			}
		}
	case c.remove != "":
		if removed, err = t.exec(leaveGroup+"WHERE pk IN ("+listed+" WHERE "+isMember+")", c.remove, co, g); err != nil {
			return 0, 0, err
		}
		if removed > 0 {
			if _, err = t.exec("DELETE FROM members WHERE g = ?3 AND u IN ("+listed+")", c.remove, co, g); err != nil {
				return 0, 0, err
			}
		}
	}
	if c.add != "" {
		if added, err = t.exec(joinsGroup+"WHERE pk IN ("+listed+" WHERE NOT "+isMember+")", c.add, co, g); err != nil {
			return 0, 0, err
		}
		if added > 0 {
			if _, err = t.exec("INSERT OR IGNORE INTO members (g, u) SELECT ?3, pk FROM ("+listed+")", c.add, co, g); err != nil {
				return 0, 0, err
			}
		}
	}
	return added, removed, nil
}

// CreateGroup implements [store.Groups].
func (s *Store) CreateGroup(ctx context.Context, g store.Group, members, groups []string, sweep *store.Sweep, events []store.Event) (store.Group, error) {
	change, err := prepareMembers(store.MemberChange{Add: members, AddGroups: groups})
	if err != nil {
		return store.Group{}, err
	}
	if events, err = prepareEvents(events); err != nil {
		return store.Group{}, err
	}
	g.Version = 1
	s.nest(change)
	err = s.writeCompany(ctx, g.Company, func(t *tx, co int64) error {
		t.lastGroup++
		pk := t.lastGroup
		if _, err := t.exec("INSERT INTO groups (pk, co, id, dn, ver, display, ext, n_members, created, modified, doc) VALUES (?, ?, ?, ?, 1, ?, ?, 0, ?, ?, ?)",
			pk, co, g.ID, g.Name, optional(g.Display), optional(g.ExternalID), g.Created, g.Modified, g.Doc); err != nil {
			return t.groupConflict(err, co, g)
		}
		added, _, err := t.changeMembers(co, pk, change)
		if err != nil {
			return err
		}
		nested, _, err := t.changeSubgroups(co, pk, g, change)
		if err != nil {
			return err
		}
		g.Members, g.Groups = int(added), nested
		if added > 0 || nested > 0 {
			if _, err := t.exec("UPDATE groups SET n_members = ?, n_groups = ? WHERE pk = ?", added, nested, pk); err != nil {
				return err
			}
		}
		if _, err := t.exec("UPDATE companies SET n_groups = n_groups + 1 WHERE co = ?", co); err != nil {
			return err
		}
		return t.because(co, sweep, events)
	})
	if err != nil {
		return store.Group{}, err
	}
	return g, nil
}

// nest notes that there are groups in groups, so that they must be looked for.
func (s *Store) nest(c memberChange) {
	if len(c.addGroups) > 0 {
		s.nested.Store(true)
	}
}

// groupConflict says which value of a group is taken, if that is what the error is about.
func (t *tx) groupConflict(err error, co int64, g store.Group) error {
	if !taken(err) {
		return err
	}
	named, findErr := t.exists("SELECT 1 FROM groups WHERE co = ? AND dn = ? AND id <> ?", co, g.Name, g.ID)
	if findErr != nil {
		return findErr
	}
	if named {
		return &store.ConflictError{Field: "Group.Name", Value: g.Name}
	}
	return &store.ConflictError{Field: "Group.ID", Value: g.ID}
}

// ChangeGroup implements [store.Groups].
func (s *Store) ChangeGroup(ctx context.Context, c store.GroupChange) (store.GroupChanged, error) {
	change, err := prepareMembers(c.Members)
	if err != nil {
		return store.GroupChanged{}, err
	}
	events, err := prepareEvents(c.Events)
	if err != nil {
		return store.GroupChanged{}, err
	}
	var done store.GroupChanged
	s.nest(change)
	err = s.writeCompany(ctx, c.Company, func(t *tx, co int64) error {
		g, pk, err := t.group(co, c.Company, c.ID)
		if err != nil {
			return err
		}
		if c.IfVersion != 0 && c.IfVersion != g.Version {
			return store.ErrVersion
		}
		rewritten, err := t.rewriteGroup(co, pk, &g, c.Group)
		if err != nil {
			return err
		}
		added, removed, err := t.changeMembers(co, pk, change)
		if err != nil {
			return err
		}
		nested, freed, err := t.changeSubgroups(co, pk, g, change)
		if err != nil {
			return err
		}
		done = store.GroupChanged{Group: g, Changed: rewritten || added+removed > 0 || nested+freed > 0, Added: int(added), Removed: int(removed)}
		if !done.Changed {
			return nil
		}
		done.Group.Version++
		done.Group.Members += int(added - removed)
		done.Group.Groups += nested - freed
		done.Group.Modified = c.Modified
		if _, err := t.exec("UPDATE groups SET ver = ?, n_members = ?, n_groups = ?, modified = ? WHERE pk = ?",
			done.Group.Version, done.Group.Members, done.Group.Groups, c.Modified, pk); err != nil {
			return err
		}
		return t.because(co, c.Sweep, events)
	})
	if err != nil {
		return store.GroupChanged{}, err
	}
	return done, nil
}

// rewriteGroup stores what is new in a group's own attributes, and says whether there is anything.
func (t *tx) rewriteGroup(co, pk int64, g *store.Group, to *store.Group) (bool, error) {
	if to == nil || to.Name == g.Name && to.Display == g.Display && to.ExternalID == g.ExternalID && bytes.Equal(to.Doc, g.Doc) {
		return false, nil
	}
	g.Name, g.Display, g.ExternalID, g.Doc = to.Name, to.Display, to.ExternalID, to.Doc
	if _, err := t.exec("UPDATE groups SET dn = ?, display = ?, ext = ?, doc = ? WHERE pk = ?",
		g.Name, optional(g.Display), optional(g.ExternalID), g.Doc, pk); err != nil {
		return false, t.groupConflict(err, co, *g)
	}
	return true, nil
}

// DeleteGroup implements [store.Groups].
func (s *Store) DeleteGroup(ctx context.Context, company, id string, ifVersion int64, sweep *store.Sweep, events []store.Event) error {
	events, err := prepareEvents(events)
	if err != nil {
		return err
	}
	var key markKey
	var gone int64
	err = s.writeCompany(ctx, company, func(t *tx, co int64) error {
		g, pk, err := t.group(co, company, id)
		if err != nil {
			return err
		}
		if ifVersion != 0 && ifVersion != g.Version {
			return store.ErrVersion
		}
		key, gone = markKey{co, "groups"}, pk
		for _, text := range []string{
			leaveGroup + "WHERE pk IN (SELECT u FROM members WHERE g = ?)",
			"DELETE FROM members WHERE g = ?",
			"UPDATE groups SET ver = ver + 1, n_groups = n_groups - 1 WHERE pk IN (SELECT g FROM subgroups WHERE child = ?)",
			"DELETE FROM subgroups WHERE child = ?",
			"DELETE FROM subgroups WHERE g = ?",
			"DELETE FROM groups WHERE pk = ?",
		} {
			if _, err := t.exec(text, pk); err != nil {
				return err
			}
		}
		if err := t.bury(co, groupKind{}, id, pk); err != nil {
			return err
		}
		if _, err := t.exec("UPDATE companies SET n_groups = n_groups - 1 WHERE co = ?", co); err != nil {
			return err
		}
		return t.because(co, sweep, events)
	})
	if err == nil {
		s.marks.cut(key, gone)
	}
	return err
}
