package sso_test

import (
	"net/http"
	"testing"
	"time"

	"usher/sso/ssotest"
	"usher/store"
)

// TestH10: a token without a key's name is taken if one of several keys has signed it.
func TestH10(t *testing.T) {
	w := newWorld(t)
	keys := []*ssotest.Key{w.idp.NewKey("RS256"), w.idp.NewKey("RS256"), w.idp.NewKey("ES256")}
	w.idp.SetKeys(keys...)
	w.idp.SetSigner(keys[1])
	w.idp.EditToken(func(t *ssotest.Token) { t.Header.Delete("kid") })
	b := w.browser()
	b.wantIn("one of several", b.signIn(alice))
	stranger := w.idp.NewKey("RS256")
	w.idp.SetSigner(stranger)
	b = w.browser()
	if a := b.signIn(alice); a.StatusCode != http.StatusBadRequest || w.lastRefusal() != "idp_token_invalid.sig" {
		t.Errorf("a key that is not published: %d %s", a.StatusCode, w.lastRefusal())
	}
}

// TestH20: a provider that changes its key, even just before it signs, costs one more look at its keys.
func TestH20(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	b.wantIn("before", b.signIn(alice))
	if n := w.idp.Hits("jwks"); n != 1 {
		t.Errorf("keys were fetched %d times, want once", n)
	}
	address := b.begin()
	w.idp.SetKeys(w.idp.NewKey("RS256"))
	b.wantIn("just after", b.do(w.idp.Authorize(address, alice).Request()))
	if n := w.idp.Hits("jwks"); n != 2 {
		t.Errorf("keys were fetched %d times, want twice", n)
	}
}

// TestH21: a key that is not published any more ends with the life of the keys that are remembered.
func TestH21(t *testing.T) {
	w := newWorld(t)
	old := w.idp.Keys()[0]
	b := w.browser()
	b.wantIn("before", b.signIn(alice))
	w.idp.SetKeys(w.idp.NewKey("RS256"))
	w.idp.SetSigner(old)
	w.pass(11 * time.Minute)
	if a := w.browser().signIn(alice); a.StatusCode != http.StatusBadRequest || w.lastRefusal() != "idp_token_invalid.sig" {
		t.Errorf("a revoked key: %d %s", a.StatusCode, w.lastRefusal())
	}
}

// TestH22: tokens with unknown keys, which anybody can send, have the keys fetched once in half a minute.
func TestH22(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	b.wantIn("before", b.signIn(alice))
	const tokens = 100
	for i := range tokens {
		k := ssotest.NewKey("ES256")
		raw := w.idp.LogoutToken(func(t *ssotest.Token) { t.SignBy(k) })
		if a := b.post("/sso/acme/okta/backchannel-logout", form("logout_token", raw)); a.StatusCode != http.StatusBadRequest {
			t.Fatalf("%d: %d", i, a.StatusCode)
		}
	}
	if n := w.idp.Hits("jwks"); n != 2 {
		t.Errorf("keys were fetched %d times, want once and once more", n)
	}
	w.pass(31 * time.Second)
	b.post("/sso/acme/okta/backchannel-logout", form("logout_token", w.idp.LogoutToken(func(t *ssotest.Token) { t.SignBy(ssotest.NewKey("ES256")) })))
	if n := w.idp.Hits("jwks"); n != 3 {
		t.Errorf("half a minute later they were fetched %d times, want 3", n)
	}
}

// TestH23: what else there may be among the keys does no harm; what is no set of keys, or too much, is as good as none.
func TestH23(t *testing.T) {
	add := func(more ...any) func(map[string]any) {
		return func(doc map[string]any) { doc["keys"] = append(more, doc["keys"].([]any)...) }
	}
	for name, keys := range map[string]map[string]any{
		"malformed": ssotest.MalformedJWK(), "Ed448": ssotest.Ed448JWK(), "oct": ssotest.OctJWK("o", []byte("secret")),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.idp.EditJWKS(add(keys))
			b := w.browser()
			b.wantIn(name, b.signIn(alice))
		})
	}
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })
	for name, serve := range map[string]func(w *world){
		"10,000 keys": func(w *world) { w.idp.EditJWKS(add(ssotest.ManyJWKs(10_000)...)) },
		"none":        func(w *world) { w.idp.EditJWKS(func(doc map[string]any) { doc["keys"] = []any{} }) },
		"500":         func(w *world) { w.idp.Serve("jwks", ssotest.Status(500)) },
		"HTML":        func(w *world) { w.idp.Serve("jwks", ssotest.HTML()) },
		"20 MiB":      func(w *world) { w.idp.Serve("jwks", ssotest.Padded(w.idp.Handler("jwks"), 20<<20)) },
		"slow":        func(w *world) { w.idp.Serve("jwks", ssotest.Drip(10*time.Millisecond)) },
		"never":       func(w *world) { w.idp.Serve("jwks", ssotest.Hang(release)) },
		"broken off":  func(w *world) { w.idp.Serve("jwks", ssotest.Abort()) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, impatient)
			serve(w)
			b := w.browser()
			begun := time.Now()
			b.wantRefused(name, b.signIn(alice), http.StatusServiceUnavailable, "idp_unavailable")
			if took := time.Since(begun); took > 10*time.Second {
				t.Errorf("it took %s", took)
			}
		})
	}
}

// TestH23_remembered: while the keys cannot be fetched, those of before are good for a day.
func TestH23_remembered(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	b.wantIn("before", b.signIn(alice))
	w.idp.Serve("jwks", ssotest.Status(500))
	w.pass(23 * time.Hour)
	b.wantIn("for a day", b.signIn(alice))
	w.pass(2 * time.Hour)
	if a := w.browser().signIn(alice); a.StatusCode != http.StatusServiceUnavailable || w.lastRefusal() != "idp_unavailable" {
		t.Errorf("after a day: %d %s", a.StatusCode, w.lastRefusal())
	}
	w.idp.Serve("jwks", nil)
	w.pass(11 * time.Second)
	b = w.browser()
	b.wantIn("when they are there again", b.signIn(alice))
}

// TestH25: another address of the keys is found when the metadata are not fresh any more.
func TestH25(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	b.wantIn("before", b.signIn(alice))
	moved := w.idp.NewKey("RS256")
	w.idp.SetSigner(moved)
	w.idp.Serve("other", func(rw http.ResponseWriter, _ *http.Request) {
		ssotest.Body(200, "application/json", `{"keys":[`+w.json(moved.JWK())+`]}`)(rw, nil)
	})
	w.idp.EditDiscovery(func(doc map[string]any) { doc["jwks_uri"] = w.idp.Issuer() + "/keys/of/tomorrow" })
	w.pass(61 * time.Minute)
	b.wantIn("afterwards", b.signIn(alice))
}

// TestH40: of two companies at the same identity provider each lets in its own people only, each time to itself.
func TestH40(t *testing.T) {
	w := newWorld(t)
	globex := w.addCompany("globex")
	w.connect(globex, "okta", w.idp)
	b := w.browser()
	acme := w.idp.Authorize(b.begin(), alice)
	acme.RedirectURI = w.server.URL + "/sso/globex/okta/callback"
	a := b.do(acme.Request())
	if codes := w.refusalsOf(globex); a.StatusCode != http.StatusBadRequest || len(codes) != 1 || codes[0] != "state_company" {
		t.Errorf("acme's answer at globex: %d %v", a.StatusCode, codes)
	}
	if n := w.idp.Hits("token"); n != 0 {
		t.Errorf("%d token requests, want none", n)
	}
	to := b.get("/sso/globex").location()
	if a = b.do(w.idp.Authorize(to, alice).Request()); a.StatusCode != http.StatusForbidden {
		t.Errorf("acme's person at globex: %d", a.StatusCode)
	}
	if codes := w.refusalsOf(globex); codes[len(codes)-1] != "not_provisioned" {
		t.Errorf("acme's person at globex: %v", codes)
	}
	b.wantIn("at acme", b.signIn(alice))
}

// TestH28_others: a provider that hangs holds up nobody else's.
func TestH28_others(t *testing.T) {
	w := newWorld(t)
	release := make(chan struct{})
	defer close(release)
	slow := ssotest.New(t)
	slow.Serve("discovery", ssotest.Hang(release))
	globex := w.addCompany("globex")
	w.connect(globex, "slow", slow, func(s *store.SignOn) { s.State = store.SignOnActive })
	done := make(chan answer)
	go func() { done <- w.browser().get("/sso/globex") }()
	begun := time.Now()
	b := w.browser()
	b.wantIn("the other company", b.signIn(alice))
	if took := time.Since(begun); took > 4*time.Second {
		t.Errorf("it took %s", took)
	}
	if a := <-done; a.StatusCode != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" {
		t.Errorf("the company whose provider hangs: %d", a.StatusCode)
	}
}
