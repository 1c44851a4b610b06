package sqlite

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"sort"
	"strings"

	"usher/store"
)

// errEnough says that the reader of a sequence wants no more of it.
var errEnough = errors.New("enough")

// Records implements [store.Transfer]. The sequence keeps a connection until it ends.
func (s *Store) Records(ctx context.Context, kind store.RecordKind, after string) iter.Seq2[store.Record, error] {
	return s.records(export{ctx: ctx, after: after}, kind)
}

// Look implements [store.Doctor].
func (s *Store) Look(ctx context.Context, kind store.RecordKind, company string) iter.Seq2[store.Record, error] {
	return s.records(export{ctx: ctx, only: company}, kind)
}

func (s *Store) records(e export, kind store.RecordKind) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		err := s.read(e.ctx, func(c *conn) error {
			e := e
			e.Store, e.conn, e.yield = s, c, yield
			return e.all(kind)
		})
		if err != nil && !errors.Is(err, errEnough) {
			yield(store.Record{}, err)
		}
	}
}

// export is one sequence of records.
type export struct {
	*Store
	*conn
	ctx   context.Context
	after string
	only  string // the company whose records are wanted; empty: all
	yield func(store.Record, error) bool
}

// all gives the records of a kind, of which those that can be many are read one by one.
func (e *export) all(kind store.RecordKind) error {
	switch kind {
	case store.RecordTombstone:
		return e.tombstones()
	case store.RecordAccount:
		return e.accounts()
	case store.RecordGroup:
		return e.groups()
	case store.RecordMember:
		return e.members()
	case store.RecordMail:
		return e.mails()
	case store.RecordSession:
		return e.sessions()
	case store.RecordRequest:
		return e.requests()
	case store.RecordEvent:
		return e.events()
	}
	values, err := e.few(kind)
	if err != nil {
		return err
	}
	records := make([]store.Record, len(values))
	for i, v := range values {
		if records[i], err = store.RecordOf(v); err != nil {
			return err
		}
	}
	sort.Slice(records, func(i, j int) bool { return records[i].Key < records[j].Key })
	for _, r := range records {
		if err := e.record(r); err != nil {
			return err
		}
	}
	return nil
}

// give gives a value as a record.
func (e *export) give(value any) error {
	r, err := store.RecordOf(value)
	if err != nil {
		return err
	}
	return e.record(r)
}

func (e *export) record(r store.Record) error {
	if err := e.ctx.Err(); err != nil {
		return err
	}
	if r.Key > e.after && !e.yield(r, nil) {
		return errEnough
	}
	return nil
}

// companies calls each for the companies from that of the record after which the sequence begins, in the order of their ids. after is the rest
// of that record's key, and empty for the other companies.
func (e *export) companies(each func(co int64, id, after string) error) error {
	type numbered struct {
		co int64
		id string
	}
	from, rest, _ := strings.Cut(e.after, " ")
	var all []numbered
	r := e.query("SELECT co, id FROM companies WHERE id >= ? ORDER BY id", from)
	for r.next() {
		if e.only != "" && e.only != r.text(1) {
			continue
		}
		all = append(all, numbered{r.int(0), r.text(1)})
	}
	if r.err != nil {
		return r.err
	}
	for _, c := range all {
		if c.id != from {
			rest = ""
		}
		if err := each(c.co, c.id, rest); err != nil {
			return err
		}
	}
	return nil
}

// rows gives a record of each row of a query.
func (e *export) rows(value func(*rows) (any, error), text string, args ...any) error {
	r := e.query(text, args...)
	defer r.close()
	for r.next() {
		v, err := value(r)
		if err != nil {
			return err
		}
		if err := e.give(v); err != nil {
			return err
		}
	}
	return r.err
}

func (e *export) accounts() error {
	return e.companies(func(co int64, company, after string) error {
		return e.rows(func(r *rows) (any, error) { return scanAccount(r, company) },
			"SELECT "+accountColumns+" FROM users t WHERE t.co = ? AND t.id > ? ORDER BY t.id", co, after)
	})
}

func (e *export) groups() error {
	return e.companies(func(co int64, company, after string) error {
		return e.rows(func(r *rows) (any, error) { return scanGroup(r, company), nil },
			"SELECT "+groupColumns+" FROM groups t WHERE t.co = ? AND t.id > ? ORDER BY t.id", co, after)
	})
}

// members gives those of one group after the other: so the engine has no more to sort than the members of one.
func (e *export) members() error {
	return e.companies(func(co int64, company, after string) error {
		from, rest, _ := strings.Cut(after, " ")
		groups := e.query("SELECT pk, id FROM groups WHERE co = ? AND id >= ? AND n_members > 0 ORDER BY id", co, from)
		defer groups.close()
		for groups.next() {
			group := groups.text(1)
			if group != from {
				rest = ""
			}
			err := e.rows(func(r *rows) (any, error) {
				return store.MemberRecord{Company: company, Group: group, Account: r.text(0)}, nil
			},
				"SELECT u.id FROM members m CROSS JOIN users u ON u.pk = m.u WHERE m.g = ? AND u.id > ? ORDER BY u.id", groups.int(0), rest)
			if err != nil {
				return err
			}
		}
		return groups.err
	})
}

func (e *export) tombstones() error {
	return e.companies(func(co int64, company, _ string) error {
		return e.rows(func(r *rows) (any, error) {
			return store.Tombstone{
				Company: company, Connection: r.text(0), ExternalID: r.text(1), Deleted: r.time(2), ID: r.text(3), Version: r.int(4),
				Epoch: r.int(5), Created: r.time(6),
			}, nil
		}, "SELECT conn, ext, deleted, id, ver, epoch, created FROM tombstones WHERE co = ? ORDER BY id, deleted", co)
	})
}

func (e *export) mails() error {
	return e.companies(func(co int64, company, after string) error {
		return e.rows(func(r *rows) (any, error) {
			m := scanMail(r)
			m.Company = company
			return store.MailRecord{Mail: m, Data: m.Data}, nil
		}, "SELECT "+mailColumns+" FROM mails WHERE co = ? AND id > ? ORDER BY id", co, after)
	})
}

func (e *export) sessions() error {
	return e.companies(func(co int64, company, after string) error {
		return e.rows(func(r *rows) (any, error) {
			a := e.scanSession(r)
			a.Company = company
			_, err := e.one(func(r *rows) { a.IDToken = r.text(0) }, "SELECT id_token FROM session_tokens WHERE hash = ?", a.Hash[:])
			return a, err
		}, "SELECT "+sessionColumns+" FROM sessions WHERE co = ? AND id > ? ORDER BY id", co, after)
	})
}

func (e *export) requests() error {
	after, err := hex.DecodeString(e.after)
	if err != nil {
		return fmt.Errorf("sqlite: the key of a request: %w", err)
	}
	return e.rows(func(r *rows) (any, error) {
		i := store.IdempotentRequest{Created: r.time(2), Status: int(r.int(3)), Answer: r.text(4)}
		copy(i.Key[:], r.blob(0))
		copy(i.Request[:], r.blob(1))
		return i, nil
	}, "SELECT key, request, created, status, answer FROM idempotency WHERE key > ? ORDER BY key", after)
}

func (e *export) events() error {
	return e.companies(func(co int64, company, after string) error {
		var seq int64
		if after != "" {
			if _, err := fmt.Sscanf(after, "%d", &seq); err != nil {
				return fmt.Errorf("sqlite: the key of an event: %w", err)
			}
		}
		return e.rows(func(r *rows) (any, error) {
			ev, err := scanEvent(r)
			return store.EventRecord{Company: company, Event: ev, Detail: ev.Detail}, err
		}, "SELECT "+eventColumns+" FROM events WHERE co = ? AND seq > ? ORDER BY seq", co, seq)
	})
}

// few gives the values of the kinds of which there are not many, in any order.
func (e *export) few(kind store.RecordKind) ([]any, error) {
	switch kind {
	case store.RecordCompany:
		return e.companyRecords()
	case store.RecordAdmin:
		return e.perCompany(func(_ int64, company string) ([]any, error) {
			return anys(e.ListLocalAdmins(e.ctx, company))
		})
	case store.RecordConnection:
		all, err := e.selectConnections(e.conn, "TRUE")
		var values []any
		for _, c := range all {
			values = append(values, store.ConnectionRecord{Connection: c})
		}
		return values, err
	case store.RecordToken:
		return anys(e.selectTokens(e.conn, "TRUE"))
	case store.RecordAdminKey:
		return anys(e.selectAdminKeys(e.conn, "TRUE"))
	case store.RecordAdminSession:
		return anys(e.selectAdminSessions(e.conn, "TRUE"))
	case store.RecordSchema:
		return e.perCompany(func(co int64, company string) ([]any, error) {
			c := bare(co, company)
			err := c.loadSchemas(e.conn)
			return anys(c.schemas, err)
		})
	case store.RecordRule:
		return e.perCompany(func(co int64, company string) ([]any, error) {
			c := bare(co, company)
			err := c.loadRules(e.conn)
			return anys(c.rules, err)
		})
	case store.RecordSweep:
		return anys(e.ListSweeps(e.ctx))
	case store.RecordSubgroup, store.RecordPool, store.RecordQuirk, store.RecordLoss:
		return e.perCompany(func(co int64, company string) ([]any, error) { return e.counted(kind, co, company) })
	case store.RecordSignIn, store.RecordLogout:
		return e.signIns(kind)
	}
	return nil, fmt.Errorf("sqlite: there are no records of the kind %q", kind)
}

// bare is a company to read into what belongs to it.
func bare(co int64, id string) *company { return &company{co: co, Company: store.Company{ID: id}} }

// anys gives values of one type as those of any.
func anys[T any](list []T, err error) ([]any, error) {
	values := make([]any, len(list))
	for i, v := range list {
		values[i] = v
	}
	return values, err
}

func (e *export) perCompany(values func(co int64, company string) ([]any, error)) (all []any, err error) {
	after := e.after
	e.after = "" // few are read as a whole
	defer func() { e.after = after }()
	err = e.companies(func(co int64, company, _ string) error {
		some, err := values(co, company)
		all = append(all, some...)
		return err
	})
	return all, err
}

// companyRecords reads the companies as they are stored: what is remembered of them may be older.
func (e *export) companyRecords() ([]any, error) {
	var fresh companies
	if err := fresh.load(e.conn); err != nil {
		return nil, err
	}
	var values []any
	for _, c := range fresh.order {
		values = append(values, store.CompanyRecord{Company: c.Company, SchemaRevision: c.schemasRevision})
	}
	return values, nil
}

// counted gives values that take no more than one query.
func (e *export) counted(kind store.RecordKind, co int64, company string) (values []any, err error) {
	add := func(value func(*rows) any, text string) error {
		r := e.query(text, co)
		for r.next() {
			values = append(values, value(r))
		}
		return r.err
	}
	switch kind {
	case store.RecordSubgroup:
		err = add(func(r *rows) any { return store.SubgroupRecord{Company: company, Group: r.text(0), Child: r.text(1)} },
			"SELECT g.id, c.id FROM groups g CROSS JOIN subgroups s ON s.g = g.pk CROSS JOIN groups c ON c.pk = s.child WHERE g.co = ?")
	case store.RecordPool:
		err = add(func(r *rows) any { return scanPool(r, company) },
			"SELECT "+poolColumns+" FROM pools WHERE co = ? AND (total > 0 OR ceiling > 0 OR reserved + active + held + waiting > 0)")
	case store.RecordQuirk:
		err = add(func(r *rows) any {
			return store.QuirkRecord{Company: company, QuirkUse: store.QuirkUse{
				Connection: r.text(0), Quirk: r.text(1), Count: r.int(2), First: r.time(3), Last: r.time(4),
			}}
		}, "SELECT conn, quirk, n, first, last FROM quirks WHERE co = ?")
	case store.RecordLoss:
		err = add(func(r *rows) any {
			return store.LossRecord{Company: company, Connection: r.text(0), At: r.time(1), Count: int(r.int(2))}
		}, "SELECT conn, at, count(*) FROM losses WHERE co = ? GROUP BY conn, at")
	}
	return values, err
}

func (e *export) signIns(kind store.RecordKind) (values []any, err error) {
	if kind == store.RecordLogout {
		r := e.query("SELECT conn, id, expires FROM logout_tokens")
		for r.next() {
			values = append(values, store.LogoutToken{Connection: r.text(0), ID: r.text(1), Expires: r.time(2)})
		}
		return values, r.err
	}
	r := e.query("SELECT " + signInColumns + " FROM sign_ins")
	for r.next() {
		values = append(values, e.scanSignIn(r))
	}
	return values, r.err
}

// CountRecords implements [store.Transfer].
func (s *Store) CountRecords(ctx context.Context, kind store.RecordKind) (n int64, err error) {
	table, ok := recordTables()[kind]
	if !ok {
		return 0, fmt.Errorf("sqlite: there are no records of the kind %q", kind)
	}
	text := "SELECT count(*) FROM " + table
	switch kind {
	case store.RecordLoss:
		text = "SELECT count(*) FROM (SELECT DISTINCT co, conn, at FROM losses)"
	case store.RecordPool:
		text += " WHERE total > 0 OR ceiling > 0 OR reserved + active + held + waiting > 0"
	}
	err = s.read(ctx, func(c *conn) error {
		n, err = c.integer(text)
		return err
	})
	return n, err
}

// recordTables gives the tables with the records of the kinds.
func recordTables() map[store.RecordKind]string {
	return map[store.RecordKind]string{
		store.RecordCompany: "companies", store.RecordAdmin: "local_admins", store.RecordConnection: "connections", store.RecordToken: "tokens",
		store.RecordAdminKey: "admin_keys", store.RecordAdminSession: "admin_sessions", store.RecordSchema: "schemas", store.RecordTombstone: "tombstones",
		store.RecordAccount: "users", store.RecordGroup: "groups", store.RecordMember: "members", store.RecordSubgroup: "subgroups", store.RecordPool: "pools",
		store.RecordRule: "rules", store.RecordQuirk: "quirks", store.RecordLoss: "losses", store.RecordSweep: "sweeps", store.RecordMail: "mails",
		store.RecordSignIn: "sign_ins", store.RecordLogout: "logout_tokens", store.RecordSession: "sessions", store.RecordRequest: "idempotency",
		store.RecordEvent: "events",
	}
}
