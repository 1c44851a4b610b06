package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// stream is a run in which the test ends as said, and may say something before.
func stream(t *testing.T, pkg, outcome, says string) string {
	t.Helper()
	line := func(action, test, output string) string {
		return `{"Action":"` + action + `","Package":"` + pkg + `","Test":"` + test + `","Output":"` + output + `"}` + "\n"
	}
	suites := ""
	for _, engine := range []string{sqliteEngine, mongodbEngine} {
		suites += strings.ReplaceAll(line(passed, suite+"/Companies", ""), pkg, engine)
	}
	if outcome == "" {
		return suites + line(passed, "TestOther", "") + line(passed, "", "")
	}
	end := line(passed, "", "ok")
	if outcome == failed {
		end = line(failed, "", "FAIL")
	}
	return suites + line(passed, "TestOther", "") + line("output", "TestIt", `    it_test.go:7: `+says+`\n`) + line(outcome, "TestIt", "") + end
}

func TestCompare(t *testing.T) {
	for name, tt := range map[string]struct {
		sqlite, mongodb, says string
		ok                    bool
		prints                string
	}{
		"same":                     {passed, passed, "", true, "Same tests, same results."},
		"both failed":              {failed, failed, "", false, "together"},
		"failed on one":            {passed, failed, "", false, "usher/x TestIt: pass on SQLite, fail on MongoDB"},
		"not there":                {passed, "", "", false, "usher/x TestIt: pass on SQLite, not there on MongoDB"},
		"only there":               {"", passed, "", false, "usher/x TestIt: not there on SQLite, pass on MongoDB"},
		"left out with a reason":   {passed, skipped, "because: of it", true, "because: of it\n\tusher/x TestIt"},
		"left out without reasons": {passed, skipped, "", false, "usher/x TestIt is left out and does not say why"},
	} {
		t.Run(name, func(t *testing.T) {
			var files []string
			for i, outcome := range []string{tt.sqlite, tt.mongodb} {
				file := filepath.Join(t.TempDir(), "run")
				var out strings.Builder
				ok, err := run([]string{"keep", file}, strings.NewReader(stream(t, "usher/x", outcome, tt.says)), &out)
				if err != nil || ok != (outcome != failed) {
					t.Errorf("run %d: %t, %v", i, ok, err)
				}
				if shown := strings.Contains(out.String(), "it_test.go:7: "+tt.says); shown != (outcome == failed) {
					t.Errorf("run %d prints %q", i, out.String())
				}
				files = append(files, file)
			}
			var out strings.Builder
			ok, err := run([]string{"compare", files[0], files[1]}, nil, &out)
			if err != nil || ok != tt.ok || !strings.Contains(out.String(), tt.prints) {
				t.Errorf("%t, %v; want %t and %q in\n%s", ok, err, tt.ok, tt.prints, out.String())
			}
		})
	}
}

func TestCompare_noSuite(t *testing.T) {
	file := filepath.Join(t.TempDir(), "run")
	if err := os.WriteFile(file, []byte(`{"Action":"pass","Package":"usher/x","Test":"TestIt"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if ok, err := run([]string{"compare", file, file}, nil, &out); ok || err != nil || !strings.Contains(out.String(), conformance+": no tests") {
		t.Errorf("%t, %v: %s", ok, err, out.String())
	}
}

func TestRead_build(t *testing.T) {
	var out strings.Builder
	r, err := read(strings.NewReader(`{"ImportPath":"usher/x","Action":"build-output","Output":"x.go:1: no\n"}
{"ImportPath":"usher/x","Action":"build-fail"}
the go command says something
`), &out)
	if err != nil || !r.failed || out.String() != "x.go:1: no\nthe go command says something\n" {
		t.Errorf("%+v, %v, %q", r, err, out.String())
	}
}
