// Package mongo keeps accounts, groups, seats and all else in MongoDB (4.4 or newer), for those who outgrow one machine: any number of usher servers
// share one database. It implements the contract of package store by the official driver, and leaves rules, protocols and HTTP to the packages above.
//
// # What it relies on
//
// Atomic changes of one document, unique indexes, and writes that a majority has in its journals. It uses no transactions, no collations, no partial
// indexes, no change streams and no clock that servers would have to have in common; every update of a document that somebody else may be changing
// says what the document must be like for it. A server whose updates are not atomic is found out by a short race and refused when the database is
// opened ([ErrNotAtomic]).
//
// # How a change is made
//
// An account, a group, a pool, a token is one document, a [fact]. One step compares and sets it, and writes into it all that follows: events, a sweep,
// mails, and what is to be done to other documents (its notices). The operation does the latter itself before it answers; the relay of this or any
// other server does what is left when a process has died, and moves events to the log. Carrying a notice out twice does no harm, because each has an
// id: the events of a company have it as the id of their document, and their places in the chain under a unique index, so that any number of relays
// appends each event once, without gaps, and none onto an end that is not the end any more.
//
// A change that was not answered (the connection was cut, the primary stepped down) is looked up by the mark that it would have left, and made again
// only where it certainly was not made. Where nobody can tell, the error is store.ErrUnavailable, never a guess.
//
//   - Names that must be unique in a company are in the account's or group's own document, in the list u under one unique index over the company and
//     u, so that they change in the same step.
//   - Seats are one document each, numbered from 1. A seat is claimed for an account before the account is compared and set, and settled after it; the
//     account carries the claim and is the truth. A number above the pool's total is given to nobody, so lowering a total takes nothing from anybody,
//     and who claims a seat while others sit above the total moves one of them down first.
//   - Memberships are one document each. A change of a group's members is decided on the group's document, which lists who comes and goes until the
//     membership documents are written; each has the version of the group, so that one who is late undoes nothing.
//   - What is left half-way is finished or undone by a reconciler, of which each server has one: claims that no write has settled, deletions and
//     changes of members that were not carried out. It acts on what it has itself seen unchanged for half a minute, so that clocks do not matter.
//
// Nothing is remembered between operations but where the pages of lists ended: versions and epochs are read with each request, so that what was
// changed by one server holds for all when the change has been answered. Reads go to the primary. A primary that was cut off and does not know yet
// that another has taken its place can answer with what was true before, for as long as it takes it to find out (about ten seconds by default).
//
// # Filters and indexes
//
// All terms that an account or a group is found by are in its list k, "path=value", under one index over company, k and _id, and values that must be
// unique in u. Ids follow the order of creation, so each of these gives its matches in the order of lists.
//
//	filter                                    condition beside the company               index
//	none                                      k = "*"                                    co, k, _id
//	userName eq, group displayName eq         u = "userName=..."                         co, u (unique)
//	id eq                                     _id                                        _id
//	indexed attribute or column eq            k = "path=value"                           co, k, _id
//	  sw                                      k ~ /^path=value/                          co, k, _id (a range of it)
//	  gt ge lt le                             k elemMatch a range                        co, k, _id (a range of it)
//	  co ew                                   k ~ /^path=.*value/                        co, k, _id (all of that path)
//	meta.lastModified eq gt ge lt le          v.modified                                 co, v.modified
//	groups eq (of accounts)                   _id in members of the group                members: co, g, u; then _id
//	members eq (of groups)                    _id in groups of the member; k = "~g=..."  members: co, u, g; then _id
//	and                                       the cheapest of its parts; the rest is judged
//	or of indexed parts                       $or
//	ne, not, pr, anything else                k = "*", and every record is judged
//
// What no index answers wholly is judged in Go on the documents read ([usher/store/query.Compile]), within the budget of the query. Values are folded
// by package query before they get here, so no collation is needed, and literals are never patterns: what has a meaning in one is escaped.
//
// # Sharding
//
// The collections that grow with the companies have co as the first field of their indexes, unique ones included, and can be sharded by {co: 1}: users,
// groups, members, seats, events, tombstones and mails. Sessions, which are found by a hash, can be sharded by {_id: "hashed"}. All else is small and
// stays on one shard. The records of a company are on one shard as a whole.
package mongo
