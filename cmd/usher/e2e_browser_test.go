package main

import (
	"encoding/json"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"usher/cmd/internal/adminapi"
)

// TestEndToEnd_browser signs people in and out in Chromium, and looks at every page that they see.
func TestEndToEnd_browser(t *testing.T) {
	chromium := os.Getenv("USHER_E2E_CHROMIUM")
	if chromium == "" {
		chromium = "chromium"
	}
	modules := e2eModules(t, chromium)
	chromium, err := exec.LookPath(chromium)
	if err != nil {
		t.Fatal(err)
	}
	shots := os.Getenv("USHER_E2E_SHOTS")
	if shots == "" {
		shots = t.TempDir()
	}
	if err := os.MkdirAll(shots, 0o700); err != nil {
		t.Fatal(err)
	}
	usher := buildUsher(t)
	demo := startDemo(t, usher)
	e := startE2E(t, usher, modules)

	var added []adminapi.PersonRow
	e.cli(t, &added, "account", "add", "--company", "acme", "local@acme.example", "--given", "Lo", "--family", "Cal", "--setup", "credentials", "--json")
	var trial adminapi.SignOnTest
	e.cli(t, &trial, "connection", "test", "--company", "acme", "--connection", "query", "--json")
	config, err := json.Marshal(map[string]any{
		"chromium": chromium, "shots": shots, "usher": e.base, "trial": trial.URL,
		"local": map[string]string{"user": "local@acme.example", "password": added[0].Password, "chosen": "correct horse battery staple"},
		"demo":  demo.origin, "demoStart": demo.start, "practice": demo.practice,
	})
	if err != nil {
		t.Fatal(err)
	}
	node := exec.CommandContext(t.Context(), "node", filepath.Join(modules, "browser.mjs"))
	node.Env = append(os.Environ(), "BROWSER_CONFIG="+string(config))
	node.Stderr = t.Output()
	out, err := node.Output()
	if err != nil {
		t.Errorf("the browser: %v", err)
	}
	said, all := 0, -1
	for line := range strings.Lines(string(out)) {
		var done struct {
			Case, Error string
			Complaints  []string
			MS          int
			Cases       *int
		}
		if err := json.Unmarshal([]byte(line), &done); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		if done.Cases != nil {
			all = *done.Cases
			continue
		}
		said++
		t.Run(done.Case, func(t *testing.T) {
			t.Logf("it took %d ms", done.MS)
			if done.Error != "" {
				t.Error(done.Error)
			}
			for _, complaint := range done.Complaints {
				t.Errorf("the browser complains: %s", complaint)
			}
		})
	}
	if said != all {
		t.Errorf("%d cases have ended, of %d", said, all)
	}
	for _, told := range e.events(t, "error") {
		if told.Where != "authorization.error" || !strings.Contains(told.Error, "access_denied") { // somebody refuses
			t.Errorf("the provider says: %s: %s", told.Where, told.Error)
		}
	}
}

// practiceDemo is where the demo is.
type practiceDemo struct{ origin, start, practice string }

// startDemo starts the demo with its practice identity provider.
func startDemo(t *testing.T, usher string) practiceDemo {
	t.Helper()
	data := t.TempDir()
	file := runInBackground(t, exec.Command(usher, "demo", "--json", "--addr", "127.0.0.1:0", "--data", data))
	var ready struct {
		Start string `json:"sso_start"`
	}
	await(t, "the demo", func() bool {
		first, _, whole := strings.Cut(read(t, file), "\n")
		return whole && json.Unmarshal([]byte(first), &ready) == nil && ready.Start != ""
	})
	start, err := url.Parse(ready.Start)
	if err != nil {
		t.Fatal(err)
	}
	var practice adminapi.SignOn
	(&e2e{usher: usher, data: data}).cli(t, &practice, "connection", "show", "--company", "acme", "--connection", "practice", "--json")
	return practiceDemo{origin: start.Scheme + "://" + start.Host, start: ready.Start, practice: practice.Issuer}
}
