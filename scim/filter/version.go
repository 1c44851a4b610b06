package filter

import (
	"strings"

	"usher/store"
	"usher/store/query"
)

// A version is shown as an entity tag, W/"…", and stored as what stands between the quotes. What is asked of the tag is asked of that;
// it has neither quotes nor letters, so there is one way only in which a text can lie on it.
const (
	tagBegins = `W/"`
	tagEnds   = `"`
)

// compareVersion makes the query of a comparison with an entity tag.
func (t *translator) compareVersion(a operand, op comparison, it item) (query.Node, error) {
	text, ok := t.literal(a.Attribute, it)
	if !ok {
		return nil, errorf("%s is %s and cannot be compared with %s", a.QualifiedName(), describe(a.Attribute), it.describe())
	}
	n := versioned(op, text)
	if op == ne {
		return query.Not{Node: n}, nil
	}
	return n, nil
}

// versioned makes the query; for ne, that of the comparison to negate.
func versioned(op comparison, text string) query.Node {
	is := func(op query.Op, value string) query.Node {
		return query.Leaf{Path: store.ColumnVersion, Op: op, Type: query.String, Value: value}
	}
	inner, begins := strings.CutPrefix(text, tagBegins)
	inner, ends := strings.CutSuffix(inner, tagEnds)
	switch op {
	case eq, ne:
		if !begins { // the version alone, or as a strong tag
			inner = strings.TrimPrefix(inner, tagEnds)
		}
		return is(query.Equal, inner)
	case sw:
		switch {
		case strings.HasPrefix(tagBegins, text):
			return query.And{}
		case begins && ends:
			return is(query.Equal, inner)
		}
		return when(begins, is(query.StartsWith, inner))
	case co, ew:
		return within(op, text)
	}
	if !begins {
		return when((tagBegins > text) == (op == gt || op == ge), query.And{})
	}
	if !ends { // the tag goes on where the text does not: it is the greater one of two that are the same so far
		switch op {
		case gt, ge:
			return is(query.GreaterEqual, inner)
		}
		return is(query.Less, inner)
	}
	return is(queryOp(op), inner)
}

// within makes the query of co and ew.
func within(op comparison, text string) query.Node {
	is := func(op query.Op, value string) query.Node {
		return query.Leaf{Path: store.ColumnVersion, Op: op, Type: query.String, Value: value}
	}
	if text == "" || text == tagEnds || op == co && strings.Contains(tagBegins, text) {
		return query.And{}
	}
	inner, ends := strings.CutSuffix(text, tagEnds)
	begins := false
	for i := range tagBegins { // the text may begin within what the tag begins with
		if rest, ok := strings.CutPrefix(inner, tagBegins[i:]); ok {
			inner, begins = rest, true
			break
		}
	}
	switch {
	case op == ew && !ends:
		return query.Or{}
	case begins && ends:
		return is(query.Equal, inner)
	case begins:
		return is(query.StartsWith, inner)
	case ends:
		return is(query.EndsWith, inner)
	}
	return is(query.Contains, inner)
}
