package app

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"usher/cmd/internal/adminapi"
	"usher/scim"
	"usher/store"
)

const (
	// rememberFor is how long a token is taken for good without a look at a store that this process has to itself. One that is revoked
	// through the admin API ends at once.
	rememberFor = time.Second
	// rememberMost is how many tokens are remembered.
	rememberMost = 10_000
)

// tokens is what the authenticator reads.
type tokens interface {
	Token(ctx context.Context, hash [32]byte) (store.Token, error)
	Connection(ctx context.Context, id string) (store.Connection, error)
}

// authenticator tells by the bearer token who makes a request. It is safe for concurrent use.
type authenticator struct {
	store    tokens
	clock    func() time.Time
	remember time.Duration // 0: each request looks at the store

	mu    sync.Mutex
	round int // grows with forget, so that what was read before it is not remembered after it
	known map[[32]byte]knownToken
}

type knownToken struct {
	principal scim.Principal
	until     time.Time
}

func newAuthenticator(s tokens, clock func() time.Time, remember time.Duration) *authenticator {
	return &authenticator{store: s, clock: clock, remember: remember, known: map[[32]byte]knownToken{}}
}

// authenticate is scim.Config.Authenticate.
func (a *authenticator) authenticate(r *http.Request) (scim.Principal, error) {
	token, err := bearer(r.Header.Values("Authorization"))
	if err != nil {
		return scim.Principal{}, err
	}
	hash := sha256.Sum256([]byte(token))
	now := a.clock()

	a.mu.Lock()
	known, ok := a.known[hash]
	round := a.round
	a.mu.Unlock()
	if ok && now.Before(known.until) {
		return known.principal, nil
	}
	known, err = a.look(r.Context(), hash, now)
	if err != nil {
		return scim.Principal{}, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.remember > 0 && a.round == round {
		if len(a.known) >= rememberMost {
			clear(a.known)
		}
		a.known[hash] = known
	}
	return known.principal, nil
}

// look reads the token and its connection from the store.
func (a *authenticator) look(ctx context.Context, hash [32]byte, now time.Time) (knownToken, error) {
	t, err := a.store.Token(ctx, hash)
	if errors.Is(err, store.ErrNotFound) {
		return knownToken{}, fmt.Errorf("%w: unknown token", scim.ErrUnauthenticated)
	}
	if err != nil {
		return knownToken{}, fmt.Errorf("token: %w", err)
	}
	until := now.Add(a.remember)
	if !t.Expires.IsZero() {
		if !now.Before(t.Expires) {
			return knownToken{}, fmt.Errorf("%w: the token %s has expired", scim.ErrUnauthenticated, t.ID)
		}
		if t.Expires.Before(until) {
			until = t.Expires
		}
	}
	c, err := a.store.Connection(ctx, t.Connection)
	if err != nil {
		return knownToken{}, fmt.Errorf("connection of token %s: %w", t.ID, err)
	}
	return knownToken{until: until, principal: scim.Principal{
		Company: t.Company, Connection: t.Connection, MayAssign: slices.Contains(t.Scopes, adminapi.ScopeAssignLicenses),
		Paused: c.Mode == store.ModePaused, QuirksOff: c.QuirksOff, Strict: c.Strict,
	}}, nil
}

// forget makes the next request of every token look at the store again.
func (a *authenticator) forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.round++
	clear(a.known)
}

// bearer takes the token out of the Authorization header (RFC 6750 section 2.1). Some clients let people enter the whole header
// and people enter only the token, so a token without a scheme is accepted. The header's length is the endpoint's to limit.
func bearer(header []string) (string, error) {
	if len(header) == 0 || strings.TrimSpace(header[0]) == "" {
		return "", fmt.Errorf("%w: no Authorization header", scim.ErrUnauthenticated)
	}
	if len(header) > 1 {
		return "", fmt.Errorf("%w: more than one Authorization header", scim.ErrUnauthenticated)
	}
	fields := strings.Fields(header[0])
	switch {
	case len(fields) == 1 && !strings.EqualFold(fields[0], "Bearer"):
		return fields[0], nil
	case len(fields) == 2 && strings.EqualFold(fields[0], "Bearer"):
		return fields[1], nil
	}
	return "", fmt.Errorf("%w: the Authorization header is not of the form \"Bearer <token>\"", scim.ErrUnauthenticated)
}
