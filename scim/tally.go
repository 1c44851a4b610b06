package scim

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"usher/store"
)

// tally counts the quirks of all connections until they are stored. It is safe for concurrent use.
type tally struct {
	mu   sync.Mutex
	uses map[tallied]*store.QuirkUse
}

// tallied is what is counted by itself.
type tallied struct{ company, connection, quirk string }

// count adds the quirks that one request needed.
func (t *tally) count(who Principal, applied map[string]int, at time.Time) {
	if len(applied) == 0 || who.Connection == "" {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for quirk, n := range applied {
		t.add(tallied{who.Company, who.Connection, quirk}, store.QuirkUse{
			Connection: who.Connection, Quirk: quirk, Count: int64(n), First: at, Last: at,
		})
	}
}

func (t *tally) add(key tallied, use store.QuirkUse) {
	if t.uses == nil {
		t.uses = map[tallied]*store.QuirkUse{}
	}
	known := t.uses[key]
	if known == nil {
		t.uses[key] = &use
		return
	}
	known.Count += use.Count
	if use.First.Before(known.First) {
		known.First = use.First
	}
	if use.Last.After(known.Last) {
		known.Last = use.Last
	}
}

// take gives what was counted, and begins anew.
func (t *tally) take() map[tallied]*store.QuirkUse {
	t.mu.Lock()
	defer t.mu.Unlock()
	taken := t.uses
	t.uses = nil
	return taken
}

// QuirkCounts gives how often each vendor quirk was applied for a connection since they were last stored.
func (h *Handler) QuirkCounts(connection string) map[string]int64 {
	h.tally.mu.Lock()
	defer h.tally.mu.Unlock()
	counts := map[string]int64{}
	for key, use := range h.tally.uses {
		if key.connection == connection {
			counts[key.quirk] += use.Count
		}
	}
	return counts
}

// StoreQuirks stores how often quirks were needed since it was last called. What cannot be stored is kept for the next time. Requests do
// not wait for it, and a store that is down does not fail them.
func (h *Handler) StoreQuirks(ctx context.Context, to store.Quirks) error {
	taken := h.tally.take()
	byCompany := map[string][]store.QuirkUse{}
	for key, use := range taken {
		byCompany[key.company] = append(byCompany[key.company], *use)
	}
	var errs []error
	for _, company := range slices.Sorted(maps.Keys(byCompany)) {
		err := to.CountQuirks(ctx, company, byCompany[company])
		if err == nil {
			continue
		}
		errs = append(errs, err)
		h.tally.mu.Lock()
		for _, use := range byCompany[company] {
			h.tally.add(tallied{company, use.Connection, use.Quirk}, use)
		}
		h.tally.mu.Unlock()
	}
	return errors.Join(errs...)
}
