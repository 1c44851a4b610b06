package store

import (
	"context"
	"slices"
	"time"
)

// Connection is one IdP's link to a company.
type Connection struct {
	ID      string
	Company string
	Name    string // unique in the company
	Mode    string // ModeLive or ModePaused
	Epoch   int64  // grows when sessions born from the connection must end
	// QuirksOff names the vendor quirks that are switched off for the connection.
	QuirksOff []string
	// Strict switches all of them off, those too that come later.
	Strict  bool
	Created time.Time

	SignOn SignOn // single sign-on by it

	Breaker      string // state of the guard against mass losses; the states are licensing's. Empty: it has not tripped
	BreakerSince time.Time
}

// Serves says whether a connection serves its identity provider in the same way as another: by the same Mode, QuirksOff and Strict.
func (c *Connection) Serves(as *Connection) bool {
	return c.Mode == as.Mode && c.Strict == as.Strict && slices.Equal(c.QuirksOff, as.QuirksOff)
}

// Connection modes. A paused connection keeps everything and accepts no writes.
const (
	ModeLive   = "live"
	ModePaused = "paused"
)

// SignOn is how people of a company sign in through the connection's identity provider by OpenID Connect.
type SignOn struct {
	Version int64  `json:"-"` // grows with each change; 0: it was never set up
	State   string `json:"state"`

	Issuer       string   `json:"issuer"`
	ClientID     string   `json:"clientId"`
	ClientAuth   string   `json:"clientAuth"`           // how usher proves at the token endpoint that it is the client
	Secret       string   `json:"secret,omitempty"`     // the client's secret, or its private key, sealed
	Former       string   `json:"former,omitempty"`     // the private key before, sealed, whose public half is still shown
	MatchClaim   string   `json:"matchClaim"`           // the claim that is an account's externalId
	ResponseMode string   `json:"responseMode"`         // "query" or "form_post"
	Algorithms   []string `json:"algorithms,omitempty"` // of ID tokens
	Scopes       []string `json:"scopes,omitempty"`     // beside those that are needed
	// MaxAge is how long ago somebody may have proven who they are to the identity provider; 0: it decides that.
	MaxAge       time.Duration `json:"maxAge,omitempty"`
	StrictLogout bool          `json:"strictLogout,omitempty"` // logout tokens must have the type that the standard names
}

// States of single sign-on. Only an active one lets people in.
const (
	SignOnDraft    = "draft"
	SignOnTested   = "tested" // a sign-in to try it out went well with these settings
	SignOnActive   = "active"
	SignOnDisabled = "disabled"
)

// Token is one bearer token of a connection. Only its hash is stored.
type Token struct {
	Hash       [32]byte // SHA-256 of the token
	ID         string   // what people call it by; says nothing about the token
	Company    string
	Connection string
	Scopes     []string
	GrantedBy  string // who gave the scope to assign licenses
	Created    time.Time
	Expires    time.Time // zero: never
}

// Connections keeps the connections and their tokens.
type Connections interface {
	// CreateConnection stores a connection: *ConflictError (Connection.Name).
	CreateConnection(ctx context.Context, c Connection, events []Event) error
	// Connection gives one by id, ConnectionByName by name within its company: ErrNotFound. Their lists are not to be changed.
	Connection(ctx context.Context, id string) (Connection, error)
	ConnectionByName(ctx context.Context, company, name string) (Connection, error)
	// ListConnections gives those of a company in creation order.
	ListConnections(ctx context.Context, company string) ([]Connection, error)
	// UpdateConnection sets Mode, QuirksOff and Strict of the connection that has c.ID in c.Company, and nothing else, if these are still those of
	// was: ErrNotFound, ErrVersion.
	UpdateConnection(ctx context.Context, c, was Connection, events []Event) error
	// SetSignOn sets SignOn and Epoch of the connection that has c.ID in c.Company, if its SignOn is still at c.SignOn.Version, which grows:
	// ErrNotFound, ErrVersion. It gives what is stored.
	SetSignOn(ctx context.Context, c Connection, events []Event) (Connection, error)

	// SetBreaker sets Breaker and BreakerSince of the connection that has c.ID in c.Company, if its Breaker is still was: ErrNotFound, ErrVersion.
	SetBreaker(ctx context.Context, c Connection, was string, events []Event) error
	// CountLosses counts the writes of accounts that named the connection in Loss and were made at or after since; it may stop at the limit.
	CountLosses(ctx context.Context, company, connection string, since time.Time, limit int) (int, error)

	// CreateToken stores a token.
	CreateToken(ctx context.Context, t Token, events []Event) error
	// Token finds a token by its hash: ErrNotFound. The caller checks Expires.
	Token(ctx context.Context, hash [32]byte) (Token, error)
	// ListTokens gives those of a company in creation order.
	ListTokens(ctx context.Context, company string) ([]Token, error)
	// DeleteToken revokes the token with the id: ErrNotFound.
	DeleteToken(ctx context.Context, company, id string, events []Event) error
}
