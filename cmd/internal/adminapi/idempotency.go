package adminapi

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"usher/store"
)

const (
	// idempotencyHeader carries a name that the client gives a request, so that it can send it again when it has heard no answer.
	idempotencyHeader = "Idempotency-Key"
	// replayedHeader says that the request was carried out before, and this is the answer of then.
	replayedHeader = "Idempotency-Replayed"
	// repeatableFor is how long a request can be sent again.
	repeatableFor  = 24 * time.Hour
	maxIdempotency = 255 // bytes of a key
)

// once carries a request out unless it was carried out already: then the answer of then is given again.
func (h *Handler) once(w http.ResponseWriter, c call, key string, do func(context.Context) (int, any)) {
	if len(key) > maxIdempotency {
		h.refuse(w, c, problem(http.StatusBadRequest, "An %s has %d bytes at most.", idempotencyHeader, maxIdempotency))
		return
	}
	body, err := c.body()
	if err != nil {
		h.refuse(w, c, err)
		return
	}
	c.Request.Body = io.NopCloser(bytes.NewReader(body))
	digest := func(parts ...string) [32]byte {
		b, err := json.Marshal(parts)
		if err != nil { // strings always marshal
			panic(err)
		}
		return sha256.Sum256(b)
	}
	r := store.IdempotentRequest{
		Key: digest(c.actor.Kind, c.actor.ID, c.company, key), Request: digest(c.Method, c.URL.Path, string(body)), Created: c.now,
	}
	there, first, err := h.store.ClaimRequest(c.Context(), r)
	switch {
	case err != nil:
		h.refuse(w, c, fmt.Errorf("claim request: %w", err))
	case first:
		// It is carried out to the end although nobody may hear the answer any more: they will ask for it.
		ctx := context.WithoutCancel(c.Context())
		c.Request = c.Request.WithContext(ctx)
		status, answered := do(ctx)
		h.keep(c.Context(), r, status, answered)
		h.send(w, status, answered)
	case there.Request != r.Request:
		h.refuse(w, c, problem(http.StatusUnprocessableEntity, "The %s was used for another request; give each its own.", idempotencyHeader))
	case there.Status == 0:
		h.refuse(w, c, problem(http.StatusConflict, "The first request with this %s is not finished, or was cut off: look whether it was carried out.", idempotencyHeader))
	default:
		h.replay(w, c, there)
	}
}

// owner says whose a kept answer is.
func owner(key [32]byte) string { return fmt.Sprintf("answer %x", key) }

// keep stores the answer to a request. One that came to nothing is forgotten, so that it can be tried again.
func (h *Handler) keep(ctx context.Context, r store.IdempotentRequest, status int, body any) {
	ctx = context.WithoutCancel(ctx)
	err := error(nil)
	if status >= http.StatusInternalServerError || status == http.StatusTooManyRequests {
		err = h.store.ReleaseRequest(ctx, r.Key)
	} else {
		var b []byte
		if b, err = json.Marshal(body); err == nil {
			r.Status, r.Answer = status, h.sealer.Seal(string(b), owner(r.Key))
			err = h.store.AnswerRequest(ctx, r)
		}
	}
	if err != nil { // whoever repeats it is told to look
		h.log.Error("the answer to a request that may be repeated was not kept", "error", err)
	}
}

// replay gives the answer of an earlier request again.
func (h *Handler) replay(w http.ResponseWriter, c call, r store.IdempotentRequest) {
	text, err := h.sealer.Open(r.Answer, owner(r.Key))
	if err != nil {
		h.refuse(w, c, err)
		return
	}
	w.Header().Set(replayedHeader, "true")
	if r.Status >= http.StatusBadRequest {
		answer(w, r.Status, problemType, json.RawMessage(text))
		return
	}
	answer(w, r.Status, "application/json", json.RawMessage(text))
}

// Maintain forgets sessions that are over and requests that cannot be repeated any more. It is called now and then.
func (h *Handler) Maintain(ctx context.Context) error {
	now := h.clock().UTC()
	if _, err := h.store.DropAdminSessions(ctx, now.Add(-idleLimit), now); err != nil {
		return fmt.Errorf("drop sessions: %w", err)
	}
	if _, err := h.store.DropRequests(ctx, now.Add(-repeatableFor)); err != nil {
		return fmt.Errorf("drop requests: %w", err)
	}
	return nil
}
