package setup

import (
	"crypto/sha256"
	"strings"
	"testing"

	"usher/store"
)

func TestLinks(t *testing.T) {
	l := NewLinks([KeySize]byte{1})
	m := store.Mail{ID: store.NewID(), Company: store.NewID(), Account: store.NewID()}
	path := l.URL("https://usher.example", m)
	token, ok := strings.CutPrefix(path, "https://usher.example"+Path)
	got, parsed := parse(token)
	if !ok || !parsed || got.company != m.Company || got.account != m.Account || string(got.hash) != string(l.Hash(m.ID)) {
		t.Errorf("%s is read as %+v", path, got)
	}
	other := NewLinks([KeySize]byte{2})
	if string(other.Hash(m.ID)) == string(l.Hash(m.ID)) || len(l.Hash(m.ID)) != sha256.Size {
		t.Error("the key makes no difference")
	}
}

func FuzzParse(f *testing.F) {
	l := NewLinks([KeySize]byte{1})
	f.Add(strings.TrimPrefix(l.URL("", store.Mail{ID: "m", Company: store.NewID(), Account: store.NewID()}), Path))
	f.Add("")
	f.Fuzz(func(t *testing.T, token string) {
		got, ok := parse(token)
		if ok && (len(got.company) != 36 || len(got.account) != 36 || len(got.hash) != sha256.Size) {
			t.Errorf("%q is read as %+v", token, got)
		}
	})
}
