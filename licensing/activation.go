package licensing

import (
	"bytes"
	"context"
	"encoding/json"
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
		a.Password, a.MustChange, a.Activation = do.Setup.Password, true, store.ActivationActive
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
	case to == "" || d.Links == nil:
		return nil, refuse(NoAddress, "")
	}
	text := Invitation{Company: s.company.Display, Name: a.Display, Until: s.now.Add(InviteFor)}
	if s.change.Actor.Kind == actorAdmin {
		text.By = s.change.Actor.ID
	}
	data, err := json.Marshal(text)
	if err != nil { // it is a struct of this package, which always marshals
		panic(err)
	}
	m := store.Mail{
		ID: store.NewID(), Company: s.company.ID, Account: a.ID, Kind: MailInvite, To: to, Data: data, Created: s.now, State: store.MailQueued, Due: s.now,
	}
	a.Activation, a.Link, a.LinkUntil = store.ActivationInvited, d.Links(m.ID), text.Until
	return []store.Mail{m}, nil
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
		after := before
		mails, err := d.invitation(s, &after, do.Address(before))
		return after, mails, err
	})
}

func (d *Directory) setPassword(ctx context.Context, c Change, do SetPassword) (Result, error) {
	s, err := d.situation(ctx, c)
	if err != nil {
		return Result{}, err
	}
	return d.edit(ctx, s, do.ID, 0, func(before store.Account) (store.Account, error) {
		if before.Role == RoleSuperAdmin && !c.MayAssign && !do.Own { // whoever knows the password is one
			return before, refuse(SuperAdminRequired, "")
		}
		after := before
		after.Password, after.MustChange, after.Activation, after.Link = do.Password, !do.Own, store.ActivationActive, nil
		return after, nil
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
		if do.Password != "" {
			after.Password, after.MustChange = do.Password, false
		}
		if do.Finish { // the link stays, so that it can be told from one that never was
			after.Activation = store.ActivationActive
		}
		return after, nil
	})
}

// actorAdmin is the kind of the actors that are admins of a company.
const actorAdmin = "admin"

func equalSetup(a, b store.Setup) bool {
	return a.Activation == b.Activation && bytes.Equal(a.Link, b.Link) && a.LinkUntil.Equal(b.LinkUntil) && slices.Equal(a.Done, b.Done) &&
		a.Password == b.Password && a.MustChange == b.MustChange
}
