package sso_test

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"usher/sso"
	"usher/sso/ssotest"
	"usher/store"
)

// TestH24: metadata must be those of the very issuer that the connection names, to the letter.
func TestH24(t *testing.T) {
	for name, issuer := range map[string]func(string) string{
		"other":  func(string) string { return "https://evil.example" },
		"slash":  func(is string) string { return is + "/" },
		"case":   func(is string) string { return strings.Replace(is, "http:", "HTTP:", 1) },
		"port":   func(is string) string { return is + "0" },
		"absent": func(string) string { return "" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.idp.EditDiscovery(func(doc map[string]any) { doc["issuer"] = issuer(w.idp.Issuer()) })
			b := w.browser()
			b.wantRefused("sign-in", b.get("/sso/acme"), http.StatusServiceUnavailable, "discovery_issuer")
			checks := w.handler.Probe(t.Context(), w.connection("okta"))
			if last := checks[len(checks)-1]; last.Passed || last.Code != "discovery_issuer" {
				t.Errorf("the check at saving: %+v", last)
			}
		})
	}
}

// TestH26: metadata may name only endpoints that can be asked.
func TestH26(t *testing.T) {
	for _, field := range []string{"authorization_endpoint", "token_endpoint", "jwks_uri"} {
		for name, value := range map[string]any{
			"javascript": "javascript:alert(1)", "file": "file:///etc/passwd", "plain http": "http://idp.example/x", "user name": "https://a@idp.example/",
			"private": "https://10.1.2.3/x", "metadata service": "http://169.254.169.254/latest", "mapped": "https://[::ffff:10.0.0.1]/",
			"empty": "", "no host": "https:///x", "fragment": "https://idp.example/#x",
		} {
			t.Run(field+" "+name, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				w.idp.EditDiscovery(func(doc map[string]any) { doc[field] = value })
				b := w.browser()
				b.wantRefused(name, b.get("/sso/acme"), http.StatusServiceUnavailable, "discovery_endpoint")
			})
		}
		t.Run(field+" missing", func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.idp.EditDiscovery(func(doc map[string]any) { delete(doc, field) })
			b := w.browser()
			b.wantRefused("missing", b.get("/sso/acme"), http.StatusServiceUnavailable, "discovery_endpoint")
		})
	}
}

// TestH27: nothing is asked that is inside, whatever leads there.
func TestH27(t *testing.T) {
	t.Run("redirects", func(t *testing.T) {
		canary := ssotest.Canary(t)
		for _, status := range []int{301, 302, 303, 307, 308} {
			w := newWorld(t)
			w.idp.Serve("discovery", ssotest.Redirect(status, canary.URL+"/.well-known/openid-configuration"))
			b := w.browser()
			b.wantRefused("redirect", b.get("/sso/acme"), http.StatusServiceUnavailable, "idp_unavailable")
		}
	})
	// Without leave to, this machine is not asked; a name is looked at when it has been resolved.
	for _, host := range []string{"127.0.0.1", "localhost", "[::1]", "0.0.0.0", "[::ffff:127.0.0.1]", "169.254.169.254", "10.0.0.1", "192.168.1.1", "100.64.0.1"} {
		t.Run(host, func(t *testing.T) {
			t.Parallel()
			canary := ssotest.Canary(t)
			w := newWorld(t, func(c *sso.Config) { c.Network = sso.Network{} })
			port := canary.Listener.Addr().String()
			port = port[strings.LastIndexByte(port, ':'):]
			w.set(func(s *store.SignOn) { s.Issuer = "https://" + host + port })
			b := w.browser()
			b.wantRefused(host, b.get("/sso/acme"), http.StatusServiceUnavailable, "ssrf_blocked")
		})
	}
	t.Run("allowed", func(t *testing.T) {
		allowed := sso.Network{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
		w := newWorld(t, func(c *sso.Config) { c.Network = allowed })
		b := w.browser()
		// Plain http it is not, though the network is allowed.
		b.wantRefused("plain http", b.get("/sso/acme"), http.StatusServiceUnavailable, "discovery_endpoint")
	})
}

// TestH28: metadata that never end, or never come, end the sign-in within some seconds.
func TestH28(t *testing.T) {
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })
	for name, serve := range map[string]func(w *world){
		"64 MiB":    func(w *world) { w.idp.Serve("discovery", ssotest.Padded(w.idp.Handler("discovery"), 64<<20)) },
		"gzip bomb": func(w *world) { w.idp.Serve("discovery", ssotest.GzipBomb(64<<20)) },
		"never":     func(w *world) { w.idp.Serve("discovery", ssotest.Hang(release)) },
		"slow":      func(w *world) { w.idp.Serve("discovery", ssotest.Drip(10*time.Millisecond)) },
		"HTML":      func(w *world) { w.idp.Serve("discovery", ssotest.HTML()) },
		"500":       func(w *world) { w.idp.Serve("discovery", ssotest.Status(500)) },
		"down":      func(w *world) { w.idp.Stop() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, impatient)
			serve(w)
			b := w.browser()
			begun := time.Now()
			b.wantRefused(name, b.get("/sso/acme"), http.StatusServiceUnavailable, "idp_unavailable")
			if took := time.Since(begun); took > 10*time.Second {
				t.Errorf("it took %s", took)
			}
			// Who comes next is told at once, and the provider is left alone for a while.
			hits := w.idp.Hits("discovery")
			b.wantRefused(name+" again", b.get("/sso/acme"), http.StatusServiceUnavailable, "idp_unavailable")
			if n := w.idp.Hits("discovery"); n != hits {
				t.Errorf("it was asked %d times more", n-hits)
			}
		})
	}
}

// TestH28_remembered: metadata are good for a day while the provider gives none.
func TestH28_remembered(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	b.wantIn("before", b.signIn(alice))
	w.idp.Serve("discovery", ssotest.Status(500))
	w.pass(23 * time.Hour)
	b.wantIn("for a day", b.signIn(alice))
	w.pass(2 * time.Hour)
	if a := w.browser().get("/sso/acme"); a.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("after a day: %d", a.StatusCode)
	}
	w.idp.Serve("discovery", nil)
	w.pass(11 * time.Second)
	b.wantIn("when it is back", b.signIn(alice))
}

// TestH41: an issuer that all tenants of Entra ID share is refused with advice, and a token of another tenant is no good.
func TestH41(t *testing.T) {
	for _, issuer := range []string{
		"https://login.microsoftonline.com/common/v2.0", "https://login.microsoftonline.com/organizations/v2.0",
		"https://login.microsoftonline.com/Consumers/v2.0", "https://login.microsoftonline.com/{tenantid}/v2.0", "https://login.microsoftonline.com/",
	} {
		s := store.SignOn{Issuer: issuer, ClientID: "x"}
		if err := sso.CheckSettings(&s); err == nil || !strings.Contains(err.Error(), "TENANT-ID") {
			t.Errorf("%s: %v", issuer, err)
		}
	}
	s := store.SignOn{Issuer: "https://login.microsoftonline.com/8b1c7f2e-0000-4000-8000-000000000000/v2.0", ClientID: "x"}
	if err := sso.CheckSettings(&s); err != nil {
		t.Error(err)
	}
}

func TestCheckSettings(t *testing.T) {
	good := func() store.SignOn { return store.SignOn{Issuer: "https://idp.example", ClientID: "usher"} }
	for name, tt := range map[string]struct {
		edit func(*store.SignOn)
		says string
	}{
		"no issuer":      {func(s *store.SignOn) { s.Issuer = "" }, "issuer is missing"},
		"no address":     {func(s *store.SignOn) { s.Issuer = "acme.okta.com" }, "not an issuer"},
		"discovery":      {func(s *store.SignOn) { s.Issuer += "/.well-known/openid-configuration" }, "https://idp.example"},
		"no client":      {func(s *store.SignOn) { s.ClientID = "" }, "client id is missing"},
		"authentication": {func(s *store.SignOn) { s.ClientAuth = "none" }, "client_auth"},
		"claim":          {func(s *store.SignOn) { s.MatchClaim = "email" }, "match_claim"},
		"algorithm":      {func(s *store.SignOn) { s.Algorithms = []string{"HS256"} }, "HS256"},
		"no algorithm":   {func(s *store.SignOn) { s.Algorithms = []string{"none"} }, "none"},
		"refresh tokens": {func(s *store.SignOn) { s.Scopes = []string{"offline_access"} }, "refresh tokens"},
		"scope":          {func(s *store.SignOn) { s.Scopes = []string{"a b"} }, "not a scope"},
		"state":          {func(s *store.SignOn) { s.State = "live" }, "state"},
		"age":            {func(s *store.SignOn) { s.MaxAge = -1 }, "max_age"},
	} {
		s := good()
		tt.edit(&s)
		if err := sso.CheckSettings(&s); err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	s := good()
	if err := sso.CheckSettings(&s); err != nil || s.ClientAuth != sso.AuthBasic || s.MatchClaim != "sub" || s.ResponseMode != "query" || s.State != store.SignOnDraft {
		t.Errorf("%+v, %v", s, err)
	}
}
