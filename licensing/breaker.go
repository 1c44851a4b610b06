package licensing

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"usher/store"
)

// A wrong filter or a mistake in an identity provider can take everybody's access within minutes, and each request of it looks like any
// other. So a connection may take something away from only so many people within an hour, unless an admin lets it: by then an accident
// is seen, and what goes on every day stays far below.

// States of a connection's breaker; empty while it has not tripped.
const (
	BreakerTripped  = "tripped"  // further losses are answered with "later" until it is decided, or until the hour has moved on
	BreakerPassing  = "passing"  // an admin lets them pass, for an hour
	BreakerRefusing = "refusing" // an admin refuses them, until further notice
)

// ActionBreaker is the action of the events of breakers.
const ActionBreaker = "connection.breaker"

// Defaults of the limit: so many people within lossWindow, or so many of a hundred where that is more.
const (
	LossMin     = 20
	LossPercent = 10
	lossWindow  = time.Hour
)

// guarded says whether a change is one whose losses are counted: those of identity providers are.
func guarded(c Change) bool { return c.Door == DoorSCIM && c.Actor.Kind == actorConnection }

// actorConnection is the kind of the actors that are connections.
const actorConnection = "connection"

// takes says whether a change takes something away from a person: that they are active, or their paid license.
func takes(before, after store.Account) bool {
	return before.Active && !after.Active || License(before.Effective).Paid() && !License(after.Effective).Paid()
}

// pending counts the losses that are being written, so that those who write at the same time do not all find room.
type pending struct {
	mu    sync.Mutex
	of    map[string]int // by connection
	freed chan struct{}  // closed, and made anew, when some of them have been written
}

func newPending() *pending { return &pending{of: map[string]int{}, freed: make(chan struct{})} }

// take adds n losses by a connection if fits says so of those that are being written; else it gives what to wait for, nil when nothing
// is being written.
func (p *pending) take(connection string, n int, fits func(pending int) (bool, error)) (taken bool, wait <-chan struct{}, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch ok, err := fits(p.of[connection]); {
	case err != nil:
		return false, nil, err
	case ok:
		p.of[connection] += n
		return true, nil, nil
	case p.of[connection] > 0:
		return false, p.freed, nil
	}
	return false, nil, nil
}

// give takes them back.
func (p *pending) give(connection string, n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.of[connection] -= n; p.of[connection] == 0 {
		delete(p.of, connection)
	}
	close(p.freed)
	p.freed = make(chan struct{})
}

// writtenWithin is how long a loss that finds no room waits for those that are being written: for a moment they are counted twice, and
// some of them may fail. Whoever waits may hold up a sweep, so it is not for long.
const writtenWithin = 200 * time.Millisecond

// allow asks whether n people may lose something by a change and keeps room for them until done is called, after the write, once or
// more: *Refusal.
func (d *Directory) allow(ctx context.Context, s situation, n int) (done func(), err error) {
	if n == 0 || !guarded(s.change) {
		return func() {}, nil
	}
	connection, err := d.store.Connection(ctx, s.change.Actor.ID)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, fmt.Errorf("connection %s: %w", s.change.Actor.ID, err)
	}
	switch connection.Breaker {
	case BreakerPassing:
		if s.now.Before(connection.BreakerSince.Add(lossWindow)) {
			return func() {}, nil
		}
	case BreakerRefusing:
		return nil, refuse(LossesRefused, "")
	}
	least, percent := LossLimits(s.company)
	if percent >= 100 {
		return func() {}, nil
	}
	page, err := d.store.ListAccounts(ctx, s.company.ID, store.Query{Total: true})
	if err != nil {
		return nil, fmt.Errorf("number of accounts: %w", err)
	}
	limit := max(least, page.Total*percent/100)
	id := s.change.Actor.ID
	var lost int
	fits := func(pending int) (bool, error) {
		if lost, err = d.store.CountLosses(ctx, s.company.ID, id, s.now.Add(-lossWindow), limit+1); err != nil {
			return false, fmt.Errorf("losses by %s: %w", id, err)
		}
		return lost+pending+n <= limit, nil
	}
	patience := time.NewTimer(writtenWithin)
	defer patience.Stop()
	for {
		taken, wait, err := d.pending.take(id, n, fits)
		if err != nil {
			return nil, err
		}
		if taken {
			return sync.OnceFunc(func() { d.pending.give(id, n) }), nil
		}
		if wait == nil || lost+n > limit {
			break
		}
		select {
		case <-wait:
			continue
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-patience.C:
		}
		break
	}
	if err := d.trip(ctx, s, connection, lost, limit); err != nil {
		return nil, err
	}
	return nil, refuse(TooManyLosses,
		"More than %d people would lose their access or license by this connection within an hour, so this waits for an admin; nothing was changed.", limit)
}

// LossLimits gives the settings of a company: how many people a connection may take something away from within an hour in any case, and
// how many of a hundred where that is more; 100 is without a limit.
func LossLimits(c store.Company) (least, percent int) {
	least, percent = c.LossMin, c.LossPercent
	if least == 0 {
		least = LossMin
	}
	if percent == 0 {
		percent = LossPercent
	}
	return least, percent
}

// trip notes that a connection has reached its limit: once, however many requests find that.
func (d *Directory) trip(ctx context.Context, s situation, c store.Connection, lost, limit int) error {
	if c.ID == "" || c.Breaker == BreakerTripped && s.now.Before(c.BreakerSince.Add(lossWindow)) {
		return nil
	}
	err := d.setBreakerState(ctx, s.change, c, BreakerTripped, s.now, map[string]int{"lost": lost, "limit": limit})
	if errors.Is(err, store.ErrVersion) { // somebody else has, or an admin has just decided
		return nil
	}
	d.log.LogAttrs(ctx, slog.LevelWarn, "a connection takes away so much that it was stopped: let it pass or refuse it",
		slog.String("company", s.company.Name), slog.String("connection", c.Name), slog.Int("lost", lost), slog.Int("limit", limit))
	if err == nil {
		d.alert(ctx, s, LossAlert{Company: s.company.Display, Name: s.company.Name, Connection: c.Name, Lost: lost, Limit: limit})
	}
	return err
}

func (d *Directory) setBreakerState(ctx context.Context, c Change, connection store.Connection, state string, now time.Time, detail any) error {
	was := connection.Breaker
	connection.Breaker, connection.BreakerSince = state, now
	event := newEvent(c, now, store.EventConnection, ActionBreaker, connection.ID, struct {
		From   string `json:"from"`
		To     string `json:"to"`
		Counts any    `json:"counts,omitempty"`
	}{was, state, detail})
	return d.store.SetBreaker(ctx, connection, was, []store.Event{event})
}

// setBreaker is an admin's decision.
func (d *Directory) setBreaker(ctx context.Context, c Change, do SetBreaker) (Result, error) {
	if !slices.Contains([]string{"", BreakerPassing, BreakerRefusing}, do.State) {
		return Result{}, refuse(UnknownSetting, "The losses by a connection cannot be %q; they pass, are refused or are watched.", do.State)
	}
	connection, err := d.store.Connection(ctx, do.Connection)
	if err != nil || connection.Company != c.Company {
		return Result{}, errors.Join(err, store.ErrNotFound)
	}
	return Result{Changed: true}, d.setBreakerState(ctx, c, connection, do.State, d.now(), nil)
}

// allowGroup is allow for a change of a group's members.
func (d *Directory) allowGroup(ctx context.Context, c Change, group string, change store.MemberChange) (done func(), err error) {
	if !guarded(c) || !change.Exactly && len(change.Remove) == 0 {
		return func() {}, nil
	}
	s, err := d.situation(ctx, c)
	if err != nil {
		return nil, err
	}
	n, err := d.groupLosses(ctx, s, group, change)
	if err != nil {
		return nil, err
	}
	return d.allow(ctx, s, n)
}

// groupLosses counts the people who would lose something if they were members of a group no more: the ones given, or all members but
// those.
func (d *Directory) groupLosses(ctx context.Context, s situation, group string, change store.MemberChange) (int, error) {
	if !slices.ContainsFunc(s.rules.rules, func(r store.Rule) bool { return r.Group == group }) {
		return 0, nil
	}
	s.queues = true
	s.rules = newRuleSet(slices.DeleteFunc(slices.Clone(s.rules.rules), func(r store.Rule) bool { return r.Group == group }))
	n := 0
	count := func(ids []string) error {
		return d.planEach(ctx, s, s.now, ids, func(p plan) error {
			if p.write.Loss != "" {
				n++
			}
			return nil
		})
	}
	if !change.Exactly {
		for ids := range slices.Chunk(change.Remove, chunk) {
			if err := count(ids); err != nil {
				return 0, err
			}
		}
		return n, nil
	}
	stays := map[string]bool{}
	for _, id := range change.Add {
		stays[id] = true
	}
	for after := ""; ; {
		members, err := d.store.Members(ctx, s.company.ID, group, after, chunk)
		if err != nil || len(members) == 0 {
			return n, err
		}
		var leave []string
		for _, m := range members {
			if after = m.ID; !stays[m.ID] {
				leave = append(leave, m.ID)
			}
		}
		if err := count(leave); err != nil {
			return 0, err
		}
	}
}
