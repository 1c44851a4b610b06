package sqlite

import (
	"encoding/json"
	"fmt"

	"usher/store"
)

const (
	// notBought is the ceiling of a pool that has come with an account, before its own record: so no seat is refused meanwhile.
	notBought = -1
	// enoughSeats is its total.
	enoughSeats = 1 << 40
)

// importing is what the records of one transaction have in common.
type importing struct {
	*tx
	numbers map[string]int64 // of companies
	group   store.MemberRecord
	groupPK int64 // of the group in group, the last that was asked for
	pools   map[string]bool
	places  []pending // of deleted accounts that may come back, which have no pk yet; by company and id
	placed  bool      // whether they were read
}

// pending is a tombstone whose place in the list of accounts is not made yet.
type pending struct {
	co       int64
	conn     string
	external string
	deleted  int64
	id       string
}

func newImporting(t *tx) *importing {
	return &importing{tx: t, numbers: map[string]int64{}, pools: map[string]bool{}}
}

// companyOf gives the number of a company: ErrNotFound.
func (in *importing) companyOf(id string) (int64, error) {
	if co, ok := in.numbers[id]; ok {
		return co, nil
	}
	co, err := in.integer("SELECT co FROM companies WHERE id = ?", id)
	if err := orNotFound(co != 0, err); err != nil {
		return 0, fmt.Errorf("company %s: %w", id, err)
	}
	in.numbers[id] = co
	return co, nil
}

// prepareRecord gives what stores a record.
func (s *Store) prepareRecord(r store.Record) (func(*importing) error, error) {
	switch r.Kind {
	case store.RecordCompany:
		return prepared(r, (*importing).company)
	case store.RecordAdmin:
		return prepared(r, func(in *importing, a store.LocalAdmin) error {
			co, err := in.companyOf(a.Company)
			if err != nil {
				return err
			}
			return in.insertAdmin(co, a)
		})
	case store.RecordConnection:
		return prepared(r, (*importing).connection)
	case store.RecordToken:
		return prepared(r, (*importing).token)
	case store.RecordAdminKey:
		return prepared(r, func(in *importing, k store.AdminKey) error {
			return in.insert(k.Company, "INSERT INTO admin_keys (co, hash, id, admin, created, expires) VALUES (?, ?, ?, ?, ?, ?)",
				k.Hash[:], k.ID, k.Admin, k.Created, k.Expires)
		})
	case store.RecordAdminSession:
		return prepared(r, func(in *importing, a store.AdminSession) error {
			return in.insert(a.Company, `INSERT INTO admin_sessions (co, hash, id, kind, admin, credential, created, seen, expires)
				VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
				a.Hash[:], a.ID, a.Kind, a.Admin, a.Credential[:], a.Created, a.Seen, a.Expires)
		})
	case store.RecordSchema:
		return prepared(r, func(in *importing, s store.Schema) error {
			return in.insert(s.Company, "INSERT INTO schemas (co, urn, type, doc, created) VALUES (?, ?, ?, ?, ?)", s.URN, s.Type, s.Doc, s.Created)
		})
	case store.RecordTombstone:
		return prepared(r, func(in *importing, b store.Tombstone) error {
			// Its place is made with those of the accounts.
			return in.insert(b.Company, "INSERT INTO tombstones (co, conn, ext, deleted, id, pk, ver, epoch, created) VALUES (?, ?, ?, ?, ?, 0, ?, ?, ?)",
				b.Connection, b.ExternalID, b.Deleted.UnixMilli(), b.ID, b.Version, b.Epoch, b.Created)
		})
	case store.RecordAccount:
		return s.prepareAccountRecord(r)
	case store.RecordGroup:
		return prepared(r, (*importing).insertGroup)
	case store.RecordMember:
		return prepared(r, (*importing).member)
	case store.RecordSubgroup:
		return prepared(r, (*importing).subgroup)
	case store.RecordPool:
		return prepared(r, func(in *importing, p store.Pool) error {
			return in.insert(p.Company, `INSERT INTO pools (co, sku, total, ceiling) VALUES (?, ?, ?, ?)
				ON CONFLICT (co, sku) DO UPDATE SET total = excluded.total, ceiling = excluded.ceiling`, p.License, p.Total, p.Ceiling)
		})
	case store.RecordRule:
		return prepared(r, (*importing).rule)
	case store.RecordQuirk:
		return prepared(r, func(in *importing, u store.QuirkRecord) error {
			return in.insert(u.Company, "INSERT INTO quirks (co, conn, quirk, n, first, last) VALUES (?, ?, ?, ?, ?, ?)", u.Connection, u.Quirk, u.Count, u.First, u.Last)
		})
	case store.RecordLoss:
		return prepared(r, func(in *importing, l store.LossRecord) error {
			for i := range l.Count { // whose they were does not matter any more; no account has a number below 0
				if err := in.insert(l.Company, "INSERT INTO losses (co, conn, at, u) VALUES (?, ?, ?, ?)", l.Connection, l.At, -1-i); err != nil {
					return err
				}
			}
			return nil
		})
	case store.RecordSweep:
		return prepared(r, func(in *importing, w store.Sweep) error {
			co, err := in.companyOf(w.Company)
			if err != nil {
				return err
			}
			return in.because(co, &w, nil)
		})
	case store.RecordMail:
		return prepared(r, (*importing).mail)
	case store.RecordSignIn:
		return prepared(r, func(in *importing, i store.SignIn) error {
			return in.insert(i.Company, `INSERT INTO sign_ins (co, state, browser, conn, ver, nonce, verifier, ret, test, created, used, session)
				VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
				i.State[:], i.Browser[:], i.Connection, i.SignOn, i.Nonce, i.Verifier, optional(i.Return), i.Test, i.Created, i.Used, i.Session[:])
		})
	case store.RecordLogout:
		return prepared(r, func(in *importing, l store.LogoutToken) error {
			_, err := in.exec("INSERT INTO logout_tokens (conn, id, expires) VALUES (?, ?, ?)", l.Connection, l.ID, l.Expires)
			return err
		})
	case store.RecordSession:
		return prepared(r, func(in *importing, a store.Session) error {
			co, err := in.companyOf(a.Company)
			if err != nil {
				return err
			}
			pk, err := in.integer("SELECT pk FROM users WHERE co = ? AND id = ?", co, a.Account) // 0, which nobody has, when the account is gone
			if err != nil {
				return err
			}
			return in.insertSession(co, pk, a)
		})
	case store.RecordRequest:
		return prepared(r, func(in *importing, i store.IdempotentRequest) error {
			_, err := in.exec("INSERT INTO idempotency (key, request, created, status, answer) VALUES (?, ?, ?, ?, ?)",
				i.Key[:], i.Request[:], i.Created, i.Status, optional(i.Answer))
			return err
		})
	case store.RecordEvent:
		return prepared(r, (*importing).event)
	}
	return nil, fmt.Errorf("sqlite: there are no records of the kind %q", r.Kind)
}

// prepared gives what stores the value of a record.
func prepared[T any](r store.Record, put func(*importing, T) error) (func(*importing) error, error) {
	var value T
	if err := r.Value(&value); err != nil {
		return nil, err
	}
	return func(in *importing) error { return put(in, value) }, nil
}

// insert runs a statement whose first parameter is the number of the company.
func (in *importing) insert(company, text string, args ...any) error {
	co, err := in.companyOf(company)
	if err != nil {
		return err
	}
	_, err = in.exec(text, append([]any{co}, args...)...)
	return err
}

func (in *importing) company(c store.CompanyRecord) error {
	co, err := in.insertCompany(c.Company)
	if err != nil {
		return err
	}
	_, err = in.exec("UPDATE companies SET n_schemas = ? WHERE co = ?", c.SchemaRevision, co)
	return err
}

func (in *importing) connection(c store.ConnectionRecord) error {
	quirks, err := encodeList(c.QuirksOff)
	if err != nil {
		return err
	}
	signOn, err := encodeSignOn(c.SignOn)
	if err != nil {
		return err
	}
	return in.insert(c.Company, `INSERT INTO connections (co, id, name, mode, epoch, quirks_off, created, strict, sign_on, sign_on_ver, breaker, breaker_since)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		c.ID, c.Name, optional(c.Mode), c.Epoch, quirks, c.Created, c.Strict, signOn, c.SignOn.Version, optional(c.Breaker), c.BreakerSince)
}

func (in *importing) token(t store.Token) error {
	scopes, err := encodeList(t.Scopes)
	if err != nil {
		return err
	}
	return in.insert(t.Company, "INSERT INTO tokens (co, hash, id, conn, scopes, granted_by, created, expires) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
		t.Hash[:], t.ID, optional(t.Connection), scopes, optional(t.GrantedBy), t.Created, t.Expires)
}

// prepareAccountRecord gives what stores an account with its place in the list, its seat, its place in the queue and what is indexed of it.
func (s *Store) prepareAccountRecord(r store.Record) (func(*importing) error, error) {
	var a store.Account
	if err := r.Value(&a); err != nil {
		return nil, err
	}
	o, err := s.prepareOutcome(a, nil, nil)
	if err != nil {
		return nil, err
	}
	return func(in *importing) error {
		co, err := in.companyOf(a.Company)
		if err != nil {
			return err
		}
		if err := in.placesBefore(co, a.ID); err != nil {
			return err
		}
		pk, err := in.insertAccount(co, &o, a.Version, nil)
		if err != nil {
			return err
		}
		if _, err := in.exec("UPDATE users SET gver = ?, n_groups = ? WHERE pk = ?", a.GroupsVersion, a.Groups, pk); err != nil {
			return err
		}
		to := placeOf(a.Decision)
		if a.Seat != "" {
			err = in.pool(co, a.Seat)
		}
		if err == nil && to != nil {
			err = in.pool(co, to.sku)
		}
		if err == nil {
			err = in.reseat(co, standing{pk: pk}, a)
		}
		if err == nil {
			err = in.requeue(co, pk, a.ID, nil, to)
		}
		for _, at := range o.attrs {
			if err == nil {
				err = addAttr(in.conn, co, at, pk)
			}
		}
		return err
	}, nil
}

// pool makes a pool that the record of an account needs before the pool's own.
func (in *importing) pool(co int64, sku string) error {
	key := fmt.Sprintf("%d %s", co, sku)
	if in.pools[key] {
		return nil
	}
	in.pools[key] = true
	_, err := in.exec("INSERT OR IGNORE INTO pools (co, sku, total, ceiling) VALUES (?, ?, ?, ?)", co, sku, enoughSeats, notBought)
	return err
}

// placesBefore makes the places of the deleted accounts of a company that stood before the account with the id: one that comes back stands there.
func (in *importing) placesBefore(co int64, id string) error {
	if err := in.readPlaces(); err != nil {
		return err
	}
	// They are by company and id, and the accounts of one company come in the order of their ids.
	for len(in.places) > 0 {
		p := in.places[0]
		if p.co < co { // the last of a company that has no more accounts
			in.places = in.places[1:]
			continue
		}
		if p.co > co || p.id > id {
			return nil
		}
		if err := in.nextPlace(p); err != nil {
			return err
		}
		in.places = in.places[1:]
	}
	return nil
}

// restOfPlaces makes those of the deleted accounts that no other stood behind.
func (in *importing) restOfPlaces() error {
	if err := in.readPlaces(); err != nil {
		return err
	}
	for _, p := range in.places {
		if err := in.nextPlace(p); err != nil {
			return err
		}
	}
	in.places = nil
	return nil
}

func (in *importing) readPlaces() error {
	if in.placed {
		return nil
	}
	r := in.query("SELECT co, conn, ext, deleted, id FROM tombstones WHERE pk = 0 ORDER BY co, id")
	for r.next() {
		in.places = append(in.places, pending{r.int(0), r.text(1), r.text(2), r.int(3), r.text(4)})
	}
	in.placed = true
	return r.err
}

func (in *importing) nextPlace(p pending) error {
	in.lastUser++
	_, err := in.exec("UPDATE tombstones SET pk = ? WHERE co = ? AND conn = ? AND ext = ? AND deleted = ? AND id = ?",
		in.lastUser, p.co, p.conn, p.external, p.deleted, p.id)
	return err
}

func (in *importing) insertGroup(g store.Group) error {
	in.lastGroup++
	err := in.insert(g.Company, `INSERT INTO groups (co, pk, id, dn, ver, display, ext, n_members, n_groups, created, modified, doc)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		in.lastGroup, g.ID, g.Name, g.Version, optional(g.Display), optional(g.ExternalID), g.Members, g.Groups, g.Created, g.Modified, g.Doc)
	if err != nil {
		return err
	}
	return in.insert(g.Company, "UPDATE companies SET n_groups = n_groups + 1 WHERE co = ?")
}

func (in *importing) groupOf(company, id string) (co, pk int64, err error) {
	if co, err = in.companyOf(company); err != nil {
		return 0, 0, err
	}
	if in.group.Company == company && in.group.Group == id {
		return co, in.groupPK, nil
	}
	if pk, err = in.integer("SELECT pk FROM groups WHERE co = ? AND id = ?", co, id); err != nil {
		return 0, 0, err
	}
	if pk == 0 {
		return 0, 0, &store.UnknownMemberError{ID: id}
	}
	in.group, in.groupPK = store.MemberRecord{Company: company, Group: id}, pk
	return co, pk, nil
}

func (in *importing) member(m store.MemberRecord) error {
	co, pk, err := in.groupOf(m.Company, m.Group)
	if err != nil {
		return err
	}
	n, err := in.exec("INSERT INTO members (g, u) SELECT ?, pk FROM users WHERE co = ? AND id = ?", pk, co, m.Account)
	if err == nil && n == 0 {
		err = &store.UnknownMemberError{ID: m.Account}
	}
	return err
}

func (in *importing) subgroup(m store.SubgroupRecord) error {
	co, pk, err := in.groupOf(m.Company, m.Group)
	if err != nil {
		return err
	}
	n, err := in.exec("INSERT INTO subgroups (g, child) SELECT ?, pk FROM groups WHERE co = ? AND id = ?", pk, co, m.Child)
	if err == nil && n == 0 {
		err = &store.UnknownMemberError{ID: m.Child}
	}
	return err
}

func (in *importing) rule(r store.Rule) error {
	var cond any
	if r.Match != nil {
		b, err := json.Marshal(r.Match)
		if err != nil {
			return fmt.Errorf("sqlite: %w", err)
		}
		cond = string(b)
	}
	return in.insert(r.Company, "INSERT INTO rules (co, id, grp, license, prio, author, created, cond, role) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
		r.ID, r.Group, r.License, r.Priority, optional(r.By), r.Created, cond, optional(r.Role))
}

func (in *importing) mail(m store.MailRecord) error {
	var data any
	if m.Data != nil {
		data = string(m.Data)
	}
	return in.insert(m.Company, `INSERT INTO mails (co, id, ver, account, kind, addr, data, created, state, due, attempts, error, done)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		m.ID, m.Version, optional(m.Account), m.Kind, m.To, data, m.Created, m.State, m.Due, m.Attempts, optional(m.Error), m.Done)
}

func (in *importing) event(e store.EventRecord) error {
	co, err := in.companyOf(e.Company)
	if err != nil {
		return err
	}
	in.logged = append(in.logged, co)
	delete(in.heads, co) // read again by who appends the next
	e.Event.Detail = e.Detail
	return in.insertEvent(co, e.Event)
}
