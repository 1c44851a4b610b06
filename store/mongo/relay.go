package mongo

import (
	"cmp"
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"golang.org/x/sync/errgroup"
)

const (
	// relayEvery is how often the relay looks for notices of other processes that have died before they were moved.
	relayEvery = 5 * time.Second
	// relayBatch is how many events are appended by one call.
	relayBatch = 500
	// relayWrites is how many documents are relieved of their notices at a time.
	relayWrites = 16
	// relayLocks is how many companies' notices this process moves at a time at most.
	relayLocks = 64
)

// relay moves notices from the documents of the changes that they follow from. Any number of relays may do so at once.
type relay struct {
	s     *Store
	woken chan struct{}

	mu    sync.Mutex
	dirty map[string]map[string]boxed // companies with notices, and where

	turns [relayLocks]sync.Mutex // so that the goroutines of one process do not get in each other's way
}

func newRelay(s *Store) *relay {
	return &relay{s: s, woken: make(chan struct{}, 1), dirty: map[string]map[string]boxed{}}
}

// wake says that a company has notices in a collection.
func (r *relay) wake(company string, box boxed) {
	r.mu.Lock()
	if r.dirty[company] == nil {
		r.dirty[company] = map[string]boxed{}
	}
	r.dirty[company][box.Name()] = box
	r.mu.Unlock()
	select {
	case r.woken <- struct{}{}:
	default:
	}
}

// take gives the companies that have notices, and where.
func (r *relay) take() map[string]map[string]boxed {
	r.mu.Lock()
	defer r.mu.Unlock()
	dirty := r.dirty
	r.dirty = map[string]map[string]boxed{}
	return dirty
}

// run moves notices as they come, until the context ends.
func (r *relay) run(ctx context.Context) {
	ticker := time.NewTicker(relayEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.woken:
			for company, boxes := range r.take() {
				r.s.later(ctx, "move events to the log", r.move(ctx, company, slices.Collect(maps.Values(boxes))))
			}
		case <-ticker.C:
			companies, err := r.s.waiting(ctx)
			r.s.later(ctx, "look for what was left behind", err)
			for _, company := range companies {
				r.s.later(ctx, "move events to the log", r.move(ctx, company, r.s.boxes))
			}
		}
	}
}

// later notes that something failed which is tried again by itself.
func (s *Store) later(ctx context.Context, what string, err error) {
	if err != nil && ctx.Err() == nil {
		s.log.LogAttrs(ctx, slog.LevelWarn, "the database could not be asked to "+what+"; it is tried again", slog.String("error", err.Error()))
	}
}

// boxed is a collection of facts as the relay sees it.
type boxed interface {
	Name() string
	letters(ctx context.Context, filter bson.D) ([]letter, error)
	companies(ctx context.Context) ([]string, error)
	sent(ctx context.Context, id string, notices []string) error
	clearAll(ctx context.Context) error
}

// letter is a notice with the place it was found at.
type letter struct {
	notice
	company string
	box     boxed
	id      string // of the document
}

// letters gives the notices in the documents that fit the filter.
func (f facts[T]) letters(ctx context.Context, filter bson.D) ([]letter, error) {
	var docs []struct {
		ID  string   `bson:"_id"`
		Box string   `bson:"box"`
		Out []notice `bson:"out"`
	}
	err := findAll(ctx, f.s, f.Collection, filter, &docs, options.Find().SetProjection(bson.D{field("box", 1), field("out", 1)}))
	var all []letter
	for _, d := range docs {
		for _, n := range d.Out {
			all = append(all, letter{n, d.Box, f, d.ID})
		}
	}
	return all, err
}

// companies gives those that have notices in the collection.
func (f facts[T]) companies(ctx context.Context) ([]string, error) {
	var all []string
	err := f.s.try(ctx, func(ctx context.Context) error {
		found := f.Distinct(ctx, "box", bson.D{field("box", bson.D{field("$exists", true)})})
		if err := found.Err(); err != nil { // which Decode does not look at
			return err
		}
		return found.Decode(&all)
	})
	return all, err
}

// sent takes notices out of a document.
func (f facts[T]) sent(ctx context.Context, id string, notices []string) error {
	return f.s.try(ctx, func(ctx context.Context) error {
		// Mostly there are no others, and that is all.
		others := bson.D{field("$elemMatch", bson.D{field("i", bson.D{field("$nin", notices)})})}
		only := bson.D{field("_id", id), field("gone", nil), field("out", bson.D{field("$not", others)})}
		result, err := f.UpdateOne(ctx, only, bson.D{{Key: "$unset", Value: bson.D{field("box", 1), field("out", 1)}}})
		if err != nil || result.MatchedCount == 1 {
			return err
		}
		pull := bson.D{field("out", bson.D{field("i", bson.D{field("$in", notices)})})}
		if _, err := f.UpdateOne(ctx, byID(id), bson.D{{Key: "$pull", Value: pull}}); err != nil {
			return err
		}
		empty := bson.D{field("_id", id), field("box", bson.D{field("$exists", true)}), field("out", bson.A{})}
		if _, err := f.UpdateOne(ctx, empty, bson.D{{Key: "$unset", Value: bson.D{field("box", 1), field("out", 1)}}}); err != nil {
			return err
		}
		_, err = f.DeleteOne(ctx, bson.D{field("_id", id), field("gone", true), field("open", nil), field("box", nil)})
		return err
	})
}

// waiting gives the companies that have notices.
func (s *Store) waiting(ctx context.Context) ([]string, error) {
	var all []string
	for _, b := range s.boxes {
		some, err := b.companies(ctx)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

// move carries out the notices of a company that were written to some collections before it began, and all that these may follow from, in their
// order.
func (r *relay) move(ctx context.Context, company string, boxes []boxed) error {
	turn := &r.turns[stripe(company)]
	turn.Lock()
	defer turn.Unlock()
	seen, err := collect(ctx, company, boxes)
	if err != nil || len(seen) == 0 {
		return err
	}
	// What one of these follows from may have been written after its collection was looked at: so all are looked at again. What came after the last
	// of the first look waits, for the same reason.
	horizon := seen[len(seen)-1].ID
	all, err := collect(ctx, company, r.s.boxes)
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(all, func(l letter) bool { return l.ID > horizon })
	for len(all) > 0 {
		n := min(len(all), relayBatch)
		if err := r.deliver(ctx, company, all[:n]); err != nil {
			return err
		}
		all = all[n:]
	}
	return nil
}

// collect gives the notices of a company in their order.
func collect(ctx context.Context, company string, boxes []boxed) ([]letter, error) {
	var all []letter
	for _, b := range boxes {
		some, err := b.letters(ctx, bson.D{field("box", company)})
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	slices.SortFunc(all, func(a, b letter) int { return cmp.Compare(a.ID, b.ID) })
	return all, nil
}

func stripe(company string) int {
	var sum uint32
	for _, c := range []byte(company) {
		sum = sum*31 + uint32(c)
	}
	return int(sum % relayLocks)
}

// deliver carries out notices and takes them out of their documents.
func (r *relay) deliver(ctx context.Context, company string, letters []letter) error {
	if err := r.s.append(ctx, company, letters); err != nil {
		return err
	}
	byDoc := map[letterbox][]letter{}
	for _, l := range letters {
		at := letterbox{l.box, l.id}
		byDoc[at] = append(byDoc[at], l)
	}
	var together errgroup.Group
	together.SetLimit(relayWrites)
	for at, of := range byDoc {
		together.Go(func() error {
			notices := make([]string, len(of))
			for i, l := range of {
				if err := r.s.carry(ctx, company, l.notice); err != nil {
					return err
				}
				notices[i] = l.ID
			}
			return at.box.sent(ctx, at.id, notices)
		})
	}
	return together.Wait()
}

type letterbox struct {
	box boxed
	id  string
}

// carry carries out a notice that is not an event.
func (s *Store) carry(ctx context.Context, company string, n notice) error {
	var err error
	switch {
	case n.Sweep != nil:
		err = s.insert(ctx, s.sweeps, sweepRecord{ID: n.Sweep.ID, Value: *n.Sweep})
	case n.Mail != nil:
		err = s.insert(ctx, s.mails, mailRecord{ID: n.Mail.ID, Company: company, Value: *n.Mail})
	case n.Settle != nil:
		err = s.settleSeat(ctx, company, *n.Settle)
	case n.Free != "":
		err = s.freeSeat(ctx, company, n.Free)
	case n.Loss != nil:
		err = s.insert(ctx, s.losses, lossRecord{ID: n.ID, Company: company, Loss: *n.Loss, Put: time.Now()})
	case n.Tombstone != nil:
		err = s.dropTombstone(ctx, *n.Tombstone)
	}
	return err
}

// carryAll carries out what does not wait for the relay, so that it is there when the operation is answered. What fails is done by the relay;
// only a sweep must be there.
func (s *Store) carryAll(ctx context.Context, company string, news []notice) error {
	for _, n := range news {
		if err := s.carry(ctx, company, n); err != nil {
			if n.Sweep != nil {
				return err
			}
			s.later(ctx, "do what follows from a change", err)
		}
	}
	return nil
}

// insert stores a document unless it is there already.
func (s *Store) insert(ctx context.Context, c *mongo.Collection, doc any) error {
	return s.try(ctx, func(ctx context.Context) error {
		_, err := c.InsertOne(ctx, doc)
		if mongo.IsDuplicateKeyError(err) {
			return nil
		}
		return err
	})
}

// flush moves the notices of a company, so that who has been answered finds what was written.
func (s *Store) flush(ctx context.Context, company string) error {
	return s.relay.move(ctx, company, s.boxes)
}
