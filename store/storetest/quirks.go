package storetest

import (
	"usher/store"
)

func testQuirks(f *fixture) {
	list := func(what string, want ...store.QuirkUse) {
		f.Helper()
		all, err := f.ListQuirks(f.ctx, f.company)
		f.check(err)
		f.same(what, all, want)
	}
	use := func(connection, quirk string, n int64) store.QuirkUse {
		return store.QuirkUse{Connection: connection, Quirk: quirk, Count: n, First: f.now(), Last: f.now()}
	}
	list("none")
	b, a, c := use("okta", "b", 2), use("okta", "a", 1), use("entra", "b", 7)
	f.check(f.CountQuirks(f.ctx, f.company, []store.QuirkUse{b, a, c}))
	list("counted", c, a, b)
	more := use("okta", "b", 3)
	f.check(f.CountQuirks(f.ctx, f.company, []store.QuirkUse{more}))
	b.Count, b.Last = 5, more.Last
	list("counted again", c, a, b)
	late := use("okta", "b", 1)
	late.First, late.Last = a.First, a.Last // from a process that was slower
	f.check(f.CountQuirks(f.ctx, f.company, []store.QuirkUse{late}))
	b.Count = 6
	list("counted late", c, a, b)
	other := f.newCompany("other")
	all, err := f.ListQuirks(f.ctx, other.ID)
	f.check(err)
	f.same("of another company", len(all), 0)
	if err := f.CountQuirks(f.ctx, store.NewID(), []store.QuirkUse{a}); err == nil {
		f.Error("counted for no company")
	}
	together(8, func(int) {
		f.check(f.CountQuirks(f.ctx, f.company, []store.QuirkUse{{Connection: "okta", Quirk: "a", Count: 1, First: a.First, Last: a.Last}}))
	})
	a.Count = 9
	list("counted by many at once", c, a, b)
}
