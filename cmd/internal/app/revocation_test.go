package app

import (
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"usher/cmd/internal/adminapi"
	"usher/sso/ssotest"
)

// playground lets tests sign in as often as they like.
var playground = SignOn{InsecureLoopback: true, PerAddress: 100_000, PerCompany: 100_000}

func pointer[T any](v T) *T { return &v }

// signOn gives the company acme single sign-on through an identity provider.
func (s *site) signOn(idp *ssotest.IdP) {
	s.t.Helper()
	_, err := s.admin.SetSignOn(s.t.Context(), "acme", "idp", adminapi.SignOnChange{
		Issuer: pointer(idp.Issuer()), ClientID: pointer(ssotest.ClientID), ClientSecret: ssotest.ClientSecret, State: "active", Untested: true,
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// visitor is a browser that follows no redirects.
func visitor(t *testing.T) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// signIn signs a person in, and gives their session cookie.
func (s *site) signIn(idp *ssotest.IdP, subject string) *http.Cookie {
	s.t.Helper()
	return s.signInAt(nil, idp, subject)
}

// signInAt is signIn for one that ends at another server; nil: where the public address leads.
func (s *site) signInAt(ends *site, idp *ssotest.IdP, subject string) *http.Cookie {
	s.t.Helper()
	browser := visitor(s.t)
	begun, err := browser.Get(s.base + "/sso/acme")
	if err != nil {
		s.t.Fatal(err)
	}
	begun.Body.Close()
	answer := idp.Authorize(begun.Header.Get("Location"), ssotest.Person{Subject: subject}).Request()
	if ends != nil {
		answer.URL.Host = ends.app.public.Addr().String()
	}
	answered, err := browser.Do(answer)
	if err != nil {
		s.t.Fatal(err)
	}
	defer answered.Body.Close()
	if answered.StatusCode != http.StatusSeeOther {
		b, _ := io.ReadAll(answered.Body)
		s.t.Fatalf("sign-in of %s: %d %s", subject, answered.StatusCode, b)
	}
	u, err := url.Parse(s.app.SignInURL("acme"))
	if err != nil {
		s.t.Fatal(err)
	}
	for _, c := range browser.Jar.Cookies(u) {
		if c.Name == "__Host-sso" {
			return c
		}
	}
	s.t.Fatalf("sign-in of %s: no session", subject)
	return nil
}

// exit is a way in which people lose their sessions: one person's, or everybody's.
type exit struct {
	name string
	all  bool
	out  func(d *doorway, group, person string)
}

func exits() []exit {
	pro := func(d *doorway, change adminapi.CompanyChange) {
		change.Confirm = true
		_, err := d.admin.ChangeCompany(d.t.Context(), "acme", change)
		d.check(err)
	}
	return []exit{
		{"PATCH active=false", false, func(d *doorway, _, id string) { d.patch(id, `{"op":"replace","path":"active","value":false}`) }},
		{"PUT active=false", false, func(d *doorway, _, id string) {
			var u user
			d.must(http.StatusOK, http.MethodGet, "/Users/"+id, "", &u)
			d.must(http.StatusOK, http.MethodPut, "/Users/"+id, fmt.Sprintf(
				`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":%q,"externalId":"x-%[1]s","active":false}`, u.UserName), nil)
		}},
		{"DELETE", false, func(d *doorway, _, id string) { d.must(http.StatusNoContent, http.MethodDelete, "/Users/"+id, "", nil) }},
		{"Bulk", false, func(d *doorway, _, id string) {
			d.must(http.StatusOK, http.MethodPost, "/Bulk", fmt.Sprintf(
				`{"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],"Operations":[{"method":"PATCH","path":"/Users/%s","data":%s}]}`,
				id, activate(false)), nil)
		}},
		{"out of the group", false, func(d *doorway, group, id string) {
			status, err := d.do(http.MethodPatch, "/Groups/"+group, fmt.Sprintf(patchHead+`{"op":"remove","path":"members[value eq \"%s\"]"}]}`, id), nil)
			if err != nil || status >= 300 {
				d.t.Fatalf("%d, %v", status, err)
			}
		}},
		{"license withdrawn", false, func(d *doorway, _, id string) {
			_, err := d.admin.Assign(d.t.Context(), "acme", id, adminapi.Assignment{License: "video-pro"})
			d.check(err)
		}},
		{"sessions ended by an admin", false, func(d *doorway, _, id string) { d.check(d.admin.EndPersonSessions(d.t.Context(), "acme", id)) }},
		{"demotion to guest", false, func(d *doorway, _, id string) {
			_, err := d.admin.ChangeAccount(d.t.Context(), "acme", id, adminapi.AccountChange{MemberType: "guest"})
			d.check(err)
		}},
		{"the group is deleted", true, func(d *doorway, group, _ string) {
			d.must(http.StatusNoContent, http.MethodDelete, "/Groups/"+group, "", nil)
		}},
		{"downgrade", true, func(d *doorway, _, _ string) { pro(d, adminapi.CompanyChange{Tier: pointer("free")}) }},
		{"billing", true, func(d *doorway, _, _ string) { pro(d, adminapi.CompanyChange{Payment: "suspended"}) }},
		{"connection disabled", true, func(d *doorway, _, _ string) {
			_, err := d.admin.SetSignOn(d.t.Context(), "acme", "idp", adminapi.SignOnChange{State: "disabled"})
			d.check(err)
		}},
		{"secret changed", true, func(d *doorway, _, _ string) {
			_, err := d.admin.RotateSecret(d.t.Context(), "acme", "idp", "another")
			d.check(err)
		}},
	}
}

// TestRevocation asks all the time who is signed in while people lose the right to be: no request that is sent after the answer to the change
// is answered as signed in.
func TestRevocation(t *testing.T) {
	for _, e := range exits() {
		t.Run(e.name, func(t *testing.T) {
			s := serve(t, Config{Addr: "127.0.0.1:0", Data: t.TempDir(), SignOn: playground})
			revoke(t, e, s, s)
		})
	}
}

// revoke plays an exit that is taken at one server, while another is asked.
func revoke(t *testing.T, e exit, taken, asked *site) {
	people, each, clients, rounds := 4, 5, 4, 1
	if os.Getenv("USHER_SCALE") == "full" {
		people, each, clients, rounds = 10, 20, 16, 30
	}
	d := &doorway{taken, t}
	d.site.t = t
	d.company(people, "waiting")
	_, err := d.admin.ChangeCompany(t.Context(), "acme", adminapi.CompanyChange{LossPercent: pointer(100)})
	d.check(err)
	idp := ssotest.New(t)
	d.signOn(idp)
	var ids, members []string
	for i := range people {
		name := fmt.Sprintf("p%d", i)
		ids = append(ids, d.create(name, ""))
		members = append(members, fmt.Sprintf(`{"value":%q}`, ids[i]))
	}
	var group struct{ ID string }
	d.must(http.StatusCreated, http.MethodPost, "/Groups", fmt.Sprintf(
		`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"Video","members":[%s]}`, strings.Join(members, ",")), &group)
	_, err = d.admin.AddRule(t.Context(), "acme", adminapi.NewRule{Group: group.ID, License: "video-pro-plus"})
	d.check(err)
	w := newWatch(asked.base + "/sso/session")
	for i := range people {
		for range each {
			w.add(i, d.signIn(idp, fmt.Sprintf("x-p%d", i)))
		}
	}
	w.run(t, clients)
	w.await(&w.in, rounds) // so that the clients are at it
	for i, id := range ids {
		e.out(d, group.ID, id)
		w.end(i, e.all)
		if e.all {
			break
		}
	}
	w.await(&w.out, rounds)
	w.stop(t)
}

// watch asks over and over who is signed in.
type watch struct {
	url      string
	sessions []watched
	ended    []atomic.Int64 // when the person's answer came, in nanoseconds; 0: not yet
	over     chan struct{}
	done     sync.WaitGroup

	in, out, late, wrong atomic.Int64
}

type watched struct {
	person int
	cookie *http.Cookie
}

func newWatch(url string) *watch { return &watch{url: url, over: make(chan struct{})} }

func (w *watch) add(person int, c *http.Cookie) {
	w.sessions = append(w.sessions, watched{person, c})
}

func (w *watch) run(t *testing.T, clients int) {
	w.ended = make([]atomic.Int64, len(w.sessions))
	for i := range clients {
		w.done.Go(func() {
			transport := &http.Transport{}
			defer transport.CloseIdleConnections()
			for n := i; ; n += clients {
				select {
				case <-w.over:
					return
				default:
				}
				w.ask(t, transport, w.sessions[n%len(w.sessions)])
			}
		})
	}
}

// await returns when some rounds more of answers of a kind have come.
func (w *watch) await(answers *atomic.Int64, rounds int) {
	for until := answers.Load() + int64(rounds*len(w.sessions)); answers.Load() < until; {
		time.Sleep(time.Millisecond)
	}
}

func (w *watch) ask(t *testing.T, transport *http.Transport, s watched) {
	req, err := http.NewRequest(http.MethodGet, w.url, nil)
	if err != nil {
		t.Error(err)
		return
	}
	req.AddCookie(s.cookie)
	begun := time.Now().UnixNano()
	resp, err := transport.RoundTrip(req)
	if err != nil {
		t.Error(err)
		return
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	ended := w.ended[s.person].Load()
	switch {
	case resp.StatusCode == http.StatusUnauthorized:
		w.out.Add(1)
	case resp.StatusCode != http.StatusOK:
		t.Errorf("answered with %d", resp.StatusCode)
	case ended != 0 && begun > ended:
		w.wrong.Add(1)
	case ended != 0:
		w.late.Add(1)
		fallthrough
	default:
		w.in.Add(1)
	}
}

// end says that the answer came by which a person, or everybody, is out.
func (w *watch) end(person int, all bool) {
	now := time.Now().UnixNano()
	for i := range w.ended {
		if all || i == person {
			w.ended[i].Store(now)
		}
	}
}

func (w *watch) stop(t *testing.T) {
	t.Helper()
	close(w.over)
	w.done.Wait()
	t.Logf("%d sessions: %d answers signed in, of which %d to requests sent before and answered after the change was; %d signed out", len(w.sessions), w.in.Load(), w.late.Load(), w.out.Load())
	if n := w.wrong.Load(); n > 0 {
		t.Errorf("%d requests that were sent after the change was answered are answered as signed in", n)
	}
	if w.in.Load() == 0 || w.out.Load() == 0 {
		t.Error("nobody was in, or nobody is out: the test has seen nothing")
	}
	for _, s := range w.sessions {
		before := w.in.Load() + w.wrong.Load()
		w.ask(t, &http.Transport{DisableKeepAlives: true}, s)
		if w.in.Load()+w.wrong.Load() != before {
			t.Error("a session is still good at the end")
		}
	}
}
