package demo

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
)

// entra sends what the provisioning service of Microsoft Entra ID sends.
type entra struct {
	client
	ids map[string]string // userName -> id of those who were pushed
}

// carrier is the attribute to which the customer has mapped the license.
type carrier int

const (
	noLicense carrier = iota
	inRole            // an application role
	inLicense         // the attribute license of usher's extension
)

// provision pushes a person who is in scope.
func (e entra) provision(ctx context.Context, p person, in carrier, license string) error {
	found, err := e.find(ctx, "/Users", fmt.Sprintf("userName eq %q", p.userName), nil)
	if err != nil || len(found) > 0 {
		return err
	}
	user := object{
		"schemas": []string{
			"urn:ietf:params:scim:schemas:core:2.0:User", "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
		},
		"externalId": p.externalID, "userName": p.userName, "active": true, "displayName": p.display(),
		"emails": []object{{"primary": true, "type": "work", "value": p.userName}},
		"meta":   object{"resourceType": "User"},
		"name":   object{"formatted": p.display(), "familyName": p.family, "givenName": p.given},
	}
	switch in {
	case inRole:
		user["roles"] = []object{{"primary": true, "type": "WindowsAzureActiveDirectoryRole", "value": license}}
	case inLicense:
		user["urn:ietf:params:scim:schemas:extension:usher:2.0:User"] = object{"license": license}
	}
	var made resource
	if err := e.do(ctx, http.MethodPost, "/Users", user, &made); err != nil {
		return err
	}
	e.ids[p.userName] = made.ID
	return nil
}

// update changes attributes: one capitalised operation for each.
func (e entra) update(ctx context.Context, p person, operations ...object) error {
	id, ok := e.ids[p.userName]
	if !ok {
		return nil
	}
	return e.do(ctx, http.MethodPatch, "/Users/"+id, patch(operations...), nil)
}

// disable ends a person's access; the boolean comes as text.
func (e entra) disable(ctx context.Context, p person) error {
	return e.update(ctx, p, object{"op": "Replace", "path": "active", "value": "False"})
}

// pushGroup pushes a group and then its members.
func (e entra) pushGroup(ctx context.Context, name string, people ...person) error {
	found, err := e.find(ctx, "/Groups", fmt.Sprintf("displayName eq %q", name), url.Values{"excludedAttributes": {"members"}})
	if err != nil || len(found) > 0 {
		return err
	}
	var made resource
	err = e.do(ctx, http.MethodPost, "/Groups", object{
		"schemas": []string{
			"urn:ietf:params:scim:schemas:core:2.0:Group", "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group",
		},
		"externalId": "8aa1a0c0-c4c3-4bc0-b4a5-2ef676900159", "displayName": name, "meta": object{"resourceType": "Group"},
	}, &made)
	if err != nil {
		return err
	}
	return e.do(ctx, http.MethodPatch, "/Groups/"+made.ID, patch(
		object{"op": "Add", "path": "members", "value": members(pushed(e.ids, people))},
	), nil)
}
