package scimtest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestNeighbour sends the largest requests that one company may send while another company reads. All are answered and do what they
// say; how long each took, how much memory the server had at most, and how long the other company's reads took before and
// meanwhile, is in the log.
func TestNeighbour(t *testing.T) {
	members, operations := 2000, 200
	if os.Getenv("USHER_SCALE") == "full" {
		members, operations = 100_000, 1000
	}
	h := newHome(t)
	s := demo(t, h)
	defer s.stop(t)
	people := slices.Sorted(keysOf(seedPeople(t, s, members)))

	other := s.secondCompany(t, h)
	var reader struct{ ID string }
	if status, err := other.call(t.Context(), http.MethodPost, "/Users", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"reader"}`, &reader); err != nil || status != http.StatusCreated {
		t.Fatalf("reader: status %d, %v", status, err)
	}
	alone := measureReads(t, other, reader.ID, func() { time.Sleep(time.Second) })
	t.Logf("the other company alone: %v", alone)

	var group struct{ ID string }
	if status, err := s.call(t.Context(), http.MethodPost, "/Groups", groupBody(nil), &group); err != nil || status != http.StatusCreated {
		t.Fatalf("group: status %d, %v", status, err)
	}
	for _, heavy := range []struct {
		name, method, path, body string
		status                   int
	}{
		{fmt.Sprintf("PUT of a group with %d new members", members), http.MethodPut, "/Groups/" + group.ID + "?excludedAttributes=members", groupBody(people), http.StatusOK},
		{"PUT of the same members", http.MethodPut, "/Groups/" + group.ID + "?excludedAttributes=members", groupBody(people), http.StatusOK},
		{"PUT without ten of them", http.MethodPut, "/Groups/" + group.ID + "?excludedAttributes=members", groupBody(people[10:]), http.StatusOK},
		{"GET of the group", http.MethodGet, "/Groups/" + group.ID, "", http.StatusOK},
		{fmt.Sprintf("PATCH of the group with %d operations", operations), http.MethodPatch, "/Groups/" + group.ID, memberPatch(people[10 : 10+operations/2]), http.StatusNoContent},
		{fmt.Sprintf("PATCH of a person with %d operations", operations), http.MethodPatch, "/Users/" + people[0], personPatch(operations), http.StatusOK},
		{fmt.Sprintf("Bulk with %d creations", operations), http.MethodPost, "/Bulk", bulkBody(operations), http.StatusOK},
	} {
		s.forgetPeak()
		var took time.Duration
		reads := measureReads(t, other, reader.ID, func() {
			start := time.Now()
			status, err := s.call(t.Context(), heavy.method, heavy.path, heavy.body, nil)
			took = time.Since(start).Round(time.Millisecond)
			if err != nil || status != heavy.status {
				t.Errorf("%s: status %d, %v", heavy.name, status, err)
			}
		})
		t.Logf("%s: %d KB in %v, %s; the other company: %v", heavy.name, len(heavy.body)>>10, took, s.peak(), reads)
	}
	if n := countMembers(t, s, group.ID); n != members-10 {
		t.Errorf("in the end the group has %d members, not %d", n, members-10)
	}
	if n := countFound(t, s, `userName sw "bulk-"`); n != operations {
		t.Errorf("the bulk made %d people, not %d", n, operations)
	}
}

func keysOf(set map[string]bool) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for key := range set {
			if !yield(key) {
				return
			}
		}
	}
}

func groupBody(members []string) string {
	var b strings.Builder
	b.WriteString(`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"everybody","members":[`)
	for i, id := range members {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"value":%q,"display":"somebody"}`, id)
	}
	return b.String() + `]}`
}

// memberPatch removes each of some members and adds them again.
func memberPatch(ids []string) string {
	ops := make([]string, 0, 2*len(ids))
	for _, id := range ids {
		ops = append(ops,
			fmt.Sprintf(`{"op":"remove","path":"members[value eq \"%s\"]"}`, id),
			fmt.Sprintf(`{"op":"add","path":"members","value":[{"value":%q}]}`, id))
	}
	return `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[` + strings.Join(ops, ",") + `]}`
}

func personPatch(operations int) string {
	ops := make([]string, operations)
	for i := range ops {
		ops[i] = fmt.Sprintf(`{"op":"replace","path":"emails[type eq \"work\"].value","value":"ada-%d@acme.example"}`, i)
	}
	return `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[` + strings.Join(ops, ",") + `]}`
}

func bulkBody(operations int) string {
	ops := make([]string, operations)
	for i := range ops {
		ops[i] = fmt.Sprintf(`{"method":"POST","path":"/Users","bulkId":"b%d","data":{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"bulk-%d@acme.example"}}`, i, i)
	}
	return `{"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],"Operations":[` + strings.Join(ops, ",") + `]}`
}

// countMembers counts the members of a group as its resource shows them.
func countMembers(t *testing.T, s *server, id string) int {
	t.Helper()
	var group struct{ Members []struct{ Value string } }
	if status, err := s.call(t.Context(), http.MethodGet, "/Groups/"+id+"?attributes=members.value", "", &group); err != nil || status != http.StatusOK {
		t.Fatalf("group: status %d, %v", status, err)
	}
	return len(group.Members)
}

func countFound(t *testing.T, s *server, filter string) int {
	t.Helper()
	var page struct{ TotalResults int }
	if status, err := s.call(t.Context(), http.MethodGet, "/Users?count=0&filter="+url.QueryEscape(filter), "", &page); err != nil || status != http.StatusOK {
		t.Fatalf("list: status %d, %v", status, err)
	}
	return page.TotalResults
}

// secondCompany makes another company on the server, with a token of its own.
func (s *server) secondCompany(t *testing.T, h home) *server {
	t.Helper()
	run := func(args ...string) []byte {
		out, err := h.command(t, append(args, "--json")...).Output()
		if err != nil {
			t.Fatalf("usher %s: %v", strings.Join(args, " "), err)
		}
		return out
	}
	run("company", "create", "neighbour")
	var made struct{ Token string }
	if err := json.Unmarshal(run("token", "create", "--company", "neighbour", "--connection", "okta"), &made); err != nil || made.Token == "" {
		t.Fatalf("token: %q, %v", made.Token, err)
	}
	return &server{Base: s.Base, Token: made.Token}
}

// reads is how long the reads of a company took.
type reads []time.Duration

func (r reads) String() string {
	if len(r) == 0 {
		return "no reads"
	}
	slices.Sort(r)
	at := func(part float64) time.Duration { return r[int(part*float64(len(r)-1))].Round(10 * time.Microsecond) }
	return fmt.Sprintf("%d reads, p50 %v, p99 %v, max %v", len(r), at(0.5), at(0.99), at(1))
}

// measureReads reads a person over and over, from two clients, while do runs.
func measureReads(t *testing.T, s *server, id string, do func()) reads {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var mu sync.Mutex
	var all reads
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for ctx.Err() == nil {
				start := time.Now()
				status, err := s.call(context.WithoutCancel(ctx), http.MethodGet, "/Users/"+id, "", nil)
				if err != nil || status != http.StatusOK {
					t.Errorf("a read of the other company: status %d, %v", status, err)
					return
				}
				mu.Lock()
				all = append(all, time.Since(start))
				mu.Unlock()
			}
		})
	}
	do()
	cancel()
	wg.Wait()
	return all
}

// forgetPeak lets the kernel begin anew with the most memory that the server had, where it can.
func (s *server) forgetPeak() {
	os.WriteFile(filepath.Join("/proc", strconv.Itoa(s.cmd.Process.Pid), "clear_refs"), []byte("5"), 0) // 5: reset VmHWM
}

// peak says how much memory the server had at most since forgetPeak.
func (s *server) peak() string {
	b, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(s.cmd.Process.Pid), "status"))
	if err != nil {
		return "memory unknown"
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			return strings.TrimSpace(rest) + " resident at most"
		}
	}
	return "memory unknown"
}
