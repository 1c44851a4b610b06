package sqlite

import "usher/store"

// changeSubgroups carries out a change of the groups in a group and says how many came and went. That a group would be in itself is
// found out here, by the only writer.
func (t *tx) changeSubgroups(co, pk int64, g store.Group, c memberChange) (added, removed int, err error) {
	if len(c.addGroups) == 0 && g.Groups == 0 {
		return 0, 0, nil
	}
	has := map[int64]bool{}
	r := t.query("SELECT child FROM subgroups WHERE g = ?", pk)
	for r.next() {
		has[r.int(0)] = true
	}
	if r.err != nil {
		return 0, 0, r.err
	}
	wanted := map[int64]bool{}
	var above map[int64]bool // the groups that this one is in; looked up when one is to come
	for _, id := range c.addGroups {
		child, err := t.integer("SELECT pk FROM groups WHERE co = ? AND id = ?", co, id)
		if err != nil {
			return 0, 0, err
		}
		if child == 0 {
			return 0, 0, &store.UnknownMemberError{ID: id}
		}
		if wanted[child] = true; has[child] {
			continue
		}
		if above == nil {
			if above, err = t.supergroups(pk); err != nil {
				return 0, 0, err
			}
		}
		if above[child] {
			return 0, 0, &store.CycleError{Group: g.ID, Member: id}
		}
		if _, err := t.exec("INSERT INTO subgroups (g, child) VALUES (?, ?)", pk, child); err != nil {
			return 0, 0, err
		}
		has[child] = true
		added++
	}
	leaving := make(map[string]bool, len(c.removeGroups))
	for _, id := range c.removeGroups {
		leaving[id] = true
	}
	for child := range has {
		leaves := c.exactly && !wanted[child]
		if !c.exactly && !wanted[child] && len(c.removeGroups) > 0 {
			var id string
			if _, err := t.one(func(r *rows) { id = r.text(0) }, "SELECT id FROM groups WHERE pk = ?", child); err != nil {
				return 0, 0, err
			}
			leaves = leaving[id]
		}
		if !leaves {
			continue
		}
		if _, err := t.exec("DELETE FROM subgroups WHERE g = ? AND child = ?", pk, child); err != nil {
			return 0, 0, err
		}
		delete(has, child)
		removed++
	}
	if len(has) > store.MaxSubgroups {
		return 0, 0, store.ErrTooMany
	}
	return added, removed, nil
}

// supergroups gives the pks of a group and of all groups that it is in, directly or through others.
func (t *tx) supergroups(pk int64) (map[int64]bool, error) {
	above := map[int64]bool{}
	r := t.query(`WITH RECURSIVE above (pk) AS (SELECT ? UNION SELECT s.g FROM above CROSS JOIN subgroups s ON s.child = above.pk)
		SELECT pk FROM above`, pk)
	for r.next() {
		above[r.int(0)] = true
	}
	return above, r.err
}
