package ssotest

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// oauthError is an answer of RFC 6749, 5.2.
type oauthError struct {
	Code        string `json:"error"`
	Description string `json:"error_description,omitempty"`
}

func (e *oauthError) write(w http.ResponseWriter) {
	status := http.StatusBadRequest
	if e.Code == "invalid_client" {
		status = http.StatusUnauthorized
		w.Header().Set("WWW-Authenticate", `Basic realm="ssotest"`)
	}
	writeJSON(w, status, e)
}

func (p *IdP) serveToken(w http.ResponseWriter, r *http.Request) {
	client, failure := p.authenticate(r)
	if failure != nil {
		failure.write(w)
		return
	}
	var g *grant
	code := ""
	switch kind := r.PostForm.Get("grant_type"); kind {
	case "authorization_code":
		code = r.PostForm.Get("code")
		g, failure = p.redeem(client, r.PostForm)
	case "refresh_token":
		if g = p.lookUp(p.refresh, r.PostForm.Get("refresh_token")); g == nil || g.client != client {
			failure = &oauthError{"invalid_grant", "refresh token"}
		}
	default:
		failure = &oauthError{"unsupported_grant_type", kind}
	}
	if failure != nil {
		failure.write(w)
		return
	}
	access := rand.Text()
	answer := map[string]any{"access_token": access, "token_type": "Bearer", "expires_in": 3600, "scope": g.scope}
	answer["id_token"] = p.idToken(g, code, access)
	refresh := ""
	if code != "" && slices.Contains(strings.Fields(g.scope), "offline_access") {
		refresh = rand.Text()
		answer["refresh_token"] = refresh
	}
	p.mu.Lock()
	p.access[access] = g
	if refresh != "" {
		p.refresh[refresh] = g
	}
	p.mu.Unlock()
	w.Header().Set("Cache-Control", "no-store")
	writeJSON(w, http.StatusOK, edited(p, &p.editResponse, answer))
}

// redeem uses a code up. It is used up also when something else is wrong, so that a client that guesses or repeats has no second try.
func (p *IdP) redeem(client string, form url.Values) (*grant, *oauthError) {
	p.mu.Lock()
	defer p.mu.Unlock()
	g := p.codes[form.Get("code")]
	if g == nil {
		return nil, &oauthError{"invalid_grant", "code"}
	}
	used := g.used
	g.used = true
	challenge := sha256.Sum256([]byte(form.Get("code_verifier")))
	switch {
	case used:
		return nil, &oauthError{"invalid_grant", "code was used"}
	case g.client != client:
		return nil, &oauthError{"invalid_grant", "code of another client"}
	case g.redirect != form.Get("redirect_uri"):
		return nil, &oauthError{"invalid_grant", "redirect_uri"}
	case g.challenge != b64(challenge[:]):
		return nil, &oauthError{"invalid_grant", "code_verifier"}
	}
	return g, nil
}

func (p *IdP) lookUp(m map[string]*grant, token string) *grant {
	p.mu.Lock()
	defer p.mu.Unlock()
	return m[token]
}

// ClientAuth names the method by which the client authenticated: client_secret_basic, client_secret_post, private_key_jwt, none, or
// several separated by spaces, which is an error of the client.
func (r Request) ClientAuth() string {
	return strings.Join(authMethods(r.Header, r.Form), " ")
}

func authMethods(h http.Header, form url.Values) (methods []string) {
	if h.Get("Authorization") != "" {
		methods = append(methods, "client_secret_basic")
	}
	if form.Has("client_secret") {
		methods = append(methods, "client_secret_post")
	}
	if form.Has("client_assertion") {
		methods = append(methods, "private_key_jwt")
	}
	if methods == nil {
		methods = []string{"none"}
	}
	return methods
}

// authenticate finds the client of a request to the token or PAR endpoint, and parses its form.
func (p *IdP) authenticate(r *http.Request) (client string, failure *oauthError) {
	if r.Method != http.MethodPost {
		return "", &oauthError{"invalid_request", "not a POST"}
	}
	if err := r.ParseForm(); err != nil {
		return "", &oauthError{"invalid_request", err.Error()}
	}
	if len(r.PostForm) == 0 || len(r.URL.RawQuery) > 0 {
		return "", &oauthError{"invalid_request", "parameters belong in the body, as a form"}
	}
	for name, values := range r.PostForm {
		if len(values) > 1 {
			return "", &oauthError{"invalid_request", name + " is there more than once"}
		}
	}
	methods := authMethods(r.Header, r.PostForm)
	if len(methods) > 1 {
		return "", &oauthError{"invalid_request", strings.Join(methods, " and ")}
	}
	if !slices.Contains(get(p, &p.methods), methods[0]) {
		return "", &oauthError{"invalid_client", methods[0] + " is not allowed"}
	}
	switch methods[0] {
	case "client_secret_basic":
		user, pass, _ := r.BasicAuth()
		id, badID := url.QueryUnescape(user)
		secret, badSecret := url.QueryUnescape(pass)
		if badID != nil || badSecret != nil || !p.knows(id, secret) {
			return "", &oauthError{"invalid_client", "client_secret_basic"}
		}
		client = id
	case "client_secret_post":
		client = r.PostForm.Get("client_id")
		if !p.knows(client, r.PostForm.Get("client_secret")) {
			return "", &oauthError{"invalid_client", "client_secret_post"}
		}
	case "private_key_jwt":
		if client = p.assertion(r.PostForm); client == "" {
			return "", &oauthError{"invalid_client", "private_key_jwt"}
		}
	default:
		return "", &oauthError{"invalid_client", "public clients are not served"}
	}
	if id := r.PostForm.Get("client_id"); id != "" && id != client {
		return "", &oauthError{"invalid_request", "client_id is another's"}
	}
	return client, nil
}

func (p *IdP) knows(id, secret string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	want, ok := p.secrets[id]
	return ok && subtle.ConstantTimeCompare([]byte(want), []byte(secret)) == 1
}

// assertion checks a client assertion (RFC 7523, 3) and gives its client, "" if it is not good.
func (p *IdP) assertion(form url.Values) string {
	key := get(p, &p.key)
	if key == nil || form.Get("client_assertion_type") != assertionType {
		return ""
	}
	token, err := jwt.ParseSigned(form.Get("client_assertion"), []jose.SignatureAlgorithm{jose.RS256, jose.PS256, jose.ES256, jose.EdDSA})
	if err != nil {
		return ""
	}
	var claims jwt.Claims
	if token.Claims(key, &claims) != nil || claims.ID == "" || claims.Expiry == nil {
		return ""
	}
	now := p.now()
	want := jwt.Expected{Issuer: claims.Subject, Time: now, AnyAudience: jwt.Audience{p.Issuer(), p.URL("token"), p.URL("par")}}
	if claims.ValidateWithLeeway(want, time.Minute) != nil || claims.Expiry.Time().After(now.Add(time.Hour)) {
		return ""
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, known := p.secrets[claims.Subject]; !known || p.assertions[claims.ID] {
		return ""
	}
	p.assertions[claims.ID] = true
	return claims.Subject
}

func (p *IdP) servePAR(w http.ResponseWriter, r *http.Request) {
	if !get(p, &p.par) {
		http.NotFound(w, r)
		return
	}
	client, failure := p.authenticate(r)
	if failure == nil && r.PostForm.Has("request_uri") {
		failure = &oauthError{"invalid_request", "request_uri"}
	}
	if failure != nil {
		failure.write(w)
		return
	}
	params := maps.Clone(r.PostForm)
	for _, name := range []string{"client_secret", "client_assertion", "client_assertion_type"} {
		params.Del(name)
	}
	params.Set("client_id", client)
	if problems := p.check(params); len(problems) > 0 {
		(&oauthError{"invalid_request", strings.Join(problems, "; ")}).write(w)
		return
	}
	uri := "urn:ietf:params:oauth:request_uri:" + rand.Text()
	p.mu.Lock()
	p.pushed[uri] = params
	p.mu.Unlock()
	writeJSON(w, http.StatusCreated, map[string]any{"request_uri": uri, "expires_in": 60})
}

func (p *IdP) serveUserInfo(w http.ResponseWriter, r *http.Request) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	g := p.lookUp(p.access, token)
	if !strings.EqualFold(scheme, "Bearer") || g == nil {
		w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	answer := map[string]any{"sub": g.person.subject()}
	g.person.each(func(name string, value any) { answer[name] = value })
	writeJSON(w, http.StatusOK, edited(p, &p.editUserInfo, answer))
}

// serveEndSession is RP-initiated logout: back to the relying party if it says who it is, else a page.
func (p *IdP) serveEndSession(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	back := r.Form.Get("post_logout_redirect_uri")
	if back == "" {
		Body(http.StatusOK, "text/html; charset=utf-8", "<!doctype html><title>Signed out</title>")(w, r)
		return
	}
	if !r.Form.Has("client_id") && !r.Form.Has("id_token_hint") {
		http.Error(w, "post_logout_redirect_uri without client_id or id_token_hint", http.StatusBadRequest)
		return
	}
	values := url.Values{}
	if r.Form.Has("state") {
		values.Set("state", r.Form.Get("state"))
	}
	http.Redirect(w, r, Callback{RedirectURI: back, Values: values}.Location(), http.StatusSeeOther)
}
