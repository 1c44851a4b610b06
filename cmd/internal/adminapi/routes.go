package adminapi

import (
	"net/http"
	"strings"

	"usher/licensing"
)

// route is one operation: where it is, whom it takes, and what it takes and gives. openapi.json is made of it.
type route struct {
	least   authority
	pattern string
	op      operation
	summary string
	in, out any // of the types of the bodies; nil: there is none
	query   []parameter
}

// parameter is one of the query.
type parameter struct {
	name, about string
	kind        string   // of JSON Schema; empty: string
	one         []string // the values that it takes; nil: any
}

// success is the status of an answer that refuses nothing.
func (r route) success() int {
	return map[string]int{
		"GET": http.StatusOK, "PUT": http.StatusOK, "PATCH": http.StatusOK, "POST": http.StatusCreated, "DELETE": http.StatusNoContent,
	}[r.method()]
}

func (r route) method() string {
	method, _, _ := strings.Cut(r.pattern, " ")
	return method
}

// repeatable says whether the operation heeds idempotency keys: those that make something do. A session is not made again for whoever
// finds a request in a log.
func (r route) repeatable() bool { return r.method() == http.MethodPost && r.least != nobody }

func paged(more ...parameter) []parameter {
	return append(more,
		parameter{name: "after", about: "Begin after this place: the next of the page before."},
		parameter{name: "limit", about: "How many at most, from 1 to 1000; 100 unless it is said.", kind: "integer"})
}

// routes are all operations.
func (h *Handler) routes() []route {
	const (
		companies  = "/v1/companies"
		company    = companies + "/{company}"
		account    = company + "/accounts/{account}"
		connection = company + "/connections/{connection}"
		license    = company + "/licenses/{license}"
		admin      = company + "/admins/{login}"
	)
	in, on := h.inCompany, h.onAccount
	return []route{
		{nobody, "POST /v1/sessions", h.signIn, "Sign in. Every try that fails is answered in the same way.", NewSession{}, CreatedSession{}, nil},
		{userAdmin, "GET /v1/sessions/current", h.currentSession, "The session that the request is made in.", nil, Session{}, nil},
		{userAdmin, "DELETE /v1/sessions/current", h.signOut, "Sign out.", nil, nil, nil},
		{nobody, "GET /v1/openapi.json", h.openAPI, "This document.", nil, map[string]any{}, nil},

		{operatorOnly, "POST /v1/secrets/rewrap", h.rewrap, "Seal all secrets by the newest key, which can be made by it.", Rewrapping{}, Rewrapped{}, nil},
		{operatorOnly, "GET /v1/doctor", h.examine, "Look in all companies for what is not as it should be. Nothing is changed.", nil, Examination{}, nil},
		{operatorOnly, "GET " + companies, h.listCompanies, "All companies.", nil, list[Company]{}, nil},
		{operatorOnly, "POST " + companies, h.createCompany, "Add a company.", NewCompany{}, CreatedCompany{}, nil},
		{superAdmin, "PATCH " + company, in(h.changeCompany), "Change the tier, the policies or the payment.", CompanyChange{}, Company{}, nil},
		{superAdmin, "PUT " + company + "/forecast", in(h.forecastCompany), "What that would do to single sign-on. Nothing is changed.", CompanyChange{}, licensing.CompanyForecast{}, nil},
		{userAdmin, "GET " + company + "/next-steps", in(h.nextSteps), "What waits for an admin, the most urgent first.", nil, list[NextStep]{}, nil},
		{superAdmin, "GET " + company + "/events", in(h.listEvents), "The audit log, in order.", nil, EventPage{}, paged()},

		{superAdmin, "POST " + company + "/undo", in(h.undoChanges), "Undo what one request did, or one connection since a time.", Undoing{}, list[Undone]{}, nil},
		{superAdmin, "PUT " + company + "/undo/preview", in(h.previewUndo), "What that would undo. Nothing is changed.", Undoing{}, list[Undone]{}, nil},

		{userAdmin, "GET " + company + "/domains", in(h.listDomains), "The verified domains.", nil, list[Domain]{}, nil},
		{superAdmin, "POST " + company + "/domains", in(h.addDomain), "Verify a domain by a TXT record, which the refusal names.", NewDomain{}, Domain{}, nil},
		{superAdmin, "DELETE " + company + "/domains/{domain}", in(h.removeDomain), "Give a domain up.", nil, nil, nil},
		{userAdmin, "GET " + company + "/admins", in(h.listAdmins), "The local admins.", nil, list[Admin]{}, nil},
		{superAdmin, "PUT " + admin, in(h.putAdmin), "Add a local admin, or change one.", AdminChange{}, ChangedAdmin{}, nil},
		{superAdmin, "DELETE " + admin, in(h.removeAdmin), "Remove a local admin.", nil, nil, nil},
		{superAdmin, "PUT " + admin + "/totp", in(h.putTOTP), "Ask a local admin for one-time passwords.", nil, TOTP{}, nil},
		{superAdmin, "DELETE " + admin + "/totp", in(h.removeTOTP), "Ask for none any more.", nil, nil, nil},
		{superAdmin, "GET " + company + "/sessions", in(h.listSessions), "The admins who are signed in.", nil, list[Session]{}, nil},
		{superAdmin, "DELETE " + company + "/sessions/{id}", in(h.endSession), "End a session.", nil, nil, nil},
		{superAdmin, "GET " + company + "/keys", in(h.listKeys), "Keys of local admins, without their secrets.", nil, list[Key]{}, nil},
		{superAdmin, "POST " + company + "/keys", in(h.createKey), "Make a key of a local admin.", NewKey{}, CreatedKey{}, nil},
		{superAdmin, "DELETE " + company + "/keys/{id}", in(h.revokeKey), "End a key.", nil, nil, nil},

		{superAdmin, "GET " + company + "/tokens", in(h.listTokens), "The tokens of connections, without their secrets.", nil, list[Token]{}, nil},
		{superAdmin, "POST " + company + "/tokens", in(h.createToken), "Make a token, and its connection on first use.", NewToken{}, CreatedToken{}, nil},
		{superAdmin, "DELETE " + company + "/tokens/{id}", in(h.revokeToken), "End a token.", nil, nil, nil},
		{userAdmin, "GET " + company + "/connections", in(h.listConnections), "The connections, with how often each quirk was applied.", nil, list[Connection]{}, nil},
		{userAdmin, "PATCH " + connection, in(h.changeConnection), "Pause a connection, switch quirks, let losses pass or refuse them.", ConnectionChange{}, Connection{}, nil},
		{superAdmin, "GET " + connection + "/sign-on", in(h.getSignOn), "Single sign-on by a connection, without its secret.", nil, SignOn{}, nil},
		{superAdmin, "PUT " + connection + "/sign-on", in(h.setSignOn), "Set it up, or change it. The identity provider is looked at first.", SignOnChange{}, SignOn{}, nil},
		{superAdmin, "DELETE " + connection + "/sign-on", in(h.removeSignOn), "Take it away. The sessions that were opened by it end.", nil, nil, nil},
		{superAdmin, "POST " + connection + "/sign-on/test", in(h.testSignOn), "Look at the identity provider, and give an address to try a sign-in out at.", nil, SignOnTest{}, nil},
		{superAdmin, "PUT " + connection + "/sign-on/secret", in(h.rotateSecret), "Put another secret, or another key, in the place of the client's.", NewSecret{}, SignOn{}, nil},
		{userAdmin, "GET " + company + "/person-sessions", in(h.listPeopleSessions), "The people who are signed in, the latest first.", nil, PersonSessionPage{}, paged(
			parameter{name: "account", about: "Only those of one person: id, user name or externalId."},
		)},
		{userAdmin, "DELETE " + company + "/person-sessions/{id}", in(h.endPersonSession), "End a person's session.", nil, nil, nil},

		{userAdmin, "GET " + company + "/accounts", in(h.listAccounts), "The people, in the order of their creation.", nil, AccountPage{}, paged(
			parameter{name: "state", about: "Only those whose license is in this state.", one: licenseStates()},
			parameter{name: "member_type", about: "Only coworkers or guests.", one: []string{"coworker", "guest"}},
			parameter{name: "activation", about: "Only those who are so far with the account.", one: []string{"pending", "invited", "active"}},
			parameter{name: "extension", about: "Only those with or without a phone extension.", one: []string{"with", "without"}},
			parameter{name: "requests", about: "Only those with a request that waits for a decision.", one: []string{"true"}},
		)},
		{userAdmin, "POST " + company + "/accounts", in(h.addPeople), "Add one or several people. A row that is refused spoils no other.", NewPeople{}, AddedPeople{}, nil},
		{userAdmin, "PUT " + company + "/accounts/preview", in(h.previewPeople), "What adding them would do. Nothing is changed.", NewPeople{}, AddedPeople{}, nil},
		{userAdmin, "GET " + account, on(h.getAccount), "One person.", nil, Account{}, nil},
		{userAdmin, "PATCH " + account, on(h.changeAccount), "Change what a person is said to be, their access, or their role.", AccountChange{}, Account{}, nil},
		{userAdmin, "DELETE " + account, on(h.deleteAccount), "Remove a person for good.", nil, nil, nil},
		{userAdmin, "GET " + account + "/explain", on(h.explainAccount), "Which license, why, and what would change it.", nil, licensing.Explanation{}, nil},
		{userAdmin, "GET /v1/accounts/{account}/explain", h.explainOwn, "The same in the company of whoever asks.", nil, licensing.Explanation{}, nil},
		{userAdmin, "POST " + account + "/invitation", on(h.invitePerson), "Send a link to the set-up, or another one.", nil, Account{}, nil},
		{userAdmin, "PUT " + account + "/credentials", on(h.assignCredentials), "Give a password to begin with.", Credentials{}, AssignedCredentials{}, nil},
		{userAdmin, "DELETE " + account + "/sessions", on(h.endPersonSessions), "End all sessions of a person.", nil, nil, nil},
		{userAdmin, "DELETE " + account + "/identity", on(h.unlinkPerson), "Forget who a person is at the identity provider: they are linked anew when they come again.", nil, nil, nil},
		{superAdmin, "PUT " + account + "/totp", on(h.putPersonTOTP), "Ask a person with a role for one-time passwords at sign-in.", nil, TOTP{}, nil},
		{superAdmin, "DELETE " + account + "/totp", on(h.removePersonTOTP), "Ask for none any more.", nil, nil, nil},
		{superAdmin, "PUT " + account + "/license", on(h.assignLicense), "Give a license, whatever else asks for one.", Assignment{}, Account{}, nil},
		{superAdmin, "DELETE " + account + "/license", on(h.unassignLicense), "Take back what was assigned.", nil, nil, nil},
		{superAdmin, "PUT " + account + "/decision", on(h.decideRequest), "Approve or refuse requests for licenses.", Decision{}, Account{}, nil},
		{userAdmin, "GET " + company + "/mails", in(h.listMails), "The outbox, the latest first.", nil, MailPage{}, paged(
			parameter{name: "account", about: "Only those about one person: id, user name or externalId."},
		)},

		{userAdmin, "GET " + company + "/rules", in(h.listRules), "The license rules, those that win first.", nil, list[Rule]{}, nil},
		{superAdmin, "POST " + company + "/rules", in(h.addRule), "Add a rule.", NewRule{}, Rule{}, nil},
		{superAdmin, "PUT " + company + "/rules/forecast", in(h.forecastRule), "What a rule would do. Nothing is changed.", NewRule{}, licensing.Forecast{}, nil},
		{superAdmin, "DELETE " + company + "/rules/{id}", in(h.removeRule), "Take a rule away.", nil, nil, nil},
		{superAdmin, "GET " + company + "/rules/{id}/forecast", in(h.forecastRemoval), "What taking it away would do.", nil, licensing.Forecast{}, nil},
		{userAdmin, "GET " + company + "/licenses", in(h.listLicenses), "The seats of each license.", nil, list[License]{}, nil},
		{superAdmin, "PUT " + license, in(h.setSeats), "Set how many seats were bought.", Seats{}, License{}, nil},
		{superAdmin, "PUT " + license + "/ceiling", in(h.setCeiling), "Let the seats grow by themselves up to a number.", Ceiling{}, License{}, nil},

		{superAdmin, "GET " + company + "/schemas", in(h.listSchemas), "The schemas that the company has declared.", nil, list[Schema]{}, nil},
		{superAdmin, "PUT " + company + "/schemas/{schema}", in(h.putSchema), "Declare a schema (RFC 7643 section 7) for the resource type {schema}.", map[string]any{}, Schema{}, nil},
		{superAdmin, "DELETE " + company + "/schemas/{schema}", in(h.removeSchema), "Take the schema with the URN {schema} away, if nobody has values of it.", nil, nil, nil},
	}
}
