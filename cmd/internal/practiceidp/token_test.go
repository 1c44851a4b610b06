package practiceidp

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTokens(t *testing.T) {
	s := newSite(t)
	res := s.exchange(s.code())
	var got map[string]any
	if err := json.Unmarshal([]byte(res.body), &got); err != nil {
		t.Fatal(err)
	}
	access, _ := got["access_token"].(string)
	id, _ := got["id_token"].(string)
	if len(access) < 22 || strings.Count(id, ".") != 2 {
		t.Errorf("tokens: %v", got)
	}
	delete(got, "access_token")
	delete(got, "id_token")
	want := map[string]any{"token_type": "Bearer", "expires_in": 300.0, "scope": "openid profile email"}
	if diff := cmp.Diff(want, got); diff != "" || res.status != http.StatusOK {
		t.Errorf("%d %s", res.status, diff)
	}
	if res.header.Get("Cache-Control") != "no-store" || res.header.Get("Content-Type") != "application/json" {
		t.Errorf("headers: %v", res.header)
	}
	head, _, _ := strings.Cut(id, ".")
	raw, err := base64.RawURLEncoding.DecodeString(head)
	if err != nil {
		t.Fatal(err)
	}
	var header map[string]string
	if err := json.Unmarshal(raw, &header); err != nil {
		t.Fatal(err)
	}
	if header["alg"] != "ES256" || header["typ"] != "JWT" || !strings.Contains(s.get(s.issuer+pathKeys).body, `"kid":"`+header["kid"]+`"`) {
		t.Errorf("header %v", header)
	}
}

func TestTokenErrors(t *testing.T) {
	s := newSite(t)
	for _, c := range []struct {
		status  int
		want    string
		changes []string
	}{
		{http.StatusUnauthorized, "invalid_client", []string{"client_secret", "wrong"}},
		{http.StatusUnauthorized, "invalid_client", []string{"client_secret", ""}},
		{http.StatusUnauthorized, "invalid_client", []string{"client_id", "other"}},
		{http.StatusUnauthorized, "invalid_client", []string{"client_id", "", "client_secret", ""}},
		{http.StatusBadRequest, "invalid_request", []string{"grant_type", ""}},
		{http.StatusBadRequest, "unsupported_grant_type", []string{"grant_type", "password"}},
		{http.StatusBadRequest, "invalid_request", []string{"code", ""}},
		{http.StatusBadRequest, "invalid_request", []string{"redirect_uri", ""}},
		{http.StatusBadRequest, "invalid_request", []string{"code_verifier", ""}},
		{http.StatusBadRequest, "invalid_grant", []string{"code", "other"}},
		{http.StatusBadRequest, "invalid_grant", []string{"redirect_uri", s.party + "/other?tenant=acme"}},
		{http.StatusBadRequest, "invalid_grant", []string{"code_verifier", strings.Repeat("x", 43)}},
		{http.StatusBadRequest, "invalid_grant", []string{"code_verifier", "short"}},
	} {
		t.Run(strings.Join(c.changes, " "), func(t *testing.T) {
			code := s.code()
			res := s.exchange(code, c.changes...)
			if got := res.errorCode(t); res.status != c.status || got != c.want {
				t.Errorf("%d %s", res.status, res.body)
			}
			if res.header.Get("Cache-Control") != "no-store" {
				t.Errorf("headers: %v", res.header)
			}
			if c.status == http.StatusUnauthorized {
				if res.header.Get("WWW-Authenticate") == "" {
					t.Error("the client is not told how to authenticate")
				}
				if res := s.exchange(code); res.status != http.StatusOK {
					t.Errorf("a stranger used the code up: %s", res.body)
				}
			}
		})
	}
}

func TestClientAuthentication(t *testing.T) {
	s := newSite(t)
	basic := func(id, secret string) string {
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(id+":"+secret))
	}
	good := basic(url.QueryEscape(clientID), url.QueryEscape(clientSecret))
	for name, c := range map[string]struct {
		authorization string
		changes       []string
		want          string
	}{
		"good":           {good, nil, ""},
		"id repeated":    {good, []string{"client_id", clientID}, ""},
		"other id":       {good, []string{"client_id", "other"}, "invalid_request"},
		"in two ways":    {good, []string{"client_secret", clientSecret}, "invalid_request"},
		"not encoded":    {basic(clientID, clientSecret), nil, "invalid_client"},
		"broken":         {basic("%zz", "x"), nil, "invalid_client"},
		"wrong secret":   {basic(url.QueryEscape(clientID), "wrong"), nil, "invalid_client"},
		"another scheme": {"Bearer x", []string{"client_id", clientID, "client_secret", clientSecret}, "invalid_client"},
	} {
		t.Run(name, func(t *testing.T) {
			v := url.Values{
				"grant_type": {"authorization_code"}, "code": {s.code()}, "redirect_uri": {s.party + "/callback"}, "code_verifier": {verifier},
			}
			change(v, c.changes)
			res := s.send(http.MethodPost, s.issuer+pathToken, v, http.Header{
				"Authorization": {c.authorization}, "Content-Type": {"application/x-www-form-urlencoded; charset=utf-8"},
			})
			if got := res.errorCode(t); got != c.want {
				t.Errorf("%d %s", res.status, res.body)
			}
		})
	}
	res := s.send(http.MethodPost, s.issuer+pathToken, nil, http.Header{"Content-Type": {"application/json"}, "Authorization": {good}})
	if res.errorCode(t) != "invalid_request" {
		t.Errorf("JSON: %d %s", res.status, res.body)
	}
	twice := s.post(s.issuer+pathToken, url.Values{"client_id": {clientID, clientID}, "client_secret": {clientSecret}})
	if twice.errorCode(t) != "invalid_request" {
		t.Errorf("twice: %d %s", twice.status, twice.body)
	}
}

func TestCodeOnce(t *testing.T) {
	s := newSite(t)
	code := s.code()
	if res := s.exchange(code); res.status != http.StatusOK {
		t.Fatalf("%d %s", res.status, res.body)
	}
	if res := s.exchange(code); res.status != http.StatusBadRequest || res.errorCode(t) != "invalid_grant" {
		t.Errorf("again: %d %s", res.status, res.body)
	}
	code = s.code()
	s.exchange(code, "code_verifier", strings.Repeat("x", 43))
	if res := s.exchange(code); res.errorCode(t) != "invalid_grant" {
		t.Errorf("after a wrong verifier: %d %s", res.status, res.body)
	}
	code = s.code()
	var good atomic.Int64
	var group sync.WaitGroup
	for range 16 {
		group.Go(func() {
			res, err := browse(t.Context(), http.MethodPost, s.issuer+pathToken, url.Values{
				"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {s.party + "/callback"}, "code_verifier": {verifier},
				"client_id": {clientID}, "client_secret": {clientSecret},
			})
			if err != nil {
				t.Error(err)
			}
			if res.status == http.StatusOK {
				good.Add(1)
			}
		})
	}
	group.Wait()
	if good.Load() != 1 {
		t.Errorf("%d of many got tokens for one code", good.Load())
	}
}

func TestCodeExpires(t *testing.T) {
	s := newSite(t)
	code := s.code()
	s.ahead.Add(int64(codeLife))
	if res := s.exchange(code); res.errorCode(t) != "invalid_grant" {
		t.Errorf("%d %s", res.status, res.body)
	}
}

func TestCodesAreBounded(t *testing.T) {
	s := newSite(t)
	first, second := s.code(), s.code()
	for range maxCodes - 1 {
		s.code()
	}
	if res := s.exchange(first); res.errorCode(t) != "invalid_grant" {
		t.Errorf("the oldest: %d %s", res.status, res.body)
	}
	if res := s.exchange(second); res.status != http.StatusOK {
		t.Errorf("the oldest but one: %d %s", res.status, res.body)
	}
}
