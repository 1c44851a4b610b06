// Package ssotest is an OpenID provider for tests that is correct until it is told to misbehave.
//
// [New] starts one on 127.0.0.1 (plain http, closed with the test). It serves discovery, keys, the authorization endpoint (query and
// form_post, iss parameter of RFC 9207), pushed authorization requests (RFC 9126), the token endpoint (code with PKCE S256, refresh;
// client_secret_basic, client_secret_post, private_key_jwt), userinfo and the end of a session. A test plays the person's browser by
// [IdP.Authorize], which checks the relying party's request as a strict provider would and gives the parameters to send back, or lets a
// real client go to the authorization endpoint, where [IdP.SetPerson] is signed in without a question.
//
// Every part can be made hostile:
//
//   - documents by [IdP.EditDiscovery], [IdP.EditJWKS], [IdP.EditTokenResponse], [IdP.EditUserInfo] and [IdP.EditCallback];
//   - tokens by [IdP.EditToken], [IdP.IDToken] and [IdP.LogoutToken]. They are put together from text and signed by crypto/* only, since
//     signers refuse what a hostile provider sends: duplicate members ([Object.Append]), lying headers, other serialisations;
//   - keys by [IdP.SetKeys], [IdP.SetSigner] and the JWK helpers;
//   - transports by [IdP.Serve] with [Redirect], [Hang], [Drip], [Huge], [GzipBomb] and their like.
//
// What the relying party did is seen by [IdP.Hits] and [IdP.Requests], and [Canary] is a server that nobody may ask anything.
package ssotest
