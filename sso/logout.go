package sso

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"usher/licensing"
	"usher/store"
)

// signOut ends the session here, whatever comes of the rest, and then sends the person to the identity provider to end theirs there (OpenID
// Connect RP-Initiated Logout 1.0).
func (x *exchange) signOut() error {
	token := sessionToken(x.r)
	x.setCookie(sessionCookie, "", http.SameSiteLaxMode, 0)
	if token == "" {
		return x.redirect(Path + "/signed-out")
	}
	p, err := x.Who(x.r)
	var absence *Absence
	if err != nil && !errors.As(err, &absence) {
		x.w.Header().Del("Set-Cookie") // they are signed in as before, and can try again
		return err
	}
	if p.Session.ID == "" { // it is over
		return x.redirect(Path + "/signed-out")
	}
	x.company, x.person = p.Company, p.Account.ID
	ended, err := x.Store.EndSession(x.ctx, p.Session.Hash, x.events(licensing.ActionSignOut, p.Session, "signed out"))
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		x.w.Header().Del("Set-Cookie")
		return fmt.Errorf("end session: %w", err)
	}
	if p.Connection == nil {
		return x.redirect(Path + "/signed-out")
	}
	x.connection = *p.Connection
	to := x.endSession(p, token, ended.IDToken)
	if to == "" {
		return x.redirect(Path + "/signed-out")
	}
	return x.redirect(to)
}

// endSession is where a person ends their session at the identity provider; empty where it has no such address. It is told by the ID token
// who they are, so that it need not ask.
func (x *exchange) endSession(p Presence, token, sealed string) string {
	end := x.endSessionEndpoint(p)
	if end == "" {
		return ""
	}
	u, err := url.Parse(end)
	if err != nil {
		return ""
	}
	state := random()
	query := u.Query()
	query.Set("client_id", p.Connection.SignOn.ClientID)
	query.Set("post_logout_redirect_uri", x.SignedOutURI())
	query.Set("state", state)
	if hint, err := openWith(token, sealed); err == nil {
		query.Set("id_token_hint", hint)
	}
	u.RawQuery = query.Encode()
	x.setCookie(logoutCookie, state, http.SameSiteLaxMode, signInFor)
	return u.String()
}

// endSessionEndpoint is where the identity provider ends sessions, as far as it is known without asking.
func (x *exchange) endSessionEndpoint(p Presence) string {
	if p.Connection == nil {
		return ""
	}
	ctx, cancel := context.WithTimeout(x.ctx, time.Second)
	defer cancel()
	known, err := x.providers.get(ctx, *p.Connection)
	if err != nil { // it is down; the session here has ended
		return ""
	}
	return known.EndSession
}

// signedOut is where people come back to after they have signed out.
func (x *exchange) signedOut() error {
	query := x.r.URL.Query()
	title := "You are signed out."
	if cookie, err := x.r.Cookie(logoutCookie); err == nil {
		x.setCookie(logoutCookie, "", http.SameSiteLaxMode, 0)
		if subtle.ConstantTimeCompare([]byte(cookie.Value), []byte(query.Get("state"))) != 1 {
			title = "You are signed out here. Whether you are at your company's sign-in service is not known."
		}
	}
	x.render(page{Title: title, Lead: "You can close this page.", Again: Path})
	return nil
}

// events makes the event of the end of a session.
func (x *exchange) events(action string, s store.Session, why string) []store.Event {
	return []store.Event{licensing.SessionEvent(action, x.now, x.ref, s, why)}
}

// backchannel ends the sessions of somebody who has signed out at the identity provider (OpenID Connect Back-Channel Logout 1.0).
func (x *exchange) backchannel() error {
	err := x.findConnection()
	if err == nil && (x.connection.SignOn.State != store.SignOnActive || x.company.Tier != licensing.TierVideoProPlus) {
		err = deny(licensing.SSODisabled)
	}
	if err == nil {
		err = x.takeLogout()
	}
	if err == nil {
		x.w.WriteHeader(http.StatusOK)
		return nil
	}
	d := denialOf(err)
	// A provider sends for many companies from the same network, so only what is not genuine counts against that.
	if d.reason != "" && d.reason != licensing.RateLimited {
		if limited := x.limit("logouts that were none\x00"+x.network(), x.Rates.Callbacks); limited != nil {
			d = denialOf(limited)
		}
	}
	x.code = d.code()
	switch {
	case d.reason == "":
		x.failed(err)
		x.status = http.StatusServiceUnavailable
		x.w.Header().Set("Retry-After", awayRetry)
	case d.reason == licensing.RateLimited:
		x.status = http.StatusTooManyRequests
	case d.reason == licensing.IdPUnavailable:
		x.status = http.StatusServiceUnavailable
	case d.kind == "too_large":
		x.status = http.StatusRequestEntityTooLarge
	case statusOf(d.reason) == http.StatusNotFound:
		x.status = http.StatusNotFound
	default:
		x.status = http.StatusBadRequest
	}
	if x.status == http.StatusBadRequest && x.company.ID != "" {
		x.note(licensing.Refused{Code: x.code, Detail: "A logout token: " + d.detail})
	}
	return x.json(x.status, map[string]string{"error": "invalid_request", "error_description": "The logout token was not accepted. Reference " + x.ref + "."})
}

// maxLogoutLife is how far in the future a logout token may expire.
const maxLogoutLife = 10 * time.Minute

// takeLogout takes a logout token and ends the sessions that it names.
func (x *exchange) takeLogout() error {
	if err := x.r.ParseForm(); err != nil {
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			return invalid("too_large", "The request is too large.")
		}
		return invalid("format", "The form cannot be read.")
	}
	if len(x.r.PostForm["logout_token"]) != 1 || x.r.URL.Query().Has("logout_token") {
		return invalid("format", "There is not one logout token.")
	}
	t, err := x.logoutToken(x.r.PostForm.Get("logout_token"))
	if err != nil {
		return err
	}
	// What is genuine is counted apart from what strangers send.
	if err := x.limit("logouts of\x00"+x.connection.ID, x.Rates.Logouts); err != nil {
		return err
	}
	expires, _ := t.claims.time("exp")
	token := store.LogoutToken{Connection: x.connection.ID, Expires: expires.Add(skew).UTC().Truncate(time.Millisecond)}
	token.ID, _ = t.claims.text("jti")
	which := store.SessionFilter{Connection: x.connection.ID}
	which.Subject, _ = t.claims.text("sub")
	which.Provider, _ = t.claims.text("sid")
	s := store.Session{Connection: x.connection.ID, Subject: which.Subject}
	events := x.events(licensing.ActionEndSession, s, "signed out at the identity provider")
	_, first, err := x.Store.EndSessionsOnce(context.WithoutCancel(x.ctx), x.company.ID, token, which, events)
	switch {
	case err != nil:
		return fmt.Errorf("end sessions: %w", err)
	case !first:
		return invalid("jti", "The token was used already.")
	}
	return nil
}

// logoutEvent is what a logout token tells of.
const logoutEvent = "http://schemas.openid.net/event/backchannel-logout"

// logoutToken holds a logout token against what the standard asks for (section 2.6). Nothing in it counts until it is genuine.
func (x *exchange) logoutToken(raw string) (token, error) {
	t, err := parseToken(raw)
	if err != nil {
		return t, invalid("format", "The token: "+err.Error()+".")
	}
	p, err := x.providers.get(x.ctx, x.connection)
	if err != nil {
		return t, err
	}
	settings := x.connection.SignOn
	types := []string{"logout+jwt", "JWT"}
	if settings.StrictLogout {
		types = types[:1]
		if typ, _ := t.header.text("typ"); typ == "" {
			return t, invalid("typ", "The token does not say its type.")
		}
	}
	if err := p.checkHeader(t.header, settings, types...); err != nil {
		return t, err
	}
	if _, err := p.keys.VerifySignature(x.ctx, raw); err != nil {
		return t, signatureDenial(err)
	}
	if err := p.checkParties(t.claims, settings); err != nil {
		return t, err
	}
	return t, checkLogout(t.claims, x.now)
}

// checkLogout looks at the claims of a logout token.
func checkLogout(c claims, now time.Time) error {
	if _, there := c["nonce"]; there {
		return invalid("nonce", "The token is an ID token.")
	}
	events, _ := c["events"].(map[string]any)
	if _, ok := events[logoutEvent].(map[string]any); !ok {
		return invalid("events", "The token tells of no logout.")
	}
	subject, ok := c.text("sub")
	session, fine := c.text("sid")
	if !ok || !fine || subject == "" && session == "" || len(subject) > maxSubject || len(session) > maxSubject {
		return invalid("sub", "The token does not say whose sessions it ends.")
	}
	if id, ok := c.text("jti"); !ok || id == "" || len(id) > maxSubject {
		return invalid("jti", "The token has no id.")
	}
	expires, ok := c.time("exp")
	switch {
	case !ok || expires.IsZero():
		return invalid("exp", "The token does not say until when it is good.")
	case expires.Sub(now) > maxLogoutLife:
		return invalid("exp", "The token is good for longer than ten minutes.")
	}
	return checkTimes(c, now)
}
