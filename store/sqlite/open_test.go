package sqlite_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"usher/store"
	"usher/store/query"
	"usher/store/sqlite"
)

func TestOpen_Locked(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, nil)
	if other, err := sqlite.Open(t.Context(), dir, sqlite.Options{}); !errors.Is(err, sqlite.ErrLocked) {
		t.Fatalf("a second Open gave %v, %v; want ErrLocked", other, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, dir, nil)
}

func TestOpen_Private(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a folder?with%20signs#in it")
	company(t, open(t, dir, nil), "acme", 1)
	files, err := os.ReadDir(dir)
	if err != nil || len(files) < 2 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		info, err := f.Info()
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v, want it closed to others", f.Name(), info.Mode())
		}
	}
}

func TestOpen_Indexes(t *testing.T) {
	for name, indexes := range map[string][]query.Index{
		"twice":  {{Path: "title", Type: query.String}, {Path: "title", Type: query.String, Fold: true}},
		"column": {{Path: store.ColumnRole, Type: query.String}},
	} {
		t.Run(name, func(t *testing.T) {
			if s, err := sqlite.Open(t.Context(), t.TempDir(), sqlite.Options{Indexes: indexes}); err == nil {
				s.Close()
				t.Error("opened")
			}
		})
	}
}

// TestOpen_Reindex: indexes may change from one run to the next; what a filter finds does not, what it reads does.
func TestOpen_Reindex(t *testing.T) {
	dir := t.TempDir()
	nick := func(fold bool) query.Index { return query.Index{Path: "nickName", Type: query.String, Fold: fold} }
	family := query.Index{Path: "name/familyName", Type: query.String, Fold: true}
	var co string
	const n = 2500 // more than one chunk
	for i, step := range []struct {
		indexes        []query.Index
		nickIndexed    bool
		familyIndexed  bool
		nickCaseSensed bool
	}{
		{indexes: []query.Index{family}, familyIndexed: true},
		{indexes: []query.Index{family, nick(true)}, familyIndexed: true, nickIndexed: true},
		{indexes: []query.Index{nick(false)}, nickIndexed: true, nickCaseSensed: true},
		{indexes: []query.Index{nick(false)}, nickIndexed: true, nickCaseSensed: true},
		{},
		{indexes: []query.Index{nick(true), family}, familyIndexed: true, nickIndexed: true},
	} {
		s := open(t, dir, step.indexes)
		if i == 0 {
			co = company(t, s, "acme", 1)
			fill(t, s, co, n)
		}
		for _, test := range []struct {
			filter  query.Leaf
			total   int
			indexed bool
		}{
			{query.Leaf{Path: "nickName", Op: query.Equal, Type: query.String, Fold: !step.nickCaseSensed, Value: "nick7"}, n / 100, step.nickIndexed},
			{eq("name/familyName", "family8"), 4, step.familyIndexed},
		} {
			page, err := s.ListAccounts(t.Context(), co, store.Query{Filter: test.filter, Limit: n, Total: true})
			if err != nil {
				t.Fatal(err)
			}
			if page.Total != test.total || len(page.Accounts) != test.total {
				t.Errorf("step %d, %s: found %d, want %d", i, test.filter.Path, page.Total, test.total)
			}
			if indexed := page.RowsRead < n; indexed != test.indexed {
				t.Errorf("step %d, %s: read %d rows of %d, want the index used: %v", i, test.filter.Path, page.RowsRead, n, test.indexed)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestGroupCommit: writers that come together share commits.
func TestGroupCommit(t *testing.T) {
	s := open(t, t.TempDir(), indexes())
	co := company(t, s, "acme", 1)
	const writers, each = 32, 20
	before := s.Commits()
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				if _, err := s.WriteAccount(t.Context(), store.AccountWrite{After: account(co, w*each+i)}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if commits := s.Commits() - before; commits >= writers*each {
		t.Errorf("%d commits for %d writes", commits, writers*each)
	}
	before = s.Commits()
	fill(t, s, company(t, s, "other", 1), 200)
	if commits := s.Commits() - before; commits != 2 { // the company, and the batch
		t.Errorf("%d commits for a batch, want 2", commits)
	}
}

// crashDir names, to the process that TestCrash starts, the folder in which it is to write until it is killed.
const crashDir = "USHER_SQLITE_CRASH_DIR"

// TestCrash kills a process that writes, and looks for every write that it had been told was done.
func TestCrash(t *testing.T) {
	if dir := os.Getenv(crashDir); dir != "" {
		writeUntilKilled(t, dir)
		return
	}
	dir := t.TempDir()
	for round := range scale(2, 20) {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestCrash$")
		cmd.Env = append(os.Environ(), crashDir+"="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		var done []string
		lines := bufio.NewScanner(out)
		for len(done) < 300 && lines.Scan() {
			if id, ok := strings.CutPrefix(lines.Text(), "done "); ok {
				done = append(done, id)
			}
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		rest, err := io.ReadAll(out)
		if err != nil {
			t.Fatal(err)
		}
		if cmd.Wait() == nil || len(done) < 300 {
			t.Fatalf("round %d: the writer ended by itself after %d writes: %s", round, len(done), rest)
		}
		verifyCrash(t, dir, done)
	}
}

func writeUntilKilled(t *testing.T, dir string) {
	s := open(t, dir, indexes())
	co, err := s.CompanyByName(t.Context(), "acme")
	if err != nil {
		co.ID = company(t, s, "acme", 50)
	}
	page, err := s.ListAccounts(t.Context(), co.ID, store.Query{Total: true})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := page.Total*8 + w; ; i += 8 {
				a := account(co.ID, i)
				waits := a
				a.License, a.LicenseState, a.Seat, a.SeatState, a.SeatSince = "video-pro-plus", store.StateReserved, "video-pro-plus", store.StateReserved, start
				waits.License, waits.LicenseState, waits.Requested = "video-pro-plus", store.StateWaiting, start
				if _, err := s.WriteAccount(t.Context(), store.AccountWrite{After: a, Events: []store.Event{event("user.create", a.ID)},
					NoSeat: &store.NoSeat{Account: waits, Events: []store.Event{event("user.create", a.ID)}}}); err != nil {
					t.Error(err)
					return
				}
				fmt.Println("done", a.ID)
			}
		})
	}
	wg.Wait()
}

func verifyCrash(t *testing.T, dir string, done []string) {
	t.Helper()
	s := open(t, dir, indexes())
	defer s.Close()
	co, err := s.CompanyByName(t.Context(), "acme")
	if err != nil {
		t.Fatal(err)
	}
	found, err := s.AccountsByID(t.Context(), co.ID, done)
	if err != nil || len(found) != len(done) {
		t.Fatalf("%d of %d writes are there (%v)", len(found), len(done), err)
	}
	if err := s.Check(t.Context()); err != nil {
		t.Error(err)
	}
	pool, err := s.Pool(t.Context(), co.ID, "video-pro-plus")
	if err != nil {
		t.Fatal(err)
	}
	counted, err := s.CountSeats(t.Context(), co.ID, "video-pro-plus")
	if err != nil || pool != counted || pool.Used != pool.Total {
		t.Errorf("pool %+v, counted from accounts %+v, %v", pool, counted, err)
	}
	page, err := s.ListAccounts(t.Context(), co.ID, store.Query{Total: true})
	if err != nil {
		t.Fatal(err)
	}
	events, err := s.ListEvents(t.Context(), co.ID, 0, page.Total+1)
	if err != nil || len(events) != page.Total {
		t.Fatalf("%d events for %d accounts, %v", len(events), page.Total, err)
	}
	var before [32]byte
	for i, e := range events {
		if e.Seq != int64(i+1) || e.Hash != e.Chain(before) {
			t.Fatalf("the log is broken at %d", e.Seq)
		}
		before = e.Hash
	}
}
