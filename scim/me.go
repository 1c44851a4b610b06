package scim

import (
	"net/http"
	"reflect"
	"slices"

	"usher/licensing"
	"usher/scim/schema"
)

// me answers at /Me, which stands for the User who is signed in (RFC 7644 section 3.11).
func (x *exchange) me() error {
	if x.who.Person == "" { // as the standard answers where /Me stands for nobody
		return &Error{Status: http.StatusNotImplemented, Detail: "/Me is for people who are signed in; the token is that of a connection, which is not a person."}
	}
	id := x.who.Person
	x.about = "account of the person any more"
	a, err := x.Store.Account(x.ctx, x.who.Company, id)
	if err != nil {
		return err
	}
	if !a.Active {
		return &Error{Status: http.StatusForbidden, Detail: "The account is deactivated."}
	}
	switch x.r.Method {
	case http.MethodGet, http.MethodHead:
		x.w.Header().Set("Location", x.BaseURL+"/Users/"+id)
		return x.getUser(id)
	case http.MethodPut, http.MethodPatch:
		if !x.who.MayEdit {
			return &Error{Status: http.StatusForbidden, Detail: "The company lets people not change their own attributes; an administrator can."}
		}
		x.w.Header().Set("Location", x.BaseURL+"/Users/"+id)
		if x.r.Method == http.MethodPut {
			return x.replaceUser(id)
		}
		return x.patchUser(id)
	case http.MethodPost, http.MethodDelete:
		return &Error{Status: http.StatusForbidden, Detail: "Accounts are made and deleted by the company, not by their people."}
	}
	return x.methodNotAllowed(http.MethodGet, http.MethodPut, http.MethodPatch)
}

// notAPersonsBusiness refuses a person what is for connections.
func notAPersonsBusiness() error {
	return &Error{Status: http.StatusForbidden, Detail: "A person who is signed in may see and change /Me only."}
}

// ownAttributes are those that people may set about themselves. Whatever else a User has decides about access or licenses, or belongs to
// the company's records.
func ownAttributes() []string {
	return []string{
		"name", "displayName", "nickName", "profileUrl", "preferredLanguage", "locale", "timezone", "phoneNumbers", "ims", "photos", "addresses",
	}
}

// checkOwn refuses what a person may not change of itself.
func checkOwn(rt *schema.ResourceType, before, after Resource) error {
	own := ownAttributes()
	var names []string
	for name := range before {
		names = append(names, name)
	}
	for name := range after {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		if slices.Contains(own, name) || reflect.DeepEqual(before[name], after[name]) {
			continue
		}
		if extension := rt.Extension(name); extension != nil {
			name = "the attributes of " + extension.URN
		}
		return &Error{Status: http.StatusForbidden, Detail: "People cannot change " + name + " of their own account."}
	}
	return nil
}

// ownDraft is the draft of a person's change of their own account: it asks for no license and takes none away.
func (x *exchange) ownDraft(old, r Resource) (licensing.Draft, error) {
	if err := checkOwn(x.types.User, old, r); err != nil {
		return licensing.Draft{}, err
	}
	return x.drafter().redraft(old, r, nil)
}
