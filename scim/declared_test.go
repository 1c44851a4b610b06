package scim_test

import (
	"strings"
	"testing"

	"usher/scim"
	"usher/store"
)

const acmeURN = "urn:example:acme:2.0:User"

const acmeSchema = `{"id":"` + acmeURN + `","name":"Acme","attributes":[
	{"name":"badge","mutability":"immutable"},
	{"name":"level","type":"integer"},
	{"name":"rate","type":"decimal"},
	{"name":"hired","type":"dateTime"},
	{"name":"remote","type":"boolean"},
	{"name":"photo","type":"binary"},
	{"name":"site","type":"reference","referenceTypes":["external"]},
	{"name":"secret","returned":"request"},
	{"name":"grade","returned":"always"},
	{"name":"tags","multiValued":true},
	{"name":"desk","type":"complex","subAttributes":[{"name":"floor","type":"integer"},{"name":"room"},{"name":"key","mutability":"immutable"}]},
	{"name":"cars","type":"complex","multiValued":true,"subAttributes":[{"name":"value"},{"name":"type"},{"name":"primary","type":"boolean"},{"name":"pin","returned":"request"}]}]}`

func (d *door) declare(kind, urn, doc string) {
	d.t.Helper()
	if err := d.store.PutSchema(d.t.Context(), store.Schema{Company: d.company, URN: urn, Type: kind, Doc: []byte(doc)}, nil); err != nil {
		d.t.Fatal(err)
	}
}

func TestDeclaredSchema(t *testing.T) {
	d := open(t, scim.Limits{}, nil)
	full := `"badge":"B1","level":7,"rate":2.5,"hired":"2020-01-02T03:04:05Z","remote":true,"photo":"TWFu","site":"https://x.example","secret":"s","grade":"g",` +
		`"tags":["a","b"],"desk":{"floor":3,"room":"r","key":"k"},"cars":[{"value":"c1","type":"van","primary":true,"pin":"1"}]`
	early := d.user("early", `"`+acmeURN+`":{"badge":"lost"}`) // an unknown schema is passed over
	d.same("before it is declared", early.get(acmeURN), nil)
	d.declare("User", acmeURN, acmeSchema)

	// Discovery, of this company alone.
	d.same("schema", d.want(200, "GET", "/Schemas/"+acmeURN, "").get("attributes", 0, "name"), "badge")
	d.same("resource type", strings.Contains(string(d.want(200, "GET", "/ResourceTypes/User", "").raw), acmeURN), true)
	d.want(404, "GET", "/Schemas/"+acmeURN, "", "Authorization", "Bearer other")
	d.same("of another company", strings.Contains(string(d.want(200, "GET", "/ResourceTypes", "", "Authorization", "Bearer other").raw), acmeURN), false)

	ada := d.want(201, "POST", "/Users", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","`+acmeURN+`"],"userName":"ada","`+strings.ToUpper(acmeURN)+`":{`+full+`}}`)
	get := func(path ...any) any { return ada.get(append([]any{acmeURN}, path...)...) }
	d.same("schemas", ada.get("schemas"), "[urn:ietf:params:scim:schemas:core:2.0:User "+acmeURN+" "+usherUser+"]")
	d.same("integer", get("level"), 7)
	d.same("shown because it was sent", get("secret"), "s")
	d.same("sub-attribute shown because it was sent", get("cars", 0, "pin"), "1")

	path := "/Users/" + ada.id()
	for query, want := range map[string]string{
		"":                                         `badge cars cars.pin- desk grade hired level photo rate remote site tags`,
		"?attributes=userName":                     `grade`,
		"?attributes=" + acmeURN + ":secret":       `grade secret`,
		"?attributes=" + acmeURN + ":cars.pin":     `cars cars.pin grade`,
		"?attributes=" + acmeURN + ":cars":         `cars cars.pin grade`,
		"?attributes=" + acmeURN:                   `badge cars cars.pin desk grade hired level photo rate remote secret site tags`,
		"?excludedAttributes=" + acmeURN:           `grade`,
		"?excludedAttributes=" + acmeURN + ":desk": `badge cars cars.pin- grade hired level photo rate remote site tags`,
	} {
		for _, a := range []answer{d.want(200, "GET", path+query, ""), d.find("/Users", `userName eq "ada"`)} {
			if a.get("Resources") != nil {
				a = d.want(200, "GET", "/Users"+strings.Replace(query, "?", "?filter=userName%20eq%20%22ada%22&", 1), "")
				if query == "" {
					a = d.find("/Users", `userName eq "ada"`)
				}
				a = answer{body: a.body["Resources"].([]any)[0].(map[string]any)}
			}
			var got []string
			values, _ := a.get(acmeURN).(map[string]any)
			for _, name := range []string{"badge", "cars", "desk", "grade", "hired", "level", "photo", "rate", "remote", "secret", "site", "tags"} {
				if values[name] == nil {
					continue
				}
				got = append(got, name)
				if name == "cars" && a.get(acmeURN, "cars", 0, "pin") != nil {
					got = append(got, "cars.pin")
				} else if name == "cars" {
					got = append(got, "cars.pin-")
				}
			}
			d.same("shown of "+query, strings.Join(got, " "), want)
		}
	}

	// Filters on every type.
	for filter, want := range map[string]float64{
		":badge eq \"b1\"": 1, ":level gt 6": 1, ":level le 6": 0, ":level eq 7.0": 1, ":rate lt 3": 1, ":rate ge 2.5": 1,
		":hired gt \"2019-12-31T00:00:00+01:00\"": 1, ":remote eq true": 1, ":remote ne true": 1, ":photo eq \"TWFu\"": 1, ":site sw \"https:\"": 1,
		":tags eq \"B\"": 1, ":tags pr": 1, ":desk.floor eq 3": 1, ":desk[floor eq 3 and room eq \"r\"]": 1, ":desk[floor eq 3 and room eq \"x\"]": 0,
		":cars[type eq \"van\" and primary eq true].value eq \"c1\"": 1, ":secret pr": 1, " pr": 0,
	} {
		if filter == " pr" {
			continue
		}
		if got := d.find("/Users", acmeURN+filter).get("totalResults"); got != want {
			t.Errorf("%s: %v, want %v", filter, got, want)
		}
	}
	for _, filter := range []string{":level eq \"x\"", ":level co 5", ":remote gt true", ":photo gt \"a\"", ":nothing pr", ":hired gt \"soon\""} {
		if a := d.do("GET", "/Users?filter="+strings.ReplaceAll(strings.ReplaceAll(acmeURN+filter, " ", "%20"), `"`, "%22"), "", "Authorization", "Bearer strict"); a.status != 400 || a.get("scimType") != "invalidFilter" {
			t.Errorf("%s: %s", filter, a.raw)
		}
	}
	d.user("low", `"`+acmeURN+`":{"level":1}`)
	d.same("sorted", d.want(200, "GET", "/Users?sortBy="+acmeURN+":level", "").names("userName"), "[low ada early]")

	// What may be written.
	for body, detail := range map[string]string{
		`"level":7.5`:          "level must be a whole number",
		`"level":"7"`:          "level must be a number",
		`"hired":"2020-01-02"`: "hired must be a dateTime",
		`"photo":"%"`:          "photo must be base64",
		`"remote":"maybe"`:     "remote must be true or false",
		`"desk":{"floor":"x"}`: "desk.floor must be a number",
		`"desk":"x"`:           "desk must be an object",
		`"cars":[{"value":"a","primary":true},{"value":"b","primary":true}]`: "cars may have one primary value",
	} {
		a := d.want(400, "POST", "/Users", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","`+acmeURN+`"],"userName":"x","`+acmeURN+`":{`+body+`}}`, "Authorization", "Bearer strict")
		if text, _ := a.get("detail").(string); a.get("scimType") != "invalidValue" || !strings.HasPrefix(text, detail) {
			t.Errorf("%s: %s", body, a.raw)
		}
	}

	// Immutable is what was set once.
	patch := func(want int, op string) answer {
		t.Helper()
		return d.want(want, "PATCH", path, `{"Operations":[`+op+`]}`)
	}
	for _, op := range []string{
		`{"op":"replace","path":"` + acmeURN + `:badge","value":"B2"}`,
		`{"op":"remove","path":"` + acmeURN + `:badge"}`,
		`{"op":"remove","path":"` + acmeURN + `"}`,
		`{"op":"replace","path":"` + acmeURN + `:desk.key","value":"other"}`,
		`{"op":"add","value":{"` + acmeURN + `":{"badge":"B3"}}}`,
	} {
		if a := patch(400, op); a.get("scimType") != "mutability" {
			t.Errorf("%s: %s", op, a.raw)
		}
	}
	d.same("the same value is no change", patch(200, `{"op":"replace","path":"`+acmeURN+`:badge","value":"B1"}`).header.Get("ETag"), ada.header.Get("ETag"))
	d.same("set where there was none", d.patch(early.id(), `{"op":"add","path":"`+acmeURN+`:badge","value":"E"}`).get(acmeURN, "badge"), "E")
	put := func(want int, more string) answer {
		t.Helper()
		return d.want(want, "PUT", path, `{"userName":"ada"`+more+`}`)
	}
	d.same("mutability", put(400, `,"`+acmeURN+`":{"badge":"B2"}`).get("scimType"), "mutability")
	kept := put(200, `,"`+acmeURN+`":{"level":8}`)
	d.same("kept", kept.get(acmeURN, "badge"), "B1")
	d.same("replaced", kept.get(acmeURN, "level"), 8)
	d.same("cleared", kept.get(acmeURN, "tags"), nil)
	d.same("shown on request only", patch(200, `{"op":"add","path":"`+acmeURN+`:secret","value":"new"}`).get(acmeURN, "secret"), "new")
	d.same("not named", patch(200, `{"op":"add","path":"`+acmeURN+`:level","value":9}`).get(acmeURN, "secret"), nil)

	// Extensions come and go by what there is of them.
	low := d.find("/Users", `userName eq "low"`).get("Resources", 0, "id").(string)
	gone := d.patch(low, `{"op":"remove","path":"`+acmeURN+`"}`)
	d.same("schemas without it", gone.get("schemas"), "[urn:ietf:params:scim:schemas:core:2.0:User "+usherUser+"]")
	back := d.patch(low, `{"op":"replace","path":"`+acmeURN+`","value":{"tags":["x"]}}`)
	d.same("schemas with it", back.get("schemas"), "[urn:ietf:params:scim:schemas:core:2.0:User "+acmeURN+" "+usherUser+"]")

	// A group's, and a second version.
	const groupURN = "urn:example:acme:2.0:Group"
	d.declare("Group", groupURN, `{"id":"`+groupURN+`","name":"G","attributes":[{"name":"cost","type":"decimal","returned":"request"}]}`)
	group := d.want(201, "POST", "/Groups", `{"displayName":"g","`+groupURN+`":{"cost":1.5}}`)
	d.same("sent", group.get(groupURN, "cost"), 1.5)
	d.same("not asked for", d.want(200, "GET", "/Groups/"+group.id(), "").get(groupURN), nil)
	d.same("asked for", d.want(200, "GET", "/Groups/"+group.id()+"?attributes="+groupURN+":cost", "").get(groupURN, "cost"), 1.5)
	d.same("found", d.find("/Groups", groupURN+":cost gt 1").get("totalResults"), 1)
	d.same("at the root", d.find("/", acmeURN+":level eq 9 or "+groupURN+":cost gt 1").get("totalResults"), 2)
}
