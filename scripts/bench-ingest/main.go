// Command bench-ingest measures producer and consumer beside Kafka's own performance tools, on one broker and in the same run: a
// figure alone says more about the machine than about the program. It writes a page of Markdown.
//
// It needs what scripts/runtime has fetched, and the broker that KAFKA_BOOTSTRAP_SERVERS names; `make bench-ingest` sees to both.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"cartwheel/internal/kafka"
	"cartwheel/scripts/internal/figure"
	"cartwheel/scripts/internal/machine"
	"cartwheel/scripts/internal/page"
)

const partitions = 6

// bench is one run of the measurements.
type bench struct {
	ctx     context.Context
	client  *kafka.Client
	servers string
	libs    string // Kafka's jars
	dir     string // scratch
	bin     string
	file    string
	events  int
	load    float64 // of the machine, before anything began
	log     io.Writer
}

func main() {
	events := flag.Int("events", 2756101, "`number` of events")
	rounds := flag.Int("rounds", 3, "`times` that everything is measured")
	out := flag.String("out", "docs/benchmarks/ingest.md", "`file` to write")
	flag.Parse()
	ctx, release := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *events, *rounds, *out)
	release()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench-ingest:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, events, rounds int, out string) error {
	b := &bench{ctx: ctx, servers: os.Getenv("KAFKA_BOOTSTRAP_SERVERS"), events: events, load: machine.Load(), log: os.Stderr}
	if b.servers == "" {
		return fmt.Errorf("KAFKA_BOOTSTRAP_SERVERS is not set: make bench-ingest starts a broker and sets it")
	}
	var err error
	if b.libs, err = kafkaLibs(); err != nil {
		return err
	}
	if b.client, err = kafka.Open(ctx, kafka.Config{Servers: b.servers, Protocol: "PLAINTEXT"}); err != nil {
		return err
	}
	defer b.client.Close()
	if b.dir, err = os.MkdirTemp("", "bench-ingest-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	if err := b.prepare(); err != nil {
		return err
	}
	var all []round
	size := 0
	for i := range rounds {
		r, recordSize, err := b.round(i)
		if err != nil {
			return fmt.Errorf("round %d: %w", i+1, err)
		}
		all, size = append(all, r), recordSize
	}
	p, err := b.page(all, size)
	if err != nil {
		return err
	}
	return p.Save(out)
}

// prepare builds the programs and generates the file.
func (b *bench) prepare() error {
	b.bin = filepath.Join(b.dir, "bin")
	if err := b.command("go", "build", "-o", b.bin+"/", "./producer", "./consumer", "./scripts/generate").Run(); err != nil {
		return fmt.Errorf("building: %w", err)
	}
	b.file = filepath.Join(b.dir, "raw", "events.csv")
	if err := b.command(filepath.Join(b.bin, "generate"), "--data-dir", b.dir, "--events", fmt.Sprint(b.events)).Run(); err != nil {
		return fmt.Errorf("generating events: %w", err)
	}
	return nil
}

func (b *bench) command(name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(b.ctx, name, args...)
	cmd.Stderr = b.log
	cmd.Env = append(os.Environ(), "KAFKA_BOOTSTRAP_SERVERS="+b.servers)
	return cmd
}

func kafkaLibs() (string, error) {
	cache := os.Getenv("RUNTIME_CACHE")
	if cache == "" {
		base, err := os.UserCacheDir()
		if err != nil {
			return "", err
		}
		cache = filepath.Join(base, "cartwheel")
	}
	found, _ := filepath.Glob(filepath.Join(cache, "kafka-*", "libs"))
	if len(found) == 0 {
		return "", fmt.Errorf("no Kafka in %s: scripts/runtime fetch kafka brings it", cache)
	}
	return filepath.Join(found[len(found)-1], "*"), nil
}

// page is the result.
func (b *bench) page(rounds []round, size int) (*page.Page, error) {
	p := page.New("Ingestion, measured", "make bench-ingest", b.load)
	p.Section("File to topic to files", fmt.Sprintf(`%d events in a generated file, %d partitions, acks=all, one broker (Kafka %s) that shares the machine with what is measured. Kafka's own tools run right after
ours, on a topic with the same settings and with records of the same size (%d bytes: key, value and headers); they neither parse nor write files. Their batch size and
linger time are raised (512 KiB, 10 ms), for the defaults would make them slow. Rates are events per second of wall-clock time, of ours from the start of the process;
the consumer's up to the last full file, for a file that is not full waits for more.`,
		b.events, partitions, strings.TrimPrefix(filepath.Base(filepath.Dir(filepath.Dir(b.libs))), "kafka-"), size))
	row := func(name, format string, of func(round) float64) page.Row {
		r := page.Row{Name: name, Format: format}
		for _, one := range rounds {
			r.Values = append(r.Values, of(one))
		}
		return r
	}
	produced := row("producer: CSV file to acknowledged, events/s", "%.0f", func(r round) float64 { return r.produced.rate() })
	producerPerf := row("ProducerPerformance, records/s", "%.0f", func(r round) float64 { return r.producerPerf })
	consumed := row("consumer: topic to synced batch files, events/s", "%.0f", func(r round) float64 { return r.consumed.rate() })
	consumerPerf := row("ConsumerPerformance, records/s", "%.0f", func(r round) float64 { return r.consumerPerf })
	p.Table([]page.Row{
		row("load of the machine before the round (1 min)", "%.1f", func(r round) float64 { return r.load }),
		produced, producerPerf,
		row("producer, processor seconds", "%.1f", func(r round) float64 { return r.produced.cpu }),
		row("producer, memory at its peak, MB", "%.0f", func(r round) float64 { return r.produced.mb }),
		consumed, consumerPerf,
		row("consumer, processor seconds", "%.1f", func(r round) float64 { return r.consumed.cpu }),
		row("consumer, memory at its peak, MB", "%.0f", func(r round) float64 { return r.consumed.mb }),
		row("file to files, both at once, seconds", "%.1f", func(r round) float64 { return r.both.seconds }),
	})
	svg, err := figure.Bars("Ingestion, median and range", "events/s", []figure.Bar{
		{Name: "producer", Values: produced.Values}, {Name: "ProducerPerformance", Values: producerPerf.Values, Beside: true},
		{Name: "consumer", Values: consumed.Values}, {Name: "ConsumerPerformance", Values: consumerPerf.Values, Beside: true}})
	return p, p.Figure("ingest", "Events a second of producer and consumer, beside Kafka's own tools", svg, err)
}
