package adminapi

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"usher/licensing"
	"usher/store"
)

// TestNextSteps plays the life of a company and looks at what waits for its admins.
func TestNextSteps(t *testing.T) {
	d := newDesk(t)
	ctx := t.Context()
	plus, free := "video-pro-plus", "free"
	acme, err := d.CreateCompany(ctx, NewCompany{Name: "acme", Tier: plus, Seats: map[string]int{plus: 2}, Admin: "root"})
	if err != nil {
		t.Fatal(err)
	}
	wait := func(what string, want map[string]int) {
		t.Helper()
		steps, err := d.NextSteps(ctx, "acme")
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]int{}
		for _, s := range steps {
			got[s.Code] = s.Count
			if s.Text == "" || s.Fix == "" {
				t.Errorf("%s: %+v", what, s)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	set := func(change CompanyChange) {
		t.Helper()
		if _, err := d.ChangeCompany(ctx, "acme", change); err != nil {
			t.Fatal(err)
		}
	}
	wait("at first", map[string]int{})

	ada := d.provision(t, acme.ID, "ada@acme.example", licensing.VideoProPlus)
	wait("with a request", map[string]int{"requests_waiting": 1})
	assign := func(name string) {
		t.Helper()
		if _, err := d.Assign(ctx, "acme", name, Assignment{License: plus}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := d.Decide(ctx, "acme", ada.ID, Decision{Approve: true}); err != nil {
		t.Fatal(err)
	}
	wait("with a seat left", map[string]int{})
	for _, name := range []string{"bob@acme.example", "gil@gmail.com"} {
		d.provision(t, acme.ID, name)
		assign(name)
	}
	wait("with a guest", map[string]int{"seats_exhausted": 0, "guests_to_decide": 1})
	d.provision(t, acme.ID, "carl@acme.example")
	assign("carl@acme.example")
	if _, err := d.SetSeats(ctx, "acme", plus, 1, true); err != nil {
		t.Fatal(err)
	}
	set(CompanyChange{Tier: &free, Confirm: true})
	wait("with too few seats", map[string]int{"over_assigned": 1, "people_waiting": 1, "guests_to_decide": 1, "tier_without_sso": 2})
	set(CompanyChange{Tier: &plus})
	if _, err := d.SetSeats(ctx, "acme", plus, 9, true); err != nil {
		t.Fatal(err)
	}
	wait("with enough", map[string]int{"guests_to_decide": 1})

	for payment, code := range map[string]string{"expiring": "card_expiring", "past-due": "payment_past_due", "suspended": "payment_suspended"} {
		set(CompanyChange{Payment: payment, PaymentAt: now.Add(24 * time.Hour)})
		wait(payment, map[string]int{code: 0, "guests_to_decide": 1})
		set(CompanyChange{Payment: payment})
		wait(payment+" without a day", map[string]int{code: 0, "guests_to_decide": 1})
	}
	set(CompanyChange{Payment: "ok"})

	if _, err := d.CreateToken(ctx, "acme", NewToken{Connection: "okta", Expires: now.Add(60 * 24 * time.Hour)}); err != nil {
		t.Fatal(err)
	}
	wait("with a token for long", map[string]int{"guests_to_decide": 1})
	if _, err := d.CreateToken(ctx, "acme", NewToken{Connection: "okta", Expires: now.Add(24 * time.Hour)}); err != nil {
		t.Fatal(err)
	}
	wait("with one that ends", map[string]int{"token_expiring": 0, "guests_to_decide": 1})

	if _, err := d.ChangeConnection(ctx, "acme", "okta", ConnectionChange{Mode: "paused", Losses: "refuse"}); err != nil {
		t.Fatal(err)
	}
	wait("with a connection that is held up", map[string]int{"losses_refused": 0, "connection_paused": 0, "token_expiring": 0, "guests_to_decide": 1})
	okta, err := d.store.ConnectionByName(ctx, acme.ID, "okta")
	if err != nil {
		t.Fatal(err)
	}
	was := okta.Breaker
	okta.Breaker, okta.BreakerSince = licensing.BreakerTripped, now
	if err := d.store.SetBreaker(ctx, okta, was, []store.Event{}); err != nil {
		t.Fatal(err)
	}
	wait("with one that has tripped", map[string]int{"losses_stopped": 0, "connection_paused": 0, "token_expiring": 0, "guests_to_decide": 1})

	if _, err := d.CreateCompany(ctx, NewCompany{Name: "bare"}); err != nil {
		t.Fatal(err)
	}
	steps, err := d.NextSteps(ctx, "bare")
	if err != nil || len(steps) != 1 || steps[0].Code != "last_admin_risk" {
		t.Errorf("without an admin: %+v, %v", steps, err)
	}
}
