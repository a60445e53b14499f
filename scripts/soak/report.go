package main

import (
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"cartwheel/scripts/internal/machine"
)

// report is what a run has shown.
type report struct {
	soak     *soak
	samples  map[string][]sample
	requests *requests
	found    *found
}

// flatWithin is by how much the last third of a run may differ from the middle one. The first third is warm-up.
const flatWithin = 0.05

// drift compares the median of the last third with that of the middle third.
func drift(series []sample, of func(sample) float64) (middle, last, change float64) {
	n := len(series)
	if n < 6 {
		return 0, 0, math.NaN()
	}
	middle, last = median(series[n/3:2*n/3], of), median(series[2*n/3:], of)
	return middle, last, last/middle - 1
}

func median(series []sample, of func(sample) float64) float64 {
	values := make([]float64, len(series))
	for i, s := range series {
		values[i] = of(s)
	}
	slices.Sort(values)
	return values[len(values)/2]
}

func memory(s sample) float64     { return s.memory / 1e6 }
func goroutines(s sample) float64 { return s.goroutines }

// write writes page and plot, and tells whether everything held.
func (r *report) write(out string) (ok bool, err error) {
	plotFile := strings.TrimSuffix(out, filepath.Ext(out)) + ".svg"
	if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
		return false, err
	}
	if err := os.WriteFile(plotFile, []byte(plot(r.samples, r.soak.marks, time.Duration(r.soak.minutes*float64(time.Minute)))), 0o644); err != nil {
		return false, err
	}
	text, ok := r.page(filepath.Base(plotFile))
	fmt.Println(text)
	return ok, os.WriteFile(out, []byte(text), 0o644)
}

func (r *report) page(plotFile string) (string, bool) {
	var b strings.Builder
	s, q, f := r.soak, r.requests, r.found
	ok := true
	verdict := func(holds bool) string {
		if !holds {
			ok = false
			return "**no**"
		}
		return "yes"
	}
	fmt.Fprintf(&b, "# Soak: the whole system for %g minutes\n\n", s.minutes)
	fmt.Fprintf(&b, "`make soak`, %s, on %s (%d cores, %s), %s. Everything ran on this one machine: Kafka, Spark, producer (a file replayed with `--speed`), "+
		"consumer, `train --every %s`, API, and the load of %d requests a second. %s\n\n", s.start.UTC().Format("2006-01-02 15:04 UTC"), machine.CPU(), runtime.NumCPU(), machine.Memory(),
		runtime.Version(), trainEvery, s.rate, r.marks())
	fmt.Fprint(&b, "| what must hold | found | holds |\n|---|---|---|\n")
	fmt.Fprintf(&b, "| no event is lost | %d of %d events in no batch file | %s |\n", f.lost, historyEvents+s.events+q.accepted, verdict(f.lost == 0))
	fmt.Fprintf(&b, "| none is repeated, none made up | %d repeated and %d foreign among %d rows of %d files | %s |\n", f.repeated, f.foreign, f.rows, f.files, verdict(f.repeated == 0 && f.foreign == 0))
	fmt.Fprintf(&b, "| no read request fails | %d of %d | %s |\n", q.failedReads, q.reads, verdict(q.failedReads == 0))
	fmt.Fprintf(&b, "| trainings go on | %d versions | %s |\n", f.versions, verdict(f.versions >= 2))
	for _, name := range slices.Sorted(maps.Keys(r.samples)) {
		for _, figure := range []struct {
			what string
			of   func(sample) float64
		}{{"memory, MB", memory}, {"goroutines", goroutines}} {
			middle, last, change := drift(r.samples[name], figure.of)
			holds := math.Abs(change) <= flatWithin
			fmt.Fprintf(&b, "| %s: %s flat after warm-up, within %.0f %% | median %.1f in the middle third, %.1f in the last: %+.1f %% | %s |\n",
				name, figure.what, 100*flatWithin, middle, last, 100*change, verdict(holds))
		}
	}
	fmt.Fprintf(&b, "\nReads took %s at the median, %s at p99, %s at most. %d events were posted and accepted; %d posts were refused while the broker was away and sent again under the same id, "+
		"of which %d came into the topic twice (what was not acknowledged may have been written: [delivery.md](../delivery.md)).\n", quantile(q.took, 0.5), quantile(q.took, 0.99), quantile(q.took, 1), q.accepted, q.refusals, f.resent)
	for _, failure := range q.failures {
		fmt.Fprintf(&b, "\nA read that failed: `%s`\n", strings.ReplaceAll(failure, "`", "'"))
	}
	fmt.Fprintf(&b, "\n![Memory and goroutines over time](%s)\n\n", plotFile)
	fmt.Fprintf(&b, "The dashed lines are the faults. Sampled every %s from each program's own `/metrics`. Memory is what the system counts as resident, which the Go runtime gives back late, "+
		"and the API's follows the size of the versions, which grow as events come.\n", sampleEvery)
	return b.String(), ok
}

func (r *report) marks() string {
	var list []string
	for _, m := range r.soak.marks {
		list = append(list, fmt.Sprintf("%s after %s", m.what, m.at.Round(time.Second)))
	}
	return strings.Join(list, ", ") + "."
}

// quantile of sorted times.
func quantile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))].Round(10 * time.Microsecond)
}
