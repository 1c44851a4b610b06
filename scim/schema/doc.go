// Package schema is the model of the resources that usher serves: which attributes a User, a Group and a License have, with
// their types and characteristics (RFC 7643 sections 2, 3, 4 and 7), and what an attribute name in standard notation means
// (RFC 7644 section 3.10).
//
// The core and enterprise schemas come from github.com/elimity-com/scim, which also checks single values against their types.
// This is the only package that imports it, and none of its types are seen outside: a [Registry] is built from them once, and
// what it holds ([ResourceType], [Schema], [Attribute]) is ours and never changes after that.
//
// Where the text of RFC 7643 and the JSON in its section 8.7.1 disagree, the text and its errata win: Group.displayName is
// required, references and binary values are case-exact, addresses have "primary" and members have "display".
//
// The common attributes (schemas, id, externalId, meta) resolve on every resource type, but belong to no schema and are not
// shown at /Schemas (RFC 7643 section 3.1).
//
// Left to others: reading and writing resources (package scim), comparing values (store/query), parsing filters (scim/filter).
package schema
