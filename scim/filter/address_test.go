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

// tagged is a record that has nothing but a version.
type tagged string

func (tagged) Document() []byte { return []byte("{}") }

func (r tagged) Column(path string) []string {
	if path == store.ColumnVersion {
		return []string{string(r)}
	}
	return nil
}

// TestVersion compares what is asked of the version with what is asked of the entity tag itself.
func TestVersion(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		version := rapid.StringMatching(`[1-9][0-9]{0,2}(\.[0-9]{1,2})?`).Draw(t, "version")
		tag := `W/"` + version + `"`
		text := tag
		switch rapid.IntRange(0, 3).Draw(t, "form") {
		case 0:
			from := rapid.IntRange(0, len(tag)).Draw(t, "from")
			text = tag[from:rapid.IntRange(from, len(tag)).Draw(t, "to")]
		case 1:
			text = tag[:rapid.IntRange(0, len(tag)).Draw(t, "to")] + rapid.StringMatching(`["W/0-9.~]{0,3}`).Draw(t, "more")
		case 2:
			text = rapid.StringMatching(`["W/0-9.~!]{0,6}`).Draw(t, "text")
		}
		for op, holds := range map[comparison]bool{
			co: strings.Contains(tag, text), sw: strings.HasPrefix(tag, text), ew: strings.HasSuffix(tag, text),
			gt: tag > text, ge: tag >= text, lt: tag < text, le: tag <= text,
		} {
			if got := query.Compile(versioned(op, text)).Match(tagged(version)); got != holds {
				t.Fatalf("%s %s %s: %t, want %t", tag, op, text, got, holds)
			}
		}
		for _, same := range []string{tag, tag[2:], version} {
			if !query.Compile(versioned(eq, same)).Match(tagged(version)) {
				t.Fatalf("%s is not %s", tag, same)
			}
		}
	})
}
