package storetest

import (
	"slices"
	"strings"

	"usher/store"
)

// fact is a record that operations change. Its events and sweeps ride in it, so that one atomic step writes the change together
// with all that tells of it; the mover brings them to where they are read.
type fact[T any] struct {
	value  T
	gone   bool // deleted: nobody sees it any more; kept until the outbox is empty
	open   bool // steps of the operation that wrote it are outstanding; Repair does them if they are never done
	outbox []notice
}

// notice is one event, one sweep or one mail on its way.
type notice struct {
	id    string // in the order of operations that follow one another
	event *store.Event
	sweep *store.Sweep
	mail  *store.Mail
}

// notices makes those of one operation.
func notices(sweep *store.Sweep, events []store.Event) []notice {
	var all []notice
	for _, e := range events {
		e.Detail = slices.Clone(e.Detail)
		all = append(all, notice{id: store.NewID(), event: &e})
	}
	if sweep != nil {
		s := *sweep
		all = append(all, notice{id: store.NewID(), sweep: &s})
	}
	return all
}

// mailNotices makes those of mails.
func mailNotices(mails []store.Mail) []notice {
	var all []notice
	for _, m := range mails {
		m.Version, m.Data = 1, slices.Clone(m.Data)
		all = append(all, notice{id: store.NewID(), mail: &m})
	}
	return all
}

// with is the fact with a new value and the notices of the change.
func (f fact[T]) with(value T, news []notice) fact[T] {
	f.value = value
	f.outbox = append(slices.Clone(f.outbox), news...)
	return f
}

// facts is a table of facts.
type facts[T any] struct{ *records[fact[T]] }

// sweepsWaiting is the term of the facts with a sweep in their outbox, mailsWaiting that of those with a mail, openFacts that of those with steps outstanding.
const (
	sweepsWaiting = "sweeps"
	mailsWaiting  = "mails"
	openFacts     = "open"
)

// eventsWaiting is the term of the company's facts with something in their outbox.
func eventsWaiting(company string) string { return join("events", company) }

func newFacts[T any](before func(), company func(T) string, terms func(T) []string) facts[T] {
	return facts[T]{newRecords(before, func(f fact[T]) []string {
		var all []string
		if !f.gone {
			all = terms(f.value)
		}
		if f.open {
			all = append(all, openFacts)
		}
		if len(f.outbox) > 0 {
			all = append(all, eventsWaiting(company(f.value)))
		}
		if slices.ContainsFunc(f.outbox, func(n notice) bool { return n.sweep != nil }) {
			all = append(all, sweepsWaiting)
		}
		if slices.ContainsFunc(f.outbox, func(n notice) bool { return n.mail != nil }) {
			all = append(all, mailsWaiting)
		}
		return all
	})}
}

// read gives the value of a fact that is not deleted: store.ErrNotFound.
func (f facts[T]) read(key string) (T, error) {
	got, _, ok := f.get(key)
	if !ok || got.gone {
		var none T
		return none, store.ErrNotFound
	}
	return got.value, nil
}

// readAll gives the values of the facts with the term, in the order of their keys.
func (f facts[T]) readAll(term string) []T {
	var all []T
	for _, key := range f.find(term) {
		if v, err := f.read(key); err == nil {
			all = append(all, v)
		}
	}
	return all
}

// create stores a new fact: false when there is one with the key.
func (f facts[T]) create(key string, value T, news []notice) bool {
	return f.insert(key, fact[T]{value: value, outbox: news})
}

// bury deletes a fact, in one step with the notices of it: store.ErrNotFound.
func (f facts[T]) bury(key string, news []notice) error {
	err := f.update(key, func(old fact[T]) (fact[T], error) {
		if old.gone {
			return old, store.ErrNotFound
		}
		next := old.with(old.value, news)
		next.gone = true
		return next, nil
	})
	if err == nil {
		f.clear(key)
	}
	return err
}

// close marks the steps of an operation as done. It does no harm when they are done twice.
func (f facts[T]) close(key string) {
	// The only error is that the fact is gone, and with it what is to be closed.
	_ = f.update(key, func(old fact[T]) (fact[T], error) {
		old.open = false
		return old, nil
	})
	f.clear(key)
}

// clear removes a deleted fact that has nothing left to do.
func (f facts[T]) clear(key string) {
	if got, revision, ok := f.get(key); ok && got.gone && !got.open && len(got.outbox) == 0 {
		f.remove(key, revision)
	}
}

// letter is a notice with the place it was found at.
type letter struct {
	notice
	box outbox
	key string
}

// outbox is a table as the mover sees it.
type outbox interface {
	letters(term string) []letter
	sent(key, notice string)
}

func (f facts[T]) letters(term string) []letter {
	var all []letter
	for _, key := range f.find(term) {
		got, _, _ := f.get(key)
		for _, n := range got.outbox {
			all = append(all, letter{n, f, key})
		}
	}
	return all
}

// sent takes a notice out of its fact.
func (f facts[T]) sent(key, id string) {
	// A fact with a notice in its outbox is never removed, so there is no error to be had.
	_ = f.update(key, func(old fact[T]) (fact[T], error) {
		old.outbox = slices.DeleteFunc(slices.Clone(old.outbox), func(n notice) bool { return n.id == id })
		return old, nil
	})
	f.clear(key)
}

// collect gives the notices of the term in all tables, in the order in which they were made.
func collect(boxes []outbox, term string) []letter {
	var all []letter
	for _, b := range boxes {
		all = append(all, b.letters(term)...)
	}
	slices.SortFunc(all, func(a, b letter) int { return strings.Compare(a.id, b.id) })
	return all
}
