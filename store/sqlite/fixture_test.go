package sqlite_test

import (
	"encoding/json"
	"fmt"
	"os"
	"testing"
	"time"

	"usher/store"
	"usher/store/query"
	"usher/store/sqlite"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// indexes are over the documents that document makes.
func indexes() []query.Index {
	return []query.Index{
		{Path: "externalId", Type: query.String},
		{Path: "displayName", Type: query.String, Fold: true},
		{Path: "emails/value", Type: query.String, Fold: true},
		{Path: "name/familyName", Type: query.String, Fold: true},
		{Path: "active", Type: query.Boolean, Except: "1"},
		{Path: "level", Type: query.Integer},
	}
}

// open opens a store that is closed with the test.
func open(t testing.TB, dir string, indexes []query.Index) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), dir, sqlite.Options{Indexes: indexes})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

// company makes a company with seats and gives its id.
func company(t testing.TB, s *sqlite.Store, name string, seats int) string {
	t.Helper()
	c, err := s.CreateCompany(t.Context(), store.Company{ID: store.NewID(), Name: name, Created: start},
		[]store.Pool{{License: "video-pro-plus", Total: seats}}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c.ID
}

// account makes the i-th of a company's accounts; every tenth is inactive, and a family has four members.
func account(company string, i int) store.Account {
	doc, err := json.Marshal(map[string]any{
		"userName":    fmt.Sprintf("Person%d@example.com", i),
		"externalId":  fmt.Sprintf("00u%08d", i),
		"displayName": fmt.Sprintf("Person %d", i),
		"name":        map[string]string{"familyName": fmt.Sprintf("Family%d", i/4), "givenName": "Pat"},
		"emails":      []map[string]string{{"type": "work", "value": fmt.Sprintf("person%d@example.com", i)}, {"type": "home", "value": fmt.Sprintf("p%d@home.example", i)}},
		"active":      i%10 != 0,
		"level":       i % 7,
		"nickName":    fmt.Sprintf("nick%d", i%100),
		"title":       "a title that is there to give the document the length that documents have, about as much as this and twice more of it, which is what an IdP sends",
	})
	if err != nil {
		panic(err)
	}
	at := start.Add(time.Duration(i) * time.Second)
	return store.Account{
		ID: store.NewID(), Company: company, UserName: fmt.Sprintf("person%d@example.com", i), ExternalID: fmt.Sprintf("00u%08d", i),
		Connection: "conn", Display: fmt.Sprintf("Person %d", i), Active: i%10 != 0, Created: at, Modified: at,
		Doc: doc, Terms: query.Terms(doc, indexes()),
		Decision: store.Decision{LicenseState: store.StateNone, Effective: "video-pro", MemberType: "coworker", Role: "standard"},
	}
}

// fill stores n accounts and gives them as stored.
func fill(t testing.TB, s *sqlite.Store, company string, n int) []store.Account {
	t.Helper()
	stored := make([]store.Account, 0, n)
	for len(stored) < n {
		var ws []store.AccountWrite
		for i := len(stored); i < min(len(stored)+1000, n); i++ {
			ws = append(ws, store.AccountWrite{After: account(company, i)})
		}
		for _, r := range s.WriteAccounts(t.Context(), ws) {
			if r.Err != nil {
				t.Fatal(r.Err)
			}
			stored = append(stored, r.Account)
		}
	}
	return stored
}

// scale chooses between the sizes of a test.
func scale(ci, full int) int {
	if os.Getenv("USHER_SCALE") == "full" {
		return full
	}
	return ci
}

func event(action, target string) store.Event {
	return store.Event{Time: start, Kind: store.EventAccount, Action: action, Target: target, Actor: store.Actor{Kind: "operator", ID: "x"}}
}
