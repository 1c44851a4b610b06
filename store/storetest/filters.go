package storetest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"usher/store"
	"usher/store/query"
)

// attribute is something that a random filter asks about.
type attribute struct {
	path   string
	typ    query.Type
	fold   bool
	values []string // literals, as query.Canonical takes them
}

// awkward are strings that engines get wrong: cases, foldings that change the length, what is special in patterns, and prefixes.
func awkward() []string {
	return []string{
		"Jensen", "jensen", "JENSEN", "Straße", "STRASSE", "ſtraße", "İstanbul", "ΣΊΣΥΦΟΣ", "σίσυφος", "e\u0301lan", "élan", "日本", "🎟",
		"O'Brien", `say "hi"`, "100%", "100x", "a_b", "axb", `a\b`, ".*", "^a$", "[a]", "a", "ab", "abc", "abd", "b", " ", "", "\u0001",
		strings.Repeat("long ", 120), strings.Repeat("long ", 120) + "er", strings.Repeat("long ", 120) + "er still",
	}
}

func accountAttributes(f *fixture, groups []string) []attribute {
	times := []string{"2026-01-02T03:04:05Z", "2026-01-02T04:04:05+01:00", "2025-12-31T23:59:59.999Z", "2030-01-01T00:00:00Z"}
	marks := []string{query.FormatDateTime(f.now()), query.FormatDateTime(f.now().Add(-time.Second)), "2026-01-02T03:04:05.010Z"}
	return []attribute{
		{"userName", query.String, true, []string{"user-1", "USER-2", "user", "r-1", "nobody"}},
		{"externalId", query.String, false, awkward()},
		{"displayName", query.String, true, awkward()},
		{"name/familyName", query.String, true, awkward()},
		{"name/givenName", query.String, true, awkward()},
		{"emails/value", query.String, true, awkward()},
		{"emails/type", query.String, true, []string{"work", "HOME", "other"}},
		{"emails/primary", query.Boolean, false, []string{"true", "false"}},
		{"tags", query.String, true, awkward()},
		{"active", query.Boolean, false, []string{"true", "false"}},
		{"level", query.Integer, false, []string{"-5", "0", "3", "7", "1000000"}},
		{"hired", query.DateTime, false, times},
		{"left", query.DateTime, false, times},
		{"absent", query.String, true, awkward()},
		{store.ColumnID, query.String, false, []string{store.NewID()}},
		{store.ColumnCreated, query.DateTime, false, marks},
		{store.ColumnModified, query.DateTime, false, marks},
		{store.ColumnVersion, query.String, false, []string{"1.0", "1.1", "2.0"}},
		{store.ColumnEffective, query.String, true, []string{"video-pro", "Video-Pro-Plus", "ringex"}},
		{store.ColumnLicenseState, query.String, true, []string{"none", "Waiting", "active"}},
		{store.ColumnReason, query.String, true, []string{"guest", "waiting_for_seat"}},
		{store.ColumnMemberType, query.String, true, []string{"coworker", "Guest"}},
		{store.ColumnRole, query.String, true, []string{"standard", "user-admin"}},
		{store.ColumnSourceRef, query.String, false, []string{"r-1", "r-2", "R-1"}},
		{store.ColumnRequest, query.String, false, []string{pro, other}},
		{store.ColumnUntil, query.DateTime, false, append([]string{query.FormatDateTime(f.now().Add(time.Hour))}, marks...)},
		{store.ColumnSource, query.String, true, []string{"license:" + pro, "group-rule:" + other}},
		{store.ColumnGroups, query.String, false, append([]string{store.NewID()}, groups...)},
	}
}

func pick[T any](r *rand.Rand, of []T) T { return of[r.IntN(len(of))] }

// randomLeaf makes a comparison that makes sense for its type. Now and then it is told apart by case otherwise than the index is.
func randomLeaf(r *rand.Rand, attributes []attribute) query.Leaf {
	a := pick(r, attributes)
	ops := []query.Op{query.Equal, query.Equal, query.Equal, query.Present}
	switch a.typ {
	case query.String:
		ops = append(ops, query.Contains, query.StartsWith, query.EndsWith, query.Greater, query.GreaterEqual, query.Less, query.LessEqual)
	case query.Integer, query.DateTime:
		ops = append(ops, query.Greater, query.GreaterEqual, query.Less, query.LessEqual)
	}
	leaf := query.Leaf{Path: a.path, Op: pick(r, ops), Type: a.typ, Fold: a.fold}
	if a.typ == query.String && r.IntN(10) == 0 && !strings.HasPrefix(a.path, "@") {
		leaf.Fold = !leaf.Fold
	}
	literal := pick(r, a.values)
	if leaf.Op == query.Contains || leaf.Op == query.StartsWith || leaf.Op == query.EndsWith {
		runes := []rune(literal)
		from := r.IntN(len(runes) + 1)
		literal = string(runes[from : from+r.IntN(len(runes)-from+1)])
	}
	value, err := query.Canonical(leaf.Type, leaf.Fold, literal)
	if err != nil {
		panic(fmt.Sprintf("the suite's literal %q: %v", literal, err))
	}
	if leaf.Op != query.Present {
		leaf.Value = value
	}
	return leaf
}

func randomTree(r *rand.Rand, attributes, elements []attribute, depth int) query.Node {
	if depth > 0 {
		switch r.IntN(8) {
		case 0, 1:
			return query.And(randomTrees(r, attributes, elements, depth-1))
		case 2, 3:
			return query.Or(randomTrees(r, attributes, elements, depth-1))
		case 4:
			return query.Not{Node: randomTree(r, attributes, elements, depth-1)}
		case 5:
			if elements != nil {
				return query.Element{Path: "emails", Cond: randomTree(r, elements, nil, depth-1)}
			}
		}
	}
	return randomLeaf(r, attributes)
}

func randomTrees(r *rand.Rand, attributes, elements []attribute, depth int) []query.Node {
	var all []query.Node
	for range r.IntN(4) {
		all = append(all, randomTree(r, attributes, elements, depth))
	}
	return all
}

func emailAttributes() []attribute {
	return []attribute{
		{"value", query.String, true, awkward()},
		{"type", query.String, true, []string{"work", "home"}},
		{"primary", query.Boolean, false, []string{"true", "false"}},
	}
}

// randomAccount fills in what filters ask about; each attribute may be absent.
func (f *fixture) randomAccount(r *rand.Rand, a store.Account, name string) store.Account {
	doc := map[string]any{"userName": name}
	some := func(path string, value any) {
		if r.IntN(4) > 0 {
			doc[path] = value
		}
	}
	strange := awkward()
	some("externalId", pick(r, strange))
	some("displayName", pick(r, strange))
	some("name", map[string]any{"familyName": pick(r, strange), "givenName": pick(r, strange)})
	var emails []any
	for range r.IntN(4) {
		emails = append(emails, map[string]any{"value": pick(r, strange), "type": pick(r, []string{"work", "Home"}), "primary": r.IntN(2) == 0})
	}
	some("emails", emails)
	some("tags", []any{pick(r, strange), pick(r, strange)})
	some("active", r.IntN(4) > 0)
	some("level", pick(r, []int{-5, 0, 3, 7, 8}))
	some("hired", pick(r, []string{"2026-01-02T03:04:05Z", "2025-12-31T23:59:59.999Z"}))
	some("left", pick(r, []string{"2026-01-02T04:04:05+01:00", "2030-01-01T00:00:00Z"}))
	a = f.document(a, doc)
	a.Decision = store.Decision{
		Effective:    pick(r, []string{"video-pro", "video-pro", "video-pro-plus", "ringex"}),
		LicenseState: pick(r, []string{store.StateNone, store.StateNone, store.StateWaiting, store.StateBlocked}),
		MemberType:   pick(r, []string{"coworker", "coworker", "guest"}),
		Role:         pick(r, []string{"standard", "user-admin", ""}),
	}
	a.LicenseReason = map[string]string{store.StateWaiting: "waiting_for_seat", store.StateBlocked: "guest"}[a.LicenseState]
	if a.LicenseState != store.StateNone {
		a.License = pick(r, []string{pro, other})
	}
	for range r.IntN(3) {
		a.Sources = append(a.Sources, store.Source{
			Kind: pick(r, []string{"license", "group-rule"}), Ref: pick(r, []string{"", "r-1", "r-2"}), License: pick(r, []string{pro, other}), At: a.Created,
			Approved: r.IntN(2) == 0, Refused: r.IntN(4) == 0, Until: pick(r, []time.Time{{}, a.Created.Add(time.Hour), a.Created.Add(time.Minute)}),
		})
	}
	return a
}

// accountRecordOf is an account as the judge sees it.
type accountRecordOf struct {
	*store.Account
	groups []string
}

func (r accountRecordOf) Column(path string) []string {
	if path == store.ColumnGroups {
		return r.groups
	}
	return r.Account.Column(path)
}

type groupRecordOf struct {
	*store.Group
	members []string
}

func (r groupRecordOf) Column(path string) []string {
	if path == store.ColumnMembers {
		return r.members
	}
	return r.Group.Column(path)
}

// compareLists asks for pages of random filters, some at offsets up to the one given, and holds each against what the judge says of all
// records.
func compareLists(t *testing.T, r *rand.Rand, rounds, offset int, tree func() query.Node, records []query.Record, id func(query.Record) string,
	list func(q store.Query) (ids []string, total int, err error),
) {
	t.Helper()
	for range rounds {
		q := store.Query{Filter: tree(), Limit: pick(r, []int{0, 1, 10, 100_000, 100_000}), Total: r.IntN(2) == 0}
		if r.IntN(3) == 0 {
			q.Offset = r.IntN(offset + 1)
		}
		if r.IntN(4) == 0 && len(records) > 0 {
			q.After = id(pick(r, records))
		}
		judge, total, skip, after := query.Compile(q.Filter), 0, q.Offset, q.After == ""
		var want []string
		for _, record := range records {
			matches := judge.Match(record)
			if matches {
				total++
			}
			if after && matches {
				if skip > 0 {
					skip--
				} else if len(want) < q.Limit {
					want = append(want, id(record))
				}
			}
			after = after || id(record) == q.After
		}
		if !q.Total {
			total = -1
		}
		got, gotTotal, err := list(q)
		if err != nil {
			t.Fatalf("%#v: %v", q, err)
		}
		if !slices.Equal(got, want) || gotTotal != total {
			t.Fatalf("%#v: total %d, want %d (-want +got):\n%s", q, gotTotal, total, cmp.Diff(want, got))
		}
	}
}

// compareAccounts holds lists of accounts against the judge.
func (f *fixture) compareAccounts(r *rand.Rand, rounds, offset int, groups []string) {
	f.Helper()
	all := f.everybody()
	of, err := f.MembershipsOf(f.ctx, f.company, ids(all, accountID))
	f.check(err)
	var records []query.Record
	for i := range all {
		records = append(records, accountRecordOf{&all[i], ids(of[all[i].ID], func(m store.Membership) string { return m.Group })})
	}
	attributes := accountAttributes(f, groups)
	for i := range attributes {
		if attributes[i].path == store.ColumnID && len(all) > 1 {
			attributes[i].values = append(attributes[i].values, all[0].ID, all[1].ID)
		}
	}
	tree := func() query.Node { return randomTree(r, attributes, emailAttributes(), 4) }
	compareLists(f.T, r, rounds, offset, tree, records, func(r query.Record) string { return r.(accountRecordOf).ID },
		func(q store.Query) ([]string, int, error) {
			page, err := f.ListAccounts(f.ctx, f.company, q)
			return ids(page.Accounts, accountID), page.Total, err
		})
}

// seed is fixed: a failure comes again.
func seed() *rand.Rand { return rand.New(rand.NewPCG(7, 644)) }

func testAccountFilters(f *fixture) {
	r := seed()
	var drafts []store.Account
	for i := range size(150, 2000) {
		drafts = append(drafts, f.randomAccount(r, f.draft("x"), fmt.Sprintf("User-%d", i)))
	}
	people := f.createAll(drafts)
	elsewhere := f.newCompany("globex").ID
	for i := range drafts[:20] { // must not show
		drafts[i].ID, drafts[i].Company = store.NewID(), elsewhere
	}
	f.createAll(drafts[:20])
	groups := []string{f.createGroup("one", people[1].ID, people[5].ID).ID, f.createGroup("two", people[5].ID).ID, f.createGroup("three").ID}
	f.same("everybody", ids(f.everybody(), accountID), ids(people, accountID))
	f.compareAccounts(r, size(600, 10_000), 19, groups)
}

// testFiltersFollow checks that lists follow every kind of change, as the indexes must.
func testFiltersFollow(f *fixture) {
	r := seed()
	for i := range 30 {
		f.create(f.randomAccount(r, f.draft("x"), fmt.Sprintf("user-%d", i)))
	}
	for round := range size(8, 100) {
		people := f.everybody()
		for i := range 5 {
			a := pick(r, people) // who was drawn before may be gone
			switch i {
			case 0:
				if a, err := f.Account(f.ctx, f.company, a.ID); err == nil {
					f.check(f.DeleteAccount(f.ctx, store.AccountDelete{Before: a}))
				}
			case 1:
				f.create(f.randomAccount(r, f.draft("x"), fmt.Sprintf("user-%d-%d", round, i)))
			case 2: // written back with the document that was read: it is found as before
				if a, err := f.Account(f.ctx, f.company, a.ID); err == nil {
					f.change(a, func(a *store.Account) { a.Epoch++ })
				}
			default:
				if a, err := f.Account(f.ctx, f.company, a.ID); err == nil {
					f.change(a, func(a *store.Account) { *a = f.randomAccount(r, *a, a.UserName) })
				}
			}
		}
		// Without offsets: whoever goes on where a page has ended is to miss nothing, whatever was deleted before it.
		f.compareAccounts(r, 40, 0, nil)
	}
}

func testGroupFilters(f *fixture) {
	r := seed()
	people := ids(f.people(20, "p"), accountID)
	var records []query.Record
	var groupIDs []string
	for i := range size(60, 500) {
		g := f.newGroup(fmt.Sprintf("%s %d", pick(r, awkward()), i))
		doc := map[string]any{"displayName": g.Display}
		if r.IntN(2) == 0 {
			g.ExternalID = pick(r, []string{"e-1", "E-1", "e-2"})
			doc["externalId"] = g.ExternalID
		}
		if r.IntN(2) == 0 {
			doc["note"] = pick(r, awkward())
		}
		g.Doc = f.encode(doc)
		var members []string
		for _, id := range people {
			if r.IntN(8) == 0 {
				members = append(members, id)
			}
		}
		stored, err := f.CreateGroup(f.ctx, g, members, nil, nil, nil)
		f.check(err)
		records = append(records, groupRecordOf{&stored, members})
		groupIDs = append(groupIDs, stored.ID)
	}
	marks := []string{query.FormatDateTime(f.now()), query.FormatDateTime(f.now().Add(-30 * time.Millisecond))}
	attributes := []attribute{
		{"displayName", query.String, true, append(awkward(), "Jensen 1", "a 2")},
		{"externalId", query.String, false, []string{"e-1", "E-1", "e-3"}},
		{"note", query.String, true, awkward()},
		{store.ColumnID, query.String, false, groupIDs[:3]},
		{store.ColumnCreated, query.DateTime, false, marks},
		{store.ColumnModified, query.DateTime, false, marks},
		{store.ColumnVersion, query.String, false, []string{"1", "2"}},
		{store.ColumnMembers, query.String, false, append(people, store.NewID())},
	}
	tree := func() query.Node {
		if r.IntN(10) == 0 { // the other way to ask for a member
			return query.Element{Path: store.ColumnMembers, Cond: query.Leaf{Path: "value", Op: query.Equal, Type: query.String, Value: pick(r, people)}}
		}
		return randomTree(r, attributes, nil, 3)
	}
	compareLists(f.T, r, size(300, 5000), 19, tree, records, func(r query.Record) string { return r.(groupRecordOf).ID },
		func(q store.Query) ([]string, int, error) {
			page, err := f.ListGroups(f.ctx, f.company, q)
			return ids(page.Groups, func(g store.Group) string { return g.ID }), page.Total, err
		})
}

func testBudget(f *fixture) {
	var drafts []store.Account
	for i := range 200 {
		drafts = append(drafts, f.document(f.draft("x"), map[string]any{"userName": fmt.Sprintf("u%d", i), "externalId": fmt.Sprintf("e%d", i)}))
	}
	people := f.createAll(drafts)
	equal := func(path, value string) query.Node {
		return query.Leaf{Path: path, Op: query.Equal, Type: query.String, Value: value}
	}
	for _, c := range []struct {
		what string
		q    store.Query
		want error
	}{
		{"a scan", store.Query{Filter: equal("title", "none"), Limit: 10, Budget: 50}, store.ErrTooMany},
		{"a count by scan", store.Query{Filter: equal("title", "none"), Total: true, Budget: 199}, store.ErrTooMany},
		{"a scan within budget", store.Query{Filter: equal("title", "none"), Limit: 10, Total: true, Budget: 1000}, nil},
		{"a scan without limit", store.Query{Filter: equal("title", "none"), Limit: 10, Total: true}, nil},
		{"a lookup in an index", store.Query{Filter: equal("externalId", "e150"), Limit: 10, Total: true, Budget: 50}, nil},
		{"a page", store.Query{Limit: 10, Budget: 50}, nil},
	} {
		page, err := f.ListAccounts(f.ctx, f.company, c.q)
		f.want(c.what, err, c.want)
		if err == nil && c.q.Budget > 0 && page.RowsRead > c.q.Budget {
			f.Errorf("%s: %d rows read with a budget of %d", c.what, page.RowsRead, c.q.Budget)
		}
	}
	page, err := f.ListAccounts(f.ctx, f.company, store.Query{Filter: equal("externalId", "e150"), Limit: 10, Total: true, Budget: 50})
	f.check(err)
	f.same("found", ids(page.Accounts, accountID), []string{people[150].ID})

	for i := range 60 {
		f.createGroup(fmt.Sprintf("g%d", i))
	}
	_, err = f.ListGroups(f.ctx, f.company, store.Query{Filter: equal("note", "none"), Limit: 10, Budget: 20})
	f.want("a scan of groups", err, store.ErrTooMany)
	_, err = f.ListGroups(f.ctx, f.company, store.Query{Filter: equal("note", "none"), Limit: 10, Budget: 100})
	f.want("a scan of groups within budget", err, nil)
}
