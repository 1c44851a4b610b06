package sso

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"usher/licensing"
	"usher/store"
)

// maxAgent is how much is kept of what a browser calls itself, in bytes.
const maxAgent = 200

// callback takes the answer of an identity provider.
func (x *exchange) callback() error {
	if err := x.limit("answers\x00"+x.network(), x.Rates.Callbacks); err != nil {
		return err
	}
	if err := x.findConnection(); err != nil {
		return err
	}
	answer, s, err := x.taken()
	if err != nil {
		return x.closed(err)
	}
	if err := x.limit("answers to\x00"+x.company.ID, x.Rates.Company); err != nil {
		return err
	}
	if s.Test {
		return x.showTest(answer, s)
	}
	if err := x.elsewhere(s); err != nil {
		return err
	}
	who, got, err := x.prove(answer, s)
	if err != nil {
		return err
	}
	return x.letIn(s, who, got)
}

// elsewhere refuses an answer to somebody who has signed in to another company since they began: it would take that one's place unasked.
func (x *exchange) elsewhere(s store.SignIn) error {
	hash := x.former()
	if hash == s.Session || hash == ([32]byte{}) {
		return nil
	}
	there, err := x.Store.Session(x.ctx, hash)
	switch {
	case errors.Is(err, store.ErrNotFound), err == nil && there.Company == x.company.ID:
		return nil
	case err != nil:
		return fmt.Errorf("session: %w", err)
	}
	return &denial{reason: licensing.StateExpired, kind: "session", detail: "The person has signed in to another company since the sign-in was begun."}
}

// closed is the error of an answer that belongs to no sign-in. Where nobody can sign in, outsiders learn no more than that.
func (x *exchange) closed(err error) error {
	if denialOf(err).reason == "" {
		return err
	}
	switch {
	case x.company.Tier != licensing.TierVideoProPlus:
		return deny(licensing.CompanyTierHasNoSSO)
	case x.connection.SignOn.State != store.SignOnActive:
		return deny(licensing.SSODisabled)
	}
	return err
}

// taken gives the parameters of the answer and the sign-in that it belongs to.
func (x *exchange) taken() (url.Values, store.SignIn, error) {
	answer, err := x.answer()
	if err != nil {
		return nil, store.SignIn{}, err
	}
	s, err := x.take(answer.Get("state"))
	return answer, s, err
}

// answer gives the parameters of the answer.
func (x *exchange) answer() (url.Values, error) {
	if !x.rightMethod() {
		x.w.Header().Set("Allow", map[string]string{ModeQuery: http.MethodGet, ModeFormPost: http.MethodPost}[x.connection.SignOn.ResponseMode])
		return nil, &denial{reason: licensing.NoCode, kind: "method", detail: "The answer came by " + x.r.Method + ", which is not the connection's response mode."}
	}
	answer := x.r.URL.Query()
	if x.r.Method == http.MethodPost {
		if err := x.r.ParseForm(); err != nil {
			return nil, &denial{reason: licensing.NoCode, kind: "form", detail: "The answer cannot be read.", err: err}
		}
		answer = x.r.PostForm
	}
	for _, name := range []string{"state", "code", "iss", "error"} {
		if len(answer[name]) > 1 {
			return nil, &denial{reason: licensing.Mixup, kind: "twice", detail: fmt.Sprintf("The answer has the parameter %q twice.", name)}
		}
	}
	return answer, nil
}

// take takes the sign-in that an answer belongs to. Whatever comes of it then, it is used up.
func (x *exchange) take(state string) (store.SignIn, error) {
	if state == "" {
		return store.SignIn{}, deny(licensing.StateMissing)
	}
	one := store.SignIn{State: digest(state), Browser: x.browser(state), Company: x.company.ID, Connection: x.connection.ID}
	s, err := x.Store.TakeSignIn(x.ctx, one, x.now)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return s, deny(licensing.StateUnknown)
	case err != nil:
		return s, fmt.Errorf("take sign-in: %w", err)
	case s.Company != x.company.ID || s.Connection != x.connection.ID:
		return s, deny(licensing.StateCompany)
	case !s.Used.IsZero() && one.Browser == [32]byte{}: // the page of the answer was loaded again
		return s, deny(licensing.StateUsed)
	case s.Browser != one.Browser:
		return s, deny(licensing.StateBrowser)
	}
	x.setCookie(signInCookieOf(state), "", http.SameSiteLaxMode, 0)
	switch {
	case !s.Used.IsZero():
		return s, deny(licensing.StateUsed)
	case x.now.Sub(s.Created) >= signInFor:
		return s, deny(licensing.StateExpired)
	case !s.Test && x.connection.SignOn.State != store.SignOnActive:
		return s, deny(licensing.SSODisabled)
	case s.SignOn != x.connection.SignOn.Version:
		return s, deny(licensing.ConnectionChanged)
	case x.company.Tier != licensing.TierVideoProPlus && !s.Test:
		return s, deny(licensing.CompanyTierHasNoSSO)
	}
	return s, nil
}

// prove has the identity provider prove who has signed in there.
func (x *exchange) prove(answer url.Values, s store.SignIn) (identity, tokens, error) {
	c, err := x.client(x.ctx, x.company, x.connection)
	if err != nil {
		return identity{}, tokens{}, err
	}
	x.issuer = c.Issuer
	if issuer, said := answer.Get("iss"), answer.Has("iss"); said && issuer != c.Issuer || !said && c.SaysIssuer { // RFC 9207 section 2.4
		return identity{}, tokens{}, &denial{reason: licensing.Mixup, kind: "iss", detail: fmt.Sprintf("The answer says it is from %q.", cut(issuer))}
	}
	if answer.Has("error") {
		return identity{}, tokens{}, idpError(answer)
	}
	code := answer.Get("code")
	if code == "" {
		return identity{}, tokens{}, deny(licensing.NoCode)
	}
	verifier, err := x.Sealer.Open(s.Verifier, verifierOwner(s))
	if err != nil {
		return identity{}, tokens{}, fmt.Errorf("the verifier: %w", err)
	}
	release, ok := x.busy.take(x.connection.ID)
	if !ok {
		return identity{}, tokens{}, &denial{reason: licensing.IdPUnavailable, kind: "busy", detail: "Too many requests to the identity provider are under way."}
	}
	defer release()
	got, err := c.exchange(x.ctx, code, verifier)
	if err != nil {
		return identity{}, got, err
	}
	who, err := c.verifyIDToken(x.ctx, got.id, c.settings, expected{nonce: s.Nonce, accessToken: got.access, code: code, now: x.now})
	if err != nil {
		return who, got, err
	}
	x.subject = who.subject
	if who.match == "" {
		_, err := x.Store.AccountByIdentity(x.ctx, x.company.ID, c.Issuer, who.subject)
		switch {
		case errors.Is(err, store.ErrNotFound):
			err = c.userInfo(x.ctx, got.access, &who)
		case err != nil:
			err = fmt.Errorf("account by identity: %w", err)
		}
		if err != nil {
			return who, got, err
		}
	}
	return who, got, nil
}

// idpError is the denial for an error that the identity provider answers with (RFC 6749 section 4.1.2.1, OpenID Connect Core 1.0 section 3.1.2.6).
func idpError(answer url.Values) *denial {
	d := &denial{reason: licensing.IdPError, kind: "other", detail: cut(answer.Get("error") + ": " + answer.Get("error_description"))}
	switch code := answer.Get("error"); code {
	case "access_denied", "login_required", "interaction_required", "consent_required", "account_selection_required", "invalid_request",
		"unauthorized_client", "unsupported_response_type", "invalid_scope", "server_error", "temporarily_unavailable":
		d.kind = code
	}
	return d
}

// letIn opens the session of somebody who has proven who they are, if they may come in.
func (x *exchange) letIn(s store.SignIn, who identity, got tokens) error {
	token := random()
	// Of what the identity provider gave out the ID token alone is kept, for signing out there, and only the browser can open it.
	sealed, err := sealWith(token, got.id)
	if err != nil {
		return err
	}
	in := licensing.SignIn{
		Company: x.company.ID, Request: x.ref, Connection: x.connection.ID, SignOn: x.connection.SignOn.Version,
		Issuer: x.issuer, Subject: who.subject, Match: who.match,
		Session: store.Session{Hash: digest(token), Provider: who.session, IDToken: sealed, Address: x.address(), Agent: cutTo(x.r.UserAgent(), maxAgent)},
	}
	out, err := x.Directory.SignIn(x.ctx, in)
	if err != nil {
		return err
	}
	if err := x.endFormer(s.Session); err != nil {
		return err
	}
	x.setSession(token, out.Session)
	if s.Return == "" {
		s.Return = Path + "/me"
	}
	return x.redirect(s.Return)
}

// cutTo is cut for another length.
func cutTo(text string, most int) string {
	text = cut(text)
	return text[:min(len(text), most)]
}
