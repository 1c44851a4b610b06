// Package practiceidp is a practice identity provider, for the demo only: a small OpenID provider that lets a person without internet try
// single sign-on. There are no passwords. Whoever opens its page chooses who to be, so a server with real people must never trust it, and it
// must listen on the loopback interface only.
//
// Towards the relying party it is as strict as a real one, so that what works here works elsewhere: the authorization code flow of OpenID
// Connect Core 1.0 with PKCE (RFC 7636, S256 only), the issuer in each authorization response (RFC 9207), the response modes query and
// form_post, and RP-initiated logout. It asks for a state and a nonce, which the standard only recommends. There is one client. There is no
// userinfo endpoint: the ID token has all claims. Nothing is stored: the signing key and the codes live as long as the [Handler].
package practiceidp
