package storetest

import (
	"errors"
	"sync"

	"usher/store"
	"usher/store/query"
)

// subgroups gives the ids of the groups in a group.
func (f *fixture) subgroups(group string) []string {
	f.Helper()
	all, err := f.Subgroups(f.ctx, f.company, group)
	f.check(err)
	return ids(all, func(m store.Member) string { return m.ID })
}

// supergroups gives the ids of the groups that a group is in.
func (f *fixture) supergroups(group string) []string {
	f.Helper()
	of, err := f.Supergroups(f.ctx, f.company, []string{group})
	f.check(err)
	return ids(of[group], func(m store.Membership) string { return m.Group })
}

func testSubgroups(f *fixture) {
	a := f.create(f.draft("a"))
	east, west := f.createGroup("east", a.ID), f.createGroup("west")
	f.same("nothing in a group", f.subgroups(east.ID), []string(nil))
	f.same("a group in nothing", f.supergroups(east.ID), []string(nil))
	all, err := f.CreateGroup(f.ctx, f.newGroup("all"), []string{a.ID}, []string{west.ID, east.ID, west.ID}, nil, nil)
	f.check(err)
	f.same("counts", []int{all.Members, all.Groups}, []int{1, 2})
	f.same("as read", f.readGroup(all.ID).Groups, 2)
	f.same("groups in it, in creation order", f.subgroups(all.ID), []string{east.ID, west.ID})
	f.same("accounts in it", f.members(all.ID), []string{a.ID})
	f.same("what east is in", f.supergroups(east.ID), []string{all.ID})
	found, err := f.Subgroups(f.ctx, f.company, all.ID)
	f.check(err)
	f.same("display", found[0].Display, "east")
	of, err := f.Supergroups(f.ctx, f.company, []string{east.ID, all.ID, store.NewID(), east.ID})
	f.check(err)
	f.same("of several", of, map[string][]store.Membership{east.ID: {{Group: all.ID, Display: "all"}}})

	is := func(path, value string) query.Leaf {
		return query.Leaf{Path: path, Op: query.Equal, Type: query.String, Value: value}
	}
	groupsWith := func(what string, filter query.Node, want ...string) {
		f.Helper()
		page, err := f.ListGroups(f.ctx, f.company, store.Query{Filter: filter, Limit: 10, Total: true})
		f.check(err)
		f.same(what, ids(page.Groups, func(g store.Group) string { return g.ID }), want)
		f.same(what+": total", page.Total, len(want))
	}
	groupsWith("with a group", is(store.ColumnMembers, east.ID), all.ID)
	groupsWith("with an account", is(store.ColumnMembers, a.ID), east.ID, all.ID)
	groupsWith("one with a group", query.And{is(store.ColumnID, all.ID), is(store.ColumnMembers, west.ID)}, all.ID)
	groupsWith("one without it", query.And{is(store.ColumnID, west.ID), is(store.ColumnMembers, west.ID)})
	groupsWith("not with a group", query.Not{Node: is(store.ColumnMembers, east.ID)}, east.ID, west.ID)
	element := func(cond query.Node) query.Node { return query.Element{Path: store.ColumnMemberElements, Cond: cond} }
	groupsWith("by the name of a member", element(is("display", "east")), all.ID)
	groupsWith("by the type of a member", element(is("type", store.ElementUser)), east.ID, all.ID)
	groupsWith("by both, of one member", element(query.And{is("type", store.ElementUser), is("display", "east")}))
	groupsWith("by either", element(query.Or{is("type", store.ElementGroup), is("value", a.ID)}), east.ID, all.ID)
	for what, filter := range map[string]query.Node{
		"account by the name of its group": query.Element{Path: store.ColumnGroupElements, Cond: is("display", "east")},
		"account by its group":             is(store.ColumnGroups, east.ID),
	} {
		page, err := f.ListAccounts(f.ctx, f.company, store.Query{Filter: filter, Limit: 10})
		f.check(err)
		f.same(what, ids(page.Accounts, accountID), []string{a.ID})
	}

	change := func(what string, c store.MemberChange, version int64, changed bool, want ...string) {
		f.Helper()
		got, err := f.ChangeGroup(f.ctx, store.GroupChange{Company: f.company, ID: all.ID, Members: c, Modified: f.now(), Events: []store.Event{f.event("group.update", all.ID)}})
		f.check(err)
		f.same(what+": changed", got.Changed, changed)
		f.same(what+": version and count", []int64{got.Group.Version, int64(got.Group.Groups)}, []int64{version, int64(len(want))})
		f.same(what, f.subgroups(all.ID), want)
	}
	events := len(f.log(f.company))
	change("again", store.MemberChange{AddGroups: []string{east.ID}}, 1, false, east.ID, west.ID)
	change("remove one who is not in it", store.MemberChange{RemoveGroups: []string{store.NewID(), all.ID}}, 1, false, east.ID, west.ID)
	f.same("no events of nothing", len(f.log(f.company)), events)
	change("remove", store.MemberChange{RemoveGroups: []string{east.ID}}, 2, true, west.ID)
	change("add", store.MemberChange{AddGroups: []string{east.ID}}, 3, true, east.ID, west.ID)
	change("remove and add", store.MemberChange{AddGroups: []string{east.ID}, RemoveGroups: []string{east.ID, west.ID}}, 4, true, east.ID)
	change("exactly", store.MemberChange{Exactly: true, Add: []string{a.ID}, AddGroups: []string{west.ID}}, 5, true, west.ID)
	change("exactly the same", store.MemberChange{Exactly: true, Add: []string{a.ID}, AddGroups: []string{west.ID}}, 5, false, west.ID)
	change("exactly without groups", store.MemberChange{Exactly: true, Add: []string{a.ID}}, 6, true)
	change("accounts stay", store.MemberChange{AddGroups: []string{east.ID, west.ID}}, 7, true, east.ID, west.ID)
	f.same("accounts", f.members(all.ID), []string{a.ID})

	// A deleted group leaves those that it is in.
	f.check(f.DeleteGroup(f.ctx, f.company, east.ID, 0, nil, nil))
	f.same("after a deletion", f.subgroups(all.ID), []string{west.ID})
	left := f.readGroup(all.ID)
	f.same("count after a deletion", left.Groups, 1)
	if left.Version <= 7 {
		f.Errorf("the version did not grow with the deletion: %d", left.Version)
	}
	f.check(f.DeleteGroup(f.ctx, f.company, all.ID, 0, nil, nil))
	f.same("what west is in", f.supergroups(west.ID), []string(nil))

	// None of other companies.
	elsewhere := f.newCompany("elsewhere")
	foreign := f.newGroup("foreign")
	foreign.Company = elsewhere.ID
	foreign, err = f.CreateGroup(f.ctx, foreign, nil, nil, nil, nil)
	f.check(err)
	for what, id := range map[string]string{"of another company": foreign.ID, "unknown": store.NewID(), "an account": a.ID} {
		_, err := f.ChangeGroup(f.ctx, store.GroupChange{Company: f.company, ID: west.ID, Members: store.MemberChange{AddGroups: []string{id}}, Modified: f.now()})
		var unknown *store.UnknownMemberError
		if !errors.As(err, &unknown) || unknown.ID != id {
			f.Errorf("%s: %v", what, err)
		}
	}
	f.same("untouched", f.readGroup(west.ID).Version, int64(1))
}

func testCircles(f *fixture) {
	a, b, c := f.createGroup("a"), f.createGroup("b"), f.createGroup("c")
	add := func(to, group store.Group) error {
		_, err := f.ChangeGroup(f.ctx, store.GroupChange{Company: f.company, ID: to.ID, Members: store.MemberChange{AddGroups: []string{group.ID}}, Modified: f.now()})
		return err
	}
	refused := func(what string, to, group store.Group) {
		f.Helper()
		var circle *store.CycleError
		if err := add(to, group); !errors.As(err, &circle) || circle.Group != to.ID || circle.Member != group.ID {
			f.Errorf("%s: %v", what, err)
		}
	}
	refused("itself", a, a)
	f.check(add(a, b))
	refused("the other way", b, a)
	f.check(add(b, c))
	refused("through another", c, a)
	f.check(add(a, c)) // on two ways, but in no circle
	f.same("c is in", f.supergroups(c.ID), []string{a.ID, b.ID})

	// Two who would close a circle together: afterwards whoever follows the groups comes to an end.
	d, e := f.createGroup("d"), f.createGroup("e")
	var errs [2]error
	together(2, func(i int) { errs[i] = add([]store.Group{d, e}[i], []store.Group{e, d}[i]) })
	seen := map[string]bool{}
	var mu sync.Mutex
	var follow func(id string)
	follow = func(id string) {
		if mu.Lock(); seen[id] {
			mu.Unlock()
			return
		}
		seen[id] = true
		mu.Unlock()
		for _, up := range f.supergroups(id) {
			follow(up)
		}
	}
	follow(d.ID)
	for _, err := range errs {
		var circle *store.CycleError
		if err != nil && !errors.As(err, &circle) {
			f.Errorf("%v", err)
		}
	}
	// Too many.
	var many []string
	for range store.MaxSubgroups + 1 {
		many = append(many, f.createGroup(store.NewID()).ID)
	}
	_, err := f.ChangeGroup(f.ctx, store.GroupChange{Company: f.company, ID: c.ID, Members: store.MemberChange{AddGroups: many}, Modified: f.now()})
	f.want("too many", err, store.ErrTooMany)
	f.same("nothing was added", f.subgroups(c.ID), []string(nil))
}
