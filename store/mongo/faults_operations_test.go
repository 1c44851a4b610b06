package mongo_test

import (
	"crypto/sha256"

	"usher/store"
)

// operation is one that faults are tried on.
type operation struct {
	name string
	// prepare makes what there must be in a world, and gives the operation, which can be done twice in the same words.
	prepare    func(w *world) doing
	core       bool // tried in slow ways too, whatever the size of the run
	repeatable bool // repeating it does no harm
	halves     bool // it is more than one step, and may end after one of them: the contract says so
}

type doing func(s store.Store) (any, error)

// only makes a doing of what has no result.
func only(do func(s store.Store) error) doing {
	return func(s store.Store) (any, error) { return nil, do(s) }
}

// writing makes a doing of a write of an account.
func (w *world) writing(write store.AccountWrite) doing {
	return func(s store.Store) (any, error) {
		a, err := s.WriteAccount(w.ctx, write)
		a.GroupsVersion = 0
		return a, err
	}
}

// changing makes a doing of a change of a group.
func (w *world) changing(g store.Group, members store.MemberChange, edit func(*store.Group)) doing {
	change := store.GroupChange{Company: w.company, ID: g.ID, Members: members, Modified: w.now(), Sweep: w.sweep(), Events: w.events("group.change")}
	if edit != nil {
		edited := g
		edit(&edited)
		change.Group, change.IfVersion = &edited, g.Version
	}
	return func(s store.Store) (any, error) { return s.ChangeGroup(w.ctx, change) }
}

func hash(text string) [32]byte { return sha256.Sum256([]byte(text)) }

// operations are those that stand for all: each kind of write, each with what else it can bring along.
func operations() []operation {
	var all []operation
	for _, some := range [][]operation{accountOperations(), groupOperations(), sessionOperations(), companyOperations(), otherOperations()} {
		all = append(all, some...)
	}
	return all
}

func accountOperations() []operation {
	return []operation{
		{name: "create an account", core: true, prepare: func(w *world) doing {
			return w.writing(store.AccountWrite{After: w.account("ada"), Events: w.events("user.create")})
		}},
		{name: "create an account without events", prepare: func(w *world) doing {
			return w.writing(store.AccountWrite{After: w.account("ada")})
		}},
		{name: "create an account with a seat", core: true, prepare: func(w *world) doing {
			return w.writing(store.AccountWrite{
				After: w.seated(w.account("ada"), paid), Events: w.events("user.create", "license.assign"), Mails: []store.Mail{w.mail("invitation")},
			})
		}},
		{name: "create an account without a seat left", prepare: func(w *world) doing {
			w.there(w.seated(w.account("bob"), second))
			a := w.account("ada")
			return w.writing(store.AccountWrite{
				After: w.seated(a, second), Events: w.events("license.assign"),
				NoSeat: &store.NoSeat{Account: w.queued(a, second), Events: w.events("license.wait")},
			})
		}},
		{name: "take over a tombstone", prepare: func(w *world) doing {
			old := w.there(w.account("ada"))
			tombstone := w.tombstone(old)
			w.check(w.DeleteAccount(w.ctx, store.AccountDelete{Before: old, Tombstone: &tombstone, At: w.now()}))
			a := w.seated(w.account("ada"), paid)
			a.ID = old.ID
			return w.writing(store.AccountWrite{After: a, Adopt: &tombstone, Events: w.events("user.create")})
		}},
		{name: "change an account", core: true, prepare: func(w *world) doing {
			before := w.there(w.account("ada"))
			after := before
			after.Display, after.UserName, after.Modified = "Ada L.", "lovelace", w.now()
			return w.writing(store.AccountWrite{Before: &before, After: after, Events: w.events("user.update"), Mails: []store.Mail{w.mail("notice")}})
		}},
		{name: "change an account without events", prepare: func(w *world) doing {
			before := w.there(w.account("ada"))
			after := before
			after.Display, after.Modified = "Ada L.", w.now()
			return w.writing(store.AccountWrite{Before: &before, After: after})
		}},
		{name: "claim a seat", core: true, prepare: func(w *world) doing {
			before := w.there(w.account("ada"))
			return w.writing(store.AccountWrite{Before: &before, After: w.seated(before, paid), Events: w.events("license.assign")})
		}},
		{name: "be refused a seat that somebody above the total gets", prepare: func(w *world) doing {
			w.check(w.SetSeats(w.ctx, w.company, paid, 1, nil))
			first := w.there(w.seated(w.account("bob"), paid))
			w.check(w.SetSeats(w.ctx, w.company, paid, 2, nil))
			w.there(w.seated(w.account("eve"), paid))
			w.check(w.SetSeats(w.ctx, w.company, paid, 1, nil))
			_, err := w.WriteAccount(w.ctx, w.releasing(first))
			w.check(err)
			before := w.there(w.account("ada"))
			return w.writing(store.AccountWrite{
				Before: &before, After: w.seated(before, paid), Events: w.events("license.assign"),
				NoSeat: &store.NoSeat{Account: w.queued(before, paid), Events: w.events("license.wait")},
			})
		}},
		{name: "swap a seat", core: true, prepare: func(w *world) doing {
			before := w.there(w.seated(w.account("ada"), paid))
			return w.writing(store.AccountWrite{Before: &before, After: w.seated(before, second), Events: w.events("license.swap")})
		}},
		{name: "give a seat back", core: true, prepare: func(w *world) doing {
			before := w.there(w.seated(w.account("ada"), paid))
			return w.writing(w.releasing(before))
		}},
		{name: "hold a seat", prepare: func(w *world) doing {
			before := w.there(w.seated(w.account("ada"), paid))
			after := before
			after.SeatState, after.Active = store.StateHeld, false
			return w.writing(store.AccountWrite{Before: &before, After: after, Events: w.events("license.hold")})
		}},
		{name: "delete an account", core: true, prepare: func(w *world) doing {
			before := w.there(w.seated(w.account("ada"), paid))
			bob := w.there(w.account("bob"))
			for _, name := range []string{"one", "two"} {
				w.thereGroup(name, []string{before.ID, bob.ID}, nil)
			}
			tombstone := w.tombstone(before)
			d := store.AccountDelete{Before: before, Tombstone: &tombstone, At: w.now(), Loss: w.idp().ID, Events: w.events("user.delete", "license.release")}
			return only(func(s store.Store) error { return s.DeleteAccount(w.ctx, d) })
		}},
	}
}

// idp makes a connection.
func (w *world) idp() store.Connection {
	w.Helper()
	c := store.Connection{ID: w.id("idp"), Company: w.company, Name: "idp", Mode: store.ModeLive, Created: w.now()}
	w.check(w.CreateConnection(w.ctx, c, nil))
	return c
}

func (w *world) tombstone(a store.Account) store.Tombstone {
	return store.Tombstone{Company: w.company, Connection: w.company, ExternalID: a.ExternalID, ID: a.ID, Version: a.Version, Created: a.Created, Deleted: w.now()}
}

func (w *world) mail(kind string) store.Mail {
	return store.Mail{ID: w.id(kind), Company: w.company, Kind: kind, To: "ada@acme.example", Data: []byte(`{}`), Created: w.now(), State: store.MailQueued, Due: w.now()}
}

// releasing makes the write that gives the seat of an account back.
func (w *world) releasing(before store.Account) store.AccountWrite {
	after := before
	after.License, after.LicenseState, after.Effective, after.Seat, after.SeatState = "", store.StateNone, "video-pro", "", ""
	return store.AccountWrite{Before: &before, After: after, Loss: w.idp().ID, Events: w.events("license.release")}
}

func groupOperations() []operation {
	// with makes a group of three with two others in it, and one who is not in it.
	with := func(w *world) (g store.Group, in, out []string) {
		for _, name := range []string{"ada", "bob", "eve", "joe"} {
			in = append(in, w.there(w.account(name)).ID)
		}
		inner := w.thereGroup("inner", in[:1], nil)
		return w.thereGroup("video", in[:3], []string{inner.ID}), in[:3], in[3:]
	}
	return []operation{
		{name: "make a group", core: true, prepare: func(w *world) doing {
			ada, bob := w.there(w.account("ada")), w.there(w.account("bob"))
			inner := w.thereGroup("inner", nil, nil)
			g, sweep, events := w.group("video"), w.sweep(), w.events("group.create")
			return func(s store.Store) (any, error) {
				return s.CreateGroup(w.ctx, g, []string{ada.ID, bob.ID}, []string{inner.ID}, sweep, events)
			}
		}},
		{name: "add a member", core: true, prepare: func(w *world) doing {
			g, _, out := with(w)
			return w.changing(g, store.MemberChange{Add: out}, nil)
		}},
		{name: "remove members", prepare: func(w *world) doing {
			g, in, _ := with(w)
			return w.changing(g, store.MemberChange{Remove: in[1:]}, nil)
		}},
		{name: "replace the members", core: true, prepare: func(w *world) doing {
			g, in, out := with(w)
			return w.changing(g, store.MemberChange{Exactly: true, Add: append(out[:1:1], in[0])}, nil)
		}},
		{name: "rename a group", prepare: func(w *world) doing {
			g, _, _ := with(w)
			return w.changing(g, store.MemberChange{}, func(g *store.Group) { g.Name, g.Display = "pictures", "Pictures" })
		}},
		{name: "put a group into a group", prepare: func(w *world) doing {
			g, _, _ := with(w)
			other := w.thereGroup("other", nil, nil)
			return w.changing(g, store.MemberChange{AddGroups: []string{other.ID}}, nil)
		}},
		{name: "delete a group", core: true, prepare: func(w *world) doing {
			g, _, _ := with(w)
			w.thereGroup("outer", nil, []string{g.ID})
			sweep, events := w.sweep(), w.events("group.delete")
			return only(func(s store.Store) error { return s.DeleteGroup(w.ctx, w.company, g.ID, g.Version, sweep, events) })
		}},
		{name: "make a rule", prepare: func(w *world) doing {
			g, _, _ := with(w)
			rule, sweep, events := store.Rule{ID: w.id("rule"), Company: w.company, Group: g.ID, License: paid, Created: w.now()}, w.sweep(), w.events("rule.create")
			return only(func(s store.Store) error { return s.CreateRule(w.ctx, rule, sweep, events) })
		}},
		{name: "delete a rule", prepare: func(w *world) doing {
			g, _, _ := with(w)
			rule, sweep, events := store.Rule{ID: w.id("rule"), Company: w.company, Group: g.ID, License: paid, Created: w.now()}, w.sweep(), w.events("rule.delete")
			w.check(w.CreateRule(w.ctx, rule, nil, nil))
			return only(func(s store.Store) error { return s.DeleteRule(w.ctx, w.company, rule.ID, sweep, events) })
		}},
	}
}
