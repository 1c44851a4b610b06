package scim_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"usher/licensing"
	"usher/scim"
	"usher/scim/schema"
	"usher/store"
)

// events gives the log of the company.
func (d *door) events() []store.Event {
	d.t.Helper()
	events, err := d.store.ListEvents(context.Background(), d.company, 0, 10_000)
	if err != nil {
		d.t.Fatal(err)
	}
	return events
}

// What was tolerated in a request is named in the events of its own change, and in no other.
func TestTolerance_events(t *testing.T) {
	d := open(t, scim.Limits{}, map[licensing.License]int{licensing.VideoProPlus: 1})
	license := func(l string) string { return fmt.Sprintf(`"%s":{"license":"%s"}`, usherUser, l) }
	ada := d.user("ada", license("video-pro-plus"))
	d.user("bob", license("video-pro-plus")) // waits
	group := d.want(201, "POST", "/Groups", `{`+groupSchema+`,"displayName":"crew"}`)
	at := len(d.events())
	type named struct {
		Action, Target string
		Quirks         []string
	}
	steps := []struct {
		status             int
		method, path, body string
		want               []named
	}{
		{200, "PATCH", "/Users/" + ada.id(), `{` + patchSchema + `,"Operations":[{"op":"replace","path":"title","value":"Lead"}]}`,
			[]named{{"user.update", ada.id(), nil}}},
		{200, "PATCH", "/Users/" + ada.id(), `{` + patchSchema + `,"Operations":[{"op":"Replace","path":"active","value":"False"},{"op":"Add","path":"title","value":"x"}]}`,
			[]named{{"user.update", ada.id(), []string{"boolean-as-string", "patch-op-case"}}, {"license.change", ada.id(), []string{"boolean-as-string", "patch-op-case"}}, {"license.change", "bob", nil}}},
		{200, "PATCH", "/Groups/" + group.id(), `{"Operations":[{"op":"add","path":"members","value":["` + ada.id() + `"]}]}`,
			[]named{{"group.update", group.id(), []string{"member-as-string", "schemas-missing"}}}},
		{201, "POST", "/Groups", `{"displayName":"deck"}`, []named{{"group.create", "", []string{"schemas-missing"}}}},
		// Nothing is changed, so there is no event.
		{200, "PATCH", "/Users/" + ada.id(), `{"Operations":[{"op":"REPLACE","path":"title","value":"x"}]}`, nil},
		{200, "POST", "/Bulk", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],"Operations":[
			{"method":"PATCH","path":"/Users/` + ada.id() + `","data":{` + patchSchema + `,"Operations":[{"op":"Add","path":"title","value":"y"}]}},
			{"method":"PATCH","path":"/Users/` + ada.id() + `","data":{` + patchSchema + `,"Operations":[{"op":"add","path":"title","value":"z"}]}}]}`,
			[]named{{"user.update", ada.id(), []string{"patch-op-case"}}, {"user.update", ada.id(), nil}}},
	}
	for _, step := range steps {
		d.want(step.status, step.method, step.path, step.body)
		var got []named
		events := d.events()
		for _, e := range events[at:] {
			n := named{e.Action, e.Target, e.Quirks}
			if e.Action == "group.create" {
				n.Target = ""
			} else if e.Actor.Kind == "system" {
				n.Target = "bob"
			}
			got = append(got, n)
		}
		at = len(events)
		if diff := cmp.Diff(step.want, got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", step.body, diff)
		}
	}
	var hash [32]byte
	for _, e := range d.events() {
		if hash = e.Chain(hash); hash != e.Hash {
			t.Fatalf("event %d does not continue the chain", e.Seq)
		}
	}
}

// A strict connection gets the standard's answer wherever another is tolerated.
func TestTolerance_strict(t *testing.T) {
	const ent = schema.EnterpriseURN
	user := func(more string) string { return `{` + userSchema + `,"userName":"new",` + more + `}` }
	with := func(more string) string {
		return `{"schemas":["` + schema.UserURN + `","` + ent + `"],"userName":"new",` + more + `}`
	}
	op := func(operations string) string { return `{` + patchSchema + `,"Operations":[` + operations + `]}` }
	type want struct {
		status   int
		scimType string
		tells    string // in the answer
	}
	refused := func(scimType string) want { return want{400, scimType, `"detail"`} }
	tests := []struct {
		quirk, method, path, body string
		strict                    want
	}{
		{"patch-op-case", "PATCH", "ada", op(`{"op":"Replace","path":"title","value":"x"}`), refused("invalidSyntax")},
		{"boolean-as-string", "PATCH", "ada", op(`{"op":"replace","path":"active","value":"False"}`), refused("invalidValue")},
		{"dotted-keys", "PATCH", "ada", op(`{"op":"replace","value":{"name.givenName":"A"}}`), refused("invalidSyntax")},
		{"filter-creates-element", "PATCH", "ada", op(`{"op":"replace","path":"phoneNumbers[type eq \"fax\"].value","value":"5"}`), refused("noTarget")},
		{"remove-with-value-list", "PATCH", "ada", op(`{"op":"remove","path":"emails","value":[{"value":"h@x"}]}`), want{200, "", `!w@x`}}, // the standard removes all
		{"manager-as-string", "PATCH", "ada", op(`{"op":"add","path":"` + ent + `:manager","value":"m2"}`), refused("invalidValue")},
		{"single-element-array", "POST", "/Users", user(`"title":["x"]`), refused("invalidValue")},
		{"extension-at-top-level", "POST", "/Users", user(`"department":"d"`), refused("invalidSyntax")},
		{"json-in-role-value", "POST", "/Users", user(`"roles":[{"value":"{\"value\":\"ringex\"}"}]`), want{201, "", `{\"value\":\"ringex\"}`}},
		{"role-display-name", "POST", "/Users", user(`"roles":[{"value":"a","displayName":"A"}]`), refused("invalidSyntax")},
		{"empty-string-clears", "POST", "/Users", user(`"title":""`), want{201, "", `"title":""`}},
		{"schemas-unknown", "POST", "/Users", `{"schemas":["` + schema.UserURN + `","urn:x"],"userName":"new"}`, refused("invalidSyntax")},
		{"schemas-undeclared", "POST", "/Users", user(`"` + ent + `":{"department":"d"}`), refused("invalidSyntax")},
		{"read-only-in-patch-value", "PATCH", "ada", op(`{"op":"replace","value":{"id":"x","title":"Lead"}}`), refused("mutability")},
		{"unknown-attribute", "POST", "/Users", user(`"favouriteColour":"green"`), refused("invalidSyntax")},
		{"schemas-missing", "POST", "/Users", `{"userName":"new"}`, refused("invalidSyntax")},
		{"number-as-string", "POST", "/Users", user(`"title":5`), refused("invalidValue")},
		{"value-not-in-array", "POST", "/Users", user(`"emails":{"value":"x"}`), refused("invalidValue")},
		{"element-as-string", "POST", "/Users", user(`"emails":["x"]`), refused("invalidValue")},
		{"member-as-string", "PATCH", "crew", op(`{"op":"add","path":"members","value":["ADA"]}`), refused("invalidValue")},
		{"two-primaries", "POST", "/Users", user(`"emails":[{"value":"a","primary":true},{"value":"b","primary":true}]`), refused("invalidValue")},
		{"manager-id", "POST", "/Users", with(`"` + ent + `":{"manager":{"managerId":"m"}}`), refused("invalidSyntax")},
		{"core-schema-object", "PATCH", "ada", op(`{"op":"replace","path":"` + schema.UserURN + `","value":{"title":"x"}}`), refused("invalidPath")},
		{"dotted-urn", "PATCH", "ada", op(`{"op":"replace","path":"` + schema.UserURN + `.title","value":"x"}`), refused("invalidPath")},
		{"filter-raw-plus", "GET", `/Users?filter=title+eq+"a+b"`, "", want{200, "", `"totalResults":0`}}, // the plus is a blank
		{"filter-unquoted-literal", "GET", `/Users?filter=title+eq+ada`, "", refused("invalidFilter")},
		{"filter-value-path-tail", "GET", `/Users?filter=emails[type+eq+"work"].value+eq+"w@x"`, "", refused("invalidFilter")},
		{"filter-quoted-boolean", "GET", `/Users?filter=active+eq+"True"`, "", refused("invalidFilter")},
		{"filter-extension-attribute-at-top", "GET", `/Users?filter=department+eq+"d"`, "", refused("invalidFilter")},
	}
	untested := scim.QuirkNames()
	d := open(t, scim.Limits{}, nil)
	strict := d.tokens["okta"]
	strict.Strict, strict.Connection = true, "stern"
	d.tokens["stern"] = strict
	ada := d.user("ada", `"title":"a+b","emails":[{"value":"w@x","type":"work"},{"value":"h@x","type":"home"}]`).id()
	crew := d.want(201, "POST", "/Groups", `{`+groupSchema+`,"displayName":"crew"}`).id()
	for _, test := range tests {
		t.Run(test.quirk, func(t *testing.T) {
			for i, name := range untested {
				if name == test.quirk {
					untested = append(untested[:i:i], untested[i+1:]...)
					break
				}
			}
			path := map[string]string{"ada": "/Users/" + ada, "crew": "/Groups/" + crew}[test.path]
			if path == "" {
				path = strings.NewReplacer(`"`, "%22", "[", "%5B", "]", "%5D").Replace(test.path)
			}
			d.t, d.token = t, "stern"
			got := d.do(test.method, path, strings.ReplaceAll(test.body, "ADA", ada))
			tells, absent := strings.CutPrefix(test.strict.tells, "!")
			scimType, _ := got.body["scimType"].(string)
			if got.status != test.strict.status || scimType != test.strict.scimType || strings.Contains(string(got.raw), tells) == absent {
				t.Errorf("strict: %d %s, want %d %s with %s", got.status, got.raw, test.strict.status, test.strict.scimType, test.strict.tells)
			}
			counts := d.handler.QuirkCounts("stern")
			delete(counts, "unknown-license-value") // nothing is tolerated there: the value is kept and means nothing
			if len(counts) > 0 {
				t.Errorf("a strict connection was tolerated %v", counts)
			}
			d.token = "okta"
			if got.status == 201 {
				d.want(204, "DELETE", "/Users/"+got.id(), "")
			}
			before := d.handler.QuirkCounts("okta")[test.quirk]
			if got = d.do(test.method, path, strings.ReplaceAll(test.body, "ADA", ada)); got.status >= 400 {
				t.Errorf("tolerant: %d %s", got.status, got.raw)
			}
			if n := d.handler.QuirkCounts("okta")[test.quirk] - before; n != 1 {
				t.Errorf("tolerant: counted %d times", n)
			}
			if got.status == 201 {
				d.want(204, "DELETE", "/Users/"+got.id(), "")
			}
		})
	}
	if len(untested) > 0 {
		t.Errorf("not tested: %v", untested)
	}
}
