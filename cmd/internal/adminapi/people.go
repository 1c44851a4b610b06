package adminapi

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/mail"
	"strings"

	"usher/cmd/internal/credential"
	"usher/licensing"
	"usher/scim"
	"usher/scim/schema"
	"usher/store"
	"usher/store/query"
)

const (
	maxPeople  = 200   // rows of one request
	maxPreview = 2_000 // and of one that only looks: the seats are counted over all of them
)

// newPerson is a row that was read.
type newPerson struct {
	licensing.NewPerson
	role     string
	setup    string
	password string
}

// people reads the rows of a request. What is wrong with a row becomes its problem.
func (h *Handler) people(ctx context.Context, c call, company store.Company, most int) ([]newPerson, []PersonRow, error) {
	var in NewPeople
	if err := c.read(&in); err != nil {
		return nil, nil, err
	}
	if len(in.People) == 0 || len(in.People) > most {
		return nil, nil, problem(http.StatusBadRequest, "A request is about 1 to %d people, not %d.", most, len(in.People))
	}
	people, rows := make([]newPerson, len(in.People)), make([]PersonRow, len(in.People))
	named, extensions := map[string]int{}, map[string]int{}
	for i, row := range in.People {
		rows[i].Row = i + 1
		row.License, row.Role, row.Setup = cmp.Or(row.License, in.License), cmp.Or(row.Role, in.Role), cmp.Or(row.Setup, in.Setup, licensing.SetupInvite)
		var err error
		if people[i], err = h.person(ctx, company, row); err == nil {
			err = unseen(named, people[i].Draft.UserName, i+1, "user name")
		}
		if err == nil {
			err = unseen(extensions, people[i].Draft.Extension, i+1, "phone extension")
		}
		if err != nil {
			rows[i].Problem = h.problemOf(c, err)
		}
	}
	return people, rows, nil
}

// unseen refuses a value that an earlier row has.
func unseen(seen map[string]int, value string, row int, what string) error {
	if other := seen[value]; other > 0 {
		return problem(http.StatusConflict, "Row %d has the %s %s too.", other, what, value)
	}
	if value != "" {
		seen[value] = row
	}
	return nil
}

// person reads one row.
func (h *Handler) person(ctx context.Context, company store.Company, row NewPerson) (p newPerson, err error) {
	if row.Email != "" {
		if a, err := mail.ParseAddress(row.Email); err != nil || a.Address != row.Email {
			return p, problem(http.StatusBadRequest, "%q is not an e-mail address.", row.Email)
		}
	}
	attributes := maps.Clone(row.Attributes)
	if attributes == nil {
		attributes = map[string]any{}
	}
	set := func(name string, value any, given bool) {
		if given {
			attributes[name] = value
		}
	}
	set("userName", cmp.Or(row.UserName, row.Email), row.UserName != "" || row.Email != "")
	set("emails", []any{map[string]any{"value": row.Email, "type": "work", "primary": true}}, row.Email != "")
	name := map[string]any{}
	if row.GivenName != "" {
		name["givenName"] = row.GivenName
	}
	if row.FamilyName != "" {
		name["familyName"] = row.FamilyName
	}
	set("name", name, len(name) > 0)
	display := cmp.Or(row.Display, strings.TrimSpace(row.GivenName+" "+row.FamilyName))
	set("displayName", display, display != "")
	set(schema.UsherUserURN+":extensionNumber", row.Extension, row.Extension != "")
	if p.Draft, err = h.users.Draft(ctx, company.ID, attributes); err != nil {
		return p, err
	}
	if row.License != "" {
		if p.License, err = parseLicense(row.License); err != nil {
			return p, err
		}
		if !p.License.Paid() { // everyone has it
			p.License = licensing.NoLicense
		}
	}
	if row.Role != "" {
		role, known := licensing.ParseRole(row.Role)
		if !known {
			return p, problem(http.StatusBadRequest, "There is no role %q; there are standard, user-admin and super-admin.", row.Role)
		}
		p.role = role
	}
	p.setup, p.password = row.Setup, row.Password
	switch p.setup {
	case licensing.SetupCredentials:
		return p, checkPassword(p.password)
	case licensing.SetupInvite, licensing.SetupLater:
		if p.password != "" {
			return p, problem(http.StatusBadRequest, "A password goes with the set-up %q, not with %q.", licensing.SetupCredentials, p.setup)
		}
		return p, nil
	}
	return p, problem(http.StatusBadRequest, "There is no set-up %q; there are %s, %s and %s.", p.setup, licensing.SetupInvite, licensing.SetupCredentials, licensing.SetupLater)
}

// checkPassword refuses a password that somebody has chosen; an empty one stands for one to be made.
func checkPassword(password string) error {
	if why := credential.WrongLength(password); password != "" && why != "" {
		return problem(http.StatusBadRequest, "%s", why)
	}
	return nil
}

// addPeople adds people row by row.
func (h *Handler) addPeople(ctx context.Context, c call, company store.Company) (any, error) {
	people, rows, err := h.people(ctx, c, company, maxPeople)
	if err != nil {
		return nil, err
	}
	out := AddedPeople{Items: rows}
	for i := range rows {
		if rows[i].Problem == nil {
			h.addPerson(ctx, c, company, people[i], &rows[i])
		}
		if rows[i].Account != nil {
			out.Added++
		}
	}
	if len(rows) == 1 && rows[0].Problem != nil {
		return nil, rows[0].Problem
	}
	return out, nil
}

// addPerson adds one: first the account, which begins on Video Pro, then the license, then the role. What is refused of the latter two
// does not take the account back.
func (h *Handler) addPerson(ctx context.Context, c call, company store.Company, p newPerson, row *PersonRow) {
	do := licensing.CreateAccount{Draft: p.Draft, Setup: licensing.Setup{How: p.setup}}
	password := ""
	if p.setup == licensing.SetupCredentials {
		password = cmp.Or(p.password, credential.NewPassword())
		var err error
		if do.Setup.Password, err = h.hasher.Hash(ctx, password); err != nil {
			row.Problem = h.problemOf(c, err)
			return
		}
	}
	r, err := h.apply(ctx, c, company.ID, do)
	if err != nil {
		row.Problem = h.problemOf(c, err)
		return
	}
	a := r.Account
	row.Password = password
	if p.License != licensing.NoLicense {
		if r, err := h.apply(ctx, c, company.ID, licensing.Assign{ID: a.ID, License: p.License}); err != nil {
			row.License = h.problemOf(c, err)
		} else {
			a = r.Account
		}
	}
	if p.role != "" && p.role != a.Role {
		if r, err := h.apply(ctx, c, company.ID, licensing.SetRole{ID: a.ID, Role: p.role}); err != nil {
			row.Role = h.problemOf(c, err)
		} else {
			a = r.Account
		}
	}
	shown := showAccount(a)
	row.Account = &shown
}

// previewPeople says what addPeople would do.
func (h *Handler) previewPeople(ctx context.Context, c call, company store.Company) (any, error) {
	people, rows, err := h.people(ctx, c, company, maxPreview)
	if err != nil {
		return nil, err
	}
	var good []licensing.NewPerson
	var of []int
	for i := range rows {
		if rows[i].Problem != nil {
			continue
		}
		if err := h.isFree(ctx, company, people[i].Draft); err != nil {
			rows[i].Problem = h.problemOf(c, err)
			continue
		}
		p := people[i].NewPerson
		p.Role, p.Setup = people[i].role, licensing.Setup{How: people[i].setup}
		good, of = append(good, p), append(of, i)
	}
	prospects, err := h.directory.Foresee(ctx, h.change(c, company.ID, nil), good)
	if err != nil {
		return nil, err
	}
	for k, i := range of {
		p := &prospects[k]
		if p.Refused != nil {
			rows[i].Problem = h.problemOf(c, p.Refused)
			continue
		}
		rows[i].Prospect = p
		if p.RoleReason != "" {
			rows[i].Role = h.problemOf(c, &licensing.Refusal{Reason: p.RoleReason, Detail: p.RoleReason.Sentence()})
		}
	}
	return AddedPeople{Items: rows}, nil
}

// isFree refuses a person whose user name or phone extension somebody has.
func (h *Handler) isFree(ctx context.Context, company store.Company, d licensing.Draft) error {
	switch _, err := h.store.AccountByUserName(ctx, company.ID, d.UserName); {
	case err == nil:
		return &store.ConflictError{Field: "UserName", Value: d.UserName}
	case !errors.Is(err, store.ErrNotFound):
		return fmt.Errorf("account by user name: %w", err)
	}
	if d.Extension == "" {
		return nil
	}
	has := query.Leaf{Path: store.ColumnExtension, Op: query.Equal, Type: query.String, Value: d.Extension}
	page, err := h.store.ListAccounts(ctx, company.ID, store.Query{Filter: has, Limit: 1})
	if err != nil {
		return fmt.Errorf("account by extension: %w", err)
	}
	if len(page.Accounts) > 0 {
		return &store.ConflictError{Field: "Extension", Value: d.Extension}
	}
	return nil
}

// invitePerson sends an invitation, or another one.
func (h *Handler) invitePerson(ctx context.Context, c call, company store.Company, a store.Account) (any, error) {
	return h.shownAfter(h.apply(ctx, c, company.ID, licensing.Invite{ID: a.ID, Address: scim.Address}))
}

// assignCredentials gives a person a password to begin with.
func (h *Handler) assignCredentials(ctx context.Context, c call, company store.Company, a store.Account) (any, error) {
	var in Credentials
	if err := c.read(&in); err != nil {
		return nil, err
	}
	if err := checkPassword(in.Password); err != nil {
		return nil, err
	}
	password := cmp.Or(in.Password, credential.NewPassword())
	hash, err := h.hasher.Hash(ctx, password)
	if err != nil {
		return nil, fmt.Errorf("hash: %w", err)
	}
	r, err := h.apply(ctx, c, company.ID, licensing.SetPassword{ID: a.ID, Password: hash})
	if err != nil {
		return nil, err
	}
	return AssignedCredentials{showAccount(r.Account), password}, nil
}

func (h *Handler) deleteAccount(ctx context.Context, c call, company store.Company, a store.Account) (any, error) {
	if a.Role == licensing.RoleSuperAdmin && c.authority < superAdmin {
		return nil, c.lacks(superAdmin)
	}
	_, err := h.apply(ctx, c, company.ID, licensing.DeleteAccount{ID: a.ID})
	return nil, err
}

// listMails shows the outbox.
func (h *Handler) listMails(ctx context.Context, c call, company store.Company) (any, error) {
	account, after := "", ""
	limit := pageOfAccounts
	for name, values := range c.URL.Query() {
		switch name {
		case "account":
			a, err := h.account(ctx, company, values[0])
			if err != nil {
				return nil, err
			}
			account = a.ID
		case "after":
			after = values[0]
		case "limit":
			var err error
			if limit, err = pageLimit(values[0]); err != nil {
				return nil, err
			}
		default:
			return nil, problem(http.StatusBadRequest, "There is no parameter %q; there are account, after and limit.", name)
		}
	}
	mails, err := h.store.ListMails(ctx, company.ID, account, after, limit)
	if err != nil {
		return nil, fmt.Errorf("list mails: %w", err)
	}
	page := MailPage{Items: []Mail{}}
	if !h.sendsMail {
		page.Held = "No mail server is configured, so mails stay in the outbox until there is one ([mail] in the configuration)."
	}
	for _, m := range mails {
		shown := Mail{ID: m.ID, Account: m.Account, Kind: m.Kind, To: m.To, State: m.State, Attempts: m.Attempts, Error: m.Error, Created: m.Created, Done: m.Done}
		if m.State == store.MailQueued {
			shown.Due = m.Due
		}
		page.Items = append(page.Items, shown)
	}
	if len(mails) == limit {
		page.Next = mails[limit-1].ID
	}
	return page, nil
}
