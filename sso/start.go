package sso

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/oauth2"

	"usher/licensing"
	"usher/store"
)

const (
	// signInFor is how long a sign-in may take at the identity provider.
	signInFor = 10 * time.Minute
	// maxHint is how long the name may be that the identity provider is told to begin with, in bytes.
	maxHint = 255
	// maxUnderWay is how many sign-ins a browser may have under way: those in several tabs.
	maxUnderWay = 5
)

// start begins a sign-in: it sends the person to the company's identity provider.
func (x *exchange) start() error {
	if err := x.mayBegin(); err != nil {
		return err
	}
	query, back := parameters(x.r.URL)
	x.prompt = query.Get("prompt")
	return x.startAt(query.Get("connection"), back, query.Get("login_hint"))
}

// promptLogin has the identity provider ask again who somebody is (OpenID Connect Core 1.0 section 3.1.2.1). Others are not passed on.
const promptLogin = "login"

// parameters gives those of the start. Proxies such as nginx cannot encode the address that somebody came for: where return stands there as it
// is, the rest of the query belongs to it. Others encode all but the slashes.
func parameters(u *url.URL) (query url.Values, back string) {
	ours, plain, ok := strings.Cut("&"+u.RawQuery, "&return=/")
	if path, _, _ := strings.Cut(plain, "&"); ok && !encoded(path) {
		query, _ := url.ParseQuery(strings.TrimPrefix(ours, "&"))
		return query, "/" + plain
	}
	query = u.Query()
	return query, query.Get("return")
}

// encoded says whether an address of this server is one that was encoded for a query: it has no query, and what stands for one.
func encoded(address string) bool {
	address = strings.ToUpper(address)
	return !strings.Contains(address, "?") && (strings.Contains(address, "%3F") || strings.Contains(address, "%25"))
}

// mayBegin refuses who begins too often, before anything is looked at, and what is no visit of a person.
func (x *exchange) mayBegin() error {
	if err := x.limit("starts\x00"+x.network(), x.Rates.Starts); err != nil {
		return err
	}
	if err := x.limit("starts in\x00"+cutTo(strings.ToLower(x.r.PathValue("company")), maxHome), x.Rates.Company); err != nil {
		return err
	}
	if dest := x.r.Header.Get("Sec-Fetch-Dest"); dest != "" && dest != "document" {
		x.quiet = true // a picture on some page could fill the log
		return &denial{reason: licensing.StateUnknown, kind: "embedded"}
	}
	return nil
}

// startAt begins a sign-in by a connection; without a name, by the one that there is.
func (x *exchange) startAt(connection, back, hint string) error {
	active, err := x.open()
	if err != nil {
		return err
	}
	if at := slices.IndexFunc(active, func(n store.Connection) bool { return n.Name == connection }); at >= 0 {
		active = active[at : at+1]
	} else if connection != "" {
		return deny(licensing.SSONotConfigured)
	}
	if len(active) > 1 {
		return x.choose(active, back, hint)
	}
	x.connection = active[0]
	if x.lured() {
		return x.ask(back, hint)
	}
	clean, ok := returnPath(back)
	if !ok {
		clean = "" // they come to their own page then
	}
	return x.begin(clean, hint, false)
}

// open gives the connections by which people of the company that the path names can sign in: one at least, else why there is none. Nobody
// is sent to an identity provider in vain.
func (x *exchange) open() ([]store.Connection, error) {
	if err := x.findCompany(); err != nil {
		return nil, err
	}
	active, err := x.activeConnections()
	if err == nil && x.company.Tier != licensing.TierVideoProPlus {
		err = deny(licensing.CompanyTierHasNoSSO)
	}
	return active, err
}

// lured says whether another site has sent somebody here who is signed in to another company: that may not be what they want.
func (x *exchange) lured() bool {
	if x.r.Header.Get("Sec-Fetch-Site") != "cross-site" {
		return false
	}
	p, err := x.Who(x.r)
	return err == nil && p.Company.ID != x.company.ID
}

// ask asks somebody whether they want to sign in to another company.
func (x *exchange) ask(back, hint string) error {
	query := url.Values{"connection": {x.connection.Name}, "return": {back}, "login_hint": {hint}}
	x.render(page{
		Kind: "continue", Title: "Sign in to " + x.company.Display + "?", Lead: "You are signed in to another company, and would be signed out there.",
		Data: way{x.startPath() + "?" + query.Encode()},
	})
	return nil
}

// findCompany finds the company that the path names.
func (x *exchange) findCompany() error {
	company, err := x.Store.CompanyByName(x.ctx, strings.ToLower(x.r.PathValue("company")))
	switch {
	case errors.Is(err, store.ErrNotFound):
		return deny(licensing.UnknownCompany)
	case err != nil:
		return fmt.Errorf("company: %w", err)
	}
	x.company = company
	return nil
}

// activeConnections gives the connections by which people can sign in: one at least, else why there is none.
func (x *exchange) activeConnections() ([]store.Connection, error) {
	all, err := x.Store.ListConnections(x.ctx, x.company.ID)
	if err != nil {
		return nil, fmt.Errorf("connections: %w", err)
	}
	var active []store.Connection
	reason := licensing.SSONotConfigured
	for _, n := range all {
		switch n.SignOn.State {
		case store.SignOnActive:
			active = append(active, n)
		case store.SignOnDisabled:
			reason = licensing.SSODisabled
		}
	}
	if len(active) == 0 {
		return nil, deny(reason)
	}
	return active, nil
}

// choose shows the connections of a company that has several.
func (x *exchange) choose(active []store.Connection, back, hint string) error {
	type way struct{ Name, Address string }
	var ways []way
	for _, n := range active {
		query := url.Values{"connection": {n.Name}}
		if back != "" {
			query.Set("return", back)
		}
		if hint != "" {
			query.Set("login_hint", hint)
		}
		ways = append(ways, way{n.Name, x.startPath() + "?" + query.Encode()})
	}
	x.render(page{Kind: "choose", Title: "How do you sign in to " + x.company.Display + "?", Data: ways})
	return nil
}

// begin sends the person to the identity provider of the connection.
func (x *exchange) begin(back, hint string, test bool) error {
	c, err := x.client(x.ctx, x.company, x.connection)
	if err != nil {
		return err
	}
	if len(hint) > maxHint {
		hint = ""
	}
	verifier, browser := oauth2.GenerateVerifier(), random()
	r := request{state: random(), nonce: random(), verifier: verifier, hint: hint, again: x.prompt == promptLogin}
	s := store.SignIn{
		State: digest(r.state), Browser: digest(browser), Company: x.company.ID, Connection: x.connection.ID, SignOn: x.connection.SignOn.Version,
		Nonce: r.nonce, Return: back, Session: x.former(), Test: test, Created: x.now,
	}
	s.Verifier = x.Sealer.Seal(verifier, verifierOwner(s))
	if err := x.Store.BeginSignIn(x.ctx, s); err != nil {
		return fmt.Errorf("begin sign-in: %w", err)
	}
	release, ok := x.busy.take(x.connection.ID)
	if !ok {
		return &denial{reason: licensing.IdPUnavailable, kind: "busy", detail: "Too many requests to the identity provider are under way."}
	}
	address, err := c.authorizationURL(x.ctx, r)
	release()
	if err != nil {
		return err
	}
	x.rememberSignIn(r.state, browser)
	return x.redirect(address)
}

// verifierOwner is whom the verifier of a sign-in is sealed for.
func verifierOwner(s store.SignIn) string {
	return "sign-in/" + s.Company + "/" + s.Connection + "/" + encode(s.State[:])
}

// client makes this server the client of a connection's identity provider.
func (h *Handler) client(ctx context.Context, c store.Company, n store.Connection) (*client, error) {
	p, err := h.providers.get(ctx, n)
	if err != nil {
		return nil, err
	}
	secret, err := h.Sealer.Open(n.SignOn.Secret, SecretOwner(c.ID, n.ID))
	if err != nil {
		return nil, fmt.Errorf("the secret of connection %s: %w", n.Name, err)
	}
	return &client{
		provider: p, settings: n.SignOn, secret: NewSecret(secret), redirect: h.RedirectURI(c, n), http: h.providers.client, clock: h.Clock,
	}, nil
}

// RedirectURI is where the identity provider of a connection sends people back to. Each connection has its own (RFC 9700 section 4.4.2.2).
func (h *Handler) RedirectURI(c store.Company, n store.Connection) string {
	return h.connectionURL(c, n) + "/callback"
}

// LogoutURI is where the identity provider of a connection says that somebody has signed out there (OpenID Connect Back-Channel Logout 1.0).
func (h *Handler) LogoutURI(c store.Company, n store.Connection) string {
	return h.connectionURL(c, n) + "/backchannel-logout"
}

// SignedOutURI is where identity providers send people after they have signed out there (post_logout_redirect_uri).
func (h *Handler) SignedOutURI() string { return h.BaseURL + Path + "/signed-out" }

// KeysURI is where the public keys of a connection's client are.
func (h *Handler) KeysURI(c store.Company, n store.Connection) string {
	return h.connectionURL(c, n) + "/jwks.json"
}

// StartURL is where people of a company begin to sign in.
func (h *Handler) StartURL(c store.Company) string { return h.BaseURL + Path + "/" + c.Name }

// InitiateURL is where an identity provider's portal sends people to begin (OpenID Connect Core 1.0 section 4).
func (h *Handler) InitiateURL(c store.Company) string { return h.StartURL(c) + "/initiate" }

func (h *Handler) connectionURL(c store.Company, n store.Connection) string {
	return h.StartURL(c) + "/" + url.PathEscape(n.Name)
}

// initiate begins a sign-in that an identity provider's portal asks for (OpenID Connect Core 1.0 section 4).
func (x *exchange) initiate() error {
	if err := x.mayBegin(); err != nil {
		return err
	}
	query := x.r.URL.Query()
	active, err := x.open()
	if err != nil {
		return err
	}
	at := slices.IndexFunc(active, func(n store.Connection) bool { return n.SignOn.Issuer == query.Get("iss") })
	if at < 0 || len(query["iss"]) != 1 {
		return &denial{reason: licensing.Mixup, detail: fmt.Sprintf("No connection of the company has the issuer %q.", cut(query.Get("iss")))}
	}
	return x.startAt(active[at].Name, x.target(query.Get("target_link_uri")), query.Get("login_hint"))
}

// target gives the path of an address of this server; empty for any other.
func (x *exchange) target(address string) string {
	rest, ok := strings.CutPrefix(address, x.BaseURL)
	if !ok {
		return ""
	}
	clean, _ := returnPath(rest)
	return clean
}

// clientKeys shows the public keys of a connection's client (RFC 7517), those too that are on the way out.
func (x *exchange) clientKeys() error {
	x.quiet = true // nobody tries anything by it
	if err := x.limit("keys\x00"+x.network(), x.Rates.Callbacks); err != nil {
		return err
	}
	if err := x.findConnection(); err != nil {
		return err
	}
	closed := x.connection.SignOn.State == store.SignOnDisabled || x.company.Tier != licensing.TierVideoProPlus
	if x.connection.SignOn.ClientAuth != AuthPrivateKey || closed {
		return deny(licensing.SSONotConfigured)
	}
	set := struct {
		Keys []json.RawMessage `json:"keys"`
	}{Keys: []json.RawMessage{}}
	for _, sealed := range []string{x.connection.SignOn.Secret, x.connection.SignOn.Former} {
		if sealed == "" {
			continue
		}
		key, err := x.publicKey(sealed)
		if err != nil {
			return err
		}
		set.Keys = append(set.Keys, key)
	}
	x.w.Header().Set("Content-Type", "application/jwk-set+json")
	return json.NewEncoder(x.w).Encode(set)
}

// publicKey gives the public half of a client's key as a JSON Web Key.
func (x *exchange) publicKey(sealed string) (json.RawMessage, error) {
	text, err := x.Sealer.Open(sealed, SecretOwner(x.company.ID, x.connection.ID))
	if err != nil {
		return nil, fmt.Errorf("the key of connection %s: %w", x.connection.Name, err)
	}
	key, err := parseKey(NewSecret(text))
	if err != nil {
		return nil, err
	}
	return jose.JSONWebKey{Key: key.Public(), KeyID: keyID(key), Algorithm: string(jose.ES256), Use: "sig"}.MarshalJSON()
}

// slots bounds how many requests are under way to the identity provider of one connection, so that one that hangs holds up nobody else.
type slots struct {
	mu sync.Mutex
	of map[string]int
}

// maxBusy is how many may be under way.
const maxBusy = 32

// take gives a slot and the function that gives it back; false when there is none.
func (s *slots) take(connection string) (release func(), ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.of == nil {
		s.of = map[string]int{}
	}
	if s.of[connection] >= maxBusy {
		return nil, false
	}
	s.of[connection]++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.of[connection]--; s.of[connection] == 0 {
			delete(s.of, connection)
		}
	}, true
}

// findConnection finds the company and the connection that the path names.
func (x *exchange) findConnection() error {
	if err := x.findCompany(); err != nil {
		return err
	}
	n, err := x.Store.ConnectionByName(x.ctx, x.company.ID, x.r.PathValue("connection"))
	switch {
	case errors.Is(err, store.ErrNotFound), err == nil && n.SignOn.State == "":
		return deny(licensing.SSONotConfigured)
	case err != nil:
		return fmt.Errorf("connection: %w", err)
	}
	x.connection = n
	return nil
}

// methods the callback is called by: that of the connection's response mode.
func (x *exchange) rightMethod() bool {
	return (x.r.Method == http.MethodPost) == (x.connection.SignOn.ResponseMode == ModeFormPost)
}
