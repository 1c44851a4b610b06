package scimtest

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

// Message format, media types, base URI, versions: RFC 7644 sections 1.3, 3.1, 3.8, 3.13.

func r019(p *probe) {
	p.must(!strings.Contains(p.config.Base, "?"), "the base has a query")
	location := p.user("").text("meta", "location")
	p.must(!strings.ContainsAny(location, "?#"), "a location has a query: %s", location)
}

func r020(p *probe) {
	name := p.name("a b+c%d/&é")
	user := p.create("/Users", p.userBody(name, ""))
	found := p.get("/Users?filter=" + strings.ReplaceAll(url.QueryEscape(`userName eq "`+name+`"`), "+", "%20"))
	p.same("the User found by a percent-encoded filter", found.names("id"), []string{user.id()})
	id := user.id()
	p.get(fmt.Sprintf("/Users/%%%02X%s", id[0], id[1:]))
}

func r021(p *probe) {
	user := p.user(`"displayName":"Zoë 日本 😀","nickName":"\u00e9"`)
	p.same("displayName", user.at("displayName"), "Zoë 日本 😀")
	p.same("nickName", user.at("nickName"), "é")
	p.refused(400, "invalidSyntax", "POST", "/Users", "{\"schemas\":[\""+coreUser+"\"],\"userName\":\"\xff\"}")
}

func r022(p *probe) {
	for _, accept := range []string{"application/scim+json", "-", "*/*", "application/*"} {
		a := p.want(200, "GET", "/Users?count=1", "", "Accept", accept)
		p.must(strings.HasPrefix(a.header.Get("Content-Type"), "application/scim+json"), "with Accept %s the Content-Type is %s", accept, a.header.Get("Content-Type"))
	}
}

func r023(p *probe) {
	a := p.want(200, "GET", "/Users?count=1", "", "Accept", "application/json")
	p.must(strings.HasPrefix(a.header.Get("Content-Type"), "application/json"), "the Content-Type is %s", a.header.Get("Content-Type"))
}

func r024(p *probe) {
	for _, kind := range []string{"application/scim+json", "application/json", "application/scim+json; charset=utf-8"} {
		a := p.send("POST", "/Users", p.userBody(p.name("typed"), ""), "Content-Type", kind)
		p.undo = append(p.undo, "/Users/"+a.id())
		p.must(a.status == 201, "a body of the type %s is answered with %d", kind, a.status)
		p.must(strings.HasPrefix(a.header.Get("Content-Type"), "application/scim+json"), "the Content-Type is %s", a.header.Get("Content-Type"))
	}
}

func r026(p *probe) {
	user := p.user("")
	p.must(strings.Contains(fmt.Sprint(user.at("schemas")), coreUser), "the schemas of a User are %v", user.at("schemas"))
	for path, urn := range map[string]string{
		"/Users": messages + "ListResponse", "/Schemas": messages + "ListResponse", "/ResourceTypes": messages + "ListResponse",
		"/ServiceProviderConfig": "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig",
	} {
		p.same("schemas of "+path, p.get(path).at("schemas"), []string{urn})
	}
	p.same("schemas of an error", p.want(404, "GET", "/Users/nobody", "").at("schemas"), []string{messages + "Error"})
	for _, body := range []string{`{"schemas":["` + messages + `SearchRequest"],"filter":"userName pr","count":0}`} {
		p.same("schemas of a search", p.want(200, "POST", "/Users/.search", body).at("schemas"), []string{messages + "ListResponse"})
	}
}

func r027(p *probe) {
	schemas := p.get("/Schemas")
	for _, id := range schemas.names("id") {
		p.must(!strings.HasPrefix(strings.ToLower(id), "urn:ietf:params:scim:api:"), "/Schemas lists the message %s", id)
	}
	p.refused(404, "", "GET", "/Schemas/"+messages+"ListResponse", "")
}

func r028(p *probe) {
	user := p.user(`"id":"mine","meta":{"resourceType":"Mine","created":"2001-01-01T00:00:00Z"},"groups":[{"value":"x"}],"displayName":"D"`)
	p.must(user.id() != "mine" && user.text("meta", "resourceType") == "User", "the request is echoed: %s", user.raw)
	p.same("groups", user.at("groups"), nil)
	p.same("what is read back", string(p.get("/Users/"+user.id()).raw), string(user.raw))
}

func r029(p *probe) {
	user := p.user("")
	a := p.want(200, "PUT", "/Users/"+user.id(), p.userBody(user.text("userName"), `"id":"other","groups":[{"value":"x"}],"meta":{"location":"http://x"}`))
	p.same("id", a.id(), user.id())
	p.same("groups", a.at("groups"), nil)
	p.same("location", a.at("meta", "location"), user.at("meta", "location"))
}

// versionOf finds the version in the base address; skips the check when there is none.
func (p *probe) version() (before, version string) {
	m := regexp.MustCompile(`^(.*)/(v[0-9.]+)$`).FindStringSubmatch(p.config.Base)
	if m == nil {
		p.skipf("the base address has no version")
	}
	return m[1], m[2]
}

func r030(p *probe) {
	_, version := p.version()
	p.same("the version in the address", version, "v2")
	location := p.user("").text("meta", "location")
	p.must(strings.Contains(location, "/v2/Users/"), "the location %s has no version before the endpoint", location)
}

func r031(p *probe) {
	before, _ := p.version()
	p.want(200, "GET", before+"/Users?count=0", "")
}

func r032(p *probe) {
	before, _ := p.version()
	p.refused(400, "invalidVers", "GET", before+"/v1/Users", "")
}

func r033(p *probe) {
	name := p.name("ordered")
	user := p.create("/Users", `{"name":{"familyName":"F","givenName":"G"},"userName":"`+name+`","active":true,"schemas":["`+coreUser+`"]}`)
	p.same("familyName", user.at("name", "familyName"), "F")
	a := p.send("PATCH", "/Users/"+user.id(), `{"Operations":[{"value":"T","path":"title","op":"add"}],"schemas":["`+messages+`PatchOp"]}`)
	p.must(a.status == 200 || a.status == 204, "a PATCH with its members in another order is answered with %d", a.status)
	p.same("title", p.get("/Users/"+user.id()).at("title"), "T")
}

func r034(p *probe) {
	name := p.name("cased")
	user := p.create("/Users", `{"schemas":["`+coreUser+`"],"USERNAME":"`+name+`","Name":{"FAMILYNAME":"F"},"emails":[{"VALUE":"a@x.example","Type":"work"}]}`)
	p.same("userName", user.at("userName"), name)
	p.same("familyName", user.at("name", "familyName"), "F")
	p.same("email", user.at("emails", 0, "value"), "a@x.example")
	p.same("found", p.count(`USERNAME eq "`+name+`" and Emails.VALUE eq "a@x.example"`), 1)
	p.same("attributes", p.get("/Users/"+user.id()+"?attributes=NAME.familyname").at("name", "familyName"), "F")
	p.same("patched", p.change(user.id(), `{"op":"replace","path":"NAME.FamilyName","value":"G"}`).at("name", "familyName"), "G")
}

func r035(p *probe) {
	user := p.user(`"` + enterprise + `":{"manager":{"value":"m","$ref":"../Users/m"}}`)
	p.same("$ref", user.at(enterprise, "manager", "$ref"), "../Users/m")
	p.same("found by $ref", p.count(enterprise+`:manager.$ref eq "../Users/m" and userName eq "`+user.text("userName")+`"`), 1)
	p.same("patched", p.change(user.id(), `{"op":"replace","path":"`+enterprise+`:manager.$ref","value":"../Users/n"}`).at(enterprise, "manager", "$ref"), "../Users/n")
	p.refused(400, "invalidFilter", "GET", "/Users?filter="+url.QueryEscape(`user name eq "x"`), "")
}

func r036(p *probe) {
	user := p.user(`"name":{"familyName":"F"},"` + enterprise + `":{"department":"D"}`)
	name := user.text("userName")
	p.same("found", p.count(strings.ToUpper(coreUser)+`:USERNAME eq "`+name+`" and `+strings.ToUpper(enterprise)+`:DEPARTMENT eq "d"`), 1)
	p.same("sub-attribute", p.count(strings.ToUpper(coreUser)+`:NAME.FAMILYNAME eq "f" and userName eq "`+name+`"`), 1)
	p.same("patched", p.change(user.id(), `{"op":"replace","path":"`+strings.ToUpper(enterprise)+`:Department","value":"E"}`).at(enterprise, "department"), "E")
	p.same("shown", p.get("/Users/"+user.id()+"?attributes="+strings.ToUpper(enterprise)+":DEPARTMENT").at(enterprise, "department"), "E")
}

func r037(p *probe) {
	user := p.user(`"title":"T","` + enterprise + `":{"department":"D"}`)
	name := user.text("userName")
	for _, filter := range []string{`title eq "T"`, coreUser + `:title eq "T"`, enterprise + `:department eq "D"`} {
		p.same(filter, p.count(filter+` and userName eq "`+name+`"`), 1)
	}
	for _, attributes := range []string{"title", coreUser + ":title"} {
		p.same("attributes="+attributes, p.get("/Users/"+user.id()+"?attributes="+attributes).at("title"), "T")
	}
	p.same("patched", p.change(user.id(), `{"op":"replace","path":"`+coreUser+`:title","value":"U"}`).at("title"), "U")
}

func r038(p *probe) {
	user := p.user(`"title":null,"emails":[],"nickName":"N","phoneNumbers":[{"value":"1","type":"work"}]`)
	p.same("title", user.at("title"), nil)
	p.same("emails", len(user.list("emails")), 0)
	cleared := p.change(user.id(), `{"op":"replace","path":"nickName","value":null}`, `{"op":"replace","path":"phoneNumbers","value":[]}`)
	p.same("nickName", cleared.at("nickName"), nil)
	p.same("phoneNumbers", len(cleared.list("phoneNumbers")), 0)
	name := user.text("userName")
	p.same("those without nickName", p.count(`userName eq "`+name+`" and not (nickName pr) and nickName eq null`), 1)
}

func r039(p *probe) {
	user := p.user("")
	for _, name := range []string{"title", "name", "emails", "externalId"} {
		value := user.at(name)
		l, isList := value.([]any)
		p.must(value == nil || isList && len(l) == 0, "%s has never been assigned and is %v", name, value)
	}
}
