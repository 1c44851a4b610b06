package store

import "context"

// Store is everything that usher keeps. Packages take the narrow interfaces they need, not this one.
type Store interface {
	Companies
	Connections
	Accounts
	Groups
	Pools
	Rules
	Schemas
	Quirks
	Sweeps
	Outbox
	AdminSessions
	SignIns
	Sessions
	Idempotency
	Events

	// Check reports whether the store can be read and written.
	Check(ctx context.Context) error
	// Close waits for what has begun and closes the store. Later calls fail with ErrClosed.
	Close() error
}
