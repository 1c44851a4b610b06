package app

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"usher/cmd/internal/adminapi"
	"usher/store/sqlite"
)

// TestSeats_scale has half of a large company wait for seats, which it buys with an upgrade, all at once, beside another company that goes
// on working. With USHER_SCALE=full it has 100,000 people.
func TestSeats_scale(t *testing.T) {
	people := 4_000
	if os.Getenv("USHER_SCALE") == "full" {
		people = 100_000
	}
	s := start(t, t.TempDir())
	free, plus := "free", "video-pro-plus"
	for _, name := range []string{"acme", "globex"} {
		if _, err := s.admin.CreateCompany(t.Context(), adminapi.NewCompany{Name: name, Tier: free, Admin: "root"}); err != nil {
			t.Fatal(err)
		}
	}
	s.connect()
	began := time.Now()
	s.fill(people)
	t.Logf("%d people were provisioned in %v", people, time.Since(began).Round(time.Second))
	made, err := s.admin.CreateToken(t.Context(), "globex", adminapi.NewToken{Connection: "idp"})
	if err != nil {
		t.Fatal(err)
	}
	neighbour := &site{t: t, app: s.app, base: s.base, token: made.Secret}
	var ada user
	neighbour.must(http.StatusCreated, http.MethodPost, "/Users", person("ada", "", "staff"), &ada)

	if _, err := s.admin.ChangeCompany(t.Context(), "acme", adminapi.CompanyChange{Tier: &plus}); err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	forgetPeak(t)
	commits := s.app.folder.store.(*sqlite.Store).Commits()
	ctx, stop := context.WithCancel(t.Context())
	var reads, writes latencies
	var working sync.WaitGroup
	working.Go(func() { reads = neighbour.measure(ctx, http.MethodGet, "/Users/"+ada.ID, "") })
	working.Go(func() {
		writes = neighbour.measure(ctx, http.MethodPatch, "/Users/"+ada.ID, patchHead+`{"op":"replace","path":"title","value":"%d"}]}`)
	})
	began = time.Now()
	after, err := s.admin.SetSeats(t.Context(), "acme", plus, people/2, true)
	took := time.Since(began)
	stop()
	working.Wait()
	if err != nil || after.Used != people/2 || after.Waiting != 0 {
		t.Fatalf("after the upgrade: %+v, %v", after, err)
	}
	commits = s.app.folder.store.(*sqlite.Store).Commits() - commits
	t.Logf("%d seats were given in %v, %d transactions of which %d wrote for the neighbour; %s", people/2, took.Round(time.Millisecond), commits, len(writes), peak())
	t.Logf("the neighbour's reads: %v", reads)
	t.Logf("the neighbour's writes: %v", writes)
}

// fill provisions people, of whom every other asks for Video Pro+.
func (s *site) fill(people int) {
	s.t.Helper()
	const batch = 1000
	var clients sync.WaitGroup
	next := make(chan int)
	for range 4 {
		clients.Go(func() {
			for from := range next {
				ops := make([]string, 0, batch)
				for i := from; i < min(from+batch, people); i++ {
					license := ""
					if i%2 == 0 {
						license = "video-pro-plus"
					}
					ops = append(ops, fmt.Sprintf(`{"method":"POST","path":"/Users","bulkId":"%d","data":%s}`, i, person(fmt.Sprintf("p%06d@acme.example", i), license, "staff")))
				}
				body := `{"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],"failOnErrors":1,"Operations":[` + strings.Join(ops, ",") + `]}`
				if status, err := s.do(http.MethodPost, "/Bulk", body, nil); err != nil || status != http.StatusOK {
					s.t.Errorf("bulk: status %d, %v", status, err)
				}
			}
		})
	}
	for from := 0; from < people; from += batch {
		next <- from
	}
	close(next)
	clients.Wait()
}

// latencies is how long requests took.
type latencies []time.Duration

func (l latencies) String() string {
	if len(l) == 0 {
		return "none"
	}
	slices.Sort(l)
	at := func(part float64) time.Duration { return l[int(part*float64(len(l)-1))].Round(10 * time.Microsecond) }
	return fmt.Sprintf("%d, p50 %v, p99 %v, max %v", len(l), at(0.5), at(0.99), at(1))
}

// measure sends a request over and over until the context ends; a %d in the body is the number of the request.
func (s *site) measure(ctx context.Context, method, path, body string) (all latencies) {
	for i := 0; ctx.Err() == nil; i++ {
		text := body
		if strings.Contains(body, "%d") {
			text = fmt.Sprintf(body, i)
		}
		began := time.Now()
		if status, err := s.do(method, path, text, nil); err != nil || status != http.StatusOK {
			s.t.Errorf("%s: status %d, %v", method, status, err)
			return all
		}
		all = append(all, time.Since(began))
	}
	return all
}

// forgetPeak lets the kernel begin anew with the most memory that this process had, where it can.
func forgetPeak(t *testing.T) {
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil {
		t.Logf("the peak of memory is that of the whole test: %v", err)
	}
}

// peak says how much memory this process, the clients in it included, had at most since.
func peak() string {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return "memory unknown"
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kb, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(rest), " kB"))
			if err == nil {
				return fmt.Sprintf("%d MB resident at most", kb>>10)
			}
		}
	}
	return "memory unknown"
}
