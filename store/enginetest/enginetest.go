// Package enginetest opens a fresh store for the tests of the rooms above, which are the same whatever the engine: a test asks for a
// store and does not say of which engine it is. The environment chooses for the whole run:
//
//	USHER_TEST_STORE=sqlite   the embedded store; so it is without the variable
//	USHER_TEST_STORE=mongodb  MongoDB, at the server that store/mongo/mongotest says
//
// So the suites are run twice, and what comes out is compared test by test; .ci/run does both. Nothing but tests imports this package.
package enginetest

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"usher/store"
	"usher/store/mongo"
	"usher/store/mongo/mongotest"
	"usher/store/query"
	"usher/store/sqlite"
)

const variable = "USHER_TEST_STORE"

// MongoDB says whether the run is for MongoDB.
func MongoDB(t testing.TB) bool {
	t.Helper()
	switch name := os.Getenv(variable); name {
	case "", "sqlite":
		return false
	case "mongodb":
		return true
	default:
		t.Fatalf("%s is %q: it must be sqlite or mongodb", variable, name)
		return false
	}
}

// Store is a fresh store of the run's engine.
type Store struct {
	store.Store
	folder string // of the embedded store
	uri    string // of the database
}

// Open opens a fresh store that keeps the indexes over the documents of accounts. It is closed when the test is over, and nothing of
// it remains.
func Open(t testing.TB, indexes []query.Index) *Store {
	t.Helper()
	silent := slog.New(slog.DiscardHandler)
	s := &Store{}
	var err error
	if MongoDB(t) {
		s.uri = mongotest.URI(t)
		s.Store, err = mongo.Open(t.Context(), s.uri, mongo.Options{Indexes: indexes, Logger: silent})
	} else {
		s.folder = t.TempDir()
		s.Store, err = sqlite.Open(t.Context(), s.folder, sqlite.Options{Indexes: indexes, Logger: silent})
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close the store: %v", err)
		}
	})
	return s
}

// Dump gives everything that the engine keeps, as it keeps it, for tests that look for what must not be there.
func (s *Store) Dump(t testing.TB) []byte {
	t.Helper()
	if s.uri != "" {
		return mongotest.Dump(t, s.uri)
	}
	files, err := filepath.Glob(filepath.Join(s.folder, "*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("the files of the store: %q, %v", files, err)
	}
	var all []byte
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, b...)
	}
	return all
}
