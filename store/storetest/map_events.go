package storetest

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"usher/store"
)

// logRow is one event in the log, with the notice that it came by.
type logRow struct {
	event  store.Event
	notice string
}

func logKey(company string, seq int64) string { return fmt.Sprintf("%s\x00%020d", company, seq) }

// moveEvents brings the company's events from their facts to the log and gives each its place in the chain.
// An event is appended, then taken out of its fact: should the mover die in between, the next one finds it at the log's end.
func (m *Map) moveEvents(company string) {
	m.mover.Lock()
	defer m.mover.Unlock()
	var end logRow
	for {
		row, _, ok := m.log.get(logKey(company, end.event.Seq+1))
		if !ok {
			break
		}
		end = row
	}
	appended := end.notice
	for _, l := range collect(m.boxes, eventsWaiting(company)) {
		if l.event == nil {
			continue
		}
		if l.id != appended {
			e := *l.event
			e.Seq = end.event.Seq + 1
			e.Hash = e.Chain(end.event.Hash)
			end = logRow{e, l.id}
			m.log.insert(logKey(company, e.Seq), end)
		}
		l.box.sent(l.key, l.id)
	}
}

// moveSweeps brings sweeps from their facts to the list of sweeps.
func (m *Map) moveSweeps() {
	m.mover.Lock()
	defer m.mover.Unlock()
	for _, l := range collect(m.boxes, sweepsWaiting) {
		if l.sweep == nil {
			continue
		}
		m.sweeps.insert(l.sweep.ID, *l.sweep) // it may be there from a mover that died before the next step
		l.box.sent(l.key, l.id)
	}
}

// ListEvents implements [store.Events].
func (m *Map) ListEvents(ctx context.Context, company string, after int64, limit int) ([]store.Event, error) {
	end, err := m.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	m.moveEvents(company)
	var all []store.Event
	for seq := after + 1; len(all) < limit; seq++ {
		row, _, ok := m.log.get(logKey(company, seq))
		if !ok {
			break
		}
		row.event.Detail = slices.Clone(row.event.Detail)
		all = append(all, row.event)
	}
	return all, nil
}

// ListSweeps implements [store.Sweeps].
func (m *Map) ListSweeps(ctx context.Context) ([]store.Sweep, error) {
	end, err := m.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	m.moveSweeps()
	var all []store.Sweep
	for _, k := range m.sweeps.keys() {
		if s, _, ok := m.sweeps.get(k); ok {
			all = append(all, s)
		}
	}
	slices.SortFunc(all, func(a, b store.Sweep) int {
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID))
	})
	return all, nil
}

// LeaseSweep implements [store.Sweeps].
func (m *Map) LeaseSweep(ctx context.Context, id, holder string, now, until time.Time) (bool, error) {
	end, err := m.begin(ctx)
	if err != nil {
		return false, err
	}
	defer end()
	m.moveSweeps()
	leased := false
	err = m.sweeps.update(id, func(s store.Sweep) (store.Sweep, error) {
		if leased = s.Holder == "" || s.Holder == holder || !now.Before(s.Until); leased {
			s.Holder, s.Until = holder, until
		}
		return s, nil
	})
	return leased && err == nil, err
}

// MoveSweep implements [store.Sweeps].
func (m *Map) MoveSweep(ctx context.Context, id, cursor string) error {
	end, err := m.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	m.moveSweeps()
	return m.sweeps.update(id, func(s store.Sweep) (store.Sweep, error) {
		s.Cursor = cursor
		return s, nil
	})
}

// EndSweep implements [store.Sweeps].
func (m *Map) EndSweep(ctx context.Context, id string) error {
	end, err := m.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	// Moved first: a sweep that is still in its fact would come back.
	m.moveSweeps()
	for {
		_, revision, ok := m.sweeps.get(id)
		if !ok || m.sweeps.remove(id, revision) {
			return nil
		}
	}
}

// AppendEvents implements [store.Events]. They ride in the record of the company, as if it had changed.
func (m *Map) AppendEvents(ctx context.Context, company string, events []store.Event) error {
	end, err := m.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	news := notices(nil, events)
	return m.companies.update(company, func(old fact[store.Company]) (fact[store.Company], error) {
		if old.gone {
			return old, store.ErrNotFound
		}
		return old.with(old.value, news), nil
	})
}
