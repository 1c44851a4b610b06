package store

import (
	"context"
	"time"
)

// IdempotentRequest is a request that carries an idempotency key (draft-ietf-httpapi-idempotency-key-header), with its answer, so that it
// can be repeated without being carried out twice.
type IdempotentRequest struct {
	Key     [32]byte // SHA-256 of the key and of whose it is
	Request [32]byte // SHA-256 of the request: the same key with another one is a mistake
	Created time.Time
	Status  int    // of the answer; 0 while there is none
	Answer  string // sealed: answers have secrets that are shown only once
}

// Idempotency keeps requests for as long as they may be repeated.
type Idempotency interface {
	// ClaimRequest stores r unless there is one with its key: that one is given then, and claimed is false.
	ClaimRequest(ctx context.Context, r IdempotentRequest) (there IdempotentRequest, claimed bool, err error)
	// AnswerRequest stores Status and Answer: ErrNotFound.
	AnswerRequest(ctx context.Context, r IdempotentRequest) error
	// ReleaseRequest forgets a request that came to nothing. It does no harm when there is none.
	ReleaseRequest(ctx context.Context, key [32]byte) error
	// DropRequests forgets those claimed before the time given, and says how many.
	DropRequests(ctx context.Context, before time.Time) (int, error)
}
