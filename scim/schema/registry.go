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
