package sso

import (
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"usher/licensing"
	"usher/store"
)

const (
	// maxLifetime is how long a token may be good.
	maxLifetime = 24 * time.Hour
	// maxTokenAge is how old a token may be: it comes straight from the provider.
	maxTokenAge = 15 * time.Minute
	// clocksApart is the difference of clocks up to which a token that came at the wrong time is taken for the work of a wrong clock.
	clocksApart = 30 * time.Minute
)

// expected is what an ID token is held against.
type expected struct {
	nonce, accessToken, code string
	now                      time.Time
}

// identity is who an ID token says has signed in.
type identity struct {
	subject, session string // sub, sid
	match            string // value of the connection's match claim; may be empty
	claims           claims
}

// verifyIDToken holds an ID token against everything that can be known of it (OpenID Connect Core 1.0 section 3.1.3.7). Nothing in it counts
// until it is genuine; the checks before that only tell apart what is wrong. Errors are denials.
func (p *provider) verifyIDToken(ctx context.Context, raw string, n store.SignOn, e expected) (identity, error) {
	t, err := parseToken(raw)
	if err != nil {
		return identity{}, invalid("format", "The token: "+err.Error()+".")
	}
	if err := p.checkHeader(t.header, n, "JWT"); err != nil {
		return identity{}, err
	}
	if _, err := p.keys.verify(ctx, raw, true); err != nil { // it came straight from the provider
		return identity{}, signatureDenial(err)
	}
	if err := p.checkClaims(t.claims, n, e.now); err != nil {
		return identity{}, err
	}
	if err := checkBinding(t, e); err != nil {
		return identity{}, err
	}
	if err := checkAuthTime(t.claims, n, e.now); err != nil {
		return identity{}, err
	}
	// The library has the last word: what it refuses and was not refused above is refused all the same.
	verifier := oidc.NewVerifier(p.Issuer, p.keys, &oidc.Config{
		ClientID: n.ClientID, SupportedSigningAlgs: n.Algorithms, Now: func() time.Time { return e.now.Add(-skew) },
	})
	if _, err := verifier.Verify(ctx, raw); err != nil {
		return identity{}, &denial{reason: licensing.IdPTokenInvalid, kind: "library", detail: cut(err.Error()), err: err}
	}
	subject, _ := t.claims.text("sub")
	session, _ := t.claims.text("sid")
	match, _ := t.claims.text(n.MatchClaim)
	return identity{subject, session, match, t.claims}, nil
}

func signatureDenial(err error) *denial {
	if errors.Is(err, errNoKeys) {
		return outboundDenial(licensing.IdPUnavailable, "the keys", err)
	}
	return &denial{reason: licensing.IdPTokenInvalid, kind: "sig", detail: "The signature is by none of the identity provider's keys.", err: err}
}

// checkHeader looks at a token's header: its type must be one of those given, or left out.
func (p *provider) checkHeader(header claims, n store.SignOn, types ...string) error {
	for _, name := range []string{"crit", "b64", "jwk", "jku", "x5u"} { // keys come from the provider's address and from nowhere else
		if _, there := header[name]; there {
			return invalid("header", fmt.Sprintf("The token's header has the parameter %q.", name))
		}
	}
	alg, _ := header.text("alg")
	if !knownAlgorithm(alg) || !slices.Contains(n.Algorithms, alg) {
		return invalid("alg", fmt.Sprintf("The token is signed by the algorithm %q; the connection allows %s.", cut(alg), strings.Join(n.Algorithms, ", ")))
	}
	typ, ok := header.text("typ")
	typ = strings.TrimPrefix(strings.ToLower(typ), "application/") // RFC 7515 section 4.1.9
	if !ok || typ != "" && !slices.ContainsFunc(types, func(t string) bool { return strings.EqualFold(typ, t) }) {
		return invalid("typ", fmt.Sprintf("The token is of the type %q.", cut(fmt.Sprint(header["typ"]))))
	}
	return nil
}

// checkClaims looks at what every ID token has.
func (p *provider) checkClaims(c claims, n store.SignOn, now time.Time) error {
	if _, there := c["events"]; there {
		return invalid("typ", "The token is a security event, not an ID token.")
	}
	if err := p.checkParties(c, n); err != nil {
		return err
	}
	subject, ok := c.text("sub")
	if !ok || subject == "" || len(subject) > maxSubject {
		return invalid("sub", fmt.Sprintf("The subject is not a text of 1 to %d bytes.", maxSubject))
	}
	if err := checkTenant(p.Issuer, c); err != nil {
		return err
	}
	return checkTimes(c, now)
}

// checkParties looks at who has made a token and whom it is for.
func (p *provider) checkParties(c claims, n store.SignOn) error {
	if issuer, ok := c.text("iss"); !ok || issuer != p.Issuer {
		return invalid("iss", fmt.Sprintf("The issuer is %q and not %q.", cut(fmt.Sprint(c["iss"])), p.Issuer))
	}
	audience := c.audience()
	if !slices.Contains(audience, n.ClientID) {
		return invalid("aud", "The token is for another client.")
	}
	party, ok := c.text("azp")
	there := c["azp"] != nil
	if !ok || there && party != n.ClientID || !there && len(audience) > 1 {
		return invalid("azp", "The token was made for another client, or for several without saying for which.")
	}
	return nil
}

// checkTenant looks at the tenant of a token by Microsoft Entra ID, which is part of its issuer.
func checkTenant(issuer string, c claims) error {
	u, err := url.Parse(issuer)
	if err != nil || u.Hostname() != entraHost {
		return nil
	}
	tenant, _, _ := strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
	if tid, ok := c.text("tid"); !ok || tid != "" && tid != tenant { // it comes with the scope profile
		return invalid("tid", "The token is by another tenant of Entra ID.")
	}
	return nil
}

// entraHost is where Microsoft Entra ID issues tokens.
const entraHost = "login.microsoftonline.com"

// checkTimes looks at when a token is good.
func checkTimes(c claims, now time.Time) error {
	issued, ok := c.time("iat")
	if !ok || issued.IsZero() {
		return invalid("iat", "The token does not say when it was issued.")
	}
	expires, ok := c.time("exp")
	if !ok || expires.IsZero() {
		return invalid("exp", "The token does not say until when it is good.")
	}
	from, ok := c.time("nbf")
	if !ok {
		return invalid("nbf", "The token does not say since when it is good.")
	}
	apart := now.Sub(issued)
	wrong := func(kind, detail string) error {
		if off := apart.Abs(); off > skew && off < clocksApart {
			return &denial{
				reason: licensing.ClockSkew,
				detail: fmt.Sprintf("%s The identity provider's clock and this server's differ by %s or so.", detail, off.Round(time.Second)),
			}
		}
		return invalid(kind, detail)
	}
	switch {
	case apart < -skew:
		return wrong("iat", "The token was issued in the future.")
	case now.Sub(expires) >= skew:
		return wrong("exp", "The token has expired.")
	case from.Sub(now) > skew:
		return wrong("nbf", "The token is not good yet.")
	case apart > maxTokenAge:
		return wrong("iat", "The token is old.")
	case expires.Sub(now) > maxLifetime:
		return invalid("exp", "The token is good for longer than a day.")
	}
	return nil
}

// checkBinding looks whether a token belongs to the sign-in, and to what came with it.
func checkBinding(t token, e expected) error {
	nonce, ok := t.claims.text("nonce")
	if !ok || e.nonce == "" || subtle.ConstantTimeCompare([]byte(nonce), []byte(e.nonce)) != 1 {
		return invalid("nonce", "The token belongs to another sign-in.")
	}
	alg, _ := t.header.text("alg")
	for _, bound := range []struct{ claim, value string }{{"at_hash", e.accessToken}, {"c_hash", e.code}} {
		if t.claims[bound.claim] == nil {
			continue
		}
		if sum, ok := t.claims.text(bound.claim); !ok || subtle.ConstantTimeCompare([]byte(sum), []byte(halfHash(alg, bound.value))) != 1 {
			return invalid(bound.claim, "The token belongs to another answer.")
		}
	}
	return nil
}

// halfHash is how a token names what it came with (OpenID Connect Core 1.0 section 3.1.3.6).
func halfHash(alg, value string) string {
	var h hash.Hash
	switch {
	case strings.HasSuffix(alg, "384"):
		h = sha512.New384()
	case strings.HasSuffix(alg, "512"), alg == "EdDSA":
		h = sha512.New()
	default:
		h = sha256.New()
	}
	h.Write([]byte(value))
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:h.Size()/2])
}

// checkAuthTime looks how long ago the person has proven who they are, where the connection sets a limit to that.
func checkAuthTime(c claims, n store.SignOn, now time.Time) error {
	if n.MaxAge == 0 {
		return nil
	}
	at, ok := c.time("auth_time")
	if !ok || at.IsZero() || now.Sub(at) > n.MaxAge+skew || at.Sub(now) > skew {
		return invalid("auth_time", fmt.Sprintf("The person has proven who they are longer than %s ago, or the token does not say when.", n.MaxAge))
	}
	return nil
}
