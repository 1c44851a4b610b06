package scim

import (
	"maps"
	"reflect"
	"slices"
	"strings"

	"usher/scim/schema"
)

// maxValues is how many values one attribute of a resource may have. Members of a group are not counted: they are no attribute here.
const maxValues = 1000

// element is one value of a multi-valued attribute while an operation works on the list.
type element struct {
	value   any
	written bool // by the operation: its claim to be the primary one goes before that of the others
}

func elementsOf(list []any) []element {
	elements := make([]element, len(list), len(list)+1)
	for i, value := range list {
		elements[i].value = value
	}
	return elements
}

// writtenOf gives values as an operation writes them.
func writtenOf(values []any) []element {
	elements := elementsOf(values)
	for i := range elements {
		elements[i].written = true
	}
	return elements
}

// merged gives the object with the edit's sub-attributes written over it; a nil in the edit clears one. Neither argument is changed.
func merged(object, edit map[string]any) map[string]any {
	out := make(map[string]any, len(object)+len(edit))
	maps.Copy(out, object)
	for name, value := range edit {
		put(out, name, value)
	}
	// The address in $ref is that of the value: it must not survive another value.
	if _, given := edit["$ref"]; !given && object["$ref"] != nil && !reflect.DeepEqual(object["value"], out["value"]) {
		delete(out, "$ref")
	}
	return out
}

// clearsOnly says whether an edit writes nothing.
func clearsOnly(edit map[string]any) bool {
	for _, value := range edit {
		if value != nil {
			return false
		}
	}
	return true
}

// hollow says whether a value of a multi-valued attribute holds nothing but what tells it from others.
func hollow(object map[string]any) bool {
	for name := range object {
		switch name {
		case "type", "primary":
		default:
			return false
		}
	}
	return true
}

// edited applies an edit to the values that are marked as written; nil removes them.
func edited(elements []element, edit map[string]any) []element {
	kept := elements[:0]
	for _, e := range elements {
		if e.written {
			if edit == nil {
				continue
			}
			object, _ := e.value.(map[string]any)
			e.value = merged(object, edit)
		}
		kept = append(kept, e)
	}
	return kept
}

// appended adds values. One that is there already is not added again, but what is said of it anew is written over the old; one that is
// given without a type is there if it is there with any.
func appended(attr *schema.Attribute, elements []element, values []any) []element {
	if len(elements) == 0 {
		return writtenOf(values)
	}
	known := make(map[elementKey]int, 2*len(elements))
	for i, e := range elements {
		key := keyOf(attr, e.value)
		remember(known, key, i)
		remember(known, key.ofAnyKind(), i)
	}
	for _, value := range values {
		key := keyOf(attr, value)
		i, found := known[key]
		if !found && key.kind == "" {
			i, found = known[key.ofAnyKind()]
		}
		if !found {
			elements = append(elements, element{value, true})
			continue
		}
		if edit, ok := value.(map[string]any); ok {
			object, _ := elements[i].value.(map[string]any)
			elements[i].value = merged(object, edit)
		}
		elements[i].written = true
	}
	return elements
}

func remember(known map[elementKey]int, key elementKey, i int) {
	if _, found := known[key]; !found {
		known[key] = i
	}
}

// without takes the values away that are listed; one that is listed without a type goes whatever its type is.
func without(attr *schema.Attribute, elements []element, listed []any) []element {
	unwanted := make(map[elementKey]bool, len(listed))
	for _, value := range listed {
		key := keyOf(attr, value)
		if key.kind == "" {
			key = key.ofAnyKind()
		}
		unwanted[key] = true
	}
	kept := elements[:0]
	for _, e := range elements {
		key := keyOf(attr, e.value)
		if !unwanted[key] && !unwanted[key.ofAnyKind()] {
			kept = append(kept, e)
		}
	}
	return kept
}

// elementKey tells whether two values of an attribute are the same one: RFC 7643 section 2.4 forbids the same type and value twice. A
// value that has no sub-attribute "value" is the same only as one that is equal in all but whether it is the primary one.
type elementKey struct {
	value   string
	kind    string
	whole   bool // value is all of it but primary, as JSON
	anyKind bool // kind is left open
}

func (k elementKey) ofAnyKind() elementKey {
	k.kind, k.anyKind = "", true
	return k
}

func keyOf(attr *schema.Attribute, value any) elementKey {
	object, ok := value.(map[string]any)
	if !ok {
		return elementKey{value: string(appendValue(nil, attr, value))}
	}
	text, ok := object["value"].(string)
	if !ok {
		rest := maps.Clone(object)
		delete(rest, "primary")
		return elementKey{value: string(appendValue(nil, attr, rest)), whole: true}
	}
	if sub := attr.SubAttribute("value"); sub != nil && !sub.CaseExact {
		text = strings.ToLower(text)
	}
	kind, _ := object["type"].(string)
	return elementKey{value: text, kind: strings.ToLower(kind)}
}

// isHollow says whether a value is an object that is hollow.
func isHollow(value any) bool {
	object, ok := value.(map[string]any)
	return ok && hollow(object)
}

// settle makes the list of values out of what an operation left: no value twice, one primary at most, and in a body none that is hollow;
// in a PATCH a later operation may fill it (see fill). It is nil when no value is left.
func (p *patcher) settle(attr *schema.Attribute, elements []element) (any, error) {
	if p.body {
		elements = slices.DeleteFunc(elements, func(e element) bool { return isHollow(e.value) })
	}
	elements = distinct(attr, elements)
	if len(elements) > maxValues {
		return nil, badRequest(invalidValue, "%s may have %d values at most, not %d.", attr.Name, maxValues, len(elements))
	}
	if err := p.onePrimary(attr, elements); err != nil || len(elements) == 0 {
		return nil, err
	}
	list := make([]any, len(elements))
	for i, e := range elements {
		list[i] = e.value
	}
	return list, nil
}

// fill ends a PATCH: hollow values that no operation has filled go. Where one was written so, and not left so by clearing what it held,
// the PATCH cannot be done.
func (p *patcher) fill() error {
	for _, t := range p.hollowed {
		list, _ := p.get(t.target).([]any)
		kept := slices.DeleteFunc(slices.Clone(list), isHollow)
		switch {
		case len(kept) == len(list):
			continue
		case t.written:
			return nothing(t.target.Attribute)
		case len(kept) == 0:
			p.set(t.target, nil)
		default:
			p.set(t.target, kept)
		}
	}
	return nil
}

// saysNothing says whether a list, as it was sent, has only values that are hollow.
func saysNothing(value any) bool {
	list, ok := value.([]any)
	return ok && len(list) > 0 && !clears(value) && !slices.ContainsFunc(list, func(item any) bool {
		object, ok := item.(map[string]any)
		for name := range object {
			ok = ok && (strings.EqualFold(name, "type") || strings.EqualFold(name, "primary"))
		}
		return !ok
	})
}

// nothing refuses a value that says nothing.
func nothing(attr *schema.Attribute) error {
	return badRequest(invalidValue, "A value of %s needs more than a type and whether it is the primary one.", attr.Name)
}

// hollowed is an attribute that may have got hollow values; written says that they were written so.
type hollowed struct {
	target  schema.Target
	written bool
}

// watch notes that an operation leaves hollow values of an attribute; of several operations the first counts. written says that it does
// more than clear.
func (p *patcher) watch(t schema.Target, next any, written bool) {
	t.Sub = nil
	if slices.ContainsFunc(p.hollowed, func(h hollowed) bool { return h.target == t }) {
		return
	}
	list, _ := next.([]any)
	if slices.ContainsFunc(list, isHollow) {
		p.hollowed = append(p.hollowed, hollowed{t, written})
	}
}

// distinct keeps the first of equal values.
func distinct(attr *schema.Attribute, elements []element) []element {
	if len(elements) < 2 {
		return elements
	}
	first := make(map[elementKey]int, len(elements))
	kept := elements[:0]
	for _, e := range elements {
		key := keyOf(attr, e.value)
		if i, found := first[key]; found {
			kept[i].written = kept[i].written || e.written
			continue
		}
		first[key] = len(kept)
		kept = append(kept, e)
	}
	return kept
}

// onePrimary makes the others not primary when one is: the first one that the operation wrote, or else the first of all.
func (p *patcher) onePrimary(attr *schema.Attribute, elements []element) error {
	chosen, claims := -1, 0
	for i, e := range elements {
		if !isPrimary(e.value) {
			continue
		}
		if e.written {
			claims++
		}
		if chosen < 0 || e.written && !elements[chosen].written {
			chosen = i
		}
	}
	if claims > 1 && !p.q.firstPrimary() {
		return badRequest(invalidValue, "%s may have one primary value only.", attr.Name)
	}
	for i := range elements {
		if i != chosen && isPrimary(elements[i].value) {
			object, _ := elements[i].value.(map[string]any)
			elements[i].value = merged(object, map[string]any{"primary": false})
		}
	}
	return nil
}

func isPrimary(value any) bool {
	object, _ := value.(map[string]any)
	primary, _ := object["primary"].(bool)
	return primary
}
