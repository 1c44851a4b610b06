package licensing_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"usher/licensing"
	"usher/store"
)

// connect stores a connection, whose id is its name.
func (w *world) connect(name string) {
	w.t.Helper()
	c := store.Connection{ID: name, Company: w.company, Name: name, Mode: store.ModeLive, Created: w.now}
	if err := w.store.CreateConnection(context.Background(), c, nil); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) crowd(n int, asks ...licensing.License) []string {
	w.t.Helper()
	var all []string
	for i := range n {
		all = append(all, w.create(fmt.Sprintf("p%03d", i), asks...).ID)
	}
	return all
}

func (w *world) breaker(connection, want string) {
	w.t.Helper()
	c, err := w.store.Connection(context.Background(), connection)
	if err != nil || c.Breaker != want {
		w.t.Errorf("the breaker of %s is %q, %v, want %q", connection, c.Breaker, err, want)
	}
}

func (w *world) deactivate(id string) licensing.UpdateAccount {
	return w.edit(id, func(d *licensing.Draft) { d.Active = false })
}

// active counts those who are active.
func (w *world) active() int {
	w.t.Helper()
	page, err := w.store.ListAccounts(context.Background(), w.company, store.Query{Limit: 10_000})
	if err != nil {
		w.t.Fatal(err)
	}
	n := 0
	for _, a := range page.Accounts {
		if a.Active {
			n++
		}
	}
	return n
}

// TestBreaker: beyond the limit nothing is taken away until an admin decides or the hour has moved on; everything else goes on.
func TestBreaker(t *testing.T) {
	onEachStore(t, func(t *testing.T, s store.Store) {
		w := newWorld(t, s, store.Company{}, map[licensing.License]int{plus: 100})
		w.connect("okta")
		people := w.crowd(60, plus)
		for _, id := range people[:10] {
			w.apply(w.deactivate(id))
		}
		for _, id := range people[10:15] {
			w.apply(licensing.DeleteAccount{ID: id})
		}
		for _, id := range people[15:20] {
			w.ask(id) // takes the license back
		}
		w.breaker("okta", "")
		epoch := w.active()
		w.wantRefusal(w.deactivate(people[20]), licensing.TooManyLosses)
		w.wantRefusal(licensing.DeleteAccount{ID: people[20]}, licensing.TooManyLosses)
		w.wantRefusal(w.edit(people[20], func(d *licensing.Draft) {
			d.Intents = []licensing.Intent{{Carrier: licensing.CarrierEntitlements}}
		}), licensing.TooManyLosses)
		w.check(people[20], plus, store.StateReserved, "")
		w.breaker("okta", licensing.BreakerTripped)
		if n := len(w.events(licensing.ActionBreaker)); n != 1 {
			t.Errorf("%d events tell of it, want 1", n)
		}
		if w.active() != epoch {
			t.Error("something was taken away")
		}
		w.create("new", plus) // what takes nothing away goes on, and so do others
		w.apply(w.rename(people[20], "Boss"))
		other := w.as("okta", w.deactivate(people[20]))
		other.Door, other.Actor = licensing.DoorAdmin, store.Actor{Kind: "operator", ID: "root"}
		if _, err := w.dir.Apply(context.Background(), other); err != nil {
			t.Errorf("an admin deactivates somebody: %v", err)
		}

		w.apply(licensing.SetBreaker{Connection: "okta", State: licensing.BreakerPassing})
		for _, id := range people[21:50] {
			w.apply(w.deactivate(id))
		}
		w.now = w.now.Add(time.Hour) // it passes no longer, and what was lost is an hour ago
		w.apply(w.deactivate(people[50]))
		w.apply(licensing.SetBreaker{Connection: "okta", State: licensing.BreakerRefusing})
		w.wantRefusal(w.deactivate(people[51]), licensing.LossesRefused)
		w.apply(licensing.SetBreaker{Connection: "okta"})
		w.apply(w.deactivate(people[51]))
		w.wantRefusal(licensing.SetBreaker{Connection: "okta", State: licensing.BreakerTripped}, licensing.UnknownSetting)
	})
}

// TestBreaker_group: a change of a group that takes the license of more people than the limit is refused as a whole.
func TestBreaker_group(t *testing.T) {
	onEachStore(t, func(t *testing.T, s store.Store) {
		w := newWorld(t, s, store.Company{}, map[licensing.License]int{plus: 30})
		w.connect("okta")
		people := w.crowd(40)
		group := w.apply(licensing.CreateGroup{Draft: licensing.GroupDraft{Name: "g", Display: "g", Doc: []byte(`{}`)}, Members: people}).Group
		w.apply(licensing.AddRule{Group: group.ID, License: plus}) // ten wait
		change := func(m store.MemberChange) licensing.UpdateGroup {
			return licensing.UpdateGroup{ID: group.ID, Edit: func(store.Group) (*licensing.GroupDraft, store.MemberChange, error) { return nil, m, nil }}
		}
		w.wantRefusal(licensing.DeleteGroup{ID: group.ID}, licensing.TooManyLosses)
		w.wantRefusal(change(store.MemberChange{Exactly: true, Add: people[25:]}), licensing.TooManyLosses)
		w.wantRefusal(change(store.MemberChange{Remove: people[:21]}), licensing.TooManyLosses)
		g, err := s.Group(t.Context(), w.company, group.ID)
		if err != nil || g.Members != 40 {
			t.Errorf("the group has %d members, %v", g.Members, err)
		}
		w.apply(change(store.MemberChange{Remove: people[30:]})) // they wait: there is nothing to lose
		w.apply(change(store.MemberChange{Exactly: true, Add: people[12:30]}))
		w.apply(change(store.MemberChange{Remove: people[12:20]}))
		w.wantRefusal(change(store.MemberChange{Remove: people[20:21]}), licensing.TooManyLosses)
		w.check(people[20], plus, store.StateReserved, "")
		w.checkInvariants(t)
	})
}

// TestBreaker_storm: those who take away at the same time do not all find room.
func TestBreaker_storm(t *testing.T) {
	onEachStore(t, func(t *testing.T, s store.Store) {
		w := newWorld(t, s, store.Company{}, nil)
		w.connect("okta")
		people := w.crowd(80)
		var wait sync.WaitGroup
		for _, id := range people {
			wait.Go(func() {
				_, err := w.dir.Apply(context.Background(), w.as("okta", w.deactivate(id)))
				var refusal *licensing.Refusal
				if err != nil && (!errors.As(err, &refusal) || refusal.Reason != licensing.TooManyLosses) {
					t.Error(err)
				}
			})
		}
		wait.Wait()
		if n := 80 - w.active(); n != 20 {
			t.Errorf("%d were deactivated, want 20", n)
		}
		w.breaker("okta", licensing.BreakerTripped)
	})
}

// TestBreaker_limits: the larger of a number and a percentage counts, and each connection has its own count.
func TestBreaker_limits(t *testing.T) {
	onEachStore(t, func(t *testing.T, s store.Store) {
		w := newWorld(t, s, store.Company{LossMin: 1, LossPercent: 30}, nil)
		w.connect("okta")
		w.connect("entra")
		people := w.crowd(11)
		for _, id := range people[:3] {
			w.apply(w.deactivate(id))
		}
		w.wantRefusal(w.deactivate(people[3]), licensing.TooManyLosses)
		if _, err := w.dir.Apply(context.Background(), w.as("entra", w.deactivate(people[4]))); err != nil {
			t.Error(err)
		}
		all, over := 100, 101
		w.apply(licensing.SetCompany{LossPercent: &all})
		for _, id := range people {
			w.apply(w.deactivate(id))
		}
		w.wantRefusal(licensing.SetCompany{LossPercent: &over}, licensing.UnknownSetting)
	})
}

// TestBreaker_alert: the admins are written to once, as far as their names are addresses.
func TestBreaker_alert(t *testing.T) {
	onEachStore(t, func(t *testing.T, s store.Store) {
		least := 1
		w := newWorld(t, s, store.Company{LossMin: least, LossPercent: 1, Display: "Acme"}, nil)
		posted := 0
		w.dir.Posted = func() { posted++ }
		for _, login := range []string{"root", "ops@acme.example"} {
			company, err := s.Company(t.Context(), w.company)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.PutLocalAdmin(t.Context(), company, store.LocalAdmin{ID: store.NewID(), Company: w.company, Login: login, Role: licensing.RoleSuperAdmin}, nil); err != nil {
				t.Fatal(err)
			}
		}
		w.connect("okta")
		people := w.crowd(4)
		boss, gone := w.create("boss@acme.example").ID, w.create("gone@acme.example").ID
		for _, id := range []string{boss, gone} {
			w.apply(licensing.SetRole{ID: id, Role: licensing.RoleUserAdmin})
		}
		w.apply(w.deactivate(gone))
		for _, id := range people[:3] {
			w.wantRefusal(w.deactivate(id), licensing.TooManyLosses)
		}
		var to []string
		for _, m := range w.mails() {
			to = append(to, m.Kind+" "+m.To+" "+string(m.Data))
		}
		slices.Sort(to)
		const says = ` {"company":"Acme","name":"acme","connection":"okta","lost":1,"limit":1}`
		if diff := cmp.Diff([]string{"losses boss@acme.example" + says, "losses ops@acme.example" + says}, to); diff != "" || posted != 1 {
			t.Errorf("%d posted, mails (-want +got):\n%s", posted, diff)
		}
	})
}
