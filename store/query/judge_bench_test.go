package query_test

import (
	"testing"

	"usher/store/query"
)

func benchmarks() map[string]query.Node {
	const enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User/"
	return map[string]query.Node{
		"first value":  eq("userName", "ada.lovelace@example.com"),
		"middle value": typed("active", query.Equal, query.Boolean, "false"),
		"last value":   eq(enterprise+"manager/value", "018f3c9e-7b1a-7c3d-9e4f-26118915a001"),
		"absent":       eq("profileUrl", "x"),
		"escaped":      text("addresses/formatted", query.EndsWith, "4jh"),
		"value path":   element("emails", query.And{eq("type", "home"), eq("value", "ada@lovelace.example")}),
		"and of three": query.And{typed("active", query.Equal, query.Boolean, "true"), eq("name/familyName", "lovelace"), eq(enterprise+"department", "sales")},
		"column":       eq("@id", "a-1"),
	}
}

func BenchmarkJudge(b *testing.B) {
	r := &benchRecord{doc: []byte(person), id: []string{"a-1"}}
	for name, n := range benchmarks() {
		judge := query.Compile(n)
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(r.doc)))
			b.ReportAllocs()
			for b.Loop() {
				judge.Match(r)
			}
		})
	}
}

// TestJudge_Allocations keeps the judge of ASCII values off the heap: it looks at every document of an unindexed filter.
func TestJudge_Allocations(t *testing.T) {
	r := &benchRecord{doc: []byte(person), id: []string{"a-1"}}
	for name, n := range benchmarks() {
		judge := query.Compile(n)
		if n := testing.AllocsPerRun(100, func() { judge.Match(r) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

type benchRecord struct {
	doc []byte
	id  []string
}

func (r *benchRecord) Document() []byte       { return r.doc }
func (r *benchRecord) Column(string) []string { return r.id }
