package mongo

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/connstring"

	"usher/store"
	"usher/store/query"
)

// Options are the settings of a store. The zero value is good for tests.
type Options struct {
	// Indexes are the paths of account documents whose values are indexed, beside [store.ColumnIndexes] and the user name.
	Indexes []query.Index
	// Logger gets what the relay and the reconcilers could not do and will try again. Nil: nobody does.
	Logger *slog.Logger
	// Alone opens the database only if no other process has it open ([ErrInUse]), and lets no other open it meanwhile: for who copies it.
	Alone bool
	// Import opens a database, too, into which not all records of another store have been taken over, to complete it.
	Import bool
}

const (
	// defaultDatabase is the database of a URI that names none.
	defaultDatabase = "usher"
	// callTimeout is how long one call of the server may take, and findTimeout how long it may take to find the server.
	callTimeout = 8 * time.Second
	findTimeout = 3 * time.Second
	// readTimeout is how long it may take to read any number of documents.
	readTimeout = 30 * time.Second
)

// Store is the engine. It implements [store.Store] and is safe for concurrent use, by this process and by others on the same database.
type Store struct {
	client    *mongo.Client
	db        *mongo.Database
	log       *slog.Logger
	plan      []query.Index // of accounts, for the planner
	documents []query.Index // those over their documents

	process string // the name of this process among those that have the database open
	alone   bool   // whether it wants to be the only one

	gate   sync.RWMutex // shared by all operations; taken alone only to close
	closed bool
	stop   context.CancelFunc // ends the relay and the reconcilers
	work   sync.WaitGroup

	relay  *relay
	places *query.Places[string]

	companies     facts[companyRecord]
	connections   facts[store.Connection]
	tokens        facts[store.Token]
	keys          facts[store.AdminKey]
	adminSessions facts[store.AdminSession]
	sessions      facts[store.Session]
	accounts      facts[store.Account]
	groups        facts[store.Group]
	pools         facts[store.Pool]
	rules         facts[store.Rule]
	schemas       facts[schemasRecord]
	inbox         facts[struct{}] // events that tell of no change
	boxes         []boxed         // all of the above

	members    *mongo.Collection
	seats      *mongo.Collection
	tombstones *mongo.Collection
	events     *mongo.Collection
	sweeps     *mongo.Collection
	mails      *mongo.Collection
	signIns    *mongo.Collection
	logouts    *mongo.Collection
	requests   *mongo.Collection
	quirks     *mongo.Collection
	losses     *mongo.Collection
	meta       *mongo.Collection
}

var _ store.Store = (*Store)(nil)

// Open opens the database that the URI names, "usher" if it names none, and makes its collections and indexes if they do not exist; several
// servers may do so at once. A database of a newer usher and a server whose updates are not atomic are refused. Writes are acknowledged by a
// majority, in their journals. One that an import has not completed is refused with [*store.UnfinishedError].
func Open(ctx context.Context, uri string, opts Options) (*Store, error) {
	parsed, err := connstring.ParseAndValidate(uri)
	if err != nil {
		return nil, fmt.Errorf("mongo: the URI is not one: %w", err)
	}
	for option := range parsed.UnknownOptions { // a mistake in "tls" must not mean none
		return nil, fmt.Errorf("mongo: the URI has the option %q, which there is not", option)
	}
	name := parsed.Database
	if name == "" {
		name = defaultDatabase
	}
	client, err := mongo.Connect(clientOptions(uri))
	if err != nil {
		return nil, fmt.Errorf("mongo: %w", err)
	}
	s := newStore(client, client.Database(name), opts)
	if err := s.open(ctx, opts); err != nil {
		disconnect, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
		defer cancel()
		_ = client.Disconnect(disconnect) // why it could not be opened matters more
		return nil, err
	}
	s.start()
	return s, nil
}

// clientOptions are those of the driver. It repeats nothing by itself, which it would do without a pause and without an end for as long as a call may
// take: what can be repeated, and how it is found out whether it must be, is known here.
func clientOptions(uri string) *options.ClientOptions {
	journal := true
	return options.Client().ApplyURI(uri).
		SetAppName("usher").
		SetTimeout(callTimeout).
		SetServerSelectionTimeout(findTimeout).
		SetRetryReads(false).
		SetRetryWrites(false).
		SetReadPreference(readpref.Primary()).
		SetWriteConcern(&writeconcern.WriteConcern{W: writeconcern.WCMajority, Journal: &journal})
}

// open makes the database ready for this process.
func (s *Store) open(ctx context.Context, opts Options) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	err := s.prepare(ctx)
	if err == nil && !opts.Import {
		err = s.refuseUnfinished(ctx)
	}
	if err != nil {
		s.leaveDatabase(ctx)
	}
	return err
}

func newStore(client *mongo.Client, db *mongo.Database, opts Options) *Store {
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Store{client: client, db: db, log: opts.Logger, plan: accountIndexes(opts.Indexes), documents: opts.Indexes, places: query.NewPlaces[string]()}
	s.process, s.alone = store.NewID(), opts.Alone
	s.companies = newFacts[companyRecord](s, "companies")
	s.connections = newFacts[store.Connection](s, "connections")
	s.tokens = newFacts[store.Token](s, "tokens")
	s.keys = newFacts[store.AdminKey](s, "admin_keys")
	s.adminSessions = newFacts[store.AdminSession](s, "admin_sessions")
	s.sessions = newFacts[store.Session](s, "sessions")
	s.accounts = newFacts[store.Account](s, "users")
	s.groups = newFacts[store.Group](s, "groups")
	s.pools = newFacts[store.Pool](s, "pools")
	s.rules = newFacts[store.Rule](s, "rules")
	s.schemas = newFacts[schemasRecord](s, "schemas")
	s.inbox = newFacts[struct{}](s, "inbox")
	s.boxes = []boxed{
		s.companies, s.connections, s.tokens, s.keys, s.adminSessions, s.sessions, s.accounts, s.groups, s.pools, s.rules, s.schemas, s.inbox,
	}
	s.members, s.seats, s.tombstones = db.Collection("members"), db.Collection("seats"), db.Collection("tombstones")
	s.events, s.sweeps, s.mails = db.Collection("events"), db.Collection("sweeps"), db.Collection("mails")
	s.signIns, s.logouts, s.requests = db.Collection("sign_ins"), db.Collection("logouts"), db.Collection("requests")
	s.quirks, s.losses, s.meta = db.Collection("quirks"), db.Collection("losses"), db.Collection("meta")
	s.relay = newRelay(s)
	return s
}

// start begins what goes on beside the operations.
func (s *Store) start() {
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	s.work.Go(func() { s.relay.run(ctx) })
	s.work.Go(func() { s.reconcile(ctx) })
	s.work.Go(func() { s.beat(ctx) })
}

// begin lets a reading operation in: its end function must be called when it is done.
func (s *Store) begin(ctx context.Context) (end func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.gate.RLock()
	if s.closed {
		s.gate.RUnlock()
		return nil, store.ErrClosed
	}
	return s.gate.RUnlock, nil
}

// beginWrite is begin for an operation that writes. What has begun is done in full, so the context that it gives does not end with the caller's.
func (s *Store) beginWrite(ctx context.Context) (lasting context.Context, end func(), err error) {
	end, err = s.begin(ctx)
	return context.WithoutCancel(ctx), end, err
}

// Check implements [store.Store].
func (s *Store) Check(ctx context.Context) error {
	ctx, end, err := s.beginWrite(ctx)
	if err != nil {
		return err
	}
	defer end()
	return s.try(ctx, func(ctx context.Context) error {
		_, err := s.meta.UpdateOne(ctx, bson.D{{Key: "_id", Value: "checks"}}, bson.D{{Key: "$inc", Value: bson.D{{Key: "n", Value: int64(1)}}}},
			options.UpdateOne().SetUpsert(true))
		return err
	})
}

// Failed is never closed: a server that cannot be reached comes back, and until then operations say [store.ErrUnavailable].
func (s *Store) Failed() <-chan struct{} { return nil }

// Close implements [store.Store]. What the relay has not moved is moved by the next process.
func (s *Store) Close() error {
	s.gate.Lock()
	closed := s.closed
	s.closed = true
	s.gate.Unlock()
	if closed {
		return nil
	}
	s.stop()
	s.work.Wait()
	s.leaveDatabase(context.Background())
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	if err := s.client.Disconnect(ctx); err != nil {
		return fmt.Errorf("mongo: %w", err)
	}
	return nil
}

// Shared stores a value under a name unless there is one, and gives what is stored: what all servers of a database must have in common.
func (s *Store) Shared(ctx context.Context, name string, value []byte) ([]byte, error) {
	ctx, end, err := s.beginWrite(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	id := sharedID(name)
	err = s.try(ctx, func(ctx context.Context) error {
		_, err := s.meta.UpdateOne(ctx, byID(id), bson.D{{Key: "$setOnInsert", Value: bson.D{{Key: "value", Value: value}}}}, options.UpdateOne().SetUpsert(true))
		if mongo.IsDuplicateKeyError(err) { // of two at once
			return nil
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	var stored struct{ Value []byte }
	err = s.try(ctx, func(ctx context.Context) error { return s.meta.FindOne(ctx, byID(id)).Decode(&stored) })
	return stored.Value, err
}

// ReplaceShared stores another value in the place of one that Shared keeps: [store.ErrVersion] if that is not was.
func (s *Store) ReplaceShared(ctx context.Context, name string, was, value []byte) error {
	ctx, end, err := s.beginWrite(ctx)
	if err != nil {
		return err
	}
	defer end()
	id := sharedID(name)
	fitted, err := s.update(ctx, s.meta, bson.D{field("_id", id), field("value", bson.D{field("$in", [][]byte{was, value})})}, set(field("value", value)))
	if err == nil && fitted == 0 {
		err = store.ErrVersion
	}
	return err
}

func sharedID(name string) string { return join("shared", name) }

// byID is the filter for one document.
func byID(id string) bson.D { return bson.D{{Key: "_id", Value: id}} }

// join makes an id of its parts, none of which but the last has a slash.
func join(parts ...string) string { return strings.Join(parts, "/") }
