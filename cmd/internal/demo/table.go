package demo

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"usher/licensing"
	"usher/store"
)

// mostShown is how many people the table has at most.
const mostShown = 100

// report reads from the server who got which license and why, and prints it.
func report(ctx context.Context, c client, w io.Writer) error {
	var people, licenses listResponse
	if err := c.do(ctx, http.MethodGet, fmt.Sprintf("/Users?startIndex=1&count=%d", mostShown), nil, &people); err != nil {
		return err
	}
	if err := c.do(ctx, http.MethodGet, "/Licenses", nil, &licenses); err != nil {
		return err
	}
	if len(people.Resources) > 0 {
		fmt.Fprintln(w, renderPeople(people.Resources))
	}
	if more := people.Total - len(people.Resources); more > 0 {
		fmt.Fprintf(w, "and %d more\n", more)
	}
	for _, l := range licenses.Resources {
		if licensing.License(l.ID).Paid() {
			fmt.Fprintf(w, "%s: %d of %d seats used, %d waiting\n", l.DisplayName, l.Pool.Used, l.Pool.Total, l.Pool.Waiting)
		}
	}
	return nil
}

func renderPeople(people []resource) string {
	cast := newCast()
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.AppendHeader(table.Row{"person", "from", "asked for", "has", "state", "why"})
	t.SetColumnConfigs([]table.ColumnConfig{{Name: "why", WidthMax: 60, WidthMaxEnforcer: text.WrapSoft}})
	for _, p := range people {
		name := p.DisplayName
		if name == "" {
			name = p.UserName
		}
		t.AppendRow(table.Row{
			name, cast.from(p.UserName), p.User.wanted(), licensing.License(p.User.Effective).Name(), p.User.State, p.User.why(),
		})
	}
	return t.Render()
}

// source splits one of licenseSources, "carrier:license".
func source(s string) (carrier licensing.Carrier, license licensing.License) {
	c, l, _ := strings.Cut(s, ":")
	return licensing.Carrier(c), licensing.License(l)
}

// wanted names the license that the highest source asks for.
func (u userState) wanted() string {
	if len(u.Sources) == 0 {
		return ""
	}
	_, license := source(u.Sources[0])
	return license.Name()
}

// why says in a sentence why the person has the license they have.
func (u userState) why() string {
	switch u.State {
	case store.StateNone:
		return "Nothing asks for a paid license."
	case store.StateReserved:
		return "A seat is reserved through " + u.through() + "."
	case store.StateActive:
		return "A seat is in use through " + u.through() + "."
	case store.StateHeld:
		return licensing.Reason(u.Reason).Sentence() + " The seat is kept for a return while nobody waits for it."
	}
	reason := licensing.Reason(u.Reason)
	return strings.TrimSpace(reason.Sentence() + " " + reason.Help())
}

// through names what the license came by.
func (u userState) through() string {
	if len(u.Sources) == 0 {
		return "nothing that asks for it"
	}
	carrier, _ := source(u.Sources[0])
	switch carrier {
	case licensing.CarrierPin:
		return "a Super Admin's word"
	case licensing.CarrierLicense:
		return "the attribute license"
	case licensing.CarrierEntitlements:
		return "an entitlement"
	case licensing.CarrierRoles:
		return "a role"
	case licensing.CarrierGroup:
		return "a rule on a group"
	}
	return string(carrier)
}
