package adminapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"usher/cmd/internal/credential"
	"usher/licensing"
	"usher/sso"
	"usher/store"
)

// ActionRewrap is the action of the events of secrets that were sealed anew.
const ActionRewrap = "connection.rewrap"

// Keys are those by which secrets are sealed.
type Keys interface {
	AddKey() error                    // secrets are sealed by it from now on
	ForgetKeys() error                // all but the one by which secrets are sealed
	Rewrap(ctx context.Context) error // seals by it what servers have in common and no company's
}

// Rewrapping asks for all secrets to be sealed by the newest key.
type Rewrapping struct {
	NewKey bool `json:"new_key,omitempty"` // make one first
	Forget bool `json:"forget,omitempty"`  // and forget the others afterwards
}

// Rewrapped is what came of it.
type Rewrapped struct {
	Secrets int `json:"secrets"` // that were sealed anew
	Keys    int `json:"keys"`    // by which secrets can be opened
	Lost    int `json:"lost"`    // secrets that no key opens any more; they are left as they are
}

// rewrap seals the secrets that are kept by the newest key: those of connections, and of one-time passwords.
func (h *Handler) rewrap(ctx context.Context, c call) (any, error) {
	var in Rewrapping
	if err := c.read(&in); err != nil {
		return nil, err
	}
	h.sealing.Lock()
	defer h.sealing.Unlock()
	if in.NewKey {
		if err := h.keys.AddKey(); err != nil {
			return nil, problem(http.StatusConflict, "No key can be made: %v.", err)
		}
	}
	companies, err := h.store.ListCompanies(ctx)
	if err != nil {
		return nil, err
	}
	out := Rewrapped{}
	for _, company := range companies {
		for _, part := range []func(context.Context, call, store.Company, *Rewrapped) error{h.rewrapConnections, h.rewrapAdmins, h.rewrapPeople} {
			if err := part(ctx, c, company, &out); err != nil {
				return nil, fmt.Errorf("company %s: %w", company.Name, err)
			}
		}
	}
	if err := h.keys.Rewrap(ctx); err != nil {
		return nil, fmt.Errorf("what servers have in common: %w", err)
	}
	if in.Forget {
		if err := h.keys.ForgetKeys(); err != nil {
			return nil, problem(http.StatusConflict, "The keys cannot be forgotten: %v.", err)
		}
	}
	out.Keys = h.sealer.Keys()
	return out, nil
}

// again gives a secret sealed by the newest key, and whether that is another form of it. One that no key opens is counted.
func (h *Handler) again(sealed, owner string, out *Rewrapped) (string, bool, error) {
	again, changed, err := h.sealer.Rewrap(sealed, owner)
	if errors.Is(err, credential.ErrSealed) {
		out.Lost++
		return sealed, false, nil
	}
	return again, changed, err
}

func (h *Handler) rewrapConnections(ctx context.Context, c call, company store.Company, out *Rewrapped) error {
	h.connections.Lock()
	defer h.connections.Unlock()
	all, err := h.store.ListConnections(ctx, company.ID)
	if err != nil {
		return err
	}
	for _, is := range all {
		changed := false
		for _, sealed := range []*string{&is.SignOn.Secret, &is.SignOn.Former} {
			if *sealed == "" {
				continue
			}
			again, other, err := h.again(*sealed, sso.SecretOwner(company.ID, is.ID), out)
			if err != nil {
				return fmt.Errorf("connection %s: %w", is.Name, err)
			}
			*sealed, changed = again, changed || other
		}
		if !changed {
			continue
		}
		events, err := c.event(ActionRewrap, is.ID, nil)
		if err != nil {
			return err
		}
		if _, err := h.store.SetSignOn(ctx, is, events); err != nil { // the sessions go on: the secret is the same
			return err
		}
		out.Secrets++
	}
	return nil
}

func (h *Handler) rewrapAdmins(ctx context.Context, _ call, company store.Company, out *Rewrapped) error {
	before := *out
	return h.changeAdmins(ctx, company, func(company store.Company, admins []store.LocalAdmin) error {
		*out = before // it may be called again
		for _, is := range admins {
			if is.TOTP == "" {
				continue
			}
			again, changed, err := h.again(is.TOTP, TOTPOwner(company.ID, is.ID), out)
			if err != nil {
				return fmt.Errorf("local admin %s: %w", is.Login, err)
			}
			if !changed {
				continue
			}
			is.TOTP = again
			if err := h.store.PutLocalAdmin(ctx, company, is, nil); err != nil {
				return err
			}
			company.Version++ // which each change of an admin raises
			out.Secrets++
		}
		return nil
	})
}

func (h *Handler) rewrapPeople(ctx context.Context, c call, company store.Company, out *Rewrapped) error {
	const some = 1000
	after := ""
	for {
		page, err := h.store.ListAccounts(ctx, company.ID, store.Query{After: after, Limit: some})
		if err != nil {
			return err
		}
		for _, a := range page.Accounts {
			if a.TOTP == "" {
				continue
			}
			again, changed, err := h.again(a.TOTP, TOTPOwner(company.ID, a.ID), out)
			if err != nil {
				return fmt.Errorf("account %s: %w", a.UserName, err)
			}
			if !changed {
				continue
			}
			_, err = h.apply(ctx, c, company.ID, licensing.SetTOTP{ID: a.ID, Sealed: again, Replaces: a.TOTP})
			switch {
			case err == nil:
				out.Secrets++
			case !errors.Is(err, store.ErrVersion) && !errors.Is(err, store.ErrNotFound): // else it was changed or taken away meanwhile
				return err
			}
		}
		if len(page.Accounts) < some {
			return nil
		}
		after = page.Accounts[some-1].ID
	}
}
