package scimtest

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// Discovery: RFC 7644 section 4, RFC 7643 sections 5 to 8.

func r182(p *probe) {
	a := p.get("/ServiceProviderConfig")
	p.same("schemas", a.at("schemas"), []string{"urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"})
	p.same("Resources", a.at("Resources"), nil)
}

// described checks that an endpoint lists documents that can be read one by one.
func (p *probe) described(endpoint, key string, want ...string) {
	list := p.get(endpoint)
	p.same("schemas", list.at("schemas"), []string{messages + "ListResponse"})
	names := list.names(key)
	p.same("totalResults", list.total(), len(names))
	for _, name := range want {
		p.must(slices.Contains(names, name), "%s does not list %s", endpoint, name)
	}
	for i, name := range names {
		one := p.get(endpoint + "/" + url.PathEscape(name))
		p.same(endpoint+"/"+name, fmt.Sprint(one.body), fmt.Sprint(list.at("Resources", i)))
	}
	p.refused(404, "", "GET", endpoint+"/nothing", "")
}

func r183(p *probe) { p.described("/Schemas", "id", coreUser, coreGroup) }
func r184(p *probe) { p.described("/ResourceTypes", "name", "User", "Group") }

func r185(p *probe) {
	for _, endpoint := range []string{"/Schemas", "/ResourceTypes"} {
		all := p.get(endpoint)
		p.same("totalResults with paging", p.get(endpoint+"?startIndex=2&count=1&sortBy=id").total(), all.total())
		p.refused(403, "", "GET", endpoint+"?filter="+url.QueryEscape(`id eq "x"`), "")
	}
	p.get("/ServiceProviderConfig?startIndex=5&count=0")
}

func r186(p *probe) {
	for _, path := range []string{"/ServiceProviderConfig", "/Schemas", "/ResourceTypes", "/ResourceTypes/User", "/Schemas/" + coreUser} {
		for _, method := range []string{"PUT", "POST", "PATCH", "DELETE"} {
			status := p.send(method, path, `{}`).status
			p.must(status == 405 || status == 501, "%s %s is answered with %d", method, path, status)
		}
	}
}

func r187(p *probe) {
	a := p.get("/ServiceProviderConfig")
	for _, feature := range []string{"patch", "bulk", "filter", "changePassword", "sort", "etag"} {
		_, ok := a.at(feature, "supported").(bool)
		p.must(ok, "%s.supported is %v", feature, a.at(feature, "supported"))
	}
	for _, path := range [][]any{{"bulk", "maxOperations"}, {"bulk", "maxPayloadSize"}, {"filter", "maxResults"}} {
		_, ok := a.at(path...).(json.Number)
		p.must(ok, "%v is %v", path, a.at(path...))
	}
	p.must(len(a.list("authenticationSchemes")) > 0, "there are no authenticationSchemes")
	for i := range a.list("authenticationSchemes") {
		for _, name := range []string{"type", "name", "description"} {
			p.must(a.text("authenticationSchemes", i, name) != "", "authenticationSchemes has no %s", name)
		}
	}
}

func r188(p *probe) {
	a := p.get("/ServiceProviderConfig")
	for i := range a.list("authenticationSchemes") {
		kind := a.text("authenticationSchemes", i, "type")
		p.must(slices.Contains([]string{"oauth", "oauth2", "oauthbearertoken", "httpbasic", "httpdigest"}, kind), "an authentication scheme is of the type %q", kind)
	}
}

func r189(p *probe) {
	types, schemas := p.get("/ResourceTypes"), p.get("/Schemas").names("id")
	for i := range types.list("Resources") {
		for _, name := range []string{"name", "endpoint", "schema"} {
			p.must(types.text("Resources", i, name) != "", "a resource type has no %s", name)
		}
		p.must(slices.Contains(schemas, types.text("Resources", i, "schema")), "%s is not served at /Schemas", types.text("Resources", i, "schema"))
		p.get(types.text("Resources", i, "endpoint") + "?count=1")
		for j := range types.list("Resources", i, "schemaExtensions") {
			urn := types.text("Resources", i, "schemaExtensions", j, "schema")
			_, ok := types.at("Resources", i, "schemaExtensions", j, "required").(bool)
			p.must(ok && slices.Contains(schemas, urn), "the extension %s is not served at /Schemas, or not said to be required or not", urn)
		}
	}
}

func r190(p *probe) {
	types := p.get("/ResourceTypes/User")
	for i := range types.list("schemaExtensions") {
		if types.at("schemaExtensions", i, "required") != true {
			continue
		}
		urn := types.text("schemaExtensions", i, "schema")
		p.must(strings.Contains(fmt.Sprint(p.user("").at("schemas")), urn), "the required extension %s is missing", urn)
	}
}

func r191(p *probe) {
	p.eachAttribute(func(path string, _, a map[string]any) {
		for _, name := range []string{"name", "type", "multiValued", "required", "mutability", "returned"} {
			p.must(a[name] != nil, "%s has no %s", path, name)
		}
		if a["type"] == "complex" {
			p.must(len(asList(a["subAttributes"])) > 0, "%s is complex without sub-attributes", path)
		}
		if a["type"] == "reference" {
			p.must(len(asList(a["referenceTypes"])) > 0, "%s is a reference without referenceTypes", path)
		}
	})
}

func r192(p *probe) {
	for _, urn := range []string{coreUser, coreGroup, enterprise} {
		a := p.send("GET", "/Schemas/"+urn, "")
		for i := range a.list("attributes") {
			name := a.text("attributes", i, "name")
			p.must(!slices.Contains([]string{"id", "externalId", "meta", "schemas"}, name), "%s lists the common attribute %s", urn, name)
		}
	}
}

func r193(p *probe) {
	for urn, want := range map[string]string{
		coreUser:  "userName name displayName nickName profileUrl title userType preferredLanguage locale timezone active password emails phoneNumbers ims photos addresses groups entitlements roles x509Certificates",
		coreGroup: "displayName members", enterprise: "employeeNumber costCenter organization division department manager",
	} {
		a := p.send("GET", "/Schemas/"+urn, "")
		if a.status == 404 && urn == enterprise {
			continue
		}
		served := map[string]map[string]any{}
		for _, v := range a.list("attributes") {
			attribute, _ := v.(map[string]any)
			served[fmt.Sprint(attribute["name"])] = attribute
		}
		for _, name := range strings.Fields(want) {
			p.must(served[name] != nil, "%s has no attribute %s", urn, name)
		}
		p.same("number of attributes of "+urn, len(served), len(strings.Fields(want)))
		if urn == coreUser {
			p.same("userName is required", served["userName"]["required"], true)
			p.same("uniqueness of userName", served["userName"]["uniqueness"], "server")
			p.same("returned of password", served["password"]["returned"], "never")
			p.same("mutability of groups", served["groups"]["mutability"], "readOnly")
		}
	}
}

func r194(p *probe) {
	standard := []string{"core:2.0:User", "core:2.0:Group", "core:2.0:ServiceProviderConfig", "core:2.0:ResourceType", "core:2.0:Schema", "extension:enterprise:2.0:User"}
	for _, id := range p.get("/Schemas").names("id") {
		rest, ok := strings.CutPrefix(id, "urn:ietf:params:scim:schemas:")
		p.must(!ok || slices.Contains(standard, rest) || strings.HasPrefix(rest, "extension:"), "%s is not registered", id)
	}
}
