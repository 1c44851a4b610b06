package app

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
	"github.com/google/go-cmp/cmp"

	"usher/cmd/internal/adminapi"
	"usher/cmd/internal/mail"
	"usher/sso/ssotest"
	"usher/store"
	"usher/store/enginetest"
	"usher/store/mongo/mongotest"
	"usher/store/query"
	"usher/store/storetest"
)

// commonMap is the plain engine as one that several servers share.
type commonMap struct {
	*storetest.Map
	mu     sync.Mutex
	shared map[string][]byte
}

func newCommonMap(indexes []query.Index) *commonMap {
	return &commonMap{Map: storetest.NewMap(indexes), shared: map[string][]byte{}}
}

func (m *commonMap) Shared(_ context.Context, name string, value []byte) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.shared[name]; !ok {
		m.shared[name] = value
	}
	return m.shared[name], nil
}

func (m *commonMap) ReplaceShared(_ context.Context, name string, was, value []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !bytes.Equal(m.shared[name], was) {
		return store.ErrVersion
	}
	m.shared[name] = value
	return nil
}

func (*commonMap) Failed() <-chan struct{} { return nil }

// Close leaves the map to the other servers.
func (*commonMap) Close() error { return nil }

// database is what several servers share: a MongoDB in a run for that, else the plain engine, which has no more than it.
type database struct {
	uri  string // empty: it is the plain engine
	open opener
}

func newDatabase(t *testing.T) database {
	t.Helper()
	if enginetest.MongoDB(t) {
		return database{uri: mongotest.URI(t), open: openStore}
	}
	var m *commonMap
	return database{open: func(_ context.Context, _, _ string, indexes []query.Index, _ *slog.Logger) (engine, error) {
		if m == nil {
			m = newCommonMap(indexes)
		}
		return m, nil
	}}
}

// keysOfTests are keys of sealed secrets.
func keysOfTests(letter string) string {
	return base64.StdEncoding.EncodeToString([]byte(strings.Repeat(letter, 32)))
}

// several starts servers on one database, each with a folder of its own. The public address leads to the first.
func several(t *testing.T, n int, c Config) []*site {
	t.Helper()
	t.Setenv(keysVariable, keysOfTests("k"))
	db := newDatabase(t)
	var all []*site
	for range n {
		c.Addr, c.Data, c.Store = "127.0.0.1:0", t.TempDir(), db.uri
		s := serveOn(t, c, db.open)
		c.PublicURL = s.app.url
		all = append(all, s)
	}
	return all
}

// withCompany makes the company acme at the first server, and lets the tests speak to the others as well.
func withCompany(all []*site, seats int, policy string) []*site {
	all[0].company(seats, policy)
	for _, s := range all {
		s.token = all[0].token
	}
	return all
}

// TestSeveral_revocation is TestRevocation with the change made at one server and the other asked.
func TestSeveral_revocation(t *testing.T) {
	for _, e := range exits() {
		t.Run(e.name, func(t *testing.T) {
			all := several(t, 2, Config{SignOn: playground})
			revoke(t, e, all[0], all[1])
		})
	}
}

// TestSeveral_storm: 64 people come to two servers for 5 seats at the same moment, then leave one after the other at both.
func TestSeveral_storm(t *testing.T) {
	const people, seats = 64, 5
	all := withCompany(several(t, 2, Config{}), seats, "waiting")
	var coming sync.WaitGroup
	var created [people]user
	for i := range people {
		coming.Go(func() {
			status, err := all[i%2].do(http.MethodPost, "/Users", asks(fmt.Sprintf("p%02d", i)), &created[i])
			if err != nil || status != http.StatusCreated {
				t.Errorf("person %d: status %d, %v; want 201", i, status, err)
			}
		})
	}
	coming.Wait()
	if t.Failed() {
		return
	}
	check := func(want pool) {
		t.Helper()
		for _, s := range all {
			if diff := cmp.Diff(want, s.pool()); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		}
		if used := ledger(t, all[0]); used != want.Used {
			t.Errorf("%d seats by the ledger, want %d", used, want.Used)
		}
	}
	check(pool{Total: seats, Used: seats, Reserved: seats, Waiting: people - seats})
	const leave = 20
	var going sync.WaitGroup
	for i := range leave {
		going.Go(func() {
			status, err := all[(i+1)%2].do(http.MethodDelete, "/Users/"+created[i].ID, "", nil)
			if err != nil || status != http.StatusNoContent {
				t.Errorf("person %d: status %d, %v; want 204", i, status, err)
			}
		})
	}
	going.Wait()
	check(pool{Total: seats, Used: seats, Reserved: seats, Waiting: people - seats - leave})
}

// ledger works out from the log of acme how many seats are taken. Each event of a person must begin where the one before it ended, and the
// log must be whole.
func ledger(t *testing.T, s *site) int {
	t.Helper()
	f := s.app.folder
	company, err := f.store.CompanyByName(t.Context(), "acme")
	if err != nil {
		t.Fatal(err)
	}
	type holding struct{ Seat, State string }
	has := map[string]holding{}
	var last store.Event
	for {
		page, err := f.store.ListEvents(t.Context(), company.ID, last.Seq, 1000)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		for _, e := range page {
			if e.Seq != last.Seq+1 || e.Hash != e.Chain(last.Hash) {
				t.Fatalf("the log is broken at event %d", e.Seq)
			}
			last = e
			if e.Kind != store.EventLicense {
				continue
			}
			var d struct{ From, To holding }
			if err := json.Unmarshal(e.Detail, &d); err != nil {
				t.Fatal(err)
			}
			if was, known := has[e.Target]; known && was != d.From {
				t.Errorf("event %d of %s begins with %+v, and the one before ended with %+v", e.Seq, e.Target, d.From, was)
			}
			has[e.Target] = d.To
		}
	}
	used := 0
	for _, h := range has {
		if h.Seat != "" {
			used++
		}
	}
	return used
}

// TestSeveral: what is changed at one server holds at the other with the next request.
func TestSeveral(t *testing.T) {
	all := withCompany(several(t, 2, Config{SignOn: playground}), 2, "waiting")
	a, b := all[0], all[1]
	d := &doorway{a, t}
	status := func(s *site, want int, method, path, body string) {
		t.Helper()
		if got, err := s.do(method, path, body, nil); err != nil || got != want {
			t.Errorf("%s %s: %d, %v, want %d", method, path, got, err, want)
		}
	}

	t.Run("token", func(t *testing.T) {
		made, err := a.admin.CreateToken(t.Context(), "acme", adminapi.NewToken{Connection: "idp"})
		if err != nil {
			t.Fatal(err)
		}
		at := &site{t: t, app: b.app, base: b.base, token: made.Secret}
		status(at, http.StatusOK, http.MethodGet, "/Users", "")
		if err := a.admin.RevokeToken(t.Context(), "acme", made.ID); err != nil {
			t.Fatal(err)
		}
		status(at, http.StatusUnauthorized, http.MethodGet, "/Users", "")
	})
	t.Run("paused connection", func(t *testing.T) {
		if _, err := a.admin.ChangeConnection(t.Context(), "acme", "idp", adminapi.ConnectionChange{Mode: store.ModePaused}); err != nil {
			t.Fatal(err)
		}
		status(b, http.StatusServiceUnavailable, http.MethodPost, "/Users", person("eve", "", "staff"))
		if _, err := a.admin.ChangeConnection(t.Context(), "acme", "idp", adminapi.ConnectionChange{Mode: store.ModeLive}); err != nil {
			t.Fatal(err)
		}
		status(b, http.StatusCreated, http.MethodPost, "/Users", person("eve", "", "staff"))
	})
	t.Run("schema", func(t *testing.T) {
		status(b, http.StatusNotFound, http.MethodGet, "/Schemas/urn:acme:1.0:Desk", "")
		_, err := a.admin.PutSchema(t.Context(), "acme", "User", []byte(
			`{"id":"urn:acme:1.0:Desk","name":"Desk","attributes":[{"name":"desk","type":"string","multiValued":false}]}`))
		if err != nil {
			t.Fatal(err)
		}
		status(b, http.StatusOK, http.MethodGet, "/Schemas/urn:acme:1.0:Desk", "")
	})
	t.Run("cursor", func(t *testing.T) {
		for i := range 3 {
			d.create(fmt.Sprintf("c%d", i), "")
		}
		var page struct {
			NextCursor string
			Resources  []user
		}
		a.must(http.StatusOK, http.MethodGet, "/Users?cursor&count=2", "", &page)
		if page.NextCursor == "" {
			t.Fatal("there is no second page")
		}
		status(b, http.StatusOK, http.MethodGet, "/Users?count=2&cursor="+page.NextCursor, "")
	})
	t.Run("sign-in", func(t *testing.T) {
		ada := d.create("ada", "video-pro-plus")
		idp := ssotest.New(t)
		a.signOn(idp)
		for name, way := range map[string][2]*site{"from one to the other": {a, b}, "and back": {b, a}} {
			cookie := way[0].signInAt(way[1], idp, "x-ada")
			for _, s := range all {
				if got := asked(t, s, cookie); got != http.StatusOK {
					t.Errorf("%s: %d", name, got)
				}
			}
		}
		d.patch(ada, `{"op":"replace","path":"active","value":false}`)
	})
	t.Run("admin", func(t *testing.T) {
		made, err := a.admin.PutAdmin(t.Context(), "acme", "root", adminapi.AdminChange{NewPassword: true})
		if err != nil {
			t.Fatal(err)
		}
		var s adminapi.CreatedSession
		a.asAdmin("", http.StatusCreated, http.MethodPost, "/v1/sessions", adminapi.NewSession{Company: "acme", Login: "root", Password: made.Password}, &s)
		var out struct{ Detail string }
		b.asAdmin(s.Secret, http.StatusOK, http.MethodGet, "/v1/sessions/current", nil, &out)
		if err := a.admin.RemoveAdmin(t.Context(), "acme", "root"); err == nil {
			t.Error("the last super-admin can be removed")
		}
		if err := a.admin.EndSession(t.Context(), "acme", s.ID); err != nil {
			t.Fatal(err)
		}
		b.asAdmin(s.Secret, http.StatusUnauthorized, http.MethodGet, "/v1/sessions/current", nil, &out)
	})
}

// asked gives the status of a request of somebody with a session.
func asked(t *testing.T, s *site, cookie *http.Cookie) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.base+"/sso/session", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.AddCookie(cookie)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	return resp.StatusCode
}

// TestSeveral_mail: one mail is sent for one invitation, however many servers send, and the link in it is good at each.
func TestSeveral_mail(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	const people = 10
	box := &postbox{messages: make(chan string, 2*people)}
	server := smtp.NewServer(box)
	go server.Serve(listener) //nolint:errcheck // it ends with the test
	t.Cleanup(func() { server.Close() })
	all := withCompany(several(t, 3, Config{Mail: mail.Config{Server: listener.Addr().String(), From: "usher@acme.example", TLS: mail.TLSNone}}), 1, "waiting")
	in := adminapi.NewPeople{Setup: "invite"}
	for i := range people {
		in.People = append(in.People, adminapi.NewPerson{Email: fmt.Sprintf("p%d@acme.example", i)})
	}
	added, err := all[0].admin.AddPeople(t.Context(), "acme", in)
	if err != nil || added.Added != people {
		t.Fatalf("%+v, %v", added, err)
	}
	for _, s := range all {
		s.app.mail.Wake()
	}
	seen := map[[32]byte]bool{}
	for range people {
		select {
		case m := <-box.messages:
			_, to, _ := strings.Cut(m, "To: ")
			to, _, _ = strings.Cut(to, "\n")
			if seen[sha256.Sum256([]byte(to))] {
				t.Errorf("a second mail to %s", to)
			}
			seen[sha256.Sum256([]byte(to))] = true
		case <-time.After(time.Minute):
			t.Fatalf("%d mails of %d", len(seen), people)
		}
	}
	for _, s := range all {
		s.stop() // the workers finish what they are at
	}
	if n := len(box.messages); n > 0 {
		t.Errorf("%d mails too many", n)
	}
}

// TestSeveral_otherKeys: a server whose keys are others does not start, and sealing anew takes the others along.
func TestSeveral_otherKeys(t *testing.T) {
	db := newDatabase(t)
	open := func(keys string) (*Folder, error) {
		t.Setenv(keysVariable, keys)
		return openFolder(t.Context(), t.TempDir(), db.uri, slog.New(slog.DiscardHandler), db.open)
	}
	one, two := keysOfTests("1"), keysOfTests("2")
	first, err := open(one)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := open(two); !errors.Is(err, errOtherKeys) {
		t.Errorf("with another key: %v", err)
	}
	second, err := open(two + "," + one)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first.cursorKey, second.cursorKey) || !bytes.Equal(first.domainKey, second.domainKey) {
		t.Error("two servers have different keys")
	}
	if _, err := adminapi.InProcess(second.Admin(), "tester").Rewrap(t.Context(), adminapi.Rewrapping{}); err != nil {
		t.Fatal(err)
	}
	third, err := open(two)
	if err != nil {
		t.Fatalf("after all was sealed anew: %v", err)
	}
	if !bytes.Equal(first.cursorKey, third.cursorKey) {
		t.Error("sealing anew has changed a key")
	}
	if _, err := open(one); !errors.Is(err, errOtherKeys) {
		t.Errorf("with the key of before: %v", err)
	}
	for _, f := range []*Folder{first, second, third} {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestSeveral_keysInFolders: no server makes a key for itself.
func TestSeveral_keysInFolders(t *testing.T) {
	db := newDatabase(t)
	f, err := openFolder(t.Context(), t.TempDir(), db.uri, slog.New(slog.DiscardHandler), db.open)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	_, err = adminapi.InProcess(f.Admin(), "tester").Rewrap(t.Context(), adminapi.Rewrapping{NewKey: true})
	if err == nil || !strings.Contains(err.Error(), keysVariable) {
		t.Errorf("a new key: %v", err)
	}
	if _, err := openFolder(t.Context(), t.TempDir(), db.uri, slog.New(slog.DiscardHandler), db.open); !errors.Is(err, errOtherKeys) {
		t.Errorf("with a folder of its own: %v", err)
	}
}
