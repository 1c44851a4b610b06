package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"time"

	driverimpl "modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"
)

// conn is one connection with its prepared statements. It belongs to one goroutine at a time.
type conn struct {
	dc    driver.Conn
	stmts map[string]*stmt
}

// connect opens a connection to the database named by dsn.
func connect(dsn string) (*conn, error) {
	connector, err := driverimpl.NewConnector(dsn)
	if err != nil {
		return nil, fmt.Errorf("sqlite: open: %w", err)
	}
	dc, err := connector.Connect(context.Background())
	if err != nil {
		return nil, fmt.Errorf("sqlite: open: %w", err)
	}
	return &conn{dc: dc, stmts: make(map[string]*stmt)}, nil
}

func (c *conn) close() error {
	var errs []error
	for _, st := range c.stmts {
		errs = append(errs, st.ds.Close())
	}
	return errors.Join(append(errs, c.dc.Close())...)
}

// script runs several statements without parameters.
func (c *conn) script(text string) error {
	if _, err := c.dc.(driver.ExecerContext).ExecContext(context.Background(), text, nil); err != nil {
		return fmt.Errorf("sqlite: %w", err)
	}
	return nil
}

// preparedStmt is what the driver's statements can do.
type preparedStmt interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

// stmt is a prepared statement with the buffers of its only user.
type stmt struct {
	ds   preparedStmt
	args []driver.NamedValue
	row  []driver.Value
	busy bool
}

// prepared gives the statement for a text. The texts are constants of this package and their finite combinations, so the cache
// needs no bound.
func (c *conn) prepared(text string) (*stmt, error) {
	if st, ok := c.stmts[text]; ok {
		if st.busy {
			return nil, fmt.Errorf("sqlite: statement used while its rows are being read: %s", text)
		}
		return st, nil
	}
	ds, err := c.dc.Prepare(text)
	if err != nil {
		return nil, fmt.Errorf("sqlite: %w", err)
	}
	st := &stmt{ds: ds.(preparedStmt)}
	c.stmts[text] = st
	return st, nil
}

// bind gives the arguments in the driver's form. Empty optional texts and zero times are stored as NULL: see optional.
func (st *stmt) bind(args []any) []driver.NamedValue {
	st.args = st.args[:0]
	for i, a := range args {
		switch v := a.(type) {
		case int:
			a = int64(v)
		case time.Time:
			a = nil
			if !v.IsZero() {
				a = v.UnixMilli()
			}
		}
		st.args = append(st.args, driver.NamedValue{Ordinal: i + 1, Value: a})
	}
	return st.args
}

// optional is a text that is NULL when empty: NULL costs less to store and to read.
func optional(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// exec runs a statement that gives no rows and says how many rows it changed.
//
// The driver never sees the caller's context: for each call with one it would start a goroutine, which costs more than most
// statements. Callers look at the context between statements and between rows.
func (c *conn) exec(text string, args ...any) (int64, error) {
	st, err := c.prepared(text)
	if err != nil {
		return 0, err
	}
	res, err := st.ds.ExecContext(context.Background(), st.bind(args))
	if err != nil {
		return 0, fmt.Errorf("sqlite: %w", err)
	}
	return res.RowsAffected()
}

// query runs a statement that gives rows. The rows must be read to the end or closed.
func (c *conn) query(text string, args ...any) *rows {
	st, err := c.prepared(text)
	if err != nil {
		return &rows{err: err}
	}
	dr, err := st.ds.QueryContext(context.Background(), st.bind(args))
	if err != nil {
		return &rows{err: fmt.Errorf("sqlite: %w", err)}
	}
	if st.row == nil {
		st.row = make([]driver.Value, len(dr.Columns()))
	}
	st.busy = true
	return &rows{st: st, dr: dr}
}

// one runs a statement that gives at most one row and says whether there was one.
func (c *conn) one(scan func(*rows), text string, args ...any) (bool, error) {
	r := c.query(text, args...)
	defer r.close()
	if !r.next() {
		return false, r.err
	}
	scan(r)
	return true, r.err
}

// integer runs a statement that gives one number; no row counts as 0.
func (c *conn) integer(text string, args ...any) (int64, error) {
	var n int64
	_, err := c.one(func(r *rows) { n = r.int(0) }, text, args...)
	return n, err
}

// exists says whether the statement gives a row.
func (c *conn) exists(text string, args ...any) (bool, error) {
	return c.one(func(*rows) {}, text, args...)
}

// rows is the result of a query: one row at a time, whose columns are good until the next.
type rows struct {
	st  *stmt
	dr  driver.Rows
	err error
}

// next goes to the next row; false at the end and after an error, which is then in err. It closes the rows then.
func (r *rows) next() bool {
	if r.dr == nil || r.err != nil {
		return false
	}
	if err := r.dr.Next(r.st.row); err != nil {
		if !errors.Is(err, io.EOF) {
			r.err = fmt.Errorf("sqlite: %w", err)
		}
		r.close()
		return false
	}
	return true
}

func (r *rows) close() {
	if r.dr == nil {
		return
	}
	if err := r.dr.Close(); err != nil && r.err == nil {
		r.err = fmt.Errorf("sqlite: %w", err)
	}
	r.dr, r.st.busy = nil, false
}

func (r *rows) int(i int) int64 {
	n, _ := r.st.row[i].(int64) // NULL is 0
	return n
}

func (r *rows) bool(i int) bool { return r.int(i) != 0 }

func (r *rows) text(i int) string {
	s, _ := r.st.row[i].(string) // NULL is empty
	return s
}

func (r *rows) blob(i int) []byte {
	b, _ := r.st.row[i].([]byte)
	return b
}

func (r *rows) time(i int) time.Time {
	ms, ok := r.st.row[i].(int64)
	if !ok {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// taken says whether a statement failed because a value that must be unique is in use.
func taken(err error) bool {
	var e *driverimpl.Error
	return errors.As(err, &e) && (e.Code() == lib.SQLITE_CONSTRAINT_UNIQUE || e.Code() == lib.SQLITE_CONSTRAINT_PRIMARYKEY)
}
