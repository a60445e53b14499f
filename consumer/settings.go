package main

import (
	"io"
	"time"

	"cartwheel/internal/batch"
	"cartwheel/internal/config"
	"cartwheel/internal/erasure"
	"cartwheel/internal/event"
	"cartwheel/internal/kafka"
	"cartwheel/internal/live"
	"cartwheel/internal/logging"
	"cartwheel/internal/tracing"
)

// settings are the consumer's, from defaults, environment and flags.
type settings struct {
	kafka   kafka.Config
	logging logging.Config
	options batch.Options

	metricsAddr string
	erasures    string // topic
	traces      string
}

func parse(args []string, getenv func(string) string, out io.Writer) (*settings, error) {
	s := &settings{}
	o := &s.options
	var follow bool
	f := config.New("consumer", "turns a Kafka topic into batch files under DATA_DIR/"+batch.FolderName+".", out)
	f.StringVar(&o.DataDir, "data-dir", "data", "`folder` of the data")
	f.Env("data-dir", "DATA_DIR")
	f.StringVar(&o.Topic, "topic", event.Topic, "Kafka `topic`")
	f.Env("topic", "KAFKA_TOPIC")
	f.StringVar(&o.GroupID, "group-id", batch.Group, "consumer `group`; consumers that share a topic and a data folder have the same")
	f.Env("group-id", "KAFKA_GROUP_ID")
	f.Int64Var(&o.BatchSize, "batch-size", 10000, "`events` in a batch file; files end at offsets that are multiples of it")
	f.DurationVar(&o.IdleTimeout, "idle-timeout", 10*time.Second, "end when everything is read and nothing has come for this `time`")
	f.BoolVar(&follow, "follow", false, "go on until told to stop, whatever --idle-timeout says")
	f.DurationVar(&o.FlushInterval, "flush-interval", 30*time.Second, "the longest `time` that an event waits in an unfinished file; 0 is until the file is full")
	f.DurationVar(&o.Session, "session-timeout", 10*time.Second, "Kafka gives this consumer's partitions to others after so much `time` without a sign of life")
	f.StringVar(&s.erasures, "erasures-topic", live.ErasuresTopic, "Kafka `topic` of erased visitors, who are put on the list DATA_DIR/"+erasure.FileName+" that trainings honour")
	f.Env("erasures-topic", "KAFKA_ERASURES_TOPIC")
	f.StringVar(&s.metricsAddr, "metrics-addr", "", "`host:port` to serve /metrics and /healthz on (default: nowhere)")
	f.Env("metrics-addr", "METRICS_ADDR")
	f.StringVar(&s.traces, "otlp-endpoint", "", "`URL` of an OpenTelemetry collector, such as http://localhost:4318, to send a span for each batch file to; OTEL_TRACES_SAMPLER and the like hold")
	f.Env("otlp-endpoint", "OTEL_EXPORTER_OTLP_ENDPOINT")
	s.kafka.Declare(f)
	s.logging.Declare(f)
	if err := f.Parse(args, getenv); err != nil {
		return nil, err
	}
	var p config.Problems
	s.kafka.Check(&p)
	p.Check(o.Topic != "", "--topic is empty")
	p.Check(o.GroupID != "", "--group-id is empty")
	p.Check(o.DataDir != "", "--data-dir is empty")
	p.Check(s.erasures != "", "--erasures-topic is empty")
	p.Check(o.BatchSize > 0, "--batch-size %d is not positive", o.BatchSize)
	p.Check(follow || o.IdleTimeout > 0, "--idle-timeout %s is not positive; use --follow to go on until told to stop", o.IdleTimeout)
	p.Check(o.FlushInterval >= 0, "--flush-interval %s is negative", o.FlushInterval)
	p.Check(o.Session >= time.Second, "--session-timeout %s is shorter than a second", o.Session)
	tracing.Check(&p, s.traces)
	if follow {
		o.IdleTimeout = 0
	}
	return s, p.Err()
}
