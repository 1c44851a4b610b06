package sqlite

import (
	"context"
	"errors"
	"fmt"

	"usher/store"
	"usher/store/query"
)

// outcome is one way in which a write can end, made ready by the caller's goroutine.
type outcome struct {
	account store.Account
	sources any // the column
	roles   any // the column
	setup   any // the column
	attrs   []attr
	add     []attr // rows that the account does not have yet
	drop    []attr // rows that it has no longer
	events  []store.Event
}

// accountWrite is an AccountWrite made ready for the writer.
type accountWrite struct {
	co     int64
	before *store.Account
	after  outcome
	noSeat *outcome // nil: refuse
	adopt  *store.Tombstone
	loss   string
	mails  []store.Mail
	stored store.Account // the result
	pk     int64         // of the account
}

func (s *Store) prepareWrite(w store.AccountWrite) (*accountWrite, error) {
	co, err := s.mustNumberOf(w.After.Company)
	if err != nil {
		return nil, err
	}
	if w.Adopt != nil && (w.Before != nil || w.Adopt.ID != w.After.ID) {
		return nil, errors.New("sqlite: only a new account with the id of a tombstone can take it over")
	}
	p := &accountWrite{co: co, before: w.Before, adopt: w.Adopt, loss: w.Loss, mails: w.Mails}
	var had []attr
	if w.Before != nil {
		if w.Before.Company != w.After.Company || w.Before.ID != w.After.ID {
			return nil, errors.New("sqlite: a write cannot change the id or the company of an account")
		}
		had = s.index.attrs(w.Before)
	}
	if p.after, err = s.prepareOutcome(w.After, had, w.Events); err != nil {
		return nil, err
	}
	if w.NoSeat != nil {
		o, err := s.prepareOutcome(w.NoSeat.Account, had, w.NoSeat.Events)
		if err != nil {
			return nil, err
		}
		o.account.ID, o.account.Company = w.After.ID, w.After.Company
		p.noSeat = &o
	}
	return p, nil
}

func (s *Store) prepareOutcome(a store.Account, had []attr, events []store.Event) (o outcome, err error) {
	o.account = a
	o.attrs = s.index.attrs(&a)
	o.add, o.drop = difference(o.attrs, had), difference(had, o.attrs)
	if o.sources, err = encodeList(a.Sources); err != nil {
		return o, err
	}
	if o.roles, err = encodeList(a.RoleSources); err != nil {
		return o, err
	}
	if o.setup, err = encodeSetup(a.Setup); err != nil {
		return o, err
	}
	o.events, err = prepareEvents(events)
	return o, err
}

// WriteAccount implements [store.Accounts].
func (s *Store) WriteAccount(ctx context.Context, w store.AccountWrite) (store.Account, error) {
	p, err := s.prepareWrite(w)
	if err != nil {
		return store.Account{}, err
	}
	if err := s.write(ctx, p.run); err != nil {
		return store.Account{}, err
	}
	s.wrote(p)
	return p.stored, nil
}

// wrote keeps in step what is remembered of the list of accounts, after the commit: only an account that comes back comes in between.
func (s *Store) wrote(w *accountWrite) {
	if w.before == nil && w.adopt != nil {
		s.marks.cut(markKey{w.co, "users"}, w.pk)
	}
}

// WriteAccounts implements [store.Accounts].
func (s *Store) WriteAccounts(ctx context.Context, ws []store.AccountWrite) []store.AccountResult {
	results := make([]store.AccountResult, len(ws))
	writes := make([]*accountWrite, len(ws))
	var ops []*op
	var index []int // of the write that an operation is for
	for i, w := range ws {
		if writes[i], results[i].Err = s.prepareWrite(w); results[i].Err == nil {
			ops, index = append(ops, &op{ctx: ctx, run: writes[i].run}), append(index, i)
		}
	}
	for at := 0; at < len(ops); at += maxBatch {
		s.writer.doAll(ops[at:min(at+maxBatch, len(ops))])
	}
	for k, i := range index {
		if results[i].Err = ops[k].err; results[i].Err == nil {
			s.wrote(writes[i])
			results[i].Account = writes[i].stored
		}
	}
	return results
}

// standing is what the writer must know of an account as it is stored. The zero value is that of an account yet to be created.
type standing struct {
	pk        int64
	version   int64
	gver      int64
	groups    int
	userName  string
	extension string
	identity  store.Identity
	seat      string
	seatState string
	seatSince int64
	queue     *place
}

// place is a row of the queue, without account.
type place struct {
	sku  string
	prio int
	at   int64
}

// placeOf gives the place in the queue that follows from an account; nil when it does not wait.
func placeOf(d store.Decision) *place {
	if d.LicenseState != store.StateWaiting {
		return nil
	}
	return &place{d.License, d.Priority, d.Requested.UnixMilli()}
}

// standing reads an account's; ErrNotFound, or ErrVersion unless it is at the version.
func (t *tx) standing(co int64, id string, version int64) (st standing, err error) {
	found, err := t.one(func(r *rows) {
		st = standing{
			pk: r.int(0), version: r.int(1), gver: r.int(2), groups: int(r.int(3)), userName: r.text(4),
			seat: r.text(5), seatState: r.text(6), seatSince: r.time(7).UnixMilli(),
		}
		st.extension = r.text(12)
		st.identity = store.Identity{Issuer: r.text(13), Subject: r.text(14), Connection: r.text(15), Linked: r.time(16)}
		st.queue = placeOf(store.Decision{License: r.text(8), LicenseState: r.text(9), Priority: int(r.int(10)), Requested: r.time(11)})
	}, "SELECT pk, ver, gver, n_groups, un, seat, sstate, ssince, license, lstate, prio, requested, phone, iss, sub, linked_by, linked FROM users WHERE co = ? AND id = ?", co, id)
	if err := orNotFound(found, err); err != nil {
		return st, err
	}
	if st.version != version {
		return st, store.ErrVersion
	}
	return st, nil
}

// run is the operation.
func (w *accountWrite) run(t *tx) error {
	var st standing
	switch {
	case w.before != nil:
		var err error
		if st, err = t.standing(w.co, w.before.ID, w.before.Version); err != nil {
			return err
		}
	case w.adopt != nil:
		st.version = w.adopt.Version
	}
	o := &w.after
	if a := o.account; a.Seat != "" && a.Seat != st.seat {
		free, err := t.seatFree(w.co, a.Seat)
		if err != nil {
			return err
		}
		if !free {
			if w.noSeat == nil {
				return t.refuseSeat(w.co, st.pk, &a)
			}
			o = w.noSeat
			if s := o.account.Seat; s != "" && s != st.seat {
				return fmt.Errorf("sqlite: the outcome for want of a seat claims one of %q", s)
			}
		}
	}
	var err error
	if st.pk == 0 {
		st.pk, err = t.insertAccount(w.co, o, st.version+1, w.adopt)
	} else {
		err = t.updateAccount(w.co, st, o)
	}
	if err != nil {
		return err
	}
	if err := t.reseat(w.co, st, o.account); err != nil {
		return err
	}
	if err := t.requeue(w.co, st.pk, o.account.ID, st.queue, placeOf(o.account.Decision)); err != nil {
		return err
	}
	for _, at := range o.drop {
		if err := dropAttr(t.conn, w.co, at, st.pk); err != nil {
			return err
		}
	}
	for _, at := range o.add {
		if err := addAttr(t.conn, w.co, at, st.pk); err != nil {
			return err
		}
	}
	if err := t.log(w.co, o.events); err != nil {
		return err
	}
	if err := t.post(w.co, w.mails); err != nil {
		return err
	}
	if w.adopt != nil {
		if err := t.adopt(w.co, w.adopt); err != nil {
			return err
		}
	}
	if err := t.lose(w.co, st.pk, w.loss, o.account.Modified); err != nil {
		return err
	}
	w.pk = st.pk
	w.stored = o.account
	w.stored.Version, w.stored.GroupsVersion, w.stored.Groups = st.version+1, st.gver, st.groups
	return nil
}

// refuseSeat gives the reason why an account does not get a seat that is not there: for one whose name or number is taken, that.
func (t *tx) refuseSeat(co, pk int64, a *store.Account) error {
	named, err := t.named(co, pk, a.UserName)
	switch {
	case err != nil:
		return err
	case named:
		return &store.ConflictError{Field: "UserName", Value: a.UserName}
	}
	if err := t.extensionFree(co, pk, a.Extension); err != nil {
		return err
	}
	if err := t.identityFree(co, pk, a.Identity); err != nil {
		return err
	}
	return store.ErrNoSeat
}

// extensionFree gives the conflict of an extension number that another account than the one with the pk has.
func (t *tx) extensionFree(co, pk int64, number string) error {
	if number == "" {
		return nil
	}
	taken, err := t.exists("SELECT 1 FROM users WHERE co = ? AND phone = ? AND pk <> ?", co, number, pk)
	if err == nil && taken {
		err = &store.ConflictError{Field: "Extension", Value: number}
	}
	return err
}

// identityFree gives the conflict of an identity that another account than the one with the pk has.
func (t *tx) identityFree(co, pk int64, i store.Identity) error {
	if i.Subject == "" {
		return nil
	}
	taken, err := t.exists("SELECT 1 FROM users WHERE co = ? AND iss = ? AND sub = ? AND pk <> ?", co, i.Issuer, i.Subject, pk)
	if err == nil && taken {
		err = &store.ConflictError{Field: "Identity", Value: i.Subject}
	}
	return err
}

// named says whether another account than the one with the pk has the user name.
func (t *tx) named(co, pk int64, userName string) (bool, error) {
	return t.exists("SELECT 1 FROM users WHERE co = ? AND un = ? AND pk <> ?", co, userName, pk)
}

// place gives the pk of a new account: a new one, or that of the tombstone which it takes over.
func (t *tx) place(co int64, adopt *store.Tombstone) (pk int64, err error) {
	if adopt != nil {
		pk, err = t.integer("SELECT pk FROM tombstones WHERE "+theTombstone, tombstoneKey(co, adopt)...)
	}
	if err == nil && pk == 0 {
		t.lastUser++
		pk = t.lastUser
	}
	return pk, err
}

func (t *tx) insertAccount(co int64, o *outcome, version int64, adopt *store.Tombstone) (pk int64, err error) {
	a := &o.account
	if pk, err = t.place(co, adopt); err != nil {
		return 0, err
	}
	_, err = t.exec(`INSERT INTO users (pk, co, id, un, ver, ext, conn, display, active, created, modified,
			license, lstate, lreason, effective, seat, sstate, ssince, requested, prio, sources, member, role, epoch, doc, roles, setup, phone,
			iss, sub, linked_by, linked)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		pk, co, a.ID, a.UserName, version, optional(a.ExternalID), optional(a.Connection), optional(a.Display), a.Active, a.Created, a.Modified,
		optional(a.License), optional(a.LicenseState), optional(a.LicenseReason), optional(a.Effective),
		optional(a.Seat), optional(a.SeatState), a.SeatSince, a.Requested, a.Priority, o.sources,
		optional(a.MemberType), optional(a.Role), a.Epoch, a.Doc, o.roles, o.setup, optional(a.Extension),
		optional(a.Identity.Issuer), optional(a.Identity.Subject), optional(a.Identity.Connection), a.Identity.Linked)
	if taken(err) {
		named, findErr := t.named(co, 0, a.UserName)
		if findErr != nil {
			return 0, findErr
		}
		if named {
			return 0, &store.ConflictError{Field: "UserName", Value: a.UserName}
		}
		if err := t.extensionFree(co, 0, a.Extension); err != nil {
			return 0, err
		}
		if err := t.identityFree(co, 0, a.Identity); err != nil {
			return 0, err
		}
		return 0, &store.ConflictError{Field: "ID", Value: a.ID}
	}
	if err != nil {
		return 0, err
	}
	_, err = t.exec("UPDATE companies SET n_users = n_users + 1 WHERE co = ?", co)
	return pk, err
}

func (t *tx) updateAccount(co int64, st standing, o *outcome) error {
	a := &o.account
	if a.UserName != st.userName { // apart, because naming the column costs its index entry even where the value stays
		if _, err := t.exec("UPDATE users SET un = ? WHERE pk = ?", a.UserName, st.pk); err != nil {
			return conflict(err, "UserName", a.UserName)
		}
	}
	if a.Extension != st.extension { // as above
		if _, err := t.exec("UPDATE users SET phone = ? WHERE pk = ?", optional(a.Extension), st.pk); err != nil {
			return conflict(err, "Extension", a.Extension)
		}
	}
	if i := a.Identity; i != st.identity { // as above
		if _, err := t.exec("UPDATE users SET iss = ?, sub = ?, linked_by = ?, linked = ? WHERE pk = ?",
			optional(i.Issuer), optional(i.Subject), optional(i.Connection), i.Linked, st.pk); err != nil {
			return conflict(err, "Identity", i.Subject)
		}
	}
	_, err := t.exec(`UPDATE users SET ver = ?, ext = ?, conn = ?, display = ?, active = ?, created = ?, modified = ?,
			license = ?, lstate = ?, lreason = ?, effective = ?, seat = ?, sstate = ?, ssince = ?, requested = ?, prio = ?, sources = ?,
			member = ?, role = ?, epoch = ?, doc = ?, roles = ?, setup = ?
		WHERE pk = ?`,
		st.version+1, optional(a.ExternalID), optional(a.Connection), optional(a.Display), a.Active, a.Created, a.Modified,
		optional(a.License), optional(a.LicenseState), optional(a.LicenseReason), optional(a.Effective),
		optional(a.Seat), optional(a.SeatState), a.SeatSince, a.Requested, a.Priority, o.sources,
		optional(a.MemberType), optional(a.Role), a.Epoch, a.Doc, o.roles, o.setup, st.pk)
	return err
}

// theTombstone is the condition that finds a tombstone by its tombstoneKey.
const theTombstone = "co = ? AND conn = ? AND ext = ? AND deleted = ? AND id = ?"

func tombstoneKey(co int64, b *store.Tombstone) []any {
	return []any{co, b.Connection, b.ExternalID, b.Deleted.UnixMilli(), b.ID}
}

// adopt removes the tombstone that a creation takes over; ErrVersion when it is gone, since the plan was made on it.
func (t *tx) adopt(co int64, b *store.Tombstone) error {
	n, err := t.exec("DELETE FROM tombstones WHERE "+theTombstone, tombstoneKey(co, b)...)
	if err == nil && n == 0 {
		err = store.ErrVersion
	}
	return err
}

// DeleteAccount implements [store.Accounts].
func (s *Store) DeleteAccount(ctx context.Context, d store.AccountDelete) error {
	events, err := prepareEvents(d.Events)
	if err != nil {
		return err
	}
	var key markKey
	var pk int64
	err = s.writeCompany(ctx, d.Before.Company, func(t *tx, co int64) error {
		st, err := t.standing(co, d.Before.ID, d.Before.Version)
		if err != nil {
			return err
		}
		key, pk = markKey{co, "users"}, st.pk
		if err := s.dropAttrs(t, co, st.pk); err != nil {
			return err
		}
		if err := t.reseat(co, st, store.Account{}); err != nil {
			return err
		}
		if err := t.requeue(co, st.pk, d.Before.ID, st.queue, nil); err != nil {
			return err
		}
		if err := t.leaveGroups(st); err != nil {
			return err
		}
		if _, err := t.exec("DELETE FROM users WHERE pk = ?", st.pk); err != nil {
			return err
		}
		if err := t.bury(co, accountKind{}, d.Before.ID, st.pk); err != nil {
			return err
		}
		if _, err := t.exec("UPDATE companies SET n_users = n_users - 1 WHERE co = ?", co); err != nil {
			return err
		}
		if b := d.Tombstone; b != nil {
			if _, err := t.exec("INSERT OR REPLACE INTO tombstones (co, conn, ext, deleted, id, pk, ver, epoch, created) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
				co, b.Connection, b.ExternalID, b.Deleted.UnixMilli(), b.ID, st.pk, b.Version, b.Epoch, b.Created); err != nil {
				return err
			}
		}
		if err := t.lose(co, st.pk, d.Loss, d.At); err != nil {
			return err
		}
		return t.log(co, events)
	})
	if err == nil {
		s.marks.cut(key, pk)
	}
	return err
}

// dropAttrs removes the rows of a stored account. They follow from the account as it is stored, not as the caller remembers it.
func (s *Store) dropAttrs(t *tx, co, pk int64) error {
	a, err := first(s.selectAccounts(t.conn, "", "SELECT "+accountColumns+" FROM users t WHERE t.pk = ?", pk))
	if err != nil {
		return err
	}
	a.Terms = query.Terms(a.Doc, s.index.documents)
	for _, at := range s.index.attrs(&a) {
		if err := dropAttr(t.conn, co, at, pk); err != nil {
			return err
		}
	}
	return nil
}

// leaveGroups ends the memberships of an account.
func (t *tx) leaveGroups(st standing) error {
	if st.groups == 0 {
		return nil
	}
	if _, err := t.exec("UPDATE groups SET ver = ver + 1, n_members = n_members - 1 WHERE pk IN (SELECT g FROM members WHERE u = ?)", st.pk); err != nil {
		return err
	}
	_, err := t.exec("DELETE FROM members WHERE u = ?", st.pk)
	return err
}
