package mongo_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"usher/store"
	"usher/store/mongo"
	"usher/store/mongo/mongotest"
)

// stormer is one goroutine of a storm: it has accounts and a group of its own, and fights with all others for the seats and for a common group.
type stormer struct {
	*world
	through  store.Store
	random   *rand.Rand
	accounts []store.Account
	common   string

	acknowledged map[string]bool // requests of what is known to be done
	unknown      map[string]bool // and of what may be
	refused      map[string]bool // and of what was not
	problem      error           // what should never happen
}

// request makes the event of one operation, by which it is found again in the log.
func (p *stormer) request(action string) []store.Event {
	return []store.Event{{Time: p.now(), Kind: store.EventAccount, Action: action, Actor: store.Actor{Kind: "operator", ID: "test"}, Door: "cli", Request: store.NewID()}}
}

// note keeps how an operation ended. The errors named are answers that it can have.
func (p *stormer) note(events []store.Event, err error, answers ...error) (done bool) {
	request := events[0].Request
	switch {
	case err == nil:
		p.acknowledged[request] = true
	case errors.Is(err, store.ErrUnavailable):
		p.unknown[request] = true
	default:
		p.refused[request] = true
		for _, answer := range answers {
			if errors.Is(err, answer) {
				return false
			}
		}
		p.problem = fmt.Errorf("%s: %w", events[0].Action, err)
	}
	return err == nil
}

// again reads an account of which nobody knows what became of the last write. Nobody else writes it, but that write may still be carried out
// as long as it is under way: after the answer it is not.
func (p *stormer) again(i int) {
	a, err := p.Account(p.ctx, p.company, p.accounts[i].ID)
	if err != nil {
		p.problem = fmt.Errorf("reading: %w", err)
		return
	}
	p.accounts[i] = a
}

// seat claims, swaps or gives back the seat of an account.
func (p *stormer) seat() {
	i := p.random.IntN(len(p.accounts))
	before := p.accounts[i]
	after := before
	wanted := []string{"", paid, second}[p.random.IntN(3)]
	if after.Seat == wanted {
		after.Display = store.NewID()
	} else if after.Seat, after.SeatState = wanted, ""; wanted != "" {
		after.SeatState = store.StateActive
	}
	events := p.request("seat")
	stored, err := p.through.WriteAccount(p.ctx, store.AccountWrite{Before: &before, After: after, Events: events})
	switch {
	case p.note(events, err, store.ErrNoSeat):
		if stored.Version != before.Version+1 {
			p.problem = fmt.Errorf("version %d after %d", stored.Version, before.Version)
		}
		p.accounts[i] = stored
	case errors.Is(err, store.ErrUnavailable):
		p.again(i)
	}
}

// join takes an account into the common group, or out of it.
func (p *stormer) join() {
	id := []string{p.accounts[p.random.IntN(len(p.accounts))].ID}
	change := store.MemberChange{Add: id}
	if p.random.IntN(2) == 0 {
		change = store.MemberChange{Remove: id}
	}
	events := p.request("group")
	changed, err := p.through.ChangeGroup(p.ctx, store.GroupChange{Company: p.company, ID: p.common, Members: change, Modified: p.now(), Events: events})
	if err == nil && !changed.Changed {
		p.refused[events[0].Request] = true // there was nothing to do, and nothing is told
		return
	}
	p.note(events, err)
}

// TestFaults_storm: sixteen goroutines claim, swap and give back seats and change a group while any call may go wrong. Afterwards each seat is
// held once, what was acknowledged is there, and what was refused is not.
func TestFaults_storm(t *testing.T) {
	t.Parallel() // it waits most of the time

	uri := mongotest.URI(t)
	truth := open(t, uri, nil)
	proxy := mongotest.NewProxy(t, uri)
	through, err := mongo.Open(t.Context(), proxy.URI(), mongo.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := through.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	const goroutines, accounts, seats = 16, 3, 20
	operations := 25
	if full() {
		operations = 100
	}
	w := newWorld(t, truth)
	w.check(w.SetSeats(w.ctx, w.company, paid, seats, nil))
	w.check(w.SetSeats(w.ctx, w.company, second, seats/2, nil))
	common := w.thereGroup("common", nil, nil)
	all := make([]*stormer, goroutines)
	for i := range all {
		p := &stormer{
			world: &world{T: t, Store: truth, ctx: w.ctx, company: w.company, names: map[string]string{}}, through: through, common: common.ID,
			random:       rand.New(rand.NewPCG(uint64(i), 1)), //nolint:gosec // it is to be the same each time
			acknowledged: map[string]bool{}, unknown: map[string]bool{}, refused: map[string]bool{},
		}
		for n := range accounts {
			p.accounts = append(p.accounts, w.there(w.account(fmt.Sprintf("p%d.%d", i, n))))
		}
		all[i] = p
	}
	proxy.Break(mongotest.Sometimes(1, 40, mongotest.Lost, mongotest.Unanswered, mongotest.Torn, mongotest.Late, mongotest.Deposed, mongotest.SteppedDown,
		mongotest.Unconfirmed, mongotest.Busy, mongotest.BusyAfter, mongotest.BusyAfter, mongotest.BusyAfter))
	var done sync.WaitGroup
	for _, p := range all {
		done.Go(func() {
			for range operations {
				if p.random.IntN(3) == 0 {
					p.join()
				} else {
					p.seat()
				}
				if p.problem != nil {
					return
				}
			}
		})
	}
	done.Wait()
	calls, broken := proxy.Calls()
	proxy.Break(nil)
	w.settle()
	checkStorm(w, all)
	known, unknown, refused := 0, 0, 0
	for _, p := range all {
		known, unknown, refused = known+len(p.acknowledged), unknown+len(p.unknown), refused+len(p.refused)
	}
	t.Logf("%d calls, %d of them broken: %d operations done, %d unknown, %d refused", len(calls), broken, known, unknown, refused)
	if broken == 0 || known == 0 {
		t.Error("nothing was broken, or nothing was done: this shows nothing")
	}
}

// checkStorm looks at what is there after a storm.
func checkStorm(w *world, all []*stormer) {
	w.Helper()
	told := map[string]int{}
	for _, e := range w.log() { // it reports events that are there twice
		told[e.Request]++
	}
	for i, p := range all {
		if p.problem != nil {
			w.Errorf("goroutine %d: %v", i, p.problem)
		}
		for request := range p.acknowledged {
			if told[request] != 1 {
				w.Errorf("goroutine %d: what was acknowledged is in the log %d times", i, told[request])
			}
		}
		for request := range p.refused {
			if told[request] != 0 {
				w.Errorf("goroutine %d: what was refused is in the log %d times", i, told[request])
			}
		}
		for n, a := range p.accounts {
			is, err := w.Account(w.ctx, w.company, a.ID)
			w.check(err)
			if is.Version != a.Version || is.Seat != a.Seat || is.Display != a.Display {
				w.Errorf("goroutine %d: account %d is at version %d with the seat %q, and was at version %d with %q", i, n, is.Version, is.Seat, a.Version, a.Seat)
			}
		}
	}
	for _, license := range []string{paid, second} {
		pool, err := w.Pool(w.ctx, w.company, license)
		w.check(err)
		counted, err := w.CountSeats(w.ctx, w.company, license)
		w.check(err)
		if diff := cmp.Diff(counted, pool); diff != "" || pool.Used > pool.Total {
			w.Errorf("seats of %s (-those of the accounts +those that are taken):\n%s", license, diff)
		}
	}
	groups, err := w.ListGroups(w.ctx, w.company, store.Query{Limit: 10})
	w.check(err)
	for _, g := range groups.Groups {
		members, err := w.Members(w.ctx, w.company, g.ID, "", 1000)
		w.check(err)
		if len(members) != g.Members {
			w.Errorf("group %s says that it has %d members, and has %d", g.Name, g.Members, len(members))
		}
		in := map[string]bool{}
		for _, m := range members {
			in[m.ID] = true
		}
		for _, p := range all {
			for _, a := range p.accounts {
				is, err := w.Account(w.ctx, w.company, a.ID)
				w.check(err)
				if (is.Groups == 1) != in[a.ID] {
					w.Errorf("an account says that it is in %d groups, and is in the group: %t", is.Groups, in[a.ID])
				}
			}
		}
	}
}
