package licensing

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"usher/store"
)

// situation is what a plan depends on beside the account itself.
type situation struct {
	company store.Company
	change  Change
	now     time.Time
	// pools gives the numbers of a pool. It is asked only for the licenses that the account wants or holds.
	pools func(License) (store.Pool, error)
	rules ruleSet
	// inTurn says that it is the account's turn in the queue, so that it need not stand behind those who wait.
	inTurn bool
	// queues says that the change waits for a seat whatever the company's policy: changes of groups and rules do.
	queues bool
	// yields says that the seat of a deactivated person is to be given up, because it is needed or was held long enough.
	yields bool
}

// plan is what a change would do to one account. It can be looked at before, instead of, or after the commit.
type plan struct {
	write   store.AccountWrite
	changed bool      // false: nothing to write
	frees   []License // pools that the write gives a seat back to
	waits   License   // the queue that the account may end up in
}

// makePlan plans what makes after of before (nil for a new account): it decides the license columns of after, claims or gives back
// the seat, and writes the events. It does nothing by itself.
func makePlan(s situation, before *store.Account, after store.Account) (plan, error) {
	if err := decide(s, before, &after); err != nil {
		return plan{}, err
	}
	if err := mayRaise(s.change, before, &after); err != nil {
		return plan{}, err
	}
	if before != nil && raised(before, &after) && after.Weak {
		weaken(&after)
	}
	p := plan{write: store.AccountWrite{Before: before, After: after}}
	if before != nil && before.Seat != "" && before.Seat != after.Seat {
		p.frees = append(p.frees, License(before.Seat))
	}
	if after.LicenseState == store.StateWaiting {
		p.waits = License(after.License)
		if err := claim(s, before, &p); err != nil {
			return plan{}, err
		}
	}
	p.changed = before == nil || !equal(*before, p.write.After)
	if !p.changed {
		return p, nil
	}
	if before != nil && guarded(s.change) && takes(*before, p.write.After) {
		p.write.Loss = s.change.Actor.ID
	}
	finish(s, before, &p.write.After, &p.write.Events)
	if p.write.NoSeat != nil {
		finish(s, before, &p.write.NoSeat.Account, &p.write.NoSeat.Events)
	}
	return p, nil
}

// mayRaise refuses to make a Super Admin of somebody by a rule on what an admin who is none, or the person, has just said of them. What
// identity providers say is for whoever made the rule to judge.
func mayRaise(c Change, before, after *store.Account) error {
	if !raised(before, after) || !weakHand(c) {
		return nil
	}
	return refuse(SuperAdminRequired, "")
}

// weaken takes from somebody who becomes a Super Admin what somebody has, or may have, who may not make one: a link that was sent to an
// address of their choice, and a password that goes back to such a link or was given by them, whoever has changed it since.
func weaken(a *store.Account) {
	if a.Activation == store.ActivationInvited {
		a.Setup = store.Setup{}
		return
	}
	a.Password, a.MustChange, a.Weak = "", false, false
}

// raised says whether somebody becomes a Super Admin.
func raised(before, after *store.Account) bool {
	return after.Role == RoleSuperAdmin && (before == nil || before.Role != RoleSuperAdmin)
}

// decide sets the license columns of a for the seat that it holds, giving up a seat that it may not keep.
func decide(s situation, before, a *store.Account) error {
	if keep, err := keepsSeat(s, before, a); err != nil {
		return err
	} else if !keep {
		a.Seat, a.SeatState, a.SeatSince = "", "", time.Time{}
	}
	if a.Seat != "" {
		switch state := a.SeatState; {
		case !a.Active && state != store.StateHeld:
			a.SeatState, a.SeatSince = store.StateHeld, s.now
		case a.Active && state == store.StateHeld:
			a.SeatState, a.SeatSince = seatOf(a), s.now
		case a.Active:
			a.SeatState = seatOf(a)
		}
	}
	show(s, before, a)
	return nil
}

// seatOf is the state of the seat of an active account: reserved until the person takes the account into use. One that is active stays so.
func seatOf(a *store.Account) string {
	if a.Activation == store.ActivationActive || a.SeatState == store.StateActive {
		return store.StateActive
	}
	return store.StateReserved
}

// show writes the verdict on a into its columns.
func show(s situation, before, a *store.Account) {
	v := Evaluate(s.company, *a)
	a.License, a.LicenseState, a.LicenseReason = string(v.License.License), v.License.State, string(v.License.Reason)
	a.Effective, a.Role = string(v.Effective), v.Role
	a.Priority = 0
	first := time.Time{}
	for _, source := range a.Sources {
		if source.License != a.License {
			continue
		}
		a.Priority = max(a.Priority, source.Priority)
		if first.IsZero() || source.At.Before(first) {
			first = source.At
		}
	}
	if before == nil || before.License != a.License { // a person keeps the place that the first request gave them
		a.Requested = first
	}
}

// keepsSeat says whether the account keeps the seat that it holds.
func keepsSeat(s situation, before, a *store.Account) (bool, error) {
	if a.Seat == "" {
		return true, nil
	}
	v := Evaluate(s.company, *a)
	switch {
	case v.License.State == store.StateNone, v.License.State == store.StateBlocked && v.License.Reason != AccountInactive:
		return false, nil
	case a.Seat != string(v.License.License) && !swapping(before, a, v.License.License):
		return false, nil
	case a.Active:
		return true, nil
	case s.yields:
		return false, nil
	}
	pool, err := s.pools(License(a.Seat))
	if err != nil {
		return false, err
	}
	others := inUse(pool)
	if a.SeatState != store.StateHeld {
		others--
	}
	// The seat of a deactivated person is held only while nobody waits for it, or while nobody could have it: when the company has
	// more seats in use than it owns, or does not pay.
	return pool.Waiting == 0 || others >= pool.Total || unpaid(s.company), nil
}

// inUse is the number of seats that nobody who needs one can have: held ones are given up for somebody who does.
func inUse(p store.Pool) int { return p.Used - p.Held }

// swapping says whether an account that wants another license than the one it has a seat of keeps the old seat until there is a
// new one: while some source still asks for the old one, while it has been waiting for the swap, and when a source that asked for
// the old one has changed its mind.
func swapping(before, a *store.Account, want License) bool {
	asks := func(sources []store.Source, match func(store.Source) bool) bool {
		return slices.ContainsFunc(sources, match)
	}
	switch {
	case asks(a.Sources, func(x store.Source) bool { return x.License == a.Seat }):
		return true
	case before == nil:
		return false
	case before.License != before.Seat && before.License == string(want):
		return true
	}
	return asks(before.Sources, func(old store.Source) bool {
		return old.License == a.Seat && asks(a.Sources, func(x store.Source) bool { return same(x, old) })
	})
}

// claim turns the plan of an account that wants a seat into one with two outcomes, or refuses it under a strict policy.
func claim(s situation, before *store.Account, p *plan) error {
	waiting := p.write.After
	queued := before != nil && before.LicenseState == store.StateWaiting && before.License == waiting.License
	if queued && !s.inTurn {
		return nil // it is in the queue already; the queue will serve it
	}
	strict := s.company.SeatPolicy == SeatsStrict && !s.queues && !queued
	switch {
	case unpaid(s.company) && strict:
		return refuse(BillingSuspended, "No seats are given while a payment of the company is overdue.")
	case unpaid(s.company):
		return nil
	}
	pool, err := s.pools(License(waiting.License))
	if err != nil {
		return err
	}
	if pool.Waiting > 0 && !s.inTurn || inUse(pool) >= limit(pool) {
		if strict {
			return refuse(NoSeatAvailable, "No %s seats available (%d of %d assigned).", License(waiting.License).Name(), pool.Used, pool.Total)
		}
		return nil
	}
	granted := waiting
	granted.Seat, granted.SeatState, granted.SeatSince = waiting.License, seatOf(&waiting), s.now
	show(s, before, &granted)
	p.write.After = granted
	if !strict && !s.inTurn { // whose turn it is has nothing new to be written when there is no seat after all
		p.write.NoSeat = &store.NoSeat{Account: waiting}
	}
	if before != nil && before.Seat != "" && !slices.Contains(p.frees, License(before.Seat)) {
		p.frees = append(p.frees, License(before.Seat))
	}
	return nil
}

// finish sets what every changed account gets: the time, the epoch when sessions must end, and the events.
func finish(s situation, before, a *store.Account, events *[]store.Event) {
	a.Modified = s.now
	if before != nil {
		could := Evaluate(s.company, *before).SSO
		can := Evaluate(s.company, *a).SSO
		lowered := higherRole(before.Role, a.Role) > 0
		if a.Epoch != before.Epoch { // it is what the change is for
			*events = append(*events, newEvent(s.change, s.now, store.EventSession, ActionEndSessions, a.ID, nil))
		}
		if could && !can || before.Active && !a.Active || before.Password != a.Password || lowered ||
			before.Identity.Subject != "" && before.Identity != a.Identity {
			a.Epoch = before.Epoch + 1
		}
	}
	if before == nil || !equalPerson(*before, *a) {
		*events = append(*events, accountEvent(s, before, *a))
	}
	if before == nil && a.License != "" || before != nil && !equalDecision(before.Decision, a.Decision) {
		*events = append(*events, licenseEvent(s, before, *a))
	}
}

// Actions of the events of accounts.
const (
	ActionUserCreate = "user.create"
	ActionUserUpdate = "user.update"
	ActionUserDelete = "user.delete"
	ActionLicense    = "license.change"

	ActionUserInvite   = "user.invite"
	ActionUserActivate = "user.activate"
	ActionUserLink     = "user.link"
	ActionUserUnlink   = "user.unlink"
)

func accountEvent(s situation, before *store.Account, a store.Account) store.Event {
	type detail struct {
		Was        *standingOf        `json:"was,omitempty"` // before the change, where it was different
		ExternalID string             `json:"externalId,omitempty"`
		Connection string             `json:"connection,omitempty"`
		Activation string             `json:"activation,omitempty"`
		MemberType string             `json:"memberType"`
		Role       string             `json:"role"`
		Roles      []store.RoleSource `json:"roleSources,omitempty"`
		Active     bool               `json:"active"`
		WasActive  *bool              `json:"wasActive,omitempty"`
		Issuer     string             `json:"issuer,omitempty"` // of the identity that was linked or unlinked
		Subject    string             `json:"subject,omitempty"`
	}
	d := detail{ExternalID: a.ExternalID, Connection: a.Connection, Activation: a.Activation, MemberType: a.MemberType, Role: a.Role, Roles: a.RoleSources, Active: a.Active}
	action := ActionUserCreate
	if before != nil {
		action, d.WasActive = ActionUserUpdate, &before.Active
		if was := standsAs(*before); !was.equal(standsAs(a)) {
			d.Was = &was
		}
		switch {
		case before.Identity != a.Identity && a.Identity.Subject != "":
			action, d.Issuer, d.Subject = ActionUserLink, a.Identity.Issuer, a.Identity.Subject
		case before.Identity != a.Identity:
			action, d.Issuer, d.Subject = ActionUserUnlink, before.Identity.Issuer, before.Identity.Subject
		case before.Activation != a.Activation && a.Activation == store.ActivationActive:
			action = ActionUserActivate
		case a.Link != nil && !bytes.Equal(before.Link, a.Link):
			action = ActionUserInvite
		}
	}
	return newEvent(s.change, s.now, store.EventAccount, action, a.ID, d)
}

// holding is what the ledger says of an account's license: enough to know its state from the last event alone.
type holding struct {
	License   string `json:"license"`
	State     string `json:"state"`
	Reason    string `json:"reason,omitempty"`
	Effective string `json:"effective"`
	Seat      string `json:"seat,omitempty"`
	SeatState string `json:"seatState,omitempty"`
}

func holdingOf(d store.Decision) holding {
	return holding{License: d.License, State: d.LicenseState, Reason: d.LicenseReason, Effective: d.Effective, Seat: d.Seat, SeatState: d.SeatState}
}

func licenseEvent(s situation, before *store.Account, a store.Account) store.Event {
	type detail struct {
		From    holding         `json:"from"`
		To      holding         `json:"to"`
		Sources []store.Source  `json:"sources,omitempty"`
		Were    *[]store.Source `json:"were,omitempty"` // before the change, where they were different
	}
	d := detail{From: holding{State: store.StateNone, Effective: string(VideoPro)}, To: holdingOf(a.Decision), Sources: a.Sources}
	if before != nil {
		d.From = holdingOf(before.Decision)
		if !slices.EqualFunc(before.Sources, a.Sources, equalSource) {
			were := append([]store.Source{}, before.Sources...)
			d.Were = &were
		}
	}
	return newEvent(s.change, s.now, store.EventLicense, ActionLicense, a.ID, d)
}

// newEvent makes an event of a change; detail is marshalled to JSON.
func newEvent(c Change, now time.Time, kind, action, target string, detail any) store.Event {
	raw, err := json.Marshal(detail)
	if err != nil { // details are structs of this package, which always marshal
		panic(fmt.Sprintf("licensing: event detail: %v", err))
	}
	e := store.Event{Time: now, Kind: kind, Action: action, Actor: c.Actor, Door: c.Door, Request: c.Request, Target: target, Detail: raw}
	if c.Tolerated != nil {
		e.Quirks = c.Tolerated()
	}
	return e
}

// equal says whether two states of an account differ in nothing that a write would change.
func equal(a, b store.Account) bool {
	return equalPerson(a, b) && equalDecision(a.Decision, b.Decision) && a.Epoch == b.Epoch
}

// equalPerson compares what is not license.
func equalPerson(a, b store.Account) bool {
	return a.UserName == b.UserName && a.ExternalID == b.ExternalID && a.Connection == b.Connection && a.Display == b.Display &&
		a.Extension == b.Extension && equalSetup(a.Setup, b.Setup) && a.Identity == b.Identity &&
		a.Active == b.Active && a.MemberType == b.MemberType && a.Role == b.Role && equalRoles(a.RoleSources, b.RoleSources) &&
		bytes.Equal(a.Doc, b.Doc)
}

// equalDecision compares what is license.
func equalDecision(a, b store.Decision) bool {
	return holdingOf(a) == holdingOf(b) && a.Priority == b.Priority && a.Requested.Equal(b.Requested) && a.SeatSince.Equal(b.SeatSince) &&
		slices.EqualFunc(a.Sources, b.Sources, equalSource)
}

func equalSource(x, y store.Source) bool {
	return same(x, y) && x.By == y.By && x.License == y.License && x.Priority == y.Priority && x.Approved == y.Approved &&
		x.Refused == y.Refused && x.At.Equal(y.At) && x.Until.Equal(y.Until)
}
