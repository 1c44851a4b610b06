package migrate

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"usher/store"
	"usher/store/query"
	"usher/store/sqlite"
)

func indexes() []query.Index {
	return []query.Index{{Path: "displayName", Type: query.String, Fold: true}}
}

// openFolder opens the store in a folder.
func openFolder(t *testing.T, dir string) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), dir, sqlite.Options{Indexes: indexes()})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// in changes the store in a folder.
func in(t *testing.T, dir string, change func(s *sqlite.Store) error) {
	t.Helper()
	s := openFolder(t, dir)
	if err := errors.Join(change(s), s.Close()); err != nil {
		t.Fatal(err)
	}
}

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func person(company, name string) store.Account {
	return store.Account{
		ID: store.NewID(), Company: company, UserName: name, Active: true, Created: epoch, Modified: epoch, Doc: fmt.Appendf(nil, `{"displayName":%q}`, name),
		Decision: store.Decision{LicenseState: store.StateNone, Effective: "video-pro", MemberType: "coworker", Role: "standard"},
	}
}

// source makes a folder with a store of two companies, so many people and a group of some of them, and gives one of the people.
func source(t *testing.T, people int) (dir string, one store.Account) {
	t.Helper()
	dir = t.TempDir()
	in(t, dir, func(s *sqlite.Store) error {
		for _, name := range []string{"acme", "globex"} {
			c, err := s.CreateCompany(t.Context(), store.Company{ID: store.NewID(), Name: name, Created: epoch}, []store.Pool{{License: "ringex", Total: 2}}, nil,
				[]store.Event{{Time: epoch, Kind: store.EventCompany, Action: "company.create"}})
			if err != nil {
				return err
			}
			var ws []store.AccountWrite
			var ids []string
			for i := range people {
				a := person(c.ID, fmt.Sprintf("%s%d", name, i))
				ids = append(ids, a.ID)
				ws = append(ws, store.AccountWrite{After: a, Events: []store.Event{{Time: epoch, Kind: store.EventAccount, Action: "user.create", Target: a.ID}}})
			}
			for _, r := range s.WriteAccounts(t.Context(), ws) {
				if r.Err != nil {
					return r.Err
				}
			}
			g := store.Group{ID: store.NewID(), Company: c.ID, Name: "all", Display: "All", Created: epoch, Modified: epoch, Doc: []byte(`{}`)}
			if _, err := s.CreateGroup(t.Context(), g, ids, nil, nil, nil); err != nil {
				return err
			}
			if one, err = s.Account(t.Context(), c.ID, ids[0]); err != nil {
				return err
			}
		}
		return nil
	})
	return dir, one
}

func config(from, to string) Config {
	return Config{From: sqliteScheme + from, To: sqliteScheme + to, Indexes: indexes()}
}

// refused wants an error with the sentence.
func refused(t *testing.T, err error, sentence string) {
	t.Helper()
	if err == nil || err.Error() != sentence {
		t.Errorf("error %v\nwant  %s", err, sentence)
	}
}

func TestRun(t *testing.T) {
	const people = 1500 // more than a batch
	from, _ := source(t, people)
	to := t.TempDir()
	c := config(from, to)
	var last Progress
	steps := map[Step]bool{}
	c.Progress = func(p Progress) {
		if p.Step == last.Step && p.Done < last.Done {
			t.Errorf("%d records were done after %d", p.Done, last.Done)
		}
		steps[p.Step], last = true, p
	}
	report, err := Run(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	counts := map[store.RecordKind]int64{}
	all := int64(0)
	for _, k := range report.Kinds {
		counts[k.Kind] = k.Records
		all += k.Records
	}
	for kind, want := range map[store.RecordKind]int64{
		store.RecordCompany: 2, store.RecordAccount: 2 * people, store.RecordGroup: 2, store.RecordMember: 2 * people, store.RecordPool: 2,
		store.RecordEvent: 2*people + 2, store.RecordMail: 0,
	} {
		if counts[kind] != want {
			t.Errorf("%d records of the kind %s, want %d", counts[kind], kind, want)
		}
	}
	if report.Continued || report.Copied != all || len(report.Kinds) != len(store.RecordKinds()) {
		t.Errorf("%+v; there are %d records", report, all)
	}
	if !steps[StepCopy] || last.Step != StepVerify || last.Done != all || last.All != all {
		t.Errorf("the last progress was %+v of %d", last, all)
	}

	// The copy is a store like any other, and can be copied back.
	back := t.TempDir()
	if _, err := Run(t.Context(), config(to, back)); err != nil {
		t.Fatal(err)
	}
	c = config(from, back)
	c.VerifyOnly = true
	again, err := Run(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(report.Kinds, again.Kinds); diff != "" || again.Copied != 0 {
		t.Errorf("after the way back %d copied, counts (-there +back):\n%s", again.Copied, diff)
	}
}

// A run that is interrupted goes on, however often and wherever that happens, and until then nobody else gets to see the copy.
func TestRun_Interrupted(t *testing.T) {
	const people = 1500
	from, _ := source(t, people)
	to := t.TempDir()
	copied := int64(0)
	runs := 0
	for ; ; runs++ {
		ctx, cancel := context.WithCancel(t.Context())
		c := config(from, to)
		seen := 0
		c.Progress = func(Progress) {
			if seen++; seen == 4 {
				cancel()
			}
		}
		report, err := Run(ctx, c)
		cancel()
		copied += report.Copied
		if report.Continued != (runs > 0) {
			t.Errorf("run %d: continued %v", runs, report.Continued)
		}
		if err == nil || report.Kinds != nil { // it is being compared: that is not done in parts
			break
		}
		if !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		if runs > 100 {
			t.Fatal("it does not come to an end")
		}
		_, err = sqlite.Open(t.Context(), to, sqlite.Options{Indexes: indexes()})
		var unfinished *store.UnfinishedError
		if !errors.As(err, &unfinished) || unfinished.Source != sqliteScheme+from {
			t.Fatalf("the unfinished copy can be opened: %v", err)
		}
		other, _ := source(t, 1)
		_, err = Run(t.Context(), config(other, to))
		refused(t, err, fmt.Sprintf("sqlite://%s has an unfinished copy of sqlite://%s in it: complete that one, or name an empty store", to, from))
	}
	if runs < 3 {
		t.Errorf("only %d runs were interrupted", runs)
	}
	report, err := Run(t.Context(), config(from, to))
	if err != nil {
		t.Fatal(err)
	}
	all := int64(0)
	for _, k := range report.Kinds {
		all += k.Records
	}
	if copied += report.Copied; copied != all {
		t.Errorf("%d records were copied in all runs, and there are %d", copied, all)
	}
	in(t, to, func(s *sqlite.Store) error { return s.Check(t.Context()) })
}

func TestRun_Refused(t *testing.T) {
	from, _ := source(t, 1)
	full, _ := source(t, 1)
	missing := filepath.Join(t.TempDir(), "none")
	_, err := Run(t.Context(), config(from, full))
	refused(t, err, fmt.Sprintf("sqlite://%s is not empty: name a store without anything in it", full))
	_, err = Run(t.Context(), config(missing, t.TempDir()))
	refused(t, err, fmt.Sprintf("there is no store in the folder %s", missing))
	_, err = Run(t.Context(), config(from, from+"/."))
	refused(t, err, fmt.Sprintf("sqlite://%s is both the source and the target", from))
	_, err = Run(t.Context(), Config{From: from, To: "sqlite://x"})
	refused(t, err, fmt.Sprintf("%q names no store: sqlite:///var/lib/usher is a data folder, mongodb://host/database a database", from))

	server := openFolder(t, full)
	defer server.Close()
	_, err = Run(t.Context(), config(full, t.TempDir()))
	refused(t, err, fmt.Sprintf("the data folder %s is in use by another usher process: stop it first", full))
	_, err = Run(t.Context(), config(from, full))
	refused(t, err, fmt.Sprintf("the data folder %s is in use by another usher process: stop it first", full))

	c := config(from, missing)
	c.VerifyOnly = true
	_, err = Run(t.Context(), c)
	refused(t, err, fmt.Sprintf("there is no store in the folder %s", missing))
	if _, err := os.Stat(missing); err == nil {
		t.Error("what was to be read only has been made")
	}
}

func TestRun_Differences(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(s *sqlite.Store, one store.Account) error
		kind   store.RecordKind
		what   Difference
	}{
		{"a changed account", func(s *sqlite.Store, one store.Account) error {
			after := one
			after.Display = "another"
			_, err := s.WriteAccount(t.Context(), store.AccountWrite{Before: &one, After: after})
			return err
		}, store.RecordAccount, Different},
		{"a deleted account", func(s *sqlite.Store, one store.Account) error {
			return s.DeleteAccount(t.Context(), store.AccountDelete{Before: one, At: epoch})
		}, store.RecordAccount, Missing},
		{"another account", func(s *sqlite.Store, one store.Account) error {
			_, err := s.WriteAccount(t.Context(), store.AccountWrite{After: person(one.Company, "new")})
			return err
		}, store.RecordAccount, Surplus},
		{"another event", func(s *sqlite.Store, one store.Account) error {
			return s.AppendEvents(t.Context(), one.Company, []store.Event{{Time: epoch, Action: "looked"}})
		}, store.RecordEvent, Surplus},
		{"other seats", func(s *sqlite.Store, one store.Account) error {
			return s.SetSeats(t.Context(), one.Company, "ringex", 3, nil)
		}, store.RecordPool, Different},
	} {
		t.Run(test.name, func(t *testing.T) {
			from, one := source(t, 3)
			to := t.TempDir()
			if _, err := Run(t.Context(), config(from, to)); err != nil {
				t.Fatal(err)
			}
			in(t, to, func(s *sqlite.Store) error { return test.change(s, one) })
			c := config(from, to)
			c.VerifyOnly = true
			_, err := Run(t.Context(), c)
			var found *DifferenceError
			if !errors.As(err, &found) || found.Kind != test.kind || found.What != test.what || found.Key == "" {
				t.Errorf("%v, want that a record of the kind %s is %s", err, test.kind, test.what)
			}
		})
	}
}

// The keys of a data folder go with its records, and never over others.
func TestRun_Keys(t *testing.T) {
	from, _ := source(t, 1)
	put := func(dir, name, key string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(key), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put(from, "secrets.key", "one")
	put(from, "cursor.key", "two")

	other := t.TempDir()
	put(other, "secrets.key", "another")
	_, err := Run(t.Context(), config(from, other))
	refused(t, err, fmt.Sprintf("%s has another secrets.key than %s, and what is sealed by the one is not opened by the other: name an empty folder", other, from))
	if err := os.Remove(filepath.Join(other, "secrets.key")); err != nil {
		t.Fatal(err)
	}
	put(other, "cursor.key", "two")
	put(other, elsewhere, "mongodb://somewhere/usher")
	report, err := Run(t.Context(), config(from, other))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"secrets.key": "one", "cursor.key": "two", "setup.key": ""} {
		if key, err := os.ReadFile(filepath.Join(other, name)); string(key) != want || err != nil && want != "" {
			t.Errorf("%s is %q, want %q: %v", name, key, want, err)
		}
	}
	want := []string{
		fmt.Sprintf("Serve sqlite://%s from now on, and sqlite://%s no more: what is changed in one of them does not reach the other.", other, from),
		fmt.Sprintf("Before that, copy setup.key from the data folder of a server that has used sqlite://%s into %s: without them sealed secrets and links in mails are lost.", from, other),
		fmt.Sprintf("Remove %s, which says that the records are elsewhere.", filepath.Join(other, elsewhere)),
	}
	if diff := cmp.Diff(want, report.Next); diff != "" {
		t.Errorf("what is left to do (-want +got):\n%s", diff)
	}
}
