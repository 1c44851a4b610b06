package sso

import (
	"context"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/sync/singleflight"
)

const (
	// keysFresh is how long keys are used without asking for them again: a key that was revoked lives on no longer than this.
	keysFresh = 10 * time.Minute
	// staleFor is how long keys and metadata are used whose renewal fails.
	staleFor = 24 * time.Hour
	// refetchEvery is how often keys are asked for because a token names one that is not known. Anybody can send such tokens.
	refetchEvery = 30 * time.Second
	// retryEvery is how often something is asked for again that could not be had.
	retryEvery = 10 * time.Second
	maxKeys    = 100
	minRSA     = 2048 // bits
)

var (
	errNoKeys    = errors.New("the keys cannot be had")
	errSignature = errors.New("no key of the identity provider has made the signature")
)

// keySet is the keys by which an identity provider signs. It implements [oidc.KeySet] and is safe for concurrent use.
//
// What the library's own lacks: a limit to how often strangers can have the keys fetched, an end to the life of revoked keys, tolerance for
// keys that nobody can read, and an answer while the provider is down.
type keySet struct {
	url    string
	client *http.Client
	clock  func() time.Time
	flight singleflight.Group

	mu      sync.Mutex
	keys    []jose.JSONWebKey
	fetched time.Time    // when the keys were had; zero: never
	tried   time.Time    // when it was last tried in vain
	missed  [2]time.Time // when they were last asked for because of a token, of strangers and of the provider itself
}

func newKeySet(url string, client *http.Client, clock func() time.Time) *keySet {
	return &keySet{url: url, client: client, clock: clock}
}

// VerifySignature implements [oidc.KeySet]. Errors: errSignature, errNoKeys.
func (s *keySet) VerifySignature(ctx context.Context, token string) ([]byte, error) {
	return s.verify(ctx, token, false)
}

// verify is VerifySignature for a token that came straight from the provider, or that anybody may have sent: what strangers send cannot keep a new
// key from being found.
func (s *keySet) verify(ctx context.Context, token string, straight bool) ([]byte, error) {
	jws, err := jose.ParseSignedCompact(token, algorithms())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errSignature, err)
	}
	if len(jws.Signatures) != 1 {
		return nil, fmt.Errorf("%w: %d signatures", errSignature, len(jws.Signatures))
	}
	keys, err := s.current(ctx)
	if err != nil {
		return nil, err
	}
	payload, known := signedBy(jws, keys)
	if payload != nil {
		return payload, nil
	}
	if known { // it was made by another key under the same name
		return nil, errSignature
	}
	if keys, err = s.renewed(ctx, straight); err != nil {
		return nil, err
	}
	if payload, _ = signedBy(jws, keys); payload == nil {
		return nil, errSignature
	}
	return payload, nil
}

// signedBy gives what was signed if one of the keys has signed it, else nil and whether there is a key with the name that the token says.
func signedBy(jws *jose.JSONWebSignature, keys []jose.JSONWebKey) (payload []byte, known bool) {
	header := jws.Signatures[0].Header
	for i := range keys {
		k := &keys[i]
		if header.KeyID != "" && k.KeyID != header.KeyID || k.Algorithm != "" && k.Algorithm != header.Algorithm {
			continue
		}
		known = known || header.KeyID != ""
		if payload, err := jws.Verify(k); err == nil {
			return payload, true
		}
	}
	return nil, known
}

// current gives the keys, which are asked for anew when they are not fresh.
func (s *keySet) current(ctx context.Context) ([]jose.JSONWebKey, error) {
	s.mu.Lock()
	now := s.clock()
	keys, age, never := s.keys, now.Sub(s.fetched), s.fetched.IsZero()
	resting := now.Sub(s.tried) < retryEvery
	s.mu.Unlock()
	usable := !never && age < staleFor
	switch {
	case usable && (age < keysFresh || resting):
		return keys, nil
	case resting:
		return nil, fmt.Errorf("%w: the last try is only some seconds ago", errNoKeys)
	}
	fresh, err := s.fetch(ctx)
	if err != nil && usable {
		return keys, nil
	}
	return fresh, err
}

// renewed gives the keys after they were asked for anew, if that was not just done.
func (s *keySet) renewed(ctx context.Context, straight bool) ([]jose.JSONWebKey, error) {
	s.mu.Lock()
	now := s.clock()
	whose := 0
	if straight {
		whose = 1
	}
	wait := now.Sub(s.missed[whose]) < refetchEvery
	if !wait {
		s.missed[whose] = now
	}
	keys := s.keys
	s.mu.Unlock()
	if wait {
		return keys, nil
	}
	fresh, err := s.fetch(ctx)
	if err != nil { // those that are there do not have it
		return keys, nil
	}
	return fresh, nil
}

// fetch asks for the keys; who asks meanwhile gets the same answer.
func (s *keySet) fetch(ctx context.Context) ([]jose.JSONWebKey, error) {
	got, err, _ := s.flight.Do("", func() (any, error) {
		keys, err := s.load(context.WithoutCancel(ctx)) // who asked first may go, others wait for it too
		s.mu.Lock()
		defer s.mu.Unlock()
		if err != nil {
			s.tried = s.clock()
			return nil, err
		}
		s.keys, s.fetched, s.tried = keys, s.clock(), time.Time{}
		return keys, nil
	})
	if err != nil {
		return nil, err
	}
	return got.([]jose.JSONWebKey), nil
}

func (s *keySet) load(ctx context.Context) ([]jose.JSONWebKey, error) {
	body, err := get(ctx, s.client, s.url)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoKeys, err)
	}
	keys, err := parseKeys(body)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoKeys, err)
	}
	return keys, nil
}

// parseKeys reads a key set (RFC 7517 section 5). Keys that cannot be used are left out, as the standard asks for: those that are malformed,
// of a kind that is not known, secret, too short, or for encryption.
func parseKeys(body []byte) ([]jose.JSONWebKey, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(body, &set); err != nil {
		return nil, errors.New("they are not a JSON Web Key Set")
	}
	if len(set.Keys) > maxKeys {
		return nil, fmt.Errorf("there are %d keys; %d at most are read", len(set.Keys), maxKeys)
	}
	var keys []jose.JSONWebKey
	for _, raw := range set.Keys {
		var k jose.JSONWebKey
		if k.UnmarshalJSON(withoutCertificates(raw)) != nil || !k.Valid() || !k.IsPublic() || k.Use != "" && k.Use != "sig" {
			continue
		}
		if public, ok := k.Key.(*rsa.PublicKey); ok && public.N.BitLen() < minRSA {
			continue
		}
		keys = append(keys, k)
	}
	if len(keys) == 0 {
		return nil, errors.New("there is no key among them that can be used")
	}
	return keys, nil
}

// withoutCertificates takes out of a key what is said of its certificate, which is not used and need not be readable.
func withoutCertificates(raw json.RawMessage) []byte {
	var members map[string]json.RawMessage
	if json.Unmarshal(raw, &members) != nil {
		return raw
	}
	for _, name := range []string{"x5c", "x5t", "x5t#S256", "x5u"} {
		delete(members, name)
	}
	b, err := json.Marshal(members)
	if err != nil {
		return raw
	}
	return b
}

// algorithms are those by which tokens may be signed at all. All are asymmetric.
func algorithms() []jose.SignatureAlgorithm {
	return []jose.SignatureAlgorithm{
		jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512, jose.ES256, jose.ES384, jose.ES512, jose.EdDSA,
	}
}

// knownAlgorithm says whether an algorithm is one of algorithms.
func knownAlgorithm(name string) bool {
	return slices.Contains(algorithms(), jose.SignatureAlgorithm(name))
}
