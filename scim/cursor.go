package scim

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"usher/store/query"
)

// The scimTypes of RFC 9865 section 2.1.
const (
	invalidCursor = "invalidCursor"
	expiredCursor = "expiredCursor"
	invalidCount  = "invalidCount"
)

// CursorKeySize is the length in bytes of the key by which cursors are sealed.
const CursorKeySize = 32

// maxCursorKey is how many bytes a value may have for a cursor to hold it.
const maxCursorKey = 4096

// cursor is where the next page of a list begins (RFC 9865). The server keeps nothing of it: the client gets it sealed, bound to who
// asked and for what. It is encrypted because the place in a sorted list is some person's name.
type cursor struct {
	Expires int64      `json:"e"` // seconds since 1970
	Count   int        `json:"c"` // of the pages
	Total   int        `json:"t"` // when the walk began: it is not counted anew for each page
	Places  []position `json:"p"` // of each resource type of the list
}

// position is behind the last resource of a type that was shown; zero: none was.
type position struct {
	ID   string `json:"i,omitempty"`
	Key  string `json:"k,omitempty"` // in a sorted list
	None bool   `json:"n,omitempty"` // it has no value to be sorted by
}

func positionOf(id string, key query.SortKey) position { return position{id, key.Value, key.None} }

func (p position) key() query.SortKey { return query.SortKey{Value: p.Key, None: p.None} }

// sealer seals cursors. It is safe for concurrent use.
type sealer struct{ aead cipher.AEAD }

// newSealer makes a sealer; without a key cursors end with the process.
func newSealer(key []byte) (sealer, error) {
	if key == nil {
		key = make([]byte, CursorKeySize)
		rand.Read(key) //nolint:errcheck // it does not fail
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return sealer{}, fmt.Errorf("cursor key: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	return sealer{aead}, err
}

// seal makes the text of a cursor, of unreserved characters only (RFC 9865 section 2). about is what it is bound to.
func (s sealer) seal(c cursor, about []byte) string {
	plain, err := json.Marshal(c)
	if err != nil { // numbers and strings always marshal
		panic(err)
	}
	return base64.RawURLEncoding.EncodeToString(s.aead.Seal(nil, nil, plain, about))
}

// open reads a cursor. Whatever is wrong with it, the answer is the same: it must not tell what another could see.
func (s sealer) open(text string, about []byte, now time.Time) (cursor, error) {
	refused := badRequest(invalidCursor, "The cursor is not one that this server gave for this query; begin again with an empty one.")
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || strings.ContainsAny(text, "\r\n") { // which the decoder passes over
		return cursor{}, refused
	}
	plain, err := s.aead.Open(nil, nil, sealed, about)
	if err != nil {
		return cursor{}, refused
	}
	var c cursor
	if err := json.Unmarshal(plain, &c); err != nil {
		return cursor{}, refused
	}
	if now.Unix() >= c.Expires {
		return cursor{}, badRequest(expiredCursor, "The cursor has expired; begin again with an empty one.")
	}
	return c, nil
}

// binding is what a cursor is bound to: it is worth nothing to anybody else, and for no other query. Attributes may change.
func (l *listRequest) binding() []byte {
	b := make([]byte, 0, 256)
	for _, part := range []string{l.x.who.Company, l.x.who.Connection, l.filterText, l.sortText} {
		b = strconv.AppendQuote(b, part)
	}
	for _, c := range l.of {
		b = strconv.AppendQuote(b, c.rt.Name)
	}
	return b
}
