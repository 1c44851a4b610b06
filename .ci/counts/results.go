package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// event is a line of "go test -json"; see "go doc test2json".
type event struct {
	Action, Package, Test, Output string
	ImportPath                    string // of what is built
	Elapsed                       float64
}

// How a test ended.
const (
	passed  = "pass"
	failed  = "fail"
	skipped = "skip"
)

// result is what came of a test.
type result struct {
	outcome string
	reason  string // why it was left out
}

// results are all tests of a run: package -> test -> result.
type results struct {
	tests  map[string]map[string]result
	failed bool // a test, a package outside its tests, or its building
}

// read reads a run to its end and prints it as "go test" would: a line for each package, and all that failing tests have printed.
func read(in io.Reader, out io.Writer) (*results, error) {
	r := &results{tests: map[string]map[string]result{}}
	said := map[string]string{} // by package and test, until it has ended
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) && len(line) == 0 {
			return r, nil
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		var e event
		if err := json.Unmarshal(line, &e); err != nil { // the go command itself says something
			fmt.Fprint(out, string(line))
			continue
		}
		key := e.Package + " " + e.Test
		switch e.Action {
		case "build-output":
			fmt.Fprint(out, e.Output)
		case "build-fail":
			r.failed = true
		case "output":
			said[key] += e.Output
		case passed, failed, skipped:
			if e.Test == "" {
				r.endPackage(e, said[key], out)
			} else {
				r.endTest(e, said[key], out)
			}
			delete(said, key)
		}
	}
}

func (r *results) endTest(e event, said string, out io.Writer) {
	if r.tests[e.Package] == nil {
		r.tests[e.Package] = map[string]result{}
	}
	ended := result{outcome: e.Action}
	switch e.Action {
	case failed:
		r.failed = true
		fmt.Fprint(out, said)
	case skipped:
		ended.reason = reason(said)
	}
	r.tests[e.Package][e.Test] = ended
}

func (r *results) endPackage(e event, said string, out io.Writer) {
	if e.Action == failed {
		r.failed = true
		fmt.Fprint(out, said)
		return
	}
	for line := range strings.Lines(said) {
		if strings.HasPrefix(line, "ok ") {
			fmt.Fprint(out, line)
		}
	}
}

// reason is the first thing that a test has said which was left out, without the place in the source.
func reason(said string) string {
	for line := range strings.Lines(said) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "===") || strings.HasPrefix(line, "---") {
			continue
		}
		if _, rest, ok := strings.Cut(line, ".go:"); ok {
			_, line, _ = strings.Cut(rest, ":")
		}
		return strings.TrimSpace(line)
	}
	return ""
}
