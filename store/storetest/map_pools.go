package storetest

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"

	"usher/store"
)

// poolRow is a pool with the claims on its seats in one record, so that a claim and a change of the total decide between
// themselves. A claim that is not settled is not counted as used, and its seat is not given to anybody else.
type poolRow struct {
	company, license string
	total, ceiling   int
	seats            map[string]seatRow // by claim; never changed in place
}

// seatRow is one seat that is taken.
type seatRow struct {
	account string // key of the account
	state   string // claiming, then the seat state of the account
	version int64  // of the account that the state is from
}

const claiming = "claiming"

// claimSeat takes a seat of the pool for an account, if there is one.
func (m *Map) claimSeat(company, license, account, claim string) bool {
	return m.pools.update(join(company, license), func(f fact[poolRow]) (fact[poolRow], error) {
		p := f.value
		if len(p.seats) >= p.total {
			return f, store.ErrNoSeat
		}
		p.seats = maps.Clone(p.seats)
		if p.seats == nil {
			p.seats = make(map[string]seatRow)
		}
		p.seats[claim] = seatRow{account: account, state: claiming}
		return f.with(p, nil), nil
	}) == nil
}

var errNothing = errors.New("nothing to change")

// settleSeat writes the account's seat state to the seat it holds, unless a later one is there.
func (m *Map) settleSeat(a accountRow) {
	// The only other error is that there is no such pool, and then there is no seat to settle.
	_ = m.pools.update(join(a.Company, a.Seat), func(f fact[poolRow]) (fact[poolRow], error) {
		p := f.value
		seat, ok := p.seats[a.seat]
		if !ok || seat.version >= a.Version {
			return f, errNothing
		}
		seat.state, seat.version = a.SeatState, a.Version
		p.seats = maps.Clone(p.seats)
		p.seats[a.seat] = seat
		return f.with(p, nil), nil
	})
}

// freeSeat gives a seat back. A claim is never given twice, so doing it again changes nothing.
func (m *Map) freeSeat(company, license, claim string) {
	_ = m.pools.update(join(company, license), func(f fact[poolRow]) (fact[poolRow], error) {
		p := f.value
		if _, ok := p.seats[claim]; !ok {
			return f, errNothing
		}
		p.seats = maps.Clone(p.seats)
		delete(p.seats, claim)
		return f.with(p, nil), nil
	})
}

func add(p *store.Pool, state string) {
	switch state {
	case store.StateReserved:
		p.Reserved++
	case store.StateActive:
		p.Active++
	case store.StateHeld:
		p.Held++
	default:
		return
	}
	p.Used++
}

func (m *Map) pool(company, license string) store.Pool {
	row, _ := m.pools.read(join(company, license)) // a pool that was never bought has no record
	p := store.Pool{Company: company, License: license, Total: row.total, Ceiling: row.ceiling}
	for _, seat := range row.seats {
		add(&p, seat.state)
	}
	p.Waiting = len(m.accounts.find(waits(company, license)))
	return p
}

// Pool implements [store.Pools].
func (m *Map) Pool(ctx context.Context, company, license string) (store.Pool, error) {
	end, err := m.begin(ctx)
	if err != nil {
		return store.Pool{}, err
	}
	defer end()
	return m.pool(company, license), nil
}

// ListPools implements [store.Pools].
func (m *Map) ListPools(ctx context.Context, company string) ([]store.Pool, error) {
	end, err := m.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	licenses := make(map[string]bool)
	for _, p := range m.pools.readAll(listed(company)) {
		licenses[p.license] = true
	}
	for _, a := range m.accounts.readAll(join("waiting", company)) {
		licenses[a.License] = true
	}
	var all []store.Pool
	for _, license := range slices.Sorted(maps.Keys(licenses)) {
		if p := m.pool(company, license); p.Total > 0 || p.Used > 0 || p.Waiting > 0 {
			all = append(all, p)
		}
	}
	return all, nil
}

// SetSeats implements [store.Pools].
func (m *Map) SetSeats(ctx context.Context, company, license string, total int, events []store.Event) error {
	end, err := m.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	k, news := join(company, license), notices(nil, events)
	if m.pools.create(k, poolRow{company: company, license: license, total: total}, news) {
		return nil
	}
	return m.pools.update(k, func(f fact[poolRow]) (fact[poolRow], error) {
		p := f.value
		p.total = total
		return f.with(p, news), nil
	})
}

// SetCeiling implements [store.Pools].
func (m *Map) SetCeiling(ctx context.Context, company, license string, ceiling int, events []store.Event) error {
	end, err := m.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	k, news := join(company, license), notices(nil, events)
	if m.pools.create(k, poolRow{company: company, license: license, ceiling: ceiling}, news) {
		return nil
	}
	return m.pools.update(k, func(f fact[poolRow]) (fact[poolRow], error) {
		p := f.value
		p.ceiling = ceiling
		return f.with(p, news), nil
	})
}

// RaiseSeats implements [store.Pools].
func (m *Map) RaiseSeats(ctx context.Context, company, license string, from, to int, events []store.Event) error {
	end, err := m.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	news := notices(nil, events)
	err = m.pools.update(join(company, license), func(f fact[poolRow]) (fact[poolRow], error) {
		p := f.value
		if p.total != from {
			return f, store.ErrVersion
		}
		p.total = to
		return f.with(p, news), nil
	})
	if errors.Is(err, store.ErrNotFound) { // never bought, so not at from either
		return store.ErrVersion
	}
	return err
}

// Queue implements [store.Pools].
func (m *Map) Queue(ctx context.Context, company, license string, limit int) ([]store.Account, error) {
	end, err := m.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	return m.sorted(waits(company, license), limit, func(a, b accountRow) int { return inQueue(a.Account, b.Account) }), nil
}

// inQueue orders those who wait.
func inQueue(a, b store.Account) int {
	return cmp.Or(cmp.Compare(b.Priority, a.Priority), a.Requested.Compare(b.Requested), cmp.Compare(a.ID, b.ID))
}

// Ahead implements [store.Pools].
func (m *Map) Ahead(ctx context.Context, a store.Account) (int, error) {
	end, err := m.begin(ctx)
	if err != nil {
		return 0, err
	}
	defer end()
	n := 0
	if a.LicenseState == store.StateWaiting {
		for _, row := range m.accounts.readAll(waits(a.Company, a.License)) {
			if inQueue(row.Account, a) < 0 {
				n++
			}
		}
	}
	return n, nil
}

// HeldSeats implements [store.Pools].
func (m *Map) HeldSeats(ctx context.Context, company, license string, limit int) ([]store.Account, error) {
	end, err := m.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	return m.sorted(sits(company, license, store.StateHeld), limit, func(a, b accountRow) int {
		return cmp.Or(a.SeatSince.Compare(b.SeatSince), cmp.Compare(a.ID, b.ID))
	}), nil
}

func (m *Map) sorted(term string, limit int, compare func(a, b accountRow) int) []store.Account {
	rows := m.accounts.readAll(term)
	slices.SortFunc(rows, compare)
	var all []store.Account
	for _, row := range rows[:min(limit, len(rows))] {
		all = append(all, m.present(row))
	}
	return all
}

// CountSeats implements [store.Pools].
func (m *Map) CountSeats(ctx context.Context, company, license string) (store.Pool, error) {
	end, err := m.begin(ctx)
	if err != nil {
		return store.Pool{}, err
	}
	defer end()
	p := store.Pool{Company: company, License: license}
	if row, err := m.pools.read(join(company, license)); err == nil {
		p.Total, p.Ceiling = row.total, row.ceiling
	}
	for _, a := range m.accounts.readAll(listed(company)) {
		if a.Seat == license {
			add(&p, a.SeatState)
		}
		if a.LicenseState == store.StateWaiting && a.License == license {
			p.Waiting++
		}
	}
	return p, nil
}
