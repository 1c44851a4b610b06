package practiceidp

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// tokenLife is how long an ID token is good, and the access token that comes with it.
const tokenLife = 5 * time.Minute

// claims are those of an ID token.
type claims struct {
	Issuer     string `json:"iss"`
	Subject    string `json:"sub"`
	Audience   string `json:"aud"`
	Expires    int64  `json:"exp"`
	Issued     int64  `json:"iat"`
	AuthTime   int64  `json:"auth_time"`
	Nonce      string `json:"nonce"`
	AccessHash string `json:"at_hash"`
	Name       string `json:"name,omitempty"`
	Email      string `json:"email,omitempty"`
	UserName   string `json:"preferred_username,omitempty"`
}

// idToken makes the ID token that goes with an access token.
func (h *Handler) idToken(g grant, access string) (string, error) {
	now := h.config.Clock()
	return h.key.sign(claims{
		Issuer:     h.config.Issuer,
		Subject:    g.person.Subject,
		Audience:   h.config.ClientID,
		Expires:    now.Add(tokenLife).Unix(),
		Issued:     now.Unix(),
		AuthTime:   g.chosen.Unix(),
		Nonce:      g.nonce,
		AccessHash: accessHash(access),
		Name:       g.person.Name,
		Email:      g.person.Email,
		UserName:   g.person.UserName,
	})
}

// accessHash is the claim at_hash for ES256: the left half of the digest.
func accessHash(access string) string {
	sum := sha256.Sum256([]byte(access))
	return base64.RawURLEncoding.EncodeToString(sum[:len(sum)/2])
}

// signingKey signs ID tokens.
type signingKey struct {
	public jose.JSONWebKey
	signer jose.Signer
}

func newSigningKey() (signingKey, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return signingKey{}, fmt.Errorf("signing key: %w", err)
	}
	key := jose.JSONWebKey{Key: private, Algorithm: string(jose.ES256), Use: "sig"}
	thumbprint, err := key.Thumbprint(crypto.SHA256)
	if err != nil {
		return signingKey{}, fmt.Errorf("signing key: %w", err)
	}
	key.KeyID = base64.RawURLEncoding.EncodeToString(thumbprint)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return signingKey{}, fmt.Errorf("signing key: %w", err)
	}
	return signingKey{public: key.Public(), signer: signer}, nil
}

func (k signingKey) sign(c claims) (string, error) {
	payload, err := json.Marshal(c)
	if err != nil {
		return "", fmt.Errorf("claims: %w", err)
	}
	signed, err := k.signer.Sign(payload)
	if err != nil {
		return "", fmt.Errorf("sign: %w", err)
	}
	token, err := signed.CompactSerialize()
	if err != nil {
		return "", fmt.Errorf("sign: %w", err)
	}
	return token, nil
}

// open gives the claims of a token that this key signed, expired or not.
func (k signingKey) open(token string) (claims, error) {
	var c claims
	signed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		return c, fmt.Errorf("token: %w", err)
	}
	payload, err := signed.Verify(k.public)
	if err != nil {
		return c, fmt.Errorf("token: %w", err)
	}
	if err := json.Unmarshal(payload, &c); err != nil {
		return c, fmt.Errorf("claims: %w", err)
	}
	return c, nil
}
