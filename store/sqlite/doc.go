// Package sqlite is the embedded engine of [usher/store]: one SQLite database in a data folder, for a single process.
//
// # Writes
//
// One goroutine owns the only connection that writes. An operation of the contract is a closure that is queued to it; all that
// queue up while a transaction is being made durable share the next one (group commit), each in a savepoint of its own, so that
// one fsync pays for many operations and each still succeeds or fails by itself. Everything that can be done before (encoding,
// folding, index terms) is done by the caller's goroutine. The database is in WAL mode with synchronous=FULL: an operation that
// returned nil is on the disk. If a commit fails, what the disk holds is no longer known: the store stops, [Store.Failed] says
// so, and every later call fails with [store.ErrClosed].
//
// # Reads
//
// Reads run beside the writer on a few read-only connections. They go through the driver's own interface and not through
// database/sql, whose pooling, locking and conversion cost as much again as the look-up itself.
//
// # Indexes
//
// Documents are kept as JSON bytes. The values at indexed paths are rows of one table (attr), ordered by company, path, value
// and account; a dictionary names the paths, and when the configured indexes change the rows are rebuilt at the next [Open].
// Which index answers a filter, and what is left to judge, is decided by [usher/store/query]; this package turns an access into
// SQL with every value bound.
//
// Lists are in the order of the row ids, which are given out in order of creation and never twice by one process. A sorted list is
// read from the index of a column where there is one; else a page costs as much as there are matches.
//
// The package leaves to others: what paths and licenses mean (scim, licensing), when seats are given (licensing; here is only
// the guard that a pool never gives more than it has), and the clock.
package sqlite
