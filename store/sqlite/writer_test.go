package sqlite

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"usher/store"
)

func openInternal(t *testing.T, dir string, opts Options) *Store {
	t.Helper()
	s, err := Open(t.Context(), dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func newCompany(t *testing.T, s *Store) string {
	t.Helper()
	c, err := s.CreateCompany(t.Context(), store.Company{ID: store.NewID(), Name: "acme"}, []store.Pool{{License: "ringex", Total: 1}}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c.ID
}

func create(ctx context.Context, s *Store, company string, i int) error {
	_, err := s.WriteAccount(ctx, store.AccountWrite{
		After:  store.Account{ID: store.NewID(), Company: company, UserName: fmt.Sprint(i), Doc: []byte(strings.Repeat(" ", 3000) + "{}")},
		Events: []store.Event{{Action: "user.create"}},
	})
	return err
}

func names(t *testing.T, s *Store, company string) map[string]bool {
	t.Helper()
	page, err := s.ListAccounts(t.Context(), company, store.Query{Limit: 10_000})
	if err != nil {
		t.Fatal(err)
	}
	names := make(map[string]bool)
	for _, a := range page.Accounts {
		names[a.UserName] = true
	}
	return names
}

// onWriter runs f between two operations of the writer.
func onWriter(t *testing.T, s *Store, f func(*tx) error) {
	t.Helper()
	if err := s.write(t.Context(), f); err != nil {
		t.Fatal(err)
	}
}

func TestWriter_CommitFails(t *testing.T) {
	dir := t.TempDir()
	s := openInternal(t, dir, Options{})
	co := newCompany(t, s)
	if err := create(t.Context(), s, co, 1); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("the disk is gone")
	real := s.writer.commit
	onWriter(t, s, func(*tx) error {
		s.writer.commit = func() error { s.writer.commit = func() error { return broken }; return real() }
		return nil
	})
	select {
	case <-s.Failed():
		t.Fatal("failed already")
	default:
	}
	if err := create(t.Context(), s, co, 2); !errors.Is(err, broken) {
		t.Errorf("the write gave %v, want the reason", err)
	}
	<-s.Failed()
	if err := create(t.Context(), s, co, 3); !errors.Is(err, store.ErrClosed) {
		t.Errorf("a later write gave %v, want ErrClosed", err)
	}
	if _, err := s.AccountByUserName(t.Context(), co, "1"); !errors.Is(err, store.ErrClosed) {
		t.Errorf("a later read gave %v, want ErrClosed", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	s = openInternal(t, dir, Options{})
	if got := names(t, s, co); len(got) != 1 || !got["1"] {
		t.Errorf("after opening again there are %v, want 1", got)
	}
}

// TestWriter_DiskFull: writes that cannot be stored fail, and only those.
func TestWriter_DiskFull(t *testing.T) {
	dir := t.TempDir()
	s := openInternal(t, dir, Options{})
	co := newCompany(t, s)
	onWriter(t, s, func(t *tx) error {
		pages, err := t.integer("PRAGMA page_count")
		if err == nil {
			_, err = t.integer(fmt.Sprintf("PRAGMA max_page_count = %d", pages+60))
		}
		return err
	})
	var mu sync.Mutex
	stored, failed := make(map[string]bool), 0
	var wg sync.WaitGroup
	for w := range 16 {
		wg.Go(func() {
			for i := range 20 {
				err := create(t.Context(), s, co, w*100+i)
				mu.Lock()
				if err == nil {
					stored[fmt.Sprint(w*100+i)] = true
				} else {
					failed++
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if len(stored) == 0 || failed == 0 {
		t.Fatalf("%d writes stored, %d failed: the test needs both", len(stored), failed)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	s = openInternal(t, dir, Options{})
	got := names(t, s, co)
	if len(got) != len(stored) {
		t.Errorf("%d accounts are there, want %d", len(got), len(stored))
	}
	for name := range stored {
		if !got[name] {
			t.Errorf("account %s is lost", name)
		}
	}
	events, err := s.ListEvents(t.Context(), co, 0, 1000)
	if err != nil || len(events) != len(stored) {
		t.Errorf("%d events, want %d (%v)", len(events), len(stored), err)
	}
}

func TestWriter_Queue(t *testing.T) {
	s := openInternal(t, t.TempDir(), Options{QueueSize: 2})
	co := newCompany(t, s)
	enqueue := func(ctx context.Context, run func(*tx) error) *job {
		j := &job{ops: []*op{{ctx: ctx, run: run}}, done: make(chan struct{})}
		if err := s.writer.enqueue(j); err != nil {
			t.Fatal(err)
		}
		return j
	}
	write := func(name string) func(*tx) error {
		w, err := s.prepareWrite(store.AccountWrite{After: store.Account{ID: name, Company: co, UserName: name}})
		if err != nil {
			t.Fatal(err)
		}
		return w.run
	}
	running, release := make(chan struct{}), make(chan struct{})
	enqueue(t.Context(), func(*tx) error { close(running); <-release; return nil })
	<-running
	ctx, cancel := context.WithCancel(t.Context())
	given, kept := enqueue(ctx, write("1")), enqueue(t.Context(), write("2"))
	if err := create(t.Context(), s, co, 3); !errors.Is(err, store.ErrBusy) {
		t.Errorf("with the queue full a write gave %v, want ErrBusy", err)
	}
	cancel()
	close(release)
	<-given.done
	<-kept.done
	if err := given.ops[0].err; !errors.Is(err, context.Canceled) {
		t.Errorf("a write whose context ended while it was queued gave %v", err)
	}
	if err := kept.ops[0].err; err != nil {
		t.Error(err)
	}
	if got := names(t, s, co); len(got) != 1 || !got["2"] {
		t.Errorf("stored are %v, want 2 only", got)
	}
}

// TestSeatsGuard: the database itself gives no seat that the pool does not have, whoever asks.
func TestSeatsGuard(t *testing.T) {
	s := openInternal(t, t.TempDir(), Options{})
	newCompany(t, s)
	take := func(u int) error {
		return s.write(t.Context(), func(t *tx) error {
			_, err := t.exec("INSERT INTO seats (co, sku, u, state) VALUES (1, 'ringex', ?, 'reserved')", u)
			return err
		})
	}
	if err := take(1); err != nil {
		t.Fatal(err)
	}
	if err := take(2); err == nil || !strings.Contains(err.Error(), "no seat left") {
		t.Errorf("the second of one seats: %v", err)
	}
	if err := s.Check(t.Context()); err != nil {
		t.Error(err)
	}
	onWriter(t, s, func(t *tx) error { _, err := t.exec("UPDATE pools SET held = held + 1"); return err })
	if err := s.Check(t.Context()); err == nil {
		t.Error("Check did not see a wrong count")
	}
}

func TestMigrate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	log := slog.New(slog.DiscardHandler)
	all := int64(len(migrations()))
	scripts := append(migrations(), "CREATE TABLE later (x); INSERT INTO later VALUES (1)")
	for _, step := range []struct {
		scripts []string
		version int64
		refused bool
	}{
		{migrations()[:1], 1, false}, // as the first version left it
		{migrations(), all, false},
		{migrations(), all, false}, // a second time changes nothing
		{append(migrations(), "CREATE TABLE later (x); nonsense"), all, true},
		{scripts, all + 1, false},
		{scripts, all + 1, false},
		{migrations(), all + 1, true}, // written by a newer usher
	} {
		c, err := connect(dsn(path))
		if err != nil {
			t.Fatal(err)
		}
		if err := migrate(c, step.scripts, log); (err != nil) != step.refused {
			t.Errorf("%d scripts: error %v, want one: %v", len(step.scripts), err, step.refused)
		}
		if err := c.close(); err != nil {
			t.Fatal(err)
		}
		if c, err = connect(dsn(path)); err != nil {
			t.Fatal(err)
		}
		if v, err := c.integer("SELECT v FROM meta WHERE k = 'version'"); err != nil || v != step.version {
			t.Errorf("version %d, want %d (%v)", v, step.version, err)
		}
		if err := c.close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestOpen_Newer(t *testing.T) {
	dir := t.TempDir()
	s := openInternal(t, dir, Options{})
	onWriter(t, s, func(t *tx) error { _, err := t.exec("UPDATE meta SET v = 99 WHERE k = 'version'"); return err })
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), dir, Options{}); err == nil || !strings.Contains(err.Error(), "newer usher") {
		t.Errorf("Open gave %v, want that the database is newer", err)
	}
}

// TestWriter_Log: an operation that fails after it wrote to the log leaves no gap there, alone or together with others.
func TestWriter_Log(t *testing.T) {
	s := openInternal(t, t.TempDir(), Options{})
	co := newCompany(t, s)
	refused := errors.New("refused")
	logs := func(then error) *op {
		return &op{ctx: t.Context(), run: func(tx *tx) error {
			if err := tx.log(1, []store.Event{{Action: "x"}}); err != nil {
				return err
			}
			return then
		}}
	}
	s.writer.doAll([]*op{logs(nil), logs(refused), logs(nil)})
	s.writer.doAll([]*op{logs(refused)})
	s.writer.doAll([]*op{logs(nil)})
	events, err := s.ListEvents(t.Context(), co, 0, 10)
	if err != nil || len(events) != 3 {
		t.Fatalf("%d events, want 3 (%v)", len(events), err)
	}
	var before [32]byte
	for i, e := range events {
		if e.Seq != int64(i+1) || e.Hash != e.Chain(before) {
			t.Errorf("event %d has number %d or is not chained", i+1, e.Seq)
		}
		before = e.Hash
	}
}
