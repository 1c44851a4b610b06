package mongo

import (
	"context"
	"encoding/hex"
	"errors"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"usher/store"
)

func connectionNameKey(name string) string { return key("name", name) }

// byTime sorts records by when they were made.
var byTime = bson.D{field("v.created", 1), field("v.id", 1)}

// hashID is the id of a document that is found by a hash.
func hashID(hash [32]byte) string { return hex.EncodeToString(hash[:]) }

// CreateConnection implements [store.Connections].
func (s *Store) CreateConnection(ctx context.Context, c store.Connection, events []store.Event) error {
	ctx, end, err := s.beginWrite(ctx)
	if err != nil {
		return err
	}
	defer end()
	f := fact[store.Connection]{ID: c.ID, Company: c.Company, Value: c, Keys: []string{key("id", c.ID), connectionNameKey(c.Name)}}
	err = s.connections.create(ctx, f, notices(nil, events))
	if !mongo.IsDuplicateKeyError(err) {
		return err
	}
	_, look := s.connections.get(ctx, bson.D{field("co", c.Company), field("u", connectionNameKey(c.Name))})
	switch {
	case errors.Is(look, store.ErrNotFound):
		return &store.ConflictError{Field: "ID", Value: c.ID}
	case look != nil:
		return look
	}
	return &store.ConflictError{Field: "Connection.Name", Value: c.Name}
}

// Connection implements [store.Connections]. It is read anew by each call: another server may have changed it.
func (s *Store) Connection(ctx context.Context, id string) (store.Connection, error) {
	end, err := s.begin(ctx)
	if err != nil {
		return store.Connection{}, err
	}
	defer end()
	return s.connections.value(ctx, byID(id))
}

// ConnectionByName implements [store.Connections].
func (s *Store) ConnectionByName(ctx context.Context, company, name string) (store.Connection, error) {
	end, err := s.begin(ctx)
	if err != nil {
		return store.Connection{}, err
	}
	defer end()
	return s.connections.value(ctx, bson.D{field("co", company), field("u", connectionNameKey(name))})
}

// ListConnections implements [store.Connections].
func (s *Store) ListConnections(ctx context.Context, company string) ([]store.Connection, error) {
	end, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	return s.connections.values(ctx, bson.D{field("co", company)}, byTime)
}

// UpdateConnection implements [store.Connections].
func (s *Store) UpdateConnection(ctx context.Context, c, was store.Connection, events []store.Event) error {
	quirks := bson.E{Key: "v.quirksoff", Value: was.QuirksOff}
	if len(was.QuirksOff) == 0 { // a list that is empty, or none
		quirks.Value = bson.D{field("$in", bson.A{nil, bson.A{}})}
	}
	as := bson.D{field("v.mode", was.Mode), field("v.strict", was.Strict), quirks}
	update := set(field("v.mode", c.Mode), field("v.quirksoff", c.QuirksOff), field("v.strict", c.Strict))
	_, err := s.changeConnection(ctx, c, as, update, events)
	return err
}

// SetSignOn implements [store.Connections].
func (s *Store) SetSignOn(ctx context.Context, c store.Connection, events []store.Event) (store.Connection, error) {
	was := c.SignOn.Version
	c.SignOn.Version++
	return s.changeConnection(ctx, c, bson.D{field("v.signon.version", was)}, set(field("v.signon", c.SignOn), field("v.epoch", c.Epoch)), events)
}

// SetBreaker implements [store.Connections].
func (s *Store) SetBreaker(ctx context.Context, c store.Connection, was string, events []store.Event) error {
	update := set(field("v.breaker", c.Breaker), field("v.breakersince", c.BreakerSince))
	_, err := s.changeConnection(ctx, c, bson.D{field("v.breaker", was)}, update, events)
	return err
}

// changeConnection makes a change of a connection that is as it must be.
func (s *Store) changeConnection(ctx context.Context, c store.Connection, as, update bson.D, events []store.Event) (store.Connection, error) {
	ctx, end, err := s.beginWrite(ctx)
	if err != nil {
		return store.Connection{}, err
	}
	defer end()
	after, fits, err := s.connections.change(ctx, c.Company, append(in(c.Company, c.ID), as...), update, notices(nil, events))
	if err == nil && !fits {
		if _, err = s.connections.get(ctx, in(c.Company, c.ID)); err == nil {
			err = store.ErrVersion
		}
	}
	if err != nil {
		return store.Connection{}, err
	}
	return after.Value, nil
}

// loss is that a connection took something away from somebody.
type loss struct {
	Connection string    `bson:"conn"`
	At         time.Time `bson:"at"`
}

// lossRecord is the document of a loss.
type lossRecord struct {
	ID      string    `bson:"_id"`
	Company string    `bson:"co"`
	Loss    loss      `bson:",inline"`
	Put     time.Time `bson:"put"` // by the clock of who wrote it
}

// lossOf makes the notice of a loss, where there is one.
func lossOf(connection string, at time.Time) []notice {
	if connection == "" {
		return nil
	}
	return []notice{{ID: store.NewID(), Loss: &loss{connection, at}}}
}

// CountLosses implements [store.Connections].
func (s *Store) CountLosses(ctx context.Context, company, connection string, since time.Time, limit int) (n int, err error) {
	end, err := s.begin(ctx)
	if err != nil {
		return 0, err
	}
	defer end()
	if limit <= 0 {
		return 0, nil
	}
	filter := bson.D{field("co", company), field("conn", connection), field("at", bson.D{field("$gte", since)})}
	err = s.try(ctx, func(ctx context.Context) error {
		many, err := s.losses.CountDocuments(ctx, filter, options.Count().SetLimit(int64(limit)))
		n = int(many)
		return err
	})
	return n, err
}

// CreateToken implements [store.Connections].
func (s *Store) CreateToken(ctx context.Context, t store.Token, events []store.Event) error {
	return createHashed(ctx, s.tokens, t.Hash, t.Company, t, "Token", t.ID, events)
}

// Token implements [store.Connections].
func (s *Store) Token(ctx context.Context, hash [32]byte) (store.Token, error) {
	end, err := s.begin(ctx)
	if err != nil {
		return store.Token{}, err
	}
	defer end()
	return s.tokens.value(ctx, byID(hashID(hash)))
}

// ListTokens implements [store.Connections].
func (s *Store) ListTokens(ctx context.Context, company string) ([]store.Token, error) {
	end, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	return s.tokens.values(ctx, bson.D{field("co", company)}, byTime)
}

// DeleteToken implements [store.Connections].
func (s *Store) DeleteToken(ctx context.Context, company, id string, events []store.Event) error {
	return buryNamed(ctx, s.tokens, company, id, events)
}

// CreateAdminKey implements [store.Companies].
func (s *Store) CreateAdminKey(ctx context.Context, k store.AdminKey, events []store.Event) error {
	return createHashed(ctx, s.keys, k.Hash, k.Company, k, "AdminKey", k.ID, events)
}

// AdminKey implements [store.Companies].
func (s *Store) AdminKey(ctx context.Context, hash [32]byte) (store.AdminKey, error) {
	end, err := s.begin(ctx)
	if err != nil {
		return store.AdminKey{}, err
	}
	defer end()
	return s.keys.value(ctx, byID(hashID(hash)))
}

// ListAdminKeys implements [store.Companies].
func (s *Store) ListAdminKeys(ctx context.Context, company string) ([]store.AdminKey, error) {
	end, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	return s.keys.values(ctx, bson.D{field("co", company)}, byTime)
}

// DeleteAdminKey implements [store.Companies].
func (s *Store) DeleteAdminKey(ctx context.Context, company, id string, events []store.Event) error {
	return buryNamed(ctx, s.keys, company, id, events)
}

// createHashed stores a record that is found by a hash.
func createHashed[T any](ctx context.Context, f facts[T], hash [32]byte, company string, value T, what, name string, events []store.Event) error {
	ctx, end, err := f.s.beginWrite(ctx)
	if err != nil {
		return err
	}
	defer end()
	id := hashID(hash)
	err = f.create(ctx, fact[T]{ID: id, Company: company, Value: value, Keys: []string{key("id", id)}}, notices(nil, events))
	if mongo.IsDuplicateKeyError(err) {
		return &store.ConflictError{Field: what + ".Hash", Value: name}
	}
	return err
}

// buryNamed deletes the record of a company that people call by an id: [store.ErrNotFound].
func buryNamed[T any](ctx context.Context, f facts[T], company, name string, events []store.Event) error {
	ctx, end, err := f.s.beginWrite(ctx)
	if err != nil {
		return err
	}
	defer end()
	found, err := f.get(ctx, bson.D{field("co", company), field("v.id", name), present})
	if err != nil {
		return err
	}
	_, fits, err := f.bury(ctx, company, byID(found.ID), notices(nil, events))
	if err == nil && !fits {
		err = store.ErrNotFound
	}
	return err
}
