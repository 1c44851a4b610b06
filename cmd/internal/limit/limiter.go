// Package limit counts how often something is done by somebody, and says how long they have to wait. What, by whom and how often is for its
// callers. It remembers so many and no more, so that nobody can fill the memory by being many.
package limit

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// most is how much is remembered. Beyond it what has not been done for longest is forgotten.
const most = 10_000

// Limiter counts. It is safe for concurrent use.
type Limiter struct {
	mu sync.Mutex
	of map[string]*bucket
}

type bucket struct {
	*rate.Limiter
	last time.Time
}

// New makes a limiter.
func New() *Limiter { return &Limiter{of: map[string]*bucket{}} }

// Len is how much is remembered.
func (l *Limiter) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.of)
}

// Wait says how long somebody has to wait before they may do what is named once more, of which burst are free and then one every while;
// 0: not at all, and it is counted.
func (l *Limiter) Wait(what string, every time.Duration, burst int, now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.of[what]
	if b == nil {
		l.forget()
		b = &bucket{Limiter: rate.NewLimiter(rate.Every(every), burst)}
		l.of[what] = b
	}
	b.last = now
	r := b.ReserveN(now, 1)
	delay := r.DelayFrom(now)
	if delay > 0 {
		r.CancelAt(now)
	}
	return delay
}

// forget makes room for another.
func (l *Limiter) forget() {
	if len(l.of) < most {
		return
	}
	oldest := ""
	for what, b := range l.of {
		if oldest == "" || b.last.Before(l.of[oldest].last) {
			oldest = what
		}
	}
	delete(l.of, oldest)
}
