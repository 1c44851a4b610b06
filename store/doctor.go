package store

import (
	"context"
	"iter"
)

// Finding is something in a store that is not as it should be, or that somebody should know.
type Finding struct {
	Check   string `json:"check"`             // what was looked at: "events", "seats", ...
	Company string `json:"company,omitempty"` // id; empty: it is of no company
	About   string `json:"about,omitempty"`   // id of the account, group, ... concerned
	Text    string `json:"text"`              // what is wrong, and what to do about it
	// Note says that nothing is wrong: it is only worth knowing.
	Note bool `json:"note,omitempty"`
}

// Doctor is an engine that can look for what is wrong in how it keeps its records: what nobody sees through the other interfaces.
type Doctor interface {
	// Look gives the records of a kind that a company has, as [Transfer].Records does, but as they are at the moment: others may use the store,
	// and what is under way stays so. The kinds are accounts, groups, members, subgroups and events.
	Look(ctx context.Context, kind RecordKind, company string) iter.Seq2[Record, error]
	// Examine gives what it has found. It changes nothing, and others may use the store meanwhile.
	Examine(ctx context.Context) ([]Finding, error)
}
