package app

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/BurntSushi/toml"

	"usher/cmd/internal/mail"
	"usher/scim"
	"usher/scim/schema"
)

// Config is the configuration of a server. The zero value of a setting means its default.
type Config struct {
	Addr string `toml:"addr"` // where to listen, "host:port"; 127.0.0.1:8080
	Data string `toml:"data"` // the data folder; ./usher-data
	// Store is the address of the MongoDB database that has the records, "mongodb://user:password@db1,db2/usher?replicaSet=rs0". Several servers
	// may share one, each with a data folder of its own. Without it they are in the data folder.
	Store string `toml:"store"`
	// PublicURL is how the outside reaches the server, "https://usher.example.com". It is part of every answer, so it must be set
	// unless clients use the address in Addr.
	PublicURL string `toml:"public_url"`
	TLSCert   string `toml:"tls_cert"` // PEM file; without it the server speaks plain HTTP, for use behind a proxy
	TLSKey    string `toml:"tls_key"`
	// Webmail are more domains of webmail providers, beside those that usher knows: people with addresses there begin as guests.
	Webmail []string `toml:"webmail"`
	// Schemas are extension schemas that all companies have, beside those of their own.
	Schemas []SchemaFile `toml:"schemas"`
	Limits  Limits       `toml:"limits"`
	Mail    mail.Config  `toml:"mail"` // without it invitations stay in the outbox
	SignOn  SignOn       `toml:"sso"`
	// TrustedProxies are networks or addresses of reverse proxies whose X-Forwarded-For is believed.
	TrustedProxies []string `toml:"trusted_proxies"`
}

// SchemaFile is an extension schema in a file of its own.
type SchemaFile struct {
	Type string `toml:"type"` // the resource type that it extends, "User" or "Group"
	File string `toml:"file"` // JSON as RFC 7643 section 7 has it
}

// Limits are the limits of requests. 0 means the default.
type Limits struct {
	UserBody       int64         `toml:"user_body"`       // bytes of a request about a User; 1 MiB
	GroupBody      int64         `toml:"group_body"`      // bytes of a request about a Group; 16 MiB
	Filter         int           `toml:"filter"`          // bytes of a filter; 8 KiB
	FilterDepth    int           `toml:"filter_depth"`    // nesting of a filter; 32
	Page           int           `toml:"page"`            // resources on a page; 1,000
	QueryRows      int           `toml:"query_rows"`      // rows that one query may read; 200,000
	QueryTime      time.Duration `toml:"query_time"`      // time that one query may take, "10s"
	Rate           float64       `toml:"rate"`            // requests a second and connection; 0: no limit
	RateBurst      int           `toml:"rate_burst"`      // requests that may come at once
	AuthHeader     int           `toml:"auth_header"`     // bytes of the Authorization header; 4 KiB
	Header         int           `toml:"header"`          // bytes of all header fields; 256 KiB, and 512 KiB with the request line at most
	JSONDepth      int           `toml:"json_depth"`      // nesting of a body; 64
	PageSize       int           `toml:"page_size"`       // resources on a page unless the request says otherwise; 100
	BulkOperations int           `toml:"bulk_operations"` // operations of a bulk request; 1,000
	// CursorTimeout is how long the cursor of a page is good for, "30m"; 1h.
	CursorTimeout time.Duration `toml:"cursor_timeout"`
}

const (
	defaultAddr = "127.0.0.1:8080"
	defaultData = "usher-data"
)

// LoadConfig reads a configuration file (TOML). A key that does not exist is an error.
func LoadConfig(path string) (Config, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return Config{}, fmt.Errorf("cannot read the configuration: %w", err)
	}
	return parseConfig(path, string(b))
}

func parseConfig(name, text string) (Config, error) {
	var c Config
	md, err := toml.Decode(text, &c)
	var syntax toml.ParseError
	switch {
	case errors.As(err, &syntax):
		return Config{}, fmt.Errorf("%s, line %d: %s", name, syntax.Position.Line, syntax.Message)
	case err != nil:
		return Config{}, fmt.Errorf("%s: %w", name, err)
	}
	if unknown := md.Undecoded(); len(unknown) > 0 {
		keys := make([]string, len(unknown))
		for i, key := range unknown {
			keys[i] = fmt.Sprintf("%q", key)
		}
		return Config{}, fmt.Errorf("%s: unknown key %s", name, strings.Join(keys, ", "))
	}
	if err := c.Validate(); err != nil {
		return Config{}, fmt.Errorf("%s: %w", name, err)
	}
	return c, nil
}

// Validate says what is wrong with the configuration: one error that names every setting concerned. It looks into the files of the
// certificate, and at nothing else outside.
func (c Config) Validate() error {
	var wrong []string
	bad := func(key, format string, args ...any) { wrong = append(wrong, key+": "+fmt.Sprintf(format, args...)) }

	host, _, err := net.SplitHostPort(c.addr())
	if err != nil {
		bad("addr", "%q is not of the form host:port", c.Addr)
	}
	if c.PublicURL != "" {
		u, err := url.Parse(c.PublicURL)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
			bad("public_url", "%q is not an address like https://usher.example.com", c.PublicURL)
		}
	} else if err == nil && allInterfaces(host) {
		bad("public_url", "must be set when addr listens on all interfaces, because answers carry it")
	}
	if (c.TLSCert == "") != (c.TLSKey == "") {
		bad("tls_cert", "tls_cert and tls_key go together")
	} else if c.TLSCert != "" {
		if _, err := tls.LoadX509KeyPair(c.TLSCert, c.TLSKey); err != nil {
			bad("tls_cert", "%v", err)
		}
	}
	if c.Store != "" {
		if err := CheckStore(c.Store); err != nil {
			bad("store", "%v", err)
		}
	}
	if _, err := c.registry(); err != nil {
		bad("schemas", "%v", err)
	}
	if err := c.Mail.Validate(); err != nil {
		bad("mail", "%v", err)
	}
	c.SignOn.check(bad)
	if _, err := prefixes(c.TrustedProxies); err != nil {
		bad("trusted_proxies", "%v", err)
	}
	for _, limit := range []struct {
		key      string
		negative bool
	}{
		{"limits.user_body", c.Limits.UserBody < 0},
		{"limits.group_body", c.Limits.GroupBody < 0},
		{"limits.filter", c.Limits.Filter < 0},
		{"limits.filter_depth", c.Limits.FilterDepth < 0},
		{"limits.page", c.Limits.Page < 0},
		{"limits.query_rows", c.Limits.QueryRows < 0},
		{"limits.query_time", c.Limits.QueryTime < 0},
		{"limits.rate", c.Limits.Rate < 0},
		{"limits.rate_burst", c.Limits.RateBurst < 0},
		{"limits.auth_header", c.Limits.AuthHeader < 0},
		{"limits.header", c.Limits.Header < 0},
		{"limits.json_depth", c.Limits.JSONDepth < 0},
		{"limits.page_size", c.Limits.PageSize < 0},
		{"limits.bulk_operations", c.Limits.BulkOperations < 0},
		{"limits.cursor_timeout", c.Limits.CursorTimeout < 0},
	} {
		if limit.negative {
			bad(limit.key, "cannot be negative")
		}
	}
	if c.Limits.Rate > 0 && c.Limits.RateBurst == 0 {
		bad("limits.rate_burst", "must be set with limits.rate: it is how many requests may come at once")
	}
	if len(wrong) == 0 {
		return nil
	}
	return errors.New(strings.Join(wrong, "; "))
}

// registry makes the registry of the schemas that all companies have.
func (c Config) registry() (*schema.Registry, error) {
	r, err := schema.NewRegistry()
	if err != nil {
		return nil, err
	}
	var declared []schema.Declared
	for _, s := range c.Schemas {
		text, err := os.ReadFile(s.File)
		if err != nil {
			return nil, err
		}
		parsed, err := schema.Parse(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.File, err)
		}
		declared = append(declared, schema.Declared{Type: s.Type, Schema: parsed})
	}
	return r.With(declared)
}

// DataFolder is the data folder with the default filled in.
func (c Config) DataFolder() string {
	if c.Data == "" {
		return defaultData
	}
	return c.Data
}

func (c Config) addr() string {
	if c.Addr == "" {
		return defaultAddr
	}
	return c.Addr
}

// publicURL is the address that answers carry, without a slash at the end. A server that listens on all interfaces and was not told
// its address has one that works on its own machine.
func (c Config) publicURL(listening net.Addr) string {
	if c.PublicURL != "" {
		return strings.TrimRight(c.PublicURL, "/")
	}
	scheme := "http://"
	if c.TLSCert != "" {
		scheme = "https://"
	}
	if host, port, err := net.SplitHostPort(listening.String()); err == nil && allInterfaces(host) {
		return scheme + "localhost:" + port
	}
	return scheme + listening.String()
}

// allInterfaces says whether a listener's host stands for all of the machine's addresses.
func allInterfaces(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "" || err == nil && ip.IsUnspecified()
}

func (l Limits) scim() scim.Limits {
	return scim.Limits{
		UserBody: l.UserBody, GroupBody: l.GroupBody, Filter: l.Filter, Depth: l.FilterDepth, Page: l.Page, QueryRows: l.QueryRows,
		QueryTime: l.QueryTime, Rate: l.Rate, RateBurst: l.RateBurst, AuthHeader: l.AuthHeader,
		Header: l.Header, JSONDepth: l.JSONDepth, PageSize: l.PageSize, CursorTimeout: l.CursorTimeout, BulkOperations: l.BulkOperations,
	}
}
