package adminapi

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"usher/licensing"
	"usher/store"
	"usher/store/query"
)

// Resolver looks up the TXT records of a name, as [net.Resolver] does.
type Resolver interface {
	LookupTXT(ctx context.Context, name string) ([]string, error)
}

// lookupTimeout is how long the answer of the DNS is waited for.
const lookupTimeout = 10 * time.Second

// Domain is a domain that a company has verified: who has an address in it belongs to the company, and to no other.
type Domain struct {
	Name string `json:"name"`
}

// NewDomain asks for a domain to be verified. The company proves that it is its own by a TXT record, which the refusal names.
type NewDomain struct {
	Name    string `json:"name"`
	Trusted bool   `json:"trusted,omitempty"` // without a look at the DNS; for whoever runs the server
}

var domainName = regexp.MustCompile(`^([\pL\pN]([\pL\pN-]*[\pL\pN])?\.)+[\pL\pN-]+$`)

// parseDomain reads a domain that a person has typed.
func parseDomain(name string) (string, error) {
	folded := query.Fold(strings.TrimSuffix(strings.TrimSpace(name), "."))
	const longest = 253
	if len(folded) > longest || !domainName.MatchString(folded) {
		return "", problem(http.StatusBadRequest, "%q is not a domain name.", name)
	}
	return folded, nil
}

func (h *Handler) listDomains(_ context.Context, _ call, company store.Company) (any, error) {
	shown := list[Domain]{Items: []Domain{}}
	for _, name := range company.Domains {
		shown.Items = append(shown.Items, Domain{name})
	}
	return shown, nil
}

// record gives the name and the value of the TXT record that proves a domain. It follows from the company and the domain, so that nothing
// has to be kept while people wait for the DNS, and one company's record proves nothing for another.
func (h *Handler) record(company store.Company, domain string) (name, value string) {
	mac := hmac.New(sha256.New, h.domainKey)
	mac.Write([]byte("domain\x00" + company.ID + "\x00" + domain))
	return "_usher." + domain, "usher-verification=" + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func (h *Handler) addDomain(ctx context.Context, c call, company store.Company) (any, error) {
	var in NewDomain
	if err := c.read(&in); err != nil {
		return nil, err
	}
	domain, err := parseDomain(in.Name)
	if err != nil {
		return nil, err
	}
	if err := h.directory.CheckDomain(domain); err != nil { // before people are sent to their DNS for nothing
		return nil, err
	}
	switch {
	case in.Trusted && c.authority < operatorOnly:
		return nil, c.lacks(operatorOnly)
	case !in.Trusted:
		if err := h.prove(ctx, company, domain); err != nil {
			return nil, err
		}
	}
	if _, err := h.apply(ctx, c, company.ID, licensing.AddDomain{Name: domain}); err != nil {
		return nil, err
	}
	return Domain{domain}, nil
}

// prove looks for the record of a domain, and refuses one that does not have it.
func (h *Handler) prove(ctx context.Context, company store.Company, domain string) error {
	name, value := h.record(company, domain)
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	found, err := h.resolver.LookupTXT(ctx, name)
	if slices.Contains(found, value) {
		return nil
	}
	why := "it does not have that value"
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		why = "there is none"
	case err != nil:
		why = "the DNS gives no answer at the moment"
	}
	p := problem(http.StatusConflict, "To prove that %s is yours, give %s a TXT record with the value %s, and ask again: %s.", domain, name, value, why)
	p.Code = "domain_not_proven"
	return p
}

func (h *Handler) removeDomain(ctx context.Context, c call, company store.Company) (any, error) {
	domain, err := parseDomain(c.PathValue("domain"))
	if err != nil {
		return nil, err
	}
	if !slices.Contains(company.Domains, domain) {
		return nil, problem(http.StatusNotFound, "The company %q has not verified the domain %q.", company.Name, domain)
	}
	if _, err := h.apply(ctx, c, company.ID, licensing.RemoveDomain{Name: domain}); err != nil {
		return nil, fmt.Errorf("remove domain %s: %w", domain, err)
	}
	return nil, nil
}
