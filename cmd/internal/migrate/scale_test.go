package migrate

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"usher/store"
	"usher/store/mongo/mongotest"
	"usher/store/sqlite"
)

// A store is taken to MongoDB and back, each way with interruptions, and is the same in the end. USHER_SCALE=full does so with 100,000 people in
// 1,000 groups; the log has how long it took.
func TestRun_ThereAndBack(t *testing.T) {
	people, groups := 3000, 30
	if os.Getenv("USHER_SCALE") == "full" {
		people, groups = 100_000, 1000
	}
	uri := mongotest.URI(t)
	from, back := t.TempDir(), t.TempDir()
	began := time.Now()
	in(t, from, func(s *sqlite.Store) error { return fill(t.Context(), s, people, groups) })
	t.Logf("%d people in %d groups were made in %v", people, groups, time.Since(began).Round(time.Millisecond))

	there := Config{From: sqliteScheme + from, To: uri, Indexes: indexes()}
	counts := interrupted(t, there)
	again := interrupted(t, Config{From: uri, To: sqliteScheme + back, Indexes: indexes()})
	if fmt.Sprint(counts) != fmt.Sprint(again) {
		t.Errorf("there %v, and back %v", counts, again)
	}
	c := config(from, back)
	c.VerifyOnly = true
	if _, err := Run(t.Context(), c); err != nil {
		t.Error(err)
	}
	in(t, back, func(s *sqlite.Store) error {
		found, err := s.Examine(t.Context())
		if len(found) > 0 {
			t.Errorf("after the way back: %+v", found)
		}
		return errors.Join(err, s.Check(t.Context()))
	})
}

// interrupted copies a store in three runs, of which two are interrupted: at a third, and at two thirds.
func interrupted(t *testing.T, c Config) []Count {
	t.Helper()
	began := time.Now()
	var report Report
	for part := int64(1); part <= 3; part++ {
		ctx, cancel := context.WithCancel(t.Context())
		compared := time.Time{}
		c.Progress = func(p Progress) {
			if p.Step == StepCopy && p.Done > p.All*part/3 {
				cancel()
			}
			if p.Step == StepVerify && compared.IsZero() {
				compared = time.Now()
			}
		}
		var err error
		report, err = Run(ctx, c)
		cancel()
		switch {
		case part < 3 && !errors.Is(err, context.Canceled):
			t.Fatalf("run %d was not interrupted: %v", part, err)
		case part == 3 && err != nil:
			t.Fatal(err)
		case part == 3:
			t.Logf("from %s: %v, of which %v for comparing", c.From, time.Since(began).Round(time.Millisecond), time.Since(compared).Round(time.Millisecond))
		}
		if report.Continued != (part > 1) {
			t.Errorf("run %d: continued %v", part, report.Continued)
		}
	}
	return report.Kinds
}

// fill stores people, a fifth of whom have a license and some wait for one, an event for each, and groups of some of them.
func fill(ctx context.Context, s *sqlite.Store, people, groups int) error {
	c, err := s.CreateCompany(ctx, store.Company{ID: store.NewID(), Name: "acme", Created: epoch}, []store.Pool{{License: "ringex", Total: people / 6}},
		&store.LocalAdmin{ID: store.NewID(), Login: "root", Created: epoch}, nil)
	if err != nil {
		return err
	}
	padding := strings.Repeat("x", 700)
	ids := make([]string, 0, people)
	for len(ids) < people {
		var ws []store.AccountWrite
		for len(ws) < 1000 && len(ids) < people {
			n := len(ids)
			a := person(c.ID, fmt.Sprintf("person%06d@acme.example", n))
			a.Doc = fmt.Appendf(nil, `{"displayName":"Person %d","emails":[{"value":"person%06d@acme.example"}],"note":%q}`, n, n, padding)
			if n%5 == 0 {
				a.License, a.Requested, a.Seat, a.SeatState, a.SeatSince = "ringex", epoch, "ringex", store.StateReserved, epoch
				a.LicenseState, a.Effective = store.StateReserved, "ringex"
			}
			waits := a
			if n%5 == 0 {
				waits.Seat, waits.SeatState, waits.SeatSince, waits.LicenseState, waits.Effective = "", "", time.Time{}, store.StateWaiting, "video-pro"
			}
			events := []store.Event{{Time: epoch, Kind: store.EventAccount, Action: "user.create", Target: a.ID}}
			ws = append(ws, store.AccountWrite{After: a, Events: events, NoSeat: &store.NoSeat{Account: waits, Events: events}})
			ids = append(ids, a.ID)
		}
		for _, r := range s.WriteAccounts(ctx, ws) {
			if r.Err != nil {
				return r.Err
			}
		}
	}
	size := people / 500
	for n := range groups {
		name := fmt.Sprintf("group %d", n)
		g := store.Group{ID: store.NewID(), Company: c.ID, Name: name, Display: name, Created: epoch, Modified: epoch, Doc: []byte(`{}`)}
		first := n * 37 % (people - size)
		if _, err := s.CreateGroup(ctx, g, ids[first:first+size], nil, nil, nil); err != nil {
			return err
		}
	}
	return nil
}
