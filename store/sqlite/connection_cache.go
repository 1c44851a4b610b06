package sqlite

import (
	"sync"

	"usher/store"
)

// maxKnownConnections is how many connections are remembered.
const maxKnownConnections = 10_000

// knownConnections remembers connections, which most requests ask for. This process alone writes the database: who writes a connection forgets
// it before the write is answered, so nobody gets one of before that.
type knownConnections struct {
	mu    sync.RWMutex
	round int64 // grows with forget, so that what was read before it is not remembered after it
	of    map[string]store.Connection
}

// get gives one that is remembered, and the round to remember it in that is not.
func (k *knownConnections) get(id string) (c store.Connection, ok bool, round int64) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	c, ok = k.of[id]
	return c, ok, k.round
}

func (k *knownConnections) put(c store.Connection, round int64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.round != round {
		return
	}
	if k.of == nil || len(k.of) >= maxKnownConnections {
		k.of = map[string]store.Connection{}
	}
	k.of[c.ID] = c
}

func (k *knownConnections) forget(id string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.round++
	delete(k.of, id)
}
