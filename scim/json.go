package scim

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// decodeObject reads a request body that must be one JSON object in UTF-8, nested no deeper than maxDepth. Values are string,
// bool, json.Number, map[string]any, []any and nil. An object may not have two members whose names differ only in case: names
// of attributes are compared without case, and which of the two was meant is not ours to guess.
// The error is an *Error with the scimType invalidSyntax.
func decodeObject(body []byte, maxDepth int) (map[string]any, error) {
	return newDecoder(body, maxDepth).whole()
}

// decodeGroup is decodeObject for a Group, of whose members only the values are kept, as memberRef: there may be very many.
func decodeGroup(body []byte, maxDepth int) (map[string]any, error) {
	d := newDecoder(body, maxDepth)
	d.members = true
	return d.whole()
}

// A value in memory is larger than its text: an object by some hundred bytes, which is nothing beside what usual bodies say in it.
// bytesForValue and valuesForObject bound what a body of nothing but values may take to a small multiple of its length.
const (
	bytesForValue   = 6
	valuesForObject = 3
	valuesForAny    = 4096 // a short body may have so many whatever its length
)

func newDecoder(body []byte, maxDepth int) *decoder {
	return &decoder{in: jsontext.NewDecoder(bytes.NewBuffer(body)), maxDepth: maxDepth, room: valuesForAny + len(body)/bytesForValue}
}

// take counts values; it fails when the body has more than its length allows.
func (d *decoder) take(values int) error {
	if d.room -= values; d.room < 0 && !d.trusted {
		return &Error{Status: http.StatusRequestEntityTooLarge, Detail: "The body has too many values for its length: most of them say nothing."}
	}
	return nil
}

// whole reads the one object that there is.
func (d *decoder) whole() (map[string]any, error) {
	value, err := d.value()
	if err != nil {
		return nil, malformed(err)
	}
	if _, err := d.in.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, badRequest(invalidSyntax, "The body has more than one JSON value.")
	}
	object, ok := value.(map[string]any)
	if !ok {
		return nil, badRequest(invalidSyntax, "The body must be a JSON object.")
	}
	return object, nil
}

// decodeDocument reads a document that encode wrote. It trusts the document to be canonical.
func decodeDocument(doc []byte) (Resource, error) {
	d := decoder{trusted: true, in: jsontext.NewDecoder(bytes.NewBuffer(doc),
		jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))}
	value, err := d.value()
	if err != nil {
		return nil, &Error{Status: 500, Detail: "A stored resource cannot be read.", Cause: err}
	}
	object, ok := value.(map[string]any)
	if !ok {
		return nil, &Error{Status: 500, Detail: "A stored resource cannot be read.", Cause: errors.New("the document is not a JSON object")}
	}
	delete(object, "schemas")
	// The usher extension is written even when it is empty.
	maps.DeleteFunc(object, func(_ string, v any) bool {
		m, ok := v.(map[string]any)
		return ok && len(m) == 0
	})
	return object, nil
}

// malformed puts into a sentence why a body could not be read. The reader's own text is for the log.
func malformed(err error) error {
	var refused *Error
	var syntax *jsontext.SyntacticError
	switch {
	case errors.As(err, &refused):
		return refused
	case errors.Is(err, io.EOF):
		return badRequest(invalidSyntax, "The request has no body.")
	case errors.Is(err, jsontext.ErrDuplicateName):
		return badRequest(invalidSyntax, "The body has an object with the same member name twice.")
	case errors.As(err, &syntax):
		e := badRequest(invalidSyntax, "The body is not valid JSON in UTF-8, at byte %d.", syntax.ByteOffset)
		e.Cause = err
		return e
	}
	e := badRequest(invalidSyntax, "The body is not valid JSON in UTF-8.")
	e.Cause = err
	return e
}

// decoder builds values from tokens.
type decoder struct {
	in       *jsontext.Decoder
	trusted  bool
	members  bool // keep the values of members only
	maxDepth int
	depth    int
	room     int      // values that may still come
	names    []string // of the objects being read; the innermost object's are last
}

func (d *decoder) value() (any, error) {
	token, err := d.in.ReadToken()
	if err == nil {
		err = d.take(1)
	}
	if err != nil {
		return nil, err
	}
	switch token.Kind() {
	case jsontext.KindNull:
		return nil, nil
	case jsontext.KindTrue, jsontext.KindFalse:
		return token.Bool(), nil
	case jsontext.KindString:
		return token.String(), nil
	case jsontext.KindNumber:
		return json.Number(token.String()), nil
	}
	if d.depth++; d.depth > d.maxDepth && !d.trusted {
		return nil, badRequest(invalidSyntax, "The body is nested deeper than %d levels.", d.maxDepth)
	}
	var value any
	if token.Kind() == jsontext.KindBeginArray {
		value, err = d.array()
	} else {
		value, err = d.object()
	}
	d.depth--
	return value, err
}

func (d *decoder) array() (any, error) {
	list := []any{}
	for d.in.PeekKind() != jsontext.KindEndArray {
		v, err := d.value()
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	_, err := d.in.ReadToken()
	return list, err
}

func (d *decoder) object() (any, error) {
	if err := d.take(valuesForObject); err != nil {
		return nil, err
	}
	few := 8
	if d.depth == 1 {
		few = 24 // attributes of a resource
	}
	object := make(map[string]any, few)
	first := len(d.names)
	for d.in.PeekKind() != jsontext.KindEndObject {
		token, err := d.in.ReadToken()
		if err != nil {
			return nil, err
		}
		name := token.String()
		if !d.trusted {
			d.names = append(d.names, name)
		}
		if d.members && d.depth == 1 && strings.EqualFold(name, "members") && d.in.PeekKind() == jsontext.KindBeginArray {
			object[name], err = d.memberList()
		} else {
			object[name], err = d.value()
		}
		if err != nil {
			return nil, err
		}
	}
	if a, b, found := equalFolded(d.names[first:]); found {
		return nil, badRequest(invalidSyntax, "The body has an object with the members %s and %s; names are compared without case.", quoted(a), quoted(b))
	}
	d.names = d.names[:first]
	_, err := d.in.ReadToken()
	return object, err
}

// memberRef is a member of a group as a body lists it, without what is said of it beside its id.
type memberRef string

// memberList reads the members of a group.
func (d *decoder) memberList() (any, error) {
	if _, err := d.in.ReadToken(); err != nil {
		return nil, err
	}
	list := []any{}
	for d.in.PeekKind() != jsontext.KindEndArray {
		if d.in.PeekKind() != jsontext.KindBeginObject {
			v, err := d.value()
			if err != nil {
				return nil, err
			}
			list = append(list, v)
			continue
		}
		item, err := d.member()
		if err != nil {
			return nil, err
		}
		list = append(list, item)
	}
	_, err := d.in.ReadToken()
	return list, err
}

// member reads one member: a memberRef, or an object with a value that is none.
func (d *decoder) member() (item any, err error) {
	if _, err := d.in.ReadToken(); err != nil {
		return nil, err
	}
	first := len(d.names)
	for d.in.PeekKind() != jsontext.KindEndObject {
		token, err := d.in.ReadToken()
		if err != nil {
			return nil, err
		}
		name := token.String()
		d.names = append(d.names, name)
		if !strings.EqualFold(name, "value") {
			if err := d.in.SkipValue(); err != nil {
				return nil, err
			}
			continue
		}
		value, err := d.value()
		if err != nil {
			return nil, err
		}
		if id, ok := value.(string); ok {
			item = memberRef(id)
		} else {
			item = map[string]any{"value": value}
		}
	}
	if a, b, found := equalFolded(d.names[first:]); found {
		return nil, badRequest(invalidSyntax, "The body has an object with the members %s and %s; names are compared without case.", quoted(a), quoted(b))
	}
	d.names = d.names[:first]
	if item == nil {
		item = map[string]any{}
		if err := d.take(valuesForObject); err != nil {
			return nil, err
		}
	}
	_, err = d.in.ReadToken()
	return item, err
}

// equalFolded finds two names that differ only in case.
func equalFolded(names []string) (a, b string, found bool) {
	const few = 16 // up to here comparing each with each is quicker than a map, and most objects have no more members
	if len(names) <= few {
		for i, a := range names {
			for _, b := range names[i+1:] {
				if len(a) == len(b) && strings.EqualFold(a, b) {
					return a, b, true
				}
			}
		}
		return "", "", false
	}
	type key struct { // the length tells the Kelvin sign from a k
		folded string
		length int
	}
	seen := make(map[key]string, len(names))
	for _, b := range names {
		k := key{strings.ToLower(b), len(b)}
		if a, found := seen[k]; found {
			return a, b, true
		}
		seen[k] = b
	}
	return "", "", false
}

// quoted shows a text of the sender in a sentence, shortened if it is long.
func quoted(s string) string {
	const most = 80
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	b, err := jsontext.AppendQuote(nil, s)
	if err != nil {
		return `"…"`
	}
	return string(b)
}

// sortedKeys gives the names of an object's members in a fixed order, so that the same request always has the same outcome.
func sortedKeys(object map[string]any) []string {
	keys := make([]string, 0, len(object))
	for key := range object {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// member finds a member by name, without regard to case.
func member(object map[string]any, name string) (value any, ok bool) {
	if value, ok = object[name]; ok {
		return value, true
	}
	for key, value := range object {
		if len(key) == len(name) && strings.EqualFold(key, name) {
			return value, true
		}
	}
	return nil, false
}
