package query

import (
	"fmt"
	"strings"
)

// Record is what the judge looks at.
type Record interface {
	// Document is the record's canonical JSON.
	Document() []byte
	// Column gives the canonical values of a column (a path that begins with "@"); nil when it has none.
	Column(path string) []string
}

// Holder is a record that finds out by itself whether a column has a value, where to gather all of its values would be dear. ok is false
// for a column that is to be gathered.
type Holder interface {
	Holds(column, value string) (holds, ok bool)
}

// Judge decides whether records match a filter. It is safe for concurrent use.
type Judge struct{ root test }

// Compile makes the judge of a filter; nil matches everything.
func Compile(n Node) *Judge { return &Judge{root: compile(n, true)} }

// Match says whether the record matches. A value whose JSON type does not fit the type of a leaf does not answer that leaf, and
// what cannot be read as JSON, or is nested more than 128 deep, holds no values.
func (j *Judge) Match(r Record) bool {
	var room [256]byte
	doc := r.Document()
	return j.root.holds(subject{record: r, json: doc[skipSpace(doc, 0):]}, room[:0])
}

// MatchValue says whether a JSON value on its own (one element of a multi-valued attribute, say) matches a filter without columns.
// A value that is no object is addressed by the path "value".
func MatchValue(n Node, value []byte) bool {
	var room [256]byte
	root := compile(n, false)
	return root.holds(subject{json: value[skipSpace(value, 0):]}, room[:0])
}

// isColumn says whether a path of a record, not of an element, names a column.
func isColumn(path string) bool { return strings.HasPrefix(path, "@") }

// holdsObjects says whether a column's values are JSON objects, which only an Element can look into.
func holdsObjects(column string) bool { return strings.HasSuffix(column, "[]") }

// subject is what a test looks at: a record, a JSON value inside its document, or one value of a column.
type subject struct {
	record   Record // nil for an element
	json     []byte
	column   string
	isColumn bool
}

type kind uint8

const (
	allOf kind = iota
	anyOf
	noneOf
	leaf
	element
)

// test is a compiled node. It is one struct and not an interface so that the judge's room stays on the stack.
type test struct {
	kind   kind
	of     []test // the nodes below; the one condition of an element
	path   string
	column bool     // path names a column of the record
	names  []string // path, split

	op      Op
	typ     Type
	fold    bool
	literal []byte
}

// compile compiles a node; top says that its paths are those of a record.
func compile(n Node, top bool) test {
	switch n := n.(type) {
	case nil:
		return test{kind: allOf}
	case And:
		return test{kind: allOf, of: compileAll(n, top)}
	case Or:
		return test{kind: anyOf, of: compileAll(n, top)}
	case Not:
		return test{kind: noneOf, of: []test{compile(n.Node, top)}}
	case Leaf:
		t := test{kind: leaf, op: n.Op, typ: n.Type, fold: n.Fold && n.Type == String, literal: []byte(n.Value)}
		t.locate(n.Path, top)
		return t
	case Element:
		t := test{kind: element, of: []test{compile(n.Cond, false)}}
		t.locate(n.Path, top)
		return t
	}
	panic(fmt.Sprintf("query: unknown node %T", n))
}

func compileAll(nodes []Node, top bool) []test {
	all := make([]test, len(nodes))
	for i, n := range nodes {
		all[i] = compile(n, top)
	}
	return all
}

func (t *test) locate(path string, top bool) {
	t.path, t.column, t.names = path, top && isColumn(path), strings.Split(path, "/")
}

// holds uses the room behind buf, which is empty, for canonical values.
func (t *test) holds(s subject, buf []byte) bool {
	switch t.kind {
	case allOf:
		for i := range t.of {
			if !t.of[i].holds(s, buf) {
				return false
			}
		}
		return true
	case anyOf:
		for i := range t.of {
			if t.of[i].holds(s, buf) {
				return true
			}
		}
		return false
	case noneOf:
		return !t.of[0].holds(s, buf)
	}
	switch {
	case t.column:
		if t.kind == leaf && t.op == Equal && !t.fold {
			if h, isHolder := s.record.(Holder); isHolder {
				if holds, ok := h.Holds(t.path, string(t.literal)); ok {
					return holds
				}
			}
		}
		for _, v := range s.record.Column(t.path) {
			if t.acceptsColumn(v, buf) {
				return true
			}
		}
		return false
	case s.isColumn:
		return simple(t.names) && t.acceptsColumn(s.column, buf)
	}
	return walk(s.json, t.names, maxDepth, func(v []byte) bool { return t.acceptsJSON(v, buf) })
}

// acceptsJSON says whether a value at the path of a leaf or an element is what that asks for.
func (t *test) acceptsJSON(v, buf []byte) bool {
	switch {
	case t.kind == element:
		return t.of[0].holds(subject{json: v}, buf)
	case t.op == Present:
		return present(v, maxDepth)
	}
	c, ok := canonicalJSON(buf, v, t.typ, t.fold)
	return ok && t.op.holds(c, t.literal)
}

// acceptsColumn is acceptsJSON for the value of a column, which is canonical but for folding.
func (t *test) acceptsColumn(v string, buf []byte) bool {
	if t.kind == element {
		if t.column && holdsObjects(t.path) {
			return t.of[0].holds(subject{json: []byte(v)}, buf)
		}
		return t.of[0].holds(subject{column: v, isColumn: true}, buf)
	}
	c := append(buf, v...)
	if t.fold {
		c = appendFold(c[len(c):], c)
	}
	return t.op.holds(c, t.literal)
}
