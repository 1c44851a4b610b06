package scim

import (
	"encoding/json"
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
)

func otherQuirks() []quirkInfo {
	return []quirkInfo{
		{quirkUnknownAttribute, "all", `Attributes and schemas that the server does not know are ignored, in paths too.`},
		{quirkMissingSchemas, "hand-made clients", `A message may lack schemas.`},
		{quirkNumberString, "hand-made clients", `A number may be sent for a string.`},
		{quirkBareElement, "hand-made clients", `A single value may be sent for an attribute that has a list of values.`},
		{quirkElementString, "hand-made clients", `A bare string may be sent for a value that is an object; it is the object's value.`},
		{quirkMemberString, "hand-made clients", `A member of a group may be given as the bare id.`},
		{quirkTwoPrimaries, "PingOne", `Of several values that say they are the primary one, the first is.`},
		{quirkManagerID, "OneLogin", `In a manager, managerId stands for value.`},
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
