package sqlite

import (
	"bytes"
	"math"
	"time"

	"usher/store"
	"usher/store/query"
)

// kind is what differs between the lists of accounts and of groups.
type kind interface {
	table() string   // users or groups
	columns() string // of a full row, the pk first
	indexes(d *dictionary) []query.Index
	// source says where the entries of a leaf are found, if an index of this kind has them.
	source(d *dictionary, co int64, leaf query.Leaf) (source, bool)
	// record makes what the judge looks at of a full row.
	record(l *listing, r *rows) (query.Record, error)
}

// source is a part of an index that gives the pks of records.
type source struct {
	from  string
	where string
	args  []any
	pk    string // the column with the pk
	// ordered says that the entries come in the order of the pks and each pk once, so that a page can be cut out of the index.
	ordered bool
	// scan counts the entries that are stepped over where they are more than are found; empty: they are not.
	scan     string
	scanArgs []any
}

// everything gives all records of a kind.
func everything(k kind, co int64) source {
	t := k.table()
	return source{from: t + " t INDEXED BY " + t + "_co", where: "t.co = ?", args: []any{co}, pk: "t.pk", ordered: true}
}

type accountKind struct{}

func (accountKind) table() string                       { return "users" }
func (accountKind) columns() string                     { return accountColumns }
func (accountKind) indexes(d *dictionary) []query.Index { return d.plan }

// accountColumnIndexes are the indexes that the columns of users have.
func accountColumnIndexes() []query.Index {
	return []query.Index{
		{Path: "userName", Type: query.String, Fold: true, Unique: true},
		{Path: store.ColumnID, Type: query.String, Unique: true},
		{Path: store.ColumnModified, Type: query.DateTime},
		{Path: store.ColumnGroups, Type: query.String},
	}
}

func (accountKind) source(d *dictionary, co int64, leaf query.Leaf) (source, bool) {
	switch leaf.Path {
	case "userName":
		return textSource("users", "un", co, leaf)
	case store.ColumnID:
		return textSource("users", "id", co, leaf)
	case store.ColumnModified:
		return timeSource("users", "modified", co, leaf)
	case store.ColumnGroups:
		return source{from: "members d", where: "d.g = (SELECT pk FROM groups WHERE co = ? AND id = ?)", args: []any{co, leaf.Value},
			pk: "d.u", ordered: true}, leaf.Op == query.Equal
	}
	a, ok := d.number[leaf.Path]
	if !ok {
		return source{}, false
	}
	where, args, ok := compare("d.v", leaf.Op, []byte(leaf.Value))
	src := source{from: "attr d", where: "d.co = ? AND d.a = ?" + where, args: append([]any{co, a}, args...), pk: "d.pk",
		ordered: leaf.Op == query.Equal}
	if leaf.Op == query.Contains || leaf.Op == query.EndsWith {
		src.scan, src.scanArgs = "attr d WHERE d.co = ? AND d.a = ?", []any{co, a}
	}
	return src, ok
}

func (accountKind) record(l *listing, r *rows) (query.Record, error) {
	a, err := scanAccount(r, "")
	return &accountRecord{Account: a, l: l, pk: r.int(0)}, err
}

// accountRecord is an account whose groups are looked up when the judge asks for them.
type accountRecord struct {
	store.Account
	l  *listing
	pk int64
}

func (a *accountRecord) Column(path string) []string {
	switch {
	case path != store.ColumnGroups && path != store.ColumnGroupElements:
		return a.Account.Column(path)
	case a.Groups == 0:
		return nil
	case path == store.ColumnGroupElements:
		return a.l.elements("SELECT g.id, g.display FROM members m CROSS JOIN groups g ON g.pk = m.g WHERE m.u = ?", a.pk, store.ElementDirect)
	}
	return a.l.ids("SELECT g.id FROM members m CROSS JOIN groups g ON g.pk = m.g WHERE m.u = ?", a.pk)
}

// Holds implements [query.Holder].
func (a *accountRecord) Holds(column, value string) (holds, ok bool) {
	if column != store.ColumnGroups {
		return false, false
	}
	return a.Groups > 0 && a.l.exists("SELECT 1 FROM members WHERE u = ? AND g = (SELECT pk FROM groups WHERE co = ? AND id = ?)", a.pk, value), true
}

type groupKind struct{}

func (groupKind) table() string   { return "groups" }
func (groupKind) columns() string { return groupColumns }

func (groupKind) indexes(*dictionary) []query.Index {
	return []query.Index{
		{Path: "displayName", Type: query.String, Fold: true, Unique: true},
		{Path: "externalId", Type: query.String},
		{Path: store.ColumnID, Type: query.String, Unique: true},
		{Path: store.ColumnMembers, Type: query.String},
	}
}

func (groupKind) source(_ *dictionary, co int64, leaf query.Leaf) (source, bool) {
	switch leaf.Path {
	case "displayName":
		return textSource("groups", "dn", co, leaf)
	case "externalId":
		// The column has no empty values and is not cut like an index over documents: it answers this one question.
		src, ok := textSource("groups", "ext", co, leaf)
		return src, ok && leaf.Op == query.Equal && leaf.Value != ""
	case store.ColumnID:
		return textSource("groups", "id", co, leaf)
	case store.ColumnMembers:
		return source{from: `(SELECT g FROM members WHERE u = (SELECT pk FROM users WHERE co = ?1 AND id = ?2)
				UNION ALL SELECT g FROM subgroups WHERE child = (SELECT pk FROM groups WHERE co = ?1 AND id = ?2)) d`,
			where: "TRUE", args: []any{co, leaf.Value}, pk: "d.g"}, leaf.Op == query.Equal
	}
	return source{}, false
}

func (groupKind) record(l *listing, r *rows) (query.Record, error) {
	return &groupRecord{Group: scanGroup(r, ""), l: l, pk: r.int(0)}, nil
}

// groupRecord is a group whose members are looked up when the judge asks for them.
type groupRecord struct {
	store.Group
	l  *listing
	pk int64
}

func (g *groupRecord) Column(path string) []string {
	const (
		users  = " FROM members m CROSS JOIN users t ON t.pk = m.u WHERE m.g = ?"
		groups = " FROM subgroups m CROSS JOIN groups t ON t.pk = m.child WHERE m.g = ?"
	)
	var all []string
	switch path {
	case store.ColumnMembers:
		if g.Members > 0 {
			all = g.l.ids("SELECT t.id"+users, g.pk)
		}
		if g.Groups > 0 {
			all = append(all, g.l.ids("SELECT t.id"+groups, g.pk)...)
		}
		return all
	case store.ColumnMemberElements:
		if g.Members > 0 {
			all = g.l.elements("SELECT t.id, t.display"+users, g.pk, store.ElementUser)
		}
		if g.Groups > 0 {
			all = append(all, g.l.elements("SELECT t.id, t.display"+groups, g.pk, store.ElementGroup)...)
		}
		return all
	}
	return g.Group.Column(path)
}

// Holds implements [query.Holder]: a member is looked up, however many there are.
func (g *groupRecord) Holds(column, value string) (holds, ok bool) {
	if column != store.ColumnMembers {
		return false, false
	}
	return g.Members > 0 && g.l.exists("SELECT 1 FROM members WHERE g = ? AND u = (SELECT pk FROM users WHERE co = ? AND id = ?)", g.pk, value) ||
		g.Groups > 0 && g.l.exists("SELECT 1 FROM subgroups WHERE g = ? AND child = (SELECT pk FROM groups WHERE co = ? AND id = ?)", g.pk, value), true
}

// textSource is a column of text with an index behind the company.
func textSource(table, column string, co int64, leaf query.Leaf) (source, bool) {
	src := source{from: table + " d", pk: "d.pk"}
	where, args, ok := compare("d."+column, leaf.Op, leaf.Value)
	src.where, src.args = "d.co = ?"+where, append([]any{co}, args...)
	if leaf.Op == query.Contains || leaf.Op == query.EndsWith {
		src.scan, src.scanArgs = table+" d WHERE d.co = ?", []any{co}
	}
	return src, ok
}

// timeSource is a column of milliseconds with an index behind the company. Literals are finer than that.
func timeSource(table, column string, co int64, leaf query.Leaf) (source, bool) {
	t, err := time.Parse(time.RFC3339Nano, leaf.Value)
	if err != nil {
		return source{}, false
	}
	floor := t.UnixMilli()
	whole := t.Equal(time.UnixMilli(floor))
	var cond string
	switch leaf.Op {
	case query.Equal:
		cond = "="
		if !whole {
			floor = math.MinInt64 // nobody's
		}
	case query.Greater:
		cond = ">"
	case query.GreaterEqual:
		cond = ">="
		if !whole {
			cond = ">"
		}
	case query.Less:
		cond = "<"
		if !whole {
			cond = "<="
		}
	case query.LessEqual:
		cond = "<="
	default:
		return source{}, false
	}
	return source{from: table + " d", where: "d.co = ? AND d." + column + " " + cond + " ?", args: []any{co, floor}, pk: "d.pk"}, true
}

// compare gives the condition that a column's value is as op says to a literal, with "AND" before it. Text is compared by its
// bytes. There is no LIKE, so nothing in a literal has a meaning.
func compare[V string | []byte](column string, op query.Op, literal V) (where string, args []any, ok bool) {
	b := []byte(literal)
	switch op {
	case query.Equal:
		where, args = column+" = ?", []any{literal}
	case query.Greater:
		where, args = column+" > ?", []any{literal}
	case query.GreaterEqual:
		where, args = column+" >= ?", []any{literal}
	case query.Less:
		where, args = column+" < ?", []any{literal}
	case query.LessEqual:
		where, args = column+" <= ?", []any{literal}
	case query.StartsWith:
		where, args = column+" >= ?", []any{literal}
		if end := after(b); end != nil {
			where, args = where+" AND "+column+" < ?", append(args, V(end))
		}
	case query.Contains:
		where, args = "instr(CAST("+column+" AS BLOB), ?) > 0", []any{b}
	case query.EndsWith:
		blob := "CAST(" + column + " AS BLOB)"
		where, args = "length("+blob+") >= ? AND substr("+blob+", length("+blob+") - ? + 1) = ?", []any{len(b), len(b), b}
		if len(b) == 0 { // every value does, but substr makes NULL of nothing
			where, args = "TRUE", nil
		}
	default:
		return "", nil, false
	}
	return " AND " + where, args, true
}

// after gives the first text behind all that begin with the prefix; nil when there is none.
func after(prefix []byte) []byte {
	end := bytes.Clone(prefix)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i] < 0xff {
			end[i]++
			return end[:i+1]
		}
	}
	return nil
}
