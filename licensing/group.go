package licensing

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"usher/store"
)

// Actions of the events of groups.
const (
	ActionGroupCreate = "group.create"
	ActionGroupUpdate = "group.update"
	ActionGroupDelete = "group.delete"
)

// named is how many members an event names; of more it gives the number.
const named = 100

// memberDetail is what an event says of a change of members.
type memberDetail struct {
	Display  string   `json:"displayName,omitempty"`
	Add      []string `json:"add,omitempty"` // accounts and groups
	Remove   []string `json:"remove,omitempty"`
	Adding   int      `json:"adding,omitempty"`
	Removing int      `json:"removing,omitempty"`
	Gone     []string `json:"gone,omitempty"` // of the accounts to be removed: those who were members
	Exactly  bool     `json:"exactly,omitempty"`
}

func detailOf(display string, m store.MemberChange) memberDetail {
	add := m.Add
	if len(m.AddGroups) > 0 {
		add = slices.Concat(m.AddGroups, m.Add)
	}
	return memberDetail{
		Display: display, Add: add[:min(len(add), named)], Remove: m.Remove[:min(len(m.Remove), named)],
		Adding: len(add), Removing: len(m.Remove), Exactly: m.Exactly,
	}
}

func (d *Directory) createGroup(ctx context.Context, c Change, do CreateGroup) (Result, error) {
	now := d.now()
	g := store.Group{
		ID: store.NewID(), Company: c.Company, Created: now, Modified: now,
		Name: do.Draft.Name, Display: do.Draft.Display, ExternalID: do.Draft.ExternalID, Doc: do.Draft.Doc,
	}
	event := newEvent(c, now, store.EventGroup, ActionGroupCreate, g.ID, detailOf(g.Display, store.MemberChange{Add: do.Members, AddGroups: do.Groups}))
	stored, err := d.store.CreateGroup(ctx, g, do.Members, do.Groups, nil, []store.Event{event}) // a new group has no rules yet
	return Result{Group: stored, Created: err == nil, Changed: err == nil}, err
}

func (d *Directory) updateGroup(ctx context.Context, c Change, do UpdateGroup) (Result, error) {
	now := d.now()
	for range attempts {
		before, err := d.store.Group(ctx, c.Company, do.ID)
		if err != nil {
			return Result{}, err
		}
		if do.IfVersion != 0 && do.IfVersion != before.Version {
			return Result{}, store.ErrVersion
		}
		draft, members, err := do.Edit(before)
		if err != nil {
			return Result{}, err
		}
		rules, err := d.rulesOf(ctx, c.Company, do.ID)
		if err != nil {
			return Result{}, err
		}
		change := store.GroupChange{Company: c.Company, ID: do.ID, IfVersion: do.IfVersion, Members: members, Modified: now}
		display := before.Display
		if draft != nil {
			g := before
			g.Name, g.Display, g.ExternalID, g.Doc = draft.Name, draft.Display, draft.ExternalID, draft.Doc
			change.Group, change.IfVersion, display = &g, before.Version, draft.Display
		}
		if len(rules) > 0 && (members.Exactly || len(members.Add)+len(members.Remove) > 0) {
			change.Sweep = d.newSweep(c, now, memberCause(do.ID, rules, members))
		}
		detail := detailOf(display, members)
		if detail.Gone, err = d.membersAmong(ctx, c.Company, do.ID, detail.Remove); err != nil {
			return Result{}, err
		}
		change.Events = []store.Event{newEvent(c, now, store.EventGroup, ActionGroupUpdate, do.ID, detail)}
		done, err := d.allowGroup(ctx, c, do.ID, members)
		if err != nil {
			return Result{}, err
		}
		defer done()
		changed, err := d.store.ChangeGroup(ctx, change)
		if errors.Is(err, store.ErrVersion) && do.IfVersion == 0 {
			done()
			continue
		}
		if err != nil {
			return Result{}, err
		}
		switch {
		case changed.Added+changed.Removed > 0:
			err = d.followMembers(ctx, c, change)
		case len(rules) > 0:
			// A repeated request may find its own change in place and the sweep for it still open.
			err = d.finishSweeps(ctx, c.Company)
		}
		return Result{Group: changed.Group, Changed: changed.Changed}, err
	}
	return Result{}, store.ErrVersion
}

// membersAmong gives those of some accounts who are members of a group.
func (d *Directory) membersAmong(ctx context.Context, company, group string, accounts []string) ([]string, error) {
	if len(accounts) == 0 {
		return nil, nil
	}
	memberships, err := d.store.MembershipsOf(ctx, company, accounts)
	if err != nil {
		return nil, fmt.Errorf("memberships: %w", err)
	}
	var members []string
	for _, id := range accounts {
		if slices.ContainsFunc(memberships[id], func(m store.Membership) bool { return m.Group == group }) {
			members = append(members, id)
		}
	}
	return members, nil
}

// followMembers brings the licenses in line with a change of members.
func (d *Directory) followMembers(ctx context.Context, c Change, change store.GroupChange) error {
	if change.Sweep != nil {
		return d.sweep(ctx, *change.Sweep)
	}
	// A rule may have been made between the look at the rules and the change, and its own sweep have gone before the change.
	rules, err := d.rulesOf(ctx, c.Company, change.ID)
	if err != nil || len(rules) == 0 {
		return err
	}
	return d.sweepNow(ctx, *d.newSweep(c, change.Modified, memberCause(change.ID, rules, change.Members)))
}

func (d *Directory) deleteGroup(ctx context.Context, c Change, do DeleteGroup) (Result, error) {
	now := d.now()
	rules, err := d.rulesOf(ctx, c.Company, do.ID)
	if err != nil {
		return Result{}, err
	}
	var sweep *store.Sweep
	if len(rules) > 0 {
		sweep = d.newSweep(c, now, cause{Rules: ids(rules), Orphans: true})
	}
	done, err := d.allowGroup(ctx, c, do.ID, store.MemberChange{Exactly: true})
	if err != nil {
		return Result{}, err
	}
	defer done()
	event := newEvent(c, now, store.EventGroup, ActionGroupDelete, do.ID, nil)
	if err := d.store.DeleteGroup(ctx, c.Company, do.ID, do.IfVersion, sweep, []store.Event{event}); err != nil {
		return Result{}, err
	}
	if sweep != nil {
		err = d.sweep(ctx, *sweep)
	}
	// A rule may have been made between the look at the rules and the deletion; after it none can be.
	late, lateErr := d.rulesOf(ctx, c.Company, do.ID)
	for _, rule := range late {
		if _, gone := d.removeRule(ctx, c, RemoveRule{ID: rule.ID}); !errors.Is(gone, store.ErrNotFound) {
			lateErr = errors.Join(lateErr, gone)
		}
	}
	return Result{Changed: true}, errors.Join(err, lateErr)
}
