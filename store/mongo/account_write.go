package mongo

import (
	"context"
	"errors"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"golang.org/x/sync/errgroup"

	"usher/store"
	"usher/store/query"
)

const (
	userNameKey  = "userName"
	extensionKey = "extension"
	identityKey  = "identity"
)

// identityOf joins what an identity provider knows a person by. No issuer, which is an address, has a NUL.
func identityOf(issuer, subject string) string { return issuer + "\x00" + subject }

// accountKeys gives the values of an account that no other of its company may have.
func accountKeys(a *store.Account) []string {
	keys := []string{key("id", a.ID), key(userNameKey, a.UserName)}
	if a.Extension != "" {
		keys = append(keys, key(extensionKey, a.Extension))
	}
	if a.Identity.Subject != "" {
		keys = append(keys, key(identityKey, identityOf(a.Identity.Issuer, a.Identity.Subject)))
	}
	return keys
}

// WriteAccount implements [store.Accounts].
func (s *Store) WriteAccount(ctx context.Context, w store.AccountWrite) (store.Account, error) {
	ctx, end, err := s.beginWrite(ctx)
	if err != nil {
		return store.Account{}, err
	}
	defer end()
	return s.writeAccount(ctx, w)
}

// accountPlan is one write of an account under way.
type accountPlan struct {
	create  bool
	version int64 // that the account has before
	above   int64 // the version that a created account begins above
	after   store.Account
	moves   bool      // whether it is another seat that the account holds afterwards
	was     string    // claim of the seat that it holds before, where that matters
	claim   string    // and afterwards
	claimed time.Time // when a new seat was; zero: none was
	news    []notice
}

// writeAccount claims what the write needs, compares and sets the account, which decides, and carries out what follows.
func (s *Store) writeAccount(ctx context.Context, w store.AccountWrite) (store.Account, error) {
	p := accountPlan{create: w.Before == nil, after: w.After}
	var before store.Account
	if !p.create {
		before, p.version = *w.Before, w.Before.Version
	}
	events := w.Events
	if before.Seat != w.After.Seat || before.SeatState != w.After.SeatState {
		if err := s.prepareSeat(ctx, &p, before); err != nil {
			return store.Account{}, err
		}
	}
	if w.After.Seat != "" && w.After.Seat != before.Seat {
		claim, claimed := store.NewID(), time.Now()
		got, err := s.claimSeat(ctx, w.After.Company, w.After.Seat, w.After.ID, claim)
		switch {
		case err != nil:
			return store.Account{}, err
		case got:
			p.claim, p.claimed = claim, claimed
		case w.NoSeat == nil:
			return store.Account{}, store.ErrNoSeat
		case w.NoSeat.Account.Seat != "" && w.NoSeat.Account.Seat != before.Seat:
			return store.Account{}, errors.New("mongo: the fallback of a write claims a seat of its own")
		default:
			p.after, events = w.NoSeat.Account, w.NoSeat.Events
		}
	}
	if p.claimed.IsZero() && p.after.Seat != "" {
		p.claim = p.was
	}
	p.moves = p.create || p.after.Seat != before.Seat
	if w.Adopt != nil {
		p.above = w.Adopt.Version
	}
	p.tell(w, before, events)
	stored, err := s.commit(ctx, &p)
	if err != nil {
		// Of other errors nobody can tell that it was not done: then the reconciler looks at the account.
		if !p.claimed.IsZero() && isRefusal(err) {
			s.later(ctx, "give a seat back", s.freeSeat(ctx, w.After.Company, p.claim))
		}
		return store.Account{}, err
	}
	s.later(ctx, "do what follows from a change", s.carryAll(ctx, w.After.Company, p.news))
	return stored, nil
}

// isRefusal says whether an error of a write says for sure that it was not made.
func isRefusal(err error) bool {
	return errors.Is(err, store.ErrVersion) || errors.Is(err, store.ErrNotFound) || errors.As(err, new(*store.ConflictError))
}

// prepareSeat refuses what can be refused before a seat is claimed, so that a write that fails anyway keeps no seat from others, and finds the
// claim of the seat that the account has.
func (s *Store) prepareSeat(ctx context.Context, p *accountPlan, before store.Account) error {
	if !p.create {
		was, err := s.readAccount(ctx, p.after.Company, p.after.ID)
		if err != nil {
			return err
		}
		if was.Value.Version != p.version {
			return store.ErrVersion
		}
		p.was = was.Account.Claim
	}
	if p.after.Seat == before.Seat {
		return nil
	}
	had := accountKeys(&before)
	taken := slices.DeleteFunc(accountKeys(&p.after), func(k string) bool { return slices.Contains(had, k) })
	if len(taken) == 0 {
		return nil
	}
	return s.conflict(ctx, &p.after)
}

// tell makes the notices of the write.
func (p *accountPlan) tell(w store.AccountWrite, before store.Account, events []store.Event) {
	p.news = append(notices(nil, events, w.Mails...), lossOf(w.Loss, w.After.Modified)...)
	if p.claim != "" && (p.claim != p.was || before.SeatState != p.after.SeatState) {
		version := max(p.version, p.above) + 1
		p.news = append(p.news, notice{ID: store.NewID(), Settle: &seatState{Holder: p.after.ID, Claim: p.claim, State: p.after.SeatState, Version: version}})
	}
	if p.was != "" && p.after.Seat != before.Seat {
		p.news = append(p.news, notice{ID: store.NewID(), Free: p.was})
	}
	if w.Adopt != nil {
		p.news = append(p.news, notice{ID: store.NewID(), Tombstone: w.Adopt})
	}
}

// commitTries is how often a write is tried again whose keys were taken by somebody who has given them up by now.
const commitTries = 5

// commit compares and sets the account: the one step that decides.
func (s *Store) commit(ctx context.Context, p *accountPlan) (store.Account, error) {
	for try := 1; ; try++ {
		if !p.claimed.IsZero() && time.Since(p.claimed) > claimGood {
			return store.Account{}, unavailable(ctx, errors.New("the seat took too long to claim"))
		}
		a, err := s.commitOnce(ctx, p)
		if !mongo.IsDuplicateKeyError(err) {
			return a, err
		}
		if err := s.conflict(ctx, &p.after); err != nil {
			return store.Account{}, err
		}
		if try == commitTries {
			return store.Account{}, unavailable(ctx, err)
		}
	}
}

func (s *Store) commitOnce(ctx context.Context, p *accountPlan) (store.Account, error) {
	a := p.after
	a.Version, a.GroupsVersion, a.Groups, a.Terms = max(p.version, p.above)+1, 0, 0, nil
	found := p.after
	if found.Terms == nil { // as it was read: they are not kept beside the document
		found.Terms = query.Terms(found.Doc, s.documents)
	}
	f := fact[store.Account]{ID: a.ID, Company: a.Company, Value: a, Keys: accountKeys(&a), Terms: accountTerms(&found)}
	f.Account.Claim, f.Account.Queue, f.Account.Held = p.claim, queuePlace(&a), heldPlace(&a)
	if p.create {
		err := s.accounts.create(ctx, f, p.news)
		if !mongo.IsDuplicateKeyError(err) {
			return presentAccount(f), err
		}
		return s.revive(ctx, f, p.news, err)
	}
	filter := append(in(a.Company, a.ID), field("v.version", p.version))
	update := accountUpdate(f)
	if p.moves {
		update = optional(update, "claim", f.Account.Claim)
	}
	after, fits, err := s.accounts.change(ctx, a.Company, filter, update, p.news)
	if err != nil {
		return store.Account{}, err
	}
	if !fits {
		return store.Account{}, s.versionOrGone(ctx, a.Company, a.ID)
	}
	f.Account.GroupsVersion, f.Account.Groups = after.Account.GroupsVersion, after.Account.Groups
	return presentAccount(f), nil
}

// revive makes an account in the document of a deleted one with its id, which may still have something to tell. taken is the error that is
// given where there is none.
func (s *Store) revive(ctx context.Context, f fact[store.Account], news []notice, taken error) (store.Account, error) {
	var old fact[store.Account]
	err := s.try(ctx, func(ctx context.Context) error { return s.accounts.FindOne(ctx, byID(f.ID)).Decode(&old) })
	switch {
	case errors.Is(err, store.ErrNotFound): // it is another key that is taken, or the document is gone by now
		return store.Account{}, taken
	case err != nil:
		return store.Account{}, err
	case old.Company != f.Company || !old.Gone:
		return store.Account{}, &store.ConflictError{Field: "ID", Value: f.ID}
	case old.Open:
		if err := s.finishDelete(ctx, f.Company, f.ID); err != nil {
			return store.Account{}, err
		}
	}
	update := optional(accountUpdate(f), "claim", f.Account.Claim)
	for _, name := range []string{"gone", "gver", "ng"} {
		update = with(update, "$unset", field(name, 1))
	}
	_, fits, err := s.accounts.change(ctx, f.Company, bson.D{field("_id", f.ID), field("gone", true), field("open", nil)}, update, news)
	if err == nil && !fits {
		err = taken
	}
	return presentAccount(f), err
}

// accountUpdate sets what a write of an account decides, but for the claim of a seat.
func accountUpdate(f fact[store.Account]) bson.D {
	update := set(field("v", f.Value), field("u", f.Keys), field("k", f.Terms))
	return optional(optional(update, "wq", f.Account.Queue), "hq", f.Account.Held)
}

// optional sets a field that is there only while it has a value.
func optional(update bson.D, name, value string) bson.D {
	if value == "" {
		return with(update, "$unset", field(name, 1))
	}
	return with(update, "$set", field(name, value))
}

// conflict gives the error of the first key of the account that another has; nil when there is none.
func (s *Store) conflict(ctx context.Context, a *store.Account) error {
	var others []struct {
		ID   string   `bson:"_id"`
		Keys []string `bson:"u"`
	}
	filter := bson.D{field("co", a.Company), field("u", bson.D{field("$in", accountKeys(a))}), field("_id", bson.D{field("$ne", a.ID)})}
	err := findAll(ctx, s, s.accounts.Collection, filter, &others, options.Find().SetProjection(bson.D{field("u", 1)}))
	if err != nil {
		return err
	}
	for _, unique := range []struct{ field, key, value string }{
		{"UserName", key(userNameKey, a.UserName), a.UserName},
		{"Extension", key(extensionKey, a.Extension), a.Extension},
		{"Identity", key(identityKey, identityOf(a.Identity.Issuer, a.Identity.Subject)), a.Identity.Subject},
	} {
		for _, other := range others {
			if unique.value != "" && slices.Contains(other.Keys, unique.key) {
				return &store.ConflictError{Field: unique.field, Value: unique.value}
			}
		}
	}
	return nil
}

// parallelWrites is how many writes of a batch are made at a time.
const parallelWrites = 8

// WriteAccounts implements [store.Accounts]. Writes that move no seat are made at the same time; one that does waits for those before it and is
// waited for, because it may need the seat that one before it gives back.
func (s *Store) WriteAccounts(ctx context.Context, ws []store.AccountWrite) []store.AccountResult {
	results := make([]store.AccountResult, len(ws))
	write := func(i int) { results[i].Account, results[i].Err = s.WriteAccount(ctx, ws[i]) }
	for i := 0; i < len(ws); {
		if movesSeat(ws[i]) {
			write(i)
			i++
			continue
		}
		var together errgroup.Group
		together.SetLimit(parallelWrites)
		of := map[string]bool{}
		for ; i < len(ws) && !movesSeat(ws[i]) && !of[ws[i].After.ID]; i++ {
			n := i
			of[ws[n].After.ID] = true
			together.Go(func() error {
				write(n)
				return nil
			})
		}
		_ = together.Wait() // each result has its own error
	}
	return results
}

func movesSeat(w store.AccountWrite) bool {
	if w.Before == nil {
		return w.After.Seat != ""
	}
	return w.Before.Seat != w.After.Seat
}
