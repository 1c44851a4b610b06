package licensing

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"usher/store"
	"usher/store/query"
)

// Actions of the events of rules.
const (
	ActionRuleAdd    = "rule.add"
	ActionRuleRemove = "rule.remove"
)

func (d *Directory) addRule(ctx context.Context, c Change, do AddRule) (Result, error) {
	now := d.now()
	rule, err := newRule(c, do, now)
	if err != nil {
		return Result{}, err
	}
	sweep := d.newSweep(c, now, ruleCause(rule))
	event := newEvent(c, now, store.EventRule, ActionRuleAdd, rule.ID, rule)
	err = d.store.CreateRule(ctx, rule, sweep, []store.Event{event})
	if errors.Is(err, store.ErrNotFound) {
		return Result{}, refuse(UnknownGroup, "The company has no group %q.", do.Group)
	}
	if err != nil {
		return Result{}, err
	}
	return Result{Rule: rule, Created: true, Changed: true}, d.sweep(ctx, *sweep)
}

// newRule makes the rule that is asked for.
func newRule(c Change, do AddRule, now time.Time) (store.Rule, error) {
	match := do.Match
	switch {
	case do.Role != "" && !slices.Contains(roles(), do.Role):
		return store.Rule{}, refuse(UnknownSetting, "There is no role %q; there are %s.", do.Role, strings.Join(roles(), ", "))
	case !do.License.Paid() && (do.License != NoLicense || do.Role == ""):
		return store.Rule{}, refuse(NotAPaidLicense, "A rule cannot give %s: everyone has it.", do.License.Name())
	case (do.Group == "") == (match == nil), match != nil && (len(match.Paths) == 0 || match.Value == ""):
		return store.Rule{}, refuse(NoCondition, "")
	}
	return store.Rule{
		ID: store.NewID(), Company: c.Company, Group: do.Group, Match: match, License: string(do.License), Role: do.Role,
		Priority: do.Priority, By: c.Actor.ID, Created: now,
	}, nil
}

// ruleCause names the accounts that a new rule concerns.
func ruleCause(r store.Rule) cause {
	return cause{Group: r.Group, Match: r.Match, Rules: []string{r.ID}}
}

func carrierOf(r store.Rule) Carrier {
	if r.Match != nil {
		return CarrierValue
	}
	return CarrierGroup
}

func (d *Directory) removeRule(ctx context.Context, c Change, do RemoveRule) (Result, error) {
	now := d.now()
	sweep := d.newSweep(c, now, cause{Rules: []string{do.ID}})
	rules, err := d.store.ListRules(ctx, c.Company)
	if err != nil {
		return Result{}, fmt.Errorf("rules: %w", err)
	}
	var detail any // the rule, so that it can be had back
	if at := slices.IndexFunc(rules, func(r store.Rule) bool { return r.ID == do.ID }); at >= 0 {
		detail = rules[at]
	}
	event := newEvent(c, now, store.EventRule, ActionRuleRemove, do.ID, detail)
	if err := d.store.DeleteRule(ctx, c.Company, do.ID, sweep, []store.Event{event}); err != nil {
		return Result{}, err
	}
	return Result{Changed: true}, d.sweep(ctx, *sweep)
}

// rulesOf gives the rules on one group.
func (d *Directory) rulesOf(ctx context.Context, company, group string) ([]store.Rule, error) {
	rules, err := d.store.ListRules(ctx, company)
	if err != nil {
		return nil, fmt.Errorf("rules: %w", err)
	}
	return slices.DeleteFunc(rules, func(r store.Rule) bool { return r.Group != group }), nil
}

func ids(rules []store.Rule) []string {
	var all []string
	for _, r := range rules {
		all = append(all, r.ID)
	}
	return all
}

// ruleSet is the rules of a company, ready to be asked.
type ruleSet struct {
	rules  []store.Rule
	judges []*query.Judge // of the rules on values
}

func newRuleSet(rules []store.Rule) ruleSet {
	set := ruleSet{rules: rules}
	for i, r := range rules {
		if r.Match == nil {
			continue
		}
		if set.judges == nil {
			set.judges = make([]*query.Judge, len(rules))
		}
		set.judges[i] = query.Compile(r.Match.Node())
	}
	return set
}

// hold gives the rules that hold for an account; in says of groups whether it is a member.
func (set ruleSet) hold(a *store.Account, in func(store.Rule) bool) []store.Rule {
	var all []store.Rule
	for i, r := range set.rules {
		if r.Match != nil && set.judges[i].Match(a) || r.Match == nil && in(r) {
			all = append(all, r)
		}
	}
	return all
}

// followValues sets the sources of an account whose document has changed: rules on values are asked anew, and those on groups stay.
func (set ruleSet) followValues(a *store.Account, now time.Time) {
	byValue := string(CarrierValue)
	if set.judges == nil && !slices.ContainsFunc(a.Sources, func(s store.Source) bool { return s.Kind == byValue }) &&
		!slices.ContainsFunc(a.RoleSources, func(s store.RoleSource) bool { return s.Kind == byValue }) {
		return
	}
	refs := a.Column(store.ColumnSourceRef)
	hold := set.hold(a, func(r store.Rule) bool { return slices.Contains(refs, r.ID) })
	a.Sources, a.RoleSources = carryRules(a.Sources, hold, now), carryRoleRules(a.RoleSources, hold, now)
}

// valued gives the ids of those rules that are on values.
func valued(rules []store.Rule) []string {
	var all []string
	for _, r := range rules {
		if r.Match != nil {
			all = append(all, r.ID)
		}
	}
	return all
}

// catchUp brings an account in line with rules on values that were made or removed, and with a role ceiling that was moved, while its
// document was being changed: their own sweeps may have come by before that was written.
func (d *Directory) catchUp(ctx context.Context, s situation, a store.Account) error {
	ctx = context.WithoutCancel(ctx)
	rules, err := d.store.ListRules(ctx, a.Company)
	if err != nil {
		return fmt.Errorf("rules: %w", err)
	}
	company, err := d.store.Company(ctx, a.Company)
	if err != nil {
		return fmt.Errorf("company %s: %w", a.Company, err)
	}
	if slices.Equal(valued(s.rules.rules), valued(rules)) && company.RoleCeiling == s.company.RoleCeiling {
		return nil
	}
	return d.sweepNow(ctx, *d.newSweep(s.change, s.now, cause{Accounts: []string{a.ID}}))
}
