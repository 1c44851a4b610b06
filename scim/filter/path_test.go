package filter

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"usher/scim/schema"
	"usher/store/query"
)

func TestParser_Path(t *testing.T) {
	p, r := newParser(t)
	work := text("type", query.Equal, "work")
	tests := []struct {
		rt    *schema.ResourceType
		text  string
		name  string // the qualified name of the attribute, after its extension's URN; the URN alone for a bare one
		cond  query.Node
		stamp map[string]any
	}{
		{r.User, `active`, "active", nil, nil},
		{r.User, `DisplayName`, "displayName", nil, nil},
		{r.User, ` name.familyName `, "name.familyName", nil, nil},
		{r.User, `NAME.FAMILYNAME`, "name.familyName", nil, nil},
		{r.User, `externalId`, "externalId", nil, nil},
		{r.User, `id`, "id", nil, nil},
		{r.User, `meta.created`, "meta.created", nil, nil},
		{r.User, `password`, "password", nil, nil},
		{r.User, schema.UserURN + `:title`, "title", nil, nil},
		{r.User, strings.ToLower(schema.UserURN) + `:Name.givenName`, "name.givenName", nil, nil},
		{r.User, enterprise, enterprise, nil, nil},
		{r.User, strings.ToUpper(enterprise), enterprise, nil, nil},
		{r.User, enterprise + `:manager`, enterprise + ":manager", nil, nil},
		{r.User, enterprise + `:Manager.Value`, enterprise + ":manager.value", nil, nil},
		{r.User, usher + `:license`, usher + ":license", nil, nil},
		{r.Group, `members`, "members", nil, nil},
		{r.Group, `members[value eq "u1"]`, "members", exact("value", query.Equal, "u1"), map[string]any{"value": "u1"}},
		{r.Group, `members[value eq "u1" or value eq "u2"]`, "members",
			query.Or{exact("value", query.Equal, "u1"), exact("value", query.Equal, "u2")}, nil},
		{r.Group, `members[type eq "User"]`, "members", text("type", query.Equal, "user"), map[string]any{"type": "User"}},
		{r.Group, `members[$ref eq "../Users/1"]`, "members",
			query.Leaf{Path: "$ref", Op: query.Equal, Type: query.Reference, Value: "../Users/1"}, map[string]any{"$ref": "../Users/1"}},
		{r.User, `emails[type eq "work"]`, "emails", work, map[string]any{"type": "work"}},
		{r.User, `emails[type eq "work"].value`, "emails.value", work, map[string]any{"type": "work"}},
		{r.User, `Emails [ Type EQ "Work" ].Value`, "emails.value", work, map[string]any{"type": "Work"}},
		{r.User, schema.UserURN + `:emails[type eq "work"].value`, "emails.value", work, map[string]any{"type": "work"}},
		{r.User, `emails[type eq "work" and value eq "a\"]b"].display`, "emails.display",
			query.And{work, text("value", query.Equal, "a\"]b")}, map[string]any{"type": "work", "value": "a\"]b"}},
		{r.User, `emails[type eq "work" and (primary eq true)]`, "emails",
			query.And{work, truth("primary", "1")}, map[string]any{"type": "work", "primary": true}},
		{r.User, `emails[type eq "work" and type eq "work"]`, "emails", query.And{work, work}, map[string]any{"type": "work"}},
		{r.User, `emails[type eq "work" and type eq "home"]`, "emails", query.And{work, text("type", query.Equal, "home")}, nil},
		{r.User, `emails[type ne "work"].value`, "emails.value", query.Not{Node: work}, nil},
		{r.User, `emails[not (type eq "work")]`, "emails", query.Not{Node: work}, nil},
		{r.User, `emails[type pr]`, "emails", present("type"), nil},
		{r.User, `emails[type eq null].value`, "emails.value", query.Not{Node: present("type")}, nil},
		{r.User, `roles[primary eq "True"].value`, "roles.value", truth("primary", "1"), map[string]any{"primary": true}},
		{r.User, `roles[primary eq "False"].value`, "roles.value", truth("primary", "0"), map[string]any{"primary": false}},
		{r.User, `emails[type eq work].value`, "emails.value", work, map[string]any{"type": "work"}},
		{r.User, `addresses[type eq "work"].streetAddress`, "addresses.streetAddress", work, map[string]any{"type": "work"}},
		{r.User, `schemas[value eq "urn:x"]`, "schemas", text("value", query.Equal, "urn:x"), nil},
		{r.User, enterprise + `:manager[value eq "u2"].displayName`, enterprise + ":manager.displayName",
			text("value", query.Equal, "u2"), map[string]any{"value": "u2"}},
	}
	for _, test := range tests {
		for _, pass := range []string{"parsed", "cached"} {
			got, err := p.Path(test.text, test.rt, &all{})
			if err != nil {
				t.Errorf("%s: %s: %v", pass, test.text, err)
				continue
			}
			if name := nameOf(got.Target); name != test.name {
				t.Errorf("%s: %s: got %s, want %s", pass, test.text, name, test.name)
			}
			if diff := cmp.Diff(test.cond, got.Cond); diff != "" {
				t.Errorf("%s: %s: filter (-want +got):\n%s", pass, test.text, diff)
			}
			if diff := cmp.Diff(test.stamp, got.Stamp); diff != "" {
				t.Errorf("%s: %s: stamp (-want +got):\n%s", pass, test.text, diff)
			}
			clear(got.Stamp) // the caller's own: the next pass has it all again
		}
	}
}

func nameOf(target schema.Target) string {
	if target.Attribute == nil {
		return target.Extension.URN
	}
	name := target.Leaf().QualifiedName()
	if target.Extension != nil {
		name = target.Extension.URN + ":" + name
	}
	return name
}

// TestParser_Path_stampMatches: an element made of the stamp satisfies the filter that it was made from.
func TestParser_Path_stampMatches(t *testing.T) {
	p, r := newParser(t)
	for _, text := range []string{
		`emails[type eq "work"]`,
		`emails[type eq "Work" and primary eq true and value eq "ADA@Example.com"]`,
		`roles[primary eq "True"]`,
		`x509Certificates[value eq "TQ=="]`,
		`photos[value eq "https://example.com/A"]`,
	} {
		path, err := p.Path(text, r.User, &all{})
		if err != nil {
			t.Fatal(err)
		}
		element, err := json.Marshal(path.Stamp)
		if err != nil {
			t.Fatal(err)
		}
		if !query.MatchValue(path.Cond, element) {
			t.Errorf("%s: %s does not match", text, element)
		}
		if query.MatchValue(path.Cond, []byte(`{"type":"other","primary":false,"value":"x"}`)) {
			t.Errorf("%s matches anything", text)
		}
	}
}

func TestParser_Path_errors(t *testing.T) {
	p, r := newParser(t)
	tests := []struct {
		rt      *schema.ResourceType
		text    string
		want    string
		unknown bool
	}{
		{r.User, ``, `the path is empty`, false},
		{r.User, ` `, `the path is empty`, false},
		{r.User, "a\xff", `the path is not valid UTF-8`, false},
		{r.User, "a\x00", `the path has a control character at byte 2`, false},
		{r.User, strings.Repeat("a", 8<<10+1), `the path is longer than 8192 bytes`, false},
		{r.User, strings.Repeat("a", 200), `User has no attribute "` + strings.Repeat("a", 60) + `…"`, true},
		{r.User, `bogus`, `User has no attribute "bogus"`, true},
		{r.User, `manager`, `User has no attribute "manager"`, true},
		{r.User, `members`, `User has no attribute "members"`, true},
		{r.User, `name.bogus`, `User has no attribute "name.bogus"`, true},
		{r.User, `urn:example:Other:x`, `User has no attribute "urn:example:Other:x"`, true},
		{r.User, `bogus[type eq "work"].value`, `User has no attribute "bogus"`, true},
		{r.User, `emails[type eq "work"].bogus`, `emails has no sub-attribute "bogus"`, true},
		{r.User, `emails[bogus eq "work"].value`, `emails has no sub-attribute "bogus"`, true},
		{r.User, `name.`, `"name." is not the name of an attribute`, false},
		{r.User, `name familyName`, `"name familyName" is not the name of an attribute`, false},
		{r.User, `title eq "x"`, `"title eq \"x\"" is not the name of an attribute`, false},
		{r.User, `/name/familyName`, `"/name/familyName" is not the name of an attribute`, false},
		{r.User, `[type eq "work"]`, `"" is not the name of an attribute`, false},
		{r.User, `emails[type eq "work"`, `the bracket "[type eq \"work\"" is not closed`, false},
		{r.User, `emails[type eq "work]`, `the string "\"work]" is not closed`, false},
		{r.User, `emails[type[value pr]]`, `a filter in brackets cannot hold other brackets`, false},
		{r.User, `emails[]`, `"" is not a filter: comparisons such as userName eq "ada" are joined by and, or, not and parentheses`, false},
		{r.User, `emails[0]`, `"0" is not an attribute name`, false},
		{r.User, `emails[type eq work]`, `the value "work" must be in double quotes`, false},
		{r.User, `emails[primary eq "True"]`, `emails.primary is a boolean and cannot be compared with the string "True"`, false},
		{r.User, `emails[type eq "work"]value`, `"value" cannot follow the brackets in a path`, false},
		{r.User, `emails[type eq "work"].`, `"." cannot follow the brackets in a path`, false},
		{r.User, `emails[type eq "work"].value eq "x"`, `".value eq \"x\"" cannot follow the brackets in a path`, false},
		{r.User, `emails[type eq "work"][value pr]`, `"[value pr]" cannot follow the brackets in a path`, false},
		{r.User, `userName[value eq "x"]`, `"userName" has no values that a filter in brackets could select`, false},
		{r.User, `emails.value[value eq "x"]`, `"emails.value" has no values that a filter in brackets could select`, false},
		{r.User, enterprise + `[value eq "x"]`, `"` + enterprise + `" has no values that a filter in brackets could select`, false},
		{r.User, `schemas[type eq "x"]`, `the values of schemas are simple: they have no "type", only value`, true},
	}
	for _, test := range tests {
		_, err := p.Path(test.text, test.rt, nil)
		var e *Error
		if !errors.As(err, &e) {
			t.Errorf("%s: got %v", excerpt(test.text), err)
			continue
		}
		if e.Detail != test.want || e.Unknown != test.unknown {
			t.Errorf("%s:\n got %s, %v\nwant %s, %v", excerpt(test.text), e.Detail, e.Unknown, test.want, test.unknown)
		}
	}
}
