package sqlite_test

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"usher/store"
	"usher/store/query"
)

// TestPaging_Walk: a client that walks through a list by offsets sees every account that is there throughout once, and none twice,
// while accounts before, at and behind its place come and go.
func TestPaging_Walk(t *testing.T) {
	for name, filter := range map[string]query.Node{
		"all":         nil,
		"exact":       query.Leaf{Path: "active", Op: query.Equal, Type: query.Boolean, Value: "0"},
		"judged":      query.Leaf{Path: "title", Op: query.Present, Type: query.String, Fold: true},
		"partly":      query.And{query.Leaf{Path: "active", Op: query.Equal, Type: query.Boolean, Value: "0"}, query.Leaf{Path: "title", Op: query.Present, Type: query.String, Fold: true}},
		"out of line": query.Leaf{Path: "displayName", Op: query.StartsWith, Type: query.String, Fold: true, Value: "person"},
	} {
		for _, by := range []string{"offset", "after"} {
			t.Run(name+" by "+by, func(t *testing.T) { walk(t, filter, by == "after") })
		}
	}
}

func walk(t *testing.T, filter query.Node, byAfter bool) {
	s := open(t, t.TempDir(), indexes())
	co := company(t, s, "acme", 1)
	r := rand.New(rand.NewPCG(1, 2))
	there := make(map[string]store.Account) // throughout
	var created int
	create := func(n int) (made []store.Account) {
		for range n {
			a, err := s.WriteAccount(t.Context(), store.AccountWrite{After: account(co, created*10)}) // all of them inactive
			if err != nil {
				t.Fatal(err)
			}
			created++
			made = append(made, a)
		}
		return made
	}
	for _, a := range create(60) {
		there[a.ID] = a
	}
	remove := func(id string) {
		a, ok := there[id]
		if !ok {
			return
		}
		if err := s.DeleteAccount(t.Context(), store.AccountDelete{Before: a}); err != nil {
			t.Fatal(err)
		}
		delete(there, id)
	}
	seen := make(map[string]int)
	q := store.Query{Filter: filter, Limit: 7}
	for {
		page, err := s.ListAccounts(t.Context(), co, q)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range page.Accounts {
			seen[a.ID]++
		}
		n := len(page.Accounts)
		if n < q.Limit {
			break
		}
		last := page.Accounts[n-1].ID
		if byAfter {
			q.After = last
		} else {
			q.Offset += n
		}
		remove(page.Accounts[0].ID)
		if r.IntN(2) == 0 {
			remove(last)
		}
		for id := range there {
			remove(id)
			break
		}
		create(r.IntN(4))
	}
	for id := range there {
		if seen[id] != 1 {
			t.Errorf("account %s was there throughout and seen %d times", id, seen[id])
		}
	}
	for id, n := range seen {
		if n > 1 {
			t.Errorf("account %s was seen %d times", id, n)
		}
	}
}

// TestPaging_Deleted: a walk goes on behind the record that its last page ended with when that has been deleted, also where ids are not
// in the order of creation, as those of creations at the same time may be.
func TestPaging_Deleted(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, indexes())
	co := company(t, s, "acme", 1)
	ids := []string{store.NewID(), store.NewID(), store.NewID(), store.NewID()}
	ids[1], ids[2] = ids[2], ids[1]
	for i, id := range ids {
		a := account(co, i)
		a.ID = id
		if _, err := s.WriteAccount(t.Context(), store.AccountWrite{After: a}); err != nil {
			t.Fatal(err)
		}
		g := store.Group{ID: id, Company: co, Name: id, Display: id, Created: start, Modified: start, Doc: []byte(`{}`)}
		if _, err := s.CreateGroup(t.Context(), g, nil, nil, nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	a, err := s.Account(t.Context(), co, ids[1])
	if err != nil {
		t.Fatal(err)
	}
	if err := s.DeleteAccount(t.Context(), store.AccountDelete{Before: a}); err != nil {
		t.Fatal(err)
	}
	if err := s.DeleteGroup(t.Context(), co, ids[1], 0, nil, nil); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir, indexes())
	users, err := s.ListAccounts(t.Context(), co, store.Query{After: ids[1], Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	groups, err := s.ListGroups(t.Context(), co, store.Query{After: ids[1], Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	if users.Accounts[0].ID != ids[2] || groups.Groups[0].ID != ids[2] {
		t.Errorf("behind the second: %s and %s, want %s", users.Accounts[0].ID, groups.Groups[0].ID, ids[2])
	}
}

// TestPaging_Large: a page is in memory as a whole, so it has a bound in bytes.
func TestPaging_Large(t *testing.T) {
	s := open(t, t.TempDir(), indexes())
	co := company(t, s, "acme", 1)
	for i := range 70 {
		a := account(co, i)
		a.Doc = []byte(`{"x":"` + strings.Repeat("x", 1<<20) + `"}`)
		if _, err := s.WriteAccount(t.Context(), store.AccountWrite{After: a}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.ListAccounts(t.Context(), co, store.Query{Limit: 100}); !errors.Is(err, store.ErrTooMany) {
		t.Errorf("70 MiB: %v", err)
	}
	if page, err := s.ListAccounts(t.Context(), co, store.Query{Limit: 60}); err != nil || len(page.Accounts) != 60 {
		t.Errorf("60 MiB: %d accounts, %v", len(page.Accounts), err)
	}
}

// TestPaging_Replaced: an account made after the last one was deleted is behind it, not in its place.
func TestPaging_Replaced(t *testing.T) {
	s := open(t, t.TempDir(), nil)
	co := company(t, s, "acme", 1)
	stored := fill(t, s, co, 3)
	page, err := s.ListAccounts(t.Context(), co, store.Query{Limit: 3})
	if err != nil || len(page.Accounts) != 3 {
		t.Fatal(page, err)
	}
	if err := s.DeleteAccount(t.Context(), store.AccountDelete{Before: stored[2]}); err != nil {
		t.Fatal(err)
	}
	made, err := s.WriteAccount(t.Context(), store.AccountWrite{After: account(co, 9)})
	if err != nil {
		t.Fatal(err)
	}
	for name, q := range map[string]store.Query{"after": {After: stored[2].ID, Limit: 3}, "offset": {Offset: 3, Limit: 3}} {
		page, err := s.ListAccounts(t.Context(), co, q)
		if err != nil || len(page.Accounts) != 1 || page.Accounts[0].ID != made.ID {
			t.Errorf("%s: %d accounts (%v), want the new one", name, len(page.Accounts), err)
		}
	}
}

// TestPaging_Adopted: an account that takes over a tombstone stands where the deleted one stood, so that after a deleted account
// the list goes on with the right one also when the place of that is no longer remembered.
func TestPaging_Adopted(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, nil)
	co := company(t, s, "acme", 1)
	people := fill(t, s, co, 10)
	var all []string
	for _, a := range people {
		all = append(all, a.ID)
	}
	group, err := s.CreateGroup(t.Context(), store.Group{ID: store.NewID(), Company: co, Name: "g", Doc: []byte("{}")}, all, nil, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	reopen := func() {
		t.Helper()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = open(t, dir, nil)
	}
	remove := func(i int, tomb *store.Tombstone) {
		t.Helper()
		a, err := s.Account(t.Context(), co, all[i])
		if err != nil {
			t.Fatal(err)
		}
		if err := s.DeleteAccount(t.Context(), store.AccountDelete{Before: a, Tombstone: tomb}); err != nil {
			t.Fatal(err)
		}
	}
	bury := func(i int) *store.Tombstone {
		t.Helper()
		tomb := &store.Tombstone{Company: co, Connection: "conn", ExternalID: all[i], ID: all[i], Created: people[i].Created, Deleted: start}
		remove(i, tomb)
		return tomb
	}
	adopt := func(i int, tomb *store.Tombstone) {
		t.Helper()
		if _, err := s.WriteAccount(t.Context(), store.AccountWrite{After: people[i], Adopt: tomb}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.ChangeGroup(t.Context(), store.GroupChange{Company: co, ID: group.ID, Members: store.MemberChange{Add: all[i : i+1]}}); err != nil {
			t.Fatal(err)
		}
	}
	adopt(3, bury(3))
	remove(4, nil)
	last := bury(9) // while it is away, others are made, also by a process that has not seen it
	reopen()
	made, err := s.WriteAccount(t.Context(), store.AccountWrite{After: account(co, 10)})
	if err != nil {
		t.Fatal(err)
	}
	adopt(9, last)
	reopen()

	for _, test := range []struct {
		after string
		want  []string
	}{
		{all[4], append(all[5:10:10], made.ID)},
		{all[3], append(all[5:10:10], made.ID)},
		{all[2], append([]string{all[3]}, append(all[5:10:10], made.ID)...)},
		{all[9], []string{made.ID}},
	} {
		page, err := s.ListAccounts(t.Context(), co, store.Query{After: test.after, Limit: 10})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, a := range page.Accounts {
			got = append(got, a.ID)
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("after %s: %v, want %v", test.after, got, test.want)
		}
		members, err := s.Members(t.Context(), co, group.ID, test.after, 10)
		if err != nil {
			t.Fatal(err)
		}
		got = nil
		for _, m := range members {
			got = append(got, m.ID)
		}
		if want := slices.DeleteFunc(slices.Clone(test.want), func(id string) bool { return id == made.ID }); !slices.Equal(got, want) {
			t.Errorf("members after %s: %v, want %v", test.after, got, want)
		}
	}
}

// TestPaging_Depth: the pages of a walk cost the same at its end as at its beginning, and a jump counts what it steps over.
func TestPaging_Depth(t *testing.T) {
	const n = 3000
	s := open(t, t.TempDir(), indexes())
	co := company(t, s, "acme", 1)
	fill(t, s, co, n)
	for offset := 0; offset < n; offset += 100 {
		page, err := s.ListAccounts(t.Context(), co, store.Query{Offset: offset, Limit: 100, Total: true})
		if err != nil || page.Total != n || page.RowsRead != 100 {
			t.Fatalf("offset %d: total %d, %d rows read, %v", offset, page.Total, page.RowsRead, err)
		}
	}
	page, err := s.ListAccounts(t.Context(), co, store.Query{Offset: 2950, Limit: 10})
	if err != nil || page.RowsRead != 2960 || page.Accounts[0].UserName != "person2950@example.com" {
		t.Errorf("a jump read %d rows, %v", page.RowsRead, err)
	}
}
