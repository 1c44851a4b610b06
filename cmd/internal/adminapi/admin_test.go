package adminapi

import (
	"net/http"
	"sync"
	"testing"

	"usher/licensing"
)

func TestAdmins(t *testing.T) {
	d := newDesk(t)
	made := d.acme(t)
	ctx := t.Context()
	first, err := d.store.ListLocalAdmins(ctx, made.ID)
	if err != nil {
		t.Fatal(err)
	}
	ada, err := d.PutAdmin(ctx, "acme", "Ada", AdminChange{})
	if err != nil || ada.Login != "ada" || ada.Role != licensing.RoleUserAdmin || ada.Password == "" {
		t.Errorf("added: %+v, %v", ada, err)
	}
	raised, err := d.PutAdmin(ctx, "acme", "ada", AdminChange{Role: licensing.RoleSuperAdmin})
	if err != nil || raised.Role != licensing.RoleSuperAdmin || raised.Password != "" {
		t.Errorf("raised: %+v, %v", raised, err)
	}
	again, err := d.PutAdmin(ctx, "acme", "root", AdminChange{NewPassword: true})
	if err != nil || again.Password == "" || again.Password == made.AdminPassword {
		t.Errorf("another password: %+v, %v", again, err)
	}
	admins, err := d.store.ListLocalAdmins(ctx, made.ID)
	if err != nil || len(admins) != 2 || admins[0].ID != first[0].ID || !verifies(t, admins[0].Password, again.Password) || !verifies(t, admins[1].Password, ada.Password) {
		t.Errorf("stored: %+v, %v", admins, err)
	}
	shown, err := d.Admins(ctx, "acme")
	if err != nil || len(shown) != 2 || shown[1] != raised.Admin {
		t.Errorf("listed: %+v, %v", shown, err)
	}

	// The last super-admin stays while an identity provider could lock everybody out.
	if _, err := d.CreateToken(ctx, "acme", NewToken{Connection: "okta"}); err != nil {
		t.Fatal(err)
	}
	if err := d.RemoveAdmin(ctx, "acme", "root"); err != nil {
		t.Errorf("one of two: %v", err)
	}
	wantProblem(t, "the last", d.RemoveAdmin(ctx, "acme", "ada"), http.StatusConflict)
	_, err = d.PutAdmin(ctx, "acme", "ada", AdminChange{Role: licensing.RoleUserAdmin})
	wantProblem(t, "the last, lowered", err, http.StatusConflict)
	if _, err := d.ChangeConnection(ctx, "acme", "okta", ConnectionChange{Mode: "paused"}); err != nil {
		t.Fatal(err)
	}
	if err := d.RemoveAdmin(ctx, "acme", "ada"); err != nil {
		t.Errorf("the last, with nothing live: %v", err)
	}
	_, err = d.ChangeConnection(ctx, "acme", "okta", ConnectionChange{Mode: "live"})
	wantProblem(t, "a connection that goes live without one", err, http.StatusConflict)

	wantProblem(t, "nobody", d.RemoveAdmin(ctx, "acme", "ada"), http.StatusNotFound)
	_, err = d.PutAdmin(ctx, "acme", "bob", AdminChange{Role: "standard"})
	wantProblem(t, "a role that is none of an admin", err, http.StatusBadRequest)
	_, err = d.PutAdmin(ctx, "acme", "a b", AdminChange{})
	wantProblem(t, "a login with a space", err, http.StatusBadRequest)
}

// TestAdmins_storm: of two super-admins who remove each other one stays.
func TestAdmins_storm(t *testing.T) {
	d := newDesk(t)
	d.acme(t)
	if _, err := d.CreateToken(t.Context(), "acme", NewToken{Connection: "okta"}); err != nil {
		t.Fatal(err)
	}
	for range 10 {
		if _, err := d.PutAdmin(t.Context(), "acme", "root", AdminChange{Role: licensing.RoleSuperAdmin}); err != nil {
			t.Fatal(err)
		}
		if _, err := d.PutAdmin(t.Context(), "acme", "ada", AdminChange{Role: licensing.RoleSuperAdmin}); err != nil {
			t.Fatal(err)
		}
		var wait sync.WaitGroup
		for _, login := range []string{"root", "ada"} {
			wait.Go(func() { _ = d.RemoveAdmin(t.Context(), "acme", login) })
		}
		wait.Wait()
		if left, err := d.Admins(t.Context(), "acme"); err != nil || len(left) != 1 {
			t.Fatalf("left: %+v, %v", left, err)
		}
	}
}
