package filter

import (
	"bytes"
	"slices"
	"strconv"
	"sync"

	parser "github.com/scim2/filter-parser/v2"
)

// shape is the tree of a skeleton: a filter without its literals. It is not changed after it was made.
type shape struct {
	kind shapeKind
	of   []*shape // of and, or, not

	name string     // of a test: the attribute as the client named it
	op   comparison // of a test
	item int        // of a test other than pr: the number of its literal
}

type shapeKind uint8

const (
	test shapeKind = iota
	and
	or
	not
)

// comparison is an operator of RFC 7644 section 3.4.2.2.
type comparison uint8

const (
	eq comparison = iota
	ne
	co
	sw
	ew
	gt
	ge
	lt
	le
	pr
)

func (c comparison) String() string {
	return [...]string{"eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le", "pr"}[c]
}

// comparisonOf reads an operator in any case.
func comparisonOf(w string) (comparison, bool) {
	if len(w) != 2 {
		return 0, false
	}
	for c := eq; c <= pr; c++ {
		if s := c.String(); w[0]|0x20 == s[0] && w[1]|0x20 == s[1] {
			return c, true
		}
	}
	return 0, false
}

// parseSkeleton has the library parse a skeleton. ok is false when it is no filter.
func parseSkeleton(skeleton []byte) (s *shape, ok bool) {
	e, err := parser.ParseFilterNumber(bytes.Clone(skeleton)) // so that only those skeletons leave the stack which are not cached
	if err != nil {
		return nil, false
	}
	return convert(e)
}

func convert(e parser.Expression) (*shape, bool) {
	switch e := e.(type) {
	case *parser.AttributeExpression:
		return convertTest(e)
	case *parser.NotExpression:
		inner, ok := convert(e.Expression)
		return &shape{kind: not, of: []*shape{inner}}, ok
	case *parser.LogicalExpression:
		return convertLogical(e)
	}
	return nil, false // a value path: the guard has lifted them all
}

// convertLogical makes one node of a chain, which the library hands over as nested pairs, as deep as the chain is long.
func convertLogical(e *parser.LogicalExpression) (*shape, bool) {
	s := &shape{kind: and}
	if e.Operator == parser.OR {
		s.kind = or
	}
	var last parser.Expression = e
	for {
		pair, ok := last.(*parser.LogicalExpression)
		if !ok || pair.Operator != e.Operator {
			break
		}
		right, ok := convert(pair.Right)
		if !ok {
			return nil, false
		}
		s.of = append(s.of, right)
		last = pair.Left
	}
	first, ok := convert(last)
	if !ok {
		return nil, false
	}
	s.of = append(s.of, first)
	slices.Reverse(s.of)
	return s, true
}

func convertTest(e *parser.AttributeExpression) (*shape, bool) {
	op, ok := comparisonOf(string(e.Operator))
	if !ok {
		return nil, false
	}
	s := &shape{kind: test, name: e.AttributePath.String(), op: op}
	if op == pr {
		return s, true
	}
	text, ok := e.CompareValue.(string)
	if !ok {
		return nil, false
	}
	n, err := strconv.Atoi(text)
	s.item = n
	return s, err == nil
}

// Bounds of the cache: entries in each of its two generations, and bytes of the skeletons that it keeps.
const (
	maxShapes   = 512
	maxSkeleton = 512
)

// shapes caches the shapes of skeletons. When its recent generation is full it becomes the older one, and the one before is
// forgotten; a shape found in the older one is recent again. So shapes that a client makes up push out each other, but not
// those in use. The zero value is empty and ready.
type shapes struct {
	mu            sync.Mutex
	recent, older map[string]*shape
}

// get gives the shape of a skeleton, parsing it when the cache does not have it. ok is false when it is no filter.
func (c *shapes) get(skeleton []byte) (s *shape, ok bool) {
	if s := c.find(skeleton); s != nil {
		return s, true
	}
	s, ok = parseSkeleton(skeleton)
	if ok && len(skeleton) <= maxSkeleton {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.keep(string(skeleton), s)
	}
	return s, ok
}

func (c *shapes) find(skeleton []byte) *shape {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.recent[string(skeleton)]; s != nil {
		return s
	}
	s := c.older[string(skeleton)]
	if s != nil {
		c.keep(string(skeleton), s)
	}
	return s
}

func (c *shapes) keep(skeleton string, s *shape) {
	if c.recent == nil || len(c.recent) >= maxShapes {
		c.recent, c.older = make(map[string]*shape), c.recent
	}
	c.recent[skeleton] = s
}
