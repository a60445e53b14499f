package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"cartwheel/scripts/internal/figure"
	"cartwheel/scripts/internal/page"
)

// result is what was measured, and how it is told.
type result struct {
	small   []training // of the smallest size, in order of time taken
	larger  []training
	pairs   []pair
	ratings int64
	ended   string // why not everything was measured
}

func (r *result) page(load float64) (*page.Page, error) {
	p := page.New("Training, measured", "make bench-train", load)
	p.Section("From batch files to a version", fmt.Sprintf(`A training is `+"`sparkjobs/train`"+` with its defaults (rank %d, %d iterations) on batch files of a generated shop, with no store of events yet: everything from
reading the files to the published version, in seconds of wall-clock time. Spark is `+"`scripts/runtime`"+`'s, and warm: one more training ran before the first.`, rank, iterations))
	slices.SortFunc(r.small, func(a, b training) int { return int(a.total*1000 - b.total*1000) })
	var rows []page.Row
	for _, group := range r.groups() {
		row := page.Row{Name: fmt.Sprintf("a training on %d events, seconds", group[0].events), Format: "%.1f"}
		for _, t := range group {
			row.Values = append(row.Values, t.total)
		}
		rows = append(rows, row)
	}
	p.Table(rows)
	r.steps(p)
	if err := r.figure(p); err != nil {
		return nil, err
	}
	if len(r.pairs) == 0 {
		p.Section("Not measured", cmp.Or(r.ended, "The same fit from Go and from PySpark: there was no PySpark."))
		return p, nil
	}
	p.Section("The same fit from Go and from PySpark", fmt.Sprintf("Implicit ALS, rank %d, %d iterations, on %d ratings of the smallest shop, on the same server, one right after the other, the first one alternating.", rank, iterations, r.ratings))
	rows = []page.Row{{Name: "from Go, seconds", Format: "%.2f"}, {Name: "from PySpark, seconds", Format: "%.2f"}, {Name: "Go, of PySpark's time", Format: "%.3f"}}
	for _, pair := range r.pairs {
		for i, v := range []float64{pair.golang, pair.python, pair.golang / pair.python} {
			rows[i].Values = append(rows[i].Values, v)
		}
	}
	p.Table(rows)
	return p, nil
}

// groups are the trainings of each size, the smallest first.
func (r *result) groups() [][]training {
	groups := [][]training{r.small}
	for _, t := range r.larger {
		groups = append(groups, []training{t})
	}
	return groups
}

// steps shows where the time goes, for the median of each size.
func (r *result) steps(p *page.Page) {
	var columns []training
	heading := "\n| step, seconds |"
	for _, group := range r.groups() {
		t := group[len(group)/2]
		columns = append(columns, t)
		heading += fmt.Sprintf(" %d events, %d files |", t.events, t.files)
	}
	fmt.Fprintf(p, "%s\n|---|%s\n", heading, strings.Repeat("---|", len(columns)))
	line := func(name, format string, of func(training) float64) {
		fmt.Fprintf(p, "| %s |", name)
		for _, t := range columns {
			fmt.Fprintf(p, " "+format+" |", of(t))
		}
		fmt.Fprintln(p)
	}
	for _, step := range columns[0].steps {
		line(step.name, "%.1f", func(t training) float64 { return t.took(step.name) })
	}
	line("**all**", "**%.1f**", func(t training) float64 { return t.total })
	line("seconds for 100,000 events", "%.1f", func(t training) float64 { return t.total / float64(t.events) * 100_000 })
}

// took is how long a step took, 0 if there was none.
func (t training) took(name string) (seconds float64) {
	for _, step := range t.steps {
		if step.name == name {
			seconds += step.seconds
		}
	}
	return seconds
}

func (r *result) figure(p *page.Page) error {
	line := figure.Line{Name: "from batch files to a version"}
	for _, group := range r.groups() {
		for _, t := range group {
			line.X, line.Y = append(line.X, float64(t.events)), append(line.Y, t.total)
		}
	}
	svg, err := figure.Lines(figure.Panel{Title: "A training's time as events grow", X: "events", Y: "seconds", Dots: true, Lines: []figure.Line{line}})
	return p.Figure("train", "Seconds that a training takes, over the number of events", svg, err)
}
