package scim

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"usher/scim/schema"
	"usher/store"
)

// listRequest is a request for a page of resources (RFC 7644 section 3.4.2).
type listRequest struct {
	query   store.Query
	start   int // startIndex of the answer
	project *projection
}

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

// projection is what the request wants to see of resources of the type.
func (x *exchange) projection(rt *schema.ResourceType) (*projection, error) {
	if x.r.URL.RawQuery == "" {
		return nil, nil
	}
	p, err := x.params()
	if err != nil {
		return nil, err
	}
	return projectionOf(rt, p["attributes"], p["excludedAttributes"])
}

// pageRequest reads the parameters of a list.
func (x *exchange) pageRequest(rt *schema.ResourceType) (listRequest, error) {
	l := listRequest{start: 1, query: store.Query{Limit: x.Limits.PageSize, Total: true, Budget: x.Limits.QueryRows}}
	var err error
	if l.project, err = x.projection(rt); err != nil {
		return l, err
	}
	p, err := x.params()
	if err != nil {
		return l, err
	}
	if l.start, err = integer(p, "startIndex", 1); err != nil {
		return l, err
	}
	if l.query.Limit, err = integer(p, "count", x.Limits.PageSize); err != nil {
		return l, err
	}
	l.start = max(l.start, 1)
	l.query.Offset = l.start - 1
	l.query.Limit = min(max(l.query.Limit, 0), x.Limits.Page)
	if p.Has("filter") {
		l.query.Filter, err = x.parser.Filter(p.Get("filter"), rt, x.quirks)
	}
	return l, err
}

// plusAsWritten is for a query that found nothing: it reads the filter again with every raw plus inside a literal taken for itself, and
// says whether that is another filter.
func (x *exchange) plusAsWritten(q *store.Query, rt *schema.ResourceType) bool {
	literal, ok := x.quirks.plusInLiteral(x.r.URL.RawQuery)
	if !ok {
		return false
	}
	again, err := x.parser.Filter(literal, rt, x.quirks)
	if err != nil { // then that is not what was meant
		return false
	}
	q.Filter = again
	return true
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

// queryContext bounds the time that one query may take.
func (x *exchange) queryContext() (context.Context, context.CancelFunc) {
	return context.WithTimeout(x.ctx, x.Limits.QueryTime)
}

// notModified says whether the client has the version already (RFC 9110 section 13.1.2).
func (x *exchange) notModified(etag string) bool {
	given := x.r.Header.Get("If-None-Match")
	if given == "" {
		return false
	}
	x.w.Header().Set("ETag", etag)
	for tag := range strings.SplitSeq(given, ",") {
		if tag = strings.TrimSpace(tag); tag == "*" || strings.TrimPrefix(tag, "W/") == strings.TrimPrefix(etag, "W/") {
			return true
		}
	}
	return false
}

// expectedVersion gives the version that the request's If-Match asks for (RFC 9110 section 13.1.1); 0: any. Of several it is the one that
// the resource has, which current reads. Of a user's ETag only the part before the dot counts: a change of the memberships is no change
// of the user. A tag that is not one of ours matches nothing.
func (x *exchange) expectedVersion(current func() (int64, error)) (int64, error) {
	given := strings.TrimSpace(x.r.Header.Get("If-Match"))
	if given == "" || given == "*" {
		return 0, nil
	}
	var versions []int64
	for tag := range strings.SplitSeq(given, ",") {
		text, err := strconv.Unquote(strings.TrimPrefix(strings.TrimSpace(tag), "W/"))
		if err != nil {
			continue
		}
		version, memberships, dotted := strings.Cut(text, ".")
		n, err := strconv.ParseInt(version, 10, 64)
		if err == nil && dotted {
			_, err = strconv.ParseUint(memberships, 10, 64)
		}
		if err == nil && n > 0 && version == strconv.FormatInt(n, 10) {
			versions = append(versions, n)
		}
	}
	if len(versions) == 1 {
		return versions[0], nil
	}
	now, err := current()
	if err != nil {
		return 0, err
	}
	if !slices.Contains(versions, now) {
		return 0, x.precondition(store.ErrVersion, now)
	}
	return now, nil
}

// precondition turns a version conflict of a request that named a version into a 412.
func (x *exchange) precondition(err error, expect int64) error {
	if expect != 0 && errors.Is(err, store.ErrVersion) {
		return &Error{Status: http.StatusPreconditionFailed, Detail: "The resource is no longer at the version that If-Match names.", Cause: err}
	}
	return err
}
