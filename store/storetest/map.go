package storetest

import (
	"context"
	"sync"

	"usher/store"
	"usher/store/query"
)

// Map is a store in plain maps that has only what a document database without transactions has: atomic insert-if-absent,
// compare-and-set and delete of one record by its key, and indexes that follow the record. It proves by running that the contract
// can be kept that way, and is no product: all is in memory and little of it is fast.
//
// No operation holds a lock over two records. What is wider than one record is done in an order that leaves the store right, if
// not tidy, wherever it breaks off:
//
//   - The account is the truth. A seat and a name are claimed first, then the account is compared and set, then the seat is
//     settled and what the account had before is given back; when the account was not set, the claims are given back. Each claim
//     has an identity of its own that the account carries, so giving back twice or late hits nobody else's.
//   - Events, sweeps and mails are written into the record of the fact they tell of, and moved to the log, the list of sweeps and the
//     outbox before anybody reads there.
//   - A change of a group's members is written into the group's record, where the versions of the group decide conflicts, and
//     carried out on the membership records from there. Whoever finds one that is not carried out does so first.
//
// What a process leaves half-way when it dies is finished or undone by [Map.Repair].
type Map struct {
	gate   sync.RWMutex // shared by all operations; taken alone only to close
	closed bool

	mover sync.Mutex // the lease under which one process at a time moves events and sweeps
	boxes []outbox

	indexes []query.Index // over accounts, columns included

	companies   facts[store.Company]
	admins      *records[store.LocalAdmin]
	connections facts[store.Connection]
	tokens      facts[store.Token]
	keys        facts[store.AdminKey]
	sessions    facts[store.AdminSession]
	signedIn    facts[store.Session]
	signIns     *records[store.SignIn]
	logouts     *records[logoutRow]
	accounts    facts[accountRow]
	tombstones  *records[store.Tombstone]
	groups      facts[groupRow]
	members     *records[memberRow]
	pools       facts[poolRow]
	rules       facts[store.Rule]
	schemas     facts[schemasRow]
	quirks      *records[quirkRow]
	losses      *records[lossRow]
	names       *records[nameRow]
	sweeps      *records[store.Sweep]
	mails       *records[store.Mail]
	requests    *records[store.IdempotentRequest]
	log         *records[logRow]

	// interrupt, when not nil, is called before each step that writes a record. Tests die there, or let others in between.
	interrupt func()
}

var _ store.Store = (*Map)(nil)

// NewMap makes an empty store that keeps the indexes over the documents of accounts.
func NewMap(indexes []query.Index) *Map {
	m := &Map{indexes: append(store.ColumnIndexes(), indexes...)}
	step := func() {
		if m.interrupt != nil {
			m.interrupt()
		}
	}
	m.companies = newFacts(step, func(c store.Company) string { return c.ID }, func(store.Company) []string { return nil })
	m.admins = newRecords(step, func(a store.LocalAdmin) []string { return []string{a.Company} })
	m.connections = newFacts(step, func(c store.Connection) string { return c.Company }, func(c store.Connection) []string {
		return []string{listed(c.Company)}
	})
	m.tokens = newFacts(step, func(t store.Token) string { return t.Company }, func(t store.Token) []string {
		return []string{listed(t.Company)}
	})
	m.keys = newFacts(step, func(k store.AdminKey) string { return k.Company }, func(k store.AdminKey) []string {
		return []string{listed(k.Company)}
	})
	m.sessions = newFacts(step, func(s store.AdminSession) string { return s.Company }, func(s store.AdminSession) []string {
		return []string{listed(s.Company)}
	})
	m.signedIn = newFacts(step, func(s store.Session) string { return s.Company }, func(s store.Session) []string {
		return []string{listed(s.Company), join("person", s.Company, s.Account)}
	})
	m.signIns = newRecords(step, func(store.SignIn) []string { return nil })
	m.logouts = newRecords(step, func(logoutRow) []string { return nil })
	m.accounts = newFacts(step, func(a accountRow) string { return a.Company }, m.accountTerms)
	m.tombstones = newRecords(step, func(t store.Tombstone) []string {
		return []string{join(t.Company, t.Connection, t.ExternalID)}
	})
	m.groups = newFacts(step, func(g groupRow) string { return g.Company }, func(g groupRow) []string {
		terms := []string{listed(g.Company)}
		for _, id := range g.groups {
			terms = append(terms, inGroup(g.Company, id))
		}
		return terms
	})
	m.members = newRecords(step, memberRow.terms)
	m.pools = newFacts(step, func(p poolRow) string { return p.company }, func(p poolRow) []string {
		return []string{listed(p.company)}
	})
	m.rules = newFacts(step, func(r store.Rule) string { return r.Company }, func(r store.Rule) []string {
		return []string{listed(r.Company)}
	})
	m.schemas = newFacts(step, func(s schemasRow) string { return s.company }, func(schemasRow) []string { return nil })
	m.quirks = newRecords(step, func(q quirkRow) []string { return []string{listed(q.company)} })
	m.losses = newRecords(step, func(l lossRow) []string { return []string{join(l.company, l.connection)} })
	m.names = newRecords(step, func(nameRow) []string { return nil })
	m.sweeps = newRecords(step, func(store.Sweep) []string { return nil })
	m.mails = newRecords(step, func(store.Mail) []string { return nil })
	m.requests = newRecords(step, func(store.IdempotentRequest) []string { return nil })
	m.log = newRecords(step, func(logRow) []string { return nil })
	m.boxes = []outbox{m.companies, m.connections, m.tokens, m.keys, m.sessions, m.signedIn, m.accounts, m.groups, m.pools, m.rules, m.schemas}
	return m
}

// listed is the term of all facts of one kind in a company.
func listed(company string) string { return join("list", company) }

// begin lets an operation in: its end function must be called when it is done.
func (m *Map) begin(ctx context.Context) (end func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.gate.RLock()
	if m.closed {
		m.gate.RUnlock()
		return nil, store.ErrClosed
	}
	return m.gate.RUnlock, nil
}

// Check implements [store.Store].
func (m *Map) Check(ctx context.Context) error {
	end, err := m.begin(ctx)
	if err != nil {
		return err
	}
	end()
	return nil
}

// Close implements [store.Store].
func (m *Map) Close() error {
	m.gate.Lock()
	defer m.gate.Unlock()
	m.closed = true
	return nil
}
