package scim

import (
	"maps"
	"net/http"
	"reflect"

	"usher/scim/schema"
)

// eachExtended calls do with the attributes of extensions and the values that two resources have of them; missing ones are nil.
func eachExtended(rt *schema.ResourceType, a, b Resource, do func(extension *schema.Schema, attr *schema.Attribute, a, b any) error) error {
	for _, extension := range rt.Extensions {
		x, _ := a[extension.URN].(map[string]any)
		y, _ := b[extension.URN].(map[string]any)
		if x == nil && y == nil {
			continue
		}
		for _, attr := range extension.Attributes {
			if err := do(extension, attr, x[attr.Name], y[attr.Name]); err != nil {
				return err
			}
		}
	}
	return nil
}

// keepImmutable gives a resource that is to replace another the immutable values that it leaves out: they stay as they were set (RFC 7644
// section 3.5.1).
func keepImmutable(rt *schema.ResourceType, r, old Resource) {
	_ = eachExtended(rt, old, r, func(extension *schema.Schema, attr *schema.Attribute, was, is any) error {
		if attr.Mutability != schema.Immutable || is != nil {
			was = immutableSubs(attr, was, is)
		}
		if was == nil {
			return nil
		}
		values, _ := r[extension.URN].(map[string]any)
		kept := maps.Clone(values)
		if kept == nil {
			kept = map[string]any{}
		}
		kept[attr.Name] = was
		r[extension.URN] = kept
		return nil
	})
}

// immutableSubs gives the value of a complex attribute with the immutable sub-attributes that it leaves out; nil when there are none.
func immutableSubs(attr *schema.Attribute, was, is any) any {
	before, _ := was.(map[string]any)
	after, _ := is.(map[string]any)
	var kept map[string]any
	for _, sub := range attr.Sub {
		if sub.Mutability != schema.Immutable || before[sub.Name] == nil || after[sub.Name] != nil {
			continue
		}
		if kept == nil {
			kept = map[string]any{}
			maps.Copy(kept, after)
		}
		kept[sub.Name] = before[sub.Name]
	}
	if kept == nil {
		return nil
	}
	return kept
}

// checkImmutable refuses a change of a value that was set and may not change: an attribute's, or that of a sub-attribute.
func checkImmutable(rt *schema.ResourceType, old, r Resource) error {
	return eachExtended(rt, old, r, func(_ *schema.Schema, attr *schema.Attribute, was, is any) error {
		if was == nil || reflect.DeepEqual(was, is) {
			return nil
		}
		changed := attr
		if attr.Mutability != schema.Immutable {
			changed = immutableSub(attr, was, is)
		}
		if changed == nil {
			return nil
		}
		return &Error{Status: http.StatusBadRequest, ScimType: mutability, Detail: changed.QualifiedName() + " is immutable and has a value already."}
	})
}

// immutableSub gives an immutable sub-attribute of a single value that changes; nil when there is none.
func immutableSub(attr *schema.Attribute, was, is any) *schema.Attribute {
	before, _ := was.(map[string]any)
	after, _ := is.(map[string]any)
	for _, sub := range attr.Sub {
		if value := before[sub.Name]; sub.Mutability == schema.Immutable && value != nil && !reflect.DeepEqual(value, after[sub.Name]) {
			return sub
		}
	}
	return nil
}
