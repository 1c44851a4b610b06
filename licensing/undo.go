package licensing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
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
	defer d.turn("undo " + c.Company)() // who undoes the same at the same time finds that it is undone
	events, err := d.changeSet(ctx, c.Company, do)
	if err != nil {
		return Result{}, err
	}
	var all []Undone
	people := map[string]*restore{}
	later := map[string]*touched{} // groups that were changed since by others
	var order []string
	for _, e := range slices.Backward(events) {
		if e.foreign {
			if e.Kind == store.EventGroup {
				if later[e.Target] == nil {
					later[e.Target] = &touched{members: map[string]bool{}}
				}
				if err := later[e.Target].by(e.Event); err != nil {
					return Result{}, err
				}
			}
			if r := people[e.Target]; r != nil {
				if err := r.between(e.Event); err != nil {
					return Result{}, err
				}
			}
			continue
		}
		if e.Kind == store.EventAccount || e.Kind == store.EventLicense {
			r := people[e.Target]
			if r == nil {
				r = &restore{id: e.Target}
				people[e.Target], order = r, append(order, e.Target)
			}
			if err := r.before(e.Event); err != nil {
				return Result{}, err
			}
			continue
		}
		reason, err := d.undoFact(ctx, c, do, e.Event, later[e.Target])
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

// touched is what others have done to a group since.
type touched struct {
	all     bool            // it cannot be told to whom
	members map[string]bool // accounts and groups that were added or removed
}

// by takes in an event.
func (t *touched) by(e store.Event) error {
	var was memberDetail
	if len(e.Detail) > 0 {
		if err := json.Unmarshal(e.Detail, &was); err != nil {
			return fmt.Errorf("event %d: %w", e.Seq, err)
		}
	}
	t.all = t.all || e.Action != ActionGroupUpdate || was.Exactly || was.Adding > len(was.Add) || was.Removing > len(was.Remove)
	for _, id := range slices.Concat(was.Add, was.Remove) {
		t.members[id] = true
	}
	return nil
}

// changed is an event of a change set, or a foreign one in between.
type changed struct {
	store.Event
	foreign bool // by others, of what the change set had changed before
}

// changeSet gives the events to undo, in order, with those by others that came in between or after. What usher did by itself follows by
// itself.
func (d *Directory) changeSet(ctx context.Context, company string, do Undo) ([]changed, error) {
	const page = 1000
	var found []changed
	touched := map[string]bool{}
	after := int64(0)
	for {
		events, err := d.store.ListEvents(ctx, company, after, page)
		if err != nil {
			return nil, fmt.Errorf("events: %w", err)
		}
		for _, e := range events {
			after = e.Seq
			byConnection := do.Request == "" && e.Actor.Kind == actorConnection && e.Actor.ID == do.Connection && !e.Time.Before(do.Since)
			switch {
			case e.Door == DoorSystem:
			case do.Request != "" && e.Request == do.Request || byConnection:
				found, touched[e.Target] = append(found, changed{Event: e}), true
			case touched[e.Target]:
				found = append(found, changed{e, true})
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
func (d *Directory) undoFact(ctx context.Context, c Change, do Undo, e store.Event, since *touched) (Reason, error) {
	inverse, reason, err := d.inverse(ctx, c, e, since)
	if inverse == nil || err != nil || do.Preview {
		return reason, err
	}
	c.Do = inverse
	_, err = d.Apply(ctx, c)
	var refusal *Refusal
	var unknown *store.UnknownMemberError
	switch {
	case errors.Is(err, store.ErrNotFound), errors.As(err, &unknown):
		return ChangedSince, nil
	case errors.As(err, &refusal):
		return refusal.Reason, nil
	}
	return "", err
}

// inverse gives the operation that undoes an event; nil with the reason why there is none.
func (d *Directory) inverse(ctx context.Context, c Change, e store.Event, since *touched) (Operation, Reason, error) {
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
		rules, err := d.store.ListRules(ctx, c.Company)
		if err != nil {
			return nil, "", fmt.Errorf("rules: %w", err)
		}
		if slices.ContainsFunc(rules, func(is store.Rule) bool { return sameRule(is, *r) }) {
			return nil, ChangedSince, nil
		}
		return AddRule{Group: r.Group, Match: r.Match, License: License(r.License), Role: r.Role, Priority: r.Priority}, "", nil
	case ActionSetSeats, ActionSetCeiling:
		var was struct {
			Total, Ceiling int
			Was            *int
		}
		if err := decode(&was); err != nil {
			return nil, "", err
		}
		if was.Was == nil { // seats that were added by themselves, or before that was noted
			return nil, CannotUndo, nil
		}
		pool, err := d.store.Pool(ctx, c.Company, e.Target)
		switch {
		case err != nil:
			return nil, "", fmt.Errorf("pool of %s: %w", e.Target, err)
		case e.Action == ActionSetSeats && pool.Total == was.Total:
			return SetSeats{License: License(e.Target), Total: *was.Was}, "", nil
		case e.Action == ActionSetCeiling && pool.Ceiling == was.Ceiling:
			return SetCeiling{License: License(e.Target), Ceiling: *was.Was}, "", nil
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
		if was.Removing == 0 || was.Removing > len(was.Remove) || was.Adding > 0 || was.Exactly {
			return nil, CannotUndo, nil
		}
		there, err := d.store.AccountsByID(ctx, c.Company, was.Gone)
		if err != nil {
			return nil, "", fmt.Errorf("members: %w", err)
		}
		var back []string
		for _, a := range there {
			if since == nil || !since.all && !since.members[a.ID] {
				back = append(back, a.ID)
			}
		}
		if len(back) == 0 {
			return nil, ChangedSince, nil
		}
		return UpdateGroup{ID: e.Target, Edit: func(store.Group) (*GroupDraft, store.MemberChange, error) {
			return nil, store.MemberChange{Add: back}, nil
		}}, "", nil
	}
	return nil, CannotUndo, nil
}

// sameRule says whether two rules say the same.
func sameRule(a, b store.Rule) bool {
	return a.Group == b.Group && a.License == b.License && a.Role == b.Role && a.Priority == b.Priority && reflect.DeepEqual(a.Match, b.Match)
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
	id, action string      // the latest action
	stood      *standingOf // before; nil: the change set did not touch it
	left       *standingOf // after
	asked      *[]store.Source
	asks       *[]store.Source
	made, gone bool
	// Whether others changed the same in between: since an event of the change set, and between two of them.
	othersStood, othersAsked bool
	mixedStood, mixedAsked   bool
}

// recorded is what an event of an account says of the state before and after.
type recorded struct {
	Was *standingOf
	standingOf
	Sources []store.Source
	Were    *[]store.Source
}

func readRecorded(e store.Event) (r recorded, err error) {
	if len(e.Detail) > 0 {
		if err := json.Unmarshal(e.Detail, &r); err != nil {
			return r, fmt.Errorf("event %d: %w", e.Seq, err)
		}
	}
	return r, nil
}

// between takes in an event by somebody else, the latest of the account first.
func (r *restore) between(e store.Event) error {
	said, err := readRecorded(e)
	if err != nil {
		return err
	}
	r.othersStood = r.othersStood || said.Was != nil && !said.Was.byHand().equal(said.standingOf.byHand())
	r.othersAsked = r.othersAsked || said.Were != nil && !slices.EqualFunc(byHand(*said.Were), byHand(said.Sources), equalSource)
	return nil
}

// before takes in an event, the latest of the account first.
func (r *restore) before(e store.Event) error {
	said, err := readRecorded(e)
	if err != nil {
		return err
	}
	if r.action == "" || e.Kind == store.EventAccount {
		r.action = e.Action
	}
	switch {
	case e.Action == ActionUserCreate:
		r.made = true
	case e.Action == ActionUserDelete:
		r.gone = true
	case e.Kind == store.EventAccount && said.Was != nil:
		if r.left == nil {
			left := said.standingOf
			r.left = &left
		}
		r.stood, r.mixedStood = said.Was, r.mixedStood || r.othersStood
	case e.Kind == store.EventLicense && said.Were != nil:
		if r.asks == nil {
			asks := said.Sources
			r.asks = &asks
		}
		r.asked, r.mixedAsked = said.Were, r.mixedAsked || r.othersAsked
	}
	return nil
}

// byHand gives the sources that are not those of rules, which follow by themselves.
func byHand(sources []store.Source) []store.Source {
	return slices.DeleteFunc(slices.Clone(sources), func(x store.Source) bool { return Carrier(x.Kind).byRule() })
}

func (s standingOf) byHand() standingOf {
	s.Roles = without(s.Roles, func(x store.RoleSource) bool { return Carrier(x.Kind).byRule() })
	return s
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
	restored := func(before store.Account) (store.Account, error) {
		after := before
		touched := false
		if r.asked != nil && !slices.EqualFunc(byHand(*r.asked), byHand(*r.asks), equalSource) {
			if r.mixedAsked || !slices.EqualFunc(byHand(before.Sources), byHand(*r.asks), equalSource) {
				return after, refuse(ChangedSince, "")
			}
			ruled := slices.DeleteFunc(slices.Clone(before.Sources), func(x store.Source) bool { return !Carrier(x.Kind).byRule() })
			asked := slices.DeleteFunc(byHand(*r.asked), func(x store.Source) bool { return !x.Until.IsZero() && !x.Until.After(s.now) })
			after.Sources, touched = append(asked, ruled...), true
			slices.SortStableFunc(after.Sources, higher)
		}
		if r.stood == nil {
			return after, untouched(touched)
		}
		stood, left, is := r.stood.byHand(), r.left.byHand(), standsAs(before).byHand()
		if stood.equal(left) {
			return after, untouched(touched)
		}
		if r.mixedStood || !is.equal(left) {
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
