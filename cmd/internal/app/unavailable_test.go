package app

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"usher/cmd/internal/adminapi"
	"usher/sso/ssotest"
	"usher/store"
	"usher/store/query"
)

// cut is an engine that cannot be reached any more after so many calls.
type cut struct {
	*commonMap
	left   atomic.Int64 // calls that are still answered, once it is armed
	armed  atomic.Bool
	missed atomic.Int64 // calls that were not answered
}

// after lets n more calls through.
func (c *cut) after(n int64) {
	c.left.Store(n)
	c.missed.Store(0)
	c.armed.Store(true)
}

func (c *cut) heal() { c.armed.Store(false) }

func (c *cut) gone() error {
	if !c.armed.Load() || c.left.Add(-1) >= 0 {
		return nil
	}
	c.missed.Add(1)
	return fmt.Errorf("mongo: %w", store.ErrUnavailable)
}

// through makes a call unless the engine is gone.
func through[T any](c *cut, call func() (T, error)) (T, error) {
	if err := c.gone(); err != nil {
		var none T
		return none, err
	}
	return call()
}

func (c *cut) Token(ctx context.Context, hash [32]byte) (store.Token, error) {
	return through(c, func() (store.Token, error) { return c.commonMap.Token(ctx, hash) })
}

func (c *cut) Connection(ctx context.Context, id string) (store.Connection, error) {
	return through(c, func() (store.Connection, error) { return c.commonMap.Connection(ctx, id) })
}

func (c *cut) ConnectionByName(ctx context.Context, company, name string) (store.Connection, error) {
	return through(c, func() (store.Connection, error) { return c.commonMap.ConnectionByName(ctx, company, name) })
}

func (c *cut) ListConnections(ctx context.Context, company string) ([]store.Connection, error) {
	return through(c, func() ([]store.Connection, error) { return c.commonMap.ListConnections(ctx, company) })
}

func (c *cut) ListSchemas(ctx context.Context, company string) (all []store.Schema, revision int64, err error) {
	if err := c.gone(); err != nil {
		return nil, 0, err
	}
	return c.commonMap.ListSchemas(ctx, company)
}

func (c *cut) Company(ctx context.Context, id string) (store.Company, error) {
	return through(c, func() (store.Company, error) { return c.commonMap.Company(ctx, id) })
}

func (c *cut) CompanyByName(ctx context.Context, name string) (store.Company, error) {
	return through(c, func() (store.Company, error) { return c.commonMap.CompanyByName(ctx, name) })
}

func (c *cut) ListCompanies(ctx context.Context) ([]store.Company, error) {
	return through(c, func() ([]store.Company, error) { return c.commonMap.ListCompanies(ctx) })
}

func (c *cut) DomainOwner(ctx context.Context, domain string) (string, error) {
	return through(c, func() (string, error) { return c.commonMap.DomainOwner(ctx, domain) })
}

func (c *cut) ListLocalAdmins(ctx context.Context, company string) ([]store.LocalAdmin, error) {
	return through(c, func() ([]store.LocalAdmin, error) { return c.commonMap.ListLocalAdmins(ctx, company) })
}

func (c *cut) AdminKey(ctx context.Context, hash [32]byte) (store.AdminKey, error) {
	return through(c, func() (store.AdminKey, error) { return c.commonMap.AdminKey(ctx, hash) })
}

func (c *cut) AdminSession(ctx context.Context, hash [32]byte) (store.AdminSession, error) {
	return through(c, func() (store.AdminSession, error) { return c.commonMap.AdminSession(ctx, hash) })
}

func (c *cut) CreateAdminSession(ctx context.Context, s store.AdminSession, events []store.Event) error {
	if err := c.gone(); err != nil {
		return err
	}
	return c.commonMap.CreateAdminSession(ctx, s, events)
}

func (c *cut) Account(ctx context.Context, company, id string) (store.Account, error) {
	return through(c, func() (store.Account, error) { return c.commonMap.Account(ctx, company, id) })
}

func (c *cut) AccountByUserName(ctx context.Context, company, name string) (store.Account, error) {
	return through(c, func() (store.Account, error) { return c.commonMap.AccountByUserName(ctx, company, name) })
}

func (c *cut) AccountByIdentity(ctx context.Context, company, issuer, subject string) (store.Account, error) {
	return through(c, func() (store.Account, error) { return c.commonMap.AccountByIdentity(ctx, company, issuer, subject) })
}

func (c *cut) ListAccounts(ctx context.Context, company string, q store.Query) (store.AccountPage, error) {
	return through(c, func() (store.AccountPage, error) { return c.commonMap.ListAccounts(ctx, company, q) })
}

func (c *cut) MembershipsOf(ctx context.Context, company string, accounts []string) (map[string][]store.Membership, error) {
	return through(c, func() (map[string][]store.Membership, error) {
		return c.commonMap.MembershipsOf(ctx, company, accounts)
	})
}

func (c *cut) WriteAccount(ctx context.Context, w store.AccountWrite) (store.Account, error) {
	return through(c, func() (store.Account, error) { return c.commonMap.WriteAccount(ctx, w) })
}

func (c *cut) DeleteAccount(ctx context.Context, d store.AccountDelete) error {
	if err := c.gone(); err != nil {
		return err
	}
	return c.commonMap.DeleteAccount(ctx, d)
}

func (c *cut) NewestTombstone(ctx context.Context, company, connection, externalID string, since time.Time) (store.Tombstone, error) {
	return through(c, func() (store.Tombstone, error) {
		return c.commonMap.NewestTombstone(ctx, company, connection, externalID, since)
	})
}

func (c *cut) Group(ctx context.Context, company, id string) (store.Group, error) {
	return through(c, func() (store.Group, error) { return c.commonMap.Group(ctx, company, id) })
}

func (c *cut) ListGroups(ctx context.Context, company string, q store.Query) (store.GroupPage, error) {
	return through(c, func() (store.GroupPage, error) { return c.commonMap.ListGroups(ctx, company, q) })
}

func (c *cut) Members(ctx context.Context, company, group, after string, limit int) ([]store.Member, error) {
	return through(c, func() ([]store.Member, error) { return c.commonMap.Members(ctx, company, group, after, limit) })
}

func (c *cut) ChangeGroup(ctx context.Context, change store.GroupChange) (store.GroupChanged, error) {
	return through(c, func() (store.GroupChanged, error) { return c.commonMap.ChangeGroup(ctx, change) })
}

func (c *cut) Pool(ctx context.Context, company, license string) (store.Pool, error) {
	return through(c, func() (store.Pool, error) { return c.commonMap.Pool(ctx, company, license) })
}

func (c *cut) ListPools(ctx context.Context, company string) ([]store.Pool, error) {
	return through(c, func() ([]store.Pool, error) { return c.commonMap.ListPools(ctx, company) })
}

func (c *cut) ListRules(ctx context.Context, company string) ([]store.Rule, error) {
	return through(c, func() ([]store.Rule, error) { return c.commonMap.ListRules(ctx, company) })
}

func (c *cut) ListSweeps(ctx context.Context) ([]store.Sweep, error) {
	return through(c, func() ([]store.Sweep, error) { return c.commonMap.ListSweeps(ctx) })
}

func (c *cut) LeaseSweep(ctx context.Context, id, holder string, now, until time.Time) (bool, error) {
	return through(c, func() (bool, error) { return c.commonMap.LeaseSweep(ctx, id, holder, now, until) })
}

func (c *cut) BeginSignIn(ctx context.Context, s store.SignIn) error {
	if err := c.gone(); err != nil {
		return err
	}
	return c.commonMap.BeginSignIn(ctx, s)
}

func (c *cut) TakeSignIn(ctx context.Context, s store.SignIn, now time.Time) (store.SignIn, error) {
	return through(c, func() (store.SignIn, error) { return c.commonMap.TakeSignIn(ctx, s, now) })
}

func (c *cut) OpenSession(ctx context.Context, o store.SessionOpening) (store.Account, error) {
	return through(c, func() (store.Account, error) { return c.commonMap.OpenSession(ctx, o) })
}

func (c *cut) Presence(ctx context.Context, hash [32]byte) (store.Presence, error) {
	return through(c, func() (store.Presence, error) { return c.commonMap.Presence(ctx, hash) })
}

func (c *cut) Session(ctx context.Context, hash [32]byte) (store.Session, error) {
	return through(c, func() (store.Session, error) { return c.commonMap.Session(ctx, hash) })
}

func (c *cut) ListSessions(ctx context.Context, company, account, after string, limit int) ([]store.Session, error) {
	return through(c, func() ([]store.Session, error) { return c.commonMap.ListSessions(ctx, company, account, after, limit) })
}

func (c *cut) EndSession(ctx context.Context, hash [32]byte, events []store.Event) (store.Session, error) {
	return through(c, func() (store.Session, error) { return c.commonMap.EndSession(ctx, hash, events) })
}

func (c *cut) ClaimRequest(ctx context.Context, r store.IdempotentRequest) (there store.IdempotentRequest, claimed bool, err error) {
	if err := c.gone(); err != nil {
		return r, false, err
	}
	return c.commonMap.ClaimRequest(ctx, r)
}

// TestUnavailable cuts the store off after the first call of a request, after the second, and so on until the request is answered as ever: up
// to there the answer is 503 with the seconds after which to ask again, at every door.
func TestUnavailable(t *testing.T) {
	t.Setenv(keysVariable, keysOfTests("k"))
	c := &cut{}
	s := serveOn(t, Config{Addr: "127.0.0.1:0", Data: t.TempDir(), SignOn: playground}, func(_ context.Context, _, _ string, indexes []query.Index, _ *slog.Logger) (engine, error) {
		c.commonMap = newCommonMap(indexes)
		return c, nil
	})
	s.company(5, "waiting")
	d := &doorway{s, t}
	idp := ssotest.New(t)
	s.signOn(idp)
	ada, bob := d.create("ada", "video-pro-plus"), d.create("bob", "")
	group := d.group("Video", ada)
	_, err := s.admin.AddRule(t.Context(), "acme", adminapi.NewRule{Group: group, License: "video-pro-plus"})
	d.check(err)
	key, err := s.admin.CreateKey(t.Context(), "acme", adminapi.NewKey{Admin: "root"})
	d.check(err)
	root, err := s.admin.PutAdmin(t.Context(), "acme", "root", adminapi.AdminChange{NewPassword: true})
	d.check(err)
	_, err = s.admin.AddPeople(t.Context(), "acme", adminapi.NewPeople{People: []adminapi.NewPerson{{Email: "eve@acme.example"}}, Setup: "invite"})
	d.check(err)
	mails, err := c.commonMap.DueMails(t.Context(), time.Now(), 10)
	if err != nil || len(mails) != 1 {
		t.Fatalf("mails: %v, %v", mails, err)
	}
	signedIn := s.signIn(idp, "x-ada")

	request := func(method, path, body string, header ...string) func() *http.Request {
		return func() *http.Request {
			r, err := http.NewRequestWithContext(t.Context(), method, s.base+path, strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			for i := 0; i < len(header); i += 2 {
				r.Header.Set(header[i], header[i+1])
			}
			return r
		}
	}
	cookie := signedIn.Name + "=" + signedIn.Value
	bearer, asAdmin := "Bearer "+s.token, "Bearer "+key.Secret
	scim := func(method, path, body string) func() *http.Request {
		return request(method, scimPath+path, body, "Authorization", bearer, "Content-Type", "application/scim+json")
	}
	browsing := func(method, path, body string) func() *http.Request {
		return request(method, path, body, "Cookie", cookie, "Content-Type", "application/x-www-form-urlencoded", "Sec-Fetch-Site", "same-origin")
	}
	password, err := json.Marshal(adminapi.NewSession{Company: "acme", Login: "root", Password: root.Password})
	d.check(err)
	jar, plain := visitor(t), visitor(t)
	plain.Jar = nil
	for _, door := range []struct {
		name    string
		request func() *http.Request
		status  int // of the answer when the store is there
	}{
		{"scim: list", scim(http.MethodGet, "/Users", ""), 200},
		{"scim: filter", scim(http.MethodGet, "/Users?filter="+url.QueryEscape(`userName eq "ada"`), ""), 200},
		{"scim: read", scim(http.MethodGet, "/Users/"+ada, ""), 200},
		{"scim: read a group", scim(http.MethodGet, "/Groups/"+group, ""), 200},
		{"scim: licenses", scim(http.MethodGet, "/Licenses", ""), 200},
		{"scim: create", scim(http.MethodPost, "/Users", person("carl", "", "staff")), 201},
		{"scim: patch", scim(http.MethodPatch, "/Users/"+bob, patchHead+`{"op":"replace","path":"title","value":"clerk"}]}`), 200},
		{"scim: put", scim(http.MethodPut, "/Users/"+bob, person("bob", "", "boss")), 200},
		{"scim: patch a group", scim(http.MethodPatch, "/Groups/"+group, patchHead+`{"op":"add","path":"members","value":[{"value":"`+bob+`"}]}]}`), 200},
		{"scim: delete", scim(http.MethodDelete, "/Users/"+bob, ""), 204},
		{"scim: by a session", request(http.MethodGet, scimPath+"/Me", "", "Cookie", cookie), 200},
		{"admin: people", request(http.MethodGet, adminPath+"/v1/companies/acme/accounts", "", "Authorization", asAdmin), 200},
		{"admin: sign in", request(http.MethodPost, adminPath+"/v1/sessions", string(password)), 201},
		{"admin: once", request(http.MethodPost, adminPath+"/v1/companies/acme/accounts", `{"people":[{"email":"f@acme.example"}],"setup":"later"}`,
			"Authorization", asAdmin, "Idempotency-Key", "one"), 201},
		{"sso: start", browsing(http.MethodGet, "/sso/acme", ""), 303},
		{"sso: callback", func() *http.Request {
			c.heal() // begin anew: what is begun is taken once
			begun, err := jar.Get(s.base + "/sso/acme")
			if err != nil {
				t.Fatal(err)
			}
			begun.Body.Close()
			return idp.Authorize(begun.Header.Get("Location"), ssotest.Person{Subject: "x-ada"}).Request()
		}, 303},
		{"sso: session", browsing(http.MethodGet, "/sso/session", ""), 200},
		{"sso: verify", browsing(http.MethodGet, "/sso/verify?company=acme", ""), 200},
		{"sso: me", browsing(http.MethodGet, "/sso/me", ""), 200},
		{"sso: find home", browsing(http.MethodPost, "/sso", "who=ada%40acme.example"), 200},
		{"password", browsing(http.MethodPost, "/signin", "company=acme&user=ada&password=wrong"), 401},
		{"set-up", browsing(http.MethodGet, strings.TrimPrefix(s.app.folder.links.URL(s.app.url, mails[0]), s.app.url), ""), 200},
		{"sso: sign out", browsing(http.MethodPost, "/sso/logout", ""), 303},
		{"ready", request(http.MethodGet, "/readyz", ""), 200},
	} {
		t.Run(door.name, func(t *testing.T) {
			const most = 60
			for n := range int64(most) {
				r := door.request()
				c.after(n)
				browser := plain
				if door.name == "sso: callback" {
					browser = jar
				}
				resp, err := browser.Do(r)
				c.heal()
				if err != nil {
					t.Fatal(err)
				}
				body, _ := io.ReadAll(resp.Body)
				resp.Body.Close()
				if resp.StatusCode == door.status && (c.missed.Load() == 0 || n > 0) {
					if n == 0 {
						t.Fatal("the store was not asked: this shows nothing")
					}
					return
				}
				if _, err := strconv.Atoi(resp.Header.Get("Retry-After")); resp.StatusCode != http.StatusServiceUnavailable || err != nil {
					t.Fatalf("with %d calls answered: %d, again after %q: %s", n, resp.StatusCode, resp.Header.Get("Retry-After"), body)
				}
				for _, set := range resp.Cookies() {
					if set.Name == signedIn.Name {
						t.Errorf("with %d calls answered, the session is set: %v", n, set)
					}
				}
			}
			t.Fatalf("it is not answered after %d calls", most)
		})
	}
}
