package demo

import (
	"context"
	"errors"
	"fmt"

	"usher/cmd/internal/adminapi"
	"usher/licensing"
)

// licensedGroup is the group whose members get a license by a rule.
const licensedGroup = "Video Pro+ users"

// step is one thing that happens in the sync.
type step struct {
	what string
	do   func(ctx context.Context) error
}

// script is the sync: what happens in the two identity providers, in order. With five seats of Video Pro+ they run out before Tim
// and Katherine come, and Alan's leaving lets in the one who has waited longest.
func script(o okta, e entra, admin *adminapi.Client) []step {
	const (
		plus   = string(licensing.VideoProPlus)
		ringex = string(licensing.RingEX)
	)
	people := newCast()
	a, b := people.okta, people.entra
	assign := func(given, license string) step {
		what := "Okta assigns " + a[given].display()
		if license != "" {
			what += " with " + licensing.License(license).Name()
		}
		return step{what, func(ctx context.Context) error { return o.assign(ctx, a[given], license) }}
	}
	provision := func(given string, in carrier, license string) step {
		what := "Entra provisions " + b[given].display()
		if in != noLicense {
			what += " with " + licensing.License(license).Name()
		}
		return step{what, func(ctx context.Context) error { return e.provision(ctx, b[given], in, license) }}
	}
	return []step{
		assign("Ada", plus),
		assign("Grace", plus),
		assign("Alan", plus),
		assign("Barbara", ringex),
		assign("Edsger", ""),
		assign("Ken", plus),
		{"Okta pushes the group Leadership", func(ctx context.Context) error { return o.pushGroup(ctx, "Leadership", a["Ada"], a["Grace"]) }},
		{"Okta pushes Edsger Dijkstra's new profile with RingEX", func(ctx context.Context) error { return o.push(ctx, a["Edsger"], ringex) }},

		provision("Margaret", inRole, plus),
		provision("Radia", noLicense, ""),
		{"Entra pushes the group " + licensedGroup, func(ctx context.Context) error { return e.pushGroup(ctx, licensedGroup, b["Radia"]) }},
		{"An administrator gives Video Pro+ to the group " + licensedGroup, func(ctx context.Context) error {
			_, err := admin.AddRule(ctx, companyName, adminapi.NewRule{Group: licensedGroup, License: plus})
			return err
		}},
		provision("Katherine", inLicense, plus),
		provision("Tim", inLicense, plus),
		provision("Linus", noLicense, ""),
		{"Entra changes Linus Torvalds's title and department", func(ctx context.Context) error {
			return e.update(ctx, b["Linus"],
				object{"op": "Add", "path": "title", "value": "Maintainer"},
				object{"op": "Add", "path": "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department", "value": "Kernel"})
		}},
		provision("Dennis", inRole, ringex),
		{"Entra disables Dennis Ritchie", func(ctx context.Context) error { return e.disable(ctx, b["Dennis"]) }},
		{"Okta deactivates Alan Turing", func(ctx context.Context) error { return o.deactivate(ctx, a["Alan"]) }},
	}
}

// play carries out the script.
func play(ctx context.Context, steps []step, p progress) error {
	defer p.end()
	for _, s := range steps {
		p.begin(s.what)
		err := s.do(ctx)
		var no *refused
		if errors.As(err, &no) {
			p.note(s.what + ": refused: " + no.detail)
			continue
		}
		if err != nil {
			return fmt.Errorf("%s: %w", s.what, err)
		}
	}
	return nil
}
