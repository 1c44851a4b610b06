// Package demo is "usher demo": a complete server with a company to try things on.
//
// Unless it is asked for an empty company it plays a short sync of two identity providers, Okta and Microsoft Entra ID, against
// the server: the requests are those that the two really send, over HTTP and with tokens of their own. Then it reads the outcome
// the same way and shows who got which license and why.
//
// The package is a client of the server it starts and has no other way in: companies, tokens and rules go through adminapi, people
// and groups through SCIM (RFC 7644).
package demo
