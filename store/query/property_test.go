package query_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"os"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"usher/store/query"
)

// The values are few, so that random filters meet them, and each is there for something that can go wrong: case, composition,
// escapes, prefixes of one another, the length at which an index cuts, and the term that it adds then.
func vocabulary(typ query.Type) []string {
	switch typ {
	case query.Boolean:
		return []string{"true", "false"}
	case query.DateTime:
		return []string{
			"2011-05-13T04:42:34Z", "2011-05-13T04:42:34.000+00:00", "2011-05-13T05:42:34+01:00", "2011-05-13T04:42:34.5Z",
			"2011-05-13T04:42:34", "1999-12-31T23:59:59Z",
		}
	case query.Integer:
		return []string{"0", "-1", "7", "7.0", "0.7e1", "10", "9007199254740992", "9007199254740993"}
	case query.Decimal:
		return []string{"0", "-0.0", "7", "6.99", "7.00", "-1.5", "1e1", "9007199254740993"}
	}
	long := strings.Repeat("x", 500)
	return []string{
		"", "a", "A", "ab", "aB", "b", "ba", "é", "E\u0301", "É", "ß", "SS", "ss", "a\"\\\n<\u2028", "😀", "😀a",
		long, long + "abcdefghé", long + "abcdefghijé", long + "abcdefghijé tail a", long + "abcdefghijé tail b",
		long + "abcdefghij", long + "ABCDEFGHIJ" + long, "\U0010FFFF", "\U0010FFFFa",
	}
}

func numbers() map[string]*big.Rat {
	all := map[string]*big.Rat{}
	for _, l := range slices.Concat(vocabulary(query.Integer), vocabulary(query.Decimal)) {
		c, err := query.Canonical(query.Decimal, false, l)
		if err != nil {
			panic(err)
		}
		all[c], _ = new(big.Rat).SetString(l)
	}
	return all
}

// attribute is where random records have values and random filters ask for them.
type attribute struct {
	path string
	typ  query.Type
	fold bool
}

const extension = "urn:example:2.0:User"

func attributes() []attribute {
	return []attribute{
		{"userName", query.String, true},
		{"title", query.String, false},
		{"active", query.Boolean, false},
		{"logins", query.Integer, false},
		{"score", query.Decimal, false},
		{"joined", query.DateTime, false},
		{"name/familyName", query.String, true},
		{"emails/value", query.String, true},
		{"emails/type", query.String, true},
		{"emails/primary", query.Boolean, false},
		{"tags", query.String, true},
		{"tags/value", query.String, true},
		{extension + "/manager/value", query.Reference, false},
		{extension + "/key", query.Binary, false},
		{"@role", query.String, true},
		{"@members", query.String, false},
		{"@created", query.DateTime, false},
	}
}

// elements are the attributes that a value path can go into, with what is below them.
func elements() map[string][]attribute {
	return map[string][]attribute{
		"emails":               {{"value", query.String, true}, {"type", query.String, true}, {"primary", query.Boolean, false}, {"@role", query.String, true}},
		"tags":                 {{"value", query.String, true}, {"type", query.String, true}},
		"name":                 {{"familyName", query.String, true}, {"givenName", query.String, true}},
		extension:              {{"manager/value", query.Reference, false}, {"key", query.Binary, false}},
		extension + "/manager": {{"value", query.Reference, false}},
		"@members":             {{"value", query.String, false}, {"type", query.String, false}},
		"@role":                {{"value", query.String, true}},
	}
}

// value draws a value of the type, or now and then one of another type.
func value(t *rapid.T, typ query.Type) any {
	switch rapid.IntRange(0, 23).Draw(t, "odd") {
	case 19:
		return nil
	case 20:
		return map[string]any{"value": "a"}
	case 21:
		return []any{}
	case 22:
		return []any{value(t, typ), value(t, typ)}
	case 23:
		typ = query.Type(rapid.IntRange(int(query.String), int(query.Binary)).Draw(t, "type"))
	}
	l := rapid.SampledFrom(vocabulary(typ)).Draw(t, "value")
	switch typ {
	case query.Boolean:
		return l == "true"
	case query.Integer, query.Decimal:
		return json.Number(l)
	}
	return l
}

// randomRecord draws a record and gives its document in both forms.
func randomRecord(t *rapid.T, numbers map[string]*big.Rat) (record, naive) {
	maybe := func(m map[string]any, name string, v func() any) {
		if rapid.IntRange(0, 3).Draw(t, "has "+name) > 0 {
			m[name] = v()
		}
	}
	of := func(typ query.Type) func() any { return func() any { return value(t, typ) } }
	many := func(v func() any) func() any {
		return func() any {
			all := []any{}
			for range rapid.IntRange(0, 3).Draw(t, "length") {
				all = append(all, v())
			}
			return all
		}
	}
	object := func(parts map[string]query.Type) func() any {
		return func() any {
			m := map[string]any{}
			for _, name := range slices.Sorted(maps.Keys(parts)) {
				maybe(m, name, of(parts[name]))
			}
			return m
		}
	}
	doc := map[string]any{}
	maybe(doc, "userName", of(query.String))
	maybe(doc, "title", of(query.String))
	maybe(doc, "active", of(query.Boolean))
	maybe(doc, "logins", of(query.Integer))
	maybe(doc, "score", of(query.Decimal))
	maybe(doc, "joined", of(query.DateTime))
	maybe(doc, "name", object(map[string]query.Type{"familyName": query.String, "givenName": query.String}))
	email := object(map[string]query.Type{"value": query.String, "type": query.String, "primary": query.Boolean, "@role": query.String})
	maybe(doc, "emails", many(func() any {
		if rapid.IntRange(0, 7).Draw(t, "simple") == 0 {
			return value(t, query.String)
		}
		return email()
	}))
	maybe(doc, "tags", many(of(query.String)))
	maybe(doc, extension, func() any {
		m := map[string]any{}
		maybe(m, "manager", object(map[string]query.Type{"value": query.Reference}))
		maybe(m, "key", of(query.Binary))
		return m
	})

	columns := map[string][]string{}
	column := func(path string, typ query.Type, most int) {
		for range rapid.IntRange(0, most).Draw(t, path) {
			v, err := query.Canonical(typ, false, rapid.SampledFrom(vocabulary(typ)).Draw(t, "value"))
			if err != nil {
				t.Fatal(err)
			}
			columns[path] = append(columns[path], v)
		}
	}
	column("@role", query.String, 1)
	column("@members", query.String, 3)
	column("@created", query.DateTime, 1)

	return record{encode(t, doc), columns}, naive{doc, columns, numbers}
}

// encode writes the document in one of the ways in which JSON can be written.
func encode(t *rapid.T, doc any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(rapid.Bool().Draw(t, "escape"))
	if rapid.Bool().Draw(t, "indent") {
		e.SetIndent(" ", "\t")
	}
	if err := e.Encode(doc); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func randomLeaf(t *rapid.T, among []attribute) query.Node {
	a := rapid.SampledFrom(among).Draw(t, "attribute")
	ops := []query.Op{query.Equal, query.Equal, query.Equal, query.Equal, query.Present}
	switch a.typ {
	case query.Boolean:
	case query.Integer, query.Decimal, query.DateTime:
		ops = append(ops, query.Greater, query.GreaterEqual, query.Less, query.LessEqual)
	default:
		ops = append(ops, query.Contains, query.StartsWith, query.EndsWith, query.Greater, query.GreaterEqual, query.Less, query.LessEqual)
	}
	if rapid.IntRange(0, 15).Draw(t, "other fold") == 15 {
		a.fold = !a.fold
	}
	l := query.Leaf{Path: a.path, Op: rapid.SampledFrom(ops).Draw(t, "op"), Type: a.typ, Fold: a.fold}
	literal := rapid.SampledFrom(vocabulary(a.typ)).Draw(t, "literal")
	v, err := query.Canonical(a.typ, a.fold, literal)
	if err != nil {
		t.Fatal(err)
	}
	l.Value = v
	return l
}

// randomTree draws a filter of the given depth at most.
func randomTree(t *rapid.T, depth int, among []attribute, top bool) query.Node {
	if depth <= 1 {
		return randomLeaf(t, among)
	}
	switch kind := rapid.IntRange(0, 15).Draw(t, "kind"); {
	case kind <= 8:
		var nodes []query.Node
		for range rapid.SampledFrom([]int{2, 2, 2, 2, 3, 3, 1, 0}).Draw(t, "nodes") {
			nodes = append(nodes, randomTree(t, depth-1, among, top))
		}
		if kind <= 5 {
			return query.And(nodes)
		}
		return query.Or(nodes)
	case kind == 9:
		return query.Not{Node: randomTree(t, depth-1, among, top)}
	case kind == 10:
		return nil
	case kind <= 13 && top:
		all := elements()
		path := rapid.SampledFrom(slices.Sorted(maps.Keys(all))).Draw(t, "element")
		below := all[path]
		if path == extension && rapid.Bool().Draw(t, "nest") {
			return query.Element{Path: path, Cond: query.Element{Path: "manager", Cond: randomTree(t, depth-1, below[:1], false)}}
		}
		return query.Element{Path: path, Cond: randomTree(t, depth-1, below, false)}
	case kind == 11:
		return query.Element{Path: "value", Cond: randomTree(t, depth-1, among, false)}
	}
	return randomLeaf(t, among)
}

// randomIndexes draws indexes over some of the attributes, most of which filters can use.
func randomIndexes(t *rapid.T) []query.Index {
	var all []query.Index
	for _, a := range attributes() {
		if rapid.IntRange(0, 9).Draw(t, "index "+a.path) == 9 {
			continue
		}
		ix := query.Index{Path: a.path, Type: a.typ, Fold: a.fold}
		switch rapid.IntRange(0, 7).Draw(t, "form") {
		case 6, 7:
			v, err := query.Canonical(a.typ, a.fold, rapid.SampledFrom(vocabulary(a.typ)).Draw(t, "except"))
			if err != nil {
				t.Fatal(err)
			}
			ix.Except = v
		case 2, 3:
			ix.Unique = true
		case 4:
			ix.Fold = !ix.Fold
		case 5:
			ix.Type = query.String
		}
		all = append(all, ix)
	}
	return all
}

// allTerms is what an engine keeps of a record.
func allTerms(r record, indexes []query.Index) []query.Term {
	terms := query.Terms(r.Document(), indexes)
	for _, ix := range indexes {
		for _, v := range r.columns[ix.Path] {
			if ix.Type == query.String && ix.Fold {
				v = query.Fold(v)
			}
			if ix.Except == "" || v != ix.Except {
				terms = append(terms, query.Term{Path: ix.Path, Value: v})
			}
		}
	}
	return terms
}

// reaches carries out an access for one record.
func reaches(a query.Access, terms []query.Term) bool {
	switch a.Way {
	case query.All:
		return true
	case query.None:
		return false
	case query.Union:
		return slices.ContainsFunc(a.Of, func(a query.Access) bool { return reaches(a, terms) })
	}
	return slices.ContainsFunc(terms, func(t query.Term) bool { return t.Path == a.Leaf.Path && a.Leaf.Matches(t.Value) })
}

// checkAccess says what is wrong with the form of an access.
func checkAccess(a query.Access, indexes []query.Index) error {
	if a.Way == query.Union {
		seen := map[query.Leaf]bool{}
		for _, part := range a.Of {
			if part.Way == query.Union || part.Way == query.All || part.Way == query.None || seen[part.Leaf] {
				return fmt.Errorf("a union of %+v", a.Of)
			}
			seen[part.Leaf] = true
			if err := checkAccess(part, indexes); err != nil {
				return err
			}
		}
		if len(a.Of) < 2 {
			return fmt.Errorf("a union of %+v", a.Of)
		}
		return nil
	}
	ways := map[query.Way][]query.Op{
		query.Lookup: {query.Equal},
		query.Range:  {query.StartsWith, query.Greater, query.GreaterEqual, query.Less, query.LessEqual},
		query.Search: {query.Contains, query.EndsWith},
	}
	if a.Way == query.All || a.Way == query.None {
		return nil
	}
	if !slices.Contains(ways[a.Way], a.Leaf.Op) {
		return fmt.Errorf("the way %d for %+v", a.Way, a.Leaf)
	}
	if !slices.ContainsFunc(indexes, func(ix query.Index) bool {
		return ix.Path == a.Leaf.Path && ix.Type == a.Leaf.Type && (ix.Fold == a.Leaf.Fold || ix.Type != query.String)
	}) {
		return fmt.Errorf("no index for %+v", a.Leaf)
	}
	return nil
}

// TestPlanAndJudgeAgree draws 10,000 filters over random records and indexes. The judge must say of each record what the naive
// evaluator says of its decoded form, and a plan must lead to the records that the judge takes.
func TestPlanAndJudgeAgree(t *testing.T) {
	const treesPerCheck = 20
	rounds := 5 // of rapid's 100 checks each
	if os.Getenv("USHER_SCALE") == "full" {
		rounds = 100
	}
	known := numbers()
	var trees, driven, exact, matches, judged int
	ways := map[query.Way]int{}
	check := func(t *rapid.T) {
		type row struct {
			record record
			naive  naive
			terms  []query.Term
		}
		indexes := randomIndexes(t)
		rows := make([]row, rapid.IntRange(4, 12).Draw(t, "records"))
		for i := range rows {
			r, e := randomRecord(t, known)
			rows[i] = row{r, e, allTerms(r, indexes)}
		}
		for range treesPerCheck {
			n := randomTree(t, 5, attributes(), true)
			asked := 0
			plan := query.MakePlan(n, indexes, func(leaf query.Leaf, limit int) int {
				asked += limit
				count := 0
				for _, r := range rows {
					if reaches(query.Access{Way: query.Lookup, Leaf: leaf}, r.terms) {
						count++
					}
				}
				return min(count, limit)
			})
			if err := checkAccess(plan.Access, indexes); err != nil {
				t.Fatalf("%#v is planned as %+v: %v", n, plan, err)
			}
			if asked > 4096 {
				t.Fatalf("planning %#v asked for %d rows", n, asked)
			}
			judge, rest := query.Compile(n), query.Compile(plan.Rest)
			for _, r := range rows {
				want := r.naive.record(n)
				if got := judge.Match(r.record); got != want {
					t.Fatalf("the judge says %t of %#v on\n%s\n%v", got, n, r.record.doc, r.record.columns)
				}
				got := reaches(plan.Access, r.terms) && rest.Match(r.record)
				if got != want {
					t.Fatalf("the plan %+v\nsays %t of %#v on\n%s\n%v", plan, got, n, r.record.doc, r.record.columns)
				}
				judged++
				if want {
					matches++
				}
			}
			trees++
			ways[plan.Access.Way]++
			if plan.Access.Way > query.None {
				driven++
				if plan.Rest == nil {
					exact++
				}
			}
		}
	}
	for range rounds {
		rapid.Check(t, check)
	}
	t.Logf("%d trees, %d driven by an index (%d exactly), ways %v; %d of %d records matched", trees, driven, exact, ways, matches, judged)
	if driven*10 < trees || exact*20 < trees || matches*10 < judged || matches*10 > judged*9 || len(ways) != 6 {
		t.Error("the random filters do not test much")
	}
}
