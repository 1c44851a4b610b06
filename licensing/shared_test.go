package licensing_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"usher/licensing"
	"usher/store"
	"usher/store/storetest"
)

// shared lets a test act at one step of a sweep, as another process on the same store would.
type shared struct {
	store.Store
	beforeLease  func()
	beforeWrites func() // of accounts
	leases       chan struct{}
}

func (s *shared) LeaseSweep(ctx context.Context, id, holder string, now, until time.Time) (bool, error) {
	once(&s.beforeLease)
	if s.leases != nil {
		s.leases <- struct{}{}
	}
	return s.Store.LeaseSweep(ctx, id, holder, now, until)
}

func (s *shared) WriteAccounts(ctx context.Context, ws []store.AccountWrite) []store.AccountResult {
	once(&s.beforeWrites)
	return s.Store.WriteAccounts(ctx, ws)
}

// twoProcesses makes a world and another directory on its store, as two servers on one database have them. The world's own store lets the
// test act in between; the other one's is given.
func twoProcesses(t *testing.T, seats map[licensing.License]int) (w, other *world, mine, theirs *shared) {
	t.Helper()
	m := storetest.NewMap(nil)
	mine, theirs = &shared{Store: m}, &shared{Store: m}
	w = newWorld(t, mine, store.Company{}, seats)
	w.dir.Shared = true
	other = &world{t: t, store: theirs, company: w.company, now: w.now}
	other.dir = licensing.NewDirectory(theirs, func() time.Time { return w.now }, slog.New(slog.DiscardHandler))
	other.dir.Shared = true
	return w, other, mine, theirs
}

func TestDirectory_sweepIsNotTakenBeforeItsMakerHasIt(t *testing.T) {
	w, other, mine, _ := twoProcesses(t, map[licensing.License]int{plus: 1})
	ada := w.create("ada")
	group := w.group("g", ada.ID)
	mine.beforeLease = func() {
		theirs := &failing{Store: other.store}
		dir := licensing.NewDirectory(theirs, func() time.Time { return w.now }, slog.New(slog.DiscardHandler))
		dir.Shared = true
		if err := dir.Resume(t.Context()); err != nil {
			t.Errorf("it was taken: %v", err)
			w.now = w.now.Add(2 * time.Minute) // it has failed and keeps the lease
		}
	}
	w.apply(licensing.AddRule{Group: group, License: plus})
	w.check(ada.ID, plus, store.StateReserved, "")
	if sweeps, err := mine.ListSweeps(t.Context()); err != nil || len(sweeps) > 0 {
		t.Errorf("open sweeps: %v, %v", sweeps, err)
	}
}

// failing is a store whose accounts cannot be written.
type failing struct{ store.Store }

func (f *failing) WriteAccounts(_ context.Context, ws []store.AccountWrite) []store.AccountResult {
	results := make([]store.AccountResult, len(ws))
	for i := range results {
		results[i].Err = store.ErrUnavailable
	}
	return results
}

// TestDirectory_sweepOfAnotherProcessIsWaitedFor: a request that finds its change in place is not answered before what follows from it is,
// whoever carries that out.
func TestDirectory_sweepOfAnotherProcessIsWaitedFor(t *testing.T) {
	w, other, mine, theirs := twoProcesses(t, map[licensing.License]int{plus: 1})
	ada := w.create("ada")
	group := w.group("g", ada.ID)
	w.apply(licensing.AddRule{Group: group, License: plus})
	leave := members(group, store.MemberChange{Remove: []string{ada.ID}})
	theirs.leases = make(chan struct{})
	answered := make(chan error, 1)
	mine.beforeWrites = func() {
		go func() {
			_, err := other.dir.Apply(t.Context(), w.as("okta", leave))
			answered <- err
		}()
		for range 2 { // it has looked, and looks again
			select {
			case <-theirs.leases:
			case err := <-answered:
				t.Errorf("answered while the sweep is under way: %v", err)
				answered <- err
				return
			}
		}
	}
	// Not by w.apply, which moves the clock that the other process reads.
	if _, err := w.dir.Apply(t.Context(), w.as("okta", leave)); err != nil {
		t.Fatal(err)
	}
	for {
		select {
		case <-theirs.leases:
			continue
		case err := <-answered:
			if err != nil {
				t.Error(err)
			}
		}
		break
	}
	w.check(ada.ID, base, store.StateNone, "")
}

// TestDirectory_waitForAnotherProcessEnds: whoever waits for a process that has died takes over when its lease has ended, and one who does not
// listen any more does not wait.
func TestDirectory_waitForAnotherProcessEnds(t *testing.T) {
	w, other, mine, theirs := twoProcesses(t, map[licensing.License]int{plus: 1})
	ada := w.create("ada")
	group := w.group("g", ada.ID)
	w.apply(licensing.AddRule{Group: group, License: plus})
	leave := members(group, store.MemberChange{Remove: []string{ada.ID}})
	died := errors.New("died")
	mine.beforeWrites = func() { panic(died) }
	func() {
		defer func() {
			if recover() != any(died) {
				t.Fatal("it has not died")
			}
		}()
		w.apply(leave)
	}()

	gone, cancel := context.WithCancel(t.Context())
	theirs.beforeLease = cancel
	if _, err := other.dir.Apply(gone, w.as("okta", leave)); !errors.Is(err, context.Canceled) {
		t.Errorf("for a client that has gone: %v", err)
	}
	if err := other.dir.Resume(t.Context()); err != nil { // it does not wait
		t.Error(err)
	}
	w.check(ada.ID, plus, store.StateReserved, "")

	w.now = w.now.Add(2 * time.Minute)
	other.apply(leave)
	w.check(ada.ID, base, store.StateNone, "")
}

// TestDirectory_staleFactsOfAnotherProcess: a rule is taken away, with its sweep, between another process's look at the rules and its write.
func TestDirectory_staleFactsOfAnotherProcess(t *testing.T) {
	w, other, mine, _ := twoProcesses(t, map[licensing.License]int{plus: 2})
	ada, bob := w.create("ada"), w.create("bob")
	group := w.group("g", ada.ID, bob.ID)
	mine.beforeWrites = func() {
		rules, err := other.store.ListRules(t.Context(), w.company)
		if err != nil || len(rules) != 1 {
			t.Fatalf("rules: %v, %v", rules, err)
		}
		other.apply(licensing.RemoveRule{ID: rules[0].ID})
	}
	w.apply(licensing.AddRule{Group: group, License: plus})
	w.check(ada.ID, base, store.StateNone, "")
	w.check(bob.ID, base, store.StateNone, "")
	w.checkInvariants(t)
}

// TestDirectory_sweepDoneByAnotherProcess: a process that was too slow to keep its sweep finds that it is done.
func TestDirectory_sweepDoneByAnotherProcess(t *testing.T) {
	w, other, mine, _ := twoProcesses(t, map[licensing.License]int{plus: 1})
	ada := w.create("ada")
	group := w.group("g", ada.ID)
	mine.beforeWrites = func() {
		w.now = w.now.Add(2 * time.Minute)
		if err := other.dir.Resume(t.Context()); err != nil {
			t.Error(err)
		}
		w.check(ada.ID, plus, store.StateReserved, "")
	}
	w.apply(licensing.AddRule{Group: group, License: plus})
	w.check(ada.ID, plus, store.StateReserved, "")
}

// TestDirectory_timesAreThoseOfTheStore: what the log says of a source is what any engine keeps of it.
func TestDirectory_timesAreThoseOfTheStore(t *testing.T) {
	w, _, _, _ := twoProcesses(t, map[licensing.License]int{plus: 1})
	ada := w.create("ada")
	until := w.now.Add(time.Hour + 1234567*time.Nanosecond)
	r, err := w.dir.Apply(t.Context(), licensing.Change{
		Company: w.company, Actor: store.Actor{Kind: "operator", ID: "test"}, Door: licensing.DoorAdmin, MayAssign: true,
		Do: licensing.Assign{ID: ada.ID, License: plus, Until: until},
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := r.Account.Sources; len(got) != 1 || !got[0].Until.Equal(until.Truncate(time.Millisecond)) {
		t.Errorf("sources: %+v, want until %s", got, until.Truncate(time.Millisecond))
	}
}
