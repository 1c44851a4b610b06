package scim

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"

	"usher/store"
)

// TestWireError_store: what a store says that has done nothing, or may have done something, is never taken for an answer.
func TestWireError_store(t *testing.T) {
	for _, tt := range []struct {
		err    error
		status int
		retry  int // seconds
	}{
		{fmt.Errorf("token: %w", store.ErrUnavailable), http.StatusServiceUnavailable, 5},
		{fmt.Errorf("mongo: %w: %w", store.ErrUnavailable, context.DeadlineExceeded), http.StatusServiceUnavailable, 5},
		{errors.Join(store.ErrNotFound, store.ErrUnavailable), http.StatusServiceUnavailable, 5},
		{&Error{Status: http.StatusNotFound, Cause: store.ErrUnavailable}, http.StatusServiceUnavailable, 5},
		{store.ErrBusy, http.StatusServiceUnavailable, 1},
		{store.ErrClosed, http.StatusServiceUnavailable, 1},
		{store.ErrVersion, http.StatusServiceUnavailable, 1},
		{store.ErrNotFound, http.StatusNotFound, 0},
		{context.DeadlineExceeded, http.StatusBadRequest, 0},
	} {
		if got := wireError(tt.err, "user"); got.Status != tt.status || got.RetryAfter != tt.retry {
			t.Errorf("%v: %d, again after %d s; want %d and %d", tt.err, got.Status, got.RetryAfter, tt.status, tt.retry)
		}
	}
}
