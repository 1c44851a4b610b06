package mongotest

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// through gives a collection as it is seen through the proxy, and the same as it is.
func through(t *testing.T) (p *Proxy, seen, real *mongo.Collection) {
	t.Helper()
	uri := URI(t)
	p = NewProxy(t, uri)
	open := func(uri string) *mongo.Collection {
		client, err := mongo.Connect(options.Client().ApplyURI(uri).SetRetryWrites(false).SetRetryReads(false).
			SetTimeout(2 * time.Second).SetServerSelectionTimeout(2 * time.Second))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = client.Disconnect(context.WithoutCancel(t.Context())) })
		return client.Database(Name(uri)).Collection("things")
	}
	return p, open(p.URI()), open(uri)
}

// TestProxy: each fault is what it says, and the next call goes well again.
func TestProxy(t *testing.T) {
	for _, tt := range []struct {
		fault Fault
		done  bool // whether the call was carried out
		fails func(error) bool
	}{
		{None, true, func(err error) bool { return err == nil }},
		{Late, true, func(err error) bool { return err == nil }},
		{Lost, false, mongo.IsNetworkError},
		{Unanswered, true, mongo.IsNetworkError},
		{Torn, true, mongo.IsNetworkError},
		{Silent, true, mongo.IsTimeout},
		{Deposed, false, hasCode(10107)},
		{SteppedDown, true, hasCode(189)},
		{Unconfirmed, true, hasCode(64)},
		{Busy, false, hasCode(262)},
		{BusyAfter, true, hasCode(262)},
	} {
		t.Run(tt.fault.String(), func(t *testing.T) {
			t.Parallel()
			p, seen, real := through(t)
			ctx := t.Context()
			p.Break(Nth(2, tt.fault))
			for i := range 3 {
				_, err := seen.InsertOne(ctx, bson.D{{Key: "_id", Value: i}})
				switch {
				case i == 1 && !tt.fails(err):
					t.Errorf("the call that is to go wrong: %v", err)
				case i != 1 && err != nil:
					t.Errorf("call %d: %v", i+1, err)
				}
			}
			n, err := real.CountDocuments(ctx, bson.D{{Key: "_id", Value: 1}})
			if err != nil || (n == 1) != tt.done {
				t.Errorf("%d documents, %v; carried out: %v", n, err, tt.done)
			}
			calls, broken := p.Calls()
			insert := Call{"insert", seen.Name()}
			if want := []Call{insert, insert, insert}; !slices.Equal(calls, want) || (broken == 1) != (tt.fault != None) {
				t.Errorf("calls %v, %d of them broken; want %v", calls, broken, want)
			}
		})
	}
}

func hasCode(code int) func(error) bool {
	return func(err error) bool {
		var server mongo.ServerError
		return errors.As(err, &server) && server.HasErrorCode(code)
	}
}

// TestProxy_down: nobody gets in while it is down, and who is there is thrown out.
func TestProxy_down(t *testing.T) {
	p, seen, _ := through(t)
	count := func() error {
		_, err := seen.CountDocuments(t.Context(), bson.D{})
		return err
	}
	if err := count(); err != nil {
		t.Fatal(err)
	}
	p.Down()
	if err := count(); err == nil {
		t.Error("a call goes through")
	}
	p.Up(t)
	if err := count(); err != nil {
		t.Errorf("when it is there again: %v", err)
	}
	p.Cut()
	if err := errors.Join(count(), count()); err != nil && !mongo.IsNetworkError(err) {
		t.Error(err)
	}
	if err := count(); err != nil {
		t.Errorf("after all connections were cut: %v", err)
	}
}

func TestPlans(t *testing.T) {
	ask := func(p Plan, n int) (all []Fault) {
		for range n {
			all = append(all, p(Call{}))
		}
		return all
	}
	for _, tt := range []struct {
		name string
		plan Plan
		want []Fault
	}{
		{"one", Nth(2, Lost), []Fault{None, Lost, None, None}},
		{"none", Nth(0, Lost), []Fault{None, None, None, None}},
		{"from", From(2, Unanswered, Lost), []Fault{None, Unanswered, Lost, Lost}},
		{"always", Sometimes(1, 1, Torn), []Fault{Torn, Torn, Torn, Torn}},
	} {
		if got := ask(tt.plan, 4); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
	once, again := ask(Sometimes(7, 3, Lost, Torn), 3000), ask(Sometimes(7, 3, Lost, Torn), 3000)
	if !slices.Equal(once, again) {
		t.Error("the same seed gives another order of things")
	}
	broken := len(slices.DeleteFunc(slices.Clone(once), func(f Fault) bool { return f == None }))
	if broken < 800 || broken > 1200 {
		t.Errorf("%d of 3000 calls go wrong, where one of three should", broken)
	}
}
