package storetest

import (
	"context"
	"encoding/hex"
	"time"

	"usher/store"
)

// ClaimRequest implements [store.Idempotency].
func (m *Map) ClaimRequest(ctx context.Context, r store.IdempotentRequest) (store.IdempotentRequest, bool, error) {
	end, err := m.begin(ctx)
	if err != nil {
		return store.IdempotentRequest{}, false, err
	}
	defer end()
	k := hex.EncodeToString(r.Key[:])
	for {
		if m.requests.insert(k, r) {
			return r, true, nil
		}
		if there, _, ok := m.requests.get(k); ok { // else it was released meanwhile
			return there, false, nil
		}
	}
}

// AnswerRequest implements [store.Idempotency].
func (m *Map) AnswerRequest(ctx context.Context, r store.IdempotentRequest) error {
	end, err := m.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	return m.requests.update(hex.EncodeToString(r.Key[:]), func(old store.IdempotentRequest) (store.IdempotentRequest, error) {
		old.Status, old.Answer = r.Status, r.Answer
		return old, nil
	})
}

// ReleaseRequest implements [store.Idempotency].
func (m *Map) ReleaseRequest(ctx context.Context, key [32]byte) error {
	end, err := m.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	k := hex.EncodeToString(key[:])
	for {
		_, revision, ok := m.requests.get(k)
		if !ok || m.requests.remove(k, revision) {
			return nil
		}
	}
}

// DropRequests implements [store.Idempotency].
func (m *Map) DropRequests(ctx context.Context, before time.Time) (int, error) {
	end, err := m.begin(ctx)
	if err != nil {
		return 0, err
	}
	defer end()
	dropped := 0
	for _, k := range m.requests.keys() {
		if r, revision, ok := m.requests.get(k); ok && r.Created.Before(before) && m.requests.remove(k, revision) {
			dropped++
		}
	}
	return dropped, nil
}
