package scim

import (
	"errors"
	"net/http"
)

// flushAt is how many bytes of an answer are gathered before they are sent. An answer that is shorter is sent with its length.
const flushAt = 256 << 10

// errAborted says that an answer broke off when a part of it was sent already.
var errAborted = errors.New("the answer broke off")

// stream is an answer that is sent while it is made, so that it need not be in memory as a whole.
type stream struct {
	x      *exchange
	status int
	begun  bool
	b      []byte // made and not sent yet
}

// stream answers with what render makes. When it fails after a part was sent the connection is cut, so that the part is not taken for
// the whole.
func (x *exchange) stream(status, size int, render func(*stream) error) error {
	s := &stream{x: x, status: status, b: make([]byte, 0, min(size, flushAt)+around)}
	err := render(s)
	switch {
	case err != nil && s.begun:
		return errors.Join(errAborted, err)
	case err != nil:
		return err
	case !s.begun:
		return x.reply(status, s.b)
	}
	_, _ = x.w.Write(s.b) // a client that went away is told nothing more
	return nil
}

// more sends what is made when it is enough.
func (s *stream) more() error {
	if len(s.b) < flushAt {
		return nil
	}
	if err := s.x.ctx.Err(); err != nil { // nobody reads on
		return err
	}
	if !s.begun {
		s.begun = true
		s.x.status = s.status
		s.x.w.WriteHeader(s.status)
	}
	_, err := s.x.w.Write(s.b)
	s.b = s.b[:0]
	return err
}

// aborted ends a request whose answer broke off.
func aborted(err error) {
	if errors.Is(err, errAborted) {
		panic(http.ErrAbortHandler)
	}
}
