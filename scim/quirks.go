package scim

import (
	"maps"
	"slices"

	"usher/scim/filter"
)

// quirks decides, for one request, which departures from the standard are tolerated, and remembers which were needed. Each has a name
// and is a method, beside the names of its vendor. Where a quirk is off the answer is the standard's.
// It is not safe for concurrent use.
type quirks struct {
	strict  bool // all are off
	off     []string
	applied map[string]int
}

// newQuirks allows all quirks but those named, or none where strict.
func newQuirks(off []string, strict bool) *quirks {
	return &quirks{off: off, strict: strict}
}

// Allow says whether a quirk is on, and counts it if so: it is called where a request needs the quirk, and nowhere else. It is what the
// filter package asks, and the methods of the quirks.
func (q *quirks) Allow(name string) bool {
	if q.strict || slices.Contains(q.off, name) {
		return false
	}
	q.note(name)
	return true
}

// uncounted decides like q and counts nothing: for looking at something a second time.
func (q *quirks) uncounted() *quirks { return &quirks{off: q.off, strict: q.strict} }

// note counts what was let pass; by itself it is for what cannot be switched off.
func (q *quirks) note(name string) {
	if q.applied == nil {
		q.applied = make(map[string]int)
	}
	q.applied[name]++
}

// merge counts what was let pass in a part of the request that was decided by itself.
func (q *quirks) merge(part *quirks) {
	for name, n := range part.applied {
		if q.applied == nil {
			q.applied = make(map[string]int)
		}
		q.applied[name] += n
	}
}

// Applied gives how often each quirk was needed.
func (q *quirks) Applied() map[string]int { return q.applied }

// names gives the quirks that were needed so far, sorted; nil when there were none.
func (q *quirks) names() []string {
	if len(q.applied) == 0 {
		return nil
	}
	return slices.Sorted(maps.Keys(q.applied))
}

// QuirkInfo describes one quirk for people.
type QuirkInfo struct {
	Name     string // by which a connection switches it off
	Vendor   string // who is known to need it
	Sentence string // what is tolerated
}

// Quirks lists all vendor quirks. The list is the caller's.
func Quirks() []QuirkInfo {
	return slices.Concat(entraQuirks(), oktaQuirks(), otherQuirks(), filterQuirks())
}

// QuirkNames lists the names of all vendor quirks: what a connection can switch off.
func QuirkNames() []string {
	var names []string
	for _, info := range Quirks() {
		names = append(names, info.Name)
	}
	return names
}

// filterQuirks are those that the filter package asks for.
func filterQuirks() []QuirkInfo {
	return []QuirkInfo{
		{filter.QuirkUnquotedLiteral, "authentik", `A bare word in a filter is a string: userName eq ada.`},
		{filter.QuirkValuePathTail, "Entra", `A filter may compare a sub-attribute of selected values: emails[type eq "work"].value eq "x".`},
		{filter.QuirkQuotedBoolean, "Entra", `A boolean may be quoted in a filter or path: roles[primary eq "True"].`},
		{filter.QuirkExtensionAtTop, "Entra", `A filter may name the attributes of an extension without its URN: manager eq "x".`},
	}
}
