package main

import (
	"bufio"
	"database/sql"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"usher/scim/schema"
	"usher/store"
	"usher/store/mongo/mongotest"
	"usher/store/sqlite"
)

// A migration that is killed goes on where it was when it is run again, and until it is through nothing else opens the copy.
func TestMigrate_Killed(t *testing.T) {
	from := filledFolder(t, 12_000)
	for _, test := range []struct {
		name string
		to   func(t *testing.T) string
	}{
		{"to a folder", func(t *testing.T) string { return "sqlite://" + t.TempDir() }},
		{"to MongoDB", func(t *testing.T) string { return mongotest.URI(t) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			to := test.to(t)
			const kills = 3 // which together do not come to the end
			for n := range kills {
				copied := killedMigration(t, from, to)
				t.Logf("killed after %q", copied)
				if n == 0 {
					cmd := exec.Command("usher", "company", "list", "--data", t.TempDir())
					cmd.Env = append(cmd.Environ(), "USHER_STORE="+to)
					if dir, ok := strings.CutPrefix(to, "sqlite://"); ok {
						cmd = exec.Command("usher", "company", "list", "--data", dir)
					}
					if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "have not all been taken over") {
						t.Errorf("the unfinished copy is opened: %v, %s", err, out)
					}
				}
			}
			out, err := exec.Command("usher", "migrate", "--from", "sqlite://"+from, "--to", to).CombinedOutput()
			if err != nil || !strings.Contains(string(out), "every record is the same") {
				t.Fatalf("the last run: %v, %s", err, out)
			}
			if out, err := exec.Command("usher", "migrate", "--verify", "--from", "sqlite://"+from, "--to", to).CombinedOutput(); err != nil {
				t.Errorf("verify: %v, %s", err, out)
			}
		})
	}
}

// killedMigration runs a migration until it says that something more was copied, kills it, and gives what it had said.
func killedMigration(t *testing.T, from, to string) string {
	t.Helper()
	cmd := exec.Command("usher", "migrate", "--from", "sqlite://"+from, "--to", to)
	said, err := cmd.StderrPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(said)
	last := ""
	for n := 0; n < 3 && lines.Scan(); n++ { // of each run a little gets done
		last = lines.Text()
	}
	if !strings.HasSuffix(last, "copied") {
		t.Fatalf("it said %q", last)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // that it was killed
	return last
}

// filledFolder makes a data folder with a company of so many people.
func filledFolder(t *testing.T, people int) string {
	t.Helper()
	registry, err := schema.NewRegistry()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	s, err := sqlite.Open(t.Context(), dir, sqlite.Options{Indexes: registry.UserIndexes()})
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	c, err := s.CreateCompany(t.Context(), store.Company{ID: store.NewID(), Name: "acme", Created: at}, []store.Pool{{License: "ringex", Total: 5}}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	var ws []store.AccountWrite
	for n := range people {
		a := store.Account{
			ID: store.NewID(), Company: c.ID, UserName: fmt.Sprintf("person%d", n), Active: true, Created: at, Modified: at,
			Doc:      fmt.Appendf(nil, `{"displayName":"Person %d"}`, n),
			Decision: store.Decision{LicenseState: store.StateNone, Effective: "video-pro", MemberType: "coworker"},
		}
		ws = append(ws, store.AccountWrite{After: a, Events: []store.Event{{Time: at, Kind: store.EventAccount, Action: "user.create", Target: a.ID}}})
	}
	for _, r := range s.WriteAccounts(t.Context(), ws) {
		if r.Err != nil {
			t.Fatal(r.Err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// The doctor leaves with status 1 when something is wrong, and says what.
func TestDoctor(t *testing.T) {
	dir := filledFolder(t, 20)
	if out, err := exec.Command("usher", "doctor", "--data", dir).CombinedOutput(); err != nil || !strings.Contains(string(out), "acme: 20 accounts, 0 groups, 20 events\nNothing is wrong.") {
		t.Fatalf("in a healthy folder: %v, %s", err, out)
	}
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "usher.db"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.ExecContext(t.Context(), `UPDATE events SET action = 'user.forget' WHERE seq = 7; UPDATE users SET license = 'ringex', seat = 'ringex', sstate = 'active' WHERE un = 'person3'`)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("usher", "doctor", "--data", dir)
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	if cmd.ProcessState.ExitCode() != 1 || !strings.HasPrefix(said.String(), "usher: 4 things are not as they should be") || strings.Count(said.String(), "\n") != 1 {
		t.Errorf("%v, %s", err, &said)
	}
	for _, want := range []string{
		"wrong: acme: events: the chain of the audit log is broken at event 7", "wrong: acme: ledger: account ", "wrong: acme: seats: the pool of ringex has 0 seats used",
		"wrong: seats: 1 seats are not those of their accounts",
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("%q is not in what it says:\n%s", want, out)
		}
	}
}
