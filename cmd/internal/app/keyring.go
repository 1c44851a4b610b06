package app

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"strings"

	"usher/cmd/internal/credential"
)

// keysVariable is the environment variable with the keys of sealed secrets, in base64, with commas between: the first seals, all open. Without
// it they are in a file of the data folder.
const keysVariable = "USHER_SECRETS_KEYS"

// keyring is the keys by which secrets are sealed.
type keyring struct {
	file    string
	outside bool // the keys are from the environment
	keys    [][credential.KeySize]byte
	sealer  *credential.Sealer
	common  common // has keys that are sealed too; nil where no other server can
}

// load reads the keys, and makes one if there is none.
func (k *keyring) load(env func(string) (string, bool)) error {
	if text, ok := env(keysVariable); ok {
		k.outside = true
		for _, part := range strings.Split(text, ",") {
			b, err := base64.StdEncoding.DecodeString(strings.TrimSpace(part))
			if err != nil || !k.take(b) {
				return fmt.Errorf("%s is not %d bytes in base64, or several of these with commas between", keysVariable, credential.KeySize)
			}
		}
		k.sealer = credential.NewSealer(k.keys...)
		return writeSynced(k.file+outsideMark, nil)
	}
	// Who forgets the variable would seal by keys that the server does not have.
	if _, err := os.Stat(k.file + outsideMark); err == nil {
		return fmt.Errorf("the secrets of this folder are sealed by the keys in the environment variable %s: set it, or remove %s to keep the keys in the folder from now on", keysVariable, k.file+outsideMark)
	}
	b, err := os.ReadFile(k.file)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return k.AddKey()
	case err != nil:
		return err
	case !k.take(b): // another one would make worthless what was sealed with it
		return fmt.Errorf("%s has %d bytes, which is no number of keys of %d: restore it from a backup, or remove it if that does not matter", k.file, len(b), credential.KeySize)
	}
	k.sealer = credential.NewSealer(k.keys...)
	return nil
}

// outsideMark is behind the name of a file that says that the keys of a folder are in the environment.
const outsideMark = ".outside"

// take reads keys that stand one behind the other, as in the file.
func (k *keyring) take(b []byte) bool {
	if len(b) == 0 || len(b)%credential.KeySize != 0 {
		return false
	}
	for ; len(b) > 0; b = b[credential.KeySize:] {
		k.keys = append(k.keys, [credential.KeySize]byte(b))
	}
	return true
}

// AddKey makes a key by which secrets are sealed from now on.
func (k *keyring) AddKey() error {
	if k.common != nil && len(k.keys) > 0 && !k.outside {
		return fmt.Errorf("all servers of a database must have the same keys: give all of them %s with the new key in front of those in %s, and seal again without making a key", keysVariable, k.file)
	}
	var fresh [credential.KeySize]byte
	rand.Read(fresh[:]) //nolint:errcheck // it does not fail
	return k.set(append([][credential.KeySize]byte{fresh}, k.keys...))
}

// ForgetKeys forgets all keys but the one by which secrets are sealed.
func (k *keyring) ForgetKeys() error { return k.set(k.keys[:1]) }

// Rewrap seals what the servers of a database have in common by the newest key.
func (k *keyring) Rewrap(ctx context.Context) error {
	if k.common == nil {
		return nil
	}
	return rewrapShared(ctx, k.common, k)
}

// set stores the keys, and uses them when they are stored: what is sealed must be opened after a restart.
func (k *keyring) set(keys [][credential.KeySize]byte) error {
	if k.outside {
		return fmt.Errorf("the keys are those of %s: change it and restart the server", keysVariable)
	}
	var all bytes.Buffer
	for _, key := range keys {
		all.Write(key[:])
	}
	fresh := k.file + ".new"
	if err := writeSynced(fresh, all.Bytes()); err != nil {
		return err
	}
	if err := os.Rename(fresh, k.file); err != nil {
		return err
	}
	k.keys = keys
	if k.sealer == nil {
		k.sealer = credential.NewSealer(keys...)
	}
	k.sealer.SetKeys(keys...)
	return nil
}

// writeSynced writes a file that is on the disk when it returns.
func writeSynced(name string, content []byte) error {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}
