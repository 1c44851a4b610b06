package schema

import (
	"bytes"
	"encoding/json"
)

// URNs of the schemas that the registry holds.
const (
	UserURN       = "urn:ietf:params:scim:schemas:core:2.0:User"
	GroupURN      = "urn:ietf:params:scim:schemas:core:2.0:Group"
	EnterpriseURN = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
	UsherUserURN  = "urn:ietf:params:scim:schemas:extension:usher:2.0:User"
	LicenseURN    = "urn:okta:scim:schemas:core:1.0:Entitlement"
	UsherLicense  = "urn:ietf:params:scim:schemas:extension:usher:2.0:License"
)

// metaURN is the schema of the resources at /Schemas.
const metaURN = "urn:ietf:params:scim:schemas:core:2.0:Schema"

// Schema is one schema: the core of a resource type or an extension.
type Schema struct {
	URN         string
	Name        string
	Description string
	Attributes  []*Attribute
}

// Hides says whether some of the attributes are not shown unless they are asked for.
func (s *Schema) Hides() bool { return hides(s.Attributes) }

// Attribute finds a top-level attribute by name, without regard to case; nil when there is none.
func (s *Schema) Attribute(name string) *Attribute { return find(s.Attributes, name) }

// JSON is the schema as /Schemas shows it, without meta (RFC 7643 section 7). Every characteristic is written out, also where it
// has its default value: clients differ in the defaults that they assume.
func (s *Schema) JSON() []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(schemaJSON{
		Schemas:     []string{metaURN},
		ID:          s.URN,
		Name:        s.Name,
		Description: s.Description,
		Attributes:  attributesJSON(s.Attributes),
	})
	if err != nil { // strings and booleans only
		panic("schema: " + err.Error())
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

type schemaJSON struct {
	Schemas     []string        `json:"schemas"`
	ID          string          `json:"id"`
	Name        string          `json:"name"`
	Description string          `json:"description"`
	Attributes  []attributeJSON `json:"attributes"`
}

type attributeJSON struct {
	Name            string          `json:"name"`
	Type            Kind            `json:"type"`
	SubAttributes   []attributeJSON `json:"subAttributes,omitempty"`
	MultiValued     bool            `json:"multiValued"`
	Description     string          `json:"description"`
	Required        bool            `json:"required"`
	CanonicalValues []string        `json:"canonicalValues,omitempty"`
	CaseExact       bool            `json:"caseExact"`
	Mutability      Mutability      `json:"mutability"`
	Returned        Returned        `json:"returned"`
	Uniqueness      string          `json:"uniqueness"`
	ReferenceTypes  []string        `json:"referenceTypes,omitempty"`
}

func attributesJSON(list []*Attribute) []attributeJSON {
	all := make([]attributeJSON, len(list))
	for i, a := range list {
		uniqueness := "none"
		if a.Unique {
			uniqueness = "server"
		}
		all[i] = attributeJSON{
			Name:            a.Name,
			Type:            a.Kind,
			SubAttributes:   attributesJSON(a.Sub),
			MultiValued:     a.MultiValued,
			Description:     a.Description,
			Required:        a.Required,
			CanonicalValues: a.Canonical,
			CaseExact:       a.CaseExact,
			Mutability:      a.Mutability,
			Returned:        a.Returned,
			Uniqueness:      uniqueness,
			ReferenceTypes:  a.References,
		}
	}
	return all
}
