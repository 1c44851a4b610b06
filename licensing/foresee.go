package licensing

import (
	"context"
	"errors"

	"usher/store"
)

// NewPerson is one of those whom somebody is about to add.
type NewPerson struct {
	Draft   Draft
	License License // to be assigned; NoLicense: none
	Role    string  // to be given; empty: none
	Setup   Setup
}

// Prospect is what would become of a person who is added.
type Prospect struct {
	MemberType MemberType `json:"member_type"`
	Effective  License    `json:"effective_license"`
	State      string     `json:"license_state"`
	Reason     Reason     `json:"license_reason,omitempty"` // why the license would not be in effect, or not be assigned at all
	Place      int        `json:"place,omitempty"`          // in the queue
	RoleReason Reason     `json:"role_reason,omitempty"`    // why the role would not be given
	Refused    *Refusal   `json:"-"`                        // why the person would not be added
}

// Foresee says what would become of people who are added in this order, and changes nothing. It does not look at names that are taken.
func (d *Directory) Foresee(ctx context.Context, c Change, people []NewPerson) ([]Prospect, error) {
	s, err := d.situation(ctx, c)
	if err != nil {
		return nil, err
	}
	f := &forecast{d: d, pools: map[License]*store.Pool{}}
	s.pools = func(l License) (store.Pool, error) {
		p, err := f.pool(ctx, s.company.ID, l)
		if err != nil {
			return store.Pool{}, err
		}
		return *p, nil
	}
	prospects := make([]Prospect, len(people))
	for i, person := range people {
		if prospects[i], err = f.add(ctx, s, person); err != nil {
			return nil, err
		}
	}
	return prospects, nil
}

// add plans one person and lets the pools of the forecast follow.
func (f *forecast) add(ctx context.Context, s situation, person NewPerson) (Prospect, error) {
	if err := mayAdd(s.company); err != nil {
		return Prospect{Refused: err}, nil
	}
	var refusal *Refusal
	switch err := f.d.checkDomain(ctx, s.company, person.Draft.Email); {
	case errors.As(err, &refusal):
		return Prospect{Refused: refusal}, nil
	case err != nil:
		return Prospect{}, err
	}
	nobody := store.Account{Company: s.company.ID, Decision: store.Decision{LicenseState: store.StateNone, Effective: string(VideoPro)}}
	a := nobody
	a.MemberType = string(memberType(s.company, person.Draft.Email, f.d.webmail))
	apply(s, &a, person.Draft)
	if _, err := f.d.begin(s, &a, CreateAccount{Draft: person.Draft, Setup: person.Setup}); errors.As(err, &refusal) {
		return Prospect{Refused: refusal}, nil
	}
	plain := a
	var reason Reason
	if person.License != NoLicense {
		if s.change.MayAssign {
			a.Sources = append(a.Sources, store.Source{
				Kind: string(CarrierPin), By: s.change.Actor.ID, License: string(person.License), At: s.now, Approved: true,
			})
		} else {
			reason = SuperAdminRequired
		}
	}
	p, err := makePlan(s, nil, a)
	if errors.As(err, &refusal) { // the license is refused, the person may not be
		reason = refusal.Reason
		p, err = makePlan(s, nil, plain)
	}
	switch {
	case errors.As(err, &refusal):
		return Prospect{Refused: refusal}, nil
	case err != nil:
		return Prospect{}, err
	}
	p.write.Before = &nobody
	if err := f.note(ctx, s, p); err != nil {
		return Prospect{}, err
	}
	after := p.write.After
	found := Prospect{MemberType: MemberType(after.MemberType), Effective: License(after.Effective), State: after.LicenseState, Reason: Reason(after.LicenseReason)}
	if reason != "" {
		found.Reason = reason
	}
	switch {
	case person.Role == RoleSuperAdmin && !s.change.MayAssign:
		found.RoleReason = SuperAdminRequired
	case person.Role != "" && higherRole(person.Role, RoleStandard) > 0 && found.MemberType == GuestMember:
		found.RoleReason = RoleOfGuest
	}
	if after.LicenseState == store.StateWaiting {
		pool, err := f.pool(ctx, s.company.ID, License(after.License))
		if err != nil {
			return Prospect{}, err
		}
		found.Place = pool.Waiting
	}
	return found, nil
}
