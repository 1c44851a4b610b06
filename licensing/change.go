package licensing

import (
	"time"

	"usher/store"
	"usher/store/query"
)

// Change is one request for a change, from any door.
type Change struct {
	Company string      // id of the company it is made in; empty for CreateCompany
	Actor   store.Actor // who asks
	Door    string      // one of the Door constants
	Request string      // id of the request, for the audit log
	// MayAssign says that the actor may assign licenses (scope license:assign, or a Super Admin).
	// Without it, license intent is kept and blocked until a Super Admin decides.
	MayAssign bool
	// Tolerated gives the departures from the standard that the request needed so far; nil: there are none. It is asked when the change
	// is planned, after its Edit.
	Tolerated func() []string
	Do        Operation
}

// Doors: the ways in which a change arrives.
const (
	DoorSCIM   = "scim"
	DoorAdmin  = "admin" // the admin API and with it the command line
	DoorSetup  = "setup" // the link in an invitation
	DoorSignIn = "sign-in"
	DoorSystem = "system" // usher itself: queues, holds and assignments that ran out
)

// Operation is what a Change does: one of the operation types of this package.
type Operation interface{ operation() }

// Draft is an account as a door wants it: the document and what the door read out of it.
type Draft struct {
	UserName   string // folded
	ExternalID string
	Display    string
	Extension  string // phone extension number; may be empty
	Active     bool
	Email      string // the work address, by which guests are told from coworkers; may be empty
	Moved      bool   // in an update: the address is another than before
	Was        string // the address before, where it has moved
	Doc        []byte
	Terms      []query.Term
	// Intents are the carriers that this write touched. A carrier that is not named is left as it is.
	Intents []Intent
}

// Intent is what one carrier of the account asks for after a write.
type Intent struct {
	Carrier  Carrier
	Roles    []string  // those named
	Licenses []License // those named, in any order; empty when the carrier names none any more
	Silent   bool      // they are empty because the request left the carrier out, which ends only what the actor wrote
}

// CreateAccount adds a person.
type CreateAccount struct {
	Connection string // empty when made by hand
	Draft      Draft
	Setup      Setup
	// Return makes the draft of a person who comes back: the user name is taken by an inactive account of the same connection and
	// externalId, which is then replaced and activated. Nil: that is a conflict like any other.
	Return func(before store.Account) (Draft, error)
}

// UpdateAccount changes a person. Edit makes the draft from the account as it stands; it may be called several times.
// Its error is returned as it is.
type UpdateAccount struct {
	ID        string
	IfVersion int64 // store.ErrVersion unless the account is at this version; 0: any
	// Connection becomes the account's owner when it has none yet.
	Connection string
	Edit       func(before store.Account) (Draft, error)
}

// DeleteAccount removes a person.
type DeleteAccount struct {
	ID        string
	IfVersion int64
}

// GroupDraft is a group as a door wants it.
type GroupDraft struct {
	Name       string // folded display name
	Display    string
	ExternalID string
	Doc        []byte
}

// CreateGroup adds a group with its first members.
type CreateGroup struct {
	Draft   GroupDraft
	Members []string // account ids
	Groups  []string // group ids
}

// UpdateGroup changes a group. Edit may be called several times; a nil draft leaves the document as it is.
type UpdateGroup struct {
	ID        string
	IfVersion int64
	Edit      func(before store.Group) (*GroupDraft, store.MemberChange, error)
}

// DeleteGroup removes a group with the rules bound to it.
type DeleteGroup struct {
	ID        string
	IfVersion int64
}

// AddRule gives a license to the members of a group, or to the people with a value.
type AddRule struct {
	Group    string       // id; empty for a rule on a value
	Match    *store.Match // the value; nil for a rule on a group
	License  License      // NoLicense: none
	Role     string       // empty: none
	Priority int          // the larger wins
}

// RemoveRule takes a rule away, and with it what only it gave.
type RemoveRule struct{ ID string }

// SetSeats sets how many seats of a paid license the company has.
type SetSeats struct {
	License    License
	Total      int
	OverAssign bool // although more are in use: nobody is evicted, and nobody gets one until that is even
}

// SetCeiling says how far the seats of a paid license may grow by themselves when somebody needs one: overage, with a cap.
type SetCeiling struct {
	License License
	Ceiling int // in seats all together; 0: not at all
}

// CreateCompany adds a company with its seats and its first local admin.
type CreateCompany struct {
	Company store.Company // ID, Version and Created are set
	Seats   map[License]int
	Admin   *store.LocalAdmin // ID, Company and Created are set; Password is already hashed
}

// SetCompany changes settings of the company: those that are not nil. A change of tier or payment converts nobody's license and evicts
// nobody; where it ends single sign-on, it ends the sessions of all in the same write. The policies hold for what comes after.
type SetCompany struct {
	Display     *string
	Tier        *string
	SeatPolicy  *string
	GuestPolicy *string
	Approval    *string        // whose requests for licenses wait for a Super Admin: one of the Approval constants
	RoleCeiling *string        // the highest role that connections can give; what they ask for above it has no effect
	HoldFor     *time.Duration // how long the seats of deactivated people are held; up to 366 days
	Payment     *Payment
	LocalSignIn *string        // who may sign in with a password: one of the Local constants. What ends that for somebody ends all sessions
	SessionIdle *time.Duration // how long sessions last without being used; 0: the default
	SessionMax  *time.Duration // and in all
	Invites     *string        // who is sent an invitation without being asked for: one of the Invite constants
	LossMin     *int           // how many people a connection may take something away from within an hour, in any case; 0: the default
	LossPercent *int           // and how many of a hundred, up to 100, which is without a limit; 0: the default
}

// Payment says how a company pays.
type Payment struct {
	State string    // one of the Payment constants
	At    time.Time // expiring: when the card expires; past-due: when single sign-on ends, zero for never
}

// Assign is a Super Admin's word on the license of a person: a pin, which goes before whatever identity providers ask for. A paid license
// gives it, the base license takes any other away and keeps it away, and NoLicense takes the pin off.
type Assign struct {
	ID        string
	IfVersion int64
	License   License
	Until     time.Time // when the pin ends by itself, to the minute; zero: never
}

// Decide approves or refuses what an account's sources ask for that may not assign licenses.
type Decide struct {
	ID      string
	License License // the request to decide; NoLicense: all of them
	Approve bool
}

// SetMember makes a guest a coworker or the other way round. A request that a guest has is filled by it, as seats allow.
type SetMember struct {
	ID         string
	MemberType MemberType
}

// SetRole gives a coworker a role in the company, whatever else asks for one.
type SetRole struct {
	ID   string
	Role string // one of the Role constants; empty: what else asks for one holds again
}

// SetBreaker decides what becomes of what a connection takes away from people beyond the limit (see [LossMin]).
type SetBreaker struct {
	Connection string // id
	State      string // BreakerPassing, BreakerRefusing, or empty: within the limit
}

// Setup says how a new person comes to use the account. The zero value leaves it to the company (see [InviteEveryone]).
type Setup struct {
	How      string // one of the Setup constants
	Password string // with SetupCredentials: its argon2id hash in PHC form
}

// Invite sends a person a link to the set-up of their account, which is good once and for [InviteFor]. Links sent earlier are good no more.
type Invite struct {
	ID string
	// Address gives the person's address, which stands in the document.
	Address func(store.Account) string
}

// SetPassword gives a person a password, with which the account is active.
type SetPassword struct {
	ID       string
	Replaces string // the hash that the account must have: store.ErrVersion; empty: any
	Own      bool   // they have chosen it themselves; else they must change it when they first use it
	Password string // its argon2id hash in PHC form
}

// SetTOTP has a person with a role asked for one-time passwords at sign-in, or no more.
type SetTOTP struct {
	ID     string
	Sealed string // the secret; empty: none are asked for
	// Replaces is the same secret in another form, in which it must be stored: store.ErrVersion. Passwords that were used stay so. Empty: it
	// is another secret.
	Replaces string
}

// UseTOTP notes that a person has used a one-time password: store.ErrVersion when one of the step or a later one was used already.
type UseTOTP struct {
	ID   string
	Step int64
}

// SetUp is a step that a person takes on the way from a link to an account in use. It is refused unless the link is good.
type SetUp struct {
	ID       string
	Link     []byte                                    // SHA-256 of the link's secret
	Edit     func(before store.Account) (Draft, error) // what they say of themselves, as in UpdateAccount; nil: nothing
	Step     string                                    // the step that is done by it; may be empty
	Password string                                    // its argon2id hash in PHC form; empty: it stays as it is
	Forget   bool                                      // the person does without a password
	Finish   bool                                      // whether that was the last: the link is used up and the account active
}

// EndSessions ends all sessions of a person.
type EndSessions struct{ ID string }

// Unlink forgets who a person is at the identity provider, and ends their sessions: with the next sign-in they are linked anew.
type Unlink struct{ ID string }

// AddDomain adds a domain that the company has proven to be its own.
type AddDomain struct{ Name string } // folded

// RemoveDomain takes a verified domain away. What people are by it they stay.
type RemoveDomain struct{ Name string }

func (CreateAccount) operation() {}
func (UpdateAccount) operation() {}
func (DeleteAccount) operation() {}
func (CreateGroup) operation()   {}
func (UpdateGroup) operation()   {}
func (DeleteGroup) operation()   {}
func (AddRule) operation()       {}
func (RemoveRule) operation()    {}
func (SetSeats) operation()      {}
func (SetCeiling) operation()    {}
func (CreateCompany) operation() {}
func (SetCompany) operation()    {}
func (Assign) operation()        {}
func (SetBreaker) operation()    {}
func (Decide) operation()        {}
func (SetMember) operation()     {}
func (SetRole) operation()       {}
func (Invite) operation()        {}
func (SetPassword) operation()   {}
func (SetUp) operation()         {}
func (Undo) operation()          {}
func (SetTOTP) operation()       {}
func (UseTOTP) operation()       {}
func (EndSessions) operation()   {}
func (Unlink) operation()        {}
func (AddDomain) operation()     {}
func (RemoveDomain) operation()  {}

// mayDo refuses what only a Super Admin does to others than one. What users, groups and roles are made to ask for is not refused but waits.
func mayDo(c Change) error {
	switch c.Do.(type) {
	case AddRule, RemoveRule, SetSeats, SetCeiling, SetCompany, Assign, Decide, Undo, AddDomain, RemoveDomain, SetTOTP:
		if !c.MayAssign {
			return refuse(SuperAdminRequired, "")
		}
	}
	return nil
}

// Result is what a Change came to.
type Result struct {
	Account store.Account // of the account operations, as stored
	Group   store.Group   // of the group operations, as stored
	Rule    store.Rule    // of AddRule
	Company store.Company // of CreateCompany and SetCompany
	Created bool          // whether CreateAccount, CreateGroup made something new to its door
	// Returned says that CreateAccount found an account that was there before and came back: it was replaced, not made.
	Returned bool
	Undone   []Undone // of Undo
	Changed  bool     // false: everything was as asked for already, and nothing was written
}
