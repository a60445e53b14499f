package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"

	"cartwheel/scripts/internal/machine"
	"cartwheel/scripts/internal/page"
)

// ofWorkers is the same fit by one worker and by two, one right after the other.
type ofWorkers struct{ one, two float64 }

// workers measures what a second worker does for a fit.
func (b *bench) workers(args []string) error {
	f := flag.NewFlagSet("bench-train workers", flag.ExitOnError)
	sizes := sizeList{200_000, 2_756_101}
	f.Var(&sizes, "sizes", "`numbers` of events of the shops whose ratings are fitted")
	pairs := f.Int("pairs", 5, "`times` that the smallest fit is measured by one worker and by two; a larger one twice, each first once")
	out := f.String("out", "docs/benchmarks/workers.md", "`file` to write")
	_ = f.Parse(args) // it ends the program where it fails
	two := os.Getenv("BENCH_REMOTE_OF_TWO")
	if two == "" {
		return errors.New("BENCH_REMOTE_OF_TWO is not set: make bench-workers starts two Sparks and sets it")
	}
	load := machine.Load()
	var rows []page.Row
	var sizesTold []string
	var ended error
	for i, events := range sizes {
		n := *pairs
		if i > 0 {
			n = 2
		}
		measured, ratings, err := b.pairsOfWorkers(events, n, two, i == 0)
		if err != nil {
			ended = fmt.Errorf("the ratings of %d events: %w", events, err)
		}
		if len(measured) == 0 {
			break
		}
		sizesTold = append(sizesTold, fmt.Sprintf("%d of the one with %d events", ratings, events))
		one, both := page.Row{Name: fmt.Sprintf("one worker, %d events, seconds", events), Format: "%.1f"}, page.Row{Name: fmt.Sprintf("two workers, %d events, seconds", events), Format: "%.1f"}
		share := page.Row{Name: fmt.Sprintf("two, of one's time, %d events", events), Format: "%.2f"}
		for _, m := range measured {
			one.Values, both.Values, share.Values = append(one.Values, m.one), append(both.Values, m.two), append(share.Values, m.two/m.one)
		}
		rows = append(rows, one, both, share)
		if ended != nil {
			break
		}
	}
	if len(rows) == 0 {
		return ended
	}
	p := page.New("A second worker, measured", "make bench-workers", load)
	p.Section("The same fit by one worker and by two", fmt.Sprintf(`Implicit ALS, rank %d, %d iterations, %d by %d blocks, on the ratings of generated shops (%s), by a
cluster of one worker and by one of two; each worker has one core and as much memory. Both clusters are `+"`scripts/runtime`"+`'s (`+"`RUNTIME_SPARK_WORKERS`"+`), up at the same time on one machine, and
warm: one more fit of the smallest ran on both before the first. The fits are one right after the other, the first one alternating; the cluster that waits does nothing.
Whatever else works on the machine meanwhile takes the core that the second worker would have had, and blurs the comparison: see the load above and the range.`,
		rank, iterations, blocks, blocks, strings.Join(sizesTold, ", ")))
	p.Table(rows)
	if ended != nil {
		p.Section("Not measured", strings.ReplaceAll(ended.Error(), b.dir, "…")) // what was measured until then took long, and holds
	}
	return errors.Join(ended, p.Save(*out))
}

// pairsOfWorkers fits the ratings of a shop on both clusters, in turns, once more than is told if they are cold. With an error come the
// pairs that there are until then.
func (b *bench) pairsOfWorkers(events, n int, two string, cold bool) (pairs []ofWorkers, ratings int64, err error) {
	if _, err := b.shop(events); err != nil {
		return nil, 0, err
	}
	if ratings, err = b.writeRatings(b.dataDir(events)); err != nil {
		return nil, 0, err
	}
	if cold {
		n++
	}
	for i := range n {
		var p ofWorkers
		order := []struct {
			into   *float64
			remote string
		}{{&p.one, b.remote}, {&p.two, two}}
		if i%2 == 1 {
			order[0], order[1] = order[1], order[0]
		}
		for _, o := range order {
			if *o.into, err = b.fitGo(o.remote); err != nil {
				return pairs, ratings, err
			}
		}
		fmt.Fprintf(b.log, "%d events, fit %d: one worker %.2f s, two workers %.2f s\n", events, i+1, p.one, p.two)
		if !cold || i > 0 {
			pairs = append(pairs, p)
		}
	}
	return pairs, ratings, nil
}
