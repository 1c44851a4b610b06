package sqlite

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"usher/store"
)

// maxBatch is how many operations share a transaction at most: enough to hide the fsync, few enough that none waits long.
const maxBatch = 256

// op is one operation of the contract on its way through the writer.
type op struct {
	ctx context.Context
	run func(*tx) error // must not block: all other writes wait for it
	err error
}

// job is what is queued as one: operations whose caller waits for all of them.
type job struct {
	ops  []*op
	done chan struct{}
}

// writer runs all operations that write, in the order in which they were queued.
type writer struct {
	conn  *conn
	queue chan *job
	log   *slog.Logger

	mu     sync.RWMutex // held for reading while queueing, so that Close can tell that nothing is queued any more
	closed bool

	done    chan struct{} // closed when the writer has ended
	failed  chan struct{} // closed when a commit failed
	onStop  func()        // called before failed is closed
	dead    bool          // a commit failed; the writer's own view of failed
	commits atomic.Int64
	commit  func() error // the statement COMMIT; tests make it fail

	state
}

// state is what the writer knows about the database without asking it.
type state struct {
	heads     map[int64]head // the end of each company's event log
	lastUser  int64          // the last pk given out; kept here because SQLite would give one out again after a deletion
	lastGroup int64
}

// tx is what one operation may use: the writer's connection within a transaction.
type tx struct {
	*conn
	*state
	logged []int64 // companies whose log the operation has added to
}

func newWriter(c *conn, queueSize int, onStop func(), log *slog.Logger) (*writer, error) {
	w := &writer{
		conn: c, log: log, onStop: onStop,
		queue: make(chan *job, queueSize),
		done:  make(chan struct{}), failed: make(chan struct{}),
		state: state{heads: make(map[int64]head)},
	}
	w.commit = func() error { _, err := c.exec("COMMIT"); return err }
	var err error
	// The places of deleted accounts that may come back are not free.
	if w.lastUser, err = c.integer("SELECT max(pk) FROM (SELECT max(pk) AS pk FROM users UNION ALL SELECT max(pk) FROM tombstones)"); err != nil {
		return nil, err
	}
	if w.lastGroup, err = c.integer("SELECT max(pk) FROM groups"); err != nil {
		return nil, err
	}
	go w.loop()
	return w, nil
}

// do queues one operation and waits for it.
func (w *writer) do(ctx context.Context, run func(*tx) error) error {
	o := &op{ctx: ctx, run: run}
	w.doAll([]*op{o})
	return o.err
}

// doAll queues operations together and waits for all of them; each has its own outcome in err.
// The context is not watched while waiting: the writer drops an operation whose context has ended before it began, and one that
// has begun is done in full.
func (w *writer) doAll(ops []*op) {
	j := &job{ops: ops, done: make(chan struct{})}
	if err := w.enqueue(j); err != nil {
		j.fail(err)
		return
	}
	<-j.done
}

func (w *writer) enqueue(j *job) error {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if w.closed {
		return store.ErrClosed
	}
	select {
	case w.queue <- j:
		return nil
	default:
		return store.ErrBusy
	}
}

func (j *job) fail(err error) {
	for _, o := range j.ops {
		o.err = err
	}
}

// close ends the writer after all that is queued.
func (w *writer) close() error {
	w.mu.Lock()
	if !w.closed {
		w.closed = true
		close(w.queue)
	}
	w.mu.Unlock()
	<-w.done
	return w.conn.close()
}

// loop runs batch after batch until the queue is closed.
func (w *writer) loop() {
	defer close(w.done)
	var jobs []*job
	var ops []*op
	for j := range w.queue {
		jobs, ops = append(jobs[:0], j), append(ops[:0], j.ops...)
	drain:
		for len(ops) < maxBatch {
			select {
			case j, ok := <-w.queue:
				if !ok {
					break drain
				}
				jobs, ops = append(jobs, j), append(ops, j.ops...)
			default:
				break drain
			}
		}
		if err := w.batch(ops); err != nil {
			for _, j := range jobs {
				j.fail(err)
			}
		}
		for _, j := range jobs {
			close(j.done)
		}
		clear(jobs)
		clear(ops)
	}
}

// batch runs operations in one transaction. Its error stands for all of them; else each has its own.
func (w *writer) batch(ops []*op) error {
	if w.dead {
		return store.ErrClosed
	}
	if _, err := w.conn.exec("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	var err error
	if len(ops) == 1 {
		err = w.alone(ops[0])
	} else {
		err = w.together(ops)
	}
	if err != nil {
		w.stop(err)
		return fmt.Errorf("sqlite: the write may be lost, and the store has stopped: %w", err)
	}
	return nil
}

// alone runs an operation that has the transaction for itself and needs no savepoint.
func (w *writer) alone(o *op) error {
	if o.err = w.run(o); o.err != nil {
		_, err := w.conn.exec("ROLLBACK")
		return err
	}
	return w.finish()
}

// together runs each operation in a savepoint, so that one which fails leaves the others alone.
func (w *writer) together(ops []*op) error {
	for _, o := range ops {
		if _, err := w.conn.exec("SAVEPOINT op"); err != nil {
			return err
		}
		if o.err = w.run(o); o.err != nil {
			if _, err := w.conn.exec("ROLLBACK TO op"); err != nil {
				return err // the engine has rolled back the whole transaction: out of disk or memory
			}
		}
		if _, err := w.conn.exec("RELEASE op"); err != nil {
			return err
		}
	}
	return w.finish()
}

func (w *writer) run(o *op) error {
	if err := o.ctx.Err(); err != nil {
		return err
	}
	t := &tx{conn: w.conn, state: &w.state}
	err := o.run(t)
	if err != nil {
		for _, co := range t.logged {
			delete(w.heads, co) // read again by the next operation that needs it
		}
	}
	return err
}

func (w *writer) finish() error {
	if err := w.commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	w.commits.Add(1)
	return nil
}

// stop makes the writer refuse everything from now on: after a failed commit nobody knows what the disk holds.
func (w *writer) stop(cause error) {
	w.log.Error("the store has stopped", "error", cause)
	w.dead = true
	w.onStop()
	close(w.failed)
	if _, err := w.conn.exec("ROLLBACK"); err != nil {
		w.log.Debug("rollback after the failure", "error", err) // mostly because the engine has done so already
	}
}
