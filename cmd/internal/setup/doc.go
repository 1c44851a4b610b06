// Package setup is the express set-up: the pages behind the link in an invitation, where a person says their name, how they will sign in
// and their time zone, and by that takes the account into use.
//
// Each step is kept when it is done, so the link can be left and opened again. Opening it changes nothing (mail scanners do); the link is
// used up by the last step. [Links] makes the links: their secrets follow from the id of the mail and a key of the server, so that none is
// stored and the same mail has the same link each time it is tried to send it.
//
// What a step does to the account is decided by licensing ([licensing.SetUp]); this package leaves mails to package mail, and signing in to
// package sso.
package setup
