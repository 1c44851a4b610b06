package doctor

import (
	"context"
	"encoding/json"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"usher/store"
	"usher/store/storetest"
)

func now() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }

// patient is a store that can say other things than it has.
type patient struct {
	*storetest.Map
	*testing.T
	company store.Company
	person  store.Account // with a seat, and in the group
	group   store.Group

	events   func([]store.Event) []store.Event
	members  func([]store.Member) []store.Member
	counted  func(store.Pool) store.Pool
	examined []store.Finding
}

func (p *patient) ListEvents(ctx context.Context, company string, after int64, limit int) ([]store.Event, error) {
	all, err := p.Map.ListEvents(ctx, company, after, limit)
	if p.events != nil {
		all = p.events(all)
	}
	return all, err
}

func (p *patient) Members(ctx context.Context, company, group, after string, limit int) ([]store.Member, error) {
	all, err := p.Map.Members(ctx, company, group, after, limit)
	if p.members != nil {
		all = p.members(all)
	}
	return all, err
}

func (p *patient) CountSeats(ctx context.Context, company, license string) (store.Pool, error) {
	pool, err := p.Map.CountSeats(ctx, company, license)
	if p.counted != nil {
		pool = p.counted(pool)
	}
	return pool, err
}

// inOneGo is the same store as an engine that can be read in one go, and looked into.
type inOneGo struct{ *patient }

func (p inOneGo) Examine(context.Context) ([]store.Finding, error) { return p.examined, nil }

func (p inOneGo) Look(ctx context.Context, kind store.RecordKind, company string) iter.Seq2[store.Record, error] {
	var values []any
	add := func(v any) { values = append(values, v) }
	groups, err := p.ListGroups(ctx, company, store.Query{Limit: 1000})
	switch kind {
	case store.RecordAccount:
		var all store.AccountPage
		all, err = p.ListAccounts(ctx, company, store.Query{Limit: 1000})
		for _, a := range all.Accounts {
			add(a)
		}
	case store.RecordGroup:
		for _, g := range groups.Groups {
			add(g)
		}
	case store.RecordEvent:
		var all []store.Event
		all, err = p.ListEvents(ctx, company, 0, 1000)
		for _, e := range all {
			add(store.EventRecord{Company: company, Event: e, Detail: e.Detail})
		}
	case store.RecordMember:
		for _, g := range groups.Groups {
			var all []store.Member
			all, err = p.Members(ctx, company, g.ID, "", 1000)
			for _, m := range all {
				add(store.MemberRecord{Company: company, Group: g.ID, Account: m.ID})
			}
		}
	case store.RecordSubgroup:
		for _, g := range groups.Groups {
			var all []store.Member
			all, err = p.Subgroups(ctx, company, g.ID)
			for _, m := range all {
				add(store.SubgroupRecord{Company: company, Group: g.ID, Child: m.ID})
			}
		}
	}
	return func(yield func(store.Record, error) bool) {
		if err != nil {
			yield(store.Record{}, err)
			return
		}
		for _, v := range values {
			r, err := store.RecordOf(v)
			if !yield(r, err) {
				return
			}
		}
	}
}

func (p *patient) check(err error) {
	p.Helper()
	if err != nil {
		p.Fatal(err)
	}
}

// licensed is the event of a change of the license.
func licensed(account string, from, to holding) store.Event {
	detail, err := json.Marshal(struct{ From, To holding }{from, to})
	if err != nil {
		panic(err)
	}
	return store.Event{Time: now(), Kind: store.EventLicense, Action: "license.change", Target: account, Detail: detail}
}

func (p *patient) write(a store.Account, events ...store.Event) store.Account {
	p.Helper()
	stored, err := p.WriteAccount(p.Context(), store.AccountWrite{After: a, Events: events})
	p.check(err)
	return stored
}

// waits gives an account that waits for a license, and the event that tells so.
func (p *patient) waits(name string) (store.Account, store.Event) {
	a := store.Account{
		ID: store.NewID(), Company: p.company.ID, UserName: name, Active: true, Created: now(), Modified: now(),
		Decision: store.Decision{License: "ringex", LicenseState: store.StateWaiting, LicenseReason: "waiting_for_seat", Effective: "video-pro", Requested: now()},
	}
	return a, licensed(a.ID, nothing(), holdingOf(a))
}

// healthy gives a store in which nothing is wrong.
func healthy(t *testing.T) *patient {
	p := &patient{Map: storetest.NewMap(nil), T: t}
	c, err := p.CreateCompany(t.Context(), store.Company{ID: store.NewID(), Name: "acme", Created: now()}, []store.Pool{{License: "ringex", Total: 1}},
		&store.LocalAdmin{ID: store.NewID(), Login: "root"}, []store.Event{{Time: now(), Kind: store.EventCompany, Action: "company.create"}})
	p.check(err)
	p.company = c
	a, _ := p.waits("one")
	a.LicenseState, a.LicenseReason, a.Effective, a.Seat, a.SeatState, a.SeatSince = store.StateActive, "", "ringex", "ringex", store.StateActive, now()
	p.person = p.write(a, licensed(a.ID, nothing(), holdingOf(a)))
	p.group, err = p.CreateGroup(t.Context(), store.Group{ID: store.NewID(), Company: c.ID, Name: "all", Created: now(), Modified: now()}, []string{a.ID}, nil, nil, nil)
	p.check(err)
	b, event := p.waits("two")
	p.write(b, event)
	p.check(p.CreateConnection(t.Context(), store.Connection{ID: "okta", Company: c.ID, Name: "okta"}, nil))
	p.check(p.CreateToken(t.Context(), store.Token{Hash: [32]byte{1}, ID: store.NewID(), Company: c.ID, Connection: "okta"}, nil))
	return p
}

func TestRun(t *testing.T) {
	for _, test := range []struct {
		name   string
		ail    func(p *patient)
		wrong  []string // checks
		notes  []string
		says   string // in the first finding
		silent bool   // no server sends mails
		engine bool   // only an engine that can be looked into has it
	}{
		{name: "nothing", ail: func(*patient) {}},
		{name: "an event changed", ail: func(p *patient) {
			p.events = func(all []store.Event) []store.Event {
				for i := range all {
					if all[i].Seq == 2 {
						all[i].Action = "nothing"
					}
				}
				return all
			}
		}, wrong: []string{"events"}, says: "broken at event 2"},
		{name: "an event taken out", ail: func(p *patient) {
			p.events = func(all []store.Event) []store.Event {
				return slices.DeleteFunc(all, func(e store.Event) bool { return e.Seq == 1 })
			}
		}, wrong: []string{"events"}, says: "broken at event 2"},
		{name: "a license without an event", ail: func(p *patient) {
			a, _ := p.waits("three")
			p.write(a)
		}, wrong: []string{"ledger"}, says: "has waiting ringex, and by the license events it has none"},
		{name: "an event without a license", ail: func(p *patient) {
			a, event := p.waits("three")
			a.Decision = store.Decision{LicenseState: store.StateNone, Effective: "video-pro"}
			p.write(a, event)
		}, wrong: []string{"ledger"}},
		{name: "an event that begins elsewhere", ail: func(p *patient) {
			p.check(p.AppendEvents(p.Context(), p.company.ID, []store.Event{licensed(p.person.ID, nothing(), holdingOf(p.person))}))
		}, wrong: []string{"ledger"}, says: "is not in the log"},
		{name: "a license event that says nothing", ail: func(p *patient) {
			p.check(p.AppendEvents(p.Context(), p.company.ID, []store.Event{{Kind: store.EventLicense, Target: p.person.ID, Detail: json.RawMessage(`{}`)}}))
		}, wrong: []string{"ledger"}},
		{name: "a removal without an event", ail: func(p *patient) {
			p.check(p.DeleteAccount(p.Context(), store.AccountDelete{Before: p.person, At: now()}))
		}, wrong: []string{"ledger", "queue"}, says: "is gone"},
		{name: "a membership lost", ail: func(p *patient) {
			p.members = func([]store.Member) []store.Member { return nil }
		}, wrong: []string{"members", "members"}, says: "is in 0 groups and counts 1"},
		{name: "a pool that has lost count", ail: func(p *patient) {
			p.counted = func(pool store.Pool) store.Pool { pool.Active, pool.Used = 0, 0; return pool }
		}, wrong: []string{"seats"}, says: "1 active, 0 held"},
		{name: "people wait beside free seats", ail: func(p *patient) {
			p.check(p.SetSeats(p.Context(), p.company.ID, "ringex", 2, nil))
		}, wrong: []string{"queue"}, says: "1 people wait for ringex although only 1 of 2"},
		{name: "more used than bought", ail: func(p *patient) {
			p.check(p.SetSeats(p.Context(), p.company.ID, "ringex", 0, nil))
		}, notes: []string{"seats"}},
		{name: "a token of no connection", ail: func(p *patient) {
			p.check(p.CreateToken(p.Context(), store.Token{Hash: [32]byte{2}, ID: "t", Company: p.company.ID, Connection: "gone"}, nil))
		}, wrong: []string{"tokens"}, says: "usher token revoke --company acme t"},
		{name: "a key of nobody", ail: func(p *patient) {
			p.check(p.CreateAdminKey(p.Context(), store.AdminKey{Hash: [32]byte{2}, ID: "k", Company: p.company.ID, Admin: "gone"}, nil))
		}, notes: []string{"keys"}},
		{name: "a rule of no group", ail: func(p *patient) {
			p.check(p.CreateRule(p.Context(), store.Rule{ID: "r", Company: p.company.ID, Group: p.group.ID}, nil, nil))
			p.check(p.DeleteGroup(p.Context(), p.company.ID, p.group.ID, 0, nil, nil))
		}, notes: []string{"rules"}},
		{name: "a session of nobody", ail: func(p *patient) {
			a, _ := p.waits("three")
			a.Decision = store.Decision{LicenseState: store.StateNone, Effective: "video-pro"}
			a = p.write(a)
			_, err := p.OpenSession(p.Context(), store.SessionOpening{Session: store.Session{ID: "s", Company: p.company.ID, Account: a.ID}, Account: a})
			p.check(err)
			p.check(p.DeleteAccount(p.Context(), store.AccountDelete{Before: a, At: now()}))
		}, notes: []string{"sessions"}},
		{name: "a sweep that nobody does", ail: func(p *patient) { p.sweep(time.Hour, false) }, wrong: []string{"sweeps"}, says: "open for 1h0m0s"},
		{name: "a sweep that has just begun", ail: func(p *patient) { p.sweep(time.Second, false) }, notes: []string{"sweeps"}},
		{name: "a sweep under way", ail: func(p *patient) { p.sweep(time.Hour, true) }, notes: []string{"sweeps"}},
		{name: "a mail that is stuck", ail: func(p *patient) { p.mail(time.Hour) }, wrong: []string{"mails"}},
		{name: "a mail that nobody sends", ail: func(p *patient) { p.mail(time.Hour) }, silent: true, notes: []string{"mails"}},
		{name: "a mail that has just been posted", ail: func(p *patient) { p.mail(time.Second) }},
		{name: "what the engine finds", ail: func(p *patient) {
			p.examined = []store.Finding{{Check: "file", Note: true}, {Check: "index"}}
		}, wrong: []string{"index"}, notes: []string{"file"}, engine: true},
		{name: "a lot of the same", ail: func(p *patient) {
			for i := range 2*maxOfCheck + 1 {
				p.check(p.CreateToken(p.Context(), store.Token{Hash: [32]byte{9, byte(i)}, ID: store.NewID(), Company: p.company.ID, Connection: "gone"}, nil))
			}
		}, wrong: slices.Repeat([]string{"tokens"}, maxOfCheck+1)},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := healthy(t)
			test.ail(p)
			for name, store := range map[string]Store{"page by page": p, "in one go": inOneGo{p}} {
				if _, asked := store.(*patient); asked && test.engine {
					continue
				}
				report, err := Run(t.Context(), Config{Store: store, Now: now(), SendsMail: !test.silent})
				if err != nil {
					t.Fatal(err)
				}
				var checks []string
				for _, f := range report.Findings {
					checks = append(checks, f.Check)
				}
				if want := slices.Concat(test.wrong, test.notes); !slices.Equal(checks, want) || report.Wrong() != len(test.wrong) {
					t.Errorf("%s: found %q, of which %d are wrong, want %q, of which %d: %+v", name, checks, report.Wrong(), want, len(test.wrong), report.Findings)
				}
				if len(checks) > 0 && !strings.Contains(report.Findings[0].Text, test.says) {
					t.Errorf("%s: found %q, want %q in it", name, report.Findings[0].Text, test.says)
				}
				if c := report.Companies[0]; c.Name != "acme" || c.Accounts == 0 || c.Events == 0 {
					t.Errorf("%s: looked at %+v", name, c)
				}
			}
		})
	}
}

// sweep stores one of an age, on which somebody works or nobody.
func (p *patient) sweep(age time.Duration, held bool) {
	s := store.Sweep{ID: store.NewID(), Company: p.company.ID, Created: now().Add(-age)}
	_, err := p.UpdateCompany(p.Context(), p.company, &s, nil)
	p.check(err)
	if held {
		_, err := p.LeaseSweep(p.Context(), s.ID, "somebody", now().Add(-time.Minute), now().Add(time.Minute))
		p.check(err)
	}
}

// mail posts one that has been due for a while.
func (p *patient) mail(since time.Duration) {
	p.check(p.PostMails(p.Context(), p.company.ID, []store.Mail{{ID: store.NewID(), Company: p.company.ID, State: store.MailQueued, Due: now().Add(-since)}}))
}

// What others change while the doctor looks is not taken for a mistake.
func TestRun_Meanwhile(t *testing.T) {
	p := healthy(t)
	looks := 0
	p.counted = func(pool store.Pool) store.Pool {
		if looks++; looks == 1 {
			pool.Active--
		}
		return pool
	}
	report, err := Run(t.Context(), Config{Store: p, Now: now()})
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Findings) > 0 || looks != 2 {
		t.Errorf("after %d looks: %+v", looks, report.Findings)
	}
}
