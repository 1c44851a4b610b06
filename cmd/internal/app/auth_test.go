package app

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"usher/scim"
	"usher/store"
)

// shelf is a store of tokens that counts how often it is asked.
type shelf struct {
	tokens      map[[32]byte]store.Token
	connections map[string]store.Connection
	asked       int
	during      func() // called while a token is being read
}

func (s *shelf) Token(_ context.Context, hash [32]byte) (store.Token, error) {
	s.asked++
	t, ok := s.tokens[hash]
	if s.during != nil {
		s.during()
	}
	if !ok {
		return store.Token{}, fmt.Errorf("token: %w", store.ErrNotFound)
	}
	return t, nil
}

func (s *shelf) Connection(_ context.Context, id string) (store.Connection, error) {
	c, ok := s.connections[id]
	if !ok {
		return store.Connection{}, fmt.Errorf("connection: %w", store.ErrNotFound)
	}
	return c, nil
}

func newShelf() *shelf {
	return &shelf{
		tokens: map[[32]byte]store.Token{
			sha256.Sum256([]byte("usher_good")): {ID: "t1", Company: "acme", Connection: "okta", Scopes: []string{"license:assign"}},
			sha256.Sum256([]byte("usher_weak")): {ID: "t2", Company: "acme", Connection: "entra"},
			sha256.Sum256([]byte("usher_soon")): {ID: "t3", Company: "acme", Connection: "okta", Expires: noon.Add(500 * time.Millisecond)},
		},
		connections: map[string]store.Connection{
			"okta":  {ID: "okta", Mode: store.ModeLive},
			"entra": {ID: "entra", Mode: store.ModePaused, QuirksOff: []string{"a-quirk"}},
		},
	}
}

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func request(header ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/Users", nil)
	for _, h := range header {
		r.Header.Add("Authorization", h)
	}
	return r
}

func TestAuthenticate(t *testing.T) {
	okta := scim.Principal{Company: "acme", Connection: "okta", MayAssign: true}
	entra := scim.Principal{Company: "acme", Connection: "entra", Paused: true, QuirksOff: []string{"a-quirk"}}
	tests := []struct {
		name   string
		header []string
		want   *scim.Principal // nil: not authenticated
	}{
		{"bearer", []string{"Bearer usher_good"}, &okta},
		{"scheme without case", []string{"bEARER usher_good"}, &okta},
		{"more than one space", []string{" Bearer   usher_good "}, &okta},
		{"token alone", []string{"usher_good"}, &okta},
		{"paused connection", []string{"Bearer usher_weak"}, &entra},
		{"no header", nil, nil},
		{"empty header", []string{""}, nil},
		{"scheme alone", []string{"Bearer"}, nil},
		{"unknown token", []string{"Bearer wrong"}, nil},
		{"another scheme", []string{"Basic usher_good"}, nil},
		{"three words", []string{"Bearer Bearer usher_good"}, nil},
		{"two headers", []string{"Bearer usher_good", "Bearer usher_weak"}, nil},
		{"case of the token counts", []string{"Bearer USHER_GOOD"}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := newAuthenticator(newShelf(), func() time.Time { return noon }, rememberFor)
			got, err := a.authenticate(request(tt.header...))
			if tt.want == nil {
				if !errors.Is(err, scim.ErrUnauthenticated) {
					t.Errorf("%+v, %v; want ErrUnauthenticated", got, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(*tt.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestAuthenticate_Remembers(t *testing.T) {
	s, now := newShelf(), noon
	a := newAuthenticator(s, func() time.Time { return now }, rememberFor)
	good := func() error {
		_, err := a.authenticate(request("Bearer usher_good"))
		return err
	}
	for range 10 {
		if err := good(); err != nil {
			t.Fatal(err)
		}
	}
	if s.asked != 1 {
		t.Errorf("the store was asked %d times for ten requests, want once", s.asked)
	}

	// Somebody else revokes the token: it ends within a second.
	delete(s.tokens, sha256.Sum256([]byte("usher_good")))
	now = now.Add(rememberFor)
	if err := good(); !errors.Is(err, scim.ErrUnauthenticated) {
		t.Errorf("a second after the revocation: %v, want ErrUnauthenticated", err)
	}
}

func TestAuthenticate_Forgets(t *testing.T) {
	s := newShelf()
	a := newAuthenticator(s, func() time.Time { return noon }, rememberFor)
	if _, err := a.authenticate(request("Bearer usher_good")); err != nil {
		t.Fatal(err)
	}
	delete(s.tokens, sha256.Sum256([]byte("usher_good")))
	a.forget()
	if _, err := a.authenticate(request("Bearer usher_good")); !errors.Is(err, scim.ErrUnauthenticated) {
		t.Errorf("after the revocation: %v, want ErrUnauthenticated", err)
	}
}

// A token that is revoked while it is being looked up is not remembered.
func TestAuthenticate_RevokedMeanwhile(t *testing.T) {
	s := newShelf()
	a := newAuthenticator(s, func() time.Time { return noon }, rememberFor)
	s.during = func() {
		delete(s.tokens, sha256.Sum256([]byte("usher_good")))
		a.forget()
	}
	if _, err := a.authenticate(request("Bearer usher_good")); err != nil { // it was read before it was revoked
		t.Fatal(err)
	}
	if _, err := a.authenticate(request("Bearer usher_good")); !errors.Is(err, scim.ErrUnauthenticated) {
		t.Errorf("after the revocation: %v, want ErrUnauthenticated", err)
	}
}

func TestAuthenticate_Expires(t *testing.T) {
	now := noon
	a := newAuthenticator(newShelf(), func() time.Time { return now }, rememberFor)
	if _, err := a.authenticate(request("Bearer usher_soon")); err != nil {
		t.Fatal(err)
	}
	now = noon.Add(500 * time.Millisecond) // less than what it is remembered for
	if _, err := a.authenticate(request("Bearer usher_soon")); !errors.Is(err, scim.ErrUnauthenticated) {
		t.Errorf("at its end: %v, want ErrUnauthenticated", err)
	}
}

func TestAuthenticate_Bounded(t *testing.T) {
	s := newShelf()
	a := newAuthenticator(s, func() time.Time { return noon }, rememberFor)
	for i := range rememberMost + 10 {
		token := fmt.Sprintf("usher_%d", i)
		s.tokens[sha256.Sum256([]byte(token))] = store.Token{ID: token, Company: "acme", Connection: "okta"}
		if _, err := a.authenticate(request(token)); err != nil {
			t.Fatal(err)
		}
	}
	if len(a.known) > rememberMost {
		t.Errorf("%d tokens are remembered, want %d at most", len(a.known), rememberMost)
	}
}

// A store that fails is not the fault of the credentials.
func TestAuthenticate_StoreFails(t *testing.T) {
	s := newShelf()
	delete(s.connections, "okta")
	a := newAuthenticator(s, func() time.Time { return noon }, rememberFor)
	if _, err := a.authenticate(request("Bearer usher_good")); err == nil || errors.Is(err, scim.ErrUnauthenticated) {
		t.Errorf("%v, want an error that is not ErrUnauthenticated", err)
	}
}

func FuzzBearer(f *testing.F) {
	for _, seed := range []string{"Bearer usher_x", "usher_x", "bearer", "Basic YTpi", "", " \t", "Bearer a b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		token, err := bearer([]string{header})
		if err != nil && !errors.Is(err, scim.ErrUnauthenticated) {
			t.Errorf("%q: %v is not ErrUnauthenticated", header, err)
		}
		if err == nil && (token == "" || strings.ContainsAny(token, " \t\r\n") || !strings.Contains(header, token)) {
			t.Errorf("%q gives the token %q", header, token)
		}
	})
}
