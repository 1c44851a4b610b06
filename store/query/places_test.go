package query

import "testing"

func TestPlaces(t *testing.T) {
	p := newPlaces[int64](2)
	key := func(offset int) Place { return Place{Company: "c", List: "users", Offset: offset} }
	p.Put(key(1), 10)
	p.Put(key(2), 20)
	p.Put(key(1), 11)
	p.Put(key(3), 30) // drops 2, the one not used for longest
	for offset, want := range map[int]int64{1: 11, 2: 0, 3: 30} {
		if pk, ok := p.Get(key(offset)); pk != want || ok != (want != 0) {
			t.Errorf("place %d: %d, %v, want %d", offset, pk, ok, want)
		}
	}
}
