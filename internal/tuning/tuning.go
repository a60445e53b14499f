// Package tuning searches settings of the training: it draws them at random from ranges, measures each on the same hold-out, and gives
// the better half of them more iterations (successive halving, Jamieson and Talwalkar 2016), until the last ones have all.
//
// What it has measured is on disk after each trial, in <data>/tuning/<name>/trials.csv, and is never measured again: a search that was
// killed goes on where it was, on the events that it began with, and ends with the trials that it would have had. It publishes no
// version and changes no champion; it prints the flags to train with.
package tuning

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"slices"
	"time"

	"cartwheel/internal/config"
	"cartwheel/internal/model"
	"cartwheel/internal/train"
)

// Main is the program. It returns the exit code: 2 for wrong settings, 1 for other failures.
func Main(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	var c Config
	s := config.New("tune", "searches the settings with which sparkjobs/train recommends best, on the events of DATA_DIR.", stdout)
	c.Declare(s)
	err := s.Parse(args, getenv)
	if errors.Is(err, config.ErrHelp) {
		return 0
	}
	err = errors.Join(err, c.Validate())
	log, logErr := c.Log.New(stderr)
	if err = errors.Join(err, logErr); err != nil {
		return config.Tell("tune", err, stderr)
	}
	err = run(ctx, c, log, stdout)
	if err != nil && ctx.Err() != nil { // whatever measurement it was that failed for it
		err = fmt.Errorf("told to stop: %w", context.Cause(ctx))
	}
	if err != nil {
		log.Error("the search ended before its end; the same command goes on with it", "error", err)
	}
	return config.ExitCode(err)
}

// bench is what measures settings; train.Bench is one.
type bench interface {
	Measure(context.Context, train.Config) (train.Quality, error)
}

// run searches, and tells on out what came of each trial and what was best.
func run(ctx context.Context, c Config, log *slog.Logger, out io.Writer) error {
	dir, err := filepath.Abs(filepath.Join(c.DataDir, "tuning", c.Name))
	if err != nil {
		return fmt.Errorf("resolving --data-dir: %w", err)
	}
	if _, err := os.Stat(c.DataDir); err != nil {
		return fmt.Errorf("opening --data-dir: %w", err)
	}
	unlock, err := model.Lock(dir)
	if errors.Is(err, model.ErrBusy) {
		return fmt.Errorf("another search named %q is running (--name gives this one another name): %w", c.Name, err)
	}
	if err != nil {
		return err
	}
	defer unlock()
	t, err := openTable(dir, &c)
	if err != nil {
		return err
	}
	work := filepath.Join(dir, "work")
	if next := t.next(c.plan()); next != nil { // a search that is done needs no Spark to be told again
		b, err := train.OpenBench(ctx, c.base(), work, log)
		if err != nil {
			return err
		}
		err = search(ctx, &c, t, b, out)
		if closeErr := b.Close(); closeErr != nil {
			log.Warn("the Spark session could not be released; the server drops it within the hour", "error", closeErr)
		}
		if err != nil {
			return err
		}
		if err := os.RemoveAll(work); err != nil {
			return fmt.Errorf("clearing the events of the search: %w", err)
		}
	}
	page := filepath.Join(dir, "trials.html")
	if err := writePage(page, &c, t); err != nil {
		return err
	}
	tellBest(out, t, page)
	return nil
}

// rungs are the shares of its iterations that a trial gets, one rung after the other.
var rungs = []float64{0.25, 0.5, 1}

// trial is one line of the table: settings, and what they were worth on a rung.
type trial struct {
	number   int
	rung     int
	settings Settings
	ran      int // iterations
	quality  train.Quality
	seconds  float64
}

// search measures what the table lacks.
func search(ctx context.Context, c *Config, t *table, b bench, out io.Writer) error {
	for {
		next := t.next(c.plan())
		if next == nil {
			return nil
		}
		started := time.Now()
		config := next.settings.apply(c.base())
		config.Iterations = next.ran
		var err error
		if next.quality, err = b.Measure(ctx, config); err != nil {
			return fmt.Errorf("trial %d, rung %d (%s): %w", next.number, next.rung+1, next.settings.Flags(), err)
		}
		next.seconds = time.Since(started).Seconds()
		if err := t.add(*next); err != nil {
			return err
		}
		fmt.Fprintf(out, "rung %d of %d, trial %d: NDCG@10 %.2f (x100), %d iterations, %.0f s: %s\n",
			next.rung+1, len(rungs), next.number, 100*next.quality.Mean, next.ran, next.seconds, next.settings.Flags())
	}
}

// next is the next trial that the table lacks, or nil: all that were planned on the first rung, then the better half on the next.
func (t *table) next(planned []Settings) *trial {
	alive := make([]int, len(planned))
	for i := range alive {
		alive[i] = i
	}
	for rung, share := range rungs {
		for _, number := range alive {
			if t.find(rung, number) == nil {
				s := planned[number]
				return &trial{number: number, rung: rung, settings: s, ran: max(1, int(math.Round(share*float64(s.Iterations))))}
			}
		}
		alive = t.ranking(rung)[:(len(alive)+1)/2]
	}
	return nil
}

// ranking are the numbers of the trials of a rung, best first, and the earlier of equals first.
func (t *table) ranking(rung int) (numbers []int) {
	var of []trial
	for _, row := range t.trials {
		if row.rung == rung {
			of = append(of, row)
		}
	}
	slices.SortFunc(of, func(a, b trial) int {
		return cmp.Or(cmp.Compare(b.quality.Mean, a.quality.Mean), cmp.Compare(a.number, b.number))
	})
	for _, row := range of {
		numbers = append(numbers, row.number)
	}
	return numbers
}

func (t *table) find(rung, number int) *trial {
	for i := range t.trials {
		if t.trials[i].rung == rung && t.trials[i].number == number {
			return &t.trials[i]
		}
	}
	return nil
}

// best is the best trial of the last rung.
func (t *table) best() *trial {
	last := len(rungs) - 1
	return t.find(last, t.ranking(last)[0])
}

func tellBest(out io.Writer, t *table, page string) {
	best := t.best()
	fmt.Fprintf(out, "\nbest: trial %d with NDCG@10 %.2f (x100)", best.number, 100*best.quality.Mean)
	for _, kind := range train.Kinds() {
		if v, ok := best.quality.Kinds[kind]; ok {
			fmt.Fprintf(out, "; %s %.2f", kind, 100*v)
		}
	}
	fmt.Fprintf(out, "\ntrain with: go run ./sparkjobs/train %s\ntrials: %s, plot: %s\n", best.settings.Flags(), t.path, page)
}
