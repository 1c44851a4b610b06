package scim

import (
	"strconv"
	"time"

	"usher/store"
)

// URNs of the messages of RFC 7644.
const (
	errorURN = "urn:ietf:params:scim:api:messages:2.0:Error"
	listURN  = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
)

// userETag is the version of a user: that of the account, which If-Match is compared with, and that of its memberships.
func userETag(a *store.Account) string {
	b := make([]byte, 0, 24)
	b = append(b, `W/"`...)
	b = strconv.AppendInt(b, a.Version, 10)
	b = append(b, '.')
	b = strconv.AppendInt(b, a.GroupsVersion, 10)
	return string(append(b, '"'))
}

func groupETag(g *store.Group) string { return `W/"` + strconv.FormatInt(g.Version, 10) + `"` }

// appendUser renders a user: the document as it is stored, and around it what the server adds. The document ends with the object of
// the usher extension (see encode), into which the read-only license attributes go.
func (h *Handler) appendUser(b []byte, a *store.Account, groups []inGroup) []byte {
	b = append(b, `{"id":"`...)
	b = append(b, a.ID...)
	b = append(b, `",`...)
	b = append(b, a.Doc[1:len(a.Doc)-2]...)
	if b[len(b)-1] != '{' {
		b = append(b, ',')
	}
	b = append(b, `"effectiveLicense":"`...)
	b = append(b, a.Effective...)
	b = append(b, `","licenseState":"`...)
	b = append(b, a.LicenseState...)
	if a.LicenseReason != "" {
		b = append(b, `","licenseReason":"`...)
		b = append(b, a.LicenseReason...)
	}
	b = append(b, '"')
	if len(a.Sources) > 0 {
		b = append(b, `,"licenseSources":[`...)
		for i, s := range a.Sources {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(b, '"')
			b = append(b, s.Kind...)
			b = append(b, ':')
			b = append(b, s.License...)
			b = append(b, '"')
		}
		b = append(b, ']')
	}
	b = append(b, `,"memberType":"`...)
	b = append(b, a.MemberType...)
	b = append(b, `","assignedRole":"`...)
	b = append(b, a.Role...)
	b = append(b, `"}`...)
	if len(groups) > 0 {
		b = append(b, `,"groups":[`...)
		for i, g := range groups {
			if i > 0 {
				b = append(b, ',')
			}
			b = h.appendReference(b, allParts(), "Groups", g.Group, g.Display, g.kind)
		}
		b = append(b, ']')
	}
	return h.appendMeta(b, "User", "/Users/", a.ID, a.Created, a.Modified, userETag(a))
}

// appendGroup renders a group without its members.
func (h *Handler) appendGroup(b []byte, g *store.Group) []byte {
	b = append(b, `{"id":"`...)
	b = append(b, g.ID...)
	b = append(b, `",`...)
	b = append(b, g.Doc[1:len(g.Doc)-1]...)
	return h.appendMeta(b, "Group", "/Groups/", g.ID, g.Created, g.Modified, groupETag(g))
}

// parts says which sub-attributes of a reference are shown.
type parts struct{ value, ref, display, kind bool }

// allParts shows all of them.
func allParts() parts { return parts{true, true, true, true} }

// appendReference renders one value of members or groups.
func (h *Handler) appendReference(b []byte, p parts, endpoint, id, display, kind string) []byte {
	b = append(b, '{')
	if p.value {
		b = append(b, `"value":"`...)
		b = append(b, id...)
		b = append(b, `",`...)
	}
	if p.ref {
		b = append(b, `"$ref":"`...)
		b = append(b, h.BaseURL...)
		b = append(b, '/')
		b = append(b, endpoint...)
		b = append(b, '/')
		b = append(b, id...)
		b = append(b, `",`...)
	}
	if p.display {
		b = append(b, `"display":`...)
		b = append(appendString(b, display), ',')
	}
	if p.kind {
		b = append(b, `"type":"`...)
		b = append(b, kind...)
		b = append(b, `",`...)
	}
	b[len(b)-1] = '}'
	return b
}

// appendMeta renders meta and ends the resource.
func (h *Handler) appendMeta(b []byte, kind, endpoint, id string, created, modified time.Time, version string) []byte {
	b = append(b, `,"meta":{"resourceType":"`...)
	b = append(b, kind...)
	b = append(b, `","created":"`...)
	b = created.AppendFormat(b, wireTime)
	b = append(b, `","lastModified":"`...)
	b = modified.AppendFormat(b, wireTime)
	b = append(b, `","location":"`...)
	b = append(b, h.BaseURL...)
	b = append(b, endpoint...)
	b = append(b, id...)
	b = append(b, `","version":`...)
	b = strconv.AppendQuote(b, version)
	return append(b, `}}`...)
}

// wireTime is the form of times on the wire: UTC, milliseconds.
const wireTime = "2006-01-02T15:04:05.000Z"

// listHead is what a ListResponse says of its page (RFC 7644 section 3.4.2, RFC 9865 section 2).
type listHead struct {
	total int
	start int // startIndex; 0: a page by cursor, which has none
	n     int // resources on the page
	next  string
}

// openList begins a ListResponse; closeList ends it.
func openList(b []byte, h listHead) []byte {
	b = append(b, `{"schemas":["`+listURN+`"],"totalResults":`...)
	b = strconv.AppendInt(b, int64(h.total), 10)
	if h.start > 0 {
		b = append(b, `,"startIndex":`...)
		b = strconv.AppendInt(b, int64(h.start), 10)
	}
	b = append(b, `,"itemsPerPage":`...)
	b = strconv.AppendInt(b, int64(h.n), 10)
	if h.next != "" {
		b = append(b, `,"nextCursor":"`...)
		b = append(b, h.next...)
		b = append(b, '"')
	}
	return append(b, `,"Resources":[`...)
}

// nextInList puts a comma between resources.
func nextInList(b []byte) []byte {
	if b[len(b)-1] == '[' {
		return b
	}
	return append(b, ',')
}

func closeList(b []byte) []byte { return append(b, `]}`...) }

// around is about how much is rendered around a document.
const around = 768
