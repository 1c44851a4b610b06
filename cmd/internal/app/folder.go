package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
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
	"usher/store/sqlite"
)

// Folder is an opened data folder: the store and what decides over it. No other process can open it meanwhile.
type Folder struct {
	registry  *schema.Registry
	store     *sqlite.Store
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

// OpenFolder opens the data folder and makes it if it does not exist.
func OpenFolder(ctx context.Context, dir string, log *slog.Logger) (*Folder, error) {
	// Only the one who runs the server may look inside: the folder has the hashes of tokens and the socket of the admin API.
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("cannot make the data folder: %w", err)
	}
	registry, err := schema.NewRegistry()
	if err != nil {
		return nil, fmt.Errorf("schemas: %w", err)
	}
	s, err := sqlite.Open(ctx, dir, sqlite.Options{Indexes: registry.UserIndexes(), Logger: log})
	if errors.Is(err, sqlite.ErrLocked) {
		return nil, fmt.Errorf("the data folder %s is in use by another usher process: stop it, or choose another folder", dir)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot open the data folder %s: %w", dir, err)
	}
	f := &Folder{
		registry: registry, store: s, directory: licensing.NewDirectory(s, nil, log), auth: newAuthenticator(s, time.Now), log: log,
	}
	if f.cursorKey, err = keyIn(filepath.Join(dir, "cursor.key"), scim.CursorKeySize); err != nil {
		return nil, errors.Join(fmt.Errorf("cannot keep the key of the cursors: %w", err), s.Close())
	}
	linkKey, err := keyIn(filepath.Join(dir, "setup.key"), setup.KeySize)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("cannot keep the key of the links in invitations: %w", err), s.Close())
	}
	f.links, f.domainKey = setup.NewLinks([setup.KeySize]byte(linkKey)), linkKey
	f.directory.Links = f.links.Hash
	f.keys = &keyring{file: filepath.Join(dir, "secrets.key")}
	if err := f.keys.load(os.LookupEnv); err != nil {
		return nil, errors.Join(fmt.Errorf("cannot keep the keys of sealed secrets: %w", err), s.Close())
	}
	f.hasher, f.sealer = credential.NewHasher(hashers), f.keys.sealer
	return f, nil
}

// hashers is how many passwords are hashed at a time.
const hashers = 2

// keyIn reads a key out of a file, so that what was made with it is good after a restart: cursors of lists, links in mails. It makes the file
// if there is none.
func keyIn(file string, size int) ([]byte, error) {
	key, err := os.ReadFile(file)
	switch {
	case err == nil && len(key) == size:
		return key, nil
	case err == nil: // another one would make worthless what was sealed with it
		return nil, fmt.Errorf("%s has %d bytes and not %d: restore it from a backup, or remove it if that does not matter", file, len(key), size)
	case err != nil && !errors.Is(err, os.ErrNotExist):
		return nil, err
	}
	key = make([]byte, size)
	rand.Read(key) //nolint:errcheck // it does not fail
	return key, os.WriteFile(file, key, 0o600)
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

// Close closes the folder. Nothing may use it any more.
func (f *Folder) Close() error { return f.store.Close() }

// Socket is where the admin API of the server that runs on the folder listens.
func Socket(dir string) string { return filepath.Join(dir, "usher.sock") }
