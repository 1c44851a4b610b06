package licensing

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"usher/store"
)

// Actions of the events of companies.
const (
	ActionCreateCompany = "company.create"
	ActionSetCompany    = "company.set"
)

// Payment is how a company pays.
const (
	PaymentOK       = "ok"
	PaymentExpiring = "expiring" // the card is about to expire: something for admins to see to, and nothing else
	// PaymentPastDue is the time of grace: people sign in, but nobody is added and no seat is given.
	PaymentPastDue = "past-due"
	// PaymentSuspended is past-due without single sign-on.
	PaymentSuspended = "suspended"
)

// Whom a company lets sign in with a password.
const (
	LocalEveryone   = "everyone"
	LocalWithoutSSO = "without-sso" // only those who cannot use single sign-on
	LocalNobody     = "nobody"
)

// How long sessions last unless the company says otherwise, and within which bounds it can.
const (
	SessionIdleLimit = 30 * time.Minute
	SessionMaxLimit  = 12 * time.Hour

	minSession     = 5 * time.Minute
	maxIdleSession = 24 * time.Hour
	maxSession     = 30 * 24 * time.Hour
)

// maxHold is how long the seats of deactivated people may be held.
const maxHold = 366 * 24 * time.Hour

// unpaid says whether a company gets nobody and no seat any more. What it has it keeps, and it can always let people go.
func unpaid(c store.Company) bool {
	return c.Payment == PaymentPastDue || c.Payment == PaymentSuspended
}

// opens says whether a company has single sign-on at all.
func opens(c store.Company) bool { return c.Tier == TierVideoProPlus && c.Payment != PaymentSuspended }

func (d *Directory) createCompany(ctx context.Context, c Change, do CreateCompany) (Result, error) {
	company := do.Company
	company.ID, company.Created = store.NewID(), d.now()
	if company.HoldFor == 0 {
		company.HoldFor = HoldFor
	}
	if err := checkCompany(&company); err != nil {
		return Result{}, err
	}
	if err := d.checkDomains(company.Domains); err != nil {
		return Result{}, err
	}
	var pools []store.Pool
	for _, l := range slices.Sorted(maps.Keys(do.Seats)) {
		if err := checkSeats(l, do.Seats[l]); err != nil {
			return Result{}, err
		}
		pools = append(pools, store.Pool{Company: company.ID, License: string(l), Total: do.Seats[l]})
	}
	if do.Admin != nil {
		admin := *do.Admin
		admin.ID, admin.Company, admin.Created = store.NewID(), company.ID, company.Created
		do.Admin = &admin
	}
	event := newEvent(c, company.Created, store.EventCompany, ActionCreateCompany, company.ID, struct {
		Name  string          `json:"name"`
		Tier  string          `json:"tier"`
		Seats map[License]int `json:"seats,omitempty"`
	}{company.Name, company.Tier, do.Seats})
	stored, err := d.store.CreateCompany(ctx, company, pools, do.Admin, []store.Event{event})
	return Result{Company: stored, Created: err == nil, Changed: err == nil}, err
}

// checkCompany fills in the settings left out and refuses those that do not exist.
func checkCompany(c *store.Company) error {
	for _, setting := range []struct {
		name    string
		value   *string
		allowed []string // the first is the default
	}{
		{"tier", &c.Tier, []string{TierFree, TierVideoProPlus}},
		{"seat_policy", &c.SeatPolicy, []string{SeatsWaiting, SeatsStrict}},
		{"guest_policy", &c.GuestPolicy, []string{GuestWebmail, GuestUnverified}},
		{"invites", &c.Invites, []string{InviteNobody, InviteEveryone}},
		{"approval", &c.Approval, []string{ApprovalScope, ApprovalAlways}},
		{"role_ceiling", &c.RoleCeiling, roles()},
		{"local_sign_in", &c.LocalSignIn, []string{LocalEveryone, LocalWithoutSSO, LocalNobody}},
		{"payment", &c.Payment, []string{PaymentOK, PaymentExpiring, PaymentPastDue, PaymentSuspended}},
	} {
		if *setting.value == "" {
			*setting.value = setting.allowed[0]
		}
		if !slices.Contains(setting.allowed, *setting.value) {
			return refuse(UnknownSetting, "%s cannot be %q; it is one of %s.", setting.name, *setting.value, strings.Join(setting.allowed, ", "))
		}
	}
	if c.LossMin < 0 || c.LossPercent < 0 || c.LossPercent > 100 {
		return refuse(UnknownSetting, "loss_min is a number of people, and loss_percent one from 0 to 100.")
	}
	if !within(c.SessionIdle, maxIdleSession) || !within(c.SessionMax, maxSession) {
		return refuse(UnknownSetting, "session_idle is between %s and %s, and session_max between %s and %s.", minSession, maxIdleSession, minSession, maxSession)
	}
	if c.HoldFor < 0 || c.HoldFor > maxHold {
		return refuse(UnknownSetting, "hold_for cannot be %s; it is between 0 and %d days.", c.HoldFor, maxHold/(24*time.Hour))
	}
	return nil
}

// within says whether a time that sessions last can be set; 0 is the default.
func within(d, most time.Duration) bool { return d == 0 || d >= minSession && d <= most }

// SessionLimits gives how long the sessions of a company last without being used, and in all.
func SessionLimits(c store.Company) (idle, most time.Duration) {
	return cmp.Or(c.SessionIdle, SessionIdleLimit), cmp.Or(c.SessionMax, SessionMaxLimit)
}

// tightened says whether somebody who may sign in with a password may no more by a change of settings.
func tightened(was, is store.Company) bool {
	modes := []string{LocalEveryone, LocalWithoutSSO, LocalNobody}
	return slices.Index(modes, is.LocalSignIn) > max(slices.Index(modes, was.LocalSignIn), 0)
}

// setCompany changes settings. But for the role ceiling none of them is in the columns of the accounts: whether somebody may sign in is
// decided when they do, and the company's epoch ends at once the sessions of all when nobody may any more.
func (d *Directory) setCompany(ctx context.Context, c Change, do SetCompany) (Result, error) {
	defer d.turn("company " + c.Company)()
	for range attempts {
		was, err := d.store.Company(ctx, c.Company)
		if err != nil {
			return Result{}, fmt.Errorf("company %s: %w", c.Company, err)
		}
		is := do.on(was)
		if err := checkCompany(&is); err != nil {
			return Result{}, err
		}
		if settingsOf(is) == settingsOf(was) {
			return Result{Company: was}, nil
		}
		if opens(was) && !opens(is) || tightened(was, is) {
			is.Epoch++
		}
		event := newEvent(c, d.now(), store.EventCompany, ActionSetCompany, was.ID, map[string]settings{"from": settingsOf(was), "to": settingsOf(is)})
		var sweep *store.Sweep
		if is.RoleCeiling != was.RoleCeiling {
			sweep = d.newSweep(c, d.now(), cause{Roles: true})
		}
		stored, err := d.store.UpdateCompany(ctx, is, sweep, []store.Event{event})
		switch {
		case err == nil:
			if unpaid(was) && !unpaid(is) { // those who waited meanwhile
				d.attend(ctx, c, paid()...)
			}
			if sweep != nil {
				err = d.sweep(ctx, *sweep)
			}
			return Result{Company: stored, Changed: true}, err
		case !errors.Is(err, store.ErrVersion):
			return Result{}, err
		}
	}
	return Result{}, store.ErrVersion
}

// on gives the company with the settings that the operation names.
func (do SetCompany) on(c store.Company) store.Company {
	for _, setting := range []struct{ to, from *string }{
		{&c.Display, do.Display}, {&c.Tier, do.Tier}, {&c.SeatPolicy, do.SeatPolicy}, {&c.GuestPolicy, do.GuestPolicy},
		{&c.RoleCeiling, do.RoleCeiling}, {&c.Approval, do.Approval}, {&c.Invites, do.Invites}, {&c.LocalSignIn, do.LocalSignIn},
	} {
		if setting.from != nil {
			*setting.to = *setting.from
		}
	}
	for _, setting := range []struct{ to, from *time.Duration }{
		{&c.HoldFor, do.HoldFor}, {&c.SessionIdle, do.SessionIdle}, {&c.SessionMax, do.SessionMax},
	} {
		if setting.from != nil {
			*setting.to = *setting.from
		}
	}
	if do.LossMin != nil {
		c.LossMin = *do.LossMin
	}
	if do.LossPercent != nil {
		c.LossPercent = *do.LossPercent
	}
	if do.Payment != nil {
		c.Payment, c.PaymentAt = do.Payment.State, do.Payment.At
	}
	return c
}

// settings is what can be set of a company, as its events have it.
type settings struct {
	Display     string    `json:"display"`
	Tier        string    `json:"tier"`
	SeatPolicy  string    `json:"seatPolicy"`
	GuestPolicy string    `json:"guestPolicy"`
	Approval    string    `json:"approval"`
	Invites     string    `json:"invites"`
	RoleCeiling string    `json:"roleCeiling"`
	HoldFor     string    `json:"holdFor"`
	Payment     string    `json:"payment"`
	PaymentAt   time.Time `json:"paymentAt,omitzero"`
	LossMin     int       `json:"lossMin,omitempty"`
	LossPercent int       `json:"lossPercent,omitempty"`
	LocalSignIn string    `json:"localSignIn"`
	SessionIdle string    `json:"sessionIdle"`
	SessionMax  string    `json:"sessionMax"`
}

func settingsOf(c store.Company) settings {
	idle, most := SessionLimits(c)
	s := settings{
		c.Display, c.Tier, c.SeatPolicy, c.GuestPolicy, cmp.Or(c.Approval, ApprovalScope), cmp.Or(c.Invites, InviteNobody),
		cmp.Or(c.RoleCeiling, RoleStandard), c.HoldFor.String(), c.Payment, c.PaymentAt.UTC(), c.LossMin, c.LossPercent,
		cmp.Or(c.LocalSignIn, LocalEveryone), idle.String(), most.String(),
	}
	if s.Payment == "" {
		s.Payment = PaymentOK
	}
	return s
}

// endGrace ends single sign-on in a company whose time of grace is over.
func (d *Directory) endGrace(ctx context.Context, id string) error {
	company, err := d.store.Company(ctx, id)
	if err != nil || company.Payment != PaymentPastDue || company.PaymentAt.IsZero() || d.now().Before(company.PaymentAt) {
		return err
	}
	c := bySystem(Change{Company: id, Request: store.NewID()}, "billing")
	_, err = d.setCompany(ctx, c, SetCompany{Payment: &Payment{State: PaymentSuspended}})
	return err
}
