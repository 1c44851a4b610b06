// Package store holds usher's domain records and the contract by which they are kept.
//
// The contract is a set of small interfaces of atomic operations. Each operation is atomic by itself, on one account or on one
// fact (a group, a rule, a pool, a token): there are no transactions and no closures handed to the store, because the engine for
// more than one machine has none that can be relied on. What is wider than one account is a [Sweep]: one atomic write of the
// fact, and then the accounts one by one.
//
// What every engine promises:
//
//   - Atomicity. [Accounts.WriteAccount] changes the document, the license columns, the seat, the place in the queue, the epoch
//     and the events of one account together or not at all, and only if the version read before still stands. Where the engine
//     cannot do so in one step, the account is the truth and what hangs on it (seats, queue) is repaired from the account.
//   - Uniqueness. Two accounts of one company never have the same user name, two groups never the same name; both are compared
//     folded ([usher/store/query.Fold]).
//   - Seats. A seat is claimed only while the pool's used count is below its total. Lowering the total evicts nobody.
//   - Durability. An operation that returned nil survives the loss of the process.
//   - Copies. Records go in and come out by value; no caller shares memory with the store. Callers do not change the slices they
//     were given.
//   - Time. All times are UTC with millisecond precision and come from the caller; the store has no clock of its own.
//   - Order. Lists are in creation order, which the time-ordered ids follow; an account's place in it never changes, and one
//     that takes over a tombstone stands where the deleted one stood.
//   - Outages. Where an engine is on another machine it may be away, and may have done what it did not answer: [ErrUnavailable].
//   - Cancellation. An operation whose context ends before it was begun is not done; after it was begun it is done in full.
//   - Concurrency. All methods may be called from any number of goroutines.
//
// The package knows nothing of SCIM, HTTP, OpenID Connect or the rules of licensing: a path in a filter is a string to it and a
// license is a name. The engines are in store/sqlite (embedded, the default) and store/mongo (for several servers); store/storetest is
// the suite that each of them passes, and store/query the filter tree that they share. Both give and take all that they keep as
// records ([Transfer]), and can be looked through for what is wrong ([Doctor]).
package store
