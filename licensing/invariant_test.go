package licensing_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"usher/licensing"
	"usher/store"
	"usher/store/enginetest"
	"usher/store/query"
)

// checkInvariants compares everything that must hold between Applies; totals are the seats that the company has bought.
func (w *world) checkInvariants(t interface{ Fatalf(string, ...any) }) {
	ctx := context.Background()
	company, err := w.store.Company(ctx, w.company)
	if err != nil {
		t.Fatalf("company: %v", err)
	}
	page, err := w.store.ListAccounts(ctx, w.company, store.Query{Limit: 10_000})
	if err != nil {
		t.Fatalf("accounts: %v", err)
	}
	for _, l := range []licensing.License{ringex, plus} {
		kept, err := w.store.Pool(ctx, w.company, string(l))
		if err != nil {
			t.Fatalf("pool: %v", err)
		}
		counted := store.Pool{Company: w.company, License: string(l), Total: kept.Total, Ceiling: kept.Ceiling}
		for _, a := range page.Accounts {
			if a.Seat == string(l) {
				counted.Used++
				switch a.SeatState {
				case store.StateReserved:
					counted.Reserved++
				case store.StateActive:
					counted.Active++
				case store.StateHeld:
					counted.Held++
				}
			}
			if a.License == string(l) && a.LicenseState == store.StateWaiting {
				counted.Waiting++
			}
		}
		if counted != kept {
			t.Fatalf("pool of %s: counted %+v, kept %+v", l, counted, kept)
		}
		if (company.Payment == licensing.PaymentOK || company.Payment == licensing.PaymentExpiring) && idle(kept) {
			t.Fatalf("a seat of %s is not in use although somebody waits: %+v", l, kept)
		}
	}
	ledger := w.replay(t)
	for _, a := range page.Accounts {
		v := licensing.Evaluate(company, a)
		if a.License != string(v.License.License) || a.LicenseState != v.License.State || a.LicenseReason != string(v.License.Reason) || a.Effective != string(v.Effective) {
			t.Fatalf("%s: the columns say %s %s %q %s, Evaluate says %+v", a.Display, a.License, a.LicenseState, a.LicenseReason, a.Effective, v)
		}
		if a.Role != v.Role || a.MemberType == string(licensing.GuestMember) && a.Role != licensing.RoleStandard {
			t.Fatalf("%s, a %s: the role is %s, Evaluate says %s (%s)", a.Display, a.MemberType, a.Role, v.Role, v.RoleReason)
		}
		if v.SSO && (!a.Active || a.MemberType != string(licensing.Coworker) || a.Effective != string(plus)) {
			t.Fatalf("%s may sign in: active %t, %s, %s", a.Display, a.Active, a.MemberType, a.Effective)
		}
		if a.MemberType == string(licensing.GuestMember) && a.Seat != "" {
			t.Fatalf("the guest %s has a seat of %s", a.Display, a.Seat)
		}
		if a.Activation == store.ActivationActive && a.SeatState == store.StateReserved || a.SeatState != "" && a.Active == (a.SeatState == store.StateHeld) {
			t.Fatalf("%s, %q and active %t, has a seat that is %s", a.Display, a.Activation, a.Active, a.SeatState)
		}
		if a.Effective == "" || !v.Entitlements.Messaging {
			t.Fatalf("%s has less than the base license", a.Display)
		}
		said := ledger[a.ID]
		if said == (held{}) {
			said = held{State: store.StateNone, Effective: string(base)}
		}
		if is := (held{a.License, a.LicenseState, a.LicenseReason, a.Effective, a.Seat, a.SeatState}); is != said {
			t.Fatalf("%s: the ledger says %+v, the account %+v", a.Display, said, is)
		}
	}
	w.checkRules(t, page.Accounts)
	if sweeps, err := w.store.ListSweeps(ctx); err != nil || len(sweeps) > 0 {
		t.Fatalf("open sweeps: %v, %v", sweeps, err)
	}
}

// checkRules checks that the sources of rules are exactly those of the rules that hold.
func (w *world) checkRules(t interface{ Fatalf(string, ...any) }, accounts []store.Account) {
	ctx := context.Background()
	rules, err := w.store.ListRules(ctx, w.company)
	if err != nil {
		t.Fatalf("rules: %v", err)
	}
	var ids []string
	for _, a := range accounts {
		ids = append(ids, a.ID)
	}
	memberships, err := w.store.MembershipsOf(ctx, w.company, ids)
	if err != nil {
		t.Fatalf("memberships: %v", err)
	}
	for _, a := range accounts {
		want, got := map[string]bool{}, map[string]bool{}
		for _, r := range rules {
			if r.Match != nil && query.Compile(r.Match.Node()).Match(&a) ||
				slices.ContainsFunc(memberships[a.ID], func(m store.Membership) bool { return m.Group == r.Group }) {
				want[r.ID] = true
			}
		}
		for _, ref := range a.Column(store.ColumnSourceRef) {
			got[ref] = true
		}
		if !maps.Equal(want, got) {
			t.Fatalf("%s: sources of the rules %v, but %v hold", a.Display, got, want)
		}
	}
}

// idle says whether somebody waits although they could have a seat: a free one, or a held one that is not in excess of the total.
func idle(p store.Pool) bool {
	return p.Waiting > 0 && (p.Used < max(p.Total, p.Ceiling) || p.Held > 0 && p.Used-p.Held < p.Total)
}

// held is what the ledger tells of a license.
type held struct{ License, State, Reason, Effective, Seat, SeatState string }

// replay gives the state of each account by the ledger, whose chain it checks.
func (w *world) replay(t interface{ Fatalf(string, ...any) }) map[string]held {
	state := map[string]held{}
	var last int64
	var chain [32]byte
	for {
		events, err := w.store.ListEvents(context.Background(), w.company, last, 500)
		if err != nil {
			t.Fatalf("events: %v", err)
		}
		if len(events) == 0 {
			return state
		}
		for _, e := range events {
			if e.Seq != last+1 {
				t.Fatalf("event %d follows %d", e.Seq, last)
			}
			if chain = e.Chain(chain); chain != e.Hash {
				t.Fatalf("the chain breaks at event %d", e.Seq)
			}
			last = e.Seq
			if e.Kind != store.EventLicense {
				continue
			}
			var d struct{ From, To held }
			if err := json.Unmarshal(e.Detail, &d); err != nil {
				t.Fatalf("event %d: %v", e.Seq, err)
			}
			if was, ok := state[e.Target]; ok && was != d.From {
				t.Fatalf("event %d of %s begins with %+v, the one before ended with %+v", e.Seq, e.Target, d.From, was)
			}
			state[e.Target] = d.To
		}
	}
}

// titles are names that rules on values look for.
var titles = []string{"engineer", "sales engineer", "sales"}

// foretold applies a change of rules and compares what it was said to do with what it does.
func (w *world) foretold(t *rapid.T, do licensing.Operation, apply func(licensing.Operation) licensing.Result) licensing.Result {
	told, err := w.dir.Forecast(context.Background(), w.as("okta", do))
	var refusal *licensing.Refusal // the group is gone
	if err != nil && !errors.Is(err, store.ErrNotFound) && !errors.As(err, &refusal) {
		t.Fatalf("forecast of %+v: %v", do, err)
	}
	accounts := func() map[string]store.Account {
		page, err := w.store.ListAccounts(context.Background(), w.company, store.Query{Limit: 10_000})
		if err != nil {
			t.Fatal(err)
		}
		all := map[string]store.Account{}
		for _, a := range page.Accounts {
			all[a.ID] = a
		}
		return all
	}
	before := accounts()
	r := apply(do)
	if !r.Changed { // refused: the one who asks may not assign licenses
		return r
	}
	shifts := map[string]licensing.Shift{}
	for _, s := range told.Shifts {
		shifts[s.Account] = s
	}
	fromQueue, swaps := 0, 0
	for id, a := range accounts() {
		b, s := before[id], shifts[id]
		waited := b.LicenseState == store.StateWaiting
		switch {
		case b.Seat != "" && a.Seat != "" && b.Seat != a.Seat:
			swaps++
		case s == licensing.Shift{} && waited && a.Seat == a.License && a.Seat != "":
			fromQueue++
		}
		if s != (licensing.Shift{}) && told.FromQueue == 0 && (a.Effective != string(s.To) || a.LicenseState != s.State || a.LicenseReason != string(s.Reason)) {
			t.Fatalf("%+v: %s was to have %+v, and has %s %s %q", do, a.Display, s, a.Effective, a.LicenseState, a.LicenseReason)
		}
	}
	if swaps == 0 && fromQueue != told.FromQueue {
		t.Fatalf("%+v: %d from the queue, told were %d", do, fromQueue, told.FromQueue)
	}
	return r
}

var allRoles = []string{licensing.RoleStandard, licensing.RoleUserAdmin, licensing.RoleSuperAdmin}

var allCarriers = []licensing.Carrier{licensing.CarrierLicense, licensing.CarrierEntitlements, licensing.CarrierRoles}

// TestDirectory_invariants plays random changes one after the other.
func TestDirectory_invariants(t *testing.T) {
	fewer(t)
	whole := t // stores are opened with it, and rapid has a T of its own
	rapid.Check(t, func(t *rapid.T) {
		s := enginetest.Open(whole, nil)
		defer s.Close()
		policy := rapid.SampledFrom([]string{licensing.SeatsWaiting, licensing.SeatsStrict}).Draw(t, "policy")
		w := newWorld(t, s, store.Company{SeatPolicy: policy, HoldFor: time.Minute, LossPercent: 100},
			map[licensing.License]int{plus: rapid.IntRange(0, 3).Draw(t, "plus"), ringex: rapid.IntRange(0, 2).Draw(t, "ringex")})
		people, groups, rules := []string{}, []string{}, []string{}
		requests := 0
		licenses := rapid.SliceOfN(rapid.SampledFrom([]licensing.License{base, ringex, plus}), 0, 2)
		one := func(from []string, label string) string {
			if len(from) == 0 {
				return "nobody"
			}
			return rapid.SampledFrom(from).Draw(t, label)
		}
		apply := func(do licensing.Operation) licensing.Result {
			w.now = w.now.Add(time.Duration(rapid.IntRange(0, 40).Draw(t, "seconds")) * time.Second)
			change := w.as(rapid.SampledFrom([]string{"okta", "entra"}).Draw(t, "connection"), do)
			change.MayAssign = rapid.IntRange(0, 5).Draw(t, "scope") > 0
			requests++
			change.Request = fmt.Sprintf("r%d", requests)
			r, err := w.dir.Apply(context.Background(), change)
			var refusal *licensing.Refusal
			var conflict *store.ConflictError
			var unknown *store.UnknownMemberError
			if err != nil && !errors.As(err, &refusal) && !errors.As(err, &conflict) && !errors.As(err, &unknown) && !errors.Is(err, store.ErrNotFound) {
				t.Fatalf("%T: %v", do, err)
			}
			return r
		}
		t.Repeat(map[string]func(*rapid.T){
			"": func(t *rapid.T) { w.checkInvariants(t) },
			"create": func(t *rapid.T) {
				d := draft(fmt.Sprintf("p%d", rapid.IntRange(0, 5).Draw(t, "person")), licenses.Draw(t, "asks")...)
				d.Active = rapid.Bool().Draw(t, "active")
				if rapid.IntRange(0, 3).Draw(t, "webmail") == 0 {
					d.Email = "x@gmail.com"
				}
				back := func(store.Account) (licensing.Draft, error) {
					again := d
					again.Active = true
					return again, nil
				}
				how := rapid.SampledFrom([]string{"", licensing.SetupLater, licensing.SetupInvite, licensing.SetupCredentials}).Draw(t, "set-up")
				if r := apply(licensing.CreateAccount{Connection: "okta", Draft: d, Return: back, Setup: licensing.Setup{How: how, Password: "$"}}); r.Created {
					people = append(people, r.Account.ID)
				}
			},
			"delete":   func(t *rapid.T) { apply(licensing.DeleteAccount{ID: one(people, "person")}) },
			"activate": func(t *rapid.T) { apply(w.edit(one(people, "person"), func(d *licensing.Draft) { d.Active = true })) },
			"deactivate": func(t *rapid.T) {
				apply(w.edit(one(people, "person"), func(d *licensing.Draft) { d.Active = false }))
			},
			"ask": func(t *rapid.T) {
				intent := licensing.Intent{Carrier: rapid.SampledFrom(allCarriers).Draw(t, "carrier"), Licenses: licenses.Draw(t, "asks")}
				if intent.Carrier == licensing.CarrierRoles {
					intent.Roles = rapid.SliceOfN(rapid.SampledFrom(allRoles), 0, 2).Draw(t, "roles")
				}
				apply(w.edit(one(people, "person"), func(d *licensing.Draft) { d.Intents = []licensing.Intent{intent} }))
			},
			"group": func(t *rapid.T) {
				name := fmt.Sprintf("g%d", rapid.IntRange(0, 2).Draw(t, "group"))
				r := apply(licensing.CreateGroup{Draft: licensing.GroupDraft{Name: name, Display: name, Doc: []byte(`{}`)}, Members: []string{one(people, "member")}})
				if r.Created {
					groups = append(groups, r.Group.ID)
				}
			},
			"members": func(t *rapid.T) {
				m := store.MemberChange{
					Add: []string{one(people, "add")}, Remove: []string{one(people, "remove")}, Exactly: rapid.Bool().Draw(t, "exactly"),
				}
				if m.Add[0] == m.Remove[0] {
					m.Remove = nil
				}
				apply(licensing.UpdateGroup{ID: one(groups, "group"), Edit: func(store.Group) (*licensing.GroupDraft, store.MemberChange, error) {
					return nil, m, nil
				}})
			},
			"ungroup": func(t *rapid.T) { apply(licensing.DeleteGroup{ID: one(groups, "group")}) },
			"rule": func(t *rapid.T) {
				do := licensing.AddRule{
					Group: one(groups, "group"), License: rapid.SampledFrom([]licensing.License{ringex, plus}).Draw(t, "license"),
					Priority: rapid.IntRange(0, 2).Draw(t, "priority"),
				}
				if r := w.foretold(t, do, apply); r.Created {
					rules = append(rules, r.Rule.ID)
				}
			},
			"value rule": func(t *rapid.T) {
				do := licensing.AddRule{
					Match:   &store.Match{Paths: []string{"displayName"}, Value: rapid.SampledFrom(titles).Draw(t, "title"), Suffix: rapid.Bool().Draw(t, "suffix")},
					License: rapid.SampledFrom([]licensing.License{licensing.NoLicense, ringex, plus}).Draw(t, "license"),
				}
				if do.License == licensing.NoLicense || rapid.Bool().Draw(t, "with role") {
					do.Role = rapid.SampledFrom(allRoles).Draw(t, "role")
				}
				if r := w.foretold(t, do, apply); r.Created {
					rules = append(rules, r.Rule.ID)
				}
			},
			"title": func(t *rapid.T) {
				title := rapid.SampledFrom(titles).Draw(t, "title")
				apply(w.edit(one(people, "person"), func(d *licensing.Draft) { d.Display = title }))
			},
			"unrule": func(t *rapid.T) {
				do := licensing.RemoveRule{ID: one(rules, "rule")}
				w.foretold(t, do, apply)
			},
			"seats": func(t *rapid.T) {
				apply(licensing.SetSeats{License: rapid.SampledFrom([]licensing.License{ringex, plus}).Draw(t, "license"), Total: rapid.IntRange(0, 4).Draw(t, "total")})
			},
			"pin": func(t *rapid.T) {
				do := licensing.Assign{ID: one(people, "person"), License: rapid.SampledFrom([]licensing.License{licensing.NoLicense, base, ringex, plus}).Draw(t, "license")}
				if rapid.Bool().Draw(t, "expires") {
					do.Until = w.now.Add(time.Minute)
				}
				apply(do)
			},
			"decide": func(t *rapid.T) {
				apply(licensing.Decide{
					ID: one(people, "person"), Approve: rapid.Bool().Draw(t, "approve"),
					License: rapid.SampledFrom([]licensing.License{licensing.NoLicense, ringex, plus}).Draw(t, "license"),
				})
			},
			"member": func(t *rapid.T) {
				apply(licensing.SetMember{
					ID:         one(people, "person"),
					MemberType: rapid.SampledFrom([]licensing.MemberType{licensing.Coworker, licensing.GuestMember}).Draw(t, "member type"),
				})
			},
			"role": func(t *rapid.T) {
				apply(licensing.SetRole{
					ID:   one(people, "person"),
					Role: rapid.SampledFrom(append(allRoles, "")).Draw(t, "role"),
				})
			},
			"ceiling": func(t *rapid.T) {
				ceiling := rapid.SampledFrom(allRoles).Draw(t, "ceiling")
				apply(licensing.SetCompany{RoleCeiling: &ceiling})
			},
			"payment": func(t *rapid.T) {
				apply(payment(rapid.SampledFrom([]string{licensing.PaymentOK, licensing.PaymentExpiring, licensing.PaymentPastDue, licensing.PaymentSuspended}).Draw(t, "payment"), time.Time{}))
			},
			"move": func(t *rapid.T) {
				address := rapid.SampledFrom([]string{"x@gmail.com", "x@acme.example"}).Draw(t, "address")
				apply(w.edit(one(people, "person"), func(d *licensing.Draft) { d.Moved, d.Was, d.Email = true, d.Email, address }))
			},
			"ceiling of seats": func(t *rapid.T) {
				apply(licensing.SetCeiling{License: rapid.SampledFrom([]licensing.License{ringex, plus}).Draw(t, "license"), Ceiling: rapid.IntRange(0, 5).Draw(t, "ceiling")})
			},
			"approval": func(t *rapid.T) {
				mode := rapid.SampledFrom([]string{licensing.ApprovalScope, licensing.ApprovalAlways}).Draw(t, "mode")
				apply(licensing.SetCompany{Approval: &mode})
			},
			"invite": func(t *rapid.T) { apply(w.invitation(one(people, "person"))) },
			"password": func(t *rapid.T) {
				apply(licensing.SetPassword{ID: one(people, "person"), Password: rapid.SampledFrom([]string{"$1", "$2"}).Draw(t, "password")})
			},
			"set up": func(t *rapid.T) {
				id := one(people, "person")
				a, err := w.store.Account(context.Background(), w.company, id)
				if err != nil {
					return
				}
				apply(licensing.SetUp{ID: id, Link: a.Link, Step: "all", Password: "$3", Finish: rapid.Bool().Draw(t, "finish")})
			},
			"undo": func(t *rapid.T) {
				last := rapid.IntRange(max(0, requests-6), requests).Draw(t, "request")
				apply(licensing.Undo{Request: fmt.Sprintf("r%d", last), Activate: activate, Preview: rapid.IntRange(0, 4).Draw(t, "preview") == 0})
			},
			"time": func(t *rapid.T) {
				w.now = w.now.Add(30 * time.Second)
				if err := w.dir.Maintain(context.Background()); err != nil {
					t.Fatalf("maintenance: %v", err)
				}
			},
		})
	})
}

// TestDirectory_storm lets many goroutines change the same few people, groups and pools at once.
func TestDirectory_storm(t *testing.T) {
	workers, rounds := 16, 40
	if os.Getenv("USHER_SCALE") == "full" {
		workers, rounds = 64, 400
	}
	onEachStore(t, func(t *testing.T, s store.Store) {
		w := newWorld(t, s, store.Company{LossPercent: 100}, map[licensing.License]int{plus: 7, ringex: 3})
		var people []string
		for i := range 30 {
			people = append(people, w.create(fmt.Sprintf("p%02d", i)).ID)
		}
		group := w.apply(licensing.CreateGroup{Draft: licensing.GroupDraft{Name: "g", Display: "g", Doc: []byte(`{}`)}}).Group
		w.apply(licensing.AddRule{Group: group.ID, License: plus})
		// The clock stands still during the storm: it is shared.
		var wait sync.WaitGroup
		for worker := range workers {
			wait.Go(func() {
				random := rand.New(rand.NewPCG(uint64(worker), 7))
				for round := range rounds {
					person := people[random.IntN(len(people))]
					var do licensing.Operation
					switch random.IntN(10) {
					case 0, 1:
						do = w.edit(person, func(d *licensing.Draft) { d.Active = random.IntN(2) == 0 })
					case 2, 3:
						asks := [][]licensing.License{nil, {plus}, {ringex}, {ringex, plus}}[random.IntN(4)]
						do = w.edit(person, func(d *licensing.Draft) {
							d.Intents = []licensing.Intent{{Carrier: allCarriers[random.IntN(len(allCarriers))], Licenses: asks}}
						})
					case 4:
						m := store.MemberChange{Add: []string{person}}
						if random.IntN(2) == 0 {
							m = store.MemberChange{Remove: []string{person}}
						}
						do = licensing.UpdateGroup{ID: group.ID, Edit: func(store.Group) (*licensing.GroupDraft, store.MemberChange, error) { return nil, m, nil }}
					case 5:
						do = licensing.CreateAccount{Connection: "okta", Draft: draft(fmt.Sprintf("n%d-%d", worker, round), plus)}
					case 6:
						do = licensing.SetSeats{License: plus, Total: 5 + random.IntN(5), OverAssign: true}
					case 7:
						do = licensing.Assign{ID: person, License: []licensing.License{licensing.NoLicense, base, ringex, plus}[random.IntN(4)]}
					case 8:
						do = licensing.SetMember{ID: person, MemberType: []licensing.MemberType{licensing.Coworker, licensing.GuestMember}[random.IntN(2)]}
					case 9:
						do = licensing.SetRole{ID: person, Role: []string{licensing.RoleStandard, licensing.RoleUserAdmin}[random.IntN(2)]}
					}
					_, err := w.dir.Apply(context.Background(), w.as("okta", do))
					var refusal *licensing.Refusal // a guest has no role
					if err != nil && !errors.Is(err, store.ErrVersion) && !errors.As(err, &refusal) {
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

// TestDirectory_lastSeats lets many ask at once for few seats.
func TestDirectory_lastSeats(t *testing.T) {
	onEachStore(t, func(t *testing.T, s store.Store) {
		w := newWorld(t, s, store.Company{}, map[licensing.License]int{plus: 5})
		created := make([]store.Account, 64)
		var wait sync.WaitGroup
		for i := range created {
			wait.Go(func() {
				r, err := w.dir.Apply(context.Background(), w.as("okta", licensing.CreateAccount{Connection: "okta", Draft: draft(fmt.Sprintf("p%d", i), plus)}))
				if err != nil {
					t.Error(err)
				}
				created[i] = r.Account
			})
		}
		wait.Wait()
		seated := slices.DeleteFunc(slices.Clone(created), func(a store.Account) bool { return a.Effective != string(plus) })
		if len(seated) != 5 {
			t.Fatalf("%d of 64 have a seat, want 5", len(seated))
		}
		w.checkInvariants(t)
		queue, err := s.Queue(t.Context(), w.company, string(plus), 1)
		if err != nil || len(queue) != 1 {
			t.Fatalf("queue: %v, %v", queue, err)
		}
		w.setActive(seated[0].ID, false)
		w.check(queue[0].ID, plus, store.StateReserved, "")
		w.checkInvariants(t)
	})
}
