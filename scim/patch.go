package scim

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"usher/scim/filter"
	"usher/scim/schema"
)

// patchURN is the schema of a PATCH request.
const patchURN = "urn:ietf:params:scim:api:messages:2.0:PatchOp"

// The operations of a PATCH (RFC 7644 section 3.5.2).
const (
	opAdd     = "add"
	opReplace = "replace"
	opRemove  = "remove"
)

// maxOperations is how many operations one PATCH may apply to the attributes of a resource. It bounds the work of a request, since each
// operation may look at every value of an attribute. Operations on the members of a group are not counted.
const maxOperations = 1000

// maxVisits is how many values of lists the operations of one PATCH may look at, counted for each operation anew. Longest lists and most
// operations together would keep a processor busy for seconds.
const maxVisits = 100_000

// operation is one operation of a PATCH request. Op is one of the constants.
type operation struct {
	Op       string
	Path     string
	HasPath  bool // an empty path is none
	Value    any
	HasValue bool   // null is a value
	Place    string // in the request, for messages: "Operation 2 of 5"; empty when there is no other
}

// parsePatch reads the body of a PATCH request. The error is an *Error.
func parsePatch(in map[string]any, q *quirks) ([]operation, error) {
	listed, err := schemasOf(in, q)
	if err != nil {
		return nil, err
	}
	if listed != nil && !containsFold(listed, patchURN) && !q.unknownSchemas() {
		return nil, badRequest(invalidSyntax, "The schemas must hold %q.", patchURN)
	}
	value, _ := member(in, "Operations")
	list, ok := value.([]any)
	if !ok || len(list) == 0 {
		return nil, badRequest(invalidSyntax, "Operations must be a list of at least one operation.")
	}
	ops := make([]operation, 0, len(list))
	for i, item := range list {
		op, err := parseOperation(item, q)
		if len(list) > 1 {
			op.Place = fmt.Sprintf("Operation %d of %d", i+1, len(list))
		}
		if err != nil {
			return nil, op.located(err)
		}
		ops = append(ops, op)
	}
	return ops, nil
}

func parseOperation(item any, q *quirks) (operation, error) {
	object, ok := item.(map[string]any)
	if !ok {
		return operation{}, badRequest(invalidSyntax, "An operation must be an object.")
	}
	var op operation
	given, _ := member(object, "op")
	name, ok := given.(string)
	if !ok {
		return operation{}, badRequest(invalidSyntax, `An operation needs an op: "add", "replace" or "remove".`)
	}
	if op.Op, ok = q.operationName(name); !ok {
		return operation{}, badRequest(invalidSyntax, `The op must be "add", "replace" or "remove", not %s.`, quoted(name))
	}
	switch path, _ := member(object, "path"); path := path.(type) {
	case nil:
	case string:
		op.Path, op.HasPath = path, path != ""
	default:
		return operation{}, badRequest(invalidPath, "The path must be a string.")
	}
	op.Value, op.HasValue = member(object, "value")
	return op, nil
}

// located says in which of several operations the error is.
func (op operation) located(err error) error {
	var refused *Error
	if op.Place == "" || !errors.As(err, &refused) {
		return err
	}
	located := *refused
	located.Detail = op.Place + ": " + refused.Detail
	return &located
}

// applyPatch gives the resource that the operations, one after the other, make of before, which stays as it is. An error means that
// nothing was done; it is an *Error. The caller checks the outcome with checkResource.
//
// named tells which attributes the operations named, whether or not they changed them: core attributes in lower case, those of
// extensions as the URN, a colon, and the name in lower case.
func applyPatch(rt *schema.ResourceType, parser *filter.Parser, before Resource, ops []operation, q *quirks) (after Resource, named map[string]bool, err error) {
	if len(ops) > maxOperations {
		return nil, nil, badRequest(invalidValue, "A PATCH may have %d operations on attributes at most, not %d.", maxOperations, len(ops))
	}
	p := patcher{rt: rt, parser: parser, q: q, resource: maps.Clone(before), named: make(map[string]bool)}
	if p.resource == nil {
		p.resource = Resource{}
	}
	for _, op := range ops {
		err := p.unwrap(&op)
		if err == nil {
			err = p.apply(op)
		}
		if err != nil {
			return nil, nil, op.located(err)
		}
	}
	if err := p.fill(); err != nil {
		return nil, nil, err
	}
	return p.resource, p.named, nil
}

// patcher writes to one resource. The resource is its own; the values in it are shared with others and never changed in place.
type patcher struct {
	rt       *schema.ResourceType
	parser   *filter.Parser
	q        *quirks
	resource Resource
	named    map[string]bool // nil: not wanted
	visits   int             // see maxVisits
	body     bool            // a POST or PUT body is read, not a PATCH
	hollowed []hollowed      // see fill

	filters     map[string]filter.Path // see read
	filterBytes int
}

// unwrap brings an operation that has the URN of the core schema, as its path or in its value, to the form without.
func (p *patcher) unwrap(op *operation) error {
	if op.HasPath {
		if !p.q.corePath(p.rt, op.Path) {
			return nil
		}
		if op.Op == opRemove {
			return badRequest(mutability, "%s cannot be removed; name its attributes.", p.rt.Core.URN)
		}
		op.Path, op.HasPath = "", false
	}
	object, ok := op.Value.(map[string]any)
	if !ok {
		return nil
	}
	object, err := p.q.coreObject(p.rt, object)
	op.Value = object
	return err
}

func (p *patcher) apply(op operation) error {
	if op.Op != opRemove && !op.HasValue {
		return badRequest(invalidValue, "The operation %q needs a value.", op.Op)
	}
	if !op.HasPath {
		object, ok := op.Value.(map[string]any)
		switch {
		case op.Op == opRemove:
			return badRequest(noTarget, "The operation %q needs a path.", opRemove)
		case !ok:
			return badRequest(invalidValue, "Without the path of an attribute the value must be an object of attributes.")
		}
		return p.merge(op.Op, "", object)
	}
	target, known, err := p.path(op.Path)
	if err != nil || !known {
		return err
	}
	return p.assign(op.Op, target, op.Value, false)
}

// merge writes each of the attributes of an object; prefix goes before their names: that of the extension they belong to, or nothing.
func (p *patcher) merge(verb, prefix string, object map[string]any) error {
	for _, key := range sortedKeys(object) {
		target, known, err := p.key(prefix, key)
		if err != nil {
			return err
		}
		if !known {
			continue
		}
		if err := p.assign(verb, target, object[key], true); err != nil {
			return err
		}
	}
	return nil
}

// mergeExtension writes each of the attributes of an extension's object.
func (p *patcher) mergeExtension(verb string, extension *schema.Schema, value any) error {
	object, ok := value.(map[string]any)
	switch {
	case verb == opRemove, value == nil:
		for _, attr := range extension.Attributes {
			if attr.Mutability != schema.ReadOnly {
				p.name(schema.Target{Extension: extension, Attribute: attr})
			}
		}
		delete(p.resource, extension.URN)
		return nil
	case !ok:
		return badRequest(invalidValue, "%s must be an object.", extension.URN)
	}
	return p.merge(verb, extension.URN+":", object)
}

// assign does one operation on one target. within says that the target was named in an object of attributes, not by a path.
func (p *patcher) assign(verb string, t filter.Path, value any, within bool) error {
	if t.Attribute == nil {
		return p.mergeExtension(verb, t.Extension, value)
	}
	if write, err := p.writable(t.Target, within); !write {
		return err
	}
	p.name(t.Target)
	old := p.get(t.Target)
	if p.body && old != nil && (value == nil || value == "") {
		return nil // said already, and this says nothing
	}
	list, _ := old.([]any)
	if p.visits += len(list); p.visits > maxVisits {
		return badRequest(invalidValue, "%s has too many values for so many operations; send fewer in one request.", t.Attribute.Name)
	}
	if !within && t.Cond == nil && t.Sub == nil && t.Attribute.MultiValued && saysNothing(value) {
		return nothing(t.Attribute)
	}
	var next any
	var err error
	switch {
	case t.Cond != nil:
		next, err = p.selected(verb, t, list, value)
	case t.Attribute.MultiValued:
		next, err = p.list(verb, t.Target, list, value)
	default:
		next, err = p.single(verb, t.Target, old, value)
	}
	if err != nil {
		return err
	}
	if next == nil && t.Attribute.Required {
		if verb == opRemove {
			return badRequest(mutability, "%s is required and cannot be removed.", t.Attribute.Name)
		}
		return badRequest(invalidValue, "%s is required and may not be empty.", t.Attribute.Name)
	}
	if p.body && old != nil && contradicts(old, next) { // which of the two was meant is not ours to guess
		return badRequest(invalidSyntax, "%s is given twice.", nameOf(t.Target))
	}
	p.watch(t.Target, next, !within && verb != opRemove && !clears(value) && !unsetsPrimary(t.Target, value))
	p.set(t.Target, next)
	return nil
}

// unsetsPrimary says whether a value is not to be the primary one, which a value that is not there is not.
func unsetsPrimary(t schema.Target, value any) bool {
	text, _ := value.(string)
	return t.Sub != nil && t.Sub.Name == "primary" && (value == false || strings.EqualFold(text, "false"))
}

// clears says whether a value takes away, at least of one of several values, what an attribute held.
func clears(value any) bool {
	switch value := value.(type) {
	case nil:
		return true
	case string:
		return value == ""
	case []any:
		return slices.ContainsFunc(value, clears)
	case map[string]any:
		for _, v := range value {
			if clears(v) {
				return true
			}
		}
	}
	return false
}

// contradicts says whether a second mention of an attribute, or of a part of it, changes what the first has said.
func contradicts(old, next any) bool {
	was, ok := old.(map[string]any)
	if !ok {
		return !reflect.DeepEqual(old, next)
	}
	is, _ := next.(map[string]any)
	for name, value := range was {
		if !reflect.DeepEqual(value, is[name]) {
			return true
		}
	}
	return false
}

// writable says whether a target is to be written. Where it is not, and there is no error, the value is passed over.
func (p *patcher) writable(t schema.Target, within bool) (bool, error) {
	attr := t.Attribute
	switch {
	case strings.EqualFold(attr.Name, "schemas") && t.Extension == nil:
		return false, nil // follows from what the resource has
	case attr.Returned == schema.ReturnedNever:
		return false, nil // a password: people sign in at their identity provider, so nobody needs it here
	case p.body && isMembers(t) && t.Sub == nil:
		return false, nil // see bodyMembers
	case attr.Mutability == schema.ReadOnly, t.Sub != nil && t.Sub.Mutability == schema.ReadOnly:
		if p.body || within && p.q.ignoreReadOnly() {
			return false, nil
		}
		return false, badRequest(mutability, "%s is read-only.", nameOf(t))
	case isMembers(t):
		return false, badRequest(invalidPath, "%s cannot be changed in this way.", nameOf(t))
	}
	return true, nil
}

// name notes that an operation named the attribute.
func (p *patcher) name(t schema.Target) {
	if p.named == nil {
		return
	}
	key := strings.ToLower(t.Attribute.Name)
	if t.Extension != nil {
		key = t.Extension.URN + ":" + key
	}
	p.named[key] = true
}

func (p *patcher) get(t schema.Target) any {
	if t.Extension == nil {
		return p.resource[t.Attribute.Name]
	}
	values, _ := p.resource[t.Extension.URN].(map[string]any)
	return values[t.Attribute.Name]
}

// set puts a value in the place of the target's; nil removes it, and an extension with its last attribute.
func (p *patcher) set(t schema.Target, value any) {
	if t.Extension == nil {
		put(p.resource, t.Attribute.Name, value)
		return
	}
	old, _ := p.resource[t.Extension.URN].(map[string]any)
	values := make(map[string]any, len(old)+1)
	maps.Copy(values, old)
	put(values, t.Attribute.Name, value)
	if len(values) == 0 {
		delete(p.resource, t.Extension.URN)
		return
	}
	p.resource[t.Extension.URN] = values
}

func put(values map[string]any, name string, value any) {
	if value == nil {
		delete(values, name)
		return
	}
	values[name] = value
}

// nameOf gives the name of a target as a sentence shows it.
func nameOf(t schema.Target) string {
	if t.Sub != nil {
		return t.Attribute.Name + "." + t.Sub.Name
	}
	return t.Attribute.Name
}
