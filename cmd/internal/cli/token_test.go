package cli

import (
	"testing"
	"time"
)

func TestLifetime(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"365d": 365 * 24 * time.Hour, "1d": 24 * time.Hour, "12h": 12 * time.Hour, "1h30m": 90 * time.Minute, "never": 0,
	} {
		var l lifetime
		if err := l.UnmarshalText([]byte(text)); err != nil || time.Duration(l) != want {
			t.Errorf("%q is %v, %v; want %v", text, time.Duration(l), err, want)
		}
	}
	for _, text := range []string{"", "d", "0d", "-1d", "0", "-5h", "365", "tomorrow", "1.5d", "36501d", "99999999999d"} {
		var l lifetime
		if err := l.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is accepted as %v", text, time.Duration(l))
		}
	}
}

func FuzzLifetime(f *testing.F) {
	for _, seed := range []string{"365d", "12h", "never", "-1d", "9223372036854775807d"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var l lifetime
		if err := l.UnmarshalText([]byte(text)); err == nil && text != "never" && l <= 0 {
			t.Errorf("%q is accepted as %v", text, time.Duration(l))
		}
	})
}
