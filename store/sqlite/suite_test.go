package sqlite_test

import (
	"testing"

	"usher/store"
	"usher/store/query"
	"usher/store/storetest"
)

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T, indexes []query.Index) store.Store { return open(t, t.TempDir(), indexes) })
}

func TestStore_Reopen(t *testing.T) {
	storetest.RunReopen(t, func(t *testing.T, dir string, indexes []query.Index) store.Store { return open(t, dir, indexes) })
}

func TestStore_Transfer(t *testing.T) {
	fresh := func(t *testing.T, indexes []query.Index) store.Store { return open(t, t.TempDir(), indexes) }
	storetest.RunTransfer(t, fresh, fresh)
}
