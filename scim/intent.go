package scim

import (
	"maps"
	"strings"

	"usher/licensing"
	"usher/scim/schema"
	"usher/store"
)

// carriers are the attributes of a user that can ask for a license.
func carriers() []licensing.Carrier {
	return []licensing.Carrier{licensing.CarrierLicense, licensing.CarrierEntitlements, licensing.CarrierRoles}
}

// carrierName is the name of a carrier as applyPatch gives the names of what it touched.
func carrierName(c licensing.Carrier) string {
	if c == licensing.CarrierLicense {
		return schema.UsherUserURN + ":license"
	}
	return string(c)
}

// keepCarriers gives the carriers that a request writes and those that it leaves out. Of the latter it puts those back into the resource,
// which is to replace another, that hold what somebody else wrote.
func keepCarriers(r, old Resource, before store.Account, connection string) (written, silent []licensing.Carrier) {
	for _, c := range carriers() {
		_, given := carrierValue(r, c)
		value, had := carrierValue(old, c)
		if given {
			written = append(written, c)
			continue
		}
		silent = append(silent, c)
		if had && licensing.Keeps(before, c, connection) {
			setCarrier(r, c, value)
		}
	}
	return written, silent
}

func carrierValue(r Resource, c licensing.Carrier) (any, bool) {
	if c == licensing.CarrierLicense {
		value, ok := usher(r)["license"]
		return value, ok
	}
	value, ok := r[string(c)]
	return value, ok
}

func setCarrier(r Resource, c licensing.Carrier, value any) {
	if c != licensing.CarrierLicense {
		r[string(c)] = value
		return
	}
	setUsher(r, "license", value)
}

// setUsher gives a resource an attribute of the usher extension.
func setUsher(r Resource, name string, value any) {
	values := maps.Clone(usher(r))
	if values == nil {
		values = map[string]any{}
	}
	values[name] = value
	r[schema.UsherUserURN] = values
}

// noneLiteral is what a client writes that cannot clear an attribute (Entra skips nulls).
const noneLiteral = "none"

// unknownLicense counts, beside the quirks, values of roles and entitlements that are neither licenses nor roles of the company: they are
// kept and have no effect.
const unknownLicense = "unknown-license-value"

// intent gives what a carrier asks for: licenses, and roles in the company where it is the attribute roles.
func (d *drafter) intent(r Resource, c licensing.Carrier) (licensing.Intent, error) {
	licenses, err := d.licensesIn(r, c)
	in := licensing.Intent{Carrier: c, Licenses: licenses}
	if c == licensing.CarrierRoles {
		in.Roles = rolesIn(r)
	}
	return in, err
}

// rolesIn gives the roles in the company that the attribute roles names.
func rolesIn(r Resource) (all []string) {
	values, _ := r[string(licensing.CarrierRoles)].([]any)
	for _, v := range values {
		element, _ := v.(map[string]any)
		name, _ := element["value"].(string)
		if role, ok := licensing.ParseRole(name); ok {
			all = append(all, role)
		}
	}
	return all
}

// licensesIn gives the licenses that a carrier names. In license, and in an entitlement of the type License, a value that is none is an
// error; elsewhere it is something of the client's own.
func (d *drafter) licensesIn(r Resource, c licensing.Carrier) ([]licensing.License, error) {
	value, _ := carrierValue(r, c)
	if c == licensing.CarrierLicense {
		name, _ := value.(string)
		return d.parseLicense("license", name, true)
	}
	values, _ := value.([]any)
	var all []licensing.License
	for _, v := range values {
		element, _ := v.(map[string]any)
		name, _ := element["value"].(string)
		kind, _ := element["type"].(string)
		isLicense := strings.EqualFold(kind, "License")
		if c == licensing.CarrierEntitlements && kind != "" && !isLicense {
			continue // an entitlement of another type
		}
		licenses, err := d.parseLicense(string(c)+".value", name, isLicense && c == licensing.CarrierEntitlements)
		if err != nil {
			return nil, err
		}
		all = append(all, licenses...)
	}
	return all, nil
}

// parseLicense reads one value; must says that it has to be a license.
func (d *drafter) parseLicense(attribute, name string, must bool) ([]licensing.License, error) {
	if name == "" || strings.EqualFold(name, noneLiteral) {
		return nil, nil
	}
	l, ok := licensing.ParseLicense(name)
	switch {
	case ok:
		return []licensing.License{l}, nil
	case must:
		return nil, badRequest(invalidValue, "%s: %s is not a license; they are ringex, video-pro and video-pro-plus, and none takes it away.", attribute, quoted(name))
	}
	if _, ok := licensing.ParseRole(name); !ok {
		d.quirks.note(unknownLicense)
	}
	return nil, nil
}
