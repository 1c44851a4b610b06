package scim

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"usher/scim/schema"
	"usher/store"
	"usher/store/query"
)

// collection is the resources of one type, as lists find them.
type collection struct {
	rt   *schema.ResourceType
	find func(x *exchange, ctx context.Context, q store.Query, project *projection) (found, error)
}

// found is a part of a collection.
type found struct {
	resources []listed
	total     int // of all that match; -1 unless asked for
}

// listed is one resource on a page.
type listed struct {
	id     string
	key    query.SortKey // in a sorted list
	size   int           // about how many bytes it is on the wire
	render func(*stream) error
}

// listRequest is a request for a page of resources of one type or more (RFC 7644 section 3.4.2, RFC 9865).
type listRequest struct {
	x  *exchange
	of []collection

	start    int // startIndex
	limit    int // resources on the page
	byCursor bool
	cursor   string // empty: the first page

	filterText string
	sortText   string        // sortBy and sortOrder in one
	filters    []query.Node  // of each collection; nil: no filter
	sorts      []*query.Sort // of each collection; nil: creation order
	projects   []*projection // of each collection
	after      []position    // where the page begins, of each collection
	total      int           // that the cursor brought
}

// page is what a list answers.
type page struct {
	resources []listed
	total     int
	next      string // the cursor of the next page
}

// list answers with a page of the collections, one after the other unless they are sorted.
func (x *exchange) list(of ...collection) error {
	l, err := x.listRequest(of)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(x.ctx, x.Limits.QueryTime)
	defer cancel()
	p, err := l.page(ctx)
	if err == nil && p.total == 0 && l.filterText != "" && l.plusAsWritten() {
		p, err = l.page(ctx)
	}
	if err != nil {
		return err
	}
	size := 0
	for i := range p.resources {
		size += p.resources[i].size
	}
	start := l.start
	if l.byCursor {
		start = 0
	}
	return x.stream(http.StatusOK, size, func(s *stream) error {
		s.b = openList(s.b, listHead{p.total, start, len(p.resources), p.next})
		for i := range p.resources {
			if i > 0 {
				s.b = append(s.b, ',')
			}
			if err := p.resources[i].render(s); err != nil {
				return err
			}
			if err := s.more(); err != nil {
				return err
			}
		}
		s.b = closeList(s.b)
		return nil
	})
}

// listRequest reads the parameters of a list.
func (x *exchange) listRequest(of []collection) (*listRequest, error) {
	p, err := x.params()
	if err != nil {
		return nil, err
	}
	l := &listRequest{x: x, of: of, projects: make([]*projection, len(of)), sorts: make([]*query.Sort, len(of)), filters: make([]query.Node, len(of))}
	for i, c := range of {
		if l.projects[i], err = x.projection(c.rt); err != nil {
			return nil, err
		}
	}
	if l.start, err = integer(p, "startIndex", 1); err != nil {
		return nil, err
	}
	if l.limit, err = integer(p, "count", x.Limits.PageSize); err != nil {
		return nil, err
	}
	l.start = max(l.start, 1)
	l.limit = min(max(l.limit, 0), x.Limits.Page)
	if err := l.sort(p.Get("sortBy"), p.Get("sortOrder")); err != nil {
		return nil, err
	}
	if p.Has("filter") {
		if err := l.filter(p.Get("filter")); err != nil {
			return nil, err
		}
	}
	if l.byCursor = p.Has("cursor"); l.byCursor {
		if p.Has("startIndex") {
			return nil, badRequest(invalidValue, "cursor and startIndex cannot be given together.")
		}
		err = l.open(p.Get("cursor"))
	}
	return l, err
}

// open finds out where the page begins.
func (l *listRequest) open(text string) error {
	l.after = make([]position, len(l.of))
	if l.cursor = text; text == "" {
		return nil
	}
	c, err := l.x.cursors.open(text, l.binding(), l.x.Clock())
	switch {
	case err != nil:
		return err
	case len(c.Places) != len(l.of):
		return badRequest(invalidCursor, "The cursor is not one that this server gave for this query; begin again with an empty one.")
	case c.Count != l.limit:
		return badRequest(invalidCount, "The pages of a walk must have the same count throughout: %d, not %d.", c.Count, l.limit)
	}
	l.after, l.total = c.Places, c.Total
	return nil
}

// filter reads a filter over all collections.
func (l *listRequest) filter(text string) error {
	l.filterText = text
	var err error
	if len(l.of) == 1 {
		l.filters[0], err = l.x.parser.Filter(text, l.of[0].rt, l.x.quirks)
		return err
	}
	types := make([]*schema.ResourceType, len(l.of))
	for i, c := range l.of {
		types[i] = c.rt
	}
	l.filters, err = l.x.parser.FilterAcross(text, types, l.x.quirks)
	return err
}

// plusAsWritten is for a query that found nothing: it reads the filter again with every raw plus inside a literal taken for itself, and
// says whether that is another filter.
func (l *listRequest) plusAsWritten() bool {
	if l.x.searching {
		return false
	}
	literal, ok := l.x.quirks.plusInLiteral(l.x.r.URL.RawQuery)
	if !ok {
		return false
	}
	before := l.filters
	if l.filter(literal) != nil { // then that is not what was meant
		l.filters = before
		return false
	}
	return true
}

// sort reads sortBy and sortOrder (RFC 7644 section 3.4.2.3).
func (l *listRequest) sort(by, direction string) error {
	if by = strings.TrimSpace(by); by == "" {
		return nil
	}
	descending := strings.EqualFold(direction, "descending")
	if !descending && direction != "" && !strings.EqualFold(direction, "ascending") {
		return badRequest(invalidValue, "sortOrder must be ascending or descending, not %s.", quoted(direction))
	}
	l.sortText = by + " " + direction
	known := false
	for i, c := range l.of {
		sort, ok, err := sortOf(c.rt, by)
		if err != nil {
			return err
		}
		known = known || ok
		if sort != nil {
			sort.Descending = descending
		}
		l.sorts[i] = sort
	}
	if !known {
		return badRequest(invalidValue, "sortBy: there is no attribute %s.", quoted(by))
	}
	l.arrange(by, descending)
	return nil
}

// arrange puts the collections into the order of an attribute that all resources of a type have the same value of. It comes before the
// filters are read and a cursor is opened.
func (l *listRequest) arrange(by string, descending bool) {
	if slices.ContainsFunc(l.sorts, func(s *query.Sort) bool { return s != nil }) {
		return
	}
	type arranged struct {
		of      collection
		project *projection
		value   string
	}
	all := make([]arranged, len(l.of))
	for i, c := range l.of {
		t, _ := c.rt.Resolve(by)
		all[i] = arranged{c, l.projects[i], t.Leaf().Constant}
	}
	slices.SortStableFunc(all, func(a, b arranged) int {
		if descending {
			a, b = b, a
		}
		return strings.Compare(a.value, b.value)
	})
	for i, a := range all {
		l.of[i], l.projects[i] = a.of, a.project
	}
}

// sortOf gives the order by an attribute of the type; nil when all of its resources have the same value. A type that has no such
// attribute has no value of it.
func sortOf(rt *schema.ResourceType, by string) (s *query.Sort, known bool, err error) {
	t, ok := rt.Resolve(by)
	if !ok || t.Attribute == nil {
		return &query.Sort{Path: by, Type: query.String}, false, nil
	}
	a := t.Leaf()
	if a.Kind == schema.Complex {
		value := a.SubAttribute("value")
		if value == nil {
			return nil, false, badRequest(invalidValue, "%s is complex: sort by one of its sub-attributes, such as %s.", a.QualifiedName(), a.Sub[0].QualifiedName())
		}
		a = value
	}
	switch {
	case a.Returned == schema.ReturnedNever:
	case a.Constant != "":
		return nil, true, nil
	case a.Path != "":
		return &query.Sort{Path: a.Path, Type: a.QueryType(), Fold: a.Fold()}, true, nil
	}
	return nil, false, badRequest(invalidValue, "Nothing can be sorted by %s.", a.QualifiedName())
}

// page finds the page.
func (l *listRequest) page(ctx context.Context) (page, error) {
	merged := len(l.of) > 1 && l.sorts[0] != nil
	switch {
	case l.byCursor && l.limit == 0:
		total, err := l.count(ctx, 0)
		return page{total: total}, err
	case l.byCursor:
		return l.cursorPage(ctx, merged)
	case merged:
		return l.mergedPage(ctx)
	}
	var p page
	offset := l.start - 1
	for i := range l.of {
		f, err := l.find(ctx, i, store.Query{Offset: offset, Limit: l.limit - len(p.resources), Total: true})
		if err != nil {
			return page{}, err
		}
		offset = max(offset-f.total, 0)
		p.resources = append(p.resources, f.resources...)
		p.total += f.total
	}
	return p, nil
}

func (l *listRequest) find(ctx context.Context, i int, q store.Query) (found, error) {
	q.Filter, q.Sort, q.Budget = l.filters[i], l.sorts[i], l.x.Limits.QueryRows
	return l.of[i].find(l.x, ctx, q, l.projects[i])
}

// count gives the total of the collections from the one at from on.
func (l *listRequest) count(ctx context.Context, from int) (int, error) {
	total := 0
	for i := from; i < len(l.of); i++ {
		f, err := l.find(ctx, i, store.Query{Total: true})
		if err != nil {
			return 0, err
		}
		total += f.total
	}
	return total, nil
}

// mergedPage is a page by index of several collections sorted into each other.
func (l *listRequest) mergedPage(ctx context.Context) (page, error) {
	first := l.start - 1
	if first+l.limit > l.x.Limits.QueryRows {
		return page{}, store.ErrTooMany
	}
	var p page
	var all [][]listed
	for i := range l.of {
		f, err := l.find(ctx, i, store.Query{Limit: first + l.limit, Total: true})
		if err != nil {
			return page{}, err
		}
		p.total += f.total
		all = append(all, f.resources)
	}
	order := l.merge(all)
	first = min(first, len(order))
	for _, at := range order[first:min(first+l.limit, len(order))] {
		p.resources = append(p.resources, all[at.of][at.n])
	}
	return p, nil
}

// cursorPage is a page that begins at the cursor. One resource more is looked for than is shown, to know whether there is a next page.
// The total is counted when the walk begins and goes along in the cursor.
func (l *listRequest) cursorPage(ctx context.Context, merged bool) (page, error) {
	p := page{total: l.total}
	begins := l.cursor == ""
	all := make([][]listed, len(l.of))
	n := 0
	for i := range l.of {
		limit := l.limit + 1
		if !merged {
			limit -= n
		}
		f, err := l.find(ctx, i, store.Query{After: l.after[i].ID, AfterKey: l.after[i].key(), Limit: limit, Total: begins})
		if err != nil {
			return page{}, err
		}
		if begins {
			p.total += f.total
		}
		all[i] = f.resources
		n += len(f.resources)
		if !merged && n > l.limit {
			if begins {
				rest, err := l.count(ctx, i+1)
				if err != nil {
					return page{}, err
				}
				p.total += rest
			}
			break
		}
	}
	order := l.merge(all)
	places := slices.Clone(l.after)
	for _, at := range order[:min(l.limit, len(order))] {
		r := all[at.of][at.n]
		p.resources = append(p.resources, r)
		places[at.of] = positionOf(r.id, r.key)
	}
	if len(order) > l.limit {
		if slices.ContainsFunc(places, func(p position) bool { return len(p.Key) > maxCursorKey }) {
			return page{}, badRequest(tooMany, "The walk cannot go on in this order: a value of the attribute in sortBy is longer than %d bytes.", maxCursorKey)
		}
		p.next = l.x.cursors.seal(cursor{
			Expires: l.x.Clock().Add(l.x.Limits.CursorTimeout).Unix(), Count: l.limit, Total: p.total, Places: places,
		}, l.binding())
	}
	return p, nil
}

// place is a resource of a collection: the number of the collection, and its own on the page.
type place struct{ of, n int }

// merge puts the resources of several collections into one order: sorted, or one collection after the other.
func (l *listRequest) merge(all [][]listed) []place {
	var order []place
	for of, list := range all {
		for n := range list {
			order = append(order, place{of, n})
		}
	}
	if s := l.sorts[0]; s != nil && len(all) > 1 {
		slices.SortStableFunc(order, func(a, b place) int { return s.Compare(all[a.of][a.n].key, all[b.of][b.n].key) })
	}
	return order
}
