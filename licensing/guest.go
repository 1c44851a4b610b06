package licensing

import (
	_ "embed" // the list of webmail domains
	"net/mail"
	"slices"
	"strings"
	"unicode"

	"usher/store"
	"usher/store/query"
)

// Guest policies of a company.
const (
	GuestWebmail    = "webmail"    // people with an address at a webmail provider are guests
	GuestUnverified = "unverified" // people with an address outside the company's verified domains are guests
)

// webmailList holds one webmail domain a line; lines that begin with # are comments.
//
//go:embed webmail.txt
var webmailList string

// webmail gives the domains of the list.
func webmail() map[string]bool {
	domains := map[string]bool{}
	for line := range strings.Lines(webmailList) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			domains[line] = true
		}
	}
	return domains
}

// domainOf gives the folded domain of an address; empty for what is none.
func domainOf(address string) string {
	if a, err := mail.ParseAddress(address); err == nil { // also "Ada <ada@example.com>"
		address = a.Address
	}
	at := strings.LastIndexByte(address, '@')
	if at < 0 {
		return ""
	}
	domain := strings.TrimSpace(address[at+1:])
	if end := strings.IndexFunc(domain, func(r rune) bool { return r != '-' && r != '.' && !unicode.IsLetter(r) && !unicode.IsDigit(r) }); end >= 0 {
		domain = domain[:end]
	}
	return strings.TrimSuffix(query.Fold(domain), ".")
}

// plainAddress says whether a mail can be sent to an address: it is one and nothing else.
func plainAddress(address string) bool {
	a, err := mail.ParseAddress(address)
	return err == nil && a.Address == address
}

// parents gives a domain and those above it, so that mail.example.com falls under example.com.
func parents(domain string) []string {
	var all []string
	for domain != "" {
		all = append(all, domain)
		_, domain, _ = strings.Cut(domain, ".")
	}
	return all
}

// memberType classifies a new person by their address. Whose address cannot be told is a coworker under the policy webmail and a
// guest under the policy unverified.
func memberType(c store.Company, address string, webmail map[string]bool) MemberType {
	domains := parents(domainOf(address))
	in := func(known func(string) bool) bool { return slices.ContainsFunc(domains, known) }
	if in(func(d string) bool { return slices.Contains(c.Domains, d) }) && !in(func(d string) bool { return webmail[d] }) {
		return Coworker
	}
	if c.GuestPolicy == GuestUnverified || in(func(d string) bool { return webmail[d] }) {
		return GuestMember
	}
	return Coworker
}
