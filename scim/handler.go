package scim

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"usher/licensing"
	"usher/scim/filter"
	"usher/scim/schema"
	"usher/store"
	"usher/store/query"
)

// Principal is who makes a request: one connection of one company, or one of its people.
type Principal struct {
	Company    string // id
	Connection string // id
	MayAssign  bool   // scope license:assign
	Paused     bool   // the connection accepts no writes
	QuirksOff  []string
	Strict     bool // all quirks are off

	// Person is the id of the account that is signed in, of a request that a person makes and not a connection. It may see itself at
	// /Me, and nothing else but the discovery documents; MayEdit lets it change what a person may say of itself.
	Person  string
	MayEdit bool
}

// ErrUnauthenticated is what Authenticate returns when the credentials are missing, wrong, expired or revoked.
var ErrUnauthenticated = errors.New("not authenticated")

// Store is what the handler reads; it writes only through the directory.
type Store interface {
	store.Accounts
	store.Groups
	ListPools(ctx context.Context, company string) ([]store.Pool, error)
	ListSchemas(ctx context.Context, company string) (all []store.Schema, revision int64, err error)
}

// Config is what a handler is made of.
type Config struct {
	Registry  *schema.Registry
	Directory *licensing.Directory
	Store     Store
	// Authenticate tells who makes the request; ErrUnauthenticated (wrapped) answers 401, any other error 500.
	Authenticate func(r *http.Request) (Principal, error)
	BaseURL      string // public address of the endpoint, "https://host/scim/v2", without a slash at the end
	Limits       Limits
	Logger       *slog.Logger
	Clock        func() time.Time // nil: the system's
	// CursorKey seals the cursors of lists: CursorKeySize random bytes that stay the same as long as cursors are to be good, on every
	// server that answers for the same address. Nil: they end with the process.
	CursorKey []byte
}

// Handler serves SCIM below the path it is mounted at, which must have been stripped from the request ("/Users", ...).
// It is safe for concurrent use.
type Handler struct {
	Config
	parser    *filter.Parser
	indexes   []query.Index
	endpoints map[string]endpoint
	common    companyTypes // of companies that have declared no schemas
	declared  sync.Map     // company -> *companyTypes
	limiter   limiter
	cursors   sealer

	instance string // names this process in request ids
	requests atomic.Uint64

	tally tally
}

// NewHandler makes a handler.
func NewHandler(c Config) (*Handler, error) {
	if c.Clock == nil {
		c.Clock = time.Now
	}
	c.Limits = c.Limits.withDefaults()
	h := &Handler{
		instance:  store.NewID(),
		Config:    c,
		parser:    filter.NewParser(c.Limits.Filter, c.Limits.Depth),
		indexes:   c.Registry.UserIndexes(),
		endpoints: endpoints(),
		limiter:   newLimiter(c.Limits.Rate, c.Limits.RateBurst),
	}
	h.parser.Base = c.BaseURL
	var err error
	if h.cursors, err = newSealer(c.CursorKey); err != nil {
		return nil, err
	}
	h.common.registry = c.Registry
	if h.common.discovery, err = newDiscovery(c); err != nil {
		return nil, fmt.Errorf("discovery documents: %w", err)
	}
	return h, nil
}

// requestID names a request: the process that answered it and a number.
func (h *Handler) requestID() string {
	return h.instance + "." + strconv.FormatUint(h.requests.Add(1), 10)
}

// exchange is one request on its way through the handler, and what its log line will say.
type exchange struct {
	*Handler
	w      http.ResponseWriter
	r      *http.Request
	ctx    context.Context
	id     string // of the request
	who    Principal
	types  *schema.Registry // the resource types as the company has them
	docs   *discovery       // what describes them
	quirks *quirks
	status int

	parameters url.Values // see params
	badQuery   error
	searching  bool           // the parameters came in a body
	data       map[string]any // the body of an operation of a bulk request, which is decoded already

	bulkSize, bulkErrors int  // operations of a bulk request, and those that failed
	returned             bool // a creation found an account that came back

	route string // the pattern of the path, for the log
	about string // the resource asked for, for people
}

// ServeHTTP answers one request and writes one line about it to the log.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := h.Clock()
	x := &exchange{Handler: h, w: w, r: r, ctx: r.Context(), id: h.requestID(), types: h.Registry, docs: &h.common.discovery, route: "other", about: "such resource"}
	w.Header().Set("Request-Id", x.id)
	err := x.guarded(x.answer)
	var wire *Error
	if err != nil {
		wire = wireError(err, x.about)
		if !errors.Is(err, errAborted) {
			x.status = wire.Status
			writeError(w, wire, x.id)
		}
	}
	h.tally.count(x.who, x.quirks.Applied(), start)
	x.log(h.Clock().Sub(start), wire)
	aborted(err)
}

// guarded does something for the request. A panic becomes an error like any other: one request must not end the others.
func (x *exchange) guarded(do func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			if p == http.ErrAbortHandler { //nolint:errorlint // the value itself is the signal
				panic(p)
			}
			err = &Error{
				Status: http.StatusInternalServerError, Detail: "The server failed to carry out the request.",
				Cause: fmt.Errorf("panic: %v\n%s", p, debug.Stack()),
			}
		}
	}()
	return do()
}

// answer carries out the request.
func (x *exchange) answer() error {
	x.quirks = newQuirks(nil, false)
	if err := x.negotiate(); err != nil {
		return err
	}
	path := segments(x.r.URL.Path)
	if len(path) == 1 && path[0] == "ServiceProviderConfig" { // readable before login, RFC 7643 section 5
		return x.serveDiscovery(path)
	}
	if err := x.authenticate(); err != nil {
		return err
	}
	return x.dispatch(path)
}

// segments splits a path; slashes at the end and doubled ones do not count.
func segments(path string) []string {
	parts := strings.Split(path, "/")
	kept := parts[:0]
	for _, p := range parts {
		if p != "" {
			kept = append(kept, p)
		}
	}
	return kept
}

// authenticate finds out who asks, and refuses those who may not.
func (x *exchange) authenticate() error {
	credentials := x.r.Header.Get("Authorization")
	if len(credentials) > x.Limits.AuthHeader {
		return x.unauthorized(true, "The Authorization header is longer than %d bytes.", x.Limits.AuthHeader)
	}
	who, err := x.Config.Authenticate(x.r)
	switch {
	case errors.Is(err, ErrUnauthenticated) && credentials == "":
		return x.unauthorized(false, "The request has no bearer token.")
	case errors.Is(err, ErrUnauthenticated):
		return x.unauthorized(true, "The bearer token is unknown, expired or revoked.")
	case err != nil:
		return err
	}
	x.who = who
	x.quirks = newQuirks(who.QuirksOff, who.Strict)
	types, err := x.typesOf(x.ctx, who.Company)
	if err != nil {
		return err
	}
	x.types, x.docs = types.registry, &types.discovery
	if err := x.throttle(1); err != nil {
		return err
	}
	if who.Paused && !x.reads() && x.r.Method != http.MethodOptions && !strings.HasSuffix(strings.TrimRight(x.r.URL.Path, "/"), "/"+searchPath) {
		return &Error{Status: http.StatusServiceUnavailable, Detail: "The connection is paused and accepts no writes.", RetryAfter: 300}
	}
	return nil
}

// throttle counts n requests against the connection's rate.
func (x *exchange) throttle(n int) error {
	wait := x.limiter.wait(x.who.Connection+x.who.Person, x.Clock(), n)
	if wait == 0 {
		return nil
	}
	seconds := int(wait/time.Second) + 1
	return &Error{
		Status: http.StatusTooManyRequests, RetryAfter: seconds,
		Detail: fmt.Sprintf("The connection sends more than %g requests a second; try again in %d s.", x.Limits.Rate, seconds),
	}
}

// unauthorized makes a 401 with the challenge of RFC 6750 section 3.
func (x *exchange) unauthorized(sent bool, format string, args ...any) error {
	challenge := `Bearer realm="scim"`
	if sent {
		challenge += `, error="invalid_token"`
	}
	x.w.Header().Set("WWW-Authenticate", challenge)
	return &Error{Status: http.StatusUnauthorized, Detail: fmt.Sprintf(format, args...)}
}

// endpoint is one endpoint with what answers each method, on the endpoint itself and on one resource below it.
type endpoint struct {
	name string // of the resource type
	all  map[string]func(x *exchange) error
	one  map[string]func(x *exchange, id string) error
}

// endpoints are those with resources; the discovery endpoints are beside them.
func endpoints() map[string]endpoint {
	type (
		all = map[string]func(*exchange) error
		one = map[string]func(*exchange, string) error
	)
	return map[string]endpoint{
		"Users": {
			"User", all{"GET": (*exchange).listUsers, "POST": (*exchange).createUser},
			one{"GET": (*exchange).getUser, "PUT": (*exchange).replaceUser, "PATCH": (*exchange).patchUser, "DELETE": (*exchange).deleteUser},
		},
		"Groups": {
			"Group", all{"GET": (*exchange).listGroups, "POST": (*exchange).createGroup},
			one{"GET": (*exchange).getGroup, "PUT": (*exchange).replaceGroup, "PATCH": (*exchange).patchGroup, "DELETE": (*exchange).deleteGroup},
		},
		"Licenses": {"License", all{"GET": (*exchange).listLicenses}, one{"GET": (*exchange).getLicense}},
	}
}

// dispatch finds what answers a path and method.
func (x *exchange) dispatch(path []string) error {
	if x.who.Person != "" && (len(path) == 0 || path[len(path)-1] == searchPath) {
		return notAPersonsBusiness()
	}
	if len(path) > 0 && path[len(path)-1] == searchPath {
		return x.dispatchSearch(path[:len(path)-1])
	}
	if len(path) == 0 {
		x.route = "/"
		if x.reads() {
			return x.listAll()
		}
		return x.methodNotAllowed(http.MethodGet)
	}
	if len(path) > 2 || isVersion(path[0]) {
		return x.noEndpoint()
	}
	e, ok := x.endpoints[path[0]]
	switch {
	case path[0] == "Me" && len(path) == 1:
		x.route = "/Me"
		return x.me()
	case x.who.Person != "" && (ok || path[0] == "Bulk"):
		return notAPersonsBusiness()
	case path[0] == "Bulk" && len(path) == 1:
		x.route = "/Bulk"
		return x.bulk()
	case !ok:
		return x.serveDiscovery(path)
	}
	method := x.r.Method
	if method == http.MethodHead { // net/http leaves the body out
		method = http.MethodGet
	}
	if len(path) == 1 {
		x.route = "/" + path[0]
		if f, ok := e.all[method]; ok {
			return f(x)
		}
		return x.methodNotAllowed(slices.Collect(maps.Keys(e.all))...)
	}
	x.route, x.about = "/"+path[0]+"/{id}", e.name+" with the id "+quoted(path[1])
	if f, ok := e.one[method]; ok {
		return f(x, path[1])
	}
	return x.methodNotAllowed(slices.Collect(maps.Keys(e.one))...)
}

// searchPath ends the path of a search by POST.
const searchPath = ".search"

// dispatchSearch answers a search at the root or at an endpoint.
func (x *exchange) dispatchSearch(path []string) error {
	switch len(path) {
	case 0:
		x.route = "/" + searchPath
		return x.search((*exchange).listAll)
	case 1:
		if e, ok := x.endpoints[path[0]]; ok {
			x.route = "/" + path[0] + "/" + searchPath
			return x.search(e.all[http.MethodGet])
		}
	}
	return x.noEndpoint()
}

// reads says whether the request only reads; net/http leaves the body of an answer to HEAD out.
func (x *exchange) reads() bool { return x.r.Method == http.MethodGet || x.r.Method == http.MethodHead }

// listAll lists the resources of all types (RFC 7644 section 3.4.2.1).
func (x *exchange) listAll() error {
	return x.list(x.users(), x.groups(), x.licenses())
}

// methodNotAllowed refuses a method and says which are possible (RFC 9110 section 15.5.6).
func (x *exchange) methodNotAllowed(possible ...string) error {
	allowed := slices.Sorted(slices.Values(possible))
	if slices.Contains(allowed, http.MethodGet) {
		allowed = append(allowed, http.MethodHead)
	}
	list := strings.Join(allowed, ", ")
	x.w.Header().Set("Allow", list)
	if x.r.Method == http.MethodOptions { // RFC 9110 section 9.3.7
		return x.reply(http.StatusNoContent, nil)
	}
	return &Error{Status: http.StatusMethodNotAllowed, Detail: fmt.Sprintf("%s is not possible here; %s is.", x.r.Method, list)}
}

func (x *exchange) noEndpoint() error {
	if path := segments(x.r.URL.Path); len(path) > 0 && isVersion(path[0]) {
		return badRequest("invalidVers", "The version %s of the protocol is not served; v2 is.", quoted(path[0]))
	}
	return &Error{
		Status: http.StatusNotFound,
		Detail: fmt.Sprintf("There is no endpoint %s; there are /Users, /Groups, /Licenses, /Schemas, /ResourceTypes and /ServiceProviderConfig.", quoted(x.r.URL.Path)),
	}
}

// isVersion says whether a part of a path is a version of the protocol (RFC 7644 section 3.13).
func isVersion(part string) bool {
	return len(part) > 1 && part[0]|0x20 == 'v' && strings.Trim(part[1:], "0123456789.") == ""
}

// change makes a change of the request's company and actor.
func (x *exchange) change(do licensing.Operation) licensing.Change {
	actor := store.Actor{Kind: "connection", ID: x.who.Connection}
	if x.who.Person != "" {
		actor = store.Actor{Kind: "person", ID: x.who.Person}
	}
	return licensing.Change{
		Company: x.who.Company, Actor: actor,
		Door: licensing.DoorSCIM, Request: x.id, MayAssign: x.who.MayAssign, Tolerated: x.quirks.names, Do: do,
	}
}

// log writes the request's one line. It names no person and no filter value.
func (x *exchange) log(took time.Duration, e *Error) {
	level := slog.LevelInfo
	attrs := make([]slog.Attr, 0, 10)
	attrs = append(attrs,
		slog.String("request", x.id), slog.String("method", x.r.Method), slog.String("route", x.route), slog.Int("status", x.status),
		slog.Duration("took", took), slog.String("company", x.who.Company), slog.String("connection", x.who.Connection))
	if x.bulkSize > 0 {
		attrs = append(attrs, slog.Int("operations", x.bulkSize), slog.Int("failed", x.bulkErrors))
	}
	if applied := x.quirks.Applied(); len(applied) > 0 {
		attrs = append(attrs, slog.Any("quirks", applied))
	}
	if e != nil {
		attrs = append(attrs, slog.String("scimType", e.ScimType))
		var refusal *licensing.Refusal
		switch {
		case e.Status >= http.StatusInternalServerError && e.Cause != nil:
			attrs = append(attrs, slog.Any("cause", e.Cause))
		case errors.As(e.Cause, &refusal): // other causes of a 4xx quote what the request said
			attrs = append(attrs, slog.String("reason", string(refusal.Reason)))
		}
		switch e.Status {
		case http.StatusServiceUnavailable:
			level = slog.LevelWarn
		case http.StatusInternalServerError:
			level = slog.LevelError
		}
	}
	x.Logger.LogAttrs(x.ctx, level, "scim", attrs...)
}

// send writes an answer with its length.
func send(w http.ResponseWriter, status int, body []byte) {
	if len(body) > 0 {
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	}
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that went away is told nothing more
}

// reply sends a success.
func (x *exchange) reply(status int, body []byte) error {
	x.status = status
	send(x.w, status, body)
	return nil
}

// describes says which resource an answer is the representation of, and at which version.
func (x *exchange) describes(path, etag string) {
	header := x.w.Header()
	header.Set("Content-Location", x.BaseURL+path)
	header.Set("ETag", etag)
}

// replyDocument sends a document that has no version of its own: its ETag is made of what it says.
func (x *exchange) replyDocument(body []byte) error {
	sum := sha256.Sum256(body)
	etag := `W/"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`
	if done, err := x.fresh(etag, true); done || err != nil {
		return x.unchanged(err)
	}
	x.w.Header().Set("ETag", etag)
	return x.reply(http.StatusOK, body)
}
