package storetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp/cmpopts"

	"usher/store"
)

// scene is a store in which an operation dies half-way.
type scene struct {
	*fixture
	m             *Map
	a, b, c       store.Account // a has the only seat of other, b waits for pro, of which one of two seats is free, c is plain
	group         store.Group   // of a and b
	tomb          store.Tombstone
	events        []store.Event
	cause         *store.Sweep
	fresh         store.Account
	freshGroup    store.Group
	globex        store.Company
	connection    store.Connection
	wantedSweeps  int
	wantedCompany string // whose log has the events
}

func newScene(t *testing.T) *scene {
	m := NewMap(indexes())
	s := &scene{fixture: newFixture(t, m), m: m}
	s.setSeats(other, 1)
	s.setSeats(pro, 2)
	s.create(seated(s.draft("boss"), pro, store.StateActive, s.fixture))
	a := s.create(seated(s.draft("a"), other, store.StateActive, s.fixture))
	b := s.create(waiting(s.draft("b"), pro, s.fixture))
	s.c = s.create(s.draft("c"))
	s.group = s.createGroup("group", a.ID, b.ID)
	s.a, s.b = s.read(a.ID), s.read(b.ID)
	dead := s.create(s.draft("dead"))
	s.tomb = store.Tombstone{
		Company: s.company, Connection: "c", ExternalID: "e", ID: dead.ID, Created: dead.Created, Deleted: s.now(),
	}
	s.check(s.DeleteAccount(s.ctx, store.AccountDelete{Before: dead, Tombstone: &s.tomb, Events: []store.Event{s.event("earlier", dead.ID)}}))
	s.events = []store.Event{s.event("doomed", "1"), s.event("doomed", "2")}
	s.cause = s.sweep("cause")
	s.fresh, s.freshGroup = s.draft("new"), s.newGroup("new")
	s.globex = store.Company{ID: store.NewID(), Name: "globex", Domains: []string{"one.example", "two.example"}, Created: s.now()}
	s.connection = store.Connection{ID: store.NewID(), Company: s.company, Name: "okta", Created: s.now()}
	s.wantedCompany = s.company
	return s
}

// crash is one operation, and what must be found when it was done.
type crash struct {
	name string
	run  func(s *scene) error
	done func(s *scene) // reports what is not as it should be
	last bool           // the step that decides is the last one
}

// moving is the operation whose events and sweeps were written before it begins.
const moving = "move events and sweeps"

func crashes() []crash {
	return []crash{
		{"create with a seat", func(s *scene) error {
			w := claim(nil, s.fresh, pro, s.fixture)
			w.Events = s.events
			_, err := s.WriteAccount(s.ctx, w)
			return err
		}, func(s *scene) {
			s.same("seat", s.read(s.fresh.ID).Seat, pro)
			s.same("used", s.pool(pro).Used, 2)
		}, false},
		{"adopt", func(s *scene) error {
			a := s.fresh
			a.ID = s.tomb.ID
			_, err := s.WriteAccount(s.ctx, store.AccountWrite{After: a, Adopt: &s.tomb, Events: s.events})
			return err
		}, func(s *scene) {
			s.same("name", s.read(s.tomb.ID).UserName, "new")
			_, err := s.NewestTombstone(s.ctx, s.company, "c", "e", time.Time{})
			s.want("tombstone", err, store.ErrNotFound)
		}, false},
		{"rename and swap seats", func(s *scene) error {
			w := claim(&s.a, s.a, pro, s.fixture)
			w.After.UserName, w.Events = "renamed", s.events
			_, err := s.WriteAccount(s.ctx, w)
			return err
		}, func(s *scene) {
			s.same("name", s.read(s.a.ID).UserName, "renamed")
			s.same("seat", s.read(s.a.ID).Seat, pro)
			s.same("old pool", s.pool(other).Used, 0)
			s.create(s.draft("a"))
		}, false},
		{"change the state of a seat", func(s *scene) error {
			_, err := s.WriteAccount(s.ctx, store.AccountWrite{Before: &s.a, After: seated(s.a, other, store.StateHeld, s.fixture), Events: s.events})
			return err
		}, func(s *scene) {
			s.same("held", s.pool(other).Held, 1)
		}, false},
		{"wait for a seat", func(s *scene) error {
			w := claim(&s.c, s.c, other, s.fixture)
			w.NoSeat.Account.UserName, w.NoSeat.Events = "renamed", s.events
			_, err := s.WriteAccount(s.ctx, w)
			return err
		}, func(s *scene) {
			s.same("queue", s.pool(other).Waiting, 1)
		}, false},
		{"delete", func(s *scene) error {
			t := s.tomb
			t.ID, t.ExternalID = s.a.ID, "e-a"
			return s.DeleteAccount(s.ctx, store.AccountDelete{Before: s.a, Tombstone: &t, Events: s.events})
		}, func(s *scene) {
			s.same("used", s.pool(other).Used, 0)
			s.same("members", s.members(s.group.ID), []string{s.b.ID})
			_, err := s.NewestTombstone(s.ctx, s.company, "c", "e-a", time.Time{})
			s.check(err)
			s.create(s.draft("a"))
		}, false},
		{"create a group", func(s *scene) error {
			s.wantedSweeps = 1
			_, err := s.CreateGroup(s.ctx, s.freshGroup, []string{s.a.ID, s.c.ID}, nil, s.cause, s.events)
			return err
		}, func(s *scene) {
			s.same("members", s.members(s.freshGroup.ID), []string{s.a.ID, s.c.ID})
			s.same("groups", s.read(s.c.ID).Groups, 1)
		}, false},
		{"change a group", func(s *scene) error {
			s.wantedSweeps = 1
			_, err := s.ChangeGroup(s.ctx, store.GroupChange{
				Company: s.company, ID: s.group.ID, IfVersion: s.group.Version, Group: &s.freshGroup, Modified: s.now(),
				Members: store.MemberChange{Add: []string{s.c.ID}, Remove: []string{s.a.ID}}, Sweep: s.cause, Events: s.events,
			})
			return err
		}, func(s *scene) {
			s.same("members", s.members(s.group.ID), []string{s.b.ID, s.c.ID})
			s.same("name", s.readGroup(s.group.ID).Name, "new")
			if got := s.read(s.c.ID); got.GroupsVersion <= s.c.GroupsVersion {
				s.Errorf("groups version %d after %d", got.GroupsVersion, s.c.GroupsVersion)
			}
			s.createGroup("group")
		}, false},
		{"delete a group", func(s *scene) error {
			s.wantedSweeps = 1
			return s.DeleteGroup(s.ctx, s.company, s.group.ID, 0, s.cause, s.events)
		}, func(s *scene) {
			s.same("groups", s.read(s.a.ID).Groups, 0)
			s.createGroup("group")
		}, false},
		{"create a company", func(s *scene) error {
			s.wantedCompany = s.globex.ID
			_, err := s.CreateCompany(s.ctx, s.globex, []store.Pool{{Company: s.globex.ID, License: pro, Total: 3}},
				&store.LocalAdmin{ID: store.NewID(), Company: s.globex.ID, Login: "root", Created: s.now()}, s.events)
			return err
		}, func(s *scene) {
			p, err := s.Pool(s.ctx, s.globex.ID, pro)
			s.check(err)
			s.same("seats", p.Total, 3)
			admins, err := s.ListLocalAdmins(s.ctx, s.globex.ID)
			s.check(err)
			s.same("admins", len(admins), 1)
		}, true},
		{"create a connection", func(s *scene) error {
			return s.CreateConnection(s.ctx, s.connection, s.events)
		}, func(s *scene) {
			_, err := s.ConnectionByName(s.ctx, s.company, "okta")
			s.check(err)
		}, true},
		{moving, func(s *scene) error {
			s.wantedSweeps = 1
			if _, err := s.ListSweeps(s.ctx); err != nil {
				return err
			}
			_, err := s.ListEvents(s.ctx, s.company, 0, 100)
			return err
		}, func(*scene) {}, false},
	}
}

// died is what an interrupted operation panics with.
type died struct{}

// runDying runs the operation and lets it die before the given step that writes: died is false when it has no so many steps.
func (s *scene) runDying(c crash, step int) (dead bool, err error) {
	s.m.interrupt = func() {
		if step--; step == 0 {
			panic(died{})
		}
	}
	defer func() {
		s.m.interrupt = nil
		if r := recover(); r != nil {
			if _, ok := r.(died); !ok {
				panic(r)
			}
			dead = true
		}
	}()
	return false, c.run(s)
}

// TestMap_Repair lets every operation die before each of its steps. Nothing may be oversold before the repair; after it, the
// operation was done as a whole, with its events and its sweep, or not at all, and then it can be done again.
func TestMap_Repair(t *testing.T) {
	for _, c := range crashes() {
		t.Run(c.name, func(t *testing.T) {
			outcomes := make(map[bool]int)
			for step := 1; ; step++ {
				s := newScene(t)
				if c.name == moving {
					_, err := s.CreateGroup(s.ctx, s.freshGroup, nil, nil, s.cause, s.events)
					s.check(err)
				}
				var before snapshot
				if c.name != moving { // which taking it would do
					before = s.snapshot(s.company)
				}
				dead, err := s.runDying(c, step)
				if !dead {
					s.check(err)
					s.finished(c)
					break
				}
				s.unharmed()
				for range 2 { // what is repaired needs no repair
					s.check(s.m.Repair(s.ctx))
					s.tidy()
				}
				done := s.told() > 0
				outcomes[done]++
				if !done {
					s.same(fmt.Sprintf("died before step %d: not done", step), s.snapshot(s.company), before,
						cmpopts.IgnoreFields(store.Account{}, "GroupsVersion"))
					s.check(c.run(s))
				}
				s.finished(c)
				if t.Failed() {
					t.Fatalf("died before step %d", step)
				}
			}
			if c.name != moving && (outcomes[false] == 0 || (outcomes[true] == 0) != c.last) {
				t.Errorf("outcomes %v: the steps before and after the one that decides were not both reached", outcomes)
			}
		})
	}
}

// told says how many of the operation's events are in the log.
func (s *scene) told() int {
	s.Helper()
	log := s.log(s.wantedCompany)
	s.verify(log)
	n := 0
	for _, e := range log {
		if e.Action == "doomed" {
			n++
		}
	}
	return n
}

// finished checks that the operation has done all that it is to do, once.
func (s *scene) finished(c crash) {
	s.Helper()
	s.same("events", s.told(), len(s.events))
	sweeps, err := s.ListSweeps(s.ctx)
	s.check(err)
	s.same("sweeps", len(sweeps), s.wantedSweeps)
	c.done(s)
	s.tidy()
}

// unharmed checks what must hold at every moment.
func (s *scene) unharmed() {
	s.Helper()
	for _, k := range s.m.pools.keys() {
		if p, err := s.m.pools.read(k); err == nil && len(p.seats) > p.total {
			s.Errorf("%d of %d seats of %s are taken", len(p.seats), p.total, p.license)
		}
		seated := 0
		for _, a := range s.everybody() {
			if p, _ := s.m.pools.read(k); a.Seat == p.license {
				seated++
			}
		}
		if p, _ := s.m.pools.read(k); seated > p.total {
			s.Errorf("%d people on %d seats of %s", seated, p.total, p.license)
		}
	}
}

// tidy checks that no claim is left that nobody carries, and that what is carried is claimed.
func (s *scene) tidy() {
	s.Helper()
	for _, license := range []string{pro, other} {
		s.pool(license) // the kept counts agree
		p, err := s.m.pools.read(join(s.company, license))
		s.check(err)
		for claim, seat := range p.seats {
			if a, err := s.m.accounts.read(seat.account); err != nil || a.seat != claim || a.SeatState != seat.state {
				s.Errorf("a seat of %s in state %q that its account does not hold", license, seat.state)
			}
		}
	}
	for _, k := range s.m.names.keys() {
		if row, _, _ := s.m.names.get(k); !s.m.carries(row, k) {
			s.Errorf("the name %q is held by nobody", k)
		}
	}
	for _, a := range s.everybody() {
		found, err := s.AccountByUserName(s.ctx, s.company, a.UserName)
		s.check(err)
		s.same("who has the name", found.ID, a.ID)
	}
	if open := slices.Concat(s.m.accounts.find(openFacts), s.m.groups.find(openFacts)); len(open) > 0 {
		s.Errorf("%d records with steps outstanding", len(open))
	}
}
