package storetest

import (
	"crypto/sha256"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp/cmpopts"

	"usher/store"
	"usher/store/query"
)

// RunTransfer checks that a store of one engine, with one of everything in it, can be copied to one of another, or of the same, record by
// record ([store.Transfer]), and that the copy goes on where the original was. Both functions are as that of Run.
func RunTransfer(t *testing.T, from, to func(t *testing.T, indexes []query.Index) store.Store) {
	for _, test := range []struct {
		name string
		run  func(f, g *fixture)
	}{
		{"Everything is the same", testTransfer},
		{"The copy goes on", testTransferGoesOn},
		{"Marks of imports", testTransferMarks},
		{"Nothing", func(f, g *fixture) { f.transfer(g, 10, 0) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := &fixture{T: t, Store: from(t, indexes())}
			g := &fixture{T: t, Store: to(t, indexes())}
			f.ctx, g.ctx = t.Context(), t.Context()
			defer func() {
				f.check(f.Close())
				f.check(g.Close())
			}()
			test.run(f, g)
		})
	}
}

// transferring gives what an engine offers for copying.
func (f *fixture) transferring() store.Transfer {
	f.Helper()
	all, ok := f.Store.(store.Transfer)
	if !ok {
		f.Fatalf("%T is no store.Transfer", f.Store)
	}
	return all
}

// records gives all records of a kind after a key.
func (f *fixture) records(kind store.RecordKind, after string) []store.Record {
	f.Helper()
	var all []store.Record
	for r, err := range f.transferring().Records(f.ctx, kind, after) {
		f.check(err)
		all = append(all, r)
	}
	return all
}

// transfer copies all records into the empty store of g, in batches. After stop batches it begins again from the mark, as one does who was
// interrupted; 0: it is not.
func (f *fixture) transfer(g *fixture, batch, stop int) {
	f.Helper()
	into := g.transferring()
	g.check(into.BeginImport(g.ctx, "the original"))
	for !f.copyRecords(g, batch, stop) {
		stop *= 2
	}
	g.check(into.SettleImport(g.ctx))
	g.check(into.SettleImport(g.ctx)) // whoever was interrupted does it again
	f.sameRecords(g)
	g.check(into.EndImport(g.ctx))
}

// copyRecords copies what is behind the mark; false when it has stopped. The last batch before it stops is put twice.
func (f *fixture) copyRecords(g *fixture, batch, stop int) bool {
	f.Helper()
	into := g.transferring()
	mark, err := into.Import(g.ctx)
	f.check(err)
	begun := mark.Kind == ""
	for _, kind := range store.RecordKinds() {
		after := ""
		if kind == mark.Kind {
			begun, after = true, mark.Key
		}
		if !begun {
			continue
		}
		for some := range slices.Chunk(f.records(kind, after), batch) {
			f.check(into.PutRecords(g.ctx, some))
			if stop--; stop == 0 {
				f.check(into.PutRecords(g.ctx, some))
				return false
			}
		}
	}
	return true
}

// sameRecords compares all records of two stores.
func (f *fixture) sameRecords(g *fixture) {
	f.Helper()
	text := func(r store.Record) string { return r.Key + " " + string(r.Data) }
	for _, kind := range store.RecordKinds() {
		is, want := g.records(kind, ""), f.records(kind, "")
		f.same("records of the kind "+string(kind), ids(is, text), ids(want, text))
		n, err := g.transferring().CountRecords(g.ctx, kind)
		f.check(err)
		f.same("their number", n, int64(len(want)))
	}
}

func testTransfer(f, g *fixture) {
	w := f.everything()
	seen := map[store.RecordKind]map[string]bool{}
	for _, kind := range store.RecordKinds() {
		all := f.records(kind, "")
		if !slices.IsSortedFunc(all, func(a, b store.Record) int { return strings.Compare(a.Key, b.Key) }) {
			f.Errorf("the records of the kind %s are not in order", kind)
		}
		seen[kind] = map[string]bool{}
		for i, r := range all {
			f.same("those behind "+r.Key, f.records(kind, r.Key), all[i+1:])
			members := map[string]json.RawMessage{}
			f.check(json.Unmarshal(r.Data, &members))
			for name := range members {
				seen[kind][name] = true
			}
		}
	}
	// What is not in the world is not known to arrive.
	for kind, value := range recordTypes() {
		want := map[string]bool{}
		memberNames(reflect.TypeOf(value), want)
		delete(want, "Terms") // of an account: they are made of its document
		if kind == store.RecordSweep {
			delete(want, "Holder")
			delete(want, "Until")
		}
		f.same("members that records of the kind "+string(kind)+" have", slices.Sorted(maps.Keys(seen[kind])), slices.Sorted(maps.Keys(want)))
	}
	f.transfer(g, 3, 1)
	for _, company := range []string{f.company, w.company} {
		is, want := g.snapshot(company), f.snapshot(company)
		for _, all := range [][]store.Sweep{is.Sweeps, want.Sweeps} { // nobody works on them any more
			for i := range all {
				all[i].Holder, all[i].Until = "", time.Time{}
			}
		}
		f.same("the company "+company, is, want, cmpopts.IgnoreFields(store.Account{}, "Terms"))
		g.verify(g.log(company))
		for _, p := range is.Pools {
			counted, err := g.CountSeats(g.ctx, company, p.License)
			f.check(err)
			f.same("kept counts against those of the accounts", p, counted)
		}
	}
	f.check(g.Check(g.ctx))
	if engine, ok := g.Store.(store.Doctor); ok {
		found, err := engine.Examine(g.ctx)
		f.check(err)
		f.same("what the copy's engine finds wrong", found, []store.Finding(nil))
	}
}

// recordTypes gives a value of the type of each kind.
func recordTypes() map[store.RecordKind]any {
	return map[store.RecordKind]any{
		store.RecordCompany: store.CompanyRecord{}, store.RecordAdmin: store.LocalAdmin{}, store.RecordConnection: store.ConnectionRecord{},
		store.RecordToken: store.Token{}, store.RecordAdminKey: store.AdminKey{}, store.RecordAdminSession: store.AdminSession{},
		store.RecordSchema: store.Schema{}, store.RecordTombstone: store.Tombstone{}, store.RecordAccount: store.Account{}, store.RecordGroup: store.Group{},
		store.RecordMember: store.MemberRecord{}, store.RecordSubgroup: store.SubgroupRecord{}, store.RecordPool: store.Pool{}, store.RecordRule: store.Rule{},
		store.RecordQuirk: store.QuirkRecord{}, store.RecordLoss: store.LossRecord{}, store.RecordSweep: store.Sweep{}, store.RecordMail: store.MailRecord{},
		store.RecordSignIn: store.SignIn{}, store.RecordLogout: store.LogoutToken{}, store.RecordSession: store.Session{},
		store.RecordRequest: store.IdempotentRequest{}, store.RecordEvent: store.EventRecord{},
	}
}

// memberNames collects the names that the fields of a struct have as members of a JSON object.
func memberNames(of reflect.Type, into map[string]bool) {
	for field := range of.Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		switch {
		case field.Anonymous && name == "":
			memberNames(field.Type, into)
		case name == "":
			into[field.Name] = true
		case name != "-":
			into[name] = true
		}
	}
}

// everything fills the store with one of everything that it keeps, and more where a difference could hide; it gives a second company.
func (f *fixture) everything() world {
	f.Helper()
	w := f.newWorld("globex")
	at := f.now()
	c, err := f.CreateCompany(f.ctx, store.Company{
		ID: store.NewID(), Name: "acme", Display: "Acme <&> Ünïcode", Tier: "video-pro-plus", Epoch: 4, SeatPolicy: "strict", HoldFor: 7*24*time.Hour + 1,
		GuestPolicy: "unverified", Domains: []string{"b.example", "a.example"}, Invites: "all", Approval: "some", RoleCeiling: "user-admin",
		LossMin: 3, LossPercent: 14, Payment: "overdue", PaymentAt: at, LocalSignIn: "admins", SessionIdle: time.Minute, SessionMax: time.Hour, Created: at,
	}, []store.Pool{{License: pro, Total: 9}, {License: "ringex", Total: 1}}, &store.LocalAdmin{
		ID: store.NewID(), Login: "root", Password: "$argon2id$x", Role: "super-admin", TOTP: "sealed", TOTPStep: 12, Created: at,
	}, []store.Event{f.event("company.create", "acme")})
	f.check(err)
	f.company = c.ID
	if c, err = f.SetDomains(f.ctx, c, []string{"z.example", "a.example"}, nil); err != nil {
		f.Fatal(err)
	}
	admin := store.LocalAdmin{ID: store.NewID(), Company: c.ID, Login: "second", Password: "$argon2id$y", Created: f.now()}
	f.check(f.PutLocalAdmin(f.ctx, c, admin, nil))
	f.check(f.CreateAdminKey(f.ctx, store.AdminKey{
		Hash: digest("key"), ID: store.NewID(), Company: c.ID, Admin: admin.ID, Created: f.now(), Expires: f.now(),
	}, nil))
	f.check(f.CreateAdminSession(f.ctx, store.AdminSession{
		Hash: digest("admin session"), ID: store.NewID(), Company: c.ID, Kind: "admin", Admin: admin.ID, Credential: digest("credential"),
		Created: f.now(), Seen: f.now(), Expires: f.now(),
	}, nil))
	for _, urn := range []string{"urn:example:First", "urn:example:second", "URN:EXAMPLE:FIRST", "urn:example:gone"} {
		f.check(f.PutSchema(f.ctx, store.Schema{Company: c.ID, URN: urn, Type: "User", Doc: []byte(`{"id": "` + urn + `"}`), Created: f.now()}, nil))
	}
	f.check(f.DeleteSchema(f.ctx, c.ID, "urn:example:gone", nil))
	okta := f.everyConnection()
	f.everyAccount(okta)
	f.check(f.SetSeats(f.ctx, c.ID, pro, 1, nil)) // below what is used
	f.check(f.SetCeiling(f.ctx, c.ID, pro, 20, nil))
	f.check(f.SetCeiling(f.ctx, c.ID, "video", 2, nil)) // never bought
	f.check(f.CreateRule(f.ctx, store.Rule{
		ID: store.NewID(), Company: c.ID, Match: &store.Match{Paths: []string{"title", "emails/value"}, Value: "boss", Fold: true, Suffix: true, About: "bosses"},
		License: pro, Role: "user-admin", Priority: 7, By: "root", Created: f.now(),
	}, f.sweep("rule"), nil))
	f.check(f.CountQuirks(f.ctx, c.ID, []store.QuirkUse{{Connection: okta.ID, Quirk: "q", Count: 3, First: f.now(), Last: f.now()}}))
	ok, err := f.LeaseSweep(f.ctx, w.sweep.ID, "me", at, at.Add(time.Hour))
	f.check(err)
	f.same("leased", ok, true)
	f.check(f.MoveSweep(f.ctx, w.sweep.ID, "half-way"))
	f.everyRequest(okta)
	e := f.event("spaced", "nobody")
	e.Detail = json.RawMessage(`{ "a" : "<&>" }`)
	bare := store.Event{Time: f.now(), Kind: store.EventAccount, Action: "bare"}
	f.check(f.AppendEvents(f.ctx, c.ID, []store.Event{e, bare}))
	return w
}

func digest(text string) [32]byte { return sha256.Sum256([]byte(text)) }

// everyConnection stores two connections, one with everything set, and a token.
func (f *fixture) everyConnection() store.Connection {
	f.Helper()
	okta := f.connection(f.company, "okta")
	was := okta
	okta.Mode, okta.QuirksOff, okta.Strict = store.ModePaused, []string{"b", "a"}, true
	f.check(f.UpdateConnection(f.ctx, okta, was, nil))
	okta.Epoch = 3
	okta.SignOn = store.SignOn{
		State: store.SignOnActive, Issuer: "https://idp.example/a", ClientID: "usher", ClientAuth: "post", Secret: "sealed", Former: "sealed too",
		MatchClaim: "oid", ResponseMode: "form_post", Algorithms: []string{"RS256", "EdDSA"}, Scopes: []string{"email"}, MaxAge: minutes(60), StrictLogout: true,
	}
	okta, err := f.SetSignOn(f.ctx, okta, nil)
	f.check(err)
	okta.Breaker, okta.BreakerSince = "tripped", f.now()
	f.check(f.SetBreaker(f.ctx, okta, "", nil))
	removed := f.connection(f.company, "entra")
	removed.SignOn = store.SignOn{}
	_, err = f.SetSignOn(f.ctx, removed, nil) // single sign-on was set up, and is so no more
	f.check(err)
	f.check(f.CreateToken(f.ctx, store.Token{
		Hash: digest("token"), ID: store.NewID(), Company: f.company, Connection: okta.ID, Scopes: []string{"scim", "license:assign"}, GrantedBy: "root",
		Created: f.now(), Expires: f.now(),
	}, nil))
	return okta
}

// everyAccount stores accounts, groups, and what hangs on them.
func (f *fixture) everyAccount(okta store.Connection) {
	f.Helper()
	full := f.draft("full")
	full.ExternalID, full.Connection, full.Extension = "e-1", okta.ID, "1001"
	full.Identity = store.Identity{Issuer: "https://idp.example/a", Subject: "sub", Connection: okta.ID, Linked: f.now()}
	full.Setup = store.Setup{
		Activation: store.ActivationInvited, Link: []byte{0, 1, 0xff}, LinkUntil: f.now(), Done: []string{"b", "a"}, Password: "$argon2id$z", Weak: true,
		TOTP: "sealed", TOTPStep: 5, MustChange: true,
	}
	full.Priority = 3
	full.Sources = []store.Source{
		{Kind: "license", Ref: "r", By: okta.ID, License: pro, Priority: 2, At: f.now(), Approved: true, Refused: true, Until: f.now()},
		{Kind: "roles", By: "x", License: "ringex", At: f.now()},
	}
	full.RoleSources, full.Epoch = []store.RoleSource{{Kind: "rule", Ref: "r", By: "x", Role: "user-admin", At: f.now()}}, 9
	full = f.create(seated(full, pro, store.StateActive, f))
	gone := f.create(f.draft("gone"))
	reserved := f.create(seated(f.draft("reserved"), pro, store.StateReserved, f))
	f.create(seated(f.draft("held"), pro, store.StateHeld, f))
	for i, name := range []string{"third", "first", "second"} {
		a := waiting(f.draft(name), pro, f)
		a.Priority = []int{0, 5, 5}[i]
		f.create(a)
	}
	f.create(waiting(seated(f.draft("swapping"), "ringex", store.StateActive, f), pro, f))
	f.check(f.DeleteAccount(f.ctx, store.AccountDelete{Before: gone, Tombstone: f.tombstoneOf(gone, "e-gone"), At: f.now(), Loss: okta.ID}))
	phoenix := f.create(f.draft("phoenix"))
	last := f.create(f.draft("last"))
	tomb := f.tombstoneOf(phoenix, "e-phoenix")
	f.check(f.DeleteAccount(f.ctx, store.AccountDelete{Before: phoenix, Tombstone: tomb}))
	again := f.draft("phoenix")
	again.ID, again.Created = tomb.ID, tomb.Created
	_, err := f.WriteAccount(f.ctx, store.AccountWrite{After: again, Adopt: tomb})
	f.check(err)
	f.check(f.DeleteAccount(f.ctx, store.AccountDelete{Before: last, Tombstone: f.tombstoneOf(last, "e-last")})) // behind all others

	inner := f.createGroup("Inner", full.ID, again.ID)
	outer := f.newGroup("Outer")
	outer.ExternalID = "g-1"
	_, err = f.CreateGroup(f.ctx, outer, []string{reserved.ID, full.ID}, []string{inner.ID}, nil, nil)
	f.check(err)
	f.createGroup("empty")
	changed := f.read(reserved.ID)
	after := changed
	after.Modified = f.now()
	mail := f.mail(changed)
	_, err = f.WriteAccount(f.ctx, store.AccountWrite{Before: &changed, After: after, Loss: okta.ID, Mails: []store.Mail{mail}})
	f.check(err)
	mail.Version, mail.State, mail.Attempts, mail.Error, mail.Done = 1, store.MailDead, 4, "refused", f.now()
	f.check(f.UpdateMail(f.ctx, mail))
	f.check(f.PostMails(f.ctx, f.company, []store.Mail{{
		ID: store.NewID(), Company: f.company, Kind: "losses", To: "root@a.example", Created: f.now(), State: store.MailQueued, Due: f.now(),
	}}))

	open := f.session(full, okta)
	open.CompanyEpoch = 4
	open.Subject, open.Provider, open.IDToken, open.Address, open.Agent = "sub", "sid", "sealed", "192.0.2.1", "a browser"
	f.open(open, full, okta)
	plain := f.session(again, store.Connection{})
	plain.CompanyEpoch = 4
	f.open(plain, f.read(again.ID), store.Connection{})
}

func (f *fixture) tombstoneOf(a store.Account, external string) *store.Tombstone {
	return &store.Tombstone{
		Company: a.Company, Connection: "okta", ExternalID: external, ID: a.ID, Version: a.Version, Epoch: 3, Created: a.Created, Deleted: f.now(),
	}
}

// everyRequest stores sign-ins, a logout token and a request with its answer.
func (f *fixture) everyRequest(okta store.Connection) {
	f.Helper()
	s := store.SignIn{
		State: digest("state"), Browser: digest("browser"), Company: f.company, Connection: okta.ID, SignOn: 4, Nonce: "nonce", Verifier: "sealed",
		Return: "/app", Session: digest("session"), Test: true, Created: f.now(),
	}
	f.check(f.BeginSignIn(f.ctx, s))
	_, err := f.TakeSignIn(f.ctx, s, f.now())
	f.check(err)
	s.State = digest("not used")
	f.check(f.BeginSignIn(f.ctx, s))
	_, _, err = f.EndSessionsOnce(f.ctx, f.company, store.LogoutToken{Connection: okta.ID, ID: "jti", Expires: f.now()}, store.SessionFilter{}, nil)
	f.check(err)
	r := store.IdempotentRequest{Key: digest("k"), Request: digest("r"), Created: f.now()}
	_, _, err = f.ClaimRequest(f.ctx, r)
	f.check(err)
	r.Status, r.Answer = 201, "sealed"
	f.check(f.AnswerRequest(f.ctx, r))
}

// testTransferGoesOn checks that what a copy does next is what the original would have done.
func testTransferGoesOn(f, g *fixture) {
	f.everything()
	f.transfer(g, 1000, 0)
	g.company = f.company
	g.ticks.Store(f.ticks.Load())
	before := f.everybody()

	// The deleted come back to their places.
	for _, external := range []string{"e-gone", "e-last"} {
		tomb, err := g.NewestTombstone(g.ctx, g.company, "okta", external, time.Time{})
		f.check(err)
		back := g.draft(external)
		back.ID, back.Created = tomb.ID, tomb.Created
		_, err = g.WriteAccount(g.ctx, store.AccountWrite{After: back, Adopt: &tomb})
		f.check(err)
	}
	fresh := g.create(g.draft("fresh"))
	names := ids(g.everybody(), func(a store.Account) string { return a.UserName })
	f.same("the list", names, []string{
		"full", "e-gone", "reserved", "held", "third", "first", "second", "swapping", "phoenix", "e-last", "fresh",
	})
	f.same("accounts before", len(before), 8+1-1)

	// Neither uniqueness nor seats have been lost, and changes go on from the versions.
	_, err := g.WriteAccount(g.ctx, store.AccountWrite{After: g.draft("FULL")})
	f.wantConflict("a name that is taken", err, "UserName", "full")
	twin := g.draft("twin")
	twin.Extension = "1001"
	_, err = g.WriteAccount(g.ctx, store.AccountWrite{After: twin})
	f.wantConflict("a number that is taken", err, "Extension", "1001")
	_, err = g.WriteAccount(g.ctx, store.AccountWrite{After: seated(g.draft("one too many"), pro, store.StateActive, g)})
	f.want("a seat of a pool that is full", err, store.ErrNoSeat)
	queue, err := g.Queue(g.ctx, g.company, pro, 10)
	f.check(err)
	f.same("the queue", ids(queue, func(a store.Account) string { return a.UserName }), []string{"first", "second", "third", "swapping"})
	_, err = g.CreateGroup(g.ctx, g.newGroup("INNER"), nil, nil, nil, nil)
	f.wantConflict("a group's name that is taken", err, "Group.Name", "inner")
	_, err = g.CreateCompany(g.ctx, store.Company{ID: store.NewID(), Name: "acme"}, nil, nil, nil)
	f.wantConflict("a company's name that is taken", err, "Company.Name", "acme")
	g.change(fresh, func(a *store.Account) { a.Epoch++ }, g.event("after", fresh.ID))
	g.verify(g.log(g.company))
	page, err := g.ListAccounts(g.ctx, g.company, store.Query{Limit: 10,
		Filter: query.Leaf{Path: "displayName", Op: query.Equal, Type: query.String, Fold: true, Value: query.Fold("Display of full")}})
	f.check(err)
	f.same("found in the index", ids(page.Accounts, func(a store.Account) string { return a.UserName }), []string{"full"})

	// What was used is used.
	used, err := g.TakeSignIn(g.ctx, store.SignIn{State: digest("state")}, g.now())
	f.check(err)
	if used.Used.IsZero() {
		f.Error("a sign-in that was used can be used again")
	}
	okta, err := g.ConnectionByName(g.ctx, g.company, "okta")
	f.check(err)
	_, first, err := g.EndSessionsOnce(g.ctx, g.company, store.LogoutToken{Connection: okta.ID, ID: "jti", Expires: g.now()}, store.SessionFilter{}, nil)
	f.check(err)
	f.same("a logout token that was used is new", first, false)
	_, claimed, err := g.ClaimRequest(g.ctx, store.IdempotentRequest{Key: digest("k"), Request: digest("r"), Created: g.now()})
	f.check(err)
	f.same("a request that was answered is new", claimed, false)
	n, err := g.CountLosses(g.ctx, g.company, okta.ID, time.UnixMilli(0), 10)
	f.check(err)
	f.same("losses", n, 2)
	all, err := g.ListSessions(g.ctx, g.company, before[0].ID, "", 10)
	f.check(err)
	f.same("sessions", len(all), 1)
	presence, err := g.Presence(g.ctx, all[0].Hash)
	f.check(err)
	f.same("whose it is", presence.Account.UserName, "full")
	ended, err := g.EndSession(g.ctx, all[0].Hash, nil)
	f.check(err)
	f.same("its ID token", ended.IDToken, "sealed")
	f.same("pool", g.pool(pro).Used, 3)
}

func testTransferMarks(f, g *fixture) {
	into := g.transferring()
	_, err := into.Import(g.ctx)
	f.want("no import", err, store.ErrNotFound)
	f.everything()
	f.want("an import into a store that is not empty", f.transferring().BeginImport(f.ctx, "elsewhere"), store.ErrNotEmpty)
	f.check(into.BeginImport(g.ctx, "elsewhere"))
	f.want("an import beside another", into.BeginImport(g.ctx, "elsewhere"), store.ErrNotEmpty)
	mark, err := into.Import(g.ctx)
	f.check(err)
	f.same("the mark", mark, store.Import{Source: "elsewhere"})
	companies := f.records(store.RecordCompany, "")
	f.check(into.PutRecords(g.ctx, companies))
	mark, err = into.Import(g.ctx)
	f.check(err)
	f.same("the mark", mark, store.Import{Source: "elsewhere", Kind: store.RecordCompany, Key: companies[len(companies)-1].Key})
	if err := into.PutRecords(g.ctx, []store.Record{{Kind: "nonsense", Key: "1", Data: []byte("{}")}}); err == nil {
		f.Error("a record of an unknown kind was stored")
	}
	newer := store.Record{Kind: store.RecordAdmin, Key: "1", Data: []byte(`{"ID":"1","Company":"1","Nonsense":1}`)}
	if err := into.PutRecords(g.ctx, []store.Record{newer}); err == nil {
		f.Error("a record of a newer usher was stored")
	}
	f.check(into.EndImport(g.ctx))
	_, err = into.Import(g.ctx)
	f.want("the import afterwards", err, store.ErrNotFound)
	f.want("an import into what has come", into.BeginImport(g.ctx, "elsewhere"), store.ErrNotEmpty)
}
