package scim

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	"usher/store"
)

// Preconditions (RFC 7644 section 3.14, RFC 9110 section 13). ETags are weak, as the standard's examples have them, and are compared
// without the W/ for If-Match too, which by the letter no weak tag could meet. Of a user's ETag, "version.memberships", If-Match and
// If-None-Match of a write look at the version only: a change of the memberships is no change of the user.

// versioned is a resource whose version is asked for by a precondition.
type versioned struct {
	dotted  bool                  // its ETag has the version of the memberships behind a dot
	version func() (int64, error) // the one that it has
}

// tags are the entity tags of a header field.
type tags struct {
	given bool
	any   bool // *
	list  []string
}

// preconditionTags reads the entity tags of If-Match or If-None-Match. What is no entity tag matches nothing.
func (x *exchange) preconditionTags(field string) tags {
	values := x.r.Header.Values(field)
	if len(values) == 0 {
		return tags{}
	}
	t := tags{given: true}
	for tag := range strings.SplitSeq(strings.Join(values, ","), ",") {
		switch tag = strings.TrimSpace(tag); tag {
		case "":
		case "*":
			t.any = true
		default:
			t.list = append(t.list, strings.TrimPrefix(tag, "W/"))
		}
	}
	return t
}

// holds says whether one of the tags is that of the version.
func (t tags) holds(version int64, dotted bool) bool {
	if t.any {
		return true
	}
	for _, tag := range t.list {
		if n, ok := versionOf(tag, dotted); ok && n == version {
			return true
		}
	}
	return false
}

// versionOf reads the version out of an entity tag of ours.
func versionOf(tag string, dotted bool) (int64, bool) {
	if len(tag) < 2 || tag[0] != '"' || tag[len(tag)-1] != '"' {
		return 0, false
	}
	version, memberships, hasDot := strings.Cut(tag[1:len(tag)-1], ".")
	if hasDot != dotted || dotted && !isNumber(memberships) || !isNumber(version) {
		return 0, false
	}
	n, err := strconv.ParseInt(version, 10, 64)
	return n, err == nil && n > 0 // 0 would mean any version to a write
}

// isNumber says whether a text is a number as ETags have it.
func isNumber(s string) bool {
	n, err := strconv.ParseUint(s, 10, 63)
	return err == nil && strconv.FormatUint(n, 10) == s
}

// expectedVersion gives the version that a write must find because of its preconditions; 0: any.
func (x *exchange) expectedVersion(of versioned) (int64, error) {
	match, none := x.preconditionTags("If-Match"), x.preconditionTags("If-None-Match")
	if !none.given {
		if !match.given || match.any {
			return 0, nil
		}
		if len(match.list) == 1 { // the write itself finds out
			if n, ok := versionOf(match.list[0], of.dotted); ok {
				return n, nil
			}
		}
	}
	now, err := of.version()
	if err != nil {
		return 0, err
	}
	if match.given && !match.holds(now, of.dotted) {
		return 0, preconditionFailed("If-Match", store.ErrVersion)
	}
	if none.given && none.holds(now, of.dotted) {
		return 0, preconditionFailed("If-None-Match", nil)
	}
	return now, nil
}

// precondition turns a version conflict of a request that named a version into a 412.
func (x *exchange) precondition(err error, expect int64) error {
	if expect != 0 && errors.Is(err, store.ErrVersion) {
		return preconditionFailed("If-Match", err)
	}
	return err
}

func preconditionFailed(field string, cause error) error {
	detail := "The resource is no longer at the version that If-Match names."
	if field == "If-None-Match" {
		detail = "The resource is at a version that If-None-Match excludes."
	}
	return &Error{Status: http.StatusPreconditionFailed, Detail: detail, Cause: cause}
}

// fresh answers the preconditions of a read: it says whether the client has the representation with this ETag already, and fails when
// If-Match asks for another version. stable says that the ETag stands for all that is shown.
func (x *exchange) fresh(etag string, stable bool) (notModified bool, err error) {
	header := x.r.Header
	if header["If-Match"] == nil && header["If-None-Match"] == nil {
		return false, nil
	}
	tag := strings.TrimPrefix(etag, "W/")
	if match := x.preconditionTags("If-Match"); match.given && !match.any {
		found := false
		version, ours := versionOf(tag, strings.Contains(tag, "."))
		for _, given := range match.list {
			n, ok := versionOf(given, strings.Contains(tag, "."))
			found = found || given == tag || ours && ok && n == version
		}
		if !found {
			return false, preconditionFailed("If-Match", nil)
		}
	}
	none := x.preconditionTags("If-None-Match")
	if !stable || !none.given {
		return false, nil
	}
	for _, given := range none.list {
		none.any = none.any || given == tag
	}
	if none.any {
		x.w.Header().Set("ETag", etag)
	}
	return none.any, nil
}

// unchanged answers a read whose preconditions leave nothing to send.
func (x *exchange) unchanged(err error) error {
	if err != nil {
		return err
	}
	return x.reply(http.StatusNotModified, nil)
}
