package scim

import (
	"context"
	"maps"
	"net/http"
	"slices"

	"usher/licensing"
	"usher/scim/schema"
	"usher/store"
)

func (x *exchange) createUser() error {
	body, err := x.readBody(x.Limits.UserBody)
	if err != nil {
		return err
	}
	project, err := x.projection(x.types.User)
	if err != nil {
		return err
	}
	r, err := normalise(x.types.User, body, x.quirks)
	if err != nil {
		return err
	}
	if _, given := r["active"]; !given {
		r["active"] = true
	}
	how, err := activationIn(body)
	if err != nil {
		return err
	}
	project.wrote(x.types.User, r)
	draft, err := x.drafter().draft(r, carriers())
	if err != nil {
		return err
	}
	result, err := x.Directory.Apply(x.ctx, x.change(licensing.CreateAccount{
		Connection: x.who.Connection, Draft: draft, Setup: licensing.Setup{How: how},
		Return: func(before store.Account) (licensing.Draft, error) {
			back := maps.Clone(r)
			back["active"] = true
			return x.replacement(before, back)
		},
	}))
	if err != nil {
		return err
	}
	x.returned = result.Returned
	x.w.Header().Set("Location", x.BaseURL+"/Users/"+result.Account.ID)
	return x.replyUser(http.StatusCreated, result.Account, project)
}

func (x *exchange) getUser(id string) error {
	project, err := x.projection(x.types.User)
	if err != nil {
		return err
	}
	a, err := x.Store.Account(x.ctx, x.who.Company, id)
	if err != nil {
		return err
	}
	// The names of groups are shown but are not part of the version.
	if done, err := x.fresh(userETag(&a), a.Groups == 0 || !project.wants("groups")); done || err != nil {
		return x.unchanged(err)
	}
	return x.replyUser(http.StatusOK, a, project)
}

func (x *exchange) replaceUser(id string) error {
	body, err := x.readBody(x.Limits.UserBody)
	if err != nil {
		return err
	}
	given, err := normalise(x.types.User, body, x.quirks)
	if err != nil {
		return err
	}
	return x.updateUser(id, func(before store.Account, project *projection) (licensing.Draft, error) {
		project.wrote(x.types.User, given)
		return x.replacement(before, maps.Clone(given))
	})
}

// replacement is the draft of an account whose resource is to become r, which it may change.
func (x *exchange) replacement(before store.Account, r Resource) (licensing.Draft, error) {
	old, err := decodeDocument(before.Doc)
	if err != nil {
		return licensing.Draft{}, err
	}
	keepOmitted(r, old)
	keepImmutable(x.types.User, r, old)
	if x.who.Person != "" { // what is not theirs to say they need not repeat
		for name, value := range old {
			if _, given := r[name]; !given && !slices.Contains(ownAttributes(), name) {
				r[name] = value
			}
		}
		return x.ownDraft(old, r)
	}
	written, silent := keepCarriers(r, old, before, x.who.Connection)
	d, err := x.drafter().redraft(old, r, written)
	for _, c := range silent {
		d.Intents = append(d.Intents, licensing.Intent{Carrier: c, Silent: true})
	}
	return d, err
}

// keepOmitted gives a resource that is to replace another what identity providers leave out of a PUT without meaning to clear it.
func keepOmitted(r, old Resource) {
	for _, name := range []string{"active", "externalId"} {
		if _, given := r[name]; given {
			continue
		}
		if value, had := old[name]; had {
			r[name] = value
		}
	}
	if number, had := usher(old)[extensionNumber]; had { // admins give it, and identity providers do not know of it
		if _, given := usher(r)[extensionNumber]; !given {
			setUsher(r, extensionNumber, number)
		}
	}
}

func (x *exchange) patchUser(id string) error {
	body, err := x.readBody(x.Limits.UserBody)
	if err != nil {
		return err
	}
	ops, err := parsePatch(body, x.quirks)
	if err != nil {
		return err
	}
	return x.updateUser(id, func(before store.Account, project *projection) (licensing.Draft, error) {
		old, err := decodeDocument(before.Doc)
		if err != nil {
			return licensing.Draft{}, err
		}
		r, named, err := applyPatch(x.types.User, x.parser, old, ops, x.quirks)
		if err != nil {
			return licensing.Draft{}, err
		}
		project.named(x.types.User, named)
		if x.who.Person != "" {
			return x.ownDraft(old, r)
		}
		touched := slices.DeleteFunc(carriers(), func(c licensing.Carrier) bool { return !named[carrierName(c)] })
		return x.drafter().redraft(old, r, touched)
	})
}

// updateUser changes a user by edit and answers with what came of it.
func (x *exchange) updateUser(id string, edit func(before store.Account, project *projection) (licensing.Draft, error)) error {
	project, err := x.projection(x.types.User)
	if err != nil {
		return err
	}
	expect, err := x.expectedVersion(x.userVersion(id))
	if err != nil {
		return err
	}
	result, err := x.Directory.Apply(x.ctx, x.change(licensing.UpdateAccount{
		ID: id, IfVersion: expect, Connection: x.who.Connection,
		Edit: func(before store.Account) (licensing.Draft, error) { return edit(before, project) },
	}))
	if err != nil {
		return x.precondition(err, expect)
	}
	return x.replyUser(http.StatusOK, result.Account, project)
}

func (x *exchange) deleteUser(id string) error {
	expect, err := x.expectedVersion(x.userVersion(id))
	if err != nil {
		return err
	}
	if _, err := x.Directory.Apply(x.ctx, x.change(licensing.DeleteAccount{ID: id, IfVersion: expect})); err != nil {
		return x.precondition(err, expect)
	}
	return x.reply(http.StatusNoContent, nil)
}

// userVersion is the version that a user has.
func (x *exchange) userVersion(id string) versioned {
	return versioned{dotted: true, version: func() (int64, error) {
		a, err := x.Store.Account(x.ctx, x.who.Company, id)
		return a.Version, err
	}}
}

func (x *exchange) listUsers() error { return x.list(x.users()) }

func (x *exchange) users() collection { return collection{x.types.User, (*exchange).findUsers} }

func (x *exchange) findUsers(ctx context.Context, q store.Query, project *projection) (found, error) {
	page, err := x.Store.ListAccounts(ctx, x.who.Company, q)
	if err != nil {
		return found{}, err
	}
	groups, err := x.groupsOf(page.Accounts, project)
	if err != nil {
		return found{}, err
	}
	f := found{total: page.Total, resources: make([]listed, len(page.Accounts))}
	for i := range page.Accounts {
		a := &page.Accounts[i]
		f.resources[i] = listed{id: a.ID, size: len(a.Doc) + around, render: func(s *stream) (err error) {
			s.b, err = appendProjected(s.b, project, func(b []byte) []byte { return x.appendUser(b, a, groups[a.ID]) })
			return err
		}}
		if q.Sort != nil {
			f.resources[i].key = page.Keys[i]
		}
	}
	return f, nil
}

// replyUser answers with a user.
func (x *exchange) replyUser(status int, a store.Account, project *projection) error {
	x.describes("/Users/"+a.ID, userETag(&a))
	if x.data != nil { // an operation of a bulk request
		return x.reply(status, nil)
	}
	groups, err := x.groupsOf([]store.Account{a}, project)
	if err != nil {
		return err
	}
	body, err := appendProjected(make([]byte, 0, len(a.Doc)+around), project, func(b []byte) []byte { return x.appendUser(b, &a, groups[a.ID]) })
	if err != nil {
		return err
	}
	return x.reply(status, body)
}

// appendProjected renders a resource and takes out of it what is not to be seen.
func appendProjected(b []byte, project *projection, render func([]byte) []byte) ([]byte, error) {
	if project == nil {
		return render(b), nil
	}
	seen, err := project.apply(render(nil))
	return append(b, seen...), err
}

// usher gives the attributes of the usher extension.
func usher(r Resource) map[string]any {
	values, _ := r[schema.UsherUserURN].(map[string]any)
	return values
}
