package scimtest

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// Retrieve and query: RFC 7644 section 3.4.

func r091(p *probe) {
	user := p.user("")
	p.same("id", p.get("/Users/"+user.id()).id(), user.id())
	p.refused(404, "", "GET", "/Users/"+p.name("nobody"), "")
	p.refused(404, "", "GET", "/Groups/"+user.id(), "")
}

func r092(p *probe) {
	user := p.user("")
	p.same("found", p.get("/Users?unknown=1&x=%22&filter="+url.QueryEscape(`userName eq "`+user.text("userName")+`"`)).total(), 1)
	p.same("read", p.get("/Users/"+user.id()+"?unknown=1").id(), user.id())
}

func r093(p *probe) {
	for _, path := range []string{"/Users?count=1", "/Groups?count=1", "/Users?count=0"} {
		p.same("schemas of "+path, p.get(path).at("schemas"), []string{messages + "ListResponse"})
	}
}

func r094(p *probe) {
	p.user("")
	p.user("")
	a := p.get("/Users?startIndex=2&count=1")
	p.must(a.total() >= 2, "totalResults is %v", a.at("totalResults"))
	p.same("number of Resources", len(a.list("Resources")), 1)
	p.same("startIndex", a.at("startIndex"), 2)
	p.same("itemsPerPage", a.at("itemsPerPage"), 1)
}

func r095(p *probe) {
	a := p.find("/Users", `userName eq "`+p.name("nobody")+`"`)
	p.same("totalResults", a.total(), 0)
	p.same("number of Resources", len(a.list("Resources")), 0)
}

func r096(p *probe) {
	user, group := p.user(""), p.group()
	names := fmt.Sprintf(`(userName eq %q or displayName eq %q)`, user.text("userName"), group.text("displayName"))
	a := p.find("", names)
	ids := a.names("id")
	p.must(a.total() == 2 && slices.Contains(ids, user.id()) && slices.Contains(ids, group.id()), "at the root %v are found", ids)
	p.same("Groups at the root", p.find("", names+` and meta.resourceType eq "Group"`).names("id"), []string{group.id()})
}

func r097(p *probe) {
	a := p.send("GET", "/Users?count=1000000000", "")
	p.must(a.status == 200 || a.status == 400 && a.text("scimType") == "tooMany", "a very large page is answered with %d", a.status)
	if a.status == 200 {
		p.must(len(a.list("Resources")) <= 100_000, "a page has %d resources", len(a.list("Resources")))
	}
}

func r098(p *probe) {
	group := p.group()
	own := ` and displayName eq "` + group.text("displayName") + `"`
	p.same("Groups with a userName", p.find("", `userName pr`+own).total(), 0)
	p.same("Groups with a certain userName", p.find("", `userName eq "x"`+own).total(), 0)
	p.same("Groups without one", p.find("", `not (userName pr)`+own).total(), 1)
}

// cast are three Users who differ; the filter is true of those of the run only.
func (p *probe) cast() (names []string, own string) {
	title := p.name("cast")
	for i, more := range []string{
		`"nickName":"Ada","name":{"familyName":"Lovelace"},"active":true,"emails":[{"value":"ada@x.example","type":"work","primary":true},{"value":"ada@home.example","type":"home"}]`,
		`"nickName":"bob","name":{"familyName":"Loveless"},"active":false,"emails":[{"value":"bob@x.example","type":"home"},{"value":"work@y.example","type":"work"}],"` + enterprise + `":{"department":"Dev"}`,
		`"displayName":"Carl"`,
	} {
		name := p.name(string(rune('a' + i)))
		p.create("/Users", p.userBody(name, `"title":"`+title+`",`+more))
		names = append(names, name)
	}
	return names, ` and title eq "` + title + `"`
}

// finds fails unless a filter finds just those of the cast who are named by their letters.
func (p *probe) finds(names []string, own, filter, letters string) {
	a := p.find("/Users", "("+filter+")"+own)
	var got []byte
	for _, found := range a.names("userName") {
		got = append(got, byte('a'+slices.Index(names, found)))
	}
	slices.Sort(got)
	p.same("who is found by "+filter, string(got), letters)
	p.same("totalResults of "+filter, a.total(), len(letters))
}

func r099(p *probe) {
	names, own := p.cast()
	for filter, letters := range map[string]string{
		`nickName eq "ada"`: "a", `nickName ne "ada"`: "bc", `nickName co "D"`: "a", `nickName sw "b"`: "b", `nickName ew "A"`: "a",
		`nickName gt "b"`: "b", `nickName lt "b"`: "a", `nickName ge "BOB"`: "b", `nickName le "ada"`: "a", `nickName pr`: "ab",
		`active eq true`: "ac", `active eq false`: "b", `name.familyName sw "love"`: "ab",
		enterprise + `:department eq "dev"`: "b", `emails.value ew "home.example"`: "a", `emails eq "bob@x.example"`: "b",
	} {
		p.finds(names, own, filter, letters)
	}
}

func r100(p *probe) {
	for _, filter := range []string{"", " ", "userName", "userName eq", `eq "x"`, `userName "x"`, `userName pr "x"`, "()"} {
		p.refused(400, "invalidFilter", "GET", "/Users?filter="+url.QueryEscape(filter), "")
	}
}

func r101(p *probe) {
	names, own := p.cast()
	for _, filter := range []string{`NICKNAME EQ "ada"`, `nickname Eq "ada"`, `nickName eq "ada" AND active eq true`, `NOT (nickName ne "ada")`, `nickName eq "ada" Or nickName eq "nobody"`} {
		p.finds(names, own, filter, "a")
	}
}

func r102(p *probe) {
	for _, filter := range []string{`userName is "x"`, `userName eq "x`, `(userName pr`, `userName pr)`, `userName eq x y`, `userName pr and`, `not userName pr`, strings.Repeat("(", 5000)} {
		a := p.refused(400, "invalidFilter", "GET", "/Users?filter="+url.QueryEscape(filter), "")
		p.must(len(a.text("detail")) > 10, "the detail is %q", a.text("detail"))
	}
}

func r103(p *probe) {
	for _, op := range []string{"gt", "ge", "lt", "le"} {
		for _, filter := range []string{`active ` + op + ` true`, `x509Certificates.value ` + op + ` "TWFu"`} {
			p.refused(400, "invalidFilter", "GET", "/Users?filter="+url.QueryEscape(filter), "")
		}
	}
}

func r104(p *probe) {
	names, own := p.cast()
	p.finds(names, own, `nickName gt "ada" and nickName le "bob"`, "b")
	p.finds(names, own, `meta.created gt "2001-01-01T00:00:00Z" and meta.created lt "2999-01-01T00:00:00+01:00"`, "abc")
	p.finds(names, own, `meta.lastModified lt "2001-01-01T00:00:00Z"`, "")
}

func r105(p *probe) {
	names, own := p.cast()
	for filter, letters := range map[string]string{
		`displayName eq "Carl" or nickName eq "ada" and active eq false`:     "c",
		`(displayName eq "Carl" or nickName eq "ada") and active eq true`:    "ac",
		`not (nickName pr) or nickName eq "bob" and not (active eq true)`:    "bc",
		`not (nickName eq "ada" or nickName eq "bob") and title pr`:          "c",
		`nickName eq "ada" or nickName eq "bob" or displayName eq "Carl"`:    "abc",
		`nickName eq "x" and active eq true or displayName pr and active pr`: "c",
		`active eq true and (nickName pr and (name.familyName co "lace"))`:   "a",
	} {
		p.finds(names, own, filter, letters)
	}
}

func r106(p *probe) {
	names, own := p.cast()
	p.finds(names, own, `emails.type eq "home"`, "ab")
	p.finds(names, own, `emails.value eq "ada@home.example"`, "a")
	p.finds(names, own, `emails.value eq "ada@home.example" and emails.value eq "ada@x.example"`, "a")
}

func r107(p *probe) {
	names, own := p.cast()
	for filter, letters := range map[string]string{
		`emails[type eq "work" and value co "@x.example"]`:                                         "a",
		`emails[type eq "home" and value co "@x.example"]`:                                         "b",
		`emails[type eq "work" and (value sw "ada" or value sw "work") and not (primary eq true)]`: "b",
		`emails[type ne "work"]`:                          "ab",
		`not (emails[type eq "home"])`:                    "c",
		`emails.type eq "work" and emails.value sw "bob"`: "b",
	} {
		p.finds(names, own, filter, letters)
	}
	p.refused(400, "invalidFilter", "GET", "/Users?filter="+url.QueryEscape(`name eq "x"`), "")
	p.refused(400, "invalidFilter", "GET", "/Users?filter="+url.QueryEscape(`emails[unknown eq "x"]`), "")
}

func r108(p *probe) {
	external := p.name("Case")
	user := p.user(`"externalId":"` + external + `","nickName":"MiXed"`)
	own := ` and userName eq "` + user.text("userName") + `"`
	p.same("by a string that is not caseExact", p.count(`nickName eq "mIxED"`+own), 1)
	p.same("by one that is, in another case", p.count(`externalId eq "`+strings.ToLower(external)+`"`+own), 0)
	p.same("by one that is", p.count(`externalId eq "`+external+`"`+own), 1)
	p.same("by a part", p.count(`externalId co "case"`+own), 0)
}

func r109(p *probe) {
	names, own := p.cast()
	p.finds(names, own, `emails pr`, "ab")
	p.finds(names, own, `name pr`, "ab")
	p.finds(names, own, enterprise+`:department pr`, "b")
	p.finds(names, own, `emails.display pr`, "")
	p.finds(names, own, `displayName pr`, "c")
}

func r110(p *probe) {
	p.feature("filter", "supported")
	user := p.user("")
	p.same("found", p.count(`userName eq "`+user.text("userName")+`"`), 1)
}

func r111(p *probe) {
	a := p.send("GET", "/Users?filter="+url.QueryEscape(`password eq "x"`), "")
	p.must(a.status == 400 || a.status == 200, "a filter on password is answered with %d", a.status)
	b := p.send("GET", "/Users?filter="+url.QueryEscape(`password co "x"`), "")
	p.must(b.status == 400, "a filter that looks into passwords is answered with %d", b.status)
}

// sorted fails unless a list is in an order.
func (p *probe) sorted(names []string, own, by, letters string) {
	a := p.get("/Users?" + by + "&filter=" + url.QueryEscape("userName pr"+own))
	var got []byte
	for _, found := range a.names("userName") {
		got = append(got, byte('a'+slices.Index(names, found)))
	}
	p.same("the order by "+by, string(got), letters)
}

func r112(p *probe) {
	p.feature("sort", "supported")
	names, own := p.cast()
	p.sorted(names, own, "sortBy=userName", "abc")
	p.sorted(names, own, "sortBy=name.familyName", "abc")
	p.sorted(names, own, "sortBy=emails", "abc")
	p.sorted(names, own, "sortBy=emails.value&sortOrder=descending", "cba")
	p.refused(400, "", "GET", "/Users?sortBy=name", "")
}

func r113(p *probe) {
	p.feature("sort", "supported")
	names, own := p.cast()
	p.sorted(names, own, "sortBy=nickName", "abc")
	p.sorted(names, own, "sortBy=nickName&sortOrder=ascending", "abc")
	p.sorted(names, own, "sortBy=nickName&sortOrder=descending", "cba")
	p.sorted(names, own, "sortBy=displayName", "cab")
}

func r114(p *probe) {
	p.feature("sort", "supported")
	names, own := p.cast()
	p.sorted(names, own, "sortBy=nickName", "abc") // "Ada" before "bob", whatever the case
	p.sorted(names, own, "sortBy=meta.created&sortOrder=ascending&startIndex=1", "abc")
	p.sorted(names, own, "sortBy=active", "bac")
}

func r115(p *probe) {
	_, own := p.cast()
	query := "/Users?filter=" + url.QueryEscape("userName pr"+own) + "&count=1&startIndex="
	first := p.get(query + "1").names("id")
	for _, start := range []string{"0", "-5"} {
		a := p.get(query + start)
		p.same("startIndex", a.at("startIndex"), 1)
		p.same("the page at "+start, a.names("id"), first)
	}
}

func r116(p *probe) {
	p.user("")
	p.user("")
	for _, count := range []string{"0", "-3"} {
		a := p.get("/Users?count=" + count)
		p.same("Resources of count="+count, len(a.list("Resources")), 0)
		p.must(a.total() >= 2, "totalResults of count=%s is %d", count, a.total())
	}
	p.same("Resources of count=1", len(p.get("/Users?count=1").list("Resources")), 1)
	p.get("/Users?count=1000000")
}

func r117(p *probe) {
	user := p.user(`"title":"T","displayName":"D"`)
	id, name := user.id(), user.text("userName")
	only := func(what string, a *reply, path ...any) {
		p.same("title in "+what, valueAt(a.body, append(slices.Clone(path), "title")...), "T")
		p.same("displayName in "+what, valueAt(a.body, append(slices.Clone(path), "displayName")...), nil)
	}
	only("GET", p.get("/Users/"+id+"?attributes=title"))
	only("GET without displayName", p.get("/Users/"+id+"?excludedAttributes=displayName"))
	only("a list", p.get("/Users?attributes=title&filter="+url.QueryEscape(`userName eq "`+name+`"`)), "Resources", 0)
	only("PUT", p.want(200, "PUT", "/Users/"+id+"?attributes=title", p.userBody(name, `"title":"T","displayName":"D"`)))
	only("PATCH", p.want(200, "PATCH", "/Users/"+id+"?attributes=title", patchBody(`{"op":"replace","path":"nickName","value":"N"}`)))
	made := p.create("/Users?excludedAttributes=displayName", p.userBody(p.name("projected"), `"title":"T","displayName":"D"`))
	p.undo = append(p.undo, "/Users/"+made.id())
	only("POST", made)
}

func r118(p *probe) {
	user := p.user(`"name":{"givenName":"G","familyName":"F"},"` + enterprise + `":{"department":"D","division":"V"}`)
	path := "/Users/" + user.id()
	for _, query := range []string{"attributes=name.givenName", "attributes=" + coreUser + ":name.givenName", "attributes=NAME.GIVENNAME", "attributes=unknown,%20name.givenName%20"} {
		a := p.get(path + "?" + query)
		p.same("name by "+query, a.at("name"), map[string]any{"givenName": "G"})
		p.must(a.id() != "" && a.at("schemas") != nil && a.at("userName") == nil, "by %s the answer is %s", query, a.raw)
	}
	p.same("the extension by its attribute", p.get(path+"?attributes="+enterprise+":department").at(enterprise), map[string]any{"department": "D"})
	p.same("the extension by its URN", p.get(path+"?attributes="+enterprise).at(enterprise), map[string]any{"department": "D", "division": "V"})
}

func r119(p *probe) {
	user := p.user("")
	a := p.get("/Users/" + user.id() + "?excludedAttributes=id,schemas,userName")
	p.same("id", a.id(), user.id())
	p.must(a.at("schemas") != nil && a.at("userName") == nil, "the answer is %s", a.raw)
}

func r120(p *probe) {
	user := p.user("")
	p.refused(400, "invalidValue", "GET", "/Users/"+user.id()+"?attributes=userName&excludedAttributes=title", "")
	p.refused(400, "invalidValue", "GET", "/Users?attributes=userName&excludedAttributes=title", "")
}

func searchBody(more string) string {
	return `{"schemas":["` + messages + `SearchRequest"]` + more + `}`
}

func r122(p *probe) {
	user, group := p.user(""), p.group()
	p.same("Users", p.want(200, "POST", "/Users/.search", searchBody(`,"filter":"id eq \"`+user.id()+`\""`)).total(), 1)
	p.same("Groups", p.want(200, "POST", "/Groups/.search", searchBody(`,"filter":"id eq \"`+group.id()+`\""`)).total(), 1)
	p.same("at the root", p.want(200, "POST", "/.search", searchBody(`,"filter":"id eq \"`+group.id()+`\" or id eq \"`+user.id()+`\""`)).total(), 2)
}

func r123(p *probe) {
	user := p.user(`"title":"T","displayName":"D"`)
	filter := `,"filter":"userName eq \"` + user.text("userName") + `\""`
	p.refused(400, "invalidSyntax", "POST", "/Users/.search", `{"schemas":5`+filter+`}`)
	a := p.want(200, "POST", "/Users/.search", searchBody(filter+`,"attributes":["title"],"startIndex":1,"count":5,"sortBy":"userName","sortOrder":"descending"`))
	p.same("title", a.at("Resources", 0, "title"), "T")
	p.same("displayName", a.at("Resources", 0, "displayName"), nil)
	b := p.want(200, "POST", "/Users/.search", searchBody(filter+`,"excludedAttributes":["title"]`))
	p.same("title excluded", b.at("Resources", 0, "title"), nil)
	p.same("count 0", len(p.want(200, "POST", "/Users/.search", searchBody(filter+`,"count":0`)).list("Resources")), 0)
	p.refused(400, "invalidFilter", "POST", "/Users/.search", searchBody(`,"filter":"userName is 5"`))
}

func r124(p *probe) {
	user := p.user("")
	filter := `userName eq "` + user.text("userName") + `"`
	byPost := p.want(200, "POST", "/Users/.search", searchBody(`,"filter":`+fmt.Sprintf("%q", filter)))
	p.same("a search by POST", string(byPost.raw), string(p.find("/Users", filter).raw))
}
