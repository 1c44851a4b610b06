package scimtest

import (
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// Cursor pagination: RFC 9865.

// walkCast makes five Users and gives the query of a walk over just them, without cursor and count, and their names.
func (p *probe) walkCast() (query string, names []string) {
	p.feature("pagination", "cursor")
	title := p.name("walk")
	for i := range 5 {
		name := p.name(fmt.Sprint(string(rune('e' - i))))
		p.create("/Users", p.userBody(name, `"title":"`+title+`"`))
		names = append(names, name)
	}
	return "/Users?attributes=userName&filter=" + url.QueryEscape(`title eq "`+title+`"`), names
}

// walk follows the cursors to the end.
func (p *probe) walk(query string, count int) (pages []*reply, names []string) {
	for cursor := ""; ; {
		a := p.get(fmt.Sprintf("%s&count=%d&cursor=%s", query, count, cursor))
		pages, names = append(pages, a), append(names, a.names("userName")...)
		if cursor = a.text("nextCursor"); cursor == "" {
			return pages, names
		}
		p.must(len(pages) < 20, "the walk does not end")
	}
}

func r195(p *probe) {
	query, names := p.walkCast()
	p.same("the first page by an empty cursor", p.get(query+"&count=2&cursor=").names("userName"), p.get(query+"&count=2&cursor").names("userName"))
	_, seen := p.walk(query, 2)
	slices.Sort(seen)
	slices.Sort(names)
	p.same("who is seen", seen, names)
}

func r196(p *probe) {
	query, _ := p.walkCast()
	pages, _ := p.walk(query, 1)
	for _, page := range pages[:len(pages)-1] {
		cursor := page.text("nextCursor")
		p.must(regexp.MustCompile(`^[A-Za-z0-9._~-]+$`).MatchString(cursor), "the cursor %q has other than unreserved characters", cursor)
	}
}

func r197(p *probe) {
	query, _ := p.walkCast()
	for count, want := range map[int]int{2: 3, 5: 1, 1: 5, 100: 1} {
		pages, names := p.walk(query, count)
		p.same(fmt.Sprintf("number of pages of %d", count), len(pages), want)
		p.same("number of Users", len(names), 5)
	}
}

func r198(p *probe) {
	query, _ := p.walkCast()
	p.same("previousCursor of the first page", p.get(query+"&count=2&cursor=").at("previousCursor"), nil)
}

func r199(p *probe) {
	query, _ := p.walkCast()
	for _, count := range []string{"0", "-1"} {
		a := p.get(query + "&cursor=&count=" + count)
		p.same("Resources", len(a.list("Resources")), 0)
		p.same("totalResults", a.total(), 5)
	}
	p.same("Resources", len(p.get(query+"&cursor=&count=3").list("Resources")), 3)
}

func r200(p *probe) {
	query, _ := p.walkCast()
	cursor := p.get(query + "&count=2&cursor=").text("nextCursor")
	p.refused(400, "invalidCursor", "GET", "/Users?count=2&filter="+url.QueryEscape("userName pr")+"&cursor="+cursor, "")
	p.refused(400, "invalidCount", "GET", query+"&count=3&cursor="+cursor, "")
}

func r201(p *probe) {
	query, _ := p.walkCast()
	pages, _ := p.walk(query, 2)
	for _, page := range pages {
		p.must(page.at("totalResults") == nil || page.total() == 5, "totalResults is %v", page.at("totalResults"))
	}
}

func r202(p *probe) {
	query, _ := p.walkCast()
	cursor := p.get(query + "&count=2&cursor=").text("nextCursor")
	for _, forged := range []string{"nonsense", cursor[:len(cursor)-1], cursor + "A", strings.ToUpper(cursor), "%00", strings.Repeat("A", 5000)} {
		p.refused(400, "invalidCursor", "GET", query+"&count=2&cursor="+forged, "")
	}
}

func r203(p *probe) {
	query, names := p.walkCast()
	p.feature("sort", "supported")
	slices.Sort(names)
	_, seen := p.walk(query+"&sortBy=userName", 2)
	p.same("the walk in order", seen, names)
	slices.Reverse(names)
	_, seen = p.walk(query+"&sortBy=userName&sortOrder=descending", 2)
	p.same("the walk in descending order", seen, names)
}

func r204(p *probe) {
	config := p.get("/ServiceProviderConfig")
	p.feature("pagination", "cursor")
	a := p.get("/Users?count=1")
	switch method := config.text("pagination", "defaultPaginationMethod"); {
	case config.at("pagination", "index") != true:
	case method == "index":
		p.must(a.at("startIndex") != nil && a.at("nextCursor") == nil, "without cursor and startIndex the answer is %s", a.raw)
	default:
		p.same("defaultPaginationMethod", method, "cursor")
	}
}

func r205(p *probe) {
	query, _ := p.walkCast()
	p.refused(400, "invalidValue", "GET", query+"&count=2&startIndex=1&cursor=", "")
}

func r206(p *probe) {
	_, names := p.walkCast()
	filter := `,"filter":"userName sw \"e-` + p.run + `\""`
	a := p.want(200, "POST", "/Users/.search", searchBody(filter+`,"cursor":"","count":1`))
	p.must(a.total() >= 1 && len(a.list("Resources")) == 1, "a search with a cursor is answered with %s", a.raw)
	all := `,"filter":"userName eq \"` + names[0] + `\" or userName eq \"` + names[1] + `\""`
	first := p.want(200, "POST", "/Users/.search", searchBody(all+`,"cursor":"","count":1`))
	second := p.want(200, "POST", "/Users/.search", searchBody(all+`,"count":1,"cursor":"`+first.text("nextCursor")+`"`))
	p.must(second.text("Resources", 0, "userName") != first.text("Resources", 0, "userName"), "the second page is the first")
	p.same("nextCursor of the last page", second.at("nextCursor"), nil)
}

func r207(p *probe) {
	a := p.get("/ServiceProviderConfig")
	if a.at("pagination") == nil {
		p.skipf("the server does not announce pagination")
	}
	for _, name := range []string{"cursor", "index"} {
		_, ok := a.at("pagination", name).(bool)
		p.must(ok, "pagination.%s is %v", name, a.at("pagination", name))
	}
	for _, name := range []string{"defaultPageSize", "maxPageSize", "cursorTimeout"} {
		_, ok := a.at("pagination", name).(json.Number)
		p.must(a.at("pagination", name) == nil || ok, "pagination.%s is %v", name, a.at("pagination", name))
	}
}

func r208(p *probe) {
	query, _ := p.walkCast()
	cursor := p.get(query + "&count=2&cursor=").text("nextCursor")
	p.want(401, "GET", query+"&count=2&cursor="+cursor, "", "Authorization", "-")
	if p.config.Other != "" {
		p.refused(400, "invalidCursor", "GET", query+"&count=2&cursor="+cursor, "", "Authorization", "Bearer "+p.config.Other)
	}
}

func r209(p *probe) {
	query, names := p.walkCast()
	cursor := p.get(query + "&count=2&cursor=").text("nextCursor")
	for _, name := range names {
		p.must(!strings.Contains(cursor, name), "the cursor shows what it is made of")
	}
	for i := 0; i < len(cursor); i += 1 + len(cursor)/7 {
		c := byte('A')
		if cursor[i] == c {
			c = 'B'
		}
		p.refused(400, "invalidCursor", "GET", query+"&count=2&cursor="+cursor[:i]+string(c)+cursor[i+1:], "")
	}
}

func r210(p *probe) {
	query, _ := p.walkCast()
	cursor := p.get(query + "&count=2&cursor=").text("nextCursor")
	forged := p.refused(400, "invalidCursor", "GET", query+"&count=2&cursor=nonsense", "")
	elsewhere := p.refused(400, "invalidCursor", "GET", "/Groups?count=2&cursor="+cursor, "")
	p.same("the detail for a cursor of another query", elsewhere.at("detail"), forged.at("detail"))
}

func r211(p *probe) {
	query, _ := p.walkCast()
	first := p.get(query + "&count=2&cursor=").text("nextCursor")
	for range 20 { // many walks begin; none pushes another out
		p.get(query + "&count=1&cursor=")
	}
	p.same("Resources of the second page", len(p.get(query+"&count=2&cursor="+first).list("Resources")), 2)
}
