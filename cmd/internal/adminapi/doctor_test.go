package adminapi

import "testing"

// TestExamine: the operator sees what was looked at, and that nothing is wrong with a company that has just been made.
func TestExamine(t *testing.T) {
	d := newDesk(t)
	d.acme(t)
	found, err := d.Examine(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(found.Companies) != 1 || found.Companies[0].Name != "acme" || found.Companies[0].Events == 0 || found.Wrong() != 0 {
		t.Errorf("found %+v", found)
	}
}
