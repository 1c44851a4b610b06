package sso

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	"golang.org/x/oauth2"

	"usher/licensing"
	"usher/store"
)

// Ways in which a client proves at the token endpoint that it is the client (OpenID Connect Core 1.0 section 9).
const (
	AuthBasic      = "client_secret_basic"
	AuthPost       = "client_secret_post"
	AuthPrivateKey = "private_key_jwt"
)

// Ways in which the answer of an identity provider comes.
const (
	ModeQuery    = "query"
	ModeFormPost = "form_post"
)

// client is this server as the client of one connection's identity provider.
type client struct {
	*provider
	settings store.SignOn
	secret   Secret // of the client, or its private key in PEM
	redirect string
	http     *http.Client
	clock    func() time.Time
}

// request is what a person is sent to the identity provider with.
type request struct {
	state, nonce, verifier, hint string
	again                        bool // the person shall be asked again who they are
}

func (c *client) oauth() *oauth2.Config {
	config := &oauth2.Config{
		ClientID: c.settings.ClientID, RedirectURL: c.redirect, Scopes: c.scopes(),
		// The style is set, because the library would try one after the other: the code would be used up, and the secret shown twice.
		Endpoint: oauth2.Endpoint{AuthURL: c.Authorization, TokenURL: c.Token, AuthStyle: oauth2.AuthStyleInParams},
	}
	switch c.settings.ClientAuth {
	case AuthBasic:
		config.Endpoint.AuthStyle, config.ClientSecret = oauth2.AuthStyleInHeader, c.secret.reveal()
	case AuthPost:
		config.ClientSecret = c.secret.reveal()
	}
	return config
}

// scopes are those asked for: no more than is needed to tell people apart, unless the connection says so.
func (c *client) scopes() []string {
	all := []string{oidc.ScopeOpenID}
	if c.settings.MatchClaim != MatchSubject {
		all = append(all, "profile")
	}
	for _, s := range c.settings.Scopes {
		if !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	return all
}

// authorizationURL is where a person is sent to. Where the provider takes the request beforehand (RFC 9126), their browser carries nothing of it.
func (c *client) authorizationURL(ctx context.Context, r request) (string, error) {
	options := []oauth2.AuthCodeOption{oidc.Nonce(r.nonce), oauth2.S256ChallengeOption(r.verifier)}
	set := func(name, value string) {
		if value != "" {
			options = append(options, oauth2.SetAuthURLParam(name, value))
		}
	}
	set("login_hint", r.hint)
	if r.again {
		set("prompt", promptLogin)
	}
	if c.settings.ResponseMode == ModeFormPost {
		set("response_mode", ModeFormPost)
	}
	if c.settings.MaxAge > 0 {
		set("max_age", fmt.Sprint(int64(c.settings.MaxAge/time.Second)))
	}
	address := c.oauth().AuthCodeURL(r.state, options...)
	rests := c.clock().Unix()-c.provider.pushed.Load() < int64(pushAgain/time.Second)
	if c.Pushed == "" || rests && !c.RequirePushed {
		return address, nil
	}
	pushed, err := c.push(ctx, address)
	if err != nil && !c.RequirePushed { // it is an offer; without it the browser carries the request
		c.provider.pushed.Store(c.clock().Unix())
		return address, nil
	}
	return pushed, err
}

// pushAgain is how long no request is pushed after one that could not be, where that is an offer.
const pushAgain = time.Minute

// push hands the request over to the provider and gives the address that stands for it.
func (c *client) push(ctx context.Context, address string) (string, error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", &denial{reason: licensing.DiscoveryEndpoint, detail: "The authorization endpoint is no address.", err: err}
	}
	form := u.Query()
	r, err := c.authenticated(ctx, c.Pushed, form)
	if err != nil {
		return "", err
	}
	resp, err := c.http.Do(r)
	if err != nil {
		return "", outboundDenial(licensing.IdPUnavailable, "the pushed request", err)
	}
	defer resp.Body.Close()
	var answer struct {
		RequestURI string `json:"request_uri"`
	}
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode == http.StatusCreated {
		err = json.Unmarshal(body, &answer)
	}
	if err != nil || answer.RequestURI == "" {
		return "", &denial{reason: licensing.IdPUnavailable, detail: "The pushed request was answered by " + resp.Status + ": " + cut(string(body)), err: err}
	}
	if u, err = url.Parse(c.Authorization); err != nil { // it may have a query of its own
		return "", &denial{reason: licensing.DiscoveryEndpoint, detail: "The authorization endpoint is no address.", err: err}
	}
	query := u.Query()
	query.Set("client_id", c.settings.ClientID)
	query.Set("request_uri", answer.RequestURI)
	u.RawQuery = query.Encode()
	return u.String(), nil
}

// authenticated makes a request of the client to an endpoint of the provider.
func (c *client) authenticated(ctx context.Context, endpoint string, form url.Values) (*http.Request, error) {
	switch c.settings.ClientAuth {
	case AuthPost:
		form.Set("client_secret", c.secret.reveal())
	case AuthPrivateKey:
		assertion, err := c.assertion()
		if err != nil {
			return nil, err
		}
		form.Set("client_assertion_type", assertionType)
		form.Set("client_assertion", assertion)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, &denial{reason: licensing.DiscoveryEndpoint, detail: "An endpoint is no address.", err: err}
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if c.settings.ClientAuth == AuthBasic { // RFC 6749 section 2.3.1
		r.SetBasicAuth(url.QueryEscape(c.settings.ClientID), url.QueryEscape(c.secret.reveal()))
	}
	return r, nil
}

// tokens are what a code was exchanged for.
type tokens struct {
	access string
	id     string
}

// exchange exchanges a code. It is sent once, whatever becomes of it.
func (c *client) exchange(ctx context.Context, code, verifier string) (tokens, error) {
	options := []oauth2.AuthCodeOption{oauth2.VerifierOption(verifier)}
	if c.settings.ClientAuth == AuthPrivateKey {
		assertion, err := c.assertion()
		if err != nil {
			return tokens{}, err
		}
		options = append(options, oauth2.SetAuthURLParam("client_assertion_type", assertionType), oauth2.SetAuthURLParam("client_assertion", assertion))
	}
	ctx = context.WithValue(ctx, oauth2.HTTPClient, c.http)
	got, err := c.oauth().Exchange(ctx, code, options...)
	if err != nil {
		return tokens{}, exchangeDenial(err)
	}
	id, _ := got.Extra("id_token").(string)
	switch {
	case !strings.EqualFold(got.TokenType, "Bearer"):
		return tokens{}, &denial{reason: licensing.TokenEndpoint, kind: "token_type", detail: fmt.Sprintf("The access token is of the type %q.", cut(got.TokenType))}
	case id == "":
		return tokens{}, &denial{reason: licensing.TokenEndpoint, kind: "no_id_token", detail: "There is no ID token in the answer."}
	}
	return tokens{access: got.AccessToken, id: id}, nil
}

func exchangeDenial(err error) *denial {
	var refused *oauth2.RetrieveError
	if errors.As(err, &refused) {
		detail := "The answer is " + refused.Response.Status
		if refused.ErrorCode != "" {
			detail = refused.ErrorCode + ": " + refused.ErrorDescription
		}
		d := &denial{reason: licensing.TokenEndpoint, detail: cut(detail), err: errors.New(cut(detail))} // the error quotes the whole answer
		if refused.Response.StatusCode >= http.StatusInternalServerError {
			d.reason, d.kind = licensing.IdPUnavailable, "token_endpoint"
		}
		return d
	}
	reason := licensing.TokenEndpoint
	var failed *url.Error
	if errors.As(err, &failed) {
		reason = licensing.IdPUnavailable
	}
	return outboundDenial(reason, "the token endpoint", err)
}

const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// assertionFor is how long an assertion is good.
const assertionFor = time.Minute

// assertion proves by the client's private key that it is the client (RFC 7523 section 3).
func (c *client) assertion() (string, error) {
	key, err := parseKey(c.secret)
	if err != nil {
		return "", err
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: keyID(key)}},
		(&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return "", fmt.Errorf("assertion: %w", err)
	}
	now := c.clock()
	payload, err := json.Marshal(map[string]any{
		"iss": c.settings.ClientID, "sub": c.settings.ClientID, "aud": c.audience(), "jti": random(),
		"iat": now.Unix(), "exp": now.Add(assertionFor).Unix(),
	})
	if err != nil {
		return "", fmt.Errorf("assertion: %w", err)
	}
	jws, err := signer.Sign(payload)
	if err != nil {
		return "", fmt.Errorf("assertion: %w", err)
	}
	return jws.CompactSerialize()
}

// audience is whom an assertion is for: the issuer, as newer standards want it (RFC 9126 section 2, FAPI 2.0). Entra ID wants its token endpoint
// (OpenID Connect Core 1.0 section 9).
func (c *client) audience() string {
	if u, err := url.Parse(c.Issuer); err == nil && u.Hostname() == entraHost {
		return c.Token
	}
	return c.Issuer
}

// parseKey reads a client's private key.
func parseKey(s Secret) (*ecdsa.PrivateKey, error) {
	block, _ := pem.Decode([]byte(s.reveal()))
	if block == nil {
		return nil, errors.New("the client's private key is not in PEM form")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, errors.New("the client's private key cannot be read")
	}
	private, ok := key.(*ecdsa.PrivateKey)
	if !ok {
		return nil, errors.New("the client's private key is not one of ECDSA")
	}
	return private, nil
}

// keyID names a key by its thumbprint (RFC 7638).
func keyID(key *ecdsa.PrivateKey) string {
	sum, err := (&jose.JSONWebKey{Key: key.Public()}).Thumbprint(crypto.SHA256)
	if err != nil { // every public key of ECDSA has one
		panic(err)
	}
	return encode(sum)
}

// userInfo asks for a claim that the ID token does not have. What is said of somebody else than the token is about is refused.
func (c *client) userInfo(ctx context.Context, access string, who *identity) error {
	if who.match != "" || c.UserInfo == "" {
		return nil
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.UserInfo, nil)
	if err != nil {
		return &denial{reason: licensing.DiscoveryEndpoint, detail: "The UserInfo endpoint is no address.", err: err}
	}
	r.Header.Set("Authorization", "Bearer "+access)
	r.Header.Set("Accept", "application/json")
	resp, err := c.http.Do(r)
	if err != nil {
		return outboundDenial(licensing.IdPUnavailable, "UserInfo", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		return &denial{reason: licensing.IdPUnavailable, kind: "userinfo", detail: "UserInfo was answered by " + resp.Status + ".", err: err}
	}
	said, err := parseObject(body) // a signed answer is none
	if err != nil {
		return &denial{reason: licensing.IdPUnavailable, kind: "userinfo", detail: "UserInfo: " + err.Error() + ".", err: err}
	}
	if subject, ok := said.text("sub"); !ok || subject != who.subject {
		return deny(licensing.UserInfoSubject)
	}
	who.match, _ = said.text(c.settings.MatchClaim)
	return nil
}
