package practiceidp

import (
	"container/list"
	"crypto/rand"
	"sync"
	"time"
)

const (
	codeLife = time.Minute
	maxCodes = 1000 // outstanding; the oldest goes first
)

// grant is what a code stands for. The client is not part of it: there is one.
type grant struct {
	code        string
	expires     time.Time
	person      Person
	chosen      time.Time
	redirectURI string
	challenge   string
	nonce       string
	scope       string
}

// codes are the outstanding ones. The zero value has none.
type codes struct {
	mu    sync.Mutex
	order list.List // of grant, the oldest in front
	index map[string]*list.Element
}

// put keeps a grant and gives the code for it.
func (c *codes) put(g grant, now time.Time) string {
	g.code, g.expires = rand.Text(), now.Add(codeLife)
	c.mu.Lock()
	defer c.mu.Unlock()
	for e := c.order.Front(); e != nil && (c.order.Len() >= maxCodes || !now.Before(e.Value.(grant).expires)); e = c.order.Front() {
		c.remove(e)
	}
	if c.index == nil {
		c.index = map[string]*list.Element{}
	}
	c.index[g.code] = c.order.PushBack(g)
	return g.code
}

// take gives the grant of a code, once, and not when it has expired.
func (c *codes) take(code string, now time.Time) (grant, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.index[code]
	if !ok {
		return grant{}, false
	}
	g := c.remove(e)
	return g, now.Before(g.expires)
}

func (c *codes) remove(e *list.Element) grant {
	g := c.order.Remove(e).(grant)
	delete(c.index, g.code)
	return g
}
