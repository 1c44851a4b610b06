package credential

import (
	"crypto/subtle"
	"fmt"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/totp"
)

// One-time passwords are those that every authenticator app makes: six digits, SHA-1, of 30 seconds each.
const (
	totpPeriod = 30 * time.Second
	totpSkew   = 1 // steps by which the clock of a telephone may be wrong
)

// NewTOTP makes the secret of one-time passwords, in base32, and the address (otpauth:) that brings it into an authenticator app.
func NewTOTP(issuer, account string) (secret, url string, err error) {
	key, err := totp.Generate(totp.GenerateOpts{Issuer: issuer, AccountName: account})
	if err != nil {
		return "", "", fmt.Errorf("one-time passwords: %w", err)
	}
	return key.Secret(), key.URL(), nil
}

// CheckTOTP says whether a code is right now, and which step it is of. Codes of the step after and those before it are not: each works once.
func CheckTOTP(secret, code string, now time.Time, after int64) (step int64, right bool) {
	current := now.Unix() / int64(totpPeriod/time.Second)
	for s := current - totpSkew; s <= current+totpSkew; s++ {
		want, err := totp.GenerateCodeCustom(secret, time.Unix(s*int64(totpPeriod/time.Second), 0), totp.ValidateOpts{
			Period: uint(totpPeriod / time.Second), Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1,
		})
		if err == nil && s > after && subtle.ConstantTimeCompare([]byte(want), []byte(code)) == 1 {
			return s, true
		}
	}
	return 0, false
}
