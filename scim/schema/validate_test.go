package schema

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/elimity-com/scim/optional"
	elimity "github.com/elimity-com/scim/schema"
)

func TestAttribute_Validate(t *testing.T) {
	r := newRegistry(t)
	tests := []struct {
		rt    *ResourceType
		name  string
		value string // JSON
		want  string // the error; empty for none
	}{
		{r.User, "userName", `"ada"`, ""},
		{r.User, "userName", `5`, "userName must be a string"},
		{r.User, "userName", `["ada"]`, "userName must be a string"},
		{r.User, "active", `true`, ""},
		{r.User, "active", `"True"`, "active must be a boolean, true or false"},
		{r.User, "active", `1`, "active must be a boolean, true or false"},
		{r.User, "profileUrl", `"https://example.com/ada"`, ""},
		{r.User, "profileUrl", `{}`, "profileUrl must be a URI in a string"},
		{r.User, "name", `{"givenName":"Ada","familyName":"Lovelace"}`, ""},
		{r.User, "name", `{"givenName":false}`, "name.givenName must be a string"},
		{r.User, "name", `"Ada"`, "name must be an object"},
		{r.User, "name", `{"unknown":5}`, ""},
		{r.User, "emails", `[{"value":"ada@example.com","type":"a type of our own","primary":true}]`, ""},
		{r.User, "emails", `[]`, ""},
		{r.User, "emails", `{"value":"ada@example.com"}`, "emails must be an array"},
		{r.User, "emails", `["ada@example.com"]`, "each value of emails must be an object"},
		{r.User, "emails", `[{"value":"a"},{"value":5}]`, "emails.value must be a string"},
		{r.User, "emails", `[{"value":"a","primary":"true"}]`, "emails.primary must be a boolean, true or false"},
		{r.User, "emails", `[null]`, "each value of emails must be an object"},
		{r.User, "x509Certificates", `[{"value":"TWFu"},{"value":"TWE="},{"value":"TQ=="}]`, ""},
		{r.User, "x509Certificates", `[{"value":"TWE"},{"value":"TQ"}]`, ""},
		{r.User, "x509Certificates", `[{"value":"TWFuT"}]`, "x509Certificates.value must be base64 in a string, without line breaks"},
		{r.User, "x509Certificates", `[{"value":"TQ="}]`, "x509Certificates.value must be base64 in a string, without line breaks"},
		{r.User, "x509Certificates", `[{"value":"_-8="}]`, "x509Certificates.value must be base64 in a string, without line breaks"},
		{r.User, "x509Certificates", `[{"value":"TWFu\nTWFu"}]`, "x509Certificates.value must be base64 in a string, without line breaks"},
		{r.User, "x509Certificates", `[{"value":7}]`, "x509Certificates.value must be base64 in a string, without line breaks"},
		{r.User, EnterpriseURN + ":manager", `{"value":["x"]}`, "manager.value must be a string"},
		{r.User, UsherUserURN + ":license", `"anything"`, ""},
		{r.User, UsherUserURN + ":licenseSources", `["a",5]`, "each value of licenseSources must be a string"},
		{r.License, UsherLicense + ":total", `5`, ""},
		{r.License, UsherLicense + ":total", `9007199254740993`, ""},
		{r.License, UsherLicense + ":total", `5.5`, "total must be a whole number"},
		{r.License, UsherLicense + ":total", `5e3`, "total must be a whole number"},
		{r.License, UsherLicense + ":total", `99999999999999999999`, "total must be a whole number"},
		{r.License, UsherLicense + ":total", `"5"`, "total must be a whole number"},
		{r.User, "meta", `{"created":"2008-01-23T04:56:22Z"}`, ""},
		{r.User, "meta", `{"created":"2008-01-23T04:56:22.123+05:30"}`, ""},
		{r.User, "meta", `{"created":"2008-01-23T04:56:22"}`, "meta.created must be a dateTime with a time zone, such as 2008-01-23T04:56:22Z"},
		{r.User, "meta", `{"created":"-0001-01-23T04:56:22Z"}`, "meta.created must be a dateTime with a time zone, such as 2008-01-23T04:56:22Z"},
		{r.User, "meta", `{"created":"2008-01-23"}`, "meta.created must be a dateTime with a time zone, such as 2008-01-23T04:56:22Z"},
		{r.User, "meta", `{"created":0}`, "meta.created must be a dateTime with a time zone, such as 2008-01-23T04:56:22Z"},
	}
	for _, test := range tests {
		target, ok := test.rt.Resolve(test.name)
		if !ok {
			t.Fatalf("%s does not resolve", test.name)
		}
		check(t, target.Leaf(), test.value, test.want)
	}
}

func TestAttribute_Validate_decimal(t *testing.T) {
	core := elimity.Schema{
		ID: "urn:example:score", Name: optional.NewString("Score"),
		Attributes: elimity.Attributes{elimity.SimpleCoreAttribute(elimity.SimpleNumberParams(elimity.NumberParams{
			Name: "score", Type: elimity.AttributeTypeDecimal(),
		}))},
	}
	rt, err := newResourceType(ResourceType{Name: "Score"}, core)
	if err != nil {
		t.Fatal(err)
	}
	a := rt.Core.Attribute("score")
	check(t, a, `5`, "")
	check(t, a, `-5.25e2`, "")
	check(t, a, `1e999`, "score must be a number")
	check(t, a, `"5"`, "score must be a number")
}

func check(t *testing.T, a *Attribute, value, want string) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(value))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	got := ""
	if err := a.Validate(v); err != nil {
		got = err.Error()
	}
	if got != want {
		t.Errorf("%s: %s: got %q, want %q", a.QualifiedName(), value, got, want)
	}
}
