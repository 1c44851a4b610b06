package storetest

import (
	"encoding/json"
	"slices"
	"sync/atomic"

	"usher/store"
)

// mail makes one that is due at once.
func (f *fixture) mail(about store.Account) store.Mail {
	f.Helper()
	at := f.now()
	return store.Mail{
		ID: store.NewID(), Company: about.Company, Account: about.ID, Kind: "invite", To: "b@example.com", Data: json.RawMessage(`{"name":"B"}`),
		Created: at, State: store.MailQueued, Due: at,
	}
}

func testMails(f *fixture) {
	due := func(limit int) []string {
		f.Helper()
		all, err := f.DueMails(f.ctx, f.now(), limit)
		f.check(err)
		return ids(all, func(m store.Mail) string { return m.ID })
	}
	listed := func(company, account, before string, limit int) []string {
		f.Helper()
		all, err := f.ListMails(f.ctx, company, account, before, limit)
		f.check(err)
		return ids(all, func(m store.Mail) string { return m.ID })
	}
	draft := f.draft("b@example.com")
	first := f.mail(draft)
	b, err := f.WriteAccount(f.ctx, store.AccountWrite{After: draft, Mails: []store.Mail{first}})
	f.check(err)
	second, later := f.mail(b), f.mail(b)
	later.Due = later.Due.Add(minutes(1))
	after := b
	after.Epoch++
	w := store.AccountWrite{Before: &b, After: after, Mails: []store.Mail{later, second}}
	_, err = f.WriteAccount(f.ctx, w)
	f.check(err)
	w.Mails = []store.Mail{f.mail(b)}
	_, err = f.WriteAccount(f.ctx, w)
	f.want("a write of a stale version", err, store.ErrVersion)

	globex := f.newCompany("globex")
	other := f.draft("c@globex.example")
	other.Company = globex.ID
	third := f.mail(other)
	_, err = f.WriteAccount(f.ctx, store.AccountWrite{After: other, Mails: []store.Mail{third}})
	f.check(err)

	f.same("due, of all companies", due(10), []string{first.ID, second.ID, third.ID})
	f.same("due, the first", due(2), []string{first.ID, second.ID})
	all := []string{first.ID, second.ID, later.ID}
	slices.Sort(all)
	slices.Reverse(all)
	got := listed(f.company, "", "", 10)
	slices.Sort(got)
	slices.Reverse(got)
	f.same("list", got, all)
	order := listed(f.company, b.ID, "", 10)
	f.same("page", listed(f.company, b.ID, order[0], 1), order[1:2])
	f.same("of another account", listed(f.company, store.NewID(), "", 10), []string{})
	f.same("of another company", listed(globex.ID, "", "", 10), []string{third.ID})

	stored, err := f.DueMails(f.ctx, f.now(), 1)
	f.check(err)
	first.Version = 1
	f.same("as stored", stored[0], first)
	first.State, first.Attempts, first.Error = store.MailSending, 1, "no route"
	f.check(f.UpdateMail(f.ctx, first))
	f.want("a second time", f.UpdateMail(f.ctx, first), store.ErrVersion)
	first.Version++
	f.same("one that is being sent is due too", due(1), []string{first.ID})
	first.State, first.Done = store.MailSent, f.now()
	f.check(f.UpdateMail(f.ctx, first))
	f.same("sent", due(10), []string{second.ID, third.ID})
	stranger := second
	stranger.Company, stranger.Version = globex.ID, 1
	f.want("of another company", f.UpdateMail(f.ctx, stranger), store.ErrNotFound)

	alert := f.mail(store.Account{Company: globex.ID})
	f.check(f.PostMails(f.ctx, globex.ID, []store.Mail{alert}))
	alert.Version = 1
	posted, err := f.ListMails(f.ctx, globex.ID, "", "", 1)
	f.check(err)
	f.same("posted by itself", posted, []store.Mail{alert})

	n, err := f.DropMails(f.ctx, first.Done)
	f.check(err)
	f.same("dropped too early", n, 0)
	n, err = f.DropMails(f.ctx, f.now())
	f.check(err)
	f.same("dropped", n, 1)
	f.same("list after that", len(listed(f.company, "", "", 10)), 2)
}

// testMailStorm has several senders on one outbox.
func testMailStorm(f *fixture) {
	const mails, senders = 40, 4
	var w store.AccountWrite
	w.After = f.draft("b@example.com")
	for range mails {
		w.Mails = append(w.Mails, f.mail(w.After))
	}
	_, err := f.WriteAccount(f.ctx, w)
	f.check(err)
	var sent atomic.Int64
	together(senders, func(int) {
		all, err := f.DueMails(f.ctx, f.now(), mails)
		if err != nil {
			f.Error(err)
		}
		for _, m := range all {
			m.State, m.Due = store.MailSending, m.Due.Add(minutes(5))
			if f.UpdateMail(f.ctx, m) == nil {
				sent.Add(1)
			}
		}
	})
	f.same("claimed", sent.Load(), int64(mails))
}

func testExtensions(f *fixture) {
	a, b := f.draft("a@example.com"), f.draft("b@example.com")
	a.Extension, b.Extension = "101", "101"
	a = f.create(a)
	_, err := f.WriteAccount(f.ctx, store.AccountWrite{After: b})
	f.wantConflict("a number that is taken", err, "Extension", "101")
	b.Extension = ""
	b = f.create(b)
	taken := b
	taken.Extension = "101"
	_, err = f.WriteAccount(f.ctx, store.AccountWrite{Before: &b, After: taken})
	f.wantConflict("changed to one that is taken", err, "Extension", "101")
	a = f.change(a, func(a *store.Account) { a.Extension = "102" })
	f.same("read", f.read(a.ID).Extension, "102")
	b = f.change(b, func(b *store.Account) { b.Extension = "101" })
	f.check(f.DeleteAccount(f.ctx, store.AccountDelete{Before: b}))
	c := f.draft("c@example.com")
	c.Extension = "101"
	c = f.create(c)
	f.change(c, func(c *store.Account) { c.Extension = "" })
	f.change(a, func(a *store.Account) { a.Extension = "101" })
	globex := f.draft("a@example.com")
	globex.Company, globex.Extension = f.newCompany("globex").ID, "101"
	f.create(globex)
}

// testExtensionStorm has many ask for one number.
func testExtensionStorm(f *fixture) {
	var won atomic.Int64
	together(16, func(int) {
		a := f.draft(store.NewID())
		a.Extension = "7"
		if _, err := f.WriteAccount(f.ctx, store.AccountWrite{After: a}); err == nil {
			won.Add(1)
		}
	})
	f.same("who have it", won.Load(), int64(1))
}
