package adminapi

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"usher/cmd/internal/credential"
	"usher/licensing"
	"usher/sso"
	"usher/sso/ssotest"
	"usher/store"
)

func pointer[T any](v T) *T { return &v }

// wantWords reports an error that is not a problem with the status and the words.
func wantWords(t *testing.T, what string, err error, status int, words string) {
	t.Helper()
	var p *Problem
	if !errors.As(err, &p) || p.Status != status || !strings.Contains(p.Detail, words) {
		t.Errorf("%s: %v, want %d with %q", what, err, status, words)
	}
}

func TestSignOn(t *testing.T) {
	d := newDesk(t)
	d.acme(t)
	ctx := t.Context()
	idp := ssotest.New(t)
	const secret = "CANARY-SECRET"
	settings := SignOnChange{Issuer: pointer(idp.Issuer()), ClientID: pointer("usher"), ClientSecret: secret}

	_, err := d.SignOn(ctx, "acme", "okta")
	wantWords(t, "no such connection", err, http.StatusNotFound, "no connection")
	for what, tt := range map[string]struct {
		change func(*SignOnChange)
		words  string
	}{
		"no secret":      {func(s *SignOnChange) { s.ClientSecret = "" }, "client secret is missing"},
		"no issuer":      {func(s *SignOnChange) { s.Issuer = nil }, "issuer is missing"},
		"shared issuer":  {func(s *SignOnChange) { s.Issuer = pointer("https://login.microsoftonline.com/common/v2.0") }, "TENANT-ID"},
		"another issuer": {func(s *SignOnChange) { s.Issuer = pointer(idp.Issuer() + "/other") }, "metadata"},
		"a key's secret": {func(s *SignOnChange) { s.ClientAuth = pointer(sso.AuthPrivateKey) }, "usher makes a key"},
		"state":          {func(s *SignOnChange) { s.State = "tested" }, "tested by a test"},
		"algorithm":      {func(s *SignOnChange) { s.Algorithms = []string{"HS256"} }, "HS256"},
	} {
		change := settings
		tt.change(&change)
		_, err := d.SetSignOn(ctx, "acme", "okta", change)
		wantWords(t, what, err, http.StatusBadRequest, tt.words)
	}
	_, err = d.SignOn(ctx, "acme", "okta")
	wantWords(t, "nothing was stored", err, http.StatusNotFound, "no single sign-on")

	made, err := d.SetSignOn(ctx, "acme", "okta", settings)
	if err != nil {
		t.Fatal(err)
	}
	if made.State != store.SignOnDraft || made.RedirectURI != "http://usher.example/sso/acme/okta/callback" || len(made.Checks) < 4 || made.Fingerprint == "" {
		t.Errorf("made: %+v", made)
	}
	active := SignOnChange{State: store.SignOnActive}
	_, err = d.SetSignOn(ctx, "acme", "okta", active)
	wantWords(t, "untested", err, http.StatusConflict, "tried these settings out")
	active.Untested = true
	if made, err = d.SetSignOn(ctx, "acme", "okta", active); err != nil || made.State != store.SignOnActive {
		t.Fatalf("%+v, %v", made, err)
	}
	rotated, err := d.RotateSecret(ctx, "acme", "okta", "another")
	if err != nil || rotated.Fingerprint == made.Fingerprint {
		t.Errorf("rotated: %+v, %v", rotated, err)
	}
	_, err = d.RotateSecret(ctx, "acme", "okta", "")
	wantWords(t, "no new secret", err, http.StatusBadRequest, "client secret is missing")
	if c, err := d.store.ConnectionByName(ctx, companyID(t, d), "okta"); err != nil || c.Epoch != 1 {
		t.Errorf("epoch %d after the secret was changed, %v", c.Epoch, err)
	}

	_, err = d.SetSignOn(ctx, "acme", "okta", SignOnChange{ClientAuth: pointer(sso.AuthPrivateKey)})
	wantWords(t, "other settings while it is active", err, http.StatusConflict, "tried these settings out")
	keyed, err := d.SetSignOn(ctx, "acme", "okta", SignOnChange{ClientAuth: pointer(sso.AuthPrivateKey), Untested: true})
	if err != nil || keyed.KeysURI == "" {
		t.Fatalf("%+v, %v", keyed, err)
	}
	if rotated, err = d.RotateSecret(ctx, "acme", "okta", ""); err != nil || rotated.Fingerprint == keyed.Fingerprint {
		t.Errorf("another key: %+v, %v", rotated, err)
	}

	test, err := d.TestSignOn(ctx, "acme", "okta")
	if err != nil || !strings.HasPrefix(test.URL, "http://usher.example/sso/acme/okta/test?ticket=") || test.Until.IsZero() {
		t.Errorf("test: %+v, %v", test, err)
	}
	idp.Serve("discovery", ssotest.Status(500))
	if test, err = d.TestSignOn(ctx, "acme", "okta"); err != nil || test.URL != "" || test.Checks[0].Passed || test.Checks[0].Code != "idp_unavailable" {
		t.Errorf("test of a provider that is down: %+v, %v", test, err)
	}
	elsewhere := SignOnChange{MatchClaim: pointer("oid"), Untested: true}
	_, err = d.SetSignOn(ctx, "acme", "okta", elsewhere)
	wantWords(t, "while the provider is down", err, http.StatusBadRequest, "500")
	elsewhere.Unchecked, elsewhere.State = true, store.SignOnDraft
	if made, err = d.SetSignOn(ctx, "acme", "okta", elsewhere); err != nil || made.State != store.SignOnDraft || made.MatchClaim != "oid" {
		t.Errorf("unchecked: %+v, %v", made, err)
	}

	_, err = d.SetSignOn(ctx, "acme", "okta", SignOnChange{State: store.SignOnDisabled})
	wantWords(t, "a draft disabled", err, http.StatusConflict, "nothing to disable")
	if got, err := d.SignOn(ctx, "acme", "okta"); err != nil || got.Fingerprint != made.Fingerprint {
		t.Errorf("read: %+v, %v", got, err)
	}
	if all, err := d.Connections(ctx, "acme"); err != nil || all[0].SignOn != store.SignOnDraft {
		t.Errorf("list: %+v, %v", all, err)
	}
	if err := d.RemoveSignOn(ctx, "acme", "okta"); err != nil {
		t.Fatal(err)
	}
	for _, e := range d.events(t, companyID(t, d)) {
		if b, err := json.Marshal(e); err != nil || strings.Contains(string(b), secret) || strings.Contains(string(b), "PRIVATE KEY") {
			t.Errorf("event %s, %v", b, err)
		}
	}
}

// TestSignOn_lostKey: whose secret cannot be opened any more is given another.
func TestSignOn_lostKey(t *testing.T) {
	d := newDesk(t)
	d.acme(t)
	ctx := t.Context()
	idp := ssotest.New(t)
	settings := SignOnChange{Issuer: pointer(idp.Issuer()), ClientID: pointer("usher"), ClientSecret: "secret", State: "active", Untested: true}
	if _, err := d.SetSignOn(ctx, "acme", "okta", settings); err != nil {
		t.Fatal(err)
	}
	d.keys.sealer.SetKeys([credential.KeySize]byte{99})
	if got, err := d.Rewrap(ctx, Rewrapping{}); err != nil || got != (Rewrapped{Keys: 1, Lost: 1}) {
		t.Errorf("rewrapped: %+v, %v", got, err)
	}
	if shown, err := d.SignOn(ctx, "acme", "okta"); err != nil || shown.Fingerprint != "" {
		t.Errorf("%+v, %v", shown, err)
	}
	if after, err := d.RotateSecret(ctx, "acme", "okta", "another"); err != nil || after.Fingerprint == "" {
		t.Errorf("%+v, %v", after, err)
	}
}

// companyID gives the id of acme.
func companyID(t *testing.T, d *desk) string {
	t.Helper()
	c, err := d.store.CompanyByName(t.Context(), "acme")
	if err != nil {
		t.Fatal(err)
	}
	return c.ID
}

func TestPersonSessions(t *testing.T) {
	d := newDesk(t)
	d.acme(t)
	ctx := t.Context()
	company := companyID(t, d)
	added, err := d.AddPeople(ctx, "acme", NewPeople{People: []NewPerson{{UserName: "ada@acme.example", Display: "Ada"}}})
	if err != nil || added.Items[0].Account == nil {
		t.Fatalf("%+v, %v", added, err)
	}
	a, err := d.store.Account(ctx, company, added.Items[0].Account.ID)
	if err != nil {
		t.Fatal(err)
	}
	open := func(name byte) store.Session {
		t.Helper()
		s := store.Session{
			Hash: [32]byte{name}, ID: store.NewID(), Company: company, Account: a.ID, AccountEpoch: a.Epoch, Address: "192.0.2.1", Agent: "Browser",
			Created: d.now, Seen: d.now, Expires: d.now.Add(licensing.SessionMaxLimit),
		}
		if _, err := d.store.OpenSession(ctx, store.SessionOpening{Session: s, Account: a}); err != nil {
			t.Fatal(err)
		}
		return s
	}
	one, two := open(1), open(2)
	list := func(account string) []string {
		t.Helper()
		page, err := d.PersonSessions(ctx, "acme", account, "")
		if err != nil {
			t.Fatal(err)
		}
		var ids []string
		for _, s := range page.Items {
			if s.UserName != a.UserName || s.By != "password" {
				t.Errorf("%+v", s)
			}
			if s.Good {
				ids = append(ids, s.ID)
			}
		}
		return ids
	}
	if got := list(""); !slices.Equal(got, []string{two.ID, one.ID}) {
		t.Errorf("list %v", got)
	}
	if got := list("ada@acme.example"); len(got) != 2 {
		t.Errorf("list of one person %v", got)
	}
	if err := d.EndPersonSession(ctx, "acme", one.ID); err != nil {
		t.Fatal(err)
	}
	wantWords(t, "ended twice", d.EndPersonSession(ctx, "acme", one.ID), http.StatusNotFound, "no session")
	if err := d.EndPersonSessions(ctx, "acme", a.UserName); err != nil {
		t.Fatal(err)
	}
	if got := list(""); len(got) != 0 {
		t.Errorf("list at the end %v", got)
	}
	if a, err = d.store.Account(ctx, company, a.ID); err != nil {
		t.Fatal(err)
	}
	linked := a
	linked.Identity = store.Identity{Issuer: "https://idp.example", Subject: "ada"}
	if _, err = d.store.WriteAccount(ctx, store.AccountWrite{Before: &a, After: linked}); err != nil {
		t.Fatal(err)
	}
	if shown, err := d.Account(ctx, "acme", a.ID); err != nil || shown.Subject != "ada" {
		t.Errorf("shown %+v, %v", shown, err)
	}
	if err := d.Unlink(ctx, "acme", a.UserName); err != nil {
		t.Fatal(err)
	}
	wantWords(t, "not linked", d.Unlink(ctx, "acme", a.UserName), http.StatusNotFound, "not linked")
}

func TestCompany_reservedNames(t *testing.T) {
	d := newDesk(t)
	_, err := d.CreateCompany(t.Context(), NewCompany{Name: "session"})
	wantWords(t, "session", err, http.StatusBadRequest, "meaning of its own")
}

// TestRewrap: another key takes the place of the one before, and nothing that was sealed is lost.
func TestRewrap(t *testing.T) {
	d := newDesk(t)
	d.acme(t)
	ctx := t.Context()
	idp := ssotest.New(t)
	made, err := d.SetSignOn(ctx, "acme", "okta", SignOnChange{Issuer: pointer(idp.Issuer()), ClientID: pointer("usher"), ClientSecret: "secret", State: "active", Untested: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.PutTOTP(ctx, "acme", "root"); err != nil {
		t.Fatal(err)
	}
	ada := d.addWithRole(t, "ada@acme.example", licensing.RoleUserAdmin)
	totp, err := d.PutPersonTOTP(ctx, "acme", ada.ID)
	if err != nil {
		t.Fatal(err)
	}
	company := companyID(t, d)
	if got, err := d.Rewrap(ctx, Rewrapping{}); err != nil || got != (Rewrapped{Keys: 1}) {
		t.Errorf("nothing to do: %+v, %v", got, err)
	}
	if got, err := d.Rewrap(ctx, Rewrapping{NewKey: true, Forget: true}); err != nil || got != (Rewrapped{Secrets: 3, Keys: 1}) {
		t.Errorf("rewrapped: %+v, %v", got, err)
	}
	if after, err := d.SignOn(ctx, "acme", "okta"); err != nil || after.Fingerprint != made.Fingerprint {
		t.Errorf("%+v, %v", after, err)
	}
	c, err := d.store.ConnectionByName(ctx, company, "okta")
	if err != nil || c.Epoch != 0 {
		t.Errorf("epoch %d: sessions have ended by it, %v", c.Epoch, err)
	}
	a, err := d.store.Account(ctx, company, ada.ID)
	if err != nil {
		t.Fatal(err)
	}
	if secret, err := d.keys.sealer.Open(a.TOTP, TOTPOwner(company, ada.ID)); err != nil || secret != totp.Secret {
		t.Errorf("one-time passwords: %q, %v", secret, err)
	}
}
