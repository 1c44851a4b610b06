package app

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"usher/cmd/internal/adminapi"
	"usher/sso/ssotest"
	"usher/store/mongo/mongotest"
)

// TestUnavailable_mongo takes the database away from a server and gives it back. As long as it is away every door says 503 and when to ask again,
// within seconds; when it is back all go on as before, without a restart.
func TestUnavailable_mongo(t *testing.T) {
	uri := mongotest.URI(t)
	t.Setenv(keysVariable, keysOfTests("k"))
	proxy := mongotest.NewProxy(t, uri)
	s := serve(t, Config{Addr: "127.0.0.1:0", Data: t.TempDir(), SignOn: playground, Store: proxy.URI()})
	s.company(5, "waiting")
	d := &doorway{s, t}
	idp := ssotest.New(t)
	s.signOn(idp)
	ada, bob := d.create("ada", "video-pro-plus"), d.create("bob", "")
	key, err := s.admin.CreateKey(t.Context(), "acme", adminapi.NewKey{Admin: "root"})
	d.check(err)
	signedIn := s.signIn(idp, "x-ada")

	bearer := []string{"Authorization", "Bearer " + s.token, "Content-Type", "application/scim+json"}
	cookie := []string{"Cookie", signedIn.String()}
	asAdmin := []string{"Authorization", "Bearer " + key.Secret}
	type door struct {
		name, method, path, body string
		header                   []string
		status                   int // of the answer when the database is there
	}
	doors := func(round string) []door {
		return []door{
			{"scim: list", http.MethodGet, scimPath + "/Users", "", bearer, 200},
			{"scim: read", http.MethodGet, scimPath + "/Users/" + ada, "", bearer, 200},
			{"scim: read who is not there", http.MethodGet, scimPath + "/Users/0199c1de-0000-7000-8000-000000000000", "", bearer, 404},
			{"scim: create", http.MethodPost, scimPath + "/Users", person("new-"+round, "video-pro-plus", "staff"), bearer, 201},
			{"scim: change", http.MethodPatch, scimPath + "/Users/" + bob, patchHead + `{"op":"replace","path":"title","value":"` + round + `"}]}`, bearer, 200},
			{"scim: with a wrong token", http.MethodGet, scimPath + "/Users", "", []string{"Authorization", "Bearer wrong"}, 401},
			{"sso: session", http.MethodGet, "/sso/session", "", cookie, 200},
			{"sso: verify", http.MethodGet, "/sso/verify?company=acme", "", cookie, 200},
			{"sso: start", http.MethodGet, "/sso/acme", "", nil, 303},
			{"admin: people", http.MethodGet, adminPath + "/v1/companies/acme/accounts", "", asAdmin, 200},
			{"admin: change", http.MethodPost, adminPath + "/v1/companies/acme/accounts", `{"people":[{"email":"` + round + `@acme.example"}],"setup":"later"}`, asAdmin, 201},
			{"ready", http.MethodGet, "/readyz", "", nil, 200},
		}
	}
	// A wrong token of another form than a token is refused without a look at the database: it is left out while that is away.
	asksDatabase := func(o door) bool { return o.name != "scim: with a wrong token" }

	ask := func(t *testing.T, o door) *http.Response {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		t.Cleanup(cancel)
		r, err := http.NewRequestWithContext(ctx, o.method, s.base+o.path, strings.NewReader(o.body))
		if err != nil {
			t.Error(err)
			return nil
		}
		for i := 0; i < len(o.header); i += 2 {
			r.Header.Set(o.header[i], o.header[i+1])
		}
		resp, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Errorf("%s: %v", o.name, err)
			return nil
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		return resp
	}
	away := func(t *testing.T, doors []door) {
		var all sync.WaitGroup
		for _, o := range doors {
			if !asksDatabase(o) {
				continue
			}
			all.Go(func() {
				resp := ask(t, o)
				if resp == nil {
					return
				}
				after, err := strconv.Atoi(resp.Header.Get("Retry-After"))
				if resp.StatusCode != http.StatusServiceUnavailable || err != nil || after <= 0 || len(resp.Header.Values("Set-Cookie")) > 0 {
					t.Errorf("%s: %d, again after %q, cookies %v; want 503 and seconds", o.name, resp.StatusCode, resp.Header.Get("Retry-After"), resp.Header.Values("Set-Cookie"))
				}
			})
		}
		all.Wait()
	}
	back := func(t *testing.T, doors []door) {
		for _, o := range doors {
			if resp := ask(t, o); resp != nil && resp.StatusCode != o.status {
				t.Errorf("%s: %d when the database is there, want %d", o.name, resp.StatusCode, o.status)
			}
		}
	}
	always := func(f mongotest.Fault) func() { return func() { proxy.Break(mongotest.From(1, f, f)) } }
	ways := []struct {
		name   string
		begin  func()
		end    func()
		inFull bool // each call waits until it is given up
	}{
		{"refused", proxy.Down, func() { proxy.Up(t) }, false},
		{"cut off each time", always(mongotest.Lost), func() { proxy.Break(nil) }, false},
		{"no primary", always(mongotest.Deposed), func() { proxy.Break(nil) }, false},
		{"silent", always(mongotest.Silent), func() { proxy.Break(nil) }, true},
	}
	back(t, doors("first"))
	if t.Failed() {
		return
	}
	for i, w := range ways {
		if w.inFull && os.Getenv("USHER_SCALE") != "full" {
			continue
		}
		t.Run(w.name, func(t *testing.T) {
			round := "round" + strconv.Itoa(i)
			w.begin()
			begun := time.Now()
			away(t, doors(round))
			t.Logf("all have been answered after %v", time.Since(begun).Round(100*time.Millisecond))
			w.end()
			// Where an answer was lost that was carried out, somebody new is there already: then it is somebody else who comes.
			if w.inFull {
				round += "again"
			}
			back(t, doors(round))
		})
	}
	t.Run("unanswered", func(t *testing.T) { s.unanswered(proxy) })
}

// unanswered cuts the connection behind each call of a request in turn, when the call was carried out. Either the request goes well, or it is
// answered by 503; repeated, it is seen to be done or goes well.
func (s *site) unanswered(proxy *mongotest.Proxy) {
	for n := 1; n <= 12; n++ {
		body := person(fmt.Sprintf("p%d", n), "video-pro-plus", "staff")
		proxy.Break(mongotest.From(n, mongotest.Unanswered, mongotest.Busy)) // and nobody looks what became of it
		first, err := s.do(http.MethodPost, "/Users", body, nil)
		proxy.Break(nil)
		if err != nil || first != http.StatusCreated && first != http.StatusServiceUnavailable {
			s.t.Errorf("call %d: %d, %v; want 201 or 503", n, first, err)
		}
		second, err := s.do(http.MethodPost, "/Users", body, nil)
		switch {
		case err != nil:
			s.t.Errorf("call %d: %v", n, err)
		case first == http.StatusCreated && second != http.StatusConflict:
			s.t.Errorf("call %d: %d for somebody who is there", n, second)
		case second != http.StatusCreated && second != http.StatusConflict:
			s.t.Errorf("call %d: once more: %d, want 201 or 409", n, second)
		}
		var found struct{ TotalResults int }
		s.must(http.StatusOK, http.MethodGet, fmt.Sprintf("/Users?filter=externalId+eq+%%22x-p%d%%22", n), "", &found)
		if found.TotalResults != 1 {
			s.t.Errorf("call %d: the person is there %d times", n, found.TotalResults)
		}
	}
}
