package store

import (
	"context"
	"time"
)

// AdminSession is the time in which an admin who has signed in may use the admin API. Only the hash of its token is stored.
type AdminSession struct {
	Hash    [32]byte // SHA-256 of the token
	ID      string   // what people call it by; says nothing about the token
	Company string
	Kind    string // "admin" for a local admin, "person" for an account with a role
	Admin   string // id of the one or the other
	// Credential is the SHA-256 of what it was opened with: with another password, or another epoch of the account, it is worth nothing.
	Credential [32]byte
	Created    time.Time
	Seen       time.Time // when it was last used, to the minute or so
	Expires    time.Time // at the latest
}

// AdminSessions keeps the sessions of admins.
type AdminSessions interface {
	CreateAdminSession(ctx context.Context, s AdminSession, events []Event) error
	// AdminSession finds one by its hash: ErrNotFound. The caller checks the times, and that the admin is still there.
	AdminSession(ctx context.Context, hash [32]byte) (AdminSession, error)
	// TouchAdminSession stores Seen: ErrNotFound.
	TouchAdminSession(ctx context.Context, hash [32]byte, seen time.Time) error
	// ListAdminSessions gives those of a company in creation order.
	ListAdminSessions(ctx context.Context, company string) ([]AdminSession, error)
	// DeleteAdminSession ends the session with the id: ErrNotFound.
	DeleteAdminSession(ctx context.Context, company, id string, events []Event) error
	// DropAdminSessions forgets those that were last seen before one time or expire before the other, in all companies, and says how many.
	DropAdminSessions(ctx context.Context, seen, expires time.Time) (int, error)
}
