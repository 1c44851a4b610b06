package query

import "time"

const dateTimeLayout = "2006-01-02T15:04:05.000000000Z"

// FormatDateTime gives the canonical form of an instant: UTC, fixed width, so that the order of texts is the order of instants.
// That holds for the years 0 to 9999.
func FormatDateTime(t time.Time) string { return t.UTC().Format(dateTimeLayout) }

// appendDateTime appends the canonical form of an xsd:dateTime (RFC 7643 section 2.3.5) or RFC 3339 text. A text without zone
// is taken as UTC, digits behind the nanoseconds are dropped.
func appendDateTime(dst, text []byte) ([]byte, bool) {
	t, ok := parseDateTime(text)
	if !ok {
		return dst, false
	}
	t = t.UTC()
	// An offset can carry the first and the last hours of the calendar into years that do not have four digits.
	if y := t.Year(); y < 0 || y > 9999 {
		return dst, false
	}
	return t.AppendFormat(dst, dateTimeLayout), true
}

// parseDateTime is not time.Parse because that knows neither lower-case letters, nor 24:00:00, nor the leap second.
func parseDateTime(s []byte) (time.Time, bool) {
	const seconds = len("2006-01-02T15:04:05")
	if len(s) < seconds || s[4] != '-' || s[7] != '-' || s[10]|0x20 != 't' || s[13] != ':' || s[16] != ':' {
		return time.Time{}, false
	}
	year, okYear := digits(s[0:4], 9999)
	month, okMonth := digits(s[5:7], 12)
	day, okDay := digits(s[8:10], 31)
	hour, okHour := digits(s[11:13], 24)
	minute, okMinute := digits(s[14:16], 59)
	second, okSecond := digits(s[17:19], 60)
	if !(okYear && okMonth && okDay && okHour && okMinute && okSecond) {
		return time.Time{}, false
	}
	nanos, rest, ok := fraction(s[seconds:])
	if !ok || hour == 24 && (minute != 0 || second != 0 || nanos != 0) {
		return time.Time{}, false
	}
	offset, ok := zone(rest)
	if !ok {
		return time.Time{}, false
	}
	date := time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC)
	if int(date.Month()) != month || date.Day() != day { // February 30 and month 0 come back as another day
		return time.Time{}, false
	}
	clock := time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute + time.Duration(second)*time.Second
	return date.Add(clock + time.Duration(nanos) - offset), true
}

// fraction reads a fraction of a second, if there is one, as nanoseconds.
func fraction(s []byte) (nanos int, rest []byte, ok bool) {
	if len(s) == 0 || s[0] != '.' {
		return 0, s, true
	}
	unit := 100_000_000
	i := 1
	for ; i < len(s) && isDigit(s[i]); i++ {
		nanos += int(s[i]-'0') * unit
		unit /= 10
	}
	return nanos, s[i:], i > 1
}

// zone reads the offset from UTC: none, Z, or a sign with hours and minutes.
func zone(s []byte) (time.Duration, bool) {
	switch {
	case len(s) == 0, len(s) == 1 && s[0]|0x20 == 'z':
		return 0, true
	case len(s) != len("+00:00") || s[0] != '+' && s[0] != '-' || s[3] != ':':
		return 0, false
	}
	hours, okHours := digits(s[1:3], 23)
	minutes, okMinutes := digits(s[4:6], 59)
	offset := time.Duration(hours)*time.Hour + time.Duration(minutes)*time.Minute
	if s[0] == '-' {
		offset = -offset
	}
	return offset, okHours && okMinutes
}

func digits(s []byte, most int) (n int, ok bool) {
	for _, c := range s {
		if !isDigit(c) {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, n <= most
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
