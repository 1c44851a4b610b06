package sqlite

import (
	"context"
	"slices"

	"usher/store"
	"usher/store/query"
)

// listing is one list being made: a plan carried out on a snapshot.
type listing struct {
	s       *Store
	ctx     context.Context
	c       *conn
	k       kind
	company string
	co      int64
	q       store.Query
	emit    func(*rows) (size int, err error) // takes a full row onto the page and says how many bytes its document has

	mark struct { // see marks.before
		pk            int64
		stands, shift int
	}

	from  int64 // the page begins after the record with this pk
	skip  int   // and so many matches behind it
	shown int   // records on the page
	last  int64 // pk of the last of them
	size  int   // bytes of their documents
	keyed bool  // whether show adds to keys
	keys  []query.SortKey
	total int // -1 unless asked for
	read  int
	err   error // of what the judge looked up by itself
}

// list gives a page of a list to emit, row by row.
func (s *Store) list(ctx context.Context, k kind, company string, q store.Query, emit func(*rows) (int, error)) (*listing, error) {
	l := &listing{s: s, ctx: ctx, k: k, company: company, co: s.companies.numberOf(company), q: q, emit: emit, total: -1}
	if q.Total {
		l.total = 0
	}
	// Before the snapshot: what is counted in it is remembered only if nothing was deleted since.
	l.mark.pk, l.mark.stands, l.mark.shift = s.marks.before(markKey{l.co, k.table()}, q.Offset)
	var err error
	if one, ok := l.unique(); ok {
		err = s.read(ctx, func(c *conn) error { l.c = c; return l.only(one) })
	} else {
		err = s.snapshot(ctx, func(c *conn) error { l.c = c; return l.run() })
	}
	s.rowsRead.Add(int64(l.read))
	return l, err
}

// unique says whether the whole filter is one look-up of a value that at most one record has: how identity providers find people.
// One statement answers it, which needs neither a snapshot nor a plan.
func (l *listing) unique() (source, bool) {
	leaf, ok := l.q.Filter.(query.Leaf)
	if !ok || leaf.Op != query.Equal || l.q.After != "" || l.q.Offset > 0 {
		return source{}, false
	}
	for _, index := range l.k.indexes(l.s.index) {
		if index.Path == leaf.Path {
			if !index.Unique || index.Type != leaf.Type || index.Fold != leaf.Fold {
				return source{}, false
			}
			return l.k.source(l.s.index, l.co, leaf)
		}
	}
	return source{}, false
}

// only puts the one record of a unique look-up onto the page.
func (l *listing) only(src source) error {
	r := l.c.query("SELECT "+l.k.columns()+" FROM "+l.k.table()+" t WHERE t.pk = (SELECT "+src.pk+" FROM "+src.from+" WHERE "+src.where+")", src.args...)
	defer r.close()
	if !r.next() {
		return r.err
	}
	l.read++
	if l.q.Total {
		l.total = 1
	}
	if l.q.Limit <= 0 {
		return nil
	}
	if l.q.Sort != nil {
		if err := l.addKey(r); err != nil {
			return err
		}
	}
	return l.take(r)
}

func (l *listing) run() error {
	var key query.Place
	if l.q.After == "" && l.q.Limit > 0 {
		key = query.Place{Company: l.company, List: l.k.table(), Filter: query.FilterKey(l.q.Filter)}
	}
	if err := l.begin(key); err != nil {
		return err
	}
	plan := query.Plan{}
	if l.q.Filter != nil {
		plan = query.MakePlan(l.q.Filter, l.k.indexes(l.s.index), l.estimate)
	}
	sources, ok := l.sources(plan.Access)
	if !ok { // no index of ours can do what the plan asks for
		plan.Rest, sources = l.q.Filter, []source{everything(l.k, l.co)}
	}
	ordered := len(sources) == 1 && sources[0].ordered
	var err error
	switch {
	case len(sources) == 0: // nothing matches
	case l.q.Sort != nil:
		err = l.sorted(plan, sources)
	case plan.Rest == nil && ordered:
		err = l.cut(sources[0], plan.Access.Way == query.All)
	case ordered:
		err = l.judge(sources[0], plan.Rest)
	default:
		var full bool
		if full, err = l.ahead(); err == nil && !full {
			err = l.collect(sources, plan.Rest)
		}
	}
	if err == nil {
		err = l.err
	}
	if err != nil || l.shown == 0 {
		return err
	}
	if l.q.After == "" && l.q.Sort == nil {
		key.Offset = max(l.q.Offset, 0) + l.shown
		l.s.places.Put(key, l.last)
	}
	return nil
}

// begin finds where the page begins.
func (l *listing) begin(key query.Place) (err error) {
	l.skip = max(l.q.Offset, 0)
	if l.q.After != "" {
		l.from, err = placeAfter(l.c, l.k, l.co, l.q.After)
		return err
	}
	if l.skip > 0 && l.q.Limit > 0 && l.q.Sort == nil {
		key.Offset = l.skip
		if pk, ok := l.s.places.Get(key); ok {
			l.from, l.skip = pk, 0
		}
	}
	return nil
}

// placeAfter gives the pk of the record with the id, also of one that has been deleted; 0 for an empty id.
func placeAfter(c *conn, k kind, co int64, id string) (pk int64, err error) {
	if id == "" {
		return 0, nil
	}
	for _, text := range []string{
		"SELECT pk FROM " + k.table() + " WHERE co = ?1 AND id = ?2",
		"SELECT pk FROM gone WHERE co = ?1 AND kind = '" + k.table() + "' AND id = ?2",
		// Long forgotten. Ids nearly follow the order of creation: those of creations at the same time may be the other way round.
		"SELECT pk FROM " + k.table() + " WHERE co = ?1 AND id < ?2 ORDER BY id DESC LIMIT 1",
	} {
		if pk, err = c.integer(text, co, id); err != nil || pk != 0 {
			return pk, err
		}
	}
	return 0, nil
}

// keepGone is how many places of deleted records are kept.
const keepGone = 100_000

// bury remembers the place of a record that is being deleted.
func (t *tx) bury(co int64, k kind, id string, pk int64) error {
	if _, err := t.exec("INSERT OR REPLACE INTO gone (co, kind, id, pk) VALUES (?, ?, ?, ?)", co, k.table(), id, pk); err != nil {
		return err
	}
	_, err := t.exec("DELETE FROM gone WHERE n <= (SELECT max(n) FROM gone) - ?", keepGone)
	return err
}

// sources gives what an access reads; false if an index cannot do it.
func (l *listing) sources(a query.Access) ([]source, bool) {
	switch a.Way {
	case query.None:
		return nil, true
	case query.All:
		return []source{everything(l.k, l.co)}, true
	case query.Union:
		var all []source
		for _, part := range a.Of {
			some, ok := l.sources(part)
			if !ok {
				return nil, false
			}
			all = append(all, some...)
		}
		return all, true
	}
	src, ok := l.k.source(l.s.index, l.co, a.Leaf)
	return []source{src}, ok
}

// count adds n to what was read: ErrTooMany when that is over the budget. It also looks at the context.
func (l *listing) count(n int64) error {
	l.read += int(n)
	if l.q.Budget > 0 && l.read > l.q.Budget {
		return store.ErrTooMany
	}
	return l.ctx.Err()
}

// allowance is how many rows a statement may read before the budget is known to be exceeded, as a LIMIT.
func (l *listing) allowance() int {
	if l.q.Budget <= 0 {
		return -1
	}
	return max(l.q.Budget-l.read, 0) + 1
}

// estimate counts the records of a lookup for the planner.
func (l *listing) estimate(leaf query.Leaf, limit int) int {
	src, ok := l.k.source(l.s.index, l.co, leaf)
	if !ok {
		return limit
	}
	n, err := l.c.integer("SELECT count(*) FROM (SELECT 1 FROM "+src.from+" WHERE "+src.where+" LIMIT ?)", append(slices.Clip(src.args), limit)...)
	l.read += int(n)
	if err != nil {
		l.err = err
	}
	return int(n)
}

// cut takes the page out of an index that holds just the matches in order.
func (l *listing) cut(src source, all bool) error {
	if l.q.Total {
		if err := l.countAll(src, all); err != nil {
			return err
		}
	}
	if l.q.Limit <= 0 {
		return nil
	}
	if found, err := l.skipTo(src, all); err != nil || !found {
		return err
	}
	r := l.c.query(src.records(l.k, l.k.columns()), append(slices.Clip(src.args), l.from, l.q.Limit)...)
	defer r.close()
	for r.next() {
		if err := l.count(1); err != nil {
			return err
		}
		if err := l.show(r, r.int(0)); err != nil {
			return err
		}
	}
	return r.err
}

// skipTo steps over the matches before the page; false when the list ends before it. Stepping over index entries is not charged to the
// budget: a client that reads a list to its end has a right to do so even where its place has been forgotten.
func (l *listing) skipTo(src source, all bool) (found bool, err error) {
	if !all || l.q.After != "" || l.from > 0 {
		return l.step(src, l.skip)
	}
	stands := l.mark.stands
	l.from, l.skip = l.mark.pk, l.skip-stands
	for l.skip >= markEvery {
		if found, err := l.step(src, markEvery); err != nil || !found {
			return found, err
		}
		stands += markEvery
		l.s.marks.add(markKey{l.co, l.k.table()}, stands, l.from, l.mark.shift)
	}
	return l.step(src, l.skip)
}

// step steps over the next n matches; false when there are fewer.
func (l *listing) step(src source, n int) (found bool, err error) {
	if n == 0 {
		return true, nil
	}
	var skipped, last int64
	_, err = l.c.one(func(r *rows) { skipped, last = r.int(0), r.int(1) },
		"SELECT count(*), max(pk) FROM (SELECT "+src.pk+" AS pk FROM "+src.after()+" LIMIT ?)", append(slices.Clip(src.args), l.from, n)...)
	l.read += int(skipped)
	if err != nil || skipped < int64(n) {
		return false, err
	}
	l.from, l.skip = last, l.skip-n
	return true, l.ctx.Err()
}

// after is the part of a statement from FROM that gives the entries of an ordered source after a pk, in order.
func (src source) after() string {
	return src.from + " WHERE " + src.where + " AND " + src.pk + " > ? ORDER BY " + src.pk
}

// records is the statement that gives the records of an ordered source after a pk, in order.
func (src source) records(k kind, columns string) string {
	if src.pk == "t.pk" {
		return "SELECT " + columns + " FROM " + src.after() + " LIMIT ?"
	}
	join := source{from: src.from + " CROSS JOIN " + k.table() + " t ON t.pk = " + src.pk, where: src.where, pk: src.pk}
	return "SELECT " + columns + " FROM " + join.after() + " LIMIT ?"
}

// countAll counts the entries of a source, or looks the number up where all records of the company are meant.
func (l *listing) countAll(src source, all bool) error {
	if all {
		n, err := l.c.integer("SELECT n_"+l.k.table()+" FROM companies WHERE co = ?", l.co)
		l.total = int(n)
		return err
	}
	n, err := l.c.integer("SELECT count(*) FROM (SELECT 1 FROM "+src.from+" WHERE "+src.where+" LIMIT ?)", append(slices.Clip(src.args), l.allowance())...)
	if err != nil {
		return err
	}
	l.total = int(n)
	return l.count(n)
}

// show puts a full row onto the page.
func (l *listing) show(r *rows, pk int64) error {
	l.shown, l.last = l.shown+1, pk
	if l.keyed {
		if err := l.addKey(r); err != nil {
			return err
		}
	}
	return l.take(r)
}

// addKey notes the place in the order of the sort of a full row that goes onto the page.
func (l *listing) addKey(r *rows) error {
	rec, err := l.k.record(l, r)
	if err != nil {
		return err
	}
	l.keys = append(l.keys, l.q.Sort.Key(rec))
	return l.err
}

// maxPage is how many bytes of documents a page may have: it is in memory as a whole.
const maxPage = 64 << 20

// take puts a full row onto the page.
func (l *listing) take(r *rows) error {
	size, err := l.emit(r)
	if l.size += size; err == nil && l.size > maxPage {
		err = store.ErrTooMany
	}
	return err
}

// judge reads the records of an ordered source and asks the judge about each.
func (l *listing) judge(src source, rest query.Node) error {
	m := l.newMatcher(rest)
	start := l.from
	if l.q.Total {
		start = 0
	}
	r := l.c.query(src.records(l.k, m.columns), append(slices.Clip(src.args), start, -1)...)
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

// aheadRows is how many records for each one on the page are looked at before what the index has is gathered.
const aheadRows = 10

// ahead is for a page that goes on from another: where many match, the next records fill it, and the index, whose order is another one,
// need not be read from end to end for each page. It says whether the page is full; if not, it goes on behind what was looked at.
func (l *listing) ahead() (full bool, err error) {
	if l.q.After == "" || l.q.Total || l.q.Limit <= 0 {
		return false, nil
	}
	m := l.newMatcher(l.q.Filter)
	src := everything(l.k, l.co)
	r := l.c.query(src.records(l.k, m.columns), append(slices.Clip(src.args), l.from, aheadRows*l.q.Limit)...)
	defer r.close()
	n, last := 0, l.from
	for r.next() {
		if err := l.count(1); err != nil {
			return false, err
		}
		n, last = n+1, r.int(0)
		if more, err := m.take(r); err != nil || !more {
			return true, err
		}
	}
	l.from = last
	return n < aheadRows*l.q.Limit, r.err
}

// collect gathers the entries of sources that are not in order, or more than one, and then goes through the records in order.
func (l *listing) collect(sources []source, rest query.Node) error {
	pks, err := l.gatherAll(sources)
	if err != nil {
		return err
	}
	m := l.newMatcher(rest)
	if rest == nil { // the records before the page and behind it need not be read
		if l.q.Total {
			l.total = len(pks)
		}
		at, _ := slices.BinarySearch(pks, l.from+1)
		at = min(at+l.skip, len(pks))
		pks = pks[at:min(at+max(l.q.Limit, 0), len(pks))]
		l.skip, m.counts = 0, false
	} else if !l.q.Total {
		at, _ := slices.BinarySearch(pks, l.from+1)
		pks = pks[at:]
	}
	for _, pk := range pks {
		if err := l.count(1); err != nil {
			return err
		}
		more := true
		_, err := l.c.one(func(r *rows) { more, l.err = m.take(r) }, "SELECT "+m.columns+" FROM "+l.k.table()+" t WHERE t.pk = ?", pk)
		if err != nil || l.err != nil || !more {
			return err
		}
	}
	return nil
}

// gatherAll gives the pks of all sources, each once, in order.
func (l *listing) gatherAll(sources []source) ([]int64, error) {
	var pks []int64
	for _, src := range sources {
		var err error
		if pks, err = l.gather(src, pks); err != nil {
			return nil, err
		}
	}
	slices.Sort(pks)
	return slices.Compact(pks), nil
}

// gather appends the pks that a source gives.
func (l *listing) gather(src source, pks []int64) ([]int64, error) {
	if src.scan != "" {
		n, err := l.c.integer("SELECT count(*) FROM (SELECT 1 FROM "+src.scan+" LIMIT ?)", append(slices.Clip(src.scanArgs), l.allowance())...)
		if err != nil {
			return nil, err
		}
		if err := l.count(n); err != nil {
			return nil, err
		}
	}
	r := l.c.query("SELECT "+src.pk+" FROM "+src.from+" WHERE "+src.where, src.args...)
	defer r.close()
	for r.next() {
		if src.scan == "" {
			if err := l.count(1); err != nil {
				return nil, err
			}
		}
		pks = append(pks, r.int(0))
	}
	return pks, r.err
}

// ids gives the ids that a column of the judge is made of.
func (l *listing) ids(text string, pk int64) []string {
	var ids []string
	r := l.c.query(text, pk)
	for r.next() {
		ids = append(ids, r.text(0))
	}
	if err := l.count(int64(len(ids))); r.err == nil {
		r.err = err
	}
	if r.err != nil {
		l.err = r.err
	}
	return ids
}

// elements gives the elements that a column of the judge is made of.
func (l *listing) elements(text string, pk int64, kind string) []string {
	var all []string
	r := l.c.query(text, pk)
	for r.next() {
		all = append(all, store.ReferenceElement(r.text(0), r.text(1), kind))
	}
	if err := l.count(int64(len(all))); r.err == nil {
		r.err = err
	}
	if r.err != nil {
		l.err = r.err
	}
	return all
}

// exists looks for the record with an id of the list's company behind one with a pk.
func (l *listing) exists(text string, pk int64, id string) bool {
	found, err := l.c.exists(text, pk, l.co, id)
	if countErr := l.count(1); err == nil {
		err = countErr
	}
	if err != nil {
		l.err = err
	}
	return found
}

// matcher asks the judge about records and puts those that match onto the page or into the total.
type matcher struct {
	l       *listing
	judge   *query.Judge // nil: all match
	full    bool         // whether columns are those of a full row
	counts  bool         // whether matches go into the total
	columns string
}

// newMatcher makes the matcher of what the plan left over. Most filters are about the document alone: then nothing else is read
// of the records that do not match.
func (l *listing) newMatcher(rest query.Node) *matcher {
	m := &matcher{l: l, full: true, counts: l.q.Total, columns: l.k.columns()}
	if rest != nil {
		m.judge = query.Compile(rest)
		if !query.UsesColumns(rest) {
			m.full, m.columns = false, "t.pk, t.doc"
		}
	}
	return m
}

// document is a record of which only the document was read.
type document []byte

func (d document) Document() []byte       { return d }
func (d document) Column(string) []string { return nil }

// record makes what the judge looks at of a row.
func (m *matcher) record(r *rows) (query.Record, error) {
	if m.full {
		return m.l.k.record(m.l, r)
	}
	return document(r.blob(1)), nil
}

// take looks at one row; it says whether there is a reason to go on.
func (m *matcher) take(r *rows) (more bool, err error) {
	l := m.l
	pk := r.int(0)
	if m.judge != nil {
		rec, err := m.record(r)
		if err != nil {
			return false, err
		}
		matches := m.judge.Match(rec)
		if l.err != nil {
			return false, l.err
		}
		if !matches {
			return true, nil
		}
	}
	if m.counts {
		l.total++
	}
	switch {
	case pk <= l.from || l.shown >= l.q.Limit:
	case l.skip > 0:
		l.skip--
	case m.full:
		err = l.show(r, pk)
	default:
		var shown error
		_, err = l.c.one(func(full *rows) { shown = l.show(full, pk) }, "SELECT "+l.k.columns()+" FROM "+l.k.table()+" t WHERE t.pk = ?", pk)
		if err == nil {
			err = shown
		}
	}
	return m.counts || l.shown < l.q.Limit, err
}
