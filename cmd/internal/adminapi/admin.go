package adminapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode"

	"usher/cmd/internal/credential"
	"usher/licensing"
	"usher/store"
	"usher/store/query"
)

// Actions of the events of local admins.
const (
	ActionPutAdmin    = "admin.put"
	ActionDeleteAdmin = "admin.delete"
)

// Admin is a local admin of a company as it is shown: a record of its own, which no identity provider sees.
type Admin struct {
	Login   string    `json:"login"`
	Role    string    `json:"role"`
	TOTP    bool      `json:"totp"` // whether a one-time password is asked for at sign-in
	Created time.Time `json:"created"`
}

// AdminChange adds a local admin, or changes one.
type AdminChange struct {
	Role        string `json:"role,omitempty"`         // "super-admin" or "user-admin"; empty: it stays, and a new one is a user-admin
	NewPassword bool   `json:"new_password,omitempty"` // make another password; a new admin gets one anyway
}

// ChangedAdmin is a local admin with the password that was made, which is shown only here.
type ChangedAdmin struct {
	Admin
	Password string `json:"password,omitempty"`
}

func (h *Handler) listAdmins(ctx context.Context, _ call, company store.Company) (any, error) {
	admins, err := h.store.ListLocalAdmins(ctx, company.ID)
	if err != nil {
		return nil, fmt.Errorf("list local admins: %w", err)
	}
	shown := list[Admin]{Items: []Admin{}}
	for _, a := range admins {
		shown.Items = append(shown.Items, showAdmin(a))
	}
	return shown, nil
}

func (h *Handler) putAdmin(ctx context.Context, c call, company store.Company) (any, error) {
	var in AdminChange
	if err := c.read(&in); err != nil {
		return nil, err
	}
	login := query.Fold(c.PathValue("login"))
	if len(login) > 254 || strings.ContainsFunc(login, func(r rune) bool { return !unicode.IsPrint(r) || r == ' ' }) {
		return nil, problem(http.StatusBadRequest, "%q cannot be a login: it takes up to 254 printable characters without spaces.", c.PathValue("login"))
	}
	if in.Role != "" && in.Role != licensing.RoleSuperAdmin && in.Role != licensing.RoleUserAdmin {
		return nil, problem(http.StatusBadRequest, "A local admin is a %s or a %s, not a %q.", licensing.RoleSuperAdmin, licensing.RoleUserAdmin, in.Role)
	}
	var out ChangedAdmin
	err := h.changeAdmins(ctx, company, func(company store.Company, admins []store.LocalAdmin) error {
		at := slices.IndexFunc(admins, func(a store.LocalAdmin) bool { return a.Login == login })
		is := store.LocalAdmin{ID: store.NewID(), Company: company.ID, Login: login, Role: licensing.RoleUserAdmin, Created: c.now}
		var others []store.LocalAdmin
		if at >= 0 {
			is = admins[at]
			others = slices.Delete(slices.Clone(admins), at, at+1)
		}
		was := is.Role
		if in.Role != "" {
			is.Role = in.Role
		}
		if at >= 0 && was == licensing.RoleSuperAdmin && is.Role != was {
			if err := h.mayLose(ctx, company, others); err != nil {
				return err
			}
		}
		out = ChangedAdmin{Admin: showAdmin(is)}
		if at < 0 || in.NewPassword {
			out.Password = credential.NewPassword()
			var err error
			if is.Password, err = h.hasher.Hash(ctx, out.Password); err != nil {
				return fmt.Errorf("hash: %w", err)
			}
		}
		events, err := c.event(ActionPutAdmin, is.ID, map[string]any{"login": is.Login, "role": is.Role, "new": at < 0, "new_password": out.Password != ""})
		if err != nil {
			return err
		}
		return h.store.PutLocalAdmin(ctx, company, is, events)
	})
	return out, err
}

func (h *Handler) removeAdmin(ctx context.Context, c call, company store.Company) (any, error) {
	login := query.Fold(c.PathValue("login"))
	return nil, h.changeAdmins(ctx, company, func(company store.Company, admins []store.LocalAdmin) error {
		at := slices.IndexFunc(admins, func(a store.LocalAdmin) bool { return a.Login == login })
		if at < 0 {
			return problem(http.StatusNotFound, "The company %q has no local admin %q; \"usher admin list\" shows those it has.", company.Name, login)
		}
		gone := admins[at]
		if gone.Role == licensing.RoleSuperAdmin {
			if err := h.mayLose(ctx, company, slices.Delete(slices.Clone(admins), at, at+1)); err != nil {
				return err
			}
		}
		events, err := c.event(ActionDeleteAdmin, gone.ID, map[string]string{"login": gone.Login, "role": gone.Role})
		if err != nil {
			return err
		}
		return h.store.DeleteLocalAdmin(ctx, company, gone.ID, events)
	})
}

// changeAdmins changes the admins of a company by change, which is called again when somebody else has changed the company meanwhile.
func (h *Handler) changeAdmins(ctx context.Context, company store.Company, change func(store.Company, []store.LocalAdmin) error) error {
	// No connection goes live between the look at the connections and the change.
	h.connections.Lock()
	defer h.connections.Unlock()
	const attempts = 5
	for range attempts {
		current, err := h.store.Company(ctx, company.ID)
		if err != nil {
			return fmt.Errorf("company %s: %w", company.Name, err)
		}
		admins, err := h.store.ListLocalAdmins(ctx, company.ID)
		if err != nil {
			return fmt.Errorf("list local admins: %w", err)
		}
		if err := change(current, admins); !errors.Is(err, store.ErrVersion) {
			return err
		}
	}
	return store.ErrVersion
}

// mayLose refuses the loss of a super-admin where those who are left could be locked out by an identity provider.
func (h *Handler) mayLose(ctx context.Context, company store.Company, left []store.LocalAdmin) error {
	if slices.ContainsFunc(left, func(a store.LocalAdmin) bool { return a.Role == licensing.RoleSuperAdmin }) {
		return nil
	}
	connections, err := h.store.ListConnections(ctx, company.ID)
	if err != nil {
		return fmt.Errorf("list connections: %w", err)
	}
	if slices.ContainsFunc(connections, func(c store.Connection) bool { return c.Mode == store.ModeLive }) {
		return problem(http.StatusConflict,
			"This is the last local super-admin of %q, and its identity providers could lock everybody out: add another first, or pause the connections.", company.Name)
	}
	return nil
}

func showAdmin(a store.LocalAdmin) Admin {
	return Admin{Login: a.Login, Role: a.Role, TOTP: a.TOTP != "", Created: a.Created}
}
