package scim_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"usher/licensing"
	"usher/scim"
)

func TestHandler_projection(t *testing.T) {
	d := open(t, scim.Limits{}, map[licensing.License]int{licensing.VideoProPlus: 1})
	ada := d.user("ada", `"displayName":"Ada","name":{"givenName":"A","familyName":"L"},"emails":[{"value":"a@x.example","type":"work"},{"value":"b@x.example","type":"home"}],"`+
		enterprise+`":{"department":"D","division":"V"},"entitlements":[{"value":"video-pro-plus"}]`)
	d.want(201, "POST", "/Groups", `{"displayName":"g","members":[{"value":"`+ada.id()+`"}]}`)
	for query, want := range map[string]string{
		"attributes=userName":                           `{"id":"ID","schemas":"S","userName":"ada"}`,
		"attributes=USERNAME,name.givenName":            `{"id":"ID","schemas":"S","userName":"ada","name":{"givenName":"A"}}`,
		"attributes=emails.value":                       `{"id":"ID","schemas":"S","emails":[{"value":"a@x.example"},{"value":"b@x.example"}]}`,
		"attributes=" + enterprise + ":department":      `{"id":"ID","schemas":"S","` + enterprise + `":{"department":"D"}}`,
		"attributes=" + enterprise:                      `{"id":"ID","schemas":"S","` + enterprise + `":{"division":"V","department":"D"}}`,
		"attributes=" + usherUser + ":effectiveLicense": `{"id":"ID","schemas":"S","` + usherUser + `":{"effectiveLicense":"video-pro-plus"}}`,
		"attributes=groups.display":                     `{"id":"ID","schemas":"S","groups":[{"display":"g"}]}`,
		"attributes=nothing":                            `{"id":"ID","schemas":"S"}`,
		"attributes=meta.resourceType":                  `{"id":"ID","schemas":"S","meta":{"resourceType":"User"}}`,
		"excludedAttributes=emails,name.familyName,meta,groups,entitlements,active,id,schemas," + usherUser + "," + enterprise + ":division": `{"id":"ID","schemas":"S","userName":"ada","displayName":"Ada","name":{"givenName":"A"},"` + enterprise + `":{"department":"D"}}`,
	} {
		a := d.want(200, "GET", "/Users/"+ada.id()+"?"+query, "")
		a.body["id"], a.body["schemas"] = "ID", "S"
		got, err := json.Marshal(a.body)
		if err != nil {
			t.Fatal(err)
		}
		var expected any
		if err := json.Unmarshal([]byte(want), &expected); err != nil {
			t.Fatal(err)
		}
		if normal, _ := json.Marshal(expected); !bytes.Equal(got, normal) {
			t.Errorf("%s:\n%s\nwant\n%s", query, got, normal)
		}
		list := d.want(200, "GET", "/Users?"+query, "")
		if one, _ := list.get("Resources", 0).(map[string]any); len(one) != len(a.body) {
			t.Errorf("%s in a list: %v", query, one)
		}
	}
	if a := d.want(200, "PATCH", "/Users/"+ada.id()+"?attributes=title", `{"Operations":[{"op":"add","path":"title","value":"T"}]}`); len(a.body) != 3 || a.body["title"] != "T" {
		t.Errorf("projection of a PATCH: %s", a.raw)
	}
}

func TestHandler_versions(t *testing.T) {
	d := open(t, scim.Limits{}, nil)
	ada := d.user("ada", "")
	if ada.header.Get("ETag") != `W/"1.0"` || ada.get("meta", "version") != `W/"1.0"` || ada.header.Get("Location") != ada.get("meta", "location") {
		t.Errorf("headers %v, meta %v", ada.header, ada.get("meta"))
	}
	path := "/Users/" + ada.id()
	d.want(304, "GET", path, "", "If-None-Match", `W/"1.0"`)
	same := d.patch(ada.id(), `{"op":"replace","path":"active","value":true}`)
	if same.header.Get("ETag") != `W/"1.0"` || same.get("meta", "lastModified") != ada.get("meta", "lastModified") {
		t.Errorf("a change that changes nothing: %s, %v", same.header.Get("ETag"), same.get("meta"))
	}
	group := d.want(201, "POST", "/Groups", `{"displayName":"g","members":[{"value":"`+ada.id()+`"}]}`)
	now := d.want(200, "GET", path, "", "If-None-Match", `W/"1.0"`)
	d.want(200, "GET", path, "", "If-None-Match", `W/"1.1"`) // the name of the group is shown, and may have changed
	d.want(304, "GET", path+"?excludedAttributes=groups", "", "If-None-Match", `W/"1.1"`)
	d.want(200, "GET", "/Groups/"+group.id(), "", "If-None-Match", group.header.Get("ETag"))
	d.want(304, "GET", "/Groups/"+group.id()+"?excludedAttributes=members", "", "If-None-Match", group.header.Get("ETag"))
	if now.header.Get("ETag") != `W/"1.1"` || now.get("groups", 0, "value") != group.id() || now.get("groups", 0, "type") != "direct" {
		t.Errorf("after joining a group: %s, %v", now.header.Get("ETag"), now.get("groups"))
	}
	d.want(200, "PATCH", path, `{"Operations":[{"op":"replace","path":"title","value":"x"}]}`, "If-Match", `W/"1.0"`) // memberships do not count
	d.want(412, "PATCH", path, `{"Operations":[{"op":"replace","path":"title","value":"y"}]}`, "If-Match", `W/"1.1"`)
	d.want(200, "PUT", path, `{"userName":"ada"}`, "If-Match", `*`)
	d.want(204, "DELETE", path, "", "If-Match", `W/"99.0", W/"3.1"`)
	if left := d.want(200, "GET", "/Groups/"+group.id(), ""); left.get("members") != nil {
		t.Errorf("the group still has %v", left.get("members"))
	}
}

func TestHandler_pages(t *testing.T) {
	d := open(t, scim.Limits{Page: 5}, nil)
	for i := range 12 {
		d.user(fmt.Sprintf("p%02d", i), "")
	}
	for query, want := range map[string]struct{ start, n float64 }{
		"":                                  {1, 5},
		"?startIndex=0&count=3":             {1, 3},
		"?startIndex=11&count=3":            {11, 2},
		"?startIndex=13":                    {13, 0},
		"?count=0":                          {1, 0},
		"?count=-1":                         {1, 0},
		"?count=1000000000000000000":        {1, 5},
		"?startIndex=%222%22&count=%221%22": {2, 1},
	} {
		a := d.want(200, "GET", "/Users"+query, "")
		resources, _ := a.get("Resources").([]any)
		if a.get("totalResults") != 12.0 || a.get("startIndex") != want.start || a.get("itemsPerPage") != want.n || float64(len(resources)) != want.n || resources == nil {
			t.Errorf("%q: %v of %v from %v, %d there", query, a.get("itemsPerPage"), a.get("totalResults"), a.get("startIndex"), len(resources))
		}
	}
	second := d.want(200, "GET", "/Users?startIndex=6&count=5", "")
	if got := second.get("Resources", 0, "userName"); got != "p05" {
		t.Errorf("the second page begins with %v, want p05", got)
	}
}

func TestHandler_tooManyRows(t *testing.T) {
	d := open(t, scim.Limits{QueryRows: 10}, nil)
	for i := range 12 {
		d.user(fmt.Sprintf("p%02d", i), "")
	}
	a := d.want(400, "GET", "/Users?filter="+url.QueryEscape(`title co "x"`), "")
	if a.get("scimType") != "tooMany" {
		t.Errorf("%s", a.raw)
	}
	d.find("/Users", `userName eq "p11"`)
}

func TestHandler_rawPlus(t *testing.T) {
	d := open(t, scim.Limits{}, nil)
	d.user("ada+test@acme.example", "")
	d.user("eve x@acme.example", "")
	for _, tt := range []struct {
		token, query string
		want         float64
	}{
		{"okta", `userName+eq+%22ada%2Btest@acme.example%22`, 1},
		{"okta", `userName%20eq%20%22ada+test@acme.example%22`, 1}, // a raw plus that means itself
		{"okta", `userName+eq+%22eve+x@acme.example%22`, 1},        // and one that is a blank
		{"strict", `userName+eq+%22eve+x@acme.example%22`, 1},
		{"strict", `userName%20eq%20%22ada+test@acme.example%22`, 0},
	} {
		d.token = tt.token
		if got := d.want(200, "GET", "/Users?filter="+tt.query, "").get("totalResults"); got != tt.want {
			t.Errorf("%s: %s finds %v, want %v", tt.token, tt.query, got, tt.want)
		}
	}
}

func TestHandler_semicolonInAFilter(t *testing.T) {
	d := open(t, scim.Limits{}, nil)
	d.user("ada", "")
	d.user("a;b", "")
	for query, want := range map[string]string{`userName%20eq%20%22a;b%22`: "a;b", `userName%20eq%20%22a%3Bb%22`: "a;b"} {
		a := d.want(200, "GET", "/Users?filter="+query, "")
		if a.get("totalResults") != 1.0 || a.get("Resources", 0, "userName") != want {
			t.Errorf("%s: %s", query, a.raw)
		}
	}
}

func TestHandler_membersOnAPageAreLimited(t *testing.T) {
	d := open(t, scim.Limits{QueryRows: 3}, nil)
	var members []string
	for i := range 4 {
		members = append(members, fmt.Sprintf(`{"value":%q}`, d.user(fmt.Sprintf("p%d", i), "").id()))
	}
	group := d.want(201, "POST", "/Groups", `{"displayName":"g","members":[`+strings.Join(members, ",")+`]}`)
	if a := d.want(400, "GET", "/Groups", ""); a.get("scimType") != "tooMany" {
		t.Errorf("%s", a.raw)
	}
	d.want(200, "GET", "/Groups?excludedAttributes=members", "")
	d.want(200, "GET", "/Groups/"+group.id(), "")
}
