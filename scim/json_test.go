package scim

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const testDepth = 64

func TestDecodeObject(t *testing.T) {
	got, err := decodeObject([]byte(` {"a":"x\u00e9","b":[true,null,{"c":1.50}],"d":{},"e":[]} `), testDepth)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"a": "xé", "b": []any{true, nil, map[string]any{"c": json.Number("1.50")}}, "d": map[string]any{}, "e": []any{}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestDecodeObject_Refused(t *testing.T) {
	many := make([]string, 0, 40)
	for i := range 40 {
		many = append(many, fmt.Sprintf(`"name%d":1`, i))
	}
	for name, body := range map[string]string{
		"empty":                  ``,
		"string":                 `"just a string"`,
		"list":                   `[{}]`,
		"cut off":                `{"a":1`,
		"two values":             `{} {}`,
		"garbage":                `{} x`,
		"comma":                  `{"a":1,}`,
		"duplicate":              `{"a":1,"a":2}`,
		"duplicate by case":      `{"userName":1,"USERNAME":2}`,
		"duplicate inside":       `{"a":[{"value":1,"Value":2}]}`,
		"duplicate among many":   `{` + strings.Join(append(many, `"NAME7":1`), ",") + `}`,
		"invalid UTF-8":          "{\"a\":\"\xff\"}",
		"lone surrogate":         `{"a":"\ud800"}`,
		"deep object":            strings.Repeat(`{"a":`, 65) + `1` + strings.Repeat(`}`, 65),
		"deep list":              `{"a":` + strings.Repeat(`[`, 100000) + strings.Repeat(`]`, 100000) + `}`,
		"deep list, cut off":     `{"a":` + strings.Repeat(`[`, 100000),
		"number that is no JSON": `{"a":01}`,
	} {
		t.Run(name, func(t *testing.T) {
			_, err := decodeObject([]byte(body), testDepth)
			wantError(t, err, 400, invalidSyntax, "")
		})
	}
}

// TestDecode_tooManyValues: a body that is all braces would take many times its length in memory.
func TestDecode_tooManyValues(t *testing.T) {
	for _, value := range []string{`{}`, `[]`, `1`} {
		list := strings.Repeat(value+`,`, 100_000) + value
		_, err := decodeObject([]byte(`{"members":[`+list+`]}`), testDepth)
		wantError(t, err, 413, "", "too many values")
		_, err = decodeGroup([]byte(`{"members":[`+list+`]}`), testDepth)
		wantError(t, err, 413, "", "too many values")
	}
	members := strings.Repeat(`{"value":"01a21c53-4783-7057-946a-8a0dccd8f177"},`, 100_000) + `{"value":"01a21c53-4783-7057-946a-8a0dccd8f177"}`
	for _, body := range []string{
		`{"members":[` + members + `]}`,
		`{"Operations":[` + strings.Repeat(`{"op":"add","path":"title","value":"x"},`, 999) + `{"op":"add","path":"title","value":"x"}]}`,
	} {
		if _, err := decodeObject([]byte(body), testDepth); err != nil {
			t.Errorf("%.60s: %v", body, err)
		}
	}
}

func TestDecodeObject_AtTheLimit(t *testing.T) {
	body := strings.Repeat(`{"a":`, 64) + `1` + strings.Repeat(`}`, 64)
	if _, err := decodeObject([]byte(body), testDepth); err != nil {
		t.Error(err)
	}
	if _, err := decodeObject([]byte(`{"a":{"value":1},"b":{"Value":1},"VALUE":1}`), testDepth); err != nil {
		t.Errorf("the same name in different objects: %v", err)
	}
}

// wantError checks an error of the package: its status, its scimType, and a part of its detail.
func wantError(t *testing.T, err error, status int, scimType, detail string) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("the error is %v, want an *Error", err)
	}
	if e.Status != status || e.ScimType != scimType || !strings.Contains(e.Detail, detail) || e.Detail == "" {
		t.Errorf("the error is %d %s %q, want %d %s with %q", e.Status, e.ScimType, e.Detail, status, scimType, detail)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(userBody))
	f.Add([]byte(`{"a":{"b":[1,2,{"c":null}]}}`))
	f.Add([]byte(`{"a":1,"A":2}`))
	f.Add([]byte(`[[[[`))
	f.Add([]byte(`{"displayName":"g","members":[{"value":"a","display":"A"},{"Value":5,"x":{"y":[1]}},"b",null]}`))
	f.Add([]byte("{\"\xff\":1}"))
	rts := testTypes(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		in, err := decodeObject(body, testDepth)
		if _, groupErr := decodeGroup(body, testDepth); err == nil && groupErr != nil {
			t.Fatalf("as a group it is refused: %v", groupErr)
		}
		if err != nil {
			wantError(t, err, 400, invalidSyntax, "")
			return
		}
		if !json.Valid(body) {
			t.Fatal("took a body that encoding/json refuses")
		}
		for _, rt := range rts {
			r, err := normalise(rt, in, newQuirks(nil, false))
			if err != nil {
				wantErrorStatus(t, err, 400)
				continue
			}
			checkCanonical(t, rt, r)
		}
	})
}

func wantErrorStatus(t *testing.T, err error, status int) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || e.Status != status {
		t.Fatalf("the error is %v, want one of status %d", err, status)
	}
}

func TestDecodeGroup(t *testing.T) {
	tests := []struct{ body, want string }{
		{`{"displayName":"g","Members":[{"value":"a","display":"A","$ref":null,"x":{"y":[1]}},{"VALUE":"b"}]}`, `map[Members:[a b] displayName:g]`},
		{`{"members":[{"value":5},"c",{},null]}`, `map[members:[map[value:5] c map[] <nil>]]`},
		{`{"members":{"value":"a"},"x":{"members":[{"value":"a"}]}}`, `map[members:map[value:a] x:map[members:[map[value:a]]]]`},
		{`{"members":[{"value":"a","Value":"b"}]}`, `The body has an object with the members "value" and "Value"; names are compared without case.`},
		{`{"members":[{"value":"a","value":"b"}]}`, `The body has an object with the same member name twice.`},
		{`{"members":[{"value":"a","x":{"y":1,"y":2}}]}`, `The body has an object with the same member name twice.`},
		{`{"members":[{"value":"a"}`, `The body is not valid JSON in UTF-8, at byte 25.`},
		{"{\"members\":[{\"value\":\"\xff\"}]}", `The body is not valid JSON in UTF-8, at byte 22.`},
	}
	for _, test := range tests {
		got, err := decodeGroup([]byte(test.body), 8)
		text := fmt.Sprint(got)
		var refused *Error
		if errors.As(err, &refused) {
			text = refused.Detail
		}
		if text != test.want {
			t.Errorf("%s: %s, want %s", test.body, text, test.want)
		}
	}
}

// Few names and many are compared in the same way, and letters that only fold to those of the standard are others.
func TestEqualFolded(t *testing.T) {
	for pair, want := range map[[2]string]bool{
		{"key", "KEY"}: true, {"key", "\u212aey"}: false, {"schemas", "\u017fchemas"}: false, {"a", "b"}: false,
	} {
		few := pair[:]
		many := append(strings.Split("0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16", " "), few...)
		for _, names := range [][]string{few, many} {
			if _, _, found := equalFolded(names); found != want {
				t.Errorf("%q among %d: %t, want %t", pair, len(names), found, want)
			}
		}
		if _, found := member(map[string]any{pair[1]: 1}, pair[0]); found != want {
			t.Errorf("%q is found by %q: %t, want %t", pair[1], pair[0], found, want)
		}
	}
}
