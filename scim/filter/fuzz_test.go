package filter

import (
	"encoding/json"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	parser "github.com/scim2/filter-parser/v2"

	"usher/scim/schema"
	"usher/store/query"
)

// traced adds to a corpus what identity providers have sent, by the traces of scimtest: filters, or paths.
func traced(f *testing.F, filters bool) {
	files, err := filepath.Glob("../scimtest/testdata/traces/*.json")
	if err != nil || len(files) == 0 {
		f.Fatalf("no traces: %v", err)
	}
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, v := range v {
				walk(v)
			}
		case map[string]any:
			for name, v := range v {
				text, ok := v.(string)
				switch {
				case !ok:
					walk(v)
				case name == "path" && filters:
					if _, raw, ok := strings.Cut(text, "filter="); ok {
						raw, _, _ = strings.Cut(raw, "&")
						if filter, err := url.QueryUnescape(raw); err == nil {
							f.Add(filter)
						}
					}
				case name == "path" && !strings.HasPrefix(text, "/"):
					f.Add(text)
				}
			}
		}
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		var trace any
		if err := json.Unmarshal(b, &trace); err != nil {
			f.Fatal(err)
		}
		walk(trace)
	}
}

// fuzzed are records that what is accepted is tried on.
var fuzzed = []document{
	`{}`,
	`{"userName":"bjensen","externalId":"701984","active":true,"title":"Tour Guide","name":{"familyName":"Jensen","givenName":"Barbara"},
		"emails":[{"value":"bjensen@example.com","type":"work","primary":true},{"value":"babs@jensen.org","type":"home"}],"userType":"Employee"}`,
	`{"userName":"ada","active":false,"emails":[{"type":"work"},{"value":""}],"roles":[{"value":"x","primary":false}],"schemas":["a"],
		"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"Tours","manager":{"value":"26118915","displayName":"J"}}}`,
	`{"displayName":"Tour Guides","externalId":"701984"}`,
}

// document is a record with the same value in each column.
type document string

func (d document) Document() []byte { return []byte(d) }

func (d document) Column(path string) []string {
	if strings.HasSuffix(path, "[]") {
		return []string{`{"value":"2819c223","display":"Babs"}`}
	}
	return []string{"2819c223"}
}

// decide says what a filter means, by looking at each leaf on its own.
func decide(n query.Node, d document) bool {
	switch n := n.(type) {
	case query.And:
		for _, part := range n {
			if !decide(part, d) {
				return false
			}
		}
		return true
	case query.Or:
		for _, part := range n {
			if decide(part, d) {
				return true
			}
		}
		return false
	case query.Not:
		return !decide(n.Node, d)
	}
	return query.Compile(n).Match(d)
}

// FuzzFilter: what is refused is refused with a sentence. What is accepted is within the limits, means the same when it is read again, in
// parentheses and where more is tolerated, the opposite behind not, and what its parts mean; and where the library reads it without our
// guard, the guard has changed nothing.
func FuzzFilter(f *testing.F) {
	for _, s := range []string{
		`userName eq "ada"`, `id eq "u1" and members eq "u2"`, `emails[type eq "work"].value eq "x"`, `not (title pr) or active eq true`,
		`emails[type eq "work" and (value co "\u00e9]" or not (primary eq "True"))]`, `meta.lastModified gt "2011-05-13T04:42:34Z"`,
		enterprise + `:manager eq x`, `a eq "\`, `((((`, `a[b[c]]`, "\xff", `title eq null`, `total gt -1e5`,
		// RFC 7644 section 3.4.2.2, figure 2.
		`userName Eq "bjensen"`, `name.familyName co "O'Malley"`, `urn:ietf:params:scim:schemas:core:2.0:User:userName sw "J"`,
		`title pr and userType eq "Employee"`, `title pr or userType eq "Intern"`, `schemas eq "` + enterprise + `"`,
		`userType eq "Employee" and (emails co "example.com" or emails.value co "example.org")`,
		`userType ne "Employee" and not (emails co "example.com" or emails.value co "example.org")`,
		`userType eq "Employee" and (emails.type eq "work")`, `userType eq "Employee" and emails[type eq "work" and value co "@example.com"]`,
		`emails[type eq "work" and value co "@example.com"] or ims[type eq "xmpp" and value co "@foo.com"]`,
	} {
		f.Add(s)
	}
	traced(f, true)
	p, r := newParser(f)
	f.Fuzz(func(t *testing.T, text string) {
		for _, rt := range r.ResourceTypes() {
			checkFilter(t, p, rt, text)
		}
		checkAgainstLibrary(t, p, text)
	})
}

func checkFilter(t *testing.T, p *Parser, rt *schema.ResourceType, text string) {
	tolerated := &all{}
	n, err := p.Filter(text, rt, tolerated)
	strict, strictErr := p.Filter(text, rt, nil)
	checkOutcome(t, p, text, n != nil, err)
	checkOutcome(t, p, text, strict != nil, strictErr)
	if needed := len(tolerated.asked) > 0; !needed && (err == nil) != (strictErr == nil) || strictErr == nil && (err != nil || needed) {
		t.Fatalf("%q: %v, strictly %v, though the quirks needed are %v", text, err, strictErr, tolerated.asked)
	}
	if err != nil {
		return
	}
	if strictErr == nil && !reflect.DeepEqual(n, strict) {
		t.Fatalf("%q is %#v, strictly %#v", text, n, strict)
	}
	if again, err := p.Filter(text, rt, tolerated); err != nil || !reflect.DeepEqual(n, again) {
		t.Fatalf("%q is %#v, the second time %#v, %v", text, n, again, err)
	}
	for _, d := range fuzzed {
		if decide(n, d) != query.Compile(n).Match(d) {
			t.Fatalf("%q: %#v: the whole is not what its parts are, on %s", text, n, d)
		}
	}
	inner := strings.Trim(text, " ")
	grouped, err := p.Filter("("+inner+")", rt, tolerated)
	if err != nil {
		if len(inner)+2 > p.maxBytes || strings.Count(inner, "(")+strings.Count(inner, "[") >= p.maxDepth {
			return
		}
		t.Fatalf("%q in parentheses: %v", text, err)
	}
	if !reflect.DeepEqual(n, grouped) {
		t.Fatalf("%q is %#v, in parentheses %#v", text, n, grouped)
	}
	opposite, err := p.Filter("not ("+inner+")", rt, tolerated)
	if err != nil {
		if len(inner)+6 > p.maxBytes {
			return
		}
		t.Fatalf("not (%s): %v", text, err)
	}
	for _, d := range fuzzed {
		if query.Compile(n).Match(d) == query.Compile(opposite).Match(d) {
			t.Fatalf("%q and its opposite are both %t for %s", text, query.Compile(n).Match(d), d)
		}
	}
}

// checkAgainstLibrary compares trees with the library's where both take the text. Long and deep texts, which the library crawls on, are
// left out, and what it is known to read wrong: brackets, escapes and names that are keywords.
func checkAgainstLibrary(t *testing.T, p *Parser, text string) {
	if len(text) > 200 || strings.Count(text, "(") > 6 || strings.ContainsAny(text, "[]\\\ufffd") || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' }) {
		return
	}
	text = strings.Trim(text, " ")
	ours, err := p.tree(text)
	if err != nil {
		return
	}
	theirs, err := parser.ParseFilterNumber([]byte(text))
	if err != nil || namesKeyword(theirs) {
		return
	}
	if want := treeOf(theirs); ours != want {
		t.Fatalf("%q: the library says %s, the guard %s", text, want, ours)
	}
}

// FuzzPath: what is refused is refused with a sentence. What is accepted names something that there is, means the same when it is read
// again, in other case and where more is tolerated, and what its filter pins down meets the filter.
func FuzzPath(f *testing.F) {
	for _, s := range []string{
		`active`, `name.familyName`, `emails[type eq "work"].value`, `roles[primary eq "True"].value`, `members[value eq "u1" or value eq "u2"]`,
		enterprise, enterprise + `:manager.value`, `a[`, `a]`, `emails[type eq "]"]`, `emails[type eq "\u00e9"].display`, "\xff", `.`,
		// RFC 7644 section 3.5.2.
		`members`, `addresses[type eq "work"]`, `members[value eq "2819c223-7f76-453a-919d-413861904646"]`,
		`members[value eq "2819c223-7f76-453a-919d-413861904646"].displayName`, `emails[type eq "work" and value ew "example.com"]`,
		`addresses[type eq "work"].streetAddress`,
	} {
		f.Add(s)
	}
	traced(f, false)
	p, r := newParser(f)
	f.Fuzz(func(t *testing.T, text string) {
		for _, rt := range r.ResourceTypes() {
			checkPath(t, p, rt, text)
		}
	})
}

func checkPath(t *testing.T, p *Parser, rt *schema.ResourceType, text string) {
	tolerated := &all{}
	path, err := p.Path(text, rt, tolerated)
	strict, strictErr := p.Path(text, rt, nil)
	checkOutcome(t, p, text, path.Attribute != nil || path.Extension != nil, err)
	checkOutcome(t, p, text, strict.Attribute != nil || strict.Extension != nil, strictErr)
	if needed := len(tolerated.asked) > 0; !needed && (err == nil) != (strictErr == nil) || strictErr == nil && (err != nil || needed) {
		t.Fatalf("%q: %v, strictly %v, though the quirks needed are %v", text, err, strictErr, tolerated.asked)
	}
	if err != nil {
		return
	}
	if strictErr == nil && !reflect.DeepEqual(path, strict) {
		t.Fatalf("%q is %+v, strictly %+v", text, path, strict)
	}
	if again, err := p.Path(text, rt, tolerated); err != nil || !reflect.DeepEqual(path, again) {
		t.Fatalf("%q is %+v, the second time %+v, %v", text, path, again, err)
	}
	if path.Sub != nil && path.Attribute.SubAttribute(path.Sub.Name) != path.Sub {
		t.Fatalf("%q: %s is not a sub-attribute of %s", text, path.Sub.Name, path.Attribute.Name)
	}
	if brackets := strings.Contains(text, "["); brackets != (path.Cond != nil) {
		t.Fatalf("%q has the filter %#v", text, path.Cond)
	}
	if path.Cond == nil {
		if other, err := p.Path(strings.ToUpper(text), rt, tolerated); err != nil || other.Target != path.Target {
			t.Fatalf("%q is %+v, in upper case %+v, %v", text, path, other, err)
		}
	}
	if path.Stamp == nil {
		return
	}
	element, err := json.Marshal(path.Stamp)
	if err != nil {
		t.Fatal(err)
	}
	if !query.MatchValue(path.Cond, element) {
		t.Fatalf("%q: %s does not meet its filter %#v", text, element, path.Cond)
	}
}

// checkOutcome checks what holds for every text: an *Error with a sentence of limited length or a result, and no result beyond the limits.
func checkOutcome(t *testing.T, p *Parser, text string, ok bool, err error) {
	t.Helper()
	if err == nil {
		if !ok {
			t.Fatalf("%q: neither a result nor an error", text)
		}
		if len(text) > p.maxBytes || !utf8.ValidString(text) {
			t.Fatalf("%q was not refused", text)
		}
		return
	}
	var e *Error
	if !errors.As(err, &e) || e.Detail == "" || len(e.Detail) > 2000 || !utf8.ValidString(e.Detail) {
		t.Fatalf("%q: %T %v", text, err, err)
	}
}
