package scimtest

import (
	"strings"
)

// Create, replace and delete: RFC 7644 sections 3.3, 3.5.1 and 3.6.

func r084(p *probe) {
	p.same("userName", p.user("").text("userName") != "", true)
	p.same("displayName", p.group().text("displayName") != "", true)
}

func r085(p *probe) {
	for _, a := range []*reply{p.user(""), p.group()} {
		location := a.header.Get("Location")
		p.must(strings.HasPrefix(location, "http") && strings.HasSuffix(location, "/"+a.id()), "Location is %q", location)
		p.same("meta.location", a.at("meta", "location"), location)
		p.same("the id of what is there", p.get(location).id(), a.id())
	}
}

func r086(p *probe) {
	user := p.user(`"displayName":"D","emails":[{"value":"a@x.example"}]`)
	p.same("what is read back", string(p.get("/Users/"+user.id()).raw), string(user.raw))
	few := p.create("/Users?attributes=userName", p.userBody(p.name("few"), `"displayName":"D"`))
	p.undo = append(p.undo, "/Users/"+few.id())
	p.same("displayName, which was not asked for", few.at("displayName"), nil)
}

func r087(p *probe) {
	user := p.user(`"groups":[{"value":"x"}],"meta":{"version":"W/\"9\""}`)
	p.same("groups", user.at("groups"), nil)
	p.must(user.text("meta", "version") != `W/"9"`, "meta was written")
}

func r088(p *probe) {
	p.same("active of one that does not say", p.user("").at("active"), true)
	p.same("title of one that clears it", p.user(`"title":null`).at("title"), nil)
}

func r089(p *probe) {
	user := p.user("")
	p.refused(409, "uniqueness", "POST", "/Users", p.userBody(user.text("userName"), ""))
	group := p.group()
	p.refused(409, "uniqueness", "POST", "/Groups", `{"schemas":["`+coreGroup+`"],"displayName":"`+group.text("displayName")+`"}`)
}

func r090(p *probe) {
	p.refused(400, "invalidValue", "POST", "/Users", `{"schemas":["`+coreUser+`"]}`)
	p.refused(400, "invalidValue", "POST", "/Users", p.userBody(p.name("typed"), `"name":"not an object"`))
	p.refused(400, "invalidValue", "POST", "/Users", p.userBody(p.name("typed"), `"active":"perhaps"`))
	for _, body := range []string{`{`, `[]`, `"x"`, `{"schemas":"` + coreUser + `"}`, `{"schemas":["` + coreUser + `"],"userName":"a","userName":"b"}`, `{} {}`} {
		p.refused(400, "invalidSyntax", "POST", "/Users", body)
	}
}

func r125(p *probe) {
	user, group := p.user(""), p.group()
	p.same("displayName", p.want(200, "PUT", "/Users/"+user.id(), p.userBody(user.text("userName"), `"displayName":"D"`)).at("displayName"), "D")
	name := p.name("replaced")
	p.same("displayName of the Group", p.want(200, "PUT", "/Groups/"+group.id(), `{"schemas":["`+coreGroup+`"],"displayName":"`+name+`"}`).at("displayName"), name)
}

func r126(p *probe) {
	name := p.name("nobody")
	p.refused(404, "", "PUT", "/Users/"+name, p.userBody(name, ""))
	p.same("Users of the name", p.count(`userName eq "`+name+`"`), 0)
}

func r127(p *probe) {
	user := p.user(`"title":"T","emails":[{"value":"a@x.example"}],"` + enterprise + `":{"department":"D"}`)
	a := p.want(200, "PUT", "/Users/"+user.id(), p.userBody(user.text("userName"), `"title":"U","emails":[{"value":"b@x.example"}],"`+enterprise+`":{"department":"E"}`))
	p.same("title", a.at("title"), "U")
	p.same("emails", len(a.list("emails")), 1)
	p.same("email", a.at("emails", 0, "value"), "b@x.example")
	p.same("department", a.at(enterprise, "department"), "E")
	p.same("what is read back", string(p.get("/Users/"+user.id()).raw), string(a.raw))
}

func r128(p *probe) {
	for range 2 {
		user := p.user(`"title":"T","nickName":"N","emails":[{"value":"a@x.example"}],"` + enterprise + `":{"department":"D"}`)
		a := p.want(200, "PUT", "/Users/"+user.id(), p.userBody(user.text("userName"), ""))
		for _, name := range []string{"title", "nickName", "emails", enterprise} {
			p.same(name+" after a PUT without it", a.at(name), nil)
		}
	}
}

func r129(p *probe) {
	user, other := p.user(""), p.user("")
	group := p.group(user.id())
	body := func(id string) string {
		return `{"schemas":["` + coreGroup + `"],"displayName":"` + group.text("displayName") + `","members":[` + members(id) + `]}`
	}
	p.same("a Group replaced by the same", p.want(200, "PUT", "/Groups/"+group.id(), body(user.id())).header.Get("ETag"), group.header.Get("ETag"))
	a := p.want(200, "PUT", "/Groups/"+group.id(), body(other.id())) // the member is another one, not a changed one
	p.same("members", a.at("members", 0, "value"), other.id())
	p.same("number of members", len(a.list("members")), 1)
}

func r130(p *probe) {
	user := p.user("")
	a := p.want(200, "PUT", "/Users/"+user.id(), p.userBody(user.text("userName"), `"id":"x","meta":{"created":"2001-01-01T00:00:00Z"},"groups":[{"value":"x"}]`))
	p.same("id", a.id(), user.id())
	p.same("created", a.at("meta", "created"), user.at("meta", "created"))
	p.same("groups", a.at("groups"), nil)
}

func r131(p *probe) {
	user := p.user("")
	p.refused(400, "invalidValue", "PUT", "/Users/"+user.id(), `{"schemas":["`+coreUser+`"],"displayName":"D"}`)
	p.same("what is read back", string(p.get("/Users/"+user.id()).raw), string(user.raw))
}

func r132(p *probe) {
	user, other := p.user(""), p.user("")
	a := p.want(200, "PUT", "/Users/"+user.id()+"?attributes=title", p.userBody(user.text("userName"), `"title":"T"`))
	p.same("title", a.at("title"), "T")
	p.same("userName, which was not asked for", a.at("userName"), nil)
	p.refused(409, "uniqueness", "PUT", "/Users/"+user.id(), p.userBody(strings.ToUpper(other.text("userName")), ""))
}

func r159(p *probe) {
	for _, path := range []string{"/Users/" + p.user("").id(), "/Groups/" + p.group().id()} {
		a := p.want(204, "DELETE", path, "")
		p.same("length of the body", len(a.raw), 0)
	}
}

func r160(p *probe) {
	user := p.user("")
	path := "/Users/" + user.id()
	p.want(204, "DELETE", path, "")
	p.refused(404, "", "GET", path, "")
	p.refused(404, "", "DELETE", path, "")
	p.refused(404, "", "PUT", path, p.userBody(user.text("userName"), ""))
	p.refused(404, "", "PATCH", path, patchBody(`{"op":"replace","path":"title","value":"T"}`))
}

func r161(p *probe) {
	user := p.user("")
	filter := `userName eq "` + user.text("userName") + `"`
	p.same("found before", p.count(filter), 1)
	p.want(204, "DELETE", "/Users/"+user.id(), "")
	p.same("found after", p.count(filter), 0)
	p.same("found by id", p.count(`id eq "`+user.id()+`"`), 0)
}

func r162(p *probe) {
	user := p.user("")
	p.want(204, "DELETE", "/Users/"+user.id(), "")
	p.create("/Users", p.userBody(user.text("userName"), ""))
}

func r163(p *probe) {
	user, other := p.user(""), p.user("")
	group := p.group(user.id(), other.id())
	p.want(204, "DELETE", "/Users/"+user.id(), "")
	a := p.get("/Groups/" + group.id())
	p.same("number of members", len(a.list("members")), 1)
	p.same("member", a.at("members", 0, "value"), other.id())
	p.same("Groups of the deleted User", p.find("/Groups", `members.value eq "`+user.id()+`"`).total(), 0)
}
