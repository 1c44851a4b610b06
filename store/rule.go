package store

import (
	"context"
	"time"
)

// Rule gives a license to the members of a group.
type Rule struct {
	ID       string
	Company  string
	Group    string // the group's id; the rule outlives a rename
	License  string
	Priority int // the larger wins
	By       string
	Created  time.Time
}

// Rules keeps the license rules of the companies.
type Rules interface {
	// CreateRule stores a rule with the sweep that carries it out: ErrNotFound when the group does not exist.
	CreateRule(ctx context.Context, r Rule, sweep *Sweep, events []Event) error
	// DeleteRule removes a rule: ErrNotFound.
	DeleteRule(ctx context.Context, company, id string, sweep *Sweep, events []Event) error
	// ListRules gives the rules of a company, higher priority first, then older first.
	ListRules(ctx context.Context, company string) ([]Rule, error)
}
