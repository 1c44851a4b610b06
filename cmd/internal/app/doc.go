// Package app assembles usher: it reads the configuration, opens the data folder, puts the rooms together and serves them.
//
// [OpenFolder] opens a data folder with the store, the directory and the admin API on it; the command line works on a folder that
// way while no server runs. [New] adds what a server needs: the listeners, the SCIM endpoint at /scim/v2, the admin API on the
// socket in the folder, and the work that falls due by time. [App.Run] serves until its context ends.
//
// The records are in the folder, which one process has to itself, or in a MongoDB database that several servers share, each with a folder of
// its own. What these must have in common beside the records, the keys of cursors and links, is kept in the database, sealed by the keys of
// secrets that all of them have. Nothing of the records is remembered from one request to the next there.
//
// The package decides who a request comes from: it turns bearer tokens (RFC 6750) into scim.Principal. It leaves the protocol to
// scim, licenses to licensing, records to store/sqlite or store/mongo, and the operations of administrators to adminapi.
package app
