package live

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"cartwheel/internal/event"
	"cartwheel/internal/kafka"
)

// Options say what a Feed works with.
type Options struct {
	Kafka    kafka.Config
	Topic    string        // of events
	Erasures string        // topic of erasures; made if it is not there
	Back     time.Duration // how far back the topic is read at the start
	Visitors int           // that are kept
	Log      *slog.Logger
}

// Feed follows the topic of events, and writes to it. It is a reader of its own, without a group: every process reads everything.
type Feed struct {
	*History
	*Counts
	*Writer
	Applied   atomic.Int64 // events that changed something
	Passed    atomic.Int64 // repeats, events that are too old, and those of erased visitors
	Malformed atomic.Int64 // records that are no event

	o       Options
	started time.Time
	mu      sync.Mutex
	client  *kafka.Client // nil until a broker has answered
	parts   []position    // nil until the topics are known
	forgot  []position    // in the topic of erasures; likewise
}

// position is how far a partition has been read. Its figures are read while it moves.
type position struct {
	next    atomic.Int64
	end     atomic.Int64 // the offset that the next record will get, when last asked
	current atomic.Int64 // when everything had been read, last, as the time since the feed was made; 0 if never
}

// New makes a feed, which holds nothing before Run.
func New(o Options) *Feed {
	now := time.Now()
	return &Feed{History: newHistory(o.Visitors), Counts: newCounts(maxItems, now.Add(-o.Back), time.Now), Writer: newWriter(o.Topic, o.Log), o: o, started: now}
}

const (
	retryAfter    = 100 * time.Millisecond // after a failure, twice as long after each further one
	retryAtMost   = 2 * time.Second
	caughtUpEvery = 50 * time.Millisecond
)

// Run follows the topic until ctx is done, whatever comes and goes: a broker that is away is asked again and again.
func (f *Feed) Run(ctx context.Context) {
	var partitions, erasures int
	f.persist(ctx, "live history: waiting for Kafka", func() error {
		client, err := kafka.Open(ctx, f.o.Kafka)
		if err != nil {
			return err
		}
		if partitions, err = client.Partitions(ctx, f.o.Topic); err == nil {
			erasures, err = f.findErasures(ctx, client)
		}
		if err != nil {
			client.Close()
			return err
		}
		f.mu.Lock()
		f.client, f.parts, f.forgot = client, make([]position, partitions), make([]position, erasures)
		f.mu.Unlock()
		return nil
	})
	if f.client == nil {
		return // it was told to end before a broker answered
	}
	defer f.client.Close()
	var group sync.WaitGroup
	group.Go(func() { f.Writer.run(ctx, f.client, partitions) })
	group.Go(func() { f.checkErasures(ctx) })
	for i := range f.forgot {
		group.Go(func() { f.follow(ctx, f.o.Erasures, i, time.Time{}, &f.forgot[i], f.erase) })
	}
	since := f.started.Add(-f.o.Back)
	for i := range f.parts {
		group.Go(func() { f.follow(ctx, f.o.Topic, i, since, &f.parts[i], f.apply) })
	}
	f.sayWhenCaughtUp(ctx, since)
	group.Wait()
}

// follow reads a partition from a time on, and hands every record over.
func (f *Feed) follow(ctx context.Context, topic string, partition int, since time.Time, p *position, see func(partition int, r *kafka.Record)) {
	what := fmt.Sprintf("live history: reading %s/%d", topic, partition)
	f.persist(ctx, what, func() (err error) {
		var at int64
		if since.IsZero() {
			var bounds kafka.Offsets
			bounds, err = f.client.Offsets(ctx, topic, partition)
			at = bounds.Start
		} else {
			at, err = f.client.OffsetAt(ctx, topic, partition, since)
		}
		p.next.Store(at)
		return err
	})
	var fetched *kafka.Fetched
	for ctx.Err() == nil {
		f.persist(ctx, what, func() (err error) {
			next := p.next.Load()
			answer, err := f.client.Fetch(ctx, topic, partition, next, fetched)
			if kafka.IsOffsetOutOfRange(err) {
				var bounds kafka.Offsets
				if bounds, err = f.client.Offsets(ctx, topic, partition); err == nil {
					f.o.Log.Warn("live history: the topic no longer holds what comes next: going on where it begins", "topic", topic, "partition", partition,
						"next", next, "start", bounds.Start)
					p.next.Store(bounds.Start)
				}
				return err
			}
			if err != nil {
				return err
			}
			fetched = answer
			var r kafka.Record
			for {
				more, err := fetched.Next(&r)
				if err != nil {
					return err
				}
				if !more {
					break
				}
				see(partition, &r)
				p.next.Store(r.Offset + 1)
			}
			p.next.Store(fetched.NextOffset())
			p.end.Store(fetched.StableEnd)
			if p.next.Load() >= fetched.StableEnd {
				p.current.Store(int64(time.Since(f.started))) // which no change of the system's clock touches
			}
			return nil
		})
	}
}

// persist repeats what fails until it does not, or ctx is done. The first failure is told, and the end of failing.
func (f *Feed) persist(ctx context.Context, what string, try func() error) {
	wait, failed := retryAfter, false
	for {
		err := try()
		if err == nil {
			if failed {
				f.o.Log.Info(what + ": it goes on")
			}
			return
		}
		if ctx.Err() != nil {
			return
		}
		if !failed {
			f.o.Log.Warn(what, "error", err)
			failed = true
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
			wait = min(2*wait, retryAtMost)
		}
	}
}

func (f *Feed) apply(partition int, r *kafka.Record) {
	var e event.Event
	if err := event.ParseJSON(r.Value, &e); err != nil || e.EventID == "" {
		f.Malformed.Add(1)
		return
	}
	if !f.History.Add(&e, int32(partition), r.Offset, r.Time) {
		f.Passed.Add(1)
		return
	}
	f.Applied.Add(1)
	f.Counts.Add(e.ItemID, e.Event, min(e.Timestamp, r.Time))
}

func (f *Feed) sayWhenCaughtUp(ctx context.Context, since time.Time) {
	tick := time.NewTicker(caughtUpEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if f.CaughtUp() {
			size := f.History.Size()
			f.o.Log.Info("live history read", "topic", f.o.Topic, "since", since.UTC().Format(time.RFC3339), "events", f.Applied.Load(), "passed_over", f.Passed.Load()+f.Malformed.Load(),
				"visitors", size.Visitors, "bytes", size.Bytes, "seconds", time.Since(f.started).Seconds())
			return
		}
	}
}

// CaughtUp reports whether all that there was at the start has been read.
func (f *Feed) CaughtUp() bool {
	for _, p := range f.positions() {
		if p.current.Load() == 0 {
			return false
		}
	}
	return true
}

// positions are all that are read, nil if nothing is yet.
func (f *Feed) positions() (all []*position) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.parts == nil {
		return []*position{{}}
	}
	for i := range f.parts {
		all = append(all, &f.parts[i])
	}
	for i := range f.forgot {
		all = append(all, &f.forgot[i])
	}
	return all
}

// Lag is how many records have not been read, as far as is known, and for how long not everything has been: the age of the latest
// moment at which all that there was had been read, which grows while Kafka is away, too. Before the first such moment it counts from
// the start.
func (f *Feed) Lag() (records int64, behind time.Duration) {
	oldest := int64(math.MaxInt64)
	for _, p := range f.positions() {
		records += max(0, p.end.Load()-p.next.Load())
		oldest = min(oldest, p.current.Load())
	}
	return records, time.Since(f.started) - time.Duration(oldest)
}

// errNotYet says that no broker has answered so far.
var errNotYet = errors.New("no broker has answered since the start")
