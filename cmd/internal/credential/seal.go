package credential

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"
)

// KeySize is the size of the keys of a [Sealer], in bytes.
const KeySize = 32

// Sealer keeps secrets in a form that is worth nothing without its keys: each secret is sealed by a key of its own, and that by the sealer's
// (AES-256-GCM both), so that another key of the sealer's needs only these to be sealed anew. It is safe for concurrent use.
type Sealer struct {
	mu   sync.RWMutex
	keys []wrapping // the first seals, all open
}

// wrapping is a key of the sealer's.
type wrapping struct {
	id   string // names the key without telling it
	aead cipher.AEAD
}

// NewSealer makes a sealer that seals by the first key, and opens what was sealed by any.
func NewSealer(keys ...[KeySize]byte) *Sealer {
	s := &Sealer{}
	s.SetKeys(keys...)
	return s
}

// SetKeys puts other keys in the place of the sealer's. There is one at least.
func (s *Sealer) SetKeys(keys ...[KeySize]byte) {
	var all []wrapping
	for _, key := range keys {
		sum := sha256.Sum256(append([]byte("usher key\x00"), key[:]...))
		const short = 4
		all = append(all, wrapping{hex.EncodeToString(sum[:short]), gcm(key[:])})
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys = all
}

// Keys is how many keys the sealer has.
func (s *Sealer) Keys() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.keys)
}

func gcm(key []byte) cipher.AEAD {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err) // the size of the key is one of AES
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err) // AES has the block size of GCM
	}
	return aead
}

// sealedMark begins what is sealed, with the version of the form: mark, key's id, wrapped key and secret, with dots between. What has no mark is
// of an earlier version, which sealed the secret by the sealer's key itself.
const (
	sealedMark  = "2"
	sealedParts = 4
)

// Seal hides a secret. It can be opened only for the owner named, so that one that was copied to somebody else's record opens nothing.
func (s *Sealer) Seal(secret, owner string) string {
	var own [KeySize]byte
	rand.Read(own[:]) //nolint:errcheck // it does not fail
	return s.wrap(own[:], owner) + "." + b64(gcm(own[:]).Seal(nil, nil, []byte(secret), []byte(owner)))
}

// wrap seals the key of a secret by the first of the sealer's.
func (s *Sealer) wrap(own []byte, owner string) string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	first := s.keys[0]
	return strings.Join([]string{sealedMark, first.id, b64(first.aead.Seal(nil, nil, own, []byte(owner)))}, ".")
}

func b64(b []byte) string { return base64.RawStdEncoding.EncodeToString(b) }

// ErrSealed is returned for what cannot be opened: by another key, for another owner, or damaged.
var ErrSealed = errors.New("a secret cannot be opened: it was sealed with another key, or for somebody else")

// Open gives the secret: ErrSealed.
func (s *Sealer) Open(sealed, owner string) (string, error) {
	if !strings.Contains(sealed, ".") {
		return s.openOld(sealed, owner)
	}
	own, hidden, err := s.unwrap(sealed, owner)
	if err != nil {
		return "", err
	}
	secret, err := gcm(own).Open(nil, nil, hidden, []byte(owner))
	if err != nil {
		return "", ErrSealed
	}
	return string(secret), nil
}

// unwrap gives the key of a secret, and what it hides.
func (s *Sealer) unwrap(sealed, owner string) (own, hidden []byte, err error) {
	part := strings.Split(sealed, ".")
	if len(part) != sealedParts || part[0] != sealedMark {
		return nil, nil, ErrSealed
	}
	wrapped, err := base64.RawStdEncoding.DecodeString(part[2])
	if err == nil {
		hidden, err = base64.RawStdEncoding.DecodeString(part[3])
	}
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrSealed, err)
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, k := range s.keys {
		if k.id != part[1] {
			continue
		}
		if own, err = k.aead.Open(nil, nil, wrapped, []byte(owner)); err == nil && len(own) == KeySize {
			return own, hidden, nil
		}
	}
	return nil, nil, ErrSealed
}

func (s *Sealer) openOld(sealed, owner string) (string, error) {
	b, err := base64.RawStdEncoding.DecodeString(sealed)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrSealed, err)
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, k := range s.keys {
		if secret, err := k.aead.Open(nil, nil, b, []byte(owner)); err == nil {
			return string(secret), nil
		}
	}
	return "", ErrSealed
}

// Rewrap gives what is sealed in a form that the first key opens, and whether that is another: ErrSealed. The secret itself is not looked at,
// unless it is in the form of an earlier version.
func (s *Sealer) Rewrap(sealed, owner string) (again string, changed bool, err error) {
	if !strings.Contains(sealed, ".") {
		secret, err := s.openOld(sealed, owner)
		if err != nil {
			return "", false, err
		}
		return s.Seal(secret, owner), true, nil
	}
	own, hidden, err := s.unwrap(sealed, owner)
	if err != nil {
		return "", false, err
	}
	s.mu.RLock()
	first := s.keys[0].id
	s.mu.RUnlock()
	if strings.HasPrefix(sealed, sealedMark+"."+first+".") {
		return sealed, false, nil
	}
	return s.wrap(own, owner) + "." + b64(hidden), true, nil
}
