package sqlite

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"

	"usher/store"
	"usher/store/query"
)

// Options are the settings of a store. The zero value is good for tests.
type Options struct {
	// Indexes are the paths of account documents whose values are indexed, beside [store.ColumnIndexes] and the user name.
	Indexes []query.Index
	// Logger gets the progress of migrations and index rebuilds, and the reason when the store stops itself. Nil: nobody does.
	Logger *slog.Logger
	// QueueSize is how many writes may wait before [store.ErrBusy]; 0 means 4096.
	QueueSize int
	// Import opens a database, too, into which not all records of another store have been taken over, to complete it.
	Import bool
}

// Store is the engine. It implements [store.Store] and is safe for concurrent use.
type Store struct {
	lock        *os.File
	writer      *writer
	readers     *readers
	closing     sync.Once
	closeErr    error
	companies   companies
	connections knownConnections
	index       *dictionary
	places      *query.Places[int64]
	marks       *marks
	rowsRead    atomic.Int64
	schemasTurn sync.Mutex  // held while a schema is changed
	nested      atomic.Bool // whether there may be groups in groups: mostly there are none, and then nobody need look
}

var _ store.Store = (*Store)(nil)

// File is the name of the database in its folder.
const File = "usher.db"

// Open opens the database usher.db in the folder dir and makes both if they do not exist. It takes the folder for this process:
// ErrLocked if another has it. Older databases are brought up to date, and indexes that were added are built from all documents,
// which the context can interrupt; the next Open begins that anew. A database of a newer usher is refused, and so is one that an
// import has not completed ([*store.UnfinishedError]).
func Open(ctx context.Context, dir string, opts Options) (*Store, error) {
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.QueueSize <= 0 {
		opts.QueueSize = 4096
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("sqlite: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("sqlite: %w", err)
	}
	locked, err := lock(filepath.Join(dir, "usher.lock"))
	if err != nil {
		return nil, err
	}
	s := &Store{lock: locked, places: query.NewPlaces[int64](), marks: newMarks()}
	if err := s.open(ctx, filepath.Join(dir, File), opts); err != nil {
		return nil, errors.Join(err, locked.Close())
	}
	return s, nil
}

func (s *Store) open(ctx context.Context, path string, opts Options) error {
	// The engine makes its files with the mode of the database, which holds password hashes.
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("sqlite: %w", err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("sqlite: %w", err)
	}
	c, err := connect(dsn(path, "journal_mode(WAL)", "synchronous(FULL)", "cache_size(-16384)", "wal_autocheckpoint(4000)", "journal_size_limit(67108864)"))
	if err != nil {
		return err
	}
	if err = migrate(c, migrations(), opts.Logger); err == nil && !opts.Import {
		err = refuseUnfinished(c)
	}
	if err == nil {
		s.index, err = openDictionary(ctx, c, opts.Indexes, opts.Logger)
	}
	if err == nil {
		err = endLeases(c)
	}
	if err == nil {
		err = s.companies.load(c)
	}
	if err == nil {
		var nested bool
		nested, err = c.exists("SELECT 1 FROM subgroups LIMIT 1")
		s.nested.Store(nested)
	}
	if err == nil {
		s.readers = newReaders(dsn(path, "query_only(ON)", "cache_size(-8192)"), 2*runtime.GOMAXPROCS(0))
		s.writer, err = newWriter(c, opts.QueueSize, s.readers.stop, opts.Logger)
	}
	if err != nil {
		return errors.Join(err, c.close())
	}
	return nil
}

// dsn names the database with the settings of a connection.
func dsn(path string, pragmas ...string) string {
	q := url.Values{"_pragma": append([]string{"busy_timeout(5000)", "temp_store(MEMORY)"}, pragmas...)}
	return (&url.URL{Scheme: "file", Path: path, RawQuery: q.Encode()}).String()
}

// Close lets the operations that have begun or are queued come to their end and closes the database.
func (s *Store) Close() error {
	s.closing.Do(func() {
		s.closeErr = errors.Join(s.writer.close(), s.readers.close(), s.lock.Close())
	})
	return s.closeErr
}

// Failed is closed when a commit has failed: the store has stopped, and the process should end.
func (s *Store) Failed() <-chan struct{} { return s.writer.failed }

// Commits is the number of transactions committed since Open; with many writers it is smaller than that of the operations.
func (s *Store) Commits() int64 { return s.writer.commits.Load() }

// RowsRead is the number of index entries and documents that reads have looked at since Open.
func (s *Store) RowsRead() int64 { return s.rowsRead.Load() }

// miscounted counts the pools whose counts are not those of the seats and the queue.
const miscounted = `SELECT count(*) FROM pools p
	WHERE reserved + active + held <> (SELECT count(*) FROM seats s WHERE s.co = p.co AND s.sku = p.sku)
	   OR waiting <> (SELECT count(*) FROM waiting w WHERE w.co = p.co AND w.sku = p.sku)`

// Check reads, writes, and compares the counts of the pools with the seats.
func (s *Store) Check(ctx context.Context) error {
	err := s.write(ctx, func(t *tx) error {
		_, err := t.exec("INSERT INTO meta (k, v) VALUES ('checks', 1) ON CONFLICT (k) DO UPDATE SET v = v + 1")
		return err
	})
	if err != nil {
		return err
	}
	return s.read(ctx, func(c *conn) error {
		off, err := c.integer(miscounted)
		if err == nil && off > 0 {
			err = fmt.Errorf("sqlite: the counts of %d pools are not those of their seats", off)
		}
		return err
	})
}

// write runs one operation on the writer and waits until it is durable.
func (s *Store) write(ctx context.Context, run func(*tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.writer.do(ctx, run)
}

// read runs f on an idle reading connection.
func (s *Store) read(ctx context.Context, f func(*conn) error) error {
	c, err := s.readers.take(ctx)
	if err != nil {
		return err
	}
	defer s.readers.put(c)
	return f(c)
}

// snapshot is read for more than one statement: all of them see the same state.
func (s *Store) snapshot(ctx context.Context, f func(*conn) error) error {
	return s.read(ctx, func(c *conn) error {
		if _, err := c.exec("BEGIN"); err != nil {
			return err
		}
		err := f(c)
		if _, end := c.exec("COMMIT"); err == nil {
			err = end
		}
		return err
	})
}
