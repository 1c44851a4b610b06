package adminapi

import (
	"encoding/json"
	"time"
)

// ScopeAssignLicenses is the scope of a token whose license intent takes effect without a Super Admin's approval.
const ScopeAssignLicenses = "license:assign"

// NewCompany asks for a company.
type NewCompany struct {
	Name        string         `json:"name"`                   // short name: lower case letters, digits and dashes
	Display     string         `json:"display,omitempty"`      // empty: the short name
	Tier        string         `json:"tier,omitempty"`         // empty: "free"
	Seats       map[string]int `json:"seats,omitempty"`        // paid license -> seats
	SeatPolicy  string         `json:"seat_policy,omitempty"`  // empty: "waiting"
	GuestPolicy string         `json:"guest_policy,omitempty"` // empty: "webmail"
	Domains     []string       `json:"domains,omitempty"`      // verified domains
	LossMin     int            `json:"loss_min,omitempty"`     // see Company; 0: 20
	LossPercent int            `json:"loss_percent,omitempty"` // 0: 10
	Admin       string         `json:"admin,omitempty"`        // login of the first local super-admin; empty: none
}

// Company is one company as it is shown.
type Company struct {
	ID          string    `json:"id"`
	Name        string    `json:"name"`
	Display     string    `json:"display"`
	Tier        string    `json:"tier"`
	SeatPolicy  string    `json:"seat_policy"`
	GuestPolicy string    `json:"guest_policy"`
	Approval    string    `json:"approval"`     // whose requests for licenses wait: "scope" or "always"
	Invites     string    `json:"invites"`      // whom mails invite without being asked to: "nobody" or "everyone"
	RoleCeiling string    `json:"role_ceiling"` // the highest role that connections can give
	HoldDays    int       `json:"hold_days"`    // how long seats of deactivated people are held
	Domains     []string  `json:"domains,omitempty"`
	LossMin     int       `json:"loss_min"`     // how many people a connection may take something away from within an hour
	LossPercent int       `json:"loss_percent"` // and how many of a hundred where that is more; 100: no limit
	Payment     string    `json:"payment,omitempty"`
	PaymentAt   time.Time `json:"payment_at,omitzero"`
	LocalSignIn string    `json:"local_sign_in"` // who may sign in with a password: "everyone", "without-sso" or "nobody"
	SessionIdle int       `json:"session_idle_minutes"`
	SessionMax  int       `json:"session_max_minutes"`
	Created     time.Time `json:"created"`
}

// CompanyChange asks for settings of a company; those left out stay.
type CompanyChange struct {
	Display     *string   `json:"display,omitempty"`
	Tier        *string   `json:"tier,omitempty"`
	SeatPolicy  *string   `json:"seat_policy,omitempty"`
	GuestPolicy *string   `json:"guest_policy,omitempty"`
	Approval    *string   `json:"approval,omitempty"`
	Invites     *string   `json:"invites,omitempty"`
	RoleCeiling *string   `json:"role_ceiling,omitempty"`
	HoldDays    *int      `json:"hold_days,omitempty"`
	LocalSignIn *string   `json:"local_sign_in,omitempty"`        // who may sign in with a password: "everyone", "without-sso" (only who cannot use single sign-on) or "nobody"
	SessionIdle *int      `json:"session_idle_minutes,omitempty"` // how long people's sessions last without being used
	SessionMax  *int      `json:"session_max_minutes,omitempty"`  // and in all
	Payment     string    `json:"payment,omitempty"`              // "ok", "expiring", "past-due" or "suspended"
	PaymentAt   time.Time `json:"payment_at,omitzero"`            // when the card expires, or when the grace of past-due ends
	LossMin     *int      `json:"loss_min,omitempty"`
	LossPercent *int      `json:"loss_percent,omitempty"`
	Confirm     bool      `json:"confirm,omitempty"` // although people lose single sign-on by it
}

// CreatedCompany is a new company with the password of its local super-admin, which is shown only here.
type CreatedCompany struct {
	Company
	Admin         string `json:"admin,omitempty"`
	AdminPassword string `json:"admin_password,omitempty"`
}

// NewToken asks for a bearer token of a connection, which is made if the company has none of that name.
type NewToken struct {
	Connection     string    `json:"connection"`
	AssignLicenses bool      `json:"assign_licenses,omitempty"`
	Expires        time.Time `json:"expires,omitzero"` // zero: never
}

// Token is one token as it is shown: everything but the secret.
type Token struct {
	ID         string    `json:"id"`
	Connection string    `json:"connection"` // name
	Scopes     []string  `json:"scopes"`
	Created    time.Time `json:"created"`
	Expires    time.Time `json:"expires,omitzero"`
}

// CreatedToken is a new token with its secret, which is shown only here.
type CreatedToken struct {
	Token
	Secret string `json:"token"`
}

// Connection is one identity provider's link to a company as it is shown.
type Connection struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	Mode      string    `json:"mode"`       // "live" or "paused"
	QuirksOff []string  `json:"quirks_off"` // names, sorted
	Created   time.Time `json:"created"`
	Strict    bool      `json:"strict"` // all quirks are off
	// Losses says whether the connection may take something away from people beyond the company's limit: "watched" within it, "tripped"
	// when that was reached, "passing" or "refusing" by an admin's decision.
	Losses string `json:"losses"`
	SignOn string `json:"sign_on,omitempty"` // state of single sign-on by it; empty: it was never set up
	// QuirksApplied says how often each quirk was applied, and when first and last.
	QuirksApplied map[string]QuirkUse `json:"quirks_applied,omitempty"`
}

// ConnectionChange changes a connection; what is left out stays as it is.
type ConnectionChange struct {
	Mode      string   `json:"mode,omitempty"`
	QuirksOff []string `json:"quirks_off,omitempty"` // names of quirks to switch off
	QuirksOn  []string `json:"quirks_on,omitempty"`  // and on again
	Losses    string   `json:"losses,omitempty"`     // "pass" for an hour, "refuse", or "watch" again
	Strict    *bool    `json:"strict,omitempty"`     // switch all off, those too that come later, or not
}

// NewRule asks for a license for the members of a group, for those with a value of an attribute, or for those with an address in a domain.
type NewRule struct {
	Group     string `json:"group,omitempty"`     // id or display name
	Attribute string `json:"attribute,omitempty"` // of a user, as in filters; of extensions the short name will do
	Value     string `json:"value,omitempty"`     // of the attribute
	Domain    string `json:"domain,omitempty"`
	License   string `json:"license,omitempty"`  // or
	Role      string `json:"role,omitempty"`     // or both
	Priority  int    `json:"priority,omitempty"` // the larger wins
}

// Rule is one license rule as it is shown.
type Rule struct {
	ID       string    `json:"id"`
	About    string    `json:"about"`              // the condition as people say it
	Group    string    `json:"group,omitempty"`    // display name
	GroupID  string    `json:"group_id,omitempty"` // the rule follows the id, not the name
	License  string    `json:"license,omitempty"`  // id
	Name     string    `json:"name,omitempty"`     // of the license
	Role     string    `json:"role,omitempty"`
	Priority int       `json:"priority"`   // the larger wins
	People   int       `json:"people"`     // whom it is about
	InEffect int       `json:"in_effect"`  // who have the license, or the role of a rule for a role alone; the others wait, are blocked or are asked for another
	By       string    `json:"created_by"` // who made it
	Created  time.Time `json:"created"`
}

// Seats sets how many seats of a license a company has.
type Seats struct {
	Total      *int `json:"total"`
	OverAssign bool `json:"over_assign,omitempty"` // although more are in use: nobody is evicted, and nobody gets one until that is even
}

// Ceiling sets how far the seats of a license may grow by themselves when somebody needs one.
type Ceiling struct {
	Ceiling int `json:"ceiling"` // in seats all together; 0: not at all
}

// License is the numbers of one pool.
type License struct {
	License  string `json:"license"`
	Name     string `json:"name"`
	Total    int    `json:"total"`
	Ceiling  int    `json:"ceiling,omitempty"` // what the total may be raised to when somebody needs a seat
	Used     int    `json:"used"`              // active, reserved and held
	Active   int    `json:"active"`
	Reserved int    `json:"reserved"`
	Held     int    `json:"held"`
	Waiting  int    `json:"waiting"`
}

// list is how several of something are answered.
type list[T any] struct {
	Items []T `json:"items"`
}

// Problem is an answer that refuses a request (RFC 9457). It is also the error that [Client] returns for it.
type Problem struct {
	Type   string `json:"type,omitempty"` // empty stands for about:blank
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`         // one sentence for people
	Code   string `json:"code,omitempty"` // licensing's reason, where a rule of licensing refused
	// RetryAfter is in how many seconds to try again; it is the header of that name too.
	RetryAfter int `json:"retry_after,omitempty"`
}

func (p *Problem) Error() string { return p.Detail }

// Schema is an extension schema that a company has declared.
type Schema struct {
	URN        string          `json:"urn"`
	Type       string          `json:"type"` // the resource type that it extends
	Name       string          `json:"name"`
	Attributes int             `json:"attributes"` // how many there are
	Created    time.Time       `json:"created"`
	Document   json.RawMessage `json:"document"` // as it was declared
}

// QuirkUse says how often a departure from the standard was tolerated, and when.
type QuirkUse struct {
	Count int64     `json:"count"`
	First time.Time `json:"first"`
	Last  time.Time `json:"last"`
}
