package sqlite

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"usher/store"
)

// accountColumns are what scanAccount reads, of users under the name t; accountWidth is their number.
const (
	accountColumns = `t.pk, t.id, t.ver, t.gver, t.n_groups, t.un, t.ext, t.conn, t.display, t.active, t.created, t.modified,
		t.license, t.lstate, t.lreason, t.effective, t.seat, t.sstate, t.ssince, t.requested, t.prio, t.sources, t.member, t.role, t.epoch, t.doc,
		t.roles, t.setup, t.phone, t.iss, t.sub, t.linked_by, t.linked`
	accountWidth = 33
)

// scanAccount reads a row of accountColumns.
func scanAccount(r *rows, company string) (store.Account, error) {
	sources, err := decodeList[store.Source](r.text(21))
	if err != nil {
		return store.Account{}, err
	}
	roles, err := decodeList[store.RoleSource](r.text(26))
	if err != nil {
		return store.Account{}, err
	}
	setup, err := decodeSetup(r.text(27))
	return store.Account{
		ID: r.text(1), Company: company, Version: r.int(2), GroupsVersion: r.int(3), Groups: int(r.int(4)),
		UserName: r.text(5), ExternalID: r.text(6), Connection: r.text(7), Display: r.text(8),
		Active: r.bool(9), Created: r.time(10), Modified: r.time(11), Doc: r.blob(25), Setup: setup, Extension: r.text(28),
		Identity: store.Identity{Issuer: r.text(29), Subject: r.text(30), Connection: r.text(31), Linked: r.time(32)},
		Decision: store.Decision{
			License: r.text(12), LicenseState: r.text(13), LicenseReason: r.text(14), Effective: r.text(15),
			Seat: r.text(16), SeatState: r.text(17), SeatSince: r.time(18),
			Requested: r.time(19), Priority: int(r.int(20)), Sources: sources,
			MemberType: r.text(22), Role: r.text(23), RoleSources: roles, Epoch: r.int(24),
		},
	}, err
}

// Account implements [store.Accounts].
func (s *Store) Account(ctx context.Context, company, id string) (store.Account, error) {
	return s.oneAccount(ctx, company, "SELECT "+accountColumns+" FROM users t WHERE t.co = ? AND t.id = ?", id)
}

// AccountByUserName implements [store.Accounts].
func (s *Store) AccountByUserName(ctx context.Context, company, userName string) (store.Account, error) {
	return s.oneAccount(ctx, company, "SELECT "+accountColumns+" FROM users t WHERE t.co = ? AND t.un = ?", userName)
}

// AccountByIdentity implements [store.Accounts].
func (s *Store) AccountByIdentity(ctx context.Context, company, issuer, subject string) (store.Account, error) {
	return s.oneAccount(ctx, company, "SELECT "+accountColumns+" FROM users t WHERE t.co = ? AND t.iss = ? AND t.sub = ?", issuer, subject)
}

func (s *Store) oneAccount(ctx context.Context, company, text string, keys ...any) (found store.Account, err error) {
	err = s.readCompany(ctx, company, func(c *conn, co int64) error {
		s.rowsRead.Add(1)
		var broken error
		ok, err := c.one(func(r *rows) { found, broken = scanAccount(r, company) }, text, append([]any{co}, keys...)...)
		if err == nil {
			err = broken
		}
		return orNotFound(ok, err)
	})
	return found, err
}

// AccountsByID implements [store.Accounts].
func (s *Store) AccountsByID(ctx context.Context, company string, ids []string) (found []store.Account, err error) {
	list, err := json.Marshal(ids)
	if err != nil {
		return nil, fmt.Errorf("sqlite: %w", err)
	}
	err = s.readCompany(ctx, company, func(c *conn, co int64) error {
		found, err = s.selectAccounts(c, company,
			"SELECT "+accountColumns+" FROM (SELECT DISTINCT value FROM json_each(?)) j CROSS JOIN users t ON t.co = ? AND t.id = j.value ORDER BY t.pk", string(list), co)
		return err
	})
	return found, err
}

func (s *Store) selectAccounts(c *conn, company, text string, args ...any) ([]store.Account, error) {
	var all []store.Account
	r := c.query(text, args...)
	defer r.close()
	for r.next() {
		a, err := scanAccount(r, company)
		if err != nil {
			return nil, err
		}
		all = append(all, a)
	}
	s.rowsRead.Add(int64(len(all)))
	return all, r.err
}

// ListAccounts implements [store.Accounts].
func (s *Store) ListAccounts(ctx context.Context, company string, q store.Query) (store.AccountPage, error) {
	var page store.AccountPage
	l, err := s.list(ctx, accountKind{}, company, q, func(r *rows) (int, error) {
		a, err := scanAccount(r, company)
		page.Accounts = append(page.Accounts, a)
		return len(a.Doc), err
	})
	page.Total, page.RowsRead, page.Keys = l.total, l.read, l.keys
	if err != nil {
		page.Accounts = nil
	}
	return page, err
}

// NewestTombstone implements [store.Accounts].
func (s *Store) NewestTombstone(ctx context.Context, company, connection, externalID string, since time.Time) (store.Tombstone, error) {
	found := store.Tombstone{Company: company, Connection: connection, ExternalID: externalID}
	err := s.readCompany(ctx, company, func(c *conn, co int64) error {
		ok, err := c.one(func(r *rows) {
			found.ID, found.Version, found.Epoch, found.Created, found.Deleted = r.text(0), r.int(1), r.int(2), r.time(3), r.time(4)
		},
			"SELECT id, ver, epoch, created, deleted FROM tombstones WHERE co = ? AND conn = ? AND ext = ? AND deleted >= ? ORDER BY deleted DESC LIMIT 1",
			co, connection, externalID, since.UnixMilli())
		return orNotFound(ok, err)
	})
	if err != nil {
		return store.Tombstone{}, err
	}
	return found, nil
}

// DropTombstones implements [store.Accounts].
func (s *Store) DropTombstones(ctx context.Context, before time.Time) (n int, err error) {
	err = s.write(ctx, func(t *tx) error {
		dropped, err := t.exec("DELETE FROM tombstones WHERE deleted < ?", before.UnixMilli())
		n = int(dropped)
		return err
	})
	return n, err
}
