package adminapi

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"usher/cmd/internal/credential"
	"usher/store"
	"usher/store/query"
)

// ActionTOTP is the action of the events of one-time passwords.
const ActionTOTP = "admin.totp"

// TOTP is the secret of a local admin's one-time passwords, shown only here.
type TOTP struct {
	Secret string `json:"secret"` // base32
	URL    string `json:"url"`    // for an authenticator app, as a QR code
}

// totpOwner says whose a sealed secret is.
func totpOwner(a store.LocalAdmin) string { return "totp " + a.Company + " " + a.ID }

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
			is.TOTP = h.sealer.Seal(secret, totpOwner(is))
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
	if who.local == nil || who.local.TOTP == "" {
		return nil
	}
	return h.changeAdmins(ctx, company, func(company store.Company, admins []store.LocalAdmin) error {
		at := slices.IndexFunc(admins, func(a store.LocalAdmin) bool { return a.ID == who.id })
		if at < 0 {
			return errUnknown()
		}
		is := admins[at]
		secret, err := h.sealer.Open(is.TOTP, totpOwner(is))
		if err != nil {
			return fmt.Errorf("one-time passwords of %s: %w", is.Login, err)
		}
		step, right := credential.CheckTOTP(secret, code, c.now, is.TOTPStep)
		if !right {
			return errUnknown()
		}
		is.TOTPStep = step
		return h.store.PutLocalAdmin(ctx, company, is, nil)
	})
}
