package sqlite

import (
	"sort"
	"sync"
)

// markEvery is how many records lie between two marks: stepping over as many index entries takes about as long as reading a page.
const markEvery = 512

// marks remembers every so-many-th record of the lists of all accounts and of all groups of a company, so that a page far into one of
// them need not be counted to from its start. Records added at the end leave the marks right; what a deletion shifts is forgotten.
// It is safe for concurrent use.
type marks struct {
	mu sync.Mutex
	at map[markKey]*markList
}

// markKey names a list.
type markKey struct {
	co    int64
	table string
}

type markList struct {
	pks   []int64 // of the records markEvery, 2 * markEvery, ... in order
	shift int     // grows with each deletion, so that what was counted before it is not remembered after it
}

func newMarks() *marks { return &marks{at: make(map[markKey]*markList)} }

func (m *marks) list(k markKey) *markList {
	l := m.at[k]
	if l == nil {
		l = &markList{}
		m.at[k] = l
	}
	return l
}

// before gives the last mark that is not behind the first skip records, and how many records it stands for; 0, 0 when there is none.
// The shift is for add.
func (m *marks) before(k markKey, skip int) (pk int64, stands, shift int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	l := m.list(k)
	n := min(skip/markEvery, len(l.pks))
	if n > 0 {
		pk = l.pks[n-1]
	}
	return pk, n * markEvery, l.shift
}

// add remembers the record that the first stands ones end with, unless records were deleted since before gave the shift.
func (m *marks) add(k markKey, stands int, pk int64, shift int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if l := m.list(k); l.shift == shift && stands == (len(l.pks)+1)*markEvery {
		l.pks = append(l.pks, pk)
	}
}

// cut forgets the marks that stand wrong when the record with the pk has come or gone. Call it after the commit.
func (m *marks) cut(k markKey, pk int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	l := m.list(k)
	l.shift++
	l.pks = l.pks[:sort.Search(len(l.pks), func(i int) bool { return l.pks[i] >= pk })]
}
