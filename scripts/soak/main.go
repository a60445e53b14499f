// Command soak runs the whole system for a while, as a shop would: events are replayed and posted, the consumer writes, trainings follow
// one another, the API answers; in between the broker and Spark Connect are restarted. It looks whether memory and goroutines stay flat,
// whether every event is in exactly one batch file, and whether any read request failed; and writes a page with a figure.
//
// It brings a Kafka and a Spark of its own up, and takes them down whatever happens. It ends with 1 if something did not hold.
package main

import (
	"cmp"
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
	"cartwheel/scripts/internal/figure"
	"cartwheel/scripts/internal/machine"
)

// soak is one run.
type soak struct {
	ctx     context.Context
	minutes float64
	rate    int // requests a second
	base    int // first port
	root    string
	dir     string // of everything that the run makes
	data    string
	log     *os.File
	load    float64 // of the machine, before anything began
	shop    shop
	start   time.Time
	marks   []figure.Mark // the faults, in minutes after the start
	wrong   []string      // what did not go as it should, in words
}

func main() {
	s := &soak{log: os.Stderr, load: machine.Load()}
	flag.Float64Var(&s.minutes, "minutes", 30, "how long everything runs")
	flag.IntVar(&s.rate, "rate", 200, "`requests` a second, a tenth of them posted events")
	flag.IntVar(&s.base, "port-base", 19200, "first of the twelve `ports` that it uses")
	out := flag.String("out", "docs/benchmarks/soak.md", "`file` to write; the figure goes beside it")
	flag.Parse()
	if flag.NArg() > 0 || s.minutes < 1 || s.rate < 1 {
		fmt.Fprintln(os.Stderr, "soak: --minutes and --rate must be 1 or more, and there are no other arguments")
		os.Exit(2)
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
	load := s.startLoad(programs.api())
	s.tell("everything runs")
	if err := s.faults(); err != nil {
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
	r := &report{soak: s, samples: samples.series, behind: samples.behind, requests: requests, found: found}
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

// faults restarts the broker and Spark Connect twice: during warm-up, for buffers grow once to what comes after an outage, and where the
// middle third of the run ends and the last one begins, so that what each restart leaves behind shows in the last third.
func (s *soak) faults() error {
	for _, at := range []float64{0.2, 0.6} {
		if err := s.until(at); err != nil {
			return err
		}
		s.mark("broker away")
		if err := s.runtime(s.ctx, "down", "kafka"); err != nil {
			return err
		}
		if err := s.runtime(s.ctx, "up", "kafka"); err != nil {
			return err
		}
		s.mark("")
		if err := s.until(at + 0.08); err != nil {
			return err
		}
		s.mark("Connect away")
		if err := s.stopRecorded("spark-connect"); err != nil {
			return err
		}
		if err := s.runtime(s.ctx, "up", "spark"); err != nil {
			return err
		}
		s.mark("")
	}
	return nil
}

// mark keeps that something went away, or with no words that it is back.
func (s *soak) mark(what string) {
	s.marks = append(s.marks, figure.Mark{At: time.Since(s.start).Minutes(), Name: what})
	s.tell("%s", cmp.Or(what, "back"))
}

// fail keeps what did not go as it should, for the page.
func (s *soak) fail(format string, args ...any) {
	s.wrong = append(s.wrong, fmt.Sprintf(format, args...))
	s.tell(format, args...)
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
