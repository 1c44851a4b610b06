package scimtest

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"usher/scim/schema"
	"usher/store"
	"usher/store/mongo"
	"usher/store/sqlite"
)

// holding is what an event of the ledger says of a person's license, before it or after it.
type holding struct{ License, State, Reason, Effective, Seat, SeatState string }

// nothing is the holding of somebody of whom the ledger does not tell, or not any more.
func nothing() holding { return holding{State: store.StateNone, Effective: "video-pro"} }

// ledger is what the license events of one company add up to.
type ledger struct {
	of     map[string]holding // account id -> holding after its last event
	events int                // of any kind
}

// checkLedger looks into the folder of a server that was killed: the event logs must be without gaps and unbroken, and what their
// license events add up to must be the accounts and the seats. Of a folder it looks at a copy, so that it is the next server that
// recovers what the killed one has left. In a database it looks as another server would that is there already.
func checkLedger(t *testing.T, h home) {
	t.Helper()
	registry, err := schema.NewRegistry()
	if err != nil {
		t.Fatal(err)
	}
	var s store.Store
	if h.uri != "" {
		s, err = mongo.Open(t.Context(), h.uri, mongo.Options{Indexes: registry.UserIndexes()})
	} else {
		s, err = sqlite.Open(t.Context(), copyFolder(t, h.data), sqlite.Options{Indexes: registry.UserIndexes()})
	}
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	companies, err := s.ListCompanies(t.Context())
	if err != nil || len(companies) == 0 {
		t.Fatalf("%d companies, %v", len(companies), err)
	}
	for _, c := range companies {
		l := replayLedger(t, s, c.ID)
		if l.events == 0 {
			t.Errorf("the log of %s is empty", c.Name)
		}
		accounts := allAccounts(t, s, c.ID)
		l.checkAccounts(t, accounts)
		l.checkPools(t, s, c.ID)
	}
}

// copyFolder copies the database with its log of what is not yet in it.
func copyFolder(t *testing.T, data string) string {
	t.Helper()
	to := t.TempDir()
	for _, name := range []string{"usher.db", "usher.db-wal"} {
		b, err := os.ReadFile(filepath.Join(data, name))
		if err == nil {
			err = os.WriteFile(filepath.Join(to, name), b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return to
}

// replayLedger reads the log of a company from its beginning.
func replayLedger(t *testing.T, s store.Events, company string) ledger {
	t.Helper()
	l := ledger{of: map[string]holding{}}
	var last store.Event
	for {
		page, err := s.ListEvents(t.Context(), company, last.Seq, 1000)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			return l
		}
		for _, e := range page {
			if e.Seq != last.Seq+1 {
				t.Fatalf("event %d follows event %d", e.Seq, last.Seq)
			}
			if e.Hash != e.Chain(last.Hash) {
				t.Fatalf("the chain is broken at event %d", e.Seq)
			}
			last = e
			l.events++
			if e.Kind == store.EventLicense {
				l.add(t, e)
			}
		}
	}
}

// add takes in one license event, which must begin where the one before it of the same person ended.
func (l ledger) add(t *testing.T, e store.Event) {
	t.Helper()
	var change struct{ From, To *holding }
	if err := json.Unmarshal(e.Detail, &change); err != nil || change.From == nil || change.To == nil {
		t.Fatalf("event %d tells %s: %v", e.Seq, e.Detail, err)
	}
	before, known := l.of[e.Target]
	if !known {
		before = nothing()
	}
	if diff := cmp.Diff(before, *change.From); diff != "" {
		t.Fatalf("event %d of %s does not begin where the one before it ended (-ended +begins)\n%s", e.Seq, e.Target, diff)
	}
	l.of[e.Target] = *change.To
}

func allAccounts(t *testing.T, s store.Accounts, company string) []store.Account {
	t.Helper()
	var all []store.Account
	for {
		q := store.Query{Limit: 1000}
		if len(all) > 0 {
			q.After = all[len(all)-1].ID
		}
		page, err := s.ListAccounts(t.Context(), company, q)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, page.Accounts...)
		if len(page.Accounts) < q.Limit {
			return all
		}
	}
}

// checkAccounts compares the ledger with the accounts; of those that are gone it must say so.
func (l ledger) checkAccounts(t *testing.T, accounts []store.Account) {
	t.Helper()
	there := map[string]bool{}
	for _, a := range accounts {
		there[a.ID] = true
		says, known := l.of[a.ID]
		if !known {
			says = nothing()
		}
		is := holding{a.License, a.LicenseState, a.LicenseReason, a.Effective, a.Seat, a.SeatState}
		if diff := cmp.Diff(is, says); diff != "" {
			t.Fatalf("account %s (-account +ledger)\n%s", a.ID, diff)
		}
	}
	for id, says := range l.of {
		if !there[id] && says != nothing() {
			t.Fatalf("account %s is gone, and the ledger ends with %+v", id, says)
		}
	}
}

// checkPools compares the numbers of the pools with those that the ledger adds up to.
func (l ledger) checkPools(t *testing.T, s store.Pools, company string) {
	t.Helper()
	counted := map[string]store.Pool{}
	count := func(license string, change func(p *store.Pool)) {
		p := counted[license]
		change(&p)
		counted[license] = p
	}
	for _, h := range l.of {
		if h.State == store.StateWaiting {
			count(h.License, func(p *store.Pool) { p.Waiting++ })
		}
		if h.Seat == "" {
			continue
		}
		count(h.Seat, func(p *store.Pool) {
			p.Used++
			switch h.SeatState {
			case store.StateReserved:
				p.Reserved++
			case store.StateActive:
				p.Active++
			case store.StateHeld:
				p.Held++
			}
		})
	}
	pools, err := s.ListPools(t.Context(), company)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range pools {
		adds := counted[p.License]
		delete(counted, p.License)
		adds.Company, adds.License, adds.Total = p.Company, p.License, p.Total
		if diff := cmp.Diff(p, adds); diff != "" {
			t.Errorf("the pool of %s (-pool +ledger)\n%s", p.License, diff)
		}
	}
	if len(counted) > 0 {
		t.Errorf("the ledger gives seats of pools that are not there: %+v", counted)
	}
}
