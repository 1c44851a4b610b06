package mongo

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"usher/store"
	"usher/store/query"
)

// indexTime is how long it may take to make the indexes, of a database that has records already.
const indexTime = time.Hour

// schemaVersion is that of the collections as this usher writes them.
const schemaVersion = 1

// index is one index of a collection.
type index struct {
	collection string
	keys       bson.D
	unique     bool
	sparse     bool // documents without the first key are not in it
}

func ascending(fields ...string) bson.D {
	var keys bson.D
	for _, name := range fields {
		keys = append(keys, field(name, 1))
	}
	return keys
}

// name is "co_1_k_1__id_1" for co, k and _id, as the server itself would call it.
func (i index) name() string {
	parts := make([]string, len(i.keys))
	for n, k := range i.keys {
		parts[n] = fmt.Sprintf("%s_%v", k.Key, k.Value)
	}
	return strings.Join(parts, "_")
}

// indexes are all that there are. Each begins with the company where the collection is to be sharded by it, and no unique one depends on
// documents that it leaves out: not every server knows partial indexes, and a sharded collection has no unique index without its shard key.
func (s *Store) indexes() []index {
	all := []index{
		{collection: s.companies.Name(), keys: ascending("u"), unique: true},
		{collection: s.accounts.Name(), keys: ascending("co", "u"), unique: true},
		{collection: s.accounts.Name(), keys: ascending("co", "k", "_id")},
		{collection: s.accounts.Name(), keys: ascending("co", "v.modified")},
		{collection: s.accounts.Name(), keys: ascending("co", "wq")},
		{collection: s.accounts.Name(), keys: ascending("co", "hq")},
		{collection: s.groups.Name(), keys: ascending("co", "u"), unique: true},
		{collection: s.groups.Name(), keys: ascending("co", "k", "_id")},
		{collection: s.groups.Name(), keys: ascending("co", "_id")}, // what a collection is sharded by has no lists in it
		{collection: s.groups.Name(), keys: ascending("late"), sparse: true},
		{collection: s.connections.Name(), keys: ascending("co", "u"), unique: true},
		{collection: s.connections.Name(), keys: ascending("co", "_id")},
		{collection: s.tokens.Name(), keys: ascending("co", "v.id")},
		{collection: s.keys.Name(), keys: ascending("co", "v.id")},
		{collection: s.adminSessions.Name(), keys: ascending("co", "v.id")},
		{collection: s.adminSessions.Name(), keys: ascending("v.seen")},
		{collection: s.adminSessions.Name(), keys: ascending("v.expires")},
		{collection: s.sessions.Name(), keys: ascending("co", "v.id")},
		{collection: s.sessions.Name(), keys: ascending("co", "v.account", "v.id")},
		{collection: s.sessions.Name(), keys: ascending("co", "v.subject")},
		{collection: s.sessions.Name(), keys: ascending("co", "v.connection")},
		{collection: s.sessions.Name(), keys: ascending("v.expires")},
		{collection: s.rules.Name(), keys: ascending("co")},
		{collection: s.pools.Name(), keys: ascending("co")},
		{collection: s.seats.Name(), keys: ascending("co", "sku", "free", "n")},
		{collection: s.seats.Name(), keys: ascending("co", "sku", "free", "st")},
		{collection: s.seats.Name(), keys: ascending("co", "claim")},
		{collection: s.seats.Name(), keys: ascending("st"), sparse: true},
		{collection: s.seats.Name(), keys: ascending("moved"), sparse: true},
		{collection: s.members.Name(), keys: ascending("co", "g", "u")},
		{collection: s.members.Name(), keys: ascending("co", "u", "g")},
		{collection: s.members.Name(), keys: ascending("out"), sparse: true},
		{collection: s.tombstones.Name(), keys: ascending("co", "v.connection", "v.externalid", "v.deleted")},
		{collection: s.tombstones.Name(), keys: ascending("v.deleted")},
		{collection: s.events.Name(), keys: ascending("co", "seq"), unique: true},
		{collection: s.mails.Name(), keys: ascending("v.state", "v.due")},
		{collection: s.mails.Name(), keys: ascending("co", "_id")},
		{collection: s.mails.Name(), keys: ascending("co", "v.account", "_id")},
		{collection: s.mails.Name(), keys: ascending("v.done")},
		{collection: s.sweeps.Name(), keys: ascending("ended")},
		{collection: s.signIns.Name(), keys: ascending("v.created")},
		{collection: s.logouts.Name(), keys: ascending("expires")},
		{collection: s.requests.Name(), keys: ascending("v.created")},
		{collection: s.quirks.Name(), keys: ascending("co")},
		{collection: s.losses.Name(), keys: ascending("co", "conn", "at")},
		{collection: s.losses.Name(), keys: ascending("put")},
	}
	for _, b := range s.boxes {
		all = append(all, index{collection: b.Name(), keys: ascending("box"), sparse: true}, index{collection: b.Name(), keys: ascending("gone"), sparse: true})
	}
	for _, name := range []string{s.accounts.Name(), s.groups.Name()} {
		all = append(all, index{collection: name, keys: ascending("open"), sparse: true})
	}
	return all
}

// metaRecord is what the database knows of its own form.
type metaRecord struct {
	Version int    `bson:"version"`
	Terms   string `bson:"terms"` // the indexes over documents that the terms of accounts are made for
}

const metaID = "schema"

// prepare makes the database ready: it refuses one that this usher cannot serve, makes what is missing, and brings what is older up to date.
// Several servers may do so at once: each step is one that can be done twice.
func (s *Store) prepare(ctx context.Context) error {
	var meta metaRecord
	err := s.try(ctx, func(ctx context.Context) error { return s.meta.FindOne(ctx, byID(metaID)).Decode(&meta) })
	switch {
	case errors.Is(err, store.ErrNotFound):
	case err != nil:
		return fmt.Errorf("the database cannot be read: %w", err)
	case meta.Version > schemaVersion:
		return fmt.Errorf("mongo: the database is of a newer usher (version %d of its collections, and this one knows %d): upgrade usher", meta.Version, schemaVersion)
	}
	if err := s.probe(ctx); err != nil {
		return err
	}
	if err := s.makeIndexes(ctx); err != nil {
		return err
	}
	terms := termsKey(s.plan)
	if meta.Version > 0 && meta.Terms != terms {
		if err := s.remakeTerms(ctx); err != nil {
			return err
		}
	}
	return s.try(ctx, func(ctx context.Context) error {
		_, err := s.meta.UpdateOne(ctx, byID(metaID), set(field("version", schemaVersion), field("terms", terms)), options.UpdateOne().SetUpsert(true))
		if mongo.IsDuplicateKeyError(err) { // of two at once
			err = nil
		}
		return err
	})
}

// prepareAgain makes a database ready that was dropped, or restored from elsewhere, under a server that runs: without its indexes names would not be
// unique.
func (s *Store) prepareAgain(ctx context.Context) error {
	n, err := s.count(ctx, s.meta, byID(metaID))
	if err != nil || n > 0 {
		return err
	}
	s.log.LogAttrs(ctx, slog.LevelError, "the database is not the one that was opened: it is made ready anew; look whether it has the records that it should have")
	return s.prepare(ctx)
}

// termsKey tells apart what the terms of accounts are made for.
func termsKey(indexes []query.Index) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%#v", indexes))
	return hex.EncodeToString(sum[:8])
}

func (s *Store) makeIndexes(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, indexTime)
	defer cancel()
	byCollection := map[string][]mongo.IndexModel{}
	for _, i := range s.indexes() {
		opts := options.Index().SetName(i.name())
		if i.unique {
			opts.SetUnique(true)
		}
		if i.sparse {
			opts.SetSparse(true)
		}
		byCollection[i.collection] = append(byCollection[i.collection], mongo.IndexModel{Keys: i.keys, Options: opts})
	}
	for name, models := range byCollection {
		err := s.try(ctx, func(ctx context.Context) error {
			_, err := s.db.Collection(name).Indexes().CreateMany(ctx, models)
			return err
		})
		if err != nil {
			return fmt.Errorf("indexes of %s: %w", name, err)
		}
	}
	return nil
}

// remakeTerms makes the terms of all accounts anew, when other attributes are indexed than those that they were made for.
func (s *Store) remakeTerms(ctx context.Context) error {
	s.log.InfoContext(ctx, "other attributes are indexed than before: the terms of all accounts are made anew")
	after := ""
	for {
		var some []fact[store.Account]
		filter := bson.D{field("_id", bson.D{field("$gt", after)}), present}
		if err := findAll(ctx, s, s.accounts.Collection, filter, &some, options.Find().SetSort(bson.D{field("_id", 1)}).SetLimit(inBatches)); err != nil {
			return err
		}
		if len(some) == 0 {
			return nil
		}
		for _, f := range some {
			a := f.Value
			a.Terms = query.Terms(a.Doc, s.documents)
			// Who changes it meanwhile makes its terms by itself.
			filter := append(in(f.Company, f.ID), field("v.version", a.Version))
			if _, err := s.update(ctx, s.accounts.Collection, filter, set(field("k", accountTerms(&a)))); err != nil {
				return err
			}
		}
		after = some[len(some)-1].ID
	}
}

const (
	probers    = 8
	probeTurns = 6
)

// ErrNotAtomic says that a server loses updates: two that exclude each other were both answered as done.
var ErrNotAtomic = errors.New("this database server answers updates as done that it has lost (FerretDB 1 is known to): use MongoDB 4.4 or newer")

// probe lets some goroutines race for conditional updates of one document and counts who is said to have won.
func (s *Store) probe(ctx context.Context) error {
	id := "probe/" + store.NewID()
	if err := s.insert(ctx, s.meta, bson.D{field("_id", id), field("n", int64(0))}); err != nil {
		return fmt.Errorf("the database cannot be written to: %w", err)
	}
	defer func() {
		_, err := s.meta.DeleteOne(context.WithoutCancel(ctx), byID(id))
		s.later(ctx, "remove a probe", err)
	}()
	var won atomic.Int64
	var failed error
	var once sync.Once
	var racers sync.WaitGroup
	for range probers {
		racers.Go(func() {
			for turn := range int64(probeTurns) {
				result, err := s.meta.UpdateOne(ctx, bson.D{field("_id", id), field("n", turn)}, bson.D{{Key: "$inc", Value: bson.D{field("n", int64(1))}}})
				if err != nil {
					once.Do(func() { failed = err })
					return
				}
				won.Add(result.MatchedCount)
			}
		})
	}
	racers.Wait()
	if failed != nil {
		return wrap(ctx, failed)
	}
	var end struct{ N int64 }
	if err := s.try(ctx, func(ctx context.Context) error { return s.meta.FindOne(ctx, byID(id)).Decode(&end) }); err != nil {
		return err
	}
	if won.Load() != end.N || end.N > probeTurns {
		return fmt.Errorf("mongo: %w", ErrNotAtomic)
	}
	return nil
}

// missingIndexes gives the indexes that are not there.
func (s *Store) missingIndexes(ctx context.Context) ([]string, error) {
	var missing []string
	there := map[string][]string{}
	for _, i := range s.indexes() {
		if there[i.collection] == nil {
			specs, err := s.db.Collection(i.collection).Indexes().ListSpecifications(ctx)
			if err != nil {
				return nil, wrap(ctx, err)
			}
			names := []string{""}
			for _, spec := range specs {
				names = append(names, spec.Name)
			}
			there[i.collection] = names
		}
		if !slices.Contains(there[i.collection], i.name()) {
			missing = append(missing, i.collection+"."+i.name())
		}
	}
	return missing, nil
}
