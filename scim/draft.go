package scim

import (
	"strings"

	"usher/licensing"
	"usher/scim/schema"
	"usher/store/query"
)

// drafter turns resources into what licensing is asked for.
type drafter struct {
	user    *schema.ResourceType
	indexes []query.Index
	limit   int64 // bytes of a document
	quirks  *quirks
}

func (x *exchange) drafter() *drafter {
	return &drafter{user: x.types.User, indexes: x.indexes, limit: x.Limits.UserBody, quirks: x.quirks}
}

// draft turns a resource into what licensing is asked for; touched are the carriers of license intent that the request wrote.
func (d *drafter) draft(r Resource, touched []licensing.Carrier) (licensing.Draft, error) {
	if err := checkResource(d.user, r); err != nil {
		return licensing.Draft{}, err
	}
	userName, _ := r["userName"].(string)
	externalID, _ := r["externalId"].(string)
	active, given := r["active"].(bool)
	if !given { // whether a person has access is too much to guess
		return licensing.Draft{}, badRequest(invalidValue, "active must be true or false and cannot be cleared.")
	}
	number, err := extensionOf(r)
	if err != nil {
		return licensing.Draft{}, err
	}
	draft := licensing.Draft{
		UserName: query.Fold(userName), ExternalID: externalID, Display: displayName(r, userName), Active: active,
		Email: workEmail(r, userName), Doc: encode(d.user, r), Extension: number,
	}
	if int64(len(draft.Doc)) > d.limit {
		return licensing.Draft{}, badRequest(invalidValue, "The user would be larger than %d bytes.", d.limit)
	}
	draft.Terms = query.Terms(draft.Doc, d.indexes)
	for _, carrier := range touched {
		in, err := d.intent(r, carrier)
		if err != nil {
			return licensing.Draft{}, err
		}
		draft.Intents = append(draft.Intents, in)
	}
	return draft, nil
}

// displayName is the name by which lists of members show a person.
func displayName(r Resource, userName string) string {
	if display, ok := r["displayName"].(string); ok {
		return display
	}
	if name, ok := r["name"].(map[string]any); ok {
		if formatted, ok := name["formatted"].(string); ok {
			return formatted
		}
	}
	return userName
}

// workEmail is the address by which guests are told from coworkers: the work address, else the primary one, else the first, else a user
// name that is an address. Entra's user names of guests hold #EXT# and its own domain, and say nothing.
func workEmail(r Resource, userName string) string {
	emails, _ := r["emails"].([]any)
	best, rank := "", 0
	for _, e := range emails {
		email, _ := e.(map[string]any)
		value, _ := email["value"].(string)
		kind, _ := email["type"].(string)
		primary, _ := email["primary"].(bool)
		score := 1
		switch {
		case strings.EqualFold(kind, "work"):
			score = 3
		case primary:
			score = 2
		}
		if value != "" && score > rank {
			best, rank = value, score
		}
	}
	if best == "" && strings.Contains(userName, "@") && !strings.Contains(strings.ToUpper(userName), "#EXT#") {
		return userName
	}
	return best
}

// redraft is draft for an account that exists.
func (d *drafter) redraft(old, r Resource, touched []licensing.Carrier) (licensing.Draft, error) {
	if err := checkImmutable(d.user, old, r); err != nil {
		return licensing.Draft{}, err
	}
	draft, err := d.draft(r, touched)
	userName, _ := old["userName"].(string)
	draft.Was = workEmail(old, userName)
	draft.Moved = draft.Email != draft.Was
	return draft, err
}

// extensionNumber is the attribute of the usher extension that has the number of a person's phone extension.
const extensionNumber = "extensionNumber"

// maxExtension is how many digits a phone extension has at most.
const maxExtension = 10

// extensionOf gives the phone extension of a resource; empty: it has none.
func extensionOf(r Resource) (string, error) {
	number, _ := usher(r)[extensionNumber].(string)
	if len(number) > maxExtension || strings.Trim(number, "0123456789") != "" {
		return "", badRequest(invalidValue, "%s: %s is not a number of up to %d digits.", extensionNumber, quoted(number), maxExtension)
	}
	return number, nil
}

// activationIn gives what the body of a POST says of how the person comes to use the account; empty: nothing. The attribute is written
// only: it is part of no resource.
func activationIn(body map[string]any) (string, error) {
	values, _ := member(body, schema.UsherUserURN)
	given, _ := values.(map[string]any)
	value, ok := member(given, "activation")
	if flat, is := member(body, schema.UsherUserURN+":activation"); is {
		value, ok = flat, true
	}
	if !ok || value == nil {
		return "", nil
	}
	how, _ := value.(string)
	switch how = strings.ToLower(how); how {
	case licensing.SetupInvite, licensing.SetupLater:
		return how, nil
	case licensing.SetupCredentials:
		return "", badRequest(invalidValue, "activation: credentials are assigned by an admin of the company; ask for %s or %s.", licensing.SetupInvite, licensing.SetupLater)
	}
	return "", badRequest(invalidValue, "activation is one of %s and %s.", licensing.SetupInvite, licensing.SetupLater)
}
