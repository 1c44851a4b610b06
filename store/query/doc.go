// Package query is the typed filter tree that the protocol layer makes and the engines answer.
//
// A [Node] says what a record must be like; its leaves name a path, an operator and a canonical value. A path is a string: the
// JSON member names on the way into the record's document, joined by "/" ("userName", "emails/value",
// "urn:…:User/manager/value"), or a column that the engine keeps beside the document ("@created"). The package does not know
// what any path means. A column has simple values, or JSON objects where its name ends in "[]".
//
// [Fold] and [Canonical] give the one form in which values are stored in an index and compared, [Compile] the judge that decides
// whether a record matches, and [MakePlan] the way to the records: which index drives, and whether the judge is still needed.
// [Sort] places records in an order by one value of each. Engines differ only in how they carry out an [Access]; what matches is
// decided here, once, so that a filter answers the same on every engine. The package reads documents as they are stored and never
// decodes them whole.
//
// It leaves to others: filter texts, schemas and names without regard to case (the protocol layer, which makes nodes with
// canonical names and values), and carrying out an access, estimates and paging (the engines). It implements the types of
// RFC 7643 section 2.3 and the operators of RFC 7644 section 3.4.2.2.
//
// Semantics where RFC 7644 section 3.4.2.2 leaves room: an operator on a multi-valued attribute holds if it holds for any value;
// ne is not(eq), so it is true where the attribute is absent; within a value path every condition, ne too, is about one element;
// a comparison with null is a test of presence; the empty string is a value for eq and not for pr.
package query
