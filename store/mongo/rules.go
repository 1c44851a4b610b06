package mongo

import (
	"context"
	"errors"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"usher/store"
)

// CreateRule implements [store.Rules].
func (s *Store) CreateRule(ctx context.Context, r store.Rule, sweep *store.Sweep, events []store.Event) error {
	ctx, end, err := s.beginWrite(ctx)
	if err != nil {
		return err
	}
	defer end()
	if r.Match == nil {
		if _, err := s.groups.get(ctx, in(r.Company, r.Group)); err != nil {
			return err
		}
	}
	news := notices(sweep, events)
	err = s.rules.create(ctx, fact[store.Rule]{ID: r.ID, Company: r.Company, Value: r, Keys: []string{key("id", r.ID)}}, news)
	if mongo.IsDuplicateKeyError(err) {
		return &store.ConflictError{Field: "ID", Value: r.ID}
	}
	if err != nil {
		return err
	}
	return s.carryAll(ctx, r.Company, news)
}

// DeleteRule implements [store.Rules].
func (s *Store) DeleteRule(ctx context.Context, company, id string, sweep *store.Sweep, events []store.Event) error {
	ctx, end, err := s.beginWrite(ctx)
	if err != nil {
		return err
	}
	defer end()
	news := notices(sweep, events)
	_, fits, err := s.rules.bury(ctx, company, bson.D{field("_id", id), field("co", company)}, news)
	switch {
	case err != nil:
		return err
	case !fits:
		return store.ErrNotFound
	}
	return s.carryAll(ctx, company, news)
}

// ListRules implements [store.Rules].
func (s *Store) ListRules(ctx context.Context, company string) ([]store.Rule, error) {
	end, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	return s.rules.values(ctx, bson.D{field("co", company)}, bson.D{field("v.priority", -1), field("v.created", 1), field("_id", 1)})
}

// schemasRecord is all schemas of one company, in one document, so that they have one revision.
type schemasRecord struct {
	Revision int64
	All      []store.Schema
}

// changeSchemas replaces the schemas of a company by what change makes of them.
func (s *Store) changeSchemas(ctx context.Context, company string, events []store.Event, change func([]store.Schema) ([]store.Schema, error)) error {
	ctx, end, err := s.beginWrite(ctx)
	if err != nil {
		return err
	}
	defer end()
	if _, err := s.company(ctx, company); err != nil {
		return err
	}
	news := notices(nil, events)
	for {
		old, err := s.schemas.value(ctx, byID(company))
		first := errors.Is(err, store.ErrNotFound)
		if err != nil && !first {
			return err
		}
		all, err := change(old.All)
		if err != nil {
			return err
		}
		next := schemasRecord{old.Revision + 1, all}
		if first {
			err = s.schemas.create(ctx, fact[schemasRecord]{ID: company, Company: company, Value: next, Keys: []string{key("id", company)}}, news)
			if !mongo.IsDuplicateKeyError(err) {
				return err
			}
			continue
		}
		_, fits, err := s.schemas.change(ctx, company, bson.D{field("_id", company), field("v.revision", old.Revision)}, set(field("v", next)), news)
		if err != nil || fits {
			return err
		}
	}
}

func indexOfSchema(all []store.Schema, urn string) int {
	return slices.IndexFunc(all, func(s store.Schema) bool { return strings.EqualFold(s.URN, urn) })
}

// PutSchema implements [store.Schemas].
func (s *Store) PutSchema(ctx context.Context, schema store.Schema, events []store.Event) error {
	return s.changeSchemas(ctx, schema.Company, events, func(all []store.Schema) ([]store.Schema, error) {
		if i := indexOfSchema(all, schema.URN); i >= 0 {
			fresh := schema
			fresh.Created = all[i].Created
			all[i] = fresh
			return all, nil
		}
		return append(all, schema), nil
	})
}

// DeleteSchema implements [store.Schemas].
func (s *Store) DeleteSchema(ctx context.Context, company, urn string, events []store.Event) error {
	return s.changeSchemas(ctx, company, events, func(all []store.Schema) ([]store.Schema, error) {
		i := indexOfSchema(all, urn)
		if i < 0 {
			return nil, store.ErrNotFound
		}
		return slices.Delete(all, i, i+1), nil
	})
}

// ListSchemas implements [store.Schemas].
func (s *Store) ListSchemas(ctx context.Context, company string) ([]store.Schema, int64, error) {
	end, err := s.begin(ctx)
	if err != nil {
		return nil, 0, err
	}
	defer end()
	r, err := s.schemas.value(ctx, byID(company))
	if errors.Is(err, store.ErrNotFound) {
		return nil, 0, nil
	}
	return r.All, r.Revision, err
}

// quirkRecord is how often a quirk was needed by a connection of a company.
type quirkRecord struct {
	ID      string         `bson:"_id"`
	Company string         `bson:"co"`
	Value   store.QuirkUse `bson:"v"`
}

// CountQuirks implements [store.Quirks]; each use is a step of its own. One that was not answered may be counted twice.
func (s *Store) CountQuirks(ctx context.Context, company string, uses []store.QuirkUse) error {
	ctx, end, err := s.beginWrite(ctx)
	if err != nil {
		return err
	}
	defer end()
	if _, err := s.company(ctx, company); err != nil {
		return err
	}
	for _, u := range uses {
		err := s.try(ctx, func(ctx context.Context) error {
			_, err := s.quirks.UpdateOne(ctx, byID(join(company, u.Connection, u.Quirk)), bson.D{
				{Key: "$setOnInsert", Value: bson.D{field("co", company), field("v.connection", u.Connection), field("v.quirk", u.Quirk),
					field("v.first", u.First)}},
				{Key: "$inc", Value: bson.D{field("v.count", u.Count)}},
				{Key: "$max", Value: bson.D{field("v.last", u.Last)}},
			}, options.UpdateOne().SetUpsert(true))
			return err
		})
		if mongo.IsDuplicateKeyError(err) { // of two at once that were the first
			err = unavailable(ctx, err)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// ListQuirks implements [store.Quirks].
func (s *Store) ListQuirks(ctx context.Context, company string) ([]store.QuirkUse, error) {
	end, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	var found []quirkRecord
	err = findAll(ctx, s, s.quirks, bson.D{field("co", company)}, &found, byCreation)
	var all []store.QuirkUse
	for _, r := range found {
		all = append(all, r.Value)
	}
	return all, err
}
