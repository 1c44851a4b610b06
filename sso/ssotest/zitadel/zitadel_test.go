package zitadel_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"
	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/oidc"

	"usher/licensing"
	"usher/sso"
	"usher/store"
	"usher/store/query"
	"usher/store/sqlite"
)

const (
	clientID = "usher"
	// clientSecret has what has to be encoded in the header of client_secret_basic (RFC 6749 section 2.3.1).
	clientSecret = "a secret: 100%+ü/"
)

// The example server's people. The domain of the first is the issuer's host.
var (
	alice = user{"id1", "test-user@127.0.0.1", "verysecure"}
	bob   = user{"id2", "test-user2", "verysecure"}
)

type user struct{ subject, name, password string }

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler)) // the provider logs every request there
	os.Exit(m.Run())
}

// sealer keeps secrets as they are: how they are sealed is not what is tested.
type sealer struct{}

func (sealer) Seal(secret, owner string) string { return owner + "\n" + secret }

func (sealer) Open(sealed, owner string) (string, error) {
	secret, ok := strings.CutPrefix(sealed, owner+"\n")
	if !ok {
		return "", fmt.Errorf("it is not sealed for %s", owner)
	}
	return secret, nil
}

// hasher knows no password: nobody here has one.
type hasher struct{}

func (hasher) Hash(context.Context, string) (string, error) { return "", errors.New("not here") }

func (hasher) Verify(context.Context, string, string) (bool, error) { return false, nil }

// world is the company acme with the provider as its identity provider, and the server that people sign in to.
type world struct {
	t       *testing.T
	store   *sqlite.Store
	dir     *licensing.Directory
	company store.Company
	server  *httptest.Server
	op      *provider
}

// newWorld makes acme with alice, who has Video Pro+, and bob, who has no license.
func newWorld(t *testing.T, algorithm jose.SignatureAlgorithm, edit func(*store.SignOn)) *world {
	t.Helper()
	indexes := []query.Index{{Path: "externalId", Type: query.String}}
	w := &world{t: t, server: httptest.NewUnstartedServer(nil), op: &provider{server: httptest.NewUnstartedServer(nil), keys: []*key{newKey(t, algorithm)}}}
	var err error
	if w.store, err = sqlite.Open(t.Context(), t.TempDir(), sqlite.Options{Indexes: indexes, Logger: slog.New(slog.DiscardHandler)}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.store.Close() })
	w.dir = licensing.NewDirectory(w.store, time.Now, slog.New(slog.DiscardHandler))
	// Both servers have their addresses before they start, since each is told the other's.
	handler, err := sso.NewHandler(sso.Config{
		Store: w.store, Directory: w.dir, Sealer: sealer{}, Hasher: hasher{}, BaseURL: "http://" + w.server.Listener.Addr().String(),
		Network: sso.Network{Loopback: true}, Logger: slog.New(slog.DiscardHandler),
		Wait:          func(string, time.Duration, int, time.Time) time.Duration { return 0 },
		CheckPassword: func(string) string { return "" },
	})
	if err != nil {
		t.Fatal(err)
	}
	w.company = w.apply(licensing.CreateCompany{
		Company: store.Company{Name: "acme", Display: "Acme", Tier: licensing.TierVideoProPlus},
		Seats:   map[licensing.License]int{licensing.VideoProPlus: 10},
	}).Company
	issuer := "http://" + w.op.server.Listener.Addr().String()
	n := store.Connection{ID: store.NewID(), Company: w.company.ID, Name: "zitadel", Mode: store.ModeLive, Created: time.Now().UTC().Truncate(time.Millisecond)}
	n.SignOn = store.SignOn{
		State: store.SignOnActive, Issuer: issuer, ClientID: clientID, Secret: sealer{}.Seal(clientSecret, sso.SecretOwner(w.company.ID, n.ID)),
	}
	if edit != nil {
		edit(&n.SignOn)
	}
	if n.SignOn.ClientAuth == sso.AuthPrivateKey {
		secret, err := sso.NewKey()
		if err != nil {
			t.Fatal(err)
		}
		n.SignOn.Secret = sso.SealSecret(sealer{}, secret, w.company.ID, n.ID)
	}
	if err := sso.CheckSettings(&n.SignOn); err != nil {
		t.Fatal(err)
	}
	if err := w.store.CreateConnection(t.Context(), n, nil); err != nil {
		t.Fatal(err)
	}
	for who, asks := range map[user][]licensing.License{alice: {licensing.VideoProPlus}, bob: nil} {
		doc := fmt.Appendf(nil, `{"active":true,"externalId":%q,"userName":%q}`, who.subject, who.name)
		w.apply(licensing.CreateAccount{Draft: licensing.Draft{
			UserName: who.name, ExternalID: who.subject, Display: who.name, Active: true, Doc: doc, Terms: query.Terms(doc, indexes),
			Intents: []licensing.Intent{{Carrier: licensing.CarrierEntitlements, Licenses: asks}},
		}})
	}

	// The clients are of this storage; those of storage.RegisterClients are of the whole process.
	w.op.Storage = storage.NewStorageWithClients(storage.NewUserStore(issuer), map[string]*storage.Client{
		clientID: storage.WebClient(clientID, clientSecret, handler.RedirectURI(w.company, n)),
	})
	w.op.method, w.op.signedOut, w.op.keysURI = oidc.AuthMethod(n.SignOn.ClientAuth), handler.SignedOutURI(), handler.KeysURI(w.company, n)
	w.op.server.Config.Handler = w.op.note(exampleop.SetupServer(issuer, w.op, nil, false))
	w.server.Config.Handler = handler
	for _, s := range []*httptest.Server{w.op.server, w.server} {
		s.Start()
		t.Cleanup(s.Close)
	}
	for _, check := range handler.Probe(t.Context(), n) {
		if !check.Passed {
			t.Errorf("the probe of the connection: %s %s %s", check.Asks, check.Found, check.Code)
		}
	}
	return w
}

func (w *world) apply(do licensing.Operation) licensing.Result {
	w.t.Helper()
	r, err := w.dir.Apply(w.t.Context(), licensing.Change{
		Company: w.company.ID, Actor: store.Actor{Kind: "connection", ID: "zitadel"}, Door: licensing.DoorSCIM, Request: "r", MayAssign: true, Do: do,
	})
	if err != nil {
		w.t.Fatalf("%T: %v", do, err)
	}
	return r
}

// refusals gives the codes of the refusals that acme's audit log has.
func (w *world) refusals() (codes []string) {
	w.t.Helper()
	events, err := w.store.ListEvents(w.t.Context(), w.company.ID, 0, 1000)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, e := range events {
		if e.Action != licensing.ActionRefuse {
			continue
		}
		var detail struct{ Code, Detail string }
		if err := json.Unmarshal(e.Detail, &detail); err != nil {
			w.t.Fatal(err)
		}
		codes = append(codes, detail.Code)
		w.t.Logf("refused: %s %s", detail.Code, detail.Detail)
	}
	return codes
}

// browser keeps cookies and follows no redirects by itself, so that a test sees each.
type browser struct {
	*http.Client
	w *world
}

func (w *world) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return &browser{&http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}, w}
}

// answer is an answer with its body.
type answer struct {
	*http.Response
	text string
}

// to is where the answer sends the browser; empty: nowhere.
func (a answer) to() string {
	u, err := a.Location()
	if err != nil {
		return ""
	}
	return u.String()
}

// open asks for an address, by POST if there is a form.
func (b *browser) open(address string, form url.Values) answer {
	b.w.t.Helper()
	if strings.HasPrefix(address, "/") {
		address = b.w.server.URL + address
	}
	method, body := http.MethodGet, ""
	if form != nil {
		method, body = http.MethodPost, form.Encode()
	}
	r, err := http.NewRequest(method, address, strings.NewReader(body))
	if err != nil {
		b.w.t.Fatal(err)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := b.Do(r)
	if err != nil {
		b.w.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		b.w.t.Fatal(err)
	}
	return answer{resp, string(text)}
}

// atProvider follows redirects as long as they lead to the provider.
func (b *browser) atProvider(a answer) answer {
	b.w.t.Helper()
	for hops := 0; strings.HasPrefix(a.to(), b.w.op.server.URL+"/"); hops++ {
		if hops == 10 {
			b.w.t.Fatalf("the provider redirects without end, to %s", a.to())
		}
		a = b.open(a.to(), nil)
	}
	return a
}

var (
	action = regexp.MustCompile(`<form method="(?i:post)" action="([^"]*)"`)
	hidden = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)"`)
)

// submit fills in the form of a page and sends it.
func (b *browser) submit(a answer, more url.Values) answer {
	b.w.t.Helper()
	found := action.FindStringSubmatch(a.text)
	if found == nil {
		b.w.t.Fatalf("no form on the page %s: %d to %q\n%s", a.Request.URL.Path, a.StatusCode, a.to(), a.text)
	}
	address, err := a.Request.URL.Parse(html.UnescapeString(found[1]))
	if err != nil {
		b.w.t.Fatal(err)
	}
	form := url.Values{}
	for _, input := range hidden.FindAllStringSubmatch(a.text, -1) {
		form.Set(input[1], html.UnescapeString(input[2]))
	}
	for name, values := range more {
		form[name] = values
	}
	return b.open(address.String(), form)
}

// signIn signs somebody in to acme, as far as they get.
func (b *browser) signIn(who user) answer {
	b.w.t.Helper()
	login := b.atProvider(b.open("/sso/acme", nil))
	a := b.atProvider(b.submit(login, url.Values{"username": {who.name}, "password": {who.password}}))
	if a.to() == "" { // the answer is a form
		return b.submit(a, nil)
	}
	return b.open(a.to(), nil)
}

// session is what applications are told of who is signed in.
type session struct {
	UserName   string `json:"user_name"`
	Company    string `json:"company"`
	License    string `json:"license"`
	By         string `json:"signed_in_by"`
	Connection string `json:"connection"`
}

func (b *browser) session() (status int, s session) {
	b.w.t.Helper()
	a := b.open("/sso/session", nil)
	if err := json.Unmarshal([]byte(a.text), &s); err != nil {
		b.w.t.Fatalf("session: %v in %s", err, a.text)
	}
	return a.StatusCode, s
}

// wantIn reports a sign-in that did not let alice in.
func (b *browser) wantIn(a answer) {
	b.w.t.Helper()
	if a.StatusCode != http.StatusSeeOther || a.to() != b.w.server.URL+"/sso/me" {
		b.w.t.Fatalf("%d to %q, refused with %q", a.StatusCode, a.to(), b.w.refusals())
	}
	status, got := b.session()
	if status != http.StatusOK {
		b.w.t.Errorf("the session: %d, want 200", status)
	}
	want := session{UserName: alice.name, Company: "acme", License: string(licensing.VideoProPlus), By: "sso", Connection: "zitadel"}
	if diff := cmp.Diff(want, got); diff != "" {
		b.w.t.Errorf("the session (-want +got):\n%s", diff)
	}
}

func TestSignIn(t *testing.T) {
	for name, tt := range map[string]struct {
		edit func(*store.SignOn)
		auth string // what the provider sees
	}{
		"client_secret_basic": {edit: func(s *store.SignOn) { s.ClientAuth = sso.AuthBasic }, auth: sso.AuthBasic},
		"client_secret_post":  {edit: func(s *store.SignOn) { s.ClientAuth = sso.AuthPost }, auth: sso.AuthPost},
		"private_key_jwt":     {edit: func(s *store.SignOn) { s.ClientAuth = sso.AuthPrivateKey }, auth: sso.AuthPrivateKey},
		"form_post":           {edit: func(s *store.SignOn) { s.ResponseMode = sso.ModeFormPost }, auth: sso.AuthBasic},
		"max_age":             {edit: func(s *store.SignOn) { s.MaxAge = time.Hour }, auth: sso.AuthBasic},
		// The ID token does not have the claim, so UserInfo is asked.
		"oid": {edit: func(s *store.SignOn) { s.MatchClaim = sso.MatchObject }, auth: sso.AuthBasic},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, jose.RS256, tt.edit)
			b := w.browser()
			b.wantIn(b.signIn(alice))
			if diff := cmp.Diff([]string{tt.auth}, w.op.auth); diff != "" {
				t.Errorf("client authentication (-want +got):\n%s", diff)
			}
		})
	}
}

// TestSignIn_algorithm: whatever the provider signs by, its at_hash is made by another hand than what checks it.
func TestSignIn_algorithm(t *testing.T) {
	for _, name := range sso.DefaultAlgorithms() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, jose.SignatureAlgorithm(name), nil)
			b := w.browser()
			b.wantIn(b.signIn(alice))
		})
	}
}

// TestSignIn_newKey: a key that the provider begins to sign by while the ones before are remembered here.
func TestSignIn_newKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t, jose.RS256, nil)
	b := w.browser()
	b.wantIn(b.signIn(alice))
	w.op.rotate(newKey(t, jose.RS256))
	b = w.browser()
	b.wantIn(b.signIn(alice))
}

// TestSignIn_noLicense: to have proven who one is is not enough.
func TestSignIn_noLicense(t *testing.T) {
	t.Parallel()
	w := newWorld(t, jose.RS256, nil)
	b := w.browser()
	if a := b.signIn(bob); a.StatusCode != http.StatusForbidden {
		t.Errorf("%d to %q, want 403", a.StatusCode, a.to())
	}
	if diff := cmp.Diff([]string{string(licensing.LicenseHasNoSSO)}, w.refusals()); diff != "" {
		t.Errorf("refusals in the audit log (-want +got):\n%s", diff)
	}
	if status, _ := b.session(); status != http.StatusUnauthorized {
		t.Errorf("the session: %d, want 401", status)
	}
}

// TestSignOut: the session ends here, then at the provider, which sends the person back.
func TestSignOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t, jose.RS256, nil)
	b := w.browser()
	b.wantIn(b.signIn(alice))
	a := b.open("/sso/logout", url.Values{})
	u, err := url.Parse(a.to())
	if err != nil || a.StatusCode != http.StatusSeeOther || !strings.HasPrefix(a.to(), w.op.server.URL+"/end_session?") {
		t.Fatalf("signing out: %d to %q, %v", a.StatusCode, a.to(), err)
	}
	if status, _ := b.session(); status != http.StatusUnauthorized {
		t.Errorf("the session: %d, want 401", status)
	}
	wantShape(t, u.Query().Get("id_token_hint"))

	a = b.atProvider(a)
	if !strings.HasPrefix(a.to(), w.op.signedOut+"?") {
		t.Fatalf("the provider answers %d to %q\n%s", a.StatusCode, a.to(), a.text)
	}
	if diff := cmp.Diff([]string{alice.subject + " of " + clientID}, w.op.ended); diff != "" {
		t.Errorf("sessions that the provider has ended (-want +got):\n%s", diff)
	}
	if a = b.open(a.to(), nil); a.StatusCode != http.StatusOK || !strings.Contains(a.text, "You are signed out.") {
		t.Errorf("back: %d\n%s", a.StatusCode, a.text)
	}
}

// wantShape reports an ID token that is not of the shape for which this provider is here: others than this one are tested elsewhere.
func wantShape(t *testing.T, token string) {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("the ID token has %d parts", len(parts))
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := json.Unmarshal(payload, &claims); err != nil {
		t.Fatal(err)
	}
	t.Logf("the ID token: %s", payload)
	got := map[string]any{"aud": claims["aud"], "azp": claims["azp"], "sub": claims["sub"]}
	if diff := cmp.Diff(map[string]any{"aud": []any{clientID}, "azp": clientID, "sub": alice.subject}, got); diff != "" {
		t.Errorf("the ID token (-want +got):\n%s", diff)
	}
	for _, name := range []string{"at_hash", "c_hash"} {
		if hash, _ := claims[name].(string); hash == "" {
			t.Errorf("the ID token has no %s", name)
		}
	}
}
