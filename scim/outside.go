package scim

import (
	"context"
	"fmt"
	"reflect"

	"usher/licensing"
	"usher/scim/filter"
	"usher/scim/schema"
	"usher/store"
	"usher/store/query"
)

// Users makes drafts of users for doors that do not speak SCIM: what comes in by them is held to the same schemas and stored in the same
// form. It is safe for concurrent use. Its errors are an [*Error] where the input is at fault.
type Users struct {
	registry *schema.Registry
	schemas  Schemas
	indexes  []query.Index
	parser   *filter.Parser
	limits   Limits
}

// Schemas gives the schemas that companies have declared.
type Schemas interface {
	ListSchemas(ctx context.Context, company string) (all []store.Schema, revision int64, err error)
}

// NewUsers makes drafts for companies whose schemas are those of the registry and those that they have declared.
func NewUsers(registry *schema.Registry, schemas Schemas) *Users {
	limits := Limits{}.withDefaults()
	return &Users{registry, schemas, registry.UserIndexes(), filter.NewParser(limits.Filter, limits.Depth), limits}
}

// Draft makes the draft of a new user out of attributes, as the body of a POST has them (RFC 7644 section 3.3); schemas may be left out. It
// asks for no license.
func (u *Users) Draft(ctx context.Context, company string, attributes map[string]any) (licensing.Draft, error) {
	d, err := u.drafter(ctx, company)
	if err != nil {
		return licensing.Draft{}, err
	}
	r, err := normalise(d.user, attributes, d.quirks)
	if err != nil {
		return licensing.Draft{}, err
	}
	if _, given := r["active"]; !given {
		r["active"] = true
	}
	if err := noCarriers(Resource{}, r); err != nil {
		return licensing.Draft{}, err
	}
	return d.draft(r, nil)
}

// noCarriers refuses what asks for licenses or roles: it would have no effect, and be taken for the word of the identity provider that next
// writes to the same attribute.
func noCarriers(old, r Resource) error {
	for _, c := range carriers() {
		was, _ := carrierValue(old, c)
		is, _ := carrierValue(r, c)
		if !reflect.DeepEqual(was, is) {
			return badRequest(invalidValue, "%s cannot be set here: licenses and roles are given by operations of their own.", c)
		}
	}
	return nil
}

// Edit gives a change of a user: the attributes named are replaced, those that are null taken away, as by a PATCH without a path (RFC 7644
// section 3.5.2.3). What the user asks for in licenses stays as it is.
func (u *Users) Edit(ctx context.Context, company string, attributes map[string]any) (func(before store.Account) (licensing.Draft, error), error) {
	d, err := u.drafter(ctx, company)
	if err != nil {
		return nil, err
	}
	return func(before store.Account) (licensing.Draft, error) {
		old, err := decodeDocument(before.Doc)
		if err != nil {
			return licensing.Draft{}, err
		}
		r, _, err := applyPatch(d.user, u.parser, old, []operation{{Op: opReplace, Value: attributes, HasValue: true}}, d.quirks)
		if err != nil {
			return licensing.Draft{}, err
		}
		if err := noCarriers(old, r); err != nil {
			return licensing.Draft{}, err
		}
		return d.redraft(old, r, nil)
	}, nil
}

// Attributes gives what a user says of a person; nil where the document cannot be read, which never happens to one
// that was stored.
func Attributes(a store.Account) Resource {
	r, err := decodeDocument(a.Doc)
	if err != nil {
		return nil
	}
	return r
}

// Address gives the address at which a person can be written to, by the same choice as that which tells guests from coworkers; empty: none.
func Address(a store.Account) string {
	r := Attributes(a)
	userName, _ := r["userName"].(string)
	return workEmail(r, userName)
}

// drafter makes the company's.
func (u *Users) drafter(ctx context.Context, company string) (*drafter, error) {
	declared, _, err := u.schemas.ListSchemas(ctx, company)
	if err != nil {
		return nil, fmt.Errorf("schemas of company %s: %w", company, err)
	}
	registry, err := withDeclared(u.registry, declared)
	if err != nil {
		return nil, fmt.Errorf("schemas of company %s: %w", company, err)
	}
	return &drafter{user: registry.User, indexes: u.indexes, limit: u.limits.UserBody, quirks: newQuirks(nil, false)}, nil
}

// withDeclared gives the registry with schemas that a company has declared.
func withDeclared(r *schema.Registry, declared []store.Schema) (*schema.Registry, error) {
	if len(declared) == 0 {
		return r, nil
	}
	var all []schema.Declared
	for _, s := range declared {
		parsed, err := schema.Parse(s.Doc)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.URN, err)
		}
		all = append(all, schema.Declared{Type: s.Type, Schema: parsed})
	}
	return r.With(all)
}
