package scim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"usher/scim/schema"
)

// userBody is a user of about the size that identity providers send.
const userBody = `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],
"externalId":"0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef","userName":"ada.lovelace@contoso.example","active":true,"displayName":"Ada Lovelace",
"name":{"formatted":"Ada Lovelace","familyName":"Lovelace","givenName":"Ada"},"title":"Analyst","userType":"Employee","preferredLanguage":"en-GB",
"locale":"en-GB","timezone":"Europe/London",
"emails":[{"primary":true,"type":"work","value":"ada.lovelace@contoso.example"},{"type":"other","value":"ada@analytical.example"}],
"phoneNumbers":[{"type":"work","value":"+44 20 7946 0100"},{"type":"mobile","value":"+44 7700 900100"}],
"addresses":[{"type":"work","streetAddress":"12 St James's Square","locality":"London","postalCode":"SW1Y 4JH","country":"GB","formatted":"12 St James's Square, London"}],
"roles":[{"primary":true,"type":"WindowsAzureActiveDirectoryRole","value":"video-pro-plus","display":"Video Pro+"}],
"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"employeeNumber":"701984","department":"Research","costCenter":"4130","organization":"Contoso",
"manager":{"value":"01893a5c-1f6e-7000-8000-000000000001"}},
"urn:ietf:params:scim:schemas:extension:usher:2.0:User":{"license":"video-pro-plus"}}`

func testTypes(tb testing.TB) []*schema.ResourceType {
	tb.Helper()
	registry, err := schema.NewRegistry()
	if err != nil {
		tb.Fatal(err)
	}
	return []*schema.ResourceType{registry.User, registry.Group}
}

func testUser(tb testing.TB) *schema.ResourceType  { return testTypes(tb)[0] }
func testGroup(tb testing.TB) *schema.ResourceType { return testTypes(tb)[1] }

// object decodes JSON that is written down in a test.
func object(tb testing.TB, text string) map[string]any {
	tb.Helper()
	in, err := decodeObject([]byte(text), testDepth)
	if err != nil {
		tb.Fatalf("%s: %v", text, err)
	}
	return in
}

// normalised gives the document of a body, without its schemas and an empty usher extension, for comparison with what a test says.
func normalised(tb testing.TB, rt *schema.ResourceType, body string, off ...string) (string, error) {
	tb.Helper()
	r, err := normalise(rt, object(tb, body), newQuirks(off, false))
	if err != nil {
		return "", err
	}
	return short(tb, rt, r), nil
}

// short gives a resource's document without schemas and without an empty usher extension.
func short(tb testing.TB, rt *schema.ResourceType, r Resource) string {
	tb.Helper()
	checkCanonical(tb, rt, r)
	doc := string(encode(rt, r))
	doc = "{" + strings.TrimPrefix(doc[strings.IndexByte(doc, ']')+1:], ",")
	if rt.Name == "User" {
		empty := `"` + schema.UsherUserURN + `":{}}`
		doc = strings.Replace(strings.Replace(doc, ","+empty, "}", 1), empty, "}", 1)
	}
	doc = strings.ReplaceAll(doc, schema.EnterpriseURN, "enterprise")
	return strings.ReplaceAll(doc, schema.UsherUserURN, "usher")
}

// checkCanonical checks what holds of every resource: nothing is empty, nothing is unknown, and its document can be read back.
func checkCanonical(tb testing.TB, rt *schema.ResourceType, r Resource) {
	tb.Helper()
	for name, value := range r {
		if extension := rt.Extension(name); extension != nil {
			checkValues(tb, extension.Attributes, value.(map[string]any))
			continue
		}
		if name != "externalId" {
			checkValues(tb, rt.Core.Attributes, map[string]any{name: value})
		}
	}
	doc := encode(rt, r)
	if !json.Valid(doc) {
		tb.Fatalf("not JSON: %s", doc)
	}
	if rt.Name == "User" && !bytes.HasSuffix(doc, []byte("}}")) {
		tb.Fatalf("the document does not end with the usher extension: %s", doc)
	}
	back, err := decodeDocument(doc)
	if err != nil {
		tb.Fatalf("%s: %v", doc, err)
	}
	if diff := cmp.Diff(r, back); diff != "" {
		tb.Fatalf("the document reads back as another resource:\n%s", diff)
	}
}

func checkValues(tb testing.TB, attributes []*schema.Attribute, values map[string]any) {
	tb.Helper()
	if len(values) == 0 {
		tb.Fatal("an object is empty")
	}
	for name, value := range values {
		attr := attributeNamed(attributes, name)
		if attr == nil {
			tb.Fatalf("%q is not the name of an attribute", name)
		}
		if attr.Mutability == schema.ReadOnly || attr.Returned == schema.ReturnedNever || name == "members" {
			tb.Fatalf("%s is stored", name)
		}
		list, isList := value.([]any)
		if attr.MultiValued != isList || isList && len(list) == 0 {
			tb.Fatalf("%s is %#v", name, value)
		}
		if !isList {
			list = []any{value}
		}
		for _, item := range list {
			switch item := item.(type) {
			case map[string]any:
				checkValues(tb, attr.Sub, item)
			case string, bool, json.Number:
				if attr.Kind == schema.Complex {
					tb.Fatalf("%s is %#v", name, item)
				}
			default:
				tb.Fatalf("%s is %#v", name, item)
			}
		}
	}
}

func attributeNamed(attributes []*schema.Attribute, name string) *schema.Attribute {
	for _, attr := range attributes {
		if attr.Name == name {
			return attr
		}
	}
	return nil
}

func TestNormalise_Document(t *testing.T) {
	rt := testUser(t)
	r, err := normalise(rt, object(t, userBody), newQuirks(nil, false))
	if err != nil {
		t.Fatal(err)
	}
	if err := checkResource(rt, r); err != nil {
		t.Error(err)
	}
	want := `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User","urn:ietf:params:scim:schemas:extension:usher:2.0:User"],` +
		`"externalId":"0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef","userName":"ada.lovelace@contoso.example",` +
		`"name":{"formatted":"Ada Lovelace","familyName":"Lovelace","givenName":"Ada"},"displayName":"Ada Lovelace","title":"Analyst","userType":"Employee",` +
		`"preferredLanguage":"en-GB","locale":"en-GB","timezone":"Europe/London","active":true,` +
		`"emails":[{"value":"ada.lovelace@contoso.example","type":"work","primary":true},{"value":"ada@analytical.example","type":"other"}],` +
		`"phoneNumbers":[{"value":"+44 20 7946 0100","type":"work"},{"value":"+44 7700 900100","type":"mobile"}],` +
		`"addresses":[{"formatted":"12 St James's Square, London","streetAddress":"12 St James's Square","locality":"London","postalCode":"SW1Y 4JH","country":"GB","type":"work"}],` +
		`"roles":[{"value":"video-pro-plus","display":"Video Pro+","type":"WindowsAzureActiveDirectoryRole","primary":true}],` +
		`"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"employeeNumber":"701984","costCenter":"4130","organization":"Contoso","department":"Research","manager":{"value":"01893a5c-1f6e-7000-8000-000000000001"}},` +
		`"urn:ietf:params:scim:schemas:extension:usher:2.0:User":{"license":"video-pro-plus"}}`
	if diff := cmp.Diff(want, string(encode(rt, r))); diff != "" {
		t.Error(diff)
	}
}

func TestEncode_Text(t *testing.T) {
	rt := testUser(t)
	r := Resource{"userName": "<a href='x'>&\u2028\"\\\n\x01é😀"}
	if got, want := short(t, rt, r), `{"userName":"<a href='x'>&`+"\u2028"+`\"\\\n\u0001é😀"}`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestNormalise(t *testing.T) {
	rt := testUser(t)
	for _, test := range []struct{ name, body, want string }{
		{"names in any case", `{"SCHEMAS":["urn:ietf:params:scim:schemas:core:2.0:user"],"USERNAME":"a","Emails":[{"VALUE":"x","Type":"work"}],"NAME":{"GIVENNAME":"A"}}`,
			`{"userName":"a","name":{"givenName":"A"},"emails":[{"value":"x","type":"work"}]}`},
		{"unassigned", `{"userName":"a","title":null,"emails":null,"phoneNumbers":[],"name":{},"addresses":[null,{}],"roles":[{"value":null}],"` + schema.EnterpriseURN + `":null}`,
			`{"userName":"a"}`},
		{"not for clients to write", `{"id":"1","meta":{"resourceType":"User"},"groups":[{"value":"g"}],"password":"p","userName":"a","` + schema.UsherUserURN + `":{"effectiveLicense":"ringex","licenseState":"active"}}`,
			`{"userName":"a"}`},
		{"manager's name is read-only", `{"userName":"a","` + schema.EnterpriseURN + `":{"manager":{"value":"m","displayName":"M"}}}`,
			`{"userName":"a","enterprise":{"manager":{"value":"m"}}}`},
		{"URN in any case", `{"userName":"a","URN:IETF:params:scim:schemas:extension:Enterprise:2.0:user":{"DEPARTMENT":"d"}}`,
			`{"userName":"a","enterprise":{"department":"d"}}`},
		{"value twice", `{"emails":[{"value":"X@y","type":"work"},{"value":"x@Y","type":"WORK","display":"d"},{"value":"x@y","type":"home"}]}`,
			`{"emails":[{"value":"X@y","type":"work"},{"value":"x@y","type":"home"}]}`},
		{"equal addresses", `{"addresses":[{"locality":"L","type":"work"},{"type":"work","locality":"L"},{"type":"home","locality":"L"}]}`,
			`{"addresses":[{"locality":"L","type":"work"},{"locality":"L","type":"home"}]}`},
		{"one primary", `{"emails":[{"value":"a"},{"value":"b","primary":true},{"value":"c","primary":false}]}`,
			`{"emails":[{"value":"a"},{"value":"b","primary":true},{"value":"c","primary":false}]}`},
		{"text as sent", `{"userName":"  Ada ","displayName":"e\u0301"}`, `{"userName":"  Ada ","displayName":"` + "e\u0301" + `"}`},
		{"display without a value", `{"entitlements":[{"display":"d","type":"t","primary":true}],"roles":[{"display":"d"},{"display":"e"}]}`,
			`{"entitlements":[{"display":"d","type":"t","primary":true}],"roles":[{"display":"d"},{"display":"e"}]}`},
		{"type without a value", `{"emails":[{"type":"work","primary":true},{"value":"x"}]}`, `{"emails":[{"value":"x"}]}`},
		{"a list inside a string is text", `{"title":"[1]"}`, `{"title":"[1]"}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := normalised(t, rt, test.body)
			if err != nil {
				t.Fatal(err)
			}
			if got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestNormalise_Refused(t *testing.T) {
	rt := testUser(t)
	for _, test := range []struct{ name, body, scimType, detail string }{
		{"boolean", `{"active":"maybe"}`, invalidValue, `active must be true or false, not "maybe"`},
		{"boolean number", `{"active":1}`, invalidValue, `active must be true or false, not the number "1"`},
		{"boolean inside", `{"emails":[{"value":"x","primary":"yes"}]}`, invalidValue, `emails.primary must be true or false, not "yes"`},
		{"string", `{"userName":true}`, invalidValue, "userName must be a string, not true"},
		{"string object", `{"title":{"a":1}}`, invalidValue, "title must be a string, not an object"},
		{"string list", `{"title":["a","b"]}`, invalidValue, "title must be a string, not a list"},
		{"object", `{"name":"Ada"}`, invalidValue, `name must be an object, not "Ada"`},
		{"objects", `{"emails":[1]}`, invalidValue, `A single value of emails must be an object, not the number "1"`},
		{"list of objects", `{"emails":true}`, invalidValue, "A single value of emails must be an object, not true"},
		{"core URN", `{"userName":"a","` + schema.UserURN + `":false}`, invalidValue, schema.UserURN + ` must be an object`},
		{"core URN in itself", `{"userName":"a","` + schema.UserURN + `":{"` + schema.UserURN + `":{"active":false}}}`, invalidSyntax, "twice"},
		{"in the core URN's object and beside it", `{"userName":"a","active":true,"` + schema.UserURN + `":{"ACTIVE":false}}`, invalidSyntax, `"ACTIVE" is given twice`},
		{"sub-attribute", `{"emails":[{"value":{}}]}`, invalidValue, "emails.value must be a string, not an object"},
		{"empty userName", `{"userName":""}`, invalidValue, "userName"},
		{"extension", `{"` + schema.EnterpriseURN + `":"x"}`, invalidValue, "must be an object"},
		{"schemas", `{"schemas":"x","userName":"a"}`, invalidSyntax, "schemas"},
		{"schemas inside", `{"schemas":[1],"userName":"a"}`, invalidSyntax, "schemas"},
		{"too many values", `{"emails":[` + manyEmails(maxValues+1) + `]}`, invalidValue, "1000 values at most"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := normalised(t, rt, test.body)
			wantError(t, err, 400, test.scimType, test.detail)
		})
	}
	if _, err := normalised(t, rt, `{"emails":[`+manyEmails(maxValues)+`]}`); err != nil {
		t.Errorf("as many values as are allowed: %v", err)
	}
}

func manyEmails(n int) string {
	emails := make([]string, n)
	for i := range emails {
		emails[i] = fmt.Sprintf(`{"value":"%d@x.example"}`, i)
	}
	return strings.Join(emails, ",")
}

func TestNormalise_Group(t *testing.T) {
	rt := testGroup(t)
	body := `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"externalId":"e","displayName":"Sales","members":[{"value":"u1"}],"meta":{"resourceType":"Group"}}`
	r, err := normalise(rt, object(t, body), newQuirks(nil, false))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"externalId":"e","displayName":"Sales"}`
	if got := string(encode(rt, r)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestCheckResource(t *testing.T) {
	user, group := testUser(t), testGroup(t)
	for _, test := range []struct {
		name, body string
		rt         *schema.ResourceType
		detail     string // empty: nothing is wrong
	}{
		{"user", `{"userName":"a","active":false}`, user, ""},
		{"no userName", `{"displayName":"a"}`, user, "userName is required"},
		{"null userName", `{"displayName":"a"}`, user, "userName is required"},
		{"blank userName", `{"userName":"  "}`, user, "userName is required and may not be empty"},
		{"group", `{"displayName":"g"}`, group, ""},
		{"no displayName", `{"externalId":"g"}`, group, "displayName is required"},
		{"userName as long as it may be", `{"userName":"` + strings.Repeat("é", 512) + `"}`, user, ""},
		{"long userName", `{"userName":"` + strings.Repeat("é", 512) + `x"}`, user, "userName may have 1024 bytes at most"},
		{"long displayName", `{"userName":"a","displayName":"` + strings.Repeat("x", 1025) + `"}`, user, "displayName may have 1024 bytes at most"},
		{"long externalId", `{"userName":"a","externalId":"` + strings.Repeat("x", 1025) + `"}`, user, "externalId may have 1024 bytes at most"},
		{"control character in userName", `{"userName":"a\u0000b"}`, user, "userName may not have control characters"},
		{"another control character in userName", `{"userName":"a\u0085"}`, user, "userName may not have control characters"},
		{"control character in a person's displayName", `{"userName":"a","displayName":"a\tb"}`, user, ""},
		{"long name of a group", `{"displayName":"` + strings.Repeat("x", 1025) + `"}`, group, "displayName may have 1024 bytes at most"},
		{"long externalId of a group", `{"displayName":"g","externalId":"` + strings.Repeat("x", 1025) + `"}`, group, "externalId may have 1024 bytes at most"},
		{"control character in a group's displayName", `{"displayName":"a\nb"}`, group, "displayName may not have control characters"},
		{"certificate", `{"userName":"a","x509Certificates":[{"value":"?"}]}`, user, "x509Certificates.value"},
		{"certificate without padding", `{"userName":"a","x509Certificates":[{"value":"QQ"}]}`, user, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			r, err := normalise(test.rt, object(t, test.body), newQuirks(nil, false))
			if err != nil {
				t.Fatal(err)
			}
			err = checkResource(test.rt, r)
			if test.detail != "" {
				wantError(t, err, 400, invalidValue, test.detail)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}

func TestDecodeDocument_Refused(t *testing.T) {
	for _, doc := range []string{``, `[]`, `{"a":`, `"x"`} {
		_, err := decodeDocument([]byte(doc))
		wantErrorStatus(t, err, 500)
	}
}

// drawResource draws a resource in canonical form.
func drawResource(t *rapid.T, rt *schema.ResourceType) Resource {
	in := drawValues(t, rt.Core.Attributes)
	if rapid.Bool().Draw(t, "externalId") {
		in["externalId"] = rapid.StringN(1, 8, -1).Draw(t, "id")
	}
	for _, extension := range rt.Extensions {
		in[extension.URN] = drawValues(t, extension.Attributes)
	}
	for _, attr := range rt.Core.Attributes {
		if attr.Required {
			in[attr.Name] = rapid.StringMatching(`[a-z]{1,5}`).Draw(t, attr.Name)
		}
	}
	r, err := normalise(rt, in, newQuirks(nil, false))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func drawValues(t *rapid.T, attributes []*schema.Attribute) map[string]any {
	out := make(map[string]any)
	for _, attr := range attributes {
		if attr.Mutability == schema.ReadOnly || rapid.IntRange(0, 2).Draw(t, attr.Name+"?") > 0 {
			continue
		}
		if !attr.MultiValued {
			out[attr.Name] = drawValue(t, attr)
			continue
		}
		var list []any
		primary := false
		for range rapid.IntRange(0, 4).Draw(t, attr.Name+" n") {
			value := drawValue(t, attr)
			if m, ok := value.(map[string]any); ok && m["primary"] == true {
				if primary {
					m["primary"] = false
				}
				primary = true
			}
			list = append(list, value)
		}
		out[attr.Name] = list
	}
	return out
}

func drawValue(t *rapid.T, attr *schema.Attribute) any {
	switch attr.Kind {
	case schema.Complex:
		return drawValues(t, attr.Sub)
	case schema.Boolean:
		return rapid.Bool().Draw(t, attr.Name)
	case schema.Integer, schema.Decimal:
		return json.Number("1")
	}
	if attr.Name == "value" || attr.Name == "type" {
		return rapid.SampledFrom([]string{"a", "A", "b", "work", "{", "\u2028\"<"}).Draw(t, attr.Name)
	}
	return rapid.StringN(1, 6, -1).Draw(t, attr.Name)
}

func TestEncode_RoundTrip(t *testing.T) {
	for _, rt := range testTypes(t) {
		t.Run(rt.Name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				r := drawResource(t, rt)
				doc := encode(rt, r)
				back, err := decodeDocument(doc)
				if err != nil {
					t.Fatal(err)
				}
				if again := encode(rt, back); !bytes.Equal(doc, again) {
					t.Fatalf("not the same document:\n%s\n%s", doc, again)
				}
				// A client may send back what it got.
				in, err := decodeObject(doc, testDepth)
				if err != nil {
					t.Fatal(err)
				}
				same, err := normalise(rt, in, newQuirks(nil, false))
				if err != nil {
					t.Fatal(err)
				}
				if again := encode(rt, same); !bytes.Equal(doc, again) {
					t.Fatalf("not the same document:\n%s\n%s", doc, again)
				}
			})
		})
	}
}
