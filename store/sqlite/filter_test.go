package sqlite_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"usher/store"
	"usher/store/query"
	"usher/store/sqlite"
)

// eq is a comparison of a folded string.
func eq(path, value string) query.Leaf {
	return query.Leaf{Path: path, Op: query.Equal, Type: query.String, Fold: true, Value: value}
}

// TestRowsRead: what an index answers does not grow with the company.
func TestRowsRead(t *testing.T) {
	n := scale(20_000, 100_000)
	s := open(t, t.TempDir(), indexes())
	co := company(t, s, "acme", 10)
	fill(t, s, co, n)
	at := n - 7
	leaf := func(path string, op query.Op, typ query.Type, fold bool, value string) query.Leaf {
		return query.Leaf{Path: path, Op: op, Type: typ, Fold: fold, Value: value}
	}
	family := eq("name/familyName", fmt.Sprintf("family%d", at/4))
	for name, test := range map[string]struct {
		filter query.Node
		total  int
	}{
		"userName eq":          {eq("userName", fmt.Sprintf("person%d@example.com", at)), 1},
		"userName sw":          {leaf("userName", query.StartsWith, query.String, true, fmt.Sprintf("person%d@", at)), 1},
		"userName eq, nobody":  {eq("userName", "nobody"), 0},
		"externalId eq":        {leaf("externalId", query.Equal, query.String, false, fmt.Sprintf("00u%08d", at)), 1},
		"externalId sw":        {leaf("externalId", query.StartsWith, query.String, false, fmt.Sprintf("00u%08d", at)[:10]), 10},
		"emails.value eq":      {eq("emails/value", fmt.Sprintf("p%d@home.example", at)), 1},
		"emails.value sw":      {leaf("emails/value", query.StartsWith, query.String, true, fmt.Sprintf("p%d@", at)), 1},
		"emails[type, value]":  {query.Element{Path: "emails", Cond: query.And{eq("type", "home"), eq("value", fmt.Sprintf("p%d@home.example", at))}}, 1},
		"displayName eq":       {eq("displayName", fmt.Sprintf("person %d", at)), 1},
		"displayName sw":       {leaf("displayName", query.StartsWith, query.String, true, fmt.Sprintf("person %d", at)), 1},
		"family eq":            {family, 4},
		"family and active":    {query.And{leaf("active", query.Equal, query.Boolean, false, "1"), family}, 4},
		"inactive and family":  {query.And{leaf("active", query.Equal, query.Boolean, false, "0"), family}, 0},
		"level and family":     {query.And{leaf("level", query.Equal, query.Integer, false, canonical(query.Integer, fmt.Sprint(at%7))), family}, 1},
		"unindexed and family": {query.And{eq("nickName", fmt.Sprintf("nick%d", at%100)), family}, 1},
		"or of two":            {query.Or{family, eq("userName", "person5@example.com")}, 5},
		"id eq and active":     {query.And{leaf("active", query.Equal, query.Boolean, false, "0"), leaf(store.ColumnID, query.Equal, query.String, false, "no such id")}, 0},
		"modified gt":          {leaf(store.ColumnModified, query.Greater, query.DateTime, false, query.FormatDateTime(start.Add(time.Duration(at)*time.Second))), 6},
	} {
		t.Run(name, func(t *testing.T) {
			before := s.RowsRead()
			page, err := s.ListAccounts(t.Context(), co, store.Query{Filter: test.filter, Limit: 100, Total: true})
			if err != nil {
				t.Fatal(err)
			}
			if page.Total != test.total || len(page.Accounts) != test.total {
				t.Errorf("total %d and %d accounts, want %d", page.Total, len(page.Accounts), test.total)
			}
			if page.RowsRead >= 50 {
				t.Errorf("read %d rows of %d accounts", page.RowsRead, n)
			}
			if d := s.RowsRead() - before; d != int64(page.RowsRead) {
				t.Errorf("the store counted %d rows, the page %d", d, page.RowsRead)
			}
		})
	}
}

// TestMemberRowsRead looks members up in a group of all: however many there are, it is about one row.
func TestMemberRowsRead(t *testing.T) {
	n := scale(3000, 100_000)
	s := open(t, t.TempDir(), indexes())
	co := company(t, s, "acme", 10)
	all := fill(t, s, co, n)
	ids := make([]string, n)
	for i, a := range all {
		ids[i] = a.ID
	}
	for _, g := range []store.Group{{ID: "everybody", Name: "e"}, {ID: "few", Name: "f"}} {
		g.Company, g.Doc = co, []byte("{}")
		if g.ID == "few" {
			ids = ids[:3]
		}
		if _, err := s.CreateGroup(t.Context(), g, ids, nil, nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	is := func(path, value string) query.Leaf {
		return query.Leaf{Path: path, Op: query.Equal, Type: query.String, Value: value}
	}
	last := is(store.ColumnMembers, all[n-1].ID)
	for name, test := range map[string]struct {
		filter query.Node
		total  int
	}{
		"a member":                   {last, 1},
		"a member of a group":        {query.And{is(store.ColumnID, "everybody"), last}, 1},
		"no member of a group":       {query.And{is(store.ColumnID, "few"), last}, 0},
		"all but those of a group":   {query.And{is(store.ColumnID, "everybody"), query.Not{Node: last}}, 0},
		"a member by name and value": {query.And{last, query.Not{Node: is(store.ColumnID, "few")}}, 1},
	} {
		page, err := s.ListGroups(t.Context(), co, store.Query{Filter: test.filter, Limit: 10, Total: true})
		if err != nil {
			t.Fatal(err)
		}
		if page.Total != test.total || page.RowsRead > 5 {
			t.Errorf("%s: %d groups, %d rows read of %d members; want %d groups", name, page.Total, page.RowsRead, n, test.total)
		}
	}
	for name, filter := range map[string]query.Node{
		"a group": query.And{is(store.ColumnID, all[0].ID), is(store.ColumnGroups, "everybody")},
	} {
		page, err := s.ListAccounts(t.Context(), co, store.Query{Filter: filter, Limit: 10, Total: true})
		if err != nil {
			t.Fatal(err)
		}
		if page.Total != 1 || page.RowsRead > 5 {
			t.Errorf("%s: %d accounts, %d rows read", name, page.Total, page.RowsRead)
		}
	}
}

func canonical(typ query.Type, literal string) string {
	v, err := query.Canonical(typ, false, literal)
	if err != nil {
		panic(err)
	}
	return v
}

// TestFilters_Judge: SQL and the judge agree on random filters over random accounts.
func TestFilters_Judge(t *testing.T) {
	rounds, perRound := scale(10, 40), 250
	for round := range rounds {
		t.Run(fmt.Sprint(round), func(t *testing.T) {
			r := &random{rand.New(rand.NewPCG(uint64(round), 7))}
			s := open(t, t.TempDir(), indexes())
			co, foreign := company(t, s, "acme", 10), company(t, s, "other", 10)
			accounts := r.fill(t, s, co, 60)
			r.fill(t, s, foreign, 20)
			groups := r.groups(t, s, co, accounts)
			for range perRound {
				r.check(t, s, co, accounts, groups, r.node(4))
			}
		})
	}
}

type random struct{ *rand.Rand }

func (r *random) pick(of ...string) string { return of[r.IntN(len(of))] }

var words = []string{"", "a", "ab", "abc", "b", "ba", "Ab", "ä", "Ä", "%", "_", "a_", "a%b", "\x00", "\U0010FFFF", "'"}

func (r *random) fill(t *testing.T, s *sqlite.Store, co string, n int) []store.Account {
	t.Helper()
	var all []store.Account
	for i := range n {
		a := account(co, i)
		a.UserName = fmt.Sprintf("%s%d", query.Fold(r.pick("a", "ab", "b", "Ä")), i)
		long := ""
		for range r.IntN(2) * r.IntN(2) * 520 {
			long += "a"
		}
		a.Doc = fmt.Appendf(nil, `{"userName":%q,"externalId":%q,"displayName":%q,"emails":[{"type":%q,"value":%q},{"type":%q,"value":%q}],"active":%t,"level":%d}`,
			a.UserName, r.pick("a", "A", "ab", "b"), long+r.pick("a", "Ab", "ä", "Ä", "%", "a%b", "'"), r.pick("work", "home"), r.pick("a", "ab", "b"),
			r.pick("work", "home"), r.pick("a", "ab", "", "_"), r.IntN(2) == 0, r.IntN(5))
		a.Terms = nil
		a.Modified = start.Add(time.Duration(r.IntN(5)) * time.Millisecond)
		a.Effective, a.MemberType = r.pick("video-pro", "video-pro-plus"), r.pick("coworker", "guest", "")
		if r.IntN(3) == 0 {
			a.Sources = []store.Source{{Kind: "group", Ref: r.pick("a", "b"), License: "video-pro-plus", At: start}, {Kind: "pin", License: "ringex", At: start}}
		}
		stored, err := s.WriteAccount(t.Context(), store.AccountWrite{After: a})
		if err != nil {
			t.Fatal(err)
		}
		if r.IntN(4) == 0 { // so that rows of the index have come and gone
			b := account(co, i)
			b.ID, b.Terms, b.Effective = a.ID, nil, r.pick("video-pro", "video-pro-plus")
			b.UserName = stored.UserName
			b.Doc = fmt.Appendf(nil, `{"userName":%q,"externalId":%q,"level":%d}`, b.UserName, r.pick("a", "b"), r.IntN(5))
			if stored, err = s.WriteAccount(t.Context(), store.AccountWrite{Before: &stored, After: b}); err != nil {
				t.Fatal(err)
			}
		}
		all = append(all, stored)
	}
	return all
}

// groups makes groups of some accounts and gives the groups of each account.
func (r *random) groups(t *testing.T, s *sqlite.Store, co string, accounts []store.Account) map[string][]string {
	t.Helper()
	of := make(map[string][]string)
	for i := range 3 {
		g := store.Group{ID: fmt.Sprintf("group%d", i), Company: co, Name: fmt.Sprint(i), Created: start, Modified: start, Doc: []byte("{}")}
		var members []string
		for _, a := range accounts {
			if r.IntN(3) == 0 {
				members = append(members, a.ID)
				of[a.ID] = append(of[a.ID], g.ID)
			}
		}
		if _, err := s.CreateGroup(t.Context(), g, members, nil, nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	return of
}

// record is an account as the judge sees it.
type record struct {
	store.Account
	groups []string
}

func (r *record) Column(path string) []string {
	if path == store.ColumnGroups {
		return r.groups
	}
	return r.Account.Column(path)
}

func (r *random) check(t *testing.T, s *sqlite.Store, co string, accounts []store.Account, groups map[string][]string, filter query.Node) {
	t.Helper()
	judge := query.Compile(filter)
	var want []string
	for _, a := range accounts {
		if judge.Match(&record{a, groups[a.ID]}) {
			want = append(want, a.UserName)
		}
	}
	total := len(want)
	q := store.Query{Filter: filter, Limit: 1 + r.IntN(20), Total: r.IntN(2) == 0}
	if r.IntN(2) == 0 {
		q.Offset = r.IntN(10)
	}
	if r.IntN(3) == 0 {
		at := r.IntN(len(accounts))
		q.After = accounts[at].ID
		want = slices.DeleteFunc(want, func(name string) bool {
			return slices.IndexFunc(accounts, func(a store.Account) bool { return a.UserName == name }) <= at
		})
	}
	want = want[min(q.Offset, len(want)):]
	want = want[:min(q.Limit, len(want))]
	page, err := s.ListAccounts(t.Context(), co, q)
	if err != nil {
		t.Fatalf("%#v: %v", filter, err)
	}
	var got []string
	for _, a := range page.Accounts {
		got = append(got, a.UserName)
	}
	if !q.Total {
		total = -1
	}
	if !slices.Equal(got, want) || page.Total != total {
		t.Fatalf("filter %#v\nquery %+v\ngot  %d %q\nwant %d %q", filter, q, page.Total, got, total, want)
	}
}

func (r *random) node(depth int) query.Node {
	if depth == 0 || r.IntN(3) == 0 {
		return r.leaf()
	}
	some := func() (nodes []query.Node) {
		for range r.IntN(4) {
			nodes = append(nodes, r.node(depth-1))
		}
		return nodes
	}
	switch r.IntN(5) {
	case 0, 1:
		return query.And(some())
	case 2, 3:
		return query.Or(some())
	default:
		return query.Not{Node: r.node(depth - 1)}
	}
}

func (r *random) leaf() query.Node {
	op := query.Op(1 + r.IntN(int(query.Present)))
	text := func(path string, fold bool) query.Node {
		v := r.pick(words...)
		for range r.IntN(2) * r.IntN(2) * 520 {
			v = "a" + v
		}
		if fold {
			v = query.Fold(v)
		}
		return query.Leaf{Path: path, Op: op, Type: query.String, Fold: fold, Value: v}
	}
	switch r.IntN(14) {
	case 0:
		return text("userName", true)
	case 1:
		return text("externalId", false)
	case 2, 3:
		return text("displayName", true)
	case 4:
		return text("emails/value", true)
	case 5:
		return query.Element{Path: "emails", Cond: query.And{eq("type", r.pick("work", "home")), text("value", true)}}
	case 6:
		return query.Leaf{Path: "active", Op: query.Equal, Type: query.Boolean, Value: r.pick("0", "1")}
	case 7:
		return query.Leaf{Path: "level", Op: op, Type: query.Integer, Value: canonical(query.Integer, fmt.Sprint(r.IntN(6)))}
	case 8:
		at := start.Add(time.Duration(r.IntN(12)) * 500 * time.Microsecond)
		return query.Leaf{Path: store.ColumnModified, Op: op, Type: query.DateTime, Value: query.FormatDateTime(at)}
	case 9:
		return query.Leaf{Path: store.ColumnGroups, Op: op, Type: query.String, Value: r.pick("group0", "group1", "group", "none")}
	case 10:
		return query.Element{Path: store.ColumnGroups, Cond: query.Leaf{Path: "value", Op: query.Equal, Type: query.String, Value: r.pick("group0", "none")}}
	case 11:
		return query.Leaf{Path: store.ColumnEffective, Op: op, Type: query.String, Fold: true, Value: r.pick("video-pro", "video-pro-plus")}
	case 12:
		return query.Leaf{Path: store.ColumnMemberType, Op: op, Type: query.String, Fold: true, Value: r.pick("guest", "coworker", "")}
	default:
		return query.Leaf{Path: store.ColumnSourceRef, Op: op, Type: query.String, Value: r.pick("a", "b", "")}
	}
}
