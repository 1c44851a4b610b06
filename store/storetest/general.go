package storetest

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"time"

	"usher/store"
	"usher/store/query"
)

// world is a company with one of everything.
type world struct {
	company    string
	account    store.Account
	held       store.Account
	waiting    store.Account
	group      store.Group
	rule       store.Rule
	sweep      store.Sweep
	connection store.Connection
	token      store.Token
	tombstone  store.Tombstone
}

func (f *fixture) newWorld(name string) world {
	f.Helper()
	w := world{company: f.newCompany(name, store.Pool{License: pro, Total: 5}).ID}
	draft := func(name string) store.Account {
		a := f.draft(name)
		a.Company = w.company
		return a
	}
	w.account = f.create(draft("account"))
	w.held = f.create(seated(draft("held"), pro, store.StateHeld, f))
	w.waiting = f.create(waiting(draft("waiting"), pro, f))

	dead := f.create(draft("dead"))
	w.tombstone = store.Tombstone{
		Company: w.company, Connection: "c", ExternalID: "e", ID: dead.ID, Epoch: 3, Created: dead.Created, Deleted: f.now(),
	}
	f.check(f.DeleteAccount(f.ctx, store.AccountDelete{Before: dead, Tombstone: &w.tombstone}))

	g := f.newGroup("group")
	g.Company = w.company
	w.sweep = *f.sweep("cause")
	w.sweep.Company = w.company
	var err error
	w.group, err = f.CreateGroup(f.ctx, g, []string{w.account.ID}, nil, &w.sweep, []store.Event{f.event("group", g.ID)})
	f.check(err)
	w.account, err = f.Account(f.ctx, w.company, w.account.ID)
	f.check(err)
	w.rule = store.Rule{ID: store.NewID(), Company: w.company, Group: g.ID, License: pro, Created: f.now()}
	f.check(f.CreateRule(f.ctx, w.rule, nil, nil))
	w.connection = store.Connection{ID: store.NewID(), Company: w.company, Name: "okta", QuirksOff: []string{"q"}, Created: f.now()}
	f.check(f.CreateConnection(f.ctx, w.connection, nil))
	w.token = store.Token{
		Hash: sha256.Sum256([]byte(w.company)), ID: store.NewID(), Company: w.company, Connection: w.connection.ID,
		Scopes: []string{"scim"}, Created: f.now(),
	}
	f.check(f.CreateToken(f.ctx, w.token, nil))
	return w
}

// snapshot is all that the suite can read of a company.
type snapshot struct {
	Accounts    []store.Account
	Groups      []store.Group
	Members     map[string][]store.Membership
	Pools       []store.Pool
	Queue, Held []store.Account
	Rules       []store.Rule
	Sweeps      []store.Sweep
	Events      []store.Event
	Connections []store.Connection
	Tokens      []store.Token
	Tombstone   store.Tombstone
}

func (f *fixture) snapshot(company string) snapshot {
	f.Helper()
	var s snapshot
	accounts, err := f.ListAccounts(f.ctx, company, store.Query{Limit: 1_000_000})
	f.check(err)
	s.Accounts = accounts.Accounts
	groups, err := f.ListGroups(f.ctx, company, store.Query{Limit: 1_000_000})
	f.check(err)
	s.Groups = groups.Groups
	s.Members, err = f.MembershipsOf(f.ctx, company, ids(s.Accounts, accountID))
	f.check(err)
	s.Pools, err = f.ListPools(f.ctx, company)
	f.check(err)
	s.Queue, err = f.Queue(f.ctx, company, pro, 100)
	f.check(err)
	s.Held, err = f.HeldSeats(f.ctx, company, pro, 100)
	f.check(err)
	s.Rules, err = f.ListRules(f.ctx, company)
	f.check(err)
	s.Sweeps, err = f.ListSweeps(f.ctx)
	f.check(err)
	s.Events = f.log(company)
	s.Connections, err = f.ListConnections(f.ctx, company)
	f.check(err)
	s.Tokens, err = f.ListTokens(f.ctx, company)
	f.check(err)
	s.Tombstone, err = f.NewestTombstone(f.ctx, company, "c", "e", time.Time{})
	if err != nil {
		f.want("NewestTombstone", err, store.ErrNotFound)
	}
	return s
}

// operations are calls of every method that reaches the engine, all of which would succeed in the world.
func (f *fixture) operations(w world) map[string]func(ctx context.Context) error {
	events := []store.Event{f.event("never", "never")}
	company := store.Company{ID: store.NewID(), Name: "never", Created: f.now()}
	changed := w.account
	changed.Epoch++
	draft, fresh := f.draft("new"), f.newGroup("new")
	draft.Company, fresh.Company = w.company, w.company
	token := store.Token{Hash: sha256.Sum256([]byte("new")), ID: store.NewID(), Company: w.company, Created: f.now()}
	connection := store.Connection{ID: store.NewID(), Company: w.company, Name: "new", Created: f.now()}
	paused := w.connection
	paused.Mode = store.ModePaused
	rule := store.Rule{ID: store.NewID(), Company: w.company, Group: w.group.ID, License: pro, Created: f.now()}
	sweep := f.sweep("never")
	sweep.Company = w.company
	leave := store.GroupChange{
		Company: w.company, ID: w.group.ID, Modified: f.now(), Members: store.MemberChange{Exactly: true}, Sweep: sweep, Events: events,
	}
	at := f.now()

	ops := map[string]func(ctx context.Context) error{
		"CreateCompany": func(ctx context.Context) error {
			_, err := f.CreateCompany(ctx, company, []store.Pool{{Company: company.ID, License: pro, Total: 1}}, nil, events)
			return err
		},
		"CreateConnection": func(ctx context.Context) error { return f.CreateConnection(ctx, connection, events) },
		"PutLocalAdmin": func(ctx context.Context) error {
			c, err := f.Company(ctx, w.company)
			if err != nil {
				return err
			}
			return f.PutLocalAdmin(ctx, c, store.LocalAdmin{ID: store.NewID(), Company: w.company, Login: "new"}, events)
		},
		"UpdateCompany": func(ctx context.Context) error {
			_, err := f.UpdateCompany(ctx, store.Company{ID: w.company, Version: 1, Tier: "free"}, nil, events)
			return err
		},
		"UpdateConnection": func(ctx context.Context) error { return f.UpdateConnection(ctx, paused, w.connection, events) },
		"CreateToken":      func(ctx context.Context) error { return f.CreateToken(ctx, token, events) },
		"DeleteToken":      func(ctx context.Context) error { return f.DeleteToken(ctx, w.company, w.token.ID, events) },
		"WriteAccount": func(ctx context.Context) error {
			_, err := f.WriteAccount(ctx, store.AccountWrite{Before: &w.account, After: changed, Events: events})
			return err
		},
		"WriteAccounts": func(ctx context.Context) error {
			return f.WriteAccounts(ctx, []store.AccountWrite{{After: draft, Events: events}})[0].Err
		},
		"DeleteAccount": func(ctx context.Context) error {
			return f.DeleteAccount(ctx, store.AccountDelete{Before: w.held, Events: events})
		},
		"DropTombstones": func(ctx context.Context) error {
			_, err := f.DropTombstones(ctx, w.tombstone.Deleted.Add(time.Hour))
			return err
		},
		"CreateGroup": func(ctx context.Context) error {
			_, err := f.CreateGroup(ctx, fresh, []string{w.account.ID}, nil, sweep, events)
			return err
		},
		"ChangeGroup": func(ctx context.Context) error { _, err := f.ChangeGroup(ctx, leave); return err },
		"DeleteGroup": func(ctx context.Context) error {
			return f.DeleteGroup(ctx, w.company, w.group.ID, 0, sweep, events)
		},
		"SetSeats":   func(ctx context.Context) error { return f.SetSeats(ctx, w.company, pro, 9, events) },
		"CreateRule": func(ctx context.Context) error { return f.CreateRule(ctx, rule, sweep, events) },
		"DeleteRule": func(ctx context.Context) error { return f.DeleteRule(ctx, w.company, w.rule.ID, sweep, events) },
		"LeaseSweep": func(ctx context.Context) error {
			_, err := f.LeaseSweep(ctx, w.sweep.ID, "me", at, at.Add(time.Hour))
			return err
		},
		"MoveSweep": func(ctx context.Context) error { return f.MoveSweep(ctx, w.sweep.ID, "moved") },
		"EndSweep":  func(ctx context.Context) error { return f.EndSweep(ctx, w.sweep.ID) },
	}
	maps.Copy(ops, f.readings(w))
	return ops
}

func (f *fixture) readings(w world) map[string]func(ctx context.Context) error {
	return map[string]func(ctx context.Context) error{
		"Check":           func(ctx context.Context) error { return f.Check(ctx) },
		"Company":         func(ctx context.Context) error { _, err := f.Company(ctx, w.company); return err },
		"CompanyByName":   func(ctx context.Context) error { _, err := f.CompanyByName(ctx, "acme"); return err },
		"ListCompanies":   func(ctx context.Context) error { _, err := f.ListCompanies(ctx); return err },
		"ListLocalAdmins": func(ctx context.Context) error { _, err := f.ListLocalAdmins(ctx, w.company); return err },
		"Connection":      func(ctx context.Context) error { _, err := f.Connection(ctx, w.connection.ID); return err },
		"ConnectionByName": func(ctx context.Context) error {
			_, err := f.ConnectionByName(ctx, w.company, w.connection.Name)
			return err
		},
		"ListConnections": func(ctx context.Context) error { _, err := f.ListConnections(ctx, w.company); return err },
		"Token":           func(ctx context.Context) error { _, err := f.Token(ctx, w.token.Hash); return err },
		"ListTokens":      func(ctx context.Context) error { _, err := f.ListTokens(ctx, w.company); return err },
		"Account":         func(ctx context.Context) error { _, err := f.Account(ctx, w.company, w.account.ID); return err },
		"AccountByUserName": func(ctx context.Context) error {
			_, err := f.AccountByUserName(ctx, w.company, w.account.UserName)
			return err
		},
		"AccountsByID": func(ctx context.Context) error {
			_, err := f.AccountsByID(ctx, w.company, []string{w.account.ID})
			return err
		},
		"ListAccounts": func(ctx context.Context) error {
			_, err := f.ListAccounts(ctx, w.company, store.Query{Limit: 10})
			return err
		},
		"NewestTombstone": func(ctx context.Context) error {
			_, err := f.NewestTombstone(ctx, w.company, "c", "e", time.Time{})
			return err
		},
		"Group": func(ctx context.Context) error { _, err := f.Group(ctx, w.company, w.group.ID); return err },
		"ListGroups": func(ctx context.Context) error {
			_, err := f.ListGroups(ctx, w.company, store.Query{Limit: 10})
			return err
		},
		"Members": func(ctx context.Context) error { _, err := f.Members(ctx, w.company, w.group.ID, "", 10); return err },
		"MembershipsOf": func(ctx context.Context) error {
			_, err := f.MembershipsOf(ctx, w.company, []string{w.account.ID})
			return err
		},
		"Pool":       func(ctx context.Context) error { _, err := f.Pool(ctx, w.company, pro); return err },
		"ListPools":  func(ctx context.Context) error { _, err := f.ListPools(ctx, w.company); return err },
		"Queue":      func(ctx context.Context) error { _, err := f.Queue(ctx, w.company, pro, 10); return err },
		"Ahead":      func(ctx context.Context) error { _, err := f.Ahead(ctx, w.account); return err },
		"HeldSeats":  func(ctx context.Context) error { _, err := f.HeldSeats(ctx, w.company, pro, 10); return err },
		"CountSeats": func(ctx context.Context) error { _, err := f.CountSeats(ctx, w.company, pro); return err },
		"ListRules":  func(ctx context.Context) error { _, err := f.ListRules(ctx, w.company); return err },
		"ListSweeps": func(ctx context.Context) error { _, err := f.ListSweeps(ctx); return err },
		"ListEvents": func(ctx context.Context) error { _, err := f.ListEvents(ctx, w.company, 0, 10); return err },
	}
}

func testCancellation(f *fixture) {
	w := f.newWorld("globex")
	before := f.snapshot(w.company)
	ended, cancel := context.WithCancel(f.ctx)
	cancel()
	for name, operation := range f.operations(w) {
		f.want(name+" with an ended context", operation(ended), context.Canceled)
	}
	late, cancel := context.WithDeadline(f.ctx, time.Unix(0, 0))
	defer cancel()
	for name, operation := range f.operations(w) {
		f.want(name+" past its deadline", operation(late), context.DeadlineExceeded)
	}
	f.same("the company afterwards", f.snapshot(w.company), before)
	_, err := f.CompanyByName(f.ctx, "never")
	f.want("the company that was not created", err, store.ErrNotFound)

	// They were refused for their context alone.
	for name, operation := range f.readings(w) {
		f.want(name, operation(f.ctx), nil)
	}
	for _, name := range []string{
		"CreateCompany", "UpdateCompany", "PutLocalAdmin", "CreateConnection", "UpdateConnection", "CreateToken", "DeleteToken", "WriteAccount", "WriteAccounts", "DeleteAccount", "DropTombstones",
		"CreateGroup", "ChangeGroup", "SetSeats", "CreateRule", "DeleteRule", "LeaseSweep", "MoveSweep", "EndSweep", "DeleteGroup",
	} {
		w.account, err = f.Account(f.ctx, w.company, w.account.ID)
		f.check(err)
		f.want(name, f.operations(w)[name](f.ctx), nil)
	}
}

func testClosing(f *fixture) {
	w := f.newWorld("globex")
	operations := f.operations(w)
	f.check(f.Check(f.ctx))
	f.check(f.Close())
	for name, operation := range operations {
		f.want(name+" of a closed store", operation(f.ctx), store.ErrClosed)
	}
}

// testIsolation asks under one company for what is another's.
func testIsolation(f *fixture) {
	w := f.newWorld("globex")
	before, mine := f.snapshot(w.company), f.snapshot(f.company)
	me := f.create(f.draft("account"))
	no := []store.Event{f.event("never", "never")}

	_, err := f.Account(f.ctx, f.company, w.account.ID)
	f.want("Account", err, store.ErrNotFound)
	_, err = f.AccountByUserName(f.ctx, f.company, w.held.UserName)
	f.want("AccountByUserName", err, store.ErrNotFound)
	accounts, err := f.AccountsByID(f.ctx, f.company, []string{w.account.ID, me.ID})
	f.check(err)
	f.same("AccountsByID", ids(accounts, accountID), []string{me.ID})
	_, err = f.NewestTombstone(f.ctx, f.company, "c", "e", time.Time{})
	f.want("NewestTombstone", err, store.ErrNotFound)
	_, err = f.ConnectionByName(f.ctx, f.company, w.connection.Name)
	f.want("ConnectionByName", err, store.ErrNotFound)
	f.want("UpdateConnection", f.UpdateConnection(f.ctx, store.Connection{ID: w.connection.ID, Company: f.company}, w.connection, no), store.ErrNotFound)
	f.want("DeleteToken", f.DeleteToken(f.ctx, f.company, w.token.ID, no), store.ErrNotFound)

	forged := w.account
	forged.Company = f.company
	_, err = f.WriteAccount(f.ctx, store.AccountWrite{Before: &forged, After: forged, Events: no})
	f.want("WriteAccount", err, store.ErrNotFound)
	f.want("DeleteAccount", f.DeleteAccount(f.ctx, store.AccountDelete{Before: forged, Events: no}), store.ErrNotFound)

	_, err = f.Group(f.ctx, f.company, w.group.ID)
	f.want("Group", err, store.ErrNotFound)
	_, err = f.ChangeGroup(f.ctx, store.GroupChange{
		Company: f.company, ID: w.group.ID, Members: store.MemberChange{Add: []string{me.ID}}, Modified: f.now(), Events: no,
	})
	f.want("ChangeGroup", err, store.ErrNotFound)
	f.want("DeleteGroup", f.DeleteGroup(f.ctx, f.company, w.group.ID, 0, nil, no), store.ErrNotFound)
	_, err = f.CreateGroup(f.ctx, f.newGroup("mine"), []string{w.account.ID}, nil, nil, no)
	if u := (*store.UnknownMemberError)(nil); !errors.As(err, &u) || u.ID != w.account.ID {
		f.Errorf("CreateGroup with a member of another company: %v", err)
	}
	members, err := f.Members(f.ctx, f.company, w.group.ID, "", 10)
	if err != nil {
		f.want("Members", err, store.ErrNotFound)
	}
	f.same("Members", members, []store.Member(nil))
	of, err := f.MembershipsOf(f.ctx, f.company, []string{w.account.ID})
	f.check(err)
	f.same("MembershipsOf", len(of[w.account.ID]), 0)
	page, err := f.ListAccounts(f.ctx, f.company, store.Query{Limit: 10, Total: true, Filter: query.Or{
		query.Leaf{Path: store.ColumnID, Op: query.Equal, Type: query.String, Value: w.account.ID},
		query.Leaf{Path: store.ColumnGroups, Op: query.Equal, Type: query.String, Value: w.group.ID},
		query.Leaf{Path: "userName", Op: query.Equal, Type: query.String, Fold: true, Value: w.waiting.UserName},
	}})
	f.check(err)
	f.same("ListAccounts", page.Total, 0)

	rule := w.rule
	rule.ID, rule.Company = store.NewID(), f.company
	f.want("CreateRule", f.CreateRule(f.ctx, rule, nil, no), store.ErrNotFound)
	f.want("DeleteRule", f.DeleteRule(f.ctx, f.company, w.rule.ID, nil, no), store.ErrNotFound)
	f.same("pool", f.pool(pro), store.Pool{Company: f.company, License: pro})
	f.setSeats(pro, 1)
	f.create(seated(f.draft("seated"), pro, store.StateActive, f))

	f.same("the other company afterwards", f.snapshot(w.company), before)
	after := f.snapshot(f.company)
	f.same("accounts", ids(after.Accounts, func(a store.Account) string { return a.UserName }), []string{"account", "seated"})
	after.Accounts, after.Pools = nil, nil
	f.same("all else", after, mine)
}

// testCopies changes what was handed in and out, and finds the store as it was.
func testCopies(f *fixture) {
	w := f.newWorld("globex")
	a := f.document(f.draft("x"), map[string]any{"userName": "original", "externalId": "original"})
	a.Company = w.company
	a.Sources = []store.Source{{Kind: "license", License: pro, At: f.now()}}
	e := f.event("create", a.ID)
	handed := a
	handed.Doc, handed.Sources, handed.Terms = slices.Clone(a.Doc), slices.Clone(a.Sources), slices.Clone(a.Terms)
	stored, err := f.WriteAccount(f.ctx, store.AccountWrite{After: handed, Events: []store.Event{e}})
	f.check(err)
	g := f.newGroup("original")
	g.Company = w.company
	storedGroup, err := f.CreateGroup(f.ctx, g, []string{a.ID}, nil, nil, nil)
	f.check(err)
	// As text, which shares nothing with the store.
	text := func() string {
		f.Helper()
		b, err := json.MarshalIndent(f.snapshot(w.company), "", " ")
		f.check(err)
		return string(b)
	}
	before := text()

	scribble := func(accounts ...store.Account) {
		for _, a := range accounts {
			for i := range a.Doc {
				a.Doc[i] = 'X'
			}
			for i := range a.Sources {
				a.Sources[i].License = "scribbled"
			}
			for i := range a.Terms {
				a.Terms[i].Value = "scribbled"
			}
		}
	}
	scribbleGroups := func(groups ...store.Group) {
		for _, g := range groups {
			for i := range g.Doc {
				g.Doc[i] = 'X'
			}
		}
	}
	scribble(handed, stored)
	scribbleGroups(g, storedGroup)
	for i := range e.Detail {
		e.Detail[i] = 'X'
	}
	f.same("after what was written was scribbled on", text(), before)

	got := f.snapshot(w.company)
	scribble(got.Accounts...)
	scribble(got.Queue...)
	scribble(got.Held...)
	scribbleGroups(got.Groups...)
	for _, e := range got.Events {
		for i := range e.Detail {
			e.Detail[i] = 'X'
		}
	}
	for i := range got.Connections {
		got.Connections[i].QuirksOff[0] = "scribbled"
	}
	for i := range got.Tokens {
		got.Tokens[i].Scopes[0] = "scribbled"
	}
	one, err := f.Account(f.ctx, w.company, a.ID)
	f.check(err)
	scribble(one)
	f.same("after what was read was scribbled on", text(), before)
	page, err := f.ListAccounts(f.ctx, w.company, store.Query{Limit: 10,
		Filter: query.Leaf{Path: "externalId", Op: query.Equal, Type: query.String, Value: "original"}})
	f.check(err)
	f.same("found in the index", ids(page.Accounts, accountID), []string{a.ID})
}
