package doctor

import (
	"encoding/json"
	"unique"

	"usher/store"
)

// holding is what the license ledger says of somebody.
type holding struct{ License, State, Reason, Effective, Seat, SeatState string }

// nothing is the holding of somebody of whom the ledger does not tell, or not any more.
func nothing() holding { return holding{State: store.StateNone, Effective: "video-pro"} }

func holdingOf(a store.Account) holding {
	return holding{a.License, a.LicenseState, a.LicenseReason, a.Effective, a.Seat, a.SeatState}
}

// ledger is what the license events add up to: the holding of each account after its last event. There are few different ones.
type ledger map[string]unique.Handle[holding]

func (l ledger) of(id string) holding {
	if h, ok := l[id]; ok {
		return h.Value()
	}
	return nothing()
}

// events reads the log from its beginning. It must be without gaps and its chain unbroken, and each license event must begin where the one
// before it of the same person ended.
func (x *examination) events() (ledger, error) {
	l := ledger{}
	var last store.Event
	broken := false
	for e, err := range x.allEvents() {
		if err != nil {
			return nil, err
		}
		if !broken && (e.Seq != last.Seq+1 || e.Hash != e.Chain(last.Hash)) { // all that follow would seem wrong, too
			broken = true
			x.wrong("events", "chain", "the chain of the audit log is broken at event %d: it, or one before it, was changed or removed outside of usher; compare the log with a backup", e.Seq)
		}
		last = e
		x.seen.Events++
		if e.Kind == store.EventLicense {
			x.license(l, e)
		}
	}
	return l, nil
}

// license takes in one license event.
func (x *examination) license(l ledger, e store.Event) {
	var change struct{ From, To *holding }
	if err := json.Unmarshal(e.Detail, &change); err != nil || change.From == nil || change.To == nil {
		x.wrong("ledger", e.Target, "the license event %d does not say from what to what it led: it was not written by this usher", e.Seq)
		return
	}
	if was := l.of(e.Target); was != *change.From {
		x.wrong("ledger", e.Target, "the license event %d of account %s begins with %s, and the one before it ended with %s: a change of the license is not in the log",
			e.Seq, e.Target, *change.From, was)
	}
	l[e.Target] = unique.Make(*change.To)
}

// String says it in short.
func (h holding) String() string {
	s := h.State
	if h.License != "" {
		s += " " + h.License
	}
	if h.Seat != "" {
		s += ", a " + h.SeatState + " seat of " + h.Seat
	}
	return s
}
