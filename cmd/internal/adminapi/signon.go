package adminapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"usher/sso"
	"usher/store"
)

// Actions of the events of single sign-on.
const (
	ActionSetSignOn    = "connection.sign-on"
	ActionRotateSecret = "connection.secret"
)

// SignOn is single sign-on by a connection as it is shown: everything but the client's secret.
type SignOn struct {
	State        string   `json:"state"` // "draft", "tested", "active" or "disabled"; only an active one lets people in
	Issuer       string   `json:"issuer"`
	ClientID     string   `json:"client_id"`
	ClientAuth   string   `json:"client_auth"`           // how usher proves to be the client: "client_secret_basic", "client_secret_post" or "private_key_jwt"
	Fingerprint  string   `json:"fingerprint,omitempty"` // of the client's secret, or of its private key
	MatchClaim   string   `json:"match_claim"`           // "sub" or "oid": the claim that is an account's externalId
	ResponseMode string   `json:"response_mode"`         // "query" or "form_post"
	Algorithms   []string `json:"algorithms"`            // that ID tokens may be signed by
	Scopes       []string `json:"scopes"`                // beside those that are needed
	MaxAge       int      `json:"max_age,omitempty"`     // seconds since people have proven who they are to the identity provider, at most; 0: it decides that
	StrictLogout bool     `json:"strict_logout"`         // logout tokens must have the type that the standard names

	// What to enter at the identity provider.
	RedirectURI  string `json:"redirect_uri"`
	LogoutURI    string `json:"backchannel_logout_uri"`
	SignedOutURI string `json:"post_logout_redirect_uri"`
	InitiateURI  string `json:"initiate_login_uri"`
	KeysURI      string `json:"jwks_uri,omitempty"` // the client's public keys, for private_key_jwt
	StartURL     string `json:"start_url"`          // where people of the company begin to sign in

	Checks []sso.Check `json:"checks,omitempty"` // what was looked at of the identity provider, where it was
}

// SignOnChange sets up single sign-on by a connection, which is made if the company has none of that name. What is left out stays.
type SignOnChange struct {
	State        string   `json:"state,omitempty"` // "draft", "active" or "disabled"
	Issuer       *string  `json:"issuer,omitempty"`
	ClientID     *string  `json:"client_id,omitempty"`
	ClientSecret string   `json:"client_secret,omitempty"`
	ClientAuth   *string  `json:"client_auth,omitempty"`
	MatchClaim   *string  `json:"match_claim,omitempty"`
	ResponseMode *string  `json:"response_mode,omitempty"`
	Algorithms   []string `json:"algorithms,omitempty"`
	Scopes       []string `json:"scopes,omitempty"`
	MaxAge       *int     `json:"max_age,omitempty"`
	StrictLogout *bool    `json:"strict_logout,omitempty"`
	Untested     bool     `json:"untested,omitempty"`  // activate it although nobody has tried it out
	Unchecked    bool     `json:"unchecked,omitempty"` // store it although the identity provider does not answer as it should; it cannot be active then
}

// SignOnTest is how a connection is tried out.
type SignOnTest struct {
	Checks []sso.Check `json:"checks"` // of what can be seen without anybody signing in
	// URL is where to sign in to see the claims, who is matched and every check, in a browser. Nobody is signed in to usher by it.
	URL   string    `json:"url,omitempty"`
	Until time.Time `json:"until,omitzero"`
}

// NewSecret is the client's secret that takes the place of the one before.
type NewSecret struct {
	ClientSecret string `json:"client_secret,omitempty"` // as the identity provider shows it; empty with private_key_jwt, for which a key is made
}

func (h *Handler) getSignOn(ctx context.Context, c call, company store.Company) (any, error) {
	n, err := h.withSignOn(ctx, c, company)
	if err != nil {
		return nil, err
	}
	return h.showSignOn(company, n, nil), nil
}

// withSignOn finds the connection that the path names, and refuses one without single sign-on.
func (h *Handler) withSignOn(ctx context.Context, c call, company store.Company) (store.Connection, error) {
	n, err := h.connection(ctx, company, c.PathValue("connection"))
	if err == nil && n.SignOn.State == "" {
		err = problem(http.StatusNotFound, "The connection %q has no single sign-on; set it up with \"usher connection sign-on\".", n.Name)
	}
	return n, err
}

func (h *Handler) setSignOn(ctx context.Context, c call, company store.Company) (any, error) {
	var in SignOnChange
	if err := c.read(&in); err != nil {
		return nil, err
	}
	was, err := h.openConnection(ctx, c, company, c.PathValue("connection"))
	if err != nil {
		return nil, err
	}
	is := was
	if err := h.withChange(&is, in); err != nil {
		return nil, err
	}
	checks, err := h.maySet(ctx, was, is, in)
	if err != nil {
		return nil, err
	}
	return h.storeSignOn(ctx, c, company, was, is, ActionSetSignOn, checks)
}

// withChange gives a connection the settings that a request asks for.
func (h *Handler) withChange(n *store.Connection, in SignOnChange) error {
	s := &n.SignOn
	was := *s
	for _, setting := range []struct{ to, from *string }{
		{&s.Issuer, in.Issuer}, {&s.ClientID, in.ClientID}, {&s.ClientAuth, in.ClientAuth}, {&s.MatchClaim, in.MatchClaim}, {&s.ResponseMode, in.ResponseMode},
	} {
		if setting.from != nil {
			*setting.to = *setting.from
		}
	}
	if in.Algorithms != nil {
		s.Algorithms = in.Algorithms
	}
	if in.Scopes != nil {
		s.Scopes = in.Scopes
	}
	if in.MaxAge != nil {
		s.MaxAge = time.Duration(*in.MaxAge) * time.Second
	}
	if in.StrictLogout != nil {
		s.StrictLogout = *in.StrictLogout
	}
	if err := sso.CheckSettings(s); err != nil {
		return problem(http.StatusBadRequest, "%s.", strings.ToUpper(err.Error()[:1])+err.Error()[1:])
	}
	if err := h.giveSecret(n, was, in.ClientSecret); err != nil {
		return err
	}
	if (s.State == store.SignOnTested || s.State == store.SignOnDisabled) && sso.Unproven(was, *s) { // what was tried out was something else
		s.State = store.SignOnDraft
	}
	switch in.State {
	case "":
	case store.SignOnDisabled:
		if was.State != store.SignOnActive && was.State != store.SignOnDisabled {
			return problem(http.StatusConflict, "Single sign-on by the connection is not active, so there is nothing to disable.")
		}
		s.State = in.State
	case store.SignOnDraft, store.SignOnActive:
		s.State = in.State
	default:
		return problem(http.StatusBadRequest, "The state cannot be set to %q; it is set to draft, active or disabled, and tested by a test.", in.State)
	}
	return nil
}

// giveSecret gives a connection the secret that its kind of client authentication takes.
func (h *Handler) giveSecret(n *store.Connection, was store.SignOn, secret string) error {
	key := n.SignOn.ClientAuth == sso.AuthPrivateKey
	hadKey := was.ClientAuth == sso.AuthPrivateKey
	const longest = 4096
	switch {
	case key && secret != "":
		return problem(http.StatusBadRequest, "With private_key_jwt there is no client secret: usher makes a key, and shows its public half at jwks_uri.")
	case key && !hadKey:
		made, err := sso.NewKey()
		if err != nil {
			return err
		}
		n.SignOn.Secret, n.SignOn.Former = sso.SealSecret(h.sealer, made, n.Company, n.ID), ""
	case len(secret) > longest:
		return problem(http.StatusBadRequest, "The client secret has more than %d bytes.", longest)
	case secret != "":
		n.SignOn.Secret, n.SignOn.Former = sso.SealSecret(h.sealer, sso.NewSecret(secret), n.Company, n.ID), ""
	case !key && (hadKey || n.SignOn.Secret == ""):
		return problem(http.StatusBadRequest, "The client secret is missing: the identity provider shows it with the application.")
	}
	return nil
}

// maySet looks whether a connection can be as it is asked to be, and gives what was looked at of the identity provider.
func (h *Handler) maySet(ctx context.Context, was, is store.Connection, in SignOnChange) ([]sso.Check, error) {
	active := is.SignOn.State == store.SignOnActive
	begins := active && was.SignOn.State != store.SignOnActive
	proven := was.SignOn.State != store.SignOnDraft && was.SignOn.State != "" && !sso.Unproven(was.SignOn, is.SignOn)
	if active && !proven && !in.Untested {
		return nil, problem(http.StatusConflict, "Nobody has tried these settings out: sign in once by \"usher connection test\", or activate them as they are with untested (--untested).")
	}
	if !sso.Unproven(was.SignOn, is.SignOn) && !begins {
		return nil, nil
	}
	checks := h.signOn.Probe(ctx, is)
	at := slices.IndexFunc(checks, func(c sso.Check) bool { return !c.Passed })
	if at < 0 || in.Unchecked && !active {
		return checks, nil
	}
	failed := checks[at]
	p := problem(http.StatusBadRequest, "%s No: %s. Correct the settings, or store them as a draft with unchecked (--unchecked).", failed.Asks, failed.Found)
	p.Code = failed.Code
	return nil, p
}

// storeSignOn stores the settings of a connection, and shows them.
func (h *Handler) storeSignOn(ctx context.Context, c call, company store.Company, was, is store.Connection, action string, checks []sso.Check) (any, error) {
	ends := sso.EndsSessions(was.SignOn, is.SignOn)
	if ends {
		is.Epoch++
	}
	events, err := c.event(action, is.ID, map[string]any{
		"from": h.showSignOn(company, was, nil), "to": h.showSignOn(company, is, nil), "sessionsEnded": ends,
	})
	if err != nil {
		return nil, err
	}
	stored, err := h.store.SetSignOn(ctx, is, events)
	if errors.Is(err, store.ErrVersion) {
		return nil, problem(http.StatusConflict, "Somebody else has just changed single sign-on of the connection %q; look at it and try again.", is.Name)
	}
	if err != nil {
		return nil, fmt.Errorf("single sign-on of connection %s: %w", is.Name, err)
	}
	return h.showSignOn(company, stored, checks), nil
}

func (h *Handler) rotateSecret(ctx context.Context, c call, company store.Company) (any, error) {
	var in NewSecret
	if err := c.read(&in); err != nil {
		return nil, err
	}
	was, err := h.withSignOn(ctx, c, company)
	if err != nil {
		return nil, err
	}
	is := was
	if is.SignOn.ClientAuth == sso.AuthPrivateKey && in.ClientSecret == "" {
		made, err := sso.NewKey()
		if err != nil {
			return nil, err
		}
		// The key before is shown on, until the identity provider has fetched the new one.
		is.SignOn.Former, is.SignOn.Secret = was.SignOn.Secret, sso.SealSecret(h.sealer, made, is.Company, is.ID)
	} else if err := h.giveSecret(&is, was.SignOn, in.ClientSecret); err != nil {
		return nil, err
	} else if in.ClientSecret == "" {
		return nil, problem(http.StatusBadRequest, "The client secret is missing: make another one at the identity provider first.")
	}
	return h.storeSignOn(ctx, c, company, was, is, ActionRotateSecret, nil)
}

func (h *Handler) removeSignOn(ctx context.Context, c call, company store.Company) (any, error) {
	was, err := h.withSignOn(ctx, c, company)
	if err != nil {
		return nil, err
	}
	is := was
	is.SignOn = store.SignOn{Version: was.SignOn.Version}
	_, err = h.storeSignOn(ctx, c, company, was, is, ActionSetSignOn, nil)
	return nil, err
}

func (h *Handler) testSignOn(ctx context.Context, c call, company store.Company) (any, error) {
	n, err := h.withSignOn(ctx, c, company)
	if err != nil {
		return nil, err
	}
	out := SignOnTest{Checks: h.signOn.Probe(ctx, n)}
	if !h.serves || slices.ContainsFunc(out.Checks, func(c sso.Check) bool { return !c.Passed }) {
		return out, nil
	}
	out.URL, out.Until, err = h.signOn.TrialURL(company, n)
	return out, err
}

// showSignOn shows the settings of a connection; nothing where there are none.
func (h *Handler) showSignOn(company store.Company, n store.Connection, checks []sso.Check) *SignOn {
	s := n.SignOn
	if s.State == "" {
		return nil
	}
	shown := &SignOn{
		State: s.State, Issuer: s.Issuer, ClientID: s.ClientID, ClientAuth: s.ClientAuth, MatchClaim: s.MatchClaim, ResponseMode: s.ResponseMode,
		Algorithms: shownList(s.Algorithms), Scopes: shownList(s.Scopes), MaxAge: int(s.MaxAge / time.Second), StrictLogout: s.StrictLogout,
		RedirectURI: h.signOn.RedirectURI(company, n), LogoutURI: h.signOn.LogoutURI(company, n), SignedOutURI: h.signOn.SignedOutURI(),
		InitiateURI: h.signOn.InitiateURL(company), StartURL: h.signOn.StartURL(company), Checks: checks,
	}
	if s.ClientAuth == sso.AuthPrivateKey {
		shown.KeysURI = h.signOn.KeysURI(company, n)
	}
	// One that cannot be opened, because its key is lost, is shown without: so it can be replaced.
	if secret, err := h.sealer.Open(s.Secret, sso.SecretOwner(n.Company, n.ID)); err == nil {
		shown.Fingerprint = sso.NewSecret(secret).Fingerprint()
	}
	return shown
}
