package ssotest

import (
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// LogoutEvent is the name of the event that makes a token a logout token.
const LogoutEvent = "http://schemas.openid.net/event/backchannel-logout"

// Token is a JWT before it is signed. All of it may be changed, also to what is not a JWT.
type Token struct {
	Header Object
	Claims Object
	Key    *Key // signs, unless Sign is set; no key and no Sign make an empty signature

	// Sign replaces the signature.
	Sign func(signingInput string) []byte
	// Serialise puts the three parts, each base64url already, together; nil makes the compact form.
	Serialise func(header, payload, signature string) string

	RawHeader, RawClaims string // replace the JSON text when not empty
}

// String signs the token as it is.
func (t *Token) String() string {
	header, claims := t.RawHeader, t.RawClaims
	if header == "" {
		header = t.Header.String()
	}
	if claims == "" {
		claims = t.Claims.String()
	}
	header, claims = b64([]byte(header)), b64([]byte(claims))
	var signature []byte
	switch input := header + "." + claims; {
	case t.Sign != nil:
		signature = t.Sign(input)
	case t.Key != nil:
		alg, _ := t.Header.Get("alg").(string)
		signature = t.Key.Sign(alg, []byte(input))
	}
	serialise := t.Serialise
	if serialise == nil {
		serialise = Compact
	}
	return serialise(header, claims, b64(signature))
}

// SignBy signs with another key and says so in the header.
func (t *Token) SignBy(k *Key) {
	t.Key, t.Sign = k, nil
	t.Header.Set("alg", k.Alg)
	if k.Kid == "" {
		t.Header.Delete("kid")
		return
	}
	t.Header.Set("kid", k.Kid)
}

// SignHMAC makes it HS256 keyed with any bytes, such as the client's secret or a public key's PEM.
func (t *Token) SignHMAC(secret []byte) {
	t.Header.Set("alg", "HS256")
	t.Sign = func(input string) []byte {
		m := hmac.New(crypto.SHA256.New, secret)
		m.Write([]byte(input))
		return m.Sum(nil)
	}
}

// Unsigned has no signature and says alg, which is "none" in some spelling; "" leaves the header.
func (t *Token) Unsigned(alg string) {
	if alg != "" {
		t.Header.Set("alg", alg)
	}
	t.Sign = func(string) []byte { return nil }
}

// Tamper changes the claims after the signature is made.
func (t *Token) Tamper(edit func(claims *Object)) {
	forged := Object{members: append([]member(nil), t.Claims.members...)}
	edit(&forged)
	serialise := t.Serialise
	if serialise == nil {
		serialise = Compact
	}
	t.Serialise = func(header, _, signature string) string {
		return serialise(header, b64([]byte(forged.String())), signature)
	}
}

// Compact is the only form that an ID token may have.
func Compact(header, payload, signature string) string {
	return header + "." + payload + "." + signature
}

// Flattened is the JSON form with one signature (RFC 7515, 7.2.2).
func Flattened(header, payload, signature string) string {
	var o Object
	o.Set("payload", payload)
	o.Set("protected", header)
	o.Set("signature", signature)
	return o.String()
}

// General gives the JSON form (RFC 7515, 7.2.1) with the same signature so many times.
func General(signatures int) func(header, payload, signature string) string {
	return func(header, payload, signature string) string {
		var one Object
		one.Set("protected", header)
		one.Set("signature", signature)
		all := make([]string, signatures)
		for i := range all {
			all[i] = one.String()
		}
		return `{"payload":` + text(payload) + `,"signatures":[` + strings.Join(all, ",") + `]}`
	}
}

var encryptionKey = sync.OnceValue(func() *rsa.PublicKey { return NewKey("RS256").Public().(*rsa.PublicKey) })

// JWE encrypts the signed token to a key that nobody has.
func JWE(header, payload, signature string) string {
	e, err := jose.NewEncrypter(jose.A256GCM, jose.Recipient{Algorithm: jose.RSA_OAEP_256, Key: encryptionKey()},
		(&jose.EncrypterOptions{}).WithContentType("JWT"))
	if err != nil {
		panic("ssotest: " + err.Error())
	}
	encrypted, err := e.Encrypt([]byte(Compact(header, payload, signature)))
	if err != nil {
		panic("ssotest: " + err.Error())
	}
	out, err := encrypted.CompactSerialize()
	if err != nil {
		panic("ssotest: " + err.Error())
	}
	return out
}

// IDToken makes an ID token outside of a flow, for subject "alice" and with nonce "n". The function of [IdP.EditToken] sees it first.
func (p *IdP) IDToken(edit func(*Token)) string {
	client := p.client()
	t := p.newToken("JWT")
	p.setCommon(t, client, "alice", 5*time.Minute)
	t.Claims.Set("nonce", "n")
	if p.fullHashes() {
		t.Claims.Set("azp", client)
	}
	return p.finish(t, edit)
}

// LogoutToken makes a back-channel logout token for subject "alice" and session "session".
func (p *IdP) LogoutToken(edit func(*Token)) string {
	t := p.newToken("logout+jwt")
	p.setCommon(t, p.client(), "alice", 2*time.Minute)
	t.Claims.Set("sid", "session")
	t.Claims.Set("jti", rand.Text())
	t.Claims.Set("events", Object{members: []member{{LogoutEvent, Object{}}}})
	if edit != nil {
		edit(t)
	}
	return t.String()
}

// idToken is the one of an authorization; the code is empty when it is refreshed.
func (p *IdP) idToken(g *grant, code, accessToken string) string {
	t := p.newToken("JWT")
	p.setCommon(t, g.client, g.person.subject(), 5*time.Minute)
	if code != "" && g.nonce != "" {
		t.Claims.Set("nonce", g.nonce)
	}
	if g.maxAge {
		t.Claims.Set("auth_time", g.at.Unix())
	}
	t.Claims.Set("sid", g.session)
	if p.fullHashes() {
		t.Claims.Set("azp", g.client)
		t.Claims.Set("at_hash", HalfHash(t.Key.Alg, accessToken))
		if code != "" {
			t.Claims.Set("c_hash", HalfHash(t.Key.Alg, code))
		}
	}
	g.person.each(t.Claims.Set)
	return p.finish(t, nil)
}

// HalfHash is the value of at_hash and c_hash for an algorithm.
func HalfHash(alg, value string) string {
	digest := sum(hashOf(alg), []byte(value))
	return b64(digest[:len(digest)/2])
}

func (p *IdP) newToken(typ string) *Token {
	t := &Token{Key: p.signingKey()}
	t.Header.Set("alg", t.Key.Alg)
	t.Header.Set("typ", typ)
	if t.Key.Kid != "" {
		t.Header.Set("kid", t.Key.Kid)
	}
	return t
}

func (p *IdP) setCommon(t *Token, client, subject string, life time.Duration) {
	now := p.now()
	t.Claims.Set("iss", p.Issuer())
	t.Claims.Set("sub", subject)
	t.Claims.Set("aud", client)
	if p.fullHashes() {
		t.Claims.Set("aud", []string{client})
	}
	t.Claims.Set("exp", now.Add(life).Unix())
	t.Claims.Set("iat", now.Unix())
}

func (p *IdP) finish(t *Token, edit func(*Token)) string {
	for _, f := range []func(*Token){p.tokenEdit(), edit} {
		if f != nil {
			f(t)
		}
	}
	return t.String()
}
