package filter

import (
	"strings"

	"usher/scim/schema"
	"usher/store/query"
)

// checkOperator checks that the operator makes sense for the attribute's type.
func checkOperator(a operand, op comparison) error {
	var ok bool
	switch op {
	case co, sw, ew:
		ok = a.Kind == schema.String || a.Kind == schema.Reference
	case gt, ge, lt, le:
		ok = a.Kind != schema.Boolean && a.Kind != schema.Binary
	default:
		ok = true
	}
	if !ok {
		return errorf("%s is %s and cannot be compared by %s", a.QualifiedName(), describe(a.Attribute), op)
	}
	return nil
}

// canonical brings a literal into the form in which the attribute's values are compared.
func (t *translator) canonical(a operand, it item) (string, error) {
	text, ok := t.literal(a.Attribute, it)
	if !ok {
		return "", errorf("%s is %s and cannot be compared with %s", a.QualifiedName(), describe(a.Attribute), it.describe())
	}
	value, err := query.Canonical(a.QueryType(), a.folded(), text)
	if err != nil {
		return "", errorf("%s is %s and cannot be compared with %s", a.QualifiedName(), describe(a.Attribute), it.describe())
	}
	return value, nil
}

// literal gives the text of a literal if its JSON type is that of the attribute, or a quirk makes it so.
func (t *translator) literal(a *schema.Attribute, it item) (string, bool) {
	switch a.Kind {
	case schema.Boolean:
		switch it.kind {
		case boolean:
			return strings.ToLower(it.text), true
		case quoted:
			if strings.EqualFold(it.text, "true") || strings.EqualFold(it.text, "false") {
				return strings.ToLower(it.text), allow(t.quirks, QuirkQuotedBoolean)
			}
		}
		return "", false
	case schema.Integer, schema.Decimal:
		return it.text, it.kind == number
	}
	switch it.kind {
	case quoted:
		return it.text, true
	case number, boolean:
		// userName eq 4711: that a word without quotes looks like a number does not make it one.
		return it.text, allow(t.quirks, QuirkUnquotedLiteral)
	}
	return "", false
}

// constant answers a comparison with an attribute that has the same value in all resources of the type.
func constant(a operand, op comparison, it item) (query.Node, error) {
	if it.kind != quoted {
		return nil, errorf("%s is %s and cannot be compared with %s", a.QualifiedName(), describe(a.Attribute), it.describe())
	}
	var holds bool
	switch v := a.Constant; op {
	case eq:
		holds = v == it.text
	case ne:
		holds = v != it.text
	case co:
		holds = strings.Contains(v, it.text)
	case sw:
		holds = strings.HasPrefix(v, it.text)
	case ew:
		holds = strings.HasSuffix(v, it.text)
	case gt:
		holds = v > it.text
	case ge:
		holds = v >= it.text
	case lt:
		holds = v < it.text
	case le:
		holds = v <= it.text
	}
	if holds {
		return query.And{}, nil
	}
	return query.Or{}, nil
}

// describe names the type of an attribute in an error message.
func describe(a *schema.Attribute) string {
	switch a.Kind {
	case schema.Integer:
		return "an integer"
	case schema.Decimal:
		return "a decimal number"
	case schema.Binary:
		return "a binary value"
	}
	return "a " + string(a.Kind)
}
