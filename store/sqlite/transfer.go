package sqlite

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"usher/store"
)

var _ store.Transfer = (*Store)(nil)

// importKey is where the mark of an import stands in the table meta.
const importKey = "import"

// mark reads the mark of an import: ErrNotFound when none is under way.
func (c *conn) mark() (mark store.Import, err error) {
	var text string
	found, err := c.one(func(r *rows) { text = r.text(0) }, "SELECT v FROM meta WHERE k = ?", importKey)
	if err := orNotFound(found, err); err != nil {
		return mark, err
	}
	if err := json.Unmarshal([]byte(text), &mark); err != nil {
		return mark, fmt.Errorf("sqlite: the mark of an import: %w", err)
	}
	return mark, nil
}

func (c *conn) setMark(mark store.Import) error {
	text, err := json.Marshal(mark)
	if err != nil {
		return fmt.Errorf("sqlite: %w", err)
	}
	_, err = c.exec("INSERT INTO meta (k, v) VALUES (?, ?) ON CONFLICT (k) DO UPDATE SET v = excluded.v", importKey, string(text))
	return err
}

// refuseUnfinished gives an error for a database into which not all records have been taken over.
func refuseUnfinished(c *conn) error {
	mark, err := c.mark()
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil
	case err != nil:
		return err
	}
	return &store.UnfinishedError{Source: mark.Source}
}

// Import implements [store.Transfer].
func (s *Store) Import(ctx context.Context) (mark store.Import, err error) {
	err = s.read(ctx, func(c *conn) error {
		mark, err = c.mark()
		return err
	})
	return mark, err
}

// BeginImport implements [store.Transfer].
func (s *Store) BeginImport(ctx context.Context, source string) error {
	return s.write(ctx, func(t *tx) error {
		if _, err := t.mark(); !errors.Is(err, store.ErrNotFound) {
			return errors.Join(store.ErrNotEmpty, err)
		}
		for _, table := range recordTables() {
			some, err := t.exists("SELECT 1 FROM " + table)
			if err != nil {
				return err
			}
			if some {
				return store.ErrNotEmpty
			}
		}
		return t.setMark(store.Import{Source: source})
	})
}

// PutRecords implements [store.Transfer]. The records and the mark are stored together.
func (s *Store) PutRecords(ctx context.Context, records []store.Record) error {
	if len(records) == 0 {
		return nil
	}
	// What can be done without the database is done before the writer is asked.
	puts := make([]func(*importing) error, len(records))
	for i, r := range records {
		var err error
		if puts[i], err = s.prepareRecord(r); err != nil {
			return err
		}
	}
	err := s.write(ctx, func(t *tx) error {
		mark, err := t.mark()
		if err != nil {
			return fmt.Errorf("no import is under way: %w", err)
		}
		in := newImporting(t)
		for i, r := range records {
			if mark.Past(r) {
				continue
			}
			if err := puts[i](in); err != nil {
				return fmt.Errorf("record %s of kind %s: %w", r.Key, r.Kind, err)
			}
			mark.Kind, mark.Key = r.Kind, r.Key
		}
		return t.setMark(mark)
	})
	if err == nil && records[0].Kind == store.RecordCompany {
		err = s.read(ctx, s.companies.reload) // records of other kinds are given with the ids of companies
	}
	return err
}

// SettleImport implements [store.Transfer].
func (s *Store) SettleImport(ctx context.Context) error {
	err := s.write(ctx, func(t *tx) error {
		if err := newImporting(t).restOfPlaces(); err != nil {
			return err
		}
		// Pools of which there is no record were never bought.
		_, err := t.exec("UPDATE pools SET total = 0, ceiling = 0 WHERE ceiling = ?", notBought)
		return err
	})
	if err != nil {
		return err
	}
	return s.read(ctx, func(c *conn) error {
		if err := s.companies.reload(c); err != nil {
			return err
		}
		nested, err := c.exists("SELECT 1 FROM subgroups LIMIT 1")
		s.nested.Store(nested)
		return err
	})
}

// EndImport implements [store.Transfer].
func (s *Store) EndImport(ctx context.Context) error {
	return s.write(ctx, func(t *tx) error {
		_, err := t.exec("DELETE FROM meta WHERE k = ?", importKey)
		return err
	})
}

// reload reads all companies anew.
func (n *companies) reload(c *conn) error {
	var fresh companies
	if err := fresh.load(c); err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.order, n.id, n.name, n.number, n.domain = fresh.order, fresh.id, fresh.name, fresh.number, fresh.domain
	return nil
}
