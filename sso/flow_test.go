package sso_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"usher/licensing"
	"usher/sso"
	"usher/sso/ssotest"
	"usher/store"
)

// withoutMatch has tokens without the claim that accounts are matched by.
func withoutMatch(w *world) {
	w.set(func(s *store.SignOn) { s.MatchClaim = sso.MatchObject })
}

// TestH19: UserInfo is asked for the claim that the token lacks, of whoever is not linked yet, and must be about the same person.
func TestH19(t *testing.T) {
	for name, tt := range map[string]struct {
		serve  func(w *world)
		status int // 0: let in
		code   string
	}{
		"right":    {func(w *world) { w.idp.EditUserInfo(func(m map[string]any) { m["oid"] = "alice" }) }, 0, ""},
		"other":    {func(w *world) { w.idp.EditUserInfo(func(m map[string]any) { m["sub"], m["oid"] = "bob", "alice" }) }, 400, "userinfo_sub"},
		"no sub":   {func(w *world) { w.idp.EditUserInfo(func(m map[string]any) { delete(m, "sub"); m["oid"] = "alice" }) }, 400, "userinfo_sub"},
		"500":      {func(w *world) { w.idp.Serve("userinfo", ssotest.Status(500)) }, 503, "idp_unavailable.userinfo"},
		"HTML":     {func(w *world) { w.idp.Serve("userinfo", ssotest.HTML()) }, 503, "idp_unavailable.userinfo"},
		"signed":   {func(w *world) { w.idp.Serve("userinfo", ssotest.Body(200, "application/jwt", "a.b.c")) }, 503, "idp_unavailable.userinfo"},
		"no claim": {func(*world) {}, 403, "not_provisioned"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			withoutMatch(w)
			tt.serve(w)
			b := w.browser()
			a := b.signIn(alice)
			if tt.status == 0 {
				b.wantIn(name, a)
				// Who is linked needs no claim, so UserInfo is not asked, and does no harm.
				hits := w.idp.Hits("userinfo")
				w.idp.Serve("userinfo", ssotest.Status(500))
				b.wantIn("again", b.signIn(alice))
				if n := w.idp.Hits("userinfo"); n != hits {
					t.Error("UserInfo was asked though nothing of it is needed")
				}
				return
			}
			b.wantRefused(name, a, tt.status, tt.code)
		})
	}
	w := newWorld(t)
	w.idp.EditUserInfo(func(m map[string]any) { m["sub"] = "bob" })
	b := w.browser()
	b.wantIn("the token says enough", b.signIn(alice))
	if n := w.idp.Hits("userinfo"); n != 0 {
		t.Errorf("UserInfo was asked %d times", n)
	}
}

// TestH29: whatever the token endpoint does, the code is sent once, and to it alone.
func TestH29(t *testing.T) {
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })
	for name, tt := range map[string]struct {
		serve  func(w *world)
		status int
		code   string
	}{
		"307 elsewhere": {func(w *world) { w.idp.Serve("token", ssotest.Redirect(307, ssotest.Canary(w.t).URL)) }, 502, "token_endpoint"},
		"308 elsewhere": {func(w *world) { w.idp.Serve("token", ssotest.Redirect(308, ssotest.Canary(w.t).URL)) }, 502, "token_endpoint"},
		"500":           {func(w *world) { w.idp.Serve("token", ssotest.Status(500)) }, 503, "idp_unavailable.token_endpoint"},
		"HTML":          {func(w *world) { w.idp.Serve("token", ssotest.HTML()) }, 502, "token_endpoint"},
		"200 with error": {func(w *world) {
			w.idp.Serve("token", ssotest.Body(200, "application/json", `{"error":"invalid_grant"}`))
		}, 502, "token_endpoint"},
		"no access token": {func(w *world) { w.idp.EditTokenResponse(func(m map[string]any) { delete(m, "access_token") }) }, 502, "token_endpoint"},
		"no ID token":     {func(w *world) { w.idp.EditTokenResponse(func(m map[string]any) { delete(m, "id_token") }) }, 502, "token_endpoint.no_id_token"},
		"ID token number": {func(w *world) { w.idp.EditTokenResponse(func(m map[string]any) { m["id_token"] = 1 }) }, 502, "token_endpoint.no_id_token"},
		"mac":             {func(w *world) { w.idp.EditTokenResponse(func(m map[string]any) { m["token_type"] = "mac" }) }, 502, "token_endpoint.token_type"},
		"2 MiB":           {func(w *world) { w.idp.Serve("token", ssotest.Padded(w.idp.Handler("token"), 2<<20)) }, 503, ""},
		"never":           {func(w *world) { w.idp.Serve("token", ssotest.Hang(release)) }, 503, "idp_unavailable"},
		"broken off":      {func(w *world) { w.idp.Serve("token", ssotest.Abort()) }, 503, "idp_unavailable"},
		"wrong secret":    {func(w *world) { w.idp.SetClient(ssotest.ClientID, "another") }, 502, "token_endpoint"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, impatient)
			tt.serve(w)
			b := w.browser()
			a := b.signIn(alice)
			if tt.code == "" { // the library reads so much and no more
				if a.StatusCode < 500 || w.sessions() != 0 {
					t.Errorf("%d %s", a.StatusCode, w.lastRefusal())
				}
			} else {
				b.wantRefused(name, a, tt.status, tt.code)
			}
			if n := w.idp.Hits("token"); n != 1 {
				t.Errorf("%d token requests, want one", n)
			}
		})
	}
	w := newWorld(t)
	w.idp.EditTokenResponse(func(m map[string]any) { m["token_type"] = "bEARER" })
	b := w.browser()
	b.wantIn("the type in another case", b.signIn(alice))
}

// TestH30: the client proves who it is in the way that is set, and only in that.
func TestH30(t *testing.T) {
	for _, method := range []string{sso.AuthBasic, sso.AuthPost, sso.AuthPrivateKey} {
		for name, pair := range map[string][2]string{
			"plain": {"client", "secret"}, "signs": {"cli:ent %/+&=é", "se:cret %/+&=é日"},
		} {
			t.Run(method+" "+name, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				w.idp.SetClient(pair[0], pair[1])
				w.idp.SetAuthMethods(method)
				w.set(func(s *store.SignOn) {
					n := w.connection("okta")
					s.ClientID, s.ClientAuth = pair[0], method
					s.Secret = w.sealer.Seal(pair[1], sso.SecretOwner(w.company.ID, n.ID))
					if method == sso.AuthPrivateKey {
						w.idp.SetClientKey(w.newClientKey(s, n))
					}
				})
				b := w.browser()
				b.wantIn(method, b.signIn(alice))
				requests := w.idp.Requests("token")
				if len(requests) != 1 || requests[0].ClientAuth() != method {
					t.Errorf("%d requests, by %q", len(requests), requests[0].ClientAuth())
				}
			})
		}
	}
}

// TestH31: the answer may be a form that another site sends.
func TestH31(t *testing.T) {
	w := newWorld(t)
	w.set(func(s *store.SignOn) { s.ResponseMode = sso.ModeFormPost })
	b := w.browser()
	a := b.get("/sso/acme")
	if cookie := a.Header.Get("Set-Cookie"); !strings.Contains(cookie, "SameSite=None") || !strings.Contains(cookie, "Secure") || !strings.HasPrefix(cookie, "__Host-sso_tx_") {
		t.Errorf("cookie %s", cookie)
	}
	answered := w.idp.Authorize(a.location(), alice)
	r := answered.Request()
	r.Header.Set("Origin", "null")
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	if r.Method != http.MethodPost {
		t.Fatalf("the provider answers by %s", r.Method)
	}
	b.wantIn("form", b.do(r))
	b = w.browser()
	a = b.do(w.idp.Refuse(b.begin(), "access_denied", "no").Request())
	if a.StatusCode != http.StatusForbidden || w.lastRefusal() != "idp_error.access_denied" {
		t.Errorf("error: %d %s", a.StatusCode, w.lastRefusal())
	}
	answered = w.idp.Authorize(b.begin(), alice)
	if a = b.get(answered.RedirectURI + "?" + answered.Values.Encode()); a.StatusCode == http.StatusSeeOther {
		t.Error("an answer by GET is taken where a form is expected")
	}
}

// TestH32: an answer that does not say rightly whom it is from is refused before anybody is asked for a token.
func TestH32(t *testing.T) {
	for name, tt := range map[string]struct {
		edit func(w *world, v url.Values)
		code string
	}{
		"of another provider":    {func(w *world, v url.Values) { v.Set("iss", ssotest.New(w.t).Issuer()) }, "mixup.iss"},
		"absent though promised": {func(_ *world, v url.Values) { v.Del("iss") }, "mixup.iss"},
		"empty":                  {func(_ *world, v url.Values) { v.Set("iss", "") }, "mixup.iss"},
		"iss twice":              {func(_ *world, v url.Values) { v.Add("iss", "https://evil.example") }, "mixup.twice"},
		"state twice":            {func(_ *world, v url.Values) { v.Add("state", "x") }, "mixup.twice"},
		"code twice":             {func(_ *world, v url.Values) { v.Add("code", "x") }, "mixup.twice"},
		"error twice":            {func(_ *world, v url.Values) { v["error"] = []string{"a", "b"} }, "mixup.twice"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			b := w.browser()
			answered := w.idp.Authorize(b.begin(), alice)
			tt.edit(w, answered.Values)
			b.wantRefused(name, b.do(answered.Request()), http.StatusBadRequest, tt.code)
			if n := w.idp.Hits("token"); n != 0 {
				t.Errorf("%d token requests, want none", n)
			}
		})
	}
	w := newWorld(t)
	w.idp.EditDiscovery(func(doc map[string]any) { delete(doc, "authorization_response_iss_parameter_supported") })
	b := w.browser()
	answered := w.idp.Authorize(b.begin(), alice)
	answered.Values.Set("iss", "https://evil.example")
	b.wantRefused("wrong, and not promised", b.do(answered.Request()), http.StatusBadRequest, "mixup.iss")
	answered = w.idp.Authorize(b.begin(), alice)
	answered.Values.Del("iss")
	b.wantIn("absent, and not promised", b.do(answered.Request()))
}

// TestH33: an answer without a sign-in that was begun in the same browser, for the same company, and not long ago, is refused before
// anybody is asked for a token.
func TestH33(t *testing.T) {
	for name, tt := range map[string]struct {
		answer func(w *world, b *browser) answer
		code   string
	}{
		"missing": {func(w *world, b *browser) answer {
			answered := w.idp.Authorize(b.begin(), alice)
			answered.Values.Del("state")
			return b.do(answered.Request())
		}, "state_missing"},
		"unknown": {func(w *world, b *browser) answer {
			answered := w.idp.Authorize(b.begin(), alice)
			answered.Values.Set("state", "unknown")
			return b.do(answered.Request())
		}, "state_unknown"},
		"expired": {func(w *world, b *browser) answer {
			answered := w.idp.Authorize(b.begin(), alice)
			w.pass(10 * time.Minute)
			return b.do(answered.Request())
		}, "state_expired"},
		"another browser": {func(w *world, b *browser) answer {
			return w.browser().do(w.idp.Authorize(b.begin(), alice).Request())
		}, "state_browser"},
		"another browser with a sign-in of its own": {func(w *world, b *browser) answer {
			other := w.browser()
			other.begin()
			return other.do(w.idp.Authorize(b.begin(), alice).Request())
		}, "state_browser"},
		"another connection": {func(w *world, b *browser) answer {
			w.connect(w.company, "second", ssotest.New(w.t))
			answered := w.idp.Authorize(b.get("/sso/acme?connection=okta").location(), alice)
			answered.RedirectURI = strings.Replace(answered.RedirectURI, "/okta/", "/second/", 1)
			return b.do(answered.Request())
		}, "state_company"},
		"used by a refusal": {func(w *world, b *browser) answer {
			address := b.begin()
			b.do(w.idp.Refuse(address, "access_denied", "").Request())
			return b.do(w.idp.Authorize(address, alice).Request())
		}, "state_used"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			b := w.browser()
			b.wantRefused(name, tt.answer(w, b), http.StatusBadRequest, tt.code)
			if n := w.idp.Hits("token"); n != 0 {
				t.Errorf("%d token requests, want none", n)
			}
		})
	}
}

// TestH34: of many answers with one state one counts.
func TestH34(t *testing.T) {
	for i := range 10 {
		w := newWorld(t)
		b := w.browser()
		r := w.idp.Authorize(b.begin(), alice).Request()
		u, err := url.Parse(w.server.URL)
		if err != nil {
			t.Fatal(err)
		}
		cookies := b.Jar.Cookies(u)
		var in atomic.Int64
		var done sync.WaitGroup
		for range 8 {
			done.Go(func() {
				again := r.Clone(t.Context())
				for _, c := range cookies {
					again.AddCookie(c)
				}
				resp, err := http.DefaultTransport.RoundTrip(again)
				if err != nil {
					t.Error(err)
					return
				}
				resp.Body.Close()
				if resp.StatusCode == http.StatusSeeOther {
					in.Add(1)
				}
			})
		}
		done.Wait()
		if in.Load() != 1 || w.idp.Hits("token") != 1 || w.sessions() != 1 {
			t.Fatalf("round %d: %d let in, %d token requests, %d sessions", i, in.Load(), w.idp.Hits("token"), w.sessions())
		}
		if code := w.lastRefusal(); code != "state_used" {
			t.Errorf("the others: %q", code)
		}
	}
}

// TestH35: what the identity provider says is for the audit log, never for the page.
func TestH35(t *testing.T) {
	for code, status := range map[string]int{
		"access_denied": 403, "login_required": 403, "server_error": 403, "temporarily_unavailable": 403, "nonsense": 403,
	} {
		for name, description := range map[string]string{
			"script": `<script>alert("EVIL")</script>`, "long": strings.Repeat("EVIL", 25_000), "lines": "EVIL\r\nSet-Cookie: a=b",
		} {
			t.Run(code+" "+name, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				b := w.browser()
				a := b.do(w.idp.Refuse(b.begin(), code, description).Request())
				want := "idp_error." + code
				if code == "nonsense" {
					want = "idp_error.other"
				}
				if name == "long" && a.StatusCode == http.StatusRequestHeaderFieldsTooLarge {
					return
				}
				b.wantRefused(code, a, status, want)
				if strings.Contains(a.text, "EVIL") || a.Header.Get("Set-Cookie") == "a=b" {
					t.Error("the page says what the provider has said")
				}
				events, err := w.store.ListEvents(t.Context(), w.company.ID, 0, 1000)
				if err != nil {
					t.Fatal(err)
				}
				last := events[len(events)-1]
				if detail := string(last.Detail); !strings.Contains(detail, "EVIL") || len(detail) > 1000 {
					t.Errorf("the audit log has %d bytes: %.300s", len(detail), detail)
				}
				if !strings.Contains(a.text, last.Request) {
					t.Errorf("the page does not have the reference %s", last.Request)
				}
			})
		}
	}
}

// TestH36: every request carries a challenge by S256, whatever the provider says it can do.
func TestH36(t *testing.T) {
	for name, edit := range map[string]func(doc map[string]any){
		"not advertised": func(doc map[string]any) { delete(doc, "code_challenge_methods_supported") },
		"plain only":     func(doc map[string]any) { doc["code_challenge_methods_supported"] = []any{"plain"} },
	} {
		w := newWorld(t)
		w.idp.EditDiscovery(edit)
		b := w.browser()
		u, err := url.Parse(b.begin())
		if err != nil {
			t.Fatal(err)
		}
		if q := u.Query(); q.Get("code_challenge_method") != "S256" || len(q.Get("code_challenge")) != 43 {
			t.Errorf("%s: %v", name, q)
		}
		b.wantIn(name, b.signIn(alice))
		if v := w.idp.Requests("token")[0].Form.Get("code_verifier"); len(v) != 43 {
			t.Errorf("%s: verifier of %d characters", name, len(v))
		}
	}
}

// TestH37: tokens in the answer are not looked at.
func TestH37(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	answered := w.idp.Authorize(b.begin(), alice)
	answered.Values.Del("code")
	answered.Values.Set("id_token", w.idp.IDToken(nil))
	answered.Values.Set("access_token", "x")
	b.wantRefused("tokens and no code", b.do(answered.Request()), http.StatusBadRequest, "no_code")
	if n := w.idp.Hits("token"); n != 0 {
		t.Errorf("%d token requests, want none", n)
	}
}

// TestH38: refresh tokens are neither asked for nor kept, so nothing can be refreshed to somebody else.
func TestH38(t *testing.T) {
	w := newWorld(t)
	w.idp.EditTokenResponse(func(m map[string]any) { m["refresh_token"] = "CANARY-REFRESH" })
	b := w.browser()
	address := b.begin()
	if u, err := url.Parse(address); err != nil || u.Query().Get("scope") != "openid" {
		t.Errorf("scopes %q, %v", u.Query().Get("scope"), err)
	}
	b.wantIn("in", b.do(w.idp.Authorize(address, alice).Request()))
	w.pass(20 * time.Minute)
	b.session()
	if n := w.idp.Hits("token"); n != 1 {
		t.Errorf("%d token requests, want one", n)
	}
}

// TestH39: an address proves nothing, whoever has it.
func TestH39(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	b.wantRefused("the same e-mail", b.signIn(ssotest.Person{Subject: "mallory", Claims: map[string]any{
		"email": "alice@acme.example", "email_verified": true, "preferred_username": "alice@acme.example", "upn": "alice@acme.example", "oid": "alice",
	}}), http.StatusForbidden, "not_provisioned")
	if a := w.account("alice"); a.Identity.Subject != "" {
		t.Errorf("alice is linked to %s", a.Identity.Subject)
	}
}

// TestH42: nobody is signed in by an answer that was not asked for; a provider's portal can have a sign-in begun.
func TestH42(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	b.wantRefused("unsolicited", b.get("/sso/acme/okta/callback?code=x&iss="+url.QueryEscape(w.idp.Issuer())), http.StatusBadRequest, "state_missing")
	for name, query := range map[string]url.Values{
		"no issuer": {}, "another": {"iss": {"https://evil.example"}}, "twice": {"iss": {w.idp.Issuer(), "https://evil.example"}},
	} {
		b.wantRefused(name, b.get("/sso/acme/initiate?"+query.Encode()), http.StatusBadRequest, "mixup")
	}
	for target, want := range map[string]string{
		w.server.URL + "/app?x=1":       "/app?x=1",
		"https://evil.example/":         "/sso/me",
		w.server.URL + "//evil.example": "/sso/me",
		w.server.URL + "@evil.example":  "/sso/me",
		"":                              "/sso/me",
	} {
		b = w.browser()
		a := b.get("/sso/acme/initiate?" + url.Values{"iss": {w.idp.Issuer()}, "login_hint": {"alice@acme.example"}, "target_link_uri": {target}}.Encode())
		u, err := url.Parse(a.location())
		if err != nil || u.Query().Get("login_hint") != "alice@acme.example" {
			t.Errorf("%s: %d to %s", target, a.StatusCode, a.location())
		}
		if a = b.do(w.idp.Authorize(a.location(), alice).Request()); a.location() != want {
			t.Errorf("%s: to %q, want %q", target, a.location(), want)
		}
	}
	b = w.browser()
	a := b.get("/sso/acme/initiate?" + url.Values{"iss": {w.idp.Issuer()}, "login_hint": {strings.Repeat("x", 300)}}.Encode())
	if u, err := url.Parse(a.location()); err != nil || u.Query().Has("login_hint") {
		t.Errorf("a hint that is too long was passed on: %s", a.location())
	}
}

// TestH43: clocks may differ by a minute, or somewhat more; beyond that it says so.
func TestH43(t *testing.T) {
	for _, tt := range []struct {
		apart time.Duration
		code  string
	}{
		{0, ""}, {50 * time.Second, ""}, {-50 * time.Second, ""}, {-90 * time.Second, ""}, {90 * time.Second, "clock_skew"},
		{10 * time.Minute, "clock_skew"}, {-10 * time.Minute, "clock_skew"}, {24 * time.Hour, "idp_token_invalid.iat"},
	} {
		t.Run(fmt.Sprint(tt.apart), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.idp.SetClock(func() time.Time { return w.now().Add(tt.apart) })
			b := w.browser()
			a := b.signIn(alice)
			if tt.code == "" {
				b.wantIn("in", a)
				return
			}
			b.wantRefused("apart", a, http.StatusBadRequest, tt.code)
		})
	}
}

// TestH44: what changes while somebody is at the identity provider counts when they come back.
func TestH44(t *testing.T) {
	free, plus := licensing.TierFree, licensing.VideoProPlus
	for name, tt := range map[string]struct {
		change func(w *world)
		status int
		code   string
	}{
		"deactivated":  {func(w *world) { w.edit("alice", func(d *licensing.Draft) { d.Active = false }) }, 403, "user_deactivated"},
		"deleted":      {func(w *world) { w.apply(w.company, licensing.DeleteAccount{ID: w.account("alice").ID}) }, 403, "not_provisioned"},
		"license lost": {func(w *world) { w.edit("alice", func(d *licensing.Draft) { d.Intents[0].Licenses = nil }) }, 403, "license_has_no_sso"},
		"no seat": {func(w *world) {
			w.edit("alice", func(d *licensing.Draft) { d.Intents[0].Licenses = nil })
			w.apply(w.company, licensing.SetSeats{License: plus, Total: 0})
			w.edit("alice", func(*licensing.Draft) {})
		}, 403, "waiting_for_seat"},
		"guest": {func(w *world) {
			w.apply(w.company, licensing.SetMember{ID: w.account("alice").ID, MemberType: licensing.GuestMember})
		}, 403, "guest_cannot_use_sso"},
		"tier": {func(w *world) { w.apply(w.company, licensing.SetCompany{Tier: &free}) }, 404, "company_tier_has_no_sso"},
		"suspended": {func(w *world) {
			w.apply(w.company, licensing.SetCompany{Payment: &licensing.Payment{State: licensing.PaymentSuspended}})
		}, 403, "billing_suspended"},
		"disabled": {func(w *world) { w.set(func(s *store.SignOn) { s.State = store.SignOnDisabled }) }, 404, "sso_disabled"},
		"secret": {func(w *world) {
			w.set(func(s *store.SignOn) {
				s.Secret = w.sealer.Seal("new", sso.SecretOwner(w.company.ID, w.connection("okta").ID))
			})
		}, 400, "connection_changed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			b := w.browser()
			address := b.begin()
			tt.change(w)
			b.wantRefused(name, b.do(w.idp.Authorize(address, alice).Request()), tt.status, tt.code)
		})
	}
}

// TestReturn: the address that somebody came for comes back as it was, whether the proxy has encoded it, or only in part, or cannot.
func TestReturn(t *testing.T) {
	w := newWorld(t)
	for query, want := range map[string]string{
		"return=/app?a=1&b=%2F":         "/app?a=1&b=%2F",
		"return=%2Fapp%3Fa%3D1%26b%3D2": "/app?a=1&b=2",
		"return=/app%3Fa%3D1%26b%3D2":   "/app?a=1&b=2",
		"return=/a%2520b":               "/a%20b",
		"return=/a%20b?c=%3F":           "/a%20b?c=%3F",
	} {
		b := w.browser()
		a := b.get("/sso/acme?" + query)
		if a = b.do(w.idp.Authorize(a.location(), alice).Request()); a.location() != want {
			t.Errorf("%s: to %q, want %q", query, a.location(), want)
		}
	}
}
