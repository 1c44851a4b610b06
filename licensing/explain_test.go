package licensing_test

import (
	"context"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"usher/licensing"
	"usher/store"
	"usher/store/enginetest"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// scene is a case in which a reason comes up: of the person whose id it gives, or of the change that is refused.
type scene func(w *world) (person string, refused licensing.Operation)

// explained is a scene with a person.
func explained(play func(w *world) string) scene {
	return func(w *world) (string, licensing.Operation) { return play(w), nil }
}

// refused is a scene with a change that is refused.
func refused(play func(w *world) licensing.Operation) scene {
	return func(w *world) (string, licensing.Operation) { return "", play(w) }
}

// withoutScope plays a change of a connection that may not assign licenses.
func (w *world) withoutScope(do licensing.Operation) licensing.Result {
	w.t.Helper()
	c := w.as("okta", do)
	c.MayAssign = false
	r, err := w.dir.Apply(context.Background(), c)
	if err != nil {
		w.t.Fatalf("%T: %v", do, err)
	}
	w.now = w.now.Add(time.Second)
	return r
}

func (w *world) seats(total int) {
	w.t.Helper()
	w.apply(licensing.SetSeats{License: plus, Total: total, OverAssign: true})
}

// guest is a person with an address at a webmail provider.
func (w *world) guest(name string, asks ...licensing.License) string {
	w.t.Helper()
	d := draft(name, asks...)
	d.Email = name + "@gmail.com"
	return w.apply(licensing.CreateAccount{Connection: "okta", Draft: d}).Account.ID
}

// scenes has one for each reason, and some for what makes a difference to people within one.
var scenes = map[string]scene{
	"waiting_for_seat": explained(func(w *world) string {
		w.seats(1)
		w.create("ada", plus)
		w.create("bob", plus)
		return w.create("carl", plus).ID
	}),
	"waiting_for_seat.over_assigned": explained(func(w *world) string {
		w.seats(2)
		w.create("ada", plus)
		w.create("bob", plus)
		w.seats(1)
		return w.create("carl", plus).ID
	}),
	"waiting_for_seat.unpaid": explained(func(w *world) string {
		w.seats(5)
		carl := w.create("carl").ID
		w.apply(payment(licensing.PaymentPastDue, time.Time{}))
		w.ask(carl, plus)
		return carl
	}),
	"waiting_for_seat.swap": explained(func(w *world) string {
		w.apply(licensing.SetSeats{License: ringex, Total: 1, OverAssign: true})
		carl := w.create("carl", ringex).ID
		w.ask(carl, plus)
		return carl
	}),
	"needs_approval": explained(func(w *world) string {
		w.seats(1)
		return w.withoutScope(licensing.CreateAccount{Connection: "okta", Draft: draft("carl", plus)}).Account.ID
	}),
	"request_refused": explained(func(w *world) string {
		carl := w.withoutScope(licensing.CreateAccount{Connection: "okta", Draft: draft("carl", plus)}).Account.ID
		w.apply(licensing.Decide{ID: carl})
		return carl
	}),
	"mutually_exclusive": explained(func(w *world) string {
		w.seats(1)
		carl := w.create("carl", plus).ID
		group := w.apply(licensing.CreateGroup{Draft: licensing.GroupDraft{Name: "phones", Display: "Phones", Doc: []byte(`{}`)}, Members: []string{carl}}).Group
		w.apply(licensing.AddRule{Group: group.ID, License: ringex, Priority: 7})
		return carl
	}),
	"guest": explained(func(w *world) string { return w.guest("carl", plus) }),
	"account_inactive": explained(func(w *world) string {
		w.seats(1)
		w.create("ada", plus)
		carl := w.create("carl", plus).ID
		w.setActive(carl, false)
		return carl
	}),
	"account_inactive.held": explained(func(w *world) string {
		w.seats(1)
		carl := w.create("carl", plus).ID
		w.setActive(carl, false)
		return carl
	}),
	"vetoed": explained(func(w *world) string {
		w.seats(1)
		carl := w.create("carl", plus).ID
		w.apply(licensing.Assign{ID: carl, License: base})
		return carl
	}),
	"pinned": explained(func(w *world) string {
		w.seats(1)
		carl := w.create("carl").ID
		w.apply(licensing.Assign{ID: carl, License: plus, Until: w.now.Add(30 * 24 * time.Hour)})
		return carl
	}),
	"two_sources": explained(func(w *world) string {
		w.seats(1)
		carl := w.create("carl", plus).ID
		group := w.apply(licensing.CreateGroup{Draft: licensing.GroupDraft{Name: "sales", Display: "Sales", Doc: []byte(`{}`)}, Members: []string{carl}}).Group
		w.apply(licensing.AddRule{Group: group.ID, License: plus})
		return carl
	}),
	"user_deactivated": explained(func(w *world) string {
		carl := w.create("carl").ID
		w.setActive(carl, false)
		return carl
	}),
	"guest_cannot_use_sso": explained(func(w *world) string { return w.guest("carl") }),
	"company_tier_has_no_sso": explained(func(w *world) string {
		free := licensing.TierFree
		w.apply(licensing.SetCompany{Tier: &free})
		w.seats(1)
		return w.create("carl", plus).ID
	}),
	"license_has_no_sso": explained(func(w *world) string {
		w.apply(licensing.SetSeats{License: ringex, Total: 1, OverAssign: true})
		return w.create("carl", ringex).ID
	}),
	"billing_suspended": explained(func(w *world) string {
		w.seats(1)
		carl := w.create("carl", plus).ID
		w.apply(payment(licensing.PaymentSuspended, time.Time{}))
		return carl
	}),
	"billing_suspended.refused": refused(func(w *world) licensing.Operation {
		w.apply(payment(licensing.PaymentPastDue, time.Time{}))
		return licensing.CreateAccount{Connection: "okta", Draft: draft("carl")}
	}),
	"no_seat_available": refused(func(w *world) licensing.Operation {
		strict := licensing.SeatsStrict
		w.apply(licensing.SetCompany{SeatPolicy: &strict})
		w.seats(1)
		w.create("ada", plus)
		return licensing.CreateAccount{Connection: "okta", Draft: draft("carl", plus)}
	}),
	"domain_of_another_company": refused(func(w *world) licensing.Operation {
		_, err := w.dir.Apply(context.Background(), licensing.Change{Do: licensing.CreateCompany{Company: store.Company{Name: "globex", Domains: []string{"globex.example"}}}})
		if err != nil {
			w.t.Fatal(err)
		}
		d := draft("carl")
		d.Email = "carl@globex.example"
		return licensing.CreateAccount{Connection: "okta", Draft: d}
	}),
	"not_a_paid_license": refused(func(*world) licensing.Operation { return licensing.SetSeats{License: base, Total: 1, OverAssign: true} }),
	"negative_seats": refused(func(*world) licensing.Operation {
		return licensing.SetSeats{License: plus, Total: -1, OverAssign: true}
	}),
	"unknown_group":   refused(func(*world) licensing.Operation { return licensing.AddRule{Group: "nobody's", License: plus} }),
	"unknown_setting": refused(func(*world) licensing.Operation { return payment("gold", time.Time{}) }),
	"too_many_losses": refused(func(w *world) licensing.Operation {
		least := 1
		w.apply(licensing.SetCompany{LossMin: &least})
		w.connect("okta")
		people := w.crowd(3)
		w.apply(w.deactivate(people[0]))
		return w.deactivate(people[1])
	}),
	"losses_refused": refused(func(w *world) licensing.Operation {
		w.connect("okta")
		w.apply(licensing.SetBreaker{Connection: "okta", State: licensing.BreakerRefusing})
		return licensing.DeleteAccount{ID: w.create("carl").ID}
	}),
	"role_ceiling": explained(func(w *world) string {
		d := draft("carl")
		d.Intents = []licensing.Intent{{Carrier: licensing.CarrierRoles, Roles: []string{licensing.RoleSuperAdmin}}}
		return w.apply(licensing.CreateAccount{Connection: "okta", Draft: d}).Account.ID
	}),
	"no_condition": refused(func(*world) licensing.Operation { return licensing.AddRule{License: plus} }),
	"super_admin_required": refused(func(w *world) licensing.Operation {
		return licensing.Assign{ID: w.create("carl").ID, License: plus}
	}),
	"no_request": refused(func(w *world) licensing.Operation {
		return licensing.Decide{ID: w.create("carl", plus).ID, Approve: true}
	}),
	"role_of_guest": refused(func(w *world) licensing.Operation {
		return licensing.SetRole{ID: w.guest("carl"), Role: licensing.RoleUserAdmin}
	}),
	"over_assigned": refused(func(w *world) licensing.Operation {
		w.seats(1)
		w.create("ada", plus)
		return licensing.SetSeats{License: plus, Total: 0}
	}),
	"webmail_domain":  refused(func(*world) licensing.Operation { return licensing.AddDomain{Name: "mail.yahoo.co.uk"} }),
	"nothing_to_undo": refused(func(*world) licensing.Operation { return licensing.Undo{Request: "none"} }),
	"changed_since": refused(func(w *world) licensing.Operation {
		carl := w.create("carl").ID
		w.request("first", licensing.Assign{ID: carl, License: ringex})
		w.request("second", licensing.Assign{ID: carl, License: base})
		return licensing.Undo{Request: "first"}
	}),
	"cannot_undo": refused(func(w *world) licensing.Operation {
		w.request("deletion", licensing.DeleteAccount{ID: w.create("carl").ID})
		return licensing.Undo{Request: "deletion"}
	}),
	"no_address": refused(func(w *world) licensing.Operation {
		return licensing.Invite{ID: w.create("carl").ID, Address: func(store.Account) string { return "" }}
	}),
	"not_invited": refused(func(w *world) licensing.Operation {
		carl := w.create("carl").ID
		w.setActive(carl, false)
		return w.invitation(carl)
	}),
	"already_active": refused(func(w *world) licensing.Operation {
		carl := w.create("carl").ID
		w.apply(licensing.SetPassword{ID: carl, Password: "$"})
		return w.invitation(carl)
	}),
	"link_invalid": refused(func(w *world) licensing.Operation {
		carl := w.create("carl").ID
		link := w.invited(carl)
		w.invited(carl)
		return licensing.SetUp{ID: carl, Link: link}
	}),
	"link_expired": refused(func(w *world) licensing.Operation {
		carl := w.create("carl").ID
		link := w.invited(carl)
		w.now = w.now.Add(licensing.InviteFor)
		return licensing.SetUp{ID: carl, Link: link}
	}),
	"link_used": refused(func(w *world) licensing.Operation {
		carl := w.create("carl").ID
		link := w.invited(carl)
		w.apply(licensing.SetUp{ID: carl, Link: link, Password: "$", Finish: true})
		return licensing.SetUp{ID: carl, Link: link}
	}),
	"in_the_past": refused(func(w *world) licensing.Operation {
		return licensing.Assign{ID: w.create("carl").ID, License: plus, Until: w.now}
	}),
}

// TestExplain_golden fixes what people read about each reason. A reason without a sentence, a fix, somebody who can do it, and a scene in
// which it comes up fails.
func TestExplain_golden(t *testing.T) {
	for _, r := range licensing.Reasons() {
		if r.Sentence() == "" || r.Fix() == "" || r.Who() == "" {
			t.Errorf("%s: sentence %q, fix %q, who %q", r, r.Sentence(), r.Fix(), r.Who())
		}
		if scenes[string(r)] == nil {
			t.Errorf("there is no scene for the reason %s", r)
		}
	}
	for name, play := range scenes {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, enginetest.Open(t, nil), store.Company{}, nil)
			reason, _, _ := strings.Cut(name, ".")
			person, operation := play(w)
			text := ""
			if operation == nil {
				e, err := w.dir.Explain(t.Context(), w.company, person)
				if err != nil {
					t.Fatal(err)
				}
				text = strings.ReplaceAll(e.String(), person, "(id)")
			} else {
				c := w.as("okta", operation)
				c.MayAssign = reason != string(licensing.SuperAdminRequired)
				_, err := w.dir.Apply(t.Context(), c)
				var refusal *licensing.Refusal
				if !errors.As(err, &refusal) {
					t.Fatalf("%T: %v, want a refusal", operation, err)
				}
				text = refusal.Detail + "\n" + refusal.Reason.Fix() + " (" + refusal.Reason.Who() + ")\n" + string(refusal.Reason) + "\n"
			}
			if licensing.Reason(reason).Sentence() != "" && !strings.Contains(text, reason) {
				t.Errorf("the reason %s does not come up in:\n%s", reason, text)
			}
			file := filepath.Join("testdata", "explain", name+".txt")
			if *update {
				if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), text); diff != "" {
				t.Errorf("%s (-want +got):\n%s", file, diff)
			}
		})
	}
}
