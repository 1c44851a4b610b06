package storetest

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"usher/store"
	"usher/store/query"
)

func TestMap(t *testing.T) {
	Run(t, func(_ *testing.T, indexes []query.Index) store.Store { return NewMap(indexes) })
}

// TestMap_Interleaved lets others come in between the steps of every operation, as they do on a server; by themselves the steps
// follow one another too closely.
func TestMap_Interleaved(t *testing.T) {
	Run(t, func(_ *testing.T, indexes []query.Index) store.Store {
		m := NewMap(indexes)
		m.interrupt = func() {
			for range rand.IntN(3) {
				runtime.Gosched()
			}
		}
		return m
	})
}

// fault is an engine with one thing wrong, and the sub-test that must find it.
type fault struct {
	name, test string
	open       func(m *Map) store.Store
}

// Each of these is an engine that is right but for one method.
type (
	noEvents       struct{ *Map }
	noVersions     struct{ *Map }
	oversells      struct{ *Map }
	seatFirst      struct{ *Map }
	evicts         struct{ *Map }
	crosses        struct{ *Map }
	noFilter       struct{ *Map }
	noBudget       struct{ *Map }
	twice          struct{ *Map }
	loses          struct{ *Map }
	countsPage     struct{ *Map }
	noneFirst      struct{ *Map }
	unsorted       struct{ *Map }
	eager          struct{ *Map }
	stealsLeases   struct{ *Map }
	lifo           struct{ *Map }
	unchained      struct{ *Map }
	deaf           struct{ *Map }
	neverCloses    struct{ *Map }
	keepsTombstone struct{ *Map }
	anyMember      struct{ *Map }
)

func (s noEvents) DeleteAccount(ctx context.Context, d store.AccountDelete) error {
	d.Events = nil
	return s.Map.DeleteAccount(ctx, d)
}

func (s noVersions) WriteAccount(ctx context.Context, w store.AccountWrite) (store.Account, error) {
	if w.Before != nil {
		if a, err := s.Account(ctx, w.Before.Company, w.Before.ID); err == nil {
			w.Before = &a
		}
	}
	return s.Map.WriteAccount(ctx, w)
}

func (s oversells) WriteAccount(ctx context.Context, w store.AccountWrite) (store.Account, error) {
	strict := w
	strict.NoSeat = nil
	a, err := s.Map.WriteAccount(ctx, strict)
	if p, _ := s.Pool(ctx, w.After.Company, w.After.Seat); errors.Is(err, store.ErrNoSeat) && p.Waiting > 20 && p.Used == 5 {
		// One too many, once there is a crowd.
		_ = s.SetSeats(ctx, w.After.Company, w.After.Seat, p.Total+1, nil)
		defer func() { _ = s.SetSeats(ctx, w.After.Company, w.After.Seat, p.Total, nil) }()
	}
	if err == nil {
		return a, nil
	}
	return s.Map.WriteAccount(ctx, w)
}

func (s seatFirst) WriteAccount(ctx context.Context, w store.AccountWrite) (store.Account, error) {
	if p, err := s.Pool(ctx, w.After.Company, w.After.Seat); err == nil && w.After.Seat != "" && w.NoSeat == nil && p.Used >= p.Total {
		return store.Account{}, store.ErrNoSeat
	}
	return s.Map.WriteAccount(ctx, w)
}

func (s evicts) SetSeats(ctx context.Context, company, license string, total int, events []store.Event) error {
	all, _ := s.Map.ListAccounts(ctx, company, store.Query{Limit: 1000})
	for _, a := range all.Accounts {
		if p, _ := s.Pool(ctx, company, license); p.Used > total && a.Seat == license {
			before := a
			_, _ = s.WriteAccount(ctx, store.AccountWrite{Before: &before, After: unseated(a)})
		}
	}
	return s.Map.SetSeats(ctx, company, license, total, events)
}

func (s crosses) Group(ctx context.Context, company, id string) (store.Group, error) {
	all, _ := s.ListCompanies(ctx)
	for _, c := range all {
		if g, err := s.Map.Group(ctx, c.ID, id); err == nil {
			return g, nil
		}
	}
	return s.Map.Group(ctx, company, id)
}

func (s noFilter) ListGroups(ctx context.Context, company string, q store.Query) (store.GroupPage, error) {
	q.Filter = nil
	return s.Map.ListGroups(ctx, company, q)
}

func (s noBudget) ListAccounts(ctx context.Context, company string, q store.Query) (store.AccountPage, error) {
	q.Budget = 0
	return s.Map.ListAccounts(ctx, company, q)
}

func (s twice) ListAccounts(ctx context.Context, company string, q store.Query) (store.AccountPage, error) {
	if q.After != "" { // begins with the record before
		all, _ := s.Map.ListAccounts(ctx, company, store.Query{Limit: 1000})
		i := slices.IndexFunc(all.Accounts, func(a store.Account) bool { return a.ID == q.After })
		if i > 0 && i+q.Limit < len(all.Accounts) {
			q.After = all.Accounts[i-1].ID
		}
	}
	return s.Map.ListAccounts(ctx, company, q)
}

func (s loses) ListAccounts(ctx context.Context, company string, q store.Query) (store.AccountPage, error) {
	if _, err := s.Account(ctx, company, q.After); q.After != "" && err != nil {
		q.Limit = 0 // the record to go on after is gone
	}
	return s.Map.ListAccounts(ctx, company, q)
}

// Those without a value come first in both directions.
func (s noneFirst) ListAccounts(ctx context.Context, company string, q store.Query) (store.AccountPage, error) {
	page, err := s.Map.ListAccounts(ctx, company, q)
	if q.Sort != nil && !q.Sort.Descending {
		slices.SortStableFunc(page.Accounts, func(a, b store.Account) int {
			none := map[bool]int{true: -1}
			return none[q.Sort.Key(&a).None] - none[q.Sort.Key(&b).None]
		})
	}
	return page, err
}

// Groups come in the order of their creation.
func (s unsorted) ListGroups(ctx context.Context, company string, q store.Query) (store.GroupPage, error) {
	q.Sort = nil
	return s.Map.ListGroups(ctx, company, q)
}

func (s countsPage) ListAccounts(ctx context.Context, company string, q store.Query) (store.AccountPage, error) {
	page, err := s.Map.ListAccounts(ctx, company, q)
	if q.Total {
		page.Total = min(page.Total, q.Offset+q.Limit)
	}
	return page, err
}

func (s eager) ChangeGroup(ctx context.Context, c store.GroupChange) (store.GroupChanged, error) {
	changed, err := s.Map.ChangeGroup(ctx, c)
	if err == nil && !changed.Changed && c.Sweep != nil {
		err = s.CreateRule(ctx, store.Rule{ID: store.NewID(), Company: c.Company, Group: c.ID}, c.Sweep, nil)
	}
	return changed, err
}

func (s stealsLeases) LeaseSweep(ctx context.Context, id, holder string, _, until time.Time) (bool, error) {
	return s.Map.LeaseSweep(ctx, id, holder, until.Add(1000*time.Hour), until)
}

func (s lifo) Queue(ctx context.Context, company, license string, limit int) ([]store.Account, error) {
	queue, err := s.Map.Queue(ctx, company, license, 1000)
	slices.SortStableFunc(queue, func(a, b store.Account) int { return b.Priority - a.Priority - a.Requested.Compare(b.Requested) })
	return queue[:min(limit, len(queue))], err
}

func (s unchained) ListEvents(ctx context.Context, company string, after int64, limit int) ([]store.Event, error) {
	events, err := s.Map.ListEvents(ctx, company, after, limit)
	for i := range events {
		events[i].Hash = events[i].Chain([32]byte{})
	}
	return events, err
}

func (s deaf) SetSeats(ctx context.Context, company, license string, total int, events []store.Event) error {
	return s.Map.SetSeats(context.WithoutCancel(ctx), company, license, total, events)
}

func (s neverCloses) Close() error { return nil }

func (s keepsTombstone) WriteAccount(ctx context.Context, w store.AccountWrite) (store.Account, error) {
	w.Adopt = nil
	return s.Map.WriteAccount(ctx, w)
}

func (s anyMember) ChangeGroup(ctx context.Context, c store.GroupChange) (store.GroupChanged, error) {
	known, _ := s.AccountsByID(ctx, c.Company, c.Members.Add)
	c.Members.Add = ids(known, accountID)
	return s.Map.ChangeGroup(ctx, c)
}

func faults() []fault {
	return []fault{
		{"forgets the events of deletions", "Events", func(m *Map) store.Store { return noEvents{m} }},
		{"does not look at versions", "Compare-and-set storm", func(m *Map) store.Store { return noVersions{m} }},
		{"gives one seat too many", "Seat storm", func(m *Map) store.Store { return oversells{m} }},
		{"looks for a seat before the name", "Seat of a failed write", func(m *Map) store.Store { return seatFirst{m} }},
		{"puts people out when seats are lowered", "Seats lowered", func(m *Map) store.Store { return evicts{m} }},
		{"finds groups of other companies", "Isolation", func(m *Map) store.Store { return crosses{m} }},
		{"lists groups without the filter", "Filters on groups", func(m *Map) store.Store { return noFilter{m} }},
		{"reads without a budget", "Budget", func(m *Map) store.Store { return noBudget{m} }},
		{"repeats a record on the next page", "Paging under concurrency", func(m *Map) store.Store { return twice{m} }},
		{"ends when the record to go on after is gone", "Paging past changes", func(m *Map) store.Store { return loses{m} }},
		{"puts those without a value first", "Sorting", func(m *Map) store.Store { return noneFirst{m} }},
		{"does not sort groups", "Sorting of groups", func(m *Map) store.Store { return unsorted{m} }},
		{"counts what it has shown", "Paging", func(m *Map) store.Store { return countsPage{m} }},
		{"sweeps for changes that are none", "Sweeps", func(m *Map) store.Store { return eager{m} }},
		{"takes leases over early", "Sweep leases", func(m *Map) store.Store { return stealsLeases{m} }},
		{"queues the last first", "Queue order", func(m *Map) store.Store { return lifo{m} }},
		{"does not chain its events", "Events", func(m *Map) store.Store { return unchained{m} }},
		{"goes on without its context", "Cancellation", func(m *Map) store.Store { return deaf{m} }},
		{"answers when closed", "Closing", func(m *Map) store.Store { return neverCloses{m} }},
		{"keeps what was adopted", "Adoption", func(m *Map) store.Store { return keepsTombstone{m} }},
		{"overlooks unknown members", "Unknown members", func(m *Map) store.Store { return anyMember{m} }},
	}
}

// theFault is the environment variable that names the engine to run the suite on.
const theFault = "STORETEST_FAULT"

// TestFaulty is run by TestRun_FindsFaults in a process of its own.
func TestFaulty(t *testing.T) {
	name, ok := os.LookupEnv(theFault)
	if !ok {
		t.Skip("runs in a process of TestRun_FindsFaults")
	}
	for _, f := range faults() {
		if f.name == name {
			Run(t, func(_ *testing.T, indexes []query.Index) store.Store { return f.open(NewMap(indexes)) })
			return
		}
	}
	t.Skipf("no engine that %s", name)
}

// TestRun_FindsFaults runs the suite on engines with something wrong: each must fail the sub-test that is about it.
func TestRun_FindsFaults(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range faults() {
		t.Run(f.name, func(t *testing.T) {
			only := "^" + strings.ReplaceAll(f.test, " ", "_") + "$"
			cmd := exec.CommandContext(t.Context(), exe, "-test.run=^TestFaulty$/"+only, "-test.v")
			cmd.Env = append(os.Environ(), theFault+"="+f.name)
			out, err := cmd.CombinedOutput()
			if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
				t.Fatal(err)
			}
			if want := "--- FAIL: TestFaulty/" + strings.ReplaceAll(f.test, " ", "_"); !strings.Contains(string(out), want) {
				t.Errorf("an engine that %s passes %q:\n%s", f.name, f.test, out)
			}
		})
	}
}
