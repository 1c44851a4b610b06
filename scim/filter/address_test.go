package filter

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"usher/scim/schema"
	"usher/store"
	"usher/store/query"
)

// identified is a record that has nothing but an id.
type identified string

func (identified) Document() []byte { return []byte("{}") }

func (r identified) Column(path string) []string {
	if path == store.ColumnID {
		return []string{string(r)}
	}
	return nil
}

// TestAddress compares what is asked of the id with what is asked of the address itself.
func TestAddress(t *testing.T) {
	p, r := newParser(t)
	tr := translator{parser: p, rt: r.User}
	form := schema.Address{Endpoint: "/Users", ID: store.ColumnID}
	prefix := p.Base + "/Users/"
	rapid.Check(t, func(t *rapid.T) {
		id := rapid.StringMatching(`[0-9a-c-]{1,6}`).Draw(t, "id")
		address := prefix + id
		text := address
		switch rapid.IntRange(0, 3).Draw(t, "form") {
		case 0: // a piece of the address
			from := rapid.IntRange(0, len(address)).Draw(t, "from")
			text = address[from:rapid.IntRange(from, len(address)).Draw(t, "to")]
		case 1: // nearly the address
			text = address[:rapid.IntRange(0, len(address)).Draw(t, "to")] + rapid.StringMatching(`[/0-9a-c~!-]{0,3}`).Draw(t, "more")
		case 2:
			text = rapid.StringMatching(`[/:a-hU0-9.]{0,8}`).Draw(t, "text")
		}
		for op, holds := range map[comparison]bool{
			co: strings.Contains(address, text), sw: strings.HasPrefix(address, text), ew: strings.HasSuffix(address, text),
			gt: address > text, ge: address >= text, lt: address < text, le: address <= text,
			eq: address == text || "/Users/"+id == "/"+strings.TrimLeft(strings.TrimPrefix(text, ".."), "/"),
		} {
			if got := query.Compile(tr.addressed(form, op, text)).Match(identified(id)); got != holds {
				t.Fatalf("%q %s %q: %t, want %t", address, op, text, got, holds)
			}
		}
	})
}
