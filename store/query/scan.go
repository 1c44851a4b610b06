package query

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"
)

// Documents are read as bytes, without decoding: a filter looks at a few of their values and most documents are looked at once.
// The scanner trusts their names to be spelt as in the path and nothing else. What is no JSON holds no values behind the place
// where it stops being JSON.

// maxDepth bounds the nesting that is followed; what lies deeper holds no values. It is well beyond what the protocol lets in.
const maxDepth = 128

// simpleName is the name by which a value that is no object is addressed as an element (RFC 7643 section 2.4: "value").
const simpleName = "value"

// walk calls yield for each value at the names below v until one is taken, and says whether one was. An array on the way or at
// the end stands for its elements; null is no value; what is neither object nor array has itself at "value".
// v begins with its first byte and may have others behind it.
func walk(v []byte, names []string, depth int, yield func(value []byte) bool) bool {
	if len(v) == 0 || depth == 0 {
		return false
	}
	switch {
	case v[0] == '[':
		for r := enter(v); r.next(); {
			if walk(r.value, names, depth-1, yield) {
				return true
			}
		}
		return false
	case v[0] == '{' && len(names) > 0:
		for r := enter(v); r.next(); {
			if r.named(names[0]) && walk(r.value, names[1:], depth-1, yield) {
				return true
			}
		}
		return false
	case v[0] == '{' || simple(names):
		end := skipValue(v, 0)
		return end > 0 && string(v[:end]) != "null" && yield(v[:end])
	}
	return false
}

// simple says whether the names address a value that is no object.
func simple(names []string) bool {
	for _, n := range names {
		if n != simpleName {
			return false
		}
	}
	return true
}

// present says whether a value is one for the operator pr: not null, not empty, and not made of such values only.
func present(v []byte, depth int) bool {
	if len(v) == 0 || depth == 0 {
		return false
	}
	switch c := v[0]; {
	case c == '"':
		return len(v) > len(`""`)
	case c == '{' || c == '[':
		for r := enter(v); r.next(); {
			if present(r.value, depth-1) {
				return true
			}
		}
		return false
	case c == '-' || isDigit(c):
		return true
	}
	return string(v) == "true" || string(v) == "false"
}

// reader steps through the members of an object or the elements of an array.
type reader struct {
	text   []byte // of the object or array
	at     int    // where the next member or element begins
	object bool
	name   []byte // of the member, between the quotes
	value  []byte
}

// enter reads v, which begins with a bracket.
func enter(v []byte) reader { return reader{text: v, at: 1, object: v[0] == '{'} }

// next moves to the next member or element, if there is a readable one.
func (r *reader) next() bool {
	b, i := r.text, skipSpace(r.text, r.at)
	if r.object {
		end := skipString(b, i)
		if end < 0 {
			return false
		}
		r.name = b[i+1 : end-1]
		if i = skipSpace(b, end); i == len(b) || b[i] != ':' {
			return false
		}
		i = skipSpace(b, i+1)
	}
	end := skipValue(b, i)
	if end < 0 {
		return false
	}
	r.value = b[i:end]
	if r.at = skipSpace(b, end); r.at < len(b) && b[r.at] == ',' {
		r.at++
	} else {
		r.at = len(b)
	}
	return true
}

func (r *reader) named(name string) bool {
	if string(r.name) == name {
		return true
	}
	if bytes.IndexByte(r.name, '\\') < 0 {
		return false
	}
	decoded, ok := unescape(nil, r.name)
	return ok && string(decoded) == name
}

func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t') {
		i++
	}
	return i
}

// skipString gives the place behind the string that begins at i, -1 if there is none.
func skipString(b []byte, i int) int {
	if i >= len(b) || b[i] != '"' {
		return -1
	}
	for i++; ; i++ {
		n := bytes.IndexByte(b[i:], '"')
		if n < 0 {
			return -1
		}
		start := i
		i += n
		slashes := 0
		for i-slashes > start && b[i-slashes-1] == '\\' {
			slashes++
		}
		if slashes%2 == 0 { // an odd one escapes the quote
			return i + 1
		}
	}
}

// skipValue gives the place behind the value that begins at i, -1 if there is none. Brackets are counted, not matched.
func skipValue(b []byte, i int) int {
	if i >= len(b) {
		return -1
	}
	switch b[i] {
	case '"':
		return skipString(b, i)
	case '{', '[':
		open := 0
		for i < len(b) {
			switch b[i] {
			case '"':
				if i = skipString(b, i); i < 0 {
					return -1
				}
				continue
			case '{', '[':
				open++
			case '}', ']':
				if open--; open == 0 {
					return i + 1
				}
			}
			i++
		}
		return -1
	}
	start := i
	for i < len(b) && !delimiter(b[i]) {
		i++
	}
	if i == start {
		return -1
	}
	return i
}

func delimiter(c byte) bool {
	switch c {
	case ',', ':', ']', '}', '[', '{', '"', ' ', '\n', '\r', '\t':
		return true
	}
	return false
}

// decodeString gives the text of a JSON string: part of it if nothing is escaped, else in the room behind buf.
func decodeString(buf, value []byte) ([]byte, bool) {
	if len(value) < len(`""`) || value[0] != '"' {
		return nil, false
	}
	inner := value[1 : len(value)-1]
	if bytes.IndexByte(inner, '\\') < 0 {
		return inner, true
	}
	return unescape(buf, inner)
}

// unescape appends the text of the inside of a JSON string. A lone half of a surrogate pair becomes U+FFFD.
func unescape(dst, s []byte) ([]byte, bool) {
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			dst = append(dst, s[i])
			continue
		}
		if i++; i == len(s) {
			return nil, false
		}
		switch s[i] {
		case '"', '\\', '/':
			dst = append(dst, s[i])
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')
		case 'u':
			r, ok := hexRune(s[i+1:])
			if !ok {
				return nil, false
			}
			i += 4
			if utf16.IsSurrogate(r) {
				r, i = pair(r, s, i)
			}
			dst = utf8.AppendRune(dst, r)
		default:
			return nil, false
		}
	}
	return dst, true
}

// pair joins a surrogate, whose last hex digit is at i, with the one escaped behind it, and gives the place of the last digit used.
func pair(high rune, s []byte, i int) (rune, int) {
	if rest := s[i+1:]; len(rest) >= len(`\u0000`) && rest[0] == '\\' && rest[1] == 'u' {
		if low, ok := hexRune(rest[2:]); ok {
			if r := utf16.DecodeRune(high, low); r != utf8.RuneError {
				return r, i + len(`\u0000`)
			}
		}
	}
	return utf8.RuneError, i
}

func hexRune(s []byte) (rune, bool) {
	if len(s) < 4 {
		return 0, false
	}
	var r rune
	for _, c := range s[:4] {
		switch {
		case isDigit(c):
			r = r<<4 | rune(c-'0')
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			r = r<<4 | rune(c|0x20-'a'+10)
		default:
			return 0, false
		}
	}
	return r, true
}
