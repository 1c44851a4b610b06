package scim_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"testing"

	"usher/licensing"
	"usher/scim"
)

func TestHandler_refusesBadRequests(t *testing.T) {
	d := open(t, scim.Limits{UserBody: 4096}, nil)
	ada := d.user("ada", "")
	for name, tt := range map[string]struct {
		method, path, body string
		header             []string
		status             int
		scimType, detail   string // part of the detail
	}{
		"no token":                 {"GET", "/Users", "", []string{"Authorization", ""}, 401, "", "no bearer token"},
		"wrong token":              {"GET", "/Users", "", []string{"Authorization", "Bearer wrong"}, 401, "", "unknown, expired or revoked"},
		"overlong token":           {"GET", "/Users", "", []string{"Authorization", "Bearer " + strings.Repeat("x", 5000)}, 401, "", "longer than 4096 bytes"},
		"broken JSON":              {"POST", "/Users", `{"schemas":[`, nil, 400, "invalidSyntax", "JSON"},
		"two values":               {"POST", "/Users", `{} {}`, nil, 400, "invalidSyntax", "more than one"},
		"no object":                {"POST", "/Users", `"text"`, nil, 400, "invalidSyntax", "object"},
		"no body":                  {"POST", "/Users", "", nil, 400, "invalidSyntax", "no body"},
		"duplicate keys":           {"POST", "/Users", `{"userName":"a","userName":"b"}`, nil, 400, "invalidSyntax", "twice"},
		"keys equal but for case":  {"POST", "/Users", `{"userName":"a","username":"b"}`, nil, 400, "invalidSyntax", "without case"},
		"invalid UTF-8":            {"POST", "/Users", "{\"userName\":\"a\xff\"}", nil, 400, "invalidSyntax", "UTF-8"},
		"nested too deep":          {"POST", "/Users", strings.Repeat(`{"a":`, 100) + "1" + strings.Repeat("}", 100), nil, 400, "invalidSyntax", "deeper"},
		"overlong body":            {"POST", "/Users", `{"userName":"` + strings.Repeat("a", 5000) + `"}`, nil, 413, "", "4096"},
		"not JSON by its type":     {"POST", "/Users", `{}`, []string{"Content-Type", "text/html"}, 415, "", "text/html"},
		"no userName":              {"POST", "/Users", `{` + userSchema + `,"active":true}`, nil, 400, "invalidValue", "userName"},
		"empty userName":           {"POST", "/Users", `{"userName":"  "}`, nil, 400, "invalidValue", "userName"},
		"a word for a boolean":     {"POST", "/Users", `{"userName":"b","active":"maybe"}`, nil, 400, "invalidValue", "active"},
		"a list for a name":        {"POST", "/Users", `{"userName":"b","name":["x","y"]}`, nil, 400, "invalidValue", "name"},
		"taken userName":           {"POST", "/Users", `{"userName":"ADA"}`, nil, 409, "uniqueness", "userName"},
		"unknown license":          {"POST", "/Users", `{"userName":"b","` + usherUser + `":{"license":"gold"}}`, nil, 400, "invalidValue", `"gold"`},
		"unknown entitlement":      {"POST", "/Users", `{"userName":"b","entitlements":[{"value":"gold","type":"License"}]}`, nil, 400, "invalidValue", "entitlements"},
		"unknown id":               {"GET", "/Users/nobody", "", nil, 404, "", `User with the id "nobody"`},
		"unknown endpoint":         {"GET", "/People", "", nil, 404, "", "/People"},
		"below a resource":         {"GET", "/Users/a/b", "", nil, 404, "", "/Users"},
		"wrong method":             {"PUT", "/Users", `{}`, nil, 405, "", "GET, POST, HEAD"},
		"bad filter":               {"GET", "/Users?filter=userName+eq", "", nil, 400, "invalidFilter", ""},
		"filter badly encoded":     {"GET", "/Users?filter=userName+eq+%22a%ZZ%22", "", nil, 400, "invalidFilter", "percent-encoded"},
		"list badly encoded":       {"GET", "/Users?excludedAttributes=%ZZ", "", nil, 400, "invalidValue", "percent-encoded"},
		"empty filter":             {"GET", "/Users?filter=", "", nil, 400, "invalidFilter", ""},
		"unknown in a filter":      {"GET", "/Users?filter=shoeSize+eq+%2246%22", "", nil, 400, "invalidFilter", "shoeSize"},
		"password in a filter":     {"GET", "/Users?filter=password+eq+%22x%22", "", nil, 400, "invalidFilter", "password"},
		"a bomb of a filter":       {"GET", "/Users?filter=" + strings.Repeat("(", 100_000), "", nil, 400, "invalidFilter", ""},
		"the bomb in disguise":     {"GET", "/Users?filter=" + strings.Repeat("%28", 100_000), "", nil, 400, "invalidFilter", ""},
		"overlong headers":         {"GET", "/Users", "", []string{"X-Long", strings.Repeat("x", 300<<10)}, 431, "", "262144"},
		"a deep filter":            {"GET", "/Users?filter=" + strings.Repeat("not%20(", 40), "", nil, 400, "invalidFilter", ""},
		"a word for a count":       {"GET", "/Users?count=many", "", nil, 400, "invalidValue", "count"},
		"both projections":         {"GET", "/Users?attributes=id&excludedAttributes=emails", "", nil, 400, "invalidValue", "together"},
		"filtered discovery":       {"GET", "/Schemas?filter=id+eq+%22x%22", "", nil, 403, "", "cannot be filtered"},
		"patch without target":     {"PATCH", "/Users/" + ada.id(), `{"Operations":[{"op":"remove"}]}`, nil, 400, "noTarget", "path"},
		"patch of the id":          {"PATCH", "/Users/" + ada.id(), `{"Operations":[{"op":"replace","path":"id","value":"x"}]}`, nil, 400, "mutability", "id"},
		"patch removes userName":   {"PATCH", "/Users/" + ada.id(), `{"Operations":[{"op":"remove","path":"userName"}]}`, nil, 400, "mutability", "userName"},
		"patch removes active":     {"PATCH", "/Users/" + ada.id(), `{"Operations":[{"op":"remove","path":"active"}]}`, nil, 400, "invalidValue", "active"},
		"patch with a bad path":    {"PATCH", "/Users/" + ada.id(), `{"Operations":[{"op":"add","path":"emails[","value":"x"}]}`, nil, 400, "invalidPath", ""},
		"patch without operations": {"PATCH", "/Users/" + ada.id(), `{` + patchSchema + `}`, nil, 400, "invalidSyntax", "Operations"},
		"patch of nobody":          {"PATCH", "/Users/nobody", `{"Operations":[{"op":"replace","path":"title","value":"x"}]}`, nil, 404, "", "nobody"},
		"a stale version":          {"DELETE", "/Users/" + ada.id(), "", []string{"If-Match", `W/"99.0"`}, 412, "", "If-Match"},
		"none of several versions": {"DELETE", "/Users/" + ada.id(), "", []string{"If-Match", `W/"8.0", W/"9.0"`}, 412, "", "If-Match"},
		"a version badly written":  {"DELETE", "/Users/" + ada.id(), "", []string{"If-Match", `W/"01.0"`}, 412, "", "If-Match"},
		"an attribute twice":       {"POST", "/Users", `{"userName":"b","urn:ietf:params:scim:schemas:core:2.0:User:userName":"c"}`, nil, 400, "invalidSyntax", "twice"},
		"a value of nothing":       {"PATCH", "/Users/" + ada.id(), `{"Operations":[{"op":"add","path":"emails[type eq \"work\"].primary","value":true}]}`, nil, 400, "invalidValue", "emails"},
		"a version of another":     {"DELETE", "/Users/" + ada.id(), "", []string{"If-Match", `"abc"`}, 412, "", "If-Match"},
		"unknown member":           {"POST", "/Groups", `{"displayName":"g","members":[{"value":"nobody"}]}`, nil, 400, "invalidValue", `"nobody"`},
		"no group name":            {"POST", "/Groups", `{}`, nil, 400, "invalidValue", "displayName"},
		"unknown license id":       {"GET", "/Licenses/gold", "", nil, 404, "", "gold"},
		"write of a license":       {"DELETE", "/Licenses/ringex", "", nil, 405, "", "GET, HEAD"},
	} {
		t.Run(name, func(t *testing.T) {
			d.t = t
			a := d.do(tt.method, tt.path, tt.body, tt.header...)
			scimType, _ := a.body["scimType"].(string)
			detail, _ := a.body["detail"].(string)
			if a.status != tt.status || scimType != tt.scimType || !strings.Contains(detail, tt.detail) || detail == "" {
				t.Errorf("got %d %s %q\nwant %d %s …%s…", a.status, scimType, detail, tt.status, tt.scimType, tt.detail)
			}
			if a.get("schemas", 0) != "urn:ietf:params:scim:api:messages:2.0:Error" || a.get("status") != fmt.Sprint(tt.status) {
				t.Errorf("no SCIM error: %s", a.raw)
			}
			if got := a.header.Get("WWW-Authenticate"); (got != "") != (tt.status == 401) {
				t.Errorf("WWW-Authenticate %q on %d", got, tt.status)
			}
		})
	}
	d.t = t
	if now := d.want(200, "GET", "/Users/"+ada.id(), ""); !bytes.Equal(now.raw, ada.raw) {
		t.Errorf("a refused request changed the user:\n%s\n%s", ada.raw, now.raw)
	}
}

func TestHandler_tenants(t *testing.T) {
	d := open(t, scim.Limits{}, nil)
	ada := d.user("ada", "")
	group := d.want(201, "POST", "/Groups", `{`+groupSchema+`,"displayName":"g","members":[{"value":"`+ada.id()+`"}]}`)
	d.token = "other"
	for _, path := range []string{"/Users/" + ada.id(), "/Groups/" + group.id()} {
		d.want(404, "GET", path, "")
		d.want(404, "DELETE", path, "")
		d.want(404, "PATCH", path, `{"Operations":[{"op":"replace","path":"displayName","value":"stolen"}]}`)
		d.want(404, "PUT", path, `{"userName":"stolen","displayName":"stolen"}`)
	}
	d.want(400, "POST", "/Groups", `{"displayName":"g","members":[{"value":"`+ada.id()+`"}]}`)
	for _, list := range []string{"/Users", "/Groups", "/Users?filter=userName+eq+%22ada%22"} {
		if a := d.want(200, "GET", list, ""); a.get("totalResults") != 0.0 {
			t.Errorf("%s shows another company: %s", list, a.raw)
		}
	}
	d.user("ada", "") // the name is free in another company
}

func TestHandler_pausedConnection(t *testing.T) {
	d := open(t, scim.Limits{}, nil)
	ada := d.user("ada", "")
	d.token = "paused"
	d.want(200, "GET", "/Users/"+ada.id(), "")
	if a := d.want(503, "DELETE", "/Users/"+ada.id(), ""); a.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
}

func TestHandler_rateLimit(t *testing.T) {
	d := open(t, scim.Limits{Rate: 0.001, RateBurst: 2}, nil)
	d.want(200, "GET", "/Users", "")
	d.want(200, "GET", "/Users", "")
	if a := d.want(429, "GET", "/Users", ""); a.header.Get("Retry-After") != "1000" {
		t.Errorf("Retry-After %q, want whole seconds", a.header.Get("Retry-After"))
	}
	d.token = "entra" // another connection has a limit of its own
	d.want(200, "GET", "/Users", "")
}

func TestHandler_putKeepsWhatIsLeftOut(t *testing.T) {
	d := open(t, scim.Limits{}, map[licensing.License]int{licensing.VideoProPlus: 5, licensing.RingEX: 5})
	ada := d.user("ada", `"externalId":"x1","title":"T","password":"secret","entitlements":[{"value":"video-pro-plus","type":"License"}]`)
	path := "/Users/" + ada.id()
	d.patch(ada.id(), `{"op":"replace","path":"active","value":false}`)

	d.token = "entra" // did not write the entitlement: its silence ends nothing
	a := d.want(200, "PUT", path, `{"userName":"ada","displayName":"Ada"}`)
	if a.get("externalId") != "x1" || a.get("active") != false || a.get("title") != nil || a.get("entitlements", 0, "value") != "video-pro-plus" {
		t.Errorf("PUT by another connection: %s", a.raw)
	}
	d.token = "okta" // did
	a = d.want(200, "PUT", path, `{"userName":"ada","displayName":"Ada","active":true}`)
	if a.get("entitlements") != nil || a.get(usherUser, "effectiveLicense") != "video-pro" || a.get(usherUser, "licenseState") != "none" {
		t.Errorf("PUT by the writer: %s", a.raw)
	}
	if bytes.Contains(a.raw, []byte("secret")) || bytes.Contains(ada.raw, []byte("secret")) {
		t.Error("the password came back")
	}
}

func TestHandler_licenses(t *testing.T) {
	d := open(t, scim.Limits{}, map[licensing.License]int{licensing.VideoProPlus: 1})
	ada := d.user("ada", `"`+usherUser+`":{"license":"Video Pro+","effectiveLicense":"ringex"}`)
	if ada.get(usherUser, "license") != "Video Pro+" || ada.get(usherUser, "effectiveLicense") != "video-pro-plus" || ada.get(usherUser, "licenseState") != "reserved" ||
		ada.get(usherUser, "licenseSources", 0) != "license:video-pro-plus" || ada.get(usherUser, "memberType") != "coworker" {
		t.Errorf("with a seat: %v", ada.get(usherUser))
	}
	bob := d.user("bob", `"roles":[{"value":"{\"id\":\"1\",\"value\":\"video-pro-plus\",\"displayName\":\"Video Pro+\"}"},{"value":"janitor"}]`)
	if bob.get("roles", 0, "value") != "video-pro-plus" || bob.get(usherUser, "effectiveLicense") != "video-pro" || bob.get(usherUser, "licenseState") != "waiting" ||
		bob.get(usherUser, "licenseReason") != "waiting_for_seat" {
		t.Errorf("without a seat: %s", bob.raw)
	}
	a := d.want(200, "GET", "/Licenses/video-pro-plus", "")
	numbers, _ := a.get("urn:ietf:params:scim:schemas:extension:usher:2.0:License").(map[string]any)
	for name, want := range map[string]float64{"total": 1, "used": 1, "reserved": 1, "waiting": 1, "held": 0, "active": 0} {
		if numbers[name] != want {
			t.Errorf("%s is %v, want %v", name, numbers[name], want)
		}
	}
	for filter, want := range map[string]float64{
		usherUser + `:licenseState eq "waiting"`:                1,
		usherUser + `:effectiveLicense eq "VIDEO-PRO-PLUS"`:     1,
		usherUser + `:effectiveLicense eq "video-pro"`:          1,
		usherUser + `:licenseSources eq "roles:video-pro-plus"`: 1,
		usherUser + `:memberType eq "guest"`:                    0,
	} {
		if got := d.find("/Users", filter).get("totalResults"); got != want {
			t.Errorf("%s: %v, want %v", filter, got, want)
		}
	}
	if got := d.find("/Licenses", `id eq "ringex"`).get("totalResults"); got != 1.0 {
		t.Errorf("licenses by id: %v", got)
	}
	if counts := d.handler.QuirkCounts("okta"); counts["unknown-license-value"] != 1 {
		t.Errorf("quirk counts %v", counts)
	}
	d.want(200, "PATCH", "/Users/"+ada.id(), `{"Operations":[{"op":"Replace","path":"`+usherUser+`:license","value":"none"}]}`)
	if now := d.want(200, "GET", "/Users/"+bob.id(), ""); now.get(usherUser, "effectiveLicense") != "video-pro-plus" {
		t.Errorf("after the seat came free: %v", now.get(usherUser))
	}
}

func TestHandler_discoveryIsTrue(t *testing.T) {
	d := open(t, scim.Limits{}, nil)
	d.token = "none" // the configuration can be read before login
	config := d.want(200, "GET", "/ServiceProviderConfig", "")
	for feature, want := range map[string]bool{"patch": true, "filter": true, "etag": true, "bulk": true, "sort": true, "changePassword": false} {
		if got := config.get(feature, "supported"); got != want {
			t.Errorf("%s is said to be %v, want %t", feature, got, want)
		}
	}
	d.want(401, "GET", "/Schemas", "")
	d.token = "okta"
	types := d.want(200, "GET", "/ResourceTypes", "")
	resources, _ := types.get("Resources").([]any)
	for i := range resources {
		endpoint, _ := types.get("Resources", i, "endpoint").(string)
		d.want(200, "GET", endpoint, "")
		urn, _ := types.get("Resources", i, "schema").(string)
		d.want(200, "GET", "/Schemas/"+strings.ToUpper(urn), "")
		name, _ := types.get("Resources", i, "name").(string)
		one := d.want(200, "GET", "/ResourceTypes/"+name, "")
		if location, _ := one.get("meta", "location").(string); !strings.HasSuffix(location, "/scim/v2/ResourceTypes/"+name) {
			t.Errorf("location of %s: %s", name, location)
		}
	}
	if len(resources) != 3 {
		t.Errorf("%d resource types, want User, Group, License", len(resources))
	}
	d.want(404, "GET", "/Schemas/urn:nothing", "")
	d.want(405, "POST", "/Schemas", `{}`)
}

func TestHandler_mediaTypes(t *testing.T) {
	d := open(t, scim.Limits{}, nil)
	for accept, want := range map[string]string{
		"": "application/scim+json", "*/*": "application/scim+json", "application/json": "application/json",
		"application/json, application/scim+json": "application/scim+json", "application/scim+json; charset=utf-8": "application/scim+json",
	} {
		if got := d.want(200, "GET", "/Users", "", "Accept", accept).header.Get("Content-Type"); got != want {
			t.Errorf("Accept %q: answered in %s, want %s", accept, got, want)
		}
	}
	for _, kind := range []string{"application/json", "text/json; charset=utf-8", "application/scim+json;charset=UTF-8", ""} {
		d.want(201, "POST", "/Users", fmt.Sprintf(`{"userName":%q}`, "u"+kind), "Content-Type", kind)
	}
}

func TestHandler_strictConnection(t *testing.T) {
	d := open(t, scim.Limits{}, nil)
	ada := d.user("ada", "")
	d.token = "strict"
	d.want(400, "PATCH", "/Users/"+ada.id(), `{`+patchSchema+`,"Operations":[{"op":"Replace","path":"active","value":"False"}]}`)
	d.want(200, "PATCH", "/Users/"+ada.id(), `{`+patchSchema+`,"Operations":[{"op":"replace","path":"active","value":false}]}`)
	if counts := d.handler.QuirkCounts("strict"); len(counts) > 0 {
		t.Errorf("quirks applied although they are off: %v", counts)
	}
}

func TestHandler_largeGroup(t *testing.T) {
	d := open(t, scim.Limits{}, nil)
	var members []string
	for i := range 120 {
		members = append(members, fmt.Sprintf(`{"value":%q}`, d.user(fmt.Sprintf("p%03d", i), "").id()))
	}
	group := d.want(201, "POST", "/Groups", `{"displayName":"big","members":[`+strings.Join(members[:101], ",")+`]}`)
	path := "/Groups/" + group.id()
	if got, _ := group.get("members").([]any); len(got) != 101 {
		t.Errorf("%d members, want 101", len(got))
	}
	add := `{"Operations":[{"op":"add","path":"members","value":[` + members[110] + `]}]}`
	if a := d.want(204, "PATCH", path, add); a.header.Get("ETag") != `W/"2"` {
		t.Errorf("ETag %s, want W/\"2\"", a.header.Get("ETag"))
	}
	d.want(204, "PATCH", path, add)
	if a := d.want(200, "PATCH", path+"?attributes=displayName", add); a.header.Get("ETag") != `W/"2"` || a.get("members") != nil || a.get("displayName") != "big" {
		t.Errorf("PATCH with attributes: %s %s", a.header.Get("ETag"), a.raw)
	}
	id := strings.TrimSuffix(strings.TrimPrefix(members[110], `{"value":"`), `"}`)
	if got := d.find("/Groups", `members[value eq "`+id+`"]`).get("totalResults"); got != 1.0 {
		t.Errorf("groups of a member: %v", got)
	}
	d.want(200, "PUT", path, `{"displayName":"small","members":[`+members[3]+`]}`)
	if a := d.want(200, "GET", path, ""); len(a.get("members").([]any)) != 1 || a.get("displayName") != "small" {
		t.Errorf("after PUT: %s", a.raw)
	}
}

func TestHandler_comeback(t *testing.T) {
	d := open(t, scim.Limits{}, map[licensing.License]int{licensing.RingEX: 5})
	body := `{` + userSchema + `,"externalId":"x","userName":"ada","active":false,"displayName":"Ada"}`
	ada := d.want(201, "POST", "/Users", body)
	d.token = "entra"
	d.patch(ada.id(), `{"op":"add","path":"entitlements","value":[{"value":"ringex"}]}`)
	d.token = "okta"
	back := d.want(201, "POST", "/Users", body)
	if back.id() != ada.id() || back.get("active") != true || back.get("entitlements", 0, "value") != "ringex" || back.get(usherUser, "effectiveLicense") != "ringex" {
		t.Errorf("came back as %s", back.raw)
	}
	d.want(204, "DELETE", "/Users/"+ada.id(), "", "If-Match", back.header.Get("ETag"))
	again := d.want(201, "POST", "/Users", strings.Replace(body, "false", "true", 1))
	if again.id() != ada.id() {
		t.Errorf("after a deletion came back as %s, want %s", again.id(), ada.id())
	}
	if a := d.do("GET", "/Users/"+ada.id(), "", "If-None-Match", ada.header.Get("ETag")); a.status != 200 || a.header.Get("ETag") == ada.header.Get("ETag") {
		t.Errorf("an old ETag %s still stands: %d, now %s", ada.header.Get("ETag"), a.status, a.header.Get("ETag"))
	}
	if got := d.find("/Users", `active eq false`).get("totalResults"); got != 0.0 {
		t.Errorf("%v people are inactive by the filter", got)
	}
	d.want(409, "POST", "/Users", body) // active now
}

func TestHandler_documentsDoNotGrowBeyondABody(t *testing.T) {
	d := open(t, scim.Limits{UserBody: 2000}, nil)
	ada := d.user("ada", "")
	more := func(kind string) string {
		return `{"Operations":[{"op":"add","path":"emails","value":[{"type":"` + kind + `","value":"` + strings.Repeat("x", 1200) + `"}]}]}`
	}
	d.want(200, "PATCH", "/Users/"+ada.id(), more("work"))
	d.want(400, "PATCH", "/Users/"+ada.id(), more("home"))
}

func TestHandler_saidTwice(t *testing.T) {
	d := open(t, scim.Limits{}, nil)
	both := func(name, top, inside string) string {
		return fmt.Sprintf(`{"userName":%q,"department":%s,%q:{"department":%s}}`, name, top, enterprise, inside)
	}
	for name, body := range map[string]string{
		"a null and a value": both("a", `null`, `"D"`), "a value and a null": both("b", `"D"`, `null`),
		"nothing and a value": both("c", `""`, `"D"`), "the same value": both("d", `"D"`, `"D"`),
	} {
		if a := d.want(201, "POST", "/Users", body); a.get(enterprise, "department") != "D" {
			t.Errorf("%s: %s", name, a.raw)
		}
	}
	for _, body := range []string{
		both("e", `"D"`, `"E"`), `{"userName":"e","name.givenName":"A","name":{"givenName":"B"}}`,
	} {
		if a := d.want(400, "POST", "/Users", body); a.get("scimType") != "invalidSyntax" {
			t.Errorf("%s: %s", body, a.raw)
		}
	}
	const core = `"urn:ietf:params:scim:schemas:core:2.0:User"`
	for _, more := range []string{`"title":null,` + core + `:{"title":"T"}`, `"title":"T",` + core + `:{"title":""}`, `"title":"T",` + core + `:{"title":"T"}`} {
		if a := d.want(201, "POST", "/Users", fmt.Sprintf(`{"userName":%q,%s}`, "g"+more[:12]+more[len(more)-6:], more)); a.get("title") != "T" {
			t.Errorf("%s: %s", more, a.raw)
		}
	}
	d.user("f", `"name.givenName":"A","name":{"familyName":"B"}`)
}

// TestHandler_hollowValues: what changes nothing does not fail what stands beside it.
func TestHandler_hollowValues(t *testing.T) {
	d := open(t, scim.Limits{}, nil)
	ada := d.user("ada", "")
	for title, operations := range map[string]string{
		"1": `{"op":"Replace","path":"title","value":"1"},{"op":"Replace","path":"phoneNumbers[type eq \"work\"].primary","value":"False"}`,
		"2": `{"op":"replace","value":{"title":"2","phoneNumbers":[{"type":"work","primary":true},{"type":"mobile","value":"1"}]}}`,
		"3": `{"op":"replace","value":{"title":"3","roles":[{"type":"WindowsAzureActiveDirectoryRole","primary":true}]}}`,
	} {
		if a := d.patch(ada.id(), operations); a.get("title") != title {
			t.Errorf("%s: %s", operations, a.raw)
		}
	}
}

func TestHandler_requestIDs(t *testing.T) {
	d := open(t, scim.Limits{}, nil)
	first, second := d.want(200, "GET", "/Users", "").header.Get("Request-Id"), d.want(200, "GET", "/Users", "").header.Get("Request-Id")
	if first == second || len(first) < 30 {
		t.Errorf("request ids %q and %q", first, second)
	}
}

// TestHandler_logNamesNobody: what a refused request said is for its sender, not for the log.
func TestHandler_logNamesNobody(t *testing.T) {
	d := open(t, scim.Limits{}, nil)
	var log bytes.Buffer
	d.handler.Logger = slog.New(slog.NewJSONHandler(&log, nil))
	ada := d.user("secret@corp.example", "")
	d.want(409, "POST", "/Users", `{"userName":"secret@corp.example"}`)
	d.want(400, "POST", "/Users", `{"userName":"x","name":{"secret":tru}}`)
	d.want(400, "GET", "/Users?filter="+url.QueryEscape(`userName eq "secret`), "")
	for _, path := range []string{`emails[value eq \"secret\"`, `emails[value eq \"secret\" and primary eq \"secret\"]`} {
		d.want(400, "PATCH", "/Users/"+ada.id(), `{"Operations":[{"op":"replace","path":"`+path+`","value":"x"}]}`)
	}
	if strings.Contains(log.String(), "secret") || strings.Count(log.String(), "\n") != 6 {
		t.Errorf("%s", log.String())
	}
}
