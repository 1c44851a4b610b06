package sqlite_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"usher/store"
)

// TestMarks jumps about in a long list while accounts go, come back and are added.
func TestMarks(t *testing.T) {
	s := open(t, t.TempDir(), indexes())
	co := company(t, s, "acme", 1)
	order := fill(t, s, co, 2500)
	random := rand.New(rand.NewPCG(3, 4))
	offset := 0 // one that was not asked for before: the place behind a page served is remembered by itself
	used := map[int]bool{}
	check := func(round int) {
		t.Helper()
		for range 10 {
			for offset = random.IntN(len(order) + 50); used[offset]; offset = random.IntN(len(order) + 50) {
			}
			const limit = 3
			used[offset], used[offset+limit] = true, true
			page, err := s.ListAccounts(t.Context(), co, store.Query{Offset: offset, Limit: limit})
			if err != nil {
				t.Fatal(err)
			}
			want := order[min(offset, len(order)):min(offset+limit, len(order))]
			if !slices.EqualFunc(page.Accounts, want, func(a, b store.Account) bool { return a.ID == b.ID }) {
				t.Fatalf("round %d: the page at %d is not that of the list", round, offset)
			}
		}
	}
	check(0)
	var gone store.Tombstone
	var was store.Account
	at := 0
	for round := range 20 {
		switch round % 3 {
		case 0: // one goes
			at = random.IntN(len(order))
			was = order[at]
			now := time.Now().UTC().Truncate(time.Millisecond)
			gone = store.Tombstone{Company: co, Connection: "okta", ExternalID: was.ID, ID: was.ID, Created: was.Created, Deleted: now}
			if err := s.DeleteAccount(t.Context(), store.AccountDelete{Before: was, Tombstone: &gone}); err != nil {
				t.Fatal(err)
			}
			order = slices.Delete(order, at, at+1)
		case 1: // and comes back to its place
			back, err := s.WriteAccount(t.Context(), store.AccountWrite{After: was, Adopt: &gone})
			if err != nil {
				t.Fatal(err)
			}
			order = slices.Insert(order, at, back)
		case 2:
			added, err := s.WriteAccount(t.Context(), store.AccountWrite{After: account(co, 10_000+round)})
			if err != nil {
				t.Fatal(err)
			}
			order = append(order, added)
		}
		check(round + 1)
	}

	last := len(order) - 1
	if _, err := s.ListAccounts(t.Context(), co, store.Query{Offset: last - 5, Limit: 1}); err != nil {
		t.Fatal(err)
	}
	page, err := s.ListAccounts(t.Context(), co, store.Query{Offset: last - 1, Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	if page.RowsRead > 600 {
		t.Errorf("a page at %d reads %d rows, want no more than lie between two marks", last-1, page.RowsRead)
	}
}
