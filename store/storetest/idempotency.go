package storetest

import (
	"crypto/sha256"
	"sync/atomic"

	"usher/store"
)

func testIdempotency(f *fixture) {
	r := store.IdempotentRequest{Key: sha256.Sum256([]byte("k")), Request: sha256.Sum256([]byte("r")), Created: f.now()}
	claim := func(r, want store.IdempotentRequest, first bool) {
		f.Helper()
		there, claimed, err := f.ClaimRequest(f.ctx, r)
		f.check(err)
		f.same("claimed", claimed, first)
		f.same("what is there", there, want)
	}
	claim(r, r, true)
	again := r
	again.Request, again.Created = sha256.Sum256([]byte("another")), f.now()
	claim(again, r, false)
	r.Status, r.Answer = 201, "sealed"
	f.check(f.AnswerRequest(f.ctx, r))
	claim(again, r, false)
	f.check(f.ReleaseRequest(f.ctx, r.Key))
	f.check(f.ReleaseRequest(f.ctx, r.Key))
	f.want("answering what is gone", f.AnswerRequest(f.ctx, r), store.ErrNotFound)
	claim(again, again, true)
	n, err := f.DropRequests(f.ctx, again.Created)
	f.check(err)
	f.same("dropped too early", n, 0)
	n, err = f.DropRequests(f.ctx, f.now())
	f.check(err)
	f.same("dropped", n, 1)

	var first atomic.Int64
	r.Key = sha256.Sum256([]byte("storm"))
	together(16, func(int) {
		if _, claimed, err := f.ClaimRequest(f.ctx, r); err == nil && claimed {
			first.Add(1)
		}
	})
	f.same("who were first", first.Load(), int64(1))
}
