package scim

import (
	"encoding/json"
	"maps"
	"net/url"
	"reflect"
	"strings"

	"usher/scim/schema"
)

// What other identity providers, and more than one of them, send beyond the standard.
const (
	quirkUnknownAttribute = "unknown-attribute"
	quirkMissingSchemas   = "schemas-missing"
	quirkNumberString     = "number-as-string"
	quirkBareElement      = "value-not-in-array"
	quirkElementString    = "element-as-string"
	quirkMemberString     = "member-as-string"
	quirkTwoPrimaries     = "two-primaries"
	quirkManagerID        = "manager-id"
	quirkCoreObject       = "core-schema-object"
	quirkDottedURN        = "dotted-urn"
	quirkPlusInLiteral    = "filter-raw-plus"
)

func otherQuirks() []QuirkInfo {
	return []QuirkInfo{
		{quirkUnknownAttribute, "all", `Attributes and schemas that the server does not know are ignored, in paths too.`},
		{quirkMissingSchemas, "hand-made clients", `A message may lack schemas.`},
		{quirkNumberString, "hand-made clients", `A number may be sent for a string.`},
		{quirkBareElement, "hand-made clients", `A single value may be sent for an attribute that has a list of values.`},
		{quirkElementString, "hand-made clients", `A bare string may be sent for a value that is an object; it is the object's value.`},
		{quirkMemberString, "hand-made clients", `A member of a group may be given as the bare id.`},
		{quirkTwoPrimaries, "PingOne", `Of several values that say they are the primary one, the first is.`},
		{quirkManagerID, "OneLogin", `In a manager, managerId stands for value.`},
		{quirkCoreObject, "hand-made clients", `The core attributes may be sent in an object under the URN of their schema, like those of an extension.`},
		{quirkDottedURN, "hand-made clients", `An attribute may be joined to the URN of its schema by a dot.`},
		{quirkPlusInLiteral, "hand-made clients", `A plus sign in a literal of a filter means itself, although a query encodes a blank so.`},
	}
}

// stringFromNumber reads a string that was sent as a number, digit for digit.
func (q *quirks) stringFromNumber(n json.Number) (string, bool) {
	return n.String(), q.Allow(quirkNumberString)
}

// elementFromString reads one value of a multi-valued complex attribute that was sent as a string.
func (q *quirks) elementFromString(attr *schema.Attribute, s string) (map[string]any, bool) {
	if !attr.MultiValued || attr.SubAttribute("value") == nil || !q.Allow(quirkElementString) {
		return nil, false
	}
	return map[string]any{"value": s}, true
}

// alias finds the sub-attribute that is meant by a name which the attribute does not have.
func (q *quirks) alias(attr *schema.Attribute, name string) *schema.Attribute {
	switch {
	case attr.Name == "roles" && strings.EqualFold(name, "displayName") && q.Allow(quirkRoleDisplayName):
		return attr.SubAttribute("display")
	case isManager(attr) && strings.EqualFold(name, "managerId") && q.Allow(quirkManagerID):
		return attr.SubAttribute("value")
	}
	return nil
}

// ignoreUnknown says whether an attribute that the server does not have may be passed over.
func (q *quirks) ignoreUnknown() bool { return q.Allow(quirkUnknownAttribute) }

// missingSchemas says whether a message may lack the schemas that it must have.
func (q *quirks) missingSchemas() bool { return q.Allow(quirkMissingSchemas) }

// listOfOne makes a list of a single value that was sent for an attribute that has a list.
func (q *quirks) listOfOne(value any) ([]any, bool) {
	if !q.Allow(quirkBareElement) {
		return nil, false
	}
	return []any{value}, true
}

// bareMember says whether a member of a group may be a string, its id.
func (q *quirks) bareMember() bool { return q.Allow(quirkMemberString) }

// firstPrimary says whether the first counts of several values that are written as the primary one.
func (q *quirks) firstPrimary() bool { return q.Allow(quirkTwoPrimaries) }

// corePath says whether a path is the URN of the core schema, so that the value is an object of attributes as without a path.
func (q *quirks) corePath(rt *schema.ResourceType, path string) bool {
	return strings.EqualFold(strings.TrimSpace(path), rt.Core.URN) && q.Allow(quirkCoreObject)
}

// coreObject gives an object of attributes with those beside the others that are in an object under the URN of the core schema. The object
// given stays as it is. A name with two values is refused: which of the two was meant is not ours to guess.
func (q *quirks) coreObject(rt *schema.ResourceType, object map[string]any) (map[string]any, error) {
	value, found := member(object, rt.Core.URN)
	if !found || !q.Allow(quirkCoreObject) {
		return object, nil
	}
	inner, ok := value.(map[string]any)
	if !ok {
		return nil, badRequest(invalidValue, "%s must be an object.", rt.Core.URN)
	}
	out := make(map[string]any, len(object)+len(inner))
	for name, value := range object {
		if !strings.EqualFold(name, rt.Core.URN) {
			out[name] = value
		}
	}
	for _, name := range sortedKeys(inner) {
		value := inner[name]
		beside, twice := member(out, name)
		switch {
		case strings.EqualFold(name, rt.Core.URN):
			return nil, badRequest(invalidSyntax, "%s is given twice, one in the other.", rt.Core.URN)
		case !twice:
			out[name] = value
		case value == nil || value == "" || reflect.DeepEqual(value, beside): // says no more
		case beside == nil || beside == "":
			maps.DeleteFunc(out, func(other string, _ any) bool { return strings.EqualFold(other, name) })
			out[name] = value
		default:
			return nil, badRequest(invalidSyntax, "%s is given twice, in the object of %s and beside it.", quoted(name), rt.Core.URN)
		}
	}
	return out, nil
}

// dottedURN gives the full name of an attribute that is joined to the URN of its schema by a dot.
func (q *quirks) dottedURN(rt *schema.ResourceType, name string) (full string, t schema.Target, ok bool) {
	urn, rest := cutURN(rt, name)
	if urn == "" || !strings.HasPrefix(rest, ".") {
		return "", schema.Target{}, false
	}
	full = urn + ":" + rest[1:]
	if t, ok = rt.Resolve(full); !ok {
		return "", schema.Target{}, false
	}
	return full, t, q.Allow(quirkDottedURN)
}

// plusInLiteral takes a raw plus sign in a filter's literal for itself, although in a query it stands for a blank. It gives the filter
// read so; false when there is no such plus.
func (q *quirks) plusInLiteral(rawQuery string) (filter string, ok bool) {
	if filter = withPlus(rawQuery); filter == "" {
		return "", false
	}
	return filter, q.Allow(quirkPlusInLiteral)
}

// withPlus gives the filter of a raw query with every plus inside a quoted literal taken for itself; empty when there is none.
func withPlus(rawQuery string) string {
	for pair := range strings.SplitSeq(rawQuery, "&") {
		raw, ok := strings.CutPrefix(pair, "filter=")
		if !ok || !strings.Contains(raw, "+") {
			continue
		}
		asBlank, err := url.QueryUnescape(raw)
		if err != nil {
			return ""
		}
		asPlus, err := url.PathUnescape(raw)
		if err != nil || len(asPlus) != len(asBlank) {
			return ""
		}
		text, quoted, found := []byte(asBlank), false, false
		for i := 0; i < len(text); i++ {
			switch {
			case text[i] == '\\' && quoted:
				i++
			case text[i] == '"':
				quoted = !quoted
			case quoted && asPlus[i] == '+' && text[i] == ' ':
				text[i], found = '+', true
			}
		}
		if found {
			return string(text)
		}
	}
	return ""
}
