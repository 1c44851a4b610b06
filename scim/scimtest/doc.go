// Package scimtest checks a running SCIM server from outside: by the requirements of the standards, and by what identity providers send.
//
// [Run] checks a server by the numbered requirements of RFC 7643, RFC 7644 and RFC 9865, with some of the RFCs on HTTP and bearer tokens.
// [Requirements] lists them; each has a check, or an excuse that says why it has none. A check makes what it needs, looks at the answers
// and at what can be read afterwards, and deletes what it made.
//
// A [Trace] is one flow of an identity provider (a lookup, a create, a group push ...) as a list of requests with what each answer
// must be. [Load] gives the traces that are built into the package: 53 flows of Microsoft Entra ID, Okta and others, written from
// their documentation, source code and issue trackers. [Client.Replay] plays one of them.
//
// An expectation names the part of the answer that the provider relies on, so it is compared as a subset: an object by the members
// named, a list by the elements named. These matchers stand in the place of a value:
//
//	"@any"           present and not null
//	"@absent"        missing, null or []
//	"@int"           a JSON integer
//	"@re:<regex>"    text or a number in which the expression is found
//	"@ci:<text>"     text that is equal without regard to case
//	{"@len": n}      a list of n elements; 0 accepts a missing value too
//	{"@exact": [..]} a list of the same size, each expected element matching some actual one
//
// In paths, header values, bodies and expectations, ${x} stands for the variable x, ${x|url} for the same percent-encoded, and
// ${run} for an id that is fresh in each replay, so that traces can run side by side on one server.
//
// The package does not import testing: a program links it (usher selftest) to check a server in the field. It knows nothing of the server but
// its address and token. The protocol is that of RFC 7644, the resources those of RFC 7643.
package scimtest
