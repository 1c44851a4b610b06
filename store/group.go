package store

import (
	"context"
	"fmt"
	"time"

	"usher/store/query"
)

// Group is a group of accounts, and of other groups. Its members are records of their own, never part of Doc.
type Group struct {
	ID         string // UUIDv7 as text
	Company    string
	Version    int64  // grows with each change of Doc and with each effective change of the members
	Name       string // folded display name; unique in the company
	Display    string // display name as written
	ExternalID string
	Members    int // number of accounts that are members; kept by the store
	Groups     int // number of groups that are members; kept by the store
	Created    time.Time
	Modified   time.Time
	Doc        []byte // canonical JSON as written, without id, meta and members
}

// Document gives Doc; with Column it makes a group a [query.Record].
func (g *Group) Document() []byte { return g.Doc }

// Member is one member of a group.
type Member struct {
	ID      string // of the account or group
	Display string
}

// Membership is one group of an account or of a group.
type Membership struct {
	Group   string // id
	Display string
}

// MemberChange is a change of a group's members. Adding one who is a member and removing one who is not change nothing.
type MemberChange struct {
	Add     []string // account ids; *UnknownMemberError when one does not exist in the company
	Remove  []string // account ids; unknown ones are ignored
	Exactly bool     // the members become those of Add and AddGroups and no others; Remove and RemoveGroups are not looked at

	AddGroups    []string // group ids; *UnknownMemberError when one does not exist, *CycleError when the group would be in itself
	RemoveGroups []string // group ids; unknown ones are ignored
}

// MaxSubgroups is how many groups a group may have as its members.
const MaxSubgroups = 1000

// CycleError says that a group cannot become a member of another because that is in it already.
type CycleError struct{ Group, Member string }

func (e *CycleError) Error() string {
	return fmt.Sprintf("group %s is in group %s already, directly or through others", e.Group, e.Member)
}

// GroupChange is one atomic change of one group.
type GroupChange struct {
	Company   string
	ID        string
	IfVersion int64 // ErrVersion unless the group is at this version; 0: any. Needed when Group is given
	// Group, when not nil, holds the new Name, Display, ExternalID and Doc. Values equal to those stored are no change.
	Group    *Group
	Members  MemberChange
	Modified time.Time
	// Sweep and Events are written only when something changes. The sweep is durable no later than the change.
	Sweep  *Sweep
	Events []Event
}

// GroupChanged is the outcome of a GroupChange.
type GroupChanged struct {
	Group   Group // as stored
	Changed bool  // false: the request found everything as asked for, and nothing was written
	Added   int   // members who were not members before
	Removed int
}

// GroupPage is one page of groups.
type GroupPage struct {
	Groups   []Group
	Keys     []query.SortKey // of each group, where the query has a Sort
	Total    int             // -1 unless asked for
	RowsRead int
}

// Groups keeps the groups and memberships of all companies.
type Groups interface {
	// Group gives one group: ErrNotFound.
	Group(ctx context.Context, company, id string) (Group, error)
	// ListGroups gives a page: ErrTooMany when over budget.
	ListGroups(ctx context.Context, company string, q Query) (GroupPage, error)

	// CreateGroup stores g (its Version becomes 1) with its first members, accounts and groups: *ConflictError (Group.Name),
	// *UnknownMemberError, ErrTooMany (MaxSubgroups).
	CreateGroup(ctx context.Context, g Group, members, groups []string, sweep *Sweep, events []Event) (Group, error)
	// ChangeGroup makes one change. The group's record decides conflicts; its cost does not grow with the group unless Exactly is set.
	// Errors: ErrNotFound, ErrVersion, *ConflictError (Group.Name), *UnknownMemberError, *CycleError, ErrTooMany (MaxSubgroups).
	//
	// Two changes at once may close a circle where an engine has one-record atomicity only; reading it must come to an end.
	ChangeGroup(ctx context.Context, c GroupChange) (GroupChanged, error)
	// DeleteGroup removes the group with its members, and from the groups that it is a member of. ifVersion 0: any. Errors: ErrNotFound, ErrVersion.
	DeleteGroup(ctx context.Context, company, id string, ifVersion int64, sweep *Sweep, events []Event) error

	// Members gives up to limit members that are accounts, in creation order of the accounts, after the account named (empty: from the start).
	Members(ctx context.Context, company, group, after string, limit int) ([]Member, error)
	// Subgroups gives the groups that are members of a group, in creation order.
	Subgroups(ctx context.Context, company, group string) ([]Member, error)
	// Supergroups gives the groups that each group named is a direct member of, in creation order.
	Supergroups(ctx context.Context, company string, groups []string) (map[string][]Membership, error)
	// MembershipsOf gives the groups that each account named is a direct member of, in creation order of the groups.
	MembershipsOf(ctx context.Context, company string, accounts []string) (map[string][]Membership, error)
}
