package scim

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"usher/scim/filter"
	"usher/scim/schema"
)

func testParser() *filter.Parser { return filter.NewParser(8<<10, 32) }

// operations gives the operations of a request whose list of operations is written down in a test.
func operations(tb testing.TB, list string, q *quirks) ([]operation, error) {
	tb.Helper()
	return parsePatch(object(tb, `{"schemas":["`+patchURN+`"],"Operations":`+list+`}`), q)
}

// patched gives what the operations make of the resource that a body describes.
func patched(tb testing.TB, rt *schema.ResourceType, body, list string, off ...string) (string, error) {
	tb.Helper()
	before, err := normalise(rt, object(tb, body), newQuirks(nil, false))
	if err != nil {
		tb.Fatal(err)
	}
	doc := encode(rt, before)
	q := newQuirks(off, false)
	ops, err := operations(tb, list, q)
	if err != nil {
		return "", err
	}
	after, _, err := applyPatch(rt, testParser(), before, ops, q)
	if now := encode(rt, before); !bytes.Equal(doc, now) {
		tb.Errorf("the resource was changed in place:\nfrom %s\nto   %s", doc, now)
	}
	if err != nil {
		return "", err
	}
	if err := checkResource(rt, after); err != nil {
		return "", err
	}
	return short(tb, rt, after), nil
}

// ada is the user that most tests of PATCH begin with.
const ada = `{"userName":"ada","name":{"givenName":"Ada","familyName":"Lovelace"},"title":"Analyst","active":true,` +
	`"emails":[{"value":"w@x","type":"work","primary":true},{"value":"h@x","type":"home"}],` +
	`"` + schema.EnterpriseURN + `":{"department":"Research","manager":{"value":"m1","$ref":"../Users/m1"}}}`

// adaIs is ada's document with some text replaced.
func adaIs(replace ...string) string {
	doc := `{"userName":"ada","name":{"familyName":"Lovelace","givenName":"Ada"},"title":"Analyst","active":true,` +
		`"emails":[{"value":"w@x","type":"work","primary":true},{"value":"h@x","type":"home"}],` +
		`"enterprise":{"department":"Research","manager":{"value":"m1","$ref":"../Users/m1"}}}`
	return strings.NewReplacer(replace...).Replace(doc)
}

const (
	adaEmails  = `{"value":"w@x","type":"work","primary":true},{"value":"h@x","type":"home"}`
	adaManager = `"manager":{"value":"m1","$ref":"../Users/m1"}`
)

// The standard: RFC 7644 section 3.5.2, with every quirk off.
func TestApplyPatch(t *testing.T) {
	rt := testUser(t)
	for _, test := range []struct{ name, ops, want string }{
		{"replace", `[{"op":"replace","path":"title","value":"Lead"}]`, adaIs("Analyst", "Lead")},
		{"add replaces a single value", `[{"op":"add","path":"title","value":"Lead"}]`, adaIs("Analyst", "Lead")},
		{"replace what is unassigned", `[{"op":"replace","path":"userType","value":"E"}]`, adaIs(`"active"`, `"userType":"E","active"`)},
		{"remove", `[{"op":"remove","path":"title"}]`, adaIs(`"title":"Analyst",`, "")},
		{"remove what is unassigned", `[{"op":"remove","path":"nickName"},{"op":"remove","path":"ims"},{"op":"remove","path":"emails[type eq \"fax\"]"}]`, adaIs()},
		{"remove with a value", `[{"op":"remove","path":"title","value":"x"}]`, adaIs(`"title":"Analyst",`, "")},
		{"null clears", `[{"op":"replace","path":"title","value":null}]`, adaIs(`"title":"Analyst",`, "")},
		{"null inside clears", `[{"op":"replace","value":{"name":{"givenName":null}}}]`, adaIs(`,"givenName":"Ada"`, "")},
		{"null in an extension", `[{"op":"replace","value":{"` + schema.EnterpriseURN + `":{"department":null}}}]`, adaIs(`"department":"Research",`, "")},
		{"names in any case", `[{"op":"replace","path":"TITLE","value":"Lead"},{"op":"replace","path":"NAME.GIVENNAME","value":"A"}]`, adaIs("Analyst", "Lead", `"Ada"`, `"A"`)},
		{"in order", `[{"op":"remove","path":"title"},{"op":"add","path":"title","value":"Mid"},{"op":"replace","path":"title","value":"Final"}]`, adaIs("Analyst", "Final")},
		{"externalId", `[{"op":"add","path":"externalId","value":"e"}]`, adaIs(`{"userName"`, `{"externalId":"e","userName"`)},

		{"sub-attribute", `[{"op":"replace","path":"name.givenName","value":"A"}]`, adaIs(`"Ada"`, `"A"`)},
		{"complex keeps the others", `[{"op":"replace","path":"name","value":{"givenName":"A"}}]`, adaIs(`"Ada"`, `"A"`)},
		{"remove sub-attributes", `[{"op":"remove","path":"name.givenName"},{"op":"remove","path":"name.familyName"}]`,
			adaIs(`"name":{"familyName":"Lovelace","givenName":"Ada"},`, "")},
		{"remove a complex attribute", `[{"op":"remove","path":"name"}]`, adaIs(`"name":{"familyName":"Lovelace","givenName":"Ada"},`, "")},

		{"without a path", `[{"op":"replace","value":{"title":"Lead","name":{"familyName":"L"}}}]`, adaIs("Analyst", "Lead", "Lovelace", "L")},
		{"without a path, add", `[{"op":"add","value":{"title":"Lead","emails":[{"value":"n@x"}]}}]`, adaIs("Analyst", "Lead", adaEmails, adaEmails+`,{"value":"n@x"}`)},
		{"without a path, lists are replaced", `[{"op":"replace","value":{"emails":[{"value":"n@x"}]}}]`, adaIs(adaEmails, `{"value":"n@x"}`)},
		{"an empty path is none", `[{"op":"replace","path":"","value":{"title":"Lead"}},{"op":"replace","path":null,"value":{"active":false}}]`, adaIs("Analyst", "Lead", `"active":true`, `"active":false`)},
		{"schemas follow from the rest", `[{"op":"add","path":"schemas","value":["urn:x"]},{"op":"replace","value":{"schemas":[]}}]`, adaIs()},
		{"password is not kept", `[{"op":"replace","value":{"password":"p"}},{"op":"replace","path":"password","value":"p"}]`, adaIs()},

		{"add to a list", `[{"op":"add","path":"emails","value":[{"value":"n@x","type":"other"}]}]`, adaIs(adaEmails, adaEmails+`,{"value":"n@x","type":"other"}`)},
		{"add what is there", `[{"op":"add","path":"emails","value":[{"value":"W@X","type":"Work"},{"value":"h@x"}]}]`, adaIs(`"w@x","type":"work"`, `"W@X","type":"Work"`)},
		{"add what is there with another type", `[{"op":"add","path":"emails","value":[{"value":"h@x","type":"other"}]}]`, adaIs(adaEmails, adaEmails+`,{"value":"h@x","type":"other"}`)},
		{"add says more", `[{"op":"add","path":"emails","value":[{"value":"h@x","type":"home","display":"d"}]}]`, adaIs(`"h@x"`, `"h@x","display":"d"`)},
		{"add nothing", `[{"op":"add","path":"emails","value":[]},{"op":"add","path":"emails","value":null}]`, adaIs()},
		{"replace a list", `[{"op":"replace","path":"emails","value":[{"value":"n@x"}]}]`, adaIs(adaEmails, `{"value":"n@x"}`)},
		{"empty a list", `[{"op":"replace","path":"emails","value":[]}]`, adaIs(`"emails":[`+adaEmails+`],`, "", `,"emails":[`+adaEmails+`]`, "")},
		{"remove a list", `[{"op":"remove","path":"emails"}]`, adaIs(`,"emails":[`+adaEmails+`]`, "")},
		{"remove a list, value or not", `[{"op":"remove","path":"emails","value":[{"value":"h@x"}]}]`, adaIs(`,"emails":[`+adaEmails+`]`, "")},
		{"sub-attribute of all values", `[{"op":"replace","path":"emails.type","value":"other"}]`, adaIs(`"work"`, `"other"`, `"home"`, `"other"`)},
		{"sub-attribute of no value", `[{"op":"add","path":"ims.value","value":"i"}]`, adaIs(`]`, `],"ims":[{"value":"i"}]`)},
		{"remove a sub-attribute of all values", `[{"op":"remove","path":"emails.type"}]`, adaIs(`,"type":"work"`, "", `,"type":"home"`, "")},
		{"remove what the values hold", `[{"op":"remove","path":"emails.value"}]`, adaIs(`,"emails":[`+adaEmails+`]`, "")},

		{"selected sub-attribute", `[{"op":"replace","path":"emails[type eq \"work\"].value","value":"n@x"}]`, adaIs("w@x", "n@x")},
		{"selected by two conditions", `[{"op":"replace","path":"emails[type eq \"work\" and value ew \"x\"].value","value":"n@x"}]`, adaIs("w@x", "n@x")},
		{"selected by value", `[{"op":"replace","path":"emails[value eq \"H@X\"].display","value":"d"}]`, adaIs(`"h@x"`, `"h@x","display":"d"`)},
		{"selected value replaced", `[{"op":"replace","path":"emails[type eq \"home\"]","value":{"value":"n@x","display":"d"}}]`, adaIs(`"h@x"`, `"n@x","display":"d"`)},
		{"selected value added to", `[{"op":"add","path":"emails[type eq \"home\"]","value":{"display":"d"}}]`, adaIs(`"h@x"`, `"h@x","display":"d"`)},
		{"selected value cleared", `[{"op":"replace","path":"emails[type eq \"home\"]","value":null}]`, adaIs(`,{"value":"h@x","type":"home"}`, "")},
		{"selected value removed", `[{"op":"remove","path":"emails[type eq \"home\"]"}]`, adaIs(`,{"value":"h@x","type":"home"}`, "")},
		{"selected sub-attribute removed", `[{"op":"remove","path":"emails[type eq \"work\"].primary"}]`, adaIs(`,"primary":true`, "")},
		{"selected value emptied", `[{"op":"remove","path":"emails[type eq \"home\"].value"}]`, adaIs(`,{"value":"h@x","type":"home"}`, "")},
		{"all selected made equal", `[{"op":"replace","path":"emails[value pr].value","value":"n@x"},{"op":"replace","path":"emails[value pr].type","value":"other"}]`,
			adaIs(adaEmails, `{"value":"n@x","type":"other","primary":true}`)},
		{"all selected removed", `[{"op":"remove","path":"emails[value pr]"}]`, adaIs(`,"emails":[`+adaEmails+`]`, "")},

		{"primary moves", `[{"op":"replace","path":"emails[type eq \"home\"].primary","value":true}]`, adaIs(`"primary":true`, `"primary":false`, `"home"`, `"home","primary":true`)},
		{"primary moves to a new value", `[{"op":"add","path":"emails","value":[{"value":"n@x","primary":true}]}]`,
			adaIs(adaEmails, `{"value":"w@x","type":"work","primary":false},{"value":"h@x","type":"home"},{"value":"n@x","primary":true}`)},
		{"primary stays", `[{"op":"add","path":"emails","value":[{"value":"n@x","primary":false}]}]`, adaIs(adaEmails, adaEmails+`,{"value":"n@x","primary":false}`)},

		{"extension attribute", `[{"op":"replace","path":"` + schema.EnterpriseURN + `:department","value":"Sales"}]`, adaIs("Research", "Sales")},
		{"extension sub-attribute", `[{"op":"replace","path":"` + schema.EnterpriseURN + `:manager.value","value":"m2"}]`, adaIs(adaManager, `"manager":{"value":"m2"}`)},
		{"the $ref of a manager goes with the manager", `[{"op":"replace","path":"` + schema.EnterpriseURN + `:manager","value":{"value":"m2"}}]`, adaIs(adaManager, `"manager":{"value":"m2"}`)},
		{"the same manager", `[{"op":"replace","path":"` + schema.EnterpriseURN + `:manager","value":{"value":"m1"}}]`, adaIs()},
		{"extension made", `[{"op":"add","path":"` + schema.UsherUserURN + `:license","value":"ringex"}]`, strings.TrimSuffix(adaIs(), "}") + `,"usher":{"license":"ringex"}}`},
		{"extension object", `[{"op":"replace","value":{"` + schema.EnterpriseURN + `":{"costCenter":"77"}}}]`, adaIs(`"department"`, `"costCenter":"77","department"`)},
		{"extension by its URN", `[{"op":"replace","path":"` + schema.EnterpriseURN + `","value":{"costCenter":"77"}}]`, adaIs(`"department"`, `"costCenter":"77","department"`)},
		{"extension emptied", `[{"op":"remove","path":"` + schema.EnterpriseURN + `:department"},{"op":"remove","path":"` + schema.EnterpriseURN + `:manager"}]`,
			adaIs(`,"enterprise":{"department":"Research",`+adaManager+`}`, "")},
		{"extension removed", `[{"op":"remove","path":"` + schema.EnterpriseURN + `"}]`, adaIs(`,"enterprise":{"department":"Research",`+adaManager+`}`, "")},
		{"extension cleared", `[{"op":"replace","value":{"` + schema.EnterpriseURN + `":null}}]`, adaIs(`,"enterprise":{"department":"Research",`+adaManager+`}`, "")},
		{"password is not kept, by its URN", `[{"op":"replace","path":"` + schema.UserURN + `:password","value":"p"}]`, adaIs()},
		{"value filled by a later operation", `[{"op":"add","path":"ims.type","value":"xmpp"},{"op":"add","path":"ims.value","value":"x"}]`, adaIs(`]`, `],"ims":[{"value":"x","type":"xmpp"}]`)},
		{"value without a value", `[{"op":"add","path":"entitlements","value":[{"display":"d","type":"t"}]}]`, adaIs(`]`, `],"entitlements":[{"display":"d","type":"t"}]`)},
		{"selected value keeps its display", `[{"op":"add","path":"emails[type eq \"home\"].display","value":"d"},{"op":"remove","path":"emails[type eq \"home\"].value"}]`, adaIs(`"value":"h@x",`, `"display":"d",`)},
		{"core URN in a path", `[{"op":"replace","path":"` + schema.UserURN + `:title","value":"Lead"},{"op":"replace","path":"URN:ietf:params:scim:schemas:core:2.0:User:name.givenName","value":"A"}]`, adaIs("Analyst", "Lead", `"Ada"`, `"A"`)},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := patched(t, rt, ada, test.ops, QuirkNames()...)
			if err != nil {
				t.Fatal(err)
			}
			if got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestApplyPatch_Refused(t *testing.T) {
	rt := testUser(t)
	for _, test := range []struct{ name, ops, scimType, detail string }{
		{"no operations", `[]`, invalidSyntax, "Operations"},
		{"operations are no list", `{}`, invalidSyntax, "Operations"},
		{"operation is no object", `["x"]`, invalidSyntax, "object"},
		{"no op", `[{"path":"title","value":"x"}]`, invalidSyntax, "op"},
		{"op is no string", `[{"op":1,"path":"title","value":"x"}]`, invalidSyntax, "op"},
		{"unknown op", `[{"op":"move","path":"title","value":"x"}]`, invalidSyntax, `"move"`},
		{"path is no string", `[{"op":"add","path":1,"value":"x"}]`, invalidPath, "string"},
		{"blank path", `[{"op":"add","path":" ","value":"x"}]`, invalidPath, "path"},
		{"bad path", `[{"op":"add","path":"title title","value":"x"}]`, invalidPath, "title title"},
		{"bad filter", `[{"op":"add","path":"emails[type eq].value","value":"x"}]`, invalidPath, "emails[type eq]"},
		{"open bracket", `[{"op":"add","path":"emails[type eq \"work\"","value":"x"}]`, invalidPath, "emails["},
		{"filter of a single value", `[{"op":"add","path":"name[givenName eq \"Ada\"].familyName","value":"x"}]`, invalidPath, "brackets"},
		{"selected value left with nothing", `[{"op":"replace","path":"emails[type eq \"home\"]","value":{"primary":false}}]`, invalidValue, "emails"},
		{"value of nothing", `[{"op":"add","path":"emails","value":[{"type":"fax","primary":false}]}]`, invalidValue, "emails"},
		{"sub-attributes of nothing", `[{"op":"add","path":"ims.type","value":"xmpp"},{"op":"add","path":"ims.primary","value":true}]`, invalidValue, "ims"},
		{"remove without a path", `[{"op":"remove","value":{"title":"x"}}]`, noTarget, "path"},
		{"add without a value", `[{"op":"add","path":"title"}]`, invalidValue, "value"},
		{"replace without a value", `[{"op":"replace","path":"title"}]`, invalidValue, "value"},
		{"no path and no object", `[{"op":"add","value":"x"}]`, invalidValue, "object"},
		{"read-only", `[{"op":"replace","path":"id","value":"x"}]`, mutability, "id is read-only"},
		{"read-only, by another case", `[{"op":"remove","path":"META.version"}]`, mutability, "meta.version is read-only"},
		{"read-only groups", `[{"op":"add","path":"groups","value":[{"value":"g"}]}]`, mutability, "groups"},
		{"read-only sub-attribute", `[{"op":"add","path":"` + schema.EnterpriseURN + `:manager.displayName","value":"x"}]`, mutability, "manager.displayName"},
		{"read-only extension attribute", `[{"op":"add","path":"` + schema.UsherUserURN + `:effectiveLicense","value":"ringex"}]`, mutability, "effectiveLicense"},
		{"required removed", `[{"op":"remove","path":"userName"}]`, mutability, "userName"},
		{"required cleared", `[{"op":"replace","path":"userName","value":null}]`, invalidValue, "userName"},
		{"required emptied", `[{"op":"replace","value":{"userName":""}}]`, invalidValue, "userName"},
		{"nothing selected to replace", `[{"op":"replace","path":"emails[type eq \"fax\"].value","value":"x"}]`, noTarget, "emails"},
		{"nothing selected to add to", `[{"op":"add","path":"ims[value eq \"x\"].display","value":"x"}]`, noTarget, "ims"},
		{"several objects for one value", `[{"op":"replace","path":"emails[type eq \"work\"]","value":[{"value":"a"},{"value":"b"}]}]`, invalidValue, "A single value of emails must be an object, not a list."},
		{"list in a list", `[{"op":"replace","path":"emails","value":[[{"value":"a"},{"value":"b"}]]}]`, invalidValue, "A single value of emails must be an object, not a list."},
		{"type", `[{"op":"replace","path":"active","value":"maybe"}]`, invalidValue, `active must be true or false, not "maybe"`},
		{"type of a sub-attribute", `[{"op":"replace","path":"emails[type eq \"work\"].value","value":{"a":1}}]`, invalidValue, "emails.value"},
		{"unknown attribute", `[{"op":"replace","path":"favouriteColour","value":"x"}]`, invalidPath, "favouriteColour"},
		{"second of three", `[{"op":"remove","path":"title"},{"op":"remove","path":"id"},{"op":"remove","path":"name"}]`, mutability, "Operation 2 of 3: id is read-only"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := patched(t, rt, ada, test.ops, quirkUnknownAttribute, quirkFilterCreates)
			wantError(t, err, 400, test.scimType, test.detail)
		})
	}
}

// What begins with the name of something that there is, is no unknown attribute: passing it over would answer 200 to what was not done.
func TestApplyPatch_Misnamed(t *testing.T) {
	rt := testUser(t)
	const core, ent = schema.UserURN, schema.EnterpriseURN
	for _, name := range []string{
		"active.value", "ACTIVE.value", "active:value", "active.", core + ":active.value", core + ".active.value", core + ".bogus", core + ":", core + ".",
		"name.bogus", "name.givenName.x", "name:givenName", "emails.bogus", `emails[type eq "work"].bogus`, `emails[bogus eq "x"].value`, `emails[bogus eq "x"]`,
		`emails [ type eq "work" and bogus eq "x" ].value`, `schemas[bogus eq "x"]`, core + `:emails[bogus eq "x"].value`, core + `.emails[bogus eq "x"].value`,
		ent + ":manager.bogus", ent + ".bogus", "department.value", "manager.bogus", "externalId.x", "meta.bogus",
	} {
		path, err := json.Marshal(name)
		if err != nil {
			t.Fatal(err)
		}
		shown := name
		if i := strings.Index(name, "bogus"); i >= 0 {
			shown = "bogus"
		}
		for _, list := range []string{`[{"op":"replace","path":` + string(path) + `,"value":false}]`, `[{"op":"replace","value":{` + string(path) + `:false}}]`} {
			_, err := patched(t, rt, ada, list)
			if e, ok := errors.AsType[*Error](err); !ok || e.Status != 400 || e.ScimType != invalidPath || !strings.Contains(strings.ReplaceAll(e.Detail, `\"`, `"`), shown) {
				t.Errorf("%s: the error is %v", list, err)
			}
		}
		_, err = normalised(t, rt, `{"userName":"a",`+string(path)+`:false}`)
		if e, ok := errors.AsType[*Error](err); !ok || e.Status != 400 || e.ScimType != invalidSyntax {
			t.Errorf("body with %s: the error is %v", name, err)
		}
	}
	for _, name := range []string{"bogus", "bogus.value", "bogus:value", `bogus[type eq \"x\"].value`, core + ":bogus", core + ":bogus.value", ent + ":bogus", "urn:x:2.0:User", "urn:x:2.0:User:active", schema.GroupURN, strings.Repeat(".:", 200)} {
		for _, list := range []string{`[{"op":"replace","path":"` + name + `","value":false}]`, `[{"op":"replace","value":{"` + name + `":false}}]`} {
			if strings.HasPrefix(name, ".") && strings.Contains(list, `"path"`) {
				continue // no name at all
			}
			if got, err := patched(t, rt, ada, list); err != nil || got != adaIs() {
				t.Errorf("%s: %s, %v", list, got, err)
			}
		}
	}
}

func TestApplyPatch_Group(t *testing.T) {
	rt := testGroup(t)
	const group = `{"displayName":"Sales","externalId":"e"}`
	got, err := patched(t, rt, group, `[{"op":"replace","path":"displayName","value":"S"},{"op":"remove","path":"externalId"}]`)
	if err != nil || got != `{"displayName":"S"}` {
		t.Errorf("got %s, %v", got, err)
	}
	_, err = patched(t, rt, group, `[{"op":"remove","path":"displayName"}]`)
	wantError(t, err, 400, mutability, "displayName")
	_, err = patched(t, rt, group, `[{"op":"add","path":"members","value":[{"value":"u"}]}]`)
	wantError(t, err, 400, invalidPath, "members")
}

func TestApplyPatch_TooMany(t *testing.T) {
	op := `{"op":"replace","path":"title","value":"x"}`
	list := func(n int) string { return "[" + strings.TrimSuffix(strings.Repeat(op+",", n), ",") + "]" }
	if _, err := patched(t, testUser(t), ada, list(maxOperations)); err != nil {
		t.Error(err)
	}
	_, err := patched(t, testUser(t), ada, list(maxOperations+1))
	wantError(t, err, 400, invalidValue, "1000")
}

// The work of a request is bounded, however long the lists are.
func TestApplyPatch_LongLists(t *testing.T) {
	body := `{"userName":"a","emails":[` + manyEmails(maxValues) + `]}`
	op := `{"op":"remove","path":"emails[value eq \"-\"]"}`
	list := func(n int) string { return "[" + strings.TrimSuffix(strings.Repeat(op+",", n), ",") + "]" }
	if _, err := patched(t, testUser(t), body, list(maxVisits/maxValues)); err != nil {
		t.Error(err)
	}
	_, err := patched(t, testUser(t), body, list(maxVisits/maxValues+1))
	wantError(t, err, 400, invalidValue, "too many values")
}

// Reading paths is bounded: what is new to the parser is dear, whatever its length.
func TestApplyPatch_ManyFilters(t *testing.T) {
	group := testGroup(t)
	// members makes a path with so many comparisons, like no other of another n.
	members := func(terms, n int) string {
		parts := make([]string, terms)
		for i := range parts {
			name := []byte("value")
			for b := range name {
				if n>>b&1 == 1 {
					name[b] -= 'a' - 'A'
				}
			}
			n >>= len(name)
			parts[i] = string(name) + ` eq "` + strings.Repeat("i", 36) + `"`
		}
		return "members[" + strings.Join(parts, " or ") + "]"
	}
	try := func(paths ...string) error {
		ops := make([]operation, len(paths))
		for i, path := range paths {
			ops[i] = operation{Op: opRemove, Path: path, HasPath: true}
		}
		_, err := groupPatch(group, testParser(), ops, newQuirks(nil, false))
		return err
	}
	many := func(n int, path func(i int) string) []string {
		paths := make([]string, n)
		for i := range paths {
			paths[i] = path(i)
		}
		return paths
	}
	for _, test := range []struct {
		name  string
		paths []string
	}{
		{"one member each", many(20_000, func(i int) string { return fmt.Sprintf(`members[value eq "%d"]`, i) })},
		{"the same long one", many(500, func(int) string { return members(100, 0) })},
		{"a few long ones", many(4, func(i int) string { return members(100, i) })},
		{"as many forms as are allowed", many(maxFilters, func(i int) string { return members(2, i) })},
	} {
		if err := try(test.paths...); err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
	}
	wantError(t, try(many(maxFilters+1, func(i int) string { return members(2, i) })...), 400, invalidPath, "256 forms")
	wantError(t, try(many(60, func(i int) string { return members(100, i) })...), 400, invalidPath, "65536 bytes")
	wantError(t, try(many(250, func(i int) string { return strings.Replace(members(40, 0), "i", strconv.Itoa(i), 1) })...), 400, invalidPath, "65536 bytes")

	// A long path is read once, however often it comes.
	q := newQuirks(nil, false)
	ops := make([]operation, 50)
	for i := range ops {
		ops[i] = operation{Op: opRemove, Path: strings.ReplaceAll(members(100, 0), `"`, ""), HasPath: true}
	}
	if _, err := groupPatch(group, testParser(), ops, q); err != nil {
		t.Error(err)
	}
	if got := q.Applied()[filter.QuirkUnquotedLiteral]; got != 100 {
		t.Errorf("%d literals were read, want 100", got)
	}

	// The same holds of keys that are paths.
	keys := make(map[string]any)
	for i := range maxFilters + 1 {
		keys[fmt.Sprintf(`emails[%s(value eq "x"%s].value`, strings.Repeat("(", i%30), strings.Repeat(")", i%30+1)+strings.Repeat(" ", i/30))] = nil
	}
	_, _, err := applyPatch(testUser(t), testParser(), Resource{"userName": "a"}, []operation{{Op: opReplace, Value: keys, HasValue: true}}, newQuirks(nil, false))
	wantError(t, err, 400, invalidPath, "256 forms")
}

func TestAppendForm(t *testing.T) {
	for path, want := range map[string]string{
		`emails[type eq "work"].value`:                         `emails[type eq ""].value`,
		`emails[type eq "a\"]b" and value eq "\\"].value`:      `emails[type eq "" and value eq ""].value`,
		`emails[primary eq true]`:                              `emails[primary eq true]`,
		`emails[type eq "open`:                                 `emails[type eq "`,
		`emails[type eq "` + strings.Repeat("x", 8000) + `\"]`: `emails[type eq "`,
	} {
		if got := string(appendForm(nil, path)); got != want {
			t.Errorf("%s has the form %s, want %s", path, got, want)
		}
	}
}

func TestApplyPatch_Named(t *testing.T) {
	rt := testUser(t)
	q := newQuirks(nil, false)
	ops, err := operations(t, `[{"op":"Replace","path":"Entitlements","value":[]},{"op":"remove","path":"roles[type eq \"none\"]"},
		{"op":"replace","value":{"name.givenName":"A","`+schema.UsherUserURN+`:License":"ringex","favouriteColour":"x","id":"1","password":"p"}}]`, q)
	if err != nil {
		t.Fatal(err)
	}
	_, named, err := applyPatch(rt, testParser(), Resource{"userName": "a"}, ops, q)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{"entitlements": true, "roles": true, "name": true, schema.UsherUserURN + ":license": true}
	if diff := cmp.Diff(want, named); diff != "" {
		t.Error(diff)
	}

	ops, err = operations(t, `[{"op":"remove","path":"`+schema.UsherUserURN+`"}]`, q)
	if err != nil {
		t.Fatal(err)
	}
	_, named, err = applyPatch(rt, testParser(), nil, ops, q)
	if err != nil {
		t.Fatal(err)
	}
	want = map[string]bool{}
	for _, name := range []string{"license", "extensionnumber", "activation"} {
		want[schema.UsherUserURN+":"+name] = true
	}
	if diff := cmp.Diff(want, named); diff != "" {
		t.Error(diff)
	}
}

func TestParsePatch_Envelope(t *testing.T) {
	for _, body := range []string{
		`{"SCHEMAS":["URN:ietf:params:scim:api:messages:2.0:patchop"],"OPERATIONS":[{"OP":"add","PATH":"title","VALUE":"x"}]}`,
		`{"schemas":["` + patchURN + `"],"operations":[{"op":"add","path":"title","value":"x","name":"addTitle"}]}`,
	} {
		ops, err := parsePatch(object(t, body), newQuirks(QuirkNames(), false))
		if err != nil {
			t.Fatal(err)
		}
		want := []operation{{Op: "add", Path: "title", HasPath: true, Value: "x", HasValue: true}}
		if diff := cmp.Diff(want, ops); diff != "" {
			t.Error(diff)
		}
	}
	_, err := parsePatch(object(t, `{"schemas":["`+patchURN+`"],"active":false}`), newQuirks(nil, false))
	wantError(t, err, 400, invalidSyntax, "Operations")
}

// An error in the last operation leaves nothing of those before it.
func TestApplyPatch_Atomic(t *testing.T) {
	rt := testUser(t)
	_, err := patched(t, rt, ada, `[{"op":"replace","path":"title","value":"x"},{"op":"add","path":"emails","value":[{"value":"n@x","primary":true}]},
		{"op":"replace","path":"emails[type eq \"work\"].value","value":"n2@x"},{"op":"remove","path":"`+schema.EnterpriseURN+`:manager"},
		{"op":"replace","path":"name.givenName","value":"x"},{"op":"replace","path":"userName","value":null}]`)
	wantError(t, err, 400, invalidValue, "Operation 6 of 6")
}

// drawOperation draws an operation that writes what a client could have read from a resource.
func drawOperation(t *rapid.T, rt *schema.ResourceType, verb string) operation {
	value := map[string]any(drawResource(t, rt))
	if rapid.Bool().Draw(t, "without path") {
		return operation{Op: verb, Value: value, HasValue: true}
	}
	names := sortedKeys(value)
	name := rapid.SampledFrom(names).Draw(t, "path")
	return operation{Op: verb, Path: name, HasPath: true, Value: value[name], HasValue: true}
}

func TestApplyPatch_Properties(t *testing.T) {
	rt := testUser(t)
	parser := testParser()
	apply := func(t *rapid.T, r Resource, ops ...operation) Resource {
		doc := encode(rt, r)
		after, _, err := applyPatch(rt, parser, r, ops, newQuirks(nil, false))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(doc, encode(rt, r)) {
			t.Fatal("the resource was changed in place")
		}
		return after
	}
	same := func(t *rapid.T, a, b Resource) {
		if a, b := encode(rt, a), encode(rt, b); !bytes.Equal(a, b) {
			t.Fatalf("not the same:\n%s\n%s", a, b)
		}
	}
	t.Run("writing what is there changes nothing", func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			r := drawResource(t, rt)
			same(t, r, apply(t, r, operation{Op: opReplace, Value: map[string]any(r), HasValue: true}))
			same(t, r, apply(t, r, operation{Op: opAdd, Value: map[string]any(r), HasValue: true}))
			for _, name := range sortedKeys(r) {
				same(t, r, apply(t, r, operation{Op: opReplace, Path: name, HasPath: true, Value: r[name], HasValue: true}))
			}
		})
	})
	for _, verb := range []string{opAdd, opReplace} {
		t.Run(verb+" twice is "+verb+" once", func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				op := drawOperation(t, rt, verb)
				once := apply(t, drawResource(t, rt), op)
				same(t, once, apply(t, once, op))
			})
		})
	}
	t.Run("remove leaves nothing", func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			r := drawResource(t, rt)
			for _, name := range sortedKeys(r) {
				if name != "userName" {
					r = apply(t, r, operation{Op: opRemove, Path: name, HasPath: true})
				}
			}
			same(t, Resource{"userName": r["userName"]}, r)
		})
	})
	t.Run("one after the other is all at once", func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			r := drawResource(t, rt)
			var ops []operation
			step := r
			for range rapid.IntRange(1, 4).Draw(t, "n") {
				op := drawOperation(t, rt, rapid.SampledFrom([]string{opAdd, opReplace}).Draw(t, "op"))
				ops = append(ops, op)
				step = apply(t, step, op)
			}
			same(t, step, apply(t, r, ops...))
		})
	})
}

func FuzzPatch(f *testing.F) {
	for _, list := range []string{
		`[{"op":"Replace","path":"emails[type eq \"work\"].value","value":"x"},{"op":"Add","path":"manager","value":[{"value":"m"}]}]`,
		`[{"op":"replace","value":{"name.givenName":"A","` + schema.EnterpriseURN + `:department":"d","emails[type eq \"x\"].value":"y"}}]`,
		`[{"op":"Add","path":"roles[primary eq \"True\"].value","value":"{\"value\":\"x\",\"displayName\":\"y\"}"}]`,
		`[{"op":"remove","path":"emails","value":[{"value":"w@x"}]},{"op":"remove","path":"members[value eq \"u\"]"}]`,
		`[{"op":"replace","path":"members","value":["a",{"value":"b"}]},{"op":"replace","value":{"members":null,"displayName":"x"}}]`,
		`[{"op":"remove","path":"` + schema.EnterpriseURN + `"}]`,
		`[{"op":"add","path":"emails.value","value":null}]`,
		`[{"op":"replace","value":{"` + schema.UserURN + `":{"active":false}}},{"op":"replace","path":"` + schema.GroupURN + `","value":{"members":[]}},{"op":"add","path":"` + schema.UserURN + `.title","value":"x"}]`,
		`[{"op":"add","path":"x509Certificates[value eq \"QQ\"]","value":{}}]`,
	} {
		f.Add([]byte(`{"Operations":` + list + `}`))
	}
	parser := testParser()
	types := testTypes(f)
	user, group := types[0], types[1]
	before, err := normalise(user, object(f, ada), newQuirks(nil, false))
	if err != nil {
		f.Fatal(err)
	}
	doc := encode(user, before)
	f.Fuzz(func(t *testing.T, body []byte) {
		in, err := decodeObject(body, testDepth)
		if err != nil {
			return
		}
		q := newQuirks(nil, false)
		ops, err := parsePatch(in, q)
		if err != nil {
			wantErrorStatus(t, err, 400)
			return
		}
		after, _, err := applyPatch(user, parser, before, ops, q)
		if err != nil {
			wantErrorStatus(t, err, 400)
		} else {
			checkCanonical(t, user, after)
		}
		if !bytes.Equal(doc, encode(user, before)) {
			t.Fatal("the resource was changed in place")
		}
		edit, err := groupPatch(group, parser, ops, q)
		if err != nil {
			wantErrorStatus(t, err, 400)
			return
		}
		foldMembers(edit.Members)
		after, _, err = applyPatch(group, parser, Resource{"displayName": "g"}, edit.Attributes, q)
		if err != nil {
			wantErrorStatus(t, err, 400)
			return
		}
		checkCanonical(t, group, after)
	})
}
