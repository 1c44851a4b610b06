// Package mongotest gives tests a MongoDB database of their own. It knows the driver and nothing of store/mongo, so that the tests
// inside that package can use it too. Tests of the rooms above use store/enginetest, which opens the engine that the run is for.
//
// The environment:
//
//	USHER_TEST_MONGODB_URI   the server, "mongodb://127.0.0.1:27017"; it names no database. Without it tests are left out
//	USHER_REQUIRE_MONGODB=1  a test that would be left out for want of a server fails instead
package mongotest

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

const (
	serverVariable  = "USHER_TEST_MONGODB_URI"
	requireVariable = "USHER_REQUIRE_MONGODB"
)

// patience is how long a server may take to answer what this package itself asks.
const patience = 30 * time.Second

// URI gives the address of a database that nobody else uses, and drops the database when the test is over: after what the test has
// opened on it, if it was opened later. Without a server the test is left out, or fails where one is required.
func URI(t testing.TB) string {
	t.Helper()
	server := os.Getenv(serverVariable)
	switch {
	case server == "" && os.Getenv(requireVariable) != "":
		t.Fatalf("%s is set, but %s does not say where the server is", requireVariable, serverVariable)
	case server == "":
		t.Skipf("left out: %s does not say where a MongoDB server is", serverVariable)
	}
	uri, err := database(server, "usher_test_"+strings.ToLower(rand.Text()))
	if err != nil {
		t.Fatalf("%s: %v", serverVariable, err)
	}
	t.Cleanup(func() {
		with(t, uri, func(ctx context.Context, db *mongo.Database) error { return db.Drop(ctx) })
	})
	return uri
}

// database puts the name of a database into the address of a server.
func database(server, name string) (string, error) {
	scheme, rest, ok := strings.Cut(server, "://")
	if !ok || scheme != "mongodb" && scheme != "mongodb+srv" {
		return "", fmt.Errorf("the address must begin with mongodb:// or mongodb+srv://")
	}
	rest, query, _ := strings.Cut(rest, "?")
	hosts, path, _ := strings.Cut(rest, "/")
	if path != "" {
		return "", fmt.Errorf("the address names the database %q: leave it out, because each test makes one of its own", path)
	}
	// Who signs in is looked for in the database that the address names, unless it says otherwise.
	if options, err := url.ParseQuery(query); err == nil && strings.Contains(hosts, "@") && !options.Has("authSource") {
		query = strings.TrimPrefix(query+"&authSource=admin", "&")
	}
	uri := scheme + "://" + hosts + "/" + name
	if query != "" {
		uri += "?" + query
	}
	return uri, nil
}

// with calls do with the database that the address names.
func with(t testing.TB, uri string, do func(ctx context.Context, db *mongo.Database) error) {
	t.Helper()
	_, path, _ := strings.Cut(uri, "://")
	_, path, _ = strings.Cut(path, "/")
	name, _, _ := strings.Cut(path, "?")
	// The context of the test is over when its clean-up runs.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
	defer cancel()
	client, err := mongo.Connect(options.Client().ApplyURI(uri))
	if err != nil {
		t.Fatalf("connect to the MongoDB server: %v", err)
	}
	defer func() { _ = client.Disconnect(ctx) }()
	if err := do(ctx, client.Database(name)); err != nil {
		t.Errorf("the MongoDB server: %v", err)
	}
}

// Dump gives all that is kept in the database as the bytes of its documents, for tests that look for what must not be there.
func Dump(t testing.TB, uri string) []byte {
	t.Helper()
	var all bytes.Buffer
	with(t, uri, func(ctx context.Context, db *mongo.Database) error {
		names, err := db.ListCollectionNames(ctx, bson.D{})
		if err != nil {
			return err
		}
		for _, name := range names {
			found, err := db.Collection(name).Find(ctx, bson.D{})
			if err != nil {
				return err
			}
			for found.Next(ctx) {
				all.Write(found.Current)
			}
			if err := found.Err(); err != nil {
				return err
			}
		}
		return nil
	})
	if all.Len() == 0 {
		t.Fatal("there is nothing in the database")
	}
	return all.Bytes()
}

// Server is what a server says of itself.
type Server struct {
	Version    string // "7.0.14"
	Real       bool   // MongoDB itself, not another server that speaks its protocol
	ReplicaSet string // the name of the set that it is a member of; empty: of none
	Sharded    bool   // reached through a router of a sharded cluster
}

// Ask asks the server at the address what it is.
func Ask(t testing.TB, uri string) Server {
	t.Helper()
	var build struct {
		Version        string   `bson:"version"`
		GitVersion     string   `bson:"gitVersion"`
		Modules        []string `bson:"modules"`
		StorageEngines []string `bson:"storageEngines"`
	}
	var hello struct {
		SetName string `bson:"setName"`
		Message string `bson:"msg"`
	}
	with(t, uri, func(ctx context.Context, db *mongo.Database) error {
		admin := db.Client().Database("admin")
		if err := admin.RunCommand(ctx, bson.D{{Key: "buildInfo", Value: 1}}).Decode(&build); err != nil {
			return fmt.Errorf("buildInfo: %w", err)
		}
		// A name that servers before 4.4.2, and others, know too.
		if err := admin.RunCommand(ctx, bson.D{{Key: "isMaster", Value: 1}}).Decode(&hello); err != nil {
			return fmt.Errorf("isMaster: %w", err)
		}
		return nil
	})
	return Server{
		Version: build.Version,
		// All three are of MongoDB's own build.
		Real:       build.GitVersion != "" && build.Modules != nil && len(build.StorageEngines) > 0,
		ReplicaSet: hello.SetName, Sharded: hello.Message == "isdbgrid",
	}
}

// Real leaves the test out unless the server at the address is MongoDB itself, and says what can only be seen there.
func Real(t testing.TB, uri, what string) Server {
	t.Helper()
	s := Ask(t, uri)
	if !s.Real {
		t.Skipf("left out: the server at %s is not MongoDB itself, and only that can show %s", serverVariable, what)
	}
	return s
}
