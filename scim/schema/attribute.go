package schema

import (
	elimity "github.com/elimity-com/scim/schema"

	"usher/store/query"
)

// Mutability of an attribute (RFC 7643 section 7).
type Mutability string

// Returned says when an attribute is part of an answer (RFC 7643 section 7).
type Returned string

// The characteristics of RFC 7643 section 7.
const (
	ReadWrite Mutability = "readWrite"
	ReadOnly  Mutability = "readOnly"
	Immutable Mutability = "immutable"
	WriteOnly Mutability = "writeOnly"

	ReturnedAlways  Returned = "always"
	ReturnedDefault Returned = "default"
	ReturnedRequest Returned = "request"
	ReturnedNever   Returned = "never"
)

// Kind is the data type of an attribute (RFC 7643 section 2.3).
type Kind string

// The data types of RFC 7643 section 2.3.
const (
	String    Kind = "string"
	Boolean   Kind = "boolean"
	Decimal   Kind = "decimal"
	Integer   Kind = "integer"
	DateTime  Kind = "dateTime"
	Reference Kind = "reference"
	Binary    Kind = "binary"
	Complex   Kind = "complex"
)

// Attribute is one attribute or sub-attribute of a schema. It is read-only after the registry was built.
type Attribute struct {
	Name        string
	Description string
	Kind        Kind
	MultiValued bool
	Required    bool
	CaseExact   bool
	Mutability  Mutability
	Returned    Returned
	Unique      bool     // uniqueness server or global
	Canonical   []string // canonicalValues
	References  []string // referenceTypes
	Sub         []*Attribute

	Parent *Attribute // of a sub-attribute
	Schema *Schema    // of a common attribute: the core schema of the resource type, which does not list it
	// Path is where the values are in a stored record, as filters name it: in the document ("userName", "emails/value",
	// "urn:…:User/manager/value") or a column of the store ("@id"). Empty: stored nowhere, so that no filter can compare it.
	Path string
	// Elements is, for an attribute of several values that stores make of other records, the column that has them as objects; empty for
	// one whose values are in the document.
	Elements string
	// Addresses says of what an address is made that is stored nowhere; nil for an attribute that is no such address.
	Addresses []Address
	// Constant is the value that an attribute without Path has in every resource of the type; empty: it has no such value.
	Constant string

	base elimity.CoreAttribute // checks single values
}

// Address is a form of an address: the base of the endpoint, the path of a resource type, a slash and the id of a resource.
type Address struct {
	Endpoint string // "/Users"
	ID       string // the path of the id, beside the address
	Kind     string // the type of the element that has the address so; empty: all have
}

// Hides says whether a part of the attribute is not shown unless it is asked for.
func (a *Attribute) Hides() bool { return hides(a.Sub) }

// SubAttribute finds a sub-attribute by name, without regard to case; nil when there is none.
func (a *Attribute) SubAttribute(name string) *Attribute { return find(a.Sub, name) }

// QualifiedName is the attribute's name with its parent's before it ("emails.value"), as error messages show it.
func (a *Attribute) QualifiedName() string {
	if a.Parent == nil {
		return a.Name
	}
	return a.Parent.Name + "." + a.Name
}

// QueryType gives the type by which filters compare the attribute; 0 for a complex one.
func (a *Attribute) QueryType() query.Type {
	switch a.Kind {
	case String:
		return query.String
	case Boolean:
		return query.Boolean
	case Decimal:
		return query.Decimal
	case Integer:
		return query.Integer
	case DateTime:
		return query.DateTime
	case Reference:
		return query.Reference
	case Binary:
		return query.Binary
	}
	return 0
}

// Fold says whether filters and indexes compare the attribute folded: a string that is not case-exact.
func (a *Attribute) Fold() bool { return a.Kind == String && !a.CaseExact }

// find looks an attribute up by name. Lists are short, and a loop over them is faster than a map.
func find(list []*Attribute, name string) *Attribute {
	for _, a := range list {
		if equalName(a.Name, name) {
			return a
		}
	}
	return nil
}

// equalName compares attribute names and URNs, which are ASCII, without regard to case. Unlike [strings.EqualFold] it does not
// take the Kelvin sign for a "k".
func equalName(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + ('a' - 'A')
	}
	return c
}
