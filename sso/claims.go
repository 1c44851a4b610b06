package sso

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"
)

const (
	// maxToken is how long a token may be, in bytes.
	maxToken = 32 << 10
	// maxSubject is how long a subject may be (OpenID Connect Core 1.0 section 2), in bytes.
	maxSubject = 255
	// skew is by how much the clocks of an identity provider and of this server may differ.
	skew = time.Minute
)

// token is a compact JWS (RFC 7515 section 7.1) that has been taken apart. That it can be taken apart does not make it genuine.
type token struct {
	raw    string
	header claims
	claims claims
}

// claims are the members of a JSON object.
type claims map[string]any

// parseToken takes a token apart. It takes the compact form only, and no object that says anything twice, however the name is written: other
// programs may take the other value for the one that counts.
func parseToken(raw string) (token, error) {
	if len(raw) > maxToken {
		return token{}, fmt.Errorf("it has more than %d bytes", maxToken)
	}
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		return token{}, errors.New("it is not a compact JWS of three parts")
	}
	t := token{raw: raw}
	for i, into := range []*claims{&t.header, &t.claims} {
		text, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil {
			return token{}, errors.New("it is not base64url")
		}
		if *into, err = parseObject(text); err != nil {
			return token{}, err
		}
	}
	return t, nil
}

// parseObject reads a JSON object whose members have different names, also without regard to case.
func parseObject(text []byte) (claims, error) {
	if err := checkNames(text); err != nil {
		return nil, err
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	var all claims
	if err := dec.Decode(&all); err != nil {
		return nil, errors.New("it is not a JSON object")
	}
	return all, nil
}

// checkNames refuses what is no object, and an object with a name in it twice.
func checkNames(text []byte) error {
	dec := json.NewDecoder(bytes.NewReader(text))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return errors.New("it is not a JSON object")
	}
	seen := map[string]bool{}
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return errors.New("it is not JSON")
		}
		name := strings.ToLower(strings.ToUpper(t.(string))) // the decoder gives names as text; so "ſ" is folded too, as encoding/json does
		if seen[name] {
			return fmt.Errorf("it has a member twice: %q", cut(name))
		}
		seen[name] = true
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return errors.New("it is not JSON")
		}
	}
	if _, err := dec.Token(); err != nil {
		return errors.New("it is not JSON")
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("it goes on after its end")
	}
	return nil
}

// text gives a claim that is a text; ok is false where it is there and is none.
func (c claims) text(name string) (value string, ok bool) {
	v := c[name]
	if v == nil { // it is not there, or says nothing
		return "", true
	}
	value, ok = v.(string)
	return value, ok
}

// time gives a claim that is a time in seconds since 1970 (NumericDate, RFC 7519 section 2); ok is false where it is there and is none.
func (c claims) time(name string) (at time.Time, ok bool) {
	v := c[name]
	if v == nil {
		return time.Time{}, true
	}
	n, ok := v.(json.Number)
	if !ok {
		return time.Time{}, false
	}
	seconds, err := n.Float64()
	const furthest = 1 << 40 // some ten thousand years
	if err != nil || math.Abs(seconds) > furthest {
		return time.Time{}, false
	}
	whole, part := math.Modf(seconds)
	return time.Unix(int64(whole), int64(part*float64(time.Second))), true
}

// audience gives whom a token is for.
func (c claims) audience() []string {
	switch v := c["aud"].(type) {
	case string:
		return []string{v}
	case []any:
		var all []string
		for _, one := range v {
			s, ok := one.(string)
			if !ok {
				return nil
			}
			if !slices.Contains(all, s) {
				all = append(all, s)
			}
		}
		return all
	}
	return nil
}
