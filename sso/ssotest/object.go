package ssotest

import (
	"bytes"
	"encoding/json"
	"slices"
)

// Object is a JSON object that keeps its members in order and may hold the same name twice. The zero value is an empty object.
type Object struct {
	members []member
}

type member struct {
	name  string
	value any
}

// Raw is a value that is put into an [Object] as it is, also when it is not JSON.
type Raw string

// Set gives a member its only value. A name that is there already keeps its place.
func (o *Object) Set(name string, value any) {
	i := o.index(name)
	if i < 0 {
		o.Append(name, value)
		return
	}
	o.members[i].value = value
	for j := len(o.members) - 1; j > i; j-- {
		if o.members[j].name == name {
			o.members = slices.Delete(o.members, j, j+1)
		}
	}
}

// Append adds a member at the end, as a duplicate if the name is there already.
func (o *Object) Append(name string, value any) {
	o.members = append(o.members, member{name, value})
}

// Delete removes all members of that name. Names are compared exactly.
func (o *Object) Delete(name string) {
	o.members = slices.DeleteFunc(o.members, func(m member) bool { return m.name == name })
}

// Get gives the value of the first member of that name, nil if there is none.
func (o *Object) Get(name string) any {
	if i := o.index(name); i >= 0 {
		return o.members[i].value
	}
	return nil
}

// Names lists the names in order, duplicates as often as they are there.
func (o *Object) Names() []string {
	names := make([]string, len(o.members))
	for i, m := range o.members {
		names[i] = m.name
	}
	return names
}

// String is the JSON text.
func (o Object) String() string {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range o.members {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(text(m.name))
		b.WriteByte(':')
		b.WriteString(text(m.value))
	}
	b.WriteByte('}')
	return b.String()
}

// MarshalJSON lets objects be nested.
func (o Object) MarshalJSON() ([]byte, error) {
	return []byte(o.String()), nil
}

func (o *Object) index(name string) int {
	return slices.IndexFunc(o.members, func(m member) bool { return m.name == name })
}

// text is the JSON of a value without the escapes for HTML, which no provider writes.
func text(v any) string {
	switch v := v.(type) {
	case Raw:
		return string(v)
	case Object:
		return v.String()
	case *Object:
		return v.String()
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic("ssotest: " + err.Error()) // only a mistake in the test can bring a value that is not JSON
	}
	return string(bytes.TrimSpace(b.Bytes()))
}
