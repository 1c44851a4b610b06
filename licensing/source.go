package licensing

import (
	"cmp"
	"slices"
	"time"

	"usher/store"
)

// Carrier is where license intent is carried: the kind of a source.
type Carrier string

// The carriers, highest rank first.
const (
	CarrierPin          Carrier = "pin"          // a Super Admin's word; one that names Video Pro is a veto
	CarrierLicense      Carrier = "license"      // the extension attribute license
	CarrierEntitlements Carrier = "entitlements" // RFC 7643 section 4.1.2
	CarrierRoles        Carrier = "roles"        // RFC 7643 section 4.1.2
	CarrierGroup        Carrier = "group"        // a rule on a group
	CarrierValue        Carrier = "value"        // a rule on a value of the person's, such as their department; of the same rank
)

// rank of a carrier; smaller goes first.
func (c Carrier) rank() int {
	if c == CarrierValue {
		c = CarrierGroup
	}
	return slices.Index([]Carrier{CarrierPin, CarrierLicense, CarrierEntitlements, CarrierRoles, CarrierGroup}, c)
}

// byRule says whether it is rules that carry it.
func (c Carrier) byRule() bool { return c == CarrierGroup || c == CarrierValue }

// higher orders sources by rank: approved ones first and refused ones last, then by carrier, then rules by priority; of equal rank the
// earlier.
func higher(a, b store.Source) int {
	decided := func(s store.Source) int {
		switch {
		case s.Approved:
			return 0
		case !s.Refused:
			return 1
		}
		return 2
	}
	return cmp.Or(
		cmp.Compare(decided(a), decided(b)),
		cmp.Compare(Carrier(a.Kind).rank(), Carrier(b.Kind).rank()),
		cmp.Compare(b.Priority, a.Priority),
		a.At.Compare(b.At),
		cmp.Compare(a.Ref, b.Ref),
	)
}

// Keeps says whether a carrier of the account is to stay as it is although a request of the actor leaves it out: it holds a source
// that somebody else wrote, and what one connection never wrote it does not end by silence.
func Keeps(a store.Account, carrier Carrier, actor string) bool {
	return slices.ContainsFunc(a.Sources, func(s store.Source) bool { return s.Kind == string(carrier) && s.By != actor })
}

// carry gives the sources after a write that touched the carriers of intents. before is not changed.
//
// A carrier has one source, of the last who wrote it. But what a writer asks for who may not assign licenses does not take the place of
// what was approved: it stands beside it, blocked, until it is decided or the carrier names something else. Taking a license away needs
// no right to assign: an IdP must always be able to let people go.
func carry(before []store.Source, intents []Intent, actor string, mayAssign bool, now time.Time) []store.Source {
	after := slices.Clone(before)
	for _, in := range intents {
		license := highest(in.Licenses)
		own := func(s store.Source) bool { return s.Kind == string(in.Carrier) }
		says := func(s store.Source) bool { return own(s) && s.License == string(license) }
		at := slices.IndexFunc(after, says)
		switch {
		case in.Silent:
			after = slices.DeleteFunc(after, func(s store.Source) bool { return own(s) && s.By == actor })
		case at >= 0: // the same again: it stays whose it was, unless it is approved by being said by this writer
			if mayAssign && !after[at].Approved {
				after[at].By, after[at].Approved, after[at].Refused = actor, true, false
			}
			approved := after[at].Approved
			after = slices.DeleteFunc(after, func(s store.Source) bool { return own(s) && !says(s) && (approved || !s.Approved) })
		default:
			keeps := func(s store.Source) bool { return s.Approved && !mayAssign && license != NoLicense }
			after = slices.DeleteFunc(after, func(s store.Source) bool { return own(s) && !keeps(s) })
			if license != NoLicense {
				after = append(after, store.Source{Kind: string(in.Carrier), By: actor, License: string(license), At: now, Approved: mayAssign})
			}
		}
	}
	slices.SortStableFunc(after, higher)
	return after
}

// carryRules gives the sources after the rules that hold for the account have become exactly the ones given.
func carryRules(before []store.Source, rules []store.Rule, now time.Time) []store.Source {
	var after []store.Source
	since := map[string]time.Time{}
	for _, s := range before {
		if Carrier(s.Kind).byRule() {
			since[s.Ref] = s.At
			continue
		}
		after = append(after, s)
	}
	for _, r := range rules {
		if r.License == "" {
			continue
		}
		at, had := since[r.ID]
		if !had {
			at = now
		}
		after = append(after, store.Source{
			Kind: string(carrierOf(r)), Ref: r.ID, By: r.By, License: r.License, Priority: r.Priority, At: at, Approved: true,
		})
	}
	slices.SortStableFunc(after, higher)
	return after
}

// same says whether two sources are the same carrier, whatever they ask for.
func same(a, b store.Source) bool { return a.Kind == b.Kind && a.Ref == b.Ref }
