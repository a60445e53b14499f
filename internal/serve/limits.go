package serve

import (
	"math"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// maxSenders bounds the memory that limits take, whoever sends what.
const maxSenders = 10_000

// limits holds every sender to a rate. A sender may send as many requests at once as it may send in a second.
type limits struct {
	rate    float64 // requests a second; 0 is no limit
	mu      sync.Mutex
	senders map[string]*rate.Limiter
}

func newLimits(perSecond float64) *limits {
	return &limits{rate: perSecond, senders: map[string]*rate.Limiter{}}
}

// take counts a request, or says after how many seconds to try again.
func (l *limits) take(sender string) (wait int, ok bool) {
	if l.rate == 0 {
		return 0, true
	}
	now := time.Now()
	limiter := l.of(sender, now)
	if limiter.AllowN(now, 1) {
		return 0, true
	}
	return max(1, int(math.Ceil((1-limiter.TokensAt(now))/l.rate))), false
}

func (l *limits) of(sender string, now time.Time) *rate.Limiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	limiter, ok := l.senders[sender]
	if !ok {
		if len(l.senders) >= maxSenders {
			l.forget(now)
		}
		limiter = rate.NewLimiter(rate.Limit(l.rate), max(1, int(l.rate)))
		l.senders[sender] = limiter
	}
	return limiter
}

// forget makes room: by those who have been quiet long enough that nothing is held against them, else by any.
func (l *limits) forget(now time.Time) {
	for sender, limiter := range l.senders {
		if limiter.TokensAt(now) >= float64(limiter.Burst()) {
			delete(l.senders, sender)
		}
	}
	for sender := range l.senders {
		if len(l.senders) < maxSenders {
			return
		}
		delete(l.senders, sender)
	}
}
