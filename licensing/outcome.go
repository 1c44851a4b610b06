package licensing

import "slices"

// How a sign-in ends that lets nobody in, where it is not for one of the reasons above. The order of the checks is that of the list.
const (
	UnknownCompany   Reason = "unknown_company"
	SSONotConfigured Reason = "sso_not_configured"
	SSODisabled      Reason = "sso_disabled"

	StateMissing      Reason = "state_missing"
	StateUnknown      Reason = "state_unknown"
	StateUsed         Reason = "state_used"
	StateExpired      Reason = "state_expired"
	StateBrowser      Reason = "state_browser"
	StateCompany      Reason = "state_company"
	ConnectionChanged Reason = "connection_changed"
	Mixup             Reason = "mixup"
	NoCode            Reason = "no_code"
	IdPError          Reason = "idp_error"

	SSRFBlocked       Reason = "ssrf_blocked"
	DiscoveryIssuer   Reason = "discovery_issuer"
	DiscoveryEndpoint Reason = "discovery_endpoint"
	IdPUnavailable    Reason = "idp_unavailable"
	TokenEndpoint     Reason = "token_endpoint"
	IdPTokenInvalid   Reason = "idp_token_invalid"
	ClockSkew         Reason = "clock_skew"
	UserInfoSubject   Reason = "userinfo_sub"

	NotProvisioned Reason = "not_provisioned"
	Ambiguous      Reason = "ambiguous"
	AlreadyLinked  Reason = "already_linked"

	PasswordWrong      Reason = "password_wrong"
	PasswordNotAllowed Reason = "password_not_allowed"
	RateLimited        Reason = "rate_limited"
)

// Why somebody is not, or no more, signed in, where it is not for one of the reasons above.
const (
	NotSignedIn        Reason = "not_signed_in"
	SessionEnded       Reason = "session_ended"
	SessionIdle        Reason = "session_idle"
	SessionExpired     Reason = "session_expired"
	SignedOut          Reason = "signed_out"
	EntitlementMissing Reason = "entitlement_missing"
	OtherCompany       Reason = "other_company"
)

// told is what the person is told whom a reason keeps out, and what they can do. It says nothing that is for admins only.
type told struct{ sentence, help string }

const (
	again     = "Start again."
	askAdmin  = "Ask an administrator of your company."
	tellAdmin = "Start again. If that does not help, tell an administrator of your company."
)

// outcomes has a row for every way in which a sign-in or a session ends: what admins read of it, and what the person does.
var outcomes = map[Reason]struct {
	explanation
	told
}{
	UnknownCompany: {
		explanation{"The address names no company.", "Give the person the company's address for signing in.", whoCompanyAdmin}, notHere,
	},
	SSONotConfigured: {
		explanation{"No connection of the company has single sign-on.", "Set it up with \"usher connection set\" and activate it.", whoSuperAdmin}, notHere,
	},
	SSODisabled: {
		explanation{"Single sign-on of the connection is not active.", "Activate it with \"usher connection set --sign-on active\".", whoSuperAdmin}, notHere,
	},
	CompanyTierHasNoSSO: {explanations[CompanyTierHasNoSSO], notHere},
	StateMissing: {
		explanation{"The answer of the identity provider has no state, so nobody here asked for it.", "Start at the company's address for signing in.", whoPerson},
		told{"This sign-in was not started here.", again},
	},
	StateUnknown: {
		explanation{"The state in the answer is none that was given out, or one that is long over.", "Start again.", whoPerson},
		told{"This sign-in was not started here, or it is long over.", again},
	},
	StateUsed: {
		explanation{"The answer came a second time.", "Start again.", whoPerson}, told{"This sign-in was used already.", again},
	},
	StateExpired: {
		explanation{"The answer came later than ten minutes after the sign-in was begun.", "Start again.", whoPerson},
		told{"This sign-in took too long and is over.", again},
	},
	StateBrowser: {
		explanation{"The answer came to another browser than the one in which the sign-in was begun, or the browser keeps no cookies.", "Start again, with cookies allowed.", whoPerson},
		told{"This sign-in was begun in another browser, or your browser keeps no cookies.", again},
	},
	StateCompany: {
		explanation{"The answer came to another company or connection than the one for which the sign-in was begun.", "Start again; if it comes back, look at the redirect URI in the identity provider.", whoIdP},
		told{"This sign-in belongs to another company.", again},
	},
	ConnectionChanged: {
		explanation{"The settings of the connection were changed while the person was at the identity provider.", "Start again.", whoPerson},
		told{"Your company has just changed how people sign in.", again},
	},
	Mixup: {
		explanation{"The answer does not say that it is from the connection's identity provider (RFC 9207), or a parameter is there twice.", "Look at the issuer in the connection; if it is right, somebody may have tried to deceive the person.", whoSuperAdmin},
		told{"We could not confirm this sign-in, so nothing was changed.", tellAdmin},
	},
	NoCode: {
		explanation{"The answer of the identity provider has no code.", "Set the application in the identity provider to the authorization code flow.", whoIdP},
		told{"We could not confirm this sign-in, so nothing was changed.", tellAdmin},
	},
	IdPError: {
		explanation{"The identity provider answered with an error.", "Look at the application in the identity provider; the event has what it said.", whoIdP},
		told{"Your company's sign-in service could not sign you in.", tellAdmin},
	},
	SSRFBlocked: {
		explanation{"The identity provider's address leads into a network that usher does not connect to.", "Correct the issuer, or allow the network with sso.allow_networks in the configuration.", whoOperator}, noAnswer,
	},
	DiscoveryIssuer: {
		explanation{"The identity provider's metadata are those of another issuer.", "Enter the issuer exactly as the metadata have it.", whoSuperAdmin}, noAnswer,
	},
	DiscoveryEndpoint: {
		explanation{"The identity provider's metadata lack an endpoint, or name one that is not an https address of the outside.", "Correct the issuer, or the identity provider's settings.", whoIdP}, noAnswer,
	},
	IdPUnavailable: {
		explanation{"The identity provider did not answer, or not in time, or with something that is no answer.", "Look whether the identity provider works; people with a password can sign in meanwhile.", whoIdP}, noAnswer,
	},
	TokenEndpoint: {
		explanation{"The identity provider did not give a token for the code.", "Look at the client id, the client's secret and its kind of authentication in the connection.", whoSuperAdmin}, noAnswer,
	},
	IdPTokenInvalid: {
		explanation{"The ID token is not one that can be trusted.", "Look at the application in the identity provider; the event says what is wrong with the token.", whoIdP},
		told{"We could not confirm this sign-in, so nothing was changed.", tellAdmin},
	},
	ClockSkew: {
		explanation{"The clocks of the identity provider and of this server differ by more than a minute.", "Set both by the network time.", whoOperator},
		told{"We could not confirm this sign-in, so nothing was changed.", tellAdmin},
	},
	UserInfoSubject: {
		explanation{"The identity provider's UserInfo is about somebody else than its ID token.", "Look at the identity provider; it mixes people up.", whoIdP},
		told{"We could not confirm this sign-in, so nothing was changed.", tellAdmin},
	},
	NotProvisioned: {
		explanation{"No account of the company has the externalId that the identity provider knows the person by.", "Assign the person to the application in the identity provider, and see that externalId is mapped to the claim that the connection matches.", whoIdP},
		told{"You have signed in, but no account has been set up for you here.", askAdmin},
	},
	Ambiguous: {
		explanation{"Several accounts of the company have the externalId that the identity provider knows the person by.", "Let the identity provider give each account its own externalId.", whoIdP},
		told{"It is not clear which account is yours.", askAdmin},
	},
	AlreadyLinked: {
		explanation{"The account is linked to somebody else at the identity provider.", "If it is the same person, unlink the account with \"usher account unlink\" and let them sign in again.", whoCompanyAdmin},
		told{"Your account is linked to another identity.", askAdmin},
	},
	PasswordWrong: {
		explanation{"The company, the user name or the password was not right.", "Try again, or have new credentials assigned.", whoCompanyAdmin},
		told{"The company, the user name or the password is not right.", "Try again, or ask an administrator of your company for a new password."},
	},
	PasswordNotAllowed: {
		explanation{"The company does not let the person sign in with a password.", "Let them use single sign-on, or change the company's local_sign_in.", whoSuperAdmin},
		told{"Your company wants you to sign in through its own sign-in service.", "Use single sign-on."},
	},
	RateLimited: {
		explanation{"There were too many tries.", "Wait; the limits are those of sso in the configuration.", whoPerson},
		told{"There were too many tries.", "Wait a minute, then try again."},
	},
	UserDeactivated:   {explanations[UserDeactivated], told{"Your account is not active.", askAdmin}},
	GuestCannotUseSSO: {explanations[GuestCannotUseSSO], told{"Guests cannot use single sign-on.", "An administrator of the company can make you a coworker."}},
	BillingSuspended:  {explanations[BillingSuspended], told{"Your company's subscription is suspended.", "An administrator of your company can settle it."}},
	WaitingForSeat: {
		explanations[WaitingForSeat],
		told{"Your Video Pro+ license, which single sign-on needs, waits for a free seat.", "An administrator of your company can add seats."},
	},
	LicenseHasNoSSO: {
		explanations[LicenseHasNoSSO],
		told{"Your license does not include single sign-on; Video Pro+ does.", "An administrator of your company can assign it to you."},
	},
	NotSignedIn: {
		explanation{"There is no session.", "Sign in.", whoPerson}, told{"You are not signed in.", "Sign in."},
	},
	SessionEnded: {
		explanation{"The session was ended by a change of the account, the company or the connection, or by an admin.", "Sign in again.", whoPerson},
		told{"Your session has been ended.", "Sign in again."},
	},
	SessionIdle: {
		explanation{"The session was not used for as long as the company lets sessions be idle.", "Sign in again.", whoPerson},
		told{"You were signed out because you have not been here for a while.", "Sign in again."},
	},
	SessionExpired: {
		explanation{"The session has lasted as long as the company lets sessions last.", "Sign in again.", whoPerson},
		told{"Your session is over.", "Sign in again."},
	},
	SignedOut: {
		explanation{"The person has signed out, here or at the identity provider.", "Sign in again.", whoPerson},
		told{"You are signed out.", "Sign in again."},
	},
	OtherCompany: {
		explanation{"The person is signed in to another company than the application is of.", "Sign in to the application's company.", whoPerson},
		told{"You are signed in to another company than this is of.", "Sign in to the other one."},
	},
	EntitlementMissing: {
		explanation{"The license in effect does not include what the application asks for.", "Assign a license that includes it.", whoSuperAdmin},
		told{"Your license does not include this.", "An administrator of your company can assign one that does."},
	},
}

// Who else can do something about an outcome.
const (
	whoPerson   = "the person"
	whoOperator = "whoever runs the server"
)

// notHere is what outsiders are told in all cases in which there is no single sign-on: they learn no more than that.
var notHere = told{"Single sign-on is not available here.", "Check the address, or ask an administrator of your company."}

// noAnswer is what people are told when something is wrong between here and the identity provider.
var noAnswer = told{"Your company's sign-in service did not answer.", "Try again in a minute. If that does not help, tell an administrator of your company."}

// Outcomes gives the reasons for which a sign-in is refused or a session ends, sorted.
func Outcomes() []Reason {
	var all []Reason
	for r := range outcomes {
		all = append(all, r)
	}
	slices.Sort(all)
	return all
}

// Told says in a sentence to the person concerned why they are kept out, and Advice what they can do; both are empty for a reason that keeps
// nobody out.
func (r Reason) Told() string { return outcomes[r].told.sentence }

// Advice says to the person concerned what they can do; see [Reason.Told].
func (r Reason) Advice() string { return outcomes[r].help }
