package scim

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"usher/scim/schema"
	"usher/store"
)

func TestGroupPatch(t *testing.T) {
	rt := testGroup(t)
	add := func(ids ...string) memberStep { return memberStep{membersAdd, ids} }
	remove := func(ids ...string) memberStep { return memberStep{membersRemove, ids} }
	replace := func(ids ...string) memberStep { return memberStep{membersReplace, ids} }
	none := memberStep{Kind: membersClear}
	for _, test := range []struct {
		name, ops  string
		members    []memberStep
		attributes string // the document that the attribute operations make of the group; empty: there are none
	}{
		{"add", `[{"op":"add","path":"members","value":[{"value":"a"},{"value":"b","display":"B","type":"User","$ref":"Users/b"}]}]`, []memberStep{add("a", "b")}, ""},
		{"add, Entra", `[{"op":"Add","path":"members","value":[{"$ref":null,"value":"a"}]}]`, []memberStep{add("a")}, ""},
		{"add twice in a list", `[{"op":"add","path":"members","value":[{"value":"a"},{"value":"a"}]}]`, []memberStep{add("a")}, ""},
		{"add, names in any case", `[{"op":"add","path":"Members","value":[{"VALUE":"a"}]}]`, []memberStep{add("a")}, ""},
		{"add by URN", `[{"op":"add","path":"urn:ietf:params:scim:schemas:core:2.0:Group:members","value":[{"value":"a"}]}]`, []memberStep{add("a")}, ""},
		{"add nobody", `[{"op":"add","path":"members","value":[]},{"op":"add","path":"members","value":null}]`, nil, ""},
		{"add without a path", `[{"op":"add","value":{"members":[{"value":"a"}]}}]`, []memberStep{add("a")}, ""},
		{"add by URN and dot", `[{"op":"add","path":"urn:ietf:params:scim:schemas:core:2.0:Group.members","value":[{"value":"a"}]},{"op":"remove","path":"` + schema.GroupURN + `.members[value eq \"b\"]"}]`, []memberStep{add("a"), remove("b")}, ""},
		{"core URN's object", `[{"op":"add","value":{"` + schema.GroupURN + `":{"members":[{"value":"a"}],"displayName":"S"}}}]`, []memberStep{add("a")}, `{"displayName":"S"}`},
		{"core URN as path", `[{"op":"replace","path":"` + schema.GroupURN + `","value":{"members":[{"value":"a"}]}}]`, []memberStep{replace("a")}, ""},
		{"single object", `[{"op":"add","path":"members","value":{"value":"a"}}]`, []memberStep{add("a")}, ""},
		{"bare ids", `[{"op":"add","path":"members","value":["a","b"]},{"op":"add","path":"members","value":"c"}]`, []memberStep{add("a", "b"), add("c")}, ""},
		{"remove listed, Entra", `[{"op":"Remove","path":"members","value":[{"$ref":null,"value":"a"}]}]`, []memberStep{remove("a")}, ""},
		{"remove listed, bare id", `[{"op":"Remove","path":"members","value":"a"}]`, []memberStep{remove("a")}, ""},
		{"remove nobody listed", `[{"op":"Remove","path":"members","value":[]}]`, nil, ""},
		{"remove selected", `[{"op":"remove","path":"members[value eq \"a\"]"},{"op":"remove","path":"MEMBERS[VALUE EQ \"c\"]"}]`, []memberStep{remove("a"), remove("c")}, ""},
		{"remove several selected", `[{"op":"remove","path":"members[value eq \"a\" or value eq \"b\" or (value eq \"c\")]"}]`, []memberStep{remove("a", "b", "c")}, ""},
		{"remove all", `[{"op":"remove","path":"members"}]`, []memberStep{none}, ""},
		{"remove all, null", `[{"op":"remove","path":"members","value":null}]`, []memberStep{none}, ""},
		{"replace", `[{"op":"replace","path":"members","value":[{"value":"a","display":"A"}]}]`, []memberStep{replace("a")}, ""},
		{"replace by nobody", `[{"op":"replace","path":"members","value":[]},{"op":"replace","path":"members","value":null}]`, []memberStep{none, none}, ""},
		{"replace without a path", `[{"op":"replace","value":{"members":[{"value":"a"}],"displayName":"S"}}]`, []memberStep{replace("a")}, `{"displayName":"S"}`},
		{"replace without members, Okta", `[{"op":"replace","value":{"id":"g","displayName":"S"}}]`, nil, `{"displayName":"S"}`},
		{"replace without members, authentik", `[{"op":"replace","value":{"id":"g","schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"S","externalId":"e"}}]`, nil, `{"externalId":"e","displayName":"S"}`},
		{"Okta push", `[{"op":"remove","path":"members[value eq \"89bb1940-b905-4575-9e7f-6f887cfb368e\"]"},{"op":"add","path":"members","value":[{"value":"a","display":"a@x"}]}]`,
			[]memberStep{remove("89bb1940-b905-4575-9e7f-6f887cfb368e"), add("a")}, ""},
		{"Keycloak", `[{"op":"remove","path":"members"},{"op":"replace","path":"displayName","value":"S"},{"op":"replace","path":"externalId","value":"e"}]`,
			[]memberStep{none}, `{"externalId":"e","displayName":"S"}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			q := newQuirks(nil, false)
			ops, err := operations(t, test.ops, q)
			if err != nil {
				t.Fatal(err)
			}
			edit, err := groupPatch(rt, testParser(), ops, q)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.members, edit.Members); diff != "" {
				t.Error(diff)
			}
			if (test.attributes == "") != (len(edit.Attributes) == 0) {
				t.Fatalf("attribute operations: %+v", edit.Attributes)
			}
			if test.attributes == "" {
				return
			}
			after, _, err := applyPatch(rt, testParser(), Resource{"displayName": "Sales"}, edit.Attributes, q)
			if err != nil {
				t.Fatal(err)
			}
			if got := short(t, rt, after); got != test.attributes {
				t.Errorf("got  %s\nwant %s", got, test.attributes)
			}
		})
	}
}

func TestGroupPatch_Refused(t *testing.T) {
	rt := testGroup(t)
	for _, test := range []struct{ name, ops, scimType string }{
		{"no value of a member", `[{"op":"add","path":"members","value":[{"display":"a"}]}]`, invalidValue},
		{"empty value of a member", `[{"op":"remove","path":"members","value":[{"value":""}]}]`, invalidValue},
		{"number", `[{"op":"add","path":"members","value":[1]}]`, invalidValue},
		{"null among members", `[{"op":"replace","path":"members","value":[null]}]`, invalidValue},
		{"empty id", `[{"op":"remove","path":"members","value":""}]`, invalidValue},
		{"no value", `[{"op":"add","path":"members"}]`, invalidValue},
		{"no value to replace by", `[{"op":"replace","path":"members"}]`, invalidValue},
		{"edit one", `[{"op":"replace","path":"members[value eq \"a\"]","value":{"value":"b"}}]`, mutability},
		{"edit part of one", `[{"op":"replace","path":"members[value eq \"a\"].value","value":"b"}]`, mutability},
		{"remove part of one", `[{"op":"remove","path":"members[value eq \"a\"].value"}]`, mutability},
		{"edit part of all", `[{"op":"replace","path":"members.value","value":"b"}]`, mutability},
		{"another filter", `[{"op":"remove","path":"members[value pr]"}]`, invalidPath},
		{"not", `[{"op":"remove","path":"members[not (value eq \"a\")]"}]`, invalidPath},
		{"ne", `[{"op":"remove","path":"members[value ne \"a\"]"}]`, invalidPath},
		{"and", `[{"op":"remove","path":"members[value eq \"a\" and value eq \"b\"]"}]`, invalidPath},
		{"broken", `[{"op":"remove","path":"members[value eq"}]`, invalidPath},
		{"unknown", `[{"op":"remove","path":"members[bogus eq \"a\"]"}]`, invalidPath},
		{"unknown part", `[{"op":"add","path":"members.bogus","value":[{"value":"a"}]}]`, invalidPath},
		{"core URN removed", `[{"op":"remove","path":"` + schema.GroupURN + `"}]`, mutability},
		{"members in the core URN's object twice", `[{"op":"add","value":{"Members":[{"value":"a"}],"` + schema.GroupURN + `":{"members":[{"value":"b"}]}}}]`, invalidSyntax},
	} {
		t.Run(test.name, func(t *testing.T) {
			q := newQuirks(nil, false)
			ops, err := operations(t, test.ops, q)
			if err != nil {
				t.Fatal(err)
			}
			edit, err := groupPatch(rt, testParser(), ops, q)
			if err == nil { // the rest is said when the operations on attributes are applied
				_, _, err = applyPatch(rt, testParser(), Resource{"displayName": "S"}, edit.Attributes, q)
			}
			wantError(t, err, 400, test.scimType, "")
		})
	}
	q := newQuirks(nil, false)
	ops, err := operations(t, `[{"op":"replace","path":"displayName","value":"S"},{"op":"remove","path":"members","value":[1]},{"op":"remove","path":"externalId"}]`, q)
	if err != nil {
		t.Fatal(err)
	}
	_, err = groupPatch(rt, testParser(), ops, q)
	wantError(t, err, 400, invalidValue, "Operation 2 of 3")

	// What is wrong with an attribute's operation is said when it is applied, by its place in the request.
	ops, err = operations(t, `[{"op":"remove","path":"members"},{"op":"remove","path":"displayName"}]`, q)
	if err != nil {
		t.Fatal(err)
	}
	edit, err := groupPatch(rt, testParser(), ops, q)
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = applyPatch(rt, testParser(), Resource{"displayName": "S"}, edit.Attributes, q)
	wantError(t, err, 400, mutability, "Operation 2 of 2")
}

func TestBodyMembers(t *testing.T) {
	rt := testGroup(t)
	for _, test := range []struct {
		body string
		ids  []string
	}{
		{`{"displayName":"g"}`, nil},
		{`{"displayName":"g","members":null}`, nil},
		{`{"displayName":"g","members":[]}`, []string{}},
		{`{"displayName":"g","MEMBERS":[{"Value":"a"},{"value":"b"},{"value":"a"}]}`, []string{"a", "b"}},
		{`{"displayName":"g","` + schema.GroupURN + `:members":[{"value":"a"}]}`, []string{"a"}},
		{`{"displayName":"g","` + schema.GroupURN + `.members":[{"value":"a"}]}`, []string{"a"}},
		{`{"displayName":"g","` + schema.GroupURN + `":{"members":[{"value":"a"}]}}`, []string{"a"}},
	} {
		if _, err := normalise(rt, object(t, test.body), newQuirks(nil, false)); err != nil {
			t.Errorf("%s: %v", test.body, err)
		}
		ids, err := bodyMembers(rt, object(t, test.body), newQuirks(nil, false))
		if err != nil || !cmp.Equal(ids, test.ids) {
			t.Errorf("%s: %#v, %v", test.body, ids, err)
		}
	}
	_, err := bodyMembers(rt, object(t, `{"members":[{"display":"a"}]}`), newQuirks(nil, false))
	wantError(t, err, 400, invalidValue, "member")
	_, err = bodyMembers(rt, object(t, `{"members":[],"`+schema.GroupURN+`:members":[{"value":"a"}]}`), newQuirks(nil, false))
	wantError(t, err, 400, invalidSyntax, "members is given twice")
	_, err = normalise(rt, object(t, `{"displayName":"g","members.value":["a"]}`), newQuirks(nil, false))
	wantError(t, err, 400, invalidPath, "members.value")
}

func TestFoldMembers(t *testing.T) {
	for _, test := range []struct {
		name  string
		steps []memberStep
		want  store.MemberChange
	}{
		{"nothing", nil, store.MemberChange{}},
		{"add and remove", []memberStep{{membersAdd, []string{"b", "a"}}, {membersRemove, []string{"c"}}}, store.MemberChange{Add: []string{"b", "a"}, Remove: []string{"c"}}},
		{"add then remove", []memberStep{{membersAdd, []string{"a"}}, {membersRemove, []string{"a"}}}, store.MemberChange{Remove: []string{"a"}}},
		{"remove then add", []memberStep{{membersRemove, []string{"a"}}, {membersAdd, []string{"a"}}}, store.MemberChange{Add: []string{"a"}}},
		{"clear", []memberStep{{membersAdd, []string{"a"}}, {Kind: membersClear}}, store.MemberChange{Exactly: true}},
		{"clear then add", []memberStep{{membersRemove, []string{"a"}}, {Kind: membersClear}, {membersAdd, []string{"b"}}}, store.MemberChange{Exactly: true, Add: []string{"b"}}},
		{"replace then remove", []memberStep{{membersReplace, []string{"a", "b"}}, {membersRemove, []string{"a", "z"}}}, store.MemberChange{Exactly: true, Add: []string{"b"}}},
		{"replace then add", []memberStep{{membersReplace, []string{"a"}}, {membersAdd, []string{"b", "a"}}}, store.MemberChange{Exactly: true, Add: []string{"a", "b"}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, foldMembers(test.steps)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// The one change has the outcome of the steps, whoever was a member before.
func TestFoldMembers_Equivalent(t *testing.T) {
	people := []string{"a", "b", "c", "d"}
	rapid.Check(t, func(t *rapid.T) {
		some := func(label string) []string {
			return rapid.SliceOfNDistinct(rapid.SampledFrom(people), 0, len(people), rapid.ID[string]).Draw(t, label)
		}
		want, got := map[string]bool{}, map[string]bool{}
		for _, id := range some("before") {
			want[id], got[id] = true, true
		}
		var steps []memberStep
		for range rapid.IntRange(0, 6).Draw(t, "n") {
			step := memberStep{Kind: memberKind(rapid.IntRange(int(membersAdd), int(membersClear)).Draw(t, "kind"))}
			if step.Kind == membersReplace || step.Kind == membersClear {
				clear(want)
			}
			if step.Kind != membersClear {
				step.IDs = some("ids")
			}
			for _, id := range step.IDs {
				if step.Kind == membersRemove {
					delete(want, id)
				} else {
					want[id] = true
				}
			}
			steps = append(steps, step)
		}
		change := foldMembers(steps)
		if change.Exactly {
			clear(got)
		}
		for _, id := range change.Remove {
			delete(got, id)
		}
		for _, id := range change.Add {
			got[id] = true
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
	})
}
