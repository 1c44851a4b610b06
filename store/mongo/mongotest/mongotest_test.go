package mongotest

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
)

func TestDatabase(t *testing.T) {
	for _, tt := range []struct{ server, want, fails string }{
		{server: "mongodb://localhost", want: "mongodb://localhost/x"},
		{server: "mongodb://127.0.0.1:27017/", want: "mongodb://127.0.0.1:27017/x"},
		{server: "mongodb://a:1,b:2,c:3/?replicaSet=rs0", want: "mongodb://a:1,b:2,c:3/x?replicaSet=rs0"},
		{server: "mongodb+srv://cluster.example?tls=true", want: "mongodb+srv://cluster.example/x?tls=true"},
		{server: "mongodb://olga:secret@localhost", want: "mongodb://olga:secret@localhost/x?authSource=admin"},
		{server: "mongodb://olga:secret@localhost/?tls=true", want: "mongodb://olga:secret@localhost/x?tls=true&authSource=admin"},
		{server: "mongodb://olga:secret@localhost/?authSource=people", want: "mongodb://olga:secret@localhost/x?authSource=people"},
		{server: "mongodb://localhost/usher", fails: `the database "usher"`},
		{server: "localhost:27017", fails: "must begin with mongodb://"},
		{server: "http://localhost", fails: "must begin with mongodb://"},
	} {
		got, err := database(tt.server, "x")
		if got != tt.want || tt.fails == "" && err != nil || tt.fails != "" && (err == nil || !strings.Contains(err.Error(), tt.fails)) {
			t.Errorf("%s: %q, %v; want %q, an error with %q", tt.server, got, err, tt.want, tt.fails)
		}
	}
}

// TestURI: a test has a database to itself, sees all that is in it, and leaves nothing behind.
func TestURI(t *testing.T) {
	listed := func(uri string) (there bool) {
		with(t, uri, func(ctx context.Context, db *mongo.Database) error {
			all, err := db.Client().ListDatabaseNames(ctx, bson.D{})
			there = slices.Contains(all, db.Name())
			return err
		})
		return there
	}
	var uri string
	t.Run("used", func(t *testing.T) {
		uri = URI(t)
		if other := URI(t); other == uri {
			t.Error("two tests get the same database")
		}
		with(t, uri, func(ctx context.Context, db *mongo.Database) error {
			_, err := db.Collection("things").InsertOne(ctx, bson.D{{Key: "is", Value: "a needle"}})
			return err
		})
		if !bytes.Contains(Dump(t, uri), []byte("a needle")) {
			t.Error("what is in the database is not seen")
		}
		if !listed(uri) {
			t.Error("the server does not list the database")
		}
		if s := Ask(t, uri); s.Version == "" {
			t.Error("the server has no version")
		} else {
			t.Logf("the server is %+v", s)
		}
	})
	if uri == "" {
		t.Skip("left out: there was no server")
	}
	if listed(uri) {
		t.Error("the database is still there after the test")
	}
}
