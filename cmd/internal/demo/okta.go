package demo

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
)

// okta sends what Okta's provisioning sends.
type okta struct {
	client
	ids map[string]string // userName -> id of those who were pushed
}

// page is what Okta adds to each lookup.
func (okta) page() url.Values { return url.Values{"startIndex": {"1"}, "count": {"100"}} }

// assign pushes a person who was assigned to the application, with the license as an entitlement.
func (o okta) assign(ctx context.Context, p person, license string) error {
	found, err := o.find(ctx, "/Users", fmt.Sprintf("userName eq %q", p.userName), o.page())
	if err != nil || len(found) > 0 {
		return err
	}
	var made resource
	if err := o.do(ctx, http.MethodPost, "/Users", o.profile(p, license), &made); err != nil {
		return err
	}
	o.ids[p.userName] = made.ID
	return nil
}

// push sends the whole profile again, after something in it has changed.
func (o okta) push(ctx context.Context, p person, license string) error {
	id, ok := o.ids[p.userName]
	if !ok {
		return nil
	}
	if err := o.do(ctx, http.MethodGet, "/Users/"+id, nil, nil); err != nil {
		return err
	}
	return o.do(ctx, http.MethodPut, "/Users/"+id, o.profile(p, license), nil)
}

func (okta) profile(p person, license string) object {
	profile := object{
		"schemas":     []string{"urn:ietf:params:scim:schemas:core:2.0:User"},
		"userName":    p.userName,
		"name":        object{"givenName": p.given, "familyName": p.family},
		"emails":      []object{{"primary": true, "value": p.userName, "type": "work"}},
		"displayName": p.display(), "locale": "en-US", "externalId": p.externalID, "groups": []object{}, "active": true,
	}
	if license != "" {
		profile["entitlements"] = []object{{"value": license, "type": "License"}}
	}
	return profile
}

// deactivate takes a person out of the application. Okta never deletes people.
func (o okta) deactivate(ctx context.Context, p person) error {
	id, ok := o.ids[p.userName]
	if !ok {
		return nil
	}
	return o.do(ctx, http.MethodPatch, "/Users/"+id, patch(object{"op": "replace", "value": object{"active": false}}), nil)
}

// pushGroup pushes a group and then its members.
func (o okta) pushGroup(ctx context.Context, name string, people ...person) error {
	found, err := o.find(ctx, "/Groups", fmt.Sprintf("displayName eq %q", name), o.page())
	if err != nil || len(found) > 0 {
		return err
	}
	var made resource
	err = o.do(ctx, http.MethodPost, "/Groups",
		object{"schemas": []string{"urn:ietf:params:scim:schemas:core:2.0:Group"}, "displayName": name, "members": []object{}}, &made)
	if err != nil {
		return err
	}
	return o.do(ctx, http.MethodPatch, "/Groups/"+made.ID, patch(
		object{"op": "replace", "value": object{"id": made.ID, "displayName": name}},
		object{"op": "add", "path": "members", "value": members(pushed(o.ids, people))},
	), nil)
}

// pushed gives the ids of those of the people who were pushed.
func pushed(ids map[string]string, people []person) []string {
	var out []string
	for _, p := range people {
		if id, ok := ids[p.userName]; ok {
			out = append(out, id)
		}
	}
	return out
}
