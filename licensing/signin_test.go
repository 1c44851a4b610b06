package licensing_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"usher/licensing"
	"usher/store"
	"usher/store/enginetest"
)

// idp gives the world's connection single sign-on, and returns it.
func (w *world) idp(state string) store.Connection {
	w.t.Helper()
	w.connect("okta")
	c, err := w.store.Connection(context.Background(), "okta")
	if err != nil {
		w.t.Fatal(err)
	}
	c.SignOn.State, c.SignOn.Issuer = state, "https://idp.example"
	if c, err = w.store.SetSignOn(context.Background(), c, nil); err != nil {
		w.t.Fatal(err)
	}
	return c
}

func (w *world) signIn(c store.Connection, subject, match string) (licensing.SignedIn, licensing.Reason) {
	w.t.Helper()
	in := licensing.SignIn{
		Company: w.company, Request: store.NewID(), Connection: c.ID, SignOn: c.SignOn.Version, Issuer: c.SignOn.Issuer, Subject: subject, Match: match,
		Session: store.Session{Hash: sha256.Sum256([]byte(store.NewID()))},
	}
	out, err := w.dir.SignIn(context.Background(), in)
	var refusal *licensing.Refusal
	switch {
	case err == nil:
		return out, w.holds(out.Session)
	case errors.As(err, &refusal):
		return out, refusal.Reason
	}
	w.t.Fatal(err)
	return out, ""
}

// holds says why a session is not good any more.
func (w *world) holds(s store.Session) licensing.Reason {
	w.t.Helper()
	ctx := context.Background()
	c, err := w.store.Company(ctx, w.company)
	if err != nil {
		w.t.Fatal(err)
	}
	var account *store.Account
	if a, err := w.store.Account(ctx, w.company, s.Account); err == nil {
		account = &a
	}
	var connection *store.Connection
	if s.Connection != "" {
		n, err := w.store.Connection(ctx, s.Connection)
		if err != nil {
			w.t.Fatal(err)
		}
		connection = &n
	}
	_, reason := licensing.Holds(c, account, connection, s, w.now)
	return reason
}

// person has an externalId that filters find.
func (w *world) person(name string, asks ...licensing.License) string {
	w.t.Helper()
	d := draft(name, asks...)
	d.Doc = []byte(`{"active":true,"externalId":"ext-` + name + `","userName":"` + name + `"}`)
	return w.apply(licensing.CreateAccount{Connection: "okta", Draft: d}).Account.ID
}

func (w *world) wantSignIn(what string, c store.Connection, subject, match string, want licensing.Reason) licensing.SignedIn {
	w.t.Helper()
	out, reason := w.signIn(c, subject, match)
	if reason != want {
		w.t.Errorf("%s: %q, want %q", what, reason, want)
	}
	return out
}

func TestSignIn(t *testing.T) {
	onEachStore(t, func(t *testing.T, s store.Store) {
		w := newWorld(t, s, store.Company{}, map[licensing.License]int{plus: 2})
		c := w.idp(store.SignOnActive)
		ada, bob := w.person("ada", plus), w.person("bob")
		w.wantSignIn("nobody's externalId", c, "sub-x", "ext-nobody", licensing.NotProvisioned)
		w.wantSignIn("another case", c, "sub-a", "EXT-ada", licensing.NotProvisioned)
		w.wantSignIn("no match claim", c, "sub-a", "", licensing.NotProvisioned)
		w.check(ada, plus, store.StateReserved, "")

		in := w.wantSignIn("first", c, "sub-a", "ext-ada", "")
		w.check(ada, plus, store.StateActive, "")
		if a := w.account(ada); in.Account.ID != ada || a.Identity.Subject != "sub-a" || a.Identity.Issuer != c.SignOn.Issuer || a.Activation != store.ActivationActive {
			t.Errorf("linked: %+v", a.Identity)
		}
		version := w.account(ada).Version
		w.wantSignIn("again, whatever the claim says", c, "sub-a", "ext-bob", "")
		if got := w.account(ada).Version; got != version {
			t.Errorf("a later sign-in has changed the account: version %d, was %d", got, version)
		}
		w.wantSignIn("another subject with her externalId", c, "sub-b", "ext-ada", licensing.AlreadyLinked)
		w.wantSignIn("without the license", c, "sub-b", "ext-bob", licensing.LicenseHasNoSSO)
		if a := w.account(bob); a.Identity.Subject != "" || a.Activation != "" {
			t.Error("a refused sign-in has changed the account")
		}
		twin := draft("twin", plus)
		twin.ExternalID, twin.Doc = "ext-bob", []byte(`{"active":true,"externalId":"ext-bob","userName":"twin"}`)
		w.apply(licensing.CreateAccount{Connection: "other", Draft: twin})
		w.wantSignIn("two accounts", c, "sub-b", "ext-bob", licensing.Ambiguous)

		w.apply(licensing.Unlink{ID: ada})
		if reason := w.holds(in.Session); reason != licensing.SessionEnded {
			t.Errorf("the session of before the unlinking: %q", reason)
		}
		w.wantSignIn("relinked", c, "sub-new", "ext-ada", "")
		w.wantSignIn("the subject of before", c, "sub-a", "ext-ada", licensing.AlreadyLinked)

		stale := c
		stale.SignOn.Version--
		w.wantSignIn("settings of before", stale, "sub-new", "", licensing.ConnectionChanged)
		c.SignOn.State = store.SignOnDisabled
		if _, err := s.SetSignOn(t.Context(), c, nil); err != nil {
			t.Fatal(err)
		}
		w.wantSignIn("disabled", c, "sub-new", "", licensing.SSODisabled)
		for _, e := range w.events(licensing.ActionRefuse) {
			if e.Request == "" || e.Kind != store.EventSession {
				t.Errorf("event %+v", e)
			}
		}
		if n := len(w.events(licensing.ActionSignIn)); n != 3 {
			t.Errorf("%d sign-ins noted, want 3", n)
		}
		w.checkInvariants(w.t)
	})
}

// TestSignIn_ofAnotherConnection: the identity provider of one connection cannot enter by the accounts of another that has its own.
func TestSignIn_ofAnotherConnection(t *testing.T) {
	w := newWorld(t, enginetest.Open(t, nil), store.Company{}, map[licensing.License]int{plus: 2})
	c := w.idp(store.SignOnActive)
	other := store.Connection{ID: "entra", Company: w.company, Name: "entra", Mode: store.ModeLive}
	if err := w.store.CreateConnection(t.Context(), other, nil); err != nil {
		t.Fatal(err)
	}
	d := draft("eve", plus)
	d.Doc = []byte(`{"active":true,"externalId":"ext-eve","userName":"eve"}`)
	eve := w.apply(licensing.CreateAccount{Connection: "entra", Draft: d}).Account.ID
	other.SignOn.State, other.SignOn.Issuer = store.SignOnDisabled, "https://entra.example"
	if _, err := w.store.SetSignOn(t.Context(), other, nil); err != nil {
		t.Fatal(err)
	}
	w.wantSignIn("an account of a connection with sign-on of its own", c, "s", "ext-eve", licensing.NotProvisioned)
	other.SignOn = store.SignOn{Version: 1}
	if _, err := w.store.SetSignOn(t.Context(), other, nil); err != nil {
		t.Fatal(err)
	}
	if in := w.wantSignIn("an account of one without", c, "s", "ext-eve", ""); in.Account.ID != eve {
		t.Errorf("signed in as %s", in.Account.UserName)
	}
}

// TestSignIn_invited: who comes by single sign-on takes over what somebody may have begun by a link.
func TestSignIn_invited(t *testing.T) {
	w := newWorld(t, enginetest.Open(t, nil), store.Company{}, map[licensing.License]int{plus: 1})
	c := w.idp(store.SignOnActive)
	ada := w.person("ada", plus)
	link := w.invited(ada)
	w.apply(licensing.SetUp{ID: ada, Link: link, Step: "sign-in", Password: "$somebody's"})
	w.wantSignIn("invited", c, "s", "ext-ada", "")
	if a := w.account(ada); a.Password != "" || a.Activation != store.ActivationActive {
		t.Errorf("password %q, activation %q", a.Password, a.Activation)
	}
	for _, m := range w.mails() {
		if m.State == store.MailQueued {
			t.Error("the invitation is still on its way")
		}
	}
	w.wantRefusal(licensing.SetUp{ID: ada, Link: link, Finish: true}, licensing.LinkUsed)
}

// TestHolds walks the doors by which somebody loses their session, and sees that it does not come back with what was lost.
func TestHolds(t *testing.T) {
	free, paid := licensing.TierFree, licensing.TierVideoProPlus
	nobody := licensing.LocalNobody
	for name, tt := range map[string]struct {
		lose, restore func(w *world, id string)
		during        licensing.Reason
		after         licensing.Reason
	}{
		"deactivated": {
			func(w *world, id string) { w.setActive(id, false) }, func(w *world, id string) { w.setActive(id, true) },
			licensing.UserDeactivated, licensing.SessionEnded,
		},
		"license lost": {
			func(w *world, id string) { w.ask(id) }, func(w *world, id string) { w.ask(id, plus) },
			licensing.LicenseHasNoSSO, licensing.SessionEnded,
		},
		"a veto": {
			func(w *world, id string) { w.apply(licensing.Assign{ID: id, License: base}) },
			func(w *world, id string) { w.apply(licensing.Assign{ID: id}) },
			licensing.LicenseHasNoSSO, licensing.SessionEnded,
		},
		"guest": {
			func(w *world, id string) { w.apply(licensing.SetMember{ID: id, MemberType: licensing.GuestMember}) },
			func(w *world, id string) { w.apply(licensing.SetMember{ID: id, MemberType: licensing.Coworker}) },
			licensing.GuestCannotUseSSO, licensing.SessionEnded,
		},
		"tier": {
			func(w *world, _ string) { w.apply(licensing.SetCompany{Tier: &free}) },
			func(w *world, _ string) { w.apply(licensing.SetCompany{Tier: &paid}) },
			licensing.CompanyTierHasNoSSO, licensing.SessionEnded,
		},
		"billing": {
			func(w *world, _ string) { w.apply(payment(licensing.PaymentSuspended, time.Time{})) },
			func(w *world, _ string) { w.apply(payment(licensing.PaymentOK, time.Time{})) },
			licensing.BillingSuspended, licensing.SessionEnded,
		},
		"ended by an admin": {
			func(w *world, id string) { w.apply(licensing.EndSessions{ID: id}) }, func(*world, string) {},
			licensing.SessionEnded, licensing.SessionEnded,
		},
		"no passwords any more": {
			func(w *world, _ string) { w.apply(licensing.SetCompany{LocalSignIn: &nobody}) }, func(*world, string) {},
			licensing.SessionEnded, licensing.SessionEnded,
		},
		"idle": {
			func(w *world, _ string) { w.now = w.now.Add(licensing.SessionIdleLimit) }, func(*world, string) {},
			licensing.SessionIdle, licensing.SessionIdle,
		},
		"too long": {
			func(w *world, _ string) { w.now = w.now.Add(licensing.SessionMaxLimit) }, func(*world, string) {},
			licensing.SessionExpired, licensing.SessionExpired,
		},
		"the most is less now": {
			func(w *world, _ string) {
				most := time.Hour
				w.apply(licensing.SetCompany{SessionMax: &most})
				w.now = w.now.Add(most)
			}, func(*world, string) {},
			licensing.SessionExpired, licensing.SessionExpired,
		},
		"deleted": {
			func(w *world, id string) { w.apply(licensing.DeleteAccount{ID: id}) }, func(w *world, _ string) { w.person("ada", plus) },
			licensing.UserDeactivated, licensing.SessionEnded,
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, enginetest.Open(t, nil), store.Company{}, map[licensing.License]int{plus: 1})
			c := w.idp(store.SignOnActive)
			ada := w.person("ada", plus)
			in := w.wantSignIn("before", c, "s", "ext-ada", "")
			tt.lose(w, ada)
			if got := w.holds(in.Session); got != tt.during {
				t.Errorf("then: %q, want %q", got, tt.during)
			}
			tt.restore(w, ada)
			if got := w.holds(in.Session); got != tt.after {
				t.Errorf("afterwards: %q, want %q", got, tt.after)
			}
		})
	}
}

// TestSignIn_password: with a password people of any license come in, as the company lets them.
func TestSignIn_password(t *testing.T) {
	w := newWorld(t, enginetest.Open(t, nil), store.Company{}, map[licensing.License]int{plus: 1})
	ada, bob := w.create("ada", plus).ID, w.create("bob").ID
	for _, id := range []string{ada, bob} {
		w.apply(licensing.SetPassword{ID: id, Password: "$hash", Own: true})
	}
	try := func(what, id, password string, want licensing.Reason) store.Session {
		t.Helper()
		out, err := w.dir.SignIn(t.Context(), licensing.SignIn{
			Company: w.company, Account: id, Password: password, Session: store.Session{Hash: sha256.Sum256([]byte(store.NewID()))},
		})
		var refusal *licensing.Refusal
		switch got := licensing.Reason(""); {
		case errors.As(err, &refusal):
			got = refusal.Reason
			fallthrough
		case err == nil:
			if got != want {
				t.Errorf("%s: %q, want %q", what, got, want)
			}
		default:
			t.Fatal(err)
		}
		return out.Session
	}
	set := func(mode string) { w.apply(licensing.SetCompany{LocalSignIn: &mode}) }
	try("without the license", bob, "$hash", "")
	session := try("with it", ada, "$hash", "")
	try("a password of before", bob, "$old", licensing.PasswordWrong)
	set(licensing.LocalWithoutSSO)
	if got := w.holds(session); got == "" {
		t.Error("the session goes on though its person has to use single sign-on")
	}
	try("who has single sign-on", ada, "$hash", licensing.PasswordNotAllowed)
	session = try("who has not", bob, "$hash", "")
	set(licensing.LocalNobody)
	if got := w.holds(session); got != licensing.PasswordNotAllowed {
		t.Errorf("the session: %q", got)
	}
	try("nobody", bob, "$hash", licensing.PasswordNotAllowed)
	set(licensing.LocalEveryone)
	w.setActive(bob, false)
	try("deactivated", bob, "$hash", licensing.UserDeactivated)
}

// TestSignIn_storm has people sign in while they lose and get back what they need for it. Whoever was let in after the last loss was
// answered was let in on the right facts.
func TestSignIn_storm(t *testing.T) {
	onEachStore(t, func(t *testing.T, s store.Store) {
		w := newWorld(t, s, store.Company{}, map[licensing.License]int{plus: 1})
		c := w.idp(store.SignOnActive)
		ada := w.person("ada", plus)
		var losses atomic.Int64 // answered
		var done sync.WaitGroup
		for range 4 {
			done.Go(func() {
				for range 30 {
					before := losses.Load()
					out, err := w.dir.SignIn(context.Background(), licensing.SignIn{
						Company: w.company, Connection: c.ID, SignOn: c.SignOn.Version, Issuer: c.SignOn.Issuer, Subject: "s", Match: "ext-ada",
						Session: store.Session{Hash: sha256.Sum256([]byte(store.NewID()))},
					})
					var refusal *licensing.Refusal
					if err != nil && !errors.As(err, &refusal) && !errors.Is(err, store.ErrVersion) {
						t.Error(err)
					}
					if err == nil && out.Session.AccountEpoch < before {
						t.Errorf("let in with epoch %d after %d losses", out.Session.AccountEpoch, before)
					}
				}
			})
		}
		for range 20 {
			for _, active := range []bool{false, true} {
				if _, err := w.dir.Apply(context.Background(), w.as("okta", w.edit(ada, func(d *licensing.Draft) { d.Active = active }))); err != nil {
					t.Error(err)
				} else if !active {
					losses.Add(1)
				}
			}
		}
		done.Wait()
		w.checkInvariants(w.t)
	})
}

// TestOutcomes: every end of a sign-in says what it is to the person and to admins.
func TestOutcomes(t *testing.T) {
	var all strings.Builder
	defer func() {
		file := filepath.Join("testdata", "outcomes.txt")
		if *update {
			if err := os.WriteFile(file, []byte(all.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), all.String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", file, diff)
		}
	}()
	for _, r := range licensing.Outcomes() {
		fmt.Fprintf(&all, "%s\n  to the person: %s %s\n  to admins: %s %s (%s)\n", r, r.Told(), r.Advice(), r.Sentence(), r.Fix(), r.Who())
		if r.Told() == "" || r.Advice() == "" || r.Sentence() == "" || r.Fix() == "" || r.Who() == "" {
			t.Errorf("%s: told %q, advice %q, sentence %q, fix %q, who %q", r, r.Told(), r.Advice(), r.Sentence(), r.Fix(), r.Who())
		}
	}
}

// TestSignIn_superAdmin: whom an identity provider knows by a Super Admin's externalId signs in as one, so it is for Super Admins to change
// until somebody has come by it.
func TestSignIn_superAdmin(t *testing.T) {
	w := newWorld(t, enginetest.Open(t, nil), store.Company{}, map[licensing.License]int{plus: 1})
	c := w.idp(store.SignOnActive)
	carol := w.person("carol", plus)
	w.apply(licensing.SetRole{ID: carol, Role: licensing.RoleSuperAdmin})
	repoint := w.edit(carol, func(d *licensing.Draft) {
		d.ExternalID, d.Doc = "ext-mallory", []byte(`{"active":true,"externalId":"ext-mallory","userName":"carol"}`)
	})
	for name, change := range map[string]licensing.Change{
		"a connection": {Actor: store.Actor{Kind: "connection", ID: "okta"}, MayAssign: true}, "a user-admin": {Actor: store.Actor{Kind: "admin", ID: "a"}},
	} {
		change.Company, change.Do = w.company, repoint
		_, err := w.dir.Apply(t.Context(), change)
		var refusal *licensing.Refusal
		if !errors.As(err, &refusal) || refusal.Reason != licensing.SuperAdminRequired {
			t.Errorf("%s: %v", name, err)
		}
	}
	w.wantSignIn("mallory", c, "mallory", "ext-mallory", licensing.NotProvisioned)
	put := func(active bool, externalID string) licensing.UpdateAccount {
		return licensing.UpdateAccount{ID: carol, Connection: "okta", Edit: func(a store.Account) (licensing.Draft, error) {
			return licensing.Draft{
				UserName: a.UserName, ExternalID: externalID, Display: a.Display, Active: active, Email: "carol@acme.example",
				Doc: fmt.Appendf(nil, `{"active":%t,"externalId":%q,"userName":"carol"}`, active, externalID),
			}, nil
		}}
	}
	connection := licensing.Change{Company: w.company, Actor: store.Actor{Kind: "connection", ID: "okta"}, MayAssign: true}
	for _, step := range []struct {
		active, refused bool
	}{{active: false}, {active: true, refused: true}} { // closed in one go, and not opened again by the same hand
		connection.Do = put(step.active, "ext-mallory")
		if _, err := w.dir.Apply(t.Context(), connection); (err != nil) != step.refused {
			t.Errorf("active %t: %v", step.active, err)
		}
	}
	w.wantSignIn("mallory", c, "mallory", "ext-mallory", licensing.UserDeactivated)
	superAdmin := licensing.Change{Company: w.company, Actor: store.Actor{Kind: "admin", ID: "b"}, MayAssign: true}
	superAdmin.Do = put(true, "ext-carol")
	if _, err := w.dir.Apply(t.Context(), superAdmin); err != nil {
		t.Error(err)
	}
	w.wantSignIn("carol", c, "carol", "ext-carol", "")
	unlink := licensing.Change{Company: w.company, Actor: store.Actor{Kind: "admin", ID: "a"}, Do: licensing.Unlink{ID: carol}}
	if _, err := w.dir.Apply(t.Context(), unlink); err == nil {
		t.Error("a user-admin has unlinked a Super Admin")
	}
}

// slowStore finds nobody by identity the first time: another browser of the same person was faster by that much.
type slowStore struct {
	store.Store
	slow atomic.Bool
}

func (s *slowStore) AccountByIdentity(ctx context.Context, company, issuer, subject string) (store.Account, error) {
	if s.slow.Swap(false) {
		return store.Account{}, store.ErrNotFound
	}
	return s.Store.AccountByIdentity(ctx, company, issuer, subject)
}

// TestSignIn_linkedMeanwhile: somebody whose account is linked to them while it is looked for comes in.
func TestSignIn_linkedMeanwhile(t *testing.T) {
	s := &slowStore{Store: enginetest.Open(t, nil)}
	w := newWorld(t, s, store.Company{}, map[licensing.License]int{plus: 1})
	c := w.idp(store.SignOnActive)
	w.person("ada", plus)
	w.wantSignIn("one browser", c, "s", "ext-ada", "")
	s.slow.Store(true)
	w.wantSignIn("another browser", c, "s", "ext-ada", "")
	s.slow.Store(true)
	w.wantSignIn("somebody else", c, "other", "ext-ada", licensing.AlreadyLinked)
}
