// Command counts reads what "go test -json" prints. It is for .ci/run:
//
//	go test -json ./... | counts keep FILE    prints what "go test" would print, and keeps what it read in FILE
//	counts compare SQLITE MONGODB             compares two files that it has kept, test by test, and prints the counts side by side
//
// It leaves with status 1 if a test has failed, or if a test does not come out the same on both engines. A test may be left out on one
// of them when it says why; the reasons are printed too.
package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
)

func main() {
	ok, err := run(os.Args[1:], os.Stdin, os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "counts:", err)
		os.Exit(2)
	}
	if !ok {
		os.Exit(1)
	}
}

func run(args []string, in io.Reader, out io.Writer) (ok bool, err error) {
	switch {
	case len(args) == 2 && args[0] == "keep":
		f, err := os.Create(args[1])
		if err != nil {
			return false, err
		}
		kept := bufio.NewWriter(f)
		r, err := read(io.TeeReader(in, kept), out)
		if err != nil {
			return false, err
		}
		if err := kept.Flush(); err != nil {
			return false, err
		}
		return !r.failed, f.Close()
	case len(args) == 3 && args[0] == "compare":
		var both [2]*results
		for i, name := range args[1:] {
			f, err := os.Open(name)
			if err != nil {
				return false, err
			}
			both[i], err = read(f, io.Discard)
			f.Close()
			if err != nil {
				return false, fmt.Errorf("%s: %w", name, err)
			}
		}
		return compare(both[0], both[1], out), nil
	}
	return false, fmt.Errorf("usage: counts keep FILE, or counts compare SQLITE MONGODB")
}
