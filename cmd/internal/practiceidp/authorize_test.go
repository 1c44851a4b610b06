package practiceidp

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPage(t *testing.T) {
	s := newSite(t)
	asked := s.request("login_hint", "GRACE@acme.example")
	res := s.get(s.issuer + pathAuthorize + "?" + asked.Encode())
	if res.status != http.StatusOK {
		t.Fatalf("%d %s", res.status, res.body)
	}
	action, fields := res.form(t)
	if diff := cmp.Diff(asked, fields); diff != "" || action != pathAuthorize {
		t.Errorf("form to %q: %s", action, diff)
	}
	if diff := cmp.Diff([]string{"2", "1"}, res.subjects()); diff != "" {
		t.Errorf("the person of the hint is not first: %s", diff)
	}
	for _, want := range []string{
		"for the demo only. There are no passwords.", "<h1>Who are you?</h1>", "Ada Lovelace", "Video Pro&#43;, active",
		"The application expects this person", ">Refuse</button>",
	} {
		if !strings.Contains(res.body, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	policy := regexp.MustCompile(`^default-src 'none'; style-src 'nonce-(\w+)'; base-uri 'none'; frame-ancestors 'none'; form-action 'self' (\S+)$`)
	m := policy.FindStringSubmatch(res.header.Get("Content-Security-Policy"))
	if m == nil || m[2] != s.party || !strings.Contains(res.body, `<style nonce="`+m[1]+`">`) {
		t.Errorf("policy %q", res.header.Get("Content-Security-Policy"))
	}
	if res.header.Get("Cache-Control") != "no-store" || res.header.Get("Referrer-Policy") != "no-referrer" {
		t.Errorf("headers %v", res.header)
	}
	s.people.Store(&[]Person{{Name: "has no subject"}})
	if res := s.get(s.issuer + pathAuthorize + "?" + asked.Encode()); !strings.Contains(res.body, "Nobody is here yet.") {
		t.Errorf("people are not asked for anew: %s", res.body)
	}
}

// Neither a request from elsewhere nor one to elsewhere may be answered with a redirect.
func TestForeign(t *testing.T) {
	s := newSite(t)
	twice := s.request()
	twice.Add("redirect_uri", "http://evil.example/")
	for name, v := range map[string]url.Values{
		"client":        s.request("client_id", "other"),
		"no client":     s.request("client_id", ""),
		"address":       s.request("redirect_uri", "http://evil.example/callback"),
		"longer":        s.request("redirect_uri", s.party+"/callback/"),
		"more query":    s.request("redirect_uri", s.party+"/callback?x=1"),
		"no address":    s.request("redirect_uri", ""),
		"two addresses": twice,
		"refusing":      s.request("redirect_uri", "http://evil.example/", "refuse", "yes"),
		"choosing":      s.request("redirect_uri", "http://evil.example/", "subject", "1"),
		"by form":       s.request("redirect_uri", "http://evil.example/", "response_mode", "form_post", "scope", ""),
	} {
		t.Run(name, func(t *testing.T) {
			for _, res := range []reply{s.get(s.issuer + pathAuthorize + "?" + v.Encode()), s.post(s.issuer+pathAuthorize, v)} {
				if res.status != http.StatusBadRequest || res.header.Get("Location") != "" || strings.Contains(res.body, "<form") {
					t.Errorf("%d %q %s", res.status, res.header.Get("Location"), res.body)
				}
				if !strings.Contains(res.body, "<h1>This sign-in cannot go on.</h1>") {
					t.Error(res.body)
				}
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	s := newSite(t)
	for _, c := range []struct {
		want    string
		changes []string
	}{
		{"invalid_request", []string{"response_type", ""}},
		{"unsupported_response_type", []string{"response_type", "token"}},
		{"unsupported_response_type", []string{"response_type", "code id_token"}},
		{"invalid_request", []string{"response_mode", "fragment"}},
		{"invalid_scope", []string{"scope", "profile"}},
		{"invalid_scope", []string{"scope", ""}},
		{"invalid_request", []string{"nonce", ""}},
		{"invalid_request", []string{"code_challenge", ""}},
		{"invalid_request", []string{"code_challenge", "short"}},
		{"invalid_request", []string{"code_challenge_method", ""}},
		{"invalid_request", []string{"code_challenge_method", "plain"}},
		{"login_required", []string{"prompt", "none"}},
		{"invalid_request", []string{"prompt", "none login"}},
		{"request_not_supported", []string{"request", "e30.e30."}},
		{"request_uri_not_supported", []string{"request_uri", "http://127.0.0.1/"}},
	} {
		t.Run(strings.Join(c.changes, " "), func(t *testing.T) {
			v := s.request(c.changes...)
			for _, res := range []reply{s.get(s.issuer + pathAuthorize + "?" + v.Encode()), s.post(s.issuer+pathAuthorize, v)} {
				got := res.location(t)
				got.Del("error_description")
				want := url.Values{"error": {c.want}, "state": {"the-state"}, "iss": {s.issuer}}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Error(diff)
				}
			}
		})
	}
	for name, change := range map[string]func(url.Values){
		"no state":     func(v url.Values) { v.Del("state") },
		"state twice":  func(v url.Values) { v.Add("state", "other") },
		"broken state": func(v url.Values) { v.Set("state", "a\r\nb") },
	} {
		v := s.request()
		change(v)
		got := s.get(s.issuer + pathAuthorize + "?" + v.Encode()).location(t)
		if got.Get("error") != "invalid_request" || got.Has("state") || got.Get("iss") != s.issuer {
			t.Errorf("%s: %v", name, got)
		}
	}
	s.broken.Store(true)
	if got := s.get(s.issuer + pathAuthorize + "?" + s.request().Encode()).location(t); got.Get("error") != "server_error" {
		t.Errorf("no people: %v", got)
	}
}

func TestRefuse(t *testing.T) {
	s := newSite(t)
	got := s.post(s.issuer+pathAuthorize, s.request("refuse", "yes")).location(t)
	want := url.Values{"error": {"access_denied"}, "error_description": {"the person refused"}, "state": {"the-state"}, "iss": {s.issuer}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	_, fields := s.post(s.issuer+pathAuthorize, s.request("refuse", "yes", "response_mode", "form_post")).form(t)
	if diff := cmp.Diff(want, fields); diff != "" {
		t.Error(diff)
	}
}

func TestFormPost(t *testing.T) {
	s := newSite(t)
	res := s.post(s.issuer+pathAuthorize, s.request("subject", "1", "response_mode", "form_post"))
	action, fields := res.form(t)
	if res.status != http.StatusOK || action != s.party+"/callback" || fields.Get("code") == "" {
		t.Fatalf("%d to %q: %v", res.status, action, fields)
	}
	if !strings.Contains(res.body, "<button>Continue to ") {
		t.Error("there is no way on without a script")
	}
	policy := regexp.MustCompile(`; form-action (\S+); script-src 'nonce-(\w+)'$`)
	m := policy.FindStringSubmatch(res.header.Get("Content-Security-Policy"))
	if m == nil || m[1] != s.party || !strings.Contains(res.body, `<script nonce="`+m[2]+`">`) {
		t.Errorf("policy %q", res.header.Get("Content-Security-Policy"))
	}
	if got := s.post(action, fields); got.body != "POST /callback?"+fields.Encode() {
		t.Errorf("the relying party got %q", got.body)
	}
}

func TestRedirectKeepsQuery(t *testing.T) {
	s := newSite(t)
	got := s.post(s.issuer+pathAuthorize, s.request("subject", "1", "redirect_uri", s.party+"/other?tenant=acme")).location(t)
	if got.Get("tenant") != "acme" || got.Get("code") == "" {
		t.Error(got)
	}
}

// A request that is sent as a form shows the page; so does a choice that was not made on the page.
func TestRequestAsForm(t *testing.T) {
	s := newSite(t)
	if res := s.post(s.issuer+pathAuthorize, s.request()); res.status != http.StatusOK || len(res.subjects()) != 2 {
		t.Errorf("request: %d %s", res.status, res.body)
	}
	for _, from := range []string{"cross-site", "same-site"} {
		res := s.send(http.MethodPost, s.issuer+pathAuthorize, s.request("subject", "1"), http.Header{
			"Content-Type": {"application/x-www-form-urlencoded"}, "Sec-Fetch-Site": {from},
		})
		if res.status != http.StatusOK || len(res.subjects()) != 2 {
			t.Errorf("%s: %d %s", from, res.status, res.body)
		}
	}
	if res := s.get(s.issuer + pathAuthorize + "?" + s.request("subject", "1").Encode()); res.status != http.StatusOK {
		t.Errorf("a link chose: %d", res.status)
	}
	res := s.post(s.issuer+pathAuthorize, s.request("subject", "gone"))
	if res.status != http.StatusUnprocessableEntity || !strings.Contains(res.body, `role="alert"`) || len(res.subjects()) != 2 {
		t.Errorf("gone: %d %s", res.status, res.body)
	}
}

func TestEscaping(t *testing.T) {
	s := newSite(t)
	const evil = `"><script>alert(1)</script>`
	s.people.Store(&[]Person{{Subject: evil, UserName: evil + "u", Name: evil + "n", Email: evil + "e", Note: evil}})
	asked := s.request("state", evil, "login_hint", evil, "nonce", evil)
	page := s.get(s.issuer + pathAuthorize + "?" + asked.Encode())
	_, fields := page.form(t)
	if diff := cmp.Diff(asked, fields); diff != "" {
		t.Error(diff)
	}
	asked.Set("subject", evil)
	asked.Set("response_mode", "form_post")
	back := s.post(s.issuer+pathAuthorize, asked)
	if _, fields := back.form(t); fields.Get("state") != evil || fields.Get("code") == "" {
		t.Errorf("fields %v", fields)
	}
	foreign := s.get(s.issuer + pathAuthorize + "?" + s.request("redirect_uri", evil, "client_id", evil).Encode())
	for _, res := range []reply{page, back, foreign} {
		if strings.Contains(res.body, "<script>") {
			t.Error(res.body)
		}
	}
}

func TestTooLong(t *testing.T) {
	s := newSite(t)
	long := s.request("state", strings.Repeat("x", maxForm))
	if res := s.get(s.issuer + pathAuthorize + "?" + long.Encode()); res.status != http.StatusRequestURITooLong {
		t.Errorf("query: %d", res.status)
	}
	if res := s.post(s.issuer+pathAuthorize, long); res.status != http.StatusBadRequest || res.header.Get("Location") != "" {
		t.Errorf("form: %d", res.status)
	}
	if res := s.post(s.issuer+pathToken, long); res.status != http.StatusBadRequest || res.errorCode(t) != "invalid_request" {
		t.Errorf("token: %d", res.status)
	}
}

func TestTargets(t *testing.T) {
	for want, uris := range map[string][]string{
		"http://127.0.0.1:8080 https://a.example": {"http://127.0.0.1:8080/a", "https://a.example/b", "http://127.0.0.1:8080/c"},
		"http:":  {"http://[::1]:8080/"},
		"https:": {"https://a;script-src/"},
	} {
		if got := targets(uris); got != want {
			t.Errorf("%v: %q", uris, got)
		}
	}
}
