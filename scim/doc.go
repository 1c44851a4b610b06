// Package scim serves SCIM 2.0 to identity providers: Users, Groups, Licenses and the discovery documents.
//
// Of RFC 7644 it serves section 3.3 (create), 3.4.1 and 3.4.2 with the whole filter grammar, sorting, index paging and lists of all
// types at the root, 3.4.3 (search by POST), 3.5.1 (replace), 3.5.2 (modify, atomic), 3.6 (delete), 3.9 (attributes and
// excludedAttributes), 3.7 (bulk, with references in circles), 3.11 (/Me, for people who are signed in), 3.12 (errors), 3.14 (versions)
// and 4 (discovery); of RFC 9865 the paging by cursors, forwards; of RFC 7643 the schemas User, Group and Enterprise User, with an
// extension of its own for licenses, and those that a company declares (section 7).
//
// A request is authenticated by the function that the assembly hands in, which names the company and the connection; from there on
// nothing leaves the company. Bodies are decoded strictly, brought into canonical form, checked against the schemas and turned into a
// draft; what becomes of the draft is decided by [usher/licensing.Directory] alone, and the answer is rendered from what was stored.
//
// Identity providers depart from the standard. Each departure that is tolerated is a quirk: one named function, counted for each
// connection and switched off by name.
//
// Left to others: which license a person has (licensing), how records are kept and found (store), tokens and listeners (cmd).
package scim
