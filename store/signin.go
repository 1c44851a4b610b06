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
	SignOn     int64    // version of the connection's settings that it began with
	Nonce      string   // of the ID token
	Verifier   string   // of PKCE (RFC 7636), sealed
	Return     string   // where the person goes afterwards
	Session    [32]byte // hash of the session that the browser had; zero: none
	Test       bool     // whether it shows an admin what would happen, and lets nobody in
	Created    time.Time
	Used       time.Time // when an answer came; zero: none has
}

// Fits says whether a sign-in is the one that another names by browser, company and connection.
func (s SignIn) Fits(one SignIn) bool {
	return s.Browser == one.Browser && s.Company == one.Company && s.Connection == one.Connection
}

// LogoutToken is a message of an identity provider that somebody has signed out there. It counts once.
type LogoutToken struct {
	Connection string
	ID         string // jti
	Expires    time.Time
}

// SignIns keeps sign-ins until they are over.
type SignIns interface {
	// BeginSignIn stores one.
	BeginSignIn(ctx context.Context, s SignIn) error
	// TakeSignIn gives the one with the state of which one and marks it as used at the time given, unless it has another Browser, Company or
	// Connection than that: only one caller who names these gets it with Used zero, all others when it was used. ErrNotFound.
	TakeSignIn(ctx context.Context, one SignIn, at time.Time) (SignIn, error)
	// DropSignIns forgets sign-ins that began, and used logout tokens that expired, before the time given, and says how many.
	DropSignIns(ctx context.Context, before time.Time) (int, error)
}
