package filter

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"usher/scim/schema"
	"usher/store/query"
)

const (
	enterprise = schema.EnterpriseURN
	usher      = schema.UsherUserURN
)

// all allows every quirk and records those asked for; nil allows none.
type all struct{ asked []string }

func (q *all) Allow(quirk string) bool {
	q.asked = append(q.asked, quirk)
	return true
}

func newParser(t testing.TB) (*Parser, *schema.Registry) {
	t.Helper()
	r, err := schema.NewRegistry()
	if err != nil {
		t.Fatal(err)
	}
	p := NewParser(8<<10, 32)
	p.Base = "https://example.com"
	return p, r
}

// Short forms of the nodes that the tables expect.

func text(path string, op query.Op, value string) query.Leaf {
	return query.Leaf{Path: path, Op: op, Type: query.String, Fold: true, Value: value}
}

func exact(path string, op query.Op, value string) query.Leaf {
	return query.Leaf{Path: path, Op: op, Type: query.String, Value: value}
}

func truth(path, value string) query.Leaf {
	return query.Leaf{Path: path, Op: query.Equal, Type: query.Boolean, Value: value}
}

func instant(path string, op query.Op, value string) query.Leaf {
	return query.Leaf{Path: path, Op: op, Type: query.DateTime, Value: value}
}

func present(path string) query.Leaf {
	return query.Leaf{Path: path, Op: query.Present, Type: query.String, Fold: true}
}

func some(path string) query.Leaf { return query.Leaf{Path: path, Op: query.Present} }

func whole(t *testing.T, path string, op query.Op, literal string) query.Leaf {
	t.Helper()
	value, err := query.Canonical(query.Integer, false, literal)
	if err != nil {
		t.Fatal(err)
	}
	return query.Leaf{Path: path, Op: op, Type: query.Integer, Value: value}
}

func TestParser_Filter(t *testing.T) {
	p, r := newParser(t)
	work := text("type", query.Equal, "work")
	tests := []struct {
		rt   *schema.ResourceType
		text string
		want query.Node
	}{
		// What identity providers send.
		{r.User, `userName eq "ada@contoso.example"`, text("userName", query.Equal, "ada@contoso.example")},
		{r.User, `userName eq "ADA@Contoso.example"`, text("userName", query.Equal, "ada@contoso.example")},
		{r.User, `username Eq "po"`, text("userName", query.Equal, "po")},
		{r.User, `userName eq "o'brien#EXT#@x.example"`, text("userName", query.Equal, "o'brien#ext#@x.example")},
		{r.User, `userName eq "josé.ß@münchen.example"`, text("userName", query.Equal, "josé.ss@münchen.example")},
		{r.User, `externalId eq "E-1"`, exact("externalId", query.Equal, "E-1")},
		{r.User, `id eq "u1" and externalId eq "E-1"`, query.And{exact("@id", query.Equal, "u1"), exact("externalId", query.Equal, "E-1")}},
		{r.Group, `id eq "g1" and members eq "u1"`, query.And{exact("@id", query.Equal, "g1"), exact("@members", query.Equal, "u1")}},
		{r.Group, `displayName eq "Video Pro+"`, text("displayName", query.Equal, "video pro+")},
		{r.User, `emails.value Co "po."`, text("emails/value", query.Contains, "po.")},
		{r.User, `userName EQ "po" AND active eq true and name.givenName pr`, query.And{
			text("userName", query.Equal, "po"), truth("active", "1"), present("name/givenName")}},
		{r.User, enterprise + `:manager eq "u2"`, text(enterprise+"/manager/value", query.Equal, "u2")},
		{r.User, usher + `:licenseState eq "waiting"`, text("@licenseState", query.Equal, "waiting")},

		// Names.
		{r.User, strings.ToUpper(schema.UserURN) + `:USERNAME eq "a"`, text("userName", query.Equal, "a")},
		{r.User, schema.UserURN + `:name.familyName sw "L"`, text("name/familyName", query.StartsWith, "l")},
		{r.User, enterprise + `:department ew "Dev"`, text(enterprise+"/department", query.EndsWith, "dev")},
		{r.User, enterprise + `:manager.value pr`, present(enterprise + "/manager/value")},
		{r.User, enterprise + `:manager.$ref eq "../Users/1"`, query.Leaf{
			Path: enterprise + "/manager/$ref", Op: query.Equal, Type: query.Reference, Value: "../Users/1"}},
		{r.User, `emails eq "a@b.example"`, text("emails/value", query.Equal, "a@b.example")},
		{r.User, `groups eq "g1"`, exact("@groups", query.Equal, "g1")},
		{r.User, `groups.value eq "g1"`, exact("@groups", query.Equal, "g1")},
		{r.User, `schemas eq "` + strings.ToUpper(usher) + `"`, text("schemas", query.Equal, query.Fold(usher))},
		{r.User, usher + `:licenseSources eq "rule:ringex"`, text("@source", query.Equal, "rule:ringex")},
		{r.User, usher + `:effectiveLicense eq "RingEX"`, text("@effective", query.Equal, "ringex")},
		{r.User, usher + `:memberType eq "guest" or ` + usher + `:assignedRole eq "standard"`, query.Or{
			text("@memberType", query.Equal, "guest"), text("@role", query.Equal, "standard")}},

		// Operators and precedence.
		{r.User, `title ne "x"`, query.Not{Node: text("title", query.Equal, "x")}},
		{r.User, `title gt "x"`, text("title", query.Greater, "x")},
		{r.User, `title GE "x"`, text("title", query.GreaterEqual, "x")},
		{r.User, `title lt "x"`, text("title", query.Less, "x")},
		{r.User, `title Le "x"`, text("title", query.LessEqual, "x")},
		{r.User, `title pr and not (active eq false) or userType eq "x"`, query.Or{
			query.And{present("title"), query.Not{Node: truth("active", "0")}}, text("userType", query.Equal, "x")}},
		{r.User, `title pr and NOT(active eq false)`, query.And{present("title"), query.Not{Node: truth("active", "0")}}},
		{r.User, `title pr or title pr and title pr or title pr`, query.Or{
			present("title"), query.And{present("title"), present("title")}, present("title")}},
		{r.User, `(title pr or locale pr) and (timezone pr and (nickName pr))`, query.And{
			query.Or{present("title"), present("locale")}, present("timezone"), present("nickName")}},
		{r.User, `  ( title   pr  )  `, present("title")},
		{r.User, `not (not (title pr))`, query.Not{Node: query.Not{Node: present("title")}}},

		// Literals.
		{r.User, `title eq "x\"y\\\t\u00e9\u00E9\ud83d\ude00"`, text("title", query.Equal, "x\"y\\\téé😀")},
		{r.User, `title eq "(a [b] and not"`, text("title", query.Equal, "(a [b] and not")},
		{r.User, `title eq ""`, text("title", query.Equal, "")},
		{r.User, `title eq null`, query.Not{Node: present("title")}},
		{r.User, `title NE Null`, present("title")},
		{r.User, `active eq TRUE`, truth("active", "1")},
		{r.User, `active ne false`, query.Not{Node: truth("active", "0")}},
		{r.User, `meta.lastModified gt "2011-05-13T04:42:34Z"`, instant("@modified", query.Greater, "2011-05-13T04:42:34.000000000Z")},
		{r.User, `meta.created le "2011-05-13T04:42:34.5+02:00"`, instant("@created", query.LessEqual, "2011-05-13T02:42:34.500000000Z")},
		{r.License, schema.UsherLicense + `:total ge 5`, whole(t, schema.UsherLicense+"/total", query.GreaterEqual, "5")},
		{r.License, schema.UsherLicense + `:total eq -1.5e3`, whole(t, schema.UsherLicense+"/total", query.Equal, "-1.5e3")},
		{r.User, `meta.version eq "W/\"3.1\""`, exact("@version", query.Equal, "3.1")},
		{r.User, `meta.version ne "3.1"`, query.Not{Node: exact("@version", query.Equal, "3.1")}},
		{r.User, `meta.resourceType eq "User"`, query.And{}},
		{r.User, `meta.resourceType eq "Group"`, query.Or{}},
		{r.User, `meta.resourceType sw "U" and title pr`, query.And{present("title")}},
		{r.User, `meta.resourceType eq null`, query.Not{Node: query.And{}}},
		{r.User, `meta pr`, query.And{}},
		{r.User, `x509Certificates eq "TQ=="`, query.Leaf{Path: "x509Certificates/value", Op: query.Equal, Type: query.Binary, Value: "TQ=="}},

		// Presence of complex attributes.
		{r.User, `emails pr`, some("emails")},
		{r.User, `name pr`, some("name")},
		{r.User, `emails eq null`, query.Not{Node: some("emails")}},
		{r.Group, `members pr`, some("@members")},

		// Value paths.
		{r.User, `emails[type eq "work"]`, query.Element{Path: "emails", Cond: work}},
		{r.User, `emails[type eq "work" and value co "@example.com"]`, query.Element{Path: "emails",
			Cond: query.And{work, text("value", query.Contains, "@example.com")}}},
		{r.User, `emails[type eq "work" and value co "]" and primary eq true]`, query.Element{Path: "emails",
			Cond: query.And{work, text("value", query.Contains, "]"), truth("primary", "1")}}},
		{r.User, `emails[(type eq "work" or type eq "home") and not (value ew ".example") and display pr]`, query.Element{Path: "emails",
			Cond: query.And{query.Or{work, text("type", query.Equal, "home")},
				query.Not{Node: text("value", query.EndsWith, ".example")}, present("display")}}},
		{r.User, `emails[not (type eq "work") and not (type eq "home")]`, query.Element{Path: "emails",
			Cond: query.And{query.Not{Node: work}, query.Not{Node: text("type", query.Equal, "home")}}}},
		{r.User, `emails[type ne "work"]`, query.Element{Path: "emails", Cond: query.Not{Node: work}}},
		{r.User, `EMAILS [ TYPE Eq "work" ]`, query.Element{Path: "emails", Cond: work}},
		{r.User, `title pr and (emails[type eq "work"] or not (ims[type eq "xmpp"]))`, query.And{present("title"), query.Or{
			query.Element{Path: "emails", Cond: work},
			query.Not{Node: query.Element{Path: "ims", Cond: text("type", query.Equal, "xmpp")}}}}},
		{r.User, schema.UserURN + `:emails[type eq "work"]`, query.Element{Path: "emails", Cond: work}},
		{r.User, enterprise + `:manager[value eq "u2"]`, query.Element{Path: enterprise + "/manager", Cond: text("value", query.Equal, "u2")}},
		{r.User, usher + `:licenseSources[value sw "rule:"]`, query.Element{Path: "@source", Cond: text("value", query.StartsWith, "rule:")}},
		{r.Group, `members[value eq "u1"]`, exact("@members", query.Equal, "u1")},
		{r.Group, `members[type eq "User" and value eq "u1"]`, query.And{exact("@members", query.Equal, "u1"),
			query.Element{Path: "@members[]", Cond: query.And{text("type", query.Equal, "user"), exact("value", query.Equal, "u1")}}}},
		{r.Group, `members.display co "Ada"`, query.Element{Path: "@members[]", Cond: text("display", query.Contains, "ada")}},
		{r.Group, `members.type ne "User"`, query.Not{Node: query.Element{Path: "@members[]", Cond: text("type", query.Equal, "user")}}},
		{r.User, `groups.display eq "Dev"`, query.Element{Path: "@groups[]", Cond: text("display", query.Equal, "dev")}},
		{r.User, `groups.type pr`, query.Leaf{Path: "@groups", Op: query.Present, Type: query.String}},
		{r.User, `meta.location eq "https://example.com/Users/1"`, exact("@id", query.Equal, "1")},
		{r.User, `meta.location eq "/Users/1"`, exact("@id", query.Equal, "1")},
		{r.User, `meta.location eq "https://example.com/Groups/1"`, query.Or{}},
		{r.User, `meta.location pr`, query.And{}},
		{r.Group, `members.$ref ew "/Users/1"`, query.Element{Path: "@members[]", Cond: query.Or{
			query.And{exact("type", query.Equal, "User"), exact("value", query.Equal, "1")}, query.And{exact("type", query.Equal, "Group"), query.Or{}}}}},
		{r.User, `schemas[value eq "urn:x"]`, query.Element{Path: "schemas", Cond: text("value", query.Equal, "urn:x")}},
	}
	for _, test := range tests {
		for _, pass := range []string{"parsed", "cached"} {
			got, err := p.Filter(test.text, test.rt, nil)
			if err != nil {
				t.Errorf("%s: %s: %v", pass, test.text, err)
				continue
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("%s: %s (-want +got):\n%s", pass, test.text, diff)
			}
		}
	}
}

func TestParser_Filter_quirks(t *testing.T) {
	p, r := newParser(t)
	work := text("type", query.Equal, "work")
	tests := []struct {
		text  string
		quirk string
		want  query.Node
		off   string // the error when the quirk is off
	}{
		{`userName eq ada`, QuirkUnquotedLiteral, text("userName", query.Equal, "ada"),
			`the value "ada" must be in double quotes`},
		{`userName eq Ada@Example.com and active eq true`, QuirkUnquotedLiteral,
			query.And{text("userName", query.Equal, "ada@example.com"), truth("active", "1")},
			`the value "Ada@Example.com" must be in double quotes`},
		{`emails[value eq ada+1@example.com]`, QuirkUnquotedLiteral,
			query.Element{Path: "emails", Cond: text("value", query.Equal, "ada+1@example.com")},
			`the value "ada+1@example.com" must be in double quotes`},
		{`externalId eq 007`, QuirkUnquotedLiteral, exact("externalId", query.Equal, "007"),
			`the value "007" must be in double quotes`},
		{`externalId eq 4711`, QuirkUnquotedLiteral, exact("externalId", query.Equal, "4711"),
			`externalId is a string and cannot be compared with the number 4711`},
		{`externalId eq True`, QuirkUnquotedLiteral, exact("externalId", query.Equal, "True"),
			`externalId is a string and cannot be compared with the boolean True`},
		{`emails[type eq "work"].value eq "x"`, QuirkValuePathTail,
			query.Element{Path: "emails", Cond: query.And{work, text("value", query.Equal, "x")}},
			`a sub-attribute cannot follow the brackets in a filter; put the comparison "value eq \"x\"" into them`},
		{`emails[type eq "work" or type eq "home"].value eq "a ] b" and title pr`, QuirkValuePathTail,
			query.And{query.Element{Path: "emails", Cond: query.And{query.Or{work, text("type", query.Equal, "home")},
				text("value", query.Equal, "a ] b")}}, present("title")},
			`a sub-attribute cannot follow the brackets in a filter; put the comparison "value eq \"a ] b\"" into them`},
		{`emails[type eq "work" and primary eq true].value sw "x"`, QuirkValuePathTail,
			query.Element{Path: "emails", Cond: query.And{work, truth("primary", "1"), text("value", query.StartsWith, "x")}},
			`a sub-attribute cannot follow the brackets in a filter; put the comparison "value sw \"x\"" into them`},
		{`emails[type eq "work"].primary EQ true`, QuirkValuePathTail,
			query.Element{Path: "emails", Cond: query.And{work, truth("primary", "1")}},
			`a sub-attribute cannot follow the brackets in a filter; put the comparison "primary EQ true" into them`},
		{`emails[type eq "work"].value pr`, QuirkValuePathTail,
			query.Element{Path: "emails", Cond: query.And{work, present("value")}},
			`a sub-attribute cannot follow the brackets in a filter; put the comparison "value pr" into them`},
		{`roles[primary eq "True"]`, QuirkQuotedBoolean, query.Element{Path: "roles", Cond: truth("primary", "1")},
			`roles.primary is a boolean and cannot be compared with the string "True"`},
		{`active eq "false"`, QuirkQuotedBoolean, truth("active", "0"),
			`active is a boolean and cannot be compared with the string "false"`},
		{`id eq "u1" and manager eq "u2"`, QuirkExtensionAtTop,
			query.And{exact("@id", query.Equal, "u1"), text(enterprise+"/manager/value", query.Equal, "u2")},
			`User has no attribute "manager"`},
		{`department eq "Dev"`, QuirkExtensionAtTop, text(enterprise+"/department", query.Equal, "dev"),
			`User has no attribute "department"`},
		{`licenseState eq "waiting"`, QuirkExtensionAtTop, text("@licenseState", query.Equal, "waiting"),
			`User has no attribute "licenseState"`},
		{`manager[value eq "u2"]`, QuirkExtensionAtTop,
			query.Element{Path: enterprise + "/manager", Cond: text("value", query.Equal, "u2")},
			`User has no attribute "manager"`},
	}
	for _, test := range tests {
		for _, pass := range []string{"parsed", "cached"} {
			q := &all{}
			got, err := p.Filter(test.text, r.User, q)
			if err != nil {
				t.Errorf("%s: %s: %v", pass, test.text, err)
				continue
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("%s: %s (-want +got):\n%s", pass, test.text, diff)
			}
			if diff := cmp.Diff([]string{test.quirk}, q.asked); diff != "" {
				t.Errorf("%s: %s: quirks (-want +got):\n%s", pass, test.text, diff)
			}
			wantError(t, p, r.User, test.text, test.off)
		}
	}
}

// wantError checks that a filter is refused, without quirks, in the words given.
func wantError(t *testing.T, p *Parser, rt *schema.ResourceType, text, want string) {
	t.Helper()
	n, err := p.Filter(text, rt, nil)
	var e *Error
	if !errors.As(err, &e) || n != nil {
		t.Errorf("%s: got %v, %v", excerpt(text), n, err)
		return
	}
	if e.Detail != want {
		t.Errorf("%s:\n got %s\nwant %s", excerpt(text), e.Detail, want)
	}
}

func TestParser_Filter_errors(t *testing.T) {
	p, r := newParser(t)
	noFilter := ` is not a filter: comparisons such as userName eq "ada" are joined by and, or, not and parentheses`
	tests := []struct {
		rt   *schema.ResourceType
		text string
		want string
	}{
		// Text.
		{r.User, ``, `the filter is empty`},
		{r.User, `   `, `the filter is empty`},
		{r.User, "userName eq \"a\xff\"", `the filter is not valid UTF-8`},
		{r.User, "userName eq \"a\tb\"", `the filter has a control character at byte 15`},
		{r.User, "userName\neq \"a\"", `the filter has a control character at byte 9`},
		{r.User, `userName eq "` + strings.Repeat("a", 8<<10) + `"`, `the filter is longer than 8192 bytes`},
		{r.User, `userName eq "ada`, `the string "\"ada" is not closed`},
		{r.User, `userName eq "ada\"`, `the string "\"ada\\\"" is not closed`},
		{r.User, `userName eq "\x41"`, `the string "\"\\x41\"" has an invalid escape`},
		{r.User, `userName eq "\ud83d"`, `the string "\"\\ud83d\"" has an invalid escape`},

		// Grammar.
		{r.User, `userName`, `"userName"` + noFilter},
		{r.User, `userName eq`, `"userName eq"` + noFilter},
		{r.User, `eq "ada"`, `"eq \"ada\""` + noFilter},
		{r.User, `userName "ada"`, `"userName \"ada\""` + noFilter},
		{r.User, `userName eq"ada"`, `"userName eq\"ada\""` + noFilter},
		{r.User, `userName eq "ada""b"`, `"userName eq \"ada\"\"b\""` + noFilter},
		{r.User, `userName eq "ada"and active eq true`, `"userName eq \"ada\"and active eq true"` + noFilter},
		{r.User, `userName eq "ada" and`, `"userName eq \"ada\" and"` + noFilter},
		{r.User, `and userName eq "ada"`, `"and userName eq \"ada\""` + noFilter},
		{r.User, `userName eq "ada" userName eq "ada"`, `"userName eq \"ada\" userName eq \"ada\""` + noFilter},
		{r.User, `title pr title pr`, `"title pr title pr"` + noFilter},
		{r.User, `not title pr`, `"not title pr"` + noFilter},
		{r.User, `()`, `"()"` + noFilter},
		{r.User, `(title pr`, `"(title pr"` + noFilter},
		{r.User, `title pr)`, `the filter closes a parenthesis that was not opened`},
		{r.User, `title pr]`, `the filter closes a bracket that was not opened`},
		{r.User, `title is "x"`, `"is" is not an operator; eq, ne, co, sw, ew, gt, ge, lt, le and pr are`},
		{r.User, `title eqq "x"`, `"eqq" is not an operator; eq, ne, co, sw, ew, gt, ge, lt, le and pr are`},
		{r.User, `tït\u00e9 pr`, `"tït\\u00e9" is not an attribute name`},
		{r.User, `1title pr`, `"1title" is not an attribute name`},
		{r.User, `title. pr`, `"title." is not an attribute name`},
		{r.User, `title eq 'x'`, `the value "'x'" must be in double quotes`},
		{r.User, `title eq 01`, `the value "01" must be in double quotes`},

		// Value paths.
		{r.User, `emails[type eq "work"`, `the bracket "[type eq \"work\"" is not closed`},
		{r.User, `emails[type eq "work]`, `the string "\"work]" is not closed`},
		{r.User, `emails[]`, `""` + noFilter},
		{r.User, `[type eq "work"]`, `brackets must follow the name of an attribute`},
		{r.User, `emails eq [type eq "work"]`, `brackets must follow the name of an attribute`},
		{r.User, `emails[type eq "work"][value pr]`, `brackets must follow the name of an attribute`},
		{r.User, `emails[type[value pr]]`, `a filter in brackets cannot hold other brackets`},
		{r.User, `emails[type eq "a") or (value eq "b"]`, `the filter closes a parenthesis that was not opened`},
		{r.User, `emails[type eq "work"]title pr`, `"emails[type eq \"work\"]title pr"` + noFilter},
		{r.User, `emails[type eq "work"].value`, `".value" after the brackets is not a comparison`},
		{r.User, `emails[type eq "work"].value eq`, `".value eq" after the brackets is not a comparison`},
		{r.User, `emails[type eq "work"].value is "x"`, `".value is \"x\"" after the brackets is not a comparison`},
		{r.User, `emails[bogus eq "x"]`, `emails has no sub-attribute "bogus"`},
		{r.User, `emails[emails.value eq "x"]`, `emails has no sub-attribute "emails.value"`},
		{r.User, `bogus[type eq "x"]`, `User has no attribute "bogus"`},
		{r.User, `userName[value eq "x"]`, `userName has no sub-attributes that a filter in brackets could name`},
		{r.User, `emails.value[type eq "x"]`, `emails.value has no sub-attributes that a filter in brackets could name`},
		{r.User, `schemas[type eq "x"]`, `the values of schemas are simple: they have no "type", only value`},
		{r.User, `meta[created pr]`, `meta cannot be filtered by brackets; name its sub-attributes instead, such as meta.resourceType`},

		// Attributes and types.
		{r.User, `bogus eq "x"`, `User has no attribute "bogus"`},
		{r.User, `userName.value eq "x"`, `User has no attribute "userName.value"`},
		{r.User, `emails.bogus eq "x"`, `User has no attribute "emails.bogus"`},
		{r.User, `urn:example:Other:x eq "x"`, `User has no attribute "urn:example:Other:x"`},
		{r.Group, `userName eq "x"`, `Group has no attribute "userName"`},
		{r.User, strings.Repeat("a", 300) + ` pr`, `no attribute has the name "` + strings.Repeat("a", 60) + `…"`},
		{r.User, enterprise + ` pr`, enterprise + ` is a schema, not an attribute`},
		{r.User, `password eq "secret"`, `password cannot be used in a filter`},
		{r.User, `password pr`, `password cannot be used in a filter`},
		{r.User, `password eq null`, `password cannot be used in a filter`},
		{r.User, `name eq "x"`, `name is complex: compare one of its sub-attributes, such as name.formatted`},
		{r.User, `addresses eq "x"`, `addresses is complex: compare one of its sub-attributes, such as addresses.formatted`},
		{r.User, `meta eq "x"`, `meta is complex: compare one of its sub-attributes, such as meta.resourceType`},
		{r.User, `meta.resourceType eq 5`, `meta.resourceType is a string and cannot be compared with the number 5`},
		{r.User, `active gt true`, `active is a boolean and cannot be compared by gt`},
		{r.User, `active co true`, `active is a boolean and cannot be compared by co`},
		{r.User, `x509Certificates.value le "TQ=="`, `x509Certificates.value is a binary value and cannot be compared by le`},
		{r.User, `x509Certificates.value co "TQ=="`, `x509Certificates.value is a binary value and cannot be compared by co`},
		{r.User, `meta.created sw "2011"`, `meta.created is a dateTime and cannot be compared by sw`},
		{r.License, schema.UsherLicense + `:total co 5`, `total is an integer and cannot be compared by co`},
		{r.License, schema.UsherLicense + `:total eq "5"`, `total is an integer and cannot be compared with the string "5"`},
		{r.User, `userName eq 5`, `userName is a string and cannot be compared with the number 5`},
		{r.User, `userName gt null`, `null can be compared by eq and ne only, not by gt`},
		{r.User, `active eq "yes"`, `active is a boolean and cannot be compared with the string "yes"`},
		{r.User, `active eq 1`, `active is a boolean and cannot be compared with the number 1`},
		{r.User, `meta.created gt "yesterday"`, `meta.created is a dateTime and cannot be compared with the string "yesterday"`},
	}
	for _, test := range tests {
		for range 2 { // parsed, cached
			wantError(t, p, test.rt, test.text, test.want)
		}
	}
}

func TestError_Unknown(t *testing.T) {
	p, r := newParser(t)
	for text, want := range map[string]bool{
		`bogus eq "x"`:         true,
		`emails[bogus eq "x"]`: true,
		`schemas[bogus pr]`:    true,
		`name eq "x"`:          false,
		`userName eq`:          false,
	} {
		_, err := p.Filter(text, r.User, nil)
		var e *Error
		if !errors.As(err, &e) || e.Unknown != want {
			t.Errorf("%s: got %#v, want Unknown %v", text, err, want)
		}
	}
}

// TestParser_Filter_constant: meta.resourceType is the same in all resources of a type, so that no store is asked about it.
func TestParser_Filter_constant(t *testing.T) {
	p, r := newParser(t)
	for comparison, want := range map[string]bool{
		`eq "User"`: true, `eq "user"`: false, `ne "User"`: false, `ne "Group"`: true, `co "se"`: true, `co "x"`: false,
		`sw "U"`: true, `sw "s"`: false, `ew "er"`: true, `ew "U"`: false, `gt "T"`: true, `gt "User"`: false, `ge "User"`: true,
		`ge "V"`: false, `lt "V"`: true, `lt "User"`: false, `le "User"`: true, `le "T"`: false, `pr`: true, `ne null`: true,
	} {
		got, err := p.Filter("meta.resourceType "+comparison, r.User, nil)
		if err != nil {
			t.Errorf("%s: %v", comparison, err)
			continue
		}
		if holds := query.MatchValue(got, []byte(`{}`)); holds != want {
			t.Errorf("%s: got %v, want %v", comparison, holds, want)
		}
	}
}

// TestParser_concurrent shares one parser, and with it the cache, between goroutines.
func TestParser_concurrent(t *testing.T) {
	p, r := newParser(t)
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for j := range 500 {
				literal := fmt.Sprintf("%d-%d", i, j)
				for attribute := range strings.FieldsSeq("userName title displayName nickName locale") {
					got, err := p.Filter(attribute+` eq "`+literal+`"`, r.User, nil)
					if want := text(attribute, query.Equal, literal); err != nil || got != want {
						t.Errorf("got %v, %v; want %v", got, err, want)
						return
					}
				}
			}
		})
	}
	wg.Wait()
}
