package query

import "strings"

// Way is the kind of an access.
type Way uint8

// The ways to the records of a filter.
const (
	All    Way = iota // every record, in order
	None              // no record at all
	Lookup            // the records with Leaf.Value at Leaf.Path (Leaf.Op is Equal)
	Range             // a range of the index at Leaf.Path: StartsWith, Greater, GreaterEqual, Less, LessEqual
	Search            // all of the index at Leaf.Path, keeping the values that Leaf matches: Contains, EndsWith
	Union             // the records of any of Of
)

// Access says how an engine gets at the records of a filter: a superset of the matches, all of them if the plan has no Rest.
//
// Leaf.Path is that of one of the indexes planned with, and Leaf.Value a value of its form. Of holds Lookups, Ranges and Searches
// only, none of them twice; a record may be reached by several. An engine that cannot carry out an access may read all records
// and judge each by the whole filter.
type Access struct {
	Way  Way
	Leaf Leaf
	Of   []Access
}

// Plan is how a filter is answered.
type Plan struct {
	Access Access
	Rest   Node // what the judge must still decide on each record; nil: the access is exact
}

// MakePlan plans a filter over the given indexes. estimate tells about how many records a Lookup has, counting no further than
// limit; it is asked only where there is a choice, and for no more than 4096 records in all. A nil estimate leaves the choice to
// the order of the filter.
func MakePlan(n Node, indexes []Index, estimate func(leaf Leaf, limit int) int) Plan {
	n = normal(n, true)
	p := planner{indexes: indexes, estimate: estimate, budget: planBudget}
	switch n := n.(type) {
	case And:
		if len(n) == 0 {
			return Plan{Access: Access{Way: All}}
		}
		d, at := p.cheapest(n, "")
		if at < 0 {
			return Plan{Rest: n}
		}
		if !d.exact {
			return Plan{Access: d.access, Rest: n}
		}
		rest := append(n[:at:at], n[at+1:]...)
		return Plan{Access: d.access, Rest: joinAnd(rest)}
	case Or:
		if len(n) == 0 {
			return Plan{Access: Access{Way: None}}
		}
	}
	d, ok := p.drive(n, "")
	switch {
	case !ok:
		return Plan{Rest: n}
	case d.exact:
		return Plan{Access: d.access}
	}
	return Plan{Access: d.access, Rest: n}
}

const (
	// planBudget bounds the records that estimates may count for one plan.
	planBudget = 4096
	// A first, short count finds a lookup that is as good as unique; only if there is none is a longer one worth its price.
	shortCount = 8
	longCount  = 512
)

type planner struct {
	indexes  []Index
	estimate func(Leaf, int) int
	budget   int
}

// driver is an access that reaches all records of a node.
type driver struct {
	access Access
	exact  bool // and no others
	cost   cost
}

type cost uint8

// The costs of accesses, by the number of index entries that they are likely to step over. A Union costs as much as the dearest
// access in it and a little more.
const (
	costUnique cost = iota * 2
	costLookup
	costRange
	costSearch
	costUnion cost = 1
)

// drive gives a driver for a normal node; prefix leads to the elements that the node is about, if it is about elements (see join).
func (p *planner) drive(n Node, prefix string) (driver, bool) {
	switch n := n.(type) {
	case Leaf:
		path, ok := join(prefix, n.Path, true)
		if !ok {
			return driver{}, false
		}
		n.Path = path
		return p.leaf(n)
	case Element:
		path, ok := join(prefix, n.Path, true)
		if !ok || isColumn(path) && holdsObjects(path) {
			return driver{}, false
		}
		return p.drive(n.Cond, path+"/")
	case And:
		d, at := p.cheapest(n, prefix)
		d.exact = false // of the other nodes nothing is known, nor whether it is the same element that answers them
		return d, at >= 0
	case Or:
		return p.union(n, prefix)
	}
	return driver{}, false
}

// leaf gives the driver that an index makes for a leaf of a record.
func (p *planner) leaf(l Leaf) (driver, bool) {
	for _, ix := range p.indexes {
		if ix.Path == l.Path {
			return ix.drive(l)
		}
	}
	return driver{}, false
}

// drive gives the driver that the index makes for a leaf at its path.
func (ix Index) drive(l Leaf) (driver, bool) {
	if ix.Type != l.Type || ix.Type == String && ix.Fold != l.Fold {
		return driver{}, false
	}
	if ix.Except != "" && l.Matches(ix.Except) { // a record that only this value makes match is not in the index
		return driver{}, false
	}
	// Where values are cut, a short literal still compares with what is left as with the whole, and the term for all long values
	// answers it or does not; a long literal is cut itself, to what a value that it matches is sure to have left.
	whole := ix.whole()
	short := whole || len(l.Value) <= termSure
	exact := whole || short && !l.Matches(termLong)
	switch l.Op {
	case Equal:
		if short {
			c := costLookup
			if ix.Unique {
				c = costUnique
			}
			return driver{Access{Way: Lookup, Leaf: l}, exact, c}, true
		}
		l.Op = StartsWith
	case Greater:
		if !short {
			l.Op = GreaterEqual
		}
	case StartsWith, GreaterEqual, Less, LessEqual:
	case Contains, EndsWith:
		d := driver{Access{Way: Search, Leaf: l}, exact, costSearch}
		if !whole {
			d.exact = false
			long := Leaf{Path: l.Path, Op: Equal, Type: l.Type, Fold: l.Fold, Value: termLong}
			d.access = Access{Way: Union, Of: []Access{d.access, {Way: Lookup, Leaf: long}}}
		}
		return d, true
	default:
		return driver{}, false
	}
	if !short && (l.Op == StartsWith || l.Op == GreaterEqual) {
		l.Value = cut(l.Value, termSure)
	}
	return driver{Access{Way: Range, Leaf: l}, exact, costRange}, true
}

// union drives an Or by drivers of all its nodes.
func (p *planner) union(nodes Or, prefix string) (driver, bool) {
	u := driver{access: Access{Way: Union}, exact: true}
	seen := map[Leaf]bool{}
	for _, n := range nodes {
		d, ok := p.drive(n, prefix)
		if !ok {
			return driver{}, false
		}
		u.exact = u.exact && d.exact
		u.cost = max(u.cost, d.cost|costUnion)
		parts := d.access.Of
		if d.access.Way != Union {
			parts = []Access{d.access}
		}
		for _, a := range parts {
			if !seen[a.Leaf] {
				seen[a.Leaf] = true
				u.access.Of = append(u.access.Of, a)
			}
		}
	}
	if len(u.access.Of) == 1 {
		u.access = u.access.Of[0]
	}
	return u, true
}

// cheapest gives the best driver of an And among those of its nodes, and which node's it is; -1 if none has one.
func (p *planner) cheapest(nodes And, prefix string) (best driver, at int) {
	at = -1
	var lookups []driver // those that only an estimate tells apart, and whose they are
	var of []int
	for i, n := range nodes {
		d, ok := p.drive(n, prefix)
		if !ok {
			continue
		}
		if d.cost == costLookup {
			lookups, of = append(lookups, d), append(of, i)
		}
		if at < 0 || d.cost < best.cost {
			best, at = d, i
		}
	}
	if best.cost == costLookup && len(lookups) > 1 {
		i := p.rarest(lookups)
		return lookups[i], of[i]
	}
	return best, at
}

// rarest says which of some lookups has the fewest records, as far as the budget allows to find out.
func (p *planner) rarest(lookups []driver) int {
	if p.estimate == nil {
		return 0
	}
	best := 0
	for _, limit := range []int{shortCount, longCount} {
		fewest := limit
		for i, d := range lookups {
			if p.budget < limit {
				return best
			}
			p.budget -= limit
			if n := p.estimate(d.access.Leaf, limit); n < fewest {
				best, fewest = i, n
			}
			if fewest == 0 {
				return best
			}
		}
		if fewest < limit {
			return best
		}
	}
	return best
}

// join gives the path of what is found at path in the elements that prefix leads to, a path and "/"; top says that prefix is one of
// a record, or empty. The values of a column are simple: there is nothing below them but themselves.
func join(prefix, path string, top bool) (joined string, ok bool) {
	if top && isColumn(prefix) {
		return strings.TrimSuffix(prefix, "/"), simple(strings.Split(path, "/"))
	}
	return prefix + path, true
}
