// Command bench-train measures what Spark does for a training. It writes a page of Markdown.
//
//	bench-train            trainings as a shop would run them, from batch files to a published version, at growing sizes, and the same
//	                       ALS fit submitted from Go and from PySpark
//	bench-train workers    the same ALS fit by one worker and by two
//
// It needs the Spark that SPARK_REMOTE names, and for PySpark the Python that BENCH_PYTHON names; for workers, the Spark of one worker
// that SPARK_REMOTE names, and that of two that BENCH_REMOTE_OF_TWO names. `make bench-train` and `make bench-workers` see to all.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"cartwheel/internal/synthetic"
	"cartwheel/internal/synthetic/synthetictest"
	"cartwheel/scripts/internal/machine"
)

// bench is one run of the measurements.
type bench struct {
	ctx    context.Context
	remote string
	python string // empty: no comparison with PySpark
	dir    string // scratch
	log    io.Writer
}

func main() {
	ctx, release := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	release()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench-train:", err)
		os.Exit(1)
	}
}

// sizeList is a flag of numbers with commas between them.
type sizeList []int

func (l *sizeList) String() string { return strings.Trim(fmt.Sprint([]int(*l)), "[]") }

// Set parses a flag's value.
func (l *sizeList) Set(text string) error {
	*l = nil
	for _, part := range strings.Split(text, ",") {
		n, err := strconv.Atoi(part)
		if err != nil || n < 1 {
			return fmt.Errorf("%q is not a number of events", part)
		}
		*l = append(*l, n)
	}
	return nil
}

func run(ctx context.Context, args []string) (err error) {
	b := &bench{ctx: ctx, remote: os.Getenv("SPARK_REMOTE"), python: os.Getenv("BENCH_PYTHON"), log: os.Stderr}
	if b.remote == "" {
		return errors.New("SPARK_REMOTE is not set: make bench-train starts a Spark and sets it")
	}
	if b.dir, err = os.MkdirTemp("", "bench-train-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	if len(args) > 0 && args[0] == "workers" {
		return b.workers(args[1:])
	}
	return b.trainings(args)
}

// trainings measures trainings of growing size, and clients.
func (b *bench) trainings(args []string) error {
	f := flag.NewFlagSet("bench-train", flag.ExitOnError)
	sizes := sizeList{200_000, 700_000, 2_756_101}
	f.Var(&sizes, "sizes", "`numbers` of events of the shops that are trained on, the largest last")
	rounds := f.Int("rounds", 3, "`times` that a training of the smallest size is measured; the others once")
	pairs := f.Int("pairs", 5, "`times` that the fit is measured from Go and from PySpark")
	out := f.String("out", "docs/benchmarks/train.md", "`file` to write")
	_ = f.Parse(args) // it ends the program where it fails
	if err := b.command("go", "build", "-o", b.dir+"/", "./sparkjobs/train").Run(); err != nil {
		return fmt.Errorf("building: %w", err)
	}
	load, r := machine.Load(), &result{}
	err := b.measure(r, sizes, *rounds, *pairs)
	if len(r.small) == 0 {
		return err
	}
	if err != nil {
		r.ended = strings.ReplaceAll(err.Error(), b.dir, "…") // what was measured until then took long, and holds
	}
	p, pageErr := r.page(load)
	if pageErr != nil {
		return errors.Join(err, pageErr)
	}
	return errors.Join(err, p.Save(*out))
}

// measure fills in a result, as far as it comes.
func (b *bench) measure(r *result, sizes []int, rounds, pairs int) error {
	// The smallest first, and once more than is told, so that what is told is of a warm cluster.
	for i := range rounds + 1 {
		t, err := b.training(sizes[0])
		if err != nil {
			return err
		}
		if i > 0 {
			r.small = append(r.small, t)
		}
	}
	for _, n := range sizes[1:] {
		t, err := b.training(n)
		if err != nil {
			return fmt.Errorf("a training on %d events: %w", n, err)
		}
		r.larger = append(r.larger, t)
	}
	if b.python == "" {
		return nil
	}
	var err error
	r.pairs, r.ratings, err = b.fits(pairs, b.dataDir(sizes[0])) // what a client adds shows where the fit is short
	return err
}

// training is one training, from batch files to a version.
type training struct {
	events, files int
	steps         []step
	total         float64 // seconds
}

type step struct {
	name    string
	seconds float64
}

func (b *bench) dataDir(events int) string { return filepath.Join(b.dir, fmt.Sprint("data-", events)) }

// training makes a shop and trains on it, from nothing but batch files.
func (b *bench) training(events int) (t training, err error) {
	t.events = events
	if t.files, err = b.shop(events); err != nil {
		return t, err
	}
	begun := time.Now()
	if t.steps, err = b.train(b.dataDir(events)); err != nil {
		return t, err
	}
	t.total = time.Since(begun).Seconds()
	fmt.Fprintf(b.log, "%d events: %.1f s\n", events, t.total)
	return t, nil
}

// shop makes the batch files of a shop, and nothing else in its data folder.
func (b *bench) shop(events int) (files int, err error) {
	if err := os.RemoveAll(b.dataDir(events)); err != nil {
		return 0, err
	}
	return synthetictest.WriteBatches(b.ctx, b.dataDir(events), synthetic.Settings{Events: events, Seed: 1}, 10_000)
}

// stepLine is what a training says when a step has ended.
var stepLine = regexp.MustCompile(`(?m)^(.+): ([0-9.]+) s$`)

func (b *bench) train(dir string) (steps []step, err error) {
	var errs bytes.Buffer
	cmd := b.command(filepath.Join(b.dir, "train"), "--data-dir", dir, "--force")
	cmd.Stderr = io.MultiWriter(&errs, b.log)
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("training: %w", err)
	}
	for _, found := range stepLine.FindAllStringSubmatch(errs.String(), -1) {
		seconds, err := strconv.ParseFloat(found[2], 64)
		if err != nil {
			return nil, err
		}
		name := found[1]
		if strings.HasPrefix(name, "publishing ") {
			name = "publishing"
		}
		steps = append(steps, step{name, seconds})
	}
	return steps, nil
}

func (b *bench) command(name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(b.ctx, name, args...)
	cmd.Stderr = b.log
	cmd.Env = append(os.Environ(), "SPARK_REMOTE="+b.remote, "SPARK_DATA_DIR=")
	return cmd
}
