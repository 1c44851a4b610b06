package sso

import (
	"net/url"
	"strings"
)

// maxReturn is how long the path may be that a person returns to, in bytes.
const maxReturn = 2048

// returnPath gives the path of this server that a person is to return to; ok is false for anything that a browser might take for the address
// of another server. The empty one is that of nowhere in particular.
func returnPath(path string) (clean string, ok bool) {
	if path == "" {
		return "", true
	}
	if len(path) > maxReturn || path[0] != '/' || strings.HasPrefix(path, "//") {
		return "", false
	}
	for _, r := range path {
		// Browsers drop tabs and line ends, and take a backslash for a slash.
		if r <= ' ' || r == '\\' || r >= 0x7f {
			return "", false
		}
	}
	u, err := url.Parse(path)
	if err != nil || u.Scheme != "" || u.Host != "" || u.Opaque != "" || u.User != nil || strings.HasPrefix(u.Path, "//") || strings.Contains(u.Path, "\\") {
		return "", false
	}
	// To the start it would lead round and round.
	if below(u.Path, SignInPath) || below(u.Path, Path) && u.Path != Path+"/me" {
		return "", false
	}
	for _, segment := range strings.Split(u.Path, "/") { // "/.//x" is resolved to "//x" by some
		if segment == "." || segment == ".." {
			return "", false
		}
	}
	return path, true
}

func below(path, root string) bool { return path == root || strings.HasPrefix(path, root+"/") }
