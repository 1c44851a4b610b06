package scim

import (
	"usher/scim/filter"
	"usher/scim/schema"
	"usher/store/query"
)

// single gives the new value of an attribute that has one; nil when it is to have none.
func (p *patcher) single(verb string, t schema.Target, old, value any) (any, error) {
	attr := t.Attribute
	if attr.Kind != schema.Complex {
		if verb == opRemove {
			return nil, nil
		}
		return p.simple(attr, value)
	}
	edit, err := p.edit(verb, t, value)
	if err != nil || edit == nil {
		return nil, err
	}
	object, _ := old.(map[string]any)
	if next := merged(object, edit); len(next) > 0 {
		return next, nil
	}
	return nil, nil
}

// list gives the new values of a multi-valued attribute when the operation is on all of them; nil when it is to have none.
func (p *patcher) list(verb string, t schema.Target, old []any, value any) (any, error) {
	attr := t.Attribute
	if t.Sub != nil {
		edit, err := p.edit(verb, t, value)
		if err != nil {
			return nil, err
		}
		if len(old) == 0 && verb != opRemove {
			old = []any{map[string]any(nil)}
		}
		return p.settle(attr, edited(writtenOf(old), edit))
	}
	if verb == opRemove && !p.q.removesListed(value) {
		return nil, nil
	}
	values, err := p.values(attr, value)
	if err != nil {
		return nil, err
	}
	switch verb {
	case opRemove:
		return p.settle(attr, without(attr, elementsOf(old), values))
	case opReplace:
		return p.settle(attr, writtenOf(values))
	}
	return p.settle(attr, appended(attr, elementsOf(old), values))
}

// selected gives the new values of a multi-valued attribute when the operation is on those that the filter in its path selects.
func (p *patcher) selected(verb string, t filter.Path, old []any, value any) (any, error) {
	attr := t.Attribute
	edit, err := p.edit(verb, t.Target, value)
	if err != nil {
		return nil, err
	}
	elements := elementsOf(old)
	found := false
	for i := range elements {
		elements[i].written = matches(t.Cond, attr, elements[i].value)
		found = found || elements[i].written
	}
	switch {
	case !found && verb == opRemove:
		// There is nothing left to remove: the state that was asked for.
	case !found:
		if !p.q.filterCreates(t.Stamp) {
			return nil, badRequest(noTarget, "No value of %s is selected by the filter in the path.", attr.Name)
		}
		if !clearsOnly(edit) {
			elements = append(elements, element{merged(t.Stamp, edit), true})
		}
	case verb == opReplace && t.Sub == nil && edit != nil:
		for i := range elements {
			if elements[i].written {
				elements[i].value = merged(t.Stamp, edit)
			}
		}
	default:
		elements = edited(elements, edit)
	}
	return p.settle(attr, elements)
}

// edit gives the sub-attributes of a complex value that an operation writes, with nil for those that it clears; nil when it clears the
// whole value.
func (p *patcher) edit(verb string, t schema.Target, value any) (map[string]any, error) {
	switch {
	case verb == opRemove && t.Sub == nil:
		return nil, nil
	case verb == opRemove:
		return map[string]any{t.Sub.Name: nil}, nil
	case t.Sub == nil:
		return p.complex(t.Attribute, value)
	}
	return p.object(t.Attribute, map[string]any{t.Sub.Name: value})
}

// matches says whether one value of a multi-valued attribute satisfies a condition, whose paths are relative to it.
func matches(cond query.Node, attr *schema.Attribute, value any) bool {
	var buffer [256]byte
	if attr.Kind == schema.Complex {
		return query.MatchValue(cond, appendValue(buffer[:0], attr, value))
	}
	text := append(buffer[:0], `{"value":`...)
	return query.MatchValue(cond, append(appendValue(text, attr, value), '}'))
}
