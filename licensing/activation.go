package licensing

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"time"

	"usher/store"
)

// How a new person comes to use the account.
const (
	SetupLater       = "later"       // not yet, and nobody is told
	SetupInvite      = "invite"      // a mail with a link goes to them
	SetupCredentials = "credentials" // an admin has chosen a password, and no mail goes out
)

// Whom a company invites without being asked to.
const (
	InviteNobody   = "nobody"   // whom identity providers provision they let in themselves
	InviteEveryone = "everyone" // whoever is provisioned with an address gets a mail
)

// InviteFor is how long the link of an invitation is good.
const InviteFor = 7 * 24 * time.Hour

// MailInvite is the kind of the mail that invites a person. Its data is an [Invitation].
const MailInvite = "invite"

// Invitation is what the mail that invites a person says, beside its link.
type Invitation struct {
	Company string    `json:"company"`        // display name
	Name    string    `json:"name,omitempty"` // of the person
	By      string    `json:"by,omitempty"`   // the admin; empty where it was no person
	Until   time.Time `json:"until"`          // how long the link is good
}

// begin sets how a new account comes into use, and gives the mails that go out for it.
func (d *Directory) begin(s situation, a *store.Account, do CreateAccount) ([]store.Mail, error) {
	how, asked := do.Setup.How, true
	if how == "" {
		how, asked = SetupLater, false
		if s.company.Invites == InviteEveryone {
			how = SetupInvite
		}
	}
	switch how {
	case SetupLater:
		return nil, nil
	case SetupCredentials:
		a.Setup = store.Setup{Activation: store.ActivationActive, Password: do.Setup.Password, MustChange: true, Weak: weakHand(s.change)}
		return nil, nil
	case SetupInvite:
		mails, err := d.invitation(s, a, do.Draft.Email)
		if err != nil && (!asked || do.Connection != "") { // an identity provider cannot do anything about it
			return nil, nil
		}
		return mails, err
	}
	return nil, refuse(UnknownSetting, "The set-up cannot be %q; it is one of %s, %s and %s.", how, SetupInvite, SetupCredentials, SetupLater)
}

// invitation gives an account a new link, and the mail that brings it.
func (d *Directory) invitation(s situation, a *store.Account, to string) ([]store.Mail, error) {
	switch {
	case a.Activation == store.ActivationActive:
		return nil, refuse(AlreadyActive, "")
	case !a.Active:
		return nil, refuse(NotInvited, "")
	case !plainAddress(to) || d.Links == nil:
		return nil, refuse(NoAddress, "")
	}
	text := Invitation{Company: s.company.Display, Name: a.Display, Until: s.now.Add(InviteFor)}
	if s.change.Actor.Kind == actorAdmin || s.change.Actor.Kind == actorPerson {
		text.By = s.change.Actor.ID
	}
	data, err := json.Marshal(text)
	if err != nil { // it is a struct of this package, which always marshals
		panic(err)
	}
	m := store.Mail{
		ID: store.NewID(), Company: s.company.ID, Account: a.ID, Kind: MailInvite, To: to, Data: data, Created: s.now, State: store.MailQueued, Due: s.now,
	}
	// Whoever has begun by an earlier link may be somebody else: what they have done and their password go with it.
	a.Setup = store.Setup{Activation: store.ActivationInvited, Link: d.Links(m.ID), LinkUntil: text.Until, Weak: weakHand(s.change)}
	return []store.Mail{m}, nil
}

// inviteByPolicy invites whoever a connection gives access to, or another address, where the company wants everyone invited.
func (d *Directory) inviteByPolicy(s situation, before store.Account, after *store.Account, to string) []store.Mail {
	comes := after.Active && after.Activation == "" && (!before.Active || before.Activation == store.ActivationInvited)
	if s.company.Invites != InviteEveryone || s.change.Actor.Kind != actorConnection || !comes || before.Role == RoleSuperAdmin {
		return nil
	}
	mails, err := d.invitation(s, after, to)
	if err != nil { // an identity provider cannot do anything about it
		return nil
	}
	return mails
}

// aboutAccount gives mails the id of the account that they are about.
func aboutAccount(mails []store.Mail, id string) []store.Mail {
	for i := range mails {
		mails[i].Account = id
	}
	return mails
}

func (d *Directory) invite(ctx context.Context, c Change, do Invite) (Result, error) {
	s, err := d.situation(ctx, c)
	if err != nil {
		return Result{}, err
	}
	return d.editAndTell(ctx, s, do.ID, 0, func(before store.Account) (store.Account, []store.Mail, error) {
		if before.Role == RoleSuperAdmin && !c.MayAssign { // whoever has the link is one, and somebody else may have chosen the address
			return before, nil, refuse(SuperAdminRequired, "")
		}
		after := before
		mails, err := d.invitation(s, &after, do.Address(before))
		return after, mails, err
	})
}

// weakHand says whether a change is made by an admin who may not make Super Admins, or by a person.
func weakHand(c Change) bool {
	return !c.MayAssign && (c.Actor.Kind == actorAdmin || c.Actor.Kind == actorPerson)
}

// withdraw gives up invitations that wait to be sent and whose link is not that of the account: they would bring people in vain. It is not
// worth failing for, because such a link is refused.
func (d *Directory) withdraw(ctx context.Context, company, id string) {
	if err := d.withdrawMails(context.WithoutCancel(ctx), company, id); err != nil {
		d.log.LogAttrs(ctx, slog.LevelWarn, "an invitation that is not good any more was not withdrawn", slog.String("account", id), slog.String("error", err.Error()))
	}
}

func (d *Directory) withdrawMails(ctx context.Context, company, id string) error {
	// The mails first: one that has come since is not among them, and the link of one that is there is the account's, or was.
	mails, err := d.store.ListMails(ctx, company, id, "", invitations)
	if err != nil {
		return err
	}
	a, err := d.store.Account(ctx, company, id)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	for _, m := range mails {
		good := a.Activation == store.ActivationInvited && bytes.Equal(d.Links(m.ID), a.Link)
		// One that is being sent too: when it is refused for now, it is not tried again.
		if m.Kind != MailInvite || m.State != store.MailQueued && m.State != store.MailSending || good {
			continue
		}
		m.State, m.Done, m.Error = store.MailWithdrawn, d.now(), "A later one has taken its place, or it is not needed any more."
		if err := d.store.UpdateMail(ctx, m); err != nil && !errors.Is(err, store.ErrVersion) && !errors.Is(err, store.ErrNotFound) {
			return err
		}
	}
	return nil
}

// invitations is how many of a person's latest mails are looked at.
const invitations = 20

func (d *Directory) setPassword(ctx context.Context, c Change, do SetPassword) (Result, error) {
	s, err := d.situation(ctx, c)
	if err != nil {
		return Result{}, err
	}
	return d.edit(ctx, s, do.ID, 0, func(before store.Account) (store.Account, error) {
		if do.Replaces != "" && before.Password != do.Replaces {
			return before, store.ErrVersion
		}
		if before.Role == RoleSuperAdmin && !c.MayAssign && !do.Own { // whoever knows the password is one
			return before, refuse(SuperAdminRequired, "")
		}
		after := before
		after.Setup = store.Setup{
			Activation: store.ActivationActive, Password: do.Password, MustChange: !do.Own, Weak: weakHand(c) && !do.Own || before.Weak && do.Own, Done: before.Done,
			TOTP: before.TOTP, TOTPStep: before.TOTPStep,
		}
		return after, nil
	})
}

// editSetup changes what a person signs in with; f's error is returned as it is.
func (d *Directory) editSetup(ctx context.Context, c Change, id string, f func(*store.Setup) error) (Result, error) {
	s, err := d.situation(ctx, c)
	if err != nil {
		return Result{}, err
	}
	return d.edit(ctx, s, id, 0, func(before store.Account) (store.Account, error) {
		after := before
		err := f(&after.Setup)
		return after, err
	})
}

// CheckLink says whether a link to the set-up of an account is good at a time; hash is the SHA-256 of its secret. The error is a *Refusal.
func CheckLink(a store.Account, hash []byte, now time.Time) error {
	switch {
	case len(a.Link) == 0 || !bytes.Equal(a.Link, hash) || !a.Active:
		return refuse(LinkInvalid, "")
	case a.Activation == store.ActivationActive:
		return refuse(LinkUsed, "")
	case !now.Before(a.LinkUntil):
		return refuse(LinkExpired, "")
	}
	return nil
}

func (d *Directory) setUp(ctx context.Context, c Change, do SetUp) (Result, error) {
	s, err := d.situation(ctx, c)
	if err != nil {
		return Result{}, err
	}
	return d.edit(ctx, s, do.ID, 0, func(before store.Account) (store.Account, error) {
		if err := CheckLink(before, do.Link, s.now); err != nil {
			return before, err
		}
		after := before
		if do.Edit != nil {
			draft, err := do.Edit(before)
			if err != nil {
				return before, err
			}
			apply(s, &after, draft)
		}
		if do.Step != "" && !slices.Contains(after.Done, do.Step) {
			after.Done = append(slices.Clone(after.Done), do.Step)
		}
		if do.Password != "" || do.Forget {
			after.Password, after.MustChange = do.Password, false
		}
		if do.Finish { // the link stays, so that it can be told from one that never was
			after.Activation = store.ActivationActive
		}
		return after, nil
	})
}

// Kinds of actors.
const (
	actorAdmin  = "admin"  // a local admin of the company
	actorPerson = "person" // an account
)

func equalSetup(a, b store.Setup) bool {
	return a.Activation == b.Activation && bytes.Equal(a.Link, b.Link) && a.LinkUntil.Equal(b.LinkUntil) && slices.Equal(a.Done, b.Done) &&
		a.Password == b.Password && a.MustChange == b.MustChange && a.Weak == b.Weak && a.TOTP == b.TOTP && a.TOTPStep == b.TOTPStep
}
