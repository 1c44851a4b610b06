package practiceidp

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/oauth2"
)

func TestSignIn(t *testing.T) {
	s := newSite(t)
	for _, mode := range []string{modeQuery, modeForm} {
		for name, style := range map[string]oauth2.AuthStyle{"basic": oauth2.AuthStyleInHeader, "post": oauth2.AuthStyleInParams} {
			t.Run(mode+" "+name, func(t *testing.T) {
				id, err := s.signIn(t.Context(), "1", mode, style)
				if err != nil {
					t.Fatal(err)
				}
				var got map[string]any
				if err := id.Claims(&got); err != nil {
					t.Fatal(err)
				}
				if life := id.Expiry.Sub(id.IssuedAt); life != 5*time.Minute {
					t.Errorf("life %v", life)
				}
				if at, _ := got["auth_time"].(float64); time.Since(time.Unix(int64(at), 0)).Abs() > time.Minute {
					t.Errorf("auth_time %v", got["auth_time"])
				}
				for _, name := range []string{"exp", "iat", "auth_time", "nonce", "at_hash"} { // those are checked
					delete(got, name)
				}
				want := map[string]any{
					"iss": s.issuer, "sub": "1", "aud": clientID,
					"name": "Ada Lovelace", "email": "ada@acme.example", "preferred_username": "ada",
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Error(diff)
				}
			})
		}
	}
}

func TestManyAtOnce(t *testing.T) {
	s := newSite(t)
	var group sync.WaitGroup
	for i := range 24 {
		group.Go(func() {
			subject, mode := fmt.Sprint(i%2+1), []string{modeQuery, modeForm}[i/2%2]
			id, err := s.signIn(t.Context(), subject, mode, oauth2.AuthStyleInHeader)
			if err != nil {
				t.Error(err)
			} else if id.Subject != subject {
				t.Errorf("%q signed in as %q", subject, id.Subject)
			}
		})
	}
	group.Wait()
}

func TestDiscovery(t *testing.T) {
	s := newSite(t)
	res := s.get(s.issuer + pathDiscovery)
	var got map[string]any
	if err := json.Unmarshal([]byte(res.body), &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"issuer":                                         s.issuer,
		"authorization_endpoint":                         s.issuer + "/authorize",
		"token_endpoint":                                 s.issuer + "/token",
		"end_session_endpoint":                           s.issuer + "/logout",
		"jwks_uri":                                       s.issuer + "/jwks",
		"scopes_supported":                               []any{"openid", "profile", "email"},
		"response_types_supported":                       []any{"code"},
		"response_modes_supported":                       []any{"query", "form_post"},
		"grant_types_supported":                          []any{"authorization_code"},
		"subject_types_supported":                        []any{"public"},
		"id_token_signing_alg_values_supported":          []any{"ES256"},
		"token_endpoint_auth_methods_supported":          []any{"client_secret_basic", "client_secret_post"},
		"code_challenge_methods_supported":               []any{"S256"},
		"authorization_response_iss_parameter_supported": true,
		"request_parameter_supported":                    false,
		"request_uri_parameter_supported":                false,
		"claims_parameter_supported":                     false,
		"claims_supported": []any{"iss", "sub", "aud", "exp", "iat", "nonce", "auth_time", "at_hash",
			"name", "email", "preferred_username"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	keys := s.get(s.issuer + pathKeys)
	if strings.Contains(keys.body, `"d"`) || !strings.Contains(keys.body, `"kid"`) {
		t.Errorf("keys: %s", keys.body)
	}
	for _, r := range []reply{res, keys} {
		if r.header.Get("Content-Type") != "application/json" || r.header.Get("Cache-Control") != "no-store" {
			t.Errorf("headers: %v", r.header)
		}
	}
}

func TestMethods(t *testing.T) {
	s := newSite(t)
	for _, c := range []struct{ method, path, allow string }{
		{http.MethodPost, pathDiscovery, "GET, HEAD"},
		{http.MethodDelete, pathKeys, "GET, HEAD"},
		{http.MethodPut, pathAuthorize, "GET, HEAD, POST"},
		{http.MethodGet, pathToken, "POST"},
		{http.MethodPatch, pathLogout, "GET, HEAD, POST"},
	} {
		res := s.send(c.method, s.issuer+c.path, nil, nil)
		if res.status != http.StatusMethodNotAllowed || res.header.Get("Allow") != c.allow {
			t.Errorf("%s %s: %d, allowed %q", c.method, c.path, res.status, res.header.Get("Allow"))
		}
	}
	if res := s.get(s.issuer + "/"); res.status != http.StatusNotFound || !strings.Contains(res.body, "for the demo only. There are no passwords.") {
		t.Errorf("root: %d %s", res.status, res.body)
	}
}

func TestLogout(t *testing.T) {
	s := newSite(t)
	var tokens struct {
		ID string `json:"id_token"`
	}
	if err := json.Unmarshal([]byte(s.exchange(s.code()).body), &tokens); err != nil {
		t.Fatal(err)
	}
	s.ahead.Store(int64(time.Hour)) // a hint may be expired
	bye := s.party + "/bye"
	forged := strings.Split(tokens.ID, ".")
	forged[1] = base64.RawURLEncoding.EncodeToString([]byte(`{"iss":"` + s.issuer + `","aud":"` + clientID + `"}`))
	for name, c := range map[string]struct {
		changes  []string
		status   int
		location string
	}{
		"with everything": {[]string{"post_logout_redirect_uri", bye, "state", "a b&c", "id_token_hint", tokens.ID, "client_id", clientID},
			http.StatusSeeOther, bye + "?state=a+b%26c"},
		"no state":      {[]string{"post_logout_redirect_uri", bye}, http.StatusSeeOther, bye},
		"no address":    {nil, http.StatusOK, ""},
		"foreign":       {[]string{"post_logout_redirect_uri", bye + "/", "state", "x"}, http.StatusOK, ""},
		"other client":  {[]string{"post_logout_redirect_uri", bye, "client_id", "other"}, http.StatusOK, ""},
		"no token":      {[]string{"post_logout_redirect_uri", bye, "id_token_hint", "nothing"}, http.StatusBadRequest, ""},
		"forged token":  {[]string{"post_logout_redirect_uri", bye, "id_token_hint", strings.Join(forged, ".")}, http.StatusBadRequest, ""},
		"callback only": {[]string{"post_logout_redirect_uri", s.party + "/callback"}, http.StatusOK, ""},
	} {
		t.Run(name, func(t *testing.T) {
			v := url.Values{}
			change(v, c.changes)
			for _, res := range []reply{s.get(s.issuer + pathLogout + "?" + v.Encode()), s.post(s.issuer+pathLogout, v)} {
				if res.status != c.status || res.header.Get("Location") != c.location {
					t.Errorf("%d %q", res.status, res.header.Get("Location"))
				}
				if c.location == "" && !strings.Contains(res.body, "You are signed out") {
					t.Error(res.body)
				}
			}
		})
	}
}

func TestNew(t *testing.T) {
	for name, spoil := range map[string]func(*Config){
		"":                  func(*Config) {},
		"slash":             func(c *Config) { c.Issuer += "/" },
		"path":              func(c *Config) { c.Issuer += "/op" },
		"relative issuer":   func(c *Config) { c.Issuer = "127.0.0.1:8081" },
		"no client":         func(c *Config) { c.ClientID = "" },
		"no secret":         func(c *Config) { c.ClientSecret = "" },
		"no redirect":       func(c *Config) { c.RedirectURIs = nil },
		"script redirect":   func(c *Config) { c.RedirectURIs = []string{"javascript:alert(1)"} },
		"fragment redirect": func(c *Config) { c.RedirectURIs = []string{"http://127.0.0.1/#x"} },
		"relative logout":   func(c *Config) { c.LogoutURIs = []string{"/bye"} },
		"no people":         func(c *Config) { c.People = nil },
	} {
		c := Config{
			Issuer: "http://127.0.0.1:8081", ClientID: "a", ClientSecret: "b", RedirectURIs: []string{"http://127.0.0.1/callback"},
			People: func(context.Context) ([]Person, error) { return nil, nil },
		}
		spoil(&c)
		if _, err := New(c); (err == nil) != (name == "") {
			t.Errorf("%q: %v", name, err)
		}
	}
}
