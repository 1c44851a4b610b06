package mongo

import (
	"context"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"usher/store"
)

// poolRecord is what there is to know of a pool before a seat is claimed.
type poolRecord struct {
	Value store.Pool `bson:"v"`
	Made  int        `bson:"made"` // how many seat documents there are at least
}

func poolID(company, license string) string { return join(company, license) }

// readyPool gives the pool with a seat document for each of its seats. One that was never bought has a total of 0.
func (s *Store) readyPool(ctx context.Context, company, license string) (store.Pool, error) {
	var pools []poolRecord
	if err := findAll(ctx, s, s.pools.Collection, byID(poolID(company, license)), &pools); err != nil || len(pools) == 0 {
		return store.Pool{}, err
	}
	p := pools[0]
	if p.Made < p.Value.Total {
		if err := s.makeSeats(ctx, company, license, p.Made, p.Value.Total); err != nil {
			return store.Pool{}, err
		}
	}
	return p.Value, nil
}

// makeSeats makes the documents of seats. Several may do so at once.
func (s *Store) makeSeats(ctx context.Context, company, license string, from, to int) error {
	for n := from; n < to; n += inBatches {
		var seats []seat
		for i := n + 1; i <= min(n+inBatches, to); i++ {
			seats = append(seats, seat{ID: seatID(company, license, i), Company: company, License: license, Number: i, Free: true})
		}
		err := s.try(ctx, func(ctx context.Context) error {
			_, err := s.seats.InsertMany(ctx, seats, options.InsertMany().SetOrdered(false))
			return exceptDuplicates(err)
		})
		if err != nil {
			return err
		}
	}
	_, err := s.update(ctx, s.pools.Collection, byID(poolID(company, license)), bson.D{{Key: "$max", Value: bson.D{field("made", to)}}})
	return err
}

// Pool implements [store.Pools].
func (s *Store) Pool(ctx context.Context, company, license string) (store.Pool, error) {
	end, err := s.begin(ctx)
	if err != nil {
		return store.Pool{}, err
	}
	defer end()
	return s.pool(ctx, company, license)
}

func (s *Store) pool(ctx context.Context, company, license string) (store.Pool, error) {
	p, err := s.boughtPool(ctx, company, license)
	if err != nil {
		return p, err
	}
	counts, err := s.countBy(ctx, "$st", s.seats.Name(), bson.D{field("co", company), field("sku", license), field("free", false)})
	if err != nil {
		return p, err
	}
	for state, n := range counts {
		addSeats(&p, state, n)
	}
	p.Waiting, err = s.count(ctx, s.accounts.Collection, waitingFor(company, license))
	return p, err
}

// boughtPool gives a pool without its counts.
func (s *Store) boughtPool(ctx context.Context, company, license string) (store.Pool, error) {
	var pools []poolRecord
	err := findAll(ctx, s, s.pools.Collection, byID(poolID(company, license)), &pools)
	p := store.Pool{Company: company, License: license}
	if len(pools) > 0 {
		p.Total, p.Ceiling = pools[0].Value.Total, pools[0].Value.Ceiling
	}
	return p, err
}

// addSeats adds seats in a state to the counts. Claims that are not settled do not count.
func addSeats(p *store.Pool, state string, n int) {
	switch state {
	case store.StateReserved:
		p.Reserved += n
	case store.StateActive:
		p.Active += n
	case store.StateHeld:
		p.Held += n
	default:
		return
	}
	p.Used += n
}

// countBy counts the documents of a collection that fit, by the value of an expression.
func (s *Store) countBy(ctx context.Context, expression, collection string, filter bson.D) (map[string]int, error) {
	type counted struct {
		Value string `bson:"_id"`
		N     int    `bson:"n"`
	}
	var groups []counted
	err := s.tryRead(ctx, func(ctx context.Context) error {
		cursor, err := s.db.Collection(collection).Aggregate(ctx, bson.A{
			bson.D{field("$match", filter)},
			bson.D{field("$group", bson.D{field("_id", expression), field("n", bson.D{field("$sum", 1)})})},
		})
		if err != nil {
			return err
		}
		groups, err = drain[counted](ctx, cursor)
		return err
	})
	counts := make(map[string]int, len(groups))
	for _, g := range groups {
		counts[g.Value] = g.N
	}
	return counts, err
}

// ListPools implements [store.Pools].
func (s *Store) ListPools(ctx context.Context, company string) ([]store.Pool, error) {
	end, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	bought, err := s.pools.values(ctx, bson.D{field("co", company)}, bson.D{field("_id", 1)})
	if err != nil {
		return nil, err
	}
	licenses, err := s.waitedFor(ctx, company)
	if err != nil {
		return nil, err
	}
	for _, p := range bought {
		licenses = append(licenses, p.License)
	}
	slices.Sort(licenses)
	var all []store.Pool
	for _, license := range slices.Compact(licenses) {
		p, err := s.pool(ctx, company, license)
		if err != nil {
			return nil, err
		}
		if p.Total > 0 || p.Used > 0 || p.Waiting > 0 {
			all = append(all, p)
		}
	}
	return all, nil
}

// waitedFor gives the licenses that accounts of the company wait for, leaping through the queue from one to the next.
func (s *Store) waitedFor(ctx context.Context, company string) ([]string, error) {
	var all []string
	beyond := ""
	for {
		var next []fact[store.Account]
		filter := bson.D{field("co", company), field("wq", bson.D{field("$gt", beyond)})}
		opts := options.Find().SetSort(bson.D{field("wq", 1)}).SetLimit(1).SetProjection(bson.D{field("wq", 1)})
		if err := findAll(ctx, s, s.accounts.Collection, filter, &next, opts); err != nil || len(next) == 0 {
			return all, err
		}
		license, _, _ := strings.Cut(next[0].Account.Queue, placeMark)
		all = append(all, license)
		beyond = license + placeEnd
	}
}

// SetSeats implements [store.Pools].
func (s *Store) SetSeats(ctx context.Context, company, license string, total int, events []store.Event) error {
	return s.setPool(ctx, company, license, field("v.total", total), total, events)
}

// SetCeiling implements [store.Pools].
func (s *Store) SetCeiling(ctx context.Context, company, license string, ceiling int, events []store.Event) error {
	return s.setPool(ctx, company, license, field("v.ceiling", ceiling), 0, events)
}

// setPool sets a field of a pool and makes the pool first if it is not there.
func (s *Store) setPool(ctx context.Context, company, license string, to bson.E, seats int, events []store.Event) error {
	ctx, end, err := s.beginWrite(ctx)
	if err != nil {
		return err
	}
	defer end()
	id := poolID(company, license)
	if err := s.insert(ctx, s.pools.Collection, newPool(company, license, 0)); err != nil {
		return err
	}
	if _, _, err := s.pools.change(ctx, company, byID(id), set(to), notices(nil, events)); err != nil {
		return err
	}
	if seats > 0 {
		_, err = s.readyPool(ctx, company, license) // else the first who claims a seat does so
	}
	return err
}

func newPool(company, license string, total int) fact[store.Pool] {
	id := poolID(company, license)
	return fact[store.Pool]{ID: id, Company: company, Keys: []string{key("id", id)},
		Value: store.Pool{Company: company, License: license, Total: total}}
}

// RaiseSeats implements [store.Pools].
func (s *Store) RaiseSeats(ctx context.Context, company, license string, from, to int, events []store.Event) error {
	ctx, end, err := s.beginWrite(ctx)
	if err != nil {
		return err
	}
	defer end()
	filter := bson.D{field("_id", poolID(company, license)), field("v.total", from)}
	_, fits, err := s.pools.change(ctx, company, filter, set(field("v.total", to)), notices(nil, events))
	if err == nil && !fits {
		return store.ErrVersion
	}
	return err
}

// Queue implements [store.Pools].
func (s *Store) Queue(ctx context.Context, company, license string, limit int) ([]store.Account, error) {
	return s.inLine(ctx, waitingFor(company, license), "wq", limit)
}

// HeldSeats implements [store.Pools].
func (s *Store) HeldSeats(ctx context.Context, company, license string, limit int) ([]store.Account, error) {
	return s.inLine(ctx, bson.D{field("co", company), field("hq", placesOf(license))}, "hq", limit)
}

func (s *Store) inLine(ctx context.Context, filter bson.D, by string, limit int) ([]store.Account, error) {
	end, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	if limit <= 0 {
		return nil, nil
	}
	var found []fact[store.Account]
	err = findAll(ctx, s, s.accounts.Collection, filter, &found, options.Find().SetSort(bson.D{field(by, 1)}).SetLimit(int64(limit)))
	var all []store.Account
	for _, f := range found {
		all = append(all, presentAccount(f))
	}
	return all, err
}

// Ahead implements [store.Pools].
func (s *Store) Ahead(ctx context.Context, a store.Account) (int, error) {
	end, err := s.begin(ctx)
	if err != nil {
		return 0, err
	}
	defer end()
	place := queuePlace(&a)
	if place == "" {
		return 0, nil
	}
	return s.count(ctx, s.accounts.Collection, bson.D{field("co", a.Company),
		field("wq", bson.D{field("$gte", a.License+placeMark), field("$lt", place)})})
}

// CountSeats implements [store.Pools].
func (s *Store) CountSeats(ctx context.Context, company, license string) (store.Pool, error) {
	end, err := s.begin(ctx)
	if err != nil {
		return store.Pool{}, err
	}
	defer end()
	p, err := s.boughtPool(ctx, company, license)
	if err != nil {
		return p, err
	}
	for _, state := range []string{store.StateReserved, store.StateActive, store.StateHeld} {
		n, err := s.count(ctx, s.accounts.Collection, bson.D{field("co", company), field("k", term(seatTerm, license+placeMark+state))})
		if err != nil {
			return p, err
		}
		addSeats(&p, state, n)
	}
	p.Waiting, err = s.count(ctx, s.accounts.Collection, waitingFor(company, license))
	return p, err
}

// count counts the documents that fit.
func (s *Store) count(ctx context.Context, c interface {
	CountDocuments(context.Context, any, ...options.Lister[options.CountOptions]) (int64, error)
}, filter bson.D) (n int, err error) {
	err = s.try(ctx, func(ctx context.Context) error {
		many, err := c.CountDocuments(ctx, filter)
		n = int(many)
		return err
	})
	return n, err
}
