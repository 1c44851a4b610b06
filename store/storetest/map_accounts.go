package storetest

import (
	"context"
	"errors"
	"slices"
	"time"

	"usher/store"
	"usher/store/query"
)

// accountRow is an account with the claims under which it holds its name and its seat.
type accountRow struct {
	store.Account
	name      string
	extension string // empty without a number
	identity  string // empty without an identity
	seat      string // empty without a seat
	// tombstone is set with the deletion, so that it is not lost when the deletion breaks off.
	tombstone *store.Tombstone
}

const (
	userName  = "UserName"
	extension = "Extension"
	identity  = "Identity"
)

// The terms of accounts: what waits for a license, what sits on its seats, what has a value in an index.
func waits(company, license string) string       { return join("waits", company, license) }
func sits(company, license, state string) string { return join("sits", company, license, state) }
func indexed(company, path, value string) string { return join("indexed", company, path, value) }

func (m *Map) accountTerms(a accountRow) []string {
	all := []string{listed(a.Company), indexed(a.Company, store.ColumnID, a.ID)}
	if a.LicenseState == store.StateWaiting {
		all = append(all, waits(a.Company, a.License), join("waiting", a.Company))
	}
	if a.Seat != "" {
		all = append(all, sits(a.Company, a.Seat, a.SeatState))
	}
	for _, t := range a.Terms {
		all = append(all, indexed(a.Company, t.Path, t.Value))
	}
	for _, index := range store.ColumnIndexes() {
		for _, v := range a.Column(index.Path) {
			if index.Fold {
				v = query.Fold(v)
			}
			if v != index.Except {
				all = append(all, indexed(a.Company, index.Path, v))
			}
		}
	}
	return all
}

// known is what an identity is found by; empty for none.
func known(i store.Identity) string {
	if i.Subject == "" {
		return ""
	}
	return join(i.Issuer, i.Subject)
}

func copyAccount(a store.Account) store.Account {
	a.Doc = slices.Clone(a.Doc)
	a.Terms = slices.Clone(a.Terms)
	a.Sources = slices.Clone(a.Sources)
	a.RoleSources = slices.Clone(a.RoleSources)
	a.Link = slices.Clone(a.Link)
	a.Done = slices.Clone(a.Done)
	return a
}

// present gives the account as callers see it.
func (m *Map) present(row accountRow) store.Account {
	a := copyAccount(row.Account)
	a.Groups = len(m.groupsOf(a.Company, a.ID))
	return a
}

func (m *Map) account(company, id string) (store.Account, error) {
	row, err := m.accounts.read(join(company, id))
	if err != nil {
		return store.Account{}, err
	}
	return m.present(row), nil
}

// Account implements [store.Accounts].
func (m *Map) Account(ctx context.Context, company, id string) (store.Account, error) {
	end, err := m.begin(ctx)
	if err != nil {
		return store.Account{}, err
	}
	defer end()
	return m.account(company, id)
}

// AccountByUserName implements [store.Accounts].
func (m *Map) AccountByUserName(ctx context.Context, company, name string) (store.Account, error) {
	end, err := m.begin(ctx)
	if err != nil {
		return store.Account{}, err
	}
	defer end()
	row, err := m.accounts.read(m.holderOf(userName, company, name))
	if err != nil || row.UserName != name { // claimed for an account that does not carry it yet
		return store.Account{}, store.ErrNotFound
	}
	return m.present(row), nil
}

// AccountByIdentity implements [store.Accounts].
func (m *Map) AccountByIdentity(ctx context.Context, company, issuer, subject string) (store.Account, error) {
	end, err := m.begin(ctx)
	if err != nil {
		return store.Account{}, err
	}
	defer end()
	key := known(store.Identity{Issuer: issuer, Subject: subject})
	row, err := m.accounts.read(m.holderOf(identity, company, key))
	if err != nil || key == "" || known(row.Identity) != key { // claimed for an account that does not carry it yet
		return store.Account{}, store.ErrNotFound
	}
	return m.present(row), nil
}

// AccountsByID implements [store.Accounts].
func (m *Map) AccountsByID(ctx context.Context, company string, ids []string) ([]store.Account, error) {
	end, err := m.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	ids = slices.Sorted(slices.Values(ids))
	var all []store.Account
	for _, id := range slices.Compact(ids) {
		if a, err := m.account(company, id); err == nil {
			all = append(all, a)
		}
	}
	return all, nil
}

// WriteAccounts implements [store.Accounts].
func (m *Map) WriteAccounts(ctx context.Context, ws []store.AccountWrite) []store.AccountResult {
	results := make([]store.AccountResult, len(ws))
	for i, w := range ws {
		results[i].Account, results[i].Err = m.WriteAccount(ctx, w)
	}
	return results
}

// WriteAccount implements [store.Accounts].
func (m *Map) WriteAccount(ctx context.Context, w store.AccountWrite) (store.Account, error) {
	end, err := m.begin(ctx)
	if err != nil {
		return store.Account{}, err
	}
	defer end()
	p, err := m.prepare(w)
	if err != nil {
		return store.Account{}, err
	}
	if w.Adopt != nil {
		p.above = w.Adopt.Version
	}
	if err := m.claim(&p, w.NoSeat); err != nil {
		return store.Account{}, err
	}
	if err := m.commit(&p); err != nil {
		m.giveBack(p)
		return store.Account{}, err
	}
	m.settle(p.before, p.after)
	if w.Adopt != nil {
		m.dropTombstone(*w.Adopt)
	}
	m.lose(w.After.Company, w.Loss, w.After.Modified)
	return m.present(p.after), nil
}

// accountPlan is one write of an account under way.
type accountPlan struct {
	key    string
	create bool
	above  int64      // the version that a created account begins above
	before accountRow // zero when the account is created
	after  accountRow
	events []store.Event
	mails  []store.Mail
	claim  string // what this write claims names and seats by
}

// prepare refuses what can be refused before anything is claimed, so that a write that fails anyway keeps no seat from others.
func (m *Map) prepare(w store.AccountWrite) (accountPlan, error) {
	p := accountPlan{
		key:    join(w.After.Company, w.After.ID),
		create: w.Before == nil,
		after:  accountRow{Account: w.After},
		events: w.Events,
		mails:  w.Mails,
		claim:  store.NewID(),
	}
	if !p.create {
		var err error
		if p.before, err = m.accounts.read(p.key); err != nil {
			return p, err
		}
		if p.before.Version != w.Before.Version {
			return p, store.ErrVersion
		}
	}
	for _, u := range p.unique() {
		if err := m.nameTaken(u.field, p.after.Company, u.after, p.holder()); u.claimed() && err != nil {
			return p, err
		}
	}
	return p, nil
}

// holder gives the key of the account that may have the names of the plan already.
func (p *accountPlan) holder() string {
	if p.create {
		return ""
	}
	return p.key
}

// unique is a value of an account that no other account of the company may have.
type unique struct {
	field         string
	before, after string
	was           string  // the claim that the account had it by
	claim         *string // and has it by afterwards
}

// claimed says whether the plan has to claim it.
func (u unique) claimed() bool { return u.after != "" && u.after != u.before }

func (p *accountPlan) unique() []unique {
	return []unique{
		{userName, p.before.UserName, p.after.UserName, p.before.name, &p.after.name},
		{extension, p.before.Extension, p.after.Extension, p.before.extension, &p.after.extension},
		{identity, known(p.before.Identity), known(p.after.Identity), p.before.identity, &p.after.identity},
	}
}

// claim takes the seat and the name that the plan needs; where there is no seat, the plan becomes the fallback.
func (m *Map) claim(p *accountPlan, fallback *store.NoSeat) error {
	a := &p.after
	if a.Seat != "" && a.Seat != p.before.Seat {
		switch {
		case m.claimSeat(a.Company, a.Seat, p.key, p.claim):
		case fallback == nil:
			return store.ErrNoSeat
		case fallback.Account.Seat != "" && fallback.Account.Seat != p.before.Seat:
			return errors.New("the fallback of a write claims a seat of its own")
		default:
			p.after, p.events = accountRow{Account: fallback.Account}, fallback.Events
		}
	}
	switch {
	case a.Seat == "":
	case a.Seat == p.before.Seat:
		a.seat = p.before.seat
	default:
		a.seat = p.claim
	}
	for _, u := range p.unique() {
		if !u.claimed() {
			if u.after != "" {
				*u.claim = u.was
			}
			continue
		}
		if err := m.nameTaken(u.field, a.Company, u.after, p.holder()); err != nil {
			m.giveBack(*p)
			return err
		}
		if err := m.claimName(u.field, a.Company, u.after, p.key, p.claim); err != nil {
			m.giveBack(*p)
			return err
		}
		*u.claim = p.claim
	}
	return nil
}

// giveBack returns what the plan has claimed.
func (m *Map) giveBack(p accountPlan) {
	if p.after.seat == p.claim {
		m.freeSeat(p.after.Company, p.after.Seat, p.claim)
	}
	for _, u := range p.unique() {
		m.freeName(u.field, p.after.Company, u.after, p.claim)
	}
}

// commit compares and sets the account: the one step that decides.
func (m *Map) commit(p *accountPlan) error {
	p.after.Account = copyAccount(p.after.Account)
	news := append(notices(nil, p.events), mailNotices(p.mails)...)
	if p.create {
		p.after.Version, p.after.GroupsVersion = p.above+1, 0
		for !m.accounts.create(p.key, p.after, news) {
			// The id of a deleted account is free again; its record may still have events to send.
			old, revision, ok := m.accounts.get(p.key)
			if ok && (!old.gone || old.open) {
				return &store.ConflictError{Field: "ID", Value: p.after.ID}
			}
			next := old.with(p.after, news)
			next.gone = false
			if ok && m.accounts.replace(p.key, revision, next) {
				break
			}
		}
		return nil
	}
	return m.accounts.update(p.key, func(old fact[accountRow]) (fact[accountRow], error) {
		if old.gone {
			return old, store.ErrNotFound
		}
		if old.value.Version != p.before.Version {
			return old, store.ErrVersion
		}
		p.after.Version = p.before.Version + 1
		p.after.GroupsVersion = old.value.GroupsVersion // moved by groups meanwhile, without a version of the account
		return old.with(p.after, news), nil
	})
}

// settle gives back what the account held before and holds no more, and settles the seat it holds now.
func (m *Map) settle(before, after accountRow) {
	if before.seat != "" && before.seat != after.seat {
		m.freeSeat(before.Company, before.Seat, before.seat)
	}
	if after.seat != "" && (after.seat != before.seat || after.SeatState != before.SeatState) {
		m.settleSeat(after)
	}
	if before.name != "" && before.name != after.name {
		m.freeName(userName, before.Company, before.UserName, before.name)
	}
	if before.extension != "" && before.extension != after.extension {
		m.freeName(extension, before.Company, before.Extension, before.extension)
	}
	if before.identity != "" && before.identity != after.identity {
		m.freeName(identity, before.Company, known(before.Identity), before.identity)
	}
}

// DeleteAccount implements [store.Accounts].
func (m *Map) DeleteAccount(ctx context.Context, d store.AccountDelete) error {
	end, err := m.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	k := join(d.Before.Company, d.Before.ID)
	news := notices(nil, d.Events)
	err = m.accounts.update(k, func(old fact[accountRow]) (fact[accountRow], error) {
		if old.gone {
			return old, store.ErrNotFound
		}
		if old.value.Version != d.Before.Version {
			return old, store.ErrVersion
		}
		next := old.with(old.value, news)
		next.gone, next.open = true, true
		if d.Tombstone != nil {
			t := *d.Tombstone
			next.value.tombstone = &t
		}
		return next, nil
	})
	if err != nil {
		return err
	}
	m.finishDelete(k)
	m.lose(d.Before.Company, d.Loss, d.At)
	return nil
}

// finishDelete does what is left to do of the deletion of an account. The tombstone comes last: who finds it can have the id.
func (m *Map) finishDelete(k string) {
	got, _, _ := m.accounts.get(k)
	m.settle(got.value, accountRow{})
	for _, row := range m.rowsOf(got.value.Company, got.value.ID) {
		m.leave(row.company, row.group, row.account)
	}
	if t := got.value.tombstone; t != nil {
		m.tombstones.insert(tombstoneKey(*t), *t)
	}
	m.accounts.close(k)
}

func tombstoneKey(t store.Tombstone) string {
	return join(t.Company, t.Connection, t.ExternalID, query.FormatDateTime(t.Deleted), t.ID)
}

func (m *Map) dropTombstone(t store.Tombstone) {
	if _, revision, ok := m.tombstones.get(tombstoneKey(t)); ok {
		m.tombstones.remove(tombstoneKey(t), revision)
	}
}

// NewestTombstone implements [store.Accounts].
func (m *Map) NewestTombstone(ctx context.Context, company, connection, externalID string, since time.Time) (store.Tombstone, error) {
	end, err := m.begin(ctx)
	if err != nil {
		return store.Tombstone{}, err
	}
	defer end()
	keys := m.tombstones.find(join(company, connection, externalID))
	for _, k := range slices.Backward(keys) {
		if t, _, ok := m.tombstones.get(k); ok && !t.Deleted.Before(since) {
			return t, nil
		}
	}
	return store.Tombstone{}, store.ErrNotFound
}

// DropTombstones implements [store.Accounts].
func (m *Map) DropTombstones(ctx context.Context, before time.Time) (int, error) {
	end, err := m.begin(ctx)
	if err != nil {
		return 0, err
	}
	defer end()
	dropped := 0
	for _, k := range m.tombstones.keys() {
		if t, revision, ok := m.tombstones.get(k); ok && t.Deleted.Before(before) && m.tombstones.remove(k, revision) {
			dropped++
		}
	}
	return dropped, nil
}
