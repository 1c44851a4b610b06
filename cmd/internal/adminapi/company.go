package adminapi

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"usher/licensing"
	"usher/store"
	"usher/store/query"
)

// RoleSuperAdmin is the role of the local admin without whom no connection goes live.
const RoleSuperAdmin = "super-admin"

var (
	companyName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	domainName  = regexp.MustCompile(`^([\pL\pN]([\pL\pN-]*[\pL\pN])?\.)+[\pL\pN-]+$`)
)

func (h *Handler) listCompanies(ctx context.Context, _ call) (any, error) {
	all, err := h.store.ListCompanies(ctx)
	if err != nil {
		return nil, err
	}
	shown := list[Company]{Items: []Company{}}
	for _, c := range all {
		shown.Items = append(shown.Items, showCompany(c))
	}
	return shown, nil
}

func (h *Handler) createCompany(ctx context.Context, c call) (any, error) {
	var in NewCompany
	if err := c.read(&in); err != nil {
		return nil, err
	}
	name := strings.ToLower(in.Name)
	if !companyName.MatchString(name) {
		return nil, problem(http.StatusBadRequest,
			"%q cannot be a company's short name: it takes up to 63 lower case letters, digits and dashes.", in.Name)
	}
	do := licensing.CreateCompany{
		Company: store.Company{
			Name: name, Display: in.Display, Tier: in.Tier, SeatPolicy: in.SeatPolicy, GuestPolicy: in.GuestPolicy,
		},
		Seats: map[licensing.License]int{},
	}
	if do.Company.Display == "" {
		do.Company.Display = name
	}
	for spelling, total := range in.Seats {
		l, err := parseLicense(spelling)
		if err != nil {
			return nil, err
		}
		do.Seats[l] = total
	}
	for _, domain := range in.Domains {
		folded := query.Fold(strings.TrimSuffix(domain, "."))
		if !domainName.MatchString(folded) {
			return nil, problem(http.StatusBadRequest, "%q is not a domain name.", domain)
		}
		if !slices.Contains(do.Company.Domains, folded) {
			do.Company.Domains = append(do.Company.Domains, folded)
		}
	}
	out := CreatedCompany{Admin: in.Admin}
	if in.Admin != "" {
		out.AdminPassword = newPassword()
		do.Admin = &store.LocalAdmin{Login: query.Fold(in.Admin), Password: hashPassword(out.AdminPassword), Role: RoleSuperAdmin}
	}
	r, err := h.apply(ctx, c, "", do)
	if err != nil {
		return nil, fmt.Errorf("create company %s: %w", name, err)
	}
	out.Company = showCompany(r.Company)
	return out, nil
}

func showCompany(c store.Company) Company {
	return Company{
		ID: c.ID, Name: c.Name, Display: c.Display, Tier: c.Tier, SeatPolicy: c.SeatPolicy, GuestPolicy: c.GuestPolicy,
		Domains: c.Domains, Created: c.Created,
	}
}

// parseLicense reads a license that a person has typed.
func parseLicense(s string) (licensing.License, error) {
	l, ok := licensing.ParseLicense(s)
	if !ok {
		var names []string
		for _, p := range licensing.Catalog() {
			names = append(names, string(p.License))
		}
		return licensing.NoLicense, problem(http.StatusBadRequest, "There is no license %q; there are %s.", s, strings.Join(names, ", "))
	}
	return l, nil
}
