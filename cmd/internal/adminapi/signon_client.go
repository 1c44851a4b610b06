package adminapi

import (
	"context"
	"net/http"
)

// SignOn gives single sign-on by a connection.
func (c *Client) SignOn(ctx context.Context, company, connection string) (SignOn, error) {
	var out SignOn
	err := c.do(ctx, http.MethodGet, &out, nil, "companies", company, "connections", connection, "sign-on")
	return out, err
}

// SetSignOn sets it up, or changes it.
func (c *Client) SetSignOn(ctx context.Context, company, connection string, change SignOnChange) (SignOn, error) {
	var out SignOn
	err := c.do(ctx, http.MethodPut, &out, change, "companies", company, "connections", connection, "sign-on")
	return out, err
}

// RemoveSignOn takes it away.
func (c *Client) RemoveSignOn(ctx context.Context, company, connection string) error {
	return c.do(ctx, http.MethodDelete, nil, nil, "companies", company, "connections", connection, "sign-on")
}

// TestSignOn looks at the identity provider and gives an address to try a sign-in out at.
func (c *Client) TestSignOn(ctx context.Context, company, connection string) (SignOnTest, error) {
	var out SignOnTest
	err := c.do(ctx, http.MethodPost, &out, nil, "companies", company, "connections", connection, "sign-on", "test")
	return out, err
}

// RotateSecret puts another secret in the place of a client's; an empty one makes a key.
func (c *Client) RotateSecret(ctx context.Context, company, connection, secret string) (SignOn, error) {
	var out SignOn
	err := c.do(ctx, http.MethodPut, &out, NewSecret{secret}, "companies", company, "connections", connection, "sign-on", "secret")
	return out, err
}

// PersonSessions lists up to a page of the people who are signed in, or the sessions of one (account not empty), the latest first.
func (c *Client) PersonSessions(ctx context.Context, company, account, after string) (PersonSessionPage, error) {
	var out PersonSessionPage
	err := c.send(ctx, http.MethodGet, &out, nil, map[string]string{"account": account, "after": after}, "companies", company, "person-sessions")
	return out, err
}

// EndPersonSession ends a person's session at once.
func (c *Client) EndPersonSession(ctx context.Context, company, id string) error {
	return c.do(ctx, http.MethodDelete, nil, nil, "companies", company, "person-sessions", id)
}

// EndPersonSessions ends all sessions of a person.
func (c *Client) EndPersonSessions(ctx context.Context, company, account string) error {
	return c.do(ctx, http.MethodDelete, nil, nil, "companies", company, "accounts", account, "sessions")
}

// Unlink forgets who a person is at the identity provider.
func (c *Client) Unlink(ctx context.Context, company, account string) error {
	return c.do(ctx, http.MethodDelete, nil, nil, "companies", company, "accounts", account, "identity")
}

// Rewrap seals all secrets by the newest key.
func (c *Client) Rewrap(ctx context.Context, in Rewrapping) (Rewrapped, error) {
	var out Rewrapped
	err := c.do(ctx, http.MethodPost, &out, in, "secrets", "rewrap")
	return out, err
}
