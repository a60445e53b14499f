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
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"cartwheel/internal/event"
	"cartwheel/internal/kafka"
)

// ErrInterrupted is returned when the source was not read to its end because the caller asked to stop. All that was read has been
// acknowledged then.
var ErrInterrupted = errors.New("interrupted")

// Options say what to bring where, and how.
type Options struct {
	Path        string    // of the source; "-" is Stdin
	Stdin       io.Reader // read if Path is "-"
	Rejects     string    // path of the rejects file
	Rate        float64   // rows a second, 0: as fast as possible
	Limit       int64     // rows to read at most, 0: all
	Compression kafka.Compression
	Log         *slog.Logger
}

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
}

// Run brings the source into the sink's partitions. When stop is done it reads no further, waits until what was read is acknowledged
// and returns ErrInterrupted; when ctx is done it gives up at once.
func Run(ctx context.Context, stop context.Context, o Options, sink Sink, partitions int, counts *Counts) error {
	src, err := open(stop, o.Path, o.Stdin, counts)
	if err != nil {
		return err
	}
	defer src.Close()
	lines, layout, err := begin(src)
	if err != nil {
		return fmt.Errorf("reading %s: %w", src.name, err)
	}
	rejects := newRejects(o.Rejects)
	defer rejects.abort()

	p := &pipeline{sink: sink, layout: layout, partitions: partitions, compression: o.Compression, rejects: rejects, counts: counts}
	stopped, err := p.run(ctx, stop, lines, newPacer(o.Rate), o.Limit)
	if err != nil {
		return err
	}
	if err := rejects.finish(); err != nil {
		return err
	}
	if stopped {
		return ErrInterrupted
	}
	return nil
}

// pipeline is one run: a reader cuts the source into chunks of whole lines, several encoders turn chunks into record batches, and one
// sender for each partition sends them in the source's order. Every step's queue is bounded, so the slowest sets the pace.
type pipeline struct {
	sink        Sink
	layout      event.Layout
	partitions  int
	compression kafka.Compression
	rejects     *rejects
	counts      *Counts

	source event.Source
	free   sync.Pool // of *kafka.Batch
}

// chunk is some whole lines on their way through the pipeline.
type chunk struct {
	block   block
	encoded chan struct{}    // closed when the fields below are filled
	batches [][]*kafka.Batch // for each partition
	rows    int              // sent, that is, without rejects
	rejects []reject
	acked   sync.WaitGroup
}

type delivery struct {
	batch *kafka.Batch
	chunk *chunk
}

func (p *pipeline) run(ctx, stop context.Context, lines *lineReader, pace *pacer, limit int64) (stopped bool, err error) {
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
		stopped, err = p.read(ctx, stop, lines, pace, limit, blocks, work, ordered)
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
			blocks.put(c.block.data)
		}
		return nil
	})
	return stopped, g.Wait()
}

// read cuts the source into chunks and hands each to the encoders and, in order, to the dispatcher.
func (p *pipeline) read(ctx, stop context.Context, lines *lineReader, pace *pacer, limit int64, blocks *blockPool, work, ordered chan<- *chunk) (stopped bool, err error) {
	first := true
	for {
		if stop.Err() != nil {
			return true, nil
		}
		buf, err := blocks.get(ctx)
		if err != nil {
			return false, err
		}
		b, err := lines.next(buf, pace.rows(limit-p.counts.Read.Load(), limit > 0))
		if errors.Is(err, io.EOF) {
			return false, nil
		}
		if errors.Is(err, ErrInterrupted) {
			return true, nil
		}
		if err != nil {
			return false, err
		}
		if first && len(b.data) > 0 {
			p.source, first = event.SourceOf(lines.header, firstLine(b.data)), false
		}
		if pace.wait(stop, b.rows) != nil { // asked to stop: these rows have not been counted and are not sent
			return true, nil
		}
		p.counts.Read.Add(int64(b.rows))
		c := &chunk{block: b, encoded: make(chan struct{})}
		for _, out := range []chan<- *chunk{work, ordered} {
			select {
			case out <- c:
			case <-ctx.Done():
				return false, ctx.Err()
			}
		}
		if limit > 0 && p.counts.Read.Load() >= limit {
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
		if err := p.rejects.write(c.rejects); err != nil {
			return err
		}
		p.counts.Rejected.Add(int64(len(c.rejects)))
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
