package licensing

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
)

// explanation is what people are told about a reason, and what would change it.
type explanation struct{ sentence, fix string }

// explanations has a row for every reason.
var explanations = map[Reason]explanation{
	WaitingForSeat:       {"All seats of this license are taken; the person is in the queue.", "Buy seats, or free one: the queue fills by itself."},
	NeedsApproval:        {"The connection that asked for this license may not assign licenses.", "A Super Admin can approve the request, or give the connection's token the scope license:assign."},
	MutuallyExclusive:    {"Another source that ranks higher asks for a different paid license, and a person has at most one.", "Let the sources agree on one license."},
	Guest:                {"Guests get no paid license.", "A company admin can promote the person to coworker."},
	AccountInactive:      {"The account is deactivated.", "Reactivate the person in the identity provider."},
	Vetoed:               {"A Super Admin has pinned the person to Video Pro.", "A Super Admin can take the pin away."},
	UserDeactivated:      {"The account is deactivated.", "Reactivate the person in the identity provider."},
	GuestCannotUseSSO:    {"Guests cannot use single sign-on.", "A company admin can promote the person to coworker."},
	CompanyTierHasNoSSO:  {"The company's plan does not include single sign-on.", "Upgrade the company to Video Pro+."},
	LicenseHasNoSSO:      {"The person's license does not include single sign-on.", "Assign Video Pro+ to the person."},
	BillingSuspended:     {"A payment of the company is overdue.", "A Super Admin can settle it with the company's billing details."},
	NoSeatAvailable:      {"No seat of this license is available, and the company's policy refuses what would have to wait.", "Buy seats, free one, or set the seat policy to waiting."},
	DomainOfOtherCompany: {"The address belongs to a domain that another company has verified.", "Provision the person in the company that owns the domain."},
	NotAPaidLicense:      {"Only paid licenses have seats and can be assigned by rules.", "Name ringex or video-pro-plus."},
	NegativeSeats:        {"A pool cannot have fewer than 0 seats.", "Give the number of seats that were bought."},
	UnknownGroup:         {"There is no such group in the company.", "Name the id or the display name of a group that the identity provider has pushed."},
	UnknownSetting:       {"The company setting is not one that usher knows.", "See the command's help for the values that are allowed."},
}

// Sentence says the reason in one sentence for people; empty for no reason.
func (r Reason) Sentence() string { return explanations[r].sentence }

// Fix says in one sentence what would change it; empty for no reason.
func (r Reason) Fix() string { return explanations[r].fix }
