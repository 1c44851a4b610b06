package mongo

import (
	"context"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"usher/store"
)

// sweepRecord is the document of a sweep. One that has ended stays for a day, so that a relay which comes late does not bring it back.
type sweepRecord struct {
	ID    string      `bson:"_id"`
	Value store.Sweep `bson:"v"`
	Ended time.Time   `bson:"ended,omitempty"`
}

// open is the condition that a sweep has not ended.
var open = field("ended", nil)

// moveNotices carries out the notices of one kind, the field of which is named, that wait in all companies.
func (s *Store) moveNotices(ctx context.Context, kind string, from ...boxed) error {
	for _, b := range from {
		letters, err := b.letters(ctx, bson.D{field("box", bson.D{field("$exists", true)}), field("out."+kind, bson.D{field("$exists", true)})})
		if err != nil {
			return err
		}
		for _, l := range letters {
			if kind == "s" && l.Sweep == nil || kind == "m" && l.Mail == nil {
				continue
			}
			if err := s.carry(ctx, l.company, l.notice); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Store) moveSweeps(ctx context.Context) error {
	return s.moveNotices(ctx, "s", s.companies, s.groups, s.rules)
}

// ListSweeps implements [store.Sweeps].
func (s *Store) ListSweeps(ctx context.Context) ([]store.Sweep, error) {
	end, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	if err := s.moveSweeps(ctx); err != nil {
		return nil, err
	}
	var found []sweepRecord
	err = findAll(ctx, s, s.sweeps, bson.D{open}, &found, options.Find().SetSort(bson.D{field("v.created", 1), field("_id", 1)}))
	var all []store.Sweep
	for _, r := range found {
		all = append(all, r.Value)
	}
	return all, err
}

// LeaseSweep implements [store.Sweeps].
func (s *Store) LeaseSweep(ctx context.Context, id, holder string, now, until time.Time) (bool, error) {
	ctx, end, err := s.beginWrite(ctx)
	if err != nil {
		return false, err
	}
	defer end()
	may := field("$or", bson.A{
		bson.D{field("v.holder", bson.D{field("$in", []string{"", holder})})}, bson.D{field("v.until", bson.D{field("$lte", now)})},
	})
	fitted, err := s.update(ctx, s.sweeps, bson.D{field("_id", id), open, may}, set(field("v.holder", holder), field("v.until", until)))
	if err != nil {
		return false, err
	}
	if fitted == 0 {
		return false, s.openSweep(ctx, id)
	}
	return true, s.carryOutFor(ctx, id)
}

// carryOutFor writes the memberships that changes of groups have left outstanding in the company of a sweep: it is to find all of those whom it is
// about, though who made the change has died.
func (s *Store) carryOutFor(ctx context.Context, sweep string) error {
	var of []sweepRecord
	if err := findAll(ctx, s, s.sweeps, byID(sweep), &of); err != nil || len(of) == 0 {
		return err
	}
	var open []opened
	company := of[0].Value.Company
	if err := findAll(ctx, s, s.groups.Collection, bson.D{field("co", company), field("open", true)}, &open); err != nil {
		return err
	}
	for _, g := range open {
		if err := s.carryOut(ctx, company, g.ID); err != nil {
			return err
		}
	}
	return nil
}

// openSweep fails with [store.ErrNotFound] when a sweep is done.
func (s *Store) openSweep(ctx context.Context, id string) error {
	n, err := s.count(ctx, s.sweeps, bson.D{field("_id", id), open})
	if err == nil && n == 0 {
		err = store.ErrNotFound
	}
	return err
}

// MoveSweep implements [store.Sweeps].
func (s *Store) MoveSweep(ctx context.Context, id, cursor string) error {
	ctx, end, err := s.beginWrite(ctx)
	if err != nil {
		return err
	}
	defer end()
	fitted, err := s.update(ctx, s.sweeps, bson.D{field("_id", id), open}, set(field("v.cursor", cursor)))
	if err == nil && fitted == 0 {
		err = store.ErrNotFound
	}
	return err
}

// EndSweep implements [store.Sweeps].
func (s *Store) EndSweep(ctx context.Context, id string) error {
	ctx, end, err := s.beginWrite(ctx)
	if err != nil {
		return err
	}
	defer end()
	_, err = s.update(ctx, s.sweeps, bson.D{field("_id", id), open}, set(field("ended", time.Now())))
	return err
}

// mailRecord is the document of a mail.
type mailRecord struct {
	ID      string     `bson:"_id"`
	Company string     `bson:"co"`
	Value   store.Mail `bson:"v"`
	Write   string     `bson:"w,omitempty"` // of the update that made it what it is
}

func (s *Store) moveMails(ctx context.Context) error { return s.moveNotices(ctx, "m", s.accounts) }

// PostMails implements [store.Outbox].
func (s *Store) PostMails(ctx context.Context, company string, mails []store.Mail) error {
	ctx, end, err := s.beginWrite(ctx)
	if err != nil {
		return err
	}
	defer end()
	for _, m := range mails {
		m.Version = 1
		if err := s.insert(ctx, s.mails, mailRecord{ID: m.ID, Company: company, Value: m}); err != nil {
			return err
		}
	}
	return nil
}

// mailsThat gives the mails that fit.
func (s *Store) mailsThat(ctx context.Context, filter, sort bson.D, limit int) ([]store.Mail, error) {
	end, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	if limit <= 0 {
		return nil, nil
	}
	if err := s.moveMails(ctx); err != nil {
		return nil, err
	}
	var found []mailRecord
	err = findAll(ctx, s, s.mails, filter, &found, options.Find().SetSort(sort).SetLimit(int64(limit)))
	var all []store.Mail
	for _, r := range found {
		all = append(all, r.Value)
	}
	return all, err
}

// DueMails implements [store.Outbox].
func (s *Store) DueMails(ctx context.Context, now time.Time, limit int) ([]store.Mail, error) {
	filter := bson.D{field("v.state", bson.D{field("$in", []string{store.MailQueued, store.MailSending})}), field("v.due", bson.D{field("$lte", now)})}
	due, err := s.mailsThat(ctx, filter, bson.D{field("v.due", 1), field("_id", 1)}, limit)
	// Not every server shows a document as it was when it fitted.
	return slices.DeleteFunc(due, func(m store.Mail) bool { return m.Due.After(now) }), err
}

// ListMails implements [store.Outbox].
func (s *Store) ListMails(ctx context.Context, company, account, before string, limit int) ([]store.Mail, error) {
	filter := bson.D{field("co", company)}
	if account != "" {
		filter = append(filter, field("v.account", account))
	}
	if before != "" {
		filter = append(filter, field("_id", bson.D{field("$lt", before)}))
	}
	return s.mailsThat(ctx, filter, bson.D{field("_id", -1)}, limit)
}

// UpdateMail implements [store.Outbox].
func (s *Store) UpdateMail(ctx context.Context, m store.Mail) error {
	ctx, end, err := s.beginWrite(ctx)
	if err != nil {
		return err
	}
	defer end()
	if err := s.moveMails(ctx); err != nil {
		return err
	}
	filter, write := bson.D{field("_id", m.ID), field("co", m.Company)}, store.NewID()
	fitted, err := s.update(ctx, s.mails, append(slices.Clone(filter), field("v.version", m.Version)), bson.D{
		{Key: "$set", Value: bson.D{field("v.state", m.State), field("v.due", m.Due), field("v.attempts", m.Attempts), field("v.error", m.Error),
			field("v.done", m.Done), field("v.version", m.Version+1), field("w", write)}},
	})
	if err != nil || fitted > 0 {
		return err
	}
	// An attempt of this call that was not answered may have been carried out.
	if n, err := s.count(ctx, s.mails, append(slices.Clone(filter), field("w", write))); err != nil || n > 0 {
		return err
	}
	n, err := s.count(ctx, s.mails, filter)
	switch {
	case err != nil:
		return err
	case n == 0:
		return store.ErrNotFound
	}
	return store.ErrVersion
}

// DropMails implements [store.Outbox].
func (s *Store) DropMails(ctx context.Context, before time.Time) (int, error) {
	return s.drop(ctx, s.mails, bson.D{field("v.done", bson.D{field("$gt", time.Time{}), field("$lt", before)})})
}
