package main

import (
	"cmp"
	"database/sql"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite" // the driver
)

// The checker reads the database of a server that has stopped, and nothing of the program: it has the rules of licensing once more, in
// its own words, and works out from the log of events what everybody must have.

// ask is a source as events and accounts have it.
type ask struct {
	Kind, Ref, License string
	At, Until          time.Time
	Priority           int
	Approved, Refused  bool
}

// state is what is known of a person.
type state struct {
	License, State, Reason, Effective, Seat, SeatState string
	sources                                            []ask
	active                                             bool
	member                                             string
	since                                              int64 // when the license was first asked for, in milliseconds
	priority                                           int
}

func rank(a ask) (int, int, int, int64, string) {
	decided, kind := 1, slices.Index([]string{"pin", "license", "entitlements", "roles"}, a.Kind)
	switch {
	case a.Approved:
		decided = 0
	case a.Refused:
		decided = 2
	}
	if kind < 0 {
		kind = 4
	}
	return decided, kind, -a.Priority, a.At.UnixMilli(), a.Ref
}

func outranks(a, b ask) int {
	a1, a2, a3, a4, a5 := rank(a)
	b1, b2, b3, b4, b5 := rank(b)
	return cmp.Or(a1-b1, a2-b2, a3-b3, cmp.Compare(a4, b4), strings.Compare(a5, b5))
}

// due works out the license of a person from what asks for it and from the seat.
func (s state) due() state {
	s.License, s.State, s.Reason, s.Effective = "", "none", "", "video-pro"
	if len(s.sources) == 0 {
		return s
	}
	top := slices.MinFunc(s.sources, outranks)
	s.License = top.License
	seated := s.Seat == top.License
	switch {
	case top.License == "video-pro":
		s.License, s.Reason = "", "vetoed"
	case s.member == "guest":
		s.State, s.Reason = "blocked", "guest"
	case top.Refused && !top.Approved:
		s.State, s.Reason = "blocked", "request_refused"
	case !top.Approved:
		s.State, s.Reason = "blocked", "needs_approval"
	case !s.active && seated:
		s.State, s.Reason = "held", "account_inactive"
	case !s.active:
		s.State, s.Reason = "blocked", "account_inactive"
	case !seated:
		s.State, s.Reason = "waiting", "waiting_for_seat"
	default:
		s.State = s.SeatState
	}
	if s.active && s.member != "guest" && s.Seat != "" {
		s.Effective = s.Seat
	}
	return s
}

// report is what the checker has found in a database.
type report struct {
	people, events int
	wrong          []string // each a sentence
}

func (r *report) complain(format string, args ...any) {
	r.wrong = append(r.wrong, fmt.Sprintf(format, args...))
}

// records is what the checker reads of a company.
type records struct {
	events []logged // in the order of the log
	people []known
	pools  []pool
	queues map[string][]string // by license: who waits, in turn
}

type logged struct {
	action, target, detail string
	at                     time.Time // zero where the log has the order in which all came to be
}

// lowering is the last time that a pool lost seats, where the log tells of what was under way by then only afterwards.
type lowering struct {
	from int
	at   time.Time
}

// underWay is how long a write that has taken a seat may take to be told of.
const underWay = 15 * time.Second

type known struct {
	id string
	state
}

type pool struct {
	license                                 string
	bought, reserved, active, held, waiting int
}

// checkStore checks the database in a file.
func checkStore(t *testing.T, file string) report {
	t.Helper()
	var found report
	db, err := sql.Open("sqlite", "file:"+file+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	each := func(scan func(*sql.Rows) error, query string, args ...any) {
		t.Helper()
		rows, err := db.Query(query, args...)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		for rows.Next() {
			if err := scan(rows); err != nil {
				t.Fatal(err)
			}
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
	}
	var companies []int
	each(func(r *sql.Rows) error {
		var co int
		err := r.Scan(&co)
		companies = append(companies, co)
		return err
	}, "SELECT co FROM companies")
	for _, co := range companies {
		all := records{queues: map[string][]string{}}
		each(func(r *sql.Rows) error {
			var e logged
			err := r.Scan(&e.action, &e.target, &e.detail)
			all.events = append(all.events, e)
			return err
		}, "SELECT action, ifnull(target, ''), ifnull(detail, '{}') FROM events WHERE co = ? ORDER BY seq", co)
		each(func(r *sql.Rows) error {
			var sources string
			var is known
			if err := r.Scan(&is.id, &is.License, &is.State, &is.Reason, &is.Effective, &is.Seat, &is.SeatState, &is.active, &is.member, &sources); err != nil {
				return err
			}
			all.people = append(all.people, is)
			return json.Unmarshal([]byte(sources), &all.people[len(all.people)-1].sources)
		}, `SELECT id, ifnull(license, ''), lstate, ifnull(lreason, ''), effective, ifnull(seat, ''), ifnull(sstate, ''), active, member,
			ifnull(sources, '[]') FROM users WHERE co = ?`, co)
		each(func(r *sql.Rows) error {
			var p pool
			err := r.Scan(&p.license, &p.bought, &p.reserved, &p.active, &p.held, &p.waiting)
			all.pools = append(all.pools, p)
			return err
		}, "SELECT sku, total, reserved, active, held, waiting FROM pools WHERE co = ?", co)
		each(func(r *sql.Rows) error {
			var sku, id string
			err := r.Scan(&sku, &id)
			all.queues[sku] = append(all.queues[sku], id)
			return err
		}, "SELECT sku, id FROM waiting WHERE co = ? ORDER BY prio DESC, since, id", co)
		found.check(all)
	}
	each(func(r *sql.Rows) error {
		var cause string
		err := r.Scan(&cause)
		found.complain("an open sweep: %s", cause)
		return err
	}, "SELECT cause FROM sweeps")
	return found
}

// check checks the records of one company.
func (r *report) check(all records) {
	known, used, total, lowered := map[string]*state{}, map[string]int{}, map[string]int{}, map[string]lowering{}
	for _, e := range all.events {
		r.events++
		if err := replay(e, known, used, total, lowered); err != nil {
			r.complain("event %d: %v", r.events, err)
		}
	}
	queue, counted := map[string][]string{}, map[string]int{}
	for _, is := range all.people {
		r.people++
		said := known[is.id]
		if said == nil {
			r.complain("%s is not in the log", is.id)
			continue
		}
		delete(known, is.id)
		if got, want := fmt.Sprint(is.sources), fmt.Sprint(said.sources); got != want {
			r.complain("%s: sources %s, by the log %s", is.id, got, want)
		}
		if id, is, said := is.id, fmt.Sprintf("%+v", is.shown()), fmt.Sprintf("%+v", said.shown()); is != said {
			r.complain("%s:\n is            %s\n by the log is %s", id, is, said)
		}
		is.since, is.priority = said.since, said.priority
		want := said.due()
		if got, want := fmt.Sprintf("%+v", is.state), fmt.Sprintf("%+v", want); got != want {
			r.complain("%s:\n is      %s\n must be %s", is.id, got, want)
		}
		if want.State == "waiting" {
			queue[want.License] = append(queue[want.License], fmt.Sprintf("%08d %d %s", 1_000_000-want.priority, want.since, is.id))
		}
		if is.Seat != "" {
			counted[is.Seat]++
		}
	}
	for id, s := range known {
		r.complain("%s is in the log and nowhere else: %+v", id, *s)
	}
	for _, p := range all.pools {
		if kept := p.reserved + p.active + p.held; kept != used[p.license] || kept != counted[p.license] || p.bought != total[p.license] {
			r.complain("%s: %d used, by the log %d, counted %d; %d bought, by the log %d", p.license, kept, used[p.license], counted[p.license], p.bought, total[p.license])
		}
		if p.waiting != len(queue[p.license]) || p.waiting > 0 && p.reserved+p.active < p.bought {
			r.complain("%s: %d wait, counted %d, beside %d of %d seats that nobody needs", p.license, p.waiting, len(queue[p.license]), p.bought-p.reserved-p.active, p.bought)
		}
	}
	for license, ids := range queue {
		slices.Sort(ids)
		for place, id := range all.queues[license] {
			if place >= len(ids) || !strings.HasSuffix(ids[place], id) {
				r.complain("%s: %s is in place %d of the queue, but not by the log", license, id, place)
			}
		}
	}
}

// replay takes one event in.
func replay(e logged, known map[string]*state, used, total map[string]int, lowered map[string]lowering) error {
	target, detail := e.target, e.detail
	var d struct {
		Seats      map[string]int
		Total      int
		Active     bool
		MemberType string
		From, To   state
		Sources    []ask
	}
	if err := json.Unmarshal([]byte(detail), &d); err != nil {
		return fmt.Errorf("%s: %w", detail, err)
	}
	s := known[target]
	switch e.action {
	case "company.create":
		maps.Copy(total, d.Seats)
	case "pool.set-seats":
		if d.Total < total[target] {
			lowered[target] = lowering{total[target], e.at}
		}
		total[target] = d.Total
	case "user.create", "user.update", "user.invite", "user.activate":
		if s == nil {
			s = &state{Effective: "video-pro", State: "none"}
			known[target] = s
		}
		s.active, s.member = d.Active, d.MemberType
	case "user.delete":
		if s != nil && s.Seat != "" {
			used[s.Seat]--
		}
		delete(known, target)
	case "license.change":
		if s == nil { // of a person who has just been deleted
			return nil
		}
		if was, is := fmt.Sprintf("%+v", s.shown()), fmt.Sprintf("%+v", d.From); was != is {
			return fmt.Errorf("%s: the log says %s and then begins with %s", target, was, is)
		}
		before := *s
		s.License, s.State, s.Reason, s.Effective, s.Seat, s.SeatState = d.To.License, d.To.State, d.To.Reason, d.To.Effective, d.To.Seat, d.To.SeatState
		s.sources, s.priority = d.Sources, 0
		first := int64(0)
		for _, a := range d.Sources {
			if a.License == s.License {
				s.priority = max(s.priority, a.Priority)
				if at := a.At.UnixMilli(); first == 0 || at < first {
					first = at
				}
			}
		}
		if before.License != s.License {
			s.since = first
		}
		if before.Seat != s.Seat {
			if before.Seat != "" {
				used[before.Seat]--
			}
			if s.Seat != "" {
				most := total[s.Seat]
				if l := lowered[s.Seat]; !e.at.IsZero() && e.at.Before(l.at.Add(underWay)) {
					most = max(most, l.from)
				}
				if used[s.Seat]++; used[s.Seat] > most {
					return fmt.Errorf("%s got seat %d of %d", target, used[s.Seat], total[s.Seat])
				}
			}
		}
	}
	return nil
}

// shown is the part of a state that events tell.
func (s state) shown() state {
	return state{License: s.License, State: s.State, Reason: s.Reason, Effective: s.Effective, Seat: s.Seat, SeatState: s.SeatState}
}
