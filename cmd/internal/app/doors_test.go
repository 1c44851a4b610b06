package app

import (
	"fmt"
	"net/http"
	"testing"

	"usher/cmd/internal/adminapi"
)

// doorway is a company with one seat and the people of a sub-test.
type doorway struct {
	*site
	t *testing.T
}

const patchHead = `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[`

// create adds a person who asks for a license by the attribute license; empty asks for none.
func (d *doorway) create(name, license string) string {
	d.t.Helper()
	var made user
	d.must(http.StatusCreated, http.MethodPost, "/Users", person(name, license, "staff"), &made)
	return made.ID
}

func person(name, license, title string) string {
	asks := ""
	if license != "" {
		asks = fmt.Sprintf(`,%q:{"license":%q}`, userURN, license)
	}
	return fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":%q,"externalId":"x-%s","title":%q,"active":true%s}`, name, name, title, asks)
}

func (d *doorway) patch(id, op string) {
	d.t.Helper()
	d.must(http.StatusOK, http.MethodPatch, "/Users/"+id, patchHead+op+`]}`, nil)
}

// group makes a group with a member.
func (d *doorway) group(name, member string) string {
	d.t.Helper()
	var made struct{ ID string }
	d.must(http.StatusCreated, http.MethodPost, "/Groups", fmt.Sprintf(
		`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":%q,"members":[{"value":%q}]}`, name, member), &made)
	return made.ID
}

// has checks the license of a person, and that what the pool says is what there is.
func (d *doorway) has(what, id, effective, state string) {
	d.t.Helper()
	var u user
	d.must(http.StatusOK, http.MethodGet, "/Users/"+id, "", &u)
	if u.License.EffectiveLicense != effective || u.License.LicenseState != state {
		d.t.Errorf("%s: %s has %+v, want %s, %s", what, u.UserName, u.License, effective, state)
	}
}

// check fails the test for an error of the admin API.
func (d *doorway) check(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
}

// TestDoors goes through each door by which a license comes and goes, over HTTP. A second person waits at each for the one seat, which
// must be theirs in the same answer, wherever it was given up.
func TestDoors(t *testing.T) {
	const plus, base = "video-pro-plus", "video-pro"
	held := func(d *doorway, id string) { d.has("before", id, plus, "reserved") }
	for name, door := range map[string]func(d *doorway){
		"scim-post-patch": func(d *doorway) {
			ada, bob := d.create("ada", plus), d.create("bob", plus)
			held(d, ada)
			d.has("before", bob, base, "waiting")
			d.patch(ada, fmt.Sprintf(`{"op":"remove","path":%q}`, userURN+":license"))
			d.has("after PATCH", ada, base, "none")
			d.has("after PATCH", bob, plus, "reserved")
		},
		"scim-deactivate": func(d *doorway) {
			ada, bob := d.create("ada", plus), d.create("bob", plus)
			d.patch(ada, `{"op":"replace","value":{"active":false}}`)
			d.has("deactivated", ada, base, "blocked")
			d.has("deactivated", bob, plus, "reserved")
			d.patch(ada, `{"op":"replace","value":{"active":true}}`)
			d.has("back, without a seat", ada, base, "waiting")
		},
		"scim-put": func(d *doorway) {
			ada, bob := d.create("ada", ""), d.create("bob", "")
			d.must(http.StatusOK, http.MethodPut, "/Users/"+ada, person("ada", plus, "staff"), nil)
			d.must(http.StatusOK, http.MethodPut, "/Users/"+bob, person("bob", plus, "staff"), nil)
			held(d, ada)
			d.must(http.StatusOK, http.MethodPut, "/Users/"+ada, person("ada", "", "staff"), nil)
			d.has("after PUT", ada, base, "none")
			d.has("after PUT", bob, plus, "reserved")
		},
		"scim-delete": func(d *doorway) {
			ada, bob := d.create("ada", plus), d.create("bob", plus)
			d.must(http.StatusNoContent, http.MethodDelete, "/Users/"+ada, "", nil)
			d.has("after DELETE", bob, plus, "reserved")
		},
		"scim-bulk": func(d *doorway) {
			ada, bob := d.create("ada", plus), d.create("bob", "")
			d.must(http.StatusOK, http.MethodPost, "/Bulk", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],"Operations":[
				{"method":"PUT","path":"/Users/`+bob+`","data":`+person("bob", plus, "staff")+`},{"method":"DELETE","path":"/Users/`+ada+`"}]}`, nil)
			d.has("after Bulk", bob, plus, "reserved")
		},
		"scim-return": func(d *doorway) {
			ada := d.create("ada", plus)
			d.must(http.StatusNoContent, http.MethodDelete, "/Users/"+ada, "", nil)
			if again := d.create("ada", ""); again != ada {
				d.t.Errorf("who comes back has the id %s, and had %s", again, ada)
			}
			d.has("back", ada, base, "none")
		},
		"group-member": func(d *doorway) {
			ada, bob := d.create("ada", ""), d.create("bob", plus)
			group := d.group("Plus", ada)
			_, err := d.admin.AddRule(d.t.Context(), "acme", adminapi.NewRule{Group: group, License: plus})
			d.check(err)
			held(d, bob)
			d.has("by the rule", ada, base, "waiting")
			d.must(http.StatusNoContent, http.MethodDelete, "/Users/"+bob, "", nil)
			held(d, ada)
			carl := d.create("carl", plus)
			d.must(http.StatusOK, http.MethodPatch, "/Groups/"+group, patchHead+`{"op":"remove","path":"members[value eq \"`+ada+`\"]"}]}`, nil)
			d.has("out of the group", ada, base, "none")
			held(d, carl)
			d.must(http.StatusOK, http.MethodPatch, "/Groups/"+group, patchHead+`{"op":"add","path":"members","value":[{"value":"`+ada+`"}]}]}`, nil)
			d.has("in it again", ada, base, "waiting")
		},
		"group-delete": func(d *doorway) {
			ada := d.create("ada", "")
			group := d.group("Plus", ada)
			_, err := d.admin.AddRule(d.t.Context(), "acme", adminapi.NewRule{Group: group, License: plus})
			d.check(err)
			bob := d.create("bob", plus)
			held(d, ada)
			d.must(http.StatusNoContent, http.MethodDelete, "/Groups/"+group, "", nil)
			d.has("without the group", ada, base, "none")
			held(d, bob)
		},
		"rule": func(d *doorway) {
			ada := d.create("ada", "")
			rule, err := d.admin.AddRule(d.t.Context(), "acme", adminapi.NewRule{Attribute: "title", Value: "STAFF", License: plus})
			d.check(err)
			held(d, ada)
			bob := d.create("bob", "")
			d.has("by the rule", bob, base, "waiting")
			d.must(http.StatusOK, http.MethodPut, "/Users/"+ada, person("ada", "", "boss"), nil)
			d.has("with another title", ada, base, "none")
			held(d, bob)
			d.check(d.admin.RemoveRule(d.t.Context(), "acme", rule.ID))
			d.has("without the rule", bob, base, "none")
		},
		"admin-assign": func(d *doorway) {
			ada, bob := d.create("ada", ""), d.create("bob", plus)
			d.patch(bob, `{"op":"replace","value":{"active":false}}`)
			_, err := d.admin.Assign(d.t.Context(), "acme", ada, adminapi.Assignment{License: plus})
			d.check(err)
			held(d, ada) // the held seat went over
			d.check(d.admin.Unassign(d.t.Context(), "acme", ada))
			d.has("unassigned", ada, base, "none")
		},
		"admin-approve": func(d *doorway) {
			made, err := d.admin.CreateToken(d.t.Context(), "acme", adminapi.NewToken{Connection: "weak"})
			d.check(err)
			strong := d.token
			d.token = made.Secret
			ada := d.create("ada", plus)
			d.has("asked for", ada, base, "blocked")
			_, err = d.admin.Decide(d.t.Context(), "acme", ada, adminapi.Decision{Approve: true})
			d.check(err)
			held(d, ada)
			d.token = strong
		},
		"admin-promote": func(d *doorway) {
			gil := d.create("gil@gmail.com", plus)
			d.has("a guest", gil, base, "blocked")
			_, err := d.admin.ChangeAccount(d.t.Context(), "acme", gil, adminapi.AccountChange{MemberType: "coworker"})
			d.check(err)
			held(d, gil)
			bob := d.create("bob", plus)
			_, err = d.admin.ChangeAccount(d.t.Context(), "acme", gil, adminapi.AccountChange{MemberType: "guest"})
			d.check(err)
			d.has("a guest again", gil, base, "blocked")
			held(d, bob)
		},
		"admin-add": func(d *doorway) {
			bob := d.create("bob", plus)
			out, err := d.admin.AddPeople(d.t.Context(), "acme", adminapi.NewPeople{License: plus, Setup: "credentials", People: []adminapi.NewPerson{{Email: "ada@acme.example"}}})
			d.check(err)
			ada := out.Items[0].Account.ID
			d.has("added", ada, base, "waiting")
			d.must(http.StatusNoContent, http.MethodDelete, "/Users/"+bob, "", nil)
			d.has("in use at once", ada, plus, "active")
			carl := d.create("carl", plus)
			d.check(d.admin.DeleteAccount(d.t.Context(), "acme", ada))
			held(d, carl)
		},
		"setup": func(d *doorway) {
			out, err := d.admin.AddPeople(d.t.Context(), "acme", adminapi.NewPeople{License: plus, People: []adminapi.NewPerson{{Email: "ada@acme.example"}}})
			d.check(err)
			ada := out.Items[0].Account.ID
			held(d, ada)
			d.setUp("ada@acme.example")
			d.has("set up", ada, plus, "active")
			d.patch(ada, `{"op":"replace","value":{"active":false}}`)
			d.patch(ada, `{"op":"replace","value":{"active":true}}`)
			d.has("back", ada, plus, "active")
		},
		"undo": func(d *doorway) {
			ada := d.create("ada", plus)
			d.patch(ada, `{"op":"replace","value":{"active":false}}`)
			log, err := d.admin.Events(d.t.Context(), "acme", adminapi.EventFilter{})
			d.check(err)
			undone, err := d.admin.Undo(d.t.Context(), "acme", adminapi.Undoing{Request: log.Items[len(log.Items)-1].Request})
			if err != nil || len(undone) != 1 || undone[0].Reason != "" {
				d.t.Errorf("undone: %+v, %v", undone, err)
			}
			held(d, ada)
		},
		"seats": func(d *doorway) {
			ada, bob := d.create("ada", plus), d.create("bob", plus)
			_, err := d.admin.SetSeats(d.t.Context(), "acme", plus, 2, true)
			d.check(err)
			held(d, bob)
			_, err = d.admin.SetSeats(d.t.Context(), "acme", plus, 1, true)
			d.check(err)
			held(d, ada) // nobody is evicted
			held(d, bob)
		},
		"billing": func(d *doorway) {
			_, err := d.admin.ChangeCompany(d.t.Context(), "acme", adminapi.CompanyChange{Payment: "past-due"})
			d.check(err)
			if status, err := d.do(http.MethodPost, "/Users", person("ada", plus, "staff"), nil); err != nil || status != http.StatusForbidden {
				d.t.Errorf("a creation was answered with %d, %v", status, err)
			}
			_, err = d.admin.ChangeCompany(d.t.Context(), "acme", adminapi.CompanyChange{Payment: "ok"})
			d.check(err)
			held(d, d.create("ada", plus))
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, t.TempDir())
			s.company(1, "waiting")
			door(&doorway{site: s, t: t})
		})
	}
}

// TestAdminAPI: over the network an admin of a company is known by a key, and nobody else by anything.
func TestAdminAPI(t *testing.T) {
	s := start(t, t.TempDir())
	s.company(1, "waiting")
	made, err := s.admin.CreateKey(t.Context(), "acme", adminapi.NewKey{Admin: "root"})
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		path, bearer string
		want         int
	}{
		"a key":                  {"/admin/api/v1/companies/acme/accounts", made.Secret, http.StatusOK},
		"no key":                 {"/admin/api/v1/companies/acme/accounts", "", http.StatusUnauthorized},
		"a connection's token":   {"/admin/api/v1/companies/acme/accounts", s.token, http.StatusUnauthorized},
		"another company":        {"/admin/api/v1/companies/globex/accounts", made.Secret, http.StatusNotFound},
		"what only operators do": {"/admin/api/v1/companies", made.Secret, http.StatusForbidden},
		"without the mount":      {"/v1/companies/acme/accounts", made.Secret, http.StatusNotFound},
		"the key at SCIM":        {"/scim/v2/Users", made.Secret, http.StatusUnauthorized},
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.app.url+tt.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+tt.bearer)
		req.Header.Set("Usher-Operator", "mallory")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != tt.want {
			t.Errorf("%s: %d, want %d", name, resp.StatusCode, tt.want)
		}
	}
}
