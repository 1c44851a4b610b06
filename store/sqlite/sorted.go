package sqlite

import (
	"cmp"
	"container/heap"
	"fmt"
	"slices"
	"strings"
	"time"

	"usher/store"
	"usher/store/query"
)

// A sorted list is cut out of an index where the order has one and the filter no better way in. Else the places of all matches are
// gathered and the page is picked from them: that reads as many records on each page as match, so it is bounded by the budget.

// ordering is a column with an index by which a kind can be sorted. Each record has a value in it.
type ordering struct {
	column string
	// arg is the column's value for a key; false when there is none.
	arg func(key string) (any, bool)
}

func textKey(key string) (any, bool) { return key, true }

func timeKey(key string) (any, bool) {
	t, err := time.Parse(time.RFC3339Nano, key)
	return t.UnixMilli(), err == nil
}

// ordering gives the column that has the order of a sort; false when none has.
func (l *listing) ordering() (ordering, bool) {
	s := l.q.Sort
	for _, index := range l.k.indexes(l.s.index) {
		if index.Path != s.Path || index.Type != s.Type || index.Type == query.String && index.Fold != s.Fold {
			continue
		}
		switch s.Path {
		case "userName":
			return ordering{"un", textKey}, true
		case "displayName":
			return ordering{"dn", textKey}, l.k.table() == "groups"
		case store.ColumnID:
			return ordering{"id", textKey}, true
		case store.ColumnModified:
			without, err := l.c.exists("SELECT 1 FROM "+l.k.table()+" WHERE co = ? AND modified IS NULL", l.co)
			l.err = err
			return ordering{"modified", timeKey}, err == nil && !without
		}
	}
	return ordering{}, false
}

// sorted makes a sorted list of what the plan leads to.
func (l *listing) sorted(plan query.Plan, sources []source) error {
	if plan.Access.Way == query.All && !(l.q.Total && plan.Rest != nil) {
		if by, ok := l.ordering(); ok {
			return l.inOrder(by, plan.Rest)
		}
		if l.err != nil {
			return l.err
		}
	}
	if l.q.Limit <= 0 && !l.q.Total {
		return nil
	}
	picked, err := l.pick(sources, plan.Rest)
	if err != nil {
		return err
	}
	for _, place := range picked[min(l.skip, len(picked)):] {
		l.keys = append(l.keys, place.key)
		var shown error
		_, err := l.c.one(func(full *rows) { shown = l.show(full, place.pk) }, "SELECT "+l.k.columns()+" FROM "+l.k.table()+" t WHERE t.pk = ?", place.pk)
		if err == nil {
			err = shown
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// pick gives the first places behind the one that the page begins after, in order: those to skip and those of the page.
func (l *listing) pick(sources []source, rest query.Node) ([]sortPlace, error) {
	most := l.skip + max(l.q.Limit, 0)
	best := firsts{sort: *l.q.Sort}
	after := sortPlace{key: l.q.AfterKey, pk: l.from}
	m := l.newMatcher(rest)
	if isColumn := strings.HasPrefix(best.sort.Path, "@"); isColumn || rest == nil {
		m.full, m.columns = isColumn, "t.pk, t.doc"
		if isColumn {
			m.columns = l.k.columns()
		}
	}
	err := l.each(sources, m.columns, func(r *rows) error {
		rec, err := m.record(r)
		if err != nil {
			return err
		}
		matches := m.judge == nil || m.judge.Match(rec)
		if l.err != nil || !matches {
			return l.err
		}
		if m.counts {
			l.total++
		}
		p := sortPlace{key: best.sort.Key(rec), pk: r.int(0)}
		if l.q.After == "" || best.compare(p, after) > 0 {
			best.add(p, most)
		}
		return l.err
	})
	slices.SortFunc(best.places, best.compare)
	return best.places, err
}

// each visits the records that sources give, each once.
func (l *listing) each(sources []source, columns string, visit func(*rows) error) error {
	if len(sources) == 1 && sources[0].ordered {
		r := l.c.query(sources[0].records(l.k, columns), append(slices.Clip(sources[0].args), 0, -1)...)
		defer r.close()
		for r.next() {
			if err := l.count(1); err != nil {
				return err
			}
			if err := visit(r); err != nil {
				return err
			}
		}
		return r.err
	}
	pks, err := l.gatherAll(sources)
	if err != nil {
		return err
	}
	for _, pk := range pks {
		if err := l.count(1); err != nil {
			return err
		}
		var visited error
		if _, err = l.c.one(func(r *rows) { visited = visit(r) }, "SELECT "+columns+" FROM "+l.k.table()+" t WHERE t.pk = ?", pk); err == nil {
			err = visited
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// inOrder goes through the records in the order of a column, from the place of the page on, until it is full.
func (l *listing) inOrder(by ordering, rest query.Node) error {
	if l.q.Total { // there is no filter then
		if err := l.countAll(source{}, true); err != nil {
			return err
		}
	}
	if l.q.Limit <= 0 {
		return nil
	}
	column, step, direction := "t."+by.column, ">", ""
	if l.q.Sort.Descending {
		step, direction = "<", " DESC"
	}
	m := l.newMatcher(rest)
	where, args := "t.co = ?", []any{l.co}
	if l.q.After != "" {
		key, ok := by.arg(l.q.AfterKey.Value)
		switch {
		case l.q.AfterKey.None && l.q.Sort.Descending: // before all that have a value
		case l.q.AfterKey.None:
			return nil
		case !ok:
			return fmt.Errorf("sqlite: %q is no place in the order of %s", l.q.AfterKey.Value, l.q.Sort.Path)
		default:
			// The first condition is for the index, the second for those that share the place.
			where += " AND " + column + " " + step + "= ? AND (" + column + " " + step + " ? OR t.pk > ?)"
			args = append(args, key, key, l.from)
		}
	}
	l.from = 0 // the statement begins at the place
	text := "SELECT " + m.columns + " FROM " + l.k.table() + " t WHERE " + where + " ORDER BY " + column + direction + ", t.pk"
	if rest == nil {
		text += " LIMIT ? OFFSET ?"
		args = append(args, l.q.Limit, l.skip)
		l.skip = 0
	}
	m.counts, l.keyed = false, true
	r := l.c.query(text, args...)
	defer r.close()
	for r.next() {
		if err := l.count(1); err != nil {
			return err
		}
		if more, err := m.take(r); err != nil || !more {
			return err
		}
	}
	return r.err
}

// sortPlace is where a record stands in a sorted list.
type sortPlace struct {
	key query.SortKey
	pk  int64
}

// firsts keeps the first places of an order, the last of them on top of the heap.
type firsts struct {
	sort   query.Sort
	places []sortPlace
}

// add takes a place if it is among the first so many.
func (f *firsts) add(p sortPlace, most int) {
	switch {
	case len(f.places) < most:
		heap.Push(f, p)
	case most > 0 && f.compare(p, f.places[0]) < 0:
		f.places[0] = p
		heap.Fix(f, 0)
	}
}

func (f *firsts) compare(a, b sortPlace) int {
	return cmp.Or(f.sort.Compare(a.key, b.key), cmp.Compare(a.pk, b.pk))
}

// The methods of heap.Interface.

func (f *firsts) Len() int           { return len(f.places) }
func (f *firsts) Less(i, j int) bool { return f.compare(f.places[i], f.places[j]) > 0 }
func (f *firsts) Swap(i, j int)      { f.places[i], f.places[j] = f.places[j], f.places[i] }
func (f *firsts) Push(x any)         { f.places = append(f.places, x.(sortPlace)) }

func (f *firsts) Pop() any {
	last := f.places[len(f.places)-1]
	f.places = f.places[:len(f.places)-1]
	return last
}
