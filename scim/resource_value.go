package scim

import (
	"encoding/json"
	"maps"

	"usher/scim/schema"
)

// simple brings the value of an attribute that is not complex into its canonical form; nil clears the attribute.
// What it gives is of the right JSON type; checkResource looks at the rest.
func (p *patcher) simple(attr *schema.Attribute, value any) (any, error) {
	switch value := value.(type) {
	case nil:
		return nil, nil
	case string:
		return p.text(attr, value)
	case bool:
		if attr.Kind == schema.Boolean {
			return value, nil
		}
	case json.Number:
		switch attr.Kind {
		case schema.Integer, schema.Decimal:
			return value, nil
		case schema.String:
			if s, ok := p.q.stringFromNumber(value); ok {
				return s, nil
			}
		}
	case []any:
		if len(value) == 0 {
			return nil, nil
		}
		if only, ok := p.q.onlyElement(value); ok {
			return p.simple(attr, only)
		}
	}
	return nil, mismatch(attr, value)
}

// text reads a value that was sent as a string.
func (p *patcher) text(attr *schema.Attribute, s string) (any, error) {
	if s == "" && p.q.emptyClears() {
		return nil, nil
	}
	switch attr.Kind {
	case schema.String, schema.Reference, schema.DateTime, schema.Binary:
		return s, nil
	case schema.Boolean:
		if b, ok := p.q.booleanFromString(s); ok {
			return b, nil
		}
	}
	return nil, mismatch(attr, s)
}

// complex reads one value of a complex attribute. It gives the sub-attributes that are to be written, with nil for those that are to
// be cleared; nil when the whole value is.
func (p *patcher) complex(attr *schema.Attribute, value any) (map[string]any, error) {
	switch value := value.(type) {
	case nil:
		return nil, nil
	case map[string]any:
		return p.object(attr, value)
	case string:
		if object, ok := p.q.managerFromString(attr, value); ok {
			return p.object(attr, object)
		}
		if object, ok := p.q.elementFromString(attr, value); ok {
			return p.object(attr, object)
		}
		if value == "" && p.q.emptyClears() {
			return nil, nil
		}
	case []any:
		if len(value) == 0 {
			return nil, nil
		}
		if only, ok := p.q.onlyElement(value); ok {
			return p.complex(attr, only)
		}
	}
	if attr.MultiValued {
		return nil, badRequest(invalidValue, "A single value of %s must be an object, not %s.", attr.Name, shown(value))
	}
	return nil, mismatch(attr, value)
}

// object reads the members of an object as sub-attributes; a nil clears one.
func (p *patcher) object(attr *schema.Attribute, in map[string]any) (map[string]any, error) {
	out := make(map[string]any, len(in)+1)
	for _, key := range sortedKeys(in) {
		sub := attr.SubAttribute(key)
		if sub == nil {
			if sub = p.q.alias(attr, key); sub != nil {
				if _, given := member(in, sub.Name); given {
					continue // under its own name
				}
			}
		}
		switch {
		case sub == nil && p.q.ignoreUnknown():
			continue
		case sub == nil:
			return nil, badRequest(invalidSyntax, "%s has no sub-attribute %s.", attr.Name, quoted(key))
		case sub.Mutability == schema.ReadOnly:
			continue
		}
		value, err := p.simple(sub, in[key])
		if err != nil {
			return nil, err
		}
		out[sub.Name] = value
	}
	if text, ok := out["value"].(string); ok {
		if role, display, ok := p.q.roleDocument(attr, text); ok {
			out["value"] = role
			if display != "" && out["display"] == nil {
				out["display"] = display
			}
		}
	}
	return out, nil
}

// values reads the list of values of a multi-valued attribute, leaving out those that hold nothing.
func (p *patcher) values(attr *schema.Attribute, value any) ([]any, error) {
	if value == nil {
		return nil, nil
	}
	list, ok := value.([]any)
	if !ok {
		if list, ok = p.q.listOfOne(value); !ok {
			return nil, mismatch(attr, value)
		}
	}
	values := make([]any, 0, len(list))
	for _, item := range list {
		if attr.Kind != schema.Complex {
			value, err := p.simple(attr, item)
			if err != nil {
				return nil, err
			}
			if value != nil {
				values = append(values, value)
			}
			continue
		}
		object, err := p.complex(attr, item)
		if err != nil {
			return nil, err
		}
		maps.DeleteFunc(object, func(_ string, value any) bool { return value == nil })
		if !hollow(object) {
			values = append(values, object)
		}
	}
	return values, nil
}

// mismatch says that a value is not of the attribute's type.
func mismatch(attr *schema.Attribute, value any) error {
	name := attr.Name
	if attr.Parent != nil {
		name = attr.Parent.Name + "." + name
	}
	want := "a string"
	switch {
	case attr.MultiValued && attr.Kind == schema.Complex:
		want = "a list of objects"
	case attr.Kind == schema.Complex:
		want = "an object"
	case attr.Kind == schema.Boolean:
		want = "true or false"
	case attr.Kind == schema.Integer, attr.Kind == schema.Decimal:
		want = "a number"
	}
	return badRequest(invalidValue, "%s must be %s, not %s.", name, want, shown(value))
}

// shown names a value in a sentence.
func shown(value any) string {
	switch value := value.(type) {
	case nil:
		return "null"
	case bool:
		if value {
			return "true"
		}
		return "false"
	case json.Number:
		return "the number " + quoted(value.String())
	case string:
		return quoted(value)
	case []any:
		return "a list"
	}
	return "an object"
}
