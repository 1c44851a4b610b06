package sso

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/sync/singleflight"

	"usher/licensing"
	"usher/store"
)

// metadataFresh is how long the metadata of an identity provider are used without asking for them again.
const metadataFresh = time.Hour

// metadata is what is used of an identity provider's metadata (OpenID Connect Discovery 1.0 section 3, RFC 8414, RFC 9126, RFC 9207).
type metadata struct {
	Issuer        string   `json:"issuer"`
	Authorization string   `json:"authorization_endpoint"`
	Token         string   `json:"token_endpoint"`
	Keys          string   `json:"jwks_uri"`
	UserInfo      string   `json:"userinfo_endpoint"`
	EndSession    string   `json:"end_session_endpoint"`
	Pushed        string   `json:"pushed_authorization_request_endpoint"`
	RequirePushed bool     `json:"require_pushed_authorization_requests"`
	SaysIssuer    bool     `json:"authorization_response_iss_parameter_supported"`
	Algorithms    []string `json:"id_token_signing_alg_values_supported"`
	ClientAuth    []string `json:"token_endpoint_auth_methods_supported"`
	ResponseModes []string `json:"response_modes_supported"`
}

// provider is an identity provider as it is known at a time.
type provider struct {
	metadata
	oidc    *oidc.Provider
	keys    *keySet
	fetched time.Time
	pushed  atomic.Int64 // when a request could not be pushed, in seconds since 1970; 0: never
}

// providers knows the identity providers of the connections. It is safe for concurrent use.
type providers struct {
	network Network
	client  *http.Client
	clock   func() time.Time

	mu sync.Mutex
	of map[string]*entry // by the id of the connection
}

// entry is what is known of one connection's identity provider.
type entry struct {
	issuer string
	flight singleflight.Group

	mu     sync.Mutex
	known  *provider // nil: never had
	tried  time.Time // when it was last tried in vain
	failed error     // and why
	// distrusted says that the provider has said since then what it should not: what is known of it is not used until it says what it should.
	distrusted bool
}

func newProviders(n Network, clock func() time.Time) *providers {
	return &providers{network: n, client: n.client(), clock: clock, of: map[string]*entry{}}
}

// get gives the identity provider of a connection: from memory while that is fresh, or while it cannot be asked. Errors are denials.
func (s *providers) get(ctx context.Context, n store.Connection) (*provider, error) {
	e := s.entry(n)
	e.mu.Lock()
	now := s.clock()
	known, resting, failed := e.known, now.Sub(e.tried) < retryEvery, e.failed
	usable := known != nil && now.Sub(known.fetched) < staleFor && !e.distrusted
	e.mu.Unlock()
	switch {
	case usable && (now.Sub(known.fetched) < metadataFresh || resting):
		return known, nil
	case resting && failed != nil:
		return nil, failed
	}
	flight := e.flight.DoChan("", func() (any, error) {
		p, err := s.discover(context.WithoutCancel(ctx), n.SignOn.Issuer, known)
		e.mu.Lock()
		defer e.mu.Unlock()
		if err != nil {
			e.tried, e.failed = s.clock(), err
			e.distrusted = e.distrusted || denialOf(err).reason != licensing.IdPUnavailable
			return nil, err
		}
		e.known, e.tried, e.failed, e.distrusted = p, time.Time{}, nil, false
		return p, nil
	})
	var got any
	var err error
	select {
	case r := <-flight:
		got, err = r.Val, r.Err
	case <-ctx.Done():
		err = outboundDenial(licensing.IdPUnavailable, "the metadata", ctx.Err())
	}
	switch {
	case err != nil && usable && denialOf(err).reason == licensing.IdPUnavailable: // it is down, not another
		return known, nil
	case err != nil:
		return nil, err
	}
	return got.(*provider), nil
}

// entry gives that of a connection. With another issuer it is another.
func (s *providers) entry(n store.Connection) *entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.of[n.ID]
	if e == nil || e.issuer != n.SignOn.Issuer {
		e = &entry{issuer: n.SignOn.Issuer}
		s.of[n.ID] = e
	}
	return e
}

// discover asks an identity provider for its metadata and looks at them. The keys of before stay where their address stays.
func (s *providers) discover(ctx context.Context, issuer string, known *provider) (*provider, error) {
	if err := s.network.mayAsk(issuer); err != nil {
		return nil, outboundDenial(licensing.DiscoveryEndpoint, "the issuer "+issuer, err)
	}
	ctx = oidc.ClientContext(ctx, s.client)
	found, err := oidc.NewProvider(ctx, issuer)
	var mismatch *oidc.IssuerMismatchError
	switch {
	case errors.As(err, &mismatch):
		return nil, &denial{reason: licensing.DiscoveryIssuer, detail: fmt.Sprintf("The metadata say the issuer is %q, the connection says %q.", cut(mismatch.Discovered), issuer), err: err}
	case err != nil:
		return nil, outboundDenial(licensing.IdPUnavailable, "the metadata", err)
	}
	p := &provider{oidc: found, fetched: s.clock()}
	if err := found.Claims(&p.metadata); err != nil {
		return nil, &denial{reason: licensing.IdPUnavailable, detail: "The metadata cannot be read.", err: err}
	}
	if err := s.check(p.metadata); err != nil {
		return nil, err
	}
	if known != nil && known.metadata.Keys == p.metadata.Keys {
		p.keys = known.keys
	} else {
		p.keys = newKeySet(p.metadata.Keys, s.client, s.clock)
	}
	return p, nil
}

// check looks at the addresses in metadata.
func (s *providers) check(m metadata) error {
	for _, endpoint := range []struct {
		name, address string
		optional      bool
	}{
		{"authorization_endpoint", m.Authorization, false}, {"token_endpoint", m.Token, false}, {"jwks_uri", m.Keys, false},
		{"userinfo_endpoint", m.UserInfo, true}, {"end_session_endpoint", m.EndSession, true},
		{"pushed_authorization_request_endpoint", m.Pushed, !m.RequirePushed},
	} {
		if endpoint.address == "" && endpoint.optional {
			continue
		}
		if err := s.network.mayAsk(endpoint.address); err != nil {
			return &denial{reason: licensing.DiscoveryEndpoint, detail: fmt.Sprintf("%s %q: %v.", endpoint.name, cut(endpoint.address), err), err: err}
		}
	}
	return nil
}

// allowedAlgorithms are those of ID tokens that the connection and the provider agree on.
func (p *provider) allowedAlgorithms(n store.SignOn) []string {
	var all []string
	for _, name := range n.Algorithms {
		if len(p.Algorithms) == 0 || slices.Contains(p.Algorithms, name) {
			all = append(all, name)
		}
	}
	return all
}

// get asks for a document.
func get(ctx context.Context, client *http.Client, address string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	resp, err := client.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the answer is %s", resp.Status)
	}
	return io.ReadAll(resp.Body)
}

// outboundDenial is the denial for a request to an identity provider that failed.
func outboundDenial(reason licensing.Reason, what string, err error) *denial {
	if errors.Is(err, errBlocked) {
		reason = licensing.SSRFBlocked
	}
	return &denial{reason: reason, detail: strings.ToUpper(what[:1]) + what[1:] + ": " + cut(err.Error()), err: err}
}

// cut shortens what others say to what can be kept of it.
func cut(text string) string {
	const most = 200
	text = strings.ToValidUTF8(text, "?")
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, text)
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "")
	}
	return text
}
