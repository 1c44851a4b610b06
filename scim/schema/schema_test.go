package schema

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func newRegistry(t testing.TB) *Registry {
	t.Helper()
	r, err := NewRegistry()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestSchema_JSON_golden fixes what /Schemas shows, which clients keep.
func TestSchema_JSON_golden(t *testing.T) {
	for _, s := range newRegistry(t).Schemas() {
		t.Run(s.Name, func(t *testing.T) {
			var got bytes.Buffer
			if err := json.Indent(&got, s.JSON(), "", "  "); err != nil {
				t.Fatal(err)
			}
			got.WriteByte('\n')
			file := filepath.Join("testdata", "golden", strings.ReplaceAll(s.Name, " ", "")+".json")
			if *update {
				if err := os.WriteFile(file, got.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got.String()); diff != "" {
				t.Errorf("differs from %s (-want +got):\n%s", file, diff)
			}
		})
	}
}

// TestSchema_rfc compares the characteristics with the JSON of RFC 7643 section 8.7.1, but for what doc.go says to be settled
// differently.
func TestSchema_rfc(t *testing.T) {
	deliberate := map[string]string{
		"Group displayName":           "required",  // the text of section 4.2 says REQUIRED
		"Group members.display":       "new",       // the examples of section 8.4 have it
		"User addresses.primary":      "new",       // section 2.4 gives it to every multi-valued attribute
		"User profileUrl":             "caseExact", // URIs are
		"User photos.value":           "caseExact",
		"User groups.$ref":            "caseExact",
		"User x509Certificates.value": "caseExact", // errata 6000 and 8470
		"Group members.$ref":          "caseExact",
		"EnterpriseUser manager.$ref": "caseExact",
	}
	r := newRegistry(t)
	for file, s := range map[string]*Schema{"User": r.User.Core, "Group": r.Group.Core, "EnterpriseUser": r.User.Extension(EnterpriseURN)} {
		b, err := os.ReadFile(filepath.Join("testdata", "rfc7643", file+".json"))
		if err != nil {
			t.Fatal(err)
		}
		var rfc, ours attributeMap
		if err := json.Unmarshal(b, &rfc); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(s.JSON(), &ours); err != nil {
			t.Fatal(err)
		}
		want, got := rfc.flat(), ours.flat()
		for name, a := range got {
			w, ok := want[name]
			if !ok {
				if deliberate[file+" "+name] != "new" {
					t.Errorf("%s: %s is not in the RFC", file, name)
				}
				continue
			}
			for characteristic, value := range w {
				if deliberate[file+" "+name] == characteristic {
					if cmp.Equal(value, a[characteristic]) {
						t.Errorf("%s: %s: %s was to differ from the RFC", file, name, characteristic)
					}
					continue
				}
				if diff := cmp.Diff(value, a[characteristic]); diff != "" {
					t.Errorf("%s: %s: %s (-rfc +ours):\n%s", file, name, characteristic, diff)
				}
			}
		}
		for name := range want {
			if _, ok := got[name]; !ok {
				t.Errorf("%s: %s of the RFC is missing", file, name)
			}
		}
	}
}

type attributeMap struct {
	Attributes []map[string]any `json:"attributes"`
}

// flat gives the characteristics by qualified name, without descriptions, sub-attributes and empty lists.
func (m attributeMap) flat() map[string]map[string]any {
	all := map[string]map[string]any{}
	var add func(prefix string, list []map[string]any)
	add = func(prefix string, list []map[string]any) {
		for _, a := range list {
			name := prefix + a["name"].(string)
			var sub []map[string]any
			if list, ok := a["subAttributes"].([]any); ok {
				for _, s := range list {
					sub = append(sub, s.(map[string]any))
				}
			}
			add(name+".", sub)
			delete(a, "subAttributes")
			delete(a, "description")
			if list, ok := a["canonicalValues"].([]any); ok && len(list) == 0 {
				delete(a, "canonicalValues")
			}
			all[name] = a
		}
	}
	add("", m.Attributes)
	return all
}

func TestSchema_characteristics(t *testing.T) {
	r := newRegistry(t)
	tests := []struct {
		rt   *ResourceType
		name string
		want Attribute
	}{
		{r.User, "password", Attribute{Kind: String, Mutability: WriteOnly, Returned: ReturnedNever, Path: "password"}},
		{r.User, "groups", Attribute{Kind: Complex, MultiValued: true, Mutability: ReadOnly, Returned: ReturnedDefault, Path: "@groups"}},
		{r.User, "id", Attribute{Kind: String, CaseExact: true, Required: true, Unique: true, Mutability: ReadOnly, Returned: ReturnedAlways, Path: "@id"}},
		{r.User, "externalId", Attribute{Kind: String, CaseExact: true, Mutability: ReadWrite, Returned: ReturnedDefault, Path: "externalId"}},
		{r.User, "schemas", Attribute{Kind: String, MultiValued: true, Required: true, Mutability: Immutable, Returned: ReturnedAlways, Path: "schemas"}},
		{r.User, "userName", Attribute{Kind: String, Required: true, Unique: true, Mutability: ReadWrite, Returned: ReturnedDefault, Path: "userName"}},
		{r.User, "meta.resourceType", Attribute{Kind: String, CaseExact: true, Mutability: ReadOnly, Returned: ReturnedDefault, Constant: "User"}},
		{r.Group, "meta.resourceType", Attribute{Kind: String, CaseExact: true, Mutability: ReadOnly, Returned: ReturnedDefault, Constant: "Group"}},
		{r.Group, "displayName", Attribute{Kind: String, Required: true, Mutability: ReadWrite, Returned: ReturnedDefault, Path: "displayName"}},
		{r.User, EnterpriseURN + ":manager.displayName", Attribute{Kind: String, Mutability: ReadOnly, Returned: ReturnedDefault, Path: EnterpriseURN + "/manager/displayName"}},
		{r.User, UsherUserURN + ":license", Attribute{Kind: String, Mutability: ReadWrite, Returned: ReturnedDefault, Path: UsherUserURN + "/license"}},
		{r.User, UsherUserURN + ":licenseSources", Attribute{Kind: String, MultiValued: true, Mutability: ReadOnly, Returned: ReturnedDefault, Path: "@source"}},
		{r.License, UsherLicense + ":waiting", Attribute{Kind: Integer, Mutability: ReadOnly, Returned: ReturnedDefault, Path: UsherLicense + "/waiting"}},
	}
	for _, test := range tests {
		target, ok := test.rt.Resolve(test.name)
		if !ok {
			t.Errorf("%s: %s does not resolve", test.rt.Name, test.name)
			continue
		}
		a := target.Leaf()
		got := Attribute{Kind: a.Kind, MultiValued: a.MultiValued, Required: a.Required, CaseExact: a.CaseExact, Unique: a.Unique,
			Mutability: a.Mutability, Returned: a.Returned, Path: a.Path, Constant: a.Constant}
		if diff := cmp.Diff(test.want, got, cmpopts.IgnoreUnexported(Attribute{})); diff != "" {
			t.Errorf("%s: %s (-want +got):\n%s", test.rt.Name, test.name, diff)
		}
	}
}
