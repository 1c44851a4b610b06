package store

import (
	"context"
	"time"
)

// SignIn is a sign-in that is under way at an identity provider: what the answer is to be held against.
type SignIn struct {
	State      [32]byte // SHA-256 of the state parameter
	Browser    [32]byte // SHA-256 of the secret in the browser that began it
	Company    string
	Connection string
	SignOn     int64  // version of the connection's settings that it began with
	Nonce      string // of the ID token
	Verifier   string // of PKCE (RFC 7636), sealed
	Return     string // where the person goes afterwards
	Test       bool   // whether it shows an admin what would happen, and lets nobody in
	Created    time.Time
	Used       time.Time // when an answer came; zero: none has
}

// SignIns keeps sign-ins until they are over, and the logout tokens that have been used.
type SignIns interface {
	// BeginSignIn stores one.
	BeginSignIn(ctx context.Context, s SignIn) error
	// TakeSignIn gives the one with the state and marks it as used at the time given: only one caller gets it with Used zero, all others
	// when it was used. ErrNotFound.
	TakeSignIn(ctx context.Context, state [32]byte, at time.Time) (SignIn, error)
	// UseLogoutToken notes the id (jti) of a logout token of a connection for as long as the token is good, and says whether it is the first.
	UseLogoutToken(ctx context.Context, connection, id string, expires time.Time) (first bool, err error)
	// DropSignIns forgets sign-ins that began, and logout tokens that expired, before the time given, and says how many.
	DropSignIns(ctx context.Context, before time.Time) (int, error)
}
