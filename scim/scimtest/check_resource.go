package scimtest

import (
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// The resource model: RFC 7643 sections 2 to 4.

// declared are the schemas that a resource type may have.
func (p *probe) declared(resourceType string) (core string, extensions []string) {
	a := p.get("/ResourceTypes/" + resourceType)
	for i := range a.list("schemaExtensions") {
		extensions = append(extensions, a.text("schemaExtensions", i, "schema"))
	}
	return a.text("schema"), extensions
}

func r040(p *probe) {
	core, extensions := p.declared("User")
	user := p.user(`"` + enterprise + `":{"department":"D"}`)
	seen := map[string]bool{}
	for i := range user.list("schemas") {
		urn := user.text("schemas", i)
		p.must(!seen[urn], "the schemas hold %s twice", urn)
		seen[urn] = true
		p.must(urn == core || slices.Contains(extensions, urn), "the schemas hold %s, which is not declared", urn)
	}
	p.must(len(seen) > 0, "the schemas are empty")
}

func r041(p *probe) {
	core, _ := p.declared("User")
	p.must(slices.Contains(p.user("").list("schemas"), any(core)), "the schemas of a User are without %s", core)
	core, _ = p.declared("Group")
	p.must(slices.Contains(p.group().list("schemas"), any(core)), "the schemas of a Group are without %s", core)
}

func r042(p *probe) {
	user := p.create("/Users", `{"schemas":["`+enterprise+`","`+coreUser+`"],"userName":"`+p.name("order")+`","`+enterprise+`":{"department":"D"}}`)
	p.same("department", user.at(enterprise, "department"), "D")
}

func r043(p *probe) {
	with, without := p.user(`"`+enterprise+`":{"department":"D"}`), p.user("")
	p.same("department", with.at(enterprise, "department"), "D")
	p.must(slices.Contains(with.list("schemas"), any(enterprise)), "the extension is used and not listed in schemas")
	p.must(!slices.Contains(without.list("schemas"), any(enterprise)), "the extension is listed in schemas and not there")
}

func r044(p *probe) {
	a, b := p.user(""), p.user("")
	p.must(a.id() != "" && a.id() != b.id(), "the ids are %q and %q", a.id(), b.id())
	p.same("the id of a changed User", p.change(a.id(), `{"op":"replace","path":"userName","value":"`+p.name("renamed")+`"}`).id(), a.id())
	p.refused(400, "mutability", "PATCH", "/Users/"+a.id(), patchBody(`{"op":"replace","path":"id","value":"x"}`))
	if upper := strings.ToUpper(a.id()); upper != a.id() {
		p.want(404, "GET", "/Users/"+upper, "")
	}
	p.same("the id among the attributes", p.get("/Users/"+a.id()+"?attributes=userName").id(), a.id())
	p.want(204, "DELETE", "/Users/"+a.id(), "")
	again := p.create("/Users", p.userBody(a.text("userName"), ""))
	p.must(again.id() != a.id(), "the id of a deleted User is given to another")
}

func r045(p *probe) {
	user := p.user(`"id":"bulkId:mine"`)
	p.must(!strings.Contains(user.id(), "bulkId") && user.id() != "", "the id is %q", user.id())
}

func r046(p *probe) {
	p.same("the externalId of a User who was given none", p.user("").at("externalId"), nil)
	upper := p.name("External")
	p.same("externalId", p.user(`"externalId":"`+upper+`"`).at("externalId"), upper)
}

func r047(p *probe) {
	user := p.user(`"meta":{"created":"2001-01-01T00:00:00Z","lastModified":"2001-01-01T00:00:00Z","location":"http://x","version":"W/\"x\"","resourceType":"X"}`)
	p.must(!strings.HasPrefix(user.text("meta", "created"), "2001") && user.text("meta", "resourceType") == "User", "meta is %v", user.at("meta"))
	p.refused(400, "mutability", "PATCH", "/Users/"+user.id(), patchBody(`{"op":"replace","path":"meta.created","value":"2001-01-01T00:00:00Z"}`))
}

func r048(p *probe) {
	for _, a := range []*reply{p.user(""), p.group()} {
		for _, name := range []string{"resourceType", "created", "lastModified", "location"} {
			p.must(a.text("meta", name) != "", "meta has no %s", name)
		}
		p.must(a.id() != "", "there is no id")
		if etag, _ := p.get("/ServiceProviderConfig").at("etag", "supported").(bool); etag {
			p.must(a.text("meta", "version") != "", "meta has no version")
		}
	}
}

// instant reads a dateTime.
func (p *probe) instant(text string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		p.failf("%q is no dateTime", text)
	}
	return t
}

func r049(p *probe) {
	user := p.user("")
	created, modified := p.instant(user.text("meta", "created")), p.instant(user.text("meta", "lastModified"))
	p.must(created.Equal(modified), "lastModified is %v before the first change, created %v", modified, created)
	after := p.change(user.id(), `{"op":"replace","path":"title","value":"T"}`)
	p.must(p.instant(after.text("meta", "created")).Equal(created), "created has changed")
	p.must(!p.instant(after.text("meta", "lastModified")).Before(modified), "lastModified went back")
}

func r050(p *probe) {
	user := p.user("")
	p.same("Location", user.header.Get("Location"), user.text("meta", "location"))
	a := p.get("/Users/" + user.id())
	p.same("Content-Location", a.header.Get("Content-Location"), a.text("meta", "location"))
	p.same("meta.location", a.text("meta", "location"), user.text("meta", "location"))
}

func r051(p *probe) {
	p.feature("etag", "supported")
	for _, a := range []*reply{p.user(""), p.group()} {
		etag := a.header.Get("ETag")
		p.same("meta.version", a.text("meta", "version"), etag)
		p.must(regexp.MustCompile(`^(W/)?"[^"]+"$`).MatchString(etag), "the ETag is %s", etag)
	}
}

func r052(p *probe) {
	p.same("resourceType of a User", p.user("").at("meta", "resourceType"), "User")
	p.same("resourceType of a Group", p.group().at("meta", "resourceType"), "Group")
}

func r053(p *probe) {
	list, config := p.get("/Users?count=1"), p.get("/ServiceProviderConfig")
	for what, value := range map[string]any{
		"totalResults": list.at("totalResults"), "itemsPerPage": list.at("itemsPerPage"),
		"filter.maxResults": config.at("filter", "maxResults"), "bulk.maxOperations": config.at("bulk", "maxOperations"),
	} {
		n, ok := value.(json.Number)
		p.must(ok && !strings.ContainsAny(n.String(), ".eE"), "%s is %v", what, value)
	}
}

func r054(p *probe) {
	user := p.user("")
	created := p.instant(user.text("meta", "created"))
	own := ` and userName eq "` + user.text("userName") + `"`
	east := created.In(time.FixedZone("east", 5*3600+1800)).Format(time.RFC3339Nano)
	p.same("Users created at the instant in another zone", p.count(`meta.created eq "`+east+`"`+own), 1)
	later := created.Add(time.Second).In(time.FixedZone("west", -8*3600)).Format(time.RFC3339Nano)
	p.same("Users created before a later instant in another zone", p.count(`meta.created lt "`+later+`"`+own), 1)
	p.same("Users created after it", p.count(`meta.created gt "`+later+`"`+own), 0)
	p.refused(400, "invalidFilter", "GET", "/Users?filter="+url.QueryEscape(`meta.created gt "2011-05-13"`), "")
}

func r055(p *probe) {
	user := p.user(`"x509Certificates":[{"value":"TWFueQ"},{"value":"TWFuTQ=="}]`)
	p.same("certificates", len(user.list("x509Certificates")), 2)
	own := ` and userName eq "` + user.text("userName") + `"`
	p.same("found", p.count(`x509Certificates.value eq "TWFuTQ=="`+own), 1)
	p.same("found in another case", p.count(`x509Certificates.value eq "twfutq=="`+own), 0)
	p.refused(400, "invalidValue", "POST", "/Users", p.userBody(p.name("binary"), `"x509Certificates":[{"value":"%%%"}]`))
}

func r056(p *probe) {
	user := p.user("")
	group := p.group(user.id())
	for _, ref := range []string{
		group.text("members", 0, "$ref"), group.text("meta", "location"),
		p.get("/Users/"+user.id()).text("groups", 0, "$ref"),
	} {
		u, err := url.Parse(ref)
		p.must(err == nil && ref != "", "%q is no URI", ref)
		if !u.IsAbs() {
			ref = p.config.Base + "/" + strings.TrimLeft(strings.TrimPrefix(ref, ".."), "/")
		}
		p.want(200, "GET", ref, "")
	}
}

func r057(p *probe) {
	user := p.user("")
	group := p.group(user.id())
	p.want(204, "DELETE", "/Users/"+user.id(), "")
	p.same("members after one was deleted", len(p.get("/Groups/"+group.id()).list("members")), 0)
}

// eachAttribute calls do for all attributes that /Schemas describes, with their path.
func (p *probe) eachAttribute(do func(path string, parent, attribute map[string]any)) {
	schemas := p.get("/Schemas")
	p.must(len(schemas.list("Resources")) > 0, "/Schemas is empty")
	for i := range schemas.list("Resources") {
		urn := schemas.text("Resources", i, "id")
		for _, a := range schemas.list("Resources", i, "attributes") {
			attribute, _ := a.(map[string]any)
			do(urn+":"+fmt.Sprint(attribute["name"]), nil, attribute)
			for _, s := range asList(attribute["subAttributes"]) {
				sub, _ := s.(map[string]any)
				do(urn+":"+fmt.Sprint(attribute["name"])+"."+fmt.Sprint(sub["name"]), attribute, sub)
			}
		}
	}
}

func asList(v any) []any {
	l, _ := v.([]any)
	return l
}

// isMeta says whether an attribute is one of the schema of schemas, which may nest.
func isMeta(path string) bool { return strings.Contains(path, ":core:2.0:Schema:") }

func r058(p *probe) {
	p.eachAttribute(func(path string, parent, a map[string]any) {
		p.must(parent == nil || a["type"] != "complex" || isMeta(path), "%s is complex within a complex attribute", path)
	})
}

func r059(p *probe) {
	p.eachAttribute(func(path string, _, a map[string]any) {
		p.must(a["type"] == "complex" || len(asList(a["subAttributes"])) == 0, "%s is simple and has sub-attributes", path)
	})
}

func r060(p *probe) {
	kinds := map[string][]string{"primary": {"boolean"}, "type": {"string"}, "display": {"string"}, "$ref": {"reference"}}
	p.eachAttribute(func(path string, parent, a map[string]any) {
		want := kinds[fmt.Sprint(a["name"])]
		if parent == nil || want == nil || isMeta(path) || strings.Contains(path, "ServiceProviderConfig") {
			return
		}
		p.must(slices.Contains(want, fmt.Sprint(a["type"])), "%s is of the type %v", path, a["type"])
	})
	user := p.user(`"emails":[{"value":"a@x.example","type":"work","primary":true,"display":"A"}]`)
	p.same("an email", user.at("emails", 0), map[string]any{"value": "a@x.example", "type": "work", "primary": true, "display": "A"})
}

// primaries gives the values that are primary.
func primaries(a *reply, attribute string) []string {
	var all []string
	for i := range a.list(attribute) {
		if a.at(attribute, i, "primary") == true {
			all = append(all, a.text(attribute, i, "value"))
		}
	}
	return all
}

func r061(p *probe) {
	a := p.send("POST", "/Users", p.userBody(p.name("primary"), `"emails":[{"value":"a@x.example","primary":true},{"value":"b@x.example","primary":true}]`))
	p.undo = append(p.undo, "/Users/"+a.id())
	p.must(a.status == 400 || a.status == 201 && len(primaries(a, "emails")) == 1, "two primary values are answered with %d and %v", a.status, primaries(a, "emails"))
	user := p.user(`"emails":[{"value":"a@x.example"},{"value":"b@x.example"}]`)
	p.same("primary values of those that were not said to be", len(primaries(user, "emails")), 0)
}

func r062(p *probe) {
	before, _ := p.version()
	user := p.user("")
	group := p.group(user.id())
	for _, ref := range []string{p.config.Base + "/Users/" + user.id(), before + "/Users/" + user.id()} {
		found := p.find("/Groups", `members.$ref eq "`+ref+`" and displayName eq "`+group.text("displayName")+`"`)
		p.same("groups by the $ref "+ref, found.total(), 1)
	}
}

func r064(p *probe) {
	user := p.user(`"emails":[{"value":"a@x.example","type":"work"},{"value":"a@x.example","type":"work"},{"value":"a@x.example","type":"home"}]`)
	p.same("emails of which two are the same", len(user.list("emails")), 2)
	after := p.change(user.id(), `{"op":"add","path":"emails","value":[{"value":"a@x.example","type":"work"}]}`)
	p.same("emails after one that is there was added", len(after.list("emails")), 2)
}

func r066(p *probe) {
	allowed := map[string][]string{
		"type":       {"string", "boolean", "decimal", "integer", "dateTime", "reference", "binary", "complex"},
		"mutability": {"readOnly", "readWrite", "immutable", "writeOnly"},
		"returned":   {"always", "never", "default", "request"},
		"uniqueness": {"none", "server", "global"},
	}
	p.eachAttribute(func(path string, _, a map[string]any) {
		for name, values := range allowed {
			if a[name] != nil {
				p.must(slices.Contains(values, fmt.Sprint(a[name])), "%s has the %s %v", path, name, a[name])
			}
		}
		for _, name := range []string{"multiValued", "required", "caseExact"} {
			_, isBool := a[name].(bool)
			p.must(a[name] == nil || isBool, "%s has the %s %v", path, name, a[name])
		}
	})
}

func r067(p *probe) {
	p.refused(400, "invalidValue", "POST", "/Users", `{"schemas":["`+coreUser+`"],"displayName":"x"}`)
	for _, name := range []string{"", "  "} {
		p.refused(400, "invalidValue", "POST", "/Users", `{"schemas":["`+coreUser+`"],"userName":"`+name+`"}`)
	}
	user := p.user("")
	p.refused(409, "uniqueness", "POST", "/Users", p.userBody(strings.ToUpper(user.text("userName")), ""))
	p.same("found in another case", p.count(`userName eq "`+strings.ToUpper(user.text("userName"))+`"`), 1)
}

func r068(p *probe) {
	base := p.name("prepared")
	p.create("/Users", p.userBody(base+"é", ""))
	p.refused(409, "uniqueness", "POST", "/Users", p.userBody(base+"e\u0301", ""))
	p.same("found in decomposed form", p.count(`userName eq "`+base+"e\u0301"+`"`), 1)
}

func r071(p *probe) {
	const secret = "t0p-s3cret-Pass"
	user := p.user(`"password":"` + secret + `"`)
	for _, a := range []*reply{
		user, p.get("/Users/" + user.id() + "?attributes=password"), p.find("/Users", `userName eq "`+user.text("userName")+`"`),
		p.change(user.id(), `{"op":"replace","path":"title","value":"T"}`),
		p.want(200, "PUT", "/Users/"+user.id(), p.userBody(user.text("userName"), `"password":"`+secret+`"`)),
		p.send("POST", "/Users", p.userBody(user.text("userName"), `"password":"`+secret+`"`)),
	} {
		p.must(!strings.Contains(string(a.raw), secret) && a.at("password") == nil, "the password is returned: %s", a.raw)
	}
	a := p.send("GET", "/Users?filter="+url.QueryEscape(`password sw "t0p"`), "")
	p.must(a.status == 400 || a.total() == 0, "a password can be guessed by filters")
}

func r079(p *probe) {
	user := p.user("")
	group := p.group(user.id())
	a := p.get("/Users/" + user.id())
	p.same("value", a.at("groups", 0, "value"), group.id())
	p.must(strings.HasSuffix(a.text("groups", 0, "$ref"), "/Groups/"+group.id()), "$ref is %s", a.text("groups", 0, "$ref"))
	p.same("type", a.at("groups", 0, "type"), "direct")
	p.refusePatch(user.id(), "mutability", `{"op":"remove","path":"groups"}`)
	p.want(200, "PUT", "/Users/"+user.id(), p.userBody(user.text("userName"), `"groups":[]`))
	p.same("groups after a PUT without them", len(p.get("/Users/"+user.id()).list("groups")), 1)
}

func r081(p *probe) {
	p.refused(400, "invalidValue", "POST", "/Groups", `{"schemas":["`+coreGroup+`"]}`)
}

func r082(p *probe) {
	user, other := p.user(""), p.user("")
	group := p.group(user.id())
	a := p.want(400, "PATCH", "/Groups/"+group.id(), patchBody(`{"op":"replace","path":"members[value eq \"`+user.id()+`\"].value","value":"`+other.id()+`"}`))
	p.same("scimType", a.at("scimType"), "mutability")
	p.same("members", p.get("/Groups/"+group.id()).at("members", 0, "value"), user.id())
}

func r083(p *probe) {
	user := p.user(`"` + enterprise + `":{"manager":{"value":"m","displayName":"Mine"}}`)
	p.same("manager", user.at(enterprise, "manager", "value"), "m")
	p.must(user.at(enterprise, "manager", "displayName") != "Mine", "the displayName of the manager was written")
	p.refusePatch(user.id(), "mutability", `{"op":"replace","path":"`+enterprise+`:manager.displayName","value":"x"}`)
}
