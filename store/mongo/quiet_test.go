package mongo

import (
	"context"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"

	"usher/store/mongo/mongotest"
)

// Quiet opens a store in which nothing goes on beside the operations, so that one makes the same calls each time. It makes nothing ready: the
// database is that of another store. timeout is how long one call may take; 0: as ever.
func Quiet(t testing.TB, uri string, timeout time.Duration) *Store {
	t.Helper()
	if timeout == 0 {
		timeout = callTimeout
	}
	client, err := mongo.Connect(clientOptions(uri).SetTimeout(timeout).SetServerSelectionTimeout(timeout))
	if err != nil {
		t.Fatal(err)
	}
	s := newStore(client, client.Database(mongotest.Name(uri)), Options{})
	s.stop = func() {}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

// Ready makes the database of a quiet store ready.
func (s *Store) Ready(ctx context.Context) error { return s.prepare(ctx) }

// Database gives what the store keeps its documents in.
func (s *Store) Database() *mongo.Database { return s.db }
