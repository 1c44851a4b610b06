package demo

import "strings"

// person is one of the people whom the two identity providers know.
type person struct {
	given, family string
	userName      string
	externalID    string // as the identity provider makes them
}

func (p person) display() string { return p.given + " " + p.family }

// cast is all people of the sync. It is not changed.
type cast struct{ okta, entra map[string]person }

func newCast() cast {
	okta := map[string]person{}
	for i, name := range []string{"Ada Lovelace", "Grace Hopper", "Alan Turing", "Barbara Liskov", "Edsger Dijkstra", "Ken Thompson"} {
		given, family, _ := strings.Cut(name, " ")
		mail := strings.ToLower(given) + "@acme.example"
		if given == "Ken" { // helps out, with an address of his own
			mail = "ken.thompson@gmail.com"
		}
		okta[given] = person{given: given, family: family, userName: mail, externalID: "00u1acme" + string(rune('a'+i)) + "Zq4tR7Xy5d7"}
	}
	entra := map[string]person{}
	for i, name := range []string{"Margaret Hamilton", "Katherine Johnson", "Tim Berners-Lee", "Radia Perlman", "Linus Torvalds", "Dennis Ritchie"} {
		given, family, _ := strings.Cut(name, " ")
		entra[given] = person{
			given: given, family: family, userName: strings.ToLower(given) + "@acme.example",
			externalID: "0a21f0f2-8d2a-4f8e-bf98-7363c4aed4e" + string(rune('0'+i)),
		}
	}
	return cast{okta: okta, entra: entra}
}

// from says which identity provider has brought somebody.
func (c cast) from(userName string) string {
	for _, p := range c.okta {
		if strings.EqualFold(p.userName, userName) {
			return "Okta"
		}
	}
	for _, p := range c.entra {
		if strings.EqualFold(p.userName, userName) {
			return "Entra"
		}
	}
	return "another"
}
