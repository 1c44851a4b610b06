package licensing_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"usher/licensing"
	"usher/store"
)

// titled is a rule for those whose title is the one given; the drafts of tests have it as the display name.
func titled(title string, l licensing.License) licensing.AddRule {
	return licensing.AddRule{License: l, Match: &store.Match{Paths: []string{"displayName"}, Value: title, Fold: true, About: "title " + title}}
}

// rename gives a person another title.
func (w *world) rename(id, title string) licensing.UpdateAccount {
	return w.edit(id, func(d *licensing.Draft) { d.Display = title })
}

// TestRule_onValue: a rule on a value follows the values of people, whoever came first, the rule or the value.
func TestRule_onValue(t *testing.T) {
	onEachStore(t, func(t *testing.T, s store.Store) {
		w := newWorld(t, s, store.Company{}, map[licensing.License]int{plus: 2})
		ada, bob := w.create("ada").ID, w.create("bob").ID
		w.apply(w.rename(ada, "Engineer"))
		rule := w.apply(titled("engineer", plus)).Rule.ID
		w.check(ada, plus, store.StateReserved, "")
		w.check(bob, base, store.StateNone, "")
		w.apply(w.rename(bob, "ENGINEER"))
		w.check(bob, plus, store.StateReserved, "")
		w.apply(w.rename(ada, "Manager"))
		w.check(ada, base, store.StateNone, "")

		d := draft("carl")
		d.Doc = []byte(`{"userName":"carl","displayName":"engineer"}`)
		carl := w.apply(licensing.CreateAccount{Connection: "okta", Draft: d}).Account
		w.check(carl.ID, plus, store.StateReserved, "")
		e, err := w.dir.Explain(t.Context(), w.company, carl.ID)
		if err != nil || len(e.Sources) != 1 || e.Sources[0].About != "title engineer" || e.Sources[0].Carrier != licensing.CarrierValue {
			t.Errorf("explained: %+v, %v", e.Sources, err)
		}
		w.apply(licensing.RemoveRule{ID: rule})
		w.check(bob, base, store.StateNone, "")
		w.check(carl.ID, base, store.StateNone, "")
	})
}

// TestRule_race: whatever comes in between, in the end people have the sources of exactly the rules that hold.
func TestRule_race(t *testing.T) {
	onEachStore(t, func(t *testing.T, s store.Store) {
		w := newWorld(t, s, store.Company{LossPercent: 100}, map[licensing.License]int{plus: 4})
		var people []string
		for i := range 12 {
			people = append(people, w.create(fmt.Sprintf("p%d", i)).ID)
		}
		var wait sync.WaitGroup
		for worker := range 8 {
			wait.Go(func() {
				random := rand.New(rand.NewPCG(uint64(worker), 3))
				for range 30 {
					var do licensing.Operation = w.rename(people[random.IntN(len(people))], titles[random.IntN(len(titles))])
					if worker == 0 {
						do = titled(titles[random.IntN(len(titles))], plus)
					}
					r, err := w.dir.Apply(context.Background(), w.as("okta", do))
					if err == nil && worker == 0 && random.IntN(2) == 0 {
						_, err = w.dir.Apply(context.Background(), w.as("okta", licensing.RemoveRule{ID: r.Rule.ID}))
					}
					if err != nil && !errors.Is(err, store.ErrVersion) {
						t.Errorf("%T: %v", do, err)
						return
					}
				}
			})
		}
		wait.Wait()
		w.checkInvariants(t)
	})
}

// TestForecast says what a rule would do and does nothing.
func TestForecast(t *testing.T) {
	onEachStore(t, func(t *testing.T, s store.Store) {
		w := newWorld(t, s, store.Company{}, map[licensing.License]int{plus: 3})
		names := []string{"ada", "bob", "carl", "dora"}
		var members []string
		for _, name := range names {
			members = append(members, w.create(name).ID)
		}
		gone := w.create("gone").ID
		w.setActive(gone, false)
		members = append(members, gone, w.guest("gil"), w.create("phone", ringex).ID, w.create("has", plus).ID)
		group := w.apply(licensing.CreateGroup{Draft: licensing.GroupDraft{Name: "g", Display: "g", Doc: []byte(`{}`)}, Members: members}).Group
		events := len(w.events(licensing.ActionLicense))

		rule := licensing.AddRule{Group: group.ID, License: plus}
		got, err := w.dir.Forecast(t.Context(), w.as("okta", rule))
		if err != nil {
			t.Fatal(err)
		}
		shifts := got.Shifts
		got.Shifts = nil
		want := licensing.Forecast{People: 8, Gain: 2, Wait: 2, Blocked: 2, Conflicts: 1}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("forecast (-want +got):\n%s", diff)
		}
		becomes := map[string]string{}
		for _, s := range shifts {
			becomes[s.Display] = s.State + " " + string(s.Reason)
		}
		if diff := cmp.Diff(map[string]string{
			"ada": "reserved ", "bob": "reserved ", "carl": "waiting waiting_for_seat", "dora": "waiting waiting_for_seat",
			"gone": "blocked account_inactive", "gil": "blocked guest",
		}, becomes); diff != "" {
			t.Errorf("shifts (-want +got):\n%s", diff)
		}
		if n := len(w.events(licensing.ActionLicense)); n != events {
			t.Errorf("the forecast has changed something: %d events, before it %d", n, events)
		}

		id := w.apply(rule).Rule.ID
		w.create("erin", plus) // waits behind the two
		got, err = w.dir.Forecast(t.Context(), w.as("okta", licensing.RemoveRule{ID: id}))
		if err != nil {
			t.Fatal(err)
		}
		got.Shifts = nil
		want = licensing.Forecast{People: 8, Lose: 2, FromQueue: 1}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("forecast of the removal (-want +got):\n%s", diff)
		}
		if _, err := w.dir.Forecast(t.Context(), w.as("okta", licensing.RemoveRule{ID: "none"})); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("forecast of no rule: %v", err)
		}
	})
}

// TestRole: a connection gives roles up to the company's ceiling, a rule any, a Super Admin's word goes before both, and guests have none.
func TestRole(t *testing.T) {
	onEachStore(t, func(t *testing.T, s store.Store) {
		w := newWorld(t, s, store.Company{}, nil)
		ada, gil := w.create("ada").ID, w.guest("gil")
		check := func(what, id, role string, reason licensing.Reason) {
			t.Helper()
			c, err := s.Company(t.Context(), w.company)
			if err != nil {
				t.Fatal(err)
			}
			a, err := s.Account(t.Context(), w.company, id)
			if err != nil {
				t.Fatal(err)
			}
			if v := licensing.Evaluate(c, a); a.Role != role || v.Role != role || v.RoleReason != reason {
				t.Errorf("%s: role %s, by Evaluate %s, %q; want %s, %q", what, a.Role, v.Role, v.RoleReason, role, reason)
			}
		}
		ask := func(id string, roles ...string) {
			w.apply(w.edit(id, func(d *licensing.Draft) {
				d.Intents = []licensing.Intent{{Carrier: licensing.CarrierRoles, Roles: roles}}
			}))
		}
		ceiling := func(to string) { w.apply(licensing.SetCompany{RoleCeiling: &to}) }
		ask(ada, licensing.RoleUserAdmin)
		check("above the ceiling", ada, licensing.RoleStandard, licensing.RoleCeiling)
		ceiling(licensing.RoleUserAdmin)
		check("up to the ceiling", ada, licensing.RoleUserAdmin, "")
		ask(ada, licensing.RoleUserAdmin, licensing.RoleSuperAdmin)
		check("the highest of a carrier", ada, licensing.RoleStandard, licensing.RoleCeiling)
		ask(ada, licensing.RoleUserAdmin)
		ceiling(licensing.RoleStandard)
		check("when the ceiling was lowered", ada, licensing.RoleStandard, licensing.RoleCeiling)

		rule := titled("boss", licensing.NoLicense)
		rule.Role = licensing.RoleSuperAdmin
		made := w.apply(rule).Rule.ID
		w.apply(w.rename(ada, "Boss"))
		check("by a rule", ada, licensing.RoleSuperAdmin, licensing.RoleCeiling)
		w.apply(licensing.SetRole{ID: ada, Role: licensing.RoleStandard})
		check("by hand", ada, licensing.RoleStandard, "")
		w.apply(licensing.SetRole{ID: ada})
		check("by hand no more", ada, licensing.RoleSuperAdmin, licensing.RoleCeiling)
		w.apply(licensing.RemoveRule{ID: made})
		check("without the rule", ada, licensing.RoleStandard, licensing.RoleCeiling)
		ask(ada)
		check("asked for no more", ada, licensing.RoleStandard, "")

		ceiling(licensing.RoleSuperAdmin)
		ask(gil, licensing.RoleUserAdmin)
		check("a guest", gil, licensing.RoleStandard, licensing.RoleOfGuest)
		w.apply(licensing.SetMember{ID: gil, MemberType: licensing.Coworker})
		check("promoted", gil, licensing.RoleUserAdmin, "")
		w.wantRefusal(licensing.AddRule{Match: rule.Match, Role: "king"}, licensing.UnknownSetting)
	})
}
