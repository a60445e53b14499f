package tuning

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"math"
	"slices"

	"cartwheel/internal/durable"
)

//go:embed page.html
var pageText string

var pageTemplate = template.Must(template.New("page").Parse(pageText))

// The size of a plot, and the room around it.
const plotWidth, plotHeight, plotMargin = 300.0, 200.0, 40.0

type plot struct {
	Name        string
	Low, High   string // of the setting
	Worst, Best string // of what is plotted
	Points      []point
}

type point struct {
	X, Y  float64
	Rung  int
	Best  bool
	Title string
}

type page struct {
	Name                  string
	Best                  string
	Flags                 string
	Header                []string
	Rows                  [][]string
	Plots                 []plot
	Width, Height, Margin float64
}

// writePage writes the trials as a page: a plot for each setting, and a table. It needs no other file and no network.
func writePage(path string, c *Config, t *table) error {
	best := t.best()
	p := page{Name: c.Name, Best: fmt.Sprintf("trial %d, NDCG@10 %.2f (x100)", best.number, 100*best.quality.Mean), Flags: best.settings.Flags(),
		Header: t.header(), Width: plotWidth, Height: plotHeight, Margin: plotMargin}
	for _, r := range c.ranges {
		if ends := r.values.ends(); ends[0] < ends[1] {
			p.Plots = append(p.Plots, plotOf(r, t, best))
		}
	}
	rows := slices.Clone(t.trials)
	slices.SortStableFunc(rows, func(a, b trial) int { return b.rung - a.rung })
	for _, row := range rows {
		p.Rows = append(p.Rows, t.row(row))
	}
	return durable.WriteFile(path, func(w io.Writer) error { return pageTemplate.Execute(w, p) })
}

// plotOf plots the quality of all trials by one setting, of which a range is drawn by its logarithm.
func plotOf(r namedRange, t *table, best *trial) plot {
	xLow, xHigh, yLow, yHigh := math.Inf(1), math.Inf(-1), math.Inf(1), math.Inf(-1)
	for _, row := range t.trials {
		x, y := r.get(row.settings), row.quality.Mean
		xLow, xHigh, yLow, yHigh = min(xLow, x), max(xHigh, x), min(yLow, y), max(yHigh, y)
	}
	scale := math.Log
	if r.values.list != nil || xLow <= 0 {
		scale = func(v float64) float64 { return v }
	}
	share := func(v, low, high float64) float64 {
		if high <= low {
			return 0.5
		}
		return (v - low) / (high - low)
	}
	p := plot{Name: r.flag, Low: fmt.Sprint(xLow), High: fmt.Sprint(xHigh), Worst: fmt.Sprintf("%.2f", 100*yLow), Best: fmt.Sprintf("%.2f", 100*yHigh)}
	for _, row := range t.trials {
		p.Points = append(p.Points, point{
			X:     plotMargin + plotWidth*share(scale(r.get(row.settings)), scale(xLow), scale(xHigh)),
			Y:     10 + plotHeight*(1-share(row.quality.Mean, yLow, yHigh)),
			Rung:  row.rung + 1,
			Best:  row.number == best.number && row.rung == best.rung,
			Title: fmt.Sprintf("trial %d, rung %d: %.2f; %s", row.number, row.rung+1, 100*row.quality.Mean, row.settings.Flags()),
		})
	}
	return p
}
