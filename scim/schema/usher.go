package schema

import (
	"github.com/elimity-com/scim/optional"
	elimity "github.com/elimity-com/scim/schema"
)

// usherUser is the extension of User that carries licenses.
func usherUser() elimity.Schema {
	return elimity.Schema{
		ID:          UsherUserURN,
		Name:        optional.NewString("usher User"),
		Description: optional.NewString("The license of a User: the one asked for, the one in effect, and why."),
		Attributes: elimity.Attributes{
			stringAttribute(elimity.StringParams{
				Name: "license",
				Description: optional.NewString("The license asked for. It is returned as written, whether or not it is in effect; " +
					"\"none\" ends the request."),
				CanonicalValues: []string{"ringex", "video-pro", "video-pro-plus"},
			}),
			stringAttribute(elimity.StringParams{
				Name:        "extensionNumber",
				Description: optional.NewString("The number of the User's phone extension, up to 10 digits. A PUT that leaves it out keeps it."),
				Uniqueness:  elimity.AttributeUniquenessServer(),
				CaseExact:   true,
			}),
			stringAttribute(elimity.StringParams{
				Name: "activation",
				Description: optional.NewString("How a new User comes to use the account: \"invite\" sends a mail with a link to its set-up, " +
					"\"later\" sends nothing. Left out, the company's policy decides. It is read on creation only."),
				CanonicalValues: []string{"invite", "later"},
				Mutability:      elimity.AttributeMutabilityWriteOnly(),
				Returned:        elimity.AttributeReturnedNever(),
			}),
			readOnly(elimity.StringParams{
				Name:            "effectiveLicense",
				Description:     optional.NewString("The license in effect."),
				CanonicalValues: []string{"ringex", "video-pro", "video-pro-plus"},
			}),
			readOnly(elimity.StringParams{
				Name:            "licenseState",
				Description:     optional.NewString("The state of the license asked for. It is in effect when \"reserved\" or \"active\"."),
				CanonicalValues: []string{"none", "waiting", "reserved", "active", "held", "blocked"},
			}),
			readOnly(elimity.StringParams{
				Name:        "licenseReason",
				Description: optional.NewString("Why the license asked for is not in effect; absent when it is."),
			}),
			readOnly(elimity.StringParams{
				Name:        "licenseSources",
				Description: optional.NewString("All that ask for a license for the User, and which one."),
				MultiValued: true,
			}),
			readOnly(elimity.StringParams{
				Name:            "memberType",
				Description:     optional.NewString("Whether the User is a co-worker or a guest of the company."),
				CanonicalValues: []string{"coworker", "guest"},
			}),
			readOnly(elimity.StringParams{
				Name:            "assignedRole",
				Description:     optional.NewString("The role of the User in the company."),
				CanonicalValues: []string{"super-admin", "user-admin", "standard"},
			}),
		},
	}
}

// licenseSchema is the core schema of License, in the form in which Okta discovers what a User may be given.
func licenseSchema() elimity.Schema {
	return elimity.Schema{
		ID:          LicenseURN,
		Name:        optional.NewString("Entitlement"),
		Description: optional.NewString("A license that a User can be given."),
		Attributes: elimity.Attributes{
			readOnly(elimity.StringParams{
				Name:        "displayName",
				Description: optional.NewString("The name of the license for people."),
			}),
			readOnly(elimity.StringParams{
				Name:        "type",
				Description: optional.NewString("The kind of entitlement: the name of this resource type."),
			}),
			readOnly(elimity.StringParams{
				Name:        "description",
				Description: optional.NewString("What the license includes."),
			}),
		},
	}
}

// usherLicense is the extension of License with the seats of the company.
func usherLicense() elimity.Schema {
	return elimity.Schema{
		ID:          UsherLicense,
		Name:        optional.NewString("usher License"),
		Description: optional.NewString("The seats of a license in the company."),
		Attributes: elimity.Attributes{
			count("total", "The seats that the company has."),
			count("used", "The seats taken: active, reserved and held ones."),
			count("active", "The seats of Users who have signed in."),
			count("reserved", "The seats of Users who have not signed in yet."),
			count("held", "The seats kept for deactivated Users."),
			count("waiting", "The Users who wait for a seat."),
		},
	}
}

func stringAttribute(p elimity.StringParams) elimity.CoreAttribute {
	return elimity.SimpleCoreAttribute(elimity.SimpleStringParams(p))
}

func readOnly(p elimity.StringParams) elimity.CoreAttribute {
	p.Mutability = elimity.AttributeMutabilityReadOnly()
	return stringAttribute(p)
}

func count(name, description string) elimity.CoreAttribute {
	return elimity.SimpleCoreAttribute(elimity.SimpleNumberParams(elimity.NumberParams{
		Name:        name,
		Description: optional.NewString(description),
		Type:        elimity.AttributeTypeInteger(),
		Mutability:  elimity.AttributeMutabilityReadOnly(),
	}))
}
