package ssotest

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"fmt"
	"math/big"
)

// JWK is the public half as a JSON Web Key.
func (k *Key) JWK() map[string]any {
	jwk := map[string]any{"use": "sig", "alg": k.Alg}
	if k.Kid != "" {
		jwk["kid"] = k.Kid
	}
	switch public := k.Public().(type) {
	case *rsa.PublicKey:
		jwk["kty"] = "RSA"
		jwk["n"] = b64(public.N.Bytes())
		jwk["e"] = b64(big.NewInt(int64(public.E)).Bytes())
	case *ecdsa.PublicKey:
		point, err := public.Bytes()
		if err != nil {
			panic("ssotest: " + err.Error())
		}
		half := len(point) / 2
		jwk["kty"], jwk["crv"] = "EC", public.Curve.Params().Name
		jwk["x"], jwk["y"] = b64(point[1:1+half]), b64(point[1+half:]) // after the byte that says "not compressed"
	case ed25519.PublicKey:
		jwk["kty"], jwk["crv"], jwk["x"] = "OKP", "Ed25519", b64(public)
	}
	return jwk
}

// MalformedJWK says that it is an RSA key for signing but cannot be read. One of it must not spoil a whole set.
func MalformedJWK() map[string]any {
	return map[string]any{"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "malformed", "n": "!not base64url!", "e": "AQAB"}
}

// Ed448JWK is a proper key of a curve that Go does not know, without alg as some providers publish it.
func Ed448JWK() map[string]any {
	return map[string]any{"kty": "OKP", "crv": "Ed448", "use": "sig", "kid": "ed448", "x": b64(random(57))}
}

// OctJWK publishes a symmetric key, which invites HS256.
func OctJWK(kid string, secret []byte) map[string]any {
	return map[string]any{"kty": "oct", "use": "sig", "alg": "HS256", "kid": kid, "k": b64(secret)}
}

// ManyJWKs are so many keys that can be read and that nobody signs with.
func ManyJWKs(count int) []any {
	jwk := NewKey("EdDSA").JWK()
	many := make([]any, count)
	for i := range many {
		many[i] = map[string]any{"kty": jwk["kty"], "crv": jwk["crv"], "x": jwk["x"], "use": "sig", "alg": "EdDSA", "kid": fmt.Sprint("many-", i)}
	}
	return many
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b) // never fails
	return b
}
