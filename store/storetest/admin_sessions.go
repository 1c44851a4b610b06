package storetest

import (
	"crypto/sha256"

	"usher/store"
)

func testAdminSessions(f *fixture) {
	session := func(name string) store.AdminSession {
		at := f.now()
		return store.AdminSession{
			Hash: sha256.Sum256([]byte(name)), ID: store.NewID(), Company: f.company, Kind: "admin", Admin: "a-" + name,
			Credential: sha256.Sum256([]byte("password of " + name)), Created: at, Seen: at, Expires: at.Add(minutes(60)),
		}
	}
	one, two, old := session("one"), session("two"), session("old")
	old.Expires = old.Created.Add(minutes(1))
	f.check(f.CreateAdminSession(f.ctx, one, []store.Event{f.event("session.create", one.ID)}))
	f.check(f.CreateAdminSession(f.ctx, two, nil))
	f.check(f.CreateAdminSession(f.ctx, old, nil))
	got, err := f.AdminSession(f.ctx, two.Hash)
	f.check(err)
	f.same("by hash", got, two)
	two.Seen = two.Seen.Add(minutes(30))
	f.check(f.TouchAdminSession(f.ctx, two.Hash, two.Seen))
	list := func(want ...store.AdminSession) {
		f.Helper()
		all, err := f.ListAdminSessions(f.ctx, f.company)
		f.check(err)
		f.same("list", all, want)
	}
	list(one, two, old)
	n, err := f.DropAdminSessions(f.ctx, one.Seen, old.Expires.Add(minutes(1)))
	f.check(err)
	f.same("dropped because it expires", n, 1)
	n, err = f.DropAdminSessions(f.ctx, two.Seen, one.Created)
	f.check(err)
	f.same("dropped because it was not used", n, 1)
	list(two)
	globex := f.newCompany("globex").ID
	f.want("another company's", f.DeleteAdminSession(f.ctx, globex, two.ID, nil), store.ErrNotFound)
	f.check(f.DeleteAdminSession(f.ctx, f.company, two.ID, []store.Event{f.event("session.delete", two.ID)}))
	_, err = f.AdminSession(f.ctx, two.Hash)
	f.want("ended", err, store.ErrNotFound)
	f.want("touched after the end", f.TouchAdminSession(f.ctx, two.Hash, two.Seen), store.ErrNotFound)
	f.want("ended twice", f.DeleteAdminSession(f.ctx, f.company, two.ID, nil), store.ErrNotFound)
	f.same("events", ids(f.log(f.company), func(e store.Event) string { return e.Action }), []string{"session.create", "session.delete"})
}
