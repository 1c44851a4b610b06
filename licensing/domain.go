package licensing

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"usher/store"
)

// Actions of the events of domains.
const (
	ActionAddDomain    = "company.add-domain"
	ActionRemoveDomain = "company.remove-domain"
)

// checkDomains refuses domains that can belong to no company.
func (d *Directory) checkDomains(domains []string) error {
	for _, domain := range domains {
		for _, name := range parents(domain) {
			if d.webmail[name] {
				return refuse(WebmailDomain, "People from everywhere have addresses at %s, so no company can have it to itself.", domain)
			}
		}
	}
	return nil
}

// setDomains changes the verified domains of a company by change, which gives those that there shall be.
func (d *Directory) setDomains(ctx context.Context, c Change, action, domain string, change func(is []string) []string) (Result, error) {
	for range attempts {
		company, err := d.store.Company(ctx, c.Company)
		if err != nil {
			return Result{}, fmt.Errorf("company %s: %w", c.Company, err)
		}
		domains := change(slices.Clone(company.Domains))
		if slices.Equal(domains, company.Domains) {
			return Result{Company: company}, nil
		}
		event := newEvent(c, d.now(), store.EventCompany, action, company.ID, struct {
			Domain string `json:"domain"`
		}{domain})
		stored, err := d.store.SetDomains(ctx, company, domains, []store.Event{event})
		if errors.Is(err, store.ErrVersion) {
			continue
		}
		return Result{Company: stored, Changed: err == nil}, err
	}
	return Result{}, store.ErrVersion
}

// CheckDomain says whether a domain could be a company's: a *Refusal for one of a webmail provider. Whether it is theirs is not looked at.
func (d *Directory) CheckDomain(domain string) error { return d.checkDomains([]string{domain}) }

func (d *Directory) addDomain(ctx context.Context, c Change, do AddDomain) (Result, error) {
	if err := d.checkDomains([]string{do.Name}); err != nil {
		return Result{}, err
	}
	return d.setDomains(ctx, c, ActionAddDomain, do.Name, func(is []string) []string {
		if slices.Contains(is, do.Name) {
			return is
		}
		return append(is, do.Name)
	})
}

func (d *Directory) removeDomain(ctx context.Context, c Change, do RemoveDomain) (Result, error) {
	return d.setDomains(ctx, c, ActionRemoveDomain, do.Name, func(is []string) []string {
		return slices.DeleteFunc(is, func(name string) bool { return name == do.Name })
	})
}
