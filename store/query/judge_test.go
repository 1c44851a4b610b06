package query_test

import (
	"bytes"
	"encoding/json"
	"math/big"
	"regexp"
	"strings"
	"testing"

	"usher/store/query"
)

// record is a document with columns.
type record struct {
	doc     string
	columns map[string][]string
}

func (r record) Document() []byte            { return []byte(r.doc) }
func (r record) Column(path string) []string { return r.columns[path] }

// ada is a person whose values the tables below filter.
const ada = `{
	"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],
	"userName": "Ada@Example.COM", "displayName": "Zo\u00eb \"A\u0064a\" \ud83d\ude00 \u00dcber", "nickName": "", "title": null,
	"name": {"familyName": "M\u00fcller", "givenName": "ADA", "middleName": null},
	"active": true, "locked": false, "logins": 9007199254740993, "score": 4.50, "whole": 5.0, "joined": "2011-05-13T04:42:34.5+05:30",
	"emails": [
		{"type": "work", "value": "ada@work.example", "primary": true},
		{"type": "home", "value": "ada@home.example"},
		{"type": "other", "value": ""}
	],
	"roles": [], "addresses": [{}], "photos": [{"value": null}], "groups": {}, "tags": ["Red", "GREEN"], "nested": [["a"], [["b"]]],
	"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"manager": {"value": "26118915"}, "employeeNumber": "701984"},
	"esc\u0061ped": "yes"
}`

var adaColumns = map[string][]string{
	"@id":       {"a-1"},
	"@created":  {"2011-05-13T04:42:34.000000000Z"},
	"@role":     {"Super-Admin"},
	"@members":  {"u1", "u2"},
	"@reason":   {""},
	"@verified": {"1"},
}

func eq(path, v string) query.Leaf {
	return query.Leaf{Path: path, Op: query.Equal, Type: query.String, Fold: true, Value: query.Fold(v)}
}

func exact(path, v string) query.Leaf {
	return query.Leaf{Path: path, Op: query.Equal, Type: query.String, Value: v}
}

func text(path string, op query.Op, v string) query.Leaf {
	return query.Leaf{Path: path, Op: op, Type: query.String, Fold: true, Value: query.Fold(v)}
}

func typed(path string, op query.Op, typ query.Type, literal string) query.Leaf {
	v, err := query.Canonical(typ, false, literal)
	if err != nil {
		panic(err)
	}
	return query.Leaf{Path: path, Op: op, Type: typ, Value: v}
}

func pr(path string) query.Leaf { return query.Leaf{Path: path, Op: query.Present, Type: query.String} }

func not(n query.Node) query.Node { return query.Not{Node: n} }

func element(path string, cond query.Node) query.Element {
	return query.Element{Path: path, Cond: cond}
}

func TestJudge(t *testing.T) {
	const enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
	for _, c := range []struct {
		name string
		node query.Node
		want bool
	}{
		{"no filter", nil, true},
		{"and of nothing", query.And{}, true},
		{"or of nothing", query.Or{}, false},
		{"not of nothing", not(nil), false},

		{"folded", eq("userName", "ADA@example.com"), true},
		{"folded, other", eq("userName", "ada@example.co"), false},
		{"as is, other case", exact("userName", "ada@example.com"), false},
		{"as is", exact("userName", "Ada@Example.COM"), true},
		{"fold is for strings only", query.Leaf{Path: "userName", Op: query.Equal, Type: query.Reference, Fold: true, Value: "ada@example.com"}, false},
		{"names are compared exactly", eq("username", "ada@example.com"), false},
		{"name with an escape", eq("escaped", "yes"), true},
		{"sub-attribute", eq("name/givenName", "ada"), true},
		{"escape in a value", eq("name/familyName", "MÜLLER"), true},
		{"escape, as is", exact("name/familyName", "Müller"), true},
		{"decomposed literal", eq("name/familyName", "mu\u0308ller"), true},
		{"quotes and a surrogate pair", eq("displayName", `zoë "ada" 😀 über`), true},
		{"contains", text("displayName", query.Contains, `"ADA" 😀`), true},
		{"contains, other", text("displayName", query.Contains, "zoe"), false},
		{"begins", text("displayName", query.StartsWith, "ZOË"), true},
		{"begins, other", text("displayName", query.StartsWith, "über"), false},
		{"ends", text("displayName", query.EndsWith, "ÜBER"), true},
		{"ends, other", text("displayName", query.EndsWith, "zoë"), false},
		{"extension", eq(enterprise+"/manager/value", "26118915"), true},

		{"empty is a value", eq("nickName", ""), true},
		{"null is none", eq("title", ""), false},
		{"null is not the text", eq("title", "null"), false},
		{"absent", eq("absent", ""), false},
		{"ne of the value", not(eq("userName", "ada@example.com")), false},
		{"ne of another", not(eq("userName", "bob")), true},
		{"ne where absent", not(eq("absent", "x")), true},
		{"ne of null", not(eq("title", "x")), true},

		{"true", typed("active", query.Equal, query.Boolean, "true"), true},
		{"false", typed("active", query.Equal, query.Boolean, "false"), false},
		{"a boolean is no string", eq("active", "true"), false},
		{"nor in its canonical form", eq("active", "1"), false},
		{"a string is no boolean", typed("userName", query.Equal, query.Boolean, "true"), false},
		{"big integer", typed("logins", query.Equal, query.Integer, "9007199254740993"), true},
		{"its neighbour", typed("logins", query.Equal, query.Integer, "9007199254740992"), false},
		{"above its neighbour", typed("logins", query.Greater, query.Integer, "9007199254740992"), true},
		{"decimal", typed("score", query.Equal, query.Decimal, "45e-1"), true},
		{"decimal against integer", typed("score", query.Greater, query.Decimal, "4"), true},
		{"decimal, order of numbers", typed("score", query.Less, query.Decimal, "10"), true},
		{"decimal that is no integer", typed("score", query.Greater, query.Integer, "1"), false},
		{"decimal that is an integer", typed("whole", query.Equal, query.Integer, "5"), true},
		{"a number is no string", eq("score", "4.50"), false},
		{"date with offset", typed("joined", query.Equal, query.DateTime, "2011-05-12T23:12:34.500Z"), true},
		{"date, later", typed("joined", query.Less, query.DateTime, "2011-05-13T04:42:34.5Z"), true},
		{"date, not less than itself", typed("joined", query.Less, query.DateTime, "2011-05-13T04:42:34.5+05:30"), false},
		{"date, less or equal to itself", typed("joined", query.LessEqual, query.DateTime, "2011-05-13T04:42:34.5+05:30"), true},
		{"date, greater or equal to itself", typed("joined", query.GreaterEqual, query.DateTime, "2011-05-13T04:42:34.5+05:30"), true},
		{"a name is no date", typed("userName", query.Greater, query.DateTime, "0001-01-01T00:00:00Z"), false},
		{"unknown operator", query.Leaf{Path: "userName", Type: query.String}, false},
		{"unknown type", query.Leaf{Path: "userName", Op: query.Equal}, false},

		{"any of many", eq("emails/value", "ADA@home.example"), true},
		{"none of many", eq("emails/value", "ada@club.example"), false},
		{"ne is about all of many", not(eq("emails/type", "work")), false},
		{"any simple value", eq("tags", "green"), true},
		{"any nested value", eq("nested", "b"), true},
		{"an object is no string", eq("emails", "ada@work.example"), false},
		{"two values by two elements", query.And{eq("emails/type", "work"), eq("emails/value", "ada@home.example")}, true},
		{"two values by one element", element("emails", query.And{eq("type", "work"), eq("value", "ada@home.example")}), false},
		{"the right two values", element("emails", query.And{eq("type", "HOME"), eq("value", "ada@home.example")}), true},
		{"ne in an element", element("emails", not(eq("type", "work"))), true},
		{"ne in an element that is absent", element("roles", not(eq("type", "work"))), false},
		{"absence in an element", element("emails", query.And{eq("type", "home"), not(pr("primary"))}), true},
		{"or in an element", element("emails", query.Or{eq("type", "fax"), eq("value", "")}), true},
		{"not of an element", not(element("emails", eq("type", "work"))), false},
		{"any element", element("emails", nil), true},
		{"no element", element("roles", nil), false},
		{"single-valued complex", element("name", query.And{eq("givenName", "ada"), eq("familyName", "müller")}), true},
		{"single-valued complex, other", element("name", query.And{eq("givenName", "ada"), eq("familyName", "x")}), false},
		{"null is no element", element("title", nil), false},
		{"element in an element", element(enterprise, element("manager", eq("value", "26118915"))), true},
		{"simple element", element("tags", eq("value", "red")), true},
		{"simple element by another name", element("tags", eq("type", "red")), false},
		{"simple element, two conditions", element("tags", query.And{text("value", query.StartsWith, "r"), text("value", query.EndsWith, "n")}), false},
		{"no column in an element", element("emails", eq("@id", "a-1")), false},

		{"present", pr("userName"), true},
		{"present, empty string", pr("nickName"), false},
		{"present, null", pr("title"), false},
		{"present, absent", pr("absent"), false},
		{"present, false", pr("locked"), true},
		{"present, number", pr("score"), true},
		{"present, object", pr("name"), true},
		{"present, empty object", pr("groups"), false},
		{"present, empty array", pr("roles"), false},
		{"present, array of an empty object", pr("addresses"), false},
		{"present, object of null", pr("photos"), false},
		{"present, array", pr("emails"), true},
		{"present, of some elements", pr("emails/primary"), true},
		{"present, null sub-attribute", pr("name/middleName"), false},

		{"column", eq("@id", "a-1"), true},
		{"column, other", eq("@id", "a-2"), false},
		{"column, folded", eq("@role", "SUPER-ADMIN"), true},
		{"column, as is", exact("@role", "super-admin"), false},
		{"column, date", typed("@created", query.Less, query.DateTime, "2011-05-13T04:42:35Z"), true},
		{"column, boolean", typed("@verified", query.Equal, query.Boolean, "true"), true},
		{"column, any of many", exact("@members", "u2"), true},
		{"column, absent", eq("@absent", ""), false},
		{"column, present", pr("@members"), true},
		{"column, empty", pr("@reason"), false},
		{"column, not present", pr("@absent"), false},
		{"element of a column", element("@members", exact("value", "u1")), true},
		{"element of a column, in one value", element("@members", query.And{exact("value", "u1"), exact("value", "u2")}), false},
		{"element of a column by another name", element("@members", exact("type", "u1")), false},
		{"element of a column, present", element("@members", pr("value")), true},
		{"element of an element of a column", element("@members", element("value", exact("value", "u2"))), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := query.Compile(c.node).Match(record{ada, adaColumns}); got != c.want {
				t.Errorf("got %t, want %t", got, c.want)
			}
		})
	}
}

func TestMatchValue(t *testing.T) {
	for _, c := range []struct {
		name, value string
		node        query.Node
		want        bool
	}{
		{"nil", `{}`, nil, true},
		{"member", ` {"type":"work","primary":true} `, query.And{eq("type", "WORK"), typed("primary", query.Equal, query.Boolean, "true")}, true},
		{"other", `{"type":"work"}`, eq("type", "home"), false},
		{"string", ` "Red" `, eq("value", "red"), true},
		{"string by another name", `"red"`, eq("type", "red"), false},
		{"number", `12`, typed("value", query.Greater, query.Integer, "9"), true},
		{"null", `null`, pr("value"), false},
		{"nothing", ``, eq("value", ""), false},
		{"not of nothing", ``, not(eq("value", "")), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := query.MatchValue(c.node, []byte(c.value)); got != c.want {
				t.Errorf("got %t, want %t", got, c.want)
			}
		})
	}
}

// TestJudge_BrokenDocuments looks at what can be read of a text that is no JSON, and does not fall over the rest.
func TestJudge_BrokenDocuments(t *testing.T) {
	deep := strings.Repeat(`[`, 1_000_000)
	for _, c := range []struct {
		name, doc string
		node      query.Node
		want      bool
	}{
		{"empty", ``, pr("a"), false},
		{"not an object", `"a"`, pr("a"), false},
		{"cut in a string", `{"a":"x`, pr("a"), false},
		{"cut behind an escape", `{"a":"x\`, pr("a"), false},
		{"cut in a name", `{"a`, pr("a"), false},
		{"cut behind a name", `{"a"`, pr("a"), false},
		{"cut behind a value", `{"a":"x"`, eq("a", "x"), true},
		{"no value", `{"a":}`, pr("a"), false},
		{"no colon", `{"a" "x"}`, pr("a"), false},
		{"no name", `{x:1,"a":1}`, pr("a"), false},
		{"escaped backslash at the end", `{"b":"x\\","a":"y"}`, eq("a", "y"), true},
		{"escaped backslash and quote", `{"b":"\\\",\"a\":1","c":"\\"}`, pr("a"), false},
		{"bad escape", `{"a":"\x"}`, not(eq("a", "x")), true},
		{"short escape", `{"a":"\u12"}`, text("a", query.Contains, "1"), false},
		{"lone surrogate", `{"a":"\ud800"}`, eq("a", "\uFFFD"), true},
		{"surrogates in the wrong order", `{"a":"\udc00\ud800"}`, eq("a", "\uFFFD\uFFFD"), true},
		{"bad literal", `{"a":nul}`, pr("a"), false},
		{"bad name, then the right one", `{"\x":1,"a":1}`, pr("a"), true},
		{"too deep", `{"a":` + deep, pr("a"), false},
		{"too deep for a value", `{"a":` + strings.Repeat(`[`, 200) + `1` + strings.Repeat(`]`, 200) + `}`, pr("a"), false},
		{"deep", `{"a":` + strings.Repeat(`[`, 100) + `1` + strings.Repeat(`]`, 100) + `}`, pr("a"), true},
		{"behind something deep", `{"b":` + strings.Repeat(`[{"b":`, 100_000) + `1` + strings.Repeat(`}]`, 100_000) + `,"a":1}`, pr("a"), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := query.Compile(c.node).Match(record{doc: c.doc}); got != c.want {
				t.Errorf("got %t, want %t", got, c.want)
			}
		})
	}
}

// FuzzJudge judges any bytes. Where they are JSON, the judge must say of the document, written out in the usual way, what the
// naive evaluator says of it.
func FuzzJudge(f *testing.F) {
	f.Add([]byte(ada))
	f.Add([]byte(`{"a":[{"b":"\ud800\u0061"},null,[1,-2.5e7]],"@c":true}`))
	f.Add([]byte(`{"a":{"a":{"b":true},"b":["true",false]}}`))
	f.Add([]byte(`{"a":"\`))
	f.Add([]byte(`[[[{"a":`))
	f.Add([]byte("\xff\"{"))
	var indexes []query.Index
	var nodes []query.Node
	for typ := query.String; typ <= query.Binary; typ++ {
		literal := map[query.Type]string{
			query.Boolean: "true", query.DateTime: "2011-05-12T23:12:34.5Z", query.Integer: "1", query.Decimal: "-2.5e7",
		}[typ]
		for _, path := range []string{"a", "a/b", "value", "", "emails/primary", "joined"} {
			l := typed(path, query.Equal, typ, literal)
			l.Fold = true
			present := l
			present.Op = query.Present
			nodes = append(nodes, l, present, element("a", l), element("emails", not(present)), element(path, query.And{not(l), present}))
			indexes = append(indexes, query.Index{Path: path, Type: typ, Fold: true})
		}
	}
	fineNumber := regexp.MustCompile(`[0-9.]{28}|[eE][+-]?[0-9]{4}`) // beyond what the canonical form tells apart
	known := numbers()
	known[typed("", query.Equal, query.Decimal, "1").Value] = big.NewRat(1, 1)
	known[typed("", query.Equal, query.Decimal, "-2.5e7").Value] = big.NewRat(-25_000_000, 1)
	f.Fuzz(func(t *testing.T, doc []byte) {
		for _, term := range query.Terms(doc, indexes) {
			if len(term.Value) > 512 {
				t.Errorf("a term of %d bytes", len(term.Value))
			}
		}
		for _, n := range nodes {
			query.Compile(n).Match(record{doc: string(doc)})
			query.MatchValue(n, doc)
		}
		var decoded any
		d := json.NewDecoder(bytes.NewReader(doc))
		d.UseNumber()
		if d.Decode(&decoded) != nil || bytes.Count(doc, []byte("["))+bytes.Count(doc, []byte("{")) > 100 || fineNumber.Match(doc) {
			return
		}
		written, err := json.Marshal(decoded)
		if err != nil {
			t.Fatal(err)
		}
		e := naive{doc: decoded, numbers: known}
		for _, n := range nodes {
			if got, want := query.Compile(n).Match(record{doc: string(written)}), e.record(n); got != want {
				t.Errorf("the judge says %t of %#v on %s", got, n, written)
			}
		}
	})
}
