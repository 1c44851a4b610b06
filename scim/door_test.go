package scim_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"usher/licensing"
	"usher/scim"
	"usher/scim/schema"
	"usher/store"
	"usher/store/enginetest"
)

// door is an assembled endpoint on a real store, and a client of it.
type door struct {
	t       testing.TB
	server  *httptest.Server
	handler *scim.Handler
	store   store.Store
	company string
	dir     *licensing.Directory
	tokens  map[string]scim.Principal
	token   string // that requests carry
}

// open makes an endpoint for the company "acme" with two connections, okta and entra, and one for the company "other".
func open(t testing.TB, limits scim.Limits, seats map[licensing.License]int) *door {
	t.Helper()
	registry, err := schema.NewRegistry()
	if err != nil {
		t.Fatal(err)
	}
	silent := slog.New(slog.DiscardHandler)
	s := enginetest.Open(t, registry.UserIndexes())
	d := &door{t: t, store: s, dir: licensing.NewDirectory(s, nil, silent), tokens: map[string]scim.Principal{}, token: "okta"}
	d.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.URL.Path = strings.TrimPrefix(r.URL.Path, "/scim/v2")
		d.handler.ServeHTTP(w, r)
	}))
	t.Cleanup(d.server.Close)
	d.handler, err = scim.NewHandler(scim.Config{
		Registry: registry, Directory: d.dir, Store: s, BaseURL: d.server.URL + "/scim/v2", Limits: limits, Logger: silent,
		Authenticate: func(r *http.Request) (scim.Principal, error) {
			p, ok := d.tokens[strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")]
			if !ok {
				return p, fmt.Errorf("token: %w", scim.ErrUnauthenticated)
			}
			return p, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"acme", "other"} {
		r, err := d.dir.Apply(context.Background(), licensing.Change{
			Actor: store.Actor{Kind: "operator", ID: "test"}, Door: licensing.DoorAdmin,
			Do: licensing.CreateCompany{Company: store.Company{Name: name, Tier: licensing.TierVideoProPlus, LossPercent: 100}, Seats: seats},
		})
		if err != nil {
			t.Fatal(err)
		}
		if name == "other" {
			d.tokens["other"] = scim.Principal{Company: r.Company.ID, Connection: "other", MayAssign: true}
			continue
		}
		d.company = r.Company.ID
		d.tokens["okta"] = scim.Principal{Company: r.Company.ID, Connection: "okta", MayAssign: true}
		d.tokens["entra"] = scim.Principal{Company: r.Company.ID, Connection: "entra", MayAssign: true}
		d.tokens["paused"] = scim.Principal{Company: r.Company.ID, Connection: "okta", Paused: true}
		d.tokens["ada"] = scim.Principal{Company: r.Company.ID, MayEdit: true} // the test sets Person
		d.tokens["strict"] = scim.Principal{Company: r.Company.ID, Connection: "strict", Strict: true}
	}
	return d
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   map[string]any
	raw    []byte
}

// do sends a request; body is JSON text, header pairs of name and value.
func (d *door) do(method, path, body string, header ...string) answer {
	d.t.Helper()
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	r, err := http.NewRequest(method, d.server.URL+"/scim/v2"+path, reader)
	if err != nil {
		d.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+d.token)
	if body != "" {
		r.Header.Set("Content-Type", "application/scim+json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		if header[i+1] == "" {
			r.Header.Del(header[i])
		} else {
			r.Header.Set(header[i], header[i+1])
		}
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		d.t.Fatal(err)
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	a := answer{status: response.StatusCode, header: response.Header, raw: raw}
	if len(raw) > 0 {
		if err := json.Unmarshal(raw, &a.body); err != nil {
			d.t.Fatalf("%s %s: %v in %s", method, path, err, raw)
		}
	}
	return a
}

// want is do with the status expected.
func (d *door) want(status int, method, path, body string, header ...string) answer {
	d.t.Helper()
	a := d.do(method, path, body, header...)
	if a.status != status {
		d.t.Fatalf("%s %s: status %d, want %d: %s", method, path, a.status, status, a.raw)
	}
	return a
}

// get follows names and list indexes into the body; nil where there is nothing.
func (a answer) get(path ...any) any {
	var v any = a.body
	for _, step := range path {
		switch step := step.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[step]
		case int:
			l, _ := v.([]any)
			if step >= len(l) {
				return nil
			}
			v = l[step]
		}
	}
	return v
}

func (a answer) id() string {
	id, _ := a.body["id"].(string)
	return id
}

const (
	userSchema  = `"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"]`
	groupSchema = `"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"]`
	patchSchema = `"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"]`
	enterprise  = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
	usherUser   = "urn:ietf:params:scim:schemas:extension:usher:2.0:User"
)

// user creates a person; more is further members of the body.
func (d *door) user(name, more string) answer {
	d.t.Helper()
	if more != "" {
		more = "," + more
	}
	return d.want(http.StatusCreated, "POST", "/Users", fmt.Sprintf(`{%s,"userName":%q,"active":true%s}`, userSchema, name, more))
}

func (d *door) patch(id, operations string) answer {
	d.t.Helper()
	return d.want(http.StatusOK, "PATCH", "/Users/"+id, fmt.Sprintf(`{%s,"Operations":[%s]}`, patchSchema, operations))
}

func (d *door) find(endpoint, filter string) answer {
	d.t.Helper()
	return d.want(http.StatusOK, "GET", endpoint+"?filter="+url.QueryEscape(filter), "")
}
