package limit

import (
	"strconv"
	"testing"
	"time"
)

func TestLimiter(t *testing.T) {
	l := New()
	now := time.Unix(1_000_000, 0)
	var waits []time.Duration
	for range 3 {
		waits = append(waits, l.Wait("a", time.Minute, 2, now))
	}
	if waits[0] != 0 || waits[1] != 0 || waits[2] != time.Minute {
		t.Errorf("waits %v", waits)
	}
	if l.Wait("b", time.Minute, 2, now) != 0 {
		t.Error("somebody else has to wait")
	}
	if l.Wait("a", time.Minute, 2, now.Add(time.Minute)) != 0 {
		t.Error("who has waited has to wait on")
	}
}

func TestLimiter_forgets(t *testing.T) {
	l := New()
	now := time.Unix(1_000_000, 0)
	for i := range most + 100 {
		l.Wait(strconv.Itoa(i), time.Minute, 1, now.Add(time.Duration(i)*time.Second))
	}
	if l.Len() != most || l.of["0"] != nil || l.of[strconv.Itoa(most+99)] == nil {
		t.Errorf("%d are remembered", l.Len())
	}
}
