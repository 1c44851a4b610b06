package adminapi

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"usher/cmd/internal/credential"
	"usher/licensing"
	"usher/sso"
	"usher/store"
	"usher/store/query"
)

var (
	companyName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
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
	if sso.Reserved(name) {
		return nil, problem(http.StatusBadRequest, "%q cannot be a company's short name: the address /sso/%s has a meaning of its own.", name, name)
	}
	do := licensing.CreateCompany{
		Company: store.Company{
			Name: name, Display: in.Display, Tier: in.Tier, SeatPolicy: in.SeatPolicy, GuestPolicy: in.GuestPolicy,
			LossMin: in.LossMin, LossPercent: in.LossPercent,
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
		folded, err := parseDomain(domain)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(do.Company.Domains, folded) {
			do.Company.Domains = append(do.Company.Domains, folded)
		}
	}
	out := CreatedCompany{Admin: in.Admin}
	if in.Admin != "" {
		out.AdminPassword = credential.NewPassword()
		hash, err := h.hasher.Hash(ctx, out.AdminPassword)
		if err != nil {
			return nil, fmt.Errorf("hash: %w", err)
		}
		do.Admin = &store.LocalAdmin{Login: query.Fold(in.Admin), Password: hash, Role: licensing.RoleSuperAdmin}
	}
	r, err := h.apply(ctx, c, "", do)
	if err != nil {
		return nil, fmt.Errorf("create company %s: %w", name, err)
	}
	out.Company = showCompany(r.Company)
	return out, nil
}

// settings reads the settings that a request asks for.
func (h *Handler) settings(c call) (licensing.SetCompany, CompanyChange, error) {
	var in CompanyChange
	if err := c.read(&in); err != nil {
		return licensing.SetCompany{}, in, err
	}
	do := licensing.SetCompany{
		Display: in.Display, Tier: in.Tier, SeatPolicy: in.SeatPolicy, GuestPolicy: in.GuestPolicy, RoleCeiling: in.RoleCeiling, Approval: in.Approval, Invites: in.Invites,
		LossMin: in.LossMin, LossPercent: in.LossPercent,
	}
	if in.HoldDays != nil {
		hold := time.Duration(*in.HoldDays) * 24 * time.Hour
		do.HoldFor = &hold
	}
	do.LocalSignIn, do.SessionIdle, do.SessionMax = in.LocalSignIn, minutes(in.SessionIdle), minutes(in.SessionMax)
	if in.Payment != "" {
		if c.authority < operatorOnly { // nobody says of themselves that they have paid
			return do, in, c.lacks(operatorOnly)
		}
		do.Payment = &licensing.Payment{State: in.Payment, At: in.PaymentAt}
	}
	return do, in, nil
}

// minutes gives a number of minutes that a request may have.
func minutes(n *int) *time.Duration {
	if n == nil {
		return nil
	}
	d := time.Duration(*n) * time.Minute
	return &d
}

// forecastCompany says what changeCompany would do.
func (h *Handler) forecastCompany(ctx context.Context, c call, company store.Company) (any, error) {
	do, _, err := h.settings(c)
	if err != nil {
		return nil, err
	}
	return h.directory.ForecastCompany(ctx, h.change(c, company.ID, nil), do)
}

// changeCompany sets settings. What would end single sign-on for people must be confirmed by whoever asks for it.
func (h *Handler) changeCompany(ctx context.Context, c call, company store.Company) (any, error) {
	do, in, err := h.settings(c)
	if err != nil {
		return nil, err
	}
	if in.Tier != nil && *in.Tier == licensing.TierFree && company.Tier != licensing.TierFree {
		if err := h.mayDowngrade(ctx, c, company, do, in.Confirm); err != nil {
			return nil, err
		}
	}
	r, err := h.apply(ctx, c, company.ID, do)
	if err != nil {
		return nil, fmt.Errorf("change company %s: %w", company.Name, err)
	}
	return showCompany(r.Company), nil
}

// mayDowngrade refuses a downgrade that nobody could undo, or that was not confirmed, and says what it does.
func (h *Handler) mayDowngrade(ctx context.Context, c call, company store.Company, do licensing.SetCompany, confirmed bool) error {
	switch found, err := h.hasSuperAdmin(ctx, company); {
	case err != nil:
		return err
	case !found:
		return problem(http.StatusConflict, "The company %q has no local super-admin, so nobody could sign in to undo this.", company.Name)
	case confirmed:
		return nil
	}
	f, err := h.directory.ForecastCompany(ctx, h.change(c, company.ID, nil), do)
	if err != nil {
		return err
	}
	if f.Lose > 0 {
		return problem(http.StatusConflict,
			"Single sign-on ends at once for %d of the people of %s, of whom %d have no password to sign in with instead; licenses stay, and setting the tier back gives it back. Ask for it with confirm (--yes) if that is meant.",
			f.Lose, company.Name, f.Without)
	}
	return nil
}

func showCompany(c store.Company) Company {
	least, percent := licensing.LossLimits(c)
	idle, most := licensing.SessionLimits(c)
	return Company{
		LocalSignIn: cmp.Or(c.LocalSignIn, licensing.LocalEveryone), SessionIdle: int(idle / time.Minute), SessionMax: int(most / time.Minute),
		LossMin: least, LossPercent: percent, ID: c.ID, Name: c.Name, Display: c.Display, Tier: c.Tier, SeatPolicy: c.SeatPolicy, GuestPolicy: c.GuestPolicy,
		Approval: cmp.Or(c.Approval, licensing.ApprovalScope), Invites: cmp.Or(c.Invites, licensing.InviteNobody), RoleCeiling: cmp.Or(c.RoleCeiling, licensing.RoleStandard), HoldDays: int(c.HoldFor / (24 * time.Hour)), Domains: c.Domains, Payment: c.Payment, PaymentAt: c.PaymentAt, Created: c.Created,
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
