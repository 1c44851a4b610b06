package adminapi

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"

	"usher/store"
)

// Actions of the events of tokens.
const (
	ActionCreateToken = "token.create"
	ActionRevokeToken = "token.revoke"
)

// tokenPrefix lets people and secret scanners recognise a token that has leaked.
const tokenPrefix = "usher_"

func (h *Handler) listTokens(ctx context.Context, _ call, company store.Company) (any, error) {
	tokens, err := h.store.ListTokens(ctx, company.ID)
	if err != nil {
		return nil, fmt.Errorf("list tokens: %w", err)
	}
	connections, err := h.store.ListConnections(ctx, company.ID)
	if err != nil {
		return nil, fmt.Errorf("list connections: %w", err)
	}
	names := map[string]string{}
	for _, c := range connections {
		names[c.ID] = c.Name
	}
	shown := list[Token]{Items: []Token{}}
	for _, t := range tokens {
		shown.Items = append(shown.Items, showToken(t, names[t.Connection]))
	}
	return shown, nil
}

func (h *Handler) createToken(ctx context.Context, c call, company store.Company) (any, error) {
	var in NewToken
	if err := c.read(&in); err != nil {
		return nil, err
	}
	if !in.Expires.IsZero() && !in.Expires.After(c.now) {
		return nil, problem(http.StatusBadRequest, "The token would have expired before it was made.")
	}
	connection, err := h.openConnection(ctx, c, company, in.Connection)
	if err != nil {
		return nil, err
	}
	var random [32]byte
	rand.Read(random[:])
	secret := tokenPrefix + base64.RawURLEncoding.EncodeToString(random[:])
	t := store.Token{
		Hash: sha256.Sum256([]byte(secret)), ID: store.NewID(), Company: company.ID, Connection: connection.ID,
		Created: c.now, Expires: in.Expires.UTC(),
	}
	if in.AssignLicenses {
		t.Scopes, t.GrantedBy = []string{ScopeAssignLicenses}, c.actor.ID
	}
	shown := showToken(t, connection.Name)
	events, err := c.event(ActionCreateToken, t.ID, shown)
	if err != nil {
		return nil, err
	}
	if err := h.store.CreateToken(ctx, t, events); err != nil {
		return nil, fmt.Errorf("create token: %w", err)
	}
	h.changed()
	return CreatedToken{Token: shown, Secret: secret}, nil
}

func (h *Handler) revokeToken(ctx context.Context, c call, company store.Company) (any, error) {
	id := c.PathValue("id")
	events, err := c.event(ActionRevokeToken, id, map[string]string{"id": id})
	if err != nil {
		return nil, err
	}
	err = h.store.DeleteToken(ctx, company.ID, id, events)
	if errors.Is(err, store.ErrNotFound) {
		return nil, problem(http.StatusNotFound, "The company %q has no token %q; \"usher token list\" shows those it has.", company.Name, id)
	}
	if err != nil {
		return nil, fmt.Errorf("revoke token: %w", err)
	}
	h.changed()
	return nil, nil
}

func showToken(t store.Token, connection string) Token {
	return Token{ID: t.ID, Connection: connection, Scopes: shownList(t.Scopes), Created: t.Created, Expires: t.Expires}
}
