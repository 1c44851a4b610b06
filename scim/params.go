package scim

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"usher/scim/schema"
)

// searchURN is the schema of a search by POST.
const searchURN = "urn:ietf:params:scim:api:messages:2.0:SearchRequest"

// params are the query parameters, decoded once. Unlike url.ParseQuery it takes a semicolon for what it is, and a parameter that cannot
// be decoded for an error: without its filter a list would be of everybody.
func (x *exchange) params() (url.Values, error) {
	if x.parameters != nil || x.badQuery != nil {
		return x.parameters, x.badQuery
	}
	parameters := url.Values{}
	for pair := range strings.SplitSeq(x.r.URL.RawQuery, "&") {
		if pair == "" {
			continue
		}
		rawName, rawValue, _ := strings.Cut(pair, "=")
		name, nameErr := url.QueryUnescape(rawName)
		value, valueErr := url.QueryUnescape(rawValue)
		if nameErr != nil || valueErr != nil {
			scimType := invalidValue
			if name == "filter" {
				scimType = invalidFilter
			}
			x.badQuery = badRequest(scimType, "The query parameter %s is not percent-encoded as it should be.", quoted(rawName))
			return nil, x.badQuery
		}
		parameters[name] = append(parameters[name], value)
	}
	x.parameters = parameters
	return parameters, nil
}

// search answers a search by POST (RFC 7644 section 3.4.3). Its body says what a query string says otherwise, so the list is the same.
func (x *exchange) search(list func(*exchange) error) error {
	if x.r.Method != http.MethodPost {
		return x.methodNotAllowed(http.MethodPost)
	}
	body, err := x.readBody(x.Limits.UserBody)
	if err != nil {
		return err
	}
	if x.parameters, err = searchParams(body, x.quirks); err != nil {
		return err
	}
	x.searching = true
	return list(x)
}

// searchParams turns the body of a search into query parameters. What is null is left out. The error is an *Error.
func searchParams(body map[string]any, q *quirks) (url.Values, error) {
	listed, err := schemasOf(body, q)
	if err != nil {
		return nil, err
	}
	if listed != nil && !containsFold(listed, searchURN) && !q.unknownSchemas() {
		return nil, badRequest(invalidSyntax, "The schemas must hold %q.", searchURN)
	}
	p := url.Values{}
	for _, name := range []string{"attributes", "excludedAttributes"} {
		value, _ := member(body, name)
		if err := addNames(p, name, value); err != nil {
			return nil, err
		}
	}
	for _, name := range []string{"filter", "sortBy", "sortOrder", "cursor"} {
		switch value, _ := member(body, name); value := value.(type) {
		case nil:
		case string:
			p.Set(name, value)
		default:
			return nil, badRequest(invalidSyntax, "%s must be a string, not %s.", name, shown(value))
		}
	}
	for _, name := range []string{"startIndex", "count"} {
		switch value, _ := member(body, name); value := value.(type) {
		case nil:
		case json.Number:
			p.Set(name, value.String())
		case string: // as in a query
			p.Set(name, value)
		default:
			return nil, badRequest(invalidSyntax, "%s must be a whole number, not %s.", name, shown(value))
		}
	}
	return p, nil
}

func addNames(p url.Values, name string, value any) error {
	switch value := value.(type) {
	case nil:
	case string:
		p.Set(name, value)
	case []any:
		for _, item := range value {
			text, ok := item.(string)
			if !ok {
				return badRequest(invalidSyntax, "%s must be a list of strings.", name)
			}
			p.Add(name, text)
		}
	default:
		return badRequest(invalidSyntax, "%s must be a list of strings, not %s.", name, shown(value))
	}
	return nil
}

// projection is what the request wants to see of resources of the type.
func (x *exchange) projection(rt *schema.ResourceType) (*projection, error) {
	if x.r.URL.RawQuery == "" && !x.searching {
		return defaultProjection(rt), nil
	}
	p, err := x.params()
	if err != nil {
		return nil, err
	}
	return projectionOf(rt, p["attributes"], p["excludedAttributes"])
}

// integer reads a whole number; clients send them in quotes, too.
func integer(p url.Values, name string, otherwise int) (int, error) {
	text := strings.Trim(strings.TrimSpace(p.Get(name)), `"`)
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) { // out of range it is the largest or smallest there is
		return 0, badRequest(invalidValue, "%s must be a whole number, not %s.", name, quoted(text))
	}
	const most = 1 << 40 // far beyond any list, and safe to count from
	return int(min(max(n, -most), most)), nil
}
