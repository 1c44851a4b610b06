package scim

import (
	"errors"
	"strings"

	"usher/scim/filter"
	"usher/scim/schema"
)

// path finds what the path of an operation means. known is false for an attribute that the server does not have, where such are ignored.
func (p *patcher) path(text string) (t filter.Path, known bool, err error) {
	name, bracket := cutBracket(strings.TrimSpace(text))
	if full, _, ok := p.resolve(strings.TrimRight(name, " ")); ok && full != name {
		t, err = p.read(full + bracket)
	} else {
		t, err = p.read(text)
	}
	switch {
	case isUnknown(err) && !p.misnamed(text) && p.q.ignoreUnknown():
		return filter.Path{}, false, nil
	case err != nil:
		return filter.Path{}, false, badPath(text, err)
	case t.Cond != nil && !t.Attribute.MultiValued:
		return filter.Path{}, false, badRequest(invalidPath, "The path %s has brackets, but %s has no list of values.", quoted(text), t.Attribute.Name)
	}
	return t, true, nil
}

// maxFilters and maxFilterBytes bound what reading the filters in the paths of one PATCH may cost. A filter is new by its form, which is
// all but what is in quotes: the parser keeps the forms that it has read, and one that it does not know takes it microseconds a byte.
const (
	maxFilters     = 256
	maxFilterBytes = 64 << 10
)

// longForm is the length in bytes beyond which the parser may not keep a form. The paths of such a form are told apart by all of their text.
const longForm = 384

// read has the parser read a path, and remembers what was dear to read.
func (p *patcher) read(text string) (filter.Path, error) {
	if _, bracket := cutBracket(text); bracket == "" {
		return p.parser.Path(text, p.rt, p.q)
	}
	var room [longForm]byte
	form := appendForm(room[:0], text)
	long := len(form) > longForm
	key := form
	if long {
		key = []byte(text)
	}
	t, known := p.filters[string(key)]
	if known && long {
		return t, nil
	}
	if !known {
		if p.filterBytes += len(form); p.filterBytes > maxFilterBytes || len(p.filters) == maxFilters {
			return filter.Path{}, badRequest(invalidPath, "The filters in the paths of a PATCH may be of %d forms and have %d bytes at most, not counting what is in quotes; send fewer in one request.",
				maxFilters, maxFilterBytes)
		}
	}
	t, err := p.parser.Path(text, p.rt, p.q)
	if err == nil && !known {
		if p.filters == nil {
			p.filters = make(map[string]filter.Path)
		}
		p.filters[string(key)] = t
	}
	return t, err
}

// appendForm writes a path without what is in quotes.
func appendForm(dst []byte, path string) []byte {
	inside := false
	for i := 0; i < len(path); i++ {
		switch c := path[i]; {
		case c == '"':
			inside = !inside
			dst = append(dst, c)
		case inside && c == '\\':
			i++
		case !inside:
			dst = append(dst, c)
		}
	}
	return dst
}

// resolve finds what the name of an attribute means, in the notations that are tolerated too; full is the name in standard notation.
func (p *patcher) resolve(name string) (full string, t schema.Target, ok bool) {
	if t, ok = p.rt.Resolve(name); ok {
		return name, t, true
	}
	if full, t, ok = p.q.dottedURN(p.rt, name); ok {
		return full, t, true
	}
	return p.q.extensionAtTop(p.rt, name)
}

// misnamed says whether a name or path that means nothing begins with the name of an attribute that there is, or of a schema. The sender
// then does not speak of something that the server does not have, and must hear that nothing was done.
func (p *patcher) misnamed(name string) bool {
	urn, rest := cutURN(p.rt, strings.TrimSpace(name))
	switch {
	case urn == "":
	case strings.Trim(rest, ".:") == "":
		return true
	case rest[0] == '.':
		return true
	default:
		urn, rest = urn+":", rest[1:]
	}
	i := strings.IndexAny(rest, ".:[")
	if i < 0 {
		return false
	}
	_, _, known := p.resolve(urn + strings.TrimRight(rest[:i], " "))
	return known
}

// cutURN parts a name from the URN of the schema before it. The rest begins with what comes after the URN, if anything; urn is empty when
// it is of no schema of the type.
func cutURN(rt *schema.ResourceType, name string) (urn, rest string) {
	if urn, rest = cutSchema(rt.Core, name); urn != "" {
		return urn, rest
	}
	for _, extension := range rt.Extensions {
		if urn, rest = cutSchema(extension, name); urn != "" {
			return urn, rest
		}
	}
	return "", name
}

func cutSchema(s *schema.Schema, name string) (urn, rest string) {
	n := len(s.URN)
	if len(name) < n || !strings.EqualFold(name[:n], s.URN) || len(name) > n && name[n] != ':' && name[n] != '.' {
		return "", name
	}
	return name[:n], name[n:]
}

// isUnknown says whether a path could be read, but names something that the server does not have.
func isUnknown(err error) bool {
	var refused *filter.Error
	return errors.As(err, &refused) && refused.Unknown
}

func badPath(text string, err error) error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	e := badRequest(invalidPath, "The path %s is not valid.", quoted(text))
	var refused *filter.Error
	if errors.As(err, &refused) {
		e.Detail = "The path " + quoted(text) + " is not valid: " + refused.Detail + "."
	}
	e.Cause = err
	return e
}

// key finds what a member of an object of attributes means: a name, or a path where dotted keys are tolerated. prefix is the URN, with a
// colon, of the extension whose object it is; empty for the resource's own attributes.
func (p *patcher) key(prefix, name string) (t filter.Path, known bool, err error) {
	if _, bracket := cutBracket(name); bracket != "" && !p.body && p.q.pathAsKey() {
		return p.path(prefix + name)
	}
	target, ok := p.rt.Resolve(prefix + name)
	if !ok && prefix == "" {
		_, target, ok = p.resolve(name)
	}
	misnamed := !ok && p.misnamed(prefix+name)
	switch {
	case misnamed && !p.body:
		return filter.Path{}, false, badRequest(invalidPath, "A %s has no attribute %s.", p.rt.Name, quoted(name))
	case !ok && !misnamed && p.q.ignoreUnknown():
		return filter.Path{}, false, nil
	case !ok, target.Attribute != nil && strings.ContainsAny(name, ".:") && !p.q.pathAsKey():
		return filter.Path{}, false, badRequest(invalidSyntax, "A %s has no attribute %s.", p.rt.Name, quoted(name))
	}
	return filter.Path{Target: target}, true, nil
}

// cutBracket parts a path into the name and the rest, which begins with a bracket.
func cutBracket(path string) (name, rest string) {
	if i := strings.IndexByte(path, '['); i >= 0 {
		return path[:i], path[i:]
	}
	return path, ""
}
