package mongo

import (
	"testing"
	"time"

	"usher/store"
	"usher/store/mongo/mongotest"
)

// crashed is a store with a company, two accounts and a group, in which the tests leave something half-way.
func crashed(t *testing.T) (s *Store, company string, accounts []store.Account, g store.Group) {
	t.Helper()
	s = Quiet(t, mongotest.URI(t), 0) // nobody else finishes it
	if err := s.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	c, err := s.CreateCompany(t.Context(), store.Company{ID: store.NewID(), Name: "acme", Created: at}, []store.Pool{{License: "video-pro-plus", Total: 1}}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"ada", "bob"} {
		a, err := s.WriteAccount(t.Context(), store.AccountWrite{After: store.Account{
			ID: store.NewID(), Company: c.ID, UserName: name, Created: at, Modified: at, Doc: []byte("{}"), Decision: store.Decision{LicenseState: store.StateNone},
		}})
		if err != nil {
			t.Fatal(err)
		}
		accounts = append(accounts, a)
	}
	g, err = s.CreateGroup(t.Context(), store.Group{ID: store.NewID(), Company: c.ID, Name: "staff", Display: "Staff", Created: at, Modified: at, Doc: []byte("{}")},
		nil, nil, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s, c.ID, accounts, g
}

// TestLeaseSweep_membersFirst: who takes over the sweep of a process that died while it wrote the memberships finds all of them written.
func TestLeaseSweep_membersFirst(t *testing.T) {
	s, company, accounts, g := crashed(t)
	old, err := s.settledGroup(t.Context(), company, g.ID)
	if err != nil {
		t.Fatal(err)
	}
	next := old
	next.Value.Version++
	next.Group.Members = len(accounts)
	next.Group.Change = &rowsChange{Version: next.Value.Version, In: idSet{accounts[0].ID, accounts[1].ID}}
	next.Keys, next.Terms = groupKeys(&next.Value), groupTerms(&next.Value, nil)
	sweep := store.Sweep{ID: store.NewID(), Company: company, Created: old.Value.Created}
	if fits, err := s.setGroup(t.Context(), old, next, notices(&sweep, nil)); err != nil || !fits {
		t.Fatalf("the group was not changed: %v, %v", fits, err)
	}
	// Here its process dies.

	sweeps, err := s.ListSweeps(t.Context())
	if err != nil || len(sweeps) != 1 {
		t.Fatalf("ListSweeps gave %d sweeps and %v, want one", len(sweeps), err)
	}
	if mine, err := s.LeaseSweep(t.Context(), sweep.ID, "another", sweep.Created, sweep.Created.Add(time.Minute)); err != nil || !mine {
		t.Fatalf("LeaseSweep gave %v, %v", mine, err)
	}
	members, err := s.membersOf(t.Context(), company, g.ID)
	if err != nil || len(members) != len(accounts) {
		t.Errorf("the group has the members %v (%v) when its sweep begins, want both", members, err)
	}
}

// TestGroup_membersFirst: a group is shown with the members that its version has, though who changed it died before they were written.
func TestGroup_membersFirst(t *testing.T) {
	s, company, accounts, g := crashed(t)
	old, err := s.settledGroup(t.Context(), company, g.ID)
	if err != nil {
		t.Fatal(err)
	}
	next := old
	next.Value.Version++
	next.Group.Members = 1
	next.Group.Change = &rowsChange{Version: next.Value.Version, In: idSet{accounts[0].ID}}
	next.Keys, next.Terms = groupKeys(&next.Value), groupTerms(&next.Value, nil)
	if fits, err := s.setGroup(t.Context(), old, next, nil); err != nil || !fits {
		t.Fatalf("the group was not changed: %v, %v", fits, err)
	}
	if got, err := s.Group(t.Context(), company, g.ID); err != nil || got.Version != next.Value.Version || got.Members != 1 {
		t.Errorf("Group gave version %d with %d members (%v), want %d with 1", got.Version, got.Members, err, next.Value.Version)
	}
	if rows, err := s.membersOf(t.Context(), company, g.ID); err != nil || len(rows) != 1 {
		t.Errorf("there are %d members (%v), want 1", len(rows), err)
	}
}

// TestSettleSeat_taken: an account whose seat was taken back while it was being written, which a process that stood still for long makes happen,
// has a seat again in the end, and the pool gives out no more than it has.
func TestSettleSeat_taken(t *testing.T) {
	for what, rival := range map[string]bool{"a seat is free": false, "another has it": true} {
		t.Run(what, func(t *testing.T) {
			s, company, accounts, _ := crashed(t)
			seated := func(a store.Account, state string) (store.Account, error) {
				before := a
				a.License, a.Seat, a.LicenseState, a.SeatState = "video-pro-plus", "video-pro-plus", state, state
				return s.WriteAccount(t.Context(), store.AccountWrite{Before: &before, After: a})
			}
			ada, err := seated(accounts[0], store.StateReserved)
			if err != nil {
				t.Fatal(err)
			}
			f, err := s.readAccount(t.Context(), company, ada.ID)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.freeSeat(t.Context(), company, f.Account.Claim); err != nil { // as a reconciler does that is too early
				t.Fatal(err)
			}
			used := 1
			if rival {
				if _, err := seated(accounts[1], store.StateReserved); err != nil {
					t.Fatal(err)
				}
				used = 2
			}
			if _, err := seated(ada, store.StateActive); err != nil {
				t.Fatal(err)
			}
			p, err := s.Pool(t.Context(), company, "video-pro-plus")
			if err != nil || p.Used != used || p.Active != 1 {
				t.Errorf("the pool has %d seats in use, %d of them active (%v), want %d and 1", p.Used, p.Active, err, used)
			}
			counted, err := s.CountSeats(t.Context(), company, "video-pro-plus")
			if err != nil || counted != p {
				t.Errorf("counted from the accounts: %+v (%v), kept: %+v", counted, err, p)
			}
		})
	}
}

// TestStore_dropped: a database that is dropped under a server has its indexes again, without which names would not be unique.
func TestStore_dropped(t *testing.T) {
	s, _, _, _ := crashed(t)
	if err := s.db.Drop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if missing, err := s.missingIndexes(t.Context()); err != nil || len(missing) == 0 {
		t.Fatalf("the indexes are there after the database was dropped: %v, %v", missing, err)
	}
	if err := s.prepareAgain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if missing, err := s.missingIndexes(t.Context()); err != nil || len(missing) > 0 {
		t.Errorf("indexes are missing: %v, %v", missing, err)
	}
}
