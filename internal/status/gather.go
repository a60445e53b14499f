package status

import (
	"context"
	"sync"
	"time"

	"cartwheel/internal/kafka"
)

// Options say what is looked at.
type Options struct {
	DataDir string
	Kafka   kafka.Config // without servers there is no broker to look at
	Topic   string
	Group   string
	API     func() API // how the server that asks stands
}

// Gatherer looks. What it saw last tells it what to look at again, and how fast things move.
type Gatherer struct {
	o  Options
	mu sync.Mutex // one look at a time

	client      *kafka.Client // nil until a broker has answered
	dead        deadLetters
	batches     batchFolder
	models      modelFolder
	rejects     rejectFiles
	looks       []look // of the last slowWindow, oldest first
	last        *Status
	lastEntered time.Time
}

// New makes a Gatherer. It looks at nothing yet.
func New(o Options) *Gatherer { return &Gatherer{o: o} }

const (
	// fresh is how old a status may be and still answer for the moment.
	fresh = time.Second
	// kafkaTimeout bounds what is asked of Kafka for one status: a broker that is away must not hold up the rest.
	kafkaTimeout = 3 * time.Second
)

// Now returns how things stand, as of a second ago at most.
func (g *Gatherer) Now(ctx context.Context) *Status {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.last != nil && time.Since(g.lastEntered) < fresh {
		return g.last
	}
	s := &Status{At: time.Now().UTC().Truncate(time.Millisecond)}
	g.lookAtKafka(ctx, s)
	g.batches.look(g.o.DataDir, &s.Batches)
	g.models.look(g.o.DataDir, s)
	s.Training.NewEvents = g.batches.unread(g.models.newest)
	g.rejects.look(g.o.DataDir, &s.Rejected)
	s.API = g.o.API()
	g.rates(s)
	s.Next = g.next(s)
	if ctx.Err() == nil { // one that was broken off says nothing to others
		g.last, g.lastEntered = s, time.Now()
	}
	return s
}

// Close lets go of Kafka.
func (g *Gatherer) Close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.client != nil {
		g.client.Close()
		g.client = nil
	}
}

// look is what rates follow from.
type look struct {
	at                           time.Time
	written, committed, requests int64
	kafka                        bool // the first two are known
}

// The windows of rates. A consumer commits with each batch file, which is every half minute where little comes.
const (
	quickWindow = 10 * time.Second
	slowWindow  = time.Minute
)

func (g *Gatherer) rates(s *Status) {
	now := look{at: s.At, written: s.Topic.Written, committed: s.Consumer.Committed, requests: s.API.Requests, kafka: s.Topic.Exists && s.Consumer.Error == ""}
	for len(g.looks) > 0 && now.at.Sub(g.looks[0].at) > slowWindow {
		g.looks = g.looks[1:]
	}
	rate := func(window time.Duration, broker bool, of func(*look) int64) *float64 {
		for i := range g.looks {
			l := &g.looks[i]
			took := now.at.Sub(l.at)
			if took <= 0 || took > window || broker && !(l.kafka && now.kafka) {
				continue
			}
			// A topic that was made anew begins at zero again.
			perSecond := float64(max(0, of(&now)-of(l))) / took.Seconds()
			return &perSecond
		}
		return nil
	}
	s.Topic.PerSecond = rate(quickWindow, true, func(l *look) int64 { return l.written })
	s.Consumer.PerSecond = rate(slowWindow, true, func(l *look) int64 { return l.committed })
	s.API.PerSecond = rate(quickWindow, false, func(l *look) int64 { return l.requests })
	g.looks = append(g.looks, now)
}
