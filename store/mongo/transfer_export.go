package mongo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"usher/store"
)

const (
	// exportTime is how long reading all records of a kind may take.
	exportTime = 12 * time.Hour
	// exportBatch is how many documents the server gives at a time.
	exportBatch = 1000
)

// errEnough says that the reader of a sequence wants no more of it.
var errEnough = errors.New("enough")

// Records implements [store.Transfer]. Each collection is read once, by one cursor for each company.
func (s *Store) Records(ctx context.Context, kind store.RecordKind, after string) iter.Seq2[store.Record, error] {
	return s.sequence(ctx, func(ctx context.Context, e *export) error {
		e.after = after
		if err := s.settle(ctx); err != nil {
			return err
		}
		return e.all(kind)
	})
}

// Look implements [store.Doctor].
func (s *Store) Look(ctx context.Context, kind store.RecordKind, company string) iter.Seq2[store.Record, error] {
	return s.sequence(ctx, func(_ context.Context, e *export) error {
		e.only = company
		return e.all(kind)
	})
}

// sequence gives the records that read gives.
func (s *Store) sequence(ctx context.Context, read func(ctx context.Context, e *export) error) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		end, err := s.begin(ctx)
		if err != nil {
			yield(store.Record{}, err)
			return
		}
		defer end()
		long, cancel := context.WithTimeout(ctx, exportTime)
		defer cancel()
		err = read(ctx, &export{s: s, ctx: long, yield: func(r store.Record) error {
			if !yield(r, nil) {
				return errEnough
			}
			return nil
		}})
		if err != nil && !errors.Is(err, errEnough) {
			yield(store.Record{}, wrap(ctx, err))
		}
	}
}

// export is one sequence of records.
type export struct {
	s     *Store
	ctx   context.Context
	after string
	only  string // the company whose records are wanted; empty: all
	yield func(store.Record) error
}

// give gives a value as a record.
func (e *export) give(value any) error {
	r, err := store.RecordOf(value)
	if err != nil || r.Key <= e.after {
		return err
	}
	return e.yield(r)
}

// all gives the records of a kind, of which those that can be many are read one by one.
func (e *export) all(kind store.RecordKind) error {
	switch kind {
	case store.RecordTombstone:
		return e.companies(func(company, _ string) error {
			return each(e, e.s.tombstones, bson.D{field("co", company)}, bson.D{field("v.id", 1), field("v.deleted", 1)},
				func(r tombstoneRecord) error { return e.give(r.Value) })
		})
	case store.RecordAccount:
		return e.companies(func(company, after string) error {
			return each(e, e.s.accounts.Collection, listedAfter(company, after), bson.D{field("_id", 1)},
				func(f fact[store.Account]) error { return e.give(presentAccount(f)) })
		})
	case store.RecordGroup:
		return e.companies(func(company, after string) error {
			return each(e, e.s.groups.Collection, listedAfter(company, after), bson.D{field("_id", 1)}, func(f fact[store.Group]) error {
				g, err := e.s.presentGroup(e.ctx, f)
				if err != nil {
					return err
				}
				return e.give(g)
			})
		})
	case store.RecordMember:
		return e.companies(e.members)
	case store.RecordMail:
		return e.companies(func(company, after string) error {
			return each(e, e.s.mails, bson.D{field("co", company), field("_id", bson.D{field("$gt", after)})}, bson.D{field("_id", 1)},
				func(r mailRecord) error { return e.give(store.MailRecord{Mail: r.Value, Data: r.Value.Data}) })
		})
	case store.RecordSession:
		return e.companies(func(company, after string) error {
			return each(e, e.s.sessions.Collection, bson.D{field("co", company), field("v.id", bson.D{field("$gt", after)}), present}, bson.D{field("v.id", 1)},
				func(f fact[store.Session]) error { return e.give(f.Value) })
		})
	case store.RecordRequest:
		return each(e, e.s.requests, bson.D{field("_id", bson.D{field("$gt", e.after)})}, bson.D{field("_id", 1)},
			func(r requestRecord) error { return e.give(r.Value) })
	case store.RecordEvent:
		return e.companies(e.events)
	}
	values, err := e.few(kind)
	if err != nil {
		return err
	}
	records := make([]store.Record, len(values))
	for i, v := range values {
		if records[i], err = store.RecordOf(v); err != nil {
			return err
		}
	}
	slices.SortFunc(records, func(a, b store.Record) int { return cmp.Compare(a.Key, b.Key) })
	for _, r := range records {
		if r.Key > e.after {
			if err := e.yield(r); err != nil {
				return err
			}
		}
	}
	return nil
}

// each reads the documents that fit, in order, one by one; only names the fields that are wanted, if not all are.
func each[T any](e *export, c *mongo.Collection, filter, sort bson.D, do func(T) error, only ...string) error {
	opts := options.Find().SetSort(sort).SetBatchSize(exportBatch).SetAllowDiskUse(true)
	if len(only) > 0 {
		var fields bson.D
		for _, name := range only {
			fields = append(fields, field(name, 1))
		}
		opts.SetProjection(fields)
	}
	cursor, err := c.Find(e.ctx, filter, opts)
	if err != nil {
		return err
	}
	defer cursor.Close(e.ctx)
	for cursor.Next(e.ctx) {
		var doc T
		if err := cursor.Decode(&doc); err != nil {
			return err
		}
		if err := do(doc); err != nil {
			return err
		}
	}
	return cursor.Err()
}

// listedAfter is the filter for what is not deleted of a company's accounts or groups, behind an id.
func listedAfter(company, after string) bson.D {
	return bson.D{field("co", company), field("k", everyTerm), field("_id", bson.D{field("$gt", after)})}
}

// companies calls do for the companies from that of the record after which the sequence begins, in the order of their ids. after is the rest of
// that record's key, and empty for the other companies.
func (e *export) companies(do func(company, after string) error) error {
	from, rest, _ := strings.Cut(e.after, " ")
	all, err := e.s.companies.values(e.ctx, bson.D{field("_id", bson.D{field("$gte", from)})}, bson.D{field("_id", 1)})
	if err != nil {
		return err
	}
	for _, c := range all {
		if e.only != "" && e.only != c.ID {
			continue
		}
		if c.ID != from {
			rest = ""
		}
		if err := do(c.ID, rest); err != nil {
			return err
		}
	}
	return nil
}

func (e *export) members(company, after string) error {
	filter := bson.D{field("co", company), field("g", bson.D{field("$exists", true)})}
	if after != "" {
		group, account, _ := strings.Cut(after, " ")
		filter = append(filter, field("$or", bson.A{
			bson.D{field("g", group), field("u", bson.D{field("$gt", account)})}, bson.D{field("g", bson.D{field("$gt", group)})},
		}))
	}
	return each(e, e.s.members, filter, bson.D{field("g", 1), field("u", 1)}, func(r memberRow) error {
		return e.give(store.MemberRecord{Company: company, Group: r.Group, Account: r.Account})
	})
}

func (e *export) events(company, after string) error {
	var seq int64
	if after != "" {
		var err error
		if seq, err = strconv.ParseInt(after, 10, 64); err != nil {
			return fmt.Errorf("the key of an event: %w", err)
		}
	}
	return each(e, e.s.events, bson.D{field("co", company), field("seq", bson.D{field("$gt", seq)})}, bson.D{field("seq", 1)}, func(r eventRecord) error {
		return e.give(store.EventRecord{Company: company, Event: r.Value, Detail: r.Value.Detail})
	})
}

// few gives the values of the kinds of which there are not many, in any order.
func (e *export) few(kind store.RecordKind) (values []any, err error) {
	add := func(v any) { values = append(values, v) }
	perCompany := func(do func(company string) error) error {
		after := e.after
		e.after = "" // few are read as a whole
		defer func() { e.after = after }()
		return e.companies(func(company, _ string) error { return do(company) })
	}
	switch kind {
	case store.RecordCompany, store.RecordAdmin:
		err = e.companyRecords(kind, add)
	case store.RecordConnection:
		err = factsOf(e, e.s.connections, func(c store.Connection) { add(store.ConnectionRecord{Connection: c}) })
	case store.RecordToken:
		err = factsOf(e, e.s.tokens, func(t store.Token) { add(t) })
	case store.RecordAdminKey:
		err = factsOf(e, e.s.keys, func(k store.AdminKey) { add(k) })
	case store.RecordAdminSession:
		err = factsOf(e, e.s.adminSessions, func(a store.AdminSession) { add(a) })
	case store.RecordRule:
		err = factsOf(e, e.s.rules, func(r store.Rule) { add(r) })
	case store.RecordSchema:
		err = factsOf(e, e.s.schemas, func(r schemasRecord) {
			for _, schema := range r.All {
				add(schema)
			}
		})
	case store.RecordSubgroup:
		err = perCompany(func(company string) error { return e.subgroups(company, add) })
	case store.RecordPool:
		err = perCompany(func(company string) error { return e.pools(company, add) })
	case store.RecordQuirk:
		err = each(e, e.s.quirks, bson.D{}, bson.D{}, func(r quirkRecord) error {
			add(store.QuirkRecord{Company: r.Company, QuirkUse: r.Value})
			return nil
		})
	case store.RecordLoss:
		err = e.losses(add)
	case store.RecordSweep:
		err = each(e, e.s.sweeps, bson.D{open}, bson.D{}, func(r sweepRecord) error {
			add(r.Value)
			return nil
		})
	case store.RecordSignIn:
		err = each(e, e.s.signIns, bson.D{}, bson.D{}, func(r signInRecord) error {
			add(r.Value)
			return nil
		})
	case store.RecordLogout:
		// One that is not done counts for nothing yet: it is repeated.
		err = each(e, e.s.logouts, bson.D{field("done", true)}, bson.D{}, func(r logoutRecord) error {
			connection, id, _ := strings.Cut(r.ID, "/")
			add(store.LogoutToken{Connection: connection, ID: id, Expires: r.Expires})
			return nil
		})
	default:
		err = fmt.Errorf("mongo: there are no records of the kind %q", kind)
	}
	return values, err
}

// factsOf calls do for the records of a collection that are not deleted.
func factsOf[T any](e *export, f facts[T], do func(T)) error {
	return each(e, f.Collection, bson.D{present}, bson.D{}, func(doc fact[T]) error {
		do(doc.Value)
		return nil
	})
}

func (e *export) companyRecords(kind store.RecordKind, add func(any)) error {
	revisions := map[string]int64{}
	err := each(e, e.s.schemas.Collection, bson.D{present}, bson.D{}, func(f fact[schemasRecord]) error {
		revisions[f.Company] = f.Value.Revision
		return nil
	})
	if err != nil {
		return err
	}
	return factsOf(e, e.s.companies, func(c companyRecord) {
		if kind == store.RecordCompany {
			add(store.CompanyRecord{Company: c.Company, SchemaRevision: revisions[c.ID]})
			return
		}
		for _, a := range c.Admins {
			a.Company = c.ID
			add(a)
		}
	})
}

func (e *export) subgroups(company string, add func(any)) error {
	filter := bson.D{field("co", company), field("sub.0", bson.D{field("$exists", true)}), present}
	return each(e, e.s.groups.Collection, filter, bson.D{}, func(f fact[store.Group]) error {
		there, err := e.s.existingGroups(e.ctx, company, f.Group.Subgroups)
		for _, child := range there {
			add(store.SubgroupRecord{Company: company, Group: f.ID, Child: child})
		}
		return err
	})
}

func (e *export) pools(company string, add func(any)) error {
	bought, err := e.s.pools.values(e.ctx, bson.D{field("co", company)}, bson.D{})
	if err != nil {
		return err
	}
	licenses, err := e.s.waitedFor(e.ctx, company)
	if err != nil {
		return err
	}
	for _, p := range bought {
		licenses = append(licenses, p.License)
	}
	for _, license := range distinct(licenses) {
		p, err := e.s.pool(e.ctx, company, license)
		if err != nil {
			return err
		}
		if p.Total > 0 || p.Ceiling > 0 || p.Used > 0 || p.Waiting > 0 {
			add(p)
		}
	}
	return nil
}

// losses counts those of one time.
func (e *export) losses(add func(any)) error {
	counts := map[store.LossRecord]int{}
	err := each(e, e.s.losses, bson.D{}, bson.D{}, func(r lossRecord) error {
		counts[store.LossRecord{Company: r.Company, Connection: r.Loss.Connection, At: r.Loss.At.UTC()}]++
		return nil
	})
	for l, n := range counts {
		l.Count = n
		add(l)
	}
	return err
}

// CountRecords implements [store.Transfer].
func (s *Store) CountRecords(ctx context.Context, kind store.RecordKind) (n int64, err error) {
	end, err := s.begin(ctx)
	if err != nil {
		return 0, err
	}
	defer end()
	ctx, cancel := context.WithTimeout(ctx, exportTime)
	defer cancel()
	var many int
	switch kind {
	case store.RecordTombstone:
		many, err = s.count(ctx, s.tombstones, bson.D{})
	case store.RecordAccount:
		many, err = s.count(ctx, s.accounts.Collection, bson.D{present})
	case store.RecordGroup:
		many, err = s.count(ctx, s.groups.Collection, bson.D{present})
	case store.RecordMember:
		many, err = s.count(ctx, s.members, bson.D{field("g", bson.D{field("$exists", true)})})
	case store.RecordMail:
		many, err = s.count(ctx, s.mails, bson.D{})
	case store.RecordSession:
		many, err = s.count(ctx, s.sessions.Collection, bson.D{present})
	case store.RecordRequest:
		many, err = s.count(ctx, s.requests, bson.D{})
	case store.RecordEvent:
		many, err = s.count(ctx, s.events, bson.D{})
	default:
		e := &export{s: s, ctx: ctx}
		var values []any
		values, err = e.few(kind)
		many = len(values)
	}
	return int64(many), wrap(ctx, err)
}
