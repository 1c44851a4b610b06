package storetest

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/go-cmp/cmp/cmpopts"

	"usher/store"
)

func testCompanies(f *fixture) {
	c := store.Company{
		ID: store.NewID(), Name: "globex", Display: "Globex Corporation", Tier: "video-pro-plus", Epoch: 3,
		SeatPolicy: "strict", HoldFor: 7 * 24 * time.Hour, GuestPolicy: "webmail", LossMin: 7, LossPercent: 30, RoleCeiling: "user-admin", Approval: "always", Invites: "everyone",
		Domains: []string{"globex.example", "globex.test"}, Created: f.now(),
	}
	admin := store.LocalAdmin{ID: store.NewID(), Company: c.ID, Login: "root", Password: "$argon2id$x", Role: "super-admin", Created: f.now()}
	pools := []store.Pool{{Company: c.ID, License: pro, Total: 5}, {Company: c.ID, License: other, Total: 2}}
	stored, err := f.CreateCompany(f.ctx, c, pools, &admin, []store.Event{f.event("company.create", c.ID)})
	f.check(err)
	f.same("stored", stored, c, cmpopts.IgnoreFields(store.Company{}, "Version"))

	got, err := f.Company(f.ctx, c.ID)
	f.check(err)
	f.same("by id", got, stored)
	got, err = f.CompanyByName(f.ctx, c.Name)
	f.check(err)
	f.same("by name", got, stored)

	all, err := f.ListCompanies(f.ctx)
	f.check(err)
	f.same("list", ids(all, func(c store.Company) string { return c.ID }), []string{f.company, c.ID})
	for _, domain := range c.Domains {
		owner, err := f.DomainOwner(f.ctx, domain)
		f.check(err)
		f.same("owner of "+domain, owner, c.ID)
	}
	admins, err := f.ListLocalAdmins(f.ctx, c.ID)
	f.check(err)
	f.same("local admins", admins, []store.LocalAdmin{admin})
	p, err := f.Pool(f.ctx, c.ID, pro)
	f.check(err)
	f.same("pool", p, pools[0])
	if log := f.log(c.ID); len(log) != 1 || log[0].Target != c.ID {
		f.Errorf("events %v, want the creation alone", log)
	}

	_, err = f.Company(f.ctx, store.NewID())
	f.want("Company", err, store.ErrNotFound)
	_, err = f.CompanyByName(f.ctx, "initech")
	f.want("CompanyByName", err, store.ErrNotFound)
	_, err = f.DomainOwner(f.ctx, "initech.example")
	f.want("DomainOwner", err, store.ErrNotFound)
	admins, err = f.ListLocalAdmins(f.ctx, f.company)
	f.check(err)
	f.same("local admins of a company without", admins, []store.LocalAdmin(nil))
}

func testCompanyUpdate(f *fixture) {
	was := store.Company{
		ID: store.NewID(), Name: "globex", Display: "Globex", Tier: "free", SeatPolicy: "waiting", HoldFor: time.Hour, GuestPolicy: "webmail",
		Domains: []string{"globex.example"}, Created: f.now(),
	}
	was, err := f.CreateCompany(f.ctx, was, nil, nil, nil)
	f.check(err)
	want := was
	want.Version++
	want.Display, want.Tier, want.Epoch, want.SeatPolicy, want.HoldFor, want.GuestPolicy = "G", "video-pro-plus", 7, "strict", 2*time.Hour, "unverified"
	want.Payment, want.PaymentAt = "past-due", f.now().Add(time.Hour)
	want.LossMin, want.LossPercent, want.RoleCeiling = 5, 50, "super-admin"
	want.Approval, want.Invites = "always", "everyone"

	// What else the caller thinks of the company is not stored.
	asked := want
	asked.Version, asked.Name, asked.Domains, asked.Created = was.Version, "initech", []string{"initech.example"}, f.now().Add(time.Minute)
	sweep := f.sweep("update")
	sweep.Company = was.ID
	stored, err := f.UpdateCompany(f.ctx, asked, sweep, []store.Event{f.event("company.update", was.ID)})
	f.check(err)
	f.same("stored", stored, want)
	sweeps, err := f.ListSweeps(f.ctx)
	f.check(err)
	f.same("sweeps", sweeps, []store.Sweep{*sweep})
	for name, read := range map[string]func() (store.Company, error){
		"by id":   func() (store.Company, error) { return f.Company(f.ctx, was.ID) },
		"by name": func() (store.Company, error) { return f.CompanyByName(f.ctx, was.Name) },
	} {
		got, err := read()
		f.check(err)
		f.same(name, got, want)
	}
	owner, err := f.DomainOwner(f.ctx, "globex.example")
	f.check(err)
	f.same("owner of the domain", owner, was.ID)

	_, err = f.UpdateCompany(f.ctx, asked, nil, []store.Event{f.event("company.update", was.ID)})
	f.want("an old version", err, store.ErrVersion)
	asked.ID = store.NewID()
	_, err = f.UpdateCompany(f.ctx, asked, nil, nil)
	f.want("no company", err, store.ErrNotFound)
	f.same("events", len(f.log(was.ID)), 1)
}

// testCompanyUpdateStorm: of changes planned on the same version one is made.
func testCompanyUpdateStorm(f *fixture) {
	const workers, rounds = 8, 10
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for done := 0; done < rounds; {
				c, err := f.Company(f.ctx, f.company)
				if err == nil {
					c.Epoch++
					_, err = f.UpdateCompany(f.ctx, c, nil, []store.Event{f.event("company.update", c.ID)})
				}
				switch {
				case err == nil:
					done++
				case !errors.Is(err, store.ErrVersion):
					f.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	c, err := f.Company(f.ctx, f.company)
	f.check(err)
	f.same("changes", c.Epoch, int64(workers*rounds))
}

func testCompanyConflicts(f *fixture) {
	first := store.Company{ID: store.NewID(), Name: "globex", Domains: []string{"globex.example"}, Created: f.now()}
	_, err := f.CreateCompany(f.ctx, first, nil, nil, nil)
	f.check(err)

	refused := func(what string, c store.Company, field, value string) {
		f.Helper()
		c.ID, c.Created = store.NewID(), f.now()
		admin := &store.LocalAdmin{ID: store.NewID(), Company: c.ID, Login: "root", Created: f.now()}
		_, err := f.CreateCompany(f.ctx, c, []store.Pool{{Company: c.ID, License: pro, Total: 1}}, admin, []store.Event{f.event("company.create", c.ID)})
		f.wantConflict(what, err, field, value)
		_, err = f.Company(f.ctx, c.ID)
		f.want(what+": the company afterwards", err, store.ErrNotFound)
	}
	refused("name", store.Company{Name: "globex", Domains: []string{"free.example"}}, "Company.Name", "globex")
	refused("domain", store.Company{Name: "initech", Domains: []string{"initech.example", "globex.example"}}, "Domain", "globex.example")

	// What the refused ones had of their own is free.
	for _, domain := range []string{"free.example", "initech.example"} {
		_, err = f.DomainOwner(f.ctx, domain)
		f.want("owner of "+domain, err, store.ErrNotFound)
	}
	_, err = f.CreateCompany(f.ctx, store.Company{
		ID: store.NewID(), Name: "initech", Domains: []string{"initech.example", "free.example"}, Created: f.now(),
	}, nil, nil, nil)
	f.check(err)
}

func testConnections(f *fixture) {
	okta := store.Connection{
		ID: store.NewID(), Company: f.company, Name: "okta", Mode: store.ModeLive, Epoch: 2,
		QuirksOff: []string{"one", "two"}, Created: f.now(),
	}
	entra := store.Connection{ID: store.NewID(), Company: f.company, Name: "entra", Mode: store.ModePaused, Created: f.now()}
	f.check(f.CreateConnection(f.ctx, okta, []store.Event{f.event("connection.create", okta.ID)}))
	f.check(f.CreateConnection(f.ctx, entra, nil))

	got, err := f.Connection(f.ctx, okta.ID)
	f.check(err)
	f.same("by id", got, okta)
	got, err = f.ConnectionByName(f.ctx, f.company, "entra")
	f.check(err)
	f.same("by name", got, entra)
	all, err := f.ListConnections(f.ctx, f.company)
	f.check(err)
	f.same("list", all, []store.Connection{okta, entra})

	again := store.Connection{ID: store.NewID(), Company: f.company, Name: "okta", Created: f.now()}
	f.wantConflict("name", f.CreateConnection(f.ctx, again, []store.Event{f.event("connection.create", again.ID)}), "Connection.Name", "okta")
	_, err = f.Connection(f.ctx, again.ID)
	f.want("the refused one", err, store.ErrNotFound)
	again.Company = f.newCompany("globex").ID
	f.check(f.CreateConnection(f.ctx, again, nil)) // names are the company's own

	_, err = f.ConnectionByName(f.ctx, f.company, "onelogin")
	f.want("ConnectionByName", err, store.ErrNotFound)
	if log := f.log(f.company); len(log) != 1 || log[0].Target != okta.ID {
		f.Errorf("events %v, want the one creation that told of itself", log)
	}
}

func testConnectionUpdate(f *fixture) {
	okta := store.Connection{
		ID: store.NewID(), Company: f.company, Name: "okta", Mode: store.ModeLive, Epoch: 2, QuirksOff: []string{"one"}, Strict: true, Created: f.now(),
	}
	entra := store.Connection{ID: store.NewID(), Company: f.company, Name: "entra", Mode: store.ModeLive, Created: f.now()}
	f.check(f.CreateConnection(f.ctx, okta, nil))
	f.check(f.CreateConnection(f.ctx, entra, nil))
	for _, step := range []struct {
		mode   string
		quirks []string
	}{
		{store.ModePaused, []string{"one", "two"}},
		{store.ModePaused, []string{"two"}},
		{store.ModeLive, nil},
		{store.ModeLive, nil},
	} {
		// What else the caller thinks of the connection is not stored.
		change := store.Connection{
			ID: okta.ID, Company: f.company, Name: "entra", Mode: step.mode, Epoch: 9, QuirksOff: step.quirks, Strict: step.quirks != nil, Created: f.now(),
		}
		f.check(f.UpdateConnection(f.ctx, change, okta, []store.Event{f.event("connection.update", okta.ID)}))
		for what, was := range map[string]store.Connection{
			"on another mode":    {Mode: "other", QuirksOff: change.QuirksOff, Strict: change.Strict},
			"on other quirks":    {Mode: change.Mode, QuirksOff: append([]string{"none"}, change.QuirksOff...), Strict: change.Strict},
			"on what is lenient": {Mode: change.Mode, QuirksOff: change.QuirksOff, Strict: !change.Strict},
		} {
			f.want(what, f.UpdateConnection(f.ctx, okta, was, []store.Event{f.event("never", okta.ID)}), store.ErrVersion)
		}
		okta.Mode, okta.QuirksOff, okta.Strict = step.mode, step.quirks, step.quirks != nil
		got, err := f.Connection(f.ctx, okta.ID)
		f.check(err)
		f.same("by id", got, okta)
		got, err = f.ConnectionByName(f.ctx, f.company, "okta")
		f.check(err)
		f.same("by name", got, okta)
	}
	all, err := f.ListConnections(f.ctx, f.company)
	f.check(err)
	f.same("list", all, []store.Connection{okta, entra})
	f.same("events", ids(f.log(f.company), func(e store.Event) string { return e.Target }), []string{okta.ID, okta.ID, okta.ID, okta.ID})

	globex := f.newCompany("globex").ID
	for what, c := range map[string]store.Connection{
		"one that is not there":  {ID: store.NewID(), Company: f.company, Mode: store.ModePaused},
		"one of another company": {ID: okta.ID, Company: globex, Mode: store.ModePaused},
	} {
		f.want(what, f.UpdateConnection(f.ctx, c, okta, []store.Event{f.event("connection.update", c.ID)}), store.ErrNotFound)
	}
	got, err := f.Connection(f.ctx, okta.ID)
	f.check(err)
	f.same("afterwards", got, okta)
	f.same("events afterwards", len(f.log(f.company))+len(f.log(globex)), 4)
}

func testTokens(f *fixture) {
	c := store.Connection{ID: store.NewID(), Company: f.company, Name: "okta", Created: f.now()}
	f.check(f.CreateConnection(f.ctx, c, nil))
	token := func(secret string) store.Token {
		return store.Token{
			Hash: sha256.Sum256([]byte(secret)), ID: store.NewID(), Company: f.company, Connection: c.ID,
			Scopes: []string{"scim", "license:assign"}, GrantedBy: "root", Created: f.now(), Expires: f.now().Add(time.Hour),
		}
	}
	one, two := token("one"), token("two")
	two.Expires, two.Scopes = time.Time{}, nil
	f.check(f.CreateToken(f.ctx, one, nil))
	f.check(f.CreateToken(f.ctx, two, nil))

	got, err := f.Token(f.ctx, one.Hash)
	f.check(err)
	f.same("by hash", got, one)
	all, err := f.ListTokens(f.ctx, f.company)
	f.check(err)
	f.same("list", all, []store.Token{one, two})

	f.check(f.DeleteToken(f.ctx, f.company, one.ID, []store.Event{f.event("token.delete", one.ID)}))
	_, err = f.Token(f.ctx, one.Hash)
	f.want("a revoked token", err, store.ErrNotFound)
	f.want("revoking again", f.DeleteToken(f.ctx, f.company, one.ID, []store.Event{f.event("token.delete", one.ID)}), store.ErrNotFound)
	all, err = f.ListTokens(f.ctx, f.company)
	f.check(err)
	f.same("list afterwards", all, []store.Token{two})
	if log := f.log(f.company); len(log) != 1 {
		f.Errorf("%d events, want one", len(log))
	}
}

func testDomains(f *fixture) {
	globex := f.newCompany("globex")
	owner := func(domain, want string) {
		f.Helper()
		got, err := f.DomainOwner(f.ctx, domain)
		if want == "" {
			f.want("owner of "+domain, err, store.ErrNotFound)
			return
		}
		f.check(err)
		f.same("owner of "+domain, got, want)
	}
	acme, err := f.Company(f.ctx, f.company)
	f.check(err)
	stale := acme
	acme, err = f.SetDomains(f.ctx, acme, []string{"a.example", "b.example"}, []store.Event{f.event("domains.set", acme.ID)})
	f.check(err)
	f.same("stored", acme.Domains, []string{"a.example", "b.example"})
	f.same("the version", acme.Version, stale.Version+1)
	owner("b.example", acme.ID)
	_, err = f.SetDomains(f.ctx, stale, nil, []store.Event{f.event("lost", acme.ID)})
	f.want("on a stale version", err, store.ErrVersion)
	_, err = f.SetDomains(f.ctx, globex, []string{"c.example", "a.example"}, []store.Event{f.event("lost", globex.ID)})
	f.wantConflict("a domain of another", err, "Domain", "a.example")
	owner("c.example", "")
	acme, err = f.SetDomains(f.ctx, acme, []string{"b.example", "d.example"}, nil)
	f.check(err)
	owner("a.example", "")
	owner("d.example", acme.ID)
	globex, err = f.SetDomains(f.ctx, globex, []string{"a.example"}, nil)
	f.check(err)
	owner("a.example", globex.ID)
	got, err := f.Company(f.ctx, acme.ID)
	f.check(err)
	f.same("read", got, acme)
	f.same("events", len(f.log(acme.ID)), 1)
}

// testDomainStorm has companies fight over one domain.
func testDomainStorm(f *fixture) {
	const rivals = 8
	var all []store.Company
	for i := range rivals {
		all = append(all, f.newCompany(fmt.Sprintf("rival-%d", i)))
	}
	var won atomic.Int64
	together(rivals, func(i int) {
		if _, err := f.SetDomains(f.ctx, all[i], []string{"a.example"}, nil); err == nil {
			won.Add(1)
		}
	})
	f.same("who have it", won.Load(), int64(1))
}
