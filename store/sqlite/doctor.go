package sqlite

import (
	"context"
	"fmt"

	"usher/store"
)

var _ store.Doctor = (*Store)(nil)

// ailment is something that must not be in the database: a query that counts it, and what to say of what it counts.
type ailment struct {
	check string
	text  string // with the number
	count string
}

// leftBehind are the tables whose rows belong to a company.
func leftBehind() []string {
	return []string{
		"domains", "local_admins", "connections", "tokens", "users", "attr", "groups", "pools", "seats", "waiting", "tombstones", "rules", "sweeps", "events",
		"schemas", "quirks", "losses", "admin_keys", "mails", "admin_sessions", "sign_ins", "sessions",
	}
}

func ailments() []ailment {
	const (
		restore = "; the database was changed outside of usher or its disk is failing: restore a backup"
		nobody  = " NOT IN (SELECT pk FROM users)"
		noGroup = " NOT IN (SELECT pk FROM groups)"
	)
	all := []ailment{
		{"members", "%d memberships are of missing accounts or groups" + restore, "SELECT count(*) FROM members WHERE u" + nobody + " OR g" + noGroup},
		{"members", "%d memberships of groups are of missing groups" + restore, "SELECT count(*) FROM subgroups WHERE g" + noGroup + " OR child" + noGroup},
		{"members", "%d groups or accounts count other memberships than they have" + restore, `SELECT
			(SELECT count(*) FROM groups t WHERE n_members <> (SELECT count(*) FROM members m WHERE m.g = t.pk)
				OR n_groups <> (SELECT count(*) FROM subgroups s WHERE s.g = t.pk)) +
			(SELECT count(*) FROM users t WHERE n_groups <> (SELECT count(*) FROM members m WHERE m.u = t.pk))`},
		{"seats", "%d seats are not those of their accounts" + restore, `SELECT
			(SELECT count(*) FROM seats s WHERE NOT EXISTS (SELECT 1 FROM users u WHERE u.pk = s.u AND u.co = s.co AND u.seat = s.sku AND u.sstate = s.state)) +
			(SELECT count(*) FROM users u WHERE seat IS NOT NULL AND NOT EXISTS (SELECT 1 FROM seats s WHERE s.co = u.co AND s.sku = u.seat AND s.u = u.pk))`},
		{"seats", "%d pools do not count the seats and the queue that they have" + restore, miscounted},
		{"queue", "%d places in queues are not those of their accounts" + restore, `SELECT
			(SELECT count(*) FROM waiting w WHERE NOT EXISTS (SELECT 1 FROM users u WHERE u.pk = w.u AND u.co = w.co AND u.id = w.id
				AND u.lstate = 'waiting' AND u.license = w.sku AND u.prio = w.prio)) +
			(SELECT count(*) FROM users u WHERE lstate = 'waiting' AND NOT EXISTS (SELECT 1 FROM waiting w
				WHERE w.co = u.co AND w.sku = u.license AND w.prio = u.prio AND w.id = u.id))`},
		{"index", "%d entries of indexes are of missing accounts" + restore, "SELECT count(*) FROM attr WHERE pk" + nobody},
		{"companies", "%d companies count other accounts or groups than they have" + restore, `SELECT count(*) FROM companies c
			WHERE n_users <> (SELECT count(*) FROM users u WHERE u.co = c.co) OR n_groups <> (SELECT count(*) FROM groups g WHERE g.co = c.co)`},
		{"sessions", "%d tokens are of sessions that are gone" + restore, "SELECT count(*) FROM session_tokens WHERE hash NOT IN (SELECT hash FROM sessions)"},
	}
	for _, table := range leftBehind() {
		all = append(all, ailment{"companies", "%d rows of the table " + table + " are of missing companies" + restore,
			"SELECT count(*) FROM " + table + " WHERE co NOT IN (SELECT co FROM companies)"})
	}
	return all
}

// Examine implements [store.Doctor]: the file itself, and what hangs together in it. All is read at one moment.
func (s *Store) Examine(ctx context.Context) (found []store.Finding, err error) {
	wrong := func(check, format string, args ...any) {
		found = append(found, store.Finding{Check: check, Text: fmt.Sprintf(format, args...)})
	}
	err = s.snapshot(ctx, func(c *conn) error {
		r := c.query("PRAGMA integrity_check(5)")
		for r.next() {
			if said := r.text(0); said != "ok" {
				wrong("file", "the database file is damaged: %s; restore a backup, and look at the disk", said)
			}
		}
		if r.err != nil {
			return r.err
		}
		if len(found) > 0 { // what else would be said follows from it
			return nil
		}
		for _, a := range ailments() {
			if err := ctx.Err(); err != nil {
				return err
			}
			n, err := c.integer(a.count)
			if err != nil {
				return err
			}
			if n > 0 {
				wrong(a.check, a.text, n)
			}
		}
		return s.examineIndex(ctx, c, wrong)
	})
	return found, err
}

// examineIndex compares what is indexed of the accounts with what must be.
func (s *Store) examineIndex(ctx context.Context, c *conn, wrong func(check, format string, args ...any)) error {
	is, err := c.integer("SELECT count(*) FROM attr")
	if err != nil {
		return err
	}
	must := int64(0)
	r := c.query("SELECT " + accountColumns + " FROM users t")
	defer r.close()
	for r.next() {
		if err := ctx.Err(); err != nil {
			return err
		}
		a, err := scanAccount(r, "")
		if err != nil {
			return err
		}
		must += int64(len(s.index.attrs(&a)))
	}
	if r.err == nil && is != must {
		wrong("index", "the indexes have %d entries, and by the accounts there must be %d: filters may miss people; restore a backup, "+
			"or remove the rows of the table attrname while no server runs, and the next start builds the indexes anew", is, must)
	}
	return r.err
}
