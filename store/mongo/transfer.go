package mongo

import (
	"context"
	"errors"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"usher/store"
)

var _ store.Transfer = (*Store)(nil)

// importID is the document with the mark of an import.
const importID = "import"

// importMark is the mark of an import.
type importMark struct {
	Source string `bson:"source"`
	Kind   string `bson:"kind"`
	Key    string `bson:"key"`
}

// refuseUnfinished gives an error for a database into which not all records have been taken over.
func (s *Store) refuseUnfinished(ctx context.Context) error {
	mark, err := s.mark(ctx)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil
	case err != nil:
		return err
	}
	return &store.UnfinishedError{Source: mark.Source}
}

// mark reads the mark of an import: [store.ErrNotFound] when none is under way.
func (s *Store) mark(ctx context.Context) (store.Import, error) {
	var m importMark
	err := s.try(ctx, func(ctx context.Context) error { return s.meta.FindOne(ctx, byID(importID)).Decode(&m) })
	return store.Import{Source: m.Source, Kind: store.RecordKind(m.Kind), Key: m.Key}, err
}

// Import implements [store.Transfer].
func (s *Store) Import(ctx context.Context) (store.Import, error) {
	end, err := s.begin(ctx)
	if err != nil {
		return store.Import{}, err
	}
	defer end()
	return s.mark(ctx)
}

// recordCollections are those that records are kept in.
func (s *Store) recordCollections() []*mongo.Collection {
	return []*mongo.Collection{
		s.companies.Collection, s.connections.Collection, s.tokens.Collection, s.keys.Collection, s.adminSessions.Collection, s.sessions.Collection,
		s.accounts.Collection, s.groups.Collection, s.pools.Collection, s.rules.Collection, s.schemas.Collection, s.inbox.Collection, s.members, s.seats,
		s.tombstones, s.events, s.sweeps, s.mails, s.signIns, s.logouts, s.requests, s.quirks, s.losses,
	}
}

// BeginImport implements [store.Transfer].
func (s *Store) BeginImport(ctx context.Context, source string) error {
	ctx, end, err := s.beginWrite(ctx)
	if err != nil {
		return err
	}
	defer end()
	for _, c := range s.recordCollections() {
		var some []struct{}
		if err := findAll(ctx, s, c, bson.D{}, &some, options.Find().SetLimit(1)); err != nil {
			return err
		}
		if len(some) > 0 {
			return store.ErrNotEmpty
		}
	}
	// A server that was started on the database while it was empty has left its keys there, and they are not those that come with the records.
	if _, err := s.drop(ctx, s.meta, bson.D{field("_id", bson.D{field("$gt", sharedID("")), field("$lt", "shared0")})}); err != nil {
		return err
	}
	type document struct {
		ID    string     `bson:"_id"`
		Mark  importMark `bson:",inline"`
		Write string     `bson:"w"`
	}
	return s.insertOnce(ctx, s.meta, importID, func(write string) any {
		return document{importID, importMark{Source: source}, write}
	}, store.ErrNotEmpty)
}

// PutRecords implements [store.Transfer]. The mark is moved when the records are stored: those of a batch that was interrupted are put again.
func (s *Store) PutRecords(ctx context.Context, records []store.Record) error {
	ctx, end, err := s.beginWrite(ctx)
	if err != nil {
		return err
	}
	defer end()
	mark, err := s.mark(ctx)
	if err != nil {
		return fmt.Errorf("no import is under way: %w", err)
	}
	for len(records) > 0 && mark.Past(records[0]) {
		records = records[1:]
	}
	if len(records) == 0 {
		return nil
	}
	if err := s.putRecords(ctx, records); err != nil {
		return err
	}
	last := records[len(records)-1]
	_, err = s.update(ctx, s.meta, byID(importID), set(field("kind", string(last.Kind)), field("key", last.Key)))
	return err
}

// EndImport implements [store.Transfer].
func (s *Store) EndImport(ctx context.Context) error {
	_, err := s.drop(ctx, s.meta, byID(importID))
	return err
}
