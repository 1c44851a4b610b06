package migrate

import (
	"bytes"
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	"usher/store"
)

// DifferenceError names the first record in which two stores differ.
type DifferenceError struct {
	From, To string // the stores
	Kind     store.RecordKind
	Key      string
	What     Difference
}

// Difference is how a record differs.
type Difference string

// The differences.
const (
	Missing   Difference = "missing"   // from the target
	Surplus   Difference = "surplus"   // in the target
	Different Difference = "different" // in both, but not the same
)

func (e *DifferenceError) Error() string {
	record := fmt.Sprintf("the %s %q", e.Kind, e.Key)
	switch e.What {
	case Missing:
		return fmt.Sprintf("%s of %s is not in %s", record, e.From, e.To)
	case Surplus:
		return fmt.Sprintf("%s of %s is not in %s", record, e.To, e.From)
	}
	return fmt.Sprintf("%s is not the same in %s and %s", record, e.From, e.To)
}

// verify compares all records of both stores, one by one, up to the first difference.
func (m *migration) verify(ctx context.Context) error {
	if err := m.begin(ctx, StepVerify); err != nil {
		return err
	}
	m.report.Kinds = nil
	for _, kind := range store.RecordKinds() {
		n, err := m.verifyKind(ctx, kind)
		if err != nil {
			return err
		}
		m.report.Kinds = append(m.report.Kinds, Count{kind, n})
	}
	return nil
}

// verifyKind compares the records of a kind and says how many there are.
func (m *migration) verifyKind(ctx context.Context, kind store.RecordKind) (n int64, err error) {
	g, ctx := errgroup.WithContext(ctx)
	sides := [2]chan []store.Record{}
	for i, side := range []struct {
		engine
		name string
	}{{m.from, m.report.From}, {m.to, m.report.To}} {
		sides[i] = make(chan []store.Record, 1)
		g.Go(func() error {
			if err := read(ctx, side.engine, kind, "", sides[i]); err != nil {
				return fmt.Errorf("%s cannot be read: %w", side.name, err)
			}
			close(sides[i]) // not after an error, which is no end of the records
			return nil
		})
	}
	g.Go(func() error {
		from, to := cursor{batches: sides[0]}, cursor{batches: sides[1]}
		for {
			want, more, err := from.next(ctx)
			if err != nil {
				return err
			}
			is, too, err := to.next(ctx)
			if err != nil {
				return err
			}
			if !more && !too {
				return nil
			}
			if what := compare(want, is, more, too); what != "" {
				key := want.Key
				if what == Surplus {
					key = is.Key
				}
				return &DifferenceError{From: m.report.From, To: m.report.To, Kind: kind, Key: key, What: what}
			}
			if n++; n%batch == 0 {
				m.progress(kind, batch)
			}
		}
	})
	if err := g.Wait(); err != nil {
		return n, err
	}
	if rest := n % batch; rest > 0 {
		m.progress(kind, int(rest))
	}
	return n, nil
}

// compare says how two records that stand in the same place differ; empty: they do not. more and too say whether there are such.
func compare(want, is store.Record, more, too bool) Difference {
	switch {
	case !too, more && want.Key < is.Key:
		return Missing
	case !more, want.Key > is.Key:
		return Surplus
	case !bytes.Equal(want.Data, is.Data):
		return Different
	}
	return ""
}

// cursor goes through batches record by record.
type cursor struct {
	batches <-chan []store.Record
	some    []store.Record
}

// next gives the next record; ok is false when there are no more.
func (c *cursor) next(ctx context.Context) (r store.Record, ok bool, err error) {
	for len(c.some) == 0 {
		select {
		case c.some, ok = <-c.batches:
			if !ok {
				return r, false, nil
			}
		case <-ctx.Done():
			return r, false, ctx.Err()
		}
	}
	r, c.some = c.some[0], c.some[1:]
	return r, true, nil
}
