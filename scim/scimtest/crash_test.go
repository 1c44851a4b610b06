package scimtest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	plus       = "video-pro-plus"
	plusSeats  = 50
	licenseURN = "urn:ietf:params:scim:schemas:extension:usher:2.0:License"
	userURN    = "urn:ietf:params:scim:schemas:extension:usher:2.0:User"
)

// TestKill9 kills the server under load, again and again, and checks what it has left: the license ledger is whole and says of
// every person and every seat what is. Then it checks what the next server finds: no answered creation is lost, the seats are those
// of the people who have them, and nobody waits beside a free seat.
func TestKill9(t *testing.T) {
	rounds, load := 5, 500*time.Millisecond
	if os.Getenv("USHER_SCALE") == "full" {
		rounds, load = 25, 4*time.Second
	}
	h := newHome(t)
	var answered []string
	for round := range rounds {
		s := demo(t, h, "--seats", fmt.Sprintf("%s=%d", plus, plusSeats))
		created := pushUntilKilled(t, s, round, load)
		if len(created) == 0 {
			t.Fatalf("round %d: nothing was created before the server was killed", round)
		}
		answered = append(answered, created...)

		checkLedger(t, h)
		s = demo(t, h)
		if round == rounds-1 {
			created = answered
		}
		checkAnswered(t, s, created)
		checkSeats(t, s, h)
		if t.Failed() {
			t.Logf("in round %d, with %d creations answered", round, len(answered))
			s.kill()
			return
		}
		s.stop(t)
	}
	t.Logf("%d creations were answered in %d rounds", len(answered), rounds)
}

// pushUntilKilled creates people who ask for a seat, some of whom are deactivated or deleted again, kills the server in the midst
// of it, and gives the ids of those whose creation was answered and who were not deleted.
func pushUntilKilled(t *testing.T, s *server, round int, load time.Duration) []string {
	t.Helper()
	const workers = 8
	var (
		mu      sync.Mutex
		created []string
		wg      sync.WaitGroup
	)
	for worker := range workers {
		wg.Go(func() {
			for i := 0; ; i++ {
				body := fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"u-%d-%d-%d@acme.example",
					"externalId":"x-%d-%d-%d","active":true,"entitlements":[{"type":"License","value":"video-pro-plus"}]}`,
					round, worker, i, round, worker, i)
				var made struct{ ID string }
				status, err := s.call(t.Context(), http.MethodPost, "/Users", body, &made)
				if err != nil { // the server is gone
					return
				}
				if status != http.StatusCreated {
					t.Errorf("a creation was answered with %d", status)
					return
				}
				if i%7 == 6 { // gone again, with a seat or a place in the queue
					if _, err := s.call(t.Context(), http.MethodDelete, "/Users/"+made.ID, "", nil); err != nil {
						return
					}
					continue
				}
				mu.Lock()
				created = append(created, made.ID)
				mu.Unlock()
				if i%5 == 4 { // free a seat or a place in the queue
					leave := `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","value":{"active":false}}]}`
					if _, err := s.call(t.Context(), http.MethodPatch, "/Users/"+made.ID, leave, nil); err != nil {
						return
					}
				}
			}
		})
	}
	kill := time.AfterFunc(load, s.kill)
	wg.Wait()
	kill.Stop()
	s.kill()
	return created
}

func checkAnswered(t *testing.T, s *server, ids []string) {
	t.Helper()
	for _, id := range ids {
		status, err := s.call(t.Context(), http.MethodGet, "/Users/"+id+"?attributes=id", "", nil)
		if err != nil || status != http.StatusOK {
			t.Errorf("the answered creation of %s is lost: status %d, %v", id, status, err)
			return
		}
	}
}

// settling is how long a server on a database may take to tidy up what a killed one has left: it cannot know at once that that is gone.
const settling = 2 * time.Minute

// checkSeats compares the numbers of the pool with the people who are counted one by one.
func checkSeats(t *testing.T, s *server, h home) {
	t.Helper()
	begun := time.Now()
	for {
		wrong := seatsWrong(t, s)
		switch {
		case len(wrong) == 0:
			if h.uri != "" {
				t.Logf("the seats are right after %v", time.Since(begun).Round(time.Millisecond))
			}
			return
		case h.uri == "" || time.Since(begun) > settling:
			t.Error(strings.Join(wrong, "\n"))
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// seatsWrong says what is wrong with the seats.
func seatsWrong(t *testing.T, s *server) (wrong []string) {
	t.Helper()
	type numbers struct{ Total, Used, Active, Reserved, Held, Waiting int }
	var license map[string]json.RawMessage
	var pool numbers
	if _, err := s.call(t.Context(), http.MethodGet, "/Licenses/"+plus, "", &license); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(license[licenseURN], &pool); err != nil {
		t.Fatalf("the numbers in %s: %v", license, err)
	}
	counted := numbers{Total: plusSeats}
	for state, n := range map[string]*int{
		"active": &counted.Active, "reserved": &counted.Reserved, "held": &counted.Held, "waiting": &counted.Waiting,
	} {
		*n = countState(t.Context(), t, s, state)
	}
	counted.Used = counted.Active + counted.Reserved + counted.Held
	if pool != counted {
		wrong = append(wrong, fmt.Sprintf("the pool says %+v, the people are %+v", pool, counted))
	}
	if counted.Used > counted.Total {
		wrong = append(wrong, fmt.Sprintf("%d of %d seats are used", counted.Used, counted.Total))
	}
	if counted.Waiting > 0 && (counted.Used < counted.Total || counted.Held > 0) {
		wrong = append(wrong, fmt.Sprintf("%d people wait beside a free or held seat: %+v", counted.Waiting, counted))
	}
	return wrong
}

// countState counts the people in a license state by paging through them.
func countState(ctx context.Context, t *testing.T, s *server, state string) int {
	t.Helper()
	filter := url.QueryEscape(fmt.Sprintf("%s:licenseState eq %q", userURN, state))
	seen := map[string]bool{}
	for {
		var page struct {
			TotalResults int
			Resources    []struct{ ID string }
		}
		path := fmt.Sprintf("/Users?filter=%s&attributes=id&count=500&startIndex=%d", filter, len(seen)+1)
		if status, err := s.call(ctx, http.MethodGet, path, "", &page); err != nil || status != http.StatusOK {
			t.Fatalf("list of the people who are %s: status %d, %v", state, status, err)
		}
		for _, r := range page.Resources {
			seen[r.ID] = true
		}
		if len(page.Resources) == 0 || len(seen) >= page.TotalResults {
			return len(seen)
		}
	}
}
