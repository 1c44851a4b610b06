package store

import (
	"context"
	"time"
)

// Session is the time in which a person who has signed in is known. Only the hash of its token is stored.
//
// It is good only while its three epochs are those of its account, its company and its connection: who raises one of them ends sessions
// by that, whether or not their records are still there.
type Session struct {
	Hash    [32]byte // SHA-256 of the token
	ID      string   // what people call it by; says nothing about the token. Ids sort in the order of creation
	Company string
	Account string

	Connection string // id of the connection by which they came; empty: with a password
	Subject    string // who they are at the identity provider (sub)
	Provider   string // the identity provider's own session (sid); may be empty
	// IDToken is the ID token, sealed with the session's own secret, to sign out at the identity provider with. Only EndSession gives it.
	IDToken string

	AccountEpoch    int64
	CompanyEpoch    int64
	ConnectionEpoch int64 // 0 without a connection

	Address string // where they came from
	Agent   string // what their browser calls itself

	Created time.Time
	Seen    time.Time // when it was last used, to the minute or so
	Expires time.Time // at the latest
}

// SessionOpening is the end of a sign-in: what it changes of the account, and the session.
type SessionOpening struct {
	Session Session
	Account Account // as it was looked at
	// Write is what signing in changes of the account, whose Before is Account; nil: nothing.
	Write *AccountWrite
	// SignOn is the version of the connection's settings that the person was let in by; 0 without a connection.
	SignOn int64
	Events []Event
}

// Fits says whether the session has the epoch that its account has then.
func (o SessionOpening) Fits() bool {
	if o.Write != nil {
		return o.Session.AccountEpoch == o.Write.After.Epoch
	}
	return o.Session.AccountEpoch == o.Account.Epoch
}

// Presence is a session with its account, both as far as a decision takes them: of the session there is no Subject, Provider, IDToken, Address
// and Agent, of the account what names it, Active, the seat, what asks for licenses and roles, MemberType, Role and Epoch.
type Presence struct {
	Session Session
	Account Account // without an ID when it is gone
}

// PresenceOf makes a presence of a session and its account, without what it does not have.
func PresenceOf(s Session, a Account) Presence {
	s.Subject, s.Provider, s.IDToken, s.Address, s.Agent = "", "", "", "", ""
	return Presence{Session: s, Account: Account{
		ID: a.ID, Company: a.Company, UserName: a.UserName, Display: a.Display, Active: a.Active,
		Decision: Decision{
			Seat: a.Seat, SeatState: a.SeatState, Sources: a.Sources,
			MemberType: a.MemberType, Role: a.Role, RoleSources: a.RoleSources, Epoch: a.Epoch,
		},
	}}
}

// SessionFilter names sessions of a company: those that have all that is not empty. An empty one names none. With a Subject and a Provider it
// names those that have both, and those of the Subject whose Provider is not known.
type SessionFilter struct {
	ID         string
	Account    string
	Connection string
	Subject    string
	Provider   string
}

// Sessions keeps the sessions of people.
type Sessions interface {
	// OpenSession stores the session with what it changes of the account, if the account is at the version, the company at the epoch and the
	// connection at the version and the epoch that the opening names, and the session has the epoch of the account. Errors: ErrVersion unless they are, ErrNotFound,
	// *ConflictError (Identity). It gives the account as it is then. With ErrUnavailable the account may have been changed all the same, but there is
	// no session.
	OpenSession(ctx context.Context, o SessionOpening) (Account, error)
	// Session finds one by its hash: ErrNotFound. The caller checks times and epochs.
	Session(ctx context.Context, hash [32]byte) (Session, error)
	// Presence gives what it takes to tell whether the session with the hash is good: ErrNotFound. Every request of somebody who is signed in
	// asks for it.
	Presence(ctx context.Context, hash [32]byte) (Presence, error)
	// TouchSession stores Seen: ErrNotFound.
	TouchSession(ctx context.Context, hash [32]byte, seen time.Time) error
	// ListSessions gives up to limit sessions of a company, or of one account of it, the latest first, beginning after the one with the id
	// before (empty: at the latest).
	ListSessions(ctx context.Context, company, account, before string, limit int) ([]Session, error)
	// EndSession removes the session with the hash and gives it, with its IDToken: ErrNotFound.
	EndSession(ctx context.Context, hash [32]byte, events []Event) (Session, error)
	// EndSessions removes those that the filter names and says how many there were. The events are appended if there was one. With ErrUnavailable some
	// of them may have ended; repeated it ends the rest.
	EndSessions(ctx context.Context, company string, which SessionFilter, events []Event) (int, error)
	// EndSessionsOnce is EndSessions for a logout token, which is noted with it: one that was noted before ends nothing, and first is false. If
	// it fails it can be repeated.
	EndSessionsOnce(ctx context.Context, company string, token LogoutToken, which SessionFilter, events []Event) (n int, first bool, err error)
	// DropSessions forgets those that expired before the time given, in all companies, and says how many.
	DropSessions(ctx context.Context, before time.Time) (int, error)
}
