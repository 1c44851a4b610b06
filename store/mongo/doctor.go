package mongo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
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
	for _, look := range []func() error{x.server, x.companiesGone, x.underWay, x.members, x.seats} {
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

// companiesGone looks for what is of companies that there are not. One that is being made has its pools before it is there, so it looks twice.
func (x *examination) companiesGone() error {
	gone, err := x.strangers()
	if err != nil || len(gone) == 0 || !pause(x.ctx, attempts) {
		return err
	}
	again, err := x.strangers()
	for company, where := range again {
		if _, before := gone[company]; before {
			x.wrong("company", company, "", "the company is missing, and there are records of it in %s: restore a backup", strings.Join(where, ", "))
		}
	}
	return err
}

// strangers gives the companies that are missing, and the collections with records of them.
func (x *examination) strangers() (map[string][]string, error) {
	where := map[string][]string{}
	for _, c := range x.s.recordCollections() {
		var of []string
		err := x.s.try(x.ctx, func(ctx context.Context) error {
			found := c.Distinct(ctx, "co", bson.D{})
			if err := found.Err(); err != nil {
				return err
			}
			return found.Decode(&of)
		})
		if err != nil {
			return nil, err
		}
		for _, company := range of {
			where[company] = append(where[company], c.Name())
		}
	}
	companies, err := x.s.companies.values(x.ctx, bson.D{}, bson.D{field("_id", 1)})
	for _, c := range companies {
		delete(where, c.ID)
	}
	return where, err
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

// idsOf gives the ids of what is not deleted of a company's accounts or groups.
func (x *examination) idsOf(c *mongo.Collection, company string) (map[string]bool, error) {
	ids := map[string]bool{}
	err := each(&x.export, c, listedAfter(company, ""), bson.D{field("_id", 1)}, func(d opened) error {
		ids[d.ID] = true
		return nil
	}, "_id")
	return ids, err
}

// members looks for memberships of accounts and groups that are not there.
func (x *examination) members() error {
	return x.companies(func(company, _ string) error {
		people, err := x.idsOf(x.s.accounts.Collection, company)
		if err != nil {
			return err
		}
		groups, err := x.idsOf(x.s.groups.Collection, company)
		if err != nil {
			return err
		}
		var lost []memberRow
		filter := bson.D{field("co", company), field("g", bson.D{field("$exists", true)})}
		err = each(&x.export, x.s.members, filter, bson.D{field("g", 1), field("u", 1)}, func(r memberRow) error {
			if !people[r.Account] || !groups[r.Group] {
				lost = append(lost, r)
			}
			return nil
		})
		if err != nil {
			return err
		}
		orphans := 0
		for some := range slices.Chunk(lost, inBatches) {
			still, err := x.orphans(company, some)
			if err != nil {
				return err
			}
			orphans += len(still)
		}
		if orphans > 0 {
			x.wrong("members", company, "", "%d memberships are of missing accounts or groups: replace the members of the groups concerned as a whole, or restore a backup", orphans)
		}
		return nil
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
		err = findAll(x.ctx, x.s, x.s.members, bson.D{field("_id", bson.D{field("$in", ids)}), field("g", bson.D{field("$exists", true)})}, &rows)
		if err != nil {
			return nil, err
		}
	}
}

// holder is an account as far as its seat goes.
type holder struct {
	ID      string      `bson:"_id"`
	Account accountSide `bson:",inline"`
}

// seats compares those that are taken with the accounts that must have them, both ways.
func (x *examination) seats() error {
	return x.companies(func(company, _ string) error {
		taken := map[string][]seat{} // by claim
		filter := bson.D{field("co", company), field("free", false), field("st", bson.D{field("$ne", claiming)})}
		err := each(&x.export, x.s.seats, filter, bson.D{}, func(d seat) error {
			taken[d.Claim] = append(taken[d.Claim], d)
			return nil
		})
		if err != nil {
			return err
		}
		var without []holder
		filter = bson.D{field("co", company), field("k", everyTerm), field("claim", bson.D{field("$exists", true)})}
		err = each(&x.export, x.s.accounts.Collection, filter, bson.D{}, func(a holder) error {
			if of := taken[a.Account.Claim]; len(of) != 1 || of[0].Holder != a.ID {
				without = append(without, a)
			}
			delete(taken, a.Account.Claim)
			return nil
		}, "claim")
		if err != nil {
			return err
		}
		if err := x.seatless(company, without); err != nil {
			return err
		}
		return x.holderless(company, taken)
	})
}

// seatless looks once more at accounts that have not one seat.
func (x *examination) seatless(company string, accounts []holder) error {
	for _, a := range accounts {
		claim := field("claim", a.Account.Claim)
		carries, err := x.s.count(x.ctx, x.s.accounts.Collection, bson.D{field("_id", a.ID), claim, present})
		if err != nil {
			return err
		}
		seats, err := x.s.count(x.ctx, x.s.seats, bson.D{field("co", company), claim})
		if err != nil {
			return err
		}
		if carries > 0 && seats != 1 && x.old(a.Account.Claim) {
			x.wrong("seats", company, a.ID, "account %s has a seat of which there are %d documents and not 1: take the license from the person and give it again", a.ID, seats)
		}
	}
	return nil
}

// holderless looks once more at seats that no account has.
func (x *examination) holderless(company string, taken map[string][]seat) error {
	for claim, seats := range taken {
		carries, err := x.s.count(x.ctx, x.s.accounts.Collection, bson.D{field("_id", seats[0].Holder), field("claim", claim), present})
		if err != nil {
			return err
		}
		held, err := x.s.count(x.ctx, x.s.seats, bson.D{field("_id", seats[0].ID), field("claim", claim), field("free", false)})
		if err != nil {
			return err
		}
		if carries == 0 && held > 0 && x.old(claim) {
			x.wrong("seats", company, seats[0].ID, "the seat %s is taken by account %s, which does not have it, and nobody else gets it: give it back by "+
				"db.seats.updateOne({_id: %q, claim: %q}, {$set: {free: true}, $unset: {claim: 1, holder: 1, st: 1, ver: 1}})",
				seats[0].ID, seats[0].Holder, seats[0].ID, claim)
		}
	}
	return nil
}
