package storetest

import (
	"slices"
	"strings"
	"sync"

	"usher/store"
)

// records is one table of a document database: it reads, inserts, replaces and removes one record at a time, and each of these
// steps is atomic by itself. The lock is held for one step only; there is no way to hold it over two.
//
// Values are never changed in place: what is stored is replaced as a whole, so a value read may be kept.
type records[T any] struct {
	before func() // called before each step that writes
	terms  func(T) []string

	mu       sync.RWMutex
	rows     map[string]record[T]
	index    map[string]map[string]struct{} // term -> keys, in step with rows as the index of a document is
	revision int64                          // of the newest record; never given twice, so that a key used again is not mistaken
}

type record[T any] struct {
	value    T
	revision int64
}

func newRecords[T any](before func(), terms func(T) []string) *records[T] {
	return &records[T]{
		before: before,
		terms:  terms,
		rows:   make(map[string]record[T]),
		index:  make(map[string]map[string]struct{}),
	}
}

// get reads one record and the revision to replace or remove it by.
func (r *records[T]) get(key string) (value T, revision int64, ok bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	row, ok := r.rows[key]
	return row.value, row.revision, ok
}

// insert adds a record unless the key is there already.
func (r *records[T]) insert(key string, value T) bool {
	r.before()
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, taken := r.rows[key]; taken {
		return false
	}
	r.put(key, value)
	return true
}

// replace changes a record if it still has the revision.
func (r *records[T]) replace(key string, revision int64, value T) bool {
	r.before()
	r.mu.Lock()
	defer r.mu.Unlock()
	row, ok := r.rows[key]
	if !ok || row.revision != revision {
		return false
	}
	r.unindex(key, row.value)
	r.put(key, value)
	return true
}

// remove deletes a record if it still has the revision.
func (r *records[T]) remove(key string, revision int64) bool {
	r.before()
	r.mu.Lock()
	defer r.mu.Unlock()
	row, ok := r.rows[key]
	if !ok || row.revision != revision {
		return false
	}
	r.unindex(key, row.value)
	delete(r.rows, key)
	return true
}

// update replaces a record by what change makes of it, again for as long as somebody else comes in between.
// It fails with store.ErrNotFound when the record is not there, and with change's error.
func (r *records[T]) update(key string, change func(T) (T, error)) error {
	for {
		value, revision, ok := r.get(key)
		if !ok {
			return store.ErrNotFound
		}
		next, err := change(value)
		if err != nil {
			return err
		}
		if r.replace(key, revision, next) {
			return nil
		}
	}
}

// find gives the keys of the records that have the term, in order. The records may be gone or changed when they are read.
func (r *records[T]) find(term string) []string {
	r.mu.RLock()
	keys := make([]string, 0, len(r.index[term]))
	for key := range r.index[term] {
		keys = append(keys, key)
	}
	r.mu.RUnlock()
	slices.Sort(keys)
	return keys
}

// keys gives the keys of all records, in order.
func (r *records[T]) keys() []string {
	r.mu.RLock()
	keys := make([]string, 0, len(r.rows))
	for key := range r.rows {
		keys = append(keys, key)
	}
	r.mu.RUnlock()
	slices.Sort(keys)
	return keys
}

func (r *records[T]) put(key string, value T) {
	r.revision++
	r.rows[key] = record[T]{value, r.revision}
	for _, term := range r.terms(value) {
		keys := r.index[term]
		if keys == nil {
			keys = make(map[string]struct{})
			r.index[term] = keys
		}
		keys[key] = struct{}{}
	}
}

func (r *records[T]) unindex(key string, value T) {
	for _, term := range r.terms(value) {
		delete(r.index[term], key)
		if len(r.index[term]) == 0 {
			delete(r.index, term)
		}
	}
}

// join makes a key or a term of its parts. Keys of one company lie together, in the order of their last part.
func join(parts ...string) string { return strings.Join(parts, "\x00") }

// last gives the last part of a key.
func last(key string) string { return key[strings.LastIndexByte(key, 0)+1:] }
