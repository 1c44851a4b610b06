package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"usher/store"
	"usher/store/mongo"
	"usher/store/query"
	"usher/store/sqlite"
)

// engine is a store with what a server must know of it beside the contract.
type engine interface {
	store.Store
	// Failed is closed when the engine has stopped itself.
	Failed() <-chan struct{}
}

// common is an engine that several servers share. What they must have in common is kept in it, sealed.
type common interface {
	engine
	// Shared stores a value under a name unless there is one, and gives what is stored.
	Shared(ctx context.Context, name string, value []byte) ([]byte, error)
	// ReplaceShared puts a value in the place of the one that was: store.ErrVersion when another is stored.
	ReplaceShared(ctx context.Context, name string, was, value []byte) error
}

var (
	_ engine = (*sqlite.Store)(nil)
	_ common = (*mongo.Store)(nil)
)

// opener opens the engine that an address names, for the data folder.
type opener func(ctx context.Context, dir, uri string, indexes []query.Index, log *slog.Logger) (engine, error)

// elsewhere is the name of the file in a data folder that says that the records of the folder are in a database elsewhere.
const elsewhere = "store.elsewhere"

// openStore opens the MongoDB database that uri names; without one, the records in the data folder.
func openStore(ctx context.Context, dir, uri string, indexes []query.Index, log *slog.Logger) (engine, error) {
	mark := filepath.Join(dir, elsewhere)
	if uri == "" {
		// Who forgets the setting would begin with no records at all, and identity providers would be refused.
		switch where, err := os.ReadFile(mark); {
		case err == nil:
			return nil, fmt.Errorf("the records of %s are in %s: name it by USHER_STORE or by store in the configuration, or remove %s to keep records in the folder from now on",
				dir, strings.TrimSpace(string(where)), mark)
		case !errors.Is(err, fs.ErrNotExist):
			return nil, err
		}
		return openFiles(ctx, dir, indexes, log)
	}
	if err := CheckStore(uri); err != nil {
		return nil, err
	}
	// An address that is left in the environment must not take the place of the records that a folder has.
	if _, err := os.Stat(mark); errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Stat(filepath.Join(dir, sqlite.File)); err == nil {
			return nil, fmt.Errorf("the data folder %s has records of its own, and they are not those in %s: copy them there by usher migrate and take %s out of the folder, or name no database",
				dir, ShownStore(uri), sqlite.File)
		}
	}
	s, err := mongo.Open(ctx, uri, mongo.Options{Indexes: indexes, Logger: log})
	if errors.Is(err, store.ErrUnavailable) {
		return nil, fmt.Errorf("the database %s cannot be reached (look whether it runs, and whether its address, user and password are right): %w",
			ShownStore(uri), Unsaid(err, uri))
	}
	if err != nil {
		return nil, fmt.Errorf("cannot open the database %s: %w", ShownStore(uri), Unsaid(err, uri))
	}
	if err := writeSynced(mark, []byte(ShownStore(uri)+"\n")); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// openFiles opens the records in the data folder.
func openFiles(ctx context.Context, dir string, indexes []query.Index, log *slog.Logger) (engine, error) {
	s, err := sqlite.Open(ctx, dir, sqlite.Options{Indexes: indexes, Logger: log})
	if errors.Is(err, sqlite.ErrLocked) {
		return nil, fmt.Errorf("the data folder %s is in use by another usher process: stop it, or choose another folder", dir)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot open the data folder %s: %w", dir, err)
	}
	return s, nil
}

// CheckStore says what is wrong with the address of a database; the error does not have the address in it, which may have a password.
func CheckStore(uri string) error {
	scheme, rest, _ := strings.Cut(uri, "://")
	if rest == "" || !slices.Contains([]string{"mongodb", "mongodb+srv"}, scheme) {
		return errors.New("the store is not an address such as mongodb://user:password@db1.example.com,db2.example.com/usher?replicaSet=rs0; without one the records are kept in the data folder")
	}
	if at := strings.LastIndex(rest, "@"); at >= 0 {
		if _, err := url.PathUnescape(rest[:at]); err != nil { // which would say a part of it
			return errors.New("the user or the password in the address of the store has a % that is not followed by two hexadecimal digits: write it as %25")
		}
	}
	return nil
}

// ShownStore is the address of a database as it can be shown: without user and password, and without the options, which may have secrets too.
func ShownStore(uri string) string {
	scheme, rest, _ := strings.Cut(uri, "://")
	if at := strings.LastIndex(rest, "@"); at >= 0 { // the last: a password may have another that is not encoded
		rest = rest[at+1:]
	}
	rest, _, _ = strings.Cut(rest, "?")
	return scheme + "://" + rest
}

// Unsaid is an error of a driver without what of the address must not be shown.
func Unsaid(err error, uri string) error {
	_, rest, _ := strings.Cut(uri, "://")
	secret := []string{uri, rest}
	if at := strings.LastIndex(rest, "@"); at > 0 {
		credentials := rest[:at]
		secret = append(secret, credentials)
		if _, password, ok := strings.Cut(credentials, ":"); ok && password != "" {
			secret = append(secret, password)
		}
	}
	if _, options, ok := strings.Cut(rest, "?"); ok && options != "" {
		secret = append(secret, options)
	}
	text := err.Error()
	for _, s := range secret {
		text = strings.ReplaceAll(text, s, "***")
	}
	if text == err.Error() {
		return err
	}
	return errors.New(text)
}

// errOtherKeys says that a server's keys are not those of the others.
var errOtherKeys = errors.New("the keys of sealed secrets are not those of the other servers of this database: " +
	"copy secrets.key from the data folder of one of them, or set " + keysVariable + " to the same on all")

// key gives a key that makes what must be good after a restart, such as cursors of lists and links in mails: the one in the store where
// several servers share it, else the one in the file of that name in the folder.
func (f *Folder) key(ctx context.Context, dir, name string, size int) ([]byte, error) {
	file := filepath.Join(dir, name)
	c, ok := f.store.(common)
	if !ok {
		return keyIn(file, size)
	}
	// One that the folder has is offered first: its records may have come from there.
	key, err := readKey(file, size)
	missing := errors.Is(err, fs.ErrNotExist)
	if missing {
		key = make([]byte, size)
		rand.Read(key) //nolint:errcheck // it does not fail
	} else if err != nil {
		return nil, err
	}
	sealed, err := c.Shared(ctx, name, []byte(f.sealer.Seal(string(key), sharedOwner(name))))
	if err != nil {
		return nil, err
	}
	opened, err := f.sealer.Open(string(sealed), sharedOwner(name))
	if err != nil || len(opened) != size {
		return nil, errOtherKeys
	}
	if missing { // so that it is there when the records come back to the folder
		err = writeSynced(file, []byte(opened))
	}
	return []byte(opened), err
}

// sharedOwner is whom a key is sealed for that servers have in common.
func sharedOwner(name string) string { return "shared/" + name }

// The names of the keys that the servers of a database have in common.
const (
	cursorKeyName = "cursor.key"
	setupKeyName  = "setup.key"
)

// rewrapShared seals the keys anew that the servers of a database have in common.
func rewrapShared(ctx context.Context, c common, k *keyring) error {
	for _, name := range []string{cursorKeyName, setupKeyName} {
		was, err := c.Shared(ctx, name, nil) // there is one: this server has it
		if err != nil {
			return err
		}
		again, changed, err := k.sealer.Rewrap(string(was), sharedOwner(name))
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if !changed {
			continue
		}
		// ErrVersion: another server has just done the same.
		if err := c.ReplaceShared(ctx, name, was, []byte(again)); err != nil && !errors.Is(err, store.ErrVersion) {
			return err
		}
	}
	return nil
}
