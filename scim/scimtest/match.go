package scimtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"regexp"
	"slices"
	"strings"
)

// missing is what stands for a member that an object does not have.
type missing struct{}

// match checks an actual value against an expected one. where names the value in messages; it is empty for the whole body.
func match(where string, want, got any) error {
	switch want := want.(type) {
	case string:
		if strings.HasPrefix(want, "@") {
			return matchText(where, want, got)
		}
	case map[string]any:
		return matchObject(where, want, got)
	case []any:
		list, ok := got.([]any)
		if !ok {
			return mismatch(where, want, got)
		}
		return matchElements(where, want, list)
	case json.Number:
		if n, ok := got.(json.Number); ok && sameNumber(want, n) {
			return nil
		}
		return mismatch(where, want, got)
	case nil:
		if _, gone := got.(missing); gone || got == nil {
			return nil
		}
		return mismatch(where, want, got)
	}
	if want != got {
		return mismatch(where, want, got)
	}
	return nil
}

// matchText checks against a matcher that is written as text.
func matchText(where, want string, got any) error {
	name, arg, _ := strings.Cut(want, ":")
	_, gone := got.(missing)
	ok := false
	switch name {
	case "@any":
		ok = !gone && got != nil
	case "@absent":
		list, isList := got.([]any)
		ok = gone || got == nil || isList && len(list) == 0
	case "@int":
		n, isNumber := got.(json.Number)
		_, err := n.Int64()
		ok = isNumber && err == nil
	case "@re":
		re, err := regexp.Compile(arg)
		if err != nil {
			return fmt.Errorf("the trace is wrong: %w", err)
		}
		switch got := got.(type) {
		case string:
			ok = re.MatchString(got)
		case json.Number:
			ok = re.MatchString(got.String())
		}
	case "@ci":
		text, isText := got.(string)
		ok = isText && strings.EqualFold(text, arg)
	default:
		return fmt.Errorf("the trace is wrong: unknown matcher %q", want)
	}
	if !ok {
		return mismatch(where, want, got)
	}
	return nil
}

func matchObject(where string, want map[string]any, got any) error {
	if n, ok := want["@len"]; ok {
		return matchLen(where, want, n, got)
	}
	if exact, ok := want["@exact"]; ok {
		elements, isList := exact.([]any)
		if !isList || len(want) != 1 {
			return fmt.Errorf("the trace is wrong: %s", show(want))
		}
		list, ok := got.([]any)
		if !ok || len(list) != len(elements) {
			return mismatch(where, want, got)
		}
		return matchElements(where, elements, list)
	}
	object, ok := got.(map[string]any)
	if !ok {
		return mismatch(where, want, got)
	}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(want)) {
		actual, ok := object[name]
		if !ok {
			actual = missing{}
		}
		inner := name
		if where != "" {
			inner = where + "." + name
		}
		errs = append(errs, match(inner, want[name], actual))
	}
	return errors.Join(errs...)
}

func matchLen(where string, want map[string]any, n, got any) error {
	number, ok := n.(json.Number)
	size, err := number.Int64()
	if !ok || err != nil || len(want) != 1 {
		return fmt.Errorf("the trace is wrong: %s", show(want))
	}
	if _, gone := got.(missing); gone && size == 0 {
		return nil
	}
	if list, ok := got.([]any); !ok || int64(len(list)) != size {
		return mismatch(where, want, got)
	}
	return nil
}

// matchElements wants each expected element to match some actual one.
func matchElements(where string, want, got []any) error {
	for _, element := range want {
		found := false
		for _, actual := range got {
			if match("", element, actual) == nil {
				found = true
				break
			}
		}
		if !found {
			return fmt.Errorf("%sno element matches %s in %s", prefix(where), show(element), show(got))
		}
	}
	return nil
}

// sameNumber compares by value: 1 and 1.0 are the same number.
func sameNumber(a, b json.Number) bool {
	x, okX := new(big.Rat).SetString(a.String())
	y, okY := new(big.Rat).SetString(b.String())
	return okX && okY && x.Cmp(y) == 0
}

func mismatch(where string, want, got any) error {
	came := "nothing"
	if _, gone := got.(missing); !gone {
		came = show(got)
	}
	return fmt.Errorf("%sexpected %s, got %s", prefix(where), show(want), came)
}

func prefix(where string) string {
	if where == "" {
		return ""
	}
	return where + ": "
}
