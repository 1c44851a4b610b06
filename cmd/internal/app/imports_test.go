package app

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// listed is what "go list" tells of a package.
type listed struct {
	ImportPath   string
	Doc          string
	Imports      []string
	Deps         []string
	TestImports  []string
	XTestImports []string
}

func packages(t *testing.T) []listed {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Doc,Imports,Deps,TestImports,XTestImports", "usher/...").Output()
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		t.Fatalf("go list: %s", failed.Stderr)
	}
	if err != nil {
		t.Fatal(err)
	}
	var all []listed
	dec := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// in says whether a package is one of those named or below one of them.
func in(path string, roots ...string) bool {
	return slices.ContainsFunc(roots, func(root string) bool { return path == root || strings.HasPrefix(path, root+"/") })
}

// Imports run one way: cmd -> scim, sso -> licensing -> store.
func TestImports(t *testing.T) {
	const (
		scimModel = "github.com/elimity-com/scim"
		grammar   = "github.com/scim2/filter-parser"
	)
	type rule struct {
		from   []string // the rule is about these packages and those below them
		except []string
		never  []string // what they do not depend on, even through others
		but    []string // of never, what is allowed
		reason string
	}
	rules := []rule{
		{
			from: []string{"usher/store/query"}, never: []string{"usher"}, but: []string{"usher/store/query"},
			reason: "filters know nothing of what they filter",
		},
		{
			from: []string{"usher/store"}, never: []string{"usher"}, but: []string{"usher/store"},
			reason: "the store is the bottom: it knows nothing of rules and protocols",
		},
		{
			from: []string{"usher/licensing"}, never: []string{"usher"}, but: []string{"usher/licensing", "usher/store"},
			reason: "licensing decides about records and knows nothing of the doors",
		},
		{
			from: []string{"usher/licensing", "usher/scim", "usher/sso"}, never: []string{"usher/store/sqlite", "usher/store/mongo"},
			reason: "only the assembly chooses the storage engine",
		},
		{from: []string{"usher/scim"}, never: []string{"usher/sso"}, reason: "SCIM authenticates through a function it is given"},
		{from: []string{"usher/sso"}, never: []string{"usher/scim"}, reason: "single sign-on knows nothing of the SCIM wire"},
		{
			from: []string{"usher"}, except: []string{"usher/cmd"}, never: []string{"usher/cmd"},
			reason: "nothing depends on the assembly",
		},
	}
	// Libraries that are kept behind one package; tests may compare with them where named.
	type fence struct {
		library string
		only    []string
		tests   []string
		reason  string
	}
	fences := []fence{
		{scimModel, []string{"usher/scim/schema"}, []string{"usher/scim"}, "scim/schema gives the schema model in our own types"},
		{grammar, []string{"usher/scim/filter"}, []string{"usher/scim"}, "scim/filter guards the grammar with limits"},
	}
	all := packages(t)
	if len(all) < 10 {
		t.Fatalf("go list names only %d packages", len(all))
	}
	for _, p := range all {
		for _, r := range rules {
			if !in(p.ImportPath, r.from...) || in(p.ImportPath, r.except...) {
				continue
			}
			for _, dep := range p.Deps {
				if in(dep, r.never...) && !in(dep, r.but...) {
					t.Errorf("%s depends on %s: %s", p.ImportPath, dep, r.reason)
				}
			}
		}
		for _, f := range fences {
			for _, dep := range p.Imports {
				if in(dep, f.library) && !slices.Contains(f.only, p.ImportPath) {
					t.Errorf("%s imports %s: %s", p.ImportPath, dep, f.reason)
				}
			}
			for _, dep := range append(p.TestImports, p.XTestImports...) {
				if in(dep, f.library) && !slices.Contains(f.only, p.ImportPath) && !slices.Contains(f.tests, p.ImportPath) {
					t.Errorf("the tests of %s import %s: %s", p.ImportPath, dep, f.reason)
				}
			}
		}
	}
}

// Every package says what it is for.
func TestPackageDoc(t *testing.T) {
	for _, p := range packages(t) {
		if p.Doc == "" {
			t.Errorf("%s has no package comment", p.ImportPath)
		}
	}
}
