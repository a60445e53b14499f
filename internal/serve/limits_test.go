package serve

import (
	"strconv"
	"testing"
	"time"
)

func TestLimitsStayBounded(t *testing.T) {
	t.Parallel()
	l := newLimits(1)
	for i := range 3 * maxSenders {
		l.take(strconv.Itoa(i))
	}
	if len(l.senders) > maxSenders {
		t.Errorf("%d senders are remembered", len(l.senders))
	}
}

func TestForgetKeepsThoseWhoAreHeldToTheRate(t *testing.T) {
	t.Parallel()
	l := newLimits(1)
	now := time.Now()
	l.of("busy", now).AllowN(now, 1)
	l.of("quiet", now)
	l.forget(now)
	if _, ok := l.senders["busy"]; !ok || len(l.senders) != 1 {
		t.Errorf("remembered are %v", l.senders)
	}
}
