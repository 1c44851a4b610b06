package scim_test

import (
	"bytes"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"usher/scim"
)

const searchRequest = `"schemas":["urn:ietf:params:scim:api:messages:2.0:SearchRequest"]`

// names gives an attribute of all resources on a page.
func (a answer) names(attribute string) []string {
	list, _ := a.body["Resources"].([]any)
	names := make([]string, len(list))
	for i := range list {
		names[i] = fmt.Sprint(a.get("Resources", i, attribute))
	}
	return names
}

// motley fills the company with people and groups whose names mix.
func motley(d *door) {
	for i, name := range []string{"dora", "Bob", "eve", "adam", "Carl"} {
		extra := ""
		if i != 2 {
			extra = fmt.Sprintf(`"displayName":%q,"title":"t%d"`, strings.ToUpper(name), i%2)
		}
		d.user(name, extra)
	}
	for _, name := range []string{"cats", "Ants", "fish"} {
		d.want(201, "POST", "/Groups", `{"displayName":"`+name+`"}`)
	}
}

func TestList_sort(t *testing.T) {
	d := open(t, scim.Limits{}, nil)
	motley(d)
	for query, want := range map[string][]string{
		"sortBy=userName":                                               {"adam", "Bob", "Carl", "dora", "eve"},
		"sortBy=USERNAME&sortOrder=Descending":                          {"eve", "dora", "Carl", "Bob", "adam"},
		"sortBy=displayName":                                            {"adam", "Bob", "Carl", "dora", "eve"}, // who has none comes last
		"sortBy=displayName&sortOrder=descending":                       {"eve", "dora", "Carl", "Bob", "adam"},
		"sortBy=urn:ietf:params:scim:schemas:core:2.0:User:userName":    {"adam", "Bob", "Carl", "dora", "eve"},
		"sortBy=meta.resourceType":                                      {"dora", "Bob", "eve", "adam", "Carl"},
		"sortBy=title&sortOrder=ascending&count=3":                      {"dora", "Carl", "Bob"},
		"sortBy=title&startIndex=3&count=2":                             {"Bob", "adam"},
		"sortOrder=descending":                                          {"dora", "Bob", "eve", "adam", "Carl"}, // of nothing
		"sortBy=userName&filter=" + url.QueryEscape(`displayName pr`):   {"adam", "Bob", "Carl", "dora"},
		"sortBy=userName&filter=" + url.QueryEscape(`title eq "t1"`):    {"adam", "Bob"},
		"sortBy=" + usherUser + ":effectiveLicense&attributes=userName": {"dora", "Bob", "eve", "adam", "Carl"},
	} {
		if got := d.want(200, "GET", "/Users?"+query, "").names("userName"); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", query, got, want)
		}
	}
	for query, detail := range map[string]string{
		"sortBy=nothing":                     "nothing",
		"sortBy=password":                    "password",
		"sortBy=name":                        "name.formatted",
		"sortBy=userName&sortOrder=sideways": "sideways",
		"sortBy=" + enterprise:               "",
	} {
		a := d.want(400, "GET", "/Users?"+query, "")
		if text, _ := a.get("detail").(string); a.get("scimType") != "invalidValue" || !strings.Contains(text, detail) {
			t.Errorf("%s: %s", query, a.raw)
		}
	}
	if got := d.want(200, "GET", "/Groups?sortBy=displayName", "").names("displayName"); !slices.Equal(got, []string{"Ants", "cats", "fish"}) {
		t.Errorf("groups: %v", got)
	}
	if got := d.want(200, "GET", "/Licenses?sortBy=id&sortOrder=descending", "").names("id"); !slices.Equal(got, []string{"video-pro-plus", "video-pro", "ringex"}) {
		t.Errorf("licenses: %v", got)
	}
}

func TestList_sortEmails(t *testing.T) {
	d := open(t, scim.Limits{}, nil)
	d.user("first", `"emails":[{"value":"m@x.example","type":"work"},{"value":"a@x.example","type":"home"}]`)
	d.user("primary", `"emails":[{"value":"a@x.example","type":"work"},{"value":"z@x.example","type":"home","primary":true}]`)
	d.user("low", `"emails":[{"value":"B@x.example"}]`)
	for _, by := range []string{"emails", "emails.value"} {
		if got := d.want(200, "GET", "/Users?sortBy="+by, "").names("userName"); !slices.Equal(got, []string{"low", "first", "primary"}) {
			t.Errorf("%s: %v", by, got)
		}
	}
}

func TestList_root(t *testing.T) {
	d := open(t, scim.Limits{}, nil)
	motley(d)
	find := func(query string) []string {
		a := d.want(200, "GET", query, "")
		var all []string
		for i, kind := range a.names("meta") {
			_ = kind
			name := a.get("Resources", i, "userName")
			if name == nil {
				name = a.get("Resources", i, "displayName")
			}
			all = append(all, fmt.Sprint(name))
		}
		return all
	}
	filter := func(f string) string { return "/?filter=" + url.QueryEscape(f) }
	for query, want := range map[string][]string{
		"/?count=2":                                                               {"dora", "Bob"},
		"/?startIndex=5&count=2":                                                  {"Carl", "cats"},
		"?startIndex=8&count=2":                                                   {"fish", "Video Pro"},
		filter(`meta.resourceType eq "Group"`):                                    {"cats", "Ants", "fish"},
		filter(`userName pr`):                                                     {"dora", "Bob", "eve", "adam", "Carl"},
		filter(`displayName sw "a"`):                                              {"adam", "Ants"},
		filter(`userName eq "Bob" or displayName eq "fish"`):                      {"Bob", "fish"},
		filter(`userName ne "Bob" and meta.resourceType eq "Group"`):              {"cats", "Ants", "fish"}, // they have no userName
		filter(`emails[type eq "work"] or displayName eq "cats"`):                 {"cats"},
		filter(`displayName pr and type pr`):                                      {"Video Pro", "RingEX", "Video Pro+"},
		filter(`userName eq null and displayName co "n"`):                         {"Ants", "RingEX"},
		filter(`displayName pr`) + "&sortBy=displayName&count=4":                  {"adam", "Ants", "Bob", "Carl"},
		filter(`displayName pr`) + "&sortBy=displayName&count=3&startIndex=5":     {"cats", "dora", "fish"},
		filter(`not (type pr)`) + "&sortBy=userName&sortOrder=descending&count=4": {"cats", "Ants", "fish", "eve"},
	} {
		if got := find(query); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", query, got, want)
		}
	}
	if n := d.want(200, "GET", "/?count=0", "").get("totalResults"); n != 11.0 {
		t.Errorf("%v resources in all", n)
	}
	for _, f := range []string{`nothing eq "x"`, `userName eq "a" or nothing pr`, `userName eq 5`} {
		if a := d.want(400, "GET", filter(f), "", "Authorization", "Bearer strict"); a.get("scimType") != "invalidFilter" {
			t.Errorf("%s: %s", f, a.raw)
		}
	}
	d.want(405, "POST", "/", "{}")
}

func TestList_search(t *testing.T) {
	d := open(t, scim.Limits{}, nil)
	motley(d)
	for path, body := range map[string]string{
		"/Users/.search":    `"filter":"userName eq \"bob\"","attributes":["userName"],"startIndex":1,"count":10`,
		"/.search":          `"filter":"userName eq \"bob\"","attributes":["userName"]`,
		"/Groups/.search/":  `"filter":"displayName sw \"a\"","sortBy":"displayName","sortOrder":"descending","excludedAttributes":["members"]`,
		"/Licenses/.search": `"filter":"id eq \"ringex\"","COUNT":"5","cursor":null`,
	} {
		a := d.want(200, "POST", path, `{`+searchRequest+`,`+body+`}`, "Authorization", "Bearer paused")
		if a.get("totalResults") != 1.0 || len(a.names("id")) != 1 {
			t.Errorf("%s: %s", path, a.raw)
		}
	}
	one := d.want(200, "POST", "/Users/.search?count=0", `{`+searchRequest+`,"attributes":["displayName"],"count":1}`) // the body counts
	if len(one.names("id")) != 1 || one.get("Resources", 0, "userName") != nil {
		t.Errorf("attributes of a search: %s", one.raw)
	}
	for body, scimType := range map[string]string{
		`{"filter":"userName pr"}`:                 "invalidSyntax", // no schemas
		`{"schemas":["urn:x"]}`:                    "invalidSyntax",
		`{` + searchRequest + `,"filter":5}`:       "invalidSyntax",
		`{` + searchRequest + `,"count":"x"}`:      "invalidValue",
		`{` + searchRequest + `,"count":[1]}`:      "invalidSyntax",
		`{` + searchRequest + `,"attributes":[5]}`: "invalidSyntax",
		`{` + searchRequest + `,"attributes":{}}`:  "invalidSyntax",
		`{` + searchRequest + `,"filter":"("}`:     "invalidFilter",
		`{` + searchRequest + `,"filter":""}`:      "invalidFilter",
		`[]`:                                       "invalidSyntax",
		`{` + searchRequest + `,"attributes":["userName"],"excludedAttributes":["name"]}`: "invalidValue",
	} {
		if a := d.want(400, "POST", "/Users/.search", body, "Authorization", "Bearer strict"); a.get("scimType") != scimType {
			t.Errorf("%s: %s", body, a.raw)
		}
	}
	if a := d.want(405, "GET", "/Users/.search", ""); a.header.Get("Allow") != "POST" {
		t.Errorf("Allow: %s", a.header.Get("Allow"))
	}
	d.want(404, "POST", "/Schemas/.search", `{`+searchRequest+`}`)
	d.want(413, "POST", "/.search", `{`+searchRequest+`,"filter":"`+strings.Repeat("x", 1<<20)+`"}`)
}

// walk follows the cursors to the end.
func (d *door) walk(query, attribute string) (all []string, pages int) {
	d.t.Helper()
	for cursor := ""; ; {
		a := d.want(200, "GET", query+"&cursor="+cursor, "")
		all = append(all, a.names(attribute)...)
		pages++
		next, more := a.get("nextCursor").(string)
		if !more {
			return all, pages
		}
		if a.get("startIndex") != nil || a.get("previousCursor") != nil {
			d.t.Errorf("a page by cursor: %s", a.raw)
		}
		if strings.Trim(next, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~") != "" {
			d.t.Errorf("a cursor has reserved characters: %s", next)
		}
		cursor = next
	}
}

func TestList_cursor(t *testing.T) {
	d := open(t, scim.Limits{}, nil)
	motley(d)
	for _, test := range []struct {
		query string
		want  []string
		pages int
	}{
		{"/Users?count=2", []string{"dora", "Bob", "eve", "adam", "Carl"}, 3},
		{"/Users?count=5", []string{"dora", "Bob", "eve", "adam", "Carl"}, 1},
		{"/Users?count=1&sortBy=userName", []string{"adam", "Bob", "Carl", "dora", "eve"}, 5},
		{"/Users?count=2&sortBy=title&sortOrder=descending", []string{"eve", "Bob", "adam", "dora", "Carl"}, 3},
		{"/Users?count=2&filter=" + url.QueryEscape(`title pr`), []string{"dora", "Bob", "adam", "Carl"}, 2},
	} {
		got, pages := d.walk(test.query, "userName")
		if !slices.Equal(got, test.want) || pages != test.pages {
			t.Errorf("%s: %v on %d pages, want %v on %d", test.query, got, pages, test.want, test.pages)
		}
	}
	all, _ := d.walk("/?count=3", "id")
	sorted, _ := d.walk("/?count=2&sortBy=displayName", "id")
	if len(all) != 11 || len(sorted) != 11 {
		t.Errorf("at the root: %d and sorted %d resources", len(all), len(sorted))
	}
	slices.Sort(all)
	if slices.Sort(sorted); !slices.Equal(all, sorted) {
		t.Errorf("at the root: %v, sorted %v", all, sorted)
	}
	first := d.want(200, "GET", "/Users?cursor&count=2", "")
	if first.get("totalResults") != 5.0 || first.get("itemsPerPage") != 2.0 {
		t.Errorf("first page: %s", first.raw)
	}
	if none := d.want(200, "GET", "/Users?cursor=&count=0", ""); none.get("totalResults") != 5.0 || none.get("nextCursor") != nil {
		t.Errorf("count=0: %s", none.raw)
	}
	next := first.get("nextCursor").(string)
	second := d.want(200, "POST", "/Users/.search", `{`+searchRequest+`,"count":2,"cursor":"`+next+`","attributes":["userName"]}`)
	if !slices.Equal(second.names("userName"), []string{"eve", "adam"}) || second.get("totalResults") != 5.0 {
		t.Errorf("second page: %s", second.raw)
	}
	if bytes.Contains([]byte(next), []byte("dora")) {
		t.Error("the cursor can be read")
	}
	other := "A"
	if next[:1] == other {
		other = "B"
	}
	for query, scimType := range map[string]string{
		"/Users?count=2&cursor=" + next[:len(next)-1]:                                 "invalidCursor",
		"/Users?count=2&cursor=" + other + next[1:]:                                   "invalidCursor",
		"/Users?count=2&cursor=1":                                                     "invalidCursor",
		"/Users?count=2&cursor=%00":                                                   "invalidCursor",
		"/Users?count=2&sortBy=userName&cursor=" + next:                               "invalidCursor",
		"/Users?count=2&filter=" + url.QueryEscape("userName pr") + "&cursor=" + next: "invalidCursor",
		"/Groups?count=2&cursor=" + next:                                              "invalidCursor",
		"/?count=2&cursor=" + next:                                                    "invalidCursor",
		"/Users?count=3&cursor=" + next:                                               "invalidCount",
		"/Users?count=2&startIndex=1&cursor=" + next:                                  "invalidValue",
	} {
		if a := d.want(400, "GET", query, ""); a.get("scimType") != scimType {
			t.Errorf("%s: %s, want %s", query, a.raw, scimType)
		}
	}
	for _, token := range []string{"other", "entra"} { // worth nothing to anybody else
		if a := d.want(400, "GET", "/Users?count=2&cursor="+next, "", "Authorization", "Bearer "+token); a.get("scimType") != "invalidCursor" {
			t.Errorf("%s: %s", token, a.raw)
		}
	}
}

// TestList_cursorPastChanges deletes the person whom a cursor names.
// TestList_cursorEveryOrder: by cursors and by index a sorted list is the same, whatever it is sorted by.
func TestList_cursorEveryOrder(t *testing.T) {
	d := open(t, scim.Limits{}, nil)
	motley(d)
	users := d.want(200, "GET", "/Users?attributes=id", "").names("id")
	for i := range users {
		d.want(201, "POST", "/Groups", fmt.Sprintf(`{"displayName":"in %d","externalId":"%d","members":[{"value":%q},{"value":%q}]}`,
			9-i, i%2, users[i], users[(i+2)%len(users)]))
	}
	for endpoint, attributes := range map[string]string{
		"/Users":  "id userName title active emails name.familyName meta.created meta.lastModified meta.version groups groups.value",
		"/Groups": "id displayName externalId meta.version members members.value",
		"/":       "id userName displayName title meta.resourceType meta.lastModified groups members.value",
	} {
		for attribute := range strings.FieldsSeq(attributes) {
			for _, order := range []string{"ascending", "descending"} {
				query := endpoint + "?attributes=id&sortBy=" + attribute + "&sortOrder=" + order
				want := d.want(200, "GET", query+"&count=100", "").names("id")
				if got, _ := d.walk(query+"&count=3", "id"); !slices.Equal(got, want) {
					t.Errorf("%s: %d resources by cursor, %d by index", query, len(got), len(want))
				}
			}
		}
	}
	for order, want := range map[string]string{"ascending": "Group License User", "descending": "User License Group"} {
		a := d.want(200, "GET", "/?count=100&sortBy=meta.resourceType&sortOrder="+order, "")
		var types []string
		for i := range a.get("Resources").([]any) {
			types = append(types, a.get("Resources", i, "meta", "resourceType").(string))
		}
		if got := strings.Join(slices.Compact(types), " "); got != want {
			t.Errorf("%s: %s, want %s", order, got, want)
		}
	}
}

// TestList_cursorOfLongValue: the place of a person with a very long value fits into no cursor.
func TestList_cursorOfLongValue(t *testing.T) {
	d := open(t, scim.Limits{}, nil)
	for _, name := range []string{"ada", "bob"} {
		d.user(name, `"title":"`+strings.Repeat("x", 5000)+`"`)
	}
	if a := d.want(400, "GET", "/Users?sortBy=title&count=1&cursor=", ""); a.get("scimType") != "tooMany" {
		t.Errorf("%s", a.raw)
	}
	if all, _ := d.walk("/Users?sortBy=userName&count=1", "userName"); len(all) != 2 {
		t.Errorf("by userName: %v", all)
	}
}

func TestList_cursorPastChanges(t *testing.T) {
	d := open(t, scim.Limits{}, nil)
	for _, query := range []string{"/Users?count=2", "/Users?count=2&sortBy=userName"} {
		var ids []string
		for _, name := range []string{"a", "b", "c", "d"} {
			ids = append(ids, d.user(name, "").id())
		}
		first := d.want(200, "GET", query+"&cursor", "")
		d.want(204, "DELETE", "/Users/"+ids[1], "")
		second := d.want(200, "GET", query+"&cursor="+first.get("nextCursor").(string), "")
		if !slices.Equal(second.names("userName"), []string{"c", "d"}) {
			t.Errorf("%s: %s", query, second.raw)
		}
		for _, i := range []int{0, 2, 3} {
			d.want(204, "DELETE", "/Users/"+ids[i], "")
		}
	}
}

func TestList_counts(t *testing.T) {
	d := open(t, scim.Limits{Page: 3, PageSize: 2}, nil)
	motley(d)
	for query, want := range map[string][3]float64{ // total, startIndex, itemsPerPage
		"":                       {5, 1, 2},
		"count=0":                {5, 1, 0},
		"count=-3":               {5, 1, 0},
		"count=1000000000000000": {5, 1, 3},
		"startIndex=0":           {5, 1, 2},
		"startIndex=-7&count=1":  {5, 1, 1},
		"startIndex=5&count=3":   {5, 5, 1},
		"startIndex=99":          {5, 99, 0},
		`count="2"`:              {5, 1, 2},
		"count=":                 {5, 1, 2},
		"unknown=x":              {5, 1, 2},
	} {
		a := d.want(200, "GET", "/Users?"+query, "")
		if got := [3]float64{a.get("totalResults").(float64), a.get("startIndex").(float64), a.get("itemsPerPage").(float64)}; got != want || len(a.names("id")) != int(want[2]) {
			t.Errorf("%s: %v, want %v: %s", query, got, want, a.raw)
		}
	}
	for _, query := range []string{"count=x", "startIndex=1.5", "count=2e3"} {
		if a := d.want(400, "GET", "/Users?"+query, ""); a.get("scimType") != "invalidValue" {
			t.Errorf("%s: %s", query, a.raw)
		}
	}
}
