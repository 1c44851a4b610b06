package scimtest

import (
	"fmt"
	"strings"
)

// Modify: RFC 7644 section 3.5.2.

func r133(p *probe) {
	p.feature("patch", "supported")
	p.same("title", p.change(p.user("").id(), `{"op":"add","path":"title","value":"T"}`).at("title"), "T")
}

func r134(p *probe) {
	user := p.user("")
	for _, body := range []string{`{"schemas":["` + messages + `PatchOp"]}`, patchBody(), `{"schemas":["urn:x"],"Operations":{}}`, `[]`} {
		p.refused(400, "invalidSyntax", "PATCH", "/Users/"+user.id(), body)
	}
	p.same("what is read back", string(p.get("/Users/"+user.id()).raw), string(user.raw))
}

func r135(p *probe) {
	user := p.user("")
	for _, operation := range []string{`{"path":"title","value":"T"}`, `{"op":"move","path":"title","value":"T"}`, `{"op":5,"path":"title","value":"T"}`, `"add"`} {
		p.refusePatch(user.id(), "invalidSyntax", operation)
	}
	after := p.change(user.id(), `{"op":"add","path":"title","value":"T"}`, `{"op":"replace","path":"title","value":"U"}`, `{"op":"add","path":"nickName","value":"N"}`, `{"op":"remove","path":"nickName"}`)
	p.same("title", after.at("title"), "U")
	p.same("nickName", after.at("nickName"), nil)
}

func r136(p *probe) {
	user := p.user("")
	p.refusePatch(user.id(), "noTarget", `{"op":"remove"}`)
	p.same("title", p.change(user.id(), `{"op":"add","value":{"title":"T"}}`).at("title"), "T")
	p.same("title", p.change(user.id(), `{"op":"replace","value":{"title":"U"}}`).at("title"), "U")
}

func r137(p *probe) {
	user := p.user(`"emails":[{"value":"a@x.example","type":"work"}],"name":{"givenName":"G"}`)
	for _, path := range []string{"emails[", "emails[type eq]", "emails]type[", "name..givenName", "a b", "emails[type eq \\\"work\\\"]value", "."} {
		a := p.want(400, "PATCH", "/Users/"+user.id(), patchBody(`{"op":"replace","path":"`+path+`","value":"x"}`))
		p.must(a.text("scimType") == "invalidPath" || a.text("scimType") == "invalidFilter", "the path %s is refused with %q", path, a.text("scimType"))
	}
	for path, value := range map[string]string{
		"title": `"T"`, "name.givenName": `"H"`, `emails[type eq \"work\"].value`: `"b@x.example"`, `emails[type eq \"work\" and value co \"@\"].display`: `"D"`,
		enterprise + ":department": `"D"`, coreUser + ":nickName": `"N"`,
	} {
		p.change(user.id(), `{"op":"replace","path":"`+path+`","value":`+value+`}`)
	}
	after := p.get("/Users/" + user.id())
	p.same("email", after.at("emails", 0, "value"), "b@x.example")
	p.same("department", after.at(enterprise, "department"), "D")
}

func r138(p *probe) {
	user := p.user(`"title":"T"`)
	p.refusePatch(user.id(), "", `{"op":"replace","path":"title","value":"U"}`, `{"op":"replace","path":"id","value":"x"}`)
	p.refusePatch(user.id(), "", `{"op":"add","path":"nickName","value":"N"}`, `{"op":"remove"}`)
	group := p.group()
	p.want(400, "PATCH", "/Groups/"+group.id(), patchBody(`{"op":"add","path":"members","value":[{"value":"`+user.id()+`"}]}`, `{"op":"add","path":"members","value":[{"value":"nobody"}]}`))
	p.same("members after a refused PATCH", len(p.get("/Groups/"+group.id()).list("members")), 0)
}

func r139(p *probe) {
	user := p.user("")
	after := p.change(user.id(), `{"op":"add","path":"emails","value":[{"value":"a@x.example","type":"work"}]}`,
		`{"op":"replace","path":"emails[value eq \"a@x.example\"].value","value":"b@x.example"}`, `{"op":"remove","path":"emails[value eq \"a@x.example\"]"}`,
		`{"op":"add","path":"title","value":"1"}`, `{"op":"replace","path":"title","value":"2"}`)
	p.same("email", after.at("emails", 0, "value"), "b@x.example")
	p.same("title", after.at("title"), "2")
}

func r140(p *probe) {
	user := p.user("")
	for _, path := range []string{"id", "meta", "meta.created", "groups"} {
		p.refusePatch(user.id(), "mutability", `{"op":"replace","path":"`+path+`","value":"x"}`)
	}
	p.refusePatch(user.id(), "invalidValue", `{"op":"replace","path":"name","value":"x"}`)
	p.refusePatch(user.id(), "invalidValue", `{"op":"add","path":"emails","value":[{"value":5.5}, {"value":{}}]}`)
}

func r141(p *probe) {
	user := p.user(`"emails":[{"value":"a@x.example","type":"work","primary":true},{"value":"b@x.example","type":"home"}]`)
	p.same("primary", primaries(p.change(user.id(), `{"op":"replace","path":"emails[type eq \"home\"].primary","value":true}`), "emails"), []string{"b@x.example"})
	p.same("primary", primaries(p.change(user.id(), `{"op":"add","path":"emails","value":[{"value":"c@x.example","type":"other","primary":true}]}`), "emails"), []string{"c@x.example"})
}

func r142(p *probe) {
	user := p.user("")
	after := p.change(user.id(), `{"op":"add","path":"`+enterprise+`:department","value":"D"}`)
	p.must(strings.Contains(fmt.Sprint(after.at("schemas")), enterprise), "the extension is used and not listed in schemas: %v", after.at("schemas"))
	p.same("department", after.at(enterprise, "department"), "D")
	gone := p.change(user.id(), `{"op":"remove","path":"`+enterprise+`:department"}`)
	p.must(!strings.Contains(fmt.Sprint(gone.at("schemas")), enterprise), "the extension is empty and listed in schemas")
}

func r143(p *probe) {
	user := p.user(`"displayName":"D"`)
	a := p.send("PATCH", "/Users/"+user.id(), patchBody(`{"op":"add","path":"title","value":"T"}`))
	p.must(a.status == 204 && len(a.raw) == 0 || a.status == 200 && a.at("title") == "T" && a.at("displayName") == "D", "a PATCH is answered with %d %s", a.status, a.raw)
	b := p.want(200, "PATCH", "/Users/"+user.id()+"?attributes=title", patchBody(`{"op":"replace","path":"title","value":"U"}`))
	p.same("title", b.at("title"), "U")
	p.same("displayName", b.at("displayName"), nil)
}

func r144(p *probe) {
	user := p.user("")
	p.refusePatch(user.id(), "invalidValue", `{"op":"add","path":"title"}`)
	p.refusePatch(user.id(), "invalidValue", `{"op":"add"}`)
}

func r145(p *probe) {
	user := p.user(`"name":{"givenName":"G"},"emails":[{"value":"a@x.example"}]`)
	after := p.change(user.id(), `{"op":"add","value":{"title":"T","name":{"familyName":"F"},"emails":[{"value":"b@x.example"}],"`+enterprise+`":{"department":"D"}}}`)
	p.same("title", after.at("title"), "T")
	p.same("name", after.at("name"), map[string]any{"givenName": "G", "familyName": "F"})
	p.same("number of emails", len(after.list("emails")), 2)
	p.same("department", after.at(enterprise, "department"), "D")
}

func r146(p *probe) {
	user := p.user(`"title":"T","emails":[{"value":"a@x.example"}]`)
	after := p.change(user.id(), `{"op":"add","path":"emails","value":[{"value":"b@x.example"}]}`, `{"op":"add","path":"title","value":"U"}`, `{"op":"add","path":"nickName","value":"N"}`)
	p.same("number of emails", len(after.list("emails")), 2)
	p.same("title", after.at("title"), "U")
	p.same("nickName", after.at("nickName"), "N")
}

func r147(p *probe) {
	user := p.user(`"name":{"givenName":"G","familyName":"F"}`)
	after := p.change(user.id(), `{"op":"add","path":"name","value":{"familyName":"E","honorificPrefix":"Dr."}}`)
	p.same("name", after.at("name"), map[string]any{"givenName": "G", "familyName": "E", "honorificPrefix": "Dr."})
}

func r148(p *probe) {
	user := p.user(`"title":"T","emails":[{"value":"a@x.example","type":"work"}]`)
	after := p.change(user.id(), `{"op":"add","path":"title","value":"T"}`, `{"op":"add","path":"emails","value":[{"value":"a@x.example","type":"work"}]}`)
	p.same("the User after nothing was added", string(after.raw), string(user.raw))
	member := p.user("")
	group := p.group(member.id())
	a := p.send("PATCH", "/Groups/"+group.id(), patchBody(`{"op":"add","path":"members","value":[{"value":"`+member.id()+`"}]}`))
	p.must(a.status == 200 || a.status == 204, "adding a member who is there is answered with %d", a.status)
	p.same("lastModified of the Group", p.get("/Groups/"+group.id()).at("meta", "lastModified"), group.at("meta", "lastModified"))
}

func r149(p *probe) {
	user := p.user(`"title":"T","nickName":"N","name":{"givenName":"G","familyName":"F"},"phoneNumbers":[{"value":"1"}],"emails":[{"value":"a@x.example","type":"work"},{"value":"b@x.example","type":"home"}]`)
	after := p.change(user.id(), `{"op":"remove","path":"title"}`, `{"op":"remove","path":"phoneNumbers"}`, `{"op":"remove","path":"name.givenName"}`, `{"op":"remove","path":"emails[type eq \"home\"]"}`)
	p.same("title", after.at("title"), nil)
	p.same("phoneNumbers", after.at("phoneNumbers"), nil)
	p.same("name", after.at("name"), map[string]any{"familyName": "F"})
	p.same("emails", len(after.list("emails")), 1)
	p.same("emails after the last", p.change(user.id(), `{"op":"remove","path":"emails[type eq \"work\"]"}`).at("emails"), nil)
}

func r150(p *probe) {
	user := p.user(`"emails":[{"value":"a@x.example","type":"work","display":"A"},{"value":"b@x.example","type":"home","display":"B"}]`)
	after := p.change(user.id(), `{"op":"remove","path":"emails[type eq \"work\"].display"}`)
	p.same("display of the one", after.at("emails", 0, "display"), nil)
	p.same("value of the one", after.at("emails", 0, "value"), "a@x.example")
	p.same("display of the other", after.at("emails", 1, "display"), "B")
}

func r151(p *probe) {
	user := p.user("")
	p.refusePatch(user.id(), "mutability", `{"op":"remove","path":"userName"}`)
	p.refusePatch(user.id(), "mutability", `{"op":"remove","path":"id"}`)
	p.refusePatch(user.id(), "mutability", `{"op":"remove","path":"meta.created"}`)
	group := p.group()
	p.refused(400, "mutability", "PATCH", "/Groups/"+group.id(), patchBody(`{"op":"remove","path":"displayName"}`))
}

func r152(p *probe) {
	user := p.user(`"title":"T","emails":[{"value":"a@x.example"}]`)
	after := p.change(user.id(), `{"op":"replace","value":{"title":"U","emails":[{"value":"b@x.example"}],"`+enterprise+`":{"department":"D"}}}`)
	p.same("title", after.at("title"), "U")
	p.same("emails", after.at("emails"), []any{map[string]any{"value": "b@x.example"}})
	p.same("department", after.at(enterprise, "department"), "D")
}

func r153(p *probe) {
	user := p.user("")
	after := p.change(user.id(), `{"op":"replace","path":"title","value":"T"}`, `{"op":"replace","path":"name.familyName","value":"F"}`, `{"op":"replace","path":"emails","value":[{"value":"a@x.example"}]}`)
	p.same("title", after.at("title"), "T")
	p.same("familyName", after.at("name", "familyName"), "F")
	p.same("emails", len(after.list("emails")), 1)
}

func r154(p *probe) {
	user := p.user(`"name":{"givenName":"G","familyName":"F"},"` + enterprise + `":{"department":"D","division":"V"}`)
	after := p.change(user.id(), `{"op":"replace","path":"name","value":{"familyName":"E"}}`, `{"op":"replace","path":"`+enterprise+`","value":{"department":"E"}}`)
	p.same("name", after.at("name"), map[string]any{"givenName": "G", "familyName": "E"})
	p.same("extension", after.at(enterprise), map[string]any{"department": "E", "division": "V"})
}

func r155(p *probe) {
	user := p.user(`"emails":[{"value":"a@x.example"},{"value":"b@x.example"}]`)
	p.same("emails", p.change(user.id(), `{"op":"replace","path":"emails","value":[{"value":"c@x.example"}]}`).at("emails"), []any{map[string]any{"value": "c@x.example"}})
	member, other := p.user(""), p.user("")
	group := p.group(member.id())
	p.send("PATCH", "/Groups/"+group.id(), patchBody(`{"op":"replace","path":"members","value":[{"value":"`+other.id()+`"}]}`))
	after := p.get("/Groups/" + group.id())
	p.same("number of members", len(after.list("members")), 1)
	p.same("member", after.at("members", 0, "value"), other.id())
}

func r156(p *probe) {
	user := p.user(`"emails":[{"value":"a@x.example","type":"work"},{"value":"b@x.example","type":"work"},{"value":"c@x.example","type":"home"}]`)
	after := p.change(user.id(), `{"op":"replace","path":"emails[type eq \"work\"].display","value":"D"}`)
	for i, want := range []any{"D", "D", nil} {
		p.same(fmt.Sprintf("display of email %d", i+1), after.at("emails", i, "display"), want)
	}
	one := p.change(user.id(), `{"op":"replace","path":"emails[type eq \"home\"]","value":{"value":"d@x.example","type":"other"}}`)
	p.same("the replaced email", one.at("emails", 2), map[string]any{"value": "d@x.example", "type": "other"})
}

func r157(p *probe) {
	user := p.user(`"emails":[{"value":"a@x.example","type":"work"}]`)
	p.refusePatch(user.id(), "noTarget", `{"op":"replace","path":"emails[value sw \"nobody\"].display","value":"D"}`)
	p.refusePatch(user.id(), "noTarget", `{"op":"replace","path":"emails[value co \"nobody\"]","value":{"value":"x"}}`)
}

func r158(p *probe) {
	user, other := p.user(`"emails":[{"value":"a@x.example"}]`), p.user("")
	for scimType, operation := range map[string]string{
		"invalidPath":  `{"op":"add","path":"name..x","value":"x"}`,
		"noTarget":     `{"op":"remove"}`,
		"invalidValue": `{"op":"replace","path":"userName","value":""}`,
		"mutability":   `{"op":"replace","path":"id","value":"x"}`,
	} {
		p.refusePatch(user.id(), scimType, operation)
	}
	p.refused(409, "uniqueness", "PATCH", "/Users/"+user.id(), patchBody(`{"op":"replace","path":"userName","value":"`+other.text("userName")+`"}`))
	p.refused(400, "invalidSyntax", "PATCH", "/Users/"+user.id(), `{"schemas":["`+messages+`PatchOp"],"Operations":[{"op":"add"`)
}
