package store

import (
	"context"
	"time"
)

// Schema is an extension schema that a company has declared.
type Schema struct {
	Company string
	URN     string // unique in the company without regard to case
	Type    string // the resource type that it extends, "User" or "Group"
	Doc     []byte // its declaration as JSON
	Created time.Time
}

// Schemas keeps the schemas that companies have declared.
type Schemas interface {
	// PutSchema stores a schema, in the place of one with the same URN.
	PutSchema(ctx context.Context, s Schema, events []Event) error
	// DeleteSchema removes the schema with the URN: ErrNotFound.
	DeleteSchema(ctx context.Context, company, urn string, events []Event) error
	// ListSchemas gives those of a company in the order in which they were first stored, and a revision that is another after each
	// change and 0 while there was none. Every request asks for it. The list is not to be changed.
	ListSchemas(ctx context.Context, company string) (all []Schema, revision int64, err error)
}
