package train

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"cartwheel/internal/config"
	"cartwheel/internal/erasure"
	"cartwheel/internal/features"
	prom "cartwheel/internal/metrics"
	"cartwheel/internal/model"
	"cartwheel/internal/spark"

	"google.golang.org/grpc/codes"
)

// Schedule says whether to train again and again.
type Schedule struct {
	Every        time.Duration // how often to look for new events; 0: train once
	MinNewEvents int64         // train only when so many have come since the last version, or a visitor was erased
	MetricsAddr  string        // where to serve /metrics and /healthz; empty: nowhere
}

// Declare adds the settings and their defaults.
func (s *Schedule) Declare(set *config.Set) {
	set.DurationVar(&s.Every, "every", 0, "go on for good: look this often whether enough new events have come or a visitor was erased, and train if so (default: train once)")
	set.Int64Var(&s.MinNewEvents, "min-new-events", 1, "with --every, the `number` of events that are enough")
	set.StringVar(&s.MetricsAddr, "metrics-addr", "", "with --every, `host:port` to serve /metrics and /healthz on (default: nowhere)")
	set.Env("metrics-addr", "METRICS_ADDR")
}

// Validate names every setting that is wrong.
func (s *Schedule) Validate() error {
	var p config.Problems
	p.Check(s.Every == 0 || s.Every >= time.Second, "--every %s is not at least 1s", s.Every)
	p.Check(s.MinNewEvents >= 1, "--min-new-events %d is not at least 1", s.MinNewEvents)
	return p.Err()
}

// firstRetry is the pause after the first training that lost Spark; each further one in a row doubles it, up to Every.
const firstRetry = 5 * time.Second

// rounds trains whenever enough new events have come, or a visitor was erased whom the newest version may know, until ctx ends. A round
// that fails is logged, and the next comes.
type rounds struct {
	Schedule
	config Config
	log    *slog.Logger
	train  func(context.Context, Config) error
	stats  roundStats
}

// trainEvery is the program with --every. A signal is no failure: it ends with nil.
func trainEvery(ctx context.Context, s Schedule, c Config, log *slog.Logger, train func(context.Context, Config) error) error {
	if err := c.resolve(); err != nil {
		return err
	}
	r := &rounds{Schedule: s, config: c, log: log, train: train}
	server, err := prom.Serve(s.MetricsAddr, r.samples, r.stats.healthy)
	if err != nil {
		return err
	}
	defer server.Close()
	if server.Addr != "" {
		log.Info("serving metrics", "addr", server.Addr)
	}
	r.run(ctx)
	return nil
}

func (r *rounds) run(ctx context.Context) {
	retry := firstRetry
	for {
		err := r.round(ctx)
		if ctx.Err() != nil {
			return
		}
		wait := r.Every
		if lost(err) {
			wait, retry = min(retry, r.Every), 2*retry
		} else {
			retry = firstRetry
		}
		switch {
		case errors.Is(err, errNotPromoted):
			r.log.Warn("the version is kept, but was not made the champion", "reason", err)
		case err != nil:
			r.log.Error("a training ended without a new version", "error", err, "next", wait)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// round trains if there is a reason to.
func (r *rounds) round(ctx context.Context) error {
	n, err := newsOf(r.config.DataDir)
	if err != nil {
		r.stats.ended(err)
		return err
	}
	r.stats.begins(n)
	if n.events < r.MinNewEvents && n.erased == 0 {
		r.log.Debug("too few new events to train on", "events", n.events, "of", r.MinNewEvents)
		return nil
	}
	r.log.Info("training", "new_events", n.events, "newly_erased_visitors", n.erased)
	err = r.train(ctx, r.config)
	if ctx.Err() != nil {
		return ctx.Err() // told to stop: neither a success nor a failure
	}
	if err == nil || errors.Is(err, errNotPromoted) {
		r.config.Recompute = false // once is enough
	}
	r.stats.ended(err)
	if left, err := newsOf(r.config.DataDir); err == nil {
		r.stats.newEvents.Store(left.events)
	}
	return err
}

// news is what the newest version does not know of.
type news struct {
	events int64     // rows of the batch files that it was not made from
	erased int64     // visitors who have been erased since; 0 where there is no version that they could be in
	made   time.Time // when its training ended; zero where there is no version
}

func newsOf(dataDir string) (n news, err error) {
	versions, err := model.List(filepath.Join(dataDir, "models"))
	if err != nil {
		return n, err
	}
	known := map[string]bool{}
	for _, v := range versions {
		if v.Err == nil {
			for _, name := range append(v.Manifest.Data.BatchFiles, v.Manifest.Data.BadBatchFiles...) {
				known[name] = true
			}
			erased, err := erasure.Read(dataDir)
			if err != nil {
				return n, err
			}
			n.made = v.Manifest.CreatedAt.Add(time.Duration(v.Manifest.Seconds * float64(time.Second)))
			n.erased = max(0, int64(len(erased))-v.Manifest.Counts.Erased) // nobody leaves the list
			break
		}
	}
	files, err := filepath.Glob(filepath.Join(dataDir, features.BatchesDir, "batch_*.csv"))
	if err != nil {
		return n, fmt.Errorf("listing the batch files: %w", err)
	}
	for _, file := range files {
		if known[filepath.Base(file)] {
			continue
		}
		lines, err := countLines(file)
		if err != nil {
			return n, fmt.Errorf("counting new events: %w", err)
		}
		n.events += max(lines-1, 0) // one is the header
	}
	return n, nil
}

func countLines(path string) (n int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	buf := make([]byte, 256<<10)
	for {
		read, err := f.Read(buf)
		n += int64(bytes.Count(buf[:read], []byte("\n")))
		if errors.Is(err, io.EOF) {
			return n, nil
		} else if err != nil {
			return 0, err
		}
	}
}

// lost tells whether a training failed because Spark was not there, or went away under it: then it may work in a moment.
func lost(err error) bool {
	if errors.Is(err, spark.ErrRemote) {
		return true
	}
	var e *spark.Error
	// A server that is shut down in good order answers, while it goes, that its context has been stopped.
	return errors.As(err, &e) && (e.Code == codes.Unavailable || strings.HasPrefix(e.Class, "INVALID_HANDLE.SESSION") ||
		strings.Contains(e.Message, "stopped SparkContext"))
}
