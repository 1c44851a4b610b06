package app

import (
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"usher/cmd/internal/mail"
)

func TestConfig(t *testing.T) {
	got, err := parseConfig("usher.toml", `
addr = "0.0.0.0:8443"
data = "/var/lib/usher"
store = "mongodb://db1.example.com,db2.example.com/usher?replicaSet=rs0"
public_url = "https://usher.example.com/"
webmail = ["mail.example"]

[mail]
server = "smtp.example.com:587"
from = "usher@example.com"
user = "usher"
password = "secret"

[limits]
page = 500
query_time = "2s"
rate = 25.5
rate_burst = 50
`)
	if err != nil {
		t.Fatal(err)
	}
	want := Config{
		Addr: "0.0.0.0:8443", Data: "/var/lib/usher", Store: "mongodb://db1.example.com,db2.example.com/usher?replicaSet=rs0", PublicURL: "https://usher.example.com/", Webmail: []string{"mail.example"},
		Mail:   mail.Config{Server: "smtp.example.com:587", From: "usher@example.com", User: "usher", Password: "secret"},
		Limits: Limits{Page: 500, QueryTime: 2 * time.Second, Rate: 25.5, RateBurst: 50},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestConfig_PublicURL(t *testing.T) {
	tests := []struct {
		config    Config
		listening string
		want      string
	}{
		{Config{PublicURL: "https://usher.example.com/"}, "127.0.0.1:80", "https://usher.example.com"},
		{Config{}, "127.0.0.1:8080", "http://127.0.0.1:8080"},
		{Config{TLSCert: "cert.pem"}, "127.0.0.1:8443", "https://127.0.0.1:8443"},
		{Config{}, "[::]:8080", "http://localhost:8080"},
		{Config{}, "0.0.0.0:8080", "http://localhost:8080"},
	}
	for _, tt := range tests {
		listening := net.TCPAddrFromAddrPort(netip.MustParseAddrPort(tt.listening))
		if got := tt.config.publicURL(listening); got != tt.want {
			t.Errorf("%+v on %s: %q, want %q", tt.config, tt.listening, got, tt.want)
		}
	}
}

func TestConfig_Refused(t *testing.T) {
	tests := []struct {
		name, text string
		want       []string // parts of the message
	}{
		{"unknown key", `adr = "x"`, []string{"usher.toml", `unknown key "adr"`}},
		{"unknown key in a table", "[limits]\npages = 1", []string{`unknown key "limits.pages"`}},
		{"unknown table", "[limit]\npage = 1", []string{`unknown key "limit"`}},
		{"mail without a sender", "[mail]\nserver = \"smtp.example.com:587\"", []string{"mail: from"}},
		{"two unknown keys", "a = 1\nb = 2", []string{`"a"`, `"b"`}},
		{"wrong type", `addr = 5`, []string{"usher.toml", "addr"}},
		{"not TOML", "addr = \"x\"\nwhat", []string{"usher.toml, line 2"}},
		{"addr", `addr = "localhost"`, []string{"addr:", `"localhost"`}},
		{"public_url without a scheme", `public_url = "usher.example.com"`, []string{"public_url:"}},
		{"public_url with a query", `public_url = "https://usher.example.com/?a"`, []string{"public_url:"}},
		{"all interfaces without public_url", `addr = ":8080"`, []string{"public_url:"}},
		{"all IPv6 interfaces without public_url", `addr = "[::]:8080"`, []string{"public_url:"}},
		{"certificate without a key", `tls_cert = "a"`, []string{"tls_cert:", "tls_key"}},
		{"no such certificate", "tls_cert = \"none.pem\"\ntls_key = \"none.key\"", []string{"tls_cert:", "none.pem"}},
		{"store that is no address", `store = "db1.example.com"`, []string{"store:", "mongodb://"}},
		{"store of another kind", `store = "postgres://user:secret@db1/usher"`, []string{"store:", "mongodb://"}},
		{"negative limit", "[limits]\npage = -1", []string{"limits.page:"}},
		{"negative time", "[limits]\nquery_time = \"-1s\"", []string{"limits.query_time:"}},
		{"rate without burst", "[limits]\nrate = 1.0", []string{"limits.rate_burst:"}},
		{"several at once", "addr = \"x\"\n[limits]\nfilter = -1", []string{"addr:", "limits.filter:"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := parseConfig("usher.toml", tt.text)
			if err == nil {
				t.Fatal("accepted")
			}
			for _, part := range tt.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("message %q lacks %q", err, part)
				}
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("message %q is more than one line", err)
			}
		})
	}
}

func TestConfig_Defaults(t *testing.T) {
	var c Config
	if err := c.Validate(); err != nil {
		t.Errorf("the zero configuration is refused: %v", err)
	}
	if c.addr() != "127.0.0.1:8080" || c.DataFolder() != "usher-data" {
		t.Errorf("addr %q, data %q", c.addr(), c.DataFolder())
	}
	if _, err := LoadConfig(filepath.Join(t.TempDir(), "none.toml")); err == nil {
		t.Error("a missing file is no error")
	}
}

func FuzzConfig(f *testing.F) {
	f.Add("addr = \"127.0.0.1:1\"\n[limits]\nrate = 1.5\nrate_burst = 2")
	f.Add("[limits]\nquery_time = \"1h\"")
	f.Add("adr = 1")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := parseConfig("usher.toml", text)
		if err == nil && c.Validate() != nil {
			t.Errorf("accepted, and yet wrong: %v", c.Validate())
		}
	})
}
