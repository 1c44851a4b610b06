package scimtest

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Bulk: RFC 7644 section 3.7.

func (p *probe) bulk(more string, operations ...string) *reply {
	p.feature("bulk", "supported")
	a := p.want(200, "POST", "/Bulk", `{"schemas":["`+messages+`BulkRequest"]`+more+`,"Operations":[`+strings.Join(operations, ",")+`]}`)
	for i := range a.list("Operations") {
		if location := a.text("Operations", i, "location"); a.text("Operations", i, "status") == "201" {
			p.undo = append(p.undo, strings.TrimPrefix(location, p.config.Base))
		}
	}
	return a
}

// statuses gives the status of each operation of a bulk answer.
func statusesOf(a *reply) string {
	var all []string
	for i := range a.list("Operations") {
		all = append(all, a.text("Operations", i, "status"))
	}
	return strings.Join(all, " ")
}

func (p *probe) bulkPost(id, more string) string {
	return fmt.Sprintf(`{"method":"POST","path":"/Users","bulkId":%q,"data":%s}`, id, p.userBody(p.name("bulk"), more))
}

func r164(p *probe) {
	supported, _ := p.get("/ServiceProviderConfig").at("bulk", "supported").(bool)
	if supported {
		p.bulk("", p.bulkPost("a", ""))
		return
	}
	status := p.send("POST", "/Bulk", `{}`).status
	p.must(status == 501 || status == 404, "bulk is not announced and POST /Bulk is answered with %d", status)
}

func r165(p *probe) {
	a := p.bulk(`,"failOnErrors":1`, p.bulkPost("a", ""), p.bulkPost("b", ""))
	p.same("schemas", a.at("schemas"), []string{messages + "BulkResponse"})
	p.same("statuses", statusesOf(a), "201 201")
	p.refused(400, "invalidSyntax", "POST", "/Bulk", `{"schemas":["`+messages+`BulkRequest"]}`)
}

func r166(p *probe) {
	p.feature("bulk", "supported")
	user, gone := p.user(""), p.user("")
	a := p.bulk("", p.bulkPost("a", ""),
		`{"method":"PUT","path":"/Users/`+user.id()+`","data":`+p.userBody(user.text("userName"), `"title":"T"`)+`}`,
		`{"method":"PATCH","path":"/Users/`+user.id()+`","data":`+patchBody(`{"op":"add","path":"nickName","value":"N"}`)+`}`,
		`{"method":"DELETE","path":"/Users/`+gone.id()+`"}`,
		`{"method":"DELETE","path":"/Users/`+user.id()+`","version":"W/\"nonsense\""}`,
		`{"method":"POST","path":"/Users","data":`+p.userBody(p.name("nobulkid"), "")+`}`,
		`{"method":"GET","path":"/Users/`+user.id()+`"}`,
		`{"method":"PUT","path":"/Users/`+user.id()+`"}`)
	statuses := strings.Replace(strings.Replace(statusesOf(a), "201 200 204 204", "201 200 200 204", 1), "201 200 200 204", "done", 1)
	p.same("statuses", statuses, "done 412 400 400 400")
	after := p.get("/Users/" + user.id())
	p.same("title", after.at("title"), "T")
	p.same("nickName", after.at("nickName"), "N")
}

func r167(p *probe) {
	p.bulk("", p.bulkPost("a", ""))
	p.refused(400, "invalidSyntax", "POST", "/Bulk", `{`)
}

func r168(p *probe) {
	bad := `{"method":"DELETE","path":"/Users/` + p.name("nobody") + `"}`
	p.same("all are processed", statusesOf(p.bulk("", bad, p.bulkPost("a", ""), bad, p.bulkPost("b", ""))), "404 201 404 201")
	p.same("until two errors", statusesOf(p.bulk(`,"failOnErrors":2`, bad, p.bulkPost("a", ""), bad, p.bulkPost("b", ""))), "404 201 404")
}

func r169(p *probe) {
	a := p.bulk("", p.bulkPost("first", ""), p.bulkPost("second", ""))
	p.same("bulkIds", []any{a.at("Operations", 0, "bulkId"), a.at("Operations", 1, "bulkId")}, "[first second]")
	for i := range 2 {
		p.get(a.text("Operations", i, "location"))
	}
}

func bulkManager(id string) string {
	return `"` + enterprise + `":{"manager":{"value":"bulkId:` + id + `"}}`
}

func idOf(location string) string { return location[strings.LastIndexByte(location, '/')+1:] }

func r170(p *probe) {
	a := p.bulk("", p.bulkPost("a", bulkManager("b")), p.bulkPost("b", bulkManager("a")))
	if statuses := statusesOf(a); statuses == "409 409" {
		return // it was tried
	}
	p.same("statuses", statusesOf(a), "201 201")
	one, two := a.text("Operations", 0, "location"), a.text("Operations", 1, "location")
	p.same("manager of the one", p.get(one).at(enterprise, "manager", "value"), idOf(two))
	p.same("manager of the other", p.get(two).at(enterprise, "manager", "value"), idOf(one))
}

func r171(p *probe) {
	a := p.bulk("", p.bulkPost("a", bulkManager("b")), p.bulkPost("b", ""),
		`{"method":"POST","path":"/Groups","bulkId":"g","data":{"schemas":["`+coreGroup+`"],"displayName":"`+p.name("bulk")+`","members":[{"value":"bulkId:a"},{"value":"bulkId:b"}]}}`)
	p.same("statuses", statusesOf(a), "201 201 201")
	one, two := a.text("Operations", 0, "location"), a.text("Operations", 1, "location")
	p.same("manager", p.get(one).at(enterprise, "manager", "value"), idOf(two))
	group := p.get(a.text("Operations", 2, "location"))
	p.same("number of members", len(group.list("members")), 2)
	b := p.bulk("", p.bulkPost("c", bulkManager("nobody")))
	p.same("a reference to nothing", statusesOf(b), "409")
}

func r172(p *probe) {
	p.feature("bulk", "supported")
	user := p.user("")
	a := p.bulk("", p.bulkPost("a", ""), `{"method":"POST","path":"/Users","bulkId":"b","data":`+p.userBody(user.text("userName"), "")+`}`,
		`{"method":"DELETE","path":"/Users/`+user.id()+`"}`)
	p.same("statuses", statusesOf(a), "201 409 204")
	p.must(strings.HasPrefix(a.text("Operations", 0, "location"), "http"), "the location is %v", a.at("Operations", 0, "location"))
	p.same("method", a.at("Operations", 0, "method"), "POST")
	p.same("bulkId of the failed one", a.at("Operations", 1, "bulkId"), "b")
	p.same("location of the failed one", a.at("Operations", 1, "location"), nil)
	p.same("scimType in its response", a.at("Operations", 1, "response", "scimType"), "uniqueness")
	p.same("schemas in its response", a.at("Operations", 1, "response", "schemas"), []string{messages + "Error"})
	p.same("location of the deleted one", a.at("Operations", 2, "location"), user.at("meta", "location"))
	if etag, _ := p.get("/ServiceProviderConfig").at("etag", "supported").(bool); etag {
		p.same("version", a.at("Operations", 0, "version"), p.get(a.text("Operations", 0, "location")).at("meta", "version"))
	}
}

func r173(p *probe) {
	p.feature("bulk", "supported")
	config := p.get("/ServiceProviderConfig")
	operations, _ := config.at("bulk", "maxOperations").(json.Number).Int64()
	size, _ := config.at("bulk", "maxPayloadSize").(json.Number).Int64()
	p.must(operations > 0 && size > 0, "bulk is announced with %v", config.at("bulk"))
	if operations <= 10_000 {
		op := `{"method":"DELETE","path":"/Users/nobody"}`
		a := p.want(413, "POST", "/Bulk", `{"schemas":["`+messages+`BulkRequest"],"Operations":[`+strings.Repeat(op+",", int(operations))+op+`]}`)
		p.must(strings.Contains(a.text("detail"), fmt.Sprint(operations)), "the detail does not name the limit: %q", a.text("detail"))
		p.log = nil // it is large
	}
	if size <= 32<<20 {
		a := p.want(413, "POST", "/Bulk", `{"schemas":["`+messages+`BulkRequest"],"Operations":[{"method":"POST","path":"/Users","bulkId":"a","data":{"title":"`+strings.Repeat("x", int(size))+`"}}]}`)
		p.log = nil
		p.must(strings.Contains(a.text("detail"), fmt.Sprint(size)), "the detail does not name the limit: %q", a.text("detail"))
	}
}
