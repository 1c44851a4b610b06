package query

import "fmt"

// The normal form of a filter has no nil, no And or Or inside one of its own kind or with a single node, Not only around a Leaf or
// an Element, and an Element only where its condition needs one: around an And, a Not, or the And of nothing. A filter that always
// holds is And{}, one that never does Or{}.

// normal gives the normal form of a filter; top says that its paths are those of a record.
func normal(n Node, top bool) Node {
	switch n := n.(type) {
	case nil:
		return And{}
	case And:
		var all And
		for _, n := range n {
			all = append(all, normal(n, top))
		}
		return joinAnd(all)
	case Or:
		var all Or
		for _, n := range n {
			all = append(all, normal(n, top))
		}
		return joinOr(all)
	case Not:
		return negate(normal(n.Node, top))
	case Leaf:
		return n
	case Element:
		return distribute(n.Path, normal(n.Cond, false), top)
	}
	panic(fmt.Sprintf("query: unknown node %T", n))
}

// joinAnd makes the And of normal nodes normal.
func joinAnd(nodes And) Node {
	flat := And{}
	for _, n := range nodes {
		switch n := n.(type) {
		case And:
			flat = append(flat, n...)
			continue
		case Or:
			if len(n) == 0 {
				return n
			}
		}
		flat = append(flat, n)
	}
	if len(flat) == 1 {
		return flat[0]
	}
	return flat
}

// joinOr makes the Or of normal nodes normal.
func joinOr(nodes Or) Node {
	flat := Or{}
	for _, n := range nodes {
		switch n := n.(type) {
		case Or:
			flat = append(flat, n...)
			continue
		case And:
			if len(n) == 0 {
				return n
			}
		}
		flat = append(flat, n)
	}
	if len(flat) == 1 {
		return flat[0]
	}
	return flat
}

// negate gives the normal form of the Not of a normal node. A condition of an element is about one element, its opposite about
// all of them: the Not of an Element does not move inside.
func negate(n Node) Node {
	switch n := n.(type) {
	case And:
		var some Or
		for _, n := range n {
			some = append(some, negate(n))
		}
		return joinOr(some)
	case Or:
		var all And
		for _, n := range n {
			all = append(all, negate(n))
		}
		return joinAnd(all)
	case Not:
		return n.Node
	}
	return Not{n}
}

// distribute gives the normal form of an Element. That some element satisfies a or b means that some element satisfies a or some
// element b, and one comparison below an element is one at the longer path.
func distribute(path string, cond Node, top bool) Node {
	switch cond.(type) {
	case Leaf, Element:
		if top && isColumn(path) && holdsObjects(path) { // there are no paths into its values
			return Element{Path: path, Cond: cond}
		}
	}
	switch c := cond.(type) {
	case Or:
		var some Or
		for _, n := range c {
			some = append(some, distribute(path, n, top))
		}
		return joinOr(some)
	case Leaf:
		below, ok := join(path+"/", c.Path, top)
		if !ok {
			return Or{}
		}
		c.Path = below
		return c
	case Element:
		below, ok := join(path+"/", c.Path, top)
		if !ok {
			return Or{}
		}
		c.Path = below
		return c
	}
	return Element{Path: path, Cond: cond}
}
