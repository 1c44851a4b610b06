package app

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
)

// maxSocketPath is the longest path that every supported system takes for a socket, in bytes.
const maxSocketPath = 103

// listen opens the public listener.
func listen(c Config) (net.Listener, error) {
	l, err := net.Listen("tcp", c.addr())
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("cannot listen on %s: another program uses the port; stop it, or choose another address (--addr, or addr in the configuration)", c.addr())
	case errors.Is(err, syscall.EACCES):
		return nil, fmt.Errorf("cannot listen on %s: the port needs more rights; choose one above 1023 (--addr, or addr in the configuration)", c.addr())
	case err != nil:
		return nil, fmt.Errorf("cannot listen on %s: %w; choose another address (--addr, or addr in the configuration)", c.addr(), err)
	}
	if c.TLSCert == "" {
		return l, nil
	}
	certificate, err := tls.LoadX509KeyPair(c.TLSCert, c.TLSKey)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("tls_cert, tls_key: %w", err), l.Close())
	}
	return tls.NewListener(l, &tls.Config{
		Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"},
	}), nil
}

// listenSocket opens the socket of the admin API for this user alone.
func listenSocket(dir string) (net.Listener, error) {
	path := Socket(dir)
	if len(path) > maxSocketPath {
		return nil, fmt.Errorf("the data folder's path is too long for the socket %s (%d bytes at most): choose a shorter one", path, maxSocketPath)
	}
	// It gets its rights before it gets its name, so there is no moment in which others could open it. The rename also replaces
	// what a process that was killed has left behind; the folder's lock says that nobody uses that any more.
	fresh := path + ".new"
	if err := os.Remove(fresh); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("admin socket: %w", err)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Net: "unix", Name: fresh})
	if err != nil {
		return nil, fmt.Errorf("admin socket: %w", err)
	}
	l.SetUnlinkOnClose(false)
	if err := errors.Join(os.Chmod(fresh, 0o600), os.Rename(fresh, path)); err != nil {
		l.Close()
		return nil, fmt.Errorf("admin socket: %w", err)
	}
	return &socketListener{Listener: l, path: path}, nil
}

// socketListener removes its socket when it is closed.
type socketListener struct {
	net.Listener
	path string
}

func (l *socketListener) Close() error {
	os.Remove(l.path)
	return l.Listener.Close()
}
