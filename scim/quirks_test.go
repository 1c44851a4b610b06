package scim

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"usher/scim/filter"
	"usher/scim/schema"
)

// Each quirk, on and off. Exactly one of body, ops and group is given: a body to normalise, the operations of a PATCH of ada, or those
// of a PATCH of a group, of which the change of the members is what counts.
func TestQuirks(t *testing.T) {
	const ent, ush = schema.EnterpriseURN, schema.UsherUserURN
	tests := []struct {
		quirk, body, ops, group string
		on                      string // the document, or the members added and removed; a scimType when it is refused even then
		off                     string // the same when the quirk is off; a scimType when it is refused
	}{
		{quirk: quirkOpCase, ops: `[{"op":"Replace","path":"title","value":"Lead"}]`, on: adaIs("Analyst", "Lead"), off: invalidSyntax},
		{quirk: quirkOpCase, ops: `[{"op":"REMOVE","path":"title"}]`, on: adaIs(`"title":"Analyst",`, ""), off: invalidSyntax},

		{quirk: quirkBooleanString, ops: `[{"op":"replace","path":"active","value":"False"}]`, on: adaIs(`"active":true`, `"active":false`), off: invalidValue},
		{quirk: quirkBooleanString, ops: `[{"op":"add","value":{"active":"false"}}]`, on: adaIs(`"active":true`, `"active":false`), off: invalidValue},
		{quirk: quirkBooleanString, body: `{"active":"TRUE","roles":[{"value":"r","primary":"True"}]}`, on: `{"active":true,"roles":[{"value":"r","primary":true}]}`, off: invalidValue},
		{quirk: quirkBooleanString, body: `{"active":"yes"}`, on: invalidValue, off: invalidValue},
		{quirk: quirkBooleanString, body: `{"active":" true"}`, on: invalidValue, off: invalidValue},

		{quirk: quirkDottedKeys, ops: `[{"op":"replace","value":{"name.givenName":"A","` + ent + `:department":"Sales"}}]`, on: adaIs(`"Ada"`, `"A"`, "Research", "Sales"), off: invalidSyntax},
		{quirk: quirkDottedKeys, ops: `[{"op":"replace","value":{"` + schema.UserURN + `:title":"Lead"}}]`, on: adaIs("Analyst", "Lead"), off: invalidSyntax},
		{quirk: quirkDottedKeys, ops: `[{"op":"replace","value":{"` + ent + `":{"manager.value":"m2"}}}]`, on: adaIs(adaManager, `"manager":{"value":"m2"}`), off: invalidSyntax},
		{quirk: quirkDottedKeys, ops: `[{"op":"replace","value":{"emails[type eq \"work\"].value":"n@x"}}]`, on: adaIs("w@x", "n@x"), off: invalidPath},
		{quirk: quirkDottedKeys, body: `{"userName":"a","name.givenName":"A","name":{"familyName":"L"}}`, on: `{"userName":"a","name":{"familyName":"L","givenName":"A"}}`, off: invalidSyntax},

		{quirk: quirkFilterCreates, ops: `[{"op":"replace","path":"phoneNumbers[type eq \"mobile\"].value","value":"5"}]`, on: adaIs(`]`, `],"phoneNumbers":[{"value":"5","type":"mobile"}]`), off: noTarget},
		{quirk: quirkFilterCreates, ops: `[{"op":"add","path":"addresses[type eq \"work\"].locality","value":"L"},{"op":"add","path":"addresses[type eq \"work\"].postalCode","value":"P"}]`,
			on: adaIs(`]`, `],"addresses":[{"locality":"L","postalCode":"P","type":"work"}]`), off: noTarget},
		{quirk: quirkFilterCreates, ops: `[{"op":"add","path":"emails[type eq \"other\"].Value","value":"o@x"}]`, on: adaIs(adaEmails, adaEmails+`,{"value":"o@x","type":"other"}`), off: noTarget},
		{quirk: quirkFilterCreates, ops: `[{"op":"add","path":"roles[primary eq true].value","value":"r"}]`, on: adaIs(`]`, `],"roles":[{"value":"r","primary":true}]`), off: noTarget},
		{quirk: quirkFilterCreates, ops: `[{"op":"add","path":"emails[type eq \"other\"]","value":{"value":"o@x","primary":true}}]`,
			on: adaIs(`,"primary":true`, `,"primary":false`, `{"value":"h@x","type":"home"}`, `{"value":"h@x","type":"home"},{"value":"o@x","type":"other","primary":true}`), off: noTarget},
		{quirk: quirkFilterCreates, ops: `[{"op":"replace","path":"emails[type eq \"other\"].value","value":null}]`, on: adaIs(), off: noTarget},
		{quirk: quirkFilterCreates, ops: `[{"op":"replace","path":"emails[type eq \"other\"]","value":null}]`, on: adaIs(), off: noTarget},
		{quirk: quirkFilterCreates, ops: `[{"op":"add","path":"emails[value sw \"q\"].display","value":"d"}]`, on: noTarget, off: noTarget},
		{quirk: quirkFilterCreates, ops: `[{"op":"add","path":"emails[type eq \"a\" or type eq \"b\"].value","value":"d"}]`, on: noTarget, off: noTarget},

		{quirk: quirkRemoveValues, ops: `[{"op":"remove","path":"emails","value":[{"value":"H@x","type":"home"}]}]`, on: adaIs(`,{"value":"h@x","type":"home"}`, ""), off: adaIs(`,"emails":[`+adaEmails+`]`, "")},
		{quirk: quirkRemoveValues, ops: `[{"op":"remove","path":"emails","value":[{"value":"h@x"},{"value":"w@x","type":"other"},{"value":"q@x"}]}]`, on: adaIs(`,{"value":"h@x","type":"home"}`, ""), off: adaIs(`,"emails":[`+adaEmails+`]`, "")},
		{quirk: quirkRemoveValues, ops: `[{"op":"remove","path":"emails","value":[]}]`, on: adaIs(), off: adaIs(`,"emails":[`+adaEmails+`]`, "")},
		{quirk: quirkRemoveValues, group: `[{"op":"remove","path":"members","value":[{"value":"a"}]}]`, on: "-a", off: "="},

		{quirk: quirkManagerString, ops: `[{"op":"add","path":"` + ent + `:manager","value":"m2"}]`, on: adaIs(adaManager, `"manager":{"value":"m2"}`), off: invalidValue},
		{quirk: quirkManagerString, ops: `[{"op":"replace","path":"` + ent + `:manager","value":""}]`, on: adaIs(","+adaManager, ""), off: adaIs(","+adaManager, "")},
		{quirk: quirkManagerString, body: `{"` + ent + `":{"manager":"m"}}`, on: `{"enterprise":{"manager":{"value":"m"}}}`, off: invalidValue},

		{quirk: quirkSingleElement, ops: `[{"op":"add","path":"` + ent + `:manager","value":[{"$ref":"../Users/m2","value":"m2"}]}]`, on: adaIs("m1", "m2"), off: invalidValue},
		{quirk: quirkSingleElement, body: `{"title":["x"]}`, on: `{"title":"x"}`, off: invalidValue},
		{quirk: quirkSingleElement, body: `{"title":["x","y"]}`, on: invalidValue, off: invalidValue},

		{quirk: quirkExtensionAtTop, ops: `[{"op":"replace","path":"department","value":"Sales"},{"op":"replace","path":"manager.value","value":"m2"}]`, on: adaIs("Research", "Sales", adaManager, `"manager":{"value":"m2"}`), off: adaIs()},
		{quirk: quirkExtensionAtTop, ops: `[{"op":"replace","value":{"Department":"Sales"}}]`, on: adaIs("Research", "Sales"), off: adaIs()},
		{quirk: quirkExtensionAtTop, body: `{"userName":"a","department":"d","manager":null,"license":"ringex"}`, on: `{"userName":"a","enterprise":{"department":"d"},"usher":{"license":"ringex"}}`, off: `{"userName":"a"}`},

		{quirk: quirkJSONRole, body: `{"roles":[{"value":"{\"id\":\"06b0\",\"value\":\"ringex\",\"displayName\":\"RingEX\"}"}]}`, on: `{"roles":[{"value":"ringex","display":"RingEX"}]}`,
			off: `{"roles":[{"value":"{\"id\":\"06b0\",\"value\":\"ringex\",\"displayName\":\"RingEX\"}"}]}`},
		{quirk: quirkJSONRole, ops: `[{"op":"add","path":"roles","value":[{"value":"{\"id\":\"06b0\"}","display":"R"}]}]`, on: adaIs(`]`, `],"roles":[{"value":"06b0","display":"R"}]`),
			off: adaIs(`]`, `],"roles":[{"value":"{\"id\":\"06b0\"}","display":"R"}]`)},
		{quirk: quirkJSONRole, ops: `[{"op":"add","path":"roles[primary eq true].value","value":"{\"value\":\"ringex\",\"displayName\":\"RingEX\"}"}]`,
			on: adaIs(`]`, `],"roles":[{"value":"ringex","display":"RingEX","primary":true}]`), off: adaIs(`]`, `],"roles":[{"value":"{\"value\":\"ringex\",\"displayName\":\"RingEX\"}","primary":true}]`)},
		{quirk: quirkJSONRole, body: `{"roles":[{"value":"{broken"}],"entitlements":[{"value":"{\"value\":\"x\"}"}]}`, on: `{"entitlements":[{"value":"{\"value\":\"x\"}"}],"roles":[{"value":"{broken"}]}`,
			off: `{"entitlements":[{"value":"{\"value\":\"x\"}"}],"roles":[{"value":"{broken"}]}`},

		{quirk: quirkRoleDisplayName, body: `{"roles":[{"value":"a","displayName":"A"},{"value":"b","displayName":"X","display":"B"}]}`, on: `{"roles":[{"value":"a","display":"A"},{"value":"b","display":"B"}]}`,
			off: `{"roles":[{"value":"a"},{"value":"b","display":"B"}]}`},

		{quirk: quirkEmptyString, body: `{"userName":"a","title":"","name":{"givenName":"A","middleName":""},"` + ent + `":{"department":""}}`, on: `{"userName":"a","name":{"givenName":"A"}}`,
			off: `{"userName":"a","name":{"givenName":"A","middleName":""},"title":"","enterprise":{"department":""}}`},
		{quirk: quirkEmptyString, ops: `[{"op":"replace","path":"title","value":""}]`, on: adaIs(`"title":"Analyst",`, ""), off: adaIs("Analyst", "")},
		{quirk: quirkEmptyString, ops: `[{"op":"replace","path":"emails[type eq \"home\"].value","value":""}]`, on: adaIs(`,{"value":"h@x","type":"home"}`, ""), off: adaIs("h@x", "")},
		{quirk: quirkEmptyString, ops: `[{"op":"replace","path":"active","value":""}]`, on: adaIs(`,"active":true`, ""), off: invalidValue},
		{quirk: quirkEmptyString, ops: `[{"op":"replace","path":"userName","value":""}]`, on: invalidValue, off: invalidValue},

		{quirk: quirkUnknownSchemas, body: `{"schemas":["` + schema.UserURN + `","urn:ietf:params:scim:schemas:extension:enterprise:2.0User"],"userName":"a"}`, on: `{"userName":"a"}`, off: invalidSyntax},
		{quirk: quirkUndeclared, body: `{"schemas":["` + schema.UserURN + `"],"userName":"a","` + ush + `":{"license":"ringex"}}`, on: `{"userName":"a","usher":{"license":"ringex"}}`, off: invalidSyntax},
		{quirk: quirkMissingSchemas, body: `{"userName":"a"}`, on: `{"userName":"a"}`, off: invalidSyntax},
		{quirk: quirkMissingSchemas, body: `{"schemas":[],"userName":"a"}`, on: `{"userName":"a"}`, off: invalidSyntax},
		{quirk: quirkMissingSchemas, body: `{"schemas":["` + ent + `"],"userName":"a"}`, on: `{"userName":"a"}`, off: invalidSyntax},

		{quirk: quirkReadOnlyInValue, ops: `[{"op":"replace","value":{"id":"x","meta":{},"groups":[],"title":"Lead"}}]`, on: adaIs("Analyst", "Lead"), off: mutability},
		{quirk: quirkReadOnlyInValue, ops: `[{"op":"replace","path":"id","value":"x"}]`, on: mutability, off: mutability},

		{quirk: quirkUnknownAttribute, body: `{"userName":"a","favouriteColour":"green","urn:x:User":{"a":1}}`, on: `{"userName":"a"}`, off: invalidSyntax},
		{quirk: quirkUnknownAttribute, body: `{"userName":"a","name":{"nick":"x","givenName":"A"}}`, on: `{"userName":"a","name":{"givenName":"A"}}`, off: invalidSyntax},
		{quirk: quirkUnknownAttribute, body: `{"userName":"a","` + ent + `":{"bogus":"x"}}`, on: `{"userName":"a"}`, off: invalidSyntax},
		{quirk: quirkUnknownAttribute, ops: `[{"op":"add","value":{"favouriteColour":"green","title":"Lead"}}]`, on: adaIs("Analyst", "Lead"), off: invalidSyntax},
		{quirk: quirkUnknownAttribute, ops: `[{"op":"add","path":"favouriteColour","value":"green"},{"op":"add","path":"title","value":"Lead"}]`, on: adaIs("Analyst", "Lead"), off: invalidPath},
		{quirk: quirkUnknownAttribute, ops: `[{"op":"remove","path":"urn:x:2.0:User:colour"},{"op":"add","path":"bogus.name","value":"x"},{"op":"add","path":"` + ent + `:bogus","value":"x"}]`, on: adaIs(), off: invalidPath},
		{quirk: quirkUnknownAttribute, ops: `[{"op":"add","path":"bogus[type eq \"work\"].value","value":"x"},{"op":"add","path":"` + ent + `:bogus.name","value":"x"}]`, on: adaIs(), off: invalidPath},

		{quirk: quirkCoreObject, ops: `[{"op":"replace","value":{"` + schema.UserURN + `":{"active":false,"name.givenName":"A"},"title":"Lead"}}]`, on: adaIs(`"active":true`, `"active":false`, `"Ada"`, `"A"`, "Analyst", "Lead"), off: invalidPath},
		{quirk: quirkCoreObject, ops: `[{"op":"replace","path":" URN:ietf:params:scim:schemas:core:2.0:User ","value":{"active":false}}]`, on: adaIs(`"active":true`, `"active":false`), off: invalidPath},
		{quirk: quirkCoreObject, ops: `[{"op":"replace","path":"` + schema.UserURN + `","value":false}]`, on: invalidValue, off: invalidPath},
		{quirk: quirkCoreObject, ops: `[{"op":"replace","path":"` + schema.UserURN + `"}]`, on: invalidValue, off: invalidValue},
		{quirk: quirkCoreObject, ops: `[{"op":"remove","path":"` + schema.UserURN + `"}]`, on: mutability, off: invalidPath},
		{quirk: quirkCoreObject, ops: `[{"op":"replace","value":{"` + schema.UserURN + `":null}}]`, on: invalidValue, off: invalidPath},
		{quirk: quirkCoreObject, body: `{"` + strings.ToLower(schema.UserURN) + `":{"userName":"a","active":false,"` + ent + `":{"department":"d"}}}`, on: `{"userName":"a","active":false,"enterprise":{"department":"d"}}`, off: invalidSyntax},
		{quirk: quirkDottedURN, ops: `[{"op":"replace","path":"` + schema.UserURN + `.active","value":false},{"op":"replace","path":"` + ent + `.department","value":"Sales"}]`, on: adaIs(`"active":true`, `"active":false`, "Research", "Sales"), off: invalidPath},
		{quirk: quirkDottedURN, ops: `[{"op":"replace","path":"` + schema.UserURN + `.emails[type eq \"work\"].value","value":"n@x"}]`, on: adaIs("w@x", "n@x"), off: invalidPath},
		{quirk: quirkDottedURN, ops: `[{"op":"replace","value":{"` + schema.UserURN + `.name.givenName":"A"}}]`, on: adaIs(`"Ada"`, `"A"`), off: invalidPath},
		{quirk: quirkDottedURN, body: `{"userName":"a","` + schema.UserURN + `.active":false}`, on: `{"userName":"a","active":false}`, off: invalidSyntax},

		{quirk: quirkNumberString, body: `{"userName":12345678901234567890,"title":1.50}`, on: `{"userName":"12345678901234567890","title":"1.50"}`, off: invalidValue},
		{quirk: quirkBareElement, body: `{"emails":{"value":"x","type":"work"}}`, on: `{"emails":[{"value":"x","type":"work"}]}`, off: invalidValue},
		{quirk: quirkBareElement, ops: `[{"op":"add","path":"emails","value":{"value":"n@x"}}]`, on: adaIs(adaEmails, adaEmails+`,{"value":"n@x"}`), off: invalidValue},
		{quirk: quirkBareElement, group: `[{"op":"add","path":"members","value":{"value":"a"}}]`, on: "+a", off: invalidValue},
		{quirk: quirkElementString, body: `{"emails":["x","y"]}`, on: `{"emails":[{"value":"x"},{"value":"y"}]}`, off: invalidValue},
		{quirk: quirkElementString, body: `{"addresses":["x"]}`, on: invalidValue, off: invalidValue},
		{quirk: quirkMemberString, group: `[{"op":"add","path":"members","value":["a","b"]}]`, on: "+a+b", off: invalidValue},
		{quirk: quirkTwoPrimaries, body: `{"emails":[{"value":"a","type":"work"},{"value":"b","primary":true},{"value":"b","type":"home","primary":true}]}`,
			on: `{"emails":[{"value":"a","type":"work"},{"value":"b","primary":true},{"value":"b","type":"home","primary":false}]}`, off: invalidValue},
		{quirk: quirkManagerID, body: `{"` + ent + `":{"manager":{"managerId":"m","displayName":" "}}}`, on: `{"enterprise":{"manager":{"value":"m"}}}`, off: `{}`},
		{quirk: quirkManagerID, body: `{"userName":"a","` + ent + `":{"department":"","manager":{"managerId":"","displayName":" "}}}`, on: `{"userName":"a"}`, off: `{"userName":"a"}`},

		{quirk: filter.QuirkQuotedBoolean, ops: `[{"op":"replace","path":"emails[primary eq \"True\"].value","value":"n@x"}]`, on: adaIs("w@x", "n@x"), off: invalidPath},
		{quirk: filter.QuirkQuotedBoolean, ops: `[{"op":"add","path":"roles[primary eq \"True\"].value","value":"r"}]`, on: adaIs(`]`, `],"roles":[{"value":"r","primary":true}]`), off: invalidPath},
	}
	outcome := func(body, ops, group string, off ...string) string {
		var got string
		var err error
		switch {
		case body != "":
			got, err = normalised(t, testUser(t), body, off...)
		case ops != "":
			got, err = patched(t, testUser(t), ada, ops, off...)
		default:
			got, err = patchedMembers(t, group, off...)
		}
		if e, ok := err.(*Error); ok {
			return e.ScimType
		} else if err != nil {
			t.Fatal(err)
		}
		return got
	}
	// Those of filters only are tested there, the one of queries by TestHandler_rawPlus.
	tested := []string{filter.QuirkUnquotedLiteral, filter.QuirkValuePathTail, filter.QuirkExtensionAtTop, quirkPlusInLiteral}
	for _, test := range tests {
		tested = append(tested, test.quirk)
		t.Run(test.quirk, func(t *testing.T) {
			if got := outcome(test.body, test.ops, test.group); got != test.on {
				t.Errorf("on: %s\ngot  %s\nwant %s", test.body+test.ops+test.group, got, test.on)
			}
			if got := outcome(test.body, test.ops, test.group, test.quirk); got != test.off {
				t.Errorf("off: %s\ngot  %s\nwant %s", test.body+test.ops+test.group, got, test.off)
			}
		})
	}
	for _, name := range QuirkNames() {
		if !slices.Contains(tested, name) {
			t.Errorf("%s is not tested", name)
		}
	}
}

// patchedMembers shows the change of the members that a PATCH of a group makes.
func patchedMembers(tb testing.TB, list string, off ...string) (string, error) {
	q := newQuirks(off, false)
	ops, err := operations(tb, list, q)
	if err != nil {
		return "", err
	}
	edit, err := groupPatch(testGroup(tb), testParser(), ops, q)
	if err != nil {
		return "", err
	}
	var shown string
	change := foldMembers(edit.Members)
	if change.Exactly {
		shown = "="
	}
	for _, id := range change.Add {
		shown += "+" + id
	}
	for _, id := range change.Remove {
		shown += "-" + id
	}
	return shown, nil
}

func TestQuirks_Applied(t *testing.T) {
	q := newQuirks([]string{quirkDottedKeys}, false)
	ops, err := operations(t, `[{"op":"Replace","path":"active","value":"False"},{"op":"add","path":"favouriteColour","value":1},{"op":"Add","path":"title","value":"x"}]`, q)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := applyPatch(testUser(t), testParser(), Resource{"userName": "a"}, ops, q); err != nil {
		t.Fatal(err)
	}
	want := map[string]int{quirkOpCase: 2, quirkBooleanString: 1, quirkUnknownAttribute: 1}
	if diff := cmp.Diff(want, q.Applied()); diff != "" {
		t.Error(diff)
	}
	if q.Allow(quirkDottedKeys) {
		t.Error("allows a quirk that is off")
	}
}

// What keeps to the standard needs no quirk.
func TestQuirks_Standard(t *testing.T) {
	q := newQuirks(nil, false)
	if _, err := normalise(testUser(t), object(t, `{"schemas":["`+schema.UserURN+`","`+schema.EnterpriseURN+`"],"id":"1","userName":"a","active":true,"title":null,"name":{"givenName":"A"},
		"emails":[{"value":"a","primary":true}],"groups":[],"`+schema.EnterpriseURN+`":{"manager":{"value":"m","displayName":"M"}}}`), q); err != nil {
		t.Fatal(err)
	}
	ops, err := operations(t, `[{"op":"replace","path":"name.givenName","value":"A"},{"op":"add","path":"emails","value":[{"value":"b","primary":true}]},{"op":"replace","value":{"name":{"familyName":"L"}}},
		{"op":"remove","path":"emails[type eq \"work\"]"},{"op":"add","path":"`+schema.EnterpriseURN+`:department","value":"d"}]`, q)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := applyPatch(testUser(t), testParser(), Resource{"userName": "a"}, ops, q); err != nil {
		t.Fatal(err)
	}
	if len(q.Applied()) > 0 {
		t.Errorf("applied %v", q.Applied())
	}
}

func TestQuirks_Listed(t *testing.T) {
	names := QuirkNames()
	slices.Sort(names)
	if len(slices.Compact(names)) != len(Quirks()) {
		t.Error("two quirks have one name")
	}
	for _, info := range Quirks() {
		if info.Name == "" || info.Vendor == "" || info.Sentence == "" {
			t.Errorf("%+v is not complete", info)
		}
	}
}
