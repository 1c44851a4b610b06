package adminapi

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"usher/licensing"
	"usher/scim/schema"
	"usher/store"
	"usher/store/query"
)

const (
	pageOfAccounts = 100  // accounts on a page unless the request says otherwise
	maxAccounts    = 1000 // and at most
	// accountBudget is how many rows a list of accounts may read.
	accountBudget = 100_000
)

func (h *Handler) listAccounts(ctx context.Context, c call, company store.Company) (any, error) {
	q, err := accountQuery(c)
	if err != nil {
		return nil, err
	}
	page, err := h.store.ListAccounts(ctx, company.ID, q)
	if errors.Is(err, store.ErrTooMany) {
		return nil, problem(http.StatusBadRequest, "The list has to look at too many accounts; ask for fewer at a time.")
	}
	if err != nil {
		return nil, fmt.Errorf("list accounts: %w", err)
	}
	shown := AccountPage{Items: []Account{}}
	for _, a := range page.Accounts {
		shown.Items = append(shown.Items, showAccount(a))
	}
	if n := len(page.Accounts); n == q.Limit {
		shown.Next = page.Accounts[n-1].ID
	}
	return shown, nil
}

// accountQuery reads the parameters of a list.
func accountQuery(c call) (store.Query, error) {
	q := store.Query{Limit: pageOfAccounts, Budget: accountBudget}
	var filter query.And
	equal := func(column, value string) query.Node {
		return query.Leaf{Path: column, Op: query.Equal, Type: query.String, Fold: true, Value: query.Fold(value)}
	}
	for name, values := range c.URL.Query() {
		value := values[0]
		switch name {
		case "after":
			q.After = value
		case "limit":
			var err error
			if q.Limit, err = pageLimit(value); err != nil {
				return q, err
			}
		case "state":
			states := licenseStates()
			if !slices.Contains(states, value) {
				return q, problem(http.StatusBadRequest, "There is no license state %q; there are %s.", value, strings.Join(states, ", "))
			}
			filter = append(filter, equal(store.ColumnLicenseState, value))
		case "member_type":
			if value != string(licensing.Coworker) && value != string(licensing.GuestMember) {
				return q, problem(http.StatusBadRequest, "There is no member type %q; there are %s and %s.", value, licensing.Coworker, licensing.GuestMember)
			}
			filter = append(filter, equal(store.ColumnMemberType, value))
		case "activation":
			switch value {
			case store.ActivationInvited, store.ActivationActive:
				filter = append(filter, query.Leaf{Path: store.ColumnActivation, Op: query.Equal, Type: query.String, Value: value})
			case activationPending:
				filter = append(filter, query.Not{Node: query.Leaf{Path: store.ColumnActivation, Op: query.Present, Type: query.String}})
			default:
				return q, problem(http.StatusBadRequest, "There is no activation %q; there are pending, invited and active.", value)
			}
		case "extension":
			var has query.Node = query.Leaf{Path: store.ColumnExtension, Op: query.Present, Type: query.String}
			switch value {
			case "with":
			case "without":
				has = query.Not{Node: has}
			default:
				return q, problem(http.StatusBadRequest, "extension takes with or without, not %q.", value)
			}
			filter = append(filter, has)
		case "requests":
			if value != "true" {
				return q, problem(http.StatusBadRequest, "requests takes true, which lists those that wait for a decision, not %q.", value)
			}
			filter = append(filter, requested())
		default:
			return q, problem(http.StatusBadRequest, "There is no parameter %q; there are activation, after, extension, limit, member_type, requests and state.", name)
		}
	}
	if len(filter) > 0 {
		q.Filter = filter
	}
	return q, nil
}

// activationPending is how an activation is shown that has not begun.
const activationPending = "pending"

func licenseStates() []string {
	return []string{store.StateNone, store.StateWaiting, store.StateReserved, store.StateActive, store.StateHeld, store.StateBlocked}
}

func pageLimit(value string) (int, error) {
	n, err := strconv.Atoi(value)
	if err != nil || n < 1 || n > maxAccounts {
		return 0, problem(http.StatusBadRequest, "limit %q is not a number from 1 to %d.", value, maxAccounts)
	}
	return n, nil
}

// requested is the filter for those with a request that waits for a decision.
func requested() query.Node {
	var asked query.Or
	for _, p := range licensing.Catalog() {
		if p.Paid {
			asked = append(asked, query.Leaf{Path: store.ColumnRequest, Op: query.Equal, Type: query.String, Value: string(p.License)})
		}
	}
	return asked
}

func (h *Handler) explainAccount(ctx context.Context, _ call, company store.Company, a store.Account) (any, error) {
	return h.directory.Explain(ctx, company.ID, a.ID)
}

// explainOwn is explainAccount for those who have one company only.
func (h *Handler) explainOwn(ctx context.Context, c call) (any, error) {
	if c.company == "" {
		return nil, problem(http.StatusBadRequest, "Whoever runs the server names the company: GET /v1/companies/{company}/accounts/{account}/explain.")
	}
	company, err := h.store.Company(ctx, c.company)
	if err != nil {
		return nil, fmt.Errorf("company %s: %w", c.company, err)
	}
	a, err := h.account(ctx, company, c.PathValue("account"))
	if err != nil {
		return nil, err
	}
	return h.directory.Explain(ctx, company.ID, a.ID)
}

func (h *Handler) getAccount(_ context.Context, _ call, _ store.Company, a store.Account) (any, error) {
	return showAccount(a), nil
}

// changeAccount changes what a person is and has: what they are said to be, whether they are active, a coworker or a guest, and the role.
func (h *Handler) changeAccount(ctx context.Context, c call, company store.Company, a store.Account) (any, error) {
	var in AccountChange
	if err := c.read(&in); err != nil {
		return nil, err
	}
	if err := mayChange(c, a, in); err != nil { // before any part of the change is made
		return nil, err
	}
	var changes []licensing.Operation
	attributes := map[string]any{}
	for name, value := range in.Attributes {
		attributes[name] = value
	}
	if in.Extension != nil {
		attributes[schema.UsherUserURN+":extensionNumber"] = nil
		if *in.Extension != "" {
			attributes[schema.UsherUserURN+":extensionNumber"] = *in.Extension
		}
	}
	if in.Active != nil {
		attributes["active"] = *in.Active
	}
	if len(attributes) > 0 {
		edit, err := h.users.Edit(ctx, company.ID, attributes)
		if err != nil {
			return nil, err
		}
		changes = append(changes, licensing.UpdateAccount{ID: a.ID, Edit: edit})
	}
	if in.MemberType != "" {
		changes = append(changes, licensing.SetMember{ID: a.ID, MemberType: licensing.MemberType(in.MemberType)})
	}
	if in.Role != "" {
		role, _ := licensing.ParseRole(in.Role)
		changes = append(changes, licensing.SetRole{ID: a.ID, Role: role})
	}
	was := a
	for _, do := range changes {
		r, err := h.apply(ctx, c, company.ID, do)
		if err != nil {
			return nil, err
		}
		a = r.Account
	}
	shown := showAccount(a)
	if a.Role == licensing.RoleSuperAdmin && (was.Password != "" && a.Password == "" || was.Link != nil && a.Link == nil) {
		shown.Note = "What a user-admin had given the person to sign in with is worth nothing any more: assign credentials, or invite the person again."
	}
	return shown, nil
}

// mayChange refuses as a whole what would be refused in part.
func mayChange(c call, a store.Account, in AccountChange) error {
	role, known := licensing.ParseRole(in.Role)
	switch {
	case in.MemberType != "" && in.MemberType != string(licensing.Coworker) && in.MemberType != string(licensing.GuestMember):
		return problem(http.StatusBadRequest, "There is no member type %q; there are %s and %s.", in.MemberType, licensing.Coworker, licensing.GuestMember)
	case in.Role != "" && !known && in.Role != "auto":
		return problem(http.StatusBadRequest, "There is no role %q; there are standard, user-admin, super-admin, and auto.", in.Role)
	case c.authority < superAdmin && (a.Role == licensing.RoleSuperAdmin || role == licensing.RoleSuperAdmin):
		return c.lacks(superAdmin)
	case known && role != licensing.RoleStandard && cmp.Or(in.MemberType, a.MemberType) == string(licensing.GuestMember):
		return &licensing.Refusal{Reason: licensing.RoleOfGuest, Detail: licensing.RoleOfGuest.Sentence()}
	}
	return nil
}

func (h *Handler) assignLicense(ctx context.Context, c call, company store.Company, a store.Account) (any, error) {
	var in Assignment
	if err := c.read(&in); err != nil {
		return nil, err
	}
	license, err := parseLicense(in.License)
	if err != nil {
		return nil, err
	}
	return h.shownAfter(h.apply(ctx, c, company.ID, licensing.Assign{ID: a.ID, License: license, Until: in.Until}))
}

func (h *Handler) unassignLicense(ctx context.Context, c call, company store.Company, a store.Account) (any, error) {
	_, err := h.apply(ctx, c, company.ID, licensing.Assign{ID: a.ID})
	return nil, err
}

func (h *Handler) decideRequest(ctx context.Context, c call, company store.Company, a store.Account) (any, error) {
	var in Decision
	if err := c.read(&in); err != nil {
		return nil, err
	}
	do := licensing.Decide{ID: a.ID, Approve: in.Approve}
	if in.License != "" {
		var err error
		if do.License, err = parseLicense(in.License); err != nil {
			return nil, err
		}
	}
	return h.shownAfter(h.apply(ctx, c, company.ID, do))
}

// shownAfter shows the account that a change has made.
func (h *Handler) shownAfter(r licensing.Result, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return showAccount(r.Account), nil
}

// accountOperation is an operation on one account.
type accountOperation func(ctx context.Context, c call, company store.Company, a store.Account) (any, error)

func (h *Handler) onAccount(op accountOperation) operation {
	return h.inCompany(func(ctx context.Context, c call, company store.Company) (any, error) {
		a, err := h.account(ctx, company, c.PathValue("account"))
		if err != nil {
			return nil, err
		}
		return op(ctx, c, company, a)
	})
}

// account finds an account by its id, its user name or its externalId.
func (h *Handler) account(ctx context.Context, company store.Company, named string) (store.Account, error) {
	for _, find := range []func() (store.Account, error){
		func() (store.Account, error) { return h.store.Account(ctx, company.ID, named) },
		func() (store.Account, error) { return h.store.AccountByUserName(ctx, company.ID, query.Fold(named)) },
	} {
		if a, err := find(); err == nil || !errors.Is(err, store.ErrNotFound) {
			return a, err
		}
	}
	page, err := h.store.ListAccounts(ctx, company.ID, store.Query{
		Filter: query.Leaf{Path: "externalId", Op: query.Equal, Type: query.String, Value: named}, Limit: 2, Budget: accountBudget,
	})
	switch {
	case err != nil && !errors.Is(err, store.ErrTooMany):
		return store.Account{}, fmt.Errorf("find account: %w", err)
	case len(page.Accounts) == 0:
		return store.Account{}, problem(http.StatusNotFound,
			"The company %q has no account with the id, user name or externalId %q; \"usher account list\" shows those it has.", company.Name, named)
	case len(page.Accounts) > 1:
		return store.Account{}, problem(http.StatusConflict, "Several accounts of the company %q have the externalId %q; name one by its id or user name.", company.Name, named)
	}
	return page.Accounts[0], nil
}

func showAccount(a store.Account) Account {
	shown := Account{
		ID: a.ID, UserName: a.UserName, Display: a.Display, ExternalID: a.ExternalID, Active: a.Active, MemberType: a.MemberType, Role: a.Role,
		License: a.License, EffectiveLicense: a.Effective, LicenseState: a.LicenseState, LicenseReason: a.LicenseReason, Created: a.Created,
		Issuer: a.Identity.Issuer, Subject: a.Identity.Subject, LinkedAt: a.Identity.Linked,
		Extension: a.Extension, Activation: cmp.Or(a.Activation, activationPending), Requests: shownList((&a).Column(store.ColumnRequest)),
	}
	for _, s := range a.Sources {
		if !s.Until.IsZero() {
			shown.Until = s.Until
		}
	}
	return shown
}

// values are the parameters of a list.
func (f AccountFilter) values() map[string]string {
	v := map[string]string{"activation": f.Activation, "extension": f.Extension, "state": f.State, "member_type": f.MemberType, "after": f.After}
	if f.Requests {
		v["requests"] = "true"
	}
	if f.Limit != 0 {
		v["limit"] = strconv.Itoa(f.Limit)
	}
	return v
}
