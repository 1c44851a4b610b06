package scim

// What Okta sends beyond the standard.
const (
	quirkReadOnlyInValue = "read-only-in-patch-value"
)

func oktaQuirks() []QuirkInfo {
	return []QuirkInfo{
		{quirkReadOnlyInValue, "Okta, authentik", `A read-only attribute, such as id, among others in the value of a PATCH operation is ignored.`},
	}
}

// ignoreReadOnly says whether a read-only attribute in the value of a PATCH operation without a path may be passed over.
func (q *quirks) ignoreReadOnly() bool { return q.Allow(quirkReadOnlyInValue) }
