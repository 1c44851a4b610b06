package sso_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/time/rate"

	"usher/licensing"
	"usher/sso"
	"usher/sso/ssotest"
	"usher/store"
	"usher/store/enginetest"
	"usher/store/query"
)

// world is a company with an identity provider, and the server that people sign in to.
type world struct {
	t       *testing.T
	store   *enginetest.Store
	dir     *licensing.Directory
	sealer  *sealer
	handler *sso.Handler
	server  *httptest.Server
	idp     *ssotest.IdP
	company store.Company
	offset  atomic.Int64 // of the clock
	log     logBuffer
}

// logBuffer keeps what is logged.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// sealer keeps secrets in memory, so that a test sees what is done with them.
type sealer struct {
	mu  sync.Mutex
	all map[string][2]string
}

func (s *sealer) Seal(secret, owner string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	name := "sealed-" + store.NewID()
	s.all[name] = [2]string{secret, owner}
	return name
}

func (s *sealer) Open(sealed, owner string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if got, ok := s.all[sealed]; ok && got[1] == owner {
		return got[0], nil
	}
	return "", fmt.Errorf("%q is not sealed for %s", sealed, owner)
}

// hasher hashes nothing: the cost of it is not what is tested.
type hasher struct{}

func (hasher) Hash(_ context.Context, password string) (string, error) { return "$" + password, nil }

func (hasher) Verify(_ context.Context, phc, password string) (bool, error) {
	return phc != "" && phc == "$"+password, nil
}

// limits counts as [sso.Config].Wait says.
func limits() func(what string, every time.Duration, burst int, now time.Time) time.Duration {
	var mu sync.Mutex
	all := map[string]*rate.Limiter{}
	return func(what string, every time.Duration, burst int, now time.Time) time.Duration {
		mu.Lock()
		defer mu.Unlock()
		if all[what] == nil {
			all[what] = rate.NewLimiter(rate.Every(every), burst)
		}
		r := all[what].ReserveN(now, 1)
		delay := r.DelayFrom(now)
		if delay > 0 {
			r.CancelAt(now)
		}
		return delay
	}
}

const many = 1_000_000

// impatient does not wait for identity providers as long as a server does.
func impatient(c *sso.Config) { c.Network.Timeout = time.Second }

// newWorld makes the company acme with the person alice, who has Video Pro+, and bob, who has not.
func newWorld(t *testing.T, configure ...func(*sso.Config)) *world {
	t.Helper()
	w := &world{t: t, sealer: &sealer{all: map[string][2]string{}}, idp: ssotest.New(t)}
	w.store = enginetest.Open(t, []query.Index{{Path: "externalId", Type: query.String}})
	logger := slog.New(slog.NewJSONHandler(&w.log, nil))
	w.dir = licensing.NewDirectory(w.store, w.now, logger)
	w.idp.SetClock(w.now)
	w.server = httptest.NewUnstartedServer(nil)
	c := sso.Config{
		Store: w.store, Directory: w.dir, Sealer: w.sealer, Hasher: hasher{}, BaseURL: "http://" + w.server.Listener.Addr().String(),
		Network: sso.Network{Loopback: true}, Rates: sso.Rates{Starts: many, Company: many, Callbacks: many, Logouts: many}, Wait: limits(),
		CheckPassword: func(p string) string {
			if len(p) < 4 {
				return "Too short."
			}
			return ""
		},
		Logger: logger, Clock: w.now,
	}
	for _, f := range configure {
		f(&c)
	}
	var err error
	if w.handler, err = sso.NewHandler(c); err != nil {
		t.Fatal(err)
	}
	w.server.Config.Handler = w.handler
	w.server.Start()
	t.Cleanup(w.server.Close)
	w.company = w.addCompany("acme")
	w.connect(w.company, "okta", w.idp)
	w.person("alice", licensing.VideoProPlus)
	w.person("bob")
	return w
}

func (w *world) now() time.Time { return time.Now().Add(time.Duration(w.offset.Load())) }

// pass lets time pass.
func (w *world) pass(d time.Duration) { w.offset.Add(int64(d)) }

func (w *world) addCompany(name string) store.Company {
	w.t.Helper()
	r, err := w.dir.Apply(w.t.Context(), licensing.Change{Do: licensing.CreateCompany{
		Company: store.Company{Name: name, Display: strings.ToUpper(name[:1]) + name[1:], Tier: licensing.TierVideoProPlus},
		Seats:   map[licensing.License]int{licensing.VideoProPlus: 10},
	}})
	if err != nil {
		w.t.Fatal(err)
	}
	return r.Company
}

// connect gives a company a connection with single sign-on at the identity provider.
func (w *world) connect(c store.Company, name string, idp *ssotest.IdP, edit ...func(*store.SignOn)) store.Connection {
	w.t.Helper()
	n := store.Connection{ID: store.NewID(), Company: c.ID, Name: name, Mode: store.ModeLive, Created: w.now().UTC().Truncate(time.Millisecond)}
	n.SignOn = store.SignOn{
		State: store.SignOnActive, Issuer: idp.Issuer(), ClientID: ssotest.ClientID, ClientAuth: sso.AuthBasic,
		Secret: w.sealer.Seal(ssotest.ClientSecret, sso.SecretOwner(c.ID, n.ID)),
	}
	for _, f := range edit {
		f(&n.SignOn)
	}
	if err := sso.CheckSettings(&n.SignOn); err != nil {
		w.t.Fatal(err)
	}
	if err := w.store.CreateConnection(w.t.Context(), n, nil); err != nil {
		w.t.Fatal(err)
	}
	return n
}

// set changes the settings of acme's connection.
func (w *world) set(edit func(*store.SignOn)) {
	w.t.Helper()
	n := w.connection("okta")
	was := n.SignOn
	edit(&n.SignOn)
	if sso.EndsSessions(was, n.SignOn) {
		n.Epoch++
	}
	if _, err := w.store.SetSignOn(w.t.Context(), n, nil); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) connection(name string) store.Connection {
	w.t.Helper()
	n, err := w.store.ConnectionByName(w.t.Context(), w.company.ID, name)
	if err != nil {
		w.t.Fatal(err)
	}
	return n
}

func (w *world) apply(c store.Company, do licensing.Operation) licensing.Result {
	w.t.Helper()
	r, err := w.dir.Apply(w.t.Context(), licensing.Change{
		Company: c.ID, Actor: store.Actor{Kind: "connection", ID: "okta"}, Door: licensing.DoorSCIM, Request: "r", MayAssign: true, Do: do,
	})
	if err != nil {
		w.t.Fatalf("%T: %v", do, err)
	}
	return r
}

func draft(name string, asks ...licensing.License) licensing.Draft {
	doc := fmt.Appendf(nil, `{"active":true,"externalId":%q,"userName":%q}`, name, name+"@acme.example")
	return licensing.Draft{
		UserName: name + "@acme.example", ExternalID: name, Display: strings.ToUpper(name[:1]) + name[1:], Active: true, Email: name + "@acme.example",
		Doc: doc, Terms: query.Terms(doc, []query.Index{{Path: "externalId", Type: query.String}}),
		Intents: []licensing.Intent{{Carrier: licensing.CarrierEntitlements, Licenses: asks}},
	}
}

// person adds one to acme whose externalId is the name.
func (w *world) person(name string, asks ...licensing.License) store.Account {
	w.t.Helper()
	return w.apply(w.company, licensing.CreateAccount{Draft: draft(name, asks...)}).Account
}

func (w *world) account(name string) store.Account {
	w.t.Helper()
	a, err := w.store.AccountByUserName(w.t.Context(), w.company.ID, name+"@acme.example")
	if err != nil {
		w.t.Fatal(err)
	}
	return a
}

// edit changes a person as their identity provider does.
func (w *world) edit(name string, change func(*licensing.Draft)) {
	w.t.Helper()
	w.apply(w.company, licensing.UpdateAccount{ID: w.account(name).ID, Edit: func(store.Account) (licensing.Draft, error) {
		d := draft(name, licensing.VideoProPlus)
		change(&d)
		return d, nil
	}})
}

// browser is one that follows no redirects, so that a test sees each.
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

func (a answer) location() string { return a.Header.Get("Location") }

func (b *browser) do(r *http.Request) answer {
	b.w.t.Helper()
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

func (b *browser) get(path string) answer {
	b.w.t.Helper()
	if !strings.HasPrefix(path, "http") {
		path = b.w.server.URL + path
	}
	r, err := http.NewRequest(http.MethodGet, path, nil)
	if err != nil {
		b.w.t.Fatal(err)
	}
	return b.do(r)
}

func (b *browser) post(path string, form url.Values) answer {
	b.w.t.Helper()
	r, err := http.NewRequest(http.MethodPost, b.w.server.URL+path, strings.NewReader(form.Encode()))
	if err != nil {
		b.w.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return b.do(r)
}

// begin begins to sign in to acme and gives the address at the identity provider.
func (b *browser) begin() string {
	b.w.t.Helper()
	a := b.get("/sso/acme")
	if a.StatusCode != http.StatusSeeOther {
		b.w.t.Fatalf("begin: %d %s", a.StatusCode, a.text)
	}
	return a.location()
}

// signIn signs somebody in to acme, as far as they get.
func (b *browser) signIn(who ssotest.Person) answer {
	b.w.t.Helper()
	return b.do(b.w.idp.Authorize(b.begin(), who).Request())
}

func (b *browser) session() (status int, reason string) {
	b.w.t.Helper()
	a := b.get("/sso/session")
	var body struct{ Reason string }
	if err := json.Unmarshal([]byte(a.text), &body); err != nil {
		b.w.t.Fatalf("session: %v in %s", err, a.text)
	}
	return a.StatusCode, body.Reason
}

// refusals gives the codes of the refusals that acme's audit log has.
func (w *world) refusals() []string {
	w.t.Helper()
	return w.refusalsOf(w.company)
}

func (w *world) refusalsOf(c store.Company) (codes []string) {
	w.t.Helper()
	w.handler.Settle()
	events, err := w.store.ListEvents(w.t.Context(), c.ID, 0, 1000)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, e := range events {
		var detail struct{ Code string }
		if e.Action == licensing.ActionRefuse {
			if err := json.Unmarshal(e.Detail, &detail); err != nil {
				w.t.Fatal(err)
			}
			codes = append(codes, detail.Code)
		}
	}
	return codes
}

// lastRefusal gives the code of the latest refusal.
func (w *world) lastRefusal() string {
	w.t.Helper()
	codes := w.refusals()
	if len(codes) == 0 {
		return ""
	}
	return codes[len(codes)-1]
}

func (w *world) sessions() int {
	w.t.Helper()
	all, err := w.store.ListSessions(w.t.Context(), w.company.ID, "", "", many)
	if err != nil {
		w.t.Fatal(err)
	}
	return len(all)
}

// wantIn reports a sign-in that did not let somebody in.
func (b *browser) wantIn(what string, a answer) {
	b.w.t.Helper()
	if a.StatusCode != http.StatusSeeOther || a.location() != "/sso/me" {
		b.w.t.Errorf("%s: %d to %q, refused with %q", what, a.StatusCode, a.location(), b.w.lastRefusal())
		return
	}
	if status, reason := b.session(); status != http.StatusOK {
		b.w.t.Errorf("%s: the session is %d %s", what, status, reason)
	}
}

// wantRefused reports a sign-in that was not refused with the code and the status, or that left a session.
func (b *browser) wantRefused(what string, a answer, status int, code string) {
	b.w.t.Helper()
	if a.StatusCode != status || b.w.lastRefusal() != code {
		b.w.t.Errorf("%s: %d to %q with %q, want %d with %q", what, a.StatusCode, a.location(), b.w.lastRefusal(), status, code)
	}
	if n := b.w.sessions(); n != 0 {
		b.w.t.Errorf("%s: %d sessions", what, n)
	}
	if !strings.Contains(a.text, "Reference for your administrator") {
		b.w.t.Errorf("%s: the page has no reference:\n%s", what, a.text)
	}
}

var alice = ssotest.Person{Subject: "alice"}

func form(pairs ...string) url.Values {
	v := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		v.Add(pairs[i], pairs[i+1])
	}
	return v
}

func (w *world) json(v any) string {
	w.t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		w.t.Fatal(err)
	}
	return string(b)
}

// newClientKey gives a connection a private key of its own, and returns the public one.
func (w *world) newClientKey(s *store.SignOn, n store.Connection) crypto.PublicKey {
	w.t.Helper()
	secret, err := sso.NewKey()
	if err != nil {
		w.t.Fatal(err)
	}
	sealed := sso.SealSecret(w.sealer, secret, w.company.ID, n.ID)
	s.Secret = sealed
	text, err := w.sealer.Open(sealed, sso.SecretOwner(w.company.ID, n.ID))
	if err != nil {
		w.t.Fatal(err)
	}
	block, _ := pem.Decode([]byte(text))
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		w.t.Fatal(err)
	}
	return key.(crypto.Signer).Public()
}
