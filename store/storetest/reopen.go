package storetest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp/cmpopts"

	"usher/store"
	"usher/store/query"
)

// RunReopen checks that an engine which keeps its data in a folder, open to one process at a time, has all of it again after Close
// and goes on where it was.
// open opens the store of the folder, which is empty the first time; the suite closes it.
func RunReopen(t *testing.T, open func(t *testing.T, dir string, indexes []query.Index) store.Store) {
	dir := t.TempDir()
	f := newFixture(t, open(t, dir, indexes()))
	again := func() {
		t.Helper()
		f.check(f.Close())
		f.Store = open(t, dir, indexes())
	}
	t.Cleanup(func() { f.check(f.Close()) })

	w := f.newWorld("globex")
	f.company = w.company
	f.setSeats(pro, 2)
	at := f.now()
	ok, err := f.LeaseSweep(f.ctx, w.sweep.ID, "me", at, at.Add(time.Hour))
	f.check(err)
	f.same("leased", ok, true)
	f.check(f.MoveSweep(f.ctx, w.sweep.ID, "half-way"))
	var events []store.Event
	for range 3 {
		events = append(events, f.event("change", w.account.ID))
	}
	f.change(w.account, func(a *store.Account) { a.Epoch++ }, events...)

	f.check(f.CreateRule(f.ctx, store.Rule{
		ID: store.NewID(), Company: w.company, Match: &store.Match{Paths: []string{"title"}, Value: "boss"}, License: pro, Created: at,
	}, nil, nil))
	before := f.snapshot(w.company)
	w.sweep.Cursor = "half-way"
	before.Sweeps = []store.Sweep{w.sweep} // whoever worked on it is gone, and the lease with them

	for range 2 { // the second time after an opening that wrote nothing
		again()
		f.same("the company after closing and opening", f.snapshot(w.company), before, cmpopts.IgnoreFields(store.Account{}, "Terms"))
	}
	company, err := f.CompanyByName(f.ctx, "globex")
	f.check(err)
	f.same("the company by name", company.ID, w.company)
	token, err := f.Token(f.ctx, w.token.Hash)
	f.check(err)
	f.same("the token", token, w.token)

	// Versions, names, seats and the chain of events go on where they were.
	stale := w.account
	_, err = f.WriteAccount(f.ctx, store.AccountWrite{Before: &stale, After: stale})
	f.want("a change of a stale version", err, store.ErrVersion)
	twin := f.draft("account")
	_, err = f.WriteAccount(f.ctx, store.AccountWrite{After: twin})
	f.wantConflict("a name that was taken before", err, "UserName", "account")
	f.create(seated(f.draft("second"), pro, store.StateActive, f))
	_, err = f.WriteAccount(f.ctx, store.AccountWrite{After: seated(f.draft("third"), pro, store.StateActive, f)})
	f.want("a seat of a pool that is full", err, store.ErrNoSeat)
	f.same("pool", f.pool(pro), store.Pool{Company: w.company, License: pro, Total: 2, Used: 2, Active: 1, Held: 1, Waiting: 1})
	ok, err = f.LeaseSweep(f.ctx, w.sweep.ID, "you", at.Add(time.Minute), at.Add(2*time.Hour))
	f.check(err)
	f.same("leased by another, although the first lease would still run", ok, true)
	a := f.change(f.read(w.account.ID), func(a *store.Account) { a.Epoch++ }, f.event("after", w.account.ID))
	log := f.log(w.company)
	f.verify(log)
	f.same("events", len(log), len(before.Events)+1)
	page, err := f.ListAccounts(f.ctx, w.company, store.Query{Limit: 10,
		Filter: query.Leaf{Path: "displayName", Op: query.Equal, Type: query.String, Fold: true, Value: query.Fold(a.Display)}})
	f.check(err)
	f.same("found in the index", ids(page.Accounts, accountID), []string{a.ID})
	again()
	f.same("after another opening", f.read(a.ID), a, kept)
}
