package main

import (
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"cartwheel/internal/config"
	"cartwheel/internal/event"
	"cartwheel/internal/kafka"
	"cartwheel/internal/logging"
)

// settings are the producer's, from defaults, environment and flags.
type settings struct {
	kafka       kafka.Config
	logging     logging.Config
	file        string
	dataDir     string
	rejects     string
	topic       string
	codec       string
	checkpoint  string
	resume      bool
	follow      bool
	metricsAddr string
	rate        float64
	speed       float64
	limit       int64
	createTopic bool
	partitions  int
	replication int
}

func parse(args []string, getenv func(string) string, out io.Writer) (*settings, error) {
	s := &settings{}
	f := config.New("producer", "brings the events of a CSV file into a Kafka topic.", out)
	f.StringVar(&s.file, "file", "", "CSV `file` to read, plain, .gz or .zst; - is standard input (default DATA_DIR/raw/events.csv)")
	f.StringVar(&s.dataDir, "data-dir", "data", "`folder` of the data")
	f.Env("data-dir", "DATA_DIR")
	f.StringVar(&s.rejects, "rejects", "", "`file` for rows that are no events, with line number and reason (default the source's name with .rejects.csv)")
	f.StringVar(&s.checkpoint, "checkpoint", "", "`file` that says how far an unfinished run has come (default the source's name with .checkpoint)")
	f.BoolVar(&s.resume, "resume", false, "go on where an interrupted run ended, if there was one")
	f.BoolVar(&s.follow, "follow", false, "at the end of the file wait for more, until told to stop")
	f.StringVar(&s.topic, "topic", event.Topic, "Kafka `topic`")
	f.Env("topic", "KAFKA_TOPIC")
	f.BoolVar(&s.createTopic, "create-topic", false, "make the topic if it does not exist")
	f.IntVar(&s.partitions, "partitions", 6, "`number` of partitions of a topic that --create-topic makes")
	f.IntVar(&s.replication, "replication", -1, "`number` of replicas of a topic that --create-topic makes; -1 is the broker's default")
	f.StringVar(&s.codec, "compression", "none", "`codec` of the record batches: none, gzip, snappy, lz4 or zstd")
	f.Env("compression", "KAFKA_COMPRESSION_TYPE")
	f.Float64Var(&s.rate, "rate", 0, "rows per second; 0 is as fast as the broker takes them")
	f.Float64Var(&s.speed, "speed", 0, "play the file by its own timestamps, so many times faster than life; 0 is as fast as the broker takes it")
	f.Int64Var(&s.limit, "limit", 0, "`rows` to read at most; 0 is all")
	f.StringVar(&s.metricsAddr, "metrics-addr", "", "`host:port` to serve /metrics and /healthz on (default: nowhere)")
	f.Env("metrics-addr", "METRICS_ADDR")
	s.kafka.Declare(f)
	s.logging.Declare(f)
	if err := f.Parse(args, getenv); err != nil {
		return nil, err
	}
	var p config.Problems
	s.kafka.Check(&p)
	_, known := kafka.Compressions[s.codec]
	p.Check(known, "--compression %q is none of %s", s.codec, strings.Join(slices.Sorted(maps.Keys(kafka.Compressions)), ", "))
	p.Check(s.topic != "", "--topic is empty")
	p.Check(s.rate >= 0, "--rate %g is negative", s.rate)
	p.Check(s.speed >= 0, "--speed %g is negative", s.speed)
	p.Check(s.rate == 0 || s.speed == 0, "--rate and --speed exclude each other")
	p.Check(!s.follow || s.file != "-", "--follow is for files: standard input ends when its writer ends it")
	p.Check(s.limit >= 0, "--limit %d is negative", s.limit)
	p.Check(s.partitions > 0, "--partitions %d is not positive", s.partitions)
	p.Check(s.replication == -1 || s.replication > 0, "--replication %d is neither positive nor -1", s.replication)
	return s, p.Err()
}

func (s *settings) source() string {
	if s.file == "" {
		return filepath.Join(s.dataDir, "raw", "events.csv")
	}
	return s.file
}

func (s *settings) rejectsPath() string    { return s.beside(s.rejects, ".rejects.csv") }
func (s *settings) checkpointPath() string { return s.beside(s.checkpoint, ".checkpoint") }

// beside is the given path, or a name beside the source.
func (s *settings) beside(given, suffix string) string {
	switch {
	case given != "":
		return given
	case s.file == "-":
		return filepath.Join(s.dataDir, "raw", "stdin"+suffix)
	}
	return s.source() + suffix
}

func (s *settings) compression() kafka.Compression { return kafka.Compressions[s.codec] }
