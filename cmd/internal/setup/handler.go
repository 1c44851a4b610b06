package setup

import (
	"context"
	"crypto/rand"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // the zones that a person can name are the same on every machine

	"usher/cmd/internal/credential"
	"usher/licensing"
	"usher/scim"
	"usher/store"
)

// Store is what the pages read.
type Store interface {
	Company(ctx context.Context, id string) (store.Company, error)
	Account(ctx context.Context, company, id string) (store.Account, error)
}

// Hasher hashes passwords.
type Hasher interface {
	Hash(ctx context.Context, password string) (phc string, err error)
}

// Config is what a handler is made of.
type Config struct {
	Store     Store
	Directory *licensing.Directory
	Users     *scim.Users
	Hasher    Hasher
	Logger    *slog.Logger
	Clock     func() time.Time // nil: the system's
}

// Handler answers at [Path]. It is safe for concurrent use.
type Handler struct {
	Config
	pages  *template.Template
	zones  []string
	origin http.CrossOriginProtection
}

//go:embed pages
var files embed.FS

// maxForm is how many bytes of a form are read.
const maxForm = 16 << 10

// NewHandler makes a handler.
func NewHandler(c Config) (*Handler, error) {
	if c.Clock == nil {
		c.Clock = time.Now
	}
	pages, err := template.ParseFS(files, "pages/*.html")
	if err != nil {
		return nil, fmt.Errorf("pages: %w", err)
	}
	zones, err := fs.ReadFile(files, "pages/zones.txt")
	if err != nil {
		return nil, fmt.Errorf("zones: %w", err)
	}
	return &Handler{Config: c, pages: pages, zones: strings.Fields(string(zones))}, nil
}

// The steps, in order. Their names are part of what is stored.
const (
	stepName   = "name"
	stepSignIn = "sign-in"
	stepZone   = "time-zone"
)

func steps() []string { return []string{stepName, stepSignIn, stepZone} }

// page is what a page shows.
type page struct {
	Nonce, Title, Company, Person, Address string

	Step   string // empty: there is nothing to fill in
	Number int    // of the step, from 1
	Steps  []mark
	Wrong  string // what was wrong with the last input
	Hint   string // who can help

	Given, Family, Zone string
	Zones               []string
	SignOn              bool // the company's identity provider may sign the person in
	Managed             bool // by the identity provider, which has the last word on the name
	MinPassword         int
}

// mark is a step in the line of steps.
type mark struct {
	Name, Title   string
	Done, Current bool
}

// ServeHTTP answers one request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p := page{Nonce: rand.Text(), MinPassword: credential.MinPassword, Zones: h.zones}
	header := w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Cache-Control", "no-store")
	header.Set("Referrer-Policy", "same-origin") // the address of the page is the secret; without one browsers would not say where forms come from
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Content-Security-Policy",
		"default-src 'none'; style-src 'nonce-"+p.Nonce+"'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	status := http.StatusOK
	switch err := h.answer(w, r, &p); {
	case err == nil:
		if header.Get("Location") != "" {
			return // the redirect is written
		}
	default:
		status = h.refuse(r, &p, err)
		if status == http.StatusServiceUnavailable {
			header.Set("Retry-After", "5")
		}
	}
	w.WriteHeader(status)
	if err := h.pages.ExecuteTemplate(w, "page.html", p); err != nil { // the templates are tested, so it is the reader who has gone
		h.Logger.LogAttrs(r.Context(), slog.LevelDebug, "a page was not sent", slog.String("error", err.Error()))
	}
}

// input is the error of a form that cannot be taken as it is.
type input string

func (e input) Error() string { return string(e) }

// refuse turns an error into a page and gives its status.
func (h *Handler) refuse(r *http.Request, p *page, err error) int {
	var (
		wrong   input
		bad     *scim.Error
		refusal *licensing.Refusal
	)
	switch {
	case errors.As(err, &wrong):
		p.Wrong = wrong.Error()
		return http.StatusUnprocessableEntity
	case errors.As(err, &bad) && bad.Status < http.StatusInternalServerError && p.Step != "":
		p.Wrong = bad.Detail
		return http.StatusUnprocessableEntity
	case errors.As(err, &refusal):
		p.Step, p.Steps = "", nil
		p.Title, p.Hint = refusal.Detail, refusal.Reason.Help()
		if refusal.Reason == licensing.LinkInvalid {
			return http.StatusNotFound
		}
		return http.StatusGone
	}
	p.Step, p.Steps = "", nil
	p.Title, p.Hint = "Something went wrong on our side.", "What you entered before is kept. Open the link again in a minute."
	h.Logger.LogAttrs(r.Context(), slog.LevelError, "set-up failed", slog.String("error", err.Error()))
	for _, later := range []error{store.ErrUnavailable, store.ErrBusy, store.ErrVersion, store.ErrClosed, context.DeadlineExceeded} {
		if errors.Is(err, later) {
			return http.StatusServiceUnavailable
		}
	}
	return http.StatusInternalServerError
}

func (h *Handler) answer(w http.ResponseWriter, r *http.Request, p *page) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	l, ok := parse(strings.TrimPrefix(r.URL.Path, Path))
	if !ok {
		return &licensing.Refusal{Reason: licensing.LinkInvalid, Detail: licensing.LinkInvalid.Sentence()}
	}
	a, err := h.Store.Account(r.Context(), l.company, l.account)
	if errors.Is(err, store.ErrNotFound) {
		return &licensing.Refusal{Reason: licensing.LinkInvalid, Detail: licensing.LinkInvalid.Sentence()}
	}
	if err != nil {
		return fmt.Errorf("account %s: %w", l.account, err)
	}
	if err := licensing.CheckLink(a, l.hash, h.Clock()); err != nil {
		return err
	}
	company, err := h.Store.Company(r.Context(), l.company)
	if err != nil {
		return fmt.Errorf("company %s: %w", l.company, err)
	}
	asked := r.URL.Query().Get("step")
	if r.Method != http.MethodPost {
		p.fill(company, a, asked)
		return nil
	}
	p.fill(company, a, asked)
	if err := h.origin.Check(r); err != nil {
		return input("The form came from another page. Fill it in here, please.")
	}
	if err := r.ParseForm(); err != nil {
		return input("The form cannot be read. Fill it in again, please.")
	}
	after, err := h.take(r, p, l, company, a)
	if err != nil {
		return err
	}
	if after.Activation == store.ActivationActive {
		p.Step, p.Steps, p.Person = "", nil, after.Display
		p.Title = "You are all set."
		p.Hint = "Your account at " + company.Display + " is ready."
		return nil
	}
	http.Redirect(w, r, r.URL.Path, http.StatusSeeOther) // so that going back or reloading sends nothing twice
	return nil
}

// fill says what the page is to show: the step asked for, or the first that is not done.
func (p *page) fill(c store.Company, a store.Account, asked string) {
	p.Company, p.Person, p.Address = c.Display, a.Display, scim.Address(a)
	p.Title = "Welcome to " + c.Display
	resource := scim.Attributes(a)
	name, _ := resource["name"].(map[string]any)
	p.Given, _ = name["givenName"].(string)
	p.Family, _ = name["familyName"].(string)
	p.Zone, _ = resource["timezone"].(string)
	p.SignOn = licensing.Evaluate(c, a).SSO
	p.Managed = a.Connection != ""
	done := func(step string) bool { return slices.Contains(a.Done, step) }
	p.Step = asked
	if at := slices.Index(steps(), asked); at < 0 || slices.ContainsFunc(steps()[:at], func(s string) bool { return !done(s) }) {
		open := slices.IndexFunc(steps(), func(s string) bool { return !done(s) })
		p.Step = steps()[max(open, 0)]
	}
	titles := map[string]string{stepName: "Your name", stepSignIn: "Signing in", stepZone: "Time zone"}
	for i, s := range steps() {
		p.Steps = append(p.Steps, mark{s, titles[s], done(s), s == p.Step})
		if s == p.Step {
			p.Number = i + 1
		}
	}
}
