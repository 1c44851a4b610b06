package licensing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"usher/store"
)

// Undo gives back what a change set has taken and takes back what it has given: what one request did, or what one connection did since a
// time. It is made of what the events say of the state before, so that what follows by itself (rules, queues) follows again.
//
// People's access, membership, roles and requests for licenses, members who were removed from groups, rules, seats and settings of the
// company are undone, each unless it was changed again since. What people are called is not, and who was made or deleted is not.
type Undo struct {
	Request    string    // id of the request; empty: that of a connection
	Connection string    // id
	Since      time.Time // with Connection
	// Activate gives the draft of an account that is to be active, or not.
	Activate func(before store.Account, active bool) (Draft, error)
	Preview  bool // only say what would be done
}

// Undone is one thing that was undone, or would be.
type Undone struct {
	Action string `json:"action"`           // of the event
	Target string `json:"target"`           // id of the account, group, rule, or license
	Reason Reason `json:"reason,omitempty"` // why it was not undone
}

// standingOf is what an account's events say of the person beside the license.
type standingOf struct {
	Active     bool               `json:"active"`
	MemberType string             `json:"memberType"`
	Roles      []store.RoleSource `json:"roleSources,omitempty"`
}

func standsAs(a store.Account) standingOf { return standingOf{a.Active, a.MemberType, a.RoleSources} }

func (s standingOf) equal(o standingOf) bool {
	return s.Active == o.Active && s.MemberType == o.MemberType && equalRoles(s.Roles, o.Roles)
}

// undo finds the change set and undoes it, the facts that concern many before the people one by one.
func (d *Directory) undo(ctx context.Context, c Change, do Undo) (Result, error) {
	events, err := d.changeSet(ctx, c.Company, do)
	if err != nil {
		return Result{}, err
	}
	var all []Undone
	people := map[string]*restore{}
	var order []string
	for _, e := range slices.Backward(events) {
		if e.Kind == store.EventAccount || e.Kind == store.EventLicense {
			r := people[e.Target]
			if r == nil {
				r = &restore{id: e.Target}
				people[e.Target], order = r, append(order, e.Target)
			}
			if err := r.before(e); err != nil {
				return Result{}, err
			}
			continue
		}
		reason, err := d.undoFact(ctx, c, do, e)
		if err != nil {
			return Result{}, fmt.Errorf("undo %s of %s: %w", e.Action, e.Target, err)
		}
		all = append(all, Undone{e.Action, e.Target, reason})
	}
	for _, id := range order {
		r := people[id]
		reason, err := d.restore(ctx, c, do, r)
		if err != nil {
			return Result{}, fmt.Errorf("undo %s of %s: %w", r.action, id, err)
		}
		if reason == nothing {
			continue // it followed from a fact
		}
		all = append(all, Undone{r.action, id, reason})
	}
	undone := slices.ContainsFunc(all, func(u Undone) bool { return u.Reason == "" })
	switch {
	case len(all) == 0:
		return Result{}, refuse(NothingToUndo, "")
	case !undone && !do.Preview:
		return Result{}, refuse(all[0].Reason, "")
	}
	return Result{Undone: all, Changed: undone && !do.Preview}, nil
}

// changeSet gives the events to undo, in order; what usher did by itself follows by itself.
func (d *Directory) changeSet(ctx context.Context, company string, do Undo) ([]store.Event, error) {
	const page = 1000
	var found []store.Event
	after := int64(0)
	for {
		events, err := d.store.ListEvents(ctx, company, after, page)
		if err != nil {
			return nil, fmt.Errorf("events: %w", err)
		}
		for _, e := range events {
			after = e.Seq
			byConnection := do.Request == "" && e.Actor.Kind == actorConnection && e.Actor.ID == do.Connection && !e.Time.Before(do.Since)
			if e.Door != DoorSystem && (do.Request != "" && e.Request == do.Request || byConnection) {
				found = append(found, e)
			}
		}
		if len(events) < page {
			return found, nil
		}
	}
}

// nothing is the reason for which there is nothing to tell of.
const nothing Reason = "nothing"

// undoFact undoes what concerns many, and says why not.
func (d *Directory) undoFact(ctx context.Context, c Change, do Undo, e store.Event) (Reason, error) {
	inverse, reason, err := d.inverse(ctx, c, e)
	if inverse == nil || err != nil || do.Preview {
		return reason, err
	}
	c.Do = inverse
	_, err = d.Apply(ctx, c)
	var refusal *Refusal
	switch {
	case errors.Is(err, store.ErrNotFound):
		return ChangedSince, nil
	case errors.As(err, &refusal):
		return refusal.Reason, nil
	}
	return "", err
}

// inverse gives the operation that undoes an event; nil with the reason why there is none.
func (d *Directory) inverse(ctx context.Context, c Change, e store.Event) (Operation, Reason, error) {
	decode := func(into any) error {
		if err := json.Unmarshal(e.Detail, into); err != nil {
			return fmt.Errorf("event %d: %w", e.Seq, err)
		}
		return nil
	}
	switch e.Action {
	case ActionRuleAdd:
		return RemoveRule{ID: e.Target}, "", nil
	case ActionRuleRemove:
		var r *store.Rule
		if err := decode(&r); err != nil || r == nil {
			return nil, CannotUndo, err
		}
		return AddRule{Group: r.Group, Match: r.Match, License: License(r.License), Role: r.Role, Priority: r.Priority}, "", nil
	case ActionSetSeats, ActionSetCeiling:
		var was struct{ Total, Ceiling, Was int }
		if err := decode(&was); err != nil {
			return nil, "", err
		}
		pool, err := d.store.Pool(ctx, c.Company, e.Target)
		switch {
		case err != nil:
			return nil, "", fmt.Errorf("pool of %s: %w", e.Target, err)
		case e.Action == ActionSetSeats && pool.Total == was.Total:
			return SetSeats{License: License(e.Target), Total: was.Was}, "", nil
		case e.Action == ActionSetCeiling && pool.Ceiling == was.Ceiling:
			return SetCeiling{License: License(e.Target), Ceiling: was.Was}, "", nil
		}
		return nil, ChangedSince, nil
	case ActionSetCompany:
		var was struct{ From, To settings }
		if err := decode(&was); err != nil {
			return nil, "", err
		}
		company, err := d.store.Company(ctx, c.Company)
		if err != nil {
			return nil, "", fmt.Errorf("company: %w", err)
		}
		if settingsOf(company) != was.To {
			return nil, ChangedSince, nil
		}
		return was.From.operation(), "", nil
	case ActionGroupUpdate:
		var was memberDetail
		if err := decode(&was); err != nil {
			return nil, "", err
		}
		if was.Removing == 0 || was.Removing > len(was.Remove) || was.Exactly {
			return nil, CannotUndo, nil
		}
		return UpdateGroup{ID: e.Target, Edit: func(store.Group) (*GroupDraft, store.MemberChange, error) {
			return nil, store.MemberChange{Add: was.Remove}, nil
		}}, "", nil
	}
	return nil, CannotUndo, nil
}

// operation gives the change that makes the settings what they are here.
func (s settings) operation() SetCompany {
	hold, err := time.ParseDuration(s.HoldFor)
	if err != nil { // it was written by String
		panic(err)
	}
	return SetCompany{
		Display: &s.Display, Tier: &s.Tier, SeatPolicy: &s.SeatPolicy, GuestPolicy: &s.GuestPolicy, Approval: &s.Approval, Invites: &s.Invites,
		RoleCeiling: &s.RoleCeiling, HoldFor: &hold, Payment: &Payment{State: s.Payment, At: s.PaymentAt}, LossMin: &s.LossMin, LossPercent: &s.LossPercent,
	}
}

// restore is what the events say that an account was before the change set and after it.
type restore struct {
	id, action string // the latest action
	stood      *standingOf
	left       *standingOf // nil: the change set did not touch it
	asked      *[]store.Source
	asks       *[]store.Source
	made, gone bool
}

// before takes in an event, the latest of the account first.
func (r *restore) before(e store.Event) error {
	var detail struct {
		Was *standingOf
		standingOf
		Sources []store.Source
		Were    *[]store.Source
	}
	if len(e.Detail) > 0 {
		if err := json.Unmarshal(e.Detail, &detail); err != nil {
			return fmt.Errorf("event %d: %w", e.Seq, err)
		}
	}
	if r.action == "" || e.Kind == store.EventAccount {
		r.action = e.Action
	}
	switch {
	case e.Action == ActionUserCreate:
		r.made = true
	case e.Action == ActionUserDelete:
		r.gone = true
	case e.Kind == store.EventAccount && detail.Was != nil:
		if r.left == nil {
			left := detail.standingOf
			r.left = &left
		}
		r.stood = detail.Was
	case e.Kind == store.EventLicense && detail.Were != nil:
		if r.asks == nil {
			asks := detail.Sources
			r.asks = &asks
		}
		r.asked = detail.Were
	}
	return nil
}

// restore gives an account back what it was, and says why not; nothing: it is that already, or only by rules was it anything else.
func (d *Directory) restore(ctx context.Context, c Change, do Undo, r *restore) (Reason, error) {
	if r.made || r.gone {
		return CannotUndo, nil
	}
	s, err := d.situation(ctx, c)
	if err != nil {
		return "", err
	}
	s.queues = true // what somebody had before they may have to wait for now
	byHand := func(sources []store.Source) []store.Source {
		return slices.DeleteFunc(slices.Clone(sources), func(x store.Source) bool { return Carrier(x.Kind).byRule() })
	}
	rolesByHand := func(sources []store.RoleSource) []store.RoleSource {
		return without(sources, func(x store.RoleSource) bool { return Carrier(x.Kind).byRule() })
	}
	restored := func(before store.Account) (store.Account, error) {
		after := before
		touched := false
		if r.asked != nil && !slices.EqualFunc(byHand(*r.asked), byHand(*r.asks), equalSource) {
			if !slices.EqualFunc(byHand(before.Sources), byHand(*r.asks), equalSource) {
				return after, refuse(ChangedSince, "")
			}
			ruled := slices.DeleteFunc(slices.Clone(before.Sources), func(x store.Source) bool { return !Carrier(x.Kind).byRule() })
			after.Sources, touched = append(byHand(*r.asked), ruled...), true
			slices.SortStableFunc(after.Sources, higher)
		}
		if r.stood == nil {
			return after, untouched(touched)
		}
		stood, left, is := *r.stood, *r.left, standsAs(before)
		for _, x := range []*standingOf{&stood, &left, &is} {
			x.Roles = rolesByHand(x.Roles)
		}
		if stood.equal(left) {
			return after, untouched(touched)
		}
		if !is.equal(left) {
			return after, refuse(ChangedSince, "")
		}
		after.MemberType = stood.MemberType
		after.RoleSources = append(slices.Clone(stood.Roles), without(before.RoleSources, func(x store.RoleSource) bool { return !Carrier(x.Kind).byRule() })...)
		if stood.Active != before.Active {
			draft, err := do.Activate(before, stood.Active)
			if err != nil {
				return after, err
			}
			after.Active, after.Doc, after.Terms = draft.Active, draft.Doc, draft.Terms
		}
		return after, nil
	}
	if do.Preview {
		before, err := d.store.Account(ctx, c.Company, r.id)
		if err == nil {
			_, err = restored(before)
		}
		return reasonOf(err)
	}
	_, err = d.edit(ctx, s, r.id, 0, restored)
	return reasonOf(err)
}

// untouched is the refusal to do nothing.
func untouched(touched bool) error {
	if touched {
		return nil
	}
	return refuse(nothing, "")
}

// reasonOf gives the reason of a refusal, and other errors as they are. Somebody who is gone was changed since.
func reasonOf(err error) (Reason, error) {
	var refusal *Refusal
	switch {
	case errors.As(err, &refusal):
		return refusal.Reason, nil
	case errors.Is(err, store.ErrNotFound):
		return ChangedSince, nil
	}
	return "", err
}
