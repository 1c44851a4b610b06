package query

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Fold gives the form of a string that does not tell cases apart: NFC and Unicode full case folding. It is idempotent, and
// returns s itself, without allocating, when that is ASCII without capitals.
func Fold(s string) string {
	ascii, small := true, true
	for i := 0; i < len(s) && ascii; i++ {
		ascii = s[i] < utf8.RuneSelf
		small = small && lower(s[i]) == s[i]
	}
	switch {
	case ascii && small:
		return s
	case ascii:
		return strings.ToLower(s)
	}
	// Folding is defined on decomposed text (Unicode 3.13, D145): it would otherwise turn the combining iota into a letter
	// before that has moved behind the other marks, and equivalent spellings would fold apart.
	folded := cases.Fold().String(norm.NFD.String(s))
	return norm.NFC.String(strings.Map(cherokee, folded))
}

// cherokee folds the small letters of Cherokee. They fold to the capitals, which are older, and package cases has that right,
// but it folds the capitals to the small letters too.
func cherokee(r rune) rune {
	switch {
	case 0xab70 <= r && r <= 0xabbf:
		return r - 0xab70 + 0x13a0
	case 0x13f8 <= r && r <= 0x13fd:
		return r - 8
	}
	return r
}

// appendFold appends the Fold of src, which must not share the room behind dst.
func appendFold(dst, src []byte) []byte {
	start := len(dst)
	for _, c := range src {
		if c >= utf8.RuneSelf {
			return append(dst[:start], Fold(string(src))...)
		}
		dst = append(dst, lower(c))
	}
	return dst
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + ('a' - 'A')
	}
	return c
}
