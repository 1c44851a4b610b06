package doctor

import (
	"iter"

	"usher/store"
)

// An engine that is a [store.Doctor] is read in one go; any other page by page, as everybody reads it.

// looked gives the values of the records of a kind.
func looked[T any](x *examination, engine store.Doctor, kind store.RecordKind) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for r, err := range engine.Look(x.ctx, kind, x.company.ID) {
			var value T
			if err == nil {
				err = r.Value(&value)
			}
			if !yield(value, err) || err != nil {
				return
			}
		}
	}
}

// paged gives what comes page by page, each after the last of the one before it.
func paged[T any](read func(after T) ([]T, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var last T
		for {
			some, err := read(last)
			if err != nil {
				yield(last, err)
				return
			}
			for _, v := range some {
				if !yield(v, nil) {
					return
				}
				last = v
			}
			if len(some) < page {
				return
			}
		}
	}
}

func (x *examination) allEvents() iter.Seq2[store.Event, error] {
	if engine, ok := x.Store.(store.Doctor); ok {
		return func(yield func(store.Event, error) bool) {
			// Asked for in this way, too, events that are on their way to the log are brought there.
			if _, err := x.Store.ListEvents(x.ctx, x.company.ID, 0, 1); err != nil {
				yield(store.Event{}, err)
				return
			}
			for r, err := range looked[store.EventRecord](x, engine, store.RecordEvent) {
				r.Event.Detail = r.Detail
				if !yield(r.Event, err) {
					return
				}
			}
		}
	}
	return paged(func(last store.Event) ([]store.Event, error) {
		return x.Store.ListEvents(x.ctx, x.company.ID, last.Seq, page)
	})
}

func (x *examination) allAccounts() iter.Seq2[store.Account, error] {
	if engine, ok := x.Store.(store.Doctor); ok {
		return looked[store.Account](x, engine, store.RecordAccount)
	}
	return paged(func(last store.Account) ([]store.Account, error) {
		some, err := x.Store.ListAccounts(x.ctx, x.company.ID, store.Query{After: last.ID, Limit: page})
		return some.Accounts, err
	})
}

func (x *examination) allGroups() iter.Seq2[store.Group, error] {
	if engine, ok := x.Store.(store.Doctor); ok {
		return looked[store.Group](x, engine, store.RecordGroup)
	}
	return paged(func(last store.Group) ([]store.Group, error) {
		some, err := x.Store.ListGroups(x.ctx, x.company.ID, store.Query{After: last.ID, Limit: page})
		return some.Groups, err
	})
}

// counts are how many members there are: by group and by account, and groups by group.
type counts struct{ ofGroup, ofAccount, nested map[string]int }

// members counts the memberships of the company.
func (x *examination) members() (counts, error) {
	c := counts{map[string]int{}, map[string]int{}, map[string]int{}}
	if engine, ok := x.Store.(store.Doctor); ok {
		for m, err := range looked[store.MemberRecord](x, engine, store.RecordMember) {
			if err != nil {
				return c, err
			}
			c.ofGroup[m.Group]++
			c.ofAccount[m.Account]++
		}
		for m, err := range looked[store.SubgroupRecord](x, engine, store.RecordSubgroup) {
			if err != nil {
				return c, err
			}
			c.nested[m.Group]++
		}
		return c, nil
	}
	for g, err := range x.allGroups() {
		if err != nil {
			return c, err
		}
		members := paged(func(last store.Member) ([]store.Member, error) {
			return x.Store.Members(x.ctx, x.company.ID, g.ID, last.ID, page)
		})
		for m, err := range members {
			if err != nil {
				return c, err
			}
			c.ofGroup[g.ID]++
			c.ofAccount[m.ID]++
		}
		nested, err := x.Store.Subgroups(x.ctx, x.company.ID, g.ID)
		if err != nil {
			return c, err
		}
		c.nested[g.ID] = len(nested)
	}
	return c, nil
}
