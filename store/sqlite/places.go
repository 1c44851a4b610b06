package sqlite

import (
	"container/list"
	"crypto/sha256"
	"fmt"
	"sync"

	"usher/store/query"
)

// maxPlaces is how many places are remembered: one for each walk through a list that is going on, and some.
const maxPlaces = 4096

// placeKey names a place between two records of a list: behind the first offset records that match a filter, as they were served
// to whoever walks through it.
type placeKey struct {
	co     int64
	table  string
	filter [sha256.Size]byte
	offset int
}

// places remembers where the pages ended that were served last. A client which walks through a list by offsets goes on from
// there and not by counting anew: that takes as long at the end of the list as at its beginning, and records that come and go
// meanwhile neither repeat nor hide others. It is safe for concurrent use.
type places struct {
	mu    sync.Mutex
	limit int
	order *list.List // of *placeEntry, most recently used first
	at    map[placeKey]*list.Element
}

type placeEntry struct {
	key placeKey
	pk  int64
}

func newPlaces(limit int) *places {
	return &places{limit: limit, order: list.New(), at: make(map[placeKey]*list.Element)}
}

func (p *places) get(k placeKey) (pk int64, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e, ok := p.at[k]
	if !ok {
		return 0, false
	}
	p.order.MoveToFront(e)
	return e.Value.(*placeEntry).pk, true
}

func (p *places) put(k placeKey, pk int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if e, ok := p.at[k]; ok {
		e.Value.(*placeEntry).pk = pk
		p.order.MoveToFront(e)
		return
	}
	p.at[k] = p.order.PushFront(&placeEntry{k, pk})
	if p.order.Len() > p.limit {
		last := p.order.Remove(p.order.Back()).(*placeEntry)
		delete(p.at, last.key)
	}
}

// filterKey tells filters apart.
func filterKey(n query.Node) [sha256.Size]byte {
	if n == nil {
		return [sha256.Size]byte{}
	}
	return sha256.Sum256(fmt.Appendf(nil, "%#v", n)) // writes types and quoted values, so that no two filters look alike
}
