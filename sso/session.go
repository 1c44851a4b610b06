package sso

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"usher/licensing"
	"usher/store"
)

// seenEvery is how often it is written that a session is used.
const seenEvery = time.Minute

// Presence is somebody who is signed in.
type Presence struct {
	Company    store.Company
	Account    store.Account     // as far as [store.Presence] has it
	Connection *store.Connection // by which they came; nil: with a password
	Session    store.Session
	Verdict    licensing.Verdict
}

// Absence is the error for a request of somebody who is not signed in.
type Absence struct {
	Reason  licensing.Reason
	Company store.Company // zero where it is not known
}

func (a *Absence) Error() string { return string(a.Reason) }

// Who says who makes a request, by its cookie: *Absence when nobody is signed in. Nothing is remembered from one request to the next: what
// ends a session ends it for every request that comes after.
func (h *Handler) Who(r *http.Request) (Presence, error) {
	token := sessionToken(r)
	if token == "" {
		return Presence{}, &Absence{Reason: licensing.NotSignedIn}
	}
	return h.who(r.Context(), digest(token), h.Clock().UTC())
}

func (h *Handler) who(ctx context.Context, hash [32]byte, now time.Time) (Presence, error) {
	var p Presence
	there, err := h.Store.Presence(ctx, hash)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return p, &Absence{Reason: licensing.SessionEnded}
	case err != nil:
		return p, fmt.Errorf("session: %w", err)
	}
	p.Session, p.Account = there.Session, there.Account
	if p.Company, err = h.Store.Company(ctx, p.Session.Company); err != nil {
		return p, fmt.Errorf("company: %w", err)
	}
	var account *store.Account
	if p.Account.ID != "" {
		account = &p.Account
	}
	if p.Session.Connection != "" {
		n, err := h.Store.Connection(ctx, p.Session.Connection)
		switch {
		case err == nil:
			p.Connection = &n
		case !errors.Is(err, store.ErrNotFound):
			return p, fmt.Errorf("connection: %w", err)
		}
	}
	var reason licensing.Reason
	if p.Verdict, reason = licensing.Holds(p.Company, account, p.Connection, p.Session, now); reason != "" {
		return p, &Absence{Reason: reason, Company: p.Company}
	}
	if now.Sub(p.Session.Seen) >= seenEvery {
		p.Session.Seen = now.Truncate(time.Millisecond)
		if err := h.Store.TouchSession(ctx, hash, p.Session.Seen); err != nil && !errors.Is(err, store.ErrNotFound) {
			return p, fmt.Errorf("session: %w", err)
		}
	}
	return p, nil
}

// sessionAnswer is what an application is told of who is signed in.
type sessionAnswer struct {
	Account     string    `json:"account"` // id
	UserName    string    `json:"user_name"`
	DisplayName string    `json:"display_name,omitempty"`
	Company     string    `json:"company"` // short name
	CompanyName string    `json:"company_name"`
	MemberType  string    `json:"member_type"`
	Role        string    `json:"role"`
	License     string    `json:"license"`
	LicenseName string    `json:"license_name"`
	May         []string  `json:"entitlements"`
	By          string    `json:"signed_in_by"` // "sso" or "password"
	Connection  string    `json:"connection,omitempty"`
	Since       time.Time `json:"signed_in"`
	Ends        time.Time `json:"ends"`    // if the session is not used any more
	Expires     time.Time `json:"expires"` // at the latest
}

// absenceAnswer is what it is told when nobody is.
type absenceAnswer struct {
	Reason licensing.Reason `json:"reason"`
	Detail string           `json:"detail"` // for the person
	SignIn string           `json:"sign_in"`
}

// session says who is signed in.
func (x *exchange) session() error {
	p, err := x.Who(x.r)
	if err != nil {
		return err
	}
	answer := sessionAnswer{
		Account: p.Account.ID, UserName: p.Account.UserName, DisplayName: p.Account.Display, Company: p.Company.Name, CompanyName: p.Company.Display,
		MemberType: p.Account.MemberType, Role: p.Verdict.Role, License: string(p.Verdict.Effective), LicenseName: p.Verdict.Effective.Name(),
		May: p.Verdict.Entitlements.List(), By: p.by(), Since: p.Session.Created, Ends: licensing.SessionEnds(p.Company, p.Session), Expires: p.Session.Expires,
	}
	if p.Connection != nil {
		answer.Connection = p.Connection.Name
	}
	return x.json(http.StatusOK, answer)
}

// by says how somebody has signed in.
func (p Presence) by() string {
	if p.Session.Connection == "" {
		return "password"
	}
	return "sso"
}

func (x *exchange) json(status int, body any) error {
	b, err := json.Marshal(body)
	if err != nil {
		return err
	}
	x.w.Header().Set("Content-Type", "application/json")
	x.w.WriteHeader(status)
	_, _ = x.w.Write(b) // an error means that nobody reads it any more
	return nil
}

// fail answers that nobody is signed in, or that it cannot be told: then nobody is let through.
func (x *exchange) fail(err error) {
	var absence *Absence
	if !errors.As(err, &absence) {
		x.ref = reference()
		x.failed(err)
		x.w.Header().Set("Retry-After", awayRetry)
		_ = x.json(http.StatusServiceUnavailable, map[string]string{"detail": "It cannot be told at the moment who is signed in. Reference " + x.ref + "."})
		return
	}
	status := http.StatusUnauthorized
	if absence.Reason == licensing.EntitlementMissing || absence.Reason == licensing.OtherCompany {
		status = http.StatusForbidden
	}
	x.company = absence.Company
	x.w.Header().Set("Usher-Reason", string(absence.Reason))
	_ = x.json(status, absenceAnswer{absence.Reason, absence.Reason.Told(), x.BaseURL + x.startPath()})
}

// verify is for reverse proxies, which ask it for each request to an application (auth_request of nginx, forward_auth of Caddy and Traefik):
// 200 lets through, with who it is in headers. The parameter company lets through the people of that company only ("*": of all); each parameter
// entitlement those only whose license includes it, as /sso/session lists them. What cannot be understood lets nobody through.
func (x *exchange) verify() error {
	query, err := url.ParseQuery(x.r.URL.RawQuery)
	if wrong := wrongVerify(query, err); wrong != "" {
		return x.json(http.StatusBadRequest, map[string]string{"detail": wrong})
	}
	p, err := x.Who(x.r)
	if err != nil {
		return err
	}
	if company := query.Get("company"); company != "*" && !strings.EqualFold(company, p.Company.Name) {
		return &Absence{Reason: licensing.OtherCompany, Company: p.Company}
	}
	for _, wanted := range query["entitlement"] {
		if !p.Verdict.Entitlements.Includes(wanted) {
			return &Absence{Reason: licensing.EntitlementMissing, Company: p.Company}
		}
	}
	header := x.w.Header()
	// None is empty: some proxies then pass on what the client has written in its place.
	for _, h := range []struct{ name, value string }{
		{"Usher-Account", p.Account.ID}, {"Usher-User", p.Account.UserName}, {"Usher-Name", cmp.Or(p.Account.Display, p.Account.UserName)},
		{"Usher-Company", p.Company.Name}, {"Usher-Member-Type", p.Account.MemberType}, {"Usher-Role", p.Verdict.Role},
		{"Usher-License", string(p.Verdict.Effective)}, {"Usher-Entitlements", strings.Join(p.Verdict.Entitlements.List(), ",")}, {"Usher-Signed-In-By", p.by()},
	} {
		header.Set(h.name, cmp.Or(headerValue(h.value), "-"))
	}
	x.w.WriteHeader(http.StatusOK)
	return nil
}

// wrongVerify says what is wrong with a request to verify; empty: nothing.
func wrongVerify(query url.Values, err error) string {
	if err != nil {
		return "The query cannot be read."
	}
	if len(query["company"]) != 1 || query.Get("company") == "" {
		return "The parameter company names the company whose application it is, once; * stands for all."
	}
	for name := range query {
		if name != "company" && name != "entitlement" {
			return fmt.Sprintf("There is no parameter %q; there are company and entitlement.", cut(name))
		}
	}
	return ""
}

// headerValue writes a text as it can stand in a header: what is not visible ASCII, and the percent sign, is percent-encoded.
func headerValue(text string) string {
	plain := func(r rune) bool { return r > ' ' && r < 0x7f && r != '%' }
	if strings.IndexFunc(text, func(r rune) bool { return !plain(r) }) < 0 {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		if plain(r) {
			b.WriteRune(r)
		} else {
			b.WriteString(strings.ReplaceAll(url.QueryEscape(string(r)), "+", "%20"))
		}
	}
	return b.String()
}
