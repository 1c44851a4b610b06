package filter

import (
	"encoding/json"
	"strings"

	"usher/scim/schema"
	"usher/store/query"
)

// Path is a parsed PATCH path (RFC 7644 section 3.5.2).
type Path struct {
	schema.Target
	// Cond is the value filter in brackets, with paths relative to an element; nil without brackets.
	Cond query.Node
	// Stamp holds the sub-attributes that the filter's eq conditions (joined by and) name, with their values as they would be
	// written: what a new element gets when the filter matches none. Nil when the filter is not of that form.
	Stamp map[string]any
}

// Path parses a PATCH path: an attribute, a sub-attribute, the bare URN of an extension, attr[filter] or attr[filter].sub.
// The error is an *Error.
func (p *Parser) Path(text string, rt *schema.ResourceType, q Quirks) (Path, error) {
	text, err := p.admit("path", text)
	if err != nil {
		return Path{}, err
	}
	open := strings.IndexByte(text, '[')
	if open < 0 {
		target, err := resolvePath(text, rt)
		return Path{Target: target}, err
	}
	target, err := resolvePath(strings.TrimRight(text[:open], " "), rt)
	if err != nil {
		return Path{}, err
	}
	e := target.Attribute
	if e == nil || target.Sub != nil || e.Kind != schema.Complex && !e.MultiValued {
		return Path{}, errorf("%s has no values that a filter in brackets could select", excerpt(text[:open]))
	}
	end, err := bracketEnd(text, open)
	if err != nil {
		return Path{}, err
	}
	path := Path{Target: target}
	if rest := text[end:]; rest != "" {
		if rest[0] != '.' || !isName(rest[1:]) {
			return Path{}, errorf("%s cannot follow the brackets in a path", excerpt(rest))
		}
		if path.Sub = e.SubAttribute(rest[1:]); path.Sub == nil {
			return Path{}, unknown("%s has no sub-attribute %s", e.Name, excerpt(rest[1:]))
		}
	}
	t := translator{parser: p, rt: rt, quirks: q, element: e, whole: true}
	g := newGuard(q, p.maxDepth, 1)
	s, err := t.shapeOf(g, strings.Trim(text[open+1:end-1], " "))
	if err != nil {
		return Path{}, err
	}
	if path.Cond, err = t.node(s, g.items); err != nil {
		return Path{}, err
	}
	path.Stamp = t.stamp(s, g.items)
	return path, nil
}

// resolvePath finds what a path without brackets names.
func resolvePath(name string, rt *schema.ResourceType) (schema.Target, error) {
	if !isName(name) {
		return schema.Target{}, errorf("%s is not the name of an attribute", excerpt(name))
	}
	target, ok := rt.Resolve(name)
	if !ok {
		return schema.Target{}, unknown("%s has no attribute %s", rt.Name, excerpt(name))
	}
	return target, nil
}

// stamp gives the sub-attributes that a filter pins to one value each; nil when it is not a conjunction of eq comparisons, or one
// that no element can meet. The filter has been translated before, so that names and types are known to be right.
func (t *translator) stamp(s *shape, items []item) map[string]any {
	if t.element.Kind != schema.Complex {
		return nil
	}
	conditions := []*shape{s}
	if s.kind == and {
		conditions = s.of
	}
	all := make(map[string]any, len(conditions))
	for _, c := range conditions {
		if c.kind != test || c.op != eq || items[c.item].kind == null {
			return nil
		}
		sub := t.element.SubAttribute(c.name)
		v := stampValue(sub, items[c.item])
		if was, ok := all[sub.Name]; ok && was != v {
			return nil
		}
		all[sub.Name] = v
	}
	return all
}

// stampValue gives the literal as the value that a client would write for the sub-attribute.
func stampValue(sub *schema.Attribute, it item) any {
	switch sub.Kind {
	case schema.Boolean:
		return strings.EqualFold(it.text, "true")
	case schema.Integer, schema.Decimal:
		return json.Number(it.text)
	}
	return it.text
}
