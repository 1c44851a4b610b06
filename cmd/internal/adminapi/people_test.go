package adminapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"usher/cmd/internal/credential"
	"usher/licensing"
	"usher/store"
)

// TestPeople_add is the wizard: a license, information for several people, a set-up, a role. What is wrong with one row spoils no other.
func TestPeople_add(t *testing.T) {
	d := newDesk(t)
	acme := d.acme(t)
	ctx := t.Context()
	in := NewPeople{
		License: "video-pro-plus", Role: "standard",
		People: []NewPerson{
			{Email: "ada@acme.example", GivenName: "Ada", FamilyName: "Lovelace", Extension: "101", Attributes: map[string]any{"title": "Countess"}},
			{Email: "bob@"},
			{Email: "Ada@ACME.example"},
			{Email: "carl@acme.example", Setup: "credentials", Password: "correct horse battery"},
			{Email: "dora@acme.example", Setup: "later", License: "ringex", Role: "user-admin"},
			{Email: "eve@acme.example", Extension: "101"},
			{Email: "finn@acme.example", License: "gold"},
			{Email: "gil@gmail.com"},
			{GivenName: "Nobody"},
			{Email: "hal@acme.example", Setup: "credentials", Password: "short"},
		},
	}
	preview, err := d.PreviewPeople(ctx, "acme", in)
	if err != nil {
		t.Fatal(err)
	}
	if all, _ := d.Accounts(ctx, "acme", AccountFilter{}); len(all.Items) != 0 {
		t.Fatalf("the preview has added %v", all.Items)
	}
	out, err := d.AddPeople(ctx, "acme", in)
	if err != nil {
		t.Fatal(err)
	}
	type row struct{ problem, license, state, activation, role string }
	var got []row
	for _, r := range out.Items {
		var line row
		if r.Problem != nil {
			line.problem = r.Problem.Detail
		}
		if a := r.Account; a != nil {
			line = row{"", a.EffectiveLicense, a.LicenseState, a.Activation, a.Role}
		}
		got = append(got, line)
	}
	want := []row{
		{"", "video-pro-plus", "reserved", "invited", "standard"},
		{problem: `"bob@" is not an e-mail address.`},
		{problem: "Row 1 has the user name ada@acme.example too."},
		{"", "video-pro-plus", "active", "active", "standard"},
		{"", "ringex", "reserved", "pending", "user-admin"},
		{problem: "Row 1 has the phone extension 101 too."},
		{problem: `There is no license "gold"; there are video-pro, ringex, video-pro-plus.`},
		{"", "video-pro", "blocked", "invited", "standard"},
		{problem: "userName is required."},
		{problem: "A password has 12 characters or more."},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(row{})); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	if out.Added != 4 || out.Items[3].Password != "correct horse battery" {
		t.Errorf("%d added, the password is %q", out.Added, out.Items[3].Password)
	}
	for i, r := range preview.Items {
		if r.Prospect == nil && r.Problem == nil || r.Prospect != nil && got[i].problem == "" && string(r.Prospect.Effective) != got[i].license {
			t.Errorf("row %d: the preview says %+v, what came of it is %+v", i+1, r, got[i])
		}
	}

	mails, err := d.Mails(ctx, "acme", MailFilter{})
	if err != nil {
		t.Fatal(err)
	}
	var to []string
	for _, m := range mails.Items {
		to = append(to, m.To+" "+m.State)
	}
	if diff := cmp.Diff([]string{"gil@gmail.com queued", "ada@acme.example queued"}, to); diff != "" {
		t.Errorf("outbox (-want +got):\n%s", diff)
	}
	if !strings.Contains(mails.Held, "No mail server is configured") {
		t.Errorf("held: %q", mails.Held)
	}
	carl, err := d.store.AccountByUserName(ctx, acme.ID, "carl@acme.example")
	if err != nil || !verifies(t, carl.Password, "correct horse battery") || !carl.MustChange {
		t.Errorf("carl's set-up is %+v, %v", carl.Setup, err)
	}
	lists := map[string]AccountFilter{
		"ada@acme.example ": {Extension: "with"},
		"carl@acme.example dora@acme.example gil@gmail.com ": {Extension: "without"},
		"dora@acme.example ":              {Activation: "pending"},
		"ada@acme.example gil@gmail.com ": {Activation: "invited"},
		"carl@acme.example ":              {Activation: "active"},
	}
	for want, f := range lists {
		page, err := d.Accounts(ctx, "acme", f)
		if err != nil {
			t.Fatal(err)
		}
		names := ""
		for _, a := range page.Items {
			names += a.UserName + " "
		}
		if names != want {
			t.Errorf("%+v lists %q, want %q", f, names, want)
		}
	}
}

// TestPeople_moreThanSeats previews and adds more people than there are seats.
func TestPeople_moreThanSeats(t *testing.T) {
	d := newDesk(t)
	d.acme(t)
	in := NewPeople{License: "video-pro-plus", Setup: "later"}
	for i := range 8 {
		in.People = append(in.People, NewPerson{Email: fmt.Sprintf("p%d@acme.example", i)})
	}
	states := func(out AddedPeople, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		text := ""
		for _, r := range out.Items {
			switch {
			case r.Prospect != nil:
				text += r.Prospect.State + " "
				if r.Prospect.Place > 0 {
					text += fmt.Sprint(r.Prospect.Place, " ")
				}
			case r.Account != nil:
				text += r.Account.LicenseState + " "
			}
		}
		return text
	}
	seats := strings.Repeat("reserved ", 5)
	if got, want := states(d.PreviewPeople(t.Context(), "acme", in)), seats+"waiting 1 waiting 2 waiting 3 "; got != want {
		t.Errorf("the preview says %q, want %q", got, want)
	}
	if got, want := states(d.AddPeople(t.Context(), "acme", in)), seats+"waiting waiting waiting "; got != want {
		t.Errorf("what came of it is %q, want %q", got, want)
	}
	preview, err := d.PreviewPeople(t.Context(), "acme", in)
	if err != nil || preview.Items[0].Problem == nil || preview.Items[0].Problem.Status != http.StatusConflict {
		t.Errorf("a preview of those who are there: %+v, %v", preview, err)
	}
}

// TestPeople_userAdmin has somebody give what only a Super Admin gives: the people are added, on Video Pro.
func TestPeople_userAdmin(t *testing.T) {
	d := newDesk(t)
	d.acme(t)
	if _, err := d.PutAdmin(t.Context(), "acme", "uli", AdminChange{Role: licensing.RoleUserAdmin}); err != nil {
		t.Fatal(err)
	}
	key, err := d.CreateKey(t.Context(), "acme", NewKey{Admin: "uli"})
	if err != nil {
		t.Fatal(err)
	}
	in := NewPeople{People: []NewPerson{{Email: "ada@acme.example"}}, License: "video-pro-plus", Role: "super-admin", Setup: "later"}
	if status, p := d.network(t, http.MethodGet, "/v1/accounts/nobody/explain", key.Secret, ""); status != http.StatusNotFound {
		t.Errorf("explaining nobody: %d %+v", status, p)
	}
	var out AddedPeople
	d.public(t, key.Secret, http.MethodPut, "/v1/companies/acme/accounts/preview", in, http.StatusOK, &out)
	if p := out.Items[0].Prospect; p == nil || p.Reason != licensing.SuperAdminRequired || p.Effective != licensing.VideoPro {
		t.Errorf("preview: %+v", out.Items[0])
	}
	d.public(t, key.Secret, http.MethodPost, "/v1/companies/acme/accounts", in, http.StatusCreated, &out)
	r := out.Items[0]
	if r.Account == nil || r.Account.EffectiveLicense != "video-pro" || r.Account.Role != "standard" ||
		r.License == nil || r.License.Code != "super_admin_required" || r.Role == nil || r.Role.Code != "super_admin_required" {
		b, _ := json.Marshal(r)
		t.Errorf("added: %s", b)
	}
	var e licensing.Explanation
	d.public(t, key.Secret, http.MethodGet, "/v1/accounts/ada@acme.example/explain", nil, http.StatusOK, &e)
	if e.UserName != "ada@acme.example" || e.SignOn.Reason != licensing.LicenseHasNoSSO {
		t.Errorf("explained: %+v", e)
	}
	if _, err := d.ChangeAccount(t.Context(), "acme", "ada@acme.example", AccountChange{Role: "super-admin"}); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct{ method, path string }{
		{http.MethodDelete, ""}, {http.MethodPut, "/credentials"}, {http.MethodPatch, ""},
	} {
		var p Problem
		body := any(map[string]any{})
		if step.method == http.MethodPatch {
			body = map[string]any{"active": false}
		}
		d.public(t, key.Secret, step.method, "/v1/companies/acme/accounts/ada@acme.example"+step.path, body, http.StatusForbidden, &p)
		if p.Code != "super_admin_required" {
			t.Errorf("%s%s of a Super Admin: %+v", step.method, step.path, p)
		}
	}
}

func TestPeople_invitation(t *testing.T) {
	d := newDesk(t)
	acme := d.acme(t)
	ctx := t.Context()
	if _, err := d.AddPeople(ctx, "acme", NewPeople{People: []NewPerson{{Email: "ada@acme.example", Setup: "later"}, {UserName: "bob", Setup: "later"}}}); err != nil {
		t.Fatal(err)
	}
	link := func() string {
		t.Helper()
		a, err := d.store.AccountByUserName(ctx, acme.ID, "ada@acme.example")
		if err != nil {
			t.Fatal(err)
		}
		return string(a.Link)
	}
	if a, err := d.Invite(ctx, "acme", "ada@acme.example"); err != nil || a.Activation != store.ActivationInvited {
		t.Errorf("invited: %+v, %v", a, err)
	}
	was := link()
	if _, err := d.Invite(ctx, "acme", "ada@acme.example"); err != nil || link() == was {
		t.Errorf("invited again: the link is the same, %v", err)
	}
	if mails, err := d.Mails(ctx, "acme", MailFilter{Account: "ada@acme.example", Limit: 1}); err != nil || len(mails.Items) != 1 || mails.Next == "" {
		t.Errorf("mails: %+v, %v", mails, err)
	}
	_, err := d.Invite(ctx, "acme", "bob")
	wantProblem(t, "inviting without an address", err, http.StatusBadRequest)
	made, err := d.AssignCredentials(ctx, "acme", "ada@acme.example", Credentials{})
	if err != nil || made.Activation != store.ActivationActive || len(made.Password) < credential.MinPassword || link() != "" {
		t.Errorf("credentials: %+v, %v", made, err)
	}
	_, err = d.Invite(ctx, "acme", "ada@acme.example")
	wantProblem(t, "inviting who is there", err, http.StatusConflict)
	_, err = d.AssignCredentials(ctx, "acme", "bob", Credentials{Password: "short"})
	wantProblem(t, "a short password", err, http.StatusBadRequest)
}

func TestPeople_change(t *testing.T) {
	d := newDesk(t)
	d.acme(t)
	ctx := t.Context()
	if _, err := d.AddPeople(ctx, "acme", NewPeople{License: "video-pro-plus", Setup: "later", People: []NewPerson{{Email: "ada@acme.example", GivenName: "Ada"}}}); err != nil {
		t.Fatal(err)
	}
	off, number := false, "77"
	a, err := d.ChangeAccount(ctx, "acme", "ada@acme.example", AccountChange{
		Active: &off, Extension: &number, Attributes: map[string]any{"title": "Lead", "displayName": "Ada L"},
	})
	if err != nil || a.Active || a.Extension != "77" || a.Display != "Ada L" || a.LicenseState != store.StateHeld {
		t.Errorf("changed: %+v, %v", a, err)
	}
	none := ""
	if a, err = d.ChangeAccount(ctx, "acme", "ada@acme.example", AccountChange{Extension: &none}); err != nil || a.Extension != "" {
		t.Errorf("without a number: %+v, %v", a, err)
	}
	_, err = d.ChangeAccount(ctx, "acme", "ada@acme.example", AccountChange{Attributes: map[string]any{"emails": 7.5}})
	wantProblem(t, "an attribute that is no such", err, http.StatusBadRequest)
	if err := d.DeleteAccount(ctx, "acme", "ada@acme.example"); err != nil {
		t.Fatal(err)
	}
	_, err = d.Account(ctx, "acme", "ada@acme.example")
	wantProblem(t, "a deleted account", err, http.StatusNotFound)
}

// public sends a request as it comes in over the network, with a key, and decodes the answer.
func (d *desk) public(t *testing.T, key, method, path string, in any, status int, out any) {
	t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(method, path, bytes.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+key)
	rec := httptest.NewRecorder()
	d.outside.ServeHTTP(rec, r)
	if rec.Code != status {
		t.Fatalf("%s %s: status %d, want %d: %s", method, path, rec.Code, status, rec.Body)
	}
	if err := json.Unmarshal(rec.Body.Bytes(), out); err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
}

// TestForecastCompany says what a change of the tier does to single sign-on.
func TestForecastCompany(t *testing.T) {
	d := newDesk(t)
	d.acme(t)
	ctx := t.Context()
	if _, err := d.AddPeople(ctx, "acme", NewPeople{License: "video-pro-plus", People: []NewPerson{
		{Email: "a@acme.example", Setup: "later"}, {Email: "b@acme.example", Setup: "credentials"}, {Email: "c@acme.example", License: "ringex", Setup: "later"},
		{Email: "d@gmail.com", Setup: "later"},
	}}); err != nil {
		t.Fatal(err)
	}
	free, plus := "free", "video-pro-plus"
	numbers := func(change CompanyChange) [4]int {
		t.Helper()
		f, err := d.ForecastCompany(ctx, "acme", change)
		if err != nil || len(f.Shifts) != f.Gain+f.Lose {
			t.Fatalf("%+v, %v", f, err)
		}
		return [4]int{f.Gain, f.Lose, f.Without, f.Waiting}
	}
	if got, want := numbers(CompanyChange{Tier: &free}), [4]int{0, 2, 1, 0}; got != want {
		t.Errorf("a downgrade: %v, want %v", got, want)
	}
	_, err := d.ChangeCompany(ctx, "acme", CompanyChange{Tier: &free})
	var p *Problem
	if !errors.As(err, &p) || !strings.Contains(p.Detail, "ends at once for 2 of the people of acme, of whom 1 have no password") {
		t.Errorf("not confirmed: %v", err)
	}
	if _, err := d.ChangeCompany(ctx, "acme", CompanyChange{Tier: &free, Confirm: true}); err != nil {
		t.Fatal(err)
	}
	if got, want := numbers(CompanyChange{Tier: &plus}), [4]int{2, 0, 0, 0}; got != want {
		t.Errorf("an upgrade: %v, want %v", got, want)
	}
	if got, want := numbers(CompanyChange{Tier: &plus, Payment: "suspended"}), [4]int{0, 0, 0, 0}; got != want {
		t.Errorf("an upgrade that is not paid: %v, want %v", got, want)
	}
	gold := "gold"
	_, err = d.ForecastCompany(ctx, "acme", CompanyChange{Tier: &gold})
	wantProblem(t, "no such tier", err, http.StatusBadRequest)
}

// TestPeople_noWayUp has a user-admin try to become, or unmake, a Super Admin by what user-admins may do.
func TestPeople_noWayUp(t *testing.T) {
	d := newDesk(t)
	d.acme(t)
	ctx := t.Context()
	if _, err := d.PutAdmin(ctx, "acme", "uli", AdminChange{Role: licensing.RoleUserAdmin}); err != nil {
		t.Fatal(err)
	}
	key, err := d.CreateKey(ctx, "acme", NewKey{Admin: "uli"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.AddRule(ctx, "acme", NewRule{Attribute: "title", Value: "CEO", Role: "super-admin"}); err != nil {
		t.Fatal(err)
	}
	if _, err := d.AddPeople(ctx, "acme", NewPeople{Setup: "later", People: []NewPerson{
		{Email: "boss@acme.example", Role: "super-admin"}, {Email: "uli@acme.example"}, {Email: "gil@gmail.com", Attributes: map[string]any{"title": "CEO"}},
	}}); err != nil {
		t.Fatal(err)
	}
	for what, step := range map[string]struct {
		method, path string
		body         any
	}{
		"a title that a rule is about":      {http.MethodPatch, "/uli@acme.example", AccountChange{Attributes: map[string]any{"title": "CEO"}}},
		"a new person with it":              {http.MethodPost, "", NewPeople{Setup: "later", People: []NewPerson{{Email: "x@acme.example", Attributes: map[string]any{"title": "CEO"}}}}},
		"a guest with it":                   {http.MethodPatch, "/gil@gmail.com", AccountChange{MemberType: "coworker"}},
		"the role":                          {http.MethodPatch, "/uli@acme.example", AccountChange{MemberType: "coworker", Role: "super-admin"}},
		"a Super Admin made a guest":        {http.MethodPatch, "/boss@acme.example", AccountChange{MemberType: "guest"}},
		"a Super Admin's role":              {http.MethodPatch, "/boss@acme.example", AccountChange{Role: "standard"}},
		"a Super Admin with another number": {http.MethodPatch, "/boss@acme.example", AccountChange{Extension: new(string)}},
		"a Super Admin with a password":     {http.MethodPut, "/boss@acme.example/credentials", Credentials{}},
		"a Super Admin less":                {http.MethodDelete, "/boss@acme.example", nil},
	} {
		var p Problem
		d.public(t, key.Secret, step.method, "/v1/companies/acme/accounts"+step.path, step.body, http.StatusForbidden, &p)
		if p.Code != string(licensing.SuperAdminRequired) {
			t.Errorf("%s: %+v", what, p)
		}
	}
	all, err := d.Accounts(ctx, "acme", AccountFilter{})
	if err != nil {
		t.Fatal(err)
	}
	roles := map[string]string{}
	for _, a := range all.Items {
		roles[a.UserName] = a.MemberType + " " + a.Role
	}
	want := map[string]string{"boss@acme.example": "coworker super-admin", "uli@acme.example": "coworker standard", "gil@gmail.com": "guest standard"}
	if diff := cmp.Diff(want, roles); diff != "" {
		t.Errorf("in the end (-want +got):\n%s", diff)
	}
}

// TestPeople_laterInvitation has a later invitation, a password or a deletion take the place of one that was not sent yet.
func TestPeople_laterInvitation(t *testing.T) {
	d := newDesk(t)
	d.acme(t)
	ctx := t.Context()
	if _, err := d.AddPeople(ctx, "acme", NewPeople{People: []NewPerson{{Email: "ada@acme.example"}, {Email: "bob@acme.example"}}}); err != nil {
		t.Fatal(err)
	}
	states := func(want string) {
		t.Helper()
		page, err := d.Mails(ctx, "acme", MailFilter{})
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, m := range page.Items {
			got += m.To[:3] + " " + m.State + ", "
		}
		if got != want {
			t.Errorf("the outbox is %s, want %s", got, want)
		}
	}
	states("bob queued, ada queued, ")
	if _, err := d.Invite(ctx, "acme", "ada@acme.example"); err != nil {
		t.Fatal(err)
	}
	states("ada queued, bob queued, ada withdrawn, ")
	if _, err := d.AssignCredentials(ctx, "acme", "ada@acme.example", Credentials{}); err != nil {
		t.Fatal(err)
	}
	if err := d.DeleteAccount(ctx, "acme", "bob@acme.example"); err != nil {
		t.Fatal(err)
	}
	states("ada withdrawn, bob withdrawn, ada withdrawn, ")
}

// TestPeople_previewIsTrue has the preview refuse what adding refuses, in the same words.
func TestPeople_previewIsTrue(t *testing.T) {
	d := newDesk(t)
	d.acme(t)
	ctx := t.Context()
	if _, err := d.CreateCompany(ctx, NewCompany{Name: "globex", Domains: []string{"globex.example"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := d.AddPeople(ctx, "acme", NewPeople{Setup: "later", People: []NewPerson{{Email: "there@acme.example", Extension: "1"}}}); err != nil {
		t.Fatal(err)
	}
	rows := []NewPerson{
		{Email: "a@globex.example", Setup: "later"},
		{UserName: "b"},
		{Email: "c@acme.example", Extension: "1", Setup: "later"},
		{Email: "there@acme.example", Setup: "later"},
		{Email: "d@gmail.com", Role: "user-admin", Setup: "later"},
		{Email: "e@acme.example", License: "video-pro-plus", Setup: "credentials"},
		{Email: "f@acme.example", Attributes: map[string]any{"active": false}},
		{Email: "g@acme.example", Attributes: map[string]any{"roles": []any{map[string]any{"value": "super-admin"}}}},
	}
	says := func(r PersonRow) string {
		text := ""
		for _, p := range []*Problem{r.Problem, r.License, r.Role} {
			if p != nil {
				text += p.Detail
			}
		}
		switch {
		case r.Account != nil:
			text += r.Account.MemberType + " " + r.Account.EffectiveLicense + " " + r.Account.LicenseState
		case r.Prospect != nil:
			text += string(r.Prospect.MemberType) + " " + string(r.Prospect.Effective) + " " + r.Prospect.State
		}
		return text
	}
	compare := func() (refused int) {
		t.Helper()
		preview, err := d.PreviewPeople(ctx, "acme", NewPeople{People: rows})
		if err != nil {
			t.Fatal(err)
		}
		added, err := d.AddPeople(ctx, "acme", NewPeople{People: rows})
		if err != nil {
			t.Fatal(err)
		}
		for i := range rows {
			if a, b := says(preview.Items[i]), says(added.Items[i]); a != b || a == "" {
				t.Errorf("row %d: the preview says %q, adding %q", i+1, a, b)
			}
		}
		return len(rows) - added.Added
	}
	if n := compare(); n != 6 {
		t.Errorf("%d rows were refused, want 6", n)
	}
	if _, err := d.ChangeCompany(ctx, "acme", CompanyChange{Payment: "past-due"}); err != nil {
		t.Fatal(err)
	}
	rows = []NewPerson{{Email: "h@acme.example", Setup: "later"}, {Email: "i@acme.example", Setup: "later"}}
	if n := compare(); n != 2 {
		t.Errorf("%d rows were refused although nobody pays, want 2", n)
	}
}
