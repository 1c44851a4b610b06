package licensing_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"usher/licensing"
	"usher/store"
	"usher/store/enginetest"
	"usher/store/query"
	"usher/store/storetest"
)

// reporter is what the tests need of *testing.T and of *rapid.T.
type reporter interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
	Errorf(format string, args ...any)
}

// world is one company on a fresh store, with the doors through which tests change it.
type world struct {
	t       reporter
	store   store.Store
	dir     *licensing.Directory
	company string
	now     time.Time
}

// onEachStore runs a test on the engine that the run is for, and on the plain map.
func onEachStore(t *testing.T, test func(t *testing.T, s store.Store)) {
	t.Run("engine", func(t *testing.T) { test(t, enginetest.Open(t, nil)) })
	t.Run("map", func(t *testing.T) { test(t, storetest.NewMap(nil)) })
}

// fewer lets rapid try less on an engine that is asked over the network at every step.
func fewer(t *testing.T) {
	t.Helper()
	if !enginetest.MongoDB(t) || os.Getenv("USHER_SCALE") == "full" {
		return
	}
	checks := flag.Lookup("rapid.checks")
	usual := checks.Value.String()
	set := func(n string) {
		if err := checks.Value.Set(n); err != nil {
			t.Fatal(err)
		}
	}
	set("20")
	t.Cleanup(func() { set(usual) })
}

func newWorld(t reporter, s store.Store, c store.Company, seats map[licensing.License]int) *world {
	w := &world{t: t, store: s, now: time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)}
	w.dir = licensing.NewDirectory(s, func() time.Time { return w.now }, slog.New(slog.DiscardHandler))
	w.dir.Links = func(mail string) []byte {
		sum := sha256.Sum256([]byte(mail))
		return sum[:]
	}
	if c.Name == "" {
		c.Name = "acme"
	}
	if c.Tier == "" {
		c.Tier = licensing.TierVideoProPlus
	}
	r, err := w.dir.Apply(context.Background(), licensing.Change{
		Actor: store.Actor{Kind: "operator", ID: "test"}, Door: licensing.DoorAdmin,
		Do: licensing.CreateCompany{Company: c, Seats: seats},
	})
	if err != nil {
		t.Fatal(err)
	}
	w.company = r.Company.ID
	return w
}

// as makes a change of a connection that may assign licenses.
func (w *world) as(connection string, do licensing.Operation) licensing.Change {
	return licensing.Change{
		Company: w.company, Actor: store.Actor{Kind: "connection", ID: connection}, Door: licensing.DoorSCIM, Request: "r", MayAssign: true, Do: do,
	}
}

func (w *world) apply(do licensing.Operation) licensing.Result {
	w.t.Helper()
	r, err := w.dir.Apply(context.Background(), w.as("okta", do))
	if err != nil {
		w.t.Fatalf("%T: %v", do, err)
	}
	w.now = w.now.Add(time.Second)
	return r
}

// draft is a person by the name, who asks for licenses by entitlements.
func draft(name string, asks ...licensing.License) licensing.Draft {
	return licensing.Draft{
		UserName: name, ExternalID: "ext-" + name, Display: name, Active: true, Email: name + "@acme.example",
		Doc:     fmt.Appendf(nil, `{"userName":%q,"active":true}`, name),
		Intents: []licensing.Intent{{Carrier: licensing.CarrierEntitlements, Licenses: asks}},
	}
}

func (w *world) create(name string, asks ...licensing.License) store.Account {
	w.t.Helper()
	return w.apply(licensing.CreateAccount{Connection: "okta", Draft: draft(name, asks...)}).Account
}

// edit changes an account as a PATCH would that names no carrier of licenses.
func (w *world) edit(id string, change func(*licensing.Draft)) licensing.UpdateAccount {
	return licensing.UpdateAccount{ID: id, Connection: "okta", Edit: func(a store.Account) (licensing.Draft, error) {
		d := licensing.Draft{
			UserName: a.UserName, ExternalID: a.ExternalID, Display: a.Display, Active: a.Active,
			Email: a.UserName + "@acme.example", Doc: a.Doc, Terms: a.Terms,
		}
		change(&d)
		d.Doc = fmt.Appendf(nil, `{"userName":%q,"displayName":%q,"active":%t}`, d.UserName, d.Display, d.Active)
		return d, nil
	}}
}

func (w *world) setActive(id string, active bool) store.Account {
	w.t.Helper()
	return w.apply(w.edit(id, func(d *licensing.Draft) { d.Active = active })).Account
}

func (w *world) ask(id string, asks ...licensing.License) store.Account {
	w.t.Helper()
	return w.apply(w.edit(id, func(d *licensing.Draft) {
		d.Intents = []licensing.Intent{{Carrier: licensing.CarrierEntitlements, Licenses: asks}}
	})).Account
}

// check compares an account's license, and the numbers of all pools with what the accounts say.
func (w *world) check(id string, effective licensing.License, state string, reason licensing.Reason) {
	w.t.Helper()
	a, err := w.store.Account(context.Background(), w.company, id)
	if err != nil {
		w.t.Fatal(err)
	}
	if a.Effective != string(effective) || a.LicenseState != state || a.LicenseReason != string(reason) {
		w.t.Errorf("%s has %s, state %s, reason %q; want %s, %s, %q", a.Display, a.Effective, a.LicenseState, a.LicenseReason, effective, state, reason)
	}
	w.checkPools()
}

func (w *world) checkPools() {
	w.t.Helper()
	company, err := w.store.Company(context.Background(), w.company)
	if err != nil {
		w.t.Fatal(err)
	}
	overdue := company.Payment == licensing.PaymentPastDue || company.Payment == licensing.PaymentSuspended // then no seat is given
	for _, l := range []licensing.License{licensing.RingEX, licensing.VideoProPlus} {
		kept, err := w.store.Pool(context.Background(), w.company, string(l))
		if err != nil {
			w.t.Fatal(err)
		}
		counted, err := w.store.CountSeats(context.Background(), w.company, string(l))
		if err != nil {
			w.t.Fatal(err)
		}
		counted.Total = kept.Total
		if diff := cmp.Diff(counted, kept); diff != "" {
			w.t.Errorf("pool of %s (-counted +kept):\n%s", l, diff)
		}
		if idle(kept) && !overdue {
			w.t.Errorf("a seat of %s is not in use although somebody waits: %+v", l, kept)
		}
	}
}

const (
	plus   = licensing.VideoProPlus
	ringex = licensing.RingEX
	base   = licensing.VideoPro
)

func TestDirectory_queueFillsByItself(t *testing.T) {
	onEachStore(t, func(t *testing.T, s store.Store) {
		w := newWorld(t, s, store.Company{}, map[licensing.License]int{plus: 1})
		ada, bob, eve := w.create("ada", plus), w.create("bob", plus), w.create("eve", plus)
		w.check(ada.ID, plus, store.StateReserved, "")
		w.check(bob.ID, base, store.StateWaiting, licensing.WaitingForSeat)

		w.setActive(ada.ID, false) // the seat goes to the first who waits
		w.check(ada.ID, base, store.StateBlocked, licensing.AccountInactive)
		w.check(bob.ID, plus, store.StateReserved, "")
		w.check(eve.ID, base, store.StateWaiting, licensing.WaitingForSeat)

		w.setActive(ada.ID, true) // back in the queue with the request of old, before eve
		w.check(ada.ID, base, store.StateWaiting, licensing.WaitingForSeat)
		w.apply(licensing.DeleteAccount{ID: bob.ID})
		w.check(ada.ID, plus, store.StateReserved, "")

		w.apply(licensing.SetSeats{License: plus, Total: 2, OverAssign: true})
		w.check(eve.ID, plus, store.StateReserved, "")
	})
}

func TestDirectory_heldSeat(t *testing.T) {
	onEachStore(t, func(t *testing.T, s store.Store) {
		w := newWorld(t, s, store.Company{}, map[licensing.License]int{plus: 1})
		ada := w.create("ada", plus)
		before := w.setActive(ada.ID, false)
		w.check(ada.ID, base, store.StateHeld, licensing.AccountInactive)
		if before.Epoch != ada.Epoch+1 {
			t.Errorf("epoch %d after deactivation, want %d: sessions must end", before.Epoch, ada.Epoch+1)
		}
		w.setActive(ada.ID, true)
		w.check(ada.ID, plus, store.StateReserved, "")

		w.setActive(ada.ID, false)
		bob := w.create("bob", plus) // somebody needs the seat
		w.check(bob.ID, plus, store.StateReserved, "")
		w.check(ada.ID, base, store.StateBlocked, licensing.AccountInactive)
	})
}

func TestDirectory_holdEnds(t *testing.T) {
	onEachStore(t, func(t *testing.T, s store.Store) {
		w := newWorld(t, s, store.Company{HoldFor: time.Hour}, map[licensing.License]int{plus: 1})
		ada := w.create("ada", plus)
		w.setActive(ada.ID, false)
		w.now = w.now.Add(time.Hour - 10*time.Second)
		if err := w.dir.Maintain(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.check(ada.ID, base, store.StateHeld, licensing.AccountInactive)
		w.now = w.now.Add(11 * time.Second)
		if err := w.dir.Maintain(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.check(ada.ID, base, store.StateBlocked, licensing.AccountInactive)
	})
}

func TestDirectory_strict(t *testing.T) {
	onEachStore(t, func(t *testing.T, s store.Store) {
		w := newWorld(t, s, store.Company{SeatPolicy: licensing.SeatsStrict}, map[licensing.License]int{plus: 1})
		ada := w.create("ada", plus)
		refused := func(what string, do licensing.Operation) {
			t.Helper()
			_, err := w.dir.Apply(t.Context(), w.as("okta", do))
			var refusal *licensing.Refusal
			if !errors.As(err, &refusal) || refusal.Reason != licensing.NoSeatAvailable {
				t.Errorf("%s: %v, want a refusal for lack of a seat", what, err)
			}
		}
		refused("create", licensing.CreateAccount{Connection: "okta", Draft: draft("bob", plus)})
		if _, err := s.AccountByUserName(t.Context(), w.company, "bob"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("the refused person is there: %v", err)
		}
		_, err := w.dir.Apply(t.Context(), w.as("okta", licensing.CreateAccount{Connection: "okta", Draft: draft("ada", plus)}))
		var conflict *store.ConflictError
		if !errors.As(err, &conflict) {
			t.Errorf("a taken name is %v, want a conflict whatever the seats are", err)
		}
		eve := w.create("eve")
		refused("update", w.edit(eve.ID, func(d *licensing.Draft) {
			d.Intents = []licensing.Intent{{Carrier: licensing.CarrierEntitlements, Licenses: []licensing.License{plus}}}
		}))
		w.setActive(ada.ID, false) // held, until somebody asks
		w.ask(eve.ID, plus)
		w.check(eve.ID, plus, store.StateReserved, "")
		refused("reactivate", w.edit(ada.ID, func(d *licensing.Draft) { d.Active = true }))
		w.check(ada.ID, base, store.StateBlocked, licensing.AccountInactive)
	})
}

func TestDirectory_swap(t *testing.T) {
	onEachStore(t, func(t *testing.T, s store.Store) {
		w := newWorld(t, s, store.Company{}, map[licensing.License]int{plus: 1, ringex: 1})
		ada, bob := w.create("ada", plus), w.create("bob", ringex)
		eve := w.create("eve", ringex)
		w.ask(bob.ID, plus) // none free: the old seat stays until there is one
		w.check(bob.ID, ringex, store.StateWaiting, licensing.WaitingForSeat)
		w.check(eve.ID, base, store.StateWaiting, licensing.WaitingForSeat)
		w.apply(w.edit(bob.ID, func(d *licensing.Draft) { d.Display = "Robert" }))
		w.check(bob.ID, ringex, store.StateWaiting, licensing.WaitingForSeat)

		w.ask(ada.ID) // gives hers up: bob swaps, and his goes to eve
		w.check(ada.ID, base, store.StateNone, "")
		w.check(bob.ID, plus, store.StateReserved, "")
		w.check(eve.ID, ringex, store.StateReserved, "")
	})
}

func TestDirectory_sources(t *testing.T) {
	onEachStore(t, func(t *testing.T, s store.Store) {
		w := newWorld(t, s, store.Company{}, map[licensing.License]int{plus: 5, ringex: 5})
		ada := w.create("ada", plus)
		write := func(c licensing.Carrier, l ...licensing.License) {
			w.apply(w.edit(ada.ID, func(d *licensing.Draft) { d.Intents = []licensing.Intent{{Carrier: c, Licenses: l}} }))
		}
		write(licensing.CarrierRoles, ringex)
		w.check(ada.ID, plus, store.StateReserved, "") // entitlements rank higher
		write(licensing.CarrierLicense, plus)
		write(licensing.CarrierEntitlements)
		w.check(ada.ID, plus, store.StateReserved, "") // kept alive by the other source
		write(licensing.CarrierLicense)
		w.check(ada.ID, ringex, store.StateReserved, "") // what was asked for all along
		write(licensing.CarrierRoles)
		w.check(ada.ID, base, store.StateNone, "")
	})
}

func TestDirectory_withoutTheScope(t *testing.T) {
	onEachStore(t, func(t *testing.T, s store.Store) {
		w := newWorld(t, s, store.Company{}, map[licensing.License]int{plus: 5})
		change := w.as("okta", licensing.CreateAccount{Connection: "okta", Draft: draft("ada", plus)})
		change.MayAssign = false
		r, err := w.dir.Apply(t.Context(), change)
		if err != nil {
			t.Fatal(err)
		}
		w.check(r.Account.ID, base, store.StateBlocked, licensing.NeedsApproval)
	})
}

func TestDirectory_guest(t *testing.T) {
	onEachStore(t, func(t *testing.T, s store.Store) {
		w := newWorld(t, s, store.Company{}, map[licensing.License]int{plus: 5})
		d := draft("ada", plus)
		d.Email = "ada@gmail.com"
		ada := w.apply(licensing.CreateAccount{Connection: "okta", Draft: d}).Account
		if ada.MemberType != string(licensing.GuestMember) {
			t.Errorf("member type %s, want guest", ada.MemberType)
		}
		w.check(ada.ID, base, store.StateBlocked, licensing.Guest)
	})
}

func TestDirectory_domainOfAnotherCompany(t *testing.T) {
	onEachStore(t, func(t *testing.T, s store.Store) {
		w := newWorld(t, s, store.Company{Name: "acme", Domains: []string{"acme.example"}}, nil)
		other := newWorld(t, s, store.Company{Name: "other"}, nil)
		_, err := other.dir.Apply(t.Context(), other.as("okta", licensing.CreateAccount{Connection: "okta", Draft: draft("ada")}))
		var refusal *licensing.Refusal
		if !errors.As(err, &refusal) || refusal.Reason != licensing.DomainOfOtherCompany {
			t.Errorf("a person of acme in another company: %v, want a refusal", err)
		}
		w.create("ada")
	})
}

func TestDirectory_comeback(t *testing.T) {
	onEachStore(t, func(t *testing.T, s store.Store) {
		w := newWorld(t, s, store.Company{}, map[licensing.License]int{plus: 1})
		ada := w.create("ada", plus)
		w.apply(licensing.DeleteAccount{ID: ada.ID})
		if _, err := s.Account(t.Context(), w.company, ada.ID); !errors.Is(err, store.ErrNotFound) {
			t.Fatalf("deleted account: %v", err)
		}
		again := w.apply(licensing.CreateAccount{Connection: "okta", Draft: draft("ada")})
		if again.Account.ID != ada.ID || !again.Account.Created.Equal(ada.Created) || !again.Created {
			t.Errorf("came back as %s of %s, want %s of %s", again.Account.ID, again.Account.Created, ada.ID, ada.Created)
		}
		w.check(ada.ID, base, store.StateNone, "") // without the license of old

		w.apply(licensing.DeleteAccount{ID: ada.ID})
		w.now = w.now.Add(31 * 24 * time.Hour)
		if late := w.create("ada"); late.ID == ada.ID {
			t.Error("the id came back after more than 30 days")
		}
	})
}

func TestDirectory_createOfAnExistingPerson(t *testing.T) {
	onEachStore(t, func(t *testing.T, s store.Store) {
		w := newWorld(t, s, store.Company{}, map[licensing.License]int{plus: 1})
		ada := w.create("ada", plus)
		post := func(connection, external string) (licensing.Result, error) {
			d := draft("ada", plus)
			d.ExternalID = external
			back := func(store.Account) (licensing.Draft, error) { return d, nil }
			return w.dir.Apply(t.Context(), w.as(connection, licensing.CreateAccount{Connection: connection, Draft: d, Return: back}))
		}
		var conflict *store.ConflictError
		if _, err := post("okta", "ext-ada"); !errors.As(err, &conflict) {
			t.Errorf("create of an active person: %v, want a conflict", err)
		}
		w.setActive(ada.ID, false)
		if _, err := post("okta", "another"); !errors.As(err, &conflict) {
			t.Errorf("create with another externalId: %v, want a conflict", err)
		}
		if _, err := post("entra", "ext-ada"); !errors.As(err, &conflict) {
			t.Errorf("create by another connection: %v, want a conflict", err)
		}
		r, err := post("okta", "ext-ada")
		if err != nil || r.Account.ID != ada.ID || !r.Account.Active || !r.Created {
			t.Fatalf("create of the inactive person: %+v, %v", r, err)
		}
		w.check(ada.ID, plus, store.StateReserved, "")
	})
}

func TestDirectory_groupRule(t *testing.T) {
	onEachStore(t, func(t *testing.T, s store.Store) {
		w := newWorld(t, s, store.Company{SeatPolicy: licensing.SeatsStrict}, map[licensing.License]int{plus: 2})
		ada, bob, eve := w.create("ada"), w.create("bob"), w.create("eve")
		group := w.apply(licensing.CreateGroup{
			Draft:   licensing.GroupDraft{Name: "video", Display: "Video", Doc: []byte(`{"displayName":"Video"}`)},
			Members: []string{ada.ID},
		}).Group
		rule := w.apply(licensing.AddRule{Group: group.ID, License: plus}).Rule
		w.check(ada.ID, plus, store.StateReserved, "")

		members := func(m store.MemberChange) licensing.UpdateGroup {
			return licensing.UpdateGroup{ID: group.ID, Edit: func(store.Group) (*licensing.GroupDraft, store.MemberChange, error) { return nil, m, nil }}
		}
		w.apply(members(store.MemberChange{Add: []string{bob.ID, eve.ID}})) // never refused, not even by a strict company
		w.check(bob.ID, plus, store.StateReserved, "")
		w.check(eve.ID, base, store.StateWaiting, licensing.WaitingForSeat)
		w.apply(w.edit(eve.ID, func(d *licensing.Draft) { d.Display = "Eva" })) // and it can be changed while it waits
		w.apply(members(store.MemberChange{Remove: []string{ada.ID}}))
		w.check(ada.ID, base, store.StateNone, "")
		w.check(eve.ID, plus, store.StateReserved, "")

		w.apply(members(store.MemberChange{Add: []string{ada.ID}, Exactly: true}))
		w.check(ada.ID, plus, store.StateReserved, "")
		w.check(bob.ID, base, store.StateNone, "")
		w.check(eve.ID, base, store.StateNone, "")

		w.apply(licensing.RemoveRule{ID: rule.ID})
		w.check(ada.ID, base, store.StateNone, "")
		w.apply(licensing.AddRule{Group: group.ID, License: plus})
		w.check(ada.ID, plus, store.StateReserved, "")
		w.apply(licensing.DeleteGroup{ID: group.ID})
		w.check(ada.ID, base, store.StateNone, "")
		if rules, err := s.ListRules(t.Context(), w.company); err != nil || len(rules) > 0 {
			t.Errorf("rules of the deleted group: %v, %v", rules, err)
		}
		if sweeps, err := s.ListSweeps(t.Context()); err != nil || len(sweeps) > 0 {
			t.Errorf("open sweeps: %v, %v", sweeps, err)
		}
	})
}

// TestDirectory_resume stops a process between the fact of a rule and its sweep.
func TestDirectory_resume(t *testing.T) {
	onEachStore(t, func(t *testing.T, s store.Store) {
		w := newWorld(t, s, store.Company{}, map[licensing.License]int{plus: 200})
		var ids []string
		for i := range 450 { // three chunks
			ids = append(ids, w.create(fmt.Sprintf("p%03d", i)).ID)
		}
		group := w.apply(licensing.CreateGroup{
			Draft: licensing.GroupDraft{Name: "video", Display: "Video", Doc: []byte(`{"displayName":"Video"}`)}, Members: ids,
		}).Group
		dying := licensing.NewDirectory(diesAfter(s, 250), func() time.Time { return w.now }, slog.New(slog.DiscardHandler))
		if _, err := dying.Apply(t.Context(), w.as("okta", licensing.AddRule{Group: group.ID, License: plus})); !errors.Is(err, errDied) {
			t.Fatalf("the dying process said %v", err)
		}
		if open, err := s.ListSweeps(t.Context()); err != nil || len(open) != 1 {
			t.Fatalf("open sweeps: %v, %v; want the one that was cut off", open, err)
		}
		w.now = w.now.Add(2 * time.Minute) // the lease of the dead process has run out
		if err := w.dir.Resume(t.Context()); err != nil {
			t.Fatal(err)
		}
		if open, err := s.ListSweeps(t.Context()); err != nil || len(open) != 0 {
			t.Errorf("open sweeps: %v, %v", open, err)
		}
		w.checkPools()
		for i, id := range ids {
			a, err := s.Account(t.Context(), w.company, id)
			if err != nil {
				t.Fatal(err)
			}
			want := store.StateReserved
			if i >= 200 {
				want = store.StateWaiting
			}
			if a.LicenseState != want {
				t.Fatalf("person %d is %s, want %s: seats go in the order of the requests", i, a.LicenseState, want)
			}
		}
	})
}

var errDied = errors.New("the process died")

// dying is a store whose process dies after a number of account writes.
type dying struct {
	licensing.Store
	left int
}

func diesAfter(s licensing.Store, writes int) licensing.Store { return &dying{s, writes} }

func (d *dying) WriteAccounts(ctx context.Context, ws []store.AccountWrite) []store.AccountResult {
	results := make([]store.AccountResult, len(ws))
	for i, write := range ws {
		if d.left--; d.left < 0 {
			results[i].Err = errDied
			continue
		}
		results[i] = d.Store.WriteAccounts(ctx, []store.AccountWrite{write})[0]
	}
	return results
}

func TestDirectory_noChangeWritesNothing(t *testing.T) {
	onEachStore(t, func(t *testing.T, s store.Store) {
		w := newWorld(t, s, store.Company{}, map[licensing.License]int{plus: 1})
		ada := w.create("ada", plus)
		same := func(a store.Account) (licensing.Draft, error) {
			d := draft("ada", plus)
			d.Terms = query.Terms(d.Doc, nil)
			return d, nil
		}
		r := w.apply(licensing.UpdateAccount{ID: ada.ID, Edit: same})
		if r.Changed || r.Account.Version != ada.Version || !r.Account.Modified.Equal(ada.Modified) {
			t.Errorf("version %d, modified %s; want %d, %s", r.Account.Version, r.Account.Modified, ada.Version, ada.Modified)
		}
		stale := licensing.UpdateAccount{ID: ada.ID, IfVersion: ada.Version + 1, Edit: same}
		if _, err := w.dir.Apply(t.Context(), w.as("okta", stale)); !errors.Is(err, store.ErrVersion) {
			t.Errorf("another version expected: %v, want ErrVersion", err)
		}
	})
}

func TestDirectory_refusals(t *testing.T) {
	onEachStore(t, func(t *testing.T, s store.Store) {
		w := newWorld(t, s, store.Company{}, nil)
		for name, tt := range map[string]struct {
			do   licensing.Operation
			want licensing.Reason
		}{
			"seats of the free license": {licensing.SetSeats{License: base, Total: 1, OverAssign: true}, licensing.NotAPaidLicense},
			"fewer than no seats":       {licensing.SetSeats{License: plus, Total: -1, OverAssign: true}, licensing.NegativeSeats},
			"a rule on no group":        {licensing.AddRule{Group: "nobody", License: plus}, licensing.UnknownGroup},
			"a rule for the free one":   {licensing.AddRule{Group: "nobody", License: base}, licensing.NotAPaidLicense},
			"an unknown tier":           {licensing.CreateCompany{Company: store.Company{Name: "b", Tier: "gold"}}, licensing.UnknownSetting},
		} {
			_, err := w.dir.Apply(t.Context(), w.as("okta", tt.do))
			var refusal *licensing.Refusal
			if !errors.As(err, &refusal) || refusal.Reason != tt.want {
				t.Errorf("%s: %v, want a refusal for %s", name, err, tt.want)
			}
		}
	})
}
