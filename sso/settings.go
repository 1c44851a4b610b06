package sso

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"usher/store"
)

// Claims that an account's externalId can be matched with.
const (
	MatchSubject = "sub"
	MatchObject  = "oid" // the object id of Microsoft Entra ID
)

const (
	maxIssuer   = 1024 // bytes
	maxClientID = 1024
	maxSecret   = 4096
	maxScopes   = 20
	maxMaxAge   = 30 * 24 * time.Hour
)

// DefaultAlgorithms are those that ID tokens may be signed by unless a connection says otherwise.
func DefaultAlgorithms() []string { return []string{"RS256", "PS256", "ES256", "EdDSA"} }

// CheckSettings fills in the settings left out and says what is wrong with the others, as far as that can be seen without asking the
// identity provider. The error is for people.
func CheckSettings(s *store.SignOn) error {
	s.State = cmp.Or(s.State, store.SignOnDraft)
	s.ClientAuth = cmp.Or(s.ClientAuth, AuthBasic)
	s.MatchClaim = cmp.Or(s.MatchClaim, MatchSubject)
	s.ResponseMode = cmp.Or(s.ResponseMode, ModeQuery)
	if len(s.Algorithms) == 0 {
		s.Algorithms = DefaultAlgorithms()
	}
	for _, setting := range []struct {
		name, value string
		allowed     []string
	}{
		{"state", s.State, []string{store.SignOnDraft, store.SignOnTested, store.SignOnActive, store.SignOnDisabled}},
		{"client_auth", s.ClientAuth, []string{AuthBasic, AuthPost, AuthPrivateKey}},
		{"match_claim", s.MatchClaim, []string{MatchSubject, MatchObject}},
		{"response_mode", s.ResponseMode, []string{ModeQuery, ModeFormPost}},
	} {
		if !slices.Contains(setting.allowed, setting.value) {
			return fmt.Errorf("the setting %s cannot be %q; it is one of %s", setting.name, setting.value, strings.Join(setting.allowed, ", "))
		}
	}
	for _, name := range s.Algorithms {
		if !knownAlgorithm(name) {
			return fmt.Errorf("the algorithm %q is not one that ID tokens may be signed by; those are %v", name, algorithms())
		}
	}
	switch {
	case s.ClientID == "":
		return errors.New("the client id is missing: the identity provider shows it with the application")
	case len(s.ClientID) > maxClientID:
		return fmt.Errorf("the client id has more than %d bytes", maxClientID)
	case s.MaxAge < 0 || s.MaxAge > maxMaxAge:
		return fmt.Errorf("max_age is up to %d days", maxMaxAge/(24*time.Hour))
	case len(s.Scopes) > maxScopes:
		return fmt.Errorf("there are more than %d scopes", maxScopes)
	}
	for _, scope := range s.Scopes {
		if scope == "" || strings.ContainsFunc(scope, func(r rune) bool { return r <= ' ' || r == '"' || r == '\\' || r > '~' }) {
			return fmt.Errorf("%q is not a scope", scope)
		}
		if scope == "offline_access" {
			return errors.New("the scope offline_access would make the identity provider give out refresh tokens, which are not used here")
		}
	}
	return checkIssuer(s.Issuer)
}

// checkIssuer looks at an issuer as it was entered.
func checkIssuer(issuer string) error {
	if issuer == "" {
		return errors.New("the issuer is missing: it is the address of the identity provider, such as https://acme.okta.com")
	}
	u, err := url.Parse(issuer)
	if err != nil || len(issuer) > maxIssuer || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return fmt.Errorf("%q is not an issuer, which is an address such as https://acme.okta.com", cut(issuer))
	}
	if strings.HasSuffix(issuer, "/.well-known/openid-configuration") {
		return fmt.Errorf("the issuer is what comes before /.well-known/openid-configuration: %s", strings.TrimSuffix(issuer, "/.well-known/openid-configuration"))
	}
	tenant, _, _ := strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
	shared := []string{"common", "organizations", "consumers"}
	if u.Hostname() == entraHost && (slices.Contains(shared, strings.ToLower(tenant)) || tenant == "" || strings.Contains(tenant, "{")) {
		return errors.New("that issuer is shared by all tenants of Entra ID, so anybody could sign in: take https://login.microsoftonline.com/TENANT-ID/v2.0 with the tenant's id")
	}
	return nil
}

// EndsSessions says whether a change of settings ends the sessions that were opened by those before: whoever let people in is another now,
// or may be, or lets nobody in any more.
func EndsSessions(was, is store.SignOn) bool {
	if was.State == "" {
		return false
	}
	return was.State == store.SignOnActive && is.State != store.SignOnActive ||
		was.Issuer != is.Issuer || was.ClientID != is.ClientID || was.Secret != is.Secret
}

// Unproven says whether settings differ in what a sign-in to try them out has proven.
func Unproven(was, is store.SignOn) bool {
	return was.Issuer != is.Issuer || was.ClientID != is.ClientID || was.ClientAuth != is.ClientAuth || was.Secret != is.Secret ||
		was.MatchClaim != is.MatchClaim || was.ResponseMode != is.ResponseMode || was.MaxAge != is.MaxAge ||
		!slices.Equal(was.Algorithms, is.Algorithms) || !slices.Equal(was.Scopes, is.Scopes)
}

// SecretOwner is whom the secret of a connection is sealed for.
func SecretOwner(company, connection string) string { return "sign-on/" + company + "/" + connection }

// SealSecret seals the secret of a connection, in the form in which it is stored.
func SealSecret(s Sealer, secret Secret, company, connection string) string {
	return s.Seal(secret.reveal(), SecretOwner(company, connection))
}

// Check is one thing that was looked at of an identity provider.
type Check struct {
	Asks   string `json:"asks"`
	Found  string `json:"found"`
	Passed bool   `json:"passed"`
	Code   string `json:"code,omitempty"` // why not
}

// Probe asks the identity provider of a connection for what a sign-in needs of it, without anybody signing in. It stops at the first check
// that fails.
func (h *Handler) Probe(ctx context.Context, n store.Connection) []Check {
	var all []Check
	p, err := h.providers.discover(ctx, n.SignOn.Issuer, nil)
	if err != nil {
		d := denialOf(err)
		return append(all, Check{"Does the identity provider answer with its metadata?", d.Error(), false, d.code()})
	}
	note := func(asks, found string, passed bool) bool {
		all = append(all, Check{Asks: asks, Found: found, Passed: passed})
		return passed
	}
	note("Does the identity provider answer with its metadata?", p.Issuer, true)
	keys, err := p.keys.current(ctx)
	if err != nil {
		d := signatureDenial(err)
		return append(all, Check{"Does it have keys that can be used?", d.Error(), false, d.code()})
	}
	note("Does it have keys that can be used?", fmt.Sprintf("%d", len(keys)), true)
	algs := p.allowedAlgorithms(n.SignOn)
	if !note("Does it sign by an algorithm that the connection allows?", strings.Join(p.Algorithms, ", "), len(algs) > 0) {
		return all
	}
	listed := func(list []string, value string) bool { return len(list) == 0 || slices.Contains(list, value) }
	note("Does it take the connection's kind of client authentication?", n.SignOn.ClientAuth, listed(p.ClientAuth, n.SignOn.ClientAuth))
	note("Does it answer in the connection's response mode?", n.SignOn.ResponseMode, listed(p.ResponseModes, n.SignOn.ResponseMode))
	return all
}
