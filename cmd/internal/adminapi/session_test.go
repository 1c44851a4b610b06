package adminapi

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"usher/licensing"
	"usher/store"
)

// signIn asks for a session over the network.
func (d *desk) signIn(t *testing.T, in NewSession) (CreatedSession, *Problem, http.Header) {
	t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPost, "/v1/sessions", bytes.NewReader(body))
	rec := httptest.NewRecorder()
	d.outside.ServeHTTP(rec, r)
	if rec.Code == http.StatusCreated {
		var out CreatedSession
		if err := json.Unmarshal(rec.Body.Bytes(), &out); err != nil {
			t.Fatal(err)
		}
		return out, nil, rec.Header()
	}
	p := &Problem{}
	if err := json.Unmarshal(rec.Body.Bytes(), p); err != nil {
		t.Fatalf("%d %s", rec.Code, rec.Body)
	}
	return CreatedSession{}, p, rec.Header()
}

// enter is signIn with success.
func (d *desk) enter(t *testing.T, in NewSession) CreatedSession {
	t.Helper()
	s, p, _ := d.signIn(t, in)
	if p != nil {
		t.Fatalf("not let in: %+v", p)
	}
	return s
}

// lets checks what a token is good for.
func (d *desk) lets(t *testing.T, what, token string, status int) {
	t.Helper()
	if got, p := d.network(t, http.MethodGet, "/v1/companies/acme/accounts", token, ""); got != status {
		t.Errorf("%s: status %d %q, want %d", what, got, p.Detail, status)
	}
}

func TestSession(t *testing.T) {
	d := newDesk(t)
	acme := d.acme(t)
	root := NewSession{Company: "Acme", Login: "ROOT", Password: acme.AdminPassword}
	s := d.enter(t, root)
	if s.Kind != kindAdmin || s.Admin != "root" || s.Role != licensing.RoleSuperAdmin || !s.Expires.Equal(d.now.Add(sessionLimit)) || !strings.HasPrefix(s.Secret, sessionPrefix) {
		t.Errorf("session %+v", s)
	}
	d.lets(t, "a session", s.Secret, http.StatusOK)
	var current Session
	d.public(t, s.Secret, http.MethodGet, "/v1/sessions/current", nil, http.StatusOK, &current)
	if current != s.Session {
		t.Errorf("current: %+v, opened: %+v", current, s.Session)
	}
	if status, _ := d.network(t, http.MethodGet, "/v1/companies/globex/accounts", s.Secret, ""); status != http.StatusNotFound {
		t.Errorf("another company: status %d", status)
	}
	// Used each 20 minutes it lasts for 12 hours; left for 30 it is over.
	for d.now.Before(s.Expires.Add(-20 * time.Minute)) {
		d.now = d.now.Add(20 * time.Minute)
		d.lets(t, "in use", s.Secret, http.StatusOK)
	}
	d.now = s.Expires
	d.lets(t, "after 12 hours", s.Secret, http.StatusUnauthorized)
	s = d.enter(t, root)
	d.now = d.now.Add(idleLimit)
	d.lets(t, "left alone", s.Secret, http.StatusUnauthorized)

	one, two := d.enter(t, root), d.enter(t, root)
	var all list[Session]
	d.public(t, one.Secret, http.MethodGet, "/v1/companies/acme/sessions", nil, http.StatusOK, &all)
	if len(all.Items) != 2 || all.Items[1].ID != two.ID {
		t.Errorf("sessions: %+v", all.Items)
	}
	if status, _ := d.network(t, http.MethodDelete, "/v1/companies/acme/sessions/"+two.ID, one.Secret, ""); status != http.StatusNoContent {
		t.Errorf("ending another: status %d", status)
	}
	d.lets(t, "ended by another", two.Secret, http.StatusUnauthorized)
	if status, _ := d.network(t, http.MethodDelete, "/v1/sessions/current", one.Secret, ""); status != http.StatusNoContent {
		t.Errorf("signing out: status %d", status)
	}
	d.lets(t, "signed out", one.Secret, http.StatusUnauthorized)
	d.lets(t, "somebody's guess", sessionPrefix+"AAAA", http.StatusUnauthorized)
}

// TestSession_refused has every wrong try answered in the same way.
func TestSession_refused(t *testing.T) {
	d := newDesk(t)
	acme := d.acme(t)
	d.addWithRole(t, "sam@acme.example", "")
	var first *Problem
	for name, in := range map[string]NewSession{
		"no company":            {Company: "nobody", Login: "root", Password: acme.AdminPassword},
		"no login":              {Company: "acme", Login: "nobody", Password: acme.AdminPassword},
		"wrong password":        {Company: "acme", Login: "root", Password: "wrong"},
		"no password":           {Company: "acme", Login: "root"},
		"a person with no role": {Company: "acme", Login: "sam@acme.example", Password: "correct horse battery"},
	} {
		_, p, _ := d.signIn(t, in)
		if p == nil || p.Status != http.StatusUnauthorized {
			t.Fatalf("%s: %+v", name, p)
		}
		if first == nil {
			first = p
		}
		if *p != *first {
			t.Errorf("%s is answered with %+v, others with %+v", name, p, first)
		}
	}
	if strings.Contains(d.log.String(), acme.AdminPassword) {
		t.Error("the log has the password")
	}
}

func TestSession_tooManyTries(t *testing.T) {
	d := newDesk(t)
	acme := d.acme(t)
	wrong := NewSession{Company: "acme", Login: "root", Password: "wrong"}
	for range triesOfLogin {
		if _, p, _ := d.signIn(t, wrong); p.Status != http.StatusUnauthorized {
			t.Fatalf("%+v", p)
		}
	}
	right := NewSession{Company: "acme", Login: "root", Password: acme.AdminPassword}
	_, p, header := d.signIn(t, right)
	if p == nil || p.Status != http.StatusTooManyRequests || header.Get("Retry-After") != strconv.Itoa(int(loginEvery.Seconds())) {
		t.Fatalf("%+v, Retry-After %q", p, header.Get("Retry-After"))
	}
	d.now = d.now.Add(loginEvery)
	d.enter(t, right)
	// From one address: many logins.
	d.now = d.now.Add(time.Hour)
	refused := 0
	for i := range triesOfAddress + 10 {
		if d.handler.mayTry(call{Request: httptest.NewRequest(http.MethodPost, "/", nil), now: d.now}, "acme", strconv.Itoa(i)) != nil {
			refused++
		}
	}
	if refused != 10 {
		t.Errorf("%d of %d tries were refused, want 10", refused, triesOfAddress+10)
	}
}

func TestNetwork(t *testing.T) {
	for remote, want := range map[string]string{
		"192.0.2.1:7": "192.0.2.1", "[2001:db8:1:2:3:4:5:6]:7": "2001:db8:1:2::/64", "[::ffff:192.0.2.1]:7": "::ffff:192.0.2.1", "@": "@",
	} {
		if got := network(remote); got != want {
			t.Errorf("%s is %s, want %s", remote, got, want)
		}
	}
	d := newDesk(t)
	if _, p, _ := d.signIn(t, NewSession{Company: "acme", Login: strings.Repeat("x", maxLogin+1)}); p == nil || p.Status != http.StatusUnauthorized || d.handler.tries.Len() != 0 {
		t.Errorf("a login that nobody has: %+v, %d are remembered", p, d.handler.tries.Len())
	}
}

// addWithRole adds a person with the password "correct horse battery" of their own choice.
func (d *desk) addWithRole(t *testing.T, name, role string) store.Account {
	t.Helper()
	out, err := d.AddPeople(t.Context(), "acme", NewPeople{Role: role, People: []NewPerson{{Email: name, Setup: "credentials", Password: "correct horse battery"}}})
	if err != nil || out.Added != 1 || out.Items[0].Role != nil {
		t.Fatalf("%+v, %v", out, err)
	}
	company, err := d.store.CompanyByName(t.Context(), "acme")
	if err != nil {
		t.Fatal(err)
	}
	a, err := d.store.AccountByUserName(t.Context(), company.ID, name)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// TestSession_person has an account with a role sign in, first with a password that somebody else has chosen.
func TestSession_person(t *testing.T) {
	d := newDesk(t)
	acme := d.acme(t)
	d.addWithRole(t, "uma@acme.example", "user-admin")
	in := NewSession{Company: "acme", Login: "uma@acme.example", Password: "correct horse battery"}
	_, p, _ := d.signIn(t, in)
	if p == nil || p.Code != "password_change_required" {
		t.Fatalf("with another's password: %+v", p)
	}
	in.NewPassword = "short"
	if _, p, _ = d.signIn(t, in); p == nil || p.Status != http.StatusBadRequest {
		t.Fatalf("a short one: %+v", p)
	}
	in.NewPassword = "staple of my own"
	s := d.enter(t, in)
	if s.Kind != kindPerson || s.Role != licensing.RoleUserAdmin {
		t.Errorf("session %+v", s)
	}
	d.lets(t, "a person", s.Secret, http.StatusOK)
	if status, p := d.network(t, http.MethodGet, "/v1/companies/acme/keys", s.Secret, ""); status != http.StatusForbidden || p.Code != string(licensing.SuperAdminRequired) {
		t.Errorf("what takes a Super Admin: %d %+v", status, p)
	}
	if _, p, _ = d.signIn(t, in); p == nil || p.Status != http.StatusUnauthorized {
		t.Errorf("with the old password: %+v", p)
	}
	change := func(c AccountChange) {
		t.Helper()
		if _, err := d.ChangeAccount(t.Context(), "acme", "uma@acme.example", c); err != nil {
			t.Fatal(err)
		}
	}
	// Whoever loses the role, the access or the password is out with the next request.
	off, on := false, true
	change(AccountChange{Active: &off})
	d.lets(t, "deactivated", s.Secret, http.StatusUnauthorized)
	change(AccountChange{Active: &on})
	d.lets(t, "of before the break", s.Secret, http.StatusUnauthorized) // what has ended stays so
	in.Password, in.NewPassword = in.NewPassword, ""
	s = d.enter(t, in)
	change(AccountChange{Role: "standard"})
	d.lets(t, "without the role", s.Secret, http.StatusUnauthorized)
	change(AccountChange{Role: "user-admin"})
	d.lets(t, "of before the role was lost", s.Secret, http.StatusUnauthorized)
	d.now = d.now.Add(time.Minute)
	s = d.enter(t, in)
	d.lets(t, "signed in again", s.Secret, http.StatusOK)
	if _, err := d.AssignCredentials(t.Context(), "acme", "uma@acme.example", Credentials{}); err != nil {
		t.Fatal(err)
	}
	d.lets(t, "with another password", s.Secret, http.StatusUnauthorized)

	root := NewSession{Company: "acme", Login: "root", Password: acme.AdminPassword}
	s = d.enter(t, root)
	if _, err := d.PutAdmin(t.Context(), "acme", "root", AdminChange{NewPassword: true}); err != nil {
		t.Fatal(err)
	}
	d.lets(t, "a local admin with another password", s.Secret, http.StatusUnauthorized)
}

// TestSession_sharedPassword has several use a password that was assigned, at the same time: it works for one.
func TestSession_sharedPassword(t *testing.T) {
	d := newDesk(t)
	d.acme(t)
	d.addWithRole(t, "uma@acme.example", "user-admin")
	let := make(chan bool, 4)
	for i := range cap(let) {
		go func() {
			_, p, _ := d.signIn(t, NewSession{Company: "acme", Login: "uma@acme.example", Password: "correct horse battery", NewPassword: "staple of mine " + strconv.Itoa(i)})
			let <- p == nil
		}()
	}
	n := 0
	for range cap(let) {
		if <-let {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d were let in", n)
	}
}

func TestSession_oneTimePassword(t *testing.T) {
	d := newDesk(t)
	acme := d.acme(t)
	root := NewSession{Company: "acme", Login: "root", Password: acme.AdminPassword}
	s := d.enter(t, root)
	var made TOTP
	d.public(t, s.Secret, http.MethodPut, "/v1/companies/acme/admins/root/totp", nil, http.StatusOK, &made)
	if !strings.HasPrefix(made.URL, "otpauth://totp/usher:root@acme?") {
		t.Errorf("URL %q", made.URL)
	}
	refused := func(what, code string) {
		t.Helper()
		d.now = d.now.Add(time.Minute) // else it is too many tries
		root.Code = code
		if _, p, _ := d.signIn(t, root); p == nil || *p != *errUnknown() {
			t.Errorf("%s: %+v", what, p)
		}
	}
	code := func() string {
		t.Helper()
		c, err := totp.GenerateCode(made.Secret, d.now)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	refused("no code", "")
	refused("a wrong code", "000000")
	refused("an old code", code()) // a minute passes before it is tried
	d.now = d.now.Add(time.Minute)
	root.Code = code()
	d.enter(t, root)
	if _, p, _ := d.signIn(t, root); p == nil {
		t.Error("a code works twice")
	}
	admins, err := d.Admins(t.Context(), "acme")
	if err != nil || !admins[0].TOTP {
		t.Errorf("admins %+v, %v", admins, err)
	}
	d.absent(t, made.Secret, s.Secret, acme.AdminPassword)
	if err := d.RemoveTOTP(context.WithoutCancel(t.Context()), "acme", "root"); err != nil {
		t.Fatal(err)
	}
	d.now = d.now.Add(time.Minute)
	root.Code = ""
	d.enter(t, root)
}

// TestSession_oneTimePasswordOfPerson is the same for somebody with a role.
func TestSession_oneTimePasswordOfPerson(t *testing.T) {
	d := newDesk(t)
	d.acme(t)
	ctx := t.Context()
	d.addWithRole(t, "uma@acme.example", "user-admin")
	in := NewSession{Company: "acme", Login: "uma@acme.example", Password: "correct horse battery", NewPassword: "staple of my own"}
	made, err := d.PutPersonTOTP(ctx, "acme", "uma@acme.example")
	if err != nil {
		t.Fatal(err)
	}
	code := func() string {
		t.Helper()
		c, err := totp.GenerateCode(made.Secret, d.now)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	if _, p, _ := d.signIn(t, in); p == nil || *p != *errUnknown() {
		t.Errorf("without a code: %+v", p)
	}
	in.Code = code()
	d.enter(t, in) // which changes the password; the codes stay
	in.Password, in.NewPassword = in.NewPassword, ""
	if _, p, _ := d.signIn(t, in); p == nil {
		t.Error("a code works twice")
	}
	d.now = d.now.Add(time.Minute)
	in.Code = code()
	d.enter(t, in)
	d.absent(t, made.Secret)
	if err := d.RemovePersonTOTP(ctx, "acme", "uma@acme.example"); err != nil {
		t.Fatal(err)
	}
	d.now = d.now.Add(time.Minute)
	in.Code = ""
	d.enter(t, in)
}

// absent looks for secrets in everything that is stored and logged.
func (d *desk) absent(t *testing.T, secrets ...string) {
	t.Helper()
	kept := d.store.Dump(t)
	for _, secret := range secrets {
		if bytes.Contains(kept, []byte(secret)) {
			t.Errorf("the store has the secret %q", secret)
		}
		if strings.Contains(d.log.String(), secret) {
			t.Errorf("the log has the secret %q", secret)
		}
	}
}
