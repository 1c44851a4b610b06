package sso

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"usher/licensing"
	"usher/store"
)

const (
	// sessionCookie and signInCookie can be set by this host alone, and are sent over connections that nobody listens in on ("__Host-").
	sessionCookie = "__Host-sso"
	signInCookie  = "__Host-sso_tx_"
	logoutCookie  = "__Host-sso_out"
	// suffix is how much of the state's hash tells the cookies of several tabs apart.
	suffix = 8
)

func signInCookieOf(state string) string {
	sum := digest(state)
	return signInCookie + encode(sum[:])[:suffix]
}

// setCookie sets a cookie for this host.
func (x *exchange) setCookie(name, value string, site http.SameSite, for_ time.Duration) {
	c := &http.Cookie{Name: name, Value: value, Path: "/", Secure: true, HttpOnly: true, SameSite: site, MaxAge: int(for_ / time.Second)}
	if value == "" {
		c.MaxAge = -1
	}
	http.SetCookie(x.w, c)
}

// rememberSignIn binds a sign-in to the browser. An answer that is a form comes from another site, so its cookie has to be sent from there.
func (x *exchange) rememberSignIn(state, browser string) {
	site := http.SameSiteLaxMode
	if x.connection.SignOn.ResponseMode == ModeFormPost {
		site = http.SameSiteNoneMode
	}
	var others []string
	for _, c := range x.r.Cookies() {
		if strings.HasPrefix(c.Name, signInCookie) {
			others = append(others, c.Name)
		}
	}
	for len(others) >= maxUnderWay { // browsers send older ones first
		x.setCookie(others[0], "", site, 0)
		others = slices.Delete(others, 0, 1)
	}
	x.setCookie(signInCookieOf(state), browser, site, signInFor)
}

// browser gives the hash of the secret that a browser was given with a sign-in; zero where it has none, or several.
func (x *exchange) browser(state string) [32]byte {
	all := x.r.CookiesNamed(signInCookieOf(state))
	if len(all) != 1 {
		return [32]byte{}
	}
	return digest(all[0].Value)
}

// sessionToken gives the token of the session that a request has; empty: none. Of several cookies none counts, because somebody else may have
// set one of them.
func sessionToken(r *http.Request) string {
	all := r.CookiesNamed(sessionCookie)
	if len(all) != 1 {
		return ""
	}
	return all[0].Value
}

// setSession gives the browser its session.
func (x *exchange) setSession(token string, s store.Session) {
	x.setCookie(sessionCookie, token, http.SameSiteLaxMode, s.Expires.Sub(x.now))
}

// former gives the hash of the session that the browser has; zero: none.
func (x *exchange) former() [32]byte {
	token := sessionToken(x.r)
	if token == "" {
		return [32]byte{}
	}
	return digest(token)
}

// endFormer ends the session that the browser had before another takes its place: the one that it has now, and the one that it had when the
// sign-in began, because an answer that another site sends comes without it.
func (x *exchange) endFormer(begun [32]byte) error {
	all := [][32]byte{x.former()}
	if begun != all[0] {
		all = append(all, begun)
	}
	for _, hash := range all {
		if hash == ([32]byte{}) {
			continue
		}
		s, err := x.Store.Session(x.ctx, hash)
		if err == nil {
			_, err = x.Store.EndSession(x.ctx, hash, x.events(licensing.ActionEndSession, s, "replaced by another sign-in"))
		}
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return fmt.Errorf("end session: %w", err)
		}
	}
	return nil
}
