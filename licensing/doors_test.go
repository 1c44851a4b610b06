package licensing_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestDoors_table checks that the tests in the table of doors are there.
func TestDoors_table(t *testing.T) {
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	sources := map[string]string{}
	for room, dir := range map[string]string{"": ".", "app ": filepath.Join("..", "cmd", "internal", "app")} {
		files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			sources[room] += string(text)
		}
	}
	named := regexp.MustCompile(`(app )?(Test\w+)(?:/([\w-]+))?`).FindAllStringSubmatch(string(doc), -1)
	if len(named) < 20 {
		t.Fatalf("the table names %d tests", len(named))
	}
	for _, n := range named {
		if !strings.Contains(sources[n[1]], "func "+n[2]+"(t *testing.T)") || n[3] != "" && !strings.Contains(sources[n[1]], `"`+n[3]+`": func(`) {
			t.Errorf("the table of doors names %s, which is not there", n[0])
		}
	}
}
