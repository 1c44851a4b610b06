package ssotest

import (
	"bytes"
	"crypto"
	"io"
	"log"
	"maps"
	"mime"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"
)

// The client that a new provider knows. The secret has what must be escaped in Basic authentication (RFC 6749, 2.3.1).
const (
	ClientID     = "acme-client"
	ClientSecret = "s3cret: 100% sure"
)

// paths are the endpoints by name.
var paths = map[string]string{
	"discovery":   "/.well-known/openid-configuration",
	"jwks":        "/jwks",
	"token":       "/token",
	"userinfo":    "/userinfo",
	"authorize":   "/authorize",
	"par":         "/par",
	"end_session": "/end_session",
}

// IdP is an OpenID provider. It is safe for concurrent use; functions that are given to it may be called at the same time and may call
// its methods.
type IdP struct {
	t      testing.TB
	server *httptest.Server

	mu       sync.Mutex
	secrets  map[string]string // by client id
	first    string            // the client of tokens outside of a flow
	key      crypto.PublicKey  // of private_key_jwt
	methods  []string          // of client authentication
	redirect []string          // registered URIs; none registered allows all
	person   Person
	clock    func() time.Time
	full     bool
	par      bool
	parOnly  bool
	keys     []*Key
	signer   *Key

	served   map[string]http.HandlerFunc // by endpoint
	requests map[string][]Request        // by endpoint

	editDiscovery, editJWKS, editResponse, editUserInfo func(map[string]any)
	editToken                                           func(*Token)
	editCallback                                        func(url.Values)

	codes, access, refresh map[string]*grant
	pushed                 map[string]url.Values // by request_uri
	assertions             map[string]bool       // jti of client assertions
}

// Request is what an endpoint was asked.
type Request struct {
	Method string
	URL    string // path and query
	Header http.Header
	Query  url.Values
	Form   url.Values // of query and body
	Body   string     // the first MiB
}

// New starts a provider, which ends with the test. It has one RS256 key, and the client [ClientID].
func New(t testing.TB) *IdP {
	t.Helper()
	p := &IdP{
		t:          t,
		secrets:    map[string]string{ClientID: ClientSecret},
		first:      ClientID,
		methods:    []string{"client_secret_basic", "client_secret_post", "private_key_jwt"},
		clock:      time.Now,
		keys:       []*Key{borrowKey(t, "RS256")},
		served:     map[string]http.HandlerFunc{},
		requests:   map[string][]Request{},
		codes:      map[string]*grant{},
		access:     map[string]*grant{},
		refresh:    map[string]*grant{},
		pushed:     map[string]url.Values{},
		assertions: map[string]bool{},
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/", p.record("other", http.NotFound))
	for endpoint, path := range paths {
		mux.HandleFunc(path, p.record(endpoint, p.Handler(endpoint)))
	}
	p.server = httptest.NewUnstartedServer(mux)
	p.server.Config.ErrorLog = log.New(io.Discard, "", 0) // clients that go away are the point of many tests
	p.server.Start()
	t.Cleanup(p.Stop)
	return p
}

// Stop ends the provider early: connections are broken, and new ones refused.
func (p *IdP) Stop() {
	p.server.CloseClientConnections() // or Close would wait for those that hang
	p.server.Close()
}

// Issuer is the server's URL without a slash at the end.
func (p *IdP) Issuer() string { return p.server.URL }

// URL is the address of an endpoint, whatever the discovery document says.
func (p *IdP) URL(endpoint string) string { return p.server.URL + paths[endpoint] }

// Handler is how an endpoint answers by default, for a function given to [IdP.Serve] that wants to go on with it.
func (p *IdP) Handler(endpoint string) http.HandlerFunc {
	switch endpoint {
	case "discovery":
		return p.serveDiscovery
	case "jwks":
		return p.serveJWKS
	case "token":
		return p.serveToken
	case "userinfo":
		return p.serveUserInfo
	case "authorize":
		return p.serveAuthorize
	case "par":
		return p.servePAR
	case "end_session":
		return p.serveEndSession
	}
	panic("ssotest: no endpoint " + endpoint)
}

// Serve takes an endpoint over; nil gives it back. The endpoints are discovery, jwks, token, userinfo, authorize, par and end_session;
// "other" is every other path, not found by default.
func (p *IdP) Serve(endpoint string, h http.HandlerFunc) {
	if paths[endpoint] == "" && endpoint != "other" {
		panic("ssotest: no endpoint " + endpoint)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.served[endpoint] = h
}

// Hits is how often an endpoint was asked, counted before it answers.
func (p *IdP) Hits(endpoint string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.requests[endpoint])
}

// Requests is what an endpoint was asked, in order.
func (p *IdP) Requests(endpoint string) []Request {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.requests[endpoint])
}

func (p *IdP) record(endpoint string, h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(io.LimitReader(r.Body, 1<<20)) // a broken body is seen by the handler
		r.Body = io.NopCloser(io.MultiReader(bytes.NewReader(body), r.Body))
		seen := Request{Method: r.Method, URL: r.URL.RequestURI(), Header: r.Header.Clone(), Query: r.URL.Query(), Form: r.URL.Query(), Body: string(body)}
		if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind == "application/x-www-form-urlencoded" {
			form, _ := url.ParseQuery(seen.Body) // what cannot be parsed is missing here, and refused by the handler
			for name, values := range form {
				seen.Form[name] = append(values, seen.Form[name]...)
			}
		}
		p.mu.Lock()
		p.requests[endpoint] = append(p.requests[endpoint], seen)
		answer := p.served[endpoint]
		p.mu.Unlock()
		if answer == nil {
			answer = h
		}
		answer(w, r)
	}
}

// SetClient makes this the only client.
func (p *IdP) SetClient(id, secret string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.first, p.secrets = id, map[string]string{id: secret}
}

// AddClient makes one more client known.
func (p *IdP) AddClient(id, secret string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.secrets[id] = secret
}

// SetClientKey is the public key with which all clients authenticate by private_key_jwt.
func (p *IdP) SetClientKey(public crypto.PublicKey) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.key = public
}

// SetAuthMethods are the ways of client authentication that are advertised and accepted.
func (p *IdP) SetAuthMethods(methods ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.methods = slices.Clone(methods)
}

// SetRedirectURIs registers the redirect URIs of all clients; without it any is good.
func (p *IdP) SetRedirectURIs(uris ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.redirect = slices.Clone(uris)
}

// SetPerson is who is signed in when a real client comes to the authorization endpoint.
func (p *IdP) SetPerson(who Person) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.person = who.clone()
}

// SetClock gives the time of iat and exp.
func (p *IdP) SetClock(now func() time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clock = now
}

// FullHashes switches the shape of ID tokens: at_hash, c_hash, azp and aud as an array, as zitadel makes them, or none of these and aud
// as a string, as oidc-provider does.
func (p *IdP) FullHashes(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.full = on
}

// EnablePAR advertises pushed authorization requests, and accepts no others if they are required.
func (p *IdP) EnablePAR(required bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.par, p.parOnly = true, required
}

// EditToken is called for each ID token before it is signed; nil stops it.
func (p *IdP) EditToken(edit func(*Token)) { set(p, &p.editToken, edit) }

// EditTokenResponse is called for each successful answer of the token endpoint, also to a refresh; nil stops it.
func (p *IdP) EditTokenResponse(edit func(m map[string]any)) { set(p, &p.editResponse, edit) }

// EditUserInfo is called for each successful answer of the userinfo endpoint; nil stops it.
func (p *IdP) EditUserInfo(edit func(m map[string]any)) { set(p, &p.editUserInfo, edit) }

// EditDiscovery is called for each discovery document; nil stops it.
func (p *IdP) EditDiscovery(edit func(doc map[string]any)) { set(p, &p.editDiscovery, edit) }

// EditJWKS is called for each key set, whose "keys" are a []any of maps; nil stops it.
func (p *IdP) EditJWKS(edit func(doc map[string]any)) { set(p, &p.editJWKS, edit) }

// EditCallback is called for the parameters of each answer to the redirect URI; nil stops it.
func (p *IdP) EditCallback(edit func(values url.Values)) { set(p, &p.editCallback, edit) }

// NewKey is the function [NewKey], but an RSA key is given to another test after this one and takes no time then.
func (p *IdP) NewKey(alg string) *Key { return borrowKey(p.t, alg) }

// Keys are the published ones.
func (p *IdP) Keys() []*Key {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.keys)
}

// SetKeys publishes these keys, and the first one signs.
func (p *IdP) SetKeys(keys ...*Key) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.keys, p.signer = slices.Clone(keys), nil
}

// SetSigner signs with a key without publishing it, until nil or [IdP.SetKeys] takes that back.
func (p *IdP) SetSigner(k *Key) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.signer = k
}

func (p *IdP) signingKey() *Key {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.signer != nil {
		return p.signer
	}
	if len(p.keys) == 0 {
		panic("ssotest: no key to sign with; SetSigner gives one that is not published")
	}
	return p.keys[0]
}

func (p *IdP) client() string          { return get(p, &p.first) }
func (p *IdP) fullHashes() bool        { return get(p, &p.full) }
func (p *IdP) tokenEdit() func(*Token) { return get(p, &p.editToken) }
func (p *IdP) now() time.Time          { return get(p, &p.clock)() }

// edited calls one of the functions above, without the lock so that it may call the provider.
func edited[T any](p *IdP, edit *func(T), v T) T {
	if f := get(p, edit); f != nil {
		f(v)
	}
	return v
}

func set[T any](p *IdP, field *T, v T) {
	p.mu.Lock()
	defer p.mu.Unlock()
	*field = v
}

func get[T any](p *IdP, field *T) T {
	p.mu.Lock()
	defer p.mu.Unlock()
	return *field
}

func (w Person) clone() Person {
	w.Claims = maps.Clone(w.Claims)
	return w
}

func (w Person) subject() string {
	if w.Subject == "" {
		return "alice"
	}
	return w.Subject
}

// each gives the extra claims in a fixed order.
func (w Person) each(f func(name string, value any)) {
	for _, name := range slices.Sorted(maps.Keys(w.Claims)) {
		f(name, w.Claims[name])
	}
}
