// Package mail sends what is in the store's outbox through a mail server (RFC 5321): invitations to people.
//
// A [Worker] takes a mail by a compare-and-set, so that of several servers one sends it, and tries again with growing pauses what a mail
// server has not taken. Never is a message sent twice by our fault: where it is not known whether the server has taken it, because the
// connection broke before its answer or the process died meanwhile, the mail is given up as dead, and an admin decides. Messages are
// text and HTML; their links are made when they are sent, so that the outbox holds no secret.
//
// What is in a mail, and whom it goes to, is decided by licensing, which writes it with the change that it tells of.
package mail
