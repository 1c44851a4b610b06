package scim

import (
	"strings"

	"usher/scim/filter"
	"usher/scim/schema"
	"usher/store"
	"usher/store/query"
)

// groupEdit is a PATCH of a group, split into what concerns its document and what concerns its members. It is made without looking at
// the members, so that its cost does not grow with the group.
type groupEdit struct {
	Attributes []operation // for applyPatch
	Members    []memberStep
}

// memberStep is one change of the members.
type memberStep struct {
	Kind memberKind
	IDs  []string // for all kinds but membersClear
}

type memberKind uint8

const (
	membersAdd     memberKind = iota + 1
	membersRemove             // those who are no members are passed over
	membersReplace            // the members become these and no others
	membersClear
)

// groupPatch splits the operations on a group. The error is an *Error.
func groupPatch(rt *schema.ResourceType, parser *filter.Parser, ops []operation, q *quirks) (groupEdit, error) {
	p := patcher{rt: rt, parser: parser, q: q}
	var edit groupEdit
	for _, op := range ops {
		err := p.unwrap(&op)
		if err == nil {
			err = p.split(op, &edit)
		}
		if err != nil {
			return groupEdit{}, op.located(err)
		}
	}
	return edit, nil
}

// split adds one operation to the edit.
func (p *patcher) split(op operation, edit *groupEdit) error {
	if op.HasPath {
		head, bracket := cutBracket(strings.TrimSpace(op.Path))
		if !p.meansMembers(head) { // applyPatch reads the path
			edit.Attributes = append(edit.Attributes, op)
			return nil
		}
		if _, target, _ := p.resolve(head); target.Sub != nil {
			return badRequest(mutability, "Members are added and removed as a whole; %s cannot be changed.", nameOf(target))
		}
		step, err := p.memberStep(op, head, bracket)
		if err == nil {
			edit.add(step)
		}
		return err
	}
	object, ok := op.Value.(map[string]any)
	if !ok || op.Op == opRemove {
		edit.Attributes = append(edit.Attributes, op) // applyPatch says what is wrong
		return nil
	}
	rest := make(map[string]any, len(object))
	for _, key := range sortedKeys(object) {
		if !p.meansMembers(key) || p.meansSub(key) {
			rest[key] = object[key]
			continue
		}
		p.resolve(key) // counts what it took to understand it
		step, err := p.memberStep(operation{Op: op.Op, Value: object[key], HasValue: true}, key, "")
		if err != nil {
			return err
		}
		edit.add(step)
	}
	if len(rest) > 0 {
		op.Value = rest
		edit.Attributes = append(edit.Attributes, op)
	}
	return nil
}

// meansMembers says whether a name is that of members or of a part of them, without counting what it takes to understand it: mostly it is
// something else, which is read again.
func (p *patcher) meansMembers(name string) bool {
	uncounted := patcher{rt: p.rt, q: p.q.uncounted()}
	_, target, ok := uncounted.resolve(name)
	return ok && isMembers(target)
}

// meansSub says whether a name is that of a sub-attribute.
func (p *patcher) meansSub(name string) bool {
	uncounted := patcher{rt: p.rt, q: p.q.uncounted()}
	_, target, ok := uncounted.resolve(name)
	return ok && target.Sub != nil
}

func isMembers(t schema.Target) bool {
	return t.Extension == nil && t.Attribute != nil && t.Attribute.Name == "members"
}

// add appends a step unless it does nothing.
func (e *groupEdit) add(step memberStep) {
	if len(step.IDs) > 0 || step.Kind == membersReplace || step.Kind == membersClear {
		e.Members = append(e.Members, step)
	}
}

// memberStep makes the step of an operation whose path is the members, with or without a filter.
func (p *patcher) memberStep(op operation, head, bracket string) (memberStep, error) {
	if bracket != "" {
		if op.Op != opRemove {
			return memberStep{}, badRequest(mutability, "Members are added and removed as a whole; none can be changed.")
		}
		ids, err := p.selectedMembers(head + bracket)
		return memberStep{membersRemove, ids}, err
	}
	if op.Op != opRemove && !op.HasValue {
		return memberStep{}, badRequest(invalidValue, "The operation %q needs a value.", op.Op)
	}
	if op.Op == opRemove && !p.q.removesListed(op.Value) {
		return memberStep{Kind: membersClear}, nil
	}
	ids, err := memberIDs(op.Value, p.q)
	if err != nil {
		return memberStep{}, err
	}
	switch {
	case op.Op == opRemove:
		return memberStep{membersRemove, ids}, nil
	case op.Op == opAdd:
		return memberStep{membersAdd, ids}, nil
	case len(ids) == 0:
		return memberStep{Kind: membersClear}, nil
	}
	return memberStep{membersReplace, ids}, nil
}

// selectedMembers reads the ids out of a path such as members[value eq "a" or value eq "b"].
func (p *patcher) selectedMembers(path string) ([]string, error) {
	target, _, err := p.path(path)
	if err != nil {
		return nil, err
	}
	if target.Sub != nil {
		return nil, badRequest(mutability, "Members are added and removed as a whole; %s cannot be changed.", nameOf(target.Target))
	}
	ids, ok := equalValues(nil, target.Cond)
	if !ok {
		return nil, badRequest(invalidPath, `The filter of members may only be of the form: value eq "id".`)
	}
	return ids, nil
}

// equalValues collects the values of equalities on "value" that are joined by or. ok is false for any other filter.
func equalValues(ids []string, n query.Node) (_ []string, ok bool) {
	switch n := n.(type) {
	case query.Leaf:
		return append(ids, n.Value), n.Path == "value" && n.Op == query.Equal
	case query.Or:
		for _, part := range n {
			if ids, ok = equalValues(ids, part); !ok {
				return nil, false
			}
		}
		return ids, len(n) > 0
	}
	return nil, false
}

// bodyMembers gives the ids of the members that the body of a POST or PUT lists. The error is an *Error.
func bodyMembers(rt *schema.ResourceType, in map[string]any, q *quirks) ([]string, error) {
	again := q.uncounted() // normalise has read the names before
	in, err := again.coreObject(rt, in)
	if err != nil {
		return nil, err
	}
	p := patcher{rt: rt, q: again}
	var members any
	given := false
	for _, key := range sortedKeys(in) {
		if _, target, ok := p.resolve(key); ok && isMembers(target) && target.Sub == nil {
			if given {
				return nil, badRequest(invalidSyntax, "members is given twice.")
			}
			members, given = in[key], true
		}
	}
	return memberIDs(members, q)
}

// memberIDs reads the value of members: a list of objects, of which only the value counts. Ids that come twice are given once.
func memberIDs(value any, q *quirks) ([]string, error) {
	if value == nil {
		return nil, nil
	}
	list, ok := value.([]any)
	if !ok {
		if list, ok = q.listOfOne(value); !ok {
			return nil, badRequest(invalidValue, "members must be a list of objects, not %s.", shown(value))
		}
	}
	ids := make([]string, 0, len(list))
	seen := make(map[string]bool, len(list))
	for _, item := range list {
		id, err := memberID(item, q)
		if err != nil {
			return nil, err
		}
		if !seen[id] {
			seen[id] = true
			ids = append(ids, id)
		}
	}
	return ids, nil
}

func memberID(item any, q *quirks) (string, error) {
	var id string
	switch item := item.(type) {
	case map[string]any:
		value, _ := member(item, "value")
		id, _ = value.(string)
	case memberRef:
		id = string(item)
	case string:
		if !q.bareMember() {
			return "", badRequest(invalidValue, "A member must be an object with a value, not %s.", quoted(item))
		}
		id = item
	default:
		return "", badRequest(invalidValue, "A member must be an object with a value, not %s.", shown(item))
	}
	if id == "" {
		return "", badRequest(invalidValue, "The value of a member must be the id of a user.")
	}
	return id, nil
}

// foldMembers makes one change of ordered steps; of what is said twice about a member, the last counts.
func foldMembers(steps []memberStep) store.MemberChange {
	var order []string
	var exactly bool
	last := make(map[string]memberKind)
	for _, step := range steps {
		kind := step.Kind
		if kind == membersReplace || kind == membersClear {
			order, exactly, kind = nil, true, membersAdd
			clear(last)
		}
		for _, id := range step.IDs {
			if last[id] == 0 {
				order = append(order, id)
			}
			last[id] = kind
		}
	}
	change := store.MemberChange{Exactly: exactly}
	for _, id := range order {
		switch {
		case last[id] == membersAdd:
			change.Add = append(change.Add, id)
		case !exactly:
			change.Remove = append(change.Remove, id)
		}
	}
	return change
}
