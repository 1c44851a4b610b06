package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// run plays the demo until it is ready, hands what it says about itself to look, and stops it. It gives what went to stdout after
// the first line, and stderr.
func run(t *testing.T, o Options, look func(r ready)) (stdout, stderr string) {
	t.Helper()
	o.Addr, o.JSON = "127.0.0.1:0", true
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, w := io.Pipe()
	var errs bytes.Buffer
	done := make(chan error, 1)
	go func() {
		err := Run(ctx, o, w, &errs)
		w.CloseWithError(err)
		done <- err
	}()
	lines := json.NewDecoder(r)
	var line ready
	if err := lines.Decode(&line); err != nil {
		cancel()
		<-done
		t.Fatalf("the first line: %v\n%s", err, &errs)
	}
	look(line)
	cancel()
	rest, _ := io.ReadAll(r)
	if err := <-done; err != nil {
		t.Errorf("run: %v", err)
	}
	return strings.TrimSpace(string(rest)), errs.String()
}

// outcome is who has which license in which state.
func outcome(t *testing.T, r ready) map[string]string {
	t.Helper()
	var page listResponse
	c := client{base: r.SCIMBase, token: r.SCIMToken}
	if err := c.do(t.Context(), http.MethodGet, "/Users?count=100", nil, &page); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, p := range page.Resources {
		got[p.DisplayName] = p.User.Effective + " " + p.User.State
		if p.User.Reason != "" {
			got[p.DisplayName] += " " + p.User.Reason
		}
	}
	return got
}

// played is the end of the sync with five seats of Video Pro+ and three of RingEX.
func played() map[string]string {
	return map[string]string{
		"Ada Lovelace":      "video-pro-plus reserved",
		"Grace Hopper":      "video-pro-plus reserved",
		"Alan Turing":       "video-pro blocked account_inactive", // left; Katherine has his seat
		"Barbara Liskov":    "ringex reserved",
		"Edsger Dijkstra":   "ringex reserved", // by a change of his profile
		"Ken Thompson":      "video-pro blocked guest",
		"Margaret Hamilton": "video-pro-plus reserved",
		"Katherine Johnson": "video-pro-plus reserved", // waited until Alan left
		"Tim Berners-Lee":   "video-pro waiting waiting_for_seat",
		"Radia Perlman":     "video-pro-plus reserved", // by a rule on a group
		"Linus Torvalds":    "video-pro none",
		"Dennis Ritchie":    "video-pro held account_inactive", // left; nobody waits for RingEX
	}
}

func TestRun(t *testing.T) {
	dir := t.TempDir()
	o := Options{Data: dir, Seats: map[string]int{"video-pro-plus": 5}, SeatPolicy: "waiting"}
	stdout, stderr := run(t, o, func(r ready) {
		if r.Company != "acme" || !strings.HasPrefix(r.SCIMBase, "http://127.0.0.1:") || !strings.HasSuffix(r.SCIMBase, "/scim/v2") {
			t.Errorf("ready line %+v", r)
		}
		if diff := cmp.Diff(played(), outcome(t, r)); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	})
	if stdout != "" {
		t.Errorf("stdout has more than the line: %s", stdout)
	}
	for _, part := range []string{
		"[1/19] Okta assigns Ada Lovelace with Video Pro+", "Video Pro+: 5 of 5 seats used, 1 waiting", "RingEX: 3 of 3 seats used, 0 waiting",
	} {
		if !strings.Contains(stderr, part) {
			t.Errorf("stderr lacks %q:\n%s", part, stderr)
		}
	}

	// The second start finds all that and plays nothing.
	_, stderr = run(t, o, func(r ready) {
		if diff := cmp.Diff(played(), outcome(t, r)); diff != "" {
			t.Errorf("after a restart (-want +got)\n%s", diff)
		}
	})
	if strings.Contains(stderr, "[1/") || !strings.Contains(stderr, "already") || !strings.Contains(stderr, "Tim Berners-Lee") {
		t.Errorf("the second start says:\n%s", stderr)
	}
}

// With the policy strict the people for whom there is no seat are refused, and the sync goes on.
func TestRun_Strict(t *testing.T) {
	_, stderr := run(t, Options{Seats: map[string]int{"video-pro-plus": 2}, SeatPolicy: "strict"}, func(r ready) {
		got := outcome(t, r)
		if got["Ada Lovelace"] != "video-pro-plus reserved" || got["Grace Hopper"] != "video-pro-plus reserved" {
			t.Errorf("the first two have %q and %q", got["Ada Lovelace"], got["Grace Hopper"])
		}
		if _, in := got["Tim Berners-Lee"]; in {
			t.Error("Tim was not refused")
		}
		if got["Radia Perlman"] != "video-pro waiting waiting_for_seat" { // a rule refuses nobody
			t.Errorf("Radia has %q", got["Radia Perlman"])
		}
	})
	if !strings.Contains(stderr, "Entra provisions Tim Berners-Lee with Video Pro+: refused: ") {
		t.Errorf("the refusal is not told:\n%s", stderr)
	}
}

func TestRun_Empty(t *testing.T) {
	run(t, Options{Empty: true, Seats: map[string]int{"video-pro-plus": 1}}, func(r ready) {
		if got := outcome(t, r); len(got) != 0 {
			t.Errorf("there are people: %v", got)
		}
		var l resource
		c := client{base: r.SCIMBase, token: r.SCIMToken}
		if err := c.do(t.Context(), http.MethodGet, "/Licenses/video-pro-plus", nil, &l); err != nil || l.Pool.Total != 1 {
			t.Errorf("%+v, %v", l.Pool, err)
		}
	})
}

func TestWhy(t *testing.T) {
	tests := []struct {
		state userState
		want  string // part of the sentence
	}{
		{userState{State: "none"}, "Nothing asks"},
		{userState{State: "reserved", Sources: []string{"entitlements:video-pro-plus"}}, "through an entitlement"},
		{userState{State: "active", Sources: []string{"roles:ringex"}}, "through a role"},
		{userState{State: "reserved", Sources: []string{"group:ringex", "roles:ringex"}}, "through a rule on a group"},
		{userState{State: "reserved", Sources: []string{"license:ringex"}}, "through the attribute license"},
		{userState{State: "reserved", Sources: []string{"pin:ringex"}}, "Super Admin"},
		{userState{State: "held", Reason: "account_inactive"}, "deactivated. The seat is kept"},
		{userState{State: "waiting", Reason: "waiting_for_seat"}, "Buy seats"},
		{userState{State: "blocked", Reason: "guest"}, "A company admin can"},
		{userState{State: "blocked", Reason: "needs_approval"}, "license:assign"},
	}
	for _, tt := range tests {
		if got := tt.state.why(); !strings.Contains(got, tt.want) {
			t.Errorf("%+v: %q lacks %q", tt.state, got, tt.want)
		}
	}
}
