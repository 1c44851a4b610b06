package migrate

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"usher/cmd/internal/app"
	"usher/store"
	"usher/store/mongo"
)

// database is the store in a MongoDB database.
func database(uri string) (place, error) {
	if err := app.CheckStore(uri); err != nil {
		return place{}, err
	}
	name := app.ShownStore(uri)
	if _, rest, _ := strings.Cut(name, "://"); !strings.Contains(strings.TrimSuffix(rest, "/"), "/") { // the one that is meant without a name
		name = strings.TrimSuffix(name, "/") + "/usher"
	}
	return place{name: name, open: func(ctx context.Context, c Config, what use) (engine, error) {
		s, err := mongo.Open(ctx, uri, mongo.Options{Indexes: c.Indexes, Logger: c.Logger, Alone: true, Import: what == completing})
		switch {
		case errors.Is(err, store.ErrUnavailable):
			return nil, fmt.Errorf("the database %s cannot be reached (look whether it runs, and whether its address, user and password are right): %w", name, app.Unsaid(err, uri))
		case err != nil:
			return nil, fmt.Errorf("cannot open the database %s: %w", name, app.Unsaid(err, uri))
		}
		return s, nil
	}}, nil
}
