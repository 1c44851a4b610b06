package scim_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"usher/licensing"
	"usher/scim"
	"usher/store"
)

// members gives what a group shows of its members.
func (d *door) members(id string) []string {
	d.t.Helper()
	a := d.want(200, "GET", "/Groups/"+id, "")
	list, _ := a.get("members").([]any)
	var all []string
	for i := range list {
		kind, value := a.get("members", i, "type"), a.get("members", i, "value")
		if ref := fmt.Sprintf("%s/scim/v2/%ss/%s", d.server.URL, kind, value); a.get("members", i, "$ref") != ref {
			d.t.Errorf("$ref %v, want %s", a.get("members", i, "$ref"), ref)
		}
		all = append(all, fmt.Sprintf("%s %s", kind, a.get("members", i, "display")))
	}
	return all
}

func (d *door) groups(id string) []string {
	d.t.Helper()
	a := d.want(200, "GET", "/Users/"+id, "")
	list, _ := a.get("groups").([]any)
	var all []string
	for i := range list {
		all = append(all, fmt.Sprintf("%s %s", a.get("groups", i, "type"), a.get("groups", i, "display")))
	}
	slices.Sort(all)
	return all
}

func TestNestedGroups(t *testing.T) {
	d := open(t, scim.Limits{}, map[licensing.License]int{licensing.VideoProPlus: 5})
	ada, bob := d.user("ada", ""), d.user("bob", "")
	group := func(name string, ids ...string) string {
		var members []string
		for _, id := range ids {
			members = append(members, `{"value":"`+id+`"}`)
		}
		return d.want(201, "POST", "/Groups", `{"displayName":"`+name+`","members":[`+strings.Join(members, ",")+`]}`).id()
	}
	team := group("team", ada.id())
	dept := group("dept", team, bob.id())
	all := group("all", dept)
	d.same("members of dept", d.members(dept), "[User bob Group team]")
	d.same("groups of ada", d.groups(ada.id()), "[direct team indirect all indirect dept]")
	d.same("groups of bob", d.groups(bob.id()), "[direct dept indirect all]")
	list := d.find("/Users", `userName eq "ada"`)
	d.same("in a list", len(list.get("Resources", 0, "groups").([]any)), 3)

	patch := func(want int, id, op string) answer {
		t.Helper()
		return d.want(want, "PATCH", "/Groups/"+id, `{"Operations":[`+op+`]}`)
	}
	for _, circle := range [][2]string{{team, team}, {team, dept}, {team, all}, {dept, all}} {
		a := patch(400, circle[0], `{"op":"add","path":"members","value":[{"value":"`+circle[1]+`"}]}`)
		if detail := fmt.Sprint(a.get("detail")); a.get("scimType") != "invalidValue" || !strings.Contains(detail, circle[0]) || !strings.Contains(detail, circle[1]) {
			t.Errorf("a circle: %s", a.raw)
		}
	}
	d.want(400, "PUT", "/Groups/"+team, `{"displayName":"team","members":[{"value":"`+all+`"}]}`)
	d.same("nothing changed", d.members(team), "[User ada]")
	patch(400, team, `{"op":"add","path":"members","value":[{"value":"`+bob.id()+`"},{"value":"nobody"}]}`)
	d.same("nothing changed for one unknown", d.members(team), "[User ada]")

	patch(200, dept, `{"op":"remove","path":"members[value eq \"`+team+`\"]"}`)
	d.same("removed", d.members(dept), "[User bob]")
	d.same("groups of ada then", d.groups(ada.id()), "[direct team]")
	patch(200, dept, `{"op":"add","path":"members","value":[{"value":"`+team+`","type":"Group"},{"value":"`+ada.id()+`"}]}`)
	d.same("added", d.members(dept), "[User ada User bob Group team]")
	d.same("direct wins", d.groups(ada.id()), "[direct dept direct team indirect all]")
	d.want(200, "PUT", "/Groups/"+dept, `{"displayName":"dept","members":[{"value":"`+team+`"}]}`)
	d.same("replaced", d.members(dept), "[Group team]")
	before := d.want(200, "GET", "/Groups/"+dept, "")
	same := patch(200, dept, `{"op":"add","path":"members","value":[{"value":"`+team+`"}]}`)
	d.same("the same again", same.header.Get("ETag"), before.header.Get("ETag"))
	patch(200, dept, `{"op":"remove","path":"members"}`)
	d.same("emptied", len(d.members(dept)), 0)
	patch(200, dept, `{"op":"replace","path":"members","value":[{"value":"`+team+`"}]}`)

	for filter, want := range map[string]float64{
		`members.value eq "` + team + `"`:                        1,
		`members eq "` + ada.id() + `"`:                          1,
		`members[value eq "` + team + `"]`:                       1,
		`id eq "` + dept + `" and members eq "` + team + `"`:     1,
		`id eq "` + dept + `" and members eq "` + ada.id() + `"`: 0,
		`members pr`:                                 3,
		`members.value co "-"`:                       3,
		`members.value ne "` + team + `"`:            2,
		`members.display eq "ADA"`:                   1,
		`members.display sw "de"`:                    1,
		`members.type eq "Group"`:                    2,
		`members[type eq "User" and display co "d"]`: 1,
		`members[type eq "Group" and display co "a" and value eq "` + ada.id() + `"]`: 0,
		`members[value eq "` + team + `" and type eq "Group"]`:                        1,
		`members[value eq "` + team + `" or display eq "ada"]`:                        2,
		`members.$ref eq "` + d.server.URL + `/scim/v2/Users/` + ada.id() + `"`:       1,
		`members.$ref eq "../Groups/` + team + `"`:                                    1,
		`members.$ref eq "../Users/` + team + `"`:                                     0,
		`members[$ref ew "/` + team + `"]`:                                            1,
		`meta.location eq "` + d.server.URL + `/scim/v2/Groups/` + team + `"`:         1,
		`meta.location co "/Groups/"`:                                                 3,
		`meta.location eq null`:                                                       0,
	} {
		if got := d.find("/Groups", filter).get("totalResults"); got != want {
			t.Errorf("%s: %v, want %v", filter, got, want)
		}
	}

	for filter, want := range map[string]float64{
		`groups.display eq "team"`: 1,
		`groups.type eq "direct"`:  1,
		`groups pr`:                1,
		`groups[display sw "t" and value eq "` + team + `"]`:      1,
		`groups[display sw "x" and value eq "` + team + `"]`:      0,
		`groups.$ref ew "/Groups/` + team + `"`:                   1,
		`schemas eq "urn:ietf:params:scim:schemas:core:2.0:User"`: 2,
		`schemas co "enterprise"`:                                 0,
	} {
		if got := d.find("/Users", filter).get("totalResults"); got != want {
			t.Errorf("%s: %v, want %v", filter, got, want)
		}
	}

	// A rule is for those who are in the very group.
	for _, id := range []string{all, dept} {
		if _, err := d.dir.Apply(t.Context(), licensing.Change{
			Company: d.company, Actor: store.Actor{Kind: "operator", ID: "test"}, Door: licensing.DoorAdmin, MayAssign: true,
			Do: licensing.AddRule{Group: id, License: licensing.VideoProPlus},
		}); err != nil {
			t.Fatal(err)
		}
	}
	d.same("ada is in dept by team", d.want(200, "GET", "/Users/"+ada.id(), "").get(usherUser, "effectiveLicense"), "video-pro")
	patch(200, dept, `{"op":"add","path":"members","value":[{"value":"`+bob.id()+`"}]}`)
	d.same("bob is in dept", d.want(200, "GET", "/Users/"+bob.id(), "").get(usherUser, "effectiveLicense"), "video-pro-plus")

	d.want(204, "DELETE", "/Groups/"+team, "")
	d.same("after a deletion", d.members(dept), "[User bob]")
	d.same("ada is in nothing", len(d.groups(ada.id())), 0)
	d.want(204, "DELETE", "/Groups/"+all, "")
}
