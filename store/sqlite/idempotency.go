package sqlite

import (
	"context"
	"time"

	"usher/store"
)

// ClaimRequest implements [store.Idempotency].
func (s *Store) ClaimRequest(ctx context.Context, r store.IdempotentRequest) (there store.IdempotentRequest, claimed bool, err error) {
	err = s.write(ctx, func(t *tx) error {
		n, err := t.exec("INSERT OR IGNORE INTO idempotency (key, request, created, status, answer) VALUES (?, ?, ?, ?, ?)",
			r.Key[:], r.Request[:], r.Created, r.Status, optional(r.Answer))
		if claimed = n > 0; claimed || err != nil {
			there = r
			return err
		}
		there.Key = r.Key
		_, err = t.one(func(row *rows) {
			copy(there.Request[:], row.blob(0))
			there.Created, there.Status, there.Answer = row.time(1), int(row.int(2)), row.text(3)
		}, "SELECT request, created, status, answer FROM idempotency WHERE key = ?", r.Key[:])
		return err
	})
	return there, claimed, err
}

// AnswerRequest implements [store.Idempotency].
func (s *Store) AnswerRequest(ctx context.Context, r store.IdempotentRequest) error {
	return s.write(ctx, func(t *tx) error {
		n, err := t.exec("UPDATE idempotency SET status = ?, answer = ? WHERE key = ?", r.Status, optional(r.Answer), r.Key[:])
		return orNotFound(n > 0, err)
	})
}

// ReleaseRequest implements [store.Idempotency].
func (s *Store) ReleaseRequest(ctx context.Context, key [32]byte) error {
	return s.write(ctx, func(t *tx) error {
		_, err := t.exec("DELETE FROM idempotency WHERE key = ?", key[:])
		return err
	})
}

// DropRequests implements [store.Idempotency].
func (s *Store) DropRequests(ctx context.Context, before time.Time) (n int, err error) {
	err = s.write(ctx, func(t *tx) error {
		dropped, err := t.exec("DELETE FROM idempotency WHERE created < ?", before)
		n = int(dropped)
		return err
	})
	return n, err
}
