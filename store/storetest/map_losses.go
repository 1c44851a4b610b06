package storetest

import (
	"context"
	"time"

	"usher/store"
)

// lossRow is one loss. It is written after the account: one that a crash keeps from being written is not counted.
type lossRow struct {
	company, connection string
	at                  time.Time
}

func (m *Map) lose(company, connection string, at time.Time) {
	if connection != "" {
		m.losses.insert(store.NewID(), lossRow{company, connection, at})
	}
}

// CountLosses implements [store.Connections].
func (m *Map) CountLosses(ctx context.Context, company, connection string, since time.Time, limit int) (int, error) {
	end, err := m.begin(ctx)
	if err != nil {
		return 0, err
	}
	defer end()
	n := 0
	for _, k := range m.losses.find(join(company, connection)) {
		if l, _, ok := m.losses.get(k); ok && !l.at.Before(since) && n < limit {
			n++
		}
	}
	return n, nil
}

// SetBreaker implements [store.Connections].
func (m *Map) SetBreaker(ctx context.Context, c store.Connection, was string, events []store.Event) error {
	end, err := m.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	news := notices(nil, events)
	return m.connections.update(c.ID, func(old fact[store.Connection]) (fact[store.Connection], error) {
		if old.gone || old.value.Company != c.Company {
			return old, store.ErrNotFound
		}
		if old.value.Breaker != was {
			return old, store.ErrVersion
		}
		next := old.value
		next.Breaker, next.BreakerSince = c.Breaker, c.BreakerSince
		return old.with(next, news), nil
	})
}
