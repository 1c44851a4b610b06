package licensing_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"usher/licensing"
	"usher/store"
)

// request applies a change in a request of its own.
func (w *world) request(id string, do licensing.Operation) licensing.Result {
	w.t.Helper()
	c := w.as("okta", do)
	c.Request = id
	r, err := w.dir.Apply(context.Background(), c)
	if err != nil {
		w.t.Fatalf("%T: %v", do, err)
	}
	w.now = w.now.Add(time.Second)
	return r
}

// undo undoes what a request did.
func (w *world) undo(request string) []licensing.Undone {
	w.t.Helper()
	return w.request("undo of "+request, licensing.Undo{Request: request, Activate: activate}).Undone
}

func activate(before store.Account, active bool) (licensing.Draft, error) {
	d := draft(before.UserName)
	d.Active, d.Doc, d.Terms = active, before.Doc, before.Terms
	return d, nil
}

func TestUndo(t *testing.T) {
	onEachStore(t, func(t *testing.T, s store.Store) {
		w := newWorld(t, s, store.Company{}, map[licensing.License]int{plus: 2})
		ada, bob := w.create("ada", plus), w.create("bob")
		group := w.apply(licensing.CreateGroup{Draft: licensing.GroupDraft{Name: "crew", Display: "crew", Doc: []byte(`{}`)}, Members: []string{bob.ID}}).Group.ID
		rule := w.apply(licensing.AddRule{Group: group, License: plus, Priority: 3}).Rule
		w.check(ada.ID, plus, store.StateReserved, "")
		w.check(bob.ID, plus, store.StateReserved, "")
		state := func(id string) store.Account {
			a := w.account(id)
			a.Version, a.GroupsVersion, a.Modified, a.Epoch, a.SeatSince, a.Requested, a.Doc = 0, 0, time.Time{}, 0, time.Time{}, time.Time{}, nil
			for i := range a.Sources {
				a.Sources[i].At = time.Time{}
				if a.Sources[i].Kind == string(licensing.CarrierGroup) {
					a.Sources[i].Ref = "" // a rule that comes back is another one
				}
			}
			return a
		}
		strict, free := licensing.SeatsStrict, licensing.TierFree
		for name, do := range map[string]licensing.Operation{
			"deactivated":     licensing.UpdateAccount{ID: ada.ID, Edit: w.edit(ada.ID, func(d *licensing.Draft) { d.Active = false }).Edit},
			"no longer asked": licensing.UpdateAccount{ID: ada.ID, Edit: w.edit(ada.ID, func(d *licensing.Draft) { d.Intents = []licensing.Intent{{Carrier: licensing.CarrierEntitlements}} }).Edit},
			"vetoed":          licensing.Assign{ID: ada.ID, License: base},
			"another license": licensing.Assign{ID: bob.ID, License: ringex},
			"made a guest":    licensing.SetMember{ID: bob.ID, MemberType: licensing.GuestMember},
			"given a role":    licensing.SetRole{ID: ada.ID, Role: licensing.RoleUserAdmin},
			"out of the group": licensing.UpdateGroup{ID: group, Edit: func(store.Group) (*licensing.GroupDraft, store.MemberChange, error) {
				return nil, store.MemberChange{Remove: []string{bob.ID}}, nil
			}},
			"another rule":     licensing.AddRule{Group: group, License: ringex, Priority: 9},
			"fewer seats":      licensing.SetSeats{License: plus, Total: 1, OverAssign: true},
			"room to grow":     licensing.SetCeiling{License: plus, Ceiling: 9},
			"other settings":   licensing.SetCompany{SeatPolicy: &strict, Tier: &free},
			"without the rule": licensing.RemoveRule{ID: rule.ID},
		} {
			if name == "without the rule" {
				continue // it comes back as another one: last
			}
			people := []store.Account{state(ada.ID), state(bob.ID)}
			company, pool := w.settings(), w.pool(plus)
			w.request(name, do)
			preview := w.request("look at "+name, licensing.Undo{Request: name, Activate: activate, Preview: true}).Undone
			undone := w.undo(name)
			if diff := cmp.Diff(preview, undone); diff != "" || len(undone) != 1 || undone[0].Reason != "" {
				t.Errorf("%s: undone %+v, foretold (-foretold +undone):\n%s", name, undone, diff)
			}
			if diff := cmp.Diff(people, []store.Account{state(ada.ID), state(bob.ID)}); diff != "" {
				t.Errorf("%s is not undone (-before +after):\n%s", name, diff)
			}
			after := w.settings()
			after.Version, after.Epoch = company.Version, company.Epoch
			if diff := cmp.Diff(company, after); diff != "" {
				t.Errorf("%s: company (-before +after):\n%s", name, diff)
			}
			if diff := cmp.Diff(pool, w.pool(plus)); diff != "" {
				t.Errorf("%s: pool (-before +after):\n%s", name, diff)
			}
		}
		before := state(bob.ID)
		w.request("without the rule", licensing.RemoveRule{ID: rule.ID})
		w.check(bob.ID, base, store.StateNone, "")
		w.undo("without the rule")
		if diff := cmp.Diff(before, state(bob.ID)); diff != "" {
			t.Errorf("without the rule (-before +after):\n%s", diff)
		}
		w.checkPools()
	})
}

func (w *world) settings() store.Company {
	w.t.Helper()
	c, err := w.store.Company(context.Background(), w.company)
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

func (w *world) pool(l licensing.License) store.Pool {
	w.t.Helper()
	p, err := w.store.Pool(context.Background(), w.company, string(l))
	if err != nil {
		w.t.Fatal(err)
	}
	return p
}

// TestUndo_ofConnection undoes what an identity provider did in many requests, but for whom somebody has seen to since.
func TestUndo_ofConnection(t *testing.T) {
	onEachStore(t, func(t *testing.T, s store.Store) {
		w := newWorld(t, s, store.Company{LossPercent: 100}, map[licensing.License]int{plus: 10})
		var people []string
		for _, name := range []string{"a", "b", "c", "d", "e"} {
			people = append(people, w.create(name, plus).ID)
		}
		w.setActive(people[0], false) // before the accident
		w.now = w.now.Add(time.Hour)
		since := w.now
		for _, id := range people[1:] {
			w.setActive(id, false)
		}
		w.apply(licensing.DeleteAccount{ID: people[4]})
		byAdmin := licensing.Change{Company: w.company, Actor: store.Actor{Kind: "admin", ID: "root"}, MayAssign: true, Request: "seen to", Do: licensing.SetMember{ID: people[1], MemberType: licensing.GuestMember}}
		if _, err := w.dir.Apply(t.Context(), byAdmin); err != nil {
			t.Fatal(err)
		}
		byAdmin.Request, byAdmin.Do = "undo", licensing.Undo{Connection: "okta", Since: since, Activate: activate}
		r, err := w.dir.Apply(t.Context(), byAdmin)
		if err != nil {
			t.Fatal(err)
		}
		reasons := map[string]licensing.Reason{}
		for _, u := range r.Undone {
			reasons[u.Target] = u.Reason
		}
		want := map[string]licensing.Reason{people[1]: licensing.ChangedSince, people[2]: "", people[3]: "", people[4]: licensing.CannotUndo}
		if diff := cmp.Diff(want, reasons); diff != "" {
			t.Errorf("undone (-want +got):\n%s", diff)
		}
		w.check(people[0], base, store.StateHeld, licensing.AccountInactive)
		w.check(people[2], plus, store.StateReserved, "")
		w.check(people[3], plus, store.StateReserved, "")
		// The undoing can be undone.
		byAdmin.Request, byAdmin.Do = "undo of undo", licensing.Undo{Request: "undo", Activate: activate}
		if _, err := w.dir.Apply(t.Context(), byAdmin); err != nil {
			t.Fatal(err)
		}
		w.check(people[2], base, store.StateHeld, licensing.AccountInactive)
		w.checkPools()
	})
}

func regroup(id string, m store.MemberChange) licensing.UpdateGroup {
	return licensing.UpdateGroup{ID: id, Edit: func(store.Group) (*licensing.GroupDraft, store.MemberChange, error) { return nil, m, nil }}
}

// TestUndo_changedSince has others change what is to be undone, in between and after.
func TestUndo_changedSince(t *testing.T) {
	byAdmin := func(w *world, do licensing.Operation) {
		w.t.Helper()
		if _, err := w.dir.Apply(context.Background(), licensing.Change{
			Company: w.company, Actor: store.Actor{Kind: "admin", ID: "root"}, Door: licensing.DoorAdmin, MayAssign: true, Request: "by an admin", Do: do,
		}); err != nil {
			w.t.Fatalf("%T: %v", do, err)
		}
		w.now = w.now.Add(time.Second)
	}
	for name, play := range map[string]func(w *world, ada, group string, since time.Time) (licensing.Undo, licensing.Reason){
		"a pin between two changes of the connection": func(w *world, ada, _ string, since time.Time) (licensing.Undo, licensing.Reason) {
			w.ask(ada)
			byAdmin(w, licensing.Assign{ID: ada, License: plus})
			w.ask(ada, ringex)
			w.ask(ada)
			return licensing.Undo{Connection: "okta", Since: since}, licensing.ChangedSince
		},
		"a role taken away between two deactivations": func(w *world, ada, _ string, since time.Time) (licensing.Undo, licensing.Reason) {
			w.setActive(ada, false)
			byAdmin(w, licensing.SetRole{ID: ada})
			w.setActive(ada, true)
			w.setActive(ada, false)
			return licensing.Undo{Connection: "okta", Since: since}, licensing.ChangedSince
		},
		"a member removed again on purpose": func(w *world, ada, group string, _ time.Time) (licensing.Undo, licensing.Reason) {
			w.request("first", regroup(group, store.MemberChange{Remove: []string{ada}}))
			w.request("second", regroup(group, store.MemberChange{Add: []string{ada}}))
			w.request("third", regroup(group, store.MemberChange{Remove: []string{ada}}))
			return licensing.Undo{Request: "first"}, licensing.ChangedSince
		},
		"members removed and added in one request": func(w *world, ada, group string, _ time.Time) (licensing.Undo, licensing.Reason) {
			w.request("swap", regroup(group, store.MemberChange{Remove: []string{ada}, Add: []string{w.create("bob").ID}}))
			return licensing.Undo{Request: "swap"}, licensing.CannotUndo
		},
		"a member who is deleted": func(w *world, ada, group string, _ time.Time) (licensing.Undo, licensing.Reason) {
			w.request("removed", regroup(group, store.MemberChange{Remove: []string{ada}}))
			w.apply(licensing.DeleteAccount{ID: ada})
			return licensing.Undo{Request: "removed"}, licensing.ChangedSince
		},
		"a rule that is there again": func(w *world, _, group string, _ time.Time) (licensing.Undo, licensing.Reason) {
			rule := w.apply(licensing.AddRule{Group: group, License: ringex}).Rule.ID
			w.request("unruled", licensing.RemoveRule{ID: rule})
			w.undo("unruled")
			return licensing.Undo{Request: "unruled"}, licensing.ChangedSince
		},
		"seats that are in use": func(w *world, _, _ string, _ time.Time) (licensing.Undo, licensing.Reason) {
			w.request("bought", licensing.SetSeats{License: plus, Total: 9})
			for i := range 9 {
				w.create(string(rune('k'+i)), plus)
			}
			return licensing.Undo{Request: "bought"}, licensing.OverAssigned
		},
	} {
		t.Run(name, func(t *testing.T) {
			onEachStore(t, func(t *testing.T, s store.Store) {
				w := newWorld(t, s, store.Company{LossPercent: 100}, map[licensing.License]int{plus: 5, ringex: 5})
				ada := w.create("ada", ringex).ID
				byAdmin(w, licensing.SetRole{ID: ada, Role: licensing.RoleUserAdmin})
				group := w.apply(licensing.CreateGroup{Draft: licensing.GroupDraft{Name: "g", Display: "g", Doc: []byte(`{}`)}, Members: []string{ada}}).Group.ID
				w.now = w.now.Add(time.Hour)
				do, want := play(w, ada, group, w.now)
				do.Activate = activate
				before, _ := s.Account(t.Context(), w.company, ada)
				_, err := w.dir.Apply(t.Context(), w.as("okta", do))
				wantRefusal(t, err, want)
				after, _ := s.Account(t.Context(), w.company, ada)
				if diff := cmp.Diff(before, after); diff != "" {
					t.Errorf("something was undone (-before +after):\n%s", diff)
				}
			})
		})
	}
}

// TestUndo_inPart gives back whom it can.
func TestUndo_inPart(t *testing.T) {
	onEachStore(t, func(t *testing.T, s store.Store) {
		w := newWorld(t, s, store.Company{}, map[licensing.License]int{plus: 5})
		ada, bob, carl := w.create("ada").ID, w.create("bob").ID, w.create("carl").ID
		group := w.apply(licensing.CreateGroup{Draft: licensing.GroupDraft{Name: "g", Display: "g", Doc: []byte(`{}`)}, Members: []string{ada, bob}}).Group.ID
		w.apply(licensing.AddRule{Group: group, License: plus})
		w.request("removed", regroup(group, store.MemberChange{Remove: []string{ada, bob, carl}})) // carl was none
		w.apply(licensing.DeleteAccount{ID: bob})
		dora := w.create("dora").ID
		w.request("somebody else", regroup(group, store.MemberChange{Add: []string{dora}}))
		w.undo("removed")
		w.check(ada, plus, store.StateReserved, "")
		w.check(carl, base, store.StateNone, "")

		// What is over does not come back.
		w.apply(licensing.Assign{ID: carl, License: plus, Until: w.now.Add(time.Hour)})
		w.request("unassigned", licensing.Assign{ID: carl})
		w.now = w.now.Add(2 * time.Hour)
		w.undo("unassigned")
		w.check(carl, base, store.StateNone, "")
	})
}

// TestUndo_atOnce has several undo the removal of a rule at the same time: it comes back once.
func TestUndo_atOnce(t *testing.T) {
	onEachStore(t, func(t *testing.T, s store.Store) {
		w := newWorld(t, s, store.Company{}, nil)
		group := w.apply(licensing.CreateGroup{Draft: licensing.GroupDraft{Name: "g", Display: "g", Doc: []byte(`{}`)}}).Group.ID
		rule := w.apply(licensing.AddRule{Group: group, License: plus}).Rule.ID
		w.request("unruled", licensing.RemoveRule{ID: rule})
		var wait sync.WaitGroup
		for range 6 {
			wait.Go(func() {
				_, err := w.dir.Apply(context.Background(), w.as("okta", licensing.Undo{Request: "unruled", Activate: activate}))
				var refusal *licensing.Refusal
				if err != nil && !errors.As(err, &refusal) {
					t.Error(err)
				}
			})
		}
		wait.Wait()
		if rules, err := s.ListRules(t.Context(), w.company); err != nil || len(rules) != 1 {
			t.Errorf("%d rules, %v", len(rules), err)
		}
	})
}
