package filter

import (
	"errors"
	"strings"

	"usher/scim/schema"
	"usher/store"
	"usher/store/query"
)

// translator makes the query of one filter.
type translator struct {
	parser *Parser
	rt     *schema.ResourceType
	quirks Quirks

	// element is set within the brackets of a value path: names are those of its sub-attributes, and paths are relative to it.
	element *schema.Attribute
	// absent, unless nil, takes the names that the type does not have, and lets them pass.
	absent map[string]bool
	// whole says that the element to judge is at hand with all that it has, not only what stores can look up.
	whole bool
}

// parse makes the query of a text. depth is how deep it is nested already.
func (t *translator) parse(text string, depth int) (query.Node, error) {
	g := newGuard(t.quirks, t.parser.maxDepth, depth)
	s, err := t.shapeOf(g, text)
	if err != nil {
		return nil, err
	}
	return t.node(s, g.items)
}

func (t *translator) shapeOf(g *guard, text string) (*shape, error) {
	if err := g.scan(text); err != nil {
		return nil, err
	}
	s, ok := t.parser.shapes.get(g.skeleton)
	if !ok {
		return nil, errorf("%s is not a filter: comparisons such as userName eq \"ada\" are joined by and, or, not and parentheses",
			excerpt(text))
	}
	return s, nil
}

func (t *translator) node(s *shape, items []item) (query.Node, error) {
	switch s.kind {
	case and, or:
		return t.chain(s, items)
	case not:
		n, err := t.node(s.of[0], items)
		if err != nil {
			return nil, err
		}
		return query.Not{Node: n}, nil
	}
	var it item
	if s.op != pr {
		it = items[s.item]
	}
	if t.lacks(s.name) {
		return withoutValue(s.op, it), nil
	}
	if it.kind == valuePath {
		return t.valuePath(s.name, it)
	}
	a, err := t.operand(s.name)
	if err != nil {
		return nil, err
	}
	return t.compare(a, s.op, it)
}

// chain makes the query of an and or an or. Those of the same kind within it, which parentheses make, become part of it.
func (t *translator) chain(s *shape, items []item) (query.Node, error) {
	nodes := make([]query.Node, 0, len(s.of))
	for _, of := range s.of {
		n, err := t.node(of, items)
		if err != nil {
			return nil, err
		}
		switch inner := n.(type) {
		case query.And:
			if s.kind == and {
				nodes = append(nodes, inner...)
				continue
			}
		case query.Or:
			if s.kind == or {
				nodes = append(nodes, inner...)
				continue
			}
		}
		nodes = append(nodes, n)
	}
	if s.kind == and {
		return query.And(nodes), nil
	}
	return query.Or(nodes), nil
}

// operand is an attribute to compare.
type operand struct {
	*schema.Attribute
	path string // where its values are, from where the name stands; empty when stores do not have them
}

// folded says whether the attribute is compared folded. Ids of resources are not, whatever the schema says of the attribute that has
// them: they are exact (RFC 7643 section 3.1), and found by their index.
func (a operand) folded() bool {
	isID := a.Parent != nil && a.Parent.Elements != "" && a.Name == "value"
	return a.Fold() && !isID
}

// operand finds what a name means where it stands.
func (t *translator) operand(name string) (operand, error) {
	if t.element != nil {
		return t.elementOperand(name)
	}
	target, err := t.resolve(name)
	if err != nil {
		return operand{}, err
	}
	a := target.Leaf()
	return operand{Attribute: a, path: a.Path}, nil
}

func (t *translator) elementOperand(name string) (operand, error) {
	e := t.element
	if e.Kind != schema.Complex {
		if !strings.EqualFold(name, "value") {
			return operand{}, unknown("the values of %s are simple: they have no %s, only value", e.Name, excerpt(name))
		}
		return operand{Attribute: e, path: "value"}, nil
	}
	sub := e.SubAttribute(name)
	if sub == nil {
		return operand{}, unknown("%s has no sub-attribute %s", e.Name, excerpt(name))
	}
	if sub.Path == "" && !t.whole && e.Elements == "" {
		return operand{Attribute: sub}, nil
	}
	return operand{Attribute: sub, path: sub.Name}, nil
}

// resolve finds an attribute of the resource type.
func (t *translator) resolve(name string) (schema.Target, error) {
	target, ok := t.rt.Resolve(name)
	if !ok && !strings.Contains(name, ":") {
		for _, e := range t.rt.Extensions {
			if target, ok = t.rt.Resolve(e.URN + ":" + name); ok {
				ok = allow(t.quirks, QuirkExtensionAtTop)
				break
			}
		}
	}
	if !ok {
		return schema.Target{}, unknown("%s has no attribute %s", t.rt.Name, excerpt(name))
	}
	if target.Attribute == nil {
		return schema.Target{}, errorf("%s is a schema, not an attribute", target.Extension.URN)
	}
	return target, nil
}

// lacks says whether a name that the type does not have is let pass, and notes it.
func (t *translator) lacks(name string) bool {
	if t.absent == nil || t.element != nil {
		return false
	}
	_, err := t.resolve(name)
	var refused *Error
	if errors.As(err, &refused) && refused.Unknown {
		t.absent[strings.ToLower(name)] = true
		return true
	}
	return false
}

// withoutValue answers a comparison with an attribute that has no value.
func withoutValue(op comparison, it item) query.Node {
	holds := false
	switch {
	case it.kind == valuePath:
	case op == eq:
		holds = it.kind == null
	case op == ne:
		holds = it.kind != null
	}
	if holds {
		return query.And{}
	}
	return query.Or{}
}

// valuePath makes the query of attr[filter].
func (t *translator) valuePath(name string, it item) (query.Node, error) {
	target, err := t.resolve(name)
	if err != nil {
		return nil, err
	}
	e := target.Attribute
	if target.Sub != nil || e.Kind != schema.Complex && !e.MultiValued {
		return nil, errorf("%s has no sub-attributes that a filter in brackets could name", target.Leaf().QualifiedName())
	}
	if e.Path == "" {
		return nil, errorf("%s cannot be filtered by brackets; name its sub-attributes instead, such as %s",
			e.Name, e.Sub[0].QualifiedName())
	}
	inner := *t
	inner.element = e
	cond, err := inner.parse(it.text, it.depth)
	if err != nil {
		return nil, err
	}
	if it.tail != "" {
		tail, err := inner.parse(it.tail, it.depth)
		if err != nil {
			return nil, err
		}
		cond = conjoin(cond, tail)
	}
	if e.Elements != "" {
		return elementOf(e, cond), nil
	}
	return query.Element{Path: e.Path, Cond: cond}, nil
}

// elementOf makes the query of a condition on what other records make the elements of. The ids are a column of their own, by which records
// are found; whatever else is asked is judged.
func elementOf(e *schema.Attribute, cond query.Node) query.Node {
	if l, ok := cond.(query.Leaf); ok && l.Path == "value" {
		l.Path = e.Path
		return l
	}
	n := query.Element{Path: e.Elements, Cond: cond}
	all, ok := cond.(query.And)
	for i := range all {
		if l, isLeaf := all[i].(query.Leaf); ok && isLeaf && l.Path == "value" && l.Op == query.Equal {
			l.Path = e.Path
			return query.And{l, n}
		}
	}
	return n
}

func conjoin(a, b query.Node) query.Node {
	if all, ok := a.(query.And); ok {
		return append(all, b)
	}
	return query.And{a, b}
}

// compare makes the query of one comparison.
func (t *translator) compare(a operand, op comparison, it item) (query.Node, error) {
	if a.Returned == schema.ReturnedNever || a.Mutability == schema.WriteOnly {
		return nil, errorf("%s cannot be used in a filter", a.QualifiedName())
	}
	if op == pr {
		return t.present(a)
	}
	if it.kind == null {
		return t.compareNull(a, op)
	}
	if a.Kind == schema.Complex {
		value := a.SubAttribute("value")
		if value == nil {
			return nil, errorf("%s is complex: compare one of its sub-attributes, such as %s", a.QualifiedName(), a.Sub[0].QualifiedName())
		}
		a = operand{Attribute: value, path: value.Path}
	}
	switch {
	case a.Constant != "":
		return constant(a, op, it)
	case a.path == store.ColumnVersion:
		return t.compareVersion(a, op, it)
	case a.Addresses != nil && (a.path == "" && a.Parent.Elements == "" || t.element != nil && !t.whole):
		return t.compareAddress(a, op, it)
	case a.path == "" && a.Parent != nil && a.Parent.Elements != "":
		return t.compareElement(a, op, it)
	case a.path == "":
		return nil, unstored(a)
	}
	if err := checkOperator(a, op); err != nil {
		return nil, err
	}
	value, err := t.canonical(a, it)
	if err != nil {
		return nil, err
	}
	leaf := query.Leaf{Path: a.path, Op: queryOp(op), Type: a.QueryType(), Fold: a.folded(), Value: value}
	if op == ne {
		return query.Not{Node: leaf}, nil
	}
	return leaf, nil
}

// compareElement makes the query of a comparison with a sub-attribute of what other records make the elements of.
func (t *translator) compareElement(a operand, op comparison, it item) (query.Node, error) {
	inner := *t
	inner.element = a.Parent
	positive := op
	if op == ne {
		positive = eq
	}
	cond, err := inner.compare(operand{Attribute: a.Attribute, path: a.Name}, positive, it)
	if err != nil {
		return nil, err
	}
	n := elementOf(a.Parent, cond)
	if op == ne {
		return query.Not{Node: n}, nil
	}
	return n, nil
}

// queryOp gives the operator of the query tree; for ne, which it does not have, that of the comparison to negate.
func queryOp(op comparison) query.Op {
	switch op {
	case co:
		return query.Contains
	case sw:
		return query.StartsWith
	case ew:
		return query.EndsWith
	case gt:
		return query.Greater
	case ge:
		return query.GreaterEqual
	case lt:
		return query.Less
	case le:
		return query.LessEqual
	}
	return query.Equal
}

// compareNull makes the query of a comparison with null, which asks whether there is a value.
func (t *translator) compareNull(a operand, op comparison) (query.Node, error) {
	if op != eq && op != ne {
		return nil, errorf("null can be compared by eq and ne only, not by %s", op)
	}
	n, err := t.present(a)
	if err != nil || op == ne {
		return n, err
	}
	return query.Not{Node: n}, nil
}

// present makes the query of "attr pr".
func (t *translator) present(a operand) (query.Node, error) {
	switch {
	case a.path != "":
		return query.Leaf{Path: a.path, Op: query.Present, Type: a.QueryType(), Fold: a.folded()}, nil
	case a.Constant != "", a.Kind == schema.Complex, a.Addresses != nil && a.Parent.Elements == "": // meta, which every resource has
		return query.And{}, nil
	case a.Parent != nil && a.Parent.Elements != "":
		value := a.Parent.SubAttribute("value") // every element has all
		if a.Name == "display" {
			return query.Element{Path: a.Parent.Elements, Cond: query.Leaf{Path: a.Name, Op: query.Present, Type: query.String}}, nil
		}
		return query.Leaf{Path: value.Path, Op: query.Present, Type: query.String}, nil
	}
	return nil, unstored(a)
}

// unstored explains why an attribute that is made when a resource is shown cannot be compared.
func unstored(a operand) error {
	instead := "id"
	if a.Parent != nil && a.Parent.SubAttribute("value") != nil {
		instead = a.Parent.Name + ".value"
	}
	return errorf("%s cannot be used in a filter; use %s instead", a.QualifiedName(), instead)
}
