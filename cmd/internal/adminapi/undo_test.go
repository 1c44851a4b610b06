package adminapi

import (
	"net/http"
	"testing"
	"time"

	"usher/licensing"
	"usher/store"
)

// TestUndo has a connection deactivate people by mistake, in requests of its own, and an admin undo that.
func TestUndo(t *testing.T) {
	d := newDesk(t)
	acme := d.acme(t)
	ctx := t.Context()
	if _, err := d.CreateToken(ctx, "acme", NewToken{Connection: "okta", AssignLicenses: true}); err != nil {
		t.Fatal(err)
	}
	connections, err := d.Connections(ctx, "acme")
	if err != nil {
		t.Fatal(err)
	}
	okta := connections[0].ID
	if _, err := d.AddPeople(ctx, "acme", NewPeople{License: "video-pro-plus", Setup: "later", People: []NewPerson{
		{Email: "ada@acme.example", GivenName: "Ada"}, {Email: "bob@acme.example"},
	}}); err != nil {
		t.Fatal(err)
	}
	since := d.now
	d.now = d.now.Add(time.Minute)
	for _, name := range []string{"ada@acme.example", "bob@acme.example"} {
		a, err := d.store.AccountByUserName(ctx, acme.ID, name)
		if err != nil {
			t.Fatal(err)
		}
		edit, err := d.handler.users.Edit(ctx, acme.ID, map[string]any{"active": false})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.handler.directory.Apply(ctx, licensing.Change{
			Company: acme.ID, Actor: store.Actor{Kind: "connection", ID: okta}, Door: licensing.DoorSCIM, Request: "of " + name,
			Do: licensing.UpdateAccount{ID: a.ID, Edit: edit},
		}); err != nil {
			t.Fatal(err)
		}
	}
	want := func(name string, active bool, state string) {
		t.Helper()
		a, err := d.Account(ctx, "acme", name)
		if err != nil || a.Active != active || a.LicenseState != state {
			t.Errorf("%s: %+v, %v", name, a, err)
		}
	}
	want("ada@acme.example", false, store.StateHeld)
	in := Undoing{Connection: "okta", Since: since}
	for _, do := range []func() ([]Undone, error){
		func() ([]Undone, error) { return d.PreviewUndo(ctx, "acme", in) },
		func() ([]Undone, error) { return d.Undo(ctx, "acme", in) },
	} {
		undone, err := do()
		if err != nil || len(undone) != 2 || undone[1].Name != "Ada" || undone[0].Reason != "" || undone[1].Reason != "" {
			t.Errorf("undone: %+v, %v", undone, err)
		}
	}
	want("ada@acme.example", true, store.StateReserved)
	want("bob@acme.example", true, store.StateReserved)
	_, err = d.Undo(ctx, "acme", Undoing{Request: "of ada@acme.example"})
	wantProblem(t, "what is undone already", err, http.StatusConflict)
	for what, in := range map[string]Undoing{
		"nothing named": {}, "both": {Request: "x", Connection: "okta", Since: since}, "no time": {Connection: "okta"},
		"long ago": {Connection: "okta", Since: d.now.Add(-undoFor - time.Minute)},
	} {
		_, err := d.Undo(ctx, "acme", in)
		wantProblem(t, what, err, http.StatusBadRequest)
	}
	_, err = d.Undo(ctx, "acme", Undoing{Connection: "entra", Since: since})
	wantProblem(t, "another connection", err, http.StatusNotFound)
	_, err = d.Undo(ctx, "acme", Undoing{Request: "none"})
	wantProblem(t, "no such request", err, http.StatusNotFound)
}
