package mongo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"usher/store"
)

var _ store.Doctor = (*Store)(nil)

// leftBehind is how old something must be that is under way for nobody to be at it any more: reconcilers end it before.
const leftBehind = 2 * time.Minute

// Examine implements [store.Doctor]: whether the server keeps updates apart and has the indexes, what was left half-way, and what belongs to
// nothing. Others may write meanwhile: what seems wrong is looked at once more in the end.
func (s *Store) Examine(ctx context.Context) ([]store.Finding, error) {
	end, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	long, cancel := context.WithTimeout(ctx, exportTime)
	defer cancel()
	x := &examination{export: export{s: s, ctx: long}, now: time.Now()}
	for _, look := range []func() error{x.server, x.underWay, x.members, x.seats} {
		if err := look(); err != nil {
			return nil, wrap(long, err)
		}
	}
	return x.found, nil
}

// examination is one look at a database.
type examination struct {
	export
	now   time.Time
	found []store.Finding
}

func (x *examination) wrong(check, company, about, format string, args ...any) {
	x.found = append(x.found, store.Finding{Check: check, Company: company, About: about, Text: fmt.Sprintf(format, args...)})
}

// server looks at the server itself.
func (x *examination) server() error {
	if err := x.s.probe(x.ctx); errors.Is(err, ErrNotAtomic) {
		x.wrong("server", "", "", "%v", ErrNotAtomic)
	} else if err != nil {
		return err
	}
	missing, err := x.s.missingIndexes(x.ctx)
	for _, name := range missing {
		x.wrong("index", "", name, "the index %s is missing, and what it serves reads whole collections: restart a server, which makes it", name)
	}
	return err
}

// old says whether an id of version 7 was made long ago; one that is none was.
func (x *examination) old(id string) bool {
	u, err := uuid.Parse(id)
	if err != nil {
		return true
	}
	sec, nsec := u.Time().UnixTime()
	return x.now.Sub(time.Unix(sec, nsec)) > leftBehind
}

// underWay looks for what was begun and not ended, and nobody is at any more.
func (x *examination) underWay() error {
	const server = ": a server ends it within a minute; if one runs and it stays, look at the server's log"
	err := each(&x.export, x.s.seats, bson.D{field("st", claiming)}, bson.D{}, func(d seat) error {
		if x.old(d.Claim) {
			x.wrong("seats", d.Company, d.ID, "the seat %s was claimed and nobody has got it"+server, d.ID)
		}
		return nil
	})
	for _, c := range []struct {
		what string
		*mongo.Collection
	}{{"the removal of account", x.s.accounts.Collection}, {"the change of the members of group", x.s.groups.Collection}} {
		if err != nil {
			return err
		}
		err = each(&x.export, c.Collection, bson.D{field("open", true)}, bson.D{}, func(d opened) error {
			if x.old(d.Write) {
				x.wrong("members", d.Company, d.ID, "%s %s has broken off"+server, c.what, d.ID)
			}
			return nil
		})
	}
	waiting := map[string]int{}
	for _, b := range x.s.boxes {
		if err != nil {
			return err
		}
		var letters []letter
		letters, err = b.letters(x.ctx, bson.D{field("box", bson.D{field("$exists", true)})})
		for _, l := range letters {
			if x.old(l.ID) {
				waiting[l.company]++
			}
		}
	}
	for company, n := range waiting {
		x.wrong("events", company, "", "%d events and other consequences of changes wait to be moved to where they are read"+server, n)
	}
	return err
}

// members looks for memberships of accounts and groups that are not there.
func (x *examination) members() error {
	return x.companies(func(company, _ string) error {
		orphans := 0
		var rows []memberRow
		look := func() error {
			lost, err := x.orphans(company, rows)
			orphans += len(lost)
			rows = nil
			return err
		}
		filter := bson.D{field("co", company), field("g", bson.D{field("$exists", true)})}
		err := each(&x.export, x.s.members, filter, bson.D{field("g", 1), field("u", 1)}, func(r memberRow) error {
			if rows = append(rows, r); len(rows) < inBatches {
				return nil
			}
			return look()
		})
		if err == nil {
			err = look()
		}
		if orphans > 0 {
			x.wrong("members", company, "", "%d memberships are of missing accounts or groups: replace the members of the groups concerned as a whole, or restore a backup", orphans)
		}
		return err
	})
}

// orphans gives the rows that are still there, and whose account or group still is not, at a second look.
func (x *examination) orphans(company string, rows []memberRow) ([]memberRow, error) {
	for look := 1; ; look++ {
		var accounts, groups []string
		for _, r := range rows {
			accounts, groups = append(accounts, r.Account), append(groups, r.Group)
		}
		people, err := x.s.displays(x.ctx, x.s.accounts.Collection, company, distinct(accounts))
		if err != nil {
			return nil, err
		}
		there, err := x.s.displays(x.ctx, x.s.groups.Collection, company, distinct(groups))
		if err != nil {
			return nil, err
		}
		var lost []memberRow
		var ids []string
		for _, r := range rows {
			_, person := people[r.Account]
			if _, group := there[r.Group]; !person || !group {
				lost, ids = append(lost, r), append(ids, r.ID)
			}
		}
		if len(lost) == 0 || look == 2 {
			return lost, nil
		}
		rows = nil // those that have not gone meanwhile
		err = x.s.all(x.ctx, x.s.members, bson.D{field("_id", bson.D{field("$in", ids)}), field("g", bson.D{field("$exists", true)})}, &rows)
		if err != nil {
			return nil, err
		}
	}
}

// seats compares those that are taken with the accounts that must have them, both ways.
func (x *examination) seats() error {
	return x.companies(func(company, _ string) error {
		if err := x.takenSeats(company); err != nil {
			return err
		}
		return x.carriedSeats(company)
	})
}

// holder is an account as far as its seat goes.
type holder struct {
	ID      string      `bson:"_id"`
	Account accountSide `bson:",inline"`
}

// takenSeats looks at the accounts of seats.
func (x *examination) takenSeats(company string) error {
	filter := bson.D{field("co", company), field("free", false), field("st", bson.D{field("$ne", claiming)})}
	return chunks(x, x.s.seats, filter, func(d seat) string { return d.Holder }, func(taken []seat, holders []string) error {
		claims := map[string]string{}
		var found []holder
		if err := x.s.all(x.ctx, x.s.accounts.Collection, bson.D{field("_id", bson.D{field("$in", holders)}), field("co", company)}, &found); err != nil {
			return err
		}
		for _, a := range found {
			claims[a.ID] = a.Account.Claim
		}
		for _, d := range taken {
			if claims[d.Holder] == d.Claim {
				continue
			}
			// It may have changed hands since it was read.
			n, err := x.s.count(x.ctx, x.s.seats, bson.D{field("_id", d.ID), field("claim", d.Claim), field("free", false)})
			if err != nil {
				return err
			}
			if n > 0 && x.old(d.Claim) {
				x.wrong("seats", company, d.ID, "the seat %s is taken by account %s, which does not have it: nobody else gets it; release it by \"db.seats.updateOne({_id: %q, claim: %q}, {$set: {free: true}, $unset: {claim: 1, holder: 1, st: 1, ver: 1}})\"",
					d.ID, d.Holder, d.ID, d.Claim)
			}
		}
		return nil
	})
}

// carriedSeats looks at the seats of accounts.
func (x *examination) carriedSeats(company string) error {
	filter := bson.D{field("co", company), field("k", everyTerm), field("claim", bson.D{field("$exists", true)})}
	return chunks(x, x.s.accounts.Collection, filter, func(a holder) string { return a.Account.Claim }, func(accounts []holder, claims []string) error {
		var found []seat
		if err := x.s.all(x.ctx, x.s.seats, bson.D{field("co", company), field("claim", bson.D{field("$in", claims)})}, &found); err != nil {
			return err
		}
		there := map[string]int{}
		for _, d := range found {
			there[d.Claim]++
		}
		for _, a := range accounts {
			if there[a.Account.Claim] == 1 {
				continue
			}
			n, err := x.s.count(x.ctx, x.s.accounts.Collection, bson.D{field("_id", a.ID), field("claim", a.Account.Claim)})
			if err != nil {
				return err
			}
			if n > 0 && x.old(a.Account.Claim) {
				x.wrong("seats", company, a.ID, "account %s has a seat of which there are %d documents and not 1: take the license from the person and give it again", a.ID, there[a.Account.Claim])
			}
		}
		return nil
	})
}

// chunks reads the documents that fit, some at a time, with a name for each.
func chunks[T any](x *examination, c *mongo.Collection, filter bson.D, name func(T) string, look func(some []T, names []string) error) error {
	var some []T
	var names []string
	flush := func() error {
		if len(some) == 0 {
			return nil
		}
		err := look(some, names)
		some, names = nil, nil
		return err
	}
	err := each(&x.export, c, filter, bson.D{}, func(doc T) error {
		if some, names = append(some, doc), append(names, name(doc)); len(some) < inBatches {
			return nil
		}
		return flush()
	})
	if err != nil {
		return err
	}
	return flush()
}
