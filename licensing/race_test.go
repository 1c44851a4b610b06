package licensing_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"usher/licensing"
	"usher/store"
)

// between lets a test act at one step of an Apply, as another request at the same time would.
type between struct {
	store.Store
	beforeWrite  func() // of an account
	beforeDelete func() // of a group
	afterPool    func() // was read
	afterName    func() // of an account was looked up
	busy         atomic.Bool
}

// once takes an action so that it happens one time only.
func once(f *func()) {
	if do := *f; do != nil {
		*f = nil
		do()
	}
}

func (b *between) WriteAccount(ctx context.Context, w store.AccountWrite) (store.Account, error) {
	once(&b.beforeWrite)
	return b.Store.WriteAccount(ctx, w)
}

func (b *between) DeleteGroup(ctx context.Context, company, id string, v int64, sw *store.Sweep, ev []store.Event) error {
	once(&b.beforeDelete)
	return b.Store.DeleteGroup(ctx, company, id, v, sw, ev)
}

func (b *between) AccountByUserName(ctx context.Context, company, name string) (store.Account, error) {
	a, err := b.Store.AccountByUserName(ctx, company, name)
	once(&b.afterName)
	return a, err
}

func (b *between) HeldSeats(ctx context.Context, company, license string, n int) ([]store.Account, error) {
	once(&b.afterPool)
	return b.Store.HeldSeats(ctx, company, license, n)
}

func (b *between) WriteAccounts(ctx context.Context, ws []store.AccountWrite) []store.AccountResult {
	if !b.busy.Load() {
		return b.Store.WriteAccounts(ctx, ws)
	}
	results := make([]store.AccountResult, len(ws))
	for i := range results {
		results[i].Err = store.ErrBusy
	}
	return results
}

func (b *between) LeaseSweep(ctx context.Context, id, holder string, now, until time.Time) (bool, error) {
	if b.busy.Load() {
		return false, store.ErrBusy
	}
	return b.Store.LeaseSweep(ctx, id, holder, now, until)
}

// members changes the members of a group.
func members(group string, m store.MemberChange) licensing.UpdateGroup {
	return licensing.UpdateGroup{ID: group, Edit: func(store.Group) (*licensing.GroupDraft, store.MemberChange, error) { return nil, m, nil }}
}

// group makes a group with the members named.
func (w *world) group(name string, ids ...string) string {
	w.t.Helper()
	return w.apply(licensing.CreateGroup{Draft: licensing.GroupDraft{Name: name, Display: name, Doc: []byte(`{}`)}, Members: ids}).Group.ID
}

func TestDirectory_someoneAsksWhileASeatBecomesHeld(t *testing.T) {
	onEachStore(t, func(t *testing.T, s store.Store) {
		b := &between{Store: s}
		w := newWorld(t, b, store.Company{}, map[licensing.License]int{plus: 1})
		ada := w.create("ada", plus)
		var bob store.Account
		b.beforeWrite = func() { bob = w.create("bob", plus) }
		w.setActive(ada.ID, false)
		w.check(bob.ID, plus, store.StateReserved, "")
		w.checkInvariants(t)
	})
}

func TestDirectory_swapKeepsTheOldSeatWhoeverElseAsks(t *testing.T) {
	onEachStore(t, func(t *testing.T, s store.Store) {
		w := newWorld(t, s, store.Company{}, map[licensing.License]int{plus: 1, ringex: 1})
		w.create("ada", plus)
		bob := w.create("bob", ringex)
		w.ask(bob.ID, plus)
		w.apply(w.edit(bob.ID, func(d *licensing.Draft) {
			d.Intents = []licensing.Intent{{Carrier: licensing.CarrierRoles, Licenses: []licensing.License{plus}}}
		}))
		w.check(bob.ID, ringex, store.StateWaiting, licensing.WaitingForSeat)
		w.apply(licensing.AddRule{Group: w.group("g", bob.ID), License: plus})
		w.check(bob.ID, ringex, store.StateWaiting, licensing.WaitingForSeat)
	})
}

func TestDirectory_refusedWriteTakesNoHeldSeat(t *testing.T) {
	onEachStore(t, func(t *testing.T, s store.Store) {
		w := newWorld(t, s, store.Company{SeatPolicy: licensing.SeatsStrict}, map[licensing.License]int{plus: 1})
		ada := w.create("ada", plus)
		w.create("taken")
		bob := w.create("bob")
		w.setActive(ada.ID, false)
		for _, do := range []licensing.Operation{
			licensing.CreateAccount{Connection: "okta", Draft: draft("taken", plus)},
			w.edit(bob.ID, func(d *licensing.Draft) {
				d.UserName = "taken"
				d.Intents = []licensing.Intent{{Carrier: licensing.CarrierEntitlements, Licenses: []licensing.License{plus}}}
			}),
		} {
			var conflict *store.ConflictError
			if _, err := w.dir.Apply(t.Context(), w.as("okta", do)); !errors.As(err, &conflict) {
				t.Errorf("%T: %v, want a conflict", do, err)
			}
			w.check(ada.ID, base, store.StateHeld, licensing.AccountInactive)
		}
	})
}

func TestDirectory_ruleMadeWhileTheGroupGoes(t *testing.T) {
	onEachStore(t, func(t *testing.T, s store.Store) {
		b := &between{Store: s}
		w := newWorld(t, b, store.Company{}, map[licensing.License]int{plus: 1})
		ada := w.create("ada")
		group := w.group("g", ada.ID)
		b.beforeDelete = func() { w.apply(licensing.AddRule{Group: group, License: plus}) }
		w.apply(licensing.DeleteGroup{ID: group})
		w.check(ada.ID, base, store.StateNone, "")
		if rules, err := s.ListRules(t.Context(), w.company); err != nil || len(rules) > 0 {
			t.Errorf("rules of a group that is gone: %v, %v", rules, err)
		}
	})
}

func TestDirectory_heldSeatsInExcessHelpNobody(t *testing.T) {
	onEachStore(t, func(t *testing.T, s store.Store) {
		w := newWorld(t, s, store.Company{}, map[licensing.License]int{plus: 4})
		var all []store.Account
		for _, name := range []string{"a", "b", "c", "d"} {
			all = append(all, w.create(name, plus))
		}
		w.setActive(all[3].ID, false)
		w.apply(licensing.SetSeats{License: plus, Total: 2, OverAssign: true})
		eve := w.create("eve", plus)
		w.check(eve.ID, base, store.StateWaiting, licensing.WaitingForSeat)
		w.check(all[3].ID, base, store.StateHeld, licensing.AccountInactive) // 3 in use of 2: eve could not have it
		w.setActive(all[2].ID, false)
		w.check(all[2].ID, base, store.StateHeld, licensing.AccountInactive)
		w.checkInvariants(t)
		w.apply(licensing.DeleteAccount{ID: all[1].ID}) // 1 in use of 2: now the held ones stand between her and a seat
		w.check(eve.ID, plus, store.StateReserved, "")
		w.checkInvariants(t)
	})
}

func TestDirectory_oneSeatIsGivenUpForOnePerson(t *testing.T) {
	onEachStore(t, func(t *testing.T, s store.Store) {
		b := &between{Store: s}
		w := newWorld(t, b, store.Company{}, map[licensing.License]int{plus: 2})
		ada, bob := w.create("ada", plus), w.create("bob", plus)
		w.setActive(ada.ID, false)
		w.setActive(bob.ID, false)
		served := make(chan error, 1)
		b.afterPool = func() { // another request serves the same queue, or tries to
			go func() { served <- w.dir.Maintain(context.Background()) }()
			select {
			case err := <-served:
				served <- err
			case <-time.After(50 * time.Millisecond): // it waits for its turn, as it should
			}
		}
		// Not by w.create, which moves the clock that the other request reads.
		if _, err := w.dir.Apply(t.Context(), w.as("okta", licensing.CreateAccount{Connection: "okta", Draft: draft("eve", plus)})); err != nil {
			t.Fatal(err)
		}
		if err := <-served; err != nil {
			t.Fatal(err)
		}
		w.check(ada.ID, base, store.StateBlocked, licensing.AccountInactive)
		w.check(bob.ID, base, store.StateHeld, licensing.AccountInactive)
	})
}

func TestDirectory_comebackEndsOldSessions(t *testing.T) {
	onEachStore(t, func(t *testing.T, s store.Store) {
		w := newWorld(t, s, store.Company{}, map[licensing.License]int{plus: 1})
		ada := w.create("ada", plus)
		w.setActive(ada.ID, false)
		was := w.setActive(ada.ID, true)
		w.apply(licensing.DeleteAccount{ID: ada.ID})
		if back := w.create("ada"); back.ID != ada.ID || back.Epoch <= was.Epoch {
			t.Errorf("came back as %s in epoch %d, was %s in epoch %d", back.ID, back.Epoch, was.ID, was.Epoch)
		}
	})
}

func TestDirectory_twoComeBackAsOne(t *testing.T) {
	onEachStore(t, func(t *testing.T, s store.Store) {
		b := &between{Store: s}
		w := newWorld(t, b, store.Company{}, nil)
		ada := w.create("ada")
		w.apply(licensing.DeleteAccount{ID: ada.ID})
		var other store.Account
		b.beforeWrite = func() {
			d := draft("other")
			d.ExternalID = "ext-ada"
			other = w.apply(licensing.CreateAccount{Connection: "okta", Draft: d}).Account
		}
		late := w.create("ada")
		if other.ID != ada.ID || late.ID == ada.ID {
			t.Errorf("the first has the id %s, the second %s; want the old id %s for the first only", other.ID, late.ID, ada.ID)
		}
		w.apply(licensing.DeleteAccount{ID: late.ID})
		b.beforeWrite = func() {
			if _, err := s.DropTombstones(context.Background(), w.now.Add(time.Hour)); err != nil {
				t.Error(err)
			}
		}
		w.create("ada")
	})
}

func TestDirectory_anotherCompanysDomainBarsNobodysExit(t *testing.T) {
	onEachStore(t, func(t *testing.T, s store.Store) {
		w := newWorld(t, s, store.Company{}, nil)
		d := draft("ada")
		d.Email = "ada@beta.example"
		ada := w.apply(licensing.CreateAccount{Connection: "okta", Draft: d}).Account
		eve := w.create("eve")
		newWorld(t, s, store.Company{Name: "beta", Domains: []string{"beta.example"}}, nil)
		w.apply(w.edit(ada.ID, func(d *licensing.Draft) { d.Active, d.Email = false, "ada@beta.example" }))
		_, err := w.dir.Apply(t.Context(), w.as("okta", w.edit(eve.ID, func(d *licensing.Draft) { d.Moved, d.Email = true, "eve@beta.example" })))
		var refusal *licensing.Refusal
		if !errors.As(err, &refusal) || refusal.Reason != licensing.DomainOfOtherCompany {
			t.Errorf("moving into another company's domain: %v, want a refusal", err)
		}
	})
}

func TestDirectory_storeFailsAfterTheCommit(t *testing.T) {
	onEachStore(t, func(t *testing.T, s store.Store) {
		b := &between{Store: s}
		w := newWorld(t, b, store.Company{}, map[licensing.License]int{plus: 1})
		ada := w.create("ada", plus)
		w.setActive(ada.ID, false)
		b.busy.Store(true)
		bob := w.create("bob", plus) // stored, and answered so
		b.busy.Store(false)
		if err := w.dir.Maintain(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.check(bob.ID, plus, store.StateReserved, "")
	})
}

func TestDirectory_repeatedGroupChangeFinishesTheSweep(t *testing.T) {
	onEachStore(t, func(t *testing.T, s store.Store) {
		b := &between{Store: s}
		w := newWorld(t, b, store.Company{}, map[licensing.License]int{plus: 1})
		ada := w.create("ada")
		group := w.group("g", ada.ID)
		w.apply(licensing.AddRule{Group: group, License: plus})
		leave := members(group, store.MemberChange{Remove: []string{ada.ID}})
		b.busy.Store(true)
		if _, err := w.dir.Apply(t.Context(), w.as("okta", leave)); !errors.Is(err, store.ErrBusy) {
			t.Fatalf("with a busy store: %v", err)
		}
		b.busy.Store(false)
		w.apply(leave)
		w.check(ada.ID, base, store.StateNone, "")
	})
}

func TestDirectory_unapprovedWriteStripsNothing(t *testing.T) {
	onEachStore(t, func(t *testing.T, s store.Store) {
		w := newWorld(t, s, store.Company{}, map[licensing.License]int{plus: 1, ringex: 1})
		ada := w.create("ada", ringex)
		change := w.as("entra", w.edit(ada.ID, func(d *licensing.Draft) {
			d.Intents = []licensing.Intent{{Carrier: licensing.CarrierEntitlements, Licenses: []licensing.License{ringex, plus}}}
		}))
		change.MayAssign = false
		if _, err := w.dir.Apply(t.Context(), change); err != nil {
			t.Fatal(err)
		}
		w.check(ada.ID, ringex, store.StateReserved, "")
	})
}

// TestDirectory_ruleOnABusyGroup makes and takes away a rule while others change the members of its group without end.
func TestDirectory_ruleOnABusyGroup(t *testing.T) {
	onEachStore(t, func(t *testing.T, s store.Store) {
		w := newWorld(t, s, store.Company{}, map[licensing.License]int{plus: 2})
		ids := []string{w.create("a").ID, w.create("b").ID, w.create("c").ID}
		group := w.group("g", ids...)
		stop := make(chan struct{})
		var others sync.WaitGroup
		for i := range 8 {
			others.Go(func() {
				for n := 0; ; n++ {
					select {
					case <-stop:
						return
					default:
					}
					do := w.edit(ids[n%len(ids)], func(d *licensing.Draft) { d.Display = fmt.Sprint(i, n) })
					if _, err := w.dir.Apply(context.Background(), w.as("okta", do)); err != nil && !errors.Is(err, store.ErrVersion) { // five in a row were too late
						t.Error(err)
						return
					}
				}
			})
		}
		for range 5 {
			r, err := w.dir.Apply(t.Context(), w.as("okta", licensing.AddRule{Group: group, License: plus}))
			if err == nil {
				_, err = w.dir.Apply(t.Context(), w.as("okta", licensing.RemoveRule{ID: r.Rule.ID}))
			}
			if err != nil {
				t.Error(err)
			}
		}
		close(stop)
		others.Wait()
		w.checkInvariants(t)
	})
}

// TestDirectory_nameFreedMeanwhile deletes the account that has the name between the conflict and the look at it.
func TestDirectory_nameFreedMeanwhile(t *testing.T) {
	onEachStore(t, func(t *testing.T, s store.Store) {
		b := &between{Store: s}
		w := newWorld(t, b, store.Company{}, nil)
		ada := w.create("ada")
		w.setActive(ada.ID, false)
		d := draft("ada")
		b.afterName = func() { w.apply(licensing.DeleteAccount{ID: ada.ID}) }
		back := func(store.Account) (licensing.Draft, error) { return d, nil }
		r, err := w.dir.Apply(t.Context(), w.as("okta", licensing.CreateAccount{Connection: "okta", Draft: d, Return: back}))
		if err != nil || !r.Created {
			t.Errorf("created %t, %v", r.Created, err)
		}
	})
}

// TestDirectory_manyChangeOnePerson would fail for want of attempts if changes of one account did not wait for each other.
func TestDirectory_manyChangeOnePerson(t *testing.T) {
	onEachStore(t, func(t *testing.T, s store.Store) {
		w := newWorld(t, s, store.Company{}, nil)
		ada := w.create("ada")
		failed := make(chan error)
		for i := range 64 {
			go func() {
				_, err := w.dir.Apply(context.Background(), w.as("okta", w.edit(ada.ID, func(d *licensing.Draft) { d.Display = string(rune('A' + i)) })))
				failed <- err
			}()
		}
		for range 64 {
			if err := <-failed; err != nil {
				t.Error(err)
			}
		}
	})
}
