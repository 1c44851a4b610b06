package sso_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"usher/licensing"
	"usher/sso"
	"usher/sso/ssotest"
	"usher/store"
)

// limited has the limits of a server.
func limited(c *sso.Config) { c.Rates = sso.Rates{} }

// stopped has a clock that stands, so that nothing is given back of what was used up.
func stopped(c *sso.Config) {
	now := c.Clock()
	c.Clock = func() time.Time { return now }
}

func (w *world) events() int {
	w.t.Helper()
	w.handler.Settle()
	all, err := w.store.ListEvents(w.t.Context(), w.company.ID, 0, 100_000)
	if err != nil {
		w.t.Fatal(err)
	}
	return len(all)
}

// TestStranger_floods: what strangers can have written to an audit log is bounded.
func TestStranger_floods(t *testing.T) {
	const tries = 400
	for name, try := range map[string]func(b *browser, i int){
		"initiate":    func(b *browser, _ int) { b.get("/sso/acme/initiate?iss=https://evil.example") },
		"keys":        func(b *browser, _ int) { b.get("/sso/acme/nothing/jwks.json") },
		"start":       func(b *browser, _ int) { b.get("/sso/acme?connection=nothing") },
		"answers":     func(b *browser, _ int) { b.get("/sso/acme/okta/callback") },
		"logouts":     func(b *browser, _ int) { b.post(logoutPath, form("logout_token", "junk")) },
		"one's login": func(b *browser, _ int) { b.post("/signin", form("company", "acme", "user", "u", "password", "x")) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, limited, stopped)
			was := w.events()
			b := w.browser()
			for i := range tries {
				try(b, i)
			}
			const minute = 60 // what is noted in one
			if n := w.events() - was; n > minute {
				t.Errorf("%d requests wrote %d events", tries, n)
			}
		})
	}
	// However many networks they come from.
	w := newWorld(t, func(c *sso.Config) { c.Rates = sso.Rates{Callbacks: many} }, stopped)
	was := w.events()
	for i := range tries {
		w.browser().post("/signin", form("company", "acme", "user", fmt.Sprint("u", i), "password", "x"))
	}
	const minute = 300 // what is noted in one
	if n := w.events() - was; n > minute {
		t.Errorf("%d wrong passwords wrote %d events", tries, n)
	}
}

// TestStranger_enumeration: whether a company is unknown, cannot sign in or may not cannot be told from outside.
func TestStranger_enumeration(t *testing.T) {
	w := newWorld(t)
	w.set(func(s *store.SignOn) { s.State = store.SignOnDisabled })
	tierless := w.addCompany("tierless")
	w.connect(tierless, "okta", w.idp)
	free := licensing.TierFree
	w.apply(tierless, licensing.SetCompany{Tier: &free})
	w.addCompany("hidden")          // without any connection
	main := func(a answer) string { // without the reference and the nonce, which differ each time
		_, page, _ := strings.Cut(a.text, "<main")
		page, _, _ = strings.Cut(page, `<p class="ref">`)
		return page
	}
	for _, suffix := range []string{"", "?connection=x", "/initiate?iss=x", "/okta/callback", "/okta/callback?state=x&code=y", "/okta/test", "/okta/test?ticket=x", "/okta/jwks.json"} {
		want := w.browser().get("/sso/nobody" + suffix)
		for _, c := range []string{"acme", "tierless", "hidden"} {
			got := w.browser().get("/sso/" + c + suffix)
			if got.StatusCode != http.StatusNotFound || want.StatusCode != http.StatusNotFound || main(got) != main(want) {
				t.Errorf("GET /sso/%s%s: %d\n%s\nunknown company %d\n%s", c, suffix, got.StatusCode, main(got), want.StatusCode, main(want))
			}
		}
	}
	for _, c := range []string{"nobody", "acme", "tierless", "hidden"} {
		for _, f := range []string{"logout_token", "x"} {
			if a := w.browser().post("/sso/"+c+"/okta/backchannel-logout", form(f, "x")); a.StatusCode != http.StatusNotFound {
				t.Errorf("a logout token to %s: %d", c, a.StatusCode)
			}
		}
		a := w.browser().post("/sso", form("who", c))
		_, rest, _ := strings.Cut(a.text, `class="button" href="`)
		to, _, _ := strings.Cut(rest, `"`)
		if a = w.browser().get(strings.ReplaceAll(to, "&amp;", "&")); a.StatusCode != http.StatusNotFound {
			t.Errorf("looking for %s: %d to %q", c, a.StatusCode, a.location())
		}
	}
}

// TestStranger_starves: what strangers send keeps nobody from signing in or out.
func TestStranger_starves(t *testing.T) {
	w := newWorld(t, func(c *sso.Config) { c.Rates = sso.Rates{Starts: many, Callbacks: many} }) // as from many networks
	b := w.browser()
	to := b.begin()
	for range 400 {
		w.browser().get("/sso/acme/okta/callback")
		w.browser().post(logoutPath, form("logout_token", "junk"))
	}
	answered := w.idp.Authorize(to, alice)
	b.wantIn("after junk", b.do(answered.Request()))
	if a := w.logout(sid(answered.Session)); a.StatusCode != http.StatusOK {
		t.Errorf("a logout after junk: %d", a.StatusCode)
	}
	// A key that was changed is found, though a stranger has just had the keys fetched.
	b.wantIn("again", b.signIn(alice))
	w.logout(func(t *ssotest.Token) { t.SignBy(ssotest.NewKey("ES256")) })
	w.idp.SetKeys(w.idp.NewKey("RS256"))
	b.wantIn("by a new key", b.signIn(alice))
}

// TestStranger_state: who sees the state of a sign-in cannot spoil it.
func TestStranger_state(t *testing.T) {
	w := newWorld(t)
	w.connect(w.company, "second", w.idp)
	b := w.browser()
	answered := w.idp.Authorize(b.get("/sso/acme?connection=okta").location(), alice)
	w.browser().get("/sso/acme/second/callback?code=x&state=" + answered.Values.Get("state"))
	w.browser().do(answered.Request())
	head := answered.Request()
	head.Method = http.MethodHead
	if a := b.do(head); a.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("HEAD: %d", a.StatusCode)
	}
	b.wantIn("the person themself", b.do(answered.Request()))
}

// TestStranger_swap: another site's page cannot put somebody else in the place of who is signed in.
func TestStranger_swap(t *testing.T) {
	w := newWorld(t)
	globex := w.addCompany("globex")
	evil := ssotest.New(t)
	w.connect(globex, "evil", evil)
	w.apply(globex, licensing.CreateAccount{Draft: draft("mallory", licensing.VideoProPlus)})
	b := w.browser()
	b.wantIn("alice", b.signIn(alice))
	come := func(site, dest string) answer {
		r, err := http.NewRequest(http.MethodGet, w.server.URL+"/sso/globex", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Sec-Fetch-Site", site)
		r.Header.Set("Sec-Fetch-Dest", dest)
		return b.do(r)
	}
	if a := come("cross-site", "document"); a.StatusCode != http.StatusOK || !strings.Contains(a.text, "would be signed out there") {
		t.Errorf("from another site: %d to %q", a.StatusCode, a.location())
	}
	if a := come("cross-site", "image"); a.StatusCode != http.StatusBadRequest {
		t.Errorf("as a picture: %d", a.StatusCode)
	}
	if status, _ := b.session(); status != http.StatusOK {
		t.Errorf("alice's session: %d", status)
	}
	// Nor by an answer that is held back until she has signed in.
	c := w.browser()
	held := evil.Authorize(c.get("/sso/globex").location(), ssotest.Person{Subject: "mallory"})
	c.wantIn("alice", c.signIn(alice))
	if a := c.do(held.Request()); a.StatusCode != http.StatusBadRequest {
		t.Errorf("an answer that was held back: %d to %q", a.StatusCode, a.location())
	}
	if status, _ := c.session(); status != http.StatusOK {
		t.Errorf("alice's session: %d", status)
	}
	c.post("/sso/logout", nil)
	a := come("same-origin", "document") // she has clicked
	if a = b.do(evil.Authorize(a.location(), ssotest.Person{Subject: "mallory"}).Request()); a.StatusCode != http.StatusSeeOther {
		t.Errorf("by her own click: %d", a.StatusCode)
	}
	if n := w.sessions(); n != 0 {
		t.Errorf("%d sessions at acme are left behind", n)
	}
}

// TestReplaced: a sign-in ends the session that the browser had, also where the answer comes without its cookie.
func TestReplaced(t *testing.T) {
	for _, mode := range []string{sso.ModeQuery, sso.ModeFormPost} {
		w := newWorld(t)
		w.set(func(s *store.SignOn) { s.ResponseMode = mode })
		b := w.browser()
		b.wantIn("first", b.signIn(alice))
		r := w.idp.Authorize(b.begin(), alice).Request()
		if mode == sso.ModeFormPost { // what a browser sends with a form of another site: only what is SameSite=None
			for _, c := range b.Jar.Cookies(r.URL) {
				if strings.HasPrefix(c.Name, "__Host-sso_tx_") {
					r.AddCookie(c)
				}
			}
			(&browser{&http.Client{CheckRedirect: b.CheckRedirect}, w}).do(r)
		} else {
			b.do(r)
		}
		if n := w.sessions(); n != 1 {
			t.Errorf("%s: %d sessions", mode, n)
		}
		if !strings.Contains(w.allEvents(), "replaced by another sign-in") {
			t.Errorf("%s: no event tells of it", mode)
		}
	}
}

func (w *world) allEvents() string {
	w.t.Helper()
	all, err := w.store.ListEvents(w.t.Context(), w.company.ID, 0, 1000)
	if err != nil {
		w.t.Fatal(err)
	}
	var b strings.Builder
	for _, e := range all {
		fmt.Fprintf(&b, "%s %s\n", e.Action, e.Detail)
	}
	return b.String()
}

// failing is a store that fails so many times.
type failing struct {
	sso.Store
	end, begin int
}

func (f *failing) EndSessionsOnce(ctx context.Context, company string, token store.LogoutToken, which store.SessionFilter, events []store.Event) (int, bool, error) {
	if f.end--; f.end >= 0 {
		return 0, false, errors.New("disk full")
	}
	return f.Store.EndSessionsOnce(ctx, company, token, which, events)
}

func (f *failing) BeginSignIn(ctx context.Context, s store.SignIn) error {
	if f.begin--; f.begin >= 0 {
		return errors.New("disk full")
	}
	return f.Store.BeginSignIn(ctx, s)
}

// TestStore_fails: what could not be done can be asked for again, and nobody is let in meanwhile.
func TestStore_fails(t *testing.T) {
	f := &failing{}
	w := newWorld(t, func(c *sso.Config) { f.Store, c.Store = c.Store, f })
	b, session := w.signedIn(alice)
	token := w.idp.LogoutToken(sid(session))
	f.end, f.begin = 1, 1
	first, second := w.browser().post(logoutPath, form("logout_token", token)), w.browser().post(logoutPath, form("logout_token", token))
	if status, _ := b.session(); first.StatusCode != http.StatusServiceUnavailable || second.StatusCode != http.StatusOK || status != http.StatusUnauthorized {
		t.Errorf("logout: first %d, then %d, the session is %d", first.StatusCode, second.StatusCode, status)
	}
	a := w.browser().get("/sso/acme")
	if a.StatusCode != http.StatusInternalServerError || !strings.Contains(a.text, "Reference for your administrator") || strings.Contains(a.text, "disk") {
		t.Errorf("%d %s", a.StatusCode, a.text)
	}
}

// TestProvider_another: metadata that were refused are not forgotten with the next request.
func TestProvider_another(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	b.wantIn("before", b.signIn(alice))
	w.pass(61 * time.Minute)
	w.idp.EditDiscovery(func(doc map[string]any) { doc["issuer"] = "https://evil.example" })
	for range 2 {
		if a := w.browser().get("/sso/acme"); a.StatusCode != http.StatusServiceUnavailable || w.lastRefusal() != "discovery_issuer" {
			t.Errorf("%d %s", a.StatusCode, w.lastRefusal())
		}
	}
	w.idp.Serve("discovery", ssotest.Status(500)) // and then it is down
	w.pass(time.Minute)
	if a := w.browser().get("/sso/acme"); a.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("down: %d to %q", a.StatusCode, a.location())
	}
}

// TestLogout_unknownSession: a token that names the person and a session of theirs ends those whose session there is not known.
func TestLogout_unknownSession(t *testing.T) {
	w := newWorld(t)
	w.idp.EditToken(func(t *ssotest.Token) { t.Claims.Delete("sid") })
	b, _ := w.signedIn(alice)
	w.logout(nil)
	if status, _ := b.session(); status != http.StatusUnauthorized {
		t.Errorf("the session: %d", status)
	}
}

// TestSignOut_hangs: nobody waits to be signed out for a provider that hangs.
func TestSignOut_hangs(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	b.wantIn("before", b.signIn(alice))
	for range 3 {
		w.pass(21 * time.Minute)
		b.session()
	}
	release := make(chan struct{})
	defer close(release)
	w.idp.Serve("discovery", ssotest.Hang(release))
	begun := time.Now()
	if a := b.post("/sso/logout", nil); a.StatusCode != http.StatusSeeOther || time.Since(begun) > 3*time.Second {
		t.Errorf("%d after %s", a.StatusCode, time.Since(begun))
	}
}

// TestPushed: the request is handed over beforehand where the provider takes it, and where it must be.
func TestPushed(t *testing.T) {
	for _, required := range []bool{false, true} {
		w := newWorld(t, impatient)
		w.idp.EnablePAR(required)
		w.idp.EditDiscovery(func(doc map[string]any) {
			doc["authorization_endpoint"] = doc["authorization_endpoint"].(string) + "?p=policy"
		})
		b := w.browser()
		address := b.begin()
		if !strings.Contains(address, "request_uri=") || !strings.Contains(address, "p=policy") || strings.Contains(address, "code_challenge") {
			t.Errorf("sent to %s", address)
		}
		w.idp.Serve("par", ssotest.Status(500))
		a := b.get("/sso/acme")
		if required && a.StatusCode != http.StatusServiceUnavailable || !required && !strings.Contains(a.location(), "code_challenge") {
			t.Errorf("required %t, and it fails: %d to %s", required, a.StatusCode, a.location())
		}
		if hits := w.idp.Hits("par"); !required {
			b.begin()
			if w.idp.Hits("par") != hits {
				t.Error("it is tried again at once")
			}
		}
	}
	w := newWorld(t)
	w.idp.EnablePAR(true)
	b := w.browser()
	b.wantIn("pushed", b.signIn(alice))
}

// TestShapes: tokens and keys as providers make them, which are odd and right.
func TestShapes(t *testing.T) {
	set := func(pairs ...any) func(*ssotest.Token) {
		return func(t *ssotest.Token) {
			for i := 0; i < len(pairs); i += 2 {
				t.Claims.Set(pairs[i].(string), pairs[i+1])
			}
		}
	}
	soon := time.Now().Add(time.Hour).Unix()
	for name, edit := range map[string]func(*ssotest.Token){
		"okta": func(t *ssotest.Token) {
			t.Header.Delete("typ")
			set("amr", []any{"pwd"}, "ver", 1, "jti", "x", "auth_time", time.Now().Unix())(t)
		},
		"entra": func(t *ssotest.Token) {
			t.Header.Set("x5t", "AAAAAAAAAAAAAAAAAAAAAAAAAAA")
			at := time.Now().Add(-5 * time.Minute).Unix()
			set("iat", at, "nbf", at, "_claim_names", map[string]any{"groups": "src1"},
				"_claim_sources", map[string]any{"src1": map[string]any{"endpoint": "https://graph.windows.net/x"}})(t)
		},
		"keycloak":  set("typ", "ID", "azp", ssotest.ClientID, "acr", "1", "nbf", 0, "auth_time", 0),
		"auth0":     set("exp", time.Now().Add(10*time.Hour).Unix(), "https://x/roles", []any{"a"}),
		"fractions": set("exp", ssotest.Raw(fmt.Sprintf("%d.5", soon))),
		"exponents": set("exp", ssotest.Raw(fmt.Sprintf("%.9e", float64(soon)))),
		"aud twice": set("aud", []any{ssotest.ClientID, ssotest.ClientID}),
		"long typ":  func(t *ssotest.Token) { t.Header.Set("typ", "application/jwt") },
		"nulls":     set("azp", nil, "nbf", nil),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.idp.EditToken(edit)
			b := w.browser()
			b.wantIn(name, b.signIn(alice))
		})
	}
	for name, value := range map[string]any{"x5c": []any{"MIIBgarbage"}, "x5t": "short", "x5u": "no address\x7f", "key_ops": []any{"verify"}} {
		w := newWorld(t)
		w.idp.EditJWKS(func(doc map[string]any) { doc["keys"].([]any)[0].(map[string]any)[name] = value })
		b := w.browser()
		b.wantIn("a key with "+name, b.signIn(alice))
	}
	w := newWorld(t)
	w.set(func(s *store.SignOn) { s.MaxAge = time.Hour })
	b := w.browser()
	b.wantIn("auth_time", b.signIn(alice))
	for what, at := range map[string]time.Duration{"long ago": -2 * time.Hour, "in the future": 1000 * time.Hour} {
		w.idp.EditToken(set("auth_time", time.Now().Add(at).Unix()))
		if a := w.browser().signIn(alice); a.StatusCode != http.StatusBadRequest || w.lastRefusal() != "idp_token_invalid.auth_time" {
			t.Errorf("auth_time %s: %d %s", what, a.StatusCode, w.lastRefusal())
		}
	}
}

// TestLinkRace: several browsers of one person come first at once.
func TestLinkRace(t *testing.T) {
	w := newWorld(t)
	var done sync.WaitGroup
	for range 8 {
		b := w.browser()
		r := w.idp.Authorize(b.begin(), alice).Request()
		done.Go(func() {
			if a := b.do(r); a.StatusCode != http.StatusSeeOther {
				t.Errorf("%d %s", a.StatusCode, w.lastRefusal())
			}
		})
	}
	done.Wait()
}
