package licensing

import "strings"

// License is the id of a license, as it is on the wire and in the store.
type License string

// The licenses on offer.
const (
	NoLicense    License = ""
	VideoPro     License = "video-pro"      // the base: free, for everyone, without seats
	RingEX       License = "ringex"         // paid
	VideoProPlus License = "video-pro-plus" // paid; the one with single sign-on
)

// Phone is the grade of the phone entitlement.
type Phone string

// Grades of Phone.
const (
	PhoneNone    Phone = "none"
	PhoneLimited Phone = "limited"
	PhoneFull    Phone = "full"
)

// Entitlements is what a license allows.
type Entitlements struct {
	Messaging bool  `json:"messaging"`
	Video     bool  `json:"video"`
	Phone     Phone `json:"phone"`
	SSO       bool  `json:"sso"`
}

// union joins two sets of entitlements; the higher grade wins.
func (e Entitlements) union(o Entitlements) Entitlements {
	rank := map[Phone]int{PhoneNone: 0, PhoneLimited: 1, PhoneFull: 2}
	if rank[o.Phone] > rank[e.Phone] {
		e.Phone = o.Phone
	}
	e.Messaging, e.Video, e.SSO = e.Messaging || o.Messaging, e.Video || o.Video, e.SSO || o.SSO
	return e
}

// Product is one row of the catalog.
type Product struct {
	License      License
	Name         string // as shown to people
	Description  string
	Paid         bool     // whether it takes a seat
	Spellings    []string // accepted on input beside the id and the name
	Entitlements Entitlements
}

// Catalog gives the licenses on offer, lowest first: where one carrier names several, the last of them counts.
//
// Video Pro has no video: the product page lists it with messaging and limited phone only, although it is called so.
func Catalog() []Product {
	return []Product{
		{
			License: VideoPro, Name: "Video Pro", Description: "Messaging and limited phone; free for everyone.",
			Spellings:    []string{"VideoPro"},
			Entitlements: Entitlements{Messaging: true, Phone: PhoneLimited},
		},
		{
			License: RingEX, Name: "RingEX", Description: "Messaging, video and phone.", Paid: true,
			Entitlements: Entitlements{Messaging: true, Video: true, Phone: PhoneFull},
		},
		{
			License: VideoProPlus, Name: "Video Pro+", Description: "Messaging, video, limited phone and single sign-on.", Paid: true,
			Spellings:    []string{"VideoProPlus"},
			Entitlements: Entitlements{Messaging: true, Video: true, Phone: PhoneLimited, SSO: true},
		},
	}
}

// catalog is Catalog, made once; nobody changes it.
var catalog = Catalog()

// product finds the row of a license; the base license for one that is not in the catalog.
func product(l License) Product {
	for _, p := range catalog {
		if p.License == l {
			return p
		}
	}
	return catalog[0]
}

// Name gives the name of the license as shown to people.
func (l License) Name() string { return product(l).Name }

// Paid says whether the license takes a seat.
func (l License) Paid() bool { return l != NoLicense && product(l).Paid }

// paid gives the licenses that take seats.
func paid() []License {
	var all []License
	for _, p := range catalog {
		if p.Paid {
			all = append(all, p.License)
		}
	}
	return all
}

// ParseLicense reads a license from its id, its name or another accepted spelling, without regard to case.
func ParseLicense(s string) (License, bool) {
	for _, p := range catalog {
		if strings.EqualFold(s, string(p.License)) || strings.EqualFold(s, p.Name) {
			return p.License, true
		}
		for _, other := range p.Spellings {
			if strings.EqualFold(s, other) {
				return p.License, true
			}
		}
	}
	return NoLicense, false
}

// highest gives the highest paid license among those named; NoLicense when none is paid.
func highest(named []License) License {
	best := NoLicense
	for _, p := range catalog { // in rising order
		for _, l := range named {
			if l == p.License && p.Paid {
				best = l
			}
		}
	}
	return best
}
