package setup

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"

	"github.com/google/uuid"

	"usher/store"
)

// KeySize is the size of the key of links, in bytes.
const KeySize = 32

// Path is where the pages are mounted.
const Path = "/setup/"

// Links makes links to set-ups, and reads them. It is safe for concurrent use.
type Links struct{ key [KeySize]byte }

// NewLinks makes the links of a server, or of all servers with the key.
func NewLinks(key [KeySize]byte) *Links { return &Links{key} }

// secret is that of the link in a mail.
func (l *Links) secret(mail string) []byte {
	mac := hmac.New(sha256.New, l.key[:])
	mac.Write([]byte("set-up link\x00" + mail))
	return mac.Sum(nil)
}

// Hash gives the SHA-256 of the secret of the link in a mail, by the mail's id: what the account keeps of it.
func (l *Links) Hash(mail string) []byte {
	sum := sha256.Sum256(l.secret(mail))
	return sum[:]
}

// URL gives the link in a mail; base is the public address of the server. It holds the ids of company and account, so that they are found
// without an index, and the secret.
func (l *Links) URL(base string, m store.Mail) string {
	company, account := uuid.MustParse(m.Company), uuid.MustParse(m.Account)
	token := append(append(company[:], account[:]...), l.secret(m.ID)...)
	return base + Path + base64.RawURLEncoding.EncodeToString(token)
}

// link is one that somebody has opened. That it can be read does not make it good.
type link struct {
	company, account string
	hash             []byte
}

// parse reads the last part of a link's path.
func parse(token string) (link, bool) {
	const id = len(uuid.UUID{})
	b, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(b) != 2*id+sha256.Size {
		return link{}, false
	}
	sum := sha256.Sum256(b[2*id:])
	return link{uuid.UUID(b[:id]).String(), uuid.UUID(b[id : 2*id]).String(), sum[:]}, true
}
