package scimtest

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

//go:embed testdata/traces/*.json
var files embed.FS

// Trace is one flow of an identity provider. It is read-only.
type Trace struct {
	Name     string   `json:"trace"`
	IdP      string   `json:"idp"`
	Evidence string   `json:"evidence"` // how well the flow is known: "documented", "issue", ...
	Sources  []string `json:"sources"`
	About    string   `json:"about"`
	// Adapt is what the flow asks of the company it runs on; empty for one that runs on any.
	Adapt string    `json:"adapt"`
	Vars  Variables `json:"vars"`
	Steps []Step    `json:"steps"`
}

// Step is one request with the answer it must get.
type Step struct {
	Name    string            `json:"name"`
	Request Request           `json:"request"`
	Expect  Expect            `json:"expect"`
	Capture map[string]string `json:"capture"` // variable -> dotted path into the answer's body
	Why     string            `json:"why"`
}

// Request is what the identity provider sends.
type Request struct {
	Method  string             `json:"method"`
	Path    string             `json:"path"`    // below the base address, percent-encoded, sent as it is
	Headers map[string]*string `json:"headers"` // beside the usual ones or in their place; nil: not sent
	Body    json.RawMessage    `json:"body"`    // nil: none
}

// Expect is what the answer must be.
type Expect struct {
	Status  Statuses          `json:"status"`
	Body    json.RawMessage   `json:"body"`    // nil: any
	Headers map[string]string `json:"headers"` // text or matcher
}

// Statuses are the accepted status codes.
type Statuses []int

// UnmarshalJSON reads a number or a list of numbers.
func (s *Statuses) UnmarshalJSON(b []byte) error {
	var one int
	if json.Unmarshal(b, &one) == nil {
		*s = Statuses{one}
		return nil
	}
	return json.Unmarshal(b, (*[]int)(s))
}

// Variable is a named value of a trace.
type Variable struct {
	Name  string
	Value any
}

// Variables are the variables of a trace in the order of its file: a later one may use those before it.
type Variables []Variable

// UnmarshalJSON reads an object and keeps its order.
func (v *Variables) UnmarshalJSON(b []byte) error {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return fmt.Errorf("vars must be an object, not %s", b)
	}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return err
		}
		var value any
		if err := dec.Decode(&value); err != nil {
			return err
		}
		*v = append(*v, Variable{Name: name.(string), Value: value})
	}
	return nil
}

// Load gives the built-in traces in the order of their names.
func Load() ([]Trace, error) {
	names, err := fs.Glob(files, "testdata/traces/*.json")
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	traces := make([]Trace, 0, len(names))
	for _, name := range names {
		b, err := files.ReadFile(name)
		if err != nil {
			return nil, err
		}
		t, err := Parse(b)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path.Base(name), err)
		}
		if want := strings.TrimSuffix(path.Base(name), ".json"); t.Name != want {
			return nil, fmt.Errorf("%s: the trace is named %q", path.Base(name), t.Name)
		}
		traces = append(traces, t)
	}
	return traces, nil
}

// Parse reads one trace. A member that the format does not have is an error.
func Parse(b []byte) (Trace, error) {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	var t Trace
	if err := dec.Decode(&t); err != nil {
		return Trace{}, fmt.Errorf("read trace: %w", err)
	}
	if len(t.Steps) == 0 {
		return Trace{}, fmt.Errorf("read trace: %q has no steps", t.Name)
	}
	for i, s := range t.Steps {
		if s.Request.Method == "" || len(s.Expect.Status) == 0 {
			return Trace{}, fmt.Errorf("read trace: step %d (%s) of %q lacks a method or a status", i+1, s.Name, t.Name)
		}
	}
	return t, nil
}
