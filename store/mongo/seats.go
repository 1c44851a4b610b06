package mongo

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"usher/store"
)

// seat is the document of one seat of a pool. The seats of a pool are numbered from 1, and one with a number above the pool's total is not
// given to anybody: so a total decides by itself. Each seat that is taken has a claim, which the account carries that has it; a seat that is
// taken by a claim which no account carries belongs to a write under way, or to one that a crash has ended.
type seat struct {
	ID      string `bson:"_id"`
	Company string `bson:"co"`
	License string `bson:"sku"`
	Number  int    `bson:"n"`
	Free    bool   `bson:"free"`

	Claim   string `bson:"claim,omitempty"`
	Holder  string `bson:"holder,omitempty"` // id of the account
	State   string `bson:"st,omitempty"`     // claiming, then the seat state of the account
	Version int64  `bson:"ver,omitempty"`    // of the account that the state is from
	Moved   bool   `bson:"moved,omitempty"`  // whether the claim came from another seat, which may have it still
}

const (
	claiming = "claiming"
	// claimGood is how long after it claimed a seat a write may still be made. It is shorter than the time after which a reconciler takes the
	// seat back, by what a call may take.
	claimGood = 10 * time.Second
)

func seatID(company, license string, n int) string {
	return join(company, license, fmt.Sprintf("%07d", n))
}

// seatState is what an account says of its seat.
type seatState struct {
	Holder  string `bson:"holder"` // id of the account
	Claim   string `bson:"claim"`
	State   string `bson:"st"`
	Version int64  `bson:"ver"`
}

// claimSeat takes a seat of the pool for an account, if there is one.
func (s *Store) claimSeat(ctx context.Context, company, license, account, claim string) (bool, error) {
	for {
		pool, err := s.readyPool(ctx, company, license)
		if err != nil || pool.Total == 0 {
			return false, err
		}
		taken, err := s.takeFree(ctx, company, license, account, claim, pool.Total)
		if errors.Is(err, store.ErrNotFound) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		above, err := s.takenAbove(ctx, company, license, pool.Total)
		switch {
		case errors.Is(err, store.ErrNotFound):
			return true, nil
		case err != nil:
			return false, err
		case above.State == claiming: // for longer than it can take: the reconciler will look at it, and until then it counts
			return false, s.freeSeat(ctx, company, claim)
		}
		// Seats were taken from the pool while they were held: what is free goes to their holders before anybody else gets one.
		if err := s.moveDown(ctx, above, taken); err != nil {
			return false, err
		}
	}
}

// takeFree takes a free seat, beginning at a random one, so that those who come at once do not all want the same: [store.ErrNotFound].
func (s *Store) takeFree(ctx context.Context, company, license, account, claim string, total int) (taken seat, err error) {
	update := set(field("free", false), field("claim", claim), field("holder", account), field("st", claiming))
	after := options.FindOneAndUpdate().SetReturnDocument(options.After)
	begin := 1 + rand.IntN(total)
	asked := false
	err = s.try(ctx, func(ctx context.Context) error {
		taken = seat{}
		if asked { // it may have been taken by the call that was not answered
			err := s.seats.FindOne(ctx, bson.D{field("co", company), field("claim", claim)}).Decode(&taken)
			if !errors.Is(err, mongo.ErrNoDocuments) {
				return err
			}
		}
		asked = true
		err := mongo.ErrNoDocuments
		for _, numbers := range []bson.D{{field("$gte", begin), field("$lte", total)}, {field("$lt", begin)}} {
			if errors.Is(err, mongo.ErrNoDocuments) {
				filter := bson.D{field("co", company), field("sku", license), field("free", true), field("n", numbers)}
				err = s.seats.FindOneAndUpdate(ctx, filter, update, after).Decode(&taken)
			}
		}
		return err
	})
	return taken, err
}

// takenAbove gives a seat that is taken and has a number above the total: [store.ErrNotFound]. It waits for one that is being claimed, as of
// before the total was lowered, to be settled or given back.
func (s *Store) takenAbove(ctx context.Context, company, license string, total int) (above seat, err error) {
	for attempt := 1; ; attempt++ {
		err = s.try(ctx, func(ctx context.Context) error {
			above = seat{}
			filter := bson.D{field("co", company), field("sku", license), field("free", false), field("n", bson.D{field("$gt", total)})}
			return s.seats.FindOne(ctx, filter).Decode(&above)
		})
		if err != nil || above.State != claiming || attempt == 2*attempts || !pause(ctx, min(attempt, attempts)) {
			return above, err
		}
	}
}

// moveDown gives a seat that was just taken to the one who has a seat above the total, and removes that. An account knows its seat by the claim
// only, so it need not be told.
func (s *Store) moveDown(ctx context.Context, above, taken seat) error {
	filter := bson.D{field("_id", taken.ID), field("claim", taken.Claim)}
	if _, err := s.update(ctx, s.seats, filter, set(field("claim", above.Claim), field("holder", above.Holder), field("moved", true))); err != nil {
		return err
	}
	return s.resolve(ctx, above.Company, above.Claim, true)
}

// resolve makes the seats of a claim what the account says. Of several, which there are while one is moved, the lowest stays: whoever looks comes
// to the same. A claim that no account carries is that of a write under way, unless it is known to be dead.
func (s *Store) resolve(ctx context.Context, company, claim string, dead bool) error {
	var seats []seat
	if err := findAll(ctx, s, s.seats, bson.D{field("co", company), field("claim", claim)}, &seats, byCreation); err != nil || len(seats) == 0 {
		return err
	}
	holder, err := s.accounts.get(ctx, append(in(company, seats[0].Holder), field("claim", claim)))
	switch {
	case errors.Is(err, store.ErrNotFound) && dead:
		if err := s.freeSeat(ctx, company, claim); err != nil {
			return err
		}
		return s.seatAgain(ctx, company, seats[0].Holder, claim) // the write may have been made after the look
	case err != nil && !errors.Is(err, store.ErrNotFound):
		return err
	}
	carried := err == nil
	for _, other := range seats[1:] {
		if _, err := s.update(ctx, s.seats, bson.D{field("_id", other.ID), field("claim", claim)}, vacate); err != nil {
			return err
		}
	}
	if carried {
		state := seatState{Holder: holder.ID, Claim: claim, State: holder.Value.SeatState, Version: holder.Value.Version}
		if err := s.settleSeat(ctx, company, state); err != nil {
			return err
		}
	}
	moved := bson.D{field("co", company), field("claim", claim), field("moved", true)}
	_, err = s.update(ctx, s.seats, moved, bson.D{{Key: "$unset", Value: bson.D{field("moved", 1)}}})
	return err
}

// vacate makes a seat free.
var vacate = bson.D{
	{Key: "$set", Value: bson.D{field("free", true)}},
	{Key: "$unset", Value: bson.D{field("claim", 1), field("holder", 1), field("st", 1), field("ver", 1), field("moved", 1)}},
}

// settleSeat writes what the account says of its seat, unless a later version has said more.
func (s *Store) settleSeat(ctx context.Context, company string, as seatState) error {
	filter := bson.D{field("co", company), field("claim", as.Claim), field("ver", bson.D{field("$not", bson.D{field("$gte", as.Version)})})}
	settle := func() (fitted int64, err error) {
		err = s.try(ctx, func(ctx context.Context) error {
			result, err := s.seats.UpdateMany(ctx, filter, set(field("st", as.State), field("ver", as.Version)))
			if err == nil {
				fitted = result.MatchedCount
			}
			return err
		})
		return fitted, err
	}
	if fitted, err := settle(); err != nil || fitted > 0 {
		return err
	}
	n, err := s.count(ctx, s.seats, bson.D{field("co", company), field("claim", as.Claim)})
	if err != nil {
		return err
	}
	if n == 0 {
		return s.seatAgain(ctx, company, as.Holder, as.Claim)
	}
	_, err = settle() // it has said more already, or got its seat just now
	return err
}

// overflow is where the numbers of seats begin that no pool has.
const overflow = 5_000_000

// seatAgain gives an account a seat whose claim no seat has: its write took so long, between claiming the seat and the step that decided, that the
// seat was taken back. It is one above the total, of which there is one for each claim whoever makes it, and goes down when the next seat is claimed.
func (s *Store) seatAgain(ctx context.Context, company, account, claim string) error {
	holder, err := s.accounts.get(ctx, append(in(company, account), field("claim", claim)))
	if errors.Is(err, store.ErrNotFound) {
		return nil // it has let go of it meanwhile
	}
	if err != nil {
		return err
	}
	a := holder.Value
	err = s.insert(ctx, s.seats, seat{
		ID: join(company, a.Seat, "again", claim), Company: company, License: a.Seat, Number: overflow, Claim: claim, Holder: a.ID, State: claiming,
	})
	if err != nil {
		return err
	}
	s.log.LogAttrs(ctx, slog.LevelWarn, "a seat was given anew to an account whose write had taken too long", slog.String("account", a.ID))
	return s.resolve(ctx, company, claim, true)
}

// freeSeat gives a seat back. A claim is never given twice, so doing it again changes nothing.
func (s *Store) freeSeat(ctx context.Context, company, claim string) error {
	return s.try(ctx, func(ctx context.Context) error {
		_, err := s.seats.UpdateMany(ctx, bson.D{field("co", company), field("claim", claim)}, vacate)
		return err
	})
}

// update changes one document in a way that does no harm when it is done twice, and says how many fitted the filter the last time.
func (s *Store) update(ctx context.Context, c *mongo.Collection, filter, update bson.D) (fitted int64, err error) {
	err = s.try(ctx, func(ctx context.Context) error {
		result, err := c.UpdateOne(ctx, filter, update)
		if err == nil {
			fitted = result.MatchedCount
		}
		return err
	})
	return fitted, err
}
