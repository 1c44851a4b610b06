package sqlite_test

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"usher/store"
	"usher/store/query"
	"usher/store/sqlite"
)

// BenchmarkCreate creates accounts with their events by a number of writers. The metric x-raw is the rate as a multiple of that
// of a loop which appends 1 KB and calls fdatasync, in the same folder and run.
func BenchmarkCreate(b *testing.B) {
	for _, writers := range []int{1, 16, 64} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			s := open(b, b.TempDir(), indexes())
			co := company(b, s, "acme", 10)
			raw := rawRate(b)
			var next atomic.Int64
			before := s.Commits()
			begin := time.Now()
			b.ResetTimer()
			var wg sync.WaitGroup
			for range writers {
				wg.Go(func() {
					for {
						i := int(next.Add(1)) - 1
						if i >= b.N {
							return
						}
						a := account(co, i)
						if _, err := s.WriteAccount(b.Context(), store.AccountWrite{After: a, Events: []store.Event{event("user.create", a.ID)}}); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			b.StopTimer()
			rate := float64(b.N) / time.Since(begin).Seconds()
			raw = (raw + rawRate(b)) / 2
			b.ReportMetric(raw, "raw/s")
			b.ReportMetric(rate/raw, "x-raw")
			b.ReportMetric(float64(b.N)/float64(s.Commits()-before), "ops/commit")
		})
	}
}

// rawRate gives how many times a second 1 KB is appended and made durable, one after the other.
func rawRate(b *testing.B) float64 {
	f, err := os.Create(filepath.Join(b.TempDir(), "raw"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	const n = 500
	begin := time.Now()
	for range n {
		if _, err := f.Write(make([]byte, 1024)); err != nil {
			b.Fatal(err)
		}
		if err := syscall.Fdatasync(int(f.Fd())); err != nil {
			b.Fatal(err)
		}
	}
	return n / time.Since(begin).Seconds()
}

// reportCPU reports the processor time that the process has taken since the benchmark began, which other load on the machine
// does not change much.
func reportCPU(b *testing.B) func() {
	begin := cpu(b)
	return func() { b.ReportMetric(float64((cpu(b)-begin).Nanoseconds())/1e3/float64(b.N), "cpu-us/op") }
}

func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func BenchmarkRead(b *testing.B) {
	n := scale(20_000, 200_000)
	s := open(b, b.TempDir(), indexes())
	co := company(b, s, "acme", 10)
	stored := fill(b, s, co, n)
	pick := func(i int) store.Account { return stored[i*7919%n] }
	list := func(b *testing.B, q func(i int) store.Query) {
		defer reportCPU(b)()
		i := 0
		for b.Loop() {
			i++
			if p, err := s.ListAccounts(b.Context(), co, q(i)); err != nil || len(p.Accounts) != 100 {
				b.Fatal(err, len(p.Accounts))
			}
		}
	}
	b.Run("by id", func(b *testing.B) {
		b.ReportAllocs()
		defer reportCPU(b)()
		i := 0
		for b.Loop() {
			i++
			if _, err := s.Account(b.Context(), co, pick(i).ID); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("by user name", func(b *testing.B) {
		defer reportCPU(b)()
		i := 0
		for b.Loop() {
			i++
			if _, err := s.AccountByUserName(b.Context(), co, pick(i).UserName); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("by user name, miss", func(b *testing.B) {
		defer reportCPU(b)()
		for b.Loop() {
			if _, err := s.AccountByUserName(b.Context(), co, "nobody"); err == nil {
				b.Fatal("found")
			}
		}
	})
	b.Run("filter userName eq", func(b *testing.B) {
		defer reportCPU(b)()
		i := 0
		for b.Loop() {
			i++
			p, err := s.ListAccounts(b.Context(), co, store.Query{Filter: eq("userName", pick(i).UserName), Limit: 100, Total: true})
			if err != nil || p.Total != 1 {
				b.Fatal(err, p.Total)
			}
		}
	})
	b.Run("first page", func(b *testing.B) {
		list(b, func(int) store.Query { return store.Query{Limit: 100, Total: true} })
	})
	b.Run("deep page, sequential", func(b *testing.B) {
		list(b, func(i int) store.Query { return store.Query{Limit: 100, Offset: n/2 + i%(n/250)*100, Total: true} })
	})
	b.Run("deep page, after", func(b *testing.B) {
		list(b, func(int) store.Query { return store.Query{Limit: 100, After: stored[n-n/10].ID, Total: true} })
	})
	for _, path := range []string{"userName", store.ColumnModified, "displayName"} {
		s := query.Sort{Path: path, Type: query.String, Fold: true}
		if path == store.ColumnModified {
			s = query.Sort{Path: path, Type: query.DateTime}
		}
		after := pick(n / 2)
		b.Run("sorted page, after, by "+path, func(b *testing.B) {
			list(b, func(int) store.Query {
				return store.Query{Limit: 100, Sort: &s, After: after.ID, AfterKey: s.Key(&after)}
			})
		})
	}
}

// BenchmarkMember adds one member to a group and removes it again, on its own and thus with a commit each.
func BenchmarkMember(b *testing.B) {
	for _, n := range []int{100, 10_000} {
		b.Run(fmt.Sprintf("of %d", n), func(b *testing.B) {
			s := open(b, b.TempDir(), indexes())
			co := company(b, s, "acme", 10)
			g, last := groupOf(b, s, co, n)
			defer reportCPU(b)()
			i := 0
			for b.Loop() {
				i++
				c := store.GroupChange{Company: co, ID: g.ID, Modified: start}
				if i%2 == 0 {
					c.Members.Remove = []string{last}
				} else {
					c.Members.Add = []string{last}
				}
				if r, err := s.ChangeGroup(b.Context(), c); err != nil || !r.Changed {
					b.Fatal(err, r.Changed)
				}
			}
		})
	}
}

// groupOf makes a group of n accounts, and one more account.
func groupOf(t testing.TB, s *sqlite.Store, co string, n int) (g store.Group, last string) {
	t.Helper()
	var ids []string
	for _, a := range fill(t, s, co, n+1) {
		ids = append(ids, a.ID)
	}
	g, err := s.CreateGroup(t.Context(), store.Group{ID: store.NewID(), Company: co, Name: "staff", Display: "Staff", Created: start, Modified: start, Doc: []byte(`{"displayName":"Staff"}`)}, ids[:n], nil, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return g, ids[n]
}
