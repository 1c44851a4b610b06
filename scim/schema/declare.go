package schema

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	elimity "github.com/elimity-com/scim/schema"
)

// Limits of declared schemas.
const (
	MaxDeclared       = 20       // schemas of a company
	MaxDeclaredBytes  = 64 << 10 // of a schema as JSON
	maxAttributes     = 100      // of a schema, and sub-attributes of an attribute
	maxAttributeName  = 48       // bytes
	maxDeclaredURN    = 96       // bytes
	maxCanonical      = 100      // values
	maxDescription    = 1000     // bytes
	reservedNameSpace = "urn:ietf:params:scim:"
)

// declaration is a schema as RFC 7643 section 7 has it. Members beside these (schemas, meta) say nothing that counts.
type declaration struct {
	Schemas     json.RawMessage        `json:"schemas"`
	Meta        json.RawMessage        `json:"meta"`
	ID          string                 `json:"id"`
	Name        string                 `json:"name"`
	Description string                 `json:"description"`
	Attributes  []attributeDeclaration `json:"attributes"`
}

type attributeDeclaration struct {
	Name            string                 `json:"name"`
	Type            string                 `json:"type"`
	SubAttributes   []attributeDeclaration `json:"subAttributes"`
	MultiValued     bool                   `json:"multiValued"`
	Description     string                 `json:"description"`
	Required        bool                   `json:"required"`
	CanonicalValues []string               `json:"canonicalValues"`
	CaseExact       bool                   `json:"caseExact"`
	Mutability      string                 `json:"mutability"`
	Returned        string                 `json:"returned"`
	Uniqueness      string                 `json:"uniqueness"`
	ReferenceTypes  []string               `json:"referenceTypes"`
}

var (
	// URNs may have more characters, but no filter and no path could name an attribute of such a schema (RFC 7644 section 3.10).
	urnForm  = regexp.MustCompile(`^(?i)urn:[a-z0-9][a-z0-9-]{0,31}:[a-z0-9\-.:_$]*[a-z0-9]$`)
	nameForm = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9$_-]*$`)
)

// Parse reads the declaration of an extension schema (RFC 7643 section 7) in JSON. Characteristics that are left out have the defaults of
// section 2.2. What the server could not keep to is refused: uniqueness, and attributes that are never returned. The error is a sentence
// for whoever declares the schema.
func Parse(text []byte) (*Schema, error) {
	if len(text) > MaxDeclaredBytes {
		return nil, fmt.Errorf("the schema is longer than %d bytes", MaxDeclaredBytes)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	var in declaration
	if err := d.Decode(&in); err != nil {
		return nil, fmt.Errorf("the schema is not a Schema as RFC 7643 section 7 has it: %w", err)
	}
	if d.More() {
		return nil, fmt.Errorf("the schema is followed by something else")
	}
	switch {
	case in.ID == "":
		return nil, fmt.Errorf("the schema needs an id: its URN, such as urn:example:acme:2.0:User")
	case len(in.ID) > maxDeclaredURN || !urnForm.MatchString(in.ID):
		return nil, fmt.Errorf("the id %q is not a URN of at most %d letters, digits and - . : _ $, such as urn:example:acme:2.0:User", in.ID, maxDeclaredURN)
	case len(in.ID) >= len(reservedNameSpace) && equalName(in.ID[:len(reservedNameSpace)], reservedNameSpace):
		return nil, fmt.Errorf("the id %q is in the name space of the standard, %s; take one of your own", in.ID, reservedNameSpace)
	case in.Name == "":
		return nil, fmt.Errorf("the schema %s needs a name", in.ID)
	case len(in.Description) > maxDescription:
		return nil, fmt.Errorf("the description of %s is longer than %d bytes", in.ID, maxDescription)
	case len(in.Attributes) == 0:
		return nil, fmt.Errorf("the schema %s has no attributes", in.ID)
	}
	s := &Schema{URN: in.ID, Name: in.Name, Description: in.Description}
	var err error
	s.Attributes, err = declareAll(in.Attributes, s, nil, in.ID+"/")
	return s, err
}

func declareAll(list []attributeDeclaration, s *Schema, parent *Attribute, prefix string) ([]*Attribute, error) {
	if len(list) > maxAttributes {
		return nil, fmt.Errorf("a schema may have %d attributes, and an attribute as many sub-attributes, not %d", maxAttributes, len(list))
	}
	var all []*Attribute
	for _, in := range list {
		a, err := declare(in, s, parent, prefix)
		if err != nil {
			return nil, err
		}
		if find(all, a.Name) != nil {
			return nil, fmt.Errorf("two attributes have the name %s; names are compared without case", a.QualifiedName())
		}
		all = append(all, a)
	}
	return all, nil
}

// declare makes one attribute.
func declare(in attributeDeclaration, s *Schema, parent *Attribute, prefix string) (*Attribute, error) {
	a := &Attribute{
		Name: in.Name, Description: in.Description, MultiValued: in.MultiValued, Required: in.Required, CaseExact: in.CaseExact,
		Mutability: ReadWrite, Returned: ReturnedDefault, Canonical: in.CanonicalValues, References: in.ReferenceTypes,
		Parent: parent, Schema: s, Path: prefix + in.Name,
	}
	bad := func(format string, args ...any) error {
		return fmt.Errorf("attribute %q: %s", a.QualifiedName(), fmt.Sprintf(format, args...))
	}
	if len(in.Name) > maxAttributeName || !nameForm.MatchString(in.Name) && in.Name != "$ref" {
		return nil, bad("a name is a letter and then letters, digits, $, - and _, %d bytes at most", maxAttributeName)
	}
	if len(in.Description) > maxDescription {
		return nil, bad("the description is longer than %d bytes", maxDescription)
	}
	kinds := []Kind{String, Boolean, Decimal, Integer, DateTime, Reference, Binary, Complex}
	at := slices.IndexFunc(kinds, func(k Kind) bool { return strings.EqualFold(string(k), in.Type) })
	switch {
	case in.Type == "":
		a.Kind = String
	case at < 0:
		return nil, bad("there is no type %q; the types are string, boolean, decimal, integer, dateTime, reference, binary and complex", in.Type)
	default:
		a.Kind = kinds[at]
	}
	switch mutability := Mutability(in.Mutability); mutability {
	case "":
	case ReadWrite, Immutable:
		a.Mutability = mutability
	case ReadOnly:
		return nil, bad("mutability readOnly leaves nobody who could set it")
	case WriteOnly:
		return nil, bad("mutability writeOnly is not offered: nothing is kept that is never shown")
	default:
		return nil, bad("there is no mutability %q", in.Mutability)
	}
	switch returned := Returned(in.Returned); returned {
	case "":
	case ReturnedAlways, ReturnedDefault, ReturnedRequest:
		a.Returned = returned
	case ReturnedNever:
		return nil, bad("returned never is not offered: nothing is kept that is never shown")
	default:
		return nil, bad("there is no value %q of returned", in.Returned)
	}
	if in.Uniqueness != "" && in.Uniqueness != "none" {
		return nil, bad("uniqueness %q is not offered for attributes of your own; leave it out", in.Uniqueness)
	}
	if len(in.CanonicalValues) > maxCanonical {
		return nil, bad("there may be %d canonical values at most", maxCanonical)
	}
	if a.Kind == Reference || a.Kind == Binary {
		a.CaseExact = true
	}
	switch {
	case a.Kind == Complex && parent != nil:
		return nil, bad("a sub-attribute cannot be complex")
	case a.Kind == Complex && len(in.SubAttributes) == 0:
		return nil, bad("a complex attribute needs sub-attributes")
	case a.Kind != Complex && len(in.SubAttributes) > 0:
		return nil, bad("only a complex attribute has sub-attributes")
	case parent != nil && a.MultiValued:
		return nil, bad("a sub-attribute cannot have several values")
	case parent != nil && parent.MultiValued && a.Mutability == Immutable:
		return nil, bad("a sub-attribute of several values cannot be immutable; the whole attribute can")
	}
	a.base = checker(a)
	var err error
	a.Sub, err = declareAll(in.SubAttributes, s, a, a.Path+"/")
	return a, err
}

// checker makes what checks single values of an attribute that is not complex.
func checker(a *Attribute) elimity.CoreAttribute {
	const name = "value" // it plays no part, and elimity panics at names that the standard allows
	switch a.Kind {
	case Boolean:
		return elimity.SimpleCoreAttribute(elimity.SimpleBooleanParams(elimity.BooleanParams{Name: name}))
	case Decimal:
		return elimity.SimpleCoreAttribute(elimity.SimpleNumberParams(elimity.NumberParams{Name: name, Type: elimity.AttributeTypeDecimal()}))
	case Integer:
		return elimity.SimpleCoreAttribute(elimity.SimpleNumberParams(elimity.NumberParams{Name: name, Type: elimity.AttributeTypeInteger()}))
	case DateTime:
		return elimity.SimpleCoreAttribute(elimity.SimpleDateTimeParams(elimity.DateTimeParams{Name: name}))
	case Reference:
		return elimity.SimpleCoreAttribute(elimity.SimpleReferenceParams(elimity.ReferenceParams{Name: name}))
	case Binary:
		return elimity.SimpleCoreAttribute(elimity.SimpleBinaryParams(elimity.BinaryParams{Name: name}))
	}
	return elimity.SimpleCoreAttribute(elimity.SimpleStringParams(elimity.StringParams{Name: name}))
}

// Extends says whether a schema can take the place of an earlier one without hurting what was written by that: it has all of its
// attributes, of the same types. The error is a sentence for whoever declares it.
func (s *Schema) Extends(earlier *Schema) error {
	return extends(s.Attributes, earlier.Attributes)
}

func extends(now, earlier []*Attribute) error {
	for _, was := range earlier {
		is := find(now, was.Name)
		switch {
		case is == nil:
			return fmt.Errorf("attribute %q would be gone, with what people have in it: remove the schema first", was.QualifiedName())
		case is.Kind != was.Kind || is.MultiValued != was.MultiValued || is.CaseExact != was.CaseExact || is.Name != was.Name:
			return fmt.Errorf("attribute %q would be of another type than what people have in it: take another name", was.QualifiedName())
		case is.Required && !was.Required:
			return fmt.Errorf("attribute %q cannot become required: people may be without it", was.QualifiedName())
		}
		if err := extends(is.Sub, was.Sub); err != nil {
			return err
		}
	}
	for _, is := range now {
		if is.Required && find(earlier, is.Name) == nil {
			return fmt.Errorf("attribute %q cannot be required: people are without it", is.QualifiedName())
		}
	}
	return nil
}
