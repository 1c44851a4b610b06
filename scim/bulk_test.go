package scim_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"usher/scim"
)

const (
	bulkSchemas = `"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"]`
	userSchemas = `"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"]`
)

// bulk sends operations and gives the answer, of which statuses are the statuses.
func (d *door) bulk(more string, operations ...string) (a answer, statuses []string) {
	d.t.Helper()
	a = d.want(200, "POST", "/Bulk", `{`+bulkSchemas+more+`,"Operations":[`+strings.Join(operations, ",")+`]}`)
	list, _ := a.body["Operations"].([]any)
	for i := range list {
		statuses = append(statuses, fmt.Sprint(a.get("Operations", i, "status")))
	}
	return a, statuses
}

func post(id, name, more string) string {
	return `{"method":"POST","path":"/Users","bulkId":"` + id + `","data":{` + userSchemas + `,"userName":"` + name + `"` + more + `}}`
}

// same compares texts.
func (d *door) same(what string, got, want any) {
	d.t.Helper()
	if g, w := fmt.Sprint(got), fmt.Sprint(want); g != w {
		d.t.Errorf("%s: %s, want %s", what, g, w)
	}
}

func TestBulk(t *testing.T) {
	d := open(t, scim.Limits{}, nil)
	old, gone := d.user("old", ""), d.user("gone", "")
	a, statuses := d.bulk("",
		post("a", "ada", ""),
		`{"method":"PATCH","path":"/Users/`+old.id()+`","data":{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"add","path":"title","value":"T"}]}}`,
		`{"method":"PUT","path":"/Users/`+old.id()+`","version":"W/\"99.0\"","data":{`+userSchemas+`,"userName":"older"}}`,
		`{"method":"DELETE","path":"/Users/`+gone.id()+`","version":"W/\"1.0\""}`,
		post("dup", "ADA", ""),
		`{"method":"PUT","path":"/Users/`+old.id()+`","version":"W/\"2.0\"","bulkId":"p","data":{`+userSchemas+`,"userName":"older"}}`,
		`{"method":"DELETE","path":"/Users/nobody"}`,
		`{"method":"POST","path":"/Groups","bulkId":"g","data":{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"g","members":[{"value":"bulkId:a"}]}}`,
	)
	d.same("statuses", statuses, "[201 200 412 204 409 200 404 201]")
	ada := d.find("/Users", `userName eq "ada"`)
	d.same("location", a.get("Operations", 0, "location"), ada.get("Resources", 0, "meta", "location"))
	d.same("version", a.get("Operations", 0, "version"), `W/"1.0"`)
	d.same("bulkId", a.get("Operations", 0, "bulkId"), "a")
	d.same("method", a.get("Operations", 3, "method"), "DELETE")
	d.same("location of what is gone", a.get("Operations", 3, "location"), gone.get("meta", "location"))
	d.same("no location for a failed POST", a.get("Operations", 4, "location"), nil)
	d.same("error", a.get("Operations", 4, "response", "scimType"), "uniqueness")
	d.same("status of an error", a.get("Operations", 4, "response", "status"), "409")
	d.same("no response for a success", a.get("Operations", 0, "response"), nil)
	d.same("bulkId of a PUT", a.get("Operations", 5, "bulkId"), "p")
	d.same("replaced", d.want(200, "GET", "/Users/"+old.id(), "").get("title"), nil)
	group := d.find("/Groups", `displayName eq "g"`)
	d.same("member", group.get("Resources", 0, "members", 0, "value"), ada.get("Resources", 0, "id"))
}

func TestBulk_references(t *testing.T) {
	d := open(t, scim.Limits{}, nil)
	manager := func(id string) string { return `,"` + enterprise + `":{"manager":{"value":"bulkId:` + id + `"}}` }
	bossOf := func(name string) any {
		d.t.Helper()
		return d.find("/Users", `userName eq "`+name+`"`).get("Resources", 0, enterprise, "manager", "value")
	}
	idOf := func(name string) any { return d.find("/Users", `userName eq "`+name+`"`).get("Resources", 0, "id") }

	// Forwards: what is referred to comes later.
	a, statuses := d.bulk("", post("1", "one", manager("2")), post("2", "two", manager("3")), post("3", "three", ""))
	d.same("forwards", statuses, "[201 201 201]")
	d.same("order", []any{a.get("Operations", 0, "bulkId"), a.get("Operations", 2, "bulkId")}, "[1 3]")
	d.same("boss of one", bossOf("one"), idOf("two"))
	d.same("boss of two", bossOf("two"), idOf("three"))

	// In a circle: all three manage each other.
	a, statuses = d.bulk("", post("x", "ix", manager("y")), post("y", "ypsilon", manager("z")), post("z", "zet", manager("x")))
	d.same("circle", statuses, "[201 201 201]")
	d.same("boss of ix", bossOf("ix"), idOf("ypsilon"))
	d.same("boss of ypsilon", bossOf("ypsilon"), idOf("zet"))
	d.same("boss of zet", bossOf("zet"), idOf("ix"))
	for i, name := range []string{"ix", "ypsilon", "zet"} {
		d.same("version of "+name, a.get("Operations", i, "version"), d.find("/Users", `userName eq "`+name+`"`).get("Resources", 0, "meta", "version"))
	}

	// Oneself.
	_, statuses = d.bulk("", post("self", "self", manager("self")))
	d.same("self", statuses, "[201]")
	d.same("boss of self", bossOf("self"), idOf("self"))

	// In the path, in a PATCH and in an address.
	_, statuses = d.bulk("",
		`{"method":"PATCH","path":"/Groups/bulkId:team","data":{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"add","path":"members","value":[{"value":"bulkId:m","$ref":"../Users/bulkId:m"}]}]}}`,
		`{"method":"POST","path":"/Groups","bulkId":"team","data":{"displayName":"team"}}`,
		post("m", "emma", ""))
	d.same("path", statuses, "[200 201 201]")
	d.same("member", d.find("/Groups", `displayName eq "team"`).get("Resources", 0, "members", 0, "value"), idOf("emma"))

	// What cannot be resolved is refused, and what refers to it; the rest is done.
	a, statuses = d.bulk("", post("f", "five", manager("nobody")), post("s", "six", manager("f")), post("v", "seven", ""))
	d.same("unresolved", statuses, "[409 409 201]")
	for i, id := range []string{"nobody", "f"} {
		if detail, _ := a.get("Operations", i, "response", "detail").(string); !strings.Contains(detail, `"`+id+`"`) {
			t.Errorf("operation %d: %q does not name %s", i+1, detail, id)
		}
	}
	d.same("five", d.find("/Users", `userName eq "five" or userName eq "six"`).get("totalResults"), 0)

	// A circle of which one cannot be created: none is.
	d.user("taken", "")
	_, statuses = d.bulk("", post("p", "pia", manager("q")), post("q", "taken", manager("p")))
	d.same("broken circle", statuses, "[409 409]")
	d.same("pia", d.find("/Users", `userName eq "pia"`).get("totalResults"), 0)
	_, statuses = d.bulk("", post("p", "taken", manager("q")), post("q", "pia", manager("p")))
	d.same("broken circle, the other way", statuses, "[409 409]")
	d.same("pia again", d.find("/Users", `userName eq "pia"`).get("totalResults"), 0)

	// Circles that share a resource: where one cannot be completed the others go with it.
	_, statuses = d.bulk("",
		`{"method":"POST","path":"/Groups","bulkId":"z","data":{"displayName":"A","members":[{"value":"bulkId:a1"},{"value":"bulkId:b1"}]}}`,
		post("a1", "alfa", manager("z")),
		`{"method":"POST","path":"/Groups","bulkId":"b1","data":{"displayName":"C","members":[{"value":"bulkId:z"}]}}`)
	d.same("circles", statuses, "[409 409 409]")
	d.same("alfa", d.find("/Users", `userName eq "alfa"`).get("totalResults"), 0)
}

// TestBulk_comeback: a bulk request that cannot be completed takes back what it made, never somebody who was there before it.
func TestBulk_comeback(t *testing.T) {
	d := open(t, scim.Limits{}, nil)
	d.want(201, "POST", "/Groups", `{"displayName":"taken"}`)
	ada := d.user("ada", `"externalId":"e1"`)
	d.patch(ada.id(), `{"op":"replace","path":"active","value":false}`)
	_, statuses := d.bulk("",
		`{"method":"POST","path":"/Groups","bulkId":"g","data":{"displayName":"taken","members":[{"value":"bulkId:u"}]}}`,
		post("u", "ada", `,"externalId":"e1","`+enterprise+`":{"manager":{"value":"bulkId:g"}}`))
	d.same("statuses", statuses, "[409 409]")
	d.want(200, "GET", "/Users/"+ada.id(), "")
}

func TestBulk_failOnErrors(t *testing.T) {
	d := open(t, scim.Limits{}, nil)
	bad := `{"method":"DELETE","path":"/Users/nobody"}`
	_, statuses := d.bulk(`,"failOnErrors":2`, post("1", "one", ""), bad, post("2", "two", ""), bad, post("3", "three", ""), bad)
	d.same("stops at two", statuses, "[201 404 201 404]")
	d.same("three", d.find("/Users", `userName eq "three"`).get("totalResults"), 0)
	_, statuses = d.bulk(`,"failOnErrors":1`, post("4", "four", `,"`+enterprise+`":{"manager":{"value":"bulkId:5"}}`), post("5", "one", ""), post("6", "six", ""))
	d.same("what was to come first fails", statuses, "[409]")
	d.same("four", d.find("/Users", `userName eq "four" or userName eq "six"`).get("totalResults"), 0)
}

func TestBulk_refused(t *testing.T) {
	d := open(t, scim.Limits{BulkOperations: 3, GroupBody: 10_000, UserBody: 1_000}, nil)
	for operation, want := range map[string]string{
		`{"method":"GET","path":"/Users/x"}`:                                          "400",
		`{"path":"/Users/x"}`:                                                         "400",
		`{"method":"POST","path":"/Users","data":{"userName":"x"}}`:                   "400", // no bulkId
		`{"method":"POST","path":"/Users","bulkId":"x"}`:                              "400",
		`{"method":"POST","path":"/Users","bulkId":"x","data":[]}`:                    "400",
		`{"method":"POST","path":"/Users/x","bulkId":"x","data":{}}`:                  "400",
		`{"method":"DELETE","path":"/Users"}`:                                         "400",
		`{"method":"DELETE","path":"/Users/x?y"}`:                                     "400",
		`{"method":"POST","path":"/Bulk","bulkId":"x","data":{}}`:                     "400",
		`{"method":"POST","path":"/Users/.search","bulkId":"x","data":{}}`:            "400",
		`{"method":"DELETE","path":"/Me"}`:                                            "400",
		`{"method":"DELETE","path":"/Schemas/x"}`:                                     "400",
		`{"method":"DELETE","path":"/Licenses/ringex"}`:                               "405",
		`{"method":5,"path":"/Users/x"}`:                                              "400",
		`"x"`:                                                                         "400",
		`{"method":"DELETE","METHOD":"PUT","path":"/Users/x"}`:                        "400",
		post("big", "big", `,"title":"`+strings.Repeat("x", 1000)+`"`):                "413",
		`{"method":"PUT","path":"/Users/bulkId:x","data":{"userName":"x"}}`:           "409",
		`{"method":"POST","path":"/Users","bulkId":"x","data":{"userName":"","x":1}}`: "400",
	} {
		if _, statuses := d.bulk("", operation); len(statuses) != 1 || statuses[0] != want {
			t.Errorf("%s: %v, want %s", operation, statuses, want)
		}
	}
	if _, statuses := d.bulk("", post("same", "u1", ""), post("same", "u2", "")); fmt.Sprint(statuses) != "[201 400]" {
		t.Errorf("the same bulkId twice: %v", statuses)
	}
	for body, status := range map[string]int{
		`{"Operations":[{}]}`:                                        400, // no schemas
		`{"schemas":["urn:x"],"Operations":[{}]}`:                    400,
		`{` + bulkSchemas + `}`:                                      400,
		`{` + bulkSchemas + `,"Operations":[]}`:                      400,
		`{` + bulkSchemas + `,"Operations":{}}`:                      400,
		`{` + bulkSchemas + `,"Operations":[{}],"operations":[{}]}`:  400,
		`{` + bulkSchemas + `,"Operations":[{}],"failOnErrors":"x"}`: 400,
		`{` + bulkSchemas + `,"Operations":[{}],"failOnErrors":-1}`:  400,
		`{` + bulkSchemas + `,"Operations":[{}]`:                     400,
		`{` + bulkSchemas + `,"Operations":[{}]} x`:                  400,
		`[]`: 400,
		``:   400,
		`{` + bulkSchemas + `,"Operations":[{},{},{},{}]}`:                                 413,
		`{` + bulkSchemas + `,"Operations":[{"x":"` + strings.Repeat("x", 10_000) + `"}]}`: 413,
	} {
		a := d.want(status, "POST", "/Bulk", body, "Authorization", "Bearer strict")
		if detail, _ := a.get("detail").(string); status == 413 && !strings.Contains(detail, "3") && !strings.Contains(detail, "10000") {
			t.Errorf("the limit is not named: %s", a.raw)
		}
	}
	d.want(503, "POST", "/Bulk", `{`+bulkSchemas+`,"Operations":[{}]}`, "Authorization", "Bearer paused")
	if a := d.want(405, "GET", "/Bulk", ""); a.header.Get("Allow") != "POST" {
		t.Errorf("Allow: %s", a.header.Get("Allow"))
	}
	config := d.want(200, "GET", "/ServiceProviderConfig", "")
	d.same("maxOperations", config.get("bulk", "maxOperations"), 3)
	d.same("maxPayloadSize", config.get("bulk", "maxPayloadSize"), 10_000)
}

// FuzzBulk sends changed bulk requests. Whatever they are, each operation that was processed has a status, and what is said to be created
// is there afterwards, and nothing else.
func FuzzBulk(f *testing.F) {
	d := open(f, scim.Limits{BulkOperations: 20, GroupBody: 1 << 16}, nil)
	for _, operations := range []string{
		post("a", "ada", ""),
		post("a", "ada", `,"`+enterprise+`":{"manager":{"value":"bulkId:b"}}`) + "," + post("b", "bob", `,"`+enterprise+`":{"manager":{"value":"bulkId:a"}}`),
		`{"method":"POST","path":"/Groups","bulkId":"g","data":{"displayName":"g","members":[{"value":"bulkId:a"}]}},` + post("a", "ada", ""),
		`{"method":"DELETE","path":"/Users/bulkId:a"},` + post("a", "ada", ""),
		`{"method":"PATCH","path":"/Users/bulkId:a","version":"W/\"1.0\"","data":{"Operations":[{"op":"add","value":{"title":"x"}}]}},` + post("a", "ada", ""),
		`{"method":"PUT","path":"/Groups/bulkId:g","data":{"displayName":"h"}}`,
	} {
		f.Add(`{`+bulkSchemas+`,"Operations":[`+operations+`]}`, true)
		f.Add(`{"failOnErrors":1,"Operations":[`+operations+`]}`, false)
	}
	f.Fuzz(func(t *testing.T, body string, strict bool) {
		d := *d
		d.t = t
		token := "okta"
		if strict {
			token = "strict"
		}
		before := d.count()
		a := d.do("POST", "/Bulk", body, "Authorization", "Bearer "+token)
		if a.status != 200 {
			if a.status < 400 || a.status >= 500 || d.count() != before {
				t.Fatalf("%d %s, %d resources instead of %d", a.status, a.raw, d.count(), before)
			}
			return
		}
		var answer struct {
			Operations []struct {
				Method, Status, Location string
				Response                 json.RawMessage
			}
		}
		if err := json.Unmarshal(a.raw, &answer); err != nil {
			t.Fatal(err)
		}
		made := 0
		gone := map[string]bool{}
		for _, o := range answer.Operations {
			switch {
			case o.Status == "201":
				made++
			case o.Status == "204" && o.Method == "DELETE":
				made--
				gone[o.Location] = true
			case o.Status == "200", o.Status == "204":
			case len(o.Response) == 0 || o.Status < "400" || o.Status >= "500":
				t.Errorf("status %s with the response %s", o.Status, o.Response)
			}
		}
		if after := d.count(); after != before+made {
			t.Errorf("%d resources became %d, but %d were made: %s", before, after, made, a.raw)
		}
		for _, o := range answer.Operations {
			if o.Status != "201" {
				continue
			}
			path := o.Location[strings.Index(o.Location, "/scim/v2")+len("/scim/v2"):]
			if want := 200; !gone[o.Location] {
				d.want(want, "GET", path, "")
				d.do("DELETE", path, "")
			}
		}
	})
}

// count is how many people and groups there are.
func (d *door) count() int {
	d.t.Helper()
	n, _ := d.want(200, "GET", "/?count=0", "").get("totalResults").(float64)
	return int(n)
}
