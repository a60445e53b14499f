// Command soak runs the whole system for a while, as a shop would: events are replayed and posted, the consumer writes, trainings follow
// one another, the API answers; in between the broker and Spark Connect are restarted. It looks whether memory and goroutines stay flat,
// whether every event is in exactly one batch file, and whether any read request failed; and writes a page with a plot.
//
// It brings a Kafka and a Spark of its own up, and takes them down whatever happens. It ends with 1 if something did not hold.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"cartwheel/internal/kafka"
)

const (
	topic         = "retail.events.v1"
	historyEvents = 60_000
	trainEvery    = 20 * time.Second
)

// soak is one run.
type soak struct {
	ctx     context.Context
	minutes float64
	rate    int // requests a second
	events  int // replayed
	base    int // first port
	root    string
	dir     string // of everything that the run makes
	data    string
	log     *os.File
	start   time.Time
	marks   []mark // what happened, when
}

// mark is a moment that the plot shows.
type mark struct {
	at   time.Duration
	what string
}

func main() {
	s := &soak{log: os.Stderr}
	flag.Float64Var(&s.minutes, "minutes", 30, "how long everything runs")
	flag.IntVar(&s.rate, "rate", 200, "`requests` a second, a tenth of them posted events")
	flag.IntVar(&s.events, "events", 0, "`number` of events that are replayed (default 10,000 a minute)")
	flag.IntVar(&s.base, "port-base", 19200, "first of the eleven `ports` that it uses")
	out := flag.String("out", "docs/benchmarks/soak.md", "`file` to write; the plot goes beside it")
	flag.Parse()
	if flag.NArg() > 0 || s.minutes < 1 || s.rate < 1 || s.events < 0 {
		fmt.Fprintln(os.Stderr, "soak: --minutes, --rate and --events must be 1 or more, and there are no other arguments")
		os.Exit(2)
	}
	if s.events == 0 {
		s.events = int(10_000 * s.minutes)
	}
	ctx, release := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	s.ctx = ctx
	ok, err := s.run(*out)
	release()
	if err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
	}
	if err != nil || !ok {
		os.Exit(1)
	}
}

func (s *soak) run(out string) (ok bool, err error) {
	if s.root, err = os.Getwd(); err != nil {
		return false, err
	}
	s.dir = filepath.Join(s.root, ".test", "soak")
	s.data = filepath.Join(s.dir, "data")
	if err := os.RemoveAll(s.dir); err != nil {
		return false, fmt.Errorf("removing what an earlier run left: %w", err)
	}
	defer s.runtime(context.Background(), "down", "all")
	programs, err := s.prepare()
	if err != nil {
		return false, fmt.Errorf("preparing: %w", err)
	}
	defer programs.kill()
	if err := programs.begin(); err != nil {
		return false, err
	}
	s.start = time.Now()
	samples := programs.watch(s.ctx)
	load := s.load(programs.api())
	s.tell("everything runs")
	if err := s.faults(programs); err != nil {
		return false, err
	}
	if err := s.until(1); err != nil {
		return false, err
	}
	samples.stop()
	requests, err := load.end(s.ctx)
	if err != nil {
		return false, err
	}
	if err := programs.end(requests.accepted); err != nil {
		return false, err
	}
	found, err := s.count(requests)
	if err != nil {
		return false, err
	}
	r := &report{soak: s, samples: samples.all(), requests: requests, found: found}
	return r.write(out)
}

// until waits for a share of the time to pass.
func (s *soak) until(share float64) error {
	due := s.start.Add(time.Duration(share * s.minutes * float64(time.Minute)))
	select {
	case <-time.After(time.Until(due)):
		return nil
	case <-s.ctx.Done():
		return fmt.Errorf("stopped before the end: %w", context.Cause(s.ctx))
	}
}

// faults restarts the broker and Spark Connect.
func (s *soak) faults(p *programs) error {
	if err := s.until(0.45); err != nil {
		return err
	}
	s.mark("broker down")
	if err := s.runtime(s.ctx, "down", "kafka"); err != nil {
		return err
	}
	if err := s.runtime(s.ctx, "up", "kafka"); err != nil {
		return err
	}
	s.mark("broker up")
	if err := s.until(0.65); err != nil {
		return err
	}
	s.mark("Connect down")
	if err := s.stopRecorded("spark-connect"); err != nil {
		return err
	}
	if err := s.runtime(s.ctx, "up", "spark"); err != nil {
		return err
	}
	s.mark("Connect up")
	return p.alive()
}

func (s *soak) mark(what string) {
	s.marks = append(s.marks, mark{time.Since(s.start), what})
	s.tell("%s", what)
}

func (s *soak) tell(format string, args ...any) {
	fmt.Fprintf(s.log, "%s  %s\n", time.Now().Format("15:04:05"), fmt.Sprintf(format, args...))
}

func (s *soak) port(n int) string { return fmt.Sprintf("127.0.0.1:%d", s.base+n) }

// broker is the address of Kafka.
func (s *soak) broker() string { return s.port(0) }

func (s *soak) kafka() (*kafka.Client, error) {
	return kafka.Open(s.ctx, kafka.Config{Servers: s.broker(), Protocol: "PLAINTEXT"})
}

// environment is that of every program: this run's Kafka, Spark, folders and ports, and nothing of the caller's.
func (s *soak) environment() []string {
	var env []string
	for _, v := range os.Environ() {
		name, _, _ := strings.Cut(v, "=")
		if !strings.HasPrefix(name, "KAFKA_") && !strings.HasPrefix(name, "SPARK_") && !strings.HasPrefix(name, "RUNTIME_") && !strings.HasPrefix(name, "API_") &&
			!strings.HasPrefix(name, "OTEL_") && name != "METRICS_ADDR" && name != "DATA_DIR" || name == "RUNTIME_CACHE" || name == "RUNTIME_SPARK_MEMORY" || name == "RUNTIME_SPARK_CORES" {
			env = append(env, v)
		}
	}
	env = append(env, "KAFKA_BOOTSTRAP_SERVERS="+s.broker(), "SPARK_REMOTE=sc://"+s.port(5), "DATA_DIR="+s.data, "RUNTIME_DIR="+filepath.Join(s.dir, "runtime"))
	for i, name := range []string{"KAFKA", "KAFKA_CONTROLLER", "SPARK_MASTER", "SPARK_MASTER_UI", "SPARK_WORKER_UI", "SPARK_CONNECT", "SPARK_APP_UI", "SPARK_HISTORY"} {
		env = append(env, fmt.Sprintf("RUNTIME_%s_PORT=%d", name, s.base+i))
	}
	return env
}
