package scimtest

import (
	"crypto/tls"
	"net"
	"net/url"
	"regexp"
	"strings"
)

// Transport, authentication and authorization: RFC 7644 sections 2 and 7, RFC 6750.

func r001(p *probe) {
	a := p.get("/ServiceProviderConfig")
	if state := a.proto.TLS; state != nil {
		p.must(state.Version >= tls.VersionTLS12, "TLS is of the version %x, before 1.2", state.Version)
		return
	}
	u, err := url.Parse(p.config.Base)
	if err != nil {
		p.failf("%v", err)
	}
	ip := net.ParseIP(u.Hostname())
	p.must(u.Hostname() == "localhost" || ip != nil && ip.IsLoopback(), "the endpoint is served in plain HTTP at %s", u.Host)
}

func r003(p *probe) {
	for _, scheme := range []string{"Bearer", "bearer", "BEARER"} {
		p.want(200, "GET", "/Users?count=0", "", "Authorization", scheme+" "+p.config.Token)
	}
}

func r004(p *probe) {
	p.refused(401, "", "GET", "/Users?count=0&access_token="+url.QueryEscape(p.config.Token), "", "Authorization", "-")
}

func r005(p *probe) {
	for _, authorization := range []string{"-", "Bearer nonsense"} {
		a := p.refused(401, "", "GET", "/Users", "", "Authorization", authorization)
		challenge := a.header.Get("WWW-Authenticate")
		p.must(strings.HasPrefix(strings.ToLower(challenge), "bearer"), "WWW-Authenticate is %q", challenge)
	}
}

func r006(p *probe) {
	none := p.want(401, "GET", "/Users", "", "Authorization", "-").header.Get("WWW-Authenticate")
	p.must(!strings.Contains(none, "error="), "without credentials the challenge has an error: %s", none)
	wrong := p.want(401, "GET", "/Users", "", "Authorization", "Bearer nonsense").header.Get("WWW-Authenticate")
	p.must(strings.Contains(wrong, `error="invalid_token"`), "with a wrong token the challenge is %s", wrong)
}

func r007(p *probe) {
	for _, authorization := range []string{"-", "Bearer nonsense"} {
		challenge := p.want(401, "GET", "/Users", "", "Authorization", authorization).header.Get("WWW-Authenticate")
		for _, name := range []string{"realm", "scope", "error", "error_description", "error_uri"} {
			n := len(regexp.MustCompile(`\b`+name+`=`).FindAllString(challenge, -1))
			p.must(n <= 1, "%s is in the challenge %d times: %s", name, n, challenge)
		}
	}
}

func r008(p *probe) {
	p.refused(401, "", "GET", "/Users", "", "Authorization", "Bearer "+p.config.Token+"x")
	if p.config.Other == "" {
		return
	}
	user := p.user("")
	p.refused(404, "", "GET", "/Users/"+user.id(), "", "Authorization", "Bearer "+p.config.Other)
	p.refused(404, "", "DELETE", "/Users/"+user.id(), "", "Authorization", "Bearer "+p.config.Other)
	p.get("/Users/" + user.id())
}

func r010(p *probe) {
	name := p.name("anonymous")
	for _, request := range [][3]string{{"GET", "/Users", ""}, {"POST", "/Users", p.userBody(name, "")}, {"GET", "/Groups", ""}, {"GET", "/Schemas", ""}} {
		p.must(p.send(request[0], request[1], request[2], "Authorization", "-").status == 401, "%s %s is possible without credentials", request[0], request[1])
	}
	p.same("Users created without credentials", p.count(`userName eq "`+name+`"`), 0)
}

func r011(p *probe) {
	config := p.get("/ServiceProviderConfig")
	for i := range config.list("authenticationSchemes") {
		if strings.EqualFold(config.text("authenticationSchemes", i, "type"), "httpbasic") {
			p.failf("HTTP Basic is offered, without a second factor")
		}
	}
	p.want(401, "GET", "/Users", "", "Authorization", "Basic YWRtaW46YWRtaW4=")
}

func r012(p *probe) {
	a := p.want(200, "GET", "/ServiceProviderConfig", "", "Authorization", "-")
	p.must(len(a.list("authenticationSchemes")) > 0, "the authenticationSchemes cannot be read without authentication")
}

func r015(p *probe) {
	user := p.user("")
	found := p.want(200, "POST", "/Users/.search", `{"schemas":["`+messages+`SearchRequest"],"filter":"userName eq \"`+user.text("userName")+`\""}`)
	p.same("matches of a search by POST", found.total(), 1)
}

func r018(p *probe) {
	external := p.name("external")
	user := p.user(`"externalId":"` + external + `"`)
	p.same("externalId", user.at("externalId"), external)
	p.same("Users found by it", p.count(`externalId eq "`+external+`"`), 1)
	p.same("Users found by it in capitals", p.count(`externalId eq "`+strings.ToUpper(external)+`"`), 0)
	if p.config.Other != "" {
		a := p.want(200, "GET", "/Users?filter="+url.QueryEscape(`externalId eq "`+external+`"`), "", "Authorization", "Bearer "+p.config.Other)
		p.same("Users found by it by another tenant", a.total(), 0)
	}
}
