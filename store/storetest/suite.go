package storetest

import (
	"errors"
	"os"
	"testing"

	"usher/store"
	"usher/store/query"
)

// Run checks the contract of package store, each sub-test on a store of its own. open gives an empty store that keeps the indexes
// over the documents of accounts; the suite closes it.
func Run(t *testing.T, open func(t *testing.T, indexes []query.Index) store.Store) {
	for _, test := range []struct {
		name string
		run  func(f *fixture)
	}{
		{"Companies", testCompanies},
		{"Company is all or nothing", testCompanyConflicts},
		{"Companies changed", testCompanyUpdate},
		{"Domains", testDomains},
		{"Domains under concurrency", testDomainStorm},
		{"Companies changed under concurrency", testCompanyUpdateStorm},
		{"Connections", testConnections},
		{"Local admins", testLocalAdmins},
		{"Admin keys", testAdminKeys},
		{"Admin sessions", testAdminSessions},
		{"Idempotency", testIdempotency},
		{"Sign-on of connections", testSignOn},
		{"Sign-ins", testSignIns},
		{"Sign-ins under concurrency", testSignInStorm},
		{"Logout tokens", testLogoutTokens},
		{"Sessions", testSessions},
		{"Sessions opened", testSessionOpening},
		{"Sessions opened under concurrency", testSessionStorm},
		{"Identities", testIdentities},
		{"Identities under concurrency", testIdentityStorm},
		{"Ceiling", testCeiling},
		{"Losses", testLosses},
		{"Breaker", testBreaker},
		{"Connections changed", testConnectionUpdate},
		{"Tokens", testTokens},

		{"Account round trip", testAccountRoundTrip},
		{"Account versions", testAccountVersions},
		{"Accounts by id", testAccountsByID},
		{"Account batch", testAccountBatch},
		{"User names are unique", testUserNames},
		{"User names under concurrency", testUserNameStorm},
		{"Rename under concurrency", testRenameStorm},
		{"Compare-and-set storm", testVersionStorm},
		{"Rival changes of an account", testRivalChanges},
		{"Rival creations with a seat", testRivalCreations},
		{"Extension numbers", testExtensions},
		{"Extension numbers under concurrency", testExtensionStorm},
		{"Tombstones", testTombstones},
		{"Adoption", testAdoption},

		{"Mails", testMails},
		{"Mails of several senders", testMailStorm},

		{"Seat storm", testSeatStorm},
		{"Seat without fallback", testSeatRefused},
		{"Seat states", testSeatStates},
		{"Seat of a deleted account", testSeatOfDeleted},
		{"Seat of a failed write", testSeatOfFailedWrite},
		{"Seat swap", testSeatSwap},
		{"Seats lowered", testSeatsLowered},
		{"Seat churn", testSeatChurn},
		{"Queue order", testQueueOrder},
		{"Held seats order", testHeldSeats},
		{"Pools", testPools},

		{"Group round trip", testGroupRoundTrip},
		{"Group names", testGroupNames},
		{"Group versions", testGroupVersions},
		{"Members", testMembers},
		{"Unknown members", testUnknownMembers},
		{"Members exactly", testMembersExactly},
		{"Members of deleted accounts", testMembersDeleted},
		{"Members paged", testMembersPaged},
		{"Members under concurrency", testMemberStorm},
		{"Rival changes of a group", testRivalGroupChanges},
		{"Members deleted while added", testDeletedWhileAdded},
		{"Groups of accounts", testMemberships},
		{"Groups in groups", testSubgroups},
		{"Circles of groups", testCircles},

		{"Filters on accounts", testAccountFilters},
		{"Filters on groups", testGroupFilters},
		{"Filters follow changes", testFiltersFollow},
		{"Budget", testBudget},
		{"Paging", testPaging},
		{"Paging past changes", testPagingPastChanges},
		{"Paging under concurrency", testPagingStorm},
		{"Sorting", testSorting},
		{"Sorting past changes", testSortingPastChanges},
		{"Sorting of groups", testSortedGroups},

		{"Rules", testRules},
		{"Schemas", testSchemas},
		{"Quirks", testQuirks},
		{"Sweeps", testSweeps},
		{"Sweep leases", testSweepLeases},
		{"Events", testEvents},
		{"Events by themselves", testEventsAppended},
		{"Events of refused writes", testEventsRefused},
		{"Events under concurrency", testEventStorm},

		{"Cancellation", testCancellation},
		{"Isolation", testIsolation},
		{"Copies", testCopies},
		{"Closing", testClosing},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := open(t, indexes())
			t.Cleanup(func() {
				if err := s.Close(); err != nil && !errors.Is(err, store.ErrClosed) {
					t.Errorf("Close: %v", err)
				}
			})
			test.run(newFixture(t, s))
		})
	}
}

// full says whether the large sizes are asked for.
func full() bool { return os.Getenv("USHER_SCALE") == "full" }

// size chooses between the sizes of a test.
func size(ci, large int) int {
	if full() {
		return large
	}
	return ci
}
