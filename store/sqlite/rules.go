package sqlite

import (
	"context"

	"usher/store"
)

// CreateRule implements [store.Rules].
func (s *Store) CreateRule(ctx context.Context, rule store.Rule, sweep *store.Sweep, events []store.Event) error {
	events, err := prepareEvents(events)
	if err != nil {
		return err
	}
	return s.writeCompany(ctx, rule.Company, func(t *tx, co int64) error {
		found, err := t.exists("SELECT 1 FROM groups WHERE co = ? AND id = ?", co, rule.Group)
		if err := orNotFound(found, err); err != nil {
			return err
		}
		if _, err := t.exec("INSERT INTO rules (id, co, grp, license, prio, author, created) VALUES (?, ?, ?, ?, ?, ?, ?)",
			rule.ID, co, rule.Group, rule.License, rule.Priority, optional(rule.By), rule.Created); err != nil {
			return conflict(err, "Rule.ID", rule.ID)
		}
		return t.because(co, sweep, events)
	})
}

// DeleteRule implements [store.Rules].
func (s *Store) DeleteRule(ctx context.Context, company, id string, sweep *store.Sweep, events []store.Event) error {
	events, err := prepareEvents(events)
	if err != nil {
		return err
	}
	return s.writeCompany(ctx, company, func(t *tx, co int64) error {
		n, err := t.exec("DELETE FROM rules WHERE id = ? AND co = ?", id, co)
		if err := orNotFound(n > 0, err); err != nil {
			return err
		}
		return t.because(co, sweep, events)
	})
}

// ListRules implements [store.Rules].
func (s *Store) ListRules(ctx context.Context, company string) ([]store.Rule, error) {
	var rules []store.Rule
	err := s.readCompany(ctx, company, func(c *conn, co int64) error {
		r := c.query("SELECT id, grp, license, prio, author, created FROM rules WHERE co = ? ORDER BY prio DESC, created, id", co)
		for r.next() {
			rules = append(rules, store.Rule{
				ID: r.text(0), Company: company, Group: r.text(1), License: r.text(2), Priority: int(r.int(3)), By: r.text(4), Created: r.time(5),
			})
		}
		return r.err
	})
	return rules, err
}
