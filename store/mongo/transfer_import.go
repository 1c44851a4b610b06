package mongo

import (
	"context"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"usher/store"
	"usher/store/query"
)

// putRecords stores records of one kind; those that are there already stay as they are.
func (s *Store) putRecords(ctx context.Context, records []store.Record) error {
	switch kind := records[0].Kind; kind {
	case store.RecordCompany:
		return s.putCompanies(ctx, records)
	case store.RecordAdmin:
		return putEach(records, func(a store.LocalAdmin) error {
			return s.pushOnce(ctx, s.companies.Collection, a.Company, "v.admins", "id", a.ID, a)
		})
	case store.RecordSchema:
		return putEach(records, func(c store.Schema) error {
			return s.pushOnce(ctx, s.schemas.Collection, c.Company, "v.all", "urn", c.URN, c)
		})
	case store.RecordSubgroup:
		return putEach(records, func(r store.SubgroupRecord) error {
			_, err := s.update(ctx, s.groups.Collection, in(r.Company, r.Group),
				bson.D{{Key: "$addToSet", Value: bson.D{field("sub", r.Child), field("k", term(subgroupTerm, r.Child))}}})
			return err
		})
	case store.RecordConnection:
		return putAll(ctx, s, s.connections.Collection, records, func(r store.ConnectionRecord) any {
			c := r.Connection
			return fact[store.Connection]{ID: c.ID, Company: c.Company, Value: c, Keys: []string{key("id", c.ID), connectionNameKey(c.Name)}}
		})
	case store.RecordToken:
		return putAll(ctx, s, s.tokens.Collection, records, func(t store.Token) any { return hashed(t.Hash, t.Company, t) })
	case store.RecordAdminKey:
		return putAll(ctx, s, s.keys.Collection, records, func(k store.AdminKey) any { return hashed(k.Hash, k.Company, k) })
	case store.RecordAdminSession:
		return putAll(ctx, s, s.adminSessions.Collection, records, func(a store.AdminSession) any { return hashed(a.Hash, a.Company, a) })
	case store.RecordSession:
		return putAll(ctx, s, s.sessions.Collection, records, func(a store.Session) any { return hashed(a.Hash, a.Company, a) })
	case store.RecordTombstone:
		return putAll(ctx, s, s.tombstones, records, func(t store.Tombstone) any {
			return tombstoneRecord{ID: tombstoneID(t), Company: t.Company, Value: t}
		})
	case store.RecordAccount:
		return putAll(ctx, s, s.accounts.Collection, records, func(a store.Account) any { return s.accountFact(a) })
	case store.RecordGroup:
		return putAll(ctx, s, s.groups.Collection, records, func(g store.Group) any {
			f := fact[store.Group]{ID: g.ID, Company: g.Company, Keys: groupKeys(&g), Terms: groupTerms(&g, nil)}
			f.Group.Members = g.Members
			g.Members, g.Groups = 0, 0
			f.Value = g
			return f
		})
	case store.RecordMember:
		return putAll(ctx, s, s.members, records, func(r store.MemberRecord) any {
			const first = 1 // before every change that there will be
			return memberRow{ID: memberID(r.Group, r.Account), Company: r.Company, Group: r.Group, Account: r.Account, Version: first}
		})
	case store.RecordPool:
		return putAll(ctx, s, s.pools.Collection, records, func(p store.Pool) any {
			f := newPool(p.Company, p.License, p.Total)
			f.Value.Ceiling = p.Ceiling
			return f
		})
	case store.RecordRule:
		return putAll(ctx, s, s.rules.Collection, records, func(r store.Rule) any {
			return fact[store.Rule]{ID: r.ID, Company: r.Company, Value: r, Keys: []string{key("id", r.ID)}}
		})
	case store.RecordQuirk:
		return putAll(ctx, s, s.quirks, records, func(r store.QuirkRecord) any {
			return quirkRecord{ID: join(r.Company, r.Connection, r.Quirk), Company: r.Company, Value: r.QuirkUse}
		})
	case store.RecordLoss:
		return s.putLosses(ctx, records)
	case store.RecordSweep:
		return putAll(ctx, s, s.sweeps, records, func(w store.Sweep) any { return sweepRecord{ID: w.ID, Value: w} })
	case store.RecordMail:
		return putAll(ctx, s, s.mails, records, func(r store.MailRecord) any {
			m := r.Mail
			m.Data = r.Data
			return mailRecord{ID: m.ID, Company: m.Company, Value: m}
		})
	case store.RecordSignIn:
		return putAll(ctx, s, s.signIns, records, func(i store.SignIn) any { return signInRecord{ID: hashID(i.State), Value: i} })
	case store.RecordLogout:
		return putAll(ctx, s, s.logouts, records, func(l store.LogoutToken) any {
			return logoutRecord{ID: logoutID(l.Connection, l.ID), Expires: l.Expires, Done: true}
		})
	case store.RecordRequest:
		return putAll(ctx, s, s.requests, records, func(r store.IdempotentRequest) any { return requestRecord{ID: hashID(r.Key), Value: r} })
	case store.RecordEvent:
		return putAll(ctx, s, s.events, records, func(r store.EventRecord) any {
			e := r.Event
			e.Detail = r.Detail
			return eventRecord{ID: join(r.Company, fmt.Sprintf("%012d", e.Seq)), Company: r.Company, Seq: e.Seq, Value: e}
		})
	default:
		return fmt.Errorf("mongo: there are no records of the kind %q", kind)
	}
}

// putEach calls put with the value of each record.
func putEach[T any](records []store.Record, put func(T) error) error {
	for _, r := range records {
		var value T
		err := r.Value(&value)
		if err == nil {
			err = put(value)
		}
		if err != nil {
			return fmt.Errorf("record %s of kind %s: %w", r.Key, r.Kind, err)
		}
	}
	return nil
}

// putAll stores the documents of records at once.
func putAll[T any](ctx context.Context, s *Store, c *mongo.Collection, records []store.Record, doc func(T) any) error {
	var docs []any
	err := putEach(records, func(value T) error {
		docs = append(docs, doc(value))
		return nil
	})
	if err != nil {
		return err
	}
	return s.insertMany(ctx, c, docs)
}

// insertMany stores documents; those that are there already stay as they are.
func (s *Store) insertMany(ctx context.Context, c *mongo.Collection, docs []any) error {
	if len(docs) == 0 {
		return nil
	}
	return s.try(ctx, func(ctx context.Context) error {
		_, err := c.InsertMany(ctx, docs, options.InsertMany().SetOrdered(false))
		return exceptDuplicates(err)
	})
}

// hashed is the document of a record that is found by a hash.
func hashed[T any](hash [32]byte, company string, value T) fact[T] {
	id := hashID(hash)
	return fact[T]{ID: id, Company: company, Value: value, Keys: []string{key("id", id)}}
}

// pushOnce adds a value to a list in a document, unless there is one that is called the same.
func (s *Store) pushOnce(ctx context.Context, c *mongo.Collection, id, list, by, name string, value any) error {
	_, err := s.update(ctx, c, bson.D{field("_id", id), field(list+"."+by, bson.D{field("$ne", name)})},
		bson.D{{Key: "$push", Value: bson.D{field(list, value)}}})
	return err
}

// putCompanies stores companies with no admins and no schemas yet.
func (s *Store) putCompanies(ctx context.Context, records []store.Record) error {
	var companies, schemas []any
	err := putEach(records, func(r store.CompanyRecord) error {
		companies = append(companies, fact[companyRecord]{
			ID: r.ID, Company: r.ID, Keys: companyKeys(r.ID, r.Name, r.Domains),
			Value: companyRecord{Company: r.Company, Admins: []store.LocalAdmin{}},
		})
		if r.SchemaRevision > 0 {
			schemas = append(schemas, fact[schemasRecord]{
				ID: r.ID, Company: r.ID, Keys: []string{key("id", r.ID)}, Value: schemasRecord{Revision: r.SchemaRevision, All: []store.Schema{}},
			})
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := s.insertMany(ctx, s.companies.Collection, companies); err != nil {
		return err
	}
	return s.insertMany(ctx, s.schemas.Collection, schemas)
}

// accountFact is the document of an account. The claim of its seat follows from its id, so that it is the same when it is put again.
func (s *Store) accountFact(a store.Account) fact[store.Account] {
	a.Terms = query.Terms(a.Doc, s.documents)
	f := fact[store.Account]{ID: a.ID, Company: a.Company, Keys: accountKeys(&a), Terms: accountTerms(&a)}
	f.Account = accountSide{GroupsVersion: a.GroupsVersion, Groups: a.Groups, Queue: queuePlace(&a), Held: heldPlace(&a)}
	if a.Seat != "" {
		f.Account.Claim = join(importID, a.ID)
	}
	a.GroupsVersion, a.Groups, a.Terms = 0, 0, nil
	f.Value = a
	return f
}

// putLosses stores as many as there were; whose they were does not matter any more.
func (s *Store) putLosses(ctx context.Context, records []store.Record) error {
	var docs []any
	err := putEach(records, func(r store.LossRecord) error {
		for i := range r.Count {
			docs = append(docs, lossRecord{
				ID: join(importID, r.Company, r.Connection, fmt.Sprint(r.At.UnixMilli()), fmt.Sprint(i)), Company: r.Company,
				Loss: loss{r.Connection, r.At}, Put: time.Now(),
			})
		}
		return nil
	})
	if err != nil {
		return err
	}
	for len(docs) > 0 {
		n := min(len(docs), inBatches)
		if err := s.insertMany(ctx, s.losses, docs[:n]); err != nil {
			return err
		}
		docs = docs[n:]
	}
	return nil
}

// SettleImport implements [store.Transfer]: the accounts that hold seats get theirs, in the order of their ids, and then there are as many that
// are free as belong to the pool.
func (s *Store) SettleImport(ctx context.Context) error {
	ctx, end, err := s.beginWrite(ctx)
	if err != nil {
		return err
	}
	defer end()
	long, cancel := context.WithTimeout(ctx, exportTime)
	defer cancel()
	e := &export{s: s, ctx: long}
	return wrap(ctx, e.companies(func(company, _ string) error {
		taken := map[string]int{} // seats of a license
		var docs []any
		err := each(e, s.accounts.Collection, append(listedAfter(company, ""), field("claim", bson.D{field("$exists", true)})), bson.D{field("_id", 1)},
			func(f fact[store.Account]) error {
				a := f.Value
				taken[a.Seat]++
				n := taken[a.Seat]
				docs = append(docs, seat{
					ID: seatID(company, a.Seat, n), Company: company, License: a.Seat, Number: n,
					Claim: f.Account.Claim, Holder: a.ID, State: a.SeatState, Version: a.Version,
				})
				if len(docs) < inBatches {
					return nil
				}
				err := s.insertMany(long, s.seats, docs)
				docs = nil
				return err
			})
		if err == nil {
			err = s.insertMany(long, s.seats, docs)
		}
		if err != nil {
			return err
		}
		pools, err := s.pools.values(long, bson.D{field("co", company)}, bson.D{field("_id", 1)})
		for _, p := range pools {
			if err == nil {
				_, err = s.readyPool(long, company, p.License)
			}
		}
		return err
	}))
}
