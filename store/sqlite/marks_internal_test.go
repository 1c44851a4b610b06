package sqlite

import (
	"fmt"
	"testing"
	"time"

	"usher/store"
	"usher/store/query"
)

// TestMarks_deletedMeanwhile deletes an account at each point of a listing in turn, also between the snapshot and what is counted in it:
// what is remembered of the list must be right for the next one.
func TestMarks_deletedMeanwhile(t *testing.T) {
	s, err := Open(t.Context(), t.TempDir(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	now := time.Now()
	co, err := s.CreateCompany(t.Context(), store.Company{ID: store.NewID(), Name: "acme", Created: now}, nil, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	var writes []store.AccountWrite
	for i := range 1600 {
		writes = append(writes, store.AccountWrite{After: store.Account{
			Company: co.ID, ID: store.NewID(), UserName: fmt.Sprint(i), Doc: []byte("{}"), Created: now, Modified: now,
		}})
	}
	all := s.WriteAccounts(t.Context(), writes)
	offset := func(round, base int) int { return base + round } // not one of those that a page ended at
	for round := 0; ; round++ {
		calls := 0
		deleting := hookedKind{happen: func() {
			if calls++; calls != round+1 {
				return
			}
			if err := s.DeleteAccount(t.Context(), store.AccountDelete{Before: all[3].Account}); err != nil {
				t.Error(err)
			}
			all = append(all[:3:3], all[4:]...)
		}}
		q := store.Query{Offset: offset(round, 1100), Limit: 1, Total: true}
		if _, err := s.list(t.Context(), deleting, co.ID, q, func(*rows) (int, error) { return 0, nil }); err != nil {
			t.Fatal(err)
		}
		for _, base := range []int{520, 640, 1240, 1340} {
			at := offset(round, base)
			page, err := s.ListAccounts(t.Context(), co.ID, store.Query{Offset: at, Limit: 1})
			if err != nil {
				t.Fatal(err)
			}
			if got, want := page.Accounts[0].ID, all[at].Account.ID; got != want {
				t.Fatalf("round %d: at %d there is another account than in the list", round, at)
			}
		}
		if calls <= round { // every point of the listing has had its turn
			return
		}
		s.marks = newMarks() // as after a start
		s.places = query.NewPlaces[int64]()
	}
}

// hookedKind lets something happen whenever a listing asks what it lists.
type hookedKind struct {
	accountKind
	happen func()
}

func (k hookedKind) table() string {
	k.happen()
	return k.accountKind.table()
}
