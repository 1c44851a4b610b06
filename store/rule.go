package store

import (
	"context"
	"time"

	"usher/store/query"
)

// Rule gives a license or a role or both to the members of a group, or to the accounts with a value.
type Rule struct {
	ID       string
	Company  string
	Group    string // the group's id; the rule outlives a rename. Empty for a rule on a value
	Match    *Match // of a rule on a value
	License  string // empty: none
	Role     string // empty: none
	Priority int    // the larger wins
	By       string
	Created  time.Time
}

// Match is a condition on the document of an account: one of the paths has the value.
type Match struct {
	Paths  []string `json:"paths"`
	Value  string   `json:"value"`            // canonical (see [query.Canonical]), of the type string
	Fold   bool     `json:"fold,omitempty"`   // the value is compared without regard to case
	Suffix bool     `json:"suffix,omitempty"` // a value that ends with it will do
	About  string   `json:"about"`            // the condition as people say it
}

// Node is the condition as a filter.
func (m Match) Node() query.Node {
	leaf := query.Leaf{Op: query.Equal, Type: query.String, Fold: m.Fold, Value: m.Value}
	if m.Suffix {
		leaf.Op = query.EndsWith
	}
	var some query.Or
	for _, path := range m.Paths {
		leaf.Path = path
		some = append(some, leaf)
	}
	return some
}

// Rules keeps the license rules of the companies.
type Rules interface {
	// CreateRule stores a rule with the sweep that carries it out: ErrNotFound when its group does not exist.
	CreateRule(ctx context.Context, r Rule, sweep *Sweep, events []Event) error
	// DeleteRule removes a rule: ErrNotFound.
	DeleteRule(ctx context.Context, company, id string, sweep *Sweep, events []Event) error
	// ListRules gives the rules of a company, higher priority first, then older first. They are not to be changed.
	ListRules(ctx context.Context, company string) ([]Rule, error)
}
