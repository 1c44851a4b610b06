package sso

import (
	"encoding/base64"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestReturnPath(t *testing.T) {
	for _, path := range []string{"", "/", "/app", "/app?x=1&y=//z", "/a/b/c#d", "/app?next=https://other.example", "/a%20b", "/sso/me", "/sso/me?x", "/ssomething", "/signing"} {
		if clean, ok := returnPath(path); !ok || clean != path {
			t.Errorf("%q is refused", path)
		}
	}
	for _, path := range []string{
		"app", "//evil.example", "///evil.example", "/\\evil.example", "\\\\evil.example", "/\t/evil.example", "/\n/evil.example", "/ /evil.example",
		"https://evil.example", "https:evil.example", "javascript:alert(1)", "/.//evil.example", "/..//evil.example", "/a/../../evil", "/%2e%2e//evil.example",
		"/%2F/evil.example", "/%5Cevil.example", "/\x00", "/\u00e9", "/\uff0fevil.example", "/a\r\nSet-Cookie: x=y", "?x", "#x", "@evil.example", "/%zz",
		"/sso", "/sso/acme", "/sso/logout", "/signin", "/signin/x", "/" + strings.Repeat("x", maxReturn),
	} {
		if clean, ok := returnPath(path); ok {
			t.Errorf("%q is taken as %q", path, clean)
		}
	}
}

// FuzzReturnPath: whatever is taken leads to this server, also by the rules of browsers.
func FuzzReturnPath(f *testing.F) {
	for _, seed := range []string{"/", "/app?x=1", "//evil.example", "/\\evil", "/.//x", "/%2e%2e//x", "/a%2f%2fb", "/a;b@c:d"} {
		f.Add(seed)
	}
	base, err := url.Parse("https://usher.example/sso/acme/okta/callback")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, path string) {
		clean, ok := returnPath(path)
		if !ok || clean == "" {
			return
		}
		// As browsers read it: control characters dropped, a backslash for a slash.
		read := strings.Map(func(r rune) rune {
			switch {
			case r == '\\':
				return '/'
			case r < ' ':
				return -1
			}
			return r
		}, strings.TrimSpace(clean))
		to, err := base.Parse(read)
		if err != nil {
			t.Fatalf("%q: %v", clean, err)
		}
		if to.Host != base.Host || to.Scheme != base.Scheme || !strings.HasPrefix(read, "/") || strings.HasPrefix(read, "//") {
			t.Errorf("%q leads to %s", path, to)
		}
	})
}

// FuzzToken: whatever is sent in the place of a token or of keys is refused or read, and nothing else.
func FuzzToken(f *testing.F) {
	f.Add(`{"alg":"RS256"}`, `{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"}]}`)
	f.Add(`{"sub":"a","ſub":"b"}`, `{"keys":[null,1,{}]}`)
	f.Add(`{"iat":1e400}`, `{"keys":[{"kty":"EC","crv":"P-256","x":"AA","y":"AA"},{"kty":"OKP","crv":"Ed25519","x":"AA"}]}`)
	f.Fuzz(func(t *testing.T, a, b string) {
		encode := base64.RawURLEncoding.EncodeToString
		if c, err := parseObject([]byte(a)); err == nil {
			seen := map[string]bool{}
			for name := range c {
				if folded := strings.ToLower(strings.ToUpper(name)); seen[folded] {
					t.Errorf("%q is there twice", name)
				} else {
					seen[folded] = true
				}
			}
			_ = checkTimes(c, time.Now())
			_ = checkLogout(c, time.Now())
		}
		_, _ = parseToken(encode([]byte(a)) + "." + encode([]byte(b)) + ".x")
		if keys, err := parseKeys([]byte(b)); err == nil {
			s := newKeySet("", nil, time.Now)
			s.keys, s.fetched, s.missed = keys, time.Now(), [2]time.Time{time.Now(), time.Now()}
			if payload, err := s.VerifySignature(t.Context(), encode([]byte(a))+"."+encode([]byte("{}"))+"."+encode([]byte(b))); err == nil {
				t.Errorf("%s is signed", payload)
			}
		}
	})
}

func TestNetwork_addresses(t *testing.T) {
	for _, address := range []string{
		"127.0.0.1", "::1", "::ffff:127.0.0.1", "::127.0.0.1", "::ffff:0:127.0.0.1", "0.0.0.0", "::", "10.1.2.3", "172.16.0.1", "192.168.0.1", "100.64.0.1",
		"169.254.169.254", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "fd00:ec2::254", "fe80::1%eth0", "255.255.255.255", "224.0.0.1",
		"192.88.99.1", "168.63.129.16", "3fff::1", "5f00::1", "2001:db8::1", "198.18.0.1",
	} {
		if err := (Network{}).mayDial(net.JoinHostPort(address, "443")); err == nil {
			t.Errorf("%s is dialled", address)
		}
	}
	for _, address := range []string{"8.8.8.8", "2606:4700::1111", "100.128.0.1"} {
		if err := (Network{}).mayDial(net.JoinHostPort(address, "443")); err != nil {
			t.Errorf("%s: %v", address, err)
		}
	}
}

func TestCheckTenant(t *testing.T) {
	const issuer = "https://login.microsoftonline.com/8b1c7f2e/v2.0"
	for tid, want := range map[any]bool{"8b1c7f2e": true, "another": false, 7: false, nil: true} {
		if err := checkTenant(issuer, claims{"tid": tid}); (err == nil) != want {
			t.Errorf("tid %v: %v", tid, err)
		}
	}
	if err := checkTenant("https://idp.example/8b1c7f2e", claims{"tid": "another"}); err != nil {
		t.Error(err)
	}
}

func TestSecret(t *testing.T) {
	s := NewSecret("hidden")
	if s.Fingerprint() == NewSecret("other").Fingerprint() || s.Fingerprint() == "" {
		t.Error("fingerprints")
	}
	sealed, err := sealWith("key", "hidden")
	if err != nil || strings.Contains(sealed, "hidden") {
		t.Fatal(sealed, err)
	}
	if got, err := openWith("key", sealed); err != nil || got != "hidden" {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := openWith("another", sealed); err == nil {
		t.Error("opened with another key")
	}
}
