package query

import (
	"bytes"
	"strconv"
)

// Node is a filter: one of And, Or, Not, Leaf and Element. Nil matches everything.
type Node interface{ node() }

// And holds if all of its nodes hold; an empty one holds.
type And []Node

// Or holds if any of its nodes holds; an empty one does not.
type Or []Node

// Not holds if its node does not.
type Not struct{ Node Node }

// Leaf compares the values at a path with a literal.
type Leaf struct {
	Path  string
	Op    Op
	Type  Type
	Fold  bool   // strings are compared folded (the attribute is not caseExact)
	Value string // canonical (see Canonical); unused by Present
}

// Element holds if one element of the multi-valued complex attribute at Path satisfies Cond,
// whose paths are relative to the element. On a single-valued complex attribute that value is the element.
type Element struct {
	Path string
	Cond Node
}

func (And) node()     {}
func (Or) node()      {}
func (Not) node()     {}
func (Leaf) node()    {}
func (Element) node() {}

// Op is a comparison. There is no "not equal": it is the Not of an Equal.
type Op uint8

// The operators of RFC 7644 section 3.4.2.2.
const (
	Equal Op = iota + 1
	Contains
	StartsWith
	EndsWith
	Greater
	GreaterEqual
	Less
	LessEqual
	Present
)

// Matches says whether a canonical value, one that is there, answers the leaf. The engines keep such values in their indexes; the
// judge and the planner go by the same comparison.
func (l Leaf) Matches(value string) bool { return l.Op.holds([]byte(value), []byte(l.Value)) }

func (o Op) holds(value, literal []byte) bool {
	switch o {
	case Equal:
		return bytes.Equal(value, literal)
	case Contains:
		return bytes.Contains(value, literal)
	case StartsWith:
		return bytes.HasPrefix(value, literal)
	case EndsWith:
		return bytes.HasSuffix(value, literal)
	case Greater:
		return bytes.Compare(value, literal) > 0
	case GreaterEqual:
		return bytes.Compare(value, literal) >= 0
	case Less:
		return bytes.Compare(value, literal) < 0
	case LessEqual:
		return bytes.Compare(value, literal) <= 0
	case Present:
		return len(value) > 0
	}
	return false
}

// Type is the type of the values at a path; it decides their canonical form.
type Type uint8

// The types of RFC 7643 section 2.3 that a filter can compare.
const (
	String Type = iota + 1
	Boolean
	DateTime
	Integer
	Decimal
	Reference
	Binary
)

// String gives the name of the type in RFC 7643.
func (t Type) String() string {
	switch t {
	case String:
		return "string"
	case Boolean:
		return "boolean"
	case DateTime:
		return "dateTime"
	case Integer:
		return "integer"
	case Decimal:
		return "decimal"
	case Reference:
		return "reference"
	case Binary:
		return "binary"
	}
	return "Type(" + strconv.Itoa(int(t)) + ")"
}

// Term is one value of a record in an index.
type Term struct{ Path, Value string }

// Index says that the values at a path are kept in an index, in the canonical form that Type and Fold give. The path may be a
// column's; a path has one index at most, as a [Term] does not say which it belongs to. Values of a column or of a Unique index are kept in full length, others as [Terms] gives them.
type Index struct {
	Path string
	Type Type
	Fold bool
	// Except is a value so common that it is left out of the index: no access can be driven by it. Empty: none.
	Except string
	// Unique says that at most one record has a given value.
	Unique bool
}

// UsesColumns says whether the judge of a filter looks at more than the document.
func UsesColumns(n Node) bool {
	some := func(nodes []Node) bool {
		for _, n := range nodes {
			if UsesColumns(n) {
				return true
			}
		}
		return false
	}
	switch n := n.(type) {
	case And:
		return some(n)
	case Or:
		return some(n)
	case Not:
		return UsesColumns(n.Node)
	case Leaf:
		return isColumn(n.Path)
	case Element:
		return isColumn(n.Path)
	}
	return false
}
