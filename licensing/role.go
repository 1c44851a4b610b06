package licensing

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"usher/store"
)

// Roles, lowest first. People begin with the lowest; the first local admin of a company has the highest. Super-admins and user-admins are
// the company's admins; only a super-admin gives licenses and makes super-admins.
const (
	RoleStandard   = "standard"
	RoleUserAdmin  = "user-admin"
	RoleSuperAdmin = "super-admin"
)

// roles gives the roles, lowest first.
func roles() []string { return []string{RoleStandard, RoleUserAdmin, RoleSuperAdmin} }

// ParseRole reads a role from its id or its name, without regard to case, dashes and spaces.
func ParseRole(s string) (role string, ok bool) {
	plain := strings.NewReplacer(" ", "", "-", "", "_", "")
	for _, r := range roles() {
		if strings.EqualFold(plain.Replace(s), plain.Replace(r)) {
			return r, true
		}
	}
	return "", false
}

// higherRole compares roles.
func higherRole(a, b string) int {
	return cmp.Compare(slices.Index(roles(), a), slices.Index(roles(), b))
}

// decideRole gives the role of an account and, where something asks for more than it gets, the reason. A Super Admin's word goes before
// all; else the highest role counts that anything asks for, and what a connection writes counts up to the company's ceiling. Guests have
// no role.
func decideRole(c store.Company, a store.Account) (role string, reason Reason) {
	role = RoleStandard
	pinned := false
	for _, s := range a.RoleSources {
		switch {
		case s.Kind == string(CarrierPin):
			role, reason, pinned = s.Role, "", true
		case pinned:
		case !Carrier(s.Kind).byRule() && higherRole(s.Role, cmp.Or(c.RoleCeiling, RoleStandard)) > 0:
			reason = RoleCeiling
		case higherRole(s.Role, role) > 0:
			role = s.Role
		}
	}
	if a.MemberType == string(GuestMember) {
		if role != RoleStandard || reason != "" {
			reason = RoleOfGuest
		}
		return RoleStandard, reason
	}
	return role, reason
}

// carryRoles gives the role sources after a write that touched the carriers of intents. before is not changed.
func carryRoles(before []store.RoleSource, intents []Intent, actor string, now time.Time) []store.RoleSource {
	after := before
	for _, in := range intents {
		own := func(s store.RoleSource) bool { return s.Kind == string(in.Carrier) }
		if in.Silent {
			after = without(after, func(s store.RoleSource) bool { return own(s) && s.By == actor })
			continue
		}
		role := ""
		if len(in.Roles) > 0 {
			role = slices.MaxFunc(in.Roles, higherRole)
		}
		if at := slices.IndexFunc(after, own); at >= 0 && after[at].Role == role {
			continue
		}
		after = without(after, own)
		if role != "" {
			after = append(after, store.RoleSource{Kind: string(in.Carrier), By: actor, Role: role, At: now})
		}
	}
	return after
}

// without gives the sources that are not meant, in a slice of its own.
func without(sources []store.RoleSource, meant func(store.RoleSource) bool) []store.RoleSource {
	return slices.DeleteFunc(slices.Clone(sources), meant)
}

// carryRoleRules gives the role sources after the rules that hold for the account have become exactly the ones given.
func carryRoleRules(before []store.RoleSource, rules []store.Rule, now time.Time) []store.RoleSource {
	after := without(before, func(s store.RoleSource) bool { return Carrier(s.Kind).byRule() })
	for _, r := range rules {
		if r.Role == "" {
			continue
		}
		source := store.RoleSource{Kind: string(carrierOf(r)), Ref: r.ID, By: r.By, Role: r.Role, At: now}
		if at := slices.IndexFunc(before, func(s store.RoleSource) bool { return s.Ref == r.ID }); at >= 0 {
			source.At = before[at].At
		}
		after = append(after, source)
	}
	if len(after) == 0 {
		return nil
	}
	return after
}

func equalRoles(a, b []store.RoleSource) bool {
	return slices.EqualFunc(a, b, func(x, y store.RoleSource) bool {
		return x.Kind == y.Kind && x.Ref == y.Ref && x.By == y.By && x.Role == y.Role && x.At.Equal(y.At)
	})
}
