package store

import (
	"context"
	"encoding/json"
	"time"
)

// Mail is one message to a person in the outbox. It is written by the operation that it tells of ([AccountWrite].Mails) and sent later. It
// holds no secret: a link in it is made from its id when it is sent.
type Mail struct {
	ID      string // UUIDv7; the message carries it too, so that one that arrives twice can be told
	Version int64  // grows with each update; set by the store
	Company string
	Account string // whom it is about; may be empty
	Kind    string // which message; the kinds are those of whoever sends it
	To      string // the address
	Data    json.RawMessage
	Created time.Time

	State    string    // one of the Mail constants
	Due      time.Time // queued: when it is to be sent. sending: when the sender is taken to have died
	Attempts int       // how often it was tried to send it
	Error    string    // why the last attempt failed
	Done     time.Time // when it was sent or given up
}

// States of a mail.
const (
	MailQueued  = "queued"
	MailSending = "sending" // somebody is at it
	MailSent    = "sent"    // a mail server has taken it
	MailDead    = "dead"    // given up; Error says why
	// MailWithdrawn is one that is not needed any more. It was not sent, unless that was under way.
	MailWithdrawn = "withdrawn"
)

// Outbox keeps mails until some time after they were sent.
type Outbox interface {
	// PostMails puts mails into the outbox that tell of no change of an account.
	PostMails(ctx context.Context, company string, mails []Mail) error
	// DueMails gives up to limit mails of all companies that are queued or being sent and were due at now, those due first before others.
	DueMails(ctx context.Context, now time.Time, limit int) ([]Mail, error)
	// UpdateMail stores State, Due, Attempts, Error and Done of the mail with m's id if it is still at m.Version, which grows: ErrNotFound,
	// ErrVersion. So of two senders one gets it.
	UpdateMail(ctx context.Context, m Mail) error
	// ListMails gives up to limit mails of a company, the latest first, beginning after the one with the id before (empty: at the latest). An
	// account restricts the list to those about it.
	ListMails(ctx context.Context, company, account, before string, limit int) ([]Mail, error)
	// DropMails forgets those that were done before the time given, in all companies, and says how many.
	DropMails(ctx context.Context, before time.Time) (int, error)
}
