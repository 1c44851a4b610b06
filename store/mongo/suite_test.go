package mongo

import (
	"testing"

	"usher/store"
	"usher/store/mongo/mongotest"
	"usher/store/query"
	"usher/store/storetest"
)

// TestStore runs the suite, and looks then whether there is an index for all that was asked of the server meanwhile.
func TestStore(t *testing.T) {
	mongotest.URI(t) // without a server nothing of the suite is run
	asked := &questions{of: map[string]question{}}
	t.Cleanup(func() { asked.check(t) })
	storetest.Run(t, func(t *testing.T, indexes []query.Index) store.Store {
		return watched(t, mongotest.URI(t), indexes, asked)
	})
}
