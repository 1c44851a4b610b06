package storetest

import (
	"cmp"
	"context"
	"slices"
	"time"

	"usher/store"
)

// moveMails brings mails from their facts to the outbox.
func (m *Map) moveMails() {
	m.mover.Lock()
	defer m.mover.Unlock()
	for _, l := range collect(m.boxes, mailsWaiting) {
		if l.mail == nil {
			continue
		}
		m.mails.insert(l.mail.ID, *l.mail) // it may be there from a mover that died before the next step
		l.box.sent(l.key, l.id)
	}
}

// PostMails implements [store.Outbox].
func (m *Map) PostMails(ctx context.Context, _ string, mails []store.Mail) error {
	end, err := m.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	for _, mail := range mails {
		mail.Version, mail.Data = 1, slices.Clone(mail.Data)
		m.mails.insert(mail.ID, mail)
	}
	return nil
}

// mailsThat gives those in the outbox that are wanted, in the order of their ids, which is that of their creation.
func (m *Map) mailsThat(wanted func(store.Mail) bool) []store.Mail {
	m.moveMails()
	var all []store.Mail
	for _, k := range m.mails.keys() {
		if mail, _, ok := m.mails.get(k); ok && wanted(mail) {
			mail.Data = slices.Clone(mail.Data)
			all = append(all, mail)
		}
	}
	return all
}

// DueMails implements [store.Outbox].
func (m *Map) DueMails(ctx context.Context, now time.Time, limit int) ([]store.Mail, error) {
	end, err := m.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	due := m.mailsThat(func(mail store.Mail) bool {
		return (mail.State == store.MailQueued || mail.State == store.MailSending) && !mail.Due.After(now)
	})
	slices.SortStableFunc(due, func(a, b store.Mail) int { return cmp.Or(a.Due.Compare(b.Due), cmp.Compare(a.ID, b.ID)) })
	return due[:min(limit, len(due))], nil
}

// ListMails implements [store.Outbox].
func (m *Map) ListMails(ctx context.Context, company, account, before string, limit int) ([]store.Mail, error) {
	end, err := m.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	all := m.mailsThat(func(mail store.Mail) bool {
		return mail.Company == company && (account == "" || mail.Account == account) && (before == "" || mail.ID < before)
	})
	slices.Reverse(all)
	return all[:min(limit, len(all))], nil
}

// UpdateMail implements [store.Outbox].
func (m *Map) UpdateMail(ctx context.Context, mail store.Mail) error {
	end, err := m.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	m.moveMails()
	return m.mails.update(mail.ID, func(old store.Mail) (store.Mail, error) {
		switch {
		case old.Company != mail.Company:
			return old, store.ErrNotFound
		case old.Version != mail.Version:
			return old, store.ErrVersion
		}
		old.Version++
		old.State, old.Due, old.Attempts, old.Error, old.Done = mail.State, mail.Due, mail.Attempts, mail.Error, mail.Done
		return old, nil
	})
}

// DropMails implements [store.Outbox].
func (m *Map) DropMails(ctx context.Context, before time.Time) (int, error) {
	end, err := m.begin(ctx)
	if err != nil {
		return 0, err
	}
	defer end()
	dropped := 0
	for _, mail := range m.mailsThat(func(mail store.Mail) bool { return !mail.Done.IsZero() && mail.Done.Before(before) }) {
		if _, revision, ok := m.mails.get(mail.ID); ok && m.mails.remove(mail.ID, revision) {
			dropped++
		}
	}
	return dropped, nil
}
