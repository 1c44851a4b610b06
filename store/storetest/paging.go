package storetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"usher/store"
	"usher/store/query"
)

// lister gives the ids of one page of accounts or of groups.
type lister func(q store.Query) (ids []string, total int)

func (f *fixture) accountLister() lister {
	return func(q store.Query) ([]string, int) {
		f.Helper()
		page, err := f.ListAccounts(f.ctx, f.company, q)
		f.check(err)
		return ids(page.Accounts, accountID), page.Total
	}
}

func (f *fixture) groupLister() lister {
	return func(q store.Query) ([]string, int) {
		f.Helper()
		page, err := f.ListGroups(f.ctx, f.company, q)
		f.check(err)
		return ids(page.Groups, func(g store.Group) string { return g.ID }), page.Total
	}
}

// walkAfter asks for page after page, each from the last record of the one before. between is called with what was seen so far.
func walkAfter(list lister, q store.Query, between func(seen []string)) []string {
	var seen []string
	for {
		page, _ := list(q)
		if len(page) == 0 {
			return seen
		}
		seen = append(seen, page...)
		q.After = page[len(page)-1]
		if between != nil {
			between(seen)
		}
	}
}

// walkOffset asks for page after page by the number of records before it, as clients with a start index do.
func walkOffset(list lister, q store.Query, between func(seen []string)) []string {
	var seen []string
	for {
		q.Offset = len(seen)
		page, _ := list(q)
		if len(page) == 0 {
			return seen
		}
		seen = append(seen, page...)
		if between != nil {
			between(seen)
		}
	}
}

func testPaging(f *fixture) {
	people := f.people(25, "p")
	for _, i := range []int{0, 7, 24} {
		f.check(f.DeleteAccount(f.ctx, store.AccountDelete{Before: people[i]}))
	}
	accounts := ids(f.everybody(), accountID)
	f.same("accounts in creation order", len(accounts), 22)
	var groups []string
	for i := range 22 {
		groups = append(groups, f.createGroup(fmt.Sprintf("g%d", i)).ID)
	}
	for _, kind := range []struct {
		name string
		all  []string
		list lister
	}{{"accounts", accounts, f.accountLister()}, {"groups", groups, f.groupLister()}} {
		for _, filter := range []query.Node{nil, query.Leaf{Path: "displayName", Op: query.Present, Type: query.String, Fold: true}} {
			for _, limit := range []int{1, 7, 11, 22, 100} {
				q := store.Query{Filter: filter, Limit: limit}
				f.same(fmt.Sprintf("%s by %d, after", kind.name, limit), walkAfter(kind.list, q, nil), kind.all)
				f.same(fmt.Sprintf("%s by %d, offset", kind.name, limit), walkOffset(kind.list, q, nil), kind.all)
			}
			// Pages out of their order.
			for _, c := range []struct {
				q         store.Query
				want      []string
				wantTotal int
			}{
				{store.Query{Offset: 15, Limit: 3}, kind.all[15:18], -1},
				{store.Query{Offset: 3, Limit: 3, Total: true}, kind.all[3:6], 22},
				{store.Query{Offset: 6, Limit: 3}, kind.all[6:9], -1},
				{store.Query{Offset: 6, Limit: 5}, kind.all[6:11], -1},
				{store.Query{Offset: 20, Limit: 5, Total: true}, kind.all[20:], 22},
				{store.Query{Offset: 22, Limit: 5, Total: true}, nil, 22},
				{store.Query{Offset: 1000, Limit: 5, Total: true}, nil, 22},
				{store.Query{After: kind.all[3], Offset: 2, Limit: 2, Total: true}, kind.all[6:8], 22},
				{store.Query{After: kind.all[21], Limit: 2}, nil, -1},
				{store.Query{Limit: 0, Total: true}, nil, 22},
				{store.Query{Limit: 0}, nil, -1},
			} {
				c.q.Filter = filter
				got, total := kind.list(c.q)
				f.same(fmt.Sprintf("%s %+v", kind.name, c.q), got, c.want)
				f.same(fmt.Sprintf("%s %+v: total", kind.name, c.q), total, c.wantTotal)
			}
		}
	}
}

// testPagingPastChanges lets records come and go between the pages, the one that the next page begins after among them.
func testPagingPastChanges(f *fixture) {
	active := query.Leaf{Path: "displayName", Op: query.Present, Type: query.String, Fold: true}
	for what, walk := range map[string]struct {
		walk   func(lister, store.Query, func([]string)) []string
		filter query.Node
		exact  bool // records that were there throughout are seen, all of them
	}{
		"after":          {walkAfter, nil, true},
		"after, filter":  {walkAfter, active, true},
		"offset":         {walkOffset, nil, false},
		"offset, filter": {walkOffset, active, false},
	} {
		f.company = f.newCompany(strings.NewReplacer(",", "", " ", "-").Replace(what)).ID
		stay := make(map[string]bool)
		for _, a := range f.people(60, "p") {
			stay[a.ID] = true
		}
		for _, a := range f.everybody() {
			stay[a.ID] = true
		}
		drop := func(id string) {
			if stay[id] {
				delete(stay, id)
				f.check(f.DeleteAccount(f.ctx, store.AccountDelete{Before: f.read(id)}))
			}
		}
		pages := 0
		seen := walk.walk(f.accountLister(), store.Query{Filter: walk.filter, Limit: 5}, func(seen []string) {
			if pages++; pages > 8 {
				return
			}
			drop(seen[len(seen)-1])
			drop(seen[len(seen)-3])
			if everybody := f.everybody(); pages%2 == 0 {
				drop(everybody[len(everybody)-1-pages].ID)
			}
			f.people(2, "new")
		})
		once := slices.Compact(slices.Sorted(slices.Values(seen)))
		if len(once) != len(seen) {
			f.Errorf("%s: %d records seen in %d places", what, len(once), len(seen))
		}
		if walk.exact {
			for id := range stay {
				if _, ok := slices.BinarySearch(once, id); !ok {
					f.Errorf("%s: %s was there throughout and was not seen", what, id)
				}
			}
		}
	}

	// Groups alike: the one that the next page begins after may go.
	var groups []string
	for i := range 12 {
		groups = append(groups, f.createGroup(fmt.Sprintf("g%d", i)).ID)
	}
	seen := walkAfter(f.groupLister(), store.Query{Limit: 5}, func(seen []string) {
		f.check(f.DeleteGroup(f.ctx, f.company, seen[len(seen)-1], 0, nil, nil))
	})
	f.same("groups", seen, groups)
}

// testPagingStorm walks the list while others create and delete.
func testPagingStorm(f *fixture) {
	var stable []string
	var mortal []store.Account
	for i, a := range f.people(size(120, 2000), "p") {
		if i%3 == 1 {
			mortal = append(mortal, a)
		} else {
			stable = append(stable, a.ID)
		}
	}
	var drafts [2][]store.Account
	for i := range drafts {
		for n := range size(60, 1000) {
			drafts[i] = append(drafts[i], f.draft(fmt.Sprintf("new-%d-%d", i, n)))
		}
	}
	var stop atomic.Bool
	var others sync.WaitGroup
	for i := range drafts {
		others.Go(func() {
			for _, a := range drafts[i] {
				if stop.Load() {
					return
				}
				if _, err := f.WriteAccount(f.ctx, store.AccountWrite{After: a}); err != nil {
					f.Errorf("create: %v", err)
				}
			}
		})
	}
	others.Go(func() {
		for _, a := range mortal {
			if stop.Load() {
				return
			}
			if err := f.DeleteAccount(f.ctx, store.AccountDelete{Before: a}); err != nil && !errors.Is(err, store.ErrVersion) {
				f.Errorf("delete: %v", err)
			}
		}
	})
	for range size(3, 20) {
		seen := walkAfter(f.accountLister(), store.Query{Limit: 9}, nil)
		var there []string
		for _, id := range seen {
			if slices.Contains(stable, id) {
				there = append(there, id)
			}
		}
		f.same("those that were there throughout, once each and in order", there, stable)
	}
	stop.Store(true)
	others.Wait()
}
