package credential

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
)

// The cost of a password hash: what OWASP recommends for argon2id, about 30 ms on one core.
const (
	argonMemory  = 19 << 10 // KiB
	argonTime    = 2
	argonThreads = 1
	argonKey     = 32 // bytes
	argonSalt    = 16 // bytes
)

// The lengths of passwords that people choose.
const (
	MinPassword = 12   // characters
	MaxPassword = 1024 // bytes
)

// WrongLength says in a sentence why a password cannot be had: it is too short to hold or too long to hash. Empty: it can.
func WrongLength(password string) string {
	switch {
	case utf8.RuneCountInString(password) < MinPassword:
		return fmt.Sprintf("A password has %d characters or more.", MinPassword)
	case len(password) > MaxPassword:
		return fmt.Sprintf("A password has %d bytes at most.", MaxPassword)
	}
	return ""
}

// NewPassword makes a password of 130 random bits.
func NewPassword() string { return rand.Text() }

// Hasher hashes passwords, as many at a time as it was made for: each takes 19 MiB. It is safe for concurrent use.
type Hasher struct {
	slots chan struct{}
	dummy string
}

// NewHasher makes a hasher for n at a time.
func NewHasher(n int) *Hasher {
	return &Hasher{slots: make(chan struct{}, n), dummy: hash(NewPassword())}
}

// Hash gives the argon2id hash of a password in PHC form, once there is room for it; its error is the context's.
func (h *Hasher) Hash(ctx context.Context, password string) (phc string, err error) {
	err = h.wait(ctx, func() { phc = hash(password) })
	return phc, err
}

// Verify says whether a password is the one that a hash was made of. An empty hash is that of no password, and takes as long to refuse as
// any other: whether somebody has a password cannot be told by the time.
func (h *Hasher) Verify(ctx context.Context, phc, password string) (right bool, err error) {
	none := phc == ""
	if none {
		phc = h.dummy
	}
	if len(password) > MaxPassword {
		password, none = "", true
	}
	err = h.wait(ctx, func() { right = verify(phc, password) })
	return right && !none, err
}

func (h *Hasher) wait(ctx context.Context, do func()) error {
	select {
	case h.slots <- struct{}{}:
		defer func() { <-h.slots }()
		do()
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func hash(password string) string {
	salt := make([]byte, argonSalt)
	rand.Read(salt)
	key := argon2.IDKey([]byte(password), salt, argonTime, argonMemory, argonThreads, argonKey)
	b64 := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, argonMemory, argonTime, argonThreads, b64(salt), b64(key))
}

// verify uses the cost that the hash was made with, within reason: hashes outlive changes of the constants.
func verify(phc, password string) bool {
	const parts = 6 // "", argon2id, version, cost, salt, key
	part := strings.Split(phc, "$")
	if len(part) != parts || part[1] != "argon2id" || part[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return false
	}
	var memory, time uint32
	var threads uint8
	if _, err := fmt.Sscanf(part[3], "m=%d,t=%d,p=%d", &memory, &time, &threads); err != nil {
		return false
	}
	const most = 16 // times what is usual
	if memory == 0 || time == 0 || threads == 0 || memory > most*argonMemory || time > most*argonTime || threads > most {
		return false
	}
	salt, err := base64.RawStdEncoding.DecodeString(part[4])
	if err != nil {
		return false
	}
	key, err := base64.RawStdEncoding.DecodeString(part[5])
	if err != nil || len(key) < argonKey {
		return false
	}
	return subtle.ConstantTimeCompare(key, argon2.IDKey([]byte(password), salt, time, memory, threads, uint32(len(key)))) == 1
}
