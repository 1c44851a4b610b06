// Package filter parses SCIM filters and PATCH paths (RFC 7644 sections 3.4.2.2 and 3.5.2) and judges them against the schema of a
// resource type: what comes out is a [query.Node] that every store understands, or an [Error] in words for the sender.
//
// The grammar is that of github.com/scim2/filter-parser, which no other package imports. It takes microseconds for each
// character, recurses without bound, is quadratic in some characters, leaves string escapes as they are and knows only short
// value paths. So it never sees what a client sent. One linear pass over the text, with limits on its length and depth, replaces
// each literal and each value path by a number: userName eq "ada" and emails[type eq "work"] becomes
//
//	userName eq "0" and emails eq "1"
//
// The parser is given this skeleton, and the tree it makes is kept in a bounded cache. Clients send few shapes of filters with
// many literals, so nearly all filters are answered from the cache. Names are then resolved and literals brought into canonical
// form for the request at hand, and the filter in a value path goes the same way by itself.
//
// Where the standard leaves room: a multi-valued or complex attribute that has a sub-attribute "value" may be compared without
// naming it (emails eq "x"); eq null asks whether an attribute is absent, ne null whether it is present; ne is not eq; attributes
// that are never returned cannot be asked about at all, since a filter would tell their values.
//
// Tolerances beyond the standard are named (the Quirk constants), and [Quirks] decides about each where it would be used.
//
// Left to others: what comparisons mean on values (store/query), how a store answers them, applying PATCH (package scim).
package filter
