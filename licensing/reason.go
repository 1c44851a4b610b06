package licensing

import (
	"maps"
	"slices"
	"strings"
)

// Reason says in one word why a license is not in effect or a sign-in is refused. The words are the same in SCIM attributes,
// pages, events and on the command line.
type Reason string

// Why a wanted license is not in effect.
const (
	WaitingForSeat    Reason = "waiting_for_seat"
	NeedsApproval     Reason = "needs_approval"
	MutuallyExclusive Reason = "mutually_exclusive"
	Guest             Reason = "guest"
	AccountInactive   Reason = "account_inactive"
	RequestRefused    Reason = "request_refused"
	Vetoed            Reason = "vetoed"
)

// Why a sign-in is refused, where it is not one of those above.
const (
	UserDeactivated     Reason = "user_deactivated"
	GuestCannotUseSSO   Reason = "guest_cannot_use_sso"
	CompanyTierHasNoSSO Reason = "company_tier_has_no_sso"
	LicenseHasNoSSO     Reason = "license_has_no_sso"
	BillingSuspended    Reason = "billing_suspended"
)

// Why a change is refused as a whole.
const (
	NoSeatAvailable      Reason = "no_seat_available"
	DomainOfOtherCompany Reason = "domain_of_another_company"
	NotAPaidLicense      Reason = "not_a_paid_license"
	NegativeSeats        Reason = "negative_seats"
	UnknownGroup         Reason = "unknown_group"
	UnknownSetting       Reason = "unknown_setting"
	SuperAdminRequired   Reason = "super_admin_required"
	NoRequest            Reason = "no_request"
	RoleOfGuest          Reason = "role_of_guest"
	InThePast            Reason = "in_the_past"
	NoCondition          Reason = "no_condition"
	RoleCeiling          Reason = "role_ceiling"
	TooManyLosses        Reason = "too_many_losses"
	LossesRefused        Reason = "losses_refused"
	NoAddress            Reason = "no_address"
	AlreadyActive        Reason = "already_active"
	NotInvited           Reason = "not_invited"
	LinkInvalid          Reason = "link_invalid"
	LinkExpired          Reason = "link_expired"
	LinkUsed             Reason = "link_used"
	OverAssigned         Reason = "over_assigned"
	WebmailDomain        Reason = "webmail_domain"
	NothingToUndo        Reason = "nothing_to_undo"
	ChangedSince         Reason = "changed_since"
	CannotUndo           Reason = "cannot_undo"
)

// explanation is what people are told about a reason, what would change it, and who can do that.
type explanation struct{ sentence, fix, who string }

// Who can do something about a reason.
const (
	whoSuperAdmin   = "a Super Admin"
	whoCompanyAdmin = "a company admin"
	whoIdP          = "an admin of the identity provider"
)

// explanations has a row for every reason.
var explanations = map[Reason]explanation{
	WaitingForSeat:       {"All seats of this license are taken; the person is in the queue.", "Buy seats, or free one: the queue fills by itself.", whoSuperAdmin},
	NeedsApproval:        {"The connection that asked for this license may not assign licenses.", "Approve or refuse the request, or give the connection's token the scope license:assign.", whoSuperAdmin},
	RequestRefused:       {"A Super Admin has refused this request.", "Approve it after all, or let the identity provider stop asking for it.", whoSuperAdmin},
	MutuallyExclusive:    {"Another source that ranks higher asks for a different paid license, and a person has at most one.", "Let the sources agree on one license.", whoIdP},
	Guest:                {"Guests get no paid license.", "Promote the person to coworker.", whoCompanyAdmin},
	AccountInactive:      {"The account is deactivated.", "Reactivate the person in the identity provider.", whoIdP},
	Vetoed:               {"A Super Admin has pinned the person to Video Pro.", "Take the pin away.", whoSuperAdmin},
	UserDeactivated:      {"The account is deactivated.", "Reactivate the person in the identity provider.", whoIdP},
	GuestCannotUseSSO:    {"Guests cannot use single sign-on.", "Promote the person to coworker.", whoCompanyAdmin},
	CompanyTierHasNoSSO:  {"The company's plan does not include single sign-on.", "Upgrade the company to Video Pro+.", whoSuperAdmin},
	LicenseHasNoSSO:      {"The person's license does not include single sign-on.", "Assign Video Pro+ to the person.", whoSuperAdmin},
	BillingSuspended:     {"A payment of the company is overdue.", "Settle it with the company's billing details.", whoSuperAdmin},
	NoSeatAvailable:      {"No seat of this license is available, and the company's policy refuses what would have to wait.", "Buy seats, free one, or set the seat policy to waiting.", whoSuperAdmin},
	DomainOfOtherCompany: {"The address belongs to a domain that another company has verified.", "Provision the person in the company that owns the domain.", whoIdP},
	NotAPaidLicense:      {"Only paid licenses have seats and can be assigned by rules.", "Name ringex or video-pro-plus.", whoSuperAdmin},
	NegativeSeats:        {"A pool cannot have fewer than 0 seats.", "Give the number of seats that were bought.", whoSuperAdmin},
	UnknownGroup:         {"There is no such group in the company.", "Name the id or the display name of a group that the identity provider has pushed.", whoSuperAdmin},
	UnknownSetting:       {"The setting is not one that usher knows.", "See the command's help for the values that are allowed.", whoSuperAdmin},
	SuperAdminRequired:   {"Only a Super Admin of the company gives licenses and makes Super Admins.", "Ask a Super Admin of the company to do it.", whoSuperAdmin},
	NoRequest:            {"Nothing that this person's sources ask for waits for a decision.", "See what they ask for with \"usher explain\".", whoSuperAdmin},
	RoleOfGuest:          {"Guests have no role in the company.", "Promote the person to coworker first.", whoCompanyAdmin},
	RoleCeiling:          {"The connection asks for a role above what the company lets connections give.", "Give the role by hand, or raise the company's role ceiling.", whoSuperAdmin},
	TooManyLosses:        {"Many people would lose their access or license by this connection within an hour.", "Let it pass if that is meant, or refuse it and look at the identity provider.", whoCompanyAdmin},
	LossesRefused:        {"An admin has refused what this connection takes away from people.", "Look at the identity provider, then let the connection work again.", whoCompanyAdmin},
	NoCondition:          {"A rule is about a group or about a value that a person has.", "Name either a group or an attribute with its value.", whoSuperAdmin},
	NoAddress:            {"There is no e-mail address that the person can be invited at.", "Give the person a work address, or assign credentials.", whoCompanyAdmin},
	AlreadyActive:        {"The person uses the account already.", "Nothing needs to be done; credentials can be assigned anew.", whoCompanyAdmin},
	NotInvited:           {"The account is deactivated, so nobody is invited to it.", "Reactivate the person first.", whoCompanyAdmin},
	LinkInvalid:          {"The link is not one that is good, or a later one has taken its place.", "Use the link in the latest message, or ask for another.", whoCompanyAdmin},
	LinkExpired:          {"The link was good for some days, which are over.", "Ask for another one.", whoCompanyAdmin},
	LinkUsed:             {"The link was used already, and the account is set up.", "Sign in, or ask for new credentials.", whoCompanyAdmin},
	OverAssigned:         {"More seats are in use than there would be.", "Free seats first, or say that over-assignment is meant: nobody is evicted then, and nobody gets a seat until that is even.", whoSuperAdmin},
	WebmailDomain:        {"People from everywhere have addresses at a webmail provider, so no company can have its domain to itself.", "Verify a domain of the company's own; people with webmail addresses can be promoted one by one.", whoSuperAdmin},
	NothingToUndo:        {"Nothing was changed by what is to be undone.", "See the audit log for the requests that there were.", whoSuperAdmin},
	ChangedSince:         {"It was changed again since, and that is not undone with it.", "Undo the later change first, or change it by hand.", whoSuperAdmin},
	CannotUndo:           {"What was made or deleted is not undone: people and groups come and go with those who provision them.", "Let the identity provider provision them again, or change it by hand.", whoSuperAdmin},
	InThePast:            {"An assignment cannot end before it begins.", "Name a day to come.", whoSuperAdmin},
}

// Reasons gives all reasons for which a license is not in effect, a sign-in is not allowed or a change is refused, sorted. How sign-ins fail
// beside that is in [Outcomes].
func Reasons() []Reason { return slices.Sorted(maps.Keys(explanations)) }

func (r Reason) explanation() explanation {
	if e, ok := explanations[r]; ok {
		return e
	}
	return outcomes[r].explanation
}

// Sentence says the reason in one sentence for people; empty for no reason.
func (r Reason) Sentence() string { return r.explanation().sentence }

// Fix says in one sentence what would change it; empty for no reason.
func (r Reason) Fix() string { return r.explanation().fix }

// Who says who can change it; empty for no reason.
func (r Reason) Who() string { return r.explanation().who }

// Help says what would change it and who can do that; empty for no reason.
func (r Reason) Help() string { return help(r.Fix(), r.Who()) }

func help(fix, who string) string {
	if fix == "" {
		return ""
	}
	return fix + " " + strings.ToUpper(who[:1]) + who[1:] + " can do that."
}
