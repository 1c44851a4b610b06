package scim

import (
	"strings"

	"usher/scim/schema"
)

// What Microsoft Entra ID sends beyond the standard.
const (
	quirkOpCase          = "patch-op-case"
	quirkBooleanString   = "boolean-as-string"
	quirkDottedKeys      = "dotted-keys"
	quirkFilterCreates   = "filter-creates-element"
	quirkRemoveValues    = "remove-with-value-list"
	quirkManagerString   = "manager-as-string"
	quirkSingleElement   = "single-element-array"
	quirkExtensionAtTop  = "extension-at-top-level"
	quirkJSONRole        = "json-in-role-value"
	quirkRoleDisplayName = "role-display-name"
	quirkEmptyString     = "empty-string-clears"
	quirkUnknownSchemas  = "schemas-unknown"
	quirkUndeclared      = "schemas-undeclared"
)

func entraQuirks() []QuirkInfo {
	return []QuirkInfo{
		{quirkOpCase, "Entra", `The op of a PATCH operation may be written in any case: "Replace".`},
		{quirkBooleanString, "Entra, Keycloak, OneLogin", `A boolean may be sent as the string "True" or "False", in any case.`},
		{quirkDottedKeys, "Entra", `The members of an object of attributes may be named by paths: "name.givenName", or an attribute with its URN.`},
		{quirkFilterCreates, "Entra", `Writing to a path such as phoneNumbers[type eq "work"].value creates the value when none matches.`},
		{quirkRemoveValues, "Entra, authentik, JumpCloud", `The operation remove with a list of values removes these values only.`},
		{quirkManagerString, "Entra", `The manager may be given as the bare id.`},
		{quirkSingleElement, "Entra", `A list of one may be sent for an attribute that has a single value.`},
		{quirkExtensionAtTop, "Entra", `The attributes of an extension may be named without its URN: "department", "manager".`},
		{quirkJSONRole, "Entra", `The value of a role may be a JSON document inside a string; the value (or else the id) in it is the role.`},
		{quirkRoleDisplayName, "Entra", `In a role, displayName stands for display.`},
		{quirkEmptyString, "Entra, Okta, OneLogin", `The empty string clears an attribute that is not required.`},
		{quirkUnknownSchemas, "Entra", `The schemas of a message may hold URIs that the server does not know.`},
		{quirkUndeclared, "Entra", `An extension may be used without being listed in schemas.`},
	}
}

// operationName gives the op of a PATCH operation in lower case.
func (q *quirks) operationName(op string) (string, bool) {
	switch op {
	case opAdd, opReplace, opRemove:
		return op, true
	}
	folded := strings.ToLower(op)
	switch folded {
	case opAdd, opReplace, opRemove:
		return folded, q.Allow(quirkOpCase)
	}
	return "", false
}

// booleanFromString reads a boolean that was sent as a string. No other string is one: taking it for false, or for true, would
// leave somebody in who is to be out.
func (q *quirks) booleanFromString(s string) (value, ok bool) {
	switch {
	case strings.EqualFold(s, "true"):
		return true, q.Allow(quirkBooleanString)
	case strings.EqualFold(s, "false"):
		return false, q.Allow(quirkBooleanString)
	}
	return false, false
}

// managerFromString reads a manager that was given as the bare id.
func (q *quirks) managerFromString(attr *schema.Attribute, id string) (map[string]any, bool) {
	if !isManager(attr) || !q.Allow(quirkManagerString) {
		return nil, false
	}
	return map[string]any{"value": id}, true
}

func isManager(attr *schema.Attribute) bool {
	return attr.Name == "manager" && attr.Schema != nil && attr.Schema.URN == schema.EnterpriseURN
}

// extensionAtTop finds the extension attribute that is meant by a name without a URN.
func (q *quirks) extensionAtTop(rt *schema.ResourceType, name string) (full string, t schema.Target, ok bool) {
	if strings.ContainsRune(name, ':') {
		return "", schema.Target{}, false
	}
	for _, extension := range rt.Extensions {
		full := extension.URN + ":" + name
		if t, ok := rt.Resolve(full); ok {
			return full, t, q.Allow(quirkExtensionAtTop)
		}
	}
	return "", schema.Target{}, false
}

// roleDocument undoes the JSON document that some of Entra's mapping expressions put inside the value of a role.
func (q *quirks) roleDocument(attr *schema.Attribute, value string) (role, display string, ok bool) {
	if attr.Name != "roles" || !strings.HasPrefix(strings.TrimSpace(value), "{") {
		return "", "", false
	}
	const depth = 4
	doc, err := decodeObject([]byte(value), depth)
	if err != nil {
		return "", "", false
	}
	role, _ = doc["value"].(string)
	if role == "" {
		role, _ = doc["id"].(string)
	}
	if role == "" || !q.Allow(quirkJSONRole) {
		return "", "", false
	}
	display, _ = doc["displayName"].(string)
	return role, display, true
}

// emptyClears says whether the empty string is no value.
func (q *quirks) emptyClears() bool { return q.Allow(quirkEmptyString) }

// pathAsKey says whether a member of an object of attributes may be named by a path.
func (q *quirks) pathAsKey() bool { return q.Allow(quirkDottedKeys) }

// filterCreates says whether a value is made when the filter in a path selects none; stamp is what the filter says of it, nil when that is
// not enough to make one.
func (q *quirks) filterCreates(stamp map[string]any) bool {
	return stamp != nil && q.Allow(quirkFilterCreates)
}

// removesListed says whether the operation remove takes only the values that it lists, and not all.
func (q *quirks) removesListed(value any) bool { return value != nil && q.Allow(quirkRemoveValues) }

// onlyElement gives the value of an attribute that has one, when it was sent as a list.
func (q *quirks) onlyElement(list []any) (any, bool) {
	if len(list) != 1 || !q.Allow(quirkSingleElement) {
		return nil, false
	}
	return list[0], true
}

// unknownSchemas says whether a message may list a schema that the server does not know.
func (q *quirks) unknownSchemas() bool { return q.Allow(quirkUnknownSchemas) }

// undeclared says whether an extension may be used that is not listed.
func (q *quirks) undeclared() bool { return q.Allow(quirkUndeclared) }
