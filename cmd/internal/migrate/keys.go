package migrate

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// keyFiles are what a data folder has beside its records, without which sealed secrets, links in mails and cursors of lists are worth nothing.
func keyFiles() []string {
	return []string{"secrets.key", "secrets.key.outside", "setup.key", "cursor.key"}
}

// elsewhere is the file that says that the records of a folder are not in it.
const elsewhere = "store.elsewhere"

// keys are the key files of a folder, by their names.
func keys(dir string) (map[string][]byte, error) {
	all := map[string][]byte{}
	for _, name := range keyFiles() {
		b, err := os.ReadFile(filepath.Join(dir, name))
		switch {
		case err == nil:
			all[name] = b
		case !errors.Is(err, fs.ErrNotExist):
			return nil, fmt.Errorf("the keys of %s cannot be read: %w", dir, err)
		}
	}
	return all, nil
}

// missingKeys gives the keys of one place that another needs. It may have the same already, but no others.
func missingKeys(from, to place) (map[string][]byte, error) {
	if from.dir == "" || to.dir == "" { // what databases have of them is sealed by the keys of servers
		return nil, nil
	}
	all, err := keys(from.dir)
	if err != nil {
		return nil, err
	}
	there, err := keys(to.dir)
	if err != nil {
		return nil, err
	}
	for name, key := range there {
		if want, ok := all[name]; ok && !bytes.Equal(key, want) {
			return nil, fmt.Errorf("%s has another %s than %s, and what is sealed by the one is not opened by the other: name an empty folder", to.dir, name, from.dir)
		}
		delete(all, name)
	}
	return all, nil
}

// putKeys stores keys in a place.
func putKeys(all map[string][]byte, to place) error {
	for name, key := range all {
		if err := writeKey(filepath.Join(to.dir, name), key); err != nil {
			return fmt.Errorf("the keys cannot be copied: %w", err)
		}
	}
	return nil
}

// writeKey writes a file that is on the disk when it returns, whole or not at all.
func writeKey(name string, content []byte) error {
	fresh := name + ".new"
	f, err := os.OpenFile(fresh, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(fresh, name)
}

// advice says what is left to do, after a copy, by whoever serves it.
func advice(from, to place) ([]string, error) {
	stop := fmt.Sprintf("Serve %s from now on, and %s no more: what is changed in one of them does not reach the other.", to.name, from.name)
	if to.dir == "" {
		next := []string{stop}
		if from.dir != "" {
			next = append(next, fmt.Sprintf("Servers need the keys in %s: take usher.db out of this data folder, serve with it and the database as its store, "+
				"and give a copy of secrets.key to each further server.", from.dir))
		}
		return next, nil
	}
	next := []string{stop}
	there, err := keys(to.dir)
	if err != nil {
		return nil, err
	}
	var missing []string
	for _, name := range []string{"secrets.key", "setup.key", "cursor.key"} {
		if there[name] == nil && (name != "secrets.key" || there["secrets.key.outside"] == nil) {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		next = append(next, fmt.Sprintf("Before that, copy %s from the data folder of a server that has used %s into %s: "+
			"without them sealed secrets and links in mails are lost.", strings.Join(missing, ", "), from.name, to.dir))
	}
	mark := filepath.Join(to.dir, elsewhere)
	if _, err := os.Stat(mark); err == nil {
		next = append(next, fmt.Sprintf("Remove %s, which says that the records are elsewhere.", mark))
	}
	return next, nil
}
