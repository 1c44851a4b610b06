package scim

import (
	"usher/store"
)

// inGroup is a group that a user is in, directly or through other groups (RFC 7643 section 4.1.2).
type inGroup struct {
	store.Membership
	kind string // direct or indirect
}

// groupsOf reads the groups of those accounts that have any, if they are to be seen.
func (x *exchange) groupsOf(accounts []store.Account, project *projection) (map[string][]inGroup, error) {
	if !project.wants("groups") {
		return nil, nil
	}
	var ids []string
	for i := range accounts {
		if accounts[i].Groups > 0 {
			ids = append(ids, accounts[i].ID)
		}
	}
	if len(ids) == 0 { // nobody is in a group by others alone
		return nil, nil
	}
	direct, err := x.Store.MembershipsOf(x.ctx, x.who.Company, ids)
	if err != nil {
		return nil, err
	}
	above, err := x.supergroups(direct)
	if err != nil {
		return nil, err
	}
	of := make(map[string][]inGroup, len(direct))
	for id, memberships := range direct {
		of[id] = upwards(memberships, above)
	}
	return of, nil
}

// supergroups follows groups upwards: it gives, for each group that is in others, those.
func (x *exchange) supergroups(direct map[string][]store.Membership) (map[string][]store.Membership, error) {
	above := map[string][]store.Membership{}
	seen := map[string]bool{}
	var next []string
	note := func(memberships []store.Membership) {
		for _, m := range memberships {
			if !seen[m.Group] {
				seen[m.Group] = true
				next = append(next, m.Group)
			}
		}
	}
	for _, memberships := range direct {
		note(memberships)
	}
	for len(next) > 0 {
		found, err := x.Store.Supergroups(x.ctx, x.who.Company, next)
		if err != nil {
			return nil, err
		}
		next = nil
		for group, memberships := range found {
			above[group] = memberships
			note(memberships)
		}
	}
	return above, nil
}

// upwards gives the direct groups and then those above them, each once.
func upwards(direct []store.Membership, above map[string][]store.Membership) []inGroup {
	all := make([]inGroup, 0, len(direct))
	for _, m := range direct {
		all = append(all, inGroup{m, "direct"})
	}
	if len(above) == 0 {
		return all
	}
	seen := make(map[string]bool, len(direct))
	for _, m := range direct {
		seen[m.Group] = true
	}
	for i := 0; i < len(all); i++ {
		for _, m := range above[all[i].Group] {
			if !seen[m.Group] {
				seen[m.Group] = true
				all = append(all, inGroup{m, "indirect"})
			}
		}
	}
	return all
}
