package scimtest

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestMatch(t *testing.T) {
	tests := []struct {
		name, want, got string
		fails           string // part of the message; empty: it matches
	}{
		{"equal text", `"a"`, `"a"`, ""},
		{"case counts", `"a"`, `"A"`, `expected "a", got "A"`},
		{"text is not a number", `"1"`, `1`, `expected "1", got 1`},
		{"number is not text", `1`, `"1"`, `expected 1, got "1"`},
		{"true is not 1", `true`, `1`, `expected true, got 1`},
		{"1 is not true", `1`, `true`, `expected 1, got true`},
		{"numbers by value", `1`, `1.0`, ""},
		{"null", `{"a":null}`, `{"a":null}`, ""},
		{"null and missing", `{"a":null}`, `{}`, ""},
		{"null and a value", `{"a":null}`, `{"a":0}`, "a: expected null, got 0"},

		{"subset of an object", `{"a":1}`, `{"a":1,"b":2}`, ""},
		{"member missing", `{"a":{"b":1}}`, `{"a":{}}`, "a.b: expected 1, got nothing"},
		{"not an object", `{"a":1}`, `[1]`, "expected"},
		{"names are compared with case", `{"a":1}`, `{"A":1}`, "a: expected 1, got nothing"},

		{"subset of a list", `[2]`, `[1,2,3]`, ""},
		{"objects in a list", `[{"a":1}]`, `[{"a":0},{"a":1,"b":1}]`, ""},
		{"element missing", `[4]`, `[1,2,3]`, "no element matches 4"},
		{"not a list", `[1]`, `1`, "expected [1], got 1"},
		{"empty list matches any list", `[]`, `[1]`, ""},

		{"any", `"@any"`, `"x"`, ""},
		{"any: false", `"@any"`, `false`, ""},
		{"any: null", `"@any"`, `null`, "got null"},
		{"any: missing", `{"a":"@any"}`, `{}`, "got nothing"},

		{"absent: missing", `{"a":"@absent"}`, `{}`, ""},
		{"absent: null", `{"a":"@absent"}`, `{"a":null}`, ""},
		{"absent: empty list", `{"a":"@absent"}`, `{"a":[]}`, ""},
		{"absent: empty text is there", `{"a":"@absent"}`, `{"a":""}`, `got ""`},
		{"absent: false is there", `{"a":"@absent"}`, `{"a":false}`, "got false"},

		{"int", `"@int"`, `7`, ""},
		{"int: fraction", `"@int"`, `7.5`, "got 7.5"},
		{"int: boolean", `"@int"`, `true`, "got true"},
		{"int: text", `"@int"`, `"7"`, `got "7"`},

		{"re", `"@re:^a+$"`, `"aaa"`, ""},
		{"re: found anywhere", `"@re:seat"`, `"no seat left"`, ""},
		{"re: number", `"@re:^4"`, `42`, ""},
		{"re: no match", `"@re:^a+$"`, `"b"`, `got "b"`},
		{"re: boolean", `"@re:true"`, `true`, "got true"},
		{"re: with a colon", `"@re:a:b"`, `"a:b"`, ""},
		{"re: broken", `"@re:("`, `"a"`, "the trace is wrong"},

		{"ci", `"@ci:AdA"`, `"aDa"`, ""},
		{"ci: other", `"@ci:AdA"`, `"Eve"`, `got "Eve"`},

		{"len", `{"@len":2}`, `[1,2]`, ""},
		{"len: other", `{"@len":2}`, `[1]`, "got [1]"},
		{"len 0: missing", `{"a":{"@len":0}}`, `{}`, ""},
		{"len 1: missing", `{"a":{"@len":1}}`, `{}`, "got nothing"},
		{"len: not a list", `{"@len":1}`, `"x"`, `got "x"`},
		{"len: not a number", `{"@len":"1"}`, `[1]`, "the trace is wrong"},

		{"exact in any order", `{"@exact":[2,1]}`, `[1,2]`, ""},
		{"exact: one too many", `{"@exact":[1]}`, `[1,2]`, "got [1,2]"},
		{"exact: other element", `{"@exact":[1,3]}`, `[1,2]`, "no element matches 3"},
		{"exact empty", `{"@exact":[]}`, `[]`, ""},

		{"unknown matcher", `"@some"`, `"x"`, "the trace is wrong"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			want, err := decode([]byte(tt.want))
			if err != nil {
				t.Fatal(err)
			}
			got, err := decode([]byte(tt.got))
			if err != nil {
				t.Fatal(err)
			}
			err = match("", want, got)
			switch {
			case tt.fails == "" && err != nil:
				t.Errorf("does not match: %v", err)
			case tt.fails != "" && err == nil:
				t.Error("matches")
			case tt.fails != "" && !strings.Contains(err.Error(), tt.fails):
				t.Errorf("message %q lacks %q", err, tt.fails)
			}
		})
	}
}

// A value without matchers matches itself, and adding members to its objects keeps it so.
func TestMatch_Reflexive(t *testing.T) {
	values := rapid.Custom(func(t *rapid.T) any { return drawValue(t, 3) })
	rapid.Check(t, func(t *rapid.T) {
		v := values.Draw(t, "value")
		if err := match("", v, v); err != nil {
			t.Fatalf("%s does not match itself: %v", show(v), err)
		}
		if err := match("", v, grow(v)); err != nil {
			t.Fatalf("%s does not match with more members: %v", show(v), err)
		}
	})
}

func drawValue(t *rapid.T, depth int) any {
	kinds := 3
	if depth > 0 {
		kinds = 5
	}
	switch rapid.IntRange(0, kinds-1).Draw(t, "kind") {
	case 0:
		return rapid.StringMatching(`[a-z ]{0,5}`).Draw(t, "text")
	case 1:
		return rapid.Bool().Draw(t, "bool")
	case 2:
		return nil
	case 3:
		list := []any{}
		for range rapid.IntRange(0, 3).Draw(t, "elements") {
			list = append(list, drawValue(t, depth-1))
		}
		return list
	}
	object := map[string]any{}
	for range rapid.IntRange(0, 3).Draw(t, "members") {
		object[rapid.StringMatching(`[a-z]{1,3}`).Draw(t, "name")] = drawValue(t, depth-1)
	}
	return object
}

func grow(v any) any {
	switch v := v.(type) {
	case []any:
		out := []any{"another"}
		for _, element := range v {
			out = append(out, grow(element))
		}
		return out
	case map[string]any:
		out := map[string]any{"another member": true}
		for name, member := range v {
			out[name] = grow(member)
		}
		return out
	}
	return v
}

func TestScope(t *testing.T) {
	sc := newScope("r1")
	sc.values["upn"] = "a b/c@d+e"
	sc.values["list"] = []any{"x", true}
	sc.values["yes"] = true
	in := `{"${run}":"${upn}","whole":"${list}","bool":"${yes}","inside":"<${yes}>","url":"?q=${upn|url}","plain":"$5 {x}"}`
	got, err := sc.json([]byte(in))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"r1": "a b/c@d+e", "whole": []any{"x", true}, "bool": true, "inside": "<true>",
		"url": "?q=a%20b%2Fc%40d%2Be", "plain": "$5 {x}",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	for _, unset := range []string{`"${nobody}"`, `"a ${nobody}"`, `{"${nobody}":1}`, `["${nobody|url}"]`} {
		if _, err := sc.json([]byte(unset)); err == nil || !strings.Contains(err.Error(), `"nobody"`) {
			t.Errorf("%s: %v, want an error that names the variable", unset, err)
		}
	}
}

func TestAt(t *testing.T) {
	v, err := decode([]byte(`{"id":"1","Resources":[{"id":"2"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]any{"id": "1", "Resources.0.id": "2"} {
		if got, err := at(v, path); err != nil || got != want {
			t.Errorf("%s: %v, %v; want %v", path, got, err, want)
		}
	}
	for _, path := range []string{"name", "Resources.1.id", "Resources.-1", "Resources.x", "id.more"} {
		if got, err := at(v, path); err == nil {
			t.Errorf("%s gives %v, want an error", path, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, name := range []string{"entra-manager", "license-seats-exhausted", "lenient-envelope"} {
		b, err := files.ReadFile("testdata/traces/" + name + ".json")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte(`{"trace":"t","vars":{"a":1},"steps":[{"request":{"method":"GET","path":"/"},"expect":{"status":[200,204]}}]}`))
	f.Add([]byte(`{"vars":[]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		trace, err := Parse(b)
		if err == nil && len(trace.Steps) == 0 {
			t.Error("a trace without steps was accepted")
		}
	})
}
