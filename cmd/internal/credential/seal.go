package credential

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"errors"
	"fmt"
)

// KeySize is the size of the key of a [Sealer], in bytes.
const KeySize = 32

// Sealer keeps secrets in a form that is worth nothing without its key. It is safe for concurrent use.
type Sealer struct{ aead cipher.AEAD }

// NewSealer makes a sealer.
func NewSealer(key [KeySize]byte) *Sealer {
	block, err := aes.NewCipher(key[:])
	if err != nil {
		panic(err) // the size of the key is one of AES
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err) // AES has the block size of GCM
	}
	return &Sealer{aead}
}

// Seal hides a secret. It can be opened only for the owner named, so that one that was copied to somebody else's record opens nothing.
func (s *Sealer) Seal(secret, owner string) string {
	return base64.RawStdEncoding.EncodeToString(s.aead.Seal(nil, nil, []byte(secret), []byte(owner)))
}

// ErrSealed is returned for what cannot be opened: by another key, for another owner, or damaged.
var ErrSealed = errors.New("a secret cannot be opened: it was sealed with another key, or for somebody else")

// Open gives the secret: ErrSealed.
func (s *Sealer) Open(sealed, owner string) (string, error) {
	b, err := base64.RawStdEncoding.DecodeString(sealed)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrSealed, err)
	}
	secret, err := s.aead.Open(nil, nil, b, []byte(owner))
	if err != nil {
		return "", ErrSealed
	}
	return string(secret), nil
}
