package main

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"cartwheel/scripts/internal/figure"
	"cartwheel/scripts/internal/page"
)

// report is what a run has shown.
type report struct {
	soak     *soak
	samples  map[string][]sample
	behind   []behind
	requests *requests
	found    *found
}

// What counts as flat: the last third of a run beside the middle one; the first is warm-up. Each is taken at its lower quartile, which is
// what remains between bursts (a version that is loaded beside the one before, a training under way): a leak lifts that, too. What
// falls is no leak. In a small program a few buffers more or less are some per cent, so memory may grow by growsBy, too.
const (
	flatWithin = 0.05
	growsBy    = 1 // MB
)

// judged is a figure that must be flat.
type judged struct {
	title, unit string
	of          func(sample) float64
	grace       float64 // growth that says nothing however small the figure is
}

var flat = []judged{
	{"memory after garbage collection", " MB", func(s sample) float64 { return s.heap }, growsBy},
	{"resident memory", " MB", func(s sample) float64 { return s.resident }, growsBy},
	{"goroutines", "", func(s sample) float64 { return s.goroutines }, 0},
}

// thirds compares the last third of a run with the middle one. Without samples, or without the figure, nothing holds.
func (j judged) thirds(series []sample, minutes float64) (middle, last float64, holds bool) {
	middle, last = j.level(series, minutes/3, 2*minutes/3), j.level(series, 2*minutes/3, minutes)
	return middle, last, middle > 0 && last > 0 && last-middle <= max(flatWithin*middle, j.grace)
}

func (j judged) level(series []sample, from, to float64) float64 {
	var values []float64
	for _, s := range series {
		if s.at >= from && s.at < to {
			values = append(values, j.of(s))
		}
	}
	if len(values) == 0 {
		return math.NaN()
	}
	slices.Sort(values)
	return values[len(values)/4]
}

// write writes page and figure, and tells whether everything held.
func (r *report) write(out string) (ok bool, err error) {
	p, ok, err := r.page()
	if err != nil {
		return false, err
	}
	return ok, p.Save(out)
}

func (r *report) page() (*page.Page, bool, error) {
	s, q, f := r.soak, r.requests, r.found
	hold, all := 0, 0
	p := page.New(fmt.Sprintf("Soak: the whole system for %g minutes", s.minutes), "make soak", s.load)
	row := func(what, found string, holds bool) {
		all++
		if holds {
			hold++
		}
		fmt.Fprintf(p, "| %s | %s | %s |\n", what, found, map[bool]string{true: "yes", false: "**no**"}[holds])
	}
	fmt.Fprintf(p, `Everything ran on this one machine: Kafka, Spark, the producer (a file of %d events with `+"`--speed`"+`), the consumer, `+"`train --every %s`"+`,
the API, and the load of %d requests a second, a tenth of them posted events. The shop is a bounded one, whose visitors come back to the same items %d times, and
the live history is bounded to %d visitors, so that memory has a size to be flat at. The faults: %s.

| what must hold | found | holds |
|---|---|---|
`, returns*shopEvents, s.trainEvery(), s.rate, returns, liveVisitors, r.faults())
	row("no event is lost", fmt.Sprintf("%d of %d events in no batch file", f.lost, (1+returns)*shopEvents+q.accepted), f.lost == 0)
	row("none is repeated, none made up", fmt.Sprintf("%d repeated and %d foreign among %d rows of %d files", f.repeated, f.foreign, f.rows, f.files), f.repeated == 0 && f.foreign == 0)
	row("no read request fails", fmt.Sprintf("%d of %d", q.failedReads, q.reads), q.failedReads == 0)
	loads := 0.0
	if list := r.samples["api"]; len(list) > 0 {
		loads = list[len(list)-1].loads
	}
	row("trainings go on, and their versions are served", fmt.Sprintf("%d versions, %.0f loaded by the API", f.versions, loads), f.versions >= 2 && loads >= 2)
	row("each program runs to the end, and ends with 0", cell(s.wrong), len(s.wrong) == 0)
	for _, name := range slices.Sorted(maps.Keys(r.samples)) {
		for _, j := range flat {
			middle, last, holds := j.thirds(r.samples[name], s.minutes)
			row(name+": "+j.title, fmt.Sprintf("%.1f%s in the middle third, %.1f%s in the last: %+.1f %%", middle, j.unit, last, j.unit, 100*(last/middle-1)), holds)
		}
	}
	ok := hold == all
	row("all of it", fmt.Sprintf("%d of %d", hold, all), ok)
	fmt.Fprintf(p, `
Flat is what is not more than %.0f %% (or %d MB) higher in the last third of the run than in the middle one, each at its lower quartile: what remains between
bursts. The first third is warm-up, with the same faults; the second time they lie between the two thirds that are compared. Memory after garbage collection is
`+"`go_gc_heap_live_bytes`"+`; resident memory is the system's count, which the Go runtime gives back late.

Reads took %s at the median, %s at p99, %s at most. %d events were posted and accepted; %d posts were refused while the broker was away and sent again under the
same id, of which %d came into the topic twice (what was not acknowledged may have been written: [delivery.md](../delivery.md)).
`, 100*flatWithin, growsBy, quantile(q.took, 0.5), quantile(q.took, 0.99), quantile(q.took, 1), q.accepted, q.refusals, f.resent)
	for _, failure := range q.failures {
		fmt.Fprintf(p, "\nA read that failed: `%s`\n", strings.ReplaceAll(failure, "`", "'"))
	}
	svg, err := r.figure()
	err = p.Figure("soak", "Memory, goroutines and lag of each program over time, with the faults as dashed lines", svg, err)
	return p, ok, err
}

func cell(wrong []string) string {
	if len(wrong) == 0 {
		return "all four did"
	}
	return strings.NewReplacer("|", `\|`, "\n", " ").Replace(strings.Join(wrong, "; "))
}

// figure is all of it over time, every five seconds from each program's own /metrics.
func (r *report) figure() ([]byte, error) {
	var panels []figure.Panel
	for _, j := range flat {
		panel := figure.Panel{Title: j.title, X: "minutes", Y: strings.TrimSpace(j.unit), Marks: r.soak.marks}
		for _, name := range slices.Sorted(maps.Keys(r.samples)) {
			line := figure.Line{Name: name}
			for _, s := range r.samples[name] {
				line.X, line.Y = append(line.X, s.at), append(line.Y, j.of(s))
			}
			panel.Lines = append(panel.Lines, line)
		}
		panels = append(panels, panel)
	}
	files, live := figure.Line{Name: "batch files"}, figure.Line{Name: "live history"}
	for _, b := range r.behind {
		files.X, files.Y = append(files.X, b.at), append(files.Y, b.files)
		live.X, live.Y = append(live.X, b.at), append(live.Y, b.live)
	}
	return figure.Lines(append(panels, figure.Panel{Title: "lag: events that Kafka has acknowledged and that are not yet there", X: "minutes", Y: "events", Marks: r.soak.marks, Lines: []figure.Line{files, live}})...)
}

func (r *report) faults() string {
	var list []string
	for i := 0; i+1 < len(r.soak.marks); i += 2 {
		away, back := r.soak.marks[i], r.soak.marks[i+1]
		list = append(list, fmt.Sprintf("%s from minute %.1f to %.1f", away.Name, away.At, back.At))
	}
	return strings.Join(list, ", ")
}

// quantile of sorted times.
func quantile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))].Round(10 * time.Microsecond)
}
