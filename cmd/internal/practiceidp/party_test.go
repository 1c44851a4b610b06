package practiceidp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

const (
	clientID     = "usher demo+1"
	clientSecret = "s+c r%41t:&=ö"
	verifier     = "a-verifier-that-is-long-enough-for-the-standard-1"
)

// site is a provider and a relying party, both on the network.
type site struct {
	t      *testing.T
	issuer string
	party  string // where the relying party is
	ahead  atomic.Int64
	people atomic.Pointer[[]Person]
	broken atomic.Bool // the people cannot be listed
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{t: t}
	s.people.Store(&[]Person{
		{Subject: "1", UserName: "ada", Name: "Ada Lovelace", Email: "ada@acme.example", Note: "Video Pro+, active"},
		{Subject: "2", UserName: "grace", Name: "Grace Hopper", Email: "grace@acme.example"},
	})
	party := httptest.NewServer(http.HandlerFunc(s.callback))
	t.Cleanup(party.Close)
	server := httptest.NewUnstartedServer(nil)
	s.party, s.issuer = party.URL, "http://"+server.Listener.Addr().String()
	h, err := New(Config{
		Issuer: s.issuer, ClientID: clientID, ClientSecret: clientSecret,
		RedirectURIs: []string{s.party + "/callback", s.party + "/other?tenant=acme"},
		LogoutURIs:   []string{s.party + "/bye"},
		People: func(context.Context) ([]Person, error) {
			if s.broken.Load() {
				return nil, errors.New("no people")
			}
			return *s.people.Load(), nil
		},
		Clock: func() time.Time { return time.Now().Add(time.Duration(s.ahead.Load())) },
	})
	if err != nil {
		t.Fatal(err)
	}
	server.Config.Handler = h
	server.Start()
	t.Cleanup(server.Close)
	return s
}

// callback is the relying party's: it gives back what it was told.
func (s *site) callback(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	_, _ = io.WriteString(w, r.Method+" "+r.URL.Path+"?"+r.Form.Encode())
}

// reply is an answer that has been read.
type reply struct {
	status int
	header http.Header
	body   string
}

func (r reply) location(t *testing.T) url.Values {
	t.Helper()
	u, err := url.Parse(r.header.Get("Location"))
	if err != nil || r.status != http.StatusSeeOther || u.Host == "" {
		t.Fatalf("no redirect: %d %q %v", r.status, r.header.Get("Location"), err)
	}
	return u.Query()
}

// do sends a request and follows no redirect. It is for any goroutine.
func do(r *http.Request) (reply, error) {
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(r)
	if err != nil {
		return reply{}, err
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	return reply{res.StatusCode, res.Header, string(body)}, err
}

func (s *site) get(address string) reply {
	s.t.Helper()
	return s.send(http.MethodGet, address, nil, nil)
}

func (s *site) post(address string, form url.Values) reply {
	s.t.Helper()
	return s.send(http.MethodPost, address, form, http.Header{"Content-Type": {"application/x-www-form-urlencoded"}})
}

func (s *site) send(method, address string, form url.Values, header http.Header) reply {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), method, address, strings.NewReader(form.Encode()))
	if err != nil {
		s.t.Fatal(err)
	}
	maps.Copy(r.Header, header)
	got, err := do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	return got
}

// request is a good authorization request, with changes: pairs of a name and a value, where an empty value takes the parameter away.
func (s *site) request(changes ...string) url.Values {
	v := url.Values{
		"client_id": {clientID}, "redirect_uri": {s.party + "/callback"}, "response_type": {"code"}, "scope": {"openid profile email"},
		"state": {"the-state"}, "nonce": {"the-nonce"},
		"code_challenge": {oauth2.S256ChallengeFromVerifier(verifier)}, "code_challenge_method": {"S256"},
	}
	change(v, changes)
	return v
}

func change(v url.Values, changes []string) {
	for i := 0; i < len(changes); i += 2 {
		v.Set(changes[i], changes[i+1])
		if changes[i+1] == "" {
			v.Del(changes[i])
		}
	}
}

// code signs the first person in and gives the code.
func (s *site) code() string {
	s.t.Helper()
	code := s.post(s.issuer+pathAuthorize, s.request("subject", "1")).location(s.t).Get("code")
	if code == "" {
		s.t.Fatal("no code")
	}
	return code
}

// exchange asks for the tokens of a code.
func (s *site) exchange(code string, changes ...string) reply {
	s.t.Helper()
	v := url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {s.party + "/callback"}, "code_verifier": {verifier},
		"client_id": {clientID}, "client_secret": {clientSecret},
	}
	change(v, changes)
	return s.post(s.issuer+pathToken, v)
}

func (r reply) errorCode(t *testing.T) string {
	t.Helper()
	var body struct {
		Error string `json:"error"`
	}
	if err := json.Unmarshal([]byte(r.body), &body); err != nil {
		t.Fatalf("%d %s: %v", r.status, r.body, err)
	}
	return body.Error
}

var (
	formAction  = regexp.MustCompile(`<form method="post" action="([^"]*)"`)
	hiddenField = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)
	personField = regexp.MustCompile(`<button class="person[^"]*" name="subject" value="([^"]*)">`)
)

// form reads the form of a page: where it leads and its hidden fields.
func (r reply) form(t *testing.T) (action string, fields url.Values) {
	t.Helper()
	m := formAction.FindStringSubmatch(r.body)
	if m == nil {
		t.Fatalf("no form: %d %s", r.status, r.body)
	}
	fields = url.Values{}
	for _, f := range hiddenField.FindAllStringSubmatch(r.body, -1) {
		fields.Add(html.UnescapeString(f[1]), html.UnescapeString(f[2]))
	}
	return html.UnescapeString(m[1]), fields
}

// subjects are the people of a page in its order.
func (r reply) subjects() []string {
	var subjects []string
	for _, m := range personField.FindAllStringSubmatch(r.body, -1) {
		subjects = append(subjects, html.UnescapeString(m[1]))
	}
	return subjects
}

// signIn is the whole code flow of a strict relying party. It is for any goroutine.
func (s *site) signIn(ctx context.Context, subject, mode string, style oauth2.AuthStyle) (*oidc.IDToken, error) {
	provider, err := oidc.NewProvider(ctx, s.issuer)
	if err != nil {
		return nil, err
	}
	endpoint := provider.Endpoint()
	endpoint.AuthStyle = style
	party := oauth2.Config{
		ClientID: clientID, ClientSecret: clientSecret, Endpoint: endpoint, RedirectURL: s.party + "/callback",
		Scopes: []string{oidc.ScopeOpenID, "profile", "email"},
	}
	state, nonce, pkce := "state "+subject+mode, "nonce "+subject+mode, oauth2.GenerateVerifier()
	address := party.AuthCodeURL(state, oidc.Nonce(nonce), oauth2.S256ChallengeOption(pkce), oauth2.SetAuthURLParam("response_mode", mode))
	page, err := browse(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	form := url.Values{"subject": {subject}}
	for _, f := range hiddenField.FindAllStringSubmatch(page.body, -1) {
		form.Add(f[1], html.UnescapeString(f[2]))
	}
	page, err = browse(ctx, http.MethodPost, s.issuer+pathAuthorize, form)
	if err != nil {
		return nil, err
	}
	var answer url.Values
	if mode == modeForm {
		answer = url.Values{}
		for _, f := range hiddenField.FindAllStringSubmatch(page.body, -1) {
			answer.Add(f[1], html.UnescapeString(f[2]))
		}
	} else {
		u, err := url.Parse(page.header.Get("Location"))
		if err != nil {
			return nil, err
		}
		answer = u.Query()
	}
	if answer.Get("state") != state || answer.Get("iss") != s.issuer {
		return nil, fmt.Errorf("answer %v", answer)
	}
	tokens, err := party.Exchange(ctx, answer.Get("code"), oauth2.VerifierOption(pkce))
	if err != nil {
		return nil, err
	}
	raw, _ := tokens.Extra("id_token").(string)
	id, err := provider.VerifierContext(ctx, &oidc.Config{ClientID: clientID, SupportedSigningAlgs: []string{oidc.ES256}}).Verify(ctx, raw)
	if err != nil {
		return nil, err
	}
	if id.Nonce != nonce {
		return nil, fmt.Errorf("nonce %q", id.Nonce)
	}
	return id, id.VerifyAccessToken(tokens.AccessToken)
}

// browse sends what a browser sends from the page itself.
func browse(ctx context.Context, method, address string, form url.Values) (reply, error) {
	r, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(form.Encode()))
	if err != nil {
		return reply{}, err
	}
	if method == http.MethodPost {
		r.Header = http.Header{
			"Content-Type": {"application/x-www-form-urlencoded"}, "Sec-Fetch-Site": {"same-origin"}, "Origin": {"null"},
		}
	}
	return do(r)
}
