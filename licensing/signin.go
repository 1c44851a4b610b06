package licensing

import (
	"context"
	"errors"
	"fmt"

	"usher/store"
	"usher/store/query"
)

// SignIn is somebody who has proven who they are and asks to be let in.
type SignIn struct {
	Company string // id
	Request string // id of the request, for the audit log

	Connection string // id of the connection that they come by; empty: with a password
	SignOn     int64  // version of its settings by which their proof was judged
	Issuer     string // iss
	Subject    string // sub
	// Match is what the connection's match claim says: the externalId of the account that an identity is linked to when it comes first.
	Match string

	Account  string // of those with a password: the account's id
	Password string // and the hash that it was held against, which must still be theirs

	// Session has the Hash, and what is known of the browser and of the identity provider's session.
	Session store.Session
}

// SignedIn is somebody who was let in.
type SignedIn struct {
	Company store.Company
	Account store.Account
	Session store.Session
	Verdict Verdict
}

// SignIn lets somebody in, or refuses to (*Refusal). Whether they may is decided on the facts, not on what was decided of them before, and
// the session is opened only on these facts: should they change meanwhile, it is decided anew. Signing in makes no account. It takes the
// account into use, by which a reserved seat is active, and links it to the identity, once. A refusal is noted in the audit log under
// the request.
func (d *Directory) SignIn(ctx context.Context, in SignIn) (SignedIn, error) {
	for range attempts {
		out, err := d.signInOnce(ctx, in)
		var taken *store.ConflictError
		switch {
		case errors.Is(err, store.ErrVersion), errors.As(err, &taken) && taken.Field == "Identity":
			continue // somebody else was faster
		case err != nil:
			return out, d.noteRefusal(ctx, in, out.Account.ID, err)
		}
		return out, nil
	}
	return SignedIn{}, store.ErrVersion
}

// noteRefusal writes a refusal to the audit log, and gives it back.
func (d *Directory) noteRefusal(ctx context.Context, in SignIn, account string, err error) error {
	var refusal *Refusal
	if errors.As(err, &refusal) {
		d.Note(ctx, Refused{
			Company: in.Company, Request: in.Request, Connection: in.Connection, Account: account, Issuer: in.Issuer, Subject: in.Subject,
			Code: string(refusal.Reason), Address: in.Session.Address,
		})
	}
	return err
}

func (d *Directory) signInOnce(ctx context.Context, in SignIn) (SignedIn, error) {
	c := Change{Company: in.Company, Door: DoorSignIn, Request: in.Request}
	s, err := d.situation(ctx, c)
	if err != nil {
		return SignedIn{}, err
	}
	out := SignedIn{Company: s.company}
	connection, err := d.connectionOf(ctx, in)
	if err != nil {
		return out, err
	}
	before, err := d.whoSignsIn(ctx, s.company, connection, in)
	if err != nil {
		return out, err
	}
	out.Account, out.Verdict = before, Evaluate(s.company, before)
	reason := out.Verdict.SSOReason
	if connection == nil {
		reason = out.Verdict.PasswordReason
	}
	if reason != "" {
		return out, refuse(reason, "")
	}
	// Somebody may be about to change the account; whoever is first is first.
	done := d.one(before.ID)
	opening, p, err := d.opening(s, connection, before, in)
	if err == nil {
		out.Account, err = d.store.OpenSession(ctx, opening)
	}
	done()
	if err != nil {
		return out, err
	}
	out.Session = opening.Session
	if opening.Write != nil {
		if before.Activation == store.ActivationInvited {
			d.withdraw(ctx, in.Company, before.ID)
		}
		out.Account = d.follow(ctx, s, p, out.Account)
		out.Verdict = Evaluate(s.company, out.Account)
	}
	return out, nil
}

// connectionOf gives the connection that somebody comes by, if it lets people in; nil where they have a password.
func (d *Directory) connectionOf(ctx context.Context, in SignIn) (*store.Connection, error) {
	if in.Connection == "" {
		return nil, nil
	}
	n, err := d.store.Connection(ctx, in.Connection)
	switch {
	case errors.Is(err, store.ErrNotFound), err == nil && n.Company != in.Company:
		return nil, refuse(SSONotConfigured, "")
	case err != nil:
		return nil, fmt.Errorf("connection %s: %w", in.Connection, err)
	case n.SignOn.State != store.SignOnActive:
		return nil, refuse(SSODisabled, "")
	case n.SignOn.Version != in.SignOn:
		return nil, refuse(ConnectionChanged, "")
	}
	return &n, nil
}

// whoSignsIn finds the account: the one that is linked to the identity, or that is to be.
func (d *Directory) whoSignsIn(ctx context.Context, c store.Company, n *store.Connection, in SignIn) (store.Account, error) {
	if n == nil {
		a, err := d.store.Account(ctx, c.ID, in.Account)
		switch {
		case errors.Is(err, store.ErrNotFound), err == nil && (a.Activation != store.ActivationActive || a.Password == "" || a.Password != in.Password):
			return store.Account{}, refuse(PasswordWrong, "")
		case err != nil:
			return a, fmt.Errorf("account %s: %w", in.Account, err)
		}
		return a, nil
	}
	a, err := d.store.AccountByIdentity(ctx, c.ID, in.Issuer, in.Subject)
	if err == nil || !errors.Is(err, store.ErrNotFound) {
		return a, err
	}
	return d.matching(ctx, c, *n, in)
}

// matching finds the account that an identity is to be linked to: the one with the externalId that the match claim says, exactly. One that
// is managed by another connection with single sign-on of its own belongs to that one's identity provider, and is not entered by this.
func (d *Directory) matching(ctx context.Context, c store.Company, n store.Connection, in SignIn) (store.Account, error) {
	if in.Match == "" {
		return store.Account{}, refuse(NotProvisioned, "")
	}
	const some = 10
	page, err := d.store.ListAccounts(ctx, c.ID, store.Query{
		Filter: query.Leaf{Path: "externalId", Op: query.Equal, Type: query.String, Value: in.Match}, Limit: some,
	})
	if err != nil {
		return store.Account{}, fmt.Errorf("accounts by externalId: %w", err)
	}
	var found []store.Account
	for _, a := range page.Accounts {
		if a.ExternalID != in.Match {
			continue
		}
		foreign, err := d.belongsToOther(ctx, a, n)
		if err != nil {
			return store.Account{}, err
		}
		if !foreign {
			found = append(found, a)
		}
	}
	switch {
	case len(found) == 0:
		return store.Account{}, refuse(NotProvisioned, "")
	case len(found) > 1:
		return store.Account{}, refuse(Ambiguous, "")
	case found[0].Identity.Subject == in.Subject && found[0].Identity.Issuer == in.Issuer: // linked since it was looked for
	case found[0].Identity.Subject != "":
		return found[0], refuse(AlreadyLinked, "")
	}
	return found[0], nil
}

// belongsToOther says whether an account is managed by another connection that has single sign-on of its own.
func (d *Directory) belongsToOther(ctx context.Context, a store.Account, n store.Connection) (bool, error) {
	if a.Connection == "" || a.Connection == n.ID {
		return false, nil
	}
	other, err := d.store.Connection(ctx, a.Connection)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return other.SignOn.Issuer != "", err
}

// opening plans what letting somebody in changes of their account, and the session.
func (d *Directory) opening(s situation, n *store.Connection, before store.Account, in SignIn) (store.SessionOpening, plan, error) {
	s.change.Actor = store.Actor{Kind: actorPerson, ID: before.ID}
	s.queues = true
	after := before
	if n != nil {
		if before.Identity.Subject == "" {
			after.Identity = store.Identity{Issuer: in.Issuer, Subject: in.Subject, Connection: n.ID, Linked: s.now}
		}
		if before.Activation != store.ActivationActive {
			// The link stays, so that it can be told from one that never was. Whoever has begun by it may be somebody else.
			after.Activation = store.ActivationActive
			after.Password, after.MustChange, after.Weak = "", false, false
		}
	}
	p, err := makePlan(s, &before, after)
	if err != nil {
		return store.SessionOpening{}, p, err
	}
	session := in.Session
	_, most := SessionLimits(s.company)
	session.ID, session.Company, session.Account = store.NewID(), s.company.ID, before.ID
	session.AccountEpoch, session.CompanyEpoch = before.Epoch, s.company.Epoch
	session.Created, session.Seen, session.Expires = s.now, s.now, s.now.Add(most)
	opening := store.SessionOpening{Session: session, Account: before}
	if p.changed {
		opening.Write = &p.write
		opening.Session.AccountEpoch = p.write.After.Epoch
	}
	detail := signInDetail{Session: session.ID, Address: session.Address}
	if n != nil {
		opening.Session.Connection, opening.Session.Subject, opening.Session.ConnectionEpoch = n.ID, in.Subject, n.Epoch
		opening.SignOn = n.SignOn.Version
		detail.Connection, detail.Issuer, detail.Subject = n.ID, in.Issuer, in.Subject
	}
	opening.Events = []store.Event{newEvent(s.change, s.now, store.EventSession, ActionSignIn, before.ID, detail)}
	return opening, p, nil
}

// signInDetail is what the events of sign-ins say.
type signInDetail struct {
	Session    string `json:"session,omitempty"`
	Connection string `json:"connection,omitempty"`
	Issuer     string `json:"issuer,omitempty"`
	Subject    string `json:"subject,omitempty"`
	Address    string `json:"address,omitempty"`
	Code       string `json:"code,omitempty"`
	Detail     string `json:"detail,omitempty"`
}

// Refused is a sign-in that let nobody in.
type Refused struct {
	Company    string // id
	Request    string // id of the request: the reference that the person is given
	Connection string // id; may be empty
	Account    string // id, where it is known
	Issuer     string
	Subject    string
	Code       string // a reason, with what is behind a dot where there are kinds of it
	Detail     string // for admins; up to 200 bytes of it are kept
	Address    string // where the person came from
}

// maxDetail is how many bytes are kept of what an identity provider says.
const maxDetail = 200

// Note writes a sign-in that was refused to the audit log. That it cannot be written lets nobody in, so it is only logged.
func (d *Directory) Note(ctx context.Context, r Refused) {
	if len(r.Detail) > maxDetail {
		r.Detail = r.Detail[:maxDetail]
	}
	c := Change{Company: r.Company, Door: DoorSignIn, Request: r.Request, Actor: store.Actor{Kind: actorPerson, ID: r.Account}}
	event := newEvent(c, d.now(), store.EventSession, ActionRefuse, r.Account, signInDetail{
		Connection: r.Connection, Issuer: r.Issuer, Subject: r.Subject, Code: r.Code, Detail: r.Detail, Address: r.Address,
	})
	if err := d.store.AppendEvents(context.WithoutCancel(ctx), r.Company, []store.Event{event}); err != nil {
		d.log.ErrorContext(ctx, "a refused sign-in was not noted", "request", r.Request, "code", r.Code, "error", err)
	}
}

// Rehearsal is what a sign-in would come to.
type Rehearsal struct {
	Account store.Account // zero where none was found
	Linked  bool          // whether it is linked to the identity already
	Verdict Verdict
	Reason  Reason // why they would not be let in; empty: they would
}

// Rehearse says what a sign-in by a connection would come to, as if the connection were active, and changes nothing.
func (d *Directory) Rehearse(ctx context.Context, in SignIn) (Rehearsal, error) {
	c, err := d.store.Company(ctx, in.Company)
	if err != nil {
		return Rehearsal{}, fmt.Errorf("company %s: %w", in.Company, err)
	}
	n, err := d.store.Connection(ctx, in.Connection)
	if err != nil {
		return Rehearsal{}, fmt.Errorf("connection %s: %w", in.Connection, err)
	}
	var r Rehearsal
	var refusal *Refusal
	r.Account, err = d.whoSignsIn(ctx, c, &n, in)
	switch {
	case errors.As(err, &refusal):
		r.Reason = refusal.Reason
		return r, nil
	case err != nil:
		return r, err
	}
	r.Linked = r.Account.Identity.Subject != ""
	r.Verdict = Evaluate(c, r.Account)
	r.Reason = r.Verdict.SSOReason
	return r, nil
}
