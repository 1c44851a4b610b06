package mongo

import (
	"context"
	"errors"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"usher/store"
)

// fact is the document of a record that operations change. What tells of a change (events, a sweep, mails) is written into it by the same
// atomic step, and moved from there by the relay to where it is read.
//
// The value is stored under the names of its Go fields in lower case, which TestStored keeps as they are.
type fact[T any] struct {
	ID      string `bson:"_id"`
	Company string `bson:"co"`
	Value   T      `bson:"v"`

	// Keys are the values of the record that no other of its company may have; its own id is one of them, so that they are never none.
	Keys []string `bson:"u,omitempty"`
	// Terms are what the record is found by. One that is gone has none.
	Terms []string `bson:"k,omitempty"`

	Gone bool     `bson:"gone,omitempty"` // deleted: nobody sees it any more; kept until it has nothing to tell
	Open bool     `bson:"open,omitempty"` // steps of the operation that wrote it are outstanding; the reconciler does them if they are never done
	Box  string   `bson:"box,omitempty"`  // the company, while there is something in Out
	Out  []notice `bson:"out,omitempty"`
	// Write names the write that made the document what it is: of one that was not answered it tells whether it was carried out.
	Write string `bson:"w,omitempty"`

	Account accountSide `bson:",inline"` // of accounts
	Group   groupSide   `bson:",inline"` // of groups
}

// notice is one thing that follows from a change: what tells of it, or a step in another document. Carrying one out twice does no harm.
type notice struct {
	ID        string           `bson:"i"` // in the order of operations that follow one another
	Event     *store.Event     `bson:"e,omitempty"`
	Sweep     *store.Sweep     `bson:"s,omitempty"`
	Mail      *store.Mail      `bson:"m,omitempty"`
	Settle    *seatState       `bson:"settle,omitempty"` // the seat that the account holds now
	Free      string           `bson:"free,omitempty"`   // claim of the seat that it holds no more
	Loss      *loss            `bson:"loss,omitempty"`
	Tombstone *store.Tombstone `bson:"tomb,omitempty"` // one that was taken over
}

// notices makes those of one operation.
func notices(sweep *store.Sweep, events []store.Event, mails ...store.Mail) []notice {
	var all []notice
	for _, e := range events {
		all = append(all, notice{ID: store.NewID(), Event: &e})
	}
	if sweep != nil {
		all = append(all, notice{ID: store.NewID(), Sweep: sweep})
	}
	for _, m := range mails {
		m.Version = 1
		all = append(all, notice{ID: store.NewID(), Mail: &m})
	}
	return all
}

// facts is a collection of facts.
type facts[T any] struct {
	s *Store
	*mongo.Collection
}

func newFacts[T any](s *Store, name string) facts[T] { return facts[T]{s, s.db.Collection(name)} }

// present is the condition that a record is not deleted.
var present = bson.E{Key: "gone", Value: nil}

// in is the filter for a record of a company.
func in(company, id string) bson.D {
	return bson.D{{Key: "_id", Value: id}, {Key: "co", Value: company}, present}
}

// asRead leaves out of a document what it is found by and what it has to tell.
var asRead = bson.D{{Key: "u", Value: 0}, {Key: "k", Value: 0}, {Key: "out", Value: 0}}

// get reads the fact that the filter names, deleted or not: [store.ErrNotFound].
func (f facts[T]) get(ctx context.Context, filter bson.D) (got fact[T], err error) {
	err = f.s.try(ctx, func(ctx context.Context) error {
		got = fact[T]{}
		return f.FindOne(ctx, filter, options.FindOne().SetProjection(asRead)).Decode(&got)
	})
	return got, err
}

// value reads a record by its filter, which need not say that it is not deleted: [store.ErrNotFound].
func (f facts[T]) value(ctx context.Context, filter bson.D) (T, error) {
	got, err := f.get(ctx, append(slices.Clone(filter), present))
	return got.Value, err
}

// values reads the records that a filter names, which need not say that they are not deleted, sorted.
func (f facts[T]) values(ctx context.Context, filter, sort bson.D) ([]T, error) {
	var all []fact[T]
	err := findAll(ctx, f.s, f.Collection, append(slices.Clone(filter), present), &all, options.Find().SetSort(sort))
	if err != nil {
		return nil, err
	}
	values := make([]T, len(all))
	for i := range all {
		values[i] = all[i].Value
	}
	return values, nil
}

// create stores a new fact with the notices of it. An error is that of a duplicate if there is one with its id or one of its keys.
func (f facts[T]) create(ctx context.Context, fresh fact[T], news []notice) error {
	fresh.Write, fresh.Out = store.NewID(), news
	if len(news) > 0 {
		fresh.Box = fresh.Company
	}
	asked := false // whether an attempt may have been carried out
	err := f.s.try(ctx, func(ctx context.Context) error {
		_, err := f.InsertOne(ctx, fresh)
		if asked && mongo.IsDuplicateKeyError(err) {
			is, look := f.is(ctx, fresh.ID, fresh.Write)
			if look == nil && !is && hasEvent(news) { // somebody may have changed it since
				is, look = f.told(ctx, fresh.ID, news)
			}
			if look != nil || is {
				return look
			}
		}
		asked = true
		return err
	})
	if err == nil && len(news) > 0 {
		f.s.relay.wake(fresh.Company, f)
	}
	return err
}

// change makes one change of the document that the filter names by its id first, if it fits the filter. It gives the document as it is
// afterwards, and whether it did fit. An error is that of a duplicate if a key is taken.
//
// A change that was not answered is made again only where it is sure that it was not made. [store.ErrUnavailable] says that nobody can tell.
func (f facts[T]) change(ctx context.Context, company string, filter, update bson.D, news []notice) (after fact[T], fits bool, err error) {
	id, _ := filter[0].Value.(string)
	if !slices.ContainsFunc(filter, func(e bson.E) bool { return e.Key == "co" }) {
		filter = append(slices.Clone(filter), field("co", company)) // what a sharded collection finds its shard by
	}
	write := store.NewID()
	update = with(update, "$set", bson.E{Key: "w", Value: write})
	if len(news) > 0 {
		update = with(update, "$set", bson.E{Key: "box", Value: company})
		update = with(update, "$push", bson.E{Key: "out", Value: bson.D{{Key: "$each", Value: news}}})
	}
	asked := false
	err = f.s.try(ctx, func(ctx context.Context) error {
		after = fact[T]{}
		if asked {
			was, err := f.is(ctx, id, write)
			if err == nil && !was && hasEvent(news) { // somebody may have changed the document since
				was, err = f.told(ctx, id, news)
			}
			if err != nil {
				return err
			}
			if was {
				fits = true
				err = f.FindOne(ctx, byID(id)).Decode(&after)
				if errors.Is(err, mongo.ErrNoDocuments) { // what was deleted may be gone by now
					err = nil
				}
				return err
			}
		}
		err := f.FindOneAndUpdate(ctx, filter, update, options.FindOneAndUpdate().SetReturnDocument(options.After)).Decode(&after)
		switch {
		case err == nil:
			fits = true
		case errors.Is(err, mongo.ErrNoDocuments):
			err = nil
			if asked && !hasEvent(news) { // it may not fit for an earlier attempt of our own, after which somebody else changed the document
				err = store.ErrUnavailable
			}
		}
		asked = true
		return err
	})
	if err == nil && fits && len(news) > 0 {
		f.s.relay.wake(company, f)
	}
	return after, fits, err
}

// is says whether a document was last written by the write named. It is asked by a write, so that what it has seen is there to stay.
func (f facts[T]) is(ctx context.Context, id, write string) (bool, error) {
	mark := bson.E{Key: "w", Value: write}
	result, err := f.UpdateOne(ctx, bson.D{{Key: "_id", Value: id}, mark}, bson.D{{Key: "$set", Value: bson.D{mark}}})
	if err != nil {
		return false, err
	}
	return result.MatchedCount == 1, nil
}

func hasEvent(news []notice) bool {
	return slices.ContainsFunc(news, func(n notice) bool { return n.Event != nil })
}

// told says whether the event of a change is in its document or in the log already: then the change was made. One without an event leaves no
// trace behind that lasts.
func (f facts[T]) told(ctx context.Context, id string, news []notice) (bool, error) {
	i := slices.IndexFunc(news, func(n notice) bool { return n.Event != nil })
	n, err := f.CountDocuments(ctx, bson.D{{Key: "_id", Value: id}, {Key: "out.i", Value: news[i].ID}})
	if err != nil || n > 0 {
		return n > 0, err
	}
	n, err = f.s.events.CountDocuments(ctx, byID(news[i].ID))
	return n > 0, err
}

// bury deletes a fact, if it fits the filter, in one step with the notices of it. It is found no more from then on.
func (f facts[T]) bury(ctx context.Context, company string, filter bson.D, news []notice) (was fact[T], fits bool, err error) {
	id, _ := filter[0].Value.(string)
	was, fits, err = f.change(ctx, company, append(slices.Clone(filter), present), bson.D{
		{Key: "$set", Value: bson.D{{Key: "gone", Value: true}, {Key: "u", Value: []string{key("id", id)}}}},
		{Key: "$unset", Value: bson.D{{Key: "k", Value: 1}}},
	}, news)
	if err == nil && fits && len(news) == 0 {
		f.clear(ctx, id)
	}
	return was, fits, err
}

// clear removes a deleted fact that has nothing left to do or to tell. One that cannot be removed now is removed by the reconciler.
func (f facts[T]) clear(ctx context.Context, id string) {
	_, err := f.DeleteOne(ctx, bson.D{{Key: "_id", Value: id}, {Key: "gone", Value: true}, {Key: "open", Value: nil}, {Key: "box", Value: nil}})
	f.s.later(ctx, "remove what was deleted", err)
}

// with adds to an operator of an update.
func with(update bson.D, operator string, e bson.E) bson.D {
	update = slices.Clone(update)
	for i := range update {
		if update[i].Key == operator {
			fields, _ := update[i].Value.(bson.D)
			update[i].Value = append(slices.Clone(fields), e)
			return update
		}
	}
	return append(update, bson.E{Key: operator, Value: bson.D{e}})
}

// set is the update that sets fields.
func set(fields ...bson.E) bson.D { return bson.D{{Key: "$set", Value: bson.D(fields)}} }

// field names a value for filters and updates.
func field(name string, value any) bson.E { return bson.E{Key: name, Value: value} }

// key is a value that no other record of a company may have.
func key(field, value string) string { return field + "=" + value }
