package adminapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"usher/licensing"
	"usher/store"
	"usher/store/query"
)

// maxSeats guards against a slip of the finger.
const maxSeats = 100_000_000

func (h *Handler) listLicenses(ctx context.Context, _ call, company store.Company) (any, error) {
	shown := list[License]{Items: []License{}}
	for _, p := range licensing.Catalog() {
		if !p.Paid {
			continue
		}
		l, err := h.license(ctx, company, p.License)
		if err != nil {
			return nil, err
		}
		shown.Items = append(shown.Items, l)
	}
	return shown, nil
}

func (h *Handler) setSeats(ctx context.Context, c call, company store.Company) (any, error) {
	var in Seats
	if err := c.read(&in); err != nil {
		return nil, err
	}
	license, err := parseLicense(c.PathValue("license"))
	if err != nil {
		return nil, err
	}
	if in.Total > maxSeats {
		return nil, problem(http.StatusBadRequest, "%d seats are more than usher counts (%d).", in.Total, maxSeats)
	}
	if _, err := h.apply(ctx, c, company.ID, licensing.SetSeats{License: license, Total: in.Total}); err != nil {
		return nil, fmt.Errorf("set seats of %s: %w", license, err)
	}
	return h.license(ctx, company, license)
}

func (h *Handler) license(ctx context.Context, company store.Company, l licensing.License) (License, error) {
	p, err := h.store.Pool(ctx, company.ID, string(l))
	if err != nil {
		return License{}, fmt.Errorf("pool of %s: %w", l, err)
	}
	return License{
		License: string(l), Name: l.Name(), Total: p.Total, Used: p.Used, Active: p.Active, Reserved: p.Reserved,
		Held: p.Held, Waiting: p.Waiting,
	}, nil
}

func (h *Handler) listRules(ctx context.Context, _ call, company store.Company) (any, error) {
	rules, err := h.store.ListRules(ctx, company.ID)
	if err != nil {
		return nil, fmt.Errorf("list rules: %w", err)
	}
	shown := list[Rule]{Items: []Rule{}}
	for _, r := range rules {
		g, err := h.store.Group(ctx, company.ID, r.Group)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return nil, fmt.Errorf("group %s: %w", r.Group, err)
		}
		shown.Items = append(shown.Items, showRule(r, g))
	}
	return shown, nil
}

func (h *Handler) addRule(ctx context.Context, c call, company store.Company) (any, error) {
	var in NewRule
	if err := c.read(&in); err != nil {
		return nil, err
	}
	license, err := parseLicense(in.License)
	if err != nil {
		return nil, err
	}
	group, err := h.group(ctx, company, in.Group)
	if err != nil {
		return nil, err
	}
	r, err := h.apply(ctx, c, company.ID, licensing.AddRule{Group: group.ID, License: license, Priority: in.Priority})
	if err != nil {
		return nil, fmt.Errorf("add rule: %w", err)
	}
	return showRule(r.Rule, group), nil
}

func (h *Handler) removeRule(ctx context.Context, c call, company store.Company) (any, error) {
	id := c.PathValue("id")
	_, err := h.apply(ctx, c, company.ID, licensing.RemoveRule{ID: id})
	if errors.Is(err, store.ErrNotFound) {
		return nil, problem(http.StatusNotFound, "The company %q has no rule %q; \"usher rule list\" shows those it has.", company.Name, id)
	}
	if err != nil {
		return nil, fmt.Errorf("remove rule: %w", err)
	}
	return nil, nil
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

func showRule(r store.Rule, g store.Group) Rule {
	return Rule{
		ID: r.ID, Group: g.Display, GroupID: r.Group, License: r.License, Name: licensing.License(r.License).Name(),
		Priority: r.Priority, By: r.By, Created: r.Created,
	}
}
