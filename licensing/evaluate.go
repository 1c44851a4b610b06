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

	Role       string // in the company
	RoleReason Reason // why it is not as high as something asks for

	SSO       bool   // whether the person may sign in through the identity provider
	SSOReason Reason // why not

	Password       bool   // whether the person may sign in with a password
	PasswordReason Reason // why not
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
	v.Role, v.RoleReason = decideRole(c, a)
	a.Role = v.Role
	switch {
	case !a.Active || a.MemberType == string(GuestMember):
	case v.License.State == store.StateReserved || v.License.State == store.StateActive:
		v.Effective = v.License.License
	case v.License.State == store.StateWaiting && a.Seat != "": // a swap: the old seat serves until there is a new one
		v.Effective = License(a.Seat)
	}
	v.Entitlements = product(VideoPro).Entitlements.union(product(v.Effective).Entitlements)
	v.SSOReason = firstFailed(signOnChecks, c, a, v)
	v.SSO = v.SSOReason == ""
	v.PasswordReason = firstFailed(passwordChecks, c, a, v)
	v.Password = v.PasswordReason == ""
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
		switch {
		case s.Refused && !s.Approved:
			reason = RequestRefused
		case top.Approved && !s.Approved:
			reason = NeedsApproval
		}
		others = append(others, Reasoned{License: l, State: store.StateBlocked, Reason: reason})
	}
	f := &facts{account: a, top: top}
	for _, check := range licenseChecks {
		if check.fails(f) {
			want.State, want.Reason = check.state, check.reason
			if check.reason == AccountInactive && a.Seat == string(want.License) {
				want.State = store.StateHeld
			}
			break
		}
	}
	switch {
	case want.Reason == Vetoed:
		want.License = NoLicense
		for i := range others {
			others[i].Reason = Vetoed
		}
	case want.Reason == "":
		want.State = a.SeatState
		if want.State != store.StateActive {
			want.State = store.StateReserved
		}
	}
	return want, others
}

// facts are what the checks look at.
type facts struct {
	company store.Company
	account store.Account
	top     store.Source // the source that names the wanted license
	verdict Verdict      // for sign-in: what was decided of the license
}

// check is one question of a decision. They are asked in turn, and the first that fails gives the reason.
type check struct {
	reason Reason
	state  string // of a license that fails the check
	asks   string // the question, for people
	fails  func(*facts) bool
	found  func(*facts) string // what was looked at, for people
}

// licenseChecks decide the state of the license that is wanted.
var licenseChecks = []check{
	{
		Vetoed, store.StateNone, "Does a Super Admin's pin leave room for a paid license?",
		func(f *facts) bool { return !License(f.top.License).Paid() },
		func(f *facts) string {
			if Carrier(f.top.Kind) == CarrierPin {
				return "pinned to " + License(f.top.License).Name()
			}
			return "no pin"
		},
	},
	{
		Guest, store.StateBlocked, "Is the person a coworker?",
		func(f *facts) bool { return f.account.MemberType == string(GuestMember) },
		func(f *facts) string { return f.account.MemberType },
	},
	{
		RequestRefused, store.StateBlocked, "Has nobody refused the request?",
		func(f *facts) bool { return !f.top.Approved && f.top.Refused },
		func(f *facts) string { return standing(f.top) },
	},
	{
		NeedsApproval, store.StateBlocked, "May whoever asks for the license assign it?",
		func(f *facts) bool { return !f.top.Approved },
		func(f *facts) string { return standing(f.top) },
	},
	{
		AccountInactive, store.StateBlocked, "Is the account active?",
		func(f *facts) bool { return !f.account.Active },
		activity,
	},
	{
		WaitingForSeat, store.StateWaiting, "Does the person have a seat?",
		func(f *facts) bool { return f.account.Seat != f.top.License },
		func(f *facts) string {
			if f.account.Seat == "" {
				return "no seat"
			}
			return "a seat of " + License(f.account.Seat).Name()
		},
	},
}

// signOnChecks decide whether a person may sign in through the identity provider.
var signOnChecks = []check{
	{UserDeactivated, "", "Is the account active?", func(f *facts) bool { return !f.account.Active }, activity},
	{
		GuestCannotUseSSO, "", "Is the person a coworker?",
		func(f *facts) bool { return f.account.MemberType == string(GuestMember) },
		func(f *facts) string { return f.account.MemberType },
	},
	{
		BillingSuspended, "", "Are the company's payments in order, or is the person its Super Admin?",
		func(f *facts) bool { return f.company.Payment == PaymentSuspended && f.account.Role != RoleSuperAdmin },
		func(f *facts) string { return settingsOf(f.company).Payment },
	},
	{
		CompanyTierHasNoSSO, "", "Does the company's plan include single sign-on?",
		func(f *facts) bool { return f.company.Tier != TierVideoProPlus },
		func(f *facts) string { return f.company.Tier },
	},
	{
		WaitingForSeat, "", "Does the person have the seat that single sign-on needs?",
		func(f *facts) bool {
			wanted := f.verdict.License
			return !f.verdict.Entitlements.SSO && wanted.State == store.StateWaiting && product(wanted.License).Entitlements.SSO
		},
		func(f *facts) string { return f.verdict.License.State },
	},
	{
		LicenseHasNoSSO, "", "Does the license in effect include single sign-on?",
		func(f *facts) bool { return !f.verdict.Entitlements.SSO },
		func(f *facts) string { return f.verdict.Effective.Name() },
	},
}

func activity(f *facts) string {
	if f.account.Active {
		return "active"
	}
	return "deactivated"
}

// standing says how a request stands.
func standing(s store.Source) string {
	switch {
	case s.Approved:
		return "approved"
	case s.Refused:
		return "refused"
	}
	return "not approved"
}

// passwordChecks decide whether a person may sign in with the password of the account.
var passwordChecks = []check{
	{UserDeactivated, "", "Is the account active?", func(f *facts) bool { return !f.account.Active }, activity},
	{
		PasswordNotAllowed, "", "Does the company let the person sign in with a password?",
		func(f *facts) bool {
			switch f.company.LocalSignIn {
			case LocalNobody:
				return true
			case LocalWithoutSSO:
				return f.verdict.SSO
			}
			return false
		},
		func(f *facts) string { return settingsOf(f.company).LocalSignIn },
	},
}

// firstFailed gives the reason of the first check that fails; empty when the person may sign in.
func firstFailed(checks []check, c store.Company, a store.Account, v Verdict) Reason {
	f := &facts{company: c, account: a, verdict: v}
	for _, check := range checks {
		if check.fails(f) {
			return check.reason
		}
	}
	return ""
}
