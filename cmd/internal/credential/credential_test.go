package credential

import (
	"context"
	"encoding/base32"
	"encoding/base64"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestHasher(t *testing.T) {
	h := NewHasher(1)
	ctx := t.Context()
	phc, err := h.Hash(ctx, "correct horse battery")
	if err != nil || !strings.HasPrefix(phc, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Fatalf("%q, %v", phc, err)
	}
	cheap := "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$" // as another version may have made them
	for _, tt := range []struct {
		phc, password string
		right         bool
	}{
		{phc, "correct horse battery", true},
		{phc, "correct horse batterz", false},
		{phc, "", false},
		{"", "", false},
		{"", "correct horse battery", false},
		{phc[:len(phc)-1], "correct horse battery", false},
		{strings.Replace(phc, "argon2id", "argon2i", 1), "correct horse battery", false},
		{strings.Replace(phc, "m=19456", "m=99999999", 1), "correct horse battery", false},
		{strings.Replace(phc, "t=2", "t=0", 1), "correct horse battery", false},
		{cheap + "AAAA", "x", false},
		{"correct horse battery", "correct horse battery", false},
		{phc, strings.Repeat("x", MaxPassword+1), false},
	} {
		right, err := h.Verify(ctx, tt.phc, tt.password)
		if err != nil || right != tt.right {
			t.Errorf("%q with %.30q: %v, %v", tt.phc, tt.password, right, err)
		}
	}
	// Where there is no room, and nobody waits for the answer any more, there is none.
	h.slots <- struct{}{}
	gone, stop := context.WithCancel(ctx)
	stop()
	if _, err := h.Verify(gone, phc, "x"); !errors.Is(err, context.Canceled) {
		t.Errorf("without room: %v", err)
	}
}

// TestCheckTOTP has the test vectors of RFC 6238 appendix B, of which the last six digits are asked for.
func TestCheckTOTP(t *testing.T) {
	secret := base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString([]byte("12345678901234567890"))
	for at, code := range map[int64]string{59: "287082", 1111111109: "081804", 1111111111: "050471", 1234567890: "005924", 2000000000: "279037", 20000000000: "353130"} {
		step, right := CheckTOTP(secret, code, time.Unix(at, 0), 0)
		if !right || step != at/30 {
			t.Errorf("%s at %d: step %d, %v", code, at, step, right)
		}
		for name, now := range map[string]int64{"a step late": at + 30, "a step early": at - 30} {
			if got, right := CheckTOTP(secret, code, time.Unix(now, 0), 0); !right || got != step {
				t.Errorf("%s %s: step %d, %v", code, name, got, right)
			}
		}
		for name, now := range map[string]int64{"two steps late": at + 60, "two early": at - 60} {
			if now < 0 { // there are no steps before 1970
				continue
			}
			if _, right := CheckTOTP(secret, code, time.Unix(now, 0), 0); right {
				t.Errorf("%s %s is right", code, name)
			}
		}
		if _, right := CheckTOTP(secret, code, time.Unix(at, 0), step); right {
			t.Errorf("%s is right a second time", code)
		}
	}
	for _, code := range []string{"", "000000", "28708", "2870820"} {
		if _, right := CheckTOTP(secret, code, time.Unix(59, 0), 0); right {
			t.Errorf("%q is right", code)
		}
	}
	made, address, err := NewTOTP("usher", "ada@acme")
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "otpauth" || u.Query().Get("secret") != made || len(made) != 32 {
		t.Errorf("%s, %s, %v", made, address, err)
	}
}

func TestSealer(t *testing.T) {
	s := NewSealer([KeySize]byte{1})
	sealed := s.Seal("the secret", "acme/ada")
	if strings.Contains(sealed, "secret") || sealed == s.Seal("the secret", "acme/ada") {
		t.Errorf("sealed: %q", sealed)
	}
	if got, err := s.Open(sealed, "acme/ada"); err != nil || got != "the secret" {
		t.Errorf("opened: %q, %v", got, err)
	}
	other := NewSealer([KeySize]byte{2})
	for name, open := range map[string]func() (string, error){
		"for somebody else": func() (string, error) { return s.Open(sealed, "acme/bob") },
		"with another key":  func() (string, error) { return other.Open(sealed, "acme/ada") },
		"damaged":           func() (string, error) { return s.Open(sealed[:len(sealed)-2], "acme/ada") },
		"no base64":         func() (string, error) { return s.Open("%", "acme/ada") },
		"nothing":           func() (string, error) { return s.Open("", "acme/ada") },
	} {
		if got, err := open(); !errors.Is(err, ErrSealed) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

// TestSealer_rewrap: another key takes the place of the one before without anybody looking at the secrets.
func TestSealer_rewrap(t *testing.T) {
	one, two := [KeySize]byte{1}, [KeySize]byte{2}
	s := NewSealer(one)
	sealed := s.Seal("the secret", "acme/okta")
	if again, changed, err := s.Rewrap(sealed, "acme/okta"); err != nil || changed || again != sealed {
		t.Errorf("with the same key: %v, %v", changed, err)
	}
	s.SetKeys(two, one)
	if got, err := s.Open(sealed, "acme/okta"); err != nil || got != "the secret" {
		t.Errorf("by the former key: %q, %v", got, err)
	}
	again, changed, err := s.Rewrap(sealed, "acme/okta")
	if err != nil || !changed || again == sealed || again[strings.LastIndex(again, "."):] != sealed[strings.LastIndex(sealed, "."):] {
		t.Errorf("rewrapped: %q, %v, %v", again, changed, err)
	}
	if _, _, err := s.Rewrap(sealed, "globex/okta"); !errors.Is(err, ErrSealed) {
		t.Errorf("for another owner: %v", err)
	}
	s.SetKeys(two)
	if got, err := s.Open(again, "acme/okta"); err != nil || got != "the secret" {
		t.Errorf("by the new key alone: %q, %v", got, err)
	}
	if _, err := s.Open(sealed, "acme/okta"); !errors.Is(err, ErrSealed) {
		t.Errorf("what was not rewrapped: %v", err)
	}
}

// TestSealer_old: what an earlier version has sealed opens, and is rewrapped.
func TestSealer_old(t *testing.T) {
	key := [KeySize]byte{1}
	old := base64.RawStdEncoding.EncodeToString(gcm(key[:]).Seal(nil, nil, []byte("the secret"), []byte("acme/ada")))
	s := NewSealer([KeySize]byte{2}, key)
	if got, err := s.Open(old, "acme/ada"); err != nil || got != "the secret" {
		t.Errorf("%q, %v", got, err)
	}
	again, changed, err := s.Rewrap(old, "acme/ada")
	if err != nil || !changed {
		t.Fatal(changed, err)
	}
	if got, err := NewSealer([KeySize]byte{2}).Open(again, "acme/ada"); err != nil || got != "the secret" {
		t.Errorf("rewrapped: %q, %v", got, err)
	}
}
