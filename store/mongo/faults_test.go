package mongo_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"

	"usher/store"
	"usher/store/mongo"
	"usher/store/mongo/mongotest"
	"usher/store/query"
)

// full says whether the run may take minutes.
func full() bool { return os.Getenv("USHER_SCALE") == "full" }

// way is one way in which a call goes wrong, for each call of an operation in turn.
type way struct {
	name string
	plan func(n int) mongotest.Plan
}

// inCI says whether a run of the small size tries an operation in this way. In the others the driver looks for the server again after each
// fault, which takes it half a second, or what happens is much the same.
func (w way) inCI(o operation) bool {
	return slices.Contains([]string{"busy after", "busy after for good"}, w.name) || o.core && slices.Contains([]string{"unanswered", "unconfirmed"}, w.name)
}

// ways are all that there are. Those that end with "for good" leave the operation where it is: what it has begun must be finished or undone by
// others.
func ways() []way {
	var all []way
	for _, f := range []mongotest.Fault{
		mongotest.Busy, mongotest.BusyAfter, mongotest.Unconfirmed,
		mongotest.Lost, mongotest.Unanswered, mongotest.Torn, mongotest.Deposed, mongotest.SteppedDown, mongotest.Silent,
	} {
		all = append(all, way{f.String(), func(n int) mongotest.Plan { return mongotest.Nth(n, f) }})
	}
	for _, f := range []mongotest.Fault{mongotest.Busy, mongotest.BusyAfter} {
		all = append(all, way{f.String() + " for good", func(n int) mongotest.Plan { return mongotest.From(n, f, mongotest.Busy) }})
	}
	return all
}

// brokenStores is a store behind a proxy, and one that sees what is really there.
type brokenStores struct {
	proxy  *mongotest.Proxy
	broken *mongo.Store
	truth  *mongo.Store
}

// impatience is how long a call may take to a server that does not answer.
const impatience = 3 * time.Second

func newBrokenStores(t *testing.T) *brokenStores {
	t.Helper()
	uri := mongotest.URI(t)
	b := &brokenStores{proxy: mongotest.NewProxy(t, uri), truth: mongo.Quiet(t, uri, 0)}
	if err := b.truth.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.broken = mongo.Quiet(t, b.proxy.URI(), impatience)
	return b
}

// TestFaults lets each call to the server go wrong that an operation makes, in each way. Whatever happens, the operation is done once and in
// full, or says that it cannot tell; and then it was done in full or not at all, once somebody has looked after what was left.
func TestFaults(t *testing.T) {
	t.Parallel() // it waits most of the time

	mongotest.URI(t) // without a server nothing is to be seen
	const workers = 12
	type job struct {
		operation operation
		way       way
	}
	jobs := make(chan job)
	var done sync.WaitGroup
	for range workers {
		b := newBrokenStores(t)
		done.Go(func() {
			for j := range jobs {
				t.Run(j.operation.name+"/"+j.way.name, func(t *testing.T) { b.breakEach(t, j.operation, j.way) })
			}
		})
	}
	for _, o := range operations() {
		for _, w := range ways() {
			if full() || w.inCI(o) {
				jobs <- job{o, w}
			}
		}
	}
	close(jobs)
	done.Wait()
}

// breakEach lets the first call of an operation go wrong, the second, and so on until it makes no more.
func (b *brokenStores) breakEach(t *testing.T, o operation, w way) {
	before, after, result := b.expect(t, o)
	for n := 1; ; n++ {
		world := newWorld(t, b.truth)
		do := o.prepare(world)
		b.proxy.Break(w.plan(n))
		got, err := do(b.broken)
		calls, broken := b.proxy.Calls()
		b.proxy.Break(nil)
		if broken == 0 {
			if n == 1 {
				t.Error("the operation makes no call: this shows nothing")
			}
			return
		}
		where := fmt.Sprintf("%s of call %d (%v)", w.name, n, calls[:n])
		if err == nil {
			if is := world.look(); is != after { // what was not done by the way is done by those who look after it
				world.settle()
				if diff := cmp.Diff(after, world.look()); diff != "" {
					t.Fatalf("%s: the operation went well, and this is there (-without a fault +with it):\n%s", where, diff)
				}
			}
			if diff := cmp.Diff(result, world.show(got)); diff != "" {
				t.Fatalf("%s: result (-without a fault +with it):\n%s", where, diff)
			}
			continue
		}
		world.settle()
		is := world.look()
		switch {
		case !errors.Is(err, store.ErrUnavailable):
			t.Fatalf("%s: error %v", where, err)
		case is == after && !o.repeatable, o.halves:
			continue
		case is != before && is != after && !o.repeatable:
			t.Fatalf("%s: neither done nor not done: %v\n-done +is\n%s\n-not done +is\n%s", where, err, cmp.Diff(after, is), cmp.Diff(before, is))
		}
		// It was not done, or may be repeated in any case: then it goes well.
		if _, err := do(b.truth); err != nil {
			t.Fatalf("%s: once more, after it was not done: %v", where, err)
		}
		world.settle()
		if diff := cmp.Diff(after, world.look()); diff != "" {
			t.Fatalf("%s: once more, after it was not done (-without a fault +with it):\n%s", where, diff)
		}
	}
}

// expect gives what is there before and after an operation in which nothing goes wrong, and its result.
func (b *brokenStores) expect(t *testing.T, o operation) (before, after, result string) {
	t.Helper()
	b.proxy.Break(nil)
	w := newWorld(t, b.truth)
	do := o.prepare(w)
	w.settle()
	before = w.look()
	got, err := do(b.broken)
	if err != nil {
		t.Fatalf("without a fault: %v", err)
	}
	w.settle()
	after = w.look()
	if before == after {
		t.Fatal("the operation changes nothing: this shows nothing")
	}
	return before, after, w.show(got)
}

// world is a company that an operation is tried in. Its ids and times are the same each time, as far as they are shown.
type world struct {
	*testing.T
	*mongo.Store
	ctx     context.Context
	company string
	names   map[string]string // of ids
	ticks   int
	extra   func() any // what else there is to see
}

func newWorld(t *testing.T, truth *mongo.Store) *world {
	w := &world{T: t, Store: truth, ctx: t.Context(), names: map[string]string{}}
	w.company = w.id("company")
	_, err := w.CreateCompany(w.ctx, w.newCompany(), []store.Pool{{Company: w.company, License: paid, Total: 2}, {Company: w.company, License: second, Total: 1}},
		&store.LocalAdmin{ID: w.id("root"), Company: w.company, Login: "root", Role: "super-admin", Created: w.now()}, nil)
	w.check(err)
	return w
}

func (w *world) check(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// id makes an id that is shown by the name.
func (w *world) id(name string) string {
	id := store.NewID()
	w.names[id] = "<" + name + ">"
	return id
}

func (w *world) now() time.Time {
	w.ticks++
	return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).Add(time.Duration(w.ticks) * time.Millisecond)
}

// show gives what was got, with names in the place of ids.
func (w *world) show(all ...any) string {
	w.Helper()
	var text strings.Builder
	for _, one := range all {
		b, err := json.MarshalIndent(one, "", " ")
		w.check(err)
		text.Write(b)
		text.WriteByte('\n')
	}
	out := text.String()
	for id, name := range w.names {
		out = strings.ReplaceAll(out, id, name)
	}
	return out
}

// settle lets what was left half-way be finished or undone, and checks that nothing is left.
func (w *world) settle() {
	w.Helper()
	w.check(w.Settle(w.ctx))
	w.nothingLeft()
}

// look gives all that is in the company. The log must have no gap and no event twice.
func (w *world) look() string {
	w.Helper()
	c, err := w.Company(w.ctx, w.company)
	if errors.Is(err, store.ErrNotFound) {
		return "there is no company"
	}
	w.check(err)
	all := []any{c}
	see := func(one any, err error) {
		w.Helper()
		w.check(err)
		all = append(all, one)
	}
	see(w.log(), nil) // first: what follows from changes is done before their events are listed
	admins, err := w.ListLocalAdmins(w.ctx, w.company)
	see(admins, err)
	connections, err := w.ListConnections(w.ctx, w.company)
	see(connections, err)
	for i := range connections {
		losses, err := w.CountLosses(w.ctx, w.company, connections[i].ID, time.Time{}, 100)
		see([]any{"signon", connections[i].SignOn.Version, "losses", losses}, err)
	}
	tokens, err := w.ListTokens(w.ctx, w.company)
	for i := range tokens {
		tokens[i].Hash = [32]byte{}
	}
	see(tokens, err)
	keys, err := w.ListAdminKeys(w.ctx, w.company)
	for i := range keys {
		keys[i].Hash = [32]byte{}
	}
	see(keys, err)
	adminSessions, err := w.ListAdminSessions(w.ctx, w.company)
	for i := range adminSessions {
		adminSessions[i].Hash = [32]byte{}
	}
	see(adminSessions, err)
	w.seeDirectory(see)
	rules, err := w.ListRules(w.ctx, w.company)
	see(rules, err)
	schemas, revision, err := w.ListSchemas(w.ctx, w.company)
	see([]any{schemas, revision}, err)
	sweeps, err := w.ListSweeps(w.ctx)
	see(slices.Concat(slices.DeleteFunc(sweeps, func(s store.Sweep) bool { return s.Company != w.company })), err) // none is nil
	mails, err := w.ListMails(w.ctx, w.company, "", "", 100)
	see(mails, err)
	sessions, err := w.ListSessions(w.ctx, w.company, "", "", 100)
	for i := range sessions {
		sessions[i].Hash = [32]byte{}
	}
	see(sessions, err)
	if w.extra != nil {
		all = append(all, w.extra())
	}
	return w.show(all...)
}

// seeDirectory shows accounts, groups and pools.
func (w *world) seeDirectory(see func(any, error)) {
	w.Helper()
	page, err := w.ListAccounts(w.ctx, w.company, store.Query{Limit: 100})
	ids := []string{}
	for i := range page.Accounts {
		page.Accounts[i].GroupsVersion, page.Accounts[i].Terms = 0, nil // it may grow more than once
		ids = append(ids, page.Accounts[i].ID)
	}
	see(page.Accounts, err)
	memberships, err := w.MembershipsOf(w.ctx, w.company, ids)
	for _, id := range ids {
		see([]any{id, memberships[id]}, err)
	}
	groups, err := w.ListGroups(w.ctx, w.company, store.Query{Limit: 100})
	see(groups.Groups, err)
	for _, g := range groups.Groups {
		members, err := w.Members(w.ctx, w.company, g.ID, "", 100)
		see(members, err)
		subgroups, err := w.Subgroups(w.ctx, w.company, g.ID)
		see(subgroups, err)
	}
	for _, license := range []string{paid, second} {
		pool, err := w.Pool(w.ctx, w.company, license)
		see(pool, err)
		counted, err := w.CountSeats(w.ctx, w.company, license)
		see(counted, err)
		queue, err := w.Queue(w.ctx, w.company, license, 100)
		see(len(queue), err)
	}
	tombstone, err := w.NewestTombstone(w.ctx, w.company, w.company, "x-ada", time.Time{})
	if errors.Is(err, store.ErrNotFound) {
		err = nil
	}
	see(tombstone, err)
}

// log gives the events as far as they are the same each time.
func (w *world) log() []store.Event {
	w.Helper()
	var events []store.Event
	for {
		page, err := w.ListEvents(w.ctx, w.company, int64(len(events)), 1000)
		w.check(err)
		if len(page) == 0 {
			break
		}
		events = append(events, page...)
	}
	var before [32]byte
	requests := map[string]bool{}
	for i, e := range events {
		if e.Seq != int64(i+1) || e.Hash != e.Chain(before) {
			w.Errorf("the log is broken at %d, whose place is %d", e.Seq, i+1)
		}
		if requests[e.Request] {
			w.Errorf("event %q is there twice", e.Action)
		}
		requests[e.Request], before = true, e.Hash
		events[i].Hash = [32]byte{}
	}
	return events
}

// nothingLeft reports what is not finished though it was settled.
func (w *world) nothingLeft() {
	w.Helper()
	db := w.Database()
	for _, name := range []string{"companies", "connections", "tokens", "admin_keys", "admin_sessions", "sessions", "users", "groups", "pools", "rules", "schemas", "inbox"} {
		n, err := db.Collection(name).CountDocuments(w.ctx, bson.D{{Key: "co", Value: w.company}, {Key: "$or", Value: bson.A{
			bson.D{{Key: "box", Value: bson.D{{Key: "$exists", Value: true}}}}, bson.D{{Key: "open", Value: true}}, bson.D{{Key: "gone", Value: true}},
		}}})
		w.check(err)
		if n > 0 {
			w.Errorf("%d documents of %s are not finished or not removed", n, name)
		}
	}
	var seats []struct {
		ID                string `bson:"_id"`
		Claim, Holder, St string
	}
	cursor, err := db.Collection("seats").Find(w.ctx, bson.D{{Key: "co", Value: w.company}, {Key: "free", Value: false}})
	w.check(err)
	w.check(cursor.All(w.ctx, &seats))
	claims := map[string]bool{}
	for _, s := range seats {
		if s.St == "claiming" || claims[s.Claim] {
			w.Errorf("seat %s is %s, and its claim has another seat too: %t", s.ID, s.St, claims[s.Claim])
		}
		claims[s.Claim] = true
	}
}

// paid and second are licenses with two seats and with one.
const (
	paid   = "video-pro-plus"
	second = "ringex"
)

func (w *world) newCompany() store.Company {
	return store.Company{ID: w.company, Name: "c-" + w.company, Display: "Acme", Domains: []string{w.company + ".example"}, Created: w.now()}
}

// account makes an account that is not stored yet.
func (w *world) account(name string) store.Account {
	at := w.now()
	doc, err := json.Marshal(map[string]any{"userName": name, "displayName": name})
	w.check(err)
	return store.Account{
		ID: w.id(name), Company: w.company, UserName: query.Fold(name), ExternalID: "x-" + name, Connection: w.company, Display: name,
		Active: true, Created: at, Modified: at, Doc: doc,
		Decision: store.Decision{LicenseState: store.StateNone, Effective: "video-pro", MemberType: "coworker", Role: "standard"},
	}
}

// seated gives the account a license with a seat.
func (w *world) seated(a store.Account, license string) store.Account {
	a.License, a.LicenseState, a.Effective = license, store.StateActive, license
	a.Seat, a.SeatState, a.SeatSince = license, store.StateActive, w.now()
	return a
}

// queued lets the account wait for a license.
func (w *world) queued(a store.Account, license string) store.Account {
	a.License, a.LicenseState, a.LicenseReason, a.Requested = license, store.StateWaiting, "no seat", w.now()
	return a
}

// there stores an account.
func (w *world) there(a store.Account) store.Account {
	w.Helper()
	stored, err := w.WriteAccount(w.ctx, store.AccountWrite{After: a})
	w.check(err)
	return stored
}

func (w *world) group(name string) store.Group {
	at := w.now()
	return store.Group{ID: w.id(name), Company: w.company, Name: query.Fold(name), Display: name, Created: at, Modified: at, Doc: []byte(`{"displayName":"` + name + `"}`)}
}

// thereGroup stores a group.
func (w *world) thereGroup(name string, members, groups []string) store.Group {
	w.Helper()
	g, err := w.CreateGroup(w.ctx, w.group(name), members, groups, nil, nil)
	w.check(err)
	return g
}

// events makes events that are told apart.
func (w *world) events(actions ...string) []store.Event {
	var all []store.Event
	for _, action := range actions {
		all = append(all, store.Event{
			Time: w.now(), Kind: store.EventAccount, Action: action, Actor: store.Actor{Kind: "operator", ID: "test"}, Door: "cli",
			Request: w.id("request of " + action), Detail: json.RawMessage(`{"n":1}`),
		})
	}
	return all
}

func (w *world) sweep() *store.Sweep {
	return &store.Sweep{ID: w.id("sweep"), Company: w.company, Cause: "test", Cursor: "start", Request: w.id("request of sweep"), Created: w.now()}
}
