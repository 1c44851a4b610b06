package licensing

import (
	"context"
	"time"

	"usher/store"
)

// Holds says whether a session is still good at a time: why not, and empty if it is. It gives the verdict on the account, which says what
// the person may use. It is pure: the account is nil when it is gone, the connection when the session has none.
func Holds(c store.Company, a *store.Account, n *store.Connection, s store.Session, now time.Time) (Verdict, Reason) {
	if a == nil {
		return Verdict{}, UserDeactivated
	}
	v := Evaluate(c, *a)
	reason := v.PasswordReason
	if s.Connection != "" {
		reason = v.SSOReason
		if reason == "" && (n == nil || n.SignOn.State != store.SignOnActive) {
			reason = SSODisabled
		}
	}
	idle, _ := SessionLimits(c)
	switch {
	case reason != "":
	case a.Epoch != s.AccountEpoch || c.Epoch != s.CompanyEpoch || n != nil && n.Epoch != s.ConnectionEpoch:
		reason = SessionEnded
	case !now.Before(expires(c, s)):
		reason = SessionExpired
	case now.Sub(s.Seen) >= idle:
		reason = SessionIdle
	}
	return v, reason
}

// SessionEnds says when a session ends if it is not used any more.
func SessionEnds(c store.Company, s store.Session) time.Time {
	idle, _ := SessionLimits(c)
	end := expires(c, s)
	if unused := s.Seen.Add(idle); unused.Before(end) {
		return unused
	}
	return end
}

// expires says when a session ends however much it is used: a limit that was lowered since holds for it too.
func expires(c store.Company, s store.Session) time.Time {
	_, most := SessionLimits(c)
	if end := s.Created.Add(most); end.Before(s.Expires) {
		return end
	}
	return s.Expires
}

// Actions of the events of sessions.
const (
	ActionSignIn      = "session.sign-in"
	ActionRefuse      = "session.refuse"
	ActionSignOut     = "session.sign-out"
	ActionEndSession  = "session.end"
	ActionEndSessions = "session.end-all"
)

// SessionEvent makes the event of the end of a session, or of several of one person.
func SessionEvent(action string, now time.Time, request string, s store.Session, why string) store.Event {
	c := Change{Door: DoorSignIn, Request: request, Actor: store.Actor{Kind: actorPerson, ID: s.Account}}
	if s.Account == "" {
		c.Actor = store.Actor{Kind: actorConnection, ID: s.Connection}
	}
	return newEvent(c, now, store.EventSession, action, s.Account, signInDetail{Session: s.ID, Connection: s.Connection, Subject: s.Subject, Detail: why})
}

// ActionSignOnTested is the event of a sign-in by which a connection was tried out.
const ActionSignOnTested = "connection.tested"

// TestedEvent makes the event of a sign-in by which a connection was tried out, and which went well.
func TestedEvent(now time.Time, request, connection string) store.Event {
	c := Change{Door: DoorSignIn, Request: request, Actor: store.Actor{Kind: actorAdmin}}
	return newEvent(c, now, store.EventConnection, ActionSignOnTested, connection, nil)
}

func (d *Directory) endSessions(ctx context.Context, c Change, do EndSessions) (Result, error) {
	s, err := d.situation(ctx, c)
	if err != nil {
		return Result{}, err
	}
	return d.edit(ctx, s, do.ID, 0, func(before store.Account) (store.Account, error) {
		after := before
		after.Epoch++
		return after, nil
	})
}

func (d *Directory) unlink(ctx context.Context, c Change, do Unlink) (Result, error) {
	s, err := d.situation(ctx, c)
	if err != nil {
		return Result{}, err
	}
	return d.edit(ctx, s, do.ID, 0, func(before store.Account) (store.Account, error) {
		if before.Role == RoleSuperAdmin && !c.MayAssign { // whoever comes next with the externalId is one
			return before, refuse(SuperAdminRequired, "")
		}
		after := before
		after.Identity = store.Identity{}
		return after, nil
	})
}
