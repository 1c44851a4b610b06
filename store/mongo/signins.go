package mongo

import (
	"context"
	"errors"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"usher/store"
)

// signInRecord is the document of a sign-in that is under way.
type signInRecord struct {
	ID    string       `bson:"_id"`
	Value store.SignIn `bson:"v"`
	Write string       `bson:"w,omitempty"` // of who took it
}

// BeginSignIn implements [store.SignIns].
func (s *Store) BeginSignIn(ctx context.Context, in store.SignIn) error {
	ctx, end, err := s.beginWrite(ctx)
	if err != nil {
		return err
	}
	defer end()
	if _, err := s.company(ctx, in.Company); err != nil {
		return err
	}
	return s.insertOnce(ctx, s.signIns, hashID(in.State), func(write string) any {
		return signInRecord{ID: hashID(in.State), Value: in, Write: write}
	}, &store.ConflictError{Field: "SignIn.State"})
}

// insertOnce stores a document, or gives the error taken if there is one with its id which is not from here.
func (s *Store) insertOnce(ctx context.Context, c *mongo.Collection, id string, doc func(write string) any, taken error) error {
	write := store.NewID()
	return s.try(ctx, func(ctx context.Context) error {
		_, err := c.InsertOne(ctx, doc(write))
		if !mongo.IsDuplicateKeyError(err) {
			return err
		}
		n, err := c.CountDocuments(ctx, bson.D{field("_id", id), field("w", write)})
		if err == nil && n == 0 {
			err = taken
		}
		return err
	})
}

// TakeSignIn implements [store.SignIns].
func (s *Store) TakeSignIn(ctx context.Context, one store.SignIn, at time.Time) (store.SignIn, error) {
	ctx, end, err := s.beginWrite(ctx)
	if err != nil {
		return store.SignIn{}, err
	}
	defer end()
	id, write := hashID(one.State), store.NewID()
	fits := bson.D{field("_id", id), field("v.used", time.Time{}), field("v.browser", one.Browser),
		field("v.company", one.Company), field("v.connection", one.Connection)}
	var got signInRecord
	err = s.try(ctx, func(ctx context.Context) error {
		got = signInRecord{}
		err := s.signIns.FindOneAndUpdate(ctx, fits, set(field("v.used", at), field("w", write)),
			options.FindOneAndUpdate().SetReturnDocument(options.Before)).Decode(&got)
		if !errors.Is(err, mongo.ErrNoDocuments) {
			return err
		}
		if err = s.signIns.FindOne(ctx, byID(id)).Decode(&got); err == nil && got.Write == write {
			got.Value.Used = time.Time{} // it was this call that took it, before it was cut off
		}
		return err
	})
	return got.Value, err
}

// DropSignIns implements [store.SignIns].
func (s *Store) DropSignIns(ctx context.Context, before time.Time) (int, error) {
	earlier := bson.D{field("$lt", before)}
	begun, err := s.drop(ctx, s.signIns, bson.D{field("v.created", earlier)})
	if err != nil {
		return begun, err
	}
	noted, err := s.drop(ctx, s.logouts, bson.D{field("expires", earlier)})
	return begun + noted, err
}

// requestRecord is the document of a request that carries an idempotency key.
type requestRecord struct {
	ID    string                  `bson:"_id"`
	Value store.IdempotentRequest `bson:"v"`
	Write string                  `bson:"w"`
}

// errClaimed says that somebody else has claimed a request.
var errClaimed = errors.New("mongo: claimed by another")

// ClaimRequest implements [store.Idempotency].
func (s *Store) ClaimRequest(ctx context.Context, r store.IdempotentRequest) (store.IdempotentRequest, bool, error) {
	ctx, end, err := s.beginWrite(ctx)
	if err != nil {
		return store.IdempotentRequest{}, false, err
	}
	defer end()
	id := hashID(r.Key)
	for {
		err := s.insertOnce(ctx, s.requests, id, func(write string) any { return requestRecord{id, r, write} }, errClaimed)
		if err == nil {
			return r, true, nil
		}
		if !errors.Is(err, errClaimed) {
			return store.IdempotentRequest{}, false, err
		}
		var there requestRecord
		err = s.try(ctx, func(ctx context.Context) error { return s.requests.FindOne(ctx, byID(id)).Decode(&there) })
		if !errors.Is(err, store.ErrNotFound) { // else it was released meanwhile
			return there.Value, false, err
		}
	}
}

// AnswerRequest implements [store.Idempotency].
func (s *Store) AnswerRequest(ctx context.Context, r store.IdempotentRequest) error {
	ctx, end, err := s.beginWrite(ctx)
	if err != nil {
		return err
	}
	defer end()
	fitted, err := s.update(ctx, s.requests, byID(hashID(r.Key)), set(field("v.status", r.Status), field("v.answer", r.Answer)))
	if err == nil && fitted == 0 {
		err = store.ErrNotFound
	}
	return err
}

// ReleaseRequest implements [store.Idempotency].
func (s *Store) ReleaseRequest(ctx context.Context, key [32]byte) error {
	_, err := s.drop(ctx, s.requests, byID(hashID(key)))
	return err
}

// DropRequests implements [store.Idempotency].
func (s *Store) DropRequests(ctx context.Context, before time.Time) (int, error) {
	return s.drop(ctx, s.requests, bson.D{field("v.created", bson.D{field("$lt", before)})})
}
