package licensing

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"usher/store"
)

// asks makes the sources of an account that asks for a license by entitlements.
func asks(l License) []store.Source {
	if l == NoLicense {
		return nil
	}
	return []store.Source{{Kind: string(CarrierEntitlements), By: "c", License: string(l), Approved: true}}
}

func TestEvaluate_signOn(t *testing.T) {
	person := func(l License, seat, state string) store.Account {
		return store.Account{Active: true, Decision: store.Decision{
			Sources: asks(l), Seat: seat, SeatState: state, MemberType: string(Coworker),
		}}
	}
	const plus = string(VideoProPlus)
	guest := person(VideoProPlus, plus, store.StateActive)
	guest.MemberType = string(GuestMember)
	gone := person(VideoProPlus, plus, store.StateHeld)
	gone.Active = false
	for name, tt := range map[string]struct {
		tier      string
		account   store.Account
		sso       Reason // empty: allowed
		state     string
		effective License
	}{
		"a free company has no sign-on":         {TierFree, person(VideoProPlus, plus, store.StateActive), CompanyTierHasNoSSO, store.StateActive, VideoProPlus},
		"Video Pro has no sign-on":              {TierVideoProPlus, person(NoLicense, "", ""), LicenseHasNoSSO, store.StateNone, VideoPro},
		"who waits for a seat has no sign-on":   {TierVideoProPlus, person(VideoProPlus, "", ""), WaitingForSeat, store.StateWaiting, VideoPro},
		"a reserved seat lets in":               {TierVideoProPlus, person(VideoProPlus, plus, store.StateReserved), "", store.StateReserved, VideoProPlus},
		"an active seat lets in":                {TierVideoProPlus, person(VideoProPlus, plus, store.StateActive), "", store.StateActive, VideoProPlus},
		"a guest is kept out":                   {TierVideoProPlus, guest, GuestCannotUseSSO, store.StateBlocked, VideoPro},
		"a deactivated person is kept out":      {TierVideoProPlus, gone, UserDeactivated, store.StateHeld, VideoPro},
		"RingEX has no sign-on":                 {TierVideoProPlus, person(RingEX, string(RingEX), store.StateActive), LicenseHasNoSSO, store.StateActive, RingEX},
		"RingEX while waiting for Video Pro+":   {TierVideoProPlus, person(VideoProPlus, string(RingEX), store.StateActive), WaitingForSeat, store.StateWaiting, RingEX},
		"Video Pro+ while waiting for a RingEX": {TierVideoProPlus, person(RingEX, plus, store.StateActive), "", store.StateWaiting, VideoProPlus},
	} {
		t.Run(name, func(t *testing.T) {
			v := Evaluate(store.Company{Tier: tt.tier, Payment: PaymentExpiring}, tt.account)
			if r := Evaluate(store.Company{Tier: tt.tier, Payment: PaymentSuspended}, tt.account).SSOReason; r != BillingSuspended && r != UserDeactivated && r != GuestCannotUseSSO {
				t.Errorf("sign-on of a company that does not pay: %q", r)
			}
			if v.SSOReason != tt.sso || v.SSO != (tt.sso == "") {
				t.Errorf("sign-on: %t, reason %q, want %q", v.SSO, v.SSOReason, tt.sso)
			}
			if v.License.State != tt.state || v.Effective != tt.effective {
				t.Errorf("license: state %s, effective %s, want %s, %s", v.License.State, v.Effective, tt.state, tt.effective)
			}
			if !v.Entitlements.Messaging || v.Entitlements.Phone == PhoneNone {
				t.Errorf("less than Video Pro: %+v", v.Entitlements)
			}
		})
	}
}

func TestEvaluate_rank(t *testing.T) {
	at := func(min int) time.Time { return time.Date(2026, 1, 1, 0, min, 0, 0, time.UTC) }
	source := func(c Carrier, l License, min int) store.Source {
		return store.Source{Kind: string(c), Ref: string(c), License: string(l), At: at(min), Approved: true}
	}
	rule := func(ref string, l License, priority, min int) store.Source {
		return store.Source{Kind: string(CarrierGroup), Ref: ref, License: string(l), Priority: priority, At: at(min), Approved: true}
	}
	unapproved := func(s store.Source) store.Source { s.Approved = false; return s }
	exclusive := func(l License) []Reasoned { return []Reasoned{{l, store.StateBlocked, MutuallyExclusive}} }
	for name, tt := range map[string]struct {
		sources []store.Source
		want    License
		state   string
		reason  Reason
		others  []Reasoned
	}{
		"the attribute license goes before entitlements": {
			[]store.Source{source(CarrierEntitlements, RingEX, 0), source(CarrierLicense, VideoProPlus, 1)},
			VideoProPlus, store.StateWaiting, WaitingForSeat, exclusive(RingEX),
		},
		"roles go before group rules": {
			[]store.Source{rule("r", RingEX, 9, 0), source(CarrierRoles, VideoProPlus, 1)},
			VideoProPlus, store.StateWaiting, WaitingForSeat, exclusive(RingEX),
		},
		"a pin goes before all": {
			[]store.Source{source(CarrierLicense, VideoProPlus, 0), source(CarrierPin, RingEX, 1)},
			RingEX, store.StateWaiting, WaitingForSeat, exclusive(VideoProPlus),
		},
		"a pin to Video Pro is a veto": {
			[]store.Source{source(CarrierLicense, VideoProPlus, 0), source(CarrierPin, VideoPro, 1)},
			NoLicense, store.StateNone, Vetoed, []Reasoned{{VideoProPlus, store.StateBlocked, Vetoed}},
		},
		"among rules the priority counts": {
			[]store.Source{rule("a", RingEX, 1, 0), rule("b", VideoProPlus, 2, 1)},
			VideoProPlus, store.StateWaiting, WaitingForSeat, exclusive(RingEX),
		},
		"of equal rank the earlier stays": {
			[]store.Source{rule("b", VideoProPlus, 1, 1), rule("a", RingEX, 1, 0)},
			RingEX, store.StateWaiting, WaitingForSeat, exclusive(VideoProPlus),
		},
		"what may not assign goes after what may": {
			[]store.Source{unapproved(source(CarrierLicense, VideoProPlus, 0)), rule("a", RingEX, 1, 1)},
			RingEX, store.StateWaiting, WaitingForSeat, []Reasoned{{VideoProPlus, store.StateBlocked, NeedsApproval}},
		},
		"what may not assign waits for approval": {
			[]store.Source{unapproved(source(CarrierLicense, VideoProPlus, 0))},
			VideoProPlus, store.StateBlocked, NeedsApproval, nil,
		},
		"sources that agree are one request": {
			[]store.Source{source(CarrierRoles, VideoProPlus, 0), source(CarrierLicense, VideoProPlus, 1)},
			VideoProPlus, store.StateWaiting, WaitingForSeat, nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			a := store.Account{Active: true, Decision: store.Decision{Sources: tt.sources, MemberType: string(Coworker)}}
			v := Evaluate(store.Company{Tier: TierVideoProPlus}, a)
			if diff := cmp.Diff(Reasoned{tt.want, tt.state, tt.reason}, v.License); diff != "" {
				t.Errorf("license (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.others, v.Others); diff != "" {
				t.Errorf("others (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCatalog(t *testing.T) {
	for text, want := range map[string]License{
		"ringex": RingEX, "RingEX": RingEX, "RINGEX": RingEX,
		"video-pro": VideoPro, "Video Pro": VideoPro, "videopro": VideoPro,
		"video-pro-plus": VideoProPlus, "Video Pro+": VideoProPlus, "VideoProPlus": VideoProPlus,
	} {
		if got, ok := ParseLicense(text); !ok || got != want {
			t.Errorf("ParseLicense(%q) = %q, %t, want %q", text, got, ok, want)
		}
	}
	for _, text := range []string{"", "none", "video", "Video Pro Plus Ultra"} {
		if got, ok := ParseLicense(text); ok {
			t.Errorf("ParseLicense(%q) = %q, want none", text, got)
		}
	}
	if got := highest([]License{VideoProPlus, RingEX, VideoPro}); got != VideoProPlus {
		t.Errorf("highest = %q, want %q", got, VideoProPlus)
	}
	if got := highest([]License{VideoPro}); got != NoLicense {
		t.Errorf("highest of the free license = %q, want none", got)
	}
}

func TestMemberType(t *testing.T) {
	company := store.Company{GuestPolicy: GuestWebmail, Domains: []string{"acme.example"}}
	careful := store.Company{GuestPolicy: GuestUnverified, Domains: []string{"acme.example"}}
	tiny := store.Company{GuestPolicy: GuestWebmail, Domains: []string{"gmail.com"}}
	for _, tt := range []struct {
		name    string
		company store.Company
		address string
		want    MemberType
	}{
		{"own domain", company, "ada@acme.example", Coworker},
		{"webmail", company, "ada@gmail.com", GuestMember},
		{"webmail behind a name", company, "Ada <ada@gmail.com>", GuestMember},
		{"webmail behind half a name", company, "<ada@gmail.com>;", GuestMember},
		{"webmail in another case", company, "Ada@GMail.COM", GuestMember},
		{"below a webmail domain", company, "ada@mail.yahoo.co.uk", GuestMember},
		{"any other domain", company, "ada@partner.example", Coworker},
		{"not webmail, but ends like it", company, "ada@notgmail.com", Coworker},
		{"no address", company, "", Coworker},
		{"unverified domain", careful, "ada@partner.example", GuestMember},
		{"below a verified domain", careful, "ada@eu.acme.example", Coworker},
		{"no address under the careful policy", careful, "", GuestMember},
		{"a company that lives on webmail", tiny, "ada@gmail.com", GuestMember},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := memberType(tt.company, tt.address, webmail()); got != tt.want {
				t.Errorf("%s is a %s, want %s", tt.address, got, tt.want)
			}
		})
	}
}

func TestCarry(t *testing.T) {
	now := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	then := now.Add(-time.Hour)
	had := []store.Source{{Kind: "entitlements", By: "okta", License: "ringex", At: then, Approved: true}}
	intent := func(c Carrier, l ...License) []Intent { return []Intent{{Carrier: c, Licenses: l}} }
	for name, tt := range map[string]struct {
		before  []store.Source
		intents []Intent
		actor   string
		may     bool
		want    []store.Source
	}{
		"a first request":               {nil, intent(CarrierRoles, RingEX, VideoProPlus), "okta", true, []store.Source{{Kind: "roles", By: "okta", License: "video-pro-plus", At: now, Approved: true}}},
		"without the scope":             {nil, intent(CarrierRoles, RingEX), "okta", false, []store.Source{{Kind: "roles", By: "okta", License: "ringex", At: now}}},
		"the same again":                {had, intent(CarrierEntitlements, RingEX), "okta", true, had},
		"another license":               {had, intent(CarrierEntitlements, VideoProPlus), "okta", true, []store.Source{{Kind: "entitlements", By: "okta", License: "video-pro-plus", At: now, Approved: true}}},
		"gone":                          {had, intent(CarrierEntitlements), "okta", true, nil},
		"the free license is no source": {had, intent(CarrierEntitlements, VideoPro), "okta", true, nil},
		"not named":                     {had, nil, "okta", true, had},
		"another carrier":               {had, intent(CarrierLicense), "okta", true, had},
		"the same from another":         {had, intent(CarrierEntitlements, RingEX), "entra", false, had},
	} {
		t.Run(name, func(t *testing.T) {
			got := carry(tt.before, tt.intents, tt.actor, tt.may, now)
			if diff := cmp.Diff(tt.want, got); diff != "" && len(tt.want)+len(got) > 0 {
				t.Errorf("sources (-want +got):\n%s", diff)
			}
			if !cmp.Equal(had[0].License, "ringex") || had[0].By != "okta" {
				t.Error("the sources before were changed")
			}
		})
	}
	asked := store.Source{Kind: "entitlements", By: "entra", License: "video-pro-plus", At: now}
	for name, tt := range map[string]struct {
		intents []Intent
		may     bool
		want    []store.Source
	}{
		"stands beside what was approved": {intent(CarrierEntitlements, VideoProPlus), false, append(slices.Clone(had), asked)},
		"goes when it is taken back":      {intent(CarrierEntitlements, RingEX), false, had},
		"goes with the rest":              {intent(CarrierEntitlements), false, nil},
		"goes by silence, alone":          {[]Intent{{Carrier: CarrierEntitlements, Silent: true}}, false, had},
		"takes its place when approved":   {intent(CarrierEntitlements, VideoProPlus), true, []store.Source{{Kind: "entitlements", By: "entra", License: "video-pro-plus", At: now, Approved: true}}},
	} {
		t.Run("what is not approved "+name, func(t *testing.T) {
			got := carry(append(slices.Clone(had), asked), tt.intents, "entra", tt.may, now)
			if diff := cmp.Diff(tt.want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("sources (-want +got):\n%s", diff)
			}
		})
	}
	said := carry([]store.Source{asked}, intent(CarrierEntitlements, VideoProPlus), "okta", true, now)
	if len(said) != 1 || said[0].By != "okta" || !said[0].Approved {
		t.Errorf("what entra asked for and okta said is %+v, want it approved and okta's", said)
	}
	account := store.Account{Decision: store.Decision{Sources: had}}
	if Keeps(account, CarrierEntitlements, "okta") {
		t.Error("okta's own silence ends what it wrote")
	}
	if !Keeps(account, CarrierEntitlements, "entra") {
		t.Error("entra's silence must not end what okta wrote")
	}
	if Keeps(account, CarrierRoles, "entra") {
		t.Error("there is nothing in roles to be kept")
	}
}
