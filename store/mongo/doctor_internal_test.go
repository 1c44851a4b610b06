package mongo

import (
	"context"
	"slices"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"usher/store"
	"usher/store/mongo/mongotest"
)

// Examine finds what somebody else has done to the database or left in it, and nothing while nobody has.
func TestStore_Examine(t *testing.T) {
	long := store.NewID()[9:] // the end of an id, which is old when its beginning is
	old := "01900000-" + long
	for _, test := range []struct {
		name   string
		damage func(ctx context.Context, p patient) error
		want   []string // checks
	}{
		{"nothing", func(context.Context, patient) error { return nil }, nil},
		{"an index gone", func(ctx context.Context, p patient) error {
			return p.events.Indexes().DropOne(ctx, "co_1_seq_1")
		}, []string{"index"}},
		{"a company gone", func(ctx context.Context, p patient) error {
			_, err := p.companies.DeleteOne(ctx, byID(p.plain.Company))
			return err
		}, []string{"company"}},
		{"a member gone", func(ctx context.Context, p patient) error {
			_, err := p.accounts.DeleteOne(ctx, byID(p.plain.ID))
			return err
		}, []string{"members"}},
		{"a group gone", func(ctx context.Context, p patient) error {
			_, err := p.groups.DeleteOne(ctx, byID(p.group.ID))
			return err
		}, []string{"members"}},
		{"a seat gone", func(ctx context.Context, p patient) error {
			_, err := p.Store.seats.DeleteOne(ctx, bson.D{field("holder", p.seated.ID)})
			return err
		}, []string{"seats"}},
		{"a seat of somebody else", func(ctx context.Context, p patient) error {
			_, err := p.accounts.UpdateOne(ctx, byID(p.seated.ID), bson.D{{Key: "$unset", Value: bson.D{field("claim", 1)}}})
			return err
		}, []string{"seats"}},
		{"two seats of one", func(ctx context.Context, p patient) error {
			_, err := p.Store.seats.UpdateMany(ctx, bson.D{}, set(field("free", false), field("claim", old), field("holder", p.seated.ID), field("st", "active")))
			if err == nil {
				_, err = p.accounts.UpdateOne(ctx, byID(p.seated.ID), set(field("claim", old)))
			}
			return err
		}, []string{"seats"}},
		{"a claim that was left", func(ctx context.Context, p patient) error {
			_, err := p.Store.seats.UpdateOne(ctx, bson.D{field("free", true)}, set(field("free", false), field("claim", old), field("holder", p.plain.ID), field("st", claiming)))
			return err
		}, []string{"seats"}},
		{"a claim under way", func(ctx context.Context, p patient) error {
			_, err := p.Store.seats.UpdateOne(ctx, bson.D{field("free", true)},
				set(field("free", false), field("claim", store.NewID()), field("holder", p.plain.ID), field("st", claiming)))
			return err
		}, nil},
		{"a removal that has broken off", func(ctx context.Context, p patient) error {
			_, err := p.accounts.UpdateOne(ctx, byID(p.seated.ID), set(field("open", true), field("w", old)))
			return err
		}, []string{"members"}},
		{"a change of a group that is under way", func(ctx context.Context, p patient) error {
			_, err := p.groups.UpdateOne(ctx, byID(p.group.ID), set(field("open", true), field("w", store.NewID())))
			return err
		}, nil},
		{"an event that nobody moves", func(ctx context.Context, p patient) error {
			e := notice{ID: old, Event: &store.Event{Action: "forgotten"}}
			_, err := p.accounts.UpdateOne(ctx, byID(p.plain.ID), set(field("box", p.plain.Company), field("out", []notice{e})))
			return err
		}, []string{"events"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := healthy(t)
			if err := test.damage(t.Context(), p); err != nil {
				t.Fatal(err)
			}
			found, err := p.Examine(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			var checks []string
			for _, f := range found {
				checks = append(checks, f.Check)
			}
			if !slices.Equal(checks, test.want) {
				t.Errorf("found %q, want %q: %+v", checks, test.want, found)
			}
		})
	}
}

// patient is a store with a little of everything, without a relay and a reconciler, which would put in order what the test does to it.
type patient struct {
	*Store
	plain, seated store.Account
	group         store.Group
}

func healthy(t *testing.T) patient {
	t.Helper()
	s, err := Open(t.Context(), mongotest.URI(t), Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	s.stop()
	s.work.Wait()
	p := patient{Store: s}
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	c, err := s.CreateCompany(t.Context(), store.Company{ID: store.NewID(), Name: "acme", Created: at}, []store.Pool{{License: "ringex", Total: 2}}, nil, nil)
	write := func(name string, d store.Decision) (a store.Account) {
		if err == nil {
			a, err = s.WriteAccount(t.Context(), store.AccountWrite{After: store.Account{
				ID: store.NewID(), Company: c.ID, UserName: name, Active: true, Created: at, Modified: at, Decision: d,
			}})
		}
		return a
	}
	p.plain = write("plain", store.Decision{LicenseState: store.StateNone})
	p.seated = write("seated", store.Decision{
		License: "ringex", LicenseState: store.StateActive, Seat: "ringex", SeatState: store.StateActive, SeatSince: at, Requested: at,
	})
	if err == nil {
		p.group, err = s.CreateGroup(t.Context(), store.Group{ID: store.NewID(), Company: c.ID, Name: "all", Created: at, Modified: at}, []string{p.plain.ID}, nil, nil, nil)
	}
	if err == nil {
		_, err = s.seats.UpdateMany(t.Context(), bson.D{field("holder", p.seated.ID)}, set(field("claim", "seated")))
	}
	if err == nil {
		_, err = s.accounts.UpdateMany(t.Context(), byID(p.seated.ID), set(field("claim", "seated"))) // which is no id that was made a moment ago
	}
	if err == nil {
		err = s.flush(t.Context(), c.ID)
	}
	if err != nil {
		t.Fatal(err)
	}
	return p
}
