package storetest

import (
	"errors"
	"slices"

	"github.com/google/go-cmp/cmp/cmpopts"

	"usher/store"
)

func testGroupRoundTrip(f *fixture) {
	a := f.create(f.draft("a"))
	g := f.newGroup("Sales Team ß")
	g.ExternalID = "G-1"
	g.Doc = f.encode(map[string]any{"displayName": "Sales Team ß", "externalId": "G-1"})
	stored, err := f.CreateGroup(f.ctx, g, []string{a.ID, a.ID}, nil, f.sweep("group"), []store.Event{f.event("group.create", g.ID)})
	f.check(err)
	g.Version, g.Members = 1, 1
	f.same("created", stored, g)
	f.same("read", f.readGroup(g.ID), g)

	change := store.GroupChange{
		Company: f.company, ID: g.ID, IfVersion: 1, Modified: f.now(),
		Group: &store.Group{Name: "support", Display: "Support", ExternalID: "G-2", Doc: f.encode(map[string]any{"displayName": "Support", "externalId": "G-2"})},
	}
	changed, err := f.ChangeGroup(f.ctx, change)
	f.check(err)
	g.Name, g.Display, g.ExternalID, g.Doc, g.Modified = "support", "Support", "G-2", change.Group.Doc, change.Modified
	f.same("changed", changed, store.GroupChanged{Group: g, Changed: true}, cmpopts.IgnoreFields(store.Group{}, "Version"))
	if changed.Group.Version <= 1 {
		f.Errorf("version %d after a change", changed.Group.Version)
	}
	f.same("read after the change", f.readGroup(g.ID), changed.Group)

	f.check(f.DeleteGroup(f.ctx, f.company, g.ID, changed.Group.Version, f.sweep("group"), []store.Event{f.event("group.delete", g.ID)}))
	_, err = f.Group(f.ctx, f.company, g.ID)
	f.want("reading what was deleted", err, store.ErrNotFound)
	f.want("deleting again", f.DeleteGroup(f.ctx, f.company, g.ID, 0, nil, nil), store.ErrNotFound)
	_, err = f.ChangeGroup(f.ctx, store.GroupChange{Company: f.company, ID: g.ID, Modified: f.now()})
	f.want("changing what was deleted", err, store.ErrNotFound)
	of, err := f.MembershipsOf(f.ctx, f.company, []string{a.ID})
	f.check(err)
	f.same("memberships in a deleted group", of[a.ID], []store.Membership(nil))
	f.same("actions", ids(f.log(f.company), func(e store.Event) string { return e.Action }), []string{"group.create", "group.delete"})
	sweeps, err := f.ListSweeps(f.ctx)
	f.check(err)
	f.same("sweeps", len(sweeps), 2)
}

func testGroupNames(f *fixture) {
	sales, support := f.createGroup("Sales"), f.createGroup("Support")
	twin := f.newGroup("SALES")
	_, err := f.CreateGroup(f.ctx, twin, nil, nil, f.sweep("twin"), []store.Event{f.event("twin", twin.ID)})
	f.wantConflict("creating a taken name", err, "Group.Name", "sales")
	_, err = f.Group(f.ctx, f.company, twin.ID)
	f.want("the refused group", err, store.ErrNotFound)

	named := func(g store.Group, name string) store.GroupChange {
		w := f.newGroup(name)
		return store.GroupChange{
			Company: f.company, ID: g.ID, IfVersion: f.readGroup(g.ID).Version, Group: &w, Modified: f.now(),
			Sweep: f.sweep("rename"), Events: []store.Event{f.event("rename", g.ID)},
		}
	}
	_, err = f.ChangeGroup(f.ctx, named(support, "sales"))
	f.wantConflict("renaming onto a taken name", err, "Group.Name", "sales")
	f.same("the group that was not renamed", f.readGroup(support.ID), support)
	sweeps, err := f.ListSweeps(f.ctx)
	f.check(err)
	if len(sweeps)+len(f.log(f.company)) != 0 {
		f.Errorf("%d sweeps and %d events of refused changes", len(sweeps), len(f.log(f.company)))
	}

	// The same name in another spelling is the group's own; a name given up is free.
	_, err = f.ChangeGroup(f.ctx, named(sales, "SALES"))
	f.check(err)
	_, err = f.ChangeGroup(f.ctx, named(sales, "Marketing"))
	f.check(err)
	_, err = f.ChangeGroup(f.ctx, named(support, "Sales"))
	f.check(err)
	f.check(f.DeleteGroup(f.ctx, f.company, support.ID, 0, nil, nil))
	f.createGroup("sales")

	elsewhere := f.newGroup("Sales")
	elsewhere.Company = f.newCompany("globex").ID
	_, err = f.CreateGroup(f.ctx, elsewhere, nil, nil, nil, nil)
	f.check(err)
}

func testGroupVersions(f *fixture) {
	a, b := f.create(f.draft("a")), f.create(f.draft("b"))
	g := f.createGroup("g", a.ID)

	stale := store.GroupChange{
		Company: f.company, ID: g.ID, IfVersion: g.Version, Modified: f.now(), Members: store.MemberChange{Add: []string{b.ID}},
		Sweep: f.sweep("stale"), Events: []store.Event{f.event("stale", g.ID)},
	}
	current := f.changeMembers(g.ID, store.MemberChange{Remove: []string{a.ID}}).Group
	_, err := f.ChangeGroup(f.ctx, stale)
	f.want("changing a stale version", err, store.ErrVersion)
	f.want("deleting a stale version", f.DeleteGroup(f.ctx, f.company, g.ID, g.Version, stale.Sweep, stale.Events), store.ErrVersion)
	f.same("members afterwards", f.members(g.ID), []string(nil))

	// What is there already is no change, of which nothing tells.
	for what, c := range map[string]store.GroupChange{
		"nothing":                {},
		"removing a non-member":  {Members: store.MemberChange{Remove: []string{a.ID, store.NewID()}}},
		"no members, exactly":    {Members: store.MemberChange{Exactly: true}},
		"the group as it stands": {Group: &current, IfVersion: current.Version},
	} {
		c.Company, c.ID, c.Modified = f.company, g.ID, f.now()
		c.Sweep, c.Events = f.sweep(what), []store.Event{f.event(what, g.ID)}
		got, err := f.ChangeGroup(f.ctx, c)
		f.check(err)
		f.same(what, got, store.GroupChanged{Group: current})
		f.same(what+", read", f.readGroup(g.ID), current)
	}
	sweeps, err := f.ListSweeps(f.ctx)
	f.check(err)
	if len(sweeps)+len(f.log(f.company)) != 0 {
		f.Errorf("%d sweeps and %d events of changes that were none", len(sweeps), len(f.log(f.company)))
	}

	stale.IfVersion = current.Version
	got, err := f.ChangeGroup(f.ctx, stale)
	f.check(err)
	if !got.Changed || got.Added != 1 || got.Group.Version <= current.Version || !got.Group.Modified.Equal(stale.Modified) {
		f.Errorf("an effective change: %+v", got)
	}
	sweeps, err = f.ListSweeps(f.ctx)
	f.check(err)
	f.same("the sweep of the change", sweeps, []store.Sweep{*stale.Sweep})
	f.same("the events of the change", len(f.log(f.company)), 1)
}

func testMembers(f *fixture) {
	people := f.people(4, "p")
	who := func(indexes ...int) []string {
		var all []string
		for _, i := range indexes {
			all = append(all, people[i].ID)
		}
		return all
	}
	g := f.createGroup("g", who(1)...)
	for _, step := range []struct {
		what           string
		change         store.MemberChange
		added, removed int
		want           []string
	}{
		{"add one", store.MemberChange{Add: who(2)}, 1, 0, who(1, 2)},
		{"add one twice and one who is there", store.MemberChange{Add: who(0, 0, 2)}, 1, 0, who(0, 1, 2)},
		{"remove one twice and one who is not there", store.MemberChange{Remove: who(1, 1, 3)}, 0, 1, who(0, 2)},
		{"remove with an unknown one", store.MemberChange{Remove: append(who(2), store.NewID())}, 0, 1, who(0)},
		{"add and remove", store.MemberChange{Add: who(3, 2), Remove: who(0)}, 2, 1, who(2, 3)},
		{"add one who was there before", store.MemberChange{Add: who(1)}, 1, 0, who(1, 2, 3)},
		{"add again", store.MemberChange{Add: who(1, 2, 3)}, 0, 0, who(1, 2, 3)},
	} {
		before := f.readGroup(g.ID)
		got := f.changeMembers(g.ID, step.change)
		if got.Added != step.added || got.Removed != step.removed || got.Changed != (step.added+step.removed > 0) {
			f.Errorf("%s: %d added, %d removed, changed %v", step.what, got.Added, got.Removed, got.Changed)
		}
		if grew := got.Group.Version > before.Version; grew != got.Changed {
			f.Errorf("%s: version %d after %d", step.what, got.Group.Version, before.Version)
		}
		f.same(step.what, f.members(g.ID), step.want)
		f.same(step.what+": the group", f.readGroup(g.ID), got.Group)
		f.same(step.what+": the count", got.Group.Members, len(step.want))
		of, err := f.MembershipsOf(f.ctx, f.company, ids(people, accountID))
		f.check(err)
		for i := range people {
			f.same(step.what+": is a member", len(of[people[i].ID]) == 1, slices.Contains(step.want, people[i].ID))
		}
	}
	all, err := f.Members(f.ctx, f.company, g.ID, "", 1)
	f.check(err)
	f.same("a member with its name", all, []store.Member{{ID: people[1].ID, Display: people[1].Display}})
	renamed := f.change(people[1], func(a *store.Account) { a.Display = "New Name" })
	all, err = f.Members(f.ctx, f.company, g.ID, "", 1)
	f.check(err)
	f.same("a member with a new name", all, []store.Member{{ID: renamed.ID, Display: "New Name"}})
}

func testUnknownMembers(f *fixture) {
	a, b := f.create(f.draft("a")), f.create(f.draft("b"))
	gone := f.create(f.draft("gone"))
	f.check(f.DeleteAccount(f.ctx, store.AccountDelete{Before: gone}))
	g := f.createGroup("g", a.ID)
	unknown := func(what string, err error, id string) {
		f.Helper()
		var u *store.UnknownMemberError
		if !errors.As(err, &u) || u.ID != id {
			f.Errorf("%s: error %v, want that there is no account %q", what, err, id)
		}
	}
	for what, c := range map[string]store.MemberChange{
		"add":     {Add: []string{b.ID, gone.ID}, Remove: []string{a.ID}},
		"exactly": {Add: []string{b.ID, gone.ID}, Exactly: true},
	} {
		_, err := f.ChangeGroup(f.ctx, store.GroupChange{
			Company: f.company, ID: g.ID, Members: c, Modified: f.now(), Sweep: f.sweep(what), Events: []store.Event{f.event(what, g.ID)},
		})
		unknown(what, err, gone.ID)
		f.same(what+": the group", f.readGroup(g.ID), g)
		f.same(what+": its members", f.members(g.ID), []string{a.ID})
	}
	refused := f.newGroup("new")
	_, err := f.CreateGroup(f.ctx, refused, []string{a.ID, "no id at all"}, nil, f.sweep("create"), []store.Event{f.event("create", refused.ID)})
	unknown("create", err, "no id at all")
	_, err = f.Group(f.ctx, f.company, refused.ID)
	f.want("the group that was not created", err, store.ErrNotFound)
	f.createGroup("new") // its name is free
	f.same("groups of a", f.read(a.ID).Groups, 1)
	sweeps, err := f.ListSweeps(f.ctx)
	f.check(err)
	if len(sweeps)+len(f.log(f.company)) != 0 {
		f.Errorf("%d sweeps and %d events of refused changes", len(sweeps), len(f.log(f.company)))
	}
}

func testMembersExactly(f *fixture) {
	people := ids(f.people(size(300, 5000), "p"), accountID)
	g := f.createGroup("g", people[:len(people)/2]...)
	for _, step := range []struct {
		what           string
		want           []string
		added, removed int
	}{
		{"the same", people[:len(people)/2], 0, 0},
		{"the other half", people[len(people)/2:], len(people) - len(people)/2, len(people) / 2},
		{"all", people, len(people) / 2, 0},
		{"one", people[3:4], 0, len(people) - 1},
		{"none", nil, 0, 1},
	} {
		shuffled := slices.Clone(step.want)
		slices.Reverse(shuffled)
		// Remove is not looked at.
		got := f.changeMembers(g.ID, store.MemberChange{Add: shuffled, Remove: people, Exactly: true})
		if got.Added != step.added || got.Removed != step.removed || got.Group.Members != len(step.want) {
			f.Errorf("%s: %d added, %d removed, %d members", step.what, got.Added, got.Removed, got.Group.Members)
		}
		f.same(step.what, f.members(g.ID), step.want)
	}
}

func testMembersDeleted(f *fixture) {
	a, b := f.create(f.draft("a")), f.create(f.draft("b"))
	g1, g2, g3 := f.createGroup("one", a.ID, b.ID), f.createGroup("two", a.ID), f.createGroup("three", b.ID)
	f.check(f.DeleteAccount(f.ctx, store.AccountDelete{Before: f.read(a.ID)}))
	for _, c := range []struct {
		before store.Group
		want   []string
		grown  bool
	}{{g1, []string{b.ID}, true}, {g2, nil, true}, {g3, []string{b.ID}, false}} {
		g := f.readGroup(c.before.ID)
		f.same("members of "+g.Name, f.members(g.ID), c.want)
		f.same("count of "+g.Name, g.Members, len(c.want))
		if (g.Version > c.before.Version) != c.grown {
			f.Errorf("version of %s: %d after %d", g.Name, g.Version, c.before.Version)
		}
	}
	of, err := f.MembershipsOf(f.ctx, f.company, []string{a.ID})
	f.check(err)
	f.same("groups of a deleted account", len(of[a.ID]), 0)
}

func testMembersPaged(f *fixture) {
	people := ids(f.people(25, "p"), accountID)
	shuffled := slices.Clone(people)
	slices.Reverse(shuffled)
	g := f.createGroup("g", shuffled...)

	var got []string
	for after := ""; ; after = got[len(got)-1] {
		page, err := f.Members(f.ctx, f.company, g.ID, after, 7)
		f.check(err)
		if len(page) > 7 {
			f.Errorf("%d members on a page of 7", len(page))
		}
		if len(page) == 0 {
			break
		}
		got = append(got, ids(page, func(m store.Member) string { return m.ID })...)
		if len(got) == 7 { // whom the page ended with may leave before the next page is asked for
			f.changeMembers(g.ID, store.MemberChange{Remove: got[6:7]})
		}
		if len(got) == 14 {
			f.check(f.DeleteAccount(f.ctx, store.AccountDelete{Before: f.read(got[13])}))
		}
	}
	f.same("members page by page, in creation order", got, people)
}

func testMemberStorm(f *fixture) {
	const writers = 16
	each := size(4, 100)
	people := ids(f.people(writers*each, "p"), accountID)
	g := f.createGroup("g")
	together(writers, func(i int) {
		for n := range each {
			got, err := f.ChangeGroup(f.ctx, store.GroupChange{
				Company: f.company, ID: g.ID, Modified: f.now(), Members: store.MemberChange{Add: people[i*each+n : i*each+n+1]},
				Events: []store.Event{f.event("add", g.ID)},
			})
			if err != nil || !got.Changed || got.Added != 1 {
				f.Errorf("add: %+v, %v", got, err)
			}
		}
	})
	f.same("members", f.members(g.ID), people)
	f.same("the count", f.readGroup(g.ID).Members, len(people))
	f.same("events", len(f.log(f.company)), len(people))

	// All add and remove the same few: each change that was effective grew the version, and in the end the counts agree.
	few := people[:3]
	together(writers, func(i int) {
		for range each {
			c := store.MemberChange{Add: few}
			if i%2 == 0 {
				c = store.MemberChange{Remove: few}
			}
			if _, err := f.ChangeGroup(f.ctx, store.GroupChange{Company: f.company, ID: g.ID, Modified: f.now(), Members: c}); err != nil {
				f.Errorf("change: %v", err)
			}
		}
	})
	in := f.members(g.ID)
	f.same("the count afterwards", f.readGroup(g.ID).Members, len(in))
	for _, id := range few {
		want := 0
		if slices.Contains(in, id) {
			want = 1
		}
		f.same("groups of the account", f.read(id).Groups, want)
	}
}

func testMemberships(f *fixture) {
	a, b, c := f.create(f.draft("a")), f.create(f.draft("b")), f.create(f.draft("c"))
	g1, g2, g3 := f.createGroup("One", a.ID), f.createGroup("Two", a.ID, b.ID), f.createGroup("Three", b.ID)
	of, err := f.MembershipsOf(f.ctx, f.company, []string{b.ID, a.ID, c.ID, store.NewID()})
	f.check(err)
	f.same("groups of a", of[a.ID], []store.Membership{{Group: g1.ID, Display: "One"}, {Group: g2.ID, Display: "Two"}})
	f.same("groups of b", of[b.ID], []store.Membership{{Group: g2.ID, Display: "Two"}, {Group: g3.ID, Display: "Three"}})
	f.same("groups of c", len(of[c.ID]), 0)

	// Memberships count on the account, without a version of the account itself.
	expect := func(what string, before store.Account, groups int, grown bool) store.Account {
		f.Helper()
		got := f.read(before.ID)
		if got.Version != before.Version || got.Groups != groups || (got.GroupsVersion > before.GroupsVersion) != grown {
			f.Errorf("%s: version %d.%d with %d groups, was %d.%d", what,
				got.Version, got.GroupsVersion, got.Groups, before.Version, before.GroupsVersion)
		}
		return got
	}
	a, b, c = expect("a", a, 2, true), expect("b", b, 2, true), expect("c", c, 0, false)
	f.changeMembers(g3.ID, store.MemberChange{Add: []string{a.ID, b.ID}})
	a, b = expect("a, added", a, 3, true), expect("b, who was there", b, 2, false)
	f.changeMembers(g2.ID, store.MemberChange{Exactly: true, Add: []string{b.ID}})
	a, b = expect("a, put out", a, 2, true), expect("b, who stayed", b, 2, false)

	// A write of the account that was planned before a membership changed does not undo it.
	f.changeMembers(g2.ID, store.MemberChange{Add: []string{a.ID}})
	stored := f.change(a, func(a *store.Account) { a.Epoch++ })
	if stored.Groups != 3 || stored.GroupsVersion <= a.GroupsVersion {
		f.Errorf("written: %d groups, groups version %d after %d", stored.Groups, stored.GroupsVersion, a.GroupsVersion)
	}
	a = expect("a, written", stored, 3, false)

	f.check(f.DeleteGroup(f.ctx, f.company, g1.ID, 0, nil, nil))
	expect("a, whose group was deleted", a, 2, true)
	expect("b, whose group was not", b, 2, false)
	expect("c", c, 0, false)
	of, err = f.MembershipsOf(f.ctx, f.company, []string{a.ID})
	f.check(err)
	f.same("groups of a afterwards", of[a.ID], []store.Membership{{Group: g2.ID, Display: "Two"}, {Group: g3.ID, Display: "Three"}})
}
