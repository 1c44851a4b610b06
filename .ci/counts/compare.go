package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
)

// The conformance suite of the store is run by the packages of the engines, as a test of this name.
const (
	sqliteEngine  = "usher/store/sqlite"
	mongodbEngine = "usher/store/mongo"
	conformance   = "usher/store/storetest"
	suite         = "TestStore"
)

// tally counts the tests of a package by how they ended.
type tally struct{ passed, failed, skipped int }

func count(tests map[string]result) (n tally) {
	for _, r := range tests {
		switch r.outcome {
		case passed:
			n.passed++
		case failed:
			n.failed++
		case skipped:
			n.skipped++
		}
	}
	return n
}

func (n *tally) add(o tally) {
	n.passed += o.passed
	n.failed += o.failed
	n.skipped += o.skipped
}

// compare prints the counts of all packages of the second run side by side, and what differs. The first run may have more packages.
func compare(sqlite, mongodb *results, out io.Writer) bool {
	pairs := map[string][2]map[string]result{}
	for p, tests := range mongodb.tests {
		if p != mongodbEngine {
			pairs[p] = [2]map[string]result{sqlite.tests[p], tests}
		}
	}
	// The suite runs with the tests of both engines, in whichever run these are.
	onMongoDB := mongodb.tests[mongodbEngine]
	if onMongoDB == nil {
		onMongoDB = sqlite.tests[mongodbEngine]
	}
	pairs[conformance] = [2]map[string]result{within(sqlite.tests[sqliteEngine], suite), within(onMongoDB, suite)}

	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "SQLite: passed\tfailed\tleft out\tMongoDB: passed\tfailed\tleft out\t  \t")
	row := func(name string, a, b tally) {
		fmt.Fprintf(table, "%d\t%d\t%d\t%d\t%d\t%d\t  \t%s\n", a.passed, a.failed, a.skipped, b.passed, b.failed, b.skipped, name)
	}
	var a, b tally
	var differences []string
	leftOut := map[string][]string{} // reason -> tests
	for _, p := range slices.Sorted(maps.Keys(pairs)) {
		pair := pairs[p]
		row(p, count(pair[0]), count(pair[1]))
		a.add(count(pair[0]))
		b.add(count(pair[1]))
		differences = append(differences, differ(p, pair[0], pair[1], leftOut)...)
		if len(pair[0]) == 0 || len(pair[1]) == 0 {
			differences = append(differences, p+": no tests on one of the two")
		}
	}
	row("together", a, b)
	table.Flush()
	for _, why := range slices.Sorted(maps.Keys(leftOut)) {
		fmt.Fprintf(out, "%s\n\t%s\n", why, strings.Join(leftOut[why], "\n\t"))
	}
	for _, d := range differences {
		fmt.Fprintln(out, "NOT THE SAME:", d)
	}
	if len(differences) == 0 && a.failed+b.failed == 0 {
		fmt.Fprintln(out, "Same tests, same results.")
		return true
	}
	return false
}

// within are a test and its parts.
func within(tests map[string]result, root string) map[string]result {
	some := map[string]result{}
	for name, r := range tests {
		if name == root || strings.HasPrefix(name, root+"/") {
			some[name] = r
		}
	}
	return some
}

// differ gives a sentence for each test that came out differently, and collects what was left out on either side, and why.
func differ(p string, a, b map[string]result, leftOut map[string][]string) (all []string) {
	either := maps.Clone(a)
	if either == nil {
		either = map[string]result{}
	}
	maps.Copy(either, b)
	for _, name := range slices.Sorted(maps.Keys(either)) {
		ra, rb := a[name], b[name]
		if ra.outcome == skipped || rb.outcome == skipped {
			why := cmp.Or(ra.reason, rb.reason)
			if why == "" {
				all = append(all, fmt.Sprintf("%s %s is left out and does not say why", p, name))
			}
			leftOut[why] = append(leftOut[why], p+" "+name)
			continue
		}
		if ra.outcome == rb.outcome || parentSkipped(a, name) || parentSkipped(b, name) {
			continue
		}
		all = append(all, fmt.Sprintf("%s %s: %s on SQLite, %s on MongoDB", p, name, cmp.Or(ra.outcome, "not there"), cmp.Or(rb.outcome, "not there")))
	}
	return all
}

// parentSkipped says whether a test that this one is a part of was left out.
func parentSkipped(tests map[string]result, name string) bool {
	for i := strings.LastIndexByte(name, '/'); i > 0; i = strings.LastIndexByte(name[:i], '/') {
		if tests[name[:i]].outcome == skipped {
			return true
		}
	}
	return false
}
