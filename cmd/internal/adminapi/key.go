package adminapi

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"usher/licensing"
	"usher/store"
	"usher/store/query"
)

// authority is what a caller may do; each may do what those before it may.
type authority int

const (
	nobody authority = iota
	userAdmin
	superAdmin
	operatorOnly // whoever runs the server: above all companies
)

// caller is who makes a request.
type caller struct {
	actor     store.Actor
	authority authority
	company   string              // id of the only company that they see; empty: all
	session   *store.AdminSession // by which they came; nil: by a key or over the socket
}

// lacks says why a caller may not do what takes more.
func (c caller) lacks(least authority) error {
	if least == operatorOnly {
		p := problem(http.StatusForbidden, "Only whoever runs the server can do this, from its command line.")
		p.Code = "operator_required"
		return p
	}
	p := problem(http.StatusForbidden, "%s %s", licensing.SuperAdminRequired.Sentence(), licensing.SuperAdminRequired.Fix())
	p.Code = string(licensing.SuperAdminRequired)
	return p
}

// callerKey is the key of a caller in the context of a request that came in by [Handler.Public].
type callerKey struct{}

// callerOf gives who makes a request: an admin by their key, or the operator.
func callerOf(r *http.Request) caller {
	if c, ok := r.Context().Value(callerKey{}).(caller); ok {
		return c
	}
	operator := r.Header.Get(operatorHeader)
	if operator == "" {
		operator = "unknown"
	}
	return caller{actor: store.Actor{Kind: "operator", ID: operator}, authority: operatorOnly}
}

// keyPrefix lets people and secret scanners recognise a key that has leaked.
const keyPrefix = "usher_admin_"

// Public is the handler for the network: it answers local admins of companies who show a key of theirs as a bearer token (RFC 6750), with
// what their role lets them do in their company.
func (h *Handler) Public() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		if _, pattern := h.mux.Handler(r); pattern != "" && h.least[pattern] == nobody { // signing in
			h.mux.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), callerKey{}, caller{})))
			return
		}
		who, err := h.authenticate(r)
		if err != nil {
			w.Header().Set("WWW-Authenticate", `Bearer realm="usher admin"`)
			h.refuse(w, call{Request: r, id: store.NewID()}, err)
			return
		}
		h.mux.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), callerKey{}, who)))
	})
}

// authenticate tells by the key who makes a request.
func (h *Handler) authenticate(r *http.Request) (caller, error) {
	scheme, secret, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if secret = strings.TrimSpace(secret); !strings.EqualFold(scheme, "Bearer") || secret == "" || len(secret) > maxKey {
		return caller{}, problem(http.StatusUnauthorized, "This takes a bearer token: one of POST /v1/sessions, or a key of a local admin (usher key create).")
	}
	if strings.HasPrefix(secret, sessionPrefix) {
		return h.bySession(r.Context(), sha256.Sum256([]byte(secret)))
	}
	unknown := problem(http.StatusUnauthorized, "The key is not one that is valid.")
	k, err := h.store.AdminKey(r.Context(), sha256.Sum256([]byte(secret)))
	switch {
	case errors.Is(err, store.ErrNotFound):
		return caller{}, unknown
	case err != nil:
		return caller{}, fmt.Errorf("key: %w", err)
	case !k.Expires.IsZero() && !h.clock().Before(k.Expires):
		return caller{}, unknown
	}
	admins, err := h.store.ListLocalAdmins(r.Context(), k.Company)
	if err != nil {
		return caller{}, fmt.Errorf("list local admins: %w", err)
	}
	at := slices.IndexFunc(admins, func(a store.LocalAdmin) bool { return a.ID == k.Admin })
	if at < 0 {
		return caller{}, unknown
	}
	return caller{actor: store.Actor{Kind: kindAdmin, ID: admins[at].Login}, authority: authorityOf(admins[at].Role), company: k.Company}, nil
}

// authorityOf gives what a role in a company allows.
func authorityOf(role string) authority {
	switch role {
	case licensing.RoleSuperAdmin:
		return superAdmin
	case licensing.RoleUserAdmin:
		return userAdmin
	}
	return nobody
}

// maxKey is the longest bearer token that is looked at, in bytes.
const maxKey = 256

// Actions of the events of keys.
const (
	ActionCreateKey = "admin.key-create"
	ActionDeleteKey = "admin.key-delete"
)

// NewKey asks for a key of a local admin for the admin API.
type NewKey struct {
	Admin   string    `json:"admin"` // login
	Expires time.Time `json:"expires,omitzero"`
}

// Key is one key as it is shown: everything but the secret.
type Key struct {
	ID      string    `json:"id"`
	Admin   string    `json:"admin"` // login; empty when the admin is gone, and the key is worth nothing
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires,omitzero"`
}

// CreatedKey is a new key with its secret, which is shown only here.
type CreatedKey struct {
	Key
	Secret string `json:"key"`
}

func (h *Handler) listKeys(ctx context.Context, _ call, company store.Company) (any, error) {
	keys, err := h.store.ListAdminKeys(ctx, company.ID)
	if err != nil {
		return nil, fmt.Errorf("list keys: %w", err)
	}
	admins, err := h.store.ListLocalAdmins(ctx, company.ID)
	if err != nil {
		return nil, fmt.Errorf("list local admins: %w", err)
	}
	logins := map[string]string{}
	for _, a := range admins {
		logins[a.ID] = a.Login
	}
	shown := list[Key]{Items: []Key{}}
	for _, k := range keys {
		shown.Items = append(shown.Items, Key{ID: k.ID, Admin: logins[k.Admin], Created: k.Created, Expires: k.Expires})
	}
	return shown, nil
}

func (h *Handler) createKey(ctx context.Context, c call, company store.Company) (any, error) {
	var in NewKey
	if err := c.read(&in); err != nil {
		return nil, err
	}
	if !in.Expires.IsZero() && !in.Expires.After(c.now) {
		return nil, problem(http.StatusBadRequest, "The key would have expired before it was made.")
	}
	admins, err := h.store.ListLocalAdmins(ctx, company.ID)
	if err != nil {
		return nil, fmt.Errorf("list local admins: %w", err)
	}
	at := slices.IndexFunc(admins, func(a store.LocalAdmin) bool { return a.Login == query.Fold(in.Admin) })
	if at < 0 {
		return nil, problem(http.StatusNotFound, "The company %q has no local admin %q; \"usher admin list\" shows those it has.", company.Name, in.Admin)
	}
	var random [32]byte
	rand.Read(random[:])
	secret := keyPrefix + base64.RawURLEncoding.EncodeToString(random[:])
	k := store.AdminKey{
		Hash: sha256.Sum256([]byte(secret)), ID: store.NewID(), Company: company.ID, Admin: admins[at].ID, Created: c.now, Expires: in.Expires.UTC(),
	}
	events, err := c.event(ActionCreateKey, k.ID, map[string]string{"admin": admins[at].Login})
	if err != nil {
		return nil, err
	}
	if err := h.store.CreateAdminKey(ctx, k, events); err != nil {
		return nil, fmt.Errorf("create key: %w", err)
	}
	return CreatedKey{Key{ID: k.ID, Admin: admins[at].Login, Created: k.Created, Expires: k.Expires}, secret}, nil
}

func (h *Handler) revokeKey(ctx context.Context, c call, company store.Company) (any, error) {
	id := c.PathValue("id")
	events, err := c.event(ActionDeleteKey, id, nil)
	if err != nil {
		return nil, err
	}
	err = h.store.DeleteAdminKey(ctx, company.ID, id, events)
	if errors.Is(err, store.ErrNotFound) {
		return nil, problem(http.StatusNotFound, "The company %q has no key %q; \"usher key list\" shows those it has.", company.Name, id)
	}
	return nil, err
}
