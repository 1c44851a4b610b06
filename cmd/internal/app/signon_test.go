package app

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"usher/sso/ssotest"
)

func TestInsecure(t *testing.T) {
	for address, want := range map[string]bool{
		"https://usher.example.com": false, "http://127.0.0.1:8080": false, "http://localhost:8080": false, "http://[::1]:8080": false,
		"http://usher.example.com": true, "http://192.168.1.2:8080": true,
	} {
		if got := insecure(address); got != want {
			t.Errorf("%s: %t", address, got)
		}
	}
}

// TestBehindProxies: an address that anybody can write is believed of trusted proxies only, and only what these have seen themselves.
func TestBehindProxies(t *testing.T) {
	trusted := []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32"), netip.MustParsePrefix("10.0.0.0/8")}
	var got string
	h := behindProxies(trusted, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.RemoteAddr }))
	for _, tt := range []struct {
		peer      string
		forwarded []string
		want      string
	}{
		{"127.0.0.1:99", nil, "127.0.0.1:99"},
		{"127.0.0.1:99", []string{"192.0.2.7"}, "192.0.2.7:0"},
		{"[::ffff:127.0.0.1]:99", []string{"192.0.2.7"}, "192.0.2.7:0"},
		{"127.0.0.1:99", []string{"203.0.113.9, 192.0.2.7"}, "192.0.2.7:0"},
		{"127.0.0.1:99", []string{"203.0.113.9", "192.0.2.7, 10.1.2.3"}, "192.0.2.7:0"},
		{"127.0.0.1:99", []string{"2001:db8::1"}, "[2001:db8::1]:0"},
		{"127.0.0.1:99", []string{"nonsense"}, "127.0.0.1:99"},
		{"192.0.2.8:99", []string{"203.0.113.9"}, "192.0.2.8:99"},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = tt.peer
		for _, f := range tt.forwarded {
			r.Header.Add("X-Forwarded-For", f)
		}
		h.ServeHTTP(httptest.NewRecorder(), r)
		if got != tt.want {
			t.Errorf("%s with %q: %s, want %s", tt.peer, tt.forwarded, got, tt.want)
		}
	}
}

// TestMe_bySession: a person who is signed in reads their own User by SCIM, and nothing else.
func TestMe_bySession(t *testing.T) {
	s := serve(t, Config{Addr: "127.0.0.1:0", Data: t.TempDir(), SignOn: playground})
	s.company(1, "waiting")
	idp := ssotest.New(t)
	s.signOn(idp)
	s.must(http.StatusCreated, http.MethodPost, "/Users", asks("ada"), nil)
	cookie := s.signIn(idp, "x-ada")
	for request, want := range map[string]int{"GET /Me": 200, "GET /Users": 403, "PATCH /Me": 403, "DELETE /Me": 403, "GET /Schemas": 200} {
		method, path, _ := strings.Cut(request, " ")
		req, err := http.NewRequest(method, s.app.SCIMBase()+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.AddCookie(cookie)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%s %s: %d, want %d", method, path, resp.StatusCode, want)
		}
	}
	req, err := http.NewRequest(http.MethodGet, s.app.SCIMBase()+"/Me", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.AddCookie(&http.Cookie{Name: cookie.Name, Value: "another"})
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("by a session that is none: %d", resp.StatusCode)
	}
}
