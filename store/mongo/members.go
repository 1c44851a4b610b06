package mongo

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"usher/store"
)

// memberRow is one account in a group, or formerly in it. One that is out has neither Group nor Account, so that nobody finds it; it stays for a
// day, so that a change carried out late sees by the version that a later one was there before.
type memberRow struct {
	ID      string    `bson:"_id"`
	Company string    `bson:"co"`
	Group   string    `bson:"g,omitempty"`
	Account string    `bson:"u,omitempty"`
	Version int64     `bson:"ver"` // of the group
	Out     time.Time `bson:"out,omitempty"`
}

func memberID(group, account string) string { return group + ":" + account }

// idSet is a list of ids that takes 16 bytes for each as long as they are UUIDs: a change of a group may be of as many as a request holds, and
// a document has 16 MB at most.
type idSet []string

// MarshalBSONValue implements bson.ValueMarshaler.
func (ids idSet) MarshalBSONValue() (byte, []byte, error) {
	packed := make([]byte, 0, 16*len(ids))
	for _, id := range ids {
		u, err := uuid.Parse(id)
		if err != nil || u.String() != id {
			kind, b, err := bson.MarshalValue([]string(ids))
			return byte(kind), b, err
		}
		packed = append(packed, u[:]...)
	}
	kind, b, err := bson.MarshalValue(packed)
	return byte(kind), b, err
}

// UnmarshalBSONValue implements bson.ValueUnmarshaler.
func (ids *idSet) UnmarshalBSONValue(kind byte, b []byte) error {
	if bson.Type(kind) == bson.TypeArray {
		return bson.UnmarshalValue(bson.TypeArray, b, (*[]string)(ids))
	}
	var packed []byte
	if err := bson.UnmarshalValue(bson.Type(kind), b, &packed); err != nil {
		return err
	}
	*ids = nil
	for u := range slices.Chunk(packed, 16) {
		if len(u) < 16 {
			return errors.New("mongo: a list of ids is cut off")
		}
		*ids = append(*ids, uuid.UUID(u).String())
	}
	return nil
}

// carryOut does what a group's document says is to be done to the membership documents, if anything is. Several may do it at once.
func (s *Store) carryOut(ctx context.Context, company, id string) error {
	g, err := s.groups.get(ctx, bson.D{field("_id", id), field("co", company), field("open", true)})
	if errors.Is(err, store.ErrNotFound) || err == nil && g.Group.Change == nil {
		return nil
	}
	if err != nil {
		return err
	}
	version := g.Group.Change.Version
	if err := s.setMembers(ctx, company, id, g.Group.Change.In, true, version); err != nil {
		return err
	}
	if err := s.setMembers(ctx, company, id, g.Group.Change.Out, false, version); err != nil {
		return err
	}
	if g.Gone {
		if err := s.emptyGroup(ctx, company, id, version); err != nil {
			return err
		}
	}
	// Who is there when the rows are written takes theirs along when they are deleted. Who is not left before they came.
	late, err := s.unknownAccounts(ctx, company, g.Group.Change.In)
	if err != nil {
		return err
	}
	filter := bson.D{field("_id", id), field("co", company), field("open", true), field("change.ver", version)}
	done := bson.D{{Key: "$unset", Value: bson.D{field("open", 1), field("change", 1)}}}
	if len(late) > 0 {
		done = append(done, bson.E{Key: "$addToSet", Value: bson.D{field("late", bson.D{field("$each", late)})}})
	}
	_, closed, err := s.groups.change(ctx, company, filter, done, nil)
	if err != nil {
		return err
	}
	if g.Gone {
		s.groups.clear(ctx, id)
		return nil
	}
	if !closed {
		// Somebody else was through first. If the group has been deleted since, the rows just written are nobody's.
		if _, err := s.groups.get(ctx, in(company, id)); errors.Is(err, store.ErrNotFound) {
			return s.setMembers(ctx, company, id, g.Group.Change.In, false, version+1)
		}
	}
	return s.leaveLate(ctx, company, id, late)
}

// emptyGroup takes all accounts out of a deleted group, and the group out of those that it is in.
func (s *Store) emptyGroup(ctx context.Context, company, id string, version int64) error {
	for {
		members, err := s.memberIDs(ctx, company, id, "", inBatches)
		if err != nil {
			return err
		}
		if len(members) == 0 {
			break
		}
		if err := s.setMembers(ctx, company, id, members, false, version); err != nil {
			return err
		}
	}
	if err := s.countLeavers(ctx, company, id, version); err != nil {
		return err
	}
	return s.leaveSupergroups(ctx, company, id)
}

// countLeavers counts the groups of those who have left a deleted group: who took them out may have died before.
func (s *Store) countLeavers(ctx context.Context, company, group string, version int64) error {
	after, end := memberID(group, ""), group+";" // the character after the colon
	for {
		var rows []memberRow
		filter := bson.D{field("_id", bson.D{field("$gt", after), field("$lt", end)}), field("co", company), field("ver", version)}
		opts := options.Find().SetSort(bson.D{field("_id", 1)}).SetLimit(inBatches).SetProjection(bson.D{field("_id", 1)})
		if err := findAll(ctx, s, s.members, filter, &rows, opts); err != nil || len(rows) == 0 {
			return err
		}
		accounts := make([]string, len(rows))
		for i, row := range rows {
			accounts[i] = strings.TrimPrefix(row.ID, memberID(group, ""))
		}
		if err := s.countGroups(ctx, company, accounts); err != nil {
			return err
		}
		after = rows[len(rows)-1].ID
	}
}

// leaveLate takes accounts out of a group that were deleted while they were added.
func (s *Store) leaveLate(ctx context.Context, company, group string, accounts []string) error {
	if len(accounts) == 0 {
		return nil
	}
	for _, id := range accounts {
		if err := s.leave(ctx, company, group, id); err != nil {
			return err
		}
	}
	if _, err := s.update(ctx, s.groups.Collection, in(company, group), bson.D{{Key: "$pull", Value: bson.D{field("late", bson.D{field("$in", accounts)})}}}); err != nil {
		return err
	}
	empty := append(in(company, group), field("late", bson.A{}))
	_, err := s.update(ctx, s.groups.Collection, empty, bson.D{{Key: "$unset", Value: bson.D{field("late", 1)}}})
	return err
}

// leave takes an account that is deleted out of a group.
func (s *Store) leave(ctx context.Context, company, group, account string) error {
	for {
		old, err := s.settledGroup(ctx, company, group)
		if errors.Is(err, store.ErrNotFound) {
			return nil // and its rows go with it
		}
		if err != nil {
			return err
		}
		there, err := s.membersAmong(ctx, company, group, []string{account})
		if err != nil || !there[account] {
			return err
		}
		next := old
		next.Value.Version++
		next.Group.Members--
		next.Keys, next.Terms = groupKeys(&next.Value), groupTerms(&next.Value, next.Group.Subgroups)
		next.Group.Change = &rowsChange{Version: next.Value.Version, Out: idSet{account}}
		fits, err := s.setGroup(ctx, old, next, nil)
		if err != nil {
			return err
		}
		if fits {
			return s.carryOut(ctx, company, group)
		}
	}
}

// setMembers writes memberships as of a version of the group, and lets the groups versions of the accounts grow.
func (s *Store) setMembers(ctx context.Context, company, group string, accounts []string, in bool, version int64) error {
	for some := range slices.Chunk(accounts, inBatches) {
		writes := make([]mongo.WriteModel, len(some))
		for i, account := range some {
			id := memberID(group, account)
			filter := bson.D{field("_id", id), field("co", company), field("ver", bson.D{field("$lt", version)})}
			write := mongo.NewUpdateOneModel().SetFilter(filter).SetUpsert(true) // of a later version the id is taken
			if in {
				write.SetUpdate(bson.D{
					{Key: "$set", Value: bson.D{field("g", group), field("u", account), field("ver", version)}},
					{Key: "$unset", Value: bson.D{field("out", 1)}},
				})
			} else {
				write.SetUpdate(bson.D{
					{Key: "$set", Value: bson.D{field("ver", version), field("out", time.Now())}},
					{Key: "$unset", Value: bson.D{field("g", 1), field("u", 1)}},
				})
			}
			writes[i] = write
		}
		err := s.try(ctx, func(ctx context.Context) error {
			_, err := s.members.BulkWrite(ctx, writes, options.BulkWrite().SetOrdered(false))
			return exceptDuplicates(err)
		})
		if err != nil {
			return err
		}
		if err := s.countGroups(ctx, company, some); err != nil {
			return err
		}
	}
	return nil
}

// exceptDuplicates gives an error of many writes, nil if those that failed did so because they were not needed.
func exceptDuplicates(err error) error {
	var bulk mongo.BulkWriteException
	if !errors.As(err, &bulk) || bulk.WriteConcernError != nil {
		return err
	}
	for _, e := range bulk.WriteErrors {
		if !mongo.IsDuplicateKeyError(e.WriteError) {
			return err
		}
	}
	return nil
}

// countGroups writes to accounts how many groups they are in, counted after their memberships were written, and lets their groups versions grow.
// Who counted before another counts again: the version tells.
func (s *Store) countGroups(ctx context.Context, company string, accounts []string) error {
	for len(accounts) > 0 {
		var now []fact[struct{}]
		filter := bson.D{field("_id", bson.D{field("$in", accounts)}), field("co", company), present}
		err := findAll(ctx, s, s.accounts.Collection, filter, &now, options.Find().SetProjection(bson.D{field("gver", 1)}))
		if err != nil || len(now) == 0 {
			return err
		}
		counts, err := s.countBy(ctx, "$u", s.members.Name(), bson.D{field("co", company), field("u", bson.D{field("$in", accounts)})})
		if err != nil {
			return err
		}
		writes := make([]mongo.WriteModel, len(now))
		for i, a := range now {
			version := field("gver", nil)
			if v := a.Account.GroupsVersion; v > 0 {
				version = field("gver", v)
			}
			writes[i] = mongo.NewUpdateOneModel().SetFilter(bson.D{field("_id", a.ID), version}).SetUpdate(bson.D{
				{Key: "$set", Value: bson.D{field("ng", counts[a.ID])}},
				{Key: "$inc", Value: bson.D{field("gver", int64(1))}},
			})
		}
		var fitted int64
		err = s.try(ctx, func(ctx context.Context) error {
			result, err := s.accounts.BulkWrite(ctx, writes, options.BulkWrite().SetOrdered(false))
			if err == nil {
				fitted = result.MatchedCount
			}
			return err
		})
		if err != nil || fitted == int64(len(now)) {
			return err
		}
	}
	return nil
}

// rowsOf gives the membership documents of accounts.
func (s *Store) rowsOf(ctx context.Context, company string, accounts []string) ([]memberRow, error) {
	var all []memberRow
	for some := range slices.Chunk(accounts, inBatches) {
		var rows []memberRow
		filter := bson.D{field("co", company), field("u", bson.D{field("$in", some)})}
		if err := findAll(ctx, s, s.members, filter, &rows, options.Find().SetSort(bson.D{field("u", 1), field("g", 1)})); err != nil {
			return nil, err
		}
		all = append(all, rows...)
	}
	return all, nil
}

// memberIDs gives the ids of members of a group behind one, sorted; a limit of 0 is none.
func (s *Store) memberIDs(ctx context.Context, company, group, after string, limit int) ([]string, error) {
	var rows []memberRow
	filter := bson.D{field("co", company), field("g", group)}
	if after != "" {
		filter = append(filter, field("u", bson.D{field("$gt", after)}))
	}
	opts := options.Find().SetSort(bson.D{field("u", 1)}).SetLimit(int64(limit)).SetProjection(bson.D{field("_id", 0), field("u", 1)})
	if err := findAll(ctx, s, s.members, filter, &rows, opts); err != nil {
		return nil, err
	}
	ids := make([]string, len(rows))
	for i, row := range rows {
		ids[i] = row.Account
	}
	return ids, nil
}

// membersOf gives the ids of all members of a group, sorted.
func (s *Store) membersOf(ctx context.Context, company, group string) ([]string, error) {
	return s.memberIDs(ctx, company, group, "", 0)
}

// membersAmong says which of the accounts are in a group.
func (s *Store) membersAmong(ctx context.Context, company, group string, accounts []string) (map[string]bool, error) {
	there := map[string]bool{}
	for some := range slices.Chunk(accounts, inBatches) {
		ids := make([]string, len(some))
		for i, account := range some {
			ids[i] = memberID(group, account)
		}
		var rows []memberRow
		err := findAll(ctx, s, s.members, bson.D{field("_id", bson.D{field("$in", ids)}), field("co", company), field("g", group)}, &rows)
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			there[row.Account] = true
		}
	}
	return there, nil
}

// knownAccounts fails with *store.UnknownMemberError unless all accounts exist.
func (s *Store) knownAccounts(ctx context.Context, company string, accounts []string) error {
	unknown, err := s.unknownAccounts(ctx, company, accounts)
	if err == nil && len(unknown) > 0 {
		return &store.UnknownMemberError{ID: unknown[0]}
	}
	return err
}

// unknownAccounts gives those that do not exist.
func (s *Store) unknownAccounts(ctx context.Context, company string, accounts []string) (unknown []string, err error) {
	for some := range slices.Chunk(accounts, inBatches) {
		there, err := s.displays(ctx, s.accounts.Collection, company, some)
		if err != nil {
			return nil, err
		}
		for _, id := range some {
			if _, ok := there[id]; !ok {
				unknown = append(unknown, id)
			}
		}
	}
	return unknown, nil
}

// displays gives the names to show of those accounts, or groups, that exist.
func (s *Store) displays(ctx context.Context, c *mongo.Collection, company string, ids []string) (map[string]string, error) {
	names := make(map[string]string, len(ids))
	for some := range slices.Chunk(ids, inBatches) {
		var found []struct {
			ID    string `bson:"_id"`
			Value struct {
				Display string `bson:"display"`
			} `bson:"v"`
		}
		filter := bson.D{field("_id", bson.D{field("$in", some)}), field("co", company), present}
		if err := findAll(ctx, s, c, filter, &found, options.Find().SetProjection(bson.D{field("v.display", 1)})); err != nil {
			return nil, err
		}
		for _, f := range found {
			names[f.ID] = f.Value.Display
		}
	}
	return names, nil
}

// Members implements [store.Groups].
func (s *Store) Members(ctx context.Context, company, group, after string, limit int) ([]store.Member, error) {
	end, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	if _, err := s.settledGroup(ctx, company, group); err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	var all []store.Member
	for len(all) < limit {
		n := min(limit-len(all), inBatches)
		ids, err := s.memberIDs(ctx, company, group, after, n)
		if err != nil {
			return nil, err
		}
		names, err := s.displays(ctx, s.accounts.Collection, company, ids)
		if err != nil {
			return nil, err
		}
		for _, id := range ids {
			if name, ok := names[id]; ok { // else it is being deleted
				all = append(all, store.Member{ID: id, Display: name})
			}
		}
		if len(ids) < n {
			break
		}
		after = ids[len(ids)-1]
	}
	return all, nil
}

// MembershipsOf implements [store.Groups].
func (s *Store) MembershipsOf(ctx context.Context, company string, accounts []string) (map[string][]store.Membership, error) {
	end, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	return s.memberships(ctx, company, accounts)
}

func (s *Store) memberships(ctx context.Context, company string, accounts []string) (map[string][]store.Membership, error) {
	rows, err := s.rowsOf(ctx, company, distinct(accounts))
	if err != nil {
		return nil, err
	}
	groups := make([]string, len(rows))
	for i, row := range rows {
		groups[i] = row.Group
	}
	names, err := s.displays(ctx, s.groups.Collection, company, distinct(groups))
	if err != nil {
		return nil, err
	}
	all := map[string][]store.Membership{}
	for _, row := range rows {
		if name, ok := names[row.Group]; ok {
			all[row.Account] = append(all[row.Account], store.Membership{Group: row.Group, Display: name})
		}
	}
	return all, nil
}
