package app

import (
	"bytes"
	"encoding/json"
	"io"
	"mime/quotedprintable"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"usher/cmd/internal/adminapi"
	"usher/cmd/internal/mail"
)

// asAdmin asks the admin API over the network with a key.
func (s *site) asAdmin(key string, status int, method, path string, in, out any) {
	s.t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		s.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.base+adminPath+path, bytes.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+key)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != status {
		s.t.Fatalf("%s %s: status %d, want %d: %s, %v", method, path, resp.StatusCode, status, answer, err)
	}
	if err := json.Unmarshal(answer, out); err != nil {
		s.t.Fatalf("%s %s: %v in %s", method, path, err, answer)
	}
}

// postbox takes every message.
type postbox struct{ messages chan string }

func (p *postbox) NewSession(*smtp.Conn) (smtp.Session, error) { return p, nil }
func (*postbox) Reset()                                        {}
func (*postbox) Logout() error                                 { return nil }
func (*postbox) Mail(string, *smtp.MailOptions) error          { return nil }
func (*postbox) Rcpt(string, *smtp.RcptOptions) error          { return nil }
func (p *postbox) Data(r io.Reader) error {
	text, err := io.ReadAll(quotedprintable.NewReader(r))
	p.messages <- string(text)
	return err
}

// fillIn goes through the set-up behind a link.
func (s *site) fillIn(link string) {
	s.t.Helper()
	for _, step := range []struct {
		name string
		form url.Values
	}{
		{"name", url.Values{"given": {"Ada"}, "family": {"Lovelace"}}},
		{"sign-in", url.Values{"password": {"correct horse battery"}, "again": {"correct horse battery"}}},
		{"time-zone", url.Values{"zone": {"Europe/London"}}},
	} {
		resp, err := http.PostForm(link+"?step="+step.name, step.form)
		if err != nil {
			s.t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			s.t.Fatalf("%s: status %d", step.name, resp.StatusCode)
		}
	}
}

// setUp goes through the set-up of the person whose invitation is in the outbox.
func (s *site) setUp(address string) {
	s.t.Helper()
	mails, err := s.app.folder.store.DueMails(s.t.Context(), time.Now(), 10)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, m := range mails {
		if m.To == address {
			s.fillIn(s.app.folder.links.URL(s.app.url, m))
		}
	}
}

// TestInvitation has an admin add a person over the network, a real mail server bring the invitation, and the person set up the account at
// the link in it.
func TestInvitation(t *testing.T) {
	box := &postbox{messages: make(chan string, 10)}
	server := smtp.NewServer(box)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go server.Serve(l) //nolint:errcheck // it ends with the test
	t.Cleanup(func() { server.Close() })
	s := serve(t, Config{
		Addr: "127.0.0.1:0", Data: t.TempDir(), Mail: mail.Config{Server: l.Addr().String(), From: "usher@usher.example", TLS: mail.TLSNone},
	})
	s.company(1, "waiting")
	key, err := s.admin.CreateKey(t.Context(), "acme", adminapi.NewKey{Admin: "root"})
	if err != nil {
		t.Fatal(err)
	}
	var out adminapi.AddedPeople
	s.asAdmin(key.Secret, http.StatusCreated, http.MethodPost, "/v1/companies/acme/accounts", adminapi.NewPeople{
		People: []adminapi.NewPerson{{Email: "ada@acme.example", GivenName: "Ada"}}, License: "video-pro-plus",
	}, &out)
	message := <-box.messages
	if !strings.Contains(message, "To: <ada@acme.example>") || !strings.Contains(message, "root has made you an account at acme") {
		t.Errorf("the message is %s", message)
	}
	link := regexp.MustCompile(regexp.QuoteMeta(s.app.url) + `/setup/[\w-]+`).FindString(message)
	s.fillIn(link)
	a, err := s.admin.Account(t.Context(), "acme", "ada@acme.example")
	if err != nil || a.Activation != "active" || a.LicenseState != "active" || a.Display != "Ada Lovelace" {
		t.Errorf("the account is %+v, %v", a, err)
	}
	page, err := s.admin.Mails(t.Context(), "acme", adminapi.MailFilter{})
	if err != nil || len(page.Items) != 1 || page.Items[0].To != "ada@acme.example" || page.Held != "" {
		t.Errorf("the outbox is %+v, %v", page, err)
	}
	var found struct {
		Resources []struct{ Timezone string }
	}
	s.must(http.StatusOK, http.MethodGet, "/Users?filter="+url.QueryEscape(`userName eq "ada@acme.example"`), "", &found)
	if len(found.Resources) != 1 || found.Resources[0].Timezone != "Europe/London" {
		t.Errorf("as SCIM shows it: %+v", found)
	}
}
