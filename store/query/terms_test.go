package query_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"usher/store/query"
)

func TestTerms(t *testing.T) {
	indexes := []query.Index{
		{Path: "userName", Type: query.String, Fold: true},
		{Path: "name/familyName", Type: query.String},
		{Path: "active", Type: query.Boolean, Except: "1"},
		{Path: "locked", Type: query.Boolean, Except: "1"},
		{Path: "emails/value", Type: query.String, Fold: true, Except: "ada@home.example"},
		{Path: "tags", Type: query.String, Fold: true},
		{Path: "tags/value", Type: query.String},
		{Path: "nickName", Type: query.String},
		{Path: "title", Type: query.String},
		{Path: "score", Type: query.Integer},
		{Path: "whole", Type: query.Integer},
		{Path: "joined", Type: query.DateTime},
		{Path: "name", Type: query.String},
		{Path: "@id", Type: query.String},
	}
	want := []query.Term{
		{Path: "emails/value", Value: ""},
		{Path: "emails/value", Value: "ada@work.example"},
		{Path: "joined", Value: "2011-05-12T23:12:34.500000000Z"},
		{Path: "locked", Value: "0"},
		{Path: "name/familyName", Value: "Müller"},
		{Path: "nickName", Value: ""},
		{Path: "tags", Value: "green"},
		{Path: "tags", Value: "red"},
		{Path: "tags/value", Value: "GREEN"},
		{Path: "tags/value", Value: "Red"},
		{Path: "userName", Value: "ada@example.com"},
		{Path: "whole", Value: "c0015000000000000000000000000000"},
	}
	if diff := cmp.Diff(want, query.Terms([]byte(ada), indexes)); diff != "" {
		t.Error(diff)
	}
}

func TestTerms_WithoutDuplicates(t *testing.T) {
	doc := []byte(`{"tags":["b","a","B","a"],"b":"x","a":"y"}`)
	indexes := []query.Index{
		{Path: "tags", Type: query.String, Fold: true}, {Path: "b", Type: query.String}, {Path: "a", Type: query.String},
	}
	want := []query.Term{{Path: "a", Value: "y"}, {Path: "b", Value: "x"}, {Path: "tags", Value: "a"}, {Path: "tags", Value: "b"}}
	if diff := cmp.Diff(want, query.Terms(doc, indexes)); diff != "" {
		t.Error(diff)
	}
}

func TestTerms_PathsAlike(t *testing.T) {
	doc := []byte(`{"a":[{"b":"1","b-c":"2"},"3"],"a-c":{"b":"4"},"a/b":"5","ab":"6"}`)
	var indexes []query.Index
	for _, path := range []string{"a-c/b", "a/b-c", "a", "a/b", "a/value", "ab", "a-c"} {
		indexes = append(indexes, query.Index{Path: path, Type: query.String})
	}
	want := []query.Term{
		{Path: "a", Value: "3"}, {Path: "a-c/b", Value: "4"}, {Path: "a/b", Value: "1"}, {Path: "a/b-c", Value: "2"},
		{Path: "a/value", Value: "3"}, {Path: "ab", Value: "6"},
	}
	if diff := cmp.Diff(want, query.Terms(doc, indexes)); diff != "" {
		t.Error(diff)
	}
}

func TestTerms_LongValues(t *testing.T) {
	x := strings.Repeat("x", 600)
	for _, c := range []struct {
		name, value string
		unique      bool
		want        []string
	}{
		{"of the limit", x[:512], false, []string{x[:512]}},
		{"over the limit", x[:513], false, []string{x[:512], "\U0010FFFF"}},
		{"character over the limit", x[:511] + "é", false, []string{x[:511], "\U0010FFFF"}},
		{"large character over the limit", x[:509] + "😀", false, []string{x[:509], "\U0010FFFF"}},
		{"unique", x, true, []string{x}},
	} {
		t.Run(c.name, func(t *testing.T) {
			terms := query.Terms([]byte(`{"a":"`+c.value+`"}`), []query.Index{{Path: "a", Type: query.String, Unique: c.unique}})
			var got []string
			for _, term := range terms {
				got = append(got, term.Value)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestPlan_LongValues takes values and literals of all lengths about the one at which an index cuts, in all pairs: whatever the
// operator, a plan must find the records of the judge, and one over a short literal must not need it but where that is documented.
func TestPlan_LongValues(t *testing.T) {
	var values []string
	for _, tail := range []string{"", "z", "é", "😀", "a😀a😀", strings.Repeat("é", 20), strings.Repeat("b", 40), "\U0010FFFF"} {
		for _, n := range []int{1, 504, 507, 508, 509, 511, 512, 513} {
			values = append(values, strings.Repeat("a", n)+tail)
		}
	}
	values = append(values, "", "\U0010FFFF", "\U0010FFFFa", "z", "\U0010FFFF"+strings.Repeat("a", 508), "\U0010FFFF"+strings.Repeat("a", 600), strings.Repeat("é", 260), strings.Repeat("é", 260)+"a")
	values = append(values, strings.Repeat("a", 508)+strings.Repeat("\x80", 4), strings.Repeat("a", 508)+strings.Repeat("\x80", 8))
	slices.Sort(values)
	values = slices.Compact(values)
	for _, c := range []struct {
		name  string
		index query.Index
	}{
		{"string", query.Index{Type: query.String}},
		{"reference", query.Index{Type: query.Reference}},
		{"unique", query.Index{Type: query.String, Unique: true}},
		{"except a long value", query.Index{Type: query.String, Except: strings.Repeat("a", 513) + "z"}},
		{"except the cut value", query.Index{Type: query.String, Except: strings.Repeat("a", 512)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			ix := c.index
			ix.Path = "a"
			terms := map[string][]query.Term{}
			for _, v := range values {
				terms[v] = query.Terms([]byte(`{"a":"`+v+`"}`), []query.Index{ix})
				for _, term := range terms[v] {
					if !ix.Unique && len(term.Value) > 512 || utf8.ValidString(v) && !utf8.ValidString(term.Value) {
						t.Fatalf("a term of %d bytes: %q", len(term.Value), term.Value)
					}
				}
			}
			for _, literal := range values {
				for op := query.Equal; op <= query.LessEqual; op++ {
					l := query.Leaf{Path: "a", Op: op, Type: ix.Type, Value: literal}
					plan := query.MakePlan(l, []query.Index{ix}, nil)
					for _, v := range values {
						got := reaches(plan.Access, terms[v]) && (plan.Rest == nil || l.Matches(v))
						if want := l.Matches(v); got != want {
							t.Fatalf("operator %d with a literal of %d bytes %q: the plan says %t of %q", op, len(literal), literal, got, v)
						}
					}
					inexact := op == query.Contains || op == query.EndsWith || op == query.Greater || op == query.GreaterEqual
					if plan.Rest != nil && len(literal) <= 508 && !inexact && literal != "" && ix.Except == "" && literal[0] != 0xf4 {
						t.Errorf("operator %d with a literal of %d bytes needs the judge", op, len(literal))
					}
				}
			}
		})
	}
}

func BenchmarkTerms(b *testing.B) {
	doc := []byte(person)
	b.SetBytes(int64(len(doc)))
	b.ReportAllocs()
	for b.Loop() {
		query.Terms(doc, hot())
	}
}

// hot are the indexes of a usual installation.
func hot() []query.Index {
	const enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User/"
	all := []query.Index{{Path: "externalId", Type: query.String}, {Path: "active", Type: query.Boolean, Except: "1"}}
	for _, path := range []string{
		"emails/value", "displayName", "name/familyName", "name/givenName", "phoneNumbers/value",
		enterprise + "employeeNumber", enterprise + "department", enterprise + "manager/value",
	} {
		all = append(all, query.Index{Path: path, Type: query.String, Fold: true})
	}
	return all
}

// person is of the size and shape that identity providers send.
var person = fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User",`+
	`"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User","urn:ietf:params:scim:schemas:extension:usher:2.0:User"],`+
	`"externalId":"00ujl29u0le5T6Aj10h7","userName":"Ada.Lovelace@example.com","name":{"formatted":"Ms. Ada Byron Lovelace",`+
	`"familyName":"Lovelace","givenName":"Ada","middleName":"Byron","honorificPrefix":"Ms."},"displayName":"Ada Lovelace",`+
	`"nickName":"Ada","title":"Principal Engineer","userType":"Employee","preferredLanguage":"en-GB","locale":"en-GB",`+
	`"timezone":"Europe/London","active":true,"emails":[{"value":"ada.lovelace@example.com","type":"work","primary":true},`+
	`{"value":"ada@lovelace.example","type":"home"}],"phoneNumbers":[{"value":"tel:+44-20-7946-0123","type":"work"},`+
	`{"value":"tel:+44-7700-900456","type":"mobile"}],"addresses":[{"type":"work","streetAddress":"12 St James's Square",`+
	`"locality":"London","postalCode":"SW1Y 4JH","country":"GB","formatted":"12 St James's Square\nLondon SW1Y 4JH"}],`+
	`"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"employeeNumber":"701984","costCenter":"4130",`+
	`"organization":"Analytical Engines","division":"Research","department":"Tour Operations",`+
	`"manager":{"value":"018f3c9e-7b1a-7c3d-9e4f-26118915a001","displayName":"Charles Babbage"}},`+
	`"urn:ietf:params:scim:schemas:extension:usher:2.0:User":{"license":"%s"}}`, "video-pro-plus")
