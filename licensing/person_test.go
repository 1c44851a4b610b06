package licensing_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"usher/licensing"
	"usher/store"
)

// TestAssign: a Super Admin's word goes before what the identity provider asks for, in both directions, and ends when its time is over.
func TestAssign(t *testing.T) {
	onEachStore(t, func(t *testing.T, s store.Store) {
		w := newWorld(t, s, store.Company{}, map[licensing.License]int{plus: 1, ringex: 1})
		ada, bob := w.create("ada").ID, w.create("bob", plus).ID
		until := w.now.Add(time.Hour)
		w.apply(licensing.Assign{ID: ada, License: plus, Until: until})
		w.check(ada, base, store.StateWaiting, licensing.WaitingForSeat)

		w.apply(licensing.Assign{ID: bob, License: base}) // a veto: the seat passes on
		w.check(bob, base, store.StateNone, licensing.Vetoed)
		w.check(ada, plus, store.StateReserved, "")
		w.signOn(ada, "")

		w.apply(licensing.Assign{ID: bob}) // without the veto bob's request stands again, behind nobody, without a seat
		w.check(bob, base, store.StateWaiting, licensing.WaitingForSeat)
		w.apply(licensing.Assign{ID: bob, License: ringex})
		w.check(bob, ringex, store.StateReserved, "")
		w.apply(licensing.Assign{ID: bob})
		w.check(bob, base, store.StateWaiting, licensing.WaitingForSeat) // what only the pin gave is gone with it
		w.now = until.Add(-time.Millisecond)
		w.maintain()
		w.check(ada, plus, store.StateReserved, "")
		w.now = until
		w.maintain()
		w.check(ada, base, store.StateNone, "")
		w.signOn(ada, licensing.LicenseHasNoSSO)
		w.check(bob, plus, store.StateReserved, "")
		a, err := s.Account(t.Context(), w.company, ada)
		if err != nil || a.Epoch != 1 || len(a.Sources) != 0 {
			t.Errorf("after the assignment: epoch %d, sources %v, %v", a.Epoch, a.Sources, err)
		}
	})
}

// TestAssign_later: another time for the same license neither takes a seat nor loses a place.
func TestAssign_later(t *testing.T) {
	onEachStore(t, func(t *testing.T, s store.Store) {
		w := newWorld(t, s, store.Company{}, nil)
		ada, bob := w.create("ada").ID, w.create("bob").ID
		w.apply(licensing.Assign{ID: ada, License: plus})
		w.apply(licensing.Assign{ID: bob, License: plus})
		w.apply(licensing.Assign{ID: ada, License: plus, Until: w.now.Add(time.Hour)})
		w.apply(licensing.SetSeats{License: plus, Total: 1, OverAssign: true})
		w.check(ada, plus, store.StateReserved, "")
		w.check(bob, base, store.StateWaiting, licensing.WaitingForSeat)
	})
}

// TestDecide: what may not be assigned waits for a decision. A refusal stands until something else is asked for, an approval takes the
// place of what the carrier said before.
func TestDecide(t *testing.T) {
	onEachStore(t, func(t *testing.T, s store.Store) {
		w := newWorld(t, s, store.Company{}, map[licensing.License]int{plus: 1, ringex: 1})
		ada := w.withoutScope(licensing.CreateAccount{Connection: "okta", Draft: draft("ada", plus)}).Account.ID
		ask := func(l ...licensing.License) {
			w.withoutScope(w.edit(ada, func(d *licensing.Draft) {
				d.Intents = []licensing.Intent{{Carrier: licensing.CarrierEntitlements, Licenses: l}}
			}))
		}
		w.check(ada, base, store.StateBlocked, licensing.NeedsApproval)
		w.apply(licensing.Decide{ID: ada})
		w.check(ada, base, store.StateBlocked, licensing.RequestRefused)
		ask(plus)
		w.check(ada, base, store.StateBlocked, licensing.RequestRefused)
		w.wantRefusal(licensing.Decide{ID: ada}, licensing.NoRequest) // it is refused already
		ask(ringex)
		w.check(ada, base, store.StateBlocked, licensing.NeedsApproval)
		w.wantRefusal(licensing.Decide{ID: ada, License: plus, Approve: true}, licensing.NoRequest)
		w.apply(licensing.Decide{ID: ada, Approve: true})
		w.check(ada, ringex, store.StateReserved, "")
		ask(plus) // stands beside what was approved
		w.check(ada, ringex, store.StateReserved, "")
		w.apply(licensing.Decide{ID: ada, License: plus, Approve: true})
		w.check(ada, plus, store.StateReserved, "")
		ask()
		w.check(ada, base, store.StateNone, "")
	})
}

// TestDecide_strict: an approval is not refused for want of a seat.
func TestDecide_strict(t *testing.T) {
	onEachStore(t, func(t *testing.T, s store.Store) {
		w := newWorld(t, s, store.Company{SeatPolicy: licensing.SeatsStrict}, nil)
		ada := w.withoutScope(licensing.CreateAccount{Connection: "okta", Draft: draft("ada", plus)}).Account.ID
		w.apply(licensing.Decide{ID: ada, Approve: true})
		w.check(ada, base, store.StateWaiting, licensing.WaitingForSeat)
		w.wantRefusal(licensing.Assign{ID: w.create("bob").ID, License: plus}, licensing.NoSeatAvailable)
	})
}

// TestSetMember: a promotion fills the guest's request, a demotion takes the seat, ends the sessions and keeps the request.
func TestSetMember(t *testing.T) {
	onEachStore(t, func(t *testing.T, s store.Store) {
		w := newWorld(t, s, store.Company{}, map[licensing.License]int{plus: 1})
		gil, bob := w.guest("gil", plus), w.create("bob").ID
		w.check(gil, base, store.StateBlocked, licensing.Guest)
		w.wantRefusal(licensing.SetRole{ID: gil, Role: licensing.RoleUserAdmin}, licensing.RoleOfGuest)
		w.apply(licensing.SetMember{ID: gil, MemberType: licensing.Coworker})
		w.check(gil, plus, store.StateReserved, "")
		w.signOn(gil, "")
		w.apply(licensing.SetRole{ID: gil, Role: licensing.RoleUserAdmin})
		w.ask(bob, plus)
		after := w.apply(licensing.SetMember{ID: gil, MemberType: licensing.GuestMember}).Account
		if after.Role != licensing.RoleStandard || after.Epoch != 1 {
			t.Errorf("a guest with the role %s, epoch %d", after.Role, after.Epoch)
		}
		w.check(gil, base, store.StateBlocked, licensing.Guest)
		w.signOn(gil, licensing.GuestCannotUseSSO)
		w.check(bob, plus, store.StateReserved, "")
		w.wantRefusal(licensing.SetMember{ID: gil, MemberType: "friend"}, licensing.UnknownSetting)
	})
}

// TestMove: whose address moves to a webmail provider is a guest until an admin decides, and then stays what the admin said.
func TestMove(t *testing.T) {
	onEachStore(t, func(t *testing.T, s store.Store) {
		w := newWorld(t, s, store.Company{}, map[licensing.License]int{plus: 1})
		ada := w.create("ada", plus).ID
		move := func(from, to string) {
			w.apply(w.edit(ada, func(d *licensing.Draft) { d.Moved, d.Was, d.Email = true, from, to }))
		}
		move("ada@acme.example", "ada@partner.example")
		w.check(ada, plus, store.StateReserved, "")
		move("ada@partner.example", "ada@gmail.com")
		w.check(ada, base, store.StateBlocked, licensing.Guest)
		move("ada@gmail.com", "ada@acme.example") // nobody is promoted by an address
		w.check(ada, base, store.StateBlocked, licensing.Guest)
		move("ada@acme.example", "ada@gmail.com")
		w.apply(licensing.SetMember{ID: ada, MemberType: licensing.Coworker})
		move("ada@gmail.com", "ada@yahoo.com")
		w.check(ada, plus, store.StateReserved, "")
	})
}

// TestSuperAdminRequired: without the right to assign licenses nobody pins, decides or makes Super Admins.
func TestSuperAdminRequired(t *testing.T) {
	onEachStore(t, func(t *testing.T, s store.Store) {
		w := newWorld(t, s, store.Company{}, map[licensing.License]int{plus: 1})
		ada := w.create("ada").ID
		boss := w.create("boss").ID
		w.apply(licensing.SetRole{ID: boss, Role: licensing.RoleSuperAdmin})
		for _, do := range []licensing.Operation{
			licensing.Assign{ID: ada, License: plus}, licensing.Assign{ID: ada}, licensing.Decide{ID: ada, Approve: true},
			licensing.SetRole{ID: ada, Role: licensing.RoleSuperAdmin}, licensing.SetRole{ID: boss, Role: licensing.RoleStandard},
		} {
			c := w.as("okta", do)
			c.MayAssign = false
			_, err := w.dir.Apply(context.Background(), c)
			var refusal *licensing.Refusal
			if !errors.As(err, &refusal) || refusal.Reason != licensing.SuperAdminRequired {
				t.Errorf("%+v: %v, want a refusal", do, err)
			}
		}
		w.wantRefusal(licensing.SetRole{ID: ada, Role: "king"}, licensing.UnknownSetting)
		w.wantRefusal(licensing.Assign{ID: ada, License: plus, Until: w.now}, licensing.InThePast)
	})
}

// TestOverage: seats are added when somebody needs one, up to the ceiling, and never more than are used.
func TestOverage(t *testing.T) {
	for _, policy := range []string{licensing.SeatsWaiting, licensing.SeatsStrict} {
		onEachStore(t, func(t *testing.T, s store.Store) {
			w := newWorld(t, s, store.Company{SeatPolicy: policy}, map[licensing.License]int{plus: 1})
			total := func(want int) {
				t.Helper()
				if p, err := s.Pool(t.Context(), w.company, string(plus)); err != nil || p.Total != want {
					t.Errorf("%+v, %v, want %d seats", p, err, want)
				}
			}
			w.apply(licensing.SetCeiling{License: plus, Ceiling: 3})
			total(1)
			for _, name := range []string{"ada", "bob", "carl"} {
				w.check(w.create(name, plus).ID, plus, store.StateReserved, "")
			}
			total(3)
			if policy == licensing.SeatsStrict {
				w.wantRefusal(licensing.CreateAccount{Connection: "okta", Draft: draft("dora", plus)}, licensing.NoSeatAvailable)
			} else {
				dora := w.create("dora", plus).ID
				w.check(dora, base, store.StateWaiting, licensing.WaitingForSeat)
				w.apply(licensing.SetCeiling{License: plus, Ceiling: 9})
				w.check(dora, plus, store.StateReserved, "")
				total(4)
			}
			w.wantRefusal(licensing.SetCeiling{License: base, Ceiling: 9}, licensing.NotAPaidLicense)
			w.wantRefusal(licensing.SetCeiling{License: plus, Ceiling: -1}, licensing.NegativeSeats)
		})
	}
}

// TestApprovalAlways: in a company that wants to see every request, no scope of a token suffices; admins' own words and rules do.
func TestApprovalAlways(t *testing.T) {
	onEachStore(t, func(t *testing.T, s store.Store) {
		w := newWorld(t, s, store.Company{Approval: licensing.ApprovalAlways}, map[licensing.License]int{plus: 5})
		ada := w.create("ada", plus).ID
		w.check(ada, base, store.StateBlocked, licensing.NeedsApproval)
		w.apply(licensing.Decide{ID: ada, Approve: true})
		w.check(ada, plus, store.StateReserved, "")
		bob := w.create("bob").ID
		w.apply(licensing.Assign{ID: bob, License: plus})
		w.check(bob, plus, store.StateReserved, "")
		w.ask(ada) // nobody is asked when a license is given back
		w.check(ada, base, store.StateNone, "")
	})
}
