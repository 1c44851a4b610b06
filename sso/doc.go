// Package sso lets people in: through the identity provider of their company by OpenID Connect, or with the password of their account, and
// shows them out again.
//
// It is the relying party of every connection of every company. What it takes from go-oidc and x/oauth2 is the protocol's plain form; what
// these leave to their callers is here: which addresses may be asked at all ([Network]), how long metadata and keys live and how often strangers
// can have them fetched, all the checks of an ID token, the binding of an answer to browser, connection and company, and the answer's issuer.
//
// Who may come in is decided by licensing ([usher/licensing.Directory.SignIn]), and whether they are still in by [usher/licensing.Holds], for
// each request anew. So nothing that ends a session has to reach this package to take effect.
//
// The addresses, below [Path] unless they say otherwise:
//
//	/                                    find the company by a work address or by its name
//	/{company}                           begin; the parameters are return, login_hint and connection
//	/{company}/initiate                  begin, asked by an identity provider's portal (OpenID Connect Core 1.0 section 4)
//	/{company}/{connection}/callback     where the identity provider sends people back to
//	/{company}/{connection}/backchannel-logout
//	/{company}/{connection}/jwks.json    the client's public keys, for private_key_jwt
//	/{company}/{connection}/test         try a connection out, with an admin's ticket
//	/session, /verify                    who is signed in, for applications and for reverse proxies
//	/me, /logout, /signed-out            the person's own page, and the way out
//	/signin (without /sso)               sign in with a password
//
// Standards: OpenID Connect Core 1.0 (the code flow: sections 3.1, 4, 5.3, 9), Discovery 1.0 section 4, Form Post Response Mode 1.0,
// RP-Initiated Logout 1.0, Back-Channel Logout 1.0; RFC 6749 section 4.1, 7523 section 2.2, 7636 (S256 only), 9126, 9207, and the advice of 9700.
//
// Left to others: how records are kept (store), SCIM (scim), and admins, who have sessions of their own (cmd/internal/adminapi).
package sso
