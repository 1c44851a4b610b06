package store

import "github.com/google/uuid"

// NewID makes a new record id: a UUIDv7 as text, so that ids sort in the order in which they were made.
func NewID() string { return uuid.Must(uuid.NewV7()).String() }
