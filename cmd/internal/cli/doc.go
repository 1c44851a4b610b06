// Package cli is the command line of usher: it reads arguments, calls the room that does the work and prints what came of it.
//
// demo and serve run a server, selftest speaks to any server, and migrate works on stores that nobody uses. All other commands are
// operations of the admin API: on the socket of the server that runs on the data folder, or, when none runs, on the folder itself.
//
// The exit status is 0 for success, 1 for what was refused or has failed, with one sentence on the standard error that says what
// to do about it, and 2 for wrong usage. With --json a command prints one JSON document on the standard output.
package cli
