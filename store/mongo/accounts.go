package mongo

import (
	"context"
	"errors"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"usher/store"
)

// accountSide is what the document of an account has beside it.
type accountSide struct {
	// GroupsVersion and Groups are kept apart from the account, because they change without its version.
	GroupsVersion int64 `bson:"gver,omitempty"`
	Groups        int   `bson:"ng,omitempty"`

	Claim     string           `bson:"claim,omitempty"` // of the seat that the account holds
	Queue     string           `bson:"wq,omitempty"`    // license and place, while the account waits
	Held      string           `bson:"hq,omitempty"`    // license and time, while its seat is held
	Tombstone *store.Tombstone `bson:"tomb,omitempty"`  // set with the deletion, so that it is not lost when the deletion breaks off
}

// presentAccount gives the account as callers see it.
func presentAccount(f fact[store.Account]) store.Account {
	a := f.Value
	a.GroupsVersion, a.Groups = f.Account.GroupsVersion, f.Account.Groups
	return a
}

// readAccount reads an account and what is beside it: [store.ErrNotFound].
func (s *Store) readAccount(ctx context.Context, company, id string) (fact[store.Account], error) {
	return s.accounts.get(ctx, in(company, id))
}

// Account implements [store.Accounts].
func (s *Store) Account(ctx context.Context, company, id string) (store.Account, error) {
	end, err := s.begin(ctx)
	if err != nil {
		return store.Account{}, err
	}
	defer end()
	f, err := s.readAccount(ctx, company, id)
	return presentAccount(f), err
}

// accountBy reads the account that has a key: [store.ErrNotFound].
func (s *Store) accountBy(ctx context.Context, company, key string) (store.Account, error) {
	end, err := s.begin(ctx)
	if err != nil {
		return store.Account{}, err
	}
	defer end()
	f, err := s.accounts.get(ctx, bson.D{field("co", company), field("u", key)})
	return presentAccount(f), err
}

// AccountByUserName implements [store.Accounts].
func (s *Store) AccountByUserName(ctx context.Context, company, userName string) (store.Account, error) {
	return s.accountBy(ctx, company, key(userNameKey, userName))
}

// AccountByIdentity implements [store.Accounts].
func (s *Store) AccountByIdentity(ctx context.Context, company, issuer, subject string) (store.Account, error) {
	if subject == "" {
		return store.Account{}, store.ErrNotFound
	}
	return s.accountBy(ctx, company, key(identityKey, identityOf(issuer, subject)))
}

// inBatches is how many ids one call names at most.
const inBatches = 1000

// AccountsByID implements [store.Accounts].
func (s *Store) AccountsByID(ctx context.Context, company string, ids []string) ([]store.Account, error) {
	end, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	return s.accountsByID(ctx, company, distinct(ids))
}

func (s *Store) accountsByID(ctx context.Context, company string, ids []string) ([]store.Account, error) {
	var all []store.Account
	for some := range slices.Chunk(ids, inBatches) {
		var found []fact[store.Account]
		filter := bson.D{field("_id", bson.D{field("$in", some)}), field("co", company), present}
		if err := findAll(ctx, s, s.accounts.Collection, filter, &found, byCreation); err != nil {
			return nil, err
		}
		for _, f := range found {
			all = append(all, presentAccount(f))
		}
	}
	return all, nil
}

// byCreation sorts by id, which is the order of creation.
var byCreation = options.Find().SetSort(bson.D{field("_id", 1)})

func distinct(ids []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(ids)))
}

// DeleteAccount implements [store.Accounts].
func (s *Store) DeleteAccount(ctx context.Context, d store.AccountDelete) error {
	ctx, end, err := s.beginWrite(ctx)
	if err != nil {
		return err
	}
	defer end()
	company, id := d.Before.Company, d.Before.ID
	was, err := s.readAccount(ctx, company, id)
	if err != nil {
		return err
	}
	if was.Value.Version != d.Before.Version {
		return store.ErrVersion
	}
	news := append(notices(nil, d.Events), lossOf(d.Loss, d.At)...)
	fields := bson.D{field("gone", true), field("open", true), field("u", []string{key("id", id)})}
	if was.Account.Claim != "" {
		news = append(news, notice{ID: store.NewID(), Free: was.Account.Claim})
	}
	if d.Tombstone != nil {
		fields = append(fields, field("tomb", d.Tombstone))
	}
	_, fits, err := s.accounts.change(ctx, company, append(in(company, id), field("v.version", d.Before.Version)), bson.D{
		{Key: "$set", Value: fields},
		{Key: "$unset", Value: bson.D{field("k", 1), field("wq", 1), field("hq", 1), field("claim", 1)}},
	}, news)
	if err != nil {
		return err
	}
	if !fits {
		return s.versionOrGone(ctx, company, id)
	}
	s.later(ctx, "do what follows from a change", s.carryAll(ctx, company, news))
	s.later(ctx, "finish a deletion", s.finishDelete(ctx, company, id))
	return nil
}

// versionOrGone gives the error of a change of an account that did not fit.
func (s *Store) versionOrGone(ctx context.Context, company, id string) error {
	if _, err := s.readAccount(ctx, company, id); err != nil {
		return err
	}
	return store.ErrVersion
}

// finishDelete does what is left to do of the deletion of an account. The tombstone comes last: who finds it can have the id.
func (s *Store) finishDelete(ctx context.Context, company, id string) error {
	f, err := s.accounts.get(ctx, bson.D{field("_id", id), field("co", company), field("gone", true), field("open", true)})
	if errors.Is(err, store.ErrNotFound) {
		return nil // somebody else was through first
	}
	if err != nil {
		return err
	}
	rows, err := s.rowsOf(ctx, company, []string{id})
	if err != nil {
		return err
	}
	for _, row := range rows {
		if err := s.leave(ctx, company, row.Group, id); err != nil {
			return err
		}
	}
	if t := f.Account.Tombstone; t != nil {
		if err := s.insert(ctx, s.tombstones, tombstoneRecord{ID: tombstoneID(*t), Company: t.Company, Value: *t}); err != nil {
			return err
		}
	}
	filter := bson.D{field("_id", id), field("gone", true), field("w", f.Write)} // not a later deletion of one that was made again
	_, _, err = s.accounts.change(ctx, company, filter, bson.D{{Key: "$unset", Value: bson.D{field("open", 1), field("tomb", 1)}}}, nil)
	if err == nil {
		s.accounts.clear(ctx, id)
	}
	return err
}

// tombstoneRecord is the document of a tombstone.
type tombstoneRecord struct {
	ID      string          `bson:"_id"`
	Company string          `bson:"co"`
	Value   store.Tombstone `bson:"v"`
}

// tombstoneID tells the deletions of an account apart: one that was made again may be deleted again.
func tombstoneID(t store.Tombstone) string {
	return join(t.ID, t.Deleted.UTC().Format(time.RFC3339Nano))
}

// dropTombstone removes a tombstone that was taken over.
func (s *Store) dropTombstone(ctx context.Context, t store.Tombstone) error {
	return s.try(ctx, func(ctx context.Context) error {
		_, err := s.tombstones.DeleteOne(ctx, byID(tombstoneID(t)))
		return err
	})
}

// NewestTombstone implements [store.Accounts].
func (s *Store) NewestTombstone(ctx context.Context, company, connection, externalID string, since time.Time) (store.Tombstone, error) {
	end, err := s.begin(ctx)
	if err != nil {
		return store.Tombstone{}, err
	}
	defer end()
	var found []tombstoneRecord
	filter := bson.D{field("co", company), field("v.connection", connection), field("v.externalid", externalID),
		field("v.deleted", bson.D{field("$gte", since)})}
	err = findAll(ctx, s, s.tombstones, filter, &found, options.Find().SetSort(bson.D{field("v.deleted", -1), field("_id", -1)}).SetLimit(1))
	if err != nil {
		return store.Tombstone{}, err
	}
	if len(found) == 0 {
		return store.Tombstone{}, store.ErrNotFound
	}
	return found[0].Value, nil
}

// DropTombstones implements [store.Accounts].
func (s *Store) DropTombstones(ctx context.Context, before time.Time) (int, error) {
	return s.drop(ctx, s.tombstones, bson.D{field("v.deleted", bson.D{field("$lt", before)})})
}
