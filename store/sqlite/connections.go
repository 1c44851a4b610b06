package sqlite

import (
	"context"
	"encoding/json"
	"fmt"

	fastjson "github.com/go-json-experiment/json" // reads structs in a third of the time

	"usher/store"
)

// CreateConnection implements [store.Connections].
func (s *Store) CreateConnection(ctx context.Context, c store.Connection, events []store.Event) error {
	quirks, err := encodeList(c.QuirksOff)
	if err != nil {
		return err
	}
	signOn, err := encodeSignOn(c.SignOn)
	if err != nil {
		return err
	}
	if events, err = prepareEvents(events); err != nil {
		return err
	}
	return s.writeCompany(ctx, c.Company, func(t *tx, co int64) error {
		if taken, err := t.exists("SELECT 1 FROM connections WHERE co = ? AND name = ?", co, c.Name); err != nil {
			return err
		} else if taken {
			return &store.ConflictError{Field: "Connection.Name", Value: c.Name}
		}
		if _, err := t.exec("INSERT INTO connections (id, co, name, mode, epoch, quirks_off, created, strict, sign_on, sign_on_ver) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
			c.ID, co, c.Name, optional(c.Mode), c.Epoch, quirks, c.Created, c.Strict, signOn, c.SignOn.Version); err != nil {
			return conflict(err, "Connection.ID", c.ID)
		}
		return t.log(co, events)
	})
}

// UpdateConnection implements [store.Connections].
func (s *Store) UpdateConnection(ctx context.Context, c, was store.Connection, events []store.Event) error {
	quirks, err := encodeList(c.QuirksOff)
	if err != nil {
		return err
	}
	if events, err = prepareEvents(events); err != nil {
		return err
	}
	defer s.connections.forget(c.ID)
	return s.writeCompany(ctx, c.Company, func(t *tx, co int64) error {
		is, err := first(s.selectConnections(t.conn, "co = ? AND id = ?", co, c.ID))
		if err != nil {
			return err
		}
		if !is.Serves(&was) {
			return store.ErrVersion
		}
		if _, err := t.exec("UPDATE connections SET mode = ?, quirks_off = ?, strict = ? WHERE co = ? AND id = ?", optional(c.Mode), quirks, c.Strict, co, c.ID); err != nil {
			return err
		}
		return t.log(co, events)
	})
}

// SetSignOn implements [store.Connections].
func (s *Store) SetSignOn(ctx context.Context, c store.Connection, events []store.Event) (stored store.Connection, err error) {
	signOn, err := encodeSignOn(c.SignOn)
	if err != nil {
		return stored, err
	}
	if events, err = prepareEvents(events); err != nil {
		return stored, err
	}
	defer s.connections.forget(c.ID)
	err = s.writeCompany(ctx, c.Company, func(t *tx, co int64) error {
		n, err := t.exec("UPDATE connections SET sign_on = ?, epoch = ?, sign_on_ver = sign_on_ver + 1 WHERE co = ? AND id = ? AND sign_on_ver = ?",
			signOn, c.Epoch, co, c.ID, c.SignOn.Version)
		if err != nil {
			return err
		}
		stored, err = first(s.selectConnections(t.conn, "co = ? AND id = ?", co, c.ID))
		if err == nil && n == 0 {
			err = store.ErrVersion
		}
		if err != nil {
			return err
		}
		return t.log(co, events)
	})
	return stored, err
}

// encodeSignOn gives the column of single sign-on: JSON, or NULL where it was never set up.
func encodeSignOn(s store.SignOn) (any, error) {
	if s.State == "" {
		return nil, nil
	}
	b, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("sqlite: %w", err)
	}
	return string(b), nil
}

// encodeList gives the column of a list: JSON, or NULL for nil.
func encodeList[T any](list []T) (any, error) {
	if list == nil {
		return nil, nil
	}
	b, err := json.Marshal(list)
	if err != nil {
		return nil, fmt.Errorf("sqlite: %w", err)
	}
	return string(b), nil
}

// decodeList is the inverse of encodeList.
func decodeList[T any](text string) (list []T, err error) {
	if text == "" {
		return nil, nil
	}
	if err := fastjson.Unmarshal([]byte(text), &list); err != nil {
		return nil, fmt.Errorf("sqlite: %w", err)
	}
	return list, nil
}

// Connection implements [store.Connections].
func (s *Store) Connection(ctx context.Context, id string) (store.Connection, error) {
	if err := s.readers.check(ctx); err != nil {
		return store.Connection{}, err
	}
	found, known, round := s.connections.get(id)
	if known {
		return found, nil
	}
	err := s.read(ctx, func(c *conn) (err error) {
		found, err = first(s.selectConnections(c, "id = ?", id))
		return err
	})
	if err == nil {
		s.connections.put(found, round)
	}
	return found, err
}

// ConnectionByName implements [store.Connections].
func (s *Store) ConnectionByName(ctx context.Context, company, name string) (found store.Connection, err error) {
	err = s.readCompany(ctx, company, func(c *conn, co int64) error {
		found, err = first(s.selectConnections(c, "co = ? AND name = ?", co, name))
		return err
	})
	return found, err
}

// ListConnections implements [store.Connections].
func (s *Store) ListConnections(ctx context.Context, company string) (all []store.Connection, err error) {
	err = s.readCompany(ctx, company, func(c *conn, co int64) error {
		all, err = s.selectConnections(c, "co = ?", co)
		return err
	})
	return all, err
}

// first gives the only record of a look-up: ErrNotFound when there is none.
func first[T any](records []T, err error) (record T, _ error) {
	if err != nil {
		return record, err
	}
	if len(records) == 0 {
		return record, store.ErrNotFound
	}
	return records[0], nil
}

func (s *Store) selectConnections(c *conn, where string, args ...any) ([]store.Connection, error) {
	var all []store.Connection
	r := c.query("SELECT id, co, name, mode, epoch, quirks_off, created, strict, breaker, breaker_since, sign_on, sign_on_ver FROM connections WHERE "+where+" ORDER BY pk", args...)
	defer r.close()
	for r.next() {
		quirks, err := decodeList[string](r.text(5))
		if err != nil {
			return nil, err
		}
		var signOn store.SignOn
		if text := r.text(10); text != "" {
			if err := json.Unmarshal([]byte(text), &signOn); err != nil {
				return nil, fmt.Errorf("sqlite: %w", err)
			}
		}
		signOn.Version = r.int(11)
		all = append(all, store.Connection{
			ID: r.text(0), Company: s.companies.idOf(r.int(1)), Name: r.text(2), Mode: r.text(3), Epoch: r.int(4), QuirksOff: quirks, Created: r.time(6), Strict: r.bool(7),
			Breaker: r.text(8), BreakerSince: r.time(9), SignOn: signOn,
		})
	}
	return all, r.err
}

// CreateToken implements [store.Connections].
func (s *Store) CreateToken(ctx context.Context, token store.Token, events []store.Event) error {
	scopes, err := encodeList(token.Scopes)
	if err != nil {
		return err
	}
	if events, err = prepareEvents(events); err != nil {
		return err
	}
	return s.writeCompany(ctx, token.Company, func(t *tx, co int64) error {
		if _, err := t.exec("INSERT INTO tokens (hash, id, co, conn, scopes, granted_by, created, expires) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
			token.Hash[:], token.ID, co, optional(token.Connection), scopes, optional(token.GrantedBy), token.Created, token.Expires); err != nil {
			return conflict(err, "Token.ID", token.ID)
		}
		return t.log(co, events)
	})
}

// Token implements [store.Connections].
func (s *Store) Token(ctx context.Context, hash [32]byte) (found store.Token, err error) {
	err = s.read(ctx, func(c *conn) error {
		found, err = first(s.selectTokens(c, "hash = ?", hash[:]))
		return err
	})
	return found, err
}

// ListTokens implements [store.Connections].
func (s *Store) ListTokens(ctx context.Context, company string) (all []store.Token, err error) {
	err = s.readCompany(ctx, company, func(c *conn, co int64) error {
		all, err = s.selectTokens(c, "co = ?", co)
		return err
	})
	return all, err
}

func (s *Store) selectTokens(c *conn, where string, args ...any) ([]store.Token, error) {
	var all []store.Token
	r := c.query("SELECT hash, id, co, conn, scopes, granted_by, created, expires FROM tokens WHERE "+where+" ORDER BY pk", args...)
	defer r.close()
	for r.next() {
		scopes, err := decodeList[string](r.text(4))
		if err != nil {
			return nil, err
		}
		t := store.Token{
			ID: r.text(1), Company: s.companies.idOf(r.int(2)), Connection: r.text(3), Scopes: scopes, GrantedBy: r.text(5), Created: r.time(6), Expires: r.time(7),
		}
		copy(t.Hash[:], r.blob(0))
		all = append(all, t)
	}
	return all, r.err
}

// DeleteToken implements [store.Connections].
func (s *Store) DeleteToken(ctx context.Context, company, id string, events []store.Event) error {
	events, err := prepareEvents(events)
	if err != nil {
		return err
	}
	return s.writeCompany(ctx, company, func(t *tx, co int64) error {
		n, err := t.exec("DELETE FROM tokens WHERE co = ? AND id = ?", co, id)
		if err := orNotFound(n > 0, err); err != nil {
			return err
		}
		return t.log(co, events)
	})
}
