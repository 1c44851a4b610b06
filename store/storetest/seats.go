package storetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"usher/store"
)

// seated gives the account a seat of the license.
func seated(a store.Account, license, state string, f *fixture) store.Account {
	a.License, a.LicenseState, a.LicenseReason, a.Effective = license, state, "", license
	a.Seat, a.SeatState, a.SeatSince = license, state, f.now()
	if a.Requested.IsZero() {
		a.Requested = f.now()
	}
	return a
}

// waiting lets the account wait for the license; a seat that it holds it keeps.
func waiting(a store.Account, license string, f *fixture) store.Account {
	a.License, a.LicenseState, a.LicenseReason, a.Effective = license, store.StateWaiting, "waiting_for_seat", "video-pro"
	if a.Requested.IsZero() {
		a.Requested = f.now()
	}
	return a
}

// unseated takes seat and license away.
func unseated(a store.Account) store.Account {
	a.License, a.LicenseState, a.LicenseReason, a.Effective = "", store.StateNone, "", "video-pro"
	a.Seat, a.SeatState, a.SeatSince = "", "", store.Account{}.SeatSince
	return a
}

// claim is the write that asks for a seat and waits when there is none.
func claim(before *store.Account, a store.Account, license string, f *fixture) store.AccountWrite {
	return store.AccountWrite{
		Before: before,
		After:  seated(a, license, store.StateReserved, f),
		Events: []store.Event{f.event("granted", a.ID)},
		NoSeat: &store.NoSeat{Account: waiting(a, license, f), Events: []store.Event{f.event("queued", a.ID)}},
	}
}

func testSeatStorm(f *fixture) {
	const claimants, seats = 64, 5
	f.setSeats(pro, seats)
	existing := f.people(claimants/2, "old")
	drafts := make([]store.Account, claimants/2)
	for i := range drafts {
		drafts[i] = f.draft(fmt.Sprintf("new-%d", i))
	}
	var granted, queued atomic.Int64
	together(claimants, func(i int) {
		w := claim(nil, drafts[i/2], pro, f)
		if i%2 == 0 { // as many come with an account as without
			w = claim(&existing[i/2], existing[i/2], pro, f)
		}
		a, err := f.WriteAccount(f.ctx, w)
		switch {
		case err != nil:
			f.Errorf("claim: %v", err)
		case a.Seat == pro && a.LicenseState == store.StateReserved:
			granted.Add(1)
		case a.Seat == "" && a.LicenseState == store.StateWaiting:
			queued.Add(1)
		default:
			f.Errorf("an outcome that was not among the two: %+v", a.Decision)
		}
		if p, err := f.Pool(f.ctx, f.company, pro); err != nil || p.Used > p.Total {
			f.Errorf("%d of %d seats used: %v", p.Used, p.Total, err)
		}
	})
	if granted.Load() != seats || queued.Load() != claimants-seats {
		f.Errorf("%d seats given and %d queued, want %d and %d", granted.Load(), queued.Load(), seats, claimants-seats)
	}
	f.same("pool", f.pool(pro), store.Pool{
		Company: f.company, License: pro, Total: seats, Used: seats, Reserved: seats, Waiting: claimants - seats,
	})
	actions := ids(f.log(f.company), func(e store.Event) string { return e.Action })
	slices.Sort(actions)
	f.same("events", actions, slices.Concat(slices.Repeat([]string{"granted"}, seats), slices.Repeat([]string{"queued"}, claimants-seats)))

	// One leaves, and exactly one of those that wait comes in.
	var holder store.Account
	for _, a := range f.everybody() {
		if a.Seat == pro {
			holder = a
		}
	}
	f.change(holder, func(a *store.Account) { *a = unseated(*a) })
	queue, err := f.Queue(f.ctx, f.company, pro, claimants)
	f.check(err)
	granted.Store(0)
	together(8, func(i int) {
		a, err := f.WriteAccount(f.ctx, claim(&queue[i], queue[i], pro, f))
		if err != nil {
			f.Errorf("claim: %v", err)
		}
		if a.Seat == pro {
			granted.Add(1)
		}
	})
	if granted.Load() != 1 {
		f.Errorf("%d came in after one had left", granted.Load())
	}
	f.same("pool", f.pool(pro), store.Pool{
		Company: f.company, License: pro, Total: seats, Used: seats, Reserved: seats, Waiting: claimants - seats - 1,
	})
}

// everybody lists the accounts of the company.
func (f *fixture) everybody() []store.Account {
	f.Helper()
	page, err := f.ListAccounts(f.ctx, f.company, store.Query{Limit: 1_000_000})
	f.check(err)
	return page.Accounts
}

func testSeatRefused(f *fixture) {
	a := f.create(f.draft("a"))
	w := claim(&a, a, pro, f)
	w.NoSeat = nil
	_, err := f.WriteAccount(f.ctx, w)
	f.want("a seat of a pool that was never bought", err, store.ErrNoSeat)

	f.setSeats(pro, 1)
	f.create(seated(f.draft("first"), pro, store.StateActive, f))
	w.After.UserName = "renamed"
	_, err = f.WriteAccount(f.ctx, w)
	f.want("a seat of a full pool", err, store.ErrNoSeat)
	f.same("the account afterwards", f.read(a.ID), a, kept)
	_, err = f.AccountByUserName(f.ctx, f.company, "renamed")
	f.want("the name that it would have had", err, store.ErrNotFound)

	b := claim(nil, f.draft("b"), pro, f)
	b.NoSeat = nil
	_, err = f.WriteAccount(f.ctx, b)
	f.want("a creation with a seat of a full pool", err, store.ErrNoSeat)
	_, err = f.Account(f.ctx, f.company, b.After.ID)
	f.want("the account that was not created", err, store.ErrNotFound)
	f.create(f.draft("b")) // its name is free
	if log := f.log(f.company); len(log) != 0 {
		f.Errorf("%d events of refused writes", len(log))
	}
	f.same("pool", f.pool(pro), store.Pool{Company: f.company, License: pro, Total: 1, Used: 1, Active: 1})
}

func testSeatStates(f *fixture) {
	f.setSeats(pro, 3)
	a := f.create(seated(f.draft("a"), pro, store.StateReserved, f))
	f.create(seated(f.draft("b"), pro, store.StateReserved, f))
	want := store.Pool{Company: f.company, License: pro, Total: 3, Used: 2, Reserved: 2}
	f.same("after two reservations", f.pool(pro), want)

	a = f.change(a, func(a *store.Account) { *a = seated(*a, pro, store.StateActive, f) })
	want.Reserved, want.Active = 1, 1
	f.same("after the activation", f.pool(pro), want)
	since := a.SeatSince

	a = f.change(a, func(a *store.Account) { *a = seated(*a, pro, store.StateHeld, f) })
	want.Active, want.Held = 0, 1
	f.same("while the seat is held", f.pool(pro), want)
	if !a.SeatSince.After(since) {
		f.Errorf("since %v, was %v", a.SeatSince, since)
	}

	a = f.change(a, func(a *store.Account) { a.Epoch++ }) // what has nothing to do with the seat
	f.same("after another change", f.pool(pro), want)

	a = f.change(a, func(a *store.Account) { *a = waiting(unseated(*a), pro, f) })
	want.Held, want.Used, want.Waiting = 0, 1, 1
	f.same("after the seat was given up for a place in the queue", f.pool(pro), want)

	f.change(a, func(a *store.Account) { a.License, a.LicenseState = pro, store.StateBlocked })
	want.Waiting = 0
	f.same("after leaving the queue", f.pool(pro), want)
}

func testSeatOfDeleted(f *fixture) {
	f.setSeats(pro, 1)
	holder := f.create(seated(f.draft("holder"), pro, store.StateHeld, f))
	next, err := f.WriteAccount(f.ctx, claim(nil, f.draft("next"), pro, f))
	f.check(err)
	f.same("pool", f.pool(pro), store.Pool{Company: f.company, License: pro, Total: 1, Used: 1, Held: 1, Waiting: 1})

	f.check(f.DeleteAccount(f.ctx, store.AccountDelete{Before: holder}))
	f.same("pool after the holder is deleted", f.pool(pro), store.Pool{Company: f.company, License: pro, Total: 1, Waiting: 1})
	held, err := f.HeldSeats(f.ctx, f.company, pro, 10)
	f.check(err)
	f.same("held seats", ids(held, accountID), []string(nil))

	f.check(f.DeleteAccount(f.ctx, store.AccountDelete{Before: next}))
	f.same("pool after the queue is deleted", f.pool(pro), store.Pool{Company: f.company, License: pro, Total: 1})
	queue, err := f.Queue(f.ctx, f.company, pro, 10)
	f.check(err)
	f.same("queue", ids(queue, accountID), []string(nil))
}

// testSeatOfFailedWrite checks that a write which is refused for another reason keeps no seat.
func testSeatOfFailedWrite(f *fixture) {
	f.setSeats(pro, 1)
	f.create(f.draft("taken"))
	stale := f.create(f.draft("stale"))
	f.change(stale, func(a *store.Account) { a.Epoch++ })

	_, err := f.WriteAccount(f.ctx, claim(nil, f.draft("taken"), pro, f))
	f.wantConflict("a claim under a taken name", err, "UserName", "taken")
	_, err = f.WriteAccount(f.ctx, claim(&stale, stale, pro, f))
	f.want("a claim on a stale version", err, store.ErrVersion)
	gone := f.draft("gone")
	gone.Version = 1
	_, err = f.WriteAccount(f.ctx, claim(&gone, gone, pro, f))
	f.want("a claim of nobody", err, store.ErrNotFound)

	a, err := f.WriteAccount(f.ctx, claim(nil, f.draft("first"), pro, f))
	f.check(err)
	if a.Seat != pro {
		f.Error("the only seat was lost to a write that was refused")
	}
	f.same("pool", f.pool(pro), store.Pool{Company: f.company, License: pro, Total: 1, Used: 1, Reserved: 1})

	// A taken name is the answer also where there is no seat: another seat would not help.
	renamed := f.read(stale.ID)
	renamed.UserName = "taken"
	before := f.read(stale.ID)
	for what, w := range map[string]store.AccountWrite{
		"a creation": claim(nil, f.draft("taken"), pro, f),
		"a rename":   claim(&before, renamed, pro, f),
	} {
		_, err = f.WriteAccount(f.ctx, w)
		f.wantConflict(what+" under a taken name, with a fallback for want of a seat", err, "UserName", "taken")
		w.NoSeat = nil
		_, err = f.WriteAccount(f.ctx, w)
		f.wantConflict(what+" under a taken name, without a seat", err, "UserName", "taken")
	}
	f.same("the account that was not renamed", f.read(stale.ID), before, kept)
}

func testSeatSwap(f *fixture) {
	f.setSeats(pro, 1)
	f.setSeats(other, 1)
	a := f.create(seated(f.draft("a"), other, store.StateActive, f))
	b := f.create(seated(f.draft("b"), pro, store.StateActive, f))

	// No seat in the new pool: the old seat stays while the account waits for the new one.
	a, err := f.WriteAccount(f.ctx, claim(&a, a, pro, f))
	f.check(err)
	if a.Seat != other || a.SeatState != store.StateActive || a.LicenseState != store.StateWaiting || a.License != pro {
		f.Errorf("a swap that waits: %+v", a.Decision)
	}
	f.same("old pool", f.pool(other), store.Pool{Company: f.company, License: other, Total: 1, Used: 1, Active: 1})
	f.same("new pool", f.pool(pro), store.Pool{Company: f.company, License: pro, Total: 1, Used: 1, Active: 1, Waiting: 1})

	// Refused as a whole: nothing moves.
	strict := claim(&a, a, pro, f)
	strict.NoSeat = nil
	_, err = f.WriteAccount(f.ctx, strict)
	f.want("a swap without fallback", err, store.ErrNoSeat)
	f.same("the account afterwards", f.read(a.ID), a, kept)

	f.change(b, func(b *store.Account) { *b = unseated(*b) })
	a, err = f.WriteAccount(f.ctx, claim(&a, a, pro, f))
	f.check(err)
	if a.Seat != pro || a.SeatState != store.StateReserved {
		f.Errorf("a swap: %+v", a.Decision)
	}
	f.same("old pool after the swap", f.pool(other), store.Pool{Company: f.company, License: other, Total: 1})
	f.same("new pool after the swap", f.pool(pro), store.Pool{Company: f.company, License: pro, Total: 1, Used: 1, Reserved: 1})
}

func testSeatsLowered(f *fixture) {
	f.setSeats(pro, 5)
	var holders []store.Account
	for i := range 5 {
		holders = append(holders, f.create(seated(f.draft(fmt.Sprintf("h%d", i)), pro, store.StateActive, f)))
	}
	f.check(f.SetSeats(f.ctx, f.company, pro, 3, []store.Event{f.event("pool.set", pro)}))
	want := store.Pool{Company: f.company, License: pro, Total: 3, Used: 5, Active: 5}
	f.same("nobody is put out", f.pool(pro), want)

	latecomer := f.create(f.draft("late"))
	refused := func() {
		f.Helper()
		w := claim(&latecomer, latecomer, pro, f)
		w.NoSeat = nil
		_, err := f.WriteAccount(f.ctx, w)
		f.want(fmt.Sprintf("a claim with %d of 3 used", want.Used), err, store.ErrNoSeat)
	}
	refused()
	// A holder may still change, the state of the seat included.
	holders[4] = f.change(holders[4], func(a *store.Account) { *a = seated(*a, pro, store.StateHeld, f) })
	want.Active, want.Held = 4, 1
	f.same("a change while over", f.pool(pro), want)

	// Each seat that comes back is gone until there are fewer holders than seats; from the front, where the seats are that stay.
	for i := range 2 {
		f.change(holders[i], func(a *store.Account) { *a = unseated(*a) })
		want.Active, want.Used = want.Active-1, want.Used-1
		f.same("one gives up the seat", f.pool(pro), want)
		refused()
	}
	f.change(holders[2], func(a *store.Account) { *a = unseated(*a) })
	latecomer, err := f.WriteAccount(f.ctx, claim(&latecomer, latecomer, pro, f))
	f.check(err)
	if latecomer.Seat != pro {
		f.Error("no seat with 2 of 3 used")
	}
	f.setSeats(pro, 4)
	if a, err := f.WriteAccount(f.ctx, claim(nil, f.draft("another"), pro, f)); err != nil || a.Seat != pro {
		f.Errorf("no seat after the total was raised: %v", err)
	}
	if p := f.pool(pro); p.Used != 4 {
		f.Errorf("%d used, want 4", p.Used)
	}
}

// testSeatChurn has more accounts than seats take and give up seats of two pools all the time while the totals change.
func testSeatChurn(f *fixture) {
	const people = 8
	f.setSeats(pro, 3)
	f.setSeats(other, 2)
	accounts := f.people(people, "p")
	together(people+1, func(i int) {
		if i == people {
			for n := range size(10, 300) {
				if err := f.SetSeats(f.ctx, f.company, pro, 2+n%3, nil); err != nil {
					f.Errorf("SetSeats: %v", err)
				}
			}
			return
		}
		a := accounts[i]
		for n := range size(15, 300) {
			var w store.AccountWrite
			switch {
			case (n+i)%4 == 3:
				w = store.AccountWrite{Before: &a, After: unseated(a)}
			case (n+i)%2 == 0:
				w = claim(&a, a, pro, f)
			default:
				w = claim(&a, a, other, f)
			}
			stored, err := f.WriteAccount(f.ctx, w)
			if err != nil {
				f.Errorf("write: %v", err)
				return
			}
			a = stored
		}
	})
	for license, most := range map[string]int{pro: 4, other: 2} {
		if p := f.pool(license); p.Used > most {
			f.Errorf("%d seats of %s used, of which there never were more than %d", p.Used, license, most)
		}
	}
	// All leave; then the pools give out exactly what they have.
	f.setSeats(pro, 3)
	for _, a := range f.everybody() {
		f.change(a, func(a *store.Account) { *a = unseated(*a) })
	}
	for license, total := range map[string]int{pro: 3, other: 2} {
		f.same("empty pool", f.pool(license), store.Pool{Company: f.company, License: license, Total: total})
		granted := 0
		for i := range total + 1 {
			w := claim(nil, f.draft(fmt.Sprintf("%s-%d", license, i)), license, f)
			w.NoSeat = nil
			if _, err := f.WriteAccount(f.ctx, w); err == nil {
				granted++
			} else if !errors.Is(err, store.ErrNoSeat) {
				f.Errorf("claim: %v", err)
			}
		}
		f.same("seats given of "+license, granted, total)
	}
}

func testQueueOrder(f *fixture) {
	at := f.now()
	type place struct {
		name     string
		priority int
		minute   int
	}
	// Stored in another order than the queue's; the two named "same" differ by their id only.
	places := []place{{"late", 0, 9}, {"same-1", 0, 5}, {"same-2", 0, 5}, {"early", 0, 1}, {"first", 10, 8}, {"second", 10, 9}, {"last", -1, 0}}
	made := make(map[string]store.Account)
	for _, p := range places {
		a := waiting(f.draft(p.name), pro, f)
		a.Priority, a.Requested = p.priority, at.Add(minutes(p.minute))
		made[p.name] = f.create(a)
	}
	f.create(waiting(f.draft("elsewhere"), other, f))
	blocked := waiting(f.draft("blocked"), pro, f)
	blocked.LicenseState = store.StateBlocked
	f.create(blocked)

	order := func(what string, limit int, want ...string) {
		f.Helper()
		queue, err := f.Queue(f.ctx, f.company, pro, limit)
		f.check(err)
		f.same(what, ids(queue, func(a store.Account) string { return a.Display }), ids(want, func(n string) string { return "Display of " + n }))
		for i, a := range queue {
			f.same("an account of the queue", a, f.read(a.ID), kept)
			ahead, err := f.Ahead(f.ctx, a)
			f.check(err)
			f.same("how many are ahead of "+a.Display, ahead, i)
		}
	}
	order("the queue", 100, "first", "second", "early", "same-1", "same-2", "late", "last")
	none, err := f.Ahead(f.ctx, f.create(f.draft("not-waiting")))
	f.check(err)
	f.same("how many are ahead of who does not wait", none, 0)
	order("its head", 3, "first", "second", "early")

	f.change(made["late"], func(a *store.Account) { a.Priority = 20 })
	f.change(made["first"], func(a *store.Account) { *a = unseated(*a) })
	f.check(f.DeleteAccount(f.ctx, store.AccountDelete{Before: made["same-1"]}))
	order("the queue after changes", 100, "late", "second", "early", "same-2", "last")
}

func testHeldSeats(f *fixture) {
	f.setSeats(pro, 10)
	at := f.now()
	for _, h := range []struct {
		name   string
		minute int
	}{{"b", 5}, {"c", 9}, {"a", 1}} {
		a := seated(f.draft(h.name), pro, store.StateHeld, f)
		a.SeatSince = at.Add(minutes(h.minute))
		f.create(a)
	}
	f.create(seated(f.draft("active"), pro, store.StateActive, f))
	for limit, want := range map[int][]string{10: {"a", "b", "c"}, 2: {"a", "b"}} {
		held, err := f.HeldSeats(f.ctx, f.company, pro, limit)
		f.check(err)
		f.same("held seats", ids(held, func(a store.Account) string { return a.UserName }), want)
	}
}

func testPools(f *fixture) {
	f.same("a pool that was never bought", f.pool(pro), store.Pool{Company: f.company, License: pro})
	list := func(what string, want ...store.Pool) {
		f.Helper()
		all, err := f.ListPools(f.ctx, f.company)
		f.check(err)
		slices.SortFunc(all, func(a, b store.Pool) int { return strings.Compare(a.License, b.License) })
		f.same(what, all, want)
	}
	list("no pools")
	f.create(waiting(f.draft("a"), pro, f))
	list("somebody waits for what was never bought", store.Pool{Company: f.company, License: pro, Waiting: 1})
	f.check(f.SetSeats(f.ctx, f.company, other, 4, []store.Event{f.event("pool.set", other)}))
	f.create(seated(f.draft("b"), other, store.StateActive, f))
	list("both", store.Pool{Company: f.company, License: other, Total: 4, Used: 1, Active: 1},
		store.Pool{Company: f.company, License: pro, Waiting: 1})
	if log := f.log(f.company); len(log) != 1 || log[0].Target != other {
		f.Errorf("events %v, want that of the purchase", log)
	}
}

func testCeiling(f *fixture) {
	f.check(f.SetCeiling(f.ctx, f.company, pro, 3, []store.Event{f.event("pool.ceiling", pro)}))
	f.same("with a ceiling alone", f.pool(pro), store.Pool{Company: f.company, License: pro, Ceiling: 3})
	f.setSeats(pro, 1)
	f.same("with a seat", f.pool(pro), store.Pool{Company: f.company, License: pro, Total: 1, Ceiling: 3})
	f.want("raised from what it is not", f.RaiseSeats(f.ctx, f.company, pro, 2, 3, []store.Event{f.event("lost", pro)}), store.ErrVersion)
	f.check(f.RaiseSeats(f.ctx, f.company, pro, 1, 2, []store.Event{f.event("pool.raise", pro)}))
	f.same("raised", f.pool(pro), store.Pool{Company: f.company, License: pro, Total: 2, Ceiling: 3})
	f.want("a pool that was never bought", f.RaiseSeats(f.ctx, f.company, other, 1, 2, nil), store.ErrVersion)
	f.check(f.SetCeiling(f.ctx, f.company, pro, 0, nil))
	f.same("without", f.pool(pro), store.Pool{Company: f.company, License: pro, Total: 2})
	f.same("events", len(f.log(f.company)), 2)
}
