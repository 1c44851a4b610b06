package storetest

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"usher/store"
	"usher/store/query"
)

func testAccountRoundTrip(f *fixture) {
	at := f.now()
	full := f.document(f.draft("ignored"), map[string]any{
		"userName": "Barbara@Example.com", "displayName": "Barbara <Jensen> \"é\" 日本", "externalId": "E-1",
		"emails": []any{map[string]any{"value": "b@example.com", "type": "work"}}, "level": 7,
	})
	full.Connection, full.Active, full.Extension = "c-1", false, "4711"
	full.Setup = store.Setup{
		Activation: store.ActivationInvited, Link: []byte{1, 2}, LinkUntil: at.Add(minutes(9)), Done: []string{"name"}, Password: "$argon2id$x", MustChange: true, Weak: true,
		TOTP: "sealed", TOTPStep: 7,
	}
	full.Identity = store.Identity{Issuer: "https://idp.example", Subject: "00u-1", Connection: "c-1", Linked: at}
	full.Decision = store.Decision{
		License: pro, LicenseState: store.StateWaiting, LicenseReason: "waiting_for_seat", Effective: "video-pro",
		Requested: at, Priority: -3,
		Sources: []store.Source{
			{Kind: "license", By: "c-1", License: pro, At: at, Approved: true},
			{Kind: "group-rule", Ref: "r-1", By: "root", License: other, Priority: 9, At: at, Refused: true, Until: at.Add(minutes(5))},
		},
		MemberType: "guest", Role: "user-admin", Epoch: 4,
		RoleSources: []store.RoleSource{{Kind: "group-rule", Ref: "r-2", By: "root", Role: "user-admin", At: at}},
	}
	plain := f.draft("plain@example.com")
	for _, a := range []store.Account{full, plain} {
		stored := f.create(a)
		if stored.Version != 1 {
			f.Errorf("version %d after creation, want 1", stored.Version)
		}
		a.Version = 1
		f.same("stored", stored, a, kept)
		f.same("by id", f.read(a.ID), a, kept)
		byName, err := f.AccountByUserName(f.ctx, f.company, a.UserName)
		f.check(err)
		f.same("by user name", byName, a, kept)
	}

	// Every column can change, and change back to nothing.
	after := plain
	after.Version = 2
	bare := full
	bare.Version, bare.Connection, bare.Decision, bare.Extension, bare.Setup = 2, "", plain.Decision, "", store.Setup{}
	bare.Identity = store.Identity{}
	for _, c := range []struct{ before, after store.Account }{{plain, after}, {full, bare}} {
		before := f.read(c.before.ID)
		c.after.Modified = f.now()
		if c.before.ID == plain.ID {
			c.after.Decision, c.after.Connection, c.after.Active, c.after.Setup = full.Decision, "c-2", false, full.Setup
			c.after.Identity = store.Identity{Issuer: "https://idp.example", Subject: "00u-2", Connection: "c-2", Linked: at}
		}
		stored, err := f.WriteAccount(f.ctx, store.AccountWrite{Before: &before, After: c.after})
		f.check(err)
		f.same("changed", stored, c.after, kept)
		f.same("read after the change", f.read(c.before.ID), c.after, kept)
	}

	_, err := f.Account(f.ctx, f.company, store.NewID())
	f.want("Account", err, store.ErrNotFound)
	_, err = f.AccountByUserName(f.ctx, f.company, "nobody@example.com")
	f.want("AccountByUserName", err, store.ErrNotFound)
}

func testAccountVersions(f *fixture) {
	stale := f.create(f.draft("a"))
	current := f.change(stale, func(a *store.Account) { a.Epoch++ }, f.event("first", stale.ID))
	if current.Version != stale.Version+1 {
		f.Errorf("version %d after a change of %d", current.Version, stale.Version)
	}

	late := stale
	late.Epoch = 99
	_, err := f.WriteAccount(f.ctx, store.AccountWrite{Before: &stale, After: late, Events: []store.Event{f.event("late", stale.ID)}})
	f.want("a change of a stale version", err, store.ErrVersion)
	f.want("deleting a stale version", f.DeleteAccount(f.ctx, store.AccountDelete{Before: stale}), store.ErrVersion)
	f.same("the account afterwards", f.read(stale.ID), current, kept)

	never := f.draft("never")
	never.Version = 1
	_, err = f.WriteAccount(f.ctx, store.AccountWrite{Before: &never, After: never})
	f.want("a change of what is not there", err, store.ErrNotFound)
	f.want("deleting what is not there", f.DeleteAccount(f.ctx, store.AccountDelete{Before: never}), store.ErrNotFound)

	f.check(f.DeleteAccount(f.ctx, store.AccountDelete{Before: current}))
	_, err = f.Account(f.ctx, f.company, current.ID)
	f.want("reading what was deleted", err, store.ErrNotFound)
	_, err = f.AccountByUserName(f.ctx, f.company, current.UserName)
	f.want("reading the name of what was deleted", err, store.ErrNotFound)
	_, err = f.WriteAccount(f.ctx, store.AccountWrite{Before: &current, After: current})
	f.want("a change of what was deleted", err, store.ErrNotFound)
	f.want("deleting again", f.DeleteAccount(f.ctx, store.AccountDelete{Before: current}), store.ErrNotFound)
	if log := f.log(f.company); len(log) != 1 || log[0].Action != "first" {
		f.Errorf("events %v, want the one of the change that was made", log)
	}
}

func testAccountsByID(f *fixture) {
	all := f.people(5, "p")
	got, err := f.AccountsByID(f.ctx, f.company, []string{all[3].ID, store.NewID(), all[0].ID, all[3].ID, "no id at all"})
	f.check(err)
	f.same("accounts", got, []store.Account{all[0], all[3]}, kept)
	got, err = f.AccountsByID(f.ctx, f.company, nil)
	f.check(err)
	f.same("accounts of no ids", got, []store.Account(nil))
}

func testAccountBatch(f *fixture) {
	taken := f.create(f.draft("taken"))
	stale := f.create(f.draft("stale"))
	f.change(stale, func(a *store.Account) { a.Epoch++ })
	good := f.create(f.draft("good"))
	changed := good
	changed.Epoch = 5
	again := f.draft("taken")
	again.UserName = taken.UserName
	twin1, twin2 := f.draft("twin"), f.draft("twin")

	results := f.WriteAccounts(f.ctx, []store.AccountWrite{
		{After: f.draft("new")},
		{After: again},
		{Before: &stale, After: stale},
		{Before: &good, After: changed},
		{After: twin1},
		{After: twin2},
		{After: f.draft("last")},
	})
	if len(results) != 7 {
		f.Fatalf("%d results of 7 writes", len(results))
	}
	for _, i := range []int{0, 3, 6} {
		if err := results[i].Err; err != nil {
			f.Errorf("write %d: %v", i, err)
			continue
		}
		f.same(fmt.Sprintf("result %d", i), f.read(results[i].Account.ID), results[i].Account, kept)
	}
	f.wantConflict("write 1", results[1].Err, "UserName", "taken")
	f.want("write 2", results[2].Err, store.ErrVersion)
	if (results[4].Err == nil) == (results[5].Err == nil) {
		f.Errorf("twins in one batch: %v and %v, want exactly one to be stored", results[4].Err, results[5].Err)
	}
	if got := f.WriteAccounts(f.ctx, nil); len(got) != 0 {
		f.Errorf("%d results of no writes", len(got))
	}
}

func testUserNames(f *fixture) {
	a, b := f.create(f.draft("anna")), f.create(f.draft("bert"))

	twin := f.draft("anna")
	_, err := f.WriteAccount(f.ctx, store.AccountWrite{After: twin, Events: []store.Event{f.event("twin", twin.ID)}})
	f.wantConflict("creating a taken name", err, "UserName", "anna")
	_, err = f.Account(f.ctx, f.company, twin.ID)
	f.want("the refused account", err, store.ErrNotFound)

	renamed := b
	renamed.UserName = "anna"
	_, err = f.WriteAccount(f.ctx, store.AccountWrite{Before: &b, After: renamed, Events: []store.Event{f.event("rename", b.ID)}})
	f.wantConflict("renaming onto a taken name", err, "UserName", "anna")
	f.same("the account that was not renamed", f.read(b.ID), b, kept)
	if log := f.log(f.company); len(log) != 0 {
		f.Errorf("%d events of refused writes", len(log))
	}

	// A name is free again after a rename and after a deletion, at once.
	a = f.change(a, func(a *store.Account) { a.UserName = "carl" })
	_, err = f.AccountByUserName(f.ctx, f.company, "anna")
	f.want("the former name", err, store.ErrNotFound)
	b = f.change(b, func(b *store.Account) { b.UserName = "anna" })
	found, err := f.AccountByUserName(f.ctx, f.company, "anna")
	f.check(err)
	f.same("who has the name now", found.ID, b.ID)
	f.check(f.DeleteAccount(f.ctx, store.AccountDelete{Before: b}))
	b = f.create(f.draft("anna"))

	// There and back again.
	a = f.change(a, func(a *store.Account) { a.UserName = "dora" })
	f.change(a, func(a *store.Account) { a.UserName = "carl" })
	f.create(f.draft("dora"))

	elsewhere := f.draft("anna")
	elsewhere.Company = f.newCompany("globex").ID
	f.create(elsewhere)
	found, err = f.AccountByUserName(f.ctx, f.company, "anna")
	f.check(err)
	f.same("who has the name in the first company", found.ID, b.ID)
}

func testUserNameStorm(f *fixture) {
	for round := range size(3, 50) {
		name := fmt.Sprintf("person-%d", round)
		var won atomic.Int64
		drafts := make([]store.Account, 32)
		for i := range drafts {
			drafts[i] = f.draft(name)
		}
		together(len(drafts), func(i int) {
			_, err := f.WriteAccount(f.ctx, store.AccountWrite{After: drafts[i], Events: []store.Event{f.event("create", name)}})
			if err == nil {
				won.Add(1)
				return
			}
			f.wantConflict("create", err, "UserName", name)
		})
		if won.Load() != 1 {
			f.Errorf("%d of %d creations of one name succeeded", won.Load(), len(drafts))
		}
		if _, err := f.AccountByUserName(f.ctx, f.company, name); err != nil {
			f.Errorf("the winner: %v", err)
		}
	}
	page, err := f.ListAccounts(f.ctx, f.company, store.Query{Total: true})
	f.check(err)
	if rounds := size(3, 50); page.Total != rounds || len(f.log(f.company)) != rounds {
		f.Errorf("%d accounts and %d events after %d rounds", page.Total, len(f.log(f.company)), rounds)
	}
}

// testRenameStorm has accounts fight over a few names. Whoever was told that he has a name must have it, and nobody else.
func testRenameStorm(f *fixture) {
	const people, names = 8, 3
	accounts := f.people(people, "p")
	together(people, func(i int) {
		a := accounts[i]
		for step := range size(20, 500) {
			after := a
			after.UserName = fmt.Sprintf("wanted-%d", (i+step)%names)
			stored, err := f.WriteAccount(f.ctx, store.AccountWrite{Before: &a, After: after})
			if err == nil {
				a = stored
				if found, err := f.AccountByUserName(f.ctx, f.company, a.UserName); err != nil || found.ID != a.ID {
					f.Errorf("%q was given to %s but is with %s: %v", a.UserName, a.ID, found.ID, err)
				}
				continue
			}
			f.wantConflict("rename", err, "UserName", after.UserName)
		}
		accounts[i] = a
	})
	seen := make(map[string]string)
	for _, a := range accounts {
		got := f.read(a.ID)
		f.same("the account at the end", got, a, kept)
		if before, taken := seen[got.UserName]; taken {
			f.Errorf("%s and %s are both %q", before, got.ID, got.UserName)
		}
		seen[got.UserName] = got.ID
	}
	for i := range names {
		name := fmt.Sprintf("wanted-%d", i)
		found, err := f.AccountByUserName(f.ctx, f.company, name)
		if owner, ok := seen[name]; ok && (err != nil || found.ID != owner) {
			f.Errorf("%q is with %s: %q, %v", name, owner, found.ID, err)
		} else if !ok {
			f.want(name, err, store.ErrNotFound)
			f.create(f.draft(name)) // nobody's name is free
		}
	}
}

func testVersionStorm(f *fixture) {
	a := f.create(f.draft("counter"))
	var successes atomic.Int64
	n := size(20, 500)
	together(8, func(i int) {
		for range n {
			for {
				before, err := f.Account(f.ctx, f.company, a.ID)
				if err != nil {
					f.Errorf("read: %v", err)
					return
				}
				runtime.Gosched() // lets somebody come in between
				after := before
				after.Epoch++
				after.Doc = fmt.Appendf(nil, `{"count":%d,"userName":"counter"}`, after.Epoch)
				_, err = f.WriteAccount(f.ctx, store.AccountWrite{Before: &before, After: after})
				if err == nil {
					successes.Add(1)
					break
				}
				if !errors.Is(err, store.ErrVersion) {
					f.Errorf("write: %v", err)
					return
				}
			}
		}
	})
	got, ok := f.read(a.ID), successes.Load()
	if got.Version != 1+ok || got.Epoch != ok || string(got.Doc) != fmt.Sprintf(`{"count":%d,"userName":"counter"}`, ok) {
		f.Errorf("version %d, epoch %d, document %s after %d successes", got.Version, got.Epoch, got.Doc, ok)
	}
}

func testTombstones(f *fixture) {
	bury := func(external string, deleted time.Time) store.Tombstone {
		f.Helper()
		a := f.create(f.draft("mortal"))
		t := store.Tombstone{
			Company: f.company, Connection: "c-1", ExternalID: external, ID: a.ID, Version: 2 + int64(deleted.Day()), Epoch: 1 + int64(deleted.Day()),
			Created: a.Created, Deleted: deleted,
		}
		f.check(f.DeleteAccount(f.ctx, store.AccountDelete{Before: a, Tombstone: &t}))
		return t
	}
	day := func(n int) time.Time { return time.Date(2026, 3, n, 12, 0, 0, 0, time.UTC) }
	bury("e-1", day(3))
	newest := bury("e-1", day(5))
	bury("e-1", day(4))
	bury("e-2", day(9))
	plain := f.create(f.draft("plain"))
	f.check(f.DeleteAccount(f.ctx, store.AccountDelete{Before: plain}))

	newestOf := func(what, connection, external string, since time.Time, want *store.Tombstone) {
		f.Helper()
		got, err := f.NewestTombstone(f.ctx, f.company, connection, external, since)
		if want == nil {
			f.want(what, err, store.ErrNotFound)
			return
		}
		f.check(err)
		f.same(what, got, *want)
	}
	newestOf("the newest of three", "c-1", "e-1", day(1), &newest)
	newestOf("the newest at the very time", "c-1", "e-1", day(5), &newest)
	newestOf("the newest after all", "c-1", "e-1", day(6), nil)
	newestOf("of another connection", "c-2", "e-1", day(1), nil)
	newestOf("of nobody", "c-1", "e-3", day(1), nil)

	for _, step := range []struct {
		before time.Time
		want   int
	}{{day(3), 0}, {day(5), 2}, {day(5), 0}, {day(6), 1}} {
		n, err := f.DropTombstones(f.ctx, step.before)
		f.check(err)
		f.same("dropped", n, step.want)
	}
	newestOf("one that was dropped", "c-1", "e-1", day(1), nil)
}

func testAdoption(f *fixture) {
	first := f.create(f.draft("phoenix"))
	g := f.createGroup("birds", first.ID)
	tomb := store.Tombstone{
		Company: f.company, Connection: "c-1", ExternalID: "e-1", ID: first.ID, Version: 7, Created: first.Created, Deleted: f.now(),
	}
	f.check(f.DeleteAccount(f.ctx, store.AccountDelete{Before: first, Tombstone: &tomb, Events: []store.Event{f.event("delete", first.ID)}}))

	// A creation that fails takes nothing over.
	taken := f.create(f.draft("taken"))
	refused := f.draft("taken")
	refused.ID = first.ID
	_, err := f.WriteAccount(f.ctx, store.AccountWrite{After: refused, Adopt: &tomb})
	f.wantConflict("adoption under a taken name", err, "UserName", "taken")
	_, err = f.NewestTombstone(f.ctx, f.company, "c-1", "e-1", time.Time{})
	f.check(err)

	second := f.draft("Phoenix")
	second.ID, second.Created = tomb.ID, tomb.Created
	stored, err := f.WriteAccount(f.ctx, store.AccountWrite{After: second, Adopt: &tomb, Events: []store.Event{f.event("create", second.ID)}})
	f.check(err)
	second.Version = 8
	f.same("adopted", stored, second, kept)
	f.same("adopted, read", f.read(second.ID), second, kept)
	_, err = f.NewestTombstone(f.ctx, f.company, "c-1", "e-1", time.Time{})
	f.want("the tombstone afterwards", err, store.ErrNotFound)
	f.same("members of the group it was in before", f.members(g.ID), []string(nil))
	f.same("actions", ids(f.log(f.company), func(e store.Event) string { return e.Action }), []string{"delete", "create"})
	f.same("the list", ids(f.everybody(), accountID), []string{second.ID, taken.ID}) // the old id, so the old place
	page, err := f.ListAccounts(f.ctx, f.company, store.Query{Limit: 10, Total: true,
		Filter: query.Leaf{Path: store.ColumnID, Op: query.Equal, Type: query.String, Value: second.ID}})
	f.check(err)
	if page.Total != 1 || !slices.Equal(ids(page.Accounts, accountID), []string{second.ID}) {
		f.Errorf("listed by id: %d, %v", page.Total, ids(page.Accounts, accountID))
	}
}
