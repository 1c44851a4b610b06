package adminapi

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// How often somebody may try to sign in: for one login from one address, for one login wherever the tries come from, and from one address
// whoever is tried. So nobody can keep an admin out from one address, and no crowd of addresses can guess for long.
const (
	triesOfLogin   = 5 // at once, and then
	loginEvery     = time.Minute
	triesOfAll     = 50
	allEvery       = 10 * time.Second
	triesOfAddress = 60
	addressEvery   = time.Second
	// maxTries is how many logins and addresses are remembered. Beyond it those that have not been tried for longest are forgotten.
	maxTries = 10_000
)

// tries counts the tries to sign in. It is safe for concurrent use.
type tries struct {
	mu sync.Mutex
	of map[string]*bucket
}

type bucket struct {
	*rate.Limiter
	last time.Time
}

func newTries() *tries { return &tries{of: map[string]*bucket{}} }

// wait says how long somebody has to wait before they may try; 0: not at all, and the try is counted.
func (t *tries) wait(what string, every time.Duration, burst int, now time.Time) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	b := t.of[what]
	if b == nil {
		t.forget()
		b = &bucket{Limiter: rate.NewLimiter(rate.Every(every), burst)}
		t.of[what] = b
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
func (t *tries) forget() {
	if len(t.of) < maxTries {
		return
	}
	oldest := ""
	for what, b := range t.of {
		if oldest == "" || b.last.Before(t.of[oldest].last) {
			oldest = what
		}
	}
	delete(t.of, oldest)
}
