package licensing_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"usher/licensing"
	"usher/store"
	"usher/store/enginetest"
)

func (w *world) invitation(id string) licensing.Invite {
	return licensing.Invite{ID: id, Address: func(a store.Account) string { return a.UserName + "@acme.example" }}
}

// invited sends a person an invitation, and gives the hash of its link.
func (w *world) invited(id string) []byte {
	w.t.Helper()
	w.apply(w.invitation(id))
	return w.account(id).Link
}

func (w *world) account(id string) store.Account {
	w.t.Helper()
	a, err := w.store.Account(context.Background(), w.company, id)
	if err != nil {
		w.t.Fatal(err)
	}
	return a
}

// mails gives those in the outbox, the latest first.
func (w *world) mails() []store.Mail {
	w.t.Helper()
	all, err := w.store.ListMails(context.Background(), w.company, "", "", 100)
	if err != nil {
		w.t.Fatal(err)
	}
	return all
}

func wantRefusal(t *testing.T, err error, want licensing.Reason) {
	t.Helper()
	var refusal *licensing.Refusal
	if !errors.As(err, &refusal) || refusal.Reason != want {
		t.Errorf("error %v, want a refusal with %s", err, want)
	}
}

func TestActivation_atCreation(t *testing.T) {
	everyone := licensing.InviteEveryone
	for _, tt := range []struct {
		name       string
		everyone   bool
		connection string
		setup      licensing.Setup
		edit       func(*licensing.Draft)
		activation string
		seat       string
		mails      int
		refused    licensing.Reason
	}{
		{name: "provisioned", connection: "okta", seat: store.StateReserved},
		{name: "provisioned where everyone is invited", everyone: true, connection: "okta", activation: store.ActivationInvited, seat: store.StateReserved, mails: 1},
		{
			name: "provisioned without an address where everyone is invited", everyone: true, connection: "okta", seat: store.StateReserved,
			edit: func(d *licensing.Draft) { d.Email = "" },
		},
		{
			name: "provisioned inactive where everyone is invited", everyone: true, connection: "okta",
			edit: func(d *licensing.Draft) { d.Active = false },
		},
		{
			name: "provisioned with the wish to be left alone", everyone: true, connection: "okta", setup: licensing.Setup{How: licensing.SetupLater},
			seat: store.StateReserved,
		},
		{name: "invited", setup: licensing.Setup{How: licensing.SetupInvite}, activation: store.ActivationInvited, seat: store.StateReserved, mails: 1},
		{
			name: "invited without an address", setup: licensing.Setup{How: licensing.SetupInvite}, edit: func(d *licensing.Draft) { d.Email = "" },
			refused: licensing.NoAddress,
		},
		{name: "credentials", setup: licensing.Setup{How: licensing.SetupCredentials, Password: "$"}, activation: store.ActivationActive, seat: store.StateActive},
		{name: "later", setup: licensing.Setup{How: licensing.SetupLater}, seat: store.StateReserved},
		{name: "no such thing", setup: licensing.Setup{How: "sometime"}, refused: licensing.UnknownSetting},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, enginetest.Open(t, nil), store.Company{Display: "Acme"}, map[licensing.License]int{plus: 1})
			if tt.everyone {
				w.apply(licensing.SetCompany{Invites: &everyone})
			}
			d := draft("carl", plus)
			if tt.edit != nil {
				tt.edit(&d)
			}
			r, err := w.dir.Apply(t.Context(), w.as("okta", licensing.CreateAccount{Connection: tt.connection, Draft: d, Setup: tt.setup}))
			if tt.refused != "" {
				wantRefusal(t, err, tt.refused)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if a := r.Account; a.Activation != tt.activation || a.SeatState != tt.seat {
				t.Errorf("activation %q, seat %q; want %q and %q", a.Activation, a.SeatState, tt.activation, tt.seat)
			}
			mails := w.mails()
			if len(mails) != tt.mails {
				t.Fatalf("%d mails, want %d", len(mails), tt.mails)
			}
			if tt.mails == 0 {
				return
			}
			m := mails[0]
			var says licensing.Invitation
			if err := json.Unmarshal(m.Data, &says); err != nil {
				t.Fatal(err)
			}
			if m.Account != r.Account.ID || m.To != "carl@acme.example" || m.State != store.MailQueued {
				t.Errorf("mail %+v", m)
			}
			if diff := cmp.Diff(licensing.Invitation{Company: "Acme", Name: "carl", Until: w.now.Add(licensing.InviteFor)}, says); diff != "" {
				t.Errorf("what it says (-want +got):\n%s", diff)
			}
			if !cmp.Equal(r.Account.Link, w.dir.Links(m.ID)) {
				t.Error("the link of the account is not the one in the mail")
			}
		})
	}
}

func TestSetUp(t *testing.T) {
	w := newWorld(t, enginetest.Open(t, nil), store.Company{}, map[licensing.License]int{plus: 1})
	carl := w.create("carl", plus)
	link := w.invited(carl.ID)
	renamed := func(before store.Account) (licensing.Draft, error) {
		d := draft("carl", plus)
		d.Display = "Carl the Great"
		return d, nil
	}
	_, err := w.dir.Apply(t.Context(), w.as("okta", licensing.SetUp{ID: carl.ID, Link: []byte("guessed"), Edit: renamed, Password: "$", Finish: true}))
	wantRefusal(t, err, licensing.LinkInvalid)
	w.apply(licensing.SetUp{ID: carl.ID, Link: link, Edit: renamed, Step: "name"})
	w.apply(licensing.SetUp{ID: carl.ID, Link: link, Step: "name"})
	if a := w.account(carl.ID); a.Display != "Carl the Great" || !cmp.Equal(a.Done, []string{"name"}) || a.Activation != store.ActivationInvited || a.SeatState != store.StateReserved {
		t.Errorf("half-way: %+v", a)
	}
	epoch := w.account(carl.ID).Epoch
	w.apply(licensing.SetUp{ID: carl.ID, Link: link, Step: "password", Password: "$1", Finish: true})
	a := w.account(carl.ID)
	if a.Activation != store.ActivationActive || a.SeatState != store.StateActive || a.Password != "$1" || a.MustChange || a.Epoch == epoch {
		t.Errorf("at the end: %+v", a)
	}
	_, err = w.dir.Apply(t.Context(), w.as("okta", licensing.SetUp{ID: carl.ID, Link: link, Password: "$2", Finish: true}))
	wantRefusal(t, err, licensing.LinkUsed)

	// A seat that comes back after a break is in use at once.
	w.setActive(carl.ID, false)
	w.setActive(carl.ID, true)
	if a := w.account(carl.ID); a.SeatState != store.StateActive {
		t.Errorf("seat %s after the break, want active", a.SeatState)
	}
}

func TestSetUp_deactivatedMeanwhile(t *testing.T) {
	w := newWorld(t, enginetest.Open(t, nil), store.Company{}, nil)
	carl := w.create("carl")
	link := w.invited(carl.ID)
	w.setActive(carl.ID, false)
	_, err := w.dir.Apply(t.Context(), w.as("okta", licensing.SetUp{ID: carl.ID, Link: link, Password: "$", Finish: true}))
	wantRefusal(t, err, licensing.LinkInvalid)
	w.now = w.now.Add(time.Hour)
	if a := w.setActive(carl.ID, true); a.Activation != "" { // who comes back is invited anew
		t.Errorf("back: %+v", a.Setup)
	}
	_, err = w.dir.Apply(t.Context(), w.as("okta", licensing.SetUp{ID: carl.ID, Link: link, Password: "$", Finish: true}))
	wantRefusal(t, err, licensing.LinkInvalid)
	if got := w.mails()[0].State; got != store.MailWithdrawn {
		t.Errorf("the mail is %s", got)
	}
}

// TestInvite_anew has a stranger begin by a link that went to a wrong address.
func TestInvite_anew(t *testing.T) {
	for name, correct := range map[string]func(w *world, id string) (link []byte){
		"invited again": func(w *world, id string) []byte { return w.invited(id) },
		"with another address": func(w *world, id string) []byte {
			w.apply(w.edit(id, func(d *licensing.Draft) { d.Moved, d.Was, d.Email = true, d.Email, "right@acme.example" }))
			return w.invited(id)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, enginetest.Open(t, nil), store.Company{}, nil)
			carl := w.create("carl").ID
			wrong := w.invited(carl)
			w.apply(licensing.SetUp{ID: carl, Link: wrong, Step: "sign-in", Password: "$stranger"})
			right := correct(w, carl)
			if a := w.account(carl); a.Password != "" || a.Done != nil {
				t.Errorf("the stranger's progress is kept: %+v", a.Setup)
			}
			_, err := w.dir.Apply(t.Context(), w.as("okta", licensing.SetUp{ID: carl, Link: wrong, Password: "$", Finish: true}))
			wantRefusal(t, err, licensing.LinkInvalid)
			w.apply(licensing.SetUp{ID: carl, Link: right, Password: "$", Finish: true})
		})
	}
}

// TestInvite_byPolicy has a connection give people access later, and correct their addresses.
func TestInvite_byPolicy(t *testing.T) {
	w := newWorld(t, enginetest.Open(t, nil), store.Company{Invites: licensing.InviteEveryone}, nil)
	d := draft("carl")
	d.Active = false
	carl := w.apply(licensing.CreateAccount{Connection: "okta", Draft: d}).Account.ID
	if n := len(w.mails()); n != 0 {
		t.Fatalf("%d mails for somebody without access", n)
	}
	if a := w.setActive(carl, true); a.Activation != store.ActivationInvited || len(w.mails()) != 1 {
		t.Errorf("with access: %+v, %d mails", a.Setup, len(w.mails()))
	}
	w.apply(w.edit(carl, func(d *licensing.Draft) { d.Moved, d.Was, d.Email = true, d.Email, "right@acme.example" }))
	mails := w.mails()
	if len(mails) != 2 || mails[0].To != "right@acme.example" || mails[0].State != store.MailQueued || mails[1].State != store.MailWithdrawn {
		t.Errorf("with another address: %+v", mails)
	}
}

// TestSetPassword_ofSuperAdmin has a user-admin try to become a Super Admin by the password of one.
func TestSetPassword_ofSuperAdmin(t *testing.T) {
	w := newWorld(t, enginetest.Open(t, nil), store.Company{}, nil)
	carl := w.create("carl")
	w.apply(licensing.SetRole{ID: carl.ID, Role: licensing.RoleSuperAdmin})
	c := w.as("", licensing.SetPassword{ID: carl.ID, Password: "$"})
	c.MayAssign = false
	_, err := w.dir.Apply(t.Context(), c)
	wantRefusal(t, err, licensing.SuperAdminRequired)

	// What somebody who may not make Super Admins has given to a person is worth nothing once the person is one.
	rise := func(what string, mayAssign bool, do licensing.Operation, want store.Setup) {
		t.Helper()
		id := w.create(strings.ReplaceAll(what, " ", ".")).ID
		switch x := do.(type) {
		case licensing.SetPassword:
			x.ID = id
			do = x
		case licensing.Invite:
			x.ID = id
			do = x
		}
		c := w.as("", do)
		c.MayAssign, c.Actor = mayAssign, store.Actor{Kind: "admin", ID: "uli"}
		if _, err := w.dir.Apply(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		w.apply(licensing.SetRole{ID: id, Role: licensing.RoleSuperAdmin})
		got := w.account(id).Setup
		if got.Password != want.Password || got.Activation != want.Activation || (got.Link == nil) != (want.Link == nil) {
			t.Errorf("%s: %+v, want %+v", what, got, want)
		}
	}
	active := store.Setup{Activation: store.ActivationActive}
	rise("given by a user-admin", false, licensing.SetPassword{Password: "$"}, active)
	active.Password = "$"
	rise("given by a Super Admin", true, licensing.SetPassword{Password: "$"}, active)
	rise("their own", false, licensing.SetPassword{Password: "$", Own: true}, active)
	rise("invited by a user-admin", false, w.invitation(""), store.Setup{})
	if got := w.mails()[0].State; got != store.MailWithdrawn {
		t.Errorf("the invitation is %s", got)
	}
	c = w.as("", w.invitation(carl.ID))
	c.MayAssign, c.Actor = false, store.Actor{Kind: "admin", ID: "uli"}
	_, err = w.dir.Apply(t.Context(), c)
	wantRefusal(t, err, licensing.SuperAdminRequired) // who may have chosen the address

	// Whoever came to their password by such a link may be somebody else.
	fay := w.create("fay").ID
	c.Do = w.invitation(fay)
	if _, err := w.dir.Apply(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	w.apply(licensing.SetUp{ID: fay, Link: w.account(fay).Link, Password: "$own", Finish: true})
	w.apply(licensing.SetRole{ID: fay, Role: licensing.RoleSuperAdmin})
	if got := w.account(fay); got.Password != "" || got.Activation != store.ActivationActive {
		t.Errorf("after the set-up: %+v", got.Setup)
	}
	// What identity providers send out by policy is not the word of a user-admin.
	gus := w.create("gus").ID
	c.Actor, c.Do = store.Actor{Kind: "connection", ID: "okta"}, w.invitation(gus)
	if _, err := w.dir.Apply(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	w.apply(licensing.SetRole{ID: gus, Role: licensing.RoleSuperAdmin})
	if got := w.account(gus); got.Link == nil {
		t.Errorf("invited by policy: %+v", got.Setup)
	}
	rise("invited by a Super Admin", true, w.invitation(""), store.Setup{Activation: store.ActivationInvited, Link: []byte{1}})
}

// TestInvite_storm has many invite one person at the same time: one mail is left, and its link is good.
func TestInvite_storm(t *testing.T) {
	onEachStore(t, func(t *testing.T, s store.Store) {
		w := newWorld(t, s, store.Company{}, nil)
		carl := w.create("carl").ID
		var wait sync.WaitGroup
		for range 8 {
			wait.Go(func() {
				if _, err := w.dir.Apply(context.Background(), w.as("okta", w.invitation(carl))); err != nil && !errors.Is(err, store.ErrVersion) {
					t.Error(err)
				}
			})
		}
		wait.Wait()
		var good []string
		for _, m := range w.mails() {
			if m.State == store.MailQueued {
				good = append(good, m.ID)
			}
		}
		if len(good) != 1 || !cmp.Equal(w.dir.Links(good[0]), w.account(carl).Link) {
			t.Errorf("to be sent: %v; the link of the account is that of none of them or one of many", good)
		}

		// And many use the link: for one it works.
		link := w.account(carl).Link
		used := make(chan error, 8)
		for i := range cap(used) {
			go func() {
				_, err := w.dir.Apply(context.Background(), w.as("okta", licensing.SetUp{ID: carl, Link: link, Password: "$" + string(rune('a'+i)), Finish: true}))
				used <- err
			}()
		}
		n := 0
		for range cap(used) {
			if err := <-used; err == nil {
				n++
			} else {
				wantRefusal(t, err, licensing.LinkUsed)
			}
		}
		if n != 1 {
			t.Errorf("the link worked %d times", n)
		}
	})
}

// TestInvite_underWay supersedes an invitation that is being sent: whoever sends it finds that, and tries no more.
func TestInvite_underWay(t *testing.T) {
	onEachStore(t, func(t *testing.T, s store.Store) {
		w := newWorld(t, s, store.Company{}, nil)
		carl := w.create("carl").ID
		w.invited(carl)
		sending := w.mails()[0]
		sending.State = store.MailSending
		if err := s.UpdateMail(t.Context(), sending); err != nil {
			t.Fatal(err)
		}
		sending.Version++
		w.invited(carl)
		sending.State = store.MailQueued // the mail server says: not now
		if err := s.UpdateMail(t.Context(), sending); !errors.Is(err, store.ErrVersion) {
			t.Errorf("tried again: %v", err)
		}
		if mails := w.mails(); mails[0].State != store.MailQueued || mails[1].State != store.MailWithdrawn {
			t.Errorf("mails: %+v", mails)
		}
	})
}
