package filter

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	parser "github.com/scim2/filter-parser/v2"
	"pgregory.net/rapid"
)

// TestGuard_hostile: texts that make the library die or crawl are refused, or get to it only as a short skeleton.
func TestGuard_hostile(t *testing.T) {
	r := func(s string, n int) string { return strings.Repeat(s, n) }
	tests := []struct {
		name, text string
	}{
		{"100,000 parentheses", r("(", 100_000)},
		{"100,000 nots", r("not(", 100_000)},
		{"33 parentheses", r("(", 33) + "title pr" + r(")", 33)},
		{"33 nots", r("not (", 33) + "title pr" + r(")", 33)},
		{"parentheses in brackets", r("(", 16) + `emails[` + r("(", 16) + `type pr` + r(")", 16) + `]` + r(")", 16)},
		{"brackets", r("emails[", 1000)},
		{"closing brackets", r("]", 1000)},
		{"quotes", r(`"`, 1001)},
		{"backslashes", `title eq "` + r(`\`, 8000)},
		{"replacement characters in a name", r("\ufffd", 2000) + " pr"},
		{"replacement characters as a literal", "title eq " + r("\ufffd", 2000)},
		{"an endless name", r("a", 8000) + " pr"},
		{"long names", r(r("a", 129)+" pr and ", 50) + "title pr"},
		{"digits", "title eq " + r("1", 8000) + "x"},
		{"a huge exponent", "meta.created eq 1e999999999"},
		{"a megabyte", `title eq "` + r("a", 1<<20) + `"`},
	}
	p, reg := newParser(t)
	for _, test := range tests {
		var e *Error
		if _, err := p.Filter(test.text, reg.User, nil); !errors.As(err, &e) {
			t.Errorf("%s: filter: got %v", test.name, err)
		} else if len(e.Detail) > 500 {
			t.Errorf("%s: filter: the error has %d bytes", test.name, len(e.Detail))
		}
		if _, err := p.Path(test.text, reg.User, nil); !errors.As(err, &e) {
			t.Errorf("%s: path: got %v", test.name, err)
		}
	}
	accepted := []string{
		r("(", 32) + "title pr" + r(")", 32),
		`title eq "` + r("\ufffd", 2000) + `"`,
		`title eq "` + r("(", 8000) + `"`,
		"title pr" + r(" ", 8000) + "and title pr",
		r("title pr or ", 600) + "title pr",
	}
	for _, text := range accepted {
		if _, err := p.Filter(text, reg.User, nil); err != nil {
			t.Errorf("%s: %v", excerpt(text), err)
		}
	}
}

// TestShapes_bounded: made-up shapes do not grow the cache, nor push out the one in use.
func TestShapes_bounded(t *testing.T) {
	var c shapes
	hot := []byte(`userName eq "0"`)
	first, ok := c.get(hot)
	if !ok {
		t.Fatal("not parsed")
	}
	for i := range 5 * maxShapes / 2 {
		if s, ok := c.get(fmt.Appendf(nil, `a%d pr`, i)); !ok || s.kind != test {
			t.Fatalf("shape %d is not parsed", i)
		}
		if i%100 == 0 {
			if s, _ := c.get(hot); s != first {
				t.Fatalf("the shape in use was forgotten after %d others", i)
			}
		}
		if n := len(c.recent) + len(c.older); n > 2*maxShapes {
			t.Fatalf("%d shapes are kept", n)
		}
	}
	long := []byte(strings.Repeat("title pr and ", maxSkeleton/13) + "title pr")
	if _, ok := c.get(long); !ok || c.find(long) != nil {
		t.Errorf("a skeleton of %d bytes is kept", len(long))
	}
}

// TestGuard_agreesWithTheParser: on filters without brackets and escapes, which the library reads right, the guard and the
// skeleton give the tree that the library gives for the text itself.
func TestGuard_agreesWithTheParser(t *testing.T) {
	p, _ := newParser(t)
	word := rapid.SampledFrom([]string{"a", "b.c", "not", "and", "or", "eq", "EQ", "pr", "PR", "co", "gt", "AND", "Not", "x$", "$ref", "urn:a:b",
		"urn:x-y:2.0:User:n.m", "true", "False", "null", "5", "-1.5e3", "1E5", `"s"`, `"(x) and"`, `""`, "(", ")", "(a pr)", `a eq "s"`, "a pr"})
	rapid.Check(t, func(t *rapid.T) {
		var b strings.Builder
		for range rapid.IntRange(1, 9).Draw(t, "words") {
			b.WriteString(word.Draw(t, "word"))
			b.WriteString(rapid.SampledFrom([]string{" ", " ", " ", "  ", ""}).Draw(t, "space"))
		}
		text := strings.Trim(b.String(), " ")
		want, err := parser.ParseFilterNumber([]byte(text))
		got, ours := p.tree(text)
		if err == nil && namesKeyword(want) {
			return // not eq "x": to the library an attribute, to the guard always the keyword
		}
		if err != nil || ours != nil {
			if err == nil || ours == nil {
				t.Fatalf("%s: the library says %v, the guard %v", text, err, ours)
			}
			return
		}
		if diff := cmp.Diff(treeOf(want), got); diff != "" {
			t.Fatalf("%s (-library +guard):\n%s", text, diff)
		}
	})
}

// tree gives the shape of a text with its literals put back, as text.
func (p *Parser) tree(text string) (string, error) {
	g := newGuard(nil, p.maxDepth, 0)
	tr := translator{parser: p}
	s, err := tr.shapeOf(g, text)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	var write func(s *shape)
	write = func(s *shape) {
		switch s.kind {
		case and, or:
			b.WriteString(map[shapeKind]string{and: "and(", or: "or("}[s.kind])
			for _, of := range s.of {
				write(of)
				b.WriteByte(';')
			}
			b.WriteByte(')')
		case not:
			b.WriteString("not(")
			write(s.of[0])
			b.WriteByte(')')
		case test:
			fmt.Fprintf(&b, "%s %s", s.name, s.op)
			if s.op != pr {
				it := g.items[s.item]
				said := it.describe()
				if it.kind == quoted { // which shortens long ones
					said = fmt.Sprintf("string %q", it.text)
				}
				fmt.Fprintf(&b, " %s", strings.ToLower(strings.TrimPrefix(said, "the ")))
			}
		}
	}
	write(s)
	return b.String(), nil
}

// namesKeyword says whether an attribute in the library's tree has the name of a keyword. No schema has such attributes.
func namesKeyword(e parser.Expression) bool {
	switch e := e.(type) {
	case *parser.NotExpression:
		return namesKeyword(e.Expression)
	case *parser.LogicalExpression:
		return namesKeyword(e.Left) || namesKeyword(e.Right)
	case *parser.AttributeExpression:
		return isKeyword(e.AttributePath.String())
	}
	return false
}

// treeOf gives the library's tree in the same form.
func treeOf(e parser.Expression) string {
	switch e := e.(type) {
	case *parser.NotExpression:
		return "not(" + treeOf(e.Expression) + ")"
	case *parser.LogicalExpression:
		var chain func(x parser.Expression) string
		chain = func(x parser.Expression) string {
			if l, ok := x.(*parser.LogicalExpression); ok && l.Operator == e.Operator {
				return chain(l.Left) + treeOf(l.Right) + ";"
			}
			return treeOf(x) + ";"
		}
		return string(e.Operator) + "(" + chain(e) + ")"
	case *parser.AttributeExpression:
		s := e.AttributePath.String() + " " + string(e.Operator)
		if e.Operator == parser.PR {
			return s
		}
		switch v := e.CompareValue.(type) {
		case nil:
			return s + " null"
		case bool:
			return fmt.Sprintf("%s boolean %v", s, v)
		case string:
			return fmt.Sprintf("%s string %q", s, strings.ToLower(v))
		default:
			return fmt.Sprintf("%s number %v", s, v)
		}
	}
	return fmt.Sprintf("%T", e)
}
