package query

import (
	"container/list"
	"crypto/sha256"
	"fmt"
	"sync"
)

// Place names a place between two records of a list: behind the first Offset records that match a filter, as they were served to whoever walks
// through it.
type Place struct {
	Company string
	List    string
	Filter  [sha256.Size]byte // see FilterKey
	Offset  int
}

// Places remembers where the pages ended that were served last, by what an engine calls a record. A client which walks through a list by offsets goes
// on from there and not by counting anew: that takes as long at the end of the list as at its beginning, and records that come and go meanwhile
// neither repeat nor hide others. It is safe for concurrent use.
type Places[R any] struct {
	mu    sync.Mutex
	limit int
	order *list.List // of *placeEntry, most recently used first
	at    map[Place]*list.Element
}

type placeEntry[R any] struct {
	place  Place
	record R
}

// maxPlaces is how many places are remembered: one for each walk through a list that is going on, and some.
const maxPlaces = 4096

// NewPlaces makes one that remembers 4096 places; of more it forgets the one that was used longest ago.
func NewPlaces[R any]() *Places[R] { return newPlaces[R](maxPlaces) }

func newPlaces[R any](limit int) *Places[R] {
	return &Places[R]{limit: limit, order: list.New(), at: make(map[Place]*list.Element)}
}

// Get gives the record that a place is behind.
func (p *Places[R]) Get(at Place) (record R, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e, ok := p.at[at]
	if !ok {
		return record, false
	}
	p.order.MoveToFront(e)
	return e.Value.(*placeEntry[R]).record, true
}

// Put remembers the record that a place is behind.
func (p *Places[R]) Put(at Place, record R) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if e, ok := p.at[at]; ok {
		e.Value.(*placeEntry[R]).record = record
		p.order.MoveToFront(e)
		return
	}
	p.at[at] = p.order.PushFront(&placeEntry[R]{at, record})
	if p.order.Len() > p.limit {
		last := p.order.Remove(p.order.Back()).(*placeEntry[R])
		delete(p.at, last.place)
	}
}

// FilterKey tells filters apart.
func FilterKey(n Node) [sha256.Size]byte {
	if n == nil {
		return [sha256.Size]byte{}
	}
	return sha256.Sum256(fmt.Appendf(nil, "%#v", n)) // writes types and quoted values, so that no two filters look alike
}
