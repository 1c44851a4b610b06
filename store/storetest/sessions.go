package storetest

import (
	"crypto/sha256"
	"errors"
	"sync/atomic"

	"usher/store"
)

// connection stores one with single sign-on set up.
func (f *fixture) connection(company, name string) store.Connection {
	f.Helper()
	c := store.Connection{
		ID: store.NewID(), Company: company, Name: name, Mode: store.ModeLive, Created: f.now(),
		SignOn: store.SignOn{State: store.SignOnDraft, Issuer: "https://" + name + ".example", ClientID: "usher"},
	}
	f.check(f.CreateConnection(f.ctx, c, nil))
	return c
}

func testSignOn(f *fixture) {
	c := f.connection(f.company, "okta")
	full := c
	full.Epoch = 3
	full.SignOn = store.SignOn{
		State: store.SignOnActive, Issuer: "https://idp.example/a", ClientID: "usher", ClientAuth: "post", Secret: "sealed", Former: "sealed too",
		MatchClaim: "oid", ResponseMode: "form_post", Algorithms: []string{"RS256", "EdDSA"}, Scopes: []string{"email"}, MaxAge: minutes(60), StrictLogout: true,
	}
	// What else the caller thinks of the connection is not stored.
	given := full
	given.Name, given.Mode, given.Strict = "other", store.ModePaused, true
	stored, err := f.SetSignOn(f.ctx, given, []store.Event{f.event("set", c.ID)})
	f.check(err)
	full.SignOn.Version = 1
	f.same("stored", stored, full)
	read := func(want store.Connection) {
		f.Helper()
		got, err := f.Connection(f.ctx, c.ID)
		f.check(err)
		f.same("read", got, want)
	}
	read(full)
	_, err = f.SetSignOn(f.ctx, given, []store.Event{f.event("stale", c.ID)})
	f.want("on a stale version", err, store.ErrVersion)
	f.check(f.UpdateConnection(f.ctx, full, full, nil))
	read(full)
	full.SignOn = store.SignOn{Version: 1}
	stored, err = f.SetSignOn(f.ctx, full, nil)
	f.check(err)
	full.SignOn.Version = 2
	f.same("taken away", stored, full)
	read(full)
	full.Company = f.newCompany("globex").ID
	_, err = f.SetSignOn(f.ctx, full, nil)
	f.want("one of another company", err, store.ErrNotFound)
	f.same("events", len(f.log(f.company)), 1)
}

func testSignIns(f *fixture) {
	c := f.connection(f.company, "okta")
	s := store.SignIn{
		State: sha256.Sum256([]byte("state")), Browser: sha256.Sum256([]byte("browser")), Company: f.company, Connection: c.ID, SignOn: 4,
		Nonce: "nonce", Verifier: "sealed", Return: "/app", Session: sha256.Sum256([]byte("session")), Test: true, Created: f.now(),
	}
	f.check(f.BeginSignIn(f.ctx, s))
	late := s
	late.State, late.Created, late.Return, late.Test = sha256.Sum256([]byte("late")), s.Created.Add(minutes(9)), "", false
	f.check(f.BeginSignIn(f.ctx, late))
	f.wantConflict("the same state again", f.BeginSignIn(f.ctx, s), "SignIn.State", "")
	at := f.now()
	for _, spoil := range []func(*store.SignIn){
		func(s *store.SignIn) { s.Browser = [32]byte{1} }, func(s *store.SignIn) { s.Company = f.newCompany(store.NewID()).ID },
		func(s *store.SignIn) { s.Connection = "another" },
	} {
		wrong := s
		spoil(&wrong)
		got, err := f.TakeSignIn(f.ctx, wrong, at)
		f.check(err)
		f.same("seen by somebody else, and not taken", got, s)
	}
	got, err := f.TakeSignIn(f.ctx, s, at)
	f.check(err)
	f.same("taken", got, s)
	got, err = f.TakeSignIn(f.ctx, s, at.Add(minutes(1)))
	f.check(err)
	s.Used = at
	f.same("taken again", got, s)
	_, err = f.TakeSignIn(f.ctx, store.SignIn{State: sha256.Sum256([]byte("other"))}, at)
	f.want("an unknown state", err, store.ErrNotFound)
	n, err := f.DropSignIns(f.ctx, late.Created)
	f.check(err)
	f.same("dropped", n, 1)
	_, err = f.TakeSignIn(f.ctx, s, at)
	f.want("a dropped one", err, store.ErrNotFound)
	got, err = f.TakeSignIn(f.ctx, late, at)
	f.check(err)
	f.same("one that was not dropped", got, late)
}

// testSignInStorm has many answers come with one state: one of them counts.
func testSignInStorm(f *fixture) {
	c := f.connection(f.company, "okta")
	for i := range size(10, 200) {
		s := store.SignIn{State: sha256.Sum256([]byte{byte(i), byte(i >> 8)}), Company: f.company, Connection: c.ID, Created: f.now()}
		f.check(f.BeginSignIn(f.ctx, s))
		var first atomic.Int64
		at := f.now()
		together(8, func(int) {
			if got, err := f.TakeSignIn(f.ctx, s, at); err != nil {
				f.Error(err)
			} else if got.Used.IsZero() {
				first.Add(1)
			}
		})
		f.same("who were first", first.Load(), int64(1))
	}
}

func testLogoutTokens(f *fixture) {
	c := f.connection(f.company, "okta")
	ada := f.create(f.draft("ada"))
	use := func(connection, id string, which store.SessionFilter, wantEnded int, wantFirst bool) {
		f.Helper()
		n, first, err := f.EndSessionsOnce(f.ctx, f.company, store.LogoutToken{Connection: connection, ID: id, Expires: f.now().Add(minutes(2))}, which,
			[]store.Event{f.event("end", "")})
		f.check(err)
		f.same("ended by "+id+" of "+connection, n, wantEnded)
		f.same("first use of "+id+" of "+connection, first, wantFirst)
	}
	one, two, unknown := f.session(ada, c), f.session(ada, c), f.session(ada, c)
	unknown.Provider = ""
	for _, s := range []store.Session{one, two, unknown} {
		f.open(s, ada, c)
	}
	use("c-1", "a", store.SessionFilter{Connection: c.ID, Provider: "nobody's"}, 0, true)
	use(c.ID, "a", store.SessionFilter{Connection: c.ID, Provider: two.Provider}, 1, true)
	use(c.ID, "a", store.SessionFilter{Connection: c.ID, Provider: one.Provider}, 0, false)
	// Whose session at the provider is not known may be the one that has ended.
	use(c.ID, "b", store.SessionFilter{Connection: c.ID, Subject: ada.ID, Provider: "another"}, 0, true)
	use(c.ID, "c", store.SessionFilter{Connection: c.ID, Subject: one.Subject, Provider: "another"}, 1, true)
	use(c.ID, "d", store.SessionFilter{Connection: c.ID, Subject: one.Subject, Provider: one.Provider}, 1, true)
	f.same("events", len(f.log(f.company)), 3)
	var first atomic.Int64
	together(8, func(int) {
		if _, ok, err := f.EndSessionsOnce(f.ctx, f.company, store.LogoutToken{Connection: c.ID, ID: "e", Expires: f.now()}, store.SessionFilter{}, nil); err == nil && ok {
			first.Add(1)
		}
	})
	f.same("who were first", first.Load(), int64(1))
	n, err := f.DropSignIns(f.ctx, f.now().Add(minutes(3)))
	f.check(err)
	f.same("dropped", n, 6)
	use(c.ID, "a", store.SessionFilter{}, 0, true)
}

// session makes one of the account that fits what is stored.
func (f *fixture) session(a store.Account, c store.Connection) store.Session {
	at := f.now()
	id := store.NewID()
	return store.Session{
		Hash: sha256.Sum256([]byte(id)), ID: id, Company: a.Company, Account: a.ID, Connection: c.ID, Subject: "sub of " + a.ID, Provider: "sid of " + id,
		AccountEpoch: a.Epoch, ConnectionEpoch: c.Epoch, Address: "192.0.2.1", Agent: "Browser/1", Created: at, Seen: at, Expires: at.Add(minutes(60)),
	}
}

func (f *fixture) open(s store.Session, a store.Account, c store.Connection, events ...store.Event) {
	f.Helper()
	_, err := f.OpenSession(f.ctx, store.SessionOpening{Session: s, Account: a, SignOn: c.SignOn.Version, Events: events})
	f.check(err)
}

func testSessions(f *fixture) {
	c, none := f.connection(f.company, "okta"), store.Connection{}
	ada, bob := f.create(f.draft("ada")), f.create(f.draft("bob"))
	one, two, local := f.session(ada, c), f.session(ada, c), f.session(ada, none)
	one.IDToken = "sealed"
	local.Subject, local.Provider = "", ""
	other := f.session(bob, c)
	for _, s := range []store.Session{one, two} {
		f.open(s, ada, c)
	}
	f.open(local, ada, none)
	f.open(other, bob, c)
	token := one.IDToken
	one.IDToken = "" // is not given
	got, err := f.Session(f.ctx, one.Hash)
	f.check(err)
	f.same("by hash", got, one)
	ada = f.change(ada, func(a *store.Account) {
		a.Sources = []store.Source{{Kind: "license", By: "c-1", License: pro, At: f.now(), Approved: true}}
		a.RoleSources = []store.RoleSource{{Kind: "group-rule", Ref: "r-2", By: "root", Role: "user-admin", At: f.now()}}
		a.License, a.LicenseState, a.Epoch = pro, store.StateWaiting, 3
		a.Requested = f.now()
	})
	present, err := f.Presence(f.ctx, two.Hash)
	f.check(err)
	bare := two
	bare.Subject, bare.Provider, bare.Address, bare.Agent = "", "", "", ""
	f.same("session of the presence", present.Session, bare)
	f.same("account of the presence", present.Account, store.Account{
		ID: ada.ID, Company: f.company, UserName: "ada", Display: ada.Display, Active: true,
		Decision: store.Decision{
			Sources: ada.Sources, MemberType: "coworker", Role: "standard", RoleSources: ada.RoleSources, Epoch: 3,
		},
	})
	_, err = f.Presence(f.ctx, sha256.Sum256([]byte("nobody")))
	f.want("presence of nobody", err, store.ErrNotFound)
	one.Seen = one.Seen.Add(minutes(3))
	f.check(f.TouchSession(f.ctx, one.Hash, one.Seen))
	list := func(account, before string, limit int, want ...store.Session) {
		f.Helper()
		all, err := f.ListSessions(f.ctx, f.company, account, before, limit)
		f.check(err)
		f.same("list", all, want)
	}
	list("", "", 10, other, local, two, one)
	list(ada.ID, "", 2, local, two)
	list(ada.ID, two.ID, 2, one)
	globex := f.newCompany("globex").ID
	all, err := f.ListSessions(f.ctx, globex, ada.ID, "", 10)
	f.check(err)
	f.same("another company's", all, []store.Session{})

	end := func(company string, which store.SessionFilter, want int) {
		f.Helper()
		n, err := f.EndSessions(f.ctx, company, which, []store.Event{f.event("end", "")})
		f.check(err)
		f.same("ended", n, want)
	}
	end(f.company, store.SessionFilter{}, 0)
	end(globex, store.SessionFilter{Account: ada.ID}, 0)
	end(f.company, store.SessionFilter{Connection: c.ID, Provider: "unknown"}, 0)
	end(f.company, store.SessionFilter{Account: bob.ID, ID: two.ID}, 0)
	end(f.company, store.SessionFilter{Connection: c.ID, Provider: two.Provider}, 1)
	end(f.company, store.SessionFilter{Connection: c.ID, Subject: other.Subject}, 1)
	list("", "", 10, local, one)
	ended, err := f.EndSession(f.ctx, one.Hash, []store.Event{f.event("end", "")})
	f.check(err)
	one.IDToken = token
	f.same("ended by hash", ended, one)
	_, err = f.EndSession(f.ctx, one.Hash, nil)
	f.want("ended twice", err, store.ErrNotFound)
	_, err = f.Session(f.ctx, one.Hash)
	f.want("read after the end", err, store.ErrNotFound)
	f.want("touched after the end", f.TouchSession(f.ctx, one.Hash, one.Seen), store.ErrNotFound)
	f.same("events", len(f.log(f.company)), 3)
	f.same("events of another company", len(f.log(globex)), 0)

	old := f.session(bob, none)
	old.Expires = old.Created.Add(minutes(1))
	f.open(old, bob, none)
	n, err := f.DropSessions(f.ctx, old.Expires.Add(minutes(1)))
	f.check(err)
	f.same("dropped", n, 1)
	list("", "", 10, local)
	f.check(f.DeleteAccount(f.ctx, store.AccountDelete{Before: f.read(ada.ID), At: f.now()}))
	present, err = f.Presence(f.ctx, local.Hash)
	f.check(err)
	f.same("account that is gone", present.Account, store.Account{})
}

// testSessionOpening opens sessions on what has changed since it was looked at.
func testSessionOpening(f *fixture) {
	f.setSeats(pro, 1)
	c := f.connection(f.company, "okta")
	ada := f.create(seated(f.draft("ada"), pro, store.StateReserved, f))
	before := ada
	after := ada
	after.SeatState, after.LicenseState, after.Activation = store.StateActive, store.StateActive, store.ActivationActive
	after.Identity = store.Identity{Issuer: "https://idp.example", Subject: "s", Connection: c.ID, Linked: f.now()}
	first := f.session(ada, c)
	opening := store.SessionOpening{
		Session: first, Account: ada, Write: &store.AccountWrite{Before: &before, After: after, Events: []store.Event{f.event("activate", ada.ID)}},
		SignOn: c.SignOn.Version, Events: []store.Event{f.event("sign-in", ada.ID)},
	}
	stored, err := f.OpenSession(f.ctx, opening)
	f.check(err)
	after.Version = ada.Version + 1
	f.same("stored", stored, after, kept)
	f.same("read", f.read(ada.ID), after, kept)
	f.same("active seats", f.pool(pro).Active, 1)
	_, err = f.OpenSession(f.ctx, store.SessionOpening{Session: f.session(ada, c), Account: ada, SignOn: c.SignOn.Version})
	f.want("the account has changed", err, store.ErrVersion)
	ada = stored

	refused := func(what string, o store.SessionOpening, want error) {
		f.Helper()
		o.Events = []store.Event{f.event("refused", "")}
		_, err := f.OpenSession(f.ctx, o)
		f.want(what, err, want)
		_, err = f.Session(f.ctx, o.Session.Hash)
		f.want(what+": the session", err, store.ErrNotFound)
	}
	wrong := f.session(ada, c)
	wrong.AccountEpoch++
	refused("another epoch of the account", store.SessionOpening{Session: wrong, Account: ada, SignOn: c.SignOn.Version}, store.ErrVersion)
	wrong = f.session(ada, c)
	wrong.CompanyEpoch++
	refused("another epoch of the company", store.SessionOpening{Session: wrong, Account: ada, SignOn: c.SignOn.Version}, store.ErrVersion)
	wrong = f.session(ada, c)
	wrong.ConnectionEpoch++
	refused("another epoch of the connection", store.SessionOpening{Session: wrong, Account: ada, SignOn: c.SignOn.Version}, store.ErrVersion)
	refused("another version of the connection", store.SessionOpening{Session: f.session(ada, c), Account: ada, SignOn: c.SignOn.Version + 1}, store.ErrVersion)
	gone := ada
	gone.ID = store.NewID()
	refused("nobody's account", store.SessionOpening{Session: f.session(gone, c), Account: gone, SignOn: c.SignOn.Version}, store.ErrNotFound)
	foreign := f.connection(f.newCompany("globex").ID, "okta")
	refused("a connection of another company", store.SessionOpening{Session: f.session(ada, foreign), Account: ada, SignOn: foreign.SignOn.Version}, store.ErrVersion)
	bob := f.create(f.draft("bob"))
	linked := bob
	linked.Identity = after.Identity
	_, err = f.OpenSession(f.ctx, store.SessionOpening{
		Session: f.session(bob, c), Account: bob, SignOn: c.SignOn.Version, Write: &store.AccountWrite{Before: &bob, After: linked},
	})
	var taken *store.ConflictError
	if !errors.As(err, &taken) || taken.Field != "Identity" {
		f.Errorf("an identity that is another's: %v", err)
	}
	f.same("events", ids(f.log(f.company), func(e store.Event) string { return e.Action }), []string{"activate", "sign-in"})
}

// testSessionStorm opens sessions while the account loses the right to them: whoever has an epoch of before has no good session.
func testSessionStorm(f *fixture) {
	c := f.connection(f.company, "okta")
	ada := f.create(f.draft("ada"))
	together(8, func(i int) {
		for range size(10, 100) {
			a, err := f.Account(f.ctx, f.company, ada.ID)
			if err != nil {
				f.Error(err)
				return
			}
			if i == 0 {
				next := a
				next.Epoch++
				_, err = f.WriteAccount(f.ctx, store.AccountWrite{Before: &a, After: next})
			} else {
				s := f.session(a, c)
				_, err = f.OpenSession(f.ctx, store.SessionOpening{Session: s, Account: a, SignOn: c.SignOn.Version})
				if opened, findErr := f.Session(f.ctx, s.Hash); err == nil && (findErr != nil || opened.AccountEpoch > f.read(a.ID).Epoch) {
					f.Errorf("a session with an epoch that is yet to come: %v", findErr)
				}
			}
			if err != nil && !errors.Is(err, store.ErrVersion) {
				f.Error(err)
			}
		}
	})
}

func testIdentities(f *fixture) {
	identity := store.Identity{Issuer: "https://idp.example", Subject: "Case", Connection: "c-1", Linked: f.now()}
	a := f.draft("ada")
	a.Identity = identity
	a = f.create(a)
	find := func(company, issuer, subject string) error {
		got, err := f.AccountByIdentity(f.ctx, company, issuer, subject)
		if err == nil && got.ID != a.ID {
			f.Errorf("%s %s finds %s", issuer, subject, got.UserName)
		}
		return err
	}
	f.check(find(f.company, identity.Issuer, identity.Subject))
	globex := f.newCompany("globex").ID
	for what, err := range map[string]error{
		"another case":    find(f.company, identity.Issuer, "case"),
		"another issuer":  find(f.company, identity.Issuer+"/", identity.Subject),
		"another company": find(globex, identity.Issuer, identity.Subject),
		"nobody":          find(f.company, "", ""),
	} {
		f.want(what, err, store.ErrNotFound)
	}
	bob := f.draft("bob")
	bob.Identity = identity
	_, err := f.WriteAccount(f.ctx, store.AccountWrite{After: bob})
	f.wantConflict("the same identity", err, "Identity", identity.Subject)
	bob.Identity.Issuer = "https://other.example"
	bob = f.create(bob)
	taken := bob
	taken.Identity = identity
	_, err = f.WriteAccount(f.ctx, store.AccountWrite{Before: &bob, After: taken})
	f.wantConflict("changed to one that is taken", err, "Identity", identity.Subject)
	a = f.change(a, func(a *store.Account) { a.Identity = store.Identity{} })
	f.want("unlinked", find(f.company, identity.Issuer, identity.Subject), store.ErrNotFound)
	bob = f.change(bob, func(b *store.Account) { b.Identity = identity })
	f.check(f.DeleteAccount(f.ctx, store.AccountDelete{Before: bob, At: f.now()}))
	a = f.change(a, func(a *store.Account) { a.Identity = identity })
	f.check(find(f.company, identity.Issuer, identity.Subject))
	eve := f.draft("eve")
	eve.Company, eve.Identity = globex, identity
	f.create(eve) // another company is another name space
}

// testIdentityStorm has accounts fight over one identity.
func testIdentityStorm(f *fixture) {
	var all []store.Account
	for range 8 {
		all = append(all, f.create(f.draft(store.NewID())))
	}
	var won atomic.Int64
	together(len(all), func(i int) {
		next := all[i]
		next.Identity = store.Identity{Issuer: "https://idp.example", Subject: "one"}
		if _, err := f.WriteAccount(f.ctx, store.AccountWrite{Before: &all[i], After: next}); err == nil {
			won.Add(1)
		}
	})
	f.same("who have it", won.Load(), int64(1))
}

func testEventsAppended(f *fixture) {
	f.check(f.AppendEvents(f.ctx, f.company, []store.Event{f.event("one", ""), f.event("two", "")}))
	f.want("no such company", f.AppendEvents(f.ctx, store.NewID(), []store.Event{f.event("three", "")}), store.ErrNotFound)
	f.same("events", ids(f.log(f.company), func(e store.Event) string { return e.Action }), []string{"one", "two"})
}
