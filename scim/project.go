package scim

import (
	"bytes"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"usher/scim/schema"
)

// projection is what a request wants to see of a resource (RFC 7644 section 3.9). Nil is the default set.
type projection struct {
	rt      *schema.ResourceType
	exclude bool                       // the names are those left out
	whole   map[string]bool            // attributes named as a whole, by wire path
	part    map[string][]string        // attributes of which sub-attributes are named
	sent    map[*schema.Attribute]bool // that the request wrote: they are part of its answer although they are returned on request only
}

// projectionOf reads the parameters attributes and excludedAttributes. Names that the resource type does not have are passed over.
func projectionOf(rt *schema.ResourceType, attributes, excluded []string) (*projection, error) {
	attributes, excluded = names(attributes), names(excluded)
	switch {
	case len(attributes) > 0 && len(excluded) > 0:
		return nil, badRequest(invalidValue, "attributes and excludedAttributes cannot be given together.")
	case len(attributes) > 0:
		return newProjection(rt, attributes, false), nil
	case len(excluded) > 0:
		return newProjection(rt, excluded, true), nil
	}
	return defaultProjection(rt), nil
}

// defaultProjection is what is shown unless a request says otherwise; nil when that is all that there is.
func defaultProjection(rt *schema.ResourceType) *projection {
	if !rt.Hides {
		return nil
	}
	return newProjection(rt, nil, true)
}

// names splits lists of names at their commas.
func names(lists []string) []string {
	var all []string
	for _, list := range lists {
		for name := range strings.SplitSeq(list, ",") {
			if name = strings.TrimSpace(name); name != "" {
				all = append(all, name)
			}
		}
	}
	return all
}

func newProjection(rt *schema.ResourceType, names []string, exclude bool) *projection {
	p := &projection{rt: rt, exclude: exclude, whole: map[string]bool{}, part: map[string][]string{}}
	for _, name := range names {
		t, ok := rt.Resolve(name)
		if !ok {
			continue
		}
		if t.Attribute == nil {
			p.whole[t.Extension.URN] = true
			continue
		}
		path := wirePath(t.Extension, t.Attribute.Name)
		if t.Sub == nil {
			p.whole[path] = true
		} else if !containsFold(p.part[path], t.Sub.Name) {
			p.part[path] = append(p.part[path], t.Sub.Name)
		}
	}
	return p
}

// wirePath is where an attribute is in a rendered resource.
func wirePath(extension *schema.Schema, attribute string) string {
	if extension == nil {
		return attribute
	}
	return extension.URN + "/" + attribute
}

// view says what is shown of one attribute: all of it, nothing, or the sub-attributes that keep names.
type view struct {
	all  bool
	keep func(sub string) bool // nil unless some are shown and others not
}

// of says what is shown of the attribute at a wire path with the characteristics given (nil: a common attribute).
func (p *projection) of(path string, attr *schema.Attribute) view {
	always := path == "id" || path == "schemas" || attr != nil && attr.Returned == schema.ReturnedAlways
	subs, named := p.part[path]
	asked := p.whole[path] && !p.exclude || attr != nil && p.sent[attr]
	switch {
	case always:
		return view{all: true}
	case attr != nil && attr.Returned == schema.ReturnedNever:
		return view{}
	case attr != nil && attr.Returned == schema.ReturnedRequest && !asked && (p.exclude || !named):
		return view{}
	case attr != nil && attr.Hides() && !asked && !named && (p.exclude && !p.whole[path] || p.whole[path]):
		return view{keep: func(sub string) bool {
			s := attr.SubAttribute(sub)
			return s == nil || s.Returned == schema.ReturnedDefault || s.Returned == schema.ReturnedAlways || p.sent[s]
		}}
	case p.whole[path]:
		return view{all: !p.exclude}
	case named:
		return view{keep: func(sub string) bool {
			if attr != nil {
				if s := attr.SubAttribute(sub); s != nil && s.Returned == schema.ReturnedAlways {
					return true
				}
			}
			return containsFold(subs, sub) != p.exclude
		}}
	}
	return view{all: p.exclude}
}

// wrote notes what a POST or PUT wrote, so that its answer shows it.
func (p *projection) wrote(rt *schema.ResourceType, r Resource) {
	if p == nil || !rt.Hides {
		return
	}
	p.sent = map[*schema.Attribute]bool{}
	note := func(attributes []*schema.Attribute, values map[string]any) {
		for _, attr := range attributes {
			_, given := values[attr.Name]
			if p.sent[attr] = given; !given {
				continue
			}
			for _, sub := range attr.Sub {
				p.sent[sub] = true
			}
		}
	}
	note(rt.Core.Attributes, r)
	for _, extension := range rt.Extensions {
		values, _ := r[extension.URN].(map[string]any)
		note(extension.Attributes, values)
	}
}

// named notes what a PATCH named, as applyPatch gives it.
func (p *projection) named(rt *schema.ResourceType, names map[string]bool) {
	if p == nil || !rt.Hides {
		return
	}
	p.sent = map[*schema.Attribute]bool{}
	for _, extension := range rt.Extensions {
		for _, attr := range extension.Attributes {
			p.sent[attr] = names[extension.URN+":"+strings.ToLower(attr.Name)]
			for _, sub := range attr.Sub {
				p.sent[sub] = p.sent[attr]
			}
		}
	}
}

// wants says whether an answer shows anything of a core attribute, so that what it does not show need not be read.
func (p *projection) wants(attribute string) bool {
	if p == nil {
		return true
	}
	v := p.of(attribute, p.rt.Core.Attribute(attribute))
	return v.all || v.keep != nil
}

// references says which sub-attributes of a core attribute are shown whose values are references to other resources.
func (p *projection) references(attribute string) parts {
	if p == nil {
		return allParts()
	}
	v := p.of(attribute, p.rt.Core.Attribute(attribute))
	if v.keep == nil {
		return parts{v.all, v.all, v.all, v.all}
	}
	return parts{v.keep("value"), v.keep("$ref"), v.keep("display"), v.keep("type")}
}

// apply gives the resource with only what is to be seen of it. It trusts the resource to be JSON of the server's own making.
func (p *projection) apply(resource []byte) ([]byte, error) {
	if p == nil {
		return resource, nil
	}
	out := make([]byte, 0, len(resource))
	in := jsontext.NewDecoder(bytes.NewReader(resource), jsontext.AllowDuplicateNames(true))
	return p.object(out, in, func(name string) (view, *schema.Schema) {
		if extension := p.rt.Extension(name); extension != nil {
			if v := p.of(name, nil); !v.all || p.exclude || extension.Hides() {
				return v, extension
			}
			return view{all: true}, nil
		}
		return p.of(name, p.rt.Core.Attribute(name)), nil
	})
}

// object copies the members of an object that look shows. look may give an extension, whose members are looked at one by one.
func (p *projection) object(out []byte, in *jsontext.Decoder, look func(name string) (view, *schema.Schema)) ([]byte, error) {
	if _, err := in.ReadToken(); err != nil {
		return nil, err
	}
	out = append(out, '{')
	for in.PeekKind() != jsontext.KindEndObject {
		token, err := in.ReadToken()
		if err != nil {
			return nil, err
		}
		name := token.String()
		before := len(out)
		if out[before-1] != '{' {
			out = append(out, ',')
		}
		out = appendString(out, name)
		out = append(out, ':')
		v, extension := look(name)
		start := len(out)
		switch {
		case extension != nil:
			named := p.whole[name]
			out, err = p.object(out, in, func(attribute string) (view, *schema.Schema) {
				attr := extension.Attribute(attribute)
				if named && attr != nil { // all of it was asked for, or nothing
					return view{all: attr.Returned == schema.ReturnedAlways || !p.exclude && attr.Returned != schema.ReturnedNever}, nil
				}
				return p.of(wirePath(extension, attribute), attr), nil
			})
		case v.all:
			var raw jsontext.Value
			raw, err = in.ReadValue()
			out = append(out, raw...)
		case v.keep != nil:
			out, err = p.partial(out, in, v)
		default:
			err = in.SkipValue()
		}
		if err != nil {
			return nil, err
		}
		if shown := out[start:]; len(shown) == 0 || string(shown) == "{}" || string(shown) == "[]" {
			out = out[:before]
		}
	}
	if _, err := in.ReadToken(); err != nil {
		return nil, err
	}
	return append(out, '}'), nil
}

// partial copies the sub-attributes that are shown, of a single value or of each value.
func (p *projection) partial(out []byte, in *jsontext.Decoder, v view) ([]byte, error) {
	member := func(sub string) (view, *schema.Schema) { return view{all: v.keep(sub)}, nil }
	if in.PeekKind() == jsontext.KindBeginObject {
		return p.object(out, in, member)
	}
	if in.PeekKind() != jsontext.KindBeginArray {
		return out, in.SkipValue()
	}
	if _, err := in.ReadToken(); err != nil {
		return nil, err
	}
	out = append(out, '[')
	for in.PeekKind() != jsontext.KindEndArray {
		before := len(out)
		if out[before-1] != '[' {
			out = append(out, ',')
		}
		start := len(out)
		var err error
		if in.PeekKind() == jsontext.KindBeginObject {
			out, err = p.object(out, in, member)
		} else {
			err = in.SkipValue()
		}
		if err != nil {
			return nil, err
		}
		if shown := out[start:]; len(shown) == 0 || string(shown) == "{}" {
			out = out[:before]
		}
	}
	_, err := in.ReadToken()
	return append(out, ']'), err
}
