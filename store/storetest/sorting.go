package storetest

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"

	"usher/store"
	"usher/store/query"
)

// sorts are orders by all kinds of values: with an index and without, in a column and in the document, single and of several values.
func sorts() []query.Sort {
	return []query.Sort{
		{Path: "userName", Type: query.String, Fold: true},
		{Path: "displayName", Type: query.String, Fold: true},
		{Path: "nickName", Type: query.String}, // no index
		{Path: "emails/value", Type: query.String, Fold: true},
		{Path: "active", Type: query.Boolean},
		{Path: "level", Type: query.Integer},
		{Path: "hired", Type: query.DateTime},
		{Path: store.ColumnID, Type: query.String},
		{Path: store.ColumnCreated, Type: query.DateTime},
		{Path: store.ColumnModified, Type: query.DateTime},
		{Path: store.ColumnEffective, Type: query.String, Fold: true},
	}
}

// motley is an account some of whose values are others', or missing.
func (f *fixture) motley(r *rand.Rand, i int) store.Account {
	doc := map[string]any{"userName": fmt.Sprintf("%c.%d.%s", "aAbBzZéÉ"[r.IntN(6)], i, store.NewID()), "active": r.IntN(4) > 0}
	some := func(set func()) {
		if r.IntN(4) > 0 {
			set()
		}
	}
	some(func() { doc["displayName"] = []string{"Ada", "ada", "Ädä", "zoë", "Bob"}[r.IntN(5)] })
	some(func() { doc["nickName"] = []string{"a", "A", "b", "B"}[r.IntN(4)] })
	some(func() { doc["level"] = []int{-5, 0, 7, 70, 700}[r.IntN(5)] })
	some(func() {
		doc["hired"] = []string{"2008-01-23T04:56:22Z", "2008-01-23T04:56:22.5Z", "2008-01-23T06:00:00+02:00"}[r.IntN(3)]
	})
	some(func() {
		emails := []any{map[string]any{"value": fmt.Sprintf("%c@acme.example", 'a'+rune(r.IntN(5)))}}
		if r.IntN(2) > 0 {
			emails = append(emails, map[string]any{"value": fmt.Sprintf("%c@home.example", 'A'+rune(r.IntN(5))), "primary": r.IntN(2) > 0})
		}
		doc["emails"] = emails
	})
	a := f.document(f.draft("-"), doc)
	if r.IntN(3) == 0 {
		a.Effective = "ringex"
	}
	return a
}

// naively sorts accounts, which are in creation order, by comparing each with each.
func naively(all []store.Account, s query.Sort) []string {
	sorted := slices.Clone(all)
	slices.SortStableFunc(sorted, func(a, b store.Account) int { return s.Compare(s.Key(&a), s.Key(&b)) })
	return ids(sorted, accountID)
}

func testSorting(f *fixture) {
	r := rand.New(rand.NewPCG(1, 2))
	var drafts []store.Account
	for i := range size(60, 600) {
		drafts = append(drafts, f.motley(r, i))
	}
	f.createAll(drafts)
	everybody := f.everybody()
	active := query.Leaf{Path: "active", Op: query.Equal, Type: query.Boolean, Value: "1"}
	low := query.Leaf{Path: "level", Op: query.Less, Type: query.Integer, Value: canonical(query.Integer, "50")}
	for _, s := range sorts() {
		for _, s.Descending = range []bool{false, true} {
			for name, filter := range map[string]query.Node{"all": nil, "filtered": active, "by an index": low} {
				what := fmt.Sprintf("%s by %+v", name, s)
				matching := everybody
				if filter != nil {
					judge := query.Compile(filter)
					matching = slices.DeleteFunc(slices.Clone(everybody), func(a store.Account) bool { return !judge.Match(&a) })
				}
				want := naively(matching, s)
				for _, total := range []bool{false, true} {
					q := store.Query{Filter: filter, Sort: &s, Limit: 7, Total: total}
					f.same(what+", offset", walkOffset(f.accountLister(), q, nil), want)
					f.same(what+", after", f.walkSorted(q, nil), want)
				}
				_, n := f.accountLister()(store.Query{Filter: filter, Sort: &s, Total: true})
				f.same(what+", total", n, len(want))
				page, _ := f.accountLister()(store.Query{Filter: filter, Sort: &s, Offset: 1000, Limit: 5})
				f.same(what+", behind the end", len(page), 0)
			}
		}
	}
}

func canonical(t query.Type, literal string) string {
	v, err := query.Canonical(t, false, literal)
	if err != nil {
		panic(err) // the literals are constants
	}
	return v
}

// walkSorted asks for page after page, each from the place of the last record of the one before.
func (f *fixture) walkSorted(q store.Query, between func(seen []string)) []string {
	f.Helper()
	var seen []string
	for {
		page, err := f.ListAccounts(f.ctx, f.company, q)
		f.check(err)
		if len(page.Accounts) == 0 {
			return seen
		}
		last := page.Accounts[len(page.Accounts)-1]
		q.After, q.AfterKey = last.ID, q.Sort.Key(&last)
		seen = append(seen, ids(page.Accounts, accountID)...)
		if between != nil {
			between(seen)
		}
	}
}

// testSortingPastChanges lets records come, move and go between the pages of sorted lists: who is there throughout and stays in place
// is seen once.
func testSortingPastChanges(f *fixture) {
	r := rand.New(rand.NewPCG(3, 4))
	for n, s := range sorts() {
		s.Descending = n%2 == 0
		f.company = f.newCompany(fmt.Sprintf("order-%d", n)).ID // each page costs as much as there are people
		var stay []string
		for i := range 40 {
			stay = append(stay, f.create(f.motley(r, i)).ID)
		}
		var others []store.Account
		for i := range 40 {
			others = append(others, f.create(f.motley(r, i)))
		}
		seen := f.walkSorted(store.Query{Sort: &s, Limit: 5}, func(seen []string) {
			for i := range min(len(others), 2) {
				f.check(f.DeleteAccount(f.ctx, store.AccountDelete{Before: others[i]}))
			}
			others = others[min(len(others), 2):]
			if len(seen) > 200 {
				return
			}
			// The record that the next page begins after goes.
			last := seen[len(seen)-1]
			if !slices.Contains(stay, last) {
				if i := slices.IndexFunc(others, func(a store.Account) bool { return a.ID == last }); i >= 0 {
					f.check(f.DeleteAccount(f.ctx, store.AccountDelete{Before: others[i]}))
					others = slices.Delete(others, i, i+1)
				}
			}
			f.create(f.motley(r, len(seen)))
		})
		times := map[string]int{}
		for _, id := range seen {
			times[id]++
		}
		for _, id := range stay {
			if times[id] != 1 {
				f.Errorf("%+v: %s was there throughout and was seen %d times", s, id, times[id])
			}
		}
	}
}

func testSortedGroups(f *fixture) {
	r := rand.New(rand.NewPCG(5, 6))
	var all []store.Group
	for i := range 40 {
		all = append(all, f.createGroup(fmt.Sprintf("%c %d", "aAbBzZ"[r.IntN(6)], i)))
	}
	for _, s := range []query.Sort{
		{Path: "displayName", Type: query.String, Fold: true},
		{Path: "displayName", Type: query.String, Fold: true, Descending: true},
		{Path: store.ColumnID, Type: query.String, Descending: true},
		{Path: store.ColumnModified, Type: query.DateTime},
		{Path: "externalId", Type: query.String},
	} {
		sorted := slices.Clone(all)
		slices.SortFunc(sorted, func(a, b store.Group) int {
			return cmp.Or(s.Compare(s.Key(&a), s.Key(&b)), cmp.Compare(a.ID, b.ID))
		})
		want := ids(sorted, func(g store.Group) string { return g.ID })
		q := store.Query{Sort: &s, Limit: 7, Total: true}
		f.same(fmt.Sprintf("groups by %+v, offset", s), walkOffset(f.groupLister(), q, nil), want)
		var seen []string
		for {
			page, err := f.ListGroups(f.ctx, f.company, q)
			f.check(err)
			if len(page.Groups) == 0 {
				break
			}
			last := page.Groups[len(page.Groups)-1]
			q.After, q.AfterKey = last.ID, s.Key(&last)
			seen = append(seen, ids(page.Groups, func(g store.Group) string { return g.ID })...)
		}
		f.same(fmt.Sprintf("groups by %+v, after", s), seen, want)
	}
}
