package scim

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestSealer(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	s, err := newSealer(nil)
	if err != nil {
		t.Fatal(err)
	}
	about := []byte("acme")
	c := cursor{Expires: now.Unix() + 1, Count: 5, Total: 7, Places: []position{{ID: "x", Key: "Ada"}, {None: true}}}
	text := s.seal(c, about)
	got, err := s.open(text, about, now)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(c, got); diff != "" {
		t.Error(diff)
	}
	if again := s.seal(c, about); again == text {
		t.Error("two cursors are the same")
	}
	other, err := newSealer(make([]byte, CursorKeySize))
	if err != nil {
		t.Fatal(err)
	}
	for name, open := range map[string]func() (cursor, error){
		invalidCursor + " other key":   func() (cursor, error) { return other.open(text, about, now) },
		invalidCursor + " other query": func() (cursor, error) { return s.open(text, []byte("other"), now) },
		expiredCursor + " late":        func() (cursor, error) { return s.open(text, about, now.Add(time.Second)) },
	} {
		var refused *Error
		if _, err := open(); !errors.As(err, &refused) || refused.ScimType != name[:len(invalidCursor)] {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := newSealer([]byte("short")); err == nil {
		t.Error("a short key is taken")
	}
}

// FuzzCursor changes cursors: nothing but what was sealed can be opened, and for nothing but what it was sealed for.
func FuzzCursor(f *testing.F) {
	now := time.Unix(1_800_000_000, 0)
	s, err := newSealer(nil)
	if err != nil {
		f.Fatal(err)
	}
	const about = "acme okta userName"
	cursors := []cursor{
		{Expires: now.Unix() + 3600, Count: 100, Total: 1000, Places: []position{{ID: "0199"}}},
		{Expires: now.Unix() + 3600, Places: []position{{ID: "0199", Key: "ada"}, {}, {None: true}}},
	}
	f.Add(uint8(0), uint16(0), byte('A'), about, "")
	f.Add(uint8(1), uint16(17), byte('_'), about, "e30")
	f.Add(uint8(1), uint16(1000), byte('='), "other", "eyJlIjo5OTk5OTk5OTk5fQ")
	f.Add(uint8(0), uint16(5), byte(0), "", "%00")
	f.Add(uint8(0), uint16(106), byte('\n'), about, "00")
	f.Fuzz(func(t *testing.T, pick uint8, at uint16, b byte, asked, forged string) {
		c := cursors[int(pick)%len(cursors)]
		text := s.seal(c, []byte(about))
		changed := []byte(text)
		if int(at) < len(changed) {
			changed[at] = b
		}
		got, err := s.open(string(changed), []byte(asked), now)
		if authentic := string(changed) == text && asked == about; authentic != (err == nil) {
			t.Errorf("%q for %q instead of %q for %q: %v", changed, asked, text, about, err)
		} else if authentic && !cmp.Equal(got, c) {
			t.Errorf("%+v became %+v", c, got)
		}
		for _, text := range []string{string(changed[:len(changed)-1]), string(changed) + "A", forged} {
			_, err := s.open(text, []byte(about), now)
			var refused *Error
			if !errors.As(err, &refused) || refused.Status != 400 || refused.ScimType != invalidCursor {
				t.Errorf("%q: %v", text, err)
			}
		}
	})
}
