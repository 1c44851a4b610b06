package sqlite

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"usher/store"
)

// encodeSetup gives the column of a set-up: nil, which is NULL, for none.
func encodeSetup(s store.Setup) (any, error) {
	if s.Activation == "" && s.Link == nil && s.Password == "" && s.Done == nil && !s.MustChange && !s.Weak && s.TOTP == "" && s.TOTPStep == 0 && s.LinkUntil.IsZero() {
		return nil, nil
	}
	b, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("sqlite: %w", err)
	}
	return string(b), nil
}

// decodeSetup is the inverse of encodeSetup.
func decodeSetup(text string) (s store.Setup, err error) {
	if text == "" {
		return s, nil
	}
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return s, fmt.Errorf("sqlite: set-up of an account: %w", err)
	}
	return s, nil
}

// post puts mails into the outbox.
func (t *tx) post(co int64, mails []store.Mail) error {
	for _, m := range mails {
		var data any
		if m.Data != nil {
			data = string(m.Data)
		}
		if _, err := t.exec(`INSERT INTO mails (id, ver, co, account, kind, addr, data, created, state, due, attempts, error, done)
			VALUES (?, 1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			m.ID, co, optional(m.Account), m.Kind, m.To, data, m.Created, m.State, m.Due, m.Attempts, optional(m.Error), m.Done); err != nil {
			return conflict(err, "Mail.ID", m.ID)
		}
	}
	return nil
}

const mailColumns = "id, ver, co, account, kind, addr, data, created, state, due, attempts, error, done"

func (s *Store) selectMails(c *conn, rest string, args ...any) ([]store.Mail, error) {
	var all []store.Mail
	r := c.query("SELECT "+mailColumns+" FROM mails WHERE "+rest, args...)
	defer r.close()
	for r.next() {
		m := scanMail(r)
		m.Company = s.companies.idOf(r.int(2))
		all = append(all, m)
	}
	return all, r.err
}

// scanMail reads a row of mailColumns, without the company.
func scanMail(r *rows) store.Mail {
	m := store.Mail{
		ID: r.text(0), Version: r.int(1), Account: r.text(3), Kind: r.text(4), To: r.text(5), Created: r.time(7),
		State: r.text(8), Due: r.time(9), Attempts: int(r.int(10)), Error: r.text(11), Done: r.time(12),
	}
	if data := r.text(6); data != "" {
		m.Data = json.RawMessage(data)
	}
	return m
}

// PostMails implements [store.Outbox].
func (s *Store) PostMails(ctx context.Context, company string, mails []store.Mail) error {
	return s.writeCompany(ctx, company, func(t *tx, co int64) error { return t.post(co, mails) })
}

// DueMails implements [store.Outbox].
func (s *Store) DueMails(ctx context.Context, now time.Time, limit int) (due []store.Mail, err error) {
	err = s.read(ctx, func(c *conn) error {
		due, err = s.selectMails(c, "state IN ('queued', 'sending') AND due <= ? ORDER BY due, pk LIMIT ?", now, max(limit, 0))
		return err
	})
	return due, err
}

// ListMails implements [store.Outbox].
func (s *Store) ListMails(ctx context.Context, company, account, before string, limit int) (all []store.Mail, err error) {
	err = s.readCompany(ctx, company, func(c *conn, co int64) error {
		where, args := "co = ?", []any{co}
		if account != "" {
			where, args = where+" AND account = ?", append(args, account)
		}
		if before != "" {
			where, args = where+" AND pk < (SELECT pk FROM mails WHERE co = ? AND id = ?)", append(args, co, before)
		}
		all, err = s.selectMails(c, where+" ORDER BY pk DESC LIMIT ?", append(args, max(limit, 0))...)
		return err
	})
	return all, err
}

// UpdateMail implements [store.Outbox].
func (s *Store) UpdateMail(ctx context.Context, m store.Mail) error {
	return s.writeCompany(ctx, m.Company, func(t *tx, co int64) error {
		n, err := t.exec("UPDATE mails SET ver = ver + 1, state = ?, due = ?, attempts = ?, error = ?, done = ? WHERE co = ? AND id = ? AND ver = ?",
			m.State, m.Due, m.Attempts, optional(m.Error), m.Done, co, m.ID, m.Version)
		if err != nil || n > 0 {
			return err
		}
		found, err := t.exists("SELECT 1 FROM mails WHERE co = ? AND id = ?", co, m.ID)
		if err == nil && found {
			return store.ErrVersion
		}
		return orNotFound(found, err)
	})
}

// DropMails implements [store.Outbox].
func (s *Store) DropMails(ctx context.Context, before time.Time) (n int, err error) {
	err = s.write(ctx, func(t *tx) error {
		dropped, err := t.exec("DELETE FROM mails WHERE done < ?", before)
		n = int(dropped)
		return err
	})
	return n, err
}
