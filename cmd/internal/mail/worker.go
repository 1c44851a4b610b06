package mail

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	smtp "github.com/wneessen/go-mail"

	"usher/store"
)

// Outbox is what a worker needs of the store.
type Outbox interface {
	DueMails(ctx context.Context, now time.Time, limit int) ([]store.Mail, error)
	UpdateMail(ctx context.Context, m store.Mail) error
	DropMails(ctx context.Context, before time.Time) (int, error)
}

const (
	lookEvery = 15 * time.Second
	batch     = 50
	// lease is how long a mail may be being sent. It is longer than a message can take: then the sender has died.
	lease = 10 * time.Minute
	// keep is how long mails are kept that were sent or given up.
	keep = 30 * 24 * time.Hour
	// maxTimeout keeps a message within its lease.
	maxTimeout = 2 * time.Minute
)

// pauses are those after each attempt that failed; after the last the mail is given up.
func pauses() []time.Duration {
	return []time.Duration{
		time.Minute, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour,
	}
}

// Worker sends the mails of an outbox. Several may work on one.
type Worker struct {
	config Config
	outbox Outbox
	words  *composer
	clock  func() time.Time
	log    *slog.Logger
	wake   chan struct{}
	drop   time.Time // when old mails are looked for next
}

// NewWorker makes a worker; link gives the link in a mail, clock nil means the system's.
func NewWorker(c Config, outbox Outbox, link func(store.Mail) string, clock func() time.Time, log *slog.Logger) (*Worker, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if clock == nil {
		clock = time.Now
	}
	words, err := newComposer(c.From, link)
	if err != nil {
		return nil, err
	}
	c.Timeout = min(c.timeout(), maxTimeout)
	return &Worker{config: c, outbox: outbox, words: words, clock: clock, log: log, wake: make(chan struct{}, 1)}, nil
}

// Wake lets the worker look at the outbox at once. It does not wait.
func (w *Worker) Wake() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// Run sends what falls due until the context ends; the message that it is at then is finished.
func (w *Worker) Run(ctx context.Context) error {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		if err := w.work(ctx); err != nil && ctx.Err() == nil {
			w.log.LogAttrs(ctx, slog.LevelError, "the outbox could not be worked on; it is tried again", slog.String("error", err.Error()))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		case <-w.wake:
		}
	}
}

// work sends all that is due now.
func (w *Worker) work(ctx context.Context) error {
	if now := w.clock(); !now.Before(w.drop) {
		w.drop = now.Add(time.Hour)
		if _, err := w.outbox.DropMails(ctx, now.Add(-keep)); err != nil && ctx.Err() == nil { // no reason to keep others waiting
			w.log.LogAttrs(ctx, slog.LevelError, "old mails could not be dropped; it is tried again in an hour", slog.String("error", err.Error()))
		}
	}
	for {
		due, err := w.outbox.DueMails(ctx, w.clock(), batch)
		if err != nil {
			return fmt.Errorf("due mails: %w", err)
		}
		for _, m := range due {
			if ctx.Err() != nil {
				return nil
			}
			if err := w.handle(ctx, m); err != nil {
				return err
			}
		}
		if len(due) < batch {
			return nil
		}
	}
}

// handle takes one mail and sends it, unless somebody else has it.
func (w *Worker) handle(ctx context.Context, m store.Mail) error {
	// What has begun is finished although the server is to stop: a mail left as being sent would be taken for lost.
	ctx = context.WithoutCancel(ctx)
	if m.State == store.MailSending {
		return w.end(ctx, m, store.MailDead, unknown("the server stopped while it was being sent"))
	}
	m.State, m.Due, m.Attempts = store.MailSending, w.clock().Add(lease), m.Attempts+1
	err := w.outbox.UpdateMail(ctx, m)
	if errors.Is(err, store.ErrVersion) || errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("take mail %s: %w", m.ID, err)
	}
	m.Version++
	state, why := w.send(ctx, m)
	return w.end(ctx, m, state, why)
}

// unknown says why it is not known whether a mail has arrived.
func unknown(why string) string {
	return "It is not known whether it has arrived, because " + why + "; send it again if it has not."
}

// end writes what came of a mail.
func (w *Worker) end(ctx context.Context, m store.Mail, state, why string) error {
	now := w.clock().UTC().Truncate(time.Millisecond)
	m.State, m.Error = state, why
	level := slog.LevelInfo
	switch state {
	case store.MailQueued:
		m.Due, level = now.Add(pauses()[m.Attempts-1]), slog.LevelWarn
	case store.MailDead:
		m.Done, level = now, slog.LevelError
	default:
		m.Done = now
	}
	// Neither the address nor what the mail server said of it is for the log.
	w.log.LogAttrs(ctx, level, "mail", slog.String("mail", m.ID), slog.String("company", m.Company), slog.String("kind", m.Kind),
		slog.String("state", state), slog.Int("attempt", m.Attempts))
	if err := w.outbox.UpdateMail(ctx, m); err != nil && !errors.Is(err, store.ErrVersion) && !errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("mail %s is %s, which could not be written: %w", m.ID, state, err)
	}
	return nil
}

// send hands a mail to the mail server and says what state that leaves it in, and why.
func (w *Worker) send(ctx context.Context, m store.Mail) (state, why string) {
	again := func(err error) (string, string) {
		if m.Attempts > len(pauses()) {
			return store.MailDead, fmt.Sprintf("Given up after %d attempts; the last: %v.", m.Attempts, err)
		}
		return store.MailQueued, err.Error()
	}
	msg, err := w.words.message(m, w.clock())
	if err != nil {
		return store.MailDead, err.Error()
	}
	client, err := w.config.client()
	if err != nil {
		return again(err)
	}
	ctx, cancel := context.WithTimeout(ctx, w.config.Timeout)
	defer cancel()
	conn, err := client.DialToSMTPClientWithContext(ctx)
	if err != nil {
		return again(err)
	}
	defer conn.Close() //nolint:errcheck // the message is what counts
	err = client.SendWithSMTPClient(conn, msg)
	if msg.IsDelivered() { // whatever went wrong after that
		return store.MailSent, ""
	}
	var refused *smtp.SendError
	if !errors.As(err, &refused) {
		return again(err)
	}
	switch {
	case refused.Reason == smtp.ErrSMTPMailFrom: // the sender, or that it has not logged in: the mail is not to blame
		return again(err)
	case refused.ErrorCode() >= 500:
		return store.MailDead, fmt.Sprintf("The mail server refuses it: %v.", err)
	case refused.ErrorCode() >= 400: // it has said no for now, rather than nothing
		return again(err)
	case refused.Reason == smtp.ErrSMTPDataClose: // before it the message was not complete, and no server takes half of one
		return store.MailDead, unknown("the connection broke before the mail server said that it has taken it")
	}
	return again(err)
}
