package mongo

import (
	"context"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// findAll reads the documents that fit the filter.
func findAll[T any](ctx context.Context, s *Store, c *mongo.Collection, filter bson.D, into *[]T, opts ...options.Lister[options.FindOptions]) error {
	return s.tryRead(ctx, func(ctx context.Context) error {
		cursor, err := c.Find(ctx, filter, opts...)
		if err != nil {
			return err
		}
		*into, err = drain[T](ctx, cursor)
		return err
	})
}

// drain reads what a cursor has. The driver's own way to do so waits without limit for the server to forget the cursor.
func drain[T any](ctx context.Context, cursor *mongo.Cursor) ([]T, error) {
	defer forget(ctx, cursor)
	var all []T
	for cursor.Next(ctx) {
		var one T
		if err := cursor.Decode(&one); err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, cursor.Err()
}

// forget tells the server that a cursor is not needed any more, if that does not take long: servers forget cursors by themselves.
func forget(ctx context.Context, cursor *mongo.Cursor) {
	const patience = time.Second
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	_ = cursor.Close(ctx)
}
