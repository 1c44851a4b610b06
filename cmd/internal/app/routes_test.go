package app

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestRoutes(t *testing.T) {
	var got string
	h := routes(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.URL.Path + "?" + r.URL.RawQuery }), http.NotFoundHandler(), http.NotFoundHandler(), http.NotFoundHandler(),
		func(context.Context) error { return nil })
	tests := []struct {
		path   string
		scim   string // path and query that SCIM sees; empty: it does not see the request
		status int
	}{
		{"/scim/v2/Users/1", "/Users/1?", 200},
		{"/scim/v2/Users?filter=a%2Fb", "/Users?filter=a%2Fb", 200},
		{"/scim/v2//Users/1", "//Users/1?", 200}, // SCIM takes doubled slashes itself; what matters is that nothing redirects
		{"//scim/v2/Users/", "/Users/?", 200},
		{"/scim/v2", "?", 200},
		{"/scim/v2/", "/?", 200},
		{"/scim/Users", "/Users?", 200},       // the newest version
		{"/scim/v3/Users", "/v3/Users?", 200}, // SCIM refuses it
		{"/scimitar/Users", "", 404},
		{"/healthz", "", 200},
		{"/readyz", "", 200},
		{"/", "", 404},
	}
	for _, tt := range tests {
		got = ""
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://localhost"+tt.path, nil))
		if got != tt.scim || w.Code != tt.status {
			t.Errorf("%s: SCIM saw %q and the status is %d; want %q and %d", tt.path, got, w.Code, tt.scim, tt.status)
		}
	}
}
