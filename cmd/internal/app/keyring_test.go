package app

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestKeyring(t *testing.T) {
	none := func(string) (string, bool) { return "", false }
	file := filepath.Join(t.TempDir(), "secrets.key")
	open := func() *keyring {
		t.Helper()
		k := &keyring{file: file}
		if err := k.load(none); err != nil {
			t.Fatal(err)
		}
		return k
	}
	k := open()
	sealed := k.sealer.Seal("secret", "me")
	if err := k.AddKey(); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode() != 0o600 || info.Size() != 64 {
		t.Errorf("%v, %v", info, err)
	}
	k = open()
	if got, err := k.sealer.Open(sealed, "me"); err != nil || got != "secret" {
		t.Errorf("%q, %v", got, err)
	}
	if err := k.ForgetKeys(); err != nil {
		t.Fatal(err)
	}
	if _, err := open().sealer.Open(sealed, "me"); err == nil {
		t.Error("a forgotten key opens")
	}
	if err := os.WriteFile(file, []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := (&keyring{file: file}).load(none); err == nil || !strings.Contains(err.Error(), "restore it from a backup") {
		t.Errorf("a file that is none: %v", err)
	}
}

func TestKeyring_environment(t *testing.T) {
	one, two := base64.StdEncoding.EncodeToString(make([]byte, 32)), base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", 32)))
	load := func(value string) (*keyring, error) {
		k := &keyring{file: filepath.Join(t.TempDir(), "secrets.key")}
		return k, k.load(func(string) (string, bool) { return value, true })
	}
	k, err := load(one)
	if err != nil {
		t.Fatal(err)
	}
	sealed := k.sealer.Seal("secret", "me")
	if k, err = load(two + ", " + one); err != nil {
		t.Fatal(err)
	}
	if got, err := k.sealer.Open(sealed, "me"); err != nil || got != "secret" {
		t.Errorf("%q, %v", got, err)
	}
	if err := k.AddKey(); err == nil || !strings.Contains(err.Error(), keysVariable) {
		t.Errorf("another key: %v", err)
	}
	if err := (&keyring{file: k.file}).load(func(string) (string, bool) { return "", false }); err == nil || !strings.Contains(err.Error(), keysVariable) {
		t.Errorf("without the variable: %v", err)
	}
	both := base64.StdEncoding.EncodeToString(append([]byte(strings.Repeat("x", 32)), make([]byte, 32)...)) // a file with two keys
	if k, err = load(both); err != nil || k.sealer.Keys() != 2 {
		t.Errorf("two keys in one: %v", err)
	}
	for _, wrong := range []string{"", "x", one + ",", "c2hvcnQ="} {
		if _, err := load(wrong); err == nil {
			t.Errorf("%q is taken", wrong)
		}
	}
}
