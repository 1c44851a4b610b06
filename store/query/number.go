package query

import "bytes"

// A canonical number is 32 hex digits. The first four are a sign and a decimal exponent, the others the first significant
// digits: 0.d1d2d3… times ten to the exponent. A negative number has every digit complemented, so that the order of texts is the
// order of numbers; zero lies between. Working on decimal digits keeps what a float64 would lose: neighbouring integers beyond
// 2^53 stay apart, and 0.1 is 0.1.
const (
	significant  = 28     // digits that are kept; those behind are dropped
	numberZero   = 0x8000 // the first four digits of zero
	numberOne    = 0xc000 // those of a positive number with exponent 0
	mostExponent = 0x3fff
)

// appendNumber appends the canonical form of a JSON number; with whole set, only of one without a fraction (5.0 has none).
func appendNumber(dst, text []byte, whole bool) ([]byte, bool) {
	n, ok := parseNumber(text)
	if !ok || whole && n.exponent < n.length {
		return dst, false
	}
	head := numberZero
	if n.length > 0 {
		if n.exponent < -mostExponent || n.exponent > mostExponent {
			return dst, false
		}
		head = numberOne + n.exponent
	}
	flip := 0
	if n.negative && n.length > 0 {
		flip = 0xf
	}
	for shift := 12; shift >= 0; shift -= 4 {
		dst = append(dst, hexDigits[head>>shift&0xf^flip])
	}
	for _, d := range n.digits {
		dst = append(dst, hexDigits[int(d)^flip])
	}
	return dst, true
}

const hexDigits = "0123456789abcdef"

// number is 0.d1d2d3… times ten to the exponent; zero has length 0.
type number struct {
	negative bool
	exponent int
	length   int // significant digits in all, without trailing zeros; may be more than there is room for
	digits   [significant]byte
}

// parseNumber reads the number grammar of RFC 8259 section 6.
func parseNumber(s []byte) (n number, ok bool) {
	s, n.negative = bytes.CutPrefix(s, []byte("-"))
	units := leadingDigits(s)
	if units == 0 || units > 1 && s[0] == '0' {
		return n, false
	}
	seen := n.add(s[:units], 0)
	n.exponent = seen
	s = s[units:]
	if len(s) > 0 && s[0] == '.' {
		s = s[1:]
		decimals := leadingDigits(s)
		if decimals == 0 {
			return n, false
		}
		if total := n.add(s[:decimals], seen); seen == 0 {
			n.exponent = total - decimals // the zeros behind the point
		}
		s = s[decimals:]
	}
	if len(s) > 0 {
		power, ok := exponent(s)
		if !ok {
			return n, false
		}
		n.exponent += power
	}
	if n.length == 0 {
		n.exponent = 0
	}
	return n, true
}

// add takes further digits, after seen significant ones, and says how many have been seen then.
func (n *number) add(s []byte, seen int) int {
	for _, c := range s {
		if seen == 0 && c == '0' {
			continue
		}
		if seen < significant {
			n.digits[seen] = c - '0'
		}
		seen++
		if c != '0' {
			n.length = seen
		}
	}
	return seen
}

// exponent reads the power of ten, limited to what is out of range anyway.
func exponent(s []byte) (power int, ok bool) {
	if s[0]|0x20 != 'e' {
		return 0, false
	}
	s = s[1:]
	negative := false
	if len(s) > 0 && (s[0] == '+' || s[0] == '-') {
		negative = s[0] == '-'
		s = s[1:]
	}
	if len(s) == 0 || leadingDigits(s) != len(s) {
		return 0, false
	}
	for _, c := range s {
		power = min(power*10+int(c-'0'), 1<<24)
	}
	if negative {
		power = -power
	}
	return power, true
}

func leadingDigits(s []byte) int {
	i := 0
	for i < len(s) && isDigit(s[i]) {
		i++
	}
	return i
}
