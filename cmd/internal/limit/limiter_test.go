package limit

import (
	"fmt"
	"testing"
	"time"
)

func TestLimiter(t *testing.T) {
	l := New()
	now := time.Unix(1_000_000, 0)
	var waits []time.Duration
	for range 3 {
		waits = append(waits, l.Wait("k\x00a", time.Minute, 2, now))
	}
	if waits[0] != 0 || waits[1] != 0 || waits[2] != time.Minute {
		t.Errorf("waits %v", waits)
	}
	if l.Wait("k\x00b", time.Minute, 2, now) != 0 {
		t.Error("somebody else has to wait")
	}
	if l.Wait("k\x00a", time.Minute, 2, now.Add(time.Minute)) != 0 {
		t.Error("who has waited has to wait on")
	}
}

// TestLimiter_forgets: those of one kind push out none of another.
func TestLimiter_forgets(t *testing.T) {
	l := New()
	now := time.Unix(1_000_000, 0)
	l.Wait("rare\x00a", time.Hour, 1, now)
	for i := range most + 100 {
		l.Wait(fmt.Sprintf("many\x00%d", i), time.Hour, 1, now)
	}
	if l.Len() != most+1 {
		t.Errorf("%d are remembered", l.Len())
	}
	if l.Wait("rare\x00a", time.Hour, 1, now) == 0 {
		t.Error("one of another kind was forgotten")
	}
	if l.Wait("many\x000", time.Hour, 1, now) != 0 || l.Wait(fmt.Sprintf("many\x00%d", most+99), time.Hour, 1, now) == 0 {
		t.Error("others than those of longest ago were forgotten")
	}
}
