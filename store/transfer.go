package store

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	json "github.com/go-json-experiment/json" // leaves out what is zero, and reads accounts in a third of the time
	"github.com/go-json-experiment/json/jsontext"
	jsonv1 "github.com/go-json-experiment/json/v1"
)

// Record is one thing that a store keeps, in the form that all engines have in common: two stores with the same records keep the same.
type Record struct {
	Kind RecordKind
	// Key tells the records of a kind apart and is their order, by its bytes: that of the companies, then that of the ids or of the creation.
	Key string
	// Data is the record as JSON, which for the same values has the same bytes.
	Data []byte
}

// RecordKind names what a record is of.
type RecordKind string

// The kinds of records, and the types of what they hold.
const (
	RecordCompany      RecordKind = "company"       // CompanyRecord
	RecordAdmin        RecordKind = "admin"         // LocalAdmin
	RecordConnection   RecordKind = "connection"    // ConnectionRecord
	RecordToken        RecordKind = "token"         // Token
	RecordAdminKey     RecordKind = "admin key"     // AdminKey
	RecordAdminSession RecordKind = "admin session" // AdminSession
	RecordSchema       RecordKind = "schema"        // Schema
	RecordTombstone    RecordKind = "tombstone"     // Tombstone
	RecordAccount      RecordKind = "account"       // Account
	RecordGroup        RecordKind = "group"         // Group
	RecordMember       RecordKind = "member"        // MemberRecord
	RecordSubgroup     RecordKind = "subgroup"      // SubgroupRecord
	RecordPool         RecordKind = "pool"          // Pool, with the counts that follow from the accounts
	RecordRule         RecordKind = "rule"          // Rule
	RecordQuirk        RecordKind = "quirk"         // QuirkRecord
	RecordLoss         RecordKind = "loss"          // LossRecord
	RecordSweep        RecordKind = "sweep"         // Sweep, which nobody holds
	RecordMail         RecordKind = "mail"          // MailRecord
	RecordSignIn       RecordKind = "sign-in"       // SignIn
	RecordLogout       RecordKind = "logout token"  // LogoutToken
	RecordSession      RecordKind = "session"       // Session
	RecordRequest      RecordKind = "request"       // IdempotentRequest
	RecordEvent        RecordKind = "event"         // EventRecord
)

// RecordKinds gives all kinds in the order in which they are taken in: what a record names comes before it.
func RecordKinds() []RecordKind {
	return []RecordKind{
		RecordCompany, RecordAdmin, RecordConnection, RecordToken, RecordAdminKey, RecordAdminSession, RecordSchema, RecordTombstone,
		RecordAccount, RecordGroup, RecordMember, RecordSubgroup, RecordPool, RecordRule, RecordQuirk, RecordLoss, RecordSweep, RecordMail,
		RecordSignIn, RecordLogout, RecordSession, RecordRequest, RecordEvent,
	}
}

// CompanyRecord is a company with what else is counted of it.
type CompanyRecord struct {
	Company
	SchemaRevision int64 // see [Schemas]
}

// ConnectionRecord is a connection with what its JSON leaves out.
type ConnectionRecord struct {
	Connection
	SignOnVersion int64
}

// MemberRecord is one account in one group.
type MemberRecord struct{ Company, Group, Account string }

// SubgroupRecord is one group in another.
type SubgroupRecord struct{ Company, Group, Child string }

// QuirkRecord is a QuirkUse with its company.
type QuirkRecord struct {
	Company string
	QuirkUse
}

// LossRecord is how many writes that [Connections].CountLosses counts were made at one time.
type LossRecord struct {
	Company, Connection string
	At                  time.Time
	Count               int
}

// MailRecord is a mail. Its data keep their bytes.
type MailRecord struct {
	Mail
	Data []byte
}

// EventRecord is an event with its company. Its detail keeps its bytes.
type EventRecord struct {
	Company string
	Event
	Detail []byte
}

// ErrNotEmpty: the store has records, so no others are taken in.
var ErrNotEmpty = errors.New("the store is not empty")

// Import is a mark in a store into which the records of another are being taken.
type Import struct {
	Source string     // where they come from
	Kind   RecordKind // of the last record that is stored; empty: none is
	Key    string     // of that record
}

// Past says whether a record is stored already.
func (i Import) Past(r Record) bool {
	for _, kind := range RecordKinds() {
		switch kind {
		case i.Kind:
			return r.Kind == kind && r.Key <= i.Key
		case r.Kind:
			return i.Kind != ""
		}
	}
	return false
}

// UnfinishedError says that a store is not complete, and is not opened for anything but to complete it.
type UnfinishedError struct{ Source string }

func (e *UnfinishedError) Error() string {
	return fmt.Sprintf("the records of %s have not all been taken over: run the \"usher migrate\" again that began it, or begin with an empty store", e.Source)
}

// Transfer is how an engine gives all that it keeps, and takes in all that another has given. Nobody else uses either store meanwhile.
type Transfer interface {
	// Records gives the records of a kind whose keys are behind after (empty: all), in the order of their keys. What is under way in the
	// store is finished first. Memory does not grow with accounts, members and events. An error ends the sequence.
	Records(ctx context.Context, kind RecordKind, after string) iter.Seq2[Record, error]
	// CountRecords says how many records of the kind there are, for showing how far it is.
	CountRecords(ctx context.Context, kind RecordKind) (int64, error)

	// Import gives the mark of an import that is under way: ErrNotFound when none is.
	Import(ctx context.Context) (Import, error)
	// BeginImport sets the mark, with nothing stored: ErrNotEmpty when there are records, or a mark. A store with a mark is opened only by who
	// says that they complete it ([*UnfinishedError]).
	BeginImport(ctx context.Context, source string) error
	// PutRecords stores records of one kind, the kinds in the order of RecordKinds and the records in that of their keys, and moves the mark.
	// Those that are stored already are left alone, so it can be repeated after an interruption.
	PutRecords(ctx context.Context, records []Record) error
	// SettleImport makes what follows from the records, when all are there; then they can be read. It can be repeated.
	SettleImport(ctx context.Context) error
	// EndImport removes the mark: the store is complete.
	EndImport(ctx context.Context) error
}

// RecordOf gives the record of a value of one of the types that the kinds have. A type that is none of them is a mistake, and panics.
func RecordOf(value any) (Record, error) {
	var r Record
	switch v := value.(type) {
	case CompanyRecord:
		v.Domains = filled(v.Domains)
		r, value = Record{Kind: RecordCompany, Key: v.ID}, v
	case LocalAdmin:
		r = Record{Kind: RecordAdmin, Key: RecordKey(v.Company, recordTime(v.Created), v.ID)}
	case ConnectionRecord:
		v.SignOnVersion, v.QuirksOff = v.SignOn.Version, filled(v.QuirksOff)
		v.SignOn.Algorithms, v.SignOn.Scopes = filled(v.SignOn.Algorithms), filled(v.SignOn.Scopes)
		r, value = Record{Kind: RecordConnection, Key: RecordKey(v.Company, recordTime(v.Created), v.ID)}, v
	case Token:
		v.Scopes = filled(v.Scopes)
		r, value = Record{Kind: RecordToken, Key: RecordKey(v.Company, recordTime(v.Created), v.ID)}, v
	case AdminKey:
		r = Record{Kind: RecordAdminKey, Key: RecordKey(v.Company, recordTime(v.Created), v.ID)}
	case AdminSession:
		r = Record{Kind: RecordAdminSession, Key: RecordKey(v.Company, recordTime(v.Created), v.ID)}
	case Schema:
		v.Doc = filled(v.Doc)
		r, value = Record{Kind: RecordSchema, Key: RecordKey(v.Company, recordTime(v.Created), strings.ToLower(v.URN))}, v
	case Tombstone:
		r = Record{Kind: RecordTombstone, Key: RecordKey(v.Company, v.ID, recordTime(v.Deleted))}
	case Account:
		v.Terms = nil // they follow from the document and the indexes
		v.Doc, v.Link, v.Done, v.Sources, v.RoleSources = filled(v.Doc), filled(v.Link), filled(v.Done), filled(v.Sources), filled(v.RoleSources)
		r, value = Record{Kind: RecordAccount, Key: RecordKey(v.Company, v.ID)}, v
	case Group:
		v.Doc = filled(v.Doc)
		r, value = Record{Kind: RecordGroup, Key: RecordKey(v.Company, v.ID)}, v
	case MemberRecord:
		r = Record{Kind: RecordMember, Key: RecordKey(v.Company, v.Group, v.Account)}
	case SubgroupRecord:
		r = Record{Kind: RecordSubgroup, Key: RecordKey(v.Company, v.Group, v.Child)}
	case Pool:
		r = Record{Kind: RecordPool, Key: RecordKey(v.Company, v.License)}
	case Rule:
		r = Record{Kind: RecordRule, Key: RecordKey(v.Company, v.ID)}
	case QuirkRecord:
		r = Record{Kind: RecordQuirk, Key: RecordKey(v.Company, v.Connection, v.Quirk)}
	case LossRecord:
		r = Record{Kind: RecordLoss, Key: RecordKey(v.Company, v.Connection, recordTime(v.At))}
	case Sweep:
		v.Holder, v.Until = "", time.Time{} // whoever held it is gone
		r, value = Record{Kind: RecordSweep, Key: RecordKey(v.Company, recordTime(v.Created), v.ID)}, v
	case MailRecord:
		v.Data = filled(v.Data)
		r, value = Record{Kind: RecordMail, Key: RecordKey(v.Company, v.ID)}, v
	case SignIn:
		r = Record{Kind: RecordSignIn, Key: fmt.Sprintf("%x", v.State)}
	case LogoutToken:
		r = Record{Kind: RecordLogout, Key: RecordKey(v.Connection, v.ID)}
	case Session:
		r = Record{Kind: RecordSession, Key: RecordKey(v.Company, v.ID)}
	case IdempotentRequest:
		r = Record{Kind: RecordRequest, Key: fmt.Sprintf("%x", v.Key)}
	case EventRecord:
		v.Detail, v.Quirks = filled(v.Detail), filled(v.Quirks)
		r, value = Record{Kind: RecordEvent, Key: RecordKey(v.Company, fmt.Sprintf("%012d", v.Seq))}, v
	default:
		panic(fmt.Sprintf("store: %T is not the type of a record", value))
	}
	data, err := json.Marshal(value, json.OmitZeroStructFields(true), jsonv1.FormatDurationAsNano(true), jsontext.AllowInvalidUTF8(true))
	if err != nil {
		return Record{}, fmt.Errorf("store: record %s of kind %s: %w", r.Key, r.Kind, err)
	}
	r.Data = data
	return r, nil
}

// Value gives the value that a record was made of: into is a pointer to the type that the record's kind has. What this usher does not know of
// is an error: a newer one has written it.
func (r Record) Value(into any) error {
	err := json.Unmarshal(r.Data, into, json.RejectUnknownMembers(true), jsonv1.FormatDurationAsNano(true))
	if err != nil {
		return fmt.Errorf("store: record %s of kind %s: %w", r.Key, r.Kind, err)
	}
	if c, ok := into.(*ConnectionRecord); ok {
		c.SignOn.Version = c.SignOnVersion
	}
	return nil
}

// RecordKey makes a key of its parts, none of which but the last has a space or anything before it.
func RecordKey(parts ...string) string { return strings.Join(parts, " ") }

// recordTime gives a time as a part of a key, so that keys are in the order of times.
func recordTime(t time.Time) string {
	if t.IsZero() {
		return recordTime(time.UnixMilli(0))
	}
	return fmt.Sprintf("%013d", t.UnixMilli())
}

// filled makes nil of an empty list: engines may keep the one as the other.
func filled[T any](list []T) []T {
	if len(list) == 0 {
		return nil
	}
	return list
}
