package scim

import (
	"strings"
	"unicode"

	"usher/scim/schema"
)

// Resource is what a client wrote, in canonical form: attributes by their canonical names, those of an extension in an object
// under its URN. Values are string, bool, json.Number, map[string]any and []any. It holds no schemas, id, meta, groups, members
// or password, no null and no empty list or object.
//
// The values of a resource are never changed in place: whoever writes puts new ones in their stead, so that resources may share them.
type Resource map[string]any

// normalise makes the resource that the body of a POST or PUT describes. Attributes that clients cannot write are passed over.
// Members of a group are not part of it: see bodyMembers. The error is an *Error; the caller checks the outcome with checkResource.
func normalise(rt *schema.ResourceType, in map[string]any, q *quirks) (Resource, error) {
	in, err := q.coreObject(rt, in)
	if err != nil {
		return nil, err
	}
	if err := checkSchemas(rt, in, q); err != nil {
		return nil, err
	}
	// A body is what a replace without a path would be on a resource that has nothing yet.
	p := patcher{rt: rt, q: q, resource: Resource{}, body: true}
	if err := p.merge(opReplace, "", in); err != nil {
		return nil, err
	}
	return p.resource, nil
}

// checkSchemas compares the schemas of a body with what is known and what is used.
func checkSchemas(rt *schema.ResourceType, in map[string]any, q *quirks) error {
	listed, err := schemasOf(in, q)
	if err != nil || listed == nil {
		return err
	}
	core := false
	for _, urn := range listed {
		isCore := strings.EqualFold(urn, rt.Core.URN)
		core = core || isCore
		if !isCore && rt.Extension(urn) == nil && !q.unknownSchemas() {
			return badRequest(invalidSyntax, "The schemas of a %s may not hold %s.", rt.Name, quoted(urn))
		}
	}
	if !core && !q.missingSchemas() {
		return badRequest(invalidSyntax, "The schemas must hold %q.", rt.Core.URN)
	}
	for _, extension := range rt.Extensions {
		if _, used := member(in, extension.URN); used && !containsFold(listed, extension.URN) && !q.undeclared() {
			return badRequest(invalidSyntax, "The schemas must hold %q, whose attributes are given.", extension.URN)
		}
	}
	return nil
}

// schemasOf gives the schemas of a message; nil without an error when it may do without.
func schemasOf(in map[string]any, q *quirks) ([]string, error) {
	value, _ := member(in, "schemas")
	list, ok := value.([]any)
	if value != nil && !ok {
		return nil, badRequest(invalidSyntax, "The schemas must be a list of strings.")
	}
	if len(list) == 0 {
		if q.missingSchemas() {
			return nil, nil
		}
		return nil, badRequest(invalidSyntax, "The schemas are missing.")
	}
	urns := make([]string, 0, len(list))
	for _, v := range list {
		urn, ok := v.(string)
		if !ok {
			return nil, badRequest(invalidSyntax, "The schemas must be a list of strings.")
		}
		urns = append(urns, urn)
	}
	return urns, nil
}

func containsFold(list []string, s string) bool {
	for _, item := range list {
		if strings.EqualFold(item, s) {
			return true
		}
	}
	return false
}

// maxName is how many bytes a name of a resource may have: userName, displayName or externalId. Names are looked up, and shown in lists.
const maxName = 1024

// checkResource says whether the resource may be stored: all that is required is there, each value is of its attribute's type, and names
// are such as can be looked up and shown. How long the document may be is not looked at. The error is an *Error with the scimType
// invalidValue.
func checkResource(rt *schema.ResourceType, r Resource) error {
	if err := checkNames(rt, r); err != nil {
		return err
	}
	if externalID, ok := r["externalId"]; ok {
		if t, ok := rt.Resolve("externalId"); ok {
			if err := t.Attribute.Validate(externalID); err != nil {
				return badRequest(invalidValue, "%s.", err)
			}
		}
	}
	if err := checkAttributes(rt.Core.Attributes, r); err != nil {
		return err
	}
	for _, extension := range rt.Extensions {
		if values, ok := r[extension.URN].(map[string]any); ok {
			if err := checkAttributes(extension.Attributes, values); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkNames(rt *schema.ResourceType, r Resource) error {
	for _, name := range []string{"userName", "displayName", "externalId"} {
		text, _ := r[name].(string)
		if len(text) > maxName {
			return badRequest(invalidValue, "%s may have %d bytes at most, not %d.", name, maxName, len(text))
		}
		attr := rt.Core.Attribute(name)
		if attr != nil && attr.Required && strings.ContainsFunc(text, unicode.IsControl) {
			return badRequest(invalidValue, "%s may not have control characters.", name)
		}
	}
	return nil
}

func checkAttributes(attributes []*schema.Attribute, values map[string]any) error {
	for _, attr := range attributes {
		value, ok := values[attr.Name]
		if !ok {
			if attr.Required && attr.Mutability != schema.ReadOnly {
				return badRequest(invalidValue, "%s is required.", attr.Name)
			}
			continue
		}
		if text, ok := value.(string); ok && attr.Required && strings.TrimSpace(text) == "" {
			return badRequest(invalidValue, "%s is required and may not be empty.", attr.Name)
		}
		if err := attr.Validate(value); err != nil {
			return badRequest(invalidValue, "%s.", err)
		}
	}
	return nil
}
