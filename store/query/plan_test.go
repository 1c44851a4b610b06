package query_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"usher/store/query"
)

func lookup(l query.Leaf) query.Access { return query.Access{Way: query.Lookup, Leaf: l} }

func rangeOf(l query.Leaf) query.Access { return query.Access{Way: query.Range, Leaf: l} }

func search(l query.Leaf) query.Access { return query.Access{Way: query.Search, Leaf: l} }

func union(of ...query.Access) query.Access { return query.Access{Way: query.Union, Of: of} }

func TestMakePlan(t *testing.T) {
	indexes := []query.Index{
		{Path: "userName", Type: query.String, Fold: true, Unique: true},
		{Path: "externalId", Type: query.String},
		{Path: "emails/value", Type: query.String, Fold: true},
		{Path: "emails/type", Type: query.String, Fold: true, Except: "work"},
		{Path: "active", Type: query.Boolean, Except: "1"},
		{Path: "joined", Type: query.DateTime},
		{Path: "@id", Type: query.String, Unique: true},
		{Path: "@members", Type: query.String},
		{Path: "@role", Type: query.String, Fold: true, Except: "user"},
	}
	var (
		ada      = eq("userName", "ada")
		bob      = eq("userName", "bob")
		ext      = exact("externalId", "x1")
		mail     = eq("emails/value", "ada@example.com")
		home     = eq("emails/type", "home")
		title    = eq("title", "queen")
		inactive = typed("active", query.Equal, query.Boolean, "false")
		since    = typed("joined", query.GreaterEqual, query.DateTime, "2011-01-01T00:00:00Z")
		until    = typed("joined", query.Less, query.DateTime, "2012-01-01T00:00:00Z")
		inJoined = typed("joined", query.Contains, query.DateTime, "2011-01-01T00:00:00Z")
		inMail   = text("emails/value", query.Contains, "example")
		inName   = text("userName", query.Contains, "ada")
		longMail = query.Leaf{Path: "emails/value", Op: query.Equal, Type: query.String, Fold: true, Value: "\U0010FFFF"}
	)
	for _, c := range []struct {
		name string
		node query.Node
		want query.Plan
	}{
		{"nothing asked", nil, query.Plan{}},
		{"and of nothing", query.And{query.And{}, nil}, query.Plan{}},
		{"or of nothing", query.Or{query.Or{}, not(nil)}, query.Plan{Access: query.Access{Way: query.None}}},
		{"and with a contradiction", query.And{ada, query.Or{}}, query.Plan{Access: query.Access{Way: query.None}}},
		{"or with a truth", query.Or{title, not(query.Or{})}, query.Plan{}},

		{"unique", ada, query.Plan{Access: lookup(ada)}},
		{"lookup", ext, query.Plan{Access: lookup(ext)}},
		{"no index", title, query.Plan{Rest: title}},
		{"index of another form", eq("externalId", "x1"), query.Plan{Rest: eq("externalId", "x1")}},
		{"index of another type", typed("joined", query.Equal, query.Integer, "1"), query.Plan{Rest: typed("joined", query.Equal, query.Integer, "1")}},
		{"present", pr("userName"), query.Plan{Rest: pr("userName")}},
		{"range", since, query.Plan{Access: rangeOf(since)}},
		{"prefix", text("userName", query.StartsWith, "ad"), query.Plan{Access: rangeOf(text("userName", query.StartsWith, "ad"))}},
		{"search of whole values", inName, query.Plan{Access: search(inName)}},
		{"search of short values", inJoined, query.Plan{Access: search(inJoined)}},
		{"search of cut values", inMail, query.Plan{Access: union(search(inMail), lookup(longMail)), Rest: inMail}},

		{"value in the index", inactive, query.Plan{Access: lookup(inactive)}},
		{"value left out", typed("active", query.Equal, query.Boolean, "true"), query.Plan{Rest: typed("active", query.Equal, query.Boolean, "true")}},
		{"range with the value left out", text("@role", query.StartsWith, "u"), query.Plan{Rest: text("@role", query.StartsWith, "u")}},
		{"range without it", text("@role", query.StartsWith, "super"), query.Plan{Access: rangeOf(text("@role", query.StartsWith, "super"))}},

		{"not", not(ada), query.Plan{Rest: not(ada)}},
		{"not not", not(not(ada)), query.Plan{Access: lookup(ada)}},
		{"not of an or", not(query.Or{not(ada), title}), query.Plan{Access: lookup(ada), Rest: not(title)}},
		{"not of an and", not(query.And{not(ada), not(bob)}), query.Plan{Access: union(lookup(ada), lookup(bob))}},

		{"unique before all", query.And{title, ext, ada, since}, query.Plan{Access: lookup(ada), Rest: query.And{title, ext, since}}},
		{"lookup before range", query.And{since, ext}, query.Plan{Access: lookup(ext), Rest: since}},
		{"range before search", query.And{inName, since}, query.Plan{Access: rangeOf(since), Rest: inName}},
		{"range before a union with one", query.And{query.Or{ext, until}, since}, query.Plan{Access: rangeOf(since), Rest: query.Or{ext, until}}},
		{"union of unique before lookup", query.And{ext, query.Or{ada, bob}}, query.Plan{Access: union(lookup(ada), lookup(bob)), Rest: ext}},
		{"driver that is not exact", query.And{inMail, title}, query.Plan{Access: union(search(inMail), lookup(longMail)), Rest: query.And{inMail, title}}},
		{"and in an and", query.And{query.And{title, query.And{ada}}}, query.Plan{Access: lookup(ada), Rest: title}},
		{"no index in an and", query.And{title, not(ada)}, query.Plan{Rest: query.And{title, not(ada)}}},

		{"or", query.Or{ada, ext}, query.Plan{Access: union(lookup(ada), lookup(ext))}},
		{"or in an or", query.Or{ada, query.Or{ext, since}}, query.Plan{Access: union(lookup(ada), lookup(ext), rangeOf(since))}},
		{"or of the same", query.Or{ada, ada}, query.Plan{Access: lookup(ada)}},
		{"or with a side without index", query.Or{ada, title}, query.Plan{Rest: query.Or{ada, title}}},
		{"or with a negative side", query.Or{ada, not(ext)}, query.Plan{Rest: query.Or{ada, not(ext)}}},
		{"or of ands", query.Or{query.And{ada, title}, ext}, query.Plan{Access: union(lookup(ada), lookup(ext)), Rest: query.Or{query.And{ada, title}, ext}}},
		{"or of searches", query.Or{inMail, inMail}, query.Plan{Access: union(search(inMail), lookup(longMail)), Rest: query.Or{inMail, inMail}}},

		{"element of one value", element("emails", eq("value", "ada@example.com")), query.Plan{Access: lookup(mail)}},
		{
			"element of two values", element("emails", query.And{eq("type", "work"), eq("value", "ada@example.com")}),
			query.Plan{Access: lookup(mail), Rest: element("emails", query.And{eq("type", "work"), eq("value", "ada@example.com")})},
		},
		{"element of either value", element("emails", query.Or{eq("type", "home"), eq("value", "ada@example.com")}), query.Plan{Access: union(lookup(home), lookup(mail))}},
		{"element of any", element("emails", nil), query.Plan{Rest: element("emails", query.And{})}},
		{"element of none", element("emails", query.Or{}), query.Plan{Access: query.Access{Way: query.None}}},
		{"element of a negative", element("emails", not(eq("value", "x"))), query.Plan{Rest: element("emails", not(eq("value", "x")))}},
		{"not of an element", not(element("emails", eq("value", "ada@example.com"))), query.Plan{Rest: not(mail)}},
		{"element in an element", element("a", element("b", eq("c", "x"))), query.Plan{Rest: eq("a/b/c", "x")}},
		{"no column in an element", element("a", element("@id", eq("value", "x"))), query.Plan{Rest: eq("a/@id/value", "x")}},
		{"element of a column", element("@members", exact("value", "u1")), query.Plan{Access: lookup(exact("@members", "u1"))}},
		{"element of a column by another name", element("@members", exact("type", "u1")), query.Plan{Access: query.Access{Way: query.None}}},
		{
			"element of a column, two conditions", element("@members", query.And{exact("value", "u1"), not(exact("value", "u2"))}),
			query.Plan{Access: lookup(exact("@members", "u1")), Rest: element("@members", query.And{exact("value", "u1"), not(exact("value", "u2"))})},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := query.MakePlan(c.node, indexes, func(l query.Leaf, _ int) int {
				t.Errorf("asked about %+v, where there is no choice", l)
				return 0
			})
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestMakePlan_Estimates(t *testing.T) {
	indexes := []query.Index{
		{Path: "a", Type: query.String}, {Path: "b", Type: query.String}, {Path: "c", Type: query.String},
		{Path: "u", Type: query.String, Unique: true},
	}
	a, b, c := exact("a", "x"), exact("b", "x"), exact("c", "x")
	for _, tc := range []struct {
		name  string
		node  query.Node
		count map[string]int
		want  string // path of the leaf that drives
		asked []string
	}{
		{"fewest of few", query.And{a, b, c}, map[string]int{"a": 5, "b": 2, "c": 3}, "b", []string{"a 8", "b 8", "c 8"}},
		{"none", query.And{a, b, c}, map[string]int{"a": 5, "b": 0, "c": 3}, "b", []string{"a 8", "b 8"}},
		{"one of few", query.And{a, b}, map[string]int{"a": 100, "b": 7}, "b", []string{"a 8", "b 8"}},
		{"fewest of many", query.And{a, b, c}, map[string]int{"a": 600, "b": 90, "c": 80}, "c", []string{"a 8", "b 8", "c 8", "a 512", "b 512", "c 512"}},
		{"all too many", query.And{b, a}, map[string]int{"a": 600, "b": 600}, "b", []string{"b 8", "a 8", "b 512", "a 512"}},
		{"one lookup", query.And{a, exact("z", "x")}, nil, "a", nil},
		{"a unique one", query.And{a, b, exact("u", "x")}, nil, "u", nil},
		{"in an or", query.Or{query.And{a, b}, a}, map[string]int{"a": 1, "b": 2}, "a", []string{"a 8", "b 8"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var asked []string
			plan := query.MakePlan(tc.node, indexes, func(l query.Leaf, limit int) int {
				asked = append(asked, fmt.Sprint(l.Path, " ", limit))
				return min(tc.count[l.Path], limit)
			})
			if plan.Access.Way != query.Lookup || plan.Access.Leaf.Path != tc.want {
				t.Errorf("driven by %+v, want %s", plan.Access, tc.want)
			}
			if diff := cmp.Diff(tc.asked, asked); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestMakePlan_BoundedEstimates plans the largest filters with a choice everywhere.
func TestMakePlan_BoundedEstimates(t *testing.T) {
	indexes := []query.Index{{Path: "a", Type: query.String}, {Path: "b", Type: query.String}}
	var pairs query.Or
	var all query.And
	for i := range 500 {
		v := strings.Repeat("v", i)
		pairs = append(pairs, query.And{exact("a", v), exact("b", v)})
		all = append(all, exact("a", v), exact("b", v))
	}
	for name, n := range map[string]query.Node{"or of pairs": pairs, "and": all} {
		rows := 0
		plan := query.MakePlan(n, indexes, func(_ query.Leaf, limit int) int {
			rows += limit
			return limit
		})
		if rows == 0 || rows > 4096 {
			t.Errorf("%s: planning looked at %d rows", name, rows)
		}
		if plan.Access.Way == query.All {
			t.Errorf("%s: not driven", name)
		}
	}
}

func BenchmarkMakePlan(b *testing.B) {
	indexes := append(hot(), query.Index{Path: "userName", Type: query.String, Fold: true, Unique: true})
	for name, n := range map[string]query.Node{
		"unique":     eq("userName", "ada"),
		"value path": element("emails", query.And{eq("type", "work"), eq("value", "ada@example.com")}),
		"and":        query.And{eq("name/familyName", "lovelace"), eq("displayName", "ada"), typed("active", query.Equal, query.Boolean, "true")},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				query.MakePlan(n, indexes, func(query.Leaf, int) int { return 1 })
			}
		})
	}
}
