package scim

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"

	"usher/licensing"
	"usher/store"
	"usher/store/query"
)

const (
	// membersAtOnce is how many members are read at a time.
	membersAtOnce = 1000
	// membersInPatchAnswer is how many members a group may have for a PATCH to be answered with the group.
	membersInPatchAnswer = 100
)

func (x *exchange) createGroup() error {
	body, err := x.readGroup()
	if err != nil {
		return err
	}
	project, err := x.projection(x.types.Group)
	if err != nil {
		return err
	}
	r, members, err := x.groupBody(body)
	if err != nil {
		return err
	}
	project.wrote(x.types.Group, r)
	draft, err := x.groupDraft(r)
	if err != nil {
		return err
	}
	result, err := x.withMembers(store.MemberChange{Add: members}, func(c store.MemberChange) (licensing.Result, error) {
		return x.Directory.Apply(x.ctx, x.change(licensing.CreateGroup{Draft: *draft, Members: c.Add, Groups: c.AddGroups}))
	})
	if err != nil {
		return err
	}
	x.w.Header().Set("Location", x.BaseURL+"/Groups/"+result.Group.ID)
	return x.replyGroup(http.StatusCreated, result.Group, project)
}

// groupBody reads a POST or PUT of a group: the resource and the ids of its members.
func (x *exchange) groupBody(body map[string]any) (Resource, []string, error) {
	r, err := normalise(x.types.Group, body, x.quirks)
	if err != nil {
		return nil, nil, err
	}
	members, err := bodyMembers(x.types.Group, body, x.quirks)
	return r, members, err
}

// groupDraft turns a resource into what licensing is asked for.
func (x *exchange) groupDraft(r Resource) (*licensing.GroupDraft, error) {
	rt := x.types.Group
	if err := checkResource(rt, r); err != nil {
		return nil, err
	}
	display, _ := r["displayName"].(string)
	externalID, _ := r["externalId"].(string)
	doc := encode(rt, r)
	if int64(len(doc)) > x.Limits.UserBody {
		return nil, badRequest(invalidValue, "The group would be larger than %d bytes without its members.", x.Limits.UserBody)
	}
	return &licensing.GroupDraft{Name: query.Fold(display), Display: display, ExternalID: externalID, Doc: doc}, nil
}

// regroup is groupDraft for a group that exists.
func (x *exchange) regroup(old, r Resource) (*licensing.GroupDraft, error) {
	if err := checkImmutable(x.types.Group, old, r); err != nil {
		return nil, err
	}
	return x.groupDraft(r)
}

func (x *exchange) getGroup(id string) error {
	project, err := x.projection(x.types.Group)
	if err != nil {
		return err
	}
	g, err := x.Store.Group(x.ctx, x.who.Company, id)
	if err != nil {
		return err
	}
	// The names of members are shown but are not part of the version.
	if done, err := x.fresh(groupETag(&g), memberCount(&g) == 0 || !project.wants("members")); done || err != nil {
		return x.unchanged(err)
	}
	return x.replyGroup(http.StatusOK, g, project)
}

func (x *exchange) replaceGroup(id string) error {
	body, err := x.readGroup()
	if err != nil {
		return err
	}
	given, members, err := x.groupBody(body)
	if err != nil {
		return err
	}
	project, err := x.projection(x.types.Group)
	if err != nil {
		return err
	}
	result, err := x.updateGroup(id, store.MemberChange{Add: members, Exactly: true}, func(before store.Group) (*licensing.GroupDraft, error) {
		old, err := decodeDocument(before.Doc)
		if err != nil {
			return nil, err
		}
		r := maps.Clone(given)
		keepOmitted(r, old)
		keepImmutable(x.types.Group, r, old)
		project.wrote(x.types.Group, given)
		draft, err := x.regroup(old, r)
		return changedOnly(draft, before), err
	})
	if err != nil {
		return err
	}
	return x.replyGroup(http.StatusOK, result.Group, project)
}

func (x *exchange) patchGroup(id string) error {
	body, err := x.readBody(x.Limits.GroupBody)
	if err != nil {
		return err
	}
	ops, err := parsePatch(body, x.quirks)
	if err != nil {
		return err
	}
	edit, err := groupPatch(x.types.Group, x.parser, ops, x.quirks)
	if err != nil {
		return err
	}
	project, err := x.projection(x.types.Group)
	if err != nil {
		return err
	}
	result, err := x.updateGroup(id, foldMembers(edit.Members), func(before store.Group) (*licensing.GroupDraft, error) {
		if len(edit.Attributes) == 0 {
			return nil, nil
		}
		old, err := decodeDocument(before.Doc)
		if err != nil {
			return nil, err
		}
		r, named, err := applyPatch(x.types.Group, x.parser, old, edit.Attributes, x.quirks)
		if err != nil {
			return nil, err
		}
		project.named(x.types.Group, named)
		draft, err := x.regroup(old, r)
		return changedOnly(draft, before), err
	})
	if err != nil {
		return err
	}
	if memberCount(&result.Group) > membersInPatchAnswer && (project == nil || project.exclude) {
		x.w.Header().Set("ETag", groupETag(&result.Group))
		return x.reply(http.StatusNoContent, nil)
	}
	return x.replyGroup(http.StatusOK, result.Group, project)
}

// changedOnly gives no draft when the document stays as it is, so that a change of members alone needs no look at the version.
func changedOnly(draft *licensing.GroupDraft, before store.Group) *licensing.GroupDraft {
	if draft == nil || bytes.Equal(draft.Doc, before.Doc) {
		return nil
	}
	return draft
}

func (x *exchange) updateGroup(id string, members store.MemberChange, edit func(store.Group) (*licensing.GroupDraft, error)) (licensing.Result, error) {
	expect, err := x.expectedVersion(x.groupVersion(id))
	if err != nil {
		return licensing.Result{}, err
	}
	members.RemoveGroups = members.Remove // of which kind one is that may not be there need not be known
	result, err := x.withMembers(members, func(c store.MemberChange) (licensing.Result, error) {
		return x.Directory.Apply(x.ctx, x.change(licensing.UpdateGroup{
			ID: id, IfVersion: expect, Edit: func(before store.Group) (*licensing.GroupDraft, store.MemberChange, error) {
				draft, err := edit(before)
				return draft, c, err
			},
		}))
	})
	return result, x.precondition(err, expect)
}

// withMembers makes a change with members that may be groups. Nearly always all are people, so they are taken for that first; only when
// one is not are they told apart.
func (x *exchange) withMembers(c store.MemberChange, apply func(store.MemberChange) (licensing.Result, error)) (licensing.Result, error) {
	result, err := apply(c)
	var unknown *store.UnknownMemberError
	if !errors.As(err, &unknown) {
		return result, err
	}
	people := map[string]bool{}
	for ids := range slices.Chunk(c.Add, membersAtOnce) {
		found, err := x.Store.AccountsByID(x.ctx, x.who.Company, ids)
		if err != nil {
			return licensing.Result{}, err
		}
		for _, a := range found {
			people[a.ID] = true
		}
	}
	told := c
	told.Add = nil
	for _, id := range c.Add {
		if people[id] {
			told.Add = append(told.Add, id)
			continue
		}
		if _, err := x.Store.Group(x.ctx, x.who.Company, id); err != nil {
			return licensing.Result{}, &store.UnknownMemberError{ID: id}
		}
		if told.AddGroups = append(told.AddGroups, id); len(told.AddGroups) > store.MaxSubgroups {
			return licensing.Result{}, badRequest(invalidValue, "A group may have %d groups as its members at most.", store.MaxSubgroups)
		}
	}
	if result, err = apply(told); errors.Is(err, store.ErrTooMany) {
		err = badRequest(invalidValue, "A group may have %d groups as its members at most.", store.MaxSubgroups)
	}
	return result, err
}

// memberCount is how many members a group has, people and groups.
func memberCount(g *store.Group) int { return g.Members + g.Groups }

func (x *exchange) deleteGroup(id string) error {
	expect, err := x.expectedVersion(x.groupVersion(id))
	if err != nil {
		return err
	}
	if _, err := x.Directory.Apply(x.ctx, x.change(licensing.DeleteGroup{ID: id, IfVersion: expect})); err != nil {
		return x.precondition(err, expect)
	}
	return x.reply(http.StatusNoContent, nil)
}

// groupVersion is the version that a group has.
func (x *exchange) groupVersion(id string) versioned {
	return versioned{version: func() (int64, error) {
		g, err := x.Store.Group(x.ctx, x.who.Company, id)
		return g.Version, err
	}}
}

func (x *exchange) listGroups() error { return x.list(x.groups()) }

func (x *exchange) groups() collection { return collection{x.types.Group, (*exchange).findGroups} }

func (x *exchange) findGroups(ctx context.Context, q store.Query, project *projection) (found, error) {
	page, err := x.Store.ListGroups(ctx, x.who.Company, q)
	if err == nil {
		err = x.affordable(page.Groups, project)
	}
	if err != nil {
		return found{}, err
	}
	f := found{total: page.Total, resources: make([]listed, len(page.Groups))}
	for i := range page.Groups {
		g := &page.Groups[i]
		f.resources[i] = listed{id: g.ID, size: around, render: func(s *stream) error { return x.renderGroup(s, g, project) }}
		if q.Sort != nil {
			f.resources[i].key = page.Keys[i]
		}
	}
	return f, nil
}

// affordable refuses a page that would show more members than a query may read.
func (x *exchange) affordable(groups []store.Group, project *projection) error {
	if !project.wants("members") {
		return nil
	}
	members := 0
	for _, g := range groups {
		members += memberCount(&g)
	}
	if members > x.Limits.QueryRows {
		return badRequest(tooMany, "The groups on the page have %d members together; ask for fewer groups, or with excludedAttributes=members.", members)
	}
	return nil
}

// replyGroup answers with a group.
func (x *exchange) replyGroup(status int, g store.Group, project *projection) error {
	x.describes("/Groups/"+g.ID, groupETag(&g))
	if x.data != nil { // an operation of a bulk request
		return x.reply(status, nil)
	}
	return x.stream(status, len(g.Doc)+memberCount(&g)*perMember, func(s *stream) error { return x.renderGroup(s, &g, project) })
}

// perMember is about how many bytes a member is on the wire.
const perMember = 160

// renderGroup renders a group with its members, which are not read when they are not to be seen.
func (x *exchange) renderGroup(s *stream, g *store.Group, project *projection) (err error) {
	s.b, err = appendProjected(s.b, project, func(b []byte) []byte { return x.appendGroup(b, g) })
	if shown := project.references("members"); err == nil && memberCount(g) > 0 && shown != (parts{}) {
		s.b[len(s.b)-1] = ',' // in the place of the closing brace
		s.b = append(s.b, `"members":[`...)
		if err = x.renderMembers(s, g, shown); err == nil {
			s.b = append(s.b, `]}`...)
		}
	}
	return err
}

// renderMembers renders the members: the people, then the groups. They are read a thousand at a time, and those who come or go while a
// long list is sent may or may not be in it.
func (x *exchange) renderMembers(s *stream, g *store.Group, shown parts) error {
	first := true
	add := func(endpoint, kind string, m store.Member) {
		if !first {
			s.b = append(s.b, ',')
		}
		first = false
		s.b = x.appendReference(s.b, shown, endpoint, m.ID, m.Display, kind)
	}
	for after := ""; g.Members > 0; {
		members, err := x.Store.Members(x.ctx, x.who.Company, g.ID, after, membersAtOnce)
		if err != nil {
			return err
		}
		for _, m := range members {
			add("Users", "User", m)
			after = m.ID
		}
		if len(members) < membersAtOnce {
			break
		}
		if err := s.more(); err != nil {
			return err
		}
	}
	if g.Groups == 0 {
		return nil
	}
	groups, err := x.Store.Subgroups(x.ctx, x.who.Company, g.ID)
	for _, m := range groups {
		add("Groups", "Group", m)
	}
	return err
}
