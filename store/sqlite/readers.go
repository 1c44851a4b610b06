package sqlite

import (
	"context"
	"errors"
	"sync"

	"usher/store"
)

// readers is the pool of reading connections. The connection given back last is taken first, so that under light load one
// connection does all the work and its page cache stays warm; others are opened when they are needed.
type readers struct {
	dsn    string
	free   chan struct{} // a token for each connection that may be taken
	closed chan struct{}

	mu   sync.Mutex
	idle []*conn
}

func newReaders(dsn string, size int) *readers {
	r := &readers{dsn: dsn, free: make(chan struct{}, size), closed: make(chan struct{})}
	for range size {
		r.free <- struct{}{}
	}
	return r
}

// take gives a connection, which must be put back: ErrClosed, or the context's error.
func (r *readers) take(ctx context.Context) (*conn, error) {
	if err := r.check(ctx); err != nil {
		return nil, err
	}
	select {
	case <-r.free:
	default:
		select {
		case <-r.free:
		case <-r.closed:
			return nil, store.ErrClosed
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	r.mu.Lock()
	if n := len(r.idle); n > 0 {
		c := r.idle[n-1]
		r.idle = r.idle[:n-1]
		r.mu.Unlock()
		return c, nil
	}
	r.mu.Unlock()
	c, err := connect(r.dsn)
	if err != nil {
		r.free <- struct{}{}
	}
	return c, err
}

// check says whether anything may be read: ErrClosed, or the context's error.
func (r *readers) check(ctx context.Context) error {
	select {
	case <-r.closed:
		return store.ErrClosed
	default:
		return ctx.Err()
	}
}

func (r *readers) put(c *conn) {
	r.mu.Lock()
	r.idle = append(r.idle, c)
	r.mu.Unlock()
	r.free <- struct{}{}
}

// stop lets nobody take a connection any more.
func (r *readers) stop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	select {
	case <-r.closed:
	default:
		close(r.closed)
	}
}

// close waits until all connections are back and closes them.
func (r *readers) close() error {
	r.stop()
	for range cap(r.free) {
		<-r.free
	}
	var errs []error
	for _, c := range r.idle {
		errs = append(errs, c.close())
	}
	return errors.Join(errs...)
}
