package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"usher/cmd/internal/adminapi"
	"usher/cmd/internal/credential"
	"usher/cmd/internal/setup"
	"usher/licensing"
	"usher/scim"
	"usher/scim/schema"
)

// Folder is an opened data folder: the store and what decides over it. No other process can open it meanwhile, unless its records are in a
// database elsewhere: then several servers may share these, each with a folder of its own.
type Folder struct {
	registry  *schema.Registry
	store     engine
	directory *licensing.Directory
	auth      *authenticator
	cursorKey []byte
	links     *setup.Links
	domainKey []byte
	hasher    *credential.Hasher
	keys      *keyring
	sealer    *credential.Sealer // of keys
	log       *slog.Logger
}

// OpenFolder opens the data folder and makes it if it does not exist. uri is the address of the MongoDB database that has its records; empty:
// they are in the folder.
func OpenFolder(ctx context.Context, dir, uri string, log *slog.Logger) (*Folder, error) {
	return openFolder(ctx, dir, uri, log, openStore)
}

func openFolder(ctx context.Context, dir, uri string, log *slog.Logger, open opener) (*Folder, error) {
	// Only the one who runs the server may look inside: the folder has the hashes of tokens and the socket of the admin API.
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("cannot make the data folder: %w", err)
	}
	registry, err := schema.NewRegistry()
	if err != nil {
		return nil, fmt.Errorf("schemas: %w", err)
	}
	s, err := open(ctx, dir, uri, registry.UserIndexes(), log)
	if err != nil {
		return nil, err
	}
	f := &Folder{registry: registry, store: s, directory: licensing.NewDirectory(s, nil, log), log: log}
	if err := f.unlock(ctx, dir); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return f, nil
}

// unlock reads the keys of the folder, and what depends on whether it has its store to itself.
func (f *Folder) unlock(ctx context.Context, dir string) error {
	f.keys = &keyring{file: filepath.Join(dir, "secrets.key")}
	if err := f.keys.load(os.LookupEnv); err != nil {
		return fmt.Errorf("cannot keep the keys of sealed secrets: %w", err)
	}
	f.hasher, f.sealer = credential.NewHasher(hashers), f.keys.sealer
	remember := rememberFor
	if c, ok := f.store.(common); ok {
		f.directory.Shared, f.keys.common = true, c
		remember = 0 // what another server revokes ends here with the next request
	}
	f.auth = newAuthenticator(f.store, time.Now, remember)
	var err error
	if f.cursorKey, err = f.key(ctx, dir, cursorKeyName, scim.CursorKeySize); errors.Is(err, errOtherKeys) {
		return err
	} else if err != nil {
		return fmt.Errorf("cannot keep the key of the cursors: %w", err)
	}
	linkKey, err := f.key(ctx, dir, setupKeyName, setup.KeySize)
	if err != nil {
		return fmt.Errorf("cannot keep the key of the links in invitations: %w", err)
	}
	f.links, f.domainKey = setup.NewLinks([setup.KeySize]byte(linkKey)), linkKey
	f.directory.Links = f.links.Hash
	return nil
}

// hashers is how many passwords are hashed at a time.
const hashers = 2

// keyIn reads a key out of a file, so that what was made with it is good after a restart: cursors of lists, links in mails. It makes the file
// if there is none.
func keyIn(file string, size int) ([]byte, error) {
	key, err := readKey(file, size)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	key = make([]byte, size)
	rand.Read(key) //nolint:errcheck // it does not fail
	return key, os.WriteFile(file, key, 0o600)
}

// readKey reads a key out of a file: fs.ErrNotExist.
func readKey(file string, size int) ([]byte, error) {
	key, err := os.ReadFile(file)
	if err == nil && len(key) != size { // another one would make worthless what was sealed with it
		return nil, fmt.Errorf("%s has %d bytes and not %d: restore it from a backup, or remove it if that does not matter", file, len(key), size)
	}
	return key, err
}

// Admin makes the admin API of a folder on which no server runs. Identity providers are looked at as by a server without a configuration.
func (f *Folder) Admin() http.Handler {
	signOn, err := f.signOn("", SignOn{})
	if err != nil { // the zero configuration is a good one, and the pages are tested
		panic(err)
	}
	return f.admin(adminapi.Config{SignOn: signOn})
}

// admin makes the admin API with what the configuration has already.
func (f *Folder) admin(c adminapi.Config) *adminapi.Handler {
	c.Hasher, c.Sealer, c.Keys, c.DomainKey = f.hasher, f.sealer, f.keys, f.domainKey
	c.Store, c.Directory, c.Registry, c.Changed, c.Logger = f.store, f.directory, f.registry, f.auth.forget, f.log
	return adminapi.NewHandler(c)
}

// ready says whether the store answers.
func (f *Folder) ready(ctx context.Context) error {
	_, err := f.store.ListSweeps(ctx) // few, and mostly none
	return err
}

// Close closes the folder. Nothing may use it any more.
func (f *Folder) Close() error { return f.store.Close() }

// Socket is where the admin API of the server that runs on the folder listens.
func Socket(dir string) string { return filepath.Join(dir, "usher.sock") }
