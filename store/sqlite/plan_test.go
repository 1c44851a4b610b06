package sqlite

import (
	"errors"
	"regexp"
	"testing"
	"time"

	"usher/store"
	"usher/store/query"
)

// TestStatements: no statement that an operation runs goes through a whole table that grows, whatever the count of rows read says.
func TestStatements(t *testing.T) {
	s := openInternal(t, t.TempDir(), Options{Indexes: []query.Index{{Path: "title", Type: query.String}}})
	company := newCompany(t, s)
	useEverything(t, s, company)
	reader, err := s.readers.take(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.readers.put(reader)
	// A scan is one of a table (j is the list that the caller gave); a search by the company alone is one of all that the company has. Groups and users under the name d
	// are searched so where a filter asks for a part of a name, which no index has.
	scan := regexp.MustCompile(`^SCAN (users|groups|attr|members|seats|waiting|events|tokens|tombstones|pools|sessions|session_tokens|sign_ins|logout_tokens|[a-ik-z])\b|^SEARCH ([tu]|users|groups|members|attr|sessions) .*\(co=\?\)$`)
	// Without a plan are transactions; Open, Check and CountSeats go through everything on purpose.
	skip := regexp.MustCompile(`^(BEGIN|COMMIT|ROLLBACK|SAVEPOINT|RELEASE)|FROM pools p\b|^SELECT count\(\*\) FROM users$|sum\(seat = `)
	check := func(c *conn) error {
		var texts []string
		for text := range c.stmts {
			texts = append(texts, text)
		}
		for _, text := range texts {
			if skip.MatchString(text) {
				continue
			}
			r := c.query("EXPLAIN QUERY PLAN "+text, make([]any, 40)...)
			for r.next() {
				if step := r.text(3); scan.MatchString(step) {
					t.Errorf("%s\nin %s", step, text)
				}
			}
			if r.err != nil {
				return r.err
			}
		}
		t.Logf("%d statements", len(texts))
		return nil
	}
	if err := check(reader); err != nil {
		t.Error(err)
	}
	onWriter(t, s, func(t *tx) error { return check(t.conn) })
}

func notFound(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}

// useEverything calls the operations once or more, so that each statement of theirs has been prepared.
func useEverything(t *testing.T, s *Store, company string) {
	t.Helper()
	ctx := t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	draft := store.Account{ID: "1", Company: company, UserName: "a", Doc: []byte(`{"userName":"a","title":"x"}`)}
	draft.Seat, draft.SeatState = "ringex", store.StateReserved
	a, err := s.WriteAccount(ctx, store.AccountWrite{After: draft, Events: []store.Event{{Action: "x"}}})
	must(err)
	after := a
	after.UserName, after.Doc, after.SeatState = "b", []byte(`{"userName":"b"}`), store.StateHeld
	a, err = s.WriteAccount(ctx, store.AccountWrite{Before: &a, After: after})
	must(err)
	after = a
	after.Seat, after.SeatState, after.License, after.LicenseState = "", "", "ringex", store.StateWaiting
	a, err = s.WriteAccount(ctx, store.AccountWrite{Before: &a, After: after})
	must(err)
	_, err = s.CreateGroup(ctx, store.Group{ID: "g", Company: company, Name: "g", Doc: []byte("{}")}, []string{"1"}, nil, &store.Sweep{ID: "s"}, nil)
	must(err)
	for _, c := range []store.MemberChange{{Remove: []string{"1"}}, {Add: []string{"1"}}, {Exactly: true}, {Exactly: true, Add: []string{"1"}}} {
		_, err = s.ChangeGroup(ctx, store.GroupChange{Company: company, ID: "g", Members: c, Group: &store.Group{Name: "h"}})
		must(err)
	}
	must(s.CreateRule(ctx, store.Rule{ID: "r", Company: company, Group: "g", License: "ringex"}, nil, nil))
	must(s.CreateConnection(ctx, store.Connection{ID: "c", Company: company, Name: "c"}, nil))
	session := store.Session{ID: "s", Company: company, Account: "1", Connection: "c", IDToken: "x"}
	_, err = s.OpenSession(ctx, store.SessionOpening{Session: session, Account: a})
	must(err)
	must(s.BeginSignIn(ctx, store.SignIn{Company: company, Connection: "c"}))
	must(s.CreateToken(ctx, store.Token{ID: "t", Company: company}, nil))

	leaf := func(path string, op query.Op, typ query.Type, fold bool, value string) query.Node {
		return query.Leaf{Path: path, Op: op, Type: typ, Fold: fold, Value: value}
	}
	now := query.FormatDateTime(time.Unix(0, 0))
	rest := leaf("nickName", query.Present, query.String, true, "")
	for op := query.Equal; op <= query.Present; op++ {
		for _, n := range []query.Node{
			leaf("userName", op, query.String, true, "b"), leaf("title", op, query.String, false, "x"), leaf(store.ColumnID, op, query.String, false, "1"),
			leaf(store.ColumnModified, op, query.DateTime, false, now), leaf(store.ColumnGroups, op, query.String, false, "g"),
			leaf("displayName", op, query.String, true, "b"), leaf("externalId", op, query.String, false, "b"), leaf(store.ColumnMembers, op, query.String, false, "1"),
			rest, nil,
		} {
			for _, q := range []store.Query{
				{Filter: n, Limit: 10, Total: true}, {Filter: n, Limit: 10, Offset: 5}, {Filter: n, Limit: 10, After: "0"}, {Filter: n, Limit: 10, After: "1"},
				{Filter: query.And{n, rest}, Limit: 10}, {Filter: query.And{n, n, query.Or{n, rest}}, Limit: 10},
			} {
				if n == nil && q.Filter != nil {
					continue
				}
				_, err := s.ListAccounts(ctx, company, q)
				must(err)
				_, err = s.ListGroups(ctx, company, q)
				must(err)
			}
		}
	}
	for _, read := range []func() error{
		func() error { _, err := s.Account(ctx, company, "1"); return err },
		func() error { _, err := s.AccountByUserName(ctx, company, "b"); return err },
		func() error { _, err := s.AccountsByID(ctx, company, []string{"1"}); return err },
		func() error { _, err := s.Token(ctx, [32]byte{}); return err },
		func() error { _, err := s.ListTokens(ctx, company); return err },
		func() error { _, err := s.ListConnections(ctx, company); return err },
		func() error { _, err := s.Group(ctx, company, "g"); return err },
		func() error { _, err := s.Members(ctx, company, "g", "", 10); return err },
		func() error { _, err := s.MembershipsOf(ctx, company, []string{"1"}); return err },
		func() error { _, err := s.Queue(ctx, company, "ringex", 10); return err },
		func() error { _, err := s.HeldSeats(ctx, company, "ringex", 10); return err },
		func() error { _, err := s.CountSeats(ctx, company, "ringex"); return err },
		func() error { _, err := s.ListPools(ctx, company); return err },
		func() error { _, err := s.ListEvents(ctx, company, 0, 10); return err },
		func() error { _, err := s.ListRules(ctx, company); return err },
		func() error { _, err := s.DropTombstones(ctx, time.Unix(0, 0)); return err },
		func() error { _, err := s.AccountByIdentity(ctx, company, "i", "s"); return notFound(err) },
		func() error { _, err := s.Session(ctx, [32]byte{}); return err },
		func() error { _, err := s.Presence(ctx, [32]byte{}); return err },
		func() error { return s.TouchSession(ctx, [32]byte{}, time.Unix(0, 0)) },
		func() error { _, err := s.ListSessions(ctx, company, "", "s", 10); return err },
		func() error { _, err := s.ListSessions(ctx, company, "1", "s", 10); return err },
		func() error { _, err := s.EndSession(ctx, [32]byte{}, nil); return err },
		func() error { _, err := s.DropSessions(ctx, time.Unix(0, 0)); return err },
		func() error {
			_, err := s.TakeSignIn(ctx, store.SignIn{Company: company, Connection: "c"}, time.Unix(0, 0))
			return err
		},
		func() error { _, err := s.DropSignIns(ctx, time.Unix(0, 0)); return err },
		func() error { _, err := s.SetSignOn(ctx, store.Connection{ID: "c", Company: company}, nil); return err },
		func() error { return s.Check(ctx) },
	} {
		must(read())
	}
	a, err = s.Account(ctx, company, "1")
	must(err)
	must(s.DeleteAccount(ctx, store.AccountDelete{Before: a, Tombstone: &store.Tombstone{ID: "1", ExternalID: "e", Deleted: time.Unix(5, 0)}}))
	tomb, err := s.NewestTombstone(ctx, company, "", "e", time.Unix(0, 0))
	must(err)
	a, err = s.WriteAccount(ctx, store.AccountWrite{After: draft, Adopt: &tomb})
	must(err)
	after = a
	after.Seat = "nobody has bought any"
	if _, err = s.WriteAccount(ctx, store.AccountWrite{Before: &a, After: after}); !errors.Is(err, store.ErrNoSeat) {
		t.Fatalf("a seat that is not there: %v", err)
	}
	must(s.UpdateConnection(ctx, store.Connection{ID: "c", Company: company}, store.Connection{}, nil))
	must(s.DeleteGroup(ctx, company, "g", 0, nil, nil))
	must(s.DeleteRule(ctx, company, "r", nil, nil))
	must(s.DeleteToken(ctx, company, "t", nil))
	for _, which := range []store.SessionFilter{{Account: "1"}, {Account: "1", ID: "s"}, {Connection: "c", Subject: "x"}, {Connection: "c", Provider: "x"}, {Connection: "c", Subject: "x", Provider: "x"}, {ID: "s"}} {
		_, err := s.EndSessions(ctx, company, which, nil)
		must(err)
		_, _, err = s.EndSessionsOnce(ctx, company, store.LogoutToken{Connection: "c", ID: which.ID}, which, nil)
		must(err)
	}
}
