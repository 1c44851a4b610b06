package practiceidp

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Person is somebody whom the page offers.
type Person struct {
	Subject  string // the claim sub; a person without one is not offered
	UserName string // the claim preferred_username
	Name     string
	Email    string
	Note     string // one line shown under the name; may be empty
}

// Config is what a handler is made of.
type Config struct {
	Issuer       string // scheme and host, as in http://127.0.0.1:8081
	ClientID     string
	ClientSecret string
	RedirectURIs []string // compared exactly
	LogoutURIs   []string // the values of post_logout_redirect_uri, compared exactly

	// People gives whom the page offers. It is asked anew for each page and each choice, by several requests at once.
	People func(ctx context.Context) ([]Person, error)

	Clock  func() time.Time // nil: the system's
	Logger *slog.Logger     // nil: nothing is logged
}

// Handler answers at the paths under the issuer. It is safe for concurrent use.
type Handler struct {
	config  Config
	key     signingKey
	codes   codes
	pages   *template.Template
	mux     *http.ServeMux
	targets string // where the pages' forms may lead, in the words of a content security policy
}

//go:embed pages
var files embed.FS

// The paths under the issuer.
const (
	pathDiscovery = "/.well-known/openid-configuration"
	pathKeys      = "/jwks"
	pathAuthorize = "/authorize"
	pathToken     = "/token"
	pathLogout    = "/logout"
)

// maxForm is how many bytes of a query or a form are read.
const maxForm = 16 << 10

// New makes a handler with a fresh signing key.
func New(c Config) (*Handler, error) {
	if err := check(c); err != nil {
		return nil, err
	}
	c.RedirectURIs, c.LogoutURIs = slices.Clone(c.RedirectURIs), slices.Clone(c.LogoutURIs)
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	pages, err := template.ParseFS(files, "pages/*.html")
	if err != nil {
		return nil, fmt.Errorf("pages: %w", err)
	}
	key, err := newSigningKey()
	if err != nil {
		return nil, err
	}
	h := &Handler{config: c, key: key, pages: pages, mux: http.NewServeMux()}
	h.targets = targets(slices.Concat(c.RedirectURIs, c.LogoutURIs))
	h.mux.HandleFunc(pathDiscovery, only(h.discovery, http.MethodGet, http.MethodHead))
	h.mux.HandleFunc(pathKeys, only(h.keys, http.MethodGet, http.MethodHead))
	h.mux.HandleFunc(pathAuthorize, only(h.authorize, http.MethodGet, http.MethodHead, http.MethodPost))
	h.mux.HandleFunc(pathToken, only(h.token, http.MethodPost))
	h.mux.HandleFunc(pathLogout, only(h.logout, http.MethodGet, http.MethodHead, http.MethodPost))
	h.mux.HandleFunc("/", h.nowhere)
	return h, nil
}

// check says what is wrong with a configuration.
func check(c Config) error {
	issuer, err := absolute(c.Issuer)
	switch {
	case err != nil:
		return fmt.Errorf("issuer: %w", err)
	case c.Issuer != issuer.Scheme+"://"+issuer.Host:
		return fmt.Errorf("issuer: %q is not just a scheme and a host", c.Issuer)
	case c.ClientID == "":
		return errors.New("client id: missing")
	case c.ClientSecret == "":
		return errors.New("client secret: missing")
	case len(c.RedirectURIs) == 0:
		return errors.New("redirect URIs: there is none")
	case c.People == nil:
		return errors.New("people: missing")
	}
	for _, uri := range c.RedirectURIs {
		if _, err := absolute(uri); err != nil {
			return fmt.Errorf("redirect URI: %w", err)
		}
	}
	for _, uri := range c.LogoutURIs {
		if _, err := absolute(uri); err != nil {
			return fmt.Errorf("logout URI: %w", err)
		}
	}
	return nil
}

// absolute reads an address that a browser can be sent to.
func absolute(uri string) (*url.URL, error) {
	u, err := url.Parse(uri)
	switch {
	case err != nil:
		return nil, err // it names the address
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return nil, fmt.Errorf("%q is not an absolute http or https address", uri)
	case strings.Contains(uri, "#"):
		return nil, fmt.Errorf("%q has a fragment", uri)
	}
	return u, nil
}

// ServeHTTP answers one request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Cache-Control", "no-store")
	header.Set("Pragma", "no-cache") // asked for by RFC 6749, 5.1
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Content-Security-Policy", "default-src 'none'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'") // pages say more
	if len(r.URL.RawQuery) > maxForm {
		http.Error(w, "The address is too long.", http.StatusRequestURITooLong)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	h.mux.ServeHTTP(w, r)
}

// only lets the methods through.
func only(f http.HandlerFunc, methods ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !slices.Contains(methods, r.Method) {
			w.Header().Set("Allow", strings.Join(methods, ", "))
			http.Error(w, http.StatusText(http.StatusMethodNotAllowed), http.StatusMethodNotAllowed)
			return
		}
		f(w, r)
	}
}

// nowhere answers at every other path, for whoever opens the issuer out of curiosity.
func (h *Handler) nowhere(w http.ResponseWriter, r *http.Request) {
	h.show(w, r, http.StatusNotFound, page{
		Title: "There is no page here.",
		Hint:  "Begin at the application: it sends you here when it wants to know who you are.",
	})
}

// values reads the parameters of a request to a page: the query of a GET, the form of a POST.
func values(r *http.Request) (url.Values, error) {
	if r.Method != http.MethodPost {
		return url.ParseQuery(r.URL.RawQuery)
	}
	if err := r.ParseForm(); err != nil {
		return nil, err
	}
	return r.PostForm, nil
}
