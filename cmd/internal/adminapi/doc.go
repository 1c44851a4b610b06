// Package adminapi is the operations of the people who run usher, as JSON over HTTP: companies, the connections of identity
// providers and their tokens, license rules and seats.
//
// [NewHandler] gives the operations, [Client] calls them. The command line is such a client: it speaks to the handler over the
// socket in the server's data folder ([Dial]), or, when no server runs on the folder, opens the folder itself and calls the same
// handler in its own process ([InProcess]). Who can reach the handler so is the operator and may do everything: the socket belongs to
// the user that the server runs as and nobody else can open it, so the name that a client gives itself only says in the audit log who
// sat there. [Handler.Public] is the same for the network: local admins of a company show a key of theirs and do in their company what
// their role lets them, user-admins about people, super-admins about licenses, rules, connections and the company itself.
//
//	GET    /v1/companies                              all companies
//	POST   /v1/companies                              NewCompany -> CreatedCompany
//	PATCH  /v1/companies/{company}                    CompanyChange -> Company
//	GET    /v1/companies/{company}/next-steps         what waits for an admin
//	GET    /v1/companies/{company}/admins             the local admins
//	PUT    /v1/companies/{company}/admins/{login}     AdminChange -> ChangedAdmin
//	DELETE /v1/companies/{company}/admins/{login}
//	GET    /v1/companies/{company}/keys               keys of local admins, without their secrets
//	POST   /v1/companies/{company}/keys               NewKey -> CreatedKey
//	DELETE /v1/companies/{company}/keys/{id}
//	GET    /v1/companies/{company}/tokens             the tokens, without their secrets
//	POST   /v1/companies/{company}/tokens             NewToken -> CreatedToken
//	DELETE /v1/companies/{company}/tokens/{id}
//	GET    /v1/companies/{company}/connections        how often each quirk was applied included
//	PATCH  /v1/companies/{company}/connections/{connection} ConnectionChange -> Connection
//	GET    /v1/companies/{company}/accounts            AccountFilter as parameters -> AccountPage
//	GET    /v1/companies/{company}/accounts/{account}
//	PATCH  /v1/companies/{company}/accounts/{account}  AccountChange -> Account
//	GET    /v1/companies/{company}/accounts/{account}/explain   -> licensing.Explanation
//	PUT    /v1/companies/{company}/accounts/{account}/license   Assignment -> Account
//	DELETE /v1/companies/{company}/accounts/{account}/license
//	PUT    /v1/companies/{company}/accounts/{account}/decision  Decision -> Account
//	GET    /v1/companies/{company}/rules
//	POST   /v1/companies/{company}/rules              NewRule -> Rule
//	PUT    /v1/companies/{company}/rules/forecast     NewRule -> licensing.Forecast, and nothing is changed
//	DELETE /v1/companies/{company}/rules/{id}
//	GET    /v1/companies/{company}/rules/{id}/forecast  of its removal -> licensing.Forecast
//	GET    /v1/companies/{company}/licenses           the pools with their numbers
//	PUT    /v1/companies/{company}/licenses/{license} Seats -> License
//	PUT    /v1/companies/{company}/licenses/{license}/ceiling   Ceiling -> License
//
// {company} is the company's short name, {connection} a connection's name or id, {account} an
// account's id, user name or externalId. What is refused is answered with a problem document (RFC 9457) whose detail is one
// sentence for people.
//
// The package decides nothing about licenses: it hands changes to licensing.Directory. It leaves listening, the lock on the
// data folder and the reading of tokens in requests to the assembly.
package adminapi
