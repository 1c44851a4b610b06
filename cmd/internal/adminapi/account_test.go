package adminapi

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"usher/licensing"
	"usher/store"
)

// provision adds a person as an identity provider's connection would that may not assign licenses.
func (d *desk) provision(t *testing.T, company, name string, asks ...licensing.License) store.Account {
	t.Helper()
	r, err := d.handler.directory.Apply(t.Context(), licensing.Change{
		Company: company, Actor: store.Actor{Kind: "connection", ID: "c"}, Door: licensing.DoorSCIM,
		Do: licensing.CreateAccount{Connection: "c", Draft: licensing.Draft{
			UserName: name, Display: name, ExternalID: "ext-" + name, Active: true, Email: name,
			Doc:     []byte(`{"userName":"` + name + `","externalId":"ext-` + name + `"}`),
			Intents: []licensing.Intent{{Carrier: licensing.CarrierLicense, Licenses: asks}},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return r.Account
}

// wantProblem checks that an operation is refused with a status.
func wantProblem(t *testing.T, what string, err error, status int) {
	t.Helper()
	var p *Problem
	if !errors.As(err, &p) || p.Status != status {
		t.Errorf("%s: %v, want status %d", what, err, status)
	}
}

func TestAccount(t *testing.T) {
	d := newDesk(t)
	acme := d.acme(t)
	ada := d.provision(t, acme.ID, "ada@acme.example", licensing.VideoProPlus)
	d.provision(t, acme.ID, "gil@gmail.com")
	ctx := t.Context()

	names := func(f AccountFilter) string {
		t.Helper()
		page, err := d.Accounts(ctx, "acme", f)
		if err != nil {
			t.Fatal(err)
		}
		text := ""
		for _, a := range page.Items {
			text += a.UserName + " "
		}
		return text + page.Next
	}
	for _, tt := range []struct {
		what   string
		filter AccountFilter
		want   string
	}{
		{"all", AccountFilter{}, "ada@acme.example gil@gmail.com "},
		{"requests", AccountFilter{Requests: true}, "ada@acme.example "},
		{"guests", AccountFilter{MemberType: "guest"}, "gil@gmail.com "},
		{"blocked guests", AccountFilter{MemberType: "guest", State: "blocked"}, ""},
		{"a page", AccountFilter{Limit: 1}, "ada@acme.example " + ada.ID},
		{"the next page", AccountFilter{Limit: 2, After: ada.ID}, "gil@gmail.com "},
	} {
		if got := names(tt.filter); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.what, got, tt.want)
		}
	}

	approved, err := d.Decide(ctx, "acme", "ADA@acme.example", Decision{Approve: true})
	if err != nil || approved.EffectiveLicense != "video-pro-plus" || len(approved.Requests) != 0 {
		t.Errorf("approved: %+v, %v", approved, err)
	}
	_, err = d.Decide(ctx, "acme", ada.ID, Decision{})
	wantProblem(t, "nothing to decide", err, http.StatusConflict)

	until := now.Add(48 * time.Hour)
	vetoed, err := d.Assign(ctx, "acme", "ext-ada@acme.example", Assignment{License: "Video Pro", Until: until})
	if err != nil || vetoed.EffectiveLicense != "video-pro" || vetoed.LicenseReason != "vetoed" || !vetoed.Until.Equal(until) {
		t.Errorf("vetoed: %+v, %v", vetoed, err)
	}
	if err := d.Unassign(ctx, "acme", ada.ID); err != nil {
		t.Fatal(err)
	}
	if again, err := d.Account(ctx, "acme", ada.ID); err != nil || again.EffectiveLicense != "video-pro-plus" {
		t.Errorf("without the veto: %+v, %v", again, err)
	}

	_, err = d.ChangeAccount(ctx, "acme", "gil@gmail.com", AccountChange{Role: "user-admin"})
	wantProblem(t, "an admin who is a guest", err, http.StatusConflict)
	promoted, err := d.ChangeAccount(ctx, "acme", "gil@gmail.com", AccountChange{MemberType: "coworker", Role: "user-admin"})
	if err != nil || promoted.MemberType != "coworker" || promoted.Role != "user-admin" {
		t.Errorf("promoted: %+v, %v", promoted, err)
	}
	_, err = d.ChangeAccount(ctx, "acme", "gil@gmail.com", AccountChange{MemberType: "guest", Role: "king"})
	wantProblem(t, "a role that is none", err, http.StatusBadRequest)
	explained, err := d.Explain(ctx, "acme", "gil@gmail.com")
	if err != nil || explained.SignOn.Reason != licensing.LicenseHasNoSSO || explained.Role != "user-admin" {
		t.Errorf("explained: %+v, %v", explained, err)
	}

	_, err = d.Account(ctx, "acme", "nobody")
	wantProblem(t, "nobody", err, http.StatusNotFound)
	_, err = d.Assign(ctx, "acme", ada.ID, Assignment{License: "gold"})
	wantProblem(t, "a license that is none", err, http.StatusBadRequest)
	_, err = d.Assign(ctx, "acme", ada.ID, Assignment{License: "ringex", Until: now})
	wantProblem(t, "an end that is over", err, http.StatusBadRequest)
	_, err = d.Accounts(ctx, "acme", AccountFilter{State: "gold"})
	wantProblem(t, "a state that is none", err, http.StatusBadRequest)
	_, err = d.Accounts(ctx, "acme", AccountFilter{Limit: 5000})
	wantProblem(t, "a page too large", err, http.StatusBadRequest)
}

// TestAccount_ofAnotherCompany: nobody is found from another company.
func TestAccount_ofAnotherCompany(t *testing.T) {
	d := newDesk(t)
	ada := d.provision(t, d.acme(t).ID, "ada@acme.example", licensing.VideoProPlus)
	if _, err := d.CreateCompany(t.Context(), NewCompany{Name: "globex", Admin: "root"}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{ada.ID, ada.UserName, ada.ExternalID} {
		_, err := d.Account(t.Context(), "globex", name)
		wantProblem(t, name, err, http.StatusNotFound)
		_, err = d.Decide(t.Context(), "globex", name, Decision{Approve: true})
		wantProblem(t, name, err, http.StatusNotFound)
	}
}
