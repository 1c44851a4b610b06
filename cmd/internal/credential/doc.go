// Package credential is what people prove themselves with where no identity provider does it for them: passwords, kept as argon2id hashes
// (RFC 9106) in PHC form, and one-time passwords by time (RFC 6238), whose secrets are kept sealed by AES-256-GCM.
//
// It says whether a credential is right. Who may try how often, and what somebody may do then, is for its callers.
package credential
