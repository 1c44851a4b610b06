package mongo

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/event"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"usher/store/mongo/mongotest"
	"usher/store/query"
)

// check finds an index for each question that was asked. Where the server can explain how it would answer one, it must not be by reading the whole
// collection.
func (q *questions) check(t *testing.T) {
	uri := mongotest.URI(t)
	s := watched(t, uri, nil, &questions{of: map[string]question{}})
	defer s.Close()
	real := mongotest.Ask(t, uri).Real
	for _, shape := range slices.Sorted(maps.Keys(q.of)) {
		if !s.served(q.of[shape]) {
			t.Errorf("no index serves %s", shape)
		}
		if real {
			explain(t, s, q.of[shape])
		}
	}
	if len(q.of) < 50 {
		t.Errorf("only %d kinds of questions were seen: the watch does not work", len(q.of))
	}
	if !real {
		t.Logf("%d kinds of questions were held against the list of indexes; only MongoDB itself can explain what it would read", len(q.of))
	}
}

// watched opens a store whose questions are written down.
func watched(t *testing.T, uri string, indexes []query.Index, asked *questions) *Store {
	t.Helper()
	client, err := mongo.Connect(clientOptions(uri).SetMonitor(&event.CommandMonitor{Started: asked.note}))
	if err != nil {
		t.Fatal(err)
	}
	s := newStore(client, client.Database(mongotest.Name(uri)), Options{Indexes: indexes})
	if err := s.open(context.WithoutCancel(t.Context()), Options{}); err != nil {
		t.Fatal(err)
	}
	s.start()
	return s
}

// question is a filter that a collection was asked with.
type question struct {
	collection string
	filter     bson.Raw
	sort       string // the first key that the answers are sorted by
}

// questions has one of each shape: the same fields, whatever their values.
type questions struct {
	mu sync.Mutex
	of map[string]question
}

func (q *questions) note(_ context.Context, e *event.CommandStartedEvent) {
	c := bson.Raw(slices.Clone(e.Command))
	collection, _ := c.Lookup(e.CommandName).StringValueOK()
	var filters []bson.Raw
	add := func(v bson.RawValue) {
		if d, ok := v.DocumentOK(); ok {
			filters = append(filters, d)
		}
	}
	each := func(list, field string) {
		values, _ := c.Lookup(list).Array().Values()
		for _, v := range values {
			add(v.Document().Lookup(field))
		}
	}
	switch e.CommandName {
	case "find":
		add(c.Lookup("filter"))
	case "findAndModify", "distinct":
		add(c.Lookup("query"))
	case "aggregate":
		stages, _ := c.Lookup("pipeline").Array().Values()
		add(stages[0].Document().Lookup("$match"))
	case "update":
		each("updates", "q")
	case "delete":
		each("deletes", "q")
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, f := range filters {
		sort := ""
		if keys, err := c.LookupErr("sort"); err == nil {
			if first, err := keys.Document().Elements(); err == nil && len(first) > 0 {
				sort = first[0].Key()
			}
		}
		q.of[collection+" "+shape(f)+" "+sort] = question{collection, f, sort}
	}
}

// shape is a filter without its values.
func shape(filter bson.Raw) string {
	elements, _ := filter.Elements()
	var parts []string
	for _, e := range elements {
		switch e.Key() {
		case "$or", "$and":
			values, _ := e.Value().Array().Values()
			var some []string
			for _, v := range values {
				some = append(some, shape(v.Document()))
			}
			slices.Sort(some)
			parts = append(parts, fmt.Sprintf("%s(%s)", e.Key(), strings.Join(slices.Compact(some), ", ")))
		default:
			parts = append(parts, e.Key())
		}
	}
	return "{" + strings.Join(parts, " ") + "}"
}

// byPlace stands for an order by id in an index that has the ids behind the company.
const byPlace = "in the order of _id"

// small are collections that are read as a whole where that is asked for: there is one document for each company, or for each sweep that is open.
var small = []string{"companies", "sweeps", "servers", "meta"}

// few are those of which a company has no more than its admins have made by hand.
var few = []string{"connections", "tokens", "admin_keys", "admin_sessions"}

// served says whether an index leads to what is asked for, and not just to all of a company where that can be many.
func (s *Store) served(q question) bool {
	switch {
	case slices.Contains(small, q.collection):
		return true
	case slices.Contains(few, q.collection):
		if _, err := q.filter.LookupErr("co"); err == nil {
			return true
		}
	}
	var also []string
	if q.sort != "" && q.sort != "_id" {
		also = []string{q.sort}
	}
	return s.leads(q.collection, q.filter, also) || q.sort == "_id" && s.leads(q.collection, q.filter, []string{byPlace})
}

func (s *Store) leads(collection string, filter bson.Raw, also []string) bool {
	elements, _ := filter.Elements()
	names := slices.Clone(also)
	var either [][]bson.RawValue
	for i := 0; i < len(elements); i++ {
		e := elements[i]
		switch e.Key() {
		case "$and":
			values, _ := e.Value().Array().Values()
			for _, v := range values {
				more, _ := v.Document().Elements()
				elements = append(elements, more...)
			}
		case "$or":
			values, _ := e.Value().Array().Values()
			either = append(either, values)
		default:
			names = append(names, e.Key())
		}
	}
	has := func(name string) bool { return slices.Contains(names, name) }
	if slices.Contains(names, byPlace) {
		names = append(names, "_id")
	} else if has("_id") {
		return true
	}
	for _, i := range s.indexes() {
		if i.collection == collection && has(i.keys[0].Key) && (i.keys[0].Key != "co" || len(i.keys) == 1 || has(i.keys[1].Key)) {
			return true
		}
	}
	for _, branches := range either {
		if !slices.ContainsFunc(branches, func(b bson.RawValue) bool { return !s.leads(collection, b.Document(), names) }) {
			return true
		}
	}
	return false
}

// explain asks the server how it would answer.
func explain(t *testing.T, s *Store, q question) {
	t.Helper()
	find := bson.D{field("explain", bson.D{field("find", q.collection), field("filter", q.filter)}), field("verbosity", "queryPlanner")}
	raw, err := s.db.RunCommand(context.WithoutCancel(t.Context()), find).Raw()
	if err != nil {
		t.Errorf("explain: %v", err)
	}
	if strings.Contains(raw.String(), "COLLSCAN") && !slices.Contains(small, q.collection) {
		t.Errorf("the server reads all of %s for %s", q.collection, shape(q.filter))
	}
}
