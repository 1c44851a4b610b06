package mongo

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/topology"

	"usher/store"
)

const (
	// attempts is how often a call is made that fails for a reason which may pass.
	attempts = 4
	// patience is how long after the first attempt another may begin.
	patience = 5 * time.Second
	// firstWait is how long the second attempt waits at most; each further one waits twice as long.
	firstWait = 50 * time.Millisecond
)

// try makes a call that can be repeated without harm until it fails for a reason that does not pass. [store.ErrUnavailable] says that none of
// its attempts was answered.
func (s *Store) try(ctx context.Context, call func(context.Context) error) error {
	begun := time.Now()
	for attempt := 1; ; attempt++ {
		err := call(ctx)
		if err == nil || !passes(err) {
			return wrap(ctx, err)
		}
		if attempt == attempts || time.Since(begun) > patience || !pause(ctx, attempt) {
			return unavailable(ctx, err)
		}
	}
}

// tryRead is try for a call that reads any number of documents. The driver itself gives no limit to the batches behind the first.
func (s *Store) tryRead(ctx context.Context, call func(context.Context) error) error {
	return s.try(ctx, func(ctx context.Context) error {
		if _, limited := ctx.Deadline(); !limited {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, readTimeout)
			defer cancel()
		}
		return call(ctx)
	})
}

// pause waits before the next attempt, for a time that differs between those who failed at the same moment: false when the context has ended.
func pause(ctx context.Context, attempt int) bool {
	longest := firstWait << (attempt - 1)
	timer := time.NewTimer(longest/2 + rand.N(longest/2))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// unavailable gives the error of a call that was not answered. It is the caller's own if it is the caller who would not wait any longer, and not
// the server that could not be reached all the time.
func unavailable(ctx context.Context, err error) error {
	var selection topology.ServerSelectionError
	away := errors.As(err, &selection) || mongo.IsNetworkError(err)
	if ended := ctx.Err(); ended != nil && (!away || errors.Is(ended, context.Canceled)) {
		return ended
	}
	return fmt.Errorf("mongo: %w: %w", store.ErrUnavailable, err)
}

// wrap gives the driver's error as callers know it.
func wrap(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, mongo.ErrNoDocuments):
		return store.ErrNotFound
	case ctx.Err() != nil:
		return ctx.Err()
	case mongo.IsDuplicateKeyError(err):
		return err
	}
	if ours(err) {
		return err
	}
	return fmt.Errorf("mongo: %w", err)
}

// passing are the codes of errors that go by without anybody's help: of a server that stops being the primary or the only one for a while, and
// of updates that got in each other's way.
var passing = []int{
	6, 7, 89, 9001, // the network
	91, 189, 10058, 10107, 11600, 11602, 13435, 13436, // a change of the primary
	24, 46, 50, 112, 202, 262, // locks, time limits, write conflicts
	64, 100, 79, // a majority was not there in time
}

// passes says whether a call that failed may go well when it is repeated. It may have been carried out all the same.
func passes(err error) bool {
	if mongo.IsNetworkError(err) || mongo.IsTimeout(err) {
		return true
	}
	var server mongo.ServerError
	if !errors.As(err, &server) {
		// Not the server's answer. Unless the call itself was wrong, no server could be chosen or the line was cut.
		var encoding *mongo.MarshalError
		var decoding *bson.DecodeError
		return !ours(err) && !errors.As(err, &encoding) && !errors.As(err, &decoding)
	}
	if server.HasErrorLabel("RetryableWriteError") || server.HasErrorLabel("TransientTransactionError") {
		return true
	}
	return slices.ContainsFunc(passing, server.HasErrorCode) ||
		server.HasErrorCode(1) && (server.HasErrorMessage("conflicting key value") || server.HasErrorMessage("deadlock"))
}

// ours says whether an error is an answer, and not a failure to get one.
func ours(err error) bool {
	for _, answer := range []error{
		mongo.ErrNoDocuments, mongo.ErrClientDisconnected, store.ErrNotFound, store.ErrVersion, store.ErrNoSeat, store.ErrTooMany, store.ErrClosed, errClaimed,
	} {
		if errors.Is(err, answer) {
			return true
		}
	}
	return errors.As(err, new(*store.ConflictError))
}
