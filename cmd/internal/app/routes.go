package app

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"usher/cmd/internal/setup"
	"usher/sso"
)

// scimPath is where the SCIM endpoint is mounted. Without a version in the path it is the same one (RFC 7644 section 3.13).
const (
	scimPath        = "/scim/v2"
	scimUnversioned = "/scim"
)

// readyWithin is how long the store may take to say that it is there.
const readyWithin = 3 * time.Second

// adminPath is where the admin API is mounted for admins of companies.
const adminPath = "/admin/api"

// routes gives each request to the room that it is for.
//
// SCIM is taken out before the mux: http.ServeMux answers a path with "//" by a redirect, and identity providers that join a base
// address ending in "/" with "/Users" follow none.
//
// ready says whether the server can do its work, which is more than that it runs.
func routes(scim, admin, pages, signOn http.Handler, ready func(context.Context) error) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = io.WriteString(w, "ok\n")
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		ctx, cancel := context.WithTimeout(r.Context(), readyWithin)
		defer cancel()
		if err := ready(ctx); err != nil {
			w.Header().Set("Retry-After", "5")
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = io.WriteString(w, "the store cannot be reached\n")
			return
		}
		_, _ = io.WriteString(w, "ok\n")
	})
	mux.Handle("GET "+setup.Path, pages)
	mux.Handle("POST "+setup.Path, pages)
	mux.Handle(sso.Path, signOn)
	mux.Handle(sso.Path+"/", signOn)
	mux.Handle(sso.SignInPath, signOn)
	mux.Handle(adminPath+"/", http.StripPrefix(adminPath, admin))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path, ok := below(scimPath, r.URL.Path)
		if !ok {
			path, ok = below(scimUnversioned, r.URL.Path)
		}
		if ok {
			stripped := *r
			stripped.URL = new(url.URL)
			*stripped.URL = *r.URL
			stripped.URL.Path, stripped.URL.RawPath = path, ""
			scim.ServeHTTP(w, &stripped)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// below gives the part of a path that is below the one something is mounted at.
func below(mount, path string) (string, bool) {
	rest, ok := strings.CutPrefix("/"+strings.TrimLeft(path, "/"), mount)
	if !ok || rest != "" && rest[0] != '/' {
		return "", false
	}
	return rest, true
}
