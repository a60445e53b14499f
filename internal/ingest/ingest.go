// Package ingest brings the rows of a CSV source into a Kafka topic, as fast as the broker takes them or as slowly as one asks.
//
// It promises that every row of the source is either acknowledged by all in-sync replicas, in the order of the source for each
// visitor, or written to the rejects file with its line number and the reason; that memory stays bounded whatever the source's size
// or the broker's speed; and that a row produced again bears the same eventid. Telling repeats apart is left to whoever reads.
package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"cartwheel/internal/kafka"
)

// ErrInterrupted is returned when the source was not read to its end because the caller asked to stop. All that was read has been
// acknowledged then.
var ErrInterrupted = errors.New("interrupted")

// Options say what to bring where, and how.
type Options struct {
	Path        string    // of the source; "-" is Stdin
	Stdin       io.Reader // read if Path is "-"
	Follow      bool      // wait for more at the end of a file instead of ending
	Topic       string    // named in the checkpoint
	Rejects     string    // path of the rejects file
	Checkpoint  string    // path of the checkpoint file
	Resume      bool      // go on where the checkpoint says
	Rate        float64   // rows a second; 0: as fast as possible
	Speed       float64   // play the source by its own clock, so many times faster; 0: as fast as possible
	Limit       int64     // rows to read at most; 0: all
	Compression kafka.Compression
	Log         *slog.Logger
	OnStep      func(step string) // hears of the steps below; for tests that end the program at one of them
}

// Steps of a run, for Options.OnStep.
const (
	StepRead         = "read"         // a chunk has been read
	StepAcknowledged = "acknowledged" // a chunk has been acknowledged
	StepCheckpoint   = "checkpoint"   // the checkpoint has been written
)

// Sink takes sealed batches. Send returns once the batch is acknowledged; *kafka.Producer is the real one.
type Sink interface {
	Send(ctx context.Context, partition int, b *kafka.Batch) error
}

// Counts is how far a run has come. It may be read while the run goes on.
type Counts struct {
	Read     atomic.Int64 // rows, rejected ones included
	Sent     atomic.Int64 // rows acknowledged
	Rejected atomic.Int64
	Bytes    atomic.Int64 // of the source as it is stored, compressed or not
	Size     atomic.Int64 // of the source as it is stored; 0 if unknown
	Resumed  atomic.Int64 // the line after which the run went on; 0 if it began at the beginning
	LastAck  atomic.Int64 // Unix milliseconds, 0 before the first

	mu      sync.Mutex
	reasons map[string]int64
}

// Reasons returns how many rows were rejected, by the rule that they broke.
func (c *Counts) Reasons() map[string]int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.reasons)
}

func (c *Counts) reject(list []reject) {
	c.Rejected.Add(int64(len(list)))
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range list {
		if c.reasons == nil {
			c.reasons = map[string]int64{}
		}
		c.reasons[r.rule]++
	}
}

// Run brings the source into the sink's partitions. When stop is done it reads no further, waits until what was read is acknowledged
// and returns ErrInterrupted; when ctx is done it gives up at once. After either, a run with Resume goes on where this one ended.
func Run(ctx context.Context, stop context.Context, o Options, sink Sink, partitions int, counts *Counts) error {
	src, err := open(stop, o, counts)
	if err != nil {
		return err
	}
	defer src.Close()
	lines, err := begin(src)
	if errors.Is(err, ErrInterrupted) {
		return err
	}
	if err != nil {
		return fmt.Errorf("reading %s: %w", src.name, err)
	}
	rejects := &rejects{path: o.Rejects}
	defer rejects.close()
	check := &checkpointer{path: o.Checkpoint, must: o.Resume, log: o.Log, rejects: rejects,
		state: checkpoint{Source: lines.source.String(), Topic: o.Topic, Position: lines.pos}}
	if err := check.begin(o.Resume, lines); err != nil {
		return err
	}
	if o.Resume && lines.pos.Line > 1 {
		counts.Resumed.Store(lines.pos.Line)
	}
	p := &pipeline{
		sink: sink, lines: lines, partitions: partitions, compression: o.Compression, rejects: rejects, check: check, counts: counts,
		pace: newPacer(o.Rate, o.Speed, &lines.layout), limit: o.Limit, step: o.OnStep,
	}
	if p.step == nil {
		p.step = func(string) {}
	}
	stopped, err := p.run(ctx, stop)
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err == nil && !stopped {
		return errors.Join(rejects.close(), check.finish())
	}
	// What has been acknowledged so far need not be sent again.
	err = errors.Join(err, check.write())
	if err == nil {
		err = ErrInterrupted
	}
	return err
}

// pipeline is one run: a reader cuts the source into chunks of whole lines, several encoders turn chunks into record batches, and one
// sender for each partition sends them in the source's order. Every step's queue is bounded, so the slowest sets the pace.
type pipeline struct {
	sink        Sink
	lines       *lineReader
	partitions  int
	compression kafka.Compression
	pace        *pacer
	limit       int64
	rejects     *rejects
	check       *checkpointer
	counts      *Counts
	step        func(string)

	free sync.Pool // of *kafka.Batch
}

// chunk is some whole lines on their way through the pipeline.
type chunk struct {
	block   block
	encoded chan struct{}    // closed when the fields below are filled
	batches [][]*kafka.Batch // for each partition
	rows    int              // sent, that is, without rejects
	rejects []reject
	written int64 // bytes of the rejects file with this chunk's rejects
	acked   sync.WaitGroup
}

type delivery struct {
	batch *kafka.Batch
	chunk *chunk
}

func (p *pipeline) run(ctx, stop context.Context) (stopped bool, err error) {
	g, ctx := errgroup.WithContext(ctx)
	encoders := runtime.GOMAXPROCS(0)
	work := make(chan *chunk, encoders)
	ordered := make(chan *chunk, 2*encoders)
	unacked := make(chan *chunk, 2*encoders)
	queues := make([]chan delivery, p.partitions)
	blocks := newBlockPool(5*encoders + 4) // the number of chunks that may exist bounds the memory

	g.Go(func() error {
		defer close(work)
		defer close(ordered)
		var err error
		stopped, err = p.read(ctx, stop, blocks, work, ordered)
		return err
	})
	for range encoders {
		g.Go(func() error {
			e := encoder{pipeline: p}
			for c := range work {
				if err := e.encode(c); err != nil {
					return err
				}
				close(c.encoded)
			}
			return nil
		})
	}
	for i := range queues {
		queues[i] = make(chan delivery, 2)
		g.Go(func() error {
			for d := range queues[i] {
				if err := p.sink.Send(ctx, i, d.batch); err != nil {
					return err
				}
				p.free.Put(d.batch)
				d.chunk.acked.Done()
			}
			return nil
		})
	}
	g.Go(func() error {
		defer close(unacked)
		defer func() {
			for _, q := range queues {
				close(q)
			}
		}()
		return p.dispatch(ctx, ordered, queues, unacked)
	})
	g.Go(func() error {
		for c := range unacked {
			if err := waitFor(ctx, &c.acked); err != nil {
				return err
			}
			p.counts.Sent.Add(int64(c.rows))
			p.counts.LastAck.Store(now())
			p.step(StepAcknowledged)
			wrote, err := p.check.reached(c.block.end, c.written)
			if err != nil {
				return err
			}
			if wrote {
				p.step(StepCheckpoint)
			}
			blocks.put(c.block.data)
		}
		return nil
	})
	err = g.Wait()
	return stopped, err
}

// read cuts the source into chunks and hands each to the encoders and, in order, to the dispatcher.
func (p *pipeline) read(ctx, stop context.Context, blocks *blockPool, work, ordered chan<- *chunk) (stopped bool, err error) {
	for {
		if stop.Err() != nil {
			return true, nil
		}
		buf, err := blocks.get(ctx)
		if err != nil {
			return false, err
		}
		p.pace.begin(p.limit-p.counts.Read.Load(), p.limit > 0)
		b, err := p.lines.next(buf, p.pace.admit)
		switch {
		case errors.Is(err, io.EOF):
			return false, nil
		case errors.Is(err, ErrInterrupted):
			return true, nil
		case err != nil:
			return false, err
		}
		if p.pace.wait(stop) != nil { // these rows have not been counted and are not sent
			return true, nil
		}
		p.counts.Read.Add(int64(b.rows))
		p.step(StepRead)
		c := &chunk{block: b, encoded: make(chan struct{})}
		for _, out := range []chan<- *chunk{work, ordered} {
			select {
			case out <- c:
			case <-ctx.Done():
				return false, ctx.Err()
			}
		}
		if p.limit > 0 && p.counts.Read.Load() >= p.limit {
			return false, nil
		}
	}
}

// dispatch hands batches to the partitions' senders in the source's order.
func (p *pipeline) dispatch(ctx context.Context, ordered <-chan *chunk, queues []chan delivery, unacked chan<- *chunk) error {
	for c := range ordered {
		select {
		case <-c.encoded:
		case <-ctx.Done():
			return ctx.Err()
		}
		var err error
		if c.written, err = p.rejects.write(c.rejects); err != nil {
			return err
		}
		p.counts.reject(c.rejects)
		for i, batches := range c.batches {
			for _, b := range batches {
				c.acked.Add(1)
				select {
				case queues[i] <- delivery{b, c}:
				case <-ctx.Done():
					return ctx.Err()
				}
			}
		}
		select {
		case unacked <- c:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func waitFor(ctx context.Context, wg *sync.WaitGroup) error {
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// now is when records are produced: Kafka deletes by this time, so it must not be the time of the event, which may be years ago.
func now() int64 { return time.Now().UnixMilli() }
