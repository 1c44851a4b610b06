package storetest

import (
	"time"

	"usher/store"
)

// testLosses checks that losses are counted by connection and time, those of deletions too, and none of a write that was refused.
func testLosses(f *fixture) {
	at := f.now().Truncate(time.Millisecond)
	count := func(what, company, connection string, since time.Time, want int) {
		f.Helper()
		n, err := f.CountLosses(f.ctx, company, connection, since, 100)
		f.check(err)
		f.same(what, n, want)
	}
	count("none", f.company, "okta", at, 0)
	lose := func(name, connection string, minute int) store.Account {
		before := f.create(f.draft(name))
		after := before
		after.Modified = at.Add(minutes(minute))
		stored, err := f.WriteAccount(f.ctx, store.AccountWrite{Before: &before, After: after, Loss: connection})
		f.check(err)
		return stored
	}
	gone := lose("a", "okta", 1)
	lose("b", "okta", 1)
	lose("c", "okta", 5)
	lose("d", "entra", 5)
	count("of one connection", f.company, "okta", at, 3)
	count("of another", f.company, "entra", at, 1)
	count("from the minute on", f.company, "okta", at.Add(minutes(1)), 3)
	count("lately", f.company, "okta", at.Add(minutes(2)), 1)
	stale := gone
	stale.Version--
	_, err := f.WriteAccount(f.ctx, store.AccountWrite{Before: &stale, After: gone, Loss: "okta"})
	f.want("a stale write", err, store.ErrVersion)
	f.check(f.DeleteAccount(f.ctx, store.AccountDelete{Before: gone, At: at.Add(minutes(6)), Loss: "okta"}))
	count("with the deletion", f.company, "okta", at, 4)
	count("elsewhere", f.newCompany("globex").ID, "okta", at, 0)
	n, err := f.CountLosses(f.ctx, f.company, "okta", at, 2)
	f.check(err)
	f.same("up to a limit", n, 2)
}

func testBreaker(f *fixture) {
	c := store.Connection{ID: store.NewID(), Company: f.company, Name: "okta", Mode: store.ModeLive, Created: f.now()}
	f.check(f.CreateConnection(f.ctx, c, nil))
	set := func(was, is string) error {
		next := c
		next.Breaker, next.BreakerSince, next.Mode = is, f.now(), store.ModePaused
		err := f.SetBreaker(f.ctx, next, was, []store.Event{f.event("breaker", c.ID)})
		if err == nil {
			c.Breaker, c.BreakerSince = next.Breaker, next.BreakerSince // and nothing else
		}
		return err
	}
	f.check(set("", "tripped"))
	f.want("again", set("", "tripped"), store.ErrVersion)
	f.check(set("tripped", ""))
	f.check(set("", "passing"))
	got, err := f.Connection(f.ctx, c.ID)
	f.check(err)
	f.same("the connection", got, c)
	lost := c
	lost.ID = store.NewID()
	f.want("no connection", f.SetBreaker(f.ctx, lost, "", []store.Event{f.event("lost", lost.ID)}), store.ErrNotFound)
	f.same("events", ids(f.log(f.company), func(e store.Event) string { return e.Target }), []string{c.ID, c.ID, c.ID})
}
