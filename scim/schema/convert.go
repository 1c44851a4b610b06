package schema

import (
	"fmt"

	elimity "github.com/elimity-com/scim/schema"

	"usher/store"
)

// newResourceType completes a resource type from elimity's form of its core schema and extensions.
func newResourceType(rt ResourceType, core elimity.Schema, extensions ...elimity.Schema) (*ResourceType, error) {
	rt.Core = &Schema{URN: core.ID, Name: core.Name.Value(), Description: core.Description.Value()}
	rt.Core.Attributes = convertAll(core.Attributes, rt.Core, nil, "")
	for _, e := range extensions {
		s := &Schema{URN: e.ID, Name: e.Name.Value(), Description: e.Description.Value()}
		s.Attributes = convertAll(e.Attributes, s, nil, s.URN+"/")
		rt.Extensions = append(rt.Extensions, s)
	}
	rt.Common = convertAll(elimity.CommonAttributes(), rt.Core, nil, "")
	for _, a := range rt.Common {
		if a.Name == "schemas" {
			a.Description = "The URNs of the schemas that the resource has attributes of."
			a.Returned = ReturnedAlways
		}
		if a.Name == "meta" {
			a.SubAttribute("resourceType").Constant = rt.Name
		}
	}
	if err := rt.index(); err != nil {
		return nil, err
	}
	if err := rt.placeColumns(); err != nil {
		return nil, err
	}
	rt.placeElements()
	return &rt, nil
}

// convertAll makes attributes of elimity's. prefix is what stands before their names in a path.
func convertAll(list []elimity.CoreAttribute, s *Schema, parent *Attribute, prefix string) []*Attribute {
	var all []*Attribute
	for _, c := range list {
		a := &Attribute{
			Name:        c.Name(),
			Description: c.Description(),
			Kind:        Kind(c.AttributeType()),
			MultiValued: c.MultiValued(),
			Required:    c.Required(),
			CaseExact:   c.CaseExact(),
			Mutability:  Mutability(c.Mutability()),
			Returned:    Returned(c.Returned()),
			Unique:      c.Uniqueness() != "none",
			Canonical:   c.CanonicalValues(),
			Parent:      parent,
			Schema:      s,
			Path:        prefix + c.Name(),
			base:        c,
		}
		for _, t := range c.ReferenceTypes() {
			a.References = append(a.References, string(t))
		}
		a.Sub = convertAll(c.SubAttributes(), s, a, a.Path+"/")
		all = append(all, a)
	}
	return all
}

// columns names, for each schema or for all types (""), the attributes whose values are not in the document but in a column of
// the store. Other sub-attributes of theirs have no path at all: they are made when a resource is shown.
func columns(urn string) map[string]string {
	switch urn {
	case "":
		return map[string]string{
			"id":                store.ColumnID,
			"meta":              "",
			"meta.created":      store.ColumnCreated,
			"meta.lastModified": store.ColumnModified,
			"meta.version":      store.ColumnVersion,
		}
	case UserURN:
		return map[string]string{"groups": store.ColumnGroups, "groups.value": store.ColumnGroups}
	case GroupURN:
		return map[string]string{"members": store.ColumnMembers, "members.value": store.ColumnMembers}
	case UsherUserURN:
		return map[string]string{
			"effectiveLicense": store.ColumnEffective,
			"licenseState":     store.ColumnLicenseState,
			"licenseReason":    store.ColumnReason,
			"licenseSources":   store.ColumnSource,
			"memberType":       store.ColumnMemberType,
			"assignedRole":     store.ColumnRole,
		}
	}
	return nil
}

// placeElements says where the values are of what other records make.
func (rt *ResourceType) placeElements() {
	meta := find(rt.Common, "meta")
	meta.SubAttribute("location").Addresses = []Address{{Endpoint: rt.Endpoint, ID: store.ColumnID}}
	switch rt.Core.URN {
	case UserURN:
		groups := rt.Core.Attribute("groups")
		groups.Elements = store.ColumnGroupElements
		groups.SubAttribute("$ref").Addresses = []Address{{Endpoint: "/Groups", ID: "value"}}
	case GroupURN:
		members := rt.Core.Attribute("members")
		members.Elements = store.ColumnMemberElements
		members.SubAttribute("$ref").Addresses = []Address{
			{Endpoint: "/Users", ID: "value", Kind: store.ElementUser}, {Endpoint: "/Groups", ID: "value", Kind: store.ElementGroup},
		}
	}
}

func (rt *ResourceType) placeColumns() error {
	if err := rt.place("", columns("")); err != nil {
		return err
	}
	for _, s := range append([]*Schema{rt.Core}, rt.Extensions...) {
		if err := rt.place(s.URN+":", columns(s.URN)); err != nil {
			return err
		}
	}
	return nil
}

func (rt *ResourceType) place(prefix string, columns map[string]string) error {
	for name := range columns { // first all sub-attributes lose their place, then those named get theirs
		t, ok := rt.Resolve(prefix + name)
		if !ok {
			return fmt.Errorf("resource type %s: no attribute %q for a column", rt.Name, prefix+name)
		}
		for _, sub := range t.Attribute.Sub {
			sub.Path = ""
		}
	}
	for name, column := range columns {
		t, _ := rt.Resolve(prefix + name)
		t.Leaf().Path = column
	}
	return nil
}
