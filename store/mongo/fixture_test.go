package mongo_test

import (
	"testing"

	"usher/store/mongo"
	"usher/store/query"
)

// open opens a store that is closed with the test.
func open(t testing.TB, uri string, indexes []query.Index) *mongo.Store {
	t.Helper()
	s, err := mongo.Open(t.Context(), uri, mongo.Options{Indexes: indexes})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}
