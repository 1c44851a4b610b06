package mongo_test

import (
	"errors"
	"testing"

	"usher/store"
	"usher/store/mongo"
	"usher/store/mongo/mongotest"
	"usher/store/query"
	"usher/store/sqlite"
	"usher/store/storetest"
)

func TestStore_Transfer(t *testing.T) {
	mongotest.URI(t) // without a server nothing of it is run
	here := func(t *testing.T, indexes []query.Index) store.Store { return open(t, mongotest.URI(t), indexes) }
	files := func(t *testing.T, indexes []query.Index) store.Store {
		s, err := sqlite.Open(t.Context(), t.TempDir(), sqlite.Options{Indexes: indexes})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	t.Run("from MongoDB to MongoDB", func(t *testing.T) { storetest.RunTransfer(t, here, here) })
	t.Run("from SQLite to MongoDB", func(t *testing.T) { storetest.RunTransfer(t, files, here) })
	t.Run("from MongoDB to SQLite", func(t *testing.T) { storetest.RunTransfer(t, here, files) })
}

// Who copies a database has it alone: no server is let in meanwhile, nor is one that serves pushed aside.
func TestOpen_Alone(t *testing.T) {
	uri := mongotest.URI(t)
	first, err := mongo.Open(t.Context(), uri, mongo.Options{})
	if err != nil {
		t.Fatal(err)
	}
	second := open(t, uri, nil) // several servers may
	if _, err := mongo.Open(t.Context(), uri, mongo.Options{Alone: true}); !errors.Is(err, mongo.ErrInUse) {
		t.Errorf("beside two servers: %v", err)
	}
	if err := errors.Join(first.Close(), second.Close()); err != nil {
		t.Fatal(err)
	}
	copier, err := mongo.Open(t.Context(), uri, mongo.Options{Alone: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, alone := range []bool{false, true} {
		if _, err := mongo.Open(t.Context(), uri, mongo.Options{Alone: alone}); !errors.Is(err, mongo.ErrInUse) {
			t.Errorf("beside one who copies, alone %v: %v", alone, err)
		}
	}
	if err := copier.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, uri, nil)
}

// A database that is not complete is opened only to complete it.
func TestOpen_Unfinished(t *testing.T) {
	uri := mongotest.URI(t)
	s, err := mongo.Open(t.Context(), uri, mongo.Options{})
	if err == nil {
		err = errors.Join(s.BeginImport(t.Context(), "elsewhere"), s.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	var unfinished *store.UnfinishedError
	if _, err := mongo.Open(t.Context(), uri, mongo.Options{}); !errors.As(err, &unfinished) || unfinished.Source != "elsewhere" {
		t.Errorf("an unfinished database is opened: %v", err)
	}
	s, err = mongo.Open(t.Context(), uri, mongo.Options{Import: true})
	if err == nil {
		err = errors.Join(s.EndImport(t.Context()), s.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	open(t, uri, nil)
}
