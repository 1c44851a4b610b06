package scim_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"usher/licensing"
	"usher/scim"
	"usher/store"
)

func TestHTTP_locations(t *testing.T) {
	d := open(t, scim.Limits{}, nil)
	ada := d.user("ada", "")
	group := d.want(201, "POST", "/Groups", `{"displayName":"g"}`)
	for path, first := range map[string]answer{"/Users/" + ada.id(): ada, "/Groups/" + group.id(): group} {
		location := d.server.URL + "/scim/v2" + path
		if first.header.Get("Location") != location || first.get("meta", "location") != location {
			t.Errorf("%s: created with the location %s, %v", path, first.header.Get("Location"), first.get("meta", "location"))
		}
		for _, a := range []answer{first, d.want(200, "GET", path, ""), d.want(200, "PUT", path, `{"userName":"ada","displayName":"h"}`),
			d.want(200, "PATCH", path, `{"Operations":[{"op":"replace","path":"displayName","value":"i"}]}`)} {
			if a.header.Get("Content-Location") != location || a.get("meta", "location") != location || a.header.Get("ETag") != a.get("meta", "version") {
				t.Errorf("%s: headers %v, meta %v", path, a.header, a.get("meta"))
			}
		}
	}
}

func TestHTTP_head(t *testing.T) {
	d := open(t, scim.Limits{}, nil)
	ada := d.user("ada", "")
	for _, path := range []string{"/Users/" + ada.id(), "/Users", "/Groups", "/Licenses", "/Licenses/ringex", "/ServiceProviderConfig", "/Schemas", "/ResourceTypes/User", "/", "/Users/nobody"} {
		full := d.do("GET", path, "")
		r, err := http.NewRequest("HEAD", d.server.URL+"/scim/v2"+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer okta")
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != full.status || len(body) > 0 || resp.Header.Get("ETag") != full.header.Get("ETag") || resp.ContentLength != int64(len(full.raw)) {
			t.Errorf("%s: %d and %d bytes announced, %d there; GET gives %d and %d", path, resp.StatusCode, resp.ContentLength, len(body), full.status, len(full.raw))
		}
	}
}

func TestHTTP_methods(t *testing.T) {
	d := open(t, scim.Limits{}, nil)
	ada := d.user("ada", "")
	for path, allow := range map[string]string{
		"/Users":                 "GET, POST, HEAD",
		"/Users/":                "GET, POST, HEAD",
		"//Users//" + ada.id():   "DELETE, GET, PATCH, PUT, HEAD",
		"/Groups":                "GET, POST, HEAD",
		"/Licenses":              "GET, HEAD",
		"/Licenses/ringex":       "GET, HEAD",
		"/Schemas":               "GET, HEAD",
		"/ResourceTypes/User":    "GET, HEAD",
		"/ServiceProviderConfig": "GET, HEAD",
		"/Bulk":                  "POST",
		"/.search":               "POST",
		"/Users/.search":         "POST",
		"/":                      "GET, HEAD",
	} {
		if a := d.want(405, "TRACE", path, ""); a.header.Get("Allow") != allow || !strings.Contains(fmt.Sprint(a.get("detail")), allow) {
			t.Errorf("%s: Allow %q in %s, want %q", path, a.header.Get("Allow"), a.raw, allow)
		}
		a := d.do("OPTIONS", path, "", "Authorization", "Bearer paused")
		if a.status != 204 || len(a.raw) > 0 || a.header.Get("Allow") != allow {
			t.Errorf("OPTIONS %s: %d %s, Allow %q", path, a.status, a.raw, a.header.Get("Allow"))
		}
	}
	d.want(401, "OPTIONS", "/Users", "", "Authorization", "")
	d.want(404, "OPTIONS", "/Nothing", "")
	for _, path := range []string{"/v1/Users", "/v3/ServiceProviderConfig", "/V1.1/Users/x"} {
		if a := d.want(400, "GET", path, ""); a.get("scimType") != "invalidVers" {
			t.Errorf("%s: %s", path, a.raw)
		}
	}
}

// TestHTTP_preconditions sends each precondition with each method.
func TestHTTP_preconditions(t *testing.T) {
	d := open(t, scim.Limits{}, nil)
	const (
		user  = `{"userName":"ada","title":"%d"}`
		group = `{"displayName":"g","externalId":"%d"}`
	)
	n := 0
	for _, kind := range []struct{ endpoint, body, path string }{{"/Users/", user, "title"}, {"/Groups/", group, "externalId"}} {
		for header, allowed := range map[string]bool{
			"If-Match: CURRENT":                  true,
			"If-Match: *":                        true,
			"If-Match: W/\"77.0\", CURRENT":      true,
			"If-Match: STRONG":                   true,
			"If-Match: W/\"77.0\"":               false,
			"If-Match: W/\"77\"":                 false,
			"If-Match: W/\"0.0\"":                false,
			"If-Match: W/\"0\"":                  false,
			"If-Match: nonsense":                 false,
			"If-Match: PADDED":                   false,
			"If-None-Match: W/\"77.0\"":          true,
			"If-None-Match: nonsense":            true,
			"If-None-Match: CURRENT":             false,
			"If-None-Match: *":                   false,
			"If-None-Match: W/\"77.0\", CURRENT": false,
		} {
			for _, method := range []string{"GET", "PUT", "PATCH", "DELETE"} {
				n++
				made := d.want(201, "POST", strings.TrimSuffix(kind.endpoint, "/"), fmt.Sprintf(kind.body, 0))
				tag := made.header.Get("ETag")
				number := strings.Trim(strings.TrimPrefix(tag, "W/"), `"`)
				name, value, _ := strings.Cut(header, ": ")
				value = strings.NewReplacer("CURRENT", tag, "STRONG", strings.TrimPrefix(tag, "W/"), "PADDED", `W/"0`+number+`"`).Replace(value)
				body := ""
				switch method {
				case "PUT":
					body = fmt.Sprintf(kind.body, n)
				case "PATCH":
					body = fmt.Sprintf(`{"Operations":[{"op":"replace","path":%q,"value":"%d"}]}`, kind.path, n)
				}
				path := kind.endpoint + made.id()
				a := d.do(method, path, body, name, value)
				want := 200
				switch {
				case allowed && method == "DELETE":
					want = 204
				case allowed:
				case method == "GET" && name == "If-None-Match":
					want = 304
				default:
					want = 412
				}
				if a.status != want {
					t.Errorf("%s %s with %s: %s: %d %s, want %d", method, kind.endpoint, name, value, a.status, a.raw, want)
				}
				if want == 304 && (len(a.raw) > 0 || a.header.Get("ETag") != tag) {
					t.Errorf("304 with %q and the ETag %q", a.raw, a.header.Get("ETag"))
				}
				if want == 412 {
					if now := d.want(200, "GET", path, ""); now.header.Get("ETag") != tag || a.get("status") != "412" {
						t.Errorf("%s with %s: refused and done: %s, then %s", method, value, a.raw, now.raw)
					}
				}
				if want != 204 {
					d.want(204, "DELETE", path, "")
				}
			}
		}
	}
	for _, path := range []string{"/ServiceProviderConfig", "/Schemas", "/ResourceTypes", "/ResourceTypes/User", "/Licenses/ringex"} {
		tag := d.want(200, "GET", path, "").header.Get("ETag")
		if a := d.do("GET", path, "", "If-None-Match", tag); tag == "" || a.status != 304 || len(a.raw) > 0 {
			t.Errorf("%s with %q: %d", path, tag, a.status)
		}
		d.want(412, "GET", path, "", "If-Match", `W/"other"`)
	}
	d.want(404, "PUT", "/Users/nobody", `{"userName":"x"}`, "If-Match", `W/"1.0"`) // what is not there comes first
	d.want(404, "GET", "/Users/nobody", "", "If-None-Match", `*`)
}

func TestMe(t *testing.T) {
	d := open(t, scim.Limits{}, map[licensing.License]int{licensing.VideoProPlus: 1})
	if a := d.want(501, "GET", "/Me", ""); !strings.Contains(fmt.Sprint(a.get("detail")), "connection") {
		t.Errorf("a connection is told %s", a.raw)
	}
	ada := d.user("ada", `"entitlements":[{"value":"video-pro-plus"}],"externalId":"x","`+enterprise+`":{"department":"D"},"name":{"givenName":"Ada"}`)
	bob := d.user("bob", "")
	person := d.tokens["ada"]
	person.Person = ada.id()
	d.tokens["ada"] = person
	d.token = "ada"
	location := d.server.URL + "/scim/v2/Users/" + ada.id()
	me := d.want(200, "GET", "/Me", "")
	if me.id() != ada.id() || me.header.Get("Location") != location || me.header.Get("Content-Location") != location || me.get("meta", "location") != location {
		t.Errorf("me: %v %s", me.header, me.raw)
	}
	d.want(304, "GET", "/Me", "", "If-None-Match", me.header.Get("ETag"))
	if few := d.want(200, "GET", "/Me?attributes=userName", ""); len(few.body) != 3 {
		t.Errorf("attributes: %s", few.raw)
	}

	// What is one's own can be changed, and takes nothing away.
	changed := d.want(200, "PATCH", "/Me", `{"Operations":[{"op":"replace","path":"nickName","value":"Countess"},{"op":"replace","path":"name.familyName","value":"Lovelace"}]}`, "If-Match", me.header.Get("ETag"))
	d.same("nickName", changed.get("nickName"), "Countess")
	d.same("license", changed.get(usherUser, "effectiveLicense"), "video-pro-plus")
	d.want(412, "PATCH", "/Me", `{"Operations":[{"op":"replace","path":"nickName","value":"x"}]}`, "If-Match", me.header.Get("ETag"))
	replaced := d.want(200, "PUT", "/Me", `{"userName":"ada","displayName":"Ada L."}`)
	d.same("nickName after PUT", replaced.get("nickName"), nil)
	d.same("license after PUT", replaced.get(usherUser, "effectiveLicense"), "video-pro-plus")
	d.same("department after PUT", replaced.get(enterprise, "department"), "D")

	// All else cannot.
	for _, op := range []string{
		`{"op":"replace","path":"userName","value":"countess"}`,
		`{"op":"replace","path":"active","value":false}`,
		`{"op":"remove","path":"externalId"}`,
		`{"op":"add","path":"emails","value":[{"value":"a@gmail.com"}]}`,
		`{"op":"add","path":"roles","value":[{"value":"super-admin"}]}`,
		`{"op":"remove","path":"entitlements"}`,
		`{"op":"add","value":{"nickName":"x","` + usherUser + `":{"license":"ringex"}}}`,
		`{"op":"replace","path":"` + enterprise + `:department","value":"Board"}`,
		`{"op":"add","path":"x509Certificates","value":[{"value":"TWFu"}]}`,
	} {
		if a := d.want(403, "PATCH", "/Me", `{"Operations":[`+op+`]}`); a.get("detail") == nil {
			t.Errorf("%s: %s", op, a.raw)
		}
	}
	d.want(403, "PUT", "/Me", `{"userName":"ada","active":false}`)
	d.want(403, "DELETE", "/Me", "")
	d.want(403, "POST", "/Me", `{"userName":"x"}`)
	if now := d.want(200, "GET", "/Me", ""); now.header.Get("ETag") != replaced.header.Get("ETag") {
		t.Errorf("a refused change was made: %s", now.raw)
	}
	for _, path := range []string{"/Users", "/Users/" + ada.id(), "/Users/" + bob.id(), "/Groups", "/Licenses", "/"} {
		d.want(403, "GET", path, "")
	}
	d.want(403, "PATCH", "/Users/"+ada.id(), `{"Operations":[{"op":"replace","path":"nickName","value":"x"}]}`)
	d.want(403, "POST", "/Bulk", `{`+bulkSchemas+`,"Operations":[{}]}`)
	d.want(403, "POST", "/.search", `{`+searchRequest+`}`)
	d.want(403, "POST", "/Users/.search", `{`+searchRequest+`}`)
	d.want(200, "GET", "/Schemas", "")

	// The log names the person.
	events, err := d.store.ListEvents(t.Context(), d.company, 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	last := events[len(events)-1]
	if last.Actor != (store.Actor{Kind: "person", ID: ada.id()}) {
		t.Errorf("the last event is of %+v", last.Actor)
	}
	if !json.Valid(last.Detail) && last.Detail != nil {
		t.Errorf("detail %s", last.Detail)
	}

	// Where the company does not allow it, nothing can be changed; and who is deactivated sees nothing.
	person.MayEdit = false
	d.tokens["ada"] = person
	d.want(403, "PATCH", "/Me", `{"Operations":[{"op":"replace","path":"nickName","value":"x"}]}`)
	d.want(200, "GET", "/Me", "")
	d.token = "okta"
	d.patch(ada.id(), `{"op":"replace","path":"active","value":false}`)
	d.token = "ada"
	d.want(403, "GET", "/Me", "")
	d.token = "okta"
	d.want(204, "DELETE", "/Users/"+ada.id(), "")
	d.token = "ada"
	d.want(404, "GET", "/Me", "")
}
