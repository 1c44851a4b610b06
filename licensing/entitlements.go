package licensing

import (
	"slices"
	"strings"
)

// String lists them as people say them.
func (e Entitlements) String() string { return strings.Join(e.Phrases(), ", ") }

// Phrases gives them as people say them.
func (e Entitlements) Phrases() []string {
	var all []string
	if e.Messaging {
		all = append(all, "messaging")
	}
	if e.Video {
		all = append(all, "video")
	}
	switch e.Phone {
	case PhoneLimited:
		all = append(all, "limited phone")
	case PhoneFull:
		all = append(all, "phone")
	}
	if e.SSO {
		all = append(all, "single sign-on")
	}
	return all
}

// List gives them as programs name them: messaging, video, phone:limited or phone:full, sso.
func (e Entitlements) List() []string {
	all := []string{}
	if e.Messaging {
		all = append(all, "messaging")
	}
	if e.Video {
		all = append(all, "video")
	}
	if e.Phone != PhoneNone {
		all = append(all, "phone:"+string(e.Phone))
	}
	if e.SSO {
		all = append(all, "sso")
	}
	return all
}

// Includes says whether one of them is there by the name that [Entitlements.List] gives it. "phone" is there whatever its grade, and the full
// one includes the limited one. There is none by another name.
func (e Entitlements) Includes(name string) bool {
	switch name {
	case "phone":
		return e.Phone != PhoneNone
	case "phone:" + string(PhoneLimited):
		return e.Phone == PhoneLimited || e.Phone == PhoneFull
	}
	return slices.Contains(e.List(), name)
}
