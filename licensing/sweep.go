package licensing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"usher/store"
	"usher/store/query"
)

// cause says which accounts a sweep is to bring in line: those named, the members of a group, those with a value, and those with a source
// from a rule.
type cause struct {
	Accounts []string     `json:"accounts,omitempty"`
	Group    string       `json:"group,omitempty"`
	Match    *store.Match `json:"match,omitempty"`
	Rules    []string     `json:"rules,omitempty"`
	// Roles says that those are meant for whom a connection asks for a role.
	Roles bool `json:"roles,omitempty"`
	// Orphans says that the rules have lost their group and go when the sweep is done.
	Orphans bool `json:"orphans,omitempty"`
}

// memberCause is the cause of a change of members: the accounts it names, or the whole group where it names those who stay.
func memberCause(group string, rules []store.Rule, m store.MemberChange) cause {
	if m.Exactly {
		return cause{Group: group, Rules: ids(rules)}
	}
	return cause{Accounts: append(slices.Clone(m.Add), m.Remove...)}
}

// cursor says how far a sweep has come. Losses go before gains, so that what one gives up another can have.
type cursor struct {
	Gains bool   `json:"gains"`
	Stage int    `json:"stage"` // index into the stages of the cause
	After string `json:"after"` // the last account done
}

const (
	// leaseFor is how long a process keeps a sweep to itself without a sign of progress.
	leaseFor = 30 * time.Second
	// lookEvery is how often it is looked whether another process has done with a sweep.
	lookEvery = 50 * time.Millisecond
)

func (d *Directory) newSweep(c Change, now time.Time, why cause) *store.Sweep {
	raw, err := json.Marshal(why)
	if err != nil { // strings and booleans always marshal
		panic(fmt.Sprintf("licensing: sweep cause: %v", err))
	}
	sw := store.Sweep{ID: store.NewID(), Company: c.Company, Cause: string(raw), Actor: c.Actor, Door: c.Door, Request: c.Request, Created: now}
	if d.Shared { // else another process could take it before its maker does, who has the change to answer
		sw.Holder, sw.Until = d.holder, now.Add(leaseFor)
	}
	return &sw
}

// sweep carries out an open sweep from where it stands, or waits for the process that does. In this process one of a company runs at a
// time, and each reads the facts only when it is its turn: the one that comes last has the last word.
func (d *Directory) sweep(ctx context.Context, sw store.Sweep) error {
	defer d.turn("sweep " + sw.Company)()
	for {
		over, err := d.takeSweep(ctx, sw)
		if err != nil || over {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err() // the other process goes on
		case <-time.After(lookEvery):
		}
	}
}

// resumeSweep carries out an open sweep unless another process is at it.
func (d *Directory) resumeSweep(ctx context.Context, sw store.Sweep) error {
	defer d.turn("sweep " + sw.Company)()
	_, err := d.takeSweep(ctx, sw)
	return err
}

// takeSweep carries out an open sweep unless another process is at it. It says whether the sweep is done.
func (d *Directory) takeSweep(ctx context.Context, sw store.Sweep) (over bool, err error) {
	ctx = context.WithoutCancel(ctx) // the fact is written; a client that went away does not undo it
	now := d.now()
	mine, err := d.store.LeaseSweep(ctx, sw.ID, d.holder, now, now.Add(leaseFor))
	switch {
	case errors.Is(err, store.ErrNotFound):
		return true, nil
	case err != nil:
		return false, fmt.Errorf("sweep %s: %w", sw.ID, err)
	case !mine:
		return false, nil
	}
	err = d.runSweep(ctx, sw, d.keepSweep)
	if errors.Is(err, errSwept) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("sweep %s: %w", sw.ID, err)
	}
	return true, d.store.EndSweep(ctx, sw.ID)
}

// errSwept says that another process has taken a sweep over and done it: this one was too slow to keep it.
var errSwept = errors.New("another process has done the sweep")

// finishSweeps carries out the open sweeps of a company.
func (d *Directory) finishSweeps(ctx context.Context, company string) error {
	sweeps, err := d.store.ListSweeps(ctx)
	if err != nil {
		return fmt.Errorf("open sweeps: %w", err)
	}
	for _, sw := range sweeps {
		if sw.Company == company {
			if err := d.sweep(ctx, sw); err != nil {
				return err
			}
		}
	}
	return nil
}

// sweepNow carries out a sweep that is not stored.
func (d *Directory) sweepNow(ctx context.Context, sw store.Sweep) error {
	defer d.turn("sweep " + sw.Company)()
	return d.runSweep(context.WithoutCancel(ctx), sw, func(context.Context, string, cursor) error { return nil })
}

// runSweep goes through the accounts of a sweep, first those that lose, then those that gain; keep records the progress.
func (d *Directory) runSweep(ctx context.Context, sw store.Sweep, keep func(ctx context.Context, id string, at cursor) error) error {
	var why cause
	var at cursor
	if err := json.Unmarshal([]byte(sw.Cause), &why); err != nil {
		return fmt.Errorf("cause: %w", err)
	}
	if sw.Cursor != "" {
		if err := json.Unmarshal([]byte(sw.Cursor), &at); err != nil {
			return fmt.Errorf("cursor: %w", err)
		}
	}
	c := Change{Company: sw.Company, Actor: sw.Actor, Door: sw.Door, Request: sw.Request, MayAssign: true}
	stages := d.stages(sw.Company, why)
	for {
		for ; at.Stage < len(stages); at.Stage, at.After = at.Stage+1, "" {
			if err := d.runStage(ctx, c, sw, stages[at.Stage], &at, keep); err != nil {
				return err
			}
		}
		if at.Gains {
			break
		}
		at = cursor{Gains: true}
	}
	if why.Orphans {
		return d.dropRules(ctx, c, why.Rules)
	}
	return nil
}

// stage gives the next accounts of a sweep after the one named, in the order of their ids; none when it is done.
type stage func(ctx context.Context, after string) ([]string, error)

// stages gives the ways to the accounts of a cause. An account may be met more than once; the second time there is nothing to do.
func (d *Directory) stages(company string, why cause) []stage {
	var all []stage
	if len(why.Accounts) > 0 {
		sorted := slices.Compact(slices.Sorted(slices.Values(why.Accounts))) // ids sort in the order of creation
		all = append(all, func(_ context.Context, after string) ([]string, error) {
			at, found := slices.BinarySearch(sorted, after)
			if found {
				at++
			}
			return sorted[at:min(at+chunk, len(sorted))], nil
		})
	}
	if why.Group != "" {
		all = append(all, func(ctx context.Context, after string) ([]string, error) {
			members, err := d.store.Members(ctx, company, why.Group, after, chunk)
			found := make([]string, len(members))
			for i, m := range members {
				found[i] = m.ID
			}
			return found, err
		})
	}
	if why.Roles {
		all = append(all, d.listed(company, query.Leaf{Path: store.ColumnRoleSource, Op: query.Equal, Type: query.String, Value: string(CarrierRoles)}))
	}
	if why.Match != nil {
		all = append(all, d.listed(company, why.Match.Node()))
	}
	for _, rule := range why.Rules {
		all = append(all, d.listed(company, query.Leaf{Path: store.ColumnSourceRef, Op: query.Equal, Type: query.String, Value: rule}))
	}
	return all
}

// listed is the stage of the accounts that a filter matches.
func (d *Directory) listed(company string, filter query.Node) stage {
	return func(ctx context.Context, after string) ([]string, error) {
		page, err := d.store.ListAccounts(ctx, company, store.Query{Filter: filter, After: after, Limit: chunk})
		found := make([]string, len(page.Accounts))
		for i, a := range page.Accounts {
			found[i] = a.ID
		}
		return found, err
	}
}

func (d *Directory) runStage(
	ctx context.Context, c Change, sw store.Sweep, next stage, at *cursor, keep func(context.Context, string, cursor) error,
) error {
	for {
		accounts, err := next(ctx, at.After)
		if err != nil || len(accounts) == 0 {
			return err
		}
		if err := d.sweepChunk(ctx, c, sw.Created, accounts, at.Gains); err != nil {
			return err
		}
		at.After = accounts[len(accounts)-1]
		if err := keep(ctx, sw.ID, *at); err != nil {
			return err
		}
	}
}

// keepSweep records the progress of a sweep and with it that somebody is at it.
func (d *Directory) keepSweep(ctx context.Context, id string, at cursor) error {
	raw, err := json.Marshal(at)
	if err != nil {
		return err
	}
	err = d.store.MoveSweep(ctx, id, string(raw))
	if errors.Is(err, store.ErrNotFound) {
		return errSwept
	}
	if err != nil {
		return err
	}
	now := d.now()
	_, err = d.store.LeaseSweep(ctx, id, d.holder, now, now.Add(leaseFor))
	if errors.Is(err, store.ErrNotFound) {
		return errSwept
	}
	return err
}

// sweepChunk brings up to chunk accounts in line with the rules: in the pass of losses those that lose by it, in the pass of gains
// the rest. Those that others are changing at the moment are done one by one, when it is their turn.
func (d *Directory) sweepChunk(ctx context.Context, c Change, asked time.Time, accounts []string, gains bool) error {
	written, left, err := d.sweepAccounts(ctx, c, asked, accounts, gains)
	if err != nil {
		return err
	}
	for _, id := range left {
		if err := d.sweepOne(ctx, c, asked, id, gains); err != nil {
			return err
		}
	}
	if !d.Shared || !gains || len(written) == 0 { // the pass of gains comes by again
		return nil
	}
	// Another process may have changed the facts between the look at them and the write, and its own sweep have gone before the write.
	again, left, err := d.sweepAccounts(ctx, c, asked, written, gains)
	if err != nil {
		return err
	}
	for _, id := range slices.Concat(again, left) {
		if err := d.sweepOne(ctx, c, asked, id, gains); err != nil {
			return err
		}
	}
	return nil
}

// sweepOne is sweepChunk for an account that keeps changing. Others in this process wait; only the queues do not.
func (d *Directory) sweepOne(ctx context.Context, c Change, asked time.Time, id string, gains bool) error {
	defer d.one(id)()
	const patience = 20
	for range patience {
		written, left, err := d.sweepAccounts(ctx, c, asked, []string{id}, gains)
		if err != nil || len(left) == 0 && (!d.Shared || len(written) == 0) {
			return err
		}
	}
	return fmt.Errorf("account %s keeps changing: %w", id, store.ErrBusy)
}

// sweepAccounts plans and writes accounts and gives those that were written, and those that changed meanwhile.
func (d *Directory) sweepAccounts(
	ctx context.Context, c Change, asked time.Time, accounts []string, gains bool,
) (written, left []string, err error) {
	s, err := d.situation(ctx, c)
	if err != nil {
		return nil, nil, err
	}
	s.queues = true
	plans, err := d.planRules(ctx, s, asked, accounts)
	if err != nil {
		return nil, nil, err
	}
	if !gains {
		plans = slices.DeleteFunc(plans, func(p plan) bool { return !p.loses() })
	}
	done, freed, err := d.writeAll(ctx, plans)
	if err != nil {
		return nil, nil, err
	}
	queues := freed
	for i, p := range plans {
		if slices.Contains(done, i) {
			queues = append(queues, p.waits)
			written = append(written, p.write.After.ID)
		} else {
			left = append(left, p.write.After.ID)
		}
	}
	slices.Sort(queues)
	d.attend(ctx, c, slices.Compact(queues)...)
	return written, left, nil
}

// loses says whether the plan takes something away without asking for anything: those go first.
func (p plan) loses() bool { return p.waits == NoLicense }

// planRules plans the accounts with the sources that the rules give them as the memberships stand now.
func (d *Directory) planRules(ctx context.Context, s situation, asked time.Time, ids []string) ([]plan, error) {
	var plans []plan
	err := d.planEach(ctx, s, asked, ids, func(p plan) error {
		plans = append(plans, p)
		return nil
	})
	return plans, err
}

// planEach is planRules that gives each plan to a function before the next is made.
func (d *Directory) planEach(ctx context.Context, s situation, asked time.Time, ids []string, to func(plan) error) error {
	accounts, err := d.store.AccountsByID(ctx, s.company.ID, ids)
	if err != nil {
		return err
	}
	memberships, err := d.store.MembershipsOf(ctx, s.company.ID, ids)
	if err != nil {
		return err
	}
	for i := range accounts {
		before := accounts[i]
		hold := s.rules.hold(&before, func(r store.Rule) bool {
			return slices.ContainsFunc(memberships[before.ID], func(m store.Membership) bool { return m.Group == r.Group })
		})
		after := before
		after.Sources, after.RoleSources = carryRules(before.Sources, hold, asked), carryRoleRules(before.RoleSources, hold, asked)
		p, err := makePlan(s, &before, after)
		if err == nil && p.changed {
			err = to(p)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// dropRules removes rules whose group is gone.
func (d *Directory) dropRules(ctx context.Context, c Change, rules []string) error {
	for _, id := range rules {
		event := newEvent(c, d.now(), store.EventRule, ActionRuleRemove, id, nil)
		if err := d.store.DeleteRule(ctx, c.Company, id, nil, []store.Event{event}); err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
	}
	return nil
}
