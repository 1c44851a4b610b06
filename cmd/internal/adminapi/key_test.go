package adminapi

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"usher/licensing"
)

// network sends a request as it comes in over the network, with a key.
func (d *desk) network(t *testing.T, method, path, key, body string) (int, Problem) {
	t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if key != "" {
		r.Header.Set("Authorization", "Bearer "+key)
	}
	r.Header.Set(operatorHeader, "mallory") // whoever says so is not the operator here
	rec := httptest.NewRecorder()
	d.outside.ServeHTTP(rec, r)
	var p Problem
	if rec.Code >= 400 {
		if err := json.Unmarshal(rec.Body.Bytes(), &p); err != nil {
			t.Errorf("%s %s: %d %s", method, path, rec.Code, rec.Body)
		}
	}
	return rec.Code, p
}

// TestKeys_matrix asks for every operation in every role.
func TestKeys_matrix(t *testing.T) {
	d := newDesk(t)
	d.acme(t)
	if _, err := d.CreateCompany(t.Context(), NewCompany{Name: "globex", Admin: "root"}); err != nil {
		t.Fatal(err)
	}
	if _, err := d.PutAdmin(t.Context(), "acme", "uma", AdminChange{}); err != nil {
		t.Fatal(err)
	}
	key := func(company, admin string) string {
		made, err := d.CreateKey(t.Context(), company, NewKey{Admin: admin})
		if err != nil {
			t.Fatal(err)
		}
		return made.Secret
	}
	root, uma, stranger := key("acme", "root"), key("acme", "uma"), key("globex", "root")
	placeholder := regexp.MustCompile(`\{\w+\}`)
	operations := 0
	for pattern, least := range d.handler.least {
		operations++
		if least == nobody { // signing in
			continue
		}
		method, path, _ := strings.Cut(pattern, " ")
		path = placeholder.ReplaceAllString(strings.Replace(path, "{company}", "acme", 1), "none-of-that")
		for _, who := range []struct {
			name, key string
			authority authority
		}{{"a user-admin", uma, userAdmin}, {"a super-admin", root, superAdmin}} {
			status, p := d.network(t, method, path, who.key, "not JSON")
			refused := status == http.StatusForbidden && (p.Code == "operator_required" || p.Code == string(licensing.SuperAdminRequired))
			if refused != (who.authority < least) || status == http.StatusUnauthorized {
				t.Errorf("%s, who asks for %s: %d %q", who.name, pattern, status, p.Code)
			}
		}
		for name, key := range map[string]string{"nobody": "", "a stranger": "usher_admin_AAAA", "a long one": strings.Repeat("x", 5000)} {
			if status, _ := d.network(t, method, path, key, ""); status != http.StatusUnauthorized {
				t.Errorf("%s, who asks for %s: %d", name, pattern, status)
			}
		}
		if strings.Contains(pattern, "{company}") {
			if status, p := d.network(t, method, path, stranger, "{}"); status != http.StatusNotFound || !strings.Contains(p.Detail, `no company "acme"`) {
				t.Errorf("an admin of another company, who asks for %s: %d %s", pattern, status, p.Detail)
			}
		}
	}
	if operations < 25 {
		t.Errorf("only %d operations were tried", operations)
	}
}

// TestKeys: what an admin's key does is the admin's, ends with the key, its time or the admin, and does not say that something was paid.
func TestKeys(t *testing.T) {
	d := newDesk(t)
	company := d.acme(t)
	ctx := t.Context()
	if _, err := d.PutAdmin(ctx, "acme", "uma", AdminChange{}); err != nil {
		t.Fatal(err)
	}
	root, err := d.CreateKey(ctx, "acme", NewKey{Admin: "ROOT"})
	if err != nil {
		t.Fatal(err)
	}
	uma, err := d.CreateKey(ctx, "acme", NewKey{Admin: "uma", Expires: now.Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	ada := d.provision(t, company.ID, "ada@acme.example").ID
	want := func(what string, wanted, got int) {
		t.Helper()
		if got != wanted {
			t.Errorf("%s: %d, want %d", what, got, wanted)
		}
	}
	account := "/v1/companies/acme/accounts/" + ada
	status, _ := d.network(t, "PATCH", account, uma.Secret, `{"member_type":"guest"}`)
	want("a user-admin demotes", http.StatusOK, status)
	status, _ = d.network(t, "PATCH", account, uma.Secret, `{"member_type":"coworker"}`)
	want("and promotes", http.StatusOK, status)
	status, p := d.network(t, "PATCH", account, uma.Secret, `{"role":"super-admin"}`)
	want("a user-admin makes a super-admin: "+p.Detail, http.StatusForbidden, status)
	status, _ = d.network(t, "PUT", account+"/license", root.Secret, `{"license":"video-pro-plus"}`)
	want("a super-admin assigns", http.StatusOK, status)
	events := d.events(t, company.ID)
	if last := events[len(events)-1]; last.Actor.Kind != "admin" || last.Actor.ID != "root" {
		t.Errorf("the log says it was %+v", last.Actor)
	}
	status, _ = d.network(t, "PATCH", "/v1/companies/acme", root.Secret, `{"payment":"ok"}`)
	want("a super-admin says that it is paid", http.StatusForbidden, status)
	if _, err := d.CreateToken(ctx, "acme", NewToken{Connection: "okta"}); err != nil {
		t.Fatal(err)
	}
	status, _ = d.network(t, "PATCH", "/v1/companies/acme/connections/okta", uma.Secret, `{"losses":"refuse"}`)
	want("a user-admin refuses losses", http.StatusOK, status)
	status, _ = d.network(t, "PATCH", "/v1/companies/acme/connections/okta", uma.Secret, `{"mode":"paused"}`)
	want("a user-admin pauses a connection", http.StatusForbidden, status)

	if keys, err := d.Keys(ctx, "acme"); err != nil || len(keys) != 2 || keys[0] != root.Key || keys[1] != uma.Key {
		t.Errorf("keys: %+v, %v", keys, err)
	}
	if err := d.RevokeKey(ctx, "acme", root.ID); err != nil {
		t.Fatal(err)
	}
	status, _ = d.network(t, "GET", account, root.Secret, "")
	want("a revoked key", http.StatusUnauthorized, status)
	d.handler.clock = func() time.Time { return now.Add(time.Hour) }
	status, _ = d.network(t, "GET", account, uma.Secret, "")
	want("one whose time is over", http.StatusUnauthorized, status)
	d.handler.clock = func() time.Time { return now }
	status, _ = d.network(t, "GET", account, uma.Secret, "")
	want("before that", http.StatusOK, status)
	if err := d.RemoveAdmin(ctx, "acme", "uma"); err != nil {
		t.Fatal(err)
	}
	status, _ = d.network(t, "GET", account, uma.Secret, "")
	want("the key of an admin who is gone", http.StatusUnauthorized, status)

	_, err = d.CreateKey(ctx, "acme", NewKey{Admin: "nobody"})
	wantProblem(t, "a key of nobody", err, http.StatusNotFound)
	_, err = d.CreateKey(ctx, "acme", NewKey{Admin: "root", Expires: now})
	wantProblem(t, "a key that is over", err, http.StatusBadRequest)
	wantProblem(t, "no key", d.RevokeKey(ctx, "acme", "none"), http.StatusNotFound)
}
