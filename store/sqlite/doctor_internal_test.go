package sqlite

import (
	"slices"
	"testing"
	"time"

	"usher/store"
	"usher/store/query"
)

// Examine finds what somebody else has done to the database, and nothing while nobody has.
func TestStore_Examine(t *testing.T) {
	for _, test := range []struct {
		name   string
		damage string
		want   []string // checks
	}{
		{"nothing", "UPDATE users SET ver = ver + 1", nil},
		{"a member gone", "DELETE FROM users WHERE un = 'plain'", []string{"companies", "index", "index", "members"}},
		{"a group gone", "DELETE FROM groups WHERE dn = 'all'", []string{"companies", "members", "members"}},
		{"a membership gone", "DELETE FROM members", []string{"members"}},
		{"a nested group gone", "DELETE FROM subgroups", []string{"members"}},
		{"a seat gone", "DELETE FROM seats", []string{"seats"}},
		{"a seat in another state", "UPDATE seats SET state = 'held'", []string{"seats"}},
		{"a seat of somebody else", "UPDATE users SET seat = NULL, sstate = NULL", []string{"seats"}},
		{"a pool that has lost count", "UPDATE pools SET active = active + 1", []string{"seats"}},
		{"a place in the queue gone", "DELETE FROM waiting", []string{"queue"}},
		{"another place in the queue", "UPDATE waiting SET prio = 7", []string{"queue"}},
		{"an entry of an index gone", "DELETE FROM attr WHERE v = CAST('plain' AS BLOB)", []string{"index"}},
		{"rows of no company", "UPDATE connections SET co = 99", []string{"companies"}},
		{"events of no company", "UPDATE events SET co = 99", []string{"companies"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := damaged(t, test.damage)
			found, err := s.Examine(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			var checks []string
			for _, f := range found {
				checks = append(checks, f.Check)
				if f.Note || f.Text == "" {
					t.Errorf("%+v", f)
				}
			}
			slices.Sort(checks)
			if !slices.Equal(checks, test.want) {
				t.Errorf("found %q, want %q: %+v", checks, test.want, found)
			}
		})
	}
}

// damaged gives a store with a little of everything, to which a statement was done.
func damaged(t *testing.T, statement string) *Store {
	t.Helper()
	s, err := Open(t.Context(), t.TempDir(), Options{Indexes: []query.Index{{Path: "displayName", Type: query.String, Fold: true}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	c, err := s.CreateCompany(t.Context(), store.Company{ID: store.NewID(), Name: "acme", Created: at}, []store.Pool{{License: "ringex", Total: 1}}, nil,
		[]store.Event{{Time: at, Action: "company.create"}})
	if err == nil {
		err = s.CreateConnection(t.Context(), store.Connection{ID: store.NewID(), Company: c.ID, Name: "okta", Created: at}, nil)
	}
	var ids []string
	for _, d := range []struct {
		name string
		store.Decision
	}{
		{"plain", store.Decision{LicenseState: store.StateNone}},
		{"seated", store.Decision{License: "ringex", LicenseState: store.StateActive, Seat: "ringex", SeatState: store.StateActive, SeatSince: at, Requested: at}},
		{"waiting", store.Decision{License: "ringex", LicenseState: store.StateWaiting, Requested: at}},
	} {
		a := store.Account{
			ID: store.NewID(), Company: c.ID, UserName: d.name, Active: true, Created: at, Modified: at, Doc: []byte(`{"displayName":"` + d.name + `"}`),
			Decision: d.Decision,
		}
		ids = append(ids, a.ID)
		if err == nil {
			_, err = s.WriteAccount(t.Context(), store.AccountWrite{After: a})
		}
	}
	inner := store.Group{ID: store.NewID(), Company: c.ID, Name: "inner", Created: at, Modified: at}
	if err == nil {
		_, err = s.CreateGroup(t.Context(), inner, nil, nil, nil, nil)
	}
	if err == nil {
		_, err = s.CreateGroup(t.Context(), store.Group{ID: store.NewID(), Company: c.ID, Name: "all", Created: at, Modified: at}, ids[:1], []string{inner.ID}, nil, nil)
	}
	if err == nil {
		err = s.write(t.Context(), func(tx *tx) error {
			n, err := tx.exec(statement)
			if err == nil && n == 0 {
				t.Error("the statement changed nothing")
			}
			return err
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}
