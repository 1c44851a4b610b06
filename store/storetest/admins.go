package storetest

import (
	"slices"
	"strings"

	"usher/store"
)

func testLocalAdmins(f *fixture) {
	company := func() store.Company {
		f.Helper()
		c, err := f.Company(f.ctx, f.company)
		f.check(err)
		return c
	}
	admins := func(what string, want ...store.LocalAdmin) {
		f.Helper()
		got, err := f.ListLocalAdmins(f.ctx, f.company)
		f.check(err)
		byLogin := func(a, b store.LocalAdmin) int { return strings.Compare(a.Login, b.Login) }
		slices.SortFunc(got, byLogin)
		slices.SortFunc(want, byLogin)
		f.same(what, got, want)
	}
	first, err := f.ListLocalAdmins(f.ctx, f.company)
	f.check(err)
	before := len(f.log(f.company))
	ada := store.LocalAdmin{ID: store.NewID(), Company: f.company, Login: "ada", Password: "$1", Role: "user-admin", Created: f.now()}
	stale := company()
	f.check(f.PutLocalAdmin(f.ctx, stale, ada, []store.Event{f.event("admin.put", ada.ID)}))
	admins("added", append(slices.Clone(first), ada)...)
	f.same("the version", company().Version, stale.Version+1)
	f.want("on a stale version", f.PutLocalAdmin(f.ctx, stale, ada, []store.Event{f.event("lost", ada.ID)}), store.ErrVersion)

	twin := ada
	twin.ID = store.NewID()
	f.wantConflict("a login that is taken", f.PutLocalAdmin(f.ctx, company(), twin, []store.Event{f.event("lost", ada.ID)}), "LocalAdmin.Login", "ada")
	ada.Password, ada.Role = "$2", "super-admin"
	f.check(f.PutLocalAdmin(f.ctx, company(), ada, nil))
	admins("replaced", append(slices.Clone(first), ada)...)

	f.want("deleting nobody", f.DeleteLocalAdmin(f.ctx, company(), store.NewID(), []store.Event{f.event("lost", ada.ID)}), store.ErrNotFound)
	f.want("deleting on a stale version", f.DeleteLocalAdmin(f.ctx, stale, ada.ID, nil), store.ErrVersion)
	f.check(f.DeleteLocalAdmin(f.ctx, company(), ada.ID, []store.Event{f.event("admin.delete", ada.ID)}))
	admins("deleted", first...)
	f.same("events", len(f.log(f.company)), before+2)
}
