package adminapi

import (
	"time"

	"usher/licensing"
)

// NewPeople asks for one or several people to be added. License, Role and Setup hold for those who have none of their own.
type NewPeople struct {
	People  []NewPerson `json:"people"`            // 200 at most, 2,000 in a preview
	License string      `json:"license,omitempty"` // empty: Video Pro, like everyone
	Role    string      `json:"role,omitempty"`    // empty: "standard"
	// Setup is "invite" (a mail with a link), "credentials" (a password, no mail) or "later" (nobody is told); empty: "invite".
	Setup string `json:"setup,omitempty"`
}

// NewPerson is one of them. An e-mail address is enough.
type NewPerson struct {
	Email      string `json:"email,omitempty"`
	UserName   string `json:"user_name,omitempty"` // empty: the address
	GivenName  string `json:"given_name,omitempty"`
	FamilyName string `json:"family_name,omitempty"`
	Display    string `json:"display,omitempty"`   // empty: the two names
	Extension  string `json:"extension,omitempty"` // number of the phone extension
	License    string `json:"license,omitempty"`
	Role       string `json:"role,omitempty"`
	Setup      string `json:"setup,omitempty"`
	Password   string `json:"password,omitempty"` // with the set-up "credentials": 12 characters or more; empty: one is made
	// Attributes are further attributes of a SCIM User (RFC 7643 section 4.1), such as {"title": "Lead"}.
	Attributes map[string]any `json:"attributes,omitempty"`
}

// AddedPeople says what became of each row. A row that is refused does not keep the others from being added.
type AddedPeople struct {
	Added int         `json:"added"`
	Items []PersonRow `json:"items"`
}

// PersonRow is what became of one row, or what would become of it.
type PersonRow struct {
	Row      int                 `json:"row"`                // from 1
	Account  *Account            `json:"account,omitempty"`  // as added
	Password string              `json:"password,omitempty"` // of the set-up "credentials", shown only here
	Prospect *licensing.Prospect `json:"prospect,omitempty"` // of a preview
	Problem  *Problem            `json:"problem,omitempty"`  // why the row was not added
	// License and Role say why an added person did not get the license or the role; they are added all the same.
	License *Problem `json:"license_problem,omitempty"`
	Role    *Problem `json:"role_problem,omitempty"`
}

// Credentials assigns a password.
type Credentials struct {
	Password string `json:"password,omitempty"` // 12 characters or more; empty: one is made
}

// AssignedCredentials is an account with the password that was assigned, which is shown only here.
type AssignedCredentials struct {
	Account
	Password string `json:"password"`
}

// Mail is a message in the outbox.
type Mail struct {
	ID       string    `json:"id"`
	Account  string    `json:"account"` // id
	Kind     string    `json:"kind"`
	To       string    `json:"to"`
	State    string    `json:"state"` // "queued", "sending", "sent", "dead", which is given up, or "withdrawn", which was not needed any more
	Attempts int       `json:"attempts"`
	Error    string    `json:"error,omitempty"` // of the last attempt
	Created  time.Time `json:"created"`
	Due      time.Time `json:"due,omitzero"` // of one that is queued: when it is tried next
	Done     time.Time `json:"done,omitzero"`
}

// MailPage is a page of the outbox, the latest first.
type MailPage struct {
	Items []Mail `json:"items"`
	Next  string `json:"next,omitempty"` // the value of after for the next page; empty on the last
	Held  string `json:"held,omitempty"` // why nothing is sent at the moment
}

// MailFilter asks for some of the outbox.
type MailFilter struct {
	Account string // id, user name or externalId; empty: of everybody
	After   string
	Limit   int // 0: 100
}
