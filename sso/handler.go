package sso

import (
	"context"
	"crypto/rand"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"usher/licensing"
	"usher/store"
)

// Store is what the handler reads, and the sign-ins and sessions that it writes.
type Store interface {
	store.SignIns
	store.Sessions
	Company(ctx context.Context, id string) (store.Company, error)
	CompanyByName(ctx context.Context, name string) (store.Company, error)
	DomainOwner(ctx context.Context, domain string) (string, error)
	Connection(ctx context.Context, id string) (store.Connection, error)
	ConnectionByName(ctx context.Context, company, name string) (store.Connection, error)
	ListConnections(ctx context.Context, company string) ([]store.Connection, error)
	SetSignOn(ctx context.Context, c store.Connection, events []store.Event) (store.Connection, error)
	Account(ctx context.Context, company, id string) (store.Account, error)
	AccountByUserName(ctx context.Context, company, userName string) (store.Account, error)
	AccountByIdentity(ctx context.Context, company, issuer, subject string) (store.Account, error)
}

// Hasher holds passwords against their hashes, and makes these.
type Hasher interface {
	Hash(ctx context.Context, password string) (phc string, err error)
	Verify(ctx context.Context, phc, password string) (right bool, err error)
}

// Config is what a handler is made of.
type Config struct {
	Store     Store
	Directory *licensing.Directory
	Sealer    Sealer
	Hasher    Hasher
	BaseURL   string // public address of the server, without a slash at the end
	Network   Network
	Rates     Rates
	// Wait says how long somebody has to wait before they may do what is named once more, of which burst are free and then one every while;
	// 0: not at all, and it is counted.
	Wait func(what string, every time.Duration, burst int, now time.Time) time.Duration
	// CheckPassword says in a sentence why a password cannot be chosen; empty: it can.
	CheckPassword func(password string) string
	// CheckCode says whether a one-time password of a person is right, and of which step it is.
	CheckCode func(a store.Account, code string, now time.Time) (step int64, right bool, err error)
	Logger    *slog.Logger
	Clock     func() time.Time // nil: the system's
}

// Rates are how often something may be done within a minute. 0 means the default.
type Rates struct {
	Starts    int // sign-ins begun from one address; 20
	Company   int // sign-ins begun in one company, and answers that come to one; 300
	Callbacks int // answers that come from one address; 60
	Logouts   int // genuine logout tokens that come to one connection; 600
}

func (r Rates) filled() Rates {
	for _, rate := range []struct {
		value   *int
		instead int
	}{{&r.Starts, 20}, {&r.Company, 300}, {&r.Callbacks, 60}, {&r.Logouts, 600}} {
		if *rate.value == 0 {
			*rate.value = rate.instead
		}
	}
	return r
}

// Paths at which the handler is mounted.
const (
	Path       = "/sso"
	SignInPath = "/signin"
)

// Reserved says whether a name is one of the handler's own paths, and can be no company's.
func Reserved(company string) bool {
	switch company {
	case "continue", "logout", "me", "session", "signed-out", "verify":
		return true
	}
	return false
}

// Handler answers below [Path] and at [SignInPath]. It is safe for concurrent use.
type Handler struct {
	Config
	providers *providers
	pages     *template.Template
	mux       *http.ServeMux
	origin    *http.CrossOriginProtection
	busy      slots
	notes     sync.WaitGroup // what is written to audit logs after the answer
}

//go:embed pages
var files embed.FS

// NewHandler makes a handler.
func NewHandler(c Config) (*Handler, error) {
	if c.Clock == nil {
		c.Clock = time.Now
	}
	c.Rates = c.Rates.filled()
	pages, err := template.ParseFS(files, "pages/*.html")
	if err != nil {
		return nil, fmt.Errorf("sso: %w", err)
	}
	h := &Handler{
		Config: c, providers: newProviders(c.Network, c.Clock), pages: pages, mux: http.NewServeMux(), origin: http.NewCrossOriginProtection(),
	}
	if c.BaseURL != "" {
		if err := h.origin.AddTrustedOrigin(originOf(c.BaseURL)); err != nil {
			return nil, fmt.Errorf("sso: the public address: %w", err)
		}
	}
	for pattern, serve := range map[string]func(*exchange) error{
		"GET /sso":          (*exchange).home,
		"POST /sso":         (*exchange).findHome,
		"GET /sso/continue": (*exchange).goHome,

		"GET /sso/{company}":                                  (*exchange).start,
		"GET /sso/{company}/initiate":                         (*exchange).initiate,
		"GET /sso/{company}/{connection}/test":                (*exchange).startTest,
		"GET /sso/{company}/{connection}/callback":            (*exchange).callback,
		"POST /sso/{company}/{connection}/callback":           (*exchange).callback,
		"POST /sso/{company}/{connection}/backchannel-logout": (*exchange).backchannel,
		"GET /sso/{company}/{connection}/jwks.json":           (*exchange).clientKeys,

		"GET /sso/session":    (*exchange).session,
		"GET /sso/verify":     (*exchange).verify,
		"GET /sso/me":         (*exchange).me,
		"POST /sso/me/end":    (*exchange).endOther,
		"POST /sso/logout":    (*exchange).signOut,
		"GET /sso/signed-out": (*exchange).signedOut,
		"GET /signin":         (*exchange).passwordPage,
		"POST /signin":        (*exchange).password,
	} {
		h.mux.HandleFunc(pattern, h.serve(pattern, serve))
	}
	return h, nil
}

// originOf gives the origin of an address.
func originOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

// ServeHTTP answers one request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.mux.ServeHTTP(w, r) }

// Settle waits until everything that was to be noted is in the audit logs.
func (h *Handler) Settle() { h.notes.Wait() }

// Maintain forgets what is over: sign-ins, logout tokens and sessions.
func (h *Handler) Maintain(ctx context.Context) error {
	now := h.Clock().UTC().Truncate(time.Millisecond)
	_, err := h.Store.DropSignIns(ctx, now.Add(-2*signInFor))
	_, ended := h.Store.DropSessions(ctx, now)
	return errors.Join(err, ended)
}

// exchange is one request on the way to its answer.
type exchange struct {
	*Handler
	w   http.ResponseWriter
	r   *http.Request
	ctx context.Context
	now time.Time
	ref string // of the request: what the person can read to an admin

	company    store.Company // zero while it is not known
	connection store.Connection
	issuer     string // of the identity, where it is known
	subject    string
	person     string // id of the account, where it is known

	prompt     string // of the start
	formAction string // origins that forms on the page may lead to
	status     int
	code       string // of a denial
	noted      bool   // whether the audit log, or the server's, has the denial
	quiet      bool   // whether it is not for the audit log
}

// maxForm is how many bytes of a form are read.
const maxForm = 64 << 10

// serve gives a request what every one has, and turns an error into an answer.
func (h *Handler) serve(pattern string, do func(*exchange) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		x := &exchange{Handler: h, w: w, r: r, ctx: r.Context(), now: h.Clock().UTC().Truncate(time.Millisecond), status: http.StatusOK}
		header := w.Header()
		header.Set("Cache-Control", "no-store")
		header.Set("X-Content-Type-Options", "nosniff")
		if pattern == "GET /sso/session" || pattern == "GET /sso/verify" { // they are asked for every request to an application
			if err := do(x); err != nil {
				x.fail(err)
			}
			return
		}
		x.ref = reference()
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		if r.Method == http.MethodHead && strings.HasPrefix(pattern, "GET /sso/{company}") { // who only looks begins and ends nothing
			header.Set("Allow", http.MethodGet)
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		err := x.sameOrigin(pattern)
		if err == nil {
			err = do(x)
		}
		if err != nil {
			x.refuse(err)
		}
		x.tell(pattern)
	}
}

// sameOrigin refuses forms that come from another site's page. Answers of identity providers do, and have the state instead.
func (x *exchange) sameOrigin(pattern string) error {
	if strings.HasSuffix(pattern, "/callback") || strings.HasSuffix(pattern, "/backchannel-logout") {
		return nil
	}
	if err := x.origin.Check(x.r); err != nil {
		return &denial{reason: licensing.StateUnknown, kind: "origin", detail: "The form came from another site's page.", err: err}
	}
	return nil
}

// tell writes a line about the request to the log. What is in paths and parameters beside the company may be about people, or be secret.
func (x *exchange) tell(pattern string) {
	x.Logger.LogAttrs(context.WithoutCancel(x.ctx), slog.LevelInfo, "sign-in request",
		slog.String("request", x.ref), slog.String("operation", pattern), slog.String("company", x.company.Name),
		slog.String("connection", x.connection.Name), slog.String("code", x.code), slog.Int("status", x.status),
		slog.Duration("took", x.Clock().Sub(x.now)))
}

// failed logs the cause of an answer that something went wrong here.
func (x *exchange) failed(err error) {
	x.Logger.LogAttrs(x.ctx, slog.LevelError, "sign-in failed", slog.String("request", x.ref), slog.String("error", err.Error()))
}

// refuse answers with the page of a denial, and notes it in the audit log of the company.
func (x *exchange) refuse(err error) {
	d := denialOf(err)
	if d.reason == "" {
		x.failed(err)
		x.status, x.noted = http.StatusInternalServerError, true // in the server's log
		if away(err) {
			x.status = http.StatusServiceUnavailable
			x.w.Header().Set("Retry-After", awayRetry)
		}
		x.render(page{Title: "Something went wrong on our side.", Lead: "Nothing was changed. Try again in a minute.", Again: x.startPath()})
		return
	}
	x.code, x.status = d.code(), statusOf(d.reason)
	if d.err != nil && d.reason != licensing.RateLimited {
		x.Logger.LogAttrs(x.ctx, slog.LevelWarn, "sign-in refused", slog.String("request", x.ref), slog.String("code", x.code), slog.String("cause", cut(d.err.Error())))
	}
	x.noteDenial(err, d)
	switch x.status {
	case http.StatusServiceUnavailable, http.StatusBadGateway, http.StatusTooManyRequests:
		if x.w.Header().Get("Retry-After") == "" {
			x.w.Header().Set("Retry-After", "30")
		}
	}
	p := page{Title: d.reason.Told(), Lead: d.reason.Advice()}
	if x.status == http.StatusNotFound { // outsiders learn nothing from the page
		x.company, x.connection, x.noted = store.Company{}, store.Connection{}, true
	} else {
		p.Again = x.startPath()
		if x.subject != "" && x.status == http.StatusForbidden { // the identity provider would send the same person again
			p.Other = p.Again + "?" + url.Values{"connection": {x.connection.Name}, "prompt": {promptLogin}}.Encode()
			p.Again = ""
		}
	}
	if d.kind == "access_denied" {
		p.Title = "Your company's sign-in service did not allow this."
	}
	x.render(p)
}

// awayRetry is after how many seconds one may ask again when the store could not be reached: databases that fail over take some.
const awayRetry = "5"

// away says whether an error is that of a store that could not be reached, or takes nothing on at the moment.
func away(err error) bool {
	return errors.Is(err, store.ErrUnavailable) || errors.Is(err, store.ErrBusy) || errors.Is(err, store.ErrClosed) ||
		errors.Is(err, context.DeadlineExceeded)
}

// noteDenial writes a denial to the audit log of the company, unless that was done where it was made.
func (x *exchange) noteDenial(err error, d *denial) {
	var refusal *licensing.Refusal
	switch {
	case x.company.ID == "" || x.noted || x.quiet || d.reason == licensing.RateLimited:
		return
	case errors.As(err, &refusal):
		x.noted = true
		return
	}
	x.note(licensing.Refused{Account: x.person, Code: x.code, Detail: d.detail})
}

// maxNotes is how many refusals a minute are written to the audit log of a company, which strangers can cause. The server's log has all.
const maxNotes = 300

// note writes a refusal to the audit log of the company.
func (x *exchange) note(r licensing.Refused) {
	if x.Wait("notes\x00"+x.company.ID, time.Minute/maxNotes, maxNotes, x.now) > 0 {
		return
	}
	x.noted = true
	r.Company, r.Request, r.Connection, r.Issuer, r.Subject, r.Address = x.company.ID, x.ref, x.connection.ID, x.issuer, x.subject, x.address()
	if x.status != http.StatusNotFound && r.Code != string(licensing.PasswordWrong) {
		x.Directory.Note(x.ctx, r)
		return
	}
	// Outsiders shall not tell by the time whether there was anything to write.
	x.notes.Add(1)
	go func() {
		defer x.notes.Done()
		x.Directory.Note(context.WithoutCancel(x.ctx), r)
	}()
}

// startPath is where the person can start again.
func (x *exchange) startPath() string {
	if x.company.Name == "" {
		return Path
	}
	return Path + "/" + x.company.Name
}

// statusOf gives the status of a denial.
func statusOf(r licensing.Reason) int {
	switch r {
	case licensing.UnknownCompany, licensing.SSONotConfigured, licensing.SSODisabled, licensing.CompanyTierHasNoSSO:
		return http.StatusNotFound
	case licensing.IdPUnavailable, licensing.SSRFBlocked, licensing.DiscoveryIssuer, licensing.DiscoveryEndpoint:
		return http.StatusServiceUnavailable
	case licensing.TokenEndpoint:
		return http.StatusBadGateway
	case licensing.RateLimited:
		return http.StatusTooManyRequests
	case licensing.NotSignedIn, licensing.SessionEnded, licensing.SessionIdle, licensing.SessionExpired, licensing.SignedOut, licensing.PasswordWrong:
		return http.StatusUnauthorized
	case licensing.StateMissing, licensing.StateUnknown, licensing.StateUsed, licensing.StateExpired, licensing.StateBrowser, licensing.StateCompany,
		licensing.ConnectionChanged, licensing.Mixup, licensing.NoCode, licensing.IdPTokenInvalid, licensing.ClockSkew, licensing.UserInfoSubject:
		return http.StatusBadRequest
	}
	return http.StatusForbidden
}

// limit refuses what is done too often.
func (x *exchange) limit(what string, perMinute int) error {
	wait := x.Wait(what, time.Minute/time.Duration(perMinute), perMinute, x.now)
	if wait == 0 {
		return nil
	}
	x.w.Header().Set("Retry-After", strconv.Itoa(int(wait/time.Second)+1))
	return deny(licensing.RateLimited)
}

// address is where the request comes from.
func (x *exchange) address() string {
	host, _, err := net.SplitHostPort(x.r.RemoteAddr)
	if err != nil {
		return x.r.RemoteAddr
	}
	return host
}

// network is the address, of IPv6 the part of it that a household or an office has to itself.
func (x *exchange) network() string {
	const household = 56
	ip, err := netip.ParseAddr(x.address())
	if err != nil || ip.Unmap().Is4() {
		return x.address()
	}
	prefix, err := ip.Prefix(household)
	if err != nil {
		return x.address()
	}
	return prefix.String()
}

// redirect sends the person on.
func (x *exchange) redirect(to string) error {
	x.status = http.StatusSeeOther
	x.w.Header().Set("Location", to)
	x.w.Header().Set("Referrer-Policy", "no-referrer")
	x.w.WriteHeader(x.status)
	return nil
}

// page is what a page shows.
type page struct {
	Nonce, Ref string

	Kind  string // which form or list the page has; empty: none
	Title string // a sentence
	Lead  string // another
	Wrong string // what was wrong with the last input
	Again string // where to start again; empty: nowhere
	Other string // where to sign in as somebody else; empty: nowhere

	Company string // display name
	Data    any    // of the kind
}

// render writes a page.
func (x *exchange) render(p page) {
	p.Nonce = rand.Text()
	if x.noted {
		p.Ref = x.ref
	}
	if p.Company == "" {
		p.Company = x.company.Display
	}
	header := x.w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Referrer-Policy", "same-origin")
	header.Set("Content-Security-Policy", "default-src 'none'; style-src 'nonce-"+p.Nonce+"'; form-action 'self'"+x.formAction+"; base-uri 'none'; frame-ancestors 'none'")
	x.w.WriteHeader(x.status)
	if err := x.pages.ExecuteTemplate(x.w, "page.html", p); err != nil { // the templates are tested, so it is the reader who has gone
		x.Logger.LogAttrs(x.ctx, slog.LevelDebug, "a page was not sent", slog.String("error", err.Error()))
	}
}
