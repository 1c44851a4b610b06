package mongo

import (
	"context"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"usher/store"
	"usher/store/query"
)

// kind is what differs between the lists of accounts and of groups.
type kind interface {
	name() string
	indexes() []query.Index
	// condition gives the filter for the records of a leaf, beside their company: false if no index of this kind has them.
	condition(ctx context.Context, company string, leaf query.Leaf) (bson.D, bool, error)
}

type accountKind struct{ s *Store }

func (accountKind) name() string             { return "users" }
func (k accountKind) indexes() []query.Index { return k.s.plan }

// maxJoined is how many ids a filter may name that were found in another collection.
const maxJoined = 20_000

func (k accountKind) condition(ctx context.Context, company string, leaf query.Leaf) (bson.D, bool, error) {
	switch leaf.Path {
	case userNameKey:
		d, ok := keyCondition(userNameKey, leaf)
		return d, ok, nil
	case store.ColumnID:
		d, ok := idCondition(leaf)
		return d, ok, nil
	case store.ColumnModified:
		d, ok := timeCondition("v.modified", leaf)
		return d, ok, nil
	case store.ColumnGroups:
		if leaf.Op != query.Equal {
			return nil, false, nil
		}
		ids, err := k.s.memberIDs(ctx, company, leaf.Value, "", maxJoined+1)
		return idsCondition(ids), err == nil && len(ids) <= maxJoined, err
	}
	d, ok := termCondition("k", leaf.Path, leaf)
	return d, ok, nil
}

type groupKind struct{ s *Store }

func (groupKind) name() string { return "groups" }

func (groupKind) indexes() []query.Index {
	return []query.Index{
		{Path: groupNameKey, Type: query.String, Fold: true, Unique: true},
		{Path: "externalId", Type: query.String},
		{Path: store.ColumnID, Type: query.String, Unique: true},
		{Path: store.ColumnMembers, Type: query.String},
	}
}

func (k groupKind) condition(ctx context.Context, company string, leaf query.Leaf) (bson.D, bool, error) {
	switch leaf.Path {
	case groupNameKey:
		d, ok := keyCondition(groupNameKey, leaf)
		return d, ok, nil
	case store.ColumnID:
		d, ok := idCondition(leaf)
		return d, ok, nil
	case "externalId":
		// The terms of it are not cut like those of an index over documents, and there is none that is empty: they answer this one question.
		d, ok := termCondition("k", leaf.Path, leaf)
		return d, ok && leaf.Op == query.Equal && leaf.Value != "", nil
	case store.ColumnMembers:
		if leaf.Op != query.Equal {
			return nil, false, nil
		}
		rows, err := k.s.rowsOf(ctx, company, []string{leaf.Value})
		ids := make([]string, len(rows))
		for i, row := range rows {
			ids[i] = row.Group
		}
		return bson.D{field("$or", bson.A{idsCondition(ids), bson.D{field("k", term(subgroupTerm, leaf.Value))}})}, err == nil, err
	}
	return nil, false, nil
}

func idsCondition(ids []string) bson.D {
	if ids == nil {
		ids = []string{}
	}
	return bson.D{field("_id", bson.D{field("$in", ids)}), field("k", everyTerm)}
}

// keyCondition is the condition for a value that is unique. A deleted record has no such value. It is a term too, for all that is not a look-up:
// not every server searches what is unique.
func keyCondition(path string, leaf query.Leaf) (bson.D, bool) {
	if leaf.Op == query.Equal {
		return bson.D{field("u", key(path, leaf.Value))}, true
	}
	return termCondition("k", path, leaf)
}

// idCondition is the condition for ids.
func idCondition(leaf query.Leaf) (bson.D, bool) {
	if leaf.Op != query.Equal {
		return nil, false
	}
	return bson.D{field("_id", leaf.Value), field("k", everyTerm)}, true
}

// timeCondition is the condition for a time, which is kept in milliseconds. Literals are finer than that.
func timeCondition(name string, leaf query.Leaf) (bson.D, bool) {
	t, err := time.Parse(time.RFC3339Nano, leaf.Value)
	if err != nil {
		return nil, false
	}
	floor := t.Truncate(time.Millisecond)
	whole := t.Equal(floor)
	operator := map[query.Op]string{query.Equal: "$eq", query.Greater: "$gt", query.GreaterEqual: "$gte", query.Less: "$lt", query.LessEqual: "$lte"}[leaf.Op]
	switch {
	case operator == "":
		return nil, false
	case whole:
	case leaf.Op == query.Equal:
		return bson.D{field("_id", bson.D{field("$in", bson.A{})})}, true // nobody's
	case leaf.Op == query.GreaterEqual:
		operator = "$gt"
	case leaf.Op == query.Less:
		operator = "$lte"
	}
	return bson.D{field(name, bson.D{field(operator, bson.NewDateTimeFromTime(floor))}), field("k", everyTerm)}, true
}

// termCondition is the condition for terms, "path=value", in the field named. Both ends of a range must be about one term, so that a record with
// two, one on either side, is not taken for one in between. Values are compared by their bytes. They are never a pattern: what has a meaning in
// one is escaped.
func termCondition(name, path string, leaf query.Leaf) (bson.D, bool) {
	from, to := term(path, ""), path+">" // the character after "="
	at := term(path, leaf.Value)
	between := func(low, lowest, high, highest string) bson.D {
		return bson.D{field(name, bson.D{field("$elemMatch", bson.D{field(low, lowest), field(high, highest)})})}
	}
	switch leaf.Op {
	case query.Equal:
		return bson.D{field(name, at)}, true
	case query.Greater:
		return between("$gt", at, "$lt", to), true
	case query.GreaterEqual:
		return between("$gte", at, "$lt", to), true
	case query.Less:
		return between("$gte", from, "$lt", at), true
	case query.LessEqual:
		return between("$gte", from, "$lte", at), true
	case query.StartsWith:
		return bson.D{field(name, bson.Regex{Pattern: "^" + literal(at)})}, true
	case query.Contains:
		return bson.D{field(name, bson.Regex{Pattern: "^" + literal(from) + ".*" + literal(leaf.Value), Options: "s"})}, true
	case query.EndsWith:
		// No "$", which would also be before a line feed at the end.
		return bson.D{field(name, bson.Regex{Pattern: "^" + literal(from) + ".*" + literal(leaf.Value) + `(?!.)`, Options: "s"})}, true
	}
	return nil, false
}

// literal writes a text as a pattern that matches it and nothing else.
func literal(text string) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case r == 0: // a pattern ends there
			b.WriteString(`\x00`)
		case r < 0x80 && (r < '0' || r > '9' && r < 'A' || r > 'Z' && r < 'a' || r > 'z'):
			b.WriteByte('\\')
			b.WriteRune(r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
