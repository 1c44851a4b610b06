package enginetest

import (
	"bytes"
	"testing"
	"time"

	"usher/store"
)

// TestOpen: each store is a fresh one, and what is dumped of it is what was written.
func TestOpen(t *testing.T) {
	for _, name := range []string{"a-needle", "another"} {
		s := Open(t, nil)
		c := store.Company{ID: store.NewID(), Name: name, Created: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
		if _, err := s.CreateCompany(t.Context(), c, nil, nil, nil); err != nil {
			t.Fatal(err)
		}
		all, err := s.ListCompanies(t.Context())
		if err != nil || len(all) != 1 {
			t.Errorf("%d companies, %v", len(all), err)
		}
		if kept := s.Dump(t); bytes.Contains(kept, []byte("a-needle")) != (name == "a-needle") {
			t.Errorf("what is kept of %s is not in the dump, or what is not is", name)
		}
	}
}
