package sqlite

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"usher/store"
)

// head is the end of a company's event log.
type head struct {
	seq  int64
	hash [32]byte
}

// prepareEvents brings events into the form in which they are stored, so that what is hashed is what is read back.
func prepareEvents(events []store.Event) ([]store.Event, error) {
	prepared := make([]store.Event, len(events))
	for i, e := range events {
		e.Time = e.Time.UTC().Truncate(time.Millisecond)
		switch {
		case len(e.Detail) == 0:
			e.Detail = nil
		case !json.Valid(e.Detail):
			return nil, errors.New("sqlite: the detail of event " + e.Action + " is not JSON")
		}
		prepared[i] = e
	}
	return prepared, nil
}

// log appends events to the company's log.
func (t *tx) log(co int64, events []store.Event) error {
	if len(events) == 0 {
		return nil
	}
	h, ok := t.heads[co]
	if !ok {
		_, err := t.one(func(r *rows) {
			h.seq = r.int(0)
			copy(h.hash[:], r.blob(1))
		}, "SELECT seq, hash FROM events WHERE co = ? ORDER BY seq DESC LIMIT 1", co)
		if err != nil {
			return err
		}
	}
	t.logged = append(t.logged, co)
	for _, e := range events {
		e.Seq = h.seq + 1
		h = head{e.Seq, e.Chain(h.hash)}
		e.Hash = h.hash
		if err := t.insertEvent(co, e); err != nil {
			return err
		}
	}
	t.heads[co] = h
	return nil
}

// insertEvent stores an event as it is.
func (t *tx) insertEvent(co int64, e store.Event) error {
	var detail any
	if e.Detail != nil {
		detail = string(e.Detail)
	}
	quirks, err := encodeList(e.Quirks)
	if err != nil {
		return err
	}
	_, err = t.exec(`INSERT INTO events (co, seq, ts, kind, action, actor_kind, actor_id, door, request, target, detail, hash, quirks)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		co, e.Seq, e.Time, e.Kind, e.Action, optional(e.Actor.Kind), optional(e.Actor.ID), optional(e.Door), optional(e.Request),
		optional(e.Target), detail, e.Hash[:], quirks)
	return err
}

// ListEvents implements [store.Events].
func (s *Store) ListEvents(ctx context.Context, company string, after int64, limit int) ([]store.Event, error) {
	var events []store.Event
	err := s.readCompany(ctx, company, func(c *conn, co int64) error {
		r := c.query("SELECT "+eventColumns+" FROM events WHERE co = ? AND seq > ? ORDER BY seq LIMIT ?", co, after, max(limit, 0))
		defer r.close()
		for r.next() {
			e, err := scanEvent(r)
			if err != nil {
				return err
			}
			events = append(events, e)
		}
		return r.err
	})
	return events, err
}

// eventColumns are what scanEvent reads.
const eventColumns = "seq, ts, kind, action, actor_kind, actor_id, door, request, target, detail, hash, quirks"

func scanEvent(r *rows) (e store.Event, err error) {
	e = store.Event{
		Seq: r.int(0), Time: r.time(1), Kind: r.text(2), Action: r.text(3), Actor: store.Actor{Kind: r.text(4), ID: r.text(5)},
		Door: r.text(6), Request: r.text(7), Target: r.text(8),
	}
	if d := r.text(9); d != "" {
		e.Detail = json.RawMessage(d)
	}
	copy(e.Hash[:], r.blob(10))
	e.Quirks, err = decodeList[string](r.text(11))
	return e, err
}

// AppendEvents implements [store.Events].
func (s *Store) AppendEvents(ctx context.Context, company string, events []store.Event) error {
	events, err := prepareEvents(events)
	if err != nil {
		return err
	}
	return s.writeCompany(ctx, company, func(t *tx, co int64) error { return t.log(co, events) })
}
