package sqlite

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"usher/store"
)

// loadRules reads the rules of a company. They are kept with it, because every change of a group asks for them.
func (c *company) loadRules(from *conn) error {
	r := from.query("SELECT id, grp, license, prio, author, created, cond, role FROM rules WHERE co = ?", c.co)
	for r.next() {
		rule := store.Rule{
			ID: r.text(0), Company: c.ID, Group: r.text(1), License: r.text(2), Priority: int(r.int(3)), By: r.text(4), Created: r.time(5),
			Role: r.text(7),
		}
		if cond := r.text(6); cond != "" {
			if err := json.Unmarshal([]byte(cond), &rule.Match); err != nil {
				return fmt.Errorf("sqlite: condition of the rule %s: %w", rule.ID, err)
			}
		}
		c.rules = append(c.rules, rule)
	}
	slices.SortFunc(c.rules, byRank)
	return r.err
}

// byRank orders rules as [store.Rules] lists them.
func byRank(a, b store.Rule) int {
	return cmp.Or(cmp.Compare(b.Priority, a.Priority), a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID))
}

// changeRules replaces the rules of a company by what change makes of them, after the commit. The slice given is not to be changed.
func (n *companies) changeRules(company string, change func([]store.Rule) []store.Rule) {
	n.mu.Lock()
	defer n.mu.Unlock()
	c := n.id[company]
	c.rules = change(c.rules)
}

// CreateRule implements [store.Rules].
func (s *Store) CreateRule(ctx context.Context, rule store.Rule, sweep *store.Sweep, events []store.Event) error {
	events, err := prepareEvents(events)
	if err != nil {
		return err
	}
	var cond any
	if rule.Match != nil {
		b, err := json.Marshal(rule.Match)
		if err != nil {
			return fmt.Errorf("sqlite: %w", err)
		}
		cond = string(b)
	}
	err = s.writeCompany(ctx, rule.Company, func(t *tx, co int64) error {
		if rule.Match == nil {
			found, err := t.exists("SELECT 1 FROM groups WHERE co = ? AND id = ?", co, rule.Group)
			if err := orNotFound(found, err); err != nil {
				return err
			}
		}
		if _, err := t.exec("INSERT INTO rules (id, co, grp, license, prio, author, created, cond, role) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
			rule.ID, co, rule.Group, rule.License, rule.Priority, optional(rule.By), rule.Created, cond, optional(rule.Role)); err != nil {
			return conflict(err, "Rule.ID", rule.ID)
		}
		return t.because(co, sweep, events)
	})
	if err == nil {
		s.companies.changeRules(rule.Company, func(rules []store.Rule) []store.Rule {
			rule.Created = time.UnixMilli(rule.Created.UnixMilli()).UTC() // as it is stored
			return slices.SortedFunc(slices.Values(append(slices.Clip(rules), rule)), byRank)
		})
	}
	return err
}

// DeleteRule implements [store.Rules].
func (s *Store) DeleteRule(ctx context.Context, company, id string, sweep *store.Sweep, events []store.Event) error {
	events, err := prepareEvents(events)
	if err != nil {
		return err
	}
	err = s.writeCompany(ctx, company, func(t *tx, co int64) error {
		n, err := t.exec("DELETE FROM rules WHERE id = ? AND co = ?", id, co)
		if err := orNotFound(n > 0, err); err != nil {
			return err
		}
		return t.because(co, sweep, events)
	})
	if err == nil {
		s.companies.changeRules(company, func(rules []store.Rule) []store.Rule {
			return slices.DeleteFunc(slices.Clone(rules), func(r store.Rule) bool { return r.ID == id })
		})
	}
	return err
}

// ListRules implements [store.Rules].
func (s *Store) ListRules(ctx context.Context, company string) ([]store.Rule, error) {
	if err := s.readers.check(ctx); err != nil {
		return nil, err
	}
	s.companies.mu.RLock()
	defer s.companies.mu.RUnlock()
	if c := s.companies.id[company]; c != nil {
		return slices.Clone(c.rules), nil
	}
	return nil, nil
}
