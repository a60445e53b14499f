package main

import (
	"fmt"
	"html"
	"maps"
	"slices"
	"strings"
	"time"
)

// Measures of the plot, in pixels.
const (
	plotWidth, panelHeight = 820, 200
	left, right, gap       = 60, 110, 50
)

var colours = []string{"#1f6feb", "#bf5700", "#2b8a3e"}

// plot draws memory above and goroutines below, over time, as SVG.
func plot(samples map[string][]sample, marks []mark, length time.Duration) string {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="12">`+"\n"+`<rect width="100%%" height="100%%" fill="white"/>`+"\n",
		plotWidth, 2*(panelHeight+gap))
	for i, figure := range []struct {
		title string
		of    func(sample) float64
	}{{"resident memory, MB", memory}, {"goroutines", goroutines}} {
		panel(&b, i*(panelHeight+gap)+30, figure.title, figure.of, samples, marks, length)
	}
	b.WriteString("</svg>\n")
	return b.String()
}

func panel(b *strings.Builder, top int, title string, of func(sample) float64, samples map[string][]sample, marks []mark, length time.Duration) {
	most := 1.0
	for _, series := range samples {
		for _, s := range series {
			most = max(most, of(s))
		}
	}
	x := func(at time.Duration) float64 {
		return left + float64(plotWidth-left-right)*at.Seconds()/length.Seconds()
	}
	y := func(v float64) float64 { return float64(top) + panelHeight*(1-v/(1.05*most)) }
	fmt.Fprintf(b, `<text x="%d" y="%d" font-weight="bold">%s</text>`+"\n", left, top-10, title)
	for i := range 5 {
		v := most * float64(i) / 4
		fmt.Fprintf(b, `<line x1="%d" x2="%d" y1="%.1f" y2="%.1f" stroke="#ddd"/><text x="%d" y="%.1f" text-anchor="end">%.0f</text>`+"\n", left, plotWidth-right, y(v), y(v), left-6, y(v)+4, v)
		at := length * time.Duration(i) / 4
		fmt.Fprintf(b, `<text x="%.1f" y="%d" text-anchor="middle">%.1f min</text>`+"\n", x(at), top+panelHeight+16, at.Minutes())
	}
	for i, m := range marks {
		fmt.Fprintf(b, `<line x1="%.1f" x2="%.1f" y1="%d" y2="%d" stroke="#999" stroke-dasharray="4 3"/>`+"\n", x(m.at), x(m.at), top, top+panelHeight)
		if i%2 == 0 {
			fmt.Fprintf(b, `<text x="%.1f" y="%d" fill="#666">%s</text>`+"\n", x(m.at)+3, top+12, html.EscapeString(m.what))
		}
	}
	for i, name := range slices.Sorted(maps.Keys(samples)) {
		var points []string
		for _, s := range samples[name] {
			points = append(points, fmt.Sprintf("%.1f,%.1f", x(s.at), y(of(s))))
		}
		colour := colours[i%len(colours)]
		fmt.Fprintf(b, `<polyline points="%s" fill="none" stroke="%s" stroke-width="1.5"/>`+"\n", strings.Join(points, " "), colour)
		if n := len(samples[name]); n > 0 {
			fmt.Fprintf(b, `<text x="%d" y="%.1f" fill="%s">%s</text>`+"\n", plotWidth-right+6, y(of(samples[name][n-1]))+4, colour, html.EscapeString(name))
		}
	}
}
