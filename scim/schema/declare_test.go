package schema

import (
	"fmt"
	"strings"
	"testing"
)

func attribute(more string) string {
	return `{"id":"urn:example:acme:2.0:User","name":"Acme","attributes":[{"name":"badge"` + more + `}]}`
}

func TestParse(t *testing.T) {
	s, err := Parse([]byte(`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Schema"],"id":"urn:example:acme:2.0:User","name":"Acme","description":"D","meta":{},
		"attributes":[{"name":"badge","mutability":"immutable","caseExact":true},{"name":"desk","type":"complex","subAttributes":[{"name":"floor","type":"integer"},{"name":"$ref","type":"reference"}]},
		{"name":"tags","type":"string","multiValued":true,"returned":"request"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, a := range s.Attributes {
		got = append(got, fmt.Sprintln(a.Name, a.Kind, a.MultiValued, a.CaseExact, a.Mutability, a.Returned, a.Required, a.Path, len(a.Sub)))
	}
	want := `badge string false true immutable default false urn:example:acme:2.0:User/badge 0
desk complex false false readWrite default false urn:example:acme:2.0:User/desk 2
tags string true false readWrite request false urn:example:acme:2.0:User/tags 0
`
	if strings.Join(got, "") != want {
		t.Errorf("%v\nwant %s", got, want)
	}
	again, err := Parse(s.JSON())
	if err != nil || len(again.Attributes) != len(s.Attributes) {
		t.Errorf("what is shown cannot be declared: %v", err)
	}

	for text, want := range map[string]string{
		`{`:             "is not a Schema",
		`[]`:            "is not a Schema",
		`{"id":"x"} {}`: "followed",
		`{"ID":"urn:example:a","name":"n","unknown":1}`: "unknown",
		`{}`:            "needs an id",
		`{"id":"acme"}`: "is not a URN",
		`{"id":"urn:example:` + strings.Repeat("x", 100) + `"}`:                          "is not a URN",
		`{"id":"urn:example:a/b:User","name":"n"}`:                                       "is not a URN",
		`{"id":"urn:example:a+b:User","name":"n"}`:                                       "is not a URN",
		`{"id":"urn:ietf:params:SCIM:schemas:acme","name":"n"}`:                          "name space of the standard",
		`{"id":"urn:example:a"}`:                                                         "needs a name",
		`{"id":"urn:example:a","name":"n"}`:                                              "has no attributes",
		`{"id":"urn:example:a","name":"n","attributes":[{}]}`:                            "a name is",
		attribute(`,"type":"text"`):                                                      `no type "text"`,
		attribute(`,"mutability":"readOnly"`):                                            "readOnly",
		attribute(`,"mutability":"writeOnly"`):                                           "writeOnly",
		attribute(`,"mutability":"x"`):                                                   `no mutability "x"`,
		attribute(`,"returned":"never"`):                                                 "never",
		attribute(`,"returned":"x"`):                                                     `"x"`,
		attribute(`,"uniqueness":"server"`):                                              "uniqueness",
		attribute(`,"type":"complex"`):                                                   "needs sub-attributes",
		attribute(`,"subAttributes":[{"name":"a"}]`):                                     "only a complex",
		attribute(`,"type":"complex","subAttributes":[{"name":"a","type":"complex"}]`):   "cannot be complex",
		attribute(`,"type":"complex","subAttributes":[{"name":"a","multiValued":true}]`): "several values",
		attribute(`,"type":"complex","multiValued":true,"subAttributes":[{"name":"a","mutability":"immutable"}]`): "immutable",
		attribute(`,"type":"complex","subAttributes":[{"name":"a"},{"name":"A"}]`):                                "two attributes",
		attribute(`},{"name":"BADGE"`):                                    "two attributes",
		attribute(`},{"name":"1st"`):                                      "a name is",
		attribute(`},{"name":"a.b"`):                                      "a name is",
		attribute(`,"description":"` + strings.Repeat("x", 1001) + `"`):   "description",
		attribute(`,"description":"` + strings.Repeat("x", 70_000) + `"`): "longer than 65536",
		`{"id":"urn:example:a","name":"n","attributes":[` + strings.Repeat(`{"name":"a"},`, 100) + `{"name":"a"}]}`: "100 attributes",
	} {
		if _, err := Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.120s: %v, want something about %q", text, err, want)
		}
	}
}

func TestSchema_Extends(t *testing.T) {
	parse := func(attributes string) *Schema {
		s, err := Parse([]byte(`{"id":"urn:example:a","name":"n","attributes":[` + attributes + `]}`))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	earlier := parse(`{"name":"a"},{"name":"c","type":"complex","subAttributes":[{"name":"x"}]}`)
	for attributes, want := range map[string]string{
		`{"name":"a"},{"name":"c","type":"complex","subAttributes":[{"name":"x"}]}`:                                             "",
		`{"name":"b"},{"name":"a","description":"d"},{"name":"c","type":"complex","subAttributes":[{"name":"x"},{"name":"y"}]}`: "",
		`{"name":"a"}`: `"c" would be gone`,
		`{"name":"a","type":"integer"},{"name":"c","type":"complex","subAttributes":[{"name":"x"}]}`:             `"a" would be of another type`,
		`{"name":"a","multiValued":true},{"name":"c","type":"complex","subAttributes":[{"name":"x"}]}`:           `"a" would be of another type`,
		`{"name":"a","required":true},{"name":"c","type":"complex","subAttributes":[{"name":"x"}]}`:              `"a" cannot become required`,
		`{"name":"a"},{"name":"c","type":"complex","subAttributes":[{"name":"y"}]}`:                              `"c.x" would be gone`,
		`{"name":"a"},{"name":"c","type":"complex","subAttributes":[{"name":"x"}]},{"name":"n","required":true}`: `"n" cannot be required`,
	} {
		got := ""
		if err := parse(attributes).Extends(earlier); err != nil {
			got = err.Error()
		}
		if want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", attributes, got, want)
		}
	}
}

func TestRegistry_With(t *testing.T) {
	r := newRegistry(t)
	declare := func(kind, urn string) Declared {
		s, err := Parse([]byte(`{"id":"` + urn + `","name":"n","attributes":[{"name":"a","returned":"request"}]}`))
		if err != nil {
			t.Fatal(err)
		}
		return Declared{kind, s}
	}
	extended, err := r.With([]Declared{declare("User", "urn:example:u"), declare("Group", "urn:example:g")})
	if err != nil {
		t.Fatal(err)
	}
	if target, ok := extended.User.Resolve("URN:example:u:A"); !ok || target.Extension.URN != "urn:example:u" {
		t.Error("the attribute cannot be found")
	}
	if _, ok := r.User.Resolve("urn:example:u:a"); ok || r.User.Hides || len(r.User.Extensions) == len(extended.User.Extensions) {
		t.Error("the registry itself has changed")
	}
	if !extended.User.Hides || !extended.Group.Hides {
		t.Error("what is returned on request is not known to be hidden")
	}
	for name, declared := range map[string][]Declared{
		"License": {declare("License", "urn:example:l")},
		"another": {declare("User", "urn:example:x"), declare("Group", "URN:EXAMPLE:X")},
		"runs":    {declare("User", "urn:example:x"), declare("User", "urn:example:x:y")},
	} {
		if _, err := r.With(declared); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
