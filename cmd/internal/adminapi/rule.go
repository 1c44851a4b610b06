package adminapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"usher/licensing"
	"usher/scim/schema"
	"usher/store"
	"usher/store/query"
)

// maxValue is the longest value that a rule is about, in bytes.
const maxValue = 1024

func (h *Handler) listRules(ctx context.Context, _ call, company store.Company) (any, error) {
	rules, err := h.store.ListRules(ctx, company.ID)
	if err != nil {
		return nil, fmt.Errorf("list rules: %w", err)
	}
	shown := list[Rule]{Items: []Rule{}}
	for _, r := range rules {
		one, err := h.showRule(ctx, r)
		if err != nil {
			return nil, err
		}
		shown.Items = append(shown.Items, one)
	}
	return shown, nil
}

func (h *Handler) addRule(ctx context.Context, c call, company store.Company) (any, error) {
	do, err := h.newRule(ctx, c, company)
	if err != nil {
		return nil, err
	}
	r, err := h.apply(ctx, c, company.ID, do)
	if err != nil {
		return nil, fmt.Errorf("add rule: %w", err)
	}
	return h.showRule(ctx, r.Rule)
}

// forecastRule says what a rule would do.
func (h *Handler) forecastRule(ctx context.Context, c call, company store.Company) (any, error) {
	do, err := h.newRule(ctx, c, company)
	if err != nil {
		return nil, err
	}
	return h.directory.Forecast(ctx, h.change(c, company.ID, do))
}

func (h *Handler) removeRule(ctx context.Context, c call, company store.Company) (any, error) {
	_, err := h.apply(ctx, c, company.ID, licensing.RemoveRule{ID: c.PathValue("id")})
	return nil, noRule(err, c, company)
}

// forecastRemoval says what taking a rule away would do.
func (h *Handler) forecastRemoval(ctx context.Context, c call, company store.Company) (any, error) {
	f, err := h.directory.Forecast(ctx, h.change(c, company.ID, licensing.RemoveRule{ID: c.PathValue("id")}))
	if err != nil {
		return nil, noRule(err, c, company)
	}
	return f, nil
}

// noRule says that there is no such rule, where that is what an error means.
func noRule(err error, c call, company store.Company) error {
	if errors.Is(err, store.ErrNotFound) {
		return problem(http.StatusNotFound, "The company %q has no rule %q; \"usher rule list\" shows those it has.", company.Name, c.PathValue("id"))
	}
	return err
}

// newRule reads the rule that a request asks for.
func (h *Handler) newRule(ctx context.Context, c call, company store.Company) (licensing.AddRule, error) {
	var in NewRule
	if err := c.read(&in); err != nil {
		return licensing.AddRule{}, err
	}
	do := licensing.AddRule{Role: in.Role, Priority: in.Priority}
	if in.Role != "" {
		role, ok := licensing.ParseRole(in.Role)
		if !ok {
			return do, problem(http.StatusBadRequest, "There is no role %q; there are standard, user-admin and super-admin.", in.Role)
		}
		do.Role = role
	}
	var err error
	if in.License != "" || in.Role == "" {
		if do.License, err = parseLicense(in.License); err != nil {
			return do, err
		}
	}
	named := 0
	for _, name := range []string{in.Group, in.Attribute, in.Domain} {
		if name != "" {
			named++
		}
	}
	switch {
	case named != 1:
		return do, problem(http.StatusBadRequest, "A rule is about a group, an attribute or a domain: name one of them.")
	case in.Group != "":
		group, err := h.group(ctx, company, in.Group)
		do.Group = group.ID
		return do, err
	case in.Domain != "":
		do.Match, err = inDomain(in.Domain)
		return do, err
	}
	do.Match, err = h.hasValue(ctx, company, in.Attribute, in.Value)
	return do, err
}

// inDomain is the condition that an address of a person, or their user name, is in a domain.
func inDomain(domain string) (*store.Match, error) {
	folded := query.Fold(strings.TrimSuffix(domain, "."))
	if !domainName.MatchString(folded) {
		return nil, problem(http.StatusBadRequest, "%q is not a domain name.", domain)
	}
	return &store.Match{
		Paths: []string{"emails/value", "userName"}, Value: "@" + folded, Fold: true, Suffix: true, About: "an address in " + folded,
	}, nil
}

// hasValue is the condition that an attribute has a value.
func (h *Handler) hasValue(ctx context.Context, company store.Company, name, value string) (*store.Match, error) {
	types, err := h.types(ctx, company)
	if err != nil {
		return nil, err
	}
	at := slices.IndexFunc(types, func(rt *schema.ResourceType) bool { return rt.Name == store.ElementUser })
	found, err := findAttribute(types[at], name)
	switch {
	case err != nil:
		return nil, err
	case found.QueryType() != query.String || found.Path == "" || strings.HasPrefix(found.Path, "@") || found.Returned == schema.ReturnedNever:
		return nil, problem(http.StatusBadRequest, "A rule cannot be about %s; it takes a text that the identity provider writes.", found.QualifiedName())
	case len(value) > maxValue:
		return nil, problem(http.StatusBadRequest, "The value of %s has more than %d bytes.", found.QualifiedName(), maxValue)
	case value == "":
		return nil, problem(http.StatusBadRequest, "The rule on %s lacks the value.", found.QualifiedName())
	}
	canonical, err := query.Canonical(query.String, found.Fold(), value)
	if err != nil {
		return nil, problem(http.StatusBadRequest, "The value of %s: %v.", found.QualifiedName(), err)
	}
	return &store.Match{
		Paths: []string{found.Path}, Value: canonical, Fold: found.Fold(), About: fmt.Sprintf("%s %q", found.QualifiedName(), value),
	}, nil
}

// findAttribute finds an attribute by its name in standard notation; of extensions the short name will do where only one has it.
func findAttribute(rt *schema.ResourceType, name string) (*schema.Attribute, error) {
	if t, ok := rt.Resolve(name); ok && t.Attribute != nil {
		return t.Leaf(), nil
	}
	var all []*schema.Attribute
	for _, extension := range rt.Extensions {
		if t, ok := rt.Resolve(extension.URN + ":" + name); ok && t.Attribute != nil {
			all = append(all, t.Leaf())
		}
	}
	switch len(all) {
	case 0:
		return nil, problem(http.StatusBadRequest, "A user has no attribute %q.", name)
	case 1:
		return all[0], nil
	}
	return nil, problem(http.StatusBadRequest, "Several schemas of users have an attribute %q; write its schema's URN and a colon before it.", name)
}

// types gives the resource types of a company, its own schemas included.
func (h *Handler) types(ctx context.Context, company store.Company) ([]*schema.ResourceType, error) {
	stored, _, err := h.store.ListSchemas(ctx, company.ID)
	if err != nil {
		return nil, fmt.Errorf("list schemas: %w", err)
	}
	var declared []schema.Declared
	for _, s := range stored {
		parsed, err := schema.Parse(s.Doc)
		if err != nil {
			return nil, fmt.Errorf("schema %s: %w", s.URN, err)
		}
		declared = append(declared, schema.Declared{Type: s.Type, Schema: parsed})
	}
	registry, err := h.registry.With(declared)
	if err != nil {
		return nil, fmt.Errorf("schemas of %s: %w", company.Name, err)
	}
	return registry.ResourceTypes(), nil
}

// group finds a group by its id or its display name.
func (h *Handler) group(ctx context.Context, company store.Company, named string) (store.Group, error) {
	g, err := h.store.Group(ctx, company.ID, named)
	if err == nil || !errors.Is(err, store.ErrNotFound) {
		return g, err
	}
	page, err := h.store.ListGroups(ctx, company.ID, store.Query{
		Filter: query.Leaf{Path: "displayName", Op: query.Equal, Type: query.String, Fold: true, Value: query.Fold(named)}, Limit: 1,
	})
	if err != nil {
		return store.Group{}, fmt.Errorf("find group: %w", err)
	}
	if len(page.Groups) == 0 {
		return store.Group{}, problem(http.StatusNotFound,
			"The company %q has no group %q: a rule needs a group that an identity provider has pushed.", company.Name, named)
	}
	return page.Groups[0], nil
}

// showRule shows a rule with the numbers of those that it is about.
func (h *Handler) showRule(ctx context.Context, r store.Rule) (Rule, error) {
	shown := Rule{
		ID: r.ID, GroupID: r.Group, License: r.License, Role: r.Role, Priority: r.Priority, By: r.By, Created: r.Created,
	}
	if r.Match != nil {
		shown.About = r.Match.About
	} else {
		g, err := h.store.Group(ctx, r.Company, r.Group)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return Rule{}, fmt.Errorf("group %s: %w", r.Group, err)
		}
		shown.Group, shown.About = g.Display, fmt.Sprintf("members of %q", g.Display)
	}
	about := query.Leaf{Path: store.ColumnSourceRef, Op: query.Equal, Type: query.String, Value: r.ID}
	effective := query.Leaf{Path: store.ColumnRole, Op: query.Equal, Type: query.String, Fold: true, Value: r.Role}
	if r.License != "" {
		shown.Name = licensing.License(r.License).Name()
		effective.Path, effective.Value = store.ColumnEffective, r.License
	}
	for _, count := range []struct {
		filter query.Node
		to     *int
	}{{about, &shown.People}, {query.And{about, effective}, &shown.InEffect}} {
		page, err := h.store.ListAccounts(ctx, r.Company, store.Query{Filter: count.filter, Total: true})
		if err != nil {
			return Rule{}, fmt.Errorf("count the people of the rule %s: %w", r.ID, err)
		}
		*count.to = page.Total
	}
	return shown, nil
}
