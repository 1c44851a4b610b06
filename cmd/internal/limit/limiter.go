// Package limit counts how often something is done by somebody, and says how long they have to wait. What, by whom and how often is for its
// callers. It remembers so many and no more, so that nobody can fill the memory by being many.
package limit

import (
	"container/list"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// most is how many are remembered of a kind. Beyond it those that have done nothing for longest are forgotten.
const most = 50_000

// Limiter counts. It is safe for concurrent use.
type Limiter struct {
	mu    sync.Mutex
	kinds map[string]*kind
}

// kind is what is counted of one kind, so that many of one kind push out none of another.
type kind struct {
	of     map[string]*list.Element
	recent *list.List // of *bucket, the latest first
}

type bucket struct {
	*rate.Limiter
	whose string
}

// New makes a limiter.
func New() *Limiter { return &Limiter{kinds: map[string]*kind{}} }

// Len is how much is remembered.
func (l *Limiter) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, k := range l.kinds {
		n += len(k.of)
	}
	return n
}

// Wait says how long somebody has to wait before they may do what is named once more, of which burst are free and then one every while;
// 0: not at all, and it is counted. The name begins with a kind and a zero byte; the callers have few kinds.
func (l *Limiter) Wait(what string, every time.Duration, burst int, now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	name, _, _ := strings.Cut(what, "\x00")
	k := l.kinds[name]
	if k == nil {
		k = &kind{map[string]*list.Element{}, list.New()}
		l.kinds[name] = k
	}
	r := k.bucket(what, every, burst).ReserveN(now, 1)
	delay := r.DelayFrom(now)
	if delay > 0 {
		r.CancelAt(now)
	}
	return delay
}

func (k *kind) bucket(whose string, every time.Duration, burst int) *bucket {
	if e, ok := k.of[whose]; ok {
		k.recent.MoveToFront(e)
		return e.Value.(*bucket)
	}
	if len(k.of) >= most {
		oldest := k.recent.Back()
		k.recent.Remove(oldest)
		delete(k.of, oldest.Value.(*bucket).whose)
	}
	b := &bucket{rate.NewLimiter(rate.Every(every), burst), whose}
	k.of[whose] = k.recent.PushFront(b)
	return b
}
