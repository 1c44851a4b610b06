package scimtest

import (
	"fmt"
	"os"
	"testing"
)

// TestRequirements_covered holds every requirement to have a check or an excuse, and its number.
func TestRequirements_covered(t *testing.T) {
	for i, r := range Requirements() {
		if want := fmt.Sprintf("R%03d", i+1); r.ID != want {
			t.Errorf("requirement %d is %q, want %q", i+1, r.ID, want)
		}
		if (r.check == nil) != (r.Excuse != "") {
			t.Errorf("%s has a check: %t, and the excuse %q", r.ID, r.check != nil, r.Excuse)
		}
		if r.Level == "" || r.Source == "" || r.Title == "" {
			t.Errorf("%s is not described: %+v", r.ID, r)
		}
	}
}

// TestConformance checks the built program, or with USHER_TEST_BASE and USHER_TEST_TOKEN any server, by every requirement that applies.
func TestConformance(t *testing.T) {
	c := Config{Base: os.Getenv("USHER_TEST_BASE"), Token: os.Getenv("USHER_TEST_TOKEN")}
	if c.Base == "" {
		h := newHome(t)
		s := demo(t, h)
		defer s.stop(t)
		c.Base, c.Token, c.Other = s.Base, s.Token, s.secondCompany(t, h).Token
	}
	report, err := Run(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range report.Results {
		if r.Excuse != "" {
			continue
		}
		t.Run(r.ID, func(t *testing.T) {
			switch r.Outcome {
			case Failed:
				t.Errorf("%s %s: %s\n%s", r.Level, r.Title, r.Detail, Transcript(r.Exchanges))
			case NotApplicable:
				t.Errorf("not checked: %s", r.Detail)
			}
		})
	}
	t.Logf("%d passed, %d failed, %d not applicable", report.Count(Passed), report.Count(Failed), report.Count(NotApplicable))
}
