package ssotest_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/oauth2"

	"usher/sso/ssotest"
)

const redirectURI = "https://app.example.test/sso/acme/c1/callback"

// party is a plain relying party of go-oidc and x/oauth2, which checks no more than these do.
type party struct {
	oauth2.Config
	provider *oidc.Provider
	verifier string // PKCE
}

func newParty(t testing.TB, p *ssotest.IdP, style oauth2.AuthStyle) *party {
	t.Helper()
	provider, err := oidc.NewProvider(t.Context(), p.Issuer())
	if err != nil {
		t.Fatal(err)
	}
	r := &party{provider: provider, verifier: oauth2.GenerateVerifier(), Config: oauth2.Config{
		ClientID: ssotest.ClientID, ClientSecret: ssotest.ClientSecret, Endpoint: provider.Endpoint(), RedirectURL: redirectURI,
		Scopes: []string{"openid", "offline_access"},
	}}
	r.Endpoint.AuthStyle = style
	return r
}

func (r *party) url(nonce string, opts ...oauth2.AuthCodeOption) string {
	return r.AuthCodeURL("the-state", append(opts, oidc.Nonce(nonce), oauth2.S256ChallengeOption(r.verifier))...)
}

func (r *party) exchange(ctx context.Context, code string) (*oauth2.Token, error) {
	return r.Exchange(ctx, code, oauth2.VerifierOption(r.verifier))
}

func (r *party) verify(ctx context.Context, token *oauth2.Token) (*oidc.IDToken, error) {
	raw, _ := token.Extra("id_token").(string)
	return r.provider.VerifierContext(ctx, &oidc.Config{ClientID: r.ClientID}).Verify(ctx, raw)
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func same(t testing.TB, what string, got, want any) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

func TestIdP_login(t *testing.T) {
	for _, alg := range []string{"RS256", "PS256", "ES256", "EdDSA"} {
		for _, full := range []bool{false, true} {
			for _, style := range []oauth2.AuthStyle{oauth2.AuthStyleInHeader, oauth2.AuthStyleInParams} {
				t.Run(fmt.Sprint(alg, "/full=", full, "/style=", style), func(t *testing.T) {
					t.Parallel()
					p := ssotest.New(t)
					p.SetKeys(p.NewKey(alg), ssotest.NewKey("ES256"))
					p.FullHashes(full)
					r := newParty(t, p, style)
					c := p.Authorize(r.url("the-nonce"), ssotest.Person{Subject: "bob", Claims: map[string]any{"email": "bob@example.com", "oid": "o-1"}})
					same(t, "state", c.Values.Get("state"), "the-state")
					same(t, "iss", c.Values.Get("iss"), p.Issuer())
					same(t, "nonce of the code", p.Nonce(c.Values.Get("code")), "the-nonce")

					token, err := r.exchange(t.Context(), c.Values.Get("code"))
					check(t, err)
					id, err := r.verify(t.Context(), token)
					check(t, err)
					same(t, "subject", id.Subject, "bob")
					same(t, "nonce", id.Nonce, "the-nonce")
					var claims map[string]any
					check(t, id.Claims(&claims))
					same(t, "sid", claims["sid"], any(c.Session))
					same(t, "oid", claims["oid"], any("o-1"))
					if full {
						check(t, id.VerifyAccessToken(token.AccessToken))
						same(t, "aud", claims["aud"], any([]any{ssotest.ClientID}))
						same(t, "azp", claims["azp"], any(ssotest.ClientID))
					} else {
						same(t, "aud", claims["aud"], any(ssotest.ClientID))
						same(t, "claims", len(claims), 9) // no azp, at_hash, c_hash
					}
					info, err := r.provider.UserInfo(t.Context(), oauth2.StaticTokenSource(token))
					check(t, err)
					same(t, "userinfo", []string{info.Subject, info.Email}, []string{"bob", "bob@example.com"})

					fresh, err := r.TokenSource(t.Context(), &oauth2.Token{RefreshToken: token.RefreshToken}).Token()
					check(t, err)
					id, err = r.verify(t.Context(), fresh)
					check(t, err)
					same(t, "refreshed", []string{id.Subject, id.Nonce}, []string{"bob", ""})

					seen := p.Requests("token")
					want := map[oauth2.AuthStyle]string{oauth2.AuthStyleInHeader: "client_secret_basic", oauth2.AuthStyleInParams: "client_secret_post"}[style]
					same(t, "token requests", len(seen), 2)
					same(t, "method", seen[0].ClientAuth(), want)
					same(t, "verifier", seen[0].Form.Get("code_verifier"), r.verifier)
				})
			}
		}
	}
}

func TestIdP_loginOverHTTP(t *testing.T) {
	for _, mode := range []string{"query", "form_post"} {
		t.Run(mode, func(t *testing.T) {
			p := ssotest.New(t)
			p.SetPerson(ssotest.Person{Subject: "carol"})
			p.SetRedirectURIs(redirectURI)
			r := newParty(t, p, oauth2.AuthStyleInHeader)
			jar, _ := cookiejar.New(nil)
			browser := &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
			answer, err := browser.Get(r.url("n", oauth2.SetAuthURLParam("response_mode", mode)))
			check(t, err)
			defer answer.Body.Close()
			body, _ := io.ReadAll(answer.Body)
			var code string
			if mode == "query" {
				to, err := answer.Location()
				check(t, err)
				code = to.Query().Get("code")
			} else {
				_, rest, _ := strings.Cut(string(body), `name="code" value="`)
				code, _, _ = strings.Cut(rest, `"`)
			}
			token, err := r.exchange(t.Context(), code)
			check(t, err)
			id, err := r.verify(t.Context(), token)
			check(t, err)
			same(t, "subject", id.Subject, "carol")
		})
	}
}

func TestIdP_codes(t *testing.T) {
	p := ssotest.New(t)
	p.AddClient("other", "secret")
	r := newParty(t, p, oauth2.AuthStyleInHeader)
	for name, spoil := range map[string]func(*party){
		"verifier":     func(r *party) { r.verifier = oauth2.GenerateVerifier() },
		"redirect_uri": func(r *party) { r.RedirectURL += "/" },
		"client":       func(r *party) { r.ClientID, r.ClientSecret = "other", "secret" },
		"secret":       func(r *party) { r.ClientSecret = "wrong" },
	} {
		code := p.Authorize(r.url("n"), ssotest.Person{}).Values.Get("code")
		bad := *r
		spoil(&bad)
		if _, err := bad.exchange(t.Context(), code); err == nil {
			t.Errorf("%s: a wrong one was good", name)
		}
	}
	code := p.Authorize(r.url("n"), ssotest.Person{}).Values.Get("code")
	before := p.Hits("token")
	_, err := r.exchange(t.Context(), code)
	check(t, err)
	if _, err = r.exchange(t.Context(), code); err == nil || !strings.Contains(err.Error(), "invalid_grant") {
		t.Errorf("second use of a code: %v", err)
	}
	same(t, "hits", p.Hits("token"), before+2)
}

func TestIdP_parallel(t *testing.T) {
	p := ssotest.New(t)
	p.EditToken(func(tok *ssotest.Token) { tok.Claims.Set("keys", len(p.Keys())) })
	r := newParty(t, p, oauth2.AuthStyleInHeader)
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			who := ssotest.Person{Subject: fmt.Sprint("p", i)}
			token, err := r.exchange(t.Context(), p.Authorize(r.url("n"), who).Values.Get("code"))
			if err != nil {
				t.Error(err)
				return
			}
			if id, err := r.verify(t.Context(), token); err != nil || id.Subject != who.Subject {
				t.Errorf("%v, %v", id, err)
			}
		})
	}
	wg.Wait()
	same(t, "hits", p.Hits("token"), 20)
}

func TestIdP_pushedWithPrivateKey(t *testing.T) {
	p := ssotest.New(t)
	key := p.NewKey("PS256")
	p.SetClientKey(key.Public())
	p.SetAuthMethods("private_key_jwt")
	p.EnablePAR(true)
	r := newParty(t, p, oauth2.AuthStyleInParams)
	r.ClientSecret = ""
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.PS256, Key: key.Private}, nil)
	check(t, err)
	assertion := func() string {
		s, err := jwt.Signed(signer).Claims(jwt.Claims{
			Issuer: r.ClientID, Subject: r.ClientID, Audience: jwt.Audience{p.Issuer()}, ID: rand.Text(), Expiry: jwt.NewNumericDate(time.Now().Add(time.Minute)),
		}).Serialize()
		check(t, err)
		return s
	}
	const kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
	u, err := url.Parse(r.url("n"))
	check(t, err)
	form := u.Query()
	form.Set("client_assertion", assertion())
	form.Set("client_assertion_type", kind)
	push := func() (uri string) {
		answer, err := http.PostForm(p.URL("par"), form)
		check(t, err)
		defer answer.Body.Close()
		body, _ := io.ReadAll(answer.Body)
		if answer.StatusCode == http.StatusCreated {
			uri = strings.Split(string(body), `"`)[5]
		}
		return uri
	}
	uri := push()
	if uri == "" || push() != "" {
		t.Fatal("an assertion must be good once")
	}
	c := p.Authorize(p.URL("authorize")+"?"+url.Values{"client_id": {r.ClientID}, "request_uri": {uri}}.Encode(), ssotest.Person{})
	token, err := r.Exchange(t.Context(), c.Values.Get("code"), oauth2.VerifierOption(r.verifier),
		oauth2.SetAuthURLParam("client_assertion", assertion()), oauth2.SetAuthURLParam("client_assertion_type", kind))
	check(t, err)
	_, err = r.verify(t.Context(), token)
	check(t, err)
	same(t, "method", p.Requests("token")[0].ClientAuth(), "private_key_jwt")
}

// ear hears what a test would fail with.
type ear struct {
	testing.TB
	mu   sync.Mutex
	said []string
}

func (e *ear) Errorf(format string, args ...any) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.said = append(e.said, fmt.Sprintf(format, args...))
}

func TestIdP_complaints(t *testing.T) {
	e := &ear{TB: t}
	p := ssotest.New(e)
	p.SetRedirectURIs(redirectURI)
	r := newParty(t, p, oauth2.AuthStyleInHeader)
	good := r.url("n")
	for name, edit := range map[string]func(url.Values){
		"no state":              func(q url.Values) { q.Del("state") },
		"no nonce":              func(q url.Values) { q.Del("nonce") },
		"code_challenge_method": func(q url.Values) { q.Set("code_challenge_method", "plain") },
		"code_challenge \"":     func(q url.Values) { q.Del("code_challenge") },
		"client_id":             func(q url.Values) { q.Set("client_id", "x") },
		"response_type":         func(q url.Values) { q.Set("response_type", "code id_token") },
		"response_mode":         func(q url.Values) { q.Set("response_mode", "fragment") },
		"scope":                 func(q url.Values) { q.Set("scope", "profile") },
		"redirect_uri":          func(q url.Values) { q.Set("redirect_uri", redirectURI+"/") },
		"prompt is there 2":     func(q url.Values) { q["prompt"] = []string{"login", "none"} },
		"request_uri":           func(q url.Values) { q.Set("request_uri", "urn:x") },
	} {
		u, _ := url.Parse(good)
		q := u.Query()
		edit(q)
		u.RawQuery = q.Encode()
		e.said = nil
		p.Authorize(u.String(), ssotest.Person{})
		if len(e.said) != 1 || !strings.Contains(e.said[0], name) {
			t.Errorf("%s: %q", name, e.said)
		}
	}
	e.said = nil
	p.Authorize(strings.Replace(good, "/authorize", "/elsewhere", 1), ssotest.Person{})
	same(t, "another endpoint", len(e.said), 1)
	e.said = nil
	c := p.Refuse(good, "access_denied", "<script>")
	same(t, "a good request", len(e.said), 0)
	same(t, "an error", c.Values, url.Values{"error": {"access_denied"}, "error_description": {"<script>"}, "state": {"the-state"}, "iss": {p.Issuer()}})
}

func TestIdP_edits(t *testing.T) {
	p := ssotest.New(t)
	r := newParty(t, p, oauth2.AuthStyleInHeader)
	p.EditCallback(func(v url.Values) { v.Add("iss", "https://other.example") })
	c := p.Authorize(r.url("n", oauth2.SetAuthURLParam("response_mode", "form_post")), ssotest.Person{})
	same(t, "iss", c.Values["iss"], []string{p.Issuer(), "https://other.example"})
	request := c.Request()
	check(t, request.ParseForm())
	same(t, "form", request.PostForm, c.Values)
	c.Mode, c.RedirectURI = "query", redirectURI+"?a=b"
	same(t, "query", c.Request().URL.Query().Get("a")+c.Request().URL.Query().Get("state"), "bthe-state")

	p.EditTokenResponse(func(m map[string]any) { m["token_type"] = "mac" })
	token, err := r.exchange(t.Context(), c.Values.Get("code"))
	check(t, err)
	same(t, "token_type mac is taken by x/oauth2", token.TokenType, "mac")

	p.EditUserInfo(func(m map[string]any) { m["sub"] = "mallory" })
	info, err := r.provider.UserInfo(t.Context(), oauth2.StaticTokenSource(&oauth2.Token{AccessToken: token.AccessToken}))
	check(t, err)
	same(t, "another sub is taken by go-oidc", info.Subject, "mallory")

	p.EditDiscovery(func(doc map[string]any) {
		doc["jwks_uri"], doc["authorization_endpoint"] = "file:///etc/passwd", "javascript:alert(1)"
		delete(doc, "token_endpoint")
	})
	provider, err := oidc.NewProvider(t.Context(), p.Issuer())
	check(t, err)
	same(t, "hostile endpoints are taken by go-oidc", provider.Endpoint().AuthURL, "javascript:alert(1)")
	p.EditDiscovery(func(doc map[string]any) { doc["issuer"] = p.Issuer() + "/" })
	if _, err = oidc.NewProvider(t.Context(), p.Issuer()); err == nil {
		t.Error("another issuer was good")
	}

	p.Serve("other", ssotest.Status(http.StatusTeapot))
	answer, err := http.Get(p.Issuer() + "/tea?x=1")
	check(t, err)
	answer.Body.Close()
	same(t, "status", answer.StatusCode, http.StatusTeapot)
	same(t, "asked", p.Requests("other")[0].URL, "/tea?x=1")
	p.Serve("jwks", ssotest.Status(http.StatusInternalServerError))
	p.Serve("jwks", nil)
	if answer, err = http.Get(p.URL("jwks")); err != nil || answer.StatusCode != http.StatusOK {
		t.Errorf("given back: %v, %v", answer, err)
	}
	answer.Body.Close()

	browser := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err = browser.Get(p.URL("end_session") + "?client_id=x&state=s&post_logout_redirect_uri=" + url.QueryEscape("https://app.example.test/out"))
	check(t, err)
	answer.Body.Close()
	same(t, "after the session", answer.Header.Get("Location"), "https://app.example.test/out?state=s")
	p.Stop()
	if _, err = http.Get(p.URL("jwks")); err == nil {
		t.Error("a stopped provider answers")
	}
}

func TestIdP_clock(t *testing.T) {
	p := ssotest.New(t)
	at := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	p.SetClock(func() time.Time { return at })
	p.SetClient("x y:z%", "s")
	var got []any
	p.IDToken(func(tok *ssotest.Token) {
		got = []any{tok.Claims.Get("iat"), tok.Claims.Get("exp"), tok.Claims.Get("aud")}
	})
	same(t, "iat, exp, aud", got, []any{at.Unix(), at.Unix() + 300, "x y:z%"})
	if slices.Contains(got, nil) {
		t.Error("a claim is missing")
	}
}
