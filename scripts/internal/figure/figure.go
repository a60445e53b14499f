// Package figure draws what a benchmark measured as SVG, to be shown in the page beside it: lines over time or size, and bars with the
// range of their rounds. It knows nothing of what the numbers mean.
package figure

import (
	"bytes"
	"image/color"
	"math"
	"slices"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/font/liberation"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// Measures, in points.
const (
	width       = 620
	panelHeight = 175
	barHeight   = 16
	frame       = 70 // of a figure of bars: title and axis
)

var (
	colours = []color.Color{color.RGBA{0x1f, 0x6f, 0xeb, 0xff}, color.RGBA{0xbf, 0x57, 0x00, 0xff}, color.RGBA{0x2b, 0x8a, 0x3e, 0xff}, color.RGBA{0x8a, 0x3f, 0xfc, 0xff}, color.RGBA{0xc9, 0x2a, 0x2a, 0xff}}
	faint   = color.Gray{0xd8}
	beside  = color.Gray{0x9a}
	dark    = color.Gray{0x40}
)

// Line is a series of values. A value that is not a number is left out.
type Line struct {
	Name string
	X, Y []float64
}

// Mark is a place on the X axis where something happened.
type Mark struct {
	At   float64
	Name string
}

// Panel is one pair of axes.
type Panel struct {
	Title, X, Y string
	Lines       []Line
	Marks       []Mark
	Dots        bool // a dot on each value, for a few that were measured one by one
}

// Lines draws panels one below the other, their X axes in line. Both axes begin at 0; a burst that is much higher than the rest is cut off.
func Lines(panels ...Panel) ([]byte, error) {
	plots := make([][]*plot.Plot, len(panels))
	for i, panel := range panels {
		p, err := panel.plot()
		if err != nil {
			return nil, err
		}
		plots[i] = []*plot.Plot{p}
	}
	canvas := vgsvg.New(width, vg.Length(len(panels)*panelHeight))
	tiles := draw.Tiles{Rows: len(panels), Cols: 1, PadTop: 4, PadBottom: 4, PadLeft: 4, PadRight: 12, PadY: 10}
	for i, row := range plot.Align(plots, tiles, draw.New(canvas)) {
		plots[i][0].Draw(row[0])
	}
	return written(canvas)
}

func (panel Panel) plot() (*plot.Plot, error) {
	p := blank(panel.Title)
	p.X.Label.Text, p.Y.Label.Text = panel.X, panel.Y
	p.X.Tick.Marker, p.Y.Tick.Marker = short{}, short{}
	p.Add(grid())
	most := panel.top()
	for i, line := range panel.Lines {
		var points plotter.XYs
		for j := range line.X {
			if !math.IsNaN(line.Y[j]) {
				points = append(points, plotter.XY{X: line.X[j], Y: min(line.Y[j], most)})
			}
		}
		if len(points) == 0 {
			continue
		}
		drawn, dots, err := plotter.NewLinePoints(points)
		if err != nil {
			return nil, err
		}
		drawn.Color, drawn.Width = colours[i%len(colours)], 1.2
		dots.Color, dots.Shape, dots.Radius = drawn.Color, draw.CircleGlyph{}, 2.5
		p.Add(drawn)
		p.Legend.Add(line.Name, drawn)
		if panel.Dots {
			p.Add(dots)
		}
	}
	p.X.Min, p.Y.Min, p.Y.Max = 0, 0, 1.25*most // room for the legend
	for _, m := range panel.Marks {
		if err := addMark(p, m); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// top is the highest value that is drawn. A short burst that would make everything else flat is cut off: what is more than four times as
// high as 99 of 100 values.
func (panel Panel) top() float64 {
	var all []float64
	for _, line := range panel.Lines {
		for _, y := range line.Y {
			if !math.IsNaN(y) {
				all = append(all, y)
			}
		}
	}
	if len(all) == 0 {
		return 1
	}
	slices.Sort(all)
	return max(1, min(all[len(all)-1], 4*all[(len(all)-1)*99/100]))
}

func addMark(p *plot.Plot, m Mark) error {
	line, err := plotter.NewLine(plotter.XYs{{X: m.At, Y: p.Y.Min}, {X: m.At, Y: p.Y.Max}})
	if err != nil {
		return err
	}
	line.Color, line.Dashes, line.Width = dark, []vg.Length{3, 3}, 0.7
	label, err := plotter.NewLabels(plotter.XYLabels{XYs: plotter.XYs{{X: m.At, Y: p.Y.Max}}, Labels: []string{m.Name}})
	if err != nil {
		return err
	}
	style := p.Legend.TextStyle
	style.Font.Size, style.Color, style.XAlign, style.YAlign = 7, dark, text.XRight, text.YTop
	label.TextStyle[0] = style
	label.Offset = vg.Point{X: -3}
	p.Add(line, label)
	return nil
}

// Bar is one figure in all rounds.
type Bar struct {
	Name   string
	Values []float64 // at least one
	Beside bool      // what others are held against: drawn in grey
}

// Bars draws the medians of figures of one unit as bars from left to right, the first at the top, each with its range.
func Bars(title, unit string, bars []Bar) ([]byte, error) {
	p := blank(title)
	p.X.Label.Text, p.X.Min = unit, 0
	p.X.Tick.Marker = short{}
	p.Add(grid())
	names := make([]string, len(bars))
	for i, bar := range bars {
		place := float64(len(bars) - 1 - i)
		names[int(place)] = bar.Name
		sorted := slices.Sorted(slices.Values(bar.Values))
		median := (sorted[len(sorted)/2] + sorted[(len(sorted)-1)/2]) / 2
		drawn, err := plotter.NewBarChart(plotter.Values{median}, barHeight-6)
		if err != nil {
			return nil, err
		}
		drawn.Horizontal, drawn.XMin, drawn.Color, drawn.LineStyle.Width = true, place, colours[0], 0
		if bar.Beside {
			drawn.Color = beside
		}
		spread, err := plotter.NewXErrorBars(span{place, median, median - sorted[0], sorted[len(sorted)-1] - median})
		if err != nil {
			return nil, err
		}
		p.Add(drawn, spread)
	}
	p.X.Max *= 1.02
	p.NominalY(names...)
	p.Y.Min, p.Y.Max = -0.6, float64(len(bars))-0.4
	canvas := vgsvg.New(width, vg.Length(frame+len(bars)*barHeight))
	p.Draw(draw.Crop(draw.New(canvas), 4, -14, 4, -4))
	return written(canvas)
}

// span is a bar's range, as plotter wants it.
type span struct{ place, median, below, above float64 }

func (s span) Len() int                          { return 1 }
func (s span) XY(int) (x, y float64)             { return s.median, s.place }
func (s span) XError(int) (below, above float64) { return s.below, s.above }

func blank(title string) *plot.Plot {
	fonts := font.NewCache(liberation.Collection())
	face := func(size font.Length) font.Font {
		return font.Font{Typeface: "Liberation", Variant: "Sans", Size: size}
	}
	p := plot.New()
	handler := text.Plain{Fonts: fonts}
	p.TextHandler = handler
	p.Title.Text = title
	for style, size := range map[*text.Style]font.Length{&p.Title.TextStyle: 10, &p.X.Label.TextStyle: 8, &p.Y.Label.TextStyle: 8, &p.X.Tick.Label: 8, &p.Y.Tick.Label: 8, &p.Legend.TextStyle: 8} {
		style.Font, style.Handler = face(size), handler
	}
	p.Legend.Top, p.Legend.Left, p.Legend.XOffs = true, true, 6
	p.X.Width, p.Y.Width, p.X.Padding, p.Y.Padding = 0.5, 0.5, 0, 0
	return p
}

func grid() *plotter.Grid {
	g := plotter.NewGrid()
	g.Vertical.Width = 0
	g.Vertical.Color, g.Horizontal.Color, g.Horizontal.Width = faint, faint, 0.5
	return g
}

// short labels an axis with thousands as k and millions as M.
type short struct{}

// Ticks implements plot.Ticker.
func (short) Ticks(low, high float64) []plot.Tick {
	ticks := plot.DefaultTicks{}.Ticks(low, high)
	for i, t := range ticks {
		switch {
		case t.Label == "":
		case t.Value == 0:
			ticks[i].Label = "0"
		case math.Abs(high) >= 2e6:
			ticks[i].Label = strconv.FormatFloat(t.Value/1e6, 'g', 6, 64) + "M"
		case math.Abs(high) >= 2e4:
			ticks[i].Label = strconv.FormatFloat(t.Value/1e3, 'g', 6, 64) + "k"
		default:
			ticks[i].Label = strconv.FormatFloat(t.Value, 'g', 6, 64)
		}
	}
	return ticks
}

// written is the canvas as text. A viewer without the font takes one of the same widths.
func written(canvas *vgsvg.Canvas) ([]byte, error) {
	var b bytes.Buffer
	if _, err := canvas.WriteTo(&b); err != nil {
		return nil, err
	}
	return []byte(strings.ReplaceAll(b.String(), "font-family:Liberation Sans;", "font-family:Liberation Sans,Arial,Helvetica,sans-serif;")), nil
}
