package store

import (
	"context"
	"time"

	"usher/store/query"
)

// Account is one person in one company: the document that clients wrote, the columns derived from it, and the license columns.
type Account struct {
	ID      string // UUIDv7 as text; never reused but for re-adoption of a tombstone
	Company string // the company's id

	Version       int64 // grows with each change of the account, license columns included; 1 after creation
	GroupsVersion int64 // grows with each change of the account's memberships; kept by the store
	Groups        int   // number of groups the account is a direct member of; kept by the store

	UserName   string // folded; unique in the company
	ExternalID string // as the connection wrote it; scoped to the connection
	Connection string // id of the connection that manages the account; empty for one made by hand
	Display    string // name to show in member lists
	Extension  string // phone extension number; unique in the company unless empty
	Active     bool
	Created    time.Time
	Modified   time.Time

	// Doc is the canonical JSON of what clients wrote, without id, meta, groups and the read-only license attributes.
	Doc []byte
	// Terms are the indexed values of Doc: what [query.Terms] gives for the indexes that the store was opened with.
	Terms []query.Term

	// Identity is who the person is at the company's identity provider; zero until they have come from there.
	Identity Identity

	Setup
	Decision
}

// Identity is what an identity provider knows a person by. No two accounts of a company have the same issuer and subject.
type Identity struct {
	Issuer     string // iss
	Subject    string // sub; empty: there is no identity
	Connection string // id of the connection by which it was linked
	Linked     time.Time
}

// Setup is how far a person is with the set-up of the account, and what they sign in with where no identity provider does that for them.
type Setup struct {
	Activation string    `json:"activation,omitempty"` // one of the Activation constants, or empty
	Link       []byte    `json:"link,omitempty"`       // SHA-256 of the secret of the link to the set-up that is good; nil: none is
	LinkUntil  time.Time `json:"linkUntil,omitzero"`
	Done       []string  `json:"done,omitempty"`       // steps of the set-up that are done
	Password   string    `json:"password,omitempty"`   // argon2id in PHC form, never clear text; empty: none
	Weak       bool      `json:"weak,omitempty"`       // whether the link was sent, or the password given, by somebody who may not make Super Admins
	TOTP       string    `json:"totp,omitempty"`       // the sealed secret of one-time passwords (RFC 6238); empty: none are asked for
	TOTPStep   int64     `json:"totpStep,omitempty"`   // the latest step whose password was used: none works twice
	MustChange bool      `json:"mustChange,omitempty"` // whether the password was given by somebody else, to be changed when it is first used
}

// Activation says whether a person has taken the account into use. While it is empty nobody has asked them to.
const (
	ActivationInvited = "invited" // a link is on its way to them
	ActivationActive  = "active"
)

// Document gives Doc; with Column it makes an account a [query.Record].
func (a *Account) Document() []byte { return a.Doc }

// Decision is the license part of an account: the columns that change only in the operation which decides them.
type Decision struct {
	License       string // the wanted paid license; empty when nothing asks for one
	LicenseState  string // one of the State constants: the state of License
	LicenseReason string // why License is not in effect; empty when it is, or when there is none
	Effective     string // the license in effect

	Seat      string // the paid license whose seat the account holds; differs from License only while a swap waits
	SeatState string // StateReserved, StateActive or StateHeld while a seat is held, else empty
	SeatSince time.Time

	Requested time.Time // when License was first asked for: the place in the queue
	Priority  int       // larger goes first in the queue
	Sources   []Source  // all that ask for a license, whether or not they get it

	MemberType  string // "coworker" or "guest"
	Role        string
	RoleSources []RoleSource // all that ask for a role
	Epoch       int64        // grows when sessions of the account must end
}

// License states. Reserved and active are in effect and, with held, count against the pool.
const (
	StateNone     = "none"
	StateWaiting  = "waiting"
	StateReserved = "reserved"
	StateActive   = "active"
	StateHeld     = "held"
	StateBlocked  = "blocked"
)

// Source is one carrier of license intent: who asks for which license, and since when.
type Source struct {
	Kind     string    `json:"kind"`               // the carrier; the names are licensing's
	Ref      string    `json:"ref,omitempty"`      // the rule's id for a group rule
	By       string    `json:"by"`                 // connection or person that wrote it
	License  string    `json:"license"`            // what it asks for
	Priority int       `json:"priority,omitempty"` // of the rule
	At       time.Time `json:"at"`                 // since when it asks for this license
	Approved bool      `json:"approved"`           // whether the writer may assign licenses, or somebody who may has approved
	Refused  bool      `json:"refused,omitempty"`  // whether somebody who may assign licenses has refused it
	Until    time.Time `json:"until,omitzero"`     // when it ends by itself; zero: never
}

// RoleSource is one carrier that asks for a role: what Source is for a license.
type RoleSource struct {
	Kind string    `json:"kind"`
	Ref  string    `json:"ref,omitempty"` // the rule's id for a rule
	By   string    `json:"by"`
	Role string    `json:"role"`
	At   time.Time `json:"at"`
}

// Column paths: what a filter may name beside the paths of Doc. Their values are canonical strings (see [query.Canonical]).
const (
	ColumnID           = "@id"
	ColumnCreated      = "@created"      // query.DateTime
	ColumnModified     = "@modified"     // query.DateTime
	ColumnVersion      = "@version"      // the version of the account or group as text
	ColumnEffective    = "@effective"    // Decision.Effective
	ColumnLicenseState = "@licenseState" // Decision.LicenseState
	ColumnReason       = "@licenseReason"
	ColumnMemberType   = "@memberType"
	ColumnRole         = "@role"
	ColumnExtension    = "@extension"  // Extension
	ColumnActivation   = "@activation" // Setup.Activation
	ColumnSourceRef    = "@sourceRef"  // Source.Ref and RoleSource.Ref of each source that has one
	ColumnRoleSource   = "@roleSource" // RoleSource.Kind of each
	ColumnSource       = "@source"     // "kind:license" of each source, as licensing names them
	ColumnRequest      = "@request"    // the license of each source that is neither approved nor refused
	ColumnUntil        = "@until"      // query.DateTime: when sources end by themselves
	ColumnMembers      = "@members"    // of a group: the ids of its members, accounts and groups
	ColumnGroups       = "@groups"     // of an account: the ids of the groups that it is a direct member of
	// The same as elements, JSON objects with the members value, display and type: "User" or "Group" of a member, "direct" of a group.
	ColumnMemberElements = "@members[]"
	ColumnGroupElements  = "@groups[]"
)

// AccountWrite is one atomic change of one account.
type AccountWrite struct {
	// Before is the account as it was read; the write fails with ErrVersion unless the store still has that version.
	// Nil creates After: ErrConflict (*ConflictError: UserName, Extension, Identity) when the name or the number is taken.
	Before *Account
	// After is the account as it shall be. The store sets Version (Before's or the tombstone's plus one), GroupsVersion and Groups.
	// When After.Seat differs from Before's, that seat is claimed from the pool and the former one is given back.
	After  Account
	Events []Event

	// Mails go to the outbox with the write, whichever its outcome is. Their Version is set by the store.
	Mails []Mail

	// NoSeat is written instead of After and Events when the pool has no seat for After.Seat.
	// Nil refuses the write with ErrNoSeat, and nothing is changed.
	NoSeat *NoSeat

	// Loss is the id of the connection that takes something away from the person by this write; empty: none does. See CountLosses.
	Loss string

	// Adopt names a tombstone that this creation takes over and removes. With its id, which After must have, the account takes the
	// place in lists that the deleted one had.
	Adopt *Tombstone
}

// NoSeat is the outcome of a write whose seat could not be claimed. Account may not claim a seat itself.
type NoSeat struct {
	Account Account
	Events  []Event
}

// AccountResult is the outcome of one write of a batch.
type AccountResult struct {
	Account Account
	Err     error
}

// AccountDelete removes one account for good.
type AccountDelete struct {
	Before    Account    // ErrVersion unless the store still has this version
	Tombstone *Tombstone // kept in its own table, so that the user name is free at once; may be nil
	At        time.Time  // when
	Loss      string     // the id of the connection that takes the account away; empty: none does. See CountLosses
	Events    []Event
}

// Tombstone remembers a deleted account so that its IdP can have the same id again for a while.
type Tombstone struct {
	Company    string
	Connection string
	ExternalID string
	ID         string // of the deleted account
	Version    int64  // of the deleted account; one that takes it over begins above it, so that no ETag comes twice
	Epoch      int64  // of the deleted account, so that one that takes it over begins above it
	Created    time.Time
	Deleted    time.Time
}

// Query asks for a page of a list.
type Query struct {
	Filter query.Node  // nil: all
	Sort   *query.Sort // nil: in creation order
	// After is the id of the record after which the page begins; empty: from the start. It names a place, so the record may have
	// been deleted since it was listed. Where there is a Sort, the place is that of a record with this id and the key AfterKey.
	After    string
	AfterKey query.SortKey
	Offset   int  // records to skip (after After)
	Limit    int  // records on the page at most; 0 gives only the total
	Total    bool // whether to count all matches
	Budget   int  // rows that may be read before ErrTooMany; 0: no limit
}

// AccountPage is one page of accounts.
type AccountPage struct {
	Accounts []Account
	Keys     []query.SortKey // of each account, where the query has a Sort
	Total    int             // of all matches; -1 unless asked for
	RowsRead int             // index entries and documents that the engine looked at
}

// Accounts keeps the accounts of all companies. No method crosses from one company to another.
type Accounts interface {
	// Account gives one account: ErrNotFound.
	Account(ctx context.Context, company, id string) (Account, error)
	// AccountByUserName looks up by the folded user name: ErrNotFound.
	AccountByUserName(ctx context.Context, company, userName string) (Account, error)
	// AccountByIdentity looks up by what an identity provider knows the person by: ErrNotFound.
	AccountByIdentity(ctx context.Context, company, issuer, subject string) (Account, error)
	// AccountsByID gives those that exist of the accounts named, in creation order.
	AccountsByID(ctx context.Context, company string, ids []string) ([]Account, error)
	// ListAccounts gives a page: ErrTooMany when over budget.
	ListAccounts(ctx context.Context, company string, q Query) (AccountPage, error)

	// WriteAccount makes one atomic change and returns what was stored.
	// Errors: ErrVersion, ErrNotFound, *ConflictError (UserName, Extension, Identity), ErrNoSeat. Where the name is taken and there is no seat either,
	// the conflict is reported: no seat would help.
	WriteAccount(ctx context.Context, w AccountWrite) (Account, error)
	// WriteAccounts makes many changes, each atomic by itself and independent of the others; the results are in order.
	WriteAccounts(ctx context.Context, ws []AccountWrite) []AccountResult
	// DeleteAccount removes the account, its seat, its place in the queue and its memberships: ErrNotFound, ErrVersion.
	DeleteAccount(ctx context.Context, d AccountDelete) error

	// NewestTombstone gives the latest tombstone of a connection's externalId that was deleted at or after since: ErrNotFound.
	NewestTombstone(ctx context.Context, company, connection, externalID string, since time.Time) (Tombstone, error)
	// DropTombstones forgets those deleted before the time given, in all companies, and says how many.
	DropTombstones(ctx context.Context, before time.Time) (int, error)
}
