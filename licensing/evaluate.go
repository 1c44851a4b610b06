package licensing

import (
	"slices"

	"usher/store"
)

// MemberType is how close a person is to the company.
type MemberType string

// Member types. A guest gets no paid license and no single sign-on until a company admin promotes them.
const (
	Coworker    MemberType = "coworker"
	GuestMember MemberType = "guest"
)

// Roles. People begin with the lowest; the first local admin of a company has the highest.
const (
	RoleStandard   = "standard"
	RoleSuperAdmin = "super-admin"
)

// Tiers of companies.
const (
	TierFree         = "free"
	TierVideoProPlus = "video-pro-plus"
)

// Verdict is the decision about one account.
type Verdict struct {
	License Reasoned   // the paid license that is wanted, with its state
	Others  []Reasoned // other paid licenses that are asked for, each blocked

	Effective    License // the license in effect
	Entitlements Entitlements

	SSO       bool   // whether the person may sign in through the identity provider
	SSOReason Reason // why not
}

// Reasoned is a license with its state and the reason for it.
type Reasoned struct {
	License License // NoLicense when nothing asks for one
	State   string  // one of store's State constants
	Reason  Reason  // empty while the license is in effect
}

// Evaluate decides which license is in effect for an account, what it allows, and whether the person may sign in. It is pure: it
// looks only at the facts it is given (the account's sources, whether it is active, whether it is a guest, the seat it holds, and
// the company's tier), never at columns that follow from them.
func Evaluate(c store.Company, a store.Account) Verdict {
	v := Verdict{Effective: VideoPro}
	v.License, v.Others = wanted(a)
	switch {
	case !a.Active || a.MemberType == string(GuestMember):
	case v.License.State == store.StateReserved || v.License.State == store.StateActive:
		v.Effective = v.License.License
	case v.License.State == store.StateWaiting && a.Seat != "": // a swap: the old seat serves until there is a new one
		v.Effective = License(a.Seat)
	}
	v.Entitlements = product(VideoPro).Entitlements.union(product(v.Effective).Entitlements)
	v.SSOReason = ssoReason(c, a, v)
	v.SSO = v.SSOReason == ""
	return v
}

// wanted gives the license named by the highest source, its state, and the other licenses that are asked for in vain.
func wanted(a store.Account) (Reasoned, []Reasoned) {
	sources := slices.SortedStableFunc(slices.Values(a.Sources), higher)
	if len(sources) == 0 {
		return Reasoned{State: store.StateNone}, nil
	}
	top := sources[0]
	want := Reasoned{License: License(top.License)}
	var others []Reasoned
	for _, s := range sources[1:] {
		l := License(s.License)
		named := l == want.License || slices.ContainsFunc(others, func(o Reasoned) bool { return o.License == l })
		if named {
			continue
		}
		reason := MutuallyExclusive
		if top.Approved && !s.Approved {
			reason = NeedsApproval
		}
		others = append(others, Reasoned{License: l, State: store.StateBlocked, Reason: reason})
	}
	block := func(r Reason) { want.State, want.Reason = store.StateBlocked, r }
	switch {
	case !want.License.Paid(): // a pin to the base license
		want = Reasoned{State: store.StateNone, Reason: Vetoed}
		for i := range others {
			others[i].Reason = Vetoed
		}
	case a.MemberType == string(GuestMember):
		block(Guest)
	case !top.Approved:
		block(NeedsApproval)
	case !a.Active && a.Seat == string(want.License):
		want.State, want.Reason = store.StateHeld, AccountInactive
	case !a.Active:
		block(AccountInactive)
	case a.Seat != string(want.License):
		want.State, want.Reason = store.StateWaiting, WaitingForSeat
	case a.SeatState == store.StateActive:
		want.State = store.StateActive
	default:
		want.State = store.StateReserved
	}
	return want, others
}

// ssoReason says why the person may not sign in; empty when they may.
func ssoReason(c store.Company, a store.Account, v Verdict) Reason {
	switch {
	case !a.Active:
		return UserDeactivated
	case a.MemberType == string(GuestMember):
		return GuestCannotUseSSO
	case c.Payment == PaymentSuspended && a.Role != RoleSuperAdmin:
		return BillingSuspended
	case c.Tier != TierVideoProPlus:
		return CompanyTierHasNoSSO
	case v.Entitlements.SSO:
		return ""
	case v.License.State == store.StateWaiting && product(v.License.License).Entitlements.SSO:
		return WaitingForSeat
	}
	return LicenseHasNoSSO
}
