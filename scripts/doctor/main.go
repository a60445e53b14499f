// Command doctor looks whether Cartwheel can run here, and how what runs is doing: the machine, Kafka, Spark and the data folder.
// Each finding is one line that says what to do. It changes nothing.
package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"cartwheel/internal/batch"
	"cartwheel/internal/config"
	"cartwheel/internal/event"
	"cartwheel/internal/kafka"
	"cartwheel/internal/shutdown"
	"cartwheel/internal/spark"
)

func main() { shutdown.Main(run) }

type settings struct {
	kafka   kafka.Config
	topic   string
	group   string
	remote  string
	dataDir string
	checks  string
	getenv  func(string) string
}

// groups are what can be looked at, in the order in which it is told.
var groups = []struct {
	name  string
	check func(context.Context, *settings, *report)
}{
	{"machine", checkMachine}, {"kafka", checkKafka}, {"spark", checkSpark}, {"data", checkData},
}

// run is the program: 0 when nothing must be done, 1 when something must, 2 for a wrong setting.
func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	s, err := parse(args, getenv, stdout)
	if err != nil {
		return config.Tell("doctor", err, stderr)
	}
	r := &report{out: stdout}
	for _, g := range groups {
		if slices.Contains(strings.Split(s.checks, ","), g.name) {
			g.check(ctx, s, r)
		}
	}
	if ctx.Err() != nil {
		fmt.Fprintln(stderr, "doctor: stopped before everything was looked at")
		return 1
	}
	fmt.Fprintf(stdout, "\n%d to do, %d to know of, %d fine\n", r.counts[toDo], r.counts[toKnow], r.counts[fine])
	if r.counts[toDo] > 0 {
		return 1
	}
	return 0
}

func parse(args []string, getenv func(string) string, out io.Writer) (*settings, error) {
	s := &settings{getenv: getenv}
	var all []string
	for _, g := range groups {
		all = append(all, g.name)
	}
	f := config.New("doctor", "looks whether Cartwheel can run here, and how what runs is doing. It ends with 1 if something must be done.", out)
	f.StringVar(&s.checks, "check", strings.Join(all, ","), "`what` to look at")
	f.StringVar(&s.topic, "topic", event.Topic, "Kafka `topic`")
	f.Env("topic", "KAFKA_TOPIC")
	f.StringVar(&s.group, "group-id", batch.Group, "the consumer's `group`")
	f.Env("group-id", "KAFKA_GROUP_ID")
	f.StringVar(&s.remote, "spark-remote", spark.DefaultRemote, "Spark Connect `address`")
	f.Env("spark-remote", "SPARK_REMOTE")
	f.StringVar(&s.dataDir, "data-dir", "data", "`folder` of the data")
	f.Env("data-dir", "DATA_DIR")
	s.kafka.Declare(f)
	if err := f.Parse(args, getenv); err != nil {
		return nil, err
	}
	var p config.Problems
	s.kafka.Check(&p)
	p.Check(s.topic != "", "--topic is empty")
	p.Check(s.group != "", "--group-id is empty")
	p.Check(s.dataDir != "", "--data-dir is empty")
	for name := range strings.SplitSeq(s.checks, ",") {
		p.Check(slices.Contains(all, name), "--check: %q is none of %s", name, strings.Join(all, ", "))
	}
	return s, p.Err()
}

// runtimeDir is where scripts/runtime keeps what it started.
func (s *settings) runtimeDir() string {
	if dir := s.getenv("RUNTIME_DIR"); dir != "" {
		return dir
	}
	return ".runtime"
}

// cacheDir is where scripts/runtime keeps Kafka and Spark as fetched.
func (s *settings) cacheDir() string {
	if dir := s.getenv("RUNTIME_CACHE"); dir != "" {
		return dir
	}
	if dir := s.getenv("XDG_CACHE_HOME"); dir != "" {
		return filepath.Join(dir, "cartwheel")
	}
	return filepath.Join(s.getenv("HOME"), ".cache", "cartwheel")
}
