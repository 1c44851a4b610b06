package query

import (
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	// termLimit is the length in bytes to which a long value is cut in an index.
	termLimit = 512
	// termSure is a length that is left of every value that was cut, as no character but the last can have been broken.
	// A literal that is no longer compares with the beginning of a value as it does with the value.
	termSure = termLimit - utf8.UTFMax
	// termLong is the term that a value which was cut adds to its beginning. What looks inside values, which the index does not
	// have then, finds the record by it. U+10FFFF is no character (Unicode 23.7), so that it is not met otherwise.
	termLong = "\U0010FFFF"
)

// Terms gives the indexed values of a document, sorted and without duplicates. Indexes over columns are left to the engine, as are
// the values that an index leaves out or that do not fit its type.
//
// A value over 512 bytes is indexed by its beginning and one more term for all such values, but whole in a Unique index;
// [MakePlan] knows that.
func Terms(doc []byte, indexes []Index) []Term {
	wants := make([]want, 0, len(indexes))
	for _, ix := range indexes {
		if !isColumn(ix.Path) {
			wants = append(wants, want{ix, strings.Split(ix.Path, "/")})
		}
	}
	slices.SortFunc(wants, func(a, b want) int { return slices.Compare(a.names, b.names) })
	var c collector
	c.collect(doc[skipSpace(doc, 0):], wants, 0, maxDepth)
	slices.SortFunc(c.terms, func(a, b Term) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Value, b.Value))
	})
	return slices.Compact(c.terms)
}

// want is an index and its path, split.
type want struct {
	index Index
	names []string
}

// collector gathers terms in one pass over a document. It finds the values that walk does.
type collector struct {
	terms []Term
	room  [256]byte
}

// collect takes the values below v for the wants, which are sorted by their names, the first level of which have led to v.
func (c *collector) collect(v []byte, wants []want, level, depth int) {
	if len(v) == 0 || depth == 0 {
		return
	}
	switch v[0] {
	case '[':
		for r := enter(v); r.next(); {
			c.collect(r.value, wants, level, depth-1)
		}
	case '{':
		for len(wants) > 0 && len(wants[0].names) == level { // an object has no form in an index
			wants = wants[1:]
		}
		for r := enter(v); r.next(); {
			c.member(&r, wants, level, depth)
		}
	default:
		end := skipValue(v, 0)
		if end < 0 {
			return
		}
		for i := range wants {
			if simple(wants[i].names[level:]) {
				c.add(v[:end], &wants[i].index)
			}
		}
	}
}

// member collects from one member of an object.
func (c *collector) member(r *reader, wants []want, level, depth int) {
	for len(wants) > 0 {
		name := wants[0].names[level]
		same := 1
		for same < len(wants) && wants[same].names[level] == name {
			same++
		}
		if r.named(name) {
			c.collect(r.value, wants[:same], level+1, depth-1)
			return
		}
		wants = wants[same:]
	}
}

// add takes a value for an index.
func (c *collector) add(value []byte, ix *Index) {
	v, ok := canonicalJSON(c.room[:0], value, ix.Type, ix.Fold)
	switch {
	case !ok || ix.Except != "" && string(v) == ix.Except:
	case len(v) > termLimit && !ix.whole():
		c.terms = append(c.terms, Term{ix.Path, cut(string(v), termLimit)}, Term{ix.Path, termLong})
	default:
		c.terms = append(c.terms, Term{ix.Path, string(v)})
	}
}

// whole says whether the index keeps values in full length. Only texts can be long.
func (ix Index) whole() bool {
	text := ix.Type == String || ix.Type == Reference || ix.Type == Binary
	return ix.Unique || isColumn(ix.Path) || !text
}

// cut gives the beginning of s in at most limit bytes, without breaking a character; fewer than [utf8.UTFMax] bytes less.
func cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	end := limit
	for end > limit-utf8.UTFMax+1 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end]
}
