package sqlite

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"usher/store"
	"usher/store/query"
)

// rebuildChunk is how many accounts are indexed anew in one transaction.
const rebuildChunk = 2000

// dictionary knows the indexes over accounts and their numbers in the table attr. It does not change after Open.
type dictionary struct {
	documents []query.Index    // over documents, in rows of attr
	columns   []query.Index    // over columns, in rows of attr
	plan      []query.Index    // all that can drive a filter
	number    map[string]int64 // path -> attrname.a
}

// attr is one row of the table attr, without company and account.
type attr struct {
	a int64
	v string
}

// openDictionary compares the indexes wanted with those that the database has, and drops and builds what differs.
func openDictionary(ctx context.Context, c *conn, indexes []query.Index, log *slog.Logger) (*dictionary, error) {
	d := &dictionary{columns: store.ColumnIndexes(), number: make(map[string]int64)}
	want := make(map[string]query.Index)
	for _, ix := range d.columns {
		want[ix.Path] = ix
	}
	for _, ix := range indexes {
		if ix.Path == "userName" {
			continue // has a column of its own
		}
		if _, ok := want[ix.Path]; ok || strings.HasPrefix(ix.Path, "@") {
			return nil, fmt.Errorf("sqlite: the path %q cannot be indexed, or is so twice", ix.Path)
		}
		ix.Unique = false // attr holds values cut to length, as only those of indexes that are not unique are
		want[ix.Path] = ix
		d.documents = append(d.documents, ix)
	}
	d.plan = slices.Concat(accountColumnIndexes(), d.columns, d.documents)
	if err := d.drop(ctx, c, want, log); err != nil {
		return nil, err
	}
	var missing []query.Index
	for path, ix := range want {
		if d.number[path] != 0 {
			continue
		}
		if _, err := c.exec("INSERT INTO attrname (path, type, fold, common, ready) VALUES (?, ?, ?, ?, 0)", path, int(ix.Type), ix.Fold, ix.Except); err != nil {
			return nil, err
		}
		a, err := c.integer("SELECT a FROM attrname WHERE path = ?", path)
		if err != nil {
			return nil, err
		}
		d.number[path] = a
		missing = append(missing, ix)
	}
	if len(missing) == 0 {
		return d, nil
	}
	if err := d.build(ctx, c, missing, log); err != nil {
		return nil, err
	}
	_, err := c.exec("UPDATE attrname SET ready = 1")
	return d, err
}

// drop removes the indexes that are not wanted, or not in this form, or were not built to the end, and numbers the others.
func (d *dictionary) drop(ctx context.Context, c *conn, want map[string]query.Index, log *slog.Logger) error {
	var stale []int64
	r := c.query("SELECT a, path, type, fold, common, ready FROM attrname")
	defer r.close()
	for r.next() {
		path := r.text(1)
		ix, ok := want[path]
		if ok && int64(ix.Type) == r.int(2) && ix.Fold == r.bool(3) && ix.Except == r.text(4) && r.bool(5) {
			d.number[path] = r.int(0)
			continue
		}
		log.Info("dropping an index", "path", path)
		stale = append(stale, r.int(0))
	}
	if r.err != nil || len(stale) == 0 {
		return r.err
	}
	cos, err := companyNumbers(c)
	if err != nil {
		return err
	}
	for _, a := range stale {
		for _, co := range cos {
			if err := ctx.Err(); err != nil {
				return err
			}
			if _, err := c.exec("DELETE FROM attr WHERE co = ? AND a = ?", co, a); err != nil {
				return err
			}
		}
		if _, err := c.exec("DELETE FROM attrname WHERE a = ?", a); err != nil {
			return err
		}
	}
	return nil
}

func companyNumbers(c *conn) ([]int64, error) {
	var cos []int64
	r := c.query("SELECT co FROM companies")
	for r.next() {
		cos = append(cos, r.int(0))
	}
	return cos, r.err
}

// build makes the rows of new indexes for the accounts that exist.
func (d *dictionary) build(ctx context.Context, c *conn, missing []query.Index, log *slog.Logger) error {
	part := &dictionary{number: d.number}
	for _, ix := range missing {
		if strings.HasPrefix(ix.Path, "@") {
			part.columns = append(part.columns, ix)
		} else {
			part.documents = append(part.documents, ix)
		}
	}
	total, err := c.integer("SELECT count(*) FROM users")
	if err != nil || total == 0 {
		return err
	}
	log.Info("building indexes", "indexes", len(missing), "accounts", total)
	var after, done int64
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, last, err := part.buildChunk(c, after)
		if err != nil {
			return err
		}
		if n == 0 {
			return nil
		}
		after, done = last, done+n
		log.Info("building indexes", "done", done, "accounts", total)
	}
}

// buildChunk makes the rows of the next accounts in one transaction; it says how many accounts there were, and the last.
func (d *dictionary) buildChunk(c *conn, after int64) (n, last int64, err error) {
	if _, err := c.exec("BEGIN IMMEDIATE"); err != nil {
		return 0, 0, err
	}
	r := c.query("SELECT "+accountColumns+", t.co FROM users t WHERE t.pk > ? ORDER BY t.pk LIMIT ?", after, rebuildChunk)
	defer r.close()
	for r.next() {
		a, err := scanAccount(r, "")
		if err != nil {
			return 0, 0, err
		}
		n, last = n+1, r.int(0)
		co := r.int(accountWidth)
		for _, at := range d.attrs(&a) {
			if err := addAttr(c, co, at, last); err != nil {
				return 0, 0, err
			}
		}
	}
	if r.err != nil {
		return 0, 0, r.err
	}
	_, err = c.exec("COMMIT")
	return n, last, err
}

// attrs gives the rows of an account, sorted and without duplicates. The terms of its document are computed if the caller has
// not done so.
func (d *dictionary) attrs(a *store.Account) []attr {
	terms := a.Terms
	if terms == nil {
		terms = query.Terms(a.Doc, d.documents)
	}
	rows := make([]attr, 0, len(terms)+4)
	for _, t := range terms {
		if n, ok := d.number[t.Path]; ok {
			rows = append(rows, attr{n, t.Value})
		}
	}
	for _, ix := range d.columns {
		for _, v := range a.Column(ix.Path) {
			if ix.Fold {
				v = query.Fold(v)
			}
			if v != ix.Except || v == "" {
				rows = append(rows, attr{d.number[ix.Path], v})
			}
		}
	}
	slices.SortFunc(rows, attr.compare)
	return slices.Compact(rows)
}

func (a attr) compare(b attr) int {
	if a.a != b.a {
		return int(a.a - b.a)
	}
	return strings.Compare(a.v, b.v)
}

// difference gives the rows of a that are not in b; both are sorted.
func difference(a, b []attr) []attr {
	var only []attr
	for _, x := range a {
		if _, found := slices.BinarySearchFunc(b, x, attr.compare); !found {
			only = append(only, x)
		}
	}
	return only
}

func addAttr(c *conn, co int64, at attr, pk int64) error {
	_, err := c.exec("INSERT OR IGNORE INTO attr (co, a, v, pk) VALUES (?, ?, ?, ?)", co, at.a, []byte(at.v), pk)
	return err
}

func dropAttr(c *conn, co int64, at attr, pk int64) error {
	_, err := c.exec("DELETE FROM attr WHERE co = ? AND a = ? AND v = ? AND pk = ?", co, at.a, []byte(at.v), pk)
	return err
}
