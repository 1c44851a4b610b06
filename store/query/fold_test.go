package query_test

import (
	"testing"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
	"pgregory.net/rapid"

	"usher/store/query"
)

func TestFold(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"empty", "", ""},
		{"lower ASCII", "ada@example.com", "ada@example.com"},
		{"ASCII capitals", "Ada@EXAMPLE.com", "ada@example.com"},
		{"neighbours of the letters", "@[`{", "@[`{"},
		{"capital behind the first non-ASCII letter", "éA", "éa"},
		{"umlaut", "MÜLLER", "müller"},
		{"full folding", "Straße", "strasse"},
		{"capital sharp s", "STRAẞE", "strasse"},
		{"final sigma", "ΟΔΥΣΣΕΥΣ", "οδυσσευσ"},
		{"final sigma, small", "Οδυσσεύς", "οδυσσεύσ"},
		{"decomposed", "E\u0301", "é"},
		{"marks in another order", "Q\u0307\u0323", "q\u0323\u0307"},
		{"combining iota behind an accent", "\u0391\u0345\u0301", "άι"},
		{"dotted capital I", "İ", "i\u0307"},
		{"dotless i stays", "ı", "ı"},
		{"ligature", "ﬁ", "fi"},
		{"kelvin sign", "K", "k"},
		{"width is kept", "Ａ", "ａ"},
		{"Cherokee, small", "ꮳᏸ", "ᏣᏰ"},
		{"Cherokee, capital", "ᏣᏰ", "ᏣᏰ"},
		{"no case", "山田 太郎", "山田 太郎"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := query.Fold(c.in); got != c.want {
				t.Errorf("Fold(%+q) = %+q, want %+q", c.in, got, c.want)
			}
		})
	}
}

// TestFold_EveryRune folds each character alone and behind a letter that it may combine with.
func TestFold_EveryRune(t *testing.T) {
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if !utf8.ValidRune(r) {
			continue
		}
		for _, s := range []string{string(r), "α" + string(r)} {
			once := query.Fold(s)
			if twice := query.Fold(once); twice != once {
				t.Errorf("Fold(%+q) = %+q, folded again %+q", s, once, twice)
			}
			if d := query.Fold(norm.NFD.String(s)); d != once {
				t.Errorf("Fold(%+q) = %+q, but %+q when decomposed", s, once, d)
			}
		}
	}
}

func TestFold_Idempotent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.String().Draw(t, "s")
		once := query.Fold(s)
		if twice := query.Fold(once); twice != once {
			t.Fatalf("Fold(%+q) = %+q, folded again %+q", s, once, twice)
		}
	})
}

func FuzzFold(f *testing.F) {
	for _, s := range []string{"Ada", "ΐ", "\u0345\u0301", "\xff", "é\xe2\x82", "ẞ\u0345A"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		once := query.Fold(s)
		if twice := query.Fold(once); twice != once {
			t.Errorf("Fold(%+q) = %+q, folded again %+q", s, once, twice)
		}
	})
}

func TestFold_Allocations(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() { query.Fold("ada.lovelace@example.com") }); n != 0 {
		t.Errorf("folding folded ASCII allocates %v times", n)
	}
}

func BenchmarkFold(b *testing.B) {
	for _, c := range []struct{ name, s string }{
		{"lower", "ada.lovelace@example.com"},
		{"capitals", "Ada.Lovelace@Example.com"},
		{"accents", "Zoë Müller-Lüdenscheidt"},
		{"kanji", "山田 太郎"},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				query.Fold(c.s)
			}
		})
	}
}
