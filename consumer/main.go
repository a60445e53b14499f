// Command consumer turns a Kafka topic into batch files. See consumer --help, and internal/batch for what it promises.
package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"cartwheel/internal/batch"
	"cartwheel/internal/config"
	"cartwheel/internal/erasure"
	"cartwheel/internal/kafka"
	"cartwheel/internal/metrics"
	"cartwheel/internal/shutdown"
	"cartwheel/internal/tracing"
)

func main() {
	stop, now, release := shutdown.Notify(context.Background())
	code := run(now, stop, os.Args[1:], os.Getenv, os.Stdout, os.Stderr)
	release()
	os.Exit(code)
}

// run is the program: 0 when it ended as asked, 2 for a wrong setting, 1 otherwise.
func run(ctx, stop context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	s, err := parse(args, getenv, stdout)
	if err != nil {
		return config.Tell("consumer", err, stderr)
	}
	log, err := s.logging.New(stderr)
	if err != nil {
		return config.Tell("consumer", err, stderr)
	}
	err = consume(ctx, stop, s, log, stdout)
	if err != nil {
		log.Error(err.Error())
	}
	return config.ExitCode(err)
}

func consume(ctx, stop context.Context, s *settings, log *slog.Logger, stdout io.Writer) error {
	opening, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(stop, cancel)()
	client, err := kafka.Open(opening, s.kafka)
	if err != nil {
		return err
	}
	defer client.Close()

	var stats batch.Stats
	begun := time.Now()
	s.options.Log = log
	s.options.OnStep = onStep
	if s.traces != "" {
		provider, stopTracing, err := tracing.Start(ctx, s.traces, "cartwheel-consumer", log)
		if err != nil {
			return err
		}
		defer stopTracing()
		s.options.Traces = provider
	}
	c := batch.New(client, s.options, &stats)
	server, err := metrics.Serve(s.metricsAddr, func() []metrics.Sample { return samples(c.Healthy(), &stats) }, c.Healthy)
	if err != nil {
		return err
	}
	defer server.Close()
	erasures := erasure.NewFollower(client, s.erasures, s.options.DataDir, log)
	if err := erasures.Look(opening); err != nil {
		return fmt.Errorf("reading the erased visitors: %w", err)
	}
	stopFollowing := follow(ctx, erasures)
	err = c.Run(ctx, stop)
	stopFollowing()
	if err == nil && ctx.Err() == nil { // who was erased while the last events came is on the list, too
		if err := erasures.Look(ctx); err != nil {
			log.Warn("reading the erased visitors: who has been erased of late comes onto the list when a consumer starts again", "error", err)
		}
	}
	took := time.Since(begun).Seconds()
	fmt.Fprintf(stdout, "read      %d\nevents    %d\nbatches   %d\nrejected  %d\nseconds   %.2f\nevents/s  %.0f\n",
		stats.Records.Load(), stats.Events.Load(), stats.Batches.Load(), stats.Dead.Load(), took, float64(stats.Events.Load())/took)
	return err
}

// follow keeps the list of erased visitors up to date until the returned function is called.
func follow(ctx context.Context, erasures *erasure.Follower) (stop func()) {
	ctx, end := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() { erasures.Run(ctx); close(ended) }()
	return func() { end(); <-ended }
}

// onStep is nil but in tests, which end the program at one of its steps.
var onStep func(string)
