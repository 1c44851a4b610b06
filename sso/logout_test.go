package sso_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"usher/sso"
	"usher/sso/ssotest"
	"usher/store"
)

const logoutPath = "/sso/acme/okta/backchannel-logout"

// logout sends a logout token to acme.
func (w *world) logout(edit func(*ssotest.Token)) answer {
	w.t.Helper()
	return w.browser().post(logoutPath, form("logout_token", w.idp.LogoutToken(edit)))
}

// signedIn is somebody who has signed in, and the identity provider's session.
func (w *world) signedIn(who ssotest.Person) (b *browser, sid string) {
	w.t.Helper()
	b = w.browser()
	answered := w.idp.Authorize(b.begin(), who)
	b.wantIn("before", b.do(answered.Request()))
	return b, answered.Session
}

func sid(value string) func(*ssotest.Token) {
	return func(t *ssotest.Token) { t.Claims.Set("sid", value) }
}

func TestB01_bySession(t *testing.T) {
	w := newWorld(t)
	b, session := w.signedIn(alice)
	other, _ := w.signedIn(alice)
	if a := w.logout(sid(session)); a.StatusCode != http.StatusOK || a.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%d %v", a.StatusCode, a.Header)
	}
	if status, reason := b.session(); status != http.StatusUnauthorized || reason != "session_ended" {
		t.Errorf("the session: %d %s", status, reason)
	}
	if status, _ := other.session(); status != http.StatusOK {
		t.Errorf("another session of the same person: %d", status)
	}
}

func TestB02_bySubject(t *testing.T) {
	w := newWorld(t)
	b, _ := w.signedIn(alice)
	other, _ := w.signedIn(alice)
	if a := w.logout(func(t *ssotest.Token) { t.Claims.Delete("sid") }); a.StatusCode != http.StatusOK {
		t.Errorf("%d %s", a.StatusCode, a.text)
	}
	for _, b := range []*browser{b, other} {
		if status, _ := b.session(); status != http.StatusUnauthorized {
			t.Errorf("a session: %d", status)
		}
	}
}

// TestBackchannel_refused has the tokens that end nothing.
func TestBackchannel_refused(t *testing.T) {
	event := func(value any) func(*ssotest.Token) {
		return func(t *ssotest.Token) { t.Claims.Set("events", map[string]any{ssotest.LogoutEvent: value}) }
	}
	set := func(name string, value any) func(*ssotest.Token) {
		return func(t *ssotest.Token) { t.Claims.Set(name, value) }
	}
	drop := func(name string) func(*ssotest.Token) { return func(t *ssotest.Token) { t.Claims.Delete(name) } }
	in := func(name string, d time.Duration) func(*ssotest.Token) { return set(name, time.Now().Add(d).Unix()) }
	for name, tt := range map[string]struct {
		edit func(*ssotest.Token)
		code string
	}{
		"B03 nobody": {func(t *ssotest.Token) {
			t.Claims.Delete("sid")
			t.Claims.Delete("sub")
		}, "sub"},
		"B03 sid number":        {set("sid", 1), "sub"},
		"B04 alg none":          {func(t *ssotest.Token) { t.Unsigned("none") }, "alg"},
		"B04 HS256":             {func(t *ssotest.Token) { t.SignHMAC([]byte(ssotest.ClientSecret)) }, "alg"},
		"B04 foreign key":       {func(t *ssotest.Token) { t.SignBy(ssotest.NewKey("ES256")) }, "sig"},
		"B05 iss":               {set("iss", "https://evil.example"), "iss"},
		"B05 aud":               {set("aud", "other"), "aud"},
		"B05 several aud":       {set("aud", []any{ssotest.ClientID, "other"}), "azp"},
		"B06 no events":         {drop("events"), "events"},
		"B06 another event":     {set("events", map[string]any{"urn:other": map[string]any{}}), "events"},
		"B06 event null":        {event(nil), "events"},
		"B06 event text":        {event("x"), "events"},
		"B07 nonce":             {set("nonce", "n"), "nonce"},
		"B08 no jti":            {drop("jti"), "jti"},
		"B08 jti empty":         {set("jti", ""), "jti"},
		"B09 no iat":            {drop("iat"), "iat"},
		"B09 iat in an hour":    {in("iat", time.Hour), "iat"},
		"B09 no exp":            {drop("exp"), "exp"},
		"B09 exp in an hour":    {in("exp", time.Hour), "exp"},
		"B09 expired":           {in("exp", -10*time.Minute), "exp"},
		"B10 typ at+jwt":        {func(t *ssotest.Token) { t.Header.Set("typ", "at+jwt") }, "typ"},
		"B14 JSON form":         {func(t *ssotest.Token) { t.Serialise = ssotest.Flattened }, "format"},
		"B14 sub twice":         {func(t *ssotest.Token) { t.Claims.Append("Sub", "bob") }, "format"},
		"B14 more than 32 KiB":  {set("padding", strings.Repeat("x", 40<<10)), "format"},
		"B14 header with a key": {func(t *ssotest.Token) { t.Header.Set("jku", "https://evil.example") }, "header"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			b, session := w.signedIn(alice)
			a := w.logout(func(token *ssotest.Token) {
				sid(session)(token)
				tt.edit(token)
			})
			if a.StatusCode != http.StatusBadRequest || w.lastRefusal() != "idp_token_invalid."+tt.code {
				t.Errorf("%d %q, want 400 %q", a.StatusCode, w.lastRefusal(), tt.code)
			}
			if strings.Contains(a.text, "<") || a.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("answer %s", a.text)
			}
			if status, reason := b.session(); status != http.StatusOK {
				t.Errorf("the session: %d %s", status, reason)
			}
		})
	}
}

// TestB08_replayed: a token ends sessions once.
func TestB08_replayed(t *testing.T) {
	w := newWorld(t)
	b, session := w.signedIn(alice)
	raw := w.idp.LogoutToken(func(t *ssotest.Token) {
		sid(session)(t)
		t.Claims.Delete("sid")
	})
	if a := w.browser().post(logoutPath, form("logout_token", raw)); a.StatusCode != http.StatusOK {
		t.Fatalf("%d %s", a.StatusCode, a.text)
	}
	if status, _ := b.session(); status != http.StatusUnauthorized {
		t.Errorf("the session: %d", status)
	}
	later, _ := w.signedIn(alice)
	if a := w.browser().post(logoutPath, form("logout_token", raw)); a.StatusCode != http.StatusBadRequest || w.lastRefusal() != "idp_token_invalid.jti" {
		t.Errorf("again: %d %s", a.StatusCode, w.lastRefusal())
	}
	if status, _ := later.session(); status != http.StatusOK {
		t.Errorf("the session that was opened since: %d", status)
	}
}

// TestB10_types: the type that the standard names is taken, and older ones unless the connection is strict.
func TestB10_types(t *testing.T) {
	w := newWorld(t)
	typ := func(value string) func(*ssotest.Token) {
		return func(t *ssotest.Token) {
			if value == "" {
				t.Header.Delete("typ")
			} else {
				t.Header.Set("typ", value)
			}
		}
	}
	for _, strict := range []bool{false, true} {
		w.set(func(s *store.SignOn) { s.StrictLogout = strict })
		for value, want := range map[string]int{
			"logout+jwt": 200, "LOGOUT+JWT": 200,
			"JWT": map[bool]int{false: 200, true: 400}[strict], "": map[bool]int{false: 200, true: 400}[strict],
			"secevent+jwt": 400,
		} {
			if a := w.logout(typ(value)); a.StatusCode != want {
				t.Errorf("typ %q, strict %t: %d, want %d", value, strict, a.StatusCode, want)
			}
		}
	}
}

// TestB11: an ID token is no logout token.
func TestB11(t *testing.T) {
	w := newWorld(t)
	b, session := w.signedIn(alice)
	for name, edit := range map[string]func(*ssotest.Token){
		"as it is":        sid(session),
		"without a nonce": func(t *ssotest.Token) { sid(session)(t); t.Claims.Delete("nonce"); t.Claims.Set("jti", "x") },
	} {
		raw := w.idp.IDToken(edit)
		if a := w.browser().post(logoutPath, form("logout_token", raw)); a.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %d", name, a.StatusCode)
		}
	}
	if status, _ := b.session(); status != http.StatusOK {
		t.Errorf("the session: %d", status)
	}
}

// TestB12: a token ends sessions of its own connection only.
func TestB12(t *testing.T) {
	w := newWorld(t)
	globex := w.addCompany("globex")
	w.connect(globex, "okta", w.idp)
	w.connect(w.company, "second", w.idp)
	b := w.browser()
	answered := w.idp.Authorize(b.get("/sso/acme?connection=okta").location(), alice)
	b.wantIn("before", b.do(answered.Request()))
	for _, path := range []string{"/sso/globex/okta/backchannel-logout", "/sso/acme/second/backchannel-logout"} {
		if a := w.browser().post(path, form("logout_token", w.idp.LogoutToken(sid(answered.Session)))); a.StatusCode != http.StatusOK {
			t.Errorf("%s: %d %s", path, a.StatusCode, a.text)
		}
	}
	if status, _ := b.session(); status != http.StatusOK {
		t.Errorf("the session: %d", status)
	}
}

// TestB13: requests that are not what the standard asks for.
func TestB13(t *testing.T) {
	w := newWorld(t)
	raw := w.idp.LogoutToken(nil)
	b := w.browser()
	if a := b.get(logoutPath + "?logout_token=" + raw); a.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("GET: %d", a.StatusCode)
	}
	for name, tt := range map[string]struct {
		query  string
		form   url.Values
		status int
	}{
		"no token":     {"", form(), 400},
		"empty":        {"", form("logout_token", ""), 400},
		"twice":        {"", form("logout_token", raw, "logout_token", raw), 400},
		"in the query": {"?logout_token=" + raw, form("logout_token", raw), 400},
		"too large":    {"", form("logout_token", raw, "x", strings.Repeat("x", 70<<10)), 413},
	} {
		if a := b.post(logoutPath+tt.query, tt.form); a.StatusCode != tt.status {
			t.Errorf("%s: %d, want %d", name, a.StatusCode, tt.status)
		}
	}
	if a := b.post("/sso/nobody/okta/backchannel-logout", form("logout_token", raw)); a.StatusCode != http.StatusNotFound {
		t.Errorf("no such company: %d", a.StatusCode)
	}
}

// TestB14: who has no session here is signed out as well as can be.
func TestB14(t *testing.T) {
	w := newWorld(t)
	if a := w.logout(sid("unknown")); a.StatusCode != http.StatusOK {
		t.Errorf("%d %s", a.StatusCode, a.text)
	}
}

// TestB15: no answer is kept by anybody in between.
func TestB15(t *testing.T) {
	w := newWorld(t)
	for name, a := range map[string]answer{
		"good": w.logout(nil), "bad": w.logout(func(t *ssotest.Token) { t.Unsigned("none") }),
	} {
		if got := a.Header.Get("Cache-Control"); got != "no-store" {
			t.Errorf("%s: Cache-Control %q", name, got)
		}
	}
}

// TestB16: a flood of tokens is refused, of one connection alone.
func TestB16(t *testing.T) {
	w := newWorld(t, func(c *sso.Config) { c.Rates.Logouts = 5 })
	w.connect(w.company, "second", w.idp)
	var codes []int
	for range 7 {
		codes = append(codes, w.logout(nil).StatusCode)
	}
	if got := fmt.Sprint(codes); got != "[200 200 200 200 200 429 429]" {
		t.Errorf("answers %s", got)
	}
	a := w.browser().post("/sso/acme/second/backchannel-logout", form("logout_token", w.idp.LogoutToken(nil)))
	if a.StatusCode != http.StatusOK {
		t.Errorf("another connection: %d", a.StatusCode)
	}
}

// TestSignOut: the session here ends first, then the person is sent to end the one there.
func TestSignOut(t *testing.T) {
	w := newWorld(t)
	b, _ := w.signedIn(alice)
	a := b.post("/sso/logout", nil)
	u, err := url.Parse(a.location())
	if err != nil || a.StatusCode != http.StatusSeeOther || !strings.HasPrefix(a.location(), w.idp.Issuer()) {
		t.Fatalf("%d to %s", a.StatusCode, a.location())
	}
	q := u.Query()
	if q.Get("client_id") != ssotest.ClientID || q.Get("post_logout_redirect_uri") != w.server.URL+"/sso/signed-out" || q.Get("state") == "" || strings.Count(q.Get("id_token_hint"), ".") != 2 {
		t.Errorf("sent with %v", q)
	}
	if w.sessions() != 0 {
		t.Error("the session is still there")
	}
	if a = b.get("/sso/signed-out?state=" + q.Get("state")); !strings.Contains(a.text, "You are signed out.") {
		t.Errorf("back: %s", a.text)
	}
	b, _ = w.signedIn(alice)
	b.post("/sso/logout", nil)
	if a = b.get("/sso/signed-out?state=another"); !strings.Contains(a.text, "is not known") {
		t.Errorf("back with another state: %s", a.text)
	}
	if a = b.post("/sso/logout", nil); a.location() != "/sso/signed-out" {
		t.Errorf("without a session: to %q", a.location())
	}
	// The provider is down: that keeps nobody here.
	b, _ = w.signedIn(alice)
	w.idp.Stop()
	w.pass(2 * time.Hour)
	if a = b.post("/sso/logout", nil); a.StatusCode != http.StatusSeeOther {
		t.Errorf("while the provider is down: %d", a.StatusCode)
	}
	// Another site's page cannot sign somebody out.
	r, err := http.NewRequest(http.MethodPost, w.server.URL+"/sso/logout", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	if a = b.do(r); a.StatusCode != http.StatusBadRequest {
		t.Errorf("from another site: %d", a.StatusCode)
	}
}
