package storetest

import (
	"context"
	"slices"
	"strings"
)

// Repair finishes or undoes what a process left half-way when it died. It takes the account, or the other record that a claim
// was made for, as the truth: a claim that the record carries stands, any other is given back. It is run when a store is opened,
// before anything else is; an engine for several processes does the same to claims that are too old to be under way.
func (m *Map) Repair(ctx context.Context) error {
	end, err := m.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	for _, k := range m.accounts.find(openFacts) {
		m.finishDelete(k)
	}
	for _, k := range m.groups.find(openFacts) {
		m.carryOut(k)
	}
	m.repairMembers()
	m.repairSeats()
	m.repairNames()
	m.repairTombstones()
	m.repairCompanies()
	return nil
}

// repairSeats settles the seats that their account holds and gives the others back.
func (m *Map) repairSeats() {
	for _, k := range m.pools.keys() {
		p, err := m.pools.read(k)
		if err != nil {
			continue
		}
		for claim, seat := range p.seats {
			if a, err := m.accounts.read(seat.account); err == nil && a.seat == claim {
				m.settleSeat(a)
			} else {
				m.freeSeat(p.company, p.license, claim)
			}
		}
	}
}

// repairNames gives back the names that their holder does not carry.
func (m *Map) repairNames() {
	for _, k := range m.names.keys() {
		row, revision, ok := m.names.get(k)
		if ok && !m.carries(row, k) {
			m.names.remove(k, revision)
		}
	}
}

func (m *Map) carries(row nameRow, k string) bool {
	switch field, _, _ := strings.Cut(k, "\x00"); field {
	case userName:
		a, err := m.accounts.read(row.holder)
		return err == nil && a.name == row.claim
	case extension:
		a, err := m.accounts.read(row.holder)
		return err == nil && a.extension == row.claim
	case identity:
		a, err := m.accounts.read(row.holder)
		return err == nil && a.identity == row.claim
	case groupName:
		g, err := m.groups.read(row.holder)
		return err == nil && g.name == row.claim
	case connectionName:
		_, err := m.connections.read(row.holder)
		return err == nil
	case domainName:
		c, err := m.companies.read(row.holder)
		return err == nil && slices.Contains(c.Domains, last(k))
	default: // the names of companies, which never change
		_, err := m.companies.read(row.holder)
		return err == nil
	}
}

// repairMembers takes accounts that are gone out of the groups that they were added to meanwhile.
func (m *Map) repairMembers() {
	for _, k := range m.members.keys() {
		row, _, ok := m.members.get(k)
		if !ok || !row.in {
			continue
		}
		if _, err := m.accounts.read(join(row.company, row.account)); err != nil {
			m.leave(row.company, row.group, row.account)
		}
	}
}

// repairTombstones drops those whose account was made again.
func (m *Map) repairTombstones() {
	for _, k := range m.tombstones.keys() {
		t, _, ok := m.tombstones.get(k)
		if !ok {
			continue
		}
		if _, err := m.accounts.read(join(t.Company, t.ID)); err == nil {
			m.dropTombstone(t)
		}
	}
}

// repairCompanies drops what was written for companies that never came to be.
func (m *Map) repairCompanies() {
	for _, k := range m.pools.keys() {
		p, revision, ok := m.pools.get(k)
		if _, err := m.companies.read(p.value.company); ok && err != nil {
			m.pools.remove(k, revision)
		}
	}
	for _, k := range m.admins.keys() {
		a, revision, ok := m.admins.get(k)
		if _, err := m.companies.read(a.Company); ok && err != nil {
			m.admins.remove(k, revision)
		}
	}
}
