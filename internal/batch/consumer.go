// Package batch turns a Kafka topic into batch files: CSV files that never change once they bear their names.
//
// It promises that every event of the topic is in exactly one batch file, whatever is killed, stopped, cut off or added in between,
// because the files' names are the only truth about what has been consumed: a consumer starts after the last offset that the names
// cover, and only one consumer at a time can give a file a name (see claim). Offsets are committed to Kafka as well, after the file,
// for people and tools that look at the group; they are never read back. What cannot be understood is in the dead-letter topic, at
// least once, before a batch file passes it by.
//
// It ends where the disk ends: batch files must not be changed, removed or mixed with another topic's.
package batch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	spans "go.opentelemetry.io/otel/trace"
	"golang.org/x/sync/errgroup"

	"cartwheel/internal/kafka"
)

// Options say what to consume, and when to end.
type Options struct {
	Topic         string
	GroupID       string
	DataDir       string
	BatchSize     int64         // offsets a file; files end at multiples of it
	IdleTimeout   time.Duration // end after so long without a record, once everything is read; 0: never
	FlushInterval time.Duration // the longest that an event waits in an unfinished file; 0: as long as it takes
	Session       time.Duration // Kafka gives the partitions to others after so long without a sign of life
	Log           *slog.Logger
	Traces        spans.TracerProvider // nil: batch files have no spans
	OnStep        func(step string)    // hears of the steps of publishing; for tests that end the program between two of them
}

// fencedAtMost is how often in a row a consumer lets itself be pushed out before it says that something is wrong.
const fencedAtMost = 5

// Consumer is one member of a consumer group.
type Consumer struct {
	client        *kafka.Client
	topic         string
	group         string
	folder        string
	batchSize     int64
	idleTimeout   time.Duration
	flushInterval time.Duration
	session       time.Duration
	log           *slog.Logger
	traces        spans.TracerProvider // may be nil
	onStep        func(string)

	stats       *Stats
	dead        deadTopic
	lastRecord  atomic.Int64 // Unix nanoseconds
	troubleFrom atomic.Int64 // Unix seconds; 0 while all is well
	lastTrouble atomic.Int64 // Unix seconds, when it was last told of
}

// New prepares a consumer; Run runs it.
func New(client *kafka.Client, o Options, stats *Stats) *Consumer {
	c := &Consumer{
		client: client, topic: o.Topic, group: o.GroupID, folder: filepath.Join(o.DataDir, FolderName), batchSize: o.BatchSize,
		idleTimeout: o.IdleTimeout, flushInterval: o.FlushInterval, session: o.Session, log: o.Log, traces: o.Traces, onStep: o.OnStep, stats: stats,
	}
	c.dead.client, c.dead.name = client, o.Topic+DeadLetterSuffix
	return c
}

// Run consumes until stop is done or, with an idle timeout, until nothing more comes; then it publishes what it has, and leaves the
// group. When ctx is done it drops what is unfinished and returns at once. The topic must exist.
func (c *Consumer) Run(ctx, stop context.Context) error {
	if _, err := c.client.Partitions(ctx, c.topic); err != nil {
		return err
	}
	if err := checkFolder(c.folder); err != nil {
		return err
	}
	group, err := c.client.NewGroup(c.group, c.topic, c.session)
	if err != nil {
		return err
	}
	defer func() { // leaving takes an answer from Kafka, which ctx does not wait for
		left := make(chan struct{})
		go func() { group.Close(); close(left) }()
		select {
		case <-left:
		case <-ctx.Done():
		}
	}()
	stop, idle := context.WithCancel(stop)
	defer idle()
	c.active()
	fenced := 0
	for {
		next, cancel := context.WithCancel(ctx)
		release := context.AfterFunc(stop, cancel)
		gen, err := group.Next(next)
		release()
		cancel()
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case stop.Err() != nil:
			return nil
		case err != nil && kafka.Rejoin(err):
			c.troubled("joining the group", err)
			continue
		case err != nil:
			return fmt.Errorf("joining group %s: %w", c.group, err)
		}
		c.fine()
		before := c.stats.Batches.Load()
		err = c.generation(ctx, stop, idle, group, gen)
		switch {
		case errors.Is(err, errFenced):
			if fenced++; c.stats.Batches.Load() > before {
				fenced = 1
			}
			if fenced >= fencedAtMost {
				return fmt.Errorf("%w %d times in a row: is a consumer of another group writing to %s?", err, fenced, c.folder)
			}
			c.log.Warn("lost a partition; joining the group again", "reason", err)
		case err != nil:
			return err
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case stop.Err() != nil:
			return nil
		}
	}
}

// generation consumes the partitions that the group has given this member, until they are taken away, or stop or ctx is done.
func (c *Consumer) generation(ctx, stop context.Context, idle func(), group *kafkago.ConsumerGroup, gen *kafkago.Generation) error {
	result := make(chan error, 1)
	gen.Start(func(genCtx context.Context) { // the group moves on only when this has returned
		mine, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(genCtx, cancel)()
		commits := newCommitter(c, gen)
		committed := make(chan struct{})
		consumed := make(chan struct{})
		go func() { commits.run(consumed); close(committed) }()
		err := c.consume(mine, stop, idle, gen, commits)
		close(consumed)
		select {
		case <-committed:
		case <-ctx.Done():
		}
		if err == nil && stop.Err() != nil && genCtx.Err() == nil {
			// Returning now would make the group join once more before it leaves.
			go group.Close()
			<-genCtx.Done()
		}
		result <- err
	})
	return <-result
}

func (c *Consumer) consume(ctx, stop context.Context, idle func(), gen *kafkago.Generation, commits *committer) error {
	assigned := gen.Assignments[c.topic]
	caughtUp := make([]atomic.Bool, len(assigned))
	c.active()
	c.stats.assigned(assigned)

	work, cancel := context.WithCancel(ctx)
	defer cancel()
	g, work := errgroup.WithContext(work)
	for i, a := range assigned {
		p := &partition{
			Consumer: c, id: a.ID, commit: commits.add, caughtUp: &caughtUp[i],
			dead: &deadLetters{topic: &c.dead, source: c.topic, id: a.ID, stats: c.stats},
		}
		g.Go(func() error { return p.run(work, stop) })
	}
	watching, unwatch := context.WithCancel(ctx)
	defer unwatch()
	go c.watchIdle(watching, idle, caughtUp)
	err := g.Wait()
	if len(assigned) == 0 { // more members than partitions: wait for a change
		select {
		case <-ctx.Done():
		case <-stop.Done():
		}
	}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil // the generation ended; what was unfinished is read again by whoever has the partition now
	}
	return err
}

// watchIdle calls idle when every partition is read to its end and nothing has come for the idle timeout.
func (c *Consumer) watchIdle(ctx context.Context, idle func(), caughtUp []atomic.Bool) {
	if c.idleTimeout <= 0 {
		return
	}
	tick := time.NewTicker(min(c.idleTimeout/4, 200*time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		all := true
		for i := range caughtUp {
			all = all && caughtUp[i].Load()
		}
		if !all {
			c.active()
		} else if time.Since(time.Unix(0, c.lastRecord.Load())) >= c.idleTimeout {
			idle()
			return
		}
	}
}

func (c *Consumer) active() { c.lastRecord.Store(time.Now().UnixNano()) }

func (c *Consumer) step(s string) {
	if c.onStep != nil {
		c.onStep(s)
	}
}

// troubled warns of what is being repeated once it has lasted for a while, and then not with every attempt.
func (c *Consumer) troubled(doing string, err error) {
	now := time.Now().Unix()
	c.troubleFrom.CompareAndSwap(0, now)
	before := c.lastTrouble.Load()
	if now-c.troubleFrom.Load() >= 3 && now-before >= 10 && c.lastTrouble.CompareAndSwap(before, now) {
		c.log.Warn("Kafka does not answer as it should; trying on", "doing", doing, "error", err)
	}
}

func (c *Consumer) fine() { c.troubleFrom.Store(0) }

// unhealthyAfter is how long Kafka may fail to answer before Healthy says so.
const unhealthyAfter = 30 * time.Second

// Healthy returns nil, or what has been wrong for a while.
func (c *Consumer) Healthy() error {
	if from := c.troubleFrom.Load(); from > 0 && time.Since(time.Unix(from, 0)) > unhealthyAfter {
		return fmt.Errorf("no answer from Kafka as it should be for %s", time.Since(time.Unix(from, 0)).Round(time.Second))
	}
	return nil
}
