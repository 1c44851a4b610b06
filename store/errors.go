package store

import (
	"errors"
	"fmt"
)

// The errors that callers tell apart. Engines wrap them; test with errors.Is.
var (
	// ErrNotFound: the record named does not exist in the company.
	ErrNotFound = errors.New("not found")
	// ErrVersion: the record is no longer at the version that the write was planned on. Read again and plan anew.
	ErrVersion = errors.New("the record has changed meanwhile")
	// ErrNoSeat: the write claims a seat, the pool has none left, and the write has no fallback ([AccountWrite.NoSeat]).
	ErrNoSeat = errors.New("no seat left")
	// ErrTooMany: the query went over its budget of rows.
	ErrTooMany = errors.New("the query reads too many records")
	// ErrBusy: the engine's queue is full; nothing was done and the caller may try again.
	ErrBusy = errors.New("the store is busy")
	// ErrUnavailable: the engine could not be reached, or did not say whether it has done what was asked; reading tells. What was under
	// way is completed or undone, never left half done.
	ErrUnavailable = errors.New("the store cannot be reached")
	// ErrClosed: the store was closed, or stopped itself after a failed disk write.
	ErrClosed = errors.New("the store is closed")
)

// ConflictError says that a value which must be unique is taken.
type ConflictError struct {
	Field string // the record's field: "UserName", "Group.Name", "Company.Name", "Domain", "Login", ...
	Value string
}

func (e *ConflictError) Error() string { return fmt.Sprintf("%s %q is taken", e.Field, e.Value) }

// UnknownMemberError names an account or a group that was to join a group and does not exist in the company.
type UnknownMemberError struct{ ID string }

func (e *UnknownMemberError) Error() string { return fmt.Sprintf("no member %q", e.ID) }
