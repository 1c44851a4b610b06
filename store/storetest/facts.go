package storetest

import (
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"usher/store"
)

func testRules(f *fixture) {
	g := f.createGroup("g")
	rule := func(priority int) store.Rule {
		return store.Rule{
			ID: store.NewID(), Company: f.company, Group: g.ID, License: pro, Priority: priority, By: "root", Created: f.now(),
		}
	}
	low, high, alsoLow := rule(1), rule(9), rule(1)
	for _, r := range []store.Rule{low, high, alsoLow} {
		f.check(f.CreateRule(f.ctx, r, f.sweep(r.ID), []store.Event{f.event("rule.create", r.ID)}))
	}
	list := func(want ...store.Rule) {
		f.Helper()
		all, err := f.ListRules(f.ctx, f.company)
		f.check(err)
		f.same("rules", all, want)
	}
	list(high, low, alsoLow)

	lost := rule(2)
	lost.Group = store.NewID()
	f.want("a rule for no group", f.CreateRule(f.ctx, lost, f.sweep("lost"), []store.Event{f.event("lost", lost.ID)}), store.ErrNotFound)
	f.want("deleting no rule", f.DeleteRule(f.ctx, f.company, lost.ID, f.sweep("lost"), []store.Event{f.event("lost", lost.ID)}), store.ErrNotFound)
	f.check(f.DeleteRule(f.ctx, f.company, low.ID, f.sweep(low.ID), []store.Event{f.event("rule.delete", low.ID)}))
	list(high, alsoLow)

	valued := rule(5)
	valued.Group, valued.Role = "", "user-admin"
	valued.Match = &store.Match{Paths: []string{"department", "title"}, Value: "sales", Fold: true, Suffix: true, About: "department or title ends with Sales"}
	f.check(f.CreateRule(f.ctx, valued, f.sweep(valued.ID), []store.Event{f.event("rule.create", valued.ID)}))
	list(high, valued, alsoLow)
	f.check(f.DeleteRule(f.ctx, f.company, valued.ID, nil, nil))

	sweeps, err := f.ListSweeps(f.ctx)
	f.check(err)
	f.same("causes of sweeps", ids(sweeps, func(s store.Sweep) string { return s.Cause }), []string{low.ID, high.ID, alsoLow.ID, low.ID, valued.ID})
	f.same("events", ids(f.log(f.company), func(e store.Event) string { return e.Target }), []string{low.ID, high.ID, alsoLow.ID, low.ID, valued.ID})
}

func testSweeps(f *fixture) {
	g := f.createGroup("g")
	a := f.create(f.draft("a"))
	list := func(what string, want ...*store.Sweep) {
		f.Helper()
		got, err := f.ListSweeps(f.ctx)
		f.check(err)
		var all []store.Sweep
		for _, s := range want {
			all = append(all, *s)
		}
		f.same(what, got, all)
	}
	list("none")
	add, drop, create, rule, remove := f.sweep("add"), f.sweep("drop"), f.sweep("create"), f.sweep("rule"), f.sweep("remove")
	change := func(m store.MemberChange, s *store.Sweep) {
		f.Helper()
		_, err := f.ChangeGroup(f.ctx, store.GroupChange{Company: f.company, ID: g.ID, Members: m, Modified: f.now(), Sweep: s})
		f.check(err)
	}
	change(store.MemberChange{Add: []string{a.ID}}, add)
	list("of a change", add)
	change(store.MemberChange{Add: []string{a.ID}}, f.sweep("nothing"))
	list("none of a change that was none", add)
	change(store.MemberChange{Remove: []string{a.ID}}, drop)
	_, err := f.CreateGroup(f.ctx, f.newGroup("h"), nil, nil, create, nil)
	f.check(err)
	f.check(f.CreateRule(f.ctx, store.Rule{ID: store.NewID(), Company: f.company, Group: g.ID, License: pro, Created: f.now()}, rule, nil))
	f.check(f.DeleteGroup(f.ctx, f.company, g.ID, 0, remove, nil))
	list("oldest first", add, drop, create, rule, remove)

	f.check(f.EndSweep(f.ctx, drop.ID))
	list("after one is done", add, create, rule, remove)
	f.check(f.EndSweep(f.ctx, drop.ID))
	f.check(f.EndSweep(f.ctx, store.NewID()))

	elsewhere := f.sweep("elsewhere")
	elsewhere.Company = f.newCompany("globex").ID
	h := f.newGroup("h")
	h.Company = elsewhere.Company
	_, err = f.CreateGroup(f.ctx, h, nil, nil, elsewhere, nil)
	f.check(err)
	f.check(f.EndSweep(f.ctx, remove.ID))
	list("of all companies", add, create, rule, elsewhere)

	// One that was never listed can be worked on all the same, and does not come back.
	fresh := f.sweep("fresh")
	_, err = f.CreateGroup(f.ctx, f.newGroup("i"), nil, nil, fresh, nil)
	f.check(err)
	f.check(f.EndSweep(f.ctx, fresh.ID))
	list("after the end of one that was never listed", add, create, rule, elsewhere)
}

func testSweepLeases(f *fixture) {
	s := f.sweep("cause")
	_, err := f.CreateGroup(f.ctx, f.newGroup("g"), nil, nil, s, nil)
	f.check(err)
	at := f.now()
	lease := func(holder string, now, until int, want bool) {
		f.Helper()
		got, err := f.LeaseSweep(f.ctx, s.ID, holder, at.Add(minutes(now)), at.Add(minutes(until)))
		f.check(err)
		if got != want {
			f.Errorf("lease of %s at %d: %v, want %v", holder, now, got, want)
		}
		if got {
			s.Holder, s.Until = holder, at.Add(minutes(until))
		}
	}
	stored := func(what string) {
		f.Helper()
		all, err := f.ListSweeps(f.ctx)
		f.check(err)
		f.same(what, all, []store.Sweep{*s})
	}
	lease("one", 0, 10, true)
	stored("leased")
	lease("two", 5, 15, false)
	stored("refused")
	lease("one", 9, 20, true) // who holds it may go on
	lease("two", 19, 29, false)
	f.check(f.MoveSweep(f.ctx, s.ID, "half-way"))
	s.Cursor = "half-way"
	stored("moved")
	lease("two", 21, 30, true)
	stored("taken over, with the cursor")
	lease("one", 22, 40, false)

	won := atomic.Int64{}
	together(8, func(i int) {
		ok, err := f.LeaseSweep(f.ctx, s.ID, fmt.Sprintf("worker-%d", i), at.Add(minutes(50)), at.Add(minutes(60)))
		if err != nil {
			f.Errorf("lease: %v", err)
		}
		if ok {
			won.Add(1)
		}
	})
	f.same("holders of one lease", won.Load(), int64(1))

	f.check(f.EndSweep(f.ctx, s.ID))
	_, err = f.LeaseSweep(f.ctx, s.ID, "two", at.Add(time.Hour), at.Add(2*time.Hour))
	f.want("a lease of what is done", err, store.ErrNotFound)
}

func testEvents(f *fixture) {
	globex := f.newCompany("globex")
	var want []store.Event
	event := func(action, target string) []store.Event {
		e := f.event(action, target)
		want = append(want, e)
		return []store.Event{e}
	}
	a, err := f.WriteAccount(f.ctx, store.AccountWrite{After: f.draft("a"), Events: event("create", "a")})
	f.check(err)
	two := append(event("change", "a"), event("license", "a")...)
	two[1].Kind, two[1].Detail = store.EventLicense, nil
	want[2] = two[1]
	a = f.change(a, func(a *store.Account) { a.Epoch++ }, two...)
	f.check(f.SetSeats(f.ctx, f.company, pro, 1, event("pool", pro)))
	g, err := f.CreateGroup(f.ctx, f.newGroup("g"), nil, nil, nil, event("group", "g"))
	f.check(err)
	_, err = f.ChangeGroup(f.ctx, store.GroupChange{
		Company: f.company, ID: g.ID, Members: store.MemberChange{Add: []string{a.ID}}, Modified: f.now(), Events: event("members", "g"),
	})
	f.check(err)
	f.check(f.DeleteAccount(f.ctx, store.AccountDelete{Before: a, Events: event("delete", "a")}))
	f.check(f.DeleteGroup(f.ctx, f.company, g.ID, 0, nil, event("delete", "g")))
	elsewhere := f.draft("x")
	elsewhere.Company = globex.ID
	_, err = f.WriteAccount(f.ctx, store.AccountWrite{After: elsewhere, Events: []store.Event{f.event("elsewhere", "x")}})
	f.check(err)

	got := f.log(f.company)
	f.verify(got)
	for i := range got {
		got[i].Seq, got[i].Hash = 0, [32]byte{}
	}
	f.same("the log", got, want)
	log := f.log(globex.ID)
	f.verify(log)
	f.same("the other company's", ids(log, func(e store.Event) string { return e.Action }), []string{"elsewhere"})

	page, err := f.ListEvents(f.ctx, f.company, 2, 3)
	f.check(err)
	f.same("a page", ids(page, func(e store.Event) string { return fmt.Sprint(e.Seq) }), []string{"3", "4", "5"})
	page, err = f.ListEvents(f.ctx, f.company, int64(len(want)), 10)
	f.check(err)
	f.same("past the end", len(page), 0)
}

// verify checks that a company's log is without gaps and its chain unbroken.
func (f *fixture) verify(log []store.Event) {
	f.Helper()
	var before [32]byte
	for i, e := range log {
		if e.Seq != int64(i+1) {
			f.Fatalf("event %d has seq %d", i+1, e.Seq)
		}
		if e.Hash != e.Chain(before) {
			f.Fatalf("the chain is broken at event %d", e.Seq)
		}
		before = e.Hash
	}
}

func testEventsRefused(f *fixture) {
	a := f.create(f.draft("a"))
	b := f.change(f.create(f.draft("b")), func(b *store.Account) { b.Epoch++ })
	stale := b
	stale.Version--
	no := func(what string) []store.Event { return []store.Event{f.event(what, "nobody")} }
	twin := f.draft("a")
	_, err := f.WriteAccount(f.ctx, store.AccountWrite{After: twin, Events: no("create")})
	f.wantConflict("create", err, "UserName", "a")
	_, err = f.WriteAccount(f.ctx, store.AccountWrite{Before: &stale, After: stale, Events: no("change")})
	f.want("change", err, store.ErrVersion)
	_, err = f.WriteAccount(f.ctx, store.AccountWrite{Before: &a, After: seated(a, pro, store.StateActive, f), Events: no("seat")})
	f.want("seat", err, store.ErrNoSeat)
	f.want("delete", f.DeleteAccount(f.ctx, store.AccountDelete{Before: stale, Events: no("delete")}), store.ErrVersion)
	f.want("delete group", f.DeleteGroup(f.ctx, f.company, store.NewID(), 0, nil, no("group")), store.ErrNotFound)
	f.want("delete token", f.DeleteToken(f.ctx, f.company, store.NewID(), no("token")), store.ErrNotFound)
	f.want("delete rule", f.DeleteRule(f.ctx, f.company, store.NewID(), nil, no("rule")), store.ErrNotFound)
	f.same("events", f.log(f.company), []store.Event(nil))

	// Those that were refused leave no gap.
	f.change(a, func(a *store.Account) { a.Epoch++ }, f.event("made", a.ID))
	log := f.log(f.company)
	f.verify(log)
	f.same("events", ids(log, func(e store.Event) string { return e.Action }), []string{"made"})
}

func testEventStorm(f *fixture) {
	companies := []string{f.company, f.newCompany("globex").ID}
	each := size(10, 300)
	together(8, func(i int) {
		company := companies[i%2]
		for n := range each {
			a := f.draft(fmt.Sprintf("p-%d-%d", i, n))
			a.Company = company
			if _, err := f.WriteAccount(f.ctx, store.AccountWrite{After: a, Events: []store.Event{f.event("create", a.ID)}}); err != nil {
				f.Errorf("create: %v", err)
			}
			// What has returned is in the log, and in its place for good.
			log, err := f.ListEvents(f.ctx, company, 0, 1_000_000)
			if err != nil || !slices.ContainsFunc(log, func(e store.Event) bool { return e.Target == a.ID }) {
				f.Errorf("the event of a creation that returned is not in the log: %v", err)
			}
		}
	})
	for _, company := range companies {
		log := f.log(company)
		f.verify(log)
		targets := make(map[string]int)
		for _, e := range log {
			targets[e.Target]++
		}
		f.same("events", len(log), 4*each)
		f.same("events told of twice", slices.Max(slices.Collect(maps.Values(targets))), 1)
	}
}
