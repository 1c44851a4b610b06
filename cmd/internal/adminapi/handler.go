package adminapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"usher/cmd/internal/credential"
	"usher/cmd/internal/doctor"
	"usher/cmd/internal/limit"
	"usher/licensing"
	"usher/scim"
	"usher/scim/schema"
	"usher/sso"
	"usher/store"
)

const (
	// maxBody is the most that is read of a request, in bytes.
	maxBody = 1 << 20
	// operatorHeader carries the name by which the audit log knows the one who asks.
	operatorHeader = "Usher-Operator"
)

// Store is what the handler reads, and the connections and tokens that it writes.
type Store interface {
	store.Connections
	store.Schemas
	store.AdminSessions
	store.Sessions
	store.Idempotency
	store.Events
	doctor.Store
	ListQuirks(ctx context.Context, company string) ([]store.QuirkUse, error)
	CompanyByName(ctx context.Context, name string) (store.Company, error)
	ListCompanies(ctx context.Context) ([]store.Company, error)
	Company(ctx context.Context, id string) (store.Company, error)
	ListLocalAdmins(ctx context.Context, company string) ([]store.LocalAdmin, error)
	PutLocalAdmin(ctx context.Context, c store.Company, a store.LocalAdmin, events []store.Event) error
	DeleteLocalAdmin(ctx context.Context, c store.Company, id string, events []store.Event) error
	CreateAdminKey(ctx context.Context, k store.AdminKey, events []store.Event) error
	AdminKey(ctx context.Context, hash [32]byte) (store.AdminKey, error)
	ListAdminKeys(ctx context.Context, company string) ([]store.AdminKey, error)
	DeleteAdminKey(ctx context.Context, company, id string, events []store.Event) error
	Group(ctx context.Context, company, id string) (store.Group, error)
	ListGroups(ctx context.Context, company string, q store.Query) (store.GroupPage, error)
	Account(ctx context.Context, company, id string) (store.Account, error)
	AccountByUserName(ctx context.Context, company, userName string) (store.Account, error)
	ListAccounts(ctx context.Context, company string, q store.Query) (store.AccountPage, error)
	ListRules(ctx context.Context, company string) ([]store.Rule, error)
	Pool(ctx context.Context, company, license string) (store.Pool, error)
	ListMails(ctx context.Context, company, account, before string, limit int) ([]store.Mail, error)
}

// Directory carries out the changes that concern licenses.
type Directory interface {
	Apply(ctx context.Context, c licensing.Change) (licensing.Result, error)
	Forecast(ctx context.Context, c licensing.Change) (licensing.Forecast, error)
	CheckDomain(domain string) error
	ForecastCompany(ctx context.Context, c licensing.Change, do licensing.SetCompany) (licensing.CompanyForecast, error)
	Foresee(ctx context.Context, c licensing.Change, people []licensing.NewPerson) ([]licensing.Prospect, error)
	Explain(ctx context.Context, company, account string) (licensing.Explanation, error)
}

// Config is what a handler is made of.
type Config struct {
	Store     Store
	Directory Directory
	Registry  *schema.Registry // the schemas that all companies have
	Resolver  Resolver         // nil: the machine's
	DomainKey []byte           // of the records that prove domains
	SendsMail bool             // whether somebody sends what is in the outbox
	Hasher    *credential.Hasher
	Sealer    *credential.Sealer // of the secrets of one-time passwords and of connections
	Keys      Keys               // of the sealer
	SignOn    *sso.Handler       // where people sign in
	Serves    bool               // whether a server runs that they can reach
	// Changed is called after tokens or connections have changed, before the change is answered.
	Changed func()
	// StoreQuirks stores the quirks that a running server has counted and not stored yet; nil where no server runs.
	StoreQuirks func(ctx context.Context) error
	Logger      *slog.Logger
	Clock       func() time.Time // nil: the system's
}

// Handler answers the operations. It is safe for concurrent use. It does not ask who calls, and takes everybody for the operator: whoever
// mounts it decides who can. [Handler.Public] is for everybody else.
type Handler struct {
	store       Store
	directory   Directory
	registry    *schema.Registry
	users       *scim.Users
	sendsMail   bool
	resolver    Resolver
	domainKey   []byte
	hasher      *credential.Hasher
	sealer      *credential.Sealer
	keys        Keys
	signOn      *sso.Handler
	serves      bool
	tries       *limit.Limiter
	changed     func()
	storeQuirks func(ctx context.Context) error
	log         *slog.Logger
	clock       func() time.Time
	mux         *http.ServeMux
	least       map[string]authority // pattern -> who may; not changed after NewHandler

	connections sync.Mutex // held while a connection is made or changed, and while an admin is
	sealing     sync.Mutex // held while secrets are sealed anew
	schemas     sync.Mutex // held while a schema is changed
}

// NewHandler makes a handler.
func NewHandler(c Config) *Handler {
	h := &Handler{
		store: c.Store, directory: c.Directory, registry: c.Registry, changed: c.Changed, storeQuirks: c.StoreQuirks, log: c.Logger, clock: c.Clock,
		users: scim.NewUsers(c.Registry, c.Store), sendsMail: c.SendsMail, resolver: c.Resolver, domainKey: c.DomainKey, hasher: c.Hasher, sealer: c.Sealer, keys: c.Keys, signOn: c.SignOn, serves: c.Serves, tries: limit.New(), mux: http.NewServeMux(), least: map[string]authority{},
	}
	if h.clock == nil {
		h.clock = time.Now
	}
	if h.resolver == nil {
		h.resolver = net.DefaultResolver
	}
	if h.changed == nil {
		h.changed = func() {}
	}
	for _, r := range h.routes() {
		h.handle(r)
	}
	return h
}

// ServeHTTP answers one request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.mux.ServeHTTP(w, r) }

// call is one request with what every operation needs of it.
type call struct {
	*http.Request
	caller
	id  string // of the request, for the audit log
	now time.Time
}

// operation answers with a value for the body (nil: none) or an error.
type operation func(ctx context.Context, c call) (any, error)

// companyOperation is an operation within one company.
type companyOperation func(ctx context.Context, c call, company store.Company) (any, error)

// handle mounts an operation, which takes at least the role.
func (h *Handler) handle(r route) {
	h.least[r.pattern] = r.least
	h.mux.HandleFunc(r.pattern, func(rw http.ResponseWriter, req *http.Request) {
		c := call{Request: req, id: store.NewID(), caller: callerOf(req), now: h.clock().UTC().Truncate(time.Millisecond)}
		w := &watched{ResponseWriter: rw}
		w.Header().Set("Request-Id", c.id)
		defer func() { h.tell(c, r, w.status) }()
		if c.authority < r.least {
			h.refuse(w, c, c.lacks(r.least))
			return
		}
		do := func(ctx context.Context) (int, any) {
			body, err := r.op(ctx, c)
			if err != nil {
				p := h.problemOf(c, err)
				return p.Status, p
			}
			return r.success(), body
		}
		if key := req.Header.Get(idempotencyHeader); key != "" && r.repeatable() {
			h.once(w, c, key, do)
			return
		}
		status, body := do(req.Context())
		h.send(w, status, body)
	})
}

// watched is an answer whose status is known afterwards.
type watched struct {
	http.ResponseWriter
	status int
}

func (w *watched) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// tell writes a line about a request to the log. What is in paths besides the company may be about people, and is left out.
func (h *Handler) tell(c call, r route, status int) {
	h.log.LogAttrs(context.WithoutCancel(c.Context()), slog.LevelInfo, "admin request",
		slog.String("request", c.id), slog.String("operation", r.pattern), slog.String("company", c.PathValue("company")),
		slog.String("actor", c.actor.Kind), slog.String("by", c.actor.ID), slog.Int("status", status),
		slog.Duration("took", h.clock().UTC().Sub(c.now)))
}

func (h *Handler) inCompany(op companyOperation) operation {
	return func(ctx context.Context, c call) (any, error) {
		name := c.PathValue("company")
		company, err := h.store.CompanyByName(ctx, strings.ToLower(name))
		if errors.Is(err, store.ErrNotFound) {
			return nil, noCompany(name)
		}
		if err != nil {
			return nil, fmt.Errorf("company %s: %w", name, err)
		}
		if c.company != "" && c.company != company.ID { // nobody learns that it exists
			return nil, noCompany(name)
		}
		return op(ctx, c, company)
	}
}

func noCompany(name string) error {
	return problem(http.StatusNotFound, "There is no company %q; \"usher company list\" shows those there are.", name)
}

// apply hands a change to the directory.
func (h *Handler) apply(ctx context.Context, c call, company string, do licensing.Operation) (licensing.Result, error) {
	return h.directory.Apply(ctx, h.change(c, company, do))
}

// change is the change of a request.
func (h *Handler) change(c call, company string, do licensing.Operation) licensing.Change {
	return licensing.Change{Company: company, Actor: c.actor, Door: licensing.DoorAdmin, Request: c.id, MayAssign: c.authority >= superAdmin, Do: do}
}

// event makes the event of a change that the handler writes itself.
func (c call) event(action, target string, detail any) ([]store.Event, error) {
	b, err := json.Marshal(detail)
	if err != nil {
		return nil, fmt.Errorf("event %s: %w", action, err)
	}
	kind, _, _ := strings.Cut(action, ".")
	if kind == "token" { // a part of a connection
		kind = store.EventConnection
	}
	return []store.Event{{
		Time: c.now, Kind: kind, Action: action, Actor: c.actor, Door: licensing.DoorAdmin,
		Request: c.id, Target: target, Detail: b,
	}}, nil
}

// read decodes the request's body.
func (c call) read(into any) error {
	body, err := c.body()
	if err != nil {
		return err
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return problem(http.StatusBadRequest, "The request's body is not what this operation takes: %v.", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return problem(http.StatusBadRequest, "The request's body goes on after its JSON.")
	}
	return nil
}

// body reads the request's body as a whole.
func (c call) body() ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(c.Body, maxBody+1))
	switch {
	case err != nil:
		return nil, problem(http.StatusBadRequest, "The request's body cannot be read.")
	case len(body) > maxBody:
		return nil, problem(http.StatusRequestEntityTooLarge, "The request's body has more than %d bytes.", maxBody)
	}
	return body, nil
}

// problem makes an answer that refuses a request.
func problem(status int, format string, args ...any) *Problem {
	return &Problem{Title: http.StatusText(status), Status: status, Detail: fmt.Sprintf(format, args...)}
}

// refuse answers with the problem that an error stands for.
func (h *Handler) refuse(w http.ResponseWriter, c call, err error) {
	p := h.problemOf(c, err)
	h.send(w, p.Status, p)
}

// send answers with a body, or the problem that stands in its place.
func (h *Handler) send(w http.ResponseWriter, status int, body any) {
	mediaType := "application/json"
	if p, refused := body.(*Problem); refused {
		mediaType = problemType
		if p.RetryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(p.RetryAfter))
		}
	}
	answer(w, status, mediaType, body)
}

// problemType is the media type of problems (RFC 9457).
const problemType = "application/problem+json"

// problemOf gives the problem that an error stands for. What is not meant for people is logged, not shown.
func (h *Handler) problemOf(c call, err error) *Problem {
	var (
		known    *Problem
		input    *scim.Error
		refusal  *licensing.Refusal
		conflict *store.ConflictError
	)
	switch {
	case c.Context().Err() == nil && away(err): // whatever else the error says: nothing is known
		known = problem(http.StatusServiceUnavailable, "The server cannot reach its database at the moment; try again.")
		if c.Method != http.MethodGet {
			known.Detail = "The server cannot reach its database at the moment, and it is not known whether this was done: look, or try again."
		}
		known.RetryAfter = awayRetry
		h.log.LogAttrs(c.Context(), slog.LevelError, "the store cannot be reached",
			slog.String("request", c.id), slog.String("operation", c.Pattern), slog.String("error", err.Error()))
	case errors.As(err, &known):
	case errors.As(err, &input) && input.Status < http.StatusInternalServerError:
		known = problem(input.Status, "%s", input.Detail)
	case errors.As(err, &refusal):
		known = problem(statusOf(refusal.Reason), "%s", refusal.Detail)
		known.Code = string(refusal.Reason)
	case errors.As(err, &conflict):
		known = problem(http.StatusConflict, "%s", taken(conflict))
	case errors.Is(err, store.ErrNotFound):
		known = problem(http.StatusNotFound, "What the request names does not exist.")
	case c.Context().Err() != nil: // the client has gone, and nobody reads this
		known = problem(http.StatusServiceUnavailable, "The request was given up.")
	case errors.Is(err, store.ErrBusy), errors.Is(err, store.ErrVersion):
		known = problem(http.StatusServiceUnavailable, "Others are changing the same at the moment; try again.")
		known.RetryAfter = 1
	case errors.Is(err, store.ErrClosed):
		known = problem(http.StatusServiceUnavailable, "The server is being stopped; try again.")
		known.RetryAfter = 1
	default:
		known = problem(http.StatusInternalServerError, "The operation failed; the server's log has the cause under request %s.", c.id)
		h.log.LogAttrs(c.Context(), slog.LevelError, "admin operation failed",
			slog.String("request", c.id), slog.String("operation", c.Pattern), slog.String("error", err.Error()))
	}
	return known
}

// awayRetry is after how many seconds a client may ask again when the store could not be reached: databases that fail over take some.
const awayRetry = 5

// away says whether an error is that of a store that could not be reached.
func away(err error) bool {
	return errors.Is(err, store.ErrUnavailable) || errors.Is(err, context.DeadlineExceeded)
}

// statusOf gives the status of a refusal: what was asked for is no such thing, or does not go with what there is, or may not be done.
func statusOf(r licensing.Reason) int {
	switch r {
	case licensing.UnknownSetting, licensing.NotAPaidLicense, licensing.NegativeSeats, licensing.NoCondition, licensing.InThePast, licensing.NoAddress,
		licensing.WebmailDomain:
		return http.StatusBadRequest
	case licensing.UnknownGroup, licensing.NothingToUndo:
		return http.StatusNotFound
	case licensing.NoRequest, licensing.RoleOfGuest, licensing.NoSeatAvailable, licensing.AlreadyActive, licensing.NotInvited,
		licensing.ChangedSince, licensing.CannotUndo, licensing.OverAssigned:
		return http.StatusConflict
	}
	return http.StatusForbidden
}

// taken says in a sentence which value is in use.
func taken(e *store.ConflictError) string {
	switch e.Field {
	case "Company.Name":
		return fmt.Sprintf("There is a company %q already.", e.Value)
	case "Domain":
		return fmt.Sprintf("The domain %q is verified by another company.", e.Value)
	case "Extension":
		return fmt.Sprintf("The phone extension %s is in use already.", e.Value)
	}
	return fmt.Sprintf("%q is in use already.", e.Value)
}

func answer(w http.ResponseWriter, status int, mediaType string, body any) {
	if body == nil {
		w.WriteHeader(status)
		return
	}
	w.Header().Set("Content-Type", mediaType)
	w.WriteHeader(status)
	// An error here means that the caller has gone; there is nobody left to tell.
	_ = json.NewEncoder(w).Encode(body)
}
