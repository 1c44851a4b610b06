package scimtest

import (
	"fmt"
	"net/url"
	"strings"
)

// Errors, versions and /Me: RFC 7644 sections 3.11, 3.12 and 3.14.

func r174(p *probe) {
	for _, a := range []*reply{
		p.want(404, "GET", "/Users/"+p.name("nobody"), ""),
		p.want(400, "POST", "/Users", `{`),
		p.want(401, "GET", "/Users", "", "Authorization", "-"),
		p.want(404, "GET", "/Nothing", ""),
		p.want(400, "GET", "/Users?filter="+url.QueryEscape("x"), ""),
	} {
		p.same("schemas", a.at("schemas"), []string{messages + "Error"})
		status, isText := a.at("status").(string)
		p.must(isText && status == fmt.Sprint(a.status), "status is %#v with %d", a.at("status"), a.status)
		p.must(a.text("detail") != "", "there is no detail")
	}
}

func r175(p *probe) {
	user := p.user("")
	p.refused(404, "", "GET", "/Nothing", "")
	p.refused(409, "uniqueness", "POST", "/Users", p.userBody(user.text("userName"), ""))
	p.refused(400, "invalidFilter", "GET", "/Users?filter=x", "")
	a := p.send("DELETE", "/Users", "")
	p.must(a.status == 405 || a.status == 501, "DELETE /Users is answered with %d", a.status)
	p.must(a.status == 501 || strings.Contains(a.header.Get("Allow"), "GET"), "405 has the Allow %q", a.header.Get("Allow"))
	b := p.send("POST", "/Users", p.userBody(p.name("huge"), `"title":"`+strings.Repeat("x", 3<<20)+`"`))
	p.log = nil // it is large
	p.must(b.status == 413 || b.status == 400, "a User of three megabytes is answered with %d", b.status)
}

func r176(p *probe) {
	a := p.send("GET", "/Me", "")
	switch a.status {
	case 501, 403, 404:
		p.same("schemas of the error", a.at("schemas"), []string{messages + "Error"})
	case 200:
		p.same("Location", a.header.Get("Location"), a.text("meta", "location"))
	case 308, 307:
		p.must(a.header.Get("Location") != "", "a redirection without Location")
	default:
		p.failf("/Me is answered with %d", a.status)
	}
}

func r177(p *probe) {
	p.feature("etag", "supported")
	user := p.user("")
	path := "/Users/" + user.id()
	for method, body := range map[string]string{
		"PUT": p.userBody(user.text("userName"), `"title":"T"`), "PATCH": patchBody(`{"op":"add","path":"title","value":"T"}`), "DELETE": "",
	} {
		for _, tag := range []string{`W/"other"`, `"12345.678"`, `nonsense`} {
			p.refused(412, "", method, path, body, "If-Match", tag)
		}
	}
	p.same("what is read back", string(p.get(path).raw), string(user.raw))
}

func r178(p *probe) {
	p.feature("etag", "supported")
	user := p.user("")
	first := user.header.Get("ETag")
	p.must(first != "", "there is no ETag")
	p.same("meta.version", user.at("meta", "version"), first)
	after := p.change(user.id(), `{"op":"add","path":"title","value":"T"}`)
	p.must(after.header.Get("ETag") != first, "the ETag is the same after a change")
	p.same("meta.version after a change", after.at("meta", "version"), after.header.Get("ETag"))
}

func r179(p *probe) {
	p.feature("etag", "supported")
	user := p.user("")
	path, tag := "/Users/"+user.id(), user.header.Get("ETag")
	for _, value := range []string{tag, `W/"other", ` + tag, "*"} {
		a := p.want(304, "GET", path, "", "If-None-Match", value)
		p.same("length of the body", len(a.raw), 0)
	}
	p.want(200, "GET", path, "", "If-None-Match", `W/"other"`)
	p.change(user.id(), `{"op":"add","path":"title","value":"T"}`)
	p.want(200, "GET", path, "", "If-None-Match", tag)
}

func r180(p *probe) {
	p.feature("etag", "supported")
	user := p.user("")
	path := "/Users/" + user.id()
	a := p.want(200, "PUT", path, p.userBody(user.text("userName"), `"title":"T"`), "If-Match", user.header.Get("ETag"))
	p.refused(412, "", "PUT", path, p.userBody(user.text("userName"), `"title":"U"`), "If-Match", user.header.Get("ETag"))
	b := p.send("PATCH", path, patchBody(`{"op":"add","path":"title","value":"V"}`), "If-Match", a.header.Get("ETag"))
	p.must(b.status == 200 || b.status == 204, "a PATCH with the current version is answered with %d", b.status)
	p.want(204, "DELETE", path, "", "If-Match", p.get(path).header.Get("ETag"))
}

func r181(p *probe) {
	p.feature("etag", "supported")
	user := p.user("")
	p.want(200, "PUT", "/Users/"+user.id(), p.userBody(user.text("userName"), `"title":"T"`), "If-Match", "*")
	name := p.name("nobody")
	status := p.send("PUT", "/Users/"+name, p.userBody(name, ""), "If-Match", "*").status
	p.must(status == 404 || status == 412, "If-Match: * on what is not there is answered with %d", status)
}
