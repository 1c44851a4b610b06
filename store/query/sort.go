package query

import (
	"cmp"
	"strings"
)

// Sort is an order of records by the values at a path (RFC 7644 section 3.4.2.3). A record is placed by one value: of several the
// primary one's, or else the first. Those without a value come last, or first when the order is descending. Records in the same place
// are in the order of their creation, whichever the direction.
type Sort struct {
	Path       string // as in a Leaf
	Type       Type
	Fold       bool // strings are compared folded (the attribute is not caseExact)
	Descending bool
}

// SortKey is a record's place in an order.
type SortKey struct {
	Value string // canonical (see Canonical)
	None  bool   // the record has no value
}

// UsesColumn says whether it looks at more than the document.
func (s Sort) UsesColumn() bool { return isColumn(s.Path) }

// Key gives the place of a record. A value whose JSON type does not fit the type of the sort is none.
func (s Sort) Key(r Record) SortKey {
	var room [256]byte
	if isColumn(s.Path) {
		values := r.Column(s.Path)
		switch {
		case len(values) == 0:
			return SortKey{None: true}
		case s.Fold && s.Type == String:
			return SortKey{Value: string(appendFold(room[:0], []byte(values[0])))}
		}
		return SortKey{Value: values[0]}
	}
	doc := r.Document()
	value := preferred(doc[skipSpace(doc, 0):], strings.Split(s.Path, "/"), maxDepth)
	if value != nil {
		if v, ok := canonicalJSON(room[:0], value, s.Type, s.Fold); ok {
			return SortKey{Value: string(v)}
		}
	}
	return SortKey{None: true}
}

// Compare says whether a record with the key a stands before (-1) or behind (1) one with the key b, or in the same place (0).
func (s Sort) Compare(a, b SortKey) int {
	var c int
	switch {
	case a.None || b.None:
		c = order(a.None) - order(b.None)
	default:
		c = cmp.Compare(a.Value, b.Value)
	}
	if s.Descending {
		return -c
	}
	return c
}

func order(none bool) int {
	if none {
		return 1
	}
	return 0
}

// preferred gives the one value at the names below v by which a record is sorted; nil when there is none. Of a list it goes on with the
// primary element, or else the first.
func preferred(v []byte, names []string, depth int) []byte {
	if len(v) == 0 || depth == 0 {
		return nil
	}
	switch {
	case v[0] == '[':
		return preferred(primary(v), names, depth-1)
	case v[0] == '{' && len(names) > 0:
		for r := enter(v); r.next(); {
			if r.named(names[0]) {
				return preferred(r.value, names[1:], depth-1)
			}
		}
		return nil
	case v[0] == '{' || !simple(names):
		return nil
	}
	if end := skipValue(v, 0); end > 0 && string(v[:end]) != "null" {
		return v[:end]
	}
	return nil
}

// primary gives the element of a list that says it is the primary one, or else the first; nil when there is none.
func primary(list []byte) []byte {
	var first []byte
	for r := enter(list); r.next(); {
		if len(r.value) > 0 && r.value[0] == '{' {
			for m := enter(r.value); m.next(); {
				if m.named("primary") && string(m.value) == "true" {
					return r.value
				}
			}
		}
		if first == nil {
			first = r.value
		}
	}
	return first
}
