package ssotest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"sync"
	"testing"

	_ "crypto/sha256" // linked in for crypto.Hash
	_ "crypto/sha512"
)

// Key signs tokens.
type Key struct {
	Kid     string // random by default; may be changed or emptied before the key is used
	Alg     string // what it signs with unless a token's header names another algorithm that fits the key
	Private crypto.Signer
}

// NewKey makes a key for an algorithm: RS, PS and ES with 256, 384 or 512, and EdDSA.
// It belongs to nobody else, so an RSA key takes its time (0.1 s); [IdP.NewKey] is faster where many are needed.
func NewKey(alg string) *Key {
	k := &Key{Kid: rand.Text(), Alg: alg}
	var err error
	switch {
	case strings.HasPrefix(alg, "RS"), strings.HasPrefix(alg, "PS"):
		k.Private, err = rsa.GenerateKey(rand.Reader, rsaBits)
	case strings.HasPrefix(alg, "ES"):
		k.Private, err = ecdsa.GenerateKey(curveOf(alg), rand.Reader)
	case alg == "EdDSA":
		_, k.Private, err = ed25519.GenerateKey(rand.Reader)
	default:
		panic("ssotest: no keys for " + alg)
	}
	if err != nil {
		panic("ssotest: " + err.Error())
	}
	return k
}

const rsaBits = 2048

// spare holds the RSA keys of tests that have ended. No two living providers have the same one, so a key of one is foreign to the other.
var spare struct {
	sync.Mutex
	keys []crypto.Signer
}

// borrowKey is NewKey, but an RSA key goes to another test after this one.
func borrowKey(t testing.TB, alg string) *Key {
	if !strings.HasPrefix(alg, "RS") && !strings.HasPrefix(alg, "PS") {
		return NewKey(alg)
	}
	spare.Lock()
	var k *Key
	if n := len(spare.keys); n > 0 {
		k = &Key{Kid: rand.Text(), Alg: alg, Private: spare.keys[n-1]}
		spare.keys = spare.keys[:n-1]
	}
	spare.Unlock()
	if k == nil {
		k = NewKey(alg)
	}
	private := k.Private
	t.Cleanup(func() {
		spare.Lock()
		defer spare.Unlock()
		spare.keys = append(spare.keys, private)
	})
	return k
}

// Public is the public half.
func (k *Key) Public() crypto.PublicKey { return k.Private.Public() }

// PEM is the public half as a "PUBLIC KEY" block: what HS256 is keyed with in the classic confusion of algorithms.
func (k *Key) PEM() []byte {
	der, err := x509.MarshalPKIXPublicKey(k.Public())
	if err != nil {
		panic("ssotest: " + err.Error())
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

// Sign signs with an algorithm; one that does not fit the key is replaced by the key's own, so that a header can lie.
func (k *Key) Sign(alg string, input []byte) []byte {
	if !k.fits(alg) {
		alg = k.Alg
	}
	digest, opts := input, crypto.SignerOpts(crypto.Hash(0))
	if alg != "EdDSA" {
		h := hashOf(alg)
		digest, opts = sum(h, input), h
		if strings.HasPrefix(alg, "PS") {
			opts = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: h}
		}
	}
	if private, ok := k.Private.(*ecdsa.PrivateKey); ok {
		return signECDSA(private, digest)
	}
	signature, err := k.Private.Sign(rand.Reader, digest, opts)
	if err != nil {
		panic("ssotest: " + err.Error())
	}
	return signature
}

// signECDSA gives r and s in fixed length as JWS wants them, not the ASN.1 of crypto.Signer.
func signECDSA(private *ecdsa.PrivateKey, digest []byte) []byte {
	r, s, err := ecdsa.Sign(rand.Reader, private, digest)
	if err != nil {
		panic("ssotest: " + err.Error())
	}
	size := (private.Curve.Params().BitSize + 7) / 8
	out := make([]byte, 2*size)
	r.FillBytes(out[:size])
	s.FillBytes(out[size:])
	return out
}

func (k *Key) fits(alg string) bool {
	switch private := k.Private.(type) {
	case *rsa.PrivateKey:
		return len(alg) == 5 && (alg[:2] == "RS" || alg[:2] == "PS") && hashOf(alg) != 0
	case *ecdsa.PrivateKey:
		return len(alg) == 5 && alg[:2] == "ES" && hashOf(alg) != 0 && curveOf(alg) == private.Curve
	default:
		return alg == "EdDSA"
	}
}

func curveOf(alg string) elliptic.Curve {
	switch hashOf(alg) {
	case crypto.SHA384:
		return elliptic.P384()
	case crypto.SHA512:
		return elliptic.P521()
	}
	return elliptic.P256()
}

// hashOf is the hash of an algorithm, also for at_hash and c_hash; 0 if it has none.
func hashOf(alg string) crypto.Hash {
	switch {
	case alg == "EdDSA", strings.HasSuffix(alg, "512"):
		return crypto.SHA512
	case strings.HasSuffix(alg, "384"):
		return crypto.SHA384
	case strings.HasSuffix(alg, "256"):
		return crypto.SHA256
	}
	return 0
}

func sum(h crypto.Hash, input []byte) []byte {
	s := h.New()
	s.Write(input)
	return s.Sum(nil)
}
