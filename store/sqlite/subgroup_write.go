package sqlite

import (
	"slices"

	"usher/store"
)

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
		circle, err := t.exists(`WITH RECURSIVE below (pk) AS (SELECT ?1 UNION SELECT s.child FROM below CROSS JOIN subgroups s ON s.g = below.pk)
			SELECT 1 FROM below WHERE pk = ?2 LIMIT 1`, child, pk)
		if err != nil {
			return 0, 0, err
		}
		if circle {
			return 0, 0, &store.CycleError{Group: g.ID, Member: id}
		}
		if _, err := t.exec("INSERT INTO subgroups (g, child) VALUES (?, ?)", pk, child); err != nil {
			return 0, 0, err
		}
		has[child] = true
		added++
	}
	for child := range has {
		leaves := c.exactly && !wanted[child]
		if !c.exactly && !wanted[child] && len(c.removeGroups) > 0 {
			var id string
			if _, err := t.one(func(r *rows) { id = r.text(0) }, "SELECT id FROM groups WHERE pk = ?", child); err != nil {
				return 0, 0, err
			}
			leaves = slices.Contains(c.removeGroups, id)
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
