package mongo

import (
	"context"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

const (
	// reconcileEvery is how often a server looks for what others have left half-way.
	reconcileEvery = 10 * time.Second
	// reconcileAfter is how long a server must have seen a thing unchanged before it takes it for left behind. It is measured by the server's own
	// watch from when it saw it first: what others' watches say does not matter.
	reconcileAfter = 30 * time.Second
	// reconcileBatch is how many things are looked at each time.
	reconcileBatch = 1000
	// forgetAfter is how long documents stay that are there only so that somebody who comes late sees them.
	forgetAfter = 24 * time.Hour
)

// reconciler remembers since when this server has seen what is unfinished.
type reconciler struct {
	s     *Store
	clock func() time.Time
	after time.Duration
	seen  map[string]time.Time
}

func (s *Store) reconcile(ctx context.Context) {
	r := &reconciler{s: s, clock: time.Now, after: reconcileAfter, seen: map[string]time.Time{}}
	ticker := time.NewTicker(reconcileEvery)
	defer ticker.Stop()
	for {
		s.later(ctx, "finish what was left half-way", r.round(ctx))
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// round looks once: claims of seats that no write has settled or that are being moved, deletions and changes of groups that were not carried out. Each step can be done
// twice, and by several servers at once.
func (r *reconciler) round(ctx context.Context) error {
	unfinished := map[string]func(context.Context) error{}
	var seats []seat
	for _, filter := range []bson.D{{field("st", claiming)}, {field("moved", true)}} {
		var some []seat
		if err := findAll(ctx, r.s, r.s.seats, filter, &some, options.Find().SetLimit(reconcileBatch)); err != nil {
			return err
		}
		seats = append(seats, some...)
	}
	for _, claimed := range seats {
		unfinished[join("seat", claimed.ID, claimed.Claim)] = func(ctx context.Context) error {
			return r.s.resolve(ctx, claimed.Company, claimed.Claim, true)
		}
	}
	for _, of := range []struct {
		name string
		box  interface {
			open(context.Context) ([]opened, error)
		}
		finish func(ctx context.Context, company, id string) error
	}{
		{"user", r.s.accounts, r.s.finishDelete},
		{"group", r.s.groups, r.s.carryOut},
	} {
		found, err := of.box.open(ctx)
		if err != nil {
			return err
		}
		for _, o := range found {
			unfinished[join(of.name, o.ID, o.Write)] = func(ctx context.Context) error { return of.finish(ctx, o.Company, o.ID) }
		}
	}
	var late []fact[struct{}]
	if err := findAll(ctx, r.s, r.s.groups.Collection, bson.D{field("late", bson.D{field("$exists", true)})}, &late, options.Find().SetLimit(reconcileBatch)); err != nil {
		return err
	}
	for _, g := range late {
		unfinished[join("late", g.ID)] = func(ctx context.Context) error { return r.s.leaveLate(ctx, g.Company, g.ID, g.Group.Late) }
	}
	for what := range r.seen {
		if unfinished[what] == nil {
			delete(r.seen, what)
		}
	}
	now := r.clock()
	for what, finish := range unfinished {
		since, seen := r.seen[what]
		if !seen {
			r.seen[what] = now
			since = now
		}
		if now.Sub(since) >= r.after {
			if err := finish(ctx); err != nil {
				return err
			}
		}
	}
	return r.forget(ctx)
}

// Settle carries out at once what follows from the changes that were made, and finishes or undoes what was left half-way: for who looks at all of
// the database. Nobody else may be writing meanwhile, because a claim of theirs would be taken for one that was left behind.
func (s *Store) Settle(ctx context.Context) error {
	end, err := s.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	return s.settle(ctx)
}

func (s *Store) settle(ctx context.Context) error {
	for attempt := 1; ; attempt++ {
		companies, err := s.waiting(ctx)
		if err != nil {
			return err
		}
		for _, company := range companies {
			if err := s.flush(ctx, company); err != nil {
				return err
			}
		}
		r := &reconciler{s: s, clock: time.Now, seen: map[string]time.Time{}}
		if err := r.round(ctx); err != nil {
			return err
		}
		if len(companies) == 0 && len(r.seen) == 0 {
			return nil
		}
		if attempt > 2 && !pause(ctx, min(attempt, attempts)) {
			return ctx.Err()
		}
	}
}

// forget removes what only late-comers needed.
func (r *reconciler) forget(ctx context.Context) error {
	long := bson.D{field("$lt", r.clock().Add(-forgetAfter))}
	if _, err := r.s.members.DeleteMany(ctx, bson.D{field("out", long)}); err != nil {
		return err
	}
	if _, err := r.s.losses.DeleteMany(ctx, bson.D{field("put", long)}); err != nil {
		return err
	}
	if _, err := r.s.sweeps.DeleteMany(ctx, bson.D{field("ended", long)}); err != nil {
		return err
	}
	for _, b := range r.s.boxes {
		if err := b.clearAll(ctx); err != nil {
			return err
		}
	}
	return nil
}

// clearAll removes the deleted facts that have nothing left to do or to tell.
func (f facts[T]) clearAll(ctx context.Context) error {
	_, err := f.DeleteMany(ctx, bson.D{field("gone", true), field("open", nil), field("box", nil)})
	return err
}

// opened is a fact with steps outstanding.
type opened struct {
	ID      string `bson:"_id"`
	Company string `bson:"co"`
	Write   string `bson:"w"`
}

// open gives facts with steps outstanding.
func (f facts[T]) open(ctx context.Context) ([]opened, error) {
	var all []opened
	opts := options.Find().SetProjection(bson.D{field("co", 1), field("w", 1)}).SetLimit(reconcileBatch)
	err := findAll(ctx, f.s, f.Collection, bson.D{field("open", true)}, &all, opts)
	return all, err
}
