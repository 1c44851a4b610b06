package store

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"time"
)

// Actor is who made a change.
type Actor struct {
	Kind string `json:"kind"` // "connection", "person", "admin", "operator", "system"
	ID   string `json:"id"`
}

// Event is one record of the audit log, appended in the operation that it tells of.
// The license ledger is the events of kind EventLicense.
type Event struct {
	Seq     int64     // position in the company's log, without gaps; set by the store
	Time    time.Time // when the change was planned
	Kind    string    // EventAccount, EventLicense, ...
	Action  string    // the verb, such as "user.create"; constants of the package where it arises
	Actor   Actor
	Door    string // the way in: "scim", "cli", ...
	Request string // id of the request that caused it
	Target  string // id of the account, group, ... changed
	Detail  json.RawMessage
	Quirks  []string `json:",omitempty"` // departures from the standard that the request needed, sorted
	Hash    [32]byte // chain over the company's events; set by the store
}

// Event kinds.
const (
	EventAccount    = "account"
	EventLicense    = "license"
	EventGroup      = "group"
	EventRule       = "rule"
	EventPool       = "pool"
	EventCompany    = "company"
	EventConnection = "connection"
	EventSchema     = "schema"
	EventSession    = "session"
)

// Events reads the audit log.
type Events interface {
	// AppendEvents adds events that tell of no change, such as a sign-in that was refused: ErrNotFound when there is no such company.
	AppendEvents(ctx context.Context, company string, events []Event) error
	// ListEvents gives up to limit events of the company with Seq greater than after, in order.
	// An event is in the list once the operation that appended it has returned.
	ListEvents(ctx context.Context, company string, after int64, limit int) ([]Event, error)
}

// Chain gives the hash of e in its company's log: SHA-256 over the hash of the event before and every field of e but Hash.
func (e Event) Chain(before [32]byte) [32]byte {
	e.Hash = before
	e.Time = e.Time.UTC()
	if e.Detail == nil {
		e.Detail = json.RawMessage("null")
	}
	b, err := json.Marshal(e)
	if err != nil { // Detail is the only field that can fail to marshal, and it was marshalled to get here
		panic("store: event detail is not JSON: " + err.Error())
	}
	return sha256.Sum256(b)
}
