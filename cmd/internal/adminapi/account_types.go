package adminapi

import "time"

// Account is one account as lists of accounts show it; "explain" says more.
type Account struct {
	ID               string    `json:"id"`
	UserName         string    `json:"user_name"`
	Display          string    `json:"display"`
	ExternalID       string    `json:"external_id,omitempty"`
	Active           bool      `json:"active"`
	MemberType       string    `json:"member_type"`
	Role             string    `json:"role"`
	License          string    `json:"license,omitempty"` // that is wanted
	EffectiveLicense string    `json:"effective_license"`
	LicenseState     string    `json:"license_state"`
	LicenseReason    string    `json:"license_reason,omitempty"`
	Extension        string    `json:"extension,omitempty"`
	Activation       string    `json:"activation"`        // "pending", "invited" or "active"
	Until            time.Time `json:"until,omitzero"`    // when an assignment ends
	Requests         []string  `json:"requests"`          // licenses asked for that wait for a Super Admin's decision
	Issuer           string    `json:"issuer,omitempty"`  // identity provider that the person is linked to
	Subject          string    `json:"subject,omitempty"` // who they are there
	LinkedAt         time.Time `json:"linked_at,omitzero"`
	Created          time.Time `json:"created"`
	Note             string    `json:"note,omitempty"` // what else a change has done
}

// AccountPage is a page of accounts in the order of their creation.
type AccountPage struct {
	Items []Account `json:"items"`
	Next  string    `json:"next,omitempty"` // the value of after for the next page; empty on the last
}

// AccountFilter asks for some of the accounts of a company. What is empty is not asked for.
type AccountFilter struct {
	State      string // license state
	MemberType string
	Activation string // "pending", "invited" or "active"
	Extension  string // "with" or "without"
	Requests   bool   // only those with a request that waits for a decision
	After      string
	Limit      int // 0: 100
}

// AccountChange changes a person; what is left out stays.
type AccountChange struct {
	MemberType string  `json:"member_type,omitempty"` // "coworker" promotes, "guest" demotes
	Active     *bool   `json:"active,omitempty"`
	Extension  *string `json:"extension,omitempty"` // number of the phone extension; "" takes it away
	// Attributes are attributes of a SCIM User (RFC 7643 section 4.1) to replace; null takes one away.
	Attributes map[string]any `json:"attributes,omitempty"`
	Role       string         `json:"role,omitempty"` // "standard", "user-admin" or "super-admin"; "auto": what else asks for one holds again
}

// Assignment gives a license to a person, whatever the identity provider asks for. "video-pro" keeps any other away.
type Assignment struct {
	License string    `json:"license"`
	Until   time.Time `json:"until,omitzero"` // when it ends by itself; zero: never
}

// Decision decides what a person's sources ask for that may not assign licenses.
type Decision struct {
	Approve bool   `json:"approve"`
	License string `json:"license,omitempty"` // which request; empty: all
}
