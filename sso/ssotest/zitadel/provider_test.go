package zitadel_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"

	"usher/sso"
	"usher/store"
)

// key is one by which the provider signs.
type key struct {
	id        string
	algorithm jose.SignatureAlgorithm
	private   crypto.Signer
}

func newKey(t *testing.T, algorithm jose.SignatureAlgorithm) *key {
	t.Helper()
	k := &key{id: store.NewID(), algorithm: algorithm}
	var err error
	switch algorithm {
	case jose.ES256:
		k.private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case jose.EdDSA:
		_, k.private, err = ed25519.GenerateKey(rand.Reader)
	default:
		k.private, err = rsa.GenerateKey(rand.Reader, 2048)
	}
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// ID, SignatureAlgorithm and Key implement [op.SigningKey].
func (k *key) ID() string                                  { return k.id }
func (k *key) SignatureAlgorithm() jose.SignatureAlgorithm { return k.algorithm }
func (k *key) Key() any                                    { return k.private }

// published is the public half; it implements [op.Key].
type published struct{ *key }

func (p published) Algorithm() jose.SignatureAlgorithm { return p.algorithm }
func (p published) Use() string                        { return "sig" }
func (p published) Key() any                           { return p.private.Public() }

// provider is the example server with its storage, of which some is replaced: the example's clients cannot sign out, and it has one key.
type provider struct {
	*storage.Storage
	server    *httptest.Server
	signedOut string // the client's post_logout_redirect_uri
	keysURI   string // of the client, for private_key_jwt

	mu     sync.Mutex
	keys   []*key   // the first one signs
	auth   []string // by which clients have authenticated at the token endpoint
	ended  []string // subjects who have signed out
	method oidc.AuthMethod
}

// registered is the client as it is registered.
type registered struct {
	op.Client
	p *provider
}

func (c registered) AuthMethod() oidc.AuthMethod      { return c.p.method }
func (c registered) PostLogoutRedirectURIs() []string { return []string{c.p.signedOut} }

func (p *provider) GetClientByClientID(ctx context.Context, id string) (op.Client, error) {
	c, err := p.Storage.GetClientByClientID(ctx, id)
	if err != nil {
		return nil, err
	}
	return registered{c, p}, nil
}

func (p *provider) SigningKey(context.Context) (op.SigningKey, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.keys[0], nil
}

func (p *provider) SignatureAlgorithms(context.Context) ([]jose.SignatureAlgorithm, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return []jose.SignatureAlgorithm{p.keys[0].algorithm}, nil
}

func (p *provider) KeySet(context.Context) (set []op.Key, _ error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, k := range p.keys {
		set = append(set, published{k})
	}
	return set, nil
}

// rotate has the provider sign by another key. The ones before stay published for the tokens that they have signed.
func (p *provider) rotate(k *key) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.keys = append([]*key{k}, p.keys...)
}

// GetKeyByIDAndClientID gives the key of a client that authenticates by one, from where the client publishes it.
func (p *provider) GetKeyByIDAndClientID(ctx context.Context, id, client string) (*jose.JSONWebKey, error) {
	if client != clientID {
		return nil, errors.New("no such client")
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, p.keysURI, nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	var set jose.JSONWebKeySet
	if err := json.NewDecoder(resp.Body).Decode(&set); err != nil {
		return nil, err
	}
	if found := set.Key(id); len(found) == 1 {
		return &found[0], nil
	}
	return nil, fmt.Errorf("no key %q", id)
}

// SetUserinfoFromToken adds the claim that Microsoft Entra ID has.
func (p *provider) SetUserinfoFromToken(ctx context.Context, info *oidc.UserInfo, token, subject, origin string) error {
	info.AppendClaims("oid", subject)
	return p.Storage.SetUserinfoFromToken(ctx, info, token, subject, origin)
}

func (p *provider) TerminateSession(ctx context.Context, subject, client string) error {
	p.mu.Lock()
	p.ended = append(p.ended, subject+" of "+client)
	p.mu.Unlock()
	return p.Storage.TerminateSession(ctx, subject, client)
}

// note keeps how the client has authenticated: the example server takes a secret in either way, whatever is registered.
func (p *provider) note(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/oauth/token" {
			var by []string
			if _, _, ok := r.BasicAuth(); ok {
				by = append(by, sso.AuthBasic)
			}
			if r.PostFormValue("client_secret") != "" {
				by = append(by, sso.AuthPost)
			}
			if r.PostFormValue("client_assertion") != "" {
				by = append(by, sso.AuthPrivateKey)
			}
			p.mu.Lock()
			p.auth = append(p.auth, strings.Join(by, "+"))
			p.mu.Unlock()
		}
		next.ServeHTTP(w, r)
	})
}
