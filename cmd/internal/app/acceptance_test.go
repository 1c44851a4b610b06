package app

import (
	"fmt"
	"net/http"
	"testing"

	"usher/cmd/internal/adminapi"
)

// TestAcceptance plays what the product's page promises, over HTTP.
func TestAcceptance(t *testing.T) {
	const plus, base = "video-pro-plus", "video-pro"
	signOn := func(d *doorway, id, state, reason string) {
		d.t.Helper()
		e, err := d.admin.Explain(d.t.Context(), "acme", id)
		if err != nil || e.SignOn.State != state || string(e.SignOn.Reason) != reason {
			d.t.Errorf("sign-on of %s: %s %q, %v, want %s %q", id, e.SignOn.State, e.SignOn.Reason, err, state, reason)
		}
	}
	tier := func(d *doorway, to string) {
		d.t.Helper()
		_, err := d.admin.ChangeCompany(d.t.Context(), "acme", adminapi.CompanyChange{Tier: &to, Confirm: true})
		d.check(err)
	}
	add := func(d *doorway, in adminapi.NewPeople) adminapi.AddedPeople {
		d.t.Helper()
		out, err := d.admin.AddPeople(d.t.Context(), "acme", in)
		d.check(err)
		return out
	}
	mails := func(d *doorway, want int) {
		d.t.Helper()
		page, err := d.admin.Mails(d.t.Context(), "acme", adminapi.MailFilter{})
		if err != nil || len(page.Items) != want {
			d.t.Errorf("%d mails, %v, want %d", len(page.Items), err, want)
		}
	}
	one := func(name string) []adminapi.NewPerson { return []adminapi.NewPerson{{Email: name + "@acme.example"}} }
	for name, play := range map[string]func(d *doorway){
		"whoever is not a Super Admin picks Video Pro+ in vain, and the person is added": func(d *doorway) {
			_, err := d.admin.PutAdmin(d.t.Context(), "acme", "uli", adminapi.AdminChange{Role: "user-admin"})
			d.check(err)
			key, err := d.admin.CreateKey(d.t.Context(), "acme", adminapi.NewKey{Admin: "uli"})
			d.check(err)
			var out adminapi.AddedPeople
			d.asAdmin(key.Secret, http.StatusCreated, http.MethodPost, "/v1/companies/acme/accounts", adminapi.NewPeople{People: one("ada"), License: plus}, &out)
			r := out.Items[0]
			if r.Account == nil || r.Account.EffectiveLicense != base || r.License == nil || r.License.Code != "super_admin_required" {
				d.t.Errorf("added: %+v", r)
			}
		},
		"activate later sends no mail, and an invitation can follow": func(d *doorway) {
			made := add(d, adminapi.NewPeople{People: one("ada"), Setup: "later", License: plus}).Items[0].Account
			mails(d, 0)
			if made.Activation != "pending" || made.LicenseState != "reserved" {
				d.t.Errorf("made: %+v", made)
			}
			after, err := d.admin.Invite(d.t.Context(), "acme", made.ID)
			d.check(err)
			mails(d, 1)
			if after.Activation != "invited" {
				d.t.Errorf("invited: %+v", after)
			}
		},
		"assigned credentials make an active account without a mail": func(d *doorway) {
			r := add(d, adminapi.NewPeople{People: one("ada"), Setup: "credentials", License: plus}).Items[0]
			mails(d, 0)
			if r.Account.Activation != "active" || r.Account.LicenseState != "active" || r.Password == "" {
				d.t.Errorf("made: %+v", r)
			}
		},
		"more rows than seats are shown before, and the rest wait": func(d *doorway) {
			in := adminapi.NewPeople{License: plus, Setup: "later"}
			for i := range 4 {
				in.People = append(in.People, one(fmt.Sprintf("p%d", i))...)
			}
			preview, err := d.admin.PreviewPeople(d.t.Context(), "acme", in)
			d.check(err)
			waits, waiting := 0, 0
			for _, r := range preview.Items {
				if r.Prospect.State == "waiting" {
					waits++
				}
			}
			out := add(d, in)
			for _, r := range out.Items {
				if r.Account.LicenseState == "waiting" {
					waiting++
				}
			}
			if out.Added != 4 || waits != 3 || waiting != 3 {
				d.t.Errorf("%d added, %d were to wait, %d wait", out.Added, waits, waiting)
			}
		},
		"a new person has Video Pro and no sign-on": func(d *doorway) {
			ada := d.create("ada", "")
			d.has("new", ada, base, "none")
			signOn(d, ada, "refused", "license_has_no_sso")
		},
		"an upgrade of the company gives nobody anything": func(d *doorway) {
			tier(d, "free")
			var people []string
			for i := range 3 {
				people = append(people, d.create(fmt.Sprintf("p%d", i), ""))
			}
			tier(d, plus)
			for _, id := range people {
				d.has("upgraded", id, base, "none")
			}
		},
		"a Super Admin assigns and sign-on works with the next request": func(d *doorway) {
			ada := d.create("ada", "")
			_, err := d.admin.Assign(d.t.Context(), "acme", ada, adminapi.Assignment{License: plus})
			d.check(err)
			signOn(d, ada, "allowed", "")
		},
		"a webmail person is a guest by every door": func(d *doorway) {
			gil := d.create("gil@gmail.com", "")
			signOn(d, gil, "refused", "guest_cannot_use_sso")
			var answer struct {
				Operations []struct{ Location string }
			}
			d.must(http.StatusOK, http.MethodPost, "/Bulk", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],"Operations":[
				{"method":"POST","path":"/Users","bulkId":"g","data":`+person("gus@yahoo.com", plus, "staff")+`}]}`, &answer)
			guests, err := d.admin.Accounts(d.t.Context(), "acme", adminapi.AccountFilter{MemberType: "guest"})
			if err != nil || len(guests.Items) != 2 {
				d.t.Errorf("guests: %+v, %v, want two", guests.Items, err)
			}
		},
		"a promoted guest has Video Pro, and Video Pro+ where it is assigned": func(d *doorway) {
			gil := d.create("gil@gmail.com", "")
			promote := func() {
				_, err := d.admin.ChangeAccount(d.t.Context(), "acme", gil, adminapi.AccountChange{MemberType: "coworker"})
				d.check(err)
			}
			promote()
			d.has("promoted", gil, base, "none")
			_, err := d.admin.Assign(d.t.Context(), "acme", gil, adminapi.Assignment{License: plus})
			d.check(err)
			d.has("assigned", gil, plus, "reserved")
		},
		"a card that expires is one next step and changes no access": func(d *doorway) {
			ada := d.create("ada", plus)
			before, err := d.admin.NextSteps(d.t.Context(), "acme")
			d.check(err)
			_, err = d.admin.ChangeCompany(d.t.Context(), "acme", adminapi.CompanyChange{Payment: "expiring"})
			d.check(err)
			after, err := d.admin.NextSteps(d.t.Context(), "acme")
			d.check(err)
			if len(after) != len(before)+1 {
				d.t.Errorf("next steps: %+v, before it %+v", after, before)
			}
			signOn(d, ada, "allowed", "")
		},
		"an identity provider takes away its last Super Admin and locks nobody out": func(d *doorway) {
			ada := d.create("ada", "")
			_, err := d.admin.ChangeAccount(d.t.Context(), "acme", ada, adminapi.AccountChange{Role: "super-admin"})
			d.check(err)
			d.must(http.StatusNoContent, http.MethodDelete, "/Users/"+ada, "", nil)
			steps, err := d.admin.NextSteps(d.t.Context(), "acme")
			d.check(err)
			for _, s := range steps {
				if s.Code == "last_admin_risk" {
					d.t.Errorf("the local super-admin is gone: %+v", s)
				}
			}
			made, err := d.admin.PutAdmin(d.t.Context(), "acme", "root", adminapi.AdminChange{NewPassword: true})
			d.check(err)
			var s adminapi.CreatedSession
			d.asAdmin("", http.StatusCreated, http.MethodPost, "/v1/sessions", adminapi.NewSession{Company: "acme", Login: "root", Password: made.Password}, &s)
			if s.Role != "super-admin" {
				d.t.Errorf("signed in as %+v", s)
			}
		},
		"who loses Video Pro+ or the access while signed in is out with the next request": func(d *doorway) {
			for name, lose := range map[string]func(id string){
				"license":  func(id string) { d.check(d.admin.Unassign(d.t.Context(), "acme", id)) },
				"inactive": func(id string) { d.patch(id, `{"op":"replace","value":{"active":false}}`) },
				"guest": func(id string) {
					_, err := d.admin.ChangeAccount(d.t.Context(), "acme", id, adminapi.AccountChange{MemberType: "guest"})
					d.check(err)
				},
			} {
				const password = "correct horse battery"
				r := add(d, adminapi.NewPeople{
					License: plus, Role: "user-admin", Setup: "credentials", People: []adminapi.NewPerson{{Email: name + "@acme.example", Password: password}},
				}).Items[0]
				var s adminapi.CreatedSession
				d.asAdmin("", http.StatusCreated, http.MethodPost, "/v1/sessions",
					adminapi.NewSession{Company: "acme", Login: name + "@acme.example", Password: password, NewPassword: "staple of my own"}, &s)
				var e struct{ Detail string }
				d.asAdmin(s.Secret, http.StatusOK, http.MethodGet, "/v1/sessions/current", nil, &e)
				lose(r.Account.ID)
				d.asAdmin(s.Secret, http.StatusUnauthorized, http.MethodGet, "/v1/sessions/current", nil, &e)
				if e.Detail != "The session is over: sign in again." {
					d.t.Errorf("%s: %q", name, e.Detail)
				}
				d.check(d.admin.DeleteAccount(d.t.Context(), "acme", r.Account.ID))
			}
		},
		"a seat that comes free goes to the first who waits": func(d *doorway) {
			ada, bob, carl := d.create("ada", plus), d.create("bob", plus), d.create("carl", plus)
			d.must(http.StatusNoContent, http.MethodDelete, "/Users/"+ada, "", nil)
			d.has("first in the queue", bob, plus, "reserved")
			d.has("second", carl, base, "waiting")
			e, err := d.admin.Explain(d.t.Context(), "acme", carl)
			if err != nil || e.License.Place != 1 || e.License.Waiting != 1 {
				d.t.Errorf("place %d of %d, %v", e.License.Place, e.License.Waiting, err)
			}
			log, err := d.admin.Events(d.t.Context(), "acme", adminapi.EventFilter{})
			d.check(err)
			last := log.Items[len(log.Items)-1]
			if last.Action != "license.change" || last.Target != bob || last.By != "queue" {
				d.t.Errorf("the last event is %+v", last)
			}
			mails(d, 0) // whom an identity provider provisions gets none
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, t.TempDir())
			s.company(1, "waiting")
			play(&doorway{site: s, t: t})
		})
	}
}
