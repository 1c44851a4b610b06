package mail

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	html "html/template"
	"net/mail"
	"strings"
	text "text/template"
	"time"

	smtp "github.com/wneessen/go-mail"

	"usher/licensing"
	"usher/store"
)

//go:embed templates
var files embed.FS

// composer makes messages of mails.
type composer struct {
	from string
	link func(store.Mail) string
	text *text.Template
	html *html.Template
}

func newComposer(from string, link func(store.Mail) string) (*composer, error) {
	t, err := text.ParseFS(files, "templates/*.txt")
	if err != nil {
		return nil, fmt.Errorf("text templates: %w", err)
	}
	h, err := html.ParseFS(files, "templates/*.html")
	if err != nil {
		return nil, fmt.Errorf("HTML templates: %w", err)
	}
	return &composer{from, link, t, h}, nil
}

// words gives what the templates of a mail are filled in with, and its subject.
func (c *composer) words(m store.Mail, now time.Time) (fill any, subject string, err error) {
	switch m.Kind {
	case licensing.MailInvite:
		var says licensing.Invitation
		if err := read(m, &says); err != nil {
			return nil, "", err
		}
		if !now.Before(says.Until) {
			return nil, "", fmt.Errorf("its link was good until %s only: invite the person again", says.Until.UTC().Format("2 January 2006"))
		}
		oneLine(&says.Company, &says.Name, &says.By)
		return struct {
			licensing.Invitation
			Link, Day string
		}{says, c.link(m), says.Until.UTC().Format("2 January 2006")}, "Your account at " + says.Company, nil
	case licensing.MailLosses:
		var says licensing.LossAlert
		if err := read(m, &says); err != nil {
			return nil, "", err
		}
		oneLine(&says.Company, &says.Connection)
		return struct {
			licensing.LossAlert
			Quoted string // for a shell
		}{says, "'" + strings.ReplaceAll(says.Connection, "'", `'\''`) + "'"}, "An identity provider of " + says.Company + " was stopped", nil
	}
	return nil, "", fmt.Errorf("there is no message of the kind %q", m.Kind)
}

func read(m store.Mail, into any) error {
	if err := json.Unmarshal(m.Data, into); err != nil {
		return fmt.Errorf("what it is to say cannot be read: %w", err)
	}
	return nil
}

// oneLine keeps what people have entered from beginning lines of its own.
func oneLine(texts ...*string) {
	for _, s := range texts {
		*s = strings.Join(strings.Fields(*s), " ")
	}
}

// message makes the message of a mail. Its error says what is wrong with the mail: trying again would not help.
func (c *composer) message(m store.Mail, now time.Time) (*smtp.Msg, error) {
	fill, subject, err := c.words(m, now)
	if err != nil {
		return nil, err
	}
	var plain, rich bytes.Buffer
	if err := c.text.ExecuteTemplate(&plain, m.Kind+".txt", fill); err != nil {
		return nil, err
	}
	if err := c.html.ExecuteTemplate(&rich, m.Kind+".html", fill); err != nil {
		return nil, err
	}
	msg := smtp.NewMsg(smtp.WithNoDefaultUserAgent())
	if err := msg.From(c.from); err != nil {
		return nil, fmt.Errorf("the sender: %w", err)
	}
	if err := msg.To(m.To); err != nil {
		return nil, fmt.Errorf("the address cannot be written to: %w", err)
	}
	sender, err := mail.ParseAddress(c.from)
	if err != nil {
		return nil, fmt.Errorf("the sender: %w", err)
	}
	domain := sender.Address[strings.LastIndexByte(sender.Address, '@')+1:]
	msg.SetMessageIDWithValue(m.ID + "@" + domain) // the same at each attempt, so that a second copy can be told
	msg.SetDateWithValue(m.Created)
	msg.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: out-of-office replies are of no use to us
	msg.Subject(subject)
	msg.SetBodyString(smtp.TypeTextPlain, plain.String())
	msg.AddAlternativeString(smtp.TypeTextHTML, rich.String())
	return msg, nil
}
