package scim_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"usher/scim"
	"usher/store"
)

// lastQuirks gives the quirks that the newest event names.
func (d *door) lastQuirks() []string {
	d.t.Helper()
	events, err := d.store.ListEvents(d.t.Context(), d.company, 0, 10_000)
	if err != nil {
		d.t.Fatal(err)
	}
	return events[len(events)-1].Quirks
}

func TestQuirks_events(t *testing.T) {
	d := open(t, scim.Limits{}, nil)
	ada := d.want(201, "POST", "/Users", `{`+userSchemas+`,"userName":"ada"}`)
	d.same("by the letter", d.lastQuirks(), "[]")
	patch := func(path, ops string) { d.want(200, "PATCH", path, `{"Operations":[`+ops+`]}`) }
	// One is needed to read the body, the others only when the change is planned.
	patch("/Users/"+ada.id(), `{"op":"Replace","path":"active","value":"False"},{"op":"add","path":"emails[type eq \"work\"].value","value":"a@x.example"}`)
	d.same("of a user", d.lastQuirks(), "[boolean-as-string filter-creates-element patch-op-case schemas-missing]")
	group := d.want(201, "POST", "/Groups", `{"displayName":"g","members":{"value":"`+ada.id()+`"}}`)
	d.same("of a new group", slices.Contains(d.lastQuirks(), "value-not-in-array"), true)
	before := d.handler.QuirkCounts("okta")["dotted-urn"]
	patch("/Groups/"+group.id(), `{"op":"replace","path":"urn:ietf:params:scim:schemas:core:2.0:Group.displayName","value":"h"}`)
	d.same("of a changed group", d.lastQuirks(), "[dotted-urn schemas-missing]")
	d.same("counted once", d.handler.QuirkCounts("okta")["dotted-urn"]-before, 1)
	patch("/Groups/"+group.id(), `{"op":"remove","path":"urn:ietf:params:scim:schemas:core:2.0:Group.members"}`)
	d.same("counted once for members", d.handler.QuirkCounts("okta")["dotted-urn"]-before, 2)
	_, statuses := d.bulk("", `{"method":"DELETE","path":"/Groups/`+group.id()+`"}`, `{"method":"PATCH","path":"/Users/`+ada.id()+`","data":{"Operations":[{"op":"ADD","path":"title","value":"x"}]}}`)
	d.same("bulk", statuses, "[204 200]")
	d.same("of an operation of a bulk", d.lastQuirks(), "[patch-op-case schemas-missing]")

	d.token = "strict"
	d.want(200, "PATCH", "/Users/"+ada.id(), `{`+patchSchema+`,"Operations":[{"op":"add","path":"title","value":"y"}]}`)
	d.same("of a strict connection", d.lastQuirks(), "[]")
}

// offline is a store that cannot be written to.
type offline struct{ store.Store }

func (offline) CountQuirks(context.Context, string, []store.QuirkUse) error {
	return errors.New("the disk is full")
}

func TestStoreQuirks(t *testing.T) {
	d := open(t, scim.Limits{}, nil)
	d.find("/Users", `department eq "x"`) // reads count too
	d.user("ada", "")
	list := func() map[string]int64 {
		t.Helper()
		uses, err := d.store.ListQuirks(t.Context(), d.company)
		if err != nil {
			t.Fatal(err)
		}
		counts := map[string]int64{}
		for _, u := range uses {
			if u.First.IsZero() || u.Last.Before(u.First) || u.Connection != "okta" {
				t.Errorf("%+v", u)
			}
			counts[u.Quirk] = u.Count
		}
		return counts
	}
	if err := d.handler.StoreQuirks(t.Context(), offline{d.store}); err == nil {
		t.Error("what could not be stored is said to be")
	}
	before := d.handler.QuirkCounts("okta")
	if len(before) == 0 || len(list()) > 0 {
		t.Fatalf("counted %v, stored %v", before, list())
	}
	for range 2 { // a second time there is nothing to add
		if err := d.handler.StoreQuirks(t.Context(), d.store); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(before, list(), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("stored (-counted +stored):\n%s", diff)
		}
	}
	if left := d.handler.QuirkCounts("okta"); len(left) > 0 {
		t.Errorf("counted still: %v", left)
	}
	d.find("/Users", `department eq "x"`)
	if err := d.handler.StoreQuirks(t.Context(), d.store); err != nil {
		t.Fatal(err)
	}
	if now := list(); now["filter-extension-attribute-at-top"] != 2 {
		t.Errorf("stored %v", now)
	}
}
