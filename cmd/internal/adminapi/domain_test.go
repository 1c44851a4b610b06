package adminapi

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"

	"usher/licensing"
)

// dns answers with the records of a test.
type dns map[string][]string

func (d dns) LookupTXT(_ context.Context, name string) ([]string, error) {
	if found, ok := d[name]; ok {
		if found == nil {
			return nil, errors.New("timeout")
		}
		return found, nil
	}
	return nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
}

func TestDomains(t *testing.T) {
	d := newDesk(t)
	acme := d.acme(t)
	records := dns{}
	d.handler.resolver = records
	ctx := t.Context()
	if _, err := d.CreateCompany(ctx, NewCompany{Name: "globex", Admin: "root"}); err != nil {
		t.Fatal(err)
	}
	refusal := func(company, says string) string {
		t.Helper()
		_, err := d.AddDomain(ctx, company, NewDomain{Name: "Rockets.Example."})
		var p *Problem
		if !errors.As(err, &p) || p.Status != http.StatusConflict || !strings.HasSuffix(p.Detail, says+".") {
			t.Fatalf("%v, want that %q", err, says)
		}
		_, value, _ := strings.Cut(p.Detail, "the value ")
		value, _, _ = strings.Cut(value, ",")
		return value
	}
	value := refusal("acme", "there is none")
	records["_usher.rockets.example"] = nil
	refusal("acme", "the DNS gives no answer at the moment")
	records["_usher.rockets.example"] = []string{"v=spf1", refusal("globex", "no answer at the moment")}
	if again := refusal("acme", "it does not have that value"); again != value {
		t.Errorf("the value is %q, and was %q", again, value)
	}
	records["_usher.rockets.example"] = []string{"v=spf1", value}
	if got, err := d.AddDomain(ctx, "acme", NewDomain{Name: "Rockets.Example."}); err != nil || got.Name != "rockets.example" {
		t.Fatalf("%+v, %v", got, err)
	}
	_, err := d.AddDomain(ctx, "globex", NewDomain{Name: "rockets.example", Trusted: true})
	wantProblem(t, "another company's", err, http.StatusConflict)
	_, err = d.AddDomain(ctx, "acme", NewDomain{Name: "gmail.com", Trusted: true})
	wantProblem(t, "a webmail provider's", err, http.StatusBadRequest)
	_, err = d.AddDomain(ctx, "acme", NewDomain{Name: "gmail.com"})
	wantProblem(t, "a webmail provider's, to be proven", err, http.StatusBadRequest)
	_, err = d.AddDomain(ctx, "acme", NewDomain{Name: "no domain"})
	wantProblem(t, "no domain", err, http.StatusBadRequest)
	_, err = d.CreateCompany(ctx, NewCompany{Name: "hooli", Domains: []string{"yahoo.com"}})
	wantProblem(t, "a company of a webmail provider", err, http.StatusBadRequest)
	if _, err = d.store.CompanyByName(ctx, "hooli"); err == nil {
		t.Error("the company was made all the same")
	}
	all, err := d.Domains(ctx, "acme")
	if err != nil || len(all) != 2 || all[1].Name != "rockets.example" {
		t.Errorf("domains %+v, %v", all, err)
	}
	// Whoever has an address in it is the company's.
	_, err = d.AddPeople(ctx, "globex", NewPeople{Setup: "later", People: []NewPerson{{Email: "eve@rockets.example"}}})
	wantProblem(t, "another company's person", err, http.StatusForbidden)
	key, err := d.CreateKey(ctx, "acme", NewKey{Admin: "root"})
	if err != nil {
		t.Fatal(err)
	}
	if status, p := d.network(t, http.MethodPost, "/v1/companies/acme/domains", key.Secret, `{"name":"x.example","trusted":true}`); status != http.StatusForbidden || p.Code != "operator_required" {
		t.Errorf("an admin says so: %d %+v", status, p)
	}
	if err := d.RemoveDomain(ctx, "acme", "rockets.example"); err != nil {
		t.Fatal(err)
	}
	wantProblem(t, "removed twice", d.RemoveDomain(ctx, "acme", "rockets.example"), http.StatusNotFound)
	events := d.events(t, acme.ID)
	if got := events[len(events)-1].Action; got != licensing.ActionRemoveDomain {
		t.Errorf("the last event is %s", got)
	}
}
