package scim_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"usher/licensing"
	"usher/scim"
)

// TestActivation_attribute has a connection say whether people are invited. What it says is shown nowhere.
func TestActivation_attribute(t *testing.T) {
	d := open(t, scim.Limits{}, nil)
	d.dir.Links = func(mail string) []byte { return []byte(mail) }
	for _, tt := range []struct {
		name, more string
		mails      int
	}{
		{"silent@acme.example", ``, 0},
		{"later@acme.example", `"` + usherUser + `":{"activation":"later"}`, 0},
		{"invited@acme.example", `"` + usherUser + `":{"activation":"Invite"}`, 1},
		{"flat@acme.example", `"` + usherUser + `:activation":"invite"`, 1},
		{"inactive@acme.example", `"active":false,"` + usherUser + `":{"activation":"invite"}`, 0},
		{"nobody", `"` + usherUser + `":{"activation":"invite"}`, 0},
	} {
		if tt.more != "" {
			tt.more = "," + tt.more
		}
		made := d.want(http.StatusCreated, "POST", "/Users", `{`+userSchema+`,"userName":"`+tt.name+`"`+tt.more+`}`)
		mails, err := d.store.ListMails(context.Background(), d.company, made.id(), "", 10)
		if err != nil {
			t.Fatal(err)
		}
		if len(mails) != tt.mails {
			t.Errorf("%s: %d mails, want %d", tt.name, len(mails), tt.mails)
		}
		for _, m := range mails {
			if m.To != tt.name {
				t.Errorf("%s: the mail goes to %s", tt.name, m.To)
			}
		}
		if strings.Contains(string(made.raw), "activation") {
			t.Errorf("%s: the answer has the activation: %s", tt.name, made.raw)
		}
	}
	for _, wrong := range []string{`"credentials"`, `"sometime"`, `7`} {
		a := d.want(http.StatusBadRequest, "POST", "/Users", `{`+userSchema+`,"userName":"x","`+usherUser+`":{"activation":`+wrong+`}}`)
		if a.get("scimType") != "invalidValue" || !strings.Contains(a.get("detail").(string), "invite") {
			t.Errorf("%s: %s", wrong, a.raw)
		}
	}
}

func TestExtensionNumber(t *testing.T) {
	d := open(t, scim.Limits{}, nil)
	number := func(n string) string { return `"` + usherUser + `":{"extensionNumber":"` + n + `"}` }
	ada := d.user("ada", number("101"))
	a := d.want(http.StatusConflict, "POST", "/Users", `{`+userSchema+`,"userName":"bob",`+number("101")+`}`)
	if a.get("scimType") != "uniqueness" || !strings.Contains(a.get("detail").(string), "extensionNumber") {
		t.Errorf("taken: %s", a.raw)
	}
	bob := d.user("bob", number("102"))
	d.want(http.StatusConflict, "PATCH", "/Users/"+bob.id(), `{`+patchSchema+`,"Operations":[{"op":"replace","path":"`+usherUser+`:extensionNumber","value":"101"}]}`)
	for _, wrong := range []string{"12a", "12345678901", "+49"} {
		d.want(http.StatusBadRequest, "POST", "/Users", `{`+userSchema+`,"userName":"carl",`+number(wrong)+`}`)
	}
	// A PUT of an identity provider that does not know of it takes nothing away.
	a = d.want(http.StatusOK, "PUT", "/Users/"+ada.id(), `{`+userSchema+`,"userName":"ada","title":"Lead"}`)
	if got := a.get(usherUser, "extensionNumber"); got != "101" {
		t.Errorf("after a PUT without it the number is %v", got)
	}
	if got := d.find("/Users", usherUser+`:extensionNumber eq "101"`).get("totalResults"); got != 1.0 {
		t.Errorf("found %v, want one", got)
	}
	d.patch(ada.id(), `{"op":"remove","path":"`+usherUser+`:extensionNumber"}`)
	d.patch(bob.id(), `{"op":"replace","path":"`+usherUser+`:extensionNumber","value":"101"}`)
}

// TestUsers_outside makes and changes users by a door that does not speak SCIM.
func TestUsers_outside(t *testing.T) {
	d := open(t, scim.Limits{}, nil)
	users := scim.NewUsers(d.handler.Registry, d.store)
	ctx := context.Background()
	draft, err := users.Draft(ctx, d.company, map[string]any{
		"userName": "Ada@acme.example", "name": map[string]any{"givenName": "Ada", "familyName": "Lovelace"}, "timezone": "Europe/London",
	})
	if err != nil {
		t.Fatal(err)
	}
	made, err := d.dir.Apply(ctx, licensing.Change{Company: d.company, Do: licensing.CreateAccount{Draft: draft}})
	if err != nil {
		t.Fatal(err)
	}
	edit, err := users.Edit(ctx, d.company, map[string]any{"title": "Countess", "timezone": nil})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.dir.Apply(ctx, licensing.Change{Company: d.company, Do: licensing.UpdateAccount{ID: made.Account.ID, Edit: edit}}); err != nil {
		t.Fatal(err)
	}
	a := d.want(http.StatusOK, "GET", "/Users/"+made.Account.ID, "")
	if a.get("name", "givenName") != "Ada" || a.get("title") != "Countess" || a.get("timezone") != nil || a.get("active") != true {
		t.Errorf("as SCIM shows it: %s", a.raw)
	}
	stored, err := d.store.Account(ctx, d.company, made.Account.ID)
	if err != nil {
		t.Fatal(err)
	}
	if got := scim.Address(stored); got != "Ada@acme.example" {
		t.Errorf("address %q", got)
	}
	var wrong *scim.Error
	for _, bad := range []map[string]any{
		{"userName": "x", "roles": []any{map[string]any{"value": "super-admin"}}}, {"userName": "x", usherUser: map[string]any{"license": "ringex"}},
		{"userName": "x", usherUser + ":license": "gold"}, {"userName": "x", "Entitlements": []any{map[string]any{"value": "ringex"}}},
	} {
		if _, err := users.Draft(ctx, d.company, bad); !errors.As(err, &wrong) || wrong.Status != http.StatusBadRequest {
			t.Errorf("%v: %v, want a 400", bad, err)
		}
		delete(bad, "userName")
		edit, err := users.Edit(ctx, d.company, bad)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := edit(stored); !errors.As(err, &wrong) || wrong.Status != http.StatusBadRequest {
			t.Errorf("changed to %v: %v, want a 400", bad, err)
		}
	}
	for _, bad := range []map[string]any{{"displayName": "nobody"}, {"userName": "x", "active": 7}, {"userName": strings.Repeat("x", 2000)}} {
		_, err := users.Draft(ctx, d.company, bad)
		if !errors.As(err, &wrong) || wrong.Status != http.StatusBadRequest {
			t.Errorf("%v: %v, want a 400", bad, err)
		}
	}
}
