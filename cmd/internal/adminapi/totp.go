package adminapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"usher/cmd/internal/credential"
	"usher/licensing"
	"usher/store"
	"usher/store/query"
)

// ActionTOTP is the action of the events of one-time passwords.
const ActionTOTP = "admin.totp"

// TOTP is the secret of an admin's one-time passwords, shown only here.
type TOTP struct {
	Secret string `json:"secret"` // base32
	URL    string `json:"url"`    // for an authenticator app, as a QR code
}

// TOTPOwner says whose a sealed secret is: a local admin's or a person's.
func TOTPOwner(company, id string) string { return "totp " + company + " " + id }

// putPersonTOTP gives a person a new secret of one-time passwords, which are asked for from now on.
func (h *Handler) putPersonTOTP(ctx context.Context, c call, company store.Company, a store.Account) (any, error) {
	secret, url, err := credential.NewTOTP("usher", a.UserName)
	if err != nil {
		return nil, err
	}
	_, err = h.apply(ctx, c, company.ID, licensing.SetTOTP{ID: a.ID, Sealed: h.sealer.Seal(secret, TOTPOwner(company.ID, a.ID))})
	return TOTP{secret, url}, err
}

func (h *Handler) removePersonTOTP(ctx context.Context, c call, company store.Company, a store.Account) (any, error) {
	_, err := h.apply(ctx, c, company.ID, licensing.SetTOTP{ID: a.ID})
	return nil, err
}

// putTOTP gives a local admin a new secret of one-time passwords, which are asked for from now on.
func (h *Handler) putTOTP(ctx context.Context, c call, company store.Company) (any, error) {
	secret, url, err := credential.NewTOTP("usher", c.PathValue("login")+"@"+company.Name)
	if err != nil {
		return nil, err
	}
	return TOTP{secret, url}, h.setTOTP(ctx, c, company, secret)
}

func (h *Handler) removeTOTP(ctx context.Context, c call, company store.Company) (any, error) {
	return nil, h.setTOTP(ctx, c, company, "")
}

// setTOTP sets the secret of one-time passwords; empty: none are asked for.
func (h *Handler) setTOTP(ctx context.Context, c call, company store.Company, secret string) error {
	login := query.Fold(c.PathValue("login"))
	return h.changeAdmins(ctx, company, func(company store.Company, admins []store.LocalAdmin) error {
		at := slices.IndexFunc(admins, func(a store.LocalAdmin) bool { return a.Login == login })
		if at < 0 {
			return problem(http.StatusNotFound, "The company %q has no local admin %q; \"usher admin list\" shows those it has.", company.Name, c.PathValue("login"))
		}
		is := admins[at]
		is.TOTP, is.TOTPStep = "", 0
		if secret != "" {
			is.TOTP = h.sealer.Seal(secret, TOTPOwner(is.Company, is.ID))
		}
		events, err := c.event(ActionTOTP, is.ID, map[string]any{"login": is.Login, "on": secret != ""})
		if err != nil {
			return err
		}
		return h.store.PutLocalAdmin(ctx, company, is, events)
	})
}

// checkCode asks for the one-time password of an admin who has set that up, and notes that it is used.
func (h *Handler) checkCode(ctx context.Context, c call, company store.Company, who claimant, code string) error {
	switch {
	case who.person != nil && who.person.TOTP != "":
		return h.checkPersonCode(ctx, c, company, *who.person, code)
	case who.local == nil || who.local.TOTP == "":
		return nil
	}
	return h.changeAdmins(ctx, company, func(company store.Company, admins []store.LocalAdmin) error {
		at := slices.IndexFunc(admins, func(a store.LocalAdmin) bool { return a.ID == who.id })
		if at < 0 {
			return errUnknown()
		}
		is := admins[at]
		step, err := h.stepOf(is.TOTP, TOTPOwner(is.Company, is.ID), code, c.now, is.TOTPStep)
		if err != nil {
			return err
		}
		is.TOTPStep = step
		return h.store.PutLocalAdmin(ctx, company, is, nil)
	})
}

// checkPersonCode is the same for a person with a role.
func (h *Handler) checkPersonCode(ctx context.Context, c call, company store.Company, a store.Account, code string) error {
	step, err := h.stepOf(a.TOTP, TOTPOwner(company.ID, a.ID), code, c.now, a.TOTPStep)
	if err != nil {
		return err
	}
	_, err = h.apply(ctx, c, company.ID, licensing.UseTOTP{ID: a.ID, Step: step})
	if errors.Is(err, store.ErrVersion) { // somebody else was quicker with it
		return errUnknown()
	}
	return err
}

// stepOf gives the step that a code is of, and refuses one that is not right or was used.
func (h *Handler) stepOf(sealed, owner, code string, now time.Time, after int64) (int64, error) {
	secret, err := h.sealer.Open(sealed, owner)
	if err != nil {
		return 0, fmt.Errorf("one-time passwords (%s): %w", owner, err)
	}
	step, right := credential.CheckTOTP(secret, code, now, after)
	if !right {
		return 0, errUnknown()
	}
	return step, nil
}
