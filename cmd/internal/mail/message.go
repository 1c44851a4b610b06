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

// invitation is what the templates of an invitation are filled in with.
type invitation struct {
	licensing.Invitation
	Link, Day string
}

// message makes the message of a mail. Its error says what is wrong with the mail: trying again would not help.
func (c *composer) message(m store.Mail) (*smtp.Msg, error) {
	if m.Kind != licensing.MailInvite {
		return nil, fmt.Errorf("there is no message of the kind %q", m.Kind)
	}
	var says licensing.Invitation
	if err := json.Unmarshal(m.Data, &says); err != nil {
		return nil, fmt.Errorf("what it is to say cannot be read: %w", err)
	}
	// What people have entered may not begin lines of its own.
	for _, s := range []*string{&says.Company, &says.Name, &says.By} {
		*s = strings.Join(strings.Fields(*s), " ")
	}
	fill := invitation{says, c.link(m), says.Until.UTC().Format("2 January 2006")}
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
	msg.Subject("Your account at " + says.Company)
	msg.SetBodyString(smtp.TypeTextPlain, plain.String())
	msg.AddAlternativeString(smtp.TypeTextHTML, rich.String())
	return msg, nil
}
