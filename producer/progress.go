package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/term"

	"cartwheel/internal/ingest"
)

// progress tells a person how far the run is: a bar on a terminal, elsewhere a line now and then.
type progress struct {
	stop chan struct{}
	done sync.WaitGroup
}

func showProgress(out io.Writer, counts *ingest.Counts) *progress {
	p := &progress{stop: make(chan struct{})}
	f, ok := out.(*os.File)
	bar := ok && term.IsTerminal(int(f.Fd()))
	every := 10 * time.Second
	if bar {
		every = 200 * time.Millisecond
	}
	begun := time.Now()
	p.done.Go(func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-p.stop:
				if bar {
					fmt.Fprintf(out, "\r\033[K")
				}
				return
			case <-tick.C:
				if bar {
					fmt.Fprintf(out, "\r\033[K%s", drawBar(counts, time.Since(begun)))
				} else {
					fmt.Fprintln(out, describe(counts, time.Since(begun)))
				}
			}
		}
	})
	return p
}

func (p *progress) end() {
	close(p.stop)
	p.done.Wait()
}

// share is how much of the source has been read, or -1 if its size is unknown.
func share(c *ingest.Counts) float64 {
	size := c.Size.Load()
	if size == 0 {
		return -1
	}
	return min(1, float64(c.Bytes.Load())/float64(size))
}

func describe(c *ingest.Counts, took time.Duration) string {
	text := fmt.Sprintf("%d sent, %d rejected, %.0f/s", c.Sent.Load(), c.Rejected.Load(), float64(c.Sent.Load())/took.Seconds())
	if done := share(c); done >= 0 {
		text = fmt.Sprintf("%3.0f %%, %s", 100*done, text)
	}
	return text
}

func drawBar(c *ingest.Counts, took time.Duration) string {
	const width = 30
	done := share(c)
	if done < 0 {
		return describe(c, took)
	}
	full := int(done * width)
	return "[" + strings.Repeat("=", full) + strings.Repeat(" ", width-full) + "] " + describe(c, took)
}

// retries keeps an eye on attempts that failed and are repeated.
type retries struct {
	begun  time.Time
	last   atomic.Int64 // Unix milliseconds
	warned atomic.Int64 // Unix milliseconds
}

// log warns when the broker has not taken what it is sent for a moment, but not with every attempt.
func (r *retries) log(log *slog.Logger, servers string) func(int, time.Duration, error) {
	return func(partition int, waited time.Duration, err error) {
		now := time.Now().UnixMilli()
		r.last.Store(now)
		if before := r.warned.Load(); waited > 2*time.Second && now-before >= 10_000 && r.warned.CompareAndSwap(before, now) {
			log.Warn("Kafka does not take events at the moment; trying on", "servers", servers, "partition", partition, "waited", waited.Round(time.Second), "error", err)
		}
	}
}
