package schema

import (
	"fmt"
	"slices"
)

// ResourceType is one kind of resource with its schemas (RFC 7643 section 6).
type ResourceType struct {
	Name        string // "User"
	Endpoint    string // "/Users"
	Description string
	Core        *Schema
	Extensions  []*Schema
	// Common are the attributes that every resource has whatever its schemas: schemas, id, externalId and meta.
	Common []*Attribute
	// Hides says that some attribute that is stored is not part of every answer: it is returned on request, or never.
	Hides bool

	names map[string]Target // by full name in lower case, in every notation that the standard knows
}

// Target is what an attribute name in standard notation means (RFC 7644 section 3.10).
type Target struct {
	Extension *Schema    // set alone for the bare URN of an extension; nil for core and common attributes
	Attribute *Attribute // nil for the bare URN of an extension
	Sub       *Attribute // nil unless a sub-attribute was named
}

// Leaf is the attribute that the name ends in: Sub if there is one, else Attribute.
func (t Target) Leaf() *Attribute {
	if t.Sub != nil {
		return t.Sub
	}
	return t.Attribute
}

// maxName is the length of the longest name that can be resolved, in bytes; newResourceType checks that all are shorter.
const maxName = 256

// Resolve finds what a name means: "userName", "name.givenName", "urn:…:core:2.0:User:name.givenName", "urn:…:enterprise:2.0:User",
// "meta.lastModified", "id". Names and URNs are compared without regard to case. ok is false when the type has no such attribute.
func (rt *ResourceType) Resolve(name string) (t Target, ok bool) {
	var buf [maxName]byte
	if len(name) > maxName {
		return Target{}, false
	}
	for i := range len(name) {
		buf[i] = lower(name[i])
	}
	t, ok = rt.names[string(buf[:len(name)])]
	return t, ok
}

// Attribute finds a top-level core or common attribute by name, without regard to case; nil when there is none.
func (rt *ResourceType) Attribute(name string) *Attribute {
	if a := rt.Core.Attribute(name); a != nil {
		return a
	}
	return find(rt.Common, name)
}

// Extension finds an extension by URN, without regard to case; nil when the type has none such.
func (rt *ResourceType) Extension(urn string) *Schema {
	for _, s := range rt.Extensions {
		if equalName(s.URN, urn) {
			return s
		}
	}
	return nil
}

// with gives the type with one more extension.
func (rt *ResourceType) with(s *Schema) (*ResourceType, error) {
	extended := *rt
	extended.Extensions = append(slices.Clip(rt.Extensions), s)
	if err := extended.index(); err != nil {
		return nil, err
	}
	extended.Hides = rt.Hides || hides(s.Attributes)
	return &extended, nil
}

// hides says whether some of the attributes are not part of every answer.
func hides(list []*Attribute) bool {
	return slices.ContainsFunc(list, func(a *Attribute) bool {
		return a.Returned == ReturnedRequest || a.Returned == ReturnedNever || hides(a.Sub)
	})
}

// index fills the table of names. It fails when two attributes have one name or a name cannot be looked up.
func (rt *ResourceType) index() error {
	rt.names = map[string]Target{}
	for _, list := range [][]*Attribute{rt.Common, rt.Core.Attributes} {
		if err := rt.indexAll("", nil, list); err != nil {
			return err
		}
		if err := rt.indexAll(rt.Core.URN+":", nil, list); err != nil {
			return err
		}
	}
	for _, s := range rt.Extensions {
		if err := rt.name(s.URN, Target{Extension: s}); err != nil {
			return err
		}
		if err := rt.indexAll(s.URN+":", s, s.Attributes); err != nil {
			return err
		}
	}
	return nil
}

func (rt *ResourceType) indexAll(prefix string, extension *Schema, list []*Attribute) error {
	for _, a := range list {
		if err := rt.name(prefix+a.Name, Target{Extension: extension, Attribute: a}); err != nil {
			return err
		}
		for _, sub := range a.Sub {
			if err := rt.name(prefix+a.Name+"."+sub.Name, Target{Extension: extension, Attribute: a, Sub: sub}); err != nil {
				return err
			}
		}
	}
	return nil
}

func (rt *ResourceType) name(name string, t Target) error {
	key := []byte(name)
	for i, c := range key {
		if c > '~' {
			return fmt.Errorf("resource type %s: the name %q is not ASCII", rt.Name, name)
		}
		key[i] = lower(c)
	}
	if len(key) > maxName {
		return fmt.Errorf("resource type %s: the name %q is too long", rt.Name, name)
	}
	if _, taken := rt.names[string(key)]; taken {
		return fmt.Errorf("resource type %s: two attributes have the name %q", rt.Name, name)
	}
	rt.names[string(key)] = t
	return nil
}
