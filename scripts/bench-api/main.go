// Command bench-api measures the API as a client sees it, beside a gin handler with a fixed answer, which is what HTTP itself costs on
// the machine: a rate alone says more about the machine than about the program. It writes a page of Markdown.
//
//	bench-api serve     visitors, similar items and popular ones; the search; the loading of a large version
//	bench-api sessions  sessions, the live history and its intake
//	bench-api swaps     two large versions that are the champion by turns while requests come
//	bench-api gorse     visitors, items and sessions, beside Gorse in the place of the fixed answer
//
// The load comes from the same machine, so the API has what the load leaves of it. The version is a generated one with the sizes, the
// lengths of its lists and the blends of one that was trained on RetailRocket's events; beside Gorse it is trained, from the events that
// Gorse is given. `make bench-serve`, `make bench-sessions` and `make bench-gorse` see to a broker or a Spark where one is needed.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"cartwheel/scripts/internal/machine"
	"cartwheel/scripts/internal/page"
)

// bench is one run of the measurements.
type bench struct {
	ctx     context.Context
	dir     string // scratch
	rounds  int
	span    time.Duration // of one measurement
	load    float64       // of the machine, before anything began
	servers string        // of Kafka
	events  int
	large   bool
	shop    *shop
}

func main() {
	var err error
	if len(os.Args) > 1 && os.Args[1] == "fixed" { // the process that bench-api measures itself against; a signal ends it
		err = fixed()
	} else {
		ctx, release := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		err = run(ctx, os.Args[1:])
		release()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench-api:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("say what to measure: serve, sessions, swaps or gorse")
	}
	b := &bench{ctx: ctx, load: machine.Load(), servers: os.Getenv("KAFKA_BOOTSTRAP_SERVERS")}
	events, span := 2_000_000, 2*time.Second
	switch args[0] {
	case "gorse":
		events = 200_000
	case "swaps":
		span = 2 * time.Minute
	}
	f := flag.NewFlagSet("bench-api "+args[0], flag.ExitOnError)
	f.IntVar(&b.rounds, "rounds", 5, "`times` that everything is measured")
	f.DurationVar(&b.span, "span", span, "`time` of one measurement")
	f.IntVar(&b.events, "events", events, "`number` of events that the live history takes in, or that the shop has beside Gorse")
	f.BoolVar(&b.large, "large", true, "measure the loading of a large version, too")
	out := f.String("out", "docs/benchmarks/"+args[0]+".md", "`file` to write")
	_ = f.Parse(args[1:]) // it ends the program where it fails
	measure := map[string]func(*bench) (*page.Page, error){"serve": (*bench).serve, "sessions": (*bench).sessions, "swaps": (*bench).swaps, "gorse": (*bench).besideGorse}[args[0]]
	if measure == nil {
		return fmt.Errorf("%s is none of serve, sessions, swaps and gorse", args[0])
	}
	var err error
	if b.dir, err = os.MkdirTemp("", "bench-api-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	if args[0] != "gorse" {
		if err := b.build("./api"); err != nil {
			return err
		}
	}
	if args[0] == "serve" || args[0] == "sessions" {
		b.shop = newShop(usual, "bench", 1)
		b.shop.write(filepath.Join(b.dir, "data"), filepath.Join(b.dir, "alone"))
	}
	p, err := measure(b)
	if err != nil {
		return err
	}
	return p.Save(*out)
}

// build builds programs into the scratch folder.
func (b *bench) build(programs ...string) error {
	if err := b.command("go", append([]string{"build", "-o", b.dir + "/"}, programs...)...).Run(); err != nil {
		return fmt.Errorf("building: %w", err)
	}
	return nil
}
