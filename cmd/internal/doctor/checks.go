package doctor

import (
	"context"
	"fmt"
	"time"

	"usher/store"
)

// people compares the accounts with the ledger, and the memberships with the numbers that are kept; and it looks for the groups of rules.
func (x *examination) people(l ledger) error {
	members, err := x.members()
	if err != nil {
		return err
	}
	for a, err := range x.allAccounts() {
		if err != nil {
			return err
		}
		x.seen.Accounts++
		if is, says := holdingOf(a), l.of(a.ID); is != says {
			x.wrong("ledger", a.ID, "account %s has %s, and by the license events it has %s: look at \"usher explain %s\", and change something about it to bring it in line",
				a.ID, is, says, a.UserName)
		}
		delete(l, a.ID)
		if n := members.ofAccount[a.ID]; n != a.Groups {
			x.wrong("members", a.ID, "account %s is in %d groups and counts %d: add it to a group and remove it again", a.ID, n, a.Groups)
		}
	}
	for id, h := range l {
		if says := h.Value(); says != nothing() {
			x.wrong("ledger", id, "account %s is gone, and by the license events it has %s: its removal is not in the log", id, says)
		}
	}
	there := map[string]bool{}
	for g, err := range x.allGroups() {
		if err != nil {
			return err
		}
		x.seen.Groups++
		there[g.ID] = true
		if n := members.ofGroup[g.ID]; n != g.Members {
			x.wrong("members", g.ID, "group %s has %d members and counts %d: replace the members of the group as a whole", g.ID, n, g.Members)
		}
		if n := members.nested[g.ID]; n != g.Groups {
			x.wrong("members", g.ID, "group %s has %d groups in it and counts %d: replace the members of the group as a whole", g.ID, n, g.Groups)
		}
	}
	rules, err := x.Store.ListRules(x.ctx, x.company.ID)
	for _, r := range rules {
		if r.Group != "" && !there[r.Group] {
			x.note("rules", r.ID, "the rule %s is about a group that is gone, and gives nothing to anybody: \"usher rule remove --company %s %s\" takes it away", r.ID, x.company.Name, r.ID)
		}
	}
	return err
}

// pools compares the numbers that are kept with those counted from the accounts.
func (x *examination) pools() error {
	pools, err := x.Store.ListPools(x.ctx, x.company.ID)
	if err != nil {
		return err
	}
	x.seen.Pools = pools
	for _, p := range pools {
		counted, err := x.Store.CountSeats(x.ctx, x.company.ID, p.License)
		if err != nil {
			return err
		}
		if p != counted {
			x.wrong("seats", p.License, "the pool of %s has %s, and by the accounts %s: the store has lost count; restart the server, and if it stays report it with this line",
				p.License, shown(p), shown(counted))
		}
		if p.Waiting > 0 && p.Reserved+p.Active < p.Total {
			x.wrong("queue", p.License, "%d people wait for %s although only %d of %d seats are needed: the server fills them within a minute; if it does not, look at its log",
				p.Waiting, p.License, p.Reserved+p.Active, p.Total)
		}
		if p.Used > p.Total {
			x.note("seats", p.License, "%d seats of %s are used and %d were bought: nobody loses one, and nobody gets one until there are more", p.Used, p.License, p.Total)
		}
	}
	return nil
}

func shown(p store.Pool) string {
	return fmt.Sprintf("%d seats used (%d reserved, %d active, %d held) and %d people waiting", p.Used, p.Reserved, p.Active, p.Held, p.Waiting)
}

// connections looks for those of tokens.
func (x *examination) connections() error {
	connections, err := x.Store.ListConnections(x.ctx, x.company.ID)
	if err != nil {
		return err
	}
	there := map[string]bool{}
	for _, c := range connections {
		there[c.ID] = true
	}
	tokens, err := x.Store.ListTokens(x.ctx, x.company.ID)
	for _, t := range tokens {
		if !there[t.Connection] {
			x.wrong("tokens", t.ID, "the token %s is of a connection that is gone: \"usher token revoke --company %s %s\" ends it", t.ID, x.company.Name, t.ID)
		}
	}
	return err
}

// admins looks for those of keys.
func (x *examination) admins() error {
	admins, err := x.Store.ListLocalAdmins(x.ctx, x.company.ID)
	if err != nil {
		return err
	}
	there := map[string]bool{}
	for _, a := range admins {
		there[a.ID] = true
	}
	keys, err := x.Store.ListAdminKeys(x.ctx, x.company.ID)
	for _, k := range keys {
		if !there[k.Admin] {
			x.note("keys", k.ID, "the key %s is of an admin who is gone, and opens nothing: \"usher key revoke --company %s %s\" takes it away", k.ID, x.company.Name, k.ID)
		}
	}
	return err
}

// sessions looks for their accounts. Those of accounts that were removed are worth nothing, and stay until they expire.
func (x *examination) sessions() error {
	before, left := "", 0
	for {
		some, err := x.Store.ListSessions(x.ctx, x.company.ID, "", before, page)
		if err != nil {
			return err
		}
		var ids []string
		for _, s := range some {
			ids = append(ids, s.Account)
		}
		there, err := x.Store.AccountsByID(x.ctx, x.company.ID, ids)
		if err != nil {
			return err
		}
		known := map[string]bool{}
		for _, a := range there {
			known[a.ID] = true
		}
		for _, s := range some {
			if !known[s.Account] {
				left++
			}
		}
		if len(some) < page {
			break
		}
		before = some[page-1].ID
	}
	if left > 0 {
		x.note("sessions", "", "%d sessions are of people who were removed: they let nobody in, and are forgotten when they expire", left)
	}
	return nil
}

const (
	// patience is how long a sweep may be open without anybody working on it.
	patience = 2 * time.Minute
	// mailPatience is how long a mail may be due.
	mailPatience = 15 * time.Minute
	// maxMails is how many mails are looked at.
	maxMails = 1000
)

// unfinished looks for work that is open in all companies: sweeps and mails.
func unfinished(ctx context.Context, c Config) ([]store.Finding, error) {
	var found []store.Finding
	sweeps, err := c.Store.ListSweeps(ctx)
	if err != nil {
		return nil, fmt.Errorf("sweeps: %w", err)
	}
	for _, s := range sweeps {
		age := c.Now.Sub(s.Created).Round(time.Second)
		f := store.Finding{Check: "sweeps", Company: s.Company, About: s.ID, Note: true}
		switch {
		case s.Holder != "" && s.Until.After(c.Now):
			f.Text = fmt.Sprintf("a change of many people is under way for %v; %s works on it", age, s.Holder)
		case age < patience:
			f.Text = fmt.Sprintf("a change of many people is open for %v; a server takes it up within a minute", age)
		default:
			f.Note = false
			f.Text = fmt.Sprintf("a change of many people is open for %v and nobody works on it: start \"usher serve\", which completes it; if one runs, look at its log", age)
		}
		found = append(found, f)
	}
	mails, err := c.Store.DueMails(ctx, c.Now.Add(-mailPatience), maxMails)
	if err != nil {
		return nil, fmt.Errorf("mails: %w", err)
	}
	if len(mails) > 0 {
		f := store.Finding{Check: "mails", About: mails[0].ID}
		if f.Text = fmt.Sprintf("%d mails are due for more than %v: look at the mail server's settings and at \"usher mail list\"", len(mails), mailPatience); !c.SendsMail {
			f.Note = true
			f.Text = fmt.Sprintf("%d mails wait in the outbox, and nobody sends them: set [mail] in the server's configuration", len(mails))
		}
		found = append(found, f)
	}
	return found, nil
}
