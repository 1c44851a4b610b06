// Package app assembles usher: it reads the configuration, opens the data folder, puts the rooms together and serves them.
//
// [OpenFolder] opens a data folder with the store, the directory and the admin API on it; the command line works on a folder that
// way while no server runs. [New] adds what a server needs: the listeners, the SCIM endpoint at /scim/v2, the admin API on the
// socket in the folder, and the work that falls due by time. [App.Run] serves until its context ends.
//
// The package decides who a request comes from: it turns bearer tokens (RFC 6750) into scim.Principal. It leaves the protocol to
// scim, licenses to licensing, records to store/sqlite and the operations of administrators to adminapi.
package app
