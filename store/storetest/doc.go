// Package storetest holds the conformance suite of the store contract, and the plainest engine that passes it.
//
// [Run] takes a function that opens an empty store and checks every promise of package store on it, one named sub-test for each:
// unique names under concurrency, version conflicts, seats that are never oversold, memberships, filters against the judge,
// paging while records come and go, the audit chain, sweeps, cancellation, and that nothing crosses from one company to another.
// [RunReopen] checks that a store which was closed and opened again has everything. An engine is done when both pass:
//
//	func TestConformance(t *testing.T) {
//		storetest.Run(t, func(t *testing.T, indexes []query.Index) store.Store { ... })
//	}
//
// Sizes follow the variable USHER_SCALE: "ci" (the default) takes seconds, "full" minutes.
//
// [Map] is an executable proof that the contract asks nothing of an engine that a server without transactions cannot give. It has
// only what such a server has, atomic steps on one record, and is not a product: it forgets everything and is slow.
//
// What an engine promises beyond the contract (durability against kill -9, speed, rows read) is left to that engine's own tests.
package storetest
