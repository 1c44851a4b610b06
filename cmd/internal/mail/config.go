package mail

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/mail"
	"net/netip"
	"time"

	smtp "github.com/wneessen/go-mail"
)

// Secret is a password that shows itself nowhere.
type Secret string

const redacted = "(secret)"

func (Secret) String() string       { return redacted }
func (Secret) GoString() string     { return redacted }
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText hides the secret from whatever writes configurations out.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// UnmarshalText takes a secret in.
func (s *Secret) UnmarshalText(text []byte) error {
	*s = Secret(text)
	return nil
}

// Config is how mail is sent. The zero value sends none.
type Config struct {
	Server   string        `toml:"server"`   // the mail server, "smtp.example.com:587"
	From     string        `toml:"from"`     // the sender, "usher <usher@example.com>"
	User     string        `toml:"user"`     // for servers that want to know who sends
	Password Secret        `toml:"password"` // only over an encrypted connection
	TLS      string        `toml:"tls"`      // one of the TLS constants; "starttls"
	Helo     string        `toml:"helo"`     // the name by which the server is greeted; this machine's
	Timeout  time.Duration `toml:"timeout"`  // of one message, "30s"

	// Roots are the authorities whose certificates are good; nil: those of the machine.
	Roots *x509.CertPool `toml:"-"`
}

// How the connection to the mail server is encrypted.
const (
	TLSStart    = "starttls" // after the greeting (RFC 3207); a server that does not offer it gets nothing
	TLSImplicit = "tls"      // from the start (RFC 8314)
	TLSNone     = "none"     // not at all: for a server on the same machine
)

const defaultTimeout = 30 * time.Second

// Sends says whether mail is configured.
func (c Config) Sends() bool { return c.Server != "" }

// Validate says what is wrong with the configuration, in one sentence.
func (c Config) Validate() error {
	if !c.Sends() {
		if c.From != "" || c.User != "" || c.Password != "" {
			return errors.New("server must name the mail server, such as smtp.example.com:587")
		}
		return nil
	}
	host, port, err := net.SplitHostPort(c.Server)
	if err != nil || host == "" || port == "" {
		return fmt.Errorf("server %q is not of the form host:port", c.Server)
	}
	if _, err := net.LookupPort("tcp", port); err != nil {
		return fmt.Errorf("server %q has no port of a mail server, such as 587", c.Server)
	}
	if _, err := mail.ParseAddress(c.From); err != nil {
		return fmt.Errorf("from %q is not an address like usher@example.com", c.From)
	}
	switch c.TLS {
	case "", TLSStart, TLSImplicit:
	case TLSNone:
		if ip, err := netip.ParseAddr(host); host != "localhost" && (err != nil || !ip.IsLoopback()) {
			return fmt.Errorf("tls can be %q only for a mail server on the same machine, not for %s", TLSNone, host)
		}
		if c.Password != "" {
			return fmt.Errorf("tls %q and a password do not go together: it would be sent in the clear", TLSNone)
		}
	default:
		return fmt.Errorf("tls cannot be %q; it is %s, %s or %s", c.TLS, TLSStart, TLSImplicit, TLSNone)
	}
	if (c.User == "") != (c.Password == "") {
		return errors.New("user and password go together")
	}
	if c.Timeout < 0 {
		return errors.New("timeout cannot be negative")
	}
	return nil
}

// client makes a client of the mail server.
func (c Config) client() (*smtp.Client, error) {
	host, service, err := net.SplitHostPort(c.Server)
	if err != nil {
		return nil, err
	}
	port, err := net.LookupPort("tcp", service)
	if err != nil {
		return nil, err
	}
	options := []smtp.Option{smtp.WithPort(port), smtp.WithTimeout(c.timeout())}
	switch c.TLS {
	case TLSImplicit:
		options = append(options, smtp.WithSSL())
	case TLSNone:
		options = append(options, smtp.WithTLSPolicy(smtp.NoTLS))
	default:
		options = append(options, smtp.WithTLSPolicy(smtp.TLSMandatory))
	}
	if c.Roots != nil {
		options = append(options, smtp.WithTLSConfig(&tls.Config{RootCAs: c.Roots, ServerName: host, MinVersion: tls.VersionTLS12}))
	}
	if c.Helo != "" {
		options = append(options, smtp.WithHELO(c.Helo))
	}
	if c.User != "" {
		options = append(options, smtp.WithSMTPAuth(smtp.SMTPAuthAutoDiscover), smtp.WithUsername(c.User), smtp.WithPassword(string(c.Password)))
	}
	return smtp.NewClient(host, options...)
}

func (c Config) timeout() time.Duration {
	if c.Timeout == 0 {
		return defaultTimeout
	}
	return c.Timeout
}
