package mongo_test

import (
	"encoding/hex"

	"go.mongodb.org/mongo-driver/v2/bson"

	"usher/store"
)

func sessionOperations() []operation {
	opening := func(w *world, write bool) store.SessionOpening {
		a, c := w.there(w.account("ada")), w.idp()
		o := store.SessionOpening{Account: a, Events: w.events("login"), Session: store.Session{
			Hash: hash(w.company), ID: w.id("session"), Company: w.company, Account: a.ID, Connection: c.ID, Subject: "ada", Created: w.now(), Expires: w.now(),
		}}
		if write {
			after := a
			after.Identity = store.Identity{Issuer: "https://idp.example", Subject: "ada", Connection: c.ID, Linked: w.now()}
			o.Write = &store.AccountWrite{Before: &a, After: after, Events: w.events("identity.link")}
		}
		return o
	}
	open := func(w *world, o store.SessionOpening) doing {
		return func(s store.Store) (any, error) { return s.OpenSession(w.ctx, o) }
	}
	// some opens so many sessions of one account.
	some := func(w *world, n int) store.Account {
		a := w.there(w.account("ada"))
		for i := range n {
			_, err := w.OpenSession(w.ctx, store.SessionOpening{Account: a, Session: store.Session{
				Hash: hash(w.company + string(rune('a'+i))), ID: w.id("session " + string(rune('a'+i))), Company: w.company, Account: a.ID,
				Provider: "sid", Subject: "ada", Created: w.now(), Expires: w.now(),
			}})
			w.check(err)
		}
		return a
	}
	return []operation{
		{name: "open a session", core: true, prepare: func(w *world) doing { return open(w, opening(w, false)) }},
		{name: "open a session and link the identity", core: true, halves: true, prepare: func(w *world) doing { return open(w, opening(w, true)) }},
		{name: "end a session", core: true, prepare: func(w *world) doing {
			some(w, 1)
			events := w.events("logout")
			return func(s store.Store) (any, error) {
				ended, err := s.EndSession(w.ctx, hash(w.company+"a"), events)
				ended.Hash = [32]byte{}
				return ended, err
			}
		}},
		{name: "end a session without events", prepare: func(w *world) doing {
			some(w, 1)
			return only(func(s store.Store) error {
				_, err := s.EndSession(w.ctx, hash(w.company+"a"), nil)
				return err
			})
		}},
		{name: "end the session of an account", prepare: func(w *world) doing {
			a := some(w, 1)
			events := w.events("logout")
			return func(s store.Store) (any, error) {
				return s.EndSessions(w.ctx, w.company, store.SessionFilter{Account: a.ID}, events)
			}
		}},
		{name: "end all sessions of an account", halves: true, prepare: func(w *world) doing {
			a := some(w, 3)
			events := w.events("logout")
			return func(s store.Store) (any, error) {
				return s.EndSessions(w.ctx, w.company, store.SessionFilter{Account: a.ID}, events)
			}
		}},
		{name: "end sessions by a logout token", core: true, repeatable: true, prepare: func(w *world) doing {
			some(w, 2)
			token, events := store.LogoutToken{Connection: w.company, ID: "jti", Expires: w.now()}, w.events("logout")
			return func(s store.Store) (any, error) {
				n, first, err := s.EndSessionsOnce(w.ctx, w.company, token, store.SessionFilter{Subject: "ada", Provider: "sid"}, events)
				return []any{n, first}, err
			}
		}},
		{name: "touch a session", repeatable: true, prepare: func(w *world) doing {
			some(w, 1)
			seen := w.now()
			return only(func(s store.Store) error { return s.TouchSession(w.ctx, hash(w.company+"a"), seen) })
		}},
		{name: "begin a sign-in", prepare: func(w *world) doing {
			begun := w.signIn()
			return only(func(s store.Store) error { return s.BeginSignIn(w.ctx, begun) })
		}},
		{name: "take a sign-in", core: true, prepare: func(w *world) doing {
			begun := w.signIn()
			w.check(w.BeginSignIn(w.ctx, begun))
			at := w.now()
			return func(s store.Store) (any, error) {
				taken, err := s.TakeSignIn(w.ctx, begun, at)
				return taken.Used, err
			}
		}},
		{name: "claim a request", core: true, prepare: func(w *world) doing {
			r := store.IdempotentRequest{Key: hash(w.company), Request: hash("request"), Created: w.now()}
			w.document("requests", r.Key)
			return func(s store.Store) (any, error) {
				_, claimed, err := s.ClaimRequest(w.ctx, r)
				return claimed, err
			}
		}},
		{name: "answer a request", repeatable: true, prepare: func(w *world) doing {
			r := store.IdempotentRequest{Key: hash(w.company), Request: hash("request"), Created: w.now()}
			_, _, err := w.ClaimRequest(w.ctx, r)
			w.check(err)
			w.document("requests", r.Key)
			r.Status, r.Answer = 201, "sealed"
			return only(func(s store.Store) error { return s.AnswerRequest(w.ctx, r) })
		}},
	}
}

// signIn makes one that is not stored yet.
func (w *world) signIn() store.SignIn {
	begun := store.SignIn{State: hash(w.company), Browser: hash("browser"), Company: w.company, Connection: w.company, Nonce: "n", Created: w.now()}
	w.document("sign_ins", begun.State)
	return begun
}

// document shows the value of the document that is found by a hash, which no list of the store shows.
func (w *world) document(collection string, by [32]byte) {
	w.extra = func() any {
		var all []struct {
			Value struct{ Used, Status any } `bson:"v"`
		}
		cursor, err := w.Database().Collection(collection).Find(w.ctx, bson.D{{Key: "_id", Value: hex.EncodeToString(by[:])}})
		w.check(err)
		w.check(cursor.All(w.ctx, &all))
		return all
	}
}

func companyOperations() []operation {
	changing := func(w *world, edit func(*store.Company)) doing {
		c, err := w.Company(w.ctx, w.company)
		w.check(err)
		edit(&c)
		sweep, events := w.sweep(), w.events("company.update")
		return func(s store.Store) (any, error) { return s.UpdateCompany(w.ctx, c, sweep, events) }
	}
	admin := func(w *world, name string) store.LocalAdmin {
		return store.LocalAdmin{ID: w.id(name), Company: w.company, Login: name, Role: "super-admin", Created: w.now()}
	}
	company := func(w *world) store.Company {
		c, err := w.Company(w.ctx, w.company)
		w.check(err)
		return c
	}
	return []operation{
		{name: "make a company", core: true, prepare: func(w *world) doing {
			w.company = w.id("new company")
			c, root, events := w.newCompany(), admin(w, "root"), w.events("company.create")
			pools := []store.Pool{{Company: w.company, License: paid, Total: 3}, {Company: w.company, License: second, Total: 1}}
			return func(s store.Store) (any, error) { return s.CreateCompany(w.ctx, c, pools, &root, events) }
		}},
		{name: "change a company", core: true, prepare: func(w *world) doing {
			return changing(w, func(c *store.Company) { c.Epoch, c.Tier = c.Epoch+1, "free" })
		}},
		{name: "set domains", prepare: func(w *world) doing {
			c, events := company(w), w.events("domains")
			return func(s store.Store) (any, error) {
				return s.SetDomains(w.ctx, c, []string{"www." + w.company + ".example"}, events)
			}
		}},
		{name: "add an admin", core: true, prepare: func(w *world) doing {
			c, ada, events := company(w), admin(w, "ada"), w.events("admin.create")
			return only(func(s store.Store) error { return s.PutLocalAdmin(w.ctx, c, ada, events) })
		}},
		{name: "remove an admin", prepare: func(w *world) doing {
			ada := admin(w, "ada")
			w.check(w.PutLocalAdmin(w.ctx, company(w), ada, nil))
			c, events := company(w), w.events("admin.delete")
			return only(func(s store.Store) error { return s.DeleteLocalAdmin(w.ctx, c, ada.ID, events) })
		}},
		{name: "make a key", prepare: func(w *world) doing {
			k, events := store.AdminKey{Hash: hash(w.company), ID: w.id("key"), Company: w.company, Admin: "root", Created: w.now()}, w.events("key.create")
			return only(func(s store.Store) error { return s.CreateAdminKey(w.ctx, k, events) })
		}},
		{name: "make an admin session", prepare: func(w *world) doing {
			a, events := w.adminSession(), w.events("admin.login")
			return only(func(s store.Store) error { return s.CreateAdminSession(w.ctx, a, events) })
		}},
		{name: "end an admin session", prepare: func(w *world) doing {
			a, events := w.adminSession(), w.events("admin.logout")
			w.check(w.CreateAdminSession(w.ctx, a, nil))
			return only(func(s store.Store) error { return s.DeleteAdminSession(w.ctx, w.company, a.ID, events) })
		}},
		{name: "make a connection", prepare: func(w *world) doing {
			c, events := store.Connection{ID: w.id("idp"), Company: w.company, Name: "idp", Created: w.now()}, w.events("connection.create")
			return only(func(s store.Store) error { return s.CreateConnection(w.ctx, c, events) })
		}},
		{name: "pause a connection", prepare: func(w *world) doing {
			was, events := w.idp(), w.events("connection.update")
			c := was
			c.Mode = store.ModePaused
			return only(func(s store.Store) error { return s.UpdateConnection(w.ctx, c, was, events) })
		}},
		{name: "set single sign-on", core: true, prepare: func(w *world) doing {
			c, events := w.idp(), w.events("connection.signon")
			c.SignOn.State, c.Epoch = store.SignOnDraft, c.Epoch+1
			return func(s store.Store) (any, error) {
				is, err := s.SetSignOn(w.ctx, c, events)
				return is.SignOn.Version, err
			}
		}},
		{name: "trip the breaker", prepare: func(w *world) doing {
			c, events := w.idp(), w.events("connection.breaker")
			c.Breaker, c.BreakerSince = "tripped", w.now()
			return only(func(s store.Store) error { return s.SetBreaker(w.ctx, c, "", events) })
		}},
		{name: "make a token", core: true, prepare: func(w *world) doing {
			t, events := w.token(), w.events("token.create")
			return only(func(s store.Store) error { return s.CreateToken(w.ctx, t, events) })
		}},
		{name: "revoke a token", core: true, prepare: func(w *world) doing {
			t, events := w.token(), w.events("token.delete")
			w.check(w.CreateToken(w.ctx, t, nil))
			return only(func(s store.Store) error { return s.DeleteToken(w.ctx, w.company, t.ID, events) })
		}},
	}
}

func (w *world) adminSession() store.AdminSession {
	return store.AdminSession{Hash: hash(w.company), ID: w.id("session"), Company: w.company, Kind: "admin", Admin: "root", Created: w.now(), Expires: w.now()}
}

func (w *world) token() store.Token {
	return store.Token{Hash: hash(w.company), ID: w.id("token"), Company: w.company, Connection: w.company, Created: w.now()}
}

func otherOperations() []operation {
	// swept makes a sweep.
	swept := func(w *world) string {
		sweep := w.sweep()
		c, err := w.Company(w.ctx, w.company)
		w.check(err)
		_, err = w.UpdateCompany(w.ctx, c, sweep, nil)
		w.check(err)
		return sweep.ID
	}
	schema := func(w *world, urn string) store.Schema {
		return store.Schema{Company: w.company, URN: urn, Type: "User", Doc: []byte(`{}`), Created: w.now()}
	}
	return []operation{
		{name: "set the seats", core: true, prepare: func(w *world) doing {
			events := w.events("pool.total")
			return only(func(s store.Store) error { return s.SetSeats(w.ctx, w.company, paid, 5, events) })
		}},
		{name: "set the seats of a new pool", prepare: func(w *world) doing {
			w.company = w.id("company without pools")
			_, err := w.CreateCompany(w.ctx, w.newCompany(), nil, nil, nil)
			w.check(err)
			events := w.events("pool.total")
			return only(func(s store.Store) error { return s.SetSeats(w.ctx, w.company, paid, 5, events) })
		}},
		{name: "set the ceiling", prepare: func(w *world) doing {
			events := w.events("pool.ceiling")
			return only(func(s store.Store) error { return s.SetCeiling(w.ctx, w.company, paid, 5, events) })
		}},
		{name: "raise the seats", core: true, prepare: func(w *world) doing {
			events := w.events("pool.raise")
			return only(func(s store.Store) error { return s.RaiseSeats(w.ctx, w.company, paid, 2, 3, events) })
		}},
		{name: "raise the seats without events", prepare: func(w *world) doing {
			return only(func(s store.Store) error { return s.RaiseSeats(w.ctx, w.company, paid, 2, 3, nil) })
		}},
		{name: "lease a sweep", repeatable: true, prepare: func(w *world) doing {
			id, now := swept(w), w.now()
			return func(s store.Store) (any, error) { return s.LeaseSweep(w.ctx, id, "me", now, now.Add(1)) }
		}},
		{name: "move a sweep", repeatable: true, prepare: func(w *world) doing {
			id := swept(w)
			return only(func(s store.Store) error { return s.MoveSweep(w.ctx, id, "further") })
		}},
		{name: "end a sweep", repeatable: true, prepare: func(w *world) doing {
			id := swept(w)
			return only(func(s store.Store) error { return s.EndSweep(w.ctx, id) })
		}},
		{name: "put the first schema", core: true, prepare: func(w *world) doing {
			one, events := schema(w, "urn:one"), w.events("schema.put")
			return only(func(s store.Store) error { return s.PutSchema(w.ctx, one, events) })
		}},
		{name: "put another schema", core: true, prepare: func(w *world) doing {
			w.check(w.PutSchema(w.ctx, schema(w, "urn:one"), nil))
			two, events := schema(w, "urn:two"), w.events("schema.put")
			return only(func(s store.Store) error { return s.PutSchema(w.ctx, two, events) })
		}},
		{name: "delete a schema", prepare: func(w *world) doing {
			w.check(w.PutSchema(w.ctx, schema(w, "urn:one"), nil))
			events := w.events("schema.delete")
			return only(func(s store.Store) error { return s.DeleteSchema(w.ctx, w.company, "urn:one", events) })
		}},
		{name: "post mails", core: true, repeatable: true, prepare: func(w *world) doing {
			mails := []store.Mail{w.mail("one"), w.mail("two")}
			return only(func(s store.Store) error { return s.PostMails(w.ctx, w.company, mails) })
		}},
		{name: "update a mail", core: true, prepare: func(w *world) doing {
			m := w.mail("one")
			w.check(w.PostMails(w.ctx, w.company, []store.Mail{m}))
			m.Version, m.State, m.Attempts = 1, store.MailSending, 1
			return only(func(s store.Store) error { return s.UpdateMail(w.ctx, m) })
		}},
		{name: "append events", core: true, prepare: func(w *world) doing {
			events := w.events("login.deny", "login.deny again")
			return only(func(s store.Store) error { return s.AppendEvents(w.ctx, w.company, events) })
		}},
	}
}
