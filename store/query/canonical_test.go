package query_test

import (
	"cmp"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"usher/store/query"
)

func TestCanonical(t *testing.T) {
	for _, c := range []struct {
		typ           query.Type
		fold          bool
		literal, want string
	}{
		{query.String, true, "Ada É", "ada é"},
		{query.String, false, "Ada E\u0301", "Ada E\u0301"},
		{query.String, true, "", ""},
		{query.Reference, true, "https://Example.com/A", "https://Example.com/A"},
		{query.Binary, true, "AbC=", "AbC="},
		{query.Boolean, true, "true", "1"},
		{query.Boolean, false, "false", "0"},
		{query.DateTime, false, "2011-05-13T04:42:34Z", "2011-05-13T04:42:34.000000000Z"},
		{query.DateTime, false, "2011-05-13t04:42:34z", "2011-05-13T04:42:34.000000000Z"},
		{query.DateTime, false, "2011-05-13T04:42:34", "2011-05-13T04:42:34.000000000Z"},
		{query.DateTime, false, "2011-05-13T04:42:34.5+05:30", "2011-05-12T23:12:34.500000000Z"},
		{query.DateTime, false, "2011-12-31T23:30:00-01:00", "2012-01-01T00:30:00.000000000Z"},
		{query.DateTime, false, "2011-05-13T04:42:34.123456789987Z", "2011-05-13T04:42:34.123456789Z"},
		{query.DateTime, false, "2012-02-29T24:00:00Z", "2012-03-01T00:00:00.000000000Z"},
		{query.DateTime, false, "2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000000000Z"},
		{query.Integer, false, "0", "80000000000000000000000000000000"},
		{query.Integer, false, "-0", "80000000000000000000000000000000"},
		{query.Integer, false, "5", "c0015000000000000000000000000000"},
		{query.Integer, false, "-5", "3ffeafffffffffffffffffffffffffff"},
		{query.Decimal, false, "5.0", "c0015000000000000000000000000000"},
		{query.Decimal, false, "0.0e12", "80000000000000000000000000000000"},
		{query.Decimal, false, "0.05", "bfff5000000000000000000000000000"},
		{query.Decimal, false, "1024.5E-1", "c0031024500000000000000000000000"},
	} {
		t.Run(fmt.Sprint(c.typ, " ", c.literal), func(t *testing.T) {
			got, err := query.Canonical(c.typ, c.fold, c.literal)
			if err != nil || got != c.want {
				t.Errorf("got %q, %v, want %q", got, err, c.want)
			}
		})
	}
}

func TestCanonical_Refused(t *testing.T) {
	for _, c := range []struct {
		typ      query.Type
		literals []string
	}{
		{query.Boolean, []string{"", "True", "1", "yes", "true "}},
		{query.DateTime, []string{
			"", "2011-05-13", "2011-05-13T04:42", "2011-05-13 04:42:34Z", "2011-05-13T04:42:34.Z", "2011-05-13T04:42:34,5Z",
			"2011-02-29T00:00:00Z", "2011-00-01T00:00:00Z", "2011-13-01T00:00:00Z", "2011-01-00T00:00:00Z", "2011-01-32T00:00:00Z",
			"2011-01-01T24:00:01Z", "2011-01-01T24:00:00.1Z", "2011-01-01T25:00:00Z", "2011-01-01T00:60:00Z", "2011-01-01T00:00:61Z",
			"2011-01-01T00:00:00+0100", "2011-01-01T00:00:00+01", "2011-01-01T00:00:00+24:00", "2011-01-01T00:00:00*01:00",
			"2011-01-01T00:00:00+01:60", "2011-01-01T00:00:00ZZ", "2011-01-01T00:00:00Z ", "+011-01-01T00:00:00Z", "2011/01/01T00:00:00Z",
			"12011-01-01T00:00:00Z", "-2011-01-01T00:00:00Z", "0000-01-01T00:00:00+01:00", "9999-12-31T23:30:00-01:00",
		}},
		{query.Integer, []string{"", "-", "+5", "05", "-05", "5.", ".5", "0x5", "5e", "5e+", "5.5", "1e-1", "5 ", "NaN", "1e16383", "٥"}},
		{query.Decimal, []string{"", "-", "5.", ".5", "1e", "1e5.0", "1e16383", "1e-16385", "1e99999999999999999999", "Infinity", `"5"`}},
		{query.Type(0), []string{"x"}},
		{query.Binary + 1, []string{"x"}},
	} {
		for _, l := range c.literals {
			t.Run(fmt.Sprint(c.typ, " ", l), func(t *testing.T) {
				got, err := query.Canonical(c.typ, true, l)
				if err == nil {
					t.Fatalf("got %q, want an error", got)
				}
				if s := err.Error(); !strings.Contains(s, strconv.Quote(l)) || !strings.Contains(s, c.typ.String()) {
					t.Errorf("the error %q does not name the literal %q and the type %s", s, l, c.typ)
				}
			})
		}
	}
}

// TestCanonical_NumberOrder goes up through numbers that are easily confused.
func TestCanonical_NumberOrder(t *testing.T) {
	rising := []string{
		"-9e16382", "-1e300", "-18446744073709551616", "-18446744073709551615", "-10", "-9.5", "-9", "-1.1", "-1", "-0.11", "-0.1",
		"-0.09", "-1e-16384", "0", "1e-16384", "1e-300", "0.09", "0.1", "0.10000000000000001", "0.3", "1", "9", "9.5", "10", "99", "100", "101",
		"9007199254740991", "9007199254740992", "9007199254740993", "9223372036854775807", "9223372036854775808",
		"1234567890123456789012345678", "1234567890123456789012345679", "1e28", "1e300", "9e16382",
	}
	last := ""
	for _, l := range rising {
		v := canonical(t, query.Decimal, l)
		if len(v) != 32 {
			t.Errorf("the canonical form of %s has %d digits", l, len(v))
		}
		if v <= last {
			t.Errorf("the canonical form of %s is not above that of the number before it", l)
		}
		last = v
	}
}

func TestCanonical_NumbersAreOrdered(t *testing.T) {
	numbers := rapid.OneOf(
		rapid.Map(rapid.Int64(), func(n int64) string { return strconv.FormatInt(n, 10) }),
		rapid.Map(rapid.Int64Range(-30, 30), func(n int64) string { return strconv.FormatInt(n, 10) + ".0" }),
		rapid.Map(rapid.Float64Range(-100, 100), func(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }),
		rapid.Map(rapid.Float64(), func(f float64) string { return strconv.FormatFloat(f, 'e', -1, 64) }),
		rapid.StringMatching(`-?(0|[1-9][0-9]{0,5})(\.[0-9]{1,5})?([eE][+-]?[0-9]{1,2})?`),
	)
	rapid.Check(t, func(t *rapid.T) {
		a, b := numbers.Draw(t, "a"), numbers.Draw(t, "b")
		ra, _ := new(big.Rat).SetString(a)
		rb, _ := new(big.Rat).SetString(b)
		want := ra.Cmp(rb)
		if got := cmp.Compare(canonical(t, query.Decimal, a), canonical(t, query.Decimal, b)); got != want {
			t.Fatalf("comparing %s with %s gives %d, want %d", a, b, got, want)
		}
		whole, err := query.Canonical(query.Integer, false, a)
		if ra.IsInt() != (err == nil) {
			t.Fatalf("%s as an integer: %v", a, err)
		}
		if err == nil && whole != canonical(t, query.Decimal, a) {
			t.Fatalf("%s has one form as an integer and another as a decimal", a)
		}
	})
}

func TestCanonical_DateTimesAreOrdered(t *testing.T) {
	instants := rapid.Custom(func(t *rapid.T) time.Time {
		sec := rapid.Int64Range(-62135596800+86400, 253402300799-86400).Draw(t, "sec")
		nsec := rapid.Int64Range(0, 999_999_999).Draw(t, "nsec")
		offset := rapid.IntRange(-14*60, 14*60).Draw(t, "offset")
		return time.Unix(sec, nsec).In(time.FixedZone("", offset*60))
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b := instants.Draw(t, "a"), instants.Draw(t, "b")
		ca := canonical(t, query.DateTime, a.Format(time.RFC3339Nano))
		cb := canonical(t, query.DateTime, b.Format(time.RFC3339Nano))
		if cmp.Compare(ca, cb) != a.Compare(b) {
			t.Fatalf("%s and %s have the forms %s and %s", a, b, ca, cb)
		}
		if f := query.FormatDateTime(a); f != ca {
			t.Fatalf("FormatDateTime gives %s, Canonical %s", f, ca)
		}
		if again := canonical(t, query.DateTime, ca); again != ca {
			t.Fatalf("the canonical form of %s is %s", ca, again)
		}
	})
}

// FuzzCanonical checks what can be had elsewhere: dates that time.Parse knows too, numbers that math/big does.
func FuzzCanonical(f *testing.F) {
	for _, l := range []string{
		"Ada É", "true", "2011-05-13T04:42:34.5+05:30", "9999-12-31T24:00:00Z", "-12.5e-3", "1e999999999999", "0.000", "\xff", "-",
	} {
		for typ := query.String; typ <= query.Binary; typ++ {
			f.Add(uint8(typ), true, l)
		}
	}
	f.Fuzz(func(t *testing.T, typ uint8, fold bool, literal string) {
		v, err := query.Canonical(query.Type(typ), fold, literal)
		switch query.Type(typ) {
		case query.DateTime:
			want, perr := time.Parse(time.RFC3339, literal)
			if perr == nil && err == nil && v != query.FormatDateTime(want) {
				t.Errorf("%q has the form %q, want %q", literal, v, query.FormatDateTime(want))
			}
			if err == nil && len(v) != len("2006-01-02T15:04:05.000000000Z") {
				t.Errorf("%q has the form %q", literal, v)
			}
		case query.Integer, query.Decimal:
			if err != nil {
				return
			}
			if len(v) != 32 {
				t.Errorf("%q has the form %q", literal, v)
			}
			want, ok := new(big.Float).SetPrec(200).SetString(literal)
			if !ok {
				t.Fatalf("%q is taken for a number", literal)
			}
			zero := canonical(t, query.Decimal, "0")
			if sign := cmp.Compare(v, zero); sign != want.Sign() {
				t.Errorf("%q has the sign %d", literal, sign)
			}
			if g, _ := want.Float64(); !math.IsInf(g, 0) && g != 0 {
				above := strconv.FormatFloat(math.Nextafter(g, math.Inf(1)), 'e', -1, 64)
				if !strings.Contains(above, "Inf") && v > canonical(t, query.Decimal, above) {
					t.Errorf("%q is above %s", literal, above)
				}
			}
		}
	})
}

// canonical is Canonical where the literal is known to be good.
func canonical(t interface {
	Helper()
	Fatal(...any)
}, typ query.Type, literal string) string {
	t.Helper()
	v, err := query.Canonical(typ, true, literal)
	if err != nil {
		t.Fatal(err)
	}
	return v
}
