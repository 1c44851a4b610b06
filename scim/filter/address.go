package filter

import (
	"strings"

	"usher/scim/schema"
	"usher/store/query"
)

// Addresses (meta.location, members.$ref) are stored nowhere: they are made of the base of the endpoint, the path of the resource type
// and an id. What is asked of an address follows from them and is asked of the id.

// compareAddress makes the query of a comparison with an address.
func (t *translator) compareAddress(a operand, op comparison, it item) (query.Node, error) {
	if err := checkOperator(a, op); err != nil {
		return nil, err
	}
	text, ok := t.literal(a.Attribute, it)
	if !ok {
		return nil, errorf("%s is %s and cannot be compared with %s", a.QualifiedName(), describe(a.Attribute), it.describe())
	}
	any := make(query.Or, 0, len(a.Addresses))
	for _, form := range a.Addresses {
		n := t.addressed(form, op, text)
		if form.Kind != "" {
			n = query.And{query.Leaf{Path: "type", Op: query.Equal, Type: query.String, Value: form.Kind}, n}
		}
		any = append(any, n)
	}
	var n query.Node = any
	if len(any) == 1 {
		n = any[0]
	}
	if op == ne {
		return query.Not{Node: n}, nil
	}
	return n, nil
}

// addressed makes the query of the id in an address of a form; for ne, that of the comparison to negate.
func (t *translator) addressed(form schema.Address, op comparison, text string) query.Node {
	prefix := t.parser.Base + form.Endpoint + "/"
	id := func(op query.Op, value string) query.Node {
		return query.Leaf{Path: form.ID, Op: op, Type: query.String, Value: value}
	}
	slash := strings.LastIndexByte(text, '/')
	rest, within := strings.CutPrefix(text, prefix)
	switch op {
	case eq, ne:
		if !within { // without the version, RFC 7643 section 2.4
			rest, within = strings.CutPrefix(text, strings.TrimSuffix(t.parser.Base, "/v2")+form.Endpoint+"/")
		}
		if !within { // relative to the base, section 2.3.7
			rest, within = strings.CutPrefix("/"+strings.TrimLeft(strings.TrimPrefix(text, ".."), "/"), form.Endpoint+"/")
		}
		return when(within, id(query.Equal, rest))
	case sw:
		if strings.HasPrefix(prefix, text) {
			return query.And{}
		}
		return when(within, id(query.StartsWith, rest))
	case ew:
		if slash < 0 {
			return id(query.EndsWith, text)
		}
		return when(strings.HasSuffix(prefix, text[:slash+1]), id(query.Equal, text[slash+1:]))
	case co:
		switch {
		case strings.Contains(prefix, text):
			return query.And{}
		case slash < 0:
			return id(query.Contains, text)
		}
		return when(strings.HasSuffix(prefix, text[:slash+1]), id(query.StartsWith, text[slash+1:]))
	}
	if within {
		return id(queryOp(op), rest)
	}
	greater := prefix > text // the prefix decides: it is no beginning of the text
	return when(greater == (op == gt || op == ge), query.And{})
}

// when is the node, or what never holds.
func when(holds bool, n query.Node) query.Node {
	if holds {
		return n
	}
	return query.Or{}
}
