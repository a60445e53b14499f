// Command producer brings the events of a CSV file into Kafka. See producer --help, and internal/ingest for what it promises.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"cartwheel/internal/config"
	"cartwheel/internal/ingest"
	"cartwheel/internal/kafka"
	"cartwheel/internal/metrics"
	"cartwheel/internal/shutdown"
)

func main() {
	stop, now, release := shutdown.Notify(context.Background())
	code := run(now, stop, os.Args[1:], os.Getenv, os.Stdin, os.Stdout, os.Stderr)
	release()
	os.Exit(code)
}

// run is the program: 0 when every row was acknowledged or rejected, 2 for a wrong setting, 1 otherwise.
func run(ctx, stop context.Context, args []string, getenv func(string) string, stdin io.Reader, stdout, stderr io.Writer) int {
	s, err := parse(args, getenv, stdout)
	if err != nil {
		return config.Tell("producer", err, stderr)
	}
	log, err := s.logging.New(stderr)
	if err != nil {
		return config.Tell("producer", err, stderr)
	}
	err = produce(ctx, stop, s, log, stdin, stdout, stderr)
	if err != nil {
		log.Error(err.Error())
	}
	return config.ExitCode(err)
}

func produce(ctx, stop context.Context, s *settings, log *slog.Logger, stdin io.Reader, stdout, stderr io.Writer) error {
	client, err := kafka.Open(stopEither(ctx, stop), s.kafka)
	if err != nil {
		return err
	}
	defer client.Close()
	if s.createTopic {
		if err := client.CreateTopic(ctx, s.topic, s.partitions, s.replication); err != nil {
			return err
		}
	}
	partitions, err := client.Partitions(ctx, s.topic)
	if err != nil {
		return err
	}
	sink, err := client.NewProducer(ctx, s.topic, partitions)
	if err != nil {
		return err
	}
	retries := &retries{begun: time.Now()}
	sink.OnRetry = retries.log(log, s.kafka.Servers)

	var counts ingest.Counts
	server, err := metrics.Serve(s.metricsAddr, func() []metrics.Sample { return samples(&counts) }, func() error { return retries.healthy(&counts) })
	if err != nil {
		return err
	}
	defer server.Close()
	begun := time.Now()
	progress := showProgress(stderr, &counts)
	err = ingest.Run(ctx, stop, ingest.Options{
		Path: s.source(), Stdin: stdin, Follow: s.follow, Topic: s.topic, Rejects: s.rejectsPath(), Checkpoint: s.checkpointPath(), Resume: s.resume,
		Rate: s.rate, Speed: s.speed, Limit: s.limit, Compression: s.compression(), Log: log, OnStep: onStep,
	}, sink, partitions, &counts)
	progress.end()
	summarise(stdout, &counts, time.Since(begun), s.rejectsPath())
	switch {
	case err == nil, errors.Is(err, ingest.ErrInterrupted) && s.follow:
		return nil
	case errors.Is(err, ingest.ErrInterrupted):
		return fmt.Errorf("%w after %d rows, all of them acknowledged or rejected; --resume goes on from there", err, counts.Read.Load())
	}
	missing := counts.Read.Load() - counts.Sent.Load() - counts.Rejected.Load()
	return fmt.Errorf("%w (%d of %d rows read were not acknowledged; --resume goes on behind the last that was)", err, missing, counts.Read.Load())
}

// onStep is nil but in tests, which end the program at one of its steps.
var onStep func(string)

func summarise(out io.Writer, c *ingest.Counts, took time.Duration, rejects string) {
	if line := c.Resumed.Load(); line > 0 {
		fmt.Fprintf(out, "resumed   after line %d\n", line)
	}
	fmt.Fprintf(out, "read      %d\nsent      %d\nrejected  %d\nseconds   %.2f\nevents/s  %.0f\n",
		c.Read.Load(), c.Sent.Load(), c.Rejected.Load(), took.Seconds(), float64(c.Sent.Load())/max(took.Seconds(), 1e-9))
	if c.Rejected.Load() > 0 {
		fmt.Fprintf(out, "rejects   %s\n", rejects)
	}
}

// stopEither is done with the first step of a shutdown already: nothing has begun that would have to be finished.
func stopEither(ctx, stop context.Context) context.Context {
	either, cancel := context.WithCancel(ctx)
	context.AfterFunc(stop, cancel)
	return either
}
