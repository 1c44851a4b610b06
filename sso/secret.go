package sso

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log/slog"
)

// Secret is a text that prints nothing of itself. It is behind a pointer because package fmt calls no methods on unexported fields, and would
// print what is in them.
type Secret struct{ text *string }

// NewSecret makes one of a text.
func NewSecret(text string) Secret { return Secret{&text} }

const redacted = "(secret)"

// String implements [fmt.Stringer].
func (s Secret) String() string { return redacted }

// GoString implements [fmt.GoStringer].
func (s Secret) GoString() string { return redacted }

// Format implements [fmt.Formatter], for the verbs that ask for neither.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// MarshalJSON implements [json.Marshaler].
func (s Secret) MarshalJSON() ([]byte, error) { return json.Marshal(redacted) }

// MarshalText implements [encoding.TextMarshaler].
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue implements [slog.LogValuer].
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// Empty says whether there is no secret.
func (s Secret) Empty() bool { return s.reveal() == "" }

// Fingerprint tells secrets apart without telling what they are.
func (s Secret) Fingerprint() string {
	const shown = 6 // bytes
	sum := sha256.Sum256([]byte("usher secret\x00" + s.reveal()))
	return hex.EncodeToString(sum[:shown])
}

func (s Secret) reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// Sealer keeps secrets in a form that is worth nothing without its key, and opens them only for the owner that they were sealed for.
type Sealer interface {
	Seal(secret, owner string) string
	Open(sealed, owner string) (string, error)
}

// NewKey makes the private key of a client, in PEM form (PKCS #8).
func NewKey() (Secret, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Secret{}, fmt.Errorf("sso: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return Secret{}, fmt.Errorf("sso: %w", err)
	}
	return NewSecret(string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))), nil
}

// random gives a text of 256 random bits.
func random() string {
	var b [32]byte
	rand.Read(b[:]) //nolint:errcheck // it does not fail
	return encode(b[:])
}

// reference gives a short text that people can read to each other: 50 random bits.
func reference() string {
	const length, half = 10, 5
	text := rand.Text()[:length]
	return text[:half] + "-" + text[half:]
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// digest is what is stored of a secret of 256 random bits.
func digest(secret string) [32]byte { return sha256.Sum256([]byte(secret)) }

// sealWith keeps a text in a form that only whoever has the key can open: what is stored of it is worth nothing to others, this server included.
func sealWith(key, text string) (string, error) {
	aead, err := aeadOf(key)
	if err != nil {
		return "", err
	}
	return encode(aead.Seal(nil, nil, []byte(text), nil)), nil
}

// openWith is the inverse of sealWith.
func openWith(key, sealed string) (string, error) {
	aead, err := aeadOf(key)
	if err != nil {
		return "", err
	}
	b, err := base64.RawURLEncoding.DecodeString(sealed)
	if err == nil {
		b, err = aead.Open(nil, nil, b, nil)
	}
	if err != nil {
		return "", fmt.Errorf("sso: what is sealed cannot be opened: %w", err)
	}
	return string(b), nil
}

func aeadOf(key string) (cipher.AEAD, error) {
	const size = 32 // AES-256
	derived, err := hkdf.Key(sha256.New, []byte(key), nil, "usher id token", size)
	if err != nil {
		return nil, fmt.Errorf("sso: %w", err)
	}
	block, err := aes.NewCipher(derived)
	if err != nil {
		return nil, fmt.Errorf("sso: %w", err)
	}
	return cipher.NewGCMWithRandomNonce(block)
}
