package setup

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"usher/licensing"
	"usher/scim"
	"usher/scim/schema"
	"usher/store"
	"usher/store/enginetest"
)

// site is the pages over a store of their own, with a company and one invited person.
type site struct {
	t       *testing.T
	store   *enginetest.Store
	dir     *licensing.Directory
	server  *httptest.Server
	company string
	account string
	link    string // path
	now     time.Time
}

func newSite(t *testing.T, license licensing.License) *site {
	t.Helper()
	registry, err := schema.NewRegistry()
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	s := &site{t: t, now: time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)}
	s.store = enginetest.Open(t, registry.UserIndexes())
	clock := func() time.Time { return s.now }
	links := NewLinks([KeySize]byte{7})
	s.dir = licensing.NewDirectory(s.store, clock, log)
	s.dir.Links = links.Hash
	users := scim.NewUsers(registry, s.store)
	h, err := NewHandler(Config{
		Store: s.store, Directory: s.dir, Users: users, Logger: log, Clock: clock,
		Hasher: marker{},
	})
	if err != nil {
		t.Fatal(err)
	}
	s.server = httptest.NewServer(h)
	t.Cleanup(s.server.Close)
	made := s.apply(licensing.CreateCompany{
		Company: store.Company{Name: "acme", Display: "Acme <Ltd>", Tier: licensing.TierVideoProPlus}, Seats: map[licensing.License]int{licensing.VideoProPlus: 1},
	})
	s.company = made.Company.ID
	draft, err := users.Draft(t.Context(), s.company, map[string]any{"userName": "ada@acme.example"})
	if err != nil {
		t.Fatal(err)
	}
	s.account = s.apply(licensing.CreateAccount{Draft: draft, Setup: licensing.Setup{How: licensing.SetupInvite}}).Account.ID
	if license != licensing.NoLicense {
		s.apply(licensing.Assign{ID: s.account, License: license})
	}
	mails, err := s.store.DueMails(t.Context(), s.now, 1)
	if err != nil || len(mails) != 1 {
		t.Fatalf("%d mails, %v", len(mails), err)
	}
	s.link = links.URL("", mails[0])
	return s
}

// marker is a hasher that lets tests see what was hashed.
type marker struct{}

func (marker) Hash(_ context.Context, password string) (string, error) {
	return "hash of " + password, nil
}

func (s *site) apply(do licensing.Operation) licensing.Result {
	s.t.Helper()
	r, err := s.dir.Apply(s.t.Context(), licensing.Change{Company: s.company, MayAssign: true, Do: do})
	if err != nil {
		s.t.Fatal(err)
	}
	return r
}

func (s *site) person() store.Account {
	s.t.Helper()
	a, err := s.store.Account(s.t.Context(), s.company, s.account)
	if err != nil {
		s.t.Fatal(err)
	}
	return a
}

// open reads a page; it and every other answer keeps the rules for pages with a secret address.
func (s *site) open(path string, status int) string {
	s.t.Helper()
	response, err := http.Get(s.server.URL + path)
	if err != nil {
		s.t.Fatal(err)
	}
	return s.read(response, status)
}

func (s *site) read(response *http.Response, status int) string {
	s.t.Helper()
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	if response.StatusCode != status {
		s.t.Fatalf("%s: status %d, want %d: %s", response.Request.URL.Path, response.StatusCode, status, body)
	}
	policy := response.Header.Get("Content-Security-Policy")
	nonce := regexp.MustCompile(`<style nonce="([A-Z2-7]+)">`).FindSubmatch(body)
	if nonce == nil || !strings.Contains(policy, "default-src 'none'; style-src 'nonce-"+string(nonce[1])+"'") {
		s.t.Errorf("the policy %q is not that of the page", policy)
	}
	for name, want := range map[string]string{"Referrer-Policy": "same-origin", "Cache-Control": "no-store", "Content-Type": "text/html; charset=utf-8"} {
		if got := response.Header.Get(name); got != want {
			s.t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	return string(body)
}

// send fills in a form and follows where it leads.
func (s *site) send(step string, status int, form ...string) string {
	s.t.Helper()
	values := url.Values{}
	for i := 0; i+1 < len(form); i += 2 {
		values.Set(form[i], form[i+1])
	}
	response, err := http.PostForm(s.server.URL+s.link+"?step="+step, values)
	if err != nil {
		s.t.Fatal(err)
	}
	return s.read(response, status)
}

func (s *site) shows(page, want string) {
	s.t.Helper()
	if !strings.Contains(page, want) {
		s.t.Errorf("the page does not say %q:\n%s", want, page[strings.Index(page, "<body>"):])
	}
}

func TestSetUp(t *testing.T) {
	s := newSite(t, licensing.NoLicense)
	page := s.open(s.link, http.StatusOK)
	s.shows(page, "Welcome to Acme &lt;Ltd&gt;")
	s.shows(page, "ada@acme.example")
	s.shows(page, `name="given"`)
	s.shows(s.open(s.link+"?step=time-zone", http.StatusOK), `name="given"`) // nobody jumps ahead
	if a := s.person(); a.Activation != store.ActivationInvited || a.Version != 1 {
		t.Errorf("opening the link has changed something: %+v", a)
	}

	s.shows(s.send("name", http.StatusUnprocessableEntity), "Enter your name")
	page = s.send("name", http.StatusOK, "given", " Ada ", "family", "Lovelace")
	s.shows(page, `name="password"`)
	s.shows(page, `<a href="?step=name">Your name</a>`)
	if a := s.person(); a.Display != "Ada Lovelace" {
		t.Errorf("the name is %q", a.Display)
	}
	// Progress is kept: whoever opens the link again goes on, and can go back.
	s.shows(s.open(s.link, http.StatusOK), `name="password"`)
	s.shows(s.open(s.link+"?step=name", http.StatusOK), `value="Lovelace"`)

	for _, wrong := range []struct{ password, again, says string }{
		{"short", "short", "12 characters or more"},
		{"correct horse battery", "correct horse", "The two passwords differ"},
		{"ADA@acme.example", "ADA@acme.example", "not a secret"},
		{strings.Repeat("x", 1025), "", "1024 bytes at most"},
	} {
		s.shows(s.send("sign-in", http.StatusUnprocessableEntity, "password", wrong.password, "again", wrong.again), wrong.says)
	}
	s.shows(s.send("sign-in", http.StatusUnprocessableEntity, "how", "company"), "does not include")
	page = s.send("sign-in", http.StatusOK, "password", "correct horse battery", "again", "correct horse battery")
	s.shows(page, `name="zone"`)
	if strings.Contains(page, "correct horse") {
		t.Error("the page has the password")
	}
	for _, zone := range []string{"", "Mars/Olympus", "Local", "../../etc/passwd"} {
		s.shows(s.send("time-zone", http.StatusUnprocessableEntity, "zone", zone), "not a time zone")
	}
	s.shows(s.send("time-zone", http.StatusOK, "zone", "Europe/London"), "You are all set")
	a := s.person()
	if a.Activation != store.ActivationActive || a.Password != "hash of correct horse battery" || a.MustChange || !strings.Contains(string(a.Doc), "Europe/London") {
		t.Errorf("at the end: %+v %s", a.Setup, a.Doc)
	}
	s.shows(s.open(s.link, http.StatusGone), "The link was used already")
	s.shows(s.send("sign-in", http.StatusGone, "password", "another password", "again", "another password"), "The link was used already")
	if got := s.person().Password; got != a.Password {
		t.Errorf("the used link has changed the password to %q", got)
	}
}

// TestSetUp_byCompany has a person whose license includes single sign-on do without a password; the seat is in use by it.
func TestSetUp_byCompany(t *testing.T) {
	s := newSite(t, licensing.VideoProPlus)
	s.send("name", http.StatusOK, "given", "Ada")
	page := s.open(s.link, http.StatusOK)
	s.shows(page, "Sign in with Acme &lt;Ltd&gt;")
	// In a form of its own: whoever types a password and presses Enter means the password.
	if forms := strings.Split(page, "</form>"); len(forms) != 3 || strings.Contains(forms[1], "company") {
		t.Errorf("the forms are %q", forms)
	}
	s.send("sign-in", http.StatusOK, "password", "correct horse battery", "again", "correct horse battery") // and then thinks better of it
	s.send("sign-in", http.StatusOK, "how", "company")
	s.send("time-zone", http.StatusOK, "zone", "UTC")
	if a := s.person(); a.Activation != store.ActivationActive || a.Password != "" || a.SeatState != store.StateActive {
		t.Errorf("at the end: %+v", a)
	}
}

func TestSetUp_refused(t *testing.T) {
	s := newSite(t, licensing.NoLicense)
	invalid := "The link is not one that is good"
	for _, path := range []string{Path, Path + "x", s.link + "x", s.link[:len(s.link)-1], Path + strings.Repeat("A", 86), s.link[:60] + strings.Repeat("A", len(s.link)-60)} {
		s.shows(s.open(path, http.StatusNotFound), invalid)
	}
	// A later invitation ends an earlier one.
	was := s.link
	s.apply(licensing.Invite{ID: s.account, Address: scim.Address})
	s.shows(s.open(was, http.StatusNotFound), invalid)

	s = newSite(t, licensing.NoLicense)
	s.now = s.now.Add(licensing.InviteFor)
	s.shows(s.open(s.link, http.StatusGone), "The link was good for some days")
	s.shows(s.send("name", http.StatusGone, "given", "Ada"), "A company admin can do that")

	s = newSite(t, licensing.NoLicense)
	request, err := http.NewRequestWithContext(context.Background(), http.MethodPost, s.server.URL+s.link+"?step=name", strings.NewReader("given=Eve"))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Sec-Fetch-Site", "cross-site")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	s.shows(s.read(response, http.StatusUnprocessableEntity), "came from another page")
	s.shows(s.send("name", http.StatusUnprocessableEntity, "given", strings.Repeat("x", maxForm)), "cannot be read")
	s.apply(licensing.DeleteAccount{ID: s.account})
	s.shows(s.open(s.link, http.StatusNotFound), invalid)
}

func TestZones(t *testing.T) {
	h, err := NewHandler(Config{})
	if err != nil {
		t.Fatal(err)
	}
	if len(h.zones) < 50 {
		t.Errorf("only %d zones", len(h.zones))
	}
	for _, zone := range h.zones {
		if _, err := time.LoadLocation(zone); err != nil {
			t.Errorf("%s: %v", zone, err)
		}
	}
}
