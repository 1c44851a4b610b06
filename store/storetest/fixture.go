package storetest

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"usher/store"
	"usher/store/query"
)

// fixture is a store with one company in it, and what the tests do over and over.
type fixture struct {
	*testing.T
	store.Store
	ctx     context.Context
	company string
	ticks   atomic.Int64
}

// pro is the license that most tests fight over, other a second one.
const (
	pro   = "video-pro-plus"
	other = "ringex"
)

// indexes are those that stores are opened with: strings folded and not, a boolean without its common value, numbers, times.
func indexes() []query.Index {
	yes, err := query.Canonical(query.Boolean, false, "true")
	if err != nil {
		panic(err) // the literal is a constant
	}
	return []query.Index{
		{Path: "externalId", Type: query.String},
		{Path: "displayName", Type: query.String, Fold: true},
		{Path: "emails/value", Type: query.String, Fold: true},
		{Path: "name/familyName", Type: query.String, Fold: true},
		{Path: "active", Type: query.Boolean, Except: yes},
		{Path: "level", Type: query.Integer},
		{Path: "hired", Type: query.DateTime},
	}
}

func newFixture(t *testing.T, s store.Store) *fixture {
	f := &fixture{T: t, Store: s, ctx: context.Background()}
	f.company = f.newCompany("acme").ID
	return f
}

func (f *fixture) newCompany(name string, pools ...store.Pool) store.Company {
	f.Helper()
	id := store.NewID()
	for i := range pools {
		pools[i].Company = id
	}
	c, err := f.CreateCompany(f.ctx, store.Company{ID: id, Name: name, Display: name, Created: f.now()}, pools, nil, nil)
	f.check(err)
	return c
}

// now gives an instant later than any that it gave before.
func (f *fixture) now() time.Time {
	return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).Add(time.Duration(f.ticks.Add(1)) * time.Millisecond)
}

// check ends the test on an error.
func (f *fixture) check(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

// want reports an error that is not the one wanted.
func (f *fixture) want(what string, err, want error) {
	f.Helper()
	if !errors.Is(err, want) {
		f.Errorf("%s: error %v, want %v", what, err, want)
	}
}

// wantConflict reports an error that is not a conflict about the field's value.
func (f *fixture) wantConflict(what string, err error, field, value string) {
	f.Helper()
	var c *store.ConflictError
	if !errors.As(err, &c) || c.Field != field || c.Value != value {
		f.Errorf("%s: error %v, want that %s %q is taken", what, err, field, value)
	}
}

// same reports a difference between what was got and what was wanted.
func (f *fixture) same(what string, got, want any, opts ...cmp.Option) {
	f.Helper()
	if diff := cmp.Diff(want, got, append(opts, cmpopts.EquateEmpty())...); diff != "" {
		f.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// kept ignores what the store keeps beside the account, and the terms, which need not be read back.
var kept = cmpopts.IgnoreFields(store.Account{}, "Terms", "GroupsVersion", "Groups")

// encode makes a canonical document; member names come out sorted.
func (f *fixture) encode(doc map[string]any) []byte {
	b, err := json.Marshal(doc)
	if err != nil {
		panic(err) // the documents are the suite's own
	}
	return b
}

// draft makes an account that is not stored yet.
func (f *fixture) draft(name string) store.Account {
	f.Helper()
	at := f.now()
	return f.document(store.Account{
		ID: store.NewID(), Company: f.company,
		Active: true, Created: at, Modified: at,
		Decision: store.Decision{LicenseState: store.StateNone, Effective: "video-pro", MemberType: "coworker", Role: "standard"},
	}, map[string]any{"userName": name, "displayName": "Display of " + name, "active": true})
}

// document gives the account a document and what is read out of it.
func (f *fixture) document(a store.Account, doc map[string]any) store.Account {
	f.Helper()
	text := func(name string) string {
		s, _ := doc[name].(string)
		return s
	}
	a.Doc = f.encode(doc)
	a.Terms = query.Terms(a.Doc, indexes())
	a.UserName = query.Fold(text("userName"))
	a.ExternalID = text("externalId")
	a.Display = text("displayName")
	return a
}

// create stores an account.
func (f *fixture) create(a store.Account) store.Account {
	f.Helper()
	stored, err := f.WriteAccount(f.ctx, store.AccountWrite{After: a})
	f.check(err)
	return stored
}

// createAll stores accounts in batches, which spares an engine with durable writes most of its waiting.
func (f *fixture) createAll(as []store.Account) []store.Account {
	f.Helper()
	var all []store.Account
	for len(as) > 0 {
		n := min(len(as), 200)
		var ws []store.AccountWrite
		for _, a := range as[:n] {
			ws = append(ws, store.AccountWrite{After: a})
		}
		for _, r := range f.WriteAccounts(f.ctx, ws) {
			f.check(r.Err)
			all = append(all, r.Account)
		}
		as = as[n:]
	}
	return all
}

// people stores n plain accounts.
func (f *fixture) people(n int, prefix string) []store.Account {
	f.Helper()
	var as []store.Account
	for range n {
		as = append(as, f.draft(prefix+"."+store.NewID()))
	}
	return f.createAll(as)
}

// change writes what edit makes of the account.
func (f *fixture) change(a store.Account, edit func(*store.Account), events ...store.Event) store.Account {
	f.Helper()
	after := a
	edit(&after)
	stored, err := f.WriteAccount(f.ctx, store.AccountWrite{Before: &a, After: after, Events: events})
	f.check(err)
	return stored
}

// read gives the account as the store has it.
func (f *fixture) read(id string) store.Account {
	f.Helper()
	a, err := f.Account(f.ctx, f.company, id)
	f.check(err)
	return a
}

func (f *fixture) event(action, target string) store.Event {
	return store.Event{
		Time: f.now(), Kind: store.EventAccount, Action: action, Actor: store.Actor{Kind: "operator", ID: "test"},
		Door: "cli", Request: store.NewID(), Target: target, Detail: json.RawMessage(`{"n":1}`), Quirks: []string{"one", "two"},
	}
}

// log gives all events of the company.
func (f *fixture) log(company string) []store.Event {
	f.Helper()
	var all []store.Event
	for {
		var after int64
		if len(all) > 0 {
			after = all[len(all)-1].Seq
		}
		page, err := f.ListEvents(f.ctx, company, after, 500)
		f.check(err)
		if len(page) == 0 {
			return all
		}
		all = append(all, page...)
	}
}

func (f *fixture) newGroup(name string) store.Group {
	f.Helper()
	at := f.now()
	return store.Group{
		ID: store.NewID(), Company: f.company, Name: query.Fold(name), Display: name, Created: at, Modified: at,
		Doc: f.encode(map[string]any{"displayName": name}),
	}
}

func (f *fixture) createGroup(name string, members ...string) store.Group {
	f.Helper()
	g, err := f.CreateGroup(f.ctx, f.newGroup(name), members, nil, nil, nil)
	f.check(err)
	return g
}

func (f *fixture) readGroup(id string) store.Group {
	f.Helper()
	g, err := f.Group(f.ctx, f.company, id)
	f.check(err)
	return g
}

// changeMembers changes the members of a group.
func (f *fixture) changeMembers(group string, c store.MemberChange) store.GroupChanged {
	f.Helper()
	changed, err := f.ChangeGroup(f.ctx, store.GroupChange{Company: f.company, ID: group, Members: c, Modified: f.now()})
	f.check(err)
	return changed
}

// members gives the ids of all members of a group.
func (f *fixture) members(group string) []string {
	f.Helper()
	all, err := f.Members(f.ctx, f.company, group, "", 1_000_000)
	f.check(err)
	return ids(all, func(m store.Member) string { return m.ID })
}

// pool gives the counts of a pool, once the kept ones agree with those counted anew.
func (f *fixture) pool(license string) store.Pool {
	f.Helper()
	p, err := f.Pool(f.ctx, f.company, license)
	f.check(err)
	counted, err := f.CountSeats(f.ctx, f.company, license)
	f.check(err)
	f.same("kept counts against those of the accounts", p, counted)
	return p
}

func (f *fixture) setSeats(license string, total int) {
	f.Helper()
	f.check(f.SetSeats(f.ctx, f.company, license, total, nil))
}

func (f *fixture) sweep(cause string) *store.Sweep {
	return &store.Sweep{
		ID: store.NewID(), Company: f.company, Cause: cause, Cursor: "start",
		Actor: store.Actor{Kind: "admin", ID: "a1"}, Door: "admin", Request: store.NewID(), Created: f.now(),
	}
}

func ids[T any](all []T, id func(T) string) []string {
	out := make([]string, len(all))
	for i, v := range all {
		out[i] = id(v)
	}
	return out
}

func accountID(a store.Account) string { return a.ID }

// together runs n goroutines that begin at the same moment, and waits for them.
func together(n int, run func(i int)) {
	var done sync.WaitGroup
	begin := make(chan struct{})
	for i := range n {
		done.Go(func() {
			<-begin
			run(i)
		})
	}
	close(begin)
	done.Wait()
}

func minutes(n int) time.Duration { return time.Duration(n) * time.Minute }
