// Package zitadel has package usher/sso sign people in at an OpenID provider that nobody here wrote: the example server of
// github.com/zitadel/oidc, which runs within the test. There is nothing in it but the test.
//
// What it adds to usher/sso/ssotest, which can be hostile but is ours: whatever we misread of the standards, we may have misread on both
// sides there. ID tokens are of another shape here, with at_hash, c_hash, azp and an array for aud, and are signed by the library's signer.
//
// It is a module of its own so that the provider's dependencies are not the product's. That keeps it out of ./... of the module usher;
// .ci/run tests it by
//
//	cd sso/ssotest/zitadel && go test ./...
package zitadel
