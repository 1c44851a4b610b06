package migrate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"usher/store"
	"usher/store/sqlite"
)

// engine is an open store.
type engine interface {
	store.Transfer
	Close() error
}

// use is what a store is opened for.
type use int

const (
	reading    use = iota // it must be there, and complete
	completing            // it is made, or filled to the end
)

// place is where a store is.
type place struct {
	name string // without secrets; the same for the same store
	dir  string // of a data folder; empty: it is none
	open func(ctx context.Context, c Config, what use) (engine, error)
}

const sqliteScheme = "sqlite://"

// parse reads the name of a store.
func parse(name string) (place, error) {
	if dir, ok := strings.CutPrefix(name, sqliteScheme); ok && dir != "" {
		return folder(dir)
	}
	if strings.HasPrefix(name, "mongodb://") || strings.HasPrefix(name, "mongodb+srv://") {
		return database(name)
	}
	return place{}, fmt.Errorf("%q names no store: sqlite:///var/lib/usher is a data folder, mongodb://host/database a database", name)
}

// folder is the store in a data folder.
func folder(dir string) (place, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return place{}, err
	}
	return place{name: sqliteScheme + dir, dir: dir, open: func(ctx context.Context, c Config, what use) (engine, error) {
		if what == reading {
			if _, err := os.Stat(filepath.Join(dir, "usher.db")); errors.Is(err, fs.ErrNotExist) {
				return nil, fmt.Errorf("there is no store in the folder %s", dir)
			}
		}
		s, err := sqlite.Open(ctx, dir, sqlite.Options{Indexes: c.Indexes, Logger: c.Logger, Import: what == completing})
		if errors.Is(err, sqlite.ErrLocked) {
			return nil, fmt.Errorf("the data folder %s is in use by another usher process: stop it first", dir)
		}
		if err != nil {
			return nil, fmt.Errorf("cannot open the data folder %s: %w", dir, err)
		}
		return s, nil
	}}, nil
}
