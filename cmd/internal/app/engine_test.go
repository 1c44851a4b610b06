package app

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"usher/store"
	"usher/store/mongo/mongotest"
)

func TestShownStore(t *testing.T) {
	for uri, want := range map[string]string{
		"mongodb://db1.example.com,db2.example.com:27018/usher":             "mongodb://db1.example.com,db2.example.com:27018/usher",
		"mongodb://user:secret@db1.example.com/usher?replicaSet=rs0":        "mongodb://db1.example.com/usher",
		"mongodb://user:sec@ret@db1.example.com/usher":                      "mongodb://db1.example.com/usher",
		"mongodb+srv://user:secret@db.example.com/?tlsCertificateKeyFile=x": "mongodb+srv://db.example.com/",
		"mongodb://user:secret@":                                            "mongodb://",
	} {
		if got := ShownStore(uri); got != want {
			t.Errorf("%s is shown as %s, want %s", uri, got, want)
		}
	}
}

// TestUnsaid: what a driver says of an address that it cannot read may quote it.
func TestUnsaid(t *testing.T) {
	const uri = "mongodb://user:secret@db1.example.com/usher?tlsCertificateKeyFilePassword=hidden"
	for _, err := range []error{
		fmt.Errorf("cannot read %s", uri),
		errors.New("unescaped @ in user:secret"),
		errors.New("wrong password secret"),
		errors.New("option tlsCertificateKeyFilePassword=hidden is unknown"),
	} {
		if got := Unsaid(err, uri).Error(); strings.Contains(got, "secret") || strings.Contains(got, "hidden") {
			t.Errorf("said: %s", got)
		}
	}
	if got := Unsaid(store.ErrUnavailable, uri); !errors.Is(got, store.ErrUnavailable) {
		t.Errorf("an error that says nothing has become %v", got)
	}
}

// TestOpenFolder_unreachable: one sentence says what to look at, and nothing secret.
func TestOpenFolder_unreachable(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := listener.Addr().String()
	listener.Close() // nobody answers there
	_, err = OpenFolder(t.Context(), t.TempDir(), "mongodb://user:secret@"+addr+"/usher", slog.New(slog.DiscardHandler))
	if err == nil {
		t.Fatal("it is opened")
	}
	if text := err.Error(); !strings.Contains(text, "cannot be reached") || !strings.Contains(text, "mongodb://"+addr+"/usher") || strings.Contains(text, "secret") || strings.Contains(text, "\n") {
		t.Errorf("it says: %s", text)
	}
}

// TestOpenFolder_elsewhere: a folder whose records are in a database does not begin with none when that is forgotten.
func TestOpenFolder_elsewhere(t *testing.T) {
	uri := mongotest.URI(t)
	dir := t.TempDir()
	silent := slog.New(slog.DiscardHandler)
	f, err := OpenFolder(t.Context(), dir, uri, silent)
	if err != nil {
		t.Fatal(err)
	}
	same, err := OpenFolder(t.Context(), dir, uri, silent) // as the command line does beside a server elsewhere
	if err != nil {
		t.Fatal(err)
	}
	for _, opened := range []*Folder{f, same} {
		if err := opened.Close(); err != nil {
			t.Fatal(err)
		}
	}
	mark := filepath.Join(dir, elsewhere)
	if _, err := OpenFolder(t.Context(), dir, "", silent); err == nil || !strings.Contains(err.Error(), "USHER_STORE") || !strings.Contains(err.Error(), mark) {
		t.Errorf("without the address: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "usher.db")); err == nil {
		t.Error("records were made in the folder")
	}
	if err := os.Remove(mark); err != nil {
		t.Fatal(err)
	}
	if f, err = OpenFolder(t.Context(), dir, "", silent); err != nil {
		t.Fatalf("after the mark was removed: %v", err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}

// TestOpenFolder_ownRecords: a folder that has records does not quietly serve those of a database.
func TestOpenFolder_ownRecords(t *testing.T) {
	dir, silent := t.TempDir(), slog.New(slog.DiscardHandler)
	f, err := OpenFolder(t.Context(), dir, "", silent)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	const uri = "mongodb://ada:secret@127.0.0.1:1/usher"
	_, err = OpenFolder(t.Context(), dir, uri, silent)
	if err == nil || !strings.Contains(err.Error(), "has records of its own") || !strings.Contains(err.Error(), "usher migrate") {
		t.Errorf("OpenFolder gave %v", err)
	}
	if err != nil && strings.Contains(err.Error(), "secret") {
		t.Errorf("the error has the password in it: %v", err)
	}
}

func TestCheckStore_escapes(t *testing.T) {
	err := CheckStore("mongodb://ada:se%zzcret@db.example.com/usher")
	if err == nil || !strings.Contains(err.Error(), "%25") || strings.Contains(err.Error(), "zz") {
		t.Errorf("CheckStore gave %v", err)
	}
}
