package scimtest

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestWalk walks through all people by cursors while others come, change and go: nobody who was there throughout may be missed or
// shown twice, whatever the order and the filter. What the pages cost from first to last is in the log.
func TestWalk(t *testing.T) {
	people, perSecond, count := 1500, 1000, 20
	if os.Getenv("USHER_SCALE") == "full" {
		people, perSecond, count = 100_000, 200, 100
	}
	s := demo(t, newHome(t))
	defer s.stop(t)
	stays := seedPeople(t, s, people)
	for _, list := range []struct{ name, query string }{
		{"all", ""},
		{"filtered", "&filter=" + url.QueryEscape(`active eq true and userName sw "walk-"`)},
		{"sorted", "&sortBy=userName"},
		{"sorted, descending", "&sortBy=name.familyName&sortOrder=descending"},
	} {
		t.Run(list.name, func(t *testing.T) {
			busy := startBustle(t, s, perSecond)
			seen, pages := walk(t, s, fmt.Sprintf("&count=%d", count)+list.query)
			busy.stop(t)
			for id := range stays {
				if seen[id] != 1 {
					t.Errorf("%s, who was there throughout, was shown %d times", id, seen[id])
					break
				}
			}
			for id, n := range seen {
				if n > 1 && !busy.changed(id) {
					t.Errorf("%s was shown %d times", id, n)
					break
				}
			}
			tenth := max(len(pages)/10, 1)
			t.Logf("%d people on %d pages beside %d writes; median of the first tenth %v, of the last %v",
				len(seen), len(pages), busy.writes.Load(), median(pages[:tenth]), median(pages[len(pages)-tenth:]))
		})
	}
}

// seedPeople creates people who are there throughout and gives their ids.
func seedPeople(t *testing.T, s *server, n int) map[string]bool {
	t.Helper()
	const workers = 16
	var mu sync.Mutex
	var wg sync.WaitGroup
	ids := make(map[string]bool, n)
	for worker := range workers {
		wg.Go(func() {
			for i := worker; i < n; i += workers {
				id, err := createPerson(t.Context(), s, fmt.Sprintf("walk-%06d", i), fmt.Sprintf("Family %d", i%977))
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				ids[id] = true
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		t.FailNow()
	}
	return ids
}

func createPerson(ctx context.Context, s *server, name, family string) (id string, err error) {
	body := fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":%q,"name":{"familyName":%q}}`, name+"@acme.example", family)
	var made struct{ ID string }
	status, err := s.call(ctx, http.MethodPost, "/Users", body, &made)
	if err == nil && status != http.StatusCreated {
		err = fmt.Errorf("the creation of %s was answered with %d", name, status)
	}
	return made.ID, err
}

// walk follows the cursors of a list to its end and gives how often each id was shown, and how long each page took.
func walk(t *testing.T, s *server, query string) (seen map[string]int, pages []time.Duration) {
	t.Helper()
	seen = map[string]int{}
	for cursor := ""; ; {
		var page struct {
			NextCursor string
			Resources  []struct{ ID string }
		}
		start := time.Now()
		status, err := s.call(t.Context(), http.MethodGet, "/Users?attributes=id&cursor="+cursor+query, "", &page)
		if err != nil || status != http.StatusOK {
			t.Fatalf("page %d: status %d, %v", len(pages)+1, status, err)
		}
		pages = append(pages, time.Since(start))
		for _, r := range page.Resources {
			seen[r.ID]++
		}
		if cursor = page.NextCursor; cursor == "" {
			return seen, pages
		}
	}
}

func median(of []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(of))
	return sorted[len(sorted)/2].Round(10 * time.Microsecond)
}

// bustle is people who come, change their names and go.
type bustle struct {
	writes atomic.Int64
	end    context.CancelFunc
	done   sync.WaitGroup
	failed atomic.Pointer[error]

	mu  sync.Mutex
	ids map[string]bool
}

// startBustle begins to write so many times a second. Each person is created, moved to another place in every order, and deleted.
func startBustle(t *testing.T, s *server, perSecond int) *bustle {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	b := &bustle{end: cancel, ids: map[string]bool{}}
	ticks := make(chan struct{})
	b.done.Go(func() {
		defer close(ticks)
		ticker := time.NewTicker(time.Second / time.Duration(perSecond))
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				select {
				case ticks <- struct{}{}:
				case <-ctx.Done():
					return
				}
			}
		}
	})
	const workers = 4
	for worker := range workers {
		b.done.Go(func() {
			for i := 0; ; i++ {
				if err := b.person(ctx, s, ticks, fmt.Sprintf("%c-%s-%d-%d", 'a'+rune(i%26), t.Name(), worker, i)); err != nil {
					if ctx.Err() == nil {
						b.failed.Store(&err)
					}
					return
				}
			}
		})
	}
	return b
}

// person lets one person come and go; each step waits for its tick. What has begun is brought to its end, so that nothing moves later.
func (b *bustle) person(ctx context.Context, s *server, ticks <-chan struct{}, name string) error {
	ctx = context.WithoutCancel(ctx)
	step := func() error {
		if _, ok := <-ticks; !ok {
			return context.Canceled
		}
		b.writes.Add(1)
		return nil
	}
	if err := step(); err != nil {
		return err
	}
	id, err := createPerson(ctx, s, name, name)
	if err != nil {
		return err
	}
	b.mu.Lock()
	b.ids[id] = true
	b.mu.Unlock()
	if err := step(); err != nil {
		return err
	}
	move := fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[
		{"op":"replace","value":{"userName":%q,"name":{"familyName":"Zz"}}}]}`, "z"+name+"@acme.example")
	if status, err := s.call(ctx, http.MethodPatch, "/Users/"+id, move, nil); err != nil || status != http.StatusOK {
		return fmt.Errorf("the change of %s was answered with %d, %w", name, status, err)
	}
	if err := step(); err != nil {
		return err
	}
	if status, err := s.call(ctx, http.MethodDelete, "/Users/"+id, "", nil); err != nil || status != http.StatusNoContent {
		return fmt.Errorf("the deletion of %s was answered with %d, %w", name, status, err)
	}
	return nil
}

// changed says whether a person is one of those who come and go.
func (b *bustle) changed(id string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.ids[id]
}

func (b *bustle) stop(t *testing.T) {
	t.Helper()
	b.end()
	b.done.Wait()
	if err := b.failed.Load(); err != nil {
		t.Errorf("beside the walk: %v", *err)
	}
}
