package query

import "fmt"

// Canonical gives the canonical form of a literal of the type; fold applies to strings only.
// The literal is the JSON text for booleans and numbers ("true", "4.5e1") and the decoded string for all others.
//
// Canonical values of one type are equal as texts if they are equal as values, and ordered as texts as they are as values: folded
// strings by code point, instants by time, numbers by size. An Integer and a Decimal have one form; it tells apart numbers that
// differ in their first 28 significant digits, and takes sizes from 10^-16384 up to, but without, 10^16383. A Boolean is "0" or "1".
//
// The error names the literal and the type.
func Canonical(t Type, fold bool, literal string) (string, error) {
	v, ok := canonical(nil, []byte(literal), t, fold)
	if !ok {
		return "", fmt.Errorf("query: %q is not a value of type %s", literal, t)
	}
	return string(v), nil
}

// canonical gives the canonical form of text, which is as for Canonical. The result is text itself or lies in the room behind buf,
// which text must not share.
func canonical(buf, text []byte, t Type, fold bool) ([]byte, bool) {
	switch t {
	case String:
		if fold {
			return appendFold(buf, text), true
		}
		return text, true
	case Reference, Binary:
		return text, true
	case Boolean:
		switch string(text) {
		case "true":
			return append(buf, '1'), true
		case "false":
			return append(buf, '0'), true
		}
	case DateTime:
		return appendDateTime(buf, text)
	case Integer:
		return appendNumber(buf, text, true)
	case Decimal:
		return appendNumber(buf, text, false)
	}
	return nil, false
}

// canonicalJSON gives the canonical form of a JSON value, if the value fits the type.
// The result lies in value or in the room behind buf, which must be empty.
func canonicalJSON(buf, value []byte, t Type, fold bool) ([]byte, bool) {
	switch t {
	case Boolean, Integer, Decimal:
		return canonical(buf, value, t, fold) // neither form begins as a string, an object or an array does
	}
	text, ok := decodeString(buf, value)
	if !ok {
		return nil, false
	}
	if len(text) <= cap(buf) {
		buf = buf[len(text):len(text)] // text may lie in buf
	} else {
		buf = nil
	}
	return canonical(buf, text, t, fold)
}
