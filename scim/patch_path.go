package scim

import (
	"errors"
	"strings"

	"usher/scim/filter"
)

// path finds what the path of an operation means. known is false for an attribute that the server does not have, where such are ignored.
func (p *patcher) path(text string) (t filter.Path, known bool, err error) {
	t, err = p.parser.Path(text, p.rt, p.q)
	if isUnknown(err) {
		head, bracket := cutBracket(strings.TrimSpace(text))
		if full, _, ok := p.q.extensionAtTop(p.rt, head); ok {
			t, err = p.parser.Path(full+bracket, p.rt, p.q)
		}
	}
	switch {
	case isUnknown(err) && p.q.Allow(quirkUnknownAttribute):
		return filter.Path{}, false, nil
	case err != nil:
		return filter.Path{}, false, badPath(text, err)
	case t.Cond != nil && !t.Attribute.MultiValued:
		return filter.Path{}, false, badRequest(invalidPath, "The path %s has brackets, but %s has no list of values.", quoted(text), t.Attribute.Name)
	}
	return t, true, nil
}

// isUnknown says whether a path could be read, but names something that the server does not have.
func isUnknown(err error) bool {
	var refused *filter.Error
	return errors.As(err, &refused) && refused.Unknown
}

func badPath(text string, err error) error {
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
	if _, bracket := cutBracket(name); bracket != "" && !p.body && p.q.Allow(quirkDottedKeys) {
		return p.path(prefix + name)
	}
	target, ok := p.rt.Resolve(prefix + name)
	if !ok && prefix == "" {
		_, target, ok = p.q.extensionAtTop(p.rt, name)
	}
	switch {
	case !ok && p.q.Allow(quirkUnknownAttribute):
		return filter.Path{}, false, nil
	case !ok, target.Attribute != nil && strings.ContainsAny(name, ".:") && !p.q.Allow(quirkDottedKeys):
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
