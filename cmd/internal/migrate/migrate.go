package migrate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"golang.org/x/sync/errgroup"

	"usher/store"
	"usher/store/query"
)

// Config says what to copy, and to where.
type Config struct {
	// From and To name the stores: sqlite:///folder, sqlite://folder or mongodb://host/database.
	From, To string
	// Indexes are those that servers keep over the documents of accounts.
	Indexes []query.Index
	// VerifyOnly compares the stores and copies nothing.
	VerifyOnly bool
	Logger     *slog.Logger
	// Progress is called now and then with how far it is; nil: nobody looks. It is not called concurrently.
	Progress func(Progress)
}

// Progress is how far it is.
type Progress struct {
	Step    Step
	Kind    store.RecordKind // which records it is at
	Records int64            // of the kind that are done
	Done    int64            // records of all kinds that are done in this step
	All     int64            // how many there are, or about as many
}

// Step is what is being done.
type Step string

// The steps, in their order.
const (
	StepCopy   Step = "copy"
	StepVerify Step = "verify"
)

// Report says what was done.
type Report struct {
	From      string  `json:"from"`
	To        string  `json:"to"`
	Continued bool    `json:"continued"` // whether an earlier run had begun it
	Copied    int64   `json:"copied"`    // records that this run has copied
	Kinds     []Count `json:"kinds"`     // what both stores have
	// Next is what is left to do, in sentences.
	Next []string `json:"next,omitempty"`
}

// Count is how many records of a kind there are.
type Count struct {
	Kind    store.RecordKind `json:"kind"`
	Records int64            `json:"records"`
}

// batch is how many records are stored at once, and batchBytes how large these may be, unless a single one is.
const (
	batch      = 1000
	batchBytes = 8 << 20
)

// Run copies the records and compares the stores. Its error is a sentence for people. Nobody may use the stores meanwhile.
func Run(ctx context.Context, c Config) (Report, error) {
	from, err := parse(c.From)
	if err != nil {
		return Report{}, err
	}
	to, err := parse(c.To)
	if err != nil {
		return Report{}, err
	}
	if from.name == to.name {
		return Report{}, fmt.Errorf("%s is both the source and the target", from.name)
	}
	m := &migration{Config: c, report: Report{From: from.name, To: to.name}}
	if m.from, err = from.open(ctx, c, reading); err != nil {
		return m.report, err
	}
	if nothing, err := isEmpty(ctx, m.from); err != nil || nothing {
		if err == nil {
			err = fmt.Errorf("there is nothing in %s: look whether that is the store that you mean", from.name)
		}
		return m.report, errors.Join(err, m.from.Close())
	}
	what := completing
	if c.VerifyOnly {
		what = reading
	}
	if m.to, err = to.open(ctx, c, what); err != nil {
		return m.report, errors.Join(err, m.from.Close())
	}
	err = m.run(ctx, from, to)
	err = errors.Join(err, m.to.Close(), m.from.Close())
	return m.report, err
}

// isEmpty says whether a store has no company, without which it has nothing.
func isEmpty(ctx context.Context, e engine) (bool, error) {
	for _, err := range e.Records(ctx, store.RecordCompany, "") {
		return false, err
	}
	return true, nil
}

// migration is one run.
type migration struct {
	Config
	from, to engine
	report   Report
	done     Progress
}

func (m *migration) run(ctx context.Context, from, to place) error {
	if m.VerifyOnly {
		return m.verify(ctx)
	}
	keys, err := missingKeys(from, to)
	if err != nil {
		return err
	}
	mark, err := m.mark(ctx)
	if err != nil {
		return err
	}
	if err := putKeys(keys, to); err != nil {
		return err
	}
	if err := m.copy(ctx, mark); err != nil {
		return err
	}
	if err := m.to.SettleImport(ctx); err != nil {
		return fmt.Errorf("the records were copied to %s, but not what follows from them: %w", m.report.To, err)
	}
	if err := m.verify(ctx); err != nil {
		return err
	}
	if err := m.to.EndImport(ctx); err != nil {
		return fmt.Errorf("%s cannot be written to: %w", m.report.To, err)
	}
	m.report.Next, err = advice(from, to)
	return err
}

// mark gives where to begin: in a store that is empty, or in which this copy was begun.
func (m *migration) mark(ctx context.Context) (store.Import, error) {
	mark, err := m.to.Import(ctx)
	switch {
	case errors.Is(err, store.ErrNotFound):
		err = m.to.BeginImport(ctx, m.report.From)
		if errors.Is(err, store.ErrNotEmpty) {
			return mark, fmt.Errorf("%s is not empty: name a store without anything in it", m.report.To)
		}
		return store.Import{Source: m.report.From}, err
	case err != nil:
		return mark, fmt.Errorf("%s cannot be read: %w", m.report.To, err)
	case mark.Source != m.report.From:
		return mark, fmt.Errorf("%s has an unfinished copy of %s in it: complete that one, or name an empty store", m.report.To, mark.Source)
	}
	m.report.Continued = true
	return mark, nil
}

// begin begins a step.
func (m *migration) begin(ctx context.Context, step Step) error {
	m.done = Progress{Step: step}
	for _, kind := range store.RecordKinds() {
		n, err := m.from.CountRecords(ctx, kind)
		if err != nil {
			return fmt.Errorf("%s cannot be read: %w", m.report.From, err)
		}
		m.done.All += n
	}
	return nil
}

// progress tells how far it is.
func (m *migration) progress(kind store.RecordKind, more int) {
	if m.done.Kind != kind {
		m.done.Kind, m.done.Records = kind, 0
	}
	m.done.Records += int64(more)
	m.done.Done += int64(more)
	if m.Progress != nil {
		m.Progress(m.done)
	}
}

// copy copies what is behind the mark.
func (m *migration) copy(ctx context.Context, mark store.Import) error {
	if err := m.begin(ctx, StepCopy); err != nil {
		return err
	}
	begun := mark.Kind == ""
	for _, kind := range store.RecordKinds() {
		after := ""
		if !begun { // some or all were copied before
			n, err := m.to.CountRecords(ctx, kind)
			if err != nil {
				return fmt.Errorf("%s cannot be read: %w", m.report.To, err)
			}
			m.done.Done += n
			if kind != mark.Kind {
				continue
			}
			begun, after = true, mark.Key
		}
		if err := m.copyKind(ctx, kind, after); err != nil {
			return err
		}
	}
	return nil
}

func (m *migration) copyKind(ctx context.Context, kind store.RecordKind, after string) error {
	g, ctx := errgroup.WithContext(ctx)
	batches := make(chan []store.Record, 1) // one is read while another is stored
	g.Go(func() error {
		defer close(batches)
		if err := read(ctx, m.from, kind, after, batches); err != nil {
			return fmt.Errorf("%s cannot be read: %w", m.report.From, err)
		}
		return nil
	})
	g.Go(func() error {
		for some := range batches {
			if err := m.to.PutRecords(ctx, some); err != nil {
				return fmt.Errorf("%s cannot take a record over: %w", m.report.To, err)
			}
			m.report.Copied += int64(len(some))
			m.progress(kind, len(some))
		}
		return nil
	})
	return g.Wait()
}

// read sends the records of a kind that are behind a key, in batches.
func read(ctx context.Context, e engine, kind store.RecordKind, after string, to chan<- []store.Record) error {
	var some []store.Record
	bytes := 0
	send := func() error {
		if len(some) == 0 {
			return nil
		}
		select {
		case to <- some:
		case <-ctx.Done():
			return ctx.Err()
		}
		some, bytes = nil, 0
		return nil
	}
	for r, err := range e.Records(ctx, kind, after) {
		if err != nil {
			return err
		}
		some, bytes = append(some, r), bytes+len(r.Data)
		if len(some) == batch || bytes >= batchBytes {
			if err := send(); err != nil {
				return err
			}
		}
	}
	return send()
}
