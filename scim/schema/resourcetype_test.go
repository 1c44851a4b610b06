package schema

import (
	"strings"
	"testing"

	elimity "github.com/elimity-com/scim/schema"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"usher/store/query"
)

func TestResourceType_Resolve(t *testing.T) {
	r := newRegistry(t)
	tests := []struct {
		rt   *ResourceType
		name string
		path string // of the attribute found; empty when there is none
		urn  string // of the extension
	}{
		{r.User, "userName", "userName", ""},
		{r.User, "USERNAME", "userName", ""},
		{r.User, "name.givenName", "name/givenName", ""},
		{r.User, UserURN + ":userName", "userName", ""},
		{r.User, strings.ToUpper(UserURN) + ":Name.GIVENNAME", "name/givenName", ""},
		{r.User, UserURN + ":externalId", "externalId", ""},
		{r.User, UserURN + ":meta.created", "@created", ""},
		{r.User, "meta.lastModified", "@modified", ""},
		{r.User, "emails", "emails", ""},
		{r.User, "emails.value", "emails/value", ""},
		{r.User, "members", "", ""},
		{r.User, "groups.value", "@groups", ""},
		{r.User, EnterpriseURN + ":manager.value", EnterpriseURN + "/manager/value", EnterpriseURN},
		{r.User, "urn:ietf:params:SCIM:schemas:extension:Enterprise:2.0:user:Department", EnterpriseURN + "/department", EnterpriseURN},
		{r.User, UsherUserURN + ":effectiveLicense", "@effective", UsherUserURN},
		{r.User, "effectiveLicense", "", ""},
		{r.User, "department", "", ""},
		{r.User, GroupURN + ":displayName", "", ""},
		{r.User, UserURN, "", ""},
		{r.User, "", "", ""},
		{r.User, "userName.", "", ""},
		{r.User, "userName.value", "", ""},
		{r.User, "nicKName", "nickName", ""},
		{r.User, "nic\u212aName", "", ""}, // the Kelvin sign folds to k, but is no letter of attribute names
		{r.User, strings.Repeat("a", 5000), "", ""},
		{r.Group, "members", "@members", ""},
		{r.Group, "members.value", "@members", ""},
		{r.License, "id", "@id", ""},
		{r.License, UsherLicense + ":total", UsherLicense + "/total", UsherLicense},
	}
	for _, test := range tests {
		target, ok := test.rt.Resolve(test.name)
		if ok != (test.path != "") {
			t.Errorf("%s: Resolve(%q) gives %v", test.rt.Name, test.name, ok)
			continue
		}
		if !ok {
			continue
		}
		if got := target.Leaf().Path; got != test.path {
			t.Errorf("%s: Resolve(%q) has path %q, want %q", test.rt.Name, test.name, got, test.path)
		}
		if (target.Extension != nil) != (test.urn != "") || target.Extension != nil && target.Extension.URN != test.urn {
			t.Errorf("%s: Resolve(%q) has extension %v, want %q", test.rt.Name, test.name, target.Extension, test.urn)
		}
	}
}

func TestResourceType_Resolve_bareExtension(t *testing.T) {
	rt := newRegistry(t).User
	target, ok := rt.Resolve(strings.ToLower(EnterpriseURN))
	if !ok || target.Extension != rt.Extension(strings.ToUpper(EnterpriseURN)) || target.Attribute != nil || target.Sub != nil {
		t.Errorf("got %+v, %v", target, ok)
	}
}

// TestResourceType_Resolve_anyCase: each name that resolves does so in any mix of cases, to the same attribute.
func TestResourceType_Resolve_anyCase(t *testing.T) {
	rt := newRegistry(t).User
	var names []string
	for name := range rt.names {
		names = append(names, name)
	}
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.SampledFrom(names).Draw(t, "name")
		mixed := []byte(name)
		for i := range mixed {
			if 'a' <= mixed[i] && mixed[i] <= 'z' && rapid.Bool().Draw(t, "upper") {
				mixed[i] -= 'a' - 'A'
			}
		}
		want, _ := rt.Resolve(name)
		if got, ok := rt.Resolve(string(mixed)); !ok || got != want {
			t.Fatalf("Resolve(%q) gives %+v, %v; want %+v", mixed, got, ok, want)
		}
	})
}

func TestResourceType_commonAttributesAreNotListed(t *testing.T) {
	for _, rt := range newRegistry(t).ResourceTypes() {
		for _, name := range []string{"schemas", "id", "externalId", "meta"} {
			if rt.Core.Attribute(name) != nil {
				t.Errorf("%s lists %s", rt.Core.URN, name)
			}
			if rt.Attribute(name) == nil {
				t.Errorf("%s has no %s", rt.Name, name)
			}
		}
	}
}

func TestNewResourceType_refusesTwoOfOneName(t *testing.T) {
	core := elimity.CoreGroupSchema()
	core.Attributes = append(core.Attributes, stringAttribute(elimity.StringParams{Name: "DISPLAYNAME"}))
	if _, err := newResourceType(ResourceType{Name: "Group"}, core); err == nil {
		t.Error("no error")
	}
}

func TestRegistry_UserIndexes(t *testing.T) {
	want := []query.Index{
		{Path: "externalId", Type: query.String},
		{Path: "emails/value", Type: query.String, Fold: true},
		{Path: "displayName", Type: query.String, Fold: true},
		{Path: "name/familyName", Type: query.String, Fold: true},
		{Path: "name/givenName", Type: query.String, Fold: true},
		{Path: "phoneNumbers/value", Type: query.String, Fold: true},
		{Path: "active", Type: query.Boolean, Except: "1"},
		{Path: EnterpriseURN + "/employeeNumber", Type: query.String, Fold: true},
		{Path: EnterpriseURN + "/department", Type: query.String, Fold: true},
		{Path: EnterpriseURN + "/manager/value", Type: query.String, Fold: true},
	}
	if diff := cmp.Diff(want, newRegistry(t).UserIndexes()); diff != "" {
		t.Error(diff)
	}
}

func BenchmarkResolve(b *testing.B) {
	rt := newRegistry(b).User
	for _, name := range []string{"userName", "emails.value", EnterpriseURN + ":manager.value"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				rt.Resolve(name)
			}
		})
	}
}

func TestAttribute_QueryType(t *testing.T) {
	r := newRegistry(t)
	tests := []struct {
		rt   *ResourceType
		name string
		want query.Type
		fold bool
	}{
		{r.User, "userName", query.String, true},
		{r.User, "externalId", query.String, false},
		{r.User, "active", query.Boolean, false},
		{r.User, "meta.created", query.DateTime, false},
		{r.User, "profileUrl", query.Reference, false},
		{r.User, "x509Certificates.value", query.Binary, false},
		{r.User, "emails", 0, false},
		{r.License, UsherLicense + ":total", query.Integer, false},
	}
	for _, test := range tests {
		target, _ := test.rt.Resolve(test.name)
		a := target.Leaf()
		if a.QueryType() != test.want || a.Fold() != test.fold {
			t.Errorf("%s: got %v, %v; want %v, %v", test.name, a.QueryType(), a.Fold(), test.want, test.fold)
		}
	}
	if got := (&Attribute{Kind: Decimal}).QueryType(); got != query.Decimal {
		t.Errorf("decimal: got %v", got)
	}
}
