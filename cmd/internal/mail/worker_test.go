package mail

import (
	"bytes"
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"html"
	"io"
	"log/slog"
	"math/big"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
	gocmp "github.com/google/go-cmp/cmp"

	"usher/licensing"
	"usher/store"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var start = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)

// outbox is one in memory, with the compare-and-set of the contract.
type outbox struct {
	mu    sync.Mutex
	mails map[string]store.Mail
	drop  error // of DropMails
}

func (o *outbox) DueMails(_ context.Context, now time.Time, limit int) (due []store.Mail, _ error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, m := range o.mails {
		if (m.State == store.MailQueued || m.State == store.MailSending) && !m.Due.After(now) {
			due = append(due, m)
		}
	}
	slices.SortFunc(due, func(a, b store.Mail) int { return cmp.Or(a.Due.Compare(b.Due), cmp.Compare(a.ID, b.ID)) })
	return due[:min(limit, len(due))], nil
}

func (o *outbox) UpdateMail(_ context.Context, m store.Mail) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.mails[m.ID].Version != m.Version {
		return store.ErrVersion
	}
	m.Version++
	o.mails[m.ID] = m
	return nil
}

func (o *outbox) DropMails(_ context.Context, before time.Time) (n int, _ error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.drop != nil {
		return 0, o.drop
	}
	for id, m := range o.mails {
		if !m.Done.IsZero() && m.Done.Before(before) {
			delete(o.mails, id)
			n++
		}
	}
	return n, nil
}

func (o *outbox) mail(id string) store.Mail {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.mails[id]
}

// server is a real mail server that does to messages what a test says.
type server struct {
	addr     string
	roots    *x509.CertPool
	mu       sync.Mutex
	received [][]byte
	logins   []string
	from     func() error
	rcpt     func(to string) error
	data     func(conn net.Conn) error // after the message has come in
}

const user, password = "usher", "correct horse battery"

// session is one connection.
type session struct {
	*server
	conn   *smtp.Conn
	authed bool
}

func (s *session) Reset()                   {}
func (s *session) Logout() error            { return nil }
func (s *session) AuthMechanisms() []string { return []string{sasl.Plain} }
func (s *session) Mail(string, *smtp.MailOptions) error {
	if !s.authed {
		return smtp.ErrAuthRequired
	}
	if s.from != nil {
		return s.from()
	}
	return nil
}

func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, name, pass string) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.logins = append(s.logins, name)
		if name != user || pass != password {
			return smtp.ErrAuthFailed
		}
		s.authed = true
		return nil
	}), nil
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	if s.rcpt != nil {
		return s.rcpt(to)
	}
	return nil
}

func (s *session) Data(r io.Reader) error {
	b, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.received = append(s.received, b)
	s.mu.Unlock()
	if s.data != nil {
		return s.data(s.conn.Conn())
	}
	return nil
}

func (s *server) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.received)
}

// newServer starts one on this machine; change may alter it first.
func newServer(t *testing.T, change func(*server, *smtp.Server)) *server {
	t.Helper()
	s := &server{}
	certificate, roots := selfSigned(t)
	s.roots = roots
	srv := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) { return &session{server: s, conn: c}, nil }))
	srv.Domain = "localhost"
	srv.TLSConfig = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
	srv.ErrorLog = discard{}
	if change != nil {
		change(s, srv)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.addr = l.Addr().String()
	go srv.Serve(l) //nolint:errcheck // it ends with the test
	t.Cleanup(func() { srv.Close() })
	return s
}

type discard struct{}

func (discard) Printf(string, ...any) {}
func (discard) Println(...any)        {}

func selfSigned(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

// bench is an outbox with a worker that sends to a server, on a clock of its own.
type bench struct {
	*outbox
	server *server
	worker *Worker
	now    time.Time
	log    bytes.Buffer
}

func newBench(t *testing.T, s *server, edit func(*Config)) *bench {
	t.Helper()
	b := &bench{outbox: &outbox{mails: map[string]store.Mail{}}, server: s, now: start}
	c := Config{Server: s.addr, From: "usher <usher@usher.example>", User: user, Password: password, Timeout: 5 * time.Second, Roots: s.roots}
	if edit != nil {
		edit(&c)
	}
	var err error
	b.worker, err = NewWorker(c, b.outbox, func(m store.Mail) string { return "https://usher.example/setup/of-" + m.ID }, func() time.Time { return b.now },
		slog.New(slog.NewTextHandler(&b.log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// add puts a mail into the outbox; it is due at once.
func (b *bench) add(id string, says licensing.Invitation) {
	data, err := json.Marshal(says)
	if err != nil {
		panic(err) // it is a struct of strings
	}
	b.mails[id] = store.Mail{
		ID: id, Version: 1, Company: "c-1", Account: "a-1", Kind: licensing.MailInvite, To: "barbara@example.com", Data: data, Created: start,
		State: store.MailQueued, Due: start,
	}
}

func (b *bench) work(t *testing.T) {
	t.Helper()
	if err := b.worker.work(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// wants checks what became of a mail.
func (b *bench) wants(t *testing.T, id, state, why string) store.Mail {
	t.Helper()
	m := b.mail(id)
	if m.State != state || !strings.Contains(m.Error, why) || (why == "") != (m.Error == "") {
		t.Errorf("mail %s is %s, %q; want %s, %q", id, m.State, m.Error, state, why)
	}
	return m
}

func barbara() licensing.Invitation {
	return licensing.Invitation{Company: "Acme & Sons", Name: "Barbara <Jensen>", By: "ada", Until: start.Add(licensing.InviteFor)}
}

// parts reads a message as a mail program does.
func parts(t *testing.T, raw []byte) (mail.Header, map[string]string) {
	t.Helper()
	m, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	kind, parameters, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" {
		t.Fatalf("the message is %s, %v", kind, err)
	}
	found := map[string]string{}
	for r := multipart.NewReader(m.Body, parameters["boundary"]); ; {
		p, err := r.NextRawPart()
		if errors.Is(err, io.EOF) {
			return m.Header, found
		}
		if err != nil {
			t.Fatal(err)
		}
		kind, _, _ := mime.ParseMediaType(p.Header.Get("Content-Type"))
		if enc := p.Header.Get("Content-Transfer-Encoding"); enc != "quoted-printable" {
			t.Fatalf("%s is encoded as %s", kind, enc)
		}
		text, err := io.ReadAll(quotedprintable.NewReader(p))
		if err != nil {
			t.Fatal(err)
		}
		found[kind] = strings.ReplaceAll(string(text), "\r\n", "\n")
	}
}

func TestWorker_sends(t *testing.T) {
	for _, implicit := range []bool{false, true} {
		t.Run(fmt.Sprintf("implicit TLS %v", implicit), func(t *testing.T) {
			s := newServer(t, nil)
			b := newBench(t, s, nil)
			if implicit {
				l, err := tls.Listen("tcp", "127.0.0.1:0", func() *tls.Config {
					certificate, roots := selfSigned(t)
					s.roots = roots
					return &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
				}())
				if err != nil {
					t.Fatal(err)
				}
				srv := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) { return &session{server: s, conn: c}, nil }))
				srv.AllowInsecureAuth = true
				go srv.Serve(l) //nolint:errcheck // it ends with the test
				t.Cleanup(func() { srv.Close() })
				b = newBench(t, s, func(c *Config) { c.Server, c.TLS, c.Roots = l.Addr().String(), TLSImplicit, s.roots })
			}
			b.add("m-1", barbara())
			b.work(t)
			b.work(t)
			b.wants(t, "m-1", store.MailSent, "")
			if s.count() != 1 {
				t.Fatalf("%d messages have arrived", s.count())
			}
			header, bodies := parts(t, s.received[0])
			for name, want := range map[string]string{
				"From": `"usher" <usher@usher.example>`, "To": "<barbara@example.com>", "Subject": "Your account at Acme & Sons", "Message-Id": "<m-1@usher.example>",
				"Auto-Submitted": "auto-generated", "Date": start.Format(time.RFC1123Z),
			} {
				if got := header.Get(name); got != want {
					t.Errorf("%s: %q, want %q", name, got, want)
				}
			}
			for kind, file := range map[string]string{"text/plain": "invite.txt", "text/html": "invite.html"} {
				file = filepath.Join("testdata", file)
				if *update {
					if err := os.MkdirAll("testdata", 0o755); err != nil {
						t.Fatal(err)
					}
					if err := os.WriteFile(file, []byte(bodies[kind]), 0o644); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				if diff := gocmp.Diff(string(want), bodies[kind]); diff != "" {
					t.Errorf("%s (-want +got):\n%s", kind, diff)
				}
			}
			for _, secret := range []string{"barbara@example.com", "/setup/", password} {
				if strings.Contains(b.log.String(), secret) {
					t.Errorf("the log has %q: %s", secret, &b.log)
				}
			}
		})
	}
}

// TestWorker_failures does to messages what mail servers do.
func TestWorker_failures(t *testing.T) {
	hangUp := func(conn net.Conn) error {
		conn.Close()
		return nil
	}
	for _, tt := range []struct {
		name     string
		server   func(*server, *smtp.Server)
		config   func(*Config)
		says     licensing.Invitation
		edit     func(*store.Mail)
		state    string
		why      string
		received int
	}{
		{name: "taken", state: store.MailSent, received: 1},
		{
			name: "not now", state: store.MailQueued, why: "try later",
			server: func(s *server, _ *smtp.Server) {
				s.rcpt = func(string) error { return &smtp.SMTPError{Code: 450, Message: "try later"} }
			},
		},
		{
			name: "nobody of that name", state: store.MailDead, why: "The mail server refuses it",
			server: func(s *server, _ *smtp.Server) {
				s.rcpt = func(string) error { return &smtp.SMTPError{Code: 550, Message: "no such user"} }
			},
		},
		{
			name: "refused after it was read", state: store.MailDead, why: "looks like spam", received: 1,
			server: func(s *server, _ *smtp.Server) {
				s.data = func(net.Conn) error { return &smtp.SMTPError{Code: 554, Message: "looks like spam"} }
			},
		},
		{
			name: "not now after it was read", state: store.MailQueued, why: "disk full", received: 1,
			server: func(s *server, _ *smtp.Server) {
				s.data = func(net.Conn) error { return &smtp.SMTPError{Code: 452, Message: "disk full"} }
			},
		},
		{
			name: "gone before the answer", state: store.MailDead, why: "It is not known whether it has arrived", received: 1,
			server: func(s *server, _ *smtp.Server) { s.data = hangUp },
		},
		{
			name: "no answer in time", state: store.MailDead, why: "It is not known whether it has arrived", received: 1,
			config: func(c *Config) { c.Timeout = 500 * time.Millisecond },
			server: func(s *server, _ *smtp.Server) {
				s.data = func(conn net.Conn) error {
					_, err := conn.Read(make([]byte, 1)) // until the worker hangs up
					return err
				}
			},
		},
		{
			name: "an answer that is neither yes nor no", state: store.MailDead, why: "It is not known whether it has arrived", received: 1,
			server: func(s *server, _ *smtp.Server) {
				s.data = func(net.Conn) error { return &smtp.SMTPError{Code: 251, Message: "forwarded"} }
			},
		},
		{
			name: "a sender that it does not take", state: store.MailQueued, why: "not yours",
			server: func(s *server, _ *smtp.Server) {
				s.from = func() error { return &smtp.SMTPError{Code: 553, Message: "not yours"} }
			},
		},
		{
			name: "no login where it wants one", state: store.MailQueued, why: "authenticate",
			config: func(c *Config) { c.User, c.Password = "", "" },
		},
		{
			name: "gone before the message", state: store.MailQueued, why: "EOF",
			server: func(s *server, _ *smtp.Server) {
				s.rcpt = func(string) error { panic("the connection ends") }
			},
		},
		{name: "wrong password", state: store.MailQueued, why: "AUTH failed", config: func(c *Config) { c.Password = "wrong" }},
		{
			name: "no encryption to be had", state: store.MailQueued, why: "STARTTLS",
			server: func(_ *server, srv *smtp.Server) { srv.TLSConfig = nil },
		},
		{name: "a certificate of somebody else", state: store.MailQueued, why: "certificate", config: func(c *Config) { c.Roots = nil }},
		{name: "nobody there", state: store.MailQueued, why: "refused", config: func(c *Config) { c.Server = "127.0.0.1:1" }},
		{name: "no address", state: store.MailDead, why: "cannot be written to", edit: func(m *store.Mail) { m.To = "nobody" }},
		{
			name: "two addresses in one", state: store.MailDead, why: "cannot be written to",
			edit: func(m *store.Mail) { m.To = "a@example.com>\r\nRCPT TO:<b@example.com" },
		},
		{
			name: "a link that has ended", state: store.MailDead, why: "invite the person again",
			edit: func(m *store.Mail) { m.Data = json.RawMessage(`{"company":"Acme","until":"2026-11-23T09:00:00Z"}`) },
		},
		{name: "a message of another kind", state: store.MailDead, why: "no message of the kind", edit: func(m *store.Mail) { m.Kind = "spam" }},
		{
			name: "the process has died", state: store.MailDead, why: "It is not known whether it has arrived",
			edit: func(m *store.Mail) { m.State, m.Attempts = store.MailSending, 1 },
		},
		{name: "the last attempt", state: store.MailDead, why: "Given up after 8 attempts", config: func(c *Config) { c.Server = "127.0.0.1:1" }, edit: func(m *store.Mail) { m.Attempts = 7 }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, newServer(t, tt.server), tt.config)
			b.add("m-1", barbara())
			if tt.edit != nil {
				m := b.mails["m-1"]
				tt.edit(&m)
				b.mails["m-1"] = m
			}
			b.work(t)
			m := b.wants(t, "m-1", tt.state, tt.why)
			if tt.state == store.MailQueued && (!m.Due.Equal(b.now.Add(time.Minute)) || m.Attempts != 1) {
				t.Errorf("it is due at %v after %d attempts", m.Due, m.Attempts)
			}
			if tt.state != store.MailQueued && m.Done.IsZero() {
				t.Error("it has no end")
			}
			if got := b.server.count(); got != tt.received {
				t.Errorf("%d messages have arrived, want %d", got, tt.received)
			}
			// What is sent or given up is never tried again.
			if tt.state != store.MailQueued {
				b.now = b.now.Add(20 * 24 * time.Hour)
				b.work(t)
				if got := b.server.count(); got != tt.received {
					t.Errorf("%d messages have arrived by then, want %d", got, tt.received)
				}
			}
			if len(b.server.logins) > 0 && tt.name == "no encryption to be had" {
				t.Error("the password was sent in the clear")
			}
			if strings.Contains(b.log.String(), "barbara@") {
				t.Errorf("the log has the address: %s", &b.log)
			}
		})
	}
}

// TestWorker_again has a server that comes back.
func TestWorker_again(t *testing.T) {
	refuse := true
	s := newServer(t, func(s *server, _ *smtp.Server) {
		s.rcpt = func(string) error {
			if refuse {
				return &smtp.SMTPError{Code: 451, Message: "try later"}
			}
			return nil
		}
	})
	b := newBench(t, s, nil)
	b.add("m-1", barbara())
	for _, pause := range pauses()[:3] {
		b.work(t)
		if m := b.mail("m-1"); m.Due.Sub(b.now) != pause {
			t.Errorf("after attempt %d it is due in %v, want %v", m.Attempts, m.Due.Sub(b.now), pause)
		}
		b.now = b.now.Add(pause - time.Second)
		b.work(t)
		b.now = b.now.Add(time.Second)
	}
	refuse = false
	b.work(t)
	m := b.wants(t, "m-1", store.MailSent, "")
	if m.Attempts != 4 || s.count() != 1 {
		t.Errorf("%d attempts, %d messages", m.Attempts, s.count())
	}
	b.now = b.now.Add(keep + 2*time.Hour)
	b.work(t)
	if len(b.mails) != 0 {
		t.Errorf("%d mails are kept for ever", len(b.mails))
	}
}

// TestWorker_several has two servers work on one outbox.
func TestWorker_several(t *testing.T) {
	const mails = 60
	s := newServer(t, nil)
	b := newBench(t, s, nil)
	for i := range mails {
		b.add(fmt.Sprintf("m-%02d", i), barbara())
	}
	other := newBench(t, s, nil)
	other.outbox = b.outbox
	other.worker.outbox = b.outbox
	var done sync.WaitGroup
	for _, w := range []*Worker{b.worker, other.worker} {
		done.Go(func() {
			if err := w.work(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	done.Wait()
	seen := map[string]int{}
	for _, raw := range s.received {
		header, _ := parts(t, raw)
		seen[header.Get("Message-Id")]++
	}
	for id, n := range seen {
		if n != 1 {
			t.Errorf("%s has arrived %d times", id, n)
		}
	}
	if len(seen) != mails {
		t.Errorf("%d of %d have arrived", len(seen), mails)
	}
}

// TestWorker_losses tells an admin of a connection that was stopped.
func TestWorker_losses(t *testing.T) {
	s := newServer(t, nil)
	b := newBench(t, s, nil)
	b.add("m-1", licensing.Invitation{})
	m := b.mails["m-1"]
	m.Kind, m.Data = licensing.MailLosses, json.RawMessage(`{"company":"Acme","name":"acme","connection":"ok'$(ta)","lost":21,"limit":20}`)
	b.mails["m-1"] = m
	b.work(t)
	b.wants(t, "m-1", store.MailSent, "")
	header, bodies := parts(t, s.received[0])
	if got := header.Get("Subject"); got != "An identity provider of Acme was stopped" {
		t.Errorf("subject %q", got)
	}
	for kind, text := range bodies {
		if !strings.Contains(text, "from 21 people of Acme") || !strings.Contains(html.UnescapeString(text), `--connection 'ok'\''$(ta)' --losses pass`) || strings.Contains(text, "/setup/") {
			t.Errorf("%s: %s", kind, text)
		}
	}
}

// TestWorker_names has people with names that try to be headers.
func TestWorker_names(t *testing.T) {
	s := newServer(t, nil)
	b := newBench(t, s, nil)
	b.add("m-1", licensing.Invitation{Company: "Acme\r\nBcc: eve@example.com", Name: "\r\n.\r\nQUIT", Until: start.Add(time.Hour)})
	b.work(t)
	b.wants(t, "m-1", store.MailSent, "")
	header, bodies := parts(t, s.received[0])
	if header.Get("Bcc") != "" || header.Get("Subject") != "Your account at Acme Bcc: eve@example.com" {
		t.Errorf("header %v", header)
	}
	if !strings.Contains(bodies["text/plain"], "Hello . QUIT,") {
		t.Errorf("text %s", bodies["text/plain"])
	}
}

// TestWorker_stops has the server stop while it sends: what has begun is finished, and the rest is as it was.
func TestWorker_stops(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	s := newServer(t, func(s *server, _ *smtp.Server) {
		s.data = func(net.Conn) error {
			stop()
			return nil
		}
	})
	b := newBench(t, s, nil)
	b.add("m-1", barbara())
	b.add("m-2", barbara())
	before := b.mail("m-2")
	if err := b.worker.Run(ctx); err != nil {
		t.Error(err)
	}
	b.wants(t, "m-1", store.MailSent, "")
	if diff := gocmp.Diff(before, b.mail("m-2")); diff != "" {
		t.Errorf("the mail that was not begun (-before +after):\n%s", diff)
	}
}

// TestWorker_cannotDrop has a store that does not forget: mails are sent all the same.
func TestWorker_cannotDrop(t *testing.T) {
	b := newBench(t, newServer(t, nil), nil)
	b.drop = errors.New("disk full")
	b.add("m-1", barbara())
	b.work(t)
	b.wants(t, "m-1", store.MailSent, "")
	if !strings.Contains(b.log.String(), "disk full") {
		t.Errorf("the log does not say so: %s", &b.log)
	}
}

// TestWorker_run wakes a worker and stops it.
func TestWorker_run(t *testing.T) {
	arrived := make(chan struct{}, 1)
	s := newServer(t, func(s *server, _ *smtp.Server) {
		s.data = func(net.Conn) error {
			arrived <- struct{}{}
			return nil
		}
	})
	b := newBench(t, s, nil)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- b.worker.Run(ctx) }()
	b.mu.Lock()
	b.add("m-1", barbara())
	b.mu.Unlock()
	b.worker.Wake()
	<-arrived
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	b.wants(t, "m-1", store.MailSent, "")
}

func TestConfig(t *testing.T) {
	good := Config{Server: "smtp.example.com:587", From: "usher@example.com"}
	for _, tt := range []struct {
		name string
		edit func(*Config)
		says string
	}{
		{"as it is", func(*Config) {}, ""},
		{"with a password", func(c *Config) { c.User, c.Password = "u", "p" }, ""},
		{"nothing", func(c *Config) { *c = Config{} }, ""},
		{"on this machine", func(c *Config) { c.Server, c.TLS = "127.0.0.1:25", TLSNone }, ""},
		{"no server", func(c *Config) { c.Server = "" }, "server must name"},
		{"no port", func(c *Config) { c.Server = "smtp.example.com" }, "host:port"},
		{"no number", func(c *Config) { c.Server = "smtp.example.com:mail-or-so" }, "no port"},
		{"no sender", func(c *Config) { c.From = "usher" }, "not an address"},
		{"in the clear", func(c *Config) { c.TLS = TLSNone }, "same machine"},
		{"a password in the clear", func(c *Config) { c.Server, c.TLS, c.User, c.Password = "localhost:25", TLSNone, "u", "p" }, "in the clear"},
		{"ssl", func(c *Config) { c.TLS = "ssl" }, "cannot be"},
		{"half a login", func(c *Config) { c.User = "u" }, "go together"},
		{"in no time", func(c *Config) { c.Timeout = -1 }, "negative"},
	} {
		c := good
		tt.edit(&c)
		err := c.Validate()
		if tt.says == "" && err != nil || tt.says != "" && (err == nil || !strings.Contains(err.Error(), tt.says)) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.says)
		}
	}
	c := good
	c.Password = "hunter2 hunter2"
	for _, text := range []string{fmt.Sprint(c), fmt.Sprintf("%+v %#v", c, c), slog.AnyValue(c.Password).Resolve().String()} {
		if strings.Contains(text, "hunter2") {
			t.Errorf("the password shows in %s", text)
		}
	}
}
