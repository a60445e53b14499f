package main

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"

	"cartwheel/scripts/internal/machine"
)

// page is the result, and how it is told.
type page struct {
	load    float64 // of the machine, before anything began
	small   []training
	larger  []training
	pairs   []pair
	ratings int64
}

// String is the page as Markdown.
func (p *page) String() string {
	var s strings.Builder
	fmt.Fprintf(&s, "# Training, measured\n\nWritten by `make bench-train` on %s, on %d cores (%s, %s) with a load of %.1f before it began; Spark is `scripts/runtime`'s.\n",
		time.Now().UTC().Format("2006-01-02"), runtime.NumCPU(), machine.CPU(), machine.Memory(), p.load)
	fmt.Fprintf(&s, "A training is `sparkjobs/train` with its defaults (rank %d, %d iterations) on batch files of a generated shop, with no store of events yet: everything from\nreading the files to the published version, in seconds of wall-clock time. The first column is of a warm cluster: one more training ran before it.\n\n", rank, iterations)

	slices.SortFunc(p.small, func(a, b training) int { return int(a.total*1000 - b.total*1000) })
	columns := append([]training{p.small[len(p.small)/2]}, p.larger...)
	fmt.Fprint(&s, "| step |")
	for i, t := range columns {
		fmt.Fprintf(&s, " %d events, %d files", t.events, t.files)
		if i == 0 {
			fmt.Fprintf(&s, ", median of %d", len(p.small))
		}
		fmt.Fprint(&s, " |")
	}
	fmt.Fprintf(&s, "\n|---|%s\n", strings.Repeat("---|", len(columns)))
	for i, st := range columns[0].steps {
		fmt.Fprintf(&s, "| %s |", st.name)
		for _, t := range columns {
			fmt.Fprintf(&s, " %.1f |", t.steps[i].seconds)
		}
		fmt.Fprintln(&s)
	}
	fmt.Fprint(&s, "| **all** |")
	for _, t := range columns {
		fmt.Fprintf(&s, " **%.1f** |", t.total)
	}
	fmt.Fprint(&s, "\n| seconds for 100,000 events |")
	for _, t := range columns {
		fmt.Fprintf(&s, " %.1f |", t.total/float64(t.events)*100_000)
	}
	fmt.Fprintf(&s, "\n\n## The same fit from Go and from PySpark\n\n")
	if len(p.pairs) == 0 {
		fmt.Fprintln(&s, "Not measured: there was no PySpark.")
		return s.String()
	}
	fmt.Fprintf(&s, "Implicit ALS, rank %d, %d iterations, on %d ratings of the largest shop, on the same server, one right after the other, the first one alternating.\n\n", rank, iterations, p.ratings)
	fmt.Fprint(&s, "| pair | Go, s | PySpark, s | ratio |\n|---|---|---|---|\n")
	var ratios []float64
	for i, pair := range p.pairs {
		ratios = append(ratios, pair.golang/pair.python)
		fmt.Fprintf(&s, "| %d | %.2f | %.2f | %.3f |\n", i+1, pair.golang, pair.python, ratios[i])
	}
	slices.Sort(ratios)
	fmt.Fprintf(&s, "| median | | | %.3f |\n", ratios[len(ratios)/2])
	return s.String()
}
