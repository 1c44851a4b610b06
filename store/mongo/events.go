package mongo

import (
	"context"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"usher/store"
)

// eventRecord is one event in the log. Its id is that of the notice that it came by, and no two of a company have the same place: so it is
// appended once, and nobody appends to an end that is not the end any more, however many relays are at it.
type eventRecord struct {
	ID      string      `bson:"_id"`
	Company string      `bson:"co"`
	Seq     int64       `bson:"seq"`
	Value   store.Event `bson:"v"`
}

// append brings events to the end of the company's log and gives each its place in the chain.
func (s *Store) append(ctx context.Context, company string, letters []letter) error {
	letters = slices.DeleteFunc(slices.Clone(letters), func(l letter) bool { return l.Event == nil })
	for attempt := 1; len(letters) > 0; attempt++ {
		var err error
		if letters, err = s.unsent(ctx, letters); err != nil || len(letters) == 0 {
			return err
		}
		end, err := s.lastEvent(ctx, company)
		if err != nil {
			return err
		}
		records := make([]eventRecord, len(letters))
		for i, l := range letters {
			e := *l.Event
			e.Time = e.Time.UTC()
			e.Seq = end.Seq + 1
			e.Hash = e.Chain(end.Hash)
			records[i], end = eventRecord{l.ID, company, e.Seq, e}, e
		}
		_, err = s.events.InsertMany(ctx, records)
		switch {
		case err == nil:
			return nil
		case !mongo.IsDuplicateKeyError(err) && !passes(err):
			return wrap(ctx, err)
		}
		// Another relay was there first, or it is not known how far this one came.
		if attempt > 50 || !pause(ctx, min(attempt, attempts)) {
			return unavailable(ctx, err)
		}
	}
	return nil
}

// unsent gives those that are not in the log yet, each once: what was done in several steps has its event in each.
func (s *Store) unsent(ctx context.Context, letters []letter) ([]letter, error) {
	ids := make([]string, len(letters))
	for i, l := range letters {
		ids[i] = l.ID
	}
	var there []struct {
		ID string `bson:"_id"`
	}
	err := findAll(ctx, s, s.events, bson.D{field("_id", bson.D{field("$in", ids)})}, &there, options.Find().SetProjection(bson.D{field("_id", 1)}))
	if err != nil {
		return nil, err
	}
	sent := map[string]bool{}
	for _, e := range there {
		sent[e.ID] = true
	}
	return slices.DeleteFunc(letters, func(l letter) bool {
		known := sent[l.ID]
		sent[l.ID] = true
		return known
	}), nil
}

// lastEvent gives the end of a company's log; the zero event if it is empty.
func (s *Store) lastEvent(ctx context.Context, company string) (store.Event, error) {
	var last []eventRecord
	err := findAll(ctx, s, s.events, bson.D{field("co", company)}, &last, options.Find().SetSort(bson.D{field("seq", -1)}).SetLimit(1))
	if err != nil || len(last) == 0 {
		return store.Event{}, err
	}
	return last[0].Value, nil
}

// ListEvents implements [store.Events].
func (s *Store) ListEvents(ctx context.Context, company string, after int64, limit int) ([]store.Event, error) {
	end, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	if limit <= 0 {
		return nil, nil
	}
	if err := s.flush(ctx, company); err != nil {
		return nil, err
	}
	var records []eventRecord
	err = findAll(ctx, s, s.events, bson.D{field("co", company), field("seq", bson.D{field("$gt", after)})}, &records,
		options.Find().SetSort(bson.D{field("seq", 1)}).SetLimit(int64(limit)))
	if err != nil {
		return nil, err
	}
	var all []store.Event
	for _, r := range records {
		all = append(all, r.Value)
	}
	return all, nil
}

// AppendEvents implements [store.Events].
func (s *Store) AppendEvents(ctx context.Context, company string, events []store.Event) error {
	ctx, end, err := s.beginWrite(ctx)
	if err != nil {
		return err
	}
	defer end()
	if _, err := s.company(ctx, company); err != nil {
		return err
	}
	if len(events) == 0 {
		return nil
	}
	id := store.NewID()
	return s.inbox.create(ctx, fact[struct{}]{ID: id, Company: company, Keys: []string{key("id", id)}, Gone: true}, notices(nil, events))
}
