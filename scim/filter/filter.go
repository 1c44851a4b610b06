package filter

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"usher/scim/schema"
	"usher/store/query"
)

// The vendor quirks that a parser can tolerate; Quirks decides about each where it occurs.
const (
	QuirkUnquotedLiteral = "filter-unquoted-literal" // userName eq ada
	QuirkValuePathTail   = "filter-value-path-tail"  // emails[type eq "work"].value eq "x"
	QuirkQuotedBoolean   = "filter-quoted-boolean"   // roles[primary eq "True"]
	// QuirkExtensionAtTop: manager eq "x", where only an extension has such an attribute. In filters only.
	QuirkExtensionAtTop = "filter-extension-attribute-at-top"
)

// Quirks is asked when a text needs a tolerance that the standard does not give. It says whether the tolerance is on, and may count.
// A nil Quirks tolerates nothing.
type Quirks interface{ Allow(quirk string) bool }

// Error says what is wrong with a filter or path, in a sentence for the sender.
type Error struct {
	Detail string
	// Unknown says that the text is well-formed but names an attribute that the resource type does not have.
	Unknown bool
}

func (e *Error) Error() string { return e.Detail }

func errorf(format string, args ...any) *Error { return &Error{Detail: fmt.Sprintf(format, args...)} }

func unknown(format string, args ...any) *Error {
	return &Error{Detail: fmt.Sprintf(format, args...), Unknown: true}
}

// Parser parses filters and PATCH paths. It is safe for concurrent use; its cache is bounded.
type Parser struct {
	Base string // of addresses in filters, "https://host/scim/v2"; it is set before the parser is used

	maxBytes, maxDepth int
	shapes             shapes
}

// NewParser makes a parser with the limits given: bytes of text and depth of nesting.
func NewParser(maxBytes, maxDepth int) *Parser {
	return &Parser{maxBytes: maxBytes, maxDepth: maxDepth}
}

// Filter parses a filter over resources of the type. The error is an *Error.
func (p *Parser) Filter(text string, rt *schema.ResourceType, q Quirks) (query.Node, error) {
	text, err := p.admit("filter", text)
	if err != nil {
		return nil, err
	}
	t := translator{parser: p, rt: rt, quirks: q}
	return t.parse(text, 0)
}

// FilterAcross parses a filter over resources of several types, for each of which it gives the node. An attribute that a type does not
// have has no value in its resources (RFC 7644 section 3.4.2.1); one that no type has is an error. The error is an *Error.
func (p *Parser) FilterAcross(text string, types []*schema.ResourceType, q Quirks) ([]query.Node, error) {
	text, err := p.admit("filter", text)
	if err != nil {
		return nil, err
	}
	missing := map[string]int{} // name -> types that do not have it
	nodes := make([]query.Node, len(types))
	for i, rt := range types {
		t := translator{parser: p, rt: rt, quirks: q, absent: map[string]bool{}}
		if nodes[i], err = t.parse(text, 0); err != nil {
			return nil, err
		}
		for name := range t.absent {
			if missing[name]++; missing[name] == len(types) {
				return nil, unknown("no resource has an attribute %s", excerpt(name))
			}
		}
	}
	return nodes, nil
}

// admit checks what can be checked before the text is looked at, and trims it.
func (p *Parser) admit(what, text string) (string, error) {
	if len(text) > p.maxBytes {
		return "", errorf("the %s is longer than %d bytes", what, p.maxBytes)
	}
	if !utf8.ValidString(text) {
		return "", errorf("the %s is not valid UTF-8", what)
	}
	for i := range len(text) {
		if text[i] < ' ' || text[i] == 0x7f {
			return "", errorf("the %s has a control character at byte %d", what, i+1)
		}
	}
	if text = strings.Trim(text, " "); text == "" {
		return "", errorf("the %s is empty", what)
	}
	return text, nil
}

// excerpt quotes a piece of the sender's text for an error message.
func excerpt(s string) string {
	const limit = 60
	if len(s) <= limit {
		return fmt.Sprintf("%q", s)
	}
	cut := limit
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return fmt.Sprintf("%q", s[:cut]+"…")
}
