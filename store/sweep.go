package store

import (
	"context"
	"time"
)

// Sweep is an open change that is wider than one account. It is stored with the fact that causes it and removed when the last
// account has been brought in line, so that a crash in between loses nothing.
type Sweep struct {
	ID      string
	Company string
	Cause   string // what licensing needs to go on; opaque to the store
	Cursor  string // how far it has come; opaque to the store
	Actor   Actor  // who caused it
	Door    string
	Request string
	Created time.Time
	Holder  string    // the process that works on it
	Until   time.Time // the end of the holder's lease
}

// Sweeps keeps the open sweeps. An engine that is open to one process at a time ends all leases when it is opened: their holders
// are gone.
type Sweeps interface {
	// ListSweeps gives the open sweeps of all companies, oldest first.
	ListSweeps(ctx context.Context) ([]Sweep, error)
	// LeaseSweep makes holder the one that works on the sweep until the time given, unless another holder's lease is still
	// running at now. It reports whether it did: ErrNotFound when the sweep is done.
	LeaseSweep(ctx context.Context, id, holder string, now, until time.Time) (bool, error)
	// MoveSweep records how far the sweep has come.
	MoveSweep(ctx context.Context, id, cursor string) error
	// EndSweep removes it; one that is gone is no error.
	EndSweep(ctx context.Context, id string) error
}
