package scimtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// reference is ${name} or ${name|url}.
const reference = `\$\{([A-Za-z_][A-Za-z0-9_]*)(\|url)?\}`

// scope holds the variables of one replay.
type scope struct {
	values map[string]any
	ref    *regexp.Regexp
	whole  *regexp.Regexp
}

func newScope(run string) *scope {
	return &scope{
		values: map[string]any{"run": run},
		ref:    regexp.MustCompile(reference),
		whole:  regexp.MustCompile(`^` + reference + `$`),
	}
}

// text replaces the references in s.
func (sc *scope) text(s string) (string, error) {
	var unset string
	out := sc.ref.ReplaceAllStringFunc(s, func(ref string) string {
		m := sc.ref.FindStringSubmatch(ref)
		v, ok := sc.values[m[1]]
		if !ok {
			unset = m[1]
			return ref
		}
		t := plain(v)
		if m[2] != "" {
			// QueryEscape leaves only the unreserved characters, but writes a space as "+".
			t = strings.ReplaceAll(url.QueryEscape(t), "+", "%20")
		}
		return t
	})
	if unset != "" {
		return "", fmt.Errorf("the variable %q is not set", unset)
	}
	return out, nil
}

// value replaces the references in a decoded JSON value, in the names of its members too. A text that is one reference and nothing
// else becomes the variable's value with its type.
func (sc *scope) value(v any) (any, error) {
	switch v := v.(type) {
	case string:
		if m := sc.whole.FindStringSubmatch(v); m != nil && m[2] == "" {
			value, ok := sc.values[m[1]]
			if !ok {
				return nil, fmt.Errorf("the variable %q is not set", m[1])
			}
			return value, nil
		}
		return sc.text(v)
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, member := range v {
			n, err := sc.text(name)
			if err != nil {
				return nil, err
			}
			if out[n], err = sc.value(member); err != nil {
				return nil, err
			}
		}
		return out, nil
	case []any:
		out := make([]any, len(v))
		for i, element := range v {
			var err error
			if out[i], err = sc.value(element); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	return v, nil
}

// json decodes a JSON text and replaces the references in it.
func (sc *scope) json(b json.RawMessage) (any, error) {
	v, err := decode(b)
	if err != nil {
		return nil, err
	}
	return sc.value(v)
}

// decode reads one JSON value and keeps numbers as they are written.
func decode(b []byte) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, err
	}
	if dec.More() {
		return nil, fmt.Errorf("more than one JSON value")
	}
	return v, nil
}

// plain writes a value into the middle of a text.
func plain(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	case bool:
		return strconv.FormatBool(v)
	}
	return show(v)
}

// at follows a dotted path into a decoded value; a number in the path is a list index.
func at(v any, path string) (any, error) {
	for _, part := range strings.Split(path, ".") {
		switch container := v.(type) {
		case map[string]any:
			member, ok := container[part]
			if !ok {
				return nil, fmt.Errorf("%q: there is no %q in %s", path, part, show(container))
			}
			v = member
		case []any:
			i, err := strconv.Atoi(part)
			if err != nil || i < 0 || i >= len(container) {
				return nil, fmt.Errorf("%q: there is no element %q in a list of %d", path, part, len(container))
			}
			v = container[i]
		default:
			return nil, fmt.Errorf("%q: %s has no %q", path, show(v), part)
		}
	}
	return v, nil
}

// show gives a value as short JSON for a message.
func show(v any) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Sprint(v)
	}
	return shorten(strings.TrimSuffix(b.String(), "\n"))
}

// shorten keeps a message readable when a server answers with a long body.
func shorten(s string) string {
	const most = 600
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "… (" + strconv.Itoa(len(s)) + " bytes)"
}
