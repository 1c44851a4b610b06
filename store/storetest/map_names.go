package storetest

import "usher/store"

// nameRow is a value that must be unique, as a record of its own: who has it, and by which claim.
type nameRow struct {
	holder string // the key of the record that has the name
	claim  string
}

// claimName takes a name for the holder: *store.ConflictError when it is taken. While the same holder has it by another claim,
// an operation on the holder is under way or was broken off, and the error is store.ErrVersion.
func (m *Map) claimName(field, company, value, holder, claim string) error {
	k := join(field, company, value)
	if m.names.insert(k, nameRow{holder, claim}) {
		return nil
	}
	return m.nameTaken(field, company, value, holder)
}

// nameTaken gives the error of a name that the holder cannot have, nil if it is free.
func (m *Map) nameTaken(field, company, value, holder string) error {
	got, _, ok := m.names.get(join(field, company, value))
	switch {
	case !ok:
		return nil
	case got.holder == holder:
		return store.ErrVersion
	case field == identity: // of issuer and subject people know the latter
		value = last(value)
	}
	return &store.ConflictError{Field: field, Value: value}
}

// freeName gives a name back, if it is still held by the claim.
func (m *Map) freeName(field, company, value, claim string) {
	k := join(field, company, value)
	if got, revision, ok := m.names.get(k); ok && got.claim == claim {
		m.names.remove(k, revision)
	}
}

// holderOf gives the key of the record that has a name, whether or not it carries that name yet.
func (m *Map) holderOf(field, company, value string) string {
	got, _, _ := m.names.get(join(field, company, value))
	return got.holder
}
