package licensing_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"usher/licensing"
	"usher/store"
)

// set changes settings of the company.
func (w *world) set(do licensing.SetCompany) store.Company {
	w.t.Helper()
	return w.apply(do).Company
}

// wantRefusal checks that a change is refused for a reason.
func (w *world) wantRefusal(do licensing.Operation, reason licensing.Reason) {
	w.t.Helper()
	_, err := w.dir.Apply(context.Background(), w.as("okta", do))
	var refusal *licensing.Refusal
	if !errors.As(err, &refusal) || refusal.Reason != reason {
		w.t.Errorf("%T: %v, want a refusal for %s", do, err, reason)
	}
}

// signOn checks whether a person may sign in, by the facts as they are stored.
func (w *world) signOn(id string, reason licensing.Reason) {
	w.t.Helper()
	c, err := w.store.Company(context.Background(), w.company)
	if err != nil {
		w.t.Fatal(err)
	}
	a, err := w.store.Account(context.Background(), w.company, id)
	if err != nil {
		w.t.Fatal(err)
	}
	if v := licensing.Evaluate(c, a); v.SSOReason != reason || v.SSO != (reason == "") {
		w.t.Errorf("%s: sign-on %t, reason %q, want %q", a.Display, v.SSO, v.SSOReason, reason)
	}
}

func payment(state string, at time.Time) licensing.SetCompany {
	return licensing.SetCompany{Payment: &licensing.Payment{State: state, At: at}}
}

// TestSetCompany_tier: an upgrade and a downgrade change nobody's license; the downgrade ends all sessions by one write.
func TestSetCompany_tier(t *testing.T) {
	onEachStore(t, func(t *testing.T, s store.Store) {
		w := newWorld(t, s, store.Company{Tier: licensing.TierFree}, map[licensing.License]int{licensing.VideoProPlus: 5})
		plain, asked := w.create("ada").ID, w.create("bob", licensing.VideoProPlus).ID
		w.signOn(asked, licensing.CompanyTierHasNoSSO)
		tier := func(to string) store.Company { return w.set(licensing.SetCompany{Tier: &to}) }
		if c := tier(licensing.TierVideoProPlus); c.Epoch != 0 {
			t.Errorf("the upgrade has ended sessions: epoch %d", c.Epoch)
		}
		w.check(plain, licensing.VideoPro, store.StateNone, "")
		w.check(asked, licensing.VideoProPlus, store.StateReserved, "")
		w.signOn(plain, licensing.LicenseHasNoSSO)
		w.signOn(asked, "")
		if c := tier(licensing.TierFree); c.Epoch != 1 {
			t.Errorf("the downgrade has not ended the sessions: epoch %d", c.Epoch)
		}
		w.check(asked, licensing.VideoProPlus, store.StateReserved, "")
		w.signOn(asked, licensing.CompanyTierHasNoSSO)
		again := tier(licensing.TierFree)
		if again.Epoch != 1 {
			t.Errorf("no change is none: epoch %d", again.Epoch)
		}
		events := w.events(licensing.ActionSetCompany)
		if len(events) != 2 {
			t.Errorf("%d events, want 2", len(events))
		}
	})
}

// events gives the events of an action.
func (w *world) events(action string) (found []store.Event) {
	w.t.Helper()
	all, err := w.store.ListEvents(context.Background(), w.company, 0, 10_000)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, e := range all {
		if e.Action == action {
			found = append(found, e)
		}
	}
	return found
}

// TestSetCompany_payment: while a payment is overdue nobody is added and no seat is given, people can be let go, and after the time of
// grace nobody signs in. When it is settled the queue moves.
func TestSetCompany_payment(t *testing.T) {
	onEachStore(t, func(t *testing.T, s store.Store) {
		w := newWorld(t, s, store.Company{}, map[licensing.License]int{licensing.VideoProPlus: 2})
		ada, bob, carl := w.create("ada", licensing.VideoProPlus).ID, w.create("bob", licensing.VideoProPlus).ID, w.create("carl").ID
		w.set(payment(licensing.PaymentExpiring, w.now.Add(time.Hour)))
		w.signOn(ada, "")
		w.ask(carl, licensing.VideoProPlus) // waits: the pool is full
		grace := w.now.Add(24 * time.Hour)
		w.set(payment(licensing.PaymentPastDue, grace))

		w.wantRefusal(licensing.CreateAccount{Connection: "okta", Draft: draft("dora")}, licensing.BillingSuspended)
		w.signOn(ada, "")
		w.setActive(bob, false)
		w.check(bob, licensing.VideoPro, store.StateHeld, licensing.AccountInactive)
		w.apply(licensing.DeleteAccount{ID: bob})
		w.check(carl, licensing.VideoPro, store.StateWaiting, licensing.WaitingForSeat)
		w.apply(licensing.SetSeats{License: licensing.VideoProPlus, Total: 9, OverAssign: true})
		w.check(carl, licensing.VideoPro, store.StateWaiting, licensing.WaitingForSeat)

		w.maintain()
		w.signOn(ada, "")
		w.now = grace
		w.maintain()
		w.signOn(ada, licensing.BillingSuspended)
		c, err := s.Company(t.Context(), w.company)
		if err != nil {
			t.Fatal(err)
		}
		if c.Epoch != 1 || c.Payment != licensing.PaymentSuspended {
			t.Errorf("after the time of grace: %s, epoch %d", c.Payment, c.Epoch)
		}
		w.check(ada, licensing.VideoProPlus, store.StateReserved, "")

		w.set(payment(licensing.PaymentOK, time.Time{}))
		w.signOn(ada, "")
		w.check(carl, licensing.VideoProPlus, store.StateReserved, "")
		w.create("dora")
	})
}

func (w *world) maintain() {
	w.t.Helper()
	if err := w.dir.Maintain(context.Background()); err != nil {
		w.t.Fatal(err)
	}
}

// TestSetCompany_strict: under a strict policy a person is not let back in without the seat that nobody gets.
func TestSetCompany_strict(t *testing.T) {
	onEachStore(t, func(t *testing.T, s store.Store) {
		w := newWorld(t, s, store.Company{}, map[licensing.License]int{licensing.VideoProPlus: 2})
		ada := w.create("ada").ID
		strict := licensing.SeatsStrict
		w.set(licensing.SetCompany{SeatPolicy: &strict})
		w.set(payment(licensing.PaymentSuspended, time.Time{}))
		w.wantRefusal(w.edit(ada, func(d *licensing.Draft) {
			d.Intents = []licensing.Intent{{Carrier: licensing.CarrierLicense, Licenses: []licensing.License{licensing.VideoProPlus}}}
		}), licensing.BillingSuspended)
	})
}

func TestSetCompany_refusals(t *testing.T) {
	onEachStore(t, func(t *testing.T, s store.Store) {
		w := newWorld(t, s, store.Company{}, nil)
		wrong, long := "gold", 400*24*time.Hour
		for _, do := range []licensing.SetCompany{
			{Tier: &wrong}, {SeatPolicy: &wrong}, {GuestPolicy: &wrong}, {HoldFor: &long}, payment(wrong, time.Time{}),
		} {
			w.wantRefusal(do, licensing.UnknownSetting)
		}
	})
}
