package mongo

import (
	"context"
	"errors"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"usher/store"
)

// OpenSession implements [store.Sessions]. The account is compared and set first. What is looked at before and changes after that is told by
// the epochs in the session, which is then good for nothing.
func (s *Store) OpenSession(ctx context.Context, o store.SessionOpening) (store.Account, error) {
	ctx, end, err := s.beginWrite(ctx)
	if err != nil {
		return store.Account{}, err
	}
	defer end()
	if err := s.mayOpen(ctx, o); err != nil {
		return store.Account{}, err
	}
	account := o.Account
	if o.Write != nil {
		if account, err = s.writeAccount(ctx, *o.Write); err != nil {
			return store.Account{}, err
		}
	}
	id := hashID(o.Session.Hash)
	err = s.sessions.create(ctx, fact[store.Session]{ID: id, Company: o.Session.Company, Value: o.Session, Keys: []string{key("id", id)}},
		notices(nil, o.Events))
	if mongo.IsDuplicateKeyError(err) {
		return store.Account{}, &store.ConflictError{Field: "Session.ID", Value: o.Session.ID}
	}
	return account, err
}

func (s *Store) mayOpen(ctx context.Context, o store.SessionOpening) error {
	session := o.Session
	c, err := s.company(ctx, session.Company)
	if err != nil {
		return err
	}
	a, err := s.readAccount(ctx, session.Company, session.Account)
	if err != nil {
		return err
	}
	same := c.Epoch == session.CompanyEpoch && a.Value.Version == o.Account.Version && o.Fits()
	if same && session.Connection != "" {
		n, err := s.connections.value(ctx, byID(session.Connection))
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		same = err == nil && n.Company == session.Company && n.Epoch == session.ConnectionEpoch && n.SignOn.Version == o.SignOn
	}
	if !same {
		return store.ErrVersion
	}
	return nil
}

// Session implements [store.Sessions].
func (s *Store) Session(ctx context.Context, hash [32]byte) (store.Session, error) {
	end, err := s.begin(ctx)
	if err != nil {
		return store.Session{}, err
	}
	defer end()
	return s.session(ctx, hash)
}

func (s *Store) session(ctx context.Context, hash [32]byte) (store.Session, error) {
	session, err := s.sessions.value(ctx, byID(hashID(hash)))
	session.IDToken = ""
	return session, err
}

// Presence implements [store.Sessions].
func (s *Store) Presence(ctx context.Context, hash [32]byte) (store.Presence, error) {
	end, err := s.begin(ctx)
	if err != nil {
		return store.Presence{}, err
	}
	defer end()
	session, err := s.session(ctx, hash)
	if err != nil {
		return store.Presence{}, err
	}
	f, err := s.readAccount(ctx, session.Company, session.Account)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return store.Presence{}, err
	}
	return store.PresenceOf(session, f.Value), nil
}

// TouchSession implements [store.Sessions].
func (s *Store) TouchSession(ctx context.Context, hash [32]byte, seen time.Time) error {
	return touch(ctx, s.sessions, hash, seen)
}

// touch stores when a session was last used.
func touch[T any](ctx context.Context, f facts[T], hash [32]byte, seen time.Time) error {
	ctx, end, err := f.s.beginWrite(ctx)
	if err != nil {
		return err
	}
	defer end()
	fitted, err := f.s.update(ctx, f.Collection, bson.D{field("_id", hashID(hash)), present}, set(field("v.seen", seen)))
	if err == nil && fitted == 0 {
		err = store.ErrNotFound
	}
	return err
}

// ListSessions implements [store.Sessions].
func (s *Store) ListSessions(ctx context.Context, company, account, before string, limit int) ([]store.Session, error) {
	end, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	if limit <= 0 {
		return nil, nil
	}
	filter := bson.D{field("co", company)}
	if account != "" {
		filter = append(filter, field("v.account", account))
	}
	if before != "" {
		filter = append(filter, field("v.id", bson.D{field("$lt", before)}))
	}
	var found []fact[store.Session]
	err = findAll(ctx, s, s.sessions.Collection, append(filter, present), &found, options.Find().SetSort(bson.D{field("v.id", -1)}).SetLimit(int64(limit)))
	var all []store.Session
	for _, f := range found {
		f.Value.IDToken = ""
		all = append(all, f.Value)
	}
	return all, err
}

// EndSession implements [store.Sessions].
func (s *Store) EndSession(ctx context.Context, hash [32]byte, events []store.Event) (store.Session, error) {
	ctx, end, err := s.beginWrite(ctx)
	if err != nil {
		return store.Session{}, err
	}
	defer end()
	session, err := s.sessions.value(ctx, byID(hashID(hash)))
	if err != nil {
		return store.Session{}, err
	}
	_, fits, err := s.sessions.bury(ctx, session.Company, byID(hashID(hash)), notices(nil, events))
	if err == nil && !fits {
		err = store.ErrNotFound
	}
	if err != nil {
		return store.Session{}, err
	}
	return session, nil
}

// EndSessions implements [store.Sessions].
func (s *Store) EndSessions(ctx context.Context, company string, which store.SessionFilter, events []store.Event) (int, error) {
	ctx, end, err := s.beginWrite(ctx)
	if err != nil {
		return 0, err
	}
	defer end()
	return s.endSessions(ctx, company, which, notices(nil, events))
}

// logoutRecord is a logout token that was noted. Until it is done the sessions may not have ended: who repeats it ends them.
type logoutRecord struct {
	ID      string    `bson:"_id"`
	Expires time.Time `bson:"expires"`
	Done    bool      `bson:"done"`
	Notices []string  `bson:"notices,omitempty"` // ids of those of the events, which are the same for who repeats it
	Write   string    `bson:"w,omitempty"`
}

func logoutID(connection, id string) string { return join(connection, id) }

// EndSessionsOnce implements [store.Sessions]. The token is noted first and done last, so that a repetition goes on where it broke off.
func (s *Store) EndSessionsOnce(ctx context.Context, company string, token store.LogoutToken, which store.SessionFilter, events []store.Event) (int, bool, error) {
	ctx, end, err := s.beginWrite(ctx)
	if err != nil {
		return 0, false, err
	}
	defer end()
	id := logoutID(token.Connection, token.ID)
	news := notices(nil, events)
	first := logoutRecord{ID: id, Expires: token.Expires}
	for _, n := range news {
		first.Notices = append(first.Notices, n.ID)
	}
	if err := s.insert(ctx, s.logouts, first); err != nil {
		return 0, false, err
	}
	var noted logoutRecord
	err = s.try(ctx, func(ctx context.Context) error { return s.logouts.FindOne(ctx, byID(id)).Decode(&noted) })
	if err != nil || noted.Done {
		return 0, false, err
	}
	for i := range news[:min(len(news), len(noted.Notices))] {
		news[i].ID = noted.Notices[i]
	}
	n, err := s.endSessions(ctx, company, which, news)
	if err != nil {
		return 0, false, err
	}
	write := store.NewID()
	if _, err := s.update(ctx, s.logouts, bson.D{field("_id", id), field("done", false)}, set(field("done", true), field("w", write))); err != nil {
		return 0, false, err
	}
	err = s.try(ctx, func(ctx context.Context) error { return s.logouts.FindOne(ctx, byID(id)).Decode(&noted) })
	return n, noted.Write == write, err
}

// endSessions ends those that the filter names. The notices are the same for all of them, so that there is one event, however far it comes.
func (s *Store) endSessions(ctx context.Context, company string, which store.SessionFilter, news []notice) (n int, err error) {
	if which == (store.SessionFilter{}) {
		return 0, nil
	}
	filter := bson.D{field("co", company)}
	for _, e := range []struct{ name, value string }{
		{"v.id", which.ID}, {"v.account", which.Account}, {"v.connection", which.Connection}, {"v.subject", which.Subject},
	} {
		if e.value != "" {
			filter = append(filter, field(e.name, e.value))
		}
	}
	switch {
	case which.Provider != "" && which.Subject != "":
		filter = append(filter, field("v.provider", bson.D{field("$in", []string{which.Provider, ""})}))
	case which.Provider != "":
		filter = append(filter, field("v.provider", which.Provider))
	}
	var found []fact[struct{}]
	err = findAll(ctx, s, s.sessions.Collection, append(filter, present), &found, options.Find().SetProjection(bson.D{field("_id", 1)}))
	if err != nil {
		return 0, err
	}
	for _, f := range found {
		_, fits, err := s.sessions.bury(ctx, company, byID(f.ID), news)
		if err != nil {
			return n, err
		}
		if fits {
			n++
		}
	}
	return n, nil
}

// DropSessions implements [store.Sessions].
func (s *Store) DropSessions(ctx context.Context, before time.Time) (int, error) {
	return dropFacts(ctx, s.sessions, bson.D{field("v.expires", bson.D{field("$lt", before)})})
}

// dropFacts removes the facts that fit. What they have to tell is told first.
func dropFacts[T any](ctx context.Context, f facts[T], filter bson.D) (int, error) {
	ctx, end, err := f.s.beginWrite(ctx)
	if err != nil {
		return 0, err
	}
	defer end()
	dropped := 0
	err = f.s.try(ctx, func(ctx context.Context) error {
		result, err := f.UpdateMany(ctx, append(filter, present), set(field("gone", true)))
		if err != nil {
			return err
		}
		dropped += int(result.MatchedCount)
		_, err = f.DeleteMany(ctx, append(filter, field("gone", true), field("open", nil), field("box", nil)))
		return err
	})
	return dropped, err
}

// drop removes the documents that fit, and says how many.
func (s *Store) drop(ctx context.Context, c *mongo.Collection, filter bson.D) (dropped int, err error) {
	ctx, end, err := s.beginWrite(ctx)
	if err != nil {
		return 0, err
	}
	defer end()
	err = s.try(ctx, func(ctx context.Context) error {
		result, err := c.DeleteMany(ctx, filter)
		if err == nil {
			dropped += int(result.DeletedCount)
		}
		return err
	})
	return dropped, err
}

// CreateAdminSession implements [store.AdminSessions].
func (s *Store) CreateAdminSession(ctx context.Context, a store.AdminSession, events []store.Event) error {
	return createHashed(ctx, s.adminSessions, a.Hash, a.Company, a, "AdminSession", a.ID, events)
}

// AdminSession implements [store.AdminSessions].
func (s *Store) AdminSession(ctx context.Context, hash [32]byte) (store.AdminSession, error) {
	end, err := s.begin(ctx)
	if err != nil {
		return store.AdminSession{}, err
	}
	defer end()
	return s.adminSessions.value(ctx, byID(hashID(hash)))
}

// TouchAdminSession implements [store.AdminSessions].
func (s *Store) TouchAdminSession(ctx context.Context, hash [32]byte, seen time.Time) error {
	return touch(ctx, s.adminSessions, hash, seen)
}

// ListAdminSessions implements [store.AdminSessions].
func (s *Store) ListAdminSessions(ctx context.Context, company string) ([]store.AdminSession, error) {
	end, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	return s.adminSessions.values(ctx, bson.D{field("co", company)}, byTime)
}

// DeleteAdminSession implements [store.AdminSessions].
func (s *Store) DeleteAdminSession(ctx context.Context, company, id string, events []store.Event) error {
	return buryNamed(ctx, s.adminSessions, company, id, events)
}

// DropAdminSessions implements [store.AdminSessions].
func (s *Store) DropAdminSessions(ctx context.Context, seen, expires time.Time) (int, error) {
	return dropFacts(ctx, s.adminSessions, bson.D{field("$or", bson.A{
		bson.D{field("v.seen", bson.D{field("$lt", seen)})}, bson.D{field("v.expires", bson.D{field("$lt", expires)})},
	})})
}
