// Package adminapi is the operations of the people who run usher and of the admins of companies, as JSON over HTTP: companies and their
// people, the connections of identity providers and their tokens, license rules and seats.
//
// [NewHandler] gives the operations, [Client] calls them. The command line is such a client: it speaks to the handler over the
// socket in the server's data folder ([Dial]), or, when no server runs on the folder, opens the folder itself and calls the same
// handler in its own process ([InProcess]). Who can reach the handler so is the operator and may do everything: the socket belongs to
// the user that the server runs as and nobody else can open it, so the name that a client gives itself only says in the audit log who
// sat there. [Handler.Public] is the same for the network: admins of a company sign in with a password (and a one-time password, RFC 6238)
// or show a key, and do in their company what their role lets them, user-admins about people, super-admins about licenses, rules,
// connections and the company itself.
//
// The operations stand in routes.go with the role that each takes. openapi.json (OpenAPI 3.1, served at /v1/openapi.json) is made of them
// and of the comments on the types of their bodies, and the tests hold every request and answer of theirs against it. What is refused is
// answered with a problem document (RFC 9457) whose detail is one sentence for people. A POST with an Idempotency-Key can be repeated for
// 24 hours and is carried out once.
//
// The package decides nothing about licenses: it hands changes to licensing.Directory. It leaves listening and the lock on the data folder
// to the assembly, hashing and sealing to package credential, and sending mail to package mail.
package adminapi
