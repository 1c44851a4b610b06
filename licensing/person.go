package licensing

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"usher/store"
	"usher/store/query"
)

// assign pins a license to a person, or takes the pin off.
func (d *Directory) assign(ctx context.Context, c Change, do Assign) (Result, error) {
	s, err := d.situation(ctx, c)
	if err != nil {
		return Result{}, err
	}
	if !do.Until.IsZero() && !do.Until.After(s.now) {
		return Result{}, refuse(InThePast, "The assignment would end at %s, which is over.", do.Until.UTC().Format("2006-01-02 15:04 MST"))
	}
	return d.edit(ctx, s, do.ID, do.IfVersion, func(before store.Account) (store.Account, error) {
		after := before
		pin := store.Source{
			Kind: string(CarrierPin), By: c.Actor.ID, License: string(do.License), At: s.now, Approved: true, Until: do.Until.UTC().Truncate(time.Millisecond),
		}
		isPin := func(s store.Source) bool { return s.Kind == string(CarrierPin) }
		if at := slices.IndexFunc(before.Sources, isPin); at >= 0 && before.Sources[at].License == pin.License {
			pin.At = before.Sources[at].At // the same license for another time: the place in the queue stays
		}
		after.Sources = slices.DeleteFunc(slices.Clone(before.Sources), isPin)
		if do.License != NoLicense {
			after.Sources = append(after.Sources, pin)
		}
		slices.SortStableFunc(after.Sources, higher)
		return after, nil
	})
}

// decideRequest approves or refuses requests. What is approved takes the place of what its carrier said before.
func (d *Directory) decideRequest(ctx context.Context, c Change, do Decide) (Result, error) {
	s, err := d.situation(ctx, c)
	if err != nil {
		return Result{}, err
	}
	s.queues = true // it is not the admin's fault that there is no seat
	return d.edit(ctx, s, do.ID, 0, func(before store.Account) (store.Account, error) {
		after := before
		after.Sources = slices.Clone(before.Sources)
		meant := func(s store.Source) bool {
			return !s.Approved && (do.License == NoLicense || s.License == string(do.License)) && (do.Approve || !s.Refused)
		}
		if !slices.ContainsFunc(after.Sources, meant) {
			return after, refuse(NoRequest, "Nothing that %s's sources ask for waits for this decision.", before.UserName)
		}
		for i := range after.Sources {
			if meant(after.Sources[i]) {
				after.Sources[i].Approved, after.Sources[i].Refused = do.Approve, !do.Approve
			}
		}
		if do.Approve {
			after.Sources = slices.DeleteFunc(after.Sources, func(old store.Source) bool {
				return old.Approved && slices.ContainsFunc(before.Sources, func(s store.Source) bool { return meant(s) && same(s, old) && s.License != old.License })
			})
		}
		slices.SortStableFunc(after.Sources, higher)
		return after, nil
	})
}

// setMember promotes or demotes. Nobody becomes a coworker by anything else.
func (d *Directory) setMember(ctx context.Context, c Change, do SetMember) (Result, error) {
	s, err := d.situation(ctx, c)
	if err != nil {
		return Result{}, err
	}
	s.queues = true
	return d.edit(ctx, s, do.ID, 0, func(before store.Account) (store.Account, error) {
		if before.Role == RoleSuperAdmin && !c.MayAssign {
			return before, refuse(SuperAdminRequired, "")
		}
		after := before
		switch do.MemberType {
		case Coworker:
			after.MemberType = string(Coworker)
		case GuestMember:
			demote(&after)
		default:
			return after, refuse(UnknownSetting, "A person is a coworker or a guest, not %q.", do.MemberType)
		}
		return after, nil
	})
}

// demote makes a guest of an account. Guests have no role, and one that an admin gave does not come back by itself; that an admin wants
// somebody to have none stays.
func demote(a *store.Account) {
	a.MemberType = string(GuestMember)
	a.RoleSources = without(a.RoleSources, func(s store.RoleSource) bool { return s.Kind == string(CarrierPin) && s.Role != RoleStandard })
}

// becomesGuest says whether a person whose address has moved is a coworker no longer until an admin decides. What they are at the new
// address does not count where they would have been a guest at the old one: then an admin has decided already.
func (d *Directory) becomesGuest(c store.Company, draft Draft) bool {
	return memberType(c, draft.Email, d.webmail) == GuestMember && memberType(c, draft.Was, d.webmail) == Coworker
}

// setRole gives a role, or leaves it to what else asks for one.
func (d *Directory) setRole(ctx context.Context, c Change, do SetRole) (Result, error) {
	s, err := d.situation(ctx, c)
	if err != nil {
		return Result{}, err
	}
	if do.Role != "" && !slices.Contains(roles(), do.Role) {
		return Result{}, refuse(UnknownSetting, "There is no role %q; there are %s.", do.Role, strings.Join(roles(), ", "))
	}
	return d.edit(ctx, s, do.ID, 0, func(before store.Account) (store.Account, error) {
		after := before
		after.RoleSources = withoutPin(before.RoleSources)
		if do.Role != "" {
			pin := store.RoleSource{Kind: string(CarrierPin), By: c.Actor.ID, Role: do.Role, At: s.now}
			after.RoleSources = append([]store.RoleSource{pin}, after.RoleSources...)
		}
		role, _ := decideRole(s.company, after)
		switch {
		case !c.MayAssign && (role == RoleSuperAdmin || before.Role == RoleSuperAdmin):
			return after, refuse(SuperAdminRequired, "")
		case higherRole(do.Role, RoleStandard) > 0 && before.MemberType == string(GuestMember):
			return after, refuse(RoleOfGuest, "")
		}
		return after, nil
	})
}

func withoutPin(sources []store.RoleSource) []store.RoleSource {
	return without(sources, func(s store.RoleSource) bool { return s.Kind == string(CarrierPin) })
}

// endAssignments takes away the sources whose time is over.
func (d *Directory) endAssignments(ctx context.Context, company string) error {
	s, err := d.situation(ctx, bySystem(Change{Company: company}, "expiry"))
	if err != nil {
		return err
	}
	s.queues = true
	over := query.Leaf{Path: store.ColumnUntil, Op: query.LessEqual, Type: query.DateTime, Value: query.FormatDateTime(s.now)}
	for {
		page, err := d.store.ListAccounts(ctx, company, store.Query{Filter: over, Limit: chunk})
		if err != nil {
			return fmt.Errorf("assignments that are over: %w", err)
		}
		ended := 0
		for _, a := range page.Accounts {
			r, err := d.edit(ctx, s, a.ID, 0, func(before store.Account) (store.Account, error) {
				after := before
				after.Sources = slices.DeleteFunc(slices.Clone(before.Sources), func(source store.Source) bool {
					return !source.Until.IsZero() && !source.Until.After(s.now)
				})
				return after, nil
			})
			if err != nil && !errors.Is(err, store.ErrNotFound) {
				return fmt.Errorf("end an assignment of %s: %w", a.ID, err)
			}
			if r.Changed {
				ended++
			}
		}
		if ended == 0 {
			return nil
		}
	}
}
