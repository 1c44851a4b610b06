package ssotest

import (
	"crypto/rand"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Person is who signs in.
type Person struct {
	Subject string         // "alice" when empty
	Claims  map[string]any // more claims of the ID token and of userinfo, e.g. oid, tid, email, name; sid and the like can be replaced
}

// Callback is what the browser takes back to the relying party.
type Callback struct {
	RedirectURI string
	Mode        string     // query or form_post
	Values      url.Values // code, state, iss; or error, error_description, state, iss
	Session     string     // the sid of this authorization
}

// Location is the URL the browser goes to in mode query.
func (c Callback) Location() string {
	u, err := url.Parse(c.RedirectURI)
	if err != nil || len(c.Values) == 0 {
		return c.RedirectURI
	}
	if u.RawQuery != "" {
		u.RawQuery += "&"
	}
	u.RawQuery += c.Values.Encode()
	return u.String()
}

// Request is the browser's request to the relying party, without its cookies.
func (c Callback) Request() *http.Request {
	method, to, body := http.MethodGet, c.Location(), ""
	if c.Mode == "form_post" {
		method, to, body = http.MethodPost, c.RedirectURI, c.Values.Encode()
	}
	r, err := http.NewRequest(method, to, strings.NewReader(body))
	if err != nil {
		panic("ssotest: " + err.Error())
	}
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return r
}

// grant is one authorization, from which tokens come.
type grant struct {
	client, redirect, challenge, nonce, scope, session string
	person                                             Person
	at                                                 time.Time
	maxAge                                             bool
	used                                               bool // the code was
}

// Authorize is what the person's browser does at the authorization endpoint: the request is checked as a strict provider would, failing
// the test by t.Errorf, and the answer is given as if the person had signed in and agreed.
func (p *IdP) Authorize(authURL string, who Person) Callback {
	p.t.Helper()
	params := p.visit(authURL)
	return p.grant(params, who)
}

// Refuse is [IdP.Authorize] with an error for an answer, e.g. access_denied. An empty description is left out.
func (p *IdP) Refuse(authURL, code, description string) Callback {
	p.t.Helper()
	params := p.visit(authURL)
	values := url.Values{"error": {code}}
	if description != "" {
		values.Set("error_description", description)
	}
	return p.callback(params, values, "")
}

// Nonce is the one that was asked for with the authorization of a code.
func (p *IdP) Nonce(code string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if g := p.codes[code]; g != nil {
		return g.nonce
	}
	return ""
}

func (p *IdP) grant(params url.Values, who Person) Callback {
	g := &grant{
		client:    params.Get("client_id"),
		redirect:  params.Get("redirect_uri"),
		challenge: params.Get("code_challenge"),
		nonce:     params.Get("nonce"),
		scope:     params.Get("scope"),
		maxAge:    params.Has("max_age"),
		session:   rand.Text(),
		person:    who.clone(),
		at:        p.now(),
	}
	if sid, ok := who.Claims["sid"].(string); ok {
		g.session = sid
	}
	code := rand.Text()
	p.mu.Lock()
	p.codes[code] = g
	p.mu.Unlock()
	return p.callback(params, url.Values{"code": {code}}, g.session)
}

func (p *IdP) callback(params, values url.Values, session string) Callback {
	if params.Has("state") {
		values.Set("state", params.Get("state"))
	}
	values.Set("iss", p.Issuer())
	mode := params.Get("response_mode")
	if mode == "" {
		mode = "query"
	}
	return Callback{RedirectURI: params.Get("redirect_uri"), Mode: mode, Values: edited(p, &p.editCallback, values), Session: session}
}

// visit reads the URL that the browser is sent to, and fails the test for what is wrong with it.
func (p *IdP) visit(authURL string) url.Values {
	p.t.Helper()
	u, err := url.Parse(authURL)
	if err != nil {
		p.t.Errorf("authorization request: %v", err)
		return url.Values{}
	}
	if !strings.HasPrefix(authURL, p.URL("authorize")+"?") || u.Fragment != "" {
		p.t.Errorf("authorization request: goes to %s, not to %s", authURL, p.URL("authorize"))
	}
	params, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		p.t.Errorf("authorization request: %v", err)
	}
	params, problems := p.authRequest(params)
	for _, problem := range problems {
		p.t.Errorf("authorization request: %s", problem)
	}
	return params
}

// authRequest gives the parameters of an authorization request, by way of PAR if they were pushed, and says what is wrong with them.
func (p *IdP) authRequest(params url.Values) (_ url.Values, problems []string) {
	if !params.Has("request_uri") {
		if get(p, &p.parOnly) {
			problems = append(problems, "was not pushed, which is required")
		}
		return params, append(problems, p.check(params)...)
	}
	uri, client := params.Get("request_uri"), params.Get("client_id")
	p.mu.Lock()
	pushed, ok := p.pushed[uri]
	delete(p.pushed, uri)
	p.mu.Unlock()
	if !ok {
		return params, append(problems, fmt.Sprintf("request_uri %q was not given out or is used up", uri))
	}
	if client != pushed.Get("client_id") {
		problems = append(problems, fmt.Sprintf("client_id %q, but %q pushed it", client, pushed.Get("client_id")))
	}
	return pushed, append(problems, p.check(pushed)...)
}

// check says what is wrong with the parameters of an authorization request.
func (p *IdP) check(params url.Values) (problems []string) {
	add := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	for name, values := range params {
		if len(values) > 1 {
			add("%s is there %d times", name, len(values))
		}
	}
	p.mu.Lock()
	_, known := p.secrets[params.Get("client_id")]
	registered := p.redirect
	p.mu.Unlock()
	if !known {
		add("client_id %q is not known", params.Get("client_id"))
	}
	if v := params.Get("response_type"); v != "code" {
		add("response_type %q instead of code", v)
	}
	if v := params.Get("response_mode"); params.Has("response_mode") && v != "query" && v != "form_post" {
		add("response_mode %q", v)
	}
	if v := params.Get("scope"); !slices.Contains(strings.Fields(v), "openid") {
		add("scope %q without openid", v)
	}
	if v := params.Get("code_challenge_method"); v != "S256" {
		add("code_challenge_method %q instead of S256", v)
	}
	if v := params.Get("code_challenge"); len(v) != 43 {
		add("code_challenge %q is not a SHA-256", v)
	}
	for _, name := range []string{"state", "nonce"} {
		if params.Get(name) == "" {
			add("no %s", name)
		}
	}
	uri := params.Get("redirect_uri")
	if u, err := url.Parse(uri); err != nil || !u.IsAbs() || u.Fragment != "" {
		add("redirect_uri %q is not an absolute URL without fragment", uri)
	} else if len(registered) > 0 && !slices.Contains(registered, uri) {
		add("redirect_uri %q is not registered", uri)
	}
	slices.Sort(problems)
	return problems
}

// formPost sends the parameters by a form that needs no click, as real providers do (OAuth 2.0 Form Post Response Mode).
var formPost = template.Must(template.New("").Parse(`<!doctype html><title>Signing in</title>
<body onload="document.forms[0].submit()"><form method="post" action="{{.RedirectURI}}">
{{range $name, $values := .Values}}{{range $values}}<input type="hidden" name="{{$name}}" value="{{.}}">
{{end}}{{end}}<noscript><button>Continue</button></noscript></form>
`))

func (p *IdP) serveAuthorize(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	params, problems := p.authRequest(r.Form)
	if len(problems) > 0 {
		for _, problem := range problems {
			p.t.Errorf("authorization request: %s", problem)
		}
		http.Error(w, strings.Join(problems, "\n"), http.StatusBadRequest)
		return
	}
	c := p.grant(params, get(p, &p.person))
	w.Header().Set("Cache-Control", "no-store")
	if c.Mode == "form_post" {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		formPost.Execute(w, c) // an error is the browser's going away
		return
	}
	http.Redirect(w, r, c.Location(), http.StatusSeeOther)
}
