package storetest

import (
	"crypto/sha256"
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
	ada.Password, ada.Role, ada.TOTP, ada.TOTPStep = "$2", "super-admin", "sealed", 7
	f.check(f.PutLocalAdmin(f.ctx, company(), ada, nil))
	admins("replaced", append(slices.Clone(first), ada)...)

	f.want("deleting nobody", f.DeleteLocalAdmin(f.ctx, company(), store.NewID(), []store.Event{f.event("lost", ada.ID)}), store.ErrNotFound)
	f.want("deleting on a stale version", f.DeleteLocalAdmin(f.ctx, stale, ada.ID, nil), store.ErrVersion)
	f.check(f.DeleteLocalAdmin(f.ctx, company(), ada.ID, []store.Event{f.event("admin.delete", ada.ID)}))
	admins("deleted", first...)
	f.same("events", len(f.log(f.company)), before+2)
}

func testAdminKeys(f *fixture) {
	key := func(name string) store.AdminKey {
		return store.AdminKey{Hash: sha256.Sum256([]byte(name)), ID: store.NewID(), Company: f.company, Admin: "a-" + name, Created: f.now()}
	}
	one, two := key("one"), key("two")
	two.Expires = f.now().Add(minutes(5))
	f.check(f.CreateAdminKey(f.ctx, one, []store.Event{f.event("key.create", one.ID)}))
	f.check(f.CreateAdminKey(f.ctx, two, nil))
	got, err := f.AdminKey(f.ctx, two.Hash)
	f.check(err)
	f.same("by hash", got, two)
	all, err := f.ListAdminKeys(f.ctx, f.company)
	f.check(err)
	f.same("list", all, []store.AdminKey{one, two})
	globex := f.newCompany("globex").ID
	f.want("another company's", f.DeleteAdminKey(f.ctx, globex, one.ID, nil), store.ErrNotFound)
	f.check(f.DeleteAdminKey(f.ctx, f.company, one.ID, []store.Event{f.event("key.delete", one.ID)}))
	_, err = f.AdminKey(f.ctx, one.Hash)
	f.want("revoked", err, store.ErrNotFound)
	f.want("twice", f.DeleteAdminKey(f.ctx, f.company, one.ID, nil), store.ErrNotFound)
	f.same("events", ids(f.log(f.company), func(e store.Event) string { return e.Action }), []string{"key.create", "key.delete"})
}
