package scimtest

import (
	"os"
	"testing"
)

// exhausted is the trace that needs a company with one seat and the policy strict.
const exhausted = "license-seats-exhausted"

// TestTraces replays all traces against the program. With USHER_TEST_BASE and USHER_TEST_TOKEN it replays those that run on any
// company against that server instead.
func TestTraces(t *testing.T) {
	traces, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	client := &Client{BaseURL: os.Getenv("USHER_TEST_BASE"), Token: os.Getenv("USHER_TEST_TOKEN")}
	given := client.BaseURL != ""
	if !given {
		s := demo(t, newHome(t))
		defer s.stop(t)
		client.BaseURL, client.Token = s.Base, s.Token
	}
	for _, trace := range traces {
		t.Run(trace.Name, func(t *testing.T) {
			c := client
			if trace.Adapt != "" {
				if given {
					t.Skip(trace.Adapt)
				}
				if trace.Name != exhausted {
					t.Fatalf("nothing provides what the trace needs: %s", trace.Adapt)
				}
				s := demo(t, newHome(t), "--seats", "video-pro-plus=1", "--seat-policy", "strict")
				defer s.stop(t)
				c = &Client{BaseURL: s.Base, Token: s.Token}
			}
			if err := c.Replay(t.Context(), trace); err != nil {
				t.Error(err)
			}
		})
	}
}
