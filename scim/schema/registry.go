package schema

import (
	"fmt"

	elimity "github.com/elimity-com/scim/schema"

	"usher/store/query"
)

// Registry holds the resource types and schemas of a server. It is immutable and safe for concurrent use.
type Registry struct {
	User, Group, License *ResourceType
}

// NewRegistry builds the registry: User with the enterprise and usher extensions, Group, and License. It fails when the schemas
// contradict each other, which is a mistake in the program.
func NewRegistry() (*Registry, error) {
	user, err := newResourceType(ResourceType{
		Name: "User", Endpoint: "/Users", Description: "User Account",
	}, elimity.CoreUserSchema(), elimity.ExtensionEnterpriseUser(), usherUser())
	if err != nil {
		return nil, err
	}
	group, err := newResourceType(ResourceType{
		Name: "Group", Endpoint: "/Groups", Description: "Group",
	}, elimity.CoreGroupSchema())
	if err != nil {
		return nil, err
	}
	license, err := newResourceType(ResourceType{
		Name: "License", Endpoint: "/Licenses", Description: "License",
	}, licenseSchema(), usherLicense())
	if err != nil {
		return nil, err
	}
	r := &Registry{User: user, Group: group, License: license}
	for _, name := range userIndexes() {
		if t, ok := user.Resolve(name); !ok || t.Leaf().QueryType() == 0 {
			return nil, fmt.Errorf("resource type %s: no attribute %q to index", user.Name, name)
		}
	}
	return r, nil
}

// Declared is an extension schema that was declared for a resource type, "User" or "Group".
type Declared struct {
	Type   string
	Schema *Schema
}

// With gives a registry that has more extensions. The schemas are not changed and may be shared. The error is a sentence for whoever
// declared them.
func (r *Registry) With(declared []Declared) (*Registry, error) {
	if len(declared) == 0 {
		return r, nil
	}
	extended := *r
	for _, d := range declared {
		for _, s := range extended.Schemas() {
			if equalName(s.URN, d.Schema.URN) || within(s.URN, d.Schema.URN) || within(d.Schema.URN, s.URN) {
				return nil, fmt.Errorf("the id %s is that of another schema, %s, or runs into it", d.Schema.URN, s.URN)
			}
		}
		var rt **ResourceType
		switch d.Type {
		case r.User.Name:
			rt = &extended.User
		case r.Group.Name:
			rt = &extended.Group
		default:
			return nil, fmt.Errorf("a schema can be declared for User or Group, not for %q", d.Type)
		}
		var err error
		if *rt, err = (*rt).with(d.Schema); err != nil {
			return nil, err
		}
	}
	return &extended, nil
}

// within says whether a name begins with a URN, so that it could be one of its attributes.
func within(name, urn string) bool {
	return len(name) > len(urn) && equalName(name[:len(urn)], urn) && (name[len(urn)] == ':' || name[len(urn)] == '.')
}

// Schemas gives all schemas in the order in which /Schemas lists them.
func (r *Registry) Schemas() []*Schema {
	var all []*Schema
	for _, rt := range r.ResourceTypes() {
		all = append(all, rt.Core)
		all = append(all, rt.Extensions...)
	}
	return all
}

// ResourceTypes gives all resource types in the order in which /ResourceTypes lists them.
func (r *Registry) ResourceTypes() []*ResourceType {
	return []*ResourceType{r.User, r.Group, r.License}
}

// userIndexes names the attributes by which identity providers look users up. userName is not among them: it is a column with
// an index of its own in every store.
func userIndexes() []string {
	return []string{
		"externalId",
		"emails.value",
		"displayName",
		"name.familyName",
		"name.givenName",
		"phoneNumbers.value",
		"active",
		EnterpriseURN + ":employeeNumber",
		EnterpriseURN + ":department",
		EnterpriseURN + ":manager.value",
	}
}

// UserIndexes are the indexes over user documents that a store is to keep: the attributes by which identity providers look people up.
func (r *Registry) UserIndexes() []query.Index {
	var all []query.Index
	for _, name := range userIndexes() {
		t, _ := r.User.Resolve(name) // NewRegistry has checked that they resolve
		a := t.Leaf()
		index := query.Index{Path: a.Path, Type: a.QueryType(), Fold: a.Fold()}
		if a.Kind == Boolean {
			index.Except = "1" // nearly every account is active: only the others are worth an index
		}
		all = append(all, index)
	}
	return all
}
