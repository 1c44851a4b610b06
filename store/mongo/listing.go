package mongo

import (
	"cmp"
	"context"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"usher/store"
	"usher/store/query"
)

// listing is one list being made: a plan carried out.
type listing[T any] struct {
	s       *Store
	c       *mongo.Collection
	k       kind
	company string
	q       store.Query
	record  func(context.Context, *fact[T]) judged // what the judge looks at

	found []fact[T]
	keys  []query.SortKey
	total int // -1 unless asked for
	read  int
}

// judged is a record that says what went wrong when it looked something up.
type judged interface {
	query.Record
	failed() error
}

// ListAccounts implements [store.Accounts].
func (s *Store) ListAccounts(ctx context.Context, company string, q store.Query) (store.AccountPage, error) {
	end, err := s.begin(ctx)
	if err != nil {
		return store.AccountPage{}, err
	}
	defer end()
	l := listing[store.Account]{s: s, c: s.accounts.Collection, k: accountKind{s}, company: company, q: q, record: s.accountRecord}
	if err := l.run(ctx); err != nil {
		return store.AccountPage{}, err
	}
	page := store.AccountPage{Keys: l.keys, Total: l.total, RowsRead: l.read}
	for _, f := range l.found {
		page.Accounts = append(page.Accounts, presentAccount(f))
	}
	return page, nil
}

// ListGroups implements [store.Groups].
func (s *Store) ListGroups(ctx context.Context, company string, q store.Query) (store.GroupPage, error) {
	end, err := s.begin(ctx)
	if err != nil {
		return store.GroupPage{}, err
	}
	defer end()
	l := listing[store.Group]{s: s, c: s.groups.Collection, k: groupKind{s}, company: company, q: q, record: s.groupRecord}
	if err := l.run(ctx); err != nil {
		return store.GroupPage{}, err
	}
	page := store.GroupPage{Keys: l.keys, Total: l.total, RowsRead: l.read}
	for _, f := range l.found {
		g, err := s.presentGroup(ctx, f)
		if err != nil {
			return store.GroupPage{}, err
		}
		page.Groups = append(page.Groups, g)
	}
	return page, nil
}

func (l *listing[T]) run(ctx context.Context) error {
	l.total = -1
	if l.q.Total {
		l.total = 0
	}
	var failed error
	plan := query.Plan{}
	if l.q.Filter != nil {
		plan = query.MakePlan(l.q.Filter, l.k.indexes(), func(leaf query.Leaf, limit int) int {
			n, err := l.estimate(ctx, leaf, limit)
			failed = cmp.Or(failed, err)
			return n
		})
	}
	if failed != nil {
		return failed
	}
	filter, ok, err := l.condition(ctx, plan.Access)
	if err != nil {
		return err
	}
	if !ok { // no index of ours can do what the plan asks for
		plan = query.Plan{Rest: l.q.Filter}
		filter = bson.D{field("k", everyTerm)}
	}
	switch {
	case plan.Access.Way == query.None:
		return nil
	case l.q.Sort != nil:
		return l.sorted(ctx, filter, plan.Rest)
	case plan.Rest == nil:
		return l.cut(ctx, filter)
	}
	return l.judge(ctx, filter, plan.Rest)
}

// condition gives the filter of an access, beside the company.
func (l *listing[T]) condition(ctx context.Context, a query.Access) (bson.D, bool, error) {
	switch a.Way {
	case query.None, query.All:
		return bson.D{field("k", everyTerm)}, true, nil
	case query.Union:
		var any bson.A
		for _, part := range a.Of {
			d, ok, err := l.condition(ctx, part)
			if !ok || err != nil {
				return nil, false, err
			}
			any = append(any, d)
		}
		return bson.D{field("$or", any)}, true, nil
	}
	return l.k.condition(ctx, l.company, a.Leaf)
}

// estimate counts the records of a lookup for the planner.
func (l *listing[T]) estimate(ctx context.Context, leaf query.Leaf, limit int) (n int, err error) {
	d, ok, err := l.k.condition(ctx, l.company, leaf)
	if err != nil || !ok {
		return limit, err
	}
	err = l.s.try(ctx, func(ctx context.Context) error {
		many, err := l.c.CountDocuments(ctx, l.of(d), options.Count().SetLimit(int64(limit)))
		n = int(many)
		return err
	})
	l.read += n
	return n, err
}

// of puts the company before a filter.
func (l *listing[T]) of(filter bson.D) bson.D {
	return append(bson.D{field("co", l.company)}, filter...)
}

// behind restricts a filter to what is behind a place.
func (l *listing[T]) behind(filter bson.D, id string) bson.D {
	if id == "" {
		return l.of(filter)
	}
	return bson.D{field("co", l.company), field("$and", bson.A{filter, bson.D{field("_id", bson.D{field("$gt", id)})}})}
}

// spend adds n to what was read: store.ErrTooMany when that is over the budget.
func (l *listing[T]) spend(n int) error {
	l.read += n
	if l.q.Budget > 0 && l.read > l.q.Budget {
		return store.ErrTooMany
	}
	return nil
}

// cut takes the page out of an index that has just the matches, in order.
func (l *listing[T]) cut(ctx context.Context, filter bson.D) error {
	if l.q.Total {
		count := options.Count()
		if l.q.Budget > 0 && l.q.Filter != nil {
			count.SetLimit(int64(l.q.Budget) + 1)
		}
		err := l.s.try(ctx, func(ctx context.Context) error {
			n, err := l.c.CountDocuments(ctx, l.of(filter), count)
			l.total = int(n)
			return err
		})
		if err != nil {
			return err
		}
		if l.q.Filter != nil { // how many there are in all is not what a filter costs
			if err := l.spend(l.total); err != nil {
				return err
			}
		}
	}
	if l.q.Limit <= 0 {
		return nil
	}
	after, skip := l.q.After, max(l.q.Offset, 0)
	place := query.Place{Company: l.company, List: l.k.name(), Filter: query.FilterKey(l.q.Filter), Offset: skip}
	if known, ok := l.s.places.Get(place); ok && after == "" && skip > 0 {
		after, skip = known, 0
	}
	opts := options.Find().SetSort(bson.D{field("_id", 1)}).SetSkip(int64(skip)).SetLimit(int64(l.q.Limit)).SetProjection(asRead).SetAllowDiskUse(true)
	if err := findAll(ctx, l.s, l.c, l.behind(filter, after), &l.found, opts); err != nil {
		return err
	}
	if n := len(l.found); n > 0 && l.q.After == "" {
		place.Offset += n
		l.s.places.Put(place, l.found[n-1].ID)
	}
	return l.spend(len(l.found))
}

// each reads the documents that fit, in order, and stops when take says so.
func (l *listing[T]) each(ctx context.Context, filter, projection bson.D, take func(fact[T]) (more bool, err error)) error {
	after := ""
	return l.s.tryRead(ctx, func(ctx context.Context) error {
		rest := filter
		if after != "" { // after a fault it goes on behind what was taken
			rest = bson.D{field("$and", bson.A{filter, bson.D{field("_id", bson.D{field("$gt", after)})}})}
		}
		cursor, err := l.c.Find(ctx, rest, byCreation, options.Find().SetProjection(projection).SetAllowDiskUse(true))
		if err != nil {
			return err
		}
		defer forget(ctx, cursor)
		for cursor.Next(ctx) {
			var f fact[T]
			if err := cursor.Decode(&f); err != nil {
				return err
			}
			more, err := take(f)
			if err != nil || !more {
				return err
			}
			after = f.ID
		}
		return cursor.Err()
	})
}

// judge looks at each record that the access leads to and cuts the page out of the matches.
func (l *listing[T]) judge(ctx context.Context, filter bson.D, rest query.Node) error {
	judge := query.Compile(rest)
	skip := max(l.q.Offset, 0)
	from := l.q.After
	if l.q.Total {
		from = "" // those before it are counted
	}
	return l.each(ctx, l.behind(filter, from), asRead, func(f fact[T]) (bool, error) {
		if !l.q.Total && len(l.found) >= l.q.Limit {
			return false, nil
		}
		if err := l.spend(1); err != nil {
			return false, err
		}
		r := l.record(ctx, &f)
		matches := judge.Match(r)
		if err := r.failed(); err != nil || !matches {
			return true, err
		}
		if l.q.Total {
			l.total++
		}
		switch {
		case f.ID <= l.q.After, len(l.found) >= l.q.Limit:
		case skip > 0:
			skip--
		default:
			l.found = append(l.found, f)
		}
		return true, nil
	})
}

// sorted looks at all records that the access leads to, sorts the matches and cuts the page out of them.
func (l *listing[T]) sorted(ctx context.Context, filter bson.D, rest query.Node) error {
	type placed struct {
		id  string
		key query.SortKey
	}
	judge := query.Compile(rest)
	projection := asRead
	if !query.UsesColumns(rest) && !l.q.Sort.UsesColumn() {
		projection = bson.D{field("v.doc", 1)}
	}
	var all []placed
	err := l.each(ctx, l.of(filter), projection, func(f fact[T]) (bool, error) {
		if err := l.spend(1); err != nil {
			return false, err
		}
		r := l.record(ctx, &f)
		matches, key := rest == nil || judge.Match(r), l.q.Sort.Key(r)
		if err := r.failed(); err != nil || !matches {
			return true, err
		}
		all = append(all, placed{f.ID, key})
		return true, nil
	})
	if err != nil {
		return err
	}
	if l.q.Total {
		l.total = len(all)
	}
	compare := func(a, b placed) int { return cmp.Or(l.q.Sort.Compare(a.key, b.key), cmp.Compare(a.id, b.id)) }
	slices.SortFunc(all, compare)
	if l.q.After != "" {
		after := placed{l.q.After, l.q.AfterKey}
		all = slices.DeleteFunc(all, func(p placed) bool { return compare(p, after) <= 0 })
	}
	first := min(max(l.q.Offset, 0), len(all))
	all = all[first:min(first+max(l.q.Limit, 0), len(all))]
	return l.fetch(ctx, len(all), func(i int) (string, query.SortKey) { return all[i].id, all[i].key })
}

// fetch reads the records of a page that is known by the ids. One that was deleted meanwhile is left out.
func (l *listing[T]) fetch(ctx context.Context, n int, at func(i int) (string, query.SortKey)) error {
	ids := make([]string, n)
	for i := range ids {
		ids[i], _ = at(i)
	}
	there := make(map[string]fact[T], n)
	for some := range slices.Chunk(ids, inBatches) {
		var found []fact[T]
		if err := findAll(ctx, l.s, l.c, l.of(idsCondition(some)), &found, options.Find().SetProjection(asRead)); err != nil {
			return err
		}
		for _, f := range found {
			there[f.ID] = f
		}
	}
	for i := range n {
		id, key := at(i)
		if f, ok := there[id]; ok {
			l.found, l.keys = append(l.found, f), append(l.keys, key)
		}
	}
	return nil
}

// accountRecord is an account as the judge sees it. Its groups are looked up when the judge asks for them.
type accountRecord struct {
	store.Account
	s   *Store
	ctx context.Context //nolint:containedctx // it lives as long as one call of the judge
	err error
}

func (s *Store) accountRecord(ctx context.Context, f *fact[store.Account]) judged {
	return &accountRecord{Account: presentAccount(*f), s: s, ctx: ctx}
}

func (a *accountRecord) failed() error { return a.err }

func (a *accountRecord) Column(path string) []string {
	if path != store.ColumnGroups && path != store.ColumnGroupElements {
		return a.Account.Column(path)
	}
	if a.Groups == 0 {
		return nil
	}
	of, err := a.s.memberships(a.ctx, a.Company, []string{a.ID})
	a.err = cmp.Or(a.err, err)
	var all []string
	for _, m := range of[a.ID] {
		if path == store.ColumnGroups {
			all = append(all, m.Group)
		} else {
			all = append(all, store.ReferenceElement(m.Group, m.Display, store.ElementDirect))
		}
	}
	return all
}

// Holds implements [query.Holder].
func (a *accountRecord) Holds(column, value string) (holds, ok bool) {
	if column != store.ColumnGroups {
		return false, false
	}
	if a.Groups == 0 {
		return false, true
	}
	there, err := a.s.membersAmong(a.ctx, a.Company, value, []string{a.ID})
	a.err = cmp.Or(a.err, err)
	return there[a.ID], true
}

// groupRecord is a group as the judge sees it. Its members are looked up when the judge asks for them.
type groupRecord struct {
	store.Group
	subgroups []string
	s         *Store
	ctx       context.Context //nolint:containedctx // it lives as long as one call of the judge
	err       error
}

func (s *Store) groupRecord(ctx context.Context, f *fact[store.Group]) judged {
	g := f.Value
	g.Members = f.Group.Members
	return &groupRecord{Group: g, subgroups: f.Group.Subgroups, s: s, ctx: ctx}
}

func (g *groupRecord) failed() error { return g.err }

func (g *groupRecord) Column(path string) []string {
	if path != store.ColumnMembers && path != store.ColumnMemberElements {
		return g.Group.Column(path)
	}
	users, err := g.s.membersOf(g.ctx, g.Company, g.ID)
	g.err = cmp.Or(g.err, err)
	var all []string
	for _, of := range []struct {
		c    *mongo.Collection
		ids  []string
		kind string
	}{{g.s.accounts.Collection, users, store.ElementUser}, {g.s.groups.Collection, g.subgroups, store.ElementGroup}} {
		names, err := g.s.displays(g.ctx, of.c, g.Company, of.ids)
		g.err = cmp.Or(g.err, err)
		for _, id := range of.ids {
			name, ok := names[id]
			switch {
			case !ok:
			case path == store.ColumnMembers:
				all = append(all, id)
			default:
				all = append(all, store.ReferenceElement(id, name, of.kind))
			}
		}
	}
	return all
}

// Holds implements [query.Holder]: a member is looked up, however many there are.
func (g *groupRecord) Holds(column, value string) (holds, ok bool) {
	if column != store.ColumnMembers {
		return false, false
	}
	there, err := g.s.membersAmong(g.ctx, g.Company, g.ID, []string{value})
	g.err = cmp.Or(g.err, err)
	if there[value] {
		return true, true
	}
	if !slices.Contains(g.subgroups, value) {
		return false, true
	}
	groups, err := g.s.existingGroups(g.ctx, g.Company, []string{value})
	g.err = cmp.Or(g.err, err)
	return len(groups) > 0, true
}
