package storetest

import (
	"errors"
	"fmt"
	"sync/atomic"

	"usher/store"
)

// fill counts how many seats of the license can still be claimed, by claiming them.
func (f *fixture) fill(license string, most int) int {
	f.Helper()
	for n := range most {
		_, err := f.WriteAccount(f.ctx, store.AccountWrite{After: seated(f.draft(store.NewID()), license, store.StateActive, f)})
		if errors.Is(err, store.ErrNoSeat) {
			return n
		}
		f.check(err)
	}
	return most
}

// testRivalChanges lets many changes of one version of one account, each with a seat and a name of its own, meet. One is made;
// the others keep neither their seat nor their name from anybody.
func testRivalChanges(f *fixture) {
	const rivals = 16
	rounds := size(5, 100)
	f.setSeats(pro, rounds*rivals)
	for round := range rounds {
		a := f.create(f.draft(store.NewID()))
		name := func(i int) string { return fmt.Sprintf("rival-%d-%d", round, i) }
		var won atomic.Int64
		together(rivals, func(i int) {
			w := claim(&a, a, pro, f)
			w.After.UserName = name(i)
			stored, err := f.WriteAccount(f.ctx, w)
			if err == nil {
				won.Add(1)
				f.same("the seat of who won", stored.Seat, pro)
				return
			}
			f.want("a rival", err, store.ErrVersion)
		})
		f.same("rivals that won", won.Load(), int64(1))
		winner := f.read(a.ID).UserName
		for i := range rivals {
			if n := name(i); n != winner {
				_, err := f.AccountByUserName(f.ctx, f.company, n)
				f.want("the name of who lost", err, store.ErrNotFound)
				f.create(f.draft(n))
			}
		}
	}
	f.same("seats used", f.pool(pro).Used, rounds)
	f.setSeats(pro, rounds+3)
	f.same("seats left", f.fill(pro, 4), 3)
}

// testRivalCreations lets creations of one name, each with a seat, meet. Those that are refused keep no seat.
func testRivalCreations(f *fixture) {
	const rivals = 16
	rounds := size(5, 100)
	f.setSeats(pro, rounds*rivals)
	for round := range rounds {
		drafts := make([]store.Account, rivals)
		for i := range drafts {
			drafts[i] = seated(f.draft(fmt.Sprintf("rival-%d", round)), pro, store.StateActive, f)
		}
		together(rivals, func(i int) {
			if _, err := f.WriteAccount(f.ctx, store.AccountWrite{After: drafts[i]}); err != nil {
				f.wantConflict("a rival", err, "UserName", drafts[i].UserName)
			}
		})
	}
	f.same("seats used", f.pool(pro).Used, rounds)
	f.setSeats(pro, rounds+3)
	f.same("seats left", f.fill(pro, 4), 3)
}

// testRivalGroupChanges lets renames of one group, and renames of many to one name, meet.
func testRivalGroupChanges(f *fixture) {
	const rivals = 16
	for round := range size(5, 100) {
		rename := func(g store.Group, name string) error {
			w := store.Group{Name: name, Display: name, Doc: f.encode(map[string]any{"displayName": name})}
			_, err := f.ChangeGroup(f.ctx, store.GroupChange{
				Company: f.company, ID: g.ID, IfVersion: g.Version, Group: &w, Modified: f.now(),
			})
			return err
		}
		g := f.createGroup(fmt.Sprintf("one %d", round))
		name := func(i int) string { return fmt.Sprintf("rival %d %d", round, i) }
		var won atomic.Int64
		together(rivals, func(i int) {
			if err := rename(g, name(i)); err == nil {
				won.Add(1)
			} else {
				f.want("a rival", err, store.ErrVersion)
			}
		})
		f.same("rivals that won", won.Load(), int64(1))
		winner := f.readGroup(g.ID).Name
		var groups []store.Group
		for i := range rivals {
			if n := name(i); n != winner {
				groups = append(groups, f.createGroup(n)) // the name of who lost is free
			}
		}
		won.Store(0)
		wanted := fmt.Sprintf("wanted %d", round)
		together(len(groups), func(i int) {
			if err := rename(groups[i], wanted); err == nil {
				won.Add(1)
			} else {
				f.wantConflict("a rival", err, "Group.Name", wanted)
			}
		})
		f.same("groups of one name", won.Load(), int64(1))
	}
}

// testDeletedWhileAdded deletes accounts while they are added to a group: in the end nobody is in it who is not there.
func testDeletedWhileAdded(f *fixture) {
	people := f.people(size(40, 500), "p")
	g := f.createGroup("g")
	together(2*len(people), func(i int) {
		a := people[i/2]
		if i%2 == 0 {
			if err := f.DeleteAccount(f.ctx, store.AccountDelete{Before: a}); err != nil {
				f.Errorf("delete: %v", err)
			}
			return
		}
		_, err := f.ChangeGroup(f.ctx, store.GroupChange{
			Company: f.company, ID: g.ID, Members: store.MemberChange{Add: []string{a.ID}}, Modified: f.now(),
		})
		if unknown := (*store.UnknownMemberError)(nil); err != nil && !errors.As(err, &unknown) {
			f.Errorf("add: %v", err)
		}
	})
	f.same("members", f.members(g.ID), []string(nil))
	f.same("the count", f.readGroup(g.ID).Members, 0)
	for _, a := range people { // who comes back under the same id is not in it
		f.create(a)
	}
	f.same("members after all came back", f.members(g.ID), []string(nil))
}
